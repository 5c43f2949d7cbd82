/* SPDX-License-Identifier: ISC */
/*
 * Reading and writing the filter language. Each word has a row that says how its value is read;
 * filter_text writes what filter_parse reads, so that a filter can be shown, stored and sent.
 */
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/addr.h"
#include "core/mail/filter.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"
#include "core/mail/msg.h"

enum value_kind {
    VALUE_TEXT,
    VALUE_ADDRESS,
    VALUE_DOMAIN,
    VALUE_STATE,
    VALUE_STATUS,
    VALUE_CODE,
    VALUE_DSN,
    VALUE_ID,
    VALUE_DURATION,
    VALUE_COUNT,
    VALUE_SIZE,
    VALUE_TIME,
    VALUE_HAS
};

static const struct row {
    const char *name;
    enum value_kind kind;
    bool compares;
    enum filter_op without; /* the comparison that no comparison means */
    const char *allowed;
} rows[] = {
    [FILTER_TEXT] = {"", VALUE_TEXT, false, FILTER_EQ, "any text"},
    [FILTER_TO] = {"to", VALUE_ADDRESS, false, FILTER_EQ, "part of an address, or @domain"},
    [FILTER_FROM] = {"from", VALUE_ADDRESS, false, FILTER_EQ, "part of an address, or @domain"},
    [FILTER_DOMAIN] = {"domain", VALUE_DOMAIN, false, FILTER_EQ, "a domain, as *.example.com"},
    [FILTER_SITE] = {"site", VALUE_TEXT, false, FILTER_EQ, "a site, as *.google.com"},
    [FILTER_STATE] = {"state", VALUE_STATE, false, FILTER_EQ,
                      "queued, active, held, unconfirmed, delivered, bounced, expired, deleted, "
                      "deferred, stuck"},
    [FILTER_STATUS] = {"status", VALUE_STATUS, false, FILTER_EQ,
                       "sent, deferred, bounced, expired, rejected, unconfirmed"},
    [FILTER_CAUSE] = {"cause", VALUE_TEXT, false, FILTER_EQ, "a cause, as \"connect*\""},
    [FILTER_OWNER] = {"owner", VALUE_TEXT, false, FILTER_EQ, "an owner"},
    [FILTER_CODE] = {"code", VALUE_CODE, false, FILTER_EQ,
                     "a reply code or its start, as 550 or 4"},
    [FILTER_DSN] = {"dsn", VALUE_DSN, false, FILTER_EQ,
                    "a status code or its start, as 5.7.1 or 4.7"},
    [FILTER_ID] = {"id", VALUE_ID, false, FILTER_EQ, "a queue id"},
    [FILTER_AGE] = {"age", VALUE_DURATION, true, FILTER_GE, "a duration, as >1h or <30m"},
    [FILTER_TRIES] = {"tries", VALUE_COUNT, true, FILTER_EQ, "a number, as >3"},
    [FILTER_SIZE] = {"size", VALUE_SIZE, true, FILTER_GE, "a size, as >10M"},
    [FILTER_NEXT] = {"next", VALUE_DURATION, true, FILTER_LE, "a duration, as <5m"},
    [FILTER_SINCE] = {"since", VALUE_TIME, true, FILTER_GE,
                      "a time, as 10:42, 2h, yesterday or \"2026-11-24 10:42\""},
    [FILTER_RELAY] = {"relay", VALUE_TEXT, false, FILTER_EQ, "a server, as *.example.com"},
    [FILTER_HAS] = {"has", VALUE_HAS, false, FILTER_EQ, "escapes"},
};
_Static_assert(ARRAY_LEN(rows) == FILTER_WORD_COUNT, "a row per word");

const char *filter_word_name(enum filter_word w)
{
    return (unsigned)w < FILTER_WORD_COUNT ? rows[w].name : "";
}

void filter_done(struct filter *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->terms[i].text);
    f->n = 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool find_word(struct str name, enum filter_word *out)
{
    for (unsigned w = FILTER_TEXT + 1; w < FILTER_WORD_COUNT; w++) {
        if (str_ieq_z(name, rows[w].name)) {
            *out = (enum filter_word)w;
            return true;
        }
    }
    return false;
}

static int fail_unknown(struct str word, struct err *err)
{
    struct buf known = BUF_INIT;

    for (unsigned w = FILTER_TEXT + 1; w < FILTER_WORD_COUNT; w++)
        buf_printf(&known, "%s%s:", w > 1 ? " " : "", rows[w].name);
    int rc = err_set(err, E_SYNTAX,
                     "%.*s: is no filter word; the words are %s; a text with a colon stands in "
                     "quotes",
                     STR_ARG(word), buf_text(&known));
    buf_done(&known);
    return rc;
}

