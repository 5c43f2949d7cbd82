/* SPDX-License-Identifier: ISC */
/*
 * The console as a value: what is known, what is shown, what is wanted next. Keys, answers and time
 * go in; questions and a grid of cells come out. No terminal, no thread, no clock: so that a test
 * can drive all of it.
 *
 * Everything that keeps data from outside (rows, lines, checks) owns its copies, and data from
 * outside stays raw until cells_remote draws it.
 */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "tui/ask.h"
#include "tui/cells.h"
#include "tui/console.h"
#include "tui/keys.h"
#include "tui/line.h"
#include "tui/theme.h"

enum pane_id { PANE_QUEUE, PANE_LOG, PANE_DIAG, PANE_COUNT };

/* Marks become "id:" words of one filter, which holds FILTER_TERMS_MAX of them. */
#define MARKS_MAX 60

struct queue_pane {
    char filter[FILTER_BYTES_MAX + 1];
    bool is_filter_off; /* kept, but not applied */
    enum view_sort sort;
    bool is_descending;
    bool is_grouped, is_group_chosen; /* chosen: by the operator, so we do not choose any more */
    enum view_group group;
    /* the list: a window on it */
    struct view_row *rows; /* own */
    size_t n, sel, top;
    bool is_start, is_end;
    uint64_t base; /* rows before rows[0], as far as known */
    uint64_t count;
    bool has_count;
    /* the groups: all */
    struct view_group_row *groups; /* own */
    size_t groups_n, group_sel, group_top;
    /* Enter on a group narrows the filter; Esc comes back to it */
    bool is_inside;
    char outer_filter[FILTER_BYTES_MAX + 1];
    char inside_key[ADDR_TEXT_MAX];
    int64_t marks[MARKS_MAX]; /* recipient ids */
    size_t marks_n;
    bool is_loaded;
    bool wants_end; /* the answer under way was asked for by "last" */
    char error[480];
};

struct log_pane {
    char filter[FILTER_BYTES_MAX + 1];
    bool is_filter_off;
    char needle[ASK_NEEDLE_MAX];
    struct view_log_line *lines; /* own, oldest first */
    size_t n, sel, top;
    bool is_start, is_end;
    bool is_following, is_raw, is_loaded;
    int64_t want_id;   /* the line that the answer under way shall select; 0 = the newest */
    int64_t origin_id; /* where the search began */
    bool was_following;
    uint64_t hits;
    bool has_hits, is_hits_cut;
    bool is_appending;  /* the answer under way brings only what is new */
    int64_t newest_id;  /* what is new is behind this */
    char error[480];
};

#define DIAG_MAX 64

struct diag_pane {
    struct feed_check *checks; /* own */
    size_t n, sel, top;
    bool is_running, has_run;
    int64_t ran_wall_ms;
    char error[480];
};

struct detail {
    bool is_open;  /* over the pane */
    bool from_log; /* opened there: [ and ] walk the log */
    int64_t message_id, rcpt_id;
    struct answer *data; /* own; NULL = not there yet */
    int top;
    char needle[ASK_NEEDLE_MAX];
    char error[480];
};

enum modal { MODAL_NONE, MODAL_PROMPT, MODAL_HELP, MODAL_PALETTE, MODAL_DIALOG };
enum prompt_kind { PROMPT_FILTER, PROMPT_SEARCH, PROMPT_TIME, PROMPT_KIND_COUNT };

struct prompt {
    enum prompt_kind kind;
    struct line line;
    char error[480];
    struct line_history history[PROMPT_KIND_COUNT];
};

/* Help and palette: a list that typing filters. */
struct palette {
    struct line line;
    size_t sel, top;
    bool is_view; /* only group and sort */
};

enum dialog_state { DIALOG_COUNTING, DIALOG_READY, DIALOG_FAILED };

struct dialog {
    enum dialog_state state;
    enum ctl_verb verb;
    char filter[FILTER_BYTES_MAX + 1];
    char which[200]; /* for people */
    uint64_t count, skipped;
    int64_t oldest_wall_ms;
    int64_t opened_mono_ms;
    bool is_on_action; /* focus; else on Cancel */
    struct line line;  /* the number, when many */
    char error[480];
};

struct app {
    const struct console_conf *conf; /* borrowed */
    struct theme theme;
    int64_t now_wall_ms, now_mono_ms;
    int w, h;
    bool is_ascii;

    enum pane_id pane;
    enum modal modal;
    struct queue_pane queue;
    struct log_pane log;
    struct diag_pane diag;
    struct detail detail;
    struct prompt prompt;
    struct palette palette;
    struct dialog dialog;
    bool is_pasting, is_paste_dropped;

    bool is_engine_known, is_engine_up;
    char engine_error[480];
    struct ctl_status status;
    bool has_totals;
    struct queue_totals totals;
    int64_t version;
    char store_error[480];
    bool has_job; /* a job of ours runs */
    struct ctl_job job;
    char note[300];
    bool is_note_bad;
    int64_t note_until_mono_ms;

    struct ask asks[ASK_KIND_COUNT];
    bool is_asked[ASK_KIND_COUNT];   /* waits for app_next_ask */
    bool is_waiting[ASK_KIND_COUNT]; /* asked, not answered */
    unsigned serials[ASK_KIND_COUNT];
    int64_t next_totals_mono_ms, next_status_mono_ms, next_job_mono_ms, next_follow_mono_ms;

    bool wants_quit, wants_redraw, wants_suspend, wants_theme;
};

/* --- for the console's loop and the tests --- */
void app_init(struct app *a, const struct console_conf *conf, const struct theme *theme,
              int64_t wall_ms, int64_t mono_ms);
void app_done(struct app *a);
void app_resize(struct app *a, int w, int h);
void app_key(struct app *a, int32_t key);
/* Time goes on; asks what is due. */
void app_tick(struct app *a, int64_t wall_ms, int64_t mono_ms);
/* When app_tick has something to do: ms from now. */
int64_t app_tick_in_ms(const struct app *a);
void app_answer(struct app *a, struct answer *answer); /* takes */
/* The next question to hand to a worker; false when there is none. */
bool app_next_ask(struct app *a, struct ask *out);
void app_draw(struct app *a, struct cells *g);

/* --- for the panes --- */
/* A fresh question of a kind; earlier ones of it count no more. Borrowed until the next call. */
struct ask *app_ask(struct app *a, enum ask_kind kind);
void app_note(struct app *a, bool is_bad, const char *fmt, ...) PRINTF_LIKE(3, 4);
void app_command(struct app *a, enum cmd cmd);
unsigned app_where(const struct app *a);
void app_show_pane(struct app *a, enum pane_id pane);
/* Ask for everything that the screen shows anew. */
void app_refresh(struct app *a);
void app_load_theme(struct app *a, const char *name);
bool app_is_wide(const struct app *a); /* room for list and detail side by side */

#endif
