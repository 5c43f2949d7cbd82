/* SPDX-License-Identifier: ISC */
/* What the two halves of the reader share: parse.c and parse_dns.c. */
#ifndef WORLD_PARSE_PRIVATE_H
#define WORLD_PARSE_PRIVATE_H

#include "tests/world/lines.h"
#include "tests/world/world.h"

struct parser {
    struct world *w;
    const char *name, *dir;
    unsigned line, depth;
    struct world_personality *at; /* whom "on" belongs to */
    struct words words;
};

/* E_SYNTAX "FILE:LINE: what: word"; word may be NULL. */
int parse_fail(const struct parser *p, struct err *err, const char *what, const char *word);
bool parse_number(const char *v, unsigned *out);
int parse_dns(struct parser *p, struct err *err);

#endif
