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

#include "core/base/clock.h"
#include "tests/unit/smtp/fake_server.h"

#define HELO_FULL                                                                                  \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 "       \
    "DSN\r\n"
#define HELO_BARE "250 mx.test\r\n"
#define BYE                                                                                        \
    {                                                                                              \
        "QUIT\r\n", "221 bye\r\n"                                                                  \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }
#define OK     "250 ok\r\n"
#define CLOSED "CLOSED delivered quit 221\n"
#define SENT   "DONE1 delivered eod 250 2.0.0\n"
#define MAIL   "MAIL FROM:<a@x.test>\r\n"
#define MAIL_7 "MAIL FROM:<a@x.test> SIZE=7\r\n"
#define RCPT_B "RCPT TO:<b@y.test>\r\n"
#define RCPT_C "RCPT TO:<c@y.test>\r\n"
#define DATA   "DATA\r\n"
#define GO     "354 go\r\n"
#define HELLO  "hello\r\n.\r\n"
/* Up to a session with all extensions, and up to one with none. */
#define UP_FULL                                                                                    \
    {"", "220 mx\r\n"},                                                                            \
    {                                                                                              \
        "EHLO me.test\r\n", HELO_FULL                                                              \
    }
#define UP_BARE                                                                                    \
    {"", "220 mx\r\n"},                                                                            \
    {                                                                                              \
        "EHLO me.test\r\n", HELO_BARE                                                              \
    }

#define STEPS(...)                                                                                 \
    (const struct step[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, END                                                                           \
    }

static void assert_played(const struct scenario *sc, const struct play *p, const char *how,
                          size_t at)
{
    bool is_right = !sc->want || str_eq_z(buf_str(&p->events), sc->want);

    is_right &= !sc->want_sent || str_eq_z(buf_str(&p->sent), sc->want_sent);
    is_right &= p->is_closed;
    if (is_right)
        return;
    print_error("%s (%s %zu)\n--- events\n%s\n--- want\n%s\n--- sent\n%s\n", sc->name, how, at,
                buf_text(&p->events), sc->want ? sc->want : "", buf_text(&p->sent));
    fail();
}

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
    {.name = "552 at RCPT is 452",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "552 5.5.3 too many\r\n" GO},
                    {HELLO, OK}, BYE),
     .want = "RCPT c@y.test deferred rcpt 552 4.5.3\nEND\n" SENT CLOSED},
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
     .want = "DONE1 failed mail 5.6.3 no-8bitmime\n" CLOSED},
    {.name = "UTF-8 is not sent to a server without SMTPUTF8",
     .flags = MSG_UTF8,
     .steps = STEPS(UP_BARE, BYE),
     .want = "DONE1 failed mail 5.6.7 no-smtputf8\n" CLOSED},
    {.name = "a message larger than SIZE is not sent",
     .size_bytes = 1001,
     .steps = STEPS(UP_FULL, BYE),
     .want = "DONE1 failed mail 5.3.4 too-big\n" CLOSED},
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
                    {"AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", "334 \r\n"}, {"QUIT\r\n", NULL}),
     .want = "TLS\nCLOSED deferred auth 334 4.5.0 site\n"},
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

/* Whole, in pieces of 1, 2, 3 octets, and cut in two at every octet. */
static void play_every_way(const struct scenario *sc)
{
    struct play p;
    size_t total;

    play_init(&p, sc);
    play_run(&p);
    assert_played(sc, &p, "whole", 0);
    total = p.streamed;
    play_done(&p);
    for (size_t i = 1; i <= 3; i++) {
        play_init(&p, sc);
        p.every = p.piece = p.send_max = i;
        play_run(&p);
        assert_played(sc, &p, "pieces of", i);
        play_done(&p);
    }
    for (size_t cut = 1; cut < total; cut++) {
        play_init(&p, sc);
        p.cut = cut;
        p.piece = cut % 5 + 1;
        play_run(&p);
        assert_played(sc, &p, "cut at", cut);
        play_done(&p);
    }
}

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

