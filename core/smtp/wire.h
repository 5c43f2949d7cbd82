/* SPDX-License-Identifier: ISC */
/*
 * Bytes on their way to a socket: appended at the end, taken from the front, without moving the rest
 * for each partial write. Counted since the session's start, so that "was this command sent?" is a
 * comparison. Internal to core/smtp.
 */
#ifndef SMTP_WIRE_H
#define SMTP_WIRE_H

#include "core/base/buf.h"

struct wire {
    struct buf b;    /* own */
    size_t at;       /* octets of b that are sent already */
    uint64_t queued; /* octets ever appended */
};

static inline void wire_done(struct wire *w)
{
    buf_done(&w->b);
    *w = (struct wire){0};
}

static inline void wire_add(struct wire *w, struct str s)
{
    buf_add_str(&w->b, s);
    w->queued += s.n;
}

static inline void wire_add_z(struct wire *w, const char *z)
{
    wire_add(w, str_of(z));
}

static inline size_t wire_unsent(const struct wire *w)
{
    return w->b.n - w->at;
}

static inline uint64_t wire_sent_total(const struct wire *w)
{
    return w->queued - wire_unsent(w);
}

static inline struct str wire_str(const struct wire *w)
{
    return wire_unsent(w) ? (struct str){w->b.p + w->at, wire_unsent(w)} : STR_NONE;
}

/* n octets were sent. Memory is kept for the next message, and moved only when most of it is dead. */
static inline void wire_take(struct wire *w, size_t n)
{
    verify(n <= wire_unsent(w));
    w->at += n;
    if (w->at == w->b.n) {
        buf_clear(&w->b);
        w->at = 0;
    } else if (w->at > 64 * 1024 && w->at > w->b.n / 2) {
        buf_drop(&w->b, w->at);
        w->at = 0;
    }
}

/* Forget what is not sent. */
static inline void wire_drop_unsent(struct wire *w)
{
    w->queued -= wire_unsent(w);
    buf_clear(&w->b);
    w->at = 0;
}

#endif
