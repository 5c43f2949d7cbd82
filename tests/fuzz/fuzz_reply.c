/* SPDX-License-Identifier: ISC */
/* Replies of a hostile server: whole and octet by octet they are the same, and within their caps. */
#include "core/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every reply as one line of text. */
static void read_all(struct str in, size_t step, struct buf *out)
{
    struct reply_parser p;
    enum reply_status status = REPLY_MORE;
    const char *why = "";

    reply_parser_init(&p);
    for (size_t at = 0; at < in.n && status != REPLY_BROKEN; at += step) {
        struct str part = str_sub(in, at, at + step);
        while (part.n && (status = reply_parse(&p, &part, &why)) == REPLY_DONE) {
            verify(p.reply.code >= 100 && p.reply.code <= 999);
            verify(p.reply.lines.n <= REPLY_BYTES_MAX + REPLY_LINE_MAX);
            buf_printf(out, "%d %s %d ", p.reply.code, p.reply.enhanced, p.reply.is_mixed);
            buf_add_str(out, buf_str(&p.reply.text));
            buf_add_str(out, buf_str(&p.reply.lines));
            reply_next_start(&p);
        }
        verify(p.line.n < REPLY_LINE_MAX);
    }
    if (status == REPLY_BROKEN)
        buf_printf(out, "broken: %s", why);
    reply_parser_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct buf whole = BUF_INIT, cut = BUF_INIT;

    read_all(in, size ? size : 1, &whole);
    for (size_t step = 1; step < 4; step++) {
        buf_clear(&cut);
        read_all(in, step, &cut);
        verify(str_eq(buf_str(&whole), buf_str(&cut)));
    }
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