/* One session through every stage, one command at a time; each fault strikes at each stage. */
static const struct step whole_session[] = {
    {"", "220 mx\r\n"},
    {"EHLO me.test\r\n", "250-mx\r\n250 STARTTLS\r\n"},
    {"STARTTLS\r\n", "220 go\r\n"},
    {"EHLO me.test\r\n", "250-mx\r\n250 AUTH PLAIN\r\n"},
    {"AUTH PLAIN AHUAcA==\r\n", "235 ok\r\n"},
    {MAIL, OK},
    {RCPT_B, OK},
    {DATA, GO},
    {HELLO, OK},
    {"QUIT\r\n", "221 bye\r\n"},
};

enum fault {
    FAULT_4XX,
    FAULT_5XX,
    FAULT_421,
    FAULT_LOST,
    FAULT_RESET,
    FAULT_TIMEOUT,
    FAULT_PARTIAL_LOST,
    FAULT_PARTIAL_TIMEOUT,
    FAULT_GARBAGE,
    FAULT_BINARY,
    FAULT_CODE_3XX,
    FAULT_CODE_6XX,
    FAULT_LINES,
    FAULT_LONG_LINE,
    FAULT_COUNT
};

static struct str fault_text(enum fault f, struct buf *big)
{
    switch (f) {
    case FAULT_4XX: return STR("450 4.7.1 later\r\n");
    case FAULT_5XX: return STR("550 5.7.1 no\r\n");
    case FAULT_421: return STR("421 4.3.2 going\r\n");
    case FAULT_LOST: return STR("\1");
    case FAULT_RESET: return STR("\3");
    case FAULT_TIMEOUT: return STR("\2");
    case FAULT_PARTIAL_LOST: return STR("250-2.0.0 al\r\n250 2.0\1");
    case FAULT_PARTIAL_TIMEOUT: return STR("250-2.0.0 al\r\n250 2.0\2");
    case FAULT_GARBAGE: return STR("HTTP/1.1 400 Bad Request\r\n\r\n");
    case FAULT_BINARY: return STR("\x16\x05\x04\xff\xfe\r\n");
    case FAULT_CODE_3XX: return STR("399 what\r\n");
    case FAULT_CODE_6XX: return STR("650 what\r\n");
    case FAULT_LINES:
        for (int i = 0; i < 200; i++)
            buf_add_z(big, "250-x\r\n");
        buf_add_z(big, "250 x\r\n");
        return buf_str(big);
    default:
        buf_add_z(big, "250 ");
        for (int i = 0; i < 1024 * 1024; i++)
            buf_add_c(big, 'x');
        buf_add_z(big, "\r\n");
        return buf_str(big);
    }
}

#define UNTIL_TLS "TLS\n"

