/* SPDX-License-Identifier: ISC */
/*
 * A hostile client against the server machine. However its bytes are cut: the same replies, the same
 * messages; no message with a bare CR, a bare LF, a NUL, or over the size; each accepted MAIL ends by
 * exactly one of end and abort.
 */
#include "core/smtp/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct smtp_server_limits limits = {
    .message_bytes = 200, .recipients = 2, .commands = 20, .idle_ms = 1000, .data_idle_ms = 1000};

struct owner {
    struct smtp_server *s;
    struct buf seen, body;
    bool is_open, answers_later, is_asked;
};

static bool on_mail(void *arg, const struct smtp_envelope *e, struct smtp_answer *a)
{
    struct owner *o = arg;

    (void)a;
    verify(!o->is_open);
    buf_printf(&o->seen, "mail %s@%s %s\n", e->from.local, e->from.domain, e->envid);
    return o->is_open = e->from.local[0] != 'r';
}

static bool on_rcpt(void *arg, const struct smtp_envelope *e, const struct smtp_server_rcpt *r,
                    struct smtp_answer *a)
{
    struct owner *o = arg;

    (void)a;
    verify(o->is_open && e->rcpts_n < limits.recipients);
    buf_printf(&o->seen, "rcpt %s@%s %s\n", r->addr.local, r->addr.domain, r->orcpt);
    return r->addr.local[0] != 'r';
}

static bool on_data(void *arg, const struct smtp_envelope *e, struct smtp_answer *a)
{
    struct owner *o = arg;

    (void)a;
    verify(o->is_open && e->rcpts_n > 0);
    return e->from.local[0] != 'd';
}

static void on_body(void *arg, struct str bytes)
{
    struct owner *o = arg;

    verify(o->is_open && bytes.n > 0);
    buf_add_str(&o->body, bytes);
}

static void check_content(struct str s)
{
    verify(s.n <= limits.message_bytes);
    verify(s.n == 0 || str_ends(s, STR("\r\n")));
    for (size_t i = 0; i < s.n; i++) {
        verify(s.p[i] != '\0');
        verify(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'));
        verify(s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r'));
    }
}

static void on_end(void *arg, const struct smtp_envelope *e)
{
    struct owner *o = arg;

    verify(o->is_open && e->rcpts_n > 0);
    o->is_open = false;
    check_content(buf_str(&o->body));
    buf_add_str(&o->seen, buf_str(&o->body));
    buf_clear(&o->body);
    o->is_asked = o->answers_later;
    if (!o->answers_later)
        smtp_server_answer(o->s, 250, "2.0.0", "queued", 0);
}

static void on_abort(void *arg)
{
    struct owner *o = arg;

    verify(o->is_open);
    o->is_open = false;
    buf_clear(&o->body);
    buf_add_z(&o->seen, "abort\n");
}

static const struct smtp_server_ops ops = {.mail = on_mail,
                                           .rcpt = on_rcpt,
                                           .data = on_data,
                                           .body = on_body,
                                           .end = on_end,
                                           .abort = on_abort};

static void play(struct str in, size_t step, bool answers_later, struct buf *out)
{
    struct owner o = {.answers_later = answers_later};

    o.s = smtp_server_new("mx.test", &limits, &ops, &o, 0);
    for (size_t at = 0; at < in.n; at += step) {
        smtp_server_input(o.s, str_sub(in, at, at + step), 0);
        while (o.is_asked) {
            o.is_asked = false;
            smtp_server_answer(o.s, 250, "2.0.0", "queued", 0);
        }
    }
    buf_add_str(out, smtp_server_output(o.s));
    smtp_server_sent(o.s, smtp_server_output(o.s).n);
    smtp_server_free(o.s);
    verify(!o.is_open);
    buf_add_str(out, buf_str(&o.seen));
    buf_done(&o.seen);
    buf_done(&o.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct buf whole = BUF_INIT, cut = BUF_INIT;

    play(in, size ? size : 1, false, &whole);
    for (size_t step = 1; step < 4; step++) {
        buf_clear(&cut);
        play(in, step, step == 2, &cut);
        verify(str_eq(buf_str(&whole), buf_str(&cut)));
    }
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
