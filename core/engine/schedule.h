/* SPDX-License-Identifier: ISC */
/*
 * Which mail goes next, and over which connection.
 *
 * The store knows everything that is due; the schedule keeps a bounded window of it (WINDOW_MAX
 * recipients), sorted into domains (which are resolved) and sites (sets of servers, which have
 * connections). Sites take turns, and senders within a site (ready.h). Nothing here decides what an outcome means: see record.h.
 *
 *   store ──fetch──► domain.waiting ──resolved──► site.ready ──turn──► outbound ──► record
 *
 * A task leaves the window when its outcome is committed, or when an operator took it away.
 */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include "core/engine/engine_private.h"
#include "core/engine/memory.h"
#include "core/engine/ready.h"
#include "core/mail/window.h"
#include "store/queue.h"

#define RELAY_GONE (-2)

/* A destination: a domain, direct or by a relay. */
struct domain {
    char name[ADDR_DOMAIN_MAX + 1];
    int relay; /* index into conf.relays, -1 = direct, RELAY_GONE = not in the configuration now */
    char relay_name[CONF_RELAY_NAME_MAX + 1]; /* "" = direct */
    const struct relay_conf *host; /* borrowed of schedule.hosts: an operator's; then relay is -1 */
    struct route route;
    struct transcript mx;   /* own: the answer, and the candidates that it made */
    struct site *site;      /* NULL until resolved */
    int64_t fresh_until_mono_ms;
    struct io_query *query; /* MX look-up under way */
    int64_t asked_mono_ms;  /* the last one began */
    struct list waiting;    /* deliveries, for the look-up */
    struct ready gated;     /* deliveries, for their rate (site_queue.h) */
    struct list gate;       /* in site.gated while some are */
    struct bucket bucket;
    unsigned deliveries;    /* all that point here: pinned while > 0 */
    int64_t used_mono_ms;
    struct schedule *schedule; /* borrowed */
};

/* A set of servers: connections, window, health. */
struct site {
    struct list turn; /* in schedule.turn while it has ready work */
    char name[ADDR_DOMAIN_MAX + 1];
    struct window window;
    struct ready ready;
    struct list gated;    /* domains with a rate that have some ready */
    struct bucket bucket; /* of a rate that names the site */
    struct list idle;  /* outbounds without work */
    unsigned outbounds;
    unsigned domains;  /* that point here: pinned while > 0 */
    struct outcome *dead_why; /* own: the answer by which it died, or must be slow */
    unsigned slow;            /* how often it has asked for that lately */
    int64_t slow_mono_ms;     /* the last time, or when one was forgiven */
    bool is_noted;            /* in the store (site_memory.h) */
    bool is_gated_next;       /* whose turn it is: of its domains with a rate, or of the others */
    int64_t probed_mono_ms;   /* a connection was opened, for choosing the next probe */
    int64_t used_mono_ms;
    struct schedule *schedule; /* borrowed */
};

struct schedule {
    struct engine *engine; /* borrowed */
    struct idmap tasks;    /* recipient id → task: what is in the window */
    struct idmap parcels;  /* message id → parcel */
    struct map domains, sites;
    struct map troubles;   /* of sites that nobody has asked for since the start: name → queue_site, own */
    struct map senders;    /* of what is in the window, by key */
    int64_t sender_last_id;
    struct map hosts;      /* "host NAME:PORT" → relay_conf, own: what operators have rerouted to */
    struct memory memory;  /* of hosts and families */
    struct list turn;      /* sites with ready work, in the order of their turns */
    struct list outbounds;
    unsigned outbounds_n;
    size_t body_bytes;     /* kept in parcels */
    bool is_fetching;
    bool is_rescan_wanted; /* something may be due behind the cursor */
    bool has_more;         /* the last fetch was cut at its limit */
    int64_t after_next, after_id; /* cursor over due rows */
    struct io_timer *due;  /* the next time something becomes due */
    int64_t due_wall_ms;   /* what it was set to; INT64_MAX = it is not */
    struct io_timer *gate; /* a rate lets the next one go */
    int64_t gate_mono_ms;  /* what it was set to; 0 = it is not */
    struct io_timer *pump; /* runs the dispatch at the end of the turn */
    bool is_pump_set;
};

struct schedule *schedule_new(struct engine *e);
void schedule_free(struct schedule *s);
/* The store has recovered, or is well again. */
void schedule_start(struct schedule *s);
/* Mail just accepted: into the window at once, with its body (taken: b becomes empty). Without room it stays
 * in the store and is fetched later. */
void schedule_fresh(struct schedule *s, const struct message *m, const struct recipient *r,
                    size_t n, struct buf *body);
/* The store may hold something due that the cursor has passed. */
void schedule_touch(struct schedule *s);
/* Something in the store becomes due then. */
void schedule_due_at(struct schedule *s, int64_t wall_ms);
/* Draining: deliveries that were claimed and wait for another connection go back to the store. */
void schedule_unclaim_waiting(struct schedule *s);
/* Other relays, routes or limits: everything that waits is placed anew. */
void schedule_reload(struct schedule *s);
/* An operator took this recipient away (held, deleted): out of the window, unless it is under way. */
void schedule_drop(struct schedule *s, int64_t rcpt_id);
/* Put it (back) behind its domain; resolves when needed. */
void schedule_place(struct schedule *s, struct delivery *d);
/* Its postponed tasks (task.is_postponed) become a delivery of their own, which is waiting nowhere
 * yet; NULL = there are none. */
struct delivery *schedule_split(struct delivery *d);
/* Look up what waits for it; while that is frozen, the one that was not asked about for longest. */
void schedule_ask_again(struct schedule *s);
/* Dispatch soon. */
void schedule_pump(struct schedule *s);
/* The delivery's tasks leave the window, and its memory goes. */
void schedule_forget(struct schedule *s, struct delivery *d);
/* TLS level that this delivery asks for. */
enum tls_level schedule_tls_level(const struct schedule *s, const struct delivery *d);
/* The next ready delivery of a site that may use a connection of that level; taken out. NULL = none. */
struct delivery *schedule_take(struct site *site, enum tls_level level);
/* It is not dead, and has not asked us to slow down lately. */
bool schedule_site_is_well(struct site *site);
/* It took mail, or answered about it. */
void schedule_site_worked(struct site *site);
/* An answer that may ask all of the site to slow down: then it rests, and goes on by one connection. */
void schedule_heed(struct site *site, const struct outcome *o);
/* The site failed as a site: o is why. When its window closes, all that is ready there is deferred. */
void schedule_site_failed(struct site *site, const struct outcome *o);

/* domain.c */
/* By the way that the recipient goes: via is its reroute (mail/way.h), "" as the configuration says. */
struct domain *domain_get(struct schedule *s, const char *name, const char *via,
                          const char *reverse_path);
struct domain *domain_by_relay(struct schedule *s, const char *name, int relay);
/* The relay, or the operator's host, by which it goes; NULL = by its MX. */
const struct relay_conf *domain_relay(const struct domain *d);
/* Once no domain is left. */
void hosts_free(struct schedule *s);
/* Resolve unless fresh; then its waiting deliveries move on (or are recorded as failed). */
void domain_resolve(struct domain *d);
void domain_free(struct domain *d);
/* The limit of connections that the configuration gives a site of that name. */
void site_bound(struct site *site);
void site_free(struct site *site);
/* Free domains and sites that nobody has used for a while. */
void schedule_sweep(struct schedule *s);

#endif
