/* SPDX-License-Identifier: ISC */
/*
 * worldd: the scripted internet over real sockets, for try.sh and by hand.
 *
 *   worldd --plan FILE                        what the kernel has to do for each address (try.sh)
 *   worldd [--dns ADDRESS:PORT] [--port N] FILE
 *
 * It listens on every host's addresses (which must be there: a namespace, or loopback) and prints
 * "ready", then one line for each message that was taken. Connect rules are not its business: an
 * address that is refused has no listener, and the rest is routing (README.md).
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/net/conn.h"
#include "core/net/loop.h"
#include "tests/world/host.h"
#include "tests/world/nameserver.h"

struct daemon {
    struct loop *loop;
    struct world world;
    struct tls_ctx *tls; /* own */
    uint16_t port;
    struct list doors; /* listeners */
    struct list lines; /* sessions */
    size_t told;       /* mails printed so far */
};

struct door {
    struct list link;
    struct daemon *d;
    struct world_host *host;
    struct listener *listener; /* own */
};

struct line {
    struct list link;
    struct daemon *d;
    struct conn *conn;            /* own */
    struct host_session *session; /* own */
    struct loop_timer *timer;     /* own */
};

static void line_free(struct line *l)
{
    list_remove(&l->link);
    loop_timer_free(l->timer);
    host_free(l->session);
    free(l);
}

static void tell_mails(struct daemon *d)
{
    size_t i = 0;
    list_for_each (at, &d->world.mails) {
        const struct world_mail *m = list_entry(at, struct world_mail, link);
        if (i++ < d->told)
            continue;
        printf("mail host=%s client=%s from=<%s> rcpts=%zu first=<%s> size=%llu hash=%016llx%s\n",
               m->host->name, m->client, m->from, m->rcpts_n, m->rcpts[0],
               (unsigned long long)m->size_bytes, (unsigned long long)m->hash,
               m->is_tls ? " tls" : "");
    }
    d->told = i;
    if (d->world.violations_n > 0) {
        printf("violation %s", buf_text(&d->world.violations));
        buf_clear(&d->world.violations);
        d->world.violations_n = 0;
    }
    fflush(stdout);
}

/* Send and do what the session wants; the line may be gone afterwards. */
static void pump(struct line *l)
{
    struct str out = host_output(l->session);
    if (out.n > 0) {
        conn_write(l->conn, out);
        host_sent(l->session, out.n);
    }
    tell_mails(l->d);
    int64_t deadline = host_deadline(l->session);
    if (deadline != INT64_MAX) {
        loop_timer_start(l->timer, deadline - loop_now_ms(l->d->loop));
        return;
    }
    loop_timer_stop(l->timer);
    switch (host_wish(l->session)) {
    case HOST_GO_ON: return;
    case HOST_TLS:
        if (!host_tls_fails(l->session)) {
            conn_accept_tls(l->conn, l->d->tls);
            return;
        }
        break;
    default: break;
    }
    conn_close(l->conn, host_wish(l->session) != HOST_RESET);
    line_free(l);
}

static void on_data(void *arg, struct str bytes)
{
    struct line *l = arg;
    host_input(l->session, bytes, loop_now_ms(l->d->loop));
    pump(l);
}

static void on_tls(void *arg, const struct tls_facts *facts)
{
    struct line *l = arg;
    /* A failed handshake is followed by closed. */
    if (facts->state == TLS_FAILED)
        return;
    host_tls_done(l->session, true, loop_now_ms(l->d->loop));
    pump(l);
}

static void on_closed(void *arg, int sys)
{
    (void)sys;
    line_free(arg);
}

static void on_timer(void *arg)
{
    struct line *l = arg;
    host_tick(l->session, loop_now_ms(l->d->loop));
    pump(l);
}

static const struct conn_handlers line_handlers = {
    .data = on_data, .tls_done = on_tls, .closed = on_closed};

static void on_accept(void *arg, struct conn *c, const struct peer *p)
{
    struct door *door = arg;
    struct daemon *d = door->d;
    struct line *l = xnew(struct line);
    l->d = d;
    l->conn = c;
    l->timer = loop_timer_new(d->loop, on_timer, l);
    l->session = host_open(&d->world, door->host, &p->ip, loop_now_ms(d->loop));
    list_push_back(&d->lines, &l->link);
    conn_set_handlers(c, &line_handlers, l);
    pump(l);
}

/* What connecting to a host gives before any session: its first rule for it. */
static enum world_act connect_act(const struct world_host *h)
{
    for (const struct world_personality *p = &h->own; p; p = p->like) {
        for (const struct world_rule *r = p->rules; r; r = r->next) {
            if (r->stage == WORLD_CONNECT)
                return r->act;
        }
    }
    return WORLD_NORMAL;
}

