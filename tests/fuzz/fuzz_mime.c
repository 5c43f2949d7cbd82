/* SPDX-License-Identifier: ISC */
/*
 * Content as a client sends it, for both kinds of next hop: what comes out is fit for it, however the
 * content was cut, and is not touched again; a scan foretells what happens.
 */
#include "core/base/text.h"
#include "core/mail/header.h"
#include "core/mail/mime.h"
#include "core/mail/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool convert(enum mime_target to, struct str s, size_t step, struct buf *out)
{
    struct mime *m = mime_new(to);
    bool is_fine = true;

    while (s.n && is_fine) {
        is_fine = mime_add(m, str_sub(s, 0, step), out);
        s = str_sub(s, step, s.n);
    }
    is_fine = is_fine && mime_end(m, out);
    verify(is_fine == !mime_why(m));
    mime_free(m);
    return is_fine;
}

static void check_lines(struct str s)
{
    while (s.n) {
        size_t n = str_find(s, '\n');
        struct str line = str_sub(s, 0, n);
        if (n < s.n) {
            verify(line.n > 0 && line.p[line.n - 1] == '\r');
            line.n--;
        }
        verify(line.n <= LINE_BYTES_MAX);
        verify(!memchr(line.p, '\r', line.n) && !memchr(line.p, '\0', line.n));
        s = str_sub(s, n < s.n ? n + 1 : n, s.n);
    }
}

static bool check_target(enum mime_target to, struct str s)
{
    struct buf out = BUF_INIT, again = BUF_INIT;
    bool is_fine = convert(to, s, 1 << 18, &out);

    verify(convert(to, s, s.n % 7 + 1, &again) == is_fine);
    if (is_fine) {
        verify(str_eq(buf_str(&out), buf_str(&again)));
        check_lines(buf_str(&out));
        verify(to == MIME_TO_8BIT || text_is_ascii(buf_str(&out)));
        buf_clear(&again);
        verify(convert(to, buf_str(&out), 1000, &again));
        verify(str_eq(buf_str(&out), buf_str(&again)));
    }
    buf_done(&out);
    buf_done(&again);
    return is_fine;
}

static void check_header(struct str s)
{
    struct buf out = BUF_INIT;

    if (!mime_header_encode(s, &out))
        verify(out.n == 0);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    struct mime *scan = mime_new_scan();

    verify(mime_add(scan, s, NULL) && mime_end(scan, NULL));
    const struct mime_facts *f = mime_scan_facts(scan);
    verify(f->has_8bit == !text_is_ascii(s));
    verify(check_target(MIME_TO_7BIT, s) == !f->no_7bit_why);
    verify(check_target(MIME_TO_8BIT, s) == !f->no_8bit_why);
    verify(!f->no_8bit_why || f->has_bad_lines);
    verify(mime_flags(s) == mime_facts_flags(f));
    mime_free(scan);
    check_header(s);
    return 0;
}
