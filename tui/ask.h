/* SPDX-License-Identifier: ISC */
/*
 * Questions and answers between the screen and the workers. A question carries all it needs by
 * value; an answer owns what it brings. Of each kind only the newest question counts: an older one
 * is interrupted, and its answer is dropped by its serial number.
 */
#ifndef TUI_ASK_H
#define TUI_ASK_H

#include "tui/feed.h"

enum ask_kind {
    /* answered from the store */
    ASK_TOTALS, /* totals, and the number of matches of the filter */
    ASK_LIST,   /* rows around a place */
    ASK_GROUPS,
    ASK_DETAIL,    /* a message with its recipients, attempts and header */
    ASK_LOG,       /* a page of lines around a place */
    ASK_LOG_JUMP,  /* the nearest line that matches, by id */
    ASK_LOG_COUNT, /* how many lines match */
    /* answered by the engine */
    ASK_STATUS,
    ASK_ACT, /* a verb, or its dry run; never superseded */
    ASK_JOB,
    /* answered by the checks */
    ASK_CHECK,
    ASK_KIND_COUNT
};

enum ask_lane { LANE_STORE, LANE_ENGINE, LANE_CHECK, LANE_COUNT };
enum ask_lane ask_lane_of(enum ask_kind k);

enum ask_place { PLACE_FIRST, PLACE_LAST, PLACE_AROUND, PLACE_AFTER };

#define ASK_NEEDLE_MAX 200

struct ask {
    enum ask_kind kind;
    unsigned serial;
    int64_t now_wall_ms;
    char filter[FILTER_BYTES_MAX + 1];
    char needle[ASK_NEEDLE_MAX];
    /* ASK_TOTALS: the version that is known; when it still holds, the answer is only that */
    int64_t known_version;
    bool with_count;
    /* ASK_LIST, ASK_GROUPS */
    enum view_sort sort;
    bool is_descending;
    enum view_group group;
    enum ask_place place; /* also ASK_LOG, which alone has PLACE_AFTER: what came behind id */
    struct view_cursor at;
    unsigned before, after; /* rows or lines on both sides of the place */
    /* ASK_DETAIL: message and recipient; ASK_LOG, ASK_LOG_JUMP: a line's id */
    int64_t id, rcpt_id;
    bool is_back;
    /* ASK_ACT, ASK_JOB, ASK_STATUS */
    struct ctl_request request;
    bool is_waiting;
};

struct answer {
    enum ask_kind kind;
    unsigned serial;
    int rc;
    struct err err;
    bool is_last; /* ASK_CHECK answers several times */
    /* ASK_TOTALS */
    bool is_unchanged;
    int64_t version;
    struct queue_totals totals;
    uint64_t count;
    bool has_count;
    /* ASK_LIST; ASK_DETAIL: recipients */
    struct view_row *rows; /* own */
    size_t rows_n;
    bool is_start, is_end;         /* nothing is before, behind; also ASK_LOG */
    struct view_group_row *groups; /* own */
    size_t groups_n;
    /* ASK_DETAIL */
    struct message message;
    int64_t rcpt_id;
    struct view_attempt *attempts; /* own; the latest */
    size_t attempts_n;
    struct buf header; /* own; "" once the body is gone */
    struct buf transcript; /* own: of the newest attempt that has one; "" = none is kept */
    unsigned transcript_of; /* its number */
    /* ASK_LOG */
    struct view_log_line *lines; /* own, oldest first */
    size_t lines_n;
    /* ASK_LOG_JUMP: 0 = nothing matched */
    int64_t id;
    bool is_cut; /* also ASK_LOG_COUNT */
    /* ASK_ACT, ASK_JOB, ASK_STATUS */
    struct ctl_reply reply; /* own */
    struct feed_check check;
};

/* Returns new (free with answer_free). emit (may be NULL) gets early answers, which it takes. */
struct answer *ask_run(const struct feed *feed, const struct ask *a,
                       void (*emit)(void *arg, struct answer *early), void *arg);
void answer_free(struct answer *a);

#endif
