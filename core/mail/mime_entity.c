/* SPDX-License-Identifier: ISC */
/*
 * Reading the header of an entity: what kind of content follows, how it is coded, where its parts are.
 * What cannot be understood is what RFC 2045 5.2 makes of it: text. Of two fields of a name the first
 * one counts, as with most readers.
 */
#include "core/mail/mime_private.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Step over blanks and comments (RFC 5322 3.2.2). */
static void skip_blanks(struct str *s)
{
    unsigned depth = 0;

    while (s->n) {
        char c = s->p[0];
        if (!depth && !is_blank(c) && c != '(')
            return;
        bool is_pair = depth && c == '\\' && s->n > 1;
        depth += c == '(';
        depth -= depth && c == ')';
        *s = str_sub(*s, is_pair ? 2 : 1, s->n);
    }
}

/* RFC 2045 5.1: up to a blank or one of the special characters. */
static struct str take_token(struct str *s)
{
    size_t n = 0;

    while (n < s->n && !is_blank(s->p[n]) && !strchr("()<>@,;:\\\"/[]?=", s->p[n]))
        n++;
    struct str token = str_sub(*s, 0, n);
    *s = str_sub(*s, n, s->n);
    return token;
}

/* A quoted string or what stands up to the next ";": into out, cut when too long (false). */
static bool take_value(struct str *s, char *out, size_t size, size_t *n)
{
    bool is_quoted = s->n && s->p[0] == '"';
    size_t i = is_quoted ? 1 : 0;

    *n = 0;
    for (; i < s->n && s->p[i] != (is_quoted ? '"' : ';'); i++) {
        if (is_quoted && s->p[i] == '\\' && i + 1 < s->n)
            i++;
        if (*n < size)
            out[*n] = s->p[i];
        ++*n;
    }
    *s = str_sub(*s, i + (is_quoted ? 1 : 0), s->n);
    return *n <= size;
}

/* Blanks at its end are lost on the way (RFC 2046 5.1.1), and its lines must be fit for every hop. */
static bool is_usable(struct mime_level *l)
{
    while (l->boundary_n && is_blank(l->boundary[l->boundary_n - 1]))
        l->boundary_n--;
    for (size_t i = 0; i < l->boundary_n; i++)
        if (l->boundary[i] < ' ' || l->boundary[i] > '~')
            return false;
    return l->boundary_n > 0;
}

/* Of what stands behind a quoted one readers think differently. */
static bool take_boundary(struct str *s, struct mime_level *l)
{
    bool fits = take_value(s, l->boundary, sizeof(l->boundary), &l->boundary_n);

    skip_blanks(s);
    return fits && (!s->n || s->p[0] == ';') && is_usable(l);
}

/* Look for boundary= among the parameters in s. */
static bool find_boundary(struct str s, struct mime_level *l)
{
    char other[1];
    size_t n;

    while (s.n) {
        size_t at = 0;
        /* To the next parameter; quoted strings may hold a ";". */
        while (at < s.n && s.p[at] != ';')
            at++;
        s = str_sub(s, at + 1, s.n);
        skip_blanks(&s);
        struct str name = take_token(&s);
        skip_blanks(&s);
        if (!s.n || s.p[0] != '=')
            continue;
        s = str_sub(s, 1, s.n);
        skip_blanks(&s);
        if (str_ieq_z(name, "boundary"))
            return take_boundary(&s, l);
        take_value(&s, other, sizeof(other), &n);
    }
    return false;
}

static void set_fixed(struct mime_entity *e, const char *why)
{
    e->kind = MIME_FIXED;
    e->why = why;
}

static void read_multipart(struct str subtype, struct str rest, struct mime_entity *e)
{
    if (str_ieq_z(subtype, "signed"))
        set_fixed(e, "it is signed");
    else if (!find_boundary(rest, &e->level))
        set_fixed(e, "the parts of a multipart cannot be told from each other");
    else
        e->kind = MIME_MULTIPART;
    e->level.is_digest = str_ieq_z(subtype, "digest");
}

/* RFC 2046 5.2, RFC 6532 3.7: the global ones alone may be encoded. */
static void read_message(struct str subtype, struct mime_entity *e)
{
    if (str_istarts(subtype, STR("global")))
        e->kind = MIME_OTHER;
    else if (str_ieq_z(subtype, "rfc822") && e->cte <= CTE_8BIT)
        e->kind = MIME_MESSAGE;
    else
        set_fixed(e, "a part of a type message/ may not be encoded");
}

static void read_type(struct str body, struct mime_entity *e)
{
    struct str rest = body;

    skip_blanks(&rest);
    struct str type = take_token(&rest);
    skip_blanks(&rest);
    if (!type.n || !rest.n || rest.p[0] != '/')
        return;
    rest = str_sub(rest, 1, rest.n);
    skip_blanks(&rest);
    struct str subtype = take_token(&rest);
    if (str_ieq_z(type, "multipart"))
        read_multipart(subtype, rest, e);
    else if (str_ieq_z(type, "message"))
        read_message(subtype, e);
    else if (!str_ieq_z(type, "text"))
        e->kind = MIME_OTHER;
}

static enum mime_cte read_cte(struct str body)
{
    static const struct {
        const char *name;
        enum mime_cte cte;
    } names[] = {{"", CTE_7BIT},       {"7bit", CTE_7BIT},           {"8bit", CTE_8BIT},
                 {"binary", CTE_8BIT}, {"quoted-printable", CTE_QP}, {"base64", CTE_BASE64}};

    skip_blanks(&body);
    struct str token = take_token(&body);
    skip_blanks(&body);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        /* Of "base64 x" readers think differently. */
        bool is_sure = !body.n || names[i].cte <= CTE_8BIT;
        if (is_sure && str_ieq_z(token, names[i].name))
            return names[i].cte;
    }
    return CTE_UNKNOWN;
}

void mime_entity_read(struct str header, bool is_top, bool is_digest_part, struct mime_entity *e)
{
    struct str name, body, whole, type = STR_NONE;
    bool has_cte = false, is_cte_odd = false, is_signed = false;

    *e = (struct mime_entity){.kind = MIME_TEXT};
    while (header_next(&header, &name, &body, &whole)) {
        if (str_ieq_z(name, "Content-Type") && !e->has_type) {
            type = body;
            e->has_type = true;
        } else if (str_ieq_z(name, "Content-Transfer-Encoding")) {
            e->cte = has_cte ? e->cte : read_cte(body);
            has_cte = true;
            is_cte_odd |= mime_lines_flaws(whole) != 0;
        } else if (str_ieq_z(name, "MIME-Version")) {
            e->has_version = true;
        } else if (is_top && str_ieq_z(name, "DKIM-Signature")) {
            is_signed = true;
        }
    }
    if (e->has_type)
        read_type(type, e);
    else if (is_digest_part)
        read_message(STR("rfc822"), e);
    bool is_leaf = e->kind == MIME_TEXT || e->kind == MIME_OTHER;
    if (is_cte_odd || (is_leaf && e->cte == CTE_UNKNOWN))
        set_fixed(e, "a part has a transfer encoding that is not known");
    if (is_signed)
        set_fixed(e, "it is signed");
    e->is_fixed_header = is_signed;
}
