/* SPDX-License-Identifier: ISC */
/*
 * What one try of a delivery did, line by line: for the operator who wants to see it with his own
 * eyes, and for a test made from a failure. A line is
 *
 *     MS WORD TEXT
 *
 * MS: milliseconds since the try began. Words: dns (what was asked and answered), mx (the candidates,
 * and why each stands where it does), try (a connection), tls, note, ">" (we said), "<" (they said).
 * Texts are printable: what a peer sent otherwise stands there as tokens (base/text.h). Secrets are
 * replaced before they get here.
 *
 * Bounded: the first lines and the last ones are kept, since those tell most.
 */
#ifndef MAIL_TRANSCRIPT_H
#define MAIL_TRANSCRIPT_H

#include "core/base/buf.h"
#include "core/mail/dnsdata.h"
#include "core/mail/route.h"

#define TRANSCRIPT_LINE_MAX 1000
#define TRANSCRIPT_HEAD_MAX (8u * 1024)
#define TRANSCRIPT_TAIL_MAX (8u * 1024)
/* What transcript_text gives at most. */
#define TRANSCRIPT_MAX (TRANSCRIPT_HEAD_MAX + TRANSCRIPT_TAIL_MAX + 200)

struct transcript {
    struct buf head, tail; /* own */
    bool is_head_full;
    unsigned left_out; /* lines between them */
    int64_t begin_mono_ms;
};

/* Empty, of a try that begins now. */
void transcript_begin(struct transcript *t, int64_t now_mono_ms);
void transcript_done(struct transcript *t);
bool transcript_is_empty(const struct transcript *t);
void transcript_add(struct transcript *t, int64_t now_mono_ms, const char *word, struct str text);
void transcript_printf(struct transcript *t, int64_t now_mono_ms, const char *word, const char *fmt,
                       ...) PRINTF_LIKE(4, 5);
/* The lines of another one behind those of this one, their times since this one's beginning: below
 * zero when they are older. */
void transcript_join(struct transcript *t, const struct transcript *from);
/* All lines, appended. */
void transcript_text(const struct transcript *t, struct buf *out);

/* "MX example.com: 10 mx1.example.com, 20 mx2.example.com (TTL 300 s)" */
void transcript_answer(struct transcript *t, int64_t now_mono_ms, const char *name, unsigned type,
                       const struct dns_answer *a);
/* "1. mx1.example.com, preference 10", "-. mail.example.org, preference 20: this is our own name" */
void transcript_route(struct transcript *t, int64_t now_mono_ms, const struct route *r);

#endif
