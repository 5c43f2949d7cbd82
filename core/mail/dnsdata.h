/* SPDX-License-Identifier: ISC */
/*
 * DNS answers as plain values, so that routing and checks need no resolver to be tested.
 * The wire form is parsed in core/net/dnswire.h.
 */
#ifndef MAIL_DNSDATA_H
#define MAIL_DNSDATA_H

#include "core/base/buf.h"

/* Five outcomes, never two (engine.md 2.1). Stored as numbers: never renumber. */
enum dns_status {
    DNS_OK,       /* records of the type asked for */
    DNS_NODATA,   /* the name exists, without this type */
    DNS_NXDOMAIN, /* the name does not exist */
    DNS_TEMP,     /* SERVFAIL, REFUSED, time-out, no server reached */
    DNS_BAD,      /* an answer that does not parse */
    DNS_STATUS_COUNT
};
const char *dns_status_name(enum dns_status s); /* "ok", "NODATA", "NXDOMAIN", ... */

#define DNS_TYPE_A     1
#define DNS_TYPE_NS    2
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_SOA   6
#define DNS_TYPE_PTR   12
#define DNS_TYPE_MX    15
#define DNS_TYPE_TXT   16
#define DNS_TYPE_AAAA  28
#define DNS_TYPE_TLSA  52
const char *dns_type_name(unsigned type);

#define DNS_NAME_MAX    255
#define DNS_RECORDS_MAX 128 /* more than that in one answer are dropped, and said so */

/* One IP address. */
struct ip {
    int family; /* 4 or 6; 0 = none */
    uint8_t bytes[16];
};
bool ip_parse(struct str s, struct ip *out);
const char *ip_text(const struct ip *a, char out[48]);
/* ::ffff:a.b.c.d is the same address as a.b.c.d here and in the two questions below. */
bool ip_eq(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *a);
/* "192.0.2.0/24", "::1/128", a bare address is itself. */
struct ip_net {
    struct ip ip;
    unsigned bits;
};
bool ip_net_parse(struct str s, struct ip_net *out);
bool ip_net_has(const struct ip_net *net, const struct ip *a);
/* "10.2.0.192.in-addr.arpa" / nibbles under ip6.arpa. */
void ip_reverse_name(const struct ip *a, char out[DNS_NAME_MAX + 1]);

struct dns_record {
    unsigned type;
    uint32_t ttl_s;
    uint16_t preference;         /* MX */
    char name[DNS_NAME_MAX + 1]; /* MX, CNAME, NS, PTR target: lower case, no trailing dot; "." is "" */
    struct ip ip;                /* A, AAAA */
    char *text;                  /* TXT: strings joined; TLSA: raw bytes; own, else NULL */
    size_t text_n;
};

struct dns_answer {
    enum dns_status status;
    unsigned rcode; /* with DNS_TEMP: 2 SERVFAIL, 5 REFUSED ...; 0 = no answer came */
    bool is_authentic; /* AD was set, and the server is one that may be believed */
    bool is_timeout;
    uint32_t ttl_s; /* least TTL of the answer, or negative TTL from SOA */
    size_t n;
    struct dns_record *records; /* own; those of the type asked for, CNAMEs followed within the answer */
    char final_name[DNS_NAME_MAX + 1]; /* after CNAMEs, or the name asked for */
    char server[64]; /* which server answered, "127.0.0.1:53" */
};

void dns_answer_done(struct dns_answer *a);

#endif
