/* SPDX-License-Identifier: ISC */
/* What loop.c and conn.c share of libuv. Nobody else includes this. */
#ifndef NET_UV_H
#define NET_UV_H

#include <uv.h>
#include "core/base/buf.h"
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

#endif
