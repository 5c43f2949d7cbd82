/* SPDX-License-Identifier: ISC */
/* Connections and listeners over loopback and Unix sockets, both ends on one loop. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "core/net/conn.h"
#include "tests/unit/net/certs.h"

static struct loop *loop;
static char folder[] = "/tmp/mxhelm-conn-XXXXXX";
static struct certs certs;
static struct tls_ctx *server_ctx, *trusting;
static const struct ip v4 = {.family = 4, .bytes = {127, 0, 0, 1}};
static const struct ip v6 = {.family = 6, .bytes = {[15] = 1}};

/* One end of a connection, and all that was told about it. */
struct end {
    struct conn *conn;
    struct buf got;
    bool is_connected, is_closed;
    int sys;
    int drained;
    struct tls_facts facts;
    struct peer peer;
    void (*on_data)(struct end *e);
};

static struct end client, server;
static void (*on_accept)(struct end *e);

static void connected(void *arg)
{
    struct end *e = arg;
    e->is_connected = true;
}

static void data(void *arg, struct str bytes)
{
    struct end *e = arg;
    buf_add_str(&e->got, bytes);
    if (e->on_data)
        e->on_data(e);
}

static void drained(void *arg)
{
    struct end *e = arg;
    e->drained++;
    assert_int_equal(conn_unsent(e->conn), 0);
}

static void tls_done(void *arg, const struct tls_facts *facts)
{
    struct end *e = arg;
    e->facts = *facts;
}

static void closed(void *arg, int sys)
{
    struct end *e = arg;
    assert_false(e->is_closed);
    e->is_closed = true;
    e->sys = sys;
    e->conn = NULL;
}

static const struct conn_handlers handlers = {connected, data, drained, tls_done, closed};

static void accepted(void *arg, struct conn *c, const struct peer *p)
{
    (void)arg;
    assert_null(server.conn);
    server.conn = c;
    server.peer = *p;
    conn_set_handlers(c, &handlers, &server);
    if (on_accept)
        on_accept(&server);
}

static void end_reset(struct end *e)
{
    buf_done(&e->got);
    memset(e, 0, sizeof(*e));
}

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    end_reset(&client);
    end_reset(&server);
    on_accept = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (client.conn)
        conn_close(client.conn, false);
    if (server.conn)
        conn_close(server.conn, false);
    loop_free(loop);
    end_reset(&client);
    end_reset(&server);
    return 0;
}

static int group_setup(void **state)
{
    struct err err = ERR_NONE;

    (void)state;
    assert_non_null(mkdtemp(folder));
    certs_make(&certs, folder);
    assert_int_equal(tls_server_ctx_new(certs.cert, certs.key, &server_ctx, &err), 0);
    assert_int_equal(tls_ctx_new(certs.cert, &trusting, &err), 0);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_ctx_free(server_ctx);
    tls_ctx_free(trusting);
    certs_remove(&certs);
    rmdir(folder);
    return 0;
}

/* Turn the loop until *what, for at most five seconds. */
static void until(const bool *what)
{
    for (int i = 0; i < 1000 && !*what; i++)
        loop_run_for(loop, 5);
    assert_true(*what);
}

static void until_got(struct end *e, size_t n)
{
    for (int i = 0; i < 1000 && e->got.n < n; i++)
        loop_run_for(loop, 5);
    assert_int_equal(e->got.n, n);
}

static struct listener *listen_on(const struct ip *ip)
{
    struct err err = ERR_NONE;
    struct listener *l = NULL;

    if (listener_tcp(loop, ip, 0, 16, accepted, NULL, &l, &err) != 0)
        fail_msg("%s", err.text);
    return l;
}

static void dial(const struct ip *ip, uint16_t port)
{
    client.conn = conn_connect(loop, ip, port, NULL, &handlers, &client);
    assert_false(client.is_closed);
}

static void say_hello(struct end *e)
{
    conn_write(e->conn, STR("220 hello\r\n"));
}

static void echo(struct end *e)
{
    conn_write(e->conn, buf_str(&e->got));
    buf_clear(&e->got);
}

