/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/smtp/reply.h"

static const struct row {
    const char *name;
    const char *input;
    enum reply_status status;
    int code;
    const char *enhanced, *text, *lines;
    bool is_mixed;
} rows[] = {
    {"one line", "250 2.1.5 Ok\r\n", REPLY_DONE, 250, "2.1.5", "2.1.5 Ok", "2.1.5 Ok", false},
    {"a code alone", "354\r\n", REPLY_DONE, 354, "", "", "", false},
    {"a code and a blank", "354 \r\n", REPLY_DONE, 354, "", "", "", false},
    {"LF alone ends a line", "250 ok\n", REPLY_DONE, 250, "", "ok", "ok", false},
    {"lines are joined, the enhanced code is kept once",
     "550-5.7.26 Unauthenticated\r\n550-5.7.26 mail\r\n550 5.7.26 here\r\n", REPLY_DONE, 550,
     "5.7.26", "5.7.26 Unauthenticated mail here",
     "5.7.26 Unauthenticated\n5.7.26 mail\n5.7.26 here", false},
    {"another enhanced code stays", "550-5.7.1 a\r\n550 5.7.2 b\r\n", REPLY_DONE, 550, "5.7.1",
     "5.7.1 a 5.7.2 b", "5.7.1 a\n5.7.2 b", false},
    {"the first code counts when they disagree", "421-a\r\n550 b\r\n", REPLY_DONE, 421, "", "a b",
     "a\nb", true},
    {"an EHLO reply", "250-mx\r\n250-SIZE 10\r\n250 DSN\r\n", REPLY_DONE, 250, "", "mx SIZE 10 DSN",
     "mx\nSIZE 10\nDSN", false},
    {"no enhanced code: digits run on", "550 5.1.1000 x\r\n", REPLY_DONE, 550, "", "5.1.1000 x",
     "5.1.1000 x", false},
    {"no enhanced code: class 3", "354 3.0.0 x\r\n", REPLY_DONE, 354, "", "3.0.0 x", "3.0.0 x",
     false},
    {"no enhanced code: glued", "250 2.0.0x\r\n", REPLY_DONE, 250, "", "2.0.0x", "2.0.0x", false},
    {"an enhanced code alone", "250 2.0.0\r\n", REPLY_DONE, 250, "2.0.0", "2.0.0", "2.0.0", false},
    {"codes outside of the RFC are read", "999 x\r\n", REPLY_DONE, 999, "", "x", "x", false},
    {"raw bytes stay", "550 \x1b[2J\xff\r\n", REPLY_DONE, 550, "", "\x1b[2J\xff", "\x1b[2J\xff",
     false},
    {"not finished", "250-a\r\n250-b\r\n25", REPLY_MORE, 250, "", "a b", "a\nb", false},
    {"a web server", "HTTP/1.1 400 Bad Request\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL, false},
    {"two digits", "25 ok\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL, false},
    {"four digits", "2500 ok\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL, false},
    {"code zero", "050 ok\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL, false},
    {"an empty line", "\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL, false},
    {"a tab behind the code", "250\tok\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL, false},
    {"garbage in a later line", "250-a\r\nfoo\r\n", REPLY_BROKEN, 0, NULL, NULL, NULL, false},
};

static void check(const struct row *r, const struct reply_parser *p, enum reply_status got,
                  const char *why)
{
    const struct smtp_reply *reply = &p->reply;

    if (got != r->status)
        print_error("%s\n", r->name);
    assert_int_equal(got, r->status);
    if (got == REPLY_BROKEN) {
        assert_non_null(why);
        return;
    }
    bool is_right = reply->code == r->code && strcmp(reply->enhanced, r->enhanced) == 0 &&
                    str_eq_z(buf_str(&reply->text), r->text) &&
                    str_eq_z(buf_str(&reply->lines), r->lines) && reply->is_mixed == r->is_mixed;
    if (!is_right) {
        print_error("%s: %d '%s' '%s' '%s' %d\n", r->name, reply->code, reply->enhanced,
                    buf_text(&reply->text), buf_text(&reply->lines), reply->is_mixed);
        fail();
    }
}

static void replies_are_read_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply_parser p;
        const char *why = NULL;
        struct str in = str_of(rows[i].input);
        reply_parser_init(&p);
        enum reply_status got = reply_parse(&p, &in, &why);
        check(&rows[i], &p, got, why);
        reply_parser_done(&p);
    }
}

static void any_cut_gives_the_same_reply(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str whole = str_of(rows[i].input);
        for (size_t step = 1; step < whole.n; step++) {
            struct reply_parser p;
            const char *why = NULL;
            enum reply_status got = REPLY_MORE;
            reply_parser_init(&p);
            for (size_t at = 0; at < whole.n && got == REPLY_MORE; at += step) {
                struct str in = str_sub(whole, at, at + step);
                got = reply_parse(&p, &in, &why);
            }
            check(&rows[i], &p, got, why);
            reply_parser_done(&p);
        }
    }
}

static void replies_behind_each_other_are_cut_apart(void **state)
{
    struct reply_parser p;
    const char *why = NULL;
    struct str in = STR("250-2.0.0 a\r\n250 b\r\n550 no\r\n354");

    (void)state;
    reply_parser_init(&p);
    assert_int_equal(reply_parse(&p, &in, &why), REPLY_DONE);
    assert_int_equal(p.reply.code, 250);
    assert_true(str_eq_z(in, "550 no\r\n354"));
    reply_next_start(&p);
    assert_int_equal(reply_parse(&p, &in, &why), REPLY_DONE);
    assert_int_equal(p.reply.code, 550);
    assert_string_equal(p.reply.enhanced, "");
    assert_string_equal(buf_text(&p.reply.text), "no");
    reply_next_start(&p);
    assert_int_equal(reply_parse(&p, &in, &why), REPLY_MORE);
    assert_int_equal(in.n, 0);
    reply_parser_done(&p);
}

/* Feed n times the same text; the status where it stopped. */
static enum reply_status flood(const char *text, size_t times, size_t *memory)
{
    struct reply_parser p;
    const char *why = NULL;
    enum reply_status got = REPLY_MORE;

    reply_parser_init(&p);
    for (size_t i = 0; i < times && got == REPLY_MORE; i++) {
        struct str in = str_of(text);
        got = reply_parse(&p, &in, &why);
    }
    *memory = p.line.cap + p.reply.text.cap + p.reply.lines.cap;
    reply_parser_done(&p);
    return got;
}

static void floods_are_cut_off(void **state)
{
    size_t memory;
    char line[1002];

    (void)state;
    assert_int_equal(flood("250-x\r\n", 100, &memory), REPLY_MORE);
    assert_int_equal(flood("250-x\r\n", 101, &memory), REPLY_BROKEN);
    assert_int_equal(flood("x", 1024 * 1024, &memory), REPLY_BROKEN);
    assert_in_range(memory, 0, 64 * 1024);
    memset(line, 'y', sizeof(line));
    memcpy(line, "250-", 4);
    memcpy(line + 998, "\r\n", 3);
    assert_int_equal(flood(line, 32, &memory), REPLY_MORE);
    assert_int_equal(flood(line, 40, &memory), REPLY_BROKEN);
    assert_in_range(memory, 0, 256 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_read_as_the_table_says),
        cmocka_unit_test(any_cut_gives_the_same_reply),
        cmocka_unit_test(replies_behind_each_other_are_cut_apart),
        cmocka_unit_test(floods_are_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
