/* SPDX-License-Identifier: ISC */
#include "core/engine/submit.h"

static void finished(struct store_job *base, int rc, const struct err *err)
{
    struct ejob *j = container_of(base, struct ejob, base);
    struct engine *e = j->engine;
    if (!e) {
        j->free(j);
        return;
    }
    list_remove(&j->link);
    if (rc < 0 && err_is_store(err))
        engine_store_failed(e, err);
    if (!j->done(j, rc, err))
        j->free(j);
    engine_check_drained(e);
}

void ejob_submit(struct engine *e, struct ejob *j, enum store_job_kind kind)
{
    j->base.kind = kind;
    j->base.done = finished;
    j->engine = e;
    list_push_back(&e->store_jobs, &j->link);
    e->io->ops->submit(e->io, &j->base);
}

bool err_is_store(const struct err *err)
{
    return err && (err->code == E_IO || err->code == E_FULL || err->code == E_CORRUPT ||
                   err->code == E_BUSY);
}
