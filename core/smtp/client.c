/* SPDX-License-Identifier: ISC */
/*
 * The client machine's outside: bytes in and out, events, deadlines, the end. Replies are parsed one
 * at a time, when the driver pulls events: so one outcome is alive at a time however many replies
 * came in one packet, and what arrived before a loss is heard before the loss is.
 */
#include "core/smtp/client_private.h"

#include <errno.h>
#include "core/base/alloc.h"
#include "core/base/clock.h"

const struct smtp_timeouts smtp_timeouts_rfc = {
    .greeting_ms = 5 * MINUTE_MS,
    .ehlo_ms = 5 * MINUTE_MS,
    .starttls_ms = 5 * MINUTE_MS,
    .auth_ms = 5 * MINUTE_MS,
    .mail_ms = 5 * MINUTE_MS,
    .rcpt_ms = 5 * MINUTE_MS,
    .data_ms = 2 * MINUTE_MS,
    .block_ms = 3 * MINUTE_MS,
    .eod_ms = 10 * MINUTE_MS,
    .rset_ms = 20 * SECOND_MS,
    .quit_ms = 5 * SECOND_MS,
};

struct client_txn *client_front(const struct smtp_client *s)
{
    const struct client_txn *t = &s->slots[s->front];

    return t->txn ? (struct client_txn *)t : NULL;
}

struct client_txn *client_second(const struct smtp_client *s)
{
    const struct client_txn *t = &s->slots[s->front ^ 1];

    return t->txn ? (struct client_txn *)t : NULL;
}

struct smtp_client *smtp_client_new(const struct smtp_client_conf *c, int64_t now_mono_ms)
{
    struct smtp_client *s = xnew(struct smtp_client);

    s->conf = *c;
    s->hold_from = UINT64_MAX;
    s->now_mono_ms = s->progress_mono_ms = now_mono_ms;
    reply_parser_init(&s->parser);
    return s;
}

void smtp_client_free(struct smtp_client *s)
{
    if (!s)
        return;
    if (s->out.b.p) /* may hold a password still */
        explicit_bzero(s->out.b.p, s->out.b.cap);
    wire_done(&s->out);
    buf_done(&s->in);
    buf_done(&s->auth_offered);
    sasl_done(&s->sasl);
    reply_parser_done(&s->parser);
    free(s);
}

void client_trace(struct smtp_client *s, char direction, struct str line)
{
    if (s->trace)
        s->trace(s->trace_arg, direction, line);
}

void client_enter(struct smtp_client *s, enum client_state state)
{
    s->state = state;
    s->progress_mono_ms = s->now_mono_ms;
}

void client_send(struct smtp_client *s, struct str line, const char *shown)
{
    wire_add(&s->out, line);
    wire_add(&s->out, STR("\r\n"));
    client_trace(s, '>', shown ? str_of(shown) : line);
}

void client_fill(const struct smtp_client *s, struct outcome *o, unsigned use)
{
    str_copy(str_of(s->conf.host), o->host, sizeof(o->host));
    str_copy(str_of(s->conf.ip), o->ip, sizeof(o->ip));
    o->port = s->conf.port;
    o->tls = s->tls;
    o->conn_use = use;
    o->is_dsn_passed = (s->extensions & SMTP_EXT_DSN) != 0;
}

enum stage client_stage(const struct smtp_client *s)
{
    const struct client_txn *t = client_front(s);

    switch (s->state) {
    case CLIENT_CONNECTING: return STAGE_CONNECT;
    case CLIENT_GREETING: return STAGE_GREETING;
    case CLIENT_EHLO:
    case CLIENT_HELO: return STAGE_EHLO;
    case CLIENT_STARTTLS: return STAGE_STARTTLS;
    case CLIENT_HANDSHAKE: return STAGE_TLS;
    case CLIENT_AUTH: return STAGE_AUTH;
    case CLIENT_READY: return t ? txn_stage(t) : STAGE_MAIL;
    case CLIENT_QUIT:
    case CLIENT_CLOSED: break;
    }
    return STAGE_QUIT;
}

static void end_second(struct smtp_client *s, struct client_txn *t, const struct outcome *o)
{
    struct outcome deferred = *o;

    if (o->class != OUTCOME_DEFERRED || o->stage == STAGE_LOCAL)
        outcome_from_errno(&deferred, STAGE_MAIL, 0);
    txn_finish(s, t, &deferred, true);
}

