/* SPDX-License-Identifier: ISC */
/* config show retry: the table as people read it, and as programs do. */
#include "tests/unit/unit.h"
#include "core/base/clock.h"
#include "tui/retry_table.h"

static const char both_profiles[] =
    "\n"
    "When mail that nobody takes is tried (each wait is up to 10 % longer or shorter):\n"
    "\n"
    "            normal (in force)                   short\n"
    "  try      wait since arrival      wait since arrival\n"
    "    1         -            0s         -            0s\n"
    "    2        5m            5m        5m            5m\n"
    "    3     7m30s        12m30s     7m30s        12m30s\n"
    "    4    11m15s        23m45s    11m15s        23m45s\n"
    "    5    16m52s        40m37s    16m52s        40m37s\n"
    "    6    25m18s         1h05m    25m18s         1h05m\n"
    "    7    37m58s         1h43m    37m58s         1h43m\n"
    "    8    56m57s         2h40m    56m57s         2h40m\n"
    "    9     1h25m         4h06m        1h         3h40m\n"
    "   10     2h08m         6h14m        1h         4h40m\n"
    "   11        3h         9h14m        1h         5h40m\n"
    "  ...        3h            5d        1h            2d\n"
    "\n"
    "                             normal      short   RFC 5321 4.5.4.1\n"
    "  given up after                 5d         2d*  at least 4 to 5 days\n"
    "  tries in the first hour         5          5   two\n"
    "  shortest wait                  5m*        5m*  30 minutes, in general\n"
    "  longest wait                   3h         1h*  two or three hours\n"
    "  tries in all                   48         54\n"
    "  reports given up after         1d        12h   may be sooner than mail\n"
    "  tries of a report              16         18\n"
    "  sender told of a delay         4h         4h\n"
    "\n"
    "* not what the RFC says. Short waits (in force: under 30 minutes until 1h05m\n"
    "after arrival) are for servers that greylist: they refuse whom they do not know,\n"
    "and take the same message minutes later (RFC 6647).\n"
    "When a server says when to come back, we come no earlier (at least 30s, at most\n"
    "the longest wait); after each of the first 3 tries no later either.\n";

static void table_has_both_profiles_beside_the_rfc(void **state)
{
    (void)state;
    struct retry_column columns[RETRY_COLUMNS_MAX];
    struct buf out = BUF_INIT;
    size_t n = retry_columns(retry_profile(STR("normal")), columns);
    assert_int_equal(n, 2);
    retry_table_put(&out, columns, n);
    assert_string_equal(buf_text(&out), both_profiles);
    buf_done(&out);
}

static void values_of_no_profile_have_a_column_of_their_own(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "                     in force                  normal                   short\n",
        "    2       30m           30m        5m            5m        5m            5m\n",
        "  ...        2h            4d        3h            5d        1h            2d\n",
        "                           in force     normal      short   RFC 5321 4.5.4.1\n",
        "  shortest wait                 30m         5m*        5m*  30 minutes, in general\n",
        "  longest wait                   2h         3h         1h*  two or three hours\n",
        "  sender told of a delay          -         4h         4h\n",
        "* not what the RFC says.\nWhen a server",
    };
    struct retry_policy p = *retry_profile(STR("normal"));
    struct retry_column columns[RETRY_COLUMNS_MAX];
    struct buf out = BUF_INIT;
    p.first_ms = 30 * MINUTE_MS;
    p.growth_percent = 400;
    p.max_ms = 2 * HOUR_MS;
    p.lifetime_ms = 4 * DAY_MS;
    p.delay_notice_ms = 0;
    size_t n = retry_columns(&p, columns);
    assert_int_equal(n, 3);
    assert_true(columns[0].is_in_force && columns[0].is_changed && columns[0].policy == &p);
    assert_false(columns[1].is_in_force || columns[1].is_changed || columns[2].is_in_force);
    retry_table_put(&out, columns, n);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (!strstr(buf_text(&out), lines[i]))
            fail_msg("there is no \"%s\" in%s", lines[i], buf_text(&out));
    buf_done(&out);
}

