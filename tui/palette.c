/* SPDX-License-Identifier: ISC */
/*
 * Items come from the table of keys (only those of the place, and no acts in read-only mode), and
 * for the palette from the names of groups, orders and themes too. "filter TEXT" is a command with
 * an argument; all others are found by any part of their words.
 */
#include "tui/palette.h"

#include "core/base/text.h"
#include "tui/pane_queue.h"
#include "tui/prompt.h"

#define ITEMS_MAX  160
#define THEMES_MAX 30
#define HELP_ROWS  2

enum item_kind { ITEM_KEY, ITEM_GROUP, ITEM_FLAT, ITEM_SORT, ITEM_THEME, ITEM_FILTER };

struct item {
    enum item_kind kind;
    const struct key_def *key;
    int number;
    char label[24];
    char name[60];
    char help[120];
};

struct items {
    struct item list[ITEMS_MAX];
    size_t n;
    char typed[LINE_TEXT_MAX];
};

static bool matches(const struct items *s, const struct item *i)
{
    char all[220];
    struct str rest = str_trim(str_of(s->typed));

    snprintf(all, sizeof(all), "%s %s %s", i->label, i->name, i->help);
    while (rest.n > 0) {
        struct str word = str_split(&rest, ' ');

        if (word.n > 0 && str_ifind(str_of(all), word) == SIZE_MAX)
            return false;
    }
    return true;
}

static void add(struct items *s, struct item i)
{
    if (s->n < ITEMS_MAX && matches(s, &i))
        s->list[s->n++] = i;
}

/* What begins as typed comes first; otherwise the order stays. */
static void rank(struct items *s)
{
    struct str typed = str_trim(str_of(s->typed));
    size_t at = 0;

    for (size_t i = 0; typed.n > 0 && i < s->n; i++) {
        struct item it = s->list[i];

        if (!str_istarts(str_of(it.name), typed))
            continue;
        memmove(&s->list[at + 1], &s->list[at], (i - at) * sizeof(it));
        s->list[at++] = it;
    }
}

static void add_keys(const struct app *a, struct items *s)
{
    size_t n;
    const struct key_def *table = keys_table(&n);

    for (size_t i = 0; i < n; i++) {
        struct item it = {.kind = ITEM_KEY, .key = &table[i]};

        if (!(table[i].where & app_where(a)) || (table[i].acts && a->conf->read_only))
            continue;
        keys_labels(&table[i], it.label, sizeof(it.label));
        str_copy(str_of(table[i].name), it.name, sizeof(it.name));
        str_copy(str_of(table[i].help), it.help, sizeof(it.help));
        add(s, it);
    }
}

static void add_views(struct items *s)
{
    struct item it = {.kind = ITEM_FLAT, .name = "group none", .help = "the flat list"};

    for (int i = 0; i < VIEW_GROUP_COUNT; i++) {
        struct item g = {.kind = ITEM_GROUP, .number = i, .help = "group the queue"};

        snprintf(g.name, sizeof(g.name), "group %s", view_group_name((enum view_group)i));
        add(s, g);
    }
    add(s, it);
    for (int i = 0; i < VIEW_SORT_COUNT; i++) {
        struct item o = {
            .kind = ITEM_SORT, .number = i, .help = "sort the list; again: the other way"};

        snprintf(o.name, sizeof(o.name), "sort %s", view_sort_name((enum view_sort)i));
        add(s, o);
    }
}

static void add_themes(struct items *s)
{
    char names[THEMES_MAX][THEME_NAME_MAX];
    size_t n = theme_list(names, THEMES_MAX);

    for (size_t i = 0; i < n; i++) {
        struct item t = {.kind = ITEM_THEME, .help = "change the colours"};

        snprintf(t.name, sizeof(t.name), "theme %s", names[i]);
        add(s, t);
    }
}

static bool is_filter(const struct items *s)
{
    return str_starts(str_of(s->typed), STR("filter "));
}

static void collect(const struct app *a, struct items *s)
{
    s->n = 0;
    line_text(&a->palette.line, s->typed, sizeof(s->typed));
    if (a->modal == MODAL_PALETTE && is_filter(s)) {
        s->list[s->n++] = (struct item){.kind = ITEM_FILTER,
                                        .name = "filter ...",
                                        .help = "show only what matches; Enter applies"};
        return;
    }
    if (a->modal == MODAL_PALETTE && a->pane == PANE_QUEUE && !a->detail.is_open)
        add_views(s);
    if (a->modal == MODAL_PALETTE && !a->palette.is_view)
        add_themes(s);
    if (!a->palette.is_view)
        add_keys(a, s);
    rank(s);
}

void palette_open(struct app *a, enum modal modal, bool is_view)
{
    a->palette = (struct palette){.is_view = is_view};
    a->modal = modal;
}

