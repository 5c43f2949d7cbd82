/* SPDX-License-Identifier: ISC */
/* Numbers and sizes: read strictly (the whole text, no sign, no overflow), written for people. */
#include <inttypes.h>
#include "core/base/text.h"

bool text_take_u64(struct str *s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    size_t i = 0;

    for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
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

    if (!text_take_u64(&s, max, &n) || s.n > 0)
        return false;
    *out = n;
    return true;
}

bool text_parse_size(struct str s, uint64_t *bytes)
{
    uint64_t n, total;
    unsigned shift = 0;

    if (!text_take_u64(&s, UINT64_MAX, &n))
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

const char *text_size(uint64_t bytes, char out[16])
{
    static const char units[] = {'K', 'M', 'G', 'T', 'P', 'E'};
    uint64_t n = bytes, rest = 0;
    size_t unit = 0;

    /* A number without a unit is a riddle; "1000B" would take a fifth column. */
    if (bytes < 1000) {
        snprintf(out, 16, "%" PRIu64 "B", bytes);
        return out;
    }
    if (bytes < 1024) {
        str_copy(STR("1K"), out, 16);
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
    snprintf(out, 16, "%u%c", (unsigned)n, units[unit - 1]);
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
