/* SPDX-License-Identifier: ISC */
/* The rows and lines that the fake feed serves. */
#ifndef TESTS_SCREEN_FAKE_ROWS_H
#define TESTS_SCREEN_FAKE_ROWS_H

#include "tests/screen/fake_feed.h"

#define FAKE_ROWS_MAX  5000
#define FAKE_LINES_MAX 2000

struct fake_line {
    int64_t id, wall_ms;
    char text[900];
};

/* Each fills an array of the size above, and returns how many; arrival grows with the index. */
size_t fake_rows_busy(struct view_row *rows);
size_t fake_rows_many(struct view_row *rows, size_t max);
size_t fake_rows_hostile(struct view_row *rows);
size_t fake_lines_busy(struct fake_line *lines, size_t max);
size_t fake_lines_hostile(struct fake_line *lines);

#endif
