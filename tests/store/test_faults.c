/* SPDX-License-Identifier: ISC */
/*
 * Every write fails once: for N = 1, 2, 3 ... the Nth write or sync of a script fails, as an I/O error,
 * a full disk, a write cut in half. After each, what was acknowledged is there, nothing is there by halves,
 * and the same connection goes on when the disk is well again. Then power is lost at many places.
 */
#include <sys/stat.h>

#include "store/writer.h"
#include "tests/store/faultvfs.h"
#include "tests/store/load.h"

static bool is_sick(int rc)
{
    return rc == -(int)E_IO || rc == -(int)E_FULL || rc == -(int)E_CORRUPT;
}

/* The script: ten commits, with enough in them that the WAL is checkpointed on the way. */
static int script(struct store *s, struct load *l, struct err *err)
{
    int rc = 0;

    for (int i = 0; !rc && i < 10; i++) {
        rc = load_step(s, l, 3, 2, err);
        s->wal_pages = i % 4 == 3 ? STORE_WAL_PAGES : s->wal_pages; /* as if it had grown */
        if (!rc)
            store_tidy(s);
    }
    return rc;
}

static void run_faults(enum fault_kind kind)
{
    struct fixture f;
    int64_t operations = INT64_MAX;

    for (int64_t n = 1; n <= operations; n++) {
        struct load *l = xnew(struct load);
        struct store *s, *again;
        struct err err = ERR_NONE;
        int rc;

        fixture_init(&f);
        assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
        faultvfs_fail_after(n, kind);
        rc = script(s, l, &err);
        operations = rc ? INT64_MAX : faultvfs_operations();
        faultvfs_fail_after(0, kind);
        if (rc && !is_sick(rc))
            fail_msg("write %lld: %d %s", (long long)n, rc, err.text);
        if (rc)
            assert_true(strstr(err.text, f.dir) != NULL); /* it says which store */
        load_resolve(s, l);
        load_check(s, l);
        /* the disk is well again: the same connection goes on */
        if (script(s, l, &err))
            fail_msg("write %lld, afterwards: %s", (long long)n, err.text);
        load_check(s, l);
        store_close(s);
        assert_int_equal(store_open(f.dir, STORE_WRITER, &again, &err), 0);
        load_check(again, l);
        store_close(again);
        fixture_remove(f.dir);
        free(l);
        if (!rc) {
            assert_true(n > 20); /* the script writes, or this proves nothing */
            break;
        }
    }
}

static void every_write_may_fail_with_an_io_error(void **state)
{
    (void)state;
    run_faults(FAULT_IOERR);
}

static void every_write_may_find_the_disk_full(void **state)
{
    (void)state;
    run_faults(FAULT_FULL);
}

static void every_write_may_be_cut_in_half(void **state)
{
    (void)state;
    run_faults(FAULT_SHORT_WRITE);
}

/* store_fail_after, which the engine's tests use: at every statement. */
static void every_statement_may_fail(void **state)
{
    struct fixture f;
    struct load *l = xnew(struct load);
    struct store *s;
    struct err err;

    (void)state;
    fixture_init(&f);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    for (int64_t n = 1; n < 2000; n++) {
        int rc;

        store_fail_after(s, n, n % 2);
        rc = load_step(s, l, 2, 2, &err);
        store_fail_after(s, 0, false);
        load_resolve(s, l);
        load_check(s, l);
        if (!rc) {
            assert_true(n > 10);
            break;
        }
        assert_int_equal(rc, n % 2 ? -(int)E_FULL : -(int)E_IO);
    }
    store_close(s);
    fixture_remove(f.dir);
    free(l);
}

/* --- the writer in front of it --- */

struct one {
    struct store_job job;
    unsigned i;
    bool is_settle;
    int rc;
    unsigned *finished;
};

static int run_one(struct store_job *job, struct store *s, struct err *err)
{
    struct one *o = container_of(job, struct one, job);

    return o->is_settle ? load_settle(s, o->i, err) : load_accept(s, o->i, err);
}

static void done_one(struct store_job *job, int rc, const struct err *err)
{
    struct one *o = container_of(job, struct one, job);

    assert_true((rc != 0) == (err != NULL));
    o->rc = rc;
    (*o->finished)++;
}

static void wake_none(void *arg)
{
    (void)arg;
}

