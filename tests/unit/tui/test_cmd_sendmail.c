/* SPDX-License-Identifier: ISC */
/* sendmail(1): what its arguments mean, and what becomes of the text. */
#include "tests/unit/unit.h"
#include "core/mail/header.h"
#include "tui/sendmail.h"
#include "tui/submit.h"

#define MAX 20

static int cut(const char *line, char *store, size_t size, char **argv)
{
    int n = 0;
    static char name[] = "sendmail";
    argv[n++] = name;
    assert_true(str_copy(str_of(line), store, size));
    for (char *p = store; *p && n < MAX;) {
        argv[n++] = p;
        p += strcspn(p, " ");
        if (*p)
            *p++ = '\0';
    }
    return n;
}

static void arguments_mean_what_programs_expect(void **state)
{
    (void)state;
    static const struct {
        const char *line, *from, *name, *envid, *first;
        int n;
        bool t, i;
        unsigned notify;
        enum dsn_ret ret;
    } rows[] = {
        {"a@b", NULL, NULL, "", "a@b", 1, false, false, 0, DSN_RET_NONE},
        {"-t", NULL, NULL, "", NULL, 0, true, false, 0, DSN_RET_NONE},
        {"-t -i", NULL, NULL, "", NULL, 0, true, true, 0, DSN_RET_NONE},
        {"-ti", NULL, NULL, "", NULL, 0, true, true, 0, DSN_RET_NONE},
        {"-oi -t", NULL, NULL, "", NULL, 0, true, true, 0, DSN_RET_NONE},
        {"-f me@x a@b c@d", "me@x", NULL, "", "a@b", 2, false, false, 0, DSN_RET_NONE},
        {"-fme@x a@b", "me@x", NULL, "", "a@b", 1, false, false, 0, DSN_RET_NONE},
        {"-r me@x a@b", "me@x", NULL, "", "a@b", 1, false, false, 0, DSN_RET_NONE},
        {"-f <> a@b", "<>", NULL, "", "a@b", 1, false, false, 0, DSN_RET_NONE},
        {"-FAnna -i -- -odd@b", NULL, "Anna", "", "-odd@b", 1, false, true, 0, DSN_RET_NONE},
        {"-N never a@b", NULL, NULL, "", "a@b", 1, false, false, DSN_NEVER, DSN_RET_NONE},
        {"-N success,delay,FAILURE -R hdrs -V e1 a@b", NULL, NULL, "e1", "a@b", 1, false, false,
         DSN_SUCCESS | DSN_DELAY | DSN_FAILURE, DSN_RET_HDRS},
        {"-Rfull a@b", NULL, NULL, "", "a@b", 1, false, false, 0, DSN_RET_FULL},
        {"-odq -oem -em -v -bm -B8BITMIME -G -X /x -h 3 a@b", NULL, NULL, "", "a@b", 1, false,
         false, 0, DSN_RET_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char store[200], *argv[MAX + 1];
        struct sendmail_args a;
        struct err err = ERR_NONE;
        int argc = cut(rows[i].line, store, sizeof store, argv);
        row_int(rows[i].line, sendmail_parse(argc, argv, &a, &err), 0);
        row_text(rows[i].line, a.from ? a.from : "(none)", rows[i].from ? rows[i].from : "(none)");
        row_text(rows[i].line, a.name ? a.name : "(none)", rows[i].name ? rows[i].name : "(none)");
        row_text(rows[i].line, a.envid, rows[i].envid);
        row_int(rows[i].line, a.rcpts_n, rows[i].n);
        if (rows[i].first)
            row_text(rows[i].line, a.rcpts[0], rows[i].first);
        row_int(rows[i].line, a.reads_header, rows[i].t);
        row_int(rows[i].line, a.is_dot_text, rows[i].i);
        row_int(rows[i].line, a.notify, rows[i].notify);
        row_int(rows[i].line, a.ret, rows[i].ret);
    }
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "-i",
        "-f",
        "-z a@b",
        "-bs",
        "-bd",
        "-tz",
        "-N a@b",
        "-N , a@b",
        "-N never,delay a@b",
        "-R some a@b",
        "-V \x80 a@b",
        "--help a@b",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char store[200], *argv[MAX + 1];
        struct sendmail_args a;
        struct err err = ERR_NONE;
        int argc = cut(rows[i], store, sizeof store, argv);
        row_int(rows[i], sendmail_parse(argc, argv, &a, &err), -(int)E_SYNTAX);
        row_int(rows[i], err.text[0] != '\0', 1);
    }
}

