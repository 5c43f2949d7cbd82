/* SPDX-License-Identifier: ISC */
/* TLS sessions back to back in memory: verified or not, wrong names, bytes in any pieces. */
#include "tests/unit/unit.h"

#include <openssl/ssl.h>
#include <unistd.h>
#include "core/net/tls.h"
#include "tests/unit/net/certs.h"

static struct certs certs;
static char folder[] = "/tmp/mxhelm-tls-XXXXXX";
static struct tls_ctx *server_ctx, *trusting, *strange;

struct pair {
    struct tls *client, *server;
    struct buf to_client, to_server; /* plain bytes that arrived */
    enum tls_status client_status, server_status;
};

static int group_setup(void **state)
{
    struct err err = ERR_NONE;

    (void)state;
    assert_non_null(mkdtemp(folder));
    certs_make(&certs, folder);
    assert_int_equal(tls_server_ctx_new(certs.cert, certs.key, &server_ctx, &err), 0);
    assert_int_equal(tls_ctx_new(certs.cert, &trusting, &err), 0);
    assert_int_equal(tls_ctx_new(NULL, &strange, &err), 0);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_ctx_free(server_ctx);
    tls_ctx_free(trusting);
    tls_ctx_free(strange);
    certs_remove(&certs);
    rmdir(folder);
    return 0;
}

static void pair_open(struct pair *p, struct tls_ctx *ctx, const char *name, bool is_verified)
{
    const struct tls_want want = {.name = name, .is_verified = is_verified};

    memset(p, 0, sizeof(*p));
    p->client = tls_client_new(ctx, &want);
    p->server = tls_server_new(server_ctx);
}

static void pair_close(struct pair *p)
{
    tls_free(p->client);
    tls_free(p->server);
    buf_done(&p->to_client);
    buf_done(&p->to_server);
}

/* Carry bytes to and fro in pieces until nobody has any. */
static void pair_run(struct pair *p, size_t piece)
{
    for (bool moved = true; moved;) {
        struct buf wire = BUF_INIT;

        moved = false;
        tls_output(p->client, &wire);
        for (struct str s = buf_str(&wire); s.n; s = str_sub(s, piece, s.n), moved = true)
            p->server_status = tls_input(p->server, str_sub(s, 0, piece), &p->to_server);
        buf_clear(&wire);
        tls_output(p->server, &wire);
        for (struct str s = buf_str(&wire); s.n; s = str_sub(s, piece, s.n), moved = true)
            p->client_status = tls_input(p->client, str_sub(s, 0, piece), &p->to_client);
        buf_done(&wire);
    }
}

static const struct {
    const char *name;
    const char *host;
    bool is_trusting, is_verified;
    enum tls_state want;
    const char *why; /* part of it; NULL = empty */
} rows[] = {
    {"verified, right name", CERT_NAME, true, true, TLS_VERIFIED, NULL},
    {"verified, right address", "127.0.0.1", true, true, TLS_VERIFIED, NULL},
    {"verified, wrong name", "mx.example.com", true, true, TLS_FAILED, "another name"},
    {"verified, wrong address", "127.0.0.2", true, true, TLS_FAILED, "another name"},
    {"verified, unknown issuer", CERT_NAME, false, true, TLS_FAILED, "self-signed"},
    {"opportunistic, right name", CERT_NAME, true, false, TLS_ENCRYPTED, NULL},
    {"opportunistic, wrong name", "mx.example.com", true, false, TLS_ENCRYPTED, "another name"},
    {"opportunistic, unknown issuer", CERT_NAME, false, false, TLS_ENCRYPTED, "self-signed"},
    {"opportunistic, no name", NULL, true, false, TLS_ENCRYPTED, NULL},
};

static void certificates_are_judged_and_the_verdict_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *row = rows[i].name;
        struct tls_facts facts;
        struct pair p;

        pair_open(&p, rows[i].is_trusting ? trusting : strange, rows[i].host, rows[i].is_verified);
        pair_run(&p, 100000);
        tls_facts(p.client, &facts);
        row_int(row, facts.state, rows[i].want);
        row_int(row, facts.is_untrusted, rows[i].want == TLS_FAILED);
        if (!rows[i].why)
            row_text(row, facts.why, "");
        else if (!strstr(facts.why, rows[i].why))
            fail_msg("row \"%s\": why is \"%s\"", row, facts.why);
        if (rows[i].want != TLS_FAILED) {
            row_text(row, facts.version, "TLSv1.3");
            row_int(row, facts.cipher[0] != '\0', 1);
            row_int(row, p.server_status, TLS_STATUS_UP);
        } else {
            row_int(row, p.client_status, TLS_STATUS_ERROR);
        }
        pair_close(&p);
    }
}

