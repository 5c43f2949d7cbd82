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

static const struct {
    const char *name, *origin, *message_id, *from, *want;
} accepted_rows[] = {
    {"by SMTP", "smtp [127.0.0.1]:4711 app.example", "<CAF=x+1@app.example>", "ann@example.org",
     "from=<ann@example.org>, size=4711, nrcpt=2, client=app.example[127.0.0.1]:4711, "
     "message-id=<CAF=x+1@app.example> (queue active)"},
    {"by SMTP over IPv6, with a literal for a name", "smtp [::1]:4711 [IPv6:::1]", "<a@b>", "a@b",
     "from=<a@b>, size=4711, nrcpt=2, client=unknown[::1]:4711, message-id=<a@b> (queue active)"},
    {"without a name", "smtp [192.0.2.1]:1 ", "<a@b>", "a@b",
     "from=<a@b>, size=4711, nrcpt=2, client=unknown[192.0.2.1]:1, message-id=<a@b> (queue "
     "active)"},
    {"locally", "local uid 1000", "<a@b>", "a@b",
     "from=<a@b>, size=4711, nrcpt=2, uid=1000, message-id=<a@b> (queue active)"},
    {"our own report", "engine", "<r@mail.example>", "",
     "from=<>, size=4711, nrcpt=2, message-id=<r@mail.example> (queue active)"},
    {"Message-ID without brackets", "engine", " a@b ", "",
     "from=<>, size=4711, nrcpt=2, message-id=<a@b> (queue active)"},
    {"no Message-ID", "engine", "", "",
     "from=<>, size=4711, nrcpt=2, message-id=<> (queue active)"},
    {"hostile Message-ID", "engine", "<x>, status=sent (250 \"\\\xc3\xa9>", "",
     "from=<>, size=4711, nrcpt=2, message-id=<x?,?status=sent?(250?\?\?\?\?> (queue active)"},
    {"hostile name", "smtp [127.0.0.1]:1 x,status=sent", "<a@b>", "a@b",
     "from=<a@b>, size=4711, nrcpt=2, client=x?status?sent[127.0.0.1]:1, message-id=<a@b> (queue "
     "active)"},
};

static void accepted_tells_who_handed_it_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(accepted_rows); i++) {
        const char *row = accepted_rows[i].name;
        struct message m = {.id = ID, .size_bytes = 4711};
        struct buf line = BUF_INIT;
        struct str from;
        str_copy(str_of(accepted_rows[i].from), m.reverse_path, sizeof(m.reverse_path));
        str_copy(str_of(accepted_rows[i].origin), m.origin, sizeof(m.origin));
        str_copy(str_of(accepted_rows[i].message_id), m.digest.message_id,
                 sizeof(m.digest.message_id));
        logline_accepted(&line, &m, 2);
        row_int(row, logline_status(buf_str(&line)), LOG_OTHER);
        row_int(row, logline_field(buf_str(&line), "from", &from), true);
        row_str(row, from, str_of(accepted_rows[i].from));
        expect(row, &line, accepted_rows[i].want);
    }
    struct buf line = BUF_INIT;
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

#define AT "Nov 24 08:02:14 mail postfix/"

