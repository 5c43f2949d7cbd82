/* SPDX-License-Identifier: ISC */
/*
 * What an outcome means for a recipient (its next state, its next try, a report), and writing that
 * down: attempt, recipient, log line and report are one transaction.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include "core/engine/schedule.h"

/* End of a delivery's try: o is for every task without an outcome of its own. Takes the delivery:
 * it leaves the window when this is committed, also when the store has to get well first. */
void record_outcome(struct engine *e, struct delivery *d, const struct outcome *o);
/* Its lifetime ended while it waited here: record that (takes the delivery) and return true. A
 * recipient that was never tried is not expired: it gets its one try first. */
bool record_expired(struct engine *e, struct delivery *d);
/* Claim the tasks of a delivery before anything is done for them; the answer is not waited for, the
 * mark finds out when the claim was lost. */
void record_claim(struct engine *e, struct delivery *d);
/* Make "end of data sent" durable; then told(arg, delivery, ok). The caller keeps the delivery
 * alive by not giving it away, or accepts that told does not come after record_outcome. */
void record_mark(struct engine *e, struct delivery *d, void (*told)(void *arg, struct delivery *d, bool is_ok), void *arg);
/* Give back a delivery that was claimed but not tried (draining). Takes the delivery. */
void record_unclaim(struct engine *e, struct delivery *d);
/* Submit again what a sick store did not take. */
void record_resume(struct engine *e);

#endif
