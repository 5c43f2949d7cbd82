/* SPDX-License-Identifier: ISC */
/*
 * What a text says of itself: "host mx[192.0.2.1] said: 550 5.1.1 ... (in reply to RCPT TO command)", a
 * line of the log, a reply alone, "smtp; 550 ...", a sentence of Exim's. Everything is optional.
 */
#include "core/base/text.h"
#include "core/mail/explain_private.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Where needle ends in s, or SIZE_MAX. Programs say these things always in the same letters. */
static size_t behind(struct str s, const char *needle)
{
    size_t n = strlen(needle);
    const char *hit = s.n ? memmem(s.p, s.n, needle, n) : NULL;
    return hit ? (size_t)(hit - s.p) + n : SIZE_MAX;
}

/* "550", behind which no further digit or dot stands: a reply code of RFC 5321 4.2.1, or 0. */
static int code_at(struct str s)
{
    if (s.n < 3 || s.p[0] < '2' || s.p[0] > '5' || !is_digit(s.p[1]) || !is_digit(s.p[2]))
        return 0;
    if (s.n > 3 && (is_digit(s.p[3]) || (s.p[3] == '.' && s.n > 4 && is_digit(s.p[4]))))
        return 0;
    if (s.p[1] > '5')
        return s.p[0] == '5' ? (s.p[0] - '0') * 100 + (s.p[1] - '0') * 10 + s.p[2] - '0' : 0;
    return (s.p[0] - '0') * 100 + (s.p[1] - '0') * 10 + s.p[2] - '0';
}

void facts_find_enhanced(struct str text, char digit, char out[12])
{
    struct word_reader r;
    struct word w;
    out[0] = '\0';
    words_init(&r, text);
    while (words_next(&r, &w)) {
        struct str s = str_sub(text, w.from, w.to);
        if (w.kind != WORD_CODE)
            continue;
        if (!words_is_enhanced(s))
            s = str_sub(s, 4, s.n); /* "550-5.7.1" */
        if (digit && s.p[0] != digit)
            continue;
        str_copy(s, out, 12);
        return;
    }
}

/* What stands behind words that introduce a command, as Postfix and we ourselves say it, and Exim. */
static const struct {
    const char *before, *command;
    enum stage stage;
} stages[] = {
    {"(in reply to ", "RCPT TO", STAGE_RCPT},
    {"(in reply to ", "MAIL FROM", STAGE_MAIL},
    {"(in reply to ", "end of DATA", STAGE_EOD},
    {"(in reply to ", "DATA", STAGE_DATA},
    {"(in reply to ", "EHLO", STAGE_EHLO},
    {"(in reply to ", "HELO", STAGE_EHLO},
    {"(in reply to ", "STARTTLS", STAGE_STARTTLS},
    {" after ", "RCPT TO:", STAGE_RCPT},
    {" after ", "MAIL FROM:", STAGE_MAIL},
    {" after ", "end of data:", STAGE_EOD},
    {" after ", "pipelined end of data:", STAGE_EOD},
    {" after ", "initial connection:", STAGE_GREETING},
    {"refused to talk to me:", "", STAGE_GREETING},
    {"SASL authentication failed; server", "", STAGE_AUTH},
};

static void find_stage(struct facts *f, struct str s)
{
    const char *before = "";
    size_t at = SIZE_MAX;
    for (size_t i = 0; i < ARRAY_LEN(stages) && !f->stage; i++) {
        if (strcmp(before, stages[i].before) != 0) {
            before = stages[i].before;
            at = behind(s, before);
        }
        if (at != SIZE_MAX && str_istarts(str_sub(s, at, s.n), str_of(stages[i].command)))
            f->stage = stages[i].stage;
    }
}

/* "host mx.example.net[192.0.2.1] said:", "server mx.example.net[..] said:" */
static void find_host(struct facts *f, struct str s)
{
    size_t at = behind(s, "host ");
    if (at == SIZE_MAX)
        at = behind(s, "server ");
    if (at == SIZE_MAX)
        return;
    struct str rest = str_sub(s, at, s.n);
    size_t n = 0;
    while (n < rest.n && !memchr(" [:", rest.p[n], 3))
        n++;
    if (n < rest.n && rest.p[n] != ':')
        f->host = str_sub(rest, 0, n);
}

/* Of a log line the sentence in "status=deferred (...)". */
static struct str log_sentence(struct facts *f, struct str s)
{
    size_t at = behind(s, "status="), dsn = behind(s, "dsn=");
    if (at == SIZE_MAX)
        return s;
    struct str rest = str_sub(s, at, s.n);
    size_t open = str_find(rest, '(');
    if (open == rest.n)
        return s;
    if (dsn < at) {
        struct str code = str_sub(s, dsn, s.n);
        code = str_sub(code, 0, str_find(code, ','));
        if (words_is_enhanced(code))
            str_copy(code, f->enhanced, sizeof(f->enhanced));
    }
    rest = str_sub(rest, open + 1, rest.n);
    return rest.n && rest.p[rest.n - 1] == ')' ? str_sub(rest, 0, rest.n - 1) : rest;
}

/* The server's own words begin behind one of these, when a code follows. */
static struct str reply_of(struct str s)
{
    static const char *const before[] = {"said: ",
                                         "refused to talk to me: ",
                                         "SMTP error from remote mail server ",
                                         "smtp; ",
                                         "smtp;",
                                         "remote host said: ",
                                         "Remote server returned ",
                                         "<< "};
    if (code_at(s))
        return s;
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        size_t at = behind(s, before[i]);
        struct str rest = str_trim(str_sub(s, at, s.n));
        if (at == SIZE_MAX)
            continue;
        if (code_at(rest))
            return rest;
        at = behind(rest, ": "); /* Exim: "after RCPT TO:<a@b>: 550 ..." */
        if (at != SIZE_MAX && code_at(str_sub(rest, at, rest.n)))
            return str_sub(rest, at, rest.n);
    }
    return s;
}

/* A code before the text of a DSN or in front of it: "(550", "#550 5.1.1", "<550". */
static struct str without_marks(struct str s)
{
    size_t n = 0;
    while (n < s.n && n < 3 && memchr("(<['\"#", s.p[n], 6))
        n++;
    return code_at(str_sub(s, n, s.n)) ? str_sub(s, n, s.n) : s;
}

void facts_from_text(struct facts *f, struct str text)
{
    *f = (struct facts){.tag = ""};
    struct str s = str_trim(str_sub(text, 0, EXPLAIN_TEXT_MAX));
    s = log_sentence(f, s);
    find_stage(f, s);
    find_host(f, s);
    struct str reply = without_marks(reply_of(s));
    f->code = code_at(reply);
    if (!f->code) {
        f->text = s;
        if (!f->enhanced[0])
            facts_find_enhanced(s, 0, f->enhanced);
        f->class_digit = f->enhanced[0];
        return;
    }
    f->text = str_sub(reply, 3, reply.n);
    if (f->text.n && f->text.p[0] == '-')
        f->text = str_sub(f->text, 1, f->text.n);
    f->class_digit = (char)('0' + f->code / 100);
    facts_find_enhanced(f->text, f->class_digit, f->enhanced);
    if (!f->enhanced[0])
        facts_find_enhanced(f->text, 0, f->enhanced);
}
