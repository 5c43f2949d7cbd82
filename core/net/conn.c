/* SPDX-License-Identifier: ISC */
/*
 * Byte streams over libuv.
 *
 *   CONNECTING ──► OPEN ──► ENDED ──► (memory freed at the end of the turn)
 *                    └────► FLUSHING ──┘
 *
 * CONNECTING  writes queue up, nothing is read
 * OPEN        read into the loop's one buffer; written at once, the rest queues up behind
 * FLUSHING    conn_close(flush): no handler is called any more; what is unsent goes out for at most
 *             5 s. An accepted connection then says FIN and waits for the peer's: closing on unread
 *             input would send RST, which may take our last reply away from the peer (RFC 1122
 *             4.2.2.13).
 * ENDED       the libuv handle is closing
 *
 * Failures are told from the handle's close callback, so never from inside a call.
 */
#include "core/net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/net/uv.h"

#define FLUSH_MS (5 * SECOND_MS)
/* A buffer that a large message has grown is not kept for the next one. */
#define KEEP_MAX 65536

enum conn_state { CONN_CONNECTING, CONN_OPEN, CONN_FLUSHING, CONN_ENDED };

struct conn {
    struct loop_base base;
    union stream uv;
    struct loop *loop;             /* borrowed */
    const struct conn_handlers *h; /* borrowed */
    void *arg;
    enum conn_state state;
    bool is_accepted;
    bool is_paused, is_reading, is_writing;
    bool must_tell; /* closed is still to be called */
    bool is_tls_up;
    int sys;                  /* for closed */
    int write_sys;            /* the peer takes no more; what it said before may still be unread */
    struct tls *tls;          /* own */
    struct buf plain_wait;    /* own: written before the handshake was over */
    struct buf out;           /* own: behind what is in flight */
    struct buf flying;        /* own: in libuv's hands while is_writing */
    struct loop_timer *flush; /* own */
    uv_connect_t connect_req;
    uv_write_t write_req;
};

/* Small parts */

socklen_t stream_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof(*ss));
    if (ip->family == 6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, ip->bytes, 16);
        return sizeof(*in6);
    }
    struct sockaddr_in *in = (struct sockaddr_in *)ss;

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, ip->bytes, 4);
    return sizeof(*in);
}

bool stream_from_sockaddr(const struct sockaddr_storage *ss, struct ip *ip, uint16_t *port)
{
    memset(ip, 0, sizeof(*ip));
    *port = 0;
    if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

        ip->family = 6;
        memcpy(ip->bytes, &in6->sin6_addr, 16);
        *port = ntohs(in6->sin6_port);
        return true;
    }
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

        ip->family = 4;
        memcpy(ip->bytes, &in->sin_addr, 4);
        *port = ntohs(in->sin_port);
        return true;
    }
    return false;
}

int stream_fd(const union stream *s)
{
    uv_os_fd_t fd = -1;

    return uv_fileno(&s->handle, &fd) == 0 ? fd : -1;
}

static bool is_alive(const struct conn *c)
{
    return c->state == CONN_CONNECTING || c->state == CONN_OPEN;
}

/* The end */

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;

    if (c->must_tell) {
        c->must_tell = false;
        c->h->closed(c->arg, c->sys);
    }
    tls_free(c->tls);
    buf_done(&c->plain_wait);
    buf_done(&c->out);
    buf_done(&c->flying);
    free(c);
}

static void end(struct conn *c)
{
    if (c->state == CONN_ENDED)
        return;
    c->state = CONN_ENDED;
    loop_timer_free(c->flush);
    c->flush = NULL;
    uv_close(&c->uv.handle, on_closed);
}

static void abandon_conn(struct loop_base *b)
{
    struct conn *c = container_of(b, struct conn, base);

    c->must_tell = false;
    end(c);
}

static void fail(struct conn *c, int sys)
{
    if (!is_alive(c))
        return;
    c->sys = sys;
    c->must_tell = true;
    end(c);
}

/* Writing */

static void start_flying(struct conn *c);
static void flushed(struct conn *c);

static void write_failed(struct conn *c, int sys)
{
    buf_clear(&c->out);
    if (c->state == CONN_FLUSHING) {
        end(c);
        return;
    }
    /* A reply that came before the reset is still to be read, and the end is met behind it. */
    c->write_sys = sys;
    if (c->is_paused || (sys != EPIPE && sys != ECONNRESET))
        fail(c, sys);
}

