/* SPDX-License-Identifier: ISC */
/*
 * How an outcome is said: the sentence in Postfix's words, because log readers and people know them,
 * and the short cause by which equal troubles group. Bytes of the peer become printable here.
 */
#include "core/mail/outcome.h"

#include <errno.h>
#include "core/base/text.h"

static const struct {
    int sys;
    const char *name, *text;
} errnos[] = {
    {ECONNREFUSED, "ECONNREFUSED", "Connection refused"},
    {ETIMEDOUT, "ETIMEDOUT", "Connection timed out"},
    {EHOSTUNREACH, "EHOSTUNREACH", "No route to host"},
    {ENETUNREACH, "ENETUNREACH", "Network is unreachable"},
    {ECONNRESET, "ECONNRESET", "Connection reset by peer"},
    {ECONNABORTED, "ECONNABORTED", "Software caused connection abort"},
    {EPIPE, "EPIPE", "Broken pipe"},
    {EACCES, "EACCES", "Permission denied"},
    {EPERM, "EPERM", "Operation not permitted"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL", "Cannot assign requested address"},
    {EADDRINUSE, "EADDRINUSE", "Address already in use"},
    {EAFNOSUPPORT, "EAFNOSUPPORT", "Address family not supported by protocol"},
    {ENETDOWN, "ENETDOWN", "Network is down"},
    {ENETRESET, "ENETRESET", "Network dropped connection on reset"},
    {EHOSTDOWN, "EHOSTDOWN", "Host is down"},
    {EPROTO, "EPROTO", "Protocol error"},
    {EINVAL, "EINVAL", "Invalid argument"},
    {EMFILE, "EMFILE", "Too many open files"},
    {ENFILE, "ENFILE", "Too many open files in system"},
    {ENOMEM, "ENOMEM", "Cannot allocate memory"},
    {ENOBUFS, "ENOBUFS", "No buffer space available"},
    {ENOSPC, "ENOSPC", "No space left on device"},
    {EDQUOT, "EDQUOT", "Disk quota exceeded"},
    {EROFS, "EROFS", "Read-only file system"},
    {EIO, "EIO", "Input/output error"},
    {ENOENT, "ENOENT", "No such file or directory"},
    {ECANCELED, "ECANCELED", "Operation canceled"},
    {EAGAIN, "EAGAIN", "Resource temporarily unavailable"},
};

const char *outcome_errno_name(int sys)
{
    for (size_t i = 0; i < ARRAY_LEN(errnos); i++)
        if (errnos[i].sys == sys)
            return errnos[i].name;
    return "error";
}

const char *outcome_errno_text(int sys)
{
    for (size_t i = 0; i < ARRAY_LEN(errnos); i++)
        if (errnos[i].sys == sys)
            return errnos[i].text;
    return "Network error";
}

/* Postfix, smtp_proto.c: xfer_request. */
const char *stage_command(enum stage s)
{
    switch (s) {
    case STAGE_GREETING: return "initial greeting";
    case STAGE_EHLO: return "EHLO";
    case STAGE_STARTTLS:
    case STAGE_TLS: return "STARTTLS";
    case STAGE_AUTH: return "AUTH";
    case STAGE_MAIL: return "MAIL FROM";
    case STAGE_RCPT: return "RCPT TO";
    case STAGE_DATA: return "DATA";
    case STAGE_BODY:
    case STAGE_EOD: return "end of DATA";
    case STAGE_RSET: return "RSET";
    case STAGE_QUIT: return "QUIT";
    default: return "";
    }
}

/* Postfix, smtp_proto.c: xfer_states, and "where" in smtp_helo. */
static const char *stage_doing(enum stage s)
{
    switch (s) {
    case STAGE_GREETING: return "receiving the initial server greeting";
    case STAGE_EHLO: return "performing the EHLO handshake";
    case STAGE_STARTTLS: return "sending the STARTTLS command";
    case STAGE_TLS: return "performing the TLS handshake";
    case STAGE_AUTH: return "performing SASL authentication";
    case STAGE_MAIL: return "sending MAIL FROM";
    case STAGE_RCPT: return "sending RCPT TO";
    case STAGE_DATA: return "sending DATA command";
    case STAGE_BODY: return "sending message body";
    case STAGE_EOD: return "sending end of data -- message may be sent more than once";
    case STAGE_RSET: return "sending RSET probe";
    case STAGE_QUIT: return "sending QUIT";
    default: return "talking";
    }
}

void outcome_cause(const struct outcome *o, char out[48])
{
    const char *stage = stage_name(o->stage);
    if (o->tag[0])
        snprintf(out, 48, "%s %s", stage, o->tag);
    else if (o->stage == STAGE_DNS)
        snprintf(out, 48, "%s %s", stage, dns_status_name(o->dns));
    else if (o->code)
        snprintf(out, 48, "%s %d %s", stage, o->code, o->enhanced);
    else if (o->sys)
        snprintf(out, 48, "%s %s", stage, outcome_errno_name(o->sys));
    else if (o->enhanced[0])
        snprintf(out, 48, "%s %s", stage, o->enhanced);
    else
        snprintf(out, 48, "%s", stage);
}

static void add_remote(struct buf *out, const char *s)
{
    text_printable(out, str_of(s), true);
}

/* "mx.example.com[192.0.2.1]"; of an address literal only "[192.0.2.1]". */
static void add_peer(struct buf *out, const struct outcome *o)
{
    if (o->host[0] != '[')
        add_remote(out, o->host);
    if (o->ip[0])
        buf_printf(out, "[%s]", o->ip);
    else if (o->host[0] == '[')
        add_remote(out, o->host);
}

static bool has_peer(const struct outcome *o)
{
    return o->host[0] || o->ip[0];
}

static void add_reply(struct buf *out, const struct outcome *o)
{
    buf_printf(out, "%03d ", o->code);
    add_remote(out, o->text);
}

static void say_refused(const struct outcome *o, struct buf *out)
{
    switch (o->stage) {
    case STAGE_GREETING:
    case STAGE_EHLO: /* Postfix, smtp_proto.c, smtp_helo: the same words for both */
        buf_add_z(out, "host ");
        add_peer(out, o);
        buf_add_z(out, " refused to talk to me: ");
        add_reply(out, o);
        return;
    case STAGE_AUTH:
        buf_add_z(out, "SASL authentication failed; server ");
        add_peer(out, o);
        buf_add_z(out, " said: ");
        add_reply(out, o);
        return;
    default:
        buf_add_z(out, "host ");
        add_peer(out, o);
        buf_add_z(out, " said: ");
        add_reply(out, o);
        if (stage_command(o->stage)[0])
            buf_printf(out, " (in reply to %s command)", stage_command(o->stage));
    }
}

static void say_broken(const struct outcome *o, struct buf *out)
{
    bool is_timeout = o->sys == ETIMEDOUT;
    buf_add_z(out, is_timeout ? "conversation with " : "lost connection with ");
    add_peer(out, o);
    buf_printf(out, "%s while %s", is_timeout ? " timed out" : "", stage_doing(o->stage));
}

static void say_not_connected(const struct outcome *o, struct buf *out)
{
    buf_add_z(out, "connect to ");
    add_peer(out, o);
    if (o->port)
        buf_printf(out, ":%u", o->port);
    buf_add_z(out, ": ");
    add_remote(out, o->text);
}

void outcome_sentence(const struct outcome *o, struct buf *out)
{
    bool is_wire = o->stage >= STAGE_GREETING && o->stage <= STAGE_QUIT;
    if (o->is_suspended)
        buf_add_z(out, "delivery temporarily suspended: ");
    if (o->code && o->class == OUTCOME_DELIVERED)
        add_reply(out, o);
    else if (o->code && is_wire && has_peer(o))
        say_refused(o, out);
    else if (o->sys && is_wire && has_peer(o))
        say_broken(o, out);
    else if (o->sys && o->stage == STAGE_CONNECT && has_peer(o))
        say_not_connected(o, out);
    else
        add_remote(out, o->text);
}
