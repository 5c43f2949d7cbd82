/* SPDX-License-Identifier: ISC */
/*
 * mxhelm: the operator's side. Without an argument on a terminal the console; with a verb one
 * command; called as sendmail, sendmail(1).
 *
 *   cli.c          what the verbs share      cmd_*.c       the verbs, one file each
 *   verbs.c        the table of them         opts.c        their arguments
 *   json.c         their --json
 *   sendmail.c     sendmail(1)               submit.c      handing mail to the engine
 *   console.c      the console, with all the other files of this folder
 */
#include <unistd.h>

#include "tui/cli.h"
#include "tui/console.h"

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int run_console(struct cli *c)
{
    struct console_conf cc = {
        .store_dir = c->conf.store_path,
        .control_socket = c->control,
        .hostname = c->conf.hostname,
        .conf = &c->conf,
        .theme = getenv("MXHELM_THEME"),
    };
    return console_run(&cc);
}

static int run_verb(struct cli *c, int argc, char **argv)
{
    int code = c->verb->run(c, argc, argv);
    /* A full disk behind ">" must not look like success. */
    if (fflush(stdout) == EOF || ferror(stdout)) {
        fputs("mxhelm: standard output cannot be written\n", stderr);
        return EXIT_WRONG;
    }
    return code;
}

/* argv: what stands behind the options of mxhelm itself. */
static int run(const char *conf_path, int argc, char **argv)
{
    const struct verb *v = argc > 0 ? cli_verb_find(argv[0]) : NULL;
    struct cli c;

    if (argc > 0 && !v) {
        fprintf(stderr, "mxhelm: there is no verb %.60s; mxhelm help lists them\n", argv[0]);
        return EXIT_USAGE;
    }
    if (v && asks_for_help(argc - 1, argv + 1)) {
        cli_verb_print(stdout, v);
        return EXIT_DONE;
    }
    if (!conf_path && access(CONF_DEFAULT_PATH, F_OK) == 0)
        conf_path = CONF_DEFAULT_PATH;
    /* Help, completion and a check of the configuration need none that is good. */
    int code = cli_init(&c, conf_path);
    c.verb = v;
    if (code == 0)
        code = v ? run_verb(&c, argc - 1, argv + 1) : run_console(&c);
    else if (v && (v->run == cmd_help || v->run == cmd_completion))
        code = run_verb(&c, argc - 1, argv + 1);
    cli_done(&c);
    return code;
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *conf_path = getenv("MXHELM_CONFIG");
    int at = 1;

    if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "sendmail") == 0)
        return sendmail_main(argc, argv);
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "-c") == 0 && at + 1 < argc) {
            conf_path = argv[++at];
        } else if (strcmp(argv[at], "--version") == 0) {
            return puts("mxhelm " MXHELM_VERSION) < 0;
        } else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            cli_help_print(stdout);
            return EXIT_DONE;
        } else if (strcmp(argv[at], "-c") == 0) {
            fputs("mxhelm: -c needs the FILE of a configuration behind it\n", stderr);
            return EXIT_USAGE;
        } else {
            fprintf(stderr, "mxhelm: there is no option %.60s here; mxhelm help\n", argv[at]);
            return EXIT_USAGE;
        }
    }
    if (at >= argc && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))) {
        cli_help_print(stderr);
        return EXIT_USAGE;
    }
    return run(conf_path && conf_path[0] ? conf_path : NULL, argc - at, argv + at);
}
