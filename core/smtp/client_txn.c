/* SPDX-License-Identifier: ISC */
/*
 * One transaction: the envelope, written in one group when the server takes that (RFC 2920), and
 * what each reply means. Replies are drained to the end of the group also when the first one has
 * settled everything, so that the next transaction's replies are its own.
 */
#include "core/smtp/client_private.h"

#include "core/mail/dsn.h"

static size_t step_data(const struct client_txn *t)
{
    return STEP_RCPT + t->rcpts_n;
}

enum stage txn_stage(const struct client_txn *t)
{
    switch (t->state) {
    case TXN_BODY:
    case TXN_HELD: return STAGE_BODY;
    case TXN_EOD: return STAGE_EOD;
    case TXN_ENVELOPE: break;
    }
    if (t->replied == STEP_RSET)
        return STAGE_RSET;
    if (t->replied == STEP_MAIL)
        return STAGE_MAIL;
    return t->replied < step_data(t) ? STAGE_RCPT : STAGE_DATA;
}

bool txn_may_be_delivered(const struct smtp_client *s, const struct client_txn *t)
{
    return t->state == TXN_EOD && !t->is_lone_dot && wire_sent_total(&s->out) > t->last_block;
}

/* Is the outcome also that of who waits for the next transaction? A refused MAIL is about the message;
 * what is put off after that is put off for all, so that the server is left in peace. But nobody
 * fails who was not offered. */
static void settle_postponed(struct client_txn *t)
{
    const struct outcome *o = &t->outcome;
    bool is_about_all =
        o->stage == STAGE_MAIL || (o->class == OUTCOME_DEFERRED && o->stage != STAGE_RCPT);

    for (size_t i = 0; is_about_all && i < t->txn->rcpts_n; i++)
        t->txn->rcpts[i].is_postponed = false;
}

void txn_finish(struct smtp_client *s, struct client_txn *t, const struct outcome *o,
                bool is_site_failure)
{
    if (!t->has_verdict) {
        t->outcome = *o;
        t->is_site_failure = is_site_failure;
    }
    client_fill(s, &t->outcome, t->use);
    settle_postponed(t);
    t->is_over = true;
}

/* Refused by ourselves, before a byte of it was sent. */
static bool refuse_early(struct smtp_client *s, struct client_txn *t, const char *enhanced,
                         const char *tag, const char *text)
{
    struct outcome o;

    outcome_init(&o, OUTCOME_FAILED, STAGE_MAIL);
    str_copy(str_of(enhanced), o.enhanced, sizeof(o.enhanced));
    str_copy(str_of(tag), o.tag, sizeof(o.tag));
    snprintf(o.text, sizeof(o.text), "%s %s[%s]", text, s->conf.host, s->conf.ip);
    txn_finish(s, t, &o, false);
    return false;
}

/* Another host may offer what is missing here. */
static bool refuse_lacking(struct smtp_client *s, struct client_txn *t, const char *enhanced,
                           const char *tag, const char *text)
{
    t->is_lacking = true;
    return refuse_early(s, t, enhanced, tag, text);
}

/* An address with a line break would be a second command (CVE-2020-7247). The entries refuse it; the
 * exit looks again. */
static bool is_one_line(const char *z)
{
    return !strpbrk(z, "\r\n");
}

static bool is_envelope_sane(const struct smtp_txn *x)
{
    bool is_sane = is_one_line(x->reverse_path);

    for (size_t i = 0; i < x->rcpts_n; i++)
        is_sane &= is_one_line(x->rcpts[i].address);
    return is_sane;
}

bool smtp_client_converts(const struct smtp_client *s, const struct smtp_txn *txn,
                          enum mime_target *to)
{
    bool is_7bit = (txn->flags & MSG_8BIT) && !(s->extensions & SMTP_EXT_8BITMIME);

    *to = is_7bit ? MIME_TO_7BIT : MIME_TO_8BIT;
    return is_7bit || (txn->flags & MSG_LINES);
}

