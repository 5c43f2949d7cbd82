/* SPDX-License-Identifier: ISC */
/*
 * What a piece of the screen means. Panes draw roles; themes/ say how a role looks. A role never
 * carries a meaning alone: a letter or a word stands there too.
 */
#ifndef TUI_ROLE_H
#define TUI_ROLE_H

#include "core/base/base.h"

enum role {
    ROLE_TEXT,
    ROLE_DIM,      /* less important */
    ROLE_HEADER,   /* the first line: host and counts */
    ROLE_TAB,      /* the pane in front */
    ROLE_TITLE,    /* heads of columns and of parts */
    ROLE_BORDER,   /* frames and rules */
    ROLE_KEY,      /* a key in a hint */
    ROLE_HINT,     /* what that key does */
    ROLE_INPUT,    /* what is being typed */
    ROLE_NOTE,     /* what the console says about what was done */
    ROLE_SELECTED, /* the row under the cursor: laid over the row's own roles */
    ROLE_MARKED,   /* a marked row's mark */
    ROLE_HIT,      /* a place that the search found */
    ROLE_ALERT,    /* the engine is down, the store is sick */
    ROLE_DANGER,   /* frame and title of a dialog that destroys */
    ROLE_WAITING,  /* queue: waits for its first try */
    ROLE_RETRYING, /* queue: tried, will be tried again */
    ROLE_ACTIVE,   /* queue: being tried now */
    ROLE_STUCK,    /* queue: will not leave by itself */
    ROLE_DONE,     /* queue: accepted by the next server */
    ROLE_FAILED,   /* queue: refused for good */
    ROLE_LOG_SENT,
    ROLE_LOG_DEFERRED,
    ROLE_LOG_BOUNCED,
    ROLE_LOG_REJECTED,
    ROLE_CHECK_OK,
    ROLE_CHECK_WARN,
    ROLE_CHECK_FAIL,
    ROLE_CHECK_UNKNOWN,
    ROLE_COUNT
};

/* As theme files write it: "queue.stuck". */
const char *role_name(enum role r);

#endif
