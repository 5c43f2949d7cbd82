/* SPDX-License-Identifier: ISC */
/*
 * Free text from many greylisting programs, so this looks for two things near each other: a word
 * that announces a wait, and a duration introduced by a preposition. Either alone proves nothing.
 */
#include "core/mail/retry_after.h"
#include "core/base/clock.h"

/* How far behind the announcing word the duration may stand. */
#define REACH_BYTES 64

static const char *const cues[] = {"again", "retry", "come back", "greylist", "graylist", "wait"};

static const struct {
    const char *name;
    int64_t ms;
} units[] = {
    {"s", SECOND_MS},       {"sec", SECOND_MS},     {"secs", SECOND_MS}, {"second", SECOND_MS},
    {"seconds", SECOND_MS}, {"m", MINUTE_MS},       {"min", MINUTE_MS},  {"mins", MINUTE_MS},
    {"minute", MINUTE_MS},  {"minutes", MINUTE_MS}, {"h", HOUR_MS},      {"hr", HOUR_MS},
    {"hrs", HOUR_MS},       {"hour", HOUR_MS},      {"hours", HOUR_MS},  {"d", DAY_MS},
    {"day", DAY_MS},        {"days", DAY_MS},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Up to six digits, so that nothing here can overflow. */
static bool take_number(struct str *s, int64_t *out)
{
    size_t i = 0;
    int64_t v = 0;
    for (; i < s->n && is_digit(s->p[i]); i++) {
        if (i == 6)
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_sub(*s, i, s->n);
    *out = v;
    return i > 0;
}

/* ":MM:SS" behind the hours. */
static bool take_min_sec(struct str s, int64_t *ms)
{
    if (s.n < 6 || s.p[0] != ':' || s.p[3] != ':' || !is_digit(s.p[1]) || !is_digit(s.p[2]) ||
        !is_digit(s.p[4]) || !is_digit(s.p[5]))
        return false;
    *ms = ((s.p[1] - '0') * 10 + (s.p[2] - '0')) * MINUTE_MS +
          ((s.p[4] - '0') * 10 + (s.p[5] - '0')) * SECOND_MS;
    return true;
}

static int64_t unit_ms(struct str s)
{
    while (s.n > 0 && s.p[0] == ' ')
        s = str_sub(s, 1, s.n);
    size_t n = 0;
    while (n < s.n && is_alpha(s.p[n]))
        n++;
    struct str word = str_sub(s, 0, n);
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_ieq_z(word, units[i].name))
            return units[i].ms;
    return 0;
}

/* A duration at the start of s, or 0. A bare number is seconds only when the sentence ends there. */
static int64_t duration_at(struct str s)
{
    int64_t n, rest_ms, ms;
    if (!take_number(&s, &n))
        return 0;
    if (take_min_sec(s, &rest_ms))
        ms = n * HOUR_MS + rest_ms;
    else if (unit_ms(s) > 0)
        ms = n * unit_ms(s);
    else if (s.n == 0 || s.p[0] == ')' || (s.p[0] == '.' && (s.n == 1 || s.p[1] == ' ')))
        ms = n * SECOND_MS;
    else
        return 0;
    return ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

/* The first duration behind a preposition, or directly behind "wait" or "after". */
static int64_t duration_in(struct str s)
{
    static const char *const introductions[] = {"in ", "after ", "for ", "wait ", "least "};
    for (size_t at = 0; at < s.n; at++) {
        if (at > 0 && !memchr(" (:,;", s.p[at - 1], 5)) /* not the tail of a word or URL */
            continue;
        for (size_t i = 0; i < ARRAY_LEN(introductions); i++) {
            struct str intro = str_of(introductions[i]);
            if (!str_istarts(str_sub(s, at, s.n), intro))
                continue;
            int64_t ms = duration_at(str_sub(s, at + intro.n, s.n));
            if (ms > 0)
                return ms;
        }
    }
    return 0;
}

int64_t retry_after_parse(struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(cues); i++) {
        size_t at = str_ifind(text, str_of(cues[i]));
        if (at == SIZE_MAX)
            continue;
        int64_t ms = duration_in(str_sub(text, at, at + REACH_BYTES));
        if (ms > 0)
            return ms;
    }
    return 0;
}
