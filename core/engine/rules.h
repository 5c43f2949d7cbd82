/* SPDX-License-Identifier: ISC */
/*
 * Holds and reroutes in force: acts that also catch mail to come. A rule is applied in the transaction that
 * accepts a message, by the same filter and the same verb that acts on what is queued. When its
 * time is over, or it is removed, what it holds is released; what it rerouted keeps its way.
 */
#ifndef ENGINE_RULES_H
#define ENGINE_RULES_H

#include "core/engine/engine_private.h"
#include "store/queue.h"

#define RULES_MAX 32u

/* All rules at one time; never changed, so that a job in the store's thread may read one. */
struct ruleset {
    unsigned refs;
    size_t n;
    struct rule {
        struct queue_rule q;
        struct filter filter;
    } rules[RULES_MAX];
};

struct rules *rules_new(struct engine *e);
void rules_free(struct rules *r);
/* At start: all that the store has. */
void rules_take(struct rules *r, const struct ruleset *all);
int ruleset_load(struct ruleset *out, struct store *st, int64_t now_wall_ms, struct err *err);
void ruleset_done(struct ruleset *s);

/* Those in force, a reference (ruleset_unref, in the engine's thread); NULL = none. */
struct ruleset *rules_ref(struct rules *r);
void ruleset_unref(struct ruleset *s);
/* In the store's thread, behind queue_accept. set may be NULL. */
int ruleset_apply(const struct ruleset *set, struct store *st, int64_t now_wall_ms,
                  const struct recipient *rcpts, size_t n, struct err *err);

/* A new one; E_LIMIT, E_SYNTAX. It is in force at once, and written by the act that made it. */
int rules_add(struct rules *r, const struct queue_rule *q, struct err *err);
bool rules_has(const struct rules *r, int64_t id);
/* End one; E_NOTFOUND. */
int rules_end(struct rules *r, int64_t id, struct err *err);
/* The act that made it failed. */
void rules_forget(struct rules *r, int64_t id);
/* End what is over. */
void rules_sweep(struct rules *r);

#endif
