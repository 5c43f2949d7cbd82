/* SPDX-License-Identifier: ISC */
/*
 * A delivery status report as a new message of ours, written in the same transaction as the outcome
 * that it reports: a crash loses neither or both. Made in the engine's thread, filled and written in
 * the store's.
 */
#ifndef ENGINE_REPORT_H
#define ENGINE_REPORT_H

#include "core/engine/engine_private.h"
#include "core/mail/dsn.h"

struct report;

/* Is one wanted (RFC 3461 4.1), and is there anybody to send it to (RFC 5321 4.5.5)? */
bool report_wanted(const char *reverse_path, unsigned notify, enum dsn_action action);
/* Returns new (free with report_free). */
struct report *report_new(struct engine *e, int64_t message_id);
void report_free(struct report *r); /* NULL is fine */
/* Read what the report quotes of its original. Starts over: a job may run twice. */
int report_read(struct report *r, struct store *st, struct err *err);
/* Strings of rc are borrowed until report_write. */
void report_add(struct report *r, const struct dsn_rcpt *rc);
/* Store the message; nothing when no recipient was added. */
int report_write(struct report *r, struct store *st, struct err *err);
bool report_is_written(const struct report *r);

#endif
