/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/smtp/fake_server.h"

#include <errno.h>

static const char *const rcpt_names[] = {"b@y.test", "c@y.test", "d@y.test", "e@y.test"};

void play_init(struct play *p, const struct scenario *sc)
{
    *p = (struct play){.sc = sc, .piece = 7};
    struct smtp_client_conf conf = {.helo = "me.test",
                                    .host = "mx.test",
                                    .ip = "192.0.2.1",
                                    .port = 25,
                                    .tls = sc->tls,
                                    .is_implicit_tls = sc->is_implicit_tls,
                                    .auth = sc->auth,
                                    .user = sc->user,
                                    .password = sc->password,
                                    .finds_loops = sc->finds_loops,
                                    .timeouts = &smtp_timeouts_rfc};
    conf.is_token = sc->is_token;
    str_copy(str_of(sc->nonce), conf.nonce, sizeof(conf.nonce));
    p->c = smtp_client_new(&conf, 0);
}

void play_done(struct play *p)
{
    smtp_client_free(p->c);
    buf_done(&p->events);
    buf_done(&p->sent);
}

static const char *body_of(const struct play *p)
{
    return p->sc->body ? p->sc->body : "hello\r\n";
}

static void begin(struct play *p)
{
    const struct scenario *sc = p->sc;
    unsigned k = p->begun++;
    size_t n = sc->rcpts ? sc->rcpts : 1;
    uint64_t size = k && sc->later_size_bytes ? sc->later_size_bytes : sc->size_bytes;

    for (size_t i = 0; i < n; i++)
        p->rcpt[k][i] = (struct smtp_rcpt){
            .address = rcpt_names[i], .orcpt = sc->orcpt ? sc->orcpt : "", .notify = sc->notify};
    p->txn[k] =
        (struct smtp_txn){.reverse_path = sc->reverse_path ? sc->reverse_path : "a@x.test",
                          .envid = sc->envid ? sc->envid : "",
                          .ret = sc->ret,
                          .flags = sc->flags,
                          .size_bytes = size ? size : strlen(body_of(p)),
                          .rcpts = p->rcpt[k],
                          .rcpts_n = n};
    smtp_client_begin(p->c, &p->txn[k], p->now);
}

static void note_outcome(struct play *p, const struct smtp_client_notice *n)
{
    const struct outcome *o = n->outcome;

    str_copy(str_of(o->text), p->last_text, sizeof(p->last_text));
    buf_printf(&p->events, " %s %s", outcome_class_name(o->class), stage_name(o->stage));
    if (o->code)
        buf_printf(&p->events, " %d", o->code);
    if (o->enhanced[0])
        buf_printf(&p->events, " %s", o->enhanced);
    if (o->sys)
        buf_add_z(&p->events, o->sys == ETIMEDOUT ? " timeout" : " lost");
    if (o->tag[0])
        buf_printf(&p->events, " %s", o->tag);
    if (n->is_site_failure)
        buf_add_z(&p->events, " site");
    if (n->is_host_lacking)
        buf_add_z(&p->events, " lacking");
    buf_add_c(&p->events, '\n');
}

static void give_body(struct play *p)
{
    struct str body = str_of(body_of(p));
    size_t n = p->sc->piece ? p->sc->piece : p->piece;
    struct str piece = str_sub(body, p->body_at, p->body_at + n);

    p->body_at += piece.n;
    bool is_last = p->body_at == body.n;
    if (is_last)
        p->body_at = 0;
    smtp_client_body(p->c, piece, is_last, p->now);
}

static void at_end(struct play *p)
{
    struct outcome o;

    buf_add_z(&p->events, "END\n");
    if (!p->sc->is_abandoned) {
        smtp_client_release(p->c, p->now);
        return;
    }
    outcome_init(&o, OUTCOME_DEFERRED, STAGE_LOCAL);
    smtp_client_abandon(p->c, &o, p->now);
}

/* Begin what is left, or quit. */
static void go_on(struct play *p)
{
    unsigned txns = p->sc->txns ? p->sc->txns : 1;

    if (!smtp_client_may_begin(p->c))
        return;
    if (p->begun < txns && (!p->sc->is_waiting || p->done == p->begun))
        begin(p);
    else if (p->done == txns)
        smtp_client_quit(p->c, p->now);
}

static void handshake(struct play *p)
{
    struct tls_facts facts = {.state = TLS_ENCRYPTED, .why = "no reason"};

    if (p->sc->handshake != TLS_NOT_USED)
        facts.state = p->sc->handshake;
    if (p->sc->has_binding)
        facts.binding = (struct tls_binding){"tls-exporter", "\1\2\3", 3};
    buf_add_z(&p->events, "TLS\n");
    /* Plain bytes at this point are an injection. */
    smtp_client_input(p->c, STR("250 injected\r\n"), p->now);
    smtp_client_tls_done(p->c, &facts, p->now);
}

static void note_postponed(struct play *p, const struct smtp_txn *txn)
{
    for (size_t i = 0; i < txn->rcpts_n; i++)
        if (txn->rcpts[i].is_postponed)
            buf_printf(&p->events, "LATER %s\n", txn->rcpts[i].address);
}

