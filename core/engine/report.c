/* SPDX-License-Identifier: ISC */
#include "core/engine/report.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/work.h"
#include "core/mail/header.h"
#include "core/mail/logline.h"
#include "core/mail/mime.h"
#include "core/mail/retry.h"
#include "store/queue.h"
#include "store/spool.h"

/* Of the original's header at most; a report must not be a way to send large things. */
#define QUOTE_MAX (64u * 1024)
/* The whole message comes back when it is not larger than that, and the sender did not say RET=HDRS.
 * Postfix's bounce_size_limit. */
#define RETURN_MAX 50000u
/* The same when the sender asked for all of it (RET=FULL). */
#define RETURN_ASKED_MAX (1024u * 1024)
#define FROSTS_MAX 16u
/* Recipients in one report. */
#define RCPTS_MAX 1000u

#define ORIGIN        "engine"
#define ORIGIN_DOUBLE "engine, a report about a report"

struct report {
    int64_t original_id;
    int64_t message_id, rcpt_id; /* of the report */
    int64_t line_id;             /* of the log line that links both */
    int64_t now_wall_ms;
    uint64_t random;
    const struct conf *conf;  /* borrowed: lives as long as the engine */
    struct message *original; /* own; NULL = nothing is owed */
    struct buf quoted;        /* its header, or all of it */
    bool is_full;
    int64_t excused_ms; /* of its lifetime: while we were the problem */
    struct queue_told *told; /* own */
    size_t n, cap;
    bool is_written;
};

enum dsn_action report_action(enum msg_class class, const char *reverse_path, unsigned notify,
                              enum dsn_action action)
{
    struct message m = {.class = class};
    if (class == MSG_REPORT)
        return action == DSN_ACT_FAILED ? action : DSN_ACT_NONE;
    str_copy(str_of(reverse_path), m.reverse_path, sizeof m.reverse_path);
    return dsn_wanted(&m, notify, action) ? action : DSN_ACT_NONE;
}

struct report *report_new(struct engine *e, int64_t message_id)
{
    struct report *r = xnew(struct report);
    r->original_id = message_id;
    r->now_wall_ms = io_wall_ms(e->io);
    r->message_id = idgen_next(&e->ids, r->now_wall_ms);
    r->rcpt_id = idgen_next(&e->ids, r->now_wall_ms);
    r->line_id = idgen_next(&e->ids, r->now_wall_ms);
    r->random = rng_u64(&e->rng);
    r->conf = e->conf;
    return r;
}

void report_about(struct report *r, int64_t message_id)
{
    r->original_id = message_id;
}

static void start_over(struct report *r)
{
    free(r->original);
    free(r->told);
    buf_done(&r->quoted);
    r->original = NULL;
    r->told = NULL;
    r->n = r->cap = 0;
    r->is_full = r->is_written = false;
    r->excused_ms = 0;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    start_over(r);
    free(r);
}

bool report_is_written(const struct report *r)
{
    return r->is_written;
}

/* --- reading the original --- */

/* May all of it come back? Never what must not travel without TLS (RFC 8689 5). */
static bool may_return_all(const struct message *m)
{
    if ((m->flags & MSG_REQUIRETLS) || m->ret == DSN_RET_HDRS)
        return false;
    return m->size_bytes <= (m->ret == DSN_RET_FULL ? RETURN_ASKED_MAX : RETURN_MAX);
}

static int read_all(struct report *r, struct store *st, struct err *err)
{
    int rc = 0;
    for (unsigned seq = 0; rc >= 0 && r->quoted.n < r->original->size_bytes; seq++)
        rc = spool_read(st, r->original_id, seq, &r->quoted, err);
    return rc;
}

static int read_original(struct report *r, struct store *st, struct err *err)
{
    struct message m;
    int rc = queue_message(st, r->original_id, &m, err);
    if (rc < 0)
        return rc;
    r->original = xnew(struct message);
    *r->original = m;
    r->is_full = may_return_all(&m);
    if (r->is_full)
        rc = read_all(r, st, err);
    else
        rc = spool_read_header(st, r->original_id, QUOTE_MAX, &r->quoted, err);
    /* Without its body a message can still be reported. */
    return rc == -E_NOTFOUND ? 0 : rc;
}

int report_begin(struct report *r, struct store *st, bool is_news, struct err *err)
{
    bool is_owed = is_news;
    start_over(r);
    int rc = is_news ? 0 : queue_report_any(st, r->original_id, &is_owed, err);
    if (rc < 0 || !is_owed)
        return rc;
    rc = read_original(r, st, err);
    return rc == -E_NOTFOUND ? 0 : rc;
}

/* --- writing --- */

static void take_told(void *arg, const struct queue_told *t)
{
    struct report *r = arg;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 4;
        r->told = xreallocarray(r->told, r->cap, sizeof *r->told);
    }
    r->told[r->n++] = *t;
}

/* The strongest news names the report. */
static const char *kind_of(const struct report *r)
{
    const char *kind = "delivery status";
    for (size_t i = 0; i < r->n; i++) {
        if (r->told[i].action == DSN_ACT_FAILED)
            return "non-delivery";
        if (r->told[i].action == DSN_ACT_DELAYED)
            kind = "delay";
    }
    return kind;
}

