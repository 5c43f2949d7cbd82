/* SPDX-License-Identifier: ISC */
#include "core/engine/report.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/work.h"
#include "core/mail/header.h"
#include "core/mail/logline.h"
#include "store/queue.h"
#include "store/spool.h"

/* Of the original's header at most; a report must not be a way to send large things. */
#define QUOTE_MAX (64u * 1024)

struct report {
    int64_t original_id;
    int64_t message_id, rcpt_id; /* of the report */
    int64_t line_id;             /* of the log line that links both */
    int64_t now_wall_ms;
    uint64_t random;
    char hostname[ADDR_DOMAIN_MAX + 1];
    struct message original;
    bool has_original;
    struct buf header;
    struct dsn_rcpt rcpts[DELIVERY_RCPTS_MAX];
    size_t n;
    bool is_written;
};

bool report_wanted(const char *reverse_path, unsigned notify, enum dsn_action action)
{
    struct message m = {0};
    str_copy(str_of(reverse_path), m.reverse_path, sizeof m.reverse_path);
    return dsn_wanted(&m, notify, action);
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
    str_copy(str_of(e->conf->hostname), r->hostname, sizeof r->hostname);
    return r;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    buf_done(&r->header);
    free(r);
}

int report_read(struct report *r, struct store *st, struct err *err)
{
    r->n = 0;
    r->is_written = false;
    buf_clear(&r->header);
    int rc = queue_message(st, r->original_id, &r->original, err);
    r->has_original = rc >= 0;
    if (rc < 0)
        return rc;
    rc = spool_read_header(st, r->original_id, QUOTE_MAX, &r->header, err);
    /* Without its body a message can still be reported. */
    return rc == -E_NOTFOUND ? 0 : rc;
}

void report_add(struct report *r, const struct dsn_rcpt *rc)
{
    if (r->n < ARRAY_LEN(r->rcpts))
        r->rcpts[r->n++] = *rc;
}

/* As Postfix words it, so that its tools find the way from one to the other. */
static int log_report(const struct report *r, struct store *st, const struct message *m,
                      struct err *err)
{
    char original[ID_TEXT_MAX], report[ID_TEXT_MAX];
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    bool is_delay = r->rcpts[0].action == DSN_ACT_DELAYED;
    buf_printf(&line, "%s: sender %s notification: %s", id_text(r->original_id, original),
               is_delay ? "delay" : "non-delivery", id_text(m->id, report));
    int rc = queue_log(st, r->line_id, r->now_wall_ms, buf_str(&line), err);
    buf_clear(&line);
    logline_accepted(&line, m, 1);
    return rc < 0 ? rc : queue_log(st, m->id, r->now_wall_ms, buf_str(&line), err);
}

/* The report's own recipient is the original's reverse-path, or the user's that it stands in for. */
static int store_report(struct report *r, struct store *st, struct str text, struct err *err)
{
    struct message m = {
        .id = r->message_id,
        .arrival_wall_ms = r->now_wall_ms,
        .class = MSG_REPORT,
        .size_bytes = text.n,
        .flags = text_is_ascii(text) ? 0 : MSG_8BIT,
        .origin = "engine",
    };
    header_digest(text, &m.digest);
    struct recipient to = {.id = r->rcpt_id, .message_id = m.id, .next_wall_ms = r->now_wall_ms,
                           .notify = DSN_NEVER};
    struct addr a;
    const char *why;
    const struct message *o = &r->original;
    if (!addr_parse(str_of(o->report_to[0] ? o->report_to : o->reverse_path), &a, &why))
        return 0; /* was checked at intake; nobody to tell */
    addr_text_ascii(&a, to.address);
    str_copy(str_of(a.ascii), to.domain, sizeof to.domain);
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

int report_write(struct report *r, struct store *st, struct err *err)
{
    if (r->n == 0 || !r->has_original)
        return 0;
    struct dsn_in in = {
        .message = &r->original,
        .rcpts = r->rcpts,
        .rcpts_n = r->n,
        .hostname = r->hostname,
        .now_wall_ms = r->now_wall_ms,
        .random = r->random,
        .original = buf_str(&r->header),
    };
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    dsn_write(&in, &text);
    return store_report(r, st, buf_str(&text), err);
}

bool report_is_written(const struct report *r)
{
    return r->is_written;
}
