/* SPDX-License-Identifier: ISC */
/*
 * retry, hold, release, delete, confirm, resend, reroute, bounce: asked of the engine as a job. On a
 * terminal a count is shown first, and asked about; without one what destroys needs --yes. A job goes
 * on in the engine when we leave. undo takes one back.
 */
#include "tui/cmd_act.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tui/json.h"

#define JOB_MS      (10 * MINUTE_MS)
#define COUNT_LARGE 100 /* from then on the number itself is the answer */

static enum ctl_verb verb_of(const char *name)
{
    for (int v = CTL_RETRY; v <= CTL_BOUNCE; v++)
        if (strcmp(ctl_verb_name((enum ctl_verb)v), name) == 0)
            return (enum ctl_verb)v;
    return CTL_VERB_COUNT;
}

/* What one verb needs and all others must not have. */
static int take_special(struct ctl_request *q, const char *to, const char *text, struct err *err)
{
    if ((q->verb == CTL_REROUTE) != (to[0] != '\0'))
        return err_set(err, E_SYNTAX,
                       to[0] ? "--to goes with reroute only"
                             : "say where: --to RELAY, HOST[:PORT], direct or configured");
    if (text[0] && q->verb != CTL_BOUNCE)
        return err_set(err, E_SYNTAX, "--text goes with bounce only");
    if (!text_is_utf8(str_of(text)))
        return err_set(err, E_SYNTAX, "--text is not UTF-8");
    if (!str_copy(str_of(to), q->to, sizeof q->to))
        return err_set(err, E_LIMIT, "--to is longer than %zu octets", sizeof q->to - 1);
    if (!str_copy(str_of(text), q->text, sizeof q->text))
        return err_set(err, E_LIMIT, "--text is longer than %zu octets", sizeof q->text - 1);
    return 0;
}

/* A rule is for mail to come, too: whoever finds it later must know why. */
static int take_rule(struct ctl_request *q, const char *life, const char *reason, struct err *err)
{
    if (q->is_rule && q->verb != CTL_HOLD && q->verb != CTL_REROUTE)
        return err_set(err, E_SYNTAX, "--rule goes with hold and reroute only");
    if (q->is_rule && !reason[0])
        return err_set(err, E_SYNTAX, "a rule needs a --reason");
    if (life[0] && !q->is_rule)
        return err_set(err, E_SYNTAX, "--for goes with --rule only");
    if (life[0] && (!text_parse_duration(str_of(life), &q->for_ms) || q->for_ms <= 0))
        return err_set(err, E_SYNTAX, "--for takes a time as 12h or 30d");
    return 0;
}

int act_parse(const char *verb, int argc, char **argv, int64_t now_wall_ms, struct act_args *out,
              struct err *err)
{
    const char *reason = "", *to = "", *words = "", *life = "";
    bool is_all = false;
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    *out = (struct act_args){.request.verb = verb_of(verb)};
    const struct opt table[] = {
        {"--all", OPT_FLAG, &is_all},        {"--dry-run", OPT_FLAG, &out->request.is_dry_run},
        {"--reason", OPT_TEXT, &reason},     {"--yes", OPT_FLAG, &out->is_sure},
        {"--json", OPT_FLAG, &out->is_json}, {"--to", OPT_TEXT, &to},
        {"--text", OPT_TEXT, &words},        {"--rule", OPT_FLAG, &out->request.is_rule},
        {"--for", OPT_TEXT, &life},          {0}};
    int rc = opts_parse(table, argc, argv, &rest, err);
    if (rc == 0)
        rc = opts_filter(&rest, now_wall_ms, &text, err);
    if (rc == 0)
        rc = take_special(&out->request, to, words, err);
    if (rc == 0)
        rc = take_rule(&out->request, life, reason, err);
    if (rc < 0)
        return rc;
    if (is_all && text.n)
        return err_set(err, E_SYNTAX, "--all goes with no filter");
    /* "" too: an empty variable in a script must not mean everything. */
    if (!is_all && str_trim(buf_str(&text)).n == 0)
        return err_set(err, E_SYNTAX, "say which: a filter, queue ids, or --all");
    if (!str_copy(str_of(reason), out->request.reason, sizeof out->request.reason))
        return err_set(err, E_LIMIT, "the reason is longer than %zu octets",
                       sizeof out->request.reason - 1);
    str_copy(buf_str(&text), out->request.filter, sizeof out->request.filter);
    return 0;
}