/* RFC 1047: the server may have taken the message, and nobody can tell. */
static void end_unconfirmed(struct smtp_client *s, struct client_txn *t, const struct outcome *o)
{
    struct outcome unconfirmed = *o;

    unconfirmed.class = OUTCOME_UNCONFIRMED;
    unconfirmed.stage = STAGE_EOD;
    unconfirmed.scope = SCOPE_MESSAGE;
    txn_finish(s, t, &unconfirmed, false);
}

void client_end(struct smtp_client *s, const struct outcome *o, bool is_site_failure,
                bool is_answered, bool is_polite)
{
    struct client_txn *front = client_front(s), *second = client_second(s);

    if (s->state == CLIENT_CLOSED)
        return;
    if (front && !front->is_over) {
        if (!is_answered && txn_may_be_delivered(s, front))
            end_unconfirmed(s, front, o);
        else
            txn_finish(s, front, o, is_site_failure);
    }
    if (second && !second->is_over)
        end_second(s, second, o);
    s->end = *o;
    client_fill(s, &s->end, s->begun);
    s->is_end_site_failure = is_site_failure;
    s->tells_closed = true;
    s->hold_from = UINT64_MAX;
    if (wire_unsent(&s->out))
        wire_drop_unsent(&s->out); /* half a command must not be completed by a QUIT */
    else if (is_polite)
        client_send(s, STR("QUIT"), NULL);
    client_enter(s, CLIENT_CLOSED);
}

void client_protocol_error(struct smtp_client *s, const char *what)
{
    struct outcome o;

    outcome_init(&o, OUTCOME_DEFERRED, client_stage(s));
    o.scope = SCOPE_HOST;
    str_copy(STR("4.5.0"), o.enhanced, sizeof(o.enhanced));
    str_copy(STR("protocol-error"), o.tag, sizeof(o.tag));
    snprintf(o.text, sizeof(o.text), "protocol error while talking to %s[%s]: %s", s->conf.host,
             s->conf.ip, what);
    client_end(s, &o, true, false, false);
}

void smtp_client_connected(struct smtp_client *s, int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    if (s->state == CLIENT_CONNECTING)
        session_connected(s);
}

void smtp_client_input(struct smtp_client *s, struct str bytes, int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    /* In HANDSHAKE these would be plain bytes behind the 220: an injection (CVE-2011-0411). */
    if (s->state != CLIENT_CLOSED && s->state != CLIENT_HANDSHAKE)
        buf_add_str(&s->in, bytes);
}

void smtp_client_lost(struct smtp_client *s, int sys, int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    s->is_lost = true;
    s->lost_sys = sys;
}

void smtp_client_tls_done(struct smtp_client *s, const struct tls_facts *facts, int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    if (s->state == CLIENT_HANDSHAKE)
        session_tls_done(s, facts);
}

/* The connection is gone. Between transactions that is normal, and free. */
static void end_lost(struct smtp_client *s)
{
    struct outcome o;
    bool is_idle = s->state == CLIENT_READY && !client_front(s);

    if (s->state == CLIENT_QUIT) {
        outcome_init(&o, OUTCOME_DELIVERED, STAGE_QUIT);
        client_end(s, &o, false, true, false);
        return;
    }
    outcome_from_errno(&o, client_stage(s), s->lost_sys);
    client_end(s, &o, !is_idle || s->done == 0, false, false);
}

void smtp_client_timeout(struct smtp_client *s, int64_t now_mono_ms)
{
    struct outcome o;

    s->now_mono_ms = now_mono_ms;
    if (s->state == CLIENT_CLOSED || now_mono_ms < smtp_client_deadline(s))
        return;
    if (s->state == CLIENT_QUIT)
        outcome_init(&o, OUTCOME_DELIVERED, STAGE_QUIT);
    else
        outcome_from_errno(&o, client_stage(s), ETIMEDOUT);
    client_end(s, &o, s->state != CLIENT_QUIT, false, false);
}

