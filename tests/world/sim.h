/* SPDX-License-Identifier: ISC */
/*
 * The simulator: struct io (core/engine/io.h) over a world and a virtual clock. Days pass in
 * milliseconds, and the same seed gives the same run.
 *
 * One heap of events holds timers, bytes under way, DNS answers and commits, ordered by time and then
 * by the order in which they were made. Nothing is called back before the call that asked for it
 * has returned. TLS is a fact, not cryptography. There is no DNS cache: every question reaches the
 * world. The store is real, in a directory, run inline; a "commit" takes commit_ms.
 */
#ifndef WORLD_SIM_H
#define WORLD_SIM_H

#include "core/engine/io.h"
#include "tests/world/world.h"

struct sim;
struct sim_client;

struct sim_opts {
    struct world *world; /* borrowed for the simulator's life */
    const char *dir;     /* of the store; borrowed */
    const struct log *log;
    uint64_t seed;
    int64_t wall_ms;    /* the wall clock at the start */
    int64_t latency_ms; /* one way; 0 = 5 */
    int64_t commit_ms;  /* 0 = 2 */
    bool split;         /* deliver bytes in pieces of random sizes */
};

struct sim *sim_new(const struct sim_opts *o); /* returns new; the store is not open yet */
void sim_free(struct sim *s);                  /* the engine must be gone */
struct io *sim_io(struct sim *s);
int64_t sim_mono_ms(const struct sim *s);
int64_t sim_wall_ms(const struct sim *s);
/* The wall clock jumps; the monotonic one does not. */
void sim_jump_wall(struct sim *s, int64_t delta_ms);

void sim_set_latency(struct sim *s, int64_t latency_ms); /* one way, for what is sent from now on */

/* Let time pass. */
void sim_run_for(struct sim *s, int64_t ms);
/* Until is_met, asked after every event, at most max_ms. Returns whether it was met. */
bool sim_run_until(struct sim *s, bool (*is_met)(void *arg), void *arg, int64_t max_ms);

/* For sweeps: stop dead after so many more events (0 = never), in the middle of whatever goes on;
 * from then on no time passes until this is called again. */
void sim_stop_after(struct sim *s, unsigned events);
bool sim_is_stopped(const struct sim *s);

/* Jobs that come while no store is open fail with E_STATE. */
int sim_store_open(struct sim *s, struct err *err);
/* is_crash: what waited for a commit is lost, as in a kill -9; the engine must be gone before. */
void sim_store_close(struct sim *s, bool is_crash);
/* From now on every job that writes fails with that code; E_OK: the store is well again. */
void sim_store_sick(struct sim *s, enum err_code code);
/* For sweeps: the Nth write from now fails once, with E_IO (0 = none). */
void sim_store_fail_nth(struct sim *s, unsigned n);
/* Whether that has happened. */
bool sim_store_has_failed(const struct sim *s);
/* Read and write jobs in the store's hands. */
size_t sim_store_waiting(const struct sim *s);

/* A client of the engine's listeners; NULL when nobody listens there. Returns new
 * (sim_client_free). Bytes travel while time passes. */
struct sim_client *sim_client_tcp(struct sim *s, const struct ip *from, const struct ip *to,
                                  uint16_t port);
struct sim_client *sim_client_unix(struct sim *s, const char *path, uint32_t uid);
void sim_client_free(struct sim_client *c); /* closes */
void sim_client_send(struct sim_client *c, struct str bytes);
struct str sim_client_got(const struct sim_client *c); /* borrowed until the next call */
void sim_client_drop(struct sim_client *c, size_t n);
bool sim_client_is_closed(const struct sim_client *c);

/* What every web server answers from now on; status 0: none does. At first that. */
void sim_web(struct sim *s, int status, const char *body);
/* Requests so far. */
unsigned sim_web_asked(const struct sim *s);

/* Connections of the engine to the world: all that were asked for, and those open now. */
unsigned sim_connects(const struct sim *s);
unsigned sim_open_conns(const struct sim *s);

#endif
