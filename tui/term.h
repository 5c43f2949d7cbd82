/* SPDX-License-Identifier: ISC */
/*
 * The terminal: the only file that knows curses. Brings the differences between two grids to the
 * screen, reads keys, and puts the terminal back in every ending, crashes and signals included.
 *
 * One terminal per process. Deliberately no curses windows, panels or menus: the screen is cells.h.
 */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include "tui/cells.h"
#include "tui/theme.h"

/* E_STATE with the sentence for the operator: not a terminal, or one that cannot place a cursor. */
int term_open(struct err *err);
void term_close(void);
void term_size(int *w, int *h);
/* The locale shows nothing but ASCII. */
bool term_is_ascii(void);
/* 0 with NO_COLOR or a terminal without colours. */
int term_colours(void);
void term_set_theme(const struct theme *t);
/* Bring g to the screen; only what differs from the last one. */
void term_draw(const struct cells *g);
/* Forget what is on the screen: the next drawing is whole. */
void term_forget(void);
/* The next key that is there already (keys.h), or K_NONE. Never waits, but 25 ms behind an Esc. */
int32_t term_key(void);
/* Stop the process as Ctrl-Z does; returns when it is continued. */
void term_suspend(void);
/* A byte can be read from it when a signal came: take it with term_signals. */
int term_signal_fd(void);
#define TERM_GOT_RESIZE 1u
#define TERM_GOT_END    2u /* SIGHUP, SIGTERM, SIGINT */
#define TERM_GOT_CONT   4u
unsigned term_signals(void);

#endif
