/* SPDX-License-Identifier: ISC */
/*
 * The server machine's life: greeting, lines, replies, waiting, closing. The commands are in
 * server_commands.c, their parameters in server_params.c, content in server_data.c.
 *
 * Only CR LF ends a command line (RFC 5321 2.3.8). A line that ends with LF alone is answered, so
 * that a person with a raw socket learns why, and never obeyed.
 */
#include "core/smtp/server_private.h"

#include "core/base/alloc.h"

void server_reply_to(struct wire *out, int code, const char *enhanced, const char *text)
{
    char digits[4] = {(char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10),
                      (char)('0' + code % 10), ' '};

    wire_add(out, (struct str){digits, sizeof(digits)});
    if (enhanced && enhanced[0]) {
        wire_add_z(out, enhanced);
        wire_add(out, STR(" "));
    }
    size_t from = out->b.n;
    wire_add_z(out, text);
    /* What an owner puts into a reply must not become a second reply. */
    for (size_t i = from; i < out->b.n; i++)
        if (out->b.p[i] == '\r' || out->b.p[i] == '\n')
            out->b.p[i] = ' ';
    wire_add(out, STR("\r\n"));
}

void server_reply(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
    server_reply_to(&s->out, code, enhanced, text);
    if (code == 421) /* an owner's way to end the session: RFC 5321 4.2.1, "closing" */
        s->state = SERVER_CLOSED;
}

void server_close(struct smtp_server *s, const char *enhanced, const char *text)
{
    wire_add(&s->out, STR("421 "));
    wire_add_z(&s->out, enhanced);
    wire_add(&s->out, STR(" "));
    wire_add_z(&s->out, s->hostname);
    wire_add(&s->out, STR(" "));
    wire_add_z(&s->out, text);
    wire_add(&s->out, STR("\r\n"));
    server_drop(s);
    s->state = SERVER_CLOSED;
}

void server_drop(struct smtp_server *s)
{
    bool was_open = s->has_mail;

    s->has_mail = false;
    s->is_chunked = false;
    s->env.rcpts_n = 0;
    if (was_open && s->ops->abort)
        s->ops->abort(s->arg);
}

void server_rejected(struct smtp_server *s, const char *stage, const struct smtp_answer *a,
                     const char *to)
{
    if (s->ops->rejected)
        s->ops->rejected(s->arg, stage, a, &s->env, to);
}

static struct smtp_server *create(const char *hostname, const struct smtp_server_limits *limits,
                                  const struct smtp_server_ops *ops, void *arg, int64_t now_mono_ms)
{
    struct smtp_server *s = xnew(struct smtp_server);

    s->hostname = hostname;
    s->limits = limits;
    s->ops = ops;
    s->arg = arg;
    s->now_mono_ms = now_mono_ms;
    s->deadline_mono_ms = now_mono_ms + limits->idle_ms;
    return s;
}

struct smtp_server *smtp_server_new(const char *hostname, const struct smtp_server_limits *limits,
                                    const struct smtp_server_ops *ops, void *arg,
                                    int64_t now_mono_ms)
{
    struct smtp_server *s = create(hostname, limits, ops, arg, now_mono_ms);

    wire_add(&s->out, STR("220 "));
    wire_add_z(&s->out, hostname);
    wire_add(&s->out, STR(" ESMTP mxhelm\r\n"));
    return s;
}

struct smtp_server *smtp_server_new_refusing(const char *hostname, const struct smtp_answer *a,
                                             const struct smtp_server_limits *limits,
                                             const struct smtp_server_ops *ops, void *arg,
                                             int64_t now_mono_ms)
{
    struct smtp_server *s = create(hostname, limits, ops, arg, now_mono_ms);

    s->is_refusing = true;
    server_reply(s, a->code, a->enhanced, a->text);
    server_rejected(s, "CONNECT", a, "");
    return s;
}

void smtp_server_free(struct smtp_server *s)
{
    if (!s)
        return;
    server_drop(s);
    wire_done(&s->out);
    buf_done(&s->line);
    buf_done(&s->pending);
    buf_done(&s->held_reply);
    free(s);
}

static void go_away(struct smtp_server *s)
{
    server_close(s, "4.3.2", "Service shutting down, try again later");
}

static void run_line(struct smtp_server *s, struct str line)
{
    bool is_clean = line.n >= 1 && line.p[line.n - 1] == '\r';

    s->deadline_mono_ms = s->now_mono_ms + s->limits->idle_ms;
    if (s->is_draining) {
        go_away(s);
        return;
    }
    if (is_clean)
        line.n--;
    if (!is_clean)
        server_junk(s, 500, "5.5.2", "Lines must end with CR LF");
    else if (line.n && (memchr(line.p, '\r', line.n) || memchr(line.p, '\0', line.n)))
        server_junk(s, 500, "5.5.2", "Bare CR or NUL in a command");
    else
        server_command(s, line);
}

/* The rest of a line of which SERVER_LINE_MAX octets have come without an end. */
static void skip_line(struct smtp_server *s, struct str *in)
{
    size_t n = str_find(*in, '\n');
    bool is_end = n < in->n;

    *in = str_sub(*in, is_end ? n + 1 : n, in->n);
    if (!is_end)
        return;
    s->is_skipping = false;
    if (s->is_draining)
        go_away(s);
    else
        server_junk(s, 500, "5.5.2", "Line too long");
}

