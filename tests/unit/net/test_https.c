/* SPDX-License-Identifier: ISC */
/* The client against a web server of our own, over real TLS, with names from a name server of our own. */
#include "tests/unit/unit.h"

#include "core/net/https.h"
#include "tests/unit/net/certs.h"
#include "tests/unit/net/dns_server.h"

static struct loop *loop;
static struct dns_server names;
static struct dns *dns;
static struct certs certs;
static char folder[] = "/tmp/mxhelm-https-XXXXXX";
static struct tls_ctx *server_ctx;
static struct listener *web;
static struct https *https;

static struct buf answer, request; /* what the server says, what it was asked */
static struct conn *session;

static unsigned told;
static int status;
static struct buf body;
static char why[300];

static void zone(struct dns_server *s, const struct dns_question *q, struct dns_reply *r)
{
    (void)s;
    if (q->type != DNS_TYPE_A)
        return;
    if (strcmp(q->name, CERT_NAME) == 0 || strcmp(q->name, "other.example.test") == 0)
        dns_reply_add(r, NULL, DNS_TYPE_A, 60, "127.0.0.1");
    else if (strcmp(q->name, "broken.example.test") == 0)
        r->rcode = 2;
    else
        r->rcode = 3;
}

static void on_data(void *arg, struct str bytes)
{
    (void)arg;
    buf_add_str(&request, bytes);
    struct str all = buf_str(&request);
    if (!memmem(all.p, all.n, "\r\n\r\n", 4) || (str_starts(all, STR("POST")) && !str_ends(all, STR("END"))))
        return;
    conn_write(session, buf_str(&answer));
    conn_close(session, true);
    session = NULL;
}

static void on_closed(void *arg, int sys)
{
    (void)arg;
    (void)sys;
    session = NULL;
}

static const struct conn_handlers handlers = {.data = on_data, .closed = on_closed};

static void on_accept(void *arg, struct conn *c, const struct peer *p)
{
    (void)arg;
    (void)p;
    session = c;
    conn_set_handlers(c, &handlers, NULL);
    conn_accept_tls(c, server_ctx);
}

static int setup(void **state)
{
    const struct ip ip = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct err err;

    (void)state;
    loop = loop_new();
    verify(mkdtemp(folder));
    certs_make(&certs, folder);
    assert_int_equal(tls_server_ctx_new(certs.cert, certs.key, &server_ctx, &err), 0);
    assert_int_equal(listener_tcp(loop, &ip, 0, 16, on_accept, NULL, &web, &err), 0);
    dns_server_start(&names, loop, zone);
    struct endpoint e = {.ip = ip, .port = names.port};
    struct dns_conf c = {.servers = &e, .servers_n = 1, .timeout_ms = 500, .tries = 1};
    assert_int_equal(dns_new(loop, &c, &dns, &err), 0);
    https = https_new(loop, dns, &(struct https_conf){certs.cert, true, 5000});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    https_free(https);
    dns_free(dns);
    if (session)
        conn_close(session, false);
    dns_server_stop(&names);
    listener_free(web);
    tls_ctx_free(server_ctx);
    certs_remove(&certs);
    rmdir(folder);
    buf_done(&answer);
    buf_done(&request);
    buf_done(&body);
    loop_run_for(loop, 20);
    loop_free(loop);
    return 0;
}

static void done(void *arg, const struct https_reply *r)
{
    (void)arg;
    told++;
    status = r->status;
    buf_clear(&body);
    buf_add_str(&body, r->body);
    str_copy(str_of(r->why), why, sizeof why);
}

static void begin(const char *says)
{
    told = 0;
    buf_clear(&request);
    buf_clear(&answer);
    buf_add_z(&answer, says);
}

static struct https_fetch *ask(struct https *h, const char *host, struct str form)
{
    char url[300];

    snprintf(url, sizeof url, "https://%s:%u/token?x=1", host, listener_port(web));
    return https_fetch(h, &(struct https_request){url, form}, done, NULL);
}

static void wait_told(void)
{
    assert_int_equal(told, 0);
    for (int i = 0; i < 1000 && !told; i++)
        loop_run_for(loop, 5);
    assert_int_equal(told, 1);
}

