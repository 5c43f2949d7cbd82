/* SPDX-License-Identifier: ISC */
/* Domains are resolved to sites; both are forgotten when nobody uses them. */
#include "core/base/alloc.h"
#include "core/engine/outbound.h"
#include "core/engine/record.h"
#include "core/engine/relay.h"
#include "core/engine/site_memory.h"
#include "core/engine/site_queue.h"
#include "core/engine/watch.h"
#include "core/mail/way.h"

/* A resolution is used again for that long at most; the resolver's cache knows the true TTL. */
#define FRESH_MAX_MS    (60 * SECOND_MS)
#define FRESH_MIN_MS    SECOND_MS
#define FORGET_AFTER_MS (10 * MINUTE_MS)

#define KEY_MAX (ADDR_DOMAIN_MAX + 1 + WAY_TEXT_MAX)

/* By the name of the relay or host, which means the same after a reload. */
static void domain_key(const char *name, const char *relay, const struct relay_conf *host,
                       char out[KEY_MAX])
{
    if (host)
        snprintf(out, KEY_MAX, "%s %s", name, host->name);
    else
        snprintf(out, KEY_MAX, relay[0] ? "%s relay %s" : "%s", name, relay);
}

static struct domain *get(struct schedule *s, const char *name, int relay,
                          const struct relay_conf *host)
{
    char key[KEY_MAX];
    const char *relay_name = relay < 0 ? "" : s->engine->conf->relays[relay].name;
    domain_key(name, relay_name, host, key);
    struct domain *d = map_get(&s->domains, str_of(key));
    if (!d) {
        d = xnew(struct domain);
        str_copy(str_of(name), d->name, sizeof d->name);
        d->relay = relay;
        str_copy(str_of(relay_name), d->relay_name, sizeof d->relay_name);
        d->host = host;
        d->schedule = s;
        list_init(&d->waiting);
        ready_init(&d->gated);
        list_init(&d->gate);
        map_put(&s->domains, str_of(key), d);
    }
    d->used_mono_ms = io_mono_ms(s->engine->io);
    return d;
}

/* A relay of one host that nobody logs in to. There are as many as operators have named. */
static const struct relay_conf *host_get(struct schedule *s, const struct way *w)
{
    char text[WAY_TEXT_MAX];
    way_text(w, text);
    struct relay_conf *r = map_get(&s->hosts, str_of(text));
    if (!r) {
        r = xnew(struct relay_conf);
        r->name = xstrdup(text);
        r->auth = AUTH_NONE;
        r->hosts[0] = w->host;
        r->hosts_n = 1;
        map_put(&s->hosts, str_of(text), r);
    }
    return r;
}

void hosts_free(struct schedule *s)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&s->hosts, &at, &key, &value)) {
        struct relay_conf *r = value;
        free(r->name);
        free(r);
    }
    map_done(&s->hosts);
}

struct domain *domain_get(struct schedule *s, const char *name, const char *via,
                          const char *reverse_path)
{
    struct way w;
    way_parse(str_of(via), &w);
    int relay = way_relay(&w, s->engine->conf, name, reverse_path);
    return get(s, name, relay, w.kind == WAY_HOST ? host_get(s, &w) : NULL);
}

struct domain *domain_by_relay(struct schedule *s, const char *name, int relay)
{
    return get(s, name, relay, NULL);
}

const struct relay_conf *domain_relay(const struct domain *d)
{
    if (d->host)
        return d->host;
    return d->relay < 0 ? NULL : &d->schedule->engine->conf->relays[d->relay];
}

void domain_free(struct domain *d)
{
    struct schedule *s = d->schedule;
    char key[KEY_MAX];
    domain_key(d->name, d->relay_name, d->host, key);
    map_remove(&s->domains, str_of(key));
    if (d->query)
        s->engine->io->ops->cancel(d->query);
    if (d->site)
        d->site->domains--;
    transcript_done(&d->mx);
    list_remove(&d->gate);
    ready_done(&d->gated);
    free(d);
}

static unsigned connections_max(const struct conf *c, const char *domain, const char *site)
{
    const struct destination_conf *dest = conf_destination(c, domain, site);
    return dest && dest->connections ? dest->connections : c->site_connections;
}