/* What is said behind the events up to that stage. "" = the session went on to its good end. */
static const struct {
    const char *name, *before;
    const char *refused_4xx, *refused_5xx, *going, *lost, *timeout, *broken;
} stages[] = {
    {"greeting", "", "CLOSED deferred greeting 450 4.7.1 site\n",
     "CLOSED deferred greeting 550 4.7.1 site\n", "CLOSED deferred greeting 421 4.3.2 site\n",
     "CLOSED deferred greeting 4.4.2 lost site\n", "CLOSED deferred greeting 4.4.2 timeout site\n",
     "CLOSED deferred greeting"},
    {"EHLO", "", NULL, NULL, "CLOSED deferred ehlo 421 4.3.2 site\n",
     "CLOSED deferred ehlo 4.4.2 lost site\n", "CLOSED deferred ehlo 4.4.2 timeout site\n",
     "CLOSED deferred ehlo"},
    {"STARTTLS", "", "CLOSED deferred starttls 450 4.7.1 site\n",
     "CLOSED deferred starttls 550 4.7.1 site\n", "CLOSED deferred starttls 421 4.3.2 site\n",
     "CLOSED deferred starttls 4.4.2 lost site\n", "CLOSED deferred starttls 4.4.2 timeout site\n",
     "CLOSED deferred starttls"},
    {"EHLO under TLS", UNTIL_TLS, NULL, NULL, "CLOSED deferred ehlo 421 4.3.2 site\n",
     "CLOSED deferred ehlo 4.4.2 lost site\n", "CLOSED deferred ehlo 4.4.2 timeout site\n",
     "CLOSED deferred ehlo"},
    {"AUTH", UNTIL_TLS, "CLOSED deferred auth 450 4.7.1 site\n",
     "CLOSED deferred auth 550 4.7.1 site\n", "CLOSED deferred auth 421 4.3.2 site\n",
     "CLOSED deferred auth 4.4.2 lost site\n", "CLOSED deferred auth 4.4.2 timeout site\n",
     "CLOSED deferred auth"},
    {"MAIL", UNTIL_TLS, "DONE1 deferred mail 450 4.7.1\n" CLOSED,
     "DONE1 failed mail 550 5.7.1\n" CLOSED,
     "DONE1 deferred mail 421 4.3.2 site\nCLOSED deferred mail 421 4.3.2 site\n",
     "DONE1 deferred mail 4.4.2 lost site\nCLOSED deferred mail 4.4.2 lost site\n",
     "DONE1 deferred mail 4.4.2 timeout site\nCLOSED deferred mail 4.4.2 timeout site\n",
     "DONE1 deferred mail"},
    {"RCPT", UNTIL_TLS,
     "RCPT b@y.test deferred rcpt 450 4.7.1\nDONE1 deferred rcpt 450 4.7.1\n" CLOSED,
     "RCPT b@y.test failed rcpt 550 5.7.1\nDONE1 failed rcpt 550 5.7.1\n" CLOSED,
     "DONE1 deferred rcpt 421 4.3.2 site\nCLOSED deferred rcpt 421 4.3.2 site\n",
     "DONE1 deferred rcpt 4.4.2 lost site\nCLOSED deferred rcpt 4.4.2 lost site\n",
     "DONE1 deferred rcpt 4.4.2 timeout site\nCLOSED deferred rcpt 4.4.2 timeout site\n",
     "DONE1 deferred rcpt"},
    {"DATA", UNTIL_TLS, "DONE1 deferred data 450 4.7.1\n" CLOSED,
     "DONE1 failed data 550 5.7.1\n" CLOSED,
     "DONE1 deferred data 421 4.3.2 site\nCLOSED deferred data 421 4.3.2 site\n",
     "DONE1 deferred data 4.4.2 lost site\nCLOSED deferred data 4.4.2 lost site\n",
     "DONE1 deferred data 4.4.2 timeout site\nCLOSED deferred data 4.4.2 timeout site\n",
     "DONE1 deferred data"},
    {"end of data", UNTIL_TLS "END\n", "DONE1 deferred eod 450 4.7.1\n" CLOSED,
     "DONE1 failed eod 550 5.7.1\n" CLOSED,
     "DONE1 deferred eod 421 4.3.2 site\nCLOSED deferred eod 421 4.3.2 site\n",
     "DONE1 unconfirmed eod 4.4.2 lost\nCLOSED deferred eod 4.4.2 lost site\n",
     "DONE1 unconfirmed eod 4.4.2 timeout\nCLOSED deferred eod 4.4.2 timeout site\n",
     "DONE1 unconfirmed eod"},
    {"QUIT", UNTIL_TLS "END\n" SENT, "CLOSED delivered quit 450\n", "CLOSED delivered quit 550\n",
     "CLOSED delivered quit 421\n", "CLOSED delivered quit\n", "CLOSED delivered quit\n", NULL},
};
_Static_assert(ARRAY_LEN(stages) == ARRAY_LEN(whole_session), "a row per step");

static const char *wanted(size_t stage, enum fault f)
{
    switch (f) {
    case FAULT_4XX: return stages[stage].refused_4xx;
    case FAULT_5XX: return stages[stage].refused_5xx;
    case FAULT_421: return stages[stage].going;
    case FAULT_LOST:
    case FAULT_RESET:
    case FAULT_PARTIAL_LOST: return stages[stage].lost;
    case FAULT_TIMEOUT:
    case FAULT_PARTIAL_TIMEOUT: return stages[stage].timeout;
    default: return stages[stage].broken;
    }
}

