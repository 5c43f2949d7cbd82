/* SPDX-License-Identifier: ISC */
/*
 * The client side of SMTP as a machine (RFC 5321, 1870, 2920, 3030, 3207, 3461, 4954, 6152, 6531,
 * 9422): bytes and time go in, bytes, deadlines and events come out. It knows no socket, no clock,
 * no TLS library. The same machine serves delivery, the relay, checks and tests.
 *
 * The driver's loop: after every call that gives it something (connected, input, lost, tls_done,
 * begin, body, release, abandon, quit, timeout, sent), first pull events with smtp_client_next until
 * SMTP_CLIENT_WAIT, then send what smtp_client_output holds, then set a timer to
 * smtp_client_deadline.
 *
 * A transaction: begin → (RCPT events) → NEED_BODY: give the content by smtp_client_body, last
 * piece marked → AT_END: everything but the last block (at most 64 KiB) is out, and the machine
 * waits: the driver makes "end of data sent" durable and calls smtp_client_release → DONE. When
 * every recipient was refused, DONE comes without NEED_BODY. With PIPELINING a second transaction
 * may begin as soon as the first has reached AT_END: its commands go out behind the first one's end
 * of data (RFC 2920 3.1), so that a busy connection costs one round trip a message.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "core/base/buf.h"
#include "core/mail/conf.h"
#include "core/mail/mime.h"
#include "core/mail/msg.h"
#include "core/mail/outcome.h"

/* RFC 5321 4.5.3.2; the first and the last two are ours. */
struct smtp_timeouts {
    int64_t greeting_ms, ehlo_ms, starttls_ms, auth_ms, mail_ms, rcpt_ms, data_ms, block_ms, eod_ms,
        rset_ms, quit_ms;
};
extern const struct smtp_timeouts smtp_timeouts_rfc;

struct smtp_client_conf {
    const char *helo; /* borrowed for the client's life, as all pointers here */
    const char *host; /* MX or relay name, for outcomes */
    const char *ip;
    uint16_t port;
    enum tls_level tls;
    bool is_implicit_tls; /* START_TLS comes at once after smtp_client_connected */
    bool finds_loops; /* a server that bears our own name (helo) is ourselves: 5.4.6, tag "loop" */
    enum auth_mech auth;
    const char *user, *password; /* NULL without authentication */
    bool is_token;               /* the password is an access token */
    char nonce[33];              /* random, printable, no comma; "" = SCRAM is not spoken */
    const struct smtp_timeouts *timeouts;
};

struct smtp_rcpt {
    const char *address; /* borrowed until DONE */
    const char *orcpt;   /* "" = none */
    unsigned notify;     /* DSN_* */
    bool is_settled;     /* its outcome was given by an SMTP_CLIENT_RCPT event */
    /* At AT_END and DONE: the server takes no more in one transaction (452 behind accepted ones, RFC
     * 5321 4.5.3.1.10; LIMITS RCPTMAX, RFC 9422). The outcome is not its: it goes into another
     * transaction, at once. */
    bool is_postponed;
    void *user;
};

struct smtp_txn {
    const char *reverse_path; /* borrowed until DONE; "" = null */
    const char *envid;        /* "" = none */
    enum dsn_ret ret;
    unsigned flags; /* MSG_* */
    uint64_t size_bytes;
    struct smtp_rcpt *rcpts; /* borrowed until DONE; at least one */
    size_t rcpts_n;
    void *user;
};

enum smtp_client_event {
    SMTP_CLIENT_WAIT,      /* nothing now */
    SMTP_CLIENT_START_TLS, /* handshake, then smtp_client_tls_done */
    SMTP_CLIENT_READY,     /* smtp_client_may_begin has become true */
    SMTP_CLIENT_RCPT,      /* notice.txn->rcpts[notice.rcpt] is settled: it was refused */
    SMTP_CLIENT_NEED_BODY, /* 354 came: call smtp_client_body; comes again when it can take more */
    SMTP_CLIENT_AT_END,    /* the last block is held: make the mark durable, then release */
    SMTP_CLIENT_DONE,      /* notice.outcome is for who is neither settled nor postponed */
    SMTP_CLIENT_CLOSED     /* the session is over: notice.outcome says why, class DELIVERED after an
                              orderly QUIT. Every transaction in flight had its DONE before. Close
                              the connection; what the output still holds (a QUIT) may be flushed. */
};

