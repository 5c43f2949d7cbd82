/* SPDX-License-Identifier: ISC */
/* How the Log pane looks: one line of columns per log line, the whole line below. */
#include "core/base/text.h"
#include "tui/pane_log.h"
#include "tui/say.h"

#define PART_H 4

/* Mark where the needle stands in what was drawn. The columns hold ASCII mostly: the hit's column is
 * found by the cells, not by bytes. */
static void mark_hits(struct app *a, struct cells *g, int y, int x, int w)
{
    struct str needle = str_of(a->log.needle);

    if (needle.n == 0)
        return;
    for (int i = 0; i + (int)needle.n <= w; i++) {
        bool is_hit = true;

        for (size_t j = 0; is_hit && j < needle.n; j++) {
            const struct cell *c = cells_at(g, y, x + i + (int)j);
            int32_t have = c ? c->cp : 0, want = (unsigned char)needle.p[j];

            if (have >= 'A' && have <= 'Z')
                have += 32;
            if (want >= 'A' && want <= 'Z')
                want += 32;
            is_hit = have == want;
        }
        if (is_hit)
            cells_role(g, y, x + i, (int)needle.n, ROLE_HIT);
    }
}

static bool has_tokens(struct str raw)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    return text_printable(&b, raw, true) > 0;
}

static void draw_columns(struct cells *g, int y, struct rect r, const struct view_log_line *line)
{
    struct say_line p;
    struct str raw = {line->text, line->n};
    char when[32];
    int x = r.x + 1, to_w = r.w < 60 ? 16 : r.w < 100 ? 24 : 30;

    say_line(raw, &p);
    cells_z(g, y, x, 8, ROLE_DIM, say_hms(line->wall_ms, when));
    x += 9;
    cells_z(g, y, x, 6, say_status_role(p.status), say_status(&p));
    x += 7;
    if (r.w >= 72) {
        cells_remote(g, y, x, 13, ROLE_DIM, p.id, NULL);
        x += 14;
    }
    cells_remote(g, y, x, to_w, ROLE_TEXT, p.to, NULL);
    x += to_w + 1;
    if (r.w >= 140) {
        cells_remote(g, y, x, 30, ROLE_DIM, p.relay, NULL);
        x += 31;
        cells_remote(g, y, x, 6, ROLE_DIM, p.delay, NULL);
        x += 7;
    }
    cells_remote(g, y, x, r.x + r.w - x, say_is_failure(p.status) ? ROLE_TEXT : ROLE_DIM, p.reply,
                 NULL);
    if (has_tokens(raw))
        cells_z(g, y, r.x + r.w - 5, 5, ROLE_ALERT, " !esc");
}

static void draw_raw(struct cells *g, int y, struct rect r, const struct view_log_line *line)
{
    struct say_line p;
    struct str raw = {line->text, line->n};
    char when[32];
    bool is_hostile = false;

    say_line(raw, &p);
    cells_z(g, y, r.x + 1, 8, ROLE_DIM, say_hms(line->wall_ms, when));
    cells_remote(g, y, r.x + 10, r.w - 10, say_status_role(p.status), raw, &is_hostile);
    if (is_hostile)
        cells_z(g, y, r.x + r.w - 5, 5, ROLE_ALERT, " !esc");
}

static void draw_line_part(struct cells *g, struct rect part, const struct view_log_line *line)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    struct str s;

    cells_rule(g, part.y, part.x, part.w, ROLE_BORDER, NULL);
    text_printable(&b, (struct str){line->text, line->n}, true);
    s = buf_str(&b);
    for (int i = 1; i < part.h && s.n > 0; i++) {
        if (i + 1 == part.h)
            cells_text(g, part.y + i, part.x + 1, part.w - 2, ROLE_TEXT, s);
        else
            cells_text(g, part.y + i, part.x + 1, part.w - 2, ROLE_TEXT,
                       cells_wrap(&s, part.w - 2));
    }
}

static const char *empty_words(const struct app *a)
{
    if (!a->log.is_loaded)
        return "Reading ...";
    if (log_applied_filter(a)[0])
        return "No log line matches the filter. Esc takes it away.";
    return "The log is empty.";
}

void log_draw(struct app *a, struct cells *g)
{
    struct log_pane *l = &a->log;
    struct rect list, part;

    frame_split(a, false, PART_H, &list, &part);
    if (l->error[0]) {
        cells_remote(g, list.y, list.x + 2, list.w - 4, ROLE_ALERT, str_of(l->error), NULL);
        return;
    }
    if (l->n == 0) {
        cells_z(g, list.y, list.x + 2, list.w - 4, ROLE_DIM, empty_words(a));
        return;
    }
    scroll_to(l->n, (size_t)(list.h > 0 ? list.h : 1), &l->sel, &l->top);
    for (int i = 0; i < list.h && l->top + (size_t)i < l->n; i++) {
        size_t at = l->top + (size_t)i;

        if (l->is_raw)
            draw_raw(g, list.y + i, list, &l->lines[at]);
        else
            draw_columns(g, list.y + i, list, &l->lines[at]);
        mark_hits(a, g, list.y + i, list.x + 10, list.w - 10);
        if (at == l->sel)
            cells_select(g, list.y + i, list.x, list.w);
    }
    if (part.h > 1 && l->sel < l->n)
        draw_line_part(g, part, &l->lines[l->sel]);
}
