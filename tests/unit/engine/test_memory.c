/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>

#include "core/base/clock.h"
#include "core/engine/memory.h"

#include <cmocka.h>

static struct memory m;

static int setup(void **state)
{
    (void)state;
    memory_init(&m, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    memory_done(&m);
    return 0;
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_true(ip_parse(str_of(text), &ip));
    return ip;
}

static void a_step_that_worked_is_remembered_for_its_time(void **state)
{
    (void)state;
    assert_int_equal(memory_tls_step(&m, "mx.a", 0), TLS_STEP_FULL);
    memory_tls_worked(&m, "mx.a", TLS_STEP_CLEAR, 1000);
    assert_int_equal(memory_tls_step(&m, "mx.a", 1001), TLS_STEP_CLEAR);
    assert_int_equal(memory_tls_step(&m, "mx.b", 1001), TLS_STEP_FULL);
    memory_tls_worked(&m, "mx.a", TLS_STEP_REDUCED, 2000);
    assert_int_equal(memory_tls_step(&m, "mx.a", 2001), TLS_STEP_REDUCED);
    assert_int_equal(memory_tls_step(&m, "mx.a", 2000 + DAY_MS), TLS_STEP_FULL);
}

static void what_has_run_out_is_swept(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "mx%d", i);
        memory_tls_worked(&m, name, TLS_STEP_CLEAR, i % 2 ? 0 : 2 * DAY_MS);
    }
    memory_sweep(&m, DAY_MS);
    assert_int_equal(m.hosts.n, 100);
    assert_int_equal(memory_tls_step(&m, "mx4", DAY_MS), TLS_STEP_CLEAR);
}

static void only_what_is_about_the_family_marks_it(void **state)
{
    (void)state;
    static const struct {
        int sys;
        bool want;
    } rows[] = {
        {ENETUNREACH, true}, {EADDRNOTAVAIL, true}, {EAFNOSUPPORT, true},
        {EHOSTUNREACH, false}, {ECONNREFUSED, false}, {ETIMEDOUT, false}, {EACCES, false},
    };
    struct ip six = ip_of("2001:db8::1");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(memory_connect_failed(&m, &six, rows[i].sys, 0), rows[i].want);
}

static void a_family_without_a_route_goes_last_until_it_works(void **state)
{
    (void)state;
    struct ip six = ip_of("2001:db8::1"), four = ip_of("192.0.2.1"), four2 = ip_of("192.0.2.2");
    struct targets t = {3, {{0, six}, {0, four}, {0, four2}}};
    memory_order(&m, &t, 0);
    assert_int_equal(t.t[0].ip.family, 6);
    memory_connect_failed(&m, &six, ENETUNREACH, 0);
    memory_order(&m, &t, 1);
    assert_true(ip_eq(&t.t[0].ip, &four));
    assert_true(ip_eq(&t.t[1].ip, &four2));
    assert_true(ip_eq(&t.t[2].ip, &six));
    struct targets again = {3, {{0, six}, {0, four}, {0, four2}}};
    memory_connect_worked(&m, &six);
    memory_order(&m, &again, 2);
    assert_int_equal(again.t[0].ip.family, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_step_that_worked_is_remembered_for_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_run_out_is_swept, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_about_the_family_marks_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_family_without_a_route_goes_last_until_it_works, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
