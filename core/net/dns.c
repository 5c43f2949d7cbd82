/* SPDX-License-Identifier: ISC */
/*
 * Asking resolvers. c-ares carries one query to one server, with our own query bytes (platform.md
 * 6.1); which server is asked next, what an answer means, and the cache are ours.
 *
 * A look-up is a "flight": one for all who ask the same at the same time. A server that answers
 * SERVFAIL or REFUSED, or nonsense, is not asked again in this flight; one that is silent is asked
 * tries times. A CNAME whose target is not in the answer starts the round again for the target.
 * Every result passes through the ready list and a timer of zero: so no callback comes from within
 * dns_ask or from within c-ares, and a callback may do anything, dns_free included.
 *
 * There are several channels to a server, used in turn: each has its own socket and source port,
 * because c-ares 1.18 sends all queries that overlap on a channel from one port.
 */
#include "core/net/dns.h"

#include <ares.h>
#include <netdb.h>
#include <arpa/inet.h>
#include "core/base/alloc.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/rng.h"
#include "core/net/dnscache.h"
#include "core/net/dnswire.h"

#define SERVERS_MAX         16
#define CHANNELS_PER_SERVER 4
#define PREFERENCE_MS       60000 /* how long a silent server is asked last */
#define RCODE_FORMERR       1
#define OPT_N               11

struct channel {
    ares_channel ares; /* own */
    struct dns *dns;
    struct list socks;
};

struct server {
    struct channel channels[CHANNELS_PER_SERVER];
    struct ip ip;
    uint16_t port;
    char text[64];
};

/* A socket of c-ares, watched. */
struct sock {
    struct list link; /* in channel.socks */
    struct channel *channel;
    ares_socket_t fd;
    struct loop_watch *watch; /* own */
};

struct flight {
    struct list link;    /* in dns.flights, .ready or .batch */
    struct list waiters; /* dns_query.link */
    struct dns *dns;
    char key[DNS_KEY_MAX];
    bool is_shared;              /* in dns.in_flight: others may join */
    char name[DNS_NAME_MAX + 1]; /* asked for now: changes along CNAMEs */
    unsigned type;
    unsigned hops;
    unsigned tried;    /* queries sent for this name */
    size_t first;      /* the server that the round began with */
    uint32_t refusing; /* bit per server that answered, without an answer */
    size_t server;     /* asked now */
    bool no_opt;       /* the server understands no EDNS */
    uint32_t chain_ttl_s;
    bool is_chain_authentic;
    struct dns_answer answer; /* the best so far */
};

struct dns_query {
    struct list link; /* in a flight's waiters */
    void (*got)(void *arg, const struct dns_answer *a);
    void *arg;
};

struct dns {
    struct loop *loop; /* borrowed */
    struct server servers[SERVERS_MAX];
    size_t servers_n;
    char *servers_text; /* own */
    bool trust_ad;
    unsigned tries;
    int64_t timeout_ms;
    unsigned turn; /* which channel next */
    size_t preferred;
    int64_t preferred_until_ms;
    struct list flights, ready;
    struct list batch; /* of ready, being delivered */
    struct map in_flight;
    struct dnscache *cache;     /* own; NULL = none */
    struct loop_timer *tick;    /* own: c-ares looks for what has timed out */
    struct loop_timer *deliver; /* own */
    bool is_ticking;
    bool is_delivering, is_freed;
};

/* Flights */

static void flight_free(struct flight *f)
{
    struct list *it;

    while ((it = list_pop_front(&f->waiters)))
        free(list_entry(it, struct dns_query, link));
    list_remove(&f->link);
    dns_answer_done(&f->answer);
    free(f);
}

static void make_ready(struct flight *f)
{
    struct dns *d = f->dns;

    if (f->is_shared)
        map_remove(&d->in_flight, str_of(f->key));
    f->is_shared = false;
    list_remove(&f->link);
    list_push_back(&d->ready, &f->link);
    loop_timer_start(d->deliver, 0);
}

