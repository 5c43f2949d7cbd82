/* SPDX-License-Identifier: ISC */
/* The message that a session gives us: envelope policy, header, chunks, commit. */
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/intake_private.h"
#include "core/engine/rules.h"
#include "core/engine/schedule.h"
#include "core/engine/submit.h"
#include "core/engine/suppress.h"
#include "core/mail/header.h"
#include "core/mail/logline.h"
#include "core/mail/mime.h"

/* RFC 5321 6.3 asks for at least 100; loops are found earlier with what the large sites use. */
#define HOPS_MAX 50u
/* How long a sender's domain that was looked up is believed; and one that nobody could tell of. */
#define SENDER_FINE_MS    (5 * MINUTE_MS)
#define SENDER_UNKNOWN_MS (30 * SECOND_MS)

static void upload_free(struct upload *u)
{
    if (!u)
        return;
    free(u->rcpts);
    buf_done(&u->head);
    buf_done(&u->chunk);
    mime_free(u->scan);
    free(u);
}

static void refuse(struct upload *u, int code, const char *enhanced, const char *text)
{
    if (u->refused_code != 0)
        return;
    u->refused_code = code;
    str_copy(str_of(enhanced), u->refused_enhanced, sizeof u->refused_enhanced);
    str_copy(str_of(text), u->refused_text, sizeof u->refused_text);
}

/* --- envelope --- */

bool upload_mail(void *arg, const struct smtp_envelope *env, struct smtp_answer *a)
{
    struct session *s = arg;
    struct engine *e = s->intake->engine;
    if (session_is_refusing(s, a))
        return false;
    enum msg_class class = from_policy_class(e->conf, &s->who);
    bool is_replaced = from_policy_replaces(e->conf, class);
    /* A sender that can never be answered: the reports would die with us (S6). */
    const char *special = env->from.kind == ADDR_DOMAIN ? domain_special_use(env->from.ascii) : NULL;
    if (special && !is_replaced && !e->conf->lab_special_use) {
        *a = (struct smtp_answer){550, "5.1.8", "the sender's domain can never take mail (it is a special-use name)"};
        return false;
    }
    char from[ADDR_TEXT_MAX];
    addr_text_ascii(&env->from, from);
    if (!is_replaced && !from_policy_allows(e->conf, &s->who, from)) {
        *a = (struct smtp_answer){550, "5.7.1", "you may not send from addresses in this domain"};
        return false;
    }
    str_copy(str_of(env->helo), s->helo, sizeof s->helo);
    upload_free(s->upload);
    struct upload *u = s->upload = xnew(struct upload);
    struct message *m = &u->message;
    m->arrival_wall_ms = io_wall_ms(e->io);
    m->id = idgen_next(&e->ids, m->arrival_wall_ms);
    m->class = class;
    m->ret = env->ret;
    str_copy(str_of(from), m->reverse_path, sizeof m->reverse_path);
    from_policy_envelope(e->conf, m);
    str_copy(str_of(env->envid), m->envid, sizeof m->envid);
    u->is_smtputf8 = env->is_smtputf8;
    if (!text_is_ascii(str_of(m->reverse_path)))
        m->flags |= MSG_UTF8;
    if (s->is_local)
        snprintf(m->origin, sizeof m->origin, "local uid %u", s->peer.uid);
    else
        snprintf(m->origin, sizeof m->origin, "smtp [%s]:%u %.60s", s->client, s->peer.port,
                 env->helo);
    return true;
}

/* By the operator, who says why; never for a report, which has no sender to be told. */
static bool is_suppressed(struct session *s, const struct recipient *rc, struct smtp_answer *a)
{
    struct intake *in = s->intake;
    if (!s->upload->message.reverse_path[0])
        return false;
    struct suppressed by = suppress_find(in->engine->suppress, rc->address, rc->domain);
    if (!by.key)
        return false;
    snprintf(in->answer, sizeof in->answer, "mail to %s is suppressed here: %s", by.key, by.reason);
    *a = (struct smtp_answer){550, "5.7.1", in->answer};
    return true;
}

