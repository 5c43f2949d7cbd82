/* SPDX-License-Identifier: ISC */
/*
 * What the console and the commands see: read-only, typed rows, one page at a time. A call opens a
 * read transaction, copies out and ends it; nothing is held across a key press. Works while the
 * engine runs and while it is down.
 *
 * One struct view belongs to one thread; only view_interrupt may be called from another.
 */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "core/base/buf.h"
#include "core/mail/filter.h"
#include "core/mail/msg.h"
#include "core/mail/outcome.h"
#include "store/queue.h"

struct view;

/* E_NOTFOUND when there is no store yet, E_SCHEMA, E_DENIED ... Returns new (free with view_close). */
int view_open(const char *dir, struct view **out, struct err *err);
void view_close(struct view *v);
/* Changes when the queue may have changed (3 us). */
int64_t view_version(struct view *v);
/* Make the running call return E_STATE soon; any thread. */
void view_interrupt(struct view *v);

enum view_sort {
    VIEW_BY_AGE, /* arrival */
    VIEW_BY_NEXT, VIEW_BY_TRIES, VIEW_BY_DOMAIN, VIEW_BY_SIZE, VIEW_BY_STATE,
    VIEW_SORT_COUNT
};
const char *view_sort_name(enum view_sort s);
bool view_sort_parse(struct str name, enum view_sort *out);

#define VIEW_NOTE_MAX 500
#define VIEW_INFO_MAX 400

/* One recipient. Texts from outside are raw here: the screen makes them printable. */
struct view_row {
    int64_t rcpt_id, message_id;
    enum rcpt_state state;
    enum msg_class class;
    unsigned tries;
    int64_t arrival_wall_ms, next_wall_ms, last_wall_ms; /* 0 = never */
    int64_t finished_wall_ms;
    uint64_t size_bytes;
    int code;
    char enhanced[12];
    char cause[48];
    char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
    char domain[ADDR_DOMAIN_MAX + 1], site[ADDR_DOMAIN_MAX + 1];
    char info[VIEW_INFO_MAX];    /* the last outcome's sentence, cut */
    char subject[MSG_DIGEST_MAX + 1];
    char note[VIEW_NOTE_MAX];    /* why held: reason and author, or what must be mended */
    bool is_held_by_engine;      /* until next_wall_ms; else by an operator, until it is released */
    char via[MSG_VIA_MAX + 1];   /* a reroute (mail/way.h); "" = none */
};

/* A place in an order: the last row shown. */
struct view_cursor {
    bool is_set;
    char key[ADDR_DOMAIN_MAX + 1]; /* text orders */
    int64_t number;                /* numeric orders */
    int64_t rcpt_id;
};

struct view_query {
    const struct filter *filter; /* NULL = everything that is not final */
    bool with_final;             /* also delivered, bounced, expired, deleted (a state: word implies it) */
    enum view_sort sort;
    bool is_descending;
    int64_t now_wall_ms;
};

/* Up to limit rows behind (or, is_back, before) the cursor, in the order of the query; returns how
 * many, or an error. Rows are written to rows. */
int view_rows(struct view *v, const struct view_query *q, const struct view_cursor *at,
              bool is_back, struct view_row *rows, unsigned limit, struct err *err);
void view_cursor_of(const struct view_query *q, const struct view_row *row,
                    struct view_cursor *out);
int view_count(struct view *v, const struct view_query *q, uint64_t *out, struct err *err);

enum view_group { VIEW_GROUP_CAUSE, VIEW_GROUP_DOMAIN, VIEW_GROUP_SITE, VIEW_GROUP_SENDER, VIEW_GROUP_AGE, VIEW_GROUP_COUNT };
const char *view_group_name(enum view_group g); /* "cause", ... */
bool view_group_parse(struct str name, enum view_group *out);

struct view_group_row {
    char key[ADDR_TEXT_MAX]; /* "" = none yet (never tried) */
    uint64_t count, domains, bytes;
    int64_t oldest_wall_ms, next_wall_ms;
    char info[VIEW_INFO_MAX]; /* the newest sample's sentence */
    char domain[ADDR_DOMAIN_MAX + 1]; /* a domain of it */
    int code;
    char enhanced[12];
};
/* Largest first. Age groups have keys "5m", "20m", "80m", "5h20m", "21h20m", "older". */
int view_groups(struct view *v, const struct view_query *q, enum view_group by,
                struct view_group_row *rows, unsigned limit, struct err *err);

int view_totals(struct view *v, struct queue_totals *out, struct err *err);

/* What is suppressed now; as queue_suppressions. */
int view_suppressions(struct view *v, int64_t now_wall_ms, unsigned limit,
                      void (*each)(void *arg, const struct queue_suppression *q), void *arg,
                      struct err *err);
int view_rules(struct view *v, unsigned limit,
               void (*each)(void *arg, const struct queue_rule *q), void *arg, struct err *err);
int view_message(struct view *v, int64_t message_id, struct message *out, struct err *err);
/* All recipients of a message (with_final), by id, behind after_id. */
int view_recipients(struct view *v, int64_t message_id, int64_t after_id, struct view_row *rows,
                    unsigned limit, struct err *err);

struct view_attempt {
    int64_t id, start_wall_ms, duration_ms;
    struct delays delays;
    struct outcome outcome; /* as recorded */
    unsigned number;        /* 1 = first */
};
int view_attempts(struct view *v, int64_t rcpt_id, int64_t after_id, struct view_attempt *rows,
                  unsigned limit, struct err *err);
/* What that try did, line by line (mail/transcript.h); E_NOTFOUND when it is not kept. */
int view_transcript(struct view *v, int64_t attempt_id, struct buf *out, struct err *err);
/* Header of the stored message; E_NOTFOUND once the body is gone. */
int view_header(struct view *v, int64_t message_id, struct buf *out, struct err *err);
int view_body(struct view *v, int64_t message_id, unsigned seq, struct buf *out, struct err *err);

/* --- the log --- */

struct view_log_line {
    int64_t id, wall_ms;
    char *text; /* own: free with view_log_done */
    size_t n;
};
struct view_log_page {
    struct view_log_line *lines; /* own; oldest first */
    size_t n;
    bool is_start; /* (backward) nothing older is kept */
    uint64_t scanned_lines;
    int64_t resume_id; /* where a search that was cut short goes on */
    bool is_cut;       /* it stopped at its budget, not at an end */
};
void view_log_done(struct view_log_page *p);

struct view_log_query {
    struct str needle;           /* substring, ASCII case folded; empty = all */
    const struct filter *filter; /* may be NULL */
    int64_t since_wall_ms, until_wall_ms; /* 0 = open */
};
/* Backwards from before_id (INT64_MAX = the newest): at most limit matches, newest nearest.
 * budget_ms: give what was found after that long (0 = none); see is_cut. */
int view_log_back(struct view *v, const struct view_log_query *q, int64_t before_id, unsigned limit,
                  int64_t budget_ms, struct view_log_page *out, struct err *err);
/* Forwards from after_id: for following and for paging down. */
int view_log_forward(struct view *v, const struct view_log_query *q, int64_t after_id,
                     unsigned limit, int64_t budget_ms, struct view_log_page *out, struct err *err);
/* All matches, bounded by budget; *is_cut when it did not finish. */
int view_log_count(struct view *v, const struct view_log_query *q, int64_t budget_ms,
                   uint64_t *out, bool *is_cut, struct err *err);

#endif