static void bytes_go_both_ways(const struct ip *ip)
{
    struct listener *l = listen_on(ip);
    struct ip local;
    uint16_t port;

    on_accept = say_hello;
    server.on_data = echo;
    dial(ip, listener_port(l));
    conn_write(client.conn, STR("early\r\n"));
    until_got(&client, 18);
    assert_true(client.is_connected);
    assert_string_equal(buf_text(&client.got), "220 hello\r\nearly\r\n");
    assert_true(conn_local(client.conn, &local, &port));
    assert_true(ip_eq(&local, ip));
    assert_true(ip_eq(&server.peer.ip, ip));
    assert_int_equal(server.peer.port, port);
    assert_true(conn_local(server.conn, &local, &port));
    assert_int_equal(port, listener_port(l));
    listener_free(l);
}

static void bytes_go_both_ways_over_ipv4(void **state)
{
    (void)state;
    bytes_go_both_ways(&v4);
}

static void bytes_go_both_ways_over_ipv6(void **state)
{
    (void)state;
    bytes_go_both_ways(&v6);
}

static void the_source_address_is_the_one_asked_for(void **state)
{
    (void)state;
    const struct ip source = {.family = 4, .bytes = {127, 0, 0, 9}};
    struct listener *l = listen_on(&v4);

    client.conn = conn_connect(loop, &v4, listener_port(l), &source, &handlers, &client);
    until(&client.is_connected);
    until_got(&server, 0);
    loop_run_for(loop, 10);
    assert_true(ip_eq(&server.peer.ip, &source));
    listener_free(l);
}

static void a_source_address_that_is_not_ours_is_told_as_such(void **state)
{
    (void)state;
    const struct ip source = {.family = 4, .bytes = {192, 0, 2, 1}};

    client.conn = conn_connect(loop, &v4, 1, &source, &handlers, &client);
    until(&client.is_closed);
    assert_int_equal(client.sys, EADDRNOTAVAIL);
}

static void refusal_is_told_by_closed(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);
    uint16_t port = listener_port(l);

    listener_free(l);
    dial(&v4, port);
    conn_write(client.conn, STR("EHLO\r\n"));
    until(&client.is_closed);
    assert_int_equal(client.sys, ECONNREFUSED);
    assert_false(client.is_connected);
}

static void what_the_kernel_refuses_at_once_comes_later_too(void **state)
{
    (void)state;
    /* The broadcast address: connect(2) itself says ENETUNREACH. */
    const struct ip broadcast = {.family = 4, .bytes = {255, 255, 255, 255}};

    dial(&broadcast, 25);
    until(&client.is_closed);
    assert_true(client.sys == ENETUNREACH || client.sys == EACCES);
}

static void closing_before_the_connect_fails_tells_nothing(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);
    uint16_t port = listener_port(l);

    listener_free(l);
    dial(&v4, port);
    conn_close(client.conn, true);
    client.conn = NULL;
    loop_run_for(loop, 20);
    assert_false(client.is_closed);
    /* Nor when it has failed already, and was not told yet. */
    const struct ip broadcast = {.family = 4, .bytes = {255, 255, 255, 255}};

    dial(&broadcast, 25);
    conn_close(client.conn, false);
    client.conn = NULL;
    loop_run_for(loop, 20);
    assert_false(client.is_closed);
}

static void an_orderly_end_is_zero(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    dial(&v4, listener_port(l));
    until(&client.is_connected);
    loop_run_for(loop, 10);
    conn_write(server.conn, STR("421 closing\r\n"));
    conn_close(server.conn, true);
    server.conn = NULL;
    until(&client.is_closed);
    assert_int_equal(client.sys, 0);
    assert_string_equal(buf_text(&client.got), "421 closing\r\n");
    listener_free(l);
}

static void a_last_reply_survives_unread_input(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    dial(&v4, listener_port(l));
    until(&client.is_connected);
    loop_run_for(loop, 10);
    /* The server reads nothing of this, answers and hangs up: no reset may overtake the answer. */
    conn_pause(server.conn, true);
    for (int i = 0; i < 100; i++)
        conn_write(client.conn, STR("MAIL FROM:<a@b.example>\r\n"));
    loop_run_for(loop, 10);
    conn_write(server.conn, STR("421 too busy\r\n"));
    conn_close(server.conn, true);
    server.conn = NULL;
    until(&client.is_closed);
    assert_int_equal(client.sys, 0);
    assert_string_equal(buf_text(&client.got), "421 too busy\r\n");
    listener_free(l);
}

