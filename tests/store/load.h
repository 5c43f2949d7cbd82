/* SPDX-License-Identifier: ISC */
/*
 * A small script of mail against a store, and the account of what was acknowledged: after any
 * failure, crash or loss of power, load_check says whether the store still holds all of it, and nothing by halves.
 */
#ifndef TESTS_STORE_LOAD_H
#define TESTS_STORE_LOAD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/spool.h"
#include "store/store_private.h"
#include "tests/unit/store/fixture.h"

#define LOAD_MAX 4096

/* What the world was told about one message. Recipient, message and attempt ids follow from i. */
struct told {
    bool is_accepted, is_settled;         /* acknowledged: committed */
    bool may_be_accepted, may_be_settled; /* was in a commit whose result was not seen */
};

struct load {
    struct told told[LOAD_MAX];
    unsigned n;       /* messages begun */
    unsigned settled; /* all before it were given to a settle */
};

static inline int64_t load_id(unsigned i, unsigned what)
{
    return id_floor(T0) + (int64_t)i * 8 + what;
}

/* Body of message i: two chunks for every third. */
static inline void load_body(unsigned i, unsigned seq, char *out, size_t n)
{
    memset(out, (int)('a' + (i + seq) % 26), n);
    memcpy(out, "X: y\r\n\r\n", 8);
}

static inline int load_accept(struct store *s, unsigned i, struct err *err)
{
    struct message m = {.id = load_id(i, 0), .arrival_wall_ms = T0 + i, .size_bytes = 3000};
    struct recipient r = {.id = load_id(i, 1), .message_id = m.id, .next_wall_ms = T0};
    char body[3000];
    int rc = 0;

    snprintf(m.reverse_path, sizeof(m.reverse_path), "sender%u@example.com", i);
    snprintf(r.domain, sizeof(r.domain), "d%u.example", i % 13);
    snprintf(r.address, sizeof(r.address), "u%u@%s", i, r.domain);
    for (unsigned seq = 0; !rc && seq < (i % 3 ? 1u : 2u); seq++) {
        load_body(i, seq, body, sizeof(body));
        rc = queue_put_chunk(s, m.id, seq, (struct str){body, sizeof(body)}, err);
    }
    return rc ? rc : queue_accept(s, &m, &r, 1, err);
}

static inline int load_settle(struct store *s, unsigned i, struct err *err)
{
    struct outcome o;
    struct queue_settle q;
    unsigned epoch;
    bool done;
    int rc = queue_claim(s, load_id(i, 1), "mx.example", &epoch, err);

    if (!rc)
        rc = queue_mark(s, load_id(i, 1), epoch, T0 + 1, err);
    fixture_outcome(&o, i % 5 ? 250 : 550, "words of the server");
    q = (struct queue_settle){.attempt_id = load_id(i, 2),
                              .rcpt_id = load_id(i, 1),
                              .message_id = load_id(i, 0),
                              .epoch = epoch,
                              .state = i % 5 ? RCPT_DELIVERED : RCPT_BOUNCED,
                              .start_wall_ms = T0 + i,
                              .duration_ms = 10,
                              .delays = &fixture_delays,
                              .outcome = &o,
                              .site = "mx.example",
                              .log_line = STR("a line of log")};
    return rc ? rc : queue_settle(s, &q, &done, err);
}

/* One commit: some are accepted, some of the older ones settled. */
static inline int load_step(struct store *s, struct load *l, unsigned accepts, unsigned settles,
                            struct err *err)
{
    unsigned from = l->n, to = l->n + accepts, first = l->settled, last = first;
    int rc = store_begin(s, err);

    for (unsigned i = from; !rc && i < to; i++)
        rc = load_accept(s, i, err);
    for (; !rc && last < from && last < first + settles; last++) {
        if (l->told[last].is_accepted && !l->told[last].is_settled)
            rc = load_settle(s, last, err);
    }
    if (rc) {
        store_rollback(s);
        return rc;
    }
    for (unsigned i = from; i < to; i++)
        l->told[i].may_be_accepted = true;
    for (unsigned i = first; i < last; i++)
        l->told[i].may_be_settled |= l->told[i].is_accepted;
    rc = store_commit(s, err);
    if (rc)
        return rc;
    for (unsigned i = from; i < to; i++)
        l->told[i].is_accepted = true;
    for (unsigned i = first; i < last; i++)
        l->told[i].is_settled |= l->told[i].may_be_settled;
    l->n = to;
    l->settled = last;
    return 0;
}

static inline int64_t load_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t n = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static inline void load_integrity(sqlite3 *db)
{
    sqlite3_stmt *st = NULL;

    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
    sqlite3_finalize(st);
}

