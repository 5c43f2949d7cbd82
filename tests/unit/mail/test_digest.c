/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mail/digest.h"

static void assert_hex(const unsigned char *p, size_t n, const char *want)
{
    struct buf hex = BUF_INIT;

    digest_hex(&hex, p, n);
    assert_string_equal(buf_text(&hex), want);
    buf_done(&hex);
}

static void digests_are_those_of_the_standards(void **state)
{
    unsigned char out[DIGEST_SHA256_N];

    (void)state;
    assert_true(digest_sha256(STR("abc"), out)); /* FIPS 180-2 B.1 */
    assert_hex(out, sizeof(out),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(digest_sha256(STR_NONE, out));
    assert_hex(out, sizeof(out),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(digest_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), out));
    assert_hex(out, sizeof(out),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_true(digest_hmac_sha256(STR_NONE, STR_NONE, out));
    assert_hex(out, sizeof(out),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_true(digest_hmac_md5(STR("Jefe"), STR("what do ya want for nothing?"), out));
    assert_hex(out, DIGEST_MD5_N, "750c783e6ab0b503eaa86e310a5db738");     /* RFC 2202 2 */
    assert_true(digest_pbkdf2_sha256(STR("passwd"), STR("salt"), 1, out)); /* RFC 7914 11 */
    assert_hex(out, sizeof(out),
               "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    assert_false(digest_pbkdf2_sha256(STR("passwd"), STR("salt"), 0, out));
}

static void equality_looks_at_every_octet(void **state)
{
    (void)state;
    assert_true(digest_eq("abc", "abc", 3));
    assert_true(digest_eq("abc", "abd", 2));
    assert_false(digest_eq("abc", "abd", 3));
    assert_false(digest_eq("Abc", "abc", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standards),
        cmocka_unit_test(equality_looks_at_every_octet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
