/* SPDX-License-Identifier: ISC */
/* What others ask of the Queue pane. */
#ifndef TUI_PANE_QUEUE_H
#define TUI_PANE_QUEUE_H

#include "tui/screen.h"

void queue_set_filter(struct app *a, const char *text);
void queue_set_group(struct app *a, bool is_grouped, enum view_group by);
void queue_set_sort(struct app *a, enum view_sort sort);
/* Ask for what is shown anew, around the row under the cursor. */
void queue_reload(struct app *a);
/* Totals came: choose the first view, when the operator has not. */
void queue_totals_known(struct app *a);
const char *queue_applied_filter(const struct app *a);
const struct view_row *queue_row(const struct app *a); /* under the cursor, or NULL */
const struct view_group_row *queue_group(const struct app *a);
bool queue_is_marked(const struct queue_pane *q, int64_t rcpt_id);
/* One row on, for the detail's [ and ]; false at the end. */
bool queue_step(struct app *a, int by);

void queue_draw(struct app *a, struct cells *g);

#endif
