/* SPDX-License-Identifier: ISC */
/*
 * Remote bytes made printable, and numbers, sizes, durations and times read and written. All of it
 * is independent of the locale and of the time zone: days and clock times are UTC's.
 */
#include <inttypes.h>
#include "core/base/clock.h"
#include "core/base/text.h"

/* ---- characters ---- */

struct range {
    uint32_t from, to;
};

/*
 * Characters that print nothing, or that move what is around them: a reader would not see the bytes
 * that are there. Sorted. Combining marks and U+FE0x stay: people write with them.
 */
static const struct range hidden[] = {
    {0x00AD, 0x00AD},   /* soft hyphen */
    {0x034F, 0x034F},   /* combining grapheme joiner */
    {0x061C, 0x061C},   /* Arabic letter mark */
    {0x115F, 0x1160},   /* Hangul fillers */
    {0x17B4, 0x17B5},   /* Khmer inherent vowels */
    {0x180B, 0x180F},   /* Mongolian selectors */
    {0x200B, 0x200F},   /* zero width space, joiners, marks */
    {0x2028, 0x202E},   /* line and paragraph separators, embeddings and overrides */
    {0x2060, 0x206F},   /* word joiner, invisible operators, isolates */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xFEFF, 0xFEFF},   /* byte order mark */
    {0xFFA0, 0xFFA0},   /* half-width Hangul filler */
    {0xFFF0, 0xFFFB},   /* unassigned specials, interlinear annotation */
    {0xFFFE, 0xFFFF},   /* noncharacters */
    {0x1BCA0, 0x1BCA3}, /* shorthand format controls */
    {0x1D173, 0x1D17A}, /* musical format controls */
    {0xE0000, 0xE0FFF}, /* tags, further selectors */
};

static bool is_hidden(uint32_t c)
{
    size_t lo = 0, hi = ARRAY_LEN(hidden);

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (c > hidden[mid].to)
            lo = mid + 1;
        else if (c < hidden[mid].from)
            hi = mid;
        else
            return true;
    }
    return false;
}

/*
 * RFC 3629 section 4. The first byte fixes the length and, with the second byte's narrower bounds,
 * keeps out overlong forms, surrogates and everything above U+10FFFF.
 */
int32_t text_utf8_next(struct str s, size_t *len)
{
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned char lo = 0x80, hi = 0xBF;
    size_t n;
    int32_t c;

    *len = s.n > 0;
    if (s.n == 0)
        return -1;
    if (p[0] < 0x80)
        return p[0];
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        n = 2;
        c = p[0] & 0x1F;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        n = 3;
        c = p[0] & 0x0F;
        lo = p[0] == 0xE0 ? 0xA0 : 0x80;
        hi = p[0] == 0xED ? 0x9F : 0xBF;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        n = 4;
        c = p[0] & 0x07;
        lo = p[0] == 0xF0 ? 0x90 : 0x80;
        hi = p[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return -1;
    }
    if (s.n < n)
        return -1;
    for (size_t i = 1; i < n; i++) {
        if (p[i] < lo || p[i] > hi)
            return -1;
        c = c << 6 | (p[i] & 0x3F);
        lo = 0x80;
        hi = 0xBF;
    }
    *len = n;
    return c;
}

bool text_is_utf8(struct str s)
{
    for (size_t i = 0, len; i < s.n; i += len)
        if (text_utf8_next(str_sub(s, i, s.n), &len) < 0)
            return false;
    return true;
}

bool text_is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* ---- printable ---- */

#define ALL_BYTES(b) (UINT64_C(0x0101010101010101) * (b))

/* Whether any of the eight bytes is below 0x20, 0x7F, or above: the well-known subtract-and-mask
 * tests for "a byte less than n" and "a byte equal to n", exact as to whether there is one. */
static bool word_needs_care(uint64_t w)
{
    uint64_t del = w ^ ALL_BYTES(0x7F);
    uint64_t below = (w - ALL_BYTES(0x20)) & ~w;

    return ((below | ((del - ALL_BYTES(1)) & ~del) | w) & ALL_BYTES(0x80)) != 0;
}

/* The length of the run of printable ASCII that s begins with. */
static size_t clean_run(struct str s)
{
    size_t i = 0;

    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;

        memcpy(&w, s.p + i, sizeof(w));
        if (word_needs_care(w))
            break;
    }
    while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7F)
        i++;
    return i;
}

/*
 * What the first character of s, which is not printable ASCII, becomes: out gets the bytes, *len
 * the length of the character. Returns whether it is a token, rather than the character itself.
 */
