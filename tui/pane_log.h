/* SPDX-License-Identifier: ISC */
/* What others ask of the Log pane. */
#ifndef TUI_PANE_LOG_H
#define TUI_PANE_LOG_H

#include "tui/screen.h"

void log_set_filter(struct app *a, const char *text);
void log_search_begin(struct app *a);
void log_search(struct app *a, const char *needle); /* as it is typed */
void log_search_cancel(struct app *a);              /* back to where it began */
void log_search_to_filter(struct app *a, const char *needle);
/* Show the lines around an id, which is selected (or the first behind it). */
void log_go(struct app *a, int64_t id);
void log_follow(struct app *a);
void log_reload(struct app *a);
/* New lines may be there: asked while the pane is seen. */
void log_poll(struct app *a);
/* The next line (by = 1 or -1) of another message; its id, or 0. */
int64_t log_step_message(struct app *a, int by);
const char *log_applied_filter(const struct app *a);

void log_draw(struct app *a, struct cells *g);

#endif