static void a_reset_is_told_as_such(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    dial(&v4, listener_port(l));
    until(&client.is_connected);
    loop_run_for(loop, 10);
    conn_pause(server.conn, true);
    conn_write(client.conn, STR("unread"));
    loop_run_for(loop, 10);
    conn_close(server.conn, false);
    server.conn = NULL;
    until(&client.is_closed);
    assert_int_equal(client.sys, ECONNRESET);
    listener_free(l);
}

static void a_reset_behind_the_last_reply_is_told_as_such(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    dial(&v4, listener_port(l));
    until(&client.is_connected);
    loop_run_for(loop, 10);
    conn_pause(server.conn, true);
    conn_write(client.conn, STR("unread"));
    loop_run_for(loop, 10);
    conn_write(server.conn, STR("421 gone\r\n"));
    conn_close(server.conn, false);
    server.conn = NULL;
    until(&client.is_closed);
    assert_string_equal(buf_text(&client.got), "421 gone\r\n");
    assert_int_equal(client.sys, ECONNRESET);
    listener_free(l);
}

static void a_slow_reader_stops_the_writer_and_loses_nothing(void **state)
{
    (void)state;
    enum { BLOCK = 100000, BLOCKS = 300 };
    struct listener *l = listen_on(&v4);
    char *block = calloc(1, BLOCK);

    on_accept = NULL;
    dial(&v4, listener_port(l));
    until(&client.is_connected);
    loop_run_for(loop, 10);
    conn_pause(server.conn, true);
    for (int i = 0; i < BLOCKS; i++) {
        memset(block, 'a' + i % 26, BLOCK);
        conn_write(client.conn, (struct str){block, BLOCK});
    }
    loop_run_for(loop, 50);
    assert_true(conn_unsent(client.conn) > 1000000);
    assert_int_equal(client.drained, 0);
    conn_pause(server.conn, false);
    until_got(&server, (size_t)BLOCK * BLOCKS);
    loop_run_for(loop, 10);
    assert_int_equal(client.drained, 1);
    for (int i = 0; i < BLOCKS; i++) {
        assert_int_equal(server.got.p[(size_t)i * BLOCK], 'a' + i % 26);
        assert_int_equal(server.got.p[(size_t)i * BLOCK + BLOCK - 1], 'a' + i % 26);
    }
    free(block);
    listener_free(l);
}

static void pause_self(struct end *e)
{
    conn_pause(e->conn, true);
}

static void a_paused_connection_meets_data_and_end_when_it_goes_on(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    client.on_data = pause_self;
    dial(&v4, listener_port(l));
    until(&client.is_connected);
    loop_run_for(loop, 10);
    conn_write(server.conn, STR("220 one\r\n"));
    until_got(&client, 9);
    conn_write(server.conn, STR("220 two\r\n"));
    conn_close(server.conn, true);
    server.conn = NULL;
    loop_run_for(loop, 30);
    assert_int_equal(client.got.n, 9);
    assert_false(client.is_closed);
    client.on_data = NULL;
    conn_pause(client.conn, false);
    until(&client.is_closed);
    assert_string_equal(buf_text(&client.got), "220 one\r\n220 two\r\n");
    listener_free(l);
}

static void what_was_unsent_at_close_is_flushed(void **state)
{
    (void)state;
    enum { BLOCK = 100000, BLOCKS = 100 };
    struct listener *l = listen_on(&v4);
    char *block = calloc(1, BLOCK);

    dial(&v4, listener_port(l));
    until(&client.is_connected);
    loop_run_for(loop, 10);
    conn_pause(server.conn, true);
    for (int i = 0; i < BLOCKS; i++)
        conn_write(client.conn, (struct str){block, BLOCK});
    conn_close(client.conn, true);
    client.conn = NULL;
    loop_run_for(loop, 10);
    conn_pause(server.conn, false);
    until(&server.is_closed);
    assert_int_equal(server.got.n, (size_t)BLOCK * BLOCKS);
    assert_int_equal(server.sys, 0);
    free(block);
    listener_free(l);
}

