/* SPDX-License-Identifier: ISC */
/*
 * What a submission server may repair (RFC 6409 8), and the trace field that RFC 5321 4.4 asks for.
 * One pass over the given fields. What a client said (its EHLO name) becomes part of a field of
 * ours, so it is reduced to the characters that a domain or an address literal can have.
 */
#include "core/mail/date.h"
#include "core/mail/header.h"

static void add_word(struct buf *out, size_t *column, const char *word)
{
    header_fold_word(out, column, str_of(word));
}

/* The EHLO name: a hostile one must not open a comment or end the field. */
static const char *clean_helo(const char *helo, char out[ADDR_DOMAIN_MAX + 1])
{
    size_t n = 0;

    for (; helo[n] && n < ADDR_DOMAIN_MAX; n++) {
        bool is_fine = (helo[n] >= 'a' && helo[n] <= 'z') || (helo[n] >= 'A' && helo[n] <= 'Z') ||
                       (helo[n] >= '0' && helo[n] <= '9') || strchr(".-_:[]", helo[n]);
        out[n] = '?';
        if (is_fine)
            out[n] = helo[n];
    }
    out[n] = '\0';
    return out;
}

static void add_received(struct buf *out, const struct header_facts *f)
{
    char helo[ADDR_DOMAIN_MAX + 1], word[ADDR_TEXT_MAX + 8], date[40];
    size_t column = strlen("Received:");

    buf_add_z(out, "Received:");
    if (f->client_ip[0]) {
        add_word(out, &column, "from");
        add_word(out, &column, f->helo[0] ? clean_helo(f->helo, helo) : "unknown");
        snprintf(word, sizeof(word), "([%s%s])", strchr(f->client_ip, ':') ? "IPv6:" : "",
                 f->client_ip);
        add_word(out, &column, word);
    }
    add_word(out, &column, "by");
    add_word(out, &column, f->hostname);
    add_word(out, &column, "(mxhelm)");
    add_word(out, &column, "with");
    add_word(out, &column, f->with);
    add_word(out, &column, "id");
    if (f->for_address[0]) {
        add_word(out, &column, f->queue_id);
        add_word(out, &column, "for");
        snprintf(word, sizeof(word), "<%s>;", f->for_address);
    } else {
        snprintf(word, sizeof(word), "%s;", f->queue_id);
    }
    add_word(out, &column, word);
    buf_printf(out, "\r\n\t%s\r\n", date_rfc5322(f->wall_ms, date));
}

/* Where to fold a line over LINE_BYTES_MAX: the last blank within the limit that has something
 * before and behind it, or 0. */
static size_t fold_position(struct str line)
{
    for (size_t i = LINE_BYTES_MAX + 1 < line.n ? LINE_BYTES_MAX : line.n - 2; i > 0; i--) {
        if ((line.p[i] != ' ' && line.p[i] != '\t') || line.p[i + 1] == ' ' ||
            line.p[i + 1] == '\t')
            continue;
        return str_trim(str_sub(line, 0, i)).n ? i : 0;
    }
    return 0;
}

/* Octets of the first line, with its CRLF; all when there is none. */
static size_t line_length(struct str s)
{
    for (size_t n = 0; n < s.n; n++) {
        n += str_find(str_sub(s, n, s.n), '\n');
        if (n < s.n && n > 0 && s.p[n - 1] == '\r')
            return n + 1;
    }
    return s.n;
}

/* A line without its CRLF. A bare CR or LF, or a NUL, never arrives here; if one did, and became a line
 * end, what stands behind it would become a field. So it becomes a blank, as Postfix does it. */
static void add_line(struct buf *out, struct str line)
{
    size_t start = out->n;

    buf_add_str(out, line);
    for (size_t i = start; i < out->n; i++)
        if (out->p[i] == '\r' || out->p[i] == '\n' || out->p[i] == '\0')
            out->p[i] = ' ';
    buf_add_z(out, "\r\n");
}

