/* SPDX-License-Identifier: ISC */
#include "core/engine/site_memory.h"

#include "core/base/alloc.h"
#include "core/engine/submit.h"

#define SITES_MAX 10000u

/* --- writing --- */

struct noting {
    struct ejob job;
    struct queue_site site;
    bool is_well;
};

static int note_run(struct store_job *base, struct store *st, struct err *err)
{
    const struct noting *n = container_of(base, struct noting, job.base);
    return n->is_well ? queue_site_forget(st, n->site.name, err)
                      : queue_site_save(st, &n->site, err);
}

static bool note_done(struct ejob *job, int rc, const struct err *err)
{
    if (rc < 0)
        log_error(job->engine->log, "schedule", "%s", err->text);
    return false;
}

static void note_free(struct ejob *job)
{
    free(container_of(job, struct noting, job));
}

static struct noting *note(const struct site *site)
{
    struct noting *n = xnew(struct noting);
    n->job.base.run = note_run;
    n->job.done = note_done;
    n->job.free = note_free;
    str_copy(str_of(site->name), n->site.name, sizeof n->site.name);
    return n;
}

void site_remember(struct site *site, int64_t for_ms)
{
    struct engine *e = site->schedule->engine;
    struct noting *n = note(site);
    n->site.until_wall_ms = io_wall_ms(e->io) + for_ms;
    n->site.failed = site->window.failed_cohorts;
    n->site.slow = site->slow;
    n->site.why = *site->dead_why;
    site->is_noted = true;
    ejob_submit(e, &n->job, STORE_JOB_WRITE);
}

void site_forget(struct site *site)
{
    if (!site->is_noted)
        return;
    struct noting *n = note(site);
    n->is_well = true;
    site->is_noted = false;
    ejob_submit(site->schedule->engine, &n->job, STORE_JOB_WRITE);
}

/* --- reading --- */

struct recalling {
    struct ejob job;
    int64_t now_wall_ms;
    struct queue_site *found; /* own */
    size_t n, cap;
};

static void recalled(void *arg, const struct queue_site *q)
{
    struct recalling *r = arg;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 16;
        r->found = xreallocarray(r->found, r->cap, sizeof *r->found);
    }
    r->found[r->n++] = *q;
}

static int recall_run(struct store_job *base, struct store *st, struct err *err)
{
    struct recalling *r = container_of(base, struct recalling, job.base);
    r->n = 0;
    return queue_sites(st, r->now_wall_ms, SITES_MAX, recalled, r, err);
}

static bool recall_done(struct ejob *job, int rc, const struct err *err)
{
    struct recalling *r = container_of(job, struct recalling, job);
    struct schedule *s = job->engine->schedule;
    if (rc < 0)
        log_error(job->engine->log, "schedule", "%s", err->text);
    for (size_t i = 0; rc >= 0 && i < r->n; i++) {
        struct site *site = map_get(&s->sites, str_of(r->found[i].name));
        struct queue_site *q = xnew(struct queue_site);
        *q = r->found[i];
        free(map_put(&s->troubles, str_of(q->name), q));
        if (site)
            site_restore(site); /* mail was faster than the store */
    }
    return false;
}

static void recall_free(struct ejob *job)
{
    struct recalling *r = container_of(job, struct recalling, job);
    free(r->found);
    free(r);
}

void sites_recall(struct schedule *s)
{
    struct recalling *r = xnew(struct recalling);
    r->job.base.run = recall_run;
    r->job.done = recall_done;
    r->job.free = recall_free;
    r->now_wall_ms = io_wall_ms(s->engine->io);
    ejob_submit(s->engine, &r->job, STORE_JOB_WRITE); /* it forgets the old ones */
}

void site_restore(struct site *site)
{
    struct schedule *s = site->schedule;
    struct queue_site *q = map_remove(&s->troubles, str_of(site->name));
    if (!q)
        return;
    int64_t left_ms = q->until_wall_ms - io_wall_ms(s->engine->io);
    if (left_ms > 0) {
        window_pause(&site->window, io_mono_ms(s->engine->io), left_ms);
        site->window.failed_cohorts = q->failed;
        site->slow = q->slow;
        if (!site->dead_why)
            site->dead_why = xnew(struct outcome);
        *site->dead_why = q->why;
    }
    site->is_noted = true;
    free(q);
}

void sites_drop(struct schedule *s)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&s->troubles, &at, &key, &value))
        free(value);
    map_done(&s->troubles);
}
