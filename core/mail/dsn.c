/* SPDX-License-Identifier: ISC */
/*
 * A report as a whole: its own header, and three parts (RFC 6522 3). What goes between the
 * boundaries is made first, then a boundary is chosen that does not occur in it.
 */
#include "core/base/text.h"
#include "core/mail/date.h"
#include "core/mail/dsn_private.h"
#include "core/mail/header.h"

bool dsn_wanted(const struct message *m, unsigned notify, enum dsn_action action)
{
    /* RFC 5321 4.5.5: nothing is ever sent in answer to the null reverse-path. */
    if (!m->reverse_path[0] || m->class == MSG_REPORT || (notify & DSN_NEVER))
        return false;
    switch (action) {
    case DSN_ACT_NONE:
    case DSN_ACT_COUNT: return false;
    case DSN_ACT_FAILED: return !notify || (notify & DSN_FAILURE);
    case DSN_ACT_DELAYED: return !notify || (notify & DSN_DELAY);
    case DSN_ACT_DELIVERED:
    case DSN_ACT_RELAYED: return (notify & DSN_SUCCESS) != 0;
    }
    return false;
}

/* RFC 2047 words of at most 75 characters, none of which splits a character. The first one ends with the
 * field's first line, which must not be empty. */
static void add_encoded(struct buf *out, size_t *column, struct str s)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,-:";

    while (s.n) {
        CLEANUP(buf_done) struct buf word = BUF_INIT;
        size_t room = *column + 1 + 75 > 78 && *column < 40 ? 77 - *column : 75;
        buf_add_z(&word, "=?UTF-8?Q?");
        while (s.n) {
            CLEANUP(buf_done) struct buf piece = BUF_INIT;
            size_t len;
            text_utf8_next(s, &len);
            for (size_t i = 0; i < len; i++) {
                if (s.p[i] == ' ')
                    buf_add_c(&piece, '_');
                else if (s.p[i] && strchr(safe, s.p[i]))
                    buf_add_c(&piece, s.p[i]);
                else
                    buf_printf(&piece, "=%02X", (unsigned)(unsigned char)s.p[i]);
            }
            if (word.n + piece.n + 2 > room)
                break;
            buf_add_str(&word, buf_str(&piece));
            s = str_sub(s, len, s.n);
        }
        buf_add_z(&word, "?=");
        header_fold_word(out, column, buf_str(&word));
    }
}

/* A text as the body of a field: plain words when it is ASCII, else encoded. An ASCII text that
 * looks encoded is encoded too, or a reader would decode it. */
static void add_text(struct buf *out, size_t *column, const char *text)
{
    CLEANUP(buf_done) struct buf clean = BUF_INIT;

    text_printable(&clean, str_of(text), true);
    struct str s = str_trim(buf_str(&clean));
    if (!text_is_ascii(s) || str_ifind(s, STR("=?")) != SIZE_MAX) {
        add_encoded(out, column, s);
        return;
    }
    while (s.n) {
        struct str word = str_split(&s, ' ');
        if (word.n)
            header_fold_word(out, column, word);
    }
}

static void add_subject(const struct dsn_in *in, struct buf *out)
{
    CLEANUP(buf_done) struct buf subject = BUF_INIT;
    size_t column = strlen("Subject:");

    dsn_write_field(in, "Subject", &subject);
    buf_add_z(out, "Subject:");
    add_text(out, &column, buf_text(&subject));
    buf_add_z(out, "\r\n");
}

