/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/smtp/sasl.h"

static void mechanisms_are_chosen_by_offer_and_security(void **state)
{
    static const struct {
        const char *name;
        enum auth_mech wanted;
        const char *offered;
        bool is_tls;
        enum auth_mech want;
    } rows[] = {
        {"plain goes first", AUTH_AUTO, "LOGIN PLAIN CRAM-MD5", true, AUTH_PLAIN},
        {"login when there is no plain", AUTH_AUTO, "CRAM-MD5 login", true, AUTH_LOGIN},
        {"nothing that we speak", AUTH_AUTO, "GSSAPI NTLM", true, AUTH_NONE},
        {"nothing offered", AUTH_AUTO, "", true, AUTH_NONE},
        {"not in clear", AUTH_AUTO, "PLAIN LOGIN", false, AUTH_NONE},
        {"not in clear, though asked for", AUTH_PLAIN, "PLAIN", false, AUTH_NONE},
        {"as configured", AUTH_LOGIN, "PLAIN LOGIN", true, AUTH_LOGIN},
        {"configured, not offered", AUTH_PLAIN, "LOGIN", true, AUTH_NONE},
        {"a longer name is another mechanism", AUTH_AUTO, "PLAIN-CLIENTTOKEN XPLAIN", true,
         AUTH_NONE},
        {"none", AUTH_NONE, "PLAIN", true, AUTH_NONE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = NULL;
        enum auth_mech got =
            sasl_choose(rows[i].wanted, str_of(rows[i].offered), rows[i].is_tls, &why);
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

static void plain_is_that_of_rfc_4616(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    sasl_plain(&out, "tim", "tanstaaftanstaaf");
    assert_string_equal(buf_text(&out), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mechanisms_are_chosen_by_offer_and_security),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(base64_refuses_what_is_none),
        cmocka_unit_test(plain_is_that_of_rfc_4616),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
