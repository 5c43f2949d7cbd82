/* SPDX-License-Identifier: ISC */
/* Theme files: what they may say, and how a mistake is told. */
#include "tests/unit/unit.h"
#include "tui/theme.h"

static void mistakes_name_file_and_line(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"unknown role", "[roles]\ntext = red\ntxet = red\n",
         "t.ini:3: [roles] has no role \"txet\""},
        {"role of another section", "[queue]\nok = red\n", "t.ini:2: [queue] has no role \"ok\""},
        {"unknown colour", "[roles]\n\ntext = reddish\n", "t.ini:3: \"reddish\" is not a look"},
        {"colour out of range", "[roles]\ntext = 256\n", "t.ini:2: \"256\""},
        {"two colours without on", "[roles]\ntext = red blue\n", "t.ini:2: \"blue\""},
        {"nothing behind on", "[roles]\ntext = red on\n", "t.ini:2: \"on\""},
        {"too many choices", "[roles]\ntext = 1/2/3/4\n", "t.ini:2: \"1/2/3/4\""},
        {"unknown section", "# x\n[colours]\n", "t.ini:2: there is no section [colours]"},
        {"unknown key of [theme]", "[theme]\nauthor = me\n", "t.ini:2: [theme] has no \"author\""},
        {"not a setting", "[roles]\nbold\n", "t.ini:2: "},
        {"broken section", "[roles\n", "t.ini:1: "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_NONE;
        struct theme t;

        theme_init_default(&t);
        if (theme_parse(str_of(rows[i].text), "t.ini", &t, &err) != -(int)E_SYNTAX)
            fail_msg("%s: was taken", rows[i].name);
        if (strncmp(err.text, rows[i].want, strlen(rows[i].want)) != 0)
            fail_msg("%s: says \"%s\"", rows[i].name, err.text);
    }
}

static void a_bad_file_leaves_the_theme_as_it_was(void **state)
{
    struct theme t, before;
    struct err err;

    (void)state;
    theme_init_default(&t);
    before = t;
    assert_true(theme_parse(STR("[roles]\ntext = blue\nnone = red\n"), "x", &t, &err) < 0);
    assert_memory_equal(&t, &before, sizeof(t));
}

static void the_first_colour_that_the_terminal_has_is_taken(void **state)
{
    static const struct {
        const char *look;
        int colours, fg, bg;
        unsigned attrs;
    } rows[] = {
        {"208/bright-red/yellow", 256, 208, -1, 0},
        {"208/bright-red/yellow", 16, 9, -1, 0},
        {"208/bright-red/yellow", 8, 3, -1, 0},
        {"208/bright-red/yellow", 0, -1, -1, 0},
        {"bright-red", 8, 1, -1, THEME_BOLD},
        {"default on 4", 8, -1, 4, 0},
        {"black on yellow bold underline", 8, 0, 3, THEME_BOLD | THEME_UNDERLINE},
        {"208", 8, -1, -1, 0},
        {"", 256, -1, -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct theme_cell c;
        struct theme t;
        struct err err;
        char text[100];

        theme_init_default(&t);
        snprintf(text, sizeof(text), "[roles]\ntext = %s\n", rows[i].look);
        if (theme_parse(str_of(text), "t", &t, &err) < 0)
            fail_msg("%s", err.text);
        c = theme_cell(&t, ROLE_TEXT, false, rows[i].colours);
        if (c.fg != rows[i].fg || c.bg != rows[i].bg || c.attrs != rows[i].attrs)
            fail_msg("%s with %d colours: %d on %d, %u", rows[i].look, rows[i].colours, c.fg, c.bg,
                     c.attrs);
    }
}

static void the_row_under_the_cursor_is_seen_without_colours(void **state)
{
    struct theme t;
    struct err err;

    (void)state;
    theme_init_default(&t);
    assert_int_equal(theme_parse(STR("[roles]\nselected = black on green\n"), "t", &t, &err), 0);
    assert_true(theme_cell(&t, ROLE_TEXT, true, 0).attrs & THEME_REVERSE);
    assert_int_equal(theme_cell(&t, ROLE_TEXT, true, 8).bg, 2);
    assert_true(theme_cell(&t, ROLE_ALERT, false, 0).attrs & THEME_REVERSE);
}

/* Greylisting and full mailboxes are not red. */
static void waiting_for_the_next_try_is_not_red(void **state)
{
    struct theme t;

    (void)state;
    theme_init_default(&t);
    assert_int_not_equal(theme_cell(&t, ROLE_RETRYING, false, 8).fg, 1);
    assert_int_not_equal(theme_cell(&t, ROLE_LOG_DEFERRED, false, 8).fg, 1);
}

/* MXHELM_THEMES is the source's themes/ in this test. */
static void every_theme_of_the_tree_can_be_read(void **state)
{
    char names[20][THEME_NAME_MAX];
    size_t n = theme_list(names, 20);
    bool found[4] = {false};

    (void)state;
    for (size_t i = 0; i < n; i++) {
        static const char *const want[] = {"default", "light", "mono", "contrast"};
        struct theme t;
        struct err err;

        if (theme_load(names[i], &t, &err) < 0)
            fail_msg("%s", err.text);
        for (size_t w = 0; w < 4; w++)
            found[w] |= strcmp(names[i], want[w]) == 0;
    }
    assert_true(found[0] && found[1] && found[2] && found[3]);
}

static void the_built_in_default_is_the_one_in_the_folder(void **state)
{
    struct theme built_in, file;
    struct err err;

    (void)state;
    theme_init_default(&built_in);
    if (theme_load("default", &file, &err) < 0)
        fail_msg("%s", err.text);
    for (int r = 0; r < ROLE_COUNT; r++) {
        const struct theme_look *a = &built_in.looks[r], *b = &file.looks[r];

        if (memcmp(a, b, sizeof(*a)) != 0)
            fail_msg("role %s differs", role_name((enum role)r));
    }
}

static void mono_has_no_colours(void **state)
{
    struct theme t;
    struct err err;

    (void)state;
    assert_int_equal(theme_load("mono", &t, &err), 0);
    for (int r = 0; r < ROLE_COUNT; r++) {
        struct theme_cell c = theme_cell(&t, (enum role)r, true, 256);

        assert_true(c.fg == -1 && c.bg == -1);
    }
}

static void a_name_is_not_a_path(void **state)
{
    static const char *const names[] = {"../default", "/etc/passwd", ".", "", "a/b"};
    struct theme t;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(theme_load(names[i], &t, &err), -(int)E_NOTFOUND);
    assert_int_equal(theme_load("no-such-theme", &t, &err), -(int)E_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_name_file_and_line),
        cmocka_unit_test(a_bad_file_leaves_the_theme_as_it_was),
        cmocka_unit_test(the_first_colour_that_the_terminal_has_is_taken),
        cmocka_unit_test(the_row_under_the_cursor_is_seen_without_colours),
        cmocka_unit_test(waiting_for_the_next_try_is_not_red),
        cmocka_unit_test(every_theme_of_the_tree_can_be_read),
        cmocka_unit_test(the_built_in_default_is_the_one_in_the_folder),
        cmocka_unit_test(mono_has_no_colours),
        cmocka_unit_test(a_name_is_not_a_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