/* The store's own promises, whatever was put into it. */
static inline void load_invariants(struct store *s)
{
    struct queue_totals t;
    struct err err;
    char sql[160];

    load_integrity(s->db);
    assert_int_equal(queue_totals(s, &t, &err), 0);
    for (int i = 0; i < RCPT_STATE_COUNT; i++) {
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM recipient WHERE state=%d", i);
        assert_int_equal(load_number(s->db, sql), t.by_state[i]);
    }
    assert_int_equal(load_number(s->db, "SELECT count(*) FROM recipient WHERE message NOT IN"
                                        " (SELECT id FROM message)"),
                     0);
    assert_int_equal(load_number(s->db, "SELECT count(*) FROM recipient"
                                        " WHERE (finished<>0)<>(state>=4)"),
                     0);
    assert_int_equal(load_number(s->db, "SELECT count(*) FROM message m WHERE open<>(SELECT"
                                        " count(*) FROM recipient r WHERE r.message=m.id"
                                        " AND finished=0)"),
                     0);
    assert_int_equal(load_number(s->db, "SELECT count(*) FROM message WHERE open>0"), t.messages);
    assert_int_equal(load_number(s->db, "SELECT ifnull(sum(size), 0) FROM message WHERE open>0"),
                     t.bytes);
    /* a body is there as long as its message is open; others only as uploads */
    assert_int_equal(load_number(s->db, "SELECT count(*) FROM message WHERE open>0 AND id NOT IN"
                                        " (SELECT message FROM chunk)"),
                     0);
    assert_int_equal(load_number(s->db,
                                 "SELECT count(*) FROM chunk WHERE message NOT IN (SELECT id FROM"
                                 " message WHERE open>0) AND message NOT IN (SELECT message FROM"
                                 " upload) AND message NOT IN (SELECT message FROM tomb)"),
                     0);
    assert_int_equal(load_number(s->db, "SELECT count(*) FROM bounce WHERE recipient NOT IN (SELECT"
                                        " id FROM recipient WHERE state=2) OR act NOT IN (SELECT"
                                        " id FROM bounce_act)"),
                     0);
    assert_int_equal(load_number(s->db, "SELECT count(*) FROM recipient WHERE attempt<>0 AND"
                                        " attempt NOT IN (SELECT id FROM attempt)"),
                     0);
}

static inline void load_check_body(struct store *s, unsigned i)
{
    struct buf b = BUF_INIT;
    char body[3000];
    struct err err;

    for (unsigned seq = 0; seq < (i % 3 ? 1u : 2u); seq++) {
        buf_clear(&b);
        assert_int_equal(spool_read(s, load_id(i, 0), seq, &b, &err), 0);
        load_body(i, seq, body, sizeof(body));
        assert_int_equal(b.n, sizeof(body));
        assert_memory_equal(b.p, body, sizeof(body));
    }
    buf_done(&b);
}

/* Every acknowledged thing is there; what was not acknowledged is there as a whole or not at all. */
static inline void load_check(struct store *s, const struct load *l)
{
    load_invariants(s);
    for (unsigned i = 0; i < LOAD_MAX; i++) {
        const struct told *t = &l->told[i];
        struct rcpt_now now;
        struct err err;
        int rc;

        if (!t->is_accepted && !t->may_be_accepted)
            break;
        rc = rcpt_now(s, load_id(i, 1), &now, &err);
        if (rc == -(int)E_NOTFOUND && !t->is_accepted)
            continue;
        if (rc)
            fail_msg("message %u was acknowledged and is lost", i);
        if (t->is_settled)
            assert_true(rcpt_state_is_final(now.state));
        if (rcpt_state_is_final(now.state)) {
            struct attempt_row a;

            assert_true(t->may_be_settled);
            assert_int_equal(now.state, i % 5 ? RCPT_DELIVERED : RCPT_BOUNCED);
            assert_int_equal(attempt_get(s, load_id(i, 2), &a, &err), 0);
            assert_int_equal(a.rcpt_id, load_id(i, 1));
        } else {
            assert_int_equal(now.state, RCPT_QUEUED);
            load_check_body(s, i);
        }
    }
}

/* What was in an unseen commit is looked up: from here on it counts as told. */
static inline void load_resolve(struct store *s, struct load *l)
{
    unsigned n = 0;

    for (unsigned i = 0; i < LOAD_MAX; i++) {
        struct told *t = &l->told[i];
        struct rcpt_now now;

        if (!t->is_accepted && !t->may_be_accepted)
            break;
        t->is_accepted = rcpt_now(s, load_id(i, 1), &now, NULL) == 0;
        t->is_settled = t->is_accepted && rcpt_state_is_final(now.state);
        t->may_be_accepted = t->is_accepted;
        t->may_be_settled = t->is_settled;
        if (t->is_accepted)
            n = i + 1;
    }
    l->n = n;
    while (l->settled > 0 && !l->told[l->settled - 1].is_settled)
        l->settled--;
}

#endif
