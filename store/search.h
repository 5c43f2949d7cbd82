/* SPDX-License-Identifier: ISC */
/* Case-insensitive (ASCII) substring search over large text, vectorised where the CPU allows. */
#ifndef STORE_SEARCH_H
#define STORE_SEARCH_H

#include "core/base/buf.h"

struct needle {
    char text[256]; /* lower case */
    size_t n;
    size_t rare;  /* position of the octet that is least likely in a mail log */
    size_t rare2; /* and of the next one; the same when there is only one */
};

void needle_init(struct needle *nd, struct str text); /* cut at 255 octets */
/* Start of the last occurrence that lies within p[0..end); SIZE_MAX = none. An empty needle matches at the end. */
size_t needle_rfind(const struct needle *nd, const char *p, size_t end);
/* Start of the first occurrence within p[0..n); SIZE_MAX = none. */
size_t needle_find(const struct needle *nd, const char *p, size_t n);

#endif
