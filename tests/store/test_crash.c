/* SPDX-License-Identifier: ISC */
/*
 * kill -9 under load, again and again on the same store: a child accepts and settles as fast as it
 * can and says on a pipe what was acknowledged; after each death the parent takes stock. And a disk that is really full.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "core/base/rng.h"
#include "store/view.h"
#include "store/writer.h"
#include "tests/store/load.h"

#define ROUNDS      50
#define TIME_MAX_MS 15000

static int64_t mono_ms(void)
{
    return clock_system()->mono_ms(clock_system());
}

/* --- kill -9 --- */

/* What the child says: a whole record or nothing (it is shorter than PIPE_BUF). */
struct said {
    uint32_t i;
    uint32_t is_settled;
};

struct child_job {
    struct store_job job;
    struct child *c;
    unsigned i;
    bool is_settle;
};

struct child {
    struct writer *w;
    int pipe;
    unsigned next, to;
    struct child_job jobs[64];
};

static int run_child(struct store_job *job, struct store *s, struct err *err)
{
    struct child_job *j = container_of(job, struct child_job, job);

    return j->is_settle ? load_settle(s, j->i, err) : load_accept(s, j->i, err);
}

static void next_job(struct child *c, struct child_job *j);

static void done_child(struct store_job *job, int rc, const struct err *err)
{
    struct child_job *j = container_of(job, struct child_job, job);
    struct said said = {j->i, j->is_settle};

    (void)err;
    if (rc || write(j->c->pipe, &said, sizeof(said)) != sizeof(said))
        _exit(3);
    if (!j->is_settle && j->i % 4) {
        j->is_settle = true;
        writer_submit(j->c->w, &j->job);
    } else {
        next_job(j->c, j);
    }
}

static void next_job(struct child *c, struct child_job *j)
{
    if (c->next >= c->to)
        return;
    j->i = c->next++;
    j->is_settle = false;
    writer_submit(c->w, &j->job);
}

static void wake_none(void *arg)
{
    (void)arg;
}

static _Noreturn void child_main(const char *dir, int out, unsigned from)
{
    struct child c = {.pipe = out, .next = from, .to = from + 2000};
    struct err err;

    if (writer_new(dir, false, wake_none, NULL, NULL, &c.w, &err))
        _exit(4);
    for (size_t k = 0; k < ARRAY_LEN(c.jobs); k++) {
        c.jobs[k].c = &c;
        c.jobs[k].job =
            (struct store_job){.kind = STORE_JOB_WRITE, .run = run_child, .done = done_child};
        next_job(&c, &c.jobs[k]);
    }
    for (;;) {
        writer_collect(c.w);
        usleep(50);
    }
}

/* Kill the child some time after its first word, and read all that it said. */
static void watch(pid_t pid, int in, unsigned after_us, bool *accepted, bool *settled)
{
    struct pollfd p = {.fd = in, .events = POLLIN};
    struct said said;
    int status;

    poll(&p, 1, 5000);
    usleep(after_us);
    kill(pid, SIGKILL);
    while (read(in, &said, sizeof(said)) == (ssize_t)sizeof(said)) {
        assert_true(said.i < 200000);
        *(said.is_settled ? &settled[said.i] : &accepted[said.i]) = true;
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status)); /* it did not end by itself: nothing went wrong there */
}

static void take_stock(const char *dir, unsigned to, const bool *accepted, const bool *settled)
{
    struct queue_recovered out;
    struct store *s;
    struct err err;

    if (store_open(dir, STORE_WRITER, &s, &err))
        fail_msg("%s", err.text);
    load_invariants(s);
    for (unsigned i = 0; i < to; i++) {
        struct rcpt_now now;
        int rc = rcpt_now(s, load_id(i, 1), &now, &err);

        if (accepted[i] && rc)
            fail_msg("message %u was acknowledged and is lost", i);
        if (settled[i] && !rcpt_state_is_final(now.state))
            fail_msg("the end of message %u was acknowledged and is lost", i);
        if (rc == 0 && !rcpt_state_is_final(now.state))
            load_check_body(s, i);
    }
    assert_int_equal(store_begin(s, &err), 0);
    assert_int_equal(queue_recover(s, T0, T0, &out, &err), 0);
    assert_int_equal(store_commit(s, &err), 0);
    store_close(s);
}

