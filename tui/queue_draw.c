/* SPDX-License-Identifier: ISC */
/* How the Queue pane looks: list or groups, and what the row under the cursor means. */
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tui/detail.h"
#include "tui/pane_queue.h"
#include "tui/say.h"

#define PART_H 5

/* Columns of the list; width 0 = not at this size. */
struct layout {
    int state, age, tries, next, size, from, to, code;
};

static struct layout layout_of(int w)
{
    struct layout l = {.state = 8, .age = 6, .tries = 3, .next = 6, .size = 4, .code = 8};
    int rest;

    if (w < 60)
        l.tries = l.size = 0;
    if (w < 50)
        l.age = 0;
    if (w >= 100)
        l.code = 12;
    rest = w - 2 - l.state - l.next - l.code - 3;
    rest -= l.age ? l.age + 1 : 0;
    rest -= (l.tries ? l.tries + 1 : 0) + (l.size ? l.size + 1 : 0);
    if (rest < 30) {
        l.to = rest;
    } else {
        l.from = rest * 9 / 20;
        l.to = rest - l.from - 1;
    }
    return l;
}

static int column(struct cells *g, int y, int x, int w, enum role role, const char *text)
{
    if (w == 0)
        return x;
    cells_z(g, y, x, w, role, text);
    return x + w + 1;
}

static int right_column(struct cells *g, int y, int x, int w, enum role role, const char *text)
{
    int n = (int)strlen(text);

    if (w == 0)
        return x;
    cells_z(g, y, x + (n < w ? w - n : 0), n < w ? n : w, role, text);
    return x + w + 1;
}

static void draw_head(struct cells *g, struct rect r, const struct layout *l)
{
    int x = r.x + 2;

    x = column(g, r.y, x, l->state, ROLE_TITLE, "state");
    x = right_column(g, r.y, x, l->age, ROLE_TITLE, "age");
    x = right_column(g, r.y, x, l->tries, ROLE_TITLE, "try");
    x = right_column(g, r.y, x, l->next, ROLE_TITLE, "next");
    x = right_column(g, r.y, x, l->size, ROLE_TITLE, "size");
    x = column(g, r.y, x, l->from, ROLE_TITLE, "from");
    x = column(g, r.y, x, l->to, ROLE_TITLE, "to");
    column(g, r.y, x, l->code, ROLE_TITLE, "code");
}

static int remote_column(struct cells *g, int y, int x, int w, const char *raw, bool *is_hostile)
{
    if (w == 0)
        return x;
    cells_remote(g, y, x, w, ROLE_TEXT, str_of(raw), is_hostile);
    return x + w + 1;
}

/* The code, or the cause where no server gave one. */
static void draw_code(struct cells *g, int y, int x, int w, const struct view_row *row)
{
    char code[16];

    say_code(row->code, row->enhanced, code);
    if (row->state == RCPT_HELD && row->tries == 0)
        cells_z(g, y, x, w, ROLE_TEXT, "-");
    else if (row->code == 0 && row->cause[0])
        cells_remote(g, y, x, w, say_state_role(row), str_of(row->cause), NULL);
    else
        cells_z(g, y, x, w, say_state_role(row), code);
}

static void draw_row(struct app *a, struct cells *g, int y, struct rect r, const struct layout *l,
                     const struct view_row *row)
{
    char age[16], next[16], size[16], tries[16];
    enum role role = say_state_role(row);
    bool is_hostile = false;
    struct buf sub CLEANUP(buf_done) = BUF_INIT;
    int x = r.x + 2;

    if (queue_is_marked(&a->queue, row->rcpt_id))
        cells_z(g, y, r.x, 1, ROLE_MARKED, "*");
    snprintf(tries, sizeof(tries), "%u", row->tries);
    x = column(g, y, x, l->state, role, say_state(row));
    x = right_column(g, y, x, l->age, ROLE_TEXT,
                     text_duration(a->now_wall_ms - row->arrival_wall_ms, age));
    x = right_column(g, y, x, l->tries, ROLE_TEXT, tries);
    x = right_column(g, y, x, l->next, ROLE_TEXT, say_next(row, a->now_wall_ms, next));
    x = right_column(g, y, x, l->size, ROLE_TEXT, text_size(row->size_bytes, size));
    x = remote_column(g, y, x, l->from, row->from[0] ? row->from : "<>", &is_hostile);
    x = remote_column(g, y, x, l->to, row->to, &is_hostile);
    if (text_printable(&sub, str_of(row->info), true) > 0)
        is_hostile = true;
    draw_code(g, y, x, l->code, row);
    if (is_hostile) /* bytes that would have been obeyed: the row says so */
        cells_z(g, y, r.x + 1, 1, ROLE_ALERT, "!");
}

