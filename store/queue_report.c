/* SPDX-License-Identifier: ISC */
/*
 * What senders are still to be told. It is owed from the transaction in which a recipient ends, and
 * stands in its row (report), so that a crash forgets nothing and what becomes known about a message
 * within a short while goes into one report. The index r_report holds the rows that owe something.
 */
#include "store/store_private.h"

#include "core/mail/id.h"

/* A statement that says whether there is such a row. */
static int is_there(struct store *s, sqlite3_stmt *st, bool *out, struct err *err)
{
    int rc = store_next(s, st, err, "look for what is to be reported");

    if (rc < 0)
        return rc;
    *out = rc > 0;
    sqlite3_reset(st);
    return 0;
}

int queue_report_any(struct store *s, int64_t message_id, bool *is_owed, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_REPORT_ANY,
                                  "SELECT 1 FROM recipient INDEXED BY r_report"
                                  " WHERE report<>0 AND message=?1 LIMIT 1",
                                  err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    return is_there(s, st, is_owed, err);
}

int queue_report_soon(struct store *s, int64_t message_id, int64_t now_wall_ms, bool *is_soon,
                      struct err *err)
{
    sqlite3_stmt *st = store_stmt(
        s, STMT_REPORT_SOON,
        "SELECT 1 FROM message m CROSS JOIN recipient r INDEXED BY r_live"
        " WHERE m.id=?1 AND r.finished=0 AND r.id BETWEEN m.rcpt_first AND m.rcpt_last"
        " AND r.message=m.id AND (r.state=?3 OR (r.state=?4 AND (r.tries=0 OR r.next<=?2)))"
        " LIMIT 1",
        err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    bind_i(st, 2, now_wall_ms);
    bind_i(st, 3, RCPT_ACTIVE);
    bind_i(st, 4, RCPT_QUEUED);
    return is_there(s, st, is_soon, err);
}

int queue_report_late(struct store *s, int64_t before_wall_ms, int64_t *ids, unsigned limit,
                      struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_REPORT_LATE,
                                  "SELECT DISTINCT message FROM recipient INDEXED BY r_report"
                                  " WHERE report<>0 AND max(finished, last)<?1"
                                  " ORDER BY message LIMIT ?2",
                                  err);
    unsigned n = 0;
    int rc = 0;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, before_wall_ms);
    bind_i(st, 2, limit);
    while (n < limit && (rc = store_next(s, st, err, "look for what is to be reported")) > 0)
        ids[n++] = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return rc < 0 ? rc : (int)n;
}

/* --- reading --- */

/* Who waits as long is told with the first, in one notice (RFC 3461 4.1: unless DELAY was left out). */
static int join_delayed(struct store *s, int64_t message_id, struct err *err)
{
    sqlite3_stmt *st = store_stmt(
        s, STMT_REPORT_JOIN,
        "UPDATE recipient SET report=?2, is_notified=1 WHERE finished=0 AND is_notified=0"
        " AND id BETWEEN (SELECT rcpt_first FROM message WHERE id=?1)"
        " AND (SELECT rcpt_last FROM message WHERE id=?1) AND message=?1"
        " AND state IN (?3, ?4) AND tries>0 AND (notify=0 OR notify&?5)"
        " AND EXISTS(SELECT 1 FROM recipient INDEXED BY r_report"
        " WHERE report<>0 AND message=?1 AND report=?2)",
        err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    bind_i(st, 2, DSN_ACT_DELAYED);
    bind_i(st, 3, RCPT_QUEUED);
    bind_i(st, 4, RCPT_UNCONFIRMED);
    bind_i(st, 5, DSN_DELAY);
    return store_run(s, st, err, "gather what is to be reported");
}

/* An end that was not the answer to a try: the answer before it says more. */
static int read_outcomes(struct store *s, int64_t attempt_id, const char *cause,
                         struct queue_told *t, struct err *err)
{
    struct attempt_row a;
    int rc = attempt_get(s, attempt_id, &a, err);

    outcome_init(&t->outcome, OUTCOME_FAILED, STAGE_NONE);
    if (rc == -(int)E_NOTFOUND) {
        if (err)
            *err = ERR_NONE;
        return 0;
    }
    if (rc)
        return rc;
    t->outcome = a.outcome;
    t->last_wall_ms = a.start_wall_ms + a.duration_ms;
    t->is_returned = strcmp(cause, QUEUE_RETURNED_CAUSE) == 0;
    if (a.outcome.stage != STAGE_LOCAL || !(t->is_returned || a.state == RCPT_EXPIRED))
        return 0;
    t->last_wall_ms = 0;
    rc = a.prev ? attempt_get(s, a.prev, &a, err) : -(int)E_NOTFOUND;
    if (rc == -(int)E_NOTFOUND) {
        if (err)
            *err = ERR_NONE;
        return 0;
    }
    if (rc)
        return rc;
    t->before = a.outcome;
    t->has_before = true;
    t->last_wall_ms = a.start_wall_ms + a.duration_ms;
    return 0;
}

int queue_report_read(struct store *s, int64_t message_id, unsigned limit,
                      void (*each)(void *arg, const struct queue_told *row), void *arg,
                      struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_REPORT_READ,
                   "SELECT report, state, tries, attempt, address, orcpt, cause, next"
                   " FROM recipient INDEXED BY r_report"
                   " WHERE report<>0 AND message=?1 ORDER BY id LIMIT ?2",
                   err);
    struct queue_told t;
    char cause[48];
    int rc = st ? join_delayed(s, message_id, err) : -(int)E_IO;

    if (rc)
        return rc;
    bind_i(st, 1, message_id);
    bind_i(st, 2, limit);
    while ((rc = store_next(s, st, err, "read what is to be reported")) > 0) {
        t = (struct queue_told){
            .action = (enum dsn_action)column_enum(st, 0, DSN_ACT_COUNT),
            .state = (enum rcpt_state)column_enum(st, 1, RCPT_STATE_COUNT),
            .tries = (unsigned)sqlite3_column_int(st, 2),
            .next_wall_ms = sqlite3_column_int64(st, 7),
        };
        column_copy(st, 4, t.address, sizeof(t.address));
        column_copy(st, 5, t.orcpt, sizeof(t.orcpt));
        column_copy(st, 6, cause, sizeof(cause));
        rc = read_outcomes(s, sqlite3_column_int64(st, 3), cause, &t, err);
        if (rc)
            break;
        each(arg, &t);
    }
    sqlite3_reset(st);
    return rc;
}

