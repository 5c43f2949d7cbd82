/* SPDX-License-Identifier: ISC */
/*
 * The event loop over libuv. Every object owns one libuv handle; its memory goes in the handle's
 * close callback, which libuv calls at the end of a turn, so that a callback may free what it was
 * called for. It does not hide that libuv caches the time: loop_now_ms is that of the turn.
 */
#include "core/net/loop.h"

#include <signal.h>
#include "core/base/alloc.h"
#include "core/net/uv.h"

struct loop_timer {
    struct loop_base base;
    uv_timer_t uv;
    struct loop *loop; /* borrowed */
    void (*fire)(void *arg);
    void *arg;
};

struct loop_wake {
    struct loop_base base;
    uv_async_t uv;
    void (*fire)(void *arg);
    void *arg;
    bool is_freed;
};

struct loop_watch {
    struct loop_base base;
    uv_poll_t uv;
    int events; /* asked for */
    void (*ready)(void *arg, int events);
    void *arg;
    bool is_freed;
};

struct loop_signal {
    struct loop_base base;
    uv_signal_t uv;
    void (*fire)(void *arg, int signum);
    void *arg;
};

/* base is the first member of all of them, and data of each handle points to it. */
static void free_data(uv_handle_t *h)
{
    free(h->data);
}

static void stop_run(uv_timer_t *t)
{
    uv_stop(t->loop);
}

struct loop *loop_new(void)
{
    struct loop *l = xnew(struct loop);

    /* A peer that went away is an error value of the write, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    verify(uv_loop_init(&l->uv) == 0);
    verify(uv_timer_init(&l->uv, &l->limit) == 0);
    uv_unref((uv_handle_t *)&l->limit);
    return l;
}

static void abandon_handle(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (uv_is_closing(h))
        return;
    struct loop_base *b = h->data;
    if (b)
        b->abandon(b);
    else
        uv_close(h, NULL);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    /* Closing one may leave another (a connection's timer): again, until nothing is left. */
    do {
        uv_walk(&l->uv, abandon_handle, NULL);
        uv_run(&l->uv, UV_RUN_DEFAULT);
    } while (uv_loop_close(&l->uv) == UV_EBUSY);
    buf_done(&l->plain);
    buf_done(&l->cipher);
    free(l);
}

void loop_run(struct loop *l)
{
    l->is_running = true;
    uv_run(&l->uv, UV_RUN_DEFAULT);
    l->is_running = false;
}

