/* SPDX-License-Identifier: ISC */
/* The engine's parts, and what they share. Included by the files of this folder only. */
#ifndef ENGINE_ENGINE_PRIVATE_H
#define ENGINE_ENGINE_PRIVATE_H

#include "core/base/idmap.h"
#include "core/base/map.h"
#include "core/base/rng.h"
#include "core/ctl/proto.h"
#include "core/engine/engine.h"
#include "core/engine/meter.h"
#include "core/engine/work.h"
#include "core/mail/explain.h"
#include "core/mail/health.h"
#include "core/mail/id.h"
#include "core/mail/route.h"

/* Recipients in memory at most; the store holds the rest. */
#define WINDOW_MAX 10000u
/* Bodies kept in memory between acceptance and the first try, in all and each. */
#define BODY_CACHE_BYTES     (16u * 1024 * 1024)
#define BODY_CACHE_ONE_BYTES (256u * 1024)

struct intake;
struct schedule;
struct control;
struct bulk;
struct bounce;
struct suppress;
struct rules;
struct relays;
struct watch;

struct engine {
    const struct conf *conf; /* borrowed */
    struct io *io;           /* borrowed */
    const struct log *log;   /* borrowed */
    struct rng rng;
    struct idgen ids;
    struct ip self_ips[2 * CONF_ADDRS_MAX]; /* where we listen: for loop detection */
    size_t self_ips_n;

    enum engine_state state;
    char why[300];
    int64_t started_wall_ms;
    int64_t pid; /* for status */
    void (*on_fatal)(void *arg, const struct err *err);
    void *on_fatal_arg;
    void (*on_drained)(void *arg); /* set while draining */
    void *on_drained_arg;
    bool is_grace_over; /* of the drain */
    bool is_drain_told;
    void (*on_reload)(void *arg); /* the control verb "reload"; NULL = not offered */
    void *on_reload_arg;

    struct intake *intake;     /* own */
    struct schedule *schedule; /* own */
    struct control *control;   /* own */
    struct bulk *bulk;         /* own */
    struct bounce *bounce;     /* own */
    struct suppress *suppress; /* own */
    struct rules *rules;       /* own */
    struct relays *relays;     /* own */
    struct watch *watch;       /* own */
    struct explainer *explainer; /* own */
    unsigned well_n; /* tries that went well: of some, the transcript is kept */
    struct list store_jobs;    /* jobs in the store's hands, see submit.h */
    struct list unsettled;     /* outcomes that a sick store did not take */
    struct io_timer *probe;    /* while the store is sick */
    struct io_timer *chores;   /* retention, once a minute */
    struct io_timer *grace;    /* while draining */
    unsigned probes_failed;

    struct meter accepted, rejected, delivered, deferrals, bounced;
};

/* Ours as route.h wants it; borrowed from the engine. */
struct route_self engine_self(const struct engine *e);
/* The store did not take something: stop accepting and delivering until it does (promise 4). */
void engine_store_failed(struct engine *e, const struct err *err);
/* Something ended: while draining, see whether all is done. */
void engine_check_drained(struct engine *e);
static inline bool engine_delivers(const struct engine *e)
{
    return e->state == ENGINE_RUNNING;
}

#endif
