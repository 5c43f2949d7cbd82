/* SPDX-License-Identifier: ISC */
/*
 * Taking acts back. Before an act changes a recipient it writes down what that was (undo_add), under its
 * own id; an undo puts it back where nothing else has changed it since:
 *
 *   recipient.job is still the act   no later act
 *   the state that the act gave it   nothing ended it, nothing has it in its hands
 *   the same newest attempt          retry and release: it was not tried meanwhile
 *
 * What does not fit is skipped and counted. With the old values comes the old job, so that the act before can
 * be undone after this one. A deletion ends its recipients at once, but keeps the body (tomb) as long
 * as it can be undone.
 */
#include "store/store_private.h"

#include "core/base/alloc.h"
#include "store/where.h"

bool undo_keeps(enum queue_verb v)
{
    return v == QUEUE_RETRY || v == QUEUE_HOLD || v == QUEUE_RELEASE || v == QUEUE_DELETE ||
           v == QUEUE_REROUTE || v == QUEUE_BOUNCE;
}

int undo_add(struct store *s, int64_t rcpt_id, int64_t act, struct err *err)
{
    /* The act that takes it out of a bounce ends that for good: the note must not promise it. */
    sqlite3_stmt *st = store_stmt(
        s, STMT_UNDO_ADD,
        "INSERT OR REPLACE INTO undo(act, recipient, job, state, next, attempt, via, note)"
        " SELECT ?2, id, job, state, next, attempt, via,"
        " iif(EXISTS(SELECT 1 FROM bounce b WHERE b.recipient=recipient.id),"
        " 'was held back as a bounce', note) FROM recipient WHERE id=?1",
        err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, rcpt_id);
    bind_i(st, 2, act);
    return store_run(s, st, err, "keep what an act changes");
}

int undo_act(struct store *s, const struct queue_bulk *b, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_UNDO_ACT,
                                  "INSERT INTO undo_act(id, verb, until) VALUES(?1, ?2, ?3)"
                                  " ON CONFLICT(id) DO UPDATE SET until=excluded.until",
                                  err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, b->job_id);
    bind_i(st, 2, b->verb);
    bind_i(st, 3, b->until_wall_ms);
    return store_run(s, st, err, "keep an act");
}

/* --- bodies of what was deleted --- */

int tomb_add(struct store *s, int64_t message_id, int64_t act, struct err *err)
{
    /* The latest act is the one that can be undone longest. */
    sqlite3_stmt *st = store_stmt(s, STMT_TOMB_ADD,
                                  "INSERT OR REPLACE INTO tomb(message, act) VALUES(?1, ?2)", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    bind_i(st, 2, act);
    return store_run(s, st, err, "keep a body");
}

int tomb_has(struct store *s, int64_t message_id, bool *has, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_TOMB_HAS, "SELECT 1 FROM tomb WHERE message=?1", err);
    int rc;

    *has = false;
    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    rc = store_next(s, st, err, "look for a tombstone");
    *has = rc > 0;
    sqlite3_reset(st);
    return rc < 0 ? rc : 0;
}

/* --- undo --- */

/* A recipient as it is, and as it was before the act. */
struct change {
    int64_t id, message_id, arrival, next;
    enum rcpt_state state;
    unsigned tries;
    bool is_last_act, is_tried; /* no later act; an attempt ended since */
    enum rcpt_state old_state;
    int64_t old_job, old_next;
};

/* The verb of the act, QUEUE_VERB_COUNT when it cannot be undone (any more). */
static int undone_verb(struct store *s, const struct queue_bulk *b, enum queue_verb *out,
                       struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_UNDO_ACT_GET, "SELECT verb FROM undo_act WHERE id=?1 AND until>?2", err);
    int rc;

    *out = QUEUE_VERB_COUNT;
    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, b->undo_id);
    bind_i(st, 2, b->now_wall_ms);
    rc = store_next(s, st, err, "read an act");
    if (rc > 0)
        *out = (enum queue_verb)column_enum(st, 0, QUEUE_VERB_COUNT);
    sqlite3_reset(st);
    return rc < 0 ? rc : 0;
}

static sqlite3_stmt *prepare_find(struct store *s, const struct where *w, struct err *err)
{
    struct buf sql CLEANUP(buf_done) = BUF_INIT;
    sqlite3_stmt *st = NULL;
    int rc;

    buf_add_z(&sql, "SELECT r.id, r.message, r.arrival, r.next, r.state, r.tries, r.job=u.act,"
                    " r.attempt<>u.attempt, u.state, u.job, u.next"
                    " FROM undo u CROSS JOIN recipient r ON r.id=u.recipient");
    if (w->needs_message)
        buf_add_z(&sql, " CROSS JOIN message m ON m.id=r.message");
    if (w->needs_attempt)
        buf_add_z(&sql, " LEFT JOIN attempt a ON a.id=r.attempt");
    buf_add_z(&sql, " WHERE u.act=?1 AND u.recipient>?2");
    buf_add_str(&sql, buf_str(&w->sql));
    buf_add_z(&sql, " ORDER BY u.recipient LIMIT ?3");
    rc = sqlite3_prepare_v2(s->db, buf_text(&sql), -1, &st, NULL);
    if (rc != SQLITE_OK)
        store_sql_err(s, rc, err, "look for what an act changed");
    return st;
}

