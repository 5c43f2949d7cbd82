/* SPDX-License-Identifier: ISC */
/* Lines of the delivery log: as Postfix writes them, and safe to read back. */
#include "tests/unit/unit.h"
#include <errno.h>
#include "core/base/rng.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"

#define ID INT64_C(912345678901234567)

static const char *qid(void)
{
    static char text[ID_TEXT_MAX];
    return id_text(ID, text);
}

/* Checks that the line begins with our id, and compares the rest. */
static void expect(const char *row, struct buf *line, const char *want)
{
    struct buf whole = BUF_INIT;
    buf_printf(&whole, "%s: %s", qid(), want);
    row_text(row, buf_text(line), buf_text(&whole));
    buf_done(&whole);
    buf_done(line);
}

static void set_peer(struct outcome *o)
{
    str_copy(STR("mx.example.com"), o->host, sizeof(o->host));
    str_copy(STR("192.0.2.1"), o->ip, sizeof(o->ip));
    o->port = 25;
}

static void delivery_is_written_as_postfix_does(void **state)
{
    (void)state;
    struct outcome o;
    struct buf line = BUF_INIT;
    const struct delays d = {100, 4, 500, 600};
    outcome_from_reply(&o, STAGE_EOD, 250, STR("2.0.0"), STR("Ok: queued as 4Q1"));
    set_peer(&o);
    logline_attempt(&line, ID, "bob@example.com", "", &o, LOG_SENT, &d, 1204);
    expect("plain", &line,
           "to=<bob@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=1.2, "
           "delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4Q1)");
    o.conn_use = 3;
    o.tls.state = TLS_ENCRYPTED;
    logline_attempt(&line, ID, "bob@example.com", "rfc822;Robert@example.net", &o, LOG_SENT, &d,
                    1204);
    expect("with everything", &line,
           "to=<bob@example.com>, orig_to=<Robert@example.net>, "
           "relay=mx.example.com[192.0.2.1]:25, conn_use=3, delay=1.2, delays=0.1/0/0.5/0.6, "
           "tls=encrypted, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4Q1)");
    o.conn_use = 1;
    o.tls.state = TLS_VERIFIED;
    logline_attempt(&line, ID, "bob@example.com", "rfc822;bob@example.com", &o, LOG_SENT, &d, 1204);
    expect("same original address", &line,
           "to=<bob@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=1.2, "
           "delays=0.1/0/0.5/0.6, tls=verified, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as "
           "4Q1)");
}

static void failure_before_a_connection_has_no_relay(void **state)
{
    (void)state;
    struct outcome o;
    struct buf line = BUF_INIT;
    const struct delays d = {10, 0, 30000, 0};
    outcome_from_errno(&o, STAGE_CONNECT, ETIMEDOUT);
    set_peer(&o);
    logline_attempt(&line, ID, "bob@example.com", "", &o, LOG_DEFERRED, &d, 30010);
    expect("connect", &line,
           "to=<bob@example.com>, relay=none, delay=30, delays=0.01/0/30/0, dsn=4.4.1, "
           "status=deferred (connect to mx.example.com[192.0.2.1]:25: Connection timed out)");
    outcome_from_dns(&o, DNS_TEMP, "MX", "example.com");
    logline_attempt(&line, ID, "bob@example.com", "", &o, LOG_DEFERRED, &d, 30010);
    expect("dns", &line,
           "to=<bob@example.com>, relay=none, delay=30, delays=0.01/0/30/0, dsn=4.4.3, "
           "status=deferred (Host or domain name not found. Name service error for "
           "name=example.com type=MX: Host not found, try again)");
}

static const struct {
    int64_t ms;
    const char *want;
} second_rows[] = {
    {0, "0"},      {4, "0"},        {5, "0.01"},           {10, "0.01"},
    {55, "0.06"},  {100, "0.1"},    {120, "0.12"},         {994, "0.99"},
    {995, "1"},    {1000, "1"},     {1049, "1"},           {1050, "1.1"},
    {1204, "1.2"}, {9949, "9.9"},   {9950, "10"},          {10499, "10"},
    {10500, "11"}, {345400, "345"}, {432000000, "432000"}, {-1, "0"},
    {-99999, "0"},
};

static void delays_have_two_digits_and_are_never_negative(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(second_rows); i++) {
        struct outcome o;
        struct buf line = BUF_INIT;
        struct str got;
        const struct delays d = {second_rows[i].ms, 0, 0, 0};
        outcome_init(&o, OUTCOME_DEFERRED, STAGE_NONE);
        logline_attempt(&line, ID, "a@b.example", "", &o, LOG_DEFERRED, &d, second_rows[i].ms);
        assert_true(logline_field(buf_str(&line), "delay", &got));
        row_str(second_rows[i].want, got, str_of(second_rows[i].want));
        assert_true(logline_field(buf_str(&line), "delays", &got));
        assert_true(str_starts(got, str_of(second_rows[i].want)));
        buf_done(&line);
    }
}

