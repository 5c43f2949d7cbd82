/* SPDX-License-Identifier: ISC */
/* How many columns a character takes: our own table, because a screen must not depend on a locale. */
#ifndef TUI_WIDTH_H
#define TUI_WIDTH_H

#include "core/base/buf.h"

/* 1 or 2 columns, 0 for a combining mark, -1 for what must not reach a terminal. */
int width_char(int32_t cp);
/* Columns of UTF-8 text; what must not reach a terminal counts as one. */
int width_text(struct str s);

#endif
