/* SPDX-License-Identifier: ISC */
/* "We are the problem": when it freezes, when it does not, how it thaws. */
#include <errno.h>

#include "tests/unit/unit.h"
#include "core/base/clock.h"
#include "core/mail/health.h"

static void three_sites_that_fail_alike_freeze_it(void **state)
{
    struct health h = {0};

    (void)state;
    health_worked(&h);
    assert_false(health_failed(&h, 1, ETIMEDOUT, true, 1000));
    assert_false(health_failed(&h, 1, ETIMEDOUT, true, 2000)); /* the same one again */
    assert_false(health_failed(&h, 2, ETIMEDOUT, true, 3000));
    assert_int_equal(health_wait(&h, 3000), 0);
    assert_true(health_failed(&h, 3, ETIMEDOUT, true, 4000));
    assert_true(h.is_frozen);
    assert_int_equal(h.how, ETIMEDOUT);
    assert_false(health_failed(&h, 4, ETIMEDOUT, true, 5000)); /* it is already */
}

static void different_failures_are_different_problems(void **state)
{
    struct health h = {0};

    (void)state;
    assert_false(health_failed(&h, 1, ETIMEDOUT, true, 0));
    assert_false(health_failed(&h, 2, ECONNREFUSED, true, 0));
    assert_false(health_failed(&h, 3, ETIMEDOUT, true, 0));
    assert_false(health_failed(&h, 4, EHOSTUNREACH, true, 0));
    assert_false(h.is_frozen);
}

static void failures_that_lie_far_apart_do_not_belong_together(void **state)
{
    struct health h = {0};

    (void)state;
    for (uint64_t who = 1; who < 50; who++)
        assert_false(health_failed(&h, who, ETIMEDOUT, true, (int64_t)who * HEALTH_WINDOW_MS / 2));
}

static void dead_sites_alone_do_not_freeze_it(void **state)
{
    struct health h = {0};

    (void)state;
    health_worked(&h);
    for (uint64_t who = 1; who < 10; who++)
        assert_false(health_failed(&h, who, ETIMEDOUT, false, 1000));
    /* But with one that did work, they tell something. */
    assert_false(health_failed(&h, 20, ETIMEDOUT, true, 1000));
    assert_false(health_failed(&h, 21, ETIMEDOUT, false, 1000));
    assert_true(health_failed(&h, 22, ETIMEDOUT, false, 1000));
}

static void a_new_machine_with_a_closed_port_freezes(void **state)
{
    struct health h = {0};

    (void)state;
    assert_false(health_failed(&h, 1, ETIMEDOUT, false, 0));
    assert_false(health_failed(&h, 2, ETIMEDOUT, false, 0));
    assert_true(health_failed(&h, 3, ETIMEDOUT, false, 0));
}

static void anything_that_works_between_keeps_it_warm(void **state)
{
    struct health h = {0};

    (void)state;
    for (uint64_t who = 1; who < 50; who++) {
        assert_false(health_failed(&h, who, ETIMEDOUT, true, 0));
        if (who % 2 == 0)
            assert_false(health_worked(&h));
    }
}

static void a_probe_goes_now_and_then_and_success_thaws(void **state)
{
    struct health h = {0};

    (void)state;
    for (uint64_t who = 1; who <= 3; who++)
        health_failed(&h, who, ENETUNREACH, true, 1000);
    assert_int_equal(health_wait(&h, 1000), HEALTH_PROBE_MS);
    assert_int_equal(health_wait(&h, 1000 + HEALTH_PROBE_MS), 0);
    health_probe(&h, 1000 + HEALTH_PROBE_MS);
    assert_int_equal(health_wait(&h, 1000 + HEALTH_PROBE_MS + 1), HEALTH_PROBE_MS - 1);
    assert_false(health_failed(&h, 1, ENETUNREACH, true, 40000)); /* the probe failed */
    assert_true(h.is_frozen);
    assert_true(health_worked(&h));
    assert_int_equal(health_wait(&h, 50000), 0);
    assert_false(health_failed(&h, 1, ENETUNREACH, true, 51000)); /* it counts anew */
}

static void it_does_not_stay_frozen_for_ever(void **state)
{
    struct health h = {0};

    (void)state;
    for (uint64_t who = 1; who <= 3; who++)
        health_failed(&h, who, ETIMEDOUT, true, 0);
    assert_true(health_wait(&h, HEALTH_FROST_MAX_MS - 1) == 0 && h.is_frozen);
    assert_int_equal(health_wait(&h, HEALTH_FROST_MAX_MS), 0);
    assert_false(h.is_frozen);
    for (uint64_t who = 1; who <= 9; who++)
        assert_false(health_failed(&h, who, ETIMEDOUT, true, HEALTH_FROST_MAX_MS + 1));
    health_worked(&h);
    for (uint64_t who = 1; who <= 3; who++)
        health_failed(&h, who, ETIMEDOUT, true, 2 * HEALTH_FROST_MAX_MS);
    assert_true(h.is_frozen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_sites_that_fail_alike_freeze_it),
        cmocka_unit_test(different_failures_are_different_problems),
        cmocka_unit_test(failures_that_lie_far_apart_do_not_belong_together),
        cmocka_unit_test(dead_sites_alone_do_not_freeze_it),
        cmocka_unit_test(a_new_machine_with_a_closed_port_freezes),
        cmocka_unit_test(anything_that_works_between_keeps_it_warm),
        cmocka_unit_test(a_probe_goes_now_and_then_and_success_thaws),
        cmocka_unit_test(it_does_not_stay_frozen_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
