/* SPDX-License-Identifier: ISC */
/*
 * A thread with a feed of its own, that answers questions while the screen stays awake. For each
 * kind one question can wait; a newer one takes its place, and interrupts it when it runs already.
 * ASK_ACT is never replaced or interrupted: what an operator confirmed happens once.
 */
#ifndef TUI_WORKER_H
#define TUI_WORKER_H

#include "tui/ask.h"

struct worker;

/* wake_fd gets a byte whenever there is an answer; borrowed, non-blocking. */
struct worker *worker_new(const struct feed_source *source, int wake_fd);
/* Interrupts what runs, and waits for the thread's end, at most a second (then it is left behind:
 * the process is about to end, and a resolver that does not answer must not hold it). */
void worker_free(struct worker *w);
void worker_ask(struct worker *w, const struct ask *a);
/* The next answer, or NULL. Returns new (free with answer_free). */
struct answer *worker_answer(struct worker *w);
/* Something waits or runs. */
bool worker_is_busy(struct worker *w);

#endif
