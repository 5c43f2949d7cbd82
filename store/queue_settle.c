/* SPDX-License-Identifier: ISC */
/*
 * The outcome of an attempt. Everything that it changes is in one transaction: the attempt row, the
 * recipient's state, the body of a message that is done, the counters; its line goes to the log
 * behind that transaction's commit, and is made again from the attempt if a crash came between.
 */
#include "store/store_private.h"

int rcpt_now(struct store *s, int64_t rcpt_id, struct rcpt_now *out, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_RCPT_GET,
                                  "SELECT state, epoch, tries, message, attempt, next, arrival,"
                                  " mark, is_notified, report FROM recipient WHERE id=?1",
                                  err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, rcpt_id);
    rc = store_next(s, st, err, "read a recipient");
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, E_NOTFOUND, "no such recipient");
    *out = (struct rcpt_now){
        .state = (enum rcpt_state)column_enum(st, 0, RCPT_STATE_COUNT),
        .epoch = (unsigned)sqlite3_column_int(st, 1),
        .tries = (unsigned)sqlite3_column_int(st, 2),
        .message_id = sqlite3_column_int64(st, 3),
        .attempt_id = sqlite3_column_int64(st, 4),
        .next_wall_ms = sqlite3_column_int64(st, 5),
        .arrival_wall_ms = sqlite3_column_int64(st, 6),
        .mark_wall_ms = sqlite3_column_int64(st, 7),
        .is_notified = sqlite3_column_int(st, 8) != 0,
        .report = (enum dsn_action)column_enum(st, 9, DSN_ACT_COUNT),
    };
    sqlite3_reset(st);
    return 0;
}

/* --- attempts --- */

#define ATTEMPT_VALUES                                                                             \
    "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, "  \
    "?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30"

static void bind_outcome(sqlite3_stmt *st, const struct outcome *o)
{
    bind_i(st, 12, o->class);
    bind_i(st, 13, o->stage);
    bind_i(st, 14, o->scope);
    bind_i(st, 15, o->code);
    bind_i(st, 16, o->sys);
    bind_i(st, 17, o->dns);
    bind_i(st, 18, o->port);
    bind_i(st, 19, o->tls.state);
    bind_i(st, 20, o->conn_use);
    bind_i(st, 21, o->retry_after_ms);
    bind_z(st, 22, o->enhanced);
    bind_z(st, 23, o->text);
    bind_z(st, 24, o->host);
    bind_z(st, 25, o->ip);
    bind_z(st, 26, o->tls.version);
    bind_z(st, 27, o->tls.cipher);
    bind_z(st, 28, o->tls.why);
}

static int add_attempt(struct store *s, const struct queue_settle *q, const struct rcpt_now *now,
                       unsigned number, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_ATTEMPT_ADD,
                                  "INSERT INTO attempt(" ATTEMPT_COLUMNS
                                  ", transcript, told) VALUES(" ATTEMPT_VALUES ")",
                                  err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, q->attempt_id);
    bind_i(st, 2, q->rcpt_id);
    bind_i(st, 3, now->attempt_id);
    bind_i(st, 4, number);
    bind_i(st, 5, q->state);
    bind_i(st, 6, q->start_wall_ms);
    bind_i(st, 7, q->duration_ms);
    bind_i(st, 8, q->delays->a_ms);
    bind_i(st, 9, q->delays->b_ms);
    bind_i(st, 10, q->delays->c_ms);
    bind_i(st, 11, q->delays->d_ms);
    bind_outcome(st, q->outcome);
    struct buf blob CLEANUP(buf_done) = BUF_INIT;
    if (q->transcript.n)
        transcript_pack(q->transcript, &blob);
    if (blob.n)
        sqlite3_bind_blob64(st, 29, blob.p, blob.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, 29);
    bind_i(st, 30, q->told);
    return store_run(s, st, err, "record an attempt");
}

