/* SPDX-License-Identifier: ISC */
/*
 * Replies, line by line. A cap that is passed breaks the session instead of cutting the reply: a
 * server that sends more than this is no mail server, or wants our memory or our time.
 */
#include "core/smtp/reply.h"

void reply_parser_init(struct reply_parser *p)
{
    *p = (struct reply_parser){0};
}

void reply_parser_done(struct reply_parser *p)
{
    buf_done(&p->reply.text);
    buf_done(&p->reply.lines);
    buf_done(&p->line);
    *p = (struct reply_parser){0};
}

void reply_next_start(struct reply_parser *p)
{
    p->reply.code = 0;
    p->reply.enhanced[0] = '\0';
    p->reply.is_mixed = false;
    buf_clear(&p->reply.text);
    buf_clear(&p->reply.lines);
    buf_clear(&p->line);
    p->bytes = 0;
    p->n_lines = 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Octets of one number of an enhanced code: one to three digits. 0 = none here. */
static size_t number_len(struct str s)
{
    size_t n = 0;

    while (n < s.n && n < 3 && is_digit(s.p[n]))
        n++;
    return n;
}

/* Octets of "5.1.1" at the start of s (RFC 3463 2, RFC 2034 4), 0 when there is none. */
static size_t enhanced_len(struct str s)
{
    if (s.n < 5 || !memchr("245", s.p[0], 3) || s.p[1] != '.')
        return 0;
    size_t subject = number_len(str_sub(s, 2, s.n));
    size_t at = 2 + subject;
    if (subject == 0 || at >= s.n || s.p[at] != '.')
        return 0;
    size_t detail = number_len(str_sub(s, at + 1, s.n));
    at += 1 + detail;
    return detail && (at == s.n || s.p[at] == ' ') ? at : 0;
}

/* Lines of one reply repeat its enhanced code; in a sentence once is enough. */
static struct str without_repeated_code(const struct smtp_reply *r, struct str text)
{
    size_t n = enhanced_len(text);

    if (n && str_eq_z(str_sub(text, 0, n), r->enhanced))
        return str_trim(str_sub(text, n, text.n));
    return text;
}

static void add_line(struct reply_parser *p, int code, struct str text)
{
    struct smtp_reply *r = &p->reply;

    if (p->n_lines++ == 0) {
        r->code = code;
        str_copy(str_sub(text, 0, enhanced_len(text)), r->enhanced, sizeof(r->enhanced));
        buf_add_str(&r->text, text);
        buf_add_str(&r->lines, text);
        return;
    }
    r->is_mixed |= code != r->code;
    buf_add_c(&r->lines, '\n');
    buf_add_str(&r->lines, text);
    text = without_repeated_code(r, text);
    if (text.n && r->text.n)
        buf_add_c(&r->text, ' ');
    buf_add_str(&r->text, text);
}

/* One line without its LF. RFC 5321 4.2: a reply may be the code alone. */
static enum reply_status take_line(struct reply_parser *p, struct str line, const char **why)
{
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    bool is_reply = line.n >= 3 && line.p[0] >= '1' && line.p[0] <= '9' && is_digit(line.p[1]) &&
                    is_digit(line.p[2]) && (line.n == 3 || line.p[3] == ' ' || line.p[3] == '-');
    if (!is_reply) {
        *why = "the server's answer is not an SMTP reply";
        return REPLY_BROKEN;
    }
    if (p->n_lines == REPLY_LINES_MAX) {
        *why = "the server's reply has too many lines";
        return REPLY_BROKEN;
    }
    if (p->bytes > REPLY_BYTES_MAX) {
        *why = "the server's reply is too long";
        return REPLY_BROKEN;
    }
    int code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
    add_line(p, code, str_sub(line, 4, line.n));
    return line.n > 3 && line.p[3] == '-' ? REPLY_MORE : REPLY_DONE;
}

enum reply_status reply_parse(struct reply_parser *p, struct str *in, const char **why)
{
    enum reply_status status = REPLY_MORE;

    while (status == REPLY_MORE && in->n) {
        size_t n = str_find(*in, '\n');
        bool is_end = n < in->n;
        struct str part = str_sub(*in, 0, n);
        if (p->line.n + n >= REPLY_LINE_MAX) {
            *why = "a line of the server's reply is too long";
            return REPLY_BROKEN;
        }
        *in = str_sub(*in, is_end ? n + 1 : n, in->n);
        if (!is_end) {
            buf_add_str(&p->line, part);
            break;
        }
        if (p->line.n) {
            buf_add_str(&p->line, part);
            part = buf_str(&p->line);
        }
        p->bytes += part.n + 1;
        status = take_line(p, part, why);
        buf_clear(&p->line);
    }
    return status;
}
