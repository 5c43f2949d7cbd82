/* SPDX-License-Identifier: ISC */
#include "core/engine/io_real.h"

#include "core/base/alloc.h"
#include "core/net/dns.h"

/* Bursts of connects must not be dropped: a lost SYN costs the client a second. */
#define BACKLOG 1024

struct io_real {
    struct io io;
    struct loop *loop; /* borrowed */
    struct dns *dns;
    struct tls_ctx *tls;
    struct https *https;
    struct writer *writer;
    struct loop_wake *wake;
};

static struct io_real *of(struct io *io)
{
    return container_of(io, struct io_real, io);
}

static int64_t wall_ms(struct io *io)
{
    (void)io;
    return clock_system()->wall_ms(clock_system());
}

static int64_t mono_ms(struct io *io)
{
    return loop_now_ms(of(io)->loop);
}

/* --- timers: struct io_timer is struct loop_timer --- */

static struct io_timer *timer_new(struct io *io, void (*fire)(void *arg), void *arg)
{
    return (struct io_timer *)loop_timer_new(of(io)->loop, fire, arg);
}

static void timer_start(struct io_timer *t, int64_t delay_ms)
{
    loop_timer_start((struct loop_timer *)t, delay_ms);
}

static void timer_stop(struct io_timer *t)
{
    loop_timer_stop((struct loop_timer *)t);
}

static void timer_free(struct io_timer *t)
{
    loop_timer_free((struct loop_timer *)t);
}

/* --- names: struct io_query is struct dns_query --- */

static struct io_query *ask(struct io *io, const char *name, unsigned type, io_answer *got,
                            void *arg)
{
    return (struct io_query *)dns_ask(of(io)->dns, name, type, got, arg);
}

static void cancel(struct io_query *q)
{
    dns_cancel((struct dns_query *)q);
}

static const char *servers(struct io *io)
{
    return dns_servers(of(io)->dns);
}

/* --- connections: struct io_conn is struct conn --- */

static struct io_conn *open_conn(struct io *io, const struct ip *ip, uint16_t port,
                                 const struct ip *source, const struct conn_handlers *h, void *arg)
{
    return (struct io_conn *)conn_connect(of(io)->loop, ip, port, source, h, arg);
}

static void write_conn(struct io_conn *c, struct str bytes)
{
    conn_write((struct conn *)c, bytes);
}

static size_t unsent(const struct io_conn *c)
{
    return conn_unsent((const struct conn *)c);
}

static void pause_conn(struct io_conn *c, bool is_paused)
{
    conn_pause((struct conn *)c, is_paused);
}

static void start_tls(struct io *io, struct io_conn *c, const struct tls_want *w)
{
    conn_start_tls((struct conn *)c, of(io)->tls, w);
}

static void close_conn(struct io_conn *c, bool flush)
{
    conn_close((struct conn *)c, flush);
}

static void set_handlers(struct io_conn *c, const struct conn_handlers *h, void *arg)
{
    conn_set_handlers((struct conn *)c, h, arg);
}

/* --- listeners: one more callback, since the types differ --- */

struct io_listener {
    struct listener *listener;
    io_accept *accept;
    void *arg;
};

static void on_accept(void *arg, struct conn *c, const struct peer *p)
{
    struct io_listener *l = arg;
    l->accept(l->arg, (struct io_conn *)c, p);
}

static struct io_listener *listener_of(io_accept *accept, void *arg)
{
    struct io_listener *l = xnew(struct io_listener);
    l->accept = accept;
    l->arg = arg;
    return l;
}

static int listen_tcp(struct io *io, const struct ip *ip, uint16_t port, io_accept *accept,
                      void *arg, struct io_listener **out, struct err *err)
{
    struct io_listener *l = listener_of(accept, arg);
    int rc = listener_tcp(of(io)->loop, ip, port, BACKLOG, on_accept, l, &l->listener, err);
    if (rc < 0)
        free(l);
    else
        *out = l;
    return rc;
}

