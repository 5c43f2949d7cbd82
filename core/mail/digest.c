/* SPDX-License-Identifier: ISC */
#include "core/mail/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

bool digest_sha256(struct str text, unsigned char out[DIGEST_SHA256_N])
{
    return EVP_Digest(text.p ? text.p : "", text.n, out, NULL, EVP_sha256(), NULL) == 1;
}

static bool hmac(const EVP_MD *md, struct str key, struct str text, unsigned char *out)
{
    unsigned n = 0;

    if (key.n > INT32_MAX)
        return false;
    /* An empty key must not be NULL: that means "the key of before" to older libraries. */
    return HMAC(md, key.p ? key.p : "", (int)key.n, (const unsigned char *)(text.p ? text.p : ""),
                text.n, out, &n) != NULL;
}

bool digest_hmac_sha256(struct str key, struct str text, unsigned char out[DIGEST_SHA256_N])
{
    return hmac(EVP_sha256(), key, text, out);
}

bool digest_hmac_md5(struct str key, struct str text, unsigned char out[DIGEST_MD5_N])
{
    return hmac(EVP_md5(), key, text, out);
}

bool digest_pbkdf2_sha256(struct str password, struct str salt, unsigned rounds,
                          unsigned char out[DIGEST_SHA256_N])
{
    if (password.n > INT32_MAX || salt.n > INT32_MAX || rounds == 0 || rounds > INT32_MAX)
        return false;
    return PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n,
                             (const unsigned char *)(salt.p ? salt.p : ""), (int)salt.n,
                             (int)rounds, EVP_sha256(), DIGEST_SHA256_N, out) == 1;
}

bool digest_eq(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void digest_hex(struct buf *out, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%02x", p[i]);
}
