/* SPDX-License-Identifier: ISC */
/* RFC 3461 4: xtext, the coding of ENVID and ORCPT. */
#include "core/mail/dsn.h"

static bool is_xchar(char c)
{
    return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

/* Only upper case: RFC 3461 4, hexchar. */
static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next octet at *at, or -1. */
static int next_octet(struct str s, size_t *at)
{
    int high, low;

    if (is_xchar(s.p[*at]))
        return s.p[(*at)++];
    if (s.p[*at] != '+' || *at + 2 >= s.n)
        return -1;
    high = hex_value(s.p[*at + 1]);
    low = hex_value(s.p[*at + 2]);
    *at += 3;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool xtext_decode(struct str s, char *out, size_t size)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;

    for (size_t at = 0; at < s.n;) {
        int octet = next_octet(s, &at);
        if (octet < ' ' || octet > '~' || text.n + 1 >= size)
            return false;
        buf_add_c(&text, (char)octet);
    }
    return str_copy(buf_str(&text), out, size);
}

void xtext_encode(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_xchar(s.p[i]))
            buf_add_c(out, s.p[i]);
        else
            buf_printf(out, "+%02X", (unsigned)(unsigned char)s.p[i]);
    }
}
