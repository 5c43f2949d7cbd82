/* SPDX-License-Identifier: ISC */
/* Transfer encodings as streams, and the search for octets that need one. */
#include "core/mail/mime_private.h"

/* RFC 2045 6.7 (5): at most 76 with the "=" of a soft line break. */
#define QP_COLUMNS     75
#define BASE64_COLUMNS 76

/* --- flaws --- */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Does one of the eight octets need a closer look: over 127, or under 14? */
static bool is_suspect(uint64_t eight)
{
    return ((eight | ((eight - EACH(14)) & ~eight)) & EACH(0x80)) != 0;
}

static unsigned flaw_of(unsigned char c)
{
    return c > 127 ? FLAW_8BIT : c == '\0' || c == '\r' || c == '\n' ? FLAW_LONE : 0;
}

unsigned mime_flaws(struct str text)
{
    unsigned flaws = 0;
    size_t i = 0;

    while (text.n - i >= 8) {
        uint64_t eight;
        memcpy(&eight, text.p + i, 8);
        size_t end = i + 8;
        for (; is_suspect(eight) && i < end; i++)
            flaws |= flaw_of((unsigned char)text.p[i]);
        i = end;
    }
    for (; i < text.n; i++)
        flaws |= flaw_of((unsigned char)text.p[i]);
    return flaws;
}

unsigned mime_lines_flaws(struct str lines)
{
    unsigned flaws = 0;

    while (lines.n) {
        size_t n = str_ifind(lines, STR("\r\n"));
        struct str text = str_sub(lines, 0, n);
        flaws |= mime_flaws(text) | (text.n > LINE_BYTES_MAX ? FLAW_LONG : 0);
        lines = str_sub(lines, n == SIZE_MAX ? lines.n : n + 2, lines.n);
    }
    return flaws;
}

/* --- quoted-printable --- */

static bool is_literal(char c)
{
    return c > ' ' && c < 0x7f && c != '=';
}

static void qp_line_end(struct mime_coder *c, bool is_soft, struct buf *out)
{
    buf_add_z(out, is_soft ? "=\r\n" : "\r\n");
    c->column = 0;
    c->is_soft_start = is_soft;
}

static void qp_make_room(struct mime_coder *c, size_t n, struct buf *out)
{
    if (c->column + n > QP_COLUMNS)
        qp_line_end(c, true, out);
}

static void qp_escape(struct mime_coder *c, char octet, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char v = (unsigned char)octet;
    char code[3] = {'=', digits[v >> 4], digits[v & 15]};

    qp_make_room(c, 3, out);
    buf_add(out, code, 3);
    c->column += 3;
}

/* A line of ours that begins in the middle of a line of theirs must not look like a boundary. */
static bool qp_is_false_boundary(const struct mime_coder *c, char octet)
{
    return octet == '-' && c->column == 0 && c->is_soft_start;
}

static void qp_literals(struct mime_coder *c, struct str run, struct buf *out)
{
    while (run.n) {
        qp_make_room(c, 1, out);
        if (qp_is_false_boundary(c, run.p[0])) {
            qp_escape(c, '-', out);
            run = str_sub(run, 1, run.n);
            continue;
        }
        struct str now = str_sub(run, 0, QP_COLUMNS - c->column);
        buf_add_str(out, now);
        c->column += now.n;
        run = str_sub(run, now.n, run.n);
    }
}

static void qp_held_blank(struct mime_coder *c, struct buf *out)
{
    if (c->blank)
        qp_literals(c, (struct str){&c->blank, 1}, out);
    c->blank = 0;
}

/* A blank at the end of a line would get lost on the way (RFC 2045 6.7 (3)). */
static void qp_last_blank(struct mime_coder *c, struct buf *out)
{
    if (c->blank)
        qp_escape(c, c->blank, out);
    c->blank = 0;
}

static void qp_lone_cr(struct mime_coder *c, struct buf *out)
{
    c->has_cr = false;
    qp_held_blank(c, out);
    qp_escape(c, '\r', out);
}

