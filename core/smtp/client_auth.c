/* SPDX-License-Identifier: ISC */
/*
 * AUTH (RFC 4954): the dialogue around a mechanism. Nothing that is said here is about mail, so that
 * nothing of it fails a message for good. The trace never sees a word of it.
 */
#include "core/smtp/client_private.h"

static void login_over(struct smtp_client *s)
{
    sasl_done(&s->sasl);
    explicit_bzero(&s->binding, sizeof(s->binding));
}

static void wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

/* We do not believe the server, or have nothing to say to it. */
static void give_up(struct smtp_client *s, const char *tag, const char *why)
{
    struct buf text CLEANUP(buf_done) = BUF_INIT;

    buf_printf(&text, "SASL authentication failed; server %s[%s] %s", s->conf.host, s->conf.ip,
               why);
    login_over(s);
    session_end(s, STAGE_AUTH, "4.7.0", tag, buf_text(&text));
}

static void send_first(struct smtp_client *s)
{
    struct buf word CLEANUP(wipe) = BUF_INIT, line CLEANUP(wipe) = BUF_INIT;
    char shown[64];
    bool is_client_first = sasl_start(&s->sasl, &word);
    const char *name = sasl_name(s->sasl.mech);

    if (is_client_first)
        sasl_command(&line, s->sasl.mech, buf_str(&word));
    s->is_first_due = is_client_first;
    if (is_client_first && line.n + 2 <= SASL_COMMAND_MAX) {
        snprintf(shown, sizeof(shown), "AUTH %s [secret]", name);
    } else {
        buf_clear(&line);
        snprintf(shown, sizeof(shown), "AUTH %s", name);
        buf_add_z(&line, shown);
    }
    session_ask(s, CLIENT_AUTH, buf_str(&line), shown);
}

void auth_start(struct smtp_client *s)
{
    bool is_tls = s->tls.state == TLS_ENCRYPTED || s->tls.state == TLS_VERIFIED;
    struct sasl_offer offer = {
        .mechs = buf_str(&s->auth_offered),
        .is_tls = is_tls,
        .has_binding = s->binding.type != NULL,
        .has_nonce = s->conf.nonce[0] != '\0',
        .is_token = s->conf.is_token,
    };
    const char *why = "";

    if (!s->conf.user || s->conf.auth == AUTH_NONE) {
        session_ready(s);
        return;
    }
    s->auth_why = NULL;
    s->sasl = (struct sasl){
        .mech = sasl_choose(s->conf.auth, &offer, &why),
        .user = s->conf.user,
        .secret = s->conf.password ? s->conf.password : "",
        .host = s->conf.host,
        .port = s->conf.port,
        .nonce = s->conf.nonce,
        .binding = &s->binding,
        .is_plus_offered = sasl_is_offered(offer.mechs, sasl_name(AUTH_SCRAM_SHA_256_PLUS)),
    };
    if (s->sasl.mech == AUTH_NONE)
        give_up(s, "no-mechanism", why);
    else
        send_first(s);
}

/* RFC 4954 4: what cannot be answered is cancelled, and the server answers that with a 501. */
static void cancel(struct smtp_client *s, const char *why)
{
    s->auth_why = why;
    session_ask(s, CLIENT_AUTH, STR("*"), NULL);
}

static void on_challenge(struct smtp_client *s, struct str challenge)
{
    struct buf line CLEANUP(wipe) = BUF_INIT;
    const char *why = "";
    bool is_first = s->is_first_due && str_trim(challenge).n == 0;

    s->is_first_due = false;
    /* It wants the first word on a line of its own, or did not read it behind the command. */
    if (is_first ? !sasl_start(&s->sasl, &line) : !sasl_answer(&s->sasl, challenge, &line, &why))
        cancel(s, why);
    else if (line.n + 2 > SASL_LINE_MAX)
        cancel(s, "would have to take a line that is longer than RFC 4954 allows: the token is too "
                  "long");
    else
        session_ask(s, CLIENT_AUTH, buf_str(&line), line.n ? "[secret]" : NULL);
}

static void on_success(struct smtp_client *s)
{
    const char *why;

    if (!sasl_is_complete(&s->sasl, &why)) {
        give_up(s, "bad-challenge", why);
        return;
    }
    login_over(s);
    session_ready(s);
}

/* The refusal, with what the server said of it within the exchange. */
static void on_refusal(struct smtp_client *s, const struct smtp_reply *r)
{
    struct smtp_reply more = *r;
    struct buf text CLEANUP(buf_done) = BUF_INIT;

    buf_add_str(&text, buf_str(&r->text));
    if (s->sasl.told[0])
        buf_printf(&text, " (it said: %s)", s->sasl.told);
    more.text = text;
    login_over(s);
    session_refuse(s, STAGE_AUTH, &more);
}

void auth_reply(struct smtp_client *s, const struct smtp_reply *r)
{
    if (s->auth_why)
        give_up(s, "bad-challenge", s->auth_why);
    else if (r->code / 100 == 2)
        on_success(s);
    else if (r->code == 334)
        on_challenge(s, buf_str(&r->text));
    else
        on_refusal(s, r);
}
