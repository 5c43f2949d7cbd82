/* SPDX-License-Identifier: ISC */
/* Time, timers, DNS and the store of the simulator; see sim.h. */
#include "tests/world/sim_private.h"
#include "core/base/alloc.h"
#include "tests/world/zone.h"

/* Events within one millisecond: more is an engine that spins. */
#define SPIN_MAX    500000u
#define SERIAL_BITS 30

/* core/net/dns asks twice and waits 5 s each time. */
#define DNS_GIVES_UP_MS 10000

void sim_at(struct sim *s, struct sim_event *e, int64_t at_ms)
{
    if (at_ms < s->now_ms)
        at_ms = s->now_ms;
    heap_remove(&s->events, &e->node);
    heap_push(&s->events, &e->node,
              at_ms << SERIAL_BITS | (int64_t)(s->serial++ & ((1u << SERIAL_BITS) - 1)));
}

void sim_stop(struct sim *s, struct sim_event *e)
{
    heap_remove(&s->events, &e->node);
}

static int64_t wall_ms(struct io *io)
{
    struct sim *s = sim_of(io);
    return s->now_ms + s->wall_offset_ms;
}

static int64_t mono_ms(struct io *io)
{
    return sim_of(io)->now_ms;
}

int64_t sim_mono_ms(const struct sim *s)
{
    return s->now_ms;
}

int64_t sim_wall_ms(const struct sim *s)
{
    return s->now_ms + s->wall_offset_ms;
}

void sim_jump_wall(struct sim *s, int64_t delta_ms)
{
    s->wall_offset_ms += delta_ms;
}

void sim_set_latency(struct sim *s, int64_t latency_ms)
{
    s->latency_ms = latency_ms;
}

/* Fire everything up to until_ms; stops early when is_met says so. */
static bool run_to(struct sim *s, int64_t until_ms, bool (*is_met)(void *arg), void *arg)
{
    unsigned spins = 0;
    struct heap_node *top;
    if (s->is_stopped)
        return false;
    if (is_met && is_met(arg))
        return true;
    while ((top = heap_top(&s->events)) && top->key >> SERIAL_BITS <= until_ms) {
        struct sim_event *e = container_of(top, struct sim_event, node);
        int64_t at_ms = top->key >> SERIAL_BITS;
        spins = at_ms > s->now_ms ? 0 : spins + 1;
        verify(spins < SPIN_MAX); /* the engine does something again and again in no time */
        s->now_ms = at_ms;
        heap_remove(&s->events, &e->node);
        e->fire(s, e);
        if (s->stop_after > 0 && --s->stop_after == 0) {
            s->is_stopped = true;
            return false;
        }
        if (is_met && is_met(arg))
            return true;
    }
    s->now_ms = until_ms;
    return false;
}

void sim_run_for(struct sim *s, int64_t ms)
{
    run_to(s, s->now_ms + ms, NULL, NULL);
}

bool sim_run_until(struct sim *s, bool (*is_met)(void *arg), void *arg, int64_t max_ms)
{
    return run_to(s, s->now_ms + max_ms, is_met, arg);
}

void sim_stop_after(struct sim *s, unsigned events)
{
    s->stop_after = events;
    s->is_stopped = false;
}

bool sim_is_stopped(const struct sim *s)
{
    return s->is_stopped;
}

/* --- timers --- */

struct io_timer {
    struct sim_event event;
    struct sim *sim;
    void (*fire)(void *arg);
    void *arg;
};

static void timer_fire(struct sim *s, struct sim_event *e)
{
    struct io_timer *t = container_of(e, struct io_timer, event);
    (void)s;
    t->fire(t->arg);
}

static struct io_timer *timer_new(struct io *io, void (*fire)(void *arg), void *arg)
{
    struct io_timer *t = xnew(struct io_timer);
    t->sim = sim_of(io);
    t->event.fire = timer_fire;
    t->fire = fire;
    t->arg = arg;
    return t;
}

static void timer_start(struct io_timer *t, int64_t delay_ms)
{
    /* INT64_MAX and its like: never within any run. */
    if (delay_ms > 1000 * DAY_MS)
        delay_ms = 1000 * DAY_MS;
    sim_at(t->sim, &t->event, t->sim->now_ms + (delay_ms > 0 ? delay_ms : 0));
}

static void timer_stop(struct io_timer *t)
{
    if (t)
        sim_stop(t->sim, &t->event);
}

static void timer_free(struct io_timer *t)
{
    timer_stop(t);
    free(t);
}

/* --- DNS --- */

struct io_query {
    struct sim_event event;
    struct sim *sim;
    io_answer *got;
    void *arg;
    struct dns_answer answer; /* own */
};

static void query_free(struct io_query *q)
{
    dns_answer_done(&q->answer);
    free(q);
}

