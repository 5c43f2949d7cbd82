/* SPDX-License-Identifier: ISC */
/* The queue's housekeeping: recovery at start, totals, audit, retention. */
#include "store/store_private.h"

#include "core/base/alloc.h"

#include "core/base/clock.h"
#include "core/mail/id.h"

/* --- recovery --- */

/* A statement that is needed once. NULL with *err. */
static sqlite3_stmt *prepare(struct store *s, const char *sql, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

    if (rc != SQLITE_OK)
        store_sql_err(s, rc, err, "prepare");
    return st;
}

static int run_once(struct store *s, const char *sql, int64_t a, unsigned *changed, struct err *err,
                    const char *doing)
{
    sqlite3_stmt *st = prepare(s, sql, err);
    int rc;

    if (!st)
        return -(int)E_IO;
    if (sqlite3_bind_parameter_count(st))
        bind_i(st, 1, a);
    rc = store_run(s, st, err, doing);
    sqlite3_finalize(st);
    *changed = rc ? 0 : (unsigned)sqlite3_changes(s->db);
    return rc;
}

static int read_once(struct store *s, const char *sql, int64_t *out, struct err *err)
{
    int rc = sql_number(s->db, sql, out, err, "read a number");

    return rc ? err_while(err, "store %s", s->dir) : 0;
}

/* What was in flight when the engine died. No claim survives, whatever its epoch. */
static int recover_active(struct store *s, int64_t now, int64_t unconfirmed_next,
                          struct queue_recovered *out, struct err *err)
{
    int64_t retried = 0;
    int rc = read_once(s,
                       "SELECT count(*) FROM recipient INDEXED BY r_state"
                       " WHERE finished=0 AND state=1 AND mark=0 AND tries>0",
                       &retried, err);

    if (!rc)
        rc = run_once(s,
                      "UPDATE recipient INDEXED BY r_state SET state=3, next=max(next, ?1)"
                      " WHERE finished=0 AND state=1 AND mark<>0",
                      unconfirmed_next, &out->unconfirmed, err, "recover what may be delivered");
    if (!rc)
        rc = run_once(s,
                      "UPDATE recipient INDEXED BY r_state SET state=0, next=min(next, ?1)"
                      " WHERE finished=0 AND state=1",
                      now, &out->requeued, err, "recover what was claimed");
    if (rc)
        return rc;
    s->delta[RCPT_ACTIVE] -= (int64_t)out->unconfirmed + out->requeued;
    s->delta[RCPT_UNCONFIRMED] += out->unconfirmed;
    s->delta[RCPT_QUEUED] += out->requeued;
    s->delta[COUNTER_DEFERRED] += retried;
    return 0;
}

static int sweep_uploads(struct store *s, struct queue_recovered *out, struct err *err)
{
    unsigned chunks;
    int rc = run_once(s,
                      "DELETE FROM chunk WHERE message IN (SELECT message FROM upload"
                      " WHERE message NOT IN (SELECT id FROM message))",
                      0, &chunks, err, "sweep uploads");

    if (!rc)
        rc = run_once(s,
                      "DELETE FROM chunk_more WHERE message IN (SELECT message FROM upload"
                      " WHERE message NOT IN (SELECT id FROM message))",
                      0, &chunks, err, "sweep uploads");
    return rc ? rc : run_once(s, "DELETE FROM upload", 0, &out->orphans, err, "sweep uploads");
}

static enum log_status status_of(const struct attempt_row *a)
{
    switch (a->state) {
    case RCPT_DELIVERED: return LOG_SENT;
    case RCPT_BOUNCED: return LOG_BOUNCED;
    case RCPT_EXPIRED: return LOG_EXPIRED;
    case RCPT_UNCONFIRMED: return LOG_UNCONFIRMED;
    default: return LOG_DEFERRED;
    }
}

