/* SPDX-License-Identifier: ISC */
/*
 * Are we the problem? When servers that have nothing to do with each other fail in the same way, and
 * nothing works meanwhile, it is our own network, resolver or address, and every retry would be
 * wasted. Then delivery freezes: one probe now and then, and the first that works thaws it.
 *
 * One of these watches connections, another one name service. Pure: no clock but the argument.
 */
#ifndef MAIL_HEALTH_H
#define MAIL_HEALTH_H

#include "core/base/base.h"

#define HEALTH_WINDOW_MS    (5 * 60 * 1000ll)    /* failures belong together for so long */
#define HEALTH_ALIKE        3u                   /* so many sites */
#define HEALTH_PROBE_MS     (30 * 1000ll)        /* between two probes */
#define HEALTH_FROST_MAX_MS (24 * 3600 * 1000ll) /* then it goes on as if nothing were */
#define HEALTH_KEPT         16u

struct health {
    struct health_failure {
        uint64_t who; /* the site, or the domain, as a hash */
        unsigned how; /* errno, or a class of failure */
        int64_t mono_ms;
    } failures[HEALTH_KEPT]; /* the newest, one per site; a free place has who 0 */
    bool has_worked;         /* anything, ever */
    bool is_frozen;
    bool is_spent; /* it was frozen for as long as it may be: not again before something works */
    unsigned how;  /* what all have in common, while frozen */
    int64_t frozen_mono_ms, probe_mono_ms;
};

/* A site failed in a way that could be our fault. was_working: it has served us before; sites that
 * never did tell little, unless nothing ever has. True when it freezes just now. */
bool health_failed(struct health *h, uint64_t who, unsigned how, bool was_working,
                   int64_t now_mono_ms);
/* Something worked. True when it thaws just now. */
bool health_worked(struct health *h);
/* ms until one probe may go; 0 = now; not frozen: 0 as well. Ends a frost that has lasted too long. */
int64_t health_wait(struct health *h, int64_t now_mono_ms);
/* The probe goes. */
void health_probe(struct health *h, int64_t now_mono_ms);
/* How many sites have failed alike lately. */
unsigned health_alike(const struct health *h, unsigned how, int64_t now_mono_ms);

#endif
