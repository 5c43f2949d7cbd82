/* SPDX-License-Identifier: ISC */
/* Addresses and domains that take no mail from here. The engine keeps them in memory; this is what it has
 * after a restart, and what `mxhelm suppress` lists. */
#include "store/store_private.h"

int queue_suppress(struct store *s, const struct queue_suppression *q, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_SUPPRESS,
                                  "INSERT INTO suppression(key, reason, source, made, until, hits,"
                                  " last) VALUES(?1, ?2, ?3, ?4, ?5, 0, 0) ON CONFLICT(key) DO"
                                  " UPDATE SET reason=excluded.reason, source=excluded.source,"
                                  " made=excluded.made, until=excluded.until",
                                  err);

    if (!st)
        return -(int)E_IO;
    bind_z(st, 1, q->key);
    bind_z(st, 2, q->reason);
    bind_z(st, 3, q->source);
    bind_i(st, 4, q->made_wall_ms);
    bind_i(st, 5, q->until_wall_ms);
    return store_run(s, st, err, "suppress an address");
}

int queue_unsuppress(struct store *s, const char *key, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_UNSUPPRESS, "DELETE FROM suppression WHERE key=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_z(st, 1, key);
    return store_run(s, st, err, "end a suppression");
}

int queue_suppress_hit(struct store *s, const char *key, uint64_t n, int64_t wall_ms,
                       struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_SUPPRESS_HIT,
                                  "UPDATE suppression SET hits=hits+?2, last=?3 WHERE key=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_z(st, 1, key);
    bind_i(st, 2, (int64_t)n);
    bind_i(st, 3, wall_ms);
    return store_run(s, st, err, "count what is suppressed");
}

int queue_suppress_expire(struct store *s, int64_t now_wall_ms, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_SUPPRESS_EXPIRE,
                                  "DELETE FROM suppression WHERE until<>0 AND until<=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, now_wall_ms);
    return store_run(s, st, err, "end suppressions");
}

int queue_suppressions(struct store *s, int64_t now_wall_ms, unsigned limit,
                       void (*each)(void *arg, const struct queue_suppression *q), void *arg,
                       struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_SUPPRESSIONS,
                                  "SELECT key, reason, source, made, until, hits, last"
                                  " FROM suppression WHERE until=0 OR until>?1"
                                  " ORDER BY key LIMIT ?2",
                                  err);
    struct queue_suppression q;
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, now_wall_ms);
    bind_i(st, 2, limit);
    while ((rc = store_next(s, st, err, "read what is suppressed")) > 0) {
        column_copy(st, 0, q.key, sizeof(q.key));
        column_copy(st, 1, q.reason, sizeof(q.reason));
        column_copy(st, 2, q.source, sizeof(q.source));
        q.made_wall_ms = sqlite3_column_int64(st, 3);
        q.until_wall_ms = sqlite3_column_int64(st, 4);
        q.hits = (uint64_t)sqlite3_column_int64(st, 5);
        q.last_wall_ms = sqlite3_column_int64(st, 6);
        each(arg, &q);
    }
    return rc;
}
