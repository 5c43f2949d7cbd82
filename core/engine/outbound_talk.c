/* SPDX-License-Identifier: ISC */
/* Talking to a host: the SMTP client machine between the connection and the deliveries. */
#include <errno.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/outbound_private.h"
#include "core/engine/record.h"
#include "core/engine/relay.h"
#include "core/engine/submit.h"
#include "core/engine/watch.h"
#include "store/spool.h"

/* A connection without work is kept that long: the next message of a burst saves three round trips. */
#define IDLE_MS (5 * SECOND_MS)
/* Transactions on one connection, and for how long it takes new ones: some receivers count, and what
 * the host's name stands for may have changed meanwhile (engine.md 2.2: Postfix has 300 s). */
#define USES_MAX 250u
#define LIFE_MS  (5 * MINUTE_MS)
/* How much may wait in the connection before more is taken from the machine. */
#define UNSENT_MAX (64u * 1024)

static void pump(struct outbound *o);

/* --- transactions --- */

static void fill_txn(struct delivery *d)
{
    free(d->rcpts);
    d->rcpts = xcalloc(d->n, sizeof *d->rcpts);
    const struct parcel *p = d->parcel;
    unsigned flags = p->flags;
    size_t n = 0;
    list_for_each(l, &d->tasks) {
        struct task *t = list_entry(l, struct task, link);
        t->is_postponed = false;
        if (t->outcome)
            continue;
        d->rcpts[n++] = (struct smtp_rcpt){
            .address = t->address, .orcpt = t->orcpt, .notify = t->notify, .user = t};
        if (!text_is_ascii(str_of(t->address)))
            flags |= MSG_UTF8;
    }
    d->txn = (struct smtp_txn){
        .reverse_path = p->reverse_path,
        .envid = p->envid,
        .ret = p->ret,
        .flags = flags,
        .size_bytes = p->size_bytes,
        .rcpts = d->rcpts,
        .rcpts_n = n,
        .user = d,
    };
}

static void forget_mime(struct delivery *d)
{
    mime_free(d->mime);
    d->mime = NULL;
}

static void begin(struct outbound *o, struct delivery *d)
{
    struct engine *e = outbound_engine(o);
    int64_t now = io_mono_ms(e->io);
    if (d->begin_mono_ms == 0) {
        d->begin_mono_ms = now;
        d->begin_wall_ms = io_wall_ms(e->io);
        trace_begin(d);
    }
    if (d->setup_mono_ms == 0)
        d->setup_mono_ms = now;
    record_claim(e, d);
    fill_txn(d);
    forget_mime(d);
    smtp_client_begin(o->client, &d->txn, now);
}

/* May more mail be given to this connection? What was configured when it was made may not hold any
 * more. */
static bool is_fresh_enough(const struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    return o->conf == e->conf && smtp_client_uses(o->client) + (o->first ? 1 : 0) < USES_MAX &&
           io_mono_ms(e->io) - o->talk_mono_ms < LIFE_MS;
}

/* More mail for this connection, if it may take some. */
static void board(struct outbound *o)
{
    if (o->second || !o->client || !smtp_client_may_begin(o->client))
        return;
    if (o->first && o->first->txn.user == NULL) {
        begin(o, o->first); /* it waited for this connection */
        return;
    }
    if (!is_fresh_enough(o))
        return;
    struct delivery *d = schedule_take(o->site, o->tls);
    if (!d)
        return;
    if (o->first)
        o->second = d;
    else
        o->first = d;
    begin(o, d);
}

/* --- content --- */

struct body_read {
    struct ejob job;
    struct outbound *outbound; /* looked at only while the delivery says that it is aboard */
    struct delivery *delivery;
    int64_t message_id;
    unsigned seq;
    struct buf bytes;
};

static int body_run(struct store_job *base, struct store *st, struct err *err)
{
    struct body_read *b = container_of(base, struct body_read, job.base);
    return spool_read(st, b->message_id, b->seq, &b->bytes, err);
}

static void body_free(struct ejob *job)
{
    struct body_read *b = container_of(job, struct body_read, job);
    buf_done(&b->bytes);
    free(b);
}