static void query_fire(struct sim *s, struct sim_event *e)
{
    struct io_query *q = container_of(e, struct io_query, event);
    (void)s;
    q->got(q->arg, &q->answer);
    query_free(q);
}

static struct io_query *ask(struct io *io, const char *name, unsigned type, io_answer *got,
                            void *arg)
{
    struct sim *s = sim_of(io);
    struct io_query *q = xnew(struct io_query);
    q->sim = s;
    q->event.fire = query_fire;
    q->got = got;
    q->arg = arg;
    int64_t delay = zone_ask(s->world, name, type, &q->answer);
    if (delay < 0 || delay >= DNS_GIVES_UP_MS) {
        dns_answer_done(&q->answer);
        q->answer = (struct dns_answer){.status = DNS_TEMP, .is_timeout = true};
        str_copy(str_of(name), q->answer.final_name, sizeof(q->answer.final_name));
        delay = DNS_GIVES_UP_MS;
    }
    sim_at(s, &q->event, s->now_ms + delay + 2 * s->latency_ms);
    return q;
}

static void cancel(struct io_query *q)
{
    if (!q)
        return;
    sim_stop(q->sim, &q->event);
    query_free(q);
}

static const char *servers(struct io *io)
{
    (void)io;
    return "192.0.2.53:53";
}

/* --- the store --- */

static void job_fail(struct store_job *job, enum err_code code, const char *text)
{
    struct err err = ERR_NONE;
    int rc = err_set(&err, code, "%s", text);
    job->done(job, rc, &err);
}

static void jobs_fail(struct sim *s, enum err_code code, const char *text)
{
    struct list *l;
    while ((l = list_pop_front(&s->jobs)))
        job_fail(list_entry(l, struct store_job, link), code, text);
}

static bool fails_now(struct sim *s)
{
    if (s->fail_nth == 0 || --s->fail_nth > 0)
        return false;
    s->has_failed = true;
    return true;
}

/* A job that is run, and not answered yet. */
struct ran {
    struct store_job job; /* what the writer sees */
    struct list link;     /* in sim.ran, in the order of submission */
    struct store_job *inner;
    int rc;
    struct err err;
};

static int ran_run(struct store_job *job, struct store *st, struct err *err)
{
    struct ran *r = container_of(job, struct ran, job);
    return r->inner->run(r->inner, st, err);
}

static void ran_done(struct store_job *job, int rc, const struct err *err)
{
    struct ran *r = container_of(job, struct ran, job);
    r->rc = rc;
    r->err = err ? *err : ERR_NONE;
}

static void run_job(struct sim *s, struct ran *r)
{
    bool is_write = r->inner->kind == STORE_JOB_WRITE;
    if (!s->writer)
        r->rc = err_set(&r->err, E_STATE, "the store is not open");
    else if (is_write && s->sick != E_OK)
        r->rc = err_set(&r->err, s->sick, "writing queue.db: the simulator's disk is full");
    else if (is_write && fails_now(s))
        r->rc = err_set(&r->err, E_IO, "writing queue.db: the simulator's disk failed once");
    else
        writer_submit(s->writer, &r->job);
}

/* One turn of the store's thread, as store/writer.c does it: writes first, reads see their commit. */
static void commit_fire(struct sim *s, struct sim_event *e)
{
    struct list *l;
    struct list turn;
    (void)e;
    list_init(&turn);
    while ((l = list_pop_front(&s->jobs))) {
        struct ran *r = xnew(struct ran);
        r->inner = list_entry(l, struct store_job, link);
        r->job.kind = r->inner->kind;
        r->job.run = ran_run;
        r->job.done = ran_done;
        list_push_back(&turn, &r->link);
    }
    for (int kind = STORE_JOB_WRITE; kind <= STORE_JOB_READ; kind++) {
        list_for_each (at, &turn) {
            struct ran *r = list_entry(at, struct ran, link);
            if ((int)r->inner->kind == kind)
                run_job(s, r);
        }
    }
    if (s->writer)
        writer_collect(s->writer);
    while ((l = list_pop_front(&turn)))
        list_push_back(&s->ran, l);
    sim_at(s, &s->answer, s->now_ms + 1);
}

/* A little later the answers go back, in the order of submission: a crash may come between the two. */
static void answer_fire(struct sim *s, struct sim_event *e)
{
    struct list mine, *l;
    (void)e;
    list_init(&mine);
    while ((l = list_pop_front(&s->ran)))
        list_push_back(&mine, l);
    while ((l = list_pop_front(&mine))) {
        struct ran *r = list_entry(l, struct ran, link);
        r->inner->done(r->inner, r->rc, r->rc < 0 ? &r->err : NULL);
        free(r);
    }
}

static void submit(struct io *io, struct store_job *job)
{
    struct sim *s = sim_of(io);
    list_push_back(&s->jobs, &job->link);
    if (s->commit.node.pos == 0)
        sim_at(s, &s->commit, s->now_ms + s->commit_ms);
}

