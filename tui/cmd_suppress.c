/* SPDX-License-Identifier: ISC */
/* suppress: addresses and domains that take no mail from here: list, add, remove. */
#include "tui/cli.h"

#include "core/base/text.h"
#include "core/ctl/client.h"
#include "tui/json.h"
#include "tui/say.h"

#define CALL_MS  10000
#define ROWS_MAX 100000

static void print_json(const struct queue_suppression *q)
{
    json_t *o = json_object();
    json_put_text(o, "suppressed", q->key);
    json_put_text(o, "reason", q->reason);
    json_put_text(o, "who", q->source);
    json_put_time(o, "since", q->made_wall_ms);
    json_put_time(o, "until", q->until_wall_ms);
    json_put_count(o, "hits", q->hits);
    json_put_time(o, "last_hit", q->last_wall_ms);
    json_print(o);
}

static void print_text(void *arg, const struct queue_suppression *q)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char when[32], n[32];
    (void)arg;
    cli_put(&b, str_of(q->key), 40, true);
    if (q->until_wall_ms)
        buf_printf(&b, " until %s", say_full(q->until_wall_ms, when));
    else
        buf_printf(&b, " %-25s", "for good");
    buf_printf(&b, " %8s stopped", text_count(q->hits, n));
    if (q->last_wall_ms)
        buf_printf(&b, ", the last %s", say_full(q->last_wall_ms, when));
    buf_add_z(&b, "\n        ");
    cli_put(&b, str_of(q->reason), SIZE_MAX, false);
    buf_printf(&b, ", since %s, by ", say_full(q->made_wall_ms, when));
    cli_put(&b, str_of(q->source), SIZE_MAX, false);
    buf_add_c(&b, '\n');
    cli_flush(&b);
}

static void print_row(void *arg, const struct queue_suppression *q)
{
    const bool *is_json = arg;
    if (*is_json)
        print_json(q);
    else
        print_text(NULL, q);
}

static int list(struct cli *c, bool is_json)
{
    struct err err = ERR_NONE;
    int code = cli_view(c);
    if (code)
        return code;
    if (view_suppressions(c->view, c->now_wall_ms, ROWS_MAX, print_row, &is_json, &err) < 0)
        return cli_fail(&err);
    return EXIT_DONE;
}

static int ask(const struct cli *c, const struct ctl_request *q, bool is_json)
{
    struct err err = ERR_NONE;
    struct ctl_reply r;
    if (ctl_call(c->control, q, CALL_MS, &r, &err) < 0)
        return cli_fail(&err);
    int code = EXIT_DONE;
    if (r.kind == CTL_REPLY_ERROR) {
        err_set(&err, r.code, "%s", r.text);
        code = cli_fail(&err);
    } else if (is_json) {
        json_t *o = json_object();
        json_put_text(o, "verb", ctl_verb_name(q->verb));
        json_put_text(o, "suppressed", q->to);
        json_put_bool(o, "dry_run", q->is_dry_run);
        json_print(o);
    } else {
        struct buf b CLEANUP(buf_done) = BUF_INIT;
        cli_put(&b, str_of(q->to), SIZE_MAX, false);
        buf_add_z(&b, q->verb == CTL_SUPPRESS ? " takes no mail from here" : " takes mail again");
        buf_add_z(&b, q->is_dry_run ? " (dry run)\n" : "\n");
        cli_flush(&b);
    }
    ctl_reply_done(&r);
    return code;
}

int cmd_suppress(struct cli *c, int argc, char **argv)
{
    const char *reason = "", *life = "", *gone = "";
    bool is_json = false;
    struct ctl_request q = {.verb = CTL_SUPPRESS};
    const struct opt table[] = {
        {"--reason", OPT_TEXT, &reason},        {"--for", OPT_TEXT, &life},
        {"--remove", OPT_TEXT, &gone},          {"--json", OPT_FLAG, &is_json},
        {"--dry-run", OPT_FLAG, &q.is_dry_run}, {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct err err = ERR_NONE;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    if (rest.n > 1 || (gone[0] && (rest.n > 0 || reason[0] || life[0])))
        return cli_usage(c, "nothing, one address or domain, or --remove with one");
    if (rest.n == 0 && !gone[0])
        return reason[0] || life[0] ? cli_usage(c, "say which address or domain")
                                    : list(c, is_json);
    if (gone[0])
        q.verb = CTL_UNSUPPRESS;
    else if (!reason[0])
        return cli_usage(c, "say why: --reason TEXT; senders are told");
    if (life[0] && (!text_parse_duration(str_of(life), &q.for_ms) || q.for_ms <= 0))
        return cli_usage(c, "--for takes a time as 12h or 30d");
    if (!str_copy(str_of(gone[0] ? gone : rest.args[0]), q.to, sizeof q.to) ||
        !str_copy(str_of(reason), q.reason, sizeof q.reason))
        return cli_usage(c, "that is too long");
    cli_origin(q.origin, sizeof q.origin);
    return ask(c, &q, is_json);
}
