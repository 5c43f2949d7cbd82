/* SPDX-License-Identifier: ISC */
/*
 * What the store does in a second: store_bench WHAT DIR [N]. Best of the rounds it prints is what counts.
 *
 *   path   accept + claim + mark + settle of N messages (4 KiB) by the writer's thread, groups of
 *          1, 8, 32, 128; finished rows are kept. Says the CPU per message too.
 *   accept the first of them alone
 *   bodies 10 MiB each
 *   large  what is due, pages, groups, counts and a bulk act at N recipients (default a million)
 *   log    search at N lines (default a million)
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/log.h"
#include "core/base/rng.h"
#include "store/daylog.h"
#include "store/spool.h"
#include "store/view.h"
#include "store/writer.h"
#include "tests/unit/store/fixture.h"

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void must(int rc, const struct err *err)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", err ? err->text : "failed");
        exit(1);
    }
}

/* --- the path of a message, as the engine sends it through --- */

static char body_4k[4096];

struct job {
    struct store_job job;
    struct bench *b;
    struct message m;
    struct recipient r;
    int step; /* accept, claim, mark, settle */
    unsigned epoch;
};

struct bench {
    struct fixture f;
    struct writer *w;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool is_woken;
    unsigned started, finished, total, steps;
    const char *const *domains;
};

static void wake(void *arg)
{
    struct bench *b = arg;

    pthread_mutex_lock(&b->lock);
    b->is_woken = true;
    pthread_cond_signal(&b->cond);
    pthread_mutex_unlock(&b->lock);
}

static int run_settle(struct job *j, struct store *s, struct err *err)
{
    struct buf line = BUF_INIT;
    struct outcome o;
    struct queue_settle q;
    bool done;
    int rc;

    fixture_outcome(&o, 250, "2.0.0 Ok: queued as 4Xk2pL1z9Yz3f");
    q = fixture_settle(&j->b->f, &j->r, j->epoch, RCPT_DELIVERED, &o);
    logline_attempt(&line, j->m.id, j->r.address, "", &o, LOG_SENT, &fixture_delays, 82);
    q.log_line = buf_str(&line);
    rc = queue_settle(s, &q, &done, err);
    buf_done(&line);
    return rc;
}

static int run(struct store_job *sj, struct store *s, struct err *err)
{
    struct job *j = container_of(sj, struct job, job);
    int rc;

    switch (j->step) {
    case 0:
        rc = queue_put_chunk(s, j->m.id, 0, (struct str){body_4k, sizeof(body_4k)}, err);
        return rc ? rc : queue_accept(s, &j->m, &j->r, 1, err);
    case 1: return queue_claim(s, j->r.id, "mx1.example.net", &j->epoch, err);
    case 2: return queue_mark(s, j->r.id, j->epoch, T0, err);
    default: return run_settle(j, s, err);
    }
}

static void start_one(struct bench *b, struct job *j)
{
    char domain[40];

    snprintf(domain, sizeof(domain), "d%u.example", b->started * 7919 % 5000);
    b->f.now += b->started % 4 == 0;
    fixture_mail(&b->f, domain, 1, sizeof(body_4k), &j->m, &j->r);
    b->started++;
    j->step = 0;
    writer_submit(b->w, &j->job);
}

static void done(struct store_job *sj, int rc, const struct err *err)
{
    struct job *j = container_of(sj, struct job, job);

    must(rc, err);
    if (++j->step < (int)j->b->steps) {
        writer_submit(j->b->w, &j->job);
        return;
    }
    j->b->finished++;
    if (j->b->started < j->b->total)
        start_one(j->b, j);
}

static void bench_path(const char *dir, unsigned total, unsigned steps, unsigned width)
{
    struct bench b = {.total = total, .steps = steps};
    struct job *jobs = xcalloc(width, sizeof(*jobs));
    struct writer_stats st;
    struct err err;
    double t0, c0, t, c;

    fixture_init(&b.f);
    fixture_remove(b.f.dir);
    snprintf(b.f.dir, sizeof(b.f.dir), "%s", dir);
    fixture_remove(dir);
    memset(body_4k, 'x', sizeof(body_4k));
    pthread_mutex_init(&b.lock, NULL);
    pthread_cond_init(&b.cond, NULL);
    must(writer_new(dir, false, wake, &b, NULL, &b.w, &err), &err);
    t0 = now_s();
    c0 = cpu_s();
    for (unsigned i = 0; i < width; i++) {
        jobs[i].b = &b;
        jobs[i].job.kind = STORE_JOB_WRITE;
        jobs[i].job.run = run;
        jobs[i].job.done = done;
        start_one(&b, &jobs[i]);
    }
    while (b.finished < total) {
        pthread_mutex_lock(&b.lock);
        while (!b.is_woken)
            pthread_cond_wait(&b.cond, &b.lock);
        b.is_woken = false;
        pthread_mutex_unlock(&b.lock);
        writer_collect(b.w);
    }
    t = now_s() - t0;
    c = cpu_s() - c0;
    writer_stats(b.w, &st);
    printf("%s width %3u: %8.0f/s  cpu %6.1f us/msg  %.1f jobs/group  longest group %lld ms\n",
           steps == 1 ? "accept" : "path  ", width, total / t, c / total * 1e6,
           (double)st.jobs / (double)st.groups, (long long)st.commit_max_ms);
    fflush(stdout);
    writer_free(b.w);
    free(jobs);
}

