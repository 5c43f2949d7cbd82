/* SPDX-License-Identifier: ISC */
/*
 * A local failure as a value: a code to branch on and one sentence for the operator, "what we were
 * doing: what went wrong". Functions that can fail return 0 or the negated code, and take the
 * struct err as last parameter. What a remote server answered is never an err: see mail/outcome.h.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "core/base/base.h"

enum err_code {
    E_OK,
    E_IO,       /* the disk or a file */
    E_FULL,     /* no space left */
    E_CORRUPT,  /* what was read back is damaged */
    E_SCHEMA,   /* a store of another version */
    E_BUSY,     /* held by another process */
    E_CONFIG,   /* configuration */
    E_SYNTAX,   /* text that does not parse */
    E_LIMIT,    /* over a limit of ours */
    E_NOTFOUND, /* nothing by that name */
    E_DENIED,   /* not allowed, by the system or by us */
    E_DOWN,     /* the engine is not running */
    E_TIMEOUT,
    E_NET,   /* socket trouble on this side */
    E_STATE, /* not legal in this state */
    E_CODE_COUNT
};

struct err {
    enum err_code code;
    int sys; /* errno, or 0 */
    char text[480];
};

#define ERR_NONE ((struct err){0})

/* Fill *err (which may be NULL) and return -(int)code. A sentence without trailing newline. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As err_set, and append ": strerror(sys)". */
int err_sys(struct err *err, enum err_code code, int sys, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Put "doing: " before what *err says already; returns -(int)err->code. */
int err_while(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "io", "full", ... for logs and JSON. */
const char *err_code_name(enum err_code code);

#endif
