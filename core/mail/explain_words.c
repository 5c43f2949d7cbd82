/* SPDX-License-Identifier: ISC */
/*
 * A text as words, with what changes from message to message taken out: addresses, IP addresses, times
 * and the paths of URLs become one word each. Looks at a run without blanks as a whole first, then at
 * the words in it, so each octet is looked at a few times and the whole is linear.
 */
#include "core/base/text.h"
#include "core/mail/explain_private.h"

const char *word_kind_name(enum word_kind k)
{
    static const char *const names[] = {
        [WORD_PLAIN] = "word", [WORD_NUMBER] = "num", [WORD_IP] = "ip",    [WORD_ADDR] = "addr",
        [WORD_URL] = "url",    [WORD_TIME] = "time",  [WORD_CODE] = "code"};
    return (unsigned)k < WORD_KIND_COUNT ? names[k] : "?";
}

void words_init(struct word_reader *r, struct str text)
{
    *r = (struct word_reader){.text = text};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Octets of other scripts are letters, but for the punctuation that has several: U+00A0..BF,
 * U+2000..203F, U+3000..303F. Returns the length of what stands at i when it separates words, else 0. */
static size_t separator_at(struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];
    unsigned char c2 = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;
    if (c < 0x80)
        return is_digit(s.p[i]) || is_letter(s.p[i]) ? 0 : 1;
    if (c == 0xc2 && c2 >= 0xa0 && c2 <= 0xbf)
        return 2;
    if (((c == 0xe2 && c2 == 0x80) || (c == 0xe3 && c2 == 0x80)) && i + 2 < s.n)
        return 3;
    return 0;
}

static bool ends_chunk(char c)
{
    switch (c) {
    case '<':
    case '>':
    case '(':
    case ')':
    case '[':
    case ']':
    case '{':
    case '}':
    case ',':
    case ';':
    case '"':
    case '|':
    case 0x7f: return true;
    default: return (unsigned char)c <= ' ';
    }
}

static bool is_of(struct str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(set, s.p[i]) || !s.p[i])
            return false;
    return s.n > 0;
}

