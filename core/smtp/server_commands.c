/* SPDX-License-Identifier: ISC */
/*
 * The commands (RFC 5321 4.1.1) and their order (4.1.4). VRFY tells nothing, EXPN is not there: this
 * server knows no mailboxes.
 */
#include "core/smtp/server_private.h"

#include "core/base/text.h"

void server_junk(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
    if (++s->junk > s->limits->commands)
        server_close(s, "4.7.0", "Too many errors");
    else
        server_reply(s, code, enhanced, text);
}

static void out_of_order(struct smtp_server *s, const char *text)
{
    server_junk(s, 503, "5.5.1", text);
}

static void reset_envelope(struct smtp_envelope *e)
{
    e->from = (struct addr){.kind = ADDR_NULL};
    e->declared_bytes = 0;
    e->is_8bit = e->is_smtputf8 = false;
    e->ret = DSN_RET_NONE;
    e->envid[0] = '\0';
    e->rcpts_n = 0;
}

static bool take_helo(struct smtp_server *s, struct str arg, bool is_esmtp)
{
    arg = str_trim(arg);
    if (arg.n == 0 || arg.n > ADDR_DOMAIN_MAX) {
        server_junk(s, 501, "5.5.4", is_esmtp ? "Syntax: EHLO hostname" : "Syntax: HELO hostname");
        return false;
    }
    server_drop(s); /* RFC 5321 4.1.4: as if RSET had been given */
    if (s->env.helo[0])
        s->junk++; /* once is enough */
    text_printable_copy(arg, s->env.helo, sizeof(s->env.helo));
    s->env.is_esmtp = is_esmtp;
    return true;
}

static void do_ehlo(struct smtp_server *s, struct str arg)
{
    char size[64];

    if (!take_helo(s, arg, true))
        return;
    snprintf(size, sizeof(size), "250-SIZE %llu\r\n", (unsigned long long)s->limits->message_bytes);
    wire_add(&s->out, STR("250-"));
    wire_add_z(&s->out, s->hostname);
    wire_add(&s->out, STR("\r\n250-PIPELINING\r\n"));
    wire_add_z(&s->out, size);
    wire_add(&s->out, STR("250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n"
                          "250-DSN\r\n250 CHUNKING\r\n"));
}

static void do_helo(struct smtp_server *s, struct str arg)
{
    if (take_helo(s, arg, false))
        server_reply(s, 250, "", s->hostname);
}

/* Refuse a MAIL or RCPT and tell the log; path is what the client wrote. */
static void refuse(struct smtp_server *s, const char *stage, const struct smtp_answer *a,
                   struct str path)
{
    char to[ADDR_TEXT_MAX] = "";

    server_reply(s, a->code, a->enhanced, a->text);
    path = str_trim(path);
    if (path.n >= 2 && path.p[0] == '<' && path.p[path.n - 1] == '>')
        path = str_sub(path, 1, path.n - 1);
    if (stage[0] == 'R')
        text_printable_copy(path, to, sizeof(to));
    server_rejected(s, stage, a, to);
}

static void refuse_syntax(struct smtp_server *s, const char *stage, int code, const char *enhanced,
                          const char *text, struct str path)
{
    if (++s->junk > s->limits->commands)
        server_close(s, "4.7.0", "Too many errors");
    else
        refuse(s, stage, &(struct smtp_answer){code, enhanced, text}, path);
}

/*
 * "FROM:<path> parameters" or "TO:<path> parameters". A blank behind the colon is against RFC 5321
 * 3.3, but so common in what applications send that it is let through. Returns the parameters in
 * *params. False: it is answered already.
 */
static bool take_path(struct smtp_server *s, const char *stage, struct str arg, struct str keyword,
                      struct addr *addr, struct str *params)
{
    bool is_mail = stage[0] == 'M';
    size_t used = 0;
    const char *why = "";

    if (!str_istarts(arg, keyword)) {
        server_junk(s, 501, "5.5.4",
                    is_mail ? "Syntax: MAIL FROM:<address>" : "Syntax: RCPT TO:<address>");
        return false;
    }
    arg = str_trim(str_sub(arg, keyword.n, arg.n));
    if (!addr_parse_path(arg, is_mail, !is_mail, addr, &used, &why)) {
        refuse_syntax(s, stage, 501, is_mail ? "5.1.7" : "5.1.3", why, arg);
        return false;
    }
    *params = str_sub(arg, used, arg.n);
    if (params->n && params->p[0] != ' ') {
        refuse_syntax(s, stage, 501, "5.5.4", "Syntax error behind the address",
                      str_sub(arg, 0, used));
        return false;
    }
    *params = str_trim(*params);
    return true;
}

