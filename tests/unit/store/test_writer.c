/* SPDX-License-Identifier: ISC */
/* The store's thread: groups, order, failures, and the jobs that only read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>

#include "store/store_private.h"
#include "store/view.h"
#include "store/writer.h"
#include "tests/unit/store/fixture.h"

#define JOBS 1000

struct job {
    struct store_job job;
    struct box *box;
    unsigned number;
    int fails_with; /* an error that run returns, or 0 */
    int rc;
    bool is_done;
    int64_t seen; /* what a reading job saw */
};

struct box {
    struct fixture f;
    struct writer *w;
    struct job jobs[JOBS];
    unsigned finished, wakes;
    sem_t woken, gate;
    bool has_gate;
};

static void wake(void *arg)
{
    struct box *b = arg;

    b->wakes++;
    sem_post(&b->woken);
}

static int run(struct store_job *job, struct store *s, struct err *err)
{
    struct job *j = container_of(job, struct job, job);

    if (j->box->has_gate && j->number == 0)
        sem_wait(&j->box->gate);
    if (j->job.kind == STORE_JOB_READ)
        return sql_number(s->db, "SELECT count(*) FROM audit", &j->seen, err, "count");
    if (j->fails_with)
        return err_set(err, (enum err_code) - j->fails_with, "as asked");
    return queue_audit(s, j->number + 1, 1, "who", "verb", "", "", 0, err);
}

static void done(struct store_job *job, int rc, const struct err *err)
{
    struct job *j = container_of(job, struct job, job);

    assert_int_equal(j->number, j->box->finished); /* in the order of submission */
    assert_true((rc != 0) == (err != NULL));
    j->rc = rc;
    j->is_done = true;
    j->box->finished++;
}

static void submit(struct box *b, unsigned number, enum store_job_kind kind, int fails_with)
{
    struct job *j = &b->jobs[number];

    *j = (struct job){.job = {.kind = kind, .run = run, .done = done},
                      .box = b,
                      .number = number,
                      .fails_with = fails_with};
    writer_submit(b->w, &j->job);
}

static void collect_all(struct box *b, unsigned n)
{
    while (b->finished < n) {
        sem_wait(&b->woken);
        writer_collect(b->w);
    }
}

static struct box *box_new(bool is_inline)
{
    struct box *b = xnew(struct box);
    struct err err;

    fixture_init(&b->f);
    sem_init(&b->woken, 0, 0);
    sem_init(&b->gate, 0, 0);
    if (writer_new(b->f.dir, is_inline, wake, b, NULL, &b->w, &err))
        fail_msg("%s", err.text);
    return b;
}

static void box_free(struct box *b)
{
    writer_free(b->w);
    fixture_remove(b->f.dir);
    free(b);
}

static void jobs_that_queue_up_share_commits_and_wakes(void **state)
{
    struct box *b = box_new(false);
    struct writer_stats st;

    (void)state;
    b->has_gate = true;
    for (unsigned i = 0; i < JOBS; i++)
        submit(b, i, STORE_JOB_WRITE, 0);
    sem_post(&b->gate); /* the first group waits: meanwhile the others queue up */
    collect_all(b, JOBS);
    writer_stats(b->w, &st);
    assert_int_equal(st.jobs, JOBS);
    assert_int_equal(st.waiting, 0);
    assert_in_range(st.groups, JOBS / WRITER_GROUP_MAX, JOBS / WRITER_GROUP_MAX + 2);
    assert_int_equal(b->wakes, st.groups);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(b->jobs[i].rc, 0);
    box_free(b);
}

static void a_read_sees_the_commits_before_it(void **state)
{
    struct box *b = box_new(false);

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        submit(b, i, i % 10 == 9 ? STORE_JOB_READ : STORE_JOB_WRITE, 0);
    collect_all(b, 100);
    for (unsigned i = 9; i < 100; i += 10)
        assert_true(b->jobs[i].seen >= (int64_t)i - i / 10);
    box_free(b);
}