/* Whole lines are read where they are; only a line that is cut by the end of input is copied. */
static void read_line(struct smtp_server *s, struct str *in)
{
    size_t room = SERVER_LINE_MAX - s->line.n;
    struct str head = str_sub(*in, 0, room);
    size_t n = str_find(head, '\n');

    if (n == head.n) {
        if (head.n == room) {
            buf_clear(&s->line);
            s->is_skipping = true;
        } else {
            buf_add_str(&s->line, head);
        }
        *in = str_sub(*in, head.n, in->n);
        return;
    }
    *in = str_sub(*in, n + 1, in->n);
    head.n = n;
    if (s->line.n == 0) {
        run_line(s, head);
        return;
    }
    buf_add_str(&s->line, head);
    run_line(s, buf_str(&s->line));
    buf_clear(&s->line);
}

static void run(struct smtp_server *s, struct str *in)
{
    s->is_running = true;
    while (in->n && s->state != SERVER_WAIT && s->state != SERVER_CLOSED) {
        switch (s->state) {
        case SERVER_COMMAND:
            if (s->is_skipping)
                skip_line(s, in);
            else
                read_line(s, in);
            break;
        case SERVER_DATA:
            if (server_data_read(s, in))
                server_data_finish(s);
            break;
        default:
            if (server_chunk_read(s, in))
                server_chunk_finish(s);
            break;
        }
    }
    s->is_running = false;
    if (s->state == SERVER_CLOSED)
        server_drop(s); /* also when an owner's own 421 closed it */
}

/* Go on with what piled up while waiting. */
static void run_pending(struct smtp_server *s)
{
    struct str in = buf_str(&s->pending);

    run(s, &in);
    if (s->state == SERVER_CLOSED)
        buf_clear(&s->pending);
    else
        buf_drop(&s->pending, s->pending.n - in.n);
}

void smtp_server_input(struct smtp_server *s, struct str bytes, int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    if (s->state == SERVER_CLOSED)
        return;
    if (s->state == SERVER_DATA || s->state == SERVER_CHUNK)
        s->deadline_mono_ms = now_mono_ms + s->limits->data_idle_ms;
    if (s->is_running || s->pending.n) {
        buf_add_str(&s->pending, bytes);
        if (!s->is_running)
            run_pending(s);
        return;
    }
    run(s, &bytes);
    if (s->state != SERVER_CLOSED && bytes.n)
        buf_add_str(&s->pending, bytes);
}

void server_end(struct smtp_server *s)
{
    s->state = SERVER_WAIT;
    s->has_mail = false; /* the message is the owner's now: no abort for it any more */
    s->is_chunked = false;
    s->ops->end(s->arg, &s->env);
}

void smtp_server_answer(struct smtp_server *s, int code, const char *enhanced, const char *text,
                        int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    if (s->state != SERVER_WAIT)
        return; /* the session timed out or was closed meanwhile */
    if (code < 300)
        s->junk = 0;
    else
        server_rejected(s, "END-OF-MESSAGE", &(struct smtp_answer){code, enhanced, text}, "");
    s->env.rcpts_n = 0;
    s->state = SERVER_COMMAND;
    s->deadline_mono_ms = now_mono_ms + s->limits->idle_ms;
    server_reply(s, code, enhanced, text);
    if (!s->is_running && s->pending.n)
        run_pending(s);
    if (s->is_draining && s->state == SERVER_COMMAND)
        go_away(s);
}

void smtp_server_timeout(struct smtp_server *s, int64_t now_mono_ms)
{
    s->now_mono_ms = now_mono_ms;
    if (now_mono_ms < smtp_server_deadline(s))
        return;
    if (s->state == SERVER_CLOSED)
        wire_drop_unsent(&s->out); /* nobody reads our last words */
    else
        server_close(s, "4.4.2", "Timed out waiting for input");
    s->deadline_mono_ms = now_mono_ms + s->limits->idle_ms;
}

void smtp_server_drain(struct smtp_server *s)
{
    s->is_draining = true;
    if (s->state == SERVER_COMMAND && s->line.n == 0 && !s->is_skipping)
        go_away(s);
}

void smtp_server_stop(struct smtp_server *s)
{
    s->is_draining = true;
    if (s->state != SERVER_WAIT && s->state != SERVER_CLOSED)
        go_away(s);
}

struct str smtp_server_output(const struct smtp_server *s)
{
    return wire_str(&s->out);
}

void smtp_server_sent(struct smtp_server *s, size_t n)
{
    wire_take(&s->out, n);
}

bool smtp_server_is_closing(const struct smtp_server *s)
{
    return s->state == SERVER_CLOSED;
}

bool smtp_server_is_waiting(const struct smtp_server *s)
{
    return s->state == SERVER_WAIT;
}

int64_t smtp_server_deadline(const struct smtp_server *s)
{
    return s->state == SERVER_WAIT ? INT64_MAX : s->deadline_mono_ms;
}
