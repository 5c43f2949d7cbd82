/* SPDX-License-Identifier: ISC */
/*
 * A store job of the engine. It outlives the engine when it must: a job that the store still has
 * when the engine goes is only freed, never answered.
 */
#ifndef ENGINE_SUBMIT_H
#define ENGINE_SUBMIT_H

#include "core/engine/engine_private.h"

struct ejob {
    struct store_job base; /* base.run is set by the maker */
    struct list link;      /* in engine.store_jobs, or engine.unsettled */
    struct engine *engine; /* NULL once the engine is gone */
    /* In the engine's thread, after the commit. Returns true to keep the job (it was put somewhere);
     * else it is freed. */
    bool (*done)(struct ejob *j, int rc, const struct err *err);
    void (*free)(struct ejob *j);
};

/* Takes the job. */
void ejob_submit(struct engine *e, struct ejob *j, enum store_job_kind kind);
/* The trouble is the store itself, not this job. */
bool err_is_store(const struct err *err);

#endif
