/* SPDX-License-Identifier: ISC */
/*
 * Header text for people: unfolded, RFC 2047 words decoded, printable. Words in an unknown charset
 * stay as they are written. Work is bounded by the output: reading stops when it is full.
 */
#include "core/base/text.h"
#include "core/mail/header.h"

#define WORD_MAX 1000 /* RFC 2047 2 says 75; some writers do not count */

/* Windows-1252 0x80..0x9f; 0 = not defined. Web practice reads ISO-8859-1 the same way. */
static const uint16_t cp1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

/* ISO-8859-15 differs from -1 in eight places. */
static const struct {
    uint8_t byte;
    uint16_t code;
} latin9[] = {{0xa4, 0x20ac}, {0xa6, 0x0160}, {0xa8, 0x0161}, {0xb4, 0x017d},
              {0xb8, 0x017e}, {0xbc, 0x0152}, {0xbd, 0x0153}, {0xbe, 0x0178}};

enum charset { CHARSET_UTF8, CHARSET_LATIN1, CHARSET_LATIN9, CHARSET_CP1252 };

static bool find_charset(struct str name, enum charset *out)
{
    static const struct {
        const char *name;
        enum charset charset;
    } names[] = {
        {"utf-8", CHARSET_UTF8},          {"utf8", CHARSET_UTF8},
        {"us-ascii", CHARSET_UTF8},       {"ascii", CHARSET_UTF8},
        {"iso-8859-1", CHARSET_LATIN1},   {"latin1", CHARSET_LATIN1},
        {"iso-8859-15", CHARSET_LATIN9},  {"latin9", CHARSET_LATIN9},
        {"windows-1252", CHARSET_CP1252}, {"cp1252", CHARSET_CP1252},
    };

    name = str_sub(name, 0, str_find(name, '*')); /* RFC 2231 5: a language may follow */
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_ieq_z(name, names[i].name)) {
            *out = names[i].charset;
            return true;
        }
    }
    return false;
}

static void add_code(struct buf *out, unsigned code)
{
    if (code < 0x80) {
        buf_add_c(out, (char)code);
    } else if (code < 0x800) {
        buf_add_c(out, (char)(0xc0 | (code >> 6)));
        buf_add_c(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_add_c(out, (char)(0xe0 | (code >> 12)));
        buf_add_c(out, (char)(0x80 | ((code >> 6) & 0x3f)));
        buf_add_c(out, (char)(0x80 | (code & 0x3f)));
    }
}

static void add_byte(struct buf *out, enum charset charset, uint8_t byte)
{
    unsigned code = byte;

    if (charset == CHARSET_UTF8) {
        buf_add_c(out, (char)byte);
        return;
    }
    if (charset == CHARSET_CP1252 && byte >= 0x80 && byte < 0xa0 && cp1252[byte - 0x80])
        code = cp1252[byte - 0x80];
    for (size_t i = 0; charset == CHARSET_LATIN9 && i < ARRAY_LEN(latin9); i++)
        if (latin9[i].byte == byte)
            code = latin9[i].code;
    add_code(out, code);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* RFC 2047 4.2. */
static void decode_q(struct buf *out, enum charset charset, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = i + 2 < s.n && s.p[i] == '=' ? hex_digit(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;

        if (low >= 0) {
            add_byte(out, charset, (uint8_t)(high * 16 + low));
            i += 2;
        } else {
            add_byte(out, charset, s.p[i] == '_' ? ' ' : (uint8_t)s.p[i]);
        }
    }
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* RFC 2047 4.1; ends at the padding or at what is no digit. */
static void decode_b(struct buf *out, enum charset charset, struct str s)
{
    unsigned bits = 0, have = 0;

    for (size_t i = 0; i < s.n && base64_digit(s.p[i]) >= 0; i++) {
        bits = (bits << 6 | (unsigned)base64_digit(s.p[i])) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            add_byte(out, charset, (uint8_t)(bits >> have));
        }
    }
}

/* Decode one "=?charset?q?text?=" at the start of s; its length, or 0. */
static size_t decode_word(struct buf *out, struct str s)
{
    struct str rest = str_sub(s, 2, WORD_MAX);
    struct str charset_name, encoding, text;
    enum charset charset;

    if (!str_starts(s, STR("=?")))
        return 0;
    charset_name = str_split(&rest, '?');
    encoding = str_split(&rest, '?');
    text = str_split(&rest, '?');
    if (!rest.n || rest.p[0] != '=' || encoding.n != 1 || !find_charset(charset_name, &charset))
        return 0;
    if (encoding.p[0] == 'q' || encoding.p[0] == 'Q')
        decode_q(out, charset, text);
    else if (encoding.p[0] == 'b' || encoding.p[0] == 'B')
        decode_b(out, charset, text);
    else
        return 0;
    return (size_t)(rest.p + 1 - s.p);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void header_decode(struct str body, char *out, size_t size)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    size_t blanks = 0; /* seen and not written yet */
    bool was_word = false;

    body = str_trim(body);
    for (size_t i = 0; i < body.n && text.n < size;) {
        if (is_blank(body.p[i])) {
            /* Only the line ends of the folding go (RFC 5322 2.2.3). */
            blanks += body.p[i] == ' ' || body.p[i] == '\t';
            i++;
            continue;
        }
        size_t mark = text.n;
        for (size_t n = 0; n < blanks && text.n < size; n++)
            buf_add_c(&text, ' ');
        size_t after_blanks = text.n;
        size_t used = decode_word(&text, str_sub(body, i, body.n));
        /* RFC 2047 6.2: blanks between two words are not shown. */
        if (used && was_word && after_blanks > mark) {
            memmove(text.p + mark, text.p + after_blanks, text.n - after_blanks);
            buf_truncate(&text, text.n - (after_blanks - mark));
        }
        if (!used)
            buf_add_c(&text, body.p[i]);
        i += used ? used : 1;
        was_word = used > 0;
        blanks = 0;
    }
    text_printable_copy(buf_str(&text), out, size);
}
