/* SPDX-License-Identifier: ISC */
/* One line being typed: letters are text, always; the control keys are readline's. */
#ifndef TUI_LINE_H
#define TUI_LINE_H

#include "core/base/buf.h"

#define LINE_MAX_CHARS 400
#define LINE_TEXT_MAX  (LINE_MAX_CHARS * 4 + 1)
#define LINE_HISTORY   10

struct line {
    int32_t cp[LINE_MAX_CHARS];
    int n, at; /* characters; the cursor stands before cp[at] */
};

/* The last texts that were entered in one kind of prompt. */
struct line_history {
    char texts[LINE_HISTORY][LINE_TEXT_MAX]; /* newest first */
    int n, at;                               /* at: 0 = the line itself, 1 = newest ... */
};

void line_set(struct line *l, const char *text);
void line_text(const struct line *l, char *out, size_t size);
/* True when the key was one of the line's. h may be NULL. */
bool line_key(struct line *l, struct line_history *h, int32_t key);
void line_remember(struct line_history *h, const char *text);

#endif
