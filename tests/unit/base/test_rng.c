/* SPDX-License-Identifier: ISC */
/* Random numbers: repeatable from a seed, within their bounds, and spread over them. */
#include "tests/unit/unit.h"
#include "core/base/clock.h"
#include "core/base/rng.h"

static void rng_is_xoshiro256_starstar(void **state)
{
    (void)state;
    /* From the authors' reference code, state {1, 2, 3, 4}. */
    static const uint64_t want[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    struct rng r = {.s = {1, 2, 3, 4}};

    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(rng_u64(&r) == want[i]);
}

static void rng_repeats_from_a_seed(void **state)
{
    (void)state;
    struct rng a, b, c;

    rng_init_seed(&a, 0);
    rng_init_seed(&b, 0);
    rng_init_seed(&c, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t x = rng_u64(&a);
        assert_true(x == rng_u64(&b));
        assert_false(x == rng_u64(&c));
    }
}

static void rng_of_the_system_differs_each_time(void **state)
{
    (void)state;
    struct rng a, b;
    char x[32] = {0}, y[32] = {0};

    rng_init_system(&a);
    rng_init_system(&b);
    assert_false(rng_u64(&a) == rng_u64(&b));
    rng_bytes(x, sizeof(x));
    rng_bytes(y, sizeof(y));
    assert_memory_not_equal(x, y, sizeof(x));
    rng_bytes(x, 0);
}

static void below_reaches_every_number_and_no_other(void **state)
{
    (void)state;
    struct rng r;
    unsigned seen[7] = {0};

    rng_init_seed(&r, 6);
    for (int i = 0; i < 7000; i++) {
        uint64_t x = rng_below(&r, 7);
        assert_true(x < 7);
        seen[x]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        assert_in_range(seen[i], 850, 1150);
    assert_int_equal(rng_below(&r, 1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

static void jitter_stays_within_its_percentage(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t value;
        int percent;
        int64_t low, high;
    } rows[] = {
        {"a fifth", 1000, 20, 800, 1200},
        {"none", 1000, 0, 1000, 1000},
        {"less than none", 1000, -5, 1000, 1000},
        {"all", 10, 100, 0, 20},
        {"more than all", 10, 300, 0, 20},
        {"of nothing", 0, 50, 0, 0},
        {"of less", -10, 50, 0, 0},
        {"too small to move", 3, 20, 3, 3},
        {"largest", INT64_MAX, 100, 0, INT64_MAX},
    };
    struct rng r;

    rng_init_seed(&r, 7);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool is_low = false, is_high = false;

        for (int k = 0; k < 20000; k++) {
            int64_t x = rng_jitter(&r, rows[i].value, rows[i].percent);

            if (x < rows[i].low || x > rows[i].high)
                fail_msg("row \"%s\": %" PRId64 " is out of bounds", rows[i].name, x);
            is_low |= x == rows[i].low;
            is_high |= x == rows[i].high;
        }
        if (rows[i].high < 10000)
            row_int(rows[i].name, is_low && is_high, true);
    }
}

static void clock_of_the_system_goes_forward(void **state)
{
    (void)state;
    const struct clock *c = clock_system();
    int64_t mono = c->mono_ms(c);

    /* After 2020, so it is milliseconds since the epoch. */
    assert_true(c->wall_ms(c) > INT64_C(1577836800) * SECOND_MS);
    assert_true(c->wall_ms(c) < INT64_C(32503680000) * SECOND_MS);
    assert_true(c->mono_ms(c) >= mono);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng_is_xoshiro256_starstar),
        cmocka_unit_test(rng_repeats_from_a_seed),
        cmocka_unit_test(rng_of_the_system_differs_each_time),
        cmocka_unit_test(below_reaches_every_number_and_no_other),
        cmocka_unit_test(jitter_stays_within_its_percentage),
        cmocka_unit_test(clock_of_the_system_goes_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
