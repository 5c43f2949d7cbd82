/* SPDX-License-Identifier: ISC */
/*
 * Arguments of one verb: options by a table, the rest as they come. "--name VALUE" and "--name=VALUE";
 * one dash is an option only when the table has it, because "-domain:x" is a filter that excludes.
 * "--" ends the options.
 */
#ifndef TUI_OPTS_H
#define TUI_OPTS_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum opt_kind {
    OPT_FLAG,  /* bool */
    OPT_TEXT,  /* const char * */
    OPT_COUNT, /* uint64_t, 1 or more */
};

struct opt {
    const char *name; /* with its dashes; NULL behind the last */
    enum opt_kind kind;
    void *to;
};

struct opt_rest {
    const char **args; /* own: the array; borrowed: the texts */
    size_t n;
};

/* E_SYNTAX with one sentence; *rest is then empty. opt_rest_done after success. */
int opts_parse(const struct opt *table, int argc, char **argv, struct opt_rest *rest,
               struct err *err);
void opt_rest_done(struct opt_rest *rest);

/*
 * Words of the command line as one filter: an argument that is a queue id means that message; one
 * with blanks is a phrase, unless it holds quotes or a "word:" (then it is filter text already, as
 * copied from the console). E_SYNTAX, E_LIMIT: it does not parse, or is too long. out is appended to.
 */
int opts_filter(const struct opt_rest *rest, int64_t now_wall_ms, struct buf *out, struct err *err);

#endif
