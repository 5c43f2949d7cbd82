/* SPDX-License-Identifier: ISC */
/* Filters against lines of the delivery log: lines as logline.c writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "core/mail/filter.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"

#define NOW INT64_C(1795507334000)
#define ID  INT64_C(123456789012345)

static bool matches(const char *text, const char *line)
{
    struct err err = ERR_NONE;
    struct filter f;

    if (filter_parse(str_of(text), NOW, &f, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    bool is_match = filter_match_line(&f, str_of(line), NOW);
    filter_done(&f);
    return is_match;
}

static const char deferred[] =
    "0123456789BCD: to=<bob@Partner.example>, orig_to=<b@x.example>, "
    "relay=mx1.partner.example[192.0.2.25]:25, delay=1.2, delays=0.1/0/0.5/0.6, tls=encrypted, "
    "dsn=4.7.1, status=deferred (host mx1.partner.example[192.0.2.25] said: 451 4.7.1 Greylisted, "
    "see http://g.example (in reply to RCPT TO command))";
static const char sent[] =
    "0123456789BCD: to=<eve@other.example>, relay=mx.other.example[2001:db8::1]:25, delay=0.1, "
    "delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 OK 550 queued)";
static const char timeout[] =
    "0123456789BCD: to=<eve@other.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, "
    "status=deferred (connect to mx.other.example[192.0.2.9]:25: Connection timed out)";
static const char accepted[] =
    "0123456789BCD: from=<alice@ours.example>, size=1234, nrcpt=2 (queue active)";
static const char reject[] =
    "NOQUEUE: reject: RCPT from evil[192.0.2.66]: 550 5.1.10 <to@null.example>: takes no mail; "
    "from=<alice@ours.example> to=<to@null.example> proto=ESMTP helo=<evil>";

static void filters_are_answered_from_lines(void **state)
{
    static const struct {
        const char *filter, *line;
        bool want;
    } rows[] = {
        {"", deferred, true},
        {"to:bob", deferred, true},
        {"to:BOB", deferred, true},
        {"to:bob@partner", deferred, true},
        {"to:eve", deferred, false},
        {"to:@partner.example", deferred, true},
        {"to:@artner.example", deferred, false},
        {"to:@example", deferred, false},
        {"to:b@x.example", deferred, false},
        {"-to:bob", deferred, false},
        {"-to:eve", deferred, true},
        {"to:eve to:bob", deferred, true},
        {"-to:eve -to:bob", deferred, false},
        {"to:bob to:eve status:sent", deferred, false},
        {"to:bob", accepted, false},
        {"from:alice", accepted, true},
        {"from:@ours.example", accepted, true},
        {"from:alice", deferred, false},
        {"from:alice", reject, true},
        {"to:to@null", reject, true},
        {"domain:partner.example", deferred, true},
        {"domain:*.example", deferred, true},
        {"domain:partner", deferred, false},
        {"domain:p*r.ex*e", deferred, true},
        {"domain:*x", deferred, false},
        {"domain:null.example", reject, true},
        {"domain:*", accepted, false},
        {"status:deferred", deferred, true},
        {"status:sent", deferred, false},
        {"status:sent status:deferred", deferred, true},
        {"-status:sent", sent, false},
        {"status:rejected", reject, true},
        {"status:sent", accepted, false},
        {"code:451", deferred, true},
        {"code:4", deferred, true},
        {"code:45", deferred, true},
        {"code:5", deferred, false},
        {"code:2", sent, true},
        {"code:550", sent, false},
        {"code:4", timeout, false},
        {"code:550", reject, true},
        {"dsn:4.7.1", deferred, true},
        {"dsn:4.7", deferred, true},
        {"dsn:4", deferred, true},
        {"dsn:4.7.11", deferred, false},
        {"dsn:5.1.1", reject, false},
        {"dsn:5.1.10", reject, true},
        {"dsn:5.1", reject, true},
        {"relay:mx1.partner.example", deferred, true},
        {"relay:*.partner.example", deferred, true},
        {"relay:192.0.2.25", deferred, true},
        {"relay:mx1.partner.example[192.0.2.25]", deferred, true},
        {"relay:mx1.partner.example[192.0.2.25]:25", deferred, true},
        {"relay:2001:db8::1", sent, true},
        {"relay:partner.example", deferred, false},
        {"relay:none", timeout, true},
        {"relay:none", deferred, false},
        {"greylisted", deferred, true},
        {"GREYLISTED", deferred, true},
        {"greylisted whitelisted", deferred, false},
        {"greylisted \"RCPT TO\"", deferred, true},
        {"-greylisted", deferred, false},
        {"http://g.example", deferred, true},
        {"\"Connection timed out\"", timeout, true},
        {"since:1h", deferred, true},
        {"since:<1h", deferred, false},
        {"has:escapes", deferred, false},
        /* A line cannot answer these: they are ignored, excluded or not. */
        {"state:held age:>1h tries:>3 size:>1k next:<1m cause:x owner:y site:z", deferred, true},
        {"-state:held", deferred, true},
        {"owner:y to:eve", deferred, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (matches(rows[i].filter, rows[i].line) != rows[i].want)
            fail_msg("%s: %s", rows[i].filter, rows[i].line);
}

