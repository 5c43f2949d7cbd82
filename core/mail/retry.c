/* SPDX-License-Identifier: ISC */
/*
 * The next try. The regular interval grows from first_ms by growth_percent up to max_ms, plus or
 * minus a tenth, so that what failed together does not come back together.
 */
#include "core/mail/retry.h"
#include "core/base/clock.h"

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
        int64_t grown = wait / 100 * p->growth_percent + wait % 100 * p->growth_percent / 100;
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
    int64_t wait = clamp(hint_ms, RETRY_HINT_MIN_MS, p->max_ms);
    int64_t spread = wait * RETRY_JITTER_PERCENT / 100;
    return rng ? wait + (int64_t)rng_below(rng, (uint64_t)spread + 1) : wait;
}

static int64_t interval(const struct retry_policy *p, unsigned tries, const struct outcome *o,
                        struct rng *rng)
{
    int64_t wait = regular_interval(p, tries);
    if (rng)
        wait = rng_jitter(rng, wait, RETRY_JITTER_PERCENT);
    if (o && o->retry_after_ms > 0) {
        int64_t hinted = hinted_interval(p, o->retry_after_ms, rng);
        /* One that repeats "try again in 60 seconds" for days is not obeyed for days. */
        if (hinted > wait || tries <= RETRY_HINT_SHORTENS)
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

/*
 * --- the whole schedule, for people to read ---
 *
 * It asks retry_next for each try, so that what is shown is what is done; once the wait grows no more, the rest is a
 * division.
 */

static void note_wait(struct retry_schedule *s, int64_t wait_ms, int64_t now_ms)
{
    if (wait_ms > s->longest_ms)
        s->longest_ms = wait_ms;
    if (s->shortest_ms == 0 || wait_ms < s->shortest_ms)
        s->shortest_ms = wait_ms;
    if (wait_ms < RETRY_RFC_INTERVAL_MS)
        s->often_until_ms = now_ms;
}

static void note_try(struct retry_schedule *s, int64_t wait_ms, int64_t now_ms)
{
    if (s->rows_n < RETRY_SCHEDULE_ROWS)
        s->rows[s->rows_n++] = (struct retry_try){wait_ms, now_ms};
    s->tries++;
    s->in_first_hour += now_ms <= HOUR_MS;
}

/* The tries behind now_ms when all waits are alike. */
static void add_rest(struct retry_schedule *s, int64_t wait_ms, int64_t now_ms, int64_t lifetime_ms)
{
    int64_t left_ms = lifetime_ms - now_ms;
    s->tries += (uint64_t)(left_ms / wait_ms) + (left_ms % wait_ms > 0);
    if (wait_ms < RETRY_RFC_INTERVAL_MS)
        s->often_until_ms = lifetime_ms;
}

void retry_schedule(const struct retry_policy *p, bool is_report, struct retry_schedule *out)
{
    int64_t lifetime_ms = retry_deadline(p, is_report, 0), now_ms = 0, last_wait_ms = 0;
    struct retry_schedule *s = out;
    *s = (struct retry_schedule){0};
    note_try(s, 0, 0);
    for (unsigned tries = 1;; tries++) {
        int64_t next_ms = retry_next(p, is_report, tries, 0, now_ms, NULL, NULL);
        if (next_ms == RETRY_GIVE_UP)
            break;
        int64_t wait_ms = next_ms - now_ms;
        bool is_constant = wait_ms == last_wait_ms;
        if (is_constant && s->growing_n == 0)
            s->growing_n = tries < s->rows_n ? tries : s->rows_n;
        if (is_constant && now_ms > HOUR_MS && s->rows_n == RETRY_SCHEDULE_ROWS) {
            add_rest(s, wait_ms, now_ms, lifetime_ms);
            break;
        }
        if (next_ms < lifetime_ms || last_wait_ms == 0)
            note_wait(s, wait_ms, next_ms);
        note_try(s, wait_ms, next_ms);
        last_wait_ms = wait_ms;
        now_ms = next_ms;
    }
    if (s->growing_n == 0)
        s->growing_n = s->rows_n;
}