/* A server from 2006, made of OpenSSL itself: TLS 1.0 only. */
static enum tls_state meet_old_server(bool is_verified, struct tls_facts *facts)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    const struct tls_want want = {.name = CERT_NAME, .is_verified = is_verified};
    struct tls *client = tls_client_new(trusting, &want);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_VERSION);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, certs.cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, certs.key, SSL_FILETYPE_PEM), 1);
    SSL *server = SSL_new(ctx);

    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(server, in, out);
    SSL_set_accept_state(server);
    for (int i = 0; i < 10; i++) {
        struct buf wire = BUF_INIT, plain = BUF_INIT;
        char *p;

        tls_output(client, &wire);
        if (wire.n)
            BIO_write(in, wire.p, (int)wire.n);
        SSL_do_handshake(server);
        long n = BIO_get_mem_data(out, &p);

        if (n > 0)
            tls_input(client, (struct str){p, (size_t)n}, &plain);
        (void)BIO_reset(out);
        buf_done(&wire);
        buf_done(&plain);
    }
    tls_facts(client, facts);
    tls_free(client);
    SSL_free(server);
    SSL_CTX_free(ctx);
    return facts->state;
}

static void an_old_server_is_better_than_plain_text_but_never_verified(void **state)
{
    struct tls_facts facts;

    (void)state;
    assert_int_equal(meet_old_server(false, &facts), TLS_ENCRYPTED);
    assert_string_equal(facts.version, "TLSv1");
    assert_int_equal(meet_old_server(true, &facts), TLS_FAILED);
    assert_false(facts.is_untrusted); /* another hello may help */
    assert_true(facts.why[0] != '\0');
}

static void bytes_may_come_one_at_a_time(void **state)
{
    (void)state;
    struct pair p;

    pair_open(&p, trusting, CERT_NAME, true);
    pair_run(&p, 1);
    assert_int_equal(p.client_status, TLS_STATUS_UP);
    tls_write(p.client, STR("EHLO a\r\n"));
    tls_write(p.server, STR("250 b\r\n"));
    pair_run(&p, 1);
    assert_string_equal(buf_text(&p.to_server), "EHLO a\r\n");
    assert_string_equal(buf_text(&p.to_client), "250 b\r\n");
    pair_close(&p);
}

static void a_megabyte_arrives_as_it_was(void **state)
{
    (void)state;
    struct buf big = BUF_INIT;
    struct pair p;

    for (uint32_t i = 0; i < 262144; i++)
        buf_add(&big, &i, 4);
    pair_open(&p, trusting, CERT_NAME, true);
    pair_run(&p, 5000);
    tls_write(p.client, buf_str(&big));
    pair_run(&p, 5000);
    assert_int_equal(p.to_server.n, big.n);
    assert_memory_equal(p.to_server.p, big.p, big.n);
    buf_done(&big);
    pair_close(&p);
}

static void close_notify_ends_the_session(void **state)
{
    (void)state;
    struct pair p;

    pair_open(&p, trusting, CERT_NAME, true);
    pair_run(&p, 5000);
    tls_write(p.server, STR("221 bye\r\n"));
    tls_close_notify(p.server);
    pair_run(&p, 5000);
    assert_int_equal(p.client_status, TLS_STATUS_CLOSED);
    assert_string_equal(buf_text(&p.to_client), "221 bye\r\n");
    pair_close(&p);
}

static void what_is_not_tls_fails_with_a_sentence(void **state)
{
    (void)state;
    struct tls_facts facts;
    struct buf plain = BUF_INIT;
    struct pair p;

    pair_open(&p, trusting, CERT_NAME, false);
    enum tls_status st = tls_input(p.client, STR("220 I have no idea\r\n"), &plain);

    assert_int_equal(st, TLS_STATUS_ERROR);
    tls_facts(p.client, &facts);
    assert_int_equal(facts.state, TLS_FAILED);
    assert_non_null(strstr(facts.why, "not TLS"));
    assert_int_equal(plain.n, 0);
    /* And stays failed. */
    assert_int_equal(tls_input(p.client, STR("more"), &plain), TLS_STATUS_ERROR);
    pair_close(&p);
}

static void damage_after_the_handshake_is_an_error(void **state)
{
    (void)state;
    struct buf wire = BUF_INIT;
    struct tls_facts facts;
    struct pair p;

    pair_open(&p, trusting, CERT_NAME, true);
    pair_run(&p, 5000);
    tls_write(p.server, STR("250 ok\r\n"));
    tls_output(p.server, &wire);
    wire.p[wire.n - 1] ^= 1;
    assert_int_equal(tls_input(p.client, buf_str(&wire), &p.to_client), TLS_STATUS_ERROR);
    assert_int_equal(p.to_client.n, 0);
    tls_facts(p.client, &facts);
    assert_int_equal(facts.state, TLS_VERIFIED);
    buf_done(&wire);
    pair_close(&p);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    struct tls_ctx *c = NULL;

    assert_int_equal(tls_ctx_new("/nowhere/ca.pem", &c, &err), -E_IO);
    assert_non_null(strstr(err.text, "/nowhere/ca.pem"));
    assert_int_equal(tls_server_ctx_new(certs.cert, "/nowhere/key.pem", &c, &err), -E_IO);
    assert_non_null(strstr(err.text, "/nowhere/key.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_judged_and_the_verdict_is_said),
        cmocka_unit_test(an_old_server_is_better_than_plain_text_but_never_verified),
        cmocka_unit_test(bytes_may_come_one_at_a_time),
        cmocka_unit_test(a_megabyte_arrives_as_it_was),
        cmocka_unit_test(close_notify_ends_the_session),
        cmocka_unit_test(what_is_not_tls_fails_with_a_sentence),
        cmocka_unit_test(damage_after_the_handshake_is_an_error),
        cmocka_unit_test(missing_files_are_named),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
