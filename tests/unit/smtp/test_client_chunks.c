/* SPDX-License-Identifier: ISC */
/* Content in chunks (RFC 3030): BDAT in place of DATA, a reply to each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "tests/unit/smtp/fake_server.h"

#define LARGE (2u * 1024 * 1024)
#define UP_CHUNKS                                                                                  \
    {"", "220 mx\r\n"},                                                                            \
    {                                                                                              \
        "EHLO me.test\r\n", "250-mx.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n"                    \
    }
#define TWO_LINES   "hello\r\nworld\r\n"
#define FIRST_CHUNK "BDAT 7\r\nhello\r\n"
#define LAST_CHUNK  "BDAT 7 LAST\r\nworld\r\n"
#define DISCARDED   "551 5.0.0 Discarded 7 bytes after earlier error\r\n"

static const struct scenario chunks[] = {
    {.name = "a large message in two chunks",
     .size_bytes = LARGE,
     .body = TWO_LINES,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, OK}, {LAST_CHUNK, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "in one: octets as they are, dots and all",
     .size_bytes = LARGE,
     .body = ".\r\n..x\r\n\r\n.",
     .piece = 100,
     .steps =
         STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {"BDAT 11 LAST\r\n.\r\n..x\r\n\r\n.", OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "a small message goes by DATA",
     .size_bytes = 1024 * 1024,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B DATA, OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "and a large one where a chunk would cost a round trip",
     .size_bytes = LARGE,
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 CHUNKING\r\n"},
                    {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},
    {.name = "or is not offered",
     .size_bytes = LARGE,
     .steps = STEPS({"", "220 mx\r\n"}, {"EHLO me.test\r\n", "250-mx\r\n250 PIPELINING\r\n"},
                    {MAIL RCPT_B DATA, OK OK GO}, {HELLO, OK}, BYE),
     .want = "END\n" SENT CLOSED},

    /* recipients */
    {.name = "one of two recipients is refused",
     .size_bytes = LARGE,
     .rcpts = 2,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B RCPT_C, OK "550 5.1.1 who\r\n" OK},
                    {"BDAT 7 LAST\r\nhello\r\n", OK}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nEND\n" SENT CLOSED},
    {.name = "all are refused: no content, and RSET before the next",
     .size_bytes = LARGE,
     .later_size_bytes = 7,
     .txns = 2,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK "550 5.1.1 who\r\n"},
                    {"RSET\r\n" MAIL RCPT_B DATA, OK OK OK GO}, {HELLO, OK}, BYE),
     .want = "RCPT b@y.test failed rcpt 550 5.1.1\nDONE1 failed rcpt 550 5.1.1\n"
             "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "too many recipients: the rest later",
     .size_bytes = LARGE,
     .rcpts = 2,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B RCPT_C, OK OK "452 4.5.3 too many\r\n"},
                    {"BDAT 7 LAST\r\nhello\r\n", OK}, BYE),
     .want = "END\nLATER c@y.test\n" SENT CLOSED},

    /* the next transaction */
    {.name = "nothing begins behind chunks before they are answered",
     .size_bytes = LARGE,
     .txns = 2,
     .body = TWO_LINES,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, OK}, {LAST_CHUNK, OK},
                    {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, OK}, {LAST_CHUNK, OK}, BYE),
     .want = "END\n" SENT "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "chunks behind a message that went by DATA",
     .later_size_bytes = LARGE,
     .txns = 2,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B DATA, OK OK GO}, {HELLO MAIL RCPT_B, OK OK OK},
                    {"BDAT 7 LAST\r\nhello\r\n", OK}, BYE),
     .want = "END\n" SENT "END\nDONE2 delivered eod 250 2.0.0\n" CLOSED},

    /* refusals (RFC 3030 2) */
    {.name = "a chunk is refused: the last one stays here, and RSET",
     .size_bytes = LARGE,
     .later_size_bytes = 7,
     .txns = 2,
     .body = TWO_LINES,
     .piece = 7,
     .steps =
         STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, "552 5.3.4 too big\r\n"},
               {"RSET\r\n" MAIL RCPT_B DATA, OK OK OK GO}, {"hello\r\nworld\r\n.\r\n", OK}, BYE),
     .want = "DONE1 failed body 552 5.3.4\nEND\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "two are in the pipe when the first is refused: one outcome",
     .size_bytes = LARGE,
     .body = TWO_LINES "again\r\n",
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK},
                    {FIRST_CHUNK "BDAT 7\r\nworld\r\n", "451 4.3.0 disk\r\n" DISCARDED}, BYE),
     .want = "DONE1 deferred body 451 4.3.0\n" CLOSED},
    {.name = "the second is taken all the same: half a message is none",
     .size_bytes = LARGE,
     .body = TWO_LINES "again\r\n",
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK},
                    {FIRST_CHUNK "BDAT 7\r\nworld\r\n", "451 4.3.0 disk\r\n" OK}, BYE),
     .want = "DONE1 deferred body 451 4.3.0\n" CLOSED},
    {.name = "a chunk is refused, then the connection is lost: refused",
     .size_bytes = LARGE,
     .body = TWO_LINES "again\r\n",
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK},
                    {FIRST_CHUNK "BDAT 7\r\nworld\r\n", "552 5.3.4 too big\r\n\3"}),
     .want = "DONE1 failed body 552 5.3.4\nCLOSED deferred body 4.4.2 lost site\n"},
    {.name = "the last one is refused",
     .size_bytes = LARGE,
     .later_size_bytes = 7,
     .txns = 2,
     .body = TWO_LINES,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, OK},
                    {LAST_CHUNK, "554 5.7.1 spam\r\n"}, {"RSET\r\n" MAIL RCPT_B DATA, OK OK OK GO},
                    {"hello\r\nworld\r\n.\r\n", OK}, BYE),
     .want = "END\nDONE1 failed eod 554 5.7.1\nEND\nDONE2 delivered eod 250 2.0.0\n" CLOSED},
    {.name = "421 in the middle",
     .size_bytes = LARGE,
     .body = TWO_LINES,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, "421 4.3.2 bye\r\n"}),
     .want = "DONE1 deferred body 421 4.3.2 site\nCLOSED deferred body 421 4.3.2 site\n"},
    {.name = "neither yes nor no",
     .size_bytes = LARGE,
     .body = TWO_LINES,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, "354 more\r\n"}),
     .want = "DONE1 deferred body 4.5.0 protocol-error site\n"
             "CLOSED deferred body 4.5.0 protocol-error site\n"},

    /* the end */
    {.name = "lost behind the last chunk: may have been delivered",
     .size_bytes = LARGE,
     .body = TWO_LINES,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, OK}, {LAST_CHUNK, "\1"}),
     .want = "END\nDONE1 unconfirmed eod 4.4.2 lost\nCLOSED deferred eod 4.4.2 lost site\n"},
    {.name = "silence behind it",
     .size_bytes = LARGE,
     .body = TWO_LINES,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, OK}, {LAST_CHUNK, "\2"}),
     .want = "END\nDONE1 unconfirmed eod 4.4.2 timeout\nCLOSED deferred eod 4.4.2 timeout site\n"},
    {.name = "silence before it: nothing is in doubt",
     .size_bytes = LARGE,
     .body = TWO_LINES,
     .piece = 7,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, "\2"}),
     .want = "DONE1 deferred body 4.4.2 timeout site\nCLOSED deferred body 4.4.2 timeout site\n"},
    {.name = "our own trouble at the end: the last chunk never leaves",
     .size_bytes = LARGE,
     .body = TWO_LINES,
     .piece = 7,
     .is_abandoned = true,
     .steps = STEPS(UP_CHUNKS, {MAIL RCPT_B, OK OK}, {FIRST_CHUNK, OK}, {"", NULL}),
     .want = "END\nDONE1 deferred local\nCLOSED deferred local\n"},
};

