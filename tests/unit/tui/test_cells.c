/* SPDX-License-Identifier: ISC */
/* The grid: what stands in which column, and what never gets into a cell. */
#include "core/base/text.h"
#include "tests/unit/unit.h"
#include "tui/cells.h"
#include "tui/width.h"

struct row {
    const char *name, *input;
    int w;
    bool is_ascii;
    const char *want;
};

static void text_is_cut_by_columns(void **state)
{
    static const struct row rows[] = {
        {"fits", "abc", 5, false, "abc"},
        {"fits exactly", "abcde", 5, false, "abcde"},
        {"too long", "abcdef", 5, false, "abcd>"},
        {"wide fits", "\xe6\x97\xa5\xe6\x9c\xac", 4, false, "\xe6\x97\xa5\xe6\x9c\xac"},
        {"wide does not fit, its half is blank", "a\xe6\x97\xa5\xe6\x9c\xac", 4, false,
         "a\xe6\x97\xa5>"},
        {"combining takes no column", "e\xcc\x81tude", 5, false, "e\xcc\x81tude"},
        {"two marks are kept, more are not", "e\xcc\x81\xcc\x81\xcc\x81x", 5, false,
         "e\xcc\x81\xcc\x81x"},
        {"a mark alone is nothing", "\xcc\x81x", 5, false, "x"},
        {"escape", "a\033[2Jb", 14, false, "a<U+001B>[2Jb"},
        {"carriage return", "a\rb", 10, false, "a<U+000D>b"},
        {"C1",
         "a\xc2\x9b"
         "b",
         10, false, "a<U+009B>b"},
        {"bidi",
         "a\xe2\x80\xae"
         "b",
         10, false, "a<U+202E>b"},
        {"zero width",
         "a\xe2\x80\x8b"
         "b",
         10, false, "a<U+200B>b"},
        {"variation selector",
         "a\xef\xb8\x8f"
         "b",
         10, false, "a<U+FE0F>b"},
        {"newer than our table", "\xf0\x9f\xab\xa8", 10, false, "<U+1FAE8>"},
        {"not UTF-8",
         "a\xff"
         "b",
         10, false, "a?b"},
        {"ASCII terminal", "\xc3\xa9x", 10, true, "<U+00E9>x"},
        {"nothing", "", 5, false, ""},
        {"no room", "abc", 0, false, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cells g = {.is_ascii = rows[i].is_ascii};
        struct buf want = BUF_INIT, is = BUF_INIT;

        cells_reset(&g, 20, 1);
        cells_z(&g, 0, 0, rows[i].w, ROLE_TEXT, rows[i].input);
        cells_dump(&g, &is);
        buf_printf(&want, "%s\n", rows[i].want);
        if (strcmp(buf_text(&want), buf_text(&is)) != 0)
            fail_msg("%s: want %s, is %s", rows[i].name, buf_text(&want), buf_text(&is));
        buf_done(&want);
        buf_done(&is);
        cells_done(&g);
    }
}

/* Any bytes in: nothing that a terminal obeys, and nothing outside the columns. */
static void no_bytes_get_past_the_wall(void **state)
{
    struct cells g = {.is_ascii = false};
    uint32_t seed = 1;

    (void)state;
    cells_reset(&g, 40, 3);
    for (int round = 0; round < 20000; round++) {
        char bytes[60];
        size_t n;

        for (n = 0; n < sizeof(bytes); n++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[n] = (char)(seed >> 24 & (round % 2 ? 0xff : 0x9f));
        }
        cells_fill(&g, 1, 0, 40, ROLE_TEXT, '.');
        cells_remote(&g, 1, 5, 20, ROLE_TEXT, (struct str){bytes, n}, NULL);
        for (int x = 0; x < 40; x++) {
            const struct cell *c = cells_at(&g, 1, x);

            if (x < 5 || x >= 25)
                assert_int_equal(c->cp, '.');
            else
                assert_true(c->cp == 0 || width_char(c->cp) > 0);
            for (int m = 0; m < CELLS_MARKS_MAX; m++)
                assert_true(c->marks[m] == 0 || width_char(c->marks[m]) == 0);
        }
    }
    cells_done(&g);
}

static void half_a_wide_character_is_blanked(void **state)
{
    struct cells g = {.is_ascii = false};
    struct buf is = BUF_INIT;

    (void)state;
    cells_reset(&g, 6, 1);
    cells_z(&g, 0, 0, 6, ROLE_TEXT, "\xe6\x97\xa5\xe6\x9c\xac");
    cells_z(&g, 0, 1, 1, ROLE_TEXT, "x");
    cells_dump(&g, &is);
    assert_string_equal(buf_text(&is), " x\xe6\x9c\xac\n");
    buf_done(&is);
    cells_done(&g);
}

static void drawing_outside_is_left_out(void **state)
{
    struct cells g = {.is_ascii = false};
    struct buf is = BUF_INIT;

    (void)state;
    cells_reset(&g, 4, 2);
    cells_z(&g, 5, 0, 4, ROLE_TEXT, "below");
    cells_z(&g, -1, 0, 4, ROLE_TEXT, "above");
    cells_z(&g, 0, 2, 10, ROLE_TEXT, "right");
    cells_box(&g, 0, -2, 9, 20, ROLE_BORDER, "big");
    cells_dump(&g, &is);
    assert_true(is.n > 0);
    buf_done(&is);
    cells_done(&g);
}

static void wrapping_breaks_at_blanks(void **state)
{
    static const struct {
        const char *text;
        int w;
        const char *want;
    } rows[] = {
        {"one two three", 7, "one two|three|"},
        {"one two three", 5, "one|two|three|"},
        {"unbreakable", 4, "unbr|eaka|ble|"},
        {"a\nb", 10, "a|b|"},
        {"a\n\nb", 10, "a||b|"},
        {"\xe6\x97\xa5\xe6\x9c\xac", 1, "\xe6\x97\xa5|\xe6\x9c\xac|"},
        {"", 10, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str s = str_of(rows[i].text);
        struct buf is = BUF_INIT;

        while (s.n > 0) {
            buf_add_str(&is, cells_wrap(&s, rows[i].w));
            buf_add_c(&is, '|');
        }
        assert_string_equal(buf_text(&is), rows[i].want);
        buf_done(&is);
    }
}

static void tokens_tell_that_a_text_was_hostile(void **state)
{
    struct cells g = {.is_ascii = false};
    bool is_hostile = false;

    (void)state;
    cells_reset(&g, 20, 1);
    cells_remote(&g, 0, 0, 20, ROLE_TEXT, STR("clean"), &is_hostile);
    assert_false(is_hostile);
    cells_remote(&g, 0, 0, 20, ROLE_TEXT, STR("a\033b"), &is_hostile);
    assert_true(is_hostile);
    cells_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_by_columns),
        cmocka_unit_test(no_bytes_get_past_the_wall),
        cmocka_unit_test(half_a_wide_character_is_blanked),
        cmocka_unit_test(drawing_outside_is_left_out),
        cmocka_unit_test(wrapping_breaks_at_blanks),
        cmocka_unit_test(tokens_tell_that_a_text_was_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
