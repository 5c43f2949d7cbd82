/* SPDX-License-Identifier: ISC */
/*
 * What a server takes at most: recipients over its limit are postponed to the next transaction (RFC
 * 5321 4.5.3.1.10, RFC 9422), messages over it to the next session. And servers that are ourselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/smtp/fake_server.h"

#define RCPT_D "RCPT TO:<d@y.test>\r\n"
#define HELO_LIMITS(limits)                                                                        \
    {"", "220 mx\r\n"},                                                                            \
    {                                                                                              \
        "EHLO me.test\r\n", "250-mx.test\r\n250-PIPELINING\r\n250 " limits "\r\n"                  \
    }

static const struct scenario limits[] = {
    /* "too many" behind accepted ones, however it is said */
    {.name = "452 4.5.3 behind an accepted one",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "452 4.5.3 too many\r\n" GO},
                    {HELLO, OK}, BYE),
     .want = "END\nLATER c@y.test\n" SENT CLOSED},
    {.name = "552 5.5.3 is the same (RFC 5321 4.5.3.1.10)",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "552 5.5.3 too many\r\n" GO},
                    {HELLO, OK}, BYE),
     .want = "END\nLATER c@y.test\n" SENT CLOSED},
    {.name = "452 without an enhanced code, 552 without one",
     .rcpts = 3,
     .steps =
         STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C RCPT_D DATA, OK OK "452 full\r\n552 full\r\n" GO},
               {HELLO, OK}, BYE),
     .want = "END\nLATER c@y.test\nLATER d@y.test\n" SENT CLOSED},
    {.name = "550 5.5.3, as Gmail has it",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "550-5.5.3 too\r\n550 x\r\n" GO},
                    {HELLO, OK}, BYE),
     .want = "END\nLATER c@y.test\n" SENT CLOSED},
    {.name = "one that is accepted behind a 452 goes with the transaction",
     .rcpts = 3,
     .steps =
         STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C RCPT_D DATA, OK OK "452 4.5.3 too many\r\n" OK GO},
               {HELLO, OK}, BYE),
     .want = "END\nLATER c@y.test\n" SENT CLOSED},
    {.name = "one at a time: after the 452 no more are offered",
     .rcpts = 3,
     .steps = STEPS(UP_BARE, {MAIL, OK}, {RCPT_B, OK}, {RCPT_C, "452 4.5.3 too many\r\n"},
                    {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\nLATER c@y.test\nLATER d@y.test\n" SENT CLOSED},
    {.name = "what it took once is what the next transaction offers",
     .rcpts = 3,
     .txns = 2,
     .is_waiting = true,
     .steps =
         STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C RCPT_D DATA, OK OK OK "452 4.5.3 too many\r\n" GO},
               {HELLO, OK}, {MAIL_7 RCPT_B RCPT_C DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\nLATER d@y.test\n" SENT
             "END\nLATER d@y.test\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "452 4.5.3 for the first one is its answer",
     .rcpts = 2,
     .steps = STEPS(UP_FULL,
                    {MAIL_7 RCPT_B RCPT_C DATA,
                     OK "452 4.5.3 too many\r\n552 5.5.3 too many\r\n554 5.5.1 nobody\r\n"},
                    BYE),
     .want = "RCPT b@y.test deferred rcpt 452 4.5.3\nRCPT c@y.test deferred rcpt 552 4.5.3\n"
             "DONE1 deferred rcpt 552 4.5.3\n" CLOSED},
    {.name = "a full mailbox is its owner's affair, also as 552",
     .rcpts = 3,
     .steps = STEPS(
         UP_FULL,
         {MAIL_7 RCPT_B RCPT_C RCPT_D DATA, OK OK "452 4.2.2 full\r\n552 5.2.2 over quota\r\n" GO},
         {HELLO, OK}, BYE),
     .want = "RCPT c@y.test deferred rcpt 452 4.2.2\nRCPT d@y.test deferred rcpt 552 4.2.2\n"
             "END\n" SENT CLOSED},
    {.name = "552 for the only one: deferred, whatever it says",
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B DATA, OK "552 5.2.2 over quota\r\n554 no\r\n"}, BYE),
     .want = "RCPT b@y.test deferred rcpt 552 4.2.2\nDONE1 deferred rcpt 552 4.2.2\n" CLOSED},

    /* LIMITS */
    {.name = "no more recipients than RCPTMAX",
     .rcpts = 3,
     .steps = STEPS(HELO_LIMITS("LIMITS RCPTMAX=2 MAILMAX=9"),
                    {MAIL RCPT_B RCPT_C DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\nLATER d@y.test\n" SENT CLOSED},
    {.name = "limits in any case, unknown ones, and nonsense",
     .rcpts = 3,
     .steps = STEPS(HELO_LIMITS("limits Foo RCPTDOMAINMAX=1 rcptmax=x RcptMax=2 X=7 MAILMAX="),
                    {MAIL RCPT_B RCPT_C DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\nLATER d@y.test\n" SENT CLOSED},
    {.name = "zero is no limit that a server can mean",
     .rcpts = 3,
     .steps = STEPS(HELO_LIMITS("LIMITS RCPTMAX=0 MAILMAX=0"),
                    {MAIL RCPT_B RCPT_C RCPT_D DATA, OK OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "LIMITS without any",
     .rcpts = 2,
     .steps =
         STEPS(HELO_LIMITS("LIMITS"), {MAIL RCPT_B RCPT_C DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "forgotten behind STARTTLS (RFC 3207 4.2)",
     .tls = TLS_LEVEL_OPPORTUNISTIC,
     .rcpts = 2,
     .steps =
         STEPS({"", "220 mx\r\n"},
               {"EHLO me.test\r\n", "250-mx\r\n250-LIMITS RCPTMAX=1\r\n250 STARTTLS\r\n"},
               {"STARTTLS\r\n", "220 go\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 PIPELINING\r\n"},
               {MAIL RCPT_B RCPT_C DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "TLS\nEND\n" SENT CLOSED},
    {.name = "no more messages than MAILMAX: QUIT by itself",
     .txns = 2,
     .steps =
         STEPS(HELO_LIMITS("LIMITS MAILMAX=1"), {MAIL RCPT_B DATA, OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "MAILMAX counts the one that stands behind",
     .txns = 3,
     .steps = STEPS(HELO_LIMITS("LIMITS MAILMAX=2"), {MAIL RCPT_B DATA, OK OK GO},
                    {HELLO MAIL RCPT_B DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},

    /* whose outcome it is */
    {.name = "the others were refused: the postponed one is still to be asked",
     .rcpts = 2,
     .steps = STEPS(HELO_LIMITS("LIMITS RCPTMAX=1"),
                    {MAIL RCPT_B DATA, OK "550 5.1.1 who\r\n554 5.5.1 nobody\r\n"}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nLATER c@y.test\n"
             "DONE1 failed rcpt 550 5.1.1\n" CLOSED},
    {.name = "MAIL was refused: that is about the message",
     .rcpts = 2,
     .steps = STEPS(HELO_LIMITS("LIMITS RCPTMAX=1"),
                    {MAIL RCPT_B DATA, "550 5.7.1 no\r\n503 no\r\n503 no\r\n"}, BYE),
     .want = "DONE1 failed mail 550 5.7.1\n" CLOSED},
    {.name = "DATA was refused for good: who was not offered does not fail",
     .rcpts = 2,
     .steps =
         STEPS(HELO_LIMITS("LIMITS RCPTMAX=1"), {MAIL RCPT_B DATA, OK OK "554 5.7.1 no\r\n"}, BYE),
     .want = "LATER c@y.test\nDONE1 failed data 554 5.7.1\n" CLOSED},
    {.name = "the end of data was refused for good: nor here",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "452 4.5.3 too many\r\n" GO},
                    {HELLO, "554 5.7.1 spam\r\n"}, BYE),
     .want = "END\nLATER c@y.test\nDONE1 failed eod 554 5.7.1\n" CLOSED},
    {.name = "the end of data was put off: all wait, and the server has its peace",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "452 4.5.3 too many\r\n" GO},
                    {HELLO, "451 4.3.0 later\r\n"}, BYE),
     .want = "END\nDONE1 deferred eod 451 4.3.0\n" CLOSED},
    {.name = "lost behind the end of data: only who was sent to is unconfirmed",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "452 4.5.3 too many\r\n" GO},
                    {HELLO, "\1"}),
     .want = "END\nLATER c@y.test\nDONE1 unconfirmed eod 4.4.2 lost\n"
             "CLOSED deferred eod 4.4.2 lost site\n"},
    {.name = "lost before it: all go to the next host",
     .rcpts = 2,
     .steps = STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "452 4.5.3 too many\r\n\1"}),
     .want = "DONE1 deferred data 4.4.2 lost site\nCLOSED deferred data 4.4.2 lost site\n"},
    {.name = "421 behind it: all go to the next host",
     .rcpts = 2,
     .steps =
         STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "452 4.5.3 too many\r\n421 bye\r\n"}),
     .want = "DONE1 deferred data 421 4.0.0 site\nCLOSED deferred data 421 4.0.0 site\n"},
    {.name = "our own trouble at the end is everybody's",
     .rcpts = 2,
     .is_abandoned = true,
     .steps =
         STEPS(UP_FULL, {MAIL_7 RCPT_B RCPT_C DATA, OK OK "452 4.5.3 too many\r\n" GO}, {"", NULL}),
     .want = "END\nDONE1 deferred local\nCLOSED deferred local\n"},
};

/* RFC 5321 5.1, engine.md 2.1.6 */
static const struct scenario loops[] = {
    {.name = "the greeting bears our name",
     .finds_loops = true,
     .steps = STEPS({"", "220 ME.test ESMTP\r\n"}, {"QUIT\r\n", NULL}),
     .want = "CLOSED failed greeting 5.4.6 loop site\n"},
    {.name = "the reply to EHLO does",
     .finds_loops = true,
     .steps = STEPS({"", "220 mx.test\r\n"},
                    {"EHLO me.test\r\n", "250-me.test hello\r\n250 DSN\r\n"}, {"QUIT\r\n", NULL}),
     .want = "CLOSED failed ehlo 5.4.6 loop site\n"},
    {.name = "the reply to HELO does",
     .finds_loops = true,
     .steps = STEPS({"", "220 mx.test\r\n"}, {"EHLO me.test\r\n", "502 5.5.1 no\r\n"},
                    {"HELO me.test\r\n", "250 me.test\r\n"}, {"QUIT\r\n", NULL}),
     .want = "CLOSED failed ehlo 5.4.6 loop site\n"},
    {.name = "a longer name is another's, and ours in the text is a greeting",
     .finds_loops = true,
     .steps = STEPS({"", "220 me.test.example hello me.test\r\n"},
                    {"EHLO me.test\r\n", "250 mx.test greets me.test\r\n"}, {MAIL, OK},
                    {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "a refusal is a refusal, whoever says it",
     .finds_loops = true,
     .steps = STEPS({"", "554 me.test no\r\n"}, {"QUIT\r\n", NULL}),
     .want = "CLOSED deferred greeting 554 4.0.0 site\n"},
    {.name = "where loops are not looked for, a name is a name",
     .steps = STEPS({"", "220 me.test\r\n"}, {"EHLO me.test\r\n", "250 me.test\r\n"}, {MAIL, OK},
                    {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
};

static void limits_are_kept_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        play_every_way(&limits[i]);
}

static void loops_are_found_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(loops); i++)
        play_every_way(&loops[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_kept_as_the_table_says),
        cmocka_unit_test(loops_are_found_as_the_table_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