static const char *effect(enum ctl_verb v)
{
    switch (v) {
    case CTL_RETRY: return "They are tried again now.";
    case CTL_HOLD: return "They stay in the queue and are not tried until they are released.";
    case CTL_RELEASE: return "They are tried again.";
    case CTL_CONFIRM: return "They count as delivered, and are not sent again.";
    case CTL_RESEND: return "They are sent again: who got them already gets them twice.";
    case CTL_REROUTE: return "Their tries take that way from now on; later mail goes as before.";
    case CTL_BOUNCE: return "They go back to their senders in 30 seconds; until then: mxhelm undo.";
    default: return "They are taken out of the queue, nobody is told; for 15 minutes: mxhelm undo.";
    }
}

/* It cannot be undone tomorrow: asked about, also when it is one. */
static bool is_final(enum ctl_verb v)
{
    return v == CTL_DELETE || v == CTL_BOUNCE;
}

static void progress(void *arg, const struct ctl_job *j)
{
    char seen[32];
    (void)arg;
    fprintf(stderr, "\r%s recipients ...  ", text_count(j->seen, seen));
}

/* Run the job to its end: 0, or an exit code after saying why. */
static int run_job(const struct cli *c, const struct ctl_request *q, struct ctl_job *out)
{
    struct err err = ERR_NONE;
    struct ctl_reply r;
    bool is_shown = isatty(STDERR_FILENO);
    int rc = ctl_run_job(c->control, q, JOB_MS, is_shown ? progress : NULL, NULL, &r, &err);
    if (is_shown)
        fputs("\r                              \r", stderr);
    if (rc < 0)
        return cli_fail(&err);
    int code = 0;
    if (r.kind != CTL_REPLY_JOB) {
        err_set(&err, r.code, "%s", r.text);
        code = cli_fail(&err);
    } else if (r.job.state != CTL_JOB_DONE) {
        err_set(&err, E_STATE, "the job was %s after %llu recipients%s%s",
                ctl_job_state_name(r.job.state), (unsigned long long)r.job.changed,
                r.job.error[0] ? ": " : "", r.job.error);
        code = cli_fail(&err);
    }
    *out = r.job;
    ctl_reply_done(&r);
    return code;
}

/* One line of the operator's answer. */
static bool is_agreed(uint64_t count, bool is_number_asked)
{
    char answer[64], want[32];
    snprintf(want, sizeof want, "%llu", (unsigned long long)count);
    if (is_number_asked)
        fprintf(stderr, "Type the number %s to go on: ", want);
    else
        fputs("Go on? [y/N] ", stderr);
    if (!fgets(answer, sizeof answer, stdin))
        return false;
    struct str a = str_trim(str_of(answer));
    return is_number_asked ? str_eq_z(a, want) : str_ieq_z(a, "y") || str_ieq_z(a, "yes");
}

/* Count, say, ask: 0 to go on, or an exit code (then *is_over). */
static int confirm(const struct cli *c, const struct act_args *a, bool *is_over)
{
    struct ctl_request q = a->request;
    struct ctl_job j;
    char n[32], age[16];
    q.is_dry_run = true;
    int code = run_job(c, &q, &j);
    *is_over = true;
    if (code)
        return code;
    if (j.changed == 0 && q.is_rule) {
        *is_over = false;
        return 0;
    }
    if (j.changed == 0) {
        fprintf(stderr, "nothing to %s: %llu match, none in a state for it\n",
                ctl_verb_name(q.verb), (unsigned long long)j.seen);
        return EXIT_WRONG;
    }
    *is_over = false;
    if (j.changed == 1 && !is_final(q.verb))
        return 0;
    fprintf(stderr, "%s %s recipients on %s, the oldest from %s ago. %s\n", ctl_verb_name(q.verb),
            text_count(j.changed, n), c->conf.hostname,
            text_duration(c->now_wall_ms - j.oldest_wall_ms, age), effect(q.verb));
    if (is_agreed(j.changed, is_final(q.verb) && j.changed >= COUNT_LARGE))
        return 0;
    *is_over = true;
    fputs("nothing was done\n", stderr);
    return EXIT_WRONG;
}

