/* SPDX-License-Identifier: ISC */
/* What loop.c, conn.c and listener.c share of libuv. Nobody else includes this. */
#ifndef NET_UV_H
#define NET_UV_H

#include <sys/socket.h>
#include <uv.h>
#include "core/base/buf.h"
#include "core/net/conn.h"
#include "core/net/loop.h"

#define LOOP_READ_MAX 65536

struct loop {
    uv_loop_t uv;
    uv_timer_t limit; /* ends loop_run_for */
    bool is_running;
    /* Connections are served one after the other, so that they share the buffers for what comes from
     * the network, what TLS makes of it, and what TLS wants to send. */
    char read_buf[LOOP_READ_MAX];
    struct buf plain;  /* own */
    struct buf cipher; /* own */
};

/* First member behind every handle->data: how loop_free gets rid of what was left behind. */
struct loop_base {
    void (*abandon)(struct loop_base *b);
};

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

socklen_t stream_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ss);
bool stream_from_sockaddr(const struct sockaddr_storage *ss, struct ip *ip, uint16_t *port);
int stream_fd(const union stream *s); /* -1 = none */

/* Take one connection off a listening stream. NULL when it went away meanwhile. */
struct conn *conn_accept(struct loop *l, uv_stream_t *listening, bool is_unix, struct peer *peer);
/* Its handlers are set, unless it was closed: begin to read. */
void conn_accepted(struct conn *c);

#endif
