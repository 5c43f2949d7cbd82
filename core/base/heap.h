/* SPDX-License-Identifier: ISC */
/* Intrusive binary min-heap over int64 keys: due times. O(log n) insert, remove, change. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "core/base/base.h"

struct heap_node {
    int64_t key;
    size_t pos; /* 1-based place in the heap; 0 = in no heap */
};

struct heap {
    struct heap_node **a; /* own; nodes are borrowed until removed */
    size_t n, cap;
};

void heap_done(struct heap *h); /* does not touch the nodes */
void heap_push(struct heap *h, struct heap_node *node, int64_t key);
/* Fine on a node that is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
struct heap_node *heap_top(const struct heap *h); /* NULL when empty */
struct heap_node *heap_pop(struct heap *h);       /* NULL when empty */

#endif
