/* SPDX-License-Identifier: ISC */
/*
 * The Queue pane's state: a window of rows on a list that may have a million, or the groups of it.
 *
 * The window is asked for around the row under the cursor (by its keyset cursor), so that moving,
 * refreshing and paging are one thing. The row under the cursor is kept by its id: a refresh moves
 * the list, never the choice.
 */
#include "tui/pane_queue.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "tui/act.h"
#include "tui/detail.h"
#include "tui/prompt.h"
#include "tui/palette.h"
#include "tui/pane_log.h"
#include "core/mail/id.h"

#define WINDOW_SIDE 120 /* rows on each side of the cursor */
#define WINDOW_EDGE 40  /* ask for more when fewer are left */

const char *queue_applied_filter(const struct app *a)
{
    return a->queue.is_filter_off ? "" : a->queue.filter;
}

const struct view_row *queue_row(const struct app *a)
{
    const struct queue_pane *q = &a->queue;

    return !q->is_grouped && q->sel < q->n ? &q->rows[q->sel] : NULL;
}

const struct view_group_row *queue_group(const struct app *a)
{
    const struct queue_pane *q = &a->queue;

    return q->is_grouped && q->group_sel < q->groups_n ? &q->groups[q->group_sel] : NULL;
}

bool queue_is_marked(const struct queue_pane *q, int64_t rcpt_id)
{
    for (size_t i = 0; i < q->marks_n; i++) {
        if (q->marks[i] == rcpt_id)
            return true;
    }
    return false;
}

static struct ask *ask_list(struct app *a, enum ask_place place)
{
    struct ask *ask = app_ask(a, ASK_LIST);
    const struct queue_pane *q = &a->queue;

    str_copy(str_of(queue_applied_filter(a)), ask->filter, sizeof(ask->filter));
    ask->sort = q->sort;
    ask->is_descending = q->is_descending;
    ask->place = place;
    ask->after = place == PLACE_AROUND ? WINDOW_SIDE : 2 * WINDOW_SIDE;
    return ask;
}

static void ask_around(struct app *a)
{
    const struct queue_pane *q = &a->queue;
    struct view_query order = {.sort = q->sort, .is_descending = q->is_descending};
    struct ask *ask;

    if (q->sel >= q->n || (q->is_start && q->sel < WINDOW_SIDE)) {
        ask_list(a, PLACE_FIRST);
        return;
    }
    ask = ask_list(a, PLACE_AROUND);
    ask->before = WINDOW_SIDE;
    view_cursor_of(&order, &q->rows[q->sel], &ask->at);
}

void queue_reload(struct app *a)
{
    struct queue_pane *q = &a->queue;

    if (!q->is_grouped) {
        ask_around(a);
        return;
    }
    struct ask *ask = app_ask(a, ASK_GROUPS);

    ask->group = q->group;
    str_copy(str_of(queue_applied_filter(a)), ask->filter, sizeof(ask->filter));
}

static void forget(struct app *a)
{
    struct queue_pane *q = &a->queue;

    q->n = q->sel = q->top = 0;
    q->base = 0;
    q->groups_n = q->group_sel = q->group_top = 0;
    q->is_loaded = q->has_count = false;
    q->error[0] = '\0';
    a->version = 0;
    a->next_totals_mono_ms = a->now_mono_ms;
    queue_reload(a);
}

void queue_set_filter(struct app *a, const char *text)
{
    str_copy(str_of(text), a->queue.filter, sizeof(a->queue.filter));
    a->queue.is_filter_off = false;
    a->queue.is_inside = false;
    a->queue.marks_n = 0;
    forget(a);
}

void queue_set_group(struct app *a, bool is_grouped, enum view_group by)
{
    a->queue.is_grouped = is_grouped;
    a->queue.is_group_chosen = true;
    a->queue.group = by;
    a->queue.is_inside = false;
    forget(a);
}

void queue_set_sort(struct app *a, enum view_sort sort)
{
    struct queue_pane *q = &a->queue;

    if (q->sort == sort && !q->is_grouped)
        q->is_descending = !q->is_descending;
    else
        q->is_descending = sort == VIEW_BY_TRIES || sort == VIEW_BY_SIZE;
    q->sort = sort;
    q->is_grouped = false;
    q->is_group_chosen = true;
    forget(a);
}