static void draw_list(struct app *a, struct cells *g, struct rect r)
{
    struct queue_pane *q = &a->queue;
    struct layout l = layout_of(r.w);

    draw_head(g, r, &l);
    scroll_to(q->n, (size_t)(r.h > 1 ? r.h - 1 : 1), &q->sel, &q->top);
    for (int i = 0; i < r.h - 1 && q->top + (size_t)i < q->n; i++) {
        draw_row(a, g, r.y + 1 + i, r, &l, &q->rows[q->top + (size_t)i]);
        if (q->top + (size_t)i == q->sel)
            cells_select(g, r.y + 1 + i, r.x, r.w);
    }
}

static void draw_group_head(struct app *a, struct cells *g, struct rect r, int key_w)
{
    int x = r.x + 1;

    x = right_column(g, r.y, x, 8, ROLE_TITLE, "n");
    x = right_column(g, r.y, x, 6, ROLE_TITLE, "oldest");
    x = right_column(g, r.y, x, 6, ROLE_TITLE, "next");
    x = column(g, r.y, x, key_w, ROLE_TITLE, view_group_name(a->queue.group));
    if (r.x + r.w - x > 8)
        cells_z(g, r.y, x, r.x + r.w - x, ROLE_TITLE, "last answer");
}

static void draw_group(struct app *a, struct cells *g, int y, struct rect r, int key_w,
                       const struct view_group_row *row)
{
    char n[32], age[16], next[16];
    bool is_hostile = false;
    int x = r.x + 1, w;

    x = right_column(g, y, x, 8, ROLE_TEXT, text_count(row->count, n));
    x = right_column(g, y, x, 6, ROLE_TEXT,
                     text_duration(a->now_wall_ms - row->oldest_wall_ms, age));
    x = right_column(g, y, x, 6, ROLE_TEXT,
                     row->next_wall_ms == 0 ? "-"
                     : row->next_wall_ms <= a->now_wall_ms
                         ? "due"
                         : text_duration(row->next_wall_ms - a->now_wall_ms, next));
    cells_remote(g, y, x, key_w, row->key[0] ? ROLE_RETRYING : ROLE_WAITING,
                 str_of(row->key[0]                           ? row->key
                        : a->queue.group == VIEW_GROUP_SENDER ? "<> (reports)"
                                                              : "not tried yet"),
                 &is_hostile);
    x += key_w + 1;
    w = r.x + r.w - x;
    if (w > 8) {
        struct buf b CLEANUP(buf_done) = BUF_INIT;

        if (a->queue.group != VIEW_GROUP_DOMAIN && row->domain[0]) {
            buf_add_z(&b, row->domain);
            if (row->domains > 1)
                buf_printf(&b, " +%llu", (unsigned long long)row->domains - 1);
            buf_add_z(&b, "  ");
        }
        buf_add_str(&b, say_reply(str_of(row->info)));
        cells_remote(g, y, x, w, ROLE_TEXT, buf_str(&b), &is_hostile);
    }
    if (is_hostile)
        cells_z(g, y, r.x + r.w - 5, 5, ROLE_ALERT, " !esc");
}

static void draw_groups(struct app *a, struct cells *g, struct rect r)
{
    struct queue_pane *q = &a->queue;
    int key_w = r.w < 60 ? r.w - 25 : r.w < 100 ? 22 : 30;

    if (q->group != VIEW_GROUP_CAUSE && r.w >= 80)
        key_w += 8;
    draw_group_head(a, g, r, key_w);
    scroll_to(q->groups_n, (size_t)(r.h > 1 ? r.h - 1 : 1), &q->group_sel, &q->group_top);
    for (int i = 0; i < r.h - 1 && q->group_top + (size_t)i < q->groups_n; i++) {
        draw_group(a, g, r.y + 1 + i, r, key_w, &q->groups[q->group_top + (size_t)i]);
        if (q->group_top + (size_t)i == q->group_sel)
            cells_select(g, r.y + 1 + i, r.x, r.w);
    }
}

