/* SPDX-License-Identifier: ISC */
/*
 * The session machine's frame: what goes out and when; see host.h. Input is looked at only while no
 * reply is withheld, so that a slow host is slow and never two steps ahead of itself.
 */
#include "tests/world/host_private.h"
#include "core/base/alloc.h"

#define LINE_MAX_BYTES 12288 /* RFC 4954 4.3 is the longest */

const struct world_host *host_of(const struct host_session *s)
{
    return s->h;
}

bool host_offers(const struct host_session *s, const char *keyword)
{
    return world_offer(&s->h->own, keyword) != NULL;
}

const struct world_rule *host_rule(struct host_session *s, enum world_stage stage, const char *arg,
                                   uint64_t bytes)
{
    struct world_look look = {
        .stage = stage,
        .host = s->h,
        .arg = arg,
        .client = s->client,
        .from = s->mail ? s->mail->from : "",
        .session = s->number,
        .transaction = s->mails,
        .is_tls = s->is_tls,
        .is_auth = s->is_auth,
        .bytes = bytes,
        .now_ms = s->now_ms,
    };
    return world_rule_for(s->w, &look);
}

/* %h host, %c client, %a argument, %% percent. */
static void expand(const struct host_session *s, const char *arg, struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '%' || i + 1 == text.n) {
            buf_add_c(out, text.p[i]);
            continue;
        }
        switch (text.p[++i]) {
        case 'h': buf_add_z(out, s->h->name); break;
        case 'c': buf_add_z(out, s->client); break;
        case 'a': buf_add_z(out, arg); break;
        default: buf_add_c(out, text.p[i]); break;
        }
    }
}

static void reply_lines(struct buf *out, int code, const char *enhanced, struct str text)
{
    bool is_last;
    do {
        size_t end = str_find(text, '\n');
        struct str line = str_sub(text, 0, end);
        is_last = end >= text.n;
        text = str_sub(text, end + 1, text.n);
        buf_printf(out, "%d%c", code, is_last ? ' ' : '-');
        if (enhanced[0])
            buf_printf(out, "%s ", enhanced);
        buf_add_str(out, line);
        buf_add_z(out, "\r\n");
    } while (!is_last);
}

static void after_reply(struct host_session *s)
{
    switch (s->then) {
    case WORLD_CLOSE: s->wish = HOST_CLOSE; break;
    case WORLD_RESET: s->wish = HOST_RESET; break;
    case WORLD_SILENCE: s->mode = HOST_DEAF; break;
    default: break;
    }
    s->then = WORLD_NORMAL;
}

/* Everything that is said goes out here; the client must not have spoken out of turn until now. */
static void release(struct host_session *s)
{
    if (s->in.n > 0 && !s->may_pipeline && s->mode != HOST_DEAF)
        world_violation(s->w, s->h, "the client did not wait for the reply: \"%.40s\"",
                        buf_text(&s->in));
    buf_add_str(&s->out, buf_str(&s->held));
    buf_clear(&s->held);
    s->held_until_ms = INT64_MAX;
    s->trickle_ms = 0;
    after_reply(s);
}

/* s->held is complete: now, or later. */
static void send_held(struct host_session *s, int64_t delay_ms, int64_t trickle_ms,
                      enum world_act then)
{
    s->then = then;
    s->trickle_ms = trickle_ms;
    if (delay_ms == 0 && trickle_ms == 0) {
        release(s);
        return;
    }
    s->held_until_ms = s->now_ms + (delay_ms ? delay_ms : trickle_ms);
}

void host_say(struct host_session *s, int code, const char *enhanced, const char *text)
{
    reply_lines(&s->held, code, enhanced, str_of(text));
    send_held(s, 0, 0, WORLD_NORMAL);
}