static bool may_send(struct smtp_client *s, struct client_txn *t)
{
    const struct smtp_txn *x = t->txn;
    enum mime_target to;
    bool is_7bit = smtp_client_converts(s, x, &to) && to == MIME_TO_7BIT;

    if (!is_envelope_sane(x))
        return refuse_early(s, t, "5.1.3", "bad-address",
                            "An address with a line break was not sent to");
    if (s->size_limit && x->size_bytes > s->size_limit)
        return refuse_lacking(s, t, "5.3.4", "too-big",
                              "The message is larger than the limit announced by");
    if (is_7bit && (x->flags & MSG_FIXED))
        return refuse_lacking(s, t, "5.6.3", "no-8bitmime",
                              "The message holds 8-bit text that may not be converted (it is signed, "
                              "or malformed), and 8BITMIME is not offered by");
    if ((x->flags & MSG_UTF8) && !(s->extensions & SMTP_EXT_SMTPUTF8))
        return refuse_lacking(s, t, "5.6.7", "no-smtputf8",
                              "The message needs SMTPUTF8, which is not offered by");
    return true;
}

static void add_mail(const struct smtp_client *s, const struct smtp_txn *x, struct buf *line)
{
    enum mime_target to;
    bool is_converted = smtp_client_converts(s, x, &to);

    buf_add(line, "MAIL FROM:<", 11);
    buf_add_z(line, x->reverse_path);
    buf_add_c(line, '>');
    /* What a conversion makes of it nobody knows yet. */
    if ((s->extensions & SMTP_EXT_SIZE) && !is_converted)
        buf_printf(line, " SIZE=%llu", (unsigned long long)x->size_bytes);
    if ((x->flags & MSG_8BIT) && to == MIME_TO_8BIT)
        buf_add_z(line, " BODY=8BITMIME");
    if (x->flags & MSG_UTF8)
        buf_add_z(line, " SMTPUTF8");
    if (!(s->extensions & SMTP_EXT_DSN))
        return;
    if (x->ret != DSN_RET_NONE)
        buf_add_z(line, x->ret == DSN_RET_FULL ? " RET=FULL" : " RET=HDRS");
    if (x->envid && x->envid[0]) {
        buf_add_z(line, " ENVID=");
        xtext_encode(line, str_of(x->envid));
    }
}

static void add_notify(struct buf *line, unsigned notify)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{DSN_SUCCESS, "SUCCESS"}, {DSN_FAILURE, "FAILURE"}, {DSN_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";

    if (notify & DSN_NEVER) {
        buf_add_z(line, " NOTIFY=NEVER");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (notify & names[i].bit) {
            buf_add_z(line, before);
            buf_add_z(line, names[i].name);
            before = ",";
        }
    }
}

static void add_rcpt(const struct smtp_client *s, const struct smtp_rcpt *r, struct buf *line)
{
    struct str orcpt = str_of(r->orcpt);

    buf_add(line, "RCPT TO:<", 9);
    buf_add_z(line, r->address);
    buf_add_c(line, '>');
    if (!(s->extensions & SMTP_EXT_DSN))
        return;
    add_notify(line, r->notify);
    if (orcpt.n && memchr(orcpt.p, ';', orcpt.n)) {
        buf_add_z(line, " ORCPT=");
        buf_add_str(line, str_split(&orcpt, ';'));
        buf_add_c(line, ';');
        xtext_encode(line, orcpt);
    }
}

/* Write one step behind what is in the output. */
static void write_step(struct smtp_client *s, const struct client_txn *t, size_t step)
{
    struct buf *b = &s->out.b;
    size_t from = b->n;

    if (step == STEP_RSET)
        buf_add(b, "RSET", 4);
    else if (step == STEP_MAIL)
        add_mail(s, t->txn, b);
    else if (step < step_data(t))
        add_rcpt(s, &t->txn->rcpts[step - STEP_RCPT], b);
    else
        buf_add(b, "DATA", 4);
    client_trace(s, '>', str_sub(buf_str(b), from, b->n));
    buf_add(b, "\r\n", 2);
    s->out.queued += b->n - from;
}

/* The whole group with PIPELINING, else the next command. */
static void write_steps(struct smtp_client *s, struct client_txn *t)
{
    bool is_group = (s->extensions & SMTP_EXT_PIPELINING) != 0;

    size_t end = step_data(t) + (t->is_bdat ? 0 : 1); /* chunks have no DATA before them */

    t->from = s->out.queued;
    do
        write_step(s, t, t->sent++);
    while (is_group && t->sent < end);
}

/* What is over the server's limit waits for the next transaction. */
static void postpone_from(struct client_txn *t, size_t first)
{
    for (size_t i = first; i < t->txn->rcpts_n; i++)
        t->txn->rcpts[i].is_postponed = true;
    t->rcpts_n = first;
}

