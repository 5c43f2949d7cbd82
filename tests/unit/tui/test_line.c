/* SPDX-License-Identifier: ISC */
/* The line that is typed: letters are text, control keys are readline's. */
#include "core/base/alloc.h"
#include "tests/unit/unit.h"
#include "tui/keys.h"
#include "tui/line.h"

static void keys_edit_as_readline_does(void **state)
{
    static const struct {
        const char *name;
        int32_t keys[12];
        const char *want;
    } rows[] = {
        {"letters are text", {'q', '?', ':', ' ', 'd'}, "q?: d"},
        {"backspace", {'a', 'b', K_BACKSPACE}, "a"},
        {"backspace on nothing", {K_BACKSPACE, 'a'}, "a"},
        {"insert in the middle", {'a', 'c', K_LEFT, 'b'}, "abc"},
        {"^A and ^E", {'b', K_CTRL('A'), 'a', K_CTRL('E'), 'c'}, "abc"},
        {"^U cuts before", {'a', 'b', K_LEFT, K_CTRL('U')}, "b"},
        {"^K cuts behind", {'a', 'b', K_LEFT, K_CTRL('K')}, "a"},
        {"^W cuts a word", {'a', ' ', 'b', 'c', ' ', K_CTRL('W')}, "a "},
        {"delete", {'a', 'b', K_HOME, K_DELETE}, "b"},
        {"wide characters", {0x65e5, 0x672c, K_LEFT, 'x'}, "\xe6\x97\xa5x\xe6\x9c\xac"},
        {"what cannot be shown is not taken", {0x202e, 0x200b, 0x1b, 'a'}, "a"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct line l = {.n = 0};
        char is[LINE_TEXT_MAX];

        for (size_t k = 0; k < 12 && rows[i].keys[k]; k++)
            line_key(&l, NULL, rows[i].keys[k]);
        line_text(&l, is, sizeof(is));
        row_text(rows[i].name, is, rows[i].want);
    }
}

static void a_line_has_an_end(void **state)
{
    struct line *l = xnew(struct line);

    (void)state;
    for (int i = 0; i < 2 * LINE_MAX_CHARS; i++)
        line_key(l, NULL, 'x');
    assert_int_equal(l->n, LINE_MAX_CHARS);
    free(l);
}

static void history_comes_back_newest_first(void **state)
{
    struct line_history *h = xnew(struct line_history);
    struct line l = {.n = 0};
    char is[LINE_TEXT_MAX];

    (void)state;
    for (int i = 0; i < LINE_HISTORY + 3; i++) {
        snprintf(is, sizeof(is), "text %d", i);
        line_remember(h, is);
        line_remember(h, is); /* the same again is one */
    }
    assert_int_equal(h->n, LINE_HISTORY);
    line_key(&l, h, K_UP);
    line_key(&l, h, K_UP);
    line_text(&l, is, sizeof(is));
    assert_string_equal(is, "text 11");
    line_key(&l, h, K_DOWN);
    line_key(&l, h, K_DOWN);
    line_text(&l, is, sizeof(is));
    assert_string_equal(is, "");
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_edit_as_readline_does),
        cmocka_unit_test(a_line_has_an_end),
        cmocka_unit_test(history_comes_back_newest_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
