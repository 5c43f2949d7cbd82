/* SPDX-License-Identifier: ISC */
/* The table of verbs: what can be called, and what help says of it. */
#include "tui/cli.h"

const struct verb cli_verbs[] = {
    {"status", "[--json]", "engine state, totals, rates, what needs you", "", cmd_status},
    {"queue", "[FILTER...] [--by GROUP] [--sort COLUMN] [--limit N] [--json]",
     "what is in the queue, and why",
     "  --by GROUP      count by domain, site, cause, sender or age\n"
     "  --sort COLUMN   age next tries domain size state; with a leading '-' the other way round\n"
     "  --limit N       rows at most (default 1000)\n",
     cmd_queue},
    {"show", "ID [--raw | --transcript | --timeline] [--json]", "one message: recipients, why, next try, attempts",
     "  --raw           the stored message, as it was taken in\n"
     "  --timeline      every attempt, oldest first\n"
     "  --transcript    what each attempt did: DNS, hosts, connections, every command and reply\n",
     cmd_show},
#define ACT_USAGE "FILTER... | ID... | --all [--dry-run] [--reason TEXT] [--yes] [--json]"
#define ACT_MORE                                                                                   \
    "  --all           everything in the queue\n"                                                  \
    "  --dry-run       only say how many\n"                                                        \
    "  --reason TEXT   kept in the journal\n"                                                      \
    "  --yes           do not ask\n"
    {"retry", ACT_USAGE, "try again now", ACT_MORE, cmd_act},
#define RULE_MORE                                                                                  \
    "  --rule          catch mail to come, too; needs --reason: mxhelm rules\n"                      \
    "  --for TIME      of a rule: 12h, 30d; without it until it is removed\n"
    {"hold",
     "FILTER... | ID... | --all [--rule [--for TIME]] [--dry-run] [--reason TEXT] [--yes] [--json]",
     "keep in the queue, do not try", ACT_MORE RULE_MORE, cmd_act},
    {"release", ACT_USAGE, "end a hold", ACT_MORE, cmd_act},
    {"delete", ACT_USAGE, "take out of the queue; nobody is told",
     ACT_MORE "It is kept for 15 minutes: mxhelm undo puts it back.\n", cmd_act},
    {"confirm", ACT_USAGE, "unconfirmed mail arrived: count it as delivered", ACT_MORE, cmd_act},
    {"resend", ACT_USAGE, "unconfirmed mail did not arrive: send it again", ACT_MORE, cmd_act},
    {"reroute",
     "FILTER... | ID... | --all --to RELAY|HOST[:PORT] [--rule [--for TIME]] [--dry-run] "
     "[--reason TEXT] [--yes] [--json]",
     "send what is queued another way",
     "  --to RELAY      a [relay] of the configuration\n"
     "  --to HOST       that host, port 25 or HOST:PORT, without a login\n"
     "  --to direct     by MX, whatever the routes say; configured: as they say\n" ACT_MORE RULE_MORE,
     cmd_act},
    {"bounce", "FILTER... | ID... | --all [--text TEXT] [--dry-run] [--reason TEXT] [--yes] [--json]",
     "return to the senders, with your words",
     "  --text TEXT     what the senders are told, at most 499 octets\n" ACT_MORE
     "It is held back for 30 seconds: mxhelm undo, or release, takes it back.\n",
     cmd_act},
    {"undo", "[JOB] [--dry-run] [--json]", "take an act back",
     "  JOB             as acts and jobs say it; without it your latest act\n"
     "  --dry-run       only say how many\n"
     "retry, hold, release, delete and reroute for 15 minutes, bounce for 30 seconds. What a later act\n"
     "or a try has changed since stays as it is.\n",
     cmd_undo},
    {"rules", "[--remove RULE] [--json]", "holds, reroutes and suppressions in force",
     "  --remove RULE   end it; what a hold has held is released\n", cmd_rules},
    {"suppress",
     "[ADDRESS|DOMAIN --reason TEXT [--for TIME] | --remove ADDRESS|DOMAIN] [--dry-run] [--json]",
     "who takes no mail from here: list, add, remove",
     "  --reason TEXT   senders are told, in the refusal or in a report\n"
     "  --for TIME      12h, 30d; without it for good\n"
     "  --remove WHICH  end it\n"
     "New mail to them is refused, what is queued goes back to its sender at its next try. Reports\n"
     "(mail without a sender) are let through.\n",
     cmd_suppress},
    {"jobs", "[stop|pause|resume JOB] [--json]", "bulk acts: progress, who, how many",
     "  pause, resume   between two chunks of a thousand; what is done stays done\n", cmd_jobs},
    {"log", "[FILTER...] [--since T] [--until T] [-n N] [-f] [--postfix] [--json]",
     "the delivery log",
     "  --since T       10:42, 2026-11-24, -15m, yesterday ...; UTC\n"
     "  -n N            lines at most, the newest (default 1000)\n"
     "  -f              follow\n"
     "  --postfix       the lines that Postfix would have written, for log tools as pflogsumm\n",
     cmd_log},
    {"check",
     "[all|dns|port25|identity|spf] [--domain D] [--ip A] [--from ADDR] [--helo NAME] "
     "[--dns HOST:PORT] [--json]",
     "what must be true outside, tested from here",
     "  --domain D      ask this domain's servers for their greeting on port 25\n"
     "  --ip A          the address that the world sees us with\n"
     "  --from ADDR     the sender address\n"
     "  --helo NAME     the EHLO name\n"
     "  --dns HOST:PORT the resolver to ask\n",
     cmd_check},
    {"explain", "[TEXT | -] [--json]", "what a reply or an error means, who must act, what to do",
     "  TEXT            a reply, an error, or a line of a log\n"
     "  -               texts from standard input, one a line\n",
     cmd_explain},
    {"send", "[-f FROM] TO... < MESSAGE", "hand a message to the engine", "", cmd_send},
    {"config", "show [SECTION] | check | explain KEY [--json]",
     "the configuration in force, and what its keys mean", "", cmd_config},
    {"completion", "bash|zsh|fish", "a completion script for a shell", "", cmd_completion},
    {"help", "[VERB]", "this, or more about a verb", "", cmd_help},
    {0},
};

const struct verb *cli_verb_find(const char *name)
{
    for (const struct verb *v = cli_verbs; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

void cli_verb_print(FILE *to, const struct verb *v)
{
    fprintf(to, "usage: mxhelm %s %s\n%s\n%s", v->name, v->usage, v->help, v->more);
}

void cli_help_print(FILE *to)
{
    fprintf(to,
            "usage: mxhelm [-c FILE] [VERB ...]\n\n"
            "  %-12s%s\n",
            "", "the console");
    for (const struct verb *v = cli_verbs; v->name; v++)
        fprintf(to, "  %-12s%s\n", v->name, v->help);
    fputs("\nmxhelm VERB --help says more. -c FILE or MXHELM_CONFIG names the configuration; "
          "the default is\n" CONF_DEFAULT_PATH ".\n"
          "Exit codes: 0 done, 1 something is wrong, 2 usage, 75 the engine cannot be reached,\n"
          "78 configuration.\n",
          to);
}

int cmd_help(struct cli *c, int argc, char **argv)
{
    const struct verb *v = argc > 0 ? cli_verb_find(argv[0]) : NULL;
    if (argc > 0 && !v)
        return cli_usage(c, "there is no verb %s", argv[0]);
    if (v)
        cli_verb_print(stdout, v);
    else
        cli_help_print(stdout);
    return EXIT_DONE;
}
