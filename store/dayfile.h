/* SPDX-License-Identifier: ISC */
/*
 * The form of one day's log file, shared by its writer (daylog.c, daylog_pack.c) and its readers
 * (view_log.c).
 *
 *   log(id, t, line)                       entries as they came
 *   seg(id, last, n, meta, data)           a block: entries id..last, n lines
 *       data = the lines, each ended by LF
 *       meta = n times (id, wall ms, offset in data), little-endian, 20 octets each
 *
 * Blocks never overlap. A row may lie within the range of a block (a line that came late, after a
 * crash), so readers merge the two.
 */
#ifndef STORE_DAYFILE_H
#define STORE_DAYFILE_H

#include <sqlite3.h>

#include "core/base/buf.h"
#include "core/base/err.h"

#define DAYFILE_SCHEMA         1
#define DAYFILE_APPLICATION_ID 0x4d454c31
#define DAYFILE_BLOCK_BYTES    65536
#define DAYFILE_META_BYTES     20
#define DAYFILE_NAME_MAX       32

/* "log-20261124.db". */
void dayfile_name(int64_t id, char out[DAYFILE_NAME_MAX]);
/* The names of all day files of a directory, oldest first. Returns new (free with free(*out)). */
int dayfile_list(const char *dir, char (**out)[DAYFILE_NAME_MAX], size_t *n, struct err *err);

struct dayfile_line {
    int64_t id, wall_ms;
    uint32_t at; /* offset of its text */
};
void dayfile_meta_put(struct buf *meta, const struct dayfile_line *l);
/* Line i of a block; i < n. */
struct dayfile_line dayfile_meta_get(const char *meta, size_t i);

/* A block as read back: its sizes agree. Offsets may still be damaged, so lines are only taken out
 * by the functions below, which stay within data. */
struct dayfile_block {
    int64_t first, last;
    size_t n;         /* lines */
    const char *meta; /* borrowed: the statement, until it is stepped or reset */
    const char *data;
    size_t data_n;
};
/* Columns id, last, n, meta, data of a row. False when it is damaged. */
bool dayfile_block_read(sqlite3_stmt *st, struct dayfile_block *out);
/* Where line i begins; data_n behind the last. */
size_t dayfile_block_start(const struct dayfile_block *b, size_t i);
/* Text of line i, without LF. */
struct str dayfile_block_line(const struct dayfile_block *b, size_t i);
/* The line that holds octet at of data. */
size_t dayfile_block_line_at(const struct dayfile_block *b, size_t at);
/* The first line with an id >= id; n when there is none. */
size_t dayfile_block_seek(const struct dayfile_block *b, int64_t id);

#endif