bool header_add_field(struct buf *out, struct str whole)
{
    size_t start = out->n;

    while (whole.n) {
        size_t length = line_length(whole);
        struct str line = str_sub(whole, 0, length);

        whole = str_sub(whole, length, whole.n);
        if (str_ends(line, STR("\r\n")))
            line.n -= 2;
        while (line.n > LINE_BYTES_MAX) {
            size_t at = fold_position(line);
            if (!at) {
                buf_truncate(out, start);
                return false;
            }
            add_line(out, str_sub(line, 0, at));
            line = str_sub(line, at, line.n);
        }
        add_line(out, line);
    }
    return true;
}

struct found {
    bool date, message_id, from, reply_to;
    struct str user_from; /* body of the From that is replaced; n = 0: none */
};

/* The sender address stands in for the user's own (from-policy = always-sender). */
static bool is_replaced(const struct header_facts *f)
{
    return f->from_always && f->from_always[0];
}

/* Whether the field stays; notes what it is. */
static bool keep_field(struct str name, struct str body, const struct header_facts *f,
                       struct found *found)
{
    if (is_replaced(f) && (str_ieq_z(name, "From") || str_ieq_z(name, "Sender"))) {
        if (str_ieq_z(name, "From"))
            found->user_from = body;
        return false;
    }
    if (str_ieq_z(name, "Reply-To") && body.n)
        found->reply_to = true;
    if (str_ieq_z(name, "Bcc") || str_ieq_z(name, "Resent-Bcc") || str_ieq_z(name, "Return-Path"))
        return false;

    bool *is_found = str_ieq_z(name, "Date")         ? &found->date
                     : str_ieq_z(name, "Message-ID") ? &found->message_id
                     : str_ieq_z(name, "From")       ? &found->from
                                                     : NULL;
    if (is_found && body.n)
        *is_found = true;
    return !is_found || body.n;
}

/* The user's own From as Reply-To; false when its line cannot be folded. */
static bool add_reply_to(struct buf *out, struct str user_from)
{
    CLEANUP(buf_done) struct buf field = BUF_INIT;

    buf_add_z(&field, "Reply-To: ");
    buf_add_str(&field, user_from);
    return header_add_field(out, buf_str(&field));
}

static bool add_missing(struct buf *out, const struct header_facts *f, const struct found *found)
{
    char date[40];

    if (!found->date)
        buf_printf(out, "Date: %s\r\n", date_rfc5322(f->wall_ms, date));
    if (!found->message_id)
        buf_printf(out, "Message-ID: <%s.%016llx@%s>\r\n", f->queue_id,
                   (unsigned long long)f->random, f->hostname);
    if (is_replaced(f))
        buf_printf(out, "From: %s\r\n", f->from_always);
    else if (!found->from && f->from_default[0])
        buf_printf(out, "From: %s\r\n", f->from_default);
    return !found->user_from.n || found->reply_to || add_reply_to(out, found->user_from);
}

static const char line_too_long[] = "a line of the header is longer than 998 octets";

bool header_submit(struct str header, const struct header_facts *f, unsigned max_hops,
                   struct buf *out, size_t *body_at, const char **why, const char **enhanced)
{
    struct str rest = header, name, body, whole;
    struct found found = {0};
    size_t start = out->n, used = 0;
    unsigned hops = 0;

    *why = NULL;
    add_received(out, f);
    while (!*why && header_next(&rest, &name, &body, &whole)) {
        used += whole.n;
        if (str_ieq_z(name, "Received"))
            hops++;
        if (used > HEADER_BYTES_MAX) {
            *why = "the header of the message is larger than 256 KiB";
            *enhanced = "5.3.4";
        } else if (hops > max_hops) {
            *why = "the message has passed too many servers: it goes round in a loop";
            *enhanced = "5.4.6";
        } else if (keep_field(name, body, f, &found) && !header_add_field(out, whole)) {
            *why = line_too_long;
            *enhanced = "5.6.0";
        }
    }
    if (!*why && !add_missing(out, f, &found)) {
        *why = line_too_long;
        *enhanced = "5.6.0";
    }
    if (*why) {
        buf_truncate(out, start);
        return false;
    }
    buf_add_z(out, "\r\n");
    /* The empty line belongs to the header; a line that is no field is the body's first. */
    *body_at = header.n - rest.n + (str_starts(rest, STR("\r\n")) ? 2 : 0);
    return true;
}