struct smtp_client_notice {
    struct smtp_txn *txn;
    size_t rcpt;
    const struct outcome *outcome; /* borrowed until the next call */
    bool is_site_failure; /* with DONE and CLOSED: the trouble is the host, not this mail: try the
                             next host with the same recipients. Never with UNCONFIRMED, and not with
                             CLOSED when a used connection was closed while it was idle. A DONE of
                             this kind at stage MAIL with conn_use > 1 is such a close seen late. */
    bool is_host_lacking; /* with DONE, class FAILED: nothing was sent, since this host does not
                             offer what the message needs (SIZE, 8BITMIME, SMTPUTF8). Final only when
                             all hosts were asked; the session goes on */
};

struct smtp_client; /* opaque */

/* Returns new (free with smtp_client_free). *c is copied, its strings are borrowed. */
struct smtp_client *smtp_client_new(const struct smtp_client_conf *c, int64_t now_mono_ms);
void smtp_client_free(struct smtp_client *s);

void smtp_client_connected(struct smtp_client *s, int64_t now_mono_ms);
void smtp_client_input(struct smtp_client *s, struct str bytes, int64_t now_mono_ms);
/* The connection broke or ended: sys is an errno, 0 for an orderly close. */
void smtp_client_lost(struct smtp_client *s, int sys, int64_t now_mono_ms);
/* now >= deadline: the wait is over. */
void smtp_client_timeout(struct smtp_client *s, int64_t now_mono_ms);
/* Handshake over; facts->state TLS_FAILED when it failed. Plain bytes that had been read before are
 * dropped by the machine (STARTTLS injection, CVE-2011-0411). */
void smtp_client_tls_done(struct smtp_client *s, const struct tls_facts *facts,
                          int64_t now_mono_ms);

/* May a transaction begin now (also behind one that has reached AT_END)? */
bool smtp_client_may_begin(const struct smtp_client *s);
/* Only when it may. txn and what it points to are borrowed until its DONE. */
void smtp_client_begin(struct smtp_client *s, struct smtp_txn *txn, int64_t now_mono_ms);
/* Content in CRLF form, before dot stuffing; the last piece may be empty. Bytes are copied. */
void smtp_client_body(struct smtp_client *s, struct str bytes, bool is_last, int64_t now_mono_ms);
/* Must the content be converted before it is given (mime.h)? Then *to says for what; the same for all of
 * a transaction's content. Such a transaction does not declare a SIZE, and BODY=8BITMIME only where
 * the server has that. */
bool smtp_client_converts(const struct smtp_client *s, const struct smtp_txn *txn,
                          enum mime_target *to);
/* The mark is durable: send the end of data. */
void smtp_client_release(struct smtp_client *s, int64_t now_mono_ms);
/* The mark could not be made, or the content could not be read: end the transaction with this local
 * outcome. Nothing was delivered; the connection is closed, since the data cannot be taken back. */
void smtp_client_abandon(struct smtp_client *s, const struct outcome *o, int64_t now_mono_ms);
/* No more transactions: QUIT and wait shortly. */
void smtp_client_quit(struct smtp_client *s, int64_t now_mono_ms);

enum smtp_client_event smtp_client_next(struct smtp_client *s, struct smtp_client_notice *n);
/* Bytes to send: borrowed until the next call. */
struct str smtp_client_output(const struct smtp_client *s);
/* n bytes of the output were handed to the system, as soon as they were: a reply to what was not
 * sent is a protocol error, and a loss before the last block was touched is no "unconfirmed". */
void smtp_client_sent(struct smtp_client *s, size_t n, int64_t now_mono_ms);
/* mono ms, INT64_MAX = none. */
int64_t smtp_client_deadline(const struct smtp_client *s);
/* What it waits for, for the console: "waiting for reply to RCPT TO". Static. */
const char *smtp_client_doing(const struct smtp_client *s);
/* Transactions done on this connection; extensions the server offered. */
unsigned smtp_client_uses(const struct smtp_client *s);

#define SMTP_EXT_PIPELINING 1u
#define SMTP_EXT_SIZE       2u
#define SMTP_EXT_8BITMIME   4u
#define SMTP_EXT_SMTPUTF8   8u
#define SMTP_EXT_DSN        16u
#define SMTP_EXT_STARTTLS   32u
#define SMTP_EXT_CHUNKING   64u
#define SMTP_EXT_AUTH       128u
unsigned smtp_client_extensions(const struct smtp_client *s);

/*
 * Wire trace, for transcripts and debugging: called with each line or block sent ('>') or received
 * ('<'), secrets replaced. trace may be NULL.
 */
void smtp_client_set_trace(struct smtp_client *s,
                           void (*trace)(void *arg, char direction, struct str line), void *arg);

#endif
