/* SPDX-License-Identifier: ISC */
/* The verbs on the queue, one store in a temporary directory each. */
#include "store/spool.h"
#include "tests/unit/store/desk.h"

static void accept_mail(struct q *q, const char *domain, size_t n, struct message *m,
                        struct recipient *r)
{
    fixture_mail(&q->f, domain, n, 25, m, r);
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_put_chunk(q->s, m->id, 0, STR("Subject: x\r\n\r\nbody line\r\n"), &q->err));
    ok(q, queue_accept(q->s, m, r, n, &q->err));
    ok(q, store_commit(q->s, &q->err));
}

static unsigned claim(struct q *q, const struct recipient *r)
{
    unsigned epoch = 0;

    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_claim(q->s, r->id, "mx1.example.net", &epoch, &q->err));
    ok(q, store_commit(q->s, &q->err));
    return epoch;
}

static int settle(struct q *q, const struct recipient *r, unsigned epoch, enum rcpt_state to,
                  int code, bool *done)
{
    struct outcome o;
    struct queue_settle qs;
    int rc;

    fixture_outcome(&o, code, code < 300 ? "queued as 4711" : "user unknown");
    qs = fixture_settle(&q->f, r, epoch, to, &o);
    ok(q, store_begin(q->s, &q->err));
    rc = queue_settle(q->s, &qs, done, &q->err);
    ok(q, store_commit(q->s, &q->err));
    return rc;
}

struct seen {
    struct queue_due rows[64];
    int n;
};

static void see(void *arg, const struct queue_due *row)
{
    struct seen *seen = arg;

    assert_true(seen->n < 64);
    seen->rows[seen->n++] = *row;
}

/* --- tests --- */

static void accepted_mail_is_due_with_all_the_engine_needs(void **state)
{
    struct q *q = *state;
    struct seen seen = {.n = 0};
    struct message m, back;
    struct recipient r[2];
    int64_t next = 0, id = 0;

    accept_mail(q, "example.net", 2, &m, r);
    assert_int_equal(queue_due(q->s, q->f.now, &next, &id, 10, see, &seen, &q->err), 2);
    assert_int_equal(seen.rows[0].rcpt.id, r[0].id);
    assert_string_equal(seen.rows[1].rcpt.address, "u1@example.net");
    assert_string_equal(seen.rows[1].rcpt.domain, "example.net");
    assert_string_equal(seen.rows[1].reverse_path, "sender@example.com");
    assert_int_equal(seen.rows[1].rcpt.notify, 4);
    assert_int_equal(seen.rows[1].size_bytes, 25);
    assert_int_equal(seen.rows[1].arrival_wall_ms, q->f.now);
    assert_int_equal(seen.rows[1].flags, MSG_8BIT);
    assert_int_equal(seen.rows[1].ret, DSN_RET_HDRS);
    assert_int_equal(queue_due(q->s, q->f.now, &next, &id, 10, see, &seen, &q->err), 0);
    ok(q, queue_message(q->s, m.id, &back, &q->err));
    assert_string_equal(back.digest.subject, m.digest.subject);
    assert_string_equal(back.digest.message_id, m.digest.message_id);
    assert_string_equal(back.origin, m.origin);
}

static void due_pages_go_through_equal_times_of_two_states_without_loss(void **state)
{
    struct q *q = *state;
    int64_t next = 0, id = 0, before_next = 0, before_id = 0;
    struct message m;
    struct recipient r[30];
    bool done;
    int n, all = 0;

    accept_mail(q, "example.net", 30, &m, r);
    for (int i = 0; i < 30; i += 3) { /* every third is unconfirmed and due a little later */
        unsigned epoch = claim(q, &r[i]);

        ok(q, settle(q, &r[i], epoch, RCPT_UNCONFIRMED, 250, &done));
    }
    q->f.now += DAY_MS;
    do {
        struct seen seen = {.n = 0};

        n = queue_due(q->s, q->f.now, &next, &id, 4, see, &seen, &q->err);
        assert_true(n >= 0 && n <= 4);
        for (int i = 0; i < n; i++) {
            int64_t at = seen.rows[i].rcpt.next_wall_ms;

            assert_true(at > before_next ||
                        (at == before_next && seen.rows[i].rcpt.id > before_id));
            before_next = at;
            before_id = seen.rows[i].rcpt.id;
        }
        all += n;
    } while (n);
    assert_int_equal(all, 30);
}

