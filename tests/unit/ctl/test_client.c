/* SPDX-License-Identifier: ISC */
/* Asking: every way in which an engine may fail to answer, played by a thread on a socket. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/ctl/client.h"

struct fake {
    char dir[64], path[100];
    int fd;
    pthread_t thread;
    const char *const *answers; /* one a connection; NULL = close without; "" = say nothing */
    size_t answers_n;
};

static void *play(void *arg)
{
    struct fake *f = arg;
    for (size_t i = 0; i < f->answers_n; i++) {
        int c = accept(f->fd, NULL, NULL);
        char in[4096];
        const char *a = f->answers[i];
        if (c < 0)
            break;
        /* A request, or the client's leaving. */
        while (recv(c, in, sizeof in, 0) > 0 && a) {
            if (a[0] && send(c, a, strlen(a), MSG_NOSIGNAL) < 0)
                break;
            if (a[0])
                break;
        }
        close(c);
    }
    return NULL;
}

static void fake_start(struct fake *f, const char *const *answers, size_t n)
{
    *f = (struct fake){.answers = answers, .answers_n = n, .fd = -1};
    str_copy(str_of("/tmp/mxhelm-ctl-XXXXXX"), f->dir, sizeof f->dir);
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/c.sock", f->dir);
    if (!n)
        return;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    str_copy(str_of(f->path), a.sun_path, sizeof a.sun_path);
    f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(f->fd, 8), 0);
    assert_int_equal(pthread_create(&f->thread, NULL, play, f), 0);
}

static void fake_end(struct fake *f)
{
    if (f->answers_n)
        pthread_join(f->thread, NULL);
    if (f->fd >= 0)
        close(f->fd);
    unlink(f->path);
    rmdir(f->dir);
}

static const char good[] = "{\"v\":1,\"reply\":\"ok\",\"code\":\"ok\",\"text\":\"done\"}\n";
static const char refusal[] = "{\"v\":1,\"reply\":\"error\",\"code\":\"denied\",\"text\":\"no\"}\n";

static void answers_and_refusals_are_both_replies(void **state)
{
    (void)state;
    static const char *const answers[] = {good, refusal};
    struct ctl_request q = {.verb = CTL_RELOAD};
    struct ctl_reply r;
    struct err err = ERR_NONE;
    struct fake f;
    fake_start(&f, answers, 2);
    assert_int_equal(ctl_call(f.path, &q, 5000, &r, &err), 0);
    assert_int_equal(r.kind, CTL_REPLY_OK);
    assert_string_equal(r.text, "done");
    assert_int_equal(ctl_call(f.path, &q, 5000, &r, &err), 0);
    assert_int_equal(r.kind, CTL_REPLY_ERROR);
    assert_int_equal(r.code, E_DENIED);
    fake_end(&f);
}

static void silence_ends_at_the_deadline(void **state)
{
    (void)state;
    static const char *const answers[] = {""};
    struct ctl_request q = {.verb = CTL_STATUS};
    struct ctl_reply r;
    struct err err = ERR_NONE;
    struct fake f;
    fake_start(&f, answers, 1);
    assert_int_equal(ctl_call(f.path, &q, 60, &r, &err), -E_TIMEOUT);
    assert_non_null(strstr(err.text, "does not answer in time"));
    fake_end(&f);
}