static int submit(struct writer *w, unsigned i, bool is_settle)
{
    unsigned finished = 0;
    struct one o = {.job = {.kind = STORE_JOB_WRITE, .run = run_one, .done = done_one},
                    .i = i,
                    .is_settle = is_settle,
                    .finished = &finished};

    writer_submit(w, &o.job);
    writer_collect(w);
    assert_int_equal(finished, 1);
    return o.rc;
}

static void the_writer_goes_on_after_each_failure(void **state)
{
    struct fixture f;
    struct load *l = xnew(struct load);
    struct writer *w;
    struct store *s;
    struct err err;
    unsigned failed = 0;

    (void)state;
    fixture_init(&f);
    assert_int_equal(writer_new(f.dir, true, wake_none, NULL, NULL, &w, &err), 0);
    for (unsigned i = 0; i < 60; i++) {
        struct told *t = &l->told[i];
        int rc;

        faultvfs_fail_after(1 + i % 17, i % 2 ? FAULT_FULL : FAULT_IOERR);
        rc = submit(w, i, false);
        faultvfs_fail_after(0, FAULT_IOERR);
        failed += rc != 0;
        assert_true(rc == 0 || is_sick(rc));
        if (rc) /* sent again, as a client does; it may have been kept all the same */
            rc = submit(w, i, false);
        assert_true(rc == 0 || rc == -(int)E_STATE);
        t->is_accepted = t->may_be_accepted = true;
        if (i % 2) {
            assert_int_equal(submit(w, i, true), 0);
            t->is_settled = t->may_be_settled = true;
        }
    }
    assert_true(failed > 5);
    writer_free(w);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    load_check(s, l);
    store_close(s);
    fixture_remove(f.dir);
    free(l);
}

/* --- power --- */

static void power_may_go_at_any_write(void **state)
{
    enum { CUTS = 120 };
    struct fixture f;
    struct load *l = xnew(struct load), *then[64] = {NULL};
    size_t at[64];
    unsigned steps = 0;
    struct store *s;
    struct rng rng;
    struct err err;

    (void)state;
    rng_init_seed(&rng, 11);
    fixture_init(&f);
    faultvfs_record(true);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    for (; steps < 40; steps++) {
        assert_int_equal(load_step(s, l, 1 + (unsigned)rng_below(&rng, 4), 3, &err), 0);
        if (steps % 9 == 8) {
            s->wal_pages = STORE_WAL_PAGES;
            store_tidy(s);
        }
        /* the account at this moment */
        then[steps] = xnew(struct load);
        *then[steps] = *l;
        at[steps] = faultvfs_recorded();
    }
    faultvfs_record(false);
    size_t all = at[steps - 1];

    for (int cut = 0; cut < CUTS; cut++) {
        /* never before the first commit: making the store is not what is tested here */
        size_t op = at[0] + rng_below(&rng, all - at[0]);
        struct load *told = xnew(struct load);
        struct fixture g;
        struct store *t;
        unsigned k = 0;

        while (k + 1 < steps && at[k + 1] <= op)
            k++;
        *told = *then[k];
        /* and the commit that was under way may be there */
        for (unsigned i = 0; k + 1 < steps && i < then[k + 1]->n; i++) {
            told->told[i].may_be_accepted |= then[k + 1]->told[i].may_be_accepted;
            told->told[i].may_be_settled |= then[k + 1]->told[i].may_be_settled;
        }
        fixture_init(&g);
        faultvfs_replay(op, &rng, g.dir);
        if (store_open(g.dir, STORE_WRITER, &t, &err))
            fail_msg("cut %d at %zu: %s", cut, op, err.text);
        load_check(t, told);
        store_close(t);
        fixture_remove(g.dir);
        free(told);
    }
    store_close(s);
    for (unsigned i = 0; i < steps; i++)
        free(then[i]);
    free(l);
    faultvfs_record(true); /* gives the records back */
    faultvfs_record(false);
    fixture_remove(f.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_write_may_fail_with_an_io_error),
        cmocka_unit_test(every_write_may_find_the_disk_full),
        cmocka_unit_test(every_write_may_be_cut_in_half),
        cmocka_unit_test(every_statement_may_fail),
        cmocka_unit_test(the_writer_goes_on_after_each_failure),
        cmocka_unit_test(power_may_go_at_any_write),
    };

    faultvfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
