/* SPDX-License-Identifier: ISC */
/*
 * Header fields with octets over 127, made 7-bit: encoded words in text, in phrases and in comments
 * (RFC 2047 5), encoded values in parameters (RFC 2231). Nothing is encoded inside an address, where
 * nobody could read it.
 */
#include "core/base/text.h"
#include "core/mail/mime_private.h"

#define COLUMNS    76 /* RFC 2047 2, of a line with encoded words */
#define WORD_MAX   75 /* RFC 2047 2 */
#define WORD_FRAME 7  /* what an encoded word has besides its charset and text */
/* Less room than that is left for a first word: it goes on a new line. */
#define ROOM_MIN 40

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_8bit(struct str s)
{
    return !text_is_ascii(s);
}

static struct str cut(struct str *s, size_t n)
{
    struct str head = str_sub(*s, 0, n);

    *s = str_sub(*s, n, s->n);
    return head;
}

static struct str cut_blanks(struct str *s)
{
    size_t n = 0;

    while (n < s->n && is_blank(s->p[n]))
        n++;
    return cut(s, n);
}

/* A field's text in one line: line ends go (RFC 5322 2.2.3), what stands alone becomes a blank. */
static void unfold(struct str body, struct buf *out)
{
    for (size_t i = 0; i < body.n; i++) {
        if (body.p[i] == '\r' && i + 1 < body.n && body.p[i + 1] == '\n')
            i++;
        else if (body.p[i] == '\r' || body.p[i] == '\n' || body.p[i] == '\0')
            buf_add_c(out, ' ');
        else
            buf_add_c(out, body.p[i]);
    }
}

/* --- words --- */

void mime_word_put(struct buf *out, size_t *column, struct str blanks, struct str word)
{
    if (blanks.n && *column + blanks.n + word.n > COLUMNS) {
        buf_add_z(out, "\r\n");
        *column = 0;
    }
    buf_add_str(out, blanks);
    buf_add_str(out, word);
    *column += blanks.n + word.n;
}

bool mime_is_encoded_word(struct str word)
{
    return word.n > 6 && str_starts(word, STR("=?")) && str_ends(word, STR("?="));
}

/* RFC 2047 5 (3): what is safe in a phrase is safe everywhere. */
static bool is_safe(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!*+-/", c));
}

struct word_form {
    const char *charset;
    bool is_utf8, is_base64;
};

/* RFC 1428 names what is no UTF-8. The shorter of both encodings is taken. */
static struct word_form choose_form(struct str text)
{
    struct word_form f = {.is_utf8 = text_is_utf8(text)};
    size_t unsafe = 0;

    for (size_t i = 0; i < text.n; i++)
        unsafe += text.p[i] != ' ' && !is_safe((unsigned char)text.p[i]);
    f.charset = f.is_utf8 ? "utf-8" : "unknown-8bit";
    f.is_base64 = unsafe > text.n / 6 + 2;
    return f;
}

static void encode_q(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_safe(c))
            buf_add_c(out, s.p[i]);
        else if (c == ' ')
            buf_add_c(out, '_');
        else
            buf_printf(out, "=%02X", c);
    }
}

static void encode_b(struct buf *out, struct str s)
{
    struct mime_coder c;

    mime_coder_start(&c, CODING_BASE64);
    mime_coder_add(&c, s, out); /* a word is shorter than a line of base64 */
    mime_coder_end(&c, out);
}

/* How much of text fits into room octets; no character is cut (RFC 2047 5). */
static size_t fit(struct word_form f, struct str text, size_t room)
{
    size_t n = 0, used = 0;

    while (n < text.n) {
        size_t len = 1, cost = 0;
        if (f.is_utf8)
            text_utf8_next(str_sub(text, n, text.n), &len);
        for (size_t i = n; i < n + len; i++)
            cost += is_safe((unsigned char)text.p[i]) || text.p[i] == ' ' ? 1 : 3;
        used += cost;
        if ((f.is_base64 ? (n + len + 2) / 3 * 4 : used) > room)
            break;
        n += len;
    }
    return n;
}