/* Wrapped text in at most h rows; returns the rows used. */
static int draw_text(struct cells *g, int y, int x, int h, int w, enum role role, struct str raw)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    struct str s;
    int used = 0;

    text_printable(&b, raw, true);
    for (s = buf_str(&b); s.n > 0 && used < h; used++) {
        if (used == h - 1)
            cells_text(g, y + used, x, w, role, s);
        else
            cells_text(g, y + used, x, w, role, cells_wrap(&s, w));
        if (used == h - 1)
            return h;
    }
    return used;
}

static void explain_row(struct app *a, struct cells *g, struct rect r, const struct view_row *row)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char id[ID_TEXT_MAX];
    int y = r.y, x;

    x = cells_printf(g, y, r.x + 1, r.w - 2, ROLE_DIM, "id %s  ", id_text(row->message_id, id));
    cells_remote(g, y, r.x + 1 + x, r.w - 2 - x, ROLE_TEXT,
                 str_of(row->subject[0] ? row->subject : "(no subject)"), NULL);
    y++;
    if (row->state == RCPT_HELD && row->note[0])
        y += draw_text(g, y, r.x + 1, 1, r.w - 2, ROLE_TITLE, str_of(row->note));
    if (row->info[0])
        y += draw_text(g, y, r.x + 1, row->state == RCPT_HELD ? 1 : 2, r.w - 2, ROLE_TITLE,
                       str_of(row->info));
    say_row(row, a->now_wall_ms, &b);
    draw_text(g, y, r.x + 1, r.y + r.h - y, r.w - 2, ROLE_TEXT, buf_str(&b));
}

static void explain_group(struct app *a, struct cells *g, struct rect r,
                          const struct view_group_row *row)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    int y = r.y;

    if (row->info[0])
        y += draw_text(g, y, r.x + 1, 2, r.w - 2, ROLE_TITLE, str_of(row->info));
    say_group(row, a->now_wall_ms, &b);
    draw_text(g, y, r.x + 1, r.y + r.h - y, r.w - 2, ROLE_TEXT, buf_str(&b));
}

static void draw_part(struct app *a, struct cells *g, struct rect part)
{
    const struct view_row *row = queue_row(a);
    const struct view_group_row *group = queue_group(a);

    if (part.h < 2)
        return;
    if (app_is_wide(a)) {
        cells_vrule(g, part.y, part.x, part.h, ROLE_BORDER);
        part.x++;
        part.w--;
        if (row)
            detail_draw(a, g, part);
    } else {
        cells_rule(g, part.y, part.x, part.w, ROLE_BORDER, NULL);
        part.y++;
        part.h--;
        if (row)
            explain_row(a, g, part, row);
    }
    if (group)
        explain_group(a, g, part, group);
}

static const char *empty_words(const struct app *a)
{
    if (!a->queue.is_loaded)
        return "Reading ...";
    if (queue_applied_filter(a)[0])
        return "Nothing in the queue matches the filter. Esc takes it away.";
    return "The queue is empty: nothing waits, nothing is held.";
}

void queue_draw(struct app *a, struct cells *g)
{
    struct queue_pane *q = &a->queue;
    struct rect list, part;

    frame_split(a, true, PART_H, &list, &part);
    if (q->error[0] && !q->is_loaded) {
        draw_text(g, list.y + 1, list.x + 2, 4, list.w - 4, ROLE_ALERT, str_of(q->error));
        return;
    }
    if (!q->is_loaded || (q->is_grouped ? q->groups_n : q->n) == 0) {
        cells_z(g, list.y + 1, list.x + 2, list.w - 4, ROLE_DIM, empty_words(a));
        return;
    }
    if (q->is_grouped)
        draw_groups(a, g, list);
    else
        draw_list(a, g, list);
    draw_part(a, g, part);
}
