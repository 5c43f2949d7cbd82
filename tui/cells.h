/* SPDX-License-Identifier: ISC */
/*
 * The screen before it is on a terminal: a grid of cells, each one character (with at most two
 * combining marks) and a role. Everything is drawn here; term.c brings the differences to the
 * terminal, and tests read the grid as text.
 *
 * This is the last wall against remote text: a cell never holds a control, bidi or zero-width
 * character, whoever drew it, and a row's columns are where our own width table puts them.
 */
#ifndef TUI_CELLS_H
#define TUI_CELLS_H

#include "core/base/buf.h"
#include "tui/role.h"

#define CELLS_MARKS_MAX 2

struct cell {
    int32_t cp; /* 0 = the right half of the wide character before it */
    int32_t marks[CELLS_MARKS_MAX];
    uint8_t role;
    bool is_selected; /* ROLE_SELECTED lies over the role */
};

struct cells {
    int w, h;
    struct cell *c; /* own: w * h */
    bool is_ascii;  /* the terminal shows nothing over 126: tokens and ASCII frames instead */
};

void cells_done(struct cells *g);
/* Make it w x h (both at least 1) and blank. */
void cells_reset(struct cells *g, int w, int h);
struct cell *cells_at(struct cells *g, int y, int x); /* NULL when outside */
bool cells_equal(const struct cell *a, const struct cell *b);

/*
 * Draw UTF-8 text of ours, or text that text_printable made, into w columns at (y, x): cut with a
 * '>' in the last column when there is more. Returns the columns used. Parts outside the grid are
 * left out.
 */
int cells_text(struct cells *g, int y, int x, int w, enum role role, struct str text);
int cells_z(struct cells *g, int y, int x, int w, enum role role, const char *text);
int cells_printf(struct cells *g, int y, int x, int w, enum role role, const char *fmt, ...)
    PRINTF_LIKE(6, 7);
/* Text from outside: made printable first. *is_hostile (may be NULL) becomes true when tokens were
 * made; it is not set to false. */
int cells_remote(struct cells *g, int y, int x, int w, enum role role, struct str raw,
                 bool *is_hostile);
/* w columns of c. */
void cells_fill(struct cells *g, int y, int x, int w, enum role role, int32_t c);
/* A horizontal rule, with a title in it (may be NULL). */
void cells_rule(struct cells *g, int y, int x, int w, enum role role, const char *title);
void cells_vrule(struct cells *g, int y, int x, int h, enum role role);
/* A frame with blanks inside. */
void cells_box(struct cells *g, int y, int x, int h, int w, enum role role, const char *title);
/* Lay ROLE_SELECTED over w columns. */
void cells_select(struct cells *g, int y, int x, int w);
/* Give w columns another role, the characters stay. */
void cells_role(struct cells *g, int y, int x, int w, enum role role);

/* Rows as text lines without trailing blanks: for tests. */
void cells_dump(const struct cells *g, struct buf *out);

/* Cut the longest start of *s that fits w columns, at a space when there is one, and step over it:
 * for wrapped text. */
struct str cells_wrap(struct str *s, int w);

#endif
