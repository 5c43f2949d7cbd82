/* SPDX-License-Identifier: ISC */
/*
 * The window of a site. 1/n per event means that n connections which all succeed grow it by one:
 * growth by one per round trip, whatever the size. As long as nothing has failed there, each success
 * counts whole, and the window doubles in that time: a burst to a willing host is not spread over
 * minutes, and the first refusal ends it. A pseudo-cohort is as many failures as the window
 * is wide, without a success between them.
 */
#include "core/mail/window.h"

/* Sums of 1/n miss the whole number by rounding. */
#define WHOLE (1.0 - 1e-9)

void window_bound(struct window *w, unsigned max)
{
    w->max = max ? max : 1;
    if (w->size > w->max)
        w->size = w->max;
}

void window_init(struct window *w, unsigned initial, unsigned max)
{
    *w = (struct window){.size = initial ? initial : 1};
    window_bound(w, max);
}

void window_success(struct window *w)
{
    w->dead_until_mono_ms = 0;
    w->failed_cohorts = 0;
    w->failed = 0;
    w->success += w->has_failed ? 1.0 / w->size : 1.0;
    if (w->success < WHOLE)
        return;
    w->success = 0;
    w->failure = 0;
    w->size = w->size + 1 < w->max ? w->size + 1 : w->max;
}

void window_pause(struct window *w, int64_t now_mono_ms, int64_t pause_ms)
{
    w->failed = 0;
    w->success = 0;
    w->failure = 0;
    w->has_failed = true;
    w->size = 1; /* it comes back with one probe */
    w->dead_until_mono_ms = now_mono_ms + (pause_ms > 0 ? pause_ms : 1);
    if (w->dead_until_mono_ms == 0)
        w->dead_until_mono_ms = 1; /* 0 means alive */
}

static void die(struct window *w, int64_t now_mono_ms, int64_t dead_for_ms)
{
    w->failed_cohorts++;
    window_pause(w, now_mono_ms, dead_for_ms);
}

bool window_failure(struct window *w, int64_t now_mono_ms, int64_t dead_for_ms)
{
    if (w->dead_until_mono_ms && now_mono_ms < w->dead_until_mono_ms)
        return false; /* the rest of the cohort that has just killed it */
    double share = 1.0 / w->size;
    w->has_failed = true;
    w->failed += share;
    if (w->failed >= WHOLE) {
        die(w, now_mono_ms, dead_for_ms);
        return true;
    }
    w->failure += share;
    if (w->failure >= WHOLE) {
        w->failure = 0;
        w->success = 0;
        w->size = w->size - 1 > 1 ? w->size - 1 : 1;
    }
    return false;
}

unsigned window_limit(const struct window *w, int64_t now_mono_ms)
{
    if (w->dead_until_mono_ms && now_mono_ms < w->dead_until_mono_ms)
        return 0;
    return (unsigned)w->size;
}
