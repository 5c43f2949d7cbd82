/* SPDX-License-Identifier: ISC */
/* The scripted internet itself: its reader, its DNS and its hosts, before anything relies on them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include "core/net/dnswire.h"
#include "tests/world/host.h"
#include "tests/world/zone.h"

static void world_of(struct world *w, const char *text)
{
    struct err err = ERR_NONE;
    world_init(w);
    if (world_parse(w, str_of(text), "test", ".", &err))
        fail_msg("%s", err.text);
}

/* --- the reader --- */

static const struct {
    const char *name, *text, *want;
} bad_rows[] = {
    {"unknown statement", "frob x\n", "test:1: not a statement: frob"},
    {"line number", "# a comment\n\npersonality\n", "test:3: personality NAME [like OTHER]"},
    {"rule without owner", "on rcpt reset\n", "test:1: stands before any personality or host: on"},
    {"no action", "personality a\non rcpt first=2\n",
     "test:2: a rule needs an action (reply, raw, reset, ...)"},
    {"no stage", "personality a\non lunch reset\n", "test:2: no such stage: lunch"},
    {"bad code", "personality a\non rcpt reply 99\n", "test:2: reply needs a code of three digits"},
    {"bad option", "personality a\non rcpt first=x reset\n",
     "test:2: not understood here: first=x"},
    {"unknown parent", "personality a like b\n", "test:1: no such personality: b"},
    {"bad address", "personality a\nhost m 192.0.2.999 is a\n",
     "test:2: not an address, or too many: 192.0.2.999"},
    {"family of a record", "dns a.test a 2001:db8::1\n",
     "test:1: a record that does not parse: 2001:db8::1"},
    {"open quote", "personality a\non rcpt reply 550 \"x\n", "test:2: a quote that does not end"},
};

static void reader_names_file_line_and_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
        struct world w;
        struct err err = ERR_NONE;
        world_init(&w);
        row_int(bad_rows[i].name, world_parse(&w, str_of(bad_rows[i].text), "test", ".", &err),
                -E_SYNTAX);
        row_text(bad_rows[i].name, err.text, bad_rows[i].want);
        world_done(&w);
    }
}

/* --- DNS --- */

static const char zone_text[] = "dns sent.test mx 20 b.sent.test\n"
                                "dns sent.test mx 10 a.sent.test\n"
                                "dns a.sent.test a 192.0.2.1 ttl=60\n"
                                "dns alias.test cname sent.test\n"
                                "dns null.test mx 0 .\n"
                                "dns sick.test * servfail\n"
                                "dns shy.test mx refused\n"
                                "dns gone.test mx timeout\n"
                                "dns odd.test mx malformed\n"
                                "dns flap.test mx servfail first=1\n"
                                "dns flap.test mx 10 a.sent.test\n"
                                "dns slow.test * slow delay=4s\n"
                                "dns slow.test mx 10 a.sent.test\n"
                                "dns 192.0.2.1 ptr a.sent.test\n"
                                "dns sent.test txt \"v=spf1 -all\"\n";

