/* SPDX-License-Identifier: ISC */
/* What is still to be told to senders, and what an operator returns while it can be undone. */
#include "store/spool.h"
#include "tests/unit/store/desk.h"

struct told {
    struct queue_told rows[16];
    size_t n;
};

static void tell(void *arg, const struct queue_told *row)
{
    struct told *t = arg;

    assert_true(t->n < ARRAY_LEN(t->rows));
    t->rows[t->n++] = *row;
}

static struct told owed(struct q *q, const struct message *m)
{
    struct told t = {0};

    ok(q, queue_report_read(q->s, m->id, 16, tell, &t, &q->err));
    return t;
}

static bool any(struct q *q, const struct message *m)
{
    bool is_owed = false;

    ok(q, queue_report_any(q->s, m->id, &is_owed, &q->err));
    return is_owed;
}

static bool soon(struct q *q, const struct message *m)
{
    bool is_soon = false;

    ok(q, queue_report_soon(q->s, m->id, q->f.now, &is_soon, &q->err));
    return is_soon;
}

/* --- reports --- */

static void what_ended_is_owed_until_it_is_told(void **state)
{
    struct q *q = *state;
    struct message m, other;
    struct recipient r[4], o;

    desk_accept(q, 4, 0, &m, r);
    desk_accept(q, 1, 0, &other, &o);
    assert_false(any(q, &m));
    desk_settle(q, &r[0], RCPT_BOUNCED, 550, DSN_ACT_FAILED);
    desk_settle(q, &r[1], RCPT_DELIVERED, 250, DSN_ACT_NONE);
    desk_settle(q, &r[2], RCPT_DELIVERED, 250, DSN_ACT_RELAYED);
    assert_true(any(q, &m) && !any(q, &other));
    struct told t = owed(q, &m);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.rows[0].action, DSN_ACT_FAILED);
    assert_int_equal(t.rows[0].state, RCPT_BOUNCED);
    assert_int_equal(t.rows[0].tries, 1);
    assert_int_equal(t.rows[0].outcome.code, 550);
    assert_string_equal(t.rows[0].address, r[0].address);
    assert_true(t.rows[0].last_wall_ms > 0 && !t.rows[0].has_before);
    assert_int_equal(t.rows[1].action, DSN_ACT_RELAYED);
    ok(q, queue_report_done(q->s, m.id, &q->err));
    assert_false(any(q, &m));
    assert_int_equal(owed(q, &m).n, 0);
}

static void more_is_known_soon_of_what_is_tried_or_due(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[3];
    unsigned epoch;

    desk_accept(q, 3, 0, &m, r);
    assert_true(soon(q, &m)); /* never tried */
    desk_settle(q, &r[0], RCPT_BOUNCED, 550, DSN_ACT_FAILED);
    desk_settle(q, &r[1], RCPT_QUEUED, 450, DSN_ACT_NONE); /* its next try is later */
    assert_true(soon(q, &m));
    ok(q, queue_claim(q->s, r[2].id, "x", &epoch, &q->err));
    assert_true(soon(q, &m)); /* under way */
    ok(q, queue_unclaim(q->s, r[2].id, epoch, q->f.now, &q->err));
    desk_settle(q, &r[2], RCPT_DELIVERED, 250, DSN_ACT_NONE);
    assert_false(soon(q, &m));
    q->f.now += DAY_MS;
    assert_true(soon(q, &m)); /* due again */
}

static void what_waited_long_enough_is_found(void **state)
{
    struct q *q = *state;
    struct message m[3];
    struct recipient r[3][2];
    int64_t ids[4];

    for (int i = 0; i < 3; i++) {
        desk_accept(q, 2, 0, &m[i], r[i]);
        desk_settle(q, &r[i][0], RCPT_BOUNCED, 550, DSN_ACT_FAILED);
        q->f.now += HOUR_MS;
    }
    desk_settle(q, &r[1][1], RCPT_BOUNCED, 550, DSN_ACT_FAILED);
    assert_int_equal(queue_report_late(q->s, q->f.now - 90 * MINUTE_MS, ids, 4, &q->err), 2);
    assert_int_equal(ids[0], m[0].id);
    assert_int_equal(ids[1], m[1].id);
    assert_int_equal(queue_report_late(q->s, q->f.now - 90 * MINUTE_MS, ids, 1, &q->err), 1);
    ok(q, queue_report_done(q->s, m[0].id, &q->err));
    ok(q, queue_report_done(q->s, m[1].id, &q->err));
    assert_int_equal(queue_report_late(q->s, q->f.now - 90 * MINUTE_MS, ids, 4, &q->err), 0);
}

