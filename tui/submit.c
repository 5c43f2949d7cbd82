/* SPDX-License-Identifier: ISC */
#include "tui/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/smtp/client.h"
#include "tui/say.h"

/* The engine is on this machine: what takes longer is an engine in trouble. The answer to the end of
 * data waits for the disk. */
static const struct smtp_timeouts timeouts = {
    .greeting_ms = 60 * SECOND_MS,
    .ehlo_ms = 60 * SECOND_MS,
    .starttls_ms = 60 * SECOND_MS,
    .auth_ms = 60 * SECOND_MS,
    .mail_ms = 60 * SECOND_MS,
    .rcpt_ms = 60 * SECOND_MS,
    .data_ms = 60 * SECOND_MS,
    .block_ms = 60 * SECOND_MS,
    .eod_ms = 5 * MINUTE_MS,
    .rset_ms = 10 * SECOND_MS,
    .quit_ms = 2 * SECOND_MS,
};

void submit_done(struct submit *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->rcpts[i].outcome);
    free(s->rcpts);
    buf_done(&s->body);
    *s = (struct submit){0};
}

/* --- the envelope --- */

static bool complete(struct str address, const char *hostname, struct addr *a, const char **why)
{
    if (str_find(address, '@') < address.n)
        return addr_parse(address, a, why);
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    buf_printf(&b, "%.*s@%s", STR_ARG(address), hostname);
    return addr_parse(buf_str(&b), a, why);
}

static struct str without_brackets(struct str a)
{
    a = str_trim(a);
    return a.n > 1 && a.p[0] == '<' && a.p[a.n - 1] == '>' ? str_sub(a, 1, a.n - 1) : a;
}

bool submit_add(struct submit *s, struct str address, const char *hostname, const char **why)
{
    struct addr a;
    struct submit_rcpt r = {0};
    address = without_brackets(address);
    if (!complete(address, hostname, &a, why))
        return false;
    if (s->n >= SUBMIT_RCPTS_MAX) {
        *why = "too many recipients";
        return false;
    }
    addr_text_ascii(&a, r.address);
    s->is_utf8 |= a.is_utf8;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->rcpts[i].address, r.address) == 0)
            return true;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->rcpts = xreallocarray(s->rcpts, s->cap, sizeof(*s->rcpts));
    }
    s->rcpts[s->n++] = r;
    return true;
}

bool submit_from(struct submit *s, struct str address, const char *hostname, const char **why)
{
    struct addr a;
    address = without_brackets(address);
    s->from[0] = '\0';
    if (address.n == 0)
        return true;
    if (!complete(address, hostname, &a, why))
        return false;
    addr_text_ascii(&a, s->from);
    s->is_utf8 |= a.is_utf8;
    return true;
}

/* --- the text --- */

void submit_text(struct str raw, bool is_dot_end, struct buf *out)
{
    bool is_first = true;
    buf_reserve(out, raw.n + raw.n / 32 + 2);
    while (raw.n > 0) {
        size_t n = 0;
        while (n < raw.n && raw.p[n] != '\n' && raw.p[n] != '\r')
            n++;
        struct str line = str_sub(raw, 0, n);
        size_t step = n + (n < raw.n) + (n + 1 < raw.n && raw.p[n] == '\r' && raw.p[n + 1] == '\n');
        raw = str_sub(raw, step, raw.n);
        if (is_dot_end && str_eq_z(line, "."))
            break;
        if (!is_first || !str_starts(line, STR("From "))) {
            buf_add_str(out, line);
            buf_add(out, "\r\n", 2);
        }
        is_first = false;
    }
}

int submit_read(FILE *in, uint64_t max, struct buf *out, struct err *err)
{
    char chunk[16384];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0) {
        buf_add(out, chunk, n);
        if (out->n > max)
            return err_set(err, E_LIMIT,
                           "the message is larger than the engine takes (%llu octets)",
                           (unsigned long long)max);
    }
    return ferror(in) ? err_sys(err, E_IO, errno, "reading the message") : 0;
}

size_t submit_header_end(struct str text)
{
    size_t at = 0;
    while (at < text.n) {
        size_t n = str_find(str_sub(text, at, text.n), '\n') + 1;
        if (n <= 2)
            return at + n < text.n ? at + n : text.n;
        at += n;
    }
    return text.n;
}

static unsigned flags_of(const struct submit *s)
{
    struct str text = buf_str(&s->body);
    unsigned flags = s->is_utf8 ? MSG_UTF8 : 0;
    if (!text_is_ascii(text))
        flags |= MSG_8BIT;
    return flags;
}

/* --- the conversation --- */

struct talk {
    struct submit *s;
    struct smtp_client *client; /* own */
    struct smtp_txn txn;
    struct smtp_rcpt *rcpts; /* own */
    size_t body_at;
    int fd;
    bool has_begun, is_settled, is_over;
};

static int64_t now_ms(void)
{
    const struct clock *c = clock_system();
    return c->mono_ms(c);
}

static void begin(struct talk *t)
{
    struct submit *s = t->s;
    t->rcpts = xcalloc(s->n, sizeof(*t->rcpts));
    for (size_t i = 0; i < s->n; i++)
        t->rcpts[i] = (struct smtp_rcpt){
            .address = s->rcpts[i].address, .orcpt = "", .notify = s->notify, .user = &s->rcpts[i]};
    t->txn = (struct smtp_txn){.reverse_path = s->from,
                               .envid = s->envid,
                               .ret = s->ret,
                               .flags = flags_of(s),
                               .size_bytes = s->body.n,
                               .rcpts = t->rcpts,
                               .rcpts_n = s->n};
    t->has_begun = true;
    smtp_client_begin(t->client, &t->txn, now_ms());
}

