/* SPDX-License-Identifier: ISC */
/*
 * The access token of one relay: fetched with the refresh token (RFC 6749 6), kept until a minute
 * before its end, one fetch at a time however many ask.
 */
#ifndef ENGINE_TOKEN_H
#define ENGINE_TOKEN_H

#include "core/engine/io.h"

struct token;

/* rc is borrowed for the token's life; changed is called when a fetch that token_want began has
 * ended. Returns new (free with token_free, which cancels). */
struct token *token_new(struct io *io, const struct relay_conf *rc, void (*changed)(void *arg),
                        void *arg);
void token_free(struct token *t);

enum token_state {
    TOKEN_READY,  /* token_text has it */
    TOKEN_WAIT,   /* changed will come */
    TOKEN_FAILED  /* token_why says why; the next call tries anew */
};
enum token_state token_want(struct token *t);
const char *token_text(const struct token *t); /* borrowed until the next call of another function */
const char *token_why(const struct token *t);  /* one phrase, printable */
/* The relay did not take it: the next token_want fetches another. */
void token_drop(struct token *t);

#endif
