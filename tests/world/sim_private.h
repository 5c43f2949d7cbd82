/* SPDX-License-Identifier: ISC */
/* What the parts of the simulator share: sim.c (time, timers, DNS, store), sim_conn.c (bytes). */
#ifndef WORLD_SIM_PRIVATE_H
#define WORLD_SIM_PRIVATE_H

#include "core/base/heap.h"
#include "core/base/list.h"
#include "core/base/rng.h"
#include "tests/world/host.h"
#include "tests/world/sim.h"

struct sim_event {
    struct heap_node node;
    void (*fire)(struct sim *s, struct sim_event *e);
    void (*drop)(struct sim_event *e); /* when the simulator goes first; NULL = nothing to do */
    void *arg;
};

struct sim {
    struct io io; /* first: the engine's handle */
    struct world *world;
    const char *dir;
    const struct log *log;
    struct rng rng;
    int64_t now_ms, wall_offset_ms, latency_ms, commit_ms;
    bool split;
    struct heap events;
    unsigned stop_after; /* events; 0 = never */
    bool is_stopped;
    uint64_t serial;
    /* store */
    struct writer *writer; /* own, NULL = not open */
    struct list jobs;      /* waiting for the next commit */
    struct list ran;       /* done, and not answered yet */
    struct sim_event commit, answer;
    enum err_code sick;
    unsigned fail_nth; /* writes until the one that fails; 0 = none */
    bool has_failed;
    /* network */
    struct list conns, listeners;
    unsigned connects;
    /* the web */
    int web_status;
    char *web_body; /* own, or NULL */
    unsigned web_asked;
};

static inline struct sim *sim_of(struct io *io)
{
    return container_of(io, struct sim, io);
}

/* Puts the event into the heap (again, when it is there already). */
void sim_at(struct sim *s, struct sim_event *e, int64_t at_ms);
void sim_stop(struct sim *s, struct sim_event *e);

struct io_conn *sim_connect(struct io *io, const struct ip *ip, uint16_t port,
                            const struct ip *source, const struct conn_handlers *h, void *arg);
void sim_write(struct io_conn *c, struct str bytes);
size_t sim_unsent(const struct io_conn *c);
void sim_pause(struct io_conn *c, bool is_paused);
void sim_start_tls(struct io *io, struct io_conn *c, const struct tls_want *w);
void sim_close(struct io_conn *c, bool flush);
void sim_set_handlers(struct io_conn *c, const struct conn_handlers *h, void *arg);
int sim_listen_tcp(struct io *io, const struct ip *ip, uint16_t port, io_accept *accept, void *arg,
                   struct io_listener **out, struct err *err);
int sim_listen_unix(struct io *io, const char *path, unsigned mode, io_accept *accept, void *arg,
                    struct io_listener **out, struct err *err);
void sim_unlisten(struct io_listener *l);

#endif
