/* SPDX-License-Identifier: ISC */
/* Splitting a line into words; see lines.h. */
#include "tests/world/lines.h"
#include "core/base/alloc.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One escape behind its backslash; false when there is no such escape. */
static bool take_escape(struct str *s, struct buf *out)
{
    if (s->n == 0)
        return false;
    char c = s->p[0];
    *s = str_sub(*s, 1, s->n);
    switch (c) {
    case 'r': buf_add_c(out, '\r'); return true;
    case 'n': buf_add_c(out, '\n'); return true;
    case 't': buf_add_c(out, '\t'); return true;
    case '"':
    case '\\': buf_add_c(out, c); return true;
    case 'x': {
        int hi = s->n >= 2 ? hex_digit(s->p[0]) : -1, lo = s->n >= 2 ? hex_digit(s->p[1]) : -1;
        if (hi < 0 || lo < 0)
            return false;
        buf_add_c(out, (char)(hi << 4 | lo));
        *s = str_sub(*s, 2, s->n);
        return true;
    }
    default: return false;
    }
}

static bool take_quoted(struct str *s, struct buf *out, const char **why)
{
    *s = str_sub(*s, 1, s->n);
    while (s->n > 0 && s->p[0] != '"') {
        char c = s->p[0];
        *s = str_sub(*s, 1, s->n);
        if (c != '\\') {
            buf_add_c(out, c);
        } else if (!take_escape(s, out)) {
            *why = "an escape that is none of \\r \\n \\t \\\" \\\\ \\xHH";
            return false;
        }
    }
    if (s->n == 0) {
        *why = "a quote that does not end";
        return false;
    }
    *s = str_sub(*s, 1, s->n);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

bool words_split(struct str s, struct words *out, const char **why)
{
    out->n = 0;
    for (;;) {
        while (s.n > 0 && is_blank(s.p[0]))
            s = str_sub(s, 1, s.n);
        if (s.n == 0 || s.p[0] == '#')
            return true;
        if (out->n == LINE_WORDS_MAX) {
            *why = "too many words";
            return false;
        }
        struct buf b = BUF_INIT;
        while (s.n > 0 && !is_blank(s.p[0])) {
            if (s.p[0] == '"') {
                if (!take_quoted(&s, &b, why)) {
                    buf_done(&b);
                    return false;
                }
                continue;
            }
            buf_add_c(&b, s.p[0]);
            s = str_sub(s, 1, s.n);
        }
        out->len[out->n] = b.n;
        out->w[out->n++] = buf_take(&b);
    }
}

void words_done(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->w[i]);
    w->n = 0;
}

const char *words_value(const struct words *w, size_t from, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = from; i < w->n; i++) {
        if (strncmp(w->w[i], key, n) == 0 && w->w[i][n] == '=')
            return w->w[i] + n + 1;
    }
    return NULL;
}
