/* SPDX-License-Identifier: ISC */
/* One message: its record, its timeline, its text. */
#include "store/view_private.h"

#include "core/base/alloc.h"
#include "store/spool.h"

#define HEADER_BYTES_MAX (1u << 20)

int view_suppressions(struct view *v, int64_t now_wall_ms, unsigned limit,
                      void (*each)(void *arg, const struct queue_suppression *q), void *arg,
                      struct err *err)
{
    int rc = view_begin(v, err);

    if (!rc)
        rc = queue_suppressions(v->s, now_wall_ms, limit, each, arg, err);
    view_end(v);
    return rc;
}

int view_rules(struct view *v, unsigned limit,
               void (*each)(void *arg, const struct queue_rule *q), void *arg, struct err *err)
{
    int rc = view_begin(v, err);

    if (!rc)
        rc = queue_rules(v->s, limit, each, arg, err);
    view_end(v);
    return rc;
}

int view_message(struct view *v, int64_t message_id, struct message *out, struct err *err)
{
    int rc = view_begin(v, err);

    if (!rc)
        rc = queue_message(v->s, message_id, out, err);
    view_end(v);
    return rc;
}

/* The newest attempt of a recipient, 0 = none. */
static int newest_attempt(struct view *v, int64_t rcpt_id, int64_t *out, struct err *err)
{
    struct rcpt_now now;
    int rc = rcpt_now(v->s, rcpt_id, &now, err);

    *out = rc ? 0 : now.attempt_id;
    return rc;
}

/* Attempts are a chain from the newest back: the ids behind after_id, newest first. */
static int walk_back(struct view *v, int64_t newest, int64_t after_id, int64_t **ids, size_t *n,
                     struct err *err)
{
    size_t cap = 0;

    while (newest > after_id) {
        struct attempt_row a;
        int rc = attempt_get(v->s, newest, &a, err);

        if (rc)
            return rc == -(int)E_NOTFOUND ? 0 : rc;
        if (*n == cap) {
            cap = cap ? cap * 2 : 32;
            *ids = xreallocarray(*ids, cap, sizeof(**ids));
        }
        (*ids)[(*n)++] = newest;
        newest = a.prev < newest ? a.prev : 0; /* never in a circle */
    }
    return 0;
}

int view_attempts(struct view *v, int64_t rcpt_id, int64_t after_id, struct view_attempt *rows,
                  unsigned limit, struct err *err)
{
    int64_t newest = 0, *ids = NULL;
    size_t n = 0;
    unsigned got = 0;
    int rc = view_begin(v, err);

    if (!rc)
        rc = newest_attempt(v, rcpt_id, &newest, err);
    if (!rc)
        rc = walk_back(v, newest, after_id, &ids, &n, err);
    for (; !rc && got < limit && got < n; got++) {
        struct attempt_row a;

        rc = attempt_get(v->s, ids[n - 1 - got], &a, err);
        if (rc)
            break;
        rows[got] = (struct view_attempt){.id = a.id,
                                          .start_wall_ms = a.start_wall_ms,
                                          .duration_ms = a.duration_ms,
                                          .delays = a.delays,
                                          .outcome = a.outcome,
                                          .number = a.number};
    }
    free(ids);
    view_end(v);
    return rc ? rc : (int)got;
}

int view_header(struct view *v, int64_t message_id, struct buf *out, struct err *err)
{
    int rc = view_begin(v, err);

    if (!rc)
        rc = spool_read_header(v->s, message_id, HEADER_BYTES_MAX, out, err);
    view_end(v);
    return rc;
}

int view_body(struct view *v, int64_t message_id, unsigned seq, struct buf *out, struct err *err)
{
    int rc = view_begin(v, err);

    if (!rc)
        rc = spool_read(v->s, message_id, seq, out, err);
    view_end(v);
    return rc;
}
