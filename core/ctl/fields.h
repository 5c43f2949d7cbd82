/* SPDX-License-Identifier: ISC */
/*
 * A struct's members as a table, so that writing and reading JSON are one list and cannot drift
 * apart. Private to core/ctl, but for fields_text and fields_line, which --json uses too.
 */
#ifndef CTL_FIELDS_H
#define CTL_FIELDS_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/err.h"

enum field_kind {
    FIELD_TEXT,     /* char[size] */
    FIELD_I64,      /* int64_t, 0..INT64_MAX */
    FIELD_U64,      /* uint64_t; JSON has no more than INT64_MAX, so larger ones are cut to that */
    FIELD_UNSIGNED, /* unsigned */
    FIELD_BOOL,
    FIELD_ENUM,  /* an enum as int, by its name */
    FIELD_OBJECT /* a struct inside, by its own table */
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t at, size;                     /* offset and sizeof of the member */
    const char *(*enum_name)(int value); /* NULL behind the last */
    const struct field *fields;          /* FIELD_OBJECT; ends with a NULL name */
};

/* Valid UTF-8 whatever the bytes are: what is invalid becomes U+FFFD. Returns new (json_decref). */
json_t *fields_text(struct str s);
/* A JSON object of the members of *from. Returns new (json_decref). */
json_t *fields_write(const struct field *table, const void *from);
/*
 * Read the members that the object has into *to; the others stay as they are. is_strict: a key that
 * is in no table (also_known, NULL-ended, may be NULL: names that somebody else reads) and a text
 * that is too long are errors; else the first is ignored, and the second cut. E_SYNTAX, E_LIMIT.
 */
int fields_read(const struct field *table, json_t *object, bool is_strict,
                const char *const *also_known, void *to, struct err *err);

/* A line as one JSON object, or E_LIMIT, E_SYNTAX with one printable sentence. Returns new. */
json_t *fields_parse_line(struct str line, size_t max, struct err *err);
/* The object as one line with its newline. */
void fields_line(json_t *object, struct buf *out);

#endif
