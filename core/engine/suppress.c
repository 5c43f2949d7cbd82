/* SPDX-License-Identifier: ISC */
#include "core/engine/suppress.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/report.h"
#include "core/engine/schedule.h"
#include "core/engine/submit.h"
#include "core/mail/logline.h"

/* One of the list. */
struct entry {
    char *key, *reason;    /* own */
    int64_t until_wall_ms; /* 0 = for good */
    uint64_t hits;         /* not written yet */
    int64_t last_wall_ms;
    struct list link; /* in suppress.hit while hits > 0, else empty */
};

struct suppress {
    struct engine *engine; /* borrowed */
    struct map by_key;     /* entry, own */
    struct list hit;       /* entries with hits that are to be written */
    bool is_counting;      /* some of them are in the store's hands */
    struct idmap ending;   /* recipients that are given back, by id: their jobs */
};

/* --- the list --- */

static void lower(const char *text, char out[ADDR_TEXT_MAX])
{
    str_copy(str_of(text), out, ADDR_TEXT_MAX);
    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + ('a' - 'A'));
}

int suppress_key(struct str typed, char out[ADDR_TEXT_MAX], struct err *err)
{
    const char *why = "";
    struct addr a;
    char text[ADDR_TEXT_MAX];
    if (str_find(typed, '@') < typed.n && typed.p[0] != '@') {
        if (!addr_parse(typed, &a, &why) || a.kind != ADDR_DOMAIN)
            return err_set(err, E_SYNTAX, "that is no address: %s", why);
        addr_text_ascii(&a, text);
    } else {
        if (typed.n > 0 && typed.p[0] == '@')
            typed = str_sub(typed, 1, typed.n);
        if (!domain_to_ascii(typed, text, &why))
            return err_set(err, E_SYNTAX, "that is no domain: %s", why);
    }
    lower(text, out);
    return 0;
}

static bool is_over(const struct entry *en, int64_t now_wall_ms)
{
    return en->until_wall_ms != 0 && en->until_wall_ms <= now_wall_ms;
}

static struct entry *find(const struct suppress *s, const char *address, const char *domain)
{
    char key[ADDR_TEXT_MAX];
    int64_t now = io_wall_ms(s->engine->io);
    if (s->by_key.n == 0)
        return NULL;
    lower(address, key);
    struct entry *en = map_get(&s->by_key, str_of(key));
    if (!en || is_over(en, now))
        en = map_get(&s->by_key, str_of(domain));
    return en && !is_over(en, now) ? en : NULL;
}

static void entry_free(struct entry *en)
{
    if (!en)
        return;
    list_remove(&en->link);
    free(en->key);
    free(en->reason);
    free(en);
}

static void put(struct suppress *s, const struct queue_suppression *q)
{
    struct entry *en = xnew(struct entry);
    en->key = xstrdup(q->key);
    en->reason = xstrdup(q->reason);
    en->until_wall_ms = q->until_wall_ms;
    list_init(&en->link);
    entry_free(map_put(&s->by_key, str_of(q->key), en));
}

/* --- at start --- */

static void take_row(void *arg, const struct queue_suppression *q)
{
    struct suppress_rows *r = arg;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 16;
        r->rows = xreallocarray(r->rows, r->cap, sizeof *r->rows);
    }
    r->rows[r->n++] = *q;
}

int suppress_load(struct suppress_rows *rows, struct store *st, int64_t now_wall_ms,
                  struct err *err)
{
    rows->n = 0; /* it may run again */
    return queue_suppressions(st, now_wall_ms, SUPPRESS_MAX, take_row, rows, err);
}

void suppress_take(struct suppress *s, const struct suppress_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        put(s, &rows->rows[i]);
}

/* --- changes --- */

struct changing {
    struct ejob job;
    struct queue_suppression q;
    bool is_end;
    int64_t audit_id;
    void (*done)(void *arg, uint64_t token, int rc, const struct err *err);
    void *arg;
    uint64_t token;
};