static void nothing_acknowledged_is_lost_by_kill_9(void **state)
{
    bool *accepted = xcalloc(200000, 1), *settled = xcalloc(200000, 1);
    int64_t start = mono_ms();
    struct fixture f;
    struct rng rng;
    unsigned acknowledged = 0, to = 0;

    (void)state;
    rng_init_seed(&rng, 5);
    fixture_init(&f);
    for (unsigned round = 0; round < ROUNDS && mono_ms() - start < TIME_MAX_MS; round++) {
        unsigned from = to;
        int ends[2];
        pid_t pid;

        assert_int_equal(pipe(ends), 0);
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            close(ends[0]);
            child_main(f.dir, ends[1], from);
        }
        close(ends[1]);
        /* the pipe may fill up: the child then waits, which is as good a place to die as any */
        watch(pid, ends[0], (unsigned)rng_below(&rng, 100000), accepted, settled);
        close(ends[0]);
        to = from + 2000;
        take_stock(f.dir, to, accepted, settled);
    }
    for (unsigned i = 0; i < to; i++)
        acknowledged += accepted[i];
    print_message("%u messages acknowledged in %u lives\n", acknowledged, to / 2000);
    assert_true(acknowledged > 100);
    free(accepted);
    free(settled);
    fixture_remove(f.dir);
}

/* --- a full disk --- */

static void a_full_disk_loses_nothing_and_heals(void **state)
{
    struct load *l = xnew(struct load);
    struct fixture f;
    struct store *s;
    struct err err = ERR_NONE;
    char filler[128];
    FILE *fill;
    int rc = 0;

    (void)state;
    fixture_init(&f);
    /* mounts of our own, that end with this process */
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", f.dir, "tmpfs", 0, "size=8m") < 0) {
        print_message("not root: the full disk is only tried as failing writes\n");
        fixture_remove(f.dir);
        free(l);
        skip();
    }
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    snprintf(filler, sizeof(filler), "%s/filler", f.dir);
    fill = fopen(filler, "w");
    assert_non_null(fill);
    for (int i = 0; i < 5 << 20; i++)
        fputc(0, fill);
    fclose(fill);
    for (int i = 0; !rc && i < 1000; i++)
        rc = load_step(s, l, 3, 1, &err);
    assert_int_equal(rc, -(int)E_FULL);
    assert_non_null(strstr(err.text, f.dir));
    load_check(s, l);
    assert_int_equal(load_step(s, l, 3, 1, &err), -(int)E_FULL);
    unlink(filler);
    for (int i = 0; i < 20; i++) { /* the same connection, once there is room */
        rc = load_step(s, l, 1, 2, &err);
        if (rc)
            fail_msg("%s", err.text);
    }
    load_check(s, l);
    store_close(s);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    load_check(s, l);
    store_close(s);
    umount2(f.dir, MNT_DETACH);
    fixture_remove(f.dir);
    free(l);
}

/* --- readers beside the writer --- */

static void polite_readers_see_whole_commits_and_the_wal_stays_small(void **state)
{
    struct load *l = xnew(struct load);
    struct fixture f;
    struct store *s;
    struct view *v[2];
    struct err err;
    int64_t wal_max = 0;

    (void)state;
    fixture_init(&f);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    for (int k = 0; k < 2; k++)
        assert_int_equal(view_open(f.dir, &v[k], &err), 0);
    for (unsigned i = 0; i < 1300; i++) {
        if (load_step(s, l, 3, 2, &err))
            fail_msg("%s", err.text);
        for (unsigned k = 0; k < 2; k++) {
            struct view_query q = {.with_final = true, .sort = k ? VIEW_BY_AGE : VIEW_BY_DOMAIN};
            struct queue_totals t;
            uint64_t n, sum = 0;

            if (i % 10)
                continue;
            assert_int_equal(view_count(v[k], &q, &n, &err), 0);
            assert_int_equal(view_totals(v[k], &t, &err), 0);
            for (int st = 0; st < RCPT_STATE_COUNT; st++)
                sum += t.by_state[st];
            assert_int_equal(n, l->n);
            assert_int_equal(sum, l->n);
        }
        if (i % 50 == 0) {
            char *path = xasprintf("%s/queue.db-wal", f.dir);
            FILE *wal = fopen(path, "r");

            if (wal) {
                fseek(wal, 0, SEEK_END);
                if (ftell(wal) > wal_max)
                    wal_max = ftell(wal);
                fclose(wal);
            }
            free(path);
        }
        if (l->n + 3 >= LOAD_MAX)
            break;
    }
    print_message("WAL at most %lld KiB\n", (long long)wal_max / 1024);
    assert_true(wal_max < 24 * 1024 * 1024);
    for (int k = 0; k < 2; k++)
        view_close(v[k]);
    load_check(s, l);
    store_close(s);
    fixture_remove(f.dir);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_by_kill_9),
        cmocka_unit_test(a_full_disk_loses_nothing_and_heals),
        cmocka_unit_test(polite_readers_see_whole_commits_and_the_wal_stays_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
