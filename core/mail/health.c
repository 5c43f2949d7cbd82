/* SPDX-License-Identifier: ISC */
#include "core/mail/health.h"

static bool is_recent(const struct health_failure *f, int64_t now_mono_ms)
{
    return f->who && now_mono_ms - f->mono_ms < HEALTH_WINDOW_MS;
}

unsigned health_alike(const struct health *h, unsigned how, int64_t now_mono_ms)
{
    unsigned n = 0;

    for (size_t i = 0; i < HEALTH_KEPT; i++)
        n += is_recent(&h->failures[i], now_mono_ms) && h->failures[i].how == how;
    return n;
}

/* Its own place, or the oldest. */
static void remember(struct health *h, uint64_t who, unsigned how, int64_t now_mono_ms)
{
    struct health_failure *at = &h->failures[0];

    for (size_t i = 0; i < HEALTH_KEPT; i++) {
        struct health_failure *f = &h->failures[i];
        if (f->who == who) {
            at = f;
            break;
        }
        if (at->who && (!f->who || f->mono_ms < at->mono_ms))
            at = f;
    }
    *at = (struct health_failure){who, how, now_mono_ms};
}

bool health_failed(struct health *h, uint64_t who, unsigned how, bool was_working,
                   int64_t now_mono_ms)
{
    who = who ? who : 1;
    /* One that never worked is no news, once others have: it may just be dead. */
    if (h->has_worked && !was_working && health_alike(h, how, now_mono_ms) == 0)
        return false;
    remember(h, who, how, now_mono_ms);
    if (h->is_frozen || h->is_spent || health_alike(h, how, now_mono_ms) < HEALTH_ALIKE)
        return false;
    h->is_frozen = true;
    h->how = how;
    h->frozen_mono_ms = h->probe_mono_ms = now_mono_ms;
    return true;
}

bool health_worked(struct health *h)
{
    bool was_frozen = h->is_frozen;

    if (h->is_frozen || h->is_spent || h->failures[0].who)
        memset(h->failures, 0, sizeof(h->failures));
    h->has_worked = true;
    h->is_frozen = h->is_spent = false;
    return was_frozen;
}

int64_t health_wait(struct health *h, int64_t now_mono_ms)
{
    if (h->is_frozen && now_mono_ms - h->frozen_mono_ms >= HEALTH_FROST_MAX_MS) {
        h->is_frozen = false;
        h->is_spent = true;
    }
    if (!h->is_frozen)
        return 0;
    int64_t wait = h->probe_mono_ms + HEALTH_PROBE_MS - now_mono_ms;
    return wait > 0 ? wait : 0;
}

void health_probe(struct health *h, int64_t now_mono_ms)
{
    if (h->is_frozen)
        h->probe_mono_ms = now_mono_ms;
}