static int change_run(struct store_job *base, struct store *st, struct err *err)
{
    const struct changing *c = container_of(base, struct changing, job.base);
    int rc = c->is_end ? queue_unsuppress(st, c->q.key, err) : queue_suppress(st, &c->q, err);
    if (rc < 0)
        return rc;
    return queue_audit(st, c->audit_id, c->q.made_wall_ms, c->q.source,
                       ctl_verb_name(c->is_end ? CTL_UNSUPPRESS : CTL_SUPPRESS), c->q.key,
                       c->q.reason, 1, err);
}

/* What waits in the window leaves it: it comes back, and is looked at then. */
static void take_out(struct suppress *s)
{
    struct schedule *sched = s->engine->schedule;
    int64_t *ids = xcalloc(sched->tasks.n ? sched->tasks.n : 1, sizeof *ids);
    size_t n = 0;
    for (size_t i = 0; i < sched->tasks.cap; i++) {
        const struct idmap_slot *slot = &sched->tasks.slots[i];
        if (slot->id == 0)
            continue;
        const struct task *t = slot->value;
        const char *at = strrchr(t->address, '@');
        if (find(s, t->address, at ? at + 1 : ""))
            ids[n++] = slot->id;
    }
    for (size_t i = 0; i < n; i++)
        schedule_drop(sched, ids[i]);
    free(ids);
    if (n > 0)
        schedule_touch(sched);
}

static bool change_done(struct ejob *job, int rc, const struct err *err)
{
    struct changing *c = container_of(job, struct changing, job);
    struct engine *e = job->engine;
    struct suppress *s = e->suppress;
    if (rc >= 0 && c->is_end) {
        entry_free(map_remove(&s->by_key, str_of(c->q.key)));
    } else if (rc >= 0) {
        put(s, &c->q);
        take_out(s);
    }
    if (rc >= 0)
        log_notice(e->log, "control", "%s %s by %s%s%s",
                   ctl_verb_name(c->is_end ? CTL_UNSUPPRESS : CTL_SUPPRESS), c->q.key, c->q.source,
                   c->q.reason[0] ? ": " : "", c->q.reason);
    c->done(c->arg, c->token, rc, err);
    return false;
}

static void change_free(struct ejob *job)
{
    free(container_of(job, struct changing, job));
}

static int check(const struct suppress *s, const struct ctl_request *q, const char *key,
                 struct err *err)
{
    const struct entry *en = map_get(&s->by_key, str_of(key));
    if (q->verb == CTL_UNSUPPRESS)
        return en ? 0 : err_set(err, E_NOTFOUND, "%.200s is not suppressed", key);
    if (str_trim(str_of(q->reason)).n == 0)
        return err_set(err, E_SYNTAX, "say why: senders are told the reason");
    if (!en && s->by_key.n >= SUPPRESS_MAX)
        return err_set(err, E_LIMIT, "%u addresses and domains are suppressed already",
                       SUPPRESS_MAX);
    return 0;
}

int suppress_change(struct suppress *s, const struct ctl_request *q, const char *who,
                    void (*done)(void *arg, uint64_t token, int rc, const struct err *err),
                    void *arg, uint64_t token, struct err *err)
{
    struct engine *e = s->engine;
    char key[ADDR_TEXT_MAX];
    if (e->state != ENGINE_RUNNING)
        return err_set(err, E_STATE, "the engine is %s: it takes no acts now",
                       engine_state_name(e->state));
    int rc = suppress_key(str_of(q->to), key, err);
    if (rc >= 0)
        rc = check(s, q, key, err);
    if (rc < 0)
        return rc;
    if (q->is_dry_run) {
        done(arg, token, 0, NULL);
        return 0;
    }
    struct changing *c = xnew(struct changing);
    c->job.base.run = change_run;
    c->job.done = change_done;
    c->job.free = change_free;
    c->q.made_wall_ms = io_wall_ms(e->io);
    c->q.until_wall_ms = q->for_ms > 0 ? c->q.made_wall_ms + q->for_ms : 0;
    str_copy(str_of(key), c->q.key, sizeof c->q.key);
    text_printable_copy(str_of(q->reason), c->q.reason, sizeof c->q.reason);
    str_copy(str_of(who), c->q.source, sizeof c->q.source);
    c->is_end = q->verb == CTL_UNSUPPRESS;
    c->audit_id = idgen_next(&e->ids, c->q.made_wall_ms);
    c->done = done;
    c->arg = arg;
    c->token = token;
    ejob_submit(e, &c->job, STORE_JOB_WRITE);
    return 0;
}

