/* SPDX-License-Identifier: ISC */
/* When to try again (RFC 5321 4.5.4.1): exponential back-off with jitter within a lifetime. Pure. */
#ifndef MAIL_RETRY_H
#define MAIL_RETRY_H

#include "core/base/rng.h"
#include "core/mail/outcome.h"

struct retry_policy {
    const char *name;           /* static: "normal", "short" */
    int64_t first_ms;           /* before the second try */
    int64_t max_ms;             /* no interval is longer */
    unsigned growth_percent;    /* 150: each interval is 1.5 times the last */
    int64_t lifetime_ms;        /* from arrival to giving up */
    int64_t report_lifetime_ms; /* the same for our own reports */
    int64_t delay_notice_ms;    /* from arrival to the delay notice; 0 = none */
    int64_t unconfirmed_ms;     /* not earlier than this after a loss at the final dot */
};

/* "normal": 5 days, first retry after 5 min; "short": 48 hours. NULL when unknown. */
const struct retry_policy *retry_profile(struct str name);

#define RETRY_GIVE_UP INT64_MAX

/* Each wait is up to that much longer or shorter, so that what failed together does not come back together. */
#define RETRY_JITTER_PERCENT 10
/* A server's "try again in N": counts for at least that, and shortens a wait only that many times. */
#define RETRY_HINT_MIN_MS   (INT64_C(30) * 1000)
#define RETRY_HINT_SHORTENS 3

/*
 * Wall ms of the next try after try number tries (1 = the first was made), always > now_wall_ms;
 * RETRY_GIVE_UP once the lifetime is over (also when the next regular try would come later: then one
 * last try at the end of the lifetime). A server's own "try again in N" (outcome retry_after_ms)
 * counts between 30 s and max_ms; it shortens the interval of the first three tries only, and we
 * never come back before it. OUTCOME_UNCONFIRMED waits at least unconfirmed_ms. o may be NULL; rng
 * NULL means without jitter.
 */
int64_t retry_next(const struct retry_policy *p, bool is_report, unsigned tries,
                   int64_t arrival_wall_ms, int64_t now_wall_ms, const struct outcome *o,
                   struct rng *rng);

#define RETRY_SCHEDULE_ROWS 32
/* RFC 5321 4.5.4.1: "in general, the retry interval SHOULD be at least 30 minutes". */
#define RETRY_RFC_INTERVAL_MS (INT64_C(30) * 60 * 1000)

/* The tries of a message that nobody takes and nobody touches, without jitter and without wishes of a server. */
struct retry_schedule {
    struct retry_try {
        int64_t wait_ms; /* since the try before; 0 for the first */
        int64_t since_arrival_ms;
    } rows[RETRY_SCHEDULE_ROWS]; /* the first tries */
    size_t rows_n;
    size_t
        growing_n;  /* rows until the wait grows no more; rows_n when that comes later, or never */
    uint64_t tries; /* in all, the one at the end of the lifetime included */
    unsigned in_first_hour; /* of these, at most an hour after arrival */
    int64_t longest_ms,
        shortest_ms; /* waits; 0 = there is one try only. The last wait is cut by the end, and not looked at */
    int64_t
        often_until_ms; /* since arrival, when the last wait under RETRY_RFC_INTERVAL_MS is over; 0 = none */
};
void retry_schedule(const struct retry_policy *p, bool is_report, struct retry_schedule *out);

/* Time to give up, wall ms. */
int64_t retry_deadline(const struct retry_policy *p, bool is_report, int64_t arrival_wall_ms);

#endif
