/* SPDX-License-Identifier: ISC */
/* The map against a naive oracle: an array indexed by the number in the key. */
#include "tests/unit/unit.h"
#include "core/base/map.h"
#include "core/base/rng.h"

#define KEYS 500

static void map_empty_one_finds_nothing(void **state)
{
    (void)state;
    struct map m;
    size_t at = 0;

    map_init(&m, 1);
    assert_null(map_get(&m, STR("a")));
    assert_null(map_remove(&m, STR("a")));
    assert_false(map_next(&m, &at, NULL, NULL));
    map_done(&m);
    map_done(&m);
}

static void map_tells_nasty_keys_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str key;
    } rows[] = {
        {"empty", STR("")},         {"NUL", STR("\0")},
        {"two NULs", STR("\0\0")},  {"a", STR("a")},
        {"a NUL", STR("a\0")},      {"A", STR("A")},
        {"eight", STR("12345678")}, {"eight NUL", STR("12345678\0")},
        {"nine", STR("123456789")}, {"bytes", STR("\xff\xfe")},
    };
    struct map m;

    map_init(&m, 2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_null(map_put(&m, rows[i].key, (void *)rows[i].name));
    assert_int_equal(m.n, ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_text(rows[i].name, map_get(&m, rows[i].key), rows[i].name);
    assert_string_equal(map_get(&m, STR_NONE), "empty");
    map_done(&m);
}

static void map_put_replaces_and_answers_what_was_there(void **state)
{
    (void)state;
    struct map m;
    char key[] = "host";
    int one, two;

    map_init(&m, 3);
    assert_null(map_put(&m, str_of(key), &one));
    key[0] = 'X'; /* the map has its own copy */
    assert_ptr_equal(map_put(&m, STR("host"), &two), &one);
    assert_int_equal(m.n, 1);
    assert_ptr_equal(map_get(&m, STR("host")), &two);
    assert_ptr_equal(map_remove(&m, STR("host")), &two);
    assert_null(map_get(&m, STR("host")));
    map_done(&m);
}

static void check_walk(const struct map *m, int *const oracle[KEYS])
{
    bool seen[KEYS] = {false};
    size_t at = 0, n = 0;
    struct str key;
    void *value;

    while (map_next(m, &at, &key, &value)) {
        char text[16];
        int i = *(int *)value;

        snprintf(text, sizeof(text), "k%d", i);
        row_str("walk", key, str_of(text));
        assert_ptr_equal(value, oracle[i]);
        assert_false(seen[i]);
        seen[i] = true;
        n++;
    }
    assert_int_equal(n, m->n);
}

static void map_agrees_with_an_array(void **state)
{
    (void)state;
    int numbers[KEYS];
    int *oracle[KEYS] = {NULL};
    struct map m;
    struct rng r;

    for (int i = 0; i < KEYS; i++)
        numbers[i] = i;
    map_init(&m, 4);
    rng_init_seed(&r, 5);
    for (int step = 0; step < 40000; step++) {
        /* Waxes and wanes, so that runs form, wrap round the end and are closed again. */
        bool is_growing = step / 5000 % 2 == 0;
        size_t i = rng_below(&r, KEYS);
        char text[16];

        snprintf(text, sizeof(text), "k%zu", i);
        struct str key = str_of(text);
        assert_ptr_equal(map_get(&m, key), oracle[i]);
        if (rng_below(&r, 4) == 0 ? !is_growing : is_growing) {
            assert_ptr_equal(map_put(&m, key, &numbers[i]), oracle[i]);
            oracle[i] = &numbers[i];
        } else {
            assert_ptr_equal(map_remove(&m, key), oracle[i]);
            oracle[i] = NULL;
        }
        assert_true(m.n * 4 <= m.cap * 3);
        if (step % 500 == 0)
            check_walk(&m, oracle);
    }
    map_done(&m);
}

/* Forced collisions: every key in one run, whatever its hash; the first slots wrap round. */
static void map_of_one_run_survives_removals(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct map m;
        int values[12];

        map_init(&m, seed);
        for (int i = 0; i < 12; i++)
            map_put(&m, (struct str){(const char[]){(char)('a' + i)}, 1}, &values[i]);
        assert_int_equal(m.cap, 16);
        for (int i = 0; i < 12; i++) {
            for (int k = 0; k < 12; k++) {
                void *want = k < i ? NULL : &values[k];
                assert_ptr_equal(map_get(&m, (struct str){(const char[]){(char)('a' + k)}, 1}),
                                 want);
            }
            map_remove(&m, (struct str){(const char[]){(char)('a' + i)}, 1});
        }
        assert_int_equal(m.n, 0);
        map_done(&m);
    }
}

static void hash_depends_on_the_seed_and_on_every_byte(void **state)
{
    (void)state;
    char key[] = "abcdefghijklmnopqrstuvw";
    size_t n = sizeof(key) - 1;
    uint64_t first = map_hash((struct str){key, n}, 7);

    assert_true(map_hash((struct str){key, n}, 7) == first);
    assert_false(map_hash((struct str){key, n}, 8) == first);
    assert_false(map_hash(STR("a"), 7) == map_hash(STR("a\0"), 7));
    for (size_t i = 0; i < n; i++) {
        assert_false(map_hash((struct str){key, i}, 7) == first);
        key[i] ^= 1;
        assert_false(map_hash((struct str){key, n}, 7) == first);
        key[i] ^= 1;
    }
}

/* Half of the bits change when one bit of the key does: the low bits choose the slot. */
static void hash_spreads_similar_names_over_the_slots(void **state)
{
    (void)state;
    unsigned slots[256] = {0};

    for (int i = 0; i < 25600; i++) {
        char text[32];

        snprintf(text, sizeof(text), "mx%d.example.com", i);
        slots[map_hash(str_of(text), 9) & 255]++;
    }
    /* 100 each, standard deviation 10 */
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        assert_in_range(slots[i], 50, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_empty_one_finds_nothing),
        cmocka_unit_test(map_tells_nasty_keys_apart),
        cmocka_unit_test(map_put_replaces_and_answers_what_was_there),
        cmocka_unit_test(map_agrees_with_an_array),
        cmocka_unit_test(map_of_one_run_survives_removals),
        cmocka_unit_test(hash_depends_on_the_seed_and_on_every_byte),
        cmocka_unit_test(hash_spreads_similar_names_over_the_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
