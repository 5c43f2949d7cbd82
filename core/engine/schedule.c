/* SPDX-License-Identifier: ISC */
#include "core/engine/schedule.h"

#include "core/base/alloc.h"
#include "core/engine/outbound.h"
#include "core/engine/record.h"
#include "core/engine/relay.h"
#include "core/engine/site_memory.h"
#include "core/engine/site_queue.h"
#include "core/engine/watch.h"
#include "core/mail/effect.h"
#include "core/engine/window_fill.h"

/* --- the window's things --- */

void schedule_forget(struct schedule *s, struct delivery *d)
{
    list_for_each(l, &d->tasks)
        idmap_remove(&s->tasks, list_entry(l, struct task, link)->rcpt_id);
    list_remove(&d->link);
    d->domain->deliveries--;
    parcel_unref(s, d->parcel);
    delivery_free(d);
}

void schedule_drop(struct schedule *s, int64_t rcpt_id)
{
    struct task *t = idmap_get(&s->tasks, rcpt_id);
    if (!t)
        return;
    struct delivery *d = t->delivery;
    if (d->is_claimed)
        return;
    list_remove(&t->link);
    idmap_remove(&s->tasks, rcpt_id);
    task_free(t);
    if (--d->n == 0)
        schedule_forget(s, d);
    schedule_pump(s); /* there is room for others */
}

struct delivery *schedule_split(struct delivery *d)
{
    struct delivery *rest = xnew(struct delivery);
    list_init(&rest->link);
    list_init(&rest->tasks);
    list_for_each_safe(l, &d->tasks) {
        struct task *t = list_entry(l, struct task, link);
        if (!t->is_postponed)
            continue;
        t->is_postponed = false;
        t->delivery = rest;
        list_remove(l);
        list_push_back(&rest->tasks, l);
        rest->n++;
    }
    if (rest->n == 0) {
        delivery_free(rest);
        return NULL;
    }
    d->n -= rest->n;
    rest->parcel = d->parcel;
    rest->parcel->refs++;
    rest->domain = d->domain;
    rest->via = xstrdup(d->via);
    rest->domain->deliveries++;
    rest->ready_mono_ms = d->ready_mono_ms;
    rest->is_claimed = d->is_claimed;
    return rest;
}

enum tls_level schedule_tls_level(const struct schedule *s, const struct delivery *d)
{
    const struct conf *c = s->engine->conf;
    if (d->domain->relay >= 0)
        return c->relays[d->domain->relay].tls;
    const struct site *site = d->domain->site;
    const struct destination_conf *dest =
        conf_destination(c, d->domain->name, site ? site->name : "");
    return dest && dest->has_tls ? dest->tls : c->tls;
}

/* --- placing --- */

static void into_turn(struct site *site)
{
    if (list_empty(&site->turn))
        list_push_back(&site->schedule->turn, &site->turn);
}

/* By the configuration as it is now. */
static void find_way(struct schedule *s, struct delivery *d)
{
    struct domain *old = d->domain;
    d->domain = domain_get(s, old->name, d->via, d->parcel->reverse_path);
    d->domain->deliveries++;
    old->deliveries--;
}

void schedule_place(struct schedule *s, struct delivery *d)
{
    if (d->domain->relay == RELAY_GONE)
        find_way(s, d); /* it was aboard a connection during the reload */
    struct domain *dom = d->domain;
    list_remove(&d->link);
    if (!dom->site || dom->fresh_until_mono_ms <= io_mono_ms(s->engine->io)) {
        list_push_back(&dom->waiting, &d->link);
        domain_resolve(dom);
        return;
    }
    struct site *site = dom->site;
    site->used_mono_ms = io_mono_ms(s->engine->io);
    site_queue_put(d);
    into_turn(site);
    schedule_pump(s);
}

struct wanted {
    const struct site *site;
    enum tls_level level;
};