/* It cannot be sent here, and a scan at the intake did not tell: an older engine took it. */
static void abandon_unfit(struct outbound *o, const char *why)
{
    struct outcome unfit;
    outcome_init(&unfit, OUTCOME_FAILED, STAGE_BODY);
    str_copy(STR("5.6.3"), unfit.enhanced, sizeof unfit.enhanced);
    str_copy(STR("no-8bitmime"), unfit.tag, sizeof unfit.tag);
    snprintf(unfit.text, sizeof unfit.text, "The content cannot be made fit for the server: %s",
             why);
    smtp_client_abandon(o->client, &unfit, io_mono_ms(outbound_engine(o)->io));
}

/* A piece of the content, made fit for the host. */
static void give_piece(struct outbound *o, struct delivery *d, struct str piece, bool is_last)
{
    int64_t now = io_mono_ms(outbound_engine(o)->io);
    enum mime_target to;
    if (!smtp_client_converts(o->client, &d->txn, &to)) {
        smtp_client_body(o->client, piece, is_last, now);
        return;
    }
    struct buf fit CLEANUP(buf_done) = BUF_INIT;
    if (!d->mime)
        d->mime = mime_new(to);
    if (mime_add(d->mime, piece, &fit) && (!is_last || mime_end(d->mime, &fit)))
        smtp_client_body(o->client, buf_str(&fit), is_last, now);
    else
        abandon_unfit(o, mime_why(d->mime));
    if (is_last)
        forget_mime(d);
}

static bool body_done(struct ejob *job, int rc, const struct err *err)
{
    struct body_read *b = container_of(job, struct body_read, job);
    struct outbound *o = b->outbound;
    struct engine *e = job->engine;
    if (!o)
        return false; /* the connection is gone, and the delivery with it */
    o->reading = NULL;
    if (rc < 0) {
        struct outcome local;
        outcome_init(&local, OUTCOME_DEFERRED, STAGE_LOCAL);
        str_copy(STR("4.3.0"), local.enhanced, sizeof local.enhanced);
        snprintf(local.text, sizeof local.text, "cannot read the content: %s", err->text);
        log_error(e->log, "deliver", "%s", local.text);
        smtp_client_abandon(o->client, &local, io_mono_ms(e->io));
    } else {
        b->delivery->sent_bytes += b->bytes.n;
        bool is_last = b->delivery->sent_bytes >= b->delivery->parcel->size_bytes;
        give_piece(o, b->delivery, buf_str(&b->bytes), is_last);
    }
    pump(o);
    return false;
}

static void give_body(struct outbound *o, struct delivery *d)
{
    struct engine *e = outbound_engine(o);
    if (d->parcel->has_body) {
        give_piece(o, d, buf_str(&d->parcel->body), true);
        return;
    }
    if (o->reading)
        return;
    struct body_read *b = xnew(struct body_read);
    b->job.base.run = body_run;
    b->job.done = body_done;
    b->job.free = body_free;
    b->outbound = o;
    b->delivery = d;
    b->message_id = d->parcel->message_id;
    b->seq = d->next_chunk++;
    o->reading = b;
    ejob_submit(e, &b->job, STORE_JOB_READ);
}

/* The end of data is not sent: nobody would remember it. */
static void withhold_end(struct outbound *o)
{
    struct outcome local;
    outcome_init(&local, OUTCOME_DEFERRED, STAGE_LOCAL);
    str_copy(STR("4.3.0"), local.enhanced, sizeof local.enhanced);
    str_copy(STR("not sent: an operator changed a recipient, or the store did not take the "
                 "end-of-data mark"),
             local.text, sizeof local.text);
    smtp_client_abandon(o->client, &local, io_mono_ms(outbound_engine(o)->io));
}

static void marked(void *arg, struct delivery *d, bool is_ok)
{
    (void)arg;
    struct outbound *o = d->outbound;
    if (!o || !o->client)
        return; /* the connection was lost meanwhile */
    if (is_ok)
        smtp_client_release(o->client, io_mono_ms(outbound_engine(o)->io));
    else
        withhold_end(o);
    pump(o);
}

static void note_postponed(struct delivery *d)
{
    for (size_t i = 0; i < d->txn.rcpts_n; i++)
        ((struct task *)d->rcpts[i].user)->is_postponed = d->rcpts[i].is_postponed;
}