bool upload_rcpt(void *arg, const struct smtp_envelope *env, const struct smtp_server_rcpt *r,
                 struct smtp_answer *a)
{
    (void)env;
    struct session *s = arg;
    struct engine *e = s->intake->engine;
    struct upload *u = s->upload;
    if (!s->is_allowed) {
        *a = (struct smtp_answer){554, "5.7.1", "Relay access denied"};
        return false;
    }
    const char *special = r->addr.kind == ADDR_DOMAIN ? domain_special_use(r->addr.ascii) : NULL;
    if (special && !e->conf->lab_special_use) {
        *a = (struct smtp_answer){550, "5.1.2", "the recipient's domain can never take mail (it is a special-use name)"};
        return false;
    }
    if (u->rcpts_n == u->rcpts_cap) {
        u->rcpts_cap = u->rcpts_cap ? u->rcpts_cap * 2 : 1;
        u->rcpts = xreallocarray(u->rcpts, u->rcpts_cap, sizeof *u->rcpts);
    }
    struct recipient *rc = &u->rcpts[u->rcpts_n];
    memset(rc, 0, sizeof *rc);
    struct addr addr = r->addr;
    if (addr.kind == ADDR_POSTMASTER) {
        /* <postmaster> without a domain is ours (RFC 5321 4.5.1): at the sender address's domain. */
        addr.kind = ADDR_DOMAIN;
        const char *at = strrchr(e->conf->sender, '@');
        str_copy(str_of(at ? at + 1 : e->conf->hostname), addr.domain, sizeof addr.domain);
        str_copy(str_of(addr.domain), addr.ascii, sizeof addr.ascii);
        str_copy(STR("postmaster"), addr.local, sizeof addr.local);
    }
    addr_text_ascii(&addr, rc->address);
    str_copy(str_of(addr.ascii), rc->domain, sizeof rc->domain);
    if (is_suppressed(s, rc, a))
        return false;
    str_copy(str_of(r->orcpt), rc->orcpt, sizeof rc->orcpt);
    rc->notify = r->notify;
    rc->message_id = u->message.id;
    rc->id = idgen_next(&e->ids, u->message.arrival_wall_ms);
    rc->next_wall_ms = u->message.arrival_wall_ms;
    u->rcpts_n++;
    return true;
}

bool upload_data(void *arg, const struct smtp_envelope *env, struct smtp_answer *a)
{
    (void)env;
    struct session *s = arg;
    return !session_is_refusing(s, a);
}

/* --- chunks --- */

struct chunk_job {
    struct ejob job;
    int64_t message_id;
    unsigned seq;
    struct buf bytes;
    bool is_drop; /* take back what was written */
};

static int chunk_run(struct store_job *base, struct store *st, struct err *err)
{
    struct chunk_job *c = container_of(base, struct chunk_job, job.base);
    if (c->is_drop)
        return queue_drop_chunks(st, c->message_id, err);
    return queue_put_chunk(st, c->message_id, c->seq, buf_str(&c->bytes), err);
}

static void store_when_whole(struct session *s);

static bool chunk_done(struct ejob *job, int rc, const struct err *err)
{
    (void)err;
    struct chunk_job *c = container_of(job, struct chunk_job, job);
    struct session *s = intake_find_upload(job->engine->intake, c->message_id);
    if (!s)
        return false;
    s->upload->flying--;
    if (rc < 0)
        refuse(s->upload, 452, "4.3.1", "the mail store cannot take mail now: try again later");
    if (s->upload->is_ended)
        store_when_whole(s);
    session_pump(s);
    return false;
}

static void chunk_free(struct ejob *job)
{
    struct chunk_job *c = container_of(job, struct chunk_job, job);
    buf_done(&c->bytes);
    free(c);
}

static void submit_chunk(struct engine *e, int64_t message_id, unsigned seq, struct buf *bytes,
                         bool is_drop)
{
    struct chunk_job *c = xnew(struct chunk_job);
    c->job.base.run = chunk_run;
    c->job.done = chunk_done;
    c->job.free = chunk_free;
    c->message_id = message_id;
    c->seq = seq;
    c->is_drop = is_drop;
    if (bytes) {
        c->bytes = *bytes;
        *bytes = BUF_INIT;
    }
    ejob_submit(e, &c->job, STORE_JOB_WRITE);
}

