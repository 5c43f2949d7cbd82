/* SPDX-License-Identifier: ISC */
#include "tui/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

struct node {
    struct node *next;
    struct answer *answer;
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int wake_fd;
    struct feed feed; /* made and closed by the thread */
    /* under lock */
    bool is_stopping, is_gone, is_running, has_feed;
    enum ask_kind running;
    bool waits[ASK_KIND_COUNT];
    struct ask asks[ASK_KIND_COUNT];
    struct node *first, **last;
};

static void give(void *arg, struct answer *a)
{
    struct worker *w = arg;
    struct node *n = xnew(struct node);
    ssize_t ignored;

    n->answer = a;
    pthread_mutex_lock(&w->lock);
    *w->last = n;
    w->last = &n->next;
    pthread_mutex_unlock(&w->lock);
    ignored = write(w->wake_fd, "", 1); /* a full pipe wakes as well */
    (void)ignored;
}

/* Under lock: the next question, in the order of enum ask_kind; false when stopping. */
static bool take(struct worker *w, struct ask *out)
{
    for (;;) {
        if (w->is_stopping)
            return false;
        for (int k = 0; k < ASK_KIND_COUNT; k++) {
            if (w->waits[k]) {
                w->waits[k] = false;
                w->running = (enum ask_kind)k;
                w->is_running = true;
                *out = w->asks[k];
                return true;
            }
        }
        pthread_cond_wait(&w->changed, &w->lock);
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct ask a;

    pthread_mutex_lock(&w->lock);
    while (take(w, &a)) {
        pthread_mutex_unlock(&w->lock);
        give(w, ask_run(&w->feed, &a, give, w));
        pthread_mutex_lock(&w->lock);
        w->is_running = false;
    }
    w->has_feed = false;
    pthread_mutex_unlock(&w->lock);
    w->feed.ops->close(w->feed.arg);
    pthread_mutex_lock(&w->lock);
    w->is_gone = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct worker *worker_new(const struct feed_source *source, int wake_fd)
{
    struct worker *w = xnew(struct worker);
    pthread_condattr_t attr;
    sigset_t all, old;

    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    w->wake_fd = wake_fd;
    w->last = &w->first;
    w->feed = source->open(source->arg);
    w->has_feed = true;
    /* Signals are the screen's: a worker that caught SIGWINCH would leave poll() asleep. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    verify(pthread_create(&w->thread, NULL, work, w) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return w;
}

static bool wait_gone(struct worker *w)
{
    int64_t until_ms = clock_system()->mono_ms(clock_system()) + SECOND_MS;
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    bool is_gone;

    pthread_mutex_lock(&w->lock);
    while (!w->is_gone) {
        if (pthread_cond_timedwait(&w->changed, &w->lock, &until) == ETIMEDOUT)
            break;
    }
    is_gone = w->is_gone;
    pthread_mutex_unlock(&w->lock);
    return is_gone;
}

void worker_free(struct worker *w)
{
    struct answer *a;

    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_stopping = true;
    if (w->has_feed && w->is_running && w->running != ASK_ACT)
        w->feed.ops->interrupt(w->feed.arg);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (!wait_gone(w)) {
        pthread_detach(w->thread);
        return;
    }
    pthread_join(w->thread, NULL);
    while ((a = worker_answer(w)))
        answer_free(a);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void worker_ask(struct worker *w, const struct ask *a)
{
    pthread_mutex_lock(&w->lock);
    w->asks[a->kind] = *a;
    w->waits[a->kind] = true;
    if (w->is_running && w->running == a->kind && a->kind != ASK_ACT)
        w->feed.ops->interrupt(w->feed.arg);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

struct answer *worker_answer(struct worker *w)
{
    struct answer *a = NULL;
    struct node *n;

    pthread_mutex_lock(&w->lock);
    n = w->first;
    if (n) {
        w->first = n->next;
        if (!w->first)
            w->last = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    if (n) {
        a = n->answer;
        free(n);
    }
    return a;
}

bool worker_is_busy(struct worker *w)
{
    bool is_busy;

    pthread_mutex_lock(&w->lock);
    is_busy = w->is_running || w->first;
    for (int k = 0; k < ASK_KIND_COUNT; k++)
        is_busy |= w->waits[k];
    pthread_mutex_unlock(&w->lock);
    return is_busy;
}
