/* SPDX-License-Identifier: ISC */
/* Timers, wake-ups, signals, watched descriptors, and what may be freed when. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include "core/net/loop.h"

static struct loop *loop;
static char order[16];

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    order[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void note(const char *what)
{
    size_t n = strlen(order);
    str_copy(str_of(what), order + n, sizeof(order) - n);
}

static void *text(const char *s)
{
    return (void *)(uintptr_t)s;
}

static void note_arg(void *arg)
{
    note(arg);
}

static void note_and_stop(void *arg)
{
    note(arg);
    loop_stop(loop);
}

static void timers_fire_by_time_not_by_order_of_start(void **state)
{
    (void)state;
    struct loop_timer *c = loop_timer_new(loop, note_and_stop, text("c"));
    struct loop_timer *a = loop_timer_new(loop, note_arg, text("a"));
    struct loop_timer *b = loop_timer_new(loop, note_arg, text("b"));
    struct loop_timer *never = loop_timer_new(loop, note_arg, text("never"));

    loop_timer_start(c, 30);
    loop_timer_start(a, 0);
    loop_timer_start(b, 15);
    loop_timer_start(never, 5);
    loop_timer_stop(never);
    loop_run(loop);
    assert_string_equal(order, "abc");
    loop_timer_free(a);
    loop_timer_free(b);
    loop_timer_free(c);
    loop_timer_free(never);
    loop_timer_free(NULL);
}

static void a_restarted_timer_fires_once(void **state)
{
    (void)state;
    struct loop_timer *a = loop_timer_new(loop, note_arg, text("a"));

    loop_timer_start(a, 5);
    loop_timer_start(a, 15);
    loop_run_for(loop, 60);
    assert_string_equal(order, "a");
    loop_timer_free(a);
}

static struct loop_timer *own;

static void free_own(void *arg)
{
    note(arg);
    loop_timer_free(own);
}

static void a_timer_may_free_itself(void **state)
{
    (void)state;
    own = loop_timer_new(loop, free_own, text("x"));
    loop_timer_start(own, 0);
    loop_run_for(loop, 10);
    assert_string_equal(order, "x");
}

static void running_for_a_time_takes_that_time(void **state)
{
    (void)state;
    int64_t before = clock_system()->mono_ms(clock_system());

    loop_run_for(loop, 40);
    int64_t took = clock_system()->mono_ms(clock_system()) - before;

    assert_in_range(took, 39, 2000);
}

static void *send_wake(void *arg)
{
    usleep(10000);
    loop_wake_send(arg);
    return NULL;
}

static void a_thread_wakes_the_loop(void **state)
{
    (void)state;
    struct loop_wake *w = loop_wake_new(loop, note_and_stop, text("w"));
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, send_wake, w), 0);
    loop_run(loop);
    pthread_join(thread, NULL);
    assert_string_equal(order, "w");
    loop_wake_free(w);
}

static void a_freed_wake_up_does_not_fire(void **state)
{
    (void)state;
    struct loop_wake *w = loop_wake_new(loop, note_arg, text("w"));

    loop_wake_send(w);
    loop_wake_free(w);
    loop_run_for(loop, 10);
    assert_string_equal(order, "");
}

static void on_signal(void *arg, int signum)
{
    (void)arg;
    assert_int_equal(signum, SIGUSR1);
    note("s");
    loop_stop(loop);
}

static void send_signal(void *arg)
{
    (void)arg;
    kill(getpid(), SIGUSR1);
}

static void a_signal_comes_as_a_callback(void **state)
{
    (void)state;
    struct loop_signal *s = loop_signal_new(loop, SIGUSR1, on_signal, NULL);
    struct loop_timer *t = loop_timer_new(loop, send_signal, NULL);

    loop_timer_start(t, 0);
    loop_run(loop);
    assert_string_equal(order, "s");
    loop_signal_free(s);
    loop_timer_free(t);
}

static int pipe_ends[2];
static struct loop_watch *watch;

static void on_ready(void *arg, int events)
{
    char c;

    (void)arg;
    assert_int_equal(events, LOOP_READ);
    assert_int_equal(read(pipe_ends[0], &c, 1), 1);
    note((char[]){c, '\0'});
    if (c == '2')
        loop_watch_set(watch, 0);
}

static void a_watched_descriptor_is_told_until_it_is_not_watched(void **state)
{
    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    watch = loop_watch_new(loop, pipe_ends[0], on_ready, NULL);
    loop_watch_set(watch, LOOP_READ);
    assert_int_equal(write(pipe_ends[1], "123", 3), 3);
    loop_run_for(loop, 20);
    assert_string_equal(order, "12");
    loop_watch_free(watch);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void a_regular_file_cannot_be_watched(void **state)
{
    (void)state;
    FILE *f = tmpfile();

    assert_non_null(f);
    assert_null(loop_watch_new(loop, fileno(f), on_ready, NULL));
    fclose(f);
}

static void what_was_left_behind_is_closed_with_the_loop(void **state)
{
    (void)state;
    loop_timer_start(loop_timer_new(loop, note_arg, text("t")), 1000);
    loop_wake_new(loop, note_arg, text("w"));
    loop_signal_new(loop, SIGUSR2, on_signal, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(timers_fire_by_time_not_by_order_of_start),
        T(a_restarted_timer_fires_once),
        T(a_timer_may_free_itself),
        T(running_for_a_time_takes_that_time),
        T(a_thread_wakes_the_loop),
        T(a_freed_wake_up_does_not_fire),
        T(a_signal_comes_as_a_callback),
        T(a_watched_descriptor_is_told_until_it_is_not_watched),
        T(a_regular_file_cannot_be_watched),
        T(what_was_left_behind_is_closed_with_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