static void pull(struct play *p)
{
    struct smtp_client_notice n;
    enum smtp_client_event e;

    while ((e = smtp_client_next(p->c, &n)) != SMTP_CLIENT_WAIT) {
        switch (e) {
        case SMTP_CLIENT_START_TLS: handshake(p); break;
        case SMTP_CLIENT_READY: go_on(p); break;
        case SMTP_CLIENT_NEED_BODY: give_body(p); break;
        case SMTP_CLIENT_AT_END: at_end(p); break;
        case SMTP_CLIENT_RCPT:
            buf_printf(&p->events, "RCPT %s", n.txn->rcpts[n.rcpt].address);
            note_outcome(p, &n);
            break;
        case SMTP_CLIENT_DONE:
            p->done++;
            note_postponed(p, n.txn);
            buf_printf(&p->events, "DONE%d", (int)(n.txn - p->txn) + 1);
            note_outcome(p, &n);
            go_on(p);
            break;
        case SMTP_CLIENT_CLOSED:
            verify(!p->is_closed && p->done == p->begun);
            p->is_closed = true;
            buf_add_z(&p->events, "CLOSED");
            note_outcome(p, &n);
            break;
        case SMTP_CLIENT_WAIT: break;
        }
    }
}

/* Events, then output, until nothing moves. */
static void pump(struct play *p)
{
    for (;;) {
        pull(p);
        struct str out = smtp_client_output(p->c);
        if (p->send_max && out.n > p->send_max)
            out.n = p->send_max;
        if (out.n == 0)
            return;
        buf_add_str(&p->sent, out);
        smtp_client_sent(p->c, out.n, p->now);
    }
}

static void server_says(struct play *p, struct str bytes)
{
    while (bytes.n) {
        size_t n = p->every && p->every < bytes.n ? p->every : bytes.n;
        if (p->cut > p->streamed && p->cut - p->streamed < n)
            n = p->cut - p->streamed;
        char *copy = str_dup(str_sub(bytes, 0, n));
        smtp_client_input(p->c, (struct str){copy, n}, p->now);
        free(copy);
        p->streamed += n;
        bytes = str_sub(bytes, n, bytes.n);
        pump(p);
    }
}

static void act(struct play *p, char mark)
{
    if (mark == '\2') {
        verify(smtp_client_deadline(p->c) != INT64_MAX);
        p->now = smtp_client_deadline(p->c);
        smtp_client_timeout(p->c, p->now - 1); /* too early: nothing happens */
        smtp_client_timeout(p->c, p->now);
    } else {
        smtp_client_lost(p->c, mark == '\3' ? ECONNRESET : 0, p->now);
    }
    pump(p);
}

static void give_answer(struct play *p, struct str answer)
{
    while (answer.n) {
        size_t text = 0;
        while (text < answer.n && (unsigned char)answer.p[text] > 3)
            text++;
        server_says(p, str_sub(answer, 0, text));
        if (text < answer.n)
            act(p, answer.p[text++]);
        answer = str_sub(answer, text, answer.n);
    }
}

void play_run(struct play *p)
{
    smtp_client_connected(p->c, p->now);
    pump(p);
    for (const struct step *st = p->sc->steps; st->expect; st++) {
        struct str have = str_sub(buf_str(&p->sent), p->taken, p->sent.n);
        if (!str_eq_z(have, st->expect)) { /* what is sent too early is wrong too */
            buf_printf(&p->events, "STUCK at '%s': '%s'\n", st->expect, have.n ? have.p : "");
            return;
        }
        p->taken += strlen(st->expect);
        give_answer(p, str_of(st->answer));
    }
}

void play_assert(const struct scenario *sc, const struct play *p, const char *how, size_t at)
{
    bool is_right = !sc->want || str_eq_z(buf_str(&p->events), sc->want);

    is_right &= !sc->want_sent || str_eq_z(buf_str(&p->sent), sc->want_sent);
    is_right &= p->is_closed;
    if (is_right)
        return;
    print_error("%s (%s %zu)\n--- events\n%s\n--- want\n%s\n--- sent\n%s\n", sc->name, how, at,
                buf_text(&p->events), sc->want ? sc->want : "", buf_text(&p->sent));
    fail();
}

void play_every_way(const struct scenario *sc)
{
    struct play p;
    size_t total;

    play_init(&p, sc);
    play_run(&p);
    play_assert(sc, &p, "whole", 0);
    total = p.streamed;
    play_done(&p);
    for (size_t i = 1; i <= 3; i++) {
        play_init(&p, sc);
        p.every = p.piece = p.send_max = i;
        play_run(&p);
        play_assert(sc, &p, "pieces of", i);
        play_done(&p);
    }
    for (size_t cut = 1; cut < total; cut++) {
        play_init(&p, sc);
        p.cut = cut;
        p.piece = cut % 5 + 1;
        play_run(&p);
        play_assert(sc, &p, "cut at", cut);
        play_done(&p);
    }
}