static const struct {
    const char *line, *sender, *want;
} postfix_rows[] = {
    {"BBB: to=<a@b.example>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (x)",
     NULL,
     AT "smtp[1]: BBB: to=<a@b.example>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, "
        "status=deferred (x)\n"},
    {"BBB: to=<a@b>, relay=m[::1]:25, conn_use=2, delay=1, delays=0/0/1/0, tls=verified, "
     "dsn=2.0.0, "
     "status=sent (250 ok, tls=none, status=sent)",
     NULL,
     AT "smtp[1]: BBB: to=<a@b>, relay=m[::1]:25, conn_use=2, delay=1, delays=0/0/1/0, dsn=2.0.0, "
        "status=sent (250 ok, tls=none, status=sent)\n"},
    {"BBB: to=<\">, tls=x, \"@b>, relay=none, dsn=5.1.1, status=bounced (no)", NULL,
     AT "smtp[1]: BBB: to=<\">, tls=x, \"@b>, relay=none, dsn=5.1.1, status=bounced (no)\n"},
    {"BBB: to=<a@b>, relay=m[::1]:25, dsn=4.4.2, status=unconfirmed (lost)", NULL,
     AT "smtp[1]: BBB: to=<a@b>, relay=m[::1]:25, dsn=4.4.2, status=deferred (lost)\n"},
    {"BBB: to=<a@b>, relay=none, dsn=4.4.1, status=held (it is about us)", NULL,
     AT "smtp[1]: BBB: to=<a@b>, relay=none, dsn=4.4.1, status=deferred (it is about us)\n"},
    {"BBB: to=<a@b>, relay=none, dsn=4.4.1, status=deferred (delivery temporarily suspended: y)",
     NULL,
     AT "error[1]: BBB: to=<a@b>, relay=none, dsn=4.4.1, status=deferred (delivery temporarily "
        "suspended: y)\n"},
    {"BBB: to=<a@b>, relay=m[::1]:25, tls=encrypted, dsn=4.2.2, status=expired (full)", "c@d",
     AT "smtp[1]: BBB: to=<a@b>, relay=m[::1]:25, dsn=4.2.2, status=deferred (full)\n" AT
        "qmgr[1]: BBB: from=<c@d>, status=expired, returned to sender\n"},
    {"BBB: to=<a@b>, relay=none, dsn=4.4.1, status=expired (x)", "",
     AT "smtp[1]: BBB: to=<a@b>, relay=none, dsn=4.4.1, status=deferred (x)\n" AT
        "qmgr[1]: BBB: from=<>, status=expired, returned to sender\n"},
    {"BBB: to=<a@b>, relay=none, dsn=4.4.1, status=expired (x)", NULL,
     AT "smtp[1]: BBB: to=<a@b>, relay=none, dsn=4.4.1, status=deferred (x)\n" AT
        "qmgr[1]: BBB: status=expired, returned to sender\n"},
    {"BBB: from=<a@b>, size=1, nrcpt=2, client=app[::1]:4711, message-id=<i@a> (queue active)",
     NULL,
     AT "smtpd[1]: BBB: client=app[::1]\n" AT "cleanup[1]: BBB: message-id=<i@a>\n" AT
        "qmgr[1]: BBB: from=<a@b>, size=1, nrcpt=2 (queue active)\n"},
    {"BBB: from=<a@b>, size=1, nrcpt=2, uid=1000, message-id=<> (queue active)", NULL,
     AT "pickup[1]: BBB: uid=1000 from=<a@b>\n" AT "cleanup[1]: BBB: message-id=<>\n" AT
        "qmgr[1]: BBB: from=<a@b>, size=1, nrcpt=2 (queue active)\n"},
    {"BBB: from=<>, size=1, nrcpt=1, message-id=<i@a> (queue active)", NULL,
     AT "cleanup[1]: BBB: message-id=<i@a>\n" AT
        "qmgr[1]: BBB: from=<>, size=1, nrcpt=1 (queue active)\n"},
    {"BBB: from=<a@b.example>, size=1, nrcpt=1 (queue active)", NULL,
     AT "qmgr[1]: BBB: from=<a@b.example>, size=1, nrcpt=1 (queue active)\n"},
    {"BBB: removed", NULL, AT "qmgr[1]: BBB: removed\n"},
    {"BBB: sender non-delivery notification: CCC", NULL,
     AT "bounce[1]: BBB: sender non-delivery notification: CCC\n"},
    {"BBB: postmaster non-delivery notification: CCC", NULL,
     AT "bounce[1]: BBB: postmaster non-delivery notification: CCC\n"},
    {"BBB: sender delay notification: CCC", NULL,
     AT "bounce[1]: BBB: sender delay notification: CCC\n"},
    {"NOQUEUE: reject: RCPT from x[::1]: 554 no; from=<> to=<a> proto=ESMTP helo=<x>", NULL,
     AT
     "smtpd[1]: NOQUEUE: reject: RCPT from x[::1]: 554 no; from=<> to=<a> proto=ESMTP helo=<x>\n"},
    {"", NULL, AT "qmgr[1]: \n"},
};

static void postfix_would_have_written_these_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(postfix_rows); i++) {
        struct buf out = BUF_INIT;
        logline_postfix(&out, INT64_C(1795507334000), "mail", str_of(postfix_rows[i].line),
                        postfix_rows[i].sender);
        row_text(postfix_rows[i].line, buf_text(&out), postfix_rows[i].want);
        buf_done(&out);
    }
}

/* Not tried this time: the server whose failure is quoted was not asked by this message. */
static void suspended_delivery_used_no_connection(void **state)
{
    (void)state;
    struct outcome o;
    struct buf line = BUF_INIT;
    const struct delays d = {10, 20, 0, 0};
    outcome_from_reply(&o, STAGE_GREETING, 421, STR("4.7.0"), STR("busy"));
    set_peer(&o);
    o.conn_use = 4;
    o.tls.state = TLS_ENCRYPTED;
    o.is_suspended = true;
    logline_attempt(&line, ID, "a@b.example", "", &o, LOG_DEFERRED, &d, 30);
    expect(
        "suspended", &line,
        "to=<a@b.example>, relay=none, delay=0.03, delays=0.01/0.02/0/0, dsn=4.7.0, "
        "status=deferred (delivery temporarily suspended: host mx.example.com[192.0.2.1] refused "
        "to talk to me: 421 4.7.0 busy)");
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
        struct buf out = BUF_INIT;
        logline_status((struct str){p, n});
        logline_postfix(&out, 0, "mail", (struct str){p, n}, "a@b");
        assert_true(out.n > 0 && out.p[out.n - 1] == '\n');
        buf_done(&out);
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
        cmocka_unit_test(accepted_tells_who_handed_it_over),
        cmocka_unit_test(refusal_at_the_intake_has_no_queue_id),
        cmocka_unit_test(postfix_would_have_written_these_lines),
        cmocka_unit_test(suspended_delivery_used_no_connection),
        cmocka_unit_test(no_address_or_reply_can_look_like_a_delivery),
        cmocka_unit_test(host_name_of_a_hostile_zone_cannot_begin_a_field),
        cmocka_unit_test(fields_are_found_by_their_whole_name),
        cmocka_unit_test(status_of_a_line),
        cmocka_unit_test(reader_survives_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
