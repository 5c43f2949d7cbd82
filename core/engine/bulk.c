/* SPDX-License-Identifier: ISC */
#include "core/engine/bulk.h"

#include "core/base/alloc.h"
#include "core/engine/bounce.h"
#include "core/engine/rules.h"
#include "core/engine/schedule.h"
#include "core/engine/submit.h"
#include "core/mail/way.h"
#include "store/queue.h"

#define CHUNK_ROWS  1000u
#define RUNNING_MAX 8u

struct act {
    struct list link; /* in bulk.acts, newest first */
    struct ctl_job info;
    struct filter filter;
    char via[WAY_TEXT_MAX]; /* of a reroute */
    bool is_stopping, is_pausing;
    struct queue_bulk at; /* while it is paused: where it goes on */
    struct queue_rule *rule; /* own: the one that it makes, or (CTL_RELEASE) that is over; NULL = none */
    bool is_rule_written;
};

struct bulk {
    struct engine *engine; /* borrowed */
    struct list acts;
    unsigned acts_n, running;
};

/* One chunk in the store's hands. */
struct step {
    struct ejob job;
    struct act *act; /* borrowed: acts that run are not forgotten */
    struct queue_bulk bulk;
    int64_t audit_id; /* != 0: also write the journal's row when this was the last chunk */
    struct change {
        int64_t rcpt_id;
        enum rcpt_state state;
    } changes[CHUNK_ROWS];
    size_t n;
};

static void submit_step(struct bulk *b, struct act *a, const struct queue_bulk *so_far);

static enum queue_verb verb_of(enum ctl_verb v)
{
    switch (v) {
    case CTL_HOLD: return QUEUE_HOLD;
    case CTL_RELEASE: return QUEUE_RELEASE;
    case CTL_DELETE: return QUEUE_DELETE;
    case CTL_CONFIRM: return QUEUE_CONFIRM;
    case CTL_RESEND: return QUEUE_RESEND;
    case CTL_REROUTE: return QUEUE_REROUTE;
    case CTL_BOUNCE: return QUEUE_BOUNCE;
    case CTL_UNDO: return QUEUE_UNDO;
    default: return QUEUE_RETRY;
    }
}

#define VERB_TEXT_MAX (WAY_TEXT_MAX + 30)

/* "hold", "reroute to office", "undo of 0A1B2C3D4E5" */
static const char *verb_text(const struct ctl_job *j, char out[VERB_TEXT_MAX])
{
    char id[ID_TEXT_MAX];
    const char *verb = ctl_verb_name(j->verb);
    if (j->verb == CTL_UNDO)
        snprintf(out, VERB_TEXT_MAX, "%s of %s", verb, id_text(j->undoes, id));
    else
        snprintf(out, VERB_TEXT_MAX, j->to[0] ? "%s to %.*s" : "%s", verb, WAY_TEXT_MAX, j->to);
    return out;
}

static void changed(void *arg, int64_t rcpt_id, enum rcpt_state now, int64_t next_wall_ms)
{
    (void)next_wall_ms;
    struct step *s = arg;
    if (s->n < CHUNK_ROWS)
        s->changes[s->n++] = (struct change){rcpt_id, now};
}

static int step_run(struct store_job *base, struct store *st, struct err *err)
{
    struct step *s = container_of(base, struct step, job.base);
    struct queue_bulk *q = &s->bulk;
    s->n = 0;
    int rc = queue_bulk_step(st, q, CHUNK_ROWS, changed, s, err);
    const struct act *a = s->act;
    if (rc >= 0 && a->rule && !a->is_rule_written && q->verb != QUEUE_RELEASE)
        rc = queue_rule_add(st, a->rule, err);
    if (rc < 0 || !q->is_done || q->is_dry_run)
        return rc;
    if (a->rule && q->verb == QUEUE_RELEASE)
        rc = queue_rule_drop(st, a->rule->id, err);
    if (rc < 0)
        return rc;
    const struct ctl_job *i = &s->act->info;
    char verb[VERB_TEXT_MAX];
    return queue_audit(st, s->audit_id, q->now_wall_ms, i->who, verb_text(i, verb), i->filter,
                       i->reason[0] ? i->reason : i->text, q->changed, err);
}

static void ended(struct bulk *b, struct act *a, enum ctl_job_state state)
{
    char verb[VERB_TEXT_MAX];
    a->info.state = state;
    a->info.ended_wall_ms = io_wall_ms(b->engine->io);
    b->running--;
    log_notice(b->engine->log, "control", "%s%s «%s» by %s: %s, %llu changed, %llu skipped",
               verb_text(&a->info, verb), a->info.is_dry_run ? " (dry run)" : "",
               a->info.filter[0] ? a->info.filter : "everything", a->info.who,
               ctl_job_state_name(state), (unsigned long long)a->info.changed,
               (unsigned long long)a->info.skipped);
}

