/* SPDX-License-Identifier: ISC */
/* From DNS answers to hosts and addresses in their order. */
#include "tests/unit/unit.h"
#include "core/base/rng.h"
#include "core/mail/route.h"

struct mx {
    unsigned preference;
    const char *name;
};

/* Answers live in fixed arrays: nothing to free. */
static struct dns_record records[DNS_RECORDS_MAX];

static struct dns_answer mx_answer(const struct mx *mx, size_t n)
{
    memset(records, 0, sizeof(records));
    for (size_t i = 0; i < n; i++) {
        records[i].type = DNS_TYPE_MX;
        records[i].preference = (uint16_t)mx[i].preference;
        str_copy(str_of(mx[i].name), records[i].name, sizeof(records[i].name));
    }
    return (struct dns_answer){.status = DNS_OK, .n = n, .records = records};
}

static const struct route_self self = {.hostname = "Mail.Example.ORG"};

/* "a:10 b:20(skipped)" */
static void describe(const struct route *r, struct buf *out)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct route_host *h = &r->hosts[i];
        buf_printf(out, "%s%s:%u%s%s", i ? " " : "", h->name, h->preference,
                   h->is_implicit ? "(implicit)" : "", h->skipped ? "(skipped)" : "");
    }
}

static const struct {
    const char *name;
    struct mx mx[6];
    const char *want;  /* NULL: fails with */
    const char *cause; /* this */
    const char *enhanced;
} rows[] = {
    {"one", {{10, "mx.example.com"}}, "mx.example.com:10", NULL, NULL},
    {"sorted by preference",
     {{30, "c.example"}, {10, "a.example"}, {20, "b.example"}},
     "a.example:10 b.example:20 c.example:30",
     NULL,
     NULL},
    {"preference is a number",
     {{100, "b.example"}, {9, "a.example"}},
     "a.example:9 b.example:100",
     NULL,
     NULL},
    {"a name that stands twice keeps the better preference",
     {{20, "a.example"}, {10, "a.example"}, {15, "b.example"}},
     "a.example:10 b.example:15",
     NULL,
     NULL},
    {"null MX", {{0, ""}}, NULL, "dns null-mx", "5.1.10"},
    {"null MX of another preference", {{10, ""}}, NULL, "dns null-mx", "5.1.10"},
    {"a dot beside others is no null MX",
     {{0, ""}, {10, "a.example"}},
     ".:0(skipped) a.example:10",
     NULL,
     NULL},
    {"two dots are no null MX, and no host", {{0, ""}, {10, ""}}, NULL, "dns unusable-mx", "5.4.4"},
    {"address instead of a name",
     {{10, "192.0.2.1"}, {20, "a.example"}},
     "192.0.2.1:10(skipped) a.example:20",
     NULL,
     NULL},
    {"only an address", {{10, "192.0.2.1"}}, NULL, "dns unusable-mx", "5.4.4"},
    {"only localhost", {{10, "localhost"}}, NULL, "dns unusable-mx", "5.4.4"},
    {"we are the second: the third is cut too",
     {{10, "a.example"}, {20, "mail.example.org"}, {30, "c.example"}},
     "a.example:10 mail.example.org:20(skipped) c.example:30(skipped)",
     NULL,
     NULL},
    {"we are the best: nothing is left",
     {{10, "mail.example.org"}, {20, "b.example"}},
     NULL,
     "route loop",
     "5.4.6"},
    {"we are alone", {{10, "mail.example.org"}}, NULL, "route loop", "5.4.6"},
};

static void mx_answer_becomes_an_ordered_list(void **state)
{
    (void)state;
    struct rng r;
    rng_init_seed(&r, 12);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = 0;
        while (n < ARRAY_LEN(rows[i].mx) && rows[i].mx[n].name)
            n++;
        struct dns_answer a = mx_answer(rows[i].mx, n);
        struct route route;
        struct outcome why;
        struct buf got = BUF_INIT;
        char cause[48];
        const char *row = rows[i].name;
        enum route_verdict v = route_from_mx("example.com", &a, &self, &r, &route, &why);
        if (rows[i].cause) {
            row_int(row, v, ROUTE_FAIL);
            outcome_cause(&why, cause);
            row_text(row, cause, rows[i].cause);
            row_text(row, why.enhanced, rows[i].enhanced);
            row_int(row, why.class, OUTCOME_FAILED);
        } else if (rows[i].want) {
            row_int(row, v, ROUTE_OK);
            describe(&route, &got);
            row_text(row, buf_text(&got), rows[i].want);
        }
        buf_done(&got);
    }
}