/* One notice for all that wait; each is told of it once. */
static void a_delay_is_told_once_and_of_all(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[4];

    desk_accept(q, 4, 0, &m, r);
    desk_settle(q, &r[0], RCPT_QUEUED, 450, DSN_ACT_NONE);
    desk_settle(q, &r[1], RCPT_QUEUED, 450, DSN_ACT_NONE);
    desk_settle(q, &r[2], RCPT_DELIVERED, 250, DSN_ACT_NONE);
    desk_settle(q, &r[0], RCPT_QUEUED, 450, DSN_ACT_DELAYED);
    struct told t = owed(q, &m);
    assert_int_equal(t.n, 2); /* r[3] was never tried: nothing is known of it */
    assert_int_equal(t.rows[1].action, DSN_ACT_DELAYED);
    assert_string_equal(t.rows[1].address, r[1].address);
    ok(q, queue_report_done(q->s, m.id, &q->err));
    desk_settle(q, &r[0], RCPT_QUEUED, 450, DSN_ACT_DELAYED);
    desk_settle(q, &r[1], RCPT_QUEUED, 450, DSN_ACT_DELAYED);
    assert_false(any(q, &m));
    desk_settle(q, &r[1], RCPT_EXPIRED, 450, DSN_ACT_FAILED);
    assert_int_equal(owed(q, &m).n, 1);
}

/* A notice that was not written yet is overtaken by the end. */
static void the_end_takes_the_place_of_a_delay(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[2];

    desk_accept(q, 2, 0, &m, r);
    desk_settle(q, &r[0], RCPT_QUEUED, 450, DSN_ACT_DELAYED);
    desk_settle(q, &r[0], RCPT_DELIVERED, 250, DSN_ACT_NONE);
    assert_false(any(q, &m));
}

static void late_mail_is_looked_for_once(void **state)
{
    static const unsigned notify[] = {0, DSN_DELAY, DSN_FAILURE, DSN_NEVER, 0, 0};
    struct q *q = *state;
    struct message m[6];
    struct recipient r[6];
    int64_t after = 0, ids[8];
    bool is_more;

    for (int i = 0; i < 6; i++) {
        desk_accept(q, 1, notify[i], &m[i], &r[i]);
        if (i != 4)
            desk_settle(q, &r[i], i == 5 ? RCPT_DELIVERED : RCPT_QUEUED, i == 5 ? 250 : 450,
                        DSN_ACT_NONE);
    }
    assert_int_equal(queue_report_delayed(q->s, q->f.now, &after, ids, 8, &is_more, &q->err),
                     0); /* not yet */
    q->f.now += 5 * HOUR_MS;
    int64_t before = q->f.now - 4 * HOUR_MS;
    assert_int_equal(queue_report_delayed(q->s, before, &after, ids, 1, &is_more, &q->err), 1);
    assert_true(is_more && ids[0] == m[0].id);
    assert_int_equal(queue_report_delayed(q->s, before, &after, ids, 8, &is_more, &q->err), 1);
    assert_true(!is_more && ids[0] == m[1].id);
    assert_int_equal(owed(q, &m[1]).n, 1);
    assert_int_equal(queue_report_delayed(q->s, before, &after, ids, 8, &is_more, &q->err), 0);
    after = 0; /* as after a restart */
    assert_int_equal(queue_report_delayed(q->s, before, &after, ids, 8, &is_more, &q->err), 0);
}

static void an_end_without_a_try_quotes_the_answer_before(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r;
    struct outcome o;
    bool done;

    desk_accept(q, 1, 0, &m, &r);
    desk_settle(q, &r, RCPT_QUEUED, 450, DSN_ACT_NONE);
    outcome_init(&o, OUTCOME_FAILED, STAGE_LOCAL);
    str_copy(STR("expired"), o.tag, sizeof(o.tag));
    struct queue_settle qs = fixture_settle(&q->f, &r, 0, RCPT_EXPIRED, &o);
    qs.report = DSN_ACT_FAILED;
    ok(q, queue_finish(q->s, &qs, &done, &q->err));
    struct told t = owed(q, &m);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.rows[0].outcome.stage, STAGE_LOCAL);
    assert_true(t.rows[0].has_before && !t.rows[0].is_returned);
    assert_int_equal(t.rows[0].before.code, 450);
}

