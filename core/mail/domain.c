/* SPDX-License-Identifier: ISC */
/*
 * Domain names: to the form that DNS is asked for, and those that DNS can never answer for. A-labels
 * are not decoded: whether "xn--..." is good IDNA is the registry's business, and names with
 * pictographs, which IDNA 2008 would refuse, do take mail.
 */
#include "core/mail/addr.h"

#include <idn2.h>
#include "core/base/text.h"

#define LABEL_MAX 63
/* RFC 1035 2.3.4: 255 octets on the wire, which are 253 as text. */
#define NAME_MAX_TEXT 253

static bool fail(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ldh(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-';
}

static bool check_label(struct str label, const char **why)
{
    if (label.n == 0)
        return fail(why, "the domain has an empty label (two dots, or a dot in front)");
    if (label.n > LABEL_MAX)
        return fail(why, "a label of the domain is longer than 63 octets");
    for (size_t i = 0; i < label.n; i++) {
        if (label.p[i] == '_')
            return fail(why, "the domain has an underscore, which host names do not allow");
        if (!is_ldh(label.p[i]))
            return fail(why, "the domain has a character that host names do not allow");
    }
    if (label.p[0] == '-' || label.p[label.n - 1] == '-')
        return fail(why, "a label of the domain begins or ends with a hyphen");
    return true;
}

/* RFC 3696 2: a top-level domain is never all digits, so "192.0.2.1" is an address, not a name. */
static bool is_number(struct str label)
{
    for (size_t i = 0; i < label.n; i++)
        if (!is_digit(label.p[i]))
            return false;
    return true;
}

static bool check_name(struct str name, const char **why)
{
    if (name.n > NAME_MAX_TEXT)
        return fail(why, "the domain is longer than 253 octets");
    for (struct str rest = name; rest.n > 0;) {
        size_t dot = str_find(rest, '.');
        struct str label = str_sub(rest, 0, dot);
        if (!check_label(label, why))
            return false;
        if (dot == rest.n && is_number(label))
            return fail(why, "the domain ends in a number: an IP address stands in [brackets]");
        rest = str_sub(rest, dot + 1, rest.n);
        if (rest.n == 0 && dot < name.n && name.p[name.n - 1] == '.')
            return fail(why, "the domain has an empty label (two dots, or a dot in front)");
    }
    return true;
}

static void lower(char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

/* U-labels: UTS 46, non-transitional, so that "straße" stays another name than "strasse". Code
 * points that Unicode has not assigned are refused. */
static bool map_utf8(struct str s, char out[ADDR_DOMAIN_MAX + 1], const char **why)
{
    char in[ADDR_DOMAIN_MAX + 1];
    char *ascii = NULL;
    if (!text_is_utf8(s))
        return fail(why, "the domain is not valid UTF-8");
    if (!str_copy(s, in, sizeof(in)))
        return fail(why, "the domain is longer than 255 octets");
    if (idn2_to_ascii_8z(in, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return fail(why, "the domain has characters that internationalised names do not allow");
    bool fits = str_copy(str_of(ascii), out, ADDR_DOMAIN_MAX + 1);
    idn2_free(ascii);
    return fits || fail(why, "the domain is longer than 253 octets");
}

bool domain_to_ascii(struct str s, char out[ADDR_DOMAIN_MAX + 1], const char **why)
{
    char name[ADDR_DOMAIN_MAX + 1];
    if (s.n == 0)
        return fail(why, "the domain is empty");
    if (memchr(s.p, '\0', s.n))
        return fail(why, "the domain has a NUL octet");
    if (s.n > ADDR_DOMAIN_MAX)
        return fail(why, "the domain is longer than 255 octets");
    if (!text_is_ascii(s)) {
        if (!map_utf8(s, name, why))
            return false;
    } else {
        str_copy(s, name, sizeof(name));
    }
    lower(name);
    struct str ascii = str_of(name);
    if (ascii.n > 1 && ascii.p[ascii.n - 1] == '.')
        name[--ascii.n] = '\0';
    if (ascii.n == 0)
        return fail(why, "the domain is empty");
    if (!check_name(ascii, why))
        return false;
    str_copy(ascii, out, ADDR_DOMAIN_MAX + 1);
    return true;
}

/* example.com, .net and .org are reserved too (RFC 6761 6.5), but documents and laboratories use
 * them as if they were real, and DNS says itself that they take no mail (null MX). */
static const struct {
    const char *suffix, *why;
} special[] = {
    {"localhost", "localhost is this machine, never a mail domain (RFC 6761)"},
    {"localdomain", ".localdomain is a placeholder, not an Internet domain"},
    {"local", ".local is for local networks only (RFC 6762), not an Internet domain"},
    {"invalid", ".invalid never exists (RFC 6761)"},
    {"test", ".test is reserved for tests (RFC 6761)"},
    {"example", ".example is reserved for documentation (RFC 6761)"},
    {"onion", ".onion is not in DNS (RFC 7686)"},
    {"alt", ".alt is not in DNS (RFC 9476)"},
    {"home.arpa", "home.arpa is for home networks only (RFC 8375)"},
    {"internal", ".internal is for private networks only"},
    {"intranet", ".intranet is a private name, not an Internet domain"},
    {"private", ".private is a private name, not an Internet domain"},
    {"corp", ".corp is a private name, not an Internet domain"},
    {"home", ".home is a private name, not an Internet domain"},
    {"lan", ".lan is a private name, not an Internet domain"},
};

static bool is_under(struct str name, struct str suffix)
{
    if (!str_ends(name, suffix))
        return false;
    return name.n == suffix.n || name.p[name.n - suffix.n - 1] == '.';
}

const char *domain_special_use(const char *ascii)
{
    struct str name = str_of(ascii);
    if (name.n > 0 && name.p[0] == '[')
        return NULL; /* an address literal */
    for (size_t i = 0; i < ARRAY_LEN(special); i++)
        if (is_under(name, str_of(special[i].suffix)))
            return special[i].why;
    if (str_find(name, '.') == name.n)
        return "a name without a dot is no Internet domain";
    return NULL;
}