/* --- a large queue --- */

struct times {
    double a[2000];
    unsigned n;
    double cpu_from; /* of this thread */
};

static double thread_cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void say(const char *what, struct times *t)
{
    qsort(t->a, t->n, sizeof(t->a[0]), by_value);
    printf("%-28s p50 %8.3f  p99 %8.3f  max %8.3f ms  (mean CPU %.3f ms)\n", what,
           t->a[t->n / 2] * 1e3, t->a[t->n * 99 / 100] * 1e3, t->a[t->n - 1] * 1e3,
           (thread_cpu_s() - t->cpu_from) / t->n * 1e3);
    fflush(stdout);
    *t = (struct times){.cpu_from = thread_cpu_s()};
}

static void add(struct times *t, double since)
{
    t->a[t->n++] = now_s() - since;
}

/* n recipients, 8 to a message, Zipf-like domains, half of them tried before. */
static void fill(struct fixture *f, struct store *s, unsigned n)
{
    struct rng rng;
    struct err err;

    rng_init_seed(&rng, 1);
    for (unsigned i = 0; i < n; i += 8) {
        struct message m;
        struct recipient r[8];
        char domain[40];

        if (i % 4096 == 0)
            must(store_begin(s, &err), &err);
        f->now += 1;
        fixture_mail(f, "", 8, rng_below(&rng, 100000), &m, r);
        for (int k = 0; k < 8; k++) {
            uint64_t x = rng_below(&rng, 200);

            snprintf(domain, sizeof(domain), "d%llu.example",
                     (unsigned long long)(x < 20 ? 1 : rng_below(&rng, (x + 1) * (x + 1))));
            snprintf(r[k].domain, sizeof(r[k].domain), "%s", domain);
            snprintf(r[k].address, sizeof(r[k].address), "user%u@%s", i + (unsigned)k, domain);
            r[k].next_wall_ms = f->now + (int64_t)rng_below(&rng, DAY_MS);
        }
        must(queue_accept(s, &m, r, 8, &err), &err);
        for (int k = 0; k < 8; k += 2) {
            struct outcome o;
            struct queue_settle q;
            unsigned epoch;
            bool is_done;
            static const int codes[] = {450, 451, 452, 421, 454, 471, 432, 447};

            fixture_outcome(&o, codes[rng_below(&rng, 8)], "4.7.1 try again later, please");
            must(queue_claim(s, r[k].id, "mx.example", &epoch, &err), &err);
            q = fixture_settle(f, &r[k], epoch, RCPT_QUEUED, &o);
            q.next_wall_ms = f->now + (int64_t)rng_below(&rng, DAY_MS);
            must(queue_settle(s, &q, &is_done, &err), &err);
        }
        if (i % 4096 == 4088 || i + 8 >= n)
            must(store_commit(s, &err), &err);
    }
}

static void count_due(void *arg, const struct queue_due *row)
{
    *(int64_t *)arg += row->rcpt.id != 0;
}

static void bench_pages(struct view *v, int64_t now)
{
    static struct view_row rows[60];
    struct times t = {.cpu_from = thread_cpu_s()};
    struct err err;

    for (int sort = 0; sort < VIEW_SORT_COUNT; sort++) {
        struct view_query q = {.sort = (enum view_sort)sort, .now_wall_ms = now};
        struct view_cursor at = {0};
        char name[40];
        int n = view_rows(v, &q, NULL, false, rows, 60, &err);

        must(n, &err);
        for (int i = 0; i < 200 && n > 0; i++) {
            double t0;

            view_cursor_of(&q, &rows[n - 1], &at);
            if (i % 2) { /* a place in the middle */
                at.rcpt_id += (rows[n - 1].rcpt_id >> 9) * i / 200 / 60;
                at.number += at.number / 1000 * i;
                snprintf(at.key, sizeof(at.key), sort == VIEW_BY_DOMAIN ? "d%d" : "%d", i * 37);
            }
            t0 = now_s();
            n = view_rows(v, &q, &at, false, rows, 60, &err);
            must(n, &err);
            add(&t, t0);
            if (n == 0)
                n = view_rows(v, &q, NULL, false, rows, 60, &err);
        }
        snprintf(name, sizeof(name), "page of 60 by %s", view_sort_name(q.sort));
        say(name, &t);
    }
}

