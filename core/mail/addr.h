/* SPDX-License-Identifier: ISC */
/*
 * Mail addresses and domain names (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3; UTS 46 through libidn2).
 * Strict where it protects (no CR, LF, NUL, no space outside quotes), lenient nowhere.
 */
#ifndef MAIL_ADDR_H
#define MAIL_ADDR_H

#include "core/base/buf.h"

/* RFC 5321 4.5.3.1, in octets. */
#define ADDR_LOCAL_MAX  64
#define ADDR_DOMAIN_MAX 255
/* local@domain with NUL. */
#define ADDR_TEXT_MAX (ADDR_LOCAL_MAX + 1 + ADDR_DOMAIN_MAX + 1)

enum addr_kind {
    ADDR_NULL,      /* <>: the null reverse-path */
    ADDR_POSTMASTER, /* <postmaster> without a domain (RFC 5321 4.1.1.3) */
    ADDR_DOMAIN,    /* local@domain */
    ADDR_IPV4,      /* local@[192.0.2.1] */
    ADDR_IPV6       /* local@[IPv6:2001:db8::1] */
};

struct addr {
    enum addr_kind kind;
    bool is_utf8; /* non-ASCII octets in the local part: needs SMTPUTF8 */
    char local[ADDR_LOCAL_MAX + 1];   /* as given, quotes kept; case never changed */
    char domain[ADDR_DOMAIN_MAX + 1]; /* as given, no trailing dot; a literal with its brackets */
    char ascii[ADDR_DOMAIN_MAX + 1];  /* A-labels, lower case: what DNS and the queue use; a literal
                                         as "[1.2.3.4]" or "[ipv6:2001:db8::1]" */
};

/* Parse a mailbox without brackets: all of s, at most 254 octets (RFC 5321 4.5.3.1.3). On failure
 * *why is a static phrase ("the local part is longer than 64 octets") and *out is undefined. */
bool addr_parse(struct str s, struct addr *out, const char **why);

/* Parse "<path>" at the start of s, for MAIL FROM and RCPT TO. A source route is dropped
 * (RFC 5321 4.1.1.3, appendix C). *used = octets up to and with ">". allow_null for MAIL,
 * allow_postmaster for RCPT. */
bool addr_parse_path(struct str s, bool allow_null, bool allow_postmaster, struct addr *out,
                     size_t *used, const char **why);

/* "local@domain" ("" for the null path) with the domain as given. */
void addr_text(const struct addr *a, char out[ADDR_TEXT_MAX]);
/* The same with the domain as A-labels: the form that is stored and sent. */
void addr_text_ascii(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* A domain name to lower-case A-labels: LDH, labels <= 63, all <= 253, no trailing dot kept.
 * Underscores are refused. On failure *why is static. */
bool domain_to_ascii(struct str s, char out[ADDR_DOMAIN_MAX + 1], const char **why);

/* Special-use names that can never take mail (RFC 6761, 6762, 7686, and the .local family):
 * returns a static phrase that says which, or NULL. "mydomain.local" is one. The argument is
 * lower-case A-label form. */
const char *domain_special_use(const char *ascii);

#endif
