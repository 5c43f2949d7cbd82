/* SPDX-License-Identifier: ISC */
/*
 * What an operator returns to its sender, while it can still be undone:
 *
 *   bounce (queue_bulk.c) ──► HELD, a row in bounce ──► due ──► queue_return: BOUNCED, report owed
 *                                  │
 *                                  ├─ undo: what it was      (queue_undo.c; the row goes)
 *                                  └─ release, delete        (the same)
 *
 * A row in bounce always belongs to a recipient that is HELD. The time is that of the act, and each
 * chunk of it moves it on: it counts from the last one, and a crash in the middle leaves an act that is
 * complete as far as it went. Nothing of this is in memory only.
 */
#include "store/store_private.h"

int bounce_add(struct store *s, int64_t rcpt_id, int64_t act, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_BOUNCE_ADD,
                                  "INSERT INTO bounce(recipient, act) VALUES(?1, ?2)",
                                  err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, rcpt_id);
    bind_i(st, 2, act);
    return store_run(s, st, err, "hold a bounce back");
}

int bounce_drop(struct store *s, int64_t rcpt_id, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_BOUNCE_DROP, "DELETE FROM bounce WHERE recipient=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, rcpt_id);
    return store_run(s, st, err, "end a bounce");
}

int bounce_act(struct store *s, const struct queue_bulk *b, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_BOUNCE_ACT,
                   "INSERT INTO bounce_act(id, due, who, text) VALUES(?1, ?2, ?3, ?4)"
                   " ON CONFLICT(id) DO UPDATE SET due=excluded.due",
                   err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, b->job_id);
    bind_i(st, 2, b->due_wall_ms);
    bind_z(st, 3, b->who);
    bind_z(st, 4, b->text);
    return store_run(s, st, err, "hold a bounce back");
}

/* A clock that was set back must not hold it for hours. */
#define IS_DUE "(due<=?1 OR due>?1+2*30000)"
_Static_assert(QUEUE_UNDO_MS == 30000, "as written above");

int queue_returned(struct store *s, int64_t now_wall_ms, unsigned limit,
                   void (*each)(void *arg, const struct queue_returned *row), void *arg,
                   struct err *err)
{
    sqlite3_stmt *st = store_stmt(
        s, STMT_BOUNCE_DUE,
        "SELECT r.id, r.message, r.arrival, r.notify, r.address, r.orcpt, r.site, a.text"
        " FROM bounce_act a CROSS JOIN bounce b INDEXED BY bounce_of_act CROSS JOIN recipient r"
        " WHERE " IS_DUE " AND b.act=a.id AND r.id=b.recipient"
        " ORDER BY a.id, b.recipient LIMIT ?2",
        err);
    struct queue_returned row;
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, now_wall_ms);
    bind_i(st, 2, limit);
    while ((rc = store_next(s, st, err, "read what is returned")) > 0) {
        row = (struct queue_returned){
            .rcpt_id = sqlite3_column_int64(st, 0),
            .message_id = sqlite3_column_int64(st, 1),
            .arrival_wall_ms = sqlite3_column_int64(st, 2),
            .notify = (unsigned)sqlite3_column_int(st, 3),
        };
        column_copy(st, 4, row.address, sizeof(row.address));
        column_copy(st, 5, row.orcpt, sizeof(row.orcpt));
        column_copy(st, 6, row.site, sizeof(row.site));
        column_copy(st, 7, row.text, sizeof(row.text));
        each(arg, &row);
    }
    return rc;
}

int queue_returned_next(struct store *s, int64_t now_wall_ms, int64_t *wall_ms, struct err *err)
{
    sqlite3_stmt *tidy = store_stmt(s, STMT_BOUNCE_TIDY,
                                    "DELETE FROM bounce_act WHERE " IS_DUE
                                    " AND NOT EXISTS(SELECT 1 FROM bounce WHERE act=bounce_act.id)",
                                    err);
    sqlite3_stmt *next = store_stmt(s, STMT_BOUNCE_NEXT, "SELECT min(due) FROM bounce_act", err);
    int rc;

    if (!tidy || !next)
        return -(int)E_IO;
    bind_i(tidy, 1, now_wall_ms);
    rc = store_run(s, tidy, err, "forget a bounce");
    if (!rc)
        rc = store_next(s, next, err, "read when something is returned");
    if (rc < 0)
        return rc;
    *wall_ms = rc > 0 && sqlite3_column_type(next, 0) != SQLITE_NULL ? sqlite3_column_int64(next, 0)
                                                                     : INT64_MAX;
    sqlite3_reset(next);
    return 0;
}
