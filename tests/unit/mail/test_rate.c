/* SPDX-License-Identifier: ISC */
/* Rates: how they are written, and that no stretch of time sees more than they say. */
#include "tests/unit/unit.h"
#include "core/base/rng.h"
#include "core/mail/rate.h"

static void rates_are_written_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        bool is_ok;
        const char *back;
    } rows[] = {
        {"60/1m", true, "60/1m"},
        {"100/1h", true, "100/1h"},
        {" 5 / 10s ", true, "5/10s"},
        {"5/s", true, "5/1s"},
        {"5/m", true, "5/1m"},
        {"5/d", true, "5/24h"},
        {"", true, "0"},
        {"0", true, "0"},
        {"1/1500ms", true, "1/1500ms"},
        {"5", false, NULL},
        {"/1m", false, NULL},
        {"5/", false, NULL},
        {"-5/1m", false, NULL},
        {"5/0s", false, NULL},
        {"5/1ms", false, NULL},
        {"5/2d", false, NULL},
        {"0/1m", false, NULL},
        {"5/1m/2", false, NULL},
        {"9999999/1m", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rate r;
        char text[40];

        if (rate_parse(str_of(rows[i].text), &r) != rows[i].is_ok)
            fail_msg("\"%s\"", rows[i].text);
        if (rows[i].is_ok && strcmp(rate_text(&r, text), rows[i].back) != 0)
            fail_msg("\"%s\" is \"%s\"", rows[i].text, text);
    }
}

/* As fast as it may, for long, asked at odd moments. */
static void no_stretch_of_time_sees_more(void **state)
{
    static const char *const rates[] = {"1/1m", "5/1s", "7/10s", "60/1m", "100/1h", "1000/1m"};
    struct rng rng;

    (void)state;
    rng_init_seed(&rng, 5);
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        static int64_t at[5000];
        struct bucket b = {0};
        struct rate r;
        int64_t now = 1000;

        assert_true(rate_parse(str_of(rates[i]), &r));
        for (size_t n = 0; n < ARRAY_LEN(at); n++) {
            for (int64_t wait; (wait = bucket_wait(&b, &r, now)) > 0;)
                now += n % 3 ? wait : 1 + (int64_t)rng_below(&rng, (uint64_t)wait);
            bucket_take(&b, &r);
            at[n] = now;
            size_t behind = r.n + r.n / 10 + 1;
            if (n >= behind && at[n] - at[n - behind] < r.per_ms)
                fail_msg("%s: %zu within %lld ms", rates[i], behind + 1,
                         (long long)(at[n] - at[n - behind]));
        }
        double took = (double)(at[ARRAY_LEN(at) - 1] - at[0]);
        assert_true(took < 1.05 * (double)r.per_ms / r.n * (double)ARRAY_LEN(at));
    }
}

static void without_a_limit_nothing_waits(void **state)
{
    struct bucket b = {0};
    struct rate none = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(bucket_wait(&b, &none, 5), 0);
        bucket_take(&b, &none);
    }
}

static void a_pause_saves_up_a_tenth_only(void **state)
{
    struct bucket b = {0};
    struct rate r;
    int at_once = 0;

    (void)state;
    assert_true(rate_parse(STR("100/1m"), &r));
    assert_int_equal(bucket_wait(&b, &r, 0), 0);
    for (; bucket_wait(&b, &r, 3600000) == 0; at_once++)
        bucket_take(&b, &r);
    assert_int_equal(at_once, 10);
    assert_int_equal(bucket_wait(&b, &r, 3600000), 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_written_as_people_write_them),
        cmocka_unit_test(no_stretch_of_time_sees_more),
        cmocka_unit_test(without_a_limit_nothing_waits),
        cmocka_unit_test(a_pause_saves_up_a_tenth_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
