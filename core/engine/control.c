/* SPDX-License-Identifier: ISC */
#include "core/engine/control.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/bulk.h"
#include "core/engine/intake.h"
#include "core/engine/relay.h"
#include "core/engine/rules.h"
#include "core/engine/watch.h"
#include "core/engine/schedule.h"
#include "core/engine/submit.h"
#include "core/engine/suppress.h"

#define MODE_CONTROL 0660
#define CLIENTS_MAX  64u
/* Totals are counted by the store; they are as old as that at most. */
#define TOTALS_FRESH_MS 500

struct control {
    struct engine *engine; /* borrowed */
    struct io_listener *listener;
    struct list clients;
    unsigned clients_n;
    struct queue_totals totals;
    int64_t totals_mono_ms; /* when they were counted; 0 = never */
    bool is_counting;
    uint64_t last_token;
};

struct client {
    struct list link; /* in control.clients */
    struct control *control;
    struct io_conn *conn;
    struct peer peer;
    struct buf in;
    bool wants_status; /* waits for the totals */
    uint64_t token;    /* never used again: of one that waits for the store */
};

static void client_end(struct client *c, bool flush)
{
    struct control *ctl = c->control;
    if (c->conn)
        ctl->engine->io->ops->close(c->conn, flush);
    buf_done(&c->in);
    list_remove(&c->link);
    ctl->clients_n--;
    free(c);
}

static void reply(struct client *c, struct ctl_reply *r)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    ctl_reply_write(r, &line);
    ctl_reply_done(r);
    c->control->engine->io->ops->write(c->conn, buf_str(&line));
}

static void reply_text(struct client *c, enum err_code code, const char *text)
{
    struct ctl_reply r = {.kind = code == E_OK ? CTL_REPLY_OK : CTL_REPLY_ERROR, .code = code};
    str_copy(str_of(text), r.text, sizeof r.text);
    reply(c, &r);
}

/* --- status --- */

static void describe(const struct engine *e, struct ctl_status *st)
{
    const struct conf *c = e->conf;
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char text[300];
    for (size_t i = 0; i < c->listen_n; i++)
        buf_printf(&b, "%s%s", i ? " " : "", endpoint_text(&c->listen[i], text));
    str_copy(buf_str(&b), st->listen, sizeof st->listen);
    str_copy(str_of(e->io->ops->servers(e->io)), st->dns, sizeof st->dns);
    if (c->relay >= 0)
        snprintf(st->delivery, sizeof st->delivery, "relay %.80s (%s), tls %s",
                 c->relays[c->relay].name, endpoint_text(&c->relays[c->relay].hosts[0], text),
                 tls_level_name(c->relays[c->relay].tls));
    else
        snprintf(st->delivery, sizeof st->delivery, "direct to port %u, tls %s", c->port,
                 tls_level_name(c->tls));
    str_copy(str_of(c->store_path), st->store, sizeof st->store);
    st->lab_special_use = c->lab_special_use;
    st->lab_loopback_targets = c->lab_loopback_targets;
    st->lab_ca_file = c->lab_ca_file != NULL;
    relay_alarms(e, st);
    watch_alarms(e->watch, st);
}

static void fill_rates(struct engine *e, struct ctl_status *st)
{
    int64_t now = io_mono_ms(e->io);
    meter_read(&e->accepted, now, &st->accepted);
    meter_read(&e->rejected, now, &st->rejected);
    meter_read(&e->delivered, now, &st->delivered);
    meter_read(&e->deferrals, now, &st->deferrals);
    meter_read(&e->bounced, now, &st->bounced);
}

static void fill_status(struct control *ctl, struct ctl_status *st)
{
    struct engine *e = ctl->engine;
    const struct queue_totals *t = &ctl->totals;
    st->state = e->state;
    memcpy(st->why, e->why, sizeof st->why);
    str_copy(STR(MXHELM_VERSION), st->version, sizeof st->version);
    str_copy(str_of(e->conf->hostname), st->hostname, sizeof st->hostname);
    st->pid = e->pid;
    st->started_wall_ms = e->started_wall_ms;
    st->now_wall_ms = io_wall_ms(e->io);
    memcpy(st->by_state, t->by_state, sizeof st->by_state);
    st->deferred = t->deferred;
    st->messages = t->messages;
    st->bytes = t->bytes;
    st->oldest_wall_ms = t->oldest_wall_ms;
    st->next_due_wall_ms = e->schedule->due_wall_ms == INT64_MAX ? 0 : e->schedule->due_wall_ms;
    fill_rates(e, st);
    st->sessions = intake_sessions(e->intake);
    st->connections = e->schedule->outbounds_n;
    st->connections_max = e->conf->connections;
    st->sites = (unsigned)e->schedule->sites.n;
    st->window = (unsigned)e->schedule->tasks.n;
    st->window_max = WINDOW_MAX;
    struct writer_stats ws;
    e->io->ops->store_stats(e->io, &ws);
    st->store_waiting = ws.waiting;
    st->commit_max_ms = ws.commit_max_ms;
    describe(e, st);
}

