/* SPDX-License-Identifier: ISC */
/*
 * Mailboxes and paths. A cursor walks the text once; nothing is unquoted and nothing normalised but
 * the domain, because the local part belongs to the receiving host alone (RFC 5321 2.3.11).
 */
#include "core/mail/addr.h"

#include "core/base/text.h"
#include "core/mail/dnsdata.h"

/* RFC 5321 4.5.3.1.3: 256 octets with "<" and ">". */
#define MAILBOX_MAX 254

static bool fail(const char **why, const char *text)
{
    *why = text;
    return false;
}

/* RFC 5322 3.2.3. */
static bool is_atext(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80)
        return true;
    return c && strchr("!#$%&'*+-/=?^_`{|}~", c);
}

/* Octets of a dot-string at the start of s; 0 and *why when it is not one. */
static size_t take_dot_string(struct str s, const char **why)
{
    size_t n = 0;
    bool wants_atom = true;
    for (; n < s.n; n++) {
        unsigned char c = (unsigned char)s.p[n];
        if (c == '.' && wants_atom)
            break;
        if (c != '.' && !is_atext(c))
            break;
        wants_atom = c == '.';
    }
    if (n > 0 && !wants_atom)
        return n;
    if (n < s.n && s.p[n] == '@' && n == 0)
        *why = "the local part is empty";
    else if (wants_atom && (n > 0 || (n < s.n && s.p[n] == '.')))
        *why = "the local part begins or ends with a dot, or has two in a row";
    else
        *why = "the local part has a character that must be quoted";
    return 0;
}

/* Octets of a quoted-string with its quotes (RFC 5321 4.1.2, RFC 6531 3.3). */
static size_t take_quoted(struct str s, const char **why)
{
    for (size_t i = 1; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"')
            return i + 1;
        if (c == '\\') {
            i++;
            c = i < s.n ? (unsigned char)s.p[i] : 0;
            if (c >= 0x80)
                c = 0; /* quoted-pairSMTP is ASCII */
        }
        if (c < 32 || c == 127) {
            *why = "the quoted local part has a character that is not allowed";
            return 0;
        }
    }
    *why = "the quoted local part has no end";
    return 0;
}

/* C1 controls are valid UTF-8, and no part of a name. */
static bool is_clean_utf8(struct str s)
{
    while (s.n > 0) {
        size_t n;
        int32_t c = text_utf8_next(s, &n);
        if (c < 0 || (c >= 0x80 && c < 0xa0))
            return false;
        s = str_sub(s, n, s.n);
    }
    return true;
}

static bool take_local(struct str *s, struct addr *out, const char **why)
{
    bool is_quoted = s->n > 0 && s->p[0] == '"';
    size_t n = is_quoted ? take_quoted(*s, why) : take_dot_string(*s, why);
    if (n == 0)
        return false;
    struct str local = str_sub(*s, 0, n);
    if (n > ADDR_LOCAL_MAX)
        return fail(why, "the local part is longer than 64 octets");
    out->is_utf8 = !text_is_ascii(local);
    if (out->is_utf8 && !is_clean_utf8(local))
        return fail(why, "the local part is not valid UTF-8");
    str_copy(local, out->local, sizeof(out->local));
    *s = str_sub(*s, n, s->n);
    return true;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3), whole. */
static bool parse_literal(struct str s, struct addr *out, const char **why)
{
    struct ip ip;
    char text[48];
    if (s.n < 3 || s.p[s.n - 1] != ']')
        return fail(why, "the address literal has no closing bracket");
    struct str inside = str_sub(s, 1, s.n - 1);
    bool is_v6 = str_istarts(inside, STR("IPv6:"));
    if (is_v6)
        inside = str_sub(inside, 5, inside.n);
    if (!ip_parse(inside, &ip) || ip.family != (is_v6 ? 6 : 4))
        return fail(why, "the address literal is neither [IPv4] nor [IPv6:address]");
    out->kind = is_v6 ? ADDR_IPV6 : ADDR_IPV4;
    snprintf(out->ascii, sizeof(out->ascii), "[%s%s]", is_v6 ? "ipv6:" : "", ip_text(&ip, text));
    str_copy(s, out->domain, sizeof(out->domain));
    return true;
}

