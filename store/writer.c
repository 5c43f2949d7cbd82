/* SPDX-License-Identifier: ISC */
/*
 * One thread, one queue of jobs. The lock is held for list moves only; the thread sleeps on the
 * condition when there is nothing to do, and the submitter signals only then, so that under load a
 * hand-over costs one uncontended lock.
 *
 * After a group: its answers go back first, then comes what can wait (log lines, checkpoint,
 * packing), so that nobody waits for it who was already served.
 */
#include "store/writer.h"

#include <pthread.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "store/daylog.h"
#include "store/store_private.h"

#define BALLAST_EVERY_MS MINUTE_MS
#define PACK_EVERY       64 /* groups without a pause: then pack a little all the same */

struct writer {
    struct store *s;  /* own */
    struct store *r;  /* own: the read-only connection */
    struct daylog *d; /* own */
    const struct log *log;
    void (*wake)(void *arg);
    void *arg;
    bool is_inline;
    bool is_threaded; /* the thread runs */
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    struct list waiting, finished;
    bool is_idle, is_stopping;
    struct writer_stats stats;
    /* the thread's own */
    bool is_log_sick;
    int64_t ballast_at_mono_ms;
    unsigned since_pack;
};

static int64_t now_ms(void)
{
    const struct clock *c = clock_system();

    return c->mono_ms(c);
}

/* --- a group --- */

static struct store_job *job_of(struct list *l)
{
    return list_entry(l, struct store_job, link);
}

static void job_fail(struct store_job *job, int rc, const struct err *err)
{
    job->rc = rc;
    if (!job->err)
        job->err = xnew(struct err);
    *job->err = *err;
}

static bool is_fatal(int rc)
{
    return rc == -(int)E_IO || rc == -(int)E_FULL || rc == -(int)E_CORRUPT || rc == -(int)E_BUSY;
}

static void job_run(struct store_job *job, struct store *s)
{
    struct err err = ERR_NONE;
    int rc = job->run(job, s, &err);

    job->rc = rc;
    if (rc < 0) {
        if (err.code == E_OK)
            err_set(&err, (enum err_code) - rc, "store: %s", err_code_name((enum err_code) - rc));
        job_fail(job, rc, &err);
    }
}

/* 0, or the error that undid the whole group. */
static int run_writes(struct writer *w, struct list *group, struct err *err)
{
    int rc = store_begin(w->s, err);

    if (rc)
        return rc;
    list_for_each (it, group) {
        struct store_job *job = job_of(it);

        if (job->kind != STORE_JOB_WRITE)
            continue;
        job_run(job, w->s);
        if (is_fatal(job->rc)) {
            *err = *job->err;
            store_rollback(w->s);
            return job->rc;
        }
    }
    return store_commit(w->s, err);
}

static void fail_writes(struct list *group, int rc, const struct err *err)
{
    list_for_each (it, group) {
        if (job_of(it)->kind == STORE_JOB_WRITE)
            job_fail(job_of(it), rc, err);
    }
}

