/* SPDX-License-Identifier: ISC */
/*
 * Where the console's data comes from: the store's views, the engine's control socket, the checks.
 * feed_store.c is the real one; the screen tests have a fake with fixed rows.
 *
 * A feed belongs to one thread (a worker's); only interrupt may be called from another. All calls
 * may block for a while. Errors as everywhere: 0 or a negative code, and *err.
 */
#ifndef TUI_FEED_H
#define TUI_FEED_H

#include "core/ctl/proto.h"
#include "store/view.h"

enum feed_check_status { FEED_CHECK_OK, FEED_CHECK_WARN, FEED_CHECK_FAIL, FEED_CHECK_UNKNOWN };

/* One check's result, with all that an operator needs of it. Texts may hold remote bytes. */
struct feed_check {
    char name[24];     /* "resolver", "port 25" */
    int status;        /* enum feed_check_status */
    char summary[300]; /* one line */
    char what[600], why[600], seen[1200], fix[600];
    int64_t took_ms;
};

struct feed_ops {
    int64_t (*version)(void *arg);
    int (*rows)(void *arg, const struct view_query *q, const struct view_cursor *at, bool is_back,
                struct view_row *rows, unsigned limit, struct err *err);
    int (*count)(void *arg, const struct view_query *q, uint64_t *out, struct err *err);
    int (*groups)(void *arg, const struct view_query *q, enum view_group by,
                  struct view_group_row *rows, unsigned limit, struct err *err);
    int (*totals)(void *arg, struct queue_totals *out, struct err *err);
    int (*message)(void *arg, int64_t message_id, struct message *out, struct err *err);
    int (*recipients)(void *arg, int64_t message_id, int64_t after_id, struct view_row *rows,
                      unsigned limit, struct err *err);
    int (*attempts)(void *arg, int64_t rcpt_id, int64_t after_id, struct view_attempt *rows,
                    unsigned limit, struct err *err);
    /* What that try did; E_NOTFOUND when it is not kept. */
    int (*transcript)(void *arg, int64_t attempt_id, struct buf *out, struct err *err);
    int (*header)(void *arg, int64_t message_id, struct buf *out, struct err *err);
    int (*log_back)(void *arg, const struct view_log_query *q, int64_t before_id, unsigned limit,
                    int64_t budget_ms, struct view_log_page *out, struct err *err);
    int (*log_forward)(void *arg, const struct view_log_query *q, int64_t after_id, unsigned limit,
                       int64_t budget_ms, struct view_log_page *out, struct err *err);
    int (*log_count)(void *arg, const struct view_log_query *q, int64_t budget_ms, uint64_t *out,
                     bool *is_cut, struct err *err);
    /* One request to the engine. is_waiting: an act's job is waited for (a short while). */
    int (*call)(void *arg, const struct ctl_request *req, bool is_waiting, struct ctl_reply *out,
                struct err *err);
    /* Run all checks; each result is told as it comes. Returns when all are there. */
    int (*check)(void *arg, void (*result)(void *to, const struct feed_check *c), void *to,
                 struct err *err);
    void (*interrupt)(void *arg); /* any thread: the running call ends soon with E_STATE */
    void (*close)(void *arg);
};

struct feed {
    const struct feed_ops *ops;
    void *arg; /* own: ops->close */
};

/* Opens a feed for one thread. Never fails: a feed that has no store answers with the error, and
 * tries again with the next call. */
struct feed_source {
    struct feed (*open)(const void *arg);
    const void *arg; /* borrowed */
};

struct console_conf;
/* The real one; c is borrowed as long as the source and its feeds live. */
struct feed_source feed_source_store(const struct console_conf *c);

#endif
