/* SPDX-License-Identifier: ISC */
/* Substring search: every way against a naive oracle, over text and needles that nearly match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "store/search_private.h"

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool oracle_at(const char *p, const char *needle, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fold(p[i]) != fold(needle[i]))
            return false;
    }
    return true;
}

static size_t oracle_find(const char *p, size_t pn, const char *needle, size_t n)
{
    for (size_t i = 0; i + n <= pn; i++) {
        if (oracle_at(p + i, needle, n))
            return i;
    }
    return SIZE_MAX;
}

static size_t oracle_rfind(const char *p, size_t pn, const char *needle, size_t n)
{
    for (size_t i = pn >= n ? pn - n + 1 : 0; i-- > 0;) {
        if (oracle_at(p + i, needle, n))
            return i;
    }
    return SIZE_MAX;
}

/* Exactly as long as it says, so that the sanitizer sees a read past the end. */
static char *exact(const char *p, size_t n)
{
    char *copy = xmalloc(n ? n : 1);

    memcpy(copy, p, n);
    return copy;
}

static void every_way_agrees_with_the_oracle(void **state)
{
    /* few letters, both cases, and octets that differ from letters in bit 5 only */
    static const char alphabet[] = "abABxX@`[{\x80\xa0\n";
    struct rng rng;

    (void)state;
    rng_init_seed(&rng, 4711);
    for (unsigned round = 0; round < 20000; round++) {
        size_t pn = rng_below(&rng, 150), n = 1 + rng_below(&rng, 6);
        char text[150], needle[6];
        struct needle nd;

        for (size_t i = 0; i < pn; i++)
            text[i] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        for (size_t i = 0; i < n; i++)
            needle[i] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        if (rng_below(&rng, 2) && pn > n)
            memcpy(needle, text + rng_below(&rng, pn - n), n);
        char *p = exact(text, pn);

        needle_init(&nd, (struct str){needle, n});
        for (size_t w = 0; w < search_way_count; w++) {
            if (!search_ways[w].is_usable() || pn < n)
                continue;
            assert_int_equal(search_ways[w].find(&nd, p, pn), oracle_find(text, pn, needle, n));
            assert_int_equal(search_ways[w].rfind(&nd, p, pn), oracle_rfind(text, pn, needle, n));
        }
        assert_int_equal(needle_find(&nd, p, pn), oracle_find(text, pn, needle, n));
        assert_int_equal(needle_rfind(&nd, p, pn), oracle_rfind(text, pn, needle, n));
        free(p);
    }
}

static void the_edges_are_right(void **state)
{
    static const struct {
        const char *name, *text, *needle;
        size_t first, last;
    } rows[] = {
        {"empty needle", "abc", "", 0, 3},
        {"empty text", "", "a", SIZE_MAX, SIZE_MAX},
        {"needle longer than text", "ab", "abc", SIZE_MAX, SIZE_MAX},
        {"whole text", "ABC", "abc", 0, 0},
        {"overlapping itself", "aaaa", "aa", 0, 2},
        {"case of both", "To=<User@Example.COM>", "uSER@eXAMPLE.com", 4, 4},
        {"bit 5 alone is not case", "a[b", "a{b", SIZE_MAX, SIZE_MAX},
        {"at and backtick", "x@y", "x`y", SIZE_MAX, SIZE_MAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = strlen(rows[i].text);
        char *p = exact(rows[i].text, n);
        struct needle nd;

        needle_init(&nd, str_of(rows[i].needle));
        if (needle_find(&nd, p, n) != rows[i].first || needle_rfind(&nd, p, n) != rows[i].last)
            fail_msg("%s", rows[i].name);
        free(p);
    }
}

static void a_needle_is_cut_at_255_octets(void **state)
{
    char text[300];
    struct needle nd;

    (void)state;
    memset(text, 'q', sizeof(text));
    needle_init(&nd, (struct str){text, sizeof(text)});
    assert_int_equal(nd.n, 255);
    assert_int_equal(needle_rfind(&nd, text, sizeof(text)), 45);
}

static void the_rare_octet_is_chosen(void **state)
{
    struct needle nd;

    (void)state;
    needle_init(&nd, STR("see zebra"));
    assert_int_equal(nd.text[nd.rare], 'z');
    assert_true(nd.rare2 != nd.rare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_agrees_with_the_oracle),
        cmocka_unit_test(the_edges_are_right),
        cmocka_unit_test(a_needle_is_cut_at_255_octets),
        cmocka_unit_test(the_rare_octet_is_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
