/* SPDX-License-Identifier: ISC */
/*
 * Handing one message to the engine over its submit.sock: the SMTP client machine, driven with poll.
 * And what must happen to a text before: line ends, the lone dot, the envelope in its header.
 */
#ifndef TUI_SUBMIT_H
#define TUI_SUBMIT_H

#include "core/base/err.h"
#include "core/mail/msg.h"
#include "core/mail/outcome.h"

#define SUBMIT_RCPTS_MAX 10000u

struct submit_rcpt {
    char address[ADDR_TEXT_MAX]; /* domain as A-labels */
    bool is_refused;
    struct outcome *outcome; /* own: why, when it is refused */
};

struct submit {
    char from[ADDR_TEXT_MAX];  /* "" = null */
    struct submit_rcpt *rcpts; /* own */
    size_t n, cap;
    unsigned notify; /* DSN_* */
    enum dsn_ret ret;
    char envid[MSG_ENVID_MAX + 1];
    bool is_utf8;    /* an address needs SMTPUTF8 */
    struct buf body; /* own: CRLF form */
    /* after submit_send: */
    struct outcome outcome; /* of those that were not refused one by one */
    size_t refused;
};

void submit_done(struct submit *s);
/* Add a recipient, once: an address without "@" is one of ours, at hostname. False and *why (static). */
bool submit_add(struct submit *s, struct str address, const char *hostname, const char **why);
/* The sender; "" and "<>" are the null path. */
bool submit_from(struct submit *s, struct str address, const char *hostname, const char **why);

/* Raw text to CRLF form: LF, CR and CRLF all end a line; a last line gets its end. is_dot_end: a line
 * that is a lone dot ends the text. A first line "From ..." of mail folders is left out. */
void submit_text(struct str raw, bool is_dot_end, struct buf *out);
/* All of a stream; E_LIMIT when it is larger than max, E_IO. */
int submit_read(FILE *in, uint64_t max, struct buf *out, struct err *err);
/* Where the header ends: octets up to and with the empty line (all, when there is none). */
size_t submit_header_end(struct str text);

/* 0 when the engine answered: see s->outcome and the recipients; E_DOWN, E_DENIED, E_NET, E_TIMEOUT. */
int submit_send(struct submit *s, const char *socket_path, struct err *err);
/* What the engine said, without "host the engine said": nobody else was asked. */
void submit_sentence(const struct outcome *o, struct buf *out);
/* The queue id in the engine's answer, or "". */
struct str submit_queue_id(const struct submit *s);

#endif
