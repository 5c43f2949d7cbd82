/* SPDX-License-Identifier: ISC */
/* TLS over memory BIOs (OpenSSL): a machine like the SMTP ones, so that a connection is one code path. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/mail/outcome.h"

struct tls_ctx; /* CA store and settings, shared by sessions of one thread */
struct tls;     /* one session */

struct tls_want {
    const char *name;  /* SNI and the name that must be in the certificate; borrowed for the call */
    bool is_reduced;   /* TLS 1.2 at most: a small hello without what some servers stumble over */
    bool is_verified;  /* chain and name must verify, else the handshake fails */
};

/* ca_file NULL = the system's. Returns new (free with tls_ctx_free). */
int tls_ctx_new(const char *ca_file, struct tls_ctx **out, struct err *err);
void tls_ctx_free(struct tls_ctx *c);
struct tls *tls_client_new(struct tls_ctx *c, const struct tls_want *w);
/* For tests, the scripted internet and a listener: certificate and key in PEM files. */
int tls_server_ctx_new(const char *cert_file, const char *key_file, struct tls_ctx **out,
                       struct err *err);
struct tls *tls_server_new(struct tls_ctx *c);
void tls_free(struct tls *t);

enum tls_status { TLS_STATUS_HANDSHAKE, TLS_STATUS_UP, TLS_STATUS_CLOSED, TLS_STATUS_ERROR };
/* Bytes from the network in; plain bytes are appended to plain. */
enum tls_status tls_input(struct tls *t, struct str bytes, struct buf *plain);
/* Plain bytes in (only when UP). */
void tls_write(struct tls *t, struct str plain);
/* Bytes for the network are moved to the end of out. */
void tls_output(struct tls *t, struct buf *out);
void tls_close_notify(struct tls *t);
void tls_facts(const struct tls *t, struct tls_facts *out);

#endif
