/* SPDX-License-Identifier: ISC */
/*
 * The engine's one door to the world: time, DNS, connections, listeners and the store's thread.
 * Two implementations: the real one (io_real.h, over core/net and store/writer) and the simulator
 * (tests/world/sim.h: virtual clock, scripted DNS and hosts, store inline). Scenarios run the engine
 * itself, not a copy.
 *
 * Everything happens in one thread; callbacks never come before the call that asked for them has
 * returned (jobs of an inline store too). Ownership is that of net/conn.h, net/dns.h, net/loop.h
 * and store/writer.h, whose words these are.
 */
#ifndef ENGINE_IO_H
#define ENGINE_IO_H

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/mail/conf.h"
#include "core/net/conn.h"
#include "core/net/https.h"
#include "store/writer.h"

struct io;
struct io_timer;
struct io_query;
struct io_conn;
struct io_listener;

typedef void io_accept(void *arg, struct io_conn *c, const struct peer *p);
typedef void io_answer(void *arg, const struct dns_answer *a);

struct io_ops {
    int64_t (*wall_ms)(struct io *io);
    int64_t (*mono_ms)(struct io *io);

    struct io_timer *(*timer_new)(struct io *io, void (*fire)(void *arg), void *arg);
    void (*timer_start)(struct io_timer *t, int64_t delay_ms);
    void (*timer_stop)(struct io_timer *t);
    void (*timer_free)(struct io_timer *t);

    struct io_query *(*ask)(struct io *io, const char *name, unsigned type, io_answer *got,
                            void *arg);
    void (*cancel)(struct io_query *q);
    const char *(*servers)(struct io *io); /* for status */

    struct io_conn *(*connect)(struct io *io, const struct ip *ip, uint16_t port,
                               const struct ip *source, const struct conn_handlers *h, void *arg);
    void (*write)(struct io_conn *c, struct str bytes);
    size_t (*unsent)(const struct io_conn *c);
    void (*pause)(struct io_conn *c, bool is_paused);
    void (*start_tls)(struct io *io, struct io_conn *c, const struct tls_want *w);
    void (*close)(struct io_conn *c, bool flush);
    void (*set_handlers)(struct io_conn *c, const struct conn_handlers *h, void *arg);

    int (*listen_tcp)(struct io *io, const struct ip *ip, uint16_t port, io_accept *accept,
                      void *arg, struct io_listener **out, struct err *err);
    int (*listen_unix)(struct io *io, const char *path, unsigned mode, io_accept *accept, void *arg,
                       struct io_listener **out, struct err *err);
    void (*unlisten)(struct io_listener *l);

    struct https_fetch *(*fetch)(struct io *io, const struct https_request *q, https_done *done,
                                 void *arg);
    void (*fetch_cancel)(struct https_fetch *f);

    /* Takes the job until its done. */
    void (*submit)(struct io *io, struct store_job *job);
    void (*store_stats)(struct io *io, struct writer_stats *out);
};

struct io {
    const struct io_ops *ops;
};

/* Thin names, so that callers read well. */
static inline int64_t io_wall_ms(struct io *io)
{
    return io->ops->wall_ms(io);
}

static inline int64_t io_mono_ms(struct io *io)
{
    return io->ops->mono_ms(io);
}

#endif
