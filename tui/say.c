/* SPDX-License-Identifier: ISC */
#include "tui/say.h"

#include "core/base/clock.h"
#include "core/base/text.h"

const char *say_state(const struct view_row *r)
{
    switch (r->state) {
    case RCPT_QUEUED: return r->tries > 0 ? "retrying" : "waiting";
    case RCPT_ACTIVE: return "active";
    case RCPT_HELD: return "HELD";
    case RCPT_UNCONFIRMED: return "UNCONF";
    case RCPT_DELIVERED: return "sent";
    case RCPT_BOUNCED: return "bounced";
    case RCPT_EXPIRED: return "expired";
    case RCPT_DELETED: return "deleted";
    default: return "?";
    }
}

enum role say_state_role(const struct view_row *r)
{
    switch (r->state) {
    case RCPT_QUEUED: return r->tries > 0 ? ROLE_RETRYING : ROLE_WAITING;
    case RCPT_ACTIVE: return ROLE_ACTIVE;
    case RCPT_HELD:
    case RCPT_UNCONFIRMED: return ROLE_STUCK;
    case RCPT_DELIVERED: return ROLE_DONE;
    case RCPT_DELETED: return ROLE_DIM;
    default: return ROLE_FAILED;
    }
}

const char *say_next(const struct view_row *r, int64_t now_wall_ms, char out[16])
{
    if (r->state == RCPT_ACTIVE)
        return "now";
    if (r->state == RCPT_HELD)
        return "held";
    if (rcpt_state_is_final(r->state) || r->next_wall_ms == 0)
        return "-";
    if (r->next_wall_ms <= now_wall_ms)
        return "due";
    return text_duration(r->next_wall_ms - now_wall_ms, out);
}

const char *say_code(int code, const char *enhanced, char out[16])
{
    if (enhanced[0])
        str_copy(str_of(enhanced), out, 16);
    else if (code > 0)
        snprintf(out, 16, "%d", code);
    else
        snprintf(out, 16, "-");
    return out;
}

static void say_when(const struct view_row *r, int64_t now_wall_ms, struct buf *out)
{
    char clock[32], in[16];

    if (r->next_wall_ms <= now_wall_ms) {
        buf_add_z(out, "It is due now. ");
        return;
    }
    buf_printf(out, "Next try in %s (%s UTC). ", text_duration(r->next_wall_ms - now_wall_ms, in),
               r->next_wall_ms / DAY_MS == now_wall_ms / DAY_MS
                   ? say_hm(r->next_wall_ms, clock)
                   : say_day_hm(r->next_wall_ms, clock));
}

/* What a try without a reply code met, by the first word of its cause: its stage (core/mail/outcome.h). */
static const char *say_stage(const char *cause)
{
    static const struct {
        const char *stage, *text;
    } rows[] = {
        {"dns", "The name server gave no usable answer about that domain; it is asked again by "
                "itself."},
        {"connect", "No server of that domain could be reached; it is tried again by itself."},
        {"starttls", "No encrypted connection could be made; it is tried again by itself."},
        {"tls", "No encrypted connection could be made; it is tried again by itself."},
        {"auth", "The server was reached, but we could not log in: look at user, password-file and "
                 "auth of that [relay]. It is tried again by itself."},
        {"local", "This machine could not do its part: look at the engine's own log. It is tried "
                  "again by itself."},
        {"eod", "The connection broke before the server had taken the message; it is tried again "
                "by itself."},
    };
    struct str rest = str_of(cause), stage = str_split(&rest, ' ');

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq_z(stage, rows[i].stage))
            return rows[i].text;
    return stage.n > 0
               ? "The server was reached, but the conversation broke off; it is tried again "
                 "by itself."
               : "It is tried again by itself.";
}

/* Not every message that waits is a problem: say which kind of waiting it is. */
static void say_queued(const struct view_row *r, int64_t now_wall_ms, struct buf *out)
{
    if (r->tries == 0) {
        buf_add_z(out, "Waits for its first try. ");
        say_when(r, now_wall_ms, out);
        return;
    }
    say_when(r, now_wall_ms, out);
    if (r->code == 0 || str_starts(str_of(r->cause), STR("auth ")))
        buf_add_z(out, say_stage(r->cause));
    else if (strcmp(r->enhanced, "4.1.8") == 0)
        buf_add_z(out, "The server does not find the domain of the sender's address in the DNS: it "
                       "must have an MX or an address there. It is tried again by itself.");
    else if (r->code < 500)
        buf_add_z(out, "The server asked us to come back later (4xx): usual with greylisting, "
                       "quotas and rate limits; it is tried again by itself.");
    else
        buf_add_z(out, "The server refused, and the reason can be repaired on our side.");
}

void say_row(const struct view_row *r, int64_t now_wall_ms, struct buf *out)
{
    char ago[16];

    switch (r->state) {
    case RCPT_QUEUED: say_queued(r, now_wall_ms, out); break;
    case RCPT_ACTIVE: buf_add_z(out, "It is being delivered right now."); break;
    case RCPT_HELD:
        if (!r->is_held_by_engine) {
            buf_add_z(out, "Held: it stays until it is released (u).");
            break;
        }
        buf_add_z(out, "Held, since this refusal is about us and not about the mail. ");
        say_when(r, now_wall_ms, out);
        buf_add_z(out, "Once it is mended, release it (u).");
        break;
    case RCPT_UNCONFIRMED:
        buf_add_z(out, "The connection was lost after the whole message was sent: the server may "
                       "have it already. ");
        say_when(r, now_wall_ms, out);
        buf_add_z(out,
                  "Ask there: when it arrived, confirm (c) stops a second copy; when not, resend "
                  "(s) does not wait.");
        break;
    case RCPT_DELIVERED:
        buf_printf(out,
                   "Accepted by the next server %s ago; whether it reached the mailbox, only "
                   "that server knows.",
                   text_duration(now_wall_ms - r->finished_wall_ms, ago));
        break;
    case RCPT_BOUNCED: buf_add_z(out, "Refused for good (5xx); the sender was told."); break;
    case RCPT_EXPIRED:
        buf_add_z(out, "Its time was over before a server took it; the sender was told.");
        break;
    default: buf_add_z(out, "Deleted by an operator; nobody was told."); break;
    }
}