/* The next piece; the machine asks again when it can take more. */
static void give_body(struct talk *t)
{
    struct str rest = str_sub(buf_str(&t->s->body), t->body_at, t->s->body.n);
    struct str piece = str_sub(rest, 0, 64 * 1024);
    t->body_at += piece.n;
    smtp_client_body(t->client, piece, piece.n == rest.n, now_ms());
}

static void refused(struct talk *t, const struct smtp_client_notice *n)
{
    struct submit_rcpt *r = n->txn->rcpts[n->rcpt].user;
    r->is_refused = true;
    free(r->outcome);
    r->outcome = xnew(struct outcome);
    *r->outcome = *n->outcome;
    t->s->refused++;
}

static void handle(struct talk *t, enum smtp_client_event e, const struct smtp_client_notice *n)
{
    switch (e) {
    case SMTP_CLIENT_READY:
        if (!t->has_begun)
            begin(t);
        break;
    case SMTP_CLIENT_RCPT: refused(t, n); break;
    case SMTP_CLIENT_NEED_BODY: give_body(t); break;
    case SMTP_CLIENT_AT_END: smtp_client_release(t->client, now_ms()); break;
    case SMTP_CLIENT_DONE:
        t->s->outcome = *n->outcome;
        t->is_settled = true;
        smtp_client_quit(t->client, now_ms());
        break;
    case SMTP_CLIENT_CLOSED:
        if (!t->is_settled)
            t->s->outcome = *n->outcome;
        t->is_over = true;
        break;
    case SMTP_CLIENT_START_TLS: /* never: level none */
    case SMTP_CLIENT_WAIT: break;
    }
}

static void pull(struct talk *t)
{
    struct smtp_client_notice n;
    enum smtp_client_event e;
    while (!t->is_over && (e = smtp_client_next(t->client, &n)) != SMTP_CLIENT_WAIT)
        handle(t, e, &n);
}

static void send_some(struct talk *t)
{
    struct str out = smtp_client_output(t->client);
    ssize_t n = out.n ? send(t->fd, out.p, out.n, MSG_NOSIGNAL) : 0;
    if (n > 0)
        smtp_client_sent(t->client, (size_t)n, now_ms());
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        smtp_client_lost(t->client, errno, now_ms());
}

static void receive_some(struct talk *t)
{
    char in[16384];
    ssize_t n = recv(t->fd, in, sizeof in, 0);
    if (n > 0)
        smtp_client_input(t->client, (struct str){in, (size_t)n}, now_ms());
    else if (n == 0)
        smtp_client_lost(t->client, 0, now_ms());
    else if (errno != EAGAIN && errno != EINTR)
        smtp_client_lost(t->client, errno, now_ms());
}

static void wait_some(struct talk *t)
{
    int64_t left = smtp_client_deadline(t->client) - now_ms();
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    if (smtp_client_output(t->client).n)
        p.events |= POLLOUT;
    int ms = left < 0 ? 0 : left < 60 * 1000 ? (int)left : 60 * 1000;
    int n = poll(&p, 1, ms);
    if (n == 0 && now_ms() >= smtp_client_deadline(t->client))
        smtp_client_timeout(t->client, now_ms());
    if (n > 0 && p.revents & POLLOUT)
        send_some(t);
    pull(t);
    if (n > 0 && !t->is_over && p.revents & (POLLIN | POLLHUP | POLLERR))
        receive_some(t);
    pull(t);
}

static int dial(const char *path, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!str_copy(str_of(path), a.sun_path, sizeof a.sun_path))
        return err_set(err, E_LIMIT, "the path of the engine's socket is too long: %s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, E_NET, errno, "making a socket");
    /* Blocking: a full backlog is waited for here. */
    while (connect(fd, (const struct sockaddr *)&a, sizeof a) < 0) {
        int sys = errno;
        if (sys == EINTR)
            continue;
        close(fd);
        if (sys == ENOENT || sys == ECONNREFUSED || sys == ENOTDIR)
            return err_set(err, E_DOWN, "the engine is not running (%s)", path);
        return err_sys(err, sys == EACCES ? E_DENIED : E_NET, sys,
                       "handing mail to the engine at %s", path);
    }
    return fd;
}

int submit_send(struct submit *s, const char *socket_path, struct err *err)
{
    struct talk t = {.s = s};
    struct smtp_client_conf conf = {.helo = "localhost",
                                    .host = "the engine",
                                    .ip = "local",
                                    .tls = TLS_LEVEL_NONE,
                                    .auth = AUTH_NONE,
                                    .timeouts = &timeouts};
    t.fd = dial(socket_path, err);
    if (t.fd < 0)
        return t.fd;
    fcntl(t.fd, F_SETFL, O_NONBLOCK);
    outcome_init(&s->outcome, OUTCOME_DEFERRED, STAGE_CONNECT);
    t.client = smtp_client_new(&conf, now_ms());
    smtp_client_connected(t.client, now_ms());
    pull(&t);
    while (!t.is_over)
        wait_some(&t);
    smtp_client_free(t.client);
    free(t.rcpts);
    close(t.fd);
    return 0;
}

struct str submit_queue_id(const struct submit *s)
{
    struct str text = str_of(s->outcome.text);
    size_t at = str_ifind(text, STR("queued as "));
    if (at == SIZE_MAX)
        return STR("");
    text = str_sub(text, at + 10, text.n);
    return str_sub(text, 0, str_find(text, ' '));
}

void submit_sentence(const struct outcome *o, struct buf *out)
{
    struct buf whole CLEANUP(buf_done) = BUF_INIT;
    outcome_sentence(o, &whole);
    buf_add_str(out, say_reply(buf_str(&whole)));
}