static void print_result(const struct act_args *a, const struct ctl_job *j)
{
    char n[32], m[32], age[16], id[ID_TEXT_MAX];
    if (a->is_json) {
        json_print(json_of_job(j));
        return;
    }
    const struct clock *clock = clock_system();
    printf("%s%s%s%s: %s changed, %s skipped", ctl_verb_name(j->verb), j->to[0] ? " to " : "",
           j->to, j->is_dry_run ? " (dry run)" : "", text_count(j->changed, n),
           text_count(j->skipped, m));
    if (j->oldest_wall_ms)
        printf(", the oldest from %s ago",
               text_duration(clock->wall_ms(clock) - j->oldest_wall_ms, age));
    printf(" (job %s)\n", id_text(j->id, id));
    if (j->verb == CTL_BOUNCE && !j->is_dry_run && j->changed > 0)
        printf("held back for 30 seconds; until then it is taken back with: mxhelm undo %s\n", id);
    if (j->verb == CTL_DELETE && !j->is_dry_run && j->changed > 0)
        printf("kept for 15 minutes; until then it is taken back with: mxhelm undo %s\n", id);
}

/* A script that means it says so. */
static int refuse_unasked(enum ctl_verb v)
{
    fprintf(stderr, "mxhelm: %s without a terminal to ask on needs --yes\n", ctl_verb_name(v));
    return EXIT_USAGE;
}

int cmd_act(struct cli *c, int argc, char **argv)
{
    struct act_args a;
    struct err err = ERR_NONE;
    struct ctl_job j;
    bool is_over = false;
    int code = 0;

    if (act_parse(c->verb->name, argc, argv, c->now_wall_ms, &a, &err) < 0)
        return cli_usage(c, "%s", err.text);
    cli_origin(a.request.origin, sizeof a.request.origin);
    if (!a.request.is_dry_run && !a.is_sure) {
        if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
            code = confirm(c, &a, &is_over);
        else if (is_final(a.request.verb))
            return refuse_unasked(a.request.verb);
    }
    if (code || is_over)
        return code;
    code = run_job(c, &a.request, &j);
    if (code)
        return code;
    print_result(&a, &j);
    if (a.request.is_rule && !a.request.is_dry_run && !a.is_json)
        puts("mail to come is caught, too: mxhelm rules");
    return j.seen == 0 && !a.request.is_rule ? EXIT_WRONG : EXIT_DONE;
}

int cmd_undo(struct cli *c, int argc, char **argv)
{
    struct act_args a = {.request = {.verb = CTL_UNDO}};
    const struct opt table[] = {{"--json", OPT_FLAG, &a.is_json},
                                {"--dry-run", OPT_FLAG, &a.request.is_dry_run},
                                {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct err err = ERR_NONE;
    struct ctl_job j;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    if (rest.n > 1 || (rest.n == 1 && !id_parse(str_of(rest.args[0]), &a.request.job)))
        return cli_usage(c, "nothing, or a job as mxhelm jobs lists it");
    cli_origin(a.request.origin, sizeof a.request.origin);
    int code = run_job(c, &a.request, &j);
    if (code)
        return code;
    print_result(&a, &j);
    if (j.skipped > 0)
        fputs("mxhelm: what a later act or a try has changed since stays as it is\n", stderr);
    else if (j.changed == 0)
        fputs("mxhelm: nothing of that job can be undone any more\n", stderr);
    return j.changed == 0 ? EXIT_WRONG : EXIT_DONE;
}
