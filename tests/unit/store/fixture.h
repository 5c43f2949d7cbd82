/* SPDX-License-Identifier: ISC */
/*
 * What the store's tests and benches share: a directory that goes away again, and mail to put into
 * it. Ids and times come from a counter, never from a clock.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"
#include "store/queue.h"
#include "store/store.h"

/* 2026-11-24 10:00 UTC: every test's "now" at the start. */
#define T0 INT64_C(1795514400000)

struct fixture {
    char dir[64];
    struct idgen ids;
    int64_t now; /* wall ms */
};

static inline void fixture_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char path[400];

        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static inline void fixture_init(struct fixture *f)
{
    /* memory where there is some: what these tests ask is not what a sync costs */
    snprintf(f->dir, sizeof(f->dir), "%s/mxhelm-store-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(f->dir))
        abort();
    idgen_init(&f->ids, 1, 0);
    f->now = T0;
}

static inline int64_t fixture_id(struct fixture *f)
{
    return idgen_next(&f->ids, f->now);
}

/* A message from FROM with n recipients u0@DOMAIN ... ; texts are cut to what fits. */
static inline void fixture_mail(struct fixture *f, const char *domain, size_t n, size_t size,
                                struct message *m, struct recipient *r)
{
    *m = (struct message){.id = fixture_id(f),
                          .arrival_wall_ms = f->now,
                          .size_bytes = size,
                          .flags = MSG_8BIT,
                          .ret = DSN_RET_HDRS};
    snprintf(m->reverse_path, sizeof(m->reverse_path), "sender@example.com");
    snprintf(m->origin, sizeof(m->origin), "smtp [127.0.0.1]:4711 client");
    snprintf(m->digest.from, sizeof(m->digest.from), "Sender <sender@example.com>");
    snprintf(m->digest.subject, sizeof(m->digest.subject), "Invoice 4711 is ready");
    snprintf(m->digest.message_id, sizeof(m->digest.message_id), "<%lld@example.com>",
             (long long)m->id);
    snprintf(m->digest.date, sizeof(m->digest.date), "Tue, 24 Nov 2026 10:00:00 +0000");
    for (size_t i = 0; i < n; i++) {
        r[i] = (struct recipient){
            .id = fixture_id(f), .message_id = m->id, .next_wall_ms = f->now, .notify = 4};
        snprintf(r[i].domain, sizeof(r[i].domain), "%s", domain);
        snprintf(r[i].address, sizeof(r[i].address), "u%zu@%s", i, domain);
    }
}

/* An outcome and what settles a claim with it. */
static inline void fixture_outcome(struct outcome *o, int code, const char *text)
{
    outcome_init(o, OUTCOME_DELIVERED, STAGE_EOD);
    outcome_from_reply(o, code < 400 ? STAGE_EOD : STAGE_RCPT, code, STR_NONE, str_of(text));
    snprintf(o->host, sizeof(o->host), "mx1.example.net");
    snprintf(o->ip, sizeof(o->ip), "192.0.2.25");
    o->port = 25;
    o->conn_use = 1;
}

static const struct delays fixture_delays = {.a_ms = 10, .b_ms = 2, .c_ms = 30, .d_ms = 40};

static inline struct queue_settle fixture_settle(struct fixture *f, const struct recipient *r,
                                                 unsigned epoch, enum rcpt_state to,
                                                 const struct outcome *o)
{
    return (struct queue_settle){
        .attempt_id = fixture_id(f),
        .rcpt_id = r->id,
        .message_id = r->message_id,
        .epoch = epoch,
        .state = to,
        .next_wall_ms = f->now + 5 * MINUTE_MS,
        .start_wall_ms = f->now,
        .duration_ms = 70,
        .delays = &fixture_delays,
        .outcome = o,
        .site = "mx1.example.net",
        .log_line = STR_NONE,
    };
}

#endif
