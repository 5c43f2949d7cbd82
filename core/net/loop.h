/* SPDX-License-Identifier: ISC */
/*
 * The event loop (libuv behind it): timers, signals, wake-ups from other threads, watched file
 * descriptors. One thread; no function here may be called from another, but loop_wake_send.
 * Callbacks may free what they are called for; memory goes at the end of the turn.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "core/base/clock.h"
#include "core/base/err.h"

struct loop;
struct loop_timer;
struct loop_wake;
struct loop_watch;
struct loop_signal;

struct loop *loop_new(void); /* aborts when the kernel has no room for it */
/* Everything made on it must have been freed; closes what libuv still holds. */
void loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop */
/* Run for at most ms; for tests and blocking commands. */
void loop_run_for(struct loop *l, int64_t ms);
void loop_stop(struct loop *l);
/* Monotonic ms of this turn: cheap. */
int64_t loop_now_ms(const struct loop *l);

struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *arg), void *arg);
void loop_timer_start(struct loop_timer *t, int64_t delay_ms); /* once; restarts */
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine, as for all frees here */

struct loop_wake *loop_wake_new(struct loop *l, void (*fire)(void *arg), void *arg);
void loop_wake_send(struct loop_wake *w); /* any thread; several sends may fire once */
void loop_wake_free(struct loop_wake *w);

/* An error on the descriptor is told as all the events that were asked for. NULL when the kernel
 * cannot watch it (a regular file). Free the watch before the descriptor is closed. */
#define LOOP_READ  1
#define LOOP_WRITE 2
struct loop_watch *loop_watch_new(struct loop *l, int fd, void (*ready)(void *arg, int events),
                                  void *arg);
void loop_watch_set(struct loop_watch *w, int events);
void loop_watch_free(struct loop_watch *w);

struct loop_signal *loop_signal_new(struct loop *l, int signum, void (*fire)(void *arg, int signum),
                                    void *arg);
void loop_signal_free(struct loop_signal *s);

#endif
