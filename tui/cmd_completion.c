/* SPDX-License-Identifier: ISC */
/* completion: scripts that are made from the table of verbs, so that they know no verb that is not there. */
#include "tui/cli.h"

static const char *const words[] = {
    "to:",  "from:", "domain:", "site:",  "state:", "status:", "cause:", "code:",
    "dsn:", "id:",   "age:",    "tries:", "size:",  "next:",   "since:", "relay:"};

/* The options in a usage line: "--by", "-n" ..., each behind a blank. */
static void put_options(struct buf *b, const char *usage)
{
    for (const char *p = usage; (p = strchr(p, '-')); p++) {
        size_t n = strcspn(p, " ]|.");
        if ((p == usage || strchr("[ |", p[-1])) && n > 1)
            buf_printf(b, " %.*s", (int)n, p);
        p += n - (n > 0);
    }
}

static void put_words(struct buf *b)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        buf_printf(b, " %s", words[i]);
}

static bool takes_filter(const struct verb *v)
{
    return strstr(v->usage, "FILTER") != NULL;
}

static void put_bash(struct buf *b)
{
    buf_add_z(b, "_mxhelm() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words\n"
                 "    case ${COMP_WORDS[1]} in\n");
    for (const struct verb *v = cli_verbs; v->name; v++) {
        buf_printf(b, "    %s) words='", v->name);
        put_options(b, v->usage);
        if (takes_filter(v))
            put_words(b);
        buf_add_z(b, "' ;;\n");
    }
    buf_add_z(b, "    esac\n    [ \"$COMP_CWORD\" -gt 1 ] || words='");
    for (const struct verb *v = cli_verbs; v->name; v++)
        buf_printf(b, " %s", v->name);
    buf_add_z(b, "'\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                 "    [[ ${COMPREPLY[0]} == *: ]] && compopt -o nospace\n}\n"
                 "complete -F _mxhelm mxhelm\n");
}

static void put_zsh(struct buf *b)
{
    buf_add_z(b, "#compdef mxhelm\n_mxhelm() {\n    local -a verbs=(\n");
    for (const struct verb *v = cli_verbs; v->name; v++)
        buf_printf(b, "        '%s:%s'\n", v->name, v->help);
    buf_add_z(b, "    )\n    if (( CURRENT == 2 )); then _describe verb verbs; return; fi\n"
                 "    case $words[2] in\n");
    for (const struct verb *v = cli_verbs; v->name; v++) {
        buf_printf(b, "    %s) compadd --", v->name);
        put_options(b, v->usage);
        if (takes_filter(v)) {
            buf_add_z(b, "; compadd -S '' --");
            put_words(b);
        }
        buf_add_z(b, " ;;\n");
    }
    buf_add_z(b, "    esac\n}\ncompdef _mxhelm mxhelm\n");
}

static void put_fish(struct buf *b)
{
    buf_add_z(b, "complete -c mxhelm -f\n");
    for (const struct verb *v = cli_verbs; v->name; v++) {
        buf_printf(b, "complete -c mxhelm -n __fish_use_subcommand -a %s -d '%s'\n", v->name,
                   v->help);
        buf_printf(b, "complete -c mxhelm -n '__fish_seen_subcommand_from %s' -a '", v->name);
        put_options(b, v->usage);
        if (takes_filter(v))
            put_words(b);
        buf_add_z(b, "'\n");
    }
}

int cmd_completion(struct cli *c, int argc, char **argv)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    const char *shell = argc == 1 ? argv[0] : "";
    if (strcmp(shell, "bash") == 0)
        put_bash(&b);
    else if (strcmp(shell, "zsh") == 0)
        put_zsh(&b);
    else if (strcmp(shell, "fish") == 0)
        put_fish(&b);
    else
        return cli_usage(c, "bash, zsh or fish is needed");
    cli_flush(&b);
    return EXIT_DONE;
}