static int code_of(const struct buf *b)
{
    const char *p = buf_text(b);
    if (b->n < 3)
        return 0;
    for (int i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return 0;
    }
    return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

int host_obey(struct host_session *s, const struct world_rule *r, const char *arg)
{
    struct buf text = BUF_INIT;
    int code = 0;
    switch (r->act) {
    case WORLD_REPLY:
        expand(s, arg, buf_str(&r->text), &text);
        reply_lines(&s->held, r->code, r->enhanced, buf_str(&text));
        code = r->code;
        send_held(s, r->delay_ms, r->trickle_ms, r->then);
        break;
    case WORLD_RAW:
        expand(s, arg, buf_str(&r->text), &text);
        code = code_of(&text);
        for (unsigned i = 0; i < (r->repeat ? r->repeat : 1); i++)
            buf_add_str(&s->held, buf_str(&text));
        send_held(s, r->delay_ms, r->trickle_ms, r->then);
        break;
    case WORLD_SILENCE: s->mode = HOST_DEAF; break;
    default: send_held(s, r->delay_ms, 0, r->act); break;
    }
    buf_done(&text);
    return code;
}

int host_answer(struct host_session *s, enum world_stage stage, const char *arg, int code,
                const char *enhanced, const char *text)
{
    const struct world_rule *r = host_rule(s, stage, arg, 0);
    if (r && r->act != WORLD_NORMAL)
        return host_obey(s, r, arg);
    struct buf b = BUF_INIT;
    expand(s, arg, str_of(text), &b);
    reply_lines(&s->held, code, host_offers(s, "ENHANCEDSTATUSCODES") ? enhanced : "", buf_str(&b));
    buf_done(&b);
    send_held(s, r ? r->delay_ms : 0, 0, WORLD_NORMAL);
    return code;
}

struct host_session *host_open(struct world *w, struct world_host *h, const struct ip *client,
                               int64_t now_ms)
{
    struct host_session *s = xnew(struct host_session);
    s->w = w;
    s->h = h;
    s->now_ms = now_ms;
    s->held_until_ms = INT64_MAX;
    s->number = ++h->connections;
    if (client && client->family)
        ip_text(client, s->client);
    int code = host_answer(s, WORLD_GREETING, s->client, 220, "", "%h ESMTP");
    s->is_greeted = code == 220;
    return s;
}

void host_free(struct host_session *s)
{
    if (!s)
        return;
    host_transaction_drop(s);
    buf_done(&s->in);
    buf_done(&s->out);
    buf_done(&s->held);
    free(s);
}

static bool is_blocked(const struct host_session *s)
{
    return s->held_until_ms != INT64_MAX || s->wish != HOST_GO_ON || s->mode == HOST_DEAF;
}

/* One line of s->in to a command or response; false when none is complete. */
static bool take_line(struct host_session *s)
{
    struct str in = buf_str(&s->in);
    size_t end = str_find(in, '\n');
    if (end == in.n && in.n <= LINE_MAX_BYTES)
        return false;
    if (end == in.n || end > LINE_MAX_BYTES) {
        world_violation(s->w, s->h, "a command line of more than %d octets", LINE_MAX_BYTES);
        s->wish = HOST_RESET;
        return false;
    }
    if (end == 0 || in.p[end - 1] != '\r')
        world_violation(s->w, s->h, "a command line that ends with a bare LF");
    char *line = xstrndup(in.p, end);
    buf_drop(&s->in, end + 1);
    if (end > 0 && line[end - 1] == '\r')
        line[end - 1] = '\0';
    if (s->mode == HOST_AUTH)
        host_auth_response(s, str_of(line));
    else
        host_command(s, str_of(line));
    free(line);
    return true;
}

static bool step(struct host_session *s)
{
    switch (s->mode) {
    case HOST_COMMANDS:
    case HOST_AUTH: return take_line(s);
    case HOST_CONTENT: return host_content(s);
    case HOST_CHUNK: return host_chunk(s);
    default: return false;
    }
}

static void run(struct host_session *s)
{
    while (!is_blocked(s) && step(s))
        continue;
}

void host_input(struct host_session *s, struct str bytes, int64_t now_ms)
{
    s->now_ms = now_ms;
    if (s->mode == HOST_DEAF || s->wish == HOST_CLOSE || s->wish == HOST_RESET)
        return;
    buf_add_str(&s->in, bytes);
    run(s);
}

void host_lost(struct host_session *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    s->mode = HOST_DEAF;
    s->held_until_ms = INT64_MAX;
    s->wish = HOST_CLOSE;
}

void host_tick(struct host_session *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    if (now_ms < s->held_until_ms)
        return;
    if (s->trickle_ms > 0 && s->held.n > 1) {
        buf_add_c(&s->out, buf_text(&s->held)[0]);
        buf_drop(&s->held, 1);
        s->held_until_ms = now_ms + s->trickle_ms;
        return;
    }
    release(s);
    run(s);
}

void host_tls_done(struct host_session *s, bool is_up, int64_t now_ms)
{
    s->now_ms = now_ms;
    if (s->wish == HOST_TLS)
        s->wish = HOST_GO_ON;
    s->is_tls = is_up;
    /* RFC 3207 4.2: what was known before the handshake is forgotten. */
    s->is_esmtp = s->is_auth = false;
    host_transaction_drop(s);
    buf_clear(&s->in);
    if (!is_up)
        s->wish = HOST_CLOSE;
}

struct str host_output(const struct host_session *s)
{
    return buf_str(&s->out);
}

void host_sent(struct host_session *s, size_t n)
{
    buf_drop(&s->out, n);
}

int64_t host_deadline(const struct host_session *s)
{
    return s->held_until_ms;
}

enum host_wish host_wish(const struct host_session *s)
{
    return s->wish;
}

bool host_tls_fails(const struct host_session *s)
{
    return s->tls_fails;
}
