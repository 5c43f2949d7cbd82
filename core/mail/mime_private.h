/* SPDX-License-Identifier: ISC */
/* What the mime*.c files share. Nobody else includes it. */
#ifndef MAIL_MIME_PRIVATE_H
#define MAIL_MIME_PRIVATE_H

#include "core/mail/header.h"
#include "core/mail/mime.h"

/* RFC 2046 5.1.1 says 70; some writers do not count. */
#define MIME_BOUNDARY_MAX 200

/* --- what is wrong with octets (mime_code.c) --- */

#define FLAW_8BIT 1u /* an octet over 127 */
#define FLAW_LONG 2u /* a line over LINE_BYTES_MAX */
#define FLAW_LONE 4u /* NUL, or a CR or LF that is no line's end */

/* Of octets without line ends: FLAW_8BIT, FLAW_LONE. */
unsigned mime_flaws(struct str text);
/* Of whole lines. */
unsigned mime_lines_flaws(struct str lines);

/* --- transfer encodings as streams (mime_code.c) --- */

enum mime_coding {
    CODING_NONE,       /* nothing is done */
    CODING_QP,         /* encode as quoted-printable (RFC 2045 6.7) */
    CODING_BASE64,     /* encode as base64 (RFC 2045 6.8) */
    CODING_QP_MEND,    /* what says that it is quoted-printable, and is not quite */
    CODING_BASE64_MEND /* what says that it is base64, and is not quite */
};

struct mime_coder {
    enum mime_coding coding;
    size_t column;      /* octets in the line that is being written */
    bool is_soft_start; /* quoted-printable: that line begins behind a soft line break */
    bool has_cr;        /* the last octet was a CR, not written yet */
    char blank;         /* the last octet was this blank, not written yet; 0 = none */
    unsigned owed;      /* mend: octets that belong to the "=" before them */
    unsigned char group[3];
    unsigned group_n;
};

void mime_coder_start(struct mime_coder *c, enum mime_coding coding);
/* CODING_QP, CODING_BASE64: octets, cut anywhere. */
void mime_coder_add(struct mime_coder *c, struct str octets, struct buf *out);
/* The encoded text is complete; it does not end its line unless the octets did. */
void mime_coder_end(struct mime_coder *c, struct buf *out);
/* CODING_*_MEND: a line with flaws, without its end, or a part of one. False when it cannot be mended. */
bool mime_coder_mend(struct mime_coder *c, struct str text, bool is_line_start, struct buf *out);

/* --- the header of an entity (mime_entity.c) --- */

enum mime_kind {
    MIME_TEXT,      /* a leaf for quoted-printable */
    MIME_OTHER,     /* a leaf for base64 */
    MIME_MULTIPART, /* level is where its parts are */
    MIME_MESSAGE,   /* message/rfc822: another header follows */
    MIME_FIXED      /* may not be touched, because of why */
};

enum mime_cte { CTE_7BIT, CTE_8BIT, CTE_QP, CTE_BASE64, CTE_UNKNOWN };

struct mime_level {
    char boundary[MIME_BOUNDARY_MAX];
    size_t boundary_n;
    bool is_digest; /* parts without a type are message/rfc822 (RFC 2046 5.1.5) */
};

struct mime_entity {
    enum mime_kind kind;
    enum mime_cte cte; /* 8BIT stands for binary too */
    bool has_type, has_version;
    bool is_fixed_header; /* the header itself may not be touched */
    const char *why;      /* static */
    struct mime_level level;
};

/* is_top: the message's own header, where a DKIM-Signature counts. */
void mime_entity_read(struct str header, bool is_top, bool is_digest_part, struct mime_entity *e);

/* --- writing headers (mime_header.c) --- */

/* Append a field with its octets over 127 encoded; false when they cannot be. The result may have
 * lines that are too long. */
bool mime_field_encode(struct str name, struct str whole, struct buf *out);
/* Fields one by one, flawed ones mended as far as cared (FLAW_*) says, without Content-Transfer-Encoding
 * when drops_cte. Returns the flaws that could not be mended; such fields are left out. */
unsigned mime_fields_write(struct str header, unsigned cared, bool drops_cte, struct buf *out);

/* Append words of a field's text that are to be encoded (RFC 2047), behind the blanks that are given;
 * *column is where the line is. */
void mime_words_encode(struct buf *out, size_t *column, struct str blanks, struct str text);
/* Append a word as it is, on a new line when the line would become longer than 76. */
void mime_word_put(struct buf *out, size_t *column, struct str blanks, struct str word);
bool mime_is_encoded_word(struct str word);

#endif
