/* SPDX-License-Identifier: ISC */
/*
 * What a report says to somebody who never saw one: what happened, why, what to do, in this order, and
 * never a word that contradicts the action (a failure never says "delivered"). Each name that a template may use
 * is one function here.
 */
#include "core/base/text.h"
#include "core/mail/date.h"
#include "core/mail/dsn_private.h"
#include "core/mail/id.h"

#define INDENT "    "

size_t dsn_count(const struct dsn_in *in, enum dsn_action action)
{
    size_t n = 0;

    for (size_t i = 0; i < in->rcpts_n; i++)
        n += in->rcpts[i].action == action;
    return n;
}

bool dsn_is_global(const struct dsn_in *in)
{
    return (in->message->flags & MSG_UTF8) != 0;
}

/* --- of the whole report --- */

static void say_title(const struct dsn_in *in, const struct dsn_rcpt *r UNUSED, struct buf *out)
{
    if (in->message->class == MSG_REPORT)
        buf_add_z(out, "Undelivered report");
    else if (dsn_count(in, DSN_ACT_FAILED))
        buf_add_z(out, "Undelivered mail");
    else if (dsn_count(in, DSN_ACT_DELAYED))
        buf_add_z(out, "Delayed mail");
    else
        buf_add_z(out, dsn_count(in, DSN_ACT_DELIVERED) ? "Delivered mail" : "Relayed mail");
}

static void say_subject(const struct dsn_in *in, const struct dsn_rcpt *r UNUSED, struct buf *out)
{
    const char *subject = in->message->digest.subject;

    text_printable(out, subject[0] ? str_of(subject) : STR("(no subject)"), true);
}

static void say_from(const struct dsn_in *in, const struct dsn_rcpt *r UNUSED, struct buf *out)
{
    text_printable(out, str_of(in->message->digest.from), true);
}

static void say_hostname(const struct dsn_in *in, const struct dsn_rcpt *r UNUSED, struct buf *out)
{
    buf_add_z(out, in->hostname);
}

static void say_time(int64_t wall_ms, struct buf *out)
{
    char date[40];

    if (wall_ms > 0)
        buf_add_z(out, date_rfc5322(wall_ms, date));
}

static void say_arrival(const struct dsn_in *in, const struct dsn_rcpt *r UNUSED, struct buf *out)
{
    say_time(in->message->arrival_wall_ms, out);
}

static void say_queue_id(const struct dsn_in *in, const struct dsn_rcpt *r UNUSED, struct buf *out)
{
    char id[ID_TEXT_MAX];

    if (in->message->id)
        buf_add_z(out, id_text(in->message->id, id));
}

static void say_count(const struct dsn_in *in, const struct dsn_rcpt *r UNUSED, struct buf *out)
{
    buf_printf(out, "%zu", in->rcpts_n);
}

static void add_paragraph(struct buf *out, const char *indent, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static void add_paragraph(struct buf *out, const char *indent, const char *fmt, ...)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    CLEANUP(buf_done) struct buf clean = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    text_printable(&clean, buf_str(&text), true);
    dsn_wrap(out, indent, buf_str(&clean));
}

static const struct {
    enum dsn_action action;
    const char *one, *before, *behind; /* "before N behind" for several */
} summaries[] = {
    {DSN_ACT_FAILED,
     "Your message could not be delivered to this recipient, and is not tried any more:",
     "Your message could not be delivered to these", "recipients, and is not tried any more:"},
    {DSN_ACT_DELAYED,
     "Your message has not reached this recipient yet. It is tried further; do not send it again:",
     "Your message has not reached these",
     "recipients yet. It is tried further; do not send it again:"},
    {DSN_ACT_DELIVERED, "The mail server of this recipient has accepted your message:",
     "The mail servers of these", "recipients have accepted your message:"},
    {DSN_ACT_RELAYED,
     "Your message was handed to another server, which will not confirm its delivery, for this "
     "recipient:",
     "Your message was handed to another server, which will not confirm its delivery, for these",
     "recipients:"},
};

/* To the postmaster, about a report of ours. */
static void say_double_summary(const struct dsn_in *in, struct buf *out)
{
    add_paragraph(out, "",
                  "This mail server could not deliver a report of its own, and nobody else is told "
                  "of that. It was for:");
    for (size_t i = 0; i < in->rcpts_n; i++)
        add_paragraph(out, INDENT, "%s", in->rcpts[i].address);
    buf_add_z(out, "\r\n");
}

void dsn_say_summary(const struct dsn_in *in, struct buf *out)
{
    if (in->message->class == MSG_REPORT) {
        say_double_summary(in, out);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(summaries); i++) {
        size_t n = dsn_count(in, summaries[i].action);
        if (n == 1)
            add_paragraph(out, "", "%s", summaries[i].one);
        else if (n > 1)
            add_paragraph(out, "", "%s %zu %s", summaries[i].before, n, summaries[i].behind);
        for (size_t j = 0; n && j < in->rcpts_n; j++)
            if (in->rcpts[j].action == summaries[i].action)
                add_paragraph(out, INDENT, "%s", in->rcpts[j].address);
        if (n)
            buf_add_z(out, "\r\n");
    }
}

/* --- of a recipient --- */

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

    if (r->is_returned)
        return "If you do not know why, " ASK_ADMIN ".";
    if (r->is_expired && dsn_answer(r)->stage <= STAGE_GREETING)
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

