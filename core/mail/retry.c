/* SPDX-License-Identifier: ISC */
/*
 * The next try. The regular interval grows from first_ms by growth_percent up to max_ms, plus or
 * minus a tenth, so that what failed together does not come back together.
 */
#include "core/mail/retry.h"
#include "core/base/clock.h"

#define JITTER_PERCENT 10
/* A server that repeats "try again in 60 seconds" for days is not obeyed for days. */
#define HINT_SHORTENS_TRIES 3
#define HINT_MIN_MS         (30 * SECOND_MS)

static const struct retry_policy profiles[] = {
    {
        .name = "normal",
        .first_ms = 5 * MINUTE_MS,
        .max_ms = 3 * HOUR_MS,
        .growth_percent = 150,
        .lifetime_ms = 5 * DAY_MS,
        .report_lifetime_ms = 1 * DAY_MS,
        .delay_notice_ms = 4 * HOUR_MS,
        .unconfirmed_ms = 30 * MINUTE_MS,
    },
    {
        .name = "short",
        .first_ms = 5 * MINUTE_MS,
        .max_ms = 1 * HOUR_MS,
        .growth_percent = 150,
        .lifetime_ms = 48 * HOUR_MS,
        .report_lifetime_ms = 12 * HOUR_MS,
        .delay_notice_ms = 4 * HOUR_MS,
        .unconfirmed_ms = 30 * MINUTE_MS,
    },
};

const struct retry_policy *retry_profile(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (str_ieq_z(name, profiles[i].name))
            return &profiles[i];
    return NULL;
}

int64_t retry_deadline(const struct retry_policy *p, bool is_report, int64_t arrival_wall_ms)
{
    int64_t lifetime = is_report ? p->report_lifetime_ms : p->lifetime_ms;
    int64_t deadline;
    if (__builtin_add_overflow(arrival_wall_ms, lifetime, &deadline))
        return RETRY_GIVE_UP - 1;
    return deadline;
}

static int64_t regular_interval(const struct retry_policy *p, unsigned tries)
{
    int64_t wait = p->first_ms;
    for (unsigned i = 1; i < tries && wait < p->max_ms; i++) {
        int64_t grown = wait / 100 * p->growth_percent;
        if (grown <= wait)
            break; /* growth of 100 % or a tiny first_ms: a constant interval */
        wait = grown;
    }
    return wait < p->max_ms ? wait : p->max_ms;
}

static int64_t clamp(int64_t v, int64_t min, int64_t max)
{
    return v > max ? max : v < min ? min : v;
}

/* Never earlier than the server asked, a little later is polite. */
static int64_t hinted_interval(const struct retry_policy *p, int64_t hint_ms, struct rng *rng)
{
    int64_t wait = clamp(hint_ms, HINT_MIN_MS, p->max_ms);
    int64_t spread = wait * JITTER_PERCENT / 100;
    return rng ? wait + (int64_t)rng_below(rng, (uint64_t)spread + 1) : wait;
}

static int64_t interval(const struct retry_policy *p, unsigned tries, const struct outcome *o,
                        struct rng *rng)
{
    int64_t wait = regular_interval(p, tries);
    if (rng)
        wait = rng_jitter(rng, wait, JITTER_PERCENT);
    if (o && o->retry_after_ms > 0) {
        int64_t hinted = hinted_interval(p, o->retry_after_ms, rng);
        if (hinted > wait || tries <= HINT_SHORTENS_TRIES)
            wait = hinted;
    }
    if (o && o->class == OUTCOME_UNCONFIRMED && wait < p->unconfirmed_ms)
        wait = p->unconfirmed_ms;
    return wait > 0 ? wait : 1;
}

int64_t retry_next(const struct retry_policy *p, bool is_report, unsigned tries,
                   int64_t arrival_wall_ms, int64_t now_wall_ms, const struct outcome *o,
                   struct rng *rng)
{
    int64_t deadline = retry_deadline(p, is_report, arrival_wall_ms);
    if (now_wall_ms >= deadline)
        return RETRY_GIVE_UP;
    int64_t next;
    if (__builtin_add_overflow(now_wall_ms, interval(p, tries, o, rng), &next) || next > deadline)
        return deadline;
    return next;
}