/* The site of that name; domain is one that leads there, for what is configured by domain. */
static struct site *site_get(struct schedule *s, const char *name, const char *domain)
{
    struct site *site = map_get(&s->sites, str_of(name));
    if (!site) {
        site = xnew(struct site);
        str_copy(str_of(name), site->name, sizeof site->name);
        site->schedule = s;
        list_init(&site->turn);
        ready_init(&site->ready);
        list_init(&site->gated);
        list_init(&site->idle);
        unsigned max = connections_max(s->engine->conf, domain, name);
        window_init(&site->window, max < 5 ? max : 5, max);
        map_put(&s->sites, str_of(name), site);
        site_restore(site);
    }
    site->used_mono_ms = io_mono_ms(s->engine->io);
    return site;
}

void site_bound(struct site *site)
{
    window_bound(&site->window, connections_max(site->schedule->engine->conf, "", site->name));
}

void site_free(struct site *site)
{
    map_remove(&site->schedule->sites, str_of(site->name));
    list_remove(&site->turn);
    ready_done(&site->ready);
    free(site->dead_why);
    free(site);
}

/* Everything that waits fails alike: the caller has an outcome for the domain. */
static void fail_waiting(struct domain *d, const struct outcome *o)
{
    struct list *l;
    while ((l = list_pop_front(&d->waiting))) {
        struct delivery *one = list_entry(l, struct delivery, link);
        transcript_begin(&one->log, d->mx.begin_mono_ms);
        transcript_join(&one->log, &d->mx);
        if (relay_takes_over(d->schedule->engine, one, o))
            continue;
        transcript_text(&one->log, &one->told);
        record_outcome(d->schedule->engine, one, o);
    }
}

/* What waits for a look-up that is not even made: by the fall-back relay, if there is one. */
static void by_relay(struct domain *d, const struct outcome *why)
{
    struct list all, *l;
    list_init(&all);
    while ((l = list_pop_front(&d->waiting)))
        list_push_back(&all, l);
    while ((l = list_pop_front(&all))) {
        struct delivery *one = list_entry(l, struct delivery, link);
        if (!relay_takes_over(d->schedule->engine, one, why))
            list_push_back(&d->waiting, l);
    }
}

static void resolved(struct domain *d, const char *site_name, int64_t fresh_ms)
{
    struct schedule *s = d->schedule;
    struct site *site = site_get(s, site_name, d->name);
    site->domains++;
    const struct destination_conf *dest = conf_destination(s->engine->conf, d->name, site_name);
    if (dest && dest->connections)
        window_bound(&site->window, dest->connections);
    if (d->site)
        d->site->domains--;
    if (d->site != site) { /* what a rate holds back moves as well */
        ready_drain(&d->gated, &d->waiting);
        list_remove(&d->gate);
    }
    d->site = site;
    d->fresh_until_mono_ms = io_mono_ms(s->engine->io) + fresh_ms;
    struct list *l;
    while ((l = list_pop_front(&d->waiting)))
        schedule_place(s, list_entry(l, struct delivery, link));
}

static void note_route(struct domain *d)
{
    const struct relay_conf *r = domain_relay(d);
    int64_t now = io_mono_ms(d->schedule->engine->io);
    if (r)
        transcript_printf(&d->mx, now, "mx", "by %s%s, whose hosts are tried in their order",
                          d->host ? "" : "relay ", r->name);
    else
        transcript_route(&d->mx, now, &d->route);
    for (size_t i = 0; r && i < d->route.n; i++)
        transcript_printf(&d->mx, now, "mx", "%zu. %s", i + 1, d->route.hosts[i].name);
}