static void an_answer_comes_whole_with_its_status(void **state)
{
    (void)state;
    begin("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    ask(https, CERT_NAME, STR_NONE);
    wait_told();
    assert_int_equal(status, 200);
    assert_string_equal(buf_text(&body), "hello");
    assert_true(str_starts(buf_str(&request), STR("GET /token?x=1 HTTP/1.1\r\n")));

    begin("HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}");
    ask(https, CERT_NAME, STR("a=%2B&END"));
    wait_told();
    assert_int_equal(status, 400);
    assert_true(str_starts(buf_str(&request), STR("POST ")));
    assert_non_null(strstr(buf_text(&request), "application/x-www-form-urlencoded"));
    assert_non_null(strstr(buf_text(&request), "\r\n\r\na=%2B&END"));
}

static void redirects_are_not_followed(void **state)
{
    (void)state;
    begin("HTTP/1.1 302 Found\r\nLocation: https://other.example.test/\r\nContent-Length: 0\r\n\r\n");
    ask(https, CERT_NAME, STR_NONE);
    wait_told();
    assert_int_equal(status, 302);
}

static void what_is_larger_than_the_cap_is_dropped(void **state)
{
    (void)state;
    begin("HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 70; i++)
        buf_printf(&answer, "%01024d", 0);
    ask(https, CERT_NAME, STR_NONE);
    wait_told();
    assert_int_equal(status, 0);
    assert_string_equal(why, "the answer is larger than 64 KiB");
    assert_int_equal(body.n, 0);
}

static void failures_have_a_phrase(void **state)
{
    static const struct {
        const char *host, *why;
    } rows[] = {
        {"other.example.test", "other.example.test"}, /* not in the certificate */
        {"nowhere.example.test", "has no address that may be used"},
        {"broken.example.test", "cannot be looked up now"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        ask(https, rows[i].host, STR_NONE);
        wait_told();
        assert_int_equal(status, 0);
        if (!strstr(why, rows[i].why))
            fail_msg("%s: %s", rows[i].host, why);
        assert_int_equal(request.n, 0);
    }
}

static void a_stranger_and_this_machine_are_not_trusted(void **state)
{
    struct https *strict = https_new(loop, dns, &(struct https_conf){NULL, true, 5000});
    struct https *outside = https_new(loop, dns, &(struct https_conf){certs.cert, false, 5000});

    (void)state;
    begin("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ask(strict, CERT_NAME, STR_NONE);
    wait_told();
    assert_int_equal(status, 0);
    assert_non_null(strstr(why, "certificate"));
    begin("");
    ask(outside, CERT_NAME, STR_NONE);
    wait_told();
    assert_int_equal(status, 0);
    begin("");
    ask(outside, "127.0.0.1", STR_NONE);
    wait_told();
    assert_string_equal(why, "the address is this machine itself");
    https_free(strict);
    https_free(outside);
}

static void other_schemes_and_silence_end(void **state)
{
    struct https *hasty = https_new(loop, dns, &(struct https_conf){certs.cert, true, 200});

    (void)state;
    begin("");
    https_fetch(https, &(struct https_request){"file:///etc/passwd", STR_NONE}, done, NULL);
    wait_told();
    assert_int_equal(status, 0);
    begin("");
    ask(hasty, CERT_NAME, STR("the end does not come"));
    wait_told();
    assert_int_equal(status, 0);
    begin("");
    https_cancel(ask(https, CERT_NAME, STR_NONE));
    loop_run_for(loop, 50);
    assert_int_equal(told, 0);
    https_free(hasty);
}

static void values_are_escaped(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    https_add_escaped(&b, STR("aZ0-._~ +/&=%\xc3\xa4"));
    assert_string_equal(buf_text(&b), "aZ0-._~%20%2B%2F%26%3D%25%C3%A4");
    buf_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole_with_its_status),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(what_is_larger_than_the_cap_is_dropped),
        cmocka_unit_test(failures_have_a_phrase),
        cmocka_unit_test(a_stranger_and_this_machine_are_not_trusted),
        cmocka_unit_test(other_schemes_and_silence_end),
        cmocka_unit_test(values_are_escaped),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