struct session *intake_find_upload(struct intake *in, int64_t message_id)
{
    list_for_each(l, &in->sessions) {
        struct session *s = list_entry(l, struct session, link);
        if (s->upload && s->upload->message.id == message_id)
            return s;
    }
    return NULL;
}

/* Content in its stored form: full chunks go to the store as they come. */
static void store_bytes(struct session *s, struct str bytes)
{
    struct upload *u = s->upload;
    if (!u->scan)
        u->scan = mime_new_scan();
    mime_add(u->scan, bytes, NULL);
    u->message.size_bytes += bytes.n;
    while (bytes.n > 0) {
        size_t room = QUEUE_CHUNK_BYTES - u->chunk.n;
        size_t n = bytes.n < room ? bytes.n : room;
        buf_add(&u->chunk, bytes.p, n);
        bytes = str_sub(bytes, n, bytes.n);
        if (u->chunk.n == QUEUE_CHUNK_BYTES && bytes.n > 0) {
            u->flying++;
            submit_chunk(s->intake->engine, u->message.id, u->chunks++, &u->chunk, false);
        }
    }
}

/* --- header and body --- */

/*
 * Octets over 127 in a header need SMTPUTF8, or encoding. Who asked for SMTPUTF8 means them; what is
 * signed must stay as it is, and goes the way it came. Else they are encoded, and only where that is not
 * allowed (in an address) the message needs SMTPUTF8.
 */
static void settle_raw_header(struct upload *u, struct buf *header)
{
    struct buf encoded CLEANUP(buf_done) = BUF_INIT;
    struct str signature;
    if (u->is_smtputf8) {
        u->message.flags |= MSG_UTF8;
    } else if (header_find(buf_str(header), "DKIM-Signature", &signature)) {
        return;
    } else if (mime_header_encode(buf_str(header), &encoded)) {
        buf_clear(header);
        buf_add_str(header, buf_str(&encoded));
    } else if (text_is_utf8(buf_str(header))) {
        u->message.flags |= MSG_UTF8;
    }
}

static void repair_header(struct session *s)
{
    struct engine *e = s->intake->engine;
    struct upload *u = s->upload;
    char id[ID_TEXT_MAX], not_theirs[200];
    bool is_replaced = from_policy_replaces(e->conf, u->message.class);
    if (!is_replaced &&
        !from_policy_allows_header(e->conf, &s->who, buf_str(&u->head), not_theirs)) {
        u->has_header = true;
        refuse(u, 550, "5.7.1", not_theirs);
        return;
    }
    struct header_facts f = {
        .hostname = e->conf->hostname,
        .helo = s->helo,
        .client_ip = s->is_local ? "" : s->client,
        .with = u->is_smtputf8 ? "UTF8SMTP" : "ESMTP",
        .queue_id = id_text(u->message.id, id),
        .for_address = u->rcpts_n == 1 ? u->rcpts[0].address : "",
        .from_default = u->message.reverse_path[0] ? u->message.reverse_path : e->conf->sender,
        .from_always = is_replaced ? e->conf->sender : "",
        .wall_ms = u->message.arrival_wall_ms,
        .random = rng_u64(&e->rng),
    };
    struct buf out CLEANUP(buf_done) = BUF_INIT;
    size_t body_at = 0;
    const char *why = "", *enhanced = "5.6.0";
    u->has_header = true;
    if (!header_submit(buf_str(&u->head), &f, HOPS_MAX, &out, &body_at, &why, &enhanced)) {
        refuse(u, 554, enhanced, why);
        return;
    }
    if (!text_is_ascii(buf_str(&out)))
        settle_raw_header(u, &out);
    header_digest(buf_str(&out), &u->message.digest);
    store_bytes(s, buf_str(&out));
    store_bytes(s, str_sub(buf_str(&u->head), body_at, u->head.n));
    buf_done(&u->head);
}