static void at_end(struct outbound *o, struct delivery *d)
{
    struct engine *e = outbound_engine(o);
    if (!engine_delivers(e) && e->state != ENGINE_DRAINING) {
        /* The store is sick. The abort has come by already when this one stood behind another
         * whose reply was waited for. */
        withhold_end(o);
        return;
    }
    note_postponed(d);
    d->outbound = o;
    record_mark(e, d, marked, NULL);
}

/* --- events of the machine --- */

static void rcpt_settled(const struct smtp_client_notice *n)
{
    struct task *t = n->txn->rcpts[n->rcpt].user;
    if (!t->outcome)
        t->outcome = xnew(struct outcome);
    *t->outcome = *n->outcome;
}

/* Ready for another host: as if nothing had been tried. */
static void rewind_delivery(struct delivery *d)
{
    d->txn.user = NULL;
    d->outbound = NULL;
    d->next_chunk = 0;
    d->sent_bytes = 0;
    forget_mime(d);
    d->setup_mono_ms = 0;
}

/* Not this connection's any more: it waits for another, still claimed. */
static void put_back(struct schedule *s, struct delivery **slot)
{
    struct delivery *d = *slot;
    *slot = NULL;
    if (!d)
        return;
    rewind_delivery(d);
    d->begin_mono_ms = 0;
    transcript_begin(&d->log, 0);
    schedule_place(s, d);
}

/* The transaction is over: what stands behind it, if anything, is now in front. */
static void leave(struct outbound *o, const struct delivery *d)
{
    if (d != o->second)
        o->first = o->second;
    o->second = NULL;
}

/* This host cannot take the mail, and others may: on to them, when the session is closed. One that
 * others use goes on: then a fresh one is for the mail, which asks the hosts from the first one on. */
static void host_is_lacking(struct outbound *o, struct delivery *d, const struct outcome *why)
{
    if (why->conn_use > 1) {
        leave(o, d);
        d->needs_own_connection = true;
        put_back(o->site->schedule, &d);
        return;
    }
    o->failure = *why;
    o->has_failure = o->is_lacking = true;
    rewind_delivery(d);
    smtp_client_quit(o->client, io_mono_ms(outbound_engine(o)->io));
}

/* What the server did not take in this transaction goes into the next one, in the same try (RFC 5321
 * 4.5.3.1.10). */
static void split_postponed(struct outbound *o, struct delivery *d)
{
    note_postponed(d);
    struct delivery *rest = schedule_split(d);
    if (rest)
        schedule_place(o->site->schedule, rest);
}

/* Any of the answers may be about all mail to this site. */
static void heed(struct outbound *o, const struct delivery *d, const struct outcome *whole)
{
    if (whole->class != OUTCOME_DELIVERED)
        schedule_heed(o->site, whole);
    list_for_each(l, &d->tasks) {
        const struct task *t = list_entry(l, struct task, link);
        if (t->outcome && t->outcome->class != OUTCOME_DELIVERED)
            schedule_heed(o->site, t->outcome);
    }
}

static void txn_done(struct outbound *o, const struct smtp_client_notice *n)
{
    struct engine *e = outbound_engine(o);
    struct delivery *d = n->txn->user;
    if (o->reading && o->reading->delivery == d)
        outbound_reading_lost(o);
    if (n->is_site_failure && n->outcome->class == OUTCOME_DEFERRED) {
        o->failure = *n->outcome; /* CLOSED follows: then the next host */
        o->has_failure = true;
        rewind_delivery(d);
        return;
    }
    if (n->is_host_lacking) {
        host_is_lacking(o, d, n->outcome);
        return;
    }
    schedule_site_worked(o->site);
    heed(o, d, n->outcome);
    split_postponed(o, d);
    if (o->is_step_new)
        memory_tls_worked(&o->site->schedule->memory, o->route.hosts[o->host].name, o->step,
                          io_mono_ms(e->io));
    o->is_step_new = false;
    d->outbound = NULL;
    struct outcome outcome = *n->outcome;
    leave(o, d);
    if (o->via && !relay_judge(e, o->via, &outcome))
        relay_works(e, o->via);
    trace_tell(o, d, &outcome);
    record_outcome(e, d, &outcome);
}

/* What the client still has to say is a QUIT, and whoever opened the session must say it (RFC 5321
 * 4.1.1.10). Its reply is not waited for. */
static void take_leave(struct outbound *o)
{
    const struct io_ops *io = outbound_engine(o)->io->ops;
    struct str out = smtp_client_output(o->client);
    if (out.n == 0 || !o->conn)
        return;
    io->write(o->conn, out);
    io->close(o->conn, true);
    o->conn = NULL;
}

