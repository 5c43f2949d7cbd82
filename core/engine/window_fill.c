/* SPDX-License-Identifier: ISC */
#include "core/engine/window_fill.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/submit.h"
#include "core/engine/suppress.h"

#define FETCH_ROWS 500u
/* Above WINDOW_MAX, for senders that have no more than a few messages there. */
#define WINDOW_RESERVE 2000u
#define SENDER_FEW     20u
/* Fetch again once so many places are free: not one by one. */
#define FETCH_ROOM (WINDOW_MAX / 4)

/* --- senders --- */

/* "list+detail@example.com" is list@example.com's. */
static void sender_key(const char *reverse_path, char out[ADDR_TEXT_MAX])
{
    const char *at = strrchr(reverse_path, '@');
    struct str local = {reverse_path, at ? (size_t)(at - reverse_path) : strlen(reverse_path)};
    snprintf(out, ADDR_TEXT_MAX, "%.*s%s", (int)str_find(local, '+'), local.p, at ? at : "");
}

static struct sender *sender_get(struct schedule *s, const char *reverse_path)
{
    char key[ADDR_TEXT_MAX];
    sender_key(reverse_path, key);
    struct sender *from = map_get(&s->senders, str_of(key));
    if (!from) {
        from = xnew(struct sender);
        from->id = ++s->sender_last_id;
        from->key = xstrdup(key);
        map_put(&s->senders, str_of(key), from);
    }
    from->parcels++;
    return from;
}

static void sender_unref(struct schedule *s, struct sender *from)
{
    if (--from->parcels > 0)
        return;
    if (s)
        map_remove(&s->senders, str_of(from->key));
    free(from->key);
    free(from);
}

/* --- parcels --- */

void parcel_unref(struct schedule *s, struct parcel *p)
{
    if (--p->refs > 0)
        return;
    if (s)
        idmap_remove(&s->parcels, p->message_id);
    if (s && p->has_body)
        s->body_bytes -= p->body.n;
    sender_unref(s, p->sender);
    buf_done(&p->body);
    free(p->reverse_path);
    free(p->envid);
    free(p);
}

static struct parcel *parcel_new(struct schedule *s, int64_t message_id, const char *reverse_path,
                                 const char *envid)
{
    struct parcel *p = xnew(struct parcel);
    p->message_id = message_id;
    p->reverse_path = xstrdup(reverse_path);
    p->envid = xstrdup(envid);
    p->sender = sender_get(s, reverse_path);
    idmap_put(&s->parcels, message_id, p);
    return p;
}

static struct parcel *parcel_get(struct schedule *s, const struct queue_due *row)
{
    struct parcel *p = idmap_get(&s->parcels, row->rcpt.message_id);
    if (p)
        return p;
    p = parcel_new(s, row->rcpt.message_id, row->reverse_path, row->envid);
    p->arrival_wall_ms = row->arrival_wall_ms;
    p->size_bytes = row->size_bytes;
    p->class = row->class;
    p->flags = row->flags;
    p->ret = row->ret;
    return p;
}

/* --- tasks and deliveries --- */

/* Only recipients whose addresses need SMTPUTF8 may fail where it is not offered (RFC 6531 3.2). */
static bool is_alike(const struct delivery *d, const struct task *t)
{
    const struct task *other = list_entry(d->tasks.next, struct task, link);
    return text_is_ascii(str_of(other->address)) == text_is_ascii(str_of(t->address));
}

/* What comes back to be sent again is claimed, and a newcomer in it would not be. */
static bool is_open(const struct delivery *d, const struct task *t, const char *via)
{
    return d->n < DELIVERY_RCPTS_MAX && !d->is_claimed && strcmp(d->via, via) == 0 &&
           is_alike(d, t);
}

/* A delivery of the same message that still waits at this domain: recipients of one message come one
 * after the other, so only one of the last two can be it. */
static struct delivery *open_delivery(const struct domain *dom, const struct parcel *p,
                                      const struct task *t, const char *via)
{
    const struct list *heads[] = {&dom->waiting, ready_lane(&dom->gated, p->sender),
                                  dom->site ? ready_lane(&dom->site->ready, p->sender) : NULL};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct list *l = heads[i] ? heads[i]->prev : NULL;
        for (unsigned back = 0; back < 2 && l != heads[i]; back++, l = l->prev) {
            struct delivery *d = list_entry(l, struct delivery, link);
            if (d->parcel == p && d->domain == dom && is_open(d, t, via))
                return d;
        }
    }
    return NULL;
}

/* via: its reroute, "" = none. */
static void add_task(struct schedule *s, struct parcel *p, const struct recipient *r,
                     const char *via, bool is_notified)
{
    struct engine *e = s->engine;
    struct domain *dom = domain_get(s, r->domain, via, p->reverse_path);
    struct task *t = xnew(struct task);
    t->rcpt_id = r->id;
    t->tries = r->tries;
    t->notify = r->notify;
    t->is_notified = is_notified;
    t->address = xstrdup(r->address);
    t->orcpt = xstrdup(r->orcpt);
    idmap_put(&s->tasks, t->rcpt_id, t);

    struct delivery *d = open_delivery(dom, p, t, via);
    bool is_new = !d;
    if (is_new) {
        d = xnew(struct delivery);
        list_init(&d->link);
        list_init(&d->tasks);
        d->parcel = p;
        p->refs++;
        d->domain = dom;
        d->via = xstrdup(via);
        dom->deliveries++;
        d->ready_mono_ms = io_mono_ms(e->io);
    }
    t->delivery = d;
    list_push_back(&d->tasks, &t->link);
    d->n++;
    if (is_new)
        schedule_place(s, d);
}

