/* SPDX-License-Identifier: ISC */
/* The answer of a token endpoint (RFC 6749 5.1, 5.2), which is JSON: here, where the JSON library is. */
#ifndef CTL_OAUTH_H
#define CTL_OAUTH_H

#include "core/base/buf.h"

#define OAUTH_TOKEN_MAX 8192

struct oauth_answer {
    char *access_token;  /* own, or NULL: then why says what the server answered */
    char *refresh_token; /* own, or NULL: the old one goes on */
    int64_t expires_s;   /* 0 = it did not say */
    char why[300];       /* "invalid_grant: Token has been revoked", printable */
};

/* body is what a server sent: any bytes. Free with oauth_answer_done. */
void oauth_parse(struct str body, struct oauth_answer *out);
void oauth_answer_done(struct oauth_answer *a);

#endif