static void close_self(struct end *e)
{
    conn_close(e->conn, false);
    e->conn = NULL;
}

static void a_handler_may_close_its_connection(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    on_accept = say_hello;
    client.on_data = close_self;
    dial(&v4, listener_port(l));
    until(&server.is_closed);
    assert_false(client.is_closed);
    assert_int_equal(client.got.n, 11);
    listener_free(l);
}

/* TLS */

static void accept_tls(struct end *e)
{
    conn_accept_tls(e->conn, server_ctx);
    conn_write(e->conn, STR("220 secret\r\n"));
}

static void start_tls(const char *name, bool is_verified)
{
    const struct tls_want want = {.name = name, .is_verified = is_verified};
    conn_start_tls(client.conn, trusting, &want);
}

static void tls_carries_bytes_both_ways(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    on_accept = accept_tls;
    server.on_data = echo;
    dial(&v4, listener_port(l));
    until(&client.is_connected);
    start_tls(CERT_NAME, true);
    conn_write(client.conn, STR("EHLO\r\n"));
    assert_int_equal(conn_unsent(client.conn), 6);
    until_got(&client, 18);
    assert_int_equal(client.drained, 1);
    assert_string_equal(buf_text(&client.got), "220 secret\r\nEHLO\r\n");
    assert_int_equal(client.facts.state, TLS_VERIFIED);
    assert_int_equal(server.facts.state, TLS_ENCRYPTED);
    conn_close(server.conn, true);
    server.conn = NULL;
    until(&client.is_closed);
    assert_int_equal(client.sys, 0);
    listener_free(l);
}

static void a_wrong_name_ends_a_verified_connection(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    on_accept = accept_tls;
    dial(&v4, listener_port(l));
    until(&client.is_connected);
    start_tls("other.example.test", true);
    conn_write(client.conn, STR("AUTH PLAIN secret\r\n"));
    until(&client.is_closed);
    assert_int_equal(client.facts.state, TLS_FAILED);
    assert_string_equal(client.facts.why, "the certificate is for another name");
    assert_int_equal(client.sys, EPROTO);
    loop_run_for(loop, 20);
    assert_int_equal(server.got.n, 0);
    listener_free(l);
}

static void garbage_instead_of_tls_ends_the_connection(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    server.on_data = say_hello;
    dial(&v4, listener_port(l));
    until(&client.is_connected);
    start_tls(CERT_NAME, false);
    until(&client.is_closed);
    assert_int_equal(client.facts.state, TLS_FAILED);
    assert_non_null(strstr(client.facts.why, "not TLS"));
    assert_int_equal(client.got.n, 0);
    listener_free(l);
}

static void an_end_during_the_handshake_is_a_failed_handshake(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    server.on_data = close_self;
    dial(&v4, listener_port(l));
    until(&client.is_connected);
    start_tls(CERT_NAME, false);
    until(&client.is_closed);
    assert_int_equal(client.facts.state, TLS_FAILED);
    assert_non_null(strstr(client.facts.why, "during the handshake"));
    listener_free(l);
}

/* Unix sockets */

static void socket_path(char *out, size_t size)
{
    snprintf(out, size, "%s/s", folder);
}

static int dial_unix(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    str_copy(str_of(path), un.sun_path, sizeof(un.sun_path));
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    return fd;
}

