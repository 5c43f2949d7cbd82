/* SPDX-License-Identifier: ISC */
/*
 * The scripted internet: DNS records and mail hosts with personalities, read from a .world file
 * (README.md has the language). Pure: no sockets, no clock. Two drivers use it: worldd over real
 * sockets, the simulator under virtual time.
 *
 * A struct world holds the file and what happened in it: counters of "first=2", the mail that was
 * received, the violations of the standards that its hosts saw.
 */
#ifndef WORLD_WORLD_H
#define WORLD_WORLD_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/mail/addr.h"
#include "core/mail/dnsdata.h"

#define WORLD_HOST_IPS_MAX 4

/* Where a rule applies. */
enum world_stage {
    WORLD_CONNECT,
    WORLD_GREETING,
    WORLD_EHLO,
    WORLD_HELO,
    WORLD_STARTTLS,
    WORLD_TLS, /* the handshake */
    WORLD_AUTH,
    WORLD_MAIL,
    WORLD_RCPT,
    WORLD_DATA,
    WORLD_BODY, /* while the content comes: bytes=N */
    WORLD_EOD,
    WORLD_BDAT,
    WORLD_RSET,
    WORLD_NOOP,
    WORLD_QUIT,
    WORLD_STAGE_COUNT
};

enum world_act {
    WORLD_NORMAL, /* what the stage does without a rule */
    WORLD_REPLY,
    WORLD_RAW,     /* bytes as written */
    WORLD_SILENCE, /* never answer */
    WORLD_CLOSE,   /* orderly, after what was written */
    WORLD_RESET,
    WORLD_FAIL, /* the handshake */
    /* of connect: */
    WORLD_REFUSE,
    WORLD_TIMEOUT,
    WORLD_NO_ROUTE, /* EHOSTUNREACH */
    WORLD_NO_NET,   /* ENETUNREACH */
    WORLD_EACCES
};

/* What "first=2" counts. */
enum world_per {
    WORLD_PER_HOST,
    WORLD_PER_SESSION,
    WORLD_PER_TRANSACTION,
    WORLD_PER_ARGUMENT,
    WORLD_PER_TRIPLET
};

struct world_rule {
    struct world_rule *next; /* own */
    enum world_stage stage;
    char *pattern; /* own; NULL = any argument */
    enum world_act act, then;
    int code;
    char enhanced[12];
    struct buf text; /* own: reply text with \n between lines, or raw bytes */
    unsigned repeat;
    int64_t delay_ms, trickle_ms;
    unsigned first, skip;
    int64_t within_ms;
    enum world_per per;
    int tls, auth; /* 0, 1, or -1 = does not matter */
    uint64_t bytes;
    unsigned line; /* where it stands in the file: its identity too */
};

struct world_personality {
    struct list link;
    char *name; /* own; NULL = a host's own */
    const struct world_personality *like;
    struct world_rule *rules; /* own, in file order */
    struct world_rule **rules_end;
    char **offers; /* own; EHLO keywords with their parameters */
    size_t offers_n;
    bool has_offers;
    char *user, *password; /* own, or NULL */
    bool is_cert_valid, has_cert;
};

struct world_host {
    struct list link;
    char name[ADDR_DOMAIN_MAX + 1];
    struct ip ips[WORLD_HOST_IPS_MAX];
    size_t ips_n;
    uint16_t port;                /* 0 = any */
    struct world_personality own; /* like = the one that was named */
    unsigned connections;         /* sessions so far */
    unsigned quits;               /* those in which the client said QUIT */
};

enum world_dns_special {
    WORLD_DNS_RECORD,
    WORLD_DNS_SERVFAIL,
    WORLD_DNS_REFUSED,
    WORLD_DNS_TIMEOUT,
    WORLD_DNS_NXDOMAIN,
    WORLD_DNS_NODATA,
    WORLD_DNS_MALFORMED,
    WORLD_DNS_SLOW /* only delays */
};

struct world_record {
    struct list link;
    char owner[DNS_NAME_MAX + 1];
    unsigned type; /* 0 = every type */
    enum world_dns_special special;
    struct dns_record rec;
    int64_t delay_ms;
    unsigned first, asked;
    bool is_authentic;
};

/* A message that a host took. */
struct world_mail {
    struct list link;
    const struct world_host *host;
    char client[48];
    char helo[256];
    char *from;   /* own */
    char *params; /* own: of MAIL FROM */
    char **rcpts; /* own, with their parameters behind a space */
    size_t rcpts_n;
    struct buf content; /* own: at most WORLD_CONTENT_MAX octets of it */
    uint64_t size_bytes;
    uint64_t hash; /* of the whole content */
    bool is_tls;
    char user[128];
    unsigned session; /* number of the host's session */
    int64_t at_ms;
};
#define WORLD_CONTENT_MAX (1024u * 1024)

struct world {
    struct list personalities, hosts, records;
    struct list mails; /* in the order of arrival */
    size_t mails_n;
    struct map seen;       /* "rule line, key" -> struct world_seen */
    struct buf violations; /* one line each */
    unsigned violations_n;
    uint64_t serial; /* makes queue ids */
};

void world_init(struct world *w);
void world_done(struct world *w);
/* Read a file on top of what is there; "include" is relative to the file. E_SYNTAX, E_NOTFOUND:
 * "FILE:LINE: what". */
int world_load(struct world *w, const char *path, struct err *err);
/* The same from memory; dir is for "include". */
int world_parse(struct world *w, struct str text, const char *name, const char *dir,
                struct err *err);

const struct world_host *world_host_by_name(const struct world *w, const char *name);
/* The host that listens there, or NULL. */
struct world_host *world_host_at(struct world *w, const struct ip *ip, uint16_t port);
struct world_personality *world_personality_by_name(const struct world *w, struct str name);
/* Does the host offer that EHLO keyword? Returns its parameters ("" when none), or NULL. */
const char *world_offer(const struct world_personality *p, const char *keyword);
const struct world_personality *world_offers_of(const struct world_personality *p);
bool world_cert_is_valid(const struct world_personality *p);
const struct world_personality *world_login_of(const struct world_personality *p);

/*
 * The rule for what happens now, or NULL for the normal course; counts the sight. arg is matched by
 * the rules' patterns. key distinguishes sessions, triplets: see enum world_per.
 */
struct world_look {
    enum world_stage stage;
    const struct world_host *host;
    const char *arg;
    const char *client, *from;
    unsigned session, transaction;
    bool is_tls, is_auth;
    uint64_t bytes;
    int64_t now_ms;
};
const struct world_rule *world_rule_for(struct world *w, const struct world_look *l);

/* "*" any run, "?" one character; ASCII case folded. */
bool world_glob(const char *pattern, const char *s);

/* A host saw something that the standards forbid. */
void world_violation(struct world *w, const struct world_host *h, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Takes the mail. */
void world_record_mail(struct world *w, struct world_mail *m);
void world_mail_free(struct world_mail *m);

/* What connecting to an address gives: 0 and the host, or an errno (ETIMEDOUT: nobody answers; the
 * driver decides how long that takes). */
int world_connect(struct world *w, const struct ip *ip, uint16_t port, const struct ip *client,
                  int64_t now_ms, struct world_host **host);

#endif