/* With trouble in the queue, the first question is: which causes? */
void queue_totals_known(struct app *a)
{
    struct queue_pane *q = &a->queue;

    if (q->is_group_chosen)
        return;
    q->is_group_chosen = true;
    if (a->totals.deferred == 0 || q->filter[0])
        return;
    q->is_grouped = true;
    q->group = VIEW_GROUP_CAUSE;
    q->is_loaded = false;
}

static size_t list_rows(const struct app *a)
{
    struct rect list, part;

    frame_split(a, true, 5, &list, &part);
    return list.h > 1 ? (size_t)list.h - 1 : 1;
}

/* --- answers --- */

static size_t find_row(const struct view_row *rows, size_t n, int64_t id, size_t otherwise)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].rcpt_id == id)
            return i;
    }
    return otherwise < n ? otherwise : n > 0 ? n - 1 : 0;
}

static void list_came(struct app *a, struct answer *answer)
{
    struct queue_pane *q = &a->queue;
    const struct view_row *old = queue_row(a);
    size_t offset = q->sel - q->top, sel;
    int64_t old_id = old ? old->rcpt_id : 0, first_id = q->n > 0 ? q->rows[0].rcpt_id : 0;
    bool was_loaded = q->is_loaded;

    if (q->wants_end)
        sel = answer->rows_n > 0 ? answer->rows_n - 1 : 0;
    else
        sel = find_row(answer->rows, answer->rows_n, old_id, was_loaded ? q->sel : 0);
    if (answer->is_start) {
        q->base = 0;
    } else if (q->wants_end) {
        q->base = q->count > answer->rows_n ? q->count - answer->rows_n : 0;
    } else if (q->n > 0) {
        /* Where the old first row is now, or the new first row was, tells how far we moved. */
        size_t now = find_row(answer->rows, answer->rows_n, first_id, SIZE_MAX - 1);
        size_t was = find_row(q->rows, q->n, answer->rows[0].rcpt_id, 0);

        q->base = was > 0 ? q->base + was : q->base > now ? q->base - now : 0;
    }
    free(q->rows);
    q->rows = answer->rows;
    answer->rows = NULL;
    q->n = answer->rows_n;
    q->is_start = answer->is_start;
    q->is_end = answer->is_end;
    q->sel = sel;
    q->top = sel > offset ? sel - offset : 0;
    q->wants_end = false;
    q->is_loaded = true;
    q->error[0] = '\0';
    scroll_to(q->n, list_rows(a), &q->sel, &q->top);
}

static void groups_came(struct app *a, struct answer *answer)
{
    struct queue_pane *q = &a->queue;
    char key[ADDR_TEXT_MAX] = "";
    size_t sel = q->group_sel;

    if (q->group_sel < q->groups_n)
        str_copy(str_of(q->groups[q->group_sel].key), key, sizeof(key));
    for (size_t i = 0; q->groups_n > 0 && i < answer->groups_n; i++) {
        if (strcmp(answer->groups[i].key, key) == 0)
            sel = i;
    }
    free(q->groups);
    q->groups = answer->groups;
    answer->groups = NULL;
    q->groups_n = answer->groups_n;
    q->group_sel = sel;
    q->is_loaded = true;
    q->error[0] = '\0';
    scroll_to(q->groups_n, list_rows(a), &q->group_sel, &q->group_top);
}

static void show_beside(struct app *a)
{
    const struct view_row *r = queue_row(a);

    if (app_is_wide(a) && r && !a->detail.is_open)
        detail_show(a, r->message_id, r->rcpt_id);
}

static void answer(struct app *a, struct answer *answer)
{
    struct queue_pane *q = &a->queue;

    if (answer->rc == -(int)E_STATE)
        return; /* interrupted: a newer question is on its way */
    if (answer->rc < 0)
        str_copy(str_of(answer->err.text), q->error, sizeof(q->error));
    else if (answer->kind == ASK_LIST && !q->is_grouped)
        list_came(a, answer);
    else if (answer->kind == ASK_GROUPS && q->is_grouped)
        groups_came(a, answer);
    show_beside(a);
}

/* --- commands --- */

static void moved(struct app *a)
{
    struct queue_pane *q = &a->queue;

    scroll_to(q->n, list_rows(a), &q->sel, &q->top);
    if ((!q->is_start && q->sel < WINDOW_EDGE) || (!q->is_end && q->sel + WINDOW_EDGE >= q->n)) {
        if (!a->is_waiting[ASK_LIST])
            ask_around(a);
    }
    show_beside(a);
}