static const struct {
    const char *name, *asked;
    unsigned type;
    enum dns_status status;
    size_t n;
    unsigned rcode;
    int64_t delay;
} ask_rows[] = {
    {"records", "sent.test", DNS_TYPE_MX, DNS_OK, 2, 0, 0},
    {"case and dot do not matter", "SENT.test.", DNS_TYPE_MX, DNS_OK, 2, 0, 0},
    {"another type", "a.sent.test", DNS_TYPE_AAAA, DNS_NODATA, 0, 0, 0},
    {"a name between", "2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_NODATA, 0, 0, 0},
    {"no such name", "nowhere.test", DNS_TYPE_MX, DNS_NXDOMAIN, 0, 3, 0},
    {"alias", "alias.test", DNS_TYPE_MX, DNS_OK, 2, 0, 0},
    {"alias without that type", "alias.test", DNS_TYPE_A, DNS_NODATA, 0, 0, 0},
    {"null MX", "null.test", DNS_TYPE_MX, DNS_OK, 1, 0, 0},
    {"servfail", "sick.test", DNS_TYPE_MX, DNS_TEMP, 0, 2, 0},
    {"refused", "shy.test", DNS_TYPE_MX, DNS_TEMP, 0, 5, 0},
    {"refused for MX only", "shy.test", DNS_TYPE_A, DNS_NODATA, 0, 0, 0},
    {"time-out", "gone.test", DNS_TYPE_MX, DNS_TEMP, 0, 0, -1},
    {"malformed", "odd.test", DNS_TYPE_MX, DNS_BAD, 0, 0, 0},
    {"first question fails", "flap.test", DNS_TYPE_MX, DNS_TEMP, 0, 2, 0},
    {"second does not", "flap.test", DNS_TYPE_MX, DNS_OK, 1, 0, 0},
    {"slow", "slow.test", DNS_TYPE_MX, DNS_OK, 1, 0, 4000},
    {"reverse", "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_OK, 1, 0, 0},
    {"text", "sent.test", DNS_TYPE_TXT, DNS_OK, 1, 0, 0},
};

static void zone_answers_as_a_resolver_would(void **state)
{
    (void)state;
    struct world w;
    world_of(&w, zone_text);
    for (size_t i = 0; i < ARRAY_LEN(ask_rows); i++) {
        struct dns_answer a;
        const char *row = ask_rows[i].name;
        row_int(row, zone_ask(&w, ask_rows[i].asked, ask_rows[i].type, &a), ask_rows[i].delay);
        row_int(row, a.status, ask_rows[i].status);
        row_int(row, a.n, ask_rows[i].n);
        row_int(row, a.rcode, ask_rows[i].rcode);
        dns_answer_done(&a);
    }
    world_done(&w);
}

/* The name server and the simulator give the same answer. */
static void zone_wire_form_reads_as_the_plain_one(void **state)
{
    (void)state;
    struct world plain, wire;
    world_of(&plain, zone_text);
    world_of(&wire, zone_text);
    for (size_t i = 0; i < ARRAY_LEN(ask_rows); i++) {
        const char *row = ask_rows[i].name;
        uint8_t query[512];
        struct buf out = BUF_INIT;
        struct dns_answer a, b = {0};
        int64_t delay;
        bool is_cut;
        size_t n = dnswire_query(query, 7, ask_rows[i].asked, ask_rows[i].type);
        zone_ask(&plain, ask_rows[i].asked, ask_rows[i].type, &a);
        bool is_answered = zone_ask_wire(&wire, (struct str){(char *)query, n}, 1232, &out, &delay);
        row_int(row, is_answered, ask_rows[i].delay >= 0);
        if (is_answered) {
            dnswire_answer(buf_str(&out), ask_rows[i].asked, ask_rows[i].type, &b, &is_cut);
            row_int(row, b.status, a.status);
            row_int(row, b.n, a.n);
            row_int(row, b.rcode, a.rcode);
            row_int(row, b.ttl_s, a.ttl_s);
            for (size_t j = 0; j < a.n; j++)
                row_text(row, b.records[j].name, a.records[j].name);
        }
        dns_answer_done(&a);
        dns_answer_done(&b);
        buf_done(&out);
    }
    world_done(&plain);
    world_done(&wire);
}

/* --- hosts --- */

static const char host_text[] =
    "personality accept\n"
    "    offers PIPELINING \"SIZE 1000\" 8BITMIME ENHANCEDSTATUSCODES STARTTLS \"AUTH PLAIN "
    "LOGIN\"\n"
    "    login mailer secret\n"
    "personality grey like accept\n"
    "    on rcpt within=60s per=triplet reply 450 4.2.0 \"<%a>: Greylisted\"\n"
    "host plain.test 192.0.2.1 is accept\n"
    "host grey.test 192.0.2.2 is grey\n"
    "host closed.test 192.0.2.3 is accept\n"
    "    on connect refuse\n"
    "host odd.test 192.0.2.4 is accept\n"
    "    on ehlo raw \"250-odd\\r\\n550 what\\r\\n\"\n"
    "    on mail slow* delay=10s reply 250 2.1.0 \"at last\"\n"
    "    on mail drip* trickle=1s raw \"250 ok\\r\\n\"\n"
    "    on mail bye* reply 421 4.3.2 \"going away\" then close\n"
    "    on mail gone* reset\n"
    "    on mail mute* silence\n"
    "    on mail two* reply 450 4.3.0 \"one\\ntwo\"\n"
    "    on body bytes=10 reply 552 5.3.4 \"enough\"\n"
    "host chunks.test 192.0.2.5 is accept\n"
    "    offers PIPELINING ENHANCEDSTATUSCODES CHUNKING \"LIMITS RCPTMAX=2 MAILMAX=2\"\n"
    "    on bdat bad* reply 552 5.3.4 \"enough\"\n"
    "    on rcpt few* skip=1 per=transaction reply 452 4.5.3 \"too many\"\n";

struct talk {
    struct world w;
    struct host_session *s;
    int64_t now;
    struct buf got;
};

static void talk_start(struct talk *t, const char *ip)
{
    struct ip at, client;
    world_of(&t->w, host_text);
    t->now = 1000;
    t->got = BUF_INIT;
    assert_true(ip_parse(str_of(ip), &at));
    assert_true(ip_parse(STR("198.51.100.1"), &client));
    t->s = host_open(&t->w, world_host_at(&t->w, &at, 25), &client, t->now);
}

static const char *talk_say(struct talk *t, const char *bytes)
{
    buf_clear(&t->got);
    host_input(t->s, str_of(bytes), t->now);
    buf_add_str(&t->got, host_output(t->s));
    host_sent(t->s, t->got.n);
    return buf_text(&t->got);
}

static const char *talk_wait(struct talk *t, int64_t ms)
{
    int64_t until = t->now + ms;
    buf_clear(&t->got);
    while (host_deadline(t->s) <= until) {
        t->now = host_deadline(t->s);
        host_tick(t->s, t->now);
    }
    t->now = until;
    buf_add_str(&t->got, host_output(t->s));
    host_sent(t->s, t->got.n);
    return buf_text(&t->got);
}

static void talk_end(struct talk *t)
{
    host_free(t->s);
    world_done(&t->w);
    buf_done(&t->got);
}

static void host_takes_a_message_and_records_it(void **state)
{
    (void)state;
    struct talk t;
    talk_start(&t, "192.0.2.1");
    assert_string_equal(talk_say(&t, ""), "220 plain.test ESMTP\r\n");
    talk_say(&t, "EHLO me.test\r\n");
    assert_string_equal(
        talk_say(&t, "MAIL FROM:<a@me.test> BODY=8BITMIME\r\nRCPT TO:<b@x.test>\r\nDATA\r\n"),
        "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
    assert_string_equal(talk_say(&t, "Subject: x\r\n\r\n..dot\r\n.\r\n"),
                        "250 2.0.0 Ok: queued as 00000001\r\n");
    assert_string_equal(talk_say(&t, "QUIT\r\n"), "221 2.0.0 Bye\r\n");
    assert_int_equal(host_wish(t.s), HOST_CLOSE);
    struct world_mail *m = list_entry(t.w.mails.next, struct world_mail, link);
    assert_int_equal(t.w.mails_n, 1);
    assert_string_equal(m->from, "a@me.test");
    assert_string_equal(m->rcpts[0], "b@x.test");
    assert_string_equal(buf_text(&m->content), "Subject: x\r\n\r\n.dot\r\n");
    assert_int_equal(t.w.violations_n, 0);
    talk_end(&t);
}

static void host_greylists_a_triplet_until_its_time(void **state)
{
    (void)state;
    struct talk t;
    talk_start(&t, "192.0.2.2");
    talk_say(&t, "EHLO me.test\r\n");
    talk_say(&t, "MAIL FROM:<a@me.test>\r\n");
    assert_string_equal(talk_say(&t, "RCPT TO:<b@x.test>\r\n"),
                        "450 4.2.0 <b@x.test>: Greylisted\r\n");
    t.now += 30000;
    assert_string_equal(talk_say(&t, "RCPT TO:<b@x.test>\r\n"),
                        "450 4.2.0 <b@x.test>: Greylisted\r\n");
    t.now += 30000;
    assert_string_equal(talk_say(&t, "RCPT TO:<b@x.test>\r\n"), "250 2.1.5 Ok\r\n");
    assert_string_equal(talk_say(&t, "RCPT TO:<c@x.test>\r\n"),
                        "450 4.2.0 <c@x.test>: Greylisted\r\n");
    talk_end(&t);
}

static void host_rules_delay_trickle_close_reset_and_fall_silent(void **state)
{
    (void)state;
    struct talk t;
    talk_start(&t, "192.0.2.4");
    talk_say(&t, "");
    assert_string_equal(talk_say(&t, "EHLO me.test\r\n"), "250-odd\r\n550 what\r\n");
    assert_string_equal(talk_say(&t, "MAIL FROM:<slow@me.test>\r\n"), "");
    assert_string_equal(talk_wait(&t, 9999), "");
    assert_string_equal(talk_wait(&t, 1), "250 2.1.0 at last\r\n");
    talk_say(&t, "RSET\r\n");
    talk_say(&t, "MAIL FROM:<drip@me.test>\r\n");
    assert_string_equal(talk_wait(&t, 2500), "25");
    assert_string_equal(talk_wait(&t, 10000), "0 ok\r\n");
    talk_say(&t, "RSET\r\n");
    assert_string_equal(talk_say(&t, "MAIL FROM:<two@me.test>\r\n"),
                        "450-4.3.0 one\r\n450 4.3.0 two\r\n");
    assert_string_equal(talk_say(&t, "MAIL FROM:<bye@me.test>\r\n"), "421 4.3.2 going away\r\n");
    assert_int_equal(host_wish(t.s), HOST_CLOSE);
    talk_end(&t);
    talk_start(&t, "192.0.2.4");
    talk_say(&t, "EHLO me.test\r\n");
    talk_say(&t, "MAIL FROM:<gone@me.test>\r\n");
    assert_int_equal(host_wish(t.s), HOST_RESET);
    talk_end(&t);
    talk_start(&t, "192.0.2.4");
    talk_say(&t, "EHLO me.test\r\n");
    talk_say(&t, "MAIL FROM:<mute@me.test>\r\n");
    assert_string_equal(talk_say(&t, "NOOP\r\n"), "");
    talk_end(&t);
}

static void host_replies_before_the_end_of_data(void **state)
{
    (void)state;
    struct talk t;
    talk_start(&t, "192.0.2.4");
    talk_say(&t, "EHLO me.test\r\n");
    talk_say(&t, "MAIL FROM:<a@me.test>\r\n");
    talk_say(&t, "RCPT TO:<b@x.test>\r\n");
    talk_say(&t, "DATA\r\n");
    assert_string_equal(talk_say(&t, "12345\r\n"), "");
    assert_string_equal(talk_say(&t, "67890\r\n"), "552 5.3.4 enough\r\n");
    assert_string_equal(talk_say(&t, "more\r\n.\r\n"), "");
    assert_string_equal(talk_say(&t, "RSET\r\n"), "250 2.0.0 Ok\r\n");
    assert_int_equal(t.w.mails_n, 0);
    talk_end(&t);
}

static void host_takes_chunks_until_it_refuses_one(void **state)
{
    (void)state;
    struct talk t;
    talk_start(&t, "192.0.2.5");
    talk_say(&t, "EHLO me.test\r\n");
    talk_say(&t, "MAIL FROM:<bad@me.test>\r\nRCPT TO:<b@x.test>\r\n");
    assert_string_equal(talk_say(&t, "BDAT 3\r\nabcBDAT 4\r\ndefgBDAT 2 LAST\r\nhi"),
                        "552 5.3.4 enough\r\n"
                        "551 5.0.0 Discarded 4 bytes after earlier error\r\n"
                        "551 5.0.0 Discarded 2 bytes after earlier error\r\n");
    talk_say(&t, "MAIL FROM:<a@me.test>\r\nRCPT TO:<b@x.test>\r\n");
    assert_string_equal(talk_say(&t, "BDAT 3\r\na\r\nBDAT 0 LAST\r\n"),
                        "250 2.0.0 Ok\r\n250 2.0.0 Ok: queued as 00000001\r\n");
    assert_int_equal(t.w.mails_n, 1);
    assert_int_equal(t.w.violations_n, 0);
    talk_end(&t);
}

static void host_counts_a_rule_anew_in_each_transaction(void **state)
{
    (void)state;
    struct talk t;
    talk_start(&t, "192.0.2.5");
    talk_say(&t, "EHLO me.test\r\n");
    for (unsigned i = 0; i < 2; i++) {
        talk_say(&t, "MAIL FROM:<a@me.test>\r\n");
        assert_string_equal(talk_say(&t, "RCPT TO:<few1@x.test>\r\nRCPT TO:<few2@x.test>\r\n"),
                            "250 2.1.5 Ok\r\n452 4.5.3 too many\r\n");
        talk_say(&t, "RSET\r\n");
    }
    assert_int_equal(t.w.violations_n, 0);
    talk_say(&t, "MAIL FROM:<a@me.test>\r\n");
    assert_non_null(strstr(buf_text(&t.w.violations), "more than MAILMAX=2"));
    talk_say(&t, "RCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nRCPT TO:<c@x.test>\r\n");
    assert_non_null(strstr(buf_text(&t.w.violations), "more than RCPTMAX=2"));
    talk_end(&t);
}

static const struct {
    const char *name, *said, *noted;
} violation_rows[] = {
    {"speaks before the reply to EHLO", "EHLO me\r\nMAIL FROM:<a@b>\r\n", "did not wait"},
    {"blank behind the colon", "EHLO me\r\n|MAIL FROM: <a@b>\r\n", "a blank behind"},
    {"parameter not offered", "EHLO me\r\n|MAIL FROM:<a@b> RET=HDRS\r\n", "parameter RET"},
    {"parameter after HELO", "HELO me\r\n|MAIL FROM:<a@b> SIZE=1\r\n", "parameter SIZE"},
    {"two domains", "EHLO me\r\n|MAIL FROM:<a@b>\r\nRCPT TO:<a@c>\r\nRCPT TO:<a@d>\r\n",
     "several domains"},
    {"8-bit undeclared", "EHLO me\r\n|MAIL FROM:<a@b>\r\nRCPT TO:<a@c>\r\nDATA\r\n|\xe4\r\n.\r\n",
     "8-bit content"},
    {"bare LF", "EHLO me\r\n|MAIL FROM:<a@b>\r\nRCPT TO:<a@c>\r\nDATA\r\n|x\ny\r\n.\r\n",
     "bare CR"},
    {"AUTH not offered", "EHLO me\r\n|AUTH CRAM-MD5\r\n", "AUTH CRAM-MD5"},
    {"nested MAIL", "EHLO me\r\n|MAIL FROM:<a@b>\r\n|MAIL FROM:<a@b>\r\n", "out of order"},
    {"nothing wrong",
     "EHLO me\r\n|MAIL FROM:<a@b> SIZE=9\r\nRCPT TO:<a@c>\r\nDATA\r\n|x\r\n.\r\nMAIL FROM:<>\r\n",
     ""},
};

static void host_notes_what_the_standards_forbid(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(violation_rows); i++) {
        struct talk t;
        const char *row = violation_rows[i].name, *want = violation_rows[i].noted;
        talk_start(&t, "192.0.2.1");
        struct str rest = str_of(violation_rows[i].said);
        while (rest.n > 0) {
            char *piece = str_dup(str_split(&rest, '|'));
            talk_say(&t, piece);
            free(piece);
        }
        row_int(row, t.w.violations_n, want[0] ? 1 : 0);
        if (want[0] && !strstr(buf_text(&t.w.violations), want))
            fail_msg("row \"%s\": noted \"%s\"", row, buf_text(&t.w.violations));
        talk_end(&t);
    }
}

static void host_asks_for_tls_and_checks_a_login(void **state)
{
    (void)state;
    struct talk t;
    talk_start(&t, "192.0.2.1");
    talk_say(&t, "EHLO me\r\n");
    assert_string_equal(talk_say(&t, "STARTTLS\r\n"), "220 2.0.0 Ready to start TLS\r\n");
    assert_int_equal(host_wish(t.s), HOST_TLS);
    host_tls_done(t.s, true, t.now);
    assert_null(strstr(talk_say(&t, "EHLO me\r\n"), "STARTTLS"));
    /* \0mailer\0wrong, \0mailer\0secret */
    assert_string_equal(talk_say(&t, "AUTH PLAIN AG1haWxlcgB3cm9uZw==\r\n"),
                        "535 5.7.8 Error: authentication failed: authentication failure\r\n");
    assert_string_equal(talk_say(&t, "AUTH PLAIN AG1haWxlcgBzZWNyZXQ=\r\n"),
                        "235 2.7.0 Authentication successful\r\n");
    talk_end(&t);
    talk_start(&t, "192.0.2.1");
    talk_say(&t, "EHLO me\r\n");
    assert_string_equal(talk_say(&t, "AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
    assert_string_equal(talk_say(&t, "bWFpbGVy\r\n"), "334 UGFzc3dvcmQ6\r\n");
    assert_string_equal(talk_say(&t, "c2VjcmV0\r\n"), "235 2.7.0 Authentication successful\r\n");
    talk_end(&t);
}

static void connecting_gives_the_error_that_the_world_says(void **state)
{
    (void)state;
    struct world w;
    struct world_host *h;
    struct ip ip;
    world_of(&w, host_text);
    assert_true(ip_parse(STR("192.0.2.3"), &ip));
    assert_int_equal(world_connect(&w, &ip, 25, NULL, 0, &h), ECONNREFUSED);
    assert_true(ip_parse(STR("192.0.2.1"), &ip));
    assert_int_equal(world_connect(&w, &ip, 25, NULL, 0, &h), 0);
    assert_string_equal(h->name, "plain.test");
    assert_true(ip_parse(STR("192.0.2.77"), &ip));
    assert_int_equal(world_connect(&w, &ip, 25, NULL, 0, &h), ETIMEDOUT);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_names_file_line_and_fault),
        cmocka_unit_test(zone_answers_as_a_resolver_would),
        cmocka_unit_test(zone_wire_form_reads_as_the_plain_one),
        cmocka_unit_test(host_takes_a_message_and_records_it),
        cmocka_unit_test(host_greylists_a_triplet_until_its_time),
        cmocka_unit_test(host_rules_delay_trickle_close_reset_and_fall_silent),
        cmocka_unit_test(host_replies_before_the_end_of_data),
        cmocka_unit_test(host_takes_chunks_until_it_refuses_one),
        cmocka_unit_test(host_counts_a_rule_anew_in_each_transaction),
        cmocka_unit_test(host_notes_what_the_standards_forbid),
        cmocka_unit_test(host_asks_for_tls_and_checks_a_login),
        cmocka_unit_test(connecting_gives_the_error_that_the_world_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