static void accepted_and_removed_frame_the_life_of_a_message(void **state)
{
    (void)state;
    struct message m = {.id = ID, .size_bytes = 4711};
    struct buf line = BUF_INIT;
    str_copy(STR("ann@example.org"), m.reverse_path, sizeof(m.reverse_path));
    logline_accepted(&line, &m, 2);
    expect("accepted", &line, "from=<ann@example.org>, size=4711, nrcpt=2 (queue active)");
    m.reverse_path[0] = '\0';
    logline_accepted(&line, &m, 1);
    expect("null path", &line, "from=<>, size=4711, nrcpt=1 (queue active)");
    logline_removed(&line, ID);
    expect("removed", &line, "removed");
}

static void refusal_at_the_intake_has_no_queue_id(void **state)
{
    (void)state;
    struct buf line = BUF_INIT;
    logline_reject(&line, "RCPT", "app", "127.0.0.1", 554,
                   "5.7.1 <b@c.example>: Relay access denied", "a@b.example", "b@c.example",
                   "app.example");
    assert_string_equal(buf_text(&line),
                        "NOQUEUE: reject: RCPT from app[127.0.0.1]: 554 5.7.1 <b@c.example>: Relay "
                        "access denied; from=<a@b.example> to=<b@c.example> proto=ESMTP "
                        "helo=<app.example>");
    assert_int_equal(logline_status(buf_str(&line)), LOG_REJECTED);
    buf_clear(&line);
    logline_reject(&line, "MAIL", "x\ny", "127.0.0.1", 501, "5.1.7 bad\r\nid: to=<>", "\033[0m", "",
                   "a\rb");
    assert_string_equal(buf_text(&line),
                        "NOQUEUE: reject: MAIL from x?y[127.0.0.1]: 501 5.1.7 bad id: to=<>; "
                        "from=<^[[0m> proto=ESMTP helo=<a^Mb>");
    buf_done(&line);
}

static void syslog_form_names_the_part_by_which_tools_select(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"BBB: to=<a@b.example>, relay=none, dsn=4.4.1, status=deferred (x)",
         "Nov 24 08:02:14 mail mxhelmd/smtp: BBB: to=<a@b.example>, relay=none, dsn=4.4.1, "
         "status=deferred (x)"},
        {"BBB: from=<a@b.example>, size=1, nrcpt=1 (queue active)",
         "Nov 24 08:02:14 mail mxhelmd/qmgr: BBB: from=<a@b.example>, size=1, nrcpt=1 (queue "
         "active)"},
        {"BBB: removed", "Nov 24 08:02:14 mail mxhelmd/qmgr: BBB: removed"},
        {"NOQUEUE: reject: RCPT from x[::1]: 554 no; from=<> to=<a> proto=ESMTP helo=<x>",
         "Nov 24 08:02:14 mail mxhelmd/smtpd: NOQUEUE: reject: RCPT from x[::1]: 554 no; from=<> "
         "to=<a> proto=ESMTP helo=<x>"},
        {"", "Nov 24 08:02:14 mail mxhelmd/qmgr: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;
        logline_syslog(&out, INT64_C(1795507334000), "mail", str_of(rows[i].line));
        row_text(rows[i].line, buf_text(&out), rows[i].want);
        buf_done(&out);
    }
}

static const struct {
    const char *name, *address, *orcpt, *text;
} hostile_rows[] = {
    {"plain", "a@b.example", "", "no"},
    {"address that ends the line", "\"a\n, status=sent (\"@b.example", "", "no"},
    {"quoted address that looks like fields", "\">, status=sent (250 ok)\"@b.example", "", "no"},
    {"escaped quotes in it", "\"\\\">, status=sent (\"@b.example", "", "no"},
    {"original address that looks like fields", "a@b.example",
     "rfc822;\">, status=sent (\"@b.example", "no"},
    {"reply that looks like fields", "a@b.example", "", "x), status=sent (250 2.0.0 ok"},
    {"reply with a second line", "a@b.example", "", "x\r\nBBB: to=<a>, status=sent (250 ok)"},
};

static void no_address_or_reply_can_look_like_a_delivery(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hostile_rows); i++) {
        struct outcome o;
        struct buf line = BUF_INIT;
        struct str dsn;
        const struct delays d = {0};
        const char *row = hostile_rows[i].name;
        outcome_from_reply(&o, STAGE_RCPT, 550, STR("5.1.1"), str_of(hostile_rows[i].text));
        set_peer(&o);
        logline_attempt(&line, ID, hostile_rows[i].address, hostile_rows[i].orcpt, &o, LOG_BOUNCED,
                        &d, 0);
        row_int(row, strcspn(buf_text(&line), "\r\n\033") == line.n, true);
        row_int(row, logline_status(buf_str(&line)), LOG_BOUNCED);
        row_int(row, logline_field(buf_str(&line), "dsn", &dsn), true);
        row_str(row, dsn, STR("5.1.1"));
        buf_done(&line);
    }
}

