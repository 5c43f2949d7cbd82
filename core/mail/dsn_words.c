/* SPDX-License-Identifier: ISC */
/*
 * The first part of a report: for somebody who never saw one. What happened, why, what to do, in
 * this order, and never a word that contradicts the action (a failure never says "delivered").
 */
#include "core/base/text.h"
#include "core/mail/date.h"
#include "core/mail/dsn_private.h"

#define COLUMNS 76
#define INDENT  "    "
#define HANG    "  " /* more for the later lines of an indented paragraph */

/* Characters, not octets. */
static size_t width_of(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* At most COLUMNS - 8 characters from the front of a word. */
static struct str word_part(struct str word)
{
    size_t n = 0, chars = 0;

    while (n < word.n) {
        bool is_start = ((unsigned char)word.p[n] & 0xc0) != 0x80;
        if (is_start && ++chars > COLUMNS - 8)
            break;
        n++;
    }
    return str_sub(word, 0, n);
}

/* One paragraph, wrapped; later lines are indented too. */
static void add_wrapped(struct buf *out, const char *indent, struct str text)
{
    const char *hang = indent[0] ? HANG : "";
    size_t column = strlen(indent);
    bool is_first = true;

    buf_add_z(out, indent);
    while (text.n) {
        struct str word = str_split(&text, ' ');
        while (word.n) {
            struct str part = word_part(word);
            word = str_sub(word, part.n, word.n);
            if (!is_first && column + 1 + width_of(part) > COLUMNS) {
                buf_printf(out, "\r\n%s%s", indent, hang);
                column = strlen(indent) + strlen(hang);
                is_first = true;
            }
            if (!is_first)
                buf_add_c(out, ' ');
            column += width_of(part) + !is_first;
            buf_add_str(out, part);
            is_first = false;
        }
    }
    buf_add_z(out, "\r\n");
}

static void add_line(struct buf *out, const char *indent, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void add_line(struct buf *out, const char *indent, const char *fmt, ...)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    CLEANUP(buf_done) struct buf clean = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    text_printable(&clean, buf_str(&text), true);
    add_wrapped(out, indent, buf_str(&clean));
}

static size_t count_of(const struct dsn_in *in, enum dsn_action action)
{
    size_t n = 0;

    for (size_t i = 0; i < in->rcpts_n; i++)
        n += in->rcpts[i].action == action;
    return n;
}

const char *dsn_title(const struct dsn_in *in)
{
    return count_of(in, DSN_ACT_FAILED)      ? "Undelivered mail"
           : count_of(in, DSN_ACT_DELAYED)   ? "Delayed mail"
           : count_of(in, DSN_ACT_DELIVERED) ? "Delivered mail"
                                             : "Relayed mail";
}

static void add_summary(const struct dsn_in *in, struct buf *out)
{
    static const struct {
        enum dsn_action action;
        const char *one, *before, *behind; /* "before N behind" for several */
    } kinds[] = {
        {DSN_ACT_FAILED,
         "Your message could not be delivered to this recipient, and is not tried any more:",
         "Your message could not be delivered to these", "recipients, and is not tried any more:"},
        {DSN_ACT_DELAYED,
         "Your message has not reached this recipient yet. It is tried further; do not send it "
         "again:",
         "Your message has not reached these",
         "recipients yet. It is tried further; do not send it again:"},
        {DSN_ACT_DELIVERED, "The mail server of this recipient has accepted your message:",
         "The mail servers of these", "recipients have accepted your message:"},
        {DSN_ACT_RELAYED,
         "Your message was handed to another server, which will not confirm its delivery, for this "
         "recipient:",
         "Your message was handed to another server, which will not confirm its delivery, for "
         "these",
         "recipients:"},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t n = count_of(in, kinds[i].action);
        if (n == 1)
            add_line(out, "", "%s", kinds[i].one);
        else if (n > 1)
            add_line(out, "", "%s %zu %s", kinds[i].before, n, kinds[i].behind);
        for (size_t j = 0; n && j < in->rcpts_n; j++)
            if (in->rcpts[j].action == kinds[i].action)
                add_line(out, INDENT, "%s", in->rcpts[j].address);
        if (n)
            buf_add_z(out, "\r\n");
    }
}

static void add_message(const struct dsn_in *in, struct buf *out)
{
    const struct message *m = in->message;
    char date[40];

    add_line(out, "", "The message:");
    add_line(out, INDENT, "Subject: %s", m->digest.subject[0] ? m->digest.subject : "(none)");
    if (m->digest.from[0])
        add_line(out, INDENT, "From: %s", m->digest.from);
    add_line(out, INDENT, "Taken in: %s", date_rfc5322(m->arrival_wall_ms, date));
    buf_add_z(out, "\r\n");
}

static bool starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

#define ASK_ADMIN "send this report to the administrator of your mail system"

/* By the subject and detail of the status (RFC 3463), as "1.1"; the first that fits. */
static const struct {
    const char *detail;
    const char *advice;
} advices[] = {
    {"1.2", "Check the part of the address behind the \"@\": that domain does not exist, or takes "
            "no mail."},
    {"1.10",
     "The domain behind the \"@\" says that it takes no mail. Ask the recipient for another "
     "address."},
    {"1.7", "The sender address of the message was not accepted: " ASK_ADMIN "."},
    {"1.8", "The sender address of the message was not accepted: " ASK_ADMIN "."},
    {"1.", "Check the address for slips. If it is right, ask the recipient in another way: the "
           "mailbox may have been moved or closed."},
    {"2.2", "The recipient's mailbox is full. Tell the recipient in another way, and send the "
            "message again later."},
    {"2.3", "The message is too large for the recipient. Send it in parts, or send a link instead "
            "of the attachment."},
    {"2.", "The mailbox does not take mail at present. Ask the recipient in another way."},
    {"3.4", "The message is too large for the recipient's server. Send it in parts, or send a link "
            "instead of the attachment."},
    {"4.4",
     "Check the part of the address behind the \"@\": no mail server belongs to that domain."},
    {"4.6", "The mail goes round in a loop: " ASK_ADMIN "."},
    {"4.", "Try again later. If it is urgent, tell the recipient in another way."},
    {"6.", "The recipient's server cannot take the message in this form. Send it as plain text, or "
           "in another format."},
    {"7.",
     "The recipient's server refuses mail of this kind or from this sender. If you think that "
     "is wrong, " ASK_ADMIN "."},
};

static const char *advice_for(const struct dsn_rcpt *r)
{
    const char *enhanced = r->outcome->enhanced;

    if (r->is_expired && r->outcome->stage <= STAGE_GREETING)
        return "The recipient's server could not be reached all this time. Check the address, and "
               "try again later; if it is urgent, tell the recipient in another way.";
    for (size_t i = 0; enhanced[0] && enhanced[1] == '.' && i < ARRAY_LEN(advices); i++) {
        const char *detail = advices[i].detail;
        bool is_group = detail[strlen(detail) - 1] == '.';
        if (is_group ? starts(enhanced + 2, detail) : strcmp(enhanced + 2, detail) == 0)
            return advices[i].advice;
    }
    return "If you cannot tell from the answer above what is wrong, " ASK_ADMIN ".";
}

static void add_what(struct buf *out, const struct dsn_in *in, const struct dsn_rcpt *r)
{
    const char *host = r->outcome->host[0] ? r->outcome->host : "on its way";
    char time[16];

    switch (r->action) {
    case DSN_ACT_FAILED:
        if (r->is_expired)
            add_line(out, INDENT,
                     "What happened: it could not be delivered for %s, and is given up.",
                     text_duration(in->now_wall_ms - in->message->arrival_wall_ms, time));
        else if (r->outcome->code)
            add_line(out, INDENT,
                     "What happened: the recipient's mail server refused the message.");
        else
            add_line(out, INDENT, "What happened: there is no way to deliver it.");
        break;
    case DSN_ACT_DELAYED:
        add_line(out, INDENT, "What happened: it has been waiting for %s.",
                 text_duration(in->now_wall_ms - in->message->arrival_wall_ms, time));
        break;
    case DSN_ACT_DELIVERED:
        add_line(out, INDENT,
                 "What happened: the server %s has accepted it. That is not yet the mailbox: what "
                 "that server does with it is not known here.",
                 host);
        break;
    case DSN_ACT_RELAYED:
        add_line(out, INDENT, "What happened: the server %s has accepted it, to pass it on.", host);
        break;
    }
}

static void add_why(struct buf *out, const struct dsn_rcpt *r)
{
    CLEANUP(buf_done) struct buf sentence = BUF_INIT;
    const char *label =
        r->action == DSN_ACT_FAILED && !r->is_expired ? "Why" : "The last answer was";

    outcome_sentence(r->outcome, &sentence);
    if (sentence.n)
        add_line(out, INDENT, "%s: %s", label, buf_text(&sentence));
}

static void add_todo(struct buf *out, const struct dsn_rcpt *r)
{
    char date[40];

    if (r->action == DSN_ACT_FAILED)
        add_line(out, INDENT, "What to do: %s", advice_for(r));
    else if (r->action == DSN_ACT_DELAYED && r->retry_until_wall_ms > 0)
        add_line(out, INDENT,
                 "What to do: nothing. It is tried until %s; if that does not help, you will get "
                 "another report.",
                 date_rfc5322(r->retry_until_wall_ms, date));
    else
        add_line(out, INDENT, "What to do: nothing.");
}

static void add_tries(struct buf *out, const struct dsn_rcpt *r)
{
    char date[40];

    if (r->last_try_wall_ms > 0)
        add_line(out, INDENT, "Last tried: %s, %u %s in all.",
                 date_rfc5322(r->last_try_wall_ms, date), r->tries,
                 r->tries == 1 ? "try" : "tries");
}

void dsn_write_words(const struct dsn_in *in, struct buf *out)
{
    add_summary(in, out);
    add_message(in, out);
    for (size_t i = 0; i < in->rcpts_n; i++) {
        const struct dsn_rcpt *r = &in->rcpts[i];
        add_line(out, "", "%s", r->address);
        add_what(out, in, r);
        add_why(out, r);
        add_todo(out, r);
        add_tries(out, r);
        buf_add_z(out, "\r\n");
    }
    add_line(out, "",
             "This report was written by the mail server %s. The next part is for programs.",
             in->hostname);
}
