/* SPDX-License-Identifier: ISC */
/*
 * fill DIR N: a new store in DIR with N recipients, most of them tried before, over some hundred domains, and
 * a log line for each try. For looking at the console with a queue of the size that hurts; no test.
 */
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"
#include "store/queue.h"

#define PER_COMMIT 500

struct filler {
    struct store *store;
    struct idgen ids;
    struct rng rng;
    int64_t now;
};

static void must(int rc, const struct err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "fill: %s\n", err->text);
    exit(1);
}

static void make_mail(struct filler *f, unsigned i, struct message *m, struct recipient *r)
{
    uint64_t x = rng_below(&f->rng, 20);

    *m = (struct message){.id = idgen_next(&f->ids, f->now),
                          .arrival_wall_ms = f->now,
                          .size_bytes = 500 + rng_below(&f->rng, 60000)};
    snprintf(m->reverse_path, sizeof(m->reverse_path), "%s@shop.example",
             i % 3 ? "news" : "receipts");
    snprintf(m->origin, sizeof(m->origin), "smtp [10.0.0.5]:4711 app1");
    snprintf(m->digest.subject, sizeof(m->digest.subject), "Message number %u", i);
    *r = (struct recipient){.id = idgen_next(&f->ids, f->now),
                            .message_id = m->id,
                            .next_wall_ms = f->now + (int64_t)rng_below(&f->rng, HOUR_MS)};
    snprintf(r->domain, sizeof(r->domain), "d%u.example",
             (unsigned)(x < 12 ? x / 4 : rng_below(&f->rng, 400)));
    snprintf(r->address, sizeof(r->address), "user%u@%s", i, r->domain);
}

static void make_try(struct filler *f, const struct message *m, const struct recipient *r)
{
    static const struct {
        int code;
        const char *text;
        enum rcpt_state to;
        enum log_status status;
    } ends[] = {
        {421, "4.7.28 Our system has detected an unusual rate of mail", RCPT_QUEUED, LOG_DEFERRED},
        {451, "4.7.1 Greylisted, please try again", RCPT_QUEUED, LOG_DEFERRED},
        {452, "4.2.2 Mailbox full", RCPT_QUEUED, LOG_DEFERRED},
        {250, "2.0.0 Ok: queued", RCPT_DELIVERED, LOG_SENT},
        {550, "5.1.1 User unknown", RCPT_BOUNCED, LOG_BOUNCED},
    };
    static const struct delays delays = {.a_ms = 10, .c_ms = 30, .d_ms = 40};
    const size_t end = rng_below(&f->rng, ARRAY_LEN(ends));
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    struct queue_settle q;
    struct outcome o;
    struct err err;
    bool is_done;
    unsigned epoch;

    must(queue_claim(f->store, r->id, r->domain, &epoch, &err), &err);
    outcome_init(&o, OUTCOME_DEFERRED, STAGE_RCPT);
    outcome_from_reply(&o, STAGE_RCPT, ends[end].code, STR_NONE, str_of(ends[end].text));
    snprintf(o.host, sizeof(o.host), "mx.%s", r->domain);
    snprintf(o.ip, sizeof(o.ip), "192.0.2.25");
    o.port = 25;
    logline_attempt(&line, m->id, r->address, "", &o, ends[end].status, &delays, 80);
    q = (struct queue_settle){.attempt_id = idgen_next(&f->ids, f->now),
                              .rcpt_id = r->id,
                              .message_id = m->id,
                              .epoch = epoch,
                              .state = ends[end].to,
                              .next_wall_ms = f->now + (int64_t)rng_below(&f->rng, HOUR_MS),
                              .start_wall_ms = f->now,
                              .duration_ms = 80,
                              .delays = &delays,
                              .outcome = &o,
                              .site = r->domain,
                              .log_line = buf_str(&line)};
    must(queue_settle(f->store, &q, &is_done, &err), &err);
}

int main(int argc, char **argv)
{
    int64_t wall = clock_system()->wall_ms(clock_system());
    struct filler f = {.now = wall - 6 * HOUR_MS};
    struct err err;
    uint64_t n;

    if (argc != 3 || !text_parse_u64(str_of(argv[2]), 10000000, &n)) {
        fprintf(stderr, "usage: fill DIR N\n");
        return 2;
    }
    rng_init_seed(&f.rng, 1);
    idgen_init(&f.ids, 1, 0);
    must(store_open(argv[1], STORE_WRITER, &f.store, &err), &err);
    for (unsigned i = 0; i < n; i++) {
        struct message m;
        struct recipient r;

        if (i % PER_COMMIT == 0)
            must(store_begin(f.store, &err), &err);
        f.now = wall - 6 * HOUR_MS + (int64_t)(6 * HOUR_MS / (int64_t)n * i);
        make_mail(&f, i, &m, &r);
        must(queue_put_chunk(f.store, m.id, 0, STR("Subject: hello\r\n\r\nHello\r\n"), &err), &err);
        must(queue_accept(f.store, &m, &r, 1, &err), &err);
        if (i % 8 != 0)
            make_try(&f, &m, &r);
        if (i % PER_COMMIT == PER_COMMIT - 1 || i + 1 == n)
            must(store_commit(f.store, &err), &err);
    }
    store_close(f.store);
    return 0;
}