static void short_profile_is_marked_when_it_is_in_force(void **state)
{
    (void)state;
    struct retry_column columns[RETRY_COLUMNS_MAX];
    struct buf out = BUF_INIT;
    size_t n = retry_columns(retry_profile(STR("short")), columns);
    assert_int_equal(n, 2);
    retry_table_put(&out, columns, n);
    assert_non_null(strstr(buf_text(&out), " normal        short (in force)\n"));
    buf_done(&out);
}

/* Whatever the configuration allows is told in a page. */
static void extreme_values_are_told_in_a_page(void **state)
{
    (void)state;
    static const struct retry_policy rows[] = {
        {.name = "normal",
         .first_ms = SECOND_MS,
         .max_ms = SECOND_MS,
         .growth_percent = 100,
         .lifetime_ms = 60 * DAY_MS,
         .report_lifetime_ms = 60 * DAY_MS},
        {.name = "normal",
         .first_ms = SECOND_MS,
         .max_ms = 7 * DAY_MS,
         .growth_percent = 101,
         .lifetime_ms = 60 * DAY_MS,
         .report_lifetime_ms = SECOND_MS},
        {.name = "short",
         .first_ms = DAY_MS,
         .max_ms = 7 * DAY_MS,
         .growth_percent = 1000,
         .lifetime_ms = SECOND_MS,
         .report_lifetime_ms = SECOND_MS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct retry_column columns[RETRY_COLUMNS_MAX];
        struct buf out = BUF_INIT;
        size_t n = retry_columns(&rows[i], columns), lines = 0;
        retry_table_put(&out, columns, n);
        for (size_t at = 0; at < out.n; at++)
            lines += out.p[at] == '\n';
        assert_in_range(lines, 20, 50);
        buf_done(&out);
    }
}

static bool is_in_readme(const char *name)
{
    static char text[20000];
    const char *path = getenv("MXHELM_TUI_README");
    FILE *f = path ? fopen(path, "r") : NULL;
    if (!f)
        fail_msg("MXHELM_TUI_README does not name tui/README.md");
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return strstr(text, name) != NULL;
}

static void json_says_the_same(void **state)
{
    (void)state;
    struct retry_column columns[RETRY_COLUMNS_MAX];
    retry_columns(retry_profile(STR("normal")), columns);
    json_t *o = json_of_retry(&columns[1]), *v;
    const char *key;
    json_object_foreach(o, key, v)
    {
        if (!is_in_readme(key))
            fail_msg("%s is not in tui/README.md", key);
    }
    assert_string_equal(json_string_value(json_object_get(o, "profile")), "short");
    assert_false(json_is_true(json_object_get(o, "is_in_force")));
    assert_int_equal(json_integer_value(json_object_get(o, "tries")), 54);
    assert_int_equal(json_integer_value(json_object_get(o, "report_lifetime_ms")), 12 * HOUR_MS);
    json_t *schedule = json_object_get(o, "schedule");
    assert_int_equal(json_array_size(schedule), 9);
    json_t *third = json_array_get(schedule, 2);
    assert_int_equal(json_integer_value(json_object_get(third, "number")), 3);
    assert_int_equal(json_integer_value(json_object_get(third, "since_arrival_ms")), 750000);
    json_t *rule = json_array_get(json_object_get(o, "rfc_5321_4_5_4_1"), 0);
    assert_string_equal(json_string_value(json_object_get(rule, "name")), "lifetime_ms");
    assert_true(json_is_false(json_object_get(rule, "is_kept")));
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_has_both_profiles_beside_the_rfc),
        cmocka_unit_test(values_of_no_profile_have_a_column_of_their_own),
        cmocka_unit_test(short_profile_is_marked_when_it_is_in_force),
        cmocka_unit_test(extreme_values_are_told_in_a_page),
        cmocka_unit_test(json_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
