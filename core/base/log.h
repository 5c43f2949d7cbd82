/* SPDX-License-Identifier: ISC */
/*
 * What the daemon says about itself (the delivery log is another thing: store/daylog.h). One line
 * per event: "level topic: text key=value". Floors 0 to 3 log at debug only; they return instead.
 *
 * error = an operator must act; warn = degraded, going on, and says so; notice = life cycle;
 * info = one per attempt; debug = by topic.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include "core/base/base.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

struct log {
    enum log_level level; /* lines above it are not made */
    /* Gets one finished line, printable, without newline. */
    void (*sink)(void *arg, enum log_level level, const char *line);
    void *arg;
};

/* To stderr: with "<3>" prefixes for journald when its JOURNAL_STREAM is this stderr, else with a
 * UTC time. */
void log_init_stderr(struct log *l, enum log_level level);
/* lg may be NULL: silence. topic is the part of the program, as "intake". */
void log_write(const struct log *l, enum log_level level, const char *topic, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
bool log_level_parse(const char *name, enum log_level *out);

/* Whether a line of that level would be made: asked before its arguments are worked out. */
static inline bool log_is_wanted(const struct log *l, enum log_level level)
{
    return l && l->level >= level;
}

#define log_error(l, topic, ...)  log_write(l, LOG_LEVEL_ERROR, topic, __VA_ARGS__)
#define log_warn(l, topic, ...)   log_write(l, LOG_LEVEL_WARN, topic, __VA_ARGS__)
#define log_notice(l, topic, ...) log_write(l, LOG_LEVEL_NOTICE, topic, __VA_ARGS__)
#define log_info(l, topic, ...)   log_write(l, LOG_LEVEL_INFO, topic, __VA_ARGS__)
#define log_debug(l, topic, ...)                                                                   \
    do {                                                                                           \
        if (log_is_wanted(l, LOG_LEVEL_DEBUG))                                                     \
            log_write(l, LOG_LEVEL_DEBUG, topic, __VA_ARGS__);                                     \
    } while (0)

#endif
