/* SPDX-License-Identifier: ISC */
/*
 * Byte streams: TCP and Unix sockets, out and in, TLS optional. No time-outs here: the protocol
 * machines have the deadlines, their drivers the timers.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "core/base/buf.h"
#include "core/mail/dnsdata.h"
#include "core/mail/outcome.h"
#include "core/net/loop.h"
#include "core/net/tls.h"

struct conn;

/* Any may be NULL but closed. Handlers may call conn_close. */
struct conn_handlers {
    void (*connected)(void *arg);
    void (*data)(void *arg, struct str bytes);
    /* After a write that had to wait: everything written has gone to the kernel. */
    void (*drained)(void *arg);
    void (*tls_done)(void *arg, const struct tls_facts *facts); /* up, or TLS_FAILED (then closed follows) */
    /* Once, last, unless conn_close was called before. sys: errno, 0 = the peer ended it orderly,
     * EPROTO = TLS failed. What is unsent after an orderly end is still flushed. */
    void (*closed)(void *arg, int sys);
};

/* Failures come by closed, never from the call, never before it returns. source NULL = any.
 * Returns new; freed by conn_close, or by itself after closed. h is borrowed, arg too. */
struct conn *conn_connect(struct loop *l, const struct ip *ip, uint16_t port,
                          const struct ip *source, const struct conn_handlers *h, void *arg);
void conn_write(struct conn *c, struct str bytes); /* copied; written at once as far as it goes */
size_t conn_unsent(const struct conn *c);
void conn_pause(struct conn *c, bool is_paused); /* reading */
/* Client side handshake; plain bytes that were read before are thrown away. */
void conn_start_tls(struct conn *c, struct tls_ctx *ctx, const struct tls_want *w);
/* Server side handshake, for the scripted internet. */
void conn_accept_tls(struct conn *c, struct tls_ctx *ctx);
/* No handler is called from now on; what is unsent is still flushed for at most 5 s when flush. */
void conn_close(struct conn *c, bool flush);
/* Change who is told (a connection that is handed on). */
void conn_set_handlers(struct conn *c, const struct conn_handlers *h, void *arg);
/* Our end of a connected socket; false when not known. */
bool conn_local(const struct conn *c, struct ip *ip, uint16_t *port);

struct peer {
    struct ip ip; /* family 0: a Unix socket */
    uint16_t port;
    uint32_t uid; /* of a Unix socket's peer */
    uint32_t pid;
};

struct listener;
typedef void listener_accept(void *arg, struct conn *c, const struct peer *p);
/* E_NET with one sentence ("127.0.0.1:25 is in use by another program", "... needs root or
 * CAP_NET_BIND_SERVICE"). The accepted conn has no handlers until conn_set_handlers, which the
 * callback must call (or conn_close). */
int listener_tcp(struct loop *l, const struct ip *ip, uint16_t port, int backlog,
                 listener_accept *accept, void *arg, struct listener **out, struct err *err);
/* Replaces a stale socket file (nobody answers on it); E_BUSY when somebody does. */
int listener_unix(struct loop *l, const char *path, unsigned mode, int backlog,
                  listener_accept *accept, void *arg, struct listener **out, struct err *err);
void listener_free(struct listener *l); /* stops listening; unlinks a Unix socket */
uint16_t listener_port(const struct listener *l);

#endif