/* --- what is late --- */

static int owe_notice(struct store *s, int64_t rcpt_id, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_REPORT_OWE,
                                  "UPDATE recipient SET report=?2, is_notified=1 WHERE id=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, rcpt_id);
    bind_i(st, 2, DSN_ACT_DELAYED);
    return store_run(s, st, err, "gather what is late");
}

/* Columns of the statement below: may its sender be told? */
static bool is_late(sqlite3_stmt *st)
{
    struct message m = {.class = (enum msg_class)column_enum(st, 6, MSG_REPORT + 1)};
    enum rcpt_state state = (enum rcpt_state)column_enum(st, 2, RCPT_STATE_COUNT);

    column_copy(st, 7, m.reverse_path, sizeof(m.reverse_path));
    return (state == RCPT_QUEUED || state == RCPT_UNCONFIRMED) && sqlite3_column_int(st, 3) > 0 &&
           !sqlite3_column_int(st, 5) &&
           dsn_wanted(&m, (unsigned)sqlite3_column_int(st, 4), DSN_ACT_DELAYED);
}

int queue_report_delayed(struct store *s, int64_t before_wall_ms, int64_t *after_id, int64_t *ids,
                         unsigned limit, bool *is_more, struct err *err)
{
    enum { LOOK_MAX = 2000 };
    sqlite3_stmt *st = store_stmt(s, STMT_REPORT_LOOK,
                                  "SELECT r.id, r.message, r.state, r.tries, r.notify,"
                                  " r.is_notified, m.class, m.sender"
                                  " FROM recipient r INDEXED BY r_live CROSS JOIN message m"
                                  " WHERE r.finished=0 AND r.id>?1 AND r.id<?2 AND m.id=r.message"
                                  " ORDER BY r.id LIMIT ?3",
                                  err);
    unsigned n = 0, looked = 0;
    int rc = 0;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, *after_id);
    bind_i(st, 2, id_floor(before_wall_ms));
    bind_i(st, 3, LOOK_MAX);
    while (n < limit && (rc = store_next(s, st, err, "look for what is late")) > 0) {
        int64_t message = sqlite3_column_int64(st, 1);

        *after_id = sqlite3_column_int64(st, 0);
        looked++;
        if (!is_late(st))
            continue;
        if (n == 0 || ids[n - 1] != message)
            ids[n++] = message;
        rc = owe_notice(s, *after_id, err);
        if (rc)
            break;
    }
    sqlite3_reset(st);
    *is_more = n == limit || looked == LOOK_MAX;
    return rc < 0 ? rc : (int)n;
}

int queue_report_done(struct store *s, int64_t message_id, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_REPORT_DONE,
                                  "UPDATE recipient INDEXED BY r_report SET report=0"
                                  " WHERE report<>0 AND message=?1",
                                  err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    return store_run(s, st, err, "note what was reported");
}
