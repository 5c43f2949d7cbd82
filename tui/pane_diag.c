/* SPDX-License-Identifier: ISC */
/* The Diagnostics pane: the checks' results, and for the one under the cursor what, why, seen, fix. */
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "tui/say.h"
#include "tui/screen.h"

#define DETAIL_H 11

static void run(struct app *a)
{
    struct diag_pane *d = &a->diag;

    if (d->is_running) {
        app_note(a, false, "The checks are running already.");
        return;
    }
    d->is_running = d->has_run = true;
    d->n = d->sel = d->top = 0;
    d->error[0] = '\0';
    app_ask(a, ASK_CHECK);
}

static void enter(struct app *a)
{
    if (!a->diag.has_run)
        run(a);
}

static void answer(struct app *a, struct answer *answer)
{
    struct diag_pane *d = &a->diag;

    if (answer->is_last) {
        d->is_running = false;
        d->ran_wall_ms = a->now_wall_ms;
        if (answer->rc < 0)
            str_copy(str_of(answer->err.text), d->error, sizeof(d->error));
        return;
    }
    if (!d->checks)
        d->checks = xcalloc(DIAG_MAX, sizeof(*d->checks));
    if (d->n < DIAG_MAX)
        d->checks[d->n++] = answer->check;
}

static const char *word(int status)
{
    switch (status) {
    case FEED_CHECK_OK: return "ok";
    case FEED_CHECK_WARN: return "WARN";
    case FEED_CHECK_FAIL: return "FAIL";
    default: return "unkn";
    }
}

static enum role role_of(int status)
{
    switch (status) {
    case FEED_CHECK_OK: return ROLE_CHECK_OK;
    case FEED_CHECK_WARN: return ROLE_CHECK_WARN;
    case FEED_CHECK_FAIL: return ROLE_CHECK_FAIL;
    default: return ROLE_CHECK_UNKNOWN;
    }
}

static size_t list_rows(const struct app *a)
{
    struct rect list, part;

    frame_split(a, true, DETAIL_H, &list, &part);
    return list.h > 0 ? (size_t)list.h : 1;
}

static bool command(struct app *a, enum cmd cmd)
{
    struct diag_pane *d = &a->diag;

    if (cmd == CMD_CHECK) {
        run(a);
        return true;
    }
    if (!scroll_command(cmd, d->n, list_rows(a), &d->sel))
        return false;
    scroll_to(d->n, list_rows(a), &d->sel, &d->top);
    return true;
}

/* A titled text, wrapped; lines in it stay lines. Returns the rows used. */
static int draw_field(struct cells *g, int y, struct rect r, const char *title, const char *raw)
{
    struct str rest = str_of(raw);
    int used = 0;

    if (rest.n == 0)
        return 0;
    if (y < r.y + r.h)
        cells_z(g, y, r.x + 1, 5, ROLE_TITLE, title);
    while (rest.n > 0) {
        struct buf b CLEANUP(buf_done) = BUF_INIT;
        struct str line;

        text_printable(&b, str_split(&rest, '\n'), true);
        for (line = buf_str(&b); line.n > 0; used++) {
            struct str part = cells_wrap(&line, r.w - 8);

            if (y + used < r.y + r.h)
                cells_text(g, y + used, r.x + 7, r.w - 8, ROLE_TEXT, part);
        }
    }
    return used;
}

static void draw_detail(struct app *a, struct cells *g, struct rect r)
{
    const struct feed_check *c = &a->diag.checks[a->diag.sel];
    int y;

    if (app_is_wide(a)) {
        cells_vrule(g, r.y, r.x, r.h, ROLE_BORDER);
        r.x++;
        r.w--;
    } else {
        cells_rule(g, r.y, r.x, r.w, ROLE_BORDER, c->name);
        r.y++;
        r.h--;
    }
    y = r.y;
    y += draw_field(g, y, r, "WHAT", c->what);
    y += draw_field(g, y, r, "WHY", c->why);
    y += draw_field(g, y, r, "SEEN", c->seen);
    draw_field(g, y, r, "FIX", c->fix);
}

static void draw_check(struct cells *g, int y, struct rect r, const struct feed_check *c)
{
    bool is_hostile = false;
    int name_w = r.w < 60 ? 9 : 16;

    cells_z(g, y, r.x + 1, 4, role_of(c->status), word(c->status));
    cells_z(g, y, r.x + 6, name_w, ROLE_TEXT, c->name);
    cells_remote(g, y, r.x + 7 + name_w, r.w - name_w - 17, ROLE_TEXT, str_of(c->summary),
                 &is_hostile);
    cells_printf(g, y, r.x + r.w - 9, 9, ROLE_DIM, "%5lld ms", (long long)c->took_ms);
    if (is_hostile)
        cells_z(g, y, r.x + r.w - 5, 5, ROLE_ALERT, " !esc");
}

static void draw(struct app *a, struct cells *g)
{
    struct diag_pane *d = &a->diag;
    struct rect list, part;

    frame_split(a, true, DETAIL_H, &list, &part);
    if (d->error[0])
        cells_remote(g, list.y, list.x + 1, list.w - 2, ROLE_ALERT, str_of(d->error), NULL);
    else if (d->n == 0)
        cells_z(g, list.y, list.x + 1, list.w - 2, ROLE_DIM, "Running the checks ...");
    scroll_to(d->n, (size_t)(list.h > 0 ? list.h : 1), &d->sel, &d->top);
    for (int i = 0; i < list.h && d->top + (size_t)i < d->n; i++) {
        draw_check(g, list.y + i, list, &d->checks[d->top + (size_t)i]);
        if (d->top + (size_t)i == d->sel)
            cells_select(g, list.y + i, list.x, list.w);
    }
    if (part.h > 1 && d->sel < d->n)
        draw_detail(a, g, part);
}

static void tabs(const struct app *a, struct buf *out)
{
    char when[32];

    if (a->diag.is_running)
        buf_add_z(out, "running ...");
    else if (a->diag.has_run)
        buf_printf(out, "ran %s UTC", say_hms(a->diag.ran_wall_ms, when));
}

static void state(const struct app *a, struct buf *out)
{
    size_t n[4] = {0};

    for (size_t i = 0; i < a->diag.n; i++)
        n[a->diag.checks[i].status & 3]++;
    if (a->diag.n > 0)
        buf_printf(out, "%zu fail, %zu warn, %zu unknown, %zu ok", n[FEED_CHECK_FAIL],
                   n[FEED_CHECK_WARN], n[FEED_CHECK_UNKNOWN], n[FEED_CHECK_OK]);
}

static void done(struct app *a)
{
    free(a->diag.checks);
}

const struct screen screen_diag = {
    .title = "Diagnostics",
    .where = IN_DIAG,
    .enter = enter,
    .command = command,
    .answer = answer,
    .draw = draw,
    .tabs = tabs,
    .state = state,
    .done = done,
};