/* The line as the engine would have written it. */
static void add_line(struct store *s, sqlite3_stmt *st, const struct attempt_row *a)
{
    enum { MESSAGE = 28, ADDRESS, ORCPT, ARRIVAL };
    struct buf line = BUF_INIT, address = BUF_INIT, orcpt = BUF_INIT;
    int64_t end = a->start_wall_ms + a->duration_ms;

    buf_add_str(&address, column_str(st, ADDRESS));
    buf_add_str(&orcpt, column_str(st, ORCPT));
    logline_attempt(&line, sqlite3_column_int64(st, MESSAGE), buf_text(&address), buf_text(&orcpt),
                    &a->outcome, status_of(a), &a->delays, end - sqlite3_column_int64(st, ARRIVAL));
    daylog_add(s->log, a->id, end, buf_str(&line));
    buf_done(&line);
    buf_done(&address);
    buf_done(&orcpt);
}

/*
 * Lines of attempts that the log does not have. It loses its newest lines only, but ids may have been written
 * a little out of order: so look from a minute before the last one.
 */
static int recover_log(struct store *s, int64_t now, struct queue_recovered *out, struct err *err)
{
    enum { FLUSH_EVERY = 4096 };
    int64_t last = daylog_last_id(s->log);
    int64_t from = id_floor(last ? id_wall_ms(last) - MINUTE_MS : now - DAY_MS);
    struct attempt_row a;
    sqlite3_stmt *st =
        prepare(s,
                "SELECT a.id, a.recipient, prev, number, a.state, start, duration, a,"
                " b, c, d, class, stage, scope, a.code, sys, dns, port, tls,"
                " conn_use, retry_after, a.enhanced, text, host, ip, tls_version,"
                " tls_cipher, tls_why, r.message, r.address, r.orcpt, r.arrival"
                " FROM attempt a CROSS JOIN recipient r"
                " WHERE a.id>=?1 AND r.id=a.recipient ORDER BY a.id",
                err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, from);
    while ((rc = store_next(s, st, err, "read attempts")) > 0) {
        attempt_read(st, &a);
        if (daylog_has(s->log, a.id))
            continue;
        add_line(s, st, &a);
        /* these attempts are committed: their lines may go ahead of this transaction */
        if (++out->log_lines % FLUSH_EVERY == 0 && (rc = daylog_flush(s->log, err)) < 0)
            break;
    }
    sqlite3_finalize(st);
    return rc < 0 ? rc : daylog_flush(s->log, err);
}

int queue_recover(struct store *s, int64_t now_wall_ms, int64_t unconfirmed_next_wall_ms,
                  struct queue_recovered *out, struct err *err)
{
    int rc;

    *out = (struct queue_recovered){0};
    rc = recover_active(s, now_wall_ms, unconfirmed_next_wall_ms, out, err);
    if (!rc)
        rc = sweep_uploads(s, out, err);
    if (!rc && s->log)
        rc = recover_log(s, now_wall_ms, out, err);
    return rc;
}

int queue_last_id(struct store *s, int64_t *out, struct err *err)
{
    return read_once(s,
                     "SELECT max(ifnull((SELECT max(id) FROM message), 0),"
                     " ifnull((SELECT max(id) FROM recipient), 0),"
                     " ifnull((SELECT max(id) FROM attempt), 0),"
                     " ifnull((SELECT max(id) FROM audit), 0),"
                     " ifnull((SELECT max(id) FROM bounce_act), 0),"
                     " ifnull((SELECT max(id) FROM undo_act), 0),"
                     " ifnull((SELECT max(message) FROM upload), 0))",
                     out, err);
}

/* --- totals --- */

