/* SPDX-License-Identifier: ISC */
/* The next try: growth, jitter, the server's own wish, the end of the lifetime. */
#include "tests/unit/unit.h"
#include "core/base/clock.h"
#include "core/mail/retry.h"

#define T0 INT64_C(1795507200000)

static const struct retry_policy *normal(void)
{
    return retry_profile(STR("normal"));
}

static void profiles_are_two_and_keep_the_rfc(void **state)
{
    (void)state;
    const struct retry_policy *n = normal(), *s = retry_profile(STR("SHORT"));
    assert_non_null(n);
    assert_non_null(s);
    assert_null(retry_profile(STR("quick")));
    assert_null(retry_profile(STR("")));
    assert_true(n->lifetime_ms == 5 * DAY_MS); /* RFC 5321 4.5.4.1: at least 4-5 days */
    assert_true(s->lifetime_ms == 48 * HOUR_MS);
    assert_true(n->first_ms == 5 * MINUTE_MS);
    assert_true(n->report_lifetime_ms < n->lifetime_ms);
    assert_true(n->unconfirmed_ms >= 15 * MINUTE_MS);
}

static void intervals_without_jitter_grow_to_the_longest_and_stay(void **state)
{
    (void)state;
    const struct retry_policy *p = normal();
    int64_t last = 0;
    for (unsigned tries = 1; tries < 40; tries++) {
        int64_t wait = retry_next(p, false, tries, T0, T0, NULL, NULL) - T0;
        assert_true(wait >= last && wait <= p->max_ms);
        assert_true(wait > last || wait == p->max_ms);
        last = wait;
    }
    assert_true(last == p->max_ms);
    assert_true(retry_next(p, false, 1, T0, T0, NULL, NULL) == T0 + 5 * MINUTE_MS);
    assert_true(retry_next(p, false, 2, T0, T0, NULL, NULL) == T0 + 7 * MINUTE_MS + 30 * SECOND_MS);
}

/* RFC 5321 4.5.4.1: two attempts in the first hour or so, then every two or three hours. */
static void a_message_has_several_tries_in_its_first_hour_and_lives_five_days(void **state)
{
    (void)state;
    const struct retry_policy *p = normal();
    struct rng r;
    int64_t now = T0, last_wait = 0;
    unsigned tries = 0, in_first_hour = 0;

    rng_init_seed(&r, 6);
    for (;;) {
        tries++;
        if (now < T0 + HOUR_MS)
            in_first_hour++;
        int64_t next = retry_next(p, false, tries, T0, now, NULL, &r);
        if (next == RETRY_GIVE_UP)
            break;
        last_wait = next - now;
        now = next;
    }
    assert_in_range(in_first_hour, 3, 8);
    assert_in_range(tries, 35, 80);
    assert_true(now == T0 + p->lifetime_ms); /* the last try is at the very end */
    assert_true(last_wait <= p->max_ms + p->max_ms / 10);
}

static void next_is_always_later_and_never_behind_the_deadline(void **state)
{
    (void)state;
    struct rng r;
    rng_init_seed(&r, 7);
    for (int i = 0; i < 200000; i++) {
        struct retry_policy p = {
            .first_ms = (int64_t)rng_below(&r, 3 * HOUR_MS),
            .max_ms = (int64_t)rng_below(&r, 12 * HOUR_MS) + 1,
            .growth_percent = (unsigned)rng_below(&r, 1000),
            .lifetime_ms = (int64_t)rng_below(&r, 10 * DAY_MS),
            .report_lifetime_ms = (int64_t)rng_below(&r, 2 * DAY_MS),
            .unconfirmed_ms = (int64_t)rng_below(&r, HOUR_MS),
        };
        struct outcome o = {.class = (enum outcome_class)rng_below(&r, OUTCOME_CLASS_COUNT),
                            .retry_after_ms =
                                rng_below(&r, 2) ? (int64_t)rng_below(&r, 20 * DAY_MS) : 0};
        bool is_report = rng_below(&r, 2);
        unsigned tries = (unsigned)rng_below(&r, 100);
        int64_t now = T0 + (int64_t)rng_below(&r, 12 * DAY_MS) - 2 * DAY_MS;
        int64_t deadline = retry_deadline(&p, is_report, T0);
        int64_t next = retry_next(&p, is_report, tries, T0, now, rng_below(&r, 4) ? &o : NULL,
                                  rng_below(&r, 4) ? &r : NULL);
        if (now >= deadline) {
            assert_true(next == RETRY_GIVE_UP);
        } else {
            assert_true(next > now);
            assert_true(next <= deadline);
        }
    }
}

