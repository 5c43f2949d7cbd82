/* SPDX-License-Identifier: ISC */
/*
 * Asking resolvers (c-ares behind it, ares_send and a parser of ours: platform.md 6.1). Absolute
 * names only, no search list, no hosts file. Answers are cached by TTL (floor 5 s, ceiling 1 h),
 * but NXDOMAIN and failures are not.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "core/mail/conf.h"
#include "core/mail/dnsdata.h"
#include "core/net/loop.h"

struct dns;
struct dns_query;

struct dns_conf {
    const struct endpoint *servers; /* borrowed for the call; n = 0: those of /etc/resolv.conf */
    size_t servers_n;
    bool trust_ad;      /* believe AD of these servers */
    int64_t timeout_ms; /* one try at one server; 0 = 5 s */
    unsigned tries;     /* 0 = 2 */
    bool no_cache;      /* checks ask anew */
};

int dns_new(struct loop *l, const struct dns_conf *c, struct dns **out, struct err *err);
void dns_free(struct dns *d); /* cancels what is under way: no callbacks */
/* The callback comes once, never before this returns; the answer is borrowed for the call. */
struct dns_query *dns_ask(struct dns *d, const char *name, unsigned type,
                          void (*got)(void *arg, const struct dns_answer *a), void *arg);
void dns_cancel(struct dns_query *q); /* NULL is fine; no callback */
void dns_flush(struct dns *d);        /* forget the cache */
/* Name servers in use, "127.0.0.1:53 ..."; borrowed. */
const char *dns_servers(const struct dns *d);

#endif