/* It counts as one that runs: it is not over. */
static void pause_at(struct act *a, const struct queue_bulk *so_far)
{
    a->at = *so_far;
    a->info.state = CTL_JOB_PAUSED;
}

static bool is_over(const struct act *a)
{
    return a->info.state != CTL_JOB_RUNNING && a->info.state != CTL_JOB_PAUSED;
}

static bool step_done(struct ejob *job, int rc, const struct err *err)
{
    struct step *s = container_of(job, struct step, job);
    struct engine *e = job->engine;
    struct bulk *b = e->bulk;
    struct act *a = s->act;
    if (rc < 0) {
        str_copy(str_of(err->text), a->info.error, sizeof a->info.error);
        if (a->rule && !a->is_rule_written)
            rules_forget(e->rules, a->rule->id);
        ended(b, a, CTL_JOB_FAILED);
        return false;
    }
    a->is_rule_written = true;
    a->info.seen = s->bulk.seen;
    a->info.changed = s->bulk.changed;
    a->info.skipped = s->bulk.skipped;
    a->info.oldest_wall_ms = s->bulk.oldest_wall_ms;
    /* What is rerouted, or has its time or way back, leaves the window too, and comes back as it is now. */
    bool is_new = s->bulk.verb == QUEUE_REROUTE || s->bulk.verb == QUEUE_UNDO;
    bool is_touched = false;
    for (size_t i = 0; i < s->n && !s->bulk.is_dry_run; i++) {
        is_touched |= s->changes[i].state == RCPT_QUEUED || s->changes[i].state == RCPT_UNCONFIRMED;
        if (s->changes[i].state != RCPT_QUEUED || is_new)
            schedule_drop(e->schedule, s->changes[i].rcpt_id);
    }
    if (is_touched)
        schedule_touch(e->schedule);
    if (s->bulk.verb == QUEUE_BOUNCE && s->n > 0)
        bounce_due_at(e->bounce, s->bulk.due_wall_ms);
    if (s->bulk.is_done)
        ended(b, a, CTL_JOB_DONE);
    else if (a->is_stopping)
        ended(b, a, CTL_JOB_STOPPED);
    else if (a->is_pausing)
        pause_at(a, &s->bulk);
    else
        submit_step(b, a, &s->bulk);
    return false;
}

static void step_free(struct ejob *job)
{
    free(container_of(job, struct step, job));
}

static void submit_step(struct bulk *b, struct act *a, const struct queue_bulk *so_far)
{
    struct engine *e = b->engine;
    struct step *s = xnew(struct step);
    s->job.base.run = step_run;
    s->job.done = step_done;
    s->job.free = step_free;
    s->act = a;
    s->bulk = *so_far;
    s->bulk.due_wall_ms = io_wall_ms(e->io) + QUEUE_UNDO_MS;
    s->bulk.until_wall_ms = io_wall_ms(e->io) + QUEUE_KEPT_MS;
    s->audit_id = a->info.id;
    ejob_submit(e, &s->job, STORE_JOB_WRITE);
}

static void act_free(struct act *a)
{
    filter_done(&a->filter);
    list_remove(&a->link);
    free(a->rule);
    free(a);
}

/* Old ones that have ended make room. */
static void forget_old(struct bulk *b)
{
    for (struct list *l = b->acts.prev; l != &b->acts && b->acts_n >= CTL_JOBS_MAX;) {
        struct act *a = list_entry(l, struct act, link);
        l = l->prev;
        if (is_over(a)) {
            act_free(a);
            b->acts_n--;
        }
    }
}

static bool is_undone(const struct bulk *b, int64_t id)
{
    list_for_each(l, &b->acts) {
        const struct ctl_job *j = &list_entry(l, struct act, link)->info;
        if (j->verb == CTL_UNDO && j->undoes == id && !j->is_dry_run)
            return true;
    }
    return false;
}

/* "uid 1000": wherever that operator sat. */
static bool is_same_operator(const char *a, const char *b)
{
    struct str x = str_of(a), y = str_of(b);
    str_split(&x, ' ');
    str_split(&y, ' ');
    return str_eq(str_split(&x, ' '), str_split(&y, ' '));
}

