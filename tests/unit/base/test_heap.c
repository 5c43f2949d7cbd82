/* SPDX-License-Identifier: ISC */
/* The due heap against a naive oracle, and the linked list. */
#include "tests/unit/unit.h"
#include "core/base/heap.h"
#include "core/base/list.h"
#include "core/base/rng.h"

#define NODES 200

static void heap_empty_one_answers_null(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node node = {0};

    assert_null(heap_top(&h));
    assert_null(heap_pop(&h));
    heap_remove(&h, &node);
    heap_push(&h, &node, 5);
    assert_ptr_equal(heap_pop(&h), &node);
    assert_int_equal(node.pos, 0);
    assert_null(heap_top(&h));
    heap_done(&h);
    heap_done(&h);
}

static void heap_pops_in_order_of_keys(void **state)
{
    (void)state;
    static const int64_t keys[] = {5, INT64_MIN, 3, 3, INT64_MAX, 0, -7, 3};
    static const int64_t want[] = {INT64_MIN, -7, 0, 3, 3, 3, 5, INT64_MAX};
    struct heap_node nodes[ARRAY_LEN(keys)] = {0};
    struct heap h = {0};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        heap_push(&h, &nodes[i], keys[i]);
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_int_equal(heap_pop(&h)->key, want[i]);
    heap_done(&h);
}

static int64_t least_key(const struct heap_node *nodes)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < NODES; i++)
        if (nodes[i].pos && nodes[i].key < least)
            least = nodes[i].key;
    return least;
}

static void heap_agrees_with_a_linear_search(void **state)
{
    (void)state;
    struct heap_node nodes[NODES] = {0};
    struct heap h = {0};
    struct rng r;
    size_t n = 0;

    rng_init_seed(&r, 4);
    for (int step = 0; step < 50000; step++) {
        struct heap_node *node = &nodes[rng_below(&r, NODES)];

        if (!node->pos) {
            heap_push(&h, node, (int64_t)rng_below(&r, 50));
            n++;
        } else if (rng_below(&r, 3) == 0) {
            int64_t least = least_key(nodes);
            assert_int_equal(heap_pop(&h)->key, least);
            n--;
        } else {
            heap_remove(&h, node);
            n--;
        }
        assert_int_equal(h.n, n);
        if (n > 0)
            assert_int_equal(heap_top(&h)->key, least_key(nodes));
        for (size_t i = 0; i < h.n; i++)
            assert_int_equal(h.a[i]->pos, i + 1);
    }
    heap_done(&h);
}

struct item {
    int value;
    struct list link;
};

static void list_keeps_order_and_lets_go_while_walked(void **state)
{
    (void)state;
    struct list head;
    struct item items[5];
    int seen = 0;

    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_pop_front(&head));
    for (int i = 0; i < 5; i++) {
        items[i].value = i;
        list_init(&items[i].link);
        if (i < 3)
            list_push_back(&head, &items[i].link);
        else
            list_push_front(&head, &items[i].link);
    }
    list_for_each (it, &head)
        seen = seen * 10 + list_entry(it, struct item, link)->value;
    assert_int_equal(seen, 43012);
    list_for_each_safe (it, &head) {
        if (list_entry(it, struct item, link)->value % 2 == 0)
            list_remove(it);
    }
    list_remove(&items[0].link);
    assert_ptr_equal(list_pop_front(&head), &items[3].link);
    assert_ptr_equal(list_pop_front(&head), &items[1].link);
    assert_true(list_empty(&head));
    assert_true(list_empty(&items[1].link));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_empty_one_answers_null),
        cmocka_unit_test(heap_pops_in_order_of_keys),
        cmocka_unit_test(heap_agrees_with_a_linear_search),
        cmocka_unit_test(list_keeps_order_and_lets_go_while_walked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