void mime_words_encode(struct buf *out, size_t *column, struct str blanks, struct str text)
{
    struct word_form f = choose_form(text);
    size_t overhead = strlen(f.charset) + WORD_FRAME;

    /* At the start of a comment: a blank does no harm, a line too long may. */
    if (!blanks.n && *column + ROOM_MIN > COLUMNS)
        blanks = STR(" ");
    while (text.n) {
        size_t left = *column + blanks.n < COLUMNS ? COLUMNS - *column - blanks.n : 0;
        size_t max = left < ROOM_MIN || left > WORD_MAX ? WORD_MAX : left;
        struct str now = cut(&text, fit(f, text, max - overhead));
        struct buf word CLEANUP(buf_done) = BUF_INIT;
        buf_printf(&word, "=?%s?%c?", f.charset, f.is_base64 ? 'B' : 'Q');
        (f.is_base64 ? encode_b : encode_q)(&word, now);
        buf_add_z(&word, "?=");
        mime_word_put(out, column, blanks, buf_str(&word));
        blanks = STR(" ");
    }
}

/* --- text and comments --- */

static struct str cut_word(struct str *s, const char *stops)
{
    size_t n = 0;

    while (n < s->n && !is_blank(s->p[n]) && !(s->p[n] && strchr(stops, s->p[n])))
        n++;
    return cut(s, n);
}

static void add_unescaped(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        buf_add_c(out, s.p[i]);
    }
}

/* Blanks between two encoded words are not shown (RFC 2047 6.2): those beside one of ours that has
 * another before or behind it go into it. */
struct run {
    struct buf *out;
    size_t *column;
    bool was_encoded;
};

static void run_encode(struct run *r, struct str blanks, struct str text, struct str rest)
{
    struct buf all CLEANUP(buf_done) = BUF_INIT;

    if (r->was_encoded)
        buf_add_str(&all, blanks);
    buf_add_str(&all, text);
    struct str behind = cut_blanks(&rest);
    if (behind.n && mime_is_encoded_word(cut_word(&rest, ",;:<>()\"")))
        buf_add_str(&all, behind);
    mime_words_encode(r->out, r->column, blanks, buf_str(&all));
    r->was_encoded = true;
}

static void run_put(struct run *r, struct str blanks, struct str word)
{
    mime_word_put(r->out, r->column, blanks, word);
    r->was_encoded = mime_is_encoded_word(word);
}

/* Words of free text; parentheses stand for themselves where stops names them. */
static void write_text(struct str text, const char *stops, struct buf *out, size_t *column)
{
    struct run r = {out, column, false};

    while (text.n) {
        struct str blanks = cut_blanks(&text);
        if (!text.n)
            break;
        struct str word = cut_word(&text, stops);
        if (!word.n)
            word = cut(&text, 1); /* one of the stops */
        if (!is_8bit(word)) {
            run_put(&r, blanks, word);
            continue;
        }
        struct buf plain CLEANUP(buf_done) = BUF_INIT;
        if (stops[0])
            add_unescaped(&plain, word);
        else
            buf_add_str(&plain, word);
        run_encode(&r, blanks, buf_str(&plain), text);
    }
}

/* --- fields made of addresses and comments --- */

/* Octets of a comment or quoted string at s, with its delimiters; s.n when it does not end. */
static size_t quoted_length(struct str s)
{
    bool is_comment = s.p[0] == '(';
    unsigned depth = 1;

    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (is_comment && s.p[i] == '(')
            depth++;
        else if (s.p[i] == (is_comment ? ')' : '"') && --depth == 0)
            return i + 1;
    }
    return s.n;
}

/* Octets of the token at s: a comment, a quoted string, an address in angle brackets, a separator, a
 * word. */
static size_t token_length(struct str s)
{
    size_t n = 0;

    if (s.p[0] == '(' || s.p[0] == '"')
        return quoted_length(s);
    if (s.p[0] == '<') {
        n = str_find(s, '>');
        return n < s.n ? n + 1 : n;
    }
    while (n < s.n && !is_blank(s.p[n]) && !(s.p[n] && strchr("()<>\",:;", s.p[n])))
        n++;
    return n ? n : 1;
}

/* Where the phrase that s begins with ends: at the address in angle brackets or the members of a group
 * that follow before the list goes on. NULL when it is none. */
