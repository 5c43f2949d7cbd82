/* SPDX-License-Identifier: ISC */
/* Waits in the words of greylisting programs and providers. */
#include "tests/unit/unit.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/mail/retry_after.h"

static const struct {
    const char *text;
    int64_t want_ms;
} rows[] = {
    {"4.7.1 Greylisted, please try again in 300 seconds", 300 * SECOND_MS},
    {"4.2.0 <a@b>: Recipient address rejected: Greylisted for 5 minutes", 5 * MINUTE_MS},
    {"Recipient address rejected: Greylisted for 300 seconds (see http://x.example/)",
     300 * SECOND_MS},
    {"4.7.1 Greylisting in action, please come back in 00:05:00", 5 * MINUTE_MS},
    {"retry after 00:05:00", 5 * MINUTE_MS},
    {"try again after 01:00:30", HOUR_MS + 30 * SECOND_MS},
    {"Try again later: wait 60 seconds", 60 * SECOND_MS},
    {"Please wait at least 10 min", 10 * MINUTE_MS},
    {"You are greylisted; retry in 1 hour.", HOUR_MS},
    {"TRY AGAIN IN 2 HOURS", 2 * HOUR_MS},
    {"try again in 90s", 90 * SECOND_MS},
    {"try again in 5m", 5 * MINUTE_MS},
    {"try again in 300", 300 * SECOND_MS},
    {"try again in 300.", 300 * SECOND_MS},
    {"(retry in 120)", 120 * SECOND_MS},
    {"try again in 1 day", DAY_MS},
    {"try again in 999999 days", RETRY_AFTER_MAX_MS},
    {"try again in 0 seconds", 0},
    {"try again in 99999999999999999999 seconds", 0},
    {"try again in -5 minutes", 0},
    {"try again later", 0},
    {"try again after 12:30", 0},
    {"try again in 3 fortnights", 0},
    {"try again in 300x", 0},
    {"try again in 300.5 parsecs", 0},
    {"retry after 00:5:000", 0},
    {"retry after 00-05:00", 0},
    {"retry after 00:05-00", 0},
    {"retry after 00:x5:00", 0},
    {"retry after 00:0x:00", 0},
    {"retry after 00:05:x0", 0},
    {"retry after 00:05:0x", 0},
    {"too many messages in 300 seconds", 0},
    {"mailbox full for 3 days", 0},
    {"4.7.0 Try again later. For more information go to https://x.example/in 5", 0},
    {"greylist", 0},
    {"try again in ", 0},
    {"", 0},
};

static void wait_is_found_in_the_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_int(rows[i].text, retry_after_parse(str_of(rows[i].text)), rows[i].want_ms);
}

/* Every prefix, in a block of exactly its size, so that one octet too many is seen. */
static void text_may_end_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t n = 0; n <= strlen(rows[i].text); n++) {
            char *exact = str_dup((struct str){rows[i].text, n});
            char *end = realloc(exact, n ? n : 1);
            int64_t ms = retry_after_parse((struct str){end, n});
            assert_true(ms >= 0 && ms <= RETRY_AFTER_MAX_MS);
            free(end);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_is_found_in_the_text),
        cmocka_unit_test(text_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
