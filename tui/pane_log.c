/* SPDX-License-Identifier: ISC */
/*
 * The Log pane's state: a window of lines around one that is selected, by its id. Searching jumps
 * to the nearest line that matches and shows it among its neighbours; filtering shows only what
 * matches. Both are questions to the worker: the letters that are typed never wait.
 */
#include "tui/pane_log.h"

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tui/detail.h"
#include "tui/prompt.h"
#include "tui/say.h"

#define WINDOW_SIDE 200
#define WINDOW_EDGE 50
#define FAILURES    "status:deferred status:bounced status:expired status:rejected status:unconfirmed"

const char *log_applied_filter(const struct app *a)
{
    return a->log.is_filter_off ? "" : a->log.filter;
}

static const struct view_log_line *current(const struct app *a)
{
    return a->log.sel < a->log.n ? &a->log.lines[a->log.sel] : NULL;
}

static void ask_lines(struct app *a, enum ask_place place, int64_t id)
{
    struct ask *ask = app_ask(a, ASK_LOG);

    str_copy(str_of(log_applied_filter(a)), ask->filter, sizeof(ask->filter));
    ask->place = place;
    ask->id = id;
    ask->before = ask->after = WINDOW_SIDE;
    a->log.want_id = place == PLACE_AROUND ? id : place == PLACE_FIRST ? 1 : 0;
    a->log.is_appending = place == PLACE_AFTER;
}

void log_go(struct app *a, int64_t id)
{
    a->log.is_following = false;
    ask_lines(a, PLACE_AROUND, id);
}

void log_follow(struct app *a)
{
    a->log.is_following = true;
    ask_lines(a, PLACE_LAST, 0);
}

void log_reload(struct app *a)
{
    const struct view_log_line *l = current(a);

    if (a->log.is_following || !l)
        ask_lines(a, PLACE_LAST, 0);
    else
        ask_lines(a, PLACE_AROUND, l->id);
}

/* Following asks only for what is new: a filter that matches nothing must not read all days again. */
void log_poll(struct app *a)
{
    struct log_pane *l = &a->log;

    if (!l->is_following || a->is_waiting[ASK_LOG])
        return;
    if (l->is_loaded && l->newest_id > 0)
        ask_lines(a, PLACE_AFTER, l->newest_id);
    else
        ask_lines(a, PLACE_LAST, 0);
}

void log_set_filter(struct app *a, const char *text)
{
    str_copy(str_of(text), a->log.filter, sizeof(a->log.filter));
    a->log.is_filter_off = false;
    a->log.is_loaded = false;
    a->log.error[0] = '\0';
    log_reload(a);
}

static void count_hits(struct app *a)
{
    struct log_pane *l = &a->log;
    struct ask *ask;

    l->has_hits = false;
    if (!l->needle[0])
        return;
    ask = app_ask(a, ASK_LOG_COUNT);
    str_copy(str_of(l->needle), ask->needle, sizeof(ask->needle));
    str_copy(str_of(log_applied_filter(a)), ask->filter, sizeof(ask->filter));
}

/* Jump to the nearest line that matches needle and filter, on one side of id. */
static void ask_jump(struct app *a, const char *needle, const char *filter, bool is_back,
                     int64_t id)
{
    struct ask *ask = app_ask(a, ASK_LOG_JUMP);
    const char *base = log_applied_filter(a);

    str_copy(str_of(needle), ask->needle, sizeof(ask->needle));
    if (filter[0])
        snprintf(ask->filter, sizeof(ask->filter), "%s%s%s", base, base[0] ? " " : "", filter);
    else
        str_copy(str_of(base), ask->filter, sizeof(ask->filter));
    ask->is_back = is_back;
    ask->id = id;
    app_note(a, false, "Searching ...");
}

void log_search_begin(struct app *a)
{
    struct log_pane *l = &a->log;
    const struct view_log_line *line = current(a);

    l->origin_id = line ? line->id : 0;
    l->was_following = l->is_following;
}

void log_search(struct app *a, const char *needle)
{
    struct log_pane *l = &a->log;

    str_copy(str_of(needle), l->needle, sizeof(l->needle));
    count_hits(a);
    if (needle[0])
        ask_jump(a, needle, "", true, l->origin_id == 0 ? INT64_MAX : l->origin_id + 1);
}

void log_search_cancel(struct app *a)
{
    struct log_pane *l = &a->log;

    l->needle[0] = '\0';
    l->has_hits = false;
    a->note[0] = '\0';
    app_ask(a, ASK_LOG_JUMP); /* what is under way counts no more */
    a->is_asked[ASK_LOG_JUMP] = a->is_waiting[ASK_LOG_JUMP] = false;
    if (l->was_following)
        log_follow(a);
    else if (l->origin_id)
        log_go(a, l->origin_id);
}

void log_search_to_filter(struct app *a, const char *needle)
{
    char text[FILTER_BYTES_MAX + 1];

    log_search_cancel(a);
    if (!needle[0] || strchr(needle, '"'))
        return;
    snprintf(text, sizeof(text), "%.1500s%s\"%s\"", a->log.filter, a->log.filter[0] ? " " : "",
             needle);
    prompt_set_filter(a, text);
}

