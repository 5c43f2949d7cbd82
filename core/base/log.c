/* SPDX-License-Identifier: ISC */
/*
 * Log lines of the daemon. A line is made printable as a whole before any sink sees it: values come
 * from peers, and a terminal or a journal reader is at the other end. Lines are cut at LINE_MAX_BYTES.
 */
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"

#define LINE_MAX_BYTES 8192

static const char *const level_names[] = {"error", "warn", "notice", "info", "debug"};

static const char *level_name(enum log_level level)
{
    return (size_t)level < ARRAY_LEN(level_names) ? level_names[level] : "debug";
}

/* One write per line, so that lines of several threads do not mix. stderr that is gone is nothing
 * that could be reported anywhere. */
static void write_stderr(const char *front, const char *line)
{
    struct buf out = BUF_INIT;

    buf_add_z(&out, front);
    buf_add_z(&out, line);
    buf_add_c(&out, '\n');
    ssize_t n = write(STDERR_FILENO, out.p, out.n);
    (void)n;
    buf_done(&out);
}

static void sink_journal(UNUSED void *arg, enum log_level level, const char *line)
{
    /* sd-daemon(3): syslog's priorities, of which error is 3 and debug 7. */
    char front[4] = {'<', (char)('3' + (int)level), '>', '\0'};

    write_stderr(front, line);
}

static void sink_stderr(UNUSED void *arg, UNUSED enum log_level level, const char *line)
{
    const struct clock *c = clock_system();
    char time[32], front[40];

    snprintf(front, sizeof(front), "%s ", text_time_utc(c->wall_ms(c), time));
    write_stderr(front, line);
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream; compared, because a program that
 * redirects its child's stderr leaves the variable as it was. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char here[64];

    if (!stream || fstat(STDERR_FILENO, &st) != 0)
        return false;
    snprintf(here, sizeof(here), "%" PRIuMAX ":%" PRIuMAX, (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino);
    return strcmp(stream, here) == 0;
}

void log_init_stderr(struct log *l, enum log_level level)
{
    *l = (struct log){
        .level = level,
        .sink = stderr_is_journal() ? sink_journal : sink_stderr,
    };
}

void log_write(const struct log *l, enum log_level level, const char *topic, const char *fmt, ...)
{
    if (!l || !l->sink || level > l->level)
        return;

    struct buf raw = BUF_INIT, line = BUF_INIT;
    va_list ap;

    buf_printf(&raw, "%s %s: ", level_name(level), topic);
    va_start(ap, fmt);
    buf_vprintf(&raw, fmt, ap);
    va_end(ap);
    text_printable(&line, str_sub(buf_str(&raw), 0, LINE_MAX_BYTES), true);
    l->sink(l->arg, level, buf_text(&line));
    buf_done(&raw);
    buf_done(&line);
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_ieq_z(str_of(name), level_names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}
