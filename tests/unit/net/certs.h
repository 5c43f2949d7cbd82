/* SPDX-License-Identifier: ISC */
/* A self-signed certificate for mx.example.test, made when the test starts: nothing to expire. */
#ifndef TESTS_NET_CERTS_H
#define TESTS_NET_CERTS_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "core/base/base.h"

#define CERT_NAME "mx.example.test"

struct certs {
    char cert[64], key[64]; /* files */
};

static void certs_write(const char *path, X509 *x, EVP_PKEY *k)
{
    FILE *f = fopen(path, "w");
    verify(f);
    verify(x ? PEM_write_X509(f, x) : PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL));
    verify(fclose(f) == 0);
}

static void certs_make(struct certs *c, const char *folder)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    verify(k && x);
    snprintf(c->cert, sizeof(c->cert), "%s/cert.pem", folder);
    snprintf(c->key, sizeof(c->key), "%s/key.pem", folder);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, k);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)CERT_NAME, -1, -1,
                               0);
    X509_set_issuer_name(x, name);
    X509_EXTENSION *san =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" CERT_NAME ",IP:127.0.0.1");
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
    verify(san && ca && X509_add_ext(x, san, -1) && X509_add_ext(x, ca, -1));
    X509_EXTENSION_free(san);
    X509_EXTENSION_free(ca);
    verify(X509_sign(x, k, EVP_sha256()));
    certs_write(c->cert, x, NULL);
    certs_write(c->key, NULL, k);
    X509_free(x);
    EVP_PKEY_free(k);
}

static void certs_remove(const struct certs *c)
{
    remove(c->cert);
    remove(c->key);
}

#endif
