/* SPDX-License-Identifier: ISC */
/*
 * How many connections a site may have: grows by one with each success until the first failure, then
 * by 1/n, shrinks by 1/n with each failure, and a site is dead for a while when a whole cohort failed without one success (the
 * feedback of Postfix's scheduler, as arithmetic). Pure: no clock but the argument.
 */
#ifndef MAIL_WINDOW_H
#define MAIL_WINDOW_H

#include "core/base/base.h"

struct window {
    double size;      /* connections allowed, >= 1 while not dead */
    double success, failure; /* fractions not yet applied */
    unsigned max;     /* configured limit */
    unsigned failed_cohorts; /* in a row, fractions in failed */
    double failed;
    bool has_failed; /* once: from then on it grows slowly */
    int64_t dead_until_mono_ms; /* 0 = alive */
};

void window_init(struct window *w, unsigned initial, unsigned max);
/* Another limit, from now on. */
void window_bound(struct window *w, unsigned max);
/* A connection served (a transaction ended with any reply that is about mail, not the site). */
void window_success(struct window *w);
/* The site failed as a site: connect, greeting, EHLO, 421. True when it became dead just now. */
bool window_failure(struct window *w, int64_t now_mono_ms, int64_t dead_for_ms);
/* Nothing for that long, then one connection, and slow growth: it has asked for that, or was found so. */
void window_pause(struct window *w, int64_t now_mono_ms, int64_t pause_ms);
/* Connections that may be open now; 0 while dead. */
unsigned window_limit(const struct window *w, int64_t now_mono_ms);

#endif
