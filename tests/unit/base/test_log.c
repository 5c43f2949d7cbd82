/* SPDX-License-Identifier: ISC */
/* Log lines: levels, printable text, and what stderr gets with and without a journal. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/unit.h"
#include "core/base/log.h"

struct catcher {
    int lines;
    enum log_level level;
    struct buf last;
};

static void catch_line(void *arg, enum log_level level, const char *line)
{
    struct catcher *c = arg;

    c->lines++;
    c->level = level;
    buf_clear(&c->last);
    buf_add_z(&c->last, line);
}

static void log_line_has_level_topic_and_text(void **state)
{
    (void)state;
    struct catcher c = {0};
    struct log l = {.level = LOG_LEVEL_INFO, .sink = catch_line, .arg = &c};

    log_warn(&l, "store", "degraded errors=%d", 3);
    assert_int_equal(c.lines, 1);
    assert_int_equal(c.level, LOG_LEVEL_WARN);
    assert_string_equal(buf_text(&c.last), "warn store: degraded errors=3");
    buf_done(&c.last);
}

static void log_lines_above_the_level_are_not_made(void **state)
{
    (void)state;
    struct catcher c = {0};
    struct log l = {.level = LOG_LEVEL_NOTICE, .sink = catch_line, .arg = &c};
    int evaluated = 0;

    log_info(&l, "x", "no");
    log_debug(&l, "x", "no %d", ++evaluated);
    assert_int_equal(c.lines, 0);
    assert_int_equal(evaluated, 0);
    log_notice(&l, "x", "yes");
    log_error(&l, "x", "yes");
    assert_int_equal(c.lines, 2);
    l.level = LOG_LEVEL_DEBUG;
    log_debug(&l, "x", "yes");
    assert_string_equal(buf_text(&c.last), "debug x: yes");
    buf_done(&c.last);
}

static void log_without_a_log_is_silent(void **state)
{
    (void)state;
    struct log *none = NULL;
    struct log no_sink = {.level = LOG_LEVEL_DEBUG};

    log_error(none, "x", "nobody hears");
    log_debug(none, "x", "nobody hears");
    log_error(&no_sink, "x", "nobody hears");
}

static void log_line_of_a_peer_is_one_printable_line(void **state)
{
    (void)state;
    struct catcher c = {0};
    struct log l = {.level = LOG_LEVEL_INFO, .sink = catch_line, .arg = &c};

    log_info(&l, "smtp", "reply=%s", "550-a\r\n550 b\033[2J\nerror forged: x\r\n");
    assert_string_equal(buf_text(&c.last), "info smtp: reply=550-a 550 b^[[2J^Jerror forged: x");
    buf_done(&c.last);
}

static void log_line_is_cut_at_a_limit(void **state)
{
    (void)state;
    struct catcher c = {0};
    struct log l = {.level = LOG_LEVEL_INFO, .sink = catch_line, .arg = &c};

    log_info(&l, "x", "%*s", 100000, "end");
    assert_int_equal(c.last.n, 8192);
    buf_done(&c.last);
}

static void log_level_names_are_read_back(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_DEBUG;

    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_true(log_level_parse("Notice", &level));
    assert_int_equal(level, LOG_LEVEL_NOTICE);
    assert_false(log_level_parse("loud", &level));
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse(NULL, &level));
    assert_int_equal(level, LOG_LEVEL_NOTICE);
}

/* Runs the stderr sink with a file as stderr, and returns new what the file got. */
static char *stderr_of_a_warning(bool is_journal)
{
    char path[] = "/tmp/mxhelm-test-log-XXXXXX";
    int fd = mkstemp(path), keep = dup(STDERR_FILENO);
    struct stat st;
    struct log l;
    struct buf out = BUF_INIT;
    char chunk[256], stream[64];

    assert_true(fd >= 0 && keep >= 0);
    unlink(path);
    assert_int_equal(fstat(fd, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino + !is_journal);
    setenv("JOURNAL_STREAM", stream, 1);
    dup2(fd, STDERR_FILENO);
    log_init_stderr(&l, LOG_LEVEL_INFO);
    log_warn(&l, "x", "text");
    dup2(keep, STDERR_FILENO);
    close(keep);
    unsetenv("JOURNAL_STREAM");
    lseek(fd, 0, SEEK_SET);
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;)
        buf_add(&out, chunk, (size_t)n);
    close(fd);
    return buf_take(&out);
}

static void log_to_the_journal_carries_a_priority(void **state)
{
    (void)state;
    char *got = stderr_of_a_warning(true);

    assert_string_equal(got, "<4>warn x: text\n");
    free(got);
}

static void log_to_a_terminal_carries_the_time(void **state)
{
    (void)state;
    char *got = stderr_of_a_warning(false);

    assert_int_equal(got[10], 'T');
    assert_int_equal(got[23], 'Z');
    assert_string_equal(got + 24, " warn x: text\n");
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_line_has_level_topic_and_text),
        cmocka_unit_test(log_lines_above_the_level_are_not_made),
        cmocka_unit_test(log_without_a_log_is_silent),
        cmocka_unit_test(log_line_of_a_peer_is_one_printable_line),
        cmocka_unit_test(log_line_is_cut_at_a_limit),
        cmocka_unit_test(log_level_names_are_read_back),
        cmocka_unit_test(log_to_the_journal_carries_a_priority),
        cmocka_unit_test(log_to_a_terminal_carries_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