static void go_end(struct app *a)
{
    struct queue_pane *q = &a->queue;

    if (q->is_end) {
        q->sel = q->n > 0 ? q->n - 1 : 0;
        moved(a);
        return;
    }
    ask_list(a, PLACE_LAST);
    q->wants_end = true;
}

static void go_start(struct app *a)
{
    struct queue_pane *q = &a->queue;

    q->sel = q->top = 0;
    if (!q->is_start) {
        q->n = 0;
        ask_list(a, PLACE_FIRST);
    } else {
        moved(a);
    }
}

static bool move(struct app *a, enum cmd cmd)
{
    struct queue_pane *q = &a->queue;

    if (q->is_grouped) {
        if (!scroll_command(cmd, q->groups_n, list_rows(a), &q->group_sel))
            return false;
        scroll_to(q->groups_n, list_rows(a), &q->group_sel, &q->group_top);
        return true;
    }
    if (cmd == CMD_BOTTOM) {
        go_end(a);
        return true;
    }
    if (cmd == CMD_TOP) {
        go_start(a);
        return true;
    }
    if (!scroll_command(cmd, q->n, list_rows(a), &q->sel))
        return false;
    moved(a);
    return true;
}

bool queue_step(struct app *a, int by)
{
    struct queue_pane *q = &a->queue;
    size_t was = q->sel;

    if (q->is_grouped || q->n == 0)
        return false;
    if (by > 0 && q->sel + 1 < q->n)
        q->sel++;
    if (by < 0 && q->sel > 0)
        q->sel--;
    moved(a);
    return q->sel != was;
}

static void mark(struct app *a)
{
    struct queue_pane *q = &a->queue;
    const struct view_row *r = queue_row(a);

    if (!r) {
        app_note(a, false, "Groups are not marked: acts take the group under the cursor.");
        return;
    }
    if (queue_is_marked(q, r->rcpt_id)) {
        for (size_t i = 0; i < q->marks_n; i++) {
            if (q->marks[i] == r->rcpt_id)
                q->marks[i--] = q->marks[--q->marks_n];
        }
    } else if (q->marks_n == MARKS_MAX) {
        app_note(a, true, "%d rows can be marked; a filter (&) and R take any number.", MARKS_MAX);
        return;
    } else {
        q->marks[q->marks_n++] = r->rcpt_id;
    }
    move(a, CMD_DOWN);
}

static void mark_all(struct app *a)
{
    struct queue_pane *q = &a->queue;

    if (q->is_grouped)
        return;
    q->marks_n = 0;
    for (size_t i = 0; i < q->n && q->marks_n < MARKS_MAX; i++)
        q->marks[q->marks_n++] = q->rows[i].rcpt_id;
    if (q->marks_n < q->n || !q->is_end)
        app_note(a, true, "The first %zu are marked; a filter (&) and R take any number.",
                 q->marks_n);
}

static void open_group(struct app *a)
{
    struct queue_pane *q = &a->queue;
    const struct view_group_row *g = queue_group(a);
    char narrow[FILTER_BYTES_MAX + 1];

    if (!g)
        return;
    if (!act_narrow(queue_applied_filter(a), q->group, g->key, narrow, sizeof(narrow))) {
        app_note(a, true, "This group cannot be written as a filter.");
        return;
    }
    str_copy(str_of(q->filter), q->outer_filter, sizeof(q->outer_filter));
    str_copy(str_of(g->key), q->inside_key, sizeof(q->inside_key));
    str_copy(str_of(narrow), q->filter, sizeof(q->filter));
    q->is_grouped = false;
    forget(a);
    q->is_inside = true;
}

static void open(struct app *a)
{
    const struct view_row *r = queue_row(a);

    if (a->queue.is_grouped)
        open_group(a);
    else if (r)
        detail_open(a, r->message_id, r->rcpt_id, false);
}

static void leave_group(struct app *a)
{
    struct queue_pane *q = &a->queue;

    q->is_inside = false;
    str_copy(str_of(q->outer_filter), q->filter, sizeof(q->filter));
    q->is_grouped = true;
    q->marks_n = 0;
    forget(a);
    q->groups_n = 1; /* so that the group we come from is under the cursor again */
    free(q->groups);
    q->groups = xnew(struct view_group_row);
    str_copy(str_of(q->inside_key), q->groups[0].key, sizeof(q->groups[0].key));
}

