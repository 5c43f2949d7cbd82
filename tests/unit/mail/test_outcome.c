/* SPDX-License-Identifier: ISC */
/* What a reply, an errno or a DNS result is taken for. */
#include "tests/unit/unit.h"
#include <errno.h>
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/mail/outcome.h"

static const struct {
    const char *name;
    enum stage stage;
    int code;
    const char *enhanced;
    enum outcome_class class;
    const char *want_enhanced;
    enum scope scope;
} reply_rows[] = {
    {"accepted", STAGE_EOD, 250, "2.0.0", OUTCOME_DELIVERED, "2.0.0", SCOPE_MESSAGE},
    {"accepted without enhanced code", STAGE_EOD, 250, "", OUTCOME_DELIVERED, "2.0.0",
     SCOPE_MESSAGE},
    {"any 2xx accepts", STAGE_EOD, 299, "", OUTCOME_DELIVERED, "2.0.0", SCOPE_MESSAGE},
    {"no such user", STAGE_RCPT, 550, "5.1.1", OUTCOME_FAILED, "5.1.1", SCOPE_RECIPIENT},
    {"greylisted", STAGE_RCPT, 451, "4.7.1", OUTCOME_DEFERRED, "4.7.1", SCOPE_RECIPIENT},
    {"no enhanced code, 5xx", STAGE_RCPT, 550, "", OUTCOME_FAILED, "5.0.0", SCOPE_RECIPIENT},
    {"no enhanced code, 4xx", STAGE_MAIL, 450, "", OUTCOME_DEFERRED, "4.0.0", SCOPE_MESSAGE},
    {"unknown code acts on its first digit", STAGE_RCPT, 599, "", OUTCOME_FAILED, "5.0.0",
     SCOPE_RECIPIENT},
    {"552 at RCPT is 452", STAGE_RCPT, 552, "5.2.2", OUTCOME_DEFERRED, "4.2.2", SCOPE_RECIPIENT},
    {"552 at MAIL is final", STAGE_MAIL, 552, "5.3.4", OUTCOME_FAILED, "5.3.4", SCOPE_MESSAGE},
    {"552 at the end of data is final", STAGE_EOD, 552, "5.2.2", OUTCOME_FAILED, "5.2.2",
     SCOPE_MESSAGE},
    {"421 speaks for the host", STAGE_RCPT, 421, "4.7.0", OUTCOME_DEFERRED, "4.7.0", SCOPE_HOST},
    {"the basic code wins over 421 5.7.32", STAGE_EOD, 421, "5.7.32", OUTCOME_DEFERRED, "4.0.0",
     SCOPE_HOST},
    {"the basic code wins over 550 4.7.1", STAGE_RCPT, 550, "4.7.1", OUTCOME_FAILED, "5.0.0",
     SCOPE_RECIPIENT},
    {"the basic code wins over 250 5.0.0", STAGE_EOD, 250, "5.0.0", OUTCOME_DELIVERED, "2.0.0",
     SCOPE_MESSAGE},
    {"refused login is not the mail's fault", STAGE_AUTH, 535, "5.7.8", OUTCOME_DEFERRED, "4.7.8",
     SCOPE_SITE},
    {"refused login without enhanced code", STAGE_AUTH, 535, "", OUTCOME_DEFERRED, "4.7.0",
     SCOPE_SITE},
    {"refused STARTTLS", STAGE_STARTTLS, 502, "", OUTCOME_DEFERRED, "4.7.0", SCOPE_HOST},
    {"refused RSET", STAGE_RSET, 500, "", OUTCOME_DEFERRED, "4.0.0", SCOPE_HOST},
    {"refused QUIT", STAGE_QUIT, 554, "5.0.0", OUTCOME_DEFERRED, "4.0.0", SCOPE_HOST},
    {"greeting of refusal", STAGE_GREETING, 554, "5.7.1", OUTCOME_FAILED, "5.7.1", SCOPE_HOST},
    {"greeting of delay", STAGE_GREETING, 450, "", OUTCOME_DEFERRED, "4.0.0", SCOPE_HOST},
    {"354 to RCPT", STAGE_RCPT, 354, "", OUTCOME_DEFERRED, "4.5.0", SCOPE_HOST},
    {"250 to DATA", STAGE_DATA, 250, "2.0.0", OUTCOME_DEFERRED, "4.5.0", SCOPE_HOST},
    {"DATA refused", STAGE_DATA, 554, "5.5.1", OUTCOME_FAILED, "5.5.1", SCOPE_MESSAGE},
    {"first of 2xx", STAGE_EOD, 200, "", OUTCOME_DELIVERED, "2.0.0", SCOPE_MESSAGE},
    {"first of 3xx", STAGE_EOD, 300, "", OUTCOME_DEFERRED, "4.5.0", SCOPE_HOST},
    {"first of 4xx", STAGE_EOD, 400, "", OUTCOME_DEFERRED, "4.0.0", SCOPE_MESSAGE},
    {"last of 4xx", STAGE_EOD, 499, "", OUTCOME_DEFERRED, "4.0.0", SCOPE_MESSAGE},
    {"first of 5xx", STAGE_EOD, 500, "", OUTCOME_FAILED, "5.0.0", SCOPE_MESSAGE},
    {"first of 6xx", STAGE_EOD, 600, "", OUTCOME_DEFERRED, "4.5.0", SCOPE_HOST},
    {"1xx", STAGE_EOD, 150, "", OUTCOME_DEFERRED, "4.5.0", SCOPE_HOST},
    {"6xx", STAGE_RCPT, 650, "5.1.1", OUTCOME_DEFERRED, "4.5.0", SCOPE_HOST},
    {"no code at all", STAGE_EHLO, 0, "", OUTCOME_DEFERRED, "4.5.0", SCOPE_HOST},
    {"enhanced code with a leading zero", STAGE_RCPT, 550, "5.01.1", OUTCOME_FAILED, "5.0.0",
     SCOPE_RECIPIENT},
    {"enhanced code of two parts", STAGE_RCPT, 550, "5.1", OUTCOME_FAILED, "5.0.0",
     SCOPE_RECIPIENT},
    {"enhanced code of four parts", STAGE_RCPT, 550, "5.1.1.1", OUTCOME_FAILED, "5.0.0",
     SCOPE_RECIPIENT},
    {"enhanced code with four digits", STAGE_RCPT, 550, "5.1.1000", OUTCOME_FAILED, "5.0.0",
     SCOPE_RECIPIENT},
    {"enhanced code with an empty part", STAGE_RCPT, 550, "5..1", OUTCOME_FAILED, "5.0.0",
     SCOPE_RECIPIENT},
    {"enhanced code of the longest form", STAGE_RCPT, 550, "5.999.999", OUTCOME_FAILED, "5.999.999",
     SCOPE_RECIPIENT},
    {"enhanced code of class 3", STAGE_RCPT, 354, "3.0.0", OUTCOME_DEFERRED, "4.5.0", SCOPE_HOST},
};

