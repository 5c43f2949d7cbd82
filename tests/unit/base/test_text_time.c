/* SPDX-License-Identifier: ISC */
/* Durations and times, read and written. */
#include <time.h>
#include "tests/unit/unit.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/base/text.h"

/* 2026-11-24 10:42:00 UTC, a Tuesday. */
#define NOW (INT64_C(1795516920) * SECOND_MS)

static void duration_is_read_with_units_and_sums(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        bool ok;
        int64_t want;
    } rows[] = {
        {STR("90"), true, 90 * SECOND_MS},
        {STR("0"), true, 0},
        {STR("90s"), true, 90 * SECOND_MS},
        {STR("5m"), true, 5 * MINUTE_MS},
        {STR("4h"), true, 4 * HOUR_MS},
        {STR("2d"), true, 2 * DAY_MS},
        {STR("1w"), true, 7 * DAY_MS},
        {STR("250ms"), true, 250},
        {STR("1h30m"), true, 90 * MINUTE_MS},
        {STR("1m30s250ms"), true, 90250},
        {STR("1h30"), false, 0},
        {STR("0h30"), false, 0},
        {STR("30 m"), false, 0},
        {STR("m"), false, 0},
        {STR(""), false, 0},
        {STR("-5m"), false, 0},
        {STR("1.5h"), false, 0},
        {STR("5x"), false, 0},
        {STR("5M"), false, 0},
        {STR("5mm"), false, 0},
        {STR("9223372036854775807ms"), true, INT64_MAX},
        {STR("9223372036854775808ms"), false, 0},
        {STR("9223372036854775807s"), false, 0},
        {STR("9223372036854775807ms1ms"), false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 4711;

        row_int(rows[i].in.p, text_parse_duration(rows[i].in, &ms), rows[i].ok);
        row_int(rows[i].in.p, ms, rows[i].ok ? rows[i].want : 4711);
    }
}

static void duration_is_written_in_six_columns(void **state)
{
    (void)state;
    static const struct {
        const char *want;
        int64_t in;
    } rows[] = {
        {"0s", -1},
        {"0s", INT64_MIN},
        {"0s", 0},
        {"0s", 999},
        {"1s", SECOND_MS},
        {"45s", 45 * SECOND_MS + 999},
        {"1m", MINUTE_MS},
        {"59m", HOUR_MS - 1},
        {"1h00m", HOUR_MS},
        {"3h12m", 3 * HOUR_MS + 12 * MINUTE_MS},
        {"23h59m", DAY_MS - 1},
        {"1d00h", DAY_MS},
        {"2d04h", 2 * DAY_MS + 4 * HOUR_MS},
        {"99d23h", 100 * DAY_MS - 1},
        {"100d", 100 * DAY_MS},
        {"99999d", INT64_MAX},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[16];

        row_text(rows[i].want, text_duration(rows[i].in, out), rows[i].want);
        assert_true(strlen(out) <= 6);
    }
}

