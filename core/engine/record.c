/* SPDX-License-Identifier: ISC */
#include "core/engine/record.h"

#include "core/base/alloc.h"
#include "core/engine/report.h"
#include "core/engine/submit.h"
#include "core/engine/watch.h"
#include "core/mail/effect.h"
#include "core/engine/window_fill.h"
#include "core/mail/logline.h"
#include "core/mail/retry.h"

/* A recipient that waited for a connection that long past its lifetime is given up without a try. */
#define EXPIRE_GRACE_MS HOUR_MS

/* --- claim, mark, unclaim --- */

struct claimed {
    int64_t rcpt_id;
    unsigned *epoch; /* in the task: written and read in the store thread only */
};

struct claim {
    struct ejob job;
    struct delivery *delivery;
    char site[ADDR_DOMAIN_MAX + 1];
    int64_t wall_ms;
    unsigned mark; /* of a mark: which one of the delivery it is */
    bool is_lost;  /* of a mark: some recipient is not ours any more */
    void (*told)(void *arg, struct delivery *d, bool is_ok);
    void *arg;
    size_t n;
    struct claimed rcpts[];
};

static struct claim *claim_new(struct engine *e, struct delivery *d, bool only_open)
{
    struct claim *c = xcalloc(1, sizeof *c + d->n * sizeof c->rcpts[0]);
    c->delivery = d;
    str_copy(str_of(d->domain->site ? d->domain->site->name : ""), c->site, sizeof c->site);
    c->wall_ms = io_wall_ms(e->io);
    list_for_each(l, &d->tasks) {
        struct task *t = list_entry(l, struct task, link);
        if (!only_open || (!t->outcome && !t->is_postponed))
            c->rcpts[c->n++] = (struct claimed){t->rcpt_id, &t->epoch};
    }
    return c;
}

static void claim_free(struct ejob *job)
{
    free(container_of(job, struct claim, job));
}

/* The engine went while the store still had the job: what it carried goes without the schedule. */
static void orphan_free(struct delivery *d)
{
    if (!d)
        return;
    parcel_unref(NULL, d->parcel);
    delivery_free(d);
}

static int claim_run(struct store_job *base, struct store *st, struct err *err)
{
    struct claim *c = container_of(base, struct claim, job.base);
    for (size_t i = 0; i < c->n; i++) {
        int rc = queue_claim(st, c->rcpts[i].rcpt_id, c->site, c->rcpts[i].epoch, err);
        if (rc < 0 && err_is_store(err))
            return rc;
        if (rc < 0)
            *c->rcpts[i].epoch = 0; /* an operator was faster: the mark will find out */
    }
    return 0;
}

static bool claim_done(struct ejob *job, int rc, const struct err *err)
{
    (void)job, (void)rc, (void)err;
    return false;
}

void record_claim(struct engine *e, struct delivery *d)
{
    if (d->is_claimed)
        return;
    d->is_claimed = true;
    struct claim *c = claim_new(e, d, false);
    c->job.base.run = claim_run;
    c->job.done = claim_done;
    c->job.free = claim_free;
    ejob_submit(e, &c->job, STORE_JOB_WRITE);
}

/*
 * After a store that failed, the claim may have been rolled back while what it was for went on: when
 * the recipient is still free, it is claimed now. rc is what the verb said.
 */
static bool claim_again(struct store *st, int rc, int64_t rcpt_id, const char *site,
                        unsigned *epoch)
{
    return rc == -E_STATE && queue_claim(st, rcpt_id, site, epoch, NULL) >= 0;
}

static int mark_run(struct store_job *base, struct store *st, struct err *err)
{
    struct claim *c = container_of(base, struct claim, job.base);
    c->is_lost = false;
    for (size_t i = 0; i < c->n; i++) {
        const struct claimed *r = &c->rcpts[i];
        int rc = queue_mark(st, r->rcpt_id, *r->epoch, c->wall_ms, err);
        if (claim_again(st, rc, r->rcpt_id, c->site, r->epoch))
            rc = queue_mark(st, r->rcpt_id, *r->epoch, c->wall_ms, err);
        if (rc < 0 && err_is_store(err))
            return rc;
        if (rc < 0)
            c->is_lost = true;
    }
    return 0;
}