static void next_due_is_the_earliest_that_may_be_tried(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[1];
    int64_t at = 0;

    ok(q, queue_next_due(q->s, &at, &q->err));
    assert_true(at == INT64_MAX);
    at = 0;
    accept_mail(q, "example.net", 1, &m, r);
    ok(q, queue_next_due(q->s, &at, &q->err));
    assert_int_equal(at, q->f.now);
    ok(q, queue_next_due(q->s, &at, &q->err)); /* nothing after that */
    assert_true(at == INT64_MAX);
    claim(q, r);
    at = 0;
    ok(q, queue_next_due(q->s, &at, &q->err));
    assert_true(at == INT64_MAX);
}

static void a_claim_is_taken_once_and_numbered(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[1];
    unsigned epoch;

    accept_mail(q, "example.net", 1, &m, r);
    assert_int_equal(claim(q, r), 1);
    ok(q, store_begin(q->s, &q->err));
    assert_int_equal(queue_claim(q->s, r->id, "x", &epoch, &q->err), -E_STATE);
    assert_int_equal(queue_claim(q->s, 77, "x", &epoch, &q->err), -E_NOTFOUND);
    assert_int_equal(queue_mark(q->s, r->id, 2, q->f.now, &q->err), -E_STATE);
    ok(q, queue_mark(q->s, r->id, 1, q->f.now, &q->err));
    assert_int_equal(queue_unclaim(q->s, r->id, 2, q->f.now, &q->err), -E_STATE);
    ok(q, queue_unclaim(q->s, r->id, 1, q->f.now + 5, &q->err));
    assert_int_equal(queue_mark(q->s, r->id, 1, q->f.now, &q->err), -E_STATE);
    ok(q, store_commit(q->s, &q->err));
    assert_int_equal(claim(q, r), 2);
}

static void an_outcome_of_an_older_claim_is_not_taken(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[1];
    bool done;

    accept_mail(q, "example.net", 1, &m, r);
    claim(q, r);
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_unclaim(q->s, r->id, 1, q->f.now, &q->err));
    ok(q, store_commit(q->s, &q->err));
    claim(q, r);
    assert_int_equal(settle(q, r, 1, RCPT_DELIVERED, 250, &done), -E_STATE);
    ok(q, settle(q, r, 2, RCPT_DELIVERED, 250, &done));
    assert_true(done);
    assert_int_equal(settle(q, r, 2, RCPT_DELIVERED, 250, &done), -E_STATE);
}

static void the_body_goes_with_the_last_final_recipient(void **state)
{
    struct q *q = *state;
    struct buf body = BUF_INIT;
    struct message m;
    struct recipient r[3];
    bool done;

    accept_mail(q, "example.net", 3, &m, r);
    for (int i = 0; i < 3; i++) {
        static const enum rcpt_state ends[] = {RCPT_DELIVERED, RCPT_BOUNCED, RCPT_EXPIRED};
        unsigned epoch = claim(q, &r[i]);

        ok(q, spool_read(q->s, m.id, 0, &body, &q->err));
        ok(q, settle(q, &r[i], epoch, ends[i], i ? 550 : 250, &done));
        assert_int_equal(done, i == 2);
    }
    assert_int_equal(spool_read(q->s, m.id, 0, &body, &q->err), -E_NOTFOUND);
    assert_int_equal(body.n, 3 * 25);
    ok(q, queue_message(q->s, m.id, &m, &q->err)); /* the message is kept: it is the proof */
    buf_done(&body);
}