/* A QUIT goes out where the session is refused in words; a broken one is left. */
static void strike(size_t stage, enum fault f, size_t every)
{
    struct step steps[ARRAY_LEN(whole_session) + 3] = {{NULL, NULL}};
    struct buf big = BUF_INIT, want = BUF_INIT;
    struct play p;
    const char *tail = wanted(stage, f);
    bool is_answered = f == FAULT_4XX || f == FAULT_5XX;
    size_t n = stage + 1;

    if (!tail || (every && f >= FAULT_LINES))
        return;
    if (f == FAULT_CODE_3XX && whole_session[stage].expect[0] == 'D')
        return; /* a 3xx to DATA is a yes, whatever its other digits: RFC 5321 4.2.4.2 */
    struct str answer = fault_text(f, &big);
    char *answer_z = str_dup(answer);
    memcpy(steps, whole_session, n * sizeof(steps[0]));
    steps[stage].answer = answer_z;
    if (is_answered && stage >= 5 && stage <= 8)
        steps[n++] = (struct step){"QUIT\r\n", "221 bye\r\n"};
    struct scenario sc = {.name = stages[stage].name,
                          .tls = TLS_LEVEL_REQUIRED,
                          .user = "u",
                          .password = "p",
                          .steps = steps};
    play_init(&p, &sc);
    p.every = every;
    play_run(&p);
    buf_add_z(&want, stages[stage].before);
    buf_add_z(&want, tail);
    bool is_right = f < FAULT_GARBAGE ? str_eq(buf_str(&p.events), buf_str(&want))
                                      : str_starts(buf_str(&p.events), buf_str(&want)) &&
                                            strstr(buf_text(&p.events), " 4.5.0 ");
    if (!is_right || !p.is_closed) {
        print_error("fault %d at %s, pieces of %zu\n--- events\n%s\n--- want\n%s\n", (int)f,
                    stages[stage].name, every, buf_text(&p.events), buf_text(&want));
        fail();
    }
    play_done(&p);
    free(answer_z);
    buf_done(&big);
    buf_done(&want);
}

static void every_fault_at_every_stage_ends_as_the_table_says(void **state)
{
    (void)state;
    for (size_t stage = 0; stage < ARRAY_LEN(stages); stage++)
        for (enum fault f = 0; f < FAULT_COUNT; f++)
            for (size_t every = 0; every < 4; every++)
                strike(stage, f, every);
}

/* Two replies where one is due: the second one comes before its command. */
static void a_premature_reply_breaks_the_session(void **state)
{
    (void)state;
    for (size_t stage = 0; stage + 1 < ARRAY_LEN(whole_session); stage++) {
        struct step steps[ARRAY_LEN(whole_session) + 1] = {{NULL, NULL}};
        struct buf twice = BUF_INIT;
        struct play p;
        if (stage == 2)
            continue; /* behind STARTTLS it is an injection, and dropped */
        memcpy(steps, whole_session, (stage + 1) * sizeof(steps[0]));
        buf_printf(&twice, "%s250 early\r\n", whole_session[stage].answer);
        steps[stage].answer = buf_text(&twice);
        struct scenario sc = {.name = stages[stage].name,
                              .tls = TLS_LEVEL_REQUIRED,
                              .user = "u",
                              .password = "p",
                              .steps = steps};
        play_init(&p, &sc);
        play_run(&p);
        if (!p.is_closed || (stage < 8 && !strstr(buf_text(&p.events), " 4.5.0 "))) {
            print_error("%s\n%s\n", stages[stage].name, buf_text(&p.events));
            fail();
        }
        assert_null(strstr(buf_text(&p.events), stage < 8 ? "delivered" : "unconfirmed"));
        play_done(&p);
        buf_done(&twice);
    }
}

/* A session that has been given its 354, with much content. */
struct upload {
    struct smtp_client *c;
    struct smtp_txn txn;
    struct smtp_rcpt rcpt;
    struct smtp_client_notice n;
    size_t sent;
};

static void upload_flush(struct upload *u, int64_t now)
{
    struct str out = smtp_client_output(u->c);

    u->sent += out.n;
    smtp_client_sent(u->c, out.n, now);
}

static enum smtp_client_event upload_say(struct upload *u, const char *text, int64_t now)
{
    enum smtp_client_event e;

    smtp_client_input(u->c, str_of(text), now);
    e = smtp_client_next(u->c, &u->n);
    upload_flush(u, now);
    return e;
}

