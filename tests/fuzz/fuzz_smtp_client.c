/* SPDX-License-Identifier: ISC */
/*
 * A hostile server against the client machine. The first octet chooses how we come, the rest is what
 * the server says: an octet 1 in it is the loss of the connection, 2 a time-out. Whatever it says,
 * every transaction gets exactly one DONE, the session ends once, nothing is said to be delivered
 * whose end was not sent, and a host is never to be tried again for what may have been delivered.
 */
#include "core/smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TXNS 3

struct play {
    struct smtp_client *c;
    struct smtp_txn txn[TXNS];
    struct smtp_rcpt rcpt[TXNS][2];
    bool is_released[TXNS], is_done[TXNS];
    unsigned begun, done;
    bool is_closed;
};

static void begin(struct play *p)
{
    unsigned k = p->begun++;

    p->rcpt[k][0] = (struct smtp_rcpt){.address = "b@y.test", .orcpt = ""};
    p->rcpt[k][1] = (struct smtp_rcpt){.address = "c@y.test", .orcpt = "rfc822;c@y.test"};
    p->txn[k] = (struct smtp_txn){.reverse_path = "a@x.test",
                                  .envid = "e",
                                  .size_bytes = 9,
                                  .rcpts = p->rcpt[k],
                                  .rcpts_n = 2};
    smtp_client_begin(p->c, &p->txn[k], 0);
}

static void go_on(struct play *p)
{
    if (smtp_client_may_begin(p->c) && p->begun < TXNS)
        begin(p);
    else if (p->done == TXNS)
        smtp_client_quit(p->c, 0);
}

static void on_done(struct play *p, const struct smtp_client_notice *n)
{
    size_t k = (size_t)(n->txn - p->txn);

    verify(k < p->begun && !p->is_done[k]);
    p->is_done[k] = true;
    p->done++;
    if (n->outcome->class == OUTCOME_DELIVERED || n->outcome->class == OUTCOME_UNCONFIRMED)
        verify(p->is_released[k] && !n->is_site_failure);
    go_on(p);
}

static void on_event(struct play *p, enum smtp_client_event e, const struct smtp_client_notice *n)
{
    struct tls_facts facts = {.state = TLS_ENCRYPTED};

    verify(!p->is_closed);
    switch (e) {
    case SMTP_CLIENT_START_TLS: smtp_client_tls_done(p->c, &facts, 0); break;
    case SMTP_CLIENT_READY: go_on(p); break;
    case SMTP_CLIENT_RCPT:
        verify(n->txn->rcpts[n->rcpt].is_settled && n->outcome->class != OUTCOME_DELIVERED);
        break;
    case SMTP_CLIENT_NEED_BODY: smtp_client_body(p->c, STR(".\r\nhello\r\n"), true, 0); break;
    case SMTP_CLIENT_AT_END:
        p->is_released[n->txn - p->txn] = true;
        smtp_client_release(p->c, 0);
        break;
    case SMTP_CLIENT_DONE: on_done(p, n); break;
    case SMTP_CLIENT_CLOSED:
        verify(p->done == p->begun);
        p->is_closed = true;
        break;
    case SMTP_CLIENT_WAIT: break;
    }
}

static void pump(struct play *p)
{
    struct smtp_client_notice n;
    enum smtp_client_event e;
    struct str out;

    do {
        while ((e = smtp_client_next(p->c, &n)) != SMTP_CLIENT_WAIT)
            on_event(p, e, &n);
        out = smtp_client_output(p->c);
        smtp_client_sent(p->c, out.n, 0);
    } while (out.n);
}

static void hear(struct play *p, struct str bytes)
{
    if (bytes.n == 1 && bytes.p[0] == 1)
        smtp_client_lost(p->c, 0, 0);
    else if (bytes.n == 1 && bytes.p[0] == 2 && smtp_client_deadline(p->c) != INT64_MAX)
        smtp_client_timeout(p->c, smtp_client_deadline(p->c));
    else
        smtp_client_input(p->c, bytes, 0);
    pump(p);
}

static bool is_mark(char c)
{
    return c == 1 || c == 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned how = size ? data[0] : 0;
    struct smtp_client_conf conf = {.helo = "me.test",
                                    .host = "mx.test",
                                    .ip = "192.0.2.1",
                                    .port = 25,
                                    .tls = (enum tls_level)(how & 3),
                                    .is_implicit_tls = how & 4,
                                    .user = how & 8 ? "u" : NULL,
                                    .password = how & 8 ? "p" : NULL,
                                    .timeouts = &smtp_timeouts_rfc};
    struct play p = {.c = smtp_client_new(&conf, 0)};

    smtp_client_connected(p.c, 0);
    pump(&p);
    /* A line at a time, since a server that talks ahead is cut off at once. */
    for (size_t at = 1; at < size;) {
        size_t n = 0;
        while (at + n < size && data[at + n] != '\n' && !is_mark((char)data[at + n]))
            n++;
        n += n == 0 || (at + n < size && data[at + n] == '\n');
        hear(&p, (struct str){(const char *)data + at, n});
        at += n;
    }
    smtp_client_lost(p.c, 0, 0);
    pump(&p);
    verify(p.is_closed);
    smtp_client_free(p.c);
    return 0;
}
