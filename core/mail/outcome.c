/* SPDX-License-Identifier: ISC */
/*
 * Outcomes from what happened: a reply, an errno, a DNS result. Which code means what is here; how it
 * is said is in outcome_text.c.
 */
#include "core/mail/outcome.h"

#include <errno.h>
#include "core/mail/retry_after.h"

static const char *const class_names[] = {
    [OUTCOME_DELIVERED] = "delivered",
    [OUTCOME_DEFERRED] = "deferred",
    [OUTCOME_FAILED] = "failed",
    [OUTCOME_UNCONFIRMED] = "unconfirmed",
};
_Static_assert(ARRAY_LEN(class_names) == OUTCOME_CLASS_COUNT, "a name per class");

static const char *const stage_names[] = {
    [STAGE_NONE] = "none",         [STAGE_ROUTE] = "route",       [STAGE_DNS] = "dns",
    [STAGE_CONNECT] = "connect",   [STAGE_GREETING] = "greeting", [STAGE_EHLO] = "ehlo",
    [STAGE_STARTTLS] = "starttls", [STAGE_TLS] = "tls",           [STAGE_AUTH] = "auth",
    [STAGE_MAIL] = "mail",         [STAGE_RCPT] = "rcpt",         [STAGE_DATA] = "data",
    [STAGE_BODY] = "body",         [STAGE_EOD] = "eod",           [STAGE_RSET] = "rset",
    [STAGE_QUIT] = "quit",         [STAGE_LOCAL] = "local",
};
_Static_assert(ARRAY_LEN(stage_names) == STAGE_COUNT, "a name per stage");

static const char *const scope_names[] = {
    [SCOPE_RECIPIENT] = "recipient",
    [SCOPE_MESSAGE] = "message",
    [SCOPE_DOMAIN] = "domain",
    [SCOPE_HOST] = "host",
    [SCOPE_SITE] = "site",
    [SCOPE_SOURCE] = "source",
    [SCOPE_EVERYTHING] = "everything",
};
_Static_assert(ARRAY_LEN(scope_names) == SCOPE_COUNT, "a name per scope");

const char *outcome_class_name(enum outcome_class c)
{
    return (unsigned)c < OUTCOME_CLASS_COUNT ? class_names[c] : "?";
}

const char *stage_name(enum stage s)
{
    return (unsigned)s < STAGE_COUNT ? stage_names[s] : "?";
}

const char *scope_name(enum scope s)
{
    return (unsigned)s < SCOPE_COUNT ? scope_names[s] : "?";
}

const char *tls_state_name(enum tls_state s)
{
    switch (s) {
    case TLS_NOT_USED: return "none";
    case TLS_ENCRYPTED: return "encrypted";
    case TLS_VERIFIED: return "verified";
    case TLS_FAILED: return "failed";
    }
    return "?";
}

/* What a refusal at this stage is about, before anybody has read its text. */
static enum scope stage_scope(enum stage s)
{
    switch (s) {
    case STAGE_RCPT: return SCOPE_RECIPIENT;
    case STAGE_NONE:
    case STAGE_MAIL:
    case STAGE_DATA:
    case STAGE_BODY:
    case STAGE_EOD: return SCOPE_MESSAGE;
    case STAGE_ROUTE:
    case STAGE_DNS: return SCOPE_DOMAIN;
    case STAGE_AUTH: return SCOPE_SITE;
    case STAGE_LOCAL: return SCOPE_EVERYTHING;
    default: return SCOPE_HOST;
    }
}

void outcome_init(struct outcome *o, enum outcome_class class, enum stage stage)
{
    *o = (struct outcome){.class = class, .stage = stage, .scope = stage_scope(stage)};
}

void outcome_say(struct outcome *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(o->text, sizeof(o->text), fmt, ap);
    va_end(ap);
}

static void set_enhanced(struct outcome *o, const char *code)
{
    str_copy(str_of(code), o->enhanced, sizeof(o->enhanced));
}

/* RFC 3463 2: class "." subject "." detail, numbers of one to three digits without leading zero. */
static bool is_enhanced(struct str s)
{
    struct str part = str_split(&s, '.');
    if (part.n != 1 || !memchr("245", part.p[0], 3))
        return false;
    for (int i = 0; i < 2; i++) {
        part = i == 0 ? str_split(&s, '.') : s;
        if (part.n < 1 || part.n > 3 || (part.n > 1 && part.p[0] == '0'))
            return false;
        for (size_t k = 0; k < part.n; k++)
            if (part.p[k] < '0' || part.p[k] > '9')
                return false;
    }
    return true;
}

/* Does a reply of this stage speak about the session rather than about mail? Then no 5xx of it can
 * fail mail for good (engine.md 2.2: AUTH, STARTTLS; RSET and QUIT are ignored). */
static bool is_session_stage(enum stage s)
{
    return s == STAGE_AUTH || s == STAGE_STARTTLS || s == STAGE_TLS || s == STAGE_RSET ||
           s == STAGE_QUIT;
}

static bool is_protocol_error(enum stage stage, int code)
{
    if (code >= 400 && code <= 599)
        return false;
    /* DATA has only 354 for success, and a caller does not make an outcome of it. */
    return !(code >= 200 && code <= 299 && stage != STAGE_DATA);
}