static bool parse_domain(struct str s, struct addr *out, const char **why)
{
    if (s.n > 0 && s.p[0] == '[')
        return parse_literal(s, out, why);
    out->kind = ADDR_DOMAIN;
    if (!domain_to_ascii(s, out->ascii, why))
        return false;
    if (s.n > 1 && s.p[s.n - 1] == '.')
        s.n--;
    str_copy(s, out->domain, sizeof(out->domain));
    return true;
}

/* What could end a command, a header line or a C string is refused before anything else is looked
 * at (envelope injection). */
static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
            return true;
    return false;
}

bool addr_parse(struct str s, struct addr *out, const char **why)
{
    *out = (struct addr){0};
    if (has_control(s))
        return fail(why, "control characters are not allowed in an address");
    if (s.n == 0)
        return fail(why, "the address is empty");
    struct str rest = s;
    if (!take_local(&rest, out, why))
        return false;
    if (rest.n == 0)
        return fail(why, "the address has no @domain");
    if (rest.p[0] != '@')
        return fail(why, "the local part has a character that must be quoted");
    if (s.n > MAILBOX_MAX)
        return fail(why, "the address is longer than 254 octets");
    return parse_domain(str_sub(rest, 1, rest.n), out, why);
}

/* Where the path ends: the first ">" that is not in quotes. */
static size_t find_close(struct str s)
{
    bool is_quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (is_quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            is_quoted = !is_quoted;
        else if (s.p[i] == '>' && !is_quoted)
            return i;
    }
    return s.n;
}

/* "@a,@b:" in front of the mailbox is dropped (RFC 5321 appendix C). The ":" of an IPv6 literal is
 * not the one that ends it. */
static bool drop_route(struct str *s, const char **why)
{
    struct addr hop;
    while (s->n > 0 && s->p[0] == '@') {
        size_t n = 1;
        bool is_literal = n < s->n && s->p[n] == '[';
        while (n < s->n && (is_literal ? s->p[n] != ']' : s->p[n] != ',' && s->p[n] != ':'))
            n++;
        if (is_literal && n < s->n)
            n++;
        if (n >= s->n || (s->p[n] != ',' && s->p[n] != ':'))
            return fail(why, "the source route has no end");
        if (!parse_domain(str_sub(*s, 1, n), &hop, why))
            return false;
        bool is_last = s->p[n] == ':';
        *s = str_sub(*s, n + 1, s->n);
        if (is_last)
            return true;
        if (s->n == 0 || s->p[0] != '@')
            return fail(why, "the source route is malformed");
    }
    return true;
}

bool addr_parse_path(struct str s, bool allow_null, bool allow_postmaster, struct addr *out,
                     size_t *used, const char **why)
{
    *out = (struct addr){0};
    if (s.n == 0 || s.p[0] != '<')
        return fail(why, "the path does not begin with \"<\"");
    size_t close = find_close(s);
    if (close == s.n)
        return fail(why, "the path does not end with \">\"");
    struct str inside = str_sub(s, 1, close);
    *used = close + 1;
    if (inside.n == 0) {
        out->kind = ADDR_NULL;
        return allow_null || fail(why, "the null path <> is not a recipient");
    }
    if (has_control(inside))
        return fail(why, "control characters are not allowed in an address");
    if (allow_postmaster && str_ieq(inside, STR("postmaster"))) {
        out->kind = ADDR_POSTMASTER;
        str_copy(inside, out->local, sizeof(out->local));
        return true;
    }
    return drop_route(&inside, why) && addr_parse(inside, out, why);
}

static void join(const struct addr *a, const char *domain, char out[ADDR_TEXT_MAX])
{
    if (a->kind == ADDR_NULL)
        out[0] = '\0';
    else if (a->kind == ADDR_POSTMASTER)
        snprintf(out, ADDR_TEXT_MAX, "%s", a->local);
    else
        snprintf(out, ADDR_TEXT_MAX, "%s@%s", a->local, domain);
}

void addr_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    join(a, a->domain, out);
}

void addr_text_ascii(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    /* On the wire the tag of a literal is written as the RFC has it; comparing ignores case. */
    join(a, a->kind == ADDR_DOMAIN ? a->ascii : a->domain, out);
}
