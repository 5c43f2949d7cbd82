/* SPDX-License-Identifier: ISC */
/*
 * What every unit test includes: cmocka, and checks for table rows that name the row when they
 * fail. A test is a static function called by a sentence: reply_rejects_code_that_changes_midway.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/buf.h"

#define row_int(row, got, want)                                                                    \
    do {                                                                                           \
        long long row_got = (long long)(got), row_want = (long long)(want);                        \
        if (row_got != row_want)                                                                   \
            fail_msg("row \"%s\": %s is %lld, not %lld", row, #got, row_got, row_want);            \
    } while (0)

#define row_text(row, got, want)                                                                   \
    do {                                                                                           \
        const char *row_got = (got), *row_want = (want);                                           \
        if (strcmp(row_got, row_want) != 0)                                                        \
            fail_msg("row \"%s\": %s is \"%s\", not \"%s\"", row, #got, row_got, row_want);        \
    } while (0)

#define row_str(row, got, want)                                                                    \
    do {                                                                                           \
        struct str row_got = (got), row_want = (want);                                             \
        if (!str_eq(row_got, row_want))                                                            \
            fail_msg("row \"%s\": %s is \"%.*s\", not \"%.*s\"", row, #got, STR_ARG(row_got),      \
                     STR_ARG(row_want));                                                           \
    } while (0)

#endif
