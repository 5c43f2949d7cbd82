/* SPDX-License-Identifier: ISC */
/*
 * What is told to senders later: mail that an operator returns, when the time for undo is over; reports
 * that waited for more news of their message and must not wait any longer; notices about what has become
 * late between two tries. All of it is in the store; here is only the timer.
 */
#ifndef ENGINE_BOUNCE_H
#define ENGINE_BOUNCE_H

#include "core/engine/engine_private.h"

struct bounce *bounce_new(struct engine *e);
void bounce_free(struct bounce *b);
/* The store is ready: look what is due, and from now on once a minute. */
void bounce_start(struct bounce *b);
/* Something is due then. */
void bounce_due_at(struct bounce *b, int64_t wall_ms);

#endif