/* RFC 6531 3.5: not without the parameter. path is as written, with its domain in whatever form. */
static bool is_utf8_missing(const struct smtp_server *s, struct str path)
{
    return !s->env.is_smtputf8 && !text_is_ascii(path);
}

static const struct smtp_answer utf8_missing = {553, "5.6.7",
                                                "Address is not ASCII, and SMTPUTF8 was not given"};

/* The path as written, without the parameters. */
static struct str path_of(struct str arg, struct str keyword, struct str params)
{
    const char *from = arg.p + keyword.n;
    const char *to = params.n ? params.p : arg.p + arg.n;

    return str_trim((struct str){from, (size_t)(to - from)});
}

static void do_mail(struct smtp_server *s, struct str arg)
{
    struct smtp_answer a = {550, "5.7.1", "Sender refused"};
    struct str params, path;
    const char *text = "";

    if (!s->env.helo[0]) {
        out_of_order(s, "Send EHLO first");
        return;
    }
    if (s->has_mail) {
        out_of_order(s, "A transaction is open already");
        return;
    }
    reset_envelope(&s->env);
    if (!take_path(s, "MAIL", arg, STR("FROM:"), &s->env.from, &params))
        return;
    path = path_of(arg, STR("FROM:"), params);
    int code = server_mail_params(&s->env, params, &text);
    if (code) {
        refuse_syntax(s, "MAIL", code, "5.5.4", text, path);
        return;
    }
    if (is_utf8_missing(s, path)) {
        refuse(s, "MAIL", &utf8_missing, path);
        return;
    }
    if (s->limits->message_bytes && s->env.declared_bytes > s->limits->message_bytes) {
        a = (struct smtp_answer){552, "5.3.4", "Message size exceeds the limit"};
        refuse(s, "MAIL", &a, path);
        return;
    }
    if (!s->ops->mail(s->arg, &s->env, &a)) {
        refuse(s, "MAIL", &a, path);
        return;
    }
    s->has_mail = true;
    server_reply(s, 250, "2.1.0", "Ok");
}

static void do_rcpt(struct smtp_server *s, struct str arg)
{
    struct smtp_answer a = {550, "5.7.1", "Recipient refused"};
    struct smtp_server_rcpt r = {.notify = 0};
    struct str params, path;
    const char *text = "";

    if (!s->has_mail || s->is_chunked) {
        out_of_order(s,
                     s->has_mail ? "Recipients must come before the content" : "Send MAIL first");
        return;
    }
    if (!take_path(s, "RCPT", arg, STR("TO:"), &r.addr, &params))
        return;
    path = path_of(arg, STR("TO:"), params);
    if (s->env.rcpts_n >= s->limits->recipients) {
        a = (struct smtp_answer){452, "4.5.3", "Too many recipients"};
        refuse(s, "RCPT", &a, path);
        return;
    }
    int code = server_rcpt_params(&s->env, &r, params, &text);
    if (code) {
        refuse_syntax(s, "RCPT", code, "5.5.4", text, path);
        return;
    }
    if (is_utf8_missing(s, path)) {
        refuse(s, "RCPT", &utf8_missing, path);
        return;
    }
    if (!s->ops->rcpt(s->arg, &s->env, &r, &a)) {
        refuse(s, "RCPT", &a, path);
        return;
    }
    s->env.rcpts_n++;
    server_reply(s, 250, "2.1.5", "Ok");
}

/* Is there something to deliver to? Answered when not; for BDAT into *out behind the octets. */
static bool may_send_content(struct smtp_server *s, struct wire *out)
{
    struct smtp_answer a = {451, "4.3.0", "Try again later"};

    if (!s->has_mail) {
        s->junk++;
        server_reply_to(out, 503, "5.5.1", "Send MAIL first");
        return false;
    }
    if (s->env.rcpts_n == 0) {
        server_reply_to(out, 554, "5.5.1", "No valid recipients");
        return false;
    }
    if (s->is_chunked || s->ops->data(s->arg, &s->env, &a))
        return true;
    server_reply_to(out, a.code, a.enhanced, a.text);
    server_rejected(s, "DATA", &a, "");
    server_drop(s);
    if (a.code == 421)
        s->state = SERVER_CLOSED;
    return false;
}