static void flight_done(struct flight *f)
{
    struct dns_answer *a = &f->answer;

    if (f->hops) {
        if (f->chain_ttl_s < a->ttl_s)
            a->ttl_s = f->chain_ttl_s;
        a->is_authentic = a->is_authentic && f->is_chain_authentic;
    }
    if (a->status == DNS_TEMP || a->status == DNS_BAD)
        a->is_authentic = false;
    if (f->dns->cache)
        dnscache_put(f->dns->cache, f->key, a, loop_now_ms(f->dns->loop));
    make_ready(f);
}

static void dns_destroy(struct dns *d);

static void deliver_ready(void *arg)
{
    struct dns *d = arg;
    struct list *it;

    /* What the callbacks make ready waits for the next turn, so that sockets get theirs. */
    while ((it = list_pop_front(&d->ready)))
        list_push_back(&d->batch, it);
    d->is_delivering = true;
    while (!list_empty(&d->batch)) {
        struct flight *f = list_entry(d->batch.next, struct flight, link);

        while ((it = list_pop_front(&f->waiters))) {
            struct dns_query q = *list_entry(it, struct dns_query, link);

            free(list_entry(it, struct dns_query, link));
            q.got(q.arg, &f->answer);
        }
        flight_free(f);
    }
    d->is_delivering = false;
    if (d->is_freed)
        dns_destroy(d);
}

static void start_ticking(struct dns *d)
{
    int64_t every_ms = d->timeout_ms / 10;

    if (d->is_ticking)
        return;
    d->is_ticking = true;
    loop_timer_start(d->tick, every_ms < 10 ? 10 : every_ms > 100 ? 100 : every_ms);
}

static void send_next(struct flight *f);