/* A connection may serve another domain only when its level satisfies that domain too. */
static bool is_suited(void *arg, const struct delivery *d)
{
    const struct wanted *w = arg;
    return !d->needs_own_connection && schedule_tls_level(w->site->schedule, d) == w->level;
}

static void leave_turn(struct site *site)
{
    if (site_queue_is_empty(site))
        list_remove(&site->turn);
}

static void take(struct site *site, struct delivery *d)
{
    site_queue_take(site, d);
    leave_turn(site);
}

struct delivery *schedule_take(struct site *site, enum tls_level level)
{
    struct wanted w = {site, level};
    if (!engine_delivers(site->schedule->engine))
        return NULL;
    struct delivery *d = site_queue_next(site, is_suited, &w);
    if (d)
        take(site, d);
    return d;
}

/* --- dispatch --- */

/* Everything ready there waits for another day: the first answer stays visible. */
static void defer_ready(struct site *site, const struct outcome *why)
{
    struct engine *e = site->schedule->engine;
    struct outcome o = *why;
    struct list all, *l;
    list_init(&all);
    o.is_suspended = true;
    list_remove(&site->turn);
    site_queue_drain(site, &all);
    while ((l = list_pop_front(&all))) {
        struct delivery *d = list_entry(l, struct delivery, link);
        if (!relay_takes_over(e, d, &o))
            record_outcome(e, d, &o);
    }
}

/* Why nothing that is ready there may go now, or NULL. */
static const struct outcome *site_trouble(struct site *site)
{
    struct engine *e = site->schedule->engine;
    int64_t now = io_mono_ms(e->io);
    if (site->dead_why && window_limit(&site->window, now) == 0) {
        if (site->slow > 0) /* for as long as it still rests */
            site->dead_why->retry_after_ms = site->window.dead_until_mono_ms - now;
        return site->dead_why;
    }
    return relay_trouble(e, site_queue_any(site)->domain->relay);
}

void schedule_site_failed(struct site *site, const struct outcome *o)
{
    struct engine *e = site->schedule->engine;
    watch_site_failed(e->watch, site->name, o);
    schedule_heed(site, o);
    if (site->slow > 0 && window_limit(&site->window, io_mono_ms(e->io)) == 0)
        return; /* it rests: that is no death */
    int64_t dead_for = e->conf->retry.first_ms;
    if (dead_for > 5 * MINUTE_MS)
        dead_for = 5 * MINUTE_MS;
    if (!site->dead_why)
        site->dead_why = xnew(struct outcome);
    *site->dead_why = *o;
    if (!window_failure(&site->window, io_mono_ms(e->io), dead_for))
        return;
    log_info(e->log, "schedule", "site %s is not tried for %lld s", site->name,
             (long long)(dead_for / 1000));
    site_remember(site, dead_for);
    defer_ready(site, site->dead_why);
}

void schedule_heed(struct site *site, const struct outcome *o)
{
    struct engine *e = site->schedule->engine;
    int64_t now = io_mono_ms(e->io);
    if (o->code < 400 || !e->explainer || window_limit(&site->window, now) == 0)
        return;
    struct explanation *x = xnew(struct explanation);
    struct effect effect;
    explain_outcome(e->explainer, o, NULL, x);
    effect_of(o, x, site->slow, &effect);
    free(x);
    if (effect.pause_ms == 0)
        return;
    site->slow++;
    site->slow_mono_ms = now;
    if (!site->dead_why)
        site->dead_why = xnew(struct outcome);
    *site->dead_why = *o;
    site->dead_why->class = OUTCOME_DEFERRED;
    site->dead_why->retry_after_ms = effect.pause_ms;
    window_pause(&site->window, now, effect.pause_ms);
    log_notice(e->log, "schedule", "site %s wants us to slow down: it rests for %lld min",
               site->name, (long long)(effect.pause_ms / MINUTE_MS));
    site_remember(site, effect.pause_ms);
    defer_ready(site, site->dead_why);
}