/* --- the web: every server answers the same, two round trips later --- */

struct sim_fetch {
    struct sim *sim;
    struct io_timer *timer;
    https_done *done;
    void *arg;
};

static void fetch_cancel(struct https_fetch *fetch)
{
    struct sim_fetch *f = (struct sim_fetch *)fetch;
    timer_free(f->timer);
    free(f);
}

static void fetch_fire(void *arg)
{
    struct sim_fetch f = *(struct sim_fetch *)arg;
    struct https_reply r = {.status = f.sim->web_status, .why = "Connection refused"};
    if (r.status)
        r.body = str_of(f.sim->web_body);
    fetch_cancel(arg);
    f.done(f.arg, &r);
}

static struct https_fetch *fetch(struct io *io, const struct https_request *q, https_done *done,
                                 void *arg)
{
    (void)q;
    struct sim_fetch *f = xnew(struct sim_fetch);
    *f = (struct sim_fetch){.sim = sim_of(io), .done = done, .arg = arg};
    f->timer = timer_new(io, fetch_fire, f);
    f->sim->web_asked++;
    timer_start(f->timer, 4 * f->sim->latency_ms);
    return (struct https_fetch *)f;
}

void sim_web(struct sim *s, int status, const char *body)
{
    free(s->web_body);
    s->web_body = xstrdup(body);
    s->web_status = status;
}

unsigned sim_web_asked(const struct sim *s)
{
    return s->web_asked;
}

static void store_stats(struct io *io, struct writer_stats *out)
{
    struct sim *s = sim_of(io);
    *out = (struct writer_stats){0};
    if (s->writer)
        writer_stats(s->writer, out);
    out->waiting += sim_store_waiting(s);
}

static void nothing_to_wake(void *arg)
{
    (void)arg;
}

int sim_store_open(struct sim *s, struct err *err)
{
    return writer_new(s->dir, true, nothing_to_wake, s, s->log, &s->writer, err);
}

void sim_store_close(struct sim *s, bool is_crash)
{
    if (!is_crash)
        commit_fire(s, &s->commit);
    sim_stop(s, &s->commit);
    sim_stop(s, &s->answer);
    answer_fire(s, &s->answer);
    jobs_fail(s, E_STATE, "the program was killed");
    if (s->writer)
        writer_free(s->writer);
    s->writer = NULL;
}

void sim_store_sick(struct sim *s, enum err_code code)
{
    s->sick = code;
}

void sim_store_fail_nth(struct sim *s, unsigned n)
{
    s->fail_nth = n;
    s->has_failed = false;
}

bool sim_store_has_failed(const struct sim *s)
{
    return s->has_failed;
}

size_t sim_store_waiting(const struct sim *s)
{
    size_t n = 0;
    list_for_each (l, &s->jobs)
        n++;
    return n;
}

/* --- life --- */

static const struct io_ops ops = {
    .wall_ms = wall_ms,
    .mono_ms = mono_ms,
    .timer_new = timer_new,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .timer_free = timer_free,
    .ask = ask,
    .cancel = cancel,
    .servers = servers,
    .connect = sim_connect,
    .write = sim_write,
    .unsent = sim_unsent,
    .pause = sim_pause,
    .start_tls = sim_start_tls,
    .fetch = fetch,
    .fetch_cancel = fetch_cancel,
    .close = sim_close,
    .set_handlers = sim_set_handlers,
    .listen_tcp = sim_listen_tcp,
    .listen_unix = sim_listen_unix,
    .unlisten = sim_unlisten,
    .submit = submit,
    .store_stats = store_stats,
};

struct sim *sim_new(const struct sim_opts *o)
{
    struct sim *s = xnew(struct sim);
    s->io.ops = &ops;
    s->world = o->world;
    s->dir = o->dir;
    s->log = o->log;
    s->latency_ms = o->latency_ms ? o->latency_ms : 5;
    s->commit_ms = o->commit_ms ? o->commit_ms : 2;
    s->split = o->split;
    s->now_ms = 1000;
    s->wall_offset_ms = o->wall_ms - s->now_ms;
    s->commit.fire = commit_fire;
    s->answer.fire = answer_fire;
    rng_init_seed(&s->rng, o->seed);
    list_init(&s->jobs);
    list_init(&s->ran);
    list_init(&s->conns);
    list_init(&s->listeners);
    return s;
}

void sim_free(struct sim *s)
{
    struct heap_node *n;
    if (!s)
        return;
    sim_store_close(s, true);
    while ((n = heap_pop(&s->events))) {
        struct sim_event *e = container_of(n, struct sim_event, node);
        if (e->drop)
            e->drop(e);
    }
    heap_done(&s->events);
    free(s->web_body);
    free(s);
}

struct io *sim_io(struct sim *s)
{
    return &s->io;
}

unsigned sim_connects(const struct sim *s)
{
    return s->connects;
}
