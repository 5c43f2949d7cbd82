/* SPDX-License-Identifier: ISC */
/*
 * Lines of the delivery log. Everything that a peer or a client chose passes text_printable, so a
 * line is one line; and the reader below steps over quoted addresses, so that a mailbox named
 * ", status=sent (" does not become a delivery.
 */
#include "core/mail/logline.h"

#include "core/base/text.h"
#include "core/mail/id.h"

static const char *const status_names[] = {
    [LOG_SENT] = "sent",       [LOG_DEFERRED] = "deferred", [LOG_BOUNCED] = "bounced",
    [LOG_EXPIRED] = "expired", [LOG_REJECTED] = "rejected", [LOG_UNCONFIRMED] = "unconfirmed",
    [LOG_OTHER] = "other",
};
_Static_assert(ARRAY_LEN(status_names) == LOG_STATUS_COUNT, "a name per status");

const char *log_status_name(enum log_status s)
{
    return (unsigned)s < LOG_STATUS_COUNT ? status_names[s] : "?";
}

bool log_status_parse(struct str name, enum log_status *out)
{
    for (unsigned i = 0; i < LOG_STATUS_COUNT; i++) {
        if (str_ieq_z(name, status_names[i])) {
            *out = (enum log_status)i;
            return true;
        }
    }
    return false;
}

static void add_clean(struct buf *out, const char *s)
{
    text_printable(out, str_of(s), true);
}

/* A host name that a zone or a client chose: a blank or comma in it would begin a field. */
static void add_name(struct buf *out, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool is_plain = c > ' ' && c < 127 && !strchr(",;<>()=\"", c);
        buf_add_c(out, is_plain ? *s : '?');
    }
}

static void add_id(struct buf *out, int64_t message_id)
{
    char id[ID_TEXT_MAX];
    buf_add_z(out, id_text(message_id, id));
    buf_add_z(out, ": ");
}

/*
 * Seconds as Postfix writes them (log_adhoc.c, format_tv): two significant digits, at most two
 * decimals, no trailing zeros, whole seconds from ten on; a clock that jumped back gives 0.
 */
static void add_seconds(struct buf *out, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    if (ms >= 9950) {
        buf_printf(out, "%lld", (long long)(ms / 1000 + (ms % 1000 >= 500)));
        return;
    }
    int64_t centi = ms >= 995 ? (ms + 50) / 100 * 10 : (ms + 5) / 10;
    buf_printf(out, "%lld", (long long)(centi / 100));
    if (centi % 100 == 0)
        return;
    if (centi % 10 == 0)
        buf_printf(out, ".%lld", (long long)(centi % 100 / 10));
    else
        buf_printf(out, ".%02lld", (long long)(centi % 100));
}

/* Postfix writes relay=none until a connection stood. */
static void add_relay(struct buf *out, const struct outcome *o)
{
    buf_add_z(out, ", relay=");
    bool is_connected = o->stage > STAGE_CONNECT && o->stage < STAGE_LOCAL && o->ip[0] &&
                        !o->is_suspended; /* else the connection was another message's */
    if (!is_connected) {
        buf_add_z(out, "none");
        return;
    }
    if (o->host[0] != '[')
        add_name(out, o->host);
    buf_printf(out, "[%s]", o->ip);
    if (o->port)
        buf_printf(out, ":%u", o->port);
}

static void add_delays(struct buf *out, const struct delays *d, int64_t delay_ms)
{
    const int64_t parts[] = {d->a_ms, d->b_ms, d->c_ms, d->d_ms};
    buf_add_z(out, ", delay=");
    add_seconds(out, delay_ms);
    buf_add_z(out, ", delays=");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (i > 0)
            buf_add_c(out, '/');
        add_seconds(out, parts[i]);
    }
}

/* "rfc822;text" names the address the sender wrote; shown only when it is another one. */
static void add_orig_to(struct buf *out, const char *orcpt, const char *address)
{
    struct str text = str_of(orcpt);
    size_t semicolon = str_find(text, ';');
    if (semicolon < text.n)
        text = str_sub(text, semicolon + 1, text.n);
    if (text.n == 0 || str_ieq_z(text, address))
        return;
    buf_add_z(out, ", orig_to=<");
    text_printable(out, text, true);
    buf_add_c(out, '>');
}

void logline_attempt(struct buf *out, int64_t message_id, const char *address, const char *orcpt,
                     const struct outcome *o, enum log_status status, const struct delays *d,
                     int64_t delay_ms)
{
    add_id(out, message_id);
    buf_add_z(out, "to=<");
    add_clean(out, address);
    buf_add_c(out, '>');
    add_orig_to(out, orcpt, address);
    add_relay(out, o);
    if (o->conn_use > 1 && !o->is_suspended)
        buf_printf(out, ", conn_use=%u", o->conn_use);
    add_delays(out, d, delay_ms);
    if (o->tls.state != TLS_NOT_USED && !o->is_suspended)
        buf_printf(out, ", tls=%s", tls_state_name(o->tls.state));
    buf_printf(out, ", dsn=%s, status=%s (", o->enhanced[0] ? o->enhanced : "4.0.0",
               log_status_name(status));
    outcome_sentence(o, out);
    buf_add_c(out, ')');
}

