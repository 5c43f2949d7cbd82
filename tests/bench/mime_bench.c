/* SPDX-License-Identifier: ISC */
/*
 * How fast content is looked at and converted: MiB of content in a second, best of five. A reader's
 * memcpy of the same octets stands beside it. mime_bench [MIB]
 */
#include <time.h>
#include "core/base/rng.h"
#include "core/mail/mime.h"

#define PIECE (256u * 1024) /* as the store gives it */

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *const headers[] = {"text/plain", "application/x"};

/* Lines of 72, of which one in every rarity has an octet over 127; 0 = none. */
static void make(struct buf *out, const char *type, size_t bytes, unsigned rarity)
{
    struct rng rng;

    rng_init_seed(&rng, 1);
    buf_clear(out);
    buf_printf(out, "MIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n", type);
    for (unsigned line = 1; out->n < bytes; line++) {
        char text[72];
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = (char)(rng_below(&rng, 6) ? 'a' + (char)rng_below(&rng, 26) : ' ');
        if (rarity && line % rarity == 0)
            text[30] = '\xe4';
        buf_add(out, text, sizeof(text));
        buf_add_z(out, "\r\n");
    }
}

static double run_once(struct mime *m, struct str in, struct buf *out)
{
    double start = now_s();

    while (in.n) {
        buf_clear(out);
        if (!mime_add(m, str_sub(in, 0, PIECE), out))
            exit(1);
        in = str_sub(in, PIECE, in.n);
    }
    if (!mime_end(m, out))
        exit(1);
    mime_free(m);
    return now_s() - start;
}

static void run(const char *name, struct str in, bool is_scan, enum mime_target to)
{
    struct buf out = BUF_INIT;
    double best = 1e9;

    for (unsigned i = 0; i < 5; i++) {
        double took = run_once(is_scan ? mime_new_scan() : mime_new(to), in, &out);
        best = took < best ? took : best;
    }
    printf("%-40s %8.0f MiB/s\n", name, (double)in.n / 1048576 / best);
    buf_done(&out);
}

static void run_copy(struct str in)
{
    struct buf out = BUF_INIT;
    double best = 1e9;

    for (unsigned i = 0; i < 5; i++) {
        double start = now_s();
        for (size_t at = 0; at < in.n; at += PIECE) {
            buf_clear(&out);
            buf_add_str(&out, str_sub(in, at, at + PIECE));
        }
        double took = now_s() - start;
        best = took < best ? took : best;
    }
    printf("%-40s %8.0f MiB/s\n", "copied", (double)in.n / 1048576 / best);
    buf_done(&out);
}

int main(int argc, char **argv)
{
    size_t bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 32) << 20;
    struct buf in = BUF_INIT;

    make(&in, headers[0], bytes, 0);
    run_copy(buf_str(&in));
    run("7-bit text, looked at", buf_str(&in), true, MIME_TO_7BIT);
    make(&in, headers[0], bytes, 5);
    run("8-bit text, looked at", buf_str(&in), true, MIME_TO_7BIT);
    run("8-bit text to quoted-printable", buf_str(&in), false, MIME_TO_7BIT);
    make(&in, headers[1], bytes, 5);
    run("other content to base64", buf_str(&in), false, MIME_TO_7BIT);
    buf_done(&in);
    return 0;
}