/* --- answers --- */

static size_t find_line(const struct log_pane *l, int64_t id)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->lines[i].id >= id)
            return i;
    }
    return l->n > 0 ? l->n - 1 : 0;
}

static size_t list_rows(const struct app *a)
{
    struct rect list, part;

    frame_split(a, false, 4, &list, &part);
    return list.h > 0 ? (size_t)list.h : 1;
}

static void lines_came(struct app *a, struct answer *answer)
{
    struct log_pane *l = &a->log;
    size_t offset = l->sel - l->top;

    for (size_t i = 0; i < l->n; i++)
        free(l->lines[i].text);
    free(l->lines);
    l->lines = answer->lines;
    l->n = answer->lines_n;
    answer->lines = NULL;
    answer->lines_n = 0;
    l->is_start = answer->is_start;
    l->is_end = answer->is_end;
    l->is_loaded = true;
    l->error[0] = '\0';
    /* Nothing matched: what comes from now on may. Ids are time-ordered (core/mail/id.h). */
    l->newest_id = l->n > 0 ? l->lines[l->n - 1].id : id_floor(a->now_wall_ms - MINUTE_MS);
    l->sel = l->want_id ? find_line(l, l->want_id) : l->n > 0 ? l->n - 1 : 0;
    if (offset >= list_rows(a))
        offset = list_rows(a) / 2;
    l->top = l->sel > offset ? l->sel - offset : 0;
    scroll_to(l->n, list_rows(a), &l->sel, &l->top);
}

/* New lines behind the others; as many of the oldest go. */
static void lines_appended(struct app *a, struct answer *answer)
{
    struct log_pane *l = &a->log;
    size_t all = l->n + answer->lines_n, over = all > WINDOW_SIDE ? all - WINDOW_SIDE : 0;

    if (answer->lines_n >= WINDOW_SIDE) { /* more than a window: read the end instead */
        ask_lines(a, PLACE_LAST, 0);
        return;
    }
    if (answer->lines_n == 0)
        return;
    l->lines = xreallocarray(l->lines, all, sizeof(*l->lines));
    memcpy(l->lines + l->n, answer->lines, answer->lines_n * sizeof(*l->lines));
    answer->lines_n = 0; /* the texts are ours now */
    for (size_t i = 0; i < over; i++)
        free(l->lines[i].text);
    memmove(l->lines, l->lines + over, (all - over) * sizeof(*l->lines));
    l->n = all - over;
    l->is_start &= over == 0;
    l->newest_id = l->lines[l->n - 1].id;
    l->sel = l->n - 1;
    scroll_to(l->n, list_rows(a), &l->sel, &l->top);
}

static void jumped(struct app *a, const struct answer *answer)
{
    struct log_pane *l = &a->log;

    if (answer->id == 0) {
        app_note(a, true,
                 answer->is_cut ? "Not found in the part that was searched in time."
                                : "No such line.");
        return;
    }
    a->note[0] = '\0';
    l->sel = l->top = list_rows(a) / 2; /* the hit comes into the middle */
    l->top = 0;
    log_go(a, answer->id);
}

static void answer(struct app *a, struct answer *answer)
{
    struct log_pane *l = &a->log;

    if (answer->rc == -(int)E_STATE)
        return; /* interrupted: a newer question is on its way */
    if (answer->rc < 0) {
        if (answer->kind == ASK_LOG)
            str_copy(str_of(answer->err.text), l->error, sizeof(l->error));
        else
            app_note(a, true, "%s", answer->err.text);
        return;
    }
    if (answer->kind == ASK_LOG && l->is_appending) {
        lines_appended(a, answer);
    } else if (answer->kind == ASK_LOG) {
        lines_came(a, answer);
    } else if (answer->kind == ASK_LOG_JUMP) {
        jumped(a, answer);
    } else {
        l->hits = answer->count;
        l->is_hits_cut = answer->is_cut;
        l->has_hits = true;
    }
}

/* --- commands --- */

static void moved(struct app *a)
{
    struct log_pane *l = &a->log;

    scroll_to(l->n, list_rows(a), &l->sel, &l->top);
    if (l->sel + 1 < l->n || !l->is_end)
        l->is_following = false;
    if (a->is_waiting[ASK_LOG] || l->n == 0)
        return;
    if ((!l->is_start && l->sel < WINDOW_EDGE) || (!l->is_end && l->sel + WINDOW_EDGE >= l->n))
        ask_lines(a, PLACE_AROUND, l->lines[l->sel].id);
}

static bool move(struct app *a, enum cmd cmd)
{
    struct log_pane *l = &a->log;

    if (cmd == CMD_BOTTOM) {
        log_follow(a);
        return true;
    }
    if (cmd == CMD_TOP && !l->is_start) {
        l->is_following = false;
        l->sel = l->top = 0;
        ask_lines(a, PLACE_FIRST, 0);
        return true;
    }
    if (!scroll_command(cmd, l->n, list_rows(a), &l->sel))
        return false;
    moved(a);
    return true;
}

