/* SPDX-License-Identifier: ISC */
/*
 * Where to deliver: an MX answer becomes an ordered list of hosts (RFC 5321 5.1, RFC 7505), their
 * addresses an ordered list of targets. Pure: answers and randomness come in. Each entry keeps why
 * it stands where it stands, or why it was skipped.
 */
#ifndef MAIL_ROUTE_H
#define MAIL_ROUTE_H

#include "core/base/rng.h"
#include "core/mail/dnsdata.h"
#include "core/mail/outcome.h"

#define ROUTE_HOSTS_MAX   20
#define ROUTE_TARGETS_MAX 10 /* addresses tried in one attempt */

struct route_host {
    char name[DNS_NAME_MAX + 1]; /* an address literal as it is written: "[192.0.2.1]" */
    uint16_t preference;
    bool is_implicit; /* no MX: the domain's own address */
    const char *skipped; /* static: why it is not used, or NULL */
};

struct route {
    size_t n;
    struct route_host hosts[ROUTE_HOSTS_MAX]; /* in the order of trying */
};

enum route_verdict {
    ROUTE_OK,
    ROUTE_FAIL /* *why is filled in */
};

/* "We", for loop detection: our EHLO name, and addresses that we listen on. */
struct route_self {
    const char *hostname; /* borrowed */
    const struct ip *ips; /* borrowed */
    size_t ips_n;
};

/*
 * Hosts for a domain from its MX answer. Sorted by preference, equals shuffled, a name that stands
 * twice kept once. NODATA gives the implicit MX; one "." is the null MX (556 5.1.10); NXDOMAIN
 * fails with 5.1.2 (5.4.4), TEMP/BAD defers 4.4.3. If we are in the list, we and every host of
 * equal or higher number are cut; none left: 5.4.6 "mail loops back to myself".
 */
enum route_verdict route_from_mx(const char *domain, const struct dns_answer *mx,
                                 const struct route_self *self, struct rng *rng, struct route *out,
                                 struct outcome *why);

/* Shuffle hosts of equal preference anew: RFC 5321 5.1 asks for it at each delivery, and a route is
 * kept for many. */
void route_shuffle(struct route *r, struct rng *rng);

/* The route of an address literal, "[192.0.2.1]" or "[ipv6:2001:db8::1]" (addr.ascii): no MX is
 * looked up (RFC 5321 5.1), *ip is the one target. False when it is no literal. */
bool route_from_literal(const char *ascii, struct route *out, struct ip *ip);

/* The site of a route: what groups destinations that share servers. A stable text made of the
 * lowest-preference hosts in use, sorted ("mx1.example.com+mx2.example.com", cut with a hash when
 * long); "" when no host is in use. */
void route_site(const struct route *r, char out[DNS_NAME_MAX + 1]);

struct target {
    size_t host; /* index into route.hosts */
    struct ip ip;
};

struct targets {
    size_t n;
    struct target t[ROUTE_TARGETS_MAX];
};

/*
 * Add the addresses of one host behind those that are there, A and AAAA interleaved with prefer_v6
 * deciding the first. a and aaaa may be NULL. An address that is already there is not added again.
 * 0.0.0.0, multicast and our own listening addresses are never added, loopback (then also our own)
 * only when allowed; returns how many were left out so, *why (static) says the last reason.
 */
size_t route_add_targets(struct targets *out, size_t host, const struct dns_answer *a,
                         const struct dns_answer *aaaa, bool prefer_v6, bool allow_loopback,
                         const struct route_self *self, const char **why);

#endif
