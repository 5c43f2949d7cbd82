/* SPDX-License-Identifier: ISC */
/* A writer's store in a directory of its own, for one test each. */
#ifndef TESTS_STORE_DESK_H
#define TESTS_STORE_DESK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/store/fixture.h"

struct q {
    struct fixture f;
    struct store *s;
    struct err err;
};

static inline int desk_setup(void **state)
{
    struct q *q = xnew(struct q);

    fixture_init(&q->f);
    if (store_open(q->f.dir, STORE_WRITER, &q->s, &q->err)) {
        print_error("%s\n", q->err.text);
        return 1;
    }
    *state = q;
    return 0;
}

static inline int desk_teardown(void **state)
{
    struct q *q = *state;

    store_close(q->s);
    fixture_remove(q->f.dir);
    free(q);
    return 0;
}

/* The same with a transaction around the test. */
static inline int desk_setup_begun(void **state)
{
    int rc = desk_setup(state);
    struct q *q = *state;

    return rc ? rc : store_begin(q->s, &q->err);
}

static inline int desk_teardown_begun(void **state)
{
    struct q *q = *state;

    if (store_commit(q->s, &q->err))
        print_error("%s\n", q->err.text);
    return desk_teardown(state);
}

#define ok(q, call)                                                                                \
    do {                                                                                           \
        int ok_rc = (call);                                                                        \
        if (ok_rc)                                                                                 \
            fail_msg("%s: %d %s", #call, ok_rc, (q)->err.text);                                    \
    } while (0)

/* A message with a body, accepted. */
static inline void desk_accept(struct q *q, size_t n, unsigned notify, struct message *m,
                               struct recipient *r)
{
    fixture_mail(&q->f, "example.net", n, 25, m, r);
    for (size_t i = 0; i < n; i++)
        r[i].notify = notify;
    ok(q, queue_put_chunk(q->s, m->id, 0, STR("Subject: x\r\n\r\nbody line\r\n"), &q->err));
    ok(q, queue_accept(q->s, m, r, n, &q->err));
}

/* Claimed, and settled by that reply. */
static inline void desk_settle(struct q *q, const struct recipient *r, enum rcpt_state to, int code,
                               enum dsn_action report)
{
    struct outcome o;
    unsigned epoch;
    bool done;

    ok(q, queue_claim(q->s, r->id, "mx1.example.net", &epoch, &q->err));
    fixture_outcome(&o, code, code < 300 ? "queued as 4711" : "no");
    struct queue_settle qs = fixture_settle(&q->f, r, epoch, to, &o);
    qs.report = report;
    ok(q, queue_settle(q->s, &qs, &done, &q->err));
}

#endif