/* The session is over. What is still aboard tries the next host; a second one goes back. */
static void session_closed(struct outbound *o, const struct outcome *why)
{
    struct schedule *s = o->site->schedule;
    struct outcome reason = o->has_failure ? o->failure : *why;
    /* A connection that served before may close between transactions, or stop taking them: that is
     * normal and free, so the mail goes by a fresh one. */
    bool is_worn_out = o->has_failure && o->failure.conn_use > 1;
    o->has_failure = false;
    take_leave(o);
    put_back(s, &o->second);
    if (o->is_aborting || is_worn_out)
        put_back(s, &o->first);
    if (!o->first) {
        outbound_gone(o);
        return;
    }
    rewind_delivery(o->first);
    /* Any TLS is better than none, but mail that does not arrive is worse than both. */
    bool is_handshake = reason.stage == STAGE_TLS;
    if ((is_handshake || reason.stage == STAGE_STARTTLS) && !reason.tls.is_untrusted &&
        outbound_step_down(o, !is_handshake))
        return;
    outbound_next_target(o, &reason);
}

static void start_tls(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    struct tls_want w = {
        .name = o->route.hosts[o->host].name,
        .is_verified = o->tls == TLS_LEVEL_VERIFIED,
        .is_reduced = o->step == TLS_STEP_REDUCED,
    };
    e->io->ops->start_tls(e->io, o->conn, &w);
}

/* True when the outbound is no more (or has moved on to another connection). */
static bool handle(struct outbound *o, enum smtp_client_event ev,
                   const struct smtp_client_notice *n)
{
    switch (ev) {
    case SMTP_CLIENT_WAIT: break;
    case SMTP_CLIENT_READY:
        trace_ready(o);
        if (o->via && o->via->user)
            relay_works(outbound_engine(o), o->via);
        board(o);
        break;
    case SMTP_CLIENT_START_TLS: start_tls(o); break;
    case SMTP_CLIENT_RCPT: rcpt_settled(n); break;
    case SMTP_CLIENT_NEED_BODY: give_body(o, n->txn->user); break;
    case SMTP_CLIENT_AT_END:
        at_end(o, n->txn->user);
        board(o);
        break;
    case SMTP_CLIENT_DONE:
        txn_done(o, n);
        board(o);
        break;
    case SMTP_CLIENT_CLOSED: {
        struct outcome why = *n->outcome;
        session_closed(o, &why);
        return true;
    }
    }
    return false;
}

/* True when something went out: that may have made room for more content. */
static bool flush_output(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    const struct io_ops *io = e->io->ops;
    struct str out = smtp_client_output(o->client);
    if (out.n == 0 || !o->conn || io->unsent(o->conn) >= UNSENT_MAX)
        return false;
    io->write(o->conn, out);
    smtp_client_sent(o->client, out.n, io_mono_ms(e->io));
    return true;
}

static void settle_phase(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    if (o->phase == OUTBOUND_TALK && !o->first && smtp_client_may_begin(o->client)) {
        o->phase = OUTBOUND_IDLE;
        if (!is_fresh_enough(o) || e->state != ENGINE_RUNNING) {
            outbound_retire(o);
            return;
        }
        list_push_back(&o->site->idle, &o->idle_link);
        outbound_timer(o, IDLE_MS);
        schedule_pump(o->site->schedule);
        return;
    }
    if (o->phase == OUTBOUND_IDLE)
        return;
    int64_t deadline = smtp_client_deadline(o->client);
    if (deadline != INT64_MAX)
        outbound_timer(o, deadline - io_mono_ms(e->io));
}

static void pump(struct outbound *o)
{
    struct smtp_client_notice n;
    enum smtp_client_event ev;
    do {
        while ((ev = smtp_client_next(o->client, &n)) != SMTP_CLIENT_WAIT) {
            if (handle(o, ev, &n))
                return;
        }
    } while (flush_output(o));
    settle_phase(o);
}

/* --- from the connection --- */

/* Of a login (RFC 5802 5.1): nobody may guess it. */
static void make_nonce(char out[33])
{
    unsigned char random[16];
    rng_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
}

