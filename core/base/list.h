/* SPDX-License-Identifier: ISC */
/* Intrusive doubly linked list with a head. A link that is in no list points to itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "core/base/base.h"

struct list {
    struct list *prev, *next;
};

#define LIST_INIT(l)                                                                               \
    {                                                                                              \
        &(l), &(l)                                                                                 \
    }

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_between(struct list *l, struct list *prev, struct list *next)
{
    l->prev = prev;
    l->next = next;
    prev->next = l;
    next->prev = l;
}

static inline void list_push_back(struct list *head, struct list *l)
{
    list_insert_between(l, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *l)
{
    list_insert_between(l, head, head->next);
}

/* Fine on a link that is in no list (after list_init). */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* First link taken out, or NULL. */
static inline struct list *list_pop_front(struct list *head)
{
    struct list *l = head->next;
    if (l == head)
        return NULL;
    list_remove(l);
    return l;
}

#define list_entry(l, type, member) container_of(l, type, member)
#define list_for_each(it, head)     for (struct list *it = (head)->next; it != (head); it = it->next)
/* The body may remove (and free) the link it is at. */
#define list_for_each_safe(it, head)                                                               \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                      \
         it = it##_next, it##_next = it->next)

#endif