static void host_name_of_a_hostile_zone_cannot_begin_a_field(void **state)
{
    (void)state;
    struct outcome o;
    struct buf line = BUF_INIT;
    struct str relay;
    const struct delays d = {0};
    outcome_from_reply(&o, STAGE_RCPT, 550, STR("5.1.1"), STR("no"));
    set_peer(&o);
    str_copy(STR("mx, status=sent (250\n.example"), o.host, sizeof(o.host));
    logline_attempt(&line, ID, "a@b.example", "", &o, LOG_BOUNCED, &d, 0);
    assert_int_equal(logline_status(buf_str(&line)), LOG_BOUNCED);
    assert_true(logline_field(buf_str(&line), "relay", &relay));
    row_str("relay", relay, STR("mx??status?sent??250?.example[192.0.2.1]:25"));
    buf_done(&line);
}

static void fields_are_found_by_their_whole_name(void **state)
{
    (void)state;
    struct str line = STR("BBB: to=<\"x>y\"@b.example>, orig_to=<c@d.example>, "
                          "relay=mx[192.0.2.1]:25, delay=1.2, delays=0/0/0/1.2, dsn=2.0.0, "
                          "status=sent (250 relay=none, foo=bar)");
    static const struct {
        const char *name, *want; /* NULL: not there */
    } rows[] = {
        {"to", "\"x>y\"@b.example"},
        {"orig_to", "c@d.example"},
        {"relay", "mx[192.0.2.1]:25"},
        {"delay", "1.2"},
        {"delays", "0/0/0/1.2"},
        {"dsn", "2.0.0"},
        {"status", "sent"},
        {"foo", NULL},
        {"from", NULL},
        {"t", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str got = STR_NONE;
        row_int(rows[i].name, logline_field(line, rows[i].name, &got), rows[i].want != NULL);
        if (rows[i].want)
            row_str(rows[i].name, got, str_of(rows[i].want));
    }
    struct str from = STR("BBB: from=<>, size=4711, nrcpt=2 (queue active)"), got;
    assert_true(logline_field(from, "from", &got) && got.n == 0);
    assert_true(logline_field(from, "nrcpt", &got) && str_eq(got, STR("2")));
}

static void status_of_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum log_status want;
    } rows[] = {
        {"B: to=<a>, status=sent (250)", LOG_SENT},
        {"B: to=<a>, status=deferred (x)", LOG_DEFERRED},
        {"B: to=<a>, status=bounced (x)", LOG_BOUNCED},
        {"B: to=<a>, status=expired (x)", LOG_EXPIRED},
        {"B: to=<a>, status=unconfirmed (x)", LOG_UNCONFIRMED},
        {"B: to=<a>, status=undeliverable (x)", LOG_OTHER},
        {"B: from=<a>, size=1, nrcpt=1 (queue active)", LOG_OTHER},
        {"B: removed", LOG_OTHER},
        {"NOQUEUE: reject: RCPT from x[::1]: 554", LOG_REJECTED},
        {"", LOG_OTHER},
        {":", LOG_OTHER},
        {"B: =", LOG_OTHER},
        {"B: to=<", LOG_OTHER},
        {"B: to=<\"\\", LOG_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_int(rows[i].line, logline_status(str_of(rows[i].line)), rows[i].want);
    for (int i = 0; i < LOG_STATUS_COUNT; i++) {
        enum log_status s;
        assert_true(log_status_parse(str_of(log_status_name((enum log_status)i)), &s));
        assert_int_equal(s, i);
    }
    enum log_status s;
    assert_false(log_status_parse(STR("lost"), &s));
}

/* A log line on disk may be damaged: any bytes, in a block of exactly their size. */
static void reader_survives_noise(void **state)
{
    (void)state;
    static const char letters[] = ":=<>\", \\()to status relay sent";
    struct rng r;
    rng_init_seed(&r, 22);
    for (int round = 0; round < 50000; round++) {
        size_t n = rng_below(&r, 40);
        char *p = malloc(n ? n : 1);
        struct str value;
        for (size_t i = 0; i < n; i++)
            p[i] = letters[rng_below(&r, sizeof(letters))];
        logline_status((struct str){p, n});
        if (logline_field((struct str){p, n}, "to", &value))
            assert_true(value.p >= p && value.p + value.n <= p + n);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivery_is_written_as_postfix_does),
        cmocka_unit_test(failure_before_a_connection_has_no_relay),
        cmocka_unit_test(delays_have_two_digits_and_are_never_negative),
        cmocka_unit_test(accepted_and_removed_frame_the_life_of_a_message),
        cmocka_unit_test(refusal_at_the_intake_has_no_queue_id),
        cmocka_unit_test(syslog_form_names_the_part_by_which_tools_select),
        cmocka_unit_test(no_address_or_reply_can_look_like_a_delivery),
        cmocka_unit_test(host_name_of_a_hostile_zone_cannot_begin_a_field),
        cmocka_unit_test(fields_are_found_by_their_whole_name),
        cmocka_unit_test(status_of_a_line),
        cmocka_unit_test(reader_survives_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
