/* SPDX-License-Identifier: ISC */
/* What daylog.c and daylog_pack.c share. */
#ifndef STORE_DAYLOG_PRIVATE_H
#define STORE_DAYLOG_PRIVATE_H

#include "store/dayfile.h"
#include "store/daylog.h"

/* An open day file. */
struct day {
    char name[DAYFILE_NAME_MAX]; /* "" = closed */
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *insert, *has_row, *has_block; /* own */
    int64_t packed_to; /* last id in any block; 0 = none */
    uint64_t rows;     /* not packed */
};

struct gathered {
    int64_t id, wall_ms;
    size_t at, n; /* in text */
};

struct daylog {
    char *dir;          /* own */
    struct day today;   /* the file that was written last */
    struct day past;    /* the one before, until it is packed */
    struct gathered *a; /* own */
    size_t n, cap;
    struct buf text;
};

int day_open(struct day *day, const char *dir, const char *name, struct err *err);
void day_close(struct day *day);
/* Pack blocks, at most max of them, while more than keep rows are left; *more. */
int day_pack(struct day *day, unsigned max, uint64_t keep, bool *more, struct err *err);

#endif