void attempt_read(sqlite3_stmt *st, struct attempt_row *out)
{
    struct outcome *o = &out->outcome;

    out->id = sqlite3_column_int64(st, 0);
    out->rcpt_id = sqlite3_column_int64(st, 1);
    out->prev = sqlite3_column_int64(st, 2);
    out->number = (unsigned)sqlite3_column_int(st, 3);
    out->state = (enum rcpt_state)column_enum(st, 4, RCPT_STATE_COUNT);
    out->start_wall_ms = sqlite3_column_int64(st, 5);
    out->duration_ms = sqlite3_column_int64(st, 6);
    out->delays.a_ms = sqlite3_column_int64(st, 7);
    out->delays.b_ms = sqlite3_column_int64(st, 8);
    out->delays.c_ms = sqlite3_column_int64(st, 9);
    out->delays.d_ms = sqlite3_column_int64(st, 10);
    outcome_init(o, (enum outcome_class)column_enum(st, 11, OUTCOME_CLASS_COUNT),
                 (enum stage)column_enum(st, 12, STAGE_COUNT));
    o->scope = (enum scope)column_enum(st, 13, SCOPE_COUNT);
    o->code = sqlite3_column_int(st, 14);
    o->sys = sqlite3_column_int(st, 15);
    o->dns = (enum dns_status)sqlite3_column_int(st, 16);
    o->port = (uint16_t)sqlite3_column_int(st, 17);
    o->tls.state = (enum tls_state)column_enum(st, 18, TLS_FAILED + 1);
    o->conn_use = (unsigned)sqlite3_column_int(st, 19);
    o->retry_after_ms = sqlite3_column_int64(st, 20);
    column_copy(st, 21, o->enhanced, sizeof(o->enhanced));
    column_copy(st, 22, o->text, sizeof(o->text));
    column_copy(st, 23, o->host, sizeof(o->host));
    column_copy(st, 24, o->ip, sizeof(o->ip));
    column_copy(st, 25, o->tls.version, sizeof(o->tls.version));
    column_copy(st, 26, o->tls.cipher, sizeof(o->tls.cipher));
    column_copy(st, 27, o->tls.why, sizeof(o->tls.why));
}

int attempt_get(struct store *s, int64_t id, struct attempt_row *out, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_ATTEMPT_GET, "SELECT " ATTEMPT_COLUMNS " FROM attempt WHERE id=?1", err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, id);
    rc = store_next(s, st, err, "read an attempt");
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, E_NOTFOUND, "no such attempt");
    attempt_read(st, out);
    sqlite3_reset(st);
    return 0;
}

/* --- the end of a message --- */

/* How many of its recipients are not final, and how large it is. */
static int message_open(struct store *s, int64_t message_id, int64_t *open, int64_t *size,
                        struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_MESSAGE_OPEN, "SELECT open, size FROM message WHERE id=?1", err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    rc = store_next(s, st, err, "read a message");
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, E_CORRUPT, "store %s: a recipient without its message", s->dir);
    *open = sqlite3_column_int64(st, 0);
    *size = sqlite3_column_int64(st, 1);
    sqlite3_reset(st);
    return 0;
}

static int set_open(struct store *s, int64_t message_id, int64_t open, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_MESSAGE_SET_OPEN, "UPDATE message SET open=?2 WHERE id=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    bind_i(st, 2, open);
    return store_run(s, st, err, "count a message's recipients");
}

int queue_close_one(struct store *s, int64_t message_id, bool *is_done, struct err *err)
{
    int64_t open, size;
    bool is_kept;
    int rc = message_open(s, message_id, &open, &size, err);

    *is_done = false;
    if (!rc)
        rc = set_open(s, message_id, open - 1, err);
    if (rc || open > 1)
        return rc;
    s->delta[COUNTER_MESSAGES]--;
    s->delta[COUNTER_BYTES] -= size;
    *is_done = true;
    rc = tomb_has(s, message_id, &is_kept, err);
    return rc || is_kept ? rc : spool_drop(s, message_id, err);
}

int queue_reopen_one(struct store *s, int64_t message_id, struct err *err)
{
    int64_t open, size;
    int rc = message_open(s, message_id, &open, &size, err);

    if (!rc)
        rc = set_open(s, message_id, open + 1, err);
    if (rc || open > 0)
        return rc;
    s->delta[COUNTER_MESSAGES]++;
    s->delta[COUNTER_BYTES] += size;
    return 0;
}

/* --- settle --- */

/*
 * Several statements: one that names finished would rewrite the recipient's entry in every index, also
 * when it goes back into the queue. What the engine itself holds bears no job's id: that tells it from
 * what an operator holds, and it is tried again by itself (queue_release_held).
 */
#define SETTLE_SET                                                                                 \
    "UPDATE recipient SET state=?2, tries=?3, is_notified=?4, code=?5, mark=0, last=?6,"           \
    " attempt=?7, next=?8, site=?9, cause=?10, enhanced=?11, report=?12"
#define SETTLE_END  SETTLE_SET ", note='', finished=?13 WHERE id=?1"
#define SETTLE_HELD SETTLE_SET ", note=?13, job=0 WHERE id=?1"
#define SETTLE_BACK SETTLE_SET ", note='' WHERE id=?1"

/* What is owed after this: the news, or what was owed before while it still holds. */
static enum dsn_action report_of(const struct queue_settle *q, const struct rcpt_now *now)
{
    if (q->report == DSN_ACT_DELAYED && now->is_notified)
        return now->report;
    if (q->report || rcpt_state_is_final(q->state))
        return q->report;
    return now->report;
}

