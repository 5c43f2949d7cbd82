/* SPDX-License-Identifier: ISC */
/*
 * --json: one object a line; names are snake_case and stable (tui/README.md lists them), times are
 * UTC RFC 3339, durations end in _ms. What a peer sent is made valid UTF-8, and nothing else is
 * done to it: a program reads it, not a terminal.
 */
#ifndef TUI_JSON_H
#define TUI_JSON_H

#include <jansson.h>

#include "core/ctl/proto.h"
#include "store/view.h"

void json_put(json_t *o, const char *key, json_t *takes_value);
void json_put_text(json_t *o, const char *key, const char *text);
void json_put_count(json_t *o, const char *key, uint64_t n);
void json_put_int(json_t *o, const char *key, int64_t n);
void json_put_bool(json_t *o, const char *key, bool b);
/* null for 0, which is "none". */
void json_put_time(json_t *o, const char *key, int64_t wall_ms);
/* One line on stdout. Takes o. */
void json_print(json_t *o);

/* Each returns new (json_decref, or json_print). */
json_t *json_of_row(const struct view_row *r);
json_t *json_of_group(const struct view_group_row *g, enum view_group by);
json_t *json_of_message(const struct message *m);
json_t *json_of_attempt(const struct view_attempt *a);
json_t *json_of_log_line(const struct view_log_line *l);
json_t *json_of_status(const struct ctl_status *s);
json_t *json_of_totals(const struct queue_totals *t);
json_t *json_of_job(const struct ctl_job *j);

#endif