static void equal_to_us_is_cut_and_better_stays(void **state)
{
    (void)state;
    static const struct mx mx[] = {
        {5, "a.example"}, {10, "mail.example.org"}, {10, "z.example"}, {10, "b.example"}};
    struct rng r;
    rng_init_seed(&r, 13);
    for (int k = 0; k < 50; k++) {
        struct dns_answer a = mx_answer(mx, ARRAY_LEN(mx));
        struct route route;
        struct outcome why;
        assert_int_equal(route_from_mx("example.com", &a, &self, &r, &route, &why), ROUTE_OK);
        assert_int_equal(route.n, 4);
        assert_string_equal(route.hosts[0].name, "a.example");
        assert_null(route.hosts[0].skipped);
        for (size_t i = 1; i < route.n; i++)
            assert_non_null(route.hosts[i].skipped);
    }
}

static void without_a_name_of_ours_nothing_is_cut(void **state)
{
    (void)state;
    static const struct route_self nobody = {0}, empty = {.hostname = ""};
    static const struct route_self *const selves[] = {NULL, &nobody, &empty};
    static const struct mx mx[] = {{10, "a.example"}, {20, ""}};
    struct rng r;
    rng_init_seed(&r, 23);
    for (size_t i = 0; i < ARRAY_LEN(selves); i++) {
        struct dns_answer a = mx_answer(mx, ARRAY_LEN(mx));
        struct route route;
        struct outcome why;
        assert_int_equal(route_from_mx("example.com", &a, selves[i], &r, &route, &why), ROUTE_OK);
        assert_null(route.hosts[0].skipped);
    }
}

static void a_kept_route_is_shuffled_anew_for_each_delivery(void **state)
{
    (void)state;
    static const struct mx mx[] = {{10, "a.example"}, {10, "b.example"}, {20, "c.example"}};
    struct dns_answer a = mx_answer(mx, ARRAY_LEN(mx));
    struct route route;
    struct outcome why;
    struct rng r;
    unsigned a_first = 0;
    rng_init_seed(&r, 24);
    route_from_mx("example.com", &a, &self, &r, &route, &why);
    for (int i = 0; i < 2000; i++) {
        route_shuffle(&route, &r);
        assert_string_equal(route.hosts[2].name, "c.example");
        a_first += route.hosts[0].name[0] == 'a';
    }
    assert_in_range(a_first, 900, 1100);
}

static void null_mx_says_556_and_that_the_domain_takes_no_mail(void **state)
{
    (void)state;
    static const struct mx mx[] = {{0, ""}};
    struct dns_answer a = mx_answer(mx, 1);
    struct route route;
    struct outcome why;
    struct buf text = BUF_INIT;
    assert_int_equal(route_from_mx("example.com", &a, NULL, NULL, &route, &why), ROUTE_FAIL);
    assert_int_equal(why.code, 556);
    outcome_sentence(&why, &text);
    assert_string_equal(buf_text(&text), "Domain example.com does not accept mail (nullMX)");
    buf_done(&text);
}

static const struct {
    enum dns_status status;
    unsigned rcode;
    enum route_verdict verdict;
    enum outcome_class class;
    const char *enhanced, *cause;
} status_rows[] = {
    {DNS_NODATA, 0, ROUTE_OK, OUTCOME_DELIVERED, "", ""},
    {DNS_NXDOMAIN, 3, ROUTE_FAIL, OUTCOME_FAILED, "5.1.2", "dns NXDOMAIN"},
    {DNS_TEMP, 2, ROUTE_FAIL, OUTCOME_DEFERRED, "4.4.3", "dns SERVFAIL"},
    {DNS_TEMP, 0, ROUTE_FAIL, OUTCOME_DEFERRED, "4.4.3", "dns TEMP"},
    {DNS_BAD, 0, ROUTE_FAIL, OUTCOME_DEFERRED, "4.4.3", "dns malformed"},
    {DNS_OK, 0, ROUTE_FAIL, OUTCOME_DEFERRED, "4.4.3", "dns malformed"}, /* no MX inside */
};

static void only_nodata_gives_the_implicit_mx(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(status_rows); i++) {
        struct dns_answer a = {.status = status_rows[i].status, .rcode = status_rows[i].rcode};
        struct route route;
        struct outcome why;
        struct rng r;
        char cause[48];
        const char *row = status_rows[i].cause;
        rng_init_seed(&r, 14);
        enum route_verdict v = route_from_mx("example.com", &a, &self, &r, &route, &why);
        row_int(row, v, status_rows[i].verdict);
        if (v == ROUTE_OK) {
            row_int(row, route.n, 1);
            row_text(row, route.hosts[0].name, "example.com");
            row_int(row, route.hosts[0].is_implicit, true);
            row_int(row, route.hosts[0].preference, 0);
            continue;
        }
        outcome_cause(&why, cause);
        row_text(row, cause, status_rows[i].cause);
        row_int(row, why.class, status_rows[i].class);
        row_text(row, why.enhanced, status_rows[i].enhanced);
    }
}

