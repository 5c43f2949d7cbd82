/* SPDX-License-Identifier: ISC */
/*
 * What may be tried now, in order of (next, id). Two states may: each is a stream over the index
 * r_state in two steps (next = the last one's and a larger id, then a larger next), and the streams
 * are merged. The two steps matter: a bulk retry gives 100,000 recipients the same time, and one
 * range condition over (next, id) would walk all of them for every page.
 */
#include "store/store_private.h"

#define DUE_FROM                                                                                   \
    "SELECT r.next, r.id, r.message, r.state, r.notify, r.tries, r.epoch, r.address, r.domain,"    \
    " r.orcpt, r.is_notified, r.site, r.arrival, r.size, m.class, m.flags, m.ret, m.sender,"       \
    " m.envid, r.via"                                                                              \
    " FROM recipient r INDEXED BY r_state CROSS JOIN message m"                                    \
    " WHERE r.finished=0 AND m.id=r.message AND r.state=?1"
#define DUE_SAME  DUE_FROM " AND r.next=?2 AND r.id>?3 ORDER BY r.id LIMIT ?4"
#define DUE_LATER DUE_FROM " AND r.next>?2 AND r.next<=?3 ORDER BY r.next, r.id LIMIT ?4"

struct stream {
    sqlite3_stmt *same, *later; /* borrowed: the store's */
    sqlite3_stmt *now;          /* the one with a row, or NULL at the end */
    int64_t next, id;
};

static int stream_step(struct store *s, struct stream *m, struct err *err)
{
    while (m->now) {
        int rc = store_next(s, m->now, err, "read what is due");

        if (rc < 0)
            return rc;
        if (rc > 0) {
            m->next = sqlite3_column_int64(m->now, 0);
            m->id = sqlite3_column_int64(m->now, 1);
            return 0;
        }
        m->now = m->now == m->same ? m->later : NULL;
    }
    return 0;
}

static int stream_open(struct store *s, struct stream *m, enum store_stmt slot,
                       enum rcpt_state state, int64_t now, int64_t after_next, int64_t after_id,
                       unsigned limit, struct err *err)
{
    m->same = store_stmt(s, slot, DUE_SAME, err);
    m->later = store_stmt(s, slot + 1, DUE_LATER, err);
    if (!m->same || !m->later)
        return -(int)E_IO;
    bind_i(m->same, 1, state);
    bind_i(m->same, 2, after_next);
    bind_i(m->same, 3, after_id);
    bind_i(m->same, 4, limit);
    bind_i(m->later, 1, state);
    bind_i(m->later, 2, after_next);
    bind_i(m->later, 3, now);
    bind_i(m->later, 4, limit);
    m->now = after_next <= now ? m->same : NULL;
    return stream_step(s, m, err);
}

static void read_row(sqlite3_stmt *st, struct queue_due *d)
{
    d->rcpt.next_wall_ms = sqlite3_column_int64(st, 0);
    d->rcpt.id = sqlite3_column_int64(st, 1);
    d->rcpt.message_id = sqlite3_column_int64(st, 2);
    d->rcpt.state = (enum rcpt_state)column_enum(st, 3, RCPT_STATE_COUNT);
    d->rcpt.notify = (unsigned)sqlite3_column_int(st, 4);
    d->rcpt.tries = (unsigned)sqlite3_column_int(st, 5);
    d->rcpt.epoch = (unsigned)sqlite3_column_int(st, 6);
    column_copy(st, 7, d->rcpt.address, sizeof(d->rcpt.address));
    column_copy(st, 8, d->rcpt.domain, sizeof(d->rcpt.domain));
    column_copy(st, 9, d->rcpt.orcpt, sizeof(d->rcpt.orcpt));
    d->is_notified = sqlite3_column_int(st, 10) != 0;
    column_copy(st, 11, d->site, sizeof(d->site));
    d->arrival_wall_ms = sqlite3_column_int64(st, 12);
    d->size_bytes = (uint64_t)sqlite3_column_int64(st, 13);
    d->class = (enum msg_class)column_enum(st, 14, MSG_REPORT + 1);
    d->flags = (unsigned)sqlite3_column_int(st, 15);
    d->ret = (enum dsn_ret)column_enum(st, 16, DSN_RET_HDRS + 1);
    column_copy(st, 17, d->reverse_path, sizeof(d->reverse_path));
    column_copy(st, 18, d->envid, sizeof(d->envid));
    column_copy(st, 19, d->rcpt.via, sizeof(d->rcpt.via));
}

static struct stream *earlier(struct stream *a, struct stream *b)
{
    if (!a->now || !b->now)
        return a->now ? a : b->now ? b : NULL;
    if (a->next != b->next)
        return a->next < b->next ? a : b;
    return a->id < b->id ? a : b;
}

static void stream_close(struct stream *m)
{
    sqlite3_reset(m->same);
    sqlite3_reset(m->later);
}

int queue_due(struct store *s, int64_t now_wall_ms, int64_t *after_next, int64_t *after_id,
              unsigned limit, void (*each)(void *arg, const struct queue_due *row), void *arg,
              struct err *err)
{
    struct stream queued = {0}, unconfirmed = {0}, *m;
    struct queue_due row;
    unsigned n = 0;
    int rc = stream_open(s, &queued, STMT_DUE, RCPT_QUEUED, now_wall_ms, *after_next, *after_id,
                         limit, err);

    if (!rc)
        rc = stream_open(s, &unconfirmed, STMT_DUE + 2, RCPT_UNCONFIRMED, now_wall_ms, *after_next,
                         *after_id, limit, err);
    while (!rc && n < limit && (m = earlier(&queued, &unconfirmed))) {
        read_row(m->now, &row);
        *after_next = m->next;
        *after_id = m->id;
        each(arg, &row);
        n++;
        rc = stream_step(s, m, err);
    }
    stream_close(&queued);
    stream_close(&unconfirmed);
    return rc ? rc : (int)n;
}

int queue_next_due(struct store *s, int64_t *wall_ms, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_NEXT_DUE,
                                  "SELECT min(next) FROM recipient INDEXED BY r_state"
                                  " WHERE finished=0 AND state=?1 AND next>?2",
                                  err);
    int64_t best = INT64_MAX;

    if (!st)
        return -(int)E_IO;
    for (int i = 0; i < 2; i++) {
        int rc;

        bind_i(st, 1, i ? RCPT_UNCONFIRMED : RCPT_QUEUED);
        bind_i(st, 2, *wall_ms);
        rc = store_next(s, st, err, "read when something is due");
        if (rc < 0)
            return rc;
        if (rc > 0 && sqlite3_column_type(st, 0) != SQLITE_NULL &&
            sqlite3_column_int64(st, 0) < best)
            best = sqlite3_column_int64(st, 0);
        sqlite3_reset(st);
    }
    *wall_ms = best;
    return 0;
}