static void upload_start(struct upload *u)
{
    static const struct smtp_client_conf conf = {.helo = "me.test",
                                                 .host = "mx.test",
                                                 .ip = "192.0.2.1",
                                                 .port = 25,
                                                 .timeouts = &smtp_timeouts_rfc};

    *u = (struct upload){.c = smtp_client_new(&conf, 0)};
    u->rcpt = (struct smtp_rcpt){.address = "b@y.test", .orcpt = ""};
    u->txn =
        (struct smtp_txn){.reverse_path = "a@x.test", .envid = "", .rcpts = &u->rcpt, .rcpts_n = 1};
    smtp_client_connected(u->c, 0);
    assert_int_equal(upload_say(u, "220 mx\r\n", 0), SMTP_CLIENT_WAIT);
    assert_int_equal(upload_say(u, "250-mx\r\n250 PIPELINING\r\n", 0), SMTP_CLIENT_READY);
    smtp_client_begin(u->c, &u->txn, 0);
    upload_flush(u, 0);
    assert_int_equal(upload_say(u, OK OK GO, 0), SMTP_CLIENT_NEED_BODY);
}

static enum smtp_client_event upload_next(struct upload *u)
{
    return smtp_client_next(u->c, &u->n);
}

static void content_is_asked_for_only_when_little_is_unsent(void **state)
{
    static char block[100 * 1024];
    struct upload u;

    (void)state;
    memset(block, 'x', sizeof(block));
    upload_start(&u);
    smtp_client_body(u.c, (struct str){block, sizeof(block)}, false, 0);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_WAIT);
    assert_int_equal(smtp_client_output(u.c).n, sizeof(block));
    smtp_client_sent(u.c, sizeof(block) - 64 * 1024, 1);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_WAIT);
    smtp_client_sent(u.c, 1, 2);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_NEED_BODY);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_WAIT); /* said once */
    smtp_client_free(u.c);
}

static void the_last_block_is_held_until_it_is_released(void **state)
{
    static char block[100 * 1024];
    struct upload u;

    (void)state;
    memset(block, 'x', sizeof(block));
    upload_start(&u);
    smtp_client_body(u.c, (struct str){block, sizeof(block)}, true, 0);
    assert_int_equal(smtp_client_output(u.c).n, sizeof(block) - 64 * 1024);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_AT_END);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_READY);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_WAIT);
    upload_flush(&u, 0);
    assert_int_equal(smtp_client_output(u.c).n, 0);
    /* A second transaction begun now stays behind the held block. */
    struct upload second = {.txn = u.txn};
    smtp_client_begin(u.c, &second.txn, 0);
    assert_false(smtp_client_may_begin(u.c));
    assert_int_equal(smtp_client_output(u.c).n, 0);
    smtp_client_release(u.c, 0);
    struct str out = smtp_client_output(u.c);
    assert_int_equal(out.n, 64 * 1024 + strlen("\r\n.\r\n" MAIL RCPT_B DATA));
    assert_true(str_ends(out, STR("xx\r\n.\r\n" MAIL RCPT_B DATA)));
    smtp_client_free(u.c);
}

static void loss_before_the_last_block_is_no_doubt(void **state)
{
    struct upload u;

    (void)state;
    for (int touched = 0; touched < 2; touched++) {
        upload_start(&u);
        smtp_client_body(u.c, STR("hello\r\n"), true, 0);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_AT_END);
        smtp_client_release(u.c, 0);
        if (touched)
            smtp_client_sent(u.c, 1, 0);
        smtp_client_lost(u.c, 0, 0);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_DONE);
        assert_int_equal(u.n.outcome->class, touched ? OUTCOME_UNCONFIRMED : OUTCOME_DEFERRED);
        assert_int_equal(u.n.is_site_failure, !touched);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_CLOSED);
        smtp_client_free(u.c);
    }
}

