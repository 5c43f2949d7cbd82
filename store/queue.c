/* SPDX-License-Identifier: ISC */
/*
 * Mail comes in, is claimed and marked. What is due: queue_due.c; outcomes: queue_settle.c; the
 * operator's verbs: queue_bulk.c; start, totals and retention: queue_keep.c.
 *
 * Each verb looks first and changes then, so that one that is refused has changed nothing.
 */
#include "store/store_private.h"

/* --- bodies --- */

int queue_put_chunk(struct store *s, int64_t message_id, unsigned seq, struct str bytes,
                    struct err *err)
{
    sqlite3_stmt *st;
    int rc;

    if (bytes.n > QUEUE_CHUNK_BYTES)
        return err_set(err, E_LIMIT, "a piece of a body is larger than %u octets",
                       QUEUE_CHUNK_BYTES);
    if (seq == 0)
        st = store_stmt(s, STMT_CHUNK_PUT, "INSERT INTO chunk(message, data) VALUES(?1, ?2)", err);
    else
        st = store_stmt(s, STMT_MORE_PUT,
                        "INSERT INTO chunk_more(message, data, seq) VALUES(?1, ?2, ?3)", err);
    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    if (seq > 0)
        bind_i(st, 3, seq);
    sqlite3_bind_blob(st, 2, bytes.n ? bytes.p : "", (int)bytes.n, SQLITE_STATIC);
    rc = store_run(s, st, err, "store a body");
    if (!rc && seq == 0)
        store_loose_add(s, message_id);
    return rc;
}

static int drop_upload(struct store *s, int64_t message_id, struct err *err)
{
    sqlite3_stmt *st;

    if (store_loose_drop(s, message_id))
        return 0;
    st = store_stmt(s, STMT_UPLOAD_DROP, "DELETE FROM upload WHERE message=?1", err);
    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    return store_run(s, st, err, "accept an upload");
}

int queue_drop_chunks(struct store *s, int64_t message_id, struct err *err)
{
    struct message m;
    int rc = queue_message(s, message_id, &m, err);

    if (rc == 0)
        return err_set(err, E_STATE, "the message is accepted: its body stays");
    if (rc != -(int)E_NOTFOUND)
        return rc;
    if (err)
        *err = ERR_NONE;
    rc = drop_upload(s, message_id, err);
    return rc ? rc : spool_drop(s, message_id, err);
}

/* --- messages --- */

static int add_message(struct store *s, const struct message *m, const struct recipient *r,
                       size_t n, struct err *err)
{
    int64_t first = r[0].id, last = r[0].id;
    sqlite3_stmt *st = store_stmt(
        s, STMT_MESSAGE_ADD,
        "INSERT INTO message(id, open, arrival, size, class, flags, ret, rcpt_first, rcpt_last,"
        " sender, envid, origin, h_from, h_subject, h_message_id, h_date, report_to)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        err);

    if (!st)
        return -(int)E_IO;
    for (size_t i = 1; i < n; i++) {
        first = r[i].id < first ? r[i].id : first;
        last = r[i].id > last ? r[i].id : last;
    }
    bind_i(st, 1, m->id);
    bind_i(st, 2, (int64_t)n);
    bind_i(st, 3, m->arrival_wall_ms);
    bind_i(st, 4, (int64_t)m->size_bytes);
    bind_i(st, 5, m->class);
    bind_i(st, 6, m->flags);
    bind_i(st, 7, m->ret);
    bind_i(st, 8, first);
    bind_i(st, 9, last);
    bind_z(st, 10, m->reverse_path);
    bind_z(st, 11, m->envid);
    bind_z(st, 12, m->origin);
    bind_z(st, 13, m->digest.from);
    bind_z(st, 14, m->digest.subject);
    bind_z(st, 15, m->digest.message_id);
    bind_z(st, 16, m->digest.date);
    bind_z(st, 17, m->report_to);
    return store_run(s, st, err, "accept a message");
}

static int add_recipient(struct store *s, const struct message *m, const struct recipient *r,
                         struct err *err)
{
    sqlite3_stmt *st = store_stmt(
        s, STMT_RCPT_ADD,
        "INSERT INTO recipient(id, state, epoch, tries, notify, is_notified, code, mark, finished,"
        " last, attempt, job, message, next, arrival, size, address, domain, site, cause, enhanced,"
        " orcpt, note)"
        " VALUES(?1, 0, 0, 0, ?2, 0, 0, 0, 0, 0, 0, 0, ?3, ?4, ?5, ?6, ?7, ?8, '', '', '', ?9, '')",
        err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, r->id);
    bind_i(st, 2, r->notify);
    bind_i(st, 3, m->id);
    bind_i(st, 4, r->next_wall_ms);
    bind_i(st, 5, m->arrival_wall_ms);
    bind_i(st, 6, (int64_t)m->size_bytes);
    bind_z(st, 7, r->address);
    bind_z(st, 8, r->domain);
    bind_z(st, 9, r->orcpt);
    return store_run(s, st, err, "accept a recipient");
}

/* The message and its first n recipients go again: one of them had an id that exists. */
static int take_back(struct store *s, const struct message *m, const struct recipient *r, size_t n,
                     struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_MESSAGE_DROP, "DELETE FROM message WHERE id=?1", err);
    sqlite3_stmt *rt = store_stmt(s, STMT_RCPT_DROP, "DELETE FROM recipient WHERE id=?1", err);
    int rc;

    if (!st || !rt)
        return -(int)E_IO;
    bind_i(st, 1, m->id);
    rc = store_run(s, st, err, "take a message back");
    for (size_t i = 0; !rc && i < n; i++) {
        bind_i(rt, 1, r[i].id);
        rc = store_run(s, rt, err, "take a recipient back");
    }
    return rc;
}

