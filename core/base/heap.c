/* SPDX-License-Identifier: ISC */
/*
 * Binary min-heap. Holds: a[i]->pos == i + 1 for each node, and no node's key is below its
 * parent's. Nodes with equal keys leave in no particular order.
 */
#include "core/base/alloc.h"
#include "core/base/heap.h"

static void place(struct heap *h, size_t i, struct heap_node *node)
{
    h->a[i] = node;
    node->pos = i + 1;
}

static size_t sift_up(struct heap *h, size_t i, const struct heap_node *node)
{
    while (i > 0 && h->a[(i - 1) / 2]->key > node->key) {
        place(h, i, h->a[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    return i;
}

static size_t sift_down(struct heap *h, size_t i, const struct heap_node *node)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= h->n)
            return i;
        if (child + 1 < h->n && h->a[child + 1]->key < h->a[child]->key)
            child++;
        if (h->a[child]->key >= node->key)
            return i;
        place(h, i, h->a[child]);
        i = child;
    }
}

void heap_done(struct heap *h)
{
    free(h->a);
    *h = (struct heap){0};
}

void heap_push(struct heap *h, struct heap_node *node, int64_t key)
{
    verify(node->pos == 0);
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->a = xreallocarray(h->a, h->cap, sizeof(h->a[0]));
    }
    node->key = key;
    h->n++;
    place(h, sift_up(h, h->n - 1, node), node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    if (node->pos == 0)
        return;

    size_t i = node->pos - 1;

    verify(i < h->n && h->a[i] == node);
    node->pos = 0;
    struct heap_node *last = h->a[--h->n];
    if (last == node)
        return;
    /* The last node fills the hole, and belongs above or below it: one of the two does nothing. */
    i = sift_down(h, i, last);
    place(h, sift_up(h, i, last), last);
}

struct heap_node *heap_top(const struct heap *h)
{
    return h->n ? h->a[0] : NULL;
}

struct heap_node *heap_pop(struct heap *h)
{
    struct heap_node *node = heap_top(h);

    if (node)
        heap_remove(h, node);
    return node;
}
