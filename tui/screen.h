/* SPDX-License-Identifier: ISC */
/* A pane, as the frame sees it. */
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H

#include "tui/app.h"

struct rect {
    int y, x, h, w;
};

struct screen {
    const char *title;
    unsigned where; /* its bit in the table of keys */
    void (*enter)(struct app *a);
    /* False when the command is not the pane's: the frame looks at it then. */
    bool (*command)(struct app *a, enum cmd cmd);
    void (*answer)(struct app *a, struct answer *answer); /* borrowed; may take arrays out of it */
    void (*draw)(struct app *a, struct cells *g);
    /* What the tab line says on its right: filter, order. */
    void (*tabs)(const struct app *a, struct buf *out);
    /* What the status line says: marks, position. */
    void (*state)(const struct app *a, struct buf *out);
    void (*done)(struct app *a);
};

extern const struct screen screen_queue, screen_log, screen_diag;
const struct screen *screen_of(enum pane_id pane);

/* Rows that the list of a pane has at this size of screen. */
struct rect frame_body(const struct app *a);
/* The list's and the other part's places in a pane. The part stands at the right of a wide screen when
 * may_be_beside, else below in part_h rows; part.h is 0 when there is no room. */
void frame_split(const struct app *a, bool may_be_beside, int part_h, struct rect *list,
                 struct rect *part);
void frame_draw(struct app *a, struct cells *g);

/* Keep sel within n and top so that sel is seen in h rows. */
void scroll_to(size_t n, size_t h, size_t *sel, size_t *top);
/* Where a moving command leads in n rows of which h are seen; false when it does not move. */
bool scroll_command(enum cmd cmd, size_t n, size_t h, size_t *sel);

#endif