static int open_doors(struct daemon *d, struct err *err)
{
    list_for_each (at, &d->world.hosts) {
        struct world_host *h = list_entry(at, struct world_host, link);
        if (connect_act(h) != WORLD_NORMAL)
            continue;
        for (size_t i = 0; i < h->ips_n; i++) {
            struct door *door = xnew(struct door);
            door->d = d;
            door->host = h;
            list_push_back(&d->doors, &door->link);
            int rc = listener_tcp(d->loop, &h->ips[i], h->port ? h->port : d->port, 128, on_accept,
                                  door, &door->listener, err);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static void close_all(struct daemon *d)
{
    struct list *at;
    while ((at = list_pop_front(&d->lines))) {
        struct line *l = list_entry(at, struct line, link);
        conn_close(l->conn, false);
        line_free(l);
    }
    while ((at = list_pop_front(&d->doors))) {
        struct door *door = list_entry(at, struct door, link);
        listener_free(door->listener);
        free(door);
    }
}

/* --- a certificate of our own, made anew at each start --- */

static bool run_openssl(const char *key, const char *cert)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr))
            execlp("openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                   "/CN=world.test", "-keyout", key, "-out", cert, (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int make_tls(struct daemon *d, struct err *err)
{
    const char *base = getenv("TMPDIR");
    char *dir = xasprintf("%s/worldd.XXXXXX", base ? base : "/tmp");
    int rc;
    if (!mkdtemp(dir)) {
        rc = err_set(err, E_IO, "making a temporary directory like %s", dir);
        free(dir);
        return rc;
    }
    char *key = xasprintf("%s/key.pem", dir), *cert = xasprintf("%s/cert.pem", dir);
    if (run_openssl(key, cert))
        rc = tls_server_ctx_new(cert, key, &d->tls, err);
    else
        rc = err_set(err, E_NOTFOUND, "openssl(1) made no certificate");
    unlink(key);
    unlink(cert);
    rmdir(dir);
    free(key);
    free(cert);
    free(dir);
    return rc;
}

/* --- the program --- */

static void plan(const struct world *w)
{
    static const char *const names[] = {
        [WORLD_REFUSE] = "refuse",     [WORLD_TIMEOUT] = "timeout", [WORLD_SILENCE] = "timeout",
        [WORLD_NO_ROUTE] = "no-route", [WORLD_NO_NET] = "no-net",   [WORLD_EACCES] = "eacces"};
    char text[48];
    list_for_each (at, &w->hosts) {
        const struct world_host *h = list_entry(at, struct world_host, link);
        enum world_act act = connect_act(h);
        bool is_known = act < (int)ARRAY_LEN(names) && names[act];
        for (size_t i = 0; i < h->ips_n; i++)
            printf("%s %s %s\n", is_known ? names[act] : "listen", ip_text(&h->ips[i], text),
                   h->name);
    }
}

static void on_signal(void *arg, int signum)
{
    (void)signum;
    loop_stop(arg);
}

static int serve(struct daemon *d, const struct endpoint *dns, struct err *err)
{
    struct nameserver *ns = NULL;
    d->loop = loop_new();
    struct loop_signal *term = loop_signal_new(d->loop, SIGTERM, on_signal, d->loop);
    struct loop_signal *intr = loop_signal_new(d->loop, SIGINT, on_signal, d->loop);
    int rc = make_tls(d, err);
    if (!rc)
        rc = open_doors(d, err);
    if (!rc && dns)
        rc = nameserver_new(d->loop, &d->world, dns, &ns, err);
    if (!rc) {
        puts("ready");
        fflush(stdout);
        loop_run(d->loop);
        tell_mails(d);
    }
    nameserver_free(ns);
    close_all(d);
    tls_ctx_free(d->tls);
    loop_signal_free(term);
    loop_signal_free(intr);
    loop_free(d->loop);
    return rc;
}

static int usage(void)
{
    fputs("usage: worldd --plan FILE\n       worldd [--dns ADDRESS:PORT] [--port N] FILE\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct daemon d = {.port = 25};
    struct err err = ERR_NONE;
    struct endpoint dns;
    bool has_dns = false, is_plan = false;
    const char *file = NULL, *why = "";
    uint64_t port;
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--plan") == 0)
            is_plan = true;
        else if (strcmp(argv[i], "--dns") == 0 && has_value &&
                 endpoint_parse(str_of(argv[i + 1]), 53, &dns, &why))
            has_dns = ++i > 0;
        else if (strcmp(argv[i], "--port") == 0 && has_value &&
                 text_parse_u64(str_of(argv[i + 1]), 65535, &port))
            d.port = (uint16_t)port, i++;
        else if (argv[i][0] != '-' && !file)
            file = argv[i];
        else
            return usage();
    }
    if (!file)
        return usage();
    world_init(&d.world);
    list_init(&d.doors);
    list_init(&d.lines);
    signal(SIGPIPE, SIG_IGN);
    int rc = world_load(&d.world, file, &err);
    if (!rc && is_plan)
        plan(&d.world);
    else if (!rc)
        rc = serve(&d, has_dns ? &dns : NULL, &err);
    world_done(&d.world);
    if (rc)
        fprintf(stderr, "worldd: %s\n", err.text);
    return rc ? 1 : 0;
}