/* Who has little in the window always gets in: a burst that fills it must not lock the others out. */
static bool has_room(const struct schedule *s, const char *reverse_path, size_t n)
{
    char key[ADDR_TEXT_MAX];
    if (s->tasks.n + n <= WINDOW_MAX)
        return true;
    sender_key(reverse_path, key);
    const struct sender *from = map_get(&s->senders, str_of(key));
    return s->tasks.n + n <= WINDOW_MAX + WINDOW_RESERVE && (!from || from->parcels < SENDER_FEW);
}

void schedule_fresh(struct schedule *s, const struct message *m, const struct recipient *r,
                    size_t n, struct buf *body)
{
    /* A fetch that was asked for earlier, but read after this message's commit, has brought (some
     * of) it already: answers come in the order of submission. The rest is fetched. */
    bool is_here = idmap_get(&s->parcels, m->id) != NULL;
    if (!engine_delivers(s->engine) || !has_room(s, m->reverse_path, n) || is_here ||
        suppress_any(s->engine->suppress, m, r, n)) {
        buf_done(body);
        s->is_rescan_wanted = true;
        window_fill(s);
        return;
    }
    struct parcel *p = parcel_new(s, m->id, m->reverse_path, m->envid);
    p->arrival_wall_ms = m->arrival_wall_ms;
    p->size_bytes = m->size_bytes;
    p->class = m->class;
    p->flags = m->flags;
    p->ret = m->ret;
    if (body->p && body->n == m->size_bytes && body->n <= BODY_CACHE_ONE_BYTES &&
        s->body_bytes + body->n <= BODY_CACHE_BYTES) {
        p->body = *body;
        *body = BUF_INIT;
        p->has_body = true;
        s->body_bytes += p->body.n;
    }
    buf_done(body);
    p->refs = 1; /* ours, until every recipient has its delivery */
    for (size_t i = 0; i < n; i++)
        add_task(s, p, &r[i], "", false);
    parcel_unref(s, p);
}

/* --- fetching --- */

struct fetch {
    struct ejob job;
    int64_t now_wall_ms, after_next, after_id;
    int64_t next_due_wall_ms;
    struct queue_due *rows; /* own */
    size_t n, cap;
};

static void fetch_row(void *arg, const struct queue_due *row)
{
    struct fetch *f = arg;
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 16;
        f->rows = xreallocarray(f->rows, f->cap, sizeof *f->rows);
    }
    f->rows[f->n++] = *row;
}

static int fetch_run(struct store_job *base, struct store *st, struct err *err)
{
    struct fetch *f = container_of(base, struct fetch, job.base);
    int n =
        queue_due(st, f->now_wall_ms, &f->after_next, &f->after_id, FETCH_ROWS, fetch_row, f, err);
    if (n < 0)
        return n;
    f->next_due_wall_ms = f->now_wall_ms;
    int rc = queue_next_due(st, &f->next_due_wall_ms, err);
    return rc < 0 ? rc : n;
}

static bool fetch_done(struct ejob *job, int rc, const struct err *err)
{
    struct fetch *f = container_of(job, struct fetch, job);
    struct engine *e = job->engine;
    struct schedule *s = e->schedule;
    s->is_fetching = false;
    if (rc < 0) {
        log_error(e->log, "schedule", "cannot read the queue: %s", err->text);
        e->io->ops->timer_start(s->due, 10 * SECOND_MS);
        return false;
    }
    for (size_t i = 0; i < f->n; i++) {
        if (!idmap_get(&s->tasks, f->rows[i].rcpt.id) && !suppress_takes(e->suppress, &f->rows[i]))
            add_task(s, parcel_get(s, &f->rows[i]), &f->rows[i].rcpt, f->rows[i].rcpt.via,
                     f->rows[i].is_notified);
    }
    s->has_more = f->n == FETCH_ROWS;
    if (s->has_more) {
        s->after_next = f->after_next;
        s->after_id = f->after_id;
    } else {
        /* Everything that is due now is in the window: from here on only what becomes due. */
        s->after_next = f->now_wall_ms;
        s->after_id = INT64_MAX;
        if (f->next_due_wall_ms != INT64_MAX)
            schedule_due_at(s, f->next_due_wall_ms);
    }
    window_fill(s);
    return false;
}

static void fetch_free(struct ejob *job)
{
    struct fetch *f = container_of(job, struct fetch, job);
    free(f->rows);
    free(f);
}

void window_fill(struct schedule *s)
{
    struct engine *e = s->engine;
    if (s->is_fetching || !engine_delivers(e) || !(s->has_more || s->is_rescan_wanted))
        return;
    if (s->tasks.n + FETCH_ROOM > WINDOW_MAX)
        return;
    if (s->is_rescan_wanted) {
        s->after_next = s->after_id = 0;
        s->is_rescan_wanted = false;
    }
    struct fetch *f = xnew(struct fetch);
    f->job.base.run = fetch_run;
    f->job.done = fetch_done;
    f->job.free = fetch_free;
    f->now_wall_ms = io_wall_ms(e->io);
    f->after_next = s->after_next;
    f->after_id = s->after_id;
    s->is_fetching = true;
    ejob_submit(e, &f->job, STORE_JOB_READ);
}