/* Where the header may be complete: behind an empty line, looking only at what is new. */
static bool header_is_complete(const struct buf *head, size_t new_from)
{
    if (head->n >= 2 && memcmp(head->p, "\r\n", 2) == 0)
        return true;
    size_t from = new_from > 3 ? new_from - 3 : 0;
    return head->n > from && memmem(head->p + from, head->n - from, "\r\n\r\n", 4) != NULL;
}

void upload_body(void *arg, struct str bytes)
{
    struct session *s = arg;
    struct upload *u = s->upload;
    if (u->refused_code != 0)
        return;
    if (u->has_header) {
        store_bytes(s, bytes);
        return;
    }
    size_t old = u->head.n;
    buf_add_str(&u->head, bytes);
    if (header_is_complete(&u->head, old))
        repair_header(s);
    else if (u->head.n > HEADER_BYTES_MAX)
        refuse(u, 554, "5.6.0", "the header is larger than 256 KiB");
}

/* --- the end --- */

struct accept_job {
    struct ejob job;
    struct session *session; /* NULL once the session is gone: then nobody is told */
    struct upload *upload;   /* own */
    struct ruleset *rules;   /* a reference; NULL = none */
    struct buf line;
};

static int accept_run(struct store_job *base, struct store *st, struct err *err)
{
    struct accept_job *a = container_of(base, struct accept_job, job.base);
    struct upload *u = a->upload;
    int rc = queue_put_chunk(st, u->message.id, u->chunks, buf_str(&u->chunk), err);
    if (rc >= 0)
        rc = queue_accept(st, &u->message, u->rcpts, u->rcpts_n, err);
    if (rc >= 0)
        rc = ruleset_apply(a->rules, st, u->message.arrival_wall_ms, u->rcpts, u->rcpts_n, err);
    if (rc >= 0)
        rc = queue_log(st, u->message.id, u->message.arrival_wall_ms, buf_str(&a->line), err);
    return rc;
}

static bool accept_done(struct ejob *job, int rc, const struct err *err)
{
    struct accept_job *a = container_of(job, struct accept_job, job);
    struct engine *e = job->engine;
    struct session *s = a->session;
    struct upload *u = a->upload;
    if (rc >= 0) {
        meter_add(&e->accepted, io_mono_ms(e->io), 1);
        bool is_whole = u->chunks == 0;
        struct buf none = BUF_INIT;
        /* What a rule has changed is read from the store. */
        if (a->rules)
            schedule_touch(e->schedule);
        else
            schedule_fresh(e->schedule, &u->message, u->rcpts, u->rcpts_n,
                           is_whole ? &u->chunk : &none);
    }
    if (!s)
        return false;
    s->accepting = NULL;
    int64_t now = io_mono_ms(e->io);
    if (rc >= 0) {
        char id[ID_TEXT_MAX], text[64];
        snprintf(text, sizeof text, "Ok: queued as %s", id_text(u->message.id, id));
        smtp_server_answer(s->server, 250, "2.0.0", text, now);
    } else if (err->code == E_FULL) {
        smtp_server_answer(s->server, 452, "4.3.1", "the disk of the mail store is full: try again later", now);
    } else {
        smtp_server_answer(s->server, 451, "4.3.0", "the message could not be stored: try again later", now);
    }
    session_pump(s);
    return false;
}

static void accept_free(struct ejob *job)
{
    struct accept_job *a = container_of(job, struct accept_job, job);
    upload_free(a->upload);
    ruleset_unref(a->rules);
    buf_done(&a->line);
    free(a);
}

static void answer_refused(struct session *s)
{
    struct upload *u = s->upload;
    int code = u->refused_code;
    char enhanced[12], text[200];
    memcpy(enhanced, u->refused_enhanced, sizeof enhanced);
    memcpy(text, u->refused_text, sizeof text);
    upload_abort(s);
    smtp_server_answer(s->server, code, enhanced, text, io_mono_ms(s->intake->engine->io));
}

