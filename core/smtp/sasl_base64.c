/* SPDX-License-Identifier: ISC */
/* Base64 as RFC 4648 4 has it, read strictly: a text has one encoding. */
#include "core/smtp/sasl.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct str s)
{
    buf_reserve(out, (s.n / 3 + 1) * 4);
    for (size_t i = 0; i < s.n; i += 3) {
        size_t n = s.n - i < 3 ? s.n - i : 3;
        unsigned v = (unsigned)(unsigned char)s.p[i] << 16;
        if (n > 1)
            v |= (unsigned)(unsigned char)s.p[i + 1] << 8;
        if (n > 2)
            v |= (unsigned char)s.p[i + 2];
        char four[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63],
                        n > 1 ? alphabet[v >> 6 & 63] : '=', n > 2 ? alphabet[v & 63] : '='};
        buf_add(out, four, 4);
    }
}

static bool decode_four(const char *p, bool is_last, unsigned char out[3], size_t *n)
{
    unsigned v = 0;
    size_t pad = 0;

    for (size_t i = 0; i < 4; i++) {
        const char *at = p[i] ? strchr(alphabet, p[i]) : NULL;
        if (p[i] == '=' && is_last && i >= 2)
            pad++;
        else if (!at || pad)
            return false;
        v = v << 6 | (at ? (unsigned)(at - alphabet) : 0);
    }
    /* Bits behind the last octet must be zero, so that a text has one encoding only. */
    if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
        return false;
    out[0] = (unsigned char)(v >> 16);
    out[1] = (unsigned char)(v >> 8);
    out[2] = (unsigned char)v;
    *n = 3 - pad;
    return true;
}

bool base64_decode(struct buf *out, struct str s)
{
    size_t before = out->n;

    if (s.n % 4)
        return false;
    for (size_t i = 0; i < s.n; i += 4) {
        unsigned char three[3];
        size_t n;
        if (!decode_four(s.p + i, i + 4 == s.n, three, &n)) {
            buf_truncate(out, before);
            return false;
        }
        buf_add(out, three, n);
    }
    return true;
}
