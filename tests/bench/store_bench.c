/* SPDX-License-Identifier: ISC */
/*
 * What the store does in a second: store_bench WHAT DIR [N]. Best of the rounds it prints is what counts.
 *
 *   path   accept + claim + mark + settle of N messages (4 KiB) by the writer's thread, groups of
 *          1, 8, 32, 128; finished rows are kept. Says the CPU per message too.
 *   accept the first of them alone
 *   large  10 MiB bodies
 *   due, page, bulk, group   at N recipients (default a million)
 *   log    search at N lines
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/log.h"
#include "store/daylog.h"
#include "store/spool.h"
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

int main(int argc, char **argv)
{
    static const unsigned widths[] = {1, 8, 32, 128};
    unsigned n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

    if (argc < 3) {
        fprintf(stderr, "usage: store_bench path|accept DIR [N]\n");
        return 2;
    }
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
