/* SPDX-License-Identifier: ISC */
/*
 * Converts messages for mime_messages.py. Standard input: for each message a line with its length,
 * then its octets. Standard output, for each: lengths of the 7-bit form and the 8-bit form (-1 = it
 * cannot be) and the scan's flags in a line, then the octets of both.
 * Each is converted twice, in one piece and in odd ones: the outcomes must be the same.
 */
#include <stdio.h>
#include "core/base/rng.h"
#include "core/mail/mime.h"

static bool convert(struct str in, enum mime_target to, struct rng *rng, struct buf *out)
{
    struct mime *m = mime_new(to);
    bool is_fine = true;

    while (in.n && is_fine) {
        size_t n = rng ? 1 + rng_below(rng, rng_below(rng, 4) ? 20 : 3000) : in.n;
        is_fine = mime_add(m, str_sub(in, 0, n), out);
        in = str_sub(in, n, in.n);
    }
    is_fine = is_fine && mime_end(m, out);
    mime_free(m);
    return is_fine;
}

static long convert_twice(struct str in, enum mime_target to, struct rng *rng, struct buf *out)
{
    struct buf again = BUF_INIT;
    bool is_fine = convert(in, to, NULL, out);

    verify(convert(in, to, rng, &again) == is_fine);
    if (is_fine)
        verify(str_eq(buf_str(out), buf_str(&again)));
    else
        buf_clear(out);
    buf_done(&again);
    return is_fine ? (long)out->n : -1;
}

int main(void)
{
    struct rng rng;
    struct buf in = BUF_INIT, seven = BUF_INIT, eight = BUF_INIT;
    size_t n;

    rng_init_seed(&rng, 1);
    while (scanf("%zu", &n) == 1 && getchar() == '\n') {
        buf_clear(&in);
        buf_clear(&seven);
        buf_clear(&eight);
        buf_reserve(&in, n);
        in.n = fread(in.p, 1, n, stdin);
        verify(in.n == n);
        long seven_n = convert_twice(buf_str(&in), MIME_TO_7BIT, &rng, &seven);
        long eight_n = convert_twice(buf_str(&in), MIME_TO_8BIT, &rng, &eight);
        printf("%ld %ld %u\n", seven_n, eight_n, mime_flags(buf_str(&in)));
        fwrite(seven.p, 1, seven.n, stdout);
        fwrite(eight.p, 1, eight.n, stdout);
    }
    buf_done(&in);
    buf_done(&seven);
    buf_done(&eight);
    return 0;
}
