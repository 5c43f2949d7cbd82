/* SPDX-License-Identifier: ISC */
/* status: the engine's own words; with the engine down, what the store says. */
#include "tui/cli.h"

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/ctl/client.h"
#include "tui/json.h"

#define CALL_MS 5000

static void line(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, "%-12s ", name);
    cli_put(b, str_of(text), SIZE_MAX, false);
    buf_add_c(b, '\n');
}

static void put_counts(struct buf *b, const uint64_t by_state[RCPT_STATE_COUNT], uint64_t deferred)
{
    char n[32], m[32];
    buf_printf(b, "%-12s %s queued (%s tried before)", "recipients",
               text_count(by_state[RCPT_QUEUED], n), text_count(deferred, m));
    for (int i = RCPT_ACTIVE; i <= RCPT_UNCONFIRMED; i++)
        buf_printf(b, ", %s %s", text_count(by_state[i], n), rcpt_state_name((enum rcpt_state)i));
    buf_printf(b, "\n%-12s", "finished");
    for (int i = RCPT_DELIVERED; i < RCPT_STATE_COUNT; i++)
        buf_printf(b, "%s %s %s", i == RCPT_DELIVERED ? "" : ",", text_count(by_state[i], n),
                   rcpt_state_name((enum rcpt_state)i));
    buf_add_c(b, '\n');
}

static void put_queue(struct buf *b, uint64_t messages, uint64_t bytes, int64_t age_ms)
{
    char n[32], size[16], age[16];
    buf_printf(b, "%-12s %s messages, %s", "queue", text_count(messages, n),
               text_size(bytes, size));
    if (age_ms >= 0)
        buf_printf(b, ", the oldest is %s old", text_duration(age_ms, age));
    buf_add_c(b, '\n');
}

static void put_rate(struct buf *b, const char *name, const struct ctl_rate *r)
{
    char c1[32], c5[32], c15[32], all[32];
    buf_printf(b, "%-12s %9s %9s %9s %12s\n", name, text_count(r->m1, c1), text_count(r->m5, c5),
               text_count(r->m15, c15), text_count(r->total, all));
}

static void put_rates(struct buf *b, const struct ctl_status *s)
{
    buf_printf(b, "%-12s %9s %9s %9s %12s\n", "", "1 min", "5 min", "15 min", "since start");
    put_rate(b, "accepted", &s->accepted);
    put_rate(b, "rejected", &s->rejected);
    put_rate(b, "delivered", &s->delivered);
    put_rate(b, "deferrals", &s->deferrals);
    put_rate(b, "bounced", &s->bounced);
}

/* What does not get better by itself, and the command that shows it. */
static bool put_needs(struct buf *b, const uint64_t by_state[RCPT_STATE_COUNT])
{
    char n[32];
    if (by_state[RCPT_HELD])
        buf_printf(b,
                   "%-12s %s are held and will not leave by themselves: "
                   "mxhelm queue state:held\n",
                   "needs you", text_count(by_state[RCPT_HELD], n));
    if (by_state[RCPT_UNCONFIRMED])
        buf_printf(b, "%-12s %s may have been delivered already: mxhelm queue state:unconfirmed\n",
                   "needs you", text_count(by_state[RCPT_UNCONFIRMED], n));
    return by_state[RCPT_HELD] || by_state[RCPT_UNCONFIRMED];
}

static void print_status(const struct ctl_status *s)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char up[16];
    buf_printf(&b, "%-12s %s, version %s, process %lld, up %s\n", "engine",
               engine_state_name(s->state), s->version, (long long)s->pid,
               text_duration(s->now_wall_ms - s->started_wall_ms, up));
    if (s->why[0])
        line(&b, "why", s->why);
    line(&b, "host", s->hostname);
    line(&b, "listens on", s->listen);
    line(&b, "delivers", s->delivery);
    line(&b, "resolver", s->dns);
    line(&b, "store", s->store);
    if (s->lab_special_use || s->lab_loopback_targets || s->lab_ca_file)
        buf_printf(&b, "%-12s%s%s%s\n", "LAB",
                   s->lab_special_use ? " special-use domains allowed" : "",
                   s->lab_loopback_targets ? " loopback targets allowed" : "",
                   s->lab_ca_file ? " certificates of a test authority trusted" : "");
    if (s->state == ENGINE_STORE_SICK)
        line(&b, "needs you",
             "no mail is taken in or sent: make room on the store's disk, or mend it; "
             "the engine goes on by itself");
    for (size_t i = 0; i < s->alarms_n; i++)
        line(&b, "ALARM", s->alarms[i]);
    put_counts(&b, s->by_state, s->deferred);
    put_queue(&b, s->messages, s->bytes,
              s->oldest_wall_ms ? s->now_wall_ms - s->oldest_wall_ms : -1);
    buf_printf(&b, "%-12s %u of %u connections, %u sites, %u of %u in the window, %u sessions in\n",
               "busy with", s->connections, s->connections_max, s->sites, s->window, s->window_max,
               s->sessions);
    buf_printf(&b, "%-12s %llu waiting, slowest commit %lld ms\n", "commits",
               (unsigned long long)s->store_waiting, (long long)s->commit_max_ms);
    put_rates(&b, s);
    put_needs(&b, s->by_state);
    cli_flush(&b);
}

/* The engine does not answer: say so, and what the store holds. */
static int without_engine(struct cli *c, bool is_json, const struct err *why)
{
    struct queue_totals t;
    struct err err = ERR_NONE;
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    int code = cli_fail(why);
    if (view_open(c->conf.store_path, &c->view, &err) < 0 || view_totals(c->view, &t, &err) < 0) {
        cli_fail(&err);
        return code;
    }
    if (is_json) {
        json_t *o = json_of_totals(&t);
        json_put_text(o, "why", why->text);
        json_print(o);
        return code;
    }
    line(&b, "engine", why->code == E_DOWN ? "down" : "does not answer");
    line(&b, "store", c->conf.store_path);
    put_counts(&b, t.by_state, t.deferred);
    put_queue(&b, t.messages, t.bytes, t.oldest_wall_ms ? c->now_wall_ms - t.oldest_wall_ms : -1);
    put_needs(&b, t.by_state);
    cli_flush(&b);
    return code;
}

int cmd_status(struct cli *c, int argc, char **argv)
{
    bool is_json = false;
    const struct opt table[] = {{"--json", OPT_FLAG, &is_json}, {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct err err = ERR_NONE;
    struct ctl_request q = {.verb = CTL_STATUS};
    struct ctl_reply r;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    if (rest.n > 0)
        return cli_usage(c, "%s is too much", rest.args[0]);
    if (ctl_call(c->control, &q, CALL_MS, &r, &err) < 0)
        return without_engine(c, is_json, &err);
    if (r.kind != CTL_REPLY_STATUS) {
        err_set(&err, r.code, "the engine says: %s", r.text);
        ctl_reply_done(&r);
        return cli_fail(&err);
    }
    if (is_json)
        json_print(json_of_status(&r.status));
    else
        print_status(&r.status);
    int code = r.status.state == ENGINE_RUNNING && r.status.alarms_n == 0 ? EXIT_DONE : EXIT_WRONG;
    ctl_reply_done(&r);
    return code;
}