static void time_is_read_in_every_form(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *want; /* NULL: refused */
    } rows[] = {
        {STR("now"), "2026-11-24T10:42:00.000Z"},
        {STR("today"), "2026-11-24T00:00:00.000Z"},
        {STR("yesterday"), "2026-11-23T00:00:00.000Z"},
        {STR("-15m"), "2026-11-24T10:27:00.000Z"},
        {STR("1h"), "2026-11-24T09:42:00.000Z"},
        {STR("2d12h"), "2026-11-21T22:42:00.000Z"},
        {STR("10:42"), "2026-11-24T10:42:00.000Z"},
        {STR("09:05"), "2026-11-24T09:05:00.000Z"},
        {STR("10:43"), "2026-11-23T10:43:00.000Z"},
        {STR("10:41:59"), "2026-11-24T10:41:59.000Z"},
        {STR("2026-11-24"), "2026-11-24T00:00:00.000Z"},
        {STR("2026-11-24 10:42"), "2026-11-24T10:42:00.000Z"},
        {STR("2026-11-24T10:42:00Z"), "2026-11-24T10:42:00.000Z"},
        {STR("2026-11-24T10:42:00.5Z"), "2026-11-24T10:42:00.500Z"},
        {STR("2026-11-24T10:42:00.1239Z"), "2026-11-24T10:42:00.123Z"},
        {STR("2026-11-24T10:42:00+02:00"), "2026-11-24T08:42:00.000Z"},
        {STR("2026-11-24T22:42:00-05:30"), "2026-11-25T04:12:00.000Z"},
        {STR("2024-02-29"), "2024-02-29T00:00:00.000Z"},
        {STR("2000-02-29"), "2000-02-29T00:00:00.000Z"},
        {STR("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00.000Z"},
        {STR("1970-01-01"), "1970-01-01T00:00:00.000Z"},
        {STR("9999-12-31 23:59"), "9999-12-31T23:59:00.000Z"},
        {STR("2026-02-29"), NULL},
        {STR("2100-02-29"), NULL},
        {STR("2026-04-31"), NULL},
        {STR("2026-13-01"), NULL},
        {STR("2026-00-01"), NULL},
        {STR("2026-01-00"), NULL},
        {STR("1969-12-31"), NULL},
        {STR("2026-1-1"), NULL},
        {STR("2026-11-24 24:00"), NULL},
        {STR("2026-11-24 10:60"), NULL},
        {STR("2026-11-24 10:42:61"), NULL},
        {STR("2026-11-24 10"), NULL},
        {STR("2026-11-24T10:42:00."), NULL},
        {STR("2026-11-24T10:42:00Zx"), NULL},
        {STR("2026-11-24T10:42:00+2"), NULL},
        {STR("2026-11-24T"), NULL},
        {STR("2026"), NULL},
        {STR("-2026"), NULL},
        {STR("1:2"), NULL},
        {STR("--5m"), NULL},
        {STR("-"), NULL},
        {STR(""), NULL},
        {STR_NONE, NULL},
        {STR("tomorrow"), NULL},
        {STR("10:42\n"), NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 4711;
        char out[32];

        row_int(rows[i].in.p, text_parse_time(rows[i].in, NOW, &ms), rows[i].want != NULL);
        if (rows[i].want)
            row_text(rows[i].in.p, text_time_utc(ms, out), rows[i].want);
        else
            row_int(rows[i].in.p, ms, 4711);
    }
}

static void time_written_equals_what_the_c_library_writes(void **state)
{
    (void)state;
    struct rng r;

    rng_init_seed(&r, 2);
    for (int i = 0; i < 20000; i++) {
        /* From the year -2900 or so to 6800 */
        int64_t ms = (int64_t)rng_below(&r, UINT64_C(1) << 48) - (INT64_C(1) << 47);
        time_t s = (time_t)(ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000));
        struct tm tm;
        char want[64], got[32], day[16], want_day[32];

        assert_non_null(gmtime_r(&s, &tm));
        snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (int)(ms - (int64_t)s * 1000));
        row_text("random", text_time_utc(ms, got), want);
        snprintf(want_day, sizeof(want_day), "%04d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday);
        row_text("random", text_day(ms, day), want_day);
    }
}

static void time_written_is_read_back(void **state)
{
    (void)state;
    struct rng r;

    rng_init_seed(&r, 3);
    for (int i = 0; i < 20000; i++) {
        int64_t ms = (int64_t)rng_below(&r, UINT64_C(253402300800000)), back = -1;
        char out[32];

        text_time_utc(ms, out);
        row_int(out, text_parse_time(str_of(out), NOW, &back), true);
        row_int(out, back, ms);
    }
}

static void time_of_any_number_fits_its_array(void **state)
{
    (void)state;
    char out[32], day[16];

    row_text("least", text_time_utc(INT64_MIN, out), "-292275055-05-16T16:47:04.192Z");
    row_text("most", text_time_utc(INT64_MAX, out), "292278994-08-17T07:12:55.807Z");
    row_text("day", text_day(NOW, day), "20261124");
    row_text("least day", text_day(INT64_MIN, day), "-2922750550516");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duration_is_read_with_units_and_sums),
        cmocka_unit_test(duration_is_written_in_six_columns),
        cmocka_unit_test(time_is_read_in_every_form),
        cmocka_unit_test(time_written_equals_what_the_c_library_writes),
        cmocka_unit_test(time_written_is_read_back),
        cmocka_unit_test(time_of_any_number_fits_its_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
