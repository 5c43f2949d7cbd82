/* SPDX-License-Identifier: ISC */
/*
 * The deliveries that are ready at a site, by sender: one lane each, and the lanes take turns. So a
 * burst of ten thousand from one sender holds the single message of another up by one of its own, not
 * by all of them.
 */
#ifndef ENGINE_READY_H
#define ENGINE_READY_H

#include "core/base/idmap.h"
#include "core/engine/work.h"

struct ready {
    struct list lanes;     /* in the order of their turns */
    struct idmap by_sender; /* sender's id → lane */
};

void ready_init(struct ready *r);
/* Of one that is empty. */
void ready_done(struct ready *r);
bool ready_is_empty(struct ready *r);
/* Behind the others of its sender. One that is in the queue leaves it by list_remove(&d->link). */
void ready_push(struct ready *r, struct delivery *d);
/* The one whose turn it is among those that fit (fits NULL = all), still in the queue; NULL = none. */
struct delivery *ready_next(struct ready *r, bool (*fits)(void *arg, const struct delivery *d),
                            void *arg);
/* Out of the queue: its sender has had its turn. */
void ready_take(struct ready *r, struct delivery *d);
/* All of it, behind what is in out, by sender. */
void ready_drain(struct ready *r, struct list *out);
/* What waits of that sender, oldest first, or NULL. */
const struct list *ready_lane(const struct ready *r, const struct sender *sender);

#endif