static bool mark_done(struct ejob *job, int rc, const struct err *err)
{
    (void)err;
    struct claim *c = container_of(job, struct claim, job);
    /* One of a connection that was lost meanwhile may have been for fewer recipients. */
    if (c->mark == c->delivery->marks)
        c->told(c->arg, c->delivery, rc >= 0 && !c->is_lost);
    return false;
}

void record_mark(struct engine *e, struct delivery *d,
                 void (*told)(void *arg, struct delivery *d, bool is_ok), void *arg)
{
    struct claim *c = claim_new(e, d, true);
    c->mark = ++d->marks;
    c->told = told;
    c->arg = arg;
    c->job.base.run = mark_run;
    c->job.done = mark_done;
    c->job.free = claim_free;
    ejob_submit(e, &c->job, STORE_JOB_WRITE);
}

static int unclaim_run(struct store_job *base, struct store *st, struct err *err)
{
    struct claim *c = container_of(base, struct claim, job.base);
    for (size_t i = 0; i < c->n; i++) {
        int rc = queue_unclaim(st, c->rcpts[i].rcpt_id, *c->rcpts[i].epoch, c->wall_ms, err);
        if (rc < 0 && err_is_store(err))
            return rc;
    }
    return 0;
}

static bool unclaim_done(struct ejob *job, int rc, const struct err *err)
{
    (void)rc, (void)err;
    struct claim *c = container_of(job, struct claim, job);
    schedule_forget(job->engine->schedule, c->delivery);
    c->delivery = NULL;
    schedule_touch(job->engine->schedule); /* it is due, unless we are going down */
    return false;
}

static void unclaim_free(struct ejob *job)
{
    orphan_free(container_of(job, struct claim, job)->delivery);
    claim_free(job);
}

void record_unclaim(struct engine *e, struct delivery *d)
{
    list_remove(&d->link);
    struct claim *c = claim_new(e, d, false);
    c->job.base.run = unclaim_run;
    c->job.done = unclaim_done;
    c->job.free = unclaim_free;
    ejob_submit(e, &c->job, STORE_JOB_WRITE);
}

/* --- outcomes --- */

struct entry {
    struct task *task;
    struct queue_settle settle;
    const struct outcome *outcome; /* the task's own, or record.shared */
    enum log_status status;
    struct buf line;
    char *note;   /* own, or NULL: why it is held */
    bool is_lost; /* an operator changed it meanwhile */
};

struct record {
    struct ejob job;
    struct delivery *delivery;      /* own until done */
    char site[ADDR_DOMAIN_MAX + 1]; /* the domain may lead elsewhere before this is written */
    struct outcome shared;
    struct delays delays;
    bool is_unattempted; /* an end without a try */
    bool needs_claim;
    struct report *report; /* own */
    bool is_news;          /* somebody is told */
    int64_t told;          /* the attempt that has the transcript, once it is written */
    size_t n;
    struct entry entries[];
};

static void record_free(struct ejob *job)
{
    struct record *r = container_of(job, struct record, job);
    for (size_t i = 0; i < r->n; i++) {
        buf_done(&r->entries[i].line);
        free(r->entries[i].note);
    }
    report_free(r->report);
    orphan_free(r->delivery);
    free(r);
}

/* What we were the problem of does not count for the mail's lifetime. */
static int64_t counted_from(const struct engine *e, const struct delivery *d)
{
    int64_t arrival = d->parcel->arrival_wall_ms;
    return arrival + watch_excused_ms(e->watch, arrival);
}

/* A refusal that is about us, not about the mail: it waits for our repair, and is tried now and then in
 * case that was made. The sender is told. False when its time is over. */
