/* SPDX-License-Identifier: ISC */
/*
 * ONE table of keys: what is pressed where, what it is called, what it does. Look-up, hints, help
 * and the palette are all made from it, so that they cannot disagree. A key that does nothing yet
 * is not in it.
 *
 * Prompts and dialogs do not use this table: there, letters are text.
 */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include "core/base/buf.h"

/* A key is a Unicode character (Ctrl-A = 1 ...), or one of these. */
enum key_special {
    K_NONE = 0,
    K_TAB = 9,
    K_ENTER = 13,
    K_ESC = 27,
    K_FIRST = 0x200000,
    K_UP = K_FIRST,
    K_DOWN,
    K_LEFT,
    K_RIGHT,
    K_PAGE_UP,
    K_PAGE_DOWN,
    K_HOME,
    K_END,
    K_BACKSPACE,
    K_DELETE,
    K_BACKTAB,
    K_F1,
    K_PASTE_BEGIN,
    K_PASTE_END,
    K_RESIZE
};
#define K_CTRL(c) ((c)&0x1f)

enum cmd {
    CMD_NONE,
    /* move */
    CMD_UP,
    CMD_DOWN,
    CMD_PAGE_UP,
    CMD_PAGE_DOWN,
    CMD_HALF_UP,
    CMD_HALF_DOWN,
    CMD_TOP,
    CMD_BOTTOM,
    CMD_OPEN,
    CMD_BACK,
    CMD_PREV_MESSAGE,
    CMD_NEXT_MESSAGE,
    CMD_NEXT_PART,
    CMD_PANE_QUEUE,
    CMD_PANE_LOG,
    CMD_PANE_DIAG,
    CMD_NEXT_PANE,
    CMD_PREV_PANE,
    /* find */
    CMD_SEARCH,
    CMD_NEXT_HIT,
    CMD_PREV_HIT,
    CMD_FILTER,
    CMD_FILTER_TOGGLE,
    CMD_NEXT_FAILURE,
    CMD_PREV_FAILURE,
    CMD_NEXT_SAME,
    CMD_PREV_SAME,
    CMD_GO_TIME,
    CMD_FOLLOW,
    CMD_RAW,
    /* choose */
    CMD_MARK,
    CMD_MARK_ALL,
    CMD_UNMARK_ALL,
    /* act */
    CMD_RETRY,
    CMD_RETRY_ALL,
    CMD_HOLD,
    CMD_RELEASE,
    CMD_DELETE,
    CMD_CONFIRM,
    CMD_RESEND,
    /* see */
    CMD_GROUP,
    CMD_LOG_OF,
    CMD_CHECK,
    /* whole */
    CMD_HELP,
    CMD_PALETTE,
    CMD_REDRAW,
    CMD_SUSPEND,
    CMD_QUIT,
    CMD_COUNT
};

/* Where a key works. */
#define IN_QUEUE  1u
#define IN_LOG    2u
#define IN_DIAG   4u
#define IN_DETAIL 8u
#define IN_LISTS  (IN_QUEUE | IN_LOG | IN_DIAG)
#define IN_ALL    (IN_LISTS | IN_DETAIL)

#define KEYS_PER_CMD 4

struct key_def {
    enum cmd cmd;
    unsigned where;
    int32_t keys[KEYS_PER_CMD]; /* the first is the one that is shown */
    const char *name;           /* for the palette: "retry" */
    const char *hint;           /* a word or two for the hints; NULL = not hinted */
    const char *help;           /* one line */
    bool acts;                  /* changes mail: not in read-only mode */
    bool confirms;              /* always through a dialog */
};

/* All of them; n is told. */
const struct key_def *keys_table(size_t *n);
/* What key does at one place (exactly one bit of where); NULL when nothing. */
const struct key_def *keys_find(unsigned where, int32_t key);
/* "r", "^R", "PgDn", "Space": at most 5 columns. */
const char *keys_label(int32_t key, char out[8]);
/* All keys of an entry, "j Down". */
void keys_labels(const struct key_def *d, char *out, size_t size);
/* A key that stands twice in one place, for the test: false, and which. */
bool keys_check(char *why, size_t size);

#endif
