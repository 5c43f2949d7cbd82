/* SPDX-License-Identifier: ISC */
/*
 * The filter language: one for list, group, act and log, on the command line and in the console.
 *
 *   filter  = *( [WS] ["-"] term ) ;
 *   term    = word ":" value | text ;          word is one of the names below
 *   value   = [ ">" | ">=" | "<" | "<=" ] text ; the comparisons only for age tries size next since
 *   text    = 1*( any but WS and DQUOTE ) | DQUOTE *( any but DQUOTE ) DQUOTE ;
 *
 * The same word repeated is OR, different words are AND, free texts are AND, "-" excludes.
 * to: from: match part of the address, or the whole domain when they begin with "@"; domain: site:
 * relay: cause: owner: match the whole (a "*" in it matches any run); state: status: code: dsn: id:
 * are exact (dsn:4.7 and code:4 match as prefixes); age: next: take durations, size: sizes, since:
 * a time; has:escapes. Without a comparison age: and size: are at least, next: is at most, since: is
 * from then on. A text without ":" (or where a word cannot stand before it: "http://...", "[::1]:25")
 * matches anywhere, ASCII case folded; any other unknown word is an error, because it would find
 * nothing. What is in quotes from its first character is text, always.
 */
#ifndef MAIL_FILTER_H
#define MAIL_FILTER_H

#include "core/base/buf.h"
#include "core/base/err.h"

#define FILTER_TERMS_MAX 64
#define FILTER_BYTES_MAX 2000

enum filter_word {
    FILTER_TEXT,
    FILTER_TO, FILTER_FROM, FILTER_DOMAIN, FILTER_SITE, FILTER_STATE, FILTER_STATUS, FILTER_CAUSE,
    FILTER_OWNER, FILTER_CODE, FILTER_DSN, FILTER_ID, FILTER_AGE, FILTER_TRIES, FILTER_SIZE,
    FILTER_NEXT, FILTER_SINCE, FILTER_RELAY, FILTER_HAS,
    FILTER_WORD_COUNT
};

enum filter_op { FILTER_EQ, FILTER_GT, FILTER_GE, FILTER_LT, FILTER_LE };

struct filter_term {
    enum filter_word word;
    enum filter_op op;
    bool is_excluded;
    char *text;     /* own: the value as written, without quotes */
    int64_t number; /* AGE, NEXT: ms; TRIES; SIZE: bytes; SINCE: wall ms; STATE: enum rcpt_state or
                       FILTER_STATE_*; STATUS: enum log_status; ID: the id */
};

/* Derived states. */
#define FILTER_STATE_DEFERRED 100 /* queued, tried before */
#define FILTER_STATE_STUCK    101 /* will not leave by itself: held */

struct filter {
    size_t n;
    struct filter_term terms[FILTER_TERMS_MAX];
};

/* Parse; now_wall_ms resolves since:. On failure (E_SYNTAX, one sentence with the word at fault and
 * what is allowed) *out is empty. filter_done after success. An empty text matches everything. */
int filter_parse(struct str text, int64_t now_wall_ms, struct filter *out, struct err *err);
void filter_done(struct filter *f);
/* Canonical text, that parses to the same filter. */
void filter_text(const struct filter *f, struct buf *out);
const char *filter_word_name(enum filter_word w); /* "to", ...; "" for FILTER_TEXT */

/* For log lines (whole-line text): TO FROM DOMAIN STATUS CODE DSN ID RELAY TEXT HAS SINCE are answered
 * from the line; words that a line cannot answer are ignored. wall_ms is the line's time. */
bool filter_match_line(const struct filter *f, struct str line, int64_t wall_ms);

#endif
