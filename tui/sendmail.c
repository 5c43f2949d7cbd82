/* SPDX-License-Identifier: ISC */
/*
 * sendmail(1): what programs expect to find under that name. Exit codes of sysexits(3), because that
 * is what they look at: 64 usage, 65 a bad address, 69 refused, 75 not now, 77 not allowed, 78
 * configuration.
 *
 * Deliberately no daemon, no SMTP on standard input (-bd, -bs), no alias.
 */
#include "tui/sendmail.h"

#include <pwd.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/mail/header.h"
#include "tui/cli.h"
#include "tui/submit.h"

/* --- arguments --- */

static bool parse_notify(struct str list, unsigned *out)
{
    *out = 0;
    while (list.n > 0) {
        struct str w = str_split(&list, ',');
        if (str_ieq_z(w, "never"))
            *out |= DSN_NEVER;
        else if (str_ieq_z(w, "success"))
            *out |= DSN_SUCCESS;
        else if (str_ieq_z(w, "failure"))
            *out |= DSN_FAILURE;
        else if (str_ieq_z(w, "delay"))
            *out |= DSN_DELAY;
        else
            return false;
    }
    /* NEVER stands alone (RFC 3461 4.1). */
    return *out && (!(*out & DSN_NEVER) || *out == DSN_NEVER);
}

static int with_value(char letter, const char *v, struct sendmail_args *a, struct err *err)
{
    switch (letter) {
    case 'f':
    case 'r': a->from = v; break;
    case 'F': a->name = v; break;
    case 'N':
        if (!parse_notify(str_of(v), &a->notify))
            return err_set(err, E_SYNTAX, "-N %s: allowed: never, or success,failure,delay", v);
        break;
    case 'R':
        if (strcasecmp(v, "hdrs") != 0 && strcasecmp(v, "full") != 0)
            return err_set(err, E_SYNTAX, "-R %s: allowed: hdrs, full", v);
        a->ret = strcasecmp(v, "full") == 0 ? DSN_RET_FULL : DSN_RET_HDRS;
        break;
    case 'V':
        if (strlen(v) > MSG_ENVID_MAX || !text_is_ascii(str_of(v)))
            return err_set(err, E_SYNTAX, "-V takes at most %d ASCII characters", MSG_ENVID_MAX);
        a->envid = v;
        break;
    default: break; /* taken, means nothing here */
    }
    return 0;
}

static int mode(const char *m, struct sendmail_args *a, struct err *err)
{
    if (strcmp(m, "p") == 0)
        a->lists_queue = true;
    else if (strcmp(m, "m") != 0)
        return err_set(err, E_SYNTAX, "-b%s is not done here; mail is handed over to mxhelmd", m);
    return 0;
}

/* One argument that begins with "-"; *at is moved on when it has its value in the next one. */
static int option(int argc, char **argv, int *at, struct sendmail_args *a, struct err *err)
{
    const char *arg = argv[*at];
    char letter = arg[1];
    if (strchr("fFrNRVXCOhL", letter)) {
        const char *v = arg[2] ? arg + 2 : *at + 1 < argc ? argv[++*at] : NULL;
        if (!v)
            return err_set(err, E_SYNTAX, "-%c needs a value", letter);
        return with_value(letter, v, a, err);
    }
    if (letter == 'b')
        return mode(arg + 2, a, err);
    if (letter == 'o') {
        a->is_dot_text |= strcmp(arg, "-oi") == 0;
        return 0;
    }
    if (strchr("eBqdpM", letter)) /* -em, -B8BITMIME, -q ... */
        return 0;
    for (const char *p = arg + 1; *p; p++) { /* -ti is -t -i */
        if (*p == 't')
            a->reads_header = true;
        else if (*p == 'i')
            a->is_dot_text = true;
        else if (!strchr("vGUnm", *p))
            return err_set(err, E_SYNTAX, "there is no option %s", arg);
    }
    return 0;
}

int sendmail_parse(int argc, char **argv, struct sendmail_args *out, struct err *err)
{
    int at = 1;
    *out = (struct sendmail_args){.envid = ""};
    for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        int rc = option(argc, argv, &at, out, err);
        if (rc < 0)
            return rc;
    }
    out->rcpts = argv + at;
    out->rcpts_n = argc - at;
    if (!out->lists_queue && !out->reads_header && out->rcpts_n == 0)
        return err_set(err, E_SYNTAX, "who shall get it? (addresses, or -t)");
    return 0;
}

/* --- the message --- */

/* Quoted-printable in encoded words, each of at most 75 characters and of whole characters
 * (RFC 2047 2, 4.2, 5.3). */
static void encoded_words(struct buf *out, struct str name)
{
    size_t start = out->n, len;
    buf_add_z(out, "=?UTF-8?Q?");
    while (name.n > 0) {
        int32_t cp = text_utf8_next(name, &len);
        if (out->n - start + len * 3 + 2 > 75) {
            buf_add_z(out, "?=\r\n ");
            start = out->n;
            buf_add_z(out, "=?UTF-8?Q?");
        }
        for (size_t i = 0; i < len; i++) {
            char c = name.p[i];
            bool is_plain =
                cp >= 0 && cp < 128 &&
                ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
            if (cp < 0)
                buf_add_z(out, "=3F");
            else if (is_plain)
                buf_add_c(out, c);
            else
                buf_printf(out, "=%02X", (unsigned char)c);
        }
        name = str_sub(name, len, name.n);
    }
    buf_add_z(out, "?=");
}

