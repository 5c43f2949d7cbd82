/* SPDX-License-Identifier: ISC */
/* The suppression list as it is kept. */
#include "tests/unit/store/desk.h"

static void add(struct q *q, const char *key, const char *reason, int64_t until)
{
    struct queue_suppression one = {.made_wall_ms = q->f.now, .until_wall_ms = until};

    str_copy(str_of(key), one.key, sizeof(one.key));
    str_copy(str_of(reason), one.reason, sizeof(one.reason));
    str_copy(STR("uid 1000"), one.source, sizeof(one.source));
    ok(q, queue_suppress(q->s, &one, &q->err));
}

struct rows {
    struct queue_suppression r[8];
    size_t n;
};

static void take(void *arg, const struct queue_suppression *row)
{
    struct rows *rows = arg;

    assert_true(rows->n < ARRAY_LEN(rows->r));
    rows->r[rows->n++] = *row;
}

static struct rows all(struct q *q, int64_t now, unsigned limit)
{
    struct rows rows = {0};

    ok(q, queue_suppressions(q->s, now, limit, take, &rows, &q->err));
    return rows;
}

static void what_is_added_is_listed_until_it_ends(void **state)
{
    struct q *q = *state;

    add(q, "example.net", "closed", 0);
    add(q, "bob@example.com", "left", q->f.now + HOUR_MS);
    struct rows rows = all(q, q->f.now, 8);
    assert_int_equal(rows.n, 2);
    assert_string_equal(rows.r[0].key, "bob@example.com");
    assert_string_equal(rows.r[0].reason, "left");
    assert_string_equal(rows.r[0].source, "uid 1000");
    assert_int_equal(rows.r[0].made_wall_ms, q->f.now);
    assert_int_equal(rows.r[0].until_wall_ms, q->f.now + HOUR_MS);
    assert_int_equal(rows.r[1].until_wall_ms, 0);
    assert_int_equal(all(q, q->f.now, 1).n, 1);
    assert_int_equal(all(q, q->f.now + HOUR_MS, 8).n, 1);
    ok(q, queue_suppress_expire(q->s, q->f.now + HOUR_MS, &q->err));
    assert_int_equal(all(q, q->f.now, 8).n, 1);
    ok(q, queue_unsuppress(q->s, "example.net", &q->err));
    assert_int_equal(all(q, q->f.now, 8).n, 0);
}

/* Who is named anew keeps what was counted. */
static void hits_are_counted_and_kept(void **state)
{
    struct q *q = *state;

    add(q, "bob@example.com", "left", 0);
    ok(q, queue_suppress_hit(q->s, "bob@example.com", 3, q->f.now + 5, &q->err));
    ok(q, queue_suppress_hit(q->s, "bob@example.com", 4, q->f.now + 6, &q->err));
    ok(q, queue_suppress_hit(q->s, "nobody@example.com", 4, q->f.now, &q->err));
    add(q, "bob@example.com", "left for good", q->f.now + HOUR_MS);
    struct rows rows = all(q, q->f.now, 8);
    assert_int_equal(rows.n, 1);
    assert_int_equal(rows.r[0].hits, 7);
    assert_int_equal(rows.r[0].last_wall_ms, q->f.now + 6);
    assert_string_equal(rows.r[0].reason, "left for good");
}

#define T(f) cmocka_unit_test_setup_teardown(f, desk_setup_begun, desk_teardown_begun)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_added_is_listed_until_it_ends),
        T(hits_are_counted_and_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