/* Without a name: the operator's latest act that did something and still stands. */
static bool is_latest_undone(const struct bulk *b, const struct ctl_job *j, const char *who)
{
    return j->verb != CTL_UNDO && !j->is_dry_run && is_same_operator(j->who, who) &&
           (j->changed > 0 || j->state == CTL_JOB_RUNNING || j->state == CTL_JOB_PAUSED) && !is_undone(b, j->id);
}

static int check_undone(const struct act *a, int64_t now_wall_ms, struct err *err)
{
    const struct ctl_job *j = &a->info;
    char id[ID_TEXT_MAX];
    if (a->rule)
        return err_set(err, E_STATE, "job %s is about a rule: mxhelm rules --remove ends one",
                       id_text(j->id, id));
    if (j->verb == CTL_UNDO || j->verb == CTL_CONFIRM || j->verb == CTL_RESEND || j->is_dry_run)
        return err_set(err, E_STATE, "job %s is %s, which cannot be undone", id_text(j->id, id),
                       j->is_dry_run ? "a dry run" : ctl_verb_name(j->verb));
    if (!is_over(a))
        return err_set(err, E_STATE, "job %s is not over: stop it first", id_text(j->id, id));
    /* A bounce that is late is still held: the store knows. */
    if (now_wall_ms - j->ended_wall_ms > QUEUE_KEPT_MS)
        return err_set(err, E_STATE, "job %s ended too long ago: %s can be undone for %s",
                       id_text(j->id, id), ctl_verb_name(j->verb),
                       j->verb == CTL_BOUNCE ? "30 seconds" : "15 minutes");
    return 0;
}

/* The act that an undo takes back. One of a run before is known to the store only, which finds what is
 * left of it. */
static int find_undone(const struct bulk *b, const struct ctl_request *q, const char *who,
                       int64_t *out, struct err *err)
{
    *out = q->job;
    list_for_each(l, &b->acts) {
        const struct act *a = list_entry(l, struct act, link);
        const struct ctl_job *j = &a->info;
        if (q->job ? j->id != q->job : !is_latest_undone(b, j, who))
            continue;
        *out = j->id;
        return check_undone(a, io_wall_ms(b->engine->io), err);
    }
    return *out ? 0 : err_set(err, E_NOTFOUND, "there is nothing to undo");
}

/* It is in force before the first chunk: what is accepted from now on is caught by it, what was before by
 * the act. */
static int make_rule(struct bulk *b, struct act *a, int64_t for_ms, struct err *err)
{
    struct queue_rule *q = xnew(struct queue_rule);
    const struct ctl_job *j = &a->info;
    q->id = j->id;
    q->verb = verb_of(j->verb);
    q->until_wall_ms = for_ms > 0 ? j->started_wall_ms + for_ms : 0;
    str_copy(str_of(j->filter), q->filter, sizeof q->filter);
    str_copy(str_of(a->via), q->via, sizeof q->via);
    str_copy(str_of(j->to), q->to, sizeof q->to);
    str_copy(str_of(j->who), q->who, sizeof q->who);
    str_copy(str_of(j->reason), q->reason, sizeof q->reason);
    a->rule = q;
    return rules_add(b->engine->rules, q, err);
}

static void begin(struct bulk *b, struct act *a)
{
    struct queue_bulk first = {
        .verb = verb_of(a->info.verb),
        .filter = &a->filter,
        .now_wall_ms = a->info.started_wall_ms,
        .job_id = a->info.id,
        .reason = a->info.reason,
        .who = a->info.who,
        .via = a->via,
        .text = a->info.text,
        .undo_id = a->info.undoes,
        .rule_id = a->rule ? a->rule->id : 0,
        .is_dry_run = a->info.is_dry_run,
    };
    list_push_front(&b->acts, &a->link);
    b->acts_n++;
    b->running++;
    submit_step(b, a, &first);
}

void bulk_release(struct bulk *b, const struct queue_rule *q)
{
    struct err err;
    int64_t now = io_wall_ms(b->engine->io);
    forget_old(b);
    struct act *a = xnew(struct act);
    filter_parse(STR(""), now, &a->filter, &err); /* everything that it holds */
    a->info.id = idgen_next(&b->engine->ids, now);
    a->info.started_wall_ms = now;
    a->info.verb = CTL_RELEASE;
    a->info.state = CTL_JOB_RUNNING;
    a->rule = xnew(struct queue_rule);
    *a->rule = *q;
    str_copy(str_of(q->filter), a->info.filter, sizeof a->info.filter);
    str_copy(str_of(q->who), a->info.who, sizeof a->info.who);
    str_copy(STR("its rule is over"), a->info.reason, sizeof a->info.reason);
    begin(b, a);
}