bool smtp_client_may_begin(const struct smtp_client *s)
{
    const struct client_txn *front = client_front(s);

    if (s->state != CLIENT_READY || s->is_quitting || s->is_lost)
        return false;
    if (s->mail_max && s->begun >= s->mail_max)
        return false;
    if (!front)
        return true;
    bool is_at_end = front->state == TXN_HELD || front->state == TXN_EOD;
    return is_at_end && !front->is_over && !front->is_lone_dot && !front->is_bdat &&
           !client_second(s) && (s->extensions & SMTP_EXT_PIPELINING);
}

void smtp_client_begin(struct smtp_client *s, struct smtp_txn *txn, int64_t now_mono_ms)
{
    verify(smtp_client_may_begin(s) && txn->rcpts_n > 0);
    s->now_mono_ms = now_mono_ms;
    struct client_txn *t = &s->slots[client_front(s) ? s->front ^ 1 : s->front];
    *t = (struct client_txn){.txn = txn, .use = ++s->begun};
    s->is_ready_told = false;
    txn_begin(s, t);
}

void smtp_client_body(struct smtp_client *s, struct str bytes, bool is_last, int64_t now_mono_ms)
{
    struct client_txn *t = client_front(s);

    s->now_mono_ms = now_mono_ms;
    /* Of one that a refusal has ended meanwhile nothing is wanted any more. */
    if (t && t->state == TXN_BODY && !t->is_over && !t->has_verdict)
        txn_body(s, t, bytes, is_last);
}

void smtp_client_release(struct smtp_client *s, int64_t now_mono_ms)
{
    struct client_txn *t = client_front(s);

    s->now_mono_ms = now_mono_ms;
    if (t && t->state == TXN_HELD && !t->is_over)
        txn_release(s, t);
}

void smtp_client_abandon(struct smtp_client *s, const struct outcome *o, int64_t now_mono_ms)
{
    struct client_txn *t = client_front(s);

    s->now_mono_ms = now_mono_ms;
    if (!t || t->is_over || t->state == TXN_EOD)
        return; /* too late to take anything back */
    txn_finish(s, t, o, false);
    client_end(s, o, false, true, false);
}

void smtp_client_quit(struct smtp_client *s, int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    if (s->state == CLIENT_CLOSED || s->is_quitting)
        return;
    s->is_quitting = true;
    session_quit(s);
}

/* DONE for a transaction that is over: its slot is free again. */
static bool say_done(struct smtp_client *s, struct client_txn *t, struct smtp_client_notice *n)
{
    if (!t || !t->is_over)
        return false;
    s->said = t->outcome;
    *n = (struct smtp_client_notice){.txn = t->txn,
                                     .outcome = &s->said,
                                     .is_site_failure = t->is_site_failure,
                                     .is_host_lacking = t->is_lacking};
    bool is_front = t == &s->slots[s->front];
    t->txn = NULL;
    s->done++;
    if (is_front)
        s->front ^= 1;
    if (s->state != CLIENT_CLOSED)
        s->progress_mono_ms = s->now_mono_ms;
    if (s->mail_max && s->begun >= s->mail_max)
        s->is_quitting = true; /* RFC 9422 4.1: it takes no more in this session */
    session_quit(s);
    return true;
}

static uint64_t chunks_out(const struct client_txn *t)
{
    return t->chunks - t->chunks_replied;
}

static bool wants_body(const struct smtp_client *s, const struct client_txn *t)
{
    return t->state == TXN_BODY && !t->is_body_asked && !t->has_verdict &&
           chunks_out(t) < CLIENT_CHUNKS_MAX && wire_unsent(&s->out) < CLIENT_BLOCK_MAX;
}

/* The last chunk goes when all before it were taken: until then there is no doubt. */
static bool is_end_due(const struct client_txn *t)
{
    return t->state == TXN_HELD && !t->is_end_told && chunks_out(t) == 0;
}

/* What is to be said before another reply is looked at. */
static enum smtp_client_event pending_event(struct smtp_client *s, struct smtp_client_notice *n)
{
    if (say_done(s, client_front(s), n) || say_done(s, client_second(s), n))
        return SMTP_CLIENT_DONE;
    if (s->state == CLIENT_CLOSED) {
        if (!s->tells_closed)
            return SMTP_CLIENT_WAIT;
        s->tells_closed = false;
        n->outcome = &s->end;
        n->is_site_failure = s->is_end_site_failure;
        return SMTP_CLIENT_CLOSED;
    }
    if (s->tells_start_tls) {
        s->tells_start_tls = false;
        return SMTP_CLIENT_START_TLS;
    }
    struct client_txn *t = client_front(s);
    if (t && (wants_body(s, t) || is_end_due(t))) {
        bool is_end = t->state == TXN_HELD;
        n->txn = t->txn;
        t->is_body_asked = true;
        t->is_end_told = is_end;
        return is_end ? SMTP_CLIENT_AT_END : SMTP_CLIENT_NEED_BODY;
    }
    if (!s->is_ready_told && smtp_client_may_begin(s)) {
        s->is_ready_told = true;
        return SMTP_CLIENT_READY;
    }
    return SMTP_CLIENT_WAIT;
}