static void answer_status(struct control *ctl)
{
    list_for_each_safe(l, &ctl->clients) {
        struct client *c = list_entry(l, struct client, link);
        if (!c->wants_status)
            continue;
        c->wants_status = false;
        struct ctl_reply *r = xnew(struct ctl_reply);
        r->kind = CTL_REPLY_STATUS;
        fill_status(ctl, &r->status);
        reply(c, r);
        free(r);
    }
}

struct totals_job {
    struct ejob job;
    struct queue_totals totals;
};

static int totals_run(struct store_job *base, struct store *st, struct err *err)
{
    return queue_totals(st, &container_of(base, struct totals_job, job.base)->totals, err);
}

static bool totals_done(struct ejob *job, int rc, const struct err *err)
{
    (void)err;
    struct control *ctl = job->engine->control;
    ctl->is_counting = false;
    if (rc >= 0) {
        ctl->totals = container_of(job, struct totals_job, job)->totals;
        ctl->totals_mono_ms = io_mono_ms(job->engine->io);
    }
    answer_status(ctl); /* older totals are better than no answer */
    return false;
}

static void totals_free(struct ejob *job)
{
    free(container_of(job, struct totals_job, job));
}

static void want_status(struct client *c)
{
    struct control *ctl = c->control;
    struct engine *e = ctl->engine;
    c->wants_status = true;
    if (ctl->totals_mono_ms && io_mono_ms(e->io) - ctl->totals_mono_ms < TOTALS_FRESH_MS) {
        answer_status(ctl);
        return;
    }
    if (ctl->is_counting)
        return;
    ctl->is_counting = true;
    struct totals_job *t = xnew(struct totals_job);
    t->job.base.run = totals_run;
    t->job.done = totals_done;
    t->job.free = totals_free;
    ejob_submit(e, &t->job, STORE_JOB_READ);
}

/* --- requests --- */

static void who_asks(const struct client *c, const struct ctl_request *q, char out[160])
{
    snprintf(out, 160, "uid %u%s%s", c->peer.uid, q->origin[0] ? " " : "", q->origin);
}

static void start_act(struct client *c, const struct ctl_request *q)
{
    struct engine *e = c->control->engine;
    char who[160];
    who_asks(c, q, who);
    struct err err;
    struct ctl_reply *r = xnew(struct ctl_reply);
    r->kind = CTL_REPLY_JOB;
    if (bulk_start(e->bulk, q, who, &r->job, &err) < 0)
        reply_text(c, err.code, err.text);
    else
        reply(c, r);
    free(r);
}

/* The store has it, or not. The client may be gone by now. */
static void suppress_done(void *arg, uint64_t token, int rc, const struct err *err)
{
    struct control *ctl = arg;
    list_for_each_safe(l, &ctl->clients) {
        struct client *c = list_entry(l, struct client, link);
        if (c->token == token) {
            reply_text(c, rc < 0 ? err->code : E_OK, rc < 0 ? err->text : "");
            return;
        }
    }
}

static void change_suppression(struct client *c, const struct ctl_request *q)
{
    struct engine *e = c->control->engine;
    char who[160];
    struct err err = ERR_NONE;
    who_asks(c, q, who);
    if (suppress_change(e->suppress, q, who, suppress_done, c->control, c->token, &err) < 0)
        reply_text(c, err.code, err.text);
}

static void end_rule(struct client *c, const struct ctl_request *q)
{
    struct err err = ERR_NONE;
    struct ctl_job *j = xnew(struct ctl_job);
    int rc = bulk_get(c->control->engine->bulk, q->job, j) && (j->state == CTL_JOB_RUNNING || j->state == CTL_JOB_PAUSED)
                 ? err_set(&err, E_STATE, "its act is not over: stop that job first")
                 : rules_end(c->control->engine->rules, q->job, &err);
    free(j);
    reply_text(c, rc < 0 ? err.code : E_OK,
               rc < 0 ? err.text : "it is over: what it holds is released");
}

