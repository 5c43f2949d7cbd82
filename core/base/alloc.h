/* SPDX-License-Identifier: ISC */
/*
 * Allocation that cannot fail: when memory for a small thing is gone, the process aborts, and the
 * durable queue makes that harmless. Sizes that a peer controls are capped before they get here.
 * Memory from all of these is freed with free().
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "core/base/base.h"

void *xmalloc(size_t n);
/* Zeroed. Aborts when n * size overflows. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
/* Grow an array to n elements of size bytes; aborts on overflow. */
void *xreallocarray(void *p, size_t n, size_t size);
/* Returns new; NULL for NULL. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#define xnew(type) ((type *)xcalloc(1, sizeof(type)))

#endif