void say_group(const struct view_group_row *g, int64_t now_wall_ms, struct buf *out)
{
    char n[32], m[32], size[16], age[16];

    buf_printf(out, "%s recipient%s of %s domain%s, %s, the oldest %s. ", text_count(g->count, n),
               g->count == 1 ? "" : "s", text_count(g->domains, m), g->domains == 1 ? "" : "s",
               text_size(g->bytes, size), text_duration(now_wall_ms - g->oldest_wall_ms, age));
    if (g->code >= 400 && g->code < 500)
        buf_add_z(out,
                  "4xx: the servers asked us to come back later; it is tried again by itself.");
}

/* text_time_utc gives "2026-11-24T10:42:00.123Z". */
static const char *slice(int64_t wall_ms, size_t from, size_t n, char out[32])
{
    char full[32];

    text_time_utc(wall_ms, full);
    str_copy(str_sub(str_of(full), from, from + n), out, 32);
    return out;
}

const char *say_hm(int64_t wall_ms, char out[32])
{
    return slice(wall_ms, 11, 5, out);
}

const char *say_hms(int64_t wall_ms, char out[32])
{
    return slice(wall_ms, 11, 8, out);
}

const char *say_day_hm(int64_t wall_ms, char out[32])
{
    slice(wall_ms, 5, 11, out);
    if (strlen(out) > 5)
        out[5] = ' ';
    return out;
}

const char *say_full(int64_t wall_ms, char out[32])
{
    slice(wall_ms, 0, 19, out);
    if (strlen(out) > 10)
        out[10] = ' ';
    return out;
}

const char *say_rate(uint64_t n, char out[16])
{
    if (n < 1000)
        snprintf(out, 16, "%u", (unsigned)n);
    else if (n < 100000)
        snprintf(out, 16, "%u.%uk", (unsigned)(n / 1000), (unsigned)(n / 100 % 10));
    else
        snprintf(out, 16, "%uk", (unsigned)(n / 1000));
    return out;
}

/* What stands between "name=" and the next ", ", without <>. */
static struct str part(struct str line, const char *name)
{
    size_t at = str_ifind(line, str_of(name)), end;
    struct str s;

    if (at == SIZE_MAX)
        return STR_NONE;
    s = str_sub(line, at + strlen(name), line.n);
    if (s.n > 0 && s.p[0] == '<') {
        s = str_sub(s, 1, s.n);
        return str_sub(s, 0, str_find(s, '>'));
    }
    end = str_ifind(s, STR(", "));
    return end == SIZE_MAX ? s : str_sub(s, 0, end);
}

struct str say_reply(struct str s)
{
    size_t at = str_ifind(s, STR(" said: "));

    return str_starts(s, STR("host ")) && at != SIZE_MAX ? str_sub(s, at + 7, s.n) : s;
}

static struct str reply_of(struct str line)
{
    size_t at = str_ifind(line, STR(" status="));
    struct str s;

    if (at == SIZE_MAX)
        return STR_NONE;
    s = str_sub(line, at + 1, line.n);
    at = str_find(s, '(');
    s = str_sub(s, at + 1, s.n);
    return say_reply(s.n > 0 && s.p[s.n - 1] == ')' ? str_sub(s, 0, s.n - 1) : s);
}

void say_line(struct str line, struct say_line *out)
{
    size_t colon = str_find(line, ':');

    *out = (struct say_line){.status = logline_status(line)};
    if (colon < line.n && colon < 20)
        out->id = str_sub(line, 0, colon);
    if (out->status == LOG_REJECTED) {
        out->to = part(line, " to=");
        out->reply = str_sub(line, colon + 2, line.n);
        if (str_starts(out->reply, STR("reject: ")))
            out->reply = str_sub(out->reply, 8, out->reply.n);
        return;
    }
    out->to = part(line, " to=");
    out->relay = part(line, " relay=");
    out->delay = part(line, " delay=");
    out->reply = reply_of(line);
    if (out->reply.n == 0) {
        out->reply = str_sub(line, colon + 2, line.n);
        out->is_accepted = str_starts(out->reply, STR("from=<"));
    }
}

const char *say_status(const struct say_line *l)
{
    switch (l->status) {
    case LOG_SENT: return "SENT";
    case LOG_DEFERRED: return "DEFER";
    case LOG_BOUNCED: return "BOUNCE";
    case LOG_EXPIRED: return "EXPIRE";
    case LOG_REJECTED: return "REJECT";
    case LOG_UNCONFIRMED: return "UNCONF";
    default: return l->is_accepted ? "queued" : "-";
    }
}

enum role say_status_role(enum log_status s)
{
    switch (s) {
    case LOG_SENT: return ROLE_LOG_SENT;
    case LOG_DEFERRED: return ROLE_LOG_DEFERRED;
    case LOG_BOUNCED:
    case LOG_EXPIRED:
    case LOG_UNCONFIRMED: return ROLE_LOG_BOUNCED;
    case LOG_REJECTED: return ROLE_LOG_REJECTED;
    default: return ROLE_DIM;
    }
}

bool say_is_failure(enum log_status s)
{
    return s != LOG_SENT && s != LOG_OTHER;
}
