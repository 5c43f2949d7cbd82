/* SPDX-License-Identifier: ISC */
/*
 * Local failures as values. Texts that do not fit are cut: the front says what we were doing, and
 * that is the part that an operator needs.
 */
#include <stdarg.h>
#include "core/base/err.h"

/* A name per enum err_code. */
static const char *const code_names[E_CODE_COUNT] = {
    [E_OK] = "ok",           [E_IO] = "io",
    [E_FULL] = "full",       [E_CORRUPT] = "corrupt",
    [E_SCHEMA] = "schema",   [E_BUSY] = "busy",
    [E_CONFIG] = "config",   [E_SYNTAX] = "syntax",
    [E_LIMIT] = "limit",     [E_NOTFOUND] = "notfound",
    [E_DENIED] = "denied",   [E_DOWN] = "down",
    [E_TIMEOUT] = "timeout", [E_NET] = "net",
    [E_STATE] = "state",
};

/* Built beside the old text, because the arguments may point into it. */
PRINTF_LIKE(2, 0)
static void set_text(struct err *err, const char *fmt, va_list ap, const char *tail)
{
    char text[sizeof(err->text)];
    int n = vsnprintf(text, sizeof(text), fmt, ap);

    verify(n >= 0);
    size_t used = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    if (tail)
        snprintf(text + used, sizeof(text) - used, ": %s", tail);
    memcpy(err->text, text, sizeof(text));
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    if (err) {
        va_list ap;

        va_start(ap, fmt);
        set_text(err, fmt, ap, NULL);
        va_end(ap);
        err->code = code;
        err->sys = 0;
    }
    return -(int)code;
}

int err_sys(struct err *err, enum err_code code, int sys, const char *fmt, ...)
{
    if (err) {
        char why[128];
        va_list ap;

        va_start(ap, fmt);
        set_text(err, fmt, ap, strerror_r(sys, why, sizeof(why)));
        va_end(ap);
        err->code = code;
        err->sys = sys;
    }
    return -(int)code;
}

int err_while(struct err *err, const char *fmt, ...)
{
    if (!err)
        return 0;

    char before[sizeof(err->text)];
    va_list ap;

    memcpy(before, err->text, sizeof(before));
    va_start(ap, fmt);
    set_text(err, fmt, ap, before);
    va_end(ap);
    return -(int)err->code;
}

const char *err_code_name(enum err_code code)
{
    return (unsigned)code < E_CODE_COUNT ? code_names[code] : "unknown";
}