static void chunks_go_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++)
        play_every_way(&chunks[i]);
}

/* A session whose recipient is accepted, and whose content is asked for. */
struct upload {
    struct smtp_client *c;
    struct smtp_txn txn;
    struct smtp_rcpt rcpt;
    struct smtp_client_notice n;
};

static void flush(struct upload *u)
{
    smtp_client_sent(u->c, smtp_client_output(u->c).n, 0);
}

static enum smtp_client_event next(struct upload *u)
{
    return smtp_client_next(u->c, &u->n);
}

static enum smtp_client_event say(struct upload *u, const char *text)
{
    smtp_client_input(u->c, str_of(text), 0);
    return next(u);
}

static void start(struct upload *u)
{
    static const struct smtp_client_conf conf = {.helo = "me.test",
                                                 .host = "mx.test",
                                                 .ip = "192.0.2.1",
                                                 .port = 25,
                                                 .timeouts = &smtp_timeouts_rfc};

    *u = (struct upload){.c = smtp_client_new(&conf, 0)};
    u->rcpt = (struct smtp_rcpt){.address = "b@y.test", .orcpt = ""};
    u->txn = (struct smtp_txn){.reverse_path = "a@x.test",
                               .envid = "",
                               .size_bytes = LARGE,
                               .rcpts = &u->rcpt,
                               .rcpts_n = 1};
    smtp_client_connected(u->c, 0);
    assert_int_equal(say(u, "220 mx\r\n"), SMTP_CLIENT_WAIT);
    flush(u);
    assert_int_equal(say(u, "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"), SMTP_CLIENT_READY);
    smtp_client_begin(u->c, &u->txn, 0);
    flush(u);
    assert_int_equal(say(u, OK OK), SMTP_CLIENT_NEED_BODY);
}