/* --- bounces --- */

static uint64_t act(struct q *q, enum queue_verb verb, int64_t job, int64_t undo_id)
{
    struct filter f;

    ok(q, filter_parse(STR(""), q->f.now, &f, &q->err));
    struct queue_bulk b = {.verb = verb,
                           .filter = &f,
                           .now_wall_ms = q->f.now,
                           .job_id = job,
                           .undo_id = undo_id,
                           .who = "uid 1000",
                           .text = "Ask Bert.",
                           .due_wall_ms = q->f.now + QUEUE_UNDO_MS,
                           .until_wall_ms = q->f.now + QUEUE_KEPT_MS};
    for (int steps = 0; !b.is_done; steps++) {
        assert_true(steps < 100);
        ok(q, queue_bulk_step(q->s, &b, 2, NULL, NULL, &q->err));
    }
    filter_done(&f);
    return b.changed;
}

static uint64_t in_state(struct q *q, enum rcpt_state state)
{
    struct queue_totals t;

    ok(q, store_commit(q->s, &q->err)); /* counters are written then */
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_totals(q->s, &t, &q->err));
    return t.by_state[state];
}

struct rows {
    struct queue_returned r[8];
    size_t n;
};

static void take(void *arg, const struct queue_returned *row)
{
    struct rows *rows = arg;

    assert_true(rows->n < ARRAY_LEN(rows->r));
    rows->r[rows->n++] = *row;
}

static struct rows returned(struct q *q, int64_t now)
{
    struct rows rows = {0};

    ok(q, queue_returned(q->s, now, 8, take, &rows, &q->err));
    return rows;
}

static int64_t next(struct q *q)
{
    int64_t wall_ms;

    ok(q, queue_returned_next(q->s, q->f.now, &wall_ms, &q->err));
    return wall_ms;
}

static void a_bounce_is_due_when_its_time_is_over(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[3];
    struct outcome o;
    bool done;

    desk_accept(q, 3, DSN_FAILURE, &m, r);
    assert_int_equal(next(q), INT64_MAX);
    assert_int_equal(act(q, QUEUE_BOUNCE, 77, 0), 3);
    assert_int_equal(act(q, QUEUE_BOUNCE, 78, 0), 0); /* twice is once */
    assert_int_equal(in_state(q, RCPT_HELD), 3);
    assert_int_equal(next(q), q->f.now + QUEUE_UNDO_MS);
    assert_int_equal(returned(q, q->f.now + QUEUE_UNDO_MS - 1).n, 0);
    struct rows rows = returned(q, q->f.now + QUEUE_UNDO_MS);
    assert_int_equal(rows.n, 3);
    assert_int_equal(rows.r[0].rcpt_id, r[0].id);
    assert_int_equal(rows.r[0].message_id, m.id);
    assert_int_equal(rows.r[0].notify, DSN_FAILURE);
    assert_string_equal(rows.r[0].address, r[0].address);
    assert_string_equal(rows.r[0].text, "Ask Bert.");
    /* a clock that was set back by a day does not hold it for a day */
    assert_int_equal(returned(q, q->f.now - DAY_MS).n, 3);
    q->f.now += QUEUE_UNDO_MS;
    outcome_init(&o, OUTCOME_FAILED, STAGE_LOCAL);
    str_copy(STR(QUEUE_RETURNED_TAG), o.tag, sizeof(o.tag));
    for (int i = 0; i < 3; i++) {
        struct queue_settle qs = fixture_settle(&q->f, &r[i], 0, RCPT_BOUNCED, &o);
        qs.report = DSN_ACT_FAILED;
        ok(q, queue_return(q->s, &qs, &done, &q->err));
        assert_int_equal(done, i == 2);
    }
    assert_int_equal(returned(q, q->f.now).n, 0);
    assert_int_equal(next(q), INT64_MAX);
    struct told t = owed(q, &m);
    assert_int_equal(t.n, 3);
    assert_true(t.rows[0].is_returned && !t.rows[0].has_before);
    assert_int_equal(t.rows[0].last_wall_ms, 0);
    assert_int_equal(act(q, QUEUE_UNDO, 79, 77), 0);
}