static void a_reply_before_the_dot_is_final_and_ends_the_session(void **state)
{
    static const struct {
        const char *reply;
        bool is_at_end;
        enum outcome_class want;
        const char *enhanced;
    } rows[] = {
        {"552 5.3.4 too big\r\n", false, OUTCOME_FAILED, "5.3.4"},
        {"552 5.3.4 too big\r\n", true, OUTCOME_FAILED, "5.3.4"},
        {"451 4.3.0 disk\r\n", false, OUTCOME_DEFERRED, "4.3.0"},
        {"421 4.3.2 bye\r\n", false, OUTCOME_DEFERRED, "4.3.2"},
        {"250 2.0.0 queued\r\n", false, OUTCOME_DEFERRED, "4.5.0"},
        {"250 2.0.0 queued\r\n", true, OUTCOME_DEFERRED, "4.5.0"},
        {"354 more\r\n", true, OUTCOME_DEFERRED, "4.5.0"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct upload u;
        upload_start(&u);
        smtp_client_body(u.c, STR("hello\r\n"), rows[i].is_at_end, 0);
        upload_flush(&u, 0);
        if (rows[i].is_at_end) {
            assert_int_equal(upload_next(&u), SMTP_CLIENT_AT_END);
            assert_int_equal(upload_next(&u), SMTP_CLIENT_READY);
        } else {
            assert_int_equal(upload_next(&u), SMTP_CLIENT_NEED_BODY);
        }
        assert_int_equal(upload_say(&u, rows[i].reply, 0), SMTP_CLIENT_DONE);
        assert_int_equal(u.n.outcome->class, rows[i].want);
        assert_string_equal(u.n.outcome->enhanced, rows[i].enhanced);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_CLOSED);
        assert_int_equal(smtp_client_output(u.c).n, 0);
        smtp_client_free(u.c);
    }
}

static void a_yes_before_the_whole_end_was_sent_is_not_believed(void **state)
{
    struct upload u;

    (void)state;
    upload_start(&u);
    smtp_client_body(u.c, STR("hello\r\n"), true, 0);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_AT_END);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_READY);
    smtp_client_release(u.c, 0);
    smtp_client_sent(u.c, 3, 0);
    smtp_client_input(u.c, STR("250 2.0.0 queued\r\n"), 0);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_DONE);
    assert_int_equal(u.n.outcome->class, OUTCOME_UNCONFIRMED);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_CLOSED);
    smtp_client_free(u.c);
}

static void each_wait_has_its_deadline(void **state)
{
    struct upload u;

    (void)state;
    upload_start(&u);
    /* Our own store is waited for: the peer is not to blame. */
    assert_true(smtp_client_deadline(u.c) == INT64_MAX);
    smtp_client_body(u.c, STR("hello\r\n"), false, 1000);
    assert_int_equal(smtp_client_deadline(u.c), 1000 + 3 * MINUTE_MS);
    smtp_client_sent(u.c, 3, 5000);
    assert_int_equal(smtp_client_deadline(u.c), 5000 + 3 * MINUTE_MS);
    upload_flush(&u, 6000);
    assert_true(smtp_client_deadline(u.c) == INT64_MAX);
    smtp_client_body(u.c, STR_NONE, true, 7000);
    assert_true(smtp_client_deadline(u.c) == INT64_MAX);
    smtp_client_release(u.c, 8000);
    assert_int_equal(smtp_client_deadline(u.c), 8000 + 3 * MINUTE_MS);
    upload_flush(&u, 9000);
    assert_int_equal(smtp_client_deadline(u.c), 9000 + 10 * MINUTE_MS);
    assert_string_equal(smtp_client_doing(u.c), "waiting for reply to end of DATA");
    smtp_client_free(u.c);
}

static void a_trickled_reply_does_not_move_the_deadline(void **state)
{
    struct upload u;

    (void)state;
    upload_start(&u);
    smtp_client_body(u.c, STR("x\r\n"), true, 0);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_AT_END);
    assert_int_equal(upload_next(&u), SMTP_CLIENT_READY);
    smtp_client_release(u.c, 0);
    upload_flush(&u, 0);
    assert_int_equal(upload_say(&u, "250-w", 60000), SMTP_CLIENT_WAIT);
    assert_int_equal(upload_say(&u, "ait\r\n250-", 120000), SMTP_CLIENT_WAIT);
    assert_int_equal(smtp_client_deadline(u.c), 10 * MINUTE_MS);
    smtp_client_free(u.c);
}