static int change_recipient(struct store *s, const struct queue_settle *q,
                            const struct rcpt_now *now, unsigned number, int64_t finished,
                            struct err *err)
{
    enum dsn_action report = report_of(q, now);
    bool is_notified = now->is_notified || report == DSN_ACT_DELAYED;
    bool is_held = q->state == RCPT_HELD;
    sqlite3_stmt *st = finished  ? store_stmt(s, STMT_SETTLE_END, SETTLE_END, err)
                       : is_held ? store_stmt(s, STMT_SETTLE_HELD, SETTLE_HELD, err)
                                 : store_stmt(s, STMT_SETTLE, SETTLE_BACK, err);
    char cause[48];

    if (!st)
        return -(int)E_IO;
    outcome_cause(q->outcome, cause);
    bind_i(st, 1, q->rcpt_id);
    bind_i(st, 2, q->state);
    bind_i(st, 3, number);
    bind_i(st, 4, is_notified);
    bind_i(st, 5, q->outcome->code);
    bind_i(st, 6, q->start_wall_ms);
    bind_i(st, 7, q->attempt_id);
    bind_i(st, 8, finished ? 0 : q->next_wall_ms);
    bind_z(st, 9, q->site);
    bind_z(st, 10, cause);
    bind_z(st, 11, q->outcome->enhanced);
    bind_i(st, 12, report);
    if (finished)
        bind_i(st, 13, finished);
    else if (is_held)
        bind_z(st, 13, q->note ? q->note : "");
    return store_run(s, st, err, "settle");
}

static void log_settled(struct store *s, const struct queue_settle *q, bool is_message_done)
{
    int64_t wall_ms = q->start_wall_ms + q->duration_ms;
    struct buf both = BUF_INIT;

    if (!s->log)
        return;
    if (!is_message_done) {
        daylog_add(s->log, q->attempt_id, wall_ms, q->log_line);
        return;
    }
    /* "removed" has no id of its own: it is the second line of this one's entry */
    buf_add_str(&both, q->log_line);
    buf_add_c(&both, '\n');
    logline_removed(&both, q->message_id);
    daylog_add(s->log, q->attempt_id, wall_ms, buf_str(&both));
    buf_done(&both);
}

/* Record, move, count, log: after all that can refuse it was looked at. */
static int settle(struct store *s, const struct queue_settle *q, const struct rcpt_now *now,
                  unsigned number, bool *is_message_done, struct err *err)
{
    bool is_final = rcpt_state_is_final(q->state);
    int64_t end = q->start_wall_ms + q->duration_ms;
    int rc;

    if (!rcpt_state_may_go(now->state, q->state))
        return err_set(err, E_STATE, "a recipient may not go from %s to %s",
                       rcpt_state_name(now->state), rcpt_state_name(q->state));
    if (q->message_id != now->message_id)
        return err_set(err, E_STATE, "the recipient belongs to another message");
    rc = add_attempt(s, q, now, number, err);
    if (!rc)
        rc = change_recipient(s, q, now, number, is_final ? (end > 0 ? end : 1) : 0, err);
    if (!rc && is_final)
        rc = queue_close_one(s, now->message_id, is_message_done, err);
    if (rc)
        return rc;
    store_count(s, now->state, now->tries, q->state, number);
    log_settled(s, q, *is_message_done);
    return 0;
}

int queue_settle(struct store *s, const struct queue_settle *q, bool *is_message_done,
                 struct err *err)
{
    struct rcpt_now now;
    int rc = rcpt_now(s, q->rcpt_id, &now, err);

    *is_message_done = false;
    if (rc)
        return rc;
    if (now.state != RCPT_ACTIVE || now.epoch != q->epoch)
        return err_set(err, E_STATE, "the claim is not ours any more");
    return settle(s, q, &now, now.tries + 1, is_message_done, err);
}

int queue_finish(struct store *s, const struct queue_settle *q, bool *is_message_done,
                 struct err *err)
{
    struct rcpt_now now;
    int rc = rcpt_now(s, q->rcpt_id, &now, err);

    *is_message_done = false;
    if (rc)
        return rc;
    if (now.state != RCPT_QUEUED && now.state != RCPT_UNCONFIRMED)
        return err_set(err, E_STATE, "the recipient is %s", rcpt_state_name(now.state));
    return settle(s, q, &now, now.tries, is_message_done, err);
}

int queue_return(struct store *s, const struct queue_settle *q, bool *is_message_done,
                 struct err *err)
{
    struct rcpt_now now;
    int rc = rcpt_now(s, q->rcpt_id, &now, err);

    *is_message_done = false;
    if (!rc)
        rc = bounce_drop(s, q->rcpt_id, err);
    if (rc)
        return rc;
    if (now.state != RCPT_HELD)
        return err_set(err, E_STATE, "the recipient is %s", rcpt_state_name(now.state));
    return settle(s, q, &now, now.tries, is_message_done, err);
}

int queue_log(struct store *s, int64_t id, int64_t wall_ms, struct str line, struct err *err UNUSED)
{
    if (s->log)
        daylog_add(s->log, id, wall_ms, line);
    return 0;
}
