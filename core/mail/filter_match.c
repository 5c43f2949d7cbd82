/* SPDX-License-Identifier: ISC */
/*
 * A filter against a line of the log. The line is taken apart once; texts of peers are never read
 * as fields, so nobody can write his mail into somebody else's search.
 */
#include "core/base/text.h"
#include "core/mail/filter.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"

struct facts {
    struct str line, id, to, from, relay, dsn, code;
    enum log_status status;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A reply code at the start of s, or nothing. */
static struct str code_at(struct str s)
{
    bool is_code = s.n >= 3 && s.p[0] >= '2' && s.p[0] <= '5' && is_digit(s.p[1]) &&
                   is_digit(s.p[2]) && (s.n == 3 || !is_digit(s.p[3]));

    return is_code ? str_sub(s, 0, 3) : STR_NONE;
}

static struct str behind(struct str s, struct str marker)
{
    size_t at = str_ifind(s, marker);

    return at == SIZE_MAX ? STR_NONE : str_sub(s, at + marker.n, s.n);
}

/* The code in the text of an outcome (see outcome_sentence): the server's own words begin there. */
static struct str code_of(struct str line, struct str status)
{
    struct str text = str_sub(line, (size_t)(status.p + status.n - line.p) + 2, line.n);
    struct str code = code_at(text);

    if (!code.n)
        code = code_at(behind(text, STR(" said: ")));
    if (!code.n)
        code = code_at(behind(text, STR(" refused to talk to me: ")));
    return code;
}

/* "<value>" behind a label; quotes hide a ">" (RFC 5321 4.1.2). */
static struct str angle_behind(struct str s, struct str label, struct str *rest)
{
    struct str value = behind(s, label);
    bool is_quoted = false;
    size_t n = 0;