static bool hold(struct engine *e, const struct delivery *d, struct entry *en,
                 const struct explanation *x, int64_t now)
{
    bool is_report = d->parcel->class == MSG_REPORT;
    int64_t deadline = retry_deadline(&e->conf->retry, is_report, counted_from(e, d));
    if (now >= deadline)
        return false;
    en->settle.state = RCPT_HELD;
    en->settle.next_wall_ms = now + EFFECT_HOLD_MS < deadline ? now + EFFECT_HOLD_MS : deadline;
    en->note = xasprintf("%s%s%s", x->cause, x->next[0] ? " " : "", x->next);
    en->settle.note = en->note;
    en->settle.report = en->task->is_notified ? DSN_ACT_NONE : DSN_ACT_DELAYED;
    en->status = LOG_DEFERRED;
    return true;
}

/* A refusal that time cures, whatever its code says: from here on it is a deferral. */
static void soften(struct entry *en, const struct explanation *x)
{
    struct outcome *o = xnew(struct outcome);
    *o = *en->outcome;
    o->class = OUTCOME_DEFERRED;
    if (x->retry_after_ms > o->retry_after_ms)
        o->retry_after_ms = x->retry_after_ms;
    free(en->task->outcome);
    en->task->outcome = o;
    en->outcome = o;
}

/* True when that settles it. */
static bool refusal_is_ours(struct engine *e, const struct delivery *d, struct entry *en,
                            int64_t now)
{
    struct explain_around around = {.is_relay = domain_relay(d->domain) != NULL};
    struct explanation *x = xnew(struct explanation);
    struct effect effect;
    bool is_held = false;
    /* What a refused greeting means, the configuration says (delivery.refused-greeting). */
    if (en->outcome->class == OUTCOME_FAILED && en->outcome->code &&
        en->outcome->stage != STAGE_GREETING && e->explainer) {
        explain_outcome(e->explainer, en->outcome, &around, x);
        effect_of(en->outcome, x, 0, &effect);
        is_held = effect.is_held && hold(e, d, en, x, now);
        if (effect.is_deferred)
            soften(en, x);
    }
    free(x);
    return is_held;
}

/* Where the recipient goes, by what happened. */
static void decide(struct engine *e, const struct delivery *d, struct entry *en, int64_t now)
{
    const struct conf *c = e->conf;
    bool is_report = d->parcel->class == MSG_REPORT;
    int64_t arrival = d->parcel->arrival_wall_ms;
    if (refusal_is_ours(e, d, en, now))
        return;
    const struct outcome *o = en->outcome;
    switch (o->class) {
    case OUTCOME_DELIVERED:
        en->settle.state = RCPT_DELIVERED;
        en->status = LOG_SENT;
        /* RFC 3461 5.2.2: a server that does not know DSN will not tell of the success either. */
        en->settle.report = o->is_dsn_passed ? DSN_ACT_NONE : DSN_ACT_RELAYED;
        return;
    case OUTCOME_FAILED:
        en->settle.state = RCPT_BOUNCED;
        en->status = LOG_BOUNCED;
        en->settle.report = DSN_ACT_FAILED;
        return;
    default: break;
    }
    bool is_unconfirmed = o->class == OUTCOME_UNCONFIRMED;
    int64_t next =
        retry_next(&c->retry, is_report, en->task->tries + 1, counted_from(e, d), now, o, &e->rng);
    if (next == RETRY_GIVE_UP) {
        en->settle.state = RCPT_EXPIRED;
        en->status = LOG_EXPIRED;
        en->settle.report = DSN_ACT_FAILED;
        return;
    }
    en->settle.state = is_unconfirmed ? RCPT_UNCONFIRMED : RCPT_QUEUED;
    en->settle.next_wall_ms = next;
    en->status = is_unconfirmed ? LOG_UNCONFIRMED : LOG_DEFERRED;
    if (c->retry.delay_notice_ms > 0 && !en->task->is_notified &&
        now - arrival >= c->retry.delay_notice_ms)
        en->settle.report = DSN_ACT_DELAYED;
}

