/* SPDX-License-Identifier: ISC */
/*
 * The suppression list: addresses and domains that take no mail from here, because an operator said so. All of
 * it is in memory, so that each recipient costs two look-ups in a map; each change is written to the
 * store first. What is sent to one is refused at RCPT; what is queued already goes back to its sender
 * instead of being tried. Reports (null reverse-path) are never held up by it.
 */
#ifndef ENGINE_SUPPRESS_H
#define ENGINE_SUPPRESS_H

#include "core/engine/engine_private.h"
#include "store/queue.h"

#define SUPPRESS_MAX 100000u

struct suppress *suppress_new(struct engine *e);
void suppress_free(struct suppress *s);

/* In the store's thread, and then in the engine's, when it starts. The rows are the caller's (free). */
struct suppress_rows {
    struct queue_suppression *rows; /* own */
    size_t n, cap;
};
int suppress_load(struct suppress_rows *rows, struct store *st, int64_t now_wall_ms,
                  struct err *err);
void suppress_take(struct suppress *s, const struct suppress_rows *rows);

/* "bob@example.net" or "example.net", as it is typed, as it is kept: A-labels, in lower case. The local
 * part too: nobody distinguishes Bob from bob, and nothing else is folded. E_SYNTAX. */
int suppress_key(struct str typed, char out[ADDR_TEXT_MAX], struct err *err);

/* Add or replace, or end one: written to the store first, then done is called, once. Errors that are
 * known at once (E_SYNTAX, E_LIMIT, E_NOTFOUND) are returned, and done is not called. */
int suppress_change(struct suppress *s, const struct ctl_request *q, const char *who,
                    void (*done)(void *arg, uint64_t token, int rc, const struct err *err),
                    void *arg, uint64_t token, struct err *err);

/* Why this recipient gets nothing, "" = it does; counted as a hit. Borrowed until the list changes. */
struct suppressed {
    const char *key, *reason; /* NULL = it is not */
};
struct suppressed suppress_find(struct suppress *s, const char *address, const char *domain);
/* The same for what is in the queue and due: true when it is taken out of it, to go back to its sender. */
bool suppress_takes(struct suppress *s, const struct queue_due *row);
/* Is any of them suppressed? Not counted. */
bool suppress_any(const struct suppress *s, const struct message *m, const struct recipient *r,
                  size_t n);
/* Forget what has expired. */
void suppress_sweep(struct suppress *s);

#endif