static void all_sent(struct conn *c)
{
    if (c->state == CONN_FLUSHING) {
        flushed(c);
        return;
    }
    if (c->out.cap > KEEP_MAX)
        buf_done(&c->out);
    if (c->flying.cap > KEEP_MAX)
        buf_done(&c->flying);
    if (c->plain_wait.n == 0 && is_alive(c) && c->h->drained)
        c->h->drained(c->arg);
}

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = container_of(req, struct conn, write_req);

    c->is_writing = false;
    buf_clear(&c->flying);
    if (c->state == CONN_ENDED)
        return;
    if (status < 0)
        write_failed(c, -status);
    else if (c->out.n)
        start_flying(c);
    else
        all_sent(c);
}

static void start_flying(struct conn *c)
{
    struct buf spare = c->flying;

    c->flying = c->out;
    c->out = spare;
    uv_buf_t b = uv_buf_init(c->flying.p, (unsigned)c->flying.n);

    c->is_writing = true;
    int rc = uv_write(&c->write_req, &c->uv.stream, &b, 1, on_written);

    if (rc < 0) {
        c->is_writing = false;
        buf_clear(&c->flying);
        write_failed(c, -rc);
    }
}

/* To the network, as it is. Calls no handler. */
static void send_bytes(struct conn *c, struct str bytes)
{
    if (bytes.n == 0 || c->write_sys || c->state == CONN_ENDED)
        return;
    if (c->state == CONN_CONNECTING || c->is_writing) {
        buf_add_str(&c->out, bytes);
        return;
    }
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)bytes.p, (unsigned)bytes.n);
    int n = uv_try_write(&c->uv.stream, &b, 1);

    if (n < 0 && n != UV_EAGAIN) {
        write_failed(c, -n);
        return;
    }
    bytes = str_sub(bytes, n > 0 ? (size_t)n : 0, bytes.n);
    if (bytes.n == 0)
        return;
    buf_add_str(&c->out, bytes);
    start_flying(c);
}

static void send_tls(struct conn *c)
{
    struct buf *b = &c->loop->cipher;

    buf_clear(b);
    tls_output(c->tls, b);
    send_bytes(c, buf_str(b));
    if (b->cap > 4 * KEEP_MAX)
        buf_done(b);
}

void conn_write(struct conn *c, struct str bytes)
{
    if (!is_alive(c) || bytes.n == 0)
        return;
    if (!c->tls) {
        send_bytes(c, bytes);
    } else if (c->is_tls_up) {
        tls_write(c->tls, bytes);
        send_tls(c);
    } else {
        buf_add_str(&c->plain_wait, bytes);
    }
}

size_t conn_unsent(const struct conn *c)
{
    size_t n = c->plain_wait.n + c->out.n;

    if (c->state != CONN_ENDED && c->is_writing)
        n += uv_stream_get_write_queue_size(&c->uv.stream);
    return n;
}

/* Reading */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *b)
{
    struct conn *c = handle->data;

    (void)suggested;
    /* Without room libuv reads nothing and says UV_ENOBUFS. */
    *b = uv_buf_init(c->loop->read_buf, c->is_paused ? 0 : LOOP_READ_MAX);
}

static void read_ended(struct conn *c, int sys);

static void tls_failed(struct conn *c, const struct tls_facts *facts)
{
    if (c->h->tls_done)
        c->h->tls_done(c->arg, facts);
    fail(c, EPROTO);
}

static void tls_is_up(struct conn *c, const struct tls_facts *facts)
{
    bool had_waiting = c->plain_wait.n > 0;

    c->is_tls_up = true;
    if (had_waiting) {
        tls_write(c->tls, buf_str(&c->plain_wait));
        buf_done(&c->plain_wait);
        send_tls(c);
    }
    if (c->h->tls_done)
        c->h->tls_done(c->arg, facts);
    if (had_waiting && is_alive(c) && !c->is_writing && c->h->drained)
        c->h->drained(c->arg);
}

static void read_tls(struct conn *c, struct str bytes)
{
    struct buf *plain = &c->loop->plain;

    buf_clear(plain);
    enum tls_status st = tls_input(c->tls, bytes, plain);

    send_tls(c);
    if (!c->is_tls_up && is_alive(c)) {
        struct tls_facts facts;

        tls_facts(c->tls, &facts);
        if (facts.state == TLS_ENCRYPTED || facts.state == TLS_VERIFIED)
            tls_is_up(c, &facts);
        else if (facts.state == TLS_FAILED)
            tls_failed(c, &facts);
    }
    if (plain->n && is_alive(c) && c->h->data)
        c->h->data(c->arg, buf_str(plain));
    if (st == TLS_STATUS_ERROR)
        fail(c, EPROTO);
    else if (st == TLS_STATUS_CLOSED && is_alive(c))
        read_ended(c, 0);
}

