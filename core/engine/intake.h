/* SPDX-License-Identifier: ISC */
/*
 * Taking mail in, by SMTP on the configured addresses and on the Unix socket for sendmail(1):
 *
 *   bytes ──► smtp/server ──► header repaired, body in chunks ──► store (one commit) ──► 250
 *
 * Never an open relay: only clients of listen.allow (and local users on the socket) may name
 * recipients. While the store is sick or the engine drains, it answers 4xx.
 */
#ifndef ENGINE_INTAKE_H
#define ENGINE_INTAKE_H

#include "core/engine/engine_private.h"

struct intake *intake_new(struct engine *e);
/* Listen on everything that is configured; E_NET, E_BUSY. */
int intake_listen(struct intake *in, struct err *err);
/* No new sessions; those that are open end between two commands. */
void intake_drain(struct intake *in);
/* Those that are still open end now. */
void intake_stop(struct intake *in);
/* Take up the configuration's limits, for open sessions too. */
void intake_reload(struct intake *in);
void intake_free(struct intake *in);
unsigned intake_sessions(const struct intake *in);

#endif
