/* SPDX-License-Identifier: ISC */
/*
 * The choice of a mechanism, and the simple ones. A password or token never goes out in clear: what
 * was sent over an open line is known.
 */
#include "core/smtp/sasl.h"

#include "core/base/text.h"

static const char *const names[] = {
    [AUTH_AUTO] = "",
    [AUTH_NONE] = "",
    [AUTH_PLAIN] = "PLAIN",
    [AUTH_LOGIN] = "LOGIN",
    [AUTH_CRAM_MD5] = "CRAM-MD5",
    [AUTH_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [AUTH_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
    [AUTH_XOAUTH2] = "XOAUTH2",
    [AUTH_OAUTHBEARER] = "OAUTHBEARER",
};

const char *sasl_name(enum auth_mech m)
{
    return names[m];
}

bool sasl_is_offered(struct str mechs, const char *name)
{
    while (mechs.n) {
        if (str_ieq_z(str_split(&mechs, ' '), name))
            return true;
    }
    return false;
}

static bool wants_token(enum auth_mech m)
{
    return m == AUTH_XOAUTH2 || m == AUTH_OAUTHBEARER;
}

static bool is_possible(enum auth_mech m, const struct sasl_offer *o)
{
    if (wants_token(m) != o->is_token || !sasl_is_offered(o->mechs, names[m]))
        return false;
    switch (m) {
    case AUTH_CRAM_MD5: return true;
    case AUTH_SCRAM_SHA_256: return o->has_nonce;
    case AUTH_SCRAM_SHA_256_PLUS: return o->has_nonce && o->has_binding;
    default: return o->is_tls;
    }
}

enum auth_mech sasl_choose(enum auth_mech wanted, const struct sasl_offer *o, const char **why)
{
    static const enum auth_mech order[] = {
        AUTH_SCRAM_SHA_256_PLUS, AUTH_SCRAM_SHA_256, AUTH_PLAIN,  AUTH_LOGIN,
        AUTH_CRAM_MD5,           AUTH_OAUTHBEARER,   AUTH_XOAUTH2};

    *why = "offered no compatible authentication mechanisms for this type of connection security";
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if ((wanted == AUTH_AUTO || wanted == order[i]) && is_possible(order[i], o))
            return order[i];
    return AUTH_NONE;
}

void sasl_done(struct sasl *s)
{
    buf_done(&s->first_bare);
    explicit_bzero(s, sizeof(*s));
}

void sasl_command(struct buf *out, enum auth_mech m, struct str word)
{
    buf_printf(out, "AUTH %s ", names[m]);
    if (word.n)
        buf_add_str(out, word);
    else
        buf_add_c(out, '=');
}

static void plain_word(const struct sasl *s, struct buf *out)
{
    buf_add_c(out, '\0'); /* no authorization identity: the user's own */
    buf_add_z(out, s->user);
    buf_add_c(out, '\0');
    buf_add_z(out, s->secret);
}

static void xoauth2_word(const struct sasl *s, struct buf *out)
{
    buf_printf(out, "user=%s\001auth=Bearer %s\001\001", s->user, s->secret);
}

void sasl_add_name(struct buf *out, const char *name)
{
    for (; *name; name++) {
        if (*name == ',')
            buf_add_z(out, "=2C");
        else if (*name == '=')
            buf_add_z(out, "=3D");
        else
            buf_add_c(out, *name);
    }
}

/* RFC 7628 3.1. */
static void oauthbearer_word(const struct sasl *s, struct buf *out)
{
    buf_add_z(out, "n,a=");
    sasl_add_name(out, s->user);
    buf_printf(out, ",\001host=%s\001port=%u\001auth=Bearer %s\001\001", s->host, s->port,
               s->secret);
}

/* The client's first word, without base64. False: the server speaks first. */
static bool first_word(struct sasl *s, struct buf *out)
{
    switch (s->mech) {
    case AUTH_PLAIN: plain_word(s, out); return true;
    case AUTH_XOAUTH2: xoauth2_word(s, out); return true;
    case AUTH_OAUTHBEARER: oauthbearer_word(s, out); return true;
    case AUTH_SCRAM_SHA_256:
    case AUTH_SCRAM_SHA_256_PLUS: scram_first(s, out); return true;
    default: return false;
    }
}

static void wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

bool sasl_start(struct sasl *s, struct buf *out)
{
    struct buf word CLEANUP(wipe) = BUF_INIT;
    bool is_client_first = first_word(s, &word);

    if (is_client_first)
        base64_encode(out, buf_str(&word));
    return is_client_first;
}

/* Two questions, whatever they say: servers word them differently, and not always in base64. */
static bool login_word(struct sasl *s, struct buf *out, const char **why)
{
    *why = "asked for more than a user name and a password";
    if (s->step >= 2)
        return false;
    buf_add_z(out, s->step++ == 0 ? s->user : s->secret);
    return true;
}

/* RFC 2195 2. */
static bool cram_word(struct sasl *s, struct str challenge, struct buf *out, const char **why)
{
    unsigned char digest[DIGEST_MD5_N];

    *why = s->step ? "asked twice" : "sent an empty challenge";
    if (s->step++ || challenge.n == 0)
        return false;
    *why = "wants CRAM-MD5, which the rules of this machine forbid";
    if (!digest_hmac_md5(str_of(s->secret), challenge, digest))
        return false;
    buf_add_z(out, s->user);
    buf_add_c(out, ' ');
    digest_hex(out, digest, sizeof(digest));
    return true;
}

/* A challenge behind the token tells in JSON why it is refused. The exchange still wants an answer
 * (RFC 7628 3.2.3), then the refusal comes. */
static bool token_word(struct sasl *s, struct str challenge, struct buf *out, const char **why)
{
    *why = "goes on asking after a token";
    if (s->step++)
        return false;
    text_printable_copy(challenge, s->told, sizeof(s->told));
    if (s->mech == AUTH_OAUTHBEARER)
        buf_add_c(out, '\001');
    return true;
}

static bool scram_word(struct sasl *s, struct str challenge, struct buf *out, const char **why)
{
    *why = "goes on asking after the end of SCRAM";
    switch (s->step++) {
    case 0: return scram_final(s, challenge, out, why);
    case 1: return scram_verify(s, challenge, why);
    default: return false;
    }
}

static bool next_word(struct sasl *s, struct str challenge, struct buf *out, const char **why)
{
    switch (s->mech) {
    case AUTH_CRAM_MD5: return cram_word(s, challenge, out, why);
    case AUTH_XOAUTH2:
    case AUTH_OAUTHBEARER: return token_word(s, challenge, out, why);
    case AUTH_SCRAM_SHA_256:
    case AUTH_SCRAM_SHA_256_PLUS: return scram_word(s, challenge, out, why);
    default: *why = "asked for more than PLAIN has"; return false;
    }
}

bool sasl_answer(struct sasl *s, struct str challenge, struct buf *out, const char **why)
{
    struct buf plain CLEANUP(wipe) = BUF_INIT, word CLEANUP(wipe) = BUF_INIT;

    if (s->mech == AUTH_LOGIN) {
        if (!login_word(s, &word, why))
            return false;
    } else {
        *why = "sent a challenge that is not in base64";
        if (!base64_decode(&plain, str_trim(challenge)))
            return false;
        if (!next_word(s, buf_str(&plain), &word, why))
            return false;
    }
    base64_encode(out, buf_str(&word));
    return true;
}

bool sasl_is_complete(const struct sasl *s, const char **why)
{
    bool is_scram = s->mech == AUTH_SCRAM_SHA_256 || s->mech == AUTH_SCRAM_SHA_256_PLUS;

    *why = "did not prove that it knows the password";
    return !is_scram || s->is_proven;
}
