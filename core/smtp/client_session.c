/* SPDX-License-Identifier: ISC */
/*
 * From the connection to the first MAIL: greeting, EHLO, STARTTLS; and QUIT. AUTH is in
 * client_auth.c. What a server refuses here is about the host, never about mail: nothing of it fails
 * a message for good, so that the next host may do better (engine.md 2.2).
 */
#include "core/smtp/client_private.h"

#include "core/base/text.h"

void session_ask(struct smtp_client *s, enum client_state state, struct str line, const char *shown)
{
    s->asked_from = s->out.queued;
    client_send(s, line, shown);
    client_enter(s, state);
}

static void say_helo(struct smtp_client *s, enum client_state state)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;

    s->extensions = 0;
    s->size_limit = 0;
    s->rcpt_max = s->mail_max = 0;
    buf_clear(&s->auth_offered);
    buf_printf(&line, "%s %s", state == CLIENT_EHLO ? "EHLO" : "HELO", s->conf.helo);
    session_ask(s, state, buf_str(&line), NULL);
}

static void start_tls(struct smtp_client *s)
{
    /* Whatever came behind the 220 is not from the other end of the TLS session. */
    buf_clear(&s->in);
    s->in_at = 0;
    s->tells_start_tls = true;
    client_enter(s, CLIENT_HANDSHAKE);
}

void session_connected(struct smtp_client *s)
{
    if (s->conf.is_implicit_tls)
        start_tls(s);
    else
        client_enter(s, CLIENT_GREETING);
}

void session_refuse(struct smtp_client *s, enum stage stage, const struct smtp_reply *r)
{
    struct outcome o;

    outcome_from_reply(&o, stage, r->code, str_of(r->enhanced), buf_str(&r->text));
    if (o.class != OUTCOME_DEFERRED) {
        o.class = OUTCOME_DEFERRED;
        o.enhanced[0] = '4';
    }
    client_end(s, &o, true, true, r->code != 421);
}

void session_end(struct smtp_client *s, enum stage stage, const char *enhanced, const char *tag,
                 const char *text)
{
    struct outcome o;

    outcome_init(&o, OUTCOME_DEFERRED, stage);
    str_copy(str_of(enhanced), o.enhanced, sizeof(o.enhanced));
    str_copy(str_of(tag), o.tag, sizeof(o.tag));
    str_copy(str_of(text), o.text, sizeof(o.text));
    client_end(s, &o, true, true, stage != STAGE_TLS);
}

void session_ready(struct smtp_client *s)
{
    client_enter(s, CLIENT_READY);
    session_quit(s);
}

static bool must_have_tls(const struct smtp_client *s)
{
    return s->conf.tls == TLS_LEVEL_REQUIRED || s->conf.tls == TLS_LEVEL_VERIFIED;
}

/* The extensions are known. */
static void go_on(struct smtp_client *s)
{
    bool is_offered = (s->extensions & SMTP_EXT_STARTTLS) != 0;

    if (s->tls.state != TLS_NOT_USED || (s->conf.tls == TLS_LEVEL_NONE) ||
        (!is_offered && !must_have_tls(s))) {
        auth_start(s);
    } else if (is_offered) {
        session_ask(s, CLIENT_STARTTLS, STR("STARTTLS"), NULL);
    } else {
        struct buf text CLEANUP(buf_done) = BUF_INIT;
        buf_printf(&text, "TLS is required, but was not offered by host %s[%s]", s->conf.host,
                   s->conf.ip);
        session_end(s, STAGE_STARTTLS, "4.7.4", "not-offered", buf_text(&text));
    }
}

/* "AUTH PLAIN LOGIN", and the old "AUTH=LOGIN" that some servers still say. */
static void take_auth(struct smtp_client *s, struct str mechs)
{
    s->extensions |= SMTP_EXT_AUTH;
    if (s->auth_offered.n)
        buf_add_c(&s->auth_offered, ' ');
    buf_add_str(&s->auth_offered, mechs);
}

/* RFC 9422: "RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1". The last one is at least one domain, and our
 * transactions never have more. What is not understood is ignored. */
static void take_limits(struct smtp_client *s, struct str limits)
{
    while (limits.n) {
        struct str value = str_split(&limits, ' '), name = str_split(&value, '=');
        uint64_t n;
        if (!text_parse_u64(value, 999999, &n) || n == 0)
            continue;
        if (str_ieq_z(name, "RCPTMAX"))
            s->rcpt_max = (unsigned)n;
        else if (str_ieq_z(name, "MAILMAX"))
            s->mail_max = (unsigned)n;
    }
}

static void take_keyword(struct smtp_client *s, struct str line)
{
    static const struct {
        const char *name;
        unsigned ext;
    } names[] = {{"PIPELINING", SMTP_EXT_PIPELINING},
                 {"SIZE", SMTP_EXT_SIZE},
                 {"8BITMIME", SMTP_EXT_8BITMIME},
                 {"SMTPUTF8", SMTP_EXT_SMTPUTF8},
                 {"DSN", SMTP_EXT_DSN},
                 {"STARTTLS", SMTP_EXT_STARTTLS},
                 {"CHUNKING", SMTP_EXT_CHUNKING}};

    line = str_trim(line);
    if (str_istarts(line, STR("AUTH ")) || str_istarts(line, STR("AUTH="))) {
        take_auth(s, str_trim(str_sub(line, 5, line.n)));
        return;
    }
    struct str keyword = str_split(&line, ' ');
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq_z(keyword, names[i].name))
            s->extensions |= names[i].ext;
    if (str_ieq_z(keyword, "LIMITS"))
        take_limits(s, line);
    if (str_ieq_z(keyword, "SIZE") && !text_parse_u64(str_trim(line), UINT64_MAX, &s->size_limit))
        s->size_limit = 0;
}