static bool make_safe(struct str s, struct buf *out, size_t *len)
{
    unsigned char first = (unsigned char)s.p[0];
    int32_t c = text_utf8_next(s, len);

    if (first < 0x80) {
        char token[2] = {'^', (char)(first ^ 0x40)};
        buf_add(out, token, 2);
        return true;
    }
    if (c < 0) {
        buf_printf(out, "<%02X>", first);
        return true;
    }
    if (c < 0xA0) {
        buf_printf(out, "<%02X>", (unsigned)c);
        return true;
    }
    if (is_hidden((uint32_t)c)) {
        buf_printf(out, "<U+%04X>", (unsigned)c);
        return true;
    }
    buf_add(out, s.p, *len);
    return false;
}

/*
 * The walk behind both printers. Stops before what would make out longer than max bytes. A CR LF at
 * the very end is not between lines, and is dropped when lines are joined.
 */
static size_t printable(struct buf *out, struct str s, bool join_lines, size_t max)
{
    size_t tokens = 0;

    for (size_t i = 0, len; i < s.n; i += len) {
        struct str rest = str_sub(s, i, s.n);
        size_t before = out->n;

        len = clean_run(rest);
        if (len > 0) {
            size_t room = max - out->n;
            buf_add(out, rest.p, len < room ? len : room);
            if (len > room)
                break;
            continue;
        }
        bool is_token = false;
        if (join_lines && str_starts(rest, STR("\r\n"))) {
            len = 2;
            if (rest.n > 2)
                buf_add_c(out, ' ');
        } else {
            is_token = make_safe(rest, out, &len);
        }
        if (out->n > max) {
            buf_truncate(out, before);
            break;
        }
        tokens += is_token;
    }
    return tokens;
}

size_t text_printable(struct buf *out, struct str s, bool join_lines)
{
    buf_reserve(out, s.n);
    return printable(out, s, join_lines, SIZE_MAX);
}

void text_printable_copy(struct str s, char *out, size_t size)
{
    struct buf b = BUF_INIT;

    verify(size > 0);
    printable(&b, s, true, size - 1);
    str_copy(buf_str(&b), out, size);
    buf_done(&b);
}

/* ---- reading ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Cut the digits that *s begins with. False when there are none, or they are more than max. */
static bool take_number(struct str *s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    size_t i = 0;

    for (; i < s->n && is_digit(s->p[i]); i++) {
        uint64_t digit = (uint64_t)(s->p[i] - '0');

        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n) || n > max)
            return false;
    }
    if (i == 0)
        return false;
    *s = str_sub(*s, i, s->n);
    *out = n;
    return true;
}

bool text_parse_u64(struct str s, uint64_t max, uint64_t *out)
{
    uint64_t n;

    if (!take_number(&s, max, &n) || s.n > 0)
        return false;
    *out = n;
    return true;
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

        if (str_istarts(*s, name)) {
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

        if (!take_number(&s, INT64_MAX, &n))
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

bool text_parse_size(struct str s, uint64_t *bytes)
{
    uint64_t n, total;
    unsigned shift = 0;

    if (!take_number(&s, UINT64_MAX, &n))
        return false;
    while (s.n > 0 && s.p[0] == ' ')
        s = str_sub(s, 1, s.n);
    if (str_istarts(s, STR("k")))
        shift = 10;
    else if (str_istarts(s, STR("m")))
        shift = 20;
    else if (str_istarts(s, STR("g")))
        shift = 30;
    if (shift) {
        s = str_sub(s, 1, s.n);
        if (str_istarts(s, STR("ib")))
            s = str_sub(s, 1, s.n);
    }
    if (s.n > 0 && !str_ieq(s, STR("b")))
        return false;
    if (__builtin_mul_overflow(n, UINT64_C(1) << shift, &total))
        return false;
    *bytes = total;
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

/* ---- writing ---- */

const char *text_duration(int64_t ms, char out[16])
{
    int64_t minutes = ms / MINUTE_MS, hours = ms / HOUR_MS, days = ms / DAY_MS;

    if (ms < 0)
        snprintf(out, 16, "0s");
    else if (ms < SECOND_MS)
        snprintf(out, 16, "now");
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

const char *text_size(uint64_t bytes, char out[16])
{
    static const char units[] = {'K', 'M', 'G', 'T', 'P', 'E'};
    uint64_t n = bytes, rest = 0;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(out, 16, "%" PRIu64, bytes);
        return out;
    }
    /* Rounded to the nearest once, at the end: rounding at every step would add up. */
    for (; n >= 1024 && unit < ARRAY_LEN(units); unit++) {
        rest = n % 1024;
        n /= 1024;
    }
    n += rest >= 512;
    if (n == 1024 && unit < ARRAY_LEN(units)) {
        n = 1;
        unit++;
    }
    snprintf(out, 16, "%" PRIu64 "%c", n, units[unit - 1]);
    return out;
}

const char *text_count(uint64_t n, char out[32])
{
    char digits[24];
    int count = snprintf(digits, sizeof(digits), "%" PRIu64, n);
    size_t at = 0;

    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *text_time_utc(int64_t wall_ms, char out[32])
{
    int64_t days = floor_div(wall_ms, DAY_MS), year;
    int64_t ms = wall_ms - days * DAY_MS;
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
