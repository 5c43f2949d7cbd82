/* SPDX-License-Identifier: ISC */
/*
 * Every fault at every stage of a session: refusals, losses, time-outs, and what is no SMTP.
 *
 * Dovecot's catalogue (test-smtp-client-errors.c), and where its cases are: connection lost (at once,
 * in a command), bad greeting, bad, partial, unexpected and premature reply, command timed out, end
 * of the client in the middle: here. Early reply to the content, content that breaks off: _flow.
 * Failed authentication: _auth. As scenarios, since it takes a resolver or a connection: host and DNS
 * failures (ending_lookup_*, ending_no_domain), connection refused and timed out (ending_refused,
 * ending_timeout), certificate not valid (relay_certificate_that_is_not_right).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/smtp/fake_server.h"

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

/* The driver may go at any time, whatever is under way. */
static void a_session_may_be_freed_at_every_stage(void **state)
{
    (void)state;
    for (size_t stage = 0; stage <= ARRAY_LEN(whole_session); stage++) {
        struct step steps[ARRAY_LEN(whole_session) + 1] = {{NULL, NULL}};
        struct play p;
        memcpy(steps, whole_session, stage * sizeof(steps[0]));
        struct scenario sc = {.name = "freed",
                              .tls = TLS_LEVEL_REQUIRED,
                              .user = "u",
                              .password = "p",
                              .steps = steps};
        play_init(&p, &sc);
        play_run(&p);
        assert_int_equal(p.is_closed, stage == ARRAY_LEN(whole_session));
        play_done(&p);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_at_every_stage_ends_as_the_table_says),
        cmocka_unit_test(a_session_may_be_freed_at_every_stage),
        cmocka_unit_test(a_premature_reply_breaks_the_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