static void do_data(struct smtp_server *s, struct str arg)
{
    if (arg.n) {
        server_junk(s, 501, "5.5.4", "Syntax: DATA");
        return;
    }
    if (s->is_chunked) { /* RFC 3030 2 */
        out_of_order(s, "DATA and BDAT do not mix");
        return;
    }
    if (!may_send_content(s, &s->out))
        return;
    server_reply(s, 354, "", "End data with <CR><LF>.<CR><LF>");
    s->state = SERVER_DATA;
    s->deadline_mono_ms = s->now_mono_ms + s->limits->data_idle_ms;
    server_data_start(s, true);
}

/* "BDAT size [LAST]" (RFC 3030 2). Refused or not, its octets follow the line at once. */
static void do_bdat(struct smtp_server *s, struct str arg)
{
    struct str size = str_split(&arg, ' ');
    struct wire refusal = {0};

    arg = str_trim(arg);
    if (!text_parse_u64(size, INT64_MAX, &s->chunk_left) || (arg.n && !str_ieq_z(arg, "LAST"))) {
        /* How many octets follow is not known: not one of them may be taken for a command. */
        server_reply(s, 501, "5.5.4", "Syntax: BDAT octets [LAST]; closing the connection");
        server_drop(s);
        s->state = SERVER_CLOSED;
        return;
    }
    s->chunk_is_last = arg.n > 0;
    buf_clear(&s->held_reply);
    if (may_send_content(s, &refusal)) {
        if (!s->is_chunked)
            server_data_start(s, false);
        s->is_chunked = true;
    } else {
        buf_add_str(&s->held_reply, wire_str(&refusal));
    }
    wire_done(&refusal);
    if (s->state == SERVER_CLOSED) { /* an owner's 421 does not wait for the octets */
        wire_add(&s->out, buf_str(&s->held_reply));
        return;
    }
    s->state = SERVER_CHUNK;
    s->deadline_mono_ms = s->now_mono_ms + s->limits->data_idle_ms;
    if (s->chunk_left == 0)
        server_chunk_finish(s);
}

static void do_rset(struct smtp_server *s, struct str arg UNUSED)
{
    bool was_open = s->has_mail;

    server_drop(s);
    if (was_open)
        server_reply(s, 250, "2.0.0", "Ok");
    else
        server_junk(s, 250, "2.0.0", "Ok");
}

static void do_noop(struct smtp_server *s, struct str arg UNUSED)
{
    server_junk(s, 250, "2.0.0", "Ok");
}

static void do_vrfy(struct smtp_server *s, struct str arg)
{
    if (arg.n)
        server_junk(s, 252, "2.5.2", "Cannot verify, but will take mail and try to deliver it");
    else
        server_junk(s, 501, "5.5.4", "Syntax: VRFY address");
}

static void do_help(struct smtp_server *s, struct str arg UNUSED)
{
    server_junk(s, 214, "2.0.0", "See RFC 5321");
}

static void do_quit(struct smtp_server *s, struct str arg UNUSED)
{
    server_reply(s, 221, "2.0.0", "Bye");
    server_drop(s);
    s->state = SERVER_CLOSED;
}

/* Known by name, and not offered (RFC 5321 4.2.4). */
static void do_nothing(struct smtp_server *s, struct str arg UNUSED)
{
    server_junk(s, 502, "5.5.1", "Command not offered here");
}

/* A browser that was talked into posting to our port (cross-protocol attack): its body must not
 * be read as commands. */
static void do_http(struct smtp_server *s, struct str arg UNUSED)
{
    server_close(s, "4.7.0", "This is no web server");
}

static const struct {
    const char *name;
    void (*run)(struct smtp_server *s, struct str arg);
} commands[] = {
    {"RCPT", do_rcpt},    {"MAIL", do_mail},    {"DATA", do_data},    {"BDAT", do_bdat},
    {"EHLO", do_ehlo},    {"QUIT", do_quit},    {"RSET", do_rset},    {"NOOP", do_noop},
    {"HELO", do_helo},    {"VRFY", do_vrfy},    {"HELP", do_help},    {"EXPN", do_nothing},
    {"ETRN", do_nothing}, {"TURN", do_nothing}, {"AUTH", do_nothing}, {"STARTTLS", do_nothing},
    {"GET", do_http},     {"POST", do_http},    {"CONNECT", do_http}, {"OPTIONS", do_http},
};

void server_command(struct smtp_server *s, struct str line)
{
    struct str verb = str_split(&line, ' ');

    line = str_trim(line);
    verb = str_trim(verb);
    if (s->is_refusing && !str_ieq_z(verb, "QUIT")) { /* RFC 5321 3.1 */
        out_of_order(s, "No service here, only QUIT");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_ieq_z(verb, commands[i].name)) {
            commands[i].run(s, line);
            return;
        }
    }
    server_junk(s, 500, "5.5.2", "Command not recognized");
}
