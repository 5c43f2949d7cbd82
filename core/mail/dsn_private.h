/* SPDX-License-Identifier: ISC */
/* What the dsn_*.c files share. Nobody else includes it. */
#ifndef MAIL_DSN_PRIVATE_H
#define MAIL_DSN_PRIVATE_H

#include "core/mail/dsn.h"

size_t dsn_count(const struct dsn_in *in, enum dsn_action action);
/* The original came with SMTPUTF8: so may its report (RFC 6533). */
bool dsn_is_global(const struct dsn_in *in);

/* "5.1.1": its class is always that of the action (RFC 3464 2.3.4). */
const char *dsn_status(const struct dsn_rcpt *r, char out[16]);
/* What the report quotes as the answer: the outcome itself, or what was said before it. */
const struct outcome *dsn_answer(const struct dsn_rcpt *r);

/* --- dsn_words.c: what a name in a template stands for; appended, printable, one line --- */

struct dsn_name {
    const char *name;
    bool is_of_recipient; /* r is not NULL */
    bool is_for_header;   /* may stand in From and Subject too */
    void (*say)(const struct dsn_in *in, const struct dsn_rcpt *r, struct buf *out);
};
const struct dsn_name *dsn_name_find(struct str name);
const struct dsn_name *dsn_name_at(size_t i); /* NULL behind the last */
/* Who got what, in paragraphs: {summary}. */
void dsn_say_summary(const struct dsn_in *in, struct buf *out);

/* --- dsn_template.c --- */

/* The plain words, in lines of at most 76 columns (a longer word is cut in pieces), UTF-8. */
void dsn_write_words(const struct dsn_in *in, struct buf *out);
/* The text of From or Subject. */
void dsn_write_field(const struct dsn_in *in, const char *field, struct buf *out);
/* One paragraph of printable text, wrapped. */
void dsn_wrap(struct buf *out, const char *indent, struct str text);

/* The body of message/delivery-status (RFC 3464 2.1), ASCII; of message/global-delivery-status UTF-8. */
void dsn_write_status(const struct dsn_in *in, struct buf *out);

/* Quoted-printable (RFC 2045 6.7) of text in CRLF form. */
void dsn_encode_qp(struct buf *out, struct str text);

#endif