static int find(struct store *s, const struct queue_bulk *b, const struct where *w,
                struct change *found, unsigned limit, unsigned *n, struct err *err)
{
    sqlite3_stmt *st = prepare_find(s, w, err);
    int rc = 0;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, b->undo_id);
    bind_i(st, 2, b->cursor);
    bind_i(st, 3, limit);
    where_bind(w, st);
    while (*n < limit && (rc = store_next(s, st, err, "look for what an act changed")) > 0)
        found[(*n)++] = (struct change){
            .id = sqlite3_column_int64(st, 0),
            .message_id = sqlite3_column_int64(st, 1),
            .arrival = sqlite3_column_int64(st, 2),
            .next = sqlite3_column_int64(st, 3),
            .state = (enum rcpt_state)column_enum(st, 4, RCPT_STATE_COUNT),
            .tries = (unsigned)sqlite3_column_int(st, 5),
            .is_last_act = sqlite3_column_int(st, 6) != 0,
            .is_tried = sqlite3_column_int(st, 7) != 0,
            .old_state = (enum rcpt_state)column_enum(st, 8, RCPT_STATE_COUNT),
            .old_job = sqlite3_column_int64(st, 9),
            .old_next = sqlite3_column_int64(st, 10),
        };
    sqlite3_finalize(st);
    return rc < 0 ? rc : 0;
}

/* Is it still as the act left it? */
static bool may_go_back(enum queue_verb verb, const struct change *c)
{
    if (!c->is_last_act)
        return false;
    switch (verb) {
    case QUEUE_RETRY: return c->state == RCPT_QUEUED && !c->is_tried;
    case QUEUE_RELEASE: return c->state == RCPT_QUEUED && !c->is_tried;
    case QUEUE_REROUTE: return c->state != RCPT_ACTIVE && !rcpt_state_is_final(c->state);
    case QUEUE_DELETE: return c->state == RCPT_DELETED;
    default: return c->state == RCPT_HELD;
    }
}

#define OF_UNDO(column) column "=(SELECT " column " FROM undo WHERE act=?5 AND recipient=?1)"
#define BACK            "UPDATE recipient SET job=?2, next=?3, state=?4, " OF_UNDO("note")

static int put_back(struct store *s, const struct queue_bulk *b, enum queue_verb verb,
                    const struct change *c, enum rcpt_state to, int64_t next, struct err *err)
{
    /* Naming finished costs an entry of every index: only where it changes. */
    static const char *const sql[] = {
        BACK " WHERE id=?1",
        BACK ", finished=0 WHERE id=?1",
        "UPDATE recipient SET job=?2, next=?3, state=?4, " OF_UNDO("via") " WHERE id=?1",
    };
    int which = verb == QUEUE_DELETE ? 1 : verb == QUEUE_REROUTE ? 2 : 0;
    sqlite3_stmt *st = store_stmt(s, STMT_UNDO_BACK + which, sql[which], err);
    sqlite3_stmt *drop =
        store_stmt(s, STMT_UNDO_DROP, "DELETE FROM undo WHERE act=?1 AND recipient=?2", err);
    int rc;

    if (!st || !drop)
        return -(int)E_IO;
    bind_i(st, 1, c->id);
    bind_i(st, 2, c->old_job);
    bind_i(st, 3, next);
    bind_i(st, 4, to);
    bind_i(st, 5, b->undo_id);
    rc = store_run(s, st, err, "undo");
    bind_i(drop, 1, b->undo_id);
    bind_i(drop, 2, c->id);
    if (!rc)
        rc = store_run(s, drop, err, "undo");
    if (!rc && verb == QUEUE_BOUNCE)
        rc = bounce_drop(s, c->id, err);
    if (!rc && verb == QUEUE_DELETE)
        rc = queue_reopen_one(s, c->message_id, err);
    if (!rc)
        store_count(s, c->state, c->tries, to, c->tries);
    return rc;
}

static int take_back(struct store *s, struct queue_bulk *b, enum queue_verb verb,
                     const struct change *c,
                     void (*changed)(void *arg, int64_t rcpt_id, enum rcpt_state now,
                                     int64_t next_wall_ms),
                     void *arg, struct err *err)
{
    enum rcpt_state to = verb == QUEUE_REROUTE ? c->state : c->old_state;
    int64_t next = c->is_tried ? c->next : c->old_next;
    int rc;

    b->seen++;
    if (!may_go_back(verb, c) || (to != c->state && !rcpt_state_may_go(c->state, to))) {
        b->skipped++;
        return 0;
    }
    b->changed++;
    if (!b->oldest_wall_ms || c->arrival < b->oldest_wall_ms)
        b->oldest_wall_ms = c->arrival;
    if (b->is_dry_run)
        return 0;
    rc = put_back(s, b, verb, c, to, next, err);
    if (!rc && changed)
        changed(arg, c->id, to, next);
    return rc;
}