/* Which jobs of one group fail with what, when job 2 fails so. */
static void a_failure_undoes_as_much_as_it_must(void **state)
{
    static const struct {
        const char *name;
        int fails_with, others, rows;
    } rows[] = {
        {"refused", -E_STATE, 0, 4},
        {"not found", -E_NOTFOUND, 0, 4},
        {"disk", -E_IO, -E_IO, 0},
        {"full", -E_FULL, -E_FULL, 0},
        {"damaged", -E_CORRUPT, -E_CORRUPT, 0},
    };

    (void)state;
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        struct box *b = box_new(false);
        struct writer_stats st;

        b->has_gate = true;
        for (unsigned i = 0; i < 6; i++)
            submit(b, i, i == 5 ? STORE_JOB_READ : STORE_JOB_WRITE,
                   i == 2 ? rows[r].fails_with : 0);
        sem_post(&b->gate);
        collect_all(b, 6);
        writer_stats(b->w, &st);
        if (st.groups == 1) { /* else the thread was faster: job 0 had a commit of its own */
            for (unsigned i = 0; i < 5; i++) {
                if (b->jobs[i].rc != (i == 2 ? rows[r].fails_with : rows[r].others))
                    fail_msg("%s: job %u got %d", rows[r].name, i, b->jobs[i].rc);
            }
            assert_int_equal(b->jobs[5].rc, 0); /* it was not in the transaction */
            assert_int_equal(b->jobs[5].seen, rows[r].rows);
        }
        /* and it goes on */
        b->has_gate = false;
        submit(b, 6, STORE_JOB_WRITE, 0);
        collect_all(b, 7);
        assert_int_equal(b->jobs[6].rc, 0);
        box_free(b);
    }
}

static void inline_jobs_run_at_once(void **state)
{
    struct box *b = box_new(true);

    (void)state;
    submit(b, 0, STORE_JOB_WRITE, 0);
    assert_int_equal(b->wakes, 1);
    assert_int_equal(b->finished, 0);
    writer_collect(b->w);
    assert_int_equal(b->finished, 1);
    submit(b, 1, STORE_JOB_READ, 0);
    writer_collect(b->w);
    assert_int_equal(b->jobs[1].seen, 1);
    box_free(b);
}

static void what_was_submitted_is_done_before_the_end(void **state)
{
    struct box *b = box_new(false);
    struct store *s;
    struct err err;
    int64_t n = 0;

    (void)state;
    for (unsigned i = 0; i < 300; i++)
        submit(b, i, STORE_JOB_WRITE, 0);
    writer_free(b->w);
    assert_int_equal(b->finished, 300);
    assert_int_equal(store_open(b->f.dir, STORE_WRITER, &s, &err), 0);
    assert_int_equal(sql_number(s->db, "SELECT count(*) FROM audit", &n, &err, ""), 0);
    assert_int_equal(n, 300);
    store_close(s);
    fixture_remove(b->f.dir);
    free(b);
}

static int log_a_line(struct store_job *job, struct store *s, struct err *err)
{
    struct job *j = container_of(job, struct job, job);

    return queue_log(s, fixture_id(&j->box->f), T0, STR("NOQUEUE: reject: x"), err);
}

static void lines_reach_the_log_behind_the_commit(void **state)
{
    struct box *b = box_new(true);
    struct view_log_query q = {.needle = STR("reject")};
    struct view_log_page p;
    struct view *v;
    struct err err;

    (void)state;
    b->jobs[0] =
        (struct job){.job = {.kind = STORE_JOB_WRITE, .run = log_a_line, .done = done}, .box = b};
    writer_submit(b->w, &b->jobs[0].job);
    writer_collect(b->w);
    assert_int_equal(view_open(b->f.dir, &v, &err), 0);
    assert_int_equal(view_log_back(v, &q, INT64_MAX, 10, 0, &p, &err), 0);
    assert_int_equal(p.n, 1);
    view_log_done(&p);
    view_close(v);
    box_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_that_queue_up_share_commits_and_wakes),
        cmocka_unit_test(a_read_sees_the_commits_before_it),
        cmocka_unit_test(a_failure_undoes_as_much_as_it_must),
        cmocka_unit_test(inline_jobs_run_at_once),
        cmocka_unit_test(what_was_submitted_is_done_before_the_end),
        cmocka_unit_test(lines_reach_the_log_behind_the_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
