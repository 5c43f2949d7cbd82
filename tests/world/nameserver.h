/* SPDX-License-Identifier: ISC */
/* The world's DNS over real UDP and TCP sockets. */
#ifndef WORLD_NAMESERVER_H
#define WORLD_NAMESERVER_H

#include "core/mail/conf.h"
#include "core/net/loop.h"
#include "tests/world/world.h"

struct nameserver;

/* E_NET. The world is borrowed. Returns new (nameserver_free). */
int nameserver_new(struct loop *l, struct world *w, const struct endpoint *at,
                   struct nameserver **out, struct err *err);
void nameserver_free(struct nameserver *n);

#endif
