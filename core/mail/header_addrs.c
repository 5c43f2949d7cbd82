/* SPDX-License-Identifier: ISC */
/*
 * Address lists (RFC 5322 3.4, with the obsolete forms of 4.4): one pass, no backtracking. What
 * stands before "<", ":" or "@" is read as words first; the character behind them says what it was.
 * Octets over 127 are atom characters (RFC 6532 3.2).
 */
#include "core/mail/header.h"

#define COMMENT_DEPTH_MAX 32

struct scan {
    struct str rest; /* not read yet */
    const char *why; /* static: the first fault */
    struct buf text; /* own: the address or words being read, without comments and blanks */
    void (*each)(void *arg, struct str address);
    void *arg;
};

static bool fail(struct scan *s, const char *why)
{
    if (!s->why)
        s->why = why;
    return false;
}

/* The next character, or NUL at the end (a NUL in the text is no character of any token). */
static char peek(const struct scan *s)
{
    return s->rest.n ? s->rest.p[0] : '\0';
}

static void step(struct scan *s, size_t n)
{
    s->rest = str_sub(s->rest, n, s->rest.n);
}

static bool skip_comment(struct scan *s)
{
    unsigned depth = 0;

    do {
        if (!s->rest.n)
            return fail(s, "a comment has no \")\"");
        if (peek(s) == '\\')
            step(s, 1);
        else if (peek(s) == '(' && ++depth > COMMENT_DEPTH_MAX)
            return fail(s, "comments are nested too deeply");
        else if (peek(s) == ')')
            depth--;
        step(s, 1);
    } while (depth);
    return true;
}

/* Blanks, folding and comments. *was_some, when given, is set if there were any. */
static bool skip_cfws(struct scan *s, bool *was_some)
{
    while (s->rest.n) {
        char c = peek(s);
        if (c == '(') {
            if (!skip_comment(s))
                return false;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            step(s, 1);
        } else {
            break;
        }
        if (was_some)
            *was_some = true;
    }
    return true;
}

static bool is_atext(char c)
{
    return (c & 0x80) || (c > ' ' && c < 0x7f && !strchr("()<>[]:;@\\,.\"", c));
}

static void read_atom(struct scan *s)
{
    size_t n = 0;

    while (n < s->rest.n && is_atext(s->rest.p[n]))
        n++;
    buf_add(&s->text, s->rest.p, n);
    step(s, n);
}

/* Kept with its quotes: they are part of the local part (RFC 5321 4.1.2). */
static bool read_quoted(struct scan *s)
{
    do {
        if (peek(s) == '\\') {
            buf_add_c(&s->text, '\\');
            step(s, 1);
        }
        if (s->rest.n && peek(s) != '\r' && peek(s) != '\n')
            buf_add_c(&s->text, peek(s));
        step(s, 1);
        if (!s->rest.n)
            return fail(s, "a quoted text has no end");
    } while (peek(s) != '"');
    buf_add_c(&s->text, '"');
    step(s, 1);
    return true;
}

struct words {
    unsigned n;
    bool is_phrase; /* blanks between words: no local part */
};

/* Atoms, quoted texts and dots into text. */
static bool read_words(struct scan *s, struct words *w)
{
    bool was_word = false, was_gap = false;

    buf_clear(&s->text);
    *w = (struct words){0};
    for (;;) {
        char c = peek(s);
        bool is_word = c == '"' || is_atext(c);
        if (!is_word && c != '.')
            return true;
        if (is_word && was_word && was_gap)
            w->is_phrase = true;
        if (is_word)
            w->n++;
        if (c == '.') {
            buf_add_c(&s->text, '.');
            step(s, 1);
        } else if (c != '"') {
            read_atom(s);
        } else if (!read_quoted(s)) {
            return false;
        }
        was_word = is_word;
        was_gap = false;
        if (!skip_cfws(s, &was_gap))
            return false;
    }
}

/* The domain behind "@", added to text. */
static bool read_domain(struct scan *s)
{
    size_t start = s->text.n;

    if (!skip_cfws(s, NULL))
        return false;
    if (peek(s) == '[') {
        size_t end = str_find(s->rest, ']');
        if (end == s->rest.n)
            return fail(s, "an address in brackets has no \"]\"");
        buf_add_str(&s->text, str_sub(s->rest, 0, end + 1));
        step(s, end + 1);
        return skip_cfws(s, NULL);
    }
    while (is_atext(peek(s)) || peek(s) == '.') {
        if (peek(s) == '.') {
            buf_add_c(&s->text, '.');
            step(s, 1);
        } else if (s->text.n > start && s->text.p[s->text.n - 1] != '.') {
            return fail(s, "there is no comma between two addresses");
        } else {
            read_atom(s);
        }
        if (!skip_cfws(s, NULL))
            return false;
    }
    return s->text.n > start || fail(s, "the domain behind \"@\" is missing");
}