int queue_totals(struct store *s, struct queue_totals *out, struct err *err)
{
    int64_t n[COUNTER_COUNT] = {0}, oldest = 0;
    sqlite3_stmt *st = prepare(s, "SELECT id, n FROM counter", err);
    int rc;

    if (!st)
        return -(int)E_IO;
    while ((rc = store_next(s, st, err, "read the totals")) > 0)
        n[column_enum(st, 0, COUNTER_COUNT)] = sqlite3_column_int64(st, 1);
    sqlite3_finalize(st);
    if (!rc)
        rc = read_once(s,
                       "SELECT arrival FROM recipient INDEXED BY r_live"
                       " WHERE finished=0 ORDER BY id LIMIT 1",
                       &oldest, err);
    if (rc)
        return rc;
    *out = (struct queue_totals){.oldest_wall_ms = oldest};
    for (int i = 0; i < RCPT_STATE_COUNT; i++)
        out->by_state[i] = n[i] > 0 ? (uint64_t)n[i] : 0;
    out->deferred = n[COUNTER_DEFERRED] > 0 ? (uint64_t)n[COUNTER_DEFERRED] : 0;
    out->messages = n[COUNTER_MESSAGES] > 0 ? (uint64_t)n[COUNTER_MESSAGES] : 0;
    out->bytes = n[COUNTER_BYTES] > 0 ? (uint64_t)n[COUNTER_BYTES] : 0;
    return 0;
}

int queue_audit(struct store *s, int64_t id, int64_t wall_ms, const char *who, const char *verb,
                const char *filter, const char *reason, uint64_t changed, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_AUDIT,
                                  "INSERT INTO audit(id, at, who, verb, filter, reason, changed)"
                                  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                                  err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, id);
    bind_i(st, 2, wall_ms);
    bind_z(st, 3, who);
    bind_z(st, 4, verb);
    bind_z(st, 5, filter);
    bind_z(st, 6, reason);
    bind_i(st, 7, (int64_t)changed);
    return store_run(s, st, err, "write the journal");
}

/* --- held by the engine --- */

int held_release(struct store *s, int64_t rcpt_id, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_HELD_RELEASE, "UPDATE recipient SET state=?2, note='' WHERE id=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, rcpt_id);
    bind_i(st, 2, RCPT_QUEUED);
    return store_run(s, st, err, "end a hold");
}

int queue_release_held(struct store *s, int64_t now_wall_ms, unsigned limit, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_HELD_DUE,
                   "SELECT id, tries FROM recipient INDEXED BY r_engine_held WHERE finished=0"
                   " AND state=2 AND job=0 AND next<=?1 ORDER BY next LIMIT ?2",
                   err);
    struct due {
        int64_t id;
        unsigned tries;
    } *due = xcalloc(limit ? limit : 1, sizeof(*due));
    unsigned n = 0;
    int rc = st ? 0 : -(int)E_IO;

    if (st) {
        bind_i(st, 1, now_wall_ms);
        bind_i(st, 2, limit);
        while (n < limit && (rc = store_next(s, st, err, "read what is held")) > 0)
            due[n++] =
                (struct due){sqlite3_column_int64(st, 0), (unsigned)sqlite3_column_int(st, 1)};
        sqlite3_reset(st);
    }
    for (unsigned i = 0; rc >= 0 && i < n; i++) {
        rc = held_release(s, due[i].id, err);
        if (!rc)
            store_count(s, RCPT_HELD, due[i].tries, RCPT_QUEUED, due[i].tries);
    }
    free(due);
    return rc < 0 ? rc : (int)n;
}

/* --- frosts --- */

int queue_frost(struct store *s, int64_t from_wall_ms, int64_t until_wall_ms, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_FROST, "INSERT OR REPLACE INTO frost(id, until) VALUES(?1, ?2)", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, from_wall_ms);
    bind_i(st, 2, until_wall_ms);
    return store_run(s, st, err, "note a pause");
}

int queue_frosts(struct store *s, int64_t since_wall_ms, unsigned limit,
                 void (*each)(void *arg, int64_t from_wall_ms, int64_t until_wall_ms), void *arg,
                 struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_FROSTS,
                   "SELECT id, until FROM (SELECT id, until FROM frost WHERE until>?1"
                   " ORDER BY id DESC LIMIT ?2) ORDER BY id",
                   err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, since_wall_ms);
    bind_i(st, 2, limit);
    while ((rc = store_next(s, st, err, "read earlier pauses")) > 0)
        each(arg, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1));
    return rc;
}

/* --- retention --- */

struct old {
    int64_t rcpt_id, message_id, attempt_id;
    enum rcpt_state state;
};

