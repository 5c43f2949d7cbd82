/* SPDX-License-Identifier: ISC */
/* The resolver against name servers of our own: every kind of answer, silence, and the cache. */
#include "tests/unit/unit.h"

#include "core/net/dns.h"
#include "tests/unit/net/dns_server.h"

static struct loop *loop;
static struct dns_server servers[2];
static struct dns *dns;

/* What the last callbacks brought. */
static struct dns_answer got;
static unsigned got_n;

static void on_got(void *arg, const struct dns_answer *a)
{
    (void)arg;
    got_n++;
    got = *a;
    got.records = NULL;
    got.n = a->n;
    if (a->n)
        got.records =
            memcpy(calloc(a->n, sizeof(*a->records)), a->records, a->n * sizeof(*a->records));
    for (size_t i = 0; i < a->n; i++)
        if (a->records[i].text)
            got.records[i].text = strdup(a->records[i].text);
}

static void forget(void)
{
    dns_answer_done(&got);
    memset(&got, 0, sizeof(got));
    got_n = 0;
}

static void wait_for(unsigned n)
{
    for (int i = 0; i < 600 && got_n < n; i++)
        loop_run_for(loop, 5);
    assert_int_equal(got_n, n);
}

static void ask(const char *name, unsigned type)
{
    forget();
    dns_ask(dns, name, type, on_got, NULL);
    assert_int_equal(got_n, 0);
    wait_for(1);
}

