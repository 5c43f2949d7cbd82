/* SPDX-License-Identifier: ISC */
/* The commands of a session; see host.h. Texts are Postfix's where it has one. */
#include "tests/world/host_private.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

void host_transaction_drop(struct host_session *s)
{
    world_mail_free(s->mail);
    s->mail = NULL;
    s->is_chunk_refused = false;
}

/* RFC 9422: what the host said that it takes at most. */
static void count_against(struct host_session *s, const char *limit, size_t have)
{
    const char *list = s->is_esmtp ? world_offer(&s->h->own, "LIMITS") : NULL;
    struct str rest = str_of(list);
    uint64_t most;
    while (rest.n > 0) {
        struct str value = str_split(&rest, ' '), key = str_split(&value, '=');
        if (str_ieq_z(key, limit) && text_parse_u64(value, UINT64_MAX, &most) && have > most)
            world_violation(s->w, s->h, "more than %s=%llu", limit, (unsigned long long)most);
    }
}

/* --- EHLO --- */

static void ehlo_lines(const struct host_session *s, struct buf *out)
{
    const struct world_personality *o = world_offers_of(&s->h->own);
    buf_add_z(out, s->h->name);
    for (size_t i = 0; o && i < o->offers_n; i++) {
        if (s->is_tls && strcasecmp(o->offers[i], "STARTTLS") == 0)
            continue;
        buf_printf(out, "\n%s", o->offers[i]);
    }
}

static void cmd_ehlo(struct host_session *s, struct str arg)
{
    struct buf text = BUF_INIT;
    char name[256];
    str_copy(arg, name, sizeof(name));
    ehlo_lines(s, &text);
    host_transaction_drop(s);
    if (host_answer(s, WORLD_EHLO, name, 250, "", buf_text(&text)) / 100 == 2) {
        s->is_esmtp = true;
        memcpy(s->helo, name, sizeof(s->helo));
    }
    buf_done(&text);
}

static void cmd_helo(struct host_session *s, struct str arg)
{
    char name[256];
    str_copy(arg, name, sizeof(name));
    host_transaction_drop(s);
    s->is_esmtp = false;
    if (host_answer(s, WORLD_HELO, name, 250, "", s->h->name) / 100 == 2)
        memcpy(s->helo, name, sizeof(s->helo));
}

static void cmd_starttls(struct host_session *s, struct str arg)
{
    if (arg.n > 0 || s->is_tls || !host_offers(s, "STARTTLS")) {
        world_violation(s->w, s->h, "STARTTLS that was not offered");
        host_say(s, 502, "5.5.1", "Error: command not implemented");
        return;
    }
    const struct world_rule *tls = host_rule(s, WORLD_TLS, "", 0);
    if (host_answer(s, WORLD_STARTTLS, "", 220, "2.0.0", "Ready to start TLS") == 220) {
        s->wish = HOST_TLS;
        s->tls_fails = tls && tls->act == WORLD_FAIL;
    }
}