static void run(struct app *a, const struct items *s, const struct item *i)
{
    a->modal = MODAL_NONE;
    switch (i->kind) {
    case ITEM_KEY: app_command(a, i->key->cmd); break;
    case ITEM_GROUP: queue_set_group(a, true, (enum view_group)i->number); break;
    case ITEM_FLAT: queue_set_group(a, false, a->queue.group); break;
    case ITEM_SORT: queue_set_sort(a, (enum view_sort)i->number); break;
    case ITEM_THEME: app_load_theme(a, i->name + strlen("theme ")); break;
    case ITEM_FILTER: prompt_set_filter(a, s->typed + strlen("filter ")); break;
    }
}

void palette_key(struct app *a, int32_t key)
{
    struct palette *p = &a->palette;
    struct items s;

    collect(a, &s);
    switch (key) {
    case K_ESC:
    case K_CTRL('C'): a->modal = MODAL_NONE; return;
    case K_UP:
    case K_CTRL('P'): p->sel -= p->sel > 0; return;
    case K_DOWN:
    case K_CTRL('N'): p->sel += p->sel + 1 < s.n; return;
    case K_PAGE_DOWN: p->sel = p->sel + 10 < s.n ? p->sel + 10 : s.n > 0 ? s.n - 1 : 0; return;
    case K_PAGE_UP: p->sel = p->sel > 10 ? p->sel - 10 : 0; return;
    case K_TAB:
        if (p->sel < s.n && a->modal == MODAL_PALETTE)
            line_set(&p->line, s.list[p->sel].name);
        return;
    case K_ENTER:
        if (p->sel < s.n)
            run(a, &s, &s.list[p->sel]);
        return;
    default: break;
    }
    if (line_key(&p->line, NULL, key))
        p->sel = p->top = 0;
}

static void draw_item(struct cells *g, int y, int x, int w, bool with_label, const struct item *i)
{
    int label_w = with_label ? 13 : 0, name_w = w < 60 ? 16 : 20;

    if (with_label)
        cells_z(g, y, x, label_w - 1, ROLE_KEY, i->label);
    cells_z(g, y, x + label_w, name_w, ROLE_TEXT, i->name);
    cells_z(g, y, x + label_w + name_w + 1, w - label_w - name_w - 1, ROLE_DIM, i->help);
}

static void draw_whole(struct cells *g, int y, int x, int w, const char *help)
{
    struct str rest = str_of(help);

    for (int i = 0; i < HELP_ROWS && rest.n > 0; i++)
        cells_text(g, y + i, x, w, ROLE_TEXT, cells_wrap(&rest, w));
}

void palette_draw(struct app *a, struct cells *g)
{
    struct palette *p = &a->palette;
    struct items s;
    int w = g->w < 96 ? g->w - 2 : 92, h = g->h - 3 < 28 ? g->h - 3 : 28;
    int x = (g->w - w) / 2, y = 2, used;
    char title[60];
    size_t rows;

    collect(a, &s);
    snprintf(title, sizeof(title), "%s (%zu)",
             a->modal == MODAL_HELP ? a->detail.is_open ? "Help: Message" : "Help: this pane"
             : p->is_view           ? "Group and sort"
                                    : "Commands",
             s.n);
    if (a->modal == MODAL_HELP && !a->detail.is_open)
        snprintf(title, sizeof(title), "Help: %s (%zu)", screen_of(a->pane)->title, s.n);
    cells_box(g, y, x, h, w, ROLE_BORDER, title);
    used = cells_z(g, y + 1, x + 2, w - 4, ROLE_DIM,
                   a->modal == MODAL_HELP ? "type to filter: " : ": ");
    cells_printf(g, y + 1, x + 2 + used, w - 4 - used, ROLE_INPUT, "%s_", s.typed);
    /* What the columns cut stands whole below, for the row under the cursor. */
    rows = (size_t)(h - 4 - HELP_ROWS > 0 ? h - 4 - HELP_ROWS : 1);
    scroll_to(s.n, rows, &p->sel, &p->top);
    for (size_t i = 0; i < rows && p->top + i < s.n; i++) {
        int at = y + 3 + (int)i;

        draw_item(g, at, x + 2, w - 4,
                  s.list[p->top + i].kind == ITEM_KEY || a->modal == MODAL_HELP,
                  &s.list[p->top + i]);
        if (p->top + i == p->sel)
            cells_select(g, at, x + 1, w - 2);
    }
    if (p->sel < s.n && h - 4 > HELP_ROWS)
        draw_whole(g, y + h - 1 - HELP_ROWS, x + 2, w - 4, s.list[p->sel].help);
    if (s.n == 0)
        cells_z(g, y + 3, x + 2, w - 4, ROLE_DIM, "Nothing matches.");
}
