/* SPDX-License-Identifier: ISC */
/*
 * The frame round the panes: header, tabs, status line, hints; and which part gets how much room.
 * What there is no room for goes in this order: the lower part, the second line of hints, the first.
 */
#include "core/base/text.h"
#include "tui/act.h"
#include "tui/detail.h"
#include "tui/palette.h"
#include "tui/prompt.h"
#include "tui/say.h"
#include "tui/screen.h"

#define MIN_W 40
#define MIN_H 10

static int hint_rows(const struct app *a)
{
    return a->h >= 20 ? 2 : a->h >= 14 ? 1 : 0;
}

struct rect frame_body(const struct app *a)
{
    return (struct rect){.y = 2, .x = 0, .h = a->h - 3 - hint_rows(a), .w = a->w};
}

void frame_split(const struct app *a, bool may_be_beside, int part_h, struct rect *list,
                 struct rect *part)
{
    struct rect body = frame_body(a);

    *list = *part = body;
    part->h = 0;
    if (may_be_beside && app_is_wide(a)) {
        part->w = body.w * 2 / 5;
        part->h = body.h;
        list->w = body.w - part->w;
        part->x = list->w;
    } else if (body.h >= part_h + 6 && body.w >= 60) {
        list->h = body.h - part_h;
        part->y = body.y + list->h;
        part->h = part_h;
    }
}

/* --- the header: pieces, the least important go first when there is no room --- */

#define PIECES_MAX 12

struct piece {
    char text[120];
    enum role role;
    int rank; /* the highest goes first */
};

struct pieces {
    struct piece p[PIECES_MAX];
    int n;
};

