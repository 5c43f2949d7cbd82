/* SPDX-License-Identifier: ISC */
/* The DNS wire form, read from hostile bytes and written for queries and the scripted internet. Pure. */
#ifndef NET_DNSWIRE_H
#define NET_DNSWIRE_H

#include "core/base/buf.h"
#include "core/mail/dnsdata.h"

#define DNS_CNAME_HOPS_MAX 8

/* A query with RD, EDNS (1232 octets) and AD asked for, DO not set. Returns octets written, 0 when
 * the name does not fit. */
size_t dnswire_query(uint8_t out[512], uint16_t id, const char *name, unsigned type);

/* Read an answer to (name, type): checks the question, follows CNAMEs inside the answer, takes the
 * negative TTL from SOA. Every octet is bound-checked; compression loops end. *is_truncated = TC. */
void dnswire_answer(struct str wire, const char *name, unsigned type, struct dns_answer *out,
                    bool *is_truncated);

/* For servers (tests, scripted internet): the question of a query; false when malformed. */
struct dns_question {
    uint16_t id;
    unsigned type;
    bool is_recursive;
    char name[DNS_NAME_MAX + 1];
};
bool dnswire_question(struct str wire, struct dns_question *out);
/* Write an answer: records with their owner names in owners[i] (NULL = the question's name); soa_ttl_s
 * > 0 adds an SOA to a negative answer. Truncates with TC when over max octets. */
void dnswire_write(struct buf *out, const struct dns_question *q, unsigned rcode, bool is_authentic,
                   const struct dns_record *records, const char *const *owners, size_t n,
                   uint32_t soa_ttl_s, size_t max);

#endif