static const char *phrase_end(struct str s)
{
    while (s.n) {
        cut_blanks(&s);
        if (!s.n || s.p[0] == ',' || s.p[0] == ';')
            return NULL;
        if (s.p[0] == '<' || s.p[0] == ':')
            return s.p;
        cut(&s, token_length(s));
    }
    return NULL;
}

static void put_comment(struct run *r, struct str blanks, struct str token)
{
    if (is_8bit(token)) {
        mime_word_put(r->out, r->column, blanks, STR("("));
        write_text(str_sub(token, 1, token.n), "()", r->out, r->column);
        r->was_encoded = false;
    } else {
        run_put(r, blanks, token);
    }
}

/* An encoded word in a phrase stands between blanks (RFC 2047 5 (3)). */
static struct str apart(struct str blanks, bool needs_blank)
{
    return blanks.n || !needs_blank ? blanks : STR(" ");
}

static bool write_structured(struct str text, struct buf *out, size_t *column)
{
    struct run r = {out, column, false};
    bool is_ours = false;   /* the last token was encoded by us */
    const char *end = NULL; /* of the phrase that was looked at last */

    while (text.n) {
        struct str blanks = cut_blanks(&text);
        if (!text.n)
            break;
        struct str from = text, token = cut(&text, token_length(text));
        if (token.p[0] == '(') {
            put_comment(&r, blanks, token);
        } else if (!is_8bit(token)) {
            run_put(&r, apart(blanks, is_ours), token);
        } else {
            if (!end || token.p >= end)
                end = phrase_end(from);
            if (!end || token.p >= end)
                return false;
            struct buf plain CLEANUP(buf_done) = BUF_INIT;
            bool is_quoted = token.p[0] == '"';
            add_unescaped(&plain, is_quoted ? str_sub(token, 1, token.n - 1) : token);
            run_encode(&r, apart(blanks, true), buf_str(&plain), text);
            is_ours = true;
            continue;
        }
        is_ours = false;
    }
    return true;
}

/* --- parameters --- */

#define VALUE_COLUMNS 60 /* of an encoded value in one line */

/* What RFC 2231 7 calls an attribute-char, or less. */
static void add_percent(struct buf *out, char c)
{
    if (c == '.' || c == '_' || (is_safe((unsigned char)c) && c != '*' && c != '/'))
        buf_add_c(out, c);
    else
        buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
}

