/* SPDX-License-Identifier: ISC */
#include "core/engine/intake_private.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/submit.h"
#include "core/mail/logline.h"

/* Reading stops while that much waits to be sent to a client that does not read. */
#define UNSENT_MAX (64u * 1024)
#define MODE_SUBMIT 0666

/* --- the rejects of the log --- */

struct reject_line {
    struct ejob job;
    int64_t id, wall_ms;
    struct buf line;
};

static int reject_run(struct store_job *base, struct store *st, struct err *err)
{
    struct reject_line *r = container_of(base, struct reject_line, job.base);
    return queue_log(st, r->id, r->wall_ms, buf_str(&r->line), err);
}

static bool reject_done(struct ejob *job, int rc, const struct err *err)
{
    (void)job, (void)rc, (void)err;
    return false;
}

static void reject_free(struct ejob *job)
{
    struct reject_line *r = container_of(job, struct reject_line, job);
    buf_done(&r->line);
    free(r);
}

static void on_rejected(void *arg, const char *stage, const struct smtp_answer *a,
                        const struct smtp_envelope *env, const char *to)
{
    struct session *s = arg;
    struct engine *e = s->intake->engine;
    char from[ADDR_TEXT_MAX];
    addr_text(&env->from, from);
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    buf_printf(&text, "%s%s%s", a->enhanced, a->enhanced[0] ? " " : "", a->text);
    struct reject_line *r = xnew(struct reject_line);
    r->job.base.run = reject_run;
    r->job.done = reject_done;
    r->job.free = reject_free;
    r->wall_ms = io_wall_ms(e->io);
    r->id = idgen_next(&e->ids, r->wall_ms);
    logline_reject(&r->line, stage, env->helo, s->client, a->code, buf_text(&text), from, to,
                   env->helo);
    meter_add(&e->rejected, io_mono_ms(e->io), 1);
    log_info(e->log, "intake", "%s", buf_text(&r->line));
    ejob_submit(e, &r->job, STORE_JOB_WRITE);
}

static const struct smtp_server_ops server_ops = {
    .mail = upload_mail,
    .rcpt = upload_rcpt,
    .data = upload_data,
    .body = upload_body,
    .end = upload_end,
    .abort = upload_abort,
    .rejected = on_rejected,
};

/* --- sessions --- */

static void session_end(struct session *s, bool flush)
{
    struct intake *in = s->intake;
    const struct io_ops *io = in->engine->io->ops;
    if (s->conn)
        io->close(s->conn, flush);
    s->conn = NULL;
    upload_forget(s);
    smtp_server_free(s->server);
    io->timer_free(s->timer);
    list_remove(&s->link);
    in->sessions_n--;
    free(s);
    engine_check_drained(in->engine);
}

void session_pump(struct session *s)
{
    struct engine *e = s->intake->engine;
    const struct io_ops *io = e->io->ops;
    struct str out = smtp_server_output(s->server);
    if (out.n > 0) {
        io->write(s->conn, out);
        smtp_server_sent(s->server, out.n);
    }
    if (smtp_server_is_closing(s->server)) {
        session_end(s, true);
        return;
    }
    bool is_full = io->unsent(s->conn) > UNSENT_MAX || smtp_server_is_waiting(s->server) ||
                   (s->upload && s->upload->flying > 1);
    if (is_full != s->is_paused) {
        s->is_paused = is_full;
        io->pause(s->conn, is_full);
    }
    int64_t deadline = smtp_server_deadline(s->server);
    if (deadline != INT64_MAX)
        session_timer(s, deadline);
}

static void on_data(void *arg, struct str bytes)
{
    struct session *s = arg;
    smtp_server_input(s->server, bytes, io_mono_ms(s->intake->engine->io));
    session_pump(s);
}

static void on_drained(void *arg)
{
    session_pump(arg);
}

static void on_closed(void *arg, int sys)
{
    (void)sys;
    struct session *s = arg;
    s->conn = NULL;
    session_end(s, false);
}

static const struct conn_handlers handlers = {
    .data = on_data,
    .drained = on_drained,
    .closed = on_closed,
};

static void on_timer(void *arg)
{
    struct session *s = arg;
    int64_t now = io_mono_ms(s->intake->engine->io);
    s->timer_mono_ms = 0;
    if (now >= smtp_server_deadline(s->server))
        smtp_server_timeout(s->server, now);
    session_pump(s);
}

/* The deadline moves on with every command: the timer is only set anew when it would come too
 * late, and looks again when it fires. */
void session_timer(struct session *s, int64_t deadline_mono_ms)
{
    const struct io *io = s->intake->engine->io;
    if (s->timer_mono_ms != 0 && s->timer_mono_ms <= deadline_mono_ms)
        return;
    int64_t delay = deadline_mono_ms - io_mono_ms(s->intake->engine->io);
    s->timer_mono_ms = deadline_mono_ms;
    io->ops->timer_start(s->timer, delay < 0 ? 0 : delay);
}

static bool is_allowed(const struct conf *c, const struct peer *p)
{
    for (size_t i = 0; i < c->allow_n; i++) {
        if (ip_net_has(&c->allow[i], &p->ip))
            return true;
    }
    return false;
}

