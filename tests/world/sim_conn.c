/* SPDX-License-Identifier: ISC */
/*
 * Connections of the simulator. Each has the engine at one end and, at the other, a session of a
 * world host or a client of the scenario. Bytes, ends and handshakes travel as events, which hold a
 * reference, so that a connection may be closed inside its own handlers.
 *
 *   engine --write--> [parcel] --> host_input / client->got
 *   engine <--data--- [parcel] <-- host_output / sim_client_send
 */
#include <errno.h>
#include "tests/world/sim_private.h"
#include "core/base/alloc.h"

/* How long Linux tries to connect (tcp_syn_retries = 6). */
#define CONNECT_GIVES_UP_MS 127000
#define MAX_PIECES          8
/* 100 Mbit/s or so: a large message takes time, and its sender has to wait. */
#define BYTES_PER_MS 10000

struct io_listener {
    struct list link;
    struct sim *sim;
    struct ip ip;
    uint16_t port;
    char *path; /* own, NULL for TCP */
    io_accept *accept;
    void *arg;
};

struct sim_client {
    struct sim *sim;
    struct io_conn *conn; /* NULL once it is over */
    struct buf got;
    bool is_closed;
};

struct io_conn {
    struct list link;
    struct sim *sim;
    unsigned refs;                 /* the engine's, the client's and one for each event */
    const struct conn_handlers *h; /* NULL: nobody is told */
    void *arg;
    bool is_engine_done; /* closed by the engine, or told that it is over */
    bool is_paused, has_sent_end;
    int over_sys;
    struct buf held;              /* arrived while paused */
    struct host_session *session; /* own */
    bool is_implicit_tls;
    struct world_host *host;
    struct sim_client *client;
    struct peer peer;
    struct io_listener *listener;
    size_t in_flight;
    int64_t last_out_ms, last_in_ms;
    struct sim_event tick; /* the session's deadline */
    struct tls_want want;
    char want_name[256];
};

enum parcel_kind {
    TO_PEER,
    TO_ENGINE,
    PEER_CLOSED,
    ENGINE_CLOSED,
    CONNECTED,
    ACCEPTED,
    TLS,
    RESUME
};

struct parcel {
    struct sim_event event;
    struct io_conn *conn; /* a reference */
    enum parcel_kind kind;
    int sys;
    struct buf bytes;
};

static void conn_unref(struct io_conn *c)
{
    if (--c->refs > 0)
        return;
    list_remove(&c->link);
    sim_stop(c->sim, &c->tick);
    host_free(c->session);
    buf_done(&c->held);
    free(c);
}

static void parcel_free(struct parcel *p)
{
    struct io_conn *c = p->conn;
    buf_done(&p->bytes);
    free(p);
    conn_unref(c);
}

static void parcel_drop(struct sim_event *e)
{
    parcel_free(container_of(e, struct parcel, event));
}

static void parcel_fire(struct sim *s, struct sim_event *e);

static struct parcel *parcel_new(struct io_conn *c, enum parcel_kind kind)
{
    struct parcel *p = xnew(struct parcel);
    p->event.fire = parcel_fire;
    p->event.drop = parcel_drop;
    p->kind = kind;
    p->conn = c;
    c->refs++;
    return p;
}

/* In its direction nothing overtakes: *last is the arrival of what went before. */
static void parcel_send(struct io_conn *c, struct parcel *p, int64_t *last, int64_t after_ms)
{
    int64_t at = c->sim->now_ms + after_ms;
    if (at < *last)
        at = *last;
    *last = at;
    sim_at(c->sim, &p->event, at);
}

/* Bytes in one piece, or (split) in several, some a little later. */
static void send_bytes(struct io_conn *c, enum parcel_kind kind, struct str bytes)
{
    struct sim *s = c->sim;
    int64_t *last = kind == TO_PEER ? &c->last_out_ms : &c->last_in_ms;
    for (unsigned pieces = 0; bytes.n > 0; pieces++) {
        size_t n = bytes.n;
        int64_t late = 0;
        if (s->split && pieces < MAX_PIECES) {
            n = 1 + (size_t)rng_below(&s->rng, bytes.n);
            late = (int64_t)rng_below(&s->rng, 3);
        }
        struct parcel *p = parcel_new(c, kind);
        buf_add(&p->bytes, bytes.p, n);
        bytes = str_sub(bytes, n, bytes.n);
        parcel_send(c, p, last, s->latency_ms + late);
        *last += (int64_t)(n / BYTES_PER_MS);
    }
}

