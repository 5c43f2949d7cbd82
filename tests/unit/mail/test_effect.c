/* SPDX-License-Identifier: ISC */
/* What a reply affects: held, deferred, or the whole site slowed down. */
#include "tests/unit/unit.h"
#include "core/base/clock.h"
#include "core/mail/effect.h"

static struct explainer *explainer;

static int begin(void **state)
{
    struct err err = ERR_NONE;

    (void)state;
    return explainer_new(NULL, &explainer, &err);
}

static int end(void **state)
{
    (void)state;
    explainer_free(explainer);
    return 0;
}

static struct effect effect(enum outcome_class class, int code, const char *enhanced,
                            const char *text, const char *host, unsigned slow)
{
    struct outcome o;
    struct explanation x;
    struct effect out;

    outcome_init(&o, class, STAGE_RCPT);
    o.code = code;
    str_copy(str_of(enhanced), o.enhanced, sizeof(o.enhanced));
    str_copy(str_of(text), o.text, sizeof(o.text));
    str_copy(str_of(host), o.host, sizeof(o.host));
    explain_outcome(explainer, &o, NULL, &x);
    effect_of(&o, &x, slow, &out);
    return out;
}

static void a_refusal_is_held_when_it_is_about_us(void **state)
{
    static const struct {
        int code;
        const char *enhanced, *text;
        bool is_held;
    } rows[] = {
        {554, "5.7.1",
         "5.7.1 Service unavailable; client host [192.0.2.1] blocked using zen.spamhaus.org", true},
        {550, "5.7.1", "5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]",
         true},
        {550, "5.7.25", "5.7.25 The IP address sending this message does not have a PTR record",
         true},
        {550, "5.7.23", "5.7.23 SPF validation failed", true},
        {550, "5.1.1", "5.1.1 <x@y.example>: Recipient address rejected: User unknown", false},
        {552, "5.3.4", "5.3.4 Message size exceeds fixed limit", false},
        {554, "5.7.1", "5.7.1 Message rejected as spam", false},
        {550, "5.1.10", "5.1.10 Domain does not accept mail (nullMX)", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct effect e =
            effect(OUTCOME_FAILED, rows[i].code, rows[i].enhanced, rows[i].text, "mx.y.example", 0);

        if (e.is_held != rows[i].is_held)
            fail_msg("%s", rows[i].text);
    }
}

static void only_refusals_are_held(void **state)
{
    struct effect e =
        effect(OUTCOME_DEFERRED, 450, "4.7.25",
               "4.7.25 Client host rejected: cannot find your reverse hostname", "mx.y.example", 0);

    (void)state;
    assert_false(e.is_held || e.is_deferred);
}

static void a_refusal_is_softened_only_when_it_means_later(void **state)
{
    struct effect e =
        effect(OUTCOME_FAILED, 524, "5.2.4", "5.2.4 Mailing list expansion problem: <x@y.example>",
               "mx.y.example", 0);

    (void)state;
    assert_false(e.is_held || e.is_deferred);
    e = effect(OUTCOME_FAILED, 550, "5.7.1", "5.7.1 Greylisted, please try again in 5 minutes",
               "mx.y.example", 0);
    assert_true(e.is_deferred);
}

static void a_rate_slows_the_site_more_each_time(void **state)
{
    static const char text[] = "4.7.28 Our system has detected an unusual rate of unsolicited mail "
                               "originating from your IP address";
    struct effect e =
        effect(OUTCOME_DEFERRED, 421, "4.7.28", text, "gmail-smtp-in.l.google.com", 0);
    int64_t first = e.pause_ms;

    (void)state;
    assert_true(first >= 10 * MINUTE_MS);
    for (unsigned slow = 1; slow < 40; slow++) {
        int64_t next =
            effect(OUTCOME_DEFERRED, 421, "4.7.28", text, "gmail-smtp-in.l.google.com", slow)
                .pause_ms;
        assert_true(next >= first && next <= EFFECT_PAUSE_MAX_MS);
    }
    e = effect(OUTCOME_DEFERRED, 452, "4.2.2", "4.2.2 Mailbox full", "mx.y.example", 0);
    assert_int_equal(e.pause_ms, 0);
    e = effect(OUTCOME_DEFERRED, 451, "4.7.1",
               "4.7.1 Greylisting in action, please come back later", "mx.y.example", 0);
    assert_int_equal(e.pause_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_held_when_it_is_about_us),
        cmocka_unit_test(only_refusals_are_held),
        cmocka_unit_test(a_refusal_is_softened_only_when_it_means_later),
        cmocka_unit_test(a_rate_slows_the_site_more_each_time),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
