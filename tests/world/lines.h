/* SPDX-License-Identifier: ISC */
/*
 * Words of a line, for .world and .scn files: separated by blanks, "quoted" with \r \n \t \" \\ \xHH,
 * a word may hold a quoted part (text="a b"), # begins a comment.
 */
#ifndef WORLD_LINES_H
#define WORLD_LINES_H

#include "core/base/buf.h"

#define LINE_WORDS_MAX 64

struct words {
    char *w[LINE_WORDS_MAX]; /* own */
    size_t len[LINE_WORDS_MAX];
    size_t n;
};

/* False and a static *why when the line does not parse; words_done afterwards in any case. */
bool words_split(struct str line, struct words *out, const char **why);
void words_done(struct words *w);
/* The value of "key=value" in words from.., or NULL. */
const char *words_value(const struct words *w, size_t from, const char *key);

#endif
