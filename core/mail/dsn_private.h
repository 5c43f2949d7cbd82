/* SPDX-License-Identifier: ISC */
/* What the dsn_*.c files share. Nobody else includes it. */
#ifndef MAIL_DSN_PRIVATE_H
#define MAIL_DSN_PRIVATE_H

#include "core/mail/dsn.h"

/* "5.1.1": its class is always that of the action (RFC 3464 2.3.4). */
const char *dsn_status(const struct dsn_rcpt *r, char out[16]);

/* The plain words, in lines of at most 76 columns (a longer word is cut in pieces), UTF-8. */
void dsn_write_words(const struct dsn_in *in, struct buf *out);
/* The body of message/delivery-status (RFC 3464 2.1), ASCII. */
void dsn_write_status(const struct dsn_in *in, struct buf *out);
/* "Undelivered mail", "Delayed mail", ... for the whole report. */
const char *dsn_title(const struct dsn_in *in);

/* Quoted-printable (RFC 2045 6.7) of text in CRLF form. */
void dsn_encode_qp(struct buf *out, struct str text);

#endif