static void store_message(struct session *s)
{
    struct upload *u = s->upload;
    struct accept_job *a = xnew(struct accept_job);
    a->job.base.run = accept_run;
    a->job.done = accept_done;
    a->job.free = accept_free;
    a->session = s;
    a->upload = u;
    a->rules = rules_ref(s->intake->engine->rules);
    logline_accepted(&a->line, &u->message, (unsigned)u->rcpts_n);
    s->accepting = a;
    s->upload = NULL;
    ejob_submit(s->intake->engine, &a->job, STORE_JOB_WRITE);
}

/* A chunk may fail where a later job succeeds (a full disk that got its ballast back): nothing is
 * accepted before every chunk is known to be there. */
static void store_when_whole(struct session *s)
{
    s->upload->is_ended = true;
    if (s->upload->flying > 0)
        return;
    if (s->upload->refused_code != 0)
        answer_refused(s);
    else
        store_message(s);
}

/* --- the sender's domain --- */

static const char *sender_domain(const struct upload *u)
{
    const char *at = strrchr(u->message.reverse_path, '@');
    return at ? at + 1 : "";
}

/* Only what goes out directly: a relay judges for itself, and its users' DNS may know nothing of the
 * Internet. The sender address is the operator's, and `mxhelmd check` looks at it. */
static bool wants_sender_check(const struct session *s)
{
    const struct engine *e = s->intake->engine;
    const char *domain = sender_domain(s->upload);
    if (e->conf->lab_special_use || e->conf->relay >= 0 || !domain[0] || domain[0] == '[' ||
        from_policy_replaces(e->conf, s->upload->message.class))
        return false;
    for (size_t i = 0; i < SENDERS_KNOWN; i++) {
        const struct sender_known *k = &s->intake->senders[i];
        if (k->until_mono_ms > io_mono_ms(e->io) && strcasecmp(k->domain, domain) == 0)
            return false;
    }
    return true;
}

static void sender_checked(void *arg, enum sender_verdict v)
{
    struct session *s = arg;
    struct intake *in = s->intake;
    s->checking = NULL;
    if (sender_verdict_text(v)[0]) {
        refuse(s->upload, 550, sender_verdict_enhanced(v), sender_verdict_text(v));
        answer_refused(s);
    } else {
        struct sender_known *k = &in->senders[in->senders_next++ % SENDERS_KNOWN];
        int64_t life = v == SENDER_FINE ? SENDER_FINE_MS : SENDER_UNKNOWN_MS;
        str_copy(str_of(sender_domain(s->upload)), k->domain, sizeof k->domain);
        k->until_mono_ms = io_mono_ms(in->engine->io) + life;
        store_when_whole(s);
    }
    session_pump(s);
}

/* What it asks of its way; lines that nobody may be sent, and that cannot be changed, are refused now,
 * while the sender is there. */
static void judge_content(struct upload *u)
{
    char text[200];
    if (!u->scan || u->refused_code != 0)
        return;
    mime_end(u->scan, NULL);
    const struct mime_facts *f = mime_scan_facts(u->scan);
    u->message.flags |= mime_facts_flags(f);
    if (!f->no_8bit_why)
        return;
    snprintf(text, sizeof text, "a line is longer than 998 octets, and cannot be changed: %s",
             f->no_8bit_why);
    refuse(u, 554, "5.6.3", text);
}

void upload_end(void *arg, const struct smtp_envelope *env)
{
    (void)env;
    struct session *s = arg;
    struct engine *e = s->intake->engine;
    struct upload *u = s->upload;
    if (!u->has_header && u->refused_code == 0)
        repair_header(s);
    judge_content(u);
    if (u->refused_code != 0)
        answer_refused(s);
    else if (wants_sender_check(s))
        s->checking = sender_check_begin(e->io, sender_domain(u), sender_checked, s);
    else
        store_when_whole(s);
}

void upload_abort(void *arg)
{
    struct session *s = arg;
    struct upload *u = s->upload;
    if (u && u->chunks > 0)
        submit_chunk(s->intake->engine, u->message.id, 0, NULL, true);
    upload_free(u);
    s->upload = NULL;
}

void upload_forget(struct session *s)
{
    sender_check_cancel(s->checking);
    s->checking = NULL;
    if (s->accepting)
        s->accepting->session = NULL;
    s->accepting = NULL;
    upload_abort(s);
}
