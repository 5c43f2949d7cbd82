/* SPDX-License-Identifier: ISC */
/*
 * A name server for unit tests, on the test's own loop: UDP and TCP on one port of 127.0.0.1. What
 * it says is decided by a function of the test. It does not imitate caching, recursion or EDNS.
 */
#ifndef TESTS_DNS_SERVER_H
#define TESTS_DNS_SERVER_H

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/net/conn.h"
#include "core/net/dnswire.h"

struct dns_reply {
    unsigned rcode;
    bool is_authentic, is_silent;
    struct dns_record records[DNS_RECORDS_MAX];
    const char *owners[DNS_RECORDS_MAX];
    size_t n;
    uint32_t soa_ttl_s;
    int id_offset;       /* a wrong id */
    const char *garbage; /* sent instead */
};

struct dns_server {
    int fd;
    uint16_t port;
    struct loop_watch *watch;
    struct listener *tcp;
    unsigned udp_n, tcp_n; /* queries seen */
    bool last_has_opt;
    bool last_wants_ad;
    /* Fill *r, which is empty. */
    void (*answer)(struct dns_server *s, const struct dns_question *q, struct dns_reply *r);
};

UNUSED static struct dns_record *dns_reply_add(struct dns_reply *r, const char *owner,
                                               unsigned type, uint32_t ttl_s, const char *value)
{
    struct dns_record *rec = &r->records[r->n];

    r->owners[r->n++] = owner;
    rec->type = type;
    rec->ttl_s = ttl_s;
    if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) {
        verify(ip_parse(str_of(value), &rec->ip));
    } else if (type == DNS_TYPE_TXT) {
        rec->text = (char *)(uintptr_t)value;
        rec->text_n = strlen(value);
    } else {
        str_copy(str_of(value), rec->name, sizeof(rec->name));
    }
    return rec;
}

/* False: say nothing. */
static bool dns_server_reply(struct dns_server *s, struct str query, size_t max, struct buf *out)
{
    struct dns_question q;
    struct dns_reply *r = calloc(1, sizeof(*r));

    verify(r && dnswire_question(query, &q));
    s->last_has_opt = query.p[11] == 1;
    s->last_wants_ad = query.p[3] & 0x20;
    s->answer(s, &q, r);
    q.id = (uint16_t)(q.id + r->id_offset);
    if (r->garbage)
        buf_add_z(out, r->garbage);
    else
        dnswire_write(out, &q, r->rcode, r->is_authentic, r->records, r->owners, r->n, r->soa_ttl_s,
                      max);
    bool speaks = !r->is_silent;

    free(r);
    return speaks;
}

static void dns_server_on_udp(void *arg, int events)
{
    struct dns_server *s = arg;
    char query[2048];
    struct sockaddr_in from;
    socklen_t from_n = sizeof(from);
    struct buf out = BUF_INIT;

    (void)events;
    ssize_t n = recvfrom(s->fd, query, sizeof(query), 0, (struct sockaddr *)&from, &from_n);

    if (n <= 0)
        return;
    s->udp_n++;
    if (dns_server_reply(s, (struct str){query, (size_t)n}, 1232, &out))
        verify(sendto(s->fd, out.p, out.n, 0, (struct sockaddr *)&from, from_n) >= 0);
    buf_done(&out);
}

struct dns_tcp {
    struct dns_server *server;
    struct conn *conn;
    struct buf in;
};

static void dns_server_on_tcp(void *arg, struct str bytes)
{
    struct dns_tcp *t = arg;
    struct buf out = BUF_INIT;

    buf_add_str(&t->in, bytes);
    while (t->in.n >= 2) {
        size_t n = (size_t)(uint8_t)t->in.p[0] << 8 | (uint8_t)t->in.p[1];

        if (t->in.n < 2 + n)
            break;
        t->server->tcp_n++;
        buf_clear(&out);
        if (dns_server_reply(t->server, (struct str){t->in.p + 2, n}, 65535, &out)) {
            char len[2] = {(char)(out.n >> 8), (char)out.n};

            conn_write(t->conn, (struct str){len, 2});
            conn_write(t->conn, buf_str(&out));
        }
        buf_drop(&t->in, 2 + n);
    }
    buf_done(&out);
}

static void dns_server_tcp_closed(void *arg, int sys)
{
    struct dns_tcp *t = arg;

    (void)sys;
    buf_done(&t->in);
    free(t);
}

static const struct conn_handlers dns_server_tcp_handlers = {
    .data = dns_server_on_tcp,
    .closed = dns_server_tcp_closed,
};

static void dns_server_accept(void *arg, struct conn *c, const struct peer *p)
{
    struct dns_tcp *t = calloc(1, sizeof(*t));

    (void)p;
    verify(t);
    t->server = arg;
    t->conn = c;
    conn_set_handlers(c, &dns_server_tcp_handlers, t);
}

static void dns_server_start(struct dns_server *s, struct loop *l,
                             void (*answer)(struct dns_server *s, const struct dns_question *q,
                                            struct dns_reply *r))
{
    const struct ip ip = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct err err;

    memset(s, 0, sizeof(*s));
    s->answer = answer;
    verify(listener_tcp(l, &ip, 0, 16, dns_server_accept, s, &s->tcp, &err) == 0);
    s->port = listener_port(s->tcp);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    in.sin_port = htons(s->port);
    verify(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&in, sizeof(in)) == 0);
    s->watch = loop_watch_new(l, s->fd, dns_server_on_udp, s);
    loop_watch_set(s->watch, LOOP_READ);
}

/* Connections that are open must have ended by then: free the resolver, turn the loop once. */
static void dns_server_stop(struct dns_server *s)
{
    loop_watch_free(s->watch);
    close(s->fd);
    listener_free(s->tcp);
}

#endif