static int check_rule(const struct ctl_request *q, struct err *err)
{
    if (!q->is_rule)
        return q->for_ms == 0 ? 0 : err_set(err, E_SYNTAX, "for_ms goes with a rule");
    if (q->verb != CTL_HOLD && q->verb != CTL_REROUTE)
        return err_set(err, E_SYNTAX, "only hold and reroute can be rules");
    if (str_trim(str_of(q->reason)).n == 0)
        return err_set(err, E_SYNTAX, "a rule needs a reason");
    return 0;
}

int bulk_start(struct bulk *b, const struct ctl_request *q, const char *who, struct ctl_job *out,
               struct err *err)
{
    struct engine *e = b->engine;
    int64_t now = io_wall_ms(e->io);
    if (e->state != ENGINE_RUNNING)
        return err_set(err, E_STATE, "the engine is %s: it takes no acts now",
                       engine_state_name(e->state));
    if (b->running >= RUNNING_MAX)
        return err_set(err, E_LIMIT, "%u jobs are running already: wait for one to end",
                       b->running);
    struct filter f;
    struct way way = {0};
    int64_t undoes = 0;
    if (check_rule(q, err) < 0)
        return -(int)err->code;
    if (q->verb == CTL_UNDO && find_undone(b, q, who, &undoes, err) < 0)
        return -(int)err->code;
    int rc = filter_parse(str_of(q->filter), now, &f, err);
    if (rc < 0)
        return rc;
    if (q->verb == CTL_REROUTE && (rc = way_typed(e->conf, str_of(q->to), &way, err)) < 0) {
        filter_done(&f);
        return rc;
    }
    forget_old(b);
    struct act *a = xnew(struct act);
    a->filter = f;
    a->info.id = idgen_next(&e->ids, now);
    a->info.started_wall_ms = now;
    a->info.verb = q->verb;
    a->info.state = CTL_JOB_RUNNING;
    a->info.is_dry_run = q->is_dry_run;
    str_copy(str_of(q->filter), a->info.filter, sizeof a->info.filter);
    str_copy(str_of(q->reason), a->info.reason, sizeof a->info.reason);
    str_copy(str_of(q->to), a->info.to, sizeof a->info.to);
    str_copy(str_of(q->text), a->info.text, sizeof a->info.text);
    a->info.undoes = undoes;
    str_copy(str_of(who), a->info.who, sizeof a->info.who);
    way_text(&way, a->via);
    if (q->is_rule && !q->is_dry_run && (rc = make_rule(b, a, q->for_ms, err)) < 0) {
        list_init(&a->link);
        act_free(a);
        return rc;
    }
    begin(b, a);
    *out = a->info;
    return 0;
}

static struct act *find(const struct bulk *b, int64_t id)
{
    list_for_each(l, &b->acts) {
        struct act *a = list_entry(l, struct act, link);
        if (a->info.id == id)
            return a;
    }
    return NULL;
}

bool bulk_get(const struct bulk *b, int64_t id, struct ctl_job *out)
{
    const struct act *a = find(b, id);
    if (a)
        *out = a->info;
    return a != NULL;
}

void bulk_stop(struct bulk *b, int64_t id)
{
    struct act *a = find(b, id);
    if (!a)
        return;
    a->is_stopping = true;
    if (a->info.state == CTL_JOB_PAUSED)
        ended(b, a, CTL_JOB_STOPPED);
}

void bulk_pause(struct bulk *b, int64_t id)
{
    struct act *a = find(b, id);
    if (a)
        a->is_pausing = true;
}

void bulk_resume(struct bulk *b, int64_t id)
{
    struct act *a = find(b, id);
    if (!a)
        return;
    a->is_pausing = false;
    if (a->info.state != CTL_JOB_PAUSED)
        return;
    a->info.state = CTL_JOB_RUNNING;
    submit_step(b, a, &a->at);
}

struct ctl_job *bulk_list(const struct bulk *b, size_t *n)
{
    struct ctl_job *all = xcalloc(b->acts_n ? b->acts_n : 1, sizeof *all);
    *n = 0;
    list_for_each(l, &b->acts)
        all[(*n)++] = list_entry(l, struct act, link)->info;
    return all;
}

struct bulk *bulk_new(struct engine *e)
{
    struct bulk *b = xnew(struct bulk);
    b->engine = e;
    list_init(&b->acts);
    return b;
}

void bulk_free(struct bulk *b)
{
    list_for_each_safe(l, &b->acts)
        act_free(list_entry(l, struct act, link));
    free(b);
}
