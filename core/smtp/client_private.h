/* SPDX-License-Identifier: ISC */
/*
 * What the client_*.c files share. Nobody else includes it.
 *
 * The session (client_session.c)
 *
 *   CONNECTING ─connected─► GREETING ─220─► EHLO ─250─┬──────────────► AUTH ─235─┐
 *       │ implicit TLS        ▲               │ ▲     ├─STARTTLS offered ──┐     │
 *       └────► HANDSHAKE ─ok──┘             5xx │     └─no user ─────────┐ │     │
 *                  ▲   │                      ▼ └──ok── HANDSHAKE        │ │     ▼
 *                  │   └─failed─► CLOSED    HELO ─250──────────────────► READY ◄─┘
 *                  └───────220─── STARTTLS ◄───────────────────────────────┘ │
 *                                    └─4xx, 5xx: opportunistic goes on ──────┘ quit ─► QUIT ─► CLOSED
 *
 *   state       holds                                    deadline (from the last progress)
 *   CONNECTING  the driver connects                      none: the driver has its own
 *   GREETING    nothing was sent                         greeting_ms   RFC 5321 4.5.3.2.1
 *   EHLO HELO   extensions are empty                     ehlo_ms       (as MAIL, 4.5.3.2.2)
 *   STARTTLS    EHLO was parsed, all is in clear         starttls_ms
 *   HANDSHAKE   input is not ours to read                starttls_ms
 *   AUTH        sasl is under way                        auth_ms       RFC 4954 4
 *   READY       transactions come and go, at most two    see below; none when idle
 *   QUIT        QUIT is sent                             quit_ms
 *   CLOSED      every transaction is over; `end` says why
 *
 * A transaction (client_txn.c, content in client_body.c)
 *
 *   begin ─► ENVELOPE ─354─► BODY ─last piece─► HELD ─release─► EOD ─reply─► over
 *               │ refused: over
 *               └ 354 although nobody was accepted: a lone dot (RFC 2920 3.1) ─► EOD
 *
 * A large message goes in chunks where the server takes them: BDAT in place of DATA, BODY as soon as
 * the recipients are answered, and a reply to each chunk meanwhile; the last one waits in HELD until
 * all before it were taken. One that is refused stops the rest (RFC 3030 2), and the next transaction
 * begins with RSET; none begins behind one in chunks.
 *
 *   ENVELOPE  steps before `sent` are written, before `replied` answered   rset_ms mail_ms rcpt_ms
 *                                              data_ms  RFC 5321 4.5.3.2.2, .3, .4
 *   BODY      the content is wanted            block_ms while octets are unsent (4.5.3.2.5), else
 *   HELD      hold_from is where the last      none: it is our own store that is waited for
 *             block begins; output ends there
 *   EOD       all is released                  block_ms while unsent, then eod_ms (4.5.3.2.6)
 *
 * Replies come in the order of the commands, and the first transaction leaves with the reply to its
 * end of data: a reply always belongs to the front transaction. A second one stands behind it only
 * while the front is in HELD or EOD; its commands are behind the held block in the output.
 *
 * Transitions: session_reply, session_tls_done, session_quit; txn_begin, txn_reply, txn_body,
 * txn_release. The end, from anywhere: client_end. Only that sets CLOSED.
 */
#ifndef SMTP_CLIENT_PRIVATE_H
#define SMTP_CLIENT_PRIVATE_H

#include "core/smtp/client.h"
#include "core/smtp/reply.h"
#include "core/smtp/sasl.h"
#include "core/smtp/wire.h"

/* The last block, and as much as may be unsent before more content is asked for. */
#define CLIENT_BLOCK_MAX (64u * 1024)
/* Chunks whose replies may be awaited; then no more content is asked for. */
#define CLIENT_CHUNKS_MAX 16u

enum client_state {
    CLIENT_CONNECTING,
    CLIENT_GREETING,
    CLIENT_EHLO,
    CLIENT_HELO,
    CLIENT_STARTTLS,
    CLIENT_HANDSHAKE,
    CLIENT_AUTH,
    CLIENT_READY,
    CLIENT_QUIT,
    CLIENT_CLOSED
};

enum txn_state { TXN_ENVELOPE, TXN_BODY, TXN_HELD, TXN_EOD };

/* Steps of an envelope; recipient i is STEP_RCPT + i, DATA comes behind the last one. */
enum { STEP_RSET, STEP_MAIL, STEP_RCPT };

struct client_txn {
    struct smtp_txn *txn; /* borrowed until DONE; NULL = free slot */
    size_t rcpts_n;       /* of its recipients, the ones that go with this transaction */
    enum txn_state state;
    size_t sent, replied; /* steps */
    size_t accepted;      /* recipients */
    uint64_t from;        /* position in the output of the group that is answered now */
    uint64_t last_block;  /* position of its last block's first octet, once HELD */
    uint64_t end;         /* position behind its end of data */
    unsigned use;         /* which transaction of this connection */
    bool is_mail_refused;
    bool is_body_asked; /* NEED_BODY was said, and not answered yet */
    bool is_end_told;   /* AT_END was said */
    bool is_lone_dot;
    bool is_full;                           /* the server takes no more recipients */
    bool is_bdat;                           /* content goes in chunks (RFC 3030), not behind DATA */
    uint64_t chunks, chunks_replied;        /* without the last one */
    uint64_t chunk_ends[CLIENT_CHUNKS_MAX]; /* position behind chunk i, at i % MAX */
    bool is_lacking;                        /* this host does not offer what the message needs */
    bool has_verdict;                       /* outcome is filled in, replies are still drained */
    bool is_over;                           /* DONE is to be said */
    bool is_site_failure;
    struct outcome outcome;
};

