/* SPDX-License-Identifier: ISC */
#include "core/engine/watch.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/schedule.h"
#include "core/engine/submit.h"
#include "store/queue.h"

/* Sites that have worked lately, by the hash of their names: a newer one may take an older one's place. */
#define WORKED_N      1024u
#define FROSTS_N      16u
#define EXCUSE_MS     (10 * DAY_MS) /* no message lives longer */
#define EXCUSE_MAX_MS DAY_MS

struct frost {
    int64_t from_wall_ms, to_wall_ms;
};

struct watch {
    struct engine *engine; /* borrowed */
    struct health net, dns;
    uint64_t seed, worked[WORKED_N];
    struct frost frosts[FROSTS_N]; /* the newest last */
    size_t frosts_n;
    struct io_timer *timer;          /* while frozen: the next probe */
    char net_why[500], dns_why[500]; /* while that is frozen */
};

static bool is_frozen(const struct watch *w)
{
    return w->net.is_frozen || w->dns.is_frozen;
}

/* --- remembering --- */

struct noting {
    struct ejob job;
    struct frost frost;
};

static int note_run(struct store_job *base, struct store *st, struct err *err)
{
    const struct noting *n = container_of(base, struct noting, job.base);
    return queue_frost(st, n->frost.from_wall_ms, n->frost.to_wall_ms, err);
}

static bool note_done(struct ejob *job, int rc, const struct err *err)
{
    if (rc < 0)
        log_error(job->engine->log, "watch", "cannot note the pause: %s", err->text);
    return false;
}

static void note_free(struct ejob *job)
{
    free(container_of(job, struct noting, job));
}

static void note(struct watch *w)
{
    struct noting *n = xnew(struct noting);
    n->job.base.run = note_run;
    n->job.done = note_done;
    n->job.free = note_free;
    n->frost = w->frosts[w->frosts_n - 1];
    ejob_submit(w->engine, &n->job, STORE_JOB_WRITE);
}

static void add_frost(struct watch *w, int64_t from, int64_t to)
{
    if (w->frosts_n == FROSTS_N)
        memmove(w->frosts, w->frosts + 1, --w->frosts_n * sizeof w->frosts[0]);
    w->frosts[w->frosts_n++] = (struct frost){from, to};
}

struct recalling {
    struct ejob job;
    int64_t since_wall_ms;
    struct frost found[FROSTS_N];
    size_t n;
};

static void recalled(void *arg, int64_t from_wall_ms, int64_t to_wall_ms)
{
    struct recalling *r = arg;
    if (r->n < FROSTS_N)
        r->found[r->n++] = (struct frost){from_wall_ms, to_wall_ms};
}

static int recall_run(struct store_job *base, struct store *st, struct err *err)
{
    struct recalling *r = container_of(base, struct recalling, job.base);
    r->n = 0;
    return queue_frosts(st, r->since_wall_ms, FROSTS_N, recalled, r, err);
}

static bool recall_done(struct ejob *job, int rc, const struct err *err)
{
    const struct recalling *r = container_of(job, struct recalling, job);
    if (rc < 0)
        log_error(job->engine->log, "watch", "cannot read earlier pauses: %s", err->text);
    for (size_t i = 0; rc >= 0 && i < r->n; i++)
        add_frost(job->engine->watch, r->found[i].from_wall_ms, r->found[i].to_wall_ms);
    return false;
}

static void recall_free(struct ejob *job)
{
    free(container_of(job, struct recalling, job));
}

void watch_start(struct watch *w)
{
    struct recalling *r = xnew(struct recalling);
    r->job.base.run = recall_run;
    r->job.done = recall_done;
    r->job.free = recall_free;
    r->since_wall_ms = io_wall_ms(w->engine->io) - EXCUSE_MS;
    ejob_submit(w->engine, &r->job, STORE_JOB_READ);
}

int64_t watch_excused_ms(const struct watch *w, int64_t since_wall_ms)
{
    int64_t sum = 0;
    for (size_t i = 0; i < w->frosts_n; i++) {
        const struct frost *f = &w->frosts[i];
        int64_t from = f->from_wall_ms > since_wall_ms ? f->from_wall_ms : since_wall_ms;
        if (f->to_wall_ms > from)
            sum += f->to_wall_ms - from;
    }
    return sum < EXCUSE_MAX_MS ? sum : EXCUSE_MAX_MS;
}

/* --- freezing and thawing --- */

static void frozen(struct watch *w, const char *why)
{
    bool is_first = !(w->net.is_frozen && w->dns.is_frozen);
    int64_t now = io_wall_ms(w->engine->io);
    log_error(w->engine->log, "watch", "%s", why);
    if (is_first) {
        add_frost(w, now, now);
        note(w);
    }
    w->engine->io->ops->timer_start(w->timer, HEALTH_PROBE_MS);
}