static void on_tick(void *arg)
{
    struct dns *d = arg;

    d->is_ticking = false;
    for (size_t i = 0; i < d->servers_n; i++)
        for (size_t k = 0; k < CHANNELS_PER_SERVER; k++)
            ares_process_fd(d->servers[i].channels[k].ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (!list_empty(&d->flights))
        start_ticking(d);
}

/* Keep the failure that says more: a server's rcode over a malformed answer over silence. */
static void keep_failure(struct flight *f, const struct dns_answer *a)
{
    bool is_better = a->rcode || (!f->answer.rcode && !a->is_timeout);

    if (!is_better && f->answer.server[0])
        return;
    dns_answer_done(&f->answer);
    dnscache_copy(&f->answer, a);
}

static void keep_chain(struct flight *f, const struct dns_answer *a)
{
    if (f->hops == 0 || a->ttl_s < f->chain_ttl_s)
        f->chain_ttl_s = a->ttl_s;
    f->is_chain_authentic = (f->hops == 0 || f->is_chain_authentic) && a->is_authentic;
    f->hops++;
    str_copy(str_of(a->final_name), f->name, sizeof(f->name));
    f->tried = 0;
    f->refusing = 0;
}

/* a is taken. */
static void flight_answer(struct flight *f, struct dns_answer *a)
{
    if (a->status == DNS_TEMP || a->status == DNS_BAD) {
        if (!a->is_timeout)
            f->refusing |= UINT32_C(1) << f->server;
        keep_failure(f, a);
        dns_answer_done(a);
        send_next(f);
        return;
    }
    if (a->status == DNS_NODATA && strcmp(a->final_name, f->name) != 0) {
        keep_chain(f, a);
        dns_answer_done(a);
        if (f->hops <= DNS_CNAME_HOPS_MAX) {
            send_next(f);
            return;
        }
        a->status = DNS_BAD;
    }
    dns_answer_done(&f->answer);
    f->answer = *a;
    flight_done(f);
}

static void server_is_silent(struct dns *d, size_t server)
{
    if (server != d->preferred || d->servers_n < 2)
        return;
    d->preferred = (server + 1) % d->servers_n;
    d->preferred_until_ms = loop_now_ms(d->loop) + PREFERENCE_MS;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *wire, int n)
{
    struct flight *f = arg;
    struct dns *d = f->dns;
    struct dns_answer a = {.status = DNS_TEMP};
    bool is_truncated = false;

    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    if (status == ARES_SUCCESS && wire && n > 0)
        dnswire_answer((struct str){(const char *)wire, (size_t)n}, f->name, f->type, &a,
                       &is_truncated);
    else
        str_copy(str_of(f->name), a.final_name, sizeof(a.final_name));
    str_copy(str_of(d->servers[f->server].text), a.server, sizeof(a.server));
    a.is_authentic = a.is_authentic && d->trust_ad;
    a.is_timeout = status == ARES_ETIMEOUT;
    if (a.is_timeout)
        server_is_silent(d, f->server);
    /* RFC 6891 7: a server from before EDNS. */
    if (a.status == DNS_TEMP && a.rcode == RCODE_FORMERR && !f->no_opt) {
        f->no_opt = true;
        f->tried--;
        dns_answer_done(&a);
        send_next(f);
        return;
    }
    flight_answer(f, &a);
}

static bool choose_server(struct flight *f)
{
    struct dns *d = f->dns;

    if (d->preferred && loop_now_ms(d->loop) >= d->preferred_until_ms)
        d->preferred = 0;
    if (f->tried == 0)
        f->first = d->preferred;
    for (; f->tried < d->tries * d->servers_n; f->tried++) {
        f->server = (f->first + f->tried) % d->servers_n;
        if (!(f->refusing & UINT32_C(1) << f->server))
            return true;
    }
    return false;
}

static void send_next(struct flight *f)
{
    struct dns *d = f->dns;
    uint8_t wire[512];
    uint16_t id;

    if (!choose_server(f)) {
        flight_done(f);
        return;
    }
    f->tried++;
    rng_bytes(&id, sizeof(id));
    size_t n = dnswire_query(wire, id, f->name, f->type);

    if (n == 0) {
        /* What cannot be asked does not exist. */
        f->answer.status = DNS_NXDOMAIN;
        str_copy(str_of(f->name), f->answer.final_name, sizeof(f->answer.final_name));
        flight_done(f);
        return;
    }
    if (f->no_opt) {
        n -= OPT_N;
        wire[11] = 0; /* ARCOUNT */
    }
    struct channel *channel = &d->servers[f->server].channels[d->turn++ % CHANNELS_PER_SERVER];

    start_ticking(d);
    ares_send(channel->ares, wire, (int)n, on_answer, f);
}

/* Asking */

static struct flight *flight_new(struct dns *d, const char *key, const char *name, unsigned type)
{
    struct flight *f = xnew(struct flight);

    f->dns = d;
    f->type = type;
    f->answer.status = DNS_TEMP;
    list_init(&f->link);
    list_init(&f->waiters);
    str_copy(str_of(key), f->key, sizeof(f->key));
    str_copy(str_of(name), f->name, sizeof(f->name));
    return f;
}

/* Lower case, no trailing dot: one key for one question. What is cut is too long to be asked. */
static void normal_name(const char *name, char out[DNS_NAME_MAX + 1])
{
    str_copy(str_of(name), out, DNS_NAME_MAX + 1);
    size_t n = strlen(out);

    if (n && out[n - 1] == '.')
        out[n - 1] = '\0';
    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
}

/* The flight that will bring the answer. */
static struct flight *find_flight(struct dns *d, const char *name, unsigned type)
{
    char plain[DNS_NAME_MAX + 1], key[DNS_KEY_MAX];

    normal_name(name, plain);
    snprintf(key, sizeof(key), "%u %s", type, plain);
    struct flight *f = map_get(&d->in_flight, str_of(key));

    if (f)
        return f;
    f = flight_new(d, key, plain, type);
    if (d->cache && dnscache_get(d->cache, key, loop_now_ms(d->loop), &f->answer)) {
        make_ready(f);
        return f;
    }
    f->is_shared = true;
    map_put(&d->in_flight, str_of(key), f);
    list_push_back(&d->flights, &f->link);
    send_next(f);
    return f;
}

struct dns_query *dns_ask(struct dns *d, const char *name, unsigned type,
                          void (*got)(void *arg, const struct dns_answer *a), void *arg)
{
    struct dns_query *q = xnew(struct dns_query);

    q->got = got;
    q->arg = arg;
    list_push_back(&find_flight(d, name, type)->waiters, &q->link);
    return q;
}

void dns_cancel(struct dns_query *q)
{
    if (!q)
        return;
    /* The flight goes on: its answer is for the cache. */
    list_remove(&q->link);
    free(q);
}

void dns_flush(struct dns *d)
{
    if (d->cache)
        dnscache_flush(d->cache);
}

const char *dns_servers(const struct dns *d)
{
    return d->servers_text;
}

/* c-ares and the loop */

static void on_sock(void *arg, int events)
{
    struct sock *s = arg;

    ares_process_fd(s->channel->ares, events & LOOP_READ ? s->fd : ARES_SOCKET_BAD,
                    events & LOOP_WRITE ? s->fd : ARES_SOCKET_BAD);
}

static void sock_free(struct sock *s)
{
    list_remove(&s->link);
    loop_watch_free(s->watch);
    free(s);
}

static struct sock *sock_get(struct channel *c, ares_socket_t fd)
{
    list_for_each (it, &c->socks)
        if (list_entry(it, struct sock, link)->fd == fd)
            return list_entry(it, struct sock, link);
    struct sock *s = xnew(struct sock);

    s->channel = c;
    s->fd = fd;
    s->watch = loop_watch_new(c->dns->loop, fd, on_sock, s);
    list_push_back(&c->socks, &s->link);
    return s;
}

/* c-ares says what it waits for; neither, before it closes the socket. */
static void on_sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct sock *s = sock_get(arg, fd);

    if (!readable && !writable)
        sock_free(s);
    else if (s->watch)
        loop_watch_set(s->watch, (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0));
}