/* Hosts that need no MX look-up: a relay's, or an address literal. */
static void resolve_fixed(struct domain *d)
{
    struct ip ip;
    const struct relay_conf *r = domain_relay(d);
    transcript_begin(&d->mx, io_mono_ms(d->schedule->engine->io));
    if (!r) {
        if (route_from_literal(d->name, &d->route, &ip))
            resolved(d, d->name, FRESH_MAX_MS);
        return;
    }
    memset(&d->route, 0, sizeof d->route);
    for (size_t i = 0; i < r->hosts_n; i++) {
        struct route_host *h = &d->route.hosts[d->route.n++];
        str_copy(str_of(r->hosts[i].host), h->name, sizeof h->name);
        h->preference = (uint16_t)i; /* their order is the operator's: never shuffled */
    }
    char name[ADDR_DOMAIN_MAX + 1];
    snprintf(name, sizeof name, d->host ? "%.200s" : "relay %.100s", r->name);
    note_route(d);
    resolved(d, name, FRESH_MAX_MS);
}

static void got_mx(void *arg, const struct dns_answer *mx)
{
    struct domain *d = arg;
    struct engine *e = d->schedule->engine;
    d->query = NULL;
    struct route_self self = engine_self(e);
    struct outcome why;
    transcript_begin(&d->mx, io_mono_ms(e->io));
    transcript_answer(&d->mx, io_mono_ms(e->io), d->name, DNS_TYPE_MX, mx);
    bool is_ok = route_from_mx(d->name, mx, &self, &e->rng, &d->route, &why) == ROUTE_OK;
    note_route(d);
    watch_answer(e->watch, d->name, mx);
    if (!is_ok) {
        /* No answer, and no wonder: it waits where it is for better days, or goes by the relay. */
        if (mx->status != DNS_TEMP || !watch_is_asking_frozen(e->watch))
            fail_waiting(d, &why);
        else
            by_relay(d, &why);
        return;
    }
    char site[DNS_NAME_MAX + 1];
    route_site(&d->route, site);
    int64_t ttl_ms = mx->ttl_s * SECOND_MS;
    /* A TTL of 0 is for those who ask now: what waited for the answer goes by it. */
    resolved(d, site,
             ttl_ms < FRESH_MIN_MS   ? FRESH_MIN_MS
             : ttl_ms < FRESH_MAX_MS ? ttl_ms
                                     : FRESH_MAX_MS);
}

void domain_resolve(struct domain *d)
{
    struct engine *e = d->schedule->engine;
    if (d->query)
        return;
    struct route route;
    struct ip ip;
    if (domain_relay(d) || route_from_literal(d->name, &route, &ip))
        resolve_fixed(d);
    else if (watch_may_ask(e->watch)) {
        d->asked_mono_ms = io_mono_ms(e->io);
        d->query = e->io->ops->ask(e->io, d->name, DNS_TYPE_MX, got_mx, d);
    } else {
        struct outcome why;
        outcome_init(&why, OUTCOME_DEFERRED, STAGE_DNS);
        by_relay(d, &why);
    }
}

static void sweep_domains(struct schedule *s, int64_t before)
{
    size_t at = 0;
    struct str key;
    void *value;
    struct list gone;
    list_init(&gone);
    while (map_next(&s->domains, &at, &key, &value)) {
        struct domain *d = value;
        /* waiting is empty then: its deliveries count as users. */
        if (d->deliveries == 0 && !d->query && d->used_mono_ms < before)
            list_push_back(&gone, &d->waiting);
    }
    struct list *l;
    while ((l = list_pop_front(&gone)))
        domain_free(list_entry(l, struct domain, waiting));
}

static void sweep_sites(struct schedule *s, int64_t before)
{
    size_t at = 0;
    struct str key;
    void *value;
    struct list gone;
    list_init(&gone);
    while (map_next(&s->sites, &at, &key, &value)) {
        struct site *site = value;
        if (site->domains == 0 && site->outbounds == 0 && site_queue_is_empty(site) &&
            site->used_mono_ms < before && schedule_site_is_well(site))
            list_push_back(&gone, &site->turn);
    }
    struct list *l;
    while ((l = list_pop_front(&gone))) {
        struct site *site = list_entry(l, struct site, turn);
        site_forget(site); /* its troubles are over, or nobody asks */
        site_free(site);
    }
}

void schedule_sweep(struct schedule *s)
{
    int64_t before = io_mono_ms(s->engine->io) - FORGET_AFTER_MS;
    sweep_domains(s, before);
    sweep_sites(s, before);
    memory_sweep(&s->memory, io_mono_ms(s->engine->io));
}