static void reply_is_taken_by_its_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(reply_rows); i++) {
        struct outcome o;
        const char *row = reply_rows[i].name;
        outcome_from_reply(&o, reply_rows[i].stage, reply_rows[i].code,
                           str_of(reply_rows[i].enhanced), STR("text"));
        row_int(row, o.class, reply_rows[i].class);
        row_text(row, o.enhanced, reply_rows[i].want_enhanced);
        row_int(row, o.scope, reply_rows[i].scope);
        row_int(row, o.code, reply_rows[i].code);
        row_int(row, o.stage, reply_rows[i].stage);
    }
}

static void no_4xx_and_no_421_ever_fails_for_good(void **state)
{
    (void)state;
    for (int stage = 0; stage < STAGE_COUNT; stage++)
        for (int code = -5; code < 1100; code++) {
            struct outcome o;
            outcome_from_reply(&o, (enum stage)stage, code, STR("5.1.1"), STR("no"));
            if (o.class == OUTCOME_FAILED)
                assert_true(code >= 500 && code <= 599);
            if (o.class == OUTCOME_DELIVERED)
                assert_true(code >= 200 && code <= 299 && stage != STAGE_DATA);
            assert_int_not_equal(o.class, OUTCOME_UNCONFIRMED);
            /* RFC 3463: the class of the enhanced code says the same. */
            assert_int_equal(o.enhanced[0], o.class == OUTCOME_DELIVERED ? '2'
                                            : o.class == OUTCOME_FAILED  ? '5'
                                                                         : '4');
        }
}

static void enhanced_code_stays_in_the_text_once(void **state)
{
    (void)state;
    struct outcome o;
    outcome_from_reply(&o, STAGE_RCPT, 550, STR("5.1.1"), STR("User unknown"));
    assert_string_equal(o.text, "5.1.1 User unknown");
    outcome_from_reply(&o, STAGE_RCPT, 550, STR("5.1.1"), STR("5.1.1 User unknown"));
    assert_string_equal(o.text, "5.1.1 User unknown");
    outcome_from_reply(&o, STAGE_RCPT, 421, STR("5.7.32"), STR("5.7.32 not aligned"));
    assert_string_equal(o.text, "5.7.32 not aligned");
    outcome_from_reply(&o, STAGE_RCPT, 550, STR_NONE, STR_NONE);
    assert_string_equal(o.text, "");
}

