/* SPDX-License-Identifier: ISC */
/* DNS answers kept as long as they are true, in bounded memory. Pure: the time comes in. */
#ifndef NET_DNSCACHE_H
#define NET_DNSCACHE_H

#include "core/mail/dnsdata.h"

#define DNSCACHE_ENTRIES_MAX   10000
#define DNSCACHE_BYTES_MAX     (8u << 20)
#define DNSCACHE_TTL_FLOOR_S   5
#define DNSCACHE_TTL_CEILING_S 3600

/* A question as a key: type, space, name. */
#define DNS_KEY_MAX (DNS_NAME_MAX + 16)

struct dnscache;

struct dnscache *dnscache_new(void);
void dnscache_free(struct dnscache *c); /* NULL is fine */
/* A copy that lives by itself (dns_answer_done). What may be different in a second is not kept:
 * DNS_TEMP and DNS_BAD. The entry that was not used for longest makes room. */
void dnscache_put(struct dnscache *c, const char *key, const struct dns_answer *a,
                  int64_t now_mono_ms);
/* *out is a copy with what is left of its TTL; false, and *out untouched, when there is none. */
bool dnscache_get(struct dnscache *c, const char *key, int64_t now_mono_ms, struct dns_answer *out);
void dnscache_flush(struct dnscache *c);
size_t dnscache_count(const struct dnscache *c);
/* A deep copy. */
void dnscache_copy(struct dns_answer *out, const struct dns_answer *a);

#endif