static void tell_job(struct client *c, const struct ctl_request *q)
{
    struct engine *e = c->control->engine;
    struct ctl_reply *r = xnew(struct ctl_reply);
    r->kind = CTL_REPLY_JOB;
    if (q->verb == CTL_STOP_JOB)
        bulk_stop(e->bulk, q->job);
    else if (q->verb == CTL_PAUSE_JOB)
        bulk_pause(e->bulk, q->job);
    else if (q->verb == CTL_RESUME_JOB)
        bulk_resume(e->bulk, q->job);
    if (bulk_get(e->bulk, q->job, &r->job))
        reply(c, r);
    else
        reply_text(c, E_NOTFOUND, "there is no such job (any more)");
    free(r);
}

static void tell_jobs(struct client *c)
{
    struct ctl_reply *r = xnew(struct ctl_reply);
    r->kind = CTL_REPLY_JOBS;
    r->jobs = bulk_list(c->control->engine->bulk, &r->jobs_n);
    reply(c, r);
    free(r);
}

static void handle(struct client *c, const struct ctl_request *q)
{
    struct engine *e = c->control->engine;
    switch (q->verb) {
    case CTL_STATUS: want_status(c); break;
    case CTL_RETRY:
    case CTL_HOLD:
    case CTL_RELEASE:
    case CTL_DELETE:
    case CTL_CONFIRM:
    case CTL_RESEND:
    case CTL_REROUTE:
    case CTL_BOUNCE:
    case CTL_UNDO: start_act(c, q); break;
    case CTL_JOB:
    case CTL_STOP_JOB:
    case CTL_PAUSE_JOB:
    case CTL_RESUME_JOB: tell_job(c, q); break;
    case CTL_JOBS: tell_jobs(c); break;
    case CTL_RELOAD:
        if (!e->on_reload) {
            reply_text(c, E_STATE, "this engine has no configuration file to read again");
            break;
        }
        reply_text(c, E_OK, "reading the configuration again: the log says how it went");
        e->on_reload(e->on_reload_arg);
        break;
    case CTL_SUPPRESS:
    case CTL_UNSUPPRESS: change_suppression(c, q); break;
    case CTL_END_RULE: end_rule(c, q); break;
    case CTL_VERB_COUNT: break;
    }
}

/* False when the client was ended. */
static bool one_line(struct client *c, struct str line)
{
    struct err err;
    struct ctl_request q;
    if (ctl_request_parse(line, &q, &err) < 0) {
        log_info(c->control->engine->log, "control", "uid %u: %s", c->peer.uid, err.text);
        reply_text(c, err.code, err.text);
        client_end(c, true);
        return false;
    }
    handle(c, &q);
    return true;
}

static void on_data(void *arg, struct str bytes)
{
    struct client *c = arg;
    buf_add_str(&c->in, bytes);
    for (;;) {
        struct str all = buf_str(&c->in);
        size_t nl = str_find(all, '\n');
        if (nl == all.n)
            break;
        char *line = str_dup(str_sub(all, 0, nl));
        buf_drop(&c->in, nl + 1);
        bool goes_on = one_line(c, (struct str){line, nl});
        free(line);
        if (!goes_on)
            return;
    }
    if (c->in.n > CTL_LINE_MAX) {
        reply_text(c, E_LIMIT, "a line is longer than 64 KiB");
        client_end(c, true);
    }
}

static void on_closed(void *arg, int sys)
{
    (void)sys;
    struct client *c = arg;
    c->conn = NULL;
    client_end(c, false);
}

static const struct conn_handlers handlers = {.data = on_data, .closed = on_closed};

static void accepted(void *arg, struct io_conn *conn, const struct peer *p)
{
    struct control *ctl = arg;
    const struct io_ops *io = ctl->engine->io->ops;
    if (ctl->clients_n >= CLIENTS_MAX) {
        io->close(conn, false);
        return;
    }
    struct client *c = xnew(struct client);
    c->control = ctl;
    c->conn = conn;
    c->peer = *p;
    c->token = ++ctl->last_token;
    list_push_back(&ctl->clients, &c->link);
    ctl->clients_n++;
    io->set_handlers(conn, &handlers, c);
}

struct control *control_new(struct engine *e)
{
    struct control *ctl = xnew(struct control);
    ctl->engine = e;
    list_init(&ctl->clients);
    return ctl;
}

int control_listen(struct control *ctl, struct err *err)
{
    struct engine *e = ctl->engine;
    char *path = conf_control_socket(e->conf);
    int rc = e->io->ops->listen_unix(e->io, path, MODE_CONTROL, accepted, ctl, &ctl->listener, err);
    free(path);
    return rc;
}

void control_free(struct control *ctl)
{
    if (ctl->listener)
        ctl->engine->io->ops->unlisten(ctl->listener);
    list_for_each_safe(l, &ctl->clients)
        client_end(list_entry(l, struct client, link), false);
    free(ctl);
}
