/* SPDX-License-Identifier: ISC */
/*
 * The operator's verbs on many recipients: jobs that go through the queue in chunks of a thousand, one
 * transaction each, so that mail is never held up by more than a chunk. A lost SSH line stops nothing.
 */
#ifndef ENGINE_BULK_H
#define ENGINE_BULK_H

#include "core/engine/engine_private.h"
#include "store/queue.h"

struct bulk *bulk_new(struct engine *e);
void bulk_free(struct bulk *b);
/* Start a job; *out is its first state. E_SYNTAX for the filter, E_LIMIT for too many at once, E_STATE when
 * the engine does not take acts now. */
int bulk_start(struct bulk *b, const struct ctl_request *q, const char *who, struct ctl_job *out,
               struct err *err);
/* What an ended rule holds is released, by a job; the rule goes with its last chunk. */
void bulk_release(struct bulk *b, const struct queue_rule *q);
bool bulk_get(const struct bulk *b, int64_t id, struct ctl_job *out);
/* Between two chunks, which may be soon. What is paused goes on where it was, or is stopped; it counts as
 * one that runs. */
void bulk_stop(struct bulk *b, int64_t id);
void bulk_pause(struct bulk *b, int64_t id);
void bulk_resume(struct bulk *b, int64_t id);
/* The latest, newest first; returns new (free). */
struct ctl_job *bulk_list(const struct bulk *b, size_t *n);

#endif
