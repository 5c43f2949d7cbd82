/* SPDX-License-Identifier: ISC */
/* Words for people: states, times, and the sentence that says what happens to a row next. */
#ifndef TUI_SAY_H
#define TUI_SAY_H

#include "core/mail/logline.h"
#include "store/view.h"
#include "tui/role.h"

/* "waiting", "retrying", "active", "HELD", "UNCONF", "sent" ...: at most 8 columns. */
const char *say_state(const struct view_row *r);
enum role say_state_role(const struct view_row *r);
/* "now", "held", "2m", "-". */
const char *say_next(const struct view_row *r, int64_t now_wall_ms, char out[16]);
/* The enhanced code, or the reply code, or "-". */
const char *say_code(int code, const char *enhanced, char out[16]);
/* What it means and what comes next, in one or two sentences. */
void say_row(const struct view_row *r, int64_t now_wall_ms, struct buf *out);
void say_group(const struct view_group_row *g, int64_t now_wall_ms, struct buf *out);

/* UTC: "10:42", "10:42:07", "Nov 24 10:42", "2026-11-24 10:42:07". */
const char *say_hm(int64_t wall_ms, char out[32]);
const char *say_hms(int64_t wall_ms, char out[32]);
const char *say_day_hm(int64_t wall_ms, char out[32]);
const char *say_full(int64_t wall_ms, char out[32]);
/* A stored sentence from where the server's own words begin: "host mx[ip] said: 550 ..." is told by its
 * code, not by its host. Borrowed from s. */
struct str say_reply(struct str s);
/* "1.2k", "812". */
const char *say_rate(uint64_t n, char out[16]);

/* A delivery line, cut up; all borrowed from the line, empty when it has no such part. */
struct say_line {
    struct str id, to, relay, delay, reply;
    enum log_status status;
    bool is_accepted; /* "from=<a>, size=": taken into the queue */
};
void say_line(struct str line, struct say_line *out);
const char *say_status(const struct say_line *l); /* "SENT", "DEFER", "BOUNCE", ... at most 6 */
enum role say_status_role(enum log_status s);
bool say_is_failure(enum log_status s);

#endif
