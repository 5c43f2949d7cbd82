/* SPDX-License-Identifier: ISC */
/* Content and time: what is asked for, held back and waited for; the trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "tests/unit/smtp/fake_server.h"

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

/* Our own trouble with the content: what was sent must not look complete to the server, so the
 * connection goes without another octet. */
static void content_that_breaks_off_is_never_ended(void **state)
{
    (void)state;
    for (int is_held = 0; is_held < 2; is_held++) {
        struct upload u;
        struct outcome o;
        upload_start(&u);
        smtp_client_body(u.c, STR("hello\r\n"), is_held, 0);
        outcome_init(&o, OUTCOME_DEFERRED, STAGE_LOCAL);
        smtp_client_abandon(u.c, &o, 0);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_DONE);
        assert_int_equal(u.n.outcome->stage, STAGE_LOCAL);
        assert_false(u.n.is_site_failure);
        assert_int_equal(upload_next(&u), SMTP_CLIENT_CLOSED);
        assert_int_equal(smtp_client_output(u.c).n, 0);
        smtp_client_free(u.c);
    }
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
        cmocka_unit_test(content_is_asked_for_only_when_little_is_unsent),
        cmocka_unit_test(the_last_block_is_held_until_it_is_released),
        cmocka_unit_test(loss_before_the_last_block_is_no_doubt),
        cmocka_unit_test(a_reply_before_the_dot_is_final_and_ends_the_session),
        cmocka_unit_test(a_yes_before_the_whole_end_was_sent_is_not_believed),
        cmocka_unit_test(content_that_breaks_off_is_never_ended),
        cmocka_unit_test(each_wait_has_its_deadline),
        cmocka_unit_test(a_trickled_reply_does_not_move_the_deadline),
        cmocka_unit_test(an_idle_close_is_free_once_the_connection_was_used),
        cmocka_unit_test(the_trace_has_all_but_the_secrets),
        cmocka_unit_test(the_sentence_of_s14_names_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
