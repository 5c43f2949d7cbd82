/* SPDX-License-Identifier: ISC */
/*
 * struct str: bytes to read, borrowed, not NUL-terminated. struct buf: bytes to build, owned,
 * always NUL-terminated behind p[n] once anything was added (buf_text never returns NULL).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include "core/base/base.h"

struct str {
    const char *p; /* borrowed */
    size_t n;
};

#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p

struct str str_of(const char *s); /* NULL is empty */
bool str_eq(struct str a, struct str b);
bool str_eq_z(struct str a, const char *b);
/* ASCII case folded. */
bool str_ieq(struct str a, struct str b);
bool str_ieq_z(struct str a, const char *b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Position of c, or s.n. */
size_t str_find(struct str s, char c);
/* Position of needle, or SIZE_MAX; ASCII case folded. */
size_t str_ifind(struct str s, struct str needle);
/* Bytes from..to, clamped. */
struct str str_sub(struct str s, size_t from, size_t to);
/* Without leading and trailing SP, HT, CR, LF. */
struct str str_trim(struct str s);
/* Cut the part before the first c out of *s and step over c; the rest when there is none. */
struct str str_split(struct str *s, char c);
/* Copy into a fixed array, NUL-terminated, cut when too long. Returns false when cut. */
bool str_copy(struct str s, char *out, size_t size);
/* Returns new (free). */
char *str_dup(struct str s);

struct buf {
    char *p; /* own */
    size_t n, cap;
};

#define BUF_INIT ((struct buf){NULL, 0, 0})

void buf_done(struct buf *b);  /* frees, leaves BUF_INIT; fine on BUF_INIT */
void buf_clear(struct buf *b); /* n = 0, memory kept */
void buf_reserve(struct buf *b, size_t extra);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_add_z(struct buf *b, const char *s);
void buf_add_c(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Drop n bytes from the front. */
void buf_drop(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t n);
struct str buf_str(const struct buf *b);
const char *buf_text(const struct buf *b);
/* Hand the memory over: returns new (free), never NULL; b becomes BUF_INIT. */
char *buf_take(struct buf *b);

#endif
