/* SPDX-License-Identifier: ISC */
/*
 * The engine: takes mail in, keeps it, delivers it, reports what cannot be delivered. Everything
 * hangs off struct engine; it reaches the world only through struct io.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "core/base/log.h"
#include "core/engine/io.h"
#include "core/mail/conf.h"

struct engine;

/*
 * conf, io and log are borrowed for the engine's life; seed makes its jitter, shuffles and ids
 * repeatable (0 = from the kernel). Nothing happens before engine_start. Returns new.
 */
struct engine *engine_new(const struct conf *conf, struct io *io, const struct log *log,
                          uint64_t seed);
/* Listens, asks the store to recover, then accepts and delivers. Failures to listen come at once
 * (E_NET, E_BUSY: one sentence); failures of the store come by on_fatal. */
int engine_start(struct engine *e, void (*on_fatal)(void *arg, const struct err *err), void *arg,
                 struct err *err);
/* Stop listening, let transactions under way end (at most grace_ms), hand back what was claimed;
 * done is called when nothing is left. */
void engine_drain(struct engine *e, int64_t grace_ms, void (*done)(void *arg), void *arg);
/* Offer the control verb "reload": asked is called when an operator wants it. */
void engine_on_reload(struct engine *e, void (*asked)(void *arg), void *arg);
/* A new configuration, read and valid: borrowed from now on instead of the old one. What concerns
 * listeners and the store stays as it was until a restart; *note (static) says so when it differs. */
void engine_reload(struct engine *e, const struct conf *conf, const char **note);
/* After drain, or at once in tests: what is under way is dropped as a crash would drop it. */
void engine_free(struct engine *e);
/* No attempt, look-up or store job is under way, and nothing is due: for tests. */
bool engine_is_idle(const struct engine *e);

#endif
