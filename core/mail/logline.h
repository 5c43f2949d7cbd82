/* SPDX-License-Identifier: ISC */
/*
 * The delivery log: one line per recipient and attempt, shaped as Postfix shapes it, so that
 * existing tools read it (Postfix, log_adhoc.c). Lines are printable, one line, without newline.
 * What is stored is told once; logline_postfix makes the lines of it that Postfix would have written.
 */
#ifndef MAIL_LOGLINE_H
#define MAIL_LOGLINE_H

#include "core/mail/msg.h"
#include "core/mail/outcome.h"

/* a: arrival to ready, b: ready to connecting, c: connection set-up (0 when reused), d: transmission. */
struct delays {
    int64_t a_ms, b_ms, c_ms, d_ms;
};

enum log_status {
    LOG_SENT,
    LOG_DEFERRED,
    LOG_BOUNCED,
    LOG_EXPIRED,
    LOG_REJECTED,
    LOG_UNCONFIRMED,
    LOG_OTHER,
    LOG_STATUS_COUNT
};
const char *log_status_name(enum log_status s); /* "sent", ... */
bool log_status_parse(struct str name, enum log_status *out);

/* "QID: to=<a>, relay=mx[ip]:25, delay=1.2, delays=0.1/0/0.5/0.6, tls=encrypted, dsn=2.0.0, status=sent (250 ...)".
 * The line starts at the queue id: date, host and program are put before it when it is shown.
 * orig_to is the address of ORCPT (RFC 3461 4.2), when it is another; relay=none when no connection stood this time;
 * conn_use from 2 on. The lines of a reply are joined by a blank and say their code once, where Postfix repeats it. */
void logline_attempt(struct buf *out, int64_t message_id, const char *address, const char *orcpt,
                     const struct outcome *o, enum log_status status, const struct delays *d,
                     int64_t delay_ms);
/* "QID: from=<a>, size=N, nrcpt=N, client=helo[ip]:port, message-id=<i> (queue active)"; "uid=N" instead of the client
 * when it was handed over locally, neither when the message is our own. */
void logline_accepted(struct buf *out, const struct message *m, unsigned rcpts);
/* "NOQUEUE: reject: RCPT from helo[ip]: 550 5.7.1 <a>: text; from=<f> to=<t> proto=ESMTP helo=<h>". */
void logline_reject(struct buf *out, const char *stage, const char *client, const char *ip,
                    int code, const char *text, const char *from, const char *to, const char *helo);
/* "QID: removed". */
void logline_removed(struct buf *out, int64_t message_id);
/*
 * The lines of a mail log that Postfix would have written where we have this one, each with date (UTC), host, program
 * and newline: "Nov 24 08:02:14 host postfix/smtp[1]: QID: to=<a>, ...". An accepted message is three (smtpd or pickup,
 * cleanup, qmgr), an expired recipient is two (its last deferral, and qmgr's "status=expired, returned to sender").
 * Unconfirmed is deferred; tls= is left out, since it is younger than the tools. sender is the reverse-path of the
 * message, for the line of an expired one; NULL = not known. The process number is always 1: ours is one process.
 */
void logline_postfix(struct buf *out, int64_t wall_ms, const char *hostname, struct str line,
                     const char *sender);
/* The value of a field before the text in parentheses: "to", "relay", "dsn", "status" ...; without
 * its angle brackets. Quoted local parts are stepped over, so no address can look like a field. For
 * delivery and "from=" lines; a NOQUEUE line has its fields behind free text. */
bool logline_field(struct str line, const char *name, struct str *value);
/* Which status a stored line has: reads "status=X" and "NOQUEUE: reject". */
enum log_status logline_status(struct str line);

#endif