static void a_header_ends_with_its_empty_line(void **state)
{
    struct q *q = *state;
    struct buf h = BUF_INIT;
    char big[QUEUE_CHUNK_BYTES];
    struct message m;
    struct recipient r[1];

    accept_mail(q, "example.net", 1, &m, r);
    ok(q, spool_read_header(q->s, m.id, 1000, &h, &q->err));
    assert_string_equal(buf_text(&h), "Subject: x\r\n\r\n");
    buf_clear(&h);
    ok(q, spool_read_header(q->s, m.id, 5, &h, &q->err));
    assert_string_equal(buf_text(&h), "Subje");
    buf_clear(&h);

    /* the empty line lies over the border of two chunks */
    fixture_mail(&q->f, "example.net", 1, sizeof(big) + 10, &m, r);
    memset(big, 'h', sizeof(big));
    memcpy(big + sizeof(big) - 3, "\r\n\r", 3);
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_put_chunk(q->s, m.id, 0, (struct str){big, sizeof(big)}, &q->err));
    ok(q, queue_put_chunk(q->s, m.id, 1, STR("\nbody body"), &q->err));
    ok(q, queue_accept(q->s, &m, r, 1, &q->err));
    ok(q, store_commit(q->s, &q->err));
    ok(q, spool_read_header(q->s, m.id, 1 << 20, &h, &q->err));
    assert_int_equal(h.n, sizeof(big) + 1);
    buf_done(&h);
}

static void a_refused_accept_changes_nothing_of_the_transaction(void **state)
{
    struct q *q = *state;
    struct queue_totals t;
    struct message m, n;
    struct recipient r[2], x[2];

    accept_mail(q, "example.net", 2, &m, r);
    fixture_mail(&q->f, "example.org", 2, 10, &n, x);
    x[1].id = r[1].id; /* exists */
    ok(q, store_begin(q->s, &q->err));
    assert_int_equal(queue_accept(q->s, &n, x, 2, &q->err), -E_STATE);
    ok(q, store_commit(q->s, &q->err));
    assert_int_equal(queue_message(q->s, n.id, &n, &q->err), -E_NOTFOUND);
    ok(q, queue_totals(q->s, &t, &q->err));
    assert_int_equal(t.by_state[RCPT_QUEUED], 2);
    assert_int_equal(t.messages, 1);
    assert_int_equal(t.bytes, 25);
}

static void totals_follow_every_state(void **state)
{
    struct q *q = *state;
    struct queue_totals t;
    struct message m;
    struct recipient r[4];
    unsigned epoch;
    bool done;

    accept_mail(q, "example.net", 4, &m, r);
    epoch = claim(q, &r[0]);
    ok(q, settle(q, &r[0], epoch, RCPT_QUEUED, 450, &done));
    epoch = claim(q, &r[1]);
    ok(q, settle(q, &r[1], epoch, RCPT_DELIVERED, 250, &done));
    claim(q, &r[2]);
    ok(q, queue_totals(q->s, &t, &q->err));
    assert_int_equal(t.by_state[RCPT_QUEUED], 2);
    assert_int_equal(t.by_state[RCPT_ACTIVE], 1);
    assert_int_equal(t.by_state[RCPT_DELIVERED], 1);
    assert_int_equal(t.deferred, 1);
    assert_int_equal(t.messages, 1);
    assert_int_equal(t.bytes, 25);
    assert_int_equal(t.oldest_wall_ms, T0);
    epoch = claim(q, &r[0]); /* the deferred one is tried again: not deferred while it is active */
    ok(q, queue_totals(q->s, &t, &q->err));
    assert_int_equal(t.deferred, 0);
}

