/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/engine/bounce.h"
#include "core/engine/bulk.h"
#include "core/engine/control.h"
#include "core/engine/engine_private.h"
#include "core/engine/intake.h"
#include "core/engine/outbound.h"
#include "core/engine/record.h"
#include "core/engine/relay.h"
#include "core/engine/rules.h"
#include "core/engine/site_memory.h"
#include "core/engine/watch.h"
#include "core/engine/schedule.h"
#include "core/engine/submit.h"
#include "core/engine/suppress.h"
#include "store/queue.h"

#define PROBE_MS   (2 * SECOND_MS)
#define CHORES_MS  MINUTE_MS
#define PURGE_ROWS 250u
#define UNDO_ROWS  500u

struct route_self engine_self(const struct engine *e)
{
    return (struct route_self){e->conf->hostname, e->self_ips, e->self_ips_n};
}

static void enter(struct engine *e, enum engine_state state, const char *why)
{
    if (e->state != state)
        log_notice(e->log, "engine", "%s%s%s", engine_state_name(state), why[0] ? ": " : "", why);
    e->state = state;
    str_copy(str_of(why), e->why, sizeof e->why);
}

/* --- recovery at start --- */

struct recover {
    struct ejob job;
    int64_t now_wall_ms, unconfirmed_wall_ms, last_id;
    struct queue_recovered found;
    struct suppress_rows suppressed;
    struct ruleset rules;
};

static int recover_run(struct store_job *base, struct store *st, struct err *err)
{
    struct recover *r = container_of(base, struct recover, job.base);
    int rc = queue_recover(st, r->now_wall_ms, r->unconfirmed_wall_ms, &r->found, err);
    if (rc >= 0)
        rc = ruleset_load(&r->rules, st, r->now_wall_ms, err);
    if (rc >= 0)
        rc = suppress_load(&r->suppressed, st, r->now_wall_ms, err);
    return rc < 0 ? rc : queue_last_id(st, &r->last_id, err);
}

static bool recover_done(struct ejob *job, int rc, const struct err *err)
{
    struct recover *r = container_of(job, struct recover, job);
    struct engine *e = job->engine;
    if (rc < 0) {
        e->on_fatal(e->on_fatal_arg, err);
        return false;
    }
    const struct queue_recovered *f = &r->found;
    if (f->requeued + f->unconfirmed + f->orphans + f->log_lines > 0)
        log_warn(e->log, "engine",
                 "the last run ended without a drain: %u recipients go on, %u may have been "
                 "delivered (unconfirmed), %u broken uploads removed, %u log lines written",
                 f->requeued, f->unconfirmed, f->orphans, f->log_lines);
    idgen_init(&e->ids, e->ids.node, r->last_id);
    rules_take(e->rules, &r->rules);
    suppress_take(e->suppress, &r->suppressed);
    if (e->state == ENGINE_STARTING)
        enter(e, ENGINE_RUNNING, "");
    watch_start(e->watch); /* before anything can expire */
    sites_recall(e->schedule);
    schedule_start(e->schedule);
    bounce_start(e->bounce);
    return false;
}

static void recover_free(struct ejob *job)
{
    struct recover *r = container_of(job, struct recover, job);
    free(r->suppressed.rows);
    ruleset_done(&r->rules);
    free(r);
}

static void recover(struct engine *e)
{
    struct recover *r = xnew(struct recover);
    r->job.base.run = recover_run;
    r->job.done = recover_done;
    r->job.free = recover_free;
    r->now_wall_ms = io_wall_ms(e->io);
    r->unconfirmed_wall_ms = r->now_wall_ms + e->conf->retry.unconfirmed_ms;
    ejob_submit(e, &r->job, STORE_JOB_WRITE);
}

/* --- small jobs: the probe of a sick store, retention --- */

struct chore {
    struct ejob job;
    int64_t before_wall_ms; /* 0: only a probe */
    int64_t log_before_wall_ms, now_wall_ms;
    int released; /* that the engine held, and that are tried again */
};

static int chore_run(struct store_job *base, struct store *st, struct err *err)
{
    struct chore *c = container_of(base, struct chore, job.base);
    if (c->before_wall_ms == 0)
        return queue_probe(st, err);
    int rc = queue_purge(st, c->before_wall_ms, PURGE_ROWS, err);
    if (rc == 0)
        queue_purge_log(st, c->log_before_wall_ms, NULL);
    if (rc == 0)
        rc = queue_suppress_expire(st, c->now_wall_ms, err);
    if (rc == 0)
        rc = queue_undo_purge(st, c->now_wall_ms, UNDO_ROWS, err);
    if (rc < 0)
        return rc;
    c->released = queue_release_held(st, c->now_wall_ms, PURGE_ROWS, err);
    return c->released < 0 ? c->released : rc;
}

