/* SPDX-License-Identifier: ISC */
/*
 * libcurl's multi interface on our loop: curl says which descriptors and which time-out it wants,
 * the loop tells it when. A fetch first asks for A and AAAA, then gives curl the addresses
 * (CURLOPT_RESOLVE), so that curl never resolves.
 *
 *   fetch ──► A, AAAA ──► curl ──► done
 *        └─ an address ────▲ └─ nothing usable: done, from a timer
 */
#include "core/net/https.h"

#include <curl/curl.h>
#include "core/base/alloc.h"
#include "core/base/list.h"

#define TIMEOUT_MS         (60 * SECOND_MS)
#define CONNECT_TIMEOUT_MS (20 * SECOND_MS)
#define ADDRESSES_MAX      8

struct https {
    struct loop *loop; /* borrowed */
    struct dns *dns;   /* borrowed */
    CURLM *multi;
    struct loop_timer *timer;
    struct list fetches, sockets;
    char *ca_file; /* own, or NULL */
    bool allow_loopback;
    int64_t timeout_ms;
};

struct https_fetch {
    struct list link;
    struct https *https;
    https_done *done;
    void *arg;
    char *url;  /* own */
    char *form; /* own, or NULL */
    char *host; /* own */
    unsigned port;
    CURL *easy;
    struct curl_slist *resolve; /* own */
    struct dns_query *queries[2];
    unsigned waiting; /* queries without an answer */
    struct ip ips[ADDRESSES_MAX];
    size_t ips_n;
    bool is_temporary; /* a look-up failed for now */
    struct buf body;
    bool is_too_large, is_done;
    char curl_why[CURL_ERROR_SIZE];
    char why[CURL_ERROR_SIZE + 64];
    struct loop_timer *soon; /* tells of what was clear from the start */
};

/* A descriptor of curl's. */
struct socket {
    struct list link;
    struct https *https;
    curl_socket_t fd;
    struct loop_watch *watch;
};

/* --- telling --- */

static void fetch_free(struct https_fetch *f)
{
    for (size_t i = 0; i < ARRAY_LEN(f->queries); i++)
        dns_cancel(f->queries[i]);
    if (f->easy) {
        curl_multi_remove_handle(f->https->multi, f->easy);
        curl_easy_cleanup(f->easy);
    }
    curl_slist_free_all(f->resolve);
    loop_timer_free(f->soon);
    if (f->form)
        explicit_bzero(f->form, strlen(f->form));
    if (f->body.n)
        explicit_bzero(f->body.p, f->body.n);
    buf_done(&f->body);
    free(f->form);
    free(f->url);
    free(f->host);
    list_remove(&f->link);
    free(f);
}

static void tell(struct https_fetch *f, int status)
{
    struct https_reply r = {.status = status, .body = buf_str(&f->body), .why = f->why};

    if (!status)
        r.body = STR_NONE;
    f->done(f->arg, &r);
    fetch_free(f);
}

static void tell_soon(void *arg)
{
    tell(arg, 0);
}

static void fail_soon(struct https_fetch *f, const char *why)
{
    str_copy(str_of(why), f->why, sizeof(f->why));
    f->soon = loop_timer_new(f->https->loop, tell_soon, f);
    loop_timer_start(f->soon, 0);
}

/* curl is done with some: told one by one, since a callback may cancel others. */
static void tell_finished(struct https *h)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(h->multi, &left))) {
        struct https_fetch *f = NULL;
        long status = 0;
        CURLcode rc = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
        curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        if (f->is_too_large)
            str_copy(STR("the answer is larger than 64 KiB"), f->why, sizeof(f->why));
        else if (rc)
            snprintf(f->why, sizeof(f->why), "%s",
                     f->curl_why[0] ? f->curl_why : curl_easy_strerror(rc));
        tell(f, rc || f->is_too_large ? 0 : (int)status);
    }
}

/* --- curl and the loop --- */

static void act(struct https *h, curl_socket_t fd, int events)
{
    int running;

    curl_multi_socket_action(h->multi, fd, events, &running);
    tell_finished(h);
}

static void on_ready(void *arg, int events)
{
    struct socket *s = arg;
    int what = (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);

    act(s->https, s->fd, what);
}

static void on_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
    struct https *h = arg;

    (void)multi;
    if (ms < 0)
        loop_timer_stop(h->timer);
    else
        loop_timer_start(h->timer, ms);
    return 0;
}

static void socket_free(struct socket *s)
{
    loop_watch_free(s->watch);
    list_remove(&s->link);
    free(s);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
    struct https *h = arg;
    struct socket *s = of_socket;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            socket_free(s);
        return 0;
    }
    if (!s) {
        s = xnew(struct socket);
        s->https = h;
        s->fd = fd;
        s->watch = loop_watch_new(h->loop, fd, on_ready, s);
        list_push_back(&h->sockets, &s->link);
        curl_multi_assign(h->multi, fd, s);
    }
    if (s->watch)
        loop_watch_set(s->watch, (what & CURL_POLL_IN ? LOOP_READ : 0) |
                                     (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
    return 0;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct https_fetch *f = arg;

    (void)size; /* always 1 */
    if (f->body.n + n > HTTPS_BODY_MAX) {
        f->is_too_large = true;
        return 0; /* curl ends the transfer */
    }
    buf_add(&f->body, p, n);
    return n;
}

/* --- one fetch --- */

static void set_resolve(struct https_fetch *f)
{
    CLEANUP(buf_done) struct buf line = BUF_INIT;
    char text[48];

    buf_printf(&line, "%s:%u:", f->host, f->port);
    for (size_t i = 0; i < f->ips_n; i++)
        buf_printf(&line, f->ips[i].family == 6 ? "%s[%s]" : "%s%s", i ? "," : "",
                   ip_text(&f->ips[i], text));
    f->resolve = curl_slist_append(NULL, buf_text(&line));
}

static void start(struct https_fetch *f)
{
    struct https *h = f->https;
    CURL *c = f->easy = curl_easy_init();

    verify(c);
    set_resolve(f);
    curl_easy_setopt(c, CURLOPT_PRIVATE, f);
    curl_easy_setopt(c, CURLOPT_URL, f->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "mxhelm/" MXHELM_VERSION);
    curl_easy_setopt(c, CURLOPT_RESOLVE, f->resolve);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->curl_why);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
    if (h->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, h->ca_file);
    if (f->form)
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, f->form);
    curl_multi_add_handle(h->multi, c);
}