static void send_end(struct io_conn *c, enum parcel_kind kind, int sys)
{
    struct parcel *p = parcel_new(c, kind);
    p->sys = sys;
    parcel_send(c, p, kind == PEER_CLOSED ? &c->last_in_ms : &c->last_out_ms, c->sim->latency_ms);
}

/* What the session wants to send or do now. */
static void pump(struct io_conn *c)
{
    struct host_session *h = c->session;
    struct str out = host_output(h);
    if (out.n > 0) {
        send_bytes(c, TO_ENGINE, out);
        host_sent(h, out.n);
    }
    if (host_deadline(h) != INT64_MAX) {
        sim_at(c->sim, &c->tick, host_deadline(h));
        return;
    }
    sim_stop(c->sim, &c->tick);
    if (c->has_sent_end)
        return;
    if (host_wish(h) == HOST_CLOSE || host_wish(h) == HOST_RESET) {
        c->has_sent_end = true;
        send_end(c, PEER_CLOSED, host_wish(h) == HOST_RESET ? ECONNRESET : 0);
    }
}

static void tick_fire(struct sim *s, struct sim_event *e)
{
    struct io_conn *c = container_of(e, struct io_conn, tick);
    c->refs++;
    host_tick(c->session, s->now_ms);
    pump(c);
    conn_unref(c);
}

/* Tell the engine that it is over; the last thing it hears. */
static void over(struct io_conn *c, int sys)
{
    if (c->is_engine_done)
        return;
    c->is_engine_done = true;
    const struct conn_handlers *h = c->h;
    if (h && h->closed)
        h->closed(c->arg, sys);
    conn_unref(c);
}

static void arrive_at_engine(struct io_conn *c, struct str bytes)
{
    if (c->is_engine_done)
        return;
    if (c->is_paused)
        buf_add_str(&c->held, bytes);
    else if (c->h && c->h->data)
        c->h->data(c->arg, bytes);
}

static void arrive_at_peer(struct io_conn *c, struct str bytes)
{
    size_t n = bytes.n;
    if (c->session) {
        host_input(c->session, bytes, c->sim->now_ms);
        pump(c);
    } else if (c->client) {
        buf_add_str(&c->client->got, bytes);
    }
    c->in_flight -= n;
    if (c->in_flight == 0 && !c->is_engine_done && c->h && c->h->drained)
        c->h->drained(c->arg);
}

static void engine_closed(struct io_conn *c)
{
    if (c->session) {
        host_lost(c->session, c->sim->now_ms);
        sim_stop(c->sim, &c->tick);
    }
    if (c->client) {
        c->client->is_closed = true;
        c->client->conn = NULL;
        c->client = NULL;
        conn_unref(c);
    }
}

static void connected(struct io_conn *c)
{
    if (c->is_engine_done)
        return;
    /* On port 465 a host says nothing before the handshake (RFC 8314 3.3). */
    c->is_implicit_tls = c->host->port == 465;
    if (!c->is_implicit_tls)
        c->session = host_open(c->sim->world, c->host, &c->peer.ip, c->sim->now_ms);
    if (c->h && c->h->connected)
        c->h->connected(c->arg);
    if (c->session)
        pump(c);
}

