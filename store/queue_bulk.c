/* SPDX-License-Identifier: ISC */
/*
 * The operator's verbs over many recipients, a chunk at a time, so that no transaction holds the
 * writer for long: neither by changing much, nor by looking at much that does not match. A chunk looks at
 * a window of LOOK_MAX live rows at most, and the cursor goes on behind it.
 *
 * Only what is not final is looked at. What an attempt has in its hands is skipped: its outcome decides.
 */
#include "store/store_private.h"

#include "core/base/alloc.h"
#include "store/where.h"

#define LOOK_MAX 20000

const char *queue_verb_name(enum queue_verb v)
{
    static const char *const names[] = {"retry",  "hold",    "release", "delete", "confirm",
                                        "resend", "reroute", "bounce",  "undo"};

    _Static_assert(ARRAY_LEN(names) == QUEUE_VERB_COUNT, "a name per verb");
    return (unsigned)v < QUEUE_VERB_COUNT ? names[v] : "?";
}

struct target {
    int64_t id, message_id, next, arrival;
    enum rcpt_state state;
    unsigned tries;
    bool is_returned; /* an operator's bounce of it is held back */
    bool is_engines;  /* held by the engine, which waits for a repair */
};

/* Where a verb takes a recipient; false when it has nothing to do with its state. */
static bool verb_goes(enum queue_verb verb, const struct target *t, enum rcpt_state *to)
{
    enum rcpt_state from = t->state;

    switch (verb) {
    case QUEUE_RETRY: *to = RCPT_QUEUED; return from == RCPT_QUEUED || t->is_engines;
    case QUEUE_HOLD:
        *to = RCPT_HELD;
        if (t->is_engines)
            return true; /* from now on by the operator's word */
        break;
    case QUEUE_RELEASE: *to = RCPT_QUEUED; return from == RCPT_HELD;
    case QUEUE_CONFIRM: *to = RCPT_DELIVERED; return from == RCPT_UNCONFIRMED;
    case QUEUE_RESEND: *to = RCPT_QUEUED; return from == RCPT_UNCONFIRMED;
    case QUEUE_REROUTE:
        *to = t->is_engines ? RCPT_QUEUED : from; /* that is a repair */
        return from != RCPT_ACTIVE && !rcpt_state_is_final(from);
    case QUEUE_BOUNCE:
        *to = RCPT_HELD;
        return from == RCPT_HELD ? !t->is_returned
                                 : from == RCPT_QUEUED || from == RCPT_UNCONFIRMED;
    default: *to = RCPT_DELETED; break;
    }
    return from != RCPT_ACTIVE && rcpt_state_may_go(from, *to);
}

/* The last id of the window behind the cursor, 0 when nothing is left. */
static int window_end(struct store *s, int64_t cursor, int64_t *end, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_BULK_WINDOW,
                                  "SELECT max(id) FROM (SELECT id FROM recipient INDEXED BY r_live"
                                  " WHERE finished=0 AND id>?1 ORDER BY id LIMIT ?2)",
                                  err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, cursor);
    bind_i(st, 2, LOOK_MAX);
    rc = store_next(s, st, err, "look through the queue");
    if (rc < 0)
        return rc;
    *end = rc > 0 ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_reset(st);
    return 0;
}

static sqlite3_stmt *prepare_find(struct store *s, const struct where *w, bool is_by_rule,
                                  struct err *err)
{
    struct buf sql CLEANUP(buf_done) = BUF_INIT;
    sqlite3_stmt *st = NULL;
    int rc;

    buf_add_z(&sql, "SELECT r.id, r.message, r.next, r.arrival, r.state, r.tries, b.act, r.job"
                    " FROM recipient r INDEXED BY r_live"
                    " LEFT JOIN bounce b ON b.recipient=r.id");
    if (w->needs_message)
        buf_add_z(&sql, " CROSS JOIN message m ON m.id=r.message");
    if (w->needs_attempt)
        buf_add_z(&sql, " LEFT JOIN attempt a ON a.id=r.attempt");
    buf_add_z(&sql, " WHERE r.finished=0 AND r.id>?1 AND r.id<=?2");
    if (is_by_rule)
        buf_add_z(&sql, " AND r.state=2 AND r.rule=?4");
    buf_add_str(&sql, buf_str(&w->sql));
    buf_add_z(&sql, " ORDER BY r.id LIMIT ?3");
    rc = sqlite3_prepare_v2(s->db, buf_text(&sql), -1, &st, NULL);
    if (rc != SQLITE_OK)
        store_sql_err(s, rc, err, "look through the queue");
    return st;
}

