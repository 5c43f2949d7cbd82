/* SPDX-License-Identifier: ISC */
/* Holds and reroutes that also catch mail to come. A rule's id is that of the act that made it. */
#include "store/store_private.h"

int queue_rule_add(struct store *s, const struct queue_rule *q, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_RULE_ADD,
                                  "INSERT OR REPLACE INTO rule(id, verb, until, hits, filter, via,"
                                  " way, who, reason) VALUES(?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8)",
                                  err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, q->id);
    bind_i(st, 2, q->verb);
    bind_i(st, 3, q->until_wall_ms);
    bind_z(st, 4, q->filter);
    bind_z(st, 5, q->via);
    bind_z(st, 6, q->to);
    bind_z(st, 7, q->who);
    bind_z(st, 8, q->reason);
    return store_run(s, st, err, "make a rule");
}

int queue_rule_over(struct store *s, int64_t id, int64_t now_wall_ms, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_RULE_OVER, "UPDATE rule SET until=?2 WHERE id=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, id);
    bind_i(st, 2, now_wall_ms > 0 ? now_wall_ms : 1);
    return store_run(s, st, err, "end a rule");
}

int queue_rule_drop(struct store *s, int64_t id, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_RULE_DROP, "DELETE FROM rule WHERE id=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, id);
    return store_run(s, st, err, "end a rule");
}

int queue_rules(struct store *s, unsigned limit,
                void (*each)(void *arg, const struct queue_rule *q), void *arg, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_RULES,
                                  "SELECT id, verb, until, hits, filter, via, way, who, reason"
                                  " FROM rule ORDER BY id LIMIT ?1",
                                  err);
    struct queue_rule q;
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, limit);
    while ((rc = store_next(s, st, err, "read the rules")) > 0) {
        q.id = sqlite3_column_int64(st, 0);
        q.verb = (enum queue_verb)column_enum(st, 1, QUEUE_VERB_COUNT);
        q.until_wall_ms = sqlite3_column_int64(st, 2);
        q.hits = (uint64_t)sqlite3_column_int64(st, 3);
        column_copy(st, 4, q.filter, sizeof(q.filter));
        column_copy(st, 5, q.via, sizeof(q.via));
        column_copy(st, 6, q.to, sizeof(q.to));
        column_copy(st, 7, q.who, sizeof(q.who));
        column_copy(st, 8, q.reason, sizeof(q.reason));
        each(arg, &q);
    }
    return rc;
}

int queue_rule_apply(struct store *s, const struct queue_rule *q, const struct filter *filter,
                     int64_t now_wall_ms, const struct recipient *r, size_t n, struct err *err)
{
    sqlite3_stmt *hit =
        store_stmt(s, STMT_RULE_HIT, "UPDATE rule SET hits=hits+?2 WHERE id=?1", err);
    struct queue_bulk b = {
        .verb = q->verb,
        .filter = filter,
        .now_wall_ms = now_wall_ms,
        .job_id = q->id,
        .rule_id = q->id,
        .reason = q->reason,
        .who = q->who,
        .via = q->via,
        .cursor = r[0].id - 1,
        .last_id = r[n - 1].id,
    };
    int rc = hit ? 0 : -(int)E_IO;

    while (!rc && !b.is_done)
        rc = queue_bulk_step(s, &b, 1000, NULL, NULL, err);
    if (rc || b.changed == 0)
        return rc;
    bind_i(hit, 1, q->id);
    bind_i(hit, 2, (int64_t)b.changed);
    return store_run(s, hit, err, "count what a rule caught");
}