static int fail_value(const struct filter_term *t, struct str value, struct err *err)
{
    char shown[64];

    text_printable_copy(value, shown, sizeof(shown));
    return err_set(err, E_SYNTAX, "%s: «%s» is not one of its values; allowed: %s",
                   rows[t->word].name, shown, rows[t->word].allowed);
}

/* Domains in the form in which the queue has them. Patterns and parts stay as they are. */
static void keep_domain(struct filter_term *t)
{
    char ascii[ADDR_DOMAIN_MAX + 1];
    const char *why;
    char *at = strrchr(t->text, '@');
    struct str domain = str_of(t->word == FILTER_DOMAIN ? t->text : at ? at + 1 : "");

    if (text_is_ascii(domain) || !domain_to_ascii(domain, ascii, &why))
        return;
    char *text = xasprintf("%.*s%s", (int)(domain.p - t->text), t->text, ascii);
    free(t->text);
    t->text = text;
}

static bool read_state(struct str value, int64_t *out)
{
    enum rcpt_state state;

    if (str_ieq_z(value, "deferred"))
        *out = FILTER_STATE_DEFERRED;
    else if (str_ieq_z(value, "stuck"))
        *out = FILTER_STATE_STUCK;
    else if (rcpt_state_parse(value, &state))
        *out = state;
    else
        return false;
    return true;
}

static bool read_status(struct str value, int64_t *out)
{
    enum log_status status;

    if (!log_status_parse(value, &status))
        return false;
    *out = status;
    return true;
}

/* One to three digits: a reply code or its start. */
static bool is_code(struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
    return value.n > 0 && value.n <= 3 && value.p[0] >= '2' && value.p[0] <= '5';
}

/* "4", "4.7", "4.7.1". */
static bool is_dsn(struct str value)
{
    unsigned parts = 0;

    if (!value.n || value.p[value.n - 1] == '.')
        return false;
    while (value.n) {
        uint64_t number;
        if (++parts > 3 || !text_parse_u64(str_split(&value, '.'), 999, &number))
            return false;
        if (parts == 1 && number != 2 && number != 4 && number != 5)
            return false;
    }
    return true;
}

static bool read_size(struct str value, uint64_t max, bool is_count, int64_t *out)
{
    uint64_t number;

    if (is_count ? !text_parse_u64(value, max, &number) : !text_parse_size(value, &number))
        return false;
    if (number > max)
        return false;
    *out = (int64_t)number;
    return true;
}

/* Fill number, and check the value, of a term whose word and op are known. */
static bool read_value(struct filter_term *t, struct str value, int64_t now_wall_ms)
{
    switch (rows[t->word].kind) {
    case VALUE_TEXT:
    case VALUE_ADDRESS:
    case VALUE_DOMAIN: return value.n > 0;
    case VALUE_STATE: return read_state(value, &t->number);
    case VALUE_STATUS: return read_status(value, &t->number);
    case VALUE_CODE: return is_code(value);
    case VALUE_DSN: return is_dsn(value);
    case VALUE_ID: return id_parse(value, &t->number);
    case VALUE_DURATION: return text_parse_duration(value, &t->number);
    case VALUE_COUNT: return read_size(value, UINT32_MAX, true, &t->number);
    case VALUE_SIZE: return read_size(value, INT64_MAX, false, &t->number);
    case VALUE_TIME: return text_parse_time(value, now_wall_ms, &t->number);
    case VALUE_HAS: return str_ieq_z(value, "escapes");
    }
    return false;
}

static enum filter_op read_op(struct str *s, enum filter_op without)
{
    static const struct {
        const char *text;
        enum filter_op op;
    } ops[] = {{">=", FILTER_GE}, {"<=", FILTER_LE}, {">", FILTER_GT}, {"<", FILTER_LT}};

    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (str_starts(*s, str_of(ops[i].text))) {
            *s = str_sub(*s, strlen(ops[i].text), s->n);
            return ops[i].op;
        }
    }
    return without;
}

