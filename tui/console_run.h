/* SPDX-License-Identifier: ISC */
/* The console with its surroundings as parameters: for the tests, that bring a fake feed and clock. */
#ifndef TUI_CONSOLE_RUN_H
#define TUI_CONSOLE_RUN_H

#include "core/base/clock.h"
#include "tui/console.h"
#include "tui/feed.h"

/* As console_run. Times that are shown come from clock's wall time. */
int console_run_with(const struct console_conf *conf, const struct feed_source *source,
                     const struct clock *clock);

#endif