static enum outcome_class reply_class(enum stage stage, int code)
{
    if (is_protocol_error(stage, code))
        return OUTCOME_DEFERRED;
    if (code < 300)
        return OUTCOME_DELIVERED;
    if (code < 500 || is_session_stage(stage))
        return OUTCOME_DEFERRED;
    if (stage == STAGE_RCPT && code == 552) /* RFC 5321 4.5.3.1.10: too many recipients */
        return OUTCOME_DEFERRED;
    return OUTCOME_FAILED;
}

static char class_digit(enum outcome_class c)
{
    return c == OUTCOME_DELIVERED ? '2' : c == OUTCOME_FAILED ? '5' : '4';
}

static void set_reply_enhanced(struct outcome *o, struct str sent)
{
    bool is_usable = is_enhanced(sent) && sent.p[0] == (char)('0' + o->code / 100);
    if (is_protocol_error(o->stage, o->code))
        set_enhanced(o, "4.5.0");
    else if (is_usable)
        str_copy(sent, o->enhanced, sizeof(o->enhanced));
    else
        set_enhanced(o, o->stage == STAGE_AUTH || o->stage == STAGE_STARTTLS ? "x.7.0" : "x.0.0");
    /* A 5.x.x that we take as temporary is logged and reported as what we made of it. */
    o->enhanced[0] = class_digit(o->class);
}

/* Copy what fits, without half a UTF-8 character at the end. */
static void add_text(struct outcome *o, struct str s)
{
    size_t have = strlen(o->text);
    size_t room = sizeof(o->text) - 1 - have;
    if (s.n > room) {
        size_t n = room;
        while (n > 0 && room - n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
        s.n = n;
    }
    for (size_t i = 0; i < s.n; i++)
        o->text[have + i] = s.p[i] ? s.p[i] : '?'; /* text is a C string; NUL would hide the rest */
    o->text[have + s.n] = '\0';
}

void outcome_from_reply(struct outcome *o, enum stage stage, int code, struct str enhanced,
                        struct str text)
{
    outcome_init(o, reply_class(stage, code), stage);
    o->code = code;
    set_reply_enhanced(o, enhanced);
    if (code == 421 || is_protocol_error(stage, code))
        o->scope = SCOPE_HOST; /* the server is going away, or is none */
    /* The sentence shows the reply as it was sent, so its own enhanced code stays in the text. */
    if (enhanced.n > 0 && !str_starts(text, enhanced)) {
        add_text(o, enhanced);
        add_text(o, STR(" "));
    }
    add_text(o, text);
    if (o->class == OUTCOME_DEFERRED)
        o->retry_after_ms = retry_after_parse(str_of(o->text));
}

static enum scope errno_scope(enum stage stage, int sys)
{
    switch (sys) {
    case EACCES: /* a local firewall */
    case EPERM:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case ENETDOWN:
    case ENETUNREACH: return SCOPE_SOURCE;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EDQUOT: return SCOPE_EVERYTHING;
    }
    return stage == STAGE_LOCAL ? SCOPE_EVERYTHING : SCOPE_HOST;
}

void outcome_from_errno(struct outcome *o, enum stage stage, int sys)
{
    outcome_init(o, OUTCOME_DEFERRED, stage);
    o->sys = sys ? sys : ECONNRESET;
    o->scope = errno_scope(stage, o->sys);
    if (stage == STAGE_LOCAL)
        set_enhanced(o, o->sys == ENOSPC || o->sys == EDQUOT ? "4.3.1" : "4.3.0");
    else
        set_enhanced(o, stage <= STAGE_CONNECT ? "4.4.1" : "4.4.2");
    outcome_say(o, "%s", outcome_errno_text(o->sys));
}

void outcome_from_dns(struct outcome *o, enum dns_status status, const char *what, const char *name)
{
    static const struct {
        enum outcome_class class;
        const char *enhanced, *text;
    } table[] = {
        [DNS_OK] = {OUTCOME_DEFERRED, "4.4.3", "Malformed or unexpected name server reply"},
        [DNS_NODATA] = {OUTCOME_FAILED, "5.4.4", "Host found but no data record of requested type"},
        [DNS_NXDOMAIN] = {OUTCOME_FAILED, "5.1.2", "Host not found"},
        [DNS_TEMP] = {OUTCOME_DEFERRED, "4.4.3", "Host not found, try again"},
        [DNS_BAD] = {OUTCOME_DEFERRED, "4.4.3", "Malformed or unexpected name server reply"},
    };
    _Static_assert(ARRAY_LEN(table) == DNS_STATUS_COUNT, "a row per status");
    /* A usable answer is no failure: whoever comes here with one could not use what was in it. */
    enum dns_status s = (unsigned)status < DNS_STATUS_COUNT && status != DNS_OK ? status : DNS_BAD;
    outcome_init(o, table[s].class, STAGE_DNS);
    o->dns = s;
    set_enhanced(o, table[s].enhanced);
    outcome_say(o, "Host or domain name not found. Name service error for name=%s type=%s: %s",
                name, what, table[s].text);
}

void outcome_from_answer(struct outcome *o, const struct dns_answer *a, const char *what,
                         const char *name)
{
    outcome_from_dns(o, a->status, what, name);
    if (a->status != DNS_TEMP)
        return;
    const char *tag = a->is_timeout   ? "timeout"
                      : a->rcode == 2 ? "SERVFAIL"
                      : a->rcode == 5 ? "REFUSED"
                                      : "";
    str_copy(str_of(tag), o->tag, sizeof(o->tag));
}
