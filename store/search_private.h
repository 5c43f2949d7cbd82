/* SPDX-License-Identifier: ISC */
/* The ways of search.c, one by one, for its test. All give the same answers. */
#ifndef STORE_SEARCH_PRIVATE_H
#define STORE_SEARCH_PRIVATE_H

#include "store/search.h"

struct search_way {
    const char *name;
    bool (*is_usable)(void); /* on this CPU */
    size_t (*rfind)(const struct needle *nd, const char *p, size_t end);
    size_t (*find)(const struct needle *nd, const char *p, size_t n);
};
/* Fastest first; the last is always usable. */
extern const struct search_way search_ways[];
extern const size_t search_way_count;

#endif