/* The text at the start of *s, in quotes or up to a blank. */
static int read_text(struct str *s, struct str *out, struct err *err)
{
    size_t end = 0;

    if (s->n && s->p[0] == '"') {
        end = str_find(str_sub(*s, 1, s->n), '"') + 1;
        if (end == s->n)
            return err_set(err, E_SYNTAX, "a quote has no end: %.*s", STR_ARG(str_sub(*s, 0, 40)));
        *out = str_sub(*s, 1, end);
        *s = str_sub(*s, end + 1, s->n);
        if (s->n && !is_space(s->p[0]))
            return err_set(err, E_SYNTAX, "no blank behind the quote of \"%.*s\"",
                           STR_ARG(str_sub(*out, 0, 40)));
        return 0;
    }
    while (end < s->n && !is_space(s->p[end]) && s->p[end] != '"')
        end++;
    *out = str_sub(*s, 0, end);
    *s = str_sub(*s, end, s->n);
    if (s->n && s->p[0] == '"')
        return err_set(err, E_SYNTAX, "a quote in the middle of %.*s: a text begins with its quote",
                       STR_ARG(str_sub(*out, 0, 40)));
    return 0;
}

/* "word:" at the start of *s is cut off. A text that only looks like one stays. */
static int read_word(struct str *s, enum filter_word *word, struct err *err)
{
    size_t n = 0;

    *word = FILTER_TEXT;
    while (n < s->n && is_letter(s->p[n]))
        n++;
    if (!n || n == s->n || s->p[n] != ':')
        return 0;
    struct str behind = str_sub(*s, n + 1, s->n);
    if (find_word(str_sub(*s, 0, n), word)) {
        *s = behind;
        return 0;
    }
    if (!behind.n || is_space(behind.p[0]) || str_starts(behind, STR("//")))
        return 0;
    return fail_unknown(str_sub(*s, 0, n < 40 ? n : 40), err);
}

static int read_term(struct str *s, int64_t now_wall_ms, struct filter_term *t, struct err *err)
{
    struct str value;
    int rc;

    *t = (struct filter_term){0};
    if (s->n > 1 && s->p[0] == '-' && !is_space(s->p[1])) {
        t->is_excluded = true;
        *s = str_sub(*s, 1, s->n);
    }
    rc = read_word(s, &t->word, err);
    if (rc)
        return rc;
    t->op = rows[t->word].without;
    if (rows[t->word].compares)
        t->op = read_op(s, t->op);
    rc = read_text(s, &value, err);
    if (rc)
        return rc;
    if (!read_value(t, value, now_wall_ms)) {
        if (t->word == FILTER_TEXT)
            return err_set(err, E_SYNTAX, "an empty text: it would match everything");
        return fail_value(t, value, err);
    }
    t->text = str_dup(value);
    if (rows[t->word].kind == VALUE_ADDRESS || rows[t->word].kind == VALUE_DOMAIN)
        keep_domain(t);
    return 0;
}

static int check_bytes(struct str text, struct err *err)
{
    if (text.n > FILTER_BYTES_MAX)
        return err_set(err, E_LIMIT, "the filter is longer than %d octets", FILTER_BYTES_MAX);
    if (!text_is_utf8(text))
        return err_set(err, E_SYNTAX, "the filter is not UTF-8");
    for (size_t i = 0; i < text.n; i++)
        if (((unsigned char)text.p[i] < ' ' && !is_space(text.p[i])) || text.p[i] == 0x7f)
            return err_set(err, E_SYNTAX, "the filter holds a control character");
    return 0;
}

int filter_parse(struct str text, int64_t now_wall_ms, struct filter *out, struct err *err)
{
    int rc = check_bytes(text, err);

    out->n = 0;
    while (!rc) {
        text = str_trim(text);
        if (!text.n)
            return 0;
        if (out->n == FILTER_TERMS_MAX)
            rc = err_set(err, E_LIMIT, "the filter has more than %d parts", FILTER_TERMS_MAX);
        else
            rc = read_term(&text, now_wall_ms, &out->terms[out->n], err);
        if (!rc)
            out->n++;
    }
    filter_done(out);
    return rc;
}

/* Whether a text reads back as itself without quotes. */
static bool is_plain(const struct filter_term *t)
{
    size_t n = 0;

    for (const char *c = t->text; *c; c++)
        if (is_space(*c))
            return false;
    if (t->word != FILTER_TEXT)
        return true;
    while (is_letter(t->text[n]))
        n++;
    return t->text[0] != '-' && t->text[n] != ':';
}

void filter_text(const struct filter *f, struct buf *out)
{
    static const char *const ops[] = {"", ">", ">=", "<", "<="};

    for (size_t i = 0; i < f->n; i++) {
        const struct filter_term *t = &f->terms[i];
        const char *quote = is_plain(t) ? "" : "\"";

        buf_printf(out, "%s%s%s%s%s", i ? " " : "", t->is_excluded ? "-" : "", rows[t->word].name,
                   t->word == FILTER_TEXT ? "" : ":",
                   t->op == rows[t->word].without ? "" : ops[t->op]);
        buf_printf(out, "%s%s%s", quote, t->text, quote);
    }
}
