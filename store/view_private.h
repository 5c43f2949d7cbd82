/* SPDX-License-Identifier: ISC */
/* What the files view*.c share. */
#ifndef STORE_VIEW_PRIVATE_H
#define STORE_VIEW_PRIVATE_H

#include <stdatomic.h>

#include "store/dayfile.h"
#include "store/store_private.h"
#include "store/view.h"
#include "store/where.h"

#define VIEW_DAYS_OPEN 8 /* day files kept open */

/* A day of the log, open for reading. */
struct view_day {
    char name[DAYFILE_NAME_MAX]; /* "" = free */
    sqlite3 *db;                 /* own, as are the statements */
    sqlite3_stmt *rows_back, *rows_on, *block_back, *block_on;
    uint64_t inode;
    uint64_t used; /* by the clock of view.days_used: the least is replaced */
};

struct view {
    struct store *s; /* own */
    atomic_bool is_interrupted;
    sqlite3_stmt *version; /* own */
    struct view_day days[VIEW_DAYS_OPEN];
    uint64_t days_used;
};

/* A call begins: one snapshot for all that it reads. view_end in every case. */
int view_begin(struct view *v, struct err *err);
void view_end(struct view *v);
/* A statement for one call; NULL with *err. Free with sqlite3_finalize. */
sqlite3_stmt *view_prepare(struct view *v, const char *sql, struct err *err);
/* True when view_rows and the like must look at finished rows too. */
bool view_with_final(const struct view_query *q, const struct where *w);
/* " FROM recipient r INDEXED BY ..." with the joins of w (and the message when with_message), and
 * " WHERE ..." with its conditions. index is of the live rows. Parameters ?18, ?19 bound the ids. */
void view_from(struct buf *sql, const struct view_query *q, const struct where *w,
               const char *index, bool with_message);
void view_bind(const struct where *w, sqlite3_stmt *st);
/* The sentence, code and enhanced code of an attempt; nothing when there is none. */
int view_info(struct view *v, int64_t attempt_id, char info[VIEW_INFO_MAX], struct err *err);

/* The day file of a name, opened when it is not. *out NULL when it is gone. Borrowed until the
 * next call. */
int view_day_get(struct view *v, const char *name, struct view_day **out, struct err *err);
void view_days_close(struct view *v);

#endif
