/* SPDX-License-Identifier: ISC */
/* Help (?) and the palette (:): the same list, that typing filters and Enter runs. */
#ifndef TUI_PALETTE_H
#define TUI_PALETTE_H

#include "tui/screen.h"

void palette_open(struct app *a, enum modal modal, bool is_view);
void palette_key(struct app *a, int32_t key);
void palette_draw(struct app *a, struct cells *g);

#endif
