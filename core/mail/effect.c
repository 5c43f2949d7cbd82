/* SPDX-License-Identifier: ISC */
#include "core/mail/effect.h"

/* Rates that are about us, not about one mailbox. */
static bool asks_to_slow_down(const struct explanation *x)
{
    return x->class == EXPLAIN_RATE_US || x->class == EXPLAIN_RATE_CONN;
}

/* A code for good that means "later" in truth. Of other troubles of theirs the code stands (RFC 5321
 * 4.2.1): whoever says 5yz of a broken list does not want it again for five days. */
static bool means_later(const struct explanation *x)
{
    return x->permanence == EXPLAIN_TRULY_TEMP &&
           (x->class == EXPLAIN_RATE_US || x->class == EXPLAIN_RATE_CONN ||
            x->class == EXPLAIN_RATE_RCPT || x->class == EXPLAIN_RATE_GREY);
}

static int64_t pause_of(const struct explanation *x, unsigned slow)
{
    int64_t pause = x->retry_after_ms > 0 ? x->retry_after_ms : EFFECT_PAUSE_MS;

    for (unsigned i = 0; i < slow && pause < EFFECT_PAUSE_MAX_MS; i++)
        pause *= 2;
    return pause < EFFECT_PAUSE_MAX_MS ? pause : EFFECT_PAUSE_MAX_MS;
}

void effect_of(const struct outcome *o, const struct explanation *x, unsigned slow,
               struct effect *out)
{
    bool is_refusal = o->class == OUTCOME_FAILED && o->code >= 500;

    *out = (struct effect){
        .is_held = is_refusal && x->permanence == EXPLAIN_FIXABLE,
        .is_deferred = is_refusal && means_later(x),
    };
    if (o->code >= 400 && asks_to_slow_down(x))
        out->pause_ms = pause_of(x, slow);
}
