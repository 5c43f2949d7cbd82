/* SPDX-License-Identifier: ISC */
/* Taking acts back: what is restored, what is left alone, what is kept for it and how long. */
#include "store/spool.h"
#include "store/store_private.h"
#include "tests/unit/store/desk.h"

static struct rcpt_now look(struct q *q, const struct recipient *r)
{
    struct rcpt_now now;

    ok(q, rcpt_now(q->s, r->id, &now, &q->err));
    return now;
}

/* An act over everything, two rows a chunk; *skipped may be NULL. */
static uint64_t act(struct q *q, enum queue_verb verb, int64_t job, int64_t undo_id,
                    uint64_t *skipped)
{
    struct filter f;

    ok(q, filter_parse(STR(""), q->f.now, &f, &q->err));
    struct queue_bulk b = {.verb = verb,
                           .filter = &f,
                           .now_wall_ms = q->f.now,
                           .job_id = job,
                           .undo_id = undo_id,
                           .reason = "why",
                           .via = "relay office",
                           .due_wall_ms = q->f.now + QUEUE_UNDO_MS,
                           .until_wall_ms = q->f.now + QUEUE_KEPT_MS};
    for (int steps = 0; !b.is_done; steps++) {
        assert_true(steps < 100);
        ok(q, queue_bulk_step(q->s, &b, 2, NULL, NULL, &q->err));
    }
    filter_done(&f);
    if (skipped)
        *skipped = b.skipped;
    return b.changed;
}

static struct queue_totals totals(struct q *q)
{
    struct queue_totals t;

    ok(q, store_commit(q->s, &q->err)); /* counters are written then */
    ok(q, store_begin(q->s, &q->err));
    ok(q, queue_totals(q->s, &t, &q->err));
    return t;
}

static bool has_body(struct q *q, const struct message *m)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    return spool_read(q->s, m->id, 0, &b, &q->err) == 0 && b.n > 0;
}

/* Two waiting for their next try, one held, one unconfirmed. */
static void four_states(struct q *q, struct message *m, struct recipient *r)
{
    struct filter f;

    for (int i = 0; i < 4; i++)
        desk_accept(q, 1, 0, &m[i], &r[i]);
    desk_settle(q, &r[0], RCPT_QUEUED, 450, DSN_ACT_NONE);
    desk_settle(q, &r[1], RCPT_QUEUED, 450, DSN_ACT_NONE);
    desk_settle(q, &r[3], RCPT_UNCONFIRMED, 250, DSN_ACT_NONE);
    char id[ID_TEXT_MAX], text[40];
    snprintf(text, sizeof(text), "id:%s", id_text(m[2].id, id));
    ok(q, filter_parse(str_of(text), q->f.now, &f, &q->err));
    struct queue_bulk b = {.verb = QUEUE_HOLD, .filter = &f, .now_wall_ms = q->f.now, .job_id = 5};
    ok(q, queue_bulk_step(q->s, &b, 10, NULL, NULL, &q->err));
    assert_int_equal(b.changed, 1);
    filter_done(&f);
}

static void each_act_can_be_taken_back(void **state)
{
    static const struct {
        enum queue_verb verb;
        unsigned n;
    } rows[] = {{QUEUE_RETRY, 2},  {QUEUE_HOLD, 3},    {QUEUE_RELEASE, 1},
                {QUEUE_DELETE, 4}, {QUEUE_REROUTE, 4}, {QUEUE_BOUNCE, 4}};
    struct q *q = *state;
    struct message m[4];
    struct recipient r[4];
    struct rcpt_now was[4];

    four_states(q, m, r);
    for (int i = 0; i < 4; i++)
        was[i] = look(q, &r[i]);
    struct queue_totals before = totals(q);
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        int64_t job = 100 + 10 * (int64_t)k;
        assert_int_equal(act(q, rows[k].verb, job, 0, NULL), rows[k].n);
        assert_int_equal(act(q, QUEUE_UNDO, job + 1, job - 1, NULL), 0); /* another's */
        assert_int_equal(act(q, QUEUE_UNDO, job + 2, job, NULL), rows[k].n);
        for (int i = 0; i < 4; i++) {
            struct rcpt_now now = look(q, &r[i]);
            assert_int_equal(now.state, was[i].state);
            assert_int_equal(now.next_wall_ms, was[i].next_wall_ms);
            assert_int_equal(now.attempt_id, was[i].attempt_id);
            assert_int_equal(now.tries, was[i].tries);
            assert_true(has_body(q, &m[i]));
        }
        struct queue_totals after = totals(q);
        assert_memory_equal(&before, &after, sizeof(before));
        assert_int_equal(act(q, QUEUE_UNDO, job + 3, job, NULL), 0); /* twice is once */
    }
}

