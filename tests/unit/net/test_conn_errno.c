/* SPDX-License-Identifier: ISC */
/*
 * Every errno of a connect that an operator is told about, made for real by the kernel: in a network
 * namespace of the test's own, with routes that prohibit, are unreachable, lead nowhere, or are not
 * there. Skipped where namespaces are not allowed.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include "core/net/conn.h"

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return;
    fputs(text, f);
    fclose(f);
}

static bool enter_namespace(void)
{
    char map[64];

    if (unshare(CLONE_NEWNET) == 0)
        return true;
    snprintf(map, sizeof(map), "0 %u 1", getuid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", map);
    return true;
}

static bool lay_routes(void)
{
    /* Two SYNs instead of seven: three seconds instead of two minutes. */
    write_file("/proc/sys/net/ipv4/tcp_syn_retries", "1");
    /* What goes out by lo to an address that nobody has comes back in and is dropped. */
    return system("ip link set lo up && ip address add 198.51.100.1/32 dev lo && "
                  "ip route add prohibit 192.0.2.1 && ip route add unreachable 192.0.2.2 && "
                  "ip route add 192.0.2.4 dev lo src 198.51.100.1") == 0;
}

static const struct {
    const char *ip, *source;
    int want;
} rows[] = {
    {"192.0.2.1", NULL, EACCES},        {"192.0.2.2", NULL, EHOSTUNREACH},
    {"192.0.2.3", NULL, ENETUNREACH},   {"192.0.2.4", NULL, ETIMEDOUT},
    {"2001:db8::1", NULL, ENETUNREACH}, {"127.0.0.1", NULL, ECONNREFUSED},
    {"::1", NULL, ECONNREFUSED},        {"127.0.0.1", "192.0.2.77", EADDRNOTAVAIL},
    {"127.0.0.1", "::1", EAFNOSUPPORT},
};

static int got[ARRAY_LEN(rows)];
static size_t got_n;
static struct loop *loop;

static void closed(void *arg, int sys)
{
    got[(size_t)((uintptr_t)arg)] = sys;
    if (++got_n == ARRAY_LEN(rows))
        loop_stop(loop);
}

static const struct conn_handlers handlers = {.closed = closed};

static void every_errno_of_a_connect_arrives_as_it_is(void **state)
{
    (void)state;
    loop = loop_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip, source = {0};

        assert_true(ip_parse(str_of(rows[i].ip), &ip));
        if (rows[i].source)
            assert_true(ip_parse(str_of(rows[i].source), &source));
        conn_connect(loop, &ip, 25, rows[i].source ? &source : NULL, &handlers, (void *)i);
    }
    assert_int_equal(got_n, 0);
    loop_run_for(loop, 20000);
    loop_free(loop);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_text(rows[i].ip, strerror(got[i]), strerror(rows[i].want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_errno_of_a_connect_arrives_as_it_is)};

    if (!enter_namespace() || !lay_routes())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