static int drop_attempts(struct store *s, int64_t attempt_id, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_ATTEMPT_DROP, "DELETE FROM attempt WHERE id=?1", err);
    struct attempt_row a;

    if (!st)
        return -(int)E_IO;
    while (attempt_id) {
        int rc = attempt_get(s, attempt_id, &a, err);

        if (rc == -(int)E_NOTFOUND)
            break;
        if (rc)
            return rc;
        bind_i(st, 1, attempt_id);
        rc = store_run(s, st, err, "drop an attempt");
        if (rc)
            return rc;
        attempt_id = a.prev < attempt_id ? a.prev : 0; /* never in a circle */
    }
    if (err)
        *err = ERR_NONE;
    return 0;
}

static int drop_old(struct store *s, const struct old *o, struct err *err)
{
    sqlite3_stmt *rt = store_stmt(s, STMT_RCPT_DROP, "DELETE FROM recipient WHERE id=?1", err);
    /* closed, and no recipient in its range is left */
    sqlite3_stmt *mt = store_stmt(
        s, STMT_PURGE_MESSAGE,
        "DELETE FROM message WHERE id=?1 AND open=0 AND NOT EXISTS(SELECT 1 FROM recipient r"
        " WHERE r.id BETWEEN message.rcpt_first AND message.rcpt_last AND r.message=message.id)",
        err);
    int rc;

    if (!rt || !mt)
        return -(int)E_IO;
    rc = drop_attempts(s, o->attempt_id, err);
    bind_i(rt, 1, o->rcpt_id);
    if (!rc)
        rc = store_run(s, rt, err, "drop a recipient");
    bind_i(mt, 1, o->message_id);
    if (!rc)
        rc = store_run(s, mt, err, "drop a message");
    if (!rc)
        store_count(s, o->state, 0, -1, 0);
    return rc;
}

int queue_purge(struct store *s, int64_t before_wall_ms, unsigned limit, struct err *err)
{
    enum { STEP = 256, LOOK_MAX = 20000 };
    /* ids are time-ordered: what arrived later than the limit cannot have ended before it. A page
     * of ids is looked at in one call, however few of them are finished. */
    sqlite3_stmt *st = store_stmt(s, STMT_PURGE_FIND,
                                  "SELECT id, message, attempt, state, finished FROM recipient"
                                  " WHERE id>?1 AND id<?2 ORDER BY id LIMIT ?3",
                                  err);
    struct old found[STEP];
    unsigned n = 0, looked = 0;
    int64_t at = s->purge_from;
    int rc;

    if (!st)
        return -(int)E_IO;
    if (limit > STEP)
        limit = STEP;
    bind_i(st, 1, at);
    bind_i(st, 2, id_floor(before_wall_ms));
    bind_i(st, 3, LOOK_MAX);
    while (n < limit && (rc = store_next(s, st, err, "find what is old")) > 0) {
        int64_t finished = sqlite3_column_int64(st, 4);

        looked++;
        at = sqlite3_column_int64(st, 0);
        if (!finished || finished >= before_wall_ms)
            continue;
        found[n++] = (struct old){at, sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
                                  (enum rcpt_state)column_enum(st, 3, RCPT_STATE_COUNT)};
    }
    sqlite3_reset(st);
    rc = n < limit && rc < 0 ? rc : 0;
    for (unsigned i = 0; !rc && i < n; i++)
        rc = drop_old(s, &found[i], err);
    if (rc)
        return rc;
    s->purge_from = n < limit && looked < LOOK_MAX ? 0 : at;
    return (int)n;
}

int queue_purge_log(struct store *s, int64_t before_wall_ms, struct err *err)
{
    return s->log ? daylog_purge(s->log, before_wall_ms, err) : 0;
}

int queue_probe(struct store *s, struct err *err)
{
    /* Page 1 is written anew, with the number that stood there. */
    return sql_exec(s->db, "PRAGMA user_version=" STORE_TEXT(STORE_SCHEMA), err, "try to write");
}