void sendmail_from_field(struct buf *out, const char *name, const char *address)
{
    buf_add_z(out, "From: ");
    bool is_plain = text_is_ascii(str_of(name)) && strlen(name) <= 60;
    for (const char *p = name; *p; p++)
        is_plain &= *p >= ' ' && *p != 127;
    if (is_plain) {
        buf_add_c(out, '"');
        for (const char *p = name; *p; p++) {
            if (*p == '"' || *p == '\\')
                buf_add_c(out, '\\');
            buf_add_c(out, *p);
        }
        buf_add_c(out, '"');
    } else {
        encoded_words(out, str_of(name));
    }
    buf_printf(out, " <%s>\r\n", address);
}

static void add_from(struct submit *s, const char *name)
{
    struct buf b = BUF_INIT;
    struct str body;
    struct str text = buf_str(&s->body);
    if (!name || !s->from[0])
        return;
    size_t end = submit_header_end(text);
    if (header_find(str_sub(text, 0, end), "From", &body))
        return;
    /* A text without any header begins with its body. */
    struct str rest = text, field_name, whole;
    bool has_header = header_next(&rest, &field_name, &body, &whole);
    sendmail_from_field(&b, name, s->from);
    if (!has_header && !str_starts(text, STR("\r\n")))
        buf_add_z(&b, "\r\n");
    buf_add_str(&b, text);
    buf_done(&s->body);
    s->body = b;
}

struct adding {
    struct submit *s;
    const char *hostname;
    char bad[400];
};

static void add_address(void *arg, struct str address)
{
    struct adding *a = arg;
    const char *why;
    char text[256];
    if (submit_add(a->s, address, a->hostname, &why) || a->bad[0])
        return;
    text_printable_copy(address, text, sizeof text);
    snprintf(a->bad, sizeof a->bad, "%s: %s", text, why);
}

/* --- going --- */

static int complain(int code, const char *text)
{
    fprintf(stderr, "sendmail: %s\n", text);
    return code;
}

static int code_of(const struct outcome *o)
{
    if (o->class != OUTCOME_FAILED)
        return EX_TEMPFAIL;
    /* X.1.x: the address (RFC 3463 3.2). */
    return str_starts(str_of(o->enhanced), STR("5.1.")) ? EX_DATAERR : EX_UNAVAILABLE;
}

static int report(const struct submit *s)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    int code = EX_OK;
    for (size_t i = 0; i < s->n; i++) {
        if (!s->rcpts[i].is_refused)
            continue;
        buf_clear(&b);
        buf_printf(&b, "%s: ", s->rcpts[i].address);
        submit_sentence(s->rcpts[i].outcome, &b);
        code = complain(code_of(s->rcpts[i].outcome), buf_text(&b));
    }
    if (s->refused == s->n || s->outcome.class == OUTCOME_DELIVERED)
        return code;
    buf_clear(&b);
    submit_sentence(&s->outcome, &b);
    return complain(code_of(&s->outcome), buf_text(&b));
}

static int envelope(struct cli *c, const struct sendmail_args *a, struct submit *s)
{
    struct adding adding = {.s = s, .hostname = c->conf.hostname};
    const struct passwd *pw = getpwuid(getuid());
    const char *from = a->from, *why = NULL;
    if (!from)
        from = c->conf.sender[0] ? c->conf.sender : pw ? pw->pw_name : "root";
    if (!submit_from(s, str_of(from), c->conf.hostname, &why)) {
        snprintf(adding.bad, sizeof adding.bad, "-f %.200s: %s", from, why);
        return complain(EX_DATAERR, adding.bad);
    }
    for (int i = 0; i < a->rcpts_n; i++)
        add_address(&adding, str_of(a->rcpts[i]));
    struct str text = buf_str(&s->body);
    if (a->reads_header && !header_each_recipient(str_sub(text, 0, submit_header_end(text)),
                                                  add_address, &adding, &why))
        return complain(EX_DATAERR, why);
    if (adding.bad[0])
        return complain(EX_DATAERR, adding.bad);
    if (s->n == 0)
        return complain(EX_DATAERR, "there is no recipient in To, Cc or Bcc");
    s->notify = a->notify;
    s->ret = a->ret;
    str_copy(str_of(a->envid), s->envid, sizeof s->envid);
    return EX_OK;
}

static int send(struct cli *c, const struct sendmail_args *a)
{
    struct submit s CLEANUP(submit_done) = {0};
    struct buf raw CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    if (submit_read(stdin, c->conf.max_message_bytes, &raw, &err) < 0)
        return complain(err.code == E_LIMIT ? EX_UNAVAILABLE : EX_IOERR, err.text);
    submit_text(buf_str(&raw), !a->is_dot_text, &s.body);
    int code = envelope(c, a, &s);
    if (code)
        return code;
    add_from(&s, a->name);
    if (submit_send(&s, c->submit, &err) < 0)
        return complain(err.code == E_DENIED ? EX_NOPERM : EX_TEMPFAIL, err.text);
    return report(&s);
}

int sendmail_main(int argc, char **argv)
{
    static const struct verb queue = {.name = "queue", .usage = "", .help = "", .more = ""};
    struct sendmail_args a;
    struct err err = ERR_NONE;
    const char *path = getenv("MXHELM_CONFIG");
    struct cli c;
    if (sendmail_parse(argc, argv, &a, &err) < 0)
        return complain(EX_USAGE, err.text);
    if (!path || !path[0])
        path = access(CONF_DEFAULT_PATH, F_OK) == 0 ? CONF_DEFAULT_PATH : NULL;
    int code = cli_init(&c, path);
    if (code == 0 && a.lists_queue) {
        c.verb = &queue;
        code = cmd_queue(&c, 0, NULL);
    } else if (code == 0) {
        code = send(&c, &a);
    }
    cli_done(&c);
    return code;
}