static void chore_free(struct ejob *job)
{
    free(container_of(job, struct chore, job));
}

static void submit_chore(struct engine *e, bool is_probe,
                         bool (*done)(struct ejob *, int, const struct err *))
{
    struct chore *c = xnew(struct chore);
    c->job.base.run = chore_run;
    c->job.done = done;
    c->job.free = chore_free;
    int64_t now = io_wall_ms(e->io);
    if (!is_probe) {
        c->now_wall_ms = now;
        c->before_wall_ms = now - e->conf->keep_ms;
        c->log_before_wall_ms = now - e->conf->log_keep_ms;
    }
    ejob_submit(e, &c->job, STORE_JOB_WRITE);
}

static bool purge_done(struct ejob *job, int rc, const struct err *err)
{
    (void)err;
    struct engine *e = job->engine;
    if (rc >= 0 && container_of(job, struct chore, job)->released > 0)
        schedule_touch(e->schedule);
    /* There may be more: go on soon, but let mail between. */
    bool is_more = rc > 0 || container_of(job, struct chore, job)->released >= (int)PURGE_ROWS;
    e->io->ops->timer_start(e->chores, is_more ? 50 : CHORES_MS);
    return false;
}

static void chores_fired(void *arg)
{
    struct engine *e = arg;
    schedule_sweep(e->schedule);
    suppress_sweep(e->suppress);
    rules_sweep(e->rules);
    if (e->state == ENGINE_RUNNING)
        submit_chore(e, false, purge_done);
    else
        e->io->ops->timer_start(e->chores, CHORES_MS);
}

/* --- a sick store --- */

static bool probe_done(struct ejob *job, int rc, const struct err *err)
{
    struct engine *e = job->engine;
    if (rc < 0) {
        str_copy(str_of(err->text), e->why, sizeof e->why);
        e->io->ops->timer_start(e->probe, PROBE_MS);
        return false;
    }
    if (e->state == ENGINE_STORE_SICK)
        enter(e, ENGINE_RUNNING, "");
    record_resume(e);
    schedule_start(e->schedule);
    return false;
}

static void probe_fired(void *arg)
{
    struct engine *e = arg;
    submit_chore(e, true, probe_done);
}

void engine_store_failed(struct engine *e, const struct err *err)
{
    if (e->state == ENGINE_STORE_SICK || e->state == ENGINE_STARTING)
        return;
    log_error(e->log, "engine", "the store does not take anything: %s", err->text);
    /* While draining it goes on draining; what is not recorded is tried again by the probe. */
    if (e->state == ENGINE_RUNNING)
        enter(e, ENGINE_STORE_SICK, err->text);
    e->io->ops->timer_start(e->probe, PROBE_MS);
    list_for_each_safe(l, &e->schedule->outbounds)
        outbound_abort(list_entry(l, struct outbound, link),
                       "the mail store of this machine is not well");
}

/* --- life --- */

/* The rules of the configuration were checked when it was read; a file that went since is no reason to
 * stop. */
static void load_rules(struct engine *e)
{
    struct explainer *x = NULL;
    struct err err = ERR_NONE;
    if (explainer_new(e->conf->explain_rules, &x, &err) < 0) {
        log_error(e->log, "engine", "%s", err.text);
        if (e->explainer || explainer_new(NULL, &x, &err) < 0)
            return;
    }
    explainer_free(e->explainer);
    e->explainer = x;
}

struct engine *engine_new(const struct conf *conf, struct io *io, const struct log *log,
                          uint64_t seed)
{
    struct engine *e = xnew(struct engine);
    e->conf = conf;
    e->io = io;
    e->log = log;
    if (seed)
        rng_init_seed(&e->rng, seed);
    else
        rng_init_system(&e->rng);
    idgen_init(&e->ids, 0, 0);
    e->pid = getpid();
    e->state = ENGINE_STARTING;
    list_init(&e->store_jobs);
    list_init(&e->unsettled);
    e->probe = io->ops->timer_new(io, probe_fired, e);
    e->chores = io->ops->timer_new(io, chores_fired, e);
    e->schedule = schedule_new(e);
    e->intake = intake_new(e);
    e->control = control_new(e);
    e->bulk = bulk_new(e);
    e->bounce = bounce_new(e);
    e->suppress = suppress_new(e);
    e->rules = rules_new(e);
    e->relays = relays_new(e);
    e->watch = watch_new(e);
    load_rules(e);
    return e;
}

