/* SPDX-License-Identifier: ISC */
#include "tui/prompt.h"

#include "core/base/text.h"
#include "core/mail/id.h"
#include "tui/detail.h"
#include "tui/pane_log.h"
#include "tui/pane_queue.h"

void prompt_open(struct app *a, enum prompt_kind kind, const char *text)
{
    a->modal = MODAL_PROMPT;
    a->prompt.kind = kind;
    a->prompt.error[0] = '\0';
    a->prompt.history[kind].at = 0;
    line_set(&a->prompt.line, text);
    if (kind == PROMPT_SEARCH && !a->detail.is_open)
        log_search_begin(a);
}

static bool check_filter(struct app *a, const char *text, char *why, size_t size)
{
    struct filter f;
    struct err err;

    if (filter_parse(str_of(text), a->now_wall_ms, &f, &err) < 0) {
        str_copy(str_of(err.text), why, size);
        return false;
    }
    filter_done(&f);
    return true;
}

bool prompt_set_filter(struct app *a, const char *text)
{
    char why[480];

    if (!check_filter(a, text, why, sizeof(why))) {
        app_note(a, true, "%s", why);
        return false;
    }
    if (a->pane == PANE_LOG)
        log_set_filter(a, text);
    else
        queue_set_filter(a, text);
    return true;
}

static void set_needle(struct app *a, const char *text)
{
    if (a->detail.is_open)
        detail_search(a, text);
    else
        log_search(a, text);
}

static bool go_time(struct app *a, const char *text)
{
    int64_t wall_ms;

    if (!text_parse_time(str_of(text), a->now_wall_ms, &wall_ms)) {
        snprintf(a->prompt.error, sizeof(a->prompt.error),
                 "Not a time: 10:42, -15m, 2026-11-24 10:42, yesterday");
        return false;
    }
    log_go(a, id_floor(wall_ms));
    return true;
}

static void accept(struct app *a)
{
    struct prompt *p = &a->prompt;
    char text[LINE_TEXT_MAX];

    line_text(&p->line, text, sizeof(text));
    switch (p->kind) {
    case PROMPT_FILTER:
        if (!check_filter(a, text, p->error, sizeof(p->error)))
            return;
        prompt_set_filter(a, text);
        break;
    case PROMPT_TIME:
        if (!go_time(a, text))
            return;
        break;
    default: break; /* the search is there already */
    }
    line_remember(&p->history[p->kind], text);
    a->modal = MODAL_NONE;
}

static void leave(struct app *a)
{
    a->modal = MODAL_NONE;
    if (a->prompt.kind != PROMPT_SEARCH)
        return;
    if (a->detail.is_open)
        detail_search(a, "");
    else
        log_search_cancel(a);
}

void prompt_key(struct app *a, int32_t key)
{
    struct prompt *p = &a->prompt;
    char text[LINE_TEXT_MAX];

    if (key == K_ESC || key == K_CTRL('C')) {
        leave(a);
        return;
    }
    if (key == K_ENTER) {
        accept(a);
        return;
    }
    if (key == K_TAB && p->kind == PROMPT_SEARCH && !a->detail.is_open) {
        line_text(&p->line, text, sizeof(text));
        a->modal = MODAL_NONE;
        log_search_to_filter(a, text);
        return;
    }
    if (!line_key(&p->line, &p->history[p->kind], key))
        return;
    p->error[0] = '\0';
    line_text(&p->line, text, sizeof(text));
    if (p->kind == PROMPT_SEARCH)
        set_needle(a, text);
    else if (p->kind == PROMPT_FILTER)
        check_filter(a, text, p->error, sizeof(p->error));
}

static const char *label(enum prompt_kind kind)
{
    switch (kind) {
    case PROMPT_FILTER: return "filter: ";
    case PROMPT_TIME: return "time: ";
    default: return "/";
    }
}

/* What the search found so far, at the right end of the line. */
static int draw_hits(const struct app *a, struct cells *g, int y)
{
    const struct log_pane *l = &a->log;
    char n[32], text[60];
    int w;

    if (a->prompt.kind != PROMPT_SEARCH || a->detail.is_open || !l->needle[0])
        return 0;
    if (l->has_hits)
        snprintf(text, sizeof(text), "%s%s hit%s", l->is_hits_cut ? "over " : "",
                 text_count(l->hits, n), l->hits == 1 ? "" : "s");
    else
        snprintf(text, sizeof(text), "searching ...");
    w = (int)strlen(text);
    cells_z(g, y, g->w - w - 1, w, ROLE_NOTE, text);
    return w + 2;
}

void prompt_draw(const struct app *a, struct cells *g, int y)
{
    const struct prompt *p = &a->prompt;
    char text[LINE_TEXT_MAX];
    struct line head = p->line, tail = p->line;
    int x = 1, end;

    cells_fill(g, y, 0, g->w, ROLE_TEXT, ' ');
    end = g->w - draw_hits(a, g, y);
    x += cells_z(g, y, x, end - x, ROLE_KEY, label(p->kind));
    head.n = head.at;
    line_text(&head, text, sizeof(text));
    x += cells_z(g, y, x, end - x - 1, ROLE_INPUT, text);
    tail.n -= tail.at;
    memmove(tail.cp, tail.cp + tail.at, (size_t)tail.n * sizeof(*tail.cp));
    line_text(&tail, text, sizeof(text));
    cells_z(g, y, x, end - x, ROLE_INPUT, tail.n > 0 ? text : "_");
    if (tail.n > 0)
        cells_select(g, y, x, 1);
}