/* Only when the original's Message-ID is one token: then readers show both together. */
static void add_references(const struct dsn_in *in, struct buf *out)
{
    struct str id = str_of(in->message->digest.message_id);

    if (id.n < 3 || id.p[0] != '<' || id.p[id.n - 1] != '>' || !text_is_ascii(id) ||
        strpbrk(in->message->digest.message_id, " \t\r\n"))
        return;
    buf_printf(out, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", STR_ARG(id), STR_ARG(id));
}

static void add_header(const struct dsn_in *in, const char *boundary, bool is_8bit, struct buf *out)
{
    CLEANUP(buf_done) struct buf from = BUF_INIT;
    CLEANUP(buf_done) struct buf to = BUF_INIT;
    char date[40];

    text_printable(&to, str_of(in->to ? in->to : in->message->reverse_path), true);
    dsn_write_field(in, "From", &from);
    buf_printf(out, "From: %s\r\n", buf_text(&from));
    buf_printf(out, "To: <%s>\r\n", buf_text(&to));
    add_subject(in, out);
    buf_printf(out, "Date: %s\r\n", date_rfc5322(in->now_wall_ms, date));
    buf_printf(out, "Message-ID: <report.%lld.%016llx@%s>\r\n", (long long)in->now_wall_ms,
               (unsigned long long)in->random, in->hostname);
    add_references(in, out);
    /* RFC 3834 5: no vacation program answers this. */
    buf_add_z(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
    buf_printf(out,
               "Content-Type: multipart/report; report-type=%s;\r\n"
               "\tboundary=\"%s\"\r\n",
               dsn_is_global(in) ? "global-delivery-status" : "delivery-status", boundary);
    if (is_8bit)
        buf_add_z(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_z(out, "\r\n");
}

void dsn_encode_qp(struct buf *out, struct str text)
{
    size_t column = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool at_end = i + 1 == text.n || text.p[i + 1] == '\r';
        if (c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n') {
            buf_add_z(out, "\r\n");
            column = 0;
            i++;
            continue;
        }
        bool is_plain = (c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !at_end);
        size_t width = is_plain ? 1 : 3;
        if (column + width > 75) {
            buf_add_z(out, "=\r\n");
            column = 0;
        }
        if (is_plain)
            buf_add_c(out, c);
        else
            buf_printf(out, "=%02X", (unsigned)(unsigned char)c);
        column += width;
    }
}

static bool contains(struct str s, const char *needle)
{
    return s.n && memmem(s.p, s.n, needle, strlen(needle));
}

/* One that occurs in nothing between the boundaries. "=_" cannot occur in quoted-printable. */
static void choose_boundary(const struct dsn_in *in, struct str made, struct str original,
                            char out[64])
{
    unsigned n = 0;

    do {
        snprintf(out, 64, "=_mxhelm_%016llx_%u", (unsigned long long)in->random, n++);
    } while (contains(made, out) || contains(original, out));
}

static void add_words_part(const struct dsn_in *in, struct buf *out)
{
    CLEANUP(buf_done) struct buf words = BUF_INIT;

    dsn_write_words(in, &words);
    if (text_is_ascii(buf_str(&words))) {
        buf_add_z(out, "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
        buf_add_str(out, buf_str(&words));
    } else {
        buf_add_z(out, "Content-Type: text/plain; charset=utf-8\r\n"
                       "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        dsn_encode_qp(out, buf_str(&words));
    }
}

/* The header alone, without its empty line. */
static struct str header_of(struct str original)
{
    struct str rest = original, name, body, whole;

    while (header_next(&rest, &name, &body, &whole))
        continue;
    return str_sub(original, 0, original.n - rest.n);
}

static void add_part_type(const char *type, struct str content, struct buf *out)
{
    buf_printf(out, "Content-Type: %s\r\n", type);
    if (!text_is_ascii(content))
        buf_add_z(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_z(out, "\r\n");
}

static void add_original_part(const struct dsn_in *in, struct str original, bool is_full,
                              struct buf *out)
{
    const char *type = is_full ? "message/rfc822" : "text/rfc822-headers";

    if (dsn_is_global(in)) /* RFC 6533 4 */
        type = is_full ? "message/global" : "message/global-headers";
    add_part_type(type, original, out);
    buf_add_str(out, original);
    if (!str_ends(original, STR("\r\n")))
        buf_add_z(out, "\r\n");
}

/* Lines as 8bit demands them (RFC 2045 2.8): what may be sent on may have been made shorter on its way,
 * but a report cannot do that to what it returns. */
static bool has_sound_lines(struct str s)
{
    while (s.n) {
        struct str line = str_split(&s, '\n');
        if (line.n > LINE_BYTES_MAX + 1 || memchr(line.p, '\0', line.n))
            return false;
    }
    return true;
}

/* All of it comes back when it has failed; with other news only its header (RFC 3461 4.3). */
static bool returns_all(const struct dsn_in *in)
{
    return in->is_full && dsn_count(in, DSN_ACT_FAILED) && has_sound_lines(in->original);
}

void dsn_write(const struct dsn_in *in, struct buf *out)
{
    CLEANUP(buf_done) struct buf words = BUF_INIT;
    CLEANUP(buf_done) struct buf status = BUF_INIT;
    bool is_full = returns_all(in);
    struct str original = is_full ? in->original : header_of(in->original);
    char boundary[64];

    add_words_part(in, &words);
    dsn_write_status(in, &status);
    /* The status part is made of words of the same people as the plain words. */
    buf_add_str(&words, STR("\r\n"));
    size_t words_n = words.n;
    buf_add_str(&words, buf_str(&status));
    choose_boundary(in, buf_str(&words), original, boundary);

    add_header(in, boundary, !text_is_ascii(original) || !text_is_ascii(buf_str(&status)), out);
    buf_printf(out, "This is a report about mail, in MIME format.\r\n\r\n--%s\r\n", boundary);
    buf_add(out, words.p, words_n);
    buf_printf(out, "--%s\r\n", boundary);
    add_part_type(dsn_is_global(in) ? "message/global-delivery-status" : "message/delivery-status",
                  buf_str(&status), out);
    buf_add_str(out, buf_str(&status));
    buf_add_z(out, "\r\n");
    if (original.n) {
        buf_printf(out, "--%s\r\n", boundary);
        add_original_part(in, original, is_full, out);
        buf_add_z(out, "\r\n");
    }
    buf_printf(out, "--%s--\r\n", boundary);
}