static void our_own_domain_without_mx_is_a_loop(void **state)
{
    (void)state;
    struct dns_answer a = {.status = DNS_NODATA};
    struct route route;
    struct outcome why;
    struct rng r;
    rng_init_seed(&r, 15);
    assert_int_equal(route_from_mx("mail.example.org", &a, &self, &r, &route, &why), ROUTE_FAIL);
    assert_string_equal(why.enhanced, "5.4.6");
    assert_string_equal(why.text, "mail for mail.example.org loops back to myself");
}

/* Four equals have 24 orders; each must come about as often as the others. Chi-squared with 23
 * degrees of freedom: 49.7 is passed once in a thousand seeds, and the seed is fixed. */
static void equals_are_shuffled_uniformly(void **state)
{
    (void)state;
    enum { ROUNDS = 24000 };
    static const struct mx mx[] = {
        {10, "a.example"}, {10, "b.example"}, {10, "c.example"}, {10, "d.example"}};
    struct dns_answer a = mx_answer(mx, ARRAY_LEN(mx));
    unsigned seen[256] = {0};
    struct rng r;
    rng_init_seed(&r, 16);
    for (int i = 0; i < ROUNDS; i++) {
        struct route route;
        struct outcome why;
        unsigned order = 0;
        route_from_mx("example.com", &a, &self, &r, &route, &why);
        for (size_t k = 0; k < 4; k++)
            order = order * 4 + (unsigned)(route.hosts[k].name[0] - 'a');
        seen[order]++;
    }
    double chi = 0, want = ROUNDS / 24.0;
    unsigned orders = 0;
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        if (!seen[i])
            continue;
        orders++;
        chi += (seen[i] - want) * (seen[i] - want) / want;
    }
    assert_int_equal(orders, 24);
    assert_true(chi < 49.7);
}

static void shuffle_never_crosses_a_preference(void **state)
{
    (void)state;
    static const struct mx mx[] = {{10, "a.example"}, {20, "b.example"}, {20, "c.example"},
                                   {30, "d.example"}, {10, "e.example"}, {30, "f.example"}};
    struct rng r;
    rng_init_seed(&r, 17);
    for (int i = 0; i < 1000; i++) {
        struct dns_answer a = mx_answer(mx, ARRAY_LEN(mx));
        struct route route;
        struct outcome why;
        route_from_mx("example.com", &a, &self, &r, &route, &why);
        for (size_t k = 1; k < route.n; k++)
            assert_true(route.hosts[k - 1].preference <= route.hosts[k].preference);
    }
}

static void many_records_are_capped_and_the_best_stay(void **state)
{
    (void)state;
    struct mx mx[DNS_RECORDS_MAX];
    char names[DNS_RECORDS_MAX][32];
    for (size_t i = 0; i < ARRAY_LEN(mx); i++) {
        snprintf(names[i], sizeof(names[i]), "mx%03zu.example", i);
        mx[i] = (struct mx){(unsigned)(1000 - i), names[i]};
    }
    struct dns_answer a = mx_answer(mx, ARRAY_LEN(mx));
    struct route route;
    struct outcome why;
    struct rng r;
    rng_init_seed(&r, 18);
    assert_int_equal(route_from_mx("example.com", &a, &self, &r, &route, &why), ROUTE_OK);
    assert_int_equal(route.n, ROUTE_HOSTS_MAX);
    assert_string_equal(route.hosts[0].name, "mx127.example");
}

static void site_is_the_same_in_every_order_and_for_every_set_of_the_same_best_hosts(void **state)
{
    (void)state;
    struct mx mx[] = {{10, "mx2.example.com"},
                      {10, "mx1.example.com"},
                      {20, "backup.example"},
                      {10, "mx3.example.com"}};
    struct rng r;
    rng_init_seed(&r, 19);
    for (int i = 0; i < 500; i++) {
        size_t x = rng_below(&r, 4), y = rng_below(&r, 4);
        struct mx tmp = mx[x];
        mx[x] = mx[y];
        mx[y] = tmp;
        struct dns_answer a = mx_answer(mx, ARRAY_LEN(mx));
        struct route route;
        struct outcome why;
        char site[DNS_NAME_MAX + 1];
        route_from_mx("example.com", &a, &self, &r, &route, &why);
        route_site(&route, site);
        assert_string_equal(site, "mx1.example.com+mx2.example.com+mx3.example.com");
    }
}

