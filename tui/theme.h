/* SPDX-License-Identifier: ISC */
/*
 * Themes: what each role looks like. Small INI files (themes/README.md), read strictly: an unknown
 * role or colour is an error with file and line. The default is built in too, so that the console
 * starts without any file.
 */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "tui/role.h"

#define THEME_BOLD      1u
#define THEME_DIM       2u
#define THEME_UNDERLINE 4u
#define THEME_REVERSE   8u
#define THEME_ITALIC    16u

#define THEME_NAME_MAX    40
#define THEME_CHOICES_MAX 3
#define THEME_DEFAULT     (-1) /* the terminal's own colour */

/* A colour with what to take when the terminal has fewer: "208/bright-red/yellow". */
struct theme_colour {
    int16_t choices[THEME_CHOICES_MAX]; /* 0..255, or THEME_DEFAULT */
    uint8_t n;                          /* 0 = not given */
};

struct theme_look {
    struct theme_colour fg, bg;
    unsigned attrs;
};

struct theme {
    char name[THEME_NAME_MAX];
    struct theme_look looks[ROLE_COUNT];
};

void theme_init_default(struct theme *t);
/* Read the text of a theme file over *t. E_SYNTAX "FILE:LINE: what, and what is allowed". */
int theme_parse(struct str text, const char *file, struct theme *t, struct err *err);
/* Find NAME.ini in MXHELM_THEMES (when set), the user's, the system's and the installed folder, and
 * read it over the default. "default" without a file is the built-in one. E_NOTFOUND, E_SYNTAX. */
int theme_load(const char *name, struct theme *t, struct err *err);
/* Names that can be loaded, sorted; at most max; returns how many. */
size_t theme_list(char (*names)[THEME_NAME_MAX], size_t max);

/* How a cell looks on a terminal of that many colours (0 = mono): colour numbers, or -1. */
struct theme_cell {
    int fg, bg;
    unsigned attrs;
};
struct theme_cell theme_cell(const struct theme *t, enum role role, bool is_selected, int colours);

#endif