static bool back(struct app *a)
{
    struct queue_pane *q = &a->queue;

    if (q->is_inside)
        leave_group(a);
    else if (q->marks_n > 0)
        q->marks_n = 0;
    else if (q->filter[0])
        queue_set_filter(a, "");
    return true;
}

static void toggle_filter(struct app *a)
{
    struct queue_pane *q = &a->queue;

    if (!q->filter[0]) {
        app_note(a, false, "There is no filter; & sets one.");
        return;
    }
    q->is_filter_off = !q->is_filter_off;
    q->has_count = false;
    a->version = 0;
    a->next_totals_mono_ms = a->now_mono_ms;
    if (!q->is_grouped && q->n > 0)
        q->is_start = false; /* stay at the row: ask around it */
    queue_reload(a);
}

static void log_of(struct app *a)
{
    const struct view_row *r = queue_row(a);
    const struct view_group_row *g = queue_group(a);
    char text[400], id[ID_TEXT_MAX];

    if (r)
        snprintf(text, sizeof(text), "id:%s", id_text(r->message_id, id));
    else if (g && a->queue.group == VIEW_GROUP_DOMAIN && !strchr(g->key, '"'))
        snprintf(text, sizeof(text), "domain:\"%s\"", g->key);
    else if (g && g->domain[0])
        snprintf(text, sizeof(text), "domain:%s", g->domain);
    else
        return;
    app_show_pane(a, PANE_LOG);
    log_set_filter(a, text);
}

static bool command(struct app *a, enum cmd cmd)
{
    switch (cmd) {
    case CMD_OPEN: open(a); return true;
    case CMD_BACK: return back(a);
    case CMD_MARK: mark(a); return true;
    case CMD_MARK_ALL: mark_all(a); return true;
    case CMD_UNMARK_ALL: a->queue.marks_n = 0; return true;
    case CMD_FILTER: prompt_open(a, PROMPT_FILTER, a->queue.filter); return true;
    case CMD_FILTER_TOGGLE: toggle_filter(a); return true;
    case CMD_GROUP: palette_open(a, MODAL_PALETTE, true); return true;
    case CMD_LOG_OF: log_of(a); return true;
    default: return move(a, cmd);
    }
}

static void enter(struct app *a)
{
    a->version = 0;
    a->next_totals_mono_ms = a->now_mono_ms;
    queue_reload(a);
}

static void tabs(const struct app *a, struct buf *out)
{
    const struct queue_pane *q = &a->queue;

    if (q->filter[0]) {
        buf_add_z(out, q->is_filter_off ? "filter off  " : "filter ");
        if (!q->is_filter_off)
            text_printable(out, str_of(q->filter), true);
        buf_add_z(out, "  ");
    }
    if (q->is_grouped)
        buf_printf(out, "by %s", view_group_name(q->group));
    else
        buf_printf(out, "sort %s%s", view_sort_name(q->sort), q->is_descending ? " down" : "");
}

static void state(const struct app *a, struct buf *out)
{
    const struct queue_pane *q = &a->queue;
    char n[32], m[32];

    if (q->marks_n > 0)
        buf_printf(out, "%zu marked   ", q->marks_n);
    if (q->is_grouped)
        buf_printf(out, "group %zu of %zu", q->groups_n ? q->group_sel + 1 : 0, q->groups_n);
    else if (q->n > 0 && q->has_count)
        buf_printf(out, "row %s of %s", text_count(q->base + q->sel + 1, n),
                   text_count(q->count, m));
    else if (q->n > 0)
        buf_printf(out, "row %s", text_count(q->base + q->sel + 1, n));
    if (a->is_waiting[ASK_LIST] && !q->is_loaded)
        buf_add_z(out, "   reading ...");
}

static void done(struct app *a)
{
    free(a->queue.rows);
    free(a->queue.groups);
}

const struct screen screen_queue = {
    .title = "Queue",
    .where = IN_QUEUE,
    .enter = enter,
    .command = command,
    .answer = answer,
    .draw = queue_draw,
    .tabs = tabs,
    .state = state,
    .done = done,
};