static void long_site_is_cut_with_a_hash_that_tells_it_apart(void **state)
{
    (void)state;
    enum { HOSTS = 60 }; /* more than fit, and more equals than the cap */
    struct mx mx[HOSTS];
    char names[HOSTS][64], first[DNS_NAME_MAX + 1] = "";
    struct rng r;
    rng_init_seed(&r, 20);
    for (size_t i = 0; i < HOSTS; i++) {
        snprintf(names[i], sizeof(names[i]), "mx%02zu.a-rather-long-name.example.com", i);
        mx[i] = (struct mx){10, names[i]};
    }
    for (int i = 0; i < 50; i++) {
        struct dns_answer a = mx_answer(mx, HOSTS);
        struct route route;
        struct outcome why;
        char site[DNS_NAME_MAX + 1];
        route_from_mx("example.com", &a, &self, &r, &route, &why);
        route_site(&route, site);
        assert_int_equal(strlen(site), DNS_NAME_MAX);
        if (i > 0)
            assert_string_equal(site, first);
        memcpy(first, site, sizeof(first));
    }
    names[19][2] = '9'; /* differs only in what is cut away */
    struct dns_answer a = mx_answer(mx, HOSTS);
    struct route route;
    struct outcome why;
    char site[DNS_NAME_MAX + 1];
    route_from_mx("example.com", &a, &self, &r, &route, &why);
    route_site(&route, site);
    assert_string_not_equal(site, first);
    assert_memory_equal(site, first, 200);
}

static void site_leaves_out_what_is_skipped(void **state)
{
    (void)state;
    static const struct mx mx[] = {{0, ""}, {10, "a.example"}, {20, "b.example"}};
    struct dns_answer a = mx_answer(mx, ARRAY_LEN(mx));
    struct route route, empty = {0};
    struct outcome why;
    struct rng r;
    char site[DNS_NAME_MAX + 1];
    rng_init_seed(&r, 21);
    route_from_mx("example.com", &a, &self, &r, &route, &why);
    route_site(&route, site);
    assert_string_equal(site, "a.example");
    route_site(&empty, site);
    assert_string_equal(site, "");
}

static void literal_is_its_own_route(void **state)
{
    (void)state;
    struct route route;
    struct ip ip;
    char text[48], site[DNS_NAME_MAX + 1];
    assert_true(route_from_literal("[192.0.2.1]", &route, &ip));
    assert_string_equal(ip_text(&ip, text), "192.0.2.1");
    route_site(&route, site);
    assert_string_equal(site, "[192.0.2.1]");
    assert_true(route_from_literal("[ipv6:2001:db8::1]", &route, &ip));
    assert_string_equal(ip_text(&ip, text), "2001:db8::1");
    assert_false(route_from_literal("example.com", &route, &ip));
    assert_false(route_from_literal("[example.com]", &route, &ip));
    assert_false(route_from_literal("[", &route, &ip));
    assert_false(route_from_literal("", &route, &ip));
}

static struct dns_record target_records[2][16];

/* "192.0.2.1 192.0.2.2" to an answer. */
static struct dns_answer ip_answer(int slot, const char *list)
{
    struct dns_answer a = {.status = DNS_NODATA, .records = target_records[slot]};
    struct str rest = str_of(list);
    memset(target_records[slot], 0, sizeof(target_records[slot]));
    while (rest.n > 0) {
        struct dns_record *rec = &target_records[slot][a.n++];
        if (!ip_parse(str_split(&rest, ' '), &rec->ip))
            fail_msg("not an address in \"%s\"", list);
        rec->type = rec->ip.family == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
        a.status = DNS_OK;
    }
    return a;
}