/* In the middle of a character of UTF-8: readers decode part by part. */
static bool is_inner(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* RFC 2231 4, and 3 when it is long. */
static void put_parameter(struct buf *out, struct str name, struct str value)
{
    bool is_utf8 = text_is_utf8(value);
    const char *charset = is_utf8 ? "utf-8" : "unknown-8bit";
    bool is_long = value.n * 3 > VALUE_COLUMNS;
    unsigned part = 0;

    do {
        size_t from = out->n;
        buf_add_z(out, part ? ";\r\n\t" : "");
        buf_add_str(out, name);
        if (is_long)
            buf_printf(out, "*%u", part);
        buf_printf(out, "*=%s%s", part ? "" : charset, part ? "" : "''");
        while (value.n &&
               (out->n < from + VALUE_COLUMNS + name.n || (is_utf8 && is_inner(value.p[0]))))
            add_percent(out, *cut(&value, 1).p);
        part++;
    } while (value.n);
}

/* The value at *s, which a ";" ends; *raw is it as it is written. */
static void cut_value(struct str *s, struct str *raw, struct buf *value)
{
    if (s->n && s->p[0] == '"') {
        *raw = cut(s, quoted_length(*s));
        add_unescaped(value, str_sub(*raw, 1, raw->n - 1));
    } else {
        *raw = cut(s, str_find(*s, ';'));
        buf_add_str(value, str_trim(*raw));
    }
}

/* One parameter and what stands up to it; false when it has octets over 127 where they cannot be
 * encoded. */
static bool write_parameter(struct str *s, struct buf *out)
{
    struct buf value CLEANUP(buf_done) = BUF_INIT;
    struct str raw, name;
    size_t n = 0;

    while (n < s->n && (is_blank(s->p[n]) || s->p[n] == ';'))
        n++;
    struct str before = cut(s, n);
    name = cut(s, strcspn(s->p, "=;"));
    if (!s->n || s->p[0] == ';') {
        buf_add_str(out, before);
        buf_add_str(out, name);
        return !is_8bit(name);
    }
    cut(s, 1);
    cut_blanks(s);
    cut_value(s, &raw, &value);
    buf_add_str(out, is_8bit(raw) ? STR(";\r\n\t") : before);
    if (!is_8bit(raw)) {
        buf_add_str(out, name);
        buf_add_c(out, '=');
        buf_add_str(out, raw);
    } else {
        put_parameter(out, str_trim(name), buf_str(&value));
    }
    return !is_8bit(name) && !(is_8bit(raw) && memchr(name.p, '*', name.n));
}

static bool write_parameters(struct buf *text, struct buf *out)
{
    struct str rest = buf_str(text);
    struct str type = cut(&rest, str_find(rest, ';'));

    buf_add_str(out, type);
    bool is_fine = !is_8bit(type);
    while (is_fine && rest.n)
        is_fine = write_parameter(&rest, out);
    return is_fine;
}

/* --- fields --- */

enum form { FORM_TEXT, FORM_STRUCTURED, FORM_PARAMETERS };

static enum form field_form(struct str name)
{
    static const char *const structured[] = {
        "From",
        "Sender",
        "Reply-To",
        "To",
        "Cc",
        "Bcc",
        "Return-Path",
        "Received",
        "Message-ID",
        "References",
        "In-Reply-To",
        "Date",
        "Content-ID",
        "Content-Location",
        "MIME-Version",
        "Content-Transfer-Encoding",
        "Disposition-Notification-To",
        "Return-Receipt-To",
        "Errors-To",
        "DKIM-Signature",
        "Authentication-Results",
    };

    if (str_ieq_z(name, "Content-Type") || str_ieq_z(name, "Content-Disposition"))
        return FORM_PARAMETERS;
    if (str_istarts(name, STR("Resent-")) || str_istarts(name, STR("ARC-")) ||
        str_istarts(name, STR("List-")))
        return FORM_STRUCTURED;
    for (size_t i = 0; i < ARRAY_LEN(structured); i++)
        if (str_ieq_z(name, structured[i]))
            return FORM_STRUCTURED;
    return FORM_TEXT;
}

bool mime_field_encode(struct str name, struct str whole, struct buf *out)
{
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    size_t start = out->n, column = str_find(whole, ':') + 1;
    bool is_fine = true;

    buf_add_str(out, str_sub(whole, 0, column));
    unfold(str_sub(whole, column, whole.n), &text);
    switch (field_form(name)) {
    case FORM_TEXT: write_text(buf_str(&text), "", out, &column); break;
    case FORM_STRUCTURED: is_fine = write_structured(buf_str(&text), out, &column); break;
    case FORM_PARAMETERS: is_fine = write_parameters(&text, out); break;
    }
    buf_add_z(out, "\r\n");
    if (!is_fine)
        buf_truncate(out, start);
    return is_fine;
}

/* Write a field with its flaws mended; returns those that cannot be. */
static unsigned mend_field(struct str name, struct str whole, unsigned flaws, struct buf *out)
{
    struct buf encoded CLEANUP(buf_done) = BUF_INIT;

    if (!(flaws & FLAW_8BIT) && header_add_field(out, whole))
        return 0;
    /* What cannot be folded may become words that can. */
    bool is_encoded = is_8bit(whole) && mime_field_encode(name, whole, &encoded);
    return is_encoded && header_add_field(out, buf_str(&encoded)) ? 0 : flaws;
}

unsigned mime_fields_write(struct str header, unsigned cared, bool drops_cte, struct buf *out)
{
    struct str name, body, whole;
    unsigned left = 0;

    while (header_next(&header, &name, &body, &whole)) {
        if (drops_cte && str_ieq_z(name, "Content-Transfer-Encoding"))
            continue;
        unsigned flaws = mime_lines_flaws(whole) & cared;
        if (flaws)
            left |= mend_field(name, whole, flaws, out);
        else
            buf_add_str(out, whole);
    }
    buf_add_str(out, header); /* the empty line, or what is no field */
    return left;
}

bool mime_header_encode(struct str header, struct buf *out)
{
    size_t start = out->n;

    if (mime_fields_write(header, FLAW_8BIT, false, out) == 0)
        return true;
    buf_truncate(out, start);
    return false;
}
