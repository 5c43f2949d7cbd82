/* SPDX-License-Identifier: ISC */
/* Borrowed and owned byte strings. */
#include "tests/unit/unit.h"
#include "core/base/alloc.h"

static void str_compares_bytes_and_length(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str a, b;
        bool is_eq, is_ieq;
    } rows[] = {
        {"same", STR("abc"), STR("abc"), true, true},
        {"case", STR("aBc"), STR("AbC"), false, true},
        {"prefix", STR("ab"), STR("abc"), false, false},
        {"nothing and empty", STR_NONE, STR(""), true, true},
        {"nothing and something", STR_NONE, STR("a"), false, false},
        {"NUL is a byte", STR("a\0b"), STR("a\0c"), false, false},
        {"@ is not `", STR("@"), STR("`"), false, false},
        {"[ is not {", STR("["), STR("{"), false, false},
        {"no folding above ASCII", STR("\xc4"), STR("\xe4"), false, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        row_int(rows[i].name, str_eq(rows[i].a, rows[i].b), rows[i].is_eq);
        row_int(rows[i].name, str_eq(rows[i].b, rows[i].a), rows[i].is_eq);
        row_int(rows[i].name, str_ieq(rows[i].a, rows[i].b), rows[i].is_ieq);
    }
    assert_true(str_eq_z(STR("abc"), "abc"));
    assert_false(str_eq_z(STR("abc\0"), "abc"));
    assert_true(str_eq_z(STR_NONE, NULL));
    assert_true(str_ieq_z(STR("EHLO"), "ehlo"));
}

static void str_knows_how_it_starts_and_ends(void **state)
{
    (void)state;
    assert_true(str_starts(STR("MAIL FROM"), STR("MAIL")));
    assert_false(str_starts(STR("MAIL FROM"), STR("mail")));
    assert_true(str_istarts(STR("MAIL FROM"), STR("mail")));
    assert_false(str_starts(STR("MA"), STR("MAIL")));
    assert_true(str_starts(STR_NONE, STR_NONE));
    assert_true(str_ends(STR("example.com"), STR(".com")));
    assert_false(str_ends(STR("com"), STR(".com")));
    assert_true(str_ends(STR_NONE, STR("")));
    assert_true(str_ends(STR("x"), STR_NONE));
}

static void str_find_answers_the_length_when_absent(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("a:b:c"), ':'), 1);
    assert_int_equal(str_find(STR("abc"), ':'), 3);
    assert_int_equal(str_find(STR_NONE, ':'), 0);
}

