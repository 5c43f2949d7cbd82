/* SPDX-License-Identifier: ISC */
/*
 * A filter as a condition over recipient r, message m and attempt a (the recipient's newest).
 * Shared by the views and by bulk acts, so that "what is shown" and "what is touched" are one.
 * Every value is a bound parameter, from ?20 on.
 */
#ifndef STORE_WHERE_H
#define STORE_WHERE_H

#include <sqlite3.h>

#include "core/mail/filter.h"
#include "store/store.h"

#define WHERE_PARAM_FIRST 20

struct where_param {
    char *text; /* own; NULL = the number */
    int64_t number;
};

struct where {
    struct buf sql;             /* " AND (...)" per word, or empty */
    struct where_param *params; /* own */
    size_t n, cap;
    bool needs_message, needs_attempt; /* which joins it wants */
    bool is_covered;                   /* the index r_domain has all that it looks at */
    bool is_state_asked;               /* a state: or status: word says which */
    bool with_final;                   /* and one of those is final */
    int64_t first, last; /* bounds on recipient ids, when ids are asked for; else all */
};

/* NULL is the empty filter. E_SYNTAX for a word that the queue cannot answer. s serves the look-up
 * of id: words. where_done also after a failure. */
int where_build(struct where *w, struct store *s, const struct filter *f, int64_t now_wall_ms,
                struct err *err);
void where_done(struct where *w);
void where_bind(const struct where *w, sqlite3_stmt *st);
/* The functions that has: and free text need, on a new connection. */
int where_register(sqlite3 *db);

#endif