static void begin_flush(struct conn *c);

static void read_ended(struct conn *c, int sys)
{
    uv_read_stop(&c->uv.stream);
    c->is_reading = false;
    if (c->tls && !c->is_tls_up) {
        struct tls_facts facts = {.state = TLS_FAILED};

        snprintf(facts.why, sizeof(facts.why), "%s",
                 sys ? uv_strerror(-sys) : "the connection ended during the handshake");
        if (c->h->tls_done)
            c->h->tls_done(c->arg, &facts);
    }
    if (!is_alive(c))
        return;
    if (sys || c->write_sys || conn_unsent(c) == 0) {
        fail(c, sys ? sys : c->write_sys);
        return;
    }
    /* The peer has said all it had to say, and may still be listening. */
    c->state = CONN_ENDED;
    c->h->closed(c->arg, 0);
    c->state = CONN_OPEN;
    begin_flush(c);
}

/* libuv takes a hang-up behind a short read for an orderly end, also when it was a reset. */
static int end_errno(const struct conn *c)
{
    int sys = 0;
    socklen_t n = sizeof(sys);

    if (getsockopt(stream_fd(&c->uv), SOL_SOCKET, SO_ERROR, &sys, &n) != 0)
        return 0;
    return sys;
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = s->data;

    if (n == 0 || c->state == CONN_ENDED)
        return;
    if (n == UV_ENOBUFS) {
        uv_read_stop(s);
        c->is_reading = false;
    } else if (c->state == CONN_FLUSHING) {
        if (n < 0)
            end(c);
    } else if (n < 0) {
        read_ended(c, n == UV_EOF ? end_errno(c) : (int)-n);
    } else if (c->tls) {
        read_tls(c, (struct str){b->base, (size_t)n});
    } else if (c->h->data) {
        c->h->data(c->arg, (struct str){b->base, (size_t)n});
    }
}

static void start_reading(struct conn *c)
{
    if (c->is_reading || c->state == CONN_CONNECTING || c->state == CONN_ENDED)
        return;
    int rc = uv_read_start(&c->uv.stream, on_alloc, on_read);

    if (rc < 0)
        fail(c, -rc);
    else
        c->is_reading = true;
}

/* A pause stops the watching only when something comes: most are over before (a client waits for the
 * reply to its final dot), and cost no system call then. */
void conn_pause(struct conn *c, bool is_paused)
{
    c->is_paused = is_paused;
    if (is_alive(c) && !is_paused)
        start_reading(c);
}

/* Closing */

static void flush_is_over(void *arg)
{
    end(arg);
}

static void start_flush_timer(struct conn *c)
{
    if (c->flush)
        return;
    c->flush = loop_timer_new(c->loop, flush_is_over, c);
    loop_timer_start(c->flush, FLUSH_MS);
}

static void flushed(struct conn *c)
{
    int fd = stream_fd(&c->uv);

    /* Nothing more to come, or nobody to lose a reply: no reason to linger. */
    if (!c->is_accepted || !c->is_reading || fd < 0 || shutdown(fd, SHUT_WR) != 0)
        end(c);
    else
        start_flush_timer(c);
}

static void begin_flush(struct conn *c)
{
    bool had_eof = !c->is_reading && !c->is_paused;

    c->state = CONN_FLUSHING;
    c->is_paused = false;
    buf_clear(&c->plain_wait);
    if (c->tls && c->is_tls_up) {
        tls_close_notify(c->tls);
        send_tls(c);
    }
    if (c->state == CONN_ENDED)
        return;
    if (!had_eof && c->is_accepted)
        start_reading(c);
    if (c->is_writing)
        start_flush_timer(c);
    else
        flushed(c);
}

void conn_close(struct conn *c, bool flush)
{
    c->must_tell = false;
    if (!is_alive(c))
        return;
    if (flush && c->state == CONN_OPEN && !c->write_sys)
        begin_flush(c);
    else
        end(c);
}

/* Opening */

static struct conn *conn_new(struct loop *l)
{
    struct conn *c = xnew(struct conn);

    c->base.abandon = abandon_conn;
    c->loop = l;
    return c;
}

static void on_connect(uv_connect_t *req, int status)
{
    struct conn *c = container_of(req, struct conn, connect_req);

    if (c->state != CONN_CONNECTING)
        return;
    if (status < 0) {
        fail(c, -status);
        return;
    }
    c->state = CONN_OPEN;
    if (c->out.n)
        start_flying(c);
    if (!c->is_paused)
        start_reading(c);
    if (c->state == CONN_OPEN && c->h->connected)
        c->h->connected(c->arg);
}

