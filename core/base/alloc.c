/* SPDX-License-Identifier: ISC */
/*
 * malloc with one answer to failure: say what was asked for, and abort. It deliberately caps
 * nothing; a size that a peer controls has been capped by the code that read it.
 */
#include <stdarg.h>
#include "core/base/alloc.h"

_Noreturn void base_bug(const char *what, const char *file, int line)
{
    fprintf(stderr, "mxhelm: bug: %s does not hold at %s:%d\n", what, file, line);
    fflush(stderr);
    abort();
}

static _Noreturn void out_of_memory(size_t n)
{
    fprintf(stderr, "mxhelm: out of memory: %zu bytes asked for\n", n);
    fflush(stderr);
    abort();
}

static size_t product(size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        out_of_memory(SIZE_MAX);
    return total;
}

void *xmalloc(size_t n)
{
    /* malloc(0) may answer NULL, which would look like failure here and "absent" to the caller. */
    void *p = malloc(n ? n : 1);

    if (!p)
        out_of_memory(n);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    size_t total = product(n, size);
    void *p = calloc(1, total ? total : 1);

    if (!p)
        out_of_memory(total);
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);

    if (!q)
        out_of_memory(n);
    return q;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
    return xrealloc(p, product(n, size));
}

char *xstrdup(const char *s)
{
    return s ? xstrndup(s, strlen(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    if (!s)
        return NULL;
    n = strnlen(s, n);
    char *copy = xmalloc(n + 1);
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *xasprintf(const char *fmt, ...)
{
    char *out = NULL;
    va_list ap;

    va_start(ap, fmt);
    int n = vasprintf(&out, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory(strlen(fmt));
    return out;
}