static void an_engine_that_hangs_up_or_talks_nonsense_is_an_error(void **state)
{
    (void)state;
    char *endless = xmalloc(CTL_LINE_MAX + 2);
    memset(endless, 'a', CTL_LINE_MAX + 1);
    endless[CTL_LINE_MAX + 1] = '\0';
    const struct {
        const char *answer;
        enum err_code code;
        const char *says;
    } rows[] = {
        {NULL, E_NET, "closed the connection"},
        {"{\"v\":1,", E_NET, "closed the connection"},
        {"nonsense\n", E_SYNTAX, "reading the engine's answer"},
        {"{\"v\":9}\n", E_STATE, "version 9"},
        {endless, E_LIMIT, "64 KiB"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ctl_request q = {.verb = CTL_STATUS};
        struct ctl_reply r;
        struct err err = ERR_NONE;
        struct fake f;
        fake_start(&f, &rows[i].answer, 1);
        row_int(rows[i].says, ctl_call(f.path, &q, 5000, &r, &err), -(int)rows[i].code);
        row_int(err.text, strstr(err.text, rows[i].says) != NULL, 1);
        fake_end(&f);
    }
    free(endless);
}

static void no_engine_is_said_so(void **state)
{
    (void)state;
    struct ctl_request q = {.verb = CTL_STATUS};
    struct ctl_reply r;
    struct err err = ERR_NONE;
    struct fake f;
    char want[200];
    fake_start(&f, NULL, 0);
    snprintf(want, sizeof want, "the engine is not running (%s)", f.path);
    assert_int_equal(ctl_call(f.path, &q, 5000, &r, &err), -E_DOWN);
    assert_string_equal(err.text, want);

    /* A socket that an engine left behind. */
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    str_copy(str_of(f.path), a.sun_path, sizeof a.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
    assert_int_equal(ctl_call(f.path, &q, 5000, &r, &err), -E_DOWN);
    fake_end(&f);
}

static void a_path_that_fits_no_socket_is_refused(void **state)
{
    (void)state;
    struct ctl_request q = {.verb = CTL_STATUS};
    struct ctl_reply r;
    struct err err = ERR_NONE;
    char path[200];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(ctl_call(path, &q, 5000, &r, &err), -E_LIMIT);
}

#define JOB(state, seen)                                                                           \
    "{\"v\":1,\"reply\":\"job\",\"job\":{\"id\":7,\"verb\":\"retry\",\"state\":\"" state           \
    "\",\"seen\":" seen "}}\n"

static void count(void *arg, const struct ctl_job *job)
{
    assert_int_equal(job->id, 7);
    ++*(int *)arg;
}

static void a_job_is_asked_about_until_it_ends(void **state)
{
    (void)state;
    static const char *const answers[] = {JOB("running", "1"), JOB("running", "2"),
                                          JOB("done", "3")};
    struct ctl_request q = {.verb = CTL_RETRY};
    struct ctl_reply r;
    struct err err = ERR_NONE;
    struct fake f;
    int told = 0;
    fake_start(&f, answers, 3);
    assert_int_equal(ctl_run_job(f.path, &q, 5000, count, &told, &r, &err), 0);
    assert_int_equal(r.job.state, CTL_JOB_DONE);
    assert_int_equal(r.job.seen, 3);
    assert_int_equal(told, 2);
    fake_end(&f);
}

static void a_job_that_outlives_the_deadline_is_named(void **state)
{
    (void)state;
    static const char *const answers[] = {JOB("running", "1")};
    struct ctl_request q = {.verb = CTL_RETRY};
    struct ctl_reply r;
    struct err err = ERR_NONE;
    struct fake f;
    fake_start(&f, answers, 1);
    assert_int_equal(ctl_run_job(f.path, &q, 8, NULL, NULL, &r, &err), -E_TIMEOUT);
    fake_end(&f);
}

static void a_refused_job_is_a_reply(void **state)
{
    (void)state;
    static const char *const answers[] = {refusal};
    struct ctl_request q = {.verb = CTL_DELETE};
    struct ctl_reply r;
    struct err err = ERR_NONE;
    struct fake f;
    fake_start(&f, answers, 1);
    assert_int_equal(ctl_run_job(f.path, &q, 5000, NULL, NULL, &r, &err), 0);
    assert_int_equal(r.kind, CTL_REPLY_ERROR);
    fake_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_refusals_are_both_replies),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(an_engine_that_hangs_up_or_talks_nonsense_is_an_error),
        cmocka_unit_test(no_engine_is_said_so),
        cmocka_unit_test(a_path_that_fits_no_socket_is_refused),
        cmocka_unit_test(a_job_is_asked_about_until_it_ends),
        cmocka_unit_test(a_job_that_outlives_the_deadline_is_named),
        cmocka_unit_test(a_refused_job_is_a_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
