/* SPDX-License-Identifier: ISC */
/*
 * What a refusal or an error means, who must act, and what to do: for replies of servers, for what
 * the network and the DNS said, and for our own errors. The knowledge is data (explain.rules, whose
 * head comment is the manual of its language), built in; an administrator's file may add to it.
 *
 *   facts ──► words ──► patterns found ──► rules whose conditions hold ──► the best one speaks
 *
 * The best rule is that with the highest priority; among equals that whose pattern has most words,
 * then most conditions, then the first by name: so the order in the file means nothing. When no rule
 * holds the class is UNKNOWN, and the basic code's meaning (RFC 5321 4.2) is told: no answer is better
 * than a wrong one. Time and memory are linear in the text, whatever its bytes are.
 */
#ifndef MAIL_EXPLAIN_H
#define MAIL_EXPLAIN_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/mail/outcome.h"

/* May be stored as numbers: only add at the end. */
enum explain_class {
    EXPLAIN_UNKNOWN,
    EXPLAIN_OK, /* accepted by the next server */
    EXPLAIN_NET_TIMEOUT,
    EXPLAIN_NET_REFUSED,
    EXPLAIN_NET_NOROUTE,
    EXPLAIN_NET_UNREACH,
    EXPLAIN_NET_DENIED,
    EXPLAIN_NET_SRCADDR,
    EXPLAIN_NET_LOST,
    EXPLAIN_NET_MIDDLEBOX,
    EXPLAIN_DNS_NXDOMAIN,
    EXPLAIN_DNS_TEMP,
    EXPLAIN_DNS_NOMX,
    EXPLAIN_DNS_NULLMX,
    EXPLAIN_DNS_BADMX,
    EXPLAIN_TLS_WE_REQUIRE,
    EXPLAIN_TLS_THEY_REQUIRE,
    EXPLAIN_TLS_HANDSHAKE,
    EXPLAIN_TLS_POLICY,
    EXPLAIN_SASL_TLSOFF,
    EXPLAIN_SASL_MECH,
    EXPLAIN_SASL_CRED,
    EXPLAIN_ID_PTR,
    EXPLAIN_ID_HELO,
    EXPLAIN_ID_SENDERDOMAIN,
    EXPLAIN_ID_SENDER,
    EXPLAIN_AUTH_SPF,
    EXPLAIN_AUTH_DKIM,
    EXPLAIN_AUTH_DMARC,
    EXPLAIN_AUTH_NONE,
    EXPLAIN_REP_DNSBL,
    EXPLAIN_REP_PROVIDER,
    EXPLAIN_REP_NEWIP,
    EXPLAIN_REP_DYNAMIC,
    EXPLAIN_SPAM_CONTENT,
    EXPLAIN_RATE_US,
    EXPLAIN_RATE_RCPT,
    EXPLAIN_RATE_GREY,
    EXPLAIN_RATE_CONN,
    EXPLAIN_RCPT_UNKNOWN,
    EXPLAIN_RCPT_DISABLED,
    EXPLAIN_RCPT_FULL,
    EXPLAIN_RCPT_CLOSED,
    EXPLAIN_RELAY_DENIED,
    EXPLAIN_MSG_SIZE,
    EXPLAIN_MSG_FORMAT,
    EXPLAIN_MSG_BLOCKED,
    EXPLAIN_SRV_TEMP,
    EXPLAIN_SRV_CONF,
    EXPLAIN_SRV_PROTO,
    EXPLAIN_SRV_LOOP,
    EXPLAIN_EXPIRED,
    EXPLAIN_POLICY,
    EXPLAIN_CLASS_COUNT
};

/* Who must act. May be stored as numbers. */
enum explain_owner {
    EXPLAIN_OWNER_UNKNOWN,
    EXPLAIN_US_NET,  /* our firewall, route or provider */
    EXPLAIN_US_DNS,  /* our records */
    EXPLAIN_US_CONF, /* our configuration, or that of our relay */
    EXPLAIN_US_REP,  /* the reputation of our address or domain */
    EXPLAIN_US_MSG,  /* this message: who wrote it, or the program that made it */
    EXPLAIN_RCPT,    /* the recipient, or who wrote the address */
    EXPLAIN_REMOTE,  /* their server or their DNS */
    EXPLAIN_WAIT,    /* nobody: the next try does it */
    EXPLAIN_OWNER_COUNT
};

enum explain_permanence {
    EXPLAIN_TEMP,       /* temporary, as the code says */
    EXPLAIN_PERM,       /* for good: nobody's repair helps this message */
    EXPLAIN_FIXABLE,    /* for good by its code, and it will work after our repair: hold it */
    EXPLAIN_TRULY_TEMP, /* for good by its code, but time cures it */
    EXPLAIN_ACCEPTED,   /* no failure at all */
    EXPLAIN_PERMANENCE_COUNT
};

#define EXPLAIN_SENTENCE_MAX 640

struct explanation {
    enum explain_class class;
    enum explain_owner owner;
    enum scope scope;
    enum explain_permanence permanence;
    int64_t
        retry_after_ms; /* the server's own "try again in", or what is known of it; 0 = neither */
    const char *rule;   /* its name, borrowed from the explainer */
    /* All printable, whatever the peer sent. */
    char cause[EXPLAIN_SENTENCE_MAX];
    char next[EXPLAIN_SENTENCE_MAX];
    char link[256]; /* theirs when they gave one, else ours, or "" */
};

/* What one outcome cannot know. */
struct explain_around {
    unsigned
        sites_alike; /* unrelated sites that fail in the same way now, this one included; 0 = not
                             known. From three on a failure of the network is taken as ours */
    bool is_relay;   /* met at a relay of ours, not at the recipient's server */
};

struct explainer;

/* The built-in rules, and those of a file (NULL or "" = none). Reads and checks some hundred KiB, so keep
 * it. E_CONFIG "FILE:LINE: what is wrong", E_NOTFOUND, E_DENIED, E_IO. *out is new (explainer_free).
 * An explainer holds scratch memory: one thread at a time. */
int explainer_new(const char *rules_path, struct explainer **out, struct err *err);
void explainer_free(struct explainer *e); /* NULL is fine */

/* around may be NULL. */
void explain_outcome(struct explainer *e, const struct outcome *o,
                     const struct explain_around *around, struct explanation *out);
/* A reply, an error text, a line of a log or a sentence of outcome_sentence(): the code, the enhanced
 * code, the stage and the host are found in it. Of more than EXPLAIN_TEXT_MAX octets the rest is not
 * read. */
#define EXPLAIN_TEXT_MAX 8192
void explain_text(struct explainer *e, struct str text, struct explanation *out);

/* The text with everything that differs from message to message taken out, so that equal causes group:
 * "<addr> user unknown <id>". Lower case, printable, cut at size. */
void explain_signature(struct str text, char *out, size_t size);

const char *explain_class_name(enum explain_class c);  /* "NET.TIMEOUT" */
const char *explain_owner_name(enum explain_owner o);  /* "US-NET", "?" */
const char *explain_owner_words(enum explain_owner o); /* "our network or provider" */
const char *explain_permanence_name(
    enum explain_permanence p); /* "temp", "perm-but-fixable", ... */
const char *explain_permanence_words(enum explain_permanence p); /* "for good", ... */
const char *explain_scope_words(enum scope s); /* "this recipient", "everything from our address" */
/* Unknown names: EXPLAIN_CLASS_COUNT, EXPLAIN_OWNER_COUNT. */
enum explain_class explain_class_by_name(struct str name);
enum explain_owner explain_owner_by_name(struct str name);

#endif
