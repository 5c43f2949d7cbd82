/* SPDX-License-Identifier: ISC */
/*
 * Map from byte strings to pointers. Keys are hashed with a per-map random seed, so that a peer
 * that chooses the keys (domains, host names) cannot choose the collisions.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "core/base/buf.h"

struct map_slot {
    uint64_t hash;
    char *key; /* own; NULL = free slot */
    size_t key_n;
    void *value; /* borrowed */
};

struct map {
    struct map_slot *slots; /* own */
    size_t n, cap;          /* cap is 0 or a power of two */
    uint64_t seed;
};

void map_init(struct map *m, uint64_t seed);
void map_done(struct map *m);                       /* frees keys, not values */
void *map_get(const struct map *m, struct str key); /* NULL when absent */
/* Insert or replace; returns the value that was there before, or NULL. value is not NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key); /* the value, or NULL */
/* Walk: start with *at = 0; false at the end. Do not change the map while walking. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);
uint64_t map_hash(struct str key, uint64_t seed);

#endif