static void a_rollback_takes_the_counts_back(void **state)
{
    struct q *q = *state;
    struct queue_totals t;
    struct message m;
    struct recipient r[1];

    fixture_mail(&q->f, "example.net", 1, 10, &m, r);
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_accept(q->s, &m, r, 1, &q->err));
    store_rollback(q->s);
    accept_mail(q, "example.net", 1, &m, r);
    ok(q, queue_totals(q->s, &t, &q->err));
    assert_int_equal(t.by_state[RCPT_QUEUED], 1);
    assert_int_equal(t.messages, 1);
}

static void a_start_frees_claims_and_keeps_what_may_be_delivered_apart(void **state)
{
    struct q *q = *state;
    struct queue_recovered out;
    struct queue_totals t;
    struct message m;
    struct recipient r[3];
    unsigned epoch;
    int64_t at;

    accept_mail(q, "example.net", 3, &m, r);
    claim(q, &r[0]);
    epoch = claim(q, &r[1]);
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_mark(q->s, r[1].id, epoch, q->f.now, &q->err));
    ok(q, store_commit(q->s, &q->err));
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_recover(q->s, q->f.now + 9, q->f.now + HOUR_MS, &out, &q->err));
    ok(q, store_commit(q->s, &q->err));
    assert_int_equal(out.requeued, 1);
    assert_int_equal(out.unconfirmed, 1);
    ok(q, queue_totals(q->s, &t, &q->err));
    assert_int_equal(t.by_state[RCPT_QUEUED], 2);
    assert_int_equal(t.by_state[RCPT_UNCONFIRMED], 1);
    assert_int_equal(t.by_state[RCPT_ACTIVE], 0);
    claim(q, &r[0]);
    claim(q, &r[2]);
    at = 0;
    ok(q, queue_next_due(q->s, &at, &q->err));
    assert_int_equal(at, q->f.now + HOUR_MS);
}

static void a_start_sweeps_bodies_that_were_never_accepted(void **state)
{
    struct q *q = *state;
    struct queue_recovered out;
    struct buf b = BUF_INIT;
    struct message m, n;
    struct recipient r[1];

    fixture_mail(&q->f, "example.net", 1, 4, &m, r);
    ok(q, store_begin(q->s, &q->err)); /* two uploads in one commit, one is accepted later */
    ok(q, queue_put_chunk(q->s, m.id, 0, STR("body"), &q->err));
    ok(q, queue_put_chunk(q->s, 4711, 0, STR("lost"), &q->err));
    ok(q, queue_put_chunk(q->s, 4712, 0, STR("dropped"), &q->err));
    ok(q, store_commit(q->s, &q->err));
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_accept(q->s, &m, r, 1, &q->err));
    ok(q, queue_drop_chunks(q->s, 4712, &q->err));
    assert_int_equal(queue_drop_chunks(q->s, m.id, &q->err), -E_STATE);
    ok(q, store_commit(q->s, &q->err));
    accept_mail(q, "example.net", 1, &n, r);
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_recover(q->s, q->f.now, q->f.now, &out, &q->err));
    ok(q, store_commit(q->s, &q->err));
    assert_int_equal(out.orphans, 1);
    assert_int_equal(spool_read(q->s, 4711, 0, &b, &q->err), -E_NOTFOUND);
    ok(q, spool_read(q->s, m.id, 0, &b, &q->err));
    ok(q, spool_read(q->s, n.id, 0, &b, &q->err));
    buf_done(&b);
}

static void only_legal_moves_are_made(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[1];
    struct outcome o;
    struct queue_settle qs;
    unsigned epoch;
    bool done;

    accept_mail(q, "example.net", 1, &m, r);
    fixture_outcome(&o, 550, "no");
    qs = fixture_settle(&q->f, r, 0, RCPT_EXPIRED, &o);
    ok(q, store_begin(q->s, &q->err));
    qs.state = RCPT_DELIVERED; /* a queued one was not sent */
    assert_int_equal(queue_finish(q->s, &qs, &done, &q->err), -E_STATE);
    qs.state = RCPT_EXPIRED;
    ok(q, queue_finish(q->s, &qs, &done, &q->err));
    assert_true(done);
    assert_int_equal(queue_claim(q->s, r->id, "x", &epoch, &q->err), -E_STATE);
    assert_int_equal(queue_finish(q->s, &qs, &done, &q->err), -E_STATE);
    ok(q, store_commit(q->s, &q->err));
}