static int channel_open(struct dns *d, struct server *server, struct channel *c)
{
    struct ares_options o = {
        /* The rcode is ours to read; EDNS only lets answers of more than 512 octets through. */
        .flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = (int)d->timeout_ms,
        .tries = 1,
        .ednspsz = 1232,
        .lookups = (char[]){"b"},
        .resolvconf_path = (char[]){"/dev/null"},
        .sock_state_cb = on_sock_state,
        .sock_state_cb_data = c,
    };
    struct ares_addr_port_node node = {
        .family = server->ip.family == 6 ? AF_INET6 : AF_INET,
        .udp_port = server->port,
        .tcp_port = server->port,
    };

    c->dns = d;
    list_init(&c->socks);
    memcpy(&node.addr, server->ip.bytes, server->ip.family == 6 ? 16 : 4);
    int rc =
        ares_init_options(&c->ares, &o,
                          ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
                              ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB);

    if (rc != ARES_SUCCESS) {
        c->ares = NULL;
        return rc;
    }
    return ares_set_servers_ports(c->ares, &node);
}

static void add_server(struct dns *d, const struct ip *ip, uint16_t port)
{
    char text[48];

    if (d->servers_n == SERVERS_MAX)
        return;
    struct server *s = &d->servers[d->servers_n++];

    s->ip = *ip;
    s->port = port ? port : 53;
    snprintf(s->text, sizeof(s->text), ip->family == 6 ? "[%s]:%u" : "%s:%u", ip_text(ip, text),
             s->port);
}

