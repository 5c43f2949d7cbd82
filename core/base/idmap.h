/* SPDX-License-Identifier: ISC */
/* Map from 64-bit ids (never 0) to pointers. Ids are ours, so the hash needs no secret. */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include "core/base/base.h"

struct idmap {
    struct idmap_slot {
        int64_t id; /* 0 = free */
        void *value; /* borrowed */
    } *slots;      /* own */
    size_t n, cap; /* cap is 0 or a power of two */
};

#define IDMAP_INIT ((struct idmap){NULL, 0, 0})

void idmap_done(struct idmap *m);
void *idmap_get(const struct idmap *m, int64_t id); /* NULL when absent */
/* id must not be in the map; value is not NULL. */
void idmap_put(struct idmap *m, int64_t id, void *value);
void *idmap_remove(struct idmap *m, int64_t id); /* the value, or NULL */

#endif