/* Bound without a port, so that ports are chosen per destination and do not run out early. */
static int bind_source(int fd, const struct ip *source)
{
    struct sockaddr_storage ss;
    socklen_t n = stream_to_sockaddr(source, 0, &ss);
    int on = 1;

    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(fd, (struct sockaddr *)&ss, n) == 0 ? 0 : errno;
}

static int start_connect(struct conn *c, const struct ip *ip, uint16_t port,
                         const struct ip *source)
{
    struct sockaddr_storage ss;
    int rc = 0;

    stream_to_sockaddr(ip, port, &ss);
    uv_tcp_nodelay(&c->uv.tcp, 1);
    if (source && source->family) {
        if (source->family != ip->family)
            return EAFNOSUPPORT;
        rc = bind_source(stream_fd(&c->uv), source);
    }
    if (rc == 0)
        rc = -uv_tcp_connect(&c->connect_req, &c->uv.tcp, (struct sockaddr *)&ss, on_connect);
    return rc;
}

struct conn *conn_connect(struct loop *l, const struct ip *ip, uint16_t port,
                          const struct ip *source, const struct conn_handlers *h, void *arg)
{
    struct conn *c = conn_new(l);
    int rc = uv_tcp_init_ex(&l->uv, &c->uv.tcp, ip->family == 6 ? AF_INET6 : AF_INET);

    c->h = h;
    c->arg = arg;
    if (rc != 0) {
        /* No descriptor left: a handle without one, only to be told about it in time. */
        verify(uv_tcp_init(&l->uv, &c->uv.tcp) == 0);
        c->uv.handle.data = c;
        fail(c, -rc);
        return c;
    }
    c->uv.handle.data = c;
    rc = start_connect(c, ip, port, source);
    if (rc != 0)
        fail(c, rc);
    return c;
}

void conn_start_tls(struct conn *c, struct tls_ctx *ctx, const struct tls_want *w)
{
    if (!is_alive(c) || c->tls)
        return;
    /* What was read before has gone to the handler, and its rest dies there: nothing is kept here
     * that could slip into the session (CVE-2011-0411). */
    c->tls = tls_client_new(ctx, w);
    send_tls(c);
}

void conn_accept_tls(struct conn *c, struct tls_ctx *ctx)
{
    if (!is_alive(c) || c->tls)
        return;
    c->tls = tls_server_new(ctx);
}

void conn_set_handlers(struct conn *c, const struct conn_handlers *h, void *arg)
{
    c->h = h;
    c->arg = arg;
}

bool conn_local(const struct conn *c, struct ip *ip, uint16_t *port)
{
    struct sockaddr_storage ss;
    int n = sizeof(ss);

    if (!is_alive(c) || c->uv.handle.type != UV_TCP ||
        uv_tcp_getsockname(&c->uv.tcp, (struct sockaddr *)&ss, &n) != 0)
        return false;
    return stream_from_sockaddr(&ss, ip, port);
}

/* Taken from a listener */

static void fill_peer(const struct conn *c, struct peer *p)
{
    memset(p, 0, sizeof(*p));
    if (c->uv.handle.type == UV_TCP) {
        struct sockaddr_storage ss;
        int n = sizeof(ss);

        if (uv_tcp_getpeername(&c->uv.tcp, (struct sockaddr *)&ss, &n) == 0)
            stream_from_sockaddr(&ss, &p->ip, &p->port);
        return;
    }
    struct ucred cred;
    socklen_t n = sizeof(cred);

    /* A uid that is not known is nobody's, not root's. */
    p->uid = UINT32_MAX;
    if (getsockopt(stream_fd(&c->uv), SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0) {
        p->uid = cred.uid;
        p->pid = (uint32_t)cred.pid;
    }
}

struct conn *conn_accept(struct loop *l, uv_stream_t *listening, bool is_unix, struct peer *peer)
{
    struct conn *c = conn_new(l);

    if (is_unix)
        verify(uv_pipe_init(&l->uv, &c->uv.pipe, 0) == 0);
    else
        verify(uv_tcp_init(&l->uv, &c->uv.tcp) == 0);
    c->uv.handle.data = c;
    c->is_accepted = true;
    c->state = CONN_OPEN;
    if (uv_accept(listening, &c->uv.stream) != 0) {
        end(c);
        return NULL;
    }
    if (!is_unix)
        uv_tcp_nodelay(&c->uv.tcp, 1);
    fill_peer(c, peer);
    return c;
}

void conn_accepted(struct conn *c)
{
    verify(c->h || !is_alive(c));
    if (is_alive(c) && !c->is_paused)
        start_reading(c);
}