static void count(struct engine *e, enum log_status status)
{
    int64_t now = io_mono_ms(e->io);
    switch (status) {
    case LOG_SENT: meter_add(&e->delivered, now, 1); break;
    case LOG_BOUNCED:
    case LOG_EXPIRED: meter_add(&e->bounced, now, 1); break;
    default: meter_add(&e->deferrals, now, 1); break;
    }
}

static void fill_delays(const struct delivery *d, int64_t now_wall, int64_t now_mono,
                        struct delays *out)
{
    int64_t begin = d->begin_mono_ms ? d->begin_mono_ms : now_mono;
    int64_t setup = d->setup_mono_ms ? d->setup_mono_ms : now_mono;
    out->a_ms = (now_wall - d->parcel->arrival_wall_ms) - (now_mono - d->ready_mono_ms);
    out->b_ms = begin - d->ready_mono_ms;
    out->c_ms = setup - begin;
    out->d_ms = now_mono - setup;
    if (out->a_ms < 0)
        out->a_ms = 0;
}

static void fill_entry(struct engine *e, struct record *r, struct entry *en, struct task *t,
                       int64_t now_wall)
{
    struct delivery *d = r->delivery;
    en->task = t;
    en->outcome = t->outcome ? t->outcome : &r->shared;
    if (r->is_unattempted) {
        en->settle.state = RCPT_EXPIRED;
        en->status = LOG_EXPIRED;
        en->settle.report = DSN_ACT_FAILED;
    } else {
        decide(e, d, en, now_wall);
    }
    struct queue_settle *q = &en->settle;
    q->report = report_action(d->parcel->class, d->parcel->reverse_path, t->notify, q->report);
    r->is_news |= q->report != DSN_ACT_NONE;
    q->attempt_id = idgen_next(&e->ids, now_wall);
    q->rcpt_id = t->rcpt_id;
    q->message_id = d->parcel->message_id;
    q->start_wall_ms = d->begin_wall_ms ? d->begin_wall_ms : now_wall;
    q->duration_ms = r->delays.c_ms + r->delays.d_ms;
    q->delays = &r->delays;
    q->outcome = en->outcome;
    q->site = r->site;
    logline_attempt(&en->line, d->parcel->message_id, t->address, t->orcpt, en->outcome, en->status,
                    &r->delays, now_wall - d->parcel->arrival_wall_ms);
    q->log_line = buf_str(&en->line);
}

static int settle_one(struct record *r, struct entry *en, struct store *st, struct err *err)
{
    bool is_done;
    en->is_lost = false;
    if (r->is_unattempted)
        return queue_finish(st, &en->settle, &is_done, err);
    if (r->needs_claim) {
        int rc = queue_claim(st, en->settle.rcpt_id, en->settle.site, &en->task->epoch, err);
        if (rc < 0)
            return rc;
    }
    en->settle.epoch = en->task->epoch;
    en->settle.transcript = r->told ? STR_NONE : buf_str(&r->delivery->told);
    en->settle.told = r->told;
    int rc = queue_settle(st, &en->settle, &is_done, err);
    if (claim_again(st, rc, en->settle.rcpt_id, en->settle.site, &en->task->epoch)) {
        en->settle.epoch = en->task->epoch;
        rc = queue_settle(st, &en->settle, &is_done, err);
    }
    if (rc >= 0 && en->settle.transcript.n)
        r->told = en->settle.attempt_id;
    return rc;
}

static int record_run(struct store_job *base, struct store *st, struct err *err)
{
    struct record *r = container_of(base, struct record, job.base);
    r->told = 0; /* it may run again, when the store is well */
    int begun = report_begin(r->report, st, r->is_news, err);
    if (begun < 0 && err_is_store(err))
        return begun;
    for (size_t i = 0; i < r->n; i++) {
        struct entry *en = &r->entries[i];
        int rc = settle_one(r, en, st, err);
        if (rc < 0 && err_is_store(err))
            return rc;
        en->is_lost = rc < 0;
    }
    return report_end(r->report, st, err);
}