static int listen_unix(struct io *io, const char *path, unsigned mode, io_accept *accept, void *arg,
                       struct io_listener **out, struct err *err)
{
    struct io_listener *l = listener_of(accept, arg);
    int rc = listener_unix(of(io)->loop, path, mode, BACKLOG, on_accept, l, &l->listener, err);
    if (rc < 0)
        free(l);
    else
        *out = l;
    return rc;
}

static void unlisten(struct io_listener *l)
{
    listener_free(l->listener);
    free(l);
}

/* --- the web --- */

static struct https_fetch *fetch(struct io *io, const struct https_request *q, https_done *done,
                                 void *arg)
{
    return https_fetch(of(io)->https, q, done, arg);
}

/* --- the store --- */

static void submit(struct io *io, struct store_job *job)
{
    writer_submit(of(io)->writer, job);
}

static void store_stats(struct io *io, struct writer_stats *out)
{
    writer_stats(of(io)->writer, out);
}

static void store_woke(void *arg)
{
    struct io_real *r = arg;
    if (r->writer)
        writer_collect(r->writer);
}

/* In the store's thread. */
static void wake_loop(void *arg)
{
    struct io_real *r = arg;
    loop_wake_send(r->wake);
}

static const struct io_ops ops = {
    .wall_ms = wall_ms,
    .mono_ms = mono_ms,
    .timer_new = timer_new,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .timer_free = timer_free,
    .ask = ask,
    .cancel = cancel,
    .servers = servers,
    .connect = open_conn,
    .write = write_conn,
    .unsent = unsent,
    .pause = pause_conn,
    .start_tls = start_tls,
    .close = close_conn,
    .set_handlers = set_handlers,
    .listen_tcp = listen_tcp,
    .listen_unix = listen_unix,
    .unlisten = unlisten,
    .fetch = fetch,
    .fetch_cancel = https_cancel,
    .submit = submit,
    .store_stats = store_stats,
};

/* auto: only a resolver on this machine, whose answers nobody can change on the way (RFC 7672 1.3). */
static bool believes_ad(const struct conf *conf)
{
    if (conf->dns_trust_ad != DNS_TRUST_AUTO)
        return conf->dns_trust_ad == DNS_TRUST_YES;
    for (size_t i = 0; i < conf->dns_n; i++) {
        if (!ip_is_loopback(&conf->dns[i].ip))
            return false;
    }
    return conf->dns_n > 0;
}

static int make(struct loop *loop, const struct conf *conf, const struct log *log, bool with_store,
                struct io_real **out, struct err *err)
{
    struct io_real *r = xnew(struct io_real);
    r->io.ops = &ops;
    r->loop = loop;
    r->wake = loop_wake_new(loop, store_woke, r);
    struct dns_conf dc = {
        .servers = conf->dns,
        .servers_n = conf->dns_n,
        .trust_ad = believes_ad(conf),
    };
    int rc = dns_new(loop, &dc, &r->dns, err);
    if (rc >= 0)
        rc = tls_ctx_new(conf->lab_ca_file, &r->tls, err);
    struct https_conf hc = {.ca_file = conf->lab_ca_file,
                            .allow_loopback = conf->lab_loopback_targets};
    if (rc >= 0)
        r->https = https_new(loop, r->dns, &hc);
    if (rc >= 0 && with_store)
        rc = writer_new(conf->store_path, false, wake_loop, r, log, &r->writer, err);
    if (rc < 0) {
        io_real_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

int io_real_new(struct loop *loop, const struct conf *conf, const struct log *log,
                struct io_real **out, struct err *err)
{
    return make(loop, conf, log, true, out, err);
}

int io_real_new_without_store(struct loop *loop, const struct conf *conf, struct io_real **out,
                              struct err *err)
{
    return make(loop, conf, NULL, false, out, err);
}

struct io *io_real_io(struct io_real *r)
{
    return &r->io;
}

void io_real_close_store(struct io_real *r)
{
    if (!r->writer)
        return;
    writer_free(r->writer);
    r->writer = NULL;
}

void io_real_free(struct io_real *r)
{
    if (!r)
        return;
    io_real_close_store(r);
    https_free(r->https);
    dns_free(r->dns);
    tls_ctx_free(r->tls);
    loop_wake_free(r->wake);
    free(r);
}
