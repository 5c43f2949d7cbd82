/* SPDX-License-Identifier: ISC */
/*
 * The console: three panes (Queue, Log, Diagnostics) on a terminal, over the store (read-only) and
 * the engine's control socket (acts). This is all that main() needs to know of it.
 */
#ifndef TUI_CONSOLE_H
#define TUI_CONSOLE_H

#include "core/base/base.h"

struct conf;

struct console_conf {
    const char *store_dir;      /* borrowed, as all pointers here */
    const char *control_socket; /* for acts and the engine's state */
    const char *hostname;       /* shown when the engine is down; the engine's own name wins */
    const struct conf *conf;    /* the checks read it */
    const char *theme;          /* name of a theme; NULL or "" = "default" */
    bool read_only;             /* acts are refused, and not listed */
};

/*
 * Run until the operator leaves. Standard input and output must be a terminal.
 *
 * Returns the process's exit code: 0 left by the operator or the terminal went away; 1 with one
 * sentence on stderr: no terminal, or one that cannot place a cursor (TERM=dumb, unknown). The
 * terminal is restored in every case, also when a bug or a signal ends the process.
 */
int console_run(const struct console_conf *conf);

#endif