static void texts_of_peers_are_no_fields(void **state)
{
    static const char hostile[] =
        "0123456789BCD: to=<bob@b.example>, relay=mx[192.0.2.1]:25, delay=1, delays=0/0/0/1, "
        "dsn=5.0.0, status=bounced (host mx[192.0.2.1] said: 550 , to=<eve@e.example>, "
        "dsn=2.0.0, status=sent (250 ok) said: 421 (in reply to DATA command))";
    static const char quoted[] =
        "0123456789BCD: to=<\"x>, status=sent (\"@b.example>, relay=none, delay=1, "
        "delays=0/0/0/1, dsn=4.0.0, status=deferred (Host not found)";
    static const char helo[] =
        "NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 Relay access denied; "
        "from=<a@a.example> "
        "to=<b@b.example> proto=ESMTP helo=<x; from=<boss@ours.example> to=<c@c.example>";

    (void)state;
    assert_false(matches("to:eve", hostile));
    assert_false(matches("status:sent", hostile));
    assert_false(matches("code:421", hostile));
    assert_true(matches("code:550 dsn:5.0.0 status:bounced", hostile));
    assert_true(matches("domain:b.example status:deferred", quoted));
    assert_false(matches("from:boss", helo));
    assert_false(matches("to:c@c", helo));
    assert_true(matches("from:a@a to:b@b code:554", helo));
}

static void lines_as_they_are_written_are_understood(void **state)
{
    CLEANUP(buf_done) struct buf line = BUF_INIT;
    const struct delays d = {0, 0, 10, 20};
    struct outcome o;
    char id[ID_TEXT_MAX], text[ID_TEXT_MAX + 4];

    (void)state;
    outcome_from_reply(&o, STAGE_GREETING, 554, STR("5.7.1"), STR("5.7.1 \x1b[2J go away"));
    str_copy(STR("mx.b.example"), o.host, sizeof(o.host));
    str_copy(STR("192.0.2.1"), o.ip, sizeof(o.ip));
    o.port = 25;
    logline_attempt(&line, ID, "a@b.example", "", &o, LOG_DEFERRED, &d, 30);
    snprintf(text, sizeof(text), "id:%s", id_text(ID, id));
    assert_true(matches(text, buf_text(&line)));
    assert_true(matches("code:554 to:a@b.example relay:mx.b.example status:deferred has:escapes",
                        buf_text(&line)));
    snprintf(text, sizeof(text), "id:%s", id_text(ID + 1, id));
    assert_false(matches(text, buf_text(&line)));

    buf_clear(&line);
    logline_reject(&line, "RCPT", "client", "192.0.2.7", 550, "5.7.1 no relaying", "a@b.example",
                   "c@d.example", "h");
    assert_true(
        matches("status:rejected code:550 dsn:5.7.1 from:a@b to:@d.example", buf_text(&line)));
    buf_clear(&line);
    logline_reject(&line, "MAIL", "client", "192.0.2.7", 550, "no", "a@b.example", "", "h");
    assert_true(matches("code:550 from:a@b", buf_text(&line)));
    assert_false(matches("domain:*", buf_text(&line)));
    buf_clear(&line);
    logline_removed(&line, ID);
    assert_true(matches("removed", buf_text(&line)));
    assert_false(matches("to:a", buf_text(&line)));
}

static void escapes_are_seen(void **state)
{
    (void)state;
    assert_true(matches("has:escapes", "x: a^[[2J"));
    assert_true(matches("has:escapes", "x: a<9B>b"));
    assert_true(matches("has:escapes", "x: a<U+202E>b"));
    assert_true(matches("has:escapes", "x: ^?"));
    assert_false(matches("has:escapes", "x: a <b@c> ^ <9b> <U> <"));
    assert_true(matches("-has:escapes", "x: plain"));
}

static void odd_lines_match_nothing_and_break_nothing(void **state)
{
    static const char *const lines[] = {"",           ":",      "NOQUEUE", "NOQUEUE: reject",
                                        "x: to=<",    "x: to=", "x:",      "x: status=sent",
                                        "x: to=<\"\\"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_false(matches("to:a@b.example code:5 dsn:5 relay:x", lines[i]));
}

static void stars_take_bounded_time(void **state)
{
    CLEANUP(buf_done) struct buf filter = BUF_INIT;
    CLEANUP(buf_done) struct buf line = BUF_INIT;

    (void)state;
    buf_add_z(&filter, "relay:");
    for (int i = 0; i < 900; i++)
        buf_add_z(&filter, "*a");
    buf_add_z(&filter, "b");
    buf_add_z(&line, "x: relay=");
    for (int i = 0; i < 4000; i++)
        buf_add_c(&line, 'a');
    assert_false(matches(buf_text(&filter), buf_text(&line)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_answered_from_lines),
        cmocka_unit_test(texts_of_peers_are_no_fields),
        cmocka_unit_test(lines_as_they_are_written_are_understood),
        cmocka_unit_test(escapes_are_seen),
        cmocka_unit_test(odd_lines_match_nothing_and_break_nothing),
        cmocka_unit_test(stars_take_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
