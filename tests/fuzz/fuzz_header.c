/* SPDX-License-Identifier: ISC */
/*
 * A header as a client sends it: walking loses nothing, what is shown is printable, what is sent on
 * has no line over the limit and no Bcc, and a report about it is sound.
 */
#include "core/base/text.h"
#include "core/mail/dsn.h"
#include "core/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct header_facts facts = {
    .hostname = "mail.example.com",
    .helo = "client.example",
    .client_ip = "192.0.2.1",
    .with = "ESMTP",
    .queue_id = "0123456789BCD",
    .for_address = "",
    .from_default = "op@mail.example.com",
    .wall_ms = 1795507334000,
    .random = 1,
};

static void nothing(void *arg, struct str address)
{
    size_t *count = arg;

    verify(address.n > 0);
    ++*count;
}

static void check_lines(struct str s)
{
    while (s.n) {
        struct str line = str_split(&s, '\n');
        verify(line.n > 0 && line.p[line.n - 1] == '\r' && line.n - 1 <= LINE_BYTES_MAX);
    }
}

/* Returns the octets of all fields. */
static size_t check_walk(struct str s)
{
    struct str rest = s, name, body, whole;
    size_t used = 0;

    while (header_next(&rest, &name, &body, &whole)) {
        verify(name.n > 0 && whole.n > name.n && body.n < whole.n);
        used += whole.n;
    }
    verify(used + rest.n == s.n);
    return used;
}

static void check_submit(struct str s, size_t fields, const char *from_always)
{
    struct header_facts f = facts;
    struct buf out = BUF_INIT;
    const char *why, *enhanced;
    size_t body_at;
    struct str bcc;

    f.from_always = from_always;
    if (header_submit(s, &f, 50, &out, &body_at, &why, &enhanced)) {
        verify(body_at == fields || body_at == fields + 2);
        verify(str_ends(buf_str(&out), STR("\r\n\r\n")));
        verify(!header_find(buf_str(&out), "Bcc", &bcc));
        check_lines(buf_str(&out));
    } else {
        verify(out.n == 0 && why && enhanced);
    }
    buf_done(&out);
}

static void check_report(struct str s)
{
    struct message m = {.reverse_path = "a@b.example"};
    struct outcome o;
    struct buf out = BUF_INIT;
    char reply[OUTCOME_TEXT_MAX];

    str_copy(s, reply, sizeof(reply));
    outcome_from_reply(&o, STAGE_RCPT, 550, STR("5.1.1"), str_of(reply));
    str_copy(s, o.host, sizeof(o.host));
    header_digest(s, &m.digest);
    str_copy(s, m.envid, sizeof(m.envid));
    struct dsn_rcpt r = {
        .address = "c@d.example", .orcpt = reply, .action = DSN_ACT_FAILED, .outcome = &o};
    struct dsn_in in = {.message = &m,
                        .rcpts = &r,
                        .rcpts_n = 1,
                        .hostname = "mail.example.com",
                        .now_wall_ms = facts.wall_ms};
    dsn_write(&in, &out);
    check_lines(buf_str(&out));
    verify(text_is_ascii(buf_str(&out)));
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    struct buf printable = BUF_INIT;
    struct msg_digest digest;
    const char *why;
    char text[64];
    size_t count = 0;

    size_t fields = check_walk(s);
    check_submit(s, fields, NULL);
    check_submit(s, fields, "mailer@example.com");
    header_hops(s);
    header_digest(s, &digest);
    verify(text_printable(&printable, str_of(digest.subject), false) == 0);
    header_decode(s, text, sizeof(text));
    verify(text_is_utf8(str_of(text)));
    header_each_recipient(s, nothing, &count, &why);
    header_each_address(s, nothing, &count, &why);
    if (xtext_decode(s, text, sizeof(text)))
        verify(text_is_ascii(str_of(text)));
    check_report(s);
    buf_done(&printable);
    return 0;
}