static void an_idle_close_is_free_once_the_connection_was_used(void **state)
{
    static const char *const ends[] = {"", "421 4.4.2 idle\r\n", "450 4.4.2 idle\r\n"};
    struct upload u;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        upload_start(&u);
        smtp_client_body(u.c, STR("x\r\n"), true, 0);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_AT_END);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_READY);
        smtp_client_release(u.c, 0);
        upload_flush(&u, 0);
        assert_int_equal(upload_say(&u, OK, 0), SMTP_CLIENT_DONE);
        assert_int_equal(u.n.outcome->conn_use, 1);
        assert_string_equal(u.n.outcome->host, "mx.test");
        smtp_client_input(u.c, str_of(ends[i]), 0);
        if (!ends[i][0])
            smtp_client_lost(u.c, 0, 0);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_CLOSED);
        assert_false(u.n.is_site_failure);
        smtp_client_free(u.c);
    }
}

static void note_line(void *arg, char direction, struct str line)
{
    buf_printf(arg, "%c ", direction);
    buf_add_str(arg, line);
    buf_add_c(arg, '\n');
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
    assert_played(&sc, &p, "whole", 0);
    play_done(&p);
}

static void the_trace_has_all_but_the_secrets(void **state)
{
    struct scenario sc = {.is_implicit_tls = true,
                          .user = "u",
                          .password = "p",
                          .steps = STEPS({"", "220 mx\r\n"},
                                         {"EHLO me.test\r\n", "250-mx\r\n250 AUTH PLAIN\r\n"},
                                         {"AUTH PLAIN AHUAcA==\r\n", "235-ok\r\n235 in\r\n"},
                                         {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE)};
    struct buf trace = BUF_INIT;
    struct play p;

    (void)state;
    play_init(&p, &sc);
    smtp_client_set_trace(p.c, note_line, &trace);
    play_run(&p);
    assert_string_equal(
        buf_text(&trace),
        "< 220 mx\n> EHLO me.test\n< 250-mx\n< 250 AUTH PLAIN\n> AUTH PLAIN [secret]\n"
        "< 235-ok\n< 235 in\n> MAIL FROM:<a@x.test>\n< 250 ok\n> RCPT TO:<b@y.test>\n< 250 ok\n"
        "> DATA\n< 354 go\n> [7 octets of content] .\n< 250 ok\n> QUIT\n< 221 bye\n");
    play_done(&p);
    buf_done(&trace);
}

static void the_sentence_of_s14_names_the_server(void **state)
{
    struct smtp_client_notice n;
    struct smtp_client_conf conf = {.helo = "me.test",
                                    .host = "relay.test",
                                    .ip = "192.0.2.1",
                                    .port = 587,
                                    .user = "u",
                                    .password = "p",
                                    .timeouts = &smtp_timeouts_rfc};
    struct smtp_client *c = smtp_client_new(&conf, 0);

    (void)state;
    smtp_client_connected(c, 0);
    smtp_client_input(c, STR("220 mx\r\n"), 0);
    assert_int_equal(smtp_client_next(c, &n), SMTP_CLIENT_WAIT);
    smtp_client_sent(c, smtp_client_output(c).n, 0);
    smtp_client_input(c, STR(HELO_BARE), 0);
    assert_int_equal(smtp_client_next(c, &n), SMTP_CLIENT_CLOSED);
    assert_string_equal(
        n.outcome->text,
        "SASL authentication failed; server relay.test[192.0.2.1] offered no "
        "compatible authentication mechanisms for this type of connection security");
    smtp_client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_at_every_stage_ends_as_the_table_says),
        cmocka_unit_test(a_premature_reply_breaks_the_session),
        cmocka_unit_test(content_is_asked_for_only_when_little_is_unsent),
        cmocka_unit_test(the_last_block_is_held_until_it_is_released),
        cmocka_unit_test(loss_before_the_last_block_is_no_doubt),
        cmocka_unit_test(a_reply_before_the_dot_is_final_and_ends_the_session),
        cmocka_unit_test(a_yes_before_the_whole_end_was_sent_is_not_believed),
        cmocka_unit_test(each_wait_has_its_deadline),
        cmocka_unit_test(a_trickled_reply_does_not_move_the_deadline),
        cmocka_unit_test(an_idle_close_is_free_once_the_connection_was_used),
        cmocka_unit_test(replies_injected_behind_starttls_are_dropped),
        cmocka_unit_test(the_trace_has_all_but_the_secrets),
        cmocka_unit_test(the_sentence_of_s14_names_the_server),
        cmocka_unit_test(sessions_go_as_the_tables_say),
        cmocka_unit_test(security_goes_as_the_tables_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