static void long_or_dirty_text_is_cut_at_a_character_and_keeps_no_nul(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 8; pad++) {
        struct buf text = BUF_INIT;
        struct outcome o;
        for (size_t i = 0; i < pad; i++)
            buf_add_c(&text, 'x');
        while (text.n < 4 * OUTCOME_TEXT_MAX)
            buf_add_z(&text, "\xe4\xb8\xad");
        outcome_from_reply(&o, STAGE_RCPT, 550, STR("5.1.1"), buf_str(&text));
        size_t n = strlen(o.text);
        assert_true(n < OUTCOME_TEXT_MAX && n >= OUTCOME_TEXT_MAX - 4);
        assert_int_equal((n - 6 - pad) % 3, 0); /* whole characters behind "5.1.1 " */
        buf_done(&text);
    }
    struct outcome o;
    outcome_from_reply(&o, STAGE_RCPT, 550, STR_NONE, STR("a\0b"));
    assert_string_equal(o.text, "a?b");
}

static void wait_named_by_the_server_counts_only_when_deferred(void **state)
{
    (void)state;
    struct outcome o;
    outcome_from_reply(&o, STAGE_RCPT, 451, STR("4.7.1"),
                       STR("Greylisted, try again in 300 seconds"));
    assert_true(o.retry_after_ms == 300 * SECOND_MS);
    outcome_from_reply(&o, STAGE_RCPT, 550, STR("5.7.1"), STR("do not try again in 300 seconds"));
    assert_true(o.retry_after_ms == 0);
    outcome_from_reply(&o, STAGE_EOD, 250, STR("2.0.0"), STR("will retry in 300 seconds"));
    assert_true(o.retry_after_ms == 0);
    outcome_from_reply(&o, STAGE_RCPT, 451, STR("4.7.1"), STR("Greylisted"));
    assert_true(o.retry_after_ms == 0);
}

static const struct {
    const char *name;
    enum stage stage;
    int sys;
    const char *enhanced, *text;
    enum scope scope;
} errno_rows[] = {
    {"refused", STAGE_CONNECT, ECONNREFUSED, "4.4.1", "Connection refused", SCOPE_HOST},
    {"timed out", STAGE_CONNECT, ETIMEDOUT, "4.4.1", "Connection timed out", SCOPE_HOST},
    {"no route", STAGE_CONNECT, EHOSTUNREACH, "4.4.1", "No route to host", SCOPE_HOST},
    {"our network", STAGE_CONNECT, ENETUNREACH, "4.4.1", "Network is unreachable", SCOPE_SOURCE},
    {"our firewall", STAGE_CONNECT, EACCES, "4.4.1", "Permission denied", SCOPE_SOURCE},
    {"our address", STAGE_CONNECT, EADDRNOTAVAIL, "4.4.1", "Cannot assign requested address",
     SCOPE_SOURCE},
    {"our limit of files", STAGE_CONNECT, EMFILE, "4.4.1", "Too many open files", SCOPE_EVERYTHING},
    {"broken at the greeting", STAGE_GREETING, ECONNRESET, "4.4.2", "Connection reset by peer",
     SCOPE_HOST},
    {"timed out at RCPT", STAGE_RCPT, ETIMEDOUT, "4.4.2", "Connection timed out", SCOPE_HOST},
    {"orderly close", STAGE_MAIL, 0, "4.4.2", "Connection reset by peer", SCOPE_HOST},
    {"disk full", STAGE_LOCAL, ENOSPC, "4.3.1", "No space left on device", SCOPE_EVERYTHING},
    {"disk broken", STAGE_LOCAL, EIO, "4.3.0", "Input/output error", SCOPE_EVERYTHING},
    {"unheard-of", STAGE_CONNECT, 4711, "4.4.1", "Network error", SCOPE_HOST},
};

static void errno_always_defers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errno_rows); i++) {
        struct outcome o;
        const char *row = errno_rows[i].name;
        outcome_from_errno(&o, errno_rows[i].stage, errno_rows[i].sys);
        row_int(row, o.class, OUTCOME_DEFERRED);
        row_text(row, o.enhanced, errno_rows[i].enhanced);
        row_text(row, o.text, errno_rows[i].text);
        row_int(row, o.scope, errno_rows[i].scope);
        row_int(row, o.sys != 0, true);
    }
}

