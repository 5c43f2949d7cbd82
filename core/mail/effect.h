/* SPDX-License-Identifier: ISC */
/*
 * What an outcome affects, beyond the recipient that it is about: the one place that decides it. A
 * server's 5yz about our own address or records would fail every message alike, and works again once we
 * have mended it: that mail is held with the fix, not given back. A request to slow down is about all
 * mail to that site. Pure: from what the outcome means (explain.h).
 */
#ifndef MAIL_EFFECT_H
#define MAIL_EFFECT_H

#include "core/mail/explain.h"

#define EFFECT_HOLD_MS      (6 * 3600 * 1000ll) /* then it is tried once, in case it was mended */
#define EFFECT_PAUSE_MS     (10 * 60 * 1000ll)  /* the first time; doubled each further time */
#define EFFECT_PAUSE_MAX_MS (60 * 60 * 1000ll)

struct effect {
    bool is_held;     /* a 5yz that is ours to mend: hold it, count it against nobody */
    bool is_deferred; /* a 5yz that time cures: as if it were a 4yz */
    int64_t pause_ms; /* the whole site rests for so long, then goes on slowly; 0 = no */
};

/* slow: how often the site has asked us to slow down lately. */
void effect_of(const struct outcome *o, const struct explanation *x, unsigned slow,
               struct effect *out);

#endif
