/* SPDX-License-Identifier: ISC */
/*
 * Writes sample reports into a folder, for dsn_reports.py: another MIME reader must find in them what
 * we put there. argv[1] is the folder.
 */
#include <stdio.h>
#include "core/base/clock.h"
#include "core/mail/dsn.h"

#define NOW INT64_C(1795507334000)

static const char plain[] = "From: alice@ours.example\r\nSubject: Hello\r\n\r\nthe body\r\n";
static const char latin[] = "From: alice@ours.example\r\nSubject: Hello\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n"
                            "Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9f"
                            "e\r\n";
static const char nested[] = "Subject: x\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"
                             "--b\r\n\r\n--=_mxhelm_00000000feedface_0--\r\n--b--\r\n";

static const struct sample {
    const char *name, *subject, *reply, *original;
    enum dsn_action action;
    bool is_full, is_expired;
    unsigned rcpts;
} samples[] = {
    {"plain", "Hello", "5.1.1 No such user", plain, DSN_ACT_FAILED, true, false, 1},
    {"headers", "Hello", "5.1.1 No such user", plain, DSN_ACT_FAILED, false, false, 2},
    {"delayed", "Hello", "4.7.1 Greylisted", plain, DSN_ACT_DELAYED, true, false, 1},
    {"delivered", "Hello", "2.0.0 OK", plain, DSN_ACT_DELIVERED, false, false, 1},
    {"relayed", "Hello", "2.0.0 OK", plain, DSN_ACT_RELAYED, false, false, 1},
    {"expired", "Hello", "4.2.2 Full", plain, DSN_ACT_FAILED, true, true, 3},
    {"eight",
     "Gr\xc3\xbc\xc3\x9f"
     "e an alle, die das hier lesen, und an ein paar andere noch dazu",
     "5.1.1 Empf\xc3\xa4nger unbekannt", latin, DSN_ACT_FAILED, true, false, 1},
    {"nested", "=?utf-8?q?no?=", "5.1.1 no", nested, DSN_ACT_FAILED, true, false, 1},
    {"hostile", "a\r\nBcc: x@y.example",
     "5.1.1 no\r\n\r\n--=_mxhelm_00000000feedface_0\r\nContent-Type: text/html\r\n\r\nAction: "
     "delivered",
     plain, DSN_ACT_FAILED, true, false, 1},
};

static void make(const struct sample *s, struct buf *out)
{
    static const char *const addresses[] = {"bob@b.example", "carol@b.example", "dave@b.example"};
    struct message m = {.arrival_wall_ms = NOW - 5 * DAY_MS,
                        .reverse_path = "alice@ours.example",
                        .envid = "QQ314"};
    struct dsn_rcpt rcpts[3];
    struct outcome o;

    str_copy(str_of(s->subject), m.digest.subject, sizeof(m.digest.subject));
    outcome_from_reply(&o, STAGE_RCPT, (s->reply[0] - '0') * 100 + 50,
                       str_sub(str_of(s->reply), 0, 5), str_of(s->reply));
    str_copy(STR("mx.b.example"), o.host, sizeof(o.host));
    for (unsigned i = 0; i < s->rcpts; i++)
        rcpts[i] = (struct dsn_rcpt){.address = addresses[i],
                                     .orcpt = "rfc822;Orig@b.example",
                                     .action = s->action,
                                     .is_expired = s->is_expired,
                                     .outcome = &o,
                                     .last_try_wall_ms = NOW,
                                     .retry_until_wall_ms = NOW + DAY_MS,
                                     .tries = 7};
    struct dsn_in in = {.message = &m,
                        .rcpts = rcpts,
                        .rcpts_n = s->rcpts,
                        .hostname = "mail.example.com",
                        .now_wall_ms = NOW,
                        .random = 0xfeedface,
                        .original = str_of(s->original),
                        .is_full = s->is_full};
    dsn_write(&in, out);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(samples); i++) {
        CLEANUP(buf_done) struct buf out = BUF_INIT;
        char path[4096];
        make(&samples[i], &out);
        snprintf(path, sizeof(path), "%s/%s.eml", argv[1], samples[i].name);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(out.p, 1, out.n, f) != out.n || fclose(f) != 0) {
            perror(path);
            return 1;
        }
    }
    return argc == 2 ? 0 : 2;
}
