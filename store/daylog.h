/* SPDX-License-Identifier: ISC */
/*
 * The delivery log on disk: log-YYYYMMDD.db, newest lines as rows (id, time, text), older ones
 * packed into blocks of 64 KiB of whole lines. Written by the store thread after the queue's commit; the
 * queue carries the truth, lines are idempotent by id. The day of a line is the day of its id.
 *
 * An entry (one id) may hold two lines, separated by LF: a delivery and "removed".
 */
#ifndef STORE_DAYLOG_H
#define STORE_DAYLOG_H

#include "core/base/buf.h"
#include "store/store.h"

struct daylog;

/* E_IO...; dir is the store's. Returns new (free with daylog_close). */
int daylog_open(const char *dir, struct daylog **out, struct err *err);
void daylog_close(struct daylog *d);
/* Gather a line; written by daylog_flush. */
void daylog_add(struct daylog *d, int64_t id, int64_t wall_ms, struct str line);
/* How many entries are gathered, and to drop those behind the first n: a transaction of the queue
 * begins, and is rolled back. */
size_t daylog_gathered(const struct daylog *d);
void daylog_forget(struct daylog *d, size_t n);
/* Write what was gathered, one transaction a day file. Lines stay gathered when it fails (up to
 * 32 MiB of them; what is added beyond is lost to the log, not to the queue). */
int daylog_flush(struct daylog *d, struct err *err);
/* True when an entry is written, as a row or in a block. Looks at files only. */
bool daylog_has(struct daylog *d, int64_t id);
/* Pack rows into blocks when there are many: a bounded piece of work (~10 ms); true when more is left. */
bool daylog_pack(struct daylog *d, struct err *err);
/* Unlink day files older than before_wall_ms. */
int daylog_purge(struct daylog *d, int64_t before_wall_ms, struct err *err);
/* The largest line id written in the last two days, 0 = none. */
int64_t daylog_last_id(struct daylog *d);

#endif
