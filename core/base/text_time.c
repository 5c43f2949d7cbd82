/* SPDX-License-Identifier: ISC */
/*
 * Durations and times, read and written. Days and clock times are UTC's, in the proleptic Gregorian
 * calendar: what an operator types means the same on every node and in every shell.
 */
#include <inttypes.h>
#include "core/base/clock.h"
#include "core/base/text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Cut a unit of time; 0 when there is none. */
static int64_t take_time_unit(struct str *s)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        /* "ms" before "m", which it begins with */
        {"ms", 1},      {"s", SECOND_MS}, {"m", MINUTE_MS},
        {"h", HOUR_MS}, {"d", DAY_MS},    {"w", 7 * DAY_MS},
    };

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        struct str name = str_of(units[i].name);

        if (str_starts(*s, name)) {
            *s = str_sub(*s, name.n, s->n);
            return units[i].ms;
        }
    }
    return 0;
}

bool text_parse_duration(struct str s, int64_t *ms)
{
    int64_t sum = 0;
    bool is_first = true;

    if (s.n == 0)
        return false;
    for (; s.n > 0; is_first = false) {
        uint64_t n;
        int64_t unit, part;

        if (!text_take_u64(&s, INT64_MAX, &n))
            return false;
        /* Without a unit it is seconds, but only alone: "1h30" says too little. */
        unit = is_first && s.n == 0 ? SECOND_MS : take_time_unit(&s);
        if (unit == 0 || __builtin_mul_overflow((int64_t)n, unit, &part) ||
            __builtin_add_overflow(sum, part, &sum))
            return false;
    }
    *ms = sum;
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, by Howard Hinnant's days_from_civil:
 * years are counted from March, so that the leap day is the last of its year. */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t d = z - era * 146097;
    int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

/* Cut exactly n digits, within lo..hi. */
static bool take_field(struct str *s, size_t n, int64_t lo, int64_t hi, int64_t *out)
{
    uint64_t value;

    if (!text_parse_u64(str_sub(*s, 0, n), (uint64_t)hi, &value) || s->n < n || (int64_t)value < lo)
        return false;
    *s = str_sub(*s, n, s->n);
    *out = (int64_t)value;
    return true;
}

static bool take_char(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = str_sub(*s, 1, s->n);
    return true;
}

static bool take_date(struct str *s, int64_t *ms)
{
    int64_t year, month, day, back;
    int same_month, same_day;

    if (!take_field(s, 4, 1970, 9999, &year) || !take_char(s, '-') ||
        !take_field(s, 2, 1, 12, &month) || !take_char(s, '-') || !take_field(s, 2, 1, 31, &day))
        return false;
    int64_t days = days_of_date(year, month, day);
    /* February 30 is a number of days too, but of another date. */
    date_of_days(days, &back, &same_month, &same_day);
    *ms = days * DAY_MS;
    return same_month == month && same_day == day;
}

/* ".123", to milliseconds; further digits are dropped. */
static bool take_fraction(struct str *s, int64_t *ms)
{
    int64_t scale = 100;

    *ms = 0;
    if (s->n == 0 || !is_digit(s->p[0]))
        return false;
    while (s->n > 0 && is_digit(s->p[0])) {
        *ms += scale * (s->p[0] - '0');
        scale /= 10;
        *s = str_sub(*s, 1, s->n);
    }
    return true;
}

/* "10:42", "10:42:07", "10:42:07.123". A leap second counts as the second after it. */
static bool take_clock(struct str *s, int64_t *ms)
{
    int64_t hour, minute, second = 0, fraction = 0;

    if (!take_field(s, 2, 0, 23, &hour) || !take_char(s, ':') || !take_field(s, 2, 0, 59, &minute))
        return false;
    if (take_char(s, ':')) {
        if (!take_field(s, 2, 0, 60, &second))
            return false;
        if (take_char(s, '.') && !take_fraction(s, &fraction))
            return false;
    }
    *ms = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + fraction;
    return true;
}

/* RFC 3339's "Z" or "+02:00", to what has to be subtracted; nothing is UTC. */
static bool take_zone(struct str *s, int64_t *ms)
{
    int64_t hour, minute;
    bool is_west;

    *ms = 0;
    if (s->n == 0 || take_char(s, 'Z') || take_char(s, 'z'))
        return true;
    is_west = s->p[0] == '-';
    if (!take_char(s, '+') && !take_char(s, '-'))
        return false;
    if (!take_field(s, 2, 0, 23, &hour) || !take_char(s, ':') || !take_field(s, 2, 0, 59, &minute))
        return false;
    *ms = (hour * HOUR_MS + minute * MINUTE_MS) * (is_west ? -1 : 1);
    return true;
}

static bool parse_date_time(struct str s, int64_t *out)
{
    int64_t date, clock = 0, zone = 0;

    if (!take_date(&s, &date))
        return false;
    if (s.n > 0) {
        if (!take_char(&s, ' ') && !take_char(&s, 'T') && !take_char(&s, 't'))
            return false;
        if (!take_clock(&s, &clock) || !take_zone(&s, &zone) || s.n > 0)
            return false;
    }
    *out = date + clock - zone;
    return true;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool text_parse_time(struct str s, int64_t now_wall_ms, int64_t *out_wall_ms)
{
    int64_t today = floor_div(now_wall_ms, DAY_MS) * DAY_MS;
    int64_t ms;
    struct str rest = s;

    if (str_ieq_z(s, "now")) {
        *out_wall_ms = now_wall_ms;
        return true;
    }
    if (str_ieq_z(s, "today") || str_ieq_z(s, "yesterday")) {
        *out_wall_ms = str_ieq_z(s, "today") ? today : today - DAY_MS;
        return true;
    }
    if (parse_date_time(s, out_wall_ms))
        return true;
    if (take_clock(&rest, &ms) && (rest.n == 0 || str_ieq_z(rest, "Z"))) {
        /* A clock time is the last one that was: logs are about the past. */
        *out_wall_ms = today + ms > now_wall_ms ? today + ms - DAY_MS : today + ms;
        return true;
    }
    rest = s;
    take_char(&rest, '-');
    /* A bare number would be read as seconds, but "2026" was not meant so: ask for a unit. */
    if (rest.n == 0 || is_digit(rest.p[rest.n - 1]) || !text_parse_duration(rest, &ms) ||
        __builtin_sub_overflow(now_wall_ms, ms, &ms))
        return false;
    *out_wall_ms = ms;
    return true;
}

const char *text_duration(int64_t ms, char out[16])
{
    int64_t minutes = ms / MINUTE_MS, hours = ms / HOUR_MS, days = ms / DAY_MS;

    if (ms < 0)
        snprintf(out, 16, "0s");
    else if (ms < MINUTE_MS)
        snprintf(out, 16, "%" PRId64 "s", ms / SECOND_MS);
    else if (ms < HOUR_MS)
        snprintf(out, 16, "%" PRId64 "m", minutes);
    else if (ms < DAY_MS)
        snprintf(out, 16, "%" PRId64 "h%02" PRId64 "m", hours, minutes % 60);
    else if (days < 100)
        snprintf(out, 16, "%" PRId64 "d%02" PRId64 "h", days, hours % 24);
    else
        snprintf(out, 16, "%" PRId64 "d", days < 99999 ? days : 99999);
    return out;
}

const char *text_time_utc(int64_t wall_ms, char out[32])
{
    int64_t days = floor_div(wall_ms, DAY_MS), year;
    /* Not wall_ms - days * DAY_MS: the first day of all begins before INT64_MIN. */
    int64_t ms = (wall_ms % DAY_MS + DAY_MS) % DAY_MS;
    int month, day;

    date_of_days(days, &year, &month, &day);
    snprintf(out, 32, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
             (int)(ms / HOUR_MS), (int)(ms / MINUTE_MS % 60), (int)(ms / SECOND_MS % 60),
             (int)(ms % SECOND_MS));
    return out;
}

const char *text_day(int64_t wall_ms, char out[16])
{
    int64_t year;
    int month, day;

    date_of_days(floor_div(wall_ms, DAY_MS), &year, &month, &day);
    snprintf(out, 16, "%04" PRId64 "%02d%02d", year, month, day);
    return out;
}