static size_t count(struct str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

/* RFC 3463 2. */
bool words_is_enhanced(struct str s)
{
    if (s.n < 5 || s.n > 9 || !memchr("245", s.p[0], 3) || s.p[1] != '.' ||
        !is_of(s, "0123456789."))
        return false;
    struct str rest = str_sub(s, 2, s.n), subject = str_split(&rest, '.');
    return subject.n >= 1 && subject.n <= 3 && rest.n >= 1 && rest.n <= 3 && count(rest, '.') == 0;
}

/* "550-5.7.1" */
static bool is_line_code(struct str s)
{
    return s.n > 8 && is_digit(s.p[0]) && is_digit(s.p[1]) && is_digit(s.p[2]) && s.p[3] == '-' &&
           words_is_enhanced(str_sub(s, 4, s.n));
}

static bool is_ip(struct str s)
{
    size_t colons = count(s, ':');
    if (colons >= 2)
        return is_of(s, "0123456789abcdefABCDEF:.");
    if (colons == 1) /* a port */
        s = str_sub(s, 0, str_find(s, ':'));
    return s.n >= 7 && s.n <= 15 && count(s, '.') == 3 && is_of(s, "0123456789.");
}

/* "12:34", "12:34:56", "2026-11-24", "2026-11-24T10:42:00.123Z", "5/25/2018". */
static bool is_time(struct str s)
{
    size_t colons = count(s, ':'), marks = colons + count(s, '-') + count(s, '/');
    if (marks < 1 || !is_digit(s.p[0]) || !is_of(s, "0123456789:-/.TZ+"))
        return false;
    return (colons == 1 && s.n <= 5 && s.n >= 4) || marks >= 2;
}

/* Trim what does not belong to an address or URL from both ends of a run. */
static struct str trim_chunk(struct str s)
{
    while (s.n && separator_at(s, 0) == 1 && s.p[0] != ':')
        s = str_sub(s, 1, s.n);
    while (s.n && strchr(".,:;!?'*=-_#&", s.p[s.n - 1]) && s.p[s.n - 1])
        s.n--;
    return s;
}

static enum word_kind chunk_kind(struct str s)
{
    size_t at = str_find(s, '@');
    if (s.n == 0)
        return WORD_PLAIN;
    if (str_istarts(s, STR("http://")) || str_istarts(s, STR("https://")))
        return WORD_URL;
    if (at > 0 && at + 1 < s.n)
        return WORD_ADDR;
    if (words_is_enhanced(s) || is_line_code(s))
        return WORD_CODE;
    if (is_time(s))
        return WORD_TIME;
    return is_ip(s) ? WORD_IP : WORD_PLAIN;
}

/* The host of a URL is read as words; its path is different in every reply. */
static void enter_url(struct word_reader *r, struct str url)
{
    size_t from = (size_t)(url.p - r->text.p);
    size_t host = str_find(url, '/') + 2, end = host;
    while (end < url.n && !memchr("/?#:", url.p[end], 4))
        end++;
    r->at = from + host;
    r->url_end = r->chunk_end;
    r->chunk_end = from + end;
}

/* At the begin of a run without blanks: is it one thing as a whole? */
static bool take_chunk(struct word_reader *r, struct word *out)
{
    size_t end = r->at;
    bool is_plain = true; /* nothing in it that an address, a URL, a time or a code must have */
    for (; end < r->text.n && !ends_chunk(r->text.p[end]); end++) {
        char c = r->text.p[end];
        is_plain = is_plain && !is_digit(c) && c != '@' && c != '/';
    }
    r->chunk_end = end;
    if (is_plain) /* as most are */
        return false;
    struct str s = trim_chunk(str_sub(r->text, r->at, end));
    enum word_kind kind = chunk_kind(s);
    if (kind == WORD_PLAIN) {
        /* A further line of a reply: "503-All RCPT commands were rejected". */
        if (s.n > 4 && memchr("245", s.p[0], 3) && is_digit(s.p[1]) && is_digit(s.p[2]) &&
            s.p[3] == '-' && is_letter(s.p[4]))
            r->at = (size_t)(s.p - r->text.p) + 4;
        return false;
    }
    *out = (struct word){.kind = kind, .from = (size_t)(s.p - r->text.p)};
    out->to = out->from + s.n;
    if (kind == WORD_URL)
        enter_url(r, s);
    else
        r->at = end;
    return true;
}

/* An apostrophe inside a word belongs to it, and is left out: "doesn't", "doesn’t". */
static size_t apostrophe_at(struct str s, size_t i)
{
    size_t n = s.p[i] == '\'' ? 1 : str_starts(str_sub(s, i, s.n), STR("\xe2\x80\x99")) ? 3 : 0;
    return n && i + n < s.n && is_letter(s.p[i + n]) ? n : 0;
}

/* ASCII and the capitals of Latin-1. */
static char fold(struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    if (i > 0 && (unsigned char)s.p[i - 1] == 0xc3 && c >= 0x80 && c <= 0x9e && c != 0x97)
        return (char)(c + 0x20);
    return (char)c;
}

#define HASH_FIRST 2166136261u /* FNV-1a */

static void add(struct word *w, char c)
{
    if (w->n < WORD_MAX)
        w->text[w->n] = c;
    w->n++;
    w->hash = (w->hash ^ (unsigned char)c) * 16777619u;
}

/* "email", "e-mail" and "mail" are one word. */
static void fold_mail(struct word *w)
{
    bool is_plural = w->n == 6 && w->text[5] == 's';
    if ((w->n != 5 && !is_plural) || memcmp(w->text, "email", 5) != 0)
        return;
    struct word mail = {.hash = HASH_FIRST};
    for (size_t i = 1; i < w->n; i++)
        add(&mail, w->text[i]);
    memcpy(w->text, mail.text, mail.n);
    w->n = mail.n;
    w->hash = mail.hash;
}

static void take_word(struct word_reader *r, struct word *out)
{
    struct str s = str_sub(r->text, 0, r->chunk_end);
    bool is_number = true;
    if (str_istarts(str_sub(s, r->at, s.n), STR("e-mail")))
        r->at += 2;
    out->kind = WORD_PLAIN;
    out->from = r->at;
    out->n = 0;
    out->hash = HASH_FIRST;
    while (r->at < s.n) {
        if (is_letter(s.p[r->at])) {
            is_number = false;
            add(out, (char)(s.p[r->at++] | 0x20));
            continue;
        }
        size_t skip = separator_at(s, r->at), quote = skip ? apostrophe_at(s, r->at) : 0;
        if (skip && !quote)
            break;
        if (quote) {
            r->at += quote;
            continue;
        }
        is_number = is_number && is_digit(s.p[r->at]);
        add(out, fold(s, r->at++));
    }
    out->to = r->at;
    fold_mail(out);
    if (out->n > WORD_MAX)
        out->n = 0;
    if (is_number)
        out->kind = WORD_NUMBER;
}

bool words_next(struct word_reader *r, struct word *out)
{
    struct str s = r->text;
    while (r->at < s.n) {
        if (r->at >= r->chunk_end) {
            if (r->url_end) {
                r->at = r->url_end;
                r->url_end = 0;
                r->chunk_end = r->at;
                continue;
            }
            if (ends_chunk(r->text.p[r->at])) {
                r->at++;
                continue;
            }
            if (take_chunk(r, out))
                return true;
        }
        size_t skip = separator_at(str_sub(r->text, 0, r->chunk_end), r->at);
        if (skip == 0) {
            take_word(r, out);
            return true;
        }
        r->at += skip;
    }
    return false;
}

/* --- signatures --- */

/* Digits and letters mixed, and long: an id, of which no two are the same. Short ones are the codes of
 * providers ("S3150", "TSS04"), which tell something. */
static bool is_id(const struct word *w)
{
    size_t digits = 0;
    for (size_t i = 0; i < w->n; i++)
        digits += is_digit(w->text[i]);
    return w->n == 0 || (digits >= 2 && digits < w->n && w->n >= 8);
}

static void add_word(struct buf *b, const struct word *w)
{
    if (b->n)
        buf_add_c(b, ' ');
    if (w->kind != WORD_PLAIN)
        buf_printf(b, "<%s>", word_kind_name(w->kind));
    else if (is_id(w))
        buf_add_z(b, "<id>");
    else
        buf_add(b, w->text, w->n);
}

void explain_signature(struct str text, char *out, size_t size)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    struct word_reader r;
    struct word w;
    words_init(&r, str_sub(text, 0, EXPLAIN_TEXT_MAX));
    while (words_next(&r, &w) && b.n < size) {
        bool is_in_url = w.kind != WORD_URL && r.url_end;
        if (w.kind != WORD_CODE && !is_in_url)
            add_word(&b, &w);
    }
    text_printable_copy(buf_str(&b), out, size);
}
