/* SPDX-License-Identifier: ISC */
#include "tui/cells.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "tui/width.h"

#define TOKEN_MAX 12

void cells_done(struct cells *g)
{
    free(g->c);
    g->c = NULL;
    g->w = g->h = 0;
}

void cells_reset(struct cells *g, int w, int h)
{
    size_t n = (size_t)w * (size_t)h;

    verify(w > 0 && h > 0);
    if (w != g->w || h != g->h) {
        free(g->c);
        g->c = xcalloc(n, sizeof(*g->c));
        g->w = w;
        g->h = h;
    }
    for (size_t i = 0; i < n; i++)
        g->c[i] = (struct cell){.cp = ' ', .role = ROLE_TEXT};
}

struct cell *cells_at(struct cells *g, int y, int x)
{
    if (y < 0 || x < 0 || y >= g->h || x >= g->w)
        return NULL;
    return &g->c[(size_t)y * (size_t)g->w + (size_t)x];
}

bool cells_equal(const struct cell *a, const struct cell *b)
{
    return a->cp == b->cp && a->marks[0] == b->marks[0] && a->marks[1] == b->marks[1] &&
           a->role == b->role && a->is_selected == b->is_selected;
}

/* A wide character of which one half is overwritten leaves a blank, not half a character. */
static void clear_halves(struct cells *g, int y, int x)
{
    struct cell *here = cells_at(g, y, x);
    struct cell *left = cells_at(g, y, x - 1), *right = cells_at(g, y, x + 1);

    if (here->cp == 0 && left)
        left->cp = ' ';
    else if (right && right->cp == 0)
        right->cp = ' ';
}

static void put(struct cells *g, int y, int x, int width, enum role role, int32_t cp)
{
    struct cell *c = cells_at(g, y, x), *next;

    if (!c)
        return;
    clear_halves(g, y, x);
    *c = (struct cell){.cp = cp, .role = (uint8_t)role, .is_selected = c->is_selected};
    if (width != 2)
        return;
    next = cells_at(g, y, x + 1);
    if (!next) {
        c->cp = '>';
        return;
    }
    clear_halves(g, y, x + 1);
    *next = (struct cell){.cp = 0, .role = (uint8_t)role, .is_selected = next->is_selected};
}

static void put_mark(struct cells *g, int y, int x, int32_t cp)
{
    struct cell *c = cells_at(g, y, x);

    if (c && c->cp == 0)
        c = cells_at(g, y, x - 1);
    if (!c)
        return;
    for (int i = 0; i < CELLS_MARKS_MAX; i++) {
        if (c->marks[i] == 0) {
            c->marks[i] = cp;
            return;
        }
    }
}

/* What is drawn instead of cp, or "" when cp itself is drawn. */
static void token_of(const struct cells *g, int32_t cp, int width, char out[TOKEN_MAX])
{
    out[0] = '\0';
    if (cp < 0)
        str_copy(STR("?"), out, TOKEN_MAX);
    else if (width < 0 || (g->is_ascii && cp > 126))
        snprintf(out, TOKEN_MAX, "<U+%04X>", (unsigned)cp & 0x1fffffu);
}

/* Columns that the text would take, as it is drawn here. */
static int drawn_width(const struct cells *g, struct str s, int enough)
{
    int columns = 0;

    while (s.n > 0 && columns <= enough) {
        char token[TOKEN_MAX];
        size_t len;
        int32_t cp = text_utf8_next(s, &len);
        int w = width_char(cp);

        token_of(g, cp, w, token);
        columns += token[0] ? (int)strlen(token) : w;
        s = str_sub(s, len, s.n);
    }
    return columns;
}

/* The wall: whatever the text says, what is put is printable. Returns columns used, at most w. */
static int draw(struct cells *g, int y, int x, int w, enum role role, struct str s)
{
    int used = 0;

    while (s.n > 0) {
        char token[TOKEN_MAX];
        size_t len;
        int32_t cp = text_utf8_next(s, &len);
        int cw = width_char(cp);

        token_of(g, cp, cw, token);
        s = str_sub(s, len, s.n);
        if (token[0]) {
            for (const char *t = token; *t && used < w; t++)
                put(g, y, x + used++, 1, role, *t);
        } else if (cw == 0) {
            if (used > 0)
                put_mark(g, y, x + used - 1, cp);
        } else if (used + cw <= w) {
            put(g, y, x + used, cw, role, cp);
            used += cw;
        } else {
            break;
        }
        if (used >= w && s.n > 0 && cw != 0 && width_char(text_utf8_next(s, &len)) != 0)
            break;
    }
    return used;
}

int cells_text(struct cells *g, int y, int x, int w, enum role role, struct str text)
{
    int used;

    if (w <= 0)
        return 0;
    if (drawn_width(g, text, w) <= w)
        return draw(g, y, x, w, role, text);
    used = draw(g, y, x, w - 1, role, text);
    while (used < w - 1)
        put(g, y, x + used++, 1, role, ' ');
    put(g, y, x + used, 1, role, '>');
    return w;
}

int cells_z(struct cells *g, int y, int x, int w, enum role role, const char *text)
{
    return cells_text(g, y, x, w, role, str_of(text));
}