/* One octet that is no literal. */
static void qp_octet(struct mime_coder *c, char octet, struct buf *out)
{
    if (octet == '\n' && c->has_cr) {
        c->has_cr = false;
        qp_last_blank(c, out);
        qp_line_end(c, false, out);
        return;
    }
    if (c->has_cr)
        qp_lone_cr(c, out);
    if (octet == '\r') {
        c->has_cr = true;
        return;
    }
    qp_held_blank(c, out);
    if (octet == ' ' || octet == '\t')
        c->blank = octet;
    else
        qp_escape(c, octet, out);
}

static void qp_add(struct mime_coder *c, struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        while (i < s.n && is_literal(s.p[i]))
            i++;
        if (i == from) {
            qp_octet(c, s.p[i++], out);
            continue;
        }
        if (c->has_cr)
            qp_lone_cr(c, out);
        qp_held_blank(c, out);
        qp_literals(c, str_sub(s, from, i), out);
    }
}

/* --- base64 --- */

static void base64_group(struct mime_coder *c, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = (unsigned)c->group[0] << 16 | (unsigned)c->group[1] << 8 | c->group[2];
    char code[4] = {digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63],
                    digits[bits & 63]};

    if (c->column == BASE64_COLUMNS) {
        buf_add_z(out, "\r\n");
        c->column = 0;
    }
    for (unsigned i = c->group_n + 1; i < 4; i++)
        code[i] = '=';
    buf_add(out, code, 4);
    c->column += 4;
    c->group_n = 0;
    memset(c->group, 0, sizeof(c->group));
}

static void base64_add(struct mime_coder *c, struct str s, struct buf *out)
{
    buf_reserve(out, s.n / 57 * 78 + 84);
    for (size_t i = 0; i < s.n; i++) {
        c->group[c->group_n++] = (unsigned char)s.p[i];
        if (c->group_n == 3)
            base64_group(c, out);
    }
}

/* --- mending --- */

/* An escape of theirs is not broken by a line end. */
static void qp_mend(struct mime_coder *c, struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        char octet = text.p[i];
        if (flaw_of((unsigned char)octet)) {
            qp_escape(c, octet, out);
            c->owed = 0;
            continue;
        }
        if (!c->owed)
            qp_make_room(c, octet == '=' ? 3 : 1, out);
        c->owed = octet == '=' ? 2 : c->owed ? c->owed - 1 : 0;
        if (qp_is_false_boundary(c, octet)) {
            qp_escape(c, octet, out);
            continue;
        }
        buf_add_c(out, octet);
        c->column++;
    }
}

static bool is_base64(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=' || c == ' ' || c == '\t';
}

/* A reader ignores what is no base64 (RFC 2045 6.8), or takes all of it for text: then it is no longer
 * sure what it reads. */
static bool base64_mend(struct mime_coder *c, struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is_base64(text.p[i]))
            return false;
        if (c->column == BASE64_COLUMNS) {
            buf_add_z(out, "\r\n");
            c->column = 0;
        }
        buf_add_c(out, text.p[i]);
        c->column++;
    }
    return true;
}

bool mime_coder_mend(struct mime_coder *c, struct str text, bool is_line_start, struct buf *out)
{
    if (is_line_start) {
        c->column = 0;
        c->is_soft_start = false;
        c->owed = 0;
    }
    if (c->coding == CODING_BASE64_MEND)
        return base64_mend(c, text, out);
    qp_mend(c, text, out);
    return true;
}

/* --- any --- */

void mime_coder_start(struct mime_coder *c, enum mime_coding coding)
{
    *c = (struct mime_coder){.coding = coding};
}

void mime_coder_add(struct mime_coder *c, struct str octets, struct buf *out)
{
    if (c->coding == CODING_QP)
        qp_add(c, octets, out);
    else
        base64_add(c, octets, out);
}

void mime_coder_end(struct mime_coder *c, struct buf *out)
{
    if (c->has_cr)
        qp_lone_cr(c, out);
    qp_last_blank(c, out);
    if (c->group_n)
        base64_group(c, out);
}