static void take_extensions(struct smtp_client *s, const struct smtp_reply *r)
{
    struct str lines = buf_str(&r->lines);

    str_split(&lines, '\n'); /* the first line is the server's name */
    while (lines.n)
        take_keyword(s, str_split(&lines, '\n'));
}

/* A server that bears our own name is this one: what we give it comes back (engine.md 2.1.6). True
 * when the session is over for that. */
static bool is_loop(struct smtp_client *s, const struct smtp_reply *r)
{
    struct str line = buf_str(&r->lines);
    struct outcome o;

    line = str_split(&line, '\n');
    if (!s->conf.finds_loops || !str_ieq_z(str_split(&line, ' '), s->conf.helo))
        return false;
    outcome_init(&o, OUTCOME_FAILED, client_stage(s));
    o.scope = SCOPE_DOMAIN;
    str_copy(STR("5.4.6"), o.enhanced, sizeof(o.enhanced));
    str_copy(STR("loop"), o.tag, sizeof(o.tag));
    outcome_say(&o, "mail loops back to myself: %s[%s] bears our own name, %s", s->conf.host,
                s->conf.ip, s->conf.helo);
    client_end(s, &o, true, true, true);
    return true;
}

static void on_greeting(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2 && is_loop(s, r))
        return;
    if (r->code / 100 == 2)
        say_helo(s, CLIENT_EHLO);
    else
        session_refuse(s, STAGE_GREETING, r);
}

static void on_ehlo(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2 && is_loop(s, r))
        return;
    if (r->code / 100 == 2) {
        take_extensions(s, r);
        go_on(s);
    } else if (r->code / 100 == 4 || r->code / 100 == 5) {
        say_helo(s, CLIENT_HELO);
    } else {
        session_refuse(s, STAGE_EHLO, r);
    }
}

static void on_helo(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2 && is_loop(s, r))
        return;
    if (r->code / 100 == 2)
        go_on(s);
    else
        session_refuse(s, STAGE_EHLO, r);
}

static void on_starttls(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2) {
        start_tls(s);
    } else if (must_have_tls(s) || (r->code / 100 != 4 && r->code / 100 != 5)) {
        session_refuse(s, STAGE_STARTTLS, r);
    } else {
        auth_start(s);
    }
}

void session_tls_done(struct smtp_client *s, const struct tls_facts *facts)
{
    bool is_good = facts->state == TLS_VERIFIED ||
                   (facts->state == TLS_ENCRYPTED && s->conf.tls != TLS_LEVEL_VERIFIED);

    s->tls = *facts;
    s->binding = facts->binding; /* no outcome carries it */
    explicit_bzero(&s->tls.binding, sizeof(s->tls.binding));
    if (!is_good) {
        struct buf text CLEANUP(buf_done) = BUF_INIT;
        buf_printf(&text, "TLS handshake with %s[%s] failed: %s", s->conf.host, s->conf.ip,
                   facts->why[0] ? facts->why : "the certificate is not verified");
        session_end(s, STAGE_TLS, "4.7.5", "", buf_text(&text));
    } else if (s->conf.is_implicit_tls) {
        client_enter(s, CLIENT_GREETING);
    } else {
        say_helo(s, CLIENT_EHLO); /* RFC 3207 4.2: what was known is forgotten */
    }
}

/* A reply that nothing asked for. Only "going away" makes sense (RFC 5321 3.8). */
static void on_unasked(struct smtp_client *s, const struct smtp_reply *r)
{
    struct outcome o;

    if (r->code / 100 != 4 && r->code / 100 != 5) {
        client_protocol_error(s, "a reply came that nothing had asked for");
        return;
    }
    outcome_from_reply(&o, STAGE_MAIL, r->code, str_of(r->enhanced), buf_str(&r->text));
    o.class = OUTCOME_DEFERRED;
    o.scope = SCOPE_HOST;
    o.enhanced[0] = '4';
    client_end(s, &o, s->done == 0, true, false);
}

static void on_quit(struct smtp_client *s, const struct smtp_reply *r)
{
    struct outcome o;

    outcome_init(&o, OUTCOME_DELIVERED, STAGE_QUIT);
    o.code = r->code;
    client_end(s, &o, false, true, false);
}

void session_reply(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code == 421 && s->state != CLIENT_READY && s->state != CLIENT_QUIT) {
        session_refuse(s, client_stage(s), r);
        return;
    }
    switch (s->state) {
    case CLIENT_GREETING: on_greeting(s, r); break;
    case CLIENT_EHLO: on_ehlo(s, r); break;
    case CLIENT_HELO: on_helo(s, r); break;
    case CLIENT_STARTTLS: on_starttls(s, r); break;
    case CLIENT_AUTH: auth_reply(s, r); break;
    case CLIENT_READY: on_unasked(s, r); break;
    case CLIENT_QUIT: on_quit(s, r); break;
    case CLIENT_CONNECTING:
    case CLIENT_HANDSHAKE:
    case CLIENT_CLOSED: break; /* nothing is parsed in these */
    }
}

/* QUIT as soon as nothing is in flight. Before READY there is nobody worth waiting for. */
void session_quit(struct smtp_client *s)
{
    struct outcome o;

    if (!s->is_quitting || s->state == CLIENT_QUIT || s->state == CLIENT_CLOSED)
        return;
    if (s->state == CLIENT_READY) {
        if (!client_front(s) && !client_second(s))
            session_ask(s, CLIENT_QUIT, STR("QUIT"), NULL);
        return;
    }
    outcome_init(&o, OUTCOME_DELIVERED, STAGE_QUIT);
    client_end(s, &o, false, true, false);
}