static void jitter_is_a_tenth_and_spreads(void **state)
{
    (void)state;
    const struct retry_policy *p = normal();
    struct rng r;
    int64_t least = INT64_MAX, most = 0;
    rng_init_seed(&r, 8);
    for (int i = 0; i < 5000; i++) {
        int64_t wait = retry_next(p, false, 1, T0, T0, NULL, &r) - T0;
        assert_true(wait >= p->first_ms * 9 / 10 && wait <= p->first_ms * 11 / 10);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_true(least < p->first_ms * 92 / 100 && most > p->first_ms * 108 / 100);
}

/* Of every try, and of the longest interval too. */
static void jitter_keeps_its_bounds_at_every_try(void **state)
{
    (void)state;
    static const char *const profiles[] = {"normal", "short"};
    struct rng r;
    rng_init_seed(&r, 11);
    for (unsigned k = 0; k < 2 * 40; k++) {
        const struct retry_policy *p = retry_profile(str_of(profiles[k % 2]));
        unsigned tries = k / 2 + 1;
        int64_t plain = retry_next(p, false, tries, T0, T0, NULL, NULL) - T0;
        for (int i = 0; i < 500; i++) {
            int64_t wait = retry_next(p, false, tries, T0, T0, NULL, &r) - T0;
            assert_true(wait >= plain - plain / 10 - 1 && wait <= plain + plain / 10 + 1);
        }
    }
}

static void same_seed_same_answer(void **state)
{
    (void)state;
    struct rng a, b;
    rng_init_seed(&a, 9);
    rng_init_seed(&b, 9);
    for (unsigned tries = 1; tries < 50; tries++)
        assert_true(retry_next(normal(), false, tries, T0, T0, NULL, &a) ==
                    retry_next(normal(), false, tries, T0, T0, NULL, &b));
}

static const struct {
    const char *name;
    unsigned tries;
    int64_t hint_ms, want_ms; /* without jitter */
} hint_rows[] = {
    {"a minute instead of five", 1, MINUTE_MS, MINUTE_MS},
    {"an hour instead of five minutes", 1, HOUR_MS, HOUR_MS},
    {"one second is half a minute", 1, SECOND_MS, 30 * SECOND_MS},
    {"a week is the longest interval", 1, 7 * DAY_MS, 3 * HOUR_MS},
    {"third try is still obeyed", 3, MINUTE_MS, MINUTE_MS},
    {"later, a short wish no longer shortens", 20, MINUTE_MS, 3 * HOUR_MS},
    {"later, a long wish still lengthens", 4, 2 * HOUR_MS, 2 * HOUR_MS},
    {"none said", 1, 0, 5 * MINUTE_MS},
};

static void wish_of_the_server_counts_within_bounds(void **state)
{
    (void)state;
    struct rng r;
    rng_init_seed(&r, 10);
    for (size_t i = 0; i < ARRAY_LEN(hint_rows); i++) {
        struct outcome o = {.class = OUTCOME_DEFERRED, .retry_after_ms = hint_rows[i].hint_ms};
        unsigned tries = hint_rows[i].tries;
        row_int(hint_rows[i].name, retry_next(normal(), false, tries, T0, T0, &o, NULL) - T0,
                hint_rows[i].want_ms);
        for (int k = 0; k < 1000 && o.retry_after_ms >= 30 * SECOND_MS; k++) {
            int64_t wait = retry_next(normal(), false, tries, T0, T0, &o, &r) - T0;
            if (o.retry_after_ms <= 3 * HOUR_MS && wait < o.retry_after_ms)
                fail_msg("row \"%s\": came back before the server wanted", hint_rows[i].name);
            /* Nor much later than what applies without jitter: a tenth. */
            if (wait > hint_rows[i].want_ms + hint_rows[i].want_ms / 10)
                fail_msg("row \"%s\": came back too late", hint_rows[i].name);
        }
    }
}

static void unconfirmed_waits_half_an_hour(void **state)
{
    (void)state;
    struct outcome o = {.class = OUTCOME_UNCONFIRMED};
    assert_true(retry_next(normal(), false, 1, T0, T0, &o, NULL) == T0 + 30 * MINUTE_MS);
    o.retry_after_ms = MINUTE_MS;
    assert_true(retry_next(normal(), false, 1, T0, T0, &o, NULL) == T0 + 30 * MINUTE_MS);
    o.retry_after_ms = 0;
    assert_true(retry_next(normal(), false, 30, T0, T0, &o, NULL) == T0 + 3 * HOUR_MS);
}

static void last_try_is_at_the_deadline_then_it_is_over(void **state)
{
    (void)state;
    const struct retry_policy *p = normal();
    int64_t deadline = retry_deadline(p, false, T0);
    assert_true(deadline == T0 + 5 * DAY_MS);
    assert_true(retry_next(p, false, 50, T0, deadline - HOUR_MS, NULL, NULL) == deadline);
    assert_true(retry_next(p, false, 50, T0, deadline - 1, NULL, NULL) == deadline);
    assert_true(retry_next(p, false, 50, T0, deadline, NULL, NULL) == RETRY_GIVE_UP);
    assert_true(retry_next(p, false, 50, T0, deadline + 1, NULL, NULL) == RETRY_GIVE_UP);
    assert_true(retry_deadline(p, true, T0) == T0 + DAY_MS);
}

/* A server cannot keep a message beyond its lifetime, nor end it sooner. */
static void wish_of_a_server_does_not_move_the_deadline(void **state)
{
    (void)state;
    static const struct {
        bool is_report;
        int64_t age_ms, hint_ms, want_age_ms;
    } rows[] = {
        {false, 5 * DAY_MS - HOUR_MS, 2 * HOUR_MS, 5 * DAY_MS},
        {false, 5 * DAY_MS - HOUR_MS, 7 * DAY_MS, 5 * DAY_MS},
        {false, 5 * DAY_MS - HOUR_MS, 10 * MINUTE_MS, 5 * DAY_MS - 50 * MINUTE_MS},
        {true, DAY_MS - HOUR_MS, 2 * HOUR_MS, DAY_MS},
        {true, DAY_MS - 1, SECOND_MS, DAY_MS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome o = {.class = OUTCOME_DEFERRED, .retry_after_ms = rows[i].hint_ms};
        assert_true(retry_next(normal(), rows[i].is_report, 1, T0, T0 + rows[i].age_ms, &o, NULL) ==
                    T0 + rows[i].want_age_ms);
    }
}

static void times_at_the_end_of_the_range_do_not_overflow(void **state)
{
    (void)state;
    const struct retry_policy *p = normal();
    int64_t next = retry_next(p, false, 1, INT64_MAX - 10, INT64_MAX - 100, NULL, NULL);
    assert_true(next > INT64_MAX - 100 && next < RETRY_GIVE_UP);
    assert_true(retry_next(p, false, UINT32_MAX, T0, T0, NULL, NULL) == T0 + p->max_ms);
}

/* Two tries in the first hour and more, and from then on never more often than every 30 minutes (RFC 5321 4.5.4.1). */
static void schedule_of_the_profiles_is_what_retry_next_does(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        bool is_report;
        unsigned tries, in_first_hour;
        size_t growing;
        int64_t longest_ms, often_until_ms;
    } rows[] = {
        {"normal", false, 48, 5, 11, 3 * HOUR_MS, 3956 * SECOND_MS + 250},
        {"normal", true, 16, 5, 11, 3 * HOUR_MS, 3956 * SECOND_MS + 250},
        {"short", false, 54, 5, 9, HOUR_MS, 3956 * SECOND_MS + 250},
        {"short", true, 18, 5, 9, HOUR_MS, 3956 * SECOND_MS + 250},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct retry_policy *p = retry_profile(str_of(rows[i].profile));
        struct retry_schedule s;
        int64_t now = T0;
        unsigned tries = 1;
        retry_schedule(p, rows[i].is_report, &s);
        for (int64_t next;
             (next = retry_next(p, rows[i].is_report, tries, T0, now, NULL, NULL)) != RETRY_GIVE_UP;
             tries++) {
            if (tries < s.rows_n) {
                row_int(rows[i].profile, s.rows[tries].wait_ms, next - now);
                row_int(rows[i].profile, s.rows[tries].since_arrival_ms, next - T0);
            }
            now = next;
        }
        row_int(rows[i].profile, s.tries, tries);
        row_int(rows[i].profile, s.tries, rows[i].tries);
        row_int(rows[i].profile, s.in_first_hour, rows[i].in_first_hour);
        row_int(rows[i].profile, s.growing_n, rows[i].growing);
        row_int(rows[i].profile, s.longest_ms, rows[i].longest_ms);
        row_int(rows[i].profile, s.shortest_ms, 5 * MINUTE_MS);
        row_int(rows[i].profile, s.often_until_ms, rows[i].often_until_ms);
        assert_true(s.rows[0].wait_ms == 0 && s.rows[0].since_arrival_ms == 0);
    }
}

static void schedule_of_odd_policies(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t first_ms, max_ms, lifetime_ms;
        unsigned growth, in_first_hour;
        uint64_t tries;
        size_t rows, growing;
        int64_t often_until_ms;
    } rows[] = {
        {"every second for 60 days", SECOND_MS, SECOND_MS, 60 * DAY_MS, 100, 3601, 5184001, 32, 2,
         60 * DAY_MS},
        {"over before the second wait", 10 * SECOND_MS, MINUTE_MS, 5 * SECOND_MS, 150, 2, 2, 2, 2,
         5 * SECOND_MS},
        {"one hour steps, the last one short", HOUR_MS, HOUR_MS, 90 * MINUTE_MS, 150, 2, 3, 3, 3,
         0},
        {"grows very slowly", SECOND_MS, 7 * DAY_MS, 60 * DAY_MS, 101, 368, 1098, 32, 32,
         181186336},
        {"an odd end behind many equal waits", HOUR_MS, HOUR_MS, 100 * HOUR_MS + 1, 150, 2, 102, 32,
         2, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct retry_policy p = {.first_ms = rows[i].first_ms,
                                       .max_ms = rows[i].max_ms,
                                       .growth_percent = rows[i].growth,
                                       .lifetime_ms = rows[i].lifetime_ms};
        struct retry_schedule s;
        retry_schedule(&p, false, &s);
        row_int(rows[i].name, s.rows_n, rows[i].rows);
        row_int(rows[i].name, s.growing_n, rows[i].growing);
        row_int(rows[i].name, s.tries, rows[i].tries);
        row_int(rows[i].name, s.in_first_hour, rows[i].in_first_hour);
        row_int(rows[i].name, s.often_until_ms, rows[i].often_until_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_are_two_and_keep_the_rfc),
        cmocka_unit_test(intervals_without_jitter_grow_to_the_longest_and_stay),
        cmocka_unit_test(a_message_has_several_tries_in_its_first_hour_and_lives_five_days),
        cmocka_unit_test(next_is_always_later_and_never_behind_the_deadline),
        cmocka_unit_test(jitter_is_a_tenth_and_spreads),
        cmocka_unit_test(jitter_keeps_its_bounds_at_every_try),
        cmocka_unit_test(same_seed_same_answer),
        cmocka_unit_test(wish_of_the_server_counts_within_bounds),
        cmocka_unit_test(unconfirmed_waits_half_an_hour),
        cmocka_unit_test(last_try_is_at_the_deadline_then_it_is_over),
        cmocka_unit_test(wish_of_a_server_does_not_move_the_deadline),
        cmocka_unit_test(times_at_the_end_of_the_range_do_not_overflow),
        cmocka_unit_test(schedule_of_the_profiles_is_what_retry_next_does),
        cmocka_unit_test(schedule_of_odd_policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
