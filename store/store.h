/* SPDX-License-Identifier: ISC */
/*
 * The store's files and connections. DIR/queue.db holds everything that must agree; DIR/log-YYYYMMDD.db
 * one day of delivery log each; DIR/engine.lock is held by the engine that owns the store.
 *
 * One struct store belongs to one thread. The engine has one writer (and one reader for bodies), both
 * in the store thread; every console has a reader of its own.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "core/base/err.h"

struct store; /* opaque; see store_private.h */

enum store_mode {
    STORE_WRITER, /* creates and migrates; takes the lock */
    STORE_READER, /* mode=ro */
};

/*
 * E_BUSY "another engine (pid N) has this store open", E_SCHEMA "the store is of schema N, this
 * program knows up to M", E_NOTFOUND, E_DENIED, E_IO, E_FULL, E_CORRUPT: one sentence each with
 * the path. The directory is made (0750) by the writer when its parent exists.
 * Returns 0 and new (free with store_close).
 */
int store_open(const char *dir, enum store_mode mode, struct store **out, struct err *err);
void store_close(struct store *s);
const char *store_dir(const struct store *s);

/* Transactions of the writer. */
int store_begin(struct store *s, struct err *err);
int store_commit(struct store *s, struct err *err);
void store_rollback(struct store *s);

/* For the fault tests: the Nth writing statement or commit from now on fails as a full disk or an
 * I/O error would, and so does every later one, until it is called with 0. Costs one comparison. */
void store_fail_after(struct store *s, int64_t n, bool is_full);

#endif
