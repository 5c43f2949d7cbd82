/* SPDX-License-Identifier: ISC */
/* Address lists, many of them from RFC 5322 appendix A. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>
#include "core/mail/header.h"

static void collect(void *arg, struct str address)
{
    buf_printf(arg, "%.*s|", STR_ARG(address));
}

static void address_lists_are_read(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"plain", "a@b.example", "a@b.example|"},
        {"several", "a@b.example, c@d.example,e@f.example", "a@b.example|c@d.example|e@f.example|"},
        {"display name", "John Doe <jdoe@machine.example>", "jdoe@machine.example|"},
        {"quoted name with a comma", "\"Doe, John\" <j@d.example>, x@y.example",
         "j@d.example|x@y.example|"},
        {"quoted name with a quote", "\"Joe \\\"Q\\\" <x@y>\" <j@d.example>", "j@d.example|"},
        {"name with dots", "Joe Q. Public <john.q.public@example.com>",
         "john.q.public@example.com|"},
        {"encoded name", "=?utf-8?q?J=C3=B6rg?= <j@d.example>", "j@d.example|"},
        {"raw UTF-8", "J\xc3\xb6rg <j\xc3\xb6rg@d.example>", "j\xc3\xb6rg@d.example|"},
        {"no name", "<a@b.example>", "a@b.example|"},
        {"name without a domain", "root, \"Op\" <op>", "root|op|"},
        {"group", "A Group:Ed Jones <joe@where.test>,John <jdoe@one.test>;",
         "joe@where.test|jdoe@one.test|"},
        {"empty group", "Undisclosed recipients:;", ""},
        {"group with a comment", "undisclosed (really):;", ""},
        {"group among others", "a@b.example, G: c@d.example;, e@f.example",
         "a@b.example|c@d.example|e@f.example|"},
        {"comments", "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
         "pete@silly.test|"},
        {"nested comments", "a@b.example (one (two (three)))", "a@b.example|"},
        {"obsolete comments and blanks", "John Doe <jdoe@machine(comment).  example>",
         "jdoe@machine.example|"},
        {"obsolete blanks in the local part", "a . b @ c . example", "a.b@c.example|"},
        {"route", "<@node.test,@hop.test:joe@example.org>", "joe@example.org|"},
        {"route with blanks", "Joe <@node.test , , @hop.test : joe@example.org>",
         "joe@example.org|"},
        {"empty members", "a@b.example,, ,c@d.example,", "a@b.example|c@d.example|"},
        {"folded", "a@b.example,\r\n c@d.example", "a@b.example|c@d.example|"},
        {"quoted local part", "\"two words\"@b.example", "\"two words\"@b.example|"},
        {"quoted local part with an at", "\"a@b\"@c.example", "\"a@b\"@c.example|"},
        {"literal", "a@[192.0.2.1], b@[IPv6:2001:db8::1]", "a@[192.0.2.1]|b@[IPv6:2001:db8::1]|"},
        {"folding inside a quoted text goes", "\"a\r\n b\"@c.example", "\"a b\"@c.example|"},
        {"nothing", "", ""},
        {"only a comment", "(nobody)", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf got = BUF_INIT;
        const char *why = "no reason";
        if (!header_each_address(str_of(rows[i].text), collect, &got, &why))
            fail_msg("%s: %s", rows[i].name, why);
        if (strcmp(buf_text(&got), rows[i].want) != 0)
            fail_msg("%s: «%s»", rows[i].name, buf_text(&got));
    }
}

static void lists_that_do_not_parse_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"two words", "john doe", "several words and no address"},
        {"two words before an at", "john doe@b.example", "not one word"},
        {"nothing before an at", "@b.example", "not one word"},
        {"nothing behind an at", "a@", "domain behind"},
        {"nothing behind an at in brackets", "<a@>", "domain behind"},
        {"two addresses without a comma", "a@b.example c@d.example", "no comma"},
        {"semicolon", "a@b.example; c@d.example", "no comma"},
        {"empty brackets", "<>", "not an address"},
        {"words in brackets", "<a b@c.example>", "not an address"},
        {"no closing bracket", "Joe <a@b.example", "no \">\""},
        {"closing bracket only", "a@b.example>", "no comma"},
        {"comment without end", "a@b.example (x", "no \")\""},
        {"closing parenthesis only", "a@b.example, )", "no address can have"},
        {"quoted text without end", "\"a@b.example", "no end"},
        {"backslash at the end", "\"a\\", "no end"},
        {"group without end", "G: a@b.example", "no \";\""},
        {"group in a group", "G: H: a@b.example;;", "a group within a group"},
        {"group without a name", ": a@b.example;", "no name"},
        {"literal without end", "a@[192.0.2.1", "no \"]\""},
        {"route without a colon", "<@a.example b@c.example>", "no comma"},
        {"control character", "a\x01@b.example", "no comma"},
        {"two at signs", "a@b@c.example", "no comma"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf got = BUF_INIT;
        const char *why = "no reason";
        if (header_each_address(str_of(rows[i].text), collect, &got, &why))
            fail_msg("%s: read as «%s»", rows[i].name, buf_text(&got));
        if (!strstr(why, rows[i].want))
            fail_msg("%s: %s", rows[i].name, why);
    }
}

static void comments_are_nested_only_so_deep(void **state)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    CLEANUP(buf_done) struct buf got = BUF_INIT;
    const char *why;

    (void)state;
    for (int i = 0; i < 32; i++)
        buf_add_c(&text, '(');
    for (int i = 0; i < 32; i++)
        buf_add_c(&text, ')');
    assert_true(header_each_address(buf_str(&text), collect, &got, &why));
    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_add_c(&text, '(');
    assert_false(header_each_address(buf_str(&text), collect, &got, &why));
}

static void recipients_come_from_to_cc_and_bcc(void **state)
{
    CLEANUP(buf_done) struct buf got = BUF_INIT;
    const char *why;

    (void)state;
    assert_true(header_each_recipient(STR("From: f@x.example\r\nTO: a@x.example\r\n"
                                          "Cc: b@x.example,\r\n c@x.example\r\nBcc: d@x.example\r\n"
                                          "Reply-To: r@x.example\r\nTo: e@x.example\r\n\r\n"
                                          "To: body@x.example\r\n"),
                                      collect, &got, &why));
    assert_string_equal(buf_text(&got),
                        "a@x.example|b@x.example|c@x.example|d@x.example|e@x.example|");
    assert_false(header_each_recipient(STR("To: a b\r\n\r\n"), collect, &got, &why));
}

static void hostile_lists_take_time_in_line_with_their_size(void **state)
{
    static const char *const patterns[] = {"(", "()",  "\"", "\\", "a ", "a.",
                                           "<", "@a,", "G:", ",",  "[",  "a@b,"};
    static char text[256 * 1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        CLEANUP(buf_done) struct buf got = BUF_INIT;
        size_t n = strlen(patterns[i]);
        const char *why;
        for (size_t at = 0; at < sizeof(text); at++)
            text[at] = patterns[i][at % n];
        clock_t before = clock();
        header_each_address((struct str){text, sizeof(text)}, collect, &got, &why);
        assert_true(clock() - before < 2 * CLOCKS_PER_SEC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_lists_are_read),
        cmocka_unit_test(lists_that_do_not_parse_are_refused_with_a_reason),
        cmocka_unit_test(comments_are_nested_only_so_deep),
        cmocka_unit_test(recipients_come_from_to_cc_and_bcc),
        cmocka_unit_test(hostile_lists_take_time_in_line_with_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
