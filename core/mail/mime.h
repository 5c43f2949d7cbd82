/* SPDX-License-Identifier: ISC */
/*
 * Content made fit for a next hop: what it cannot take is encoded, and nothing else is touched (RFC
 * 2045, 2046, 2047, 2231; engine.md 2.4).
 *
 *   - text with octets over 127 becomes quoted-printable, anything else base64, and the field
 *     Content-Transfer-Encoding says so (RFC 6152 3)
 *   - the same for lines over 998 octets, for NUL, and for a CR or LF that stands alone: no server may
 *     be sent those (RFC 5321 2.3.8, 4.5.3.1.6)
 *   - header fields with octets over 127 get encoded words (RFC 2047) or encoded parameters (RFC 2231);
 *     lines too long are folded
 *   - parts that are encoded already stay as they are, but for what their own coding forbids
 *   - multipart/ and message/rfc822 are never encoded themselves: their parts are (RFC 2045 6.4)
 *
 * A stream: pieces in, pieces out. It keeps at most one header (HEADER_BYTES_MAX), the beginning of
 * one part (MIME_LOOK_MAX), and the lines of one piece, whatever the content is made of.
 *
 * What may not be touched is given on as it is, and if that is not fit, the conversion fails: signed
 * content (a DKIM-Signature, multipart/signed), and what nobody can encode (message/partial, a coding
 * that is not known, parts nested over MIME_DEPTH_MAX deep). A text around the parts of a multipart,
 * which RFC 2046 5.1.1 tells readers to ignore, gets "?" for each octet over 127.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "core/base/buf.h"

#define MIME_DEPTH_MAX 32
#define MIME_LOOK_MAX  (64u * 1024) /* a part up to that size is encoded only if it must be */

enum mime_target {
    MIME_TO_8BIT, /* the next hop has 8BITMIME: only lines and lone CR, LF, NUL matter */
    MIME_TO_7BIT
};

struct mime; /* opaque */

/* Returns new (free with mime_free). */
struct mime *mime_new(enum mime_target to);
void mime_free(struct mime *m);
/*
 * Content in CRLF form, cut anywhere; what is ready is appended to out, which may be nothing. False
 * when it cannot be converted, for the reason that mime_why gives: then what was appended before is
 * worth nothing. mime_end must follow the last piece.
 */
bool mime_add(struct mime *m, struct str piece, struct buf *out);
bool mime_end(struct mime *m, struct buf *out);
/* Why it failed, in words that follow "the content cannot be made fit: "; NULL when it has not.
 * Static. */
const char *mime_why(const struct mime *m);

/* What content asks of its way. */
struct mime_facts {
    bool has_8bit;      /* an octet over 127 */
    bool has_bad_lines; /* a line over 998 octets, a NUL, a CR or LF that stands alone */
    /* Why mime_add to that target would fail; NULL = it would not. Static. */
    const char *no_7bit_why;
    const char *no_8bit_why;
};

/* A converter that only looks: mime_add and mime_end take NULL for out, and never fail. */
struct mime *mime_new_scan(void);
/* Complete after mime_end. */
const struct mime_facts *mime_scan_facts(const struct mime *m);
/* MSG_8BIT, MSG_LINES, MSG_FIXED of content that is whole. */
unsigned mime_flags(struct str content);
unsigned mime_facts_flags(const struct mime_facts *f);

/*
 * Append a header (up to and with its empty line, or a part of it), its octets over 127 encoded. False,
 * with out as it was, when a field has some where no encoding is allowed: in an address, a Message-ID.
 * Such a message needs SMTPUTF8 (RFC 6531).
 */
bool mime_header_encode(struct str header, struct buf *out);

#endif