void loop_run_for(struct loop *l, int64_t ms)
{
    uv_update_time(&l->uv);
    uv_timer_start(&l->limit, stop_run, ms > 0 ? (uint64_t)ms : 0, 0);
    /* Without anything else to do it still takes its time, as a blocking command expects. */
    uv_ref((uv_handle_t *)&l->limit);
    loop_run(l);
    uv_unref((uv_handle_t *)&l->limit);
    uv_timer_stop(&l->limit);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

int64_t loop_now_ms(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

/* Timers */

static void abandon_timer(struct loop_base *b)
{
    loop_timer_free(container_of(b, struct loop_timer, base));
}

static void on_timer(uv_timer_t *uv)
{
    struct loop_timer *t = container_of(uv, struct loop_timer, uv);

    t->fire(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *arg), void *arg)
{
    struct loop_timer *t = xnew(struct loop_timer);

    t->base.abandon = abandon_timer;
    t->loop = l;
    t->fire = fire;
    t->arg = arg;
    verify(uv_timer_init(&l->uv, &t->uv) == 0);
    t->uv.data = t;
    return t;
}

void loop_timer_start(struct loop_timer *t, int64_t delay_ms)
{
    /* Outside a run the cached time may be as old as the last one. */
    if (!t->loop->is_running)
        uv_update_time(&t->loop->uv);
    uv_timer_start(&t->uv, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

void loop_timer_stop(struct loop_timer *t)
{
    uv_timer_stop(&t->uv);
}

void loop_timer_free(struct loop_timer *t)
{
    /* Closing already: loop_free came by before the timer's owner. */
    if (t && !uv_is_closing((uv_handle_t *)&t->uv))
        uv_close((uv_handle_t *)&t->uv, free_data);
}

/* Wake-ups */

static void abandon_wake(struct loop_base *b)
{
    loop_wake_free(container_of(b, struct loop_wake, base));
}

static void on_wake(uv_async_t *uv)
{
    struct loop_wake *w = container_of(uv, struct loop_wake, uv);

    if (!w->is_freed)
        w->fire(w->arg);
}

struct loop_wake *loop_wake_new(struct loop *l, void (*fire)(void *arg), void *arg)
{
    struct loop_wake *w = xnew(struct loop_wake);

    w->base.abandon = abandon_wake;
    w->fire = fire;
    w->arg = arg;
    verify(uv_async_init(&l->uv, &w->uv, on_wake) == 0);
    w->uv.data = w;
    return w;
}

void loop_wake_send(struct loop_wake *w)
{
    uv_async_send(&w->uv);
}

void loop_wake_free(struct loop_wake *w)
{
    if (!w)
        return;
    w->is_freed = true;
    uv_close((uv_handle_t *)&w->uv, free_data);
}

/* File descriptors */

static void abandon_watch(struct loop_base *b)
{
    loop_watch_free(container_of(b, struct loop_watch, base));
}

static void on_poll(uv_poll_t *uv, int status, int uv_events)
{
    struct loop_watch *w = container_of(uv, struct loop_watch, uv);
    int events = 0;

    if (uv_events & UV_READABLE)
        events |= LOOP_READ;
    if (uv_events & UV_WRITABLE)
        events |= LOOP_WRITE;
    /* An error on the descriptor: the owner finds it when it reads or writes. */
    if (status < 0)
        events = w->events;
    w->ready(w->arg, events);
    /* libuv stops watching after an error; whoever still wants events goes on. */
    if (status < 0 && !w->is_freed)
        loop_watch_set(w, w->events);
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, void (*ready)(void *arg, int events),
                                  void *arg)
{
    struct loop_watch *w = xnew(struct loop_watch);

    w->base.abandon = abandon_watch;
    w->ready = ready;
    w->arg = arg;
    if (uv_poll_init(&l->uv, &w->uv, fd) != 0) {
        free(w);
        return NULL;
    }
    w->uv.data = w;
    return w;
}

void loop_watch_set(struct loop_watch *w, int events)
{
    int uv_events = 0;

    if (events & LOOP_READ)
        uv_events |= UV_READABLE;
    if (events & LOOP_WRITE)
        uv_events |= UV_WRITABLE;
    w->events = events;
    if (uv_events)
        uv_poll_start(&w->uv, uv_events, on_poll);
    else
        uv_poll_stop(&w->uv);
}

void loop_watch_free(struct loop_watch *w)
{
    if (!w)
        return;
    w->is_freed = true;
    uv_close((uv_handle_t *)&w->uv, free_data);
}

/* Signals */

static void abandon_signal(struct loop_base *b)
{
    loop_signal_free(container_of(b, struct loop_signal, base));
}

static void on_signal(uv_signal_t *uv, int signum)
{
    struct loop_signal *s = container_of(uv, struct loop_signal, uv);

    s->fire(s->arg, signum);
}

struct loop_signal *loop_signal_new(struct loop *l, int signum, void (*fire)(void *arg, int signum),
                                    void *arg)
{
    struct loop_signal *s = xnew(struct loop_signal);

    s->base.abandon = abandon_signal;
    s->fire = fire;
    s->arg = arg;
    verify(uv_signal_init(&l->uv, &s->uv) == 0);
    s->uv.data = s;
    verify(uv_signal_start(&s->uv, on_signal, signum) == 0);
    return s;
}

void loop_signal_free(struct loop_signal *s)
{
    if (s)
        uv_close((uv_handle_t *)&s->uv, free_data);
}
