/* SPDX-License-Identifier: ISC */
/* IP addresses, networks, reverse names. */
#include "tests/unit/unit.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/mail/dnsdata.h"

static const struct {
    const char *name;
    struct str in;
    int family; /* 0: refused */
    const char *text;
} ip_rows[] = {
    {"IPv4", STR("192.0.2.1"), 4, "192.0.2.1"},
    {"any", STR("0.0.0.0"), 4, "0.0.0.0"},
    {"IPv6", STR("2001:DB8:0:0:0:0:0:1"), 6, "2001:db8::1"},
    {"loopback", STR("::1"), 6, "::1"},
    {"mapped", STR("::ffff:192.0.2.1"), 6, "::ffff:192.0.2.1"},
    {"leading zero (octal somewhere)", STR("192.0.2.010"), 0, ""},
    {"three parts", STR("192.0.2"), 0, ""},
    {"one number", STR("3221225985"), 0, ""},
    {"256", STR("192.0.2.256"), 0, ""},
    {"space", STR(" 192.0.2.1"), 0, ""},
    {"text behind", STR("192.0.2.1x"), 0, ""},
    {"NUL behind", STR("192.0.2.1\0"), 0, ""},
    {"brackets", STR("[::1]"), 0, ""},
    {"zone", STR("fe80::1%eth0"), 0, ""},
    {"nine groups", STR("1:2:3:4:5:6:7:8:9"), 0, ""},
    {"empty", STR(""), 0, ""},
    {"long", STR("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"), 0, ""},
};

static void address_is_read_strictly_and_written_canonically(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ip_rows); i++) {
        struct ip ip = {0};
        char text[48];
        const char *row = ip_rows[i].name;
        row_int(row, ip_parse(ip_rows[i].in, &ip), ip_rows[i].family != 0);
        row_int(row, ip.family, ip_rows[i].family);
        row_text(row, ip_text(&ip, text), ip_rows[i].text);
    }
}

static struct ip ip_of(const char *s)
{
    struct ip ip;
    if (!ip_parse(str_of(s), &ip))
        fail_msg("not an address: %s", s);
    return ip;
}

static void every_text_reads_back_as_the_same_address(void **state)
{
    (void)state;
    struct rng r;
    rng_init_seed(&r, 5);
    for (int i = 0; i < 20000; i++) {
        struct ip a = {.family = i % 2 ? 4 : 6}, b;
        char text[48];
        for (size_t k = 0; k < (a.family == 4 ? 4u : 16u); k++)
            a.bytes[k] = rng_below(&r, 3) ? 0 : (uint8_t)rng_below(&r, 256);
        assert_true(ip_parse(str_of(ip_text(&a, text)), &b));
        assert_true(ip_eq(&a, &b));
        assert_int_equal(b.family, a.family);
    }
}

static void loopback_is_all_of_127_and_one_of_ipv6(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        bool want;
    } rows[] = {
        {"127.0.0.1", true},
        {"127.255.255.255", true},
        {"126.255.255.255", false},
        {"128.0.0.0", false},
        {"::1", true},
        {"::2", false},
        {"::", false},
        {"::ffff:127.0.0.1", true},
        {"::ffff:10.0.0.1", false},
        {"0.0.0.0", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip = ip_of(rows[i].ip);
        row_int(rows[i].ip, ip_is_loopback(&ip), rows[i].want);
    }
    struct ip none = {0};
    assert_false(ip_is_loopback(&none));
}

static void mapped_address_equals_the_ipv4_one(void **state)
{
    (void)state;
    struct ip a = ip_of("192.0.2.1"), b = ip_of("::ffff:192.0.2.1"), c = ip_of("192.0.2.2");
    struct ip d = ip_of("::192.0.2.1"), none = {0};
    assert_true(ip_eq(&a, &b));
    assert_true(ip_eq(&b, &a));
    assert_false(ip_eq(&a, &c));
    assert_false(ip_eq(&a, &d));
    assert_false(ip_eq(&a, &none));
}