int undo_step(struct store *s, struct queue_bulk *b, unsigned limit,
              void (*changed)(void *arg, int64_t rcpt_id, enum rcpt_state now,
                              int64_t next_wall_ms),
              void *arg, struct err *err)
{
    struct where w CLEANUP(where_done) = {0};
    struct change *found = xcalloc(limit ? limit : 1, sizeof(*found));
    struct queue_bulk before = *b;
    enum queue_verb verb = QUEUE_VERB_COUNT;
    unsigned n = 0;
    int rc = where_build(&w, s, b->filter, b->now_wall_ms, err);

    if (!rc)
        rc = undone_verb(s, b, &verb, err);
    if (!rc && verb != QUEUE_VERB_COUNT)
        rc = find(s, b, &w, found, limit, &n, err);
    for (unsigned i = 0; !rc && i < n; i++)
        rc = take_back(s, b, verb, &found[i], changed, arg, err);
    if (rc) {
        *b = before; /* the transaction goes back, and so do the numbers */
    } else {
        b->cursor = n ? found[n - 1].id : b->cursor;
        b->is_done = n < limit;
    }
    free(found);
    return rc;
}

/* --- the end of the time for it --- */

/* A clock that was set back must not keep it for hours. */
static int find_old(struct store *s, int64_t now_wall_ms, int64_t *act, struct err *err)
{
    sqlite3_stmt *st = store_stmt(
        s, STMT_UNDO_OLD, "SELECT id FROM undo_act WHERE until<=?1 OR until>?1+?2 LIMIT 1", err);
    int rc;

    *act = 0;
    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, now_wall_ms);
    bind_i(st, 2, 2 * QUEUE_KEPT_MS);
    rc = store_next(s, st, err, "look for old acts");
    if (rc > 0)
        *act = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return rc < 0 ? rc : 0;
}

static int drop_tomb(struct store *s, int64_t message_id, bool is_open, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_TOMB_DROP, "DELETE FROM tomb WHERE message=?1", err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    rc = store_run(s, st, err, "drop a tombstone");
    return rc || is_open ? rc : spool_drop(s, message_id, err);
}

/* Returns how many bodies of the act were looked at. */
static int drop_tombs(struct store *s, int64_t act, unsigned limit, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_TOMB_OLD,
                                  "SELECT t.message, ifnull(m.open, 0) FROM tomb t"
                                  " LEFT JOIN message m ON m.id=t.message"
                                  " WHERE t.act=?1 LIMIT 1",
                                  err);
    unsigned n = 0;
    int rc = 0;

    if (!st)
        return -(int)E_IO;
    while (n < limit) {
        bind_i(st, 1, act);
        rc = store_next(s, st, err, "look for tombstones");
        if (rc <= 0)
            return rc < 0 ? rc : (int)n;
        int64_t message_id = sqlite3_column_int64(st, 0);
        bool is_open = sqlite3_column_int64(st, 1) > 0;
        sqlite3_reset(st);
        rc = drop_tomb(s, message_id, is_open, err);
        if (rc)
            return rc;
        n++;
    }
    return (int)n;
}

static int drop_rows(struct store *s, int64_t act, unsigned limit, struct err *err)
{
    sqlite3_stmt *rows = store_stmt(s, STMT_UNDO_OLD_ROWS,
                                    "DELETE FROM undo WHERE act=?1 AND recipient IN (SELECT"
                                    " recipient FROM undo WHERE act=?1 ORDER BY recipient"
                                    " LIMIT ?2)",
                                    err);
    sqlite3_stmt *end = store_stmt(s, STMT_UNDO_OLD_ACT, "DELETE FROM undo_act WHERE id=?1", err);
    int rc, n;

    if (!rows || !end)
        return -(int)E_IO;
    bind_i(rows, 1, act);
    bind_i(rows, 2, limit);
    rc = store_run(s, rows, err, "forget an act");
    n = sqlite3_changes(s->db);
    if (rc || (unsigned)n == limit)
        return rc ? rc : n;
    bind_i(end, 1, act);
    rc = store_run(s, end, err, "forget an act");
    return rc ? rc : n + 1;
}

int queue_undo_purge(struct store *s, int64_t now_wall_ms, unsigned limit, struct err *err)
{
    int64_t act;
    int rc = find_old(s, now_wall_ms, &act, err);

    if (rc || !act)
        return rc;
    rc = drop_tombs(s, act, limit, err);
    if (rc < 0 || (unsigned)rc == limit)
        return rc;
    int n = drop_rows(s, act, limit - (unsigned)rc, err);
    return n < 0 ? n : n + rc;
}
