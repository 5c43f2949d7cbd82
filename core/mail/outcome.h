/* SPDX-License-Identifier: ISC */
/*
 * What one try produced. A normal return value, whether the other side accepted, refused, or could
 * not be reached. Strings are never NULL; "" means not known.
 */
#ifndef MAIL_OUTCOME_H
#define MAIL_OUTCOME_H

#include "core/base/buf.h"
#include "core/mail/addr.h"
#include "core/mail/dnsdata.h"

/* Stored as numbers: never renumber. */
enum outcome_class {
    OUTCOME_DELIVERED,   /* 2xx: accepted by the next server, not "in the mailbox" */
    OUTCOME_DEFERRED,    /* try again later */
    OUTCOME_FAILED,      /* for good */
    OUTCOME_UNCONFIRMED, /* lost after the end of data (RFC 1047) */
    OUTCOME_CLASS_COUNT
};

/* Where it happened: which conversation, which command it answers. Stored as numbers. */
enum stage {
    STAGE_NONE,
    STAGE_ROUTE, /* our own configuration or policy, before any look-up */
    STAGE_DNS,
    STAGE_CONNECT,
    STAGE_GREETING,
    STAGE_EHLO,
    STAGE_STARTTLS,
    STAGE_TLS, /* the handshake */
    STAGE_AUTH,
    STAGE_MAIL,
    STAGE_RCPT,
    STAGE_DATA,
    STAGE_BODY, /* while the content was sent */
    STAGE_EOD,  /* the final dot or last chunk */
    STAGE_RSET,
    STAGE_QUIT,
    STAGE_LOCAL, /* this machine: disk, memory, store, operator */
    STAGE_COUNT
};

/* How far the trouble reaches: what else would meet it too. */
enum scope {
    SCOPE_RECIPIENT,
    SCOPE_MESSAGE,
    SCOPE_DOMAIN,
    SCOPE_HOST, /* this one server or address: another MX may do */
    SCOPE_SITE,
    SCOPE_SOURCE, /* our address */
    SCOPE_EVERYTHING,
    SCOPE_COUNT
};

enum tls_state {
    TLS_NOT_USED,
    TLS_ENCRYPTED, /* no authentication asked for */
    TLS_VERIFIED,  /* certificate and name verified */
    TLS_FAILED
};

/* What ties a login to this TLS session and no other (RFC 5929, 9266). */
struct tls_binding {
    const char *type; /* static: "tls-exporter", "tls-server-end-point"; NULL = none */
    unsigned char data[64];
    size_t n;
};

struct tls_facts {
    enum tls_state state;
    char version[16]; /* "TLSv1.3" */
    char cipher[48];
    char why[120]; /* failed or not verified: why */
    bool is_untrusted; /* failed over the certificate alone: no other hello would help */
    struct tls_binding binding; /* told once, when the handshake is over; never in an outcome */
};

#define OUTCOME_TEXT_MAX 1024

struct outcome {
    enum outcome_class class;
    enum stage stage;
    enum scope scope;
    int code;                /* SMTP reply code, 0 = none */
    int sys;                 /* errno, 0 = none */
    enum dns_status dns;     /* with STAGE_DNS */
    char enhanced[12];       /* "5.1.1", as sent or as we assign it (RFC 3463) */
    char text[OUTCOME_TEXT_MAX]; /* the reply's lines joined by space, or our sentence; raw bytes */
    char host[ADDR_DOMAIN_MAX + 1]; /* the MX or relay name */
    char ip[48];
    uint16_t port;
    struct tls_facts tls;
    bool is_suspended; /* not tried again this time: the site failed with this outcome just before */
    unsigned conn_use; /* transactions on this connection, this one included */
    bool is_dsn_passed; /* DELIVERED to a server with DSN (RFC 3461): it answers for reports now. Not stored */
    int64_t retry_after_ms; /* the server's own "try again in", 0 = none said */
    char tag[24]; /* a cause that no code or errno tells: "null-mx", "loop", "no-mechanism",
                     "not-offered", "SERVFAIL", "expired"; "" = none */
};

const char *outcome_class_name(enum outcome_class c); /* "delivered", "deferred", ... */
const char *stage_name(enum stage s);                 /* "connect", "rcpt", ... */
/* The command that a reply at this stage answers: "RCPT TO", "end of DATA". */
const char *stage_command(enum stage s);
const char *scope_name(enum scope s);
const char *tls_state_name(enum tls_state s);

/* An empty outcome of a stage. */
void outcome_init(struct outcome *o, enum outcome_class class, enum stage stage);

/* A reply from the server: class by its first digit (RFC 5321 4.2.1), with these exceptions: 552 at
 * RCPT is 452 (4.5.3.1.10), 421 never fails for good (3.8), a refusal of AUTH or STARTTLS is about
 * the session and defers, so does one of RSET or QUIT; the basic code wins over an enhanced code of
 * another class; anything outside 2..5, or an intermediate reply where a final one is due, is a
 * protocol error, 4.5.0. code and text stay as the server sent them. "try again in N minutes" in the
 * text of a deferral sets retry_after_ms. */
void outcome_from_reply(struct outcome *o, enum stage stage, int code, struct str enhanced,
                        struct str text);

/* A local or network failure at connect time or later: sets errno text ("Connection timed out"),
 * enhanced 4.4.1 (4.4.2 once the connection stood; 4.3.0, disk full 4.3.1, at STAGE_LOCAL). sys 0 is
 * an orderly close by the peer, taken as ECONNRESET. Always deferred: a loss after the end of data
 * is made OUTCOME_UNCONFIRMED by the caller, who knows that it was sent. */
void outcome_from_errno(struct outcome *o, enum stage stage, int sys);

/* A DNS failure: NXDOMAIN fails (5.1.2), NODATA fails (5.4.4); TEMP and malformed answers defer
 * (4.4.3). what is "MX" ... */
void outcome_from_dns(struct outcome *o, enum dns_status status, const char *what,
                      const char *name);
/* The same from an answer: its rcode or time-out becomes the tag ("SERVFAIL", "timeout"). */
void outcome_from_answer(struct outcome *o, const struct dns_answer *a, const char *what,
                         const char *name);
/* Put our own sentence into o->text. */
void outcome_say(struct outcome *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "ETIMEDOUT" and "Connection timed out", the same on every C library. Static. */
const char *outcome_errno_name(int sys);
const char *outcome_errno_text(int sys);

/* The signature by which equal causes group: "rcpt 550 5.1.1", "connect ETIMEDOUT",
 * "dns NXDOMAIN", "auth no-mechanism", at most 47 characters. */
void outcome_cause(const struct outcome *o, char out[48]);

/* The sentence for log and Info field, printable, as Postfix words it: "host mx[192.0.2.1] said:
 * 550 5.1.1 ... (in reply to RCPT TO command)", "connect to mx[192.0.2.1]:25: Connection refused". */
void outcome_sentence(const struct outcome *o, struct buf *out);

#endif
