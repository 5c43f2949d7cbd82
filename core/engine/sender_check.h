/* SPDX-License-Identifier: ISC */
/*
 * Can a sender's domain receive mail at all? Receivers ask the same (5.1.8), and reports must arrive
 * somewhere (S6). Bounded: who does not answer within two seconds is believed.
 */
#ifndef ENGINE_SENDER_CHECK_H
#define ENGINE_SENDER_CHECK_H

#include "core/engine/io.h"

enum sender_verdict {
    SENDER_FINE,
    SENDER_UNKNOWN,   /* the DNS does not say, now */
    SENDER_NULL_MX,   /* RFC 7505: it takes no mail */
    SENDER_NO_DOMAIN, /* NXDOMAIN */
    SENDER_NO_HOST    /* neither MX nor address */
};
/* What to answer, and one phrase; "" for the first two. Static. */
const char *sender_verdict_enhanced(enum sender_verdict v);
const char *sender_verdict_text(enum sender_verdict v);

struct sender_check;
typedef void sender_told(void *arg, enum sender_verdict v);

/* told comes once, never before this returns. Returns new; freed when it was told, or cancelled. */
struct sender_check *sender_check_begin(struct io *io, const char *domain, sender_told *told,
                                        void *arg);
void sender_check_cancel(struct sender_check *c); /* NULL is fine */

#endif