static void what_was_tried_since_is_left_alone(void **state)
{
    struct q *q = *state;
    struct message m[2];
    struct recipient r[2];
    uint64_t skipped;

    for (int i = 0; i < 2; i++) {
        desk_accept(q, 1, 0, &m[i], &r[i]);
        desk_settle(q, &r[i], RCPT_QUEUED, 450, DSN_ACT_NONE);
    }
    int64_t next = look(q, &r[1]).next_wall_ms;
    assert_int_equal(act(q, QUEUE_RETRY, 10, 0, NULL), 2);
    assert_true(look(q, &r[1]).next_wall_ms < next);
    q->f.now += MINUTE_MS;
    desk_settle(q, &r[0], RCPT_QUEUED, 450, DSN_ACT_NONE);
    int64_t tried = look(q, &r[0]).next_wall_ms;
    assert_int_equal(act(q, QUEUE_UNDO, 11, 10, &skipped), 1);
    assert_int_equal(skipped, 1);
    assert_int_equal(look(q, &r[0]).next_wall_ms, tried);
    assert_int_equal(look(q, &r[1]).next_wall_ms, next);
}

/* The last act on each recipient is the one that can be undone; then the one before. */
static void acts_are_undone_in_turn(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[3];
    uint64_t skipped;

    desk_accept(q, 3, 0, &m, r);
    assert_int_equal(act(q, QUEUE_HOLD, 10, 0, NULL), 3);
    assert_int_equal(act(q, QUEUE_DELETE, 11, 0, NULL), 3);
    assert_int_equal(act(q, QUEUE_UNDO, 12, 10, &skipped), 0);
    assert_int_equal(skipped, 3);
    assert_int_equal(act(q, QUEUE_UNDO, 13, 11, NULL), 3);
    assert_int_equal(look(q, &r[0]).state, RCPT_HELD);
    assert_int_equal(act(q, QUEUE_UNDO, 14, 10, NULL), 3);
    assert_int_equal(look(q, &r[0]).state, RCPT_QUEUED);
}

static void a_deleted_body_is_kept_for_the_undo(void **state)
{
    struct q *q = *state;
    struct message m, other;
    struct recipient r[2], o;

    desk_accept(q, 2, 0, &m, r);
    desk_accept(q, 1, 0, &other, &o);
    desk_settle(q, &o, RCPT_DELIVERED, 250, DSN_ACT_NONE);
    assert_false(has_body(q, &other));
    assert_int_equal(act(q, QUEUE_DELETE, 10, 0, NULL), 2);
    assert_int_equal(totals(q).messages, 0);
    assert_int_equal(totals(q).bytes, 0);
    assert_true(has_body(q, &m));
    q->f.now += QUEUE_KEPT_MS - 1;
    assert_int_equal(queue_undo_purge(q->s, q->f.now, 10, &q->err), 0);
    assert_true(has_body(q, &m));
    q->f.now += 1;
    assert_int_equal(act(q, QUEUE_UNDO, 11, 10, NULL), 0);
    assert_true(queue_undo_purge(q->s, q->f.now, 10, &q->err) > 0);
    assert_false(has_body(q, &m));
    assert_int_equal(queue_undo_purge(q->s, q->f.now, 10, &q->err), 0);
}

/* Another recipient ends the message meanwhile: the body is still wanted; and what came back keeps it. */
static void a_body_outlives_the_last_open_recipient(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r[2];
    unsigned epoch;

    desk_accept(q, 2, 0, &m, r);
    ok(q, queue_claim(q->s, r[0].id, "x", &epoch, &q->err));
    assert_int_equal(act(q, QUEUE_DELETE, 10, 0, NULL), 1); /* not what is under way */
    ok(q, queue_unclaim(q->s, r[0].id, epoch, q->f.now, &q->err));
    desk_settle(q, &r[0], RCPT_DELIVERED, 250, DSN_ACT_NONE);
    assert_true(has_body(q, &m));
    assert_int_equal(act(q, QUEUE_UNDO, 11, 10, NULL), 1);
    assert_int_equal(totals(q).messages, 1);
    q->f.now += QUEUE_KEPT_MS;
    assert_true(queue_undo_purge(q->s, q->f.now, 10, &q->err) > 0);
    assert_true(has_body(q, &m));
    desk_settle(q, &r[1], RCPT_DELIVERED, 250, DSN_ACT_NONE);
    assert_false(has_body(q, &m));
}

