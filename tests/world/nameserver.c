/* SPDX-License-Identifier: ISC */
/* Queries over UDP are answered from one socket; over TCP (after TC) with a length before each. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/net/conn.h"
#include "tests/world/nameserver.h"
#include "tests/world/zone.h"

#define UDP_MAX 1232 /* the EDNS size that everybody has agreed on since 2020 */
#define TCP_MAX 65535

struct nameserver {
    struct loop *loop;
    struct world *world;
    int fd;
    struct loop_watch *watch;
    struct listener *tcp;
    struct list late;  /* answers that are due later */
    struct list lines; /* TCP connections */
};

struct late {
    struct list link;
    struct nameserver *n;
    struct loop_timer *timer;
    struct sockaddr_storage to;
    socklen_t to_n;
    struct buf bytes;
};

struct tcp_line {
    struct list link;
    struct nameserver *n;
    struct conn *conn;
    struct buf in;
};

static void send_udp(const struct nameserver *n, const struct sockaddr_storage *to, socklen_t to_n,
                     struct str bytes)
{
    /* A datagram that does not go is a datagram that was lost. */
    ssize_t sent = sendto(n->fd, bytes.p, bytes.n, MSG_DONTWAIT, (const struct sockaddr *)to, to_n);
    (void)sent;
}

static void late_free(struct late *l)
{
    list_remove(&l->link);
    loop_timer_free(l->timer);
    buf_done(&l->bytes);
    free(l);
}

static void late_fire(void *arg)
{
    struct late *l = arg;
    send_udp(l->n, &l->to, l->to_n, buf_str(&l->bytes));
    late_free(l);
}

static void answer_udp(struct nameserver *n, struct str query, const struct sockaddr_storage *from,
                       socklen_t from_n)
{
    struct buf out = BUF_INIT;
    int64_t delay;
    if (!zone_ask_wire(n->world, query, UDP_MAX, &out, &delay)) {
        buf_done(&out);
        return;
    }
    if (delay == 0) {
        send_udp(n, from, from_n, buf_str(&out));
        buf_done(&out);
        return;
    }
    struct late *l = xnew(struct late);
    l->n = n;
    l->to = *from;
    l->to_n = from_n;
    l->bytes = out;
    l->timer = loop_timer_new(n->loop, late_fire, l);
    list_push_back(&n->late, &l->link);
    loop_timer_start(l->timer, delay);
}

static void on_readable(void *arg, int events)
{
    struct nameserver *n = arg;
    char query[4096];
    (void)events;
    for (;;) {
        struct sockaddr_storage from;
        socklen_t from_n = sizeof(from);
        ssize_t got =
            recvfrom(n->fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&from, &from_n);
        if (got < 0)
            return;
        answer_udp(n, (struct str){query, (size_t)got}, &from, from_n);
    }
}

static void tcp_free(struct tcp_line *t)
{
    list_remove(&t->link);
    buf_done(&t->in);
    free(t);
}

static void on_tcp_closed(void *arg, int sys)
{
    (void)sys;
    tcp_free(arg);
}

static void on_tcp_data(void *arg, struct str bytes)
{
    struct tcp_line *t = arg;
    buf_add_str(&t->in, bytes);
    while (t->in.n >= 2) {
        const uint8_t *p = (const uint8_t *)t->in.p;
        size_t need = (size_t)(p[0] << 8 | p[1]);
        struct buf out = BUF_INIT;
        int64_t delay;
        if (t->in.n < need + 2)
            return;
        if (zone_ask_wire(t->n->world, str_sub(buf_str(&t->in), 2, need + 2), TCP_MAX, &out,
                          &delay)) {
            char len[2] = {(char)(out.n >> 8), (char)(out.n & 0xff)};
            conn_write(t->conn, (struct str){len, 2});
            conn_write(t->conn, buf_str(&out));
        }
        buf_done(&out);
        buf_drop(&t->in, need + 2);
    }
}

static const struct conn_handlers tcp_handlers = {.data = on_tcp_data, .closed = on_tcp_closed};

static void on_tcp_accept(void *arg, struct conn *c, const struct peer *p)
{
    struct nameserver *n = arg;
    struct tcp_line *t = xnew(struct tcp_line);
    (void)p;
    t->n = n;
    t->conn = c;
    list_push_back(&n->lines, &t->link);
    conn_set_handlers(c, &tcp_handlers, t);
}

static socklen_t socket_address(const struct endpoint *at, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (at->ip.family == 6) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;
        a->sin6_family = AF_INET6;
        a->sin6_port = htons(at->port);
        memcpy(&a->sin6_addr, at->ip.bytes, 16);
        return sizeof(*a);
    }
    struct sockaddr_in *a = (struct sockaddr_in *)out;
    a->sin_family = AF_INET;
    a->sin_port = htons(at->port);
    memcpy(&a->sin_addr, at->ip.bytes, 4);
    return sizeof(*a);
}

static int bind_udp(struct nameserver *n, const struct endpoint *at, struct err *err)
{
    struct sockaddr_storage a;
    socklen_t a_n = socket_address(at, &a);
    char text[300];
    n->fd = socket(a.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (n->fd < 0 || bind(n->fd, (struct sockaddr *)&a, a_n) < 0)
        return err_sys(err, E_NET, errno, "answering DNS on %s", endpoint_text(at, text));
    n->watch = loop_watch_new(n->loop, n->fd, on_readable, n);
    loop_watch_set(n->watch, LOOP_READ);
    return 0;
}

int nameserver_new(struct loop *l, struct world *w, const struct endpoint *at,
                   struct nameserver **out, struct err *err)
{
    struct nameserver *n = xnew(struct nameserver);
    n->loop = l;
    n->world = w;
    n->fd = -1;
    list_init(&n->late);
    list_init(&n->lines);
    int rc = bind_udp(n, at, err);
    if (!rc)
        rc = listener_tcp(l, &at->ip, at->port, 16, on_tcp_accept, n, &n->tcp, err);
    if (rc) {
        nameserver_free(n);
        return rc;
    }
    *out = n;
    return 0;
}

void nameserver_free(struct nameserver *n)
{
    if (!n)
        return;
    while (!list_empty(&n->late))
        late_free(list_entry(n->late.next, struct late, link));
    while (!list_empty(&n->lines)) {
        struct tcp_line *t = list_entry(n->lines.next, struct tcp_line, link);
        conn_close(t->conn, false);
        tcp_free(t);
    }
    listener_free(n->tcp);
    loop_watch_free(n->watch);
    if (n->fd >= 0)
        close(n->fd);
    free(n);
}
