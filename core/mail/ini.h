/* SPDX-License-Identifier: ISC */
/*
 * A strict reader for the INI grammar of the configuration (DESIGN section 9), one line at a time,
 * with the line's number for error messages:
 *
 *   line    = blank | comment | section | setting ;
 *   comment = [WS] ( "#" | ";" ) text ;            only on a line of its own
 *   section = "[" word [ WS ( word | DQUOTE text DQUOTE ) ] "]" ;
 *   setting = [WS] key [WS] "=" [WS] value ;
 *
 * Ours, because inih cuts lines at 199 bytes and section names at 49 in silence, joins indented
 * lines, and does not say which line a value stood on. No includes, no continuation lines, no
 * escapes: what is not in the grammar is an error.
 */
#ifndef MAIL_INI_H
#define MAIL_INI_H

#include "core/base/buf.h"

#define INI_LINE_MAX 4096 /* octets of one line */

enum ini_kind { INI_SECTION, INI_SETTING, INI_END, INI_ERROR };

struct ini_item {
    enum ini_kind kind;
    unsigned line;    /* from 1 */
    struct str name;  /* the section's word, or the key; all borrowed from the text */
    struct str value; /* the section's argument without quotes, or the value, trimmed */
    bool has_value;   /* a section's argument was given */
    const char *why;  /* static, with INI_ERROR */
};

struct ini {
    struct str rest; /* borrowed */
    unsigned line;
};

void ini_init(struct ini *r, struct str text);
/* The next section or setting; INI_END at the end, INI_ERROR at the first line that does not parse. */
void ini_next(struct ini *r, struct ini_item *out);

#endif