/* Up to limit matches with an id in (after, end]. */
static int find(struct store *s, const struct where *w, int64_t rule_id, int64_t after, int64_t end,
                struct target *found, unsigned limit, unsigned *n, struct err *err)
{
    sqlite3_stmt *st = prepare_find(s, w, rule_id != 0, err);
    int rc = 0;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, after);
    bind_i(st, 2, end);
    bind_i(st, 3, limit);
    if (rule_id)
        bind_i(st, 4, rule_id);
    where_bind(w, st);
    while (*n < limit && (rc = store_next(s, st, err, "look through the queue")) > 0)
        found[(*n)++] = (struct target){
            .id = sqlite3_column_int64(st, 0),
            .message_id = sqlite3_column_int64(st, 1),
            .next = sqlite3_column_int64(st, 2),
            .arrival = sqlite3_column_int64(st, 3),
            .state = (enum rcpt_state)column_enum(st, 4, RCPT_STATE_COUNT),
            .tries = (unsigned)sqlite3_column_int(st, 5),
            .is_returned = sqlite3_column_type(st, 6) != SQLITE_NULL,
            .is_engines =
                sqlite3_column_int(st, 4) == RCPT_HELD && sqlite3_column_int64(st, 7) == 0,
        };
    sqlite3_finalize(st);
    return rc < 0 ? rc : 0;
}

/* No more columns than a verb needs: each that is in an index costs a page of it per recipient. */
static const char *const changes[] = {
    [QUEUE_RETRY] = "UPDATE recipient SET job=?2, next=?3 WHERE id=?1",
    [QUEUE_HOLD] = "UPDATE recipient SET job=?2, state=2, note=?4, rule=?6 WHERE id=?1",
    [QUEUE_RELEASE] = "UPDATE recipient SET job=?2, state=0, next=?3, note='' WHERE id=?1",
    [QUEUE_DELETE] =
        "UPDATE recipient SET job=?2, state=7, next=0, note=?4, finished=?5 WHERE id=?1",
    [QUEUE_CONFIRM] =
        "UPDATE recipient SET job=?2, state=4, next=0, note=?4, finished=?5 WHERE id=?1",
    [QUEUE_RESEND] = "UPDATE recipient SET job=?2, state=0, next=?3 WHERE id=?1",
    [QUEUE_REROUTE] = "UPDATE recipient SET job=?2, next=?3, via=?4 WHERE id=?1",
    [QUEUE_BOUNCE] = "UPDATE recipient SET job=?2, state=2, note=?4, rule=0 WHERE id=?1",
};
_Static_assert(ARRAY_LEN(changes) == QUEUE_UNDO, "one statement per verb but undo");
_Static_assert(RCPT_HELD == 2 && RCPT_QUEUED == 0 && RCPT_DELETED == 7 && RCPT_DELIVERED == 4,
               "as written above");

/* What a verb writes: when it may be tried next, a note, when it ended. */
static bool writes_next(enum queue_verb v)
{
    return v == QUEUE_RETRY || v == QUEUE_RELEASE || v == QUEUE_RESEND || v == QUEUE_REROUTE;
}

static bool writes_end(enum queue_verb v)
{
    return v == QUEUE_DELETE || v == QUEUE_CONFIRM;
}

static bool writes_note(enum queue_verb v)
{
    return v == QUEUE_HOLD || v == QUEUE_BOUNCE || writes_end(v);
}

static bool is_kept(const struct queue_bulk *b)
{
    return b->rule_id == 0 && undo_keeps(b->verb);
}

static int change(struct store *s, const struct queue_bulk *b, const struct target *t,
                  enum rcpt_state to, int64_t next, const char *note, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_BULK_RETRY + b->verb, changes[b->verb], err);
    bool is_done;
    int rc = 0;

    if (!st)
        return -(int)E_IO;
    if (is_kept(b))
        rc = undo_add(s, t->id, b->job_id, err); /* as it is now */
    if (!rc && b->verb == QUEUE_BOUNCE)
        rc = bounce_add(s, t->id, b->job_id, err);
    if (!rc && b->verb == QUEUE_DELETE)
        rc = tomb_add(s, t->message_id, b->job_id, err);
    if (rc)
        return rc;
    bind_i(st, 1, t->id);
    bind_i(st, 2, b->job_id);
    if (writes_next(b->verb))
        bind_i(st, 3, next);
    if (b->verb == QUEUE_REROUTE)
        bind_z(st, 4, b->via);
    else if (writes_note(b->verb))
        bind_z(st, 4, note);
    if (writes_end(b->verb))
        bind_i(st, 5, b->now_wall_ms > 0 ? b->now_wall_ms : 1);
    if (b->verb == QUEUE_HOLD)
        bind_i(st, 6, b->rule_id);
    rc = store_run(s, st, err, queue_verb_name(b->verb));
    if (!rc && t->is_engines && (b->verb == QUEUE_RETRY || b->verb == QUEUE_REROUTE))
        rc = held_release(s, t->id, err);
    /* Whoever takes it out of its hold takes it out of the bounce. */
    if (!rc && t->is_returned && to != RCPT_HELD)
        rc = bounce_drop(s, t->id, err);
    if (!rc && rcpt_state_is_final(to))
        rc = queue_close_one(s, t->message_id, &is_done, err);
    if (!rc)
        store_count(s, t->state, t->tries, to, t->tries);
    return rc;
}

