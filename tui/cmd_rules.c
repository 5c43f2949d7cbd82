/* SPDX-License-Identifier: ISC */
/* rules: the holds, reroutes and suppressions in force, and ending one. */
#include "tui/cli.h"

#include "core/base/text.h"
#include "core/ctl/client.h"
#include "core/mail/id.h"
#include "tui/json.h"
#include "tui/say.h"

#define CALL_MS  10000
#define ROWS_MAX 100000

struct listing {
    bool is_json;
    int64_t now_wall_ms;
};

/* One of any kind. */
struct line {
    const char *rule, *verb, *filter, *to, *reason, *who;
    int64_t since, until;
    uint64_t hits;
};

static void print_line(const struct listing *l, const struct line *i)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char when[32], n[32];
    if (l->is_json) {
        json_t *o = json_object();
        json_put_text(o, "rule", i->rule);
        json_put_text(o, "verb", i->verb);
        json_put_text(o, "filter", i->filter);
        json_put_text(o, "to", i->to);
        json_put_text(o, "reason", i->reason);
        json_put_text(o, "who", i->who);
        json_put_time(o, "since", i->since);
        json_put_time(o, "until", i->until);
        json_put_count(o, "hits", i->hits);
        json_print(o);
        return;
    }
    cli_put(&b, str_of(i->rule), 30, true);
    buf_printf(&b, " %-8s ", i->verb);
    buf_printf(&b, "%s%-25s %8s hits\n        ", i->until ? "until " : "",
               i->until ? say_full(i->until, when) : "for good", text_count(i->hits, n));
    cli_put(&b, str_of(i->filter), SIZE_MAX, false);
    buf_add_z(&b, i->to[0] ? " to " : "");
    cli_put(&b, str_of(i->to), SIZE_MAX, false);
    buf_printf(&b, "\n        since %s, by ", say_full(i->since, when));
    cli_put(&b, str_of(i->who), SIZE_MAX, false);
    buf_add_z(&b, ": ");
    cli_put(&b, str_of(i->reason), SIZE_MAX, false);
    buf_add_c(&b, '\n');
    cli_flush(&b);
}

static void print_rule(void *arg, const struct queue_rule *q)
{
    const struct listing *l = arg;
    char id[ID_TEXT_MAX];
    if (q->until_wall_ms && q->until_wall_ms <= l->now_wall_ms)
        return;
    struct line i = {.rule = id_text(q->id, id),
                     .verb = queue_verb_name(q->verb),
                     .filter = q->filter[0] ? q->filter : "everything",
                     .to = q->to,
                     .reason = q->reason,
                     .who = q->who,
                     .since = id_wall_ms(q->id),
                     .until = q->until_wall_ms,
                     .hits = q->hits};
    if (l->is_json)
        i.filter = q->filter;
    print_line(l, &i);
}

static void print_suppression(void *arg, const struct queue_suppression *q)
{
    struct line i = {.rule = q->key,
                     .verb = "suppress",
                     .filter = q->key,
                     .to = "",
                     .reason = q->reason,
                     .who = q->source,
                     .since = q->made_wall_ms,
                     .until = q->until_wall_ms,
                     .hits = q->hits};
    print_line(arg, &i);
}

static int list(struct cli *c, bool is_json)
{
    struct listing l = {is_json, c->now_wall_ms};
    struct err err = ERR_NONE;
    int code = cli_view(c);
    if (code)
        return code;
    if (view_rules(c->view, ROWS_MAX, print_rule, &l, &err) < 0 ||
        view_suppressions(c->view, c->now_wall_ms, ROWS_MAX, print_suppression, &l, &err) < 0)
        return cli_fail(&err);
    return EXIT_DONE;
}

int cmd_rules(struct cli *c, int argc, char **argv)
{
    const char *gone = "";
    bool is_json = false;
    struct ctl_request q = {.verb = CTL_END_RULE};
    const struct opt table[] = {{"--remove", OPT_TEXT, &gone}, {"--json", OPT_FLAG, &is_json}, {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct err err = ERR_NONE;
    struct ctl_reply r;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    if (rest.n > 0)
        return cli_usage(c, "nothing, or --remove with a rule as it is listed");
    if (!gone[0])
        return list(c, is_json);
    if (!id_parse(str_of(gone), &q.job)) {
        q.verb = CTL_UNSUPPRESS;
        if (!str_copy(str_of(gone), q.to, sizeof q.to))
            return cli_usage(c, "that is too long");
    }
    cli_origin(q.origin, sizeof q.origin);
    if (ctl_call(c->control, &q, CALL_MS, &r, &err) < 0)
        return cli_fail(&err);
    int code = EXIT_DONE;
    if (r.kind == CTL_REPLY_ERROR) {
        err_set(&err, r.code, "%s", r.text);
        code = cli_fail(&err);
    }
    ctl_reply_done(&r);
    return code;
}