/* text holds the local part, and "@" is next. */
static bool read_at_domain(struct scan *s)
{
    buf_add_c(&s->text, '@');
    step(s, 1);
    return read_domain(s);
}

static void give(struct scan *s)
{
    s->each(s->arg, buf_str(&s->text));
}

/* RFC 5322 4.4 obs-route: "@a,@b:" is dropped (RFC 5321 appendix C). */
static bool skip_route(struct scan *s)
{
    while (peek(s) == '@' || peek(s) == ',') {
        if (peek(s) == ',') {
            step(s, 1);
        } else {
            buf_clear(&s->text);
            if (!read_at_domain(s))
                return false;
        }
        if (!skip_cfws(s, NULL))
            return false;
    }
    if (peek(s) != ':')
        return fail(s, "a route has no \":\"");
    step(s, 1);
    return skip_cfws(s, NULL);
}

/* "<" is next. */
static bool read_angle(struct scan *s)
{
    struct words w;

    step(s, 1);
    if (!skip_cfws(s, NULL) || (peek(s) == '@' && !skip_route(s)) || !read_words(s, &w))
        return false;
    if (!w.n || w.is_phrase)
        return fail(s, "what stands between \"<\" and \">\" is not an address");
    if (peek(s) == '@' && !read_at_domain(s))
        return false;
    if (peek(s) != '>')
        return fail(s, "a \"<\" has no \">\"");
    step(s, 1);
    give(s);
    return skip_cfws(s, NULL);
}

/* One mailbox, or the start of a group: then *is_group is set and the scan is behind its ":". */
static bool read_mailbox(struct scan *s, bool *is_group)
{
    struct words w;

    *is_group = false;
    if (!read_words(s, &w))
        return false;
    switch (peek(s)) {
    case '<': return read_angle(s);
    case ':':
        if (!w.n)
            return fail(s, "a group has no name");
        step(s, 1);
        *is_group = true;
        return true;
    case '@':
        if (!w.n || w.is_phrase)
            return fail(s, "what stands before \"@\" is not one word");
        if (!read_at_domain(s))
            return false;
        break;
    default:
        if (!w.n)
            return fail(s, "a character that no address can have");
        if (w.is_phrase)
            return fail(s, "several words and no address");
    }
    give(s);
    return true;
}

static bool read_list(struct scan *s)
{
    bool in_group = false, is_group = false;

    for (;;) {
        if (!skip_cfws(s, NULL))
            return false;
        if (!s->rest.n)
            return !in_group || fail(s, "a group has no \";\"");
        if (peek(s) == ',') {
            step(s, 1); /* RFC 5322 4.4: empty members are obsolete, not wrong */
            continue;
        }
        if (peek(s) == ';' && in_group) {
            step(s, 1);
            in_group = false;
        } else if (!read_mailbox(s, &is_group)) {
            return false;
        } else if (is_group) {
            if (in_group)
                return fail(s, "a group within a group");
            in_group = true;
            continue;
        } else if (peek(s) == ';' && in_group) {
            continue;
        }
        if (!skip_cfws(s, NULL))
            return false;
        if (s->rest.n && peek(s) != ',')
            return fail(s, "there is no comma between two addresses");
    }
}

bool header_each_address(struct str body, void (*each)(void *arg, struct str address), void *arg,
                         const char **why)
{
    struct scan s = {.rest = body, .each = each, .arg = arg};
    bool is_fine = read_list(&s);

    if (!is_fine)
        *why = s.why;
    buf_done(&s.text);
    return is_fine;
}

bool header_each_recipient(struct str header, void (*each)(void *arg, struct str address),
                           void *arg, const char **why)
{
    struct str name, body, whole;

    while (header_next(&header, &name, &body, &whole))
        if ((str_ieq_z(name, "To") || str_ieq_z(name, "Cc") || str_ieq_z(name, "Bcc")) &&
            !header_each_address(body, each, arg, why))
            return false;
    return true;
}
