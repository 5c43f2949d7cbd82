/* SPDX-License-Identifier: ISC */
/*
 * The DNS of the scripted internet: a question becomes the answer that a resolver would give. Every
 * name that is not in the world does not exist; a name with other types, or with names below it, is
 * NODATA (RFC 8020, RFC 2308 2.2).
 */
#ifndef WORLD_ZONE_H
#define WORLD_ZONE_H

#include "tests/world/world.h"

#define ZONE_TTL_S     300
#define ZONE_SOA_TTL_S 60

/* The answer as core/net/dns would give it (done by dns_answer_done). Returns the delay in ms that
 * the file asks for; -1: no answer ever comes, *out says time-out. */
int64_t zone_ask(struct world *w, const char *name, unsigned type, struct dns_answer *out);
/* The wire form, for a name server. False: say nothing. max is what the transport carries. */
bool zone_ask_wire(struct world *w, struct str query, size_t max, struct buf *out,
                   int64_t *delay_ms);

#endif