static const struct {
    enum dns_status status;
    enum outcome_class class;
    const char *enhanced, *text;
} dns_rows[] = {
    {DNS_NXDOMAIN, OUTCOME_FAILED, "5.1.2",
     "Host or domain name not found. Name service error for name=x.example type=MX: Host not "
     "found"},
    {DNS_NODATA, OUTCOME_FAILED, "5.4.4",
     "Host or domain name not found. Name service error for name=x.example type=MX: Host found but "
     "no data record of requested type"},
    {DNS_TEMP, OUTCOME_DEFERRED, "4.4.3",
     "Host or domain name not found. Name service error for name=x.example type=MX: Host not "
     "found, "
     "try again"},
    {DNS_BAD, OUTCOME_DEFERRED, "4.4.3",
     "Host or domain name not found. Name service error for name=x.example type=MX: Malformed or "
     "unexpected name server reply"},
};

static void dns_failure_is_permanent_only_when_the_name_is_known_not_to_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(dns_rows); i++) {
        struct outcome o;
        const char *row = dns_status_name(dns_rows[i].status);
        outcome_from_dns(&o, dns_rows[i].status, "MX", "x.example");
        row_int(row, o.class, dns_rows[i].class);
        row_text(row, o.enhanced, dns_rows[i].enhanced);
        row_text(row, o.text, dns_rows[i].text);
        row_int(row, o.stage, STAGE_DNS);
        row_int(row, o.dns, dns_rows[i].status);
        row_int(row, o.scope, SCOPE_DOMAIN);
    }
    struct outcome o; /* an answer that could be used, and was not: never permanent */
    outcome_from_dns(&o, DNS_OK, "MX", "x.example");
    assert_int_equal(o.class, OUTCOME_DEFERRED);
    outcome_from_dns(&o, (enum dns_status)99, "MX", "x.example");
    assert_int_equal(o.class, OUTCOME_DEFERRED);
}

static void very_long_name_is_cut_in_the_text(void **state)
{
    (void)state;
    char name[3000];
    struct outcome o;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    outcome_from_dns(&o, DNS_TEMP, "MX", name);
    assert_int_equal(strlen(o.text), OUTCOME_TEXT_MAX - 1);
}

static void stored_numbers_have_their_names(void **state)
{
    (void)state;
    static const char *const classes[] = {"delivered", "deferred", "failed", "unconfirmed"};
    static const char *const stages[] = {"none",     "route", "dns",  "connect", "greeting", "ehlo",
                                         "starttls", "tls",   "auth", "mail",    "rcpt",     "data",
                                         "body",     "eod",   "rset", "quit",    "local"};
    static const char *const scopes[] = {"recipient", "message", "domain",    "host",
                                         "site",      "source",  "everything"};
    assert_int_equal(ARRAY_LEN(classes), OUTCOME_CLASS_COUNT);
    assert_int_equal(ARRAY_LEN(stages), STAGE_COUNT);
    assert_int_equal(ARRAY_LEN(scopes), SCOPE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        assert_string_equal(outcome_class_name((enum outcome_class)i), classes[i]);
    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        assert_string_equal(stage_name((enum stage)i), stages[i]);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
        assert_string_equal(scope_name((enum scope)i), scopes[i]);
    assert_string_equal(stage_name((enum stage)99), "?");
    assert_string_equal(tls_state_name(TLS_NOT_USED), "none");
    assert_string_equal(tls_state_name(TLS_ENCRYPTED), "encrypted");
    assert_string_equal(tls_state_name(TLS_VERIFIED), "verified");
    assert_string_equal(tls_state_name(TLS_FAILED), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_is_taken_by_its_code),
        cmocka_unit_test(no_4xx_and_no_421_ever_fails_for_good),
        cmocka_unit_test(enhanced_code_stays_in_the_text_once),
        cmocka_unit_test(long_or_dirty_text_is_cut_at_a_character_and_keeps_no_nul),
        cmocka_unit_test(wait_named_by_the_server_counts_only_when_deferred),
        cmocka_unit_test(errno_always_defers),
        cmocka_unit_test(dns_failure_is_permanent_only_when_the_name_is_known_not_to_be),
        cmocka_unit_test(very_long_name_is_cut_in_the_text),
        cmocka_unit_test(stored_numbers_have_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
