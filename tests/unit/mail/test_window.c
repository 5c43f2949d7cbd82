/* SPDX-License-Identifier: ISC */
/* The window of a site: growth, shrinking, death and the way back. */
#include "tests/unit/unit.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/mail/window.h"

static void first_size_is_within_the_limit(void **state)
{
    (void)state;
    static const struct {
        unsigned initial, max, want;
    } rows[] = {{5, 20, 5}, {5, 3, 3}, {0, 20, 1}, {5, 0, 1}, {0, 0, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct window w;
        window_init(&w, rows[i].initial, rows[i].max);
        assert_int_equal(window_limit(&w, 0), rows[i].want);
    }
}

static void it_doubles_until_the_first_failure(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 5, 30);
    for (unsigned size = 5; size < 20; size++) {
        assert_int_equal(window_limit(&w, 0), size);
        window_success(&w);
    }
    window_failure(&w, 0, MINUTE_MS);
    for (unsigned i = 0; i < 19; i++)
        window_success(&w);
    assert_int_equal(window_limit(&w, 0), 20);
    window_success(&w);
    assert_int_equal(window_limit(&w, 0), 21);
}

static void then_a_full_round_of_successes_grows_it_by_one(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 5, 20);
    window_failure(&w, 0, MINUTE_MS);
    for (unsigned size = 5; size < 20; size++) {
        for (unsigned i = 0; i < size; i++) {
            assert_int_equal(window_limit(&w, 0), size);
            window_success(&w);
        }
        assert_int_equal(window_limit(&w, 0), size + 1);
    }
    for (int i = 0; i < 1000; i++)
        window_success(&w);
    assert_int_equal(window_limit(&w, 0), 20);
}

static void a_cohort_of_failures_kills_it_and_one_fewer_does_not(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 5, 20);
    unsigned failures = 1;
    while (!window_failure(&w, 1000, 5 * MINUTE_MS))
        failures++;
    assert_int_equal(failures, 5);
    assert_int_equal(window_limit(&w, 1000), 0);
    assert_int_equal(window_limit(&w, 1000 + 5 * MINUTE_MS - 1), 0);
    assert_int_equal(window_limit(&w, 1000 + 5 * MINUTE_MS), 1); /* one probe */
}

static void a_success_between_starts_the_cohort_anew(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 5, 20);
    for (int round = 0; round < 100; round++) {
        assert_false(window_failure(&w, 0, MINUTE_MS));
        window_success(&w);
    }
    assert_true(window_limit(&w, 0) >= 1);
}

static void failures_among_successes_shrink_it(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 10, 20);
    for (int i = 0; i < 60; i++) { /* two failures for one success */
        assert_false(window_failure(&w, 0, MINUTE_MS) && window_limit(&w, 0) > 1);
        window_failure(&w, 0, MINUTE_MS);
        window_success(&w);
    }
    assert_true(window_limit(&w, 0) < 10);
}

static void a_rare_failure_does_not_stop_growth(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 5, 20);
    for (int i = 0; i < 400; i++) {
        if (i % 10 == 9)
            assert_false(window_failure(&w, 0, MINUTE_MS));
        else
            window_success(&w);
    }
    assert_int_equal(window_limit(&w, 0), 20);
}

static void failures_while_dead_count_no_more(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 1, 20);
    assert_true(window_failure(&w, 1000, MINUTE_MS));
    int64_t until = w.dead_until_mono_ms;
    for (int i = 0; i < 50; i++)
        assert_false(window_failure(&w, 1000 + i, MINUTE_MS));
    assert_true(w.dead_until_mono_ms == until);
    assert_int_equal(w.failed_cohorts, 1);
}

static void failed_probe_kills_it_again_and_is_counted(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 4, 20);
    int64_t now = 1000;
    while (!window_failure(&w, now, MINUTE_MS))
        ;
    for (unsigned n = 2; n < 10; n++) {
        now += MINUTE_MS;
        assert_int_equal(window_limit(&w, now), 1);
        assert_true(window_failure(&w, now, MINUTE_MS));
        assert_int_equal(w.failed_cohorts, n);
    }
}

static void one_success_brings_it_back(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 4, 20);
    while (!window_failure(&w, 1000, HOUR_MS))
        ;
    window_success(&w); /* a connection that was still open served after all */
    assert_int_equal(w.failed_cohorts, 0);
    assert_true(window_limit(&w, 1001) >= 1);
}

static void whatever_happens_the_bounds_hold(void **state)
{
    (void)state;
    struct rng r;
    rng_init_seed(&r, 11);
    for (int run = 0; run < 300; run++) {
        struct window w;
        unsigned max = 1 + (unsigned)rng_below(&r, 50);
        uint64_t bias = rng_below(&r, 10);
        int64_t now = (int64_t)rng_below(&r, 1000);
        window_init(&w, (unsigned)rng_below(&r, 60), max);
        for (int i = 0; i < 2000; i++) {
            now += (int64_t)rng_below(&r, 10000);
            if (rng_below(&r, 10) < bias) {
                window_success(&w);
            } else {
                bool was_alive = window_limit(&w, now) > 0;
                bool died = window_failure(&w, now, MINUTE_MS);
                assert_true(!died || was_alive);
                assert_true(!died || window_limit(&w, now) == 0);
            }
            unsigned limit = window_limit(&w, now);
            assert_true(limit <= max);
            assert_true(limit >= 1 || w.dead_until_mono_ms > now);
            assert_true(window_limit(&w, now + HOUR_MS) >= 1); /* nothing is dead for ever */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_size_is_within_the_limit),
        cmocka_unit_test(it_doubles_until_the_first_failure),
        cmocka_unit_test(then_a_full_round_of_successes_grows_it_by_one),
        cmocka_unit_test(a_cohort_of_failures_kills_it_and_one_fewer_does_not),
        cmocka_unit_test(a_success_between_starts_the_cohort_anew),
        cmocka_unit_test(failures_among_successes_shrink_it),
        cmocka_unit_test(a_rare_failure_does_not_stop_growth),
        cmocka_unit_test(failures_while_dead_count_no_more),
        cmocka_unit_test(failed_probe_kills_it_again_and_is_counted),
        cmocka_unit_test(one_success_brings_it_back),
        cmocka_unit_test(whatever_happens_the_bounds_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
