/* SPDX-License-Identifier: ISC */
/*
 * Delivery status reports (RFC 3464, 3462/6522, 3461; RFC 3834 for Auto-Submitted): plain words
 * first, then the machine's part, then the message or its header. Pure: text in, text out.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "core/mail/msg.h"
#include "core/mail/outcome.h"

enum dsn_action { DSN_ACT_FAILED, DSN_ACT_DELAYED, DSN_ACT_DELIVERED, DSN_ACT_RELAYED };

struct dsn_rcpt {
    const char *address; /* borrowed, as all strings here */
    const char *orcpt;   /* "rfc822;text" or "" */
    enum dsn_action action;
    bool is_expired; /* failed because its lifetime is over: Status 5.4.7, last answer quoted */
    const struct outcome *outcome; /* the last one */
    int64_t last_try_wall_ms;
    int64_t retry_until_wall_ms; /* with DSN_ACT_DELAYED */
    unsigned tries;
};

struct dsn_in {
    const struct message *message; /* the original */
    const struct dsn_rcpt *rcpts;
    size_t rcpts_n;
    const char *hostname;   /* Reporting-MTA */
    int64_t now_wall_ms;
    uint64_t random;        /* boundary and Message-ID */
    struct str original;    /* header, or header and body */
    bool is_full;           /* original holds the body too */
};

/* True when a report of this action is wanted for a recipient with that NOTIFY (RFC 3461 4.1) and
 * the reverse-path is not null. */
bool dsn_wanted(const struct message *m, unsigned notify, enum dsn_action action);

/* Append the report: CRLF form, complete with header and empty line, 7-bit unless the original
 * holds 8-bit text. The reverse-path of the report is null; it goes to m->reverse_path. */
void dsn_write(const struct dsn_in *in, struct buf *out);

/* xtext (RFC 3461 4). Decode refuses what is not printable ASCII; false and nothing changed. */
bool xtext_decode(struct str s, char *out, size_t size);
void xtext_encode(struct buf *out, struct str s);

#endif
