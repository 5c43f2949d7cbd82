/* SPDX-License-Identifier: ISC */
/* "Try again in 300 seconds": the wait that a server names in the text of its 4xx reply. */
#ifndef MAIL_RETRY_AFTER_H
#define MAIL_RETRY_AFTER_H

#include "core/base/buf.h"

/* No server is believed beyond that. */
#define RETRY_AFTER_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)

/*
 * Find a duration behind words that announce one ("again", "retry", "come back", "greylisted",
 * "wait"): "in 5 minutes", "after 300 s", "for 1 hour", "00:05:00". Returns ms in
 * 1..RETRY_AFTER_MAX_MS, or 0 when none is named. Clock times ("after 12:30") are not durations.
 */
int64_t retry_after_parse(struct str text);

#endif
