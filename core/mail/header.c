/* SPDX-License-Identifier: ISC */
/*
 * Walking a header. Nothing here looks at a byte more than a few times, however the header is made:
 * each field is found by one scan for its end.
 */
#include "core/mail/header.h"

/* RFC 5322 2.2: printable ASCII but ":". */
static bool is_name_char(char c)
{
    return c > ' ' && c < 0x7f && c != ':';
}

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* Octets up to and with the CRLF that no continuation line follows; all when there is none. */
static size_t field_length(struct str s)
{
    size_t at = 0;

    for (;;) {
        const char *lf = at < s.n ? memchr(s.p + at, '\n', s.n - at) : NULL;
        if (!lf)
            return s.n;
        at = (size_t)(lf - s.p) + 1;
        if (at >= 2 && s.p[at - 2] == '\r' && (at == s.n || !is_wsp(s.p[at])))
            return at;
    }
}

bool header_next(struct str *rest, struct str *name, struct str *body, struct str *whole)
{
    size_t n = 0, colon;

    while (n < rest->n && is_name_char(rest->p[n]))
        n++;
    /* RFC 5322 4.5: blanks before the colon are obsolete, not wrong. */
    for (colon = n; colon < rest->n && is_wsp(rest->p[colon]);)
        colon++;
    if (!n || colon == rest->n || rest->p[colon] != ':')
        return false;

    *name = str_sub(*rest, 0, n);
    *whole = str_sub(*rest, 0, colon + field_length(str_sub(*rest, colon, rest->n)));
    *body = str_trim(str_sub(*whole, colon + 1, whole->n));
    *rest = str_sub(*rest, whole->n, rest->n);
    return true;
}

bool header_find(struct str header, const char *name, struct str *body)
{
    struct str field, text, whole;

    while (header_next(&header, &field, &text, &whole)) {
        if (str_ieq_z(field, name)) {
            *body = text;
            return true;
        }
    }
    return false;
}

unsigned header_hops(struct str header)
{
    struct str name, body, whole;
    unsigned hops = 0;

    while (header_next(&header, &name, &body, &whole))
        if (str_ieq_z(name, "Received"))
            hops++;
    return hops;
}

void header_digest(struct str header, struct msg_digest *out)
{
    const struct {
        const char *name;
        char *text;
    } kinds[] = {{"From", out->from},
                 {"Subject", out->subject},
                 {"Message-ID", out->message_id},
                 {"Date", out->date}};
    struct str name, body, whole;

    *out = (struct msg_digest){0};
    while (header_next(&header, &name, &body, &whole))
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            if (!kinds[i].text[0] && str_ieq_z(name, kinds[i].name))
                header_decode(body, kinds[i].text, MSG_DIGEST_MAX + 1);
}

void header_fold_word(struct buf *out, size_t *column, struct str word)
{
    bool is_too_long = *column > 1 && *column + 1 + word.n > 78;

    /* The blank stands behind the line end, so that unfolding gives the blank back. */
    buf_add_z(out, is_too_long ? "\r\n " : " ");
    buf_add_str(out, word);
    *column = (is_too_long ? 1 : *column + 1) + word.n;
}