/* A full disk: give the ballast back, and let the WAL go. */
static void relieve(struct writer *w)
{
    ballast_drop(store_dir(w->s));
    w->ballast_at_mono_ms = now_ms() + BALLAST_EVERY_MS;
    sqlite3_busy_timeout(w->s->db, 0);
    sqlite3_wal_checkpoint_v2(w->s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(w->s->db, 5000);
}

static void run_group(struct writer *w, struct list *group, unsigned writes)
{
    struct err err = ERR_NONE;
    int64_t start = now_ms(), took;
    int rc = writes ? run_writes(w, group, &err) : 0;

    took = now_ms() - start;
    if (rc) {
        fail_writes(group, rc, &err);
        log_error(w->log, "store", "%u jobs undone: %s", writes, err.text);
        if (rc == -(int)E_FULL)
            relieve(w);
    }
    list_for_each (it, group) {
        if (job_of(it)->kind == STORE_JOB_READ)
            job_run(job_of(it), w->r);
    }
    pthread_mutex_lock(&w->lock);
    w->stats.groups++;
    w->stats.failed_groups += rc != 0;
    w->stats.commit_last_ms = took;
    if (took > w->stats.commit_max_ms)
        w->stats.commit_max_ms = took;
    pthread_mutex_unlock(&w->lock);
}

/* Move up to a group's worth of what waits; returns how many of them write. Locked. */
static unsigned take_group(struct writer *w, struct list *group)
{
    unsigned writes = 0;

    for (unsigned n = 0; n < WRITER_GROUP_MAX && !list_empty(&w->waiting); n++) {
        struct list *l = list_pop_front(&w->waiting);

        list_push_back(group, l);
        writes += job_of(l)->kind == STORE_JOB_WRITE;
        w->stats.waiting--;
        w->stats.jobs++;
    }
    return writes;
}

static void give_back(struct writer *w, struct list *group)
{
    struct list *l;

    pthread_mutex_lock(&w->lock);
    while ((l = list_pop_front(group)))
        list_push_back(&w->finished, l);
    pthread_mutex_unlock(&w->lock);
    w->wake(w->arg);
}

static void flush_log(struct writer *w)
{
    struct err err = ERR_NONE;

    if (daylog_flush(w->d, &err) == 0) {
        if (w->is_log_sick)
            log_notice(w->log, "store", "the delivery log is written again");
        w->is_log_sick = false;
    } else if (!w->is_log_sick) {
        w->is_log_sick = true;
        log_error(w->log, "store", "the delivery log cannot be written, lines are kept: %s",
                  err.text);
    }
}

/* What nobody waits for. */
static void tidy(struct writer *w)
{
    if (daylog_gathered(w->d))
        flush_log(w);
    store_tidy(w->s);
    if (++w->since_pack >= PACK_EVERY) {
        w->since_pack = 0;
        daylog_pack(w->d, NULL);
    }
    if (!w->is_inline && now_ms() >= w->ballast_at_mono_ms) {
        w->ballast_at_mono_ms = now_ms() + BALLAST_EVERY_MS;
        ballast_make(store_dir(w->s));
    }
}

static void one_group(struct writer *w, struct list *group, unsigned writes)
{
    run_group(w, group, writes);
    give_back(w, group);
    tidy(w);
}

/* --- the thread --- */

/* Wait for work, packing meanwhile. Locked; returns locked, with work or stopping. */
static void wait_for_work(struct writer *w)
{
    bool more = true;

    while (list_empty(&w->waiting) && !w->is_stopping) {
        if (more) {
            pthread_mutex_unlock(&w->lock);
            more = daylog_pack(w->d, NULL);
            pthread_mutex_lock(&w->lock);
            continue;
        }
        w->is_idle = true;
        pthread_cond_wait(&w->work, &w->lock);
        w->is_idle = false;
    }
}

static void *thread_main(void *arg)
{
    struct writer *w = arg;
    struct list group;

    list_init(&group);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        unsigned writes;

        wait_for_work(w);
        if (list_empty(&w->waiting))
            break;
        writes = take_group(w, &group);
        pthread_mutex_unlock(&w->lock);
        one_group(w, &group, writes);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* --- the outside --- */

static int open_all(struct writer *w, const char *dir, struct err *err)
{
    int rc = store_open(dir, STORE_WRITER, &w->s, err);

    if (!rc)
        rc = store_open(dir, STORE_READER, &w->r, err);
    if (!rc)
        rc = daylog_open(dir, &w->d, err);
    if (rc)
        return rc;
    w->s->log = w->d;
    w->s->is_lazy = true;
    if (!w->is_inline) /* a simulator needs none */
        ballast_make(dir);
    w->ballast_at_mono_ms = now_ms() + BALLAST_EVERY_MS;
    return 0;
}

int writer_new(const char *dir, bool is_inline, void (*wake)(void *arg), void *arg,
               const struct log *log, struct writer **out, struct err *err)
{
    struct writer *w = xnew(struct writer);
    int rc;

    w->is_inline = is_inline;
    w->wake = wake;
    w->arg = arg;
    w->log = log;
    list_init(&w->waiting);
    list_init(&w->finished);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    rc = open_all(w, dir, err);
    if (!rc && !is_inline) {
        int sys = pthread_create(&w->thread, NULL, thread_main, w);

        if (sys)
            rc = err_sys(err, E_LIMIT, sys, "start the store's thread");
        w->is_threaded = !sys;
    }
    if (rc) {
        writer_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    if (w->is_threaded) {
        pthread_mutex_lock(&w->lock);
        w->is_stopping = true;
        pthread_cond_signal(&w->work);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    writer_collect(w);
    if (w->d)
        flush_log(w);
    daylog_close(w->d);
    store_close(w->r);
    store_close(w->s);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void writer_submit(struct writer *w, struct store_job *job)
{
    struct list group;

    job->rc = 0;
    job->err = NULL;
    list_init(&job->link);
    pthread_mutex_lock(&w->lock);
    if (!w->is_inline) {
        list_push_back(&w->waiting, &job->link);
        w->stats.waiting++;
        if (w->is_idle)
            pthread_cond_signal(&w->work);
        pthread_mutex_unlock(&w->lock);
        return;
    }
    w->stats.jobs++;
    pthread_mutex_unlock(&w->lock);
    list_init(&group);
    list_push_back(&group, &job->link);
    one_group(w, &group, job->kind == STORE_JOB_WRITE);
}

void writer_collect(struct writer *w)
{
    struct list mine, *l;

    list_init(&mine);
    pthread_mutex_lock(&w->lock);
    while ((l = list_pop_front(&w->finished)))
        list_push_back(&mine, l);
    pthread_mutex_unlock(&w->lock);
    while ((l = list_pop_front(&mine))) {
        struct store_job *job = job_of(l);
        struct err *err = job->err;

        job->err = NULL;
        job->done(job, job->rc, err);
        free(err); /* done may have freed the job */
    }
}

void writer_stats(struct writer *w, struct writer_stats *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    w->stats.commit_max_ms = 0;
    pthread_mutex_unlock(&w->lock);
}
