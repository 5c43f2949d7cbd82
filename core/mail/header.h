/* SPDX-License-Identifier: ISC */
/*
 * The header of a message: walking its fields, and what a submission server may repair
 * (RFC 6409 8): Date, Message-ID and From added when missing, Bcc removed, Received put on top
 * (RFC 5321 4.4). The body is never touched. Text in is CRLF form.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "core/base/buf.h"
#include "core/mail/msg.h"

#define HEADER_BYTES_MAX (256u * 1024) /* a header larger than that is refused */
#define LINE_BYTES_MAX   998           /* RFC 5322 2.1.1, without CRLF */

/* Next field of *rest: name, body (folded, without blanks around it and the final CRLF), whole (with
 * everything). False at the end of the header; *rest is then at the empty line or end. A line that is
 * no field ends it too. */
bool header_next(struct str *rest, struct str *name, struct str *body, struct str *whole);
/* Body of the first field of that name, or false. */
bool header_find(struct str header, const char *name, struct str *body);
/* Unfold (CRLF before WSP removed), decode RFC 2047 words in UTF-8, ISO-8859-1/-15, US-ASCII,
 * Windows-1252; made printable; cut to size. */
void header_decode(struct str body, char *out, size_t size);
/* Number of Received fields: the hop count (RFC 5321 6.3). */
unsigned header_hops(struct str header);
/* First field of each kind, decoded; "" when there is none. */
void header_digest(struct str header, struct msg_digest *out);

struct header_facts {
    const char *hostname;  /* ours */
    const char *helo;      /* what the client said, printable ASCII or "" */
    const char *client_ip; /* "" = local */
    const char *with;      /* "ESMTP", "UTF8SMTP", "local", ... (RFC 3848) */
    const char *queue_id;
    const char *for_address; /* "" when there are several recipients (engine.md 2.4) */
    const char *from_default; /* used when From is missing: mailbox, or "" */
    const char *from_always; /* mailbox that replaces From, NULL or "" = none: the user's own From
                                then becomes Reply-To, unless there is one */
    int64_t wall_ms;
    uint64_t random; /* makes the Message-ID */
};

/*
 * Append the stored form of the header (everything up to and with the empty line) to out:
 * a Received of ours on top, then the given fields without Bcc, Resent-Bcc and Return-Path
 * (RFC 5321 4.4), then what was missing: a Date, Message-ID or From that is empty is missing. Lines
 * over LINE_BYTES_MAX are folded where they have a blank.
 * header must end with the empty line's CRLF; if it holds none at all (a body without header), an
 * empty header is assumed and *body_at is 0, else *body_at is where the body starts in header.
 * Returns false and a static *why when the header is not one that may be sent on
 * (over HEADER_BYTES_MAX: "5.3.4"; more than max_hops Received: "5.4.6"; a line that is too long and
 * cannot be folded: "5.6.0"; two From or Message-ID is allowed here). Then out is as it was.
 */
bool header_submit(struct str header, const struct header_facts *f, unsigned max_hops,
                   struct buf *out, size_t *body_at, const char **why, const char **enhanced);

/* Append a field (its name, body and line ends), its lines folded to LINE_BYTES_MAX where they have a
 * blank; a bare CR or LF and a NUL become blanks. False when a line cannot be folded: out is as it was. */
bool header_add_field(struct buf *out, struct str whole);

/* For fields of our own: append a word behind a blank, or on a new line when the line would become
 * longer than 78 columns (RFC 5322 2.1.1). *column is where the line is; start with the name's. */
void header_fold_word(struct buf *out, size_t *column, struct str word);

/* Addresses of To, Cc, Bcc for `sendmail -t`: calls back with each address-spec, without comments,
 * route and folding, borrowed until the callback returns; a name without "@domain" is given as it is.
 * False and *why (static) on a field that does not parse (RFC 5322 3.4, 4.4: groups, comments, quoted
 * names, routes); the addresses before the fault have then been given. */
bool header_each_recipient(struct str header, void (*each)(void *arg, struct str address),
                           void *arg, const char **why);
/* The same for one field's body. */
bool header_each_address(struct str body, void (*each)(void *arg, struct str address), void *arg,
                         const char **why);

#endif