void txn_begin(struct smtp_client *s, struct client_txn *t)
{
    t->rcpts_n = t->txn->rcpts_n;
    if (!may_send(s, t))
        return;
    if (s->rcpt_max && t->rcpts_n > s->rcpt_max)
        postpone_from(t, s->rcpt_max);
    t->is_bdat = txn_wants_chunks(s, t->txn);
    t->sent = t->replied = s->needs_rset ? STEP_RSET : STEP_MAIL;
    s->needs_rset = false;
    if (t == client_front(s))
        s->progress_mono_ms = s->now_mono_ms;
    write_steps(s, t);
}

static void reply_outcome(struct outcome *o, enum stage stage, const struct smtp_reply *r)
{
    outcome_from_reply(o, stage, r->code, str_of(r->enhanced), buf_str(&r->text));
}

/* Everything of this transaction is settled by o, also when replies are still to come. */
static void set_verdict(struct client_txn *t, const struct outcome *o)
{
    t->outcome = *o;
    t->has_verdict = true;
    t->is_site_failure = false;
}

static bool is_refusal(const struct smtp_reply *r)
{
    return r->code / 100 == 4 || r->code / 100 == 5;
}

static void on_mail(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r)
{
    struct outcome o;

    s->needs_rset = r->code / 100 == 2;
    if (r->code / 100 == 2)
        return;
    t->is_mail_refused = true;
    reply_outcome(&o, STAGE_MAIL, r);
    set_verdict(t, &o);
}

/* "Too many recipients" behind accepted ones: X.5.3 whatever the code (RFC 3463 3.6; Gmail says 452 and
 * 550), or a bare 452 or 552 (RFC 5321 4.5.3.1.10). With another enhanced code these tell of full
 * mailboxes and disks. */
static bool is_too_many(const struct client_txn *t, const struct smtp_reply *r)
{
    struct str e = str_of(r->enhanced);
    bool is_bare = e.n == 0 && (r->code == 452 || r->code == 552);

    return t->accepted && (is_bare || str_ends(e, STR(".5.3")));
}

static void postpone(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r)
{
    t->txn->rcpts[t->replied - 1 - STEP_RCPT].is_postponed = true;
    t->is_full = true;
    if (r->enhanced[0] && (!s->rcpt_max || s->rcpt_max > t->accepted))
        s->rcpt_max = (unsigned)t->accepted; /* it will not take more the next time */
}

/* True when the recipient was refused: s->said tells why. After a refused MAIL the reply says only
 * that (RFC 2920 3.1), and nothing about the recipient. */
static bool on_rcpt(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r)
{
    if (t->is_mail_refused)
        return false;
    if (r->code / 100 == 2) {
        t->accepted++;
        return false;
    }
    if (is_too_many(t, r)) {
        postpone(s, t, r);
        return false;
    }
    reply_outcome(&s->said, STAGE_RCPT, r);
    client_fill(s, &s->said, t->use);
    if (t->accepted == 0 && t->replied == step_data(t))
        set_verdict(t, &s->said);
    return true;
}

static void send_lone_dot(struct smtp_client *s, struct client_txn *t)
{
    t->last_block = s->out.queued;
    t->is_lone_dot = true;
    t->state = TXN_EOD;
    client_send(s, STR("."), NULL);
    t->end = s->out.queued;
}

static void on_data(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r)
{
    struct outcome o;

    /* From 354 on, the end of data ends the server's transaction, whatever it says to it. */
    s->needs_rset &= r->code / 100 != 3;
    if (r->code / 100 == 3 && t->accepted)
        txn_body_start(s, t);
    else if (r->code / 100 == 3)
        send_lone_dot(s, t);
    else if (is_refusal(r)) {
        reply_outcome(&o, STAGE_DATA, r);
        txn_finish(s, t, &o, false);
    } else {
        client_protocol_error(s, "the reply to DATA is neither 354 nor a refusal");
    }
}

/* The reply to the end of data. Before all of it was sent, it is still final, but the stream cannot be
 * taken up again. */
