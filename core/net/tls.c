/* SPDX-License-Identifier: ISC */
/*
 * TLS sessions over memory BIOs: no sockets here. The certificate's verdict is always computed and
 * said (tls_facts.why); it stops the handshake only when is_verified was asked for, because
 * opportunistic TLS is better than none (RFC 7435). No session cache, no client certificates.
 */
#include "core/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "core/base/alloc.h"
#include "core/mail/dnsdata.h"

struct tls_ctx {
    SSL_CTX *ssl; /* own */
};

struct tls {
    SSL *ssl;      /* own */
    BIO *in, *out; /* owned by ssl */
    bool is_verified;
    enum tls_status status;
    struct tls_facts facts;
};

/* What OpenSSL says last, in the words of an operator where they differ. */
static void error_text(char *out, size_t size)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(e);

    if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_WRONG_VERSION_NUMBER)
        snprintf(out, size, "what came is not TLS, or of a version that we do not speak");
    else if (reason)
        snprintf(out, size, "%s", reason);
    else
        snprintf(out, size, "the handshake broke off");
}

static int ctx_error(struct err *err, enum err_code code, const char *what)
{
    char text[160];

    error_text(text, sizeof(text));
    ERR_clear_error();
    return err_set(err, code, "%s: %s", what, text);
}

static struct tls_ctx *ctx_new(void)
{
    struct tls_ctx *c = xnew(struct tls_ctx);

    ERR_clear_error();
    c->ssl = SSL_CTX_new(TLS_method());
    verify(c->ssl);
    /* Thousands of idle sessions need no buffers. */
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
    return c;
}

int tls_ctx_new(const char *ca_file, struct tls_ctx **out, struct err *err)
{
    struct tls_ctx *c = ctx_new();
    int ok = ca_file ? SSL_CTX_load_verify_file(c->ssl, ca_file)
                     : SSL_CTX_set_default_verify_paths(c->ssl);

    if (!ok) {
        tls_ctx_free(c);
        return ctx_error(err, E_IO, ca_file ? ca_file : "the system's certificate authorities");
    }
    *out = c;
    return 0;
}

int tls_server_ctx_new(const char *cert_file, const char *key_file, struct tls_ctx **out,
                       struct err *err)
{
    struct tls_ctx *c = ctx_new();
    const char *bad = NULL;

    if (SSL_CTX_use_certificate_chain_file(c->ssl, cert_file) != 1)
        bad = cert_file;
    else if (SSL_CTX_use_PrivateKey_file(c->ssl, key_file, SSL_FILETYPE_PEM) != 1)
        bad = key_file;
    if (bad) {
        tls_ctx_free(c);
        return ctx_error(err, E_IO, bad);
    }
    *out = c;
    return 0;
}

void tls_ctx_free(struct tls_ctx *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ssl);
    free(c);
}

static struct tls *session_new(struct tls_ctx *c)
{
    struct tls *t = xnew(struct tls);

    ERR_clear_error();
    t->ssl = SSL_new(c->ssl);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    verify(t->ssl && t->in && t->out);
    BIO_set_mem_eof_return(t->in, -1);
    SSL_set_bio(t->ssl, t->in, t->out);
    return t;
}

/* The name that the certificate must carry, and SNI, which is for names only (RFC 6066 3). */
static void set_name(struct tls *t, const char *name)
{
    struct ip ip;

    if (!name || !*name)
        return;
    if (ip_parse(str_of(name), &ip)) {
        X509_VERIFY_PARAM_set1_ip(SSL_get0_param(t->ssl), ip.bytes, ip.family == 6 ? 16 : 4);
        return;
    }
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(t->ssl, name);
    SSL_set_tlsext_host_name(t->ssl, name);
}

/* Why the certificate would not do, or "". */
static void certificate_text(const struct tls *t, char *out, size_t size)
{
    long v = SSL_get_verify_result(t->ssl);

    if (v == X509_V_OK)
        *out = '\0';
    else if (v == X509_V_ERR_HOSTNAME_MISMATCH || v == X509_V_ERR_IP_ADDRESS_MISMATCH)
        snprintf(out, size, "the certificate is for another name");
    else
        snprintf(out, size, "%s", X509_verify_cert_error_string(v));
}

/* The hash of the server's certificate by its own signature's hash, SHA-256 at least (RFC 5929 4.1). */
static bool bind_end_point(SSL *ssl, struct tls_binding *b)
{
    X509 *cert = SSL_get1_peer_certificate(ssl);
    const EVP_MD *md = NULL;
    unsigned n = 0;
    int hash = NID_undef;

    if (!cert)
        return false;
    if (OBJ_find_sigid_algs(X509_get_signature_nid(cert), &hash, NULL))
        md = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    bool is_done = md && (size_t)EVP_MD_get_size(md) <= sizeof(b->data) &&
                   X509_digest(cert, md, b->data, &n) == 1;

    X509_free(cert);
    b->n = n;
    return is_done;
}