static const struct {
    const char *net, *ip;
    int want; /* -1: the network is refused */
} net_rows[] = {
    {"192.0.2.0/24", "192.0.2.255", 1},
    {"192.0.2.0/24", "192.0.3.0", 0},
    {"192.0.2.77/24", "192.0.2.1", 1},
    {"192.0.2.128/25", "192.0.2.127", 0},
    {"192.0.2.128/25", "192.0.2.128", 1},
    {"10.0.0.0/8", "10.255.0.1", 1},
    {"10.0.0.0/9", "10.128.0.0", 0},
    {"0.0.0.0/0", "203.0.113.9", 1},
    {"0.0.0.0/0", "2001:db8::1", 0},
    {"::/0", "2001:db8::1", 1},
    {"::/0", "192.0.2.1", 0},
    {"192.0.2.1", "192.0.2.1", 1},
    {"192.0.2.1", "192.0.2.0", 0},
    {"192.0.2.1/32", "192.0.2.1", 1},
    {"127.0.0.0/8", "::ffff:127.0.0.1", 1},
    {"::1/128", "::1", 1},
    {"::1", "::", 0},
    {"2001:db8::/33", "2001:db8:7fff::", 1},
    {"2001:db8::/33", "2001:db8:8000::", 0},
    {"192.0.2.0/33", "192.0.2.0", -1},
    {"::/129", "::", -1},
    {"192.0.2.0/", "192.0.2.0", -1},
    {"192.0.2.0/-1", "192.0.2.0", -1},
    {"192.0.2.0/08", "192.0.2.0", -1},
    {"192.0.2.0/8x", "192.0.2.0", -1},
    {"192.0.2.0/255.255.255.0", "192.0.2.0", -1},
    {"/8", "192.0.2.0", -1},
    {"", "192.0.2.0", -1},
};

static void network_has_its_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(net_rows); i++) {
        struct ip_net net;
        struct ip ip = ip_of(net_rows[i].ip);
        int got = -1;
        char row[80];
        snprintf(row, sizeof(row), "%s in %s", net_rows[i].ip, net_rows[i].net);
        if (ip_net_parse(str_of(net_rows[i].net), &net))
            got = ip_net_has(&net, &ip);
        row_int(row, got, net_rows[i].want);
    }
}

static void reverse_names_are_those_of_the_rfcs(void **state)
{
    (void)state;
    char name[DNS_NAME_MAX + 1];
    struct ip a = ip_of("192.0.2.10"), b = ip_of("2001:db8::567:89ab"), none = {0};
    ip_reverse_name(&a, name);
    assert_string_equal(name, "10.2.0.192.in-addr.arpa");
    ip_reverse_name(&b, name); /* the example of RFC 3596 2.5, with another prefix */
    assert_string_equal(name, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
                              "ip6.arpa");
    ip_reverse_name(&none, name);
    assert_string_equal(name, "");
}

static void names_cover_every_status(void **state)
{
    (void)state;
    assert_string_equal(dns_status_name(DNS_OK), "ok");
    assert_string_equal(dns_status_name(DNS_NXDOMAIN), "NXDOMAIN");
    assert_string_equal(dns_status_name((enum dns_status)99), "?");
    assert_string_equal(dns_type_name(DNS_TYPE_MX), "MX");
    assert_string_equal(dns_type_name(DNS_TYPE_TLSA), "TLSA");
    assert_string_equal(dns_type_name(99), "?");
}

static void answer_gives_its_memory_back_and_may_be_ended_twice(void **state)
{
    (void)state;
    struct dns_answer a = {.n = 2, .records = xcalloc(2, sizeof(struct dns_record))};
    a.records[0].text = xstrdup("v=spf1 -all");
    dns_answer_done(&a);
    assert_int_equal(a.n, 0);
    dns_answer_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_is_read_strictly_and_written_canonically),
        cmocka_unit_test(every_text_reads_back_as_the_same_address),
        cmocka_unit_test(loopback_is_all_of_127_and_one_of_ipv6),
        cmocka_unit_test(mapped_address_equals_the_ipv4_one),
        cmocka_unit_test(network_has_its_addresses),
        cmocka_unit_test(reverse_names_are_those_of_the_rfcs),
        cmocka_unit_test(names_cover_every_status),
        cmocka_unit_test(answer_gives_its_memory_back_and_may_be_ended_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