    for (; n < value.n && (is_quoted || value.p[n] != '>'); n++) {
        if (is_quoted && value.p[n] == '\\')
            n++;
        else if (value.p[n] == '"')
            is_quoted = !is_quoted;
    }
    *rest = str_sub(value, n, value.n);
    return str_sub(value, 0, n);
}

/* "NOQUEUE: reject: RCPT from helo[ip]: 550 5.7.1 text; from=<f> to=<t> proto=ESMTP helo=<h>" */
static void read_reject(struct facts *f)
{
    struct str reply = behind(f->line, STR("]: ")), rest;

    f->code = code_at(reply);
    if (f->code.n) {
        reply = str_sub(reply, 4, reply.n);
        f->dsn = str_split(&reply, ' ');
    }
    if (!f->dsn.n || !is_digit(f->dsn.p[0]))
        f->dsn = STR_NONE;
    f->from = angle_behind(f->line, STR("; from=<"), &rest);
    if (str_starts(rest, STR("> to=<")))
        f->to = angle_behind(rest, STR("> to=<"), &rest);
}

static void read_facts(struct str line, struct facts *f)
{
    struct str status;

    *f = (struct facts){.line = line, .status = logline_status(line)};
    f->id = str_sub(line, 0, str_find(line, ':'));
    if (f->status == LOG_REJECTED && str_starts(line, STR("NOQUEUE:"))) {
        read_reject(f);
        return;
    }
    logline_field(line, "to", &f->to);
    logline_field(line, "from", &f->from);
    logline_field(line, "relay", &f->relay);
    logline_field(line, "dsn", &f->dsn);
    if (logline_field(line, "status", &status))
        f->code = code_of(line, status);
}

/* "*" matches any run. One mark to go back to, so the time is at most pattern times text. */
static bool matches_pattern(struct str pattern, struct str s)
{
    size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;

    while (i < s.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = i;
        } else if (p < pattern.n && str_ieq(str_sub(pattern, p, p + 1), str_sub(s, i, i + 1))) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static struct str domain_of(struct str address)
{
    while (str_find(address, '@') < address.n)
        str_split(&address, '@');
    return address;
}

static bool matches_address(struct str text, struct str address)
{
    if (text.n && text.p[0] == '@')
        return address.n && str_ieq(str_sub(text, 1, text.n), domain_of(address));
    return str_ifind(address, text) != SIZE_MAX;
}

/* "mx.example.com[192.0.2.1]:25": by all of it, the name, the address, or name and port. */
static bool matches_relay(struct str pattern, struct str relay)
{
    struct str name = str_sub(relay, 0, str_find(relay, '['));
    size_t end = str_find(relay, ']');

    return matches_pattern(pattern, relay) || matches_pattern(pattern, name) ||
           matches_pattern(pattern, str_sub(relay, 0, end + 1)) ||
           matches_pattern(pattern, str_sub(relay, name.n + 1, end));
}

/* "4.7" is the start of "4.7.1", not of "4.71.0". */
static bool matches_dsn(struct str start, struct str dsn)
{
    return str_starts(dsn, start) && (dsn.n == start.n || dsn.p[start.n] == '.');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'F');
}

/* What text_printable makes of bytes that are not harmless: ^X, <9B>, <U+202E>. */
static bool has_escapes(struct str s)
{
    for (size_t i = 0; i + 1 < s.n; i++) {
        if (s.p[i] == '^' && ((s.p[i + 1] >= '@' && s.p[i + 1] <= '_') || s.p[i + 1] == '?'))
            return true;
        if (s.p[i] != '<')
            continue;
        if (str_starts(str_sub(s, i, s.n), STR("<U+")))
            return true;
        if (i + 3 < s.n && is_hex(s.p[i + 1]) && is_hex(s.p[i + 2]) && s.p[i + 3] == '>')
            return true;
    }
    return false;
}

static bool matches_since(const struct filter_term *t, int64_t wall_ms)
{
    switch (t->op) {
    case FILTER_GT: return wall_ms > t->number;
    case FILTER_LT: return wall_ms < t->number;
    case FILTER_LE: return wall_ms <= t->number;
    default: return wall_ms >= t->number;
    }
}

static bool matches_id(const struct filter_term *t, struct str id)
{
    int64_t number;

    return id_parse(id, &number) && number == t->number;
}

/* False in *is_answered for words that a line cannot answer. */
static bool matches_term(const struct filter_term *t, const struct facts *f, int64_t wall_ms,
                         bool *is_answered)
{
    struct str text = str_of(t->text);

    *is_answered = true;
    switch (t->word) {
    case FILTER_TEXT: return str_ifind(f->line, text) != SIZE_MAX;
    case FILTER_TO: return matches_address(text, f->to);
    case FILTER_FROM: return matches_address(text, f->from);
    case FILTER_DOMAIN: return f->to.n && matches_pattern(text, domain_of(f->to));
    case FILTER_STATUS: return (int64_t)f->status == t->number;
    case FILTER_CODE: return str_starts(f->code, text);
    case FILTER_DSN: return matches_dsn(text, f->dsn);
    case FILTER_ID: return matches_id(t, f->id);
    case FILTER_RELAY: return matches_relay(text, f->relay);
    case FILTER_HAS: return has_escapes(f->line);
    case FILTER_SINCE: return matches_since(t, wall_ms);
    default: *is_answered = false; return true;
    }
}

bool filter_match_line(const struct filter *f, struct str line, int64_t wall_ms)
{
    /* Bits per word: asked for, and found. Texts are AND, so they decide at once. */
    uint32_t wanted = 0, found = 0;
    struct facts facts;

    _Static_assert(FILTER_WORD_COUNT <= 32, "a bit per word");
    read_facts(line, &facts);
    for (size_t i = 0; i < f->n; i++) {
        const struct filter_term *t = &f->terms[i];
        bool is_answered;
        bool is_match = matches_term(t, &facts, wall_ms, &is_answered);

        if (!is_answered)
            continue;
        if (t->is_excluded || t->word == FILTER_TEXT) {
            if (is_match == t->is_excluded)
                return false;
            continue;
        }
        wanted |= 1u << t->word;
        found |= is_match ? 1u << t->word : 0;
    }
    return wanted == found;
}
