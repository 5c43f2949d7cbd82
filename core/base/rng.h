/* SPDX-License-Identifier: ISC */
/* Random numbers for jitter, shuffles, ids: seeded by the kernel, or by a test. Not for secrets. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "core/base/base.h"

struct rng {
    uint64_t s[4]; /* xoshiro256** */
};

void rng_init_system(struct rng *r);
void rng_init_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
/* Uniform in 0..n-1; n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* value plus or minus up to percent, never below 0. */
int64_t rng_jitter(struct rng *r, int64_t value, int percent);
/* Kernel randomness, for message ids and DNS ids. */
void rng_bytes(void *out, size_t n);

#endif
