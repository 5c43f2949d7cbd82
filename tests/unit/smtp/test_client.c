/* SPDX-License-Identifier: ISC */
/*
 * The client machine against scripted servers. Each scenario is played whole, cut at every octet of
 * what the server says, and octet by octet: the events must be the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/smtp/fake_server.h"

static const struct scenario sessions[] = {
    {.name = "a message, pipelined",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO}, {HELLO, "250 2.0.0 queued\r\n"}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "a message, one command at a time",
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "two messages, the second behind the first's end",
     .txns = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO},
                    {HELLO MAIL_7 RCPT_B DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "two messages, the second begun after the first's end",
     .txns = 2,
     .is_waiting = true,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO}, {HELLO, OK},
                    {MAIL_7 RCPT_B DATA, OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "two messages without pipelining",
     .txns = 2,
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, {MAIL, OK},
                    {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "EHLO is refused, HELO goes",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "550 what?\r\n"},
                    {"HELO me.test\r\n", HELO_FULL}, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO},
                    {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "EHLO is put off: HELO goes as well",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "450 4.3.2 not now\r\n"},
                    {"HELO me.test\r\n", HELO_BARE}, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO},
                    {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "HELO is refused too",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "502 5.5.1 no\r\n"},
                    {"HELO me.test\r\n", "550 5.7.1 go away\r\n"}),
     .want = "CLOSED deferred ehlo 550 4.7.1 site\n"},
    {.name = "a greeting of several lines",
     .steps = STEPS({"", "220-hello\r\n220-there\r\n220 mx\r\n"}, {"EHLO me.test\r\n", HELO_BARE},
                    {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},

    /* recipients */
    {.name = "one of three is refused, one deferred",
     .rcpts = 3,
     .steps = STEPS(UP_FULL,
                    {MAIL_7 RCPT_B RCPT_C "RCPT TO:<d@y.test>\r\n" DATA,
                     OK "550 5.1.1 who\r\n" OK "450 4.2.1 later\r\n" GO},
                    {HELLO, OK}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nRCPT d@y.test deferred rcpt 450 4.2.1\n"
             "END\n" SENT CLOSED},
    {.name = "codes that nobody knows act by their first digit (RFC 5321 4.2.4.2)",
     .rcpts = 3,
     .steps = STEPS(UP_FULL,
                    {MAIL_7 RCPT_B RCPT_C "RCPT TO:<d@y.test>\r\n" DATA,
                     "299 yes\r\n577 no\r\n499 later\r\n251 will forward\r\n" GO},
                    {HELLO, "222 taken\r\n"}, BYE),
     .want = "RCPT b@y.test failed rcpt 577 5.0.0\nRCPT c@y.test deferred rcpt 499 4.0.0\n"
             "END\nDONE1 delivered eod 222 2.0.0\n" CLOSED},
    {.name = "one is refused, then the connection is lost: its answer stays, the others go on",
     .rcpts = 3,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C "RCPT TO:<d@y.test>\r\n" DATA,
                              OK "550 5.1.1 b\r\n" OK "\1"}),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nDONE1 deferred rcpt 4.4.2 lost site\n"
             "CLOSED deferred rcpt 4.4.2 lost site\n"},
    {.name = "the whole group is answered but DATA, in silence",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK "\2"}),
     .want = "DONE1 deferred data 4.4.2 timeout site\nCLOSED deferred data 4.4.2 timeout site\n"},
    {.name = "all are refused, DATA too",
     .rcpts = 2,
     .steps = STEPS(UP_FULL,
                    {MAIL_7 RCPT_B RCPT_C DATA,
                     OK "550 5.1.1 b\r\n550 5.1.1 c\r\n554 5.5.1 no valid recipients\r\n"},
                    BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nRCPT c@y.test failed rcpt 550 5.1.1\n"
             "DONE1 failed rcpt 550 5.1.1\n" CLOSED},
    {.name = "all are refused, DATA is not: a lone dot",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK "550 5.1.1 b\r\n450 4.2.1 c\r\n" GO},
                    {".\r\n", "554 5.5.1 nobody\r\n"}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nRCPT c@y.test deferred rcpt 450 4.2.1\n"
             "DONE1 deferred rcpt 450 4.2.1\n" CLOSED},
    {.name = "a lone dot is never a delivery",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK "550 5.1.1 b\r\n" GO}, {".\r\n", OK}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nDONE1 failed rcpt 550 5.1.1\n" CLOSED},
    {.name = "loss after a lone dot is not unconfirmed",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK "550 5.1.1 b\r\n" GO}, {".\r\n", "\1"}),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nDONE1 failed rcpt 550 5.1.1\n"
             "CLOSED deferred eod 4.4.2 lost site\n"},
    {.name = "all are refused, one at a time: no DATA, and RSET before the next",
     .txns = 2,
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, "550 5.1.1 b\r\n"}, {"RSET\r\n", OK}, {MAIL, OK},
                    {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nDONE1 failed rcpt 550 5.1.1\n"
             "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "RSET goes in the group",
     .txns = 2,
     .steps =
         STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK "550 5.1.1 b\r\n554 5.5.1 no valid recipients\r\n"},
               {"RSET\r\n" MAIL_7 RCPT_B DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nDONE1 failed rcpt 550 5.1.1\n"
             "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "RSET is refused: another host",
     .txns = 2,
     .steps =
         STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK "550 5.1.1 b\r\n554 5.5.1 no valid recipients\r\n"},
               {"RSET\r\n" MAIL_7 RCPT_B DATA, "500 what\r\n"}),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nDONE1 failed rcpt 550 5.1.1\n"
             "DONE2 deferred rset 500 4.0.0 site\nCLOSED deferred rset 500 4.0.0 site\n"},

    /* MAIL and DATA */
    {.name = "MAIL is refused: what recipients get is no verdict on them",
     .rcpts = 2,
     .steps = STEPS(UP_FULL,
                    {MAIL_7 RCPT_B RCPT_C DATA, "550 5.7.1 not you\r\n503 5.5.1 need MAIL\r\n"
                                                "503 5.5.1 need MAIL\r\n503 5.5.1 need MAIL\r\n"},
                    BYE),
     .want = "DONE1 failed mail 550 5.7.1\n" CLOSED},
    {.name = "MAIL is refused, and DATA is taken all the same: a lone dot",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, "450 4.7.1 later\r\n250 yes\r\n" GO},
                    {".\r\n", "554 no\r\n"}, BYE),
     .want = "DONE1 deferred mail 450 4.7.1\n" CLOSED},
    {.name = "MAIL is refused, then the server goes away: MAIL's reply counts",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, "550 5.7.1 not you\r\n421 bye\r\n"}),
     .want = "DONE1 failed mail 550 5.7.1\nCLOSED deferred rcpt 421 4.0.0 site\n"},
    {.name = "552 to MAIL is for good (RFC 1870 6.2), 452 is not",
     .txns = 2,
     .steps = STEPS(UP_BARE, {MAIL, "552 5.3.4 too big\r\n"}, {MAIL, "452 4.3.1 no room\r\n"}, BYE),
     .want = "DONE1 failed mail 552 5.3.4\nDONE2 deferred mail 452 4.3.1\n" CLOSED},
    {.name = "after a refused MAIL the next one needs no RSET",
     .txns = 2,
     .steps = STEPS(UP_BARE, {MAIL, "550 5.7.1 no\r\n"}, {MAIL, "550 5.7.1 no\r\n"}, BYE),
     .want = "DONE1 failed mail 550 5.7.1\nDONE2 failed mail 550 5.7.1\n" CLOSED},
    {.name = "DATA is refused for good",
     .rcpts = 2,
     .steps = STEPS(UP_FULL,
                    {MAIL_7 RCPT_B RCPT_C DATA, OK "550 5.1.1 b\r\n" OK "554 5.7.1 no\r\n"}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nDONE1 failed data 554 5.7.1\n" CLOSED},
    {.name = "the end of data is refused",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO}, {HELLO, "550-5.7.1 spam\r\n550 x\r\n"},
                    BYE),
     .want = "END\nDONE1 failed eod 550 5.7.1\n" CLOSED},
    {.name = "the first is refused at its end, the second is not touched",
     .txns = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO},
                    {HELLO MAIL_7 RCPT_B DATA, "451 4.3.0 later\r\n" OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\nDONE1 deferred eod 451 4.3.0\nEND\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "the basic code wins over the enhanced one",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO}, {HELLO, "450 5.7.32 no\r\n"}, BYE),
     .want = "END\nDONE1 deferred eod 450 4.0.0\n" CLOSED},
    {.name = "codes that disagree: the first counts",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO},
                    {HELLO, "450-4.7.1 no\r\n550 5.7.1 no\r\n"}, BYE),
     .want = "END\nDONE1 deferred eod 450 4.7.1\n" CLOSED},

    /* what the second transaction meets when the first one's connection dies */
    {.name = "loss with two in flight: one unconfirmed, one to be tried elsewhere",
     .txns = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO}, {HELLO MAIL_7 RCPT_B DATA, "\1"}),
     .want = "END\nDONE1 unconfirmed eod 4.4.2 lost\nDONE2 deferred eod 4.4.2 lost site\n"
             "CLOSED deferred eod 4.4.2 lost site\n"},
    {.name = "a reply that came before the loss counts",
     .txns = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO}, {HELLO MAIL_7 RCPT_B DATA, OK "\3"}),
     .want = "END\n" SENT "DONE2 deferred mail 4.4.2 lost site\n"
             "CLOSED deferred mail 4.4.2 lost site\n"},
    {.name = "421 at the end of data: refused for now, and not unconfirmed",
     .txns = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO},
                    {HELLO MAIL_7 RCPT_B DATA, "421 4.3.2 bye\r\n"}),
     .want = "END\nDONE1 deferred eod 421 4.3.2 site\nDONE2 deferred eod 421 4.3.2 site\n"
             "CLOSED deferred eod 421 4.3.2 site\n"},
    {.name = "our own trouble at the end: nothing was delivered, the connection goes",
     .is_abandoned = true,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK OK GO}, {"", NULL}),
     .want = "END\nDONE1 deferred local\nCLOSED deferred local\n",
     .want_sent = "EHLO me.test\r\n" MAIL_7 RCPT_B DATA},

    /* between transactions */
    {.name = "QUIT without an answer",
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, {"QUIT\r\n", "\2"}),
     .want = "END\n" SENT "CLOSED delivered quit\n"},
    {.name = "QUIT, and the connection ends",
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, {"QUIT\r\n", "\3"}),
     .want = "END\n" SENT "CLOSED delivered quit\n"},

    /* extensions */
    {.name = "8-bit and UTF-8 are announced",
     .flags = MSG_8BIT | MSG_UTF8,
     .steps = STEPS(
         UP_FULL, {"MAIL FROM:<a@x.test> SIZE=7 BODY=8BITMIME SMTPUTF8\r\n" RCPT_B DATA, OK OK GO},
         {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "8-bit text is not sent to a server without 8BITMIME",
     .flags = MSG_8BIT,
     .steps = STEPS(UP_BARE, BYE),
     .want = "DONE1 failed mail 5.6.3 no-8bitmime lacking\n" CLOSED},
    {.name = "UTF-8 is not sent to a server without SMTPUTF8",
     .flags = MSG_UTF8,
     .steps = STEPS(UP_BARE, BYE),
     .want = "DONE1 failed mail 5.6.7 no-smtputf8 lacking\n" CLOSED},
    {.name = "a message larger than SIZE is not sent",
     .size_bytes = 1001,
     .steps = STEPS(UP_FULL, BYE),
     .want = "DONE1 failed mail 5.3.4 too-big lacking\n" CLOSED},
    {.name = "SIZE 0 is no limit",
     .size_bytes = 1001,
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 SIZE 0\r\n"},
                    {"MAIL FROM:<a@x.test> SIZE=1001\r\n", OK}, {RCPT_B, OK}, {DATA, GO},
                    {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "keywords in lower case, unknown ones",
     .steps = STEPS({"", "220 mx\r\n"},
                    {"EHLO me.test\r\n", "250-mx\r\n250-foo bar\r\n250-size\r\n250 pipelining\r\n"},
                    {MAIL_7 RCPT_B DATA, OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "the server's own name is no keyword",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-SIZE 1\r\n250 DSN\r\n"},
                    {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "DSN parameters where they are offered",
     .reverse_path = "",
     .envid = "a+b",
     .orcpt = "rfc822;o=p@y.test",
     .notify = DSN_SUCCESS | DSN_DELAY,
     .ret = DSN_RET_HDRS,
     .steps = STEPS(UP_FULL,
                    {"MAIL FROM:<> SIZE=7 RET=HDRS ENVID=a+2Bb\r\n"
                     "RCPT TO:<b@y.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+3Dp@y.test\r\n" DATA,
                     OK OK GO},
                    {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "and not where they are not",
     .envid = "a+b",
     .orcpt = "rfc822;o=p@y.test",
     .notify = DSN_NEVER,
     .ret = DSN_RET_FULL,
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "an address with a line break goes nowhere",
     .reverse_path = "a@x.test>\r\nRCPT TO:<evil@y.test",
     .steps = STEPS(UP_FULL, BYE),
     .want = "DONE1 failed mail 5.1.3 bad-address\n" CLOSED},

    /* content */
    {.name = "dots at line starts are stuffed",
     .body = ".\r\n..\r\na.b\r\n.c\r\n\r\n.",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", HELO_BARE}, {MAIL, OK}, {RCPT_B, OK},
                    {DATA, GO}, {"..\r\n...\r\na.b\r\n..c\r\n\r\n..\r\n.\r\n", OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "a dot behind a bare LF begins no line",
     .body = "a\n.b\r\n",
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {"a\n.b\r\n.\r\n", OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "an empty message",
     .body = "",
     .size_bytes = 1,
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {".\r\n", OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "a last line without its end gets one",
     .body = "x\r",
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {"x\r\r\n.\r\n", OK}, BYE),
     .want = "END\n" SENT CLOSED},
};

static const struct scenario securities[] = {
    {.name = "opportunistic TLS, all said before is forgotten",
     .tls = TLS_LEVEL_OPPORTUNISTIC,
     .steps = STEPS({"", "220 mx\r\n"},
                    {"EHLO me.test\r\n", "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"},
                    {"STARTTLS\r\n", "220 go\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 DSN\r\n"},
                    {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "TLS\nEND\n" SENT CLOSED},
    {.name = "STARTTLS is refused: on in clear, on the same session",
     .tls = TLS_LEVEL_OPPORTUNISTIC,
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 STARTTLS\r\n"},
                    {"STARTTLS\r\n", "454 4.7.0 not now\r\n"}, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO},
                    {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "STARTTLS is not offered: on in clear",
     .tls = TLS_LEVEL_OPPORTUNISTIC,
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "level none does not ask",
     .tls = TLS_LEVEL_NONE,
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 STARTTLS\r\n"},
                    {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "required, and refused",
     .tls = TLS_LEVEL_REQUIRED,
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 STARTTLS\r\n"},
                    {"STARTTLS\r\n", "554 5.7.0 no\r\n"}, {"QUIT\r\n", NULL}),
     .want = "CLOSED deferred starttls 554 4.7.0 site\n"},
    {.name = "required, and not offered",
     .tls = TLS_LEVEL_REQUIRED,
     .steps = STEPS(UP_FULL, {"QUIT\r\n", NULL}),
     .want = "CLOSED deferred starttls 4.7.4 not-offered site\n"},
    {.name = "the handshake fails",
     .tls = TLS_LEVEL_OPPORTUNISTIC,
     .handshake = TLS_FAILED,
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 STARTTLS\r\n"},
                    {"STARTTLS\r\n", "220 go\r\n"}),
     .want = "TLS\nCLOSED deferred tls 4.7.5 site\n",
     .want_sent = "EHLO me.test\r\nSTARTTLS\r\n"},
    {.name = "verified, but only encrypted",
     .tls = TLS_LEVEL_VERIFIED,
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 STARTTLS\r\n"},
                    {"STARTTLS\r\n", "220 go\r\n"}),
     .want = "TLS\nCLOSED deferred tls 4.7.5 site\n"},
    {.name = "implicit TLS, then PLAIN",
     .tls = TLS_LEVEL_VERIFIED,
     .is_implicit_tls = true,
     .handshake = TLS_VERIFIED,
     .user = "tim",
     .password = "tanstaaftanstaaf",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 AUTH LOGIN PLAIN\r\n"},
                    {"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", "235 2.7.0 welcome\r\n"},
                    {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "TLS\nEND\n" SENT CLOSED},
    {.name = "PLAIN asked for again by 334",
     .is_implicit_tls = true,
     .user = "tim",
     .password = "tanstaaftanstaaf",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 AUTH PLAIN\r\n"},
                    {"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", "334 \r\n"},
                    {"AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", "334 \r\n"},
                    {"*\r\n", "501 5.7.0 cancelled\r\n"}, {"QUIT\r\n", NULL}),
     .want = "TLS\nCLOSED deferred auth 4.7.0 bad-challenge site\n"},
    {.name = "LOGIN by its old keyword",
     .is_implicit_tls = true,
     .user = "u",
     .password = "p",
     .steps =
         STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 AUTH=LOGIN\r\n"},
               {"AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"}, {"dQ==\r\n", "334 UGFzc3dvcmQ6\r\n"},
               {"cA==\r\n", "235 ok\r\n"}, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "TLS\nEND\n" SENT CLOSED},
    {.name = "a wrong password defers",
     .is_implicit_tls = true,
     .user = "u",
     .password = "p",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 AUTH PLAIN\r\n"},
                    {"AUTH PLAIN AHUAcA==\r\n", "535 5.7.8 no\r\n"}, {"QUIT\r\n", NULL}),
     .want = "TLS\nCLOSED deferred auth 535 4.7.8 site\n"},
    {.name = "no password in clear",
     .user = "u",
     .password = "p",
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 AUTH PLAIN LOGIN\r\n"},
                    {"QUIT\r\n", NULL}),
     .want = "CLOSED deferred auth 4.7.0 no-mechanism site\n"},
    {.name = "authentication is not wanted",
     .user = "u",
     .password = "p",
     .auth = AUTH_NONE,
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
};

static void sessions_go_as_the_tables_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
        play_every_way(&sessions[i]);
}

static void security_goes_as_the_tables_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(securities); i++)
        play_every_way(&securities[i]);
}

/* CVE-2011-0411: what came in one piece with the 220 is not under TLS. */
static void replies_injected_behind_starttls_are_dropped(void **state)
{
    struct scenario sc = {
        .name = "injection",
        .tls = TLS_LEVEL_REQUIRED,
        .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 STARTTLS\r\n"},
                       {"STARTTLS\r\n", "220 go\r\n250-evil\r\n250 PIPELINING\r\n250 2"},
                       {"EHLO me.test\r\n", HELO_BARE}, {MAIL, OK}, {RCPT_B, OK}, {DATA, GO},
                       {HELLO, OK}, BYE),
        .want = "TLS\nEND\n" SENT CLOSED};
    struct play p;

    (void)state;
    play_init(&p, &sc);
    play_run(&p);
    play_assert(&sc, &p, "whole", 0);
    play_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_injected_behind_starttls_are_dropped),
        cmocka_unit_test(sessions_go_as_the_tables_say),
        cmocka_unit_test(security_goes_as_the_tables_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