static void on_end(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r)
{
    struct outcome o;
    bool is_early = wire_sent_total(&s->out) < t->end;

    if (!t->is_lone_dot && r->code / 100 != 2 && !is_refusal(r)) {
        client_protocol_error(s, "the reply to the end of data says neither yes nor no");
        return;
    }
    if (is_early && !is_refusal(r)) {
        client_protocol_error(s, "a reply came before the end of data was sent");
        return;
    }
    reply_outcome(&o, STAGE_EOD, r);
    s->needs_rset = t->is_bdat && r->code / 100 != 2;
    txn_finish(s, t, &o, false);
    if (is_early)
        client_end(s, &o, false, true, false);
}

/* A reply while the content is on its way: the server has seen enough. */
static void on_early(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r)
{
    struct outcome o;

    if (!is_refusal(r)) {
        client_protocol_error(s, "a reply came before the end of data was sent");
        return;
    }
    reply_outcome(&o, STAGE_BODY, r);
    txn_finish(s, t, &o, false);
    client_end(s, &o, false, true, false);
}

/* The reply to a chunk. The first refusal stands: behind it only more refusals come, until RSET. */
static void on_chunk(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r)
{
    struct outcome o;
    uint64_t chunk_end = t->chunk_ends[t->chunks_replied++ % CLIENT_CHUNKS_MAX];

    if (r->code / 100 != 2 && !is_refusal(r)) {
        client_protocol_error(s, "the reply to BDAT is neither a success nor a refusal");
        return;
    }
    if (r->code / 100 == 2 && wire_sent_total(&s->out) < chunk_end) {
        client_protocol_error(s, "a reply came before its chunk was sent");
        return;
    }
    if (r->code / 100 != 2 && !t->has_verdict) {
        reply_outcome(&o, STAGE_BODY, r);
        set_verdict(t, &o);
        txn_stop_chunks(s, t);
    }
    if (t->has_verdict && t->chunks_replied == t->chunks)
        txn_finish(s, t, &t->outcome, false);
}

/* RFC 5321 3.8: the server is going away. What has a reply keeps it. */
static void on_going_away(struct smtp_client *s, const struct client_txn *t,
                          const struct smtp_reply *r)
{
    struct outcome o;

    reply_outcome(&o, txn_stage(t), r);
    client_end(s, &o, true, true, false);
}

/* After a step's reply: over, or on to the next command. */
static void advance(struct smtp_client *s, struct client_txn *t)
{
    if (t->replied != t->sent || t->is_over || t->state != TXN_ENVELOPE ||
        s->state == CLIENT_CLOSED)
        return;
    if (t->is_full && t->replied < step_data(t))
        postpone_from(t, t->replied - STEP_RCPT);
    bool is_answered = t->replied == step_data(t);
    if (t->is_mail_refused || (is_answered && t->accepted == 0))
        txn_finish(s, t, &t->outcome, false);
    else if (is_answered && t->is_bdat)
        txn_body_start(s, t);
    else if (t->sent <= step_data(t))
        write_steps(s, t);
}

static void on_rset(struct smtp_client *s, const struct smtp_reply *r)
{
    struct outcome o;

    if (r->code / 100 == 2)
        return;
    reply_outcome(&o, STAGE_RSET, r);
    client_end(s, &o, true, true, false);
}

/* A reply within the envelope. */
static bool on_envelope(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r,
                        size_t *rcpt)
{
    size_t step = t->replied;
    bool is_refused_rcpt = false;

    if (step < step_data(t) && r->code / 100 != 2 && !is_refusal(r)) {
        client_protocol_error(s, "a reply is neither a success nor a refusal");
        return false;
    }
    t->replied++;
    if (step == STEP_RSET) {
        on_rset(s, r);
    } else if (step == STEP_MAIL) {
        on_mail(s, t, r);
    } else if (step < step_data(t)) {
        *rcpt = step - STEP_RCPT;
        is_refused_rcpt = on_rcpt(s, t, r);
    } else {
        on_data(s, t, r);
    }
    advance(s, t);
    return is_refused_rcpt;
}

bool txn_reply(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r,
               size_t *rcpt)
{
    if (r->code == 421) {
        on_going_away(s, t, r);
        return false;
    }
    if (t->state == TXN_ENVELOPE)
        return on_envelope(s, t, r, rcpt);
    if (t->chunks_replied < t->chunks)
        on_chunk(s, t, r);
    else if (t->state == TXN_EOD && (t->is_lone_dot || txn_may_be_delivered(s, t)))
        on_end(s, t, r);
    else
        on_early(s, t, r);
    return false;
}
