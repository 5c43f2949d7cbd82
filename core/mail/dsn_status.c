/* SPDX-License-Identifier: ISC */
/*
 * The machine's part: message/delivery-status (RFC 3464 2). Every value passes add_value, which
 * leaves printable ASCII in lines of bearable length, whatever a server or a client wrote.
 */
#include "core/base/text.h"
#include "core/mail/date.h"
#include "core/mail/dsn_private.h"
#include "core/mail/header.h"

#define WORD_MAX 200 /* octets; a longer word is cut, so that no line comes near 998 */

static const char *action_name(enum dsn_action a)
{
    switch (a) {
    case DSN_ACT_NONE:
    case DSN_ACT_COUNT: break;
    case DSN_ACT_FAILED: return "failed";
    case DSN_ACT_DELAYED: return "delayed";
    case DSN_ACT_DELIVERED: return "delivered";
    case DSN_ACT_RELAYED: return "relayed";
    }
    return "";
}

const char *dsn_status(const struct dsn_rcpt *r, char out[16])
{
    char class = r->action == DSN_ACT_FAILED ? '5' : r->action == DSN_ACT_DELAYED ? '4' : '2';
    const char *enhanced = r->outcome->enhanced;

    if (r->action == DSN_ACT_FAILED && r->is_expired)
        snprintf(out, 16, "5.4.7");
    else if (enhanced[0] && enhanced[1] == '.' && (class != '2' || enhanced[0] == '2'))
        snprintf(out, 16, "%c%s", class, enhanced + 1);
    else
        snprintf(out, 16, "%c.0.0", class);
    return out;
}

/* RFC 6533 3 utf-8-addr-xtext, also good for other values: characters over ASCII as "\x{F6}". */
static void add_ascii(struct buf *out, struct str s, bool is_address)
{
    while (s.n) {
        size_t len;
        int32_t c = text_utf8_next(s, &len);

        if (c >= 0x80 || (is_address && (c == '+' || c == '=' || c == '\\')))
            buf_printf(out, "\\x{%02X}", (unsigned)c);
        else
            buf_add_c(out, c < ' ' || c == 0x7f ? '?' : (char)c);
        s = str_sub(s, len, s.n);
    }
}

/* Words of s, folded; name and a first word are in the line already. */
static void add_folded(struct buf *out, size_t *column, struct str s)
{
    while (s.n) {
        struct str word = str_split(&s, ' ');
        while (word.n) {
            header_fold_word(out, column, str_sub(word, 0, WORD_MAX));
            word = str_sub(word, WORD_MAX, word.n);
        }
    }
}

/* "Name: type; value". */
static void add_value(struct buf *out, const char *name, const char *type, const char *value,
                      bool is_global)
{
    CLEANUP(buf_done) struct buf printable = BUF_INIT;
    CLEANUP(buf_done) struct buf ascii = BUF_INIT;
    size_t column = strlen(name) + 1;

    text_printable(&printable, str_of(value), true);
    if (is_global)
        buf_add_str(&ascii, buf_str(&printable));
    else
        add_ascii(&ascii, buf_str(&printable), false);
    buf_printf(out, "%s:", name);
    if (type[0]) {
        buf_printf(out, " %s;", type);
        column += strlen(type) + 2;
    }
    add_folded(out, &column, buf_str(&ascii));
    buf_add_z(out, "\r\n");
}

/* Of type utf-8 as it is in a global report, else as utf-8-addr-xtext (RFC 6533 3). */
static void add_address(struct buf *out, const char *name, const char *type, const char *address,
                        bool is_global)
{
    CLEANUP(buf_done) struct buf ascii = BUF_INIT;

    if (is_global || text_is_ascii(str_of(address))) {
        add_value(out, name, type, address, is_global);
        return;
    }
    add_ascii(&ascii, str_of(address), true);
    add_value(out, name, type, buf_text(&ascii), false);
}

/* ORCPT is "type;text". */
static void add_original_recipient(struct buf *out, const char *orcpt, bool is_global)
{
    struct str text = str_of(orcpt);
    struct str type = str_split(&text, ';');
    char type_text[40], address[MSG_ORCPT_MAX + 1];

    if (!text.n || !type.n)
        return;
    str_copy(type, type_text, sizeof(type_text));
    str_copy(text, address, sizeof(address));
    /* A type is an atom; another would end the field's first half early. */
    for (char *c = type_text; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              *c == '-'))
            return;
    add_address(out, "Original-Recipient", type_text, address, is_global);
}

static void add_date(struct buf *out, const char *name, int64_t wall_ms)
{
    char date[40];

    if (wall_ms > 0)
        buf_printf(out, "%s: %s\r\n", name, date_rfc5322(wall_ms, date));
}

/* A server's own words, or ours with a type that says so (RFC 3464 2.3.6). */
static void add_diagnostic(struct buf *out, const struct outcome *o, bool is_global)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;

    if (o->code && o->host[0]) {
        buf_printf(&text, "%03d ", o->code);
        buf_add_z(&text, o->text);
        add_value(out, "Diagnostic-Code", "smtp", buf_text(&text), is_global);
        return;
    }
    outcome_sentence(o, &text);
    if (text.n)
        add_value(out, "Diagnostic-Code", "X-mxhelm", buf_text(&text), is_global);
}

const struct outcome *dsn_answer(const struct dsn_rcpt *r)
{
    return r->before && !r->is_returned ? r->before : r->outcome;
}

static void add_recipient(struct buf *out, const struct dsn_rcpt *r, bool is_global)
{
    const struct outcome *answer = dsn_answer(r);
    char status[16];

    if (r->orcpt[0])
        add_original_recipient(out, r->orcpt, is_global);
    add_address(out, "Final-Recipient", text_is_ascii(str_of(r->address)) ? "rfc822" : "utf-8",
                r->address, is_global);
    buf_printf(out, "Action: %s\r\n", action_name(r->action));
    add_value(out, "Status", "", dsn_status(r, status), false);
    if (answer->host[0])
        add_value(out, "Remote-MTA", "dns", answer->host, false);
    add_diagnostic(out, answer, is_global);
    add_date(out, "Last-Attempt-Date", r->last_try_wall_ms);
    if (r->action == DSN_ACT_DELAYED)
        add_date(out, "Will-Retry-Until", r->retry_until_wall_ms);
}

void dsn_write_status(const struct dsn_in *in, struct buf *out)
{
    bool is_global = dsn_is_global(in);

    if (in->message->envid[0])
        add_value(out, "Original-Envelope-Id", "", in->message->envid, false);
    add_value(out, "Reporting-MTA", "dns", in->hostname, false);
    add_date(out, "Arrival-Date", in->message->arrival_wall_ms);
    for (size_t i = 0; i < in->rcpts_n; i++) {
        buf_add_z(out, "\r\n");
        add_recipient(out, &in->rcpts[i], is_global);
    }
}
