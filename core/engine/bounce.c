/* SPDX-License-Identifier: ISC */
#include "core/engine/bounce.h"

#include "core/base/alloc.h"
#include "core/engine/report.h"
#include "core/engine/schedule.h"
#include "core/engine/submit.h"
#include "core/mail/logline.h"
#include "store/queue.h"

/* Messages and recipients in one transaction. */
#define ROUND_MESSAGES 50u
#define ROUND_RCPTS    1000u
#define LOOK_MS        MINUTE_MS

struct bounce {
    struct engine *engine; /* borrowed */
    struct io_timer *timer;
    int64_t due_wall_ms; /* when the timer fires; INT64_MAX = it is not set */
    bool is_running;     /* a round is in the store's hands */
    int64_t notice_id;   /* recipients up to here were looked at whether they are late */
};

/* One look: what is due is ended and reported. */
struct round {
    struct ejob job;
    int64_t now_wall_ms;
    int64_t notice_wall_ms;      /* what arrived before is late; 0 = nobody is told of that */
    int64_t after_id, notice_id; /* bounce.notice_id, before and behind this round */
    struct report *reports[ROUND_MESSAGES]; /* own */
    int64_t attempt_ids[ROUND_RCPTS];
    struct queue_returned *rows; /* own */
    size_t rows_n;
    /* what came of it */
    size_t reports_n, ended;
    bool is_news; /* there is new mail: reports */
    bool is_more;
    int64_t next_wall_ms;
};

static void take_row(void *arg, const struct queue_returned *row)
{
    struct round *r = arg;
    r->rows[r->rows_n++] = *row;
}

/* --- in the store's thread --- */

static void say_returned(const struct queue_returned *row, struct outcome *o)
{
    outcome_init(o, OUTCOME_FAILED, STAGE_LOCAL);
    str_copy(STR("5.3.0"), o->enhanced, sizeof o->enhanced);
    str_copy(STR(QUEUE_RETURNED_TAG), o->tag, sizeof o->tag);
    snprintf(o->text, sizeof o->text, DSN_RETURNED "%s%s", row->text[0] ? ": " : "", row->text);
}

static int return_one(struct round *r, size_t i, const struct message *original, struct store *st,
                      struct err *err)
{
    static const struct delays none;
    const struct queue_returned *row = &r->rows[i];
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    struct outcome o;
    bool is_done;
    say_returned(row, &o);
    logline_attempt(&line, row->message_id, row->address, row->orcpt, &o, LOG_BOUNCED, &none,
                    r->now_wall_ms - row->arrival_wall_ms);
    struct queue_settle q = {
        .attempt_id = r->attempt_ids[i],
        .rcpt_id = row->rcpt_id,
        .message_id = row->message_id,
        .state = RCPT_BOUNCED,
        .start_wall_ms = r->now_wall_ms,
        .delays = &none,
        .outcome = &o,
        .site = row->site,
        .log_line = buf_str(&line),
        .report =
            report_action(original->class, original->reverse_path, row->notify, DSN_ACT_FAILED),
    };
    int rc = queue_return(st, &q, &is_done, err);
    if (rc >= 0)
        r->ended++;
    return rc < 0 && err_is_store(err) ? rc : 0;
}

/* Rows from..to are of one message. */
static int return_message(struct round *r, size_t from, size_t to, struct store *st,
                          struct err *err)
{
    struct message original;
    struct report *report = r->reports[r->reports_n++];
    int rc = queue_message(st, r->rows[from].message_id, &original, err);
    report_about(report, r->rows[from].message_id);
    if (rc >= 0)
        rc = report_begin(report, st, true, err);
    for (size_t i = from; rc >= 0 && i < to; i++)
        rc = return_one(r, i, &original, st, err);
    return rc < 0 ? rc : report_end(report, st, err);
}

static int return_due(struct round *r, struct store *st, struct err *err)
{
    r->rows = xreallocarray(r->rows, ROUND_RCPTS, sizeof *r->rows);
    int rc = queue_returned(st, r->now_wall_ms, ROUND_RCPTS, take_row, r, err);
    size_t from = 0;
    while (rc >= 0 && from < r->rows_n && r->reports_n < ROUND_MESSAGES) {
        size_t to = from + 1;
        while (to < r->rows_n && r->rows[to].message_id == r->rows[from].message_id)
            to++;
        /* A message that may go on behind the last row is left for the next round, whole. */
        if (to == ROUND_RCPTS && from > 0)
            break;
        rc = return_message(r, from, to, st, err);
        from = to;
    }
    r->is_more = from < r->rows_n || r->rows_n == ROUND_RCPTS;
    return rc;
}

static int report_all(struct round *r, const int64_t *ids, int n, struct store *st, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc >= 0 && i < n; i++) {
        struct report *report = r->reports[r->reports_n++];
        report_about(report, ids[i]);
        rc = report_begin(report, st, false, err);
        if (rc >= 0)
            rc = report_late(report, st, err);
    }
    return rc;
}

