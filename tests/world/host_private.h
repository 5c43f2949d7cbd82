/* SPDX-License-Identifier: ISC */
/* What the parts of the session machine share: host.c (output and time), host_commands.c, host_content.c. */
#ifndef WORLD_HOST_PRIVATE_H
#define WORLD_HOST_PRIVATE_H

#include "tests/world/host.h"

enum host_mode {
    HOST_COMMANDS,
    HOST_AUTH,    /* a response to a challenge is due */
    HOST_CONTENT, /* after 354 */
    HOST_CHUNK,   /* octets of a BDAT */
    HOST_DEAF     /* nothing is answered any more */
};

struct host_session {
    struct world *w;
    struct world_host *h;
    char client[48];
    char helo[256];
    unsigned number;
    int64_t now_ms;
    enum host_mode mode;
    struct buf in, out;
    /* A reply that is withheld, or goes out octet by octet. */
    struct buf held;
    int64_t held_until_ms, trickle_ms;
    enum world_act then; /* once held is out */
    enum host_wish wish;
    bool is_greeted, is_esmtp, is_tls, is_auth, tls_fails;
    bool may_pipeline; /* the command under way may be followed by others */
    /* authentication */
    char mech[16];
    char user[128];
    unsigned auth_step;
    /* the transaction */
    unsigned mails;          /* transactions so far in this session */
    struct world_mail *mail; /* own, NULL before MAIL */
    bool is_8bit_declared, is_utf8_declared, is_in_header, has_early_reply;
    bool saw_8bit, saw_bare, saw_long;
    uint64_t chunk_left, chunk_bytes; /* of the chunk under way: to come, come */
    bool is_last_chunk;
    bool is_chunk_refused; /* and what follows, until LAST or RSET */
};

/*
 * Answer: the rule for (stage, arg) or else this reply; lines of text are separated by \n. Returns
 * the code that went out, 0 when it was none.
 */
int host_answer(struct host_session *s, enum world_stage stage, const char *arg, int code,
                const char *enhanced, const char *text);
const struct world_rule *host_rule(struct host_session *s, enum world_stage stage, const char *arg,
                                   uint64_t bytes);
/* Do what the rule says; returns the code, 0 for none. */
int host_obey(struct host_session *s, const struct world_rule *r, const char *arg);
/* Without looking for a rule. */
void host_say(struct host_session *s, int code, const char *enhanced, const char *text);
bool host_offers(const struct host_session *s, const char *keyword);

void host_command(struct host_session *s, struct str line);
void host_auth_response(struct host_session *s, struct str line);
/* Take content from s->in; false when more octets are needed. */
bool host_content(struct host_session *s);
bool host_chunk(struct host_session *s);
void host_content_start(struct host_session *s);
void host_transaction_drop(struct host_session *s);

#endif
