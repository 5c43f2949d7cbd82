/* SPDX-License-Identifier: ISC */
/* Errors as values, and the abort of a bug. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/unit.h"
#include "core/base/alloc.h"
#include "core/base/err.h"

static void err_set_returns_the_negated_code(void **state)
{
    (void)state;
    struct err err = ERR_NONE;

    assert_int_equal(err_set(&err, E_SYNTAX, "line %d: no '='", 7), -E_SYNTAX);
    assert_int_equal(err.code, E_SYNTAX);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.text, "line 7: no '='");
}

static void err_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, E_IO, "open %s", "x"), -E_IO);
    assert_int_equal(err_sys(NULL, E_FULL, ENOSPC, "write"), -E_FULL);
    assert_int_equal(err_while(NULL, "starting"), 0);
}

static void err_sys_says_what_the_system_said(void **state)
{
    (void)state;
    struct err err = ERR_NONE;

    assert_int_equal(err_sys(&err, E_NOTFOUND, ENOENT, "open %s", "a"), -E_NOTFOUND);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.text, "open a: No such file or directory");
    err_set(&err, E_IO, "other");
    assert_int_equal(err.sys, 0);
}

static void err_while_puts_the_deed_in_front(void **state)
{
    (void)state;
    struct err err = ERR_NONE;

    err_sys(&err, E_DENIED, EACCES, "open %s", "a");
    assert_int_equal(err_while(&err, "reading key %d", 2), -E_DENIED);
    assert_int_equal(err.sys, EACCES);
    assert_int_equal(err_while(&err, "starting"), -E_DENIED);
    assert_string_equal(err.text, "starting: reading key 2: open a: Permission denied");
}

static void err_text_may_be_its_own_argument(void **state)
{
    (void)state;
    struct err err = ERR_NONE;

    err_set(&err, E_IO, "inner");
    err_set(&err, E_CONFIG, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
}

static void err_text_that_is_too_long_keeps_its_front(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    char *text = xcalloc(1, 2000);

    memset(text, 'x', 1999);
    err_sys(&err, E_IO, EIO, "front %s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "front xxx", 9);
    err_while(&err, "before");
    assert_memory_equal(err.text, "before: front xxx", 17);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    free(text);
}

static void err_every_code_has_its_own_name(void **state)
{
    (void)state;
    for (int i = 0; i < E_CODE_COUNT; i++) {
        assert_non_null(err_code_name((enum err_code)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(err_code_name((enum err_code)i),
                                    err_code_name((enum err_code)k));
    }
    assert_string_equal(err_code_name(E_IO), "io");
    assert_string_equal(err_code_name(E_STATE), "state");
    assert_string_equal(err_code_name(E_CODE_COUNT), "unknown");
    assert_string_equal(err_code_name((enum err_code) - 1), "unknown");
}

static void do_a_bug(void)
{
    int one = 1;
    verify(one == 2);
}

static void do_an_overflow(void)
{
    free(xreallocarray(NULL, SIZE_MAX / 2, 3));
}

/* What the child wrote to stderr before it ended by SIGABRT. */
static void check_aborts(void (*deed)(void), const char *want)
{
    int fds[2];
    char text[512] = "";
    size_t n = 0;
    int status;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        deed();
        _exit(0);
    }
    close(fds[1]);
    for (ssize_t got = 1; got > 0 && n < sizeof(text) - 1; n += (size_t)(got > 0 ? got : 0))
        got = read(fds[0], text + n, sizeof(text) - 1 - n);
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, want));
}

static void bug_aborts_and_names_its_place(void **state)
{
    (void)state;
    check_aborts(do_a_bug, "one == 2 does not hold at");
    check_aborts(do_a_bug, "test_err.c:");
}

static void size_that_overflows_aborts(void **state)
{
    (void)state;
    check_aborts(do_an_overflow, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_set_returns_the_negated_code),
        cmocka_unit_test(err_may_be_null),
        cmocka_unit_test(err_sys_says_what_the_system_said),
        cmocka_unit_test(err_while_puts_the_deed_in_front),
        cmocka_unit_test(err_text_may_be_its_own_argument),
        cmocka_unit_test(err_text_that_is_too_long_keeps_its_front),
        cmocka_unit_test(err_every_code_has_its_own_name),
        cmocka_unit_test(bug_aborts_and_names_its_place),
        cmocka_unit_test(size_that_overflows_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
