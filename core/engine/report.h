/* SPDX-License-Identifier: ISC */
/*
 * Delivery status reports as new messages of ours. What is to be told is owed by the store from the
 * transaction on in which a recipient ended (queue_settle.report); a report is written in that same
 * transaction too, unless more will be known of its message at once: then one report tells all, as soon
 * as that is known, and after REPORT_WAIT_MS at the latest. A crash loses neither an end nor its report.
 *
 * Made in the engine's thread, filled and written in the store's.
 */
#ifndef ENGINE_REPORT_H
#define ENGINE_REPORT_H

#include "core/engine/engine_private.h"
#include "core/mail/dsn.h"

/* How long the first news of a message waits for the rest. */
#define REPORT_WAIT_MS (5 * MINUTE_MS)

struct report;

/* What the sender is to be told, if anybody (RFC 3461 4.1, RFC 5321 4.5.5). Of a failed report of our
 * own it is the postmaster who is told, so that is owed too. */
enum dsn_action report_action(enum msg_class class, const char *reverse_path, unsigned notify,
                              enum dsn_action action);
/* Returns new (free with report_free). message_id 0: not known yet (report_about). */
struct report *report_new(struct engine *e, int64_t message_id);
void report_about(struct report *r, int64_t message_id);
void report_free(struct report *r); /* NULL is fine */
/* First in a job that settles recipients of the message: when something is, or will be, owed about it
 * (is_news), what is quoted must be read before the last recipient takes the body with it. Starts over:
 * a job may run twice. */
int report_begin(struct report *r, struct store *st, bool is_news, struct err *err);
/* Last in that job: write the report about all that is owed, unless more will be known soon. */
int report_end(struct report *r, struct store *st, struct err *err);
/* The same for what is owed since a while: no more waiting. */
int report_late(struct report *r, struct store *st, struct err *err);
bool report_is_written(const struct report *r);

#endif
