/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/smtp/sasl.h"

static void mechanisms_are_chosen_by_offer_and_security(void **state)
{
    enum { CLEAR, TLS, BOUND, TOKEN, TOKEN_CLEAR };
    static const struct {
        const char *name;
        enum auth_mech wanted;
        const char *offered;
        int how;
        enum auth_mech want;
    } rows[] = {
        {"bound SCRAM goes first", AUTH_AUTO, "PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", BOUND,
         AUTH_SCRAM_SHA_256_PLUS},
        {"SCRAM without a binding", AUTH_AUTO, "PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", TLS,
         AUTH_SCRAM_SHA_256},
        {"plain goes before login", AUTH_AUTO, "LOGIN PLAIN CRAM-MD5", TLS, AUTH_PLAIN},
        {"login when there is no plain", AUTH_AUTO, "CRAM-MD5 login", TLS, AUTH_LOGIN},
        {"cram-md5 goes last", AUTH_AUTO, "CRAM-MD5", TLS, AUTH_CRAM_MD5},
        {"cram-md5 in clear tells no password", AUTH_AUTO, "PLAIN CRAM-MD5", CLEAR, AUTH_CRAM_MD5},
        {"SCRAM in clear tells no password", AUTH_AUTO, "PLAIN CRAM-MD5 SCRAM-SHA-256", CLEAR,
         AUTH_SCRAM_SHA_256},
        {"nothing that we speak", AUTH_AUTO, "GSSAPI NTLM SCRAM-SHA-1", TLS, AUTH_NONE},
        {"nothing offered", AUTH_AUTO, "", TLS, AUTH_NONE},
        {"not in clear", AUTH_AUTO, "PLAIN LOGIN", CLEAR, AUTH_NONE},
        {"not in clear, though asked for", AUTH_PLAIN, "PLAIN", CLEAR, AUTH_NONE},
        {"as configured", AUTH_LOGIN, "PLAIN LOGIN SCRAM-SHA-256", TLS, AUTH_LOGIN},
        {"configured, not offered", AUTH_PLAIN, "LOGIN", TLS, AUTH_NONE},
        {"configured, and no binding to be had", AUTH_SCRAM_SHA_256_PLUS,
         "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", TLS, AUTH_NONE},
        {"a longer name is another mechanism", AUTH_AUTO, "PLAIN-CLIENTTOKEN XPLAIN", TLS,
         AUTH_NONE},
        {"none", AUTH_NONE, "PLAIN", TLS, AUTH_NONE},
        {"a token by its standard", AUTH_AUTO, "PLAIN XOAUTH2 OAUTHBEARER", TOKEN,
         AUTH_OAUTHBEARER},
        {"a token by Google's form", AUTH_AUTO, "LOGIN XOAUTH2", TOKEN, AUTH_XOAUTH2},
        {"a token is no password", AUTH_AUTO, "PLAIN LOGIN SCRAM-SHA-256", TOKEN, AUTH_NONE},
        {"a password is no token", AUTH_AUTO, "XOAUTH2 OAUTHBEARER", TLS, AUTH_NONE},
        {"no token in clear", AUTH_AUTO, "XOAUTH2 OAUTHBEARER", TOKEN_CLEAR, AUTH_NONE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = NULL;
        struct sasl_offer offer = {
            .mechs = str_of(rows[i].offered),
            .is_tls = rows[i].how != CLEAR && rows[i].how != TOKEN_CLEAR,
            .has_binding = rows[i].how == BOUND,
            .has_nonce = true,
            .is_token = rows[i].how == TOKEN || rows[i].how == TOKEN_CLEAR,
        };
        enum auth_mech got = sasl_choose(rows[i].wanted, &offer, &why);
        if (got != rows[i].want)
            print_error("%s\n", rows[i].name);
        assert_int_equal(got, rows[i].want);
        if (got == AUTH_NONE)
            assert_non_null(strstr(why, "no compatible authentication mechanisms"));
    }
}

static void base64_is_that_of_rfc_4648(void **state)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"},
                {"\xff\xfe\xfd", "//79"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT, back = BUF_INIT;
        base64_encode(&out, str_of(rows[i].plain));
        assert_string_equal(buf_text(&out), rows[i].coded);
        assert_true(base64_decode(&back, str_of(rows[i].coded)));
        assert_string_equal(buf_text(&back), rows[i].plain);
        buf_done(&out);
        buf_done(&back);
    }
}