void suppress_sweep(struct suppress *s)
{
    int64_t now = io_wall_ms(s->engine->io);
    struct list over;
    size_t at = 0;
    struct str key;
    void *value;
    list_init(&over);
    while (map_next(&s->by_key, &at, &key, &value)) {
        struct entry *en = value;
        if (!is_over(en, now))
            continue;
        list_remove(&en->link);
        list_push_back(&over, &en->link);
    }
    struct list *l;
    while ((l = list_pop_front(&over))) {
        struct entry *en = list_entry(l, struct entry, link);
        list_init(&en->link);
        map_remove(&s->by_key, str_of(en->key));
        entry_free(en);
    }
}

/* --- hits --- */

/* One job at a time: what is hit meanwhile is written by the next. */
struct counting {
    struct ejob job;
    struct hit {
        char key[ADDR_TEXT_MAX];
        uint64_t n;
        int64_t wall_ms;
    } hits[32];
    size_t n;
};

static int count_run(struct store_job *base, struct store *st, struct err *err)
{
    const struct counting *c = container_of(base, struct counting, job.base);
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < c->n; i++)
        rc = queue_suppress_hit(st, c->hits[i].key, c->hits[i].n, c->hits[i].wall_ms, err);
    return rc;
}

static void count_some(struct suppress *s);

static bool count_done(struct ejob *job, int rc, const struct err *err)
{
    (void)rc; /* numbers that a sick store has lost are no harm */
    (void)err;
    struct suppress *s = job->engine->suppress;
    s->is_counting = false;
    count_some(s);
    return false;
}

static void count_free(struct ejob *job)
{
    free(container_of(job, struct counting, job));
}

static void count_some(struct suppress *s)
{
    if (s->is_counting || list_empty(&s->hit))
        return;
    struct counting *c = xnew(struct counting);
    c->job.base.run = count_run;
    c->job.done = count_done;
    c->job.free = count_free;
    while (c->n < ARRAY_LEN(c->hits) && !list_empty(&s->hit)) {
        struct entry *en = list_entry(list_pop_front(&s->hit), struct entry, link);
        struct hit *h = &c->hits[c->n++];
        list_init(&en->link);
        str_copy(str_of(en->key), h->key, sizeof h->key);
        h->n = en->hits;
        h->wall_ms = en->last_wall_ms;
        en->hits = 0;
    }
    s->is_counting = true;
    ejob_submit(s->engine, &c->job, STORE_JOB_WRITE);
}

static void count(struct suppress *s, struct entry *en)
{
    en->last_wall_ms = io_wall_ms(s->engine->io);
    if (en->hits++ == 0)
        list_push_back(&s->hit, &en->link);
    count_some(s);
}

struct suppressed suppress_find(struct suppress *s, const char *address, const char *domain)
{
    struct entry *en = find(s, address, domain);
    if (!en)
        return (struct suppressed){NULL, NULL};
    count(s, en);
    return (struct suppressed){en->key, en->reason};
}

/* --- what is queued already --- */

/* One recipient on its way back. */
struct giving {
    struct ejob job;
    struct queue_due row;
    struct report *report; /* own */
    struct outcome outcome;
    struct buf line;
    int64_t attempt_id, now_wall_ms;
    bool is_done;
};

