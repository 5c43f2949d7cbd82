/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>

#include "core/check/check.h"

#include <cmocka.h>

static void what_mail_waits_for_goes_before_what_is_configured(void **state)
{
    (void)state;
    static const struct {
        const char *name, *configured;
        const char *waiting[3];
        size_t waiting_n;
        const char *want;
    } rows[] = {
        {"configured", "a.example  b.example", {NULL}, 0, "a.example,b.example,"},
        {"waiting", "a.example", {"c.example", "d.example"}, 2, "c.example,d.example,"},
        {"a literal is no domain", " a.example ", {"[192.0.2.1]"}, 1, "a.example,"},
        {"nobody", "", {NULL}, 0, ""},
        {"at most eight", "1 2 3 4 5 6 7 8 9", {NULL}, 0, "1,2,3,4,5,6,7,8,"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf conf = {.check_receivers = (char *)(uintptr_t)rows[i].configured};
        struct check_receivers r;
        char got[200] = "";
        check_receivers_choose(&r, &conf, rows[i].waiting, rows[i].waiting_n);
        for (size_t n = 0; n < r.n; n++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s,", r.names[n]);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: «%s»", rows[i].name, got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_mail_waits_for_goes_before_what_is_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
