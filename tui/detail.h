/* SPDX-License-Identifier: ISC */
/* A message in full: envelope, recipients, attempts, header. Over the pane, or at its right side. */
#ifndef TUI_DETAIL_H
#define TUI_DETAIL_H

#include "tui/screen.h"

/* rcpt_id 0: the first recipient. */
void detail_open(struct app *a, int64_t message_id, int64_t rcpt_id, bool from_log);
/* Load it without opening it: for the right side. */
void detail_show(struct app *a, int64_t message_id, int64_t rcpt_id);
void detail_close(struct app *a);
bool detail_command(struct app *a, enum cmd cmd);
void detail_answer(struct app *a, struct answer *answer); /* takes */
void detail_search(struct app *a, const char *needle);
void detail_draw(struct app *a, struct cells *g, struct rect r);
void detail_done(struct app *a);

#endif
