/* SPDX-License-Identifier: ISC */
/*
 * The delivery log as a mail log file has it: which program of Postfix says what, by which log tools
 * select. Postfix needs several lines where ours is one; the words are the same.
 */
#include "core/base/text.h"
#include "core/mail/date.h"
#include "core/mail/logline.h"

struct writer {
    struct buf *out;
    int64_t wall_ms;
    const char *hostname;
    struct str id; /* "QID: ", or "" */
};

/* "Nov 24 08:02:14 host postfix/smtp[1]: QID: ". */
static void begin(const struct writer *w, const char *program)
{
    char date[24];
    buf_printf(w->out, "%s ", date_syslog(w->wall_ms, date));
    text_printable(w->out, str_of(w->hostname), true);
    buf_printf(w->out, " postfix/%s[1]: ", program);
    buf_add_str(w->out, w->id);
}

static void end(const struct writer *w)
{
    buf_add_c(w->out, '\n');
}

static void add_whole(const struct writer *w, const char *program, struct str text)
{
    begin(w, program);
    buf_add_str(w->out, text);
    end(w);
}

/* smtpd does not say the client's port, and pickup says the sender too. */
static void add_where_from(const struct writer *w, struct str line, struct str from)
{
    struct str value;
    if (logline_field(line, "client", &value)) {
        size_t bracket = value.n;
        while (bracket > 0 && value.p[bracket - 1] != ']')
            bracket--;
        begin(w, "smtpd");
        buf_add_z(w->out, "client=");
        buf_add_str(w->out, bracket > 0 ? str_sub(value, 0, bracket) : value);
        end(w);
    } else if (logline_field(line, "uid", &value)) {
        begin(w, "pickup");
        buf_add_z(w->out, "uid=");
        buf_add_str(w->out, value);
        buf_add_z(w->out, " from=<");
        buf_add_str(w->out, from);
        buf_add_c(w->out, '>');
        end(w);
    }
}

static void add_accepted(const struct writer *w, struct str line, struct str from, struct str nrcpt)
{
    struct str value;
    add_where_from(w, line, from);
    if (logline_field(line, "message-id", &value)) {
        begin(w, "cleanup");
        buf_add_z(w->out, "message-id=<");
        buf_add_str(w->out, value);
        buf_add_c(w->out, '>');
        end(w);
    }
    begin(w, "qmgr");
    size_t fields_end = (size_t)(nrcpt.p + nrcpt.n - line.p);
    buf_add_str(w->out, str_sub(line, w->id.n, fields_end));
    buf_add_z(w->out, " (queue active)");
    end(w);
}

/* Postfix has a program for what it did not even try; all else is smtp's. */
static const char *delivery_program(struct str line, struct str status)
{
    size_t at = (size_t)(status.p + status.n - line.p);
    bool is_suspended =
        str_starts(str_sub(line, at, line.n), STR(" (delivery temporarily suspended: "));
    return is_suspended ? "error" : "smtp";
}

/* Postfix's queue manager says of the message what it did with what was left of it. */
static void add_expired(const struct writer *w, const char *sender)
{
    begin(w, "qmgr");
    if (sender) {
        buf_add_z(w->out, "from=<");
        text_printable(w->out, str_of(sender), true);
        buf_add_z(w->out, ">, ");
    }
    buf_add_z(w->out, "status=expired, returned to sender");
    end(w);
}

static void add_delivery(const struct writer *w, struct str line, struct str status,
                         const char *sender)
{
    enum log_status known = logline_status(line);
    bool is_final = known == LOG_SENT || known == LOG_BOUNCED;
    size_t at = w->id.n;
    struct str tls;
    begin(w, delivery_program(line, status));
    if (logline_field(line, "tls", &tls)) {
        size_t field = (size_t)(tls.p - line.p) - strlen(", tls=");
        buf_add_str(w->out, str_sub(line, at, field));
        at = (size_t)(tls.p + tls.n - line.p);
    }
    buf_add_str(w->out, str_sub(line, at, (size_t)(status.p - line.p)));
    buf_add_str(w->out, is_final ? status : STR("deferred"));
    buf_add_str(w->out, str_sub(line, (size_t)(status.p + status.n - line.p), line.n));
    end(w);
    if (known == LOG_EXPIRED)
        add_expired(w, sender);
}

static bool is_notification(struct str text)
{
    return str_starts(text, STR("sender ")) || str_starts(text, STR("postmaster "));
}

void logline_postfix(struct buf *out, int64_t wall_ms, const char *hostname, struct str line,
                     const char *sender)
{
    struct writer w = {out, wall_ms, hostname, STR_NONE};
    struct str from, nrcpt, status;
    if (logline_status(line) == LOG_REJECTED && str_starts(line, STR("NOQUEUE: "))) {
        add_whole(&w, "smtpd", line);
        return;
    }
    size_t colon = str_find(line, ':');
    w.id = str_sub(line, 0, colon + 2);
    struct str text = str_sub(line, colon + 2, line.n);
    if (str_starts(text, STR("to=<")) && logline_field(line, "status", &status))
        add_delivery(&w, line, status, sender);
    else if (logline_field(line, "from", &from) && logline_field(line, "nrcpt", &nrcpt))
        add_accepted(&w, line, from, nrcpt);
    else
        add_whole(&w, is_notification(text) ? "bounce" : "qmgr", text);
}
