/* SPDX-License-Identifier: ISC */
/*
 * Hashes and keyed hashes, for logging in at a relay. The one place of the lower floors where a
 * library of cryptography is used. False where the library refuses (MD5 under FIPS rules): the
 * caller then does without the mechanism.
 */
#ifndef MAIL_DIGEST_H
#define MAIL_DIGEST_H

#include "core/base/buf.h"

#define DIGEST_MD5_N    16
#define DIGEST_SHA256_N 32

bool digest_sha256(struct str text, unsigned char out[DIGEST_SHA256_N]);
bool digest_hmac_sha256(struct str key, struct str text, unsigned char out[DIGEST_SHA256_N]);
bool digest_hmac_md5(struct str key, struct str text, unsigned char out[DIGEST_MD5_N]);
/* RFC 8018 PBKDF2 with HMAC-SHA-256, one block: Hi() of RFC 5802 2.2. Takes time in proportion to
 * rounds: cap what a peer may ask for. */
bool digest_pbkdf2_sha256(struct str password, struct str salt, unsigned rounds,
                          unsigned char out[DIGEST_SHA256_N]);
/* In a time that does not tell where they differ. */
bool digest_eq(const void *a, const void *b, size_t n);
/* Lower-case hexadecimal is appended. */
void digest_hex(struct buf *out, const unsigned char *p, size_t n);

#endif
