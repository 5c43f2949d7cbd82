/* SPDX-License-Identifier: ISC */
/* What the DNS cache keeps, for how long, and how it stays small. */
#include "tests/unit/unit.h"

#include "core/net/dnscache.h"

static struct dnscache *cache;

static int setup(void **state)
{
    (void)state;
    cache = dnscache_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dnscache_free(cache);
    return 0;
}

static void put(const char *key, enum dns_status status, uint32_t ttl_s, int64_t now)
{
    dnscache_put(cache, key, &(struct dns_answer){.status = status, .ttl_s = ttl_s}, now);
}

static bool has(const char *key, int64_t now)
{
    struct dns_answer a;
    bool is_there = dnscache_get(cache, key, now, &a);

    if (is_there)
        dns_answer_done(&a);
    return is_there;
}

static void an_answer_lives_as_long_as_its_ttl_within_limits(void **state)
{
    static const struct {
        const char *name;
        enum dns_status status;
        uint32_t ttl_s;
        int64_t want_ms;
    } rows[] = {
        {"a minute", DNS_OK, 60, 60000},
        {"nothing is five seconds", DNS_OK, 0, 5000},
        {"a week is an hour", DNS_OK, 604800, 3600000},
        {"no such name ends mail for good: not kept", DNS_NXDOMAIN, 30, 0},
        {"no such type", DNS_NODATA, 30, 30000},
        {"a failure is not kept", DNS_TEMP, 60, 0},
        {"a malformed answer is not kept", DNS_BAD, 60, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put("1 a", rows[i].status, rows[i].ttl_s, 1000);
        if (rows[i].want_ms)
            row_int(rows[i].name, has("1 a", 1000 + rows[i].want_ms - 1), true);
        row_int(rows[i].name, has("1 a", 1000 + rows[i].want_ms), false);
    }
    assert_int_equal(dnscache_count(cache), 0);
}

static void the_copy_is_deep_and_its_ttl_runs_down(void **state)
{
    char text[] = "v=spf1 -all";
    struct dns_record r = {.type = DNS_TYPE_TXT, .text = text, .text_n = sizeof(text) - 1};
    const struct dns_answer a = {.status = DNS_OK, .ttl_s = 60, .n = 1, .records = &r};
    struct dns_answer got;

    (void)state;
    dnscache_put(cache, "16 a", &a, 0);
    text[0] = 'X';
    assert_true(dnscache_get(cache, "16 a", 20500, &got));
    assert_string_equal(got.records[0].text, "v=spf1 -all");
    assert_int_equal(got.ttl_s, 40);
    dns_answer_done(&got);
}

static void a_newer_answer_replaces_the_older(void **state)
{
    struct dns_answer got;

    (void)state;
    put("1 a", DNS_OK, 60, 0);
    put("1 a", DNS_NODATA, 60, 0);
    assert_int_equal(dnscache_count(cache), 1);
    assert_true(dnscache_get(cache, "1 a", 0, &got));
    assert_int_equal(got.status, DNS_NODATA);
}

static void the_longest_unused_makes_room(void **state)
{
    (void)state;
    for (int i = 0; i < DNSCACHE_ENTRIES_MAX; i++) {
        char key[32];

        snprintf(key, sizeof(key), "1 n%d", i);
        put(key, DNS_NODATA, 3600, 0);
    }
    size_t full = dnscache_count(cache);

    assert_true(has("1 n9990", 0));
    for (size_t i = 0; i < full - 1; i++) {
        char key[32];

        snprintf(key, sizeof(key), "1 m%zu", i);
        put(key, DNS_NODATA, 3600, 0);
    }
    assert_int_equal(dnscache_count(cache), full);
    assert_true(has("1 n9990", 0));
    assert_false(has("1 n9991", 0));
}

static void large_answers_are_bounded_in_bytes(void **state)
{
    struct dns_record *r = calloc(DNS_RECORDS_MAX, sizeof(*r));
    const struct dns_answer a = {.status = DNS_OK, .ttl_s = 60, .n = DNS_RECORDS_MAX, .records = r};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char key[32];

        snprintf(key, sizeof(key), "1 n%d", i);
        dnscache_put(cache, key, &a, 0);
    }
    assert_true(dnscache_count(cache) * DNS_RECORDS_MAX * sizeof(*r) <= DNSCACHE_BYTES_MAX);
    assert_true(dnscache_count(cache) > 100);
    assert_true(has("1 n999", 0));
    assert_false(has("1 n0", 0));
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(an_answer_lives_as_long_as_its_ttl_within_limits),
        T(the_copy_is_deep_and_its_ttl_runs_down),
        T(a_newer_answer_replaces_the_older),
        T(the_longest_unused_makes_room),
        T(large_answers_are_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
