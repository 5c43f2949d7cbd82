/* SPDX-License-Identifier: ISC */
/*
 * SMTP replies (RFC 5321 4.2), read from hostile bytes: several lines are joined by a space, the
 * code is the first line's when lines disagree, lines and bytes are capped. No I/O.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "core/base/buf.h"

#define REPLY_LINE_MAX  4096
#define REPLY_LINES_MAX 100
#define REPLY_BYTES_MAX (32u * 1024)

struct smtp_reply {
    int code;          /* 100..999 as sent; 0 = not a reply: protocol error */
    char enhanced[12]; /* "5.1.1" when the first line begins with one, else "" */
    struct buf text;   /* lines joined by ' ', without codes; raw bytes; own */
    struct buf lines;  /* the same with '\n' between the lines (EHLO needs them); own */
    bool is_mixed;     /* codes of the lines disagreed */
};

struct reply_parser {
    struct smtp_reply reply; /* the one under construction */
    struct buf line;         /* incomplete line */
    size_t bytes;
    unsigned n_lines;
};

enum reply_status {
    REPLY_MORE,  /* give more bytes */
    REPLY_DONE,  /* p->reply is complete; reply_next_start before the next one */
    REPLY_BROKEN /* not SMTP, or over a cap: *why is static; close the connection */
};

void reply_parser_init(struct reply_parser *p);
void reply_parser_done(struct reply_parser *p);
/* Consume from *in up to the end of one reply. LF alone is accepted as line end. */
enum reply_status reply_parse(struct reply_parser *p, struct str *in, const char **why);
/* Forget the finished reply, keep the memory. */
void reply_next_start(struct reply_parser *p);

#endif
