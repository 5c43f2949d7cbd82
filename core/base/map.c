/* SPDX-License-Identifier: ISC */
/*
 * Open addressing with linear probing, at most three quarters full. Removing shifts the run behind
 * the hole back instead of leaving a mark, so that a map that lives for months does not silt up.
 *
 * The hash is SipHash-1-3 (Aumasson and Bernstein): a peer that does not know the seed cannot
 * choose colliding names. The 128-bit key is stretched from the map's 64-bit seed.
 */
#include "core/base/alloc.h"
#include "core/base/map.h"

#define MAP_CAP_FIRST 16

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* Up to eight bytes, little-endian on every machine, so that hashes in tests are the same. */
static uint64_t load_le(const unsigned char *p, size_t n)
{
    uint64_t x = 0;

    for (size_t i = 0; i < n; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

uint64_t map_hash(struct str key, uint64_t seed)
{
    const unsigned char *p = (const unsigned char *)key.p;
    uint64_t k0 = seed;
    uint64_t k1 = rotl(seed * UINT64_C(0x9e3779b97f4a7c15), 32) ^ UINT64_C(0xbf58476d1ce4e5b9);
    uint64_t v[4] = {
        k0 ^ UINT64_C(0x736f6d6570736575),
        k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261),
        k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t left = key.n;

    for (; left >= 8; left -= 8, p += 8) {
        uint64_t m = load_le(p, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)key.n << 56 | load_le(p, left);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed};
}

void map_done(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct map){.seed = m->seed};
}

/* The slot that holds the key, or the free one where it would go. Needs one free slot. */
static size_t find_slot(const struct map *m, struct str key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);

    while (m->slots[i].key) {
        const struct map_slot *s = &m->slots[i];

        if (s->hash == hash && str_eq((struct str){s->key, s->key_n}, key))
            break;
        i = (i + 1) & (m->cap - 1);
    }
    return i;
}

static void grow(struct map *m)
{
    struct map_slot *old = m->slots;
    size_t old_cap = m->cap;

    m->cap = old_cap ? old_cap * 2 : MAP_CAP_FIRST;
    m->slots = xcalloc(m->cap, sizeof(m->slots[0]));
    for (size_t from = 0; from < old_cap; from++) {
        if (!old[from].key)
            continue;
        size_t i = old[from].hash & (m->cap - 1);
        while (m->slots[i].key)
            i = (i + 1) & (m->cap - 1);
        m->slots[i] = old[from];
    }
    free(old);
}

void *map_get(const struct map *m, struct str key)
{
    if (m->n == 0)
        return NULL;

    const struct map_slot *s = &m->slots[find_slot(m, key, map_hash(key, m->seed))];

    return s->key ? s->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    uint64_t hash = map_hash(key, m->seed);

    verify(value);
    if (m->n + 1 > m->cap / 4 * 3)
        grow(m);
    struct map_slot *s = &m->slots[find_slot(m, key, hash)];
    if (s->key) {
        void *before = s->value;
        s->value = value;
        return before;
    }
    *s = (struct map_slot){.hash = hash, .key = str_dup(key), .key_n = key.n, .value = value};
    m->n++;
    return NULL;
}

/* Close the hole at i: move back every later node of the run that may stand there. */
static void close_hole(struct map *m, size_t hole)
{
    size_t mask = m->cap - 1;

    for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;

        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct map_slot){0};
}

void *map_remove(struct map *m, struct str key)
{
    if (m->n == 0)
        return NULL;

    size_t i = find_slot(m, key, map_hash(key, m->seed));

    if (!m->slots[i].key)
        return NULL;
    void *value = m->slots[i].value;
    free(m->slots[i].key);
    m->n--;
    close_hole(m, i);
    return value;
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
    while (*at < m->cap) {
        const struct map_slot *s = &m->slots[(*at)++];

        if (!s->key)
            continue;
        if (key)
            *key = (struct str){s->key, s->key_n};
        if (value)
            *value = s->value;
        return true;
    }
    return false;
}