/* The handshake: both ends learn the result, the client's end first. */
static void handshake(struct io_conn *c)
{
    struct tls_facts facts = {
        .state = TLS_ENCRYPTED, .version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384"};
    if (c->is_engine_done)
        return;
    bool is_wanted = c->session && host_wish(c->session) == HOST_TLS && !host_tls_fails(c->session);
    if (c->is_implicit_tls && !c->session) {
        c->session = host_open(c->sim->world, c->host, &c->peer.ip, c->sim->now_ms);
        is_wanted = true;
    }
    if (!is_wanted) {
        facts =
            (struct tls_facts){.state = TLS_FAILED, .why = "the server broke off the handshake"};
    } else if (c->want.is_verified) {
        bool is_valid =
            world_cert_is_valid(&c->host->own) && strcmp(c->want_name, c->host->name) == 0;
        facts.state = is_valid ? TLS_VERIFIED : TLS_FAILED;
        if (!is_valid)
            str_copy(STR("self-signed certificate"), facts.why, sizeof(facts.why));
        facts.is_untrusted = !is_valid;
    }
    bool is_up = facts.state != TLS_FAILED;
    if (c->session)
        host_tls_done(c->session, is_up, c->sim->now_ms);
    if (c->h && c->h->tls_done)
        c->h->tls_done(c->arg, &facts);
    if (!is_up && !c->is_engine_done)
        over(c, 0);
    else if (c->session)
        pump(c);
}

static void resume(struct io_conn *c)
{
    if (c->is_paused || c->is_engine_done)
        return;
    struct buf held = c->held;
    c->held = BUF_INIT;
    if (held.n > 0)
        arrive_at_engine(c, buf_str(&held));
    buf_done(&held);
    if (!c->is_paused && c->over_sys != -1)
        over(c, c->over_sys);
}

static void accepted(struct io_conn *c)
{
    if (!c->listener) {
        engine_closed(c);
        over(c, ECONNREFUSED);
        return;
    }
    struct io_listener *l = c->listener;
    c->listener = NULL;
    l->accept(l->arg, c, &c->peer);
}

static void parcel_fire(struct sim *s, struct sim_event *e)
{
    struct parcel *p = container_of(e, struct parcel, event);
    struct io_conn *c = p->conn;
    (void)s;
    switch (p->kind) {
    case TO_PEER: arrive_at_peer(c, buf_str(&p->bytes)); break;
    case TO_ENGINE: arrive_at_engine(c, buf_str(&p->bytes)); break;
    case PEER_CLOSED:
        if (c->is_paused && !c->is_engine_done)
            c->over_sys = p->sys;
        else
            over(c, p->sys);
        break;
    case ENGINE_CLOSED: engine_closed(c); break;
    case CONNECTED: connected(c); break;
    case ACCEPTED: accepted(c); break;
    case TLS: handshake(c); break;
    case RESUME: resume(c); break;
    }
    parcel_free(p);
}

/* --- struct io --- */

static struct io_conn *conn_new(struct sim *s, const struct conn_handlers *h, void *arg)
{
    struct io_conn *c = xnew(struct io_conn);
    c->sim = s;
    c->refs = 1; /* the engine's */
    c->h = h;
    c->arg = arg;
    c->over_sys = -1;
    c->tick.fire = tick_fire;
    list_push_back(&s->conns, &c->link);
    return c;
}

struct io_conn *sim_connect(struct io *io, const struct ip *ip, uint16_t port,
                            const struct ip *source, const struct conn_handlers *h, void *arg)
{
    static const struct ip ours = {4, {198, 51, 100, 1}};
    static const struct ip ours6 = {6, {0x20, 0x01, 0x0d, 0xb8, 0, 0xff, [15] = 1}};
    struct sim *s = sim_of(io);
    struct io_conn *c = conn_new(s, h, arg);
    s->connects++;
    c->peer.ip = source && source->family ? *source : ip->family == 6 ? ours6 : ours;
    int sys = world_connect(s->world, ip, port, &c->peer.ip, s->now_ms, &c->host);
    struct parcel *p = parcel_new(c, sys ? PEER_CLOSED : CONNECTED);
    p->sys = sys;
    int64_t after = sys == ETIMEDOUT                  ? CONNECT_GIVES_UP_MS
                    : sys == 0 || sys == ECONNREFUSED ? 2 * s->latency_ms
                                                      : 1;
    parcel_send(c, p, &c->last_in_ms, after);
    return c;
}

void sim_write(struct io_conn *c, struct str bytes)
{
    if (c->is_engine_done || bytes.n == 0)
        return;
    c->in_flight += bytes.n;
    send_bytes(c, TO_PEER, bytes);
}

size_t sim_unsent(const struct io_conn *c)
{
    return c->in_flight;
}

void sim_pause(struct io_conn *c, bool is_paused)
{
    bool is_change = c->is_paused && !is_paused;
    c->is_paused = is_paused;
    if (is_change)
        parcel_send(c, parcel_new(c, RESUME), &c->last_in_ms, 0);
}

void sim_start_tls(struct io *io, struct io_conn *c, const struct tls_want *w)
{
    (void)io;
    c->want = *w;
    str_copy(str_of(w->name), c->want_name, sizeof(c->want_name));
    c->want.name = NULL;
    parcel_send(c, parcel_new(c, TLS), &c->last_out_ms, 2 * c->sim->latency_ms);
}

void sim_close(struct io_conn *c, bool flush)
{
    (void)flush;
    if (!c || c->is_engine_done)
        return;
    c->is_engine_done = true;
    c->h = NULL;
    send_end(c, ENGINE_CLOSED, 0);
    conn_unref(c);
}

void sim_set_handlers(struct io_conn *c, const struct conn_handlers *h, void *arg)
{
    c->h = h;
    c->arg = arg;
}

static struct io_listener *listener_find(struct sim *s, const struct ip *ip, uint16_t port,
                                         const char *path)
{
    list_for_each (l, &s->listeners) {
        struct io_listener *n = list_entry(l, struct io_listener, link);
        if (path ? n->path && strcmp(n->path, path) == 0
                 : !n->path && n->port == port && ip_eq(&n->ip, ip))
            return n;
    }
    return NULL;
}

static struct io_listener *listener_new(struct sim *s, io_accept *accept, void *arg)
{
    struct io_listener *l = xnew(struct io_listener);
    l->sim = s;
    l->accept = accept;
    l->arg = arg;
    list_push_back(&s->listeners, &l->link);
    return l;
}

int sim_listen_tcp(struct io *io, const struct ip *ip, uint16_t port, io_accept *accept, void *arg,
                   struct io_listener **out, struct err *err)
{
    struct sim *s = sim_of(io);
    if (listener_find(s, ip, port, NULL))
        return err_set(err, E_NET, "port %u is in use by another program", port);
    *out = listener_new(s, accept, arg);
    (*out)->ip = *ip;
    (*out)->port = port;
    return 0;
}

int sim_listen_unix(struct io *io, const char *path, unsigned mode, io_accept *accept, void *arg,
                    struct io_listener **out, struct err *err)
{
    struct sim *s = sim_of(io);
    (void)mode;
    if (listener_find(s, NULL, 0, path))
        return err_set(err, E_BUSY, "somebody answers on %s", path);
    *out = listener_new(s, accept, arg);
    (*out)->path = xstrdup(path);
    return 0;
}

void sim_unlisten(struct io_listener *l)
{
    if (!l)
        return;
    /* Who is on the way is refused when he arrives. */
    list_for_each (at, &l->sim->conns) {
        struct io_conn *c = list_entry(at, struct io_conn, link);
        if (c->listener == l)
            c->listener = NULL;
    }
    list_remove(&l->link);
    free(l->path);
    free(l);
}

/* --- clients --- */

static struct sim_client *client_new(struct sim *s, struct io_listener *l, const struct peer *peer)
{
    if (!l)
        return NULL;
    struct sim_client *k = xnew(struct sim_client);
    struct io_conn *c = conn_new(s, NULL, NULL);
    c->refs++; /* the client's */
    c->client = k;
    c->peer = *peer;
    c->listener = l;
    k->sim = s;
    k->conn = c;
    parcel_send(c, parcel_new(c, ACCEPTED), &c->last_in_ms, s->latency_ms);
    return k;
}

struct sim_client *sim_client_tcp(struct sim *s, const struct ip *from, const struct ip *to,
                                  uint16_t port)
{
    struct peer peer = {.ip = *from, .port = (uint16_t)(40000 + s->connects)};
    return client_new(s, listener_find(s, to, port, NULL), &peer);
}

struct sim_client *sim_client_unix(struct sim *s, const char *path, uint32_t uid)
{
    struct peer peer = {.uid = uid, .pid = 4711};
    return client_new(s, listener_find(s, NULL, 0, path), &peer);
}

void sim_client_free(struct sim_client *k)
{
    if (!k)
        return;
    if (k->conn) {
        k->conn->client = NULL;
        send_end(k->conn, PEER_CLOSED, 0);
        conn_unref(k->conn);
    }
    buf_done(&k->got);
    free(k);
}

void sim_client_send(struct sim_client *k, struct str bytes)
{
    if (k->conn)
        send_bytes(k->conn, TO_ENGINE, bytes);
}

struct str sim_client_got(const struct sim_client *k)
{
    return buf_str(&k->got);
}

void sim_client_drop(struct sim_client *k, size_t n)
{
    buf_drop(&k->got, n);
}

bool sim_client_is_closed(const struct sim_client *k)
{
    return k->is_closed;
}

unsigned sim_open_conns(const struct sim *s)
{
    unsigned n = 0;
    list_for_each (l, &s->conns) {
        const struct io_conn *c = list_entry(l, struct io_conn, link);
        n += c->session && !c->is_engine_done;
    }
    return n;
}
