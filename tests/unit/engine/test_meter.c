/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>

#include "core/base/clock.h"
#include "core/engine/meter.h"

#include <cmocka.h>

static void events_are_counted_where_they_belong(void **state)
{
    (void)state;
    struct meter m = {0};
    struct ctl_rate r;
    meter_add(&m, 0, 5);
    meter_add(&m, 2 * MINUTE_MS, 7);
    meter_add(&m, 2 * MINUTE_MS + 30 * SECOND_MS, 1);
    meter_read(&m, 2 * MINUTE_MS + 31 * SECOND_MS, &r);
    assert_int_equal(r.m1, 8);
    assert_int_equal(r.m5, 13);
    assert_int_equal(r.m15, 13);
    meter_read(&m, 6 * MINUTE_MS, &r);
    assert_int_equal(r.m1, 0);
    assert_int_equal(r.m5, 8);
    assert_int_equal(r.m15, 13);
    meter_read(&m, 16 * MINUTE_MS, &r);
    assert_int_equal(r.m15, 8);
    assert_int_equal(r.total, 13);
}

static void a_long_silence_forgets_all_but_the_total(void **state)
{
    (void)state;
    struct meter m = {0};
    struct ctl_rate r;
    meter_add(&m, MINUTE_MS, 9);
    meter_read(&m, DAY_MS, &r);
    assert_int_equal(r.m1 + r.m5 + r.m15, 0);
    assert_int_equal(r.total, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_counted_where_they_belong),
        cmocka_unit_test(a_long_silence_forgets_all_but_the_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