/* Those of /etc/resolv.conf; without one, c-ares takes 127.0.0.1, as the C library does. */
static int add_system_servers(struct dns *d)
{
    ares_channel channel;
    struct ares_addr_port_node *nodes = NULL;
    int rc = ares_init(&channel);

    if (rc != ARES_SUCCESS)
        return rc;
    rc = ares_get_servers_ports(channel, &nodes);
    for (struct ares_addr_port_node *n = nodes; n; n = n->next) {
        struct ip ip = {.family = n->family == AF_INET6 ? 6 : 4};

        memcpy(ip.bytes, &n->addr, ip.family == 6 ? 16 : 4);
        add_server(d, &ip, (uint16_t)n->udp_port);
    }
    if (nodes)
        ares_free_data(nodes);
    ares_destroy(channel);
    return rc;
}

static void name_servers(struct dns *d)
{
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < d->servers_n; i++)
        buf_printf(&text, "%s%s", i ? " " : "", d->servers[i].text);
    d->servers_text = buf_take(&text);
}

static int open_channels(struct dns *d)
{
    int rc = ARES_SUCCESS;

    for (size_t i = 0; i < d->servers_n; i++)
        for (size_t k = 0; k < CHANNELS_PER_SERVER && rc == ARES_SUCCESS; k++)
            rc = channel_open(d, &d->servers[i], &d->servers[i].channels[k]);
    return rc;
}

int dns_new(struct loop *l, const struct dns_conf *c, struct dns **out, struct err *err)
{
    struct dns *d = xnew(struct dns);
    int rc = ares_library_init(ARES_LIB_INIT_ALL);
    uint64_t seed;

    d->loop = l;
    d->trust_ad = c->trust_ad;
    d->cache = c->no_cache ? NULL : dnscache_new();
    d->tries = c->tries ? c->tries : 2;
    d->timeout_ms = c->timeout_ms ? c->timeout_ms : 5000;
    list_init(&d->flights);
    list_init(&d->ready);
    list_init(&d->batch);
    rng_bytes(&seed, sizeof(seed));
    map_init(&d->in_flight, seed);
    d->tick = loop_timer_new(l, on_tick, d);
    d->deliver = loop_timer_new(l, deliver_ready, d);
    for (size_t i = 0; i < c->servers_n; i++)
        add_server(d, &c->servers[i].ip, c->servers[i].port);
    if (rc == ARES_SUCCESS && d->servers_n == 0)
        rc = add_system_servers(d);
    name_servers(d);
    if (rc == ARES_SUCCESS)
        rc = open_channels(d);
    if (rc != ARES_SUCCESS || d->servers_n == 0) {
        dns_free(d);
        return err_set(err, E_NET, "setting up the resolver: %s",
                       rc ? ares_strerror(rc) : "no name server is configured");
    }
    *out = d;
    return 0;
}

static void drop_waiters(struct list *flights)
{
    list_for_each (it, flights) {
        struct flight *f = list_entry(it, struct flight, link);
        struct list *q;

        while ((q = list_pop_front(&f->waiters)))
            free(list_entry(q, struct dns_query, link));
    }
}

static void free_flights(struct list *flights)
{
    list_for_each_safe (it, flights)
        flight_free(list_entry(it, struct flight, link));
}

static void dns_destroy(struct dns *d)
{
    for (size_t i = 0; i < d->servers_n; i++)
        for (size_t k = 0; k < CHANNELS_PER_SERVER; k++)
            if (d->servers[i].channels[k].ares)
                ares_destroy(d->servers[i].channels[k].ares);
    free_flights(&d->flights);
    free_flights(&d->ready);
    map_done(&d->in_flight);
    dnscache_free(d->cache);
    loop_timer_free(d->tick);
    loop_timer_free(d->deliver);
    free(d->servers_text);
    free(d);
    ares_library_cleanup();
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    drop_waiters(&d->flights);
    drop_waiters(&d->ready);
    drop_waiters(&d->batch);
    d->is_freed = true;
    if (!d->is_delivering)
        dns_destroy(d);
}