/* --- AUTH (RFC 4954, PLAIN RFC 4616, LOGIN) --- */

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void base64_decode(struct str s, struct buf *out)
{
    unsigned acc = 0, bits = 0;
    for (size_t i = 0; i < s.n && base64_value(s.p[i]) >= 0; i++) {
        acc = acc << 6 | (unsigned)base64_value(s.p[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_add_c(out, (char)(acc >> bits & 0xff));
        }
    }
}

static void auth_verdict(struct host_session *s, const char *user, const char *password)
{
    const struct world_personality *l = world_login_of(&s->h->own);
    bool is_right = l && strcmp(user, l->user) == 0 && strcmp(password, l->password) == 0;
    s->mode = HOST_COMMANDS;
    int code = is_right
                   ? host_answer(s, WORLD_AUTH, user, 235, "2.7.0", "Authentication successful")
                   : host_answer(s, WORLD_AUTH, user, 535, "5.7.8",
                                 "Error: authentication failed: authentication failure");
    s->is_auth = code == 235;
    str_copy(str_of(user), s->user, sizeof(s->user));
}

static void auth_plain(struct host_session *s, struct str response)
{
    struct buf b = BUF_INIT;
    base64_decode(response, &b);
    struct str rest = buf_str(&b);
    str_split(&rest, '\0');
    struct str user = str_split(&rest, '\0');
    char *u = str_dup(user), *p = str_dup(rest);
    auth_verdict(s, u, p);
    free(u);
    free(p);
    buf_done(&b);
}

static void auth_login(struct host_session *s, struct str response)
{
    struct buf b = BUF_INIT;
    base64_decode(response, &b);
    if (s->auth_step++ == 0) {
        str_copy(buf_str(&b), s->user, sizeof(s->user));
        host_say(s, 334, "", "UGFzc3dvcmQ6");
    } else {
        char user[sizeof(s->user)];
        memcpy(user, s->user, sizeof(user));
        auth_verdict(s, user, buf_text(&b));
    }
    buf_done(&b);
}

void host_auth_response(struct host_session *s, struct str line)
{
    if (str_eq_z(line, "*")) {
        s->mode = HOST_COMMANDS;
        host_say(s, 501, "5.7.0", "Authentication aborted");
    } else if (strcasecmp(s->mech, "PLAIN") == 0) {
        auth_plain(s, line);
    } else {
        auth_login(s, line);
    }
}

static bool offers_mech(const struct host_session *s, struct str mech)
{
    const char *list = world_offer(&s->h->own, "AUTH");
    struct str rest = str_of(list);
    while (rest.n > 0) {
        if (str_ieq(str_split(&rest, ' '), mech))
            return true;
    }
    return false;
}

static void cmd_auth(struct host_session *s, struct str arg)
{
    struct str mech = str_split(&arg, ' ');
    bool is_known = str_ieq_z(mech, "PLAIN") || str_ieq_z(mech, "LOGIN");
    if (!s->is_esmtp || !offers_mech(s, mech)) {
        world_violation(s->w, s->h, "AUTH %.*s that was not offered", STR_ARG(mech));
        is_known = false;
    }
    if (!is_known) {
        host_say(s, 535, "5.7.8", "Error: authentication failed: Invalid authentication mechanism");
        return;
    }
    str_copy(mech, s->mech, sizeof(s->mech));
    s->auth_step = 0;
    s->mode = HOST_AUTH;
    if (arg.n > 0)
        host_auth_response(s, str_eq_z(arg, "=") ? STR("") : arg);
    else
        host_say(s, 334, "", str_ieq_z(mech, "LOGIN") ? "VXNlcm5hbWU6" : "");
}

/* --- MAIL, RCPT --- */

static bool take_path(struct host_session *s, struct str arg, const char *word, struct str *path,
                      struct str *params)
{
    if (!str_istarts(arg, str_of(word)))
        return false;
    arg = str_sub(arg, strlen(word), arg.n);
    if (arg.n > 0 && arg.p[0] == ' ') {
        world_violation(s->w, s->h, "a blank behind \"%s\" (RFC 5321 3.3)", word);
        arg = str_trim(arg);
    }
    if (arg.n < 2 || arg.p[0] != '<')
        return false;
    size_t end = str_find(arg, '>');
    if (end == arg.n)
        return false;
    *path = str_sub(arg, 1, end);
    *params = str_trim(str_sub(arg, end + 1, arg.n));
    return true;
}

/* Which extension a parameter needs (RFC 1870, 6152, 6531, 3461, 4954, 8689). */
static const char *param_needs(struct str key)
{
    static const struct {
        const char *key, *needs;
    } table[] = {
        {"SIZE", "SIZE"}, {"BODY", "8BITMIME"}, {"SMTPUTF8", "SMTPUTF8"},
        {"RET", "DSN"},   {"ENVID", "DSN"},     {"NOTIFY", "DSN"},
        {"ORCPT", "DSN"}, {"AUTH", "AUTH"},     {"REQUIRETLS", "REQUIRETLS"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (str_ieq_z(key, table[i].key))
            return table[i].needs;
    }
    return "";
}

/* False after an answer that refused one. */
static bool params_are_fine(struct host_session *s, struct str params)
{
    while (params.n > 0) {
        struct str value = str_split(&params, ' '), key = str_split(&value, '=');
        const char *needs = param_needs(key),
                   *offer = needs[0] ? world_offer(&s->h->own, needs) : NULL;
        uint64_t size, limit;
        if (!s->is_esmtp || !offer) {
            world_violation(s->w, s->h, "parameter %.*s that was not offered", STR_ARG(key));
            host_say(s, 555, "5.5.4", "Unsupported option");
            return false;
        }
        if (str_ieq_z(key, "SIZE") && text_parse_u64(value, UINT64_MAX, &size) &&
            text_parse_u64(str_of(offer), UINT64_MAX, &limit) && limit > 0 && size > limit) {
            host_say(s, 552, "5.3.4", "Message size exceeds fixed limit");
            return false;
        }
        if (str_ieq_z(key, "BODY") && str_ieq_z(value, "8BITMIME"))
            s->is_8bit_declared = true;
        if (str_ieq_z(key, "SMTPUTF8"))
            s->is_utf8_declared = true;
    }
    return true;
}

static void mail_open(struct host_session *s, const char *from, struct str params)
{
    struct world_mail *m = xnew(struct world_mail);
    m->host = s->h;
    memcpy(m->client, s->client, sizeof(m->client));
    memcpy(m->helo, s->helo, sizeof(m->helo));
    memcpy(m->user, s->is_auth ? s->user : "", s->is_auth ? sizeof(m->user) : 1);
    m->from = xstrdup(from);
    m->params = str_dup(params);
    m->is_tls = s->is_tls;
    m->session = s->number;
    m->at_ms = s->now_ms;
    s->mail = m;
    count_against(s, "MAILMAX", ++s->mails);
}

static void cmd_mail(struct host_session *s, struct str arg)
{
    struct str path, params;
    if (s->mail || !s->helo[0]) {
        host_say(s, 503, "5.5.1",
                 s->mail ? "Error: nested MAIL command" : "Error: send HELO/EHLO first");
        world_violation(s->w, s->h, "MAIL out of order");
        return;
    }
    if (!take_path(s, arg, "FROM:", &path, &params)) {
        world_violation(s->w, s->h, "a MAIL that does not parse: %.*s", STR_ARG(arg));
        host_say(s, 501, "5.1.7", "Bad sender address syntax");
        return;
    }
    s->is_8bit_declared = s->is_utf8_declared = false;
    if (!params_are_fine(s, params))
        return;
    char *from = str_dup(path);
    if (host_answer(s, WORLD_MAIL, from, 250, "2.1.0", "Ok") / 100 == 2)
        mail_open(s, from, params);
    free(from);
}

static const char *domain_of(const char *address)
{
    const char *at = strrchr(address, '@');
    return at ? at + 1 : "";
}

static bool same_domain(const char *a, const char *rcpt_with_params)
{
    char *b =
        str_dup(str_sub(str_of(rcpt_with_params), 0, str_find(str_of(rcpt_with_params), ' ')));
    bool is_same = strcasecmp(domain_of(a), domain_of(b)) == 0;
    free(b);
    return is_same;
}

static void rcpt_add(struct host_session *s, const char *to, struct str params)
{
    struct world_mail *m = s->mail;
    if (m->rcpts_n > 0 && !same_domain(to, m->rcpts[0]))
        world_violation(s->w, s->h, "recipients of several domains in one transaction");
    m->rcpts = xreallocarray(m->rcpts, m->rcpts_n + 1, sizeof(char *));
    m->rcpts[m->rcpts_n++] = xasprintf("%s%s%.*s", to, params.n ? " " : "", STR_ARG(params));
    count_against(s, "RCPTMAX", m->rcpts_n);
}

static void cmd_rcpt(struct host_session *s, struct str arg)
{
    struct str path, params;
    if (!s->mail) {
        host_say(s, 503, "5.5.1", "Error: need MAIL command");
        return;
    }
    if (!take_path(s, arg, "TO:", &path, &params) || path.n == 0) {
        world_violation(s->w, s->h, "an RCPT that does not parse: %.*s", STR_ARG(arg));
        host_say(s, 501, "5.1.3", "Bad recipient address syntax");
        return;
    }
    if (!params_are_fine(s, params))
        return;
    char *to = str_dup(path);
    if (host_answer(s, WORLD_RCPT, to, 250, "2.1.5", "Ok") / 100 == 2)
        rcpt_add(s, to, params);
    free(to);
}

/* --- DATA, BDAT --- */

static void cmd_data(struct host_session *s)
{
    bool is_ready = s->mail && s->mail->rcpts_n > 0;
    int code =
        is_ready
            ? host_answer(s, WORLD_DATA, s->mail->from, 354, "", "End data with <CR><LF>.<CR><LF>")
        : s->mail
            ? host_answer(s, WORLD_DATA, s->mail->from, 554, "5.5.1", "Error: no valid recipients")
            : host_answer(s, WORLD_DATA, "", 503, "5.5.1", "Error: need RCPT command");
    if (code == 354) {
        host_content_start(s);
        s->mode = HOST_CONTENT;
    }
}

static void cmd_bdat(struct host_session *s, struct str arg)
{
    struct str size = str_split(&arg, ' ');
    bool is_last = str_ieq_z(str_trim(arg), "LAST");
    uint64_t n;
    if (!host_offers(s, "CHUNKING") || !text_parse_u64(size, 1u << 30, &n)) {
        world_violation(s->w, s->h, "BDAT that was not offered, or without a size");
        host_say(s, 502, "5.5.2", "Error: command not recognized");
        s->wish = HOST_CLOSE;
        return;
    }
    if (s->mail && s->mail->size_bytes == 0)
        host_content_start(s);
    s->chunk_left = n;
    s->chunk_bytes = 0;
    s->is_last_chunk = is_last;
    s->mode = HOST_CHUNK;
}

static void cmd_rset(struct host_session *s)
{
    host_transaction_drop(s);
    host_answer(s, WORLD_RSET, "", 250, "2.0.0", "Ok");
}

static void cmd_quit(struct host_session *s)
{
    s->h->quits++;
    host_answer(s, WORLD_QUIT, "", 221, "2.0.0", "Bye");
    if (s->held_until_ms != INT64_MAX)
        s->then = WORLD_CLOSE;
    else if (s->wish == HOST_GO_ON && s->mode != HOST_DEAF)
        s->wish = HOST_CLOSE;
}

void host_command(struct host_session *s, struct str line)
{
    struct str arg = line, verb = str_split(&arg, ' ');
    /* RFC 2920 3.1: these may only be last in a group; so may all where it was not offered. */
    bool is_last = str_ieq_z(verb, "EHLO") || str_ieq_z(verb, "HELO") || str_ieq_z(verb, "DATA") ||
                   str_ieq_z(verb, "STARTTLS") || str_ieq_z(verb, "AUTH") ||
                   str_ieq_z(verb, "QUIT") || str_ieq_z(verb, "NOOP");
    s->may_pipeline = !is_last && s->is_esmtp && host_offers(s, "PIPELINING");
    if (line.n > 2048)
        world_violation(s->w, s->h, "a command of %zu octets", line.n);
    if (str_ieq_z(verb, "EHLO"))
        cmd_ehlo(s, arg);
    else if (str_ieq_z(verb, "HELO"))
        cmd_helo(s, arg);
    else if (str_ieq_z(verb, "STARTTLS"))
        cmd_starttls(s, arg);
    else if (str_ieq_z(verb, "AUTH"))
        cmd_auth(s, arg);
    else if (str_ieq_z(verb, "MAIL"))
        cmd_mail(s, arg);
    else if (str_ieq_z(verb, "RCPT"))
        cmd_rcpt(s, arg);
    else if (str_ieq_z(verb, "DATA"))
        cmd_data(s);
    else if (str_ieq_z(verb, "BDAT"))
        cmd_bdat(s, arg);
    else if (str_ieq_z(verb, "RSET"))
        cmd_rset(s);
    else if (str_ieq_z(verb, "NOOP"))
        host_answer(s, WORLD_NOOP, "", 250, "2.0.0", "Ok");
    else if (str_ieq_z(verb, "QUIT"))
        cmd_quit(s);
    else
        host_say(s, 502, "5.5.2", "Error: command not recognized");
}
