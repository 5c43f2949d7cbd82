/* SPDX-License-Identifier: ISC */
/* What an operator types, as the suppression list keeps it. */
#include "tests/unit/unit.h"
#include "core/engine/suppress.h"

static void keys_are_folded_as_far_as_nobody_else_is_meant(void **state)
{
    static const struct {
        const char *typed, *want; /* NULL = refused */
    } rows[] = {
        {"bob@example.net", "bob@example.net"},
        {"Bob@Example.NET", "bob@example.net"},
        {"bob+list.a-b@example.net", "bob+list.a-b@example.net"}, /* somebody else than bob */
        {"Example.NET", "example.net"},
        {"@example.net", "example.net"},
        {"bob@b\xC3\xBC"
         "cher.example",
         "bob@xn--bcher-kva.example"},
        {"B\xC3\x9C"
         "CHER.example",
         "xn--bcher-kva.example"},
        {"", NULL},
        {"@", NULL},
        {"bob@", NULL},
        {"two words", NULL},
        {"bob@example.net, al@example.net", NULL},
        {"*@example.net", "*@example.net"}, /* an address as any other: nothing is a pattern */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char key[ADDR_TEXT_MAX] = "";
        struct err err = ERR_NONE;
        int rc = suppress_key(str_of(rows[i].typed), key, &err);
        if (!rows[i].want)
            assert_int_equal(rc, -E_SYNTAX);
        else
            assert_string_equal(key, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_folded_as_far_as_nobody_else_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