int engine_start(struct engine *e, void (*on_fatal)(void *arg, const struct err *err), void *arg,
                 struct err *err)
{
    e->on_fatal = on_fatal;
    e->on_fatal_arg = arg;
    e->started_wall_ms = io_wall_ms(e->io);
    int rc = intake_listen(e->intake, err);
    if (rc >= 0)
        rc = control_listen(e->control, err);
    if (rc < 0)
        return rc;
    recover(e);
    e->io->ops->timer_start(e->chores, CHORES_MS);
    return 0;
}

static void grace_over(void *arg)
{
    struct engine *e = arg;
    e->is_grace_over = true;
    list_for_each_safe(l, &e->schedule->outbounds)
        outbound_abort(list_entry(l, struct outbound, link),
                       "this machine's mail engine is going down");
    /* What is left waits for the reply to an end of data, which may take ten minutes (RFC 5321
     * 4.5.3.2.6): it becomes unconfirmed. */
    list_for_each_safe(l, &e->schedule->outbounds)
        outbound_cut(list_entry(l, struct outbound, link));
    intake_stop(e->intake);
    engine_check_drained(e);
}

void engine_drain(struct engine *e, int64_t grace_ms, void (*done)(void *arg), void *arg)
{
    e->on_drained = done;
    e->on_drained_arg = arg;
    enter(e, ENGINE_DRAINING, "stopping: what is being sent is finished first");
    intake_drain(e->intake);
    e->grace = e->io->ops->timer_new(e->io, grace_over, e);
    e->io->ops->timer_start(e->grace, grace_ms);
    list_for_each_safe(l, &e->schedule->outbounds)
        outbound_retire(list_entry(l, struct outbound, link));
    schedule_unclaim_waiting(e->schedule);
    engine_check_drained(e);
}

bool engine_is_idle(const struct engine *e)
{
    return e->schedule->tasks.n == 0 && list_empty(&e->store_jobs) && !e->schedule->is_fetching &&
           !e->schedule->is_pump_set;
}

void engine_check_drained(struct engine *e)
{
    if (!e->on_drained || e->is_drain_told)
        return;
    if (e->schedule->outbounds_n > 0 || intake_sessions(e->intake) > 0)
        return;
    /* What came back from connections that broke meanwhile. */
    schedule_unclaim_waiting(e->schedule);
    /* A sick store that has not got well within the grace is not waited for: what it does not know
     * of, its marks say. */
    if (!list_empty(&e->store_jobs) || (!list_empty(&e->unsettled) && !e->is_grace_over))
        return;
    e->is_drain_told = true;
    e->on_drained(e->on_drained_arg);
}

void engine_on_reload(struct engine *e, void (*asked)(void *arg), void *arg)
{
    e->on_reload = asked;
    e->on_reload_arg = arg;
}

static bool same_endpoints(const struct endpoint *a, size_t a_n, const struct endpoint *b,
                           size_t b_n)
{
    bool is_same = a_n == b_n;
    for (size_t i = 0; is_same && i < a_n; i++)
        is_same = ip_eq(&a[i].ip, &b[i].ip) && a[i].port == b[i].port;
    return is_same;
}

void engine_reload(struct engine *e, const struct conf *conf, const char **note)
{
    const struct conf *old = e->conf;
    *note = "";
    if (!same_endpoints(old->listen, old->listen_n, conf->listen, conf->listen_n) ||
        !same_endpoints(old->system, old->system_n, conf->system, conf->system_n))
        *note = "listen.smtp or listen.system changed: that needs a restart";
    if (strcmp(old->store_path, conf->store_path) != 0)
        *note = "store.path changed: that needs a restart";
    e->conf = conf;
    load_rules(e);
    relays_reload(e->relays);
    intake_reload(e->intake);
    schedule_reload(e->schedule);
    log_notice(e->log, "engine", "configuration read again%s%s", (*note)[0] ? ": " : "", *note);
}

static void free_jobs(struct engine *e)
{
    struct list *l;
    /* The store still has these: they are freed when it gives them back. */
    while ((l = list_pop_front(&e->store_jobs)))
        list_entry(l, struct ejob, link)->engine = NULL;
    while ((l = list_pop_front(&e->unsettled))) {
        struct ejob *j = list_entry(l, struct ejob, link);
        j->free(j);
    }
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    e->on_drained = NULL;
    control_free(e->control);
    intake_free(e->intake);
    free_jobs(e);
    bulk_free(e->bulk);
    bounce_free(e->bounce);
    schedule_free(e->schedule);
    suppress_free(e->suppress);
    rules_free(e->rules);
    relays_free(e->relays);
    watch_free(e->watch);
    explainer_free(e->explainer);
    e->io->ops->timer_free(e->probe);
    e->io->ops->timer_free(e->chores);
    if (e->grace)
        e->io->ops->timer_free(e->grace);
    free(e);
}