static void extend(struct watch *w)
{
    int64_t now = io_wall_ms(w->engine->io);
    if (w->frosts_n && now > w->frosts[w->frosts_n - 1].to_wall_ms) {
        w->frosts[w->frosts_n - 1].to_wall_ms = now;
        note(w);
    }
}

static void thawed(struct watch *w)
{
    extend(w);
    if (!is_frozen(w))
        log_notice(w->engine->log, "watch", "delivery goes on");
    schedule_ask_again(w->engine->schedule);
    schedule_pump(w->engine->schedule);
}

/* One probe of each kind that is frozen, when its time has come. */
static void timer_fired(void *arg)
{
    struct watch *w = arg;
    int64_t now = io_mono_ms(w->engine->io);
    extend(w);
    health_wait(&w->net, now); /* a frost that has lasted too long ends here */
    health_wait(&w->dns, now);
    if (!is_frozen(w)) {
        thawed(w);
        return;
    }
    w->engine->io->ops->timer_start(w->timer, HEALTH_PROBE_MS);
    schedule_ask_again(w->engine->schedule);
    schedule_pump(w->engine->schedule);
}

/* --- what is seen --- */

static uint64_t hash(const struct watch *w, const char *name)
{
    uint64_t h = map_hash(str_of(name), w->seed);
    return h ? h : 1;
}

void watch_site_worked(struct watch *w, const char *site)
{
    uint64_t h = hash(w, site);
    w->worked[h % WORKED_N] = h;
    watch_connected(w);
}

void watch_connected(struct watch *w)
{
    if (health_worked(&w->net))
        thawed(w);
}

void watch_site_failed(struct watch *w, const char *site, const struct outcome *o)
{
    int64_t now = io_mono_ms(w->engine->io);
    uint64_t h = hash(w, site);
    if (o->stage != STAGE_CONNECT || o->sys == 0 ||
        !health_failed(&w->net, h, (unsigned)o->sys, w->worked[h % WORKED_N] == h, now))
        return;
    snprintf(
        w->net_why, sizeof w->net_why,
        "We seem to be the problem: %u sites that have nothing to do with each other cannot be "
        "reached (%s), and nothing else is. Look at this machine's network, its firewall, and "
        "whether the provider blocks port 25. Mail waits, its time does not count, and one "
        "connection is tried each half minute.",
        health_alike(&w->net, (unsigned)o->sys, now), strerror(o->sys));
    frozen(w, w->net_why);
}

void watch_answer(struct watch *w, const char *name, const struct dns_answer *a)
{
    int64_t now = io_mono_ms(w->engine->io);
    if (a->status != DNS_TEMP) {
        if (health_worked(&w->dns))
            thawed(w);
        return;
    }
    if (!health_failed(&w->dns, hash(w, name), a->is_timeout ? 1 : 2 + a->rcode, true, now))
        return;
    str_copy(
        STR("We seem to be the problem: no domain can be looked up. Look at the name servers "
            "(dns.servers, /etc/resolv.conf) and the way to them. Mail waits, its time does not "
            "count, and one look-up is tried each half minute."),
        w->dns_why, sizeof w->dns_why);
    frozen(w, w->dns_why);
}

bool watch_is_frozen(const struct watch *w)
{
    return w->net.is_frozen;
}

bool watch_has_worked(const struct watch *w, const char *site)
{
    uint64_t h = hash(w, site);
    return w->worked[h % WORKED_N] == h;
}

bool watch_is_ours(const struct watch *w, const struct outcome *o)
{
    return w->net.is_frozen && o->stage == STAGE_CONNECT && (unsigned)o->sys == w->net.how;
}

bool watch_may_connect(struct watch *w)
{
    int64_t now = io_mono_ms(w->engine->io);
    if (health_wait(&w->net, now) > 0)
        return false;
    health_probe(&w->net, now);
    return true;
}

bool watch_may_ask(struct watch *w)
{
    int64_t now = io_mono_ms(w->engine->io);
    if (health_wait(&w->dns, now) > 0)
        return false;
    health_probe(&w->dns, now);
    return true;
}

bool watch_is_asking_frozen(const struct watch *w)
{
    return w->dns.is_frozen;
}

void watch_alarms(const struct watch *w, struct ctl_status *st)
{
    if (w->net.is_frozen && st->alarms_n < CTL_ALARMS_MAX)
        str_copy(str_of(w->net_why), st->alarms[st->alarms_n++], CTL_ALARM_MAX);
    if (w->dns.is_frozen && st->alarms_n < CTL_ALARMS_MAX)
        str_copy(str_of(w->dns_why), st->alarms[st->alarms_n++], CTL_ALARM_MAX);
}

/* --- life --- */

struct watch *watch_new(struct engine *e)
{
    struct watch *w = xnew(struct watch);
    w->engine = e;
    w->seed = rng_u64(&e->rng);
    w->timer = e->io->ops->timer_new(e->io, timer_fired, w);
    return w;
}

void watch_free(struct watch *w)
{
    w->engine->io->ops->timer_free(w->timer);
    free(w);
}
