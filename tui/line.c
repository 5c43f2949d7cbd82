/* SPDX-License-Identifier: ISC */
#include "tui/line.h"

#include "core/base/text.h"
#include "tui/keys.h"
#include "tui/width.h"

static void insert(struct line *l, int32_t cp)
{
    if (l->n == LINE_MAX_CHARS)
        return;
    memmove(l->cp + l->at + 1, l->cp + l->at, (size_t)(l->n - l->at) * sizeof(*l->cp));
    l->cp[l->at++] = cp;
    l->n++;
}

static void cut(struct line *l, int from, int to)
{
    if (from < 0 || to > l->n || from >= to)
        return;
    memmove(l->cp + from, l->cp + to, (size_t)(l->n - to) * sizeof(*l->cp));
    l->n -= to - from;
    l->at = from;
}

void line_set(struct line *l, const char *text)
{
    struct str s = str_of(text);

    l->n = l->at = 0;
    while (s.n > 0) {
        size_t len;
        int32_t cp = text_utf8_next(s, &len);

        if (width_char(cp) >= 0)
            insert(l, cp);
        s = str_sub(s, len, s.n);
    }
}

static void add_char(struct buf *b, int32_t cp)
{
    uint32_t c = (uint32_t)cp;

    if (c < 0x80) {
        buf_add_c(b, (char)c);
        return;
    }
    if (c >= 0x10000) {
        buf_add_c(b, (char)(0xf0 | c >> 18));
        buf_add_c(b, (char)(0x80 | (c >> 12 & 0x3f)));
    } else if (c >= 0x800) {
        buf_add_c(b, (char)(0xe0 | c >> 12));
    }
    if (c >= 0x800)
        buf_add_c(b, (char)(0x80 | (c >> 6 & 0x3f)));
    else
        buf_add_c(b, (char)(0xc0 | c >> 6));
    buf_add_c(b, (char)(0x80 | (c & 0x3f)));
}

void line_text(const struct line *l, char *out, size_t size)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    for (int i = 0; i < l->n; i++)
        add_char(&b, l->cp[i]);
    str_copy(buf_str(&b), out, size);
}

static int word_start(const struct line *l)
{
    int i = l->at;

    while (i > 0 && l->cp[i - 1] == ' ')
        i--;
    while (i > 0 && l->cp[i - 1] != ' ')
        i--;
    return i;
}

static void recall(struct line *l, struct line_history *h, int step)
{
    int at = h->at + step;

    if (at < 0 || at > h->n)
        return;
    h->at = at;
    line_set(l, at == 0 ? "" : h->texts[at - 1]);
}

static bool edit(struct line *l, int32_t key)
{
    switch (key) {
    case K_CTRL('A'):
    case K_HOME: l->at = 0; return true;
    case K_CTRL('E'):
    case K_END: l->at = l->n; return true;
    case K_CTRL('B'):
    case K_LEFT: l->at -= l->at > 0; return true;
    case K_CTRL('F'):
    case K_RIGHT: l->at += l->at < l->n; return true;
    case K_CTRL('U'): cut(l, 0, l->at); return true;
    case K_CTRL('K'): cut(l, l->at, l->n); return true;
    case K_CTRL('W'): cut(l, word_start(l), l->at); return true;
    case K_CTRL('H'):
    case K_BACKSPACE: cut(l, l->at - 1, l->at); return true;
    case K_CTRL('D'):
    case K_DELETE: cut(l, l->at, l->at + 1); return true;
    default: return false;
    }
}

bool line_key(struct line *l, struct line_history *h, int32_t key)
{
    if (edit(l, key))
        return true;
    if (h && (key == K_UP || key == K_CTRL('P'))) {
        recall(l, h, 1);
        return true;
    }
    if (h && (key == K_DOWN || key == K_CTRL('N'))) {
        recall(l, h, -1);
        return true;
    }
    if (key < ' ' || key >= K_FIRST || width_char(key) < 0)
        return false;
    insert(l, key);
    return true;
}

void line_remember(struct line_history *h, const char *text)
{
    h->at = 0;
    if (!text[0] || (h->n > 0 && strcmp(h->texts[0], text) == 0))
        return;
    memmove(h->texts[1], h->texts[0], sizeof(h->texts) - sizeof(h->texts[0]));
    str_copy(str_of(text), h->texts[0], sizeof(h->texts[0]));
    if (h->n < LINE_HISTORY)
        h->n++;
}
