/* SPDX-License-Identifier: ISC */
/*
 * Acts on mail: which recipients, asked of the engine as a filter; harmless ones on one row at
 * once, all others through the dialog, which counts first (a dry run) and does nothing by Enter.
 */
#ifndef TUI_ACT_H
#define TUI_ACT_H

#include "tui/app.h"

/* From a key: the marked rows, else the row or group under the cursor; is_all: all shown. */
void act_begin(struct app *a, enum ctl_verb verb, bool is_all);
/* Send it: from the dialog, or at once. */
void act_send(struct app *a, enum ctl_verb verb, const char *filter);
/* Answers of kind ASK_ACT and ASK_JOB. */
void act_answer(struct app *a, const struct answer *answer);
/* Add the group's word to a filter, in place of words of the same kind: together they would be OR,
 * and take more than the group. False when the filter gets too long. */
bool act_narrow(const char *filter, enum view_group by, const char *key, char *out, size_t size);

void dialog_key(struct app *a, int32_t key);
void dialog_draw(struct app *a, struct cells *g);

#endif
