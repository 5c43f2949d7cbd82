/* SPDX-License-Identifier: ISC */
/* The prompt on the status line: filter, search, time. */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

#include "tui/app.h"

void prompt_open(struct app *a, enum prompt_kind kind, const char *text);
void prompt_key(struct app *a, int32_t key);
void prompt_draw(const struct app *a, struct cells *g, int y);
/* Make a text the pane's filter, when it parses; false with a note when it does not. */
bool prompt_set_filter(struct app *a, const char *text);

#endif
