/* SPDX-License-Identifier: ISC */
/*
 * From the connection to the first MAIL: greeting, EHLO, STARTTLS, AUTH; and QUIT. What a server
 * refuses here is about the host, never about mail: nothing of it fails a message for good, so that
 * the next host may do better (engine.md 2.2).
 */
#include "core/smtp/client_private.h"

#include "core/base/text.h"
#include "core/smtp/sasl.h"

/* RFC 4954 4.3 gives a reply to AUTH two words at most, user and password. */
enum { AUTH_STEP_START, AUTH_STEP_USER, AUTH_STEP_PASSWORD };

static void ask(struct smtp_client *s, enum client_state state, struct str line, const char *shown)
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
    buf_clear(&s->auth_offered);
    buf_printf(&line, "%s %s", state == CLIENT_EHLO ? "EHLO" : "HELO", s->conf.helo);
    ask(s, state, buf_str(&line), NULL);
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

/* The reply ends the session, and is temporary whatever its digit: another host may be tried. */
static void refuse_session(struct smtp_client *s, enum stage stage, const struct smtp_reply *r)
{
    struct outcome o;

    outcome_from_reply(&o, stage, r->code, str_of(r->enhanced), buf_str(&r->text));
    if (o.class != OUTCOME_DEFERRED) {
        o.class = OUTCOME_DEFERRED;
        o.enhanced[0] = '4';
    }
    client_end(s, &o, true, true, r->code != 421);
}

/* We end the session for a reason of our own. */
static void end_session(struct smtp_client *s, enum stage stage, const char *enhanced,
                        const char *tag, const char *text)
{
    struct outcome o;

    outcome_init(&o, OUTCOME_DEFERRED, stage);
    str_copy(str_of(enhanced), o.enhanced, sizeof(o.enhanced));
    str_copy(str_of(tag), o.tag, sizeof(o.tag));
    str_copy(str_of(text), o.text, sizeof(o.text));
    client_end(s, &o, true, true, stage != STAGE_TLS);
}

static void ready(struct smtp_client *s)
{
    client_enter(s, CLIENT_READY);
    session_quit(s);
}

static void send_auth(struct smtp_client *s)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    bool is_plain = s->mech == AUTH_PLAIN;

    s->auth_step = AUTH_STEP_START;
    buf_add_z(&line, is_plain ? "AUTH PLAIN " : "AUTH LOGIN");
    if (is_plain)
        sasl_plain(&line, s->conf.user, s->conf.password ? s->conf.password : "");
    ask(s, CLIENT_AUTH, buf_str(&line), is_plain ? "AUTH PLAIN [secret]" : NULL);
    explicit_bzero(line.p, line.n);
}

static void authenticate(struct smtp_client *s)
{
    const char *why = "";

    if (!s->conf.user || s->conf.auth == AUTH_NONE) {
        ready(s);
        return;
    }
    bool is_tls = s->tls.state == TLS_ENCRYPTED || s->tls.state == TLS_VERIFIED;
    s->mech = sasl_choose(s->conf.auth, buf_str(&s->auth_offered), is_tls, &why);
    if (s->mech == AUTH_NONE) {
        struct buf text CLEANUP(buf_done) = BUF_INIT;
        buf_printf(&text, "SASL authentication failed; server %s[%s] %s", s->conf.host, s->conf.ip,
                   why);
        end_session(s, STAGE_AUTH, "4.7.0", "no-mechanism", buf_text(&text));
        return;
    }
    send_auth(s);
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
        authenticate(s);
    } else if (is_offered) {
        ask(s, CLIENT_STARTTLS, STR("STARTTLS"), NULL);
    } else {
        struct buf text CLEANUP(buf_done) = BUF_INIT;
        buf_printf(&text, "TLS is required, but was not offered by host %s[%s]", s->conf.host,
                   s->conf.ip);
        end_session(s, STAGE_STARTTLS, "4.7.4", "not-offered", buf_text(&text));
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

static void on_greeting(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2)
        say_helo(s, CLIENT_EHLO);
    else
        refuse_session(s, STAGE_GREETING, r);
}

static void on_ehlo(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2) {
        take_extensions(s, r);
        go_on(s);
    } else if (r->code / 100 == 4 || r->code / 100 == 5) {
        say_helo(s, CLIENT_HELO);
    } else {
        refuse_session(s, STAGE_EHLO, r);
    }
}

static void on_helo(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2)
        go_on(s);
    else
        refuse_session(s, STAGE_EHLO, r);
}

static void on_starttls(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2) {
        start_tls(s);
    } else if (must_have_tls(s) || (r->code / 100 != 4 && r->code / 100 != 5)) {
        refuse_session(s, STAGE_STARTTLS, r);
    } else {
        authenticate(s);
    }
}

void session_tls_done(struct smtp_client *s, const struct tls_facts *facts)
{
    bool is_good = facts->state == TLS_VERIFIED ||
                   (facts->state == TLS_ENCRYPTED && s->conf.tls != TLS_LEVEL_VERIFIED);

    s->tls = *facts;
    if (!is_good) {
        struct buf text CLEANUP(buf_done) = BUF_INIT;
        buf_printf(&text, "TLS handshake with %s[%s] failed: %s", s->conf.host, s->conf.ip,
                   facts->why[0] ? facts->why : "the certificate is not verified");
        end_session(s, STAGE_TLS, "4.7.5", "", buf_text(&text));
    } else if (s->conf.is_implicit_tls) {
        client_enter(s, CLIENT_GREETING);
    } else {
        say_helo(s, CLIENT_EHLO); /* RFC 3207 4.2: what was known is forgotten */
    }
}

/* The server asks for the next word (RFC 4954 4). */
static bool next_word(struct smtp_client *s)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    const char *password = s->conf.password ? s->conf.password : "";

    if (s->mech == AUTH_PLAIN && s->auth_step == AUTH_STEP_START) {
        sasl_plain(&line, s->conf.user, password); /* it did not read the initial response */
        s->auth_step = AUTH_STEP_PASSWORD;
    } else if (s->mech == AUTH_LOGIN && s->auth_step < AUTH_STEP_PASSWORD) {
        bool is_user = s->auth_step++ == AUTH_STEP_START;
        base64_encode(&line, str_of(is_user ? s->conf.user : password));
    } else {
        return false;
    }
    ask(s, CLIENT_AUTH, buf_str(&line), "[secret]");
    explicit_bzero(line.p, line.n);
    return true;
}

static void on_auth(struct smtp_client *s, const struct smtp_reply *r)
{
    if (r->code / 100 == 2)
        ready(s);
    else if (r->code == 334 && next_word(s))
        return;
    else
        refuse_session(s, STAGE_AUTH, r);
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
        refuse_session(s, client_stage(s), r);
        return;
    }
    switch (s->state) {
    case CLIENT_GREETING: on_greeting(s, r); break;
    case CLIENT_EHLO: on_ehlo(s, r); break;
    case CLIENT_HELO: on_helo(s, r); break;
    case CLIENT_STARTTLS: on_starttls(s, r); break;
    case CLIENT_AUTH: on_auth(s, r); break;
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
            ask(s, CLIENT_QUIT, STR("QUIT"), NULL);
        return;
    }
    outcome_init(&o, OUTCOME_DELIVERED, STAGE_QUIT);
    client_end(s, &o, false, true, false);
}