/* One zone for all tests; the name says what happens. */
static void zone(struct dns_server *s, const struct dns_question *q, struct dns_reply *r)
{
    const char *n = q->name;

    if (strcmp(n, "a.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_A, 300, "192.0.2.1");
        r->is_authentic = true;
    } else if (strcmp(n, "short.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_A, 0, "192.0.2.1");
    } else if (strcmp(n, "nodata.example") == 0) {
        r->soa_ttl_s = 60;
    } else if (strcmp(n, "servfail.example") == 0 ||
               (s == &servers[0] && strcmp(n, "half.example") == 0)) {
        r->rcode = 2;
    } else if (strcmp(n, "half.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_A, 300, "192.0.2.2");
    } else if (strcmp(n, "refused.example") == 0) {
        r->rcode = 5;
    } else if (strcmp(n, "silent.example") == 0) {
        r->is_silent = true;
    } else if (strcmp(n, "dropped.example") == 0) {
        r->is_silent = s->udp_n == 1;
        dns_reply_add(r, NULL, DNS_TYPE_A, 300, "192.0.2.3");
    } else if (strcmp(n, "long.example") == 0) {
        for (int i = 0; i < 100; i++)
            dns_reply_add(r, NULL, DNS_TYPE_A, 300, "192.0.2.4")->ip.bytes[3] = (uint8_t)i;
    } else if (strcmp(n, "middle.example") == 0) {
        for (int i = 0; i < 60; i++)
            dns_reply_add(r, NULL, DNS_TYPE_A, 300, "192.0.2.4")->ip.bytes[3] = (uint8_t)i;
    } else if (strcmp(n, "alias.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_CNAME, 30, "a.example");
        dns_reply_add(r, "a.example", DNS_TYPE_A, 300, "192.0.2.1");
    } else if (strcmp(n, "open.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_CNAME, 30, "a.example");
        r->is_authentic = true;
    } else if (strcmp(n, "open-insecure.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_CNAME, 30, "a.example");
    } else if (strcmp(n, "ring.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_CNAME, 30, "ring2.example");
    } else if (strcmp(n, "ring2.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_CNAME, 30, "ring.example");
    } else if (strcmp(n, "garbage.example") == 0) {
        r->garbage = "!";
    } else if (strcmp(n, "wrong-id.example") == 0) {
        r->id_offset = 1;
        dns_reply_add(r, NULL, DNS_TYPE_A, 300, "192.0.2.66");
    } else if (strcmp(n, "bad.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_A, 300, "192.0.2.1")->type = 99;
        r->records[0].text = (char[]){"x"};
        r->records[0].text_n = 1;
    } else if (strcmp(n, "no-edns.example") == 0) {
        r->rcode = s->last_has_opt ? 1 : 0;
        if (!s->last_has_opt)
            dns_reply_add(r, NULL, DNS_TYPE_A, 300, "192.0.2.5");
    } else if (strcmp(n, "text.example") == 0) {
        dns_reply_add(r, NULL, DNS_TYPE_TXT, 300, "v=spf1 -all");
    } else {
        r->rcode = 3;
        r->soa_ttl_s = 60;
    }
}

static void open_dns(size_t servers_n, struct dns_conf c)
{
    struct endpoint e[2];
    struct err err = ERR_NONE;

    memset(e, 0, sizeof(e));
    for (int i = 0; i < 2; i++) {
        e[i].ip = (struct ip){.family = 4, .bytes = {127, 0, 0, 1}};
        e[i].port = servers[i].port;
    }
    c.servers = e;
    c.servers_n = servers_n;
    if (!c.timeout_ms)
        c.timeout_ms = 150;
    dns_free(dns);
    assert_int_equal(dns_new(loop, &c, &dns, &err), 0);
}

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    for (int i = 0; i < 2; i++)
        dns_server_start(&servers[i], loop, zone);
    dns = NULL;
    open_dns(1, (struct dns_conf){0});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dns_free(dns);
    loop_run_for(loop, 20);
    for (int i = 0; i < 2; i++)
        dns_server_stop(&servers[i]);
    loop_free(loop);
    forget();
    return 0;
}

static void every_kind_of_answer_has_its_status(void **state)
{
    static const struct {
        const char *name;
        unsigned type;
        enum dns_status want;
        unsigned rcode;
        bool is_timeout;
    } rows[] = {
        {"a.example", DNS_TYPE_A, DNS_OK, 0, false},
        {"A.Example.", DNS_TYPE_A, DNS_OK, 0, false},
        {"text.example", DNS_TYPE_TXT, DNS_OK, 0, false},
        {"nodata.example", DNS_TYPE_A, DNS_NODATA, 0, false},
        {"nowhere.example", DNS_TYPE_A, DNS_NXDOMAIN, 3, false},
        {"servfail.example", DNS_TYPE_A, DNS_TEMP, 2, false},
        {"refused.example", DNS_TYPE_A, DNS_TEMP, 5, false},
        {"silent.example", DNS_TYPE_A, DNS_TEMP, 0, true},
        {"garbage.example", DNS_TYPE_A, DNS_TEMP, 0, true},
        {"wrong-id.example", DNS_TYPE_A, DNS_TEMP, 0, true},
        {"dropped.example", DNS_TYPE_A, DNS_OK, 0, false},
        {"long.example", DNS_TYPE_A, DNS_OK, 0, false},
        {"middle.example", DNS_TYPE_A, DNS_OK, 0, false},
        {"alias.example", DNS_TYPE_A, DNS_OK, 0, false},
        {"open.example", DNS_TYPE_A, DNS_OK, 0, false},
        {"ring.example", DNS_TYPE_A, DNS_BAD, 0, false},
        {"no-edns.example", DNS_TYPE_A, DNS_OK, 0, false},
        {"a..b", DNS_TYPE_A, DNS_NXDOMAIN, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *row = rows[i].name;

        servers[0].udp_n = 0;
        ask(row, rows[i].type);
        row_text(row, dns_status_name(got.status), dns_status_name(rows[i].want));
        row_int(row, got.rcode, rows[i].rcode);
        row_int(row, got.is_timeout, rows[i].is_timeout);
        row_int(row, got.n > 0, rows[i].want == DNS_OK);
    }
}

static void the_answer_says_what_and_from_whom(void **state)
{
    (void)state;
    char want[32];

    ask("alias.example", DNS_TYPE_A);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.records[0].ip.bytes[3], 1);
    assert_string_equal(got.final_name, "a.example");
    assert_int_equal(got.ttl_s, 30);
    snprintf(want, sizeof(want), "127.0.0.1:%u", servers[0].port);
    assert_string_equal(got.server, want);
    assert_string_equal(dns_servers(dns), want);
}

static void truncation_goes_on_over_tcp(void **state)
{
    (void)state;
    ask("long.example", DNS_TYPE_A);
    assert_int_equal(got.n, 100);
    assert_int_equal(servers[0].udp_n, 1);
    assert_int_equal(servers[0].tcp_n, 1);
}

static void a_thousand_octets_need_no_tcp(void **state)
{
    (void)state;
    ask("middle.example", DNS_TYPE_A);
    assert_int_equal(got.n, 60);
    assert_int_equal(servers[0].tcp_n, 0);
}

static void a_dropped_packet_is_asked_again(void **state)
{
    (void)state;
    ask("dropped.example", DNS_TYPE_A);
    assert_int_equal(got.status, DNS_OK);
    assert_int_equal(servers[0].udp_n, 2);
}

static void an_alias_without_its_target_is_asked_on(void **state)
{
    (void)state;
    open_dns(1, (struct dns_conf){.trust_ad = true});
    ask("open.example", DNS_TYPE_A);
    assert_int_equal(got.status, DNS_OK);
    assert_string_equal(got.final_name, "a.example");
    assert_int_equal(got.ttl_s, 30);
    assert_true(got.is_authentic);
    /* One link that is not signed makes the chain unsigned. */
    ask("open-insecure.example", DNS_TYPE_A);
    assert_int_equal(got.status, DNS_OK);
    assert_false(got.is_authentic);
}

static void authenticity_is_believed_only_when_trusted(void **state)
{
    (void)state;
    ask("a.example", DNS_TYPE_A);
    assert_true(servers[0].last_wants_ad);
    assert_false(got.is_authentic);
    open_dns(1, (struct dns_conf){.trust_ad = true});
    ask("a.example", DNS_TYPE_A);
    assert_true(got.is_authentic);
}

static void a_failing_server_is_followed_by_the_next(void **state)
{
    (void)state;
    open_dns(2, (struct dns_conf){0});
    ask("half.example", DNS_TYPE_A);
    assert_int_equal(got.status, DNS_OK);
    assert_int_equal(servers[0].udp_n, 1);
    assert_int_equal(servers[1].udp_n, 1);
    /* When all fail, each was asked once. */
    ask("servfail.example", DNS_TYPE_A);
    assert_int_equal(got.status, DNS_TEMP);
    assert_int_equal(got.rcode, 2);
    assert_int_equal(servers[0].udp_n, 2);
    assert_int_equal(servers[1].udp_n, 2);
}

static void silent_first(struct dns_server *s, const struct dns_question *q, struct dns_reply *r)
{
    if (s == &servers[0])
        r->is_silent = true;
    else
        zone(s, q, r);
}

static void a_silent_server_is_asked_last_from_then_on(void **state)
{
    (void)state;
    servers[0].answer = silent_first;
    open_dns(2, (struct dns_conf){0});
    ask("a.example", DNS_TYPE_A);
    assert_int_equal(got.status, DNS_OK);
    ask("nodata.example", DNS_TYPE_A);
    assert_int_equal(got.status, DNS_NODATA);
    assert_int_equal(servers[0].udp_n, 1);
    assert_int_equal(servers[1].udp_n, 2);
}

static void a_closed_port_is_no_timeout_of_seconds(void **state)
{
    (void)state;
    struct dns_server closed = servers[1];

    loop_watch_free(closed.watch);
    close(closed.fd);
    listener_free(closed.tcp);
    struct endpoint e = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}, .port = closed.port};
    struct dns_conf c = {.servers = &e, .servers_n = 1, .timeout_ms = 30000};
    struct err err = ERR_NONE;

    dns_free(dns);
    assert_int_equal(dns_new(loop, &c, &dns, &err), 0);
    ask("a.example", DNS_TYPE_A);
    assert_int_equal(got.status, DNS_TEMP);
    assert_false(got.is_timeout);
    assert_int_equal(got.rcode, 0);
    dns_server_start(&servers[1], loop, zone);
}

static void answers_are_cached_and_failures_are_not(void **state)
{
    static const struct {
        const char *name;
        unsigned queries; /* for asking twice */
    } rows[] = {
        {"a.example", 1},        {"nodata.example", 1},  {"nowhere.example", 2},
        {"alias.example", 1},    {"open.example", 1},    {"short.example", 1},
        {"servfail.example", 2}, {"refused.example", 2}, {"silent.example", 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        dns_flush(dns);
        servers[0].udp_n = 0;
        ask(rows[i].name, DNS_TYPE_A);
        unsigned first = servers[0].udp_n;

        ask(rows[i].name, DNS_TYPE_A);
        row_int(rows[i].name, servers[0].udp_n, rows[i].queries == 1 ? first : rows[i].queries);
    }
    dns_flush(dns);
    ask("a.example", DNS_TYPE_A);
    assert_int_equal(servers[0].udp_n, 5);
}

static void a_server_without_edns_is_asked_without(void **state)
{
    (void)state;
    open_dns(1, (struct dns_conf){.no_cache = true});
    /* On every channel, first by c-ares and then by ourselves. */
    for (int i = 0; i < 10; i++) {
        ask("no-edns.example", DNS_TYPE_A);
        assert_int_equal(got.status, DNS_OK);
        assert_false(servers[0].last_has_opt);
    }
}

static void checks_may_ask_anew(void **state)
{
    (void)state;
    open_dns(1, (struct dns_conf){.no_cache = true});
    ask("a.example", DNS_TYPE_A);
    ask("a.example", DNS_TYPE_A);
    assert_int_equal(servers[0].udp_n, 2);
}

static void the_same_question_at_the_same_time_is_asked_once(void **state)
{
    (void)state;
    forget();
    struct dns_query *cancelled = NULL;

    for (int i = 0; i < 10; i++)
        cancelled = dns_ask(dns, "nowhere.example", DNS_TYPE_A, on_got, NULL);
    dns_cancel(cancelled);
    dns_cancel(NULL);
    wait_for(9);
    loop_run_for(loop, 10);
    assert_int_equal(got_n, 9);
    assert_int_equal(servers[0].udp_n, 1);
}

static void many_questions_fly_together(void **state)
{
    (void)state;
    open_dns(1, (struct dns_conf){.timeout_ms = 2000});
    forget();
    /* Not more than the server's socket buffer holds. */
    for (int i = 0; i < 100; i++) {
        char name[32];

        snprintf(name, sizeof(name), "n%d.nowhere.example", i);
        dns_ask(dns, name, DNS_TYPE_A, on_got, NULL);
    }
    wait_for(100);
    assert_int_equal(got.status, DNS_NXDOMAIN);
}

static void freeing_cancels_what_is_under_way(void **state)
{
    (void)state;
    forget();
    dns_ask(dns, "silent.example", DNS_TYPE_A, on_got, NULL);
    dns_ask(dns, "a.example", DNS_TYPE_A, on_got, NULL);
    dns_ask(dns, "a..b", DNS_TYPE_A, on_got, NULL);
    dns_free(dns);
    dns = NULL;
    loop_run_for(loop, 20);
    assert_int_equal(got_n, 0);
}

static void free_inside(void *arg, const struct dns_answer *a)
{
    (void)arg;
    assert_int_equal(a->status, DNS_OK);
    got_n++;
    dns_free(dns);
    dns = NULL;
}

static void a_callback_may_free_the_resolver(void **state)
{
    (void)state;
    forget();
    dns_ask(dns, "a.example", DNS_TYPE_A, free_inside, NULL);
    dns_ask(dns, "a.example", DNS_TYPE_A, on_got, NULL);
    dns_ask(dns, "silent.example", DNS_TYPE_A, on_got, NULL);
    wait_for(1);
    loop_run_for(loop, 20);
    assert_int_equal(got_n, 1);
}

static void ask_inside(void *arg, const struct dns_answer *a)
{
    got_n++;
    if (got_n < 5)
        dns_ask(arg, a->final_name, DNS_TYPE_A, ask_inside, arg);
}

static void a_callback_may_ask_again(void **state)
{
    (void)state;
    forget();
    dns_ask(dns, "a.example", DNS_TYPE_A, ask_inside, dns);
    wait_for(5);
    assert_int_equal(servers[0].udp_n, 1);
}

static void the_systems_servers_are_found(void **state)
{
    (void)state;
    struct err err = ERR_NONE;

    dns_free(dns);
    assert_int_equal(dns_new(loop, &(struct dns_conf){0}, &dns, &err), 0);
    assert_non_null(strchr(dns_servers(dns), ':'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(every_kind_of_answer_has_its_status),
        T(the_answer_says_what_and_from_whom),
        T(truncation_goes_on_over_tcp),
        T(a_thousand_octets_need_no_tcp),
        T(a_dropped_packet_is_asked_again),
        T(an_alias_without_its_target_is_asked_on),
        T(authenticity_is_believed_only_when_trusted),
        T(a_failing_server_is_followed_by_the_next),
        T(a_silent_server_is_asked_last_from_then_on),
        T(a_closed_port_is_no_timeout_of_seconds),
        T(answers_are_cached_and_failures_are_not),
        T(a_server_without_edns_is_asked_without),
        T(checks_may_ask_anew),
        T(the_same_question_at_the_same_time_is_asked_once),
        T(many_questions_fly_together),
        T(freeing_cancels_what_is_under_way),
        T(a_callback_may_free_the_resolver),
        T(a_callback_may_ask_again),
        T(the_systems_servers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