static const struct {
    const char *name, *a, *aaaa;
    bool prefer_v6, allow_loopback;
    const char *want;
    size_t left_out;
} target_rows[] = {
    {"IPv4 alone, in the resolver's order", "192.0.2.2 192.0.2.1", "", false, false,
     "192.0.2.2 192.0.2.1", 0},
    {"IPv6 alone", "", "2001:db8::1", false, false, "2001:db8::1", 0},
    {"interleaved, IPv4 first", "192.0.2.1 192.0.2.2", "2001:db8::1 2001:db8::2", false, false,
     "192.0.2.1 2001:db8::1 192.0.2.2 2001:db8::2", 0},
    {"interleaved, IPv6 first", "192.0.2.1 192.0.2.2", "2001:db8::1 2001:db8::2", true, false,
     "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2", 0},
    {"one family is longer", "192.0.2.1 192.0.2.2 192.0.2.3", "2001:db8::1", true, false,
     "2001:db8::1 192.0.2.1 192.0.2.2 192.0.2.3", 0},
    {"the other family is longer", "192.0.2.1", "2001:db8::1 2001:db8::2 2001:db8::3", false, false,
     "192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3", 0},
    {"duplicates once", "192.0.2.1 192.0.2.1", "", false, false, "192.0.2.1", 0},
    {"loopback is left out", "127.0.0.1 192.0.2.1", "::1", false, false, "192.0.2.1", 2},
    {"mapped loopback is left out", "", "::ffff:127.0.0.1", false, false, "", 1},
    {"loopback in the laboratory", "127.0.0.3", "::1", false, true, "127.0.0.3 ::1", 0},
    {"no destination", "0.0.0.0 224.0.0.1 255.255.255.255", ":: ff02::1", false, true, "", 5},
    {"our own address", "198.51.100.7 192.0.2.1", "", false, false, "192.0.2.1", 1},
    {"our own address in the laboratory", "198.51.100.7", "", false, true, "", 1},
    {"ten at most", "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7",
     "2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4", false, false,
     "192.0.2.1 2001:db8::1 192.0.2.2 2001:db8::2 192.0.2.3 2001:db8::3 192.0.2.4 2001:db8::4 "
     "192.0.2.5 192.0.2.6",
     0},
    {"none", "", "", false, false, "", 0},
};

static void addresses_become_targets(void **state)
{
    (void)state;
    struct ip ours;
    ip_parse(STR("198.51.100.7"), &ours);
    const struct route_self me = {.hostname = "mail.example.org", .ips = &ours, .ips_n = 1};
    for (size_t i = 0; i < ARRAY_LEN(target_rows); i++) {
        struct dns_answer a = ip_answer(0, target_rows[i].a);
        struct dns_answer aaaa = ip_answer(1, target_rows[i].aaaa);
        struct targets t = {0};
        struct buf got = BUF_INIT;
        const char *why = NULL, *row = target_rows[i].name;
        size_t left_out = route_add_targets(&t, 3, &a, &aaaa, target_rows[i].prefer_v6,
                                            target_rows[i].allow_loopback, &me, &why);
        for (size_t k = 0; k < t.n; k++) {
            char text[48];
            row_int(row, t.t[k].host, 3);
            buf_printf(&got, "%s%s", k ? " " : "", ip_text(&t.t[k].ip, text));
        }
        row_text(row, buf_text(&got), target_rows[i].want);
        row_int(row, left_out, target_rows[i].left_out);
        row_int(row, why != NULL, left_out > 0);
        buf_done(&got);
    }
}

static void second_host_stands_behind_the_first(void **state)
{
    (void)state;
    struct targets t = {0};
    const char *why = NULL;
    struct dns_answer a = ip_answer(0, "192.0.2.1");
    route_add_targets(&t, 0, &a, NULL, false, false, NULL, &why);
    a = ip_answer(0, "192.0.2.1 192.0.2.2");
    route_add_targets(&t, 1, &a, NULL, false, false, NULL, &why);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.t[0].host, 0);
    assert_int_equal(t.t[1].host, 1);
    struct dns_answer failed = {.status = DNS_TEMP};
    assert_int_equal(route_add_targets(&t, 2, &failed, NULL, false, false, NULL, &why), 0);
    assert_int_equal(t.n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mx_answer_becomes_an_ordered_list),
        cmocka_unit_test(equal_to_us_is_cut_and_better_stays),
        cmocka_unit_test(without_a_name_of_ours_nothing_is_cut),
        cmocka_unit_test(a_kept_route_is_shuffled_anew_for_each_delivery),
        cmocka_unit_test(null_mx_says_556_and_that_the_domain_takes_no_mail),
        cmocka_unit_test(only_nodata_gives_the_implicit_mx),
        cmocka_unit_test(our_own_domain_without_mx_is_a_loop),
        cmocka_unit_test(equals_are_shuffled_uniformly),
        cmocka_unit_test(shuffle_never_crosses_a_preference),
        cmocka_unit_test(many_records_are_capped_and_the_best_stay),
        cmocka_unit_test(site_is_the_same_in_every_order_and_for_every_set_of_the_same_best_hosts),
        cmocka_unit_test(long_site_is_cut_with_a_hash_that_tells_it_apart),
        cmocka_unit_test(site_leaves_out_what_is_skipped),
        cmocka_unit_test(literal_is_its_own_route),
        cmocka_unit_test(addresses_become_targets),
        cmocka_unit_test(second_host_stands_behind_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