static void bench_groups(struct view *v, int64_t now)
{
    static struct view_group_row rows[100];
    struct view_query q = {.now_wall_ms = now};
    struct times t = {.cpu_from = thread_cpu_s()};
    struct err err;

    for (int by = 0; by < VIEW_GROUP_COUNT; by++) {
        char name[40];

        for (int i = 0; i < 5; i++) {
            double t0 = now_s();

            must(view_groups(v, &q, (enum view_group)by, rows, 100, &err), &err);
            add(&t, t0);
        }
        snprintf(name, sizeof(name), "groups by %s", view_group_name((enum view_group)by));
        say(name, &t);
    }
}

static void bench_counts(struct view *v, int64_t now)
{
    static const char *const filters[] = {"", "domain:d1.example", "nobody-has-this", "cause:rcpt*",
                                          "age:>1h"};
    struct times t = {.cpu_from = thread_cpu_s()};
    struct err err;

    for (size_t k = 0; k < ARRAY_LEN(filters); k++) {
        struct filter f;
        struct view_query q = {.filter = &f, .now_wall_ms = now};
        uint64_t n = 0;
        char name[40];

        must(filter_parse(str_of(filters[k]), now, &f, &err), &err);
        for (int i = 0; i < 3; i++) {
            double t0 = now_s();

            must(view_count(v, &q, &n, &err), &err);
            add(&t, t0);
        }
        snprintf(name, sizeof(name), "count \"%s\"", filters[k]);
        say(name, &t);
        filter_done(&f);
    }
}

static void bench_bulk(struct store *s, int64_t now)
{
    struct filter f;
    struct queue_bulk b = {
        .verb = QUEUE_RETRY, .filter = &f, .now_wall_ms = now, .job_id = 1, .who = "bench"};
    struct times t = {.cpu_from = thread_cpu_s()};
    double all = now_s();
    struct err err;

    must(filter_parse(STR("domain:d1.example"), now, &f, &err), &err);
    while (!b.is_done) {
        double t0 = now_s();

        must(store_begin(s, &err), &err);
        must(queue_bulk_step(s, &b, 1000, NULL, NULL, &err), &err);
        must(store_commit(s, &err), &err);
        add(&t, t0);
    }
    printf("retry of %llu in %.0f ms\n", (unsigned long long)b.changed, (now_s() - all) * 1e3);
    say("  longest hold of the writer", &t);
    filter_done(&f);
}

static void bench_large(const char *dir, unsigned n)
{
    struct fixture f;
    struct store *s;
    struct view *v;
    struct times t = {.cpu_from = thread_cpu_s()};
    struct queue_totals totals;
    struct err err;
    double t0 = now_s(), c0 = cpu_s();

    fixture_init(&f);
    fixture_remove(f.dir);
    fixture_remove(dir);
    must(store_open(dir, STORE_WRITER, &s, &err), &err);
    fill(&f, s, n);
    must(view_open(dir, &v, &err), &err);
    printf("%u recipients filled in %.0f s (%.0f s of CPU)\n", n, now_s() - t0, cpu_s() - c0);
    for (int i = 0; i < 200; i++) {
        int64_t next = 0, id = 0, seen = 0;

        t0 = now_s();
        must(queue_due(s, f.now + DAY_MS, &next, &id, 1000, count_due, &seen, &err), &err);
        add(&t, t0);
    }
    say("next 1,000 due", &t);
    for (int i = 0; i < 200; i++) {
        t0 = now_s();
        must(view_totals(v, &totals, &err), &err);
        add(&t, t0);
    }
    say("totals", &t);
    bench_pages(v, f.now);
    bench_groups(v, f.now);
    bench_counts(v, f.now);
    bench_bulk(s, f.now);
    view_close(v);
    store_close(s);
}

/* --- the log --- */

