/* SPDX-License-Identifier: ISC */
/*
 * Delivery status reports (RFC 3464, 3462/6522, 3461, 6533; RFC 3834 for Auto-Submitted): plain words
 * first, by a template, then the machine's part, then the message or its header. Pure: text in, text
 * out.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "core/mail/msg.h"
#include "core/mail/outcome.h"

/* Stored as numbers: never renumber. */
enum dsn_action {
    DSN_ACT_NONE, /* nobody is told */
    DSN_ACT_FAILED,
    DSN_ACT_DELAYED,
    DSN_ACT_DELIVERED,
    DSN_ACT_RELAYED,
    DSN_ACT_COUNT
};

struct dsn_rcpt {
    const char *address; /* borrowed, as all strings here */
    const char *orcpt;   /* "rfc822;text" or "" */
    enum dsn_action action;
    bool is_expired; /* failed because its lifetime is over: Status 5.4.7, last answer quoted */
    bool is_returned; /* failed because an operator said so: DSN_RETURNED, ": " and the words */
    const struct outcome *outcome; /* the last one */
    const struct outcome *before;  /* the last answer, when outcome is none; NULL = there was none */
    int64_t last_try_wall_ms;      /* 0 = never */
    int64_t retry_until_wall_ms, next_try_wall_ms; /* with DSN_ACT_DELAYED */
    unsigned tries;
};
#define DSN_RETURNED "returned by the operator" /* how such an outcome's text begins */

/* Which template is used: by the worst that the report has to tell. */
enum dsn_kind { DSN_KIND_FAILED, DSN_KIND_DELAYED, DSN_KIND_DONE, DSN_KIND_COUNT };

struct dsn_in {
    const struct message *message; /* the original; a report when its class is MSG_REPORT */
    const char *to;                /* who reads it; NULL = the original's reverse-path */
    const struct dsn_rcpt *rcpts;
    size_t rcpts_n;
    const char *hostname;   /* Reporting-MTA */
    const char *const *templates; /* one per kind, checked; NULL, or NULL among them = built in */
    int64_t now_wall_ms;
    uint64_t random;        /* boundary and Message-ID */
    struct str original;    /* header, or header and body */
    bool is_full;           /* original holds the body too: it comes back with a failure, if it
                               can be sent as it is */
};

/* True when a report of this action is wanted for a recipient with that NOTIFY (RFC 3461 4.1) and
 * the reverse-path is not null. */
bool dsn_wanted(const struct message *m, unsigned notify, enum dsn_action action);

/* Append the report: CRLF form, complete with header and empty line, 7-bit unless the original
 * holds 8-bit text, or was sent with SMTPUTF8 (then its types are the global ones of RFC 6533). The
 * reverse-path of the report is null. */
void dsn_write(const struct dsn_in *in, struct buf *out);

/*
 * A template: the fields From and Subject if wanted, an empty line, then the first part of the report.
 * {name} is replaced, {{ is a brace. The lines between {each} and {end} are said for each recipient. A line
 * whose names all have nothing to say is left out; one that begins with blanks is a paragraph that is
 * indented so far. LF or CRLF.
 *
 * False with *line and one sentence when it is none; why is cut at size.
 */
bool dsn_template_check(struct str text, unsigned *line, char *why, size_t size);
#define DSN_TEMPLATE_MAX (64u * 1024)
/* The names, for help: "title subject ..." of the whole report, and of a recipient. */
void dsn_template_names(bool of_recipient, struct buf *out);
extern const char dsn_template_builtin[];

/* xtext (RFC 3461 4). Decode refuses what is not printable ASCII; false and nothing changed. */
bool xtext_decode(struct str s, char *out, size_t size);
void xtext_encode(struct buf *out, struct str s);

#endif