void outbound_talk(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    const struct relay_conf *r = o->via;
    struct smtp_client_conf c = {
        .helo = o->conf->hostname,
        .host = o->route.hosts[o->host].name,
        .ip = o->ip,
        .port = outbound_port(o),
        .tls = o->step == TLS_STEP_CLEAR ? TLS_LEVEL_NONE : o->tls,
        .finds_loops = !r, /* a relay on this machine may bear its name */
        .is_implicit_tls = r && endpoint_is_implicit_tls(&r->hosts[o->host]),
        .auth = r ? r->auth : AUTH_NONE,
        .user = r ? r->user : NULL,
        .password = o->secret,
        .is_token = r && relay_conf_has_token(r),
        .timeouts = &smtp_timeouts_rfc,
    };
    if (c.user)
        make_nonce(c.nonce);
    int64_t now = io_mono_ms(e->io);
    o->phase = OUTBOUND_TALK;
    o->talk_mono_ms = now;
    o->sessions++;
    o->client = smtp_client_new(&c, now);
    smtp_client_set_trace(o->client, trace_wire, o);
    smtp_client_connected(o->client, now);
    pump(o);
}

static void on_connected(void *arg)
{
    struct outbound *o = arg;
    watch_connected(outbound_engine(o)->watch);
    memory_connect_worked(&o->site->schedule->memory, &o->targets.t[o->target].ip);
    outbound_talk(o);
}

static void on_data(void *arg, struct str bytes)
{
    struct outbound *o = arg;
    smtp_client_input(o->client, bytes, io_mono_ms(outbound_engine(o)->io));
    pump(o);
}

static void on_drained(void *arg)
{
    struct outbound *o = arg;
    if (o->client)
        pump(o);
}

static void on_tls_done(void *arg, const struct tls_facts *facts)
{
    struct outbound *o = arg;
    trace_tls(o, facts);
    smtp_client_tls_done(o->client, facts, io_mono_ms(outbound_engine(o)->io));
    pump(o);
}

static void on_closed(void *arg, int sys)
{
    struct outbound *o = arg;
    o->conn = NULL;
    if (o->phase == OUTBOUND_CONNECT) {
        struct outcome why;
        outcome_from_errno(&why, STAGE_CONNECT, sys ? sys : ECONNRESET);
        outbound_note_host(o, &why);
        outbound_next_target(o, &why);
        return;
    }
    if (o->phase == OUTBOUND_IDLE || o->phase == OUTBOUND_QUIT) {
        /* A close between transactions is normal, and free. */
        outbound_gone(o);
        return;
    }
    smtp_client_lost(o->client, sys, io_mono_ms(outbound_engine(o)->io));
    pump(o);
}

const struct conn_handlers outbound_handlers = {
    .connected = on_connected,
    .data = on_data,
    .drained = on_drained,
    .tls_done = on_tls_done,
    .closed = on_closed,
};

void outbound_timer_fired_talking(struct outbound *o)
{
    if (o->phase == OUTBOUND_QUIT) {
        outbound_gone(o);
        return;
    }
    struct engine *e = outbound_engine(o);
    int64_t now = io_mono_ms(e->io);
    if (now >= smtp_client_deadline(o->client))
        smtp_client_timeout(o->client, now);
    pump(o);
}

void outbound_quit(struct outbound *o)
{
    smtp_client_quit(o->client, io_mono_ms(outbound_engine(o)->io));
    pump(o);
}

void outbound_carry(struct outbound *o, struct delivery *d)
{
    list_remove(&o->idle_link);
    o->phase = OUTBOUND_TALK;
    o->first = d;
    board(o);
    pump(o);
}

void outbound_abort_talk(struct outbound *o, const struct outcome *local)
{
    struct schedule *s = o->site->schedule;
    o->is_aborting = true;
    if (o->first && o->first->txn.user) {
        smtp_client_abandon(o->client, local, io_mono_ms(s->engine->io));
        pump(o);
        return;
    }
    put_back(s, &o->first);
    outbound_gone(o);
}

void outbound_cut(struct outbound *o)
{
    if (!o->client || o->phase != OUTBOUND_TALK)
        return;
    o->is_aborting = true;
    smtp_client_lost(o->client, ECANCELED, io_mono_ms(outbound_engine(o)->io));
    pump(o);
}

void outbound_reading_lost(struct outbound *o)
{
    if (o->reading)
        o->reading->outbound = NULL;
    o->reading = NULL;
}
