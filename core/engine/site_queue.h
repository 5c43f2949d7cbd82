/* SPDX-License-Identifier: ISC */
/*
 * What is ready at a site, and in what order it goes: senders take turns (ready.h), and the rates of
 * [destination] sections hold back. A section that names a domain holds back that domain's mail and
 * lets the others of the same servers go; one that names a site holds back the site.
 *
 * A delivery leaves by site_queue_take, or by list_remove(&d->link) when an operator takes it away.
 */
#ifndef ENGINE_SITE_QUEUE_H
#define ENGINE_SITE_QUEUE_H

#include "core/engine/schedule.h"

/* Behind the others of its sender, at its domain's site. */
void site_queue_put(struct delivery *d);
bool site_queue_is_empty(struct site *site);
/* Any of them, for what is true of all; not on an empty queue. */
const struct delivery *site_queue_any(struct site *site);
/* The one whose turn it is, among those that fit and may go now by their rate; NULL = none. When only
 * a rate is in the way, the schedule is pumped again once it is not. */
struct delivery *site_queue_next(struct site *site,
                                 bool (*fits)(void *arg, const struct delivery *d), void *arg);
/* It goes now: it is counted by the rates. */
void site_queue_take(struct site *site, struct delivery *d);
/* All of it, behind what is in out. */
void site_queue_drain(struct site *site, struct list *out);

#endif
