/* SPDX-License-Identifier: ISC */
/* The table of keys holds what the rules of the keymap ask. */
#include "tests/unit/unit.h"
#include "tui/keys.h"

static const unsigned places[] = {IN_QUEUE, IN_LOG, IN_DIAG, IN_DETAIL};

static void no_key_means_two_things_in_one_place(void **state)
{
    char why[200] = "";

    (void)state;
    if (!keys_check(why, sizeof(why)))
        fail_msg("%s", why);
}

static void every_entry_can_be_found_and_explained(void **state)
{
    size_t n;
    const struct key_def *table = keys_table(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_true(table[i].keys[0] != 0 && table[i].where != 0);
        assert_true(table[i].name[0] && table[i].help[0]);
        for (size_t p = 0; p < ARRAY_LEN(places); p++) {
            if (table[i].where & places[p])
                assert_ptr_equal(keys_find(places[p], table[i].keys[0]), &table[i]);
        }
    }
}

/* Enter, Backspace, Delete and Space destroy nothing anywhere. */
static void harmless_keys_change_no_mail(void **state)
{
    static const int32_t harmless[] = {K_ENTER, K_BACKSPACE, K_DELETE, ' ', K_ESC, K_TAB};

    (void)state;
    for (size_t p = 0; p < ARRAY_LEN(places); p++) {
        for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
            const struct key_def *d = keys_find(places[p], harmless[i]);

            assert_true(!d || !d->acts);
        }
    }
}

/* What cannot be taken back asks; and no act is one Shift away from a harmless key that only moves. */
static void deleting_always_asks(void **state)
{
    (void)state;
    assert_true(keys_find(IN_QUEUE, 'd')->confirms);
    assert_true(keys_find(IN_DETAIL, 'd')->confirms);
    assert_true(keys_find(IN_QUEUE, 'R')->confirms);
    assert_null(keys_find(IN_QUEUE, 'D'));
}

/* In Log and Diagnostics no key changes mail. */
static void only_queue_and_detail_act(void **state)
{
    size_t n;
    const struct key_def *table = keys_table(&n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        assert_true(!table[i].acts || !(table[i].where & (IN_LOG | IN_DIAG)));
}

static void help_quit_and_panes_are_everywhere_in_lists(void **state)
{
    static const int32_t keys[] = {'?', ':', 'q', '1', '2', '3', K_CTRL('L'), K_CTRL('Z')};

    (void)state;
    for (size_t p = 0; p < ARRAY_LEN(places); p++) {
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            assert_non_null(keys_find(places[p], keys[i]));
    }
}

static void labels_fit_their_column(void **state)
{
    size_t n;
    const struct key_def *table = keys_table(&n);
    char label[8];

    (void)state;
    assert_string_equal(keys_label(K_CTRL('R'), label), "^R");
    assert_string_equal(keys_label('r', label), "r");
    assert_string_equal(keys_label(' ', label), "Space");
    for (size_t i = 0; i < n; i++)
        assert_true(strlen(keys_label(table[i].keys[0], label)) <= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_key_means_two_things_in_one_place),
        cmocka_unit_test(every_entry_can_be_found_and_explained),
        cmocka_unit_test(harmless_keys_change_no_mail),
        cmocka_unit_test(deleting_always_asks),
        cmocka_unit_test(only_queue_and_detail_act),
        cmocka_unit_test(help_quit_and_panes_are_everywhere_in_lists),
        cmocka_unit_test(labels_fit_their_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