static void jump_from_here(struct app *a, const char *needle, const char *filter, bool is_back)
{
    const struct view_log_line *line = current(a);

    if (line)
        ask_jump(a, needle, filter, is_back, line->id);
}

static void next_hit(struct app *a, bool is_back)
{
    if (a->log.needle[0])
        jump_from_here(a, a->log.needle, "", is_back);
    else
        app_note(a, false, "Nothing is searched for; / searches.");
}

static bool line_message(const struct view_log_line *line, int64_t *id)
{
    struct say_line parts;

    say_line((struct str){line->text, line->n}, &parts);
    return id_parse(parts.id, id);
}

static void next_same(struct app *a, bool is_back)
{
    const struct view_log_line *line = current(a);
    char filter[40], text[ID_TEXT_MAX];
    int64_t id;

    if (!line || !line_message(line, &id)) {
        app_note(a, false, "This line belongs to no message.");
        return;
    }
    snprintf(filter, sizeof(filter), "id:%s", id_text(id, text));
    jump_from_here(a, "", filter, is_back);
}

int64_t log_step_message(struct app *a, int by)
{
    struct log_pane *l = &a->log;
    int64_t id;

    for (size_t i = l->sel + (size_t)by; i < l->n; i += (size_t)by) {
        if (line_message(&l->lines[i], &id) && id != a->detail.message_id) {
            l->sel = i;
            moved(a);
            return id;
        }
    }
    app_note(a, false, "No other message on these lines.");
    return 0;
}

static void open(struct app *a)
{
    const struct view_log_line *line = current(a);
    int64_t id;

    if (line && line_message(line, &id))
        detail_open(a, id, 0, true);
    else if (line)
        app_note(a, false, "This line belongs to no message: it was refused before it had one.");
}

static void back(struct app *a)
{
    struct log_pane *l = &a->log;

    if (l->needle[0]) {
        l->needle[0] = '\0';
        l->has_hits = false;
    } else if (l->filter[0]) {
        log_set_filter(a, "");
    }
}

static void toggle_filter(struct app *a)
{
    a->log.is_filter_off = !a->log.is_filter_off;
    log_reload(a);
}

static bool command(struct app *a, enum cmd cmd)
{
    switch (cmd) {
    case CMD_OPEN: open(a); return true;
    case CMD_BACK: back(a); return true;
    case CMD_NEXT_HIT: next_hit(a, false); return true;
    case CMD_PREV_HIT: next_hit(a, true); return true;
    case CMD_NEXT_FAILURE: jump_from_here(a, "", FAILURES, false); return true;
    case CMD_PREV_FAILURE: jump_from_here(a, "", FAILURES, true); return true;
    case CMD_NEXT_SAME: next_same(a, false); return true;
    case CMD_PREV_SAME: next_same(a, true); return true;
    case CMD_GO_TIME: prompt_open(a, PROMPT_TIME, ""); return true;
    case CMD_FOLLOW: log_follow(a); return true;
    case CMD_RAW: a->log.is_raw = !a->log.is_raw; return true;
    case CMD_FILTER: prompt_open(a, PROMPT_FILTER, a->log.filter); return true;
    case CMD_FILTER_TOGGLE: toggle_filter(a); return true;
    default: return move(a, cmd);
    }
}

static void enter(struct app *a)
{
    a->next_follow_mono_ms = a->now_mono_ms + 500;
    log_reload(a);
}

static void tabs(const struct app *a, struct buf *out)
{
    const struct log_pane *l = &a->log;

    if (l->filter[0]) {
        buf_add_z(out, l->is_filter_off ? "filter off  " : "filter ");
        if (!l->is_filter_off)
            text_printable(out, str_of(l->filter), true);
        buf_add_z(out, "  ");
    }
    buf_add_z(out, l->is_following ? "FOLLOW" : "F follows");
}

static void state(const struct app *a, struct buf *out)
{
    const struct log_pane *l = &a->log;
    const struct view_log_line *line = current(a);
    char n[32], when[32];

    if (l->needle[0] && l->has_hits)
        buf_printf(out, "%s%s hit%s \"%s\"   ", l->is_hits_cut ? "over " : "",
                   text_count(l->hits, n), l->hits == 1 ? "" : "s", l->needle);
    else if (l->needle[0])
        buf_printf(out, "counting hits \"%s\"   ", l->needle);
    if (line)
        buf_printf(out, "%s UTC", say_full(line->wall_ms, when));
    if (l->n > 0 && l->is_end && l->sel + 1 == l->n)
        buf_add_z(out, "  newest");
    if (l->n > 0 && l->is_start && l->sel == 0)
        buf_add_z(out, "  oldest");
}

static void done(struct app *a)
{
    for (size_t i = 0; i < a->log.n; i++)
        free(a->log.lines[i].text);
    free(a->log.lines);
}

const struct screen screen_log = {
    .title = "Log",
    .where = IN_LOG,
    .enter = enter,
    .command = command,
    .answer = answer,
    .draw = log_draw,
    .tabs = tabs,
    .state = state,
    .done = done,
};
