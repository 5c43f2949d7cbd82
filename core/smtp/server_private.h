/* SPDX-License-Identifier: ISC */
/*
 * What the server_*.c files share. Nobody else includes it.
 *
 *              ┌───────────────── any command but these ─────────────────┐
 *              │                                                         │
 *   new ──► COMMAND ──DATA, 354──► DATA ──CRLF.CRLF──► WAIT ──answer──►──┤
 *              │ ▲ │                 └── refused content ──► 550, 552 ───┤
 *              │ │ └─BDAT n─► CHUNK ──n octets──┬─ not LAST ──► 250 ─────┤
 *              │ │                              ├─ LAST ──► WAIT         │
 *              │ └──────────────────────────────┴─ drained ──► 503 ... ──┘
 *              └─ QUIT, junk over the budget, drain, time-out ──► CLOSED
 *
 * COMMAND  A line is awaited; `line` holds its beginning. Deadline: idle_ms since the last complete
 *          command or answer (RFC 5321 4.5.3.2.7), so that trickled octets do not hold a session.
 * DATA     Content, dot-stuffed. Deadline: data_idle_ms since the last octets (4.5.3.2.5).
 * CHUNK    Exactly chunk_left octets of content (RFC 3030), or octets to throw away when the chunk
 *          was refused: then held_reply says what is answered behind them.
 * WAIT     ops.end was called; input piles up in `pending` until smtp_server_answer. No deadline:
 *          it is our own store that is waited for.
 * CLOSED   Nothing is read any more.
 *
 * has_mail is true from an accepted MAIL until server_drop, which calls ops.abort, or server_end,
 * which hands the message over by ops.end. Exactly one of the two is called.
 */
#ifndef SMTP_SERVER_PRIVATE_H
#define SMTP_SERVER_PRIVATE_H

#include "core/smtp/server.h"
#include "core/smtp/wire.h"

/* RFC 5321 4.5.3.1.4 asks for 512, SIZE, DSN and SMTPUTF8 add about 2000. CR LF included. */
#define SERVER_LINE_MAX 4096

enum server_state { SERVER_COMMAND, SERVER_DATA, SERVER_CHUNK, SERVER_WAIT, SERVER_CLOSED };

/* Where in the content the next octet stands. */
enum content_at {
    AT_LINE_START, /* the first octet, or behind CR LF */
    AT_TEXT,
    AT_CR,
    AT_DOT,   /* a dot at a line's start was read, and not given on yet */
    AT_DOT_CR /* that dot and a CR */
};

enum content_verdict {
    CONTENT_GOOD,
    CONTENT_BARE, /* a CR or LF on its own, or NUL */
    CONTENT_TOO_BIG
};

struct smtp_server {
    const char *hostname;                    /* borrowed */
    const struct smtp_server_limits *limits; /* borrowed */
    const struct smtp_server_ops *ops;       /* borrowed */
    void *arg;
    enum server_state state;
    struct wire out;
    struct buf line;    /* own: beginning of a command line */
    struct buf pending; /* own: input that came while waiting */
    bool is_running;    /* in server_run: an answer from within ops.end does not nest */
    bool is_skipping;   /* the rest of an overlong line */
    bool is_refusing;   /* refused by the greeting: only QUIT is served */
    bool is_draining;
    unsigned junk; /* since the last accepted message */

    struct smtp_envelope env;
    bool has_mail;

    enum content_at at;
    enum content_verdict verdict;
    bool is_dotted;  /* DATA, not BDAT */
    bool is_chunked; /* the transaction has had a BDAT */
    uint64_t content_bytes;
    uint64_t chunk_left;
    bool chunk_is_last;
    struct buf held_reply; /* own: behind a refused chunk; empty = the chunk is wanted */

    int64_t now_mono_ms;
    int64_t deadline_mono_ms;
};

/* server.c */
/* One line "code enhanced text". CR and LF in text become spaces. */
void server_reply(struct smtp_server *s, int code, const char *enhanced, const char *text);
void server_reply_to(struct wire *out, int code, const char *enhanced, const char *text);
/* 421 with our name (RFC 5321 4.2.3), and the end of the session. */
void server_close(struct smtp_server *s, const char *enhanced, const char *text);
/* End the transaction without a message: ops.abort when one is open. */
void server_drop(struct smtp_server *s);
/* For the log: something about mail was refused. to is printable or "". */
void server_rejected(struct smtp_server *s, const char *stage, const struct smtp_answer *a,
                     const char *to);
/* The content is complete and good: ask the owner. */
void server_end(struct smtp_server *s);

/* server_commands.c */
/* One line without its CR LF. */
void server_command(struct smtp_server *s, struct str line);
/* Replies to a command that is none, and counts it; closes the session when the budget is gone. */
void server_junk(struct smtp_server *s, int code, const char *enhanced, const char *text);

/* server_params.c: ESMTP parameters, of s without the leading space. Return 0, or the code to
 * answer: 501 or 555 (RFC 5321 4.1.1.11); *text is then static. */
int server_mail_params(struct smtp_envelope *e, struct str s, const char **text);
int server_rcpt_params(const struct smtp_envelope *e, struct smtp_server_rcpt *r, struct str s,
                       const char **text);

/* server_data.c */
void server_data_start(struct smtp_server *s, bool is_dotted);
/* Read content from *in. True when it is complete. */
bool server_data_read(struct smtp_server *s, struct str *in);
bool server_chunk_read(struct smtp_server *s, struct str *in);
/* The octets of DATA or of a chunk are complete. */
void server_data_finish(struct smtp_server *s);
void server_chunk_finish(struct smtp_server *s);

#endif
