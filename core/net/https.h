/* SPDX-License-Identifier: ISC */
/*
 * A small HTTPS client (libcurl behind it), for tokens and policies: verified TLS 1.2 or newer, no
 * redirects, no cookies, no proxy, nothing larger than HTTPS_BODY_MAX. Names are asked of net/dns,
 * never of the system's resolver, which would make the loop wait. Linked by the engine alone.
 */
#ifndef NET_HTTPS_H
#define NET_HTTPS_H

#include "core/base/buf.h"
#include "core/net/dns.h"

#define HTTPS_BODY_MAX (64u * 1024)

struct https;
struct https_fetch;

struct https_conf {
    const char *ca_file;  /* copied; NULL = the system's */
    bool allow_loopback;  /* names may lead to this machine: tests only */
    int64_t timeout_ms;   /* of a whole fetch; 0 = 60 s */
};

struct https_request {
    const char *url;  /* https://... */
    struct str form;  /* n > 0: POST this, as application/x-www-form-urlencoded; else GET */
};

struct https_reply {
    int status;      /* of HTTP; 0 = there was no whole answer */
    struct str body; /* borrowed for the call */
    const char *why; /* with status 0: one phrase, borrowed for the call */
};
typedef void https_done(void *arg, const struct https_reply *r);

/* Returns new (free with https_free, after every fetch was told or cancelled). loop and dns are
 * borrowed. */
struct https *https_new(struct loop *l, struct dns *dns, const struct https_conf *c);
void https_free(struct https *h);
/* The request is copied. done comes once, never before this returns; it may free the client's owner
 * but not the client. */
struct https_fetch *https_fetch(struct https *h, const struct https_request *q, https_done *done,
                                void *arg);
void https_cancel(struct https_fetch *f); /* NULL is fine; done does not come */
/* Append a value as it stands in a form or a query: what is not unreserved becomes %XX. */
void https_add_escaped(struct buf *out, struct str value);

#endif
