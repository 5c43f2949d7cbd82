/* SPDX-License-Identifier: ISC */
/* Dates of headers and of log lines. */
#include "tests/unit/unit.h"
#include "core/mail/date.h"

static const struct {
    const char *name;
    int64_t wall_ms;
    const char *rfc5322, *syslog;
} rows[] = {
    {"the epoch", 0, "Thu, 1 Jan 1970 00:00:00 +0000", "Jan  1 00:00:00"},
    {"today", INT64_C(1795507334000), "Tue, 24 Nov 2026 08:02:14 +0000", "Nov 24 08:02:14"},
    {"milliseconds are cut", INT64_C(1795507334999), "Tue, 24 Nov 2026 08:02:14 +0000",
     "Nov 24 08:02:14"},
    {"leap day", INT64_C(1709164800000), "Thu, 29 Feb 2024 00:00:00 +0000", "Feb 29 00:00:00"},
    {"after a year of 366 days", INT64_C(1735689600000), "Wed, 1 Jan 2025 00:00:00 +0000",
     "Jan  1 00:00:00"},
    {"beyond 32 bits", INT64_C(4102444800000), "Fri, 1 Jan 2100 00:00:00 +0000", "Jan  1 00:00:00"},
    {"before the epoch", -1, "Thu, 1 Jan 1970 00:00:00 +0000", "Jan  1 00:00:00"},
    {"no year of five digits", INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000", "Dec 31 23:59:59"},
};

static void dates_are_written_in_utc_and_english(void **state)
{
    (void)state;
    setenv("TZ", "America/New_York", 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char a[40], b[24];
        row_text(rows[i].name, date_rfc5322(rows[i].wall_ms, a), rows[i].rfc5322);
        row_text(rows[i].name, date_syslog(rows[i].wall_ms, b), rows[i].syslog);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_written_in_utc_and_english),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
