/* SPDX-License-Identifier: ISC */
/*
 * How often something may happen: "60/1m", a bucket of tokens. In no stretch of that time does it
 * happen more than that number of times and its tenth more: a receiver that counts by the minute may
 * begin its minutes when it likes. Pure: no clock but the argument.
 */
#ifndef MAIL_RATE_H
#define MAIL_RATE_H

#include "core/base/buf.h"

#define RATE_N_MAX      1000000
#define RATE_PER_MIN_MS 1000
#define RATE_PER_MAX_MS (24 * 3600 * 1000ll)

struct rate {
    unsigned n; /* 0 = as often as you like */
    int64_t per_ms;
};
/* "100/1h", "5/s" (one second), "" and "0" = no limit. */
bool rate_parse(struct str s, struct rate *out);
const char *rate_text(const struct rate *r, char out[40]);

struct bucket {
    double tokens;
    int64_t at_mono_ms;
    bool is_begun;
};
/* ms until the next one may happen; 0 = now. A changed rate takes effect at once. */
int64_t bucket_wait(struct bucket *b, const struct rate *r, int64_t now_mono_ms);
/* It happens: bucket_wait has just been 0. */
void bucket_take(struct bucket *b, const struct rate *r);

#endif
