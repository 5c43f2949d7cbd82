/* SPDX-License-Identifier: ISC */
/*
 * What the engine remembers of hosts and address families between tries, so that a known trouble is
 * not met again with every message: which TLS hello a host takes, and that this machine has no route
 * in a family. In memory only: a restart costs one detour each.
 */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include "core/base/map.h"
#include "core/mail/route.h"

/* The ladder of opportunistic TLS: each step is taken when the handshake of the one before failed. */
enum tls_step {
    TLS_STEP_FULL,    /* everything we know */
    TLS_STEP_REDUCED, /* TLS 1.2 at most, a hello that fits one packet: for old and broken servers */
    TLS_STEP_CLEAR    /* without; only where the level allows it */
};
const char *tls_step_name(enum tls_step s);

struct memory {
    struct map hosts; /* name → struct host_memory, own */
    int64_t no_route_until_mono_ms[2]; /* IPv4, IPv6; 0 = fine */
};

void memory_init(struct memory *m, uint64_t seed);
void memory_done(struct memory *m);
/* A step that worked for this host, where an earlier one had not. */
void memory_tls_worked(struct memory *m, const char *host, enum tls_step step, int64_t now_mono_ms);
enum tls_step memory_tls_step(const struct memory *m, const char *host, int64_t now_mono_ms);
/* sys came from a connect to that address: when it says that this machine has no way there in that
 * whole family, true, and the family goes last for some minutes. */
bool memory_connect_failed(struct memory *m, const struct ip *ip, int sys, int64_t now_mono_ms);
void memory_connect_worked(struct memory *m, const struct ip *ip);
/* Addresses of a family without a route go behind the others, in their order. */
void memory_order(const struct memory *m, struct targets *t, int64_t now_mono_ms);
/* Forget what has run out. */
void memory_sweep(struct memory *m, int64_t now_mono_ms);

#endif