bool session_is_refusing(const struct session *s, struct smtp_answer *a)
{
    const struct engine *e = s->intake->engine;
    if (s->intake->is_draining || e->state == ENGINE_DRAINING)
        *a = (struct smtp_answer){421, "4.3.2", "going down: try again in a minute"};
    else if (e->state == ENGINE_STORE_SICK)
        *a = (struct smtp_answer){452, "4.3.1", "the mail store cannot take mail now: try again later"};
    else if (e->state == ENGINE_STARTING)
        *a = (struct smtp_answer){421, "4.3.2", "starting: try again in a moment"};
    else
        return false;
    return true;
}

static void accepted(struct intake *in, struct io_conn *conn, const struct peer *p, bool is_local,
                     bool is_system)
{
    struct engine *e = in->engine;
    struct session *s = xnew(struct session);
    s->intake = in;
    s->conn = conn;
    s->peer = *p;
    s->is_local = is_local;
    s->who = (struct submitter){is_local, is_system, p->uid, p->ip};
    s->is_allowed = is_local || is_allowed(e->conf, p);
    if (is_local)
        snprintf(s->client, sizeof s->client, "local");
    else
        ip_text(&p->ip, s->client);
    list_push_back(&in->sessions, &s->link);
    in->sessions_n++;
    s->timer = e->io->ops->timer_new(e->io, on_timer, s);
    e->io->ops->set_handlers(conn, &handlers, s);
    struct smtp_answer no;
    bool is_refused = session_is_refusing(s, &no) && no.code == 421;
    if (!is_refused && in->sessions_n > e->conf->max_sessions) {
        no = (struct smtp_answer){421, "4.7.0", "too many sessions: try again later"};
        is_refused = true;
    }
    int64_t now = io_mono_ms(e->io);
    s->server = is_refused ? smtp_server_new_refusing(e->conf->hostname, &no, &in->limits,
                                                      &server_ops, s, now)
                           : smtp_server_new(e->conf->hostname, &in->limits, &server_ops, s, now);
    session_pump(s);
}

static void accept_tcp(void *arg, struct io_conn *c, const struct peer *p)
{
    accepted(arg, c, p, false, false);
}

static void accept_system(void *arg, struct io_conn *c, const struct peer *p)
{
    accepted(arg, c, p, false, true);
}

static void accept_local(void *arg, struct io_conn *c, const struct peer *p)
{
    accepted(arg, c, p, true, false);
}

/* --- life --- */

void intake_reload(struct intake *in)
{
    const struct conf *c = in->engine->conf;
    in->limits = (struct smtp_server_limits){
        .message_bytes = c->max_message_bytes,
        .recipients = c->max_recipients,
        .commands = 20,
        .idle_ms = c->idle_ms,
        .data_idle_ms = c->idle_ms,
    };
}

struct intake *intake_new(struct engine *e)
{
    struct intake *in = xnew(struct intake);
    in->engine = e;
    list_init(&in->sessions);
    intake_reload(in);
    return in;
}

static int listen_on(struct intake *in, const struct endpoint *ep, io_accept *accept,
                     struct err *err)
{
    struct engine *e = in->engine;
    struct io_listener **l = &in->listeners[in->listeners_n];
    int rc = e->io->ops->listen_tcp(e->io, &ep->ip, ep->port, accept, in, l, err);
    if (rc < 0)
        return rc;
    in->listeners_n++;
    e->self_ips[e->self_ips_n++] = ep->ip;
    return 0;
}

int intake_listen(struct intake *in, struct err *err)
{
    struct engine *e = in->engine;
    for (size_t i = 0; i < e->conf->listen_n; i++) {
        int rc = listen_on(in, &e->conf->listen[i], accept_tcp, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < e->conf->system_n; i++) {
        int rc = listen_on(in, &e->conf->system[i], accept_system, err);
        if (rc < 0)
            return rc;
    }
    char *path = conf_submit_socket(e->conf);
    int rc = e->io->ops->listen_unix(e->io, path, MODE_SUBMIT, accept_local, in,
                                     &in->listeners[in->listeners_n], err);
    free(path);
    if (rc >= 0)
        in->listeners_n++;
    return rc;
}

static void unlisten(struct intake *in)
{
    for (size_t i = 0; i < in->listeners_n; i++)
        in->engine->io->ops->unlisten(in->listeners[i]);
    in->listeners_n = 0;
}

void intake_drain(struct intake *in)
{
    in->is_draining = true;
    unlisten(in);
    list_for_each_safe(l, &in->sessions) {
        struct session *s = list_entry(l, struct session, link);
        smtp_server_drain(s->server);
        session_pump(s);
    }
}

void intake_stop(struct intake *in)
{
    list_for_each_safe(l, &in->sessions) {
        struct session *s = list_entry(l, struct session, link);
        smtp_server_stop(s->server);
        session_pump(s);
    }
}

void intake_free(struct intake *in)
{
    unlisten(in);
    list_for_each_safe(l, &in->sessions)
        session_end(list_entry(l, struct session, link), false);
    free(in);
}

unsigned intake_sessions(const struct intake *in)
{
    return in->sessions_n;
}