/* TLS 1.3 has its exporter (RFC 9266). Before, that would need an extension that both sides have, so
 * it is the certificate. */
static void set_binding(struct tls *t)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    struct tls_binding *b = &t->facts.binding;

    if (SSL_version(t->ssl) >= TLS1_3_VERSION) {
        b->n = 32;
        if (SSL_export_keying_material(t->ssl, b->data, b->n, label, sizeof(label) - 1,
                                       (const unsigned char *)"", 0, 1) == 1)
            b->type = "tls-exporter";
    } else if (bind_end_point(t->ssl, b)) {
        b->type = "tls-server-end-point";
    }
    ERR_clear_error();
}

static void set_up(struct tls *t)
{
    struct tls_facts *f = &t->facts;

    t->status = TLS_STATUS_UP;
    f->state = t->is_verified ? TLS_VERIFIED : TLS_ENCRYPTED;
    snprintf(f->version, sizeof(f->version), "%s", SSL_get_version(t->ssl));
    snprintf(f->cipher, sizeof(f->cipher), "%s", SSL_get_cipher_name(t->ssl));
    if (!SSL_is_server(t->ssl))
        certificate_text(t, f->why, sizeof(f->why));
    set_binding(t);
}

static void set_failed(struct tls *t)
{
    struct tls_facts *f = &t->facts;
    bool was_up = t->status == TLS_STATUS_UP;

    t->status = TLS_STATUS_ERROR;
    if (!was_up) {
        f->state = TLS_FAILED;
        if (t->is_verified)
            certificate_text(t, f->why, sizeof(f->why));
        f->is_untrusted = f->why[0] != '\0';
    }
    if (!was_up && !f->why[0])
        error_text(f->why, sizeof(f->why));
    ERR_clear_error();
}

static void handshake(struct tls *t)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);

    if (rc == 1) {
        set_up(t);
        return;
    }
    int e = SSL_get_error(t->ssl, rc);

    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
        set_failed(t);
}

struct tls *tls_client_new(struct tls_ctx *c, const struct tls_want *w)
{
    struct tls *t = session_new(c);

    t->is_verified = w->is_verified;
    set_name(t, w->name);
    if (w->is_verified) {
        SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
        SSL_set_min_proto_version(t->ssl, TLS1_2_VERSION);
    } else {
        /* The alternative is plain text: old versions and short keys are better than that. */
        SSL_set_security_level(t->ssl, 0);
        SSL_set_min_proto_version(t->ssl, TLS1_VERSION);
    }
    if (w->is_reduced)
        SSL_set_max_proto_version(t->ssl, TLS1_2_VERSION);
    SSL_set_connect_state(t->ssl);
    handshake(t);
    return t;
}

struct tls *tls_server_new(struct tls_ctx *c)
{
    struct tls *t = session_new(c);

    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

static void read_plain(struct tls *t, struct buf *plain)
{
    for (;;) {
        char block[16384];
        size_t n = 0;

        ERR_clear_error();
        if (SSL_read_ex(t->ssl, block, sizeof(block), &n)) {
            buf_add(plain, block, n);
            continue;
        }
        int e = SSL_get_error(t->ssl, 0);

        if (e == SSL_ERROR_ZERO_RETURN)
            t->status = TLS_STATUS_CLOSED;
        else if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
            set_failed(t);
        return;
    }
}

enum tls_status tls_input(struct tls *t, struct str bytes, struct buf *plain)
{
    if (t->status == TLS_STATUS_ERROR || t->status == TLS_STATUS_CLOSED)
        return t->status;
    size_t n = 0;

    if (bytes.n)
        verify(BIO_write_ex(t->in, bytes.p, bytes.n, &n) && n == bytes.n);
    if (t->status == TLS_STATUS_HANDSHAKE)
        handshake(t);
    if (t->status == TLS_STATUS_UP)
        read_plain(t, plain);
    return t->status;
}

void tls_write(struct tls *t, struct str plain)
{
    while (plain.n && t->status == TLS_STATUS_UP) {
        size_t n = 0;

        ERR_clear_error();
        /* A memory BIO takes everything: what fails here fails for good. */
        if (!SSL_write_ex(t->ssl, plain.p, plain.n, &n)) {
            set_failed(t);
            return;
        }
        plain = str_sub(plain, n, plain.n);
    }
}

void tls_output(struct tls *t, struct buf *out)
{
    char *p = NULL;
    long n = BIO_get_mem_data(t->out, &p);

    if (n <= 0)
        return;
    buf_add(out, p, (size_t)n);
    (void)BIO_reset(t->out);
}

void tls_close_notify(struct tls *t)
{
    if (t->status != TLS_STATUS_UP)
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

void tls_facts(const struct tls *t, struct tls_facts *out)
{
    *out = t->facts;
}