static void str_ifind_finds_what_a_naive_reader_finds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str in, needle;
        size_t want;
    } rows[] = {
        {"front", STR("Host not found"), STR("host"), 0},
        {"middle", STR("Host NOT found"), STR("not"), 5},
        {"end", STR("Host not found"), STR("FOUND"), 9},
        {"false start", STR("aaab"), STR("aab"), 1},
        {"absent", STR("abc"), STR("abd"), SIZE_MAX},
        {"longer than the text", STR("ab"), STR("abc"), SIZE_MAX},
        {"empty needle", STR("abc"), STR(""), 0},
        {"empty everything", STR_NONE, STR_NONE, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_int(rows[i].name, str_ifind(rows[i].in, rows[i].needle), rows[i].want);
}

static void str_sub_is_clamped(void **state)
{
    (void)state;
    row_str("inside", str_sub(STR("abcdef"), 1, 3), STR("bc"));
    row_str("to past the end", str_sub(STR("abc"), 1, SIZE_MAX), STR("bc"));
    row_str("from past the end", str_sub(STR("abc"), 9, 12), STR(""));
    row_str("backwards", str_sub(STR("abc"), 2, 1), STR(""));
    row_str("of nothing", str_sub(STR_NONE, 1, 2), STR(""));
}

static void str_trim_takes_blanks_of_both_ends_only(void **state)
{
    (void)state;
    row_str("both", str_trim(STR(" \t\r\na b\n\r\t ")), STR("a b"));
    row_str("only blanks", str_trim(STR(" \t ")), STR(""));
    row_str("NUL stays", str_trim(STR("\0a ")), STR("\0a"));
    row_str("nothing", str_trim(STR_NONE), STR(""));
}

static void str_split_walks_the_parts(void **state)
{
    (void)state;
    struct str s = STR("a,,bc,");

    row_str("first", str_split(&s, ','), STR("a"));
    row_str("empty", str_split(&s, ','), STR(""));
    row_str("third", str_split(&s, ','), STR("bc"));
    row_str("rest", s, STR(""));
    row_str("of the rest", str_split(&s, ','), STR(""));
    s = STR("whole");
    row_str("no separator", str_split(&s, ','), STR("whole"));
    assert_int_equal(s.n, 0);
}

static void str_copy_says_when_it_cut(void **state)
{
    (void)state;
    char out[4];

    assert_true(str_copy(STR("abc"), out, sizeof(out)));
    assert_string_equal(out, "abc");
    assert_false(str_copy(STR("abcd"), out, sizeof(out)));
    assert_string_equal(out, "abc");
    assert_true(str_copy(STR_NONE, out, sizeof(out)));
    assert_string_equal(out, "");
    assert_false(str_copy(STR("a"), out, 1));
    assert_string_equal(out, "");

    char *copy = str_dup(STR("a\0b"));
    assert_memory_equal(copy, "a\0b", 4);
    free(copy);
}

static void buf_is_terminated_after_every_step(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;

    assert_string_equal(buf_text(&b), "");
    buf_reserve(&b, 100);
    assert_string_equal(buf_text(&b), "");
    buf_add(&b, NULL, 0);
    assert_string_equal(buf_text(&b), "");
    buf_add_z(&b, "250");
    buf_add_c(&b, '-');
    buf_add_str(&b, STR("mail"));
    buf_printf(&b, " %d %s", 42, "octets");
    assert_string_equal(buf_text(&b), "250-mail 42 octets");
    assert_int_equal(b.n, 18);
    buf_drop(&b, 4);
    assert_string_equal(buf_text(&b), "mail 42 octets");
    buf_truncate(&b, 4);
    assert_string_equal(buf_text(&b), "mail");
    assert_true(str_eq(buf_str(&b), STR("mail")));
    buf_clear(&b);
    assert_string_equal(buf_text(&b), "");
    assert_true(b.cap > 0);
    buf_done(&b);
    assert_null(b.p);
    buf_done(&b);
}

static void buf_empty_ones_may_be_cleared_dropped_and_cut(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;

    buf_clear(&b);
    buf_drop(&b, 0);
    buf_truncate(&b, 0);
    assert_int_equal(buf_str(&b).n, 0);
    assert_null(b.p);
}

static void buf_grows_to_what_is_added(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    char *want = xcalloc(1, 100001);

    memset(want, 'x', 100000);
    buf_printf(&b, "%s", want);
    assert_string_equal(buf_text(&b), want);
    buf_clear(&b);
    for (int i = 0; i < 100000; i++)
        buf_add_c(&b, 'x');
    assert_string_equal(buf_text(&b), want);
    buf_done(&b);

    /* Exactly as long as the room there is: the NUL is the byte too many. */
    for (size_t n = 1; n < 300; n++) {
        struct buf exact = BUF_INIT;
        buf_printf(&exact, "%.*s", (int)n, want);
        assert_int_equal(exact.n, n);
        assert_int_equal(strlen(exact.p), n);
        buf_done(&exact);
    }
    free(want);
}

static void buf_take_hands_the_memory_over(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    char *p = buf_take(&b);

    assert_string_equal(p, "");
    free(p);
    buf_add_z(&b, "abc");
    p = buf_take(&b);
    assert_string_equal(p, "abc");
    assert_null(b.p);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.cap, 0);
    free(p);
}

static void alloc_copies_and_prints(void **state)
{
    (void)state;
    char *p = xstrdup("abc");
    assert_string_equal(p, "abc");
    free(p);
    assert_null(xstrdup(NULL));
    assert_null(xstrndup(NULL, 3));
    p = xstrndup("abcdef", 3);
    assert_string_equal(p, "abc");
    free(p);
    p = xstrndup("ab", 30);
    assert_string_equal(p, "ab");
    free(p);
    p = xasprintf("%d-%s", 7, "x");
    assert_string_equal(p, "7-x");
    free(p);
    p = xmalloc(0);
    assert_non_null(p);
    p = xrealloc(p, 0);
    assert_non_null(p);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_compares_bytes_and_length),
        cmocka_unit_test(str_knows_how_it_starts_and_ends),
        cmocka_unit_test(str_find_answers_the_length_when_absent),
        cmocka_unit_test(str_ifind_finds_what_a_naive_reader_finds),
        cmocka_unit_test(str_sub_is_clamped),
        cmocka_unit_test(str_trim_takes_blanks_of_both_ends_only),
        cmocka_unit_test(str_split_walks_the_parts),
        cmocka_unit_test(str_copy_says_when_it_cut),
        cmocka_unit_test(buf_is_terminated_after_every_step),
        cmocka_unit_test(buf_empty_ones_may_be_cleared_dropped_and_cut),
        cmocka_unit_test(buf_grows_to_what_is_added),
        cmocka_unit_test(buf_take_hands_the_memory_over),
        cmocka_unit_test(alloc_copies_and_prints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