static void text_becomes_lines_with_crlf(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *want, *want_dot;
    } rows[] = {
        {"nothing", "", "", ""},
        {"lf", "a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n"},
        {"crlf stays", "a\r\nb\r\n", "a\r\nb\r\n", "a\r\nb\r\n"},
        {"a lone cr is an end", "a\rb\r\r\n", "a\r\nb\r\n\r\n", "a\r\nb\r\n\r\n"},
        {"the last line gets its end", "a\nb", "a\r\nb\r\n", "a\r\nb\r\n"},
        {"a lone dot", "a\n.\nb\n", "a\r\n.\r\nb\r\n", "a\r\n"},
        {"a lone dot with crlf", "a\r\n.\r\nb\r\n", "a\r\n.\r\nb\r\n", "a\r\n"},
        {"dots that are not alone", "..\n. \n.a\n", "..\r\n. \r\n.a\r\n", "..\r\n. \r\n.a\r\n"},
        {"a mail folder's first line", "From me Tue\nA: b\n", "A: b\r\n", "A: b\r\n"},
        {"and only the first", "A: b\nFrom me\n", "A: b\r\nFrom me\r\n", "A: b\r\nFrom me\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b CLEANUP(buf_done) = BUF_INIT;
        submit_text(str_of(rows[i].in), false, &b);
        row_text(rows[i].name, buf_text(&b), rows[i].want);
        buf_clear(&b);
        submit_text(str_of(rows[i].in), true, &b);
        row_text(rows[i].name, buf_text(&b), rows[i].want_dot);
    }
}

static void nul_octets_are_text(void **state)
{
    (void)state;
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    submit_text(STR("a\0b\n"), true, &b);
    row_str("nul", buf_str(&b), STR("a\0b\r\n"));
}

static void header_ends_at_the_empty_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t want;
    } rows[] = {{"", 0}, {"A: b\r\n\r\nx\r\n", 8}, {"A: b\r\n", 6}, {"\r\nx\r\n", 2}, {"x", 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_int(rows[i].text, submit_header_end(str_of(rows[i].text)), rows[i].want);
}

static void recipients_are_completed_and_taken_once(void **state)
{
    (void)state;
    struct submit s CLEANUP(submit_done) = {0};
    const char *why;
    assert_true(submit_add(&s, STR("root"), "mail.example.com", &why));
    assert_true(submit_add(&s,
                           STR(" <a@B\xC3\xBC"
                               "cher.example> "),
                           "h.example", &why));
    assert_true(submit_add(&s, STR("a@xn--bcher-kva.example"), "h.example", &why));
    assert_int_equal(s.n, 2);
    assert_string_equal(s.rcpts[0].address, "root@mail.example.com");
    assert_string_equal(s.rcpts[1].address, "a@xn--bcher-kva.example");
    assert_false(s.is_utf8);
    assert_false(submit_add(&s, STR("a b@c"), "h.example", &why));
    assert_false(submit_add(&s, STR(""), "h.example", &why));
    assert_false(submit_add(&s, STR("a@b\r\nRCPT TO:<c@d>"), "h.example", &why));
    assert_true(submit_from(&s, STR("<>"), "h.example", &why));
    assert_string_equal(s.from, "");
    assert_true(submit_from(&s, STR("www-data"), "h.example", &why));
    assert_string_equal(s.from, "www-data@h.example");
}

static void from_fields_read_back_as_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want; /* decoded */
    } rows[] = {
        {"Anna", "\"Anna\" <a@b.example>"},
        {"Doe, \"J\\\"", "\"Doe, \\\"J\\\\\\\"\" <a@b.example>"},
        {"Zo\xC3\xAB", "Zo\xC3\xAB <a@b.example>"},
        {"\xE6\x97\xA5\xE6\x9C\xAC\xE6\x97\xA5\xE6\x9C\xAC\xE6\x97\xA5\xE6\x9C\xAC\xE6\x97\xA5\xE6"
         "\x9C\xAC",
         "\xE6\x97\xA5\xE6\x9C\xAC\xE6\x97\xA5\xE6\x9C\xAC\xE6\x97\xA5\xE6\x9C\xAC\xE6\x97\xA5\xE6"
         "\x9C\xAC"
         " <a@b.example>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b CLEANUP(buf_done) = BUF_INIT;
        struct str body;
        char got[300];
        sendmail_from_field(&b, rows[i].name, "a@b.example");
        buf_add_z(&b, "\r\n");
        row_int(rows[i].name, header_find(buf_str(&b), "From", &body), 1);
        header_decode(body, got, sizeof got);
        row_text(rows[i].name, got, rows[i].want);
    }
}

static void from_fields_cannot_be_broken_out_of(void **state)
{
    (void)state;
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    sendmail_from_field(&b, "x\r\nBcc: evil@x.example\r\n\r\n\xFF", "a@b.example");
    assert_true(str_ifind(buf_str(&b), STR("\nBcc")) == SIZE_MAX);
    assert_true(str_ifind(buf_str(&b), STR("\r\n\r\n")) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_mean_what_programs_expect),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(text_becomes_lines_with_crlf),
        cmocka_unit_test(nul_octets_are_text),
        cmocka_unit_test(header_ends_at_the_empty_line),
        cmocka_unit_test(recipients_are_completed_and_taken_once),
        cmocka_unit_test(from_fields_read_back_as_the_name),
        cmocka_unit_test(from_fields_cannot_be_broken_out_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