static void trace_reply(struct smtp_client *s, const struct smtp_reply *r)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    struct str rest = buf_str(&r->lines);

    if (!s->trace)
        return;
    if (s->state == CLIENT_AUTH && r->code == 334 && rest.n) {
        client_trace(s, '<', STR("334 [challenge]"));
        return;
    }
    do {
        struct str text = str_split(&rest, '\n');
        buf_clear(&line);
        buf_printf(&line, "%03d%c", r->code, rest.n ? '-' : ' ');
        buf_add_str(&line, text);
        client_trace(s, '<', buf_str(&line));
    } while (rest.n);
}

/* A reply that came before the command it should answer was sent: the two sides are out of step, and
 * every later reply would be taken for another's. */
static bool is_premature(const struct smtp_client *s)
{
    const struct client_txn *t = client_front(s);
    uint64_t sent = wire_sent_total(&s->out);

    if (s->state == CLIENT_GREETING)
        return false;
    if (s->state != CLIENT_READY)
        return sent <= s->asked_from;
    return t && t->state == TXN_ENVELOPE && sent <= t->from;
}

static enum smtp_client_event take_reply(struct smtp_client *s, struct smtp_client_notice *n)
{
    const struct smtp_reply *r = &s->parser.reply;
    struct client_txn *t = client_front(s);
    size_t rcpt;

    trace_reply(s, r);
    if (is_premature(s) && r->code != 421) {
        client_protocol_error(s, "a reply came before its command was sent");
    } else if (s->state != CLIENT_READY || !t) {
        session_reply(s, r);
    } else if (txn_reply(s, t, r, &rcpt)) {
        t->txn->rcpts[rcpt].is_settled = true;
        *n = (struct smtp_client_notice){.txn = t->txn, .rcpt = rcpt, .outcome = &s->said};
        return SMTP_CLIENT_RCPT;
    }
    return SMTP_CLIENT_WAIT;
}

/* Parse one reply. False: there is none. */
static bool next_reply(struct smtp_client *s, struct smtp_client_notice *n,
                       enum smtp_client_event *event)
{
    struct str in = {s->in.p ? s->in.p + s->in_at : NULL, s->in.n - s->in_at};
    const char *why = "";
    enum reply_status status = reply_parse(&s->parser, &in, &why);

    s->in_at = s->in.n - in.n;
    if (s->in_at == s->in.n) {
        buf_clear(&s->in);
        s->in_at = 0;
    }
    if (status == REPLY_MORE)
        return false;
    *event = SMTP_CLIENT_WAIT;
    if (status == REPLY_BROKEN) {
        client_protocol_error(s, why);
        return true;
    }
    s->progress_mono_ms = s->now_mono_ms;
    *event = take_reply(s, n);
    reply_next_start(&s->parser);
    return true;
}

static bool is_listening(const struct smtp_client *s)
{
    return s->state != CLIENT_CONNECTING && s->state != CLIENT_HANDSHAKE &&
           s->state != CLIENT_CLOSED;
}

enum smtp_client_event smtp_client_next(struct smtp_client *s, struct smtp_client_notice *n)
{
    for (;;) {
        *n = (struct smtp_client_notice){0};
        enum smtp_client_event event = pending_event(s, n);
        if (event != SMTP_CLIENT_WAIT)
            return event;
        if (s->state == CLIENT_CLOSED)
            return SMTP_CLIENT_WAIT;
        if (is_listening(s) && next_reply(s, n, &event)) {
            if (event != SMTP_CLIENT_WAIT)
                return event;
        } else if (s->is_lost) {
            end_lost(s);
        } else {
            return SMTP_CLIENT_WAIT;
        }
    }
}

