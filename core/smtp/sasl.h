/* SPDX-License-Identifier: ISC */
/*
 * SASL for logging in at a relay (RFC 4954): which mechanism, and the client's words in it. PLAIN
 * (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195), SCRAM-SHA-256 with and without channel binding (RFC 5802,
 * 7677), XOAUTH2 (Google's and Microsoft's documents), OAUTHBEARER (RFC 7628). Base64 is here.
 *
 * The words go out as they stand: PRECIS (RFC 8265) is not applied, so that a password that is not
 * ASCII must be written as the relay stores it.
 */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include "core/base/buf.h"
#include "core/mail/conf.h"
#include "core/mail/digest.h"
#include "core/mail/outcome.h"

/* RFC 4954 4: octets of a line during the exchange, CR LF included. */
#define SASL_LINE_MAX 12288
/* RFC 5321 4.5.3.1.4: of the AUTH command itself; a longer first word waits for its 334. */
#define SASL_COMMAND_MAX 512

/* What the choice is made from. */
struct sasl_offer {
    struct str mechs; /* as in the EHLO line: "PLAIN LOGIN CRAM-MD5" */
    bool is_tls;
    bool has_binding; /* of the TLS session */
    bool has_nonce;   /* SCRAM can be spoken */
    bool is_token;    /* the secret is an access token */
};

/* PLAIN, LOGIN and tokens only under TLS. AUTH_NONE when nothing fits: *why is then static, what the
 * client's document says behind "SASL authentication failed; server HOST[IP]". */
enum auth_mech sasl_choose(enum auth_mech wanted, const struct sasl_offer *o, const char **why);
/* Its registered name: "SCRAM-SHA-256". Static. */
const char *sasl_name(enum auth_mech m);
bool sasl_is_offered(struct str mechs, const char *name);

/* One login. The strings are borrowed for its life. */
struct sasl {
    enum auth_mech mech;
    const char *user;
    const char *secret; /* password or token */
    const char *host;   /* OAUTHBEARER tells them */
    uint16_t port;
    const char *nonce;                 /* printable, no comma; "" = none */
    const struct tls_binding *binding; /* type NULL = none */
    bool is_plus_offered;              /* SCRAM-SHA-256-PLUS was in the EHLO line */
    /* its own */
    unsigned step;
    bool is_proven; /* SCRAM: the server knows the password, too */
    struct buf first_bare;
    unsigned char signature[DIGEST_SHA256_N]; /* of the server, as it must be */
    char told[200]; /* printable: what the server said of the failure within the exchange */
};
void sasl_done(struct sasl *s);

/* The client's first word is appended, in base64; false when the mechanism has the server speak
 * first. */
bool sasl_start(struct sasl *s, struct buf *out);
/* Answer a 334: base64 is appended (may be nothing: an empty line). False: cancel with "*"; *why is
 * static, a predicate of "the server". */
bool sasl_answer(struct sasl *s, struct str challenge, struct buf *out, const char **why);
/* Is a 235 to be believed now? False: *why as above. */
bool sasl_is_complete(const struct sasl *s, const char **why);
/* "AUTH MECH WORD"; an empty word is "=" (RFC 4954 4). */
void sasl_command(struct buf *out, enum auth_mech m, struct str word);

/* A user name within SCRAM or the header of GSS-API: "," and "=" are coded (RFC 5802 5.1, 5801 4). */
void sasl_add_name(struct buf *out, const char *name);

/* sasl_scram.c: the same as above, without base64. */
void scram_first(struct sasl *s, struct buf *out);
bool scram_final(struct sasl *s, struct str server_first, struct buf *out, const char **why);
bool scram_verify(struct sasl *s, struct str server_final, const char **why);

/* sasl_base64.c */
void base64_encode(struct buf *out, struct str s);
bool base64_decode(struct buf *out, struct str s);

#endif