static void finished_mail_is_purged_by_age_with_all_it_had(void **state)
{
    struct q *q = *state;
    struct queue_totals t;
    struct message m[3];
    struct recipient r[3][2];
    bool done;
    int64_t last;

    for (int i = 0; i < 3; i++) {
        accept_mail(q, "example.net", 2, &m[i], r[i]);
        q->f.now += HOUR_MS;
    }
    ok(q, settle(q, &r[0][0], claim(q, &r[0][0]), RCPT_QUEUED, 450, &done));
    ok(q, settle(q, &r[0][0], claim(q, &r[0][0]), RCPT_DELIVERED, 250, &done));
    ok(q, settle(q, &r[0][1], claim(q, &r[0][1]), RCPT_DELIVERED, 250, &done));
    ok(q, settle(q, &r[1][0], claim(q, &r[1][0]), RCPT_BOUNCED, 550, &done));
    q->f.now += 8 * DAY_MS;
    ok(q, settle(q, &r[2][0], claim(q, &r[2][0]), RCPT_DELIVERED, 250, &done));
    ok(q, store_begin(q->s, &q->err));
    assert_int_equal(queue_purge(q->s, q->f.now - 7 * DAY_MS, 2, &q->err), 2);
    assert_int_equal(queue_purge(q->s, q->f.now - 7 * DAY_MS, 2, &q->err), 1);
    assert_int_equal(queue_purge(q->s, q->f.now - 7 * DAY_MS, 2, &q->err), 0);
    ok(q, store_commit(q->s, &q->err));
    assert_int_equal(queue_message(q->s, m[0].id, &m[0], &q->err), -E_NOTFOUND);
    ok(q, queue_message(q->s, m[1].id, &m[1], &q->err));
    ok(q, queue_totals(q->s, &t, &q->err));
    assert_int_equal(t.by_state[RCPT_DELIVERED], 1);
    assert_int_equal(t.by_state[RCPT_BOUNCED], 0);
    assert_int_equal(t.by_state[RCPT_QUEUED], 2);
    ok(q, queue_last_id(q->s, &last, &q->err));
    assert_int_equal(last, q->f.ids.last);
}

static void a_piece_over_the_limit_is_refused(void **state)
{
    struct q *q = *state;
    char *big = xcalloc(1, QUEUE_CHUNK_BYTES + 1);

    assert_int_equal(queue_put_chunk(q->s, 1, 0, (struct str){big, QUEUE_CHUNK_BYTES + 1}, &q->err),
                     -E_LIMIT);
    free(big);
}

#define T(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(accepted_mail_is_due_with_all_the_engine_needs),
        T(due_pages_go_through_equal_times_of_two_states_without_loss),
        T(next_due_is_the_earliest_that_may_be_tried),
        T(a_claim_is_taken_once_and_numbered),
        T(an_outcome_of_an_older_claim_is_not_taken),
        T(the_body_goes_with_the_last_final_recipient),
        T(a_header_ends_with_its_empty_line),
        T(a_refused_accept_changes_nothing_of_the_transaction),
        T(totals_follow_every_state),
        T(a_rollback_takes_the_counts_back),
        T(a_start_frees_claims_and_keeps_what_may_be_delivered_apart),
        T(a_start_sweeps_bodies_that_were_never_accepted),
        T(only_legal_moves_are_made),
        T(finished_mail_is_purged_by_age_with_all_it_had),
        T(a_piece_over_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
