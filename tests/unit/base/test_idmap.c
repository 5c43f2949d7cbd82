/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>

#include "core/base/idmap.h"
#include "core/base/rng.h"

#include <cmocka.h>

#define IDS 300

static void it_agrees_with_a_naive_oracle(void **state)
{
    (void)state;
    struct idmap m = IDMAP_INIT;
    bool has[IDS + 1] = {false};
    static int values[IDS + 1];
    struct rng r;
    rng_init_seed(&r, 7);
    for (int step = 0; step < 200000; step++) {
        int64_t id = 1 + (int64_t)rng_below(&r, IDS);
        void *want = has[id] ? &values[id] : NULL;
        assert_ptr_equal(idmap_get(&m, id << 20), want);
        if (rng_below(&r, 2)) {
            assert_ptr_equal(idmap_remove(&m, id << 20), want);
            has[id] = false;
        } else if (!has[id]) {
            idmap_put(&m, id << 20, &values[id]);
            has[id] = true;
        }
    }
    size_t n = 0;
    for (int i = 1; i <= IDS; i++)
        n += has[i];
    assert_int_equal(m.n, n);
    idmap_done(&m);
}

static void an_empty_map_answers(void **state)
{
    (void)state;
    struct idmap m = IDMAP_INIT;
    assert_null(idmap_get(&m, 5));
    assert_null(idmap_remove(&m, 5));
    idmap_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_a_naive_oracle),
        cmocka_unit_test(an_empty_map_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
