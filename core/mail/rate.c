/* SPDX-License-Identifier: ISC */
#include "core/mail/rate.h"

#include <math.h>

#include "core/base/clock.h"
#include "core/base/text.h"

bool rate_parse(struct str s, struct rate *out)
{
    struct str per = str_trim(s);
    struct str n = str_trim(str_split(&per, '/'));
    uint64_t count;

    *out = (struct rate){0};
    if (!n.n && !per.n)
        return true;
    if (!text_parse_u64(n, RATE_N_MAX, &count))
        return false;
    if (count == 0)
        return per.n == 0;
    per = str_trim(per);
    char one[16];
    /* "5/m" is what people write. */
    if (per.n == 1 && per.p[0] > '9') {
        snprintf(one, sizeof(one), "1%c", per.p[0]);
        per = str_of(one);
    }
    if (!text_parse_duration(per, &out->per_ms) || out->per_ms < RATE_PER_MIN_MS ||
        out->per_ms > RATE_PER_MAX_MS)
        return false;
    out->n = (unsigned)count;
    return true;
}

static bool is_whole(int64_t ms, int64_t unit, int64_t *n)
{
    *n = ms / unit;
    return ms % unit == 0;
}

const char *rate_text(const struct rate *r, char out[40])
{
    int64_t n;

    if (r->n == 0)
        snprintf(out, 40, "0");
    else if (is_whole(r->per_ms, HOUR_MS, &n))
        snprintf(out, 40, "%u/%lldh", r->n, (long long)n);
    else if (is_whole(r->per_ms, MINUTE_MS, &n))
        snprintf(out, 40, "%u/%lldm", r->n, (long long)n);
    else if (is_whole(r->per_ms, SECOND_MS, &n))
        snprintf(out, 40, "%u/%llds", r->n, (long long)n);
    else
        snprintf(out, 40, "%u/%lldms", r->n, (long long)r->per_ms);
    return out;
}

/* What may happen at once after a pause. */
static double depth(const struct rate *r)
{
    return r->n < 20 ? 1 : r->n / 10;
}

static double ms_per_token(const struct rate *r)
{
    return (double)r->per_ms / r->n;
}

int64_t bucket_wait(struct bucket *b, const struct rate *r, int64_t now_mono_ms)
{
    if (r->n == 0)
        return 0;
    if (!b->is_begun) {
        b->is_begun = true;
        b->tokens = depth(r);
    } else {
        b->tokens += (double)(now_mono_ms - b->at_mono_ms) / ms_per_token(r);
    }
    b->at_mono_ms = now_mono_ms;
    if (b->tokens > depth(r))
        b->tokens = depth(r);
    if (b->tokens >= 1 - 1e-9)
        return 0;
    return (int64_t)ceil((1 - b->tokens) * ms_per_token(r));
}

void bucket_take(struct bucket *b, const struct rate *r)
{
    if (r->n)
        b->tokens -= 1;
}
