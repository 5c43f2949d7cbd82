/* SPDX-License-Identifier: ISC */
/* States of a recipient: names, and the table of what may become what. */
#include "tests/unit/unit.h"
#include "core/mail/msg.h"

static void names_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < RCPT_STATE_COUNT; i++) {
        enum rcpt_state s = RCPT_STATE_COUNT;
        assert_true(rcpt_state_parse(str_of(rcpt_state_name((enum rcpt_state)i)), &s));
        assert_int_equal(s, i);
    }
    enum rcpt_state s = RCPT_HELD;
    assert_true(rcpt_state_parse(STR("Queued"), &s));
    assert_int_equal(s, RCPT_QUEUED);
    assert_false(rcpt_state_parse(STR("queue"), &s));
    assert_false(rcpt_state_parse(STR(""), &s));
    assert_string_equal(rcpt_state_name(RCPT_STATE_COUNT), "?");
}

/* One row per state: Q A H U D B X(expired) T(deleted), in the order of the enum. */
static const char *const want[] = {
    /*            QAHUDBXT */
    /* QUEUED */ ".AH..BXT",
    /* ACTIVE */ "Q.HUDBXT",
    /* HELD   */ "Q..U.BXT",
    /* UNCONF */ "QAH.DBXT",
    /* DELIV  */ "........",
    /* BOUNCED*/ "Q.HU....",
    /* EXPIRED*/ "........",
    /* DELETED*/ "Q.HU....",
};

static void transitions_are_those_of_the_picture(void **state)
{
    (void)state;
    for (int from = 0; from < RCPT_STATE_COUNT; from++)
        for (int to = 0; to < RCPT_STATE_COUNT; to++) {
            char row[64];
            snprintf(row, sizeof(row), "%s to %s", rcpt_state_name((enum rcpt_state)from),
                     rcpt_state_name((enum rcpt_state)to));
            row_int(row, rcpt_state_may_go((enum rcpt_state)from, (enum rcpt_state)to),
                    want[from][to] != '.');
        }
    assert_false(rcpt_state_may_go(RCPT_STATE_COUNT, RCPT_QUEUED));
    assert_false(rcpt_state_may_go(RCPT_QUEUED, RCPT_STATE_COUNT));
}

static void delivered_and_expired_are_never_left(void **state)
{
    (void)state;
    for (int to = 0; to < RCPT_STATE_COUNT; to++) {
        assert_false(rcpt_state_may_go(RCPT_DELIVERED, (enum rcpt_state)to));
        assert_false(rcpt_state_may_go(RCPT_EXPIRED, (enum rcpt_state)to));
    }
}

/* A crash between two acts must not make a delivery out of a recipient that nobody was sending. */
static void delivered_is_reached_only_from_an_attempt_or_its_confirmation(void **state)
{
    (void)state;
    for (int from = 0; from < RCPT_STATE_COUNT; from++)
        assert_int_equal(rcpt_state_may_go((enum rcpt_state)from, RCPT_DELIVERED),
                         from == RCPT_ACTIVE || from == RCPT_UNCONFIRMED);
}

static void final_states_are_four(void **state)
{
    (void)state;
    assert_false(rcpt_state_is_final(RCPT_QUEUED));
    assert_false(rcpt_state_is_final(RCPT_ACTIVE));
    assert_false(rcpt_state_is_final(RCPT_HELD));
    assert_false(rcpt_state_is_final(RCPT_UNCONFIRMED));
    assert_true(rcpt_state_is_final(RCPT_DELIVERED));
    assert_true(rcpt_state_is_final(RCPT_BOUNCED));
    assert_true(rcpt_state_is_final(RCPT_EXPIRED));
    assert_true(rcpt_state_is_final(RCPT_DELETED));
}

static void stored_numbers_stay(void **state)
{
    (void)state;
    static const char *const by_number[] = {"queued",    "active",  "held",    "unconfirmed",
                                            "delivered", "bounced", "expired", "deleted"};
    for (size_t i = 0; i < ARRAY_LEN(by_number); i++)
        assert_string_equal(rcpt_state_name((enum rcpt_state)i), by_number[i]);
    assert_string_equal(msg_class_name(MSG_USER), "user");
    assert_string_equal(msg_class_name(MSG_SYSTEM), "system");
    assert_string_equal(msg_class_name(MSG_REPORT), "report");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_read_back),
        cmocka_unit_test(transitions_are_those_of_the_picture),
        cmocka_unit_test(delivered_and_expired_are_never_left),
        cmocka_unit_test(delivered_is_reached_only_from_an_attempt_or_its_confirmation),
        cmocka_unit_test(final_states_are_four),
        cmocka_unit_test(stored_numbers_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
