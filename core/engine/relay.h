/* SPDX-License-Identifier: ISC */
/*
 * What is known of each relay: whether it lets us in, and the alarm while it does not.
 *
 *            refused, no mechanism, no token
 *   OPEN ───────────────────────────────────► CLOSED (5 min, then 1 h each time) ──time──► PROBING
 *    ▲                                           ▲                                           │
 *    └────────── a login that works ─────────────┼───────────────────────────────────────────┤
 *                                                └──────────────── refused again ────────────┘
 *
 * CLOSED: all its mail is deferred without a connection, however much waits, because ten thousand
 * wrong passwords lock an account. PROBING is also the state at the start: one connection until a
 * login has worked. A reload of the configuration forgets everything.
 */
#ifndef ENGINE_RELAY_H
#define ENGINE_RELAY_H

#include "core/engine/engine_private.h"

struct relays;

struct relays *relays_new(struct engine *e);
void relays_free(struct relays *r);
/* The configuration was read again: every relay gets a new chance. */
void relays_reload(struct relays *r);

/* Why nothing may go to that relay now, or NULL: borrowed until the next call. relay is an index
 * into conf.relays; -1 (direct) gives NULL. */
const struct outcome *relay_trouble(struct engine *e, int relay);
/* May a connection be opened to it now? false: it must be asked again after a pump, since a token
 * is on its way, or relay_trouble now tells why not. */
bool relay_prepare(struct engine *e, int relay);
/* limit, or 1 until a login has worked. */
unsigned relay_connections(struct engine *e, int relay, unsigned limit);
/* What the login is made with, for one connection: new (explicit_bzero, free), NULL without one. */
char *relay_secret(struct engine *e, const struct relay_conf *rc);

/* A relay's answer. When it refuses us, and not this mail, the relay is closed, *o becomes a
 * deferral with the sentence of the alarm's cause, and true is returned: its other hosts have the
 * same password. */
bool relay_judge(struct engine *e, const struct relay_conf *rc, struct outcome *o);
/* It let us in. */
void relay_works(struct engine *e, const struct relay_conf *rc);
/* No host could be reached directly: give the delivery to delivery.fallback-relay, in the same try.
 * False when there is none, or the outcome is not of that kind. Takes the delivery when true. */
bool relay_takes_over(struct engine *e, struct delivery *d, const struct outcome *o);

/* Alarms in force, for status. */
void relay_alarms(const struct engine *e, struct ctl_status *st);

#endif