int queue_accept(struct store *s, const struct message *m, const struct recipient *r, size_t n,
                 struct err *err)
{
    int rc;

    if (n == 0)
        return err_set(err, E_STATE, "a message without recipients");
    rc = add_message(s, m, r, n, err);
    for (size_t i = 0; !rc && i < n; i++) {
        rc = add_recipient(s, m, &r[i], err);
        if (rc == -(int)E_STATE) {
            struct err second;
            int rc2 = take_back(s, m, r, i, &second);

            if (rc2 && err)
                *err = second;
            return rc2 ? rc2 : rc;
        }
    }
    if (!rc)
        rc = drop_upload(s, m->id, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        store_count(s, -1, 0, RCPT_QUEUED, 0);
    s->delta[COUNTER_MESSAGES]++;
    s->delta[COUNTER_BYTES] += (int64_t)m->size_bytes;
    return 0;
}

int queue_message(struct store *s, int64_t message_id, struct message *out, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_MESSAGE_GET,
                   "SELECT id, arrival, size, class, flags, ret, sender, envid, origin, h_from,"
                   " h_subject, h_message_id, h_date, report_to FROM message WHERE id=?1",
                   err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    rc = store_next(s, st, err, "read a message");
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, E_NOTFOUND,
                       "there is no such message in the store; the log may still know it");
    *out = (struct message){
        .id = sqlite3_column_int64(st, 0),
        .arrival_wall_ms = sqlite3_column_int64(st, 1),
        .size_bytes = (uint64_t)sqlite3_column_int64(st, 2),
        .class = (enum msg_class)column_enum(st, 3, MSG_REPORT + 1),
        .flags = (unsigned)sqlite3_column_int(st, 4),
        .ret = (enum dsn_ret)column_enum(st, 5, DSN_RET_HDRS + 1),
    };
    column_copy(st, 6, out->reverse_path, sizeof(out->reverse_path));
    column_copy(st, 7, out->envid, sizeof(out->envid));
    column_copy(st, 8, out->origin, sizeof(out->origin));
    column_copy(st, 9, out->digest.from, sizeof(out->digest.from));
    column_copy(st, 10, out->digest.subject, sizeof(out->digest.subject));
    column_copy(st, 11, out->digest.message_id, sizeof(out->digest.message_id));
    column_copy(st, 12, out->digest.date, sizeof(out->digest.date));
    column_copy(st, 13, out->report_to, sizeof(out->report_to));
    sqlite3_reset(st);
    return 0;
}

/* --- claims --- */

int queue_claim(struct store *s, int64_t rcpt_id, const char *site, unsigned *epoch,
                struct err *err)
{
    sqlite3_stmt *st = store_stmt(
        s, STMT_CLAIM, "UPDATE recipient SET state=1, epoch=?2, mark=0, site=?3 WHERE id=?1", err);
    struct rcpt_now now;
    int rc = st ? rcpt_now(s, rcpt_id, &now, err) : -(int)E_IO;

    if (rc)
        return rc;
    if (now.state == RCPT_ACTIVE || !rcpt_state_may_go(now.state, RCPT_ACTIVE))
        return err_set(err, E_STATE, "the recipient is %s", rcpt_state_name(now.state));
    bind_i(st, 1, rcpt_id);
    bind_i(st, 2, now.epoch + 1);
    bind_z(st, 3, site);
    rc = store_run(s, st, err, "claim");
    if (rc)
        return rc;
    store_count(s, now.state, now.tries, RCPT_ACTIVE, now.tries);
    *epoch = now.epoch + 1;
    return 0;
}

int queue_mark(struct store *s, int64_t rcpt_id, unsigned epoch, int64_t wall_ms, struct err *err)
{
    sqlite3_stmt *st = store_stmt(
        s, STMT_MARK, "UPDATE recipient SET mark=?3 WHERE id=?1 AND state=1 AND epoch=?2", err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, rcpt_id);
    bind_i(st, 2, epoch);
    bind_i(st, 3, wall_ms);
    rc = store_run(s, st, err, "mark the end of data");
    if (!rc && sqlite3_changes(s->db) == 0)
        return err_set(err, E_STATE, "the claim is not ours any more");
    return rc;
}

int queue_unclaim(struct store *s, int64_t rcpt_id, unsigned epoch, int64_t next_wall_ms,
                  struct err *err)
{
    sqlite3_stmt *st = store_stmt(
        s, STMT_UNCLAIM, "UPDATE recipient SET state=?3, mark=0, next=?2 WHERE id=?1", err);
    struct rcpt_now now;
    struct attempt_row last;
    int rc = st ? rcpt_now(s, rcpt_id, &now, err) : -(int)E_IO;

    if (rc)
        return rc;
    if (now.state != RCPT_ACTIVE || now.epoch != epoch)
        return err_set(err, E_STATE, "the claim is not ours any more");
    /* As it was: what may have been delivered by its last try still may. */
    enum rcpt_state to = RCPT_QUEUED;
    if (now.attempt_id && attempt_get(s, now.attempt_id, &last, NULL) == 0 &&
        last.state == RCPT_UNCONFIRMED)
        to = RCPT_UNCONFIRMED;
    bind_i(st, 1, rcpt_id);
    bind_i(st, 2, next_wall_ms);
    bind_i(st, 3, to);
    rc = store_run(s, st, err, "give a claim back");
    if (!rc)
        store_count(s, RCPT_ACTIVE, 0, to, now.tries);
    return rc;
}