static void bench_log(const char *dir, unsigned n)
{
    static const char *const needles[] = {"no-such-thing", "user4711",    "gmail.commail",
                                          "status=sent",   "d77.example", "deferred"};
    struct fixture f;
    struct store *s;
    struct daylog *d;
    struct view *v;
    struct times t = {.cpu_from = thread_cpu_s()};
    struct rng rng;
    struct err err;
    double t0 = now_s();

    fixture_init(&f);
    fixture_remove(f.dir);
    fixture_remove(dir);
    rng_init_seed(&rng, 3);
    must(store_open(dir, STORE_WRITER, &s, &err), &err);
    must(daylog_open(dir, &d, &err), &err);
    for (unsigned i = 0; i < n; i++) {
        struct buf line = BUF_INIT;
        char id[ID_TEXT_MAX];

        f.now += 50;
        buf_printf(&line,
                   "%s: to=<user%u@d%llu.example>, relay=mx1.d%llu.example[192.0.2.7]:25, "
                   "conn_use=2, delay=1.2, delays=0.1/0/0.5/0.6, tls=encrypted, dsn=%s, "
                   "status=%s (250 2.0.0 Ok: queued as 4Xk2pL1z9Yz3f and some more words of the "
                   "server that took it, as they all say at this place in their answer 0123456789)",
                   id_text(fixture_id(&f), id), i, (unsigned long long)rng_below(&rng, 5000),
                   (unsigned long long)rng_below(&rng, 5000), i % 10 ? "2.0.0" : "4.7.1",
                   i % 10 ? "sent" : "deferred");
        daylog_add(d, f.ids.last, f.now, buf_str(&line));
        buf_done(&line);
        if (i % 128 == 127)
            must(daylog_flush(d, &err), &err);
        if (i % 4096 == 4095)
            while (daylog_pack(d, &err))
                ;
    }
    must(daylog_flush(d, &err), &err);
    printf("%u lines written and packed in %.1f s\n", n, now_s() - t0);
    must(view_open(dir, &v, &err), &err);
    for (size_t k = 0; k < ARRAY_LEN(needles); k++) {
        char name[40];

        for (int i = 0; i < 11; i++) {
            struct view_log_query q = {.needle = str_of(needles[k])};
            struct view_log_page p;

            t0 = now_s();
            must(view_log_back(v, &q, INT64_MAX, 60, 0, &p, &err), &err);
            add(&t, t0);
            view_log_done(&p);
        }
        snprintf(name, sizeof(name), "newest 60 of \"%s\"", needles[k]);
        say(name, &t);
    }
    view_close(v);
    daylog_close(d);
    store_close(s);
}

static void bench_bodies(const char *dir)
{
    struct buf body = BUF_INIT;
    struct fixture f;
    struct store *s;
    struct err err;
    double t0 = now_s();

    fixture_init(&f);
    fixture_remove(f.dir);
    fixture_remove(dir);
    must(store_open(dir, STORE_WRITER, &s, &err), &err);
    buf_reserve(&body, QUEUE_CHUNK_BYTES);
    while (body.n < QUEUE_CHUNK_BYTES)
        buf_add_c(&body, (char)(body.n * 7919 >> 5));
    t0 = now_s();
    for (int i = 0; i < 20; i++) {
        struct message m;
        struct recipient r;

        fixture_mail(&f, "large.example", 1, 10 << 20, &m, &r);
        for (unsigned seq = 0; seq < 40; seq++) {
            must(store_begin(s, &err), &err);
            must(queue_put_chunk(s, m.id, seq, buf_str(&body), &err), &err);
            if (seq == 39)
                must(queue_accept(s, &m, &r, 1, &err), &err);
            must(store_commit(s, &err), &err);
        }
    }
    printf("10 MiB bodies, a commit per chunk: %.0f MB/s\n", 20 * 10.485 / (now_s() - t0));
    buf_done(&body);
    store_close(s);
}

int main(int argc, char **argv)
{
    static const unsigned widths[] = {1, 8, 32, 128};
    unsigned n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

    if (argc < 3) {
        fprintf(stderr, "usage: store_bench path|accept|bodies|large|log DIR [N]\n");
        return 2;
    }
    if (strcmp(argv[1], "bodies") == 0)
        bench_bodies(argv[2]);
    if (strcmp(argv[1], "large") == 0)
        bench_large(argv[2], n ? n : 1000000);
    if (strcmp(argv[1], "log") == 0)
        bench_log(argv[2], n ? n : 1000000);
    for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
        unsigned total = n ? n : 20000;

        if (widths[i] == 1)
            total /= 4;
        if (strcmp(argv[1], "path") == 0)
            bench_path(argv[2], total, 4, widths[i]);
        else if (strcmp(argv[1], "accept") == 0)
            bench_path(argv[2], total, 1, widths[i]);
    }
    return 0;
}