/* What waited for more news of its message long enough. */
static int report_owed(struct round *r, struct store *st, struct err *err)
{
    int64_t ids[ROUND_MESSAGES];
    unsigned room = (unsigned)(ROUND_MESSAGES - r->reports_n);
    int n = queue_report_late(st, r->now_wall_ms - REPORT_WAIT_MS, ids, room, err);
    r->is_more |= n > 0 && (unsigned)n == room;
    return n < 0 ? n : report_all(r, ids, n, st, err);
}

/* What has become late since the last look. A try that is long in coming must not keep its notice back; what
 * is under way or held now is noticed with its next try. */
static int report_delayed(struct round *r, struct store *st, struct err *err)
{
    int64_t ids[ROUND_MESSAGES];
    unsigned room = (unsigned)(ROUND_MESSAGES - r->reports_n);
    bool is_more = false;
    if (r->notice_wall_ms == 0 || room == 0)
        return 0;
    int n = queue_report_delayed(st, r->notice_wall_ms, &r->notice_id, ids, room, &is_more, err);
    r->is_more |= is_more;
    return n < 0 ? n : report_all(r, ids, n, st, err);
}

static int round_run(struct store_job *base, struct store *st, struct err *err)
{
    struct round *r = container_of(base, struct round, job.base);
    r->rows_n = r->reports_n = r->ended = 0; /* it may run again */
    r->notice_id = r->after_id;
    int rc = return_due(r, st, err);
    if (rc >= 0)
        rc = report_owed(r, st, err);
    if (rc >= 0)
        rc = report_delayed(r, st, err);
    if (rc >= 0)
        rc = queue_returned_next(st, r->now_wall_ms, &r->next_wall_ms, err);
    for (size_t i = 0; i < r->reports_n; i++)
        r->is_news |= report_is_written(r->reports[i]);
    return rc;
}

/* --- in the engine's --- */

static bool round_done(struct ejob *job, int rc, const struct err *err)
{
    struct round *r = container_of(job, struct round, job);
    struct engine *e = job->engine;
    struct bounce *b = e->bounce;
    int64_t now = io_wall_ms(e->io);
    b->is_running = false;
    b->due_wall_ms = INT64_MAX;
    if (rc < 0) {
        if (!err_is_store(err))
            log_error(e->log, "report", "%s", err->text);
        bounce_due_at(b, now + LOOK_MS);
        return false;
    }
    b->notice_id = r->notice_id;
    if (r->ended > 0) {
        meter_add(&e->bounced, io_mono_ms(e->io), r->ended);
        log_notice(e->log, "control", "%zu recipients were returned to their senders", r->ended);
    }
    if (r->is_news)
        schedule_touch(e->schedule);
    bounce_due_at(b, r->is_more ? now : r->next_wall_ms);
    return false;
}

static void round_free(struct ejob *job)
{
    struct round *r = container_of(job, struct round, job);
    for (size_t i = 0; i < ROUND_MESSAGES; i++)
        report_free(r->reports[i]);
    free(r->rows);
    free(r);
}

static void fired(void *arg)
{
    struct bounce *b = arg;
    struct engine *e = b->engine;
    b->due_wall_ms = INT64_MAX;
    if (!engine_delivers(e)) {
        bounce_due_at(b, io_wall_ms(e->io) + LOOK_MS);
        return;
    }
    struct round *r = xnew(struct round);
    r->now_wall_ms = io_wall_ms(e->io);
    r->after_id = b->notice_id;
    if (e->conf->retry.delay_notice_ms > 0)
        r->notice_wall_ms = r->now_wall_ms - e->conf->retry.delay_notice_ms;
    for (size_t i = 0; i < ROUND_MESSAGES; i++)
        r->reports[i] = report_new(e, 0);
    for (size_t i = 0; i < ROUND_RCPTS; i++)
        r->attempt_ids[i] = idgen_next(&e->ids, r->now_wall_ms);
    r->job.base.run = round_run;
    r->job.done = round_done;
    r->job.free = round_free;
    b->is_running = true;
    ejob_submit(e, &r->job, STORE_JOB_WRITE);
}

void bounce_due_at(struct bounce *b, int64_t wall_ms)
{
    struct engine *e = b->engine;
    int64_t now = io_wall_ms(e->io);
    /* At least once a minute: for reports that wait, and for a clock that was set. */
    if (wall_ms > now + LOOK_MS)
        wall_ms = now + LOOK_MS;
    if (b->is_running || wall_ms >= b->due_wall_ms)
        return;
    b->due_wall_ms = wall_ms;
    e->io->ops->timer_start(b->timer, wall_ms > now ? wall_ms - now : 0);
}

void bounce_start(struct bounce *b)
{
    bounce_due_at(b, io_wall_ms(b->engine->io));
}

struct bounce *bounce_new(struct engine *e)
{
    struct bounce *b = xnew(struct bounce);
    b->engine = e;
    b->due_wall_ms = INT64_MAX;
    b->timer = e->io->ops->timer_new(e->io, fired, b);
    return b;
}

void bounce_free(struct bounce *b)
{
    b->engine->io->ops->timer_free(b->timer);
    free(b);
}