/* Each hour without another such answer makes up for one. */
bool schedule_site_is_well(struct site *site)
{
    int64_t now = io_mono_ms(site->schedule->engine->io);
    while (site->slow > 0 && now - site->slow_mono_ms >= HOUR_MS) {
        site->slow--;
        site->slow_mono_ms += HOUR_MS;
    }
    return site->slow == 0 && window_limit(&site->window, now) > 0;
}

void schedule_site_worked(struct site *site)
{
    bool is_resting =
        site->slow > 0 && window_limit(&site->window, io_mono_ms(site->schedule->engine->io)) == 0;
    /* What was under way when it asked for a rest does not end the rest. */
    if (!is_resting)
        window_success(&site->window);
    watch_site_worked(site->schedule->engine->watch, site->name);
    if (schedule_site_is_well(site))
        site_forget(site);
}

static struct outbound *idle_with(struct site *site, enum tls_level level)
{
    list_for_each(l, &site->idle) {
        struct outbound *o = list_entry(l, struct outbound, idle_link);
        if (o->tls == level)
            return o;
    }
    return NULL;
}

/* All connections are in use: end one that idles at another site. */
static bool make_room(struct schedule *s)
{
    list_for_each(l, &s->outbounds) {
        struct outbound *o = list_entry(l, struct outbound, link);
        if (o->phase == OUTBOUND_IDLE) {
            outbound_retire(o);
            return true;
        }
    }
    return false;
}

enum started { STARTED, NO_SITE_ROOM, NO_ROOM };

/* Its domain has other servers by now, or may have, since it waited longer than an answer is good. */
static enum started place_again(struct site *site, struct delivery *d)
{
    list_remove(&d->link);
    leave_turn(site);
    schedule_place(site->schedule, d);
    return STARTED;
}

/* Start one delivery of a site that has some ready. */
static enum started start_one(struct site *site)
{
    struct schedule *s = site->schedule;
    struct delivery *d = site_queue_next(site, NULL, NULL);
    if (!d)
        return NO_SITE_ROOM;
    if (record_expired(s->engine, d)) {
        leave_turn(site);
        return STARTED;
    }
    enum tls_level level = schedule_tls_level(s, d);
    if (d->domain->site != site)
        return place_again(site, d);
    struct outbound *idle = d->needs_own_connection ? NULL : idle_with(site, level);
    if (!idle) {
        unsigned limit = window_limit(&site->window, io_mono_ms(s->engine->io));
        if (site->outbounds >= relay_connections(s->engine, d->domain->relay, limit)) {
            if (list_empty(&site->idle))
                return NO_SITE_ROOM;
            /* The only free connection does not suit. */
            outbound_retire(list_entry(site->idle.next, struct outbound, idle_link));
            return NO_SITE_ROOM;
        }
        if (s->outbounds_n >= s->engine->conf->connections) {
            make_room(s);
            return NO_ROOM;
        }
        if (d->domain->fresh_until_mono_ms <= io_mono_ms(s->engine->io))
            return place_again(site, d);
        if (!relay_prepare(s->engine, d->domain->relay))
            return NO_SITE_ROOM;
        if (!watch_may_connect(s->engine->watch))
            return NO_SITE_ROOM; /* others may have a connection that idles */
        site->probed_mono_ms = io_mono_ms(s->engine->io);
    }
    take(site, d);
    if (idle)
        outbound_carry(idle, d);
    else
        outbound_open(site, d);
    return STARTED;
}

/* While delivery is frozen: the probe goes to the site that promises most, which has worked before, and
 * among such to the one that was not probed for longest. */