/* "smtp [ip]:port helo" or "local uid N" of a message's origin. */
static void add_origin(struct buf *out, const char *origin)
{
    struct str s = str_of(origin);
    if (str_starts(s, STR("local uid "))) {
        buf_add_z(out, ", uid=");
        add_name(out, origin + strlen("local uid "));
        return;
    }
    if (!str_starts(s, STR("smtp [")))
        return;
    struct str where = str_sub(s, 5, s.n), address = str_split(&where, ' ');
    bool is_name = where.n > 0 && where.p[0] != '[';
    buf_add_z(out, ", client=");
    add_name(out, is_name ? where.p : "unknown");
    buf_add_str(out, address);
}

/* Between its brackets; without what could end them, or look like a field to a reader that only looks for words. */
static void add_message_id(struct buf *out, const char *message_id)
{
    struct str id = str_trim(str_of(message_id));
    if (id.n > 1 && id.p[0] == '<' && id.p[id.n - 1] == '>')
        id = str_sub(id, 1, id.n - 1);
    buf_add_z(out, ", message-id=<");
    for (size_t i = 0; i < id.n; i++) {
        unsigned char c = (unsigned char)id.p[i];
        buf_add_c(out, c > ' ' && c < 127 && !strchr("<>\"\\", c) ? (char)c : '?');
    }
    buf_add_c(out, '>');
}

void logline_accepted(struct buf *out, const struct message *m, unsigned rcpts)
{
    add_id(out, m->id);
    buf_add_z(out, "from=<");
    add_clean(out, m->reverse_path);
    buf_printf(out, ">, size=%llu, nrcpt=%u", (unsigned long long)m->size_bytes, rcpts);
    add_origin(out, m->origin);
    add_message_id(out, m->digest.message_id);
    buf_add_z(out, " (queue active)");
}

static void add_bracketed(struct buf *out, const char *label, const char *value)
{
    buf_add_z(out, label);
    buf_add_c(out, '<');
    add_clean(out, value);
    buf_add_c(out, '>');
}

void logline_reject(struct buf *out, const char *stage, const char *client, const char *ip,
                    int code, const char *text, const char *from, const char *to, const char *helo)
{
    buf_add_z(out, "NOQUEUE: reject: ");
    add_clean(out, stage);
    buf_add_z(out, " from ");
    add_name(out, client);
    buf_add_c(out, '[');
    add_name(out, ip);
    buf_printf(out, "]: %03d ", code);
    add_clean(out, text);
    buf_add_c(out, ';');
    add_bracketed(out, " from=", from);
    if (to[0])
        add_bracketed(out, " to=", to);
    buf_add_z(out, " proto=ESMTP");
    add_bracketed(out, " helo=", helo);
}

void logline_removed(struct buf *out, int64_t message_id)
{
    add_id(out, message_id);
    buf_add_z(out, "removed");
}

/* Behind "QID: ". */
static struct str line_fields(struct str line)
{
    size_t colon = str_find(line, ':');
    return str_sub(line, colon + 2, line.n);
}

/* Position of the ">" that closes the value at at; quotes hide one. */
static size_t angle_end(struct str s, size_t at)
{
    bool is_quoted = false;
    for (; at < s.n && (is_quoted || s.p[at] != '>'); at++) {
        if (is_quoted && s.p[at] == '\\')
            at++;
        else if (s.p[at] == '"')
            is_quoted = !is_quoted;
    }
    return at;
}

static size_t plain_end(struct str s, size_t at)
{
    while (at < s.n && s.p[at] != ',' && s.p[at] != ' ')
        at++;
    return at;
}

bool logline_field(struct str line, const char *name, struct str *value)
{
    struct str rest = line_fields(line);
    while (rest.n > 0) {
        size_t equals = str_find(rest, '=');
        bool is_angle = equals + 1 < rest.n && rest.p[equals + 1] == '<';
        size_t at = equals + 1 + is_angle;
        size_t end = is_angle ? angle_end(rest, at) : plain_end(rest, at);
        if (equals < rest.n && str_eq_z(str_sub(rest, 0, equals), name)) {
            *value = str_sub(rest, at, end);
            return true;
        }
        rest = str_sub(rest, end + is_angle, rest.n);
        if (!str_starts(rest, STR(", ")))
            return false; /* the text of the outcome: nothing in it is a field */
        rest = str_sub(rest, 2, rest.n);
    }
    return false;
}

static bool is_reject(struct str line)
{
    return str_starts(line, STR("NOQUEUE: reject"));
}

enum log_status logline_status(struct str line)
{
    struct str name;
    enum log_status status;
    if (is_reject(line))
        return LOG_REJECTED;
    if (logline_field(line, "status", &name) && log_status_parse(name, &status))
        return status;
    return LOG_OTHER;
}
