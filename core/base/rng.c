/* SPDX-License-Identifier: ISC */
/*
 * xoshiro256** by Blackman and Vigna, seeded through splitmix64 as its authors advise. A simulated
 * run gives its own seed, and then repeats exactly.
 */
#include <errno.h>
#include <sys/random.h>
#include "core/base/rng.h"

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_init_system(struct rng *r)
{
    uint64_t seed;

    rng_bytes(&seed, sizeof(seed));
    rng_init_seed(r, seed);
}

void rng_init_seed(struct rng *r, uint64_t seed)
{
    for (size_t i = 0; i < ARRAY_LEN(r->s); i++)
        r->s[i] = splitmix(&seed);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    verify(n > 0);
    /* Refuse the first 2^64 mod n values: what is left divides evenly. */
    uint64_t refuse = (0 - n) % n;
    uint64_t x;
    do {
        x = rng_u64(r);
    } while (x < refuse);
    return x % n;
}

int64_t rng_jitter(struct rng *r, int64_t value, int percent)
{
    if (value <= 0)
        return 0;
    if (percent <= 0)
        return value;
    if (percent > 100)
        percent = 100;

    int64_t span = value / 100 * percent + value % 100 * percent / 100;
    /* Unsigned, because twice the span may be more than an int64 holds. */
    uint64_t out = (uint64_t)(value - span) + rng_below(r, (uint64_t)span * 2 + 1);

    return out > INT64_MAX ? INT64_MAX : (int64_t)out;
}

void rng_bytes(void *out, size_t n)
{
    char *p = out;

    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);

        if (got < 0) {
            verify(errno == EINTR);
            continue;
        }
        p += got;
        n -= (size_t)got;
    }
}