struct str smtp_client_output(const struct smtp_client *s)
{
    struct str out = wire_str(&s->out);

    if (s->hold_from != UINT64_MAX)
        out.n = (size_t)(s->hold_from - wire_sent_total(&s->out));
    return out;
}

void smtp_client_sent(struct smtp_client *s, size_t n, int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    if (n && s->state != CLIENT_CLOSED)
        s->progress_mono_ms = now_mono_ms;
    wire_take(&s->out, n);
}

/* With everything sent it is our own store that is waited for, but where nothing goes on before chunks
 * are answered. */
static int64_t content_wait_ms(const struct smtp_client *s, const struct client_txn *t)
{
    const struct smtp_timeouts *w = s->conf.timeouts;

    if (smtp_client_output(s).n > 0)
        return w->block_ms;
    if (chunks_out(t) > 0 && (t->has_verdict || !t->is_body_asked))
        return w->eod_ms;
    return INT64_MAX;
}

static int64_t txn_wait_ms(const struct smtp_client *s, const struct client_txn *t)
{
    const struct smtp_timeouts *w = s->conf.timeouts;

    switch (t->state) {
    case TXN_BODY:
    case TXN_HELD: return content_wait_ms(s, t);
    case TXN_EOD: return wire_sent_total(&s->out) < t->end ? w->block_ms : w->eod_ms;
    case TXN_ENVELOPE: break;
    }
    switch (txn_stage(t)) {
    case STAGE_RSET: return w->rset_ms;
    case STAGE_RCPT: return w->rcpt_ms;
    case STAGE_DATA: return w->data_ms;
    default: return w->mail_ms;
    }
}

static int64_t wait_ms(const struct smtp_client *s)
{
    const struct smtp_timeouts *w = s->conf.timeouts;
    const struct client_txn *t = client_front(s);

    switch (s->state) {
    case CLIENT_CONNECTING:
    case CLIENT_CLOSED: return INT64_MAX;
    case CLIENT_GREETING: return w->greeting_ms;
    case CLIENT_EHLO:
    case CLIENT_HELO: return w->ehlo_ms;
    case CLIENT_STARTTLS:
    case CLIENT_HANDSHAKE: return w->starttls_ms;
    case CLIENT_AUTH: return w->auth_ms;
    case CLIENT_QUIT: return w->quit_ms;
    case CLIENT_READY: break;
    }
    return t ? txn_wait_ms(s, t) : INT64_MAX;
}

int64_t smtp_client_deadline(const struct smtp_client *s)
{
    int64_t ms = wait_ms(s);

    return ms == INT64_MAX ? INT64_MAX : s->progress_mono_ms + ms;
}

static const char *txn_doing(const struct client_txn *t)
{
    switch (txn_stage(t)) {
    case STAGE_RSET: return "waiting for reply to RSET";
    case STAGE_MAIL: return "waiting for reply to MAIL FROM";
    case STAGE_RCPT: return "waiting for reply to RCPT TO";
    case STAGE_DATA: return "waiting for reply to DATA";
    case STAGE_BODY: return "sending the content";
    default: return "waiting for reply to end of DATA";
    }
}

const char *smtp_client_doing(const struct smtp_client *s)
{
    const struct client_txn *t = client_front(s);

    switch (s->state) {
    case CLIENT_CONNECTING: return "connecting";
    case CLIENT_GREETING: return "waiting for the greeting";
    case CLIENT_EHLO: return "waiting for reply to EHLO";
    case CLIENT_HELO: return "waiting for reply to HELO";
    case CLIENT_STARTTLS: return "waiting for reply to STARTTLS";
    case CLIENT_HANDSHAKE: return "TLS handshake";
    case CLIENT_AUTH: return "waiting for reply to AUTH";
    case CLIENT_READY: return t ? txn_doing(t) : "idle";
    case CLIENT_QUIT: return "waiting for reply to QUIT";
    case CLIENT_CLOSED: break;
    }
    return "closed";
}

unsigned smtp_client_uses(const struct smtp_client *s)
{
    return s->done;
}

unsigned smtp_client_extensions(const struct smtp_client *s)
{
    return s->extensions;
}

void smtp_client_set_trace(struct smtp_client *s,
                           void (*trace)(void *arg, char direction, struct str line), void *arg)
{
    s->trace = trace;
    s->trace_arg = arg;
}