static void old_acts_go_a_few_rows_at_a_time(void **state)
{
    struct q *q = *state;
    struct message m[5];
    struct recipient r[5];
    int n, rounds = 0;

    for (int i = 0; i < 5; i++)
        desk_accept(q, 1, 0, &m[i], &r[i]);
    assert_int_equal(act(q, QUEUE_DELETE, 10, 0, NULL), 5);
    while ((n = queue_undo_purge(q->s, q->f.now + HOUR_MS, 2, &q->err)) > 0) {
        assert_true(n <= 3);
        assert_true(++rounds < 20);
    }
    ok(q, n);
    for (int i = 0; i < 5; i++)
        assert_false(has_body(q, &m[i]));
    /* a clock that was set back by a day does not keep what is there for a day */
    desk_accept(q, 1, 0, &m[0], &r[0]);
    assert_int_equal(act(q, QUEUE_HOLD, 11, 0, NULL), 1);
    assert_int_equal(queue_undo_purge(q->s, q->f.now, 10, &q->err), 0);
    assert_true(queue_undo_purge(q->s, q->f.now - DAY_MS, 10, &q->err) > 0);
}

static void a_dry_run_undoes_nothing(void **state)
{
    struct q *q = *state;
    struct message m;
    struct recipient r;
    struct filter f;

    desk_accept(q, 1, 0, &m, &r);
    assert_int_equal(act(q, QUEUE_HOLD, 10, 0, NULL), 1);
    ok(q, filter_parse(STR(""), q->f.now, &f, &q->err));
    struct queue_bulk b = {.verb = QUEUE_UNDO,
                           .filter = &f,
                           .now_wall_ms = q->f.now,
                           .undo_id = 10,
                           .is_dry_run = true};
    ok(q, queue_bulk_step(q->s, &b, 10, NULL, NULL, &q->err));
    filter_done(&f);
    assert_int_equal(b.changed, 1);
    assert_int_equal(look(q, &r).state, RCPT_HELD);
}

/* --- rules --- */

static void take_rule(void *arg, const struct queue_rule *row)
{
    *(struct queue_rule *)arg = *row;
}

/* At acceptance a rule sees that message alone; its end releases what it holds, and nothing else. */
static void a_rule_holds_what_comes_and_lets_it_go(void **state)
{
    struct q *q = *state;
    struct message m[3];
    struct recipient r[3][2];
    struct queue_rule rule = {.id = 50, .verb = QUEUE_HOLD, .until_wall_ms = q->f.now + HOUR_MS},
                      back = {0};
    struct filter f;

    str_copy(STR("to:u1@"), rule.filter, sizeof(rule.filter));
    str_copy(STR("they move"), rule.reason, sizeof(rule.reason));
    ok(q, filter_parse(str_of(rule.filter), q->f.now, &f, &q->err));
    ok(q, queue_rule_add(q->s, &rule, &q->err));
    for (int i = 0; i < 3; i++)
        desk_accept(q, 2, 0, &m[i], r[i]);
    ok(q, queue_rule_apply(q->s, &rule, &f, q->f.now, r[1], 2, &q->err));
    assert_int_equal(look(q, &r[0][1]).state, RCPT_QUEUED);
    assert_int_equal(look(q, &r[1][0]).state, RCPT_QUEUED);
    assert_int_equal(look(q, &r[1][1]).state, RCPT_HELD);
    assert_int_equal(look(q, &r[2][1]).state, RCPT_QUEUED);
    ok(q, queue_rules(q->s, 8, take_rule, &back, &q->err));
    assert_int_equal(back.hits, 1);
    assert_string_equal(back.reason, "they move");
    assert_string_equal(back.filter, "to:u1@");
    assert_int_equal(back.until_wall_ms, rule.until_wall_ms);
    filter_done(&f);
    /* all others are held by hand */
    assert_int_equal(act(q, QUEUE_HOLD, 60, 0, NULL), 5);
    ok(q, filter_parse(STR(""), q->f.now, &f, &q->err));
    struct queue_bulk b = {
        .verb = QUEUE_RELEASE, .filter = &f, .now_wall_ms = q->f.now, .job_id = 70, .rule_id = 50};
    ok(q, queue_bulk_step(q->s, &b, 100, NULL, NULL, &q->err));
    filter_done(&f);
    assert_int_equal(b.changed, 1);
    assert_int_equal(look(q, &r[1][1]).state, RCPT_QUEUED);
    assert_int_equal(look(q, &r[0][0]).state, RCPT_HELD);
    ok(q, queue_rule_drop(q->s, 50, &q->err));
    back.hits = 0;
    ok(q, queue_rules(q->s, 8, take_rule, &back, &q->err));
    assert_int_equal(back.hits, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, desk_setup_begun, desk_teardown_begun)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_act_can_be_taken_back),
        T(what_was_tried_since_is_left_alone),
        T(acts_are_undone_in_turn),
        T(a_deleted_body_is_kept_for_the_undo),
        T(a_body_outlives_the_last_open_recipient),
        T(old_acts_go_a_few_rows_at_a_time),
        T(a_dry_run_undoes_nothing),
        T(a_rule_holds_what_comes_and_lets_it_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
