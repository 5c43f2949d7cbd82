/* SPDX-License-Identifier: ISC */
/* The INI grammar: what each kind of line is read as, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "core/mail/ini.h"

static struct ini_item first_item(const char *text)
{
    struct ini r;
    struct ini_item item;

    ini_init(&r, str_of(text));
    ini_next(&r, &item);
    return item;
}

static void sections_and_settings_are_read(void **state)
{
    static const struct {
        const char *name, *text;
        enum ini_kind kind;
        const char *word, *value;
        unsigned line;
    } rows[] = {
        {"plain section", "[identity]\n", INI_SECTION, "identity", "", 1},
        {"quoted argument", "[relay \"office\"]\n", INI_SECTION, "relay", "office", 1},
        {"quoted argument with a blank", "[route \"a b\"]", INI_SECTION, "route", "a b", 1},
        {"bare argument", "[relay office]", INI_SECTION, "relay", "office", 1},
        {"no blank before the quote", "[relay\"office\"]", INI_SECTION, "relay", "office", 1},
        {"blanks everywhere", "  [  relay   \"office\"  ]  ", INI_SECTION, "relay", "office", 1},
        {"empty argument", "[relay \"\"]", INI_SECTION, "relay", "", 1},
        {"setting", "key=value", INI_SETTING, "key", "value", 1},
        {"setting with blanks", "\tkey-two =  a  b \r\n", INI_SETTING, "key-two", "a  b", 1},
        {"empty value", "key =\n", INI_SETTING, "key", "", 1},
        {"value with an equals sign", "key = a=b", INI_SETTING, "key", "a=b", 1},
        {"value that begins with a hash", "key = #1", INI_SETTING, "key", "#1", 1},
        {"value with a hash inside a word", "key = a#b", INI_SETTING, "key", "a#b", 1},
        {"comments and empty lines are counted", "# one\n\n ; three\nkey = 4", INI_SETTING, "key",
         "4", 4},
        {"byte order mark", "\xef\xbb\xbfkey = v", INI_SETTING, "key", "v", 1},
        {"CRLF", "\r\nkey = v\r\n", INI_SETTING, "key", "v", 2},
        {"only comments", "# a\n# b", INI_END, "", "", 2},
        {"nothing", "", INI_END, "", "", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ini_item item = first_item(rows[i].text);
        if (item.kind != rows[i].kind || !str_eq_z(item.name, rows[i].word) ||
            !str_eq_z(item.value, rows[i].value))
            fail_msg("%s: kind %d, «%.*s» «%.*s», %s", rows[i].name, item.kind, STR_ARG(item.name),
                     STR_ARG(item.value), item.why ? item.why : "no fault");
        if (item.kind != INI_END && item.line != rows[i].line)
            fail_msg("%s: line %u", rows[i].name, item.line);
    }
}

static void lines_outside_the_grammar_are_refused(void **state)
{
    static const struct {
        const char *name, *text, *why;
    } rows[] = {
        {"no bracket", "[identity", "the \"]\" is missing"},
        {"text behind the bracket", "[identity] # ours", "lines of their own"},
        {"no word", "[]", "a section is written"},
        {"only an argument", "[\"a\"]", "a section is written"},
        {"dotted section", "[a.b]", "a section is written"},
        {"lone quote", "[relay \"]", "quote"},
        {"three quotes", "[relay \"a\"b\"]", "quote"},
        {"no equals sign", "hostname mail.example.com", "no \"=\""},
        {"colon", "hostname: mail.example.com", "no \"=\""},
        {"no key", "= value", "not a key"},
        {"key with a blank", "two words = value", "not a key"},
        {"comment behind a value", "port = 25 # smtp", "comments stand on lines of their own"},
        {"comment with a semicolon", "port = 25\t;smtp", "comments stand on lines of their own"},
        {"control character", "key = a\x01", "control character"},
        {"bare CR inside", "key = a\rb", "control character"},
        {"delete", "key = \x7f", "control character"},
        {"not UTF-8", "key = \xff", "UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ini_item item = first_item(rows[i].text);
        if (item.kind != INI_ERROR || item.line != 1 || !strstr(item.why, rows[i].why))
            fail_msg("%s: kind %d, %s", rows[i].name, item.kind, item.why ? item.why : "no fault");
    }
}

static void a_line_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    static char text[INI_LINE_MAX + 2];

    (void)state;
    memset(text, 'x', INI_LINE_MAX);
    text[1] = '=';
    assert_int_equal(first_item(text).kind, INI_SETTING);
    assert_int_equal(first_item(text).value.n, INI_LINE_MAX - 2);
    text[INI_LINE_MAX] = 'x';
    assert_int_equal(first_item(text).kind, INI_ERROR);
}

static void a_nul_is_a_control_character(void **state)
{
    struct ini r;
    struct ini_item item;

    (void)state;
    ini_init(&r, STR("key = a\0b\n"));
    ini_next(&r, &item);
    assert_int_equal(item.kind, INI_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_settings_are_read),
        cmocka_unit_test(lines_outside_the_grammar_are_refused),
        cmocka_unit_test(a_line_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(a_nul_is_a_control_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
