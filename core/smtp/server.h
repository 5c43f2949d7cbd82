/* SPDX-License-Identifier: ISC */
/*
 * The server side of SMTP as a machine, for submission and relaying from our own networks
 * (RFC 5321, 6409, 1870, 2920, 3030, 3461, 6152, 6531, 2034): bytes in, bytes out, policy by
 * callbacks. It knows no socket, no clock and no store.
 *
 * Exactly one sequence ends the data: CR LF . CR LF. A bare CR or LF anywhere in the content is
 * refused with 550 5.5.2 after the end of data (CVE-2023-51764 family), NUL likewise.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "core/base/buf.h"
#include "core/mail/addr.h"
#include "core/mail/msg.h"

struct smtp_answer {
    int code;
    const char *enhanced; /* static or borrowed for the call: "5.7.1", "" = none */
    const char *text;
};

struct smtp_server_limits {
    uint64_t message_bytes; /* SIZE */
    unsigned recipients;    /* per transaction; 452 4.5.3 beyond */
    unsigned commands;      /* junk commands before 421 */
    int64_t idle_ms;        /* RFC 5321 4.5.3.2.7 asks for at least 5 min */
    int64_t data_idle_ms;
};

/* The envelope so far. */
struct smtp_envelope {
    char helo[256];      /* printable; "" before EHLO */
    bool is_esmtp;
    struct addr from;    /* valid after MAIL */
    uint64_t declared_bytes; /* SIZE=, 0 = none */
    bool is_8bit;        /* BODY=8BITMIME */
    bool is_smtputf8;
    enum dsn_ret ret;
    char envid[MSG_ENVID_MAX + 1];
    size_t rcpts_n;
};

struct smtp_server_rcpt {
    struct addr addr;
    unsigned notify;
    char orcpt[MSG_ORCPT_MAX + 1];
};

/*
 * Policy and content, by the engine. Calls are synchronous but for end: answer it by
 * smtp_server_answer, now or later; until then no further input is parsed. Each bool returns
 * "accepted"; when false, *a is what is answered (it comes in as a sensible default).
 */
struct smtp_server_ops {
    bool (*mail)(void *arg, const struct smtp_envelope *e, struct smtp_answer *a);
    bool (*rcpt)(void *arg, const struct smtp_envelope *e, const struct smtp_server_rcpt *r,
                 struct smtp_answer *a);
    bool (*data)(void *arg, const struct smtp_envelope *e, struct smtp_answer *a);
    /* Content without dot stuffing, in pieces as they come, borrowed for the call. Every line ends
     * with CR LF. */
    void (*body)(void *arg, struct str bytes);
    /* The message is complete, and the owner's from here on: no abort follows. e is borrowed for the
     * call; read it when smtp_server_answer comes later. */
    void (*end)(void *arg, const struct smtp_envelope *e);
    /* The transaction is dropped: RSET, a new EHLO, a refused content, the end of the session.
     * Exactly one of end and abort is called after mail returned true. */
    void (*abort)(void *arg);
    /* Something was refused, by the machine, by one of the callbacks above or by
     * smtp_server_answer; for the log. stage "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "CONNECT".
     * to is "" before RCPT. */
    void (*rejected)(void *arg, const char *stage, const struct smtp_answer *a,
                     const struct smtp_envelope *e, const char *to);
};

struct smtp_server; /* opaque */

/* Returns new (free with smtp_server_free); limits and ops are borrowed for its life, hostname too.
 * The greeting is in the output at once. rejected and abort may be NULL, and body. An answer with
 * code 421 ends the session. Callbacks must not free the server. */
struct smtp_server *smtp_server_new(const char *hostname, const struct smtp_server_limits *limits,
                                    const struct smtp_server_ops *ops, void *arg,
                                    int64_t now_mono_ms);
/* A session that is refused from the first line: 554, 421, ...; it only answers QUIT. */
struct smtp_server *smtp_server_new_refusing(const char *hostname, const struct smtp_answer *a,
                                             const struct smtp_server_limits *limits,
                                             const struct smtp_server_ops *ops, void *arg,
                                             int64_t now_mono_ms);
void smtp_server_free(struct smtp_server *s); /* calls abort when a transaction is open */

void smtp_server_input(struct smtp_server *s, struct str bytes, int64_t now_mono_ms);
/* The answer to end; goes on with input that had been waiting. */
void smtp_server_answer(struct smtp_server *s, int code, const char *enhanced, const char *text,
                        int64_t now_mono_ms);
void smtp_server_timeout(struct smtp_server *s, int64_t now_mono_ms);
/* Going away: 421 4.3.2 between two commands, then closed (RFC 5321 3.8). Content that is coming in
 * is taken and answered first. */
void smtp_server_drain(struct smtp_server *s);
/* The patience is over: 421 whatever it does; only a message whose end waits for smtp_server_answer
 * gets that first. */
void smtp_server_stop(struct smtp_server *s);

struct str smtp_server_output(const struct smtp_server *s); /* borrowed until the next call */
void smtp_server_sent(struct smtp_server *s, size_t n);
/* True when the connection is to be closed once the output is sent. */
bool smtp_server_is_closing(const struct smtp_server *s);
/* True while it waits for smtp_server_answer: do not read more from the socket than is in the air. */
bool smtp_server_is_waiting(const struct smtp_server *s);
int64_t smtp_server_deadline(const struct smtp_server *s);

#endif