static void say_recipient(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r, struct buf *out)
{
    text_printable(out, str_of(r->address), true);
}

static void say_failed(const struct dsn_in *in, const struct dsn_rcpt *r, struct buf *out)
{
    char time[16];

    if (r->is_returned)
        buf_add_z(out, "the operator of this mail server took it out of the queue and returns it.");
    else if (r->is_expired)
        buf_printf(out, "it could not be delivered for %s, and is given up.",
                   text_duration(in->now_wall_ms - in->message->arrival_wall_ms, time));
    else if (r->outcome->code)
        buf_add_z(out, "the recipient's mail server refused the message.");
    else
        buf_add_z(out, "there is no way to deliver it.");
}

static void say_what(const struct dsn_in *in, const struct dsn_rcpt *r, struct buf *out)
{
    const char *host = r->outcome->host[0] ? r->outcome->host : "on its way";
    char time[16];

    switch (r->action) {
    case DSN_ACT_NONE:
    case DSN_ACT_COUNT: break;
    case DSN_ACT_FAILED: say_failed(in, r, out); break;
    case DSN_ACT_DELAYED:
        buf_printf(out, "it has been waiting for %s.",
                   text_duration(in->now_wall_ms - in->message->arrival_wall_ms, time));
        break;
    case DSN_ACT_DELIVERED:
        buf_printf(out,
                   "the server %s has accepted it. That is not yet the mailbox: what that server "
                   "does with it is not known here.",
                   host);
        break;
    case DSN_ACT_RELAYED:
        buf_printf(out, "the server %s has accepted it, to pass it on.", host);
        break;
    }
}

static bool is_refused(const struct dsn_rcpt *r)
{
    return r->action == DSN_ACT_FAILED && !r->is_expired;
}

static void say_why(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r, struct buf *out)
{
    if (r->is_returned && starts(r->outcome->text, DSN_RETURNED ": "))
        text_printable(out, str_of(r->outcome->text + strlen(DSN_RETURNED ": ")), true);
    else if (is_refused(r) && !r->is_returned)
        outcome_sentence(r->outcome, out);
}

static void say_last_answer(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r,
                            struct buf *out)
{
    if (!is_refused(r))
        outcome_sentence(dsn_answer(r), out);
    else if (r->before)
        outcome_sentence(r->before, out);
}

static void say_todo(const struct dsn_in *in, const struct dsn_rcpt *r, struct buf *out)
{
    char date[40];

    if (in->message->class == MSG_REPORT)
        buf_add_z(out,
                  "find out who sends with that address, and why it takes no mail: whoever it is "
                  "does not know what the report says.");
    else if (r->action == DSN_ACT_FAILED)
        buf_add_z(out, advice_for(r));
    else if (r->action == DSN_ACT_DELAYED && r->retry_until_wall_ms > 0)
        buf_printf(out,
                   "nothing. It is tried until %s; if that does not help, you will get another "
                   "report.",
                   date_rfc5322(r->retry_until_wall_ms, date));
    else
        buf_add_z(out, "nothing.");
}

static void say_last_try(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r, struct buf *out)
{
    say_time(r->last_try_wall_ms, out);
}

static void say_next_try(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r, struct buf *out)
{
    if (r->action == DSN_ACT_DELAYED)
        say_time(r->next_try_wall_ms, out);
}

static void say_until(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r, struct buf *out)
{
    if (r->action == DSN_ACT_DELAYED)
        say_time(r->retry_until_wall_ms, out);
}

static void say_tries(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r, struct buf *out)
{
    if (r->last_try_wall_ms > 0)
        buf_printf(out, "%u %s", r->tries, r->tries == 1 ? "try" : "tries");
}

static void say_status(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r, struct buf *out)
{
    char status[16];

    buf_add_z(out, dsn_status(r, status));
}

static void say_server(const struct dsn_in *in UNUSED, const struct dsn_rcpt *r, struct buf *out)
{
    text_printable(out, str_of(dsn_answer(r)->host), true);
}

/* --- the names --- */

static void say_summary(const struct dsn_in *in, const struct dsn_rcpt *r UNUSED, struct buf *out)
{
    dsn_say_summary(in, out);
}

static const struct dsn_name names[] = {
    {"title", false, true, say_title},
    {"subject", false, true, say_subject},
    {"hostname", false, true, say_hostname},
    {"from", false, false, say_from},
    {"arrival", false, false, say_arrival},
    {"queue-id", false, true, say_queue_id},
    {"count", false, true, say_count},
    {"summary", false, false, say_summary},
    {"recipient", true, false, say_recipient},
    {"what", true, false, say_what},
    {"why", true, false, say_why},
    {"last-answer", true, false, say_last_answer},
    {"todo", true, false, say_todo},
    {"last-try", true, false, say_last_try},
    {"tries", true, false, say_tries},
    {"next-try", true, false, say_next_try},
    {"until", true, false, say_until},
    {"status", true, false, say_status},
    {"server", true, false, say_server},
};

const struct dsn_name *dsn_name_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_z(name, names[i].name))
            return &names[i];
    return NULL;
}

const struct dsn_name *dsn_name_at(size_t i)
{
    return i < ARRAY_LEN(names) ? &names[i] : NULL;
}
