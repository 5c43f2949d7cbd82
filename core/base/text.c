/* SPDX-License-Identifier: ISC */
/*
 * Remote bytes made printable. Independent of the locale: what is harmless does not change with
 * LANG. What is deliberately not here: how wide a character is, which the terminal decides.
 */
#include "core/base/text.h"

struct range {
    uint32_t from, to;
};

/*
 * Characters that print nothing, or that move what is around them: a reader would not see the bytes
 * that are there. Sorted. Combining marks and U+FE0x stay: people write with them.
 */
static const struct range hidden[] = {
    {0x00AD, 0x00AD},   /* soft hyphen */
    {0x034F, 0x034F},   /* combining grapheme joiner */
    {0x061C, 0x061C},   /* Arabic letter mark */
    {0x115F, 0x1160},   /* Hangul fillers */
    {0x17B4, 0x17B5},   /* Khmer inherent vowels */
    {0x180B, 0x180F},   /* Mongolian selectors */
    {0x200B, 0x200F},   /* zero width space, joiners, marks */
    {0x2028, 0x202E},   /* line and paragraph separators, embeddings and overrides */
    {0x2060, 0x206F},   /* word joiner, invisible operators, isolates */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xFEFF, 0xFEFF},   /* byte order mark */
    {0xFFA0, 0xFFA0},   /* half-width Hangul filler */
    {0xFFF0, 0xFFFB},   /* unassigned specials, interlinear annotation */
    {0xFFFE, 0xFFFF},   /* noncharacters */
    {0x1BCA0, 0x1BCA3}, /* shorthand format controls */
    {0x1D173, 0x1D17A}, /* musical format controls */
    {0xE0000, 0xE0FFF}, /* tags, further selectors */
};

static bool is_hidden(uint32_t c)
{
    size_t lo = 0, hi = ARRAY_LEN(hidden);

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (c > hidden[mid].to)
            lo = mid + 1;
        else if (c < hidden[mid].from)
            hi = mid;
        else
            return true;
    }
    return false;
}

/*
 * RFC 3629 section 4. The first byte fixes the length and, with the second byte's narrower bounds,
 * keeps out overlong forms, surrogates and everything above U+10FFFF.
 */
int32_t text_utf8_next(struct str s, size_t *len)
{
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned char lo = 0x80, hi = 0xBF;
    size_t n;
    int32_t c;

    *len = s.n > 0;
    if (s.n == 0)
        return -1;
    if (p[0] < 0x80)
        return p[0];
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        n = 2;
        c = p[0] & 0x1F;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        n = 3;
        c = p[0] & 0x0F;
        lo = p[0] == 0xE0 ? 0xA0 : 0x80;
        hi = p[0] == 0xED ? 0x9F : 0xBF;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        n = 4;
        c = p[0] & 0x07;
        lo = p[0] == 0xF0 ? 0x90 : 0x80;
        hi = p[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return -1;
    }
    if (s.n < n)
        return -1;
    for (size_t i = 1; i < n; i++) {
        if (p[i] < lo || p[i] > hi)
            return -1;
        c = c << 6 | (p[i] & 0x3F);
        lo = 0x80;
        hi = 0xBF;
    }
    *len = n;
    return c;
}

bool text_is_utf8(struct str s)
{
    for (size_t i = 0, len; i < s.n; i += len)
        if (text_utf8_next(str_sub(s, i, s.n), &len) < 0)
            return false;
    return true;
}

bool text_is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

#define ALL_BYTES(b) (UINT64_C(0x0101010101010101) * (b))

/* Whether any of the eight bytes is below 0x20, 0x7F, or above: the well-known subtract-and-mask
 * tests for "a byte less than n" and "a byte equal to n", exact as to whether there is one. */
static bool word_needs_care(uint64_t w)
{
    uint64_t del = w ^ ALL_BYTES(0x7F);
    uint64_t below = (w - ALL_BYTES(0x20)) & ~w;

    return ((below | ((del - ALL_BYTES(1)) & ~del) | w) & ALL_BYTES(0x80)) != 0;
}

/* The length of the run of printable ASCII that s begins with. */
static size_t clean_run(struct str s)
{
    size_t i = 0;

    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;

        memcpy(&w, s.p + i, sizeof(w));
        if (word_needs_care(w))
            break;
    }
    while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7F)
        i++;
    return i;
}

/*
 * What the first character of s, which is not printable ASCII, becomes: out gets the bytes, *len
 * the length of the character. Returns whether it is a token, rather than the character itself.
 */
static bool make_safe(struct str s, struct buf *out, size_t *len)
{
    unsigned char first = (unsigned char)s.p[0];
    int32_t c = text_utf8_next(s, len);

    if (first < 0x80) {
        char token[2] = {'^', (char)(first ^ 0x40)};
        buf_add(out, token, 2);
        return true;
    }
    if (c < 0) {
        buf_printf(out, "<%02X>", first);
        return true;
    }
    if (c < 0xA0) {
        buf_printf(out, "<%02X>", (unsigned)c);
        return true;
    }
    if (is_hidden((uint32_t)c)) {
        buf_printf(out, "<U+%04X>", (unsigned)c);
        return true;
    }
    buf_add(out, s.p, *len);
    return false;
}

/*
 * The walk behind both printers. Stops before what would make out longer than max bytes. A CR LF at
 * the very end is not between lines, and is dropped when lines are joined.
 */
static size_t printable(struct buf *out, struct str s, bool join_lines, size_t max)
{
    size_t tokens = 0;

    for (size_t i = 0, len; i < s.n; i += len) {
        struct str rest = str_sub(s, i, s.n);
        size_t before = out->n;

        len = clean_run(rest);
        if (len > 0) {
            size_t room = max - out->n;
            buf_add(out, rest.p, len < room ? len : room);
            if (len > room)
                break;
            continue;
        }
        bool is_token = false;
        if (join_lines && str_starts(rest, STR("\r\n"))) {
            len = 2;
            if (rest.n > 2)
                buf_add_c(out, ' ');
        } else {
            is_token = make_safe(rest, out, &len);
        }
        if (out->n > max) {
            buf_truncate(out, before);
            break;
        }
        tokens += is_token;
    }
    return tokens;
}

size_t text_printable(struct buf *out, struct str s, bool join_lines)
{
    buf_reserve(out, s.n);
    return printable(out, s, join_lines, SIZE_MAX);
}

void text_printable_copy(struct str s, char *out, size_t size)
{
    struct buf b = BUF_INIT;

    verify(size > 0);
    printable(&b, s, true, size - 1);
    str_copy(buf_str(&b), out, size);
    buf_done(&b);
}