static void give(struct upload *u, const char *text, bool is_last)
{
    smtp_client_body(u->c, str_of(text), is_last, 0);
}

static void assert_output(const struct upload *u, const char *want)
{
    struct str out = smtp_client_output(u->c);
    char *have = str_dup(out);

    assert_string_equal(have, want);
    free(have);
}

static void an_empty_last_piece_is_a_chunk_of_none(void **state)
{
    struct upload u;

    (void)state;
    start(&u);
    give(&u, "hello\r\n", false);
    assert_int_equal(next(&u), SMTP_CLIENT_NEED_BODY);
    give(&u, "", true);
    assert_int_equal(next(&u), SMTP_CLIENT_WAIT);
    assert_output(&u, FIRST_CHUNK);
    flush(&u);
    assert_int_equal(smtp_client_deadline(u.c), 10 * MINUTE_MS);
    assert_int_equal(say(&u, OK), SMTP_CLIENT_AT_END);
    assert_true(smtp_client_deadline(u.c) == INT64_MAX); /* our own store is waited for */
    smtp_client_release(u.c, 0);
    assert_output(&u, "BDAT 0 LAST\r\n");
    flush(&u);
    assert_int_equal(say(&u, OK), SMTP_CLIENT_DONE);
    assert_int_equal(u.n.outcome->class, OUTCOME_DELIVERED);
    smtp_client_free(u.c);
}

/* The last one is held until the others are taken: now it never leaves, and a release finds nothing. */
static void a_refusal_takes_back_the_held_chunk(void **state)
{
    struct upload u;

    (void)state;
    start(&u);
    give(&u, "hello\r\n", false);
    assert_int_equal(next(&u), SMTP_CLIENT_NEED_BODY);
    give(&u, "world\r\n", true);
    assert_int_equal(next(&u), SMTP_CLIENT_WAIT);
    flush(&u);
    assert_int_equal(say(&u, "452 4.3.1 disk\r\n"), SMTP_CLIENT_DONE);
    assert_int_equal(u.n.outcome->class, OUTCOME_DEFERRED);
    assert_int_equal(u.n.outcome->stage, STAGE_BODY);
    assert_false(u.n.is_site_failure);
    smtp_client_release(u.c, 0);
    assert_int_equal(next(&u), SMTP_CLIENT_READY);
    assert_output(&u, "");
    smtp_client_begin(u.c, &u.txn, 0);
    assert_output(&u, "RSET\r\n" MAIL RCPT_B);
    smtp_client_free(u.c);
}

