/* SPDX-License-Identifier: ISC */
/*
 * Text at the edges: remote bytes made printable, numbers and durations read strictly and written
 * for people.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "core/base/buf.h"

/*
 * Append s so that it is harmless on a terminal and in a line of log: valid UTF-8 stays, C0 and DEL
 * become ^X, C1 and invalid bytes <9B>, bidi controls, zero-width and line separators <U+202E>.
 * CR LF between lines of a reply becomes one space when join_lines, else ^M^J;
 * a last CR LF is dropped when join_lines. A bare CR or LF is always a token.
 * Returns the number of tokens that were made (0 = s was clean).
 */
size_t text_printable(struct buf *out, struct str s, bool join_lines);
/* Into a fixed array, lines joined, cut where a character or token ends. */
void text_printable_copy(struct str s, char *out, size_t size);

/* Decode one UTF-8 character at s; *len gets its bytes (1 when invalid). Returns -1 when invalid. */
int32_t text_utf8_next(struct str s, size_t *len);
bool text_is_utf8(struct str s);
bool text_is_ascii(struct str s);

/* Cut the digits that *s begins with; false, with *s as it was, when there are none or their value
 * is over max. */
bool text_take_u64(struct str *s, uint64_t max, uint64_t *out);
/* Decimal, whole string, no sign, within 0..max. */
bool text_parse_u64(struct str s, uint64_t max, uint64_t *out);
/* "90", "90s", "5m", "4h", "2d", "1w", "250ms" and sums as "1h30m" to ms; a bare number is seconds. */
bool text_parse_duration(struct str s, int64_t *ms);
/* "10M", "50 MiB", "1024" to bytes (binary multiples k M G). */
bool text_parse_size(struct str s, uint64_t *bytes);
/* "10:42", "2026-11-24", "2026-11-24 10:42", "2026-11-24T10:42:00Z", "-15m", "1h" (ago), "now",
 * "today", "yesterday" to wall ms; local times are UTC, an offset as "+02:00" is understood. A time
 * without a day is the last one that was. */
bool text_parse_time(struct str s, int64_t now_wall_ms, int64_t *out_wall_ms);

/* "0s", "45s", "3h12m", "2d04h": at most 6 columns; "ago" and "in" go with all of them. Negative is
 * shown as 0s. */
const char *text_duration(int64_t ms, char out[16]);
/* "812", "41K", "10M". */
const char *text_size(uint64_t bytes, char out[16]);
/* "12,480". */
const char *text_count(uint64_t n, char out[32]);
/* "2026-11-24T10:42:00.123Z". */
const char *text_time_utc(int64_t wall_ms, char out[32]);
/* Days since 1970-01-01 to "20261124". */
const char *text_day(int64_t wall_ms, char out[16]);

#endif
