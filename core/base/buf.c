/* SPDX-License-Identifier: ISC */
/*
 * Borrowed and owned byte strings. NUL is a byte like any other here; only the functions with _z
 * in their name, str_of and str_copy's reader stop at one. Case folding is ASCII's, never the
 * locale's: host names and SMTP keywords do not change with LANG.
 */
#include "core/base/alloc.h"
#include "core/base/buf.h"

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool same_bytes(const char *a, const char *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_folded(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fold(a[i]) != fold(b[i]))
            return false;
    return true;
}

struct str str_of(const char *s)
{
    return s ? (struct str){s, strlen(s)} : STR_NONE;
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && same_bytes(a.p, b.p, a.n);
}

bool str_eq_z(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

bool str_ieq(struct str a, struct str b)
{
    return a.n == b.n && same_folded(a.p, b.p, a.n);
}

bool str_ieq_z(struct str a, const char *b)
{
    return str_ieq(a, str_of(b));
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && same_bytes(s.p, prefix.p, prefix.n);
}

bool str_istarts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && same_folded(s.p, prefix.p, prefix.n);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

size_t str_find(struct str s, char c)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

    return hit ? (size_t)(hit - s.p) : s.n;
}

size_t str_ifind(struct str s, struct str needle)
{
    if (needle.n > s.n)
        return SIZE_MAX;
    unsigned char first = needle.n ? fold(needle.p[0]) : 0;
    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (needle.n == 0 || (fold(s.p[i]) == first && same_folded(s.p + i, needle.p, needle.n)))
            return i;
    return SIZE_MAX;
}

struct str str_sub(struct str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return s.p ? (struct str){s.p + from, to - from} : STR_NONE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    size_t from = 0, to = s.n;

    while (from < to && is_blank(s.p[from]))
        from++;
    while (to > from && is_blank(s.p[to - 1]))
        to--;
    return str_sub(s, from, to);
}

struct str str_split(struct str *s, char c)
{
    size_t at = str_find(*s, c);
    struct str part = str_sub(*s, 0, at);

    *s = str_sub(*s, at < s->n ? at + 1 : at, s->n);
    return part;
}

bool str_copy(struct str s, char *out, size_t size)
{
    verify(size > 0);
    size_t n = s.n < size ? s.n : size - 1;
    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
    return n == s.n;
}

char *str_dup(struct str s)
{
    char *copy = xmalloc(s.n + 1);

    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

void buf_done(struct buf *b)
{
    free(b->p);
    *b = BUF_INIT;
}

void buf_clear(struct buf *b)
{
    buf_truncate(b, 0);
}

void buf_reserve(struct buf *b, size_t extra)
{
    size_t need;

    /* One more than asked for: the NUL behind the end. */
    if (__builtin_add_overflow(b->n, extra, &need) || __builtin_add_overflow(need, 1, &need))
        need = SIZE_MAX; /* which xrealloc refuses, with the right last words */
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    b->p = xrealloc(b->p, cap);
    b->p[b->n] = '\0';
    b->cap = cap;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    buf_reserve(b, n);
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_add_z(struct buf *b, const char *s)
{
    buf_add_str(b, str_of(s));
}

void buf_add_c(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    buf_reserve(b, 64);
    size_t room = b->cap - b->n;
    int n = vsnprintf(b->p + b->n, room, fmt, ap);
    verify(n >= 0);
    if ((size_t)n >= room) {
        buf_reserve(b, (size_t)n);
        n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
        verify(n >= 0);
    }
    va_end(again);
    b->n += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    verify(n <= b->n);
    memmove(b->p, b->p + n, b->n - n + 1);
    b->n -= n;
}

void buf_truncate(struct buf *b, size_t n)
{
    verify(n <= b->n);
    b->n = n;
    if (b->p)
        b->p[n] = '\0';
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

const char *buf_text(const struct buf *b)
{
    return b->p ? b->p : "";
}

char *buf_take(struct buf *b)
{
    char *p = b->p ? b->p : xstrdup("");

    *b = BUF_INIT;
    return p;
}
