/* SPDX-License-Identifier: ISC */
/* The arguments of sendmail(1), apart from sending: so that a test can ask what a line means. */
#ifndef TUI_SENDMAIL_H
#define TUI_SENDMAIL_H

#include "core/base/err.h"
#include "core/mail/msg.h"

struct sendmail_args {
    bool reads_header; /* -t */
    bool is_dot_text;  /* -i: a lone dot is text */
    bool lists_queue;  /* -bp */
    const char *from;  /* -f, or NULL; borrowed as the next ones */
    const char *name;  /* -F, or NULL */
    unsigned notify;
    enum dsn_ret ret;
    const char *envid; /* "" = none */
    char **rcpts;      /* behind the options */
    int rcpts_n;
};

/* Options of other sendmails that mean nothing here are taken and ignored, because programs give
 * them. E_SYNTAX with one sentence. */
int sendmail_parse(int argc, char **argv, struct sendmail_args *out, struct err *err);

/* A From field for name and address, with its CRLF; names that are not plain ASCII become encoded
 * words (RFC 2047). */
void sendmail_from_field(struct buf *out, const char *name, const char *address);

#endif