static void piece(struct pieces *s, enum role role, int rank, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void piece(struct pieces *s, enum role role, int rank, const char *fmt, ...)
{
    va_list ap;

    if (s->n == PIECES_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(s->p[s->n].text, sizeof(s->p[s->n].text), fmt, ap);
    va_end(ap);
    s->p[s->n].role = role;
    s->p[s->n++].rank = rank;
}

static void engine_piece(const struct app *a, struct pieces *s)
{
    if (!a->is_engine_known)
        piece(s, ROLE_DIM, 5, "...");
    else if (!a->is_engine_up)
        piece(s, ROLE_ALERT, 0, "ENGINE NOT RUNNING: reads only");
    else if (a->status.state == ENGINE_STORE_SICK)
        piece(s, ROLE_ALERT, 0, "STORE SICK");
    else if (a->status.state != ENGINE_RUNNING)
        piece(s, ROLE_ALERT, 0, "%s", engine_state_name(a->status.state));
    else
        piece(s, ROLE_HEADER, 6, "running");
    if (a->conf->read_only)
        piece(s, ROLE_ALERT, 3, "READ-ONLY");
}

static void count_pieces(const struct app *a, struct pieces *s)
{
    const uint64_t *n = a->totals.by_state;
    char t[32];

    if (!a->has_totals)
        return;
    piece(s, ROLE_HEADER, 1, "q %s",
          text_count(n[RCPT_QUEUED] + n[RCPT_ACTIVE] + n[RCPT_HELD] + n[RCPT_UNCONFIRMED], t));
    piece(s, ROLE_HEADER, 7, "act %s", text_count(n[RCPT_ACTIVE], t));
    piece(s, ROLE_HEADER, 3, "def %s", text_count(a->totals.deferred, t));
    piece(s, n[RCPT_HELD] ? ROLE_STUCK : ROLE_HEADER, 4, "held %s", text_count(n[RCPT_HELD], t));
    if (n[RCPT_UNCONFIRMED])
        piece(s, ROLE_STUCK, 4, "unconf %s", text_count(n[RCPT_UNCONFIRMED], t));
    if (a->is_engine_up)
        piece(s, ROLE_HEADER, 8, "%s/min", say_rate(a->status.delivered.m1, t));
}

static int pieces_width(const struct pieces *s)
{
    int w = 1;

    for (int i = 0; i < s->n; i++)
        w += (int)strlen(s->p[i].text) + 2;
    return w;
}

static void drop_least(struct pieces *s)
{
    int worst = 0;

    for (int i = 1; i < s->n; i++) {
        if (s->p[i].rank >= s->p[worst].rank)
            worst = i;
    }
    s->n--;
    memmove(&s->p[worst], &s->p[worst + 1], (size_t)(s->n - worst) * sizeof(s->p[0]));
}

static void draw_header(const struct app *a, struct cells *g)
{
    struct pieces s = {.n = 0};
    char clock[32], host[48];
    int x = 1, clock_w = g->w < 60 ? 6 : 10;

    cells_fill(g, 0, 0, g->w, ROLE_HEADER, ' ');
    text_printable_copy(str_of(a->is_engine_up && a->status.hostname[0] ? a->status.hostname
                               : a->conf->hostname                      ? a->conf->hostname
                                                                        : "mxhelm"),
                        host, sizeof(host));
    piece(&s, ROLE_HEADER, 2, "%s", host);
    engine_piece(a, &s);
    count_pieces(a, &s);
    /* Their width has two columns behind the last; one is enough before the clock. */
    while (s.n > 1 && pieces_width(&s) > g->w - clock_w + 1)
        drop_least(&s);
    for (int i = 0; i < s.n; i++)
        x += cells_z(g, 0, x, g->w - x, s.p[i].role, s.p[i].text) + 2;
    cells_printf(g, 0, g->w - clock_w, clock_w, ROLE_HEADER, "%s%s", say_hm(a->now_wall_ms, clock),
                 clock_w > 6 ? " UTC" : "");
}

static void draw_tabs(const struct app *a, struct cells *g)
{
    struct buf right CLEANUP(buf_done) = BUF_INIT;
    int x = 0, w;

    for (int p = 0; p < PANE_COUNT; p++) {
        const char *title = screen_of((enum pane_id)p)->title;

        if (g->w < 60 && p == PANE_DIAG)
            title = "Diag";
        if (p == (int)a->pane)
            x += cells_printf(g, 1, x, g->w - x, ROLE_TAB, "[%d %s]", p + 1, title);
        else
            x += cells_printf(g, 1, x, g->w - x, ROLE_DIM, " %d %s ", p + 1, title);
    }
    screen_of(a->pane)->tabs(a, &right);
    w = (int)right.n < g->w - x - 3 ? (int)right.n : g->w - x - 3;
    cells_text(g, 1, g->w - 1 - w, w, ROLE_TITLE, buf_str(&right));
}

static void draw_status(struct app *a, struct cells *g, int y)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    if (a->modal == MODAL_PROMPT) {
        prompt_draw(a, g, y);
        return;
    }
    if (a->note[0]) {
        cells_remote(g, y, 1, g->w - 2, a->is_note_bad ? ROLE_ALERT : ROLE_NOTE, str_of(a->note),
                     NULL);
        return;
    }
    if (a->store_error[0]) {
        cells_remote(g, y, 1, g->w - 2, ROLE_ALERT, str_of(a->store_error), NULL);
        return;
    }
    if (a->is_engine_up && a->status.state != ENGINE_RUNNING && a->status.why[0]) {
        cells_remote(g, y, 1, g->w - 2, ROLE_ALERT, str_of(a->status.why), NULL);
        return;
    }
    if (!a->detail.is_open)
        screen_of(a->pane)->state(a, &b);
    cells_text(g, y, 1, g->w - 2, ROLE_DIM, buf_str(&b));
}

/* --- hints, from the table of keys --- */

static void fixed_hints(struct cells *g, int y, const char *text)
{
    cells_z(g, y, 1, g->w - 2, ROLE_HINT, text);
}

static void draw_hints(const struct app *a, struct cells *g, int y, int rows)
{
    size_t n;
    const struct key_def *table = keys_table(&n);
    int x = 1, row = 0;

    for (size_t i = 0; i < n; i++) {
        char key[8];
        int w;

        if (!table[i].hint || !(table[i].where & app_where(a)) ||
            (table[i].acts && a->conf->read_only))
            continue;
        keys_label(table[i].keys[0], key);
        w = (int)strlen(key) + 1 + (int)strlen(table[i].hint);
        if (x + w > g->w - 1) {
            x = 1;
            if (++row >= rows)
                return;
        }
        x += cells_z(g, y + row, x, g->w - x, ROLE_KEY, key) + 1;
        x += cells_z(g, y + row, x, g->w - x, ROLE_HINT, table[i].hint) + 2;
    }
}

static const char *prompt_hint(const struct app *a)
{
    switch (a->prompt.kind) {
    case PROMPT_FILTER:
        return "Enter applies  Up the last  domain: state: cause: to: from: code: age:>1h";
    case PROMPT_TIME:
        return "Enter goes there  Esc cancels   10:42  -15m  yesterday  2026-11-24 10:42";
    default: return "Enter keeps  Tab makes it a filter  Esc goes back to where you were";
    }
}

static void draw_bottom(struct app *a, struct cells *g)
{
    int rows = hint_rows(a), y = g->h - rows;

    draw_status(a, g, y - 1);
    if (rows == 0)
        return;
    switch (a->modal) {
    case MODAL_PROMPT:
        fixed_hints(g, y, prompt_hint(a));
        if (rows > 1 && a->prompt.error[0])
            cells_remote(g, y + 1, 1, g->w - 2, ROLE_ALERT, str_of(a->prompt.error), NULL);
        break;
    case MODAL_HELP:
    case MODAL_PALETTE: fixed_hints(g, y, "Up Down choose  Enter runs it  Esc closes"); break;
    case MODAL_DIALOG: fixed_hints(g, y, "Enter alone changes nothing  Esc cancels"); break;
    default: draw_hints(a, g, y, rows); break;
    }
}

static void draw_detail(struct app *a, struct cells *g)
{
    cells_fill(g, 1, 0, g->w, ROLE_TEXT, ' ');
    cells_printf(g, 1, 1, g->w - 2, ROLE_TITLE, "%s > message",
                 a->detail.from_log ? "Log" : "Queue");
    detail_draw(a, g, frame_body(a));
}

void frame_draw(struct app *a, struct cells *g)
{
    draw_header(a, g);
    draw_tabs(a, g);
    if (a->detail.is_open)
        draw_detail(a, g);
    else
        screen_of(a->pane)->draw(a, g);
    draw_bottom(a, g);
    if (a->modal == MODAL_HELP || a->modal == MODAL_PALETTE)
        palette_draw(a, g);
    if (a->modal == MODAL_DIALOG)
        dialog_draw(a, g);
}

void app_draw(struct app *a, struct cells *g)
{
    g->is_ascii = a->is_ascii;
    cells_reset(g, a->w, a->h);
    if (a->w < MIN_W || a->h < MIN_H) {
        cells_printf(g, 0, 0, g->w, ROLE_TEXT, "%dx%d is too small: %dx%d is needed.", a->w, a->h,
                     MIN_W, MIN_H);
        return;
    }
    frame_draw(a, g);
}