/* An act of many chunks is due as a whole, counted from its last one. */
static void the_time_counts_from_the_last_chunk(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[4];
    struct filter f;

    desk_accept(q, 4, 0, &m, r);
    ok(q, filter_parse(STR(""), q->f.now, &f, &q->err));
    struct queue_bulk b = {
        .verb = QUEUE_BOUNCE, .filter = &f, .now_wall_ms = q->f.now, .job_id = 77};
    int64_t due = 0;
    for (int i = 0; !b.is_done; i++) {
        assert_true(i < 10);
        uint64_t before = b.changed;
        b.due_wall_ms = q->f.now + QUEUE_UNDO_MS + i * SECOND_MS;
        ok(q, queue_bulk_step(q->s, &b, 1, NULL, NULL, &q->err));
        if (b.changed > before)
            due = b.due_wall_ms;
    }
    filter_done(&f);
    assert_int_equal(due, q->f.now + QUEUE_UNDO_MS + 3 * SECOND_MS);
    assert_int_equal(next(q), due);
    assert_int_equal(returned(q, due - 1).n, 0);
    assert_int_equal(returned(q, due).n, 4);
}

static void an_undo_restores_what_each_one_was(void **state)
{
    struct q *q = *state;
    struct message m[3];
    struct recipient r[3];

    for (int i = 0; i < 3; i++)
        desk_accept(q, 1, 0, &m[i], &r[i]);
    desk_settle(q, &r[0], RCPT_UNCONFIRMED, 250, DSN_ACT_NONE);
    desk_settle(q, &r[1], RCPT_QUEUED, 450, DSN_ACT_NONE);
    ok(q, store_commit(q->s, &q->err));
    ok(q, store_begin(q->s, &q->err));
    struct queue_totals before, after;
    ok(q, queue_totals(q->s, &before, &q->err));
    assert_int_equal(act(q, QUEUE_BOUNCE, 77, 0), 3);
    assert_int_equal(act(q, QUEUE_UNDO, 78, 76), 0); /* another's */
    assert_int_equal(in_state(q, RCPT_HELD), 3);
    assert_int_equal(act(q, QUEUE_UNDO, 78, 77), 3);
    assert_int_equal(in_state(q, RCPT_HELD), 0);
    ok(q, queue_totals(q->s, &after, &q->err));
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(returned(q, q->f.now + HOUR_MS).n, 0);
    assert_int_equal(act(q, QUEUE_UNDO, 79, 77), 0);
}

/* Whatever takes it out of its hold: a later hold is not that bounce. */
static void release_and_delete_end_a_bounce(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[2];
    struct outcome o;
    bool done;

    desk_accept(q, 2, 0, &m, r);
    assert_int_equal(act(q, QUEUE_BOUNCE, 77, 0), 2);
    assert_int_equal(act(q, QUEUE_RELEASE, 78, 0), 2);
    assert_int_equal(act(q, QUEUE_HOLD, 79, 0), 2);
    assert_int_equal(returned(q, q->f.now + HOUR_MS).n, 0);
    assert_int_equal(act(q, QUEUE_BOUNCE, 80, 0), 2);
    assert_int_equal(act(q, QUEUE_REROUTE, 81, 0), 2); /* changes the way, not the bounce */
    assert_int_equal(returned(q, q->f.now + HOUR_MS).n, 2);
    assert_int_equal(act(q, QUEUE_DELETE, 82, 0), 2);
    assert_int_equal(returned(q, q->f.now + HOUR_MS).n, 0);
    outcome_init(&o, OUTCOME_FAILED, STAGE_LOCAL);
    struct queue_settle qs = fixture_settle(&q->f, &r[0], 0, RCPT_BOUNCED, &o);
    assert_int_equal(queue_return(q->s, &qs, &done, &q->err), -E_STATE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, desk_setup_begun, desk_teardown_begun)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_ended_is_owed_until_it_is_told),
        T(more_is_known_soon_of_what_is_tried_or_due),
        T(what_waited_long_enough_is_found),
        T(a_delay_is_told_once_and_of_all),
        T(the_end_takes_the_place_of_a_delay),
        T(late_mail_is_looked_for_once),
        T(an_end_without_a_try_quotes_the_answer_before),
        T(a_bounce_is_due_when_its_time_is_over),
        T(the_time_counts_from_the_last_chunk),
        T(an_undo_restores_what_each_one_was),
        T(release_and_delete_end_a_bounce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