static bool record_done(struct ejob *job, int rc, const struct err *err)
{
    struct record *r = container_of(job, struct record, job);
    struct engine *e = job->engine;
    if (rc < 0 && err_is_store(err)) {
        /* It happened outside, and must be remembered: again when the store is well (promise 4). */
        list_push_back(&e->unsettled, &job->link);
        return true;
    }
    if (rc < 0)
        log_error(e->log, "record", "%s", err->text);
    for (size_t i = 0; i < r->n; i++) {
        const struct queue_settle *q = &r->entries[i].settle;
        if (!r->entries[i].is_lost)
            count(e, r->entries[i].status);
        if (!r->entries[i].is_lost && !rcpt_state_is_final(q->state))
            schedule_due_at(e->schedule, q->next_wall_ms);
        if (e->conf->log_stderr)
            log_info(e->log, "deliver", "%s", buf_text(&r->entries[i].line));
    }
    bool is_new_mail = report_is_written(r->report);
    schedule_forget(e->schedule, r->delivery);
    r->delivery = NULL;
    if (is_new_mail)
        schedule_touch(e->schedule);
    schedule_pump(e->schedule);
    return false;
}

static void record(struct engine *e, struct delivery *d, const struct outcome *o,
                   bool is_unattempted)
{
    int64_t now_wall = io_wall_ms(e->io);
    struct record *r = xcalloc(1, sizeof *r + d->n * sizeof r->entries[0]);
    list_remove(&d->link);
    r->delivery = d;
    str_copy(str_of(d->domain->site ? d->domain->site->name : ""), r->site, sizeof r->site);
    r->shared = *o;
    r->is_unattempted = is_unattempted;
    r->needs_claim = !d->is_claimed;
    d->is_claimed = true;
    fill_delays(d, now_wall, io_mono_ms(e->io), &r->delays);
    list_for_each(l, &d->tasks) {
        struct entry *en = &r->entries[r->n++];
        fill_entry(e, r, en, list_entry(l, struct task, link), now_wall);
    }
    r->report = report_new(e, d->parcel->message_id);
    r->job.base.run = record_run;
    r->job.done = record_done;
    r->job.free = record_free;
    ejob_submit(e, &r->job, STORE_JOB_WRITE);
}

void record_outcome(struct engine *e, struct delivery *d, const struct outcome *o)
{
    record(e, d, o, false);
}

bool record_expired(struct engine *e, struct delivery *d)
{
    bool is_report = d->parcel->class == MSG_REPORT;
    int64_t deadline = retry_deadline(&e->conf->retry, is_report, counted_from(e, d));
    if (io_wall_ms(e->io) < deadline + EXPIRE_GRACE_MS || d->is_claimed)
        return false;
    list_for_each(l, &d->tasks) {
        if (list_entry(l, struct task, link)->tries == 0)
            return false;
    }
    struct outcome o;
    outcome_init(&o, OUTCOME_FAILED, STAGE_LOCAL);
    str_copy(STR("5.4.7"), o.enhanced, sizeof o.enhanced);
    str_copy(STR("expired"), o.tag, sizeof o.tag);
    str_copy(STR("the lifetime of the message was over before another try could be made"), o.text,
             sizeof o.text);
    record(e, d, &o, true);
    return true;
}

void record_resume(struct engine *e)
{
    struct list *l;
    struct list all;
    list_init(&all);
    while ((l = list_pop_front(&e->unsettled)))
        list_push_back(&all, l);
    while ((l = list_pop_front(&all))) {
        struct ejob *j = list_entry(l, struct ejob, link);
        ejob_submit(e, j, STORE_JOB_WRITE);
    }
}