int cells_printf(struct cells *g, int y, int x, int w, enum role role, const char *fmt, ...)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    return cells_text(g, y, x, w, role, buf_str(&b));
}

int cells_remote(struct cells *g, int y, int x, int w, enum role role, struct str raw,
                 bool *is_hostile)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    if (text_printable(&b, raw, true) > 0 && is_hostile)
        *is_hostile = true;
    return cells_text(g, y, x, w, role, buf_str(&b));
}

void cells_fill(struct cells *g, int y, int x, int w, enum role role, int32_t c)
{
    for (int i = 0; i < w; i++)
        put(g, y, x + i, 1, role, c);
}

void cells_rule(struct cells *g, int y, int x, int w, enum role role, const char *title)
{
    cells_fill(g, y, x, w, role, g->is_ascii ? '-' : 0x2500);
    if (title && title[0])
        cells_printf(g, y, x + 2, w - 4, ROLE_TITLE, " %s ", title);
}

void cells_vrule(struct cells *g, int y, int x, int h, enum role role)
{
    for (int i = 0; i < h; i++)
        put(g, y + i, x, 1, role, g->is_ascii ? '|' : 0x2502);
}

void cells_box(struct cells *g, int y, int x, int h, int w, enum role role, const char *title)
{
    static const int32_t ascii[] = {'+', '+', '+', '+'};
    static const int32_t fine[] = {0x250c, 0x2510, 0x2514, 0x2518};
    const int32_t *corner = g->is_ascii ? ascii : fine;

    for (int i = 0; i < h; i++) {
        for (int j = 0; j < w; j++) {
            struct cell *c = cells_at(g, y + i, x + j);

            if (c)
                c->is_selected = false;
        }
        cells_fill(g, y + i, x, w, ROLE_TEXT, ' ');
    }
    cells_rule(g, y, x, w, role, NULL);
    cells_rule(g, y + h - 1, x, w, role, NULL);
    cells_vrule(g, y, x, h, role);
    cells_vrule(g, y, x + w - 1, h, role);
    put(g, y, x, 1, role, corner[0]);
    put(g, y, x + w - 1, 1, role, corner[1]);
    put(g, y + h - 1, x, 1, role, corner[2]);
    put(g, y + h - 1, x + w - 1, 1, role, corner[3]);
    if (title && title[0])
        cells_printf(g, y, x + 2, w - 4, role == ROLE_BORDER ? ROLE_TITLE : role, " %s ", title);
}

void cells_select(struct cells *g, int y, int x, int w)
{
    for (int i = 0; i < w; i++) {
        struct cell *c = cells_at(g, y, x + i);

        if (c)
            c->is_selected = true;
    }
}

void cells_role(struct cells *g, int y, int x, int w, enum role role)
{
    for (int i = 0; i < w; i++) {
        struct cell *c = cells_at(g, y, x + i);

        if (c)
            c->role = (uint8_t)role;
    }
}

static void add_utf8(struct buf *out, int32_t cp)
{
    uint32_t c = (uint32_t)cp;

    if (c < 0x80) {
        buf_add_c(out, (char)c);
    } else if (c < 0x800) {
        buf_add_c(out, (char)(0xc0 | c >> 6));
        buf_add_c(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_add_c(out, (char)(0xe0 | c >> 12));
        buf_add_c(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_add_c(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_add_c(out, (char)(0xf0 | c >> 18));
        buf_add_c(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_add_c(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_add_c(out, (char)(0x80 | (c & 0x3f)));
    }
}

void cells_dump(const struct cells *g, struct buf *out)
{
    for (int y = 0; y < g->h; y++) {
        const struct cell *row = &g->c[(size_t)y * (size_t)g->w];
        int end = g->w;

        while (end > 0 && row[end - 1].cp == ' ')
            end--;
        for (int x = 0; x < end; x++) {
            if (row[x].cp != 0)
                add_utf8(out, row[x].cp);
            for (int i = 0; i < CELLS_MARKS_MAX && row[x].marks[i]; i++)
                add_utf8(out, row[x].marks[i]);
        }
        buf_add_c(out, '\n');
    }
}

struct str cells_wrap(struct str *s, int w)
{
    size_t at = 0, space = 0;
    int used = 0;
    struct str line;

    while (at < s->n && s->p[at] != '\n') {
        size_t len;
        int cw = width_char(text_utf8_next(str_sub(*s, at, s->n), &len));

        if (used + (cw < 0 ? 1 : cw) > w)
            break;
        used += cw < 0 ? 1 : cw;
        at += len;
        if (at < s->n && s->p[at] == ' ')
            space = at;
    }
    if (at < s->n && s->p[at] != '\n' && space > 0)
        at = space;
    if (at == 0 && s->n > 0 && s->p[0] != '\n')
        text_utf8_next(*s, &at); /* one column and a wide character: go on all the same */
    line = str_sub(*s, 0, at);
    while (at < s->n && s->p[at] == ' ')
        at++;
    if (at < s->n && s->p[at] == '\n')
        at++;
    *s = str_sub(*s, at, s->n);
    return line;
}
