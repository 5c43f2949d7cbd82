/* SPDX-License-Identifier: ISC */
/* jobs: the bulk acts that the engine remembers; stopping one, pausing it, going on. */
#include "tui/cli.h"

#include "core/base/text.h"
#include "core/mail/id.h"
#include "core/ctl/client.h"
#include "tui/json.h"
#include "tui/say.h"

#define CALL_MS 5000

static void print_job(const struct ctl_job *j, bool is_json)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char when[32], n[32], m[32], id[ID_TEXT_MAX];
    if (is_json) {
        json_print(json_of_job(j));
        return;
    }
    buf_printf(&b, "%s  %s  %-8s %-8s %10s changed %10s skipped%s\n        ", id_text(j->id, id),
               say_full(j->started_wall_ms, when), ctl_verb_name(j->verb),
               ctl_job_state_name(j->state), text_count(j->changed, n), text_count(j->skipped, m),
               j->is_dry_run ? " (dry run)" : "");
    cli_put(&b, str_of(j->filter[0] ? j->filter : "everything"), SIZE_MAX, false);
    if (j->to[0])
        buf_add_z(&b, " to ");
    cli_put(&b, str_of(j->to), SIZE_MAX, false);
    if (j->undoes)
        buf_printf(&b, " of job %s", id_text(j->undoes, id));
    if (j->text[0])
        buf_add_z(&b, " with the words: ");
    cli_put(&b, str_of(j->text), SIZE_MAX, false);
    buf_add_z(&b, ", by ");
    cli_put(&b, str_of(j->who), SIZE_MAX, false);
    if (j->reason[0])
        buf_add_z(&b, ": ");
    cli_put(&b, str_of(j->reason), SIZE_MAX, false);
    if (j->error[0])
        buf_add_z(&b, "\n        ");
    cli_put(&b, str_of(j->error), SIZE_MAX, false);
    buf_add_c(&b, '\n');
    cli_flush(&b);
}

static enum ctl_verb verb_of(const char *word)
{
    if (strcmp(word, "stop") == 0)
        return CTL_STOP_JOB;
    if (strcmp(word, "pause") == 0)
        return CTL_PAUSE_JOB;
    return strcmp(word, "resume") == 0 ? CTL_RESUME_JOB : CTL_VERB_COUNT;
}

int cmd_jobs(struct cli *c, int argc, char **argv)
{
    bool is_json = false;
    const struct opt table[] = {{"--json", OPT_FLAG, &is_json}, {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct err err = ERR_NONE;
    struct ctl_request q = {.verb = CTL_JOBS};
    struct ctl_reply r;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    if (rest.n > 0) {
        q.verb = rest.n == 2 ? verb_of(rest.args[0]) : CTL_VERB_COUNT;
        if (q.verb == CTL_VERB_COUNT || !id_parse(str_of(rest.args[1]), &q.job))
            return cli_usage(c, "nothing, or: stop, pause or resume JOB, as mxhelm jobs lists it");
    }
    cli_origin(q.origin, sizeof q.origin);
    if (ctl_call(c->control, &q, CALL_MS, &r, &err) < 0)
        return cli_fail(&err);
    int code = EXIT_DONE;
    if (r.kind == CTL_REPLY_JOB)
        print_job(&r.job, is_json);
    for (size_t i = 0; i < r.jobs_n; i++)
        print_job(&r.jobs[i], is_json);
    if (r.kind == CTL_REPLY_ERROR) {
        err_set(&err, r.code, "%s", r.text);
        code = cli_fail(&err);
    }
    ctl_reply_done(&r);
    return code;
}