static int give_run(struct store_job *base, struct store *st, struct err *err)
{
    static const struct delays none;
    struct giving *g = container_of(base, struct giving, job.base);
    bool is_message_done;
    struct queue_settle q = {
        .attempt_id = g->attempt_id,
        .rcpt_id = g->row.rcpt.id,
        .message_id = g->row.rcpt.message_id,
        .state = RCPT_BOUNCED,
        .start_wall_ms = g->now_wall_ms,
        .delays = &none,
        .outcome = &g->outcome,
        .site = g->row.site,
        .log_line = buf_str(&g->line),
        .report =
            report_action(g->row.class, g->row.reverse_path, g->row.rcpt.notify, DSN_ACT_FAILED),
    };
    int rc = report_begin(g->report, st, true, err);
    if (rc >= 0)
        rc = queue_finish(st, &q, &is_message_done, err);
    if (rc >= 0)
        rc = report_end(g->report, st, err);
    g->is_done = rc >= 0;
    return rc < 0 && err_is_store(err) ? rc : 0; /* else it has changed meanwhile */
}

static bool give_done(struct ejob *job, int rc, const struct err *err)
{
    struct giving *g = container_of(job, struct giving, job);
    struct engine *e = job->engine;
    idmap_remove(&e->suppress->ending, g->row.rcpt.id);
    if (rc < 0) {
        if (!err_is_store(err))
            log_error(e->log, "control", "%s", err->text);
        schedule_touch(e->schedule);
        return false;
    }
    if (g->is_done)
        meter_add(&e->bounced, io_mono_ms(e->io), 1);
    if (report_is_written(g->report))
        schedule_touch(e->schedule);
    return false;
}

static void give_free(struct ejob *job)
{
    struct giving *g = container_of(job, struct giving, job);
    report_free(g->report);
    buf_done(&g->line);
    free(g);
}

static void say(const struct entry *en, struct outcome *o)
{
    outcome_init(o, OUTCOME_FAILED, STAGE_LOCAL);
    str_copy(STR("5.7.1"), o->enhanced, sizeof o->enhanced);
    str_copy(STR(QUEUE_RETURNED_TAG), o->tag, sizeof o->tag);
    snprintf(o->text, sizeof o->text, DSN_RETURNED ": mail to %s is suppressed here: %s", en->key,
             en->reason);
}

/* A report of ours or of others must arrive: it is the only word its sender will get. */
static bool is_exempt(enum msg_class class, const char *reverse_path)
{
    return class == MSG_REPORT || !reverse_path[0];
}

bool suppress_takes(struct suppress *s, const struct queue_due *row)
{
    static const struct delays none;
    struct engine *e = s->engine;
    if (idmap_get(&s->ending, row->rcpt.id))
        return true;
    struct entry *en = is_exempt(row->class, row->reverse_path)
                           ? NULL
                           : find(s, row->rcpt.address, row->rcpt.domain);
    if (!en)
        return false;
    count(s, en);
    struct giving *g = xnew(struct giving);
    g->job.base.run = give_run;
    g->job.done = give_done;
    g->job.free = give_free;
    g->row = *row;
    g->now_wall_ms = io_wall_ms(e->io);
    g->attempt_id = idgen_next(&e->ids, g->now_wall_ms);
    g->report = report_new(e, row->rcpt.message_id);
    say(en, &g->outcome);
    logline_attempt(&g->line, row->rcpt.message_id, row->rcpt.address, row->rcpt.orcpt, &g->outcome,
                    LOG_BOUNCED, &none, g->now_wall_ms - row->arrival_wall_ms);
    idmap_put(&s->ending, row->rcpt.id, g);
    ejob_submit(e, &g->job, STORE_JOB_WRITE);
    return true;
}

bool suppress_any(const struct suppress *s, const struct message *m, const struct recipient *r,
                  size_t n)
{
    if (s->by_key.n == 0 || is_exempt(m->class, m->reverse_path))
        return false;
    for (size_t i = 0; i < n; i++)
        if (find(s, r[i].address, r[i].domain))
            return true;
    return false;
}

/* --- life --- */

struct suppress *suppress_new(struct engine *e)
{
    struct suppress *s = xnew(struct suppress);
    s->engine = e;
    map_init(&s->by_key, rng_u64(&e->rng));
    list_init(&s->hit);
    s->ending = IDMAP_INIT;
    return s;
}

void suppress_free(struct suppress *s)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&s->by_key, &at, &key, &value))
        entry_free(value);
    map_done(&s->by_key);
    idmap_done(&s->ending);
    free(s);
}
