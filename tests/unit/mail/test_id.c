/* SPDX-License-Identifier: ISC */
/* Identifiers: order, uniqueness, text. */
#include "tests/unit/unit.h"
#include "core/base/rng.h"
#include "core/mail/id.h"

#define NOW INT64_C(1795507200000) /* 2026-11-24 */

static void ids_only_grow_whatever_the_clock_does(void **state)
{
    (void)state;
    struct rng r;
    struct idgen g;
    int64_t last = 0, wall = NOW;

    rng_init_seed(&r, 3);
    idgen_init(&g, 7, 0);
    for (int i = 0; i < 200000; i++) {
        if (rng_below(&r, 50) == 0)
            wall += (int64_t)rng_below(&r, 2000) - 1000; /* back as often as forth */
        int64_t id = idgen_next(&g, wall);
        assert_true(id > last);
        last = id;
    }
}

static void more_than_a_millisecond_holds_borrow_from_the_next(void **state)
{
    (void)state;
    struct idgen g;
    idgen_init(&g, 255, 0);
    int64_t first = idgen_next(&g, NOW), id = first;
    for (int i = 1; i < 16384; i++)
        id = idgen_next(&g, NOW);
    assert_true(id_wall_ms(first) == NOW && id_wall_ms(id) == NOW);
    id = idgen_next(&g, NOW);
    assert_true(id_wall_ms(id) == NOW + 1);
    assert_int_equal((id >> 14) & 255, 255);
}

static void nodes_never_make_the_same_id(void **state)
{
    (void)state;
    struct idgen a, b;
    idgen_init(&a, 0, 0);
    idgen_init(&b, 1, 0);
    int64_t last_a = 0, first_b = idgen_next(&b, NOW);
    for (int i = 0; i < 16384; i++)
        last_a = idgen_next(&a, NOW);
    assert_true(id_wall_ms(last_a) == NOW);
    assert_true(last_a < first_b);
}

static void restart_goes_on_behind_the_last_known_id_also_of_another_node(void **state)
{
    (void)state;
    struct idgen old, new;
    idgen_init(&old, 9, 0);
    int64_t known = idgen_next(&old, NOW + 5000);
    idgen_init(&new, 2, known);
    int64_t id = idgen_next(&new, NOW); /* the clock is behind */
    assert_true(id > known);
    assert_int_equal((id >> 14) & 255, 2);
}

static void time_is_in_the_id(void **state)
{
    (void)state;
    struct idgen g;
    idgen_init(&g, 3, 0);
    int64_t id = idgen_next(&g, NOW);
    assert_true(id_wall_ms(id) == NOW);
    assert_true(id_floor(NOW) <= id && id < id_floor(NOW + 1));
    assert_true(id_floor(0) == 0);
    assert_true(id_floor(INT64_MAX) > 0);
}

static void clock_at_the_end_of_time_still_gives_growing_positive_ids(void **state)
{
    (void)state;
    struct idgen g;
    idgen_init(&g, 1, 0);
    int64_t last = 0;
    for (int i = 0; i < 40000; i++) {
        int64_t id = idgen_next(&g, INT64_MAX - 5);
        assert_true(id > last);
        last = id;
    }
}

static void text_sorts_like_the_number_and_reads_back(void **state)
{
    (void)state;
    struct rng r;
    rng_init_seed(&r, 4);
    for (int i = 0; i < 20000; i++) {
        int64_t a = (int64_t)(rng_u64(&r) >> (1 + rng_below(&r, 60)));
        int64_t b = (int64_t)(rng_u64(&r) >> (1 + rng_below(&r, 60)));
        char ta[ID_TEXT_MAX], tb[ID_TEXT_MAX];
        int64_t back;
        id_text(a, ta);
        id_text(b, tb);
        assert_int_equal(strlen(ta), 13);
        assert_null(strpbrk(ta, "AEIOUaeiou"));
        assert_int_equal((strcmp(ta, tb) > 0) - (strcmp(ta, tb) < 0), (a > b) - (a < b));
        assert_true(id_parse(str_of(ta), &back));
        assert_true(back == a);
    }
}

static const struct {
    const char *name, *in;
    int64_t want; /* -1: refused */
} parse_rows[] = {
    {"zero", "0000000000000", 0},
    {"one", "0000000000001", 1},
    {"last letter is 30", "000000000000Z", 30},
    {"lower case", "00000000000bz", 10 * 31 + 30},
    {"upper case", "00000000000BZ", 10 * 31 + 30},
    {"too short", "000000000000", -1},
    {"too long", "00000000000000", -1},
    {"a vowel", "000000000000A", -1},
    {"a space", "00000 0000000", -1},
    {"more than 63 bits", "ZZZZZZZZZZZZZ", -1},
    {"empty", "", -1},
};

static void text_is_read_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parse_rows); i++) {
        int64_t id = -1;
        row_int(parse_rows[i].name, id_parse(str_of(parse_rows[i].in), &id),
                parse_rows[i].want >= 0);
        row_int(parse_rows[i].name, id, parse_rows[i].want);
    }
    int64_t id;
    assert_false(id_parse(STR("000000\0"
                              "000000"),
                          &id));
    char text[ID_TEXT_MAX];
    assert_true(id_parse(str_of(id_text(INT64_MAX, text)), &id));
    assert_true(id == INT64_MAX);
    text[12]++; /* one more than 63 bits can hold */
    assert_false(id_parse(str_of(text), &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_only_grow_whatever_the_clock_does),
        cmocka_unit_test(more_than_a_millisecond_holds_borrow_from_the_next),
        cmocka_unit_test(nodes_never_make_the_same_id),
        cmocka_unit_test(restart_goes_on_behind_the_last_known_id_also_of_another_node),
        cmocka_unit_test(time_is_in_the_id),
        cmocka_unit_test(clock_at_the_end_of_time_still_gives_growing_positive_ids),
        cmocka_unit_test(text_sorts_like_the_number_and_reads_back),
        cmocka_unit_test(text_is_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
