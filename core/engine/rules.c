/* SPDX-License-Identifier: ISC */
#include "core/engine/rules.h"

#include "core/base/alloc.h"
#include "core/engine/bulk.h"
#include "core/engine/submit.h"

struct rules {
    struct engine *engine; /* borrowed */
    struct ruleset *now;   /* a reference; NULL = none */
};

static int set_add(struct ruleset *s, const struct queue_rule *q, int64_t now_wall_ms,
                   struct err *err)
{
    struct rule *r = &s->rules[s->n];
    int rc = filter_parse(str_of(q->filter), now_wall_ms, &r->filter, err);
    if (rc < 0)
        return rc;
    r->q = *q;
    s->n++;
    return 0;
}

void ruleset_done(struct ruleset *s)
{
    for (size_t i = 0; i < s->n; i++)
        filter_done(&s->rules[i].filter);
    s->n = 0;
}

void ruleset_unref(struct ruleset *s)
{
    if (!s || --s->refs > 0)
        return;
    ruleset_done(s);
    free(s);
}

struct ruleset *rules_ref(struct rules *r)
{
    if (r->now)
        r->now->refs++;
    return r->now;
}

/* A copy of what there is but skip, with one more that add makes. */
static int change(struct rules *r, int64_t skip, const struct queue_rule *add, struct err *err)
{
    int64_t now = io_wall_ms(r->engine->io);
    struct ruleset *next = xnew(struct ruleset);
    next->refs = 1;
    int rc = 0;
    for (size_t i = 0; r->now && rc >= 0 && i < r->now->n; i++)
        if (r->now->rules[i].q.id != skip)
            rc = set_add(next, &r->now->rules[i].q, now, err);
    if (rc >= 0 && add)
        rc = set_add(next, add, now, err);
    if (rc < 0 || next->n == 0) {
        ruleset_unref(next);
        next = NULL;
    }
    if (rc < 0)
        return rc;
    ruleset_unref(r->now);
    r->now = next;
    return 0;
}

bool rules_has(const struct rules *r, int64_t id)
{
    for (size_t i = 0; r->now && i < r->now->n; i++)
        if (r->now->rules[i].q.id == id)
            return true;
    return false;
}

int rules_add(struct rules *r, const struct queue_rule *q, struct err *err)
{
    if (r->now && r->now->n >= RULES_MAX)
        return err_set(err, E_LIMIT, "there are %u rules already: remove one", RULES_MAX);
    return change(r, 0, q, err);
}

void rules_forget(struct rules *r, int64_t id)
{
    change(r, id, NULL, NULL);
}

/* --- at start --- */

struct loading {
    struct ruleset *out;
    int64_t now_wall_ms;
};

static void take_row(void *arg, const struct queue_rule *q)
{
    struct loading *l = arg;
    struct err err;
    if (l->out->n < RULES_MAX)
        set_add(l->out, q, l->now_wall_ms, &err); /* what no filter can be is no rule */
}

int ruleset_load(struct ruleset *out, struct store *st, int64_t now_wall_ms, struct err *err)
{
    struct loading l = {out, now_wall_ms};
    ruleset_done(out); /* it may run again */
    return queue_rules(st, RULES_MAX, take_row, &l, err);
}

void rules_take(struct rules *r, const struct ruleset *all)
{
    for (size_t i = 0; i < all->n; i++)
        change(r, 0, &all->rules[i].q, NULL);
}

/* --- mail that comes --- */

static bool is_over(const struct queue_rule *q, int64_t now_wall_ms)
{
    return q->until_wall_ms != 0 && q->until_wall_ms <= now_wall_ms;
}

int ruleset_apply(const struct ruleset *set, struct store *st, int64_t now_wall_ms,
                  const struct recipient *rcpts, size_t n, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; set && rc >= 0 && i < set->n; i++) {
        const struct rule *r = &set->rules[i];
        if (!is_over(&r->q, now_wall_ms))
            rc = queue_rule_apply(st, &r->q, &r->filter, now_wall_ms, rcpts, n, err);
    }
    return rc;
}

/* --- the end of one --- */

struct ending {
    struct ejob job;
    struct queue_rule q;
    int64_t now_wall_ms;
};

/* A hold's row stays until all that it holds is released: the last chunk of that takes it. */
static int end_run(struct store_job *base, struct store *st, struct err *err)
{
    const struct ending *en = container_of(base, struct ending, job.base);
    return en->q.verb == QUEUE_HOLD ? queue_rule_over(st, en->q.id, en->now_wall_ms, err)
                                    : queue_rule_drop(st, en->q.id, err);
}

static bool end_done(struct ejob *job, int rc, const struct err *err)
{
    struct ending *en = container_of(job, struct ending, job);
    struct engine *e = job->engine;
    if (rc < 0) {
        log_error(e->log, "control", "%s", err->text);
        return false;
    }
    log_notice(e->log, "control", "the rule «%s» by %s is over", en->q.filter, en->q.who);
    if (en->q.verb == QUEUE_HOLD)
        bulk_release(e->bulk, &en->q);
    return false;
}

static void end_free(struct ejob *job)
{
    free(container_of(job, struct ending, job));
}

static void end(struct rules *r, const struct queue_rule *q)
{
    struct engine *e = r->engine;
    struct ending *en = xnew(struct ending);
    en->job.base.run = end_run;
    en->job.done = end_done;
    en->job.free = end_free;
    en->q = *q;
    en->now_wall_ms = io_wall_ms(e->io);
    rules_forget(r, en->q.id);
    ejob_submit(e, &en->job, STORE_JOB_WRITE);
}

int rules_end(struct rules *r, int64_t id, struct err *err)
{
    if (r->engine->state != ENGINE_RUNNING)
        return err_set(err, E_STATE, "the engine is %s: it takes no acts now",
                       engine_state_name(r->engine->state));
    for (size_t i = 0; r->now && i < r->now->n; i++) {
        if (r->now->rules[i].q.id == id) {
            end(r, &r->now->rules[i].q);
            return 0;
        }
    }
    return err_set(err, E_NOTFOUND, "there is no such rule (any more)");
}

void rules_sweep(struct rules *r)
{
    int64_t now = io_wall_ms(r->engine->io);
    if (r->engine->state != ENGINE_RUNNING)
        return;
    for (size_t i = 0; r->now && i < r->now->n; i++) {
        if (is_over(&r->now->rules[i].q, now)) {
            end(r, &r->now->rules[i].q); /* the set is another one now: the rest in a minute */
            return;
        }
    }
}

struct rules *rules_new(struct engine *e)
{
    struct rules *r = xnew(struct rules);
    r->engine = e;
    return r;
}

void rules_free(struct rules *r)
{
    ruleset_unref(r->now);
    free(r);
}
