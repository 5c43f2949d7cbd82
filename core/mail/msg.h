/* SPDX-License-Identifier: ISC */
/*
 * Messages and recipients: the records that go through the house, and the states of a recipient.
 *
 *                   ┌────────────── hold ────────────┐
 *                   ▼                                │
 *   accepted ──► QUEUED ──claim──► ACTIVE ──250──► DELIVERED
 *                 ▲ │ ▲               │  │
 *        release/ │ │ └──── 4xx ──────┘  ├─5xx────► BOUNCED
 *        resend   │ │                    ├─ loss after the dot ─► UNCONFIRMED ─confirm─► DELIVERED
 *                 │ ├─ lifetime over ────┼────────► EXPIRED
 *               HELD└─ operator ─────────┴────────► BOUNCED, DELETED
 *
 * An UNCONFIRMED recipient is also claimed as it is, late; a HELD one still grows old (EXPIRED); an
 * operator's undo takes BOUNCED and DELETED back to what they were. The legal transitions are the
 * table in msg.c, and nothing else changes a state.
 */
#ifndef MAIL_MSG_H
#define MAIL_MSG_H

#include "core/base/buf.h"
#include "core/mail/addr.h"

/* Stored as numbers: never renumber. */
enum rcpt_state {
    RCPT_QUEUED,      /* waiting for its first try, or for its next */
    RCPT_ACTIVE,      /* an attempt is under way */
    RCPT_HELD,        /* an operator or a rule holds it */
    RCPT_UNCONFIRMED, /* end of data was sent, no reply seen: may have been delivered */
    RCPT_DELIVERED,   /* accepted by the next server */
    RCPT_BOUNCED,     /* refused for good, or bounced by an operator */
    RCPT_EXPIRED,     /* lifetime over */
    RCPT_DELETED,     /* by an operator, no report */
    RCPT_STATE_COUNT
};

const char *rcpt_state_name(enum rcpt_state s); /* "queued", ... */
bool rcpt_state_parse(struct str name, enum rcpt_state *out);
bool rcpt_state_may_go(enum rcpt_state from, enum rcpt_state to);
/* Nothing more will happen by itself: delivered, bounced, expired, deleted. */
bool rcpt_state_is_final(enum rcpt_state s);

enum msg_class { MSG_USER, MSG_SYSTEM, MSG_REPORT }; /* REPORT: our own bounces and notices */
const char *msg_class_name(enum msg_class c);

/* Flags, stored. */
#define MSG_8BIT       1u /* the body or header holds octets over 127 */
#define MSG_UTF8       2u /* the header or the reverse-path needs SMTPUTF8; recipients tell themselves */
#define MSG_REQUIRETLS 4u
#define MSG_LINES      8u  /* it has lines that nobody may be sent: converted on its way (mime.h) */
#define MSG_FIXED      16u /* it cannot be made 7-bit: signed, and the like */

enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };
/* RFC 3461 4.1. 0 = no NOTIFY was given. */
#define DSN_NEVER   1u
#define DSN_SUCCESS 2u
#define DSN_FAILURE 4u
#define DSN_DELAY   8u

/* Limits that are ours (RFC numbers are minimums). */
#define MSG_ENVID_MAX  100 /* RFC 3461 4.4, decoded */
#define MSG_ORCPT_MAX  500 /* RFC 3461 4.2, as "type;text", decoded */
#define MSG_VIA_MAX   (ADDR_DOMAIN_MAX + 19)
#define MSG_DIGEST_MAX 255 /* octets kept of From, Subject, Message-ID, Date */

/* What people recognise a message by: printable UTF-8, cut at MSG_DIGEST_MAX. */
struct msg_digest {
    char from[MSG_DIGEST_MAX + 1];
    char subject[MSG_DIGEST_MAX + 1];
    char message_id[MSG_DIGEST_MAX + 1];
    char date[MSG_DIGEST_MAX + 1];
};

/* A message as the queue knows it, without its body and recipients. Strings are never NULL. */
struct message {
    int64_t id;
    int64_t arrival_wall_ms;
    enum msg_class class;
    unsigned flags;
    uint64_t size_bytes; /* of the stored body, CRLF form, before dot stuffing (RFC 1870) */
    enum dsn_ret ret;
    char reverse_path[ADDR_TEXT_MAX]; /* "" = null */
    char report_to[ADDR_TEXT_MAX]; /* what the sender address stands in for; "" = the reverse_path */
    char envid[MSG_ENVID_MAX + 1];
    char origin[128]; /* "smtp [127.0.0.1]:4711 helo", "local uid 1000", "engine" */
    struct msg_digest digest;
};

/* One recipient of a message. */
struct recipient {
    int64_t id;
    int64_t message_id;
    enum rcpt_state state;
    unsigned notify;
    unsigned tries;
    unsigned epoch; /* counts claims: an outcome of an older claim is not taken */
    int64_t next_wall_ms; /* when it may be tried */
    char address[ADDR_TEXT_MAX]; /* local@a-label */
    char domain[ADDR_DOMAIN_MAX + 1];
    char orcpt[MSG_ORCPT_MAX + 1];
    char via[MSG_VIA_MAX + 1]; /* a reroute (way.h); "" = none, as with all that is new */
};

#endif