struct smtp_client {
    struct smtp_client_conf conf;
    enum client_state state;
    struct wire out;
    uint64_t hold_from;  /* position where output ends for now; UINT64_MAX = nowhere */
    uint64_t asked_from; /* position of the session command whose reply is awaited */
    struct buf in;       /* own: bytes not parsed yet, from in_at on */
    size_t in_at;
    struct reply_parser parser;

    unsigned extensions;
    uint64_t size_limit;     /* SIZE's value, 0 = none given */
    unsigned rcpt_max;       /* recipients a transaction may have, 0 = not told */
    unsigned mail_max;       /* transactions a session may have, 0 = not told */
    struct buf auth_offered; /* own */
    struct tls_facts tls;
    struct tls_binding binding;
    struct sasl sasl;     /* while in AUTH */
    bool is_first_due;    /* the first word may be asked for by an empty 334 */
    const char *auth_why; /* "*" was sent because the server ...; NULL = not */
    bool is_stuff_start;  /* content: the next octet begins a line */
    bool is_stuff_cr;     /* content: the last octet was CR */

    struct client_txn slots[2];
    unsigned front;  /* index of the front slot */
    bool needs_rset; /* the server may have a transaction open */
    unsigned begun, done;

    bool tells_start_tls, tells_closed;
    bool is_ready_told;
    bool is_quitting;
    bool is_lost;
    int lost_sys;
    bool is_end_site_failure;
    struct outcome end;  /* once CLOSED */
    struct outcome said; /* what a notice points to */

    int64_t now_mono_ms;
    int64_t progress_mono_ms; /* what deadlines count from */
    void (*trace)(void *arg, char direction, struct str line);
    void *trace_arg;
};

/* client.c */
void client_enter(struct smtp_client *s, enum client_state state);
/* Send a command line; shown is what the trace sees instead, NULL = the line itself. */
void client_send(struct smtp_client *s, struct str line, const char *shown);
void client_trace(struct smtp_client *s, char direction, struct str line);
/* Put host, address, TLS facts and the use into an outcome. */
void client_fill(const struct smtp_client *s, struct outcome *o, unsigned use);
/* The session is over because of o. Every transaction in flight is over too: the front one with o, or
 * UNCONFIRMED when its last block was on the way and no reply told (is_answered); a second one
 * deferred. is_polite: a QUIT may be written before the connection is closed. */
void client_end(struct smtp_client *s, const struct outcome *o, bool is_site_failure,
                bool is_answered, bool is_polite);
/* The server does not speak SMTP, or not in turn: 4.5.0 (RFC 5321 4.2.4.2). */
void client_protocol_error(struct smtp_client *s, const char *what);
/* The stage that is under way. */
enum stage client_stage(const struct smtp_client *s);
struct client_txn *client_front(const struct smtp_client *s);
struct client_txn *client_second(const struct smtp_client *s);

/* client_session.c: a reply outside of transactions. */
void session_ask(struct smtp_client *s, enum client_state state, struct str line,
                 const char *shown);
/* The reply ends the session, and is temporary whatever its digit: another host may be tried. */
void session_refuse(struct smtp_client *s, enum stage stage, const struct smtp_reply *r);
/* We end the session for a reason of our own. */
void session_end(struct smtp_client *s, enum stage stage, const char *enhanced, const char *tag,
                 const char *text);
void session_ready(struct smtp_client *s);
void session_connected(struct smtp_client *s);
void session_reply(struct smtp_client *s, const struct smtp_reply *r);
void session_tls_done(struct smtp_client *s, const struct tls_facts *facts);
void session_quit(struct smtp_client *s);

/* client_auth.c: log in, when that is wanted, then session_ready. */
void auth_start(struct smtp_client *s);
void auth_reply(struct smtp_client *s, const struct smtp_reply *r);

/* client_txn.c */
void txn_begin(struct smtp_client *s, struct client_txn *t);
/* True when a recipient was refused: *rcpt is its index, s->said its outcome. */
bool txn_reply(struct smtp_client *s, struct client_txn *t, const struct smtp_reply *r,
               size_t *rcpt);
void txn_finish(struct smtp_client *s, struct client_txn *t, const struct outcome *o,
                bool is_site_failure);
enum stage txn_stage(const struct client_txn *t);
/* May octets of the last block have left? */
bool txn_may_be_delivered(const struct smtp_client *s, const struct client_txn *t);

/* client_body.c */
/* Should the content go in chunks? */
bool txn_wants_chunks(const struct smtp_client *s, const struct smtp_txn *x);
/* A chunk was refused: what is not on its way yet stays here. */
void txn_stop_chunks(struct smtp_client *s, struct client_txn *t);
void txn_body_start(struct smtp_client *s, struct client_txn *t);
void txn_body(struct smtp_client *s, struct client_txn *t, struct str bytes, bool is_last);
void txn_release(struct smtp_client *s, struct client_txn *t);

#endif
