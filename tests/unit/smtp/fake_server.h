/* SPDX-License-Identifier: ISC */
/*
 * A scripted mail server against the client machine, and a driver for the machine, in one. A script is
 * a list of steps: the client's bytes must be `expect`, no more and no less, and `answer` is given, cut
 * where the caller wants. Within an answer
 *     \1  ends the connection orderly
 *     \2  lets time pass until the machine's deadline
 *     \3  resets the connection
 * What the machine says becomes one line of text per event, to be compared with what is wanted; before
 * a DONE stands "LATER address" for each recipient that is postponed.
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include "core/smtp/client.h"

struct step {
    const char *expect; /* NULL ends the script; "" = at once */
    const char *answer; /* NULL = silence */
};

struct scenario {
    const char *name;
    enum tls_level tls;
    bool is_implicit_tls;
    enum tls_state handshake; /* how it ends; TLS_NOT_USED = encrypted */
    enum auth_mech auth;
    const char *user, *password;
    bool is_token, has_binding;
    const char *nonce; /* NULL = none */
    unsigned txns;     /* 0 = one */
    size_t rcpts;      /* 0 = one */
    unsigned flags;
    uint64_t size_bytes;
    uint64_t later_size_bytes; /* of the second transaction and so on; 0 = as the first's */
    bool finds_loops;
    const char *reverse_path; /* NULL = a@x.test */
    const char *envid, *orcpt;
    unsigned notify;
    enum dsn_ret ret;
    const char *body;  /* NULL = "hello\r\n" */
    size_t piece;      /* octets of content given at once; 0 = it does not matter, and varies */
    bool is_abandoned; /* at AT_END */
    bool is_waiting;   /* the next transaction begins after the last one's DONE only */
    const struct step *steps;
    const char *want;      /* events */
    const char *want_sent; /* all that the client sent; NULL = not looked at */
};

struct play {
    const struct scenario *sc;
    struct smtp_client *c;
    struct buf events;
    struct buf sent; /* everything the client sent */
    size_t taken;    /* of it by the script */
    size_t cut;      /* position in the server's stream where it is cut; 0 = nowhere */
    size_t every;    /* or: pieces of so many octets; 0 = whole answers */
    size_t piece;    /* octets of content given at once */
    size_t send_max; /* octets taken from the output at once; 0 = all */
    size_t streamed; /* server's octets so far */
    int64_t now;
    size_t body_at;
    unsigned begun, done;
    bool is_closed;
    struct smtp_txn txn[4];
    struct smtp_rcpt rcpt[4][4];
    char last_text[OUTCOME_TEXT_MAX]; /* of the newest outcome */
};

void play_init(struct play *p, const struct scenario *sc);
void play_run(struct play *p);
void play_done(struct play *p);
/* Fails the test unless events and octets are what the scenario wants. */
void play_assert(const struct scenario *sc, const struct play *p, const char *how, size_t at);
/* Whole, in pieces of 1, 2, 3 octets, and cut in two at every octet. */
void play_every_way(const struct scenario *sc);

/* What scripts are made of. STEPS makes the list. */
#define HELO_FULL                                                                                  \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 "       \
    "DSN\r\n"
#define HELO_BARE "250 mx.test\r\n"
#define BYE                                                                                        \
    {                                                                                              \
        "QUIT\r\n", "221 bye\r\n"                                                                  \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }
#define OK     "250 ok\r\n"
#define CLOSED "CLOSED delivered quit 221\n"
#define SENT   "DONE1 delivered eod 250 2.0.0\n"
#define MAIL   "MAIL FROM:<a@x.test>\r\n"
#define MAIL_7 "MAIL FROM:<a@x.test> SIZE=7\r\n"
#define RCPT_B "RCPT TO:<b@y.test>\r\n"
#define RCPT_C "RCPT TO:<c@y.test>\r\n"
#define DATA   "DATA\r\n"
#define GO     "354 go\r\n"
#define HELLO  "hello\r\n.\r\n"
/* Up to a session with all extensions, and up to one with none. */
#define UP_FULL                                                                                    \
    {"", "220 mx\r\n"},                                                                            \
    {                                                                                              \
        "EHLO me.test\r\n", HELO_FULL                                                              \
    }
#define UP_BARE                                                                                    \
    {"", "220 mx\r\n"},                                                                            \
    {                                                                                              \
        "EHLO me.test\r\n", HELO_BARE                                                              \
    }

#define STEPS(...)                                                                                 \
    (const struct step[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, END                                                                           \
    }

#endif