/* "reason (who)": what the console shows beside a held recipient. */
static void make_note(const struct queue_bulk *b, char *out, size_t size)
{
    const char *reason = b->reason ? b->reason : "";

    out[0] = '\0';
    if (!writes_note(b->verb))
        return;
    if (b->verb == QUEUE_BOUNCE && !reason[0])
        reason = "goes back to its sender";
    snprintf(out, size, "%s%s%s%s", reason, b->who && b->who[0] ? " (" : "", b->who ? b->who : "",
             b->who && b->who[0] ? ")" : "");
}

static int act(struct store *s, struct queue_bulk *b, const struct target *t,
               void (*changed)(void *arg, int64_t rcpt_id, enum rcpt_state now,
                               int64_t next_wall_ms),
               void *arg, const char *note, struct err *err)
{
    enum rcpt_state to;
    int64_t next = t->next;
    int rc = 0;

    b->seen++;
    if (!verb_goes(b->verb, t, &to)) {
        b->skipped++;
        return 0;
    }
    if (!b->oldest_wall_ms || t->arrival < b->oldest_wall_ms)
        b->oldest_wall_ms = t->arrival;
    b->changed++;
    if (b->is_dry_run)
        return 0;
    /* Another way does not make it likelier that the first copy was lost: its late try stays late. */
    bool is_now = to == RCPT_QUEUED && writes_next(b->verb);
    if (is_now && next > b->now_wall_ms)
        next = b->now_wall_ms;
    if (rcpt_state_is_final(to))
        next = 0;
    rc = change(s, b, t, to, next, note, err);
    if (!rc && changed)
        changed(arg, t->id, to, next);
    return rc;
}

int queue_bulk_step(struct store *s, struct queue_bulk *b, unsigned limit,
                    void (*changed)(void *arg, int64_t rcpt_id, enum rcpt_state now,
                                    int64_t next_wall_ms),
                    void *arg, struct err *err)
{
    if (b->verb == QUEUE_UNDO)
        return undo_step(s, b, limit, changed, arg, err);
    struct where w CLEANUP(where_done) = {0};
    struct target *found = xcalloc(limit ? limit : 1, sizeof(*found));
    struct queue_bulk before = *b;
    char note[120];
    int64_t end = 0, after;
    unsigned n = 0;
    int rc = where_build(&w, s, b->filter, b->now_wall_ms, err);

    /* an id: word says where to look, wherever the cursor is */
    after = w.first > 0 && b->cursor < w.first ? w.first - 1 : b->cursor;
    if (!rc)
        rc = window_end(s, after, &end, err);
    if (b->last_id && w.last > b->last_id)
        w.last = b->last_id;
    if (end > w.last)
        end = w.last;
    if (!rc && end > after)
        rc = find(s, &w, b->verb == QUEUE_RELEASE ? b->rule_id : 0, after, end, found, limit, &n,
                  err);
    make_note(b, note, sizeof(note));
    for (unsigned i = 0; !rc && i < n; i++)
        rc = act(s, b, &found[i], changed, arg, note, err);
    if (!rc && b->verb == QUEUE_BOUNCE && !b->is_dry_run && b->changed > before.changed)
        rc = bounce_act(s, b, err);
    if (!rc && is_kept(b) && b->changed > before.changed && !b->is_dry_run)
        rc = undo_act(s, b, err);
    if (rc) {
        *b = before; /* the transaction goes back, and so do the numbers */
    } else {
        b->cursor = n == limit && n ? found[n - 1].id : end > after ? end : after;
        b->is_done = n < limit && (end <= after || end >= w.last);
    }
    free(found);
    return rc;
}
