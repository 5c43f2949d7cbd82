/* SPDX-License-Identifier: ISC */
/* The checks against a name server and mail ports of our own, on loopback. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include "core/check/check.h"
#include "tests/unit/net/dns_server.h"

#define RESULTS_MAX 32

static struct loop *loop;
static struct dns_server server;
static struct dns *dns;
static struct conf conf;
static struct check_run *run;

static struct check_result results[RESULTS_MAX];
static size_t results_n;
static bool is_done, cancel_at_first;

/* What the name server does beside its zone. */
static bool is_lying, is_refusing, is_silent;

/* The zone */

static const struct {
    const char *name;
    unsigned type;
    const char *value; /* "!SERVFAIL", "!silent" */
} zone_rows[] = {
    {"", DNS_TYPE_NS, "a.root-servers.net"},
    {"1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "MX.example.com"},
    {"mx.example.com", DNS_TYPE_A, "192.0.2.99"},
    {"mx.example.com", DNS_TYPE_A, "192.0.2.1"},
    {"mx.example.com", DNS_TYPE_A, "192.0.2.6"},
    {"mx.example.com", DNS_TYPE_AAAA, "2001:db8::1"},
    {"2.0.192.in-addr.arpa", DNS_TYPE_SOA, "ns.isp.example"},
    {"3.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "other.example"},
    {"other.example", DNS_TYPE_A, "192.0.2.3"},
    {"4.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "lost.example"},
    {"lost.example", DNS_TYPE_A, "192.0.2.77"},
    {"5.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "!SERVFAIL"},
    {"6.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "mx.example.com"},
    {"6.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "web.example.com"},
    {"7.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "broken.example"},
    {"broken.example", DNS_TYPE_A, "!SERVFAIL"},
    {"broken.example", DNS_TYPE_TXT, "!SERVFAIL"},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", DNS_TYPE_PTR,
     "mx.example.com"},
    {"good.example", DNS_TYPE_TXT, "google-site-verification=x"},
    {"good.example", DNS_TYPE_TXT, "V=SPF1 ip4:192.0.2.1 -all\x1b[2J"},
    {"none.example", DNS_TYPE_TXT, "v=spf10 is not one"},
    {"empty.example", DNS_TYPE_TXT, "!NODATA"},
    {"double.example", DNS_TYPE_TXT, "v=spf1 -all"},
    {"double.example", DNS_TYPE_TXT, "v=spf1"},
    {"late.example", DNS_TYPE_TXT, "!silent"},
    /* receivers */
    {"two.test", DNS_TYPE_MX, "mx2.test"},
    {"three.test", DNS_TYPE_MX, "mx3.test"},
    {"refused.test", DNS_TYPE_MX, "mx4.test"},
    {"refused5.test", DNS_TYPE_MX, "mx5.test"},
    {"nomail.test", DNS_TYPE_MX, ""},
    {"unreachable.test", DNS_TYPE_MX, "broadcast.test"},
    {"unreachable2.test", DNS_TYPE_MX, "broadcast.test"},
    {"six.test", DNS_TYPE_MX, "mx6.test"},
    {"implicit.test", DNS_TYPE_MX, "!NODATA"},
    {"implicit.test", DNS_TYPE_A, "127.0.0.2"},
    {"mx2.test", DNS_TYPE_A, "127.0.0.2"},
    {"mx3.test", DNS_TYPE_A, "127.0.0.3"},
    {"mx4.test", DNS_TYPE_A, "127.0.0.4"},
    {"mx5.test", DNS_TYPE_A, "127.0.0.5"},
    {"mx6.test", DNS_TYPE_A, "127.0.0.2"},
    {"mx6.test", DNS_TYPE_AAAA, "::1"},
    {"broadcast.test", DNS_TYPE_A, "255.255.255.255"},
};

static void zone(struct dns_server *s, const struct dns_question *q, struct dns_reply *r)
{
    bool is_known = false;

    (void)s;
    r->is_silent = is_silent;
    r->rcode = is_refusing ? 5 : 0;
    if (is_silent || is_refusing)
        return;
    for (size_t i = 0; i < ARRAY_LEN(zone_rows); i++) {
        const char *v = zone_rows[i].value;

        if (strcmp(zone_rows[i].name, q->name) != 0)
            continue;
        is_known = true;
        if (zone_rows[i].type != q->type)
            continue;
        if (strcmp(v, "!SERVFAIL") == 0)
            r->rcode = 2;
        else if (strcmp(v, "!silent") == 0)
            r->is_silent = true;
        else if (strcmp(v, "!NODATA") != 0)
            dns_reply_add(r, NULL, q->type, 300, v);
        if (q->type == DNS_TYPE_SOA) {
            r->records[0].text = (char *)(uintptr_t) "hostmaster.isp.example";
            r->records[0].text_n = strlen(r->records[0].text);
        }
    }
    if (is_known)
        return;
    if (is_lying && q->type == DNS_TYPE_A)
        dns_reply_add(r, NULL, DNS_TYPE_A, 60, "198.51.100.7");
    else
        r->rcode = 3;
}

/* The run */

static void on_result(void *arg, const struct check_result *r)
{
    assert_ptr_equal(arg, &conf);
    assert_false(is_done);
    assert_true(results_n < RESULTS_MAX);
    results[results_n++] = *r;
    if (cancel_at_first) {
        check_cancel(run);
        run = NULL;
    }
}

static void on_done(void *arg)
{
    assert_ptr_equal(arg, &conf);
    assert_false(is_done);
    is_done = true;
    run = NULL;
}

static struct ip sources[CHECK_SOURCES_MAX];
static size_t sources_n;
static const char *receivers[CHECK_RECEIVERS_MAX];
static size_t receivers_n;
static int64_t deadline_ms, patience_ms;

static void start(unsigned which)
{
    const struct check_env env = {.loop = loop,
                                  .dns = dns,
                                  .conf = &conf,
                                  .sources = sources,
                                  .sources_n = sources_n,
                                  .receivers = receivers,
                                  .receivers_n = receivers_n,
                                  .deadline_ms = deadline_ms,
                                  .patience_ms = patience_ms};

    results_n = 0;
    is_done = false;
    run = check_start(&env, which, on_result, on_done, &conf);
    assert_int_equal(results_n, 0);
    assert_false(is_done);
}

static void check(unsigned which)
{
    start(which);
    for (int i = 0; i < 2000 && !is_done; i++)
        loop_run_for(loop, 5);
    assert_true(is_done);
    for (size_t i = 0; i < results_n; i++) {
        const struct check_result *r = &results[i];

        assert_true(r->id && r->title[0] && r->summary[0] && r->what[0] && r->meaning[0]);
        assert_true((r->verdict == CHECK_OK || r->verdict == CHECK_SKIP) || r->fix[0]);
        assert_null(strchr(r->seen, '\x1b'));
    }
}

static const struct check_result *result(const char *id, const char *subject)
{
    for (size_t i = 0; i < results_n; i++)
        if (strcmp(results[i].id, id) == 0 &&
            (!subject || strcmp(results[i].subject, subject) == 0))
            return &results[i];
    fail_msg("no result %s about %s", id, subject ? subject : "anything");
    return &results[0]; /* not reached; gcc cannot know */
}

static void has_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void open_dns(const struct endpoint *servers, size_t n)
{
    const struct dns_conf c = {
        .servers = servers, .servers_n = n, .timeout_ms = 150, .no_cache = true};
    struct err err = ERR_NONE;

    dns_free(dns);
    assert_int_equal(dns_new(loop, &c, &dns, &err), 0);
}

static struct endpoint server_endpoint(void)
{
    struct endpoint e;

    memset(&e, 0, sizeof(e));
    e.ip = (struct ip){.family = 4, .bytes = {127, 0, 0, 1}};
    e.port = server.port;
    return e;
}

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    is_lying = is_refusing = is_silent = cancel_at_first = false;
    sources_n = receivers_n = 0;
    deadline_ms = 3000;
    patience_ms = 0;
    memset(&conf, 0, sizeof(conf));
    str_copy(STR("mx.example.com"), conf.hostname, sizeof(conf.hostname));
    str_copy(STR("mailer@good.example"), conf.sender, sizeof(conf.sender));
    dns_server_start(&server, loop, zone);
    struct endpoint e = server_endpoint();

    dns = NULL;
    open_dns(&e, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_cancel(run);
    run = NULL;
    dns_free(dns);
    loop_run_for(loop, 10);
    dns_server_stop(&server);
    loop_free(loop);
    return 0;
}

static void add_source(const char *text)
{
    assert_true(ip_parse(str_of(text), &sources[sources_n++]));
}

/* Resolver */

static void a_resolver_that_answers_and_does_not_lie_is_good(void **state)
{
    (void)state;
    check(CHECK_DNS);
    assert_int_equal(results_n, 2);
    assert_int_equal(result("DNS-1", NULL)->verdict, CHECK_OK);
    assert_string_equal(result("DNS-1", NULL)->summary, "1 of 1 name server answers");
    assert_int_equal(result("DNS-3", NULL)->verdict, CHECK_OK);
}

static void a_resolver_that_invents_addresses_is_found_out(void **state)
{
    (void)state;
    is_lying = true;
    check(CHECK_DNS);
    assert_int_equal(result("DNS-1", NULL)->verdict, CHECK_OK);
    assert_int_equal(result("DNS-3", NULL)->verdict, CHECK_FAIL);
    has_text(result("DNS-3", NULL)->summary, "198.51.100.7");
}

static void a_resolver_that_refuses_us_is_no_resolver(void **state)
{
    (void)state;
    is_refusing = true;
    check(CHECK_DNS);
    assert_int_equal(result("DNS-1", NULL)->verdict, CHECK_FAIL);
    has_text(result("DNS-1", NULL)->summary, "no name server resolves for us");
    has_text(result("DNS-1", NULL)->seen, "REFUSED");
    assert_int_equal(result("DNS-3", NULL)->verdict, CHECK_UNKNOWN);
}

static void one_dead_server_of_two_is_a_warning(void **state)
{
    (void)state;
    struct endpoint e[2] = {server_endpoint(), server_endpoint()};

    e[1].port = 1; /* nobody listens there */
    open_dns(e, 2);
    check(CHECK_DNS);
    assert_int_equal(result("DNS-1", NULL)->verdict, CHECK_WARN);
    assert_string_equal(result("DNS-1", NULL)->summary, "1 of 2 name servers answers");
    has_text(result("DNS-1", NULL)->fix, "127.0.0.1:1");
    assert_int_equal(result("DNS-3", NULL)->verdict, CHECK_OK);
}

static void silence_everywhere_ends_at_the_deadline_as_unknown(void **state)
{
    (void)state;
    is_silent = true;
    deadline_ms = 300;
    add_source("192.0.2.1");
    receivers[receivers_n++] = "two.test";
    check(CHECK_ALL);
    assert_int_equal(result("DNS-1", NULL)->verdict, CHECK_FAIL);
    has_text(result("DNS-1", NULL)->summary, "none of the name servers answers");
    assert_int_equal(result("DNS-3", NULL)->verdict, CHECK_UNKNOWN);
    assert_int_equal(result("NET-1", "outgoing TCP port 25 over IPv4")->verdict, CHECK_UNKNOWN);
    assert_int_equal(result("ID-3", NULL)->verdict, CHECK_UNKNOWN);
    assert_int_equal(result("SPF-1", NULL)->verdict, CHECK_UNKNOWN);
    for (size_t i = 0; i < results_n; i++)
        assert_in_range(results[i].took_ms, 0, 1500);
}

/* Reverse DNS */

static void every_address_is_judged_by_its_reverse_name(void **state)
{
    static const struct {
        const char *name; /* the address */
        enum check_verdict want;
        const char *summary; /* part of it */
        const char *fix;     /* part of it, or NULL */
    } rows[] = {
        {"192.0.2.1", CHECK_OK, "192.0.2.1 is mx.example.com, and back", NULL},
        {"192.0.2.2", CHECK_FAIL, "192.0.2.2 has no reverse name",
         "Only the owner of zone 2.0.192.in-addr.arpa can set it: hostmaster@isp.example. Ask for: "
         "2.2.0.192.in-addr.arpa. PTR mx.example.com."},
        {"192.0.2.3", CHECK_WARN, "192.0.2.3 is other.example, but we greet as mx.example.com",
         "[identity] hostname = other.example"},
        {"192.0.2.4", CHECK_FAIL, "lost.example does not lead back to 192.0.2.4",
         "lost.example. A 192.0.2.4"},
        {"192.0.2.5", CHECK_UNKNOWN, "could not test: SERVFAIL", NULL},
        {"192.0.2.6", CHECK_WARN, "there are 2 reverse names", "Keep one"},
        {"192.0.2.7", CHECK_UNKNOWN, "the address of the reverse name got no answer", NULL},
        {"2001:db8::1", CHECK_OK, "2001:db8::1 is mx.example.com, and back", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        add_source(rows[i].name);
    check(CHECK_IDENTITY);
    assert_int_equal(results_n, ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct check_result *r = result("ID-3", rows[i].name);

        row_text(rows[i].name, check_verdict_name(r->verdict), check_verdict_name(rows[i].want));
        has_text(r->summary, rows[i].summary);
        if (rows[i].fix)
            has_text(r->fix, rows[i].fix);
    }
    assert_int_equal(result("ID-3", "192.0.2.1")->recheck_after_s, 300);
}

static void a_private_address_is_not_what_the_world_sees(void **state)
{
    (void)state;
    add_source("10.1.2.3");
    check(CHECK_IDENTITY);
    assert_int_equal(result("ID-3", NULL)->verdict, CHECK_UNKNOWN);
    has_text(result("ID-3", NULL)->fix, "public-ip");
    assert_int_equal(server.udp_n, 0);
    /* In a lab it is. */
    conf.lab_special_use = true;
    check(CHECK_IDENTITY);
    assert_int_equal(result("ID-3", NULL)->verdict, CHECK_FAIL);
}

static void no_address_at_all_is_said(void **state)
{
    (void)state;
    check(CHECK_IDENTITY);
    assert_int_equal(result("ID-3", NULL)->verdict, CHECK_UNKNOWN);
    has_text(result("ID-3", NULL)->summary, "no way out");
}

/* SPF */

static void every_domain_is_judged_by_its_spf_records(void **state)
{
    static const struct {
        const char *name; /* the sender */
        enum check_verdict want;
        const char *summary;
        const char *fix;
    } rows[] = {
        {"m@good.example", CHECK_OK, "good.example has an SPF record", NULL},
        {"m@none.example", CHECK_WARN, "none.example has no SPF record",
         "none.example. 3600 TXT \"v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all\""},
        {"m@empty.example", CHECK_WARN, "empty.example has no SPF record", NULL},
        {"m@nowhere.example", CHECK_FAIL, "the sender's domain nowhere.example does not exist",
         "[identity] sender"},
        {"m@double.example", CHECK_FAIL, "2 SPF records", "joins them"},
        {"m@broken.example", CHECK_UNKNOWN, "could not test: SERVFAIL", NULL},
        {"m@late.example", CHECK_UNKNOWN, "could not test: no answer in time", NULL},
        {"", CHECK_SKIP, "no sender address", NULL},
    };

    (void)state;
    add_source("192.0.2.1");
    add_source("10.0.0.1");
    add_source("2001:db8::1");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str_copy(str_of(rows[i].name), conf.sender, sizeof(conf.sender));
        check(CHECK_SPF);
        const struct check_result *r = result("SPF-1", NULL);

        row_text(rows[i].name, check_verdict_name(r->verdict), check_verdict_name(rows[i].want));
        has_text(r->summary, rows[i].summary);
        if (rows[i].fix)
            has_text(r->fix, rows[i].fix);
    }
}

static void a_hostile_record_is_made_printable(void **state)
{
    (void)state;
    check(CHECK_SPF);
    has_text(result("SPF-1", NULL)->seen, "V=SPF1 ip4:192.0.2.1 -all^[[2J");
}

/* Port 25 */

struct mail_port {
    struct listener *listener;
    const char *greeting; /* NULL: silence */
    unsigned accepted;
};

static struct mail_port ports[3];

static void port_closed(void *arg, int sys)
{
    (void)arg;
    (void)sys;
}

static const struct conn_handlers port_handlers = {.closed = port_closed};

static void port_accept(void *arg, struct conn *c, const struct peer *p)
{
    struct mail_port *m = arg;

    (void)p;
    m->accepted++;
    conn_set_handlers(c, &port_handlers, NULL);
    if (m->greeting)
        conn_write(c, str_of(m->greeting));
}

/* 127.0.0.2 and 127.0.0.3 and ::1 listen on one port, which becomes "port 25"; 127.0.0.4 and
 * 127.0.0.5 do not. */
static void open_ports(void)
{
    static const struct ip ips[3] = {
        {.family = 4, .bytes = {127, 0, 0, 2}},
        {.family = 4, .bytes = {127, 0, 0, 3}},
        {.family = 6, .bytes = {[15] = 1}},
    };
    struct err err = ERR_NONE;

    memset(ports, 0, sizeof(ports));
    for (int i = 0; i < 3; i++) {
        if (listener_tcp(loop, &ips[i], conf.port, 16, port_accept, &ports[i], &ports[i].listener,
                         &err) != 0)
            fail_msg("%s", err.text);
        conf.port = listener_port(ports[i].listener);
        ports[i].greeting = "220 mx.test ESMTP\r\n";
    }
    add_source("192.0.2.1");
}

static void close_ports(void)
{
    for (int i = 0; i < 3; i++)
        listener_free(ports[i].listener);
}

static const struct check_result *port_result(int family)
{
    char subject[64];

    snprintf(subject, sizeof(subject), "outgoing TCP port %u over IPv%d", conf.port, family);
    return result("NET-1", subject);
}

static void the_port_is_judged_by_how_all_receivers_end(void **state)
{
    static const struct {
        const char *name;
        const char *receivers[3];
        const char *greeting; /* of 127.0.0.2 */
        enum check_verdict want;
        const char *summary;
        const char *seen;
    } rows[] = {
        {"both greet",
         {"two.test", "three.test"},
         "220 hi\r\n",
         CHECK_OK,
         "open: 2 of 2 receivers",
         "two.test by mx2.test[127.0.0.2]: 220 hi ("},
        {"without MX",
         {"implicit.test"},
         "220 hi\r\n",
         CHECK_OK,
         "open: 1 of 1 receivers",
         "implicit.test[127.0.0.2]"},
        {"one of two refuses",
         {"refused.test", "three.test"},
         "220 hi\r\n",
         CHECK_OK,
         "open: 1 of 2 receivers",
         "Connection refused"},
        {"all refuse",
         {"refused.test", "refused5.test"},
         "220 hi\r\n",
         CHECK_FAIL,
         "connection refused everywhere (2 of 2 receivers)",
         "Connection refused"},
        {"the only one refuses",
         {"refused.test"},
         "220 hi\r\n",
         CHECK_WARN,
         "one alone proves nothing",
         "Connection refused"},
        {"one that cannot be tested does not count",
         {"refused.test", "nowhere.test"},
         "220 hi\r\n",
         CHECK_WARN,
         "one alone proves nothing",
         "nowhere.test: not tested: its MX: NXDOMAIN"},
        {"network unreachable",
         {"unreachable.test", "unreachable2.test"},
         "220 hi\r\n",
         CHECK_FAIL,
         "the network is unreachable (2 of 2 receivers)",
         "Network is unreachable"},
        {"turned away", {"two.test"}, "554 go away\r\n", CHECK_WARN, "turn us away", "554 go away"},
        {"multi-line greeting",
         {"two.test"},
         "220-hi\r\n220 there\r\n",
         CHECK_OK,
         "open",
         "220-hi"},
        {"hostile greeting",
         {"two.test"},
         "220 \x1b[2J\xff\r\n",
         CHECK_OK,
         "open",
         "220 ^[[2J<FF>"},
        {"nobody takes mail",
         {"nomail.test"},
         "220 hi\r\n",
         CHECK_UNKNOWN,
         "could not test",
         "null MX"},
        {"nobody exists",
         {"nowhere.test"},
         "220 hi\r\n",
         CHECK_UNKNOWN,
         "could not test",
         "NXDOMAIN"},
    };

    (void)state;
    open_ports();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ports[0].greeting = rows[i].greeting;
        for (receivers_n = 0; receivers_n < 3 && rows[i].receivers[receivers_n]; receivers_n++)
            receivers[receivers_n] = rows[i].receivers[receivers_n];
        check(CHECK_PORT25);
        const struct check_result *r = port_result(4);

        row_text(rows[i].name, check_verdict_name(r->verdict), check_verdict_name(rows[i].want));
        has_text(r->summary, rows[i].summary);
        has_text(r->seen, rows[i].seen);
        row_int(rows[i].name, port_result(6)->verdict, CHECK_SKIP);
        row_int(rows[i].name, results_n, 2);
    }
    close_ports();
}

static void both_families_are_tested_when_we_have_both(void **state)
{
    (void)state;
    open_ports();
    add_source("2001:db8::1");
    receivers[receivers_n++] = "six.test";
    check(CHECK_PORT25);
    assert_int_equal(port_result(4)->verdict, CHECK_OK);
    assert_int_equal(port_result(6)->verdict, CHECK_OK);
    has_text(port_result(6)->seen, "mx6.test[::1]");
    assert_int_equal(ports[2].accepted, 1);
    close_ports();
}

static void silence_after_the_connection_is_a_filter(void **state)
{
    (void)state;
    open_ports();
    ports[0].greeting = ports[1].greeting = NULL;
    receivers[receivers_n++] = "two.test";
    receivers[receivers_n++] = "three.test";
    deadline_ms = 400;
    patience_ms = 200;
    check(CHECK_PORT25);
    assert_int_equal(port_result(4)->verdict, CHECK_FAIL);
    has_text(port_result(4)->summary, "connected, but nobody greets (2 of 2 receivers)");
    close_ports();
}

static void a_short_wait_is_no_time_out(void **state)
{
    (void)state;
    open_ports();
    ports[0].greeting = NULL;
    receivers[receivers_n++] = "two.test";
    deadline_ms = 200;
    check(CHECK_PORT25);
    assert_int_equal(port_result(4)->verdict, CHECK_UNKNOWN);
    close_ports();
}

static int blocked_fd[4];

/* A full queue of connections drops what else comes: that is how a silent firewall looks. */
static void block_address(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(conf.port)};

    inet_pton(AF_INET, "127.0.0.4", &in.sin_addr);
    blocked_fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(blocked_fd[0], (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(blocked_fd[0], 0), 0);
    for (int i = 1; i < 4; i++) {
        blocked_fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(blocked_fd[i], (struct sockaddr *)&in, sizeof(in));
    }
}

static void dropped_packets_everywhere_are_a_blocked_port(void **state)
{
    (void)state;
    open_ports();
    block_address();
    receivers[receivers_n++] = "refused.test";
    receivers[receivers_n++] = "refused.test";
    deadline_ms = 400;
    patience_ms = 200;
    check(CHECK_PORT25);
    assert_int_equal(port_result(4)->verdict, CHECK_FAIL);
    has_text(port_result(4)->summary, "no answer at all (2 of 2 receivers)");
    has_text(port_result(4)->fix, "open outgoing TCP port 25");
    for (int i = 0; i < 4; i++)
        close(blocked_fd[i]);
    close_ports();
}

static void without_receivers_nobody_is_contacted(void **state)
{
    (void)state;
    check(CHECK_PORT25);
    assert_int_equal(results_n, 2);
    assert_int_equal(results[0].verdict, CHECK_SKIP);
    assert_int_equal(server.udp_n, 0);
}

/* The run itself */

static void nothing_to_check_is_done_at_once(void **state)
{
    (void)state;
    check(0);
    assert_int_equal(results_n, 0);
}

static void a_cancelled_run_says_nothing_more(void **state)
{
    (void)state;
    open_ports();
    receivers[receivers_n++] = "two.test";
    for (int64_t ms = 0; ms < 8; ms++) {
        start(CHECK_ALL);
        loop_run_for(loop, ms);
        bool was_done = is_done;
        size_t had = results_n;

        check_cancel(run);
        run = NULL;
        loop_run_for(loop, 20);
        assert_int_equal(results_n, had);
        assert_int_equal(is_done, was_done);
    }
    check_cancel(NULL);
    close_ports();
}

static void a_result_may_cancel_the_run(void **state)
{
    (void)state;
    cancel_at_first = true;
    add_source("10.0.0.1");
    add_source("10.0.0.2");
    start(CHECK_ALL);
    loop_run_for(loop, 50);
    assert_int_equal(results_n, 1);
    assert_false(is_done);
}

static void groups_have_names(void **state)
{
    (void)state;
    assert_int_equal(check_which_parse("all"), CHECK_ALL);
    assert_int_equal(check_which_parse("dns"), CHECK_DNS);
    assert_int_equal(check_which_parse("port25"), CHECK_PORT25);
    assert_int_equal(check_which_parse("identity"), CHECK_IDENTITY);
    assert_int_equal(check_which_parse("spf"), CHECK_SPF);
    assert_int_equal(check_which_parse("nonsense"), 0);
}

static void the_configured_address_goes_first(void **state)
{
    struct ip found[CHECK_SOURCES_MAX];
    char text[48];

    (void)state;
    assert_true(ip_parse(STR("203.0.113.5"), &conf.public_ip));
    size_t n = check_sources(&conf, found);

    assert_in_range(n, 1, 2);
    assert_string_equal(ip_text(&found[0], text), "203.0.113.5");
    if (n == 2)
        assert_int_equal(found[1].family, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(a_resolver_that_answers_and_does_not_lie_is_good),
        T(a_resolver_that_invents_addresses_is_found_out),
        T(a_resolver_that_refuses_us_is_no_resolver),
        T(one_dead_server_of_two_is_a_warning),
        T(silence_everywhere_ends_at_the_deadline_as_unknown),
        T(every_address_is_judged_by_its_reverse_name),
        T(a_private_address_is_not_what_the_world_sees),
        T(no_address_at_all_is_said),
        T(every_domain_is_judged_by_its_spf_records),
        T(a_hostile_record_is_made_printable),
        T(the_port_is_judged_by_how_all_receivers_end),
        T(both_families_are_tested_when_we_have_both),
        T(silence_after_the_connection_is_a_filter),
        T(a_short_wait_is_no_time_out),
        T(dropped_packets_everywhere_are_a_blocked_port),
        T(without_receivers_nobody_is_contacted),
        T(nothing_to_check_is_done_at_once),
        T(a_cancelled_run_says_nothing_more),
        T(a_result_may_cancel_the_run),
        T(groups_have_names),
        T(the_configured_address_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