static void choose_probe(struct schedule *s)
{
    struct site *best = NULL;
    bool best_worked = false;
    list_for_each(l, &s->turn) {
        struct site *site = list_entry(l, struct site, turn);
        bool worked = watch_has_worked(s->engine->watch, site->name);
        if (!best || (worked && !best_worked) ||
            (worked == best_worked && site->probed_mono_ms < best->probed_mono_ms)) {
            best = site;
            best_worked = worked;
        }
    }
    if (best) {
        list_remove(&best->turn);
        list_push_front(&s->turn, &best->turn);
    }
}

/* Sites take turns: each starts one delivery, then goes to the end; those that may start no more
 * leave the ring and come back when one of their connections asks for work. */
static void dispatch(struct schedule *s)
{
    struct list blocked;
    list_init(&blocked);
    if (watch_is_frozen(s->engine->watch))
        choose_probe(s);
    while (engine_delivers(s->engine) && !list_empty(&s->turn)) {
        struct site *site = list_entry(s->turn.next, struct site, turn);
        if (site_queue_is_empty(site)) {
            list_remove(&site->turn); /* an operator took away what waited there */
            continue;
        }
        const struct outcome *trouble = site_trouble(site);
        if (trouble) {
            defer_ready(site, trouble);
            continue;
        }
        enum started r = start_one(site);
        if (r == NO_ROOM)
            break;
        if (list_empty(&site->turn))
            continue;
        list_remove(&site->turn);
        list_push_back(r == STARTED ? &s->turn : &blocked, &site->turn);
    }
    struct list *l;
    while ((l = list_pop_front(&blocked)))
        list_push_back(&s->turn, l);
}

static void pump_fired(void *arg)
{
    struct schedule *s = arg;
    s->is_pump_set = false;
    dispatch(s);
    window_fill(s);
}

void schedule_pump(struct schedule *s)
{
    if (s->is_pump_set || !engine_delivers(s->engine))
        return;
    s->is_pump_set = true;
    s->engine->io->ops->timer_start(s->pump, 0);
}

/* --- life --- */

static void due_fired(void *arg)
{
    struct schedule *s = arg;
    s->due_wall_ms = INT64_MAX;
    s->has_more = true;
    window_fill(s);
}

void schedule_ask_again(struct schedule *s)
{
    size_t at = 0;
    struct str key;
    void *value;
    struct domain *longest = NULL;
    bool is_frozen = watch_is_asking_frozen(s->engine->watch);
    while (map_next(&s->domains, &at, &key, &value)) {
        struct domain *d = value;
        if (list_empty(&d->waiting))
            continue;
        if (!is_frozen)
            domain_resolve(d);
        else if (!longest || d->asked_mono_ms < longest->asked_mono_ms)
            longest = d;
    }
    if (longest)
        domain_resolve(longest);
}

static void gate_fired(void *arg)
{
    struct schedule *s = arg;
    s->gate_mono_ms = 0;
    schedule_pump(s);
}

void schedule_due_at(struct schedule *s, int64_t wall_ms)
{
    /* The wall clock went back: this is behind the cursor. */
    if (wall_ms <= s->after_next)
        s->is_rescan_wanted = true;
    if (wall_ms >= s->due_wall_ms)
        return;
    int64_t wait = wall_ms - io_wall_ms(s->engine->io);
    s->due_wall_ms = wall_ms;
    /* Not too far ahead, since the wall clock may jump. */
    s->engine->io->ops->timer_start(s->due, wait < 0 ? 0 : wait > HOUR_MS ? HOUR_MS : wait);
}

struct schedule *schedule_new(struct engine *e)
{
    struct schedule *s = xnew(struct schedule);
    s->engine = e;
    s->due_wall_ms = INT64_MAX;
    map_init(&s->domains, rng_u64(&e->rng));
    map_init(&s->sites, rng_u64(&e->rng));
    map_init(&s->hosts, rng_u64(&e->rng));
    map_init(&s->senders, rng_u64(&e->rng));
    map_init(&s->troubles, rng_u64(&e->rng));
    memory_init(&s->memory, rng_u64(&e->rng));
    list_init(&s->turn);
    list_init(&s->outbounds);
    s->due = e->io->ops->timer_new(e->io, due_fired, s);
    s->pump = e->io->ops->timer_new(e->io, pump_fired, s);
    s->gate = e->io->ops->timer_new(e->io, gate_fired, s);
    return s;
}

