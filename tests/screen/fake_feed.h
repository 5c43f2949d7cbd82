/* SPDX-License-Identifier: ISC */
/* A store, an engine and a network that are always the same: rows from a formula, a clock that stands
 * still. Acts change the rows, so that a scenario can see what it did. */
#ifndef TESTS_SCREEN_FAKE_FEED_H
#define TESTS_SCREEN_FAKE_FEED_H

#include "core/base/clock.h"
#include "tui/feed.h"

/* 2026-11-24 10:42:07 UTC */
#define FAKE_NOW_MS INT64_C(1795516927000)

/*
 * "busy" every state once, "many" 5,000 rows, "empty", "hostile" what peers send to harm a terminal,
 * "down" the engine does not run, "sick" its store is full, "draining", "nostore" there is no store,
 * "slow" every question takes half a minute, unless it is interrupted. False when it is none of these.
 */
bool fake_feed_choose(const char *name);
struct feed_source fake_feed_source(void);
/* Wall time stands still; mono time goes on. */
const struct clock *fake_clock(void);

#endif