/* RFC 3030 2: what is in the pipe is answered, and no more is sent. */
static void a_refusal_in_the_middle_asks_for_no_more_and_waits_for_all_replies(void **state)
{
    struct upload u;

    (void)state;
    start(&u);
    give(&u, "hello\r\n", false);
    assert_int_equal(next(&u), SMTP_CLIENT_NEED_BODY);
    give(&u, "world\r\n", false);
    assert_int_equal(next(&u), SMTP_CLIENT_NEED_BODY);
    flush(&u);
    assert_int_equal(say(&u, "552 5.3.4 too big\r\n"), SMTP_CLIENT_WAIT);
    assert_int_equal(smtp_client_deadline(u.c), 10 * MINUTE_MS);
    give(&u, "late\r\n", true); /* it was being read when the refusal came */
    assert_output(&u, "");
    assert_int_equal(smtp_client_deadline(u.c), 10 * MINUTE_MS);
    assert_int_equal(say(&u, DISCARDED), SMTP_CLIENT_DONE);
    assert_int_equal(u.n.outcome->code, 552);
    assert_int_equal(next(&u), SMTP_CLIENT_READY);
    smtp_client_free(u.c);
}

static void a_yes_before_the_chunk_was_sent_is_not_believed(void **state)
{
    struct upload u;

    (void)state;
    start(&u);
    give(&u, "hello\r\n", false);
    assert_int_equal(next(&u), SMTP_CLIENT_NEED_BODY);
    smtp_client_sent(u.c, strlen(FIRST_CHUNK) - 1, 0);
    assert_int_equal(say(&u, OK), SMTP_CLIENT_DONE);
    assert_string_equal(u.n.outcome->tag, "protocol-error");
    assert_true(u.n.is_site_failure);
    assert_int_equal(next(&u), SMTP_CLIENT_CLOSED);
    smtp_client_free(u.c);
}

/* A server that reads and does not answer: it is waited for, not filled. */
static void content_stops_when_many_chunks_are_unanswered(void **state)
{
    struct upload u;
    unsigned given = 0;

    (void)state;
    start(&u);
    do {
        give(&u, "hello\r\n", false);
        flush(&u);
        given++;
    } while (next(&u) == SMTP_CLIENT_NEED_BODY);
    assert_int_equal(given, 16);
    assert_int_equal(smtp_client_deadline(u.c), 10 * MINUTE_MS);
    assert_int_equal(say(&u, OK), SMTP_CLIENT_NEED_BODY);
    assert_true(smtp_client_deadline(u.c) == INT64_MAX);
    give(&u, "world\r\n", true);
    for (unsigned i = 0; i < 14; i++)
        assert_int_equal(say(&u, OK), SMTP_CLIENT_WAIT);
    assert_int_equal(say(&u, OK), SMTP_CLIENT_AT_END);
    smtp_client_release(u.c, 0);
    flush(&u);
    assert_int_equal(say(&u, OK), SMTP_CLIENT_DONE);
    assert_int_equal(u.n.outcome->class, OUTCOME_DELIVERED);
    smtp_client_free(u.c);
}

static void loss_before_the_last_chunk_is_no_doubt(void **state)
{
    struct upload u;

    (void)state;
    for (size_t touched = 0; touched < 2; touched++) {
        start(&u);
        give(&u, "hello\r\n", true);
        assert_int_equal(next(&u), SMTP_CLIENT_AT_END);
        smtp_client_release(u.c, 0);
        smtp_client_sent(u.c, touched, 0);
        smtp_client_lost(u.c, 0, 0);
        assert_int_equal(next(&u), SMTP_CLIENT_DONE);
        assert_int_equal(u.n.outcome->class, touched ? OUTCOME_UNCONFIRMED : OUTCOME_DEFERRED);
        smtp_client_free(u.c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_go_as_the_table_says),
        cmocka_unit_test(an_empty_last_piece_is_a_chunk_of_none),
        cmocka_unit_test(a_refusal_takes_back_the_held_chunk),
        cmocka_unit_test(a_refusal_in_the_middle_asks_for_no_more_and_waits_for_all_replies),
        cmocka_unit_test(a_yes_before_the_chunk_was_sent_is_not_believed),
        cmocka_unit_test(content_stops_when_many_chunks_are_unanswered),
        cmocka_unit_test(loss_before_the_last_chunk_is_no_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
