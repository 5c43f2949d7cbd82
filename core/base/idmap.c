/* SPDX-License-Identifier: ISC */
/* Open addressing with linear probing; removal shifts back, so that no tombstones gather. */
#include "core/base/idmap.h"

#include "core/base/alloc.h"

static size_t home(const struct idmap *m, int64_t id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32) & (m->cap - 1);
}

void idmap_done(struct idmap *m)
{
    free(m->slots);
    *m = IDMAP_INIT;
}

static size_t find(const struct idmap *m, int64_t id)
{
    size_t i = home(m, id);
    while (m->slots[i].id != 0 && m->slots[i].id != id)
        i = (i + 1) & (m->cap - 1);
    return i;
}

void *idmap_get(const struct idmap *m, int64_t id)
{
    if (m->n == 0)
        return NULL;
    size_t i = find(m, id);
    return m->slots[i].id == id ? m->slots[i].value : NULL;
}

static void grow(struct idmap *m)
{
    struct idmap old = *m;
    m->cap = old.cap ? old.cap * 2 : 64;
    m->slots = xcalloc(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i].id != 0)
            m->slots[find(m, old.slots[i].id)] = old.slots[i];
    }
    free(old.slots);
}

void idmap_put(struct idmap *m, int64_t id, void *value)
{
    verify(id != 0 && value != NULL);
    if ((m->n + 1) * 4 > m->cap * 3)
        grow(m);
    size_t i = find(m, id);
    verify(m->slots[i].id == 0);
    m->slots[i] = (struct idmap_slot){id, value};
    m->n++;
}

void *idmap_remove(struct idmap *m, int64_t id)
{
    if (m->n == 0)
        return NULL;
    size_t hole = find(m, id);
    if (m->slots[hole].id != id)
        return NULL;
    void *value = m->slots[hole].value;
    size_t mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].id != 0; i = (i + 1) & mask) {
        size_t want = home(m, m->slots[i].id);
        /* Move it back unless its home lies behind the hole. */
        if (((i - want) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].id = 0;
    m->n--;
    return value;
}