static void a_unix_peer_is_known_by_uid_and_pid(void **state)
{
    (void)state;
    char path[100], got[16] = "";
    struct err err = ERR_NONE;
    struct listener *l = NULL;
    struct stat st;

    socket_path(path, sizeof(path));
    mode_t umask_before = umask(077);

    assert_int_equal(listener_unix(loop, path, 0666, 16, accepted, NULL, &l, &err), 0);
    umask(umask_before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    on_accept = say_hello;
    int fd = dial_unix(path);

    assert_int_equal(write(fd, "hi", 2), 2);
    until_got(&server, 2);
    assert_int_equal(server.peer.ip.family, 0);
    assert_int_equal(server.peer.uid, getuid());
    assert_int_equal(server.peer.pid, getpid());
    assert_int_equal(read(fd, got, sizeof(got)), 11);
    close(fd);
    until(&server.is_closed);
    listener_free(l);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
    (void)state;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct listener *l = NULL, *second = NULL;
    struct err err = ERR_NONE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    socket_path(un.sun_path, sizeof(un.sun_path));
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    close(fd);
    assert_int_equal(listener_unix(loop, un.sun_path, 0600, 16, accepted, NULL, &l, &err), 0);
    assert_int_equal(listener_unix(loop, un.sun_path, 0600, 16, accepted, NULL, &second, &err),
                     -E_BUSY);
    assert_non_null(strstr(err.text, "another program answers"));
    assert_null(second);
    listener_free(l);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    struct listener *l = NULL;
    struct err err = ERR_NONE;

    assert_int_equal(listener_unix(loop, certs.key, 0600, 16, accepted, NULL, &l, &err), -E_IO);
    assert_int_equal(access(certs.key, F_OK), 0);
}

static void a_path_that_is_too_long_or_nowhere_is_an_error(void **state)
{
    (void)state;
    struct listener *l = NULL;
    struct err err = ERR_NONE;
    char path[200];

    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(listener_unix(loop, path, 0600, 16, accepted, NULL, &l, &err), -E_LIMIT);
    assert_int_equal(listener_unix(loop, "/nowhere/s", 0600, 16, accepted, NULL, &l, &err), -E_NET);
    assert_non_null(strstr(err.text, "/nowhere/s"));
}

static void a_port_in_use_is_named(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4), *second = NULL;
    struct err err = ERR_NONE;
    char want[100];

    assert_int_equal(listener_tcp(loop, &v4, listener_port(l), 16, accepted, NULL, &second, &err),
                     -E_NET);
    snprintf(want, sizeof(want), "127.0.0.1:%u is in use by another program", listener_port(l));
    assert_string_equal(err.text, want);
    listener_free(l);
}

static void an_address_that_is_not_ours_is_named(void **state)
{
    (void)state;
    const struct ip other = {.family = 4, .bytes = {192, 0, 2, 1}};
    struct listener *l = NULL;
    struct err err = ERR_NONE;

    assert_int_equal(listener_tcp(loop, &other, 2525, 16, accepted, NULL, &l, &err), -E_NET);
    assert_string_equal(err.text, "192.0.2.1:2525: this machine does not have that address");
}

static void a_loop_may_go_with_connections_open(void **state)
{
    (void)state;
    struct listener *l = listen_on(&v4);

    on_accept = say_hello;
    dial(&v4, listener_port(l));
    until_got(&client, 11);
    client.conn = server.conn = NULL; /* left to loop_free, and never told */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(bytes_go_both_ways_over_ipv4),
        T(bytes_go_both_ways_over_ipv6),
        T(the_source_address_is_the_one_asked_for),
        T(a_source_address_that_is_not_ours_is_told_as_such),
        T(refusal_is_told_by_closed),
        T(what_the_kernel_refuses_at_once_comes_later_too),
        T(closing_before_the_connect_fails_tells_nothing),
        T(an_orderly_end_is_zero),
        T(a_last_reply_survives_unread_input),
        T(a_reset_is_told_as_such),
        T(a_reset_behind_the_last_reply_is_told_as_such),
        T(a_slow_reader_stops_the_writer_and_loses_nothing),
        T(a_paused_connection_meets_data_and_end_when_it_goes_on),
        T(what_was_unsent_at_close_is_flushed),
        T(a_handler_may_close_its_connection),
        T(tls_carries_bytes_both_ways),
        T(a_wrong_name_ends_a_verified_connection),
        T(garbage_instead_of_tls_ends_the_connection),
        T(an_end_during_the_handshake_is_a_failed_handshake),
        T(a_unix_peer_is_known_by_uid_and_pid),
        T(a_stale_socket_is_replaced_and_a_live_one_is_not),
        T(a_file_that_is_no_socket_is_left_alone),
        T(a_path_that_is_too_long_or_nowhere_is_an_error),
        T(a_port_in_use_is_named),
        T(an_address_that_is_not_ours_is_named),
        T(a_loop_may_go_with_connections_open),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