void schedule_start(struct schedule *s)
{
    schedule_touch(s);
    schedule_pump(s);
}

void schedule_touch(struct schedule *s)
{
    s->is_rescan_wanted = true;
    window_fill(s);
}

/* Every delivery that waits somewhere; those aboard an outbound are freed with it. */
static void free_waiting(struct schedule *s, struct list *head)
{
    struct list *l;
    while ((l = list_pop_front(head)))
        schedule_forget(s, list_entry(l, struct delivery, link));
}

static void move_list(struct list *head, struct list *out)
{
    struct list *l;
    while ((l = list_pop_front(head)))
        list_push_back(out, l);
}

static void unclaim_list(struct schedule *s, struct list *head)
{
    list_for_each_safe(l, head) {
        struct delivery *d = list_entry(l, struct delivery, link);
        list_remove(&d->link);
        if (d->is_claimed)
            record_unclaim(s->engine, d);
        else
            schedule_forget(s, d);
    }
}

void schedule_unclaim_waiting(struct schedule *s)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&s->domains, &at, &key, &value))
        unclaim_list(s, &((struct domain *)value)->waiting);
    for (at = 0; map_next(&s->sites, &at, &key, &value);) {
        struct list ready;
        list_init(&ready);
        site_queue_drain(value, &ready);
        unclaim_list(s, &ready);
        list_remove(&((struct site *)value)->turn);
    }
}

void schedule_reload(struct schedule *s)
{
    struct list all;
    list_init(&all);
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&s->domains, &at, &key, &value)) {
        struct domain *d = value;
        move_list(&d->waiting, &all);
        d->fresh_until_mono_ms = 0;
        if (d->relay_name[0]) {
            int relay = conf_relay_by_name(s->engine->conf, d->relay_name);
            d->relay = relay < 0 ? RELAY_GONE : relay;
        }
    }
    for (at = 0; map_next(&s->sites, &at, &key, &value);) {
        struct site *site = value;
        site_queue_drain(site, &all);
        list_remove(&site->turn);
        site_bound(site); /* by its own section; those of its domains come when they are resolved */
    }
    /* Those that idle were made by the old configuration. */
    list_for_each_safe(o, &s->outbounds)
        outbound_retire(list_entry(o, struct outbound, link));
    struct list *l;
    while ((l = list_pop_front(&all))) {
        struct delivery *d = list_entry(l, struct delivery, link);
        find_way(s, d);
        schedule_place(s, d);
    }
}

void schedule_free(struct schedule *s)
{
    struct list *l;
    while ((l = list_pop_front(&s->outbounds)))
        outbound_drop(list_entry(l, struct outbound, link));
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&s->domains, &at, &key, &value))
        free_waiting(s, &((struct domain *)value)->waiting);
    for (at = 0; map_next(&s->sites, &at, &key, &value);) {
        struct list ready;
        list_init(&ready);
        site_queue_drain(value, &ready);
        free_waiting(s, &ready);
    }
    for (at = 0; map_next(&s->domains, &at, &key, &value); at = 0)
        domain_free(value);
    for (at = 0; map_next(&s->sites, &at, &key, &value); at = 0)
        site_free(value);
    map_done(&s->domains);
    hosts_free(s);
    sites_drop(s);
    map_done(&s->senders); /* the last of them went with the last parcel */
    map_done(&s->sites);
    memory_done(&s->memory);
    idmap_done(&s->tasks);
    idmap_done(&s->parcels);
    s->engine->io->ops->timer_free(s->due);
    s->engine->io->ops->timer_free(s->pump);
    s->engine->io->ops->timer_free(s->gate);
    free(s);
}
