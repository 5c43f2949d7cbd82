/* SPDX-License-Identifier: ISC */
/*
 * What the verbs of `mxhelm` share: the table of them, configuration, the store's view, exit codes,
 * text on stdout. A verb is one file cmd_*.c with one function per row of the table; it reads the store
 * itself, and asks the engine only to act.
 */
#ifndef TUI_CLI_H
#define TUI_CLI_H

#include "core/mail/conf.h"
#include "store/view.h"
#include "tui/opts.h"

/* DESIGN section 8. */
#define EXIT_DONE   0
#define EXIT_WRONG  1 /* done, but something is wrong: nothing matched, a check failed */
#define EXIT_USAGE  2
#define EXIT_TEMP   75 /* the engine cannot be reached */
#define EXIT_CONFIG 78

struct cli {
    const char *conf_path; /* borrowed; NULL = built-in defaults */
    struct conf conf;
    char *control, *submit; /* own: sockets */
    struct view *view;      /* own; NULL until cli_view */
    int64_t now_wall_ms;
    const struct verb *verb; /* the one that runs: for its usage line */
};

struct verb {
    const char *name, *usage, *help, *more; /* usage: behind the name; more: lines, or "" */
    int (*run)(struct cli *c, int argc, char **argv); /* arguments behind the verb; an exit code */
};
extern const struct verb cli_verbs[];               /* ends with a NULL name */
const struct verb *cli_verb_find(const char *name); /* NULL: there is none */
void cli_verb_print(FILE *to, const struct verb *v);
void cli_help_print(FILE *to);

/* Load the configuration. 0, or an exit code with one sentence on stderr. cli_done afterwards. */
int cli_init(struct cli *c, const char *conf_path);
void cli_done(struct cli *c);
/* Say err on stderr; returns the exit code that goes with it. */
int cli_fail(const struct err *err);
/* The same with the verb's usage line; EXIT_USAGE. */
int cli_usage(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The store, opened when first asked for: 0, or an exit code after saying so. */
int cli_view(struct cli *c);
/* Where the operator sits, for the journal: "ssh 192.0.2.1", "" = here. */
void cli_origin(char *out, size_t size);
/* Pieces of the body until there is no more; octets as they are. 0 or an error. */
int cli_each_chunk(struct cli *c, int64_t message_id, void (*each)(void *arg, struct str bytes),
                   void *arg, struct err *err);

/* Columns of the terminal on stdout; SIZE_MAX when it is none, so that nothing is cut for a pipe. */
size_t cli_columns(void);
/* s made printable, cut at that many columns ("..." then ends it); is_padded: filled up. */
void cli_put(struct buf *out, struct str s, size_t columns, bool is_padded);
/* buf to stdout, and emptied. */
void cli_flush(struct buf *out);

int cmd_status(struct cli *c, int argc, char **argv);
int cmd_queue(struct cli *c, int argc, char **argv);
int cmd_show(struct cli *c, int argc, char **argv);
int cmd_act(struct cli *c, int argc, char **argv); /* retry, hold, release, delete */
int cmd_undo(struct cli *c, int argc, char **argv);
int cmd_suppress(struct cli *c, int argc, char **argv);
int cmd_rules(struct cli *c, int argc, char **argv);
int cmd_jobs(struct cli *c, int argc, char **argv);
int cmd_log(struct cli *c, int argc, char **argv);
int cmd_check(struct cli *c, int argc, char **argv);
int cmd_explain(struct cli *c, int argc, char **argv);
int cmd_send(struct cli *c, int argc, char **argv);
int cmd_config(struct cli *c, int argc, char **argv);
int cmd_completion(struct cli *c, int argc, char **argv);
int cmd_help(struct cli *c, int argc, char **argv);
/* Called as sendmail(1); exit codes of sysexits(3). */
int sendmail_main(int argc, char **argv);

#endif