static void have_addresses(struct https_fetch *f)
{
    if (f->ips_n) {
        start(f);
        return;
    }
    snprintf(f->why, sizeof(f->why),
             f->is_temporary ? "the name %.200s cannot be looked up now"
                             : "the name %.200s has no address that may be used",
             f->host);
    tell(f, 0);
}

static void got_answer(struct https_fetch *f, size_t which, const struct dns_answer *a)
{
    f->queries[which] = NULL;
    f->is_temporary |= a->status == DNS_TEMP || a->status == DNS_BAD;
    for (size_t i = 0; i < a->n && f->ips_n < ADDRESSES_MAX; i++)
        if (f->https->allow_loopback || !ip_is_loopback(&a->records[i].ip))
            f->ips[f->ips_n++] = a->records[i].ip;
    if (--f->waiting == 0)
        have_addresses(f);
}

static void got_a(void *arg, const struct dns_answer *a)
{
    got_answer(arg, 0, a);
}

static void got_aaaa(void *arg, const struct dns_answer *a)
{
    got_answer(arg, 1, a);
}

/* Host and port by curl's own parser, so that both see the same. */
static bool split_url(struct https_fetch *f)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *scheme = NULL;
    bool is_ok = u && !curl_url_set(u, CURLUPART_URL, f->url, 0) &&
                 !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
                 !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
                 !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
                 strcmp(scheme, "https") == 0;

    if (is_ok) {
        f->host = xstrdup(host);
        f->port = (unsigned)strtoul(port, NULL, 10);
    }
    curl_free(host);
    curl_free(port);
    curl_free(scheme);
    curl_url_cleanup(u);
    return is_ok;
}

/* "[2001:db8::1]" or "192.0.2.1". */
static bool host_is_address(const struct https_fetch *f, struct ip *ip)
{
    struct str s = str_of(f->host);

    if (s.n > 2 && s.p[0] == '[')
        s = str_sub(s, 1, s.n - 1);
    return ip_parse(s, ip);
}

struct https_fetch *https_fetch(struct https *h, const struct https_request *q, https_done *done,
                                void *arg)
{
    struct https_fetch *f = xnew(struct https_fetch);

    f->https = h;
    f->done = done;
    f->arg = arg;
    f->url = xstrdup(q->url);
    f->form = q->form.n ? str_dup(q->form) : NULL;
    list_push_back(&h->fetches, &f->link);
    if (!split_url(f)) {
        fail_soon(f, "the address is not one of https://");
    } else if (host_is_address(f, &f->ips[0])) {
        if (ip_is_loopback(&f->ips[0]) && !h->allow_loopback) {
            fail_soon(f, "the address is this machine itself");
            return f;
        }
        f->ips_n = 1;
        start(f);
    } else {
        f->waiting = 2;
        f->queries[0] = dns_ask(h->dns, f->host, DNS_TYPE_A, got_a, f);
        f->queries[1] = dns_ask(h->dns, f->host, DNS_TYPE_AAAA, got_aaaa, f);
    }
    return f;
}

void https_cancel(struct https_fetch *f)
{
    if (f)
        fetch_free(f);
}

void https_add_escaped(struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        (c && strchr("-._~", c));

        if (is_plain)
            buf_add_c(out, (char)c);
        else
            buf_printf(out, "%%%02X", (unsigned)c);
    }
}

/* --- life --- */

struct https *https_new(struct loop *l, struct dns *dns, const struct https_conf *c)
{
    struct https *h = xnew(struct https);

    verify(curl_global_init(CURL_GLOBAL_DEFAULT) == 0);
    h->loop = l;
    h->dns = dns;
    h->ca_file = c->ca_file ? xstrdup(c->ca_file) : NULL;
    h->allow_loopback = c->allow_loopback;
    h->timeout_ms = c->timeout_ms ? c->timeout_ms : TIMEOUT_MS;
    list_init(&h->fetches);
    list_init(&h->sockets);
    h->timer = loop_timer_new(l, on_timer, h);
    h->multi = curl_multi_init();
    verify(h->multi);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    return h;
}

void https_free(struct https *h)
{
    struct list *l;

    if (!h)
        return;
    while ((l = list_pop_front(&h->fetches)))
        fetch_free(list_entry(l, struct https_fetch, link));
    curl_multi_cleanup(h->multi);
    while ((l = list_pop_front(&h->sockets)))
        socket_free(list_entry(l, struct socket, link));
    loop_timer_free(h->timer);
    free(h->ca_file);
    free(h);
    curl_global_cleanup();
}