static void base64_refuses_what_is_none(void **state)
{
    static const char *const rows[] = {"Z",    "Zg",   "Zg=",  "Zg==Zg==", "=AAA", "Z===",
                                       "Zh==", "Zm9=", "Z g=", "Zm9v\n",   "Zm9-", "Zg=a"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;
        buf_add_z(&out, "kept");
        if (base64_decode(&out, str_of(rows[i]))) {
            print_error("%s was decoded\n", rows[i]);
            fail();
        }
        assert_string_equal(buf_text(&out), "kept");
        buf_done(&out);
    }
}

static void first_words_are_those_of_the_documents(void **state)
{
    static const struct {
        const char *name;
        enum auth_mech mech;
        const char *user, *secret, *host;
        uint16_t port;
        const char *want;
    } rows[] = {
        {"RFC 4616 4", AUTH_PLAIN, "tim", "tanstaaftanstaaf", "", 0,
         "AHRpbQB0YW5zdGFhZnRhbnN0YWFm"},
        {"RFC 7628 4.1", AUTH_OAUTHBEARER, "user@example.com",
         "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", "server.example.com", 143,
         "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI"
         "HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"},
        {"Google's XOAUTH2", AUTH_XOAUTH2, "someuser@example.com",
         "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg", "", 0,
         "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkS"
         "FJoZG1semRHRXVZMjl0Q2cBAQ=="},
        {"LOGIN is asked first", AUTH_LOGIN, "u", "p", "", 0, NULL},
        {"CRAM-MD5 is asked first", AUTH_CRAM_MD5, "u", "p", "", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;
        struct sasl s = {.mech = rows[i].mech,
                         .user = rows[i].user,
                         .secret = rows[i].secret,
                         .host = rows[i].host,
                         .port = rows[i].port,
                         .nonce = ""};
        assert_int_equal(sasl_start(&s, &out), rows[i].want != NULL);
        assert_string_equal(buf_text(&out), rows[i].want ? rows[i].want : "");
        sasl_done(&s);
        buf_done(&out);
    }
}

static void an_empty_first_word_is_an_equals_sign(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    sasl_command(&out, AUTH_PLAIN, STR(""));
    assert_string_equal(buf_text(&out), "AUTH PLAIN =");
    buf_done(&out);
}

#define NONCE "rOprNGfwEbeRWgbNEkqO"

static void scram_start(struct sasl *s, struct buf *out)
{
    *s = (struct sasl){
        .mech = AUTH_SCRAM_SHA_256, .user = "user", .secret = "pencil", .nonce = NONCE};
    scram_first(s, out);
}

static void scram_is_that_of_rfc_7677(void **state)
{
    struct sasl s;
    struct buf out = BUF_INIT;
    const char *why;

    (void)state;
    scram_start(&s, &out);
    assert_string_equal(buf_text(&out), "n,,n=user,r=" NONCE);
    buf_clear(&out);
    assert_true(scram_final(&s,
                            STR("r=" NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
                            &out, &why));
    assert_string_equal(buf_text(&out), "c=biws,r=" NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    assert_false(sasl_is_complete(&s, &why));
    assert_true(scram_verify(&s, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &why));
    assert_true(sasl_is_complete(&s, &why));
    sasl_done(&s);
    buf_done(&out);
}

static void scram_user_names_are_coded(void **state)
{
    struct sasl s = {.mech = AUTH_SCRAM_SHA_256, .user = "a=b,c", .secret = "", .nonce = "x"};
    struct buf out = BUF_INIT;

    (void)state;
    scram_first(&s, &out);
    assert_string_equal(buf_text(&out), "n,,n=a=3Db=2Cc,r=x");
    sasl_done(&s);
    buf_done(&out);
}

static void hostile_scram_challenges_are_refused(void **state)
{
#define GOOD_SALT "s=W22ZaJ0SNY7soEsUEjb6gQ=="
    static const struct {
        const char *name, *challenge;
    } rows[] = {
        {"nothing", ""},
        {"an error where none may be", "e=other-error"},
        {"our nonce and nothing of theirs", "r=" NONCE "," GOOD_SALT ",i=4096"},
        {"another's nonce", "r=XOprNGfwEbeRWgbNEkqOabc," GOOD_SALT ",i=4096"},
        {"no nonce", GOOD_SALT ",i=4096"},
        {"a mandatory extension", "m=x,r=" NONCE "abc," GOOD_SALT ",i=4096"},
        {"no salt", "r=" NONCE "abc,i=4096"},
        {"an empty salt", "r=" NONCE "abc,s=,i=4096"},
        {"a salt that is no base64", "r=" NONCE "abc,s=???,i=4096"},
        {"another order", "r=" NONCE "abc,i=4096," GOOD_SALT},
        {"no iterations", "r=" NONCE "abc," GOOD_SALT},
        {"one iteration", "r=" NONCE "abc," GOOD_SALT ",i=1"},
        {"iterations for a year", "r=" NONCE "abc," GOOD_SALT ",i=4294967295"},
        {"iterations past all bounds", "r=" NONCE "abc," GOOD_SALT ",i=99999999999999999999999"},
        {"negative iterations", "r=" NONCE "abc," GOOD_SALT ",i=-4096"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sasl s;
        struct buf out = BUF_INIT;
        const char *why = NULL;
        scram_start(&s, &out);
        buf_clear(&out);
        if (scram_final(&s, str_of(rows[i].challenge), &out, &why)) {
            print_error("%s was answered\n", rows[i].name);
            fail();
        }
        assert_non_null(why);
        assert_int_equal(out.n, 0);
        sasl_done(&s);
        buf_done(&out);
    }
}

static void wrong_proofs_are_not_taken(void **state)
{
    static const char *const rows[] = {"",
                                       "v=",
                                       "v=???",
                                       "v=AAAA",
                                       "x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
                                       "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sasl s;
        struct buf out = BUF_INIT;
        const char *why;
        scram_start(&s, &out);
        assert_true(
            scram_final(&s, STR("r=" NONCE "abc," GOOD_SALT ",i=4096,x=later"), &out, &why));
        assert_false(scram_verify(&s, str_of(rows[i]), &why));
        assert_false(sasl_is_complete(&s, &why));
        sasl_done(&s);
        buf_done(&out);
    }
}

static void an_error_in_place_of_the_proof_is_kept(void **state)
{
    struct sasl s = {.mech = AUTH_SCRAM_SHA_256, .user = "u", .secret = "", .nonce = "x"};
    const char *why;

    (void)state;
    assert_true(scram_verify(&s, STR("e=invalid-proof"), &why));
    assert_false(sasl_is_complete(&s, &why));
    assert_string_equal(s.told, "invalid-proof");
    sasl_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mechanisms_are_chosen_by_offer_and_security),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(base64_refuses_what_is_none),
        cmocka_unit_test(first_words_are_those_of_the_documents),
        cmocka_unit_test(an_empty_first_word_is_an_equals_sign),
        cmocka_unit_test(scram_is_that_of_rfc_7677),
        cmocka_unit_test(scram_user_names_are_coded),
        cmocka_unit_test(hostile_scram_challenges_are_refused),
        cmocka_unit_test(wrong_proofs_are_not_taken),
        cmocka_unit_test(an_error_in_place_of_the_proof_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