/* As Postfix words it, so that its tools find the way from one to the other. */
static int log_report(const struct report *r, struct store *st, const struct message *m,
                      struct err *err)
{
    char original[ID_TEXT_MAX], report[ID_TEXT_MAX];
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    buf_printf(&line, "%s: %s %s notification: %s", id_text(r->original_id, original),
               r->original->class == MSG_REPORT ? "postmaster" : "sender", kind_of(r),
               id_text(m->id, report));
    int rc = queue_log(st, r->line_id, r->now_wall_ms, buf_str(&line), err);
    buf_clear(&line);
    logline_accepted(&line, m, 1);
    return rc < 0 ? rc : queue_log(st, m->id, r->now_wall_ms, buf_str(&line), err);
}

static int store_report(struct report *r, struct store *st, const struct addr *a, struct str text,
                        struct err *err)
{
    struct message m = {
        .id = r->message_id,
        .arrival_wall_ms = r->now_wall_ms,
        .class = MSG_REPORT,
        .size_bytes = text.n,
        .flags = mime_flags(text),
    };
    str_copy(str_of(r->original->class == MSG_REPORT ? ORIGIN_DOUBLE : ORIGIN), m.origin,
             sizeof m.origin);
    header_digest(text, &m.digest);
    struct recipient to = {
        .id = r->rcpt_id, .message_id = m.id, .next_wall_ms = r->now_wall_ms, .notify = DSN_NEVER};
    addr_text_ascii(a, to.address);
    str_copy(str_of(a->ascii), to.domain, sizeof to.domain);
    if (!text_is_ascii(str_of(to.address)))
        m.flags |= MSG_UTF8;
    unsigned seq = 0;
    for (size_t at = 0; at < text.n; at += QUEUE_CHUNK_BYTES) {
        int rc = queue_put_chunk(st, m.id, seq++, str_sub(text, at, at + QUEUE_CHUNK_BYTES), err);
        if (rc < 0)
            return rc;
    }
    int rc = queue_accept(st, &m, &to, 1, err);
    if (rc >= 0)
        rc = log_report(r, st, &m, err);
    r->is_written = rc >= 0;
    return rc;
}

/*
 * Whom to tell: the reverse-path, or the user that it stands in for; of a report of ours the postmaster,
 * once. What goes to the postmaster already, or is about a report already, ends here: no loop.
 */
static const char *reader_of(const struct report *r)
{
    const struct message *o = r->original;
    if (o->class != MSG_REPORT)
        return o->report_to[0] ? o->report_to : o->reverse_path;
    if (strcmp(o->origin, ORIGIN_DOUBLE) == 0)
        return "";
    for (size_t i = 0; i < r->n; i++)
        if (strcasecmp(r->told[i].address, r->conf->report_postmaster) == 0)
            return "";
    return r->conf->report_postmaster;
}

static void fill_rcpt(const struct report *r, const struct queue_told *t, struct dsn_rcpt *out)
{
    bool is_report = r->original->class == MSG_REPORT;
    *out = (struct dsn_rcpt){
        .address = t->address,
        .orcpt = t->orcpt,
        .action = t->action,
        .is_expired = t->state == RCPT_EXPIRED,
        .is_returned = t->is_returned,
        .outcome = &t->outcome,
        .before = t->has_before ? &t->before : NULL,
        .last_try_wall_ms = t->last_wall_ms,
        .retry_until_wall_ms =
            retry_deadline(&r->conf->retry, is_report, r->original->arrival_wall_ms + r->excused_ms),
        .next_try_wall_ms = t->next_wall_ms,
        .tries = t->tries,
    };
}

static int write_report(struct report *r, struct store *st, const struct addr *to, struct err *err)
{
    struct dsn_rcpt *rcpts = xcalloc(r->n, sizeof *rcpts);
    char to_text[ADDR_TEXT_MAX];
    addr_text_ascii(to, to_text);
    for (size_t i = 0; i < r->n; i++)
        fill_rcpt(r, &r->told[i], &rcpts[i]);
    struct dsn_in in = {
        .message = r->original,
        .rcpts = rcpts,
        .rcpts_n = r->n,
        .to = to_text,
        .hostname = r->conf->hostname,
        .templates = (const char *const *)r->conf->report_templates,
        .now_wall_ms = r->now_wall_ms,
        .random = r->random,
        .original = buf_str(&r->quoted),
        .is_full = r->is_full,
    };
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    dsn_write(&in, &text);
    free(rcpts);
    return store_report(r, st, to, buf_str(&text), err);
}

static void take_frost(void *arg, int64_t from_wall_ms, int64_t to_wall_ms)
{
    struct report *r = arg;
    int64_t arrival = r->original->arrival_wall_ms;
    if (from_wall_ms < arrival)
        from_wall_ms = arrival;
    if (to_wall_ms > from_wall_ms)
        r->excused_ms += to_wall_ms - from_wall_ms;
}

int report_late(struct report *r, struct store *st, struct err *err)
{
    struct addr to;
    const char *why;
    if (!r->original)
        return 0;
    r->n = 0;
    r->excused_ms = 0;
    int rc = queue_report_read(st, r->original_id, RCPTS_MAX, take_told, r, err);
    if (rc < 0 || r->n == 0)
        return rc;
    rc = queue_frosts(st, r->original->arrival_wall_ms, FROSTS_MAX, take_frost, r, err);
    if (rc < 0)
        return rc;
    /* Was checked at intake; else there is nobody to tell. */
    if (addr_parse(str_of(reader_of(r)), &to, &why))
        rc = write_report(r, st, &to, err);
    return rc < 0 ? rc : queue_report_done(st, r->original_id, err);
}

int report_end(struct report *r, struct store *st, struct err *err)
{
    bool is_soon = false;
    if (!r->original)
        return 0;
    int rc = queue_report_soon(st, r->original_id, r->now_wall_ms, &is_soon, err);
    return rc < 0 || is_soon ? rc : report_late(r, st, err);
}
