/* SPDX-License-Identifier: ISC */
/*
 * Identifiers: 63 bits, time-ordered, made by several nodes without asking each other.
 * milliseconds since 2020-01-01 (41 bits) | node (8 bits) | sequence (14 bits).
 * The text form (queue id) is 13 characters of a vowel-free base 31, so that it sorts like the
 * number and cannot spell words: what is logged, shown and typed.
 */
#ifndef MAIL_ID_H
#define MAIL_ID_H

#include "core/base/buf.h"

#define ID_TEXT_MAX 14

struct idgen {
    int64_t last; /* last id made */
    unsigned node; /* 0..255 */
};

void idgen_init(struct idgen *g, unsigned node, int64_t last_known);
/* Always greater than every id this generator made before, also when the clock jumps back. */
int64_t idgen_next(struct idgen *g, int64_t wall_ms);
/* The wall ms that is in the id. */
int64_t id_wall_ms(int64_t id);
/* The smallest id of a wall time: for "since" as a range over ids. */
int64_t id_floor(int64_t wall_ms);
const char *id_text(int64_t id, char out[ID_TEXT_MAX]);
bool id_parse(struct str s, int64_t *out); /* case does not matter */

#endif
