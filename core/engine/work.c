/* SPDX-License-Identifier: ISC */
#include "core/engine/work.h"

#include "core/base/alloc.h"
#include "core/mail/mime.h"

void task_free(struct task *t)
{
    free(t->address);
    free(t->orcpt);
    free(t->outcome);
    free(t);
}

void delivery_free(struct delivery *d)
{
    if (!d)
        return;
    struct list *l;
    while ((l = list_pop_front(&d->tasks)))
        task_free(list_entry(l, struct task, link));
    free(d->rcpts);
    free(d->via);
    transcript_done(&d->log);
    buf_done(&d->told);
    mime_free(d->mime);
    free(d);
}
