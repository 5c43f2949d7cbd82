/* SPDX-License-Identifier: ISC */
/*
 * Content: dot unstuffing (RFC 5321 4.5.2), chunks (RFC 3030), and the strictness that keeps one
 * message from being two: exactly CR LF . CR LF ends the data, and content with a bare CR, a bare LF
 * or a NUL is read to its true end and refused as a whole (2.3.8, 4.1.1.4; CVE-2023-51764 and kin).
 *
 * Work is done on runs by memchr; octets are looked at one by one only around line ends. A verdict
 * does not depend on how the input was cut: it falls at the first octet that is wrong.
 */
#include "core/smtp/server_private.h"

void server_data_start(struct smtp_server *s, bool is_dotted)
{
    s->is_dotted = is_dotted;
    s->at = AT_LINE_START;
    s->verdict = CONTENT_GOOD;
    s->content_bytes = 0;
}

/* The content is wrong from here on: what was taken is dropped now, the answer waits for the end. */
static void condemn(struct smtp_server *s, enum content_verdict verdict)
{
    if (s->verdict != CONTENT_GOOD)
        return;
    s->verdict = verdict;
    server_drop(s);
}

/* Give a run on, as far as it is good and fits. */
static void emit(struct smtp_server *s, const char *from, const char *to)
{
    size_t n = (size_t)(to - from);
    uint64_t limit = s->limits->message_bytes;

    if (n == 0 || s->verdict != CONTENT_GOOD)
        return;
    const char *nul = memchr(from, '\0', n);
    if (nul)
        n = (size_t)(nul - from);
    bool fits = limit == 0 || n <= limit - s->content_bytes;
    if (!fits)
        n = (size_t)(limit - s->content_bytes);
    s->content_bytes += n;
    if (n && s->ops->body)
        s->ops->body(s->arg, (struct str){from, n});
    if (!fits)
        condemn(s, CONTENT_TOO_BIG);
    else if (nul)
        condemn(s, CONTENT_BARE);
}

/* What stands before the wrong octet counts first: it may be what breaks the size. */
static const char *condemn_bare(struct smtp_server *s, const char *run, const char *to)
{
    emit(s, run, to);
    condemn(s, CONTENT_BARE);
    return to;
}

/*
 * Go over lines from p, standing in AT_TEXT, as long as they need no care: up to the end of input, a
 * CR without its LF in sight, a dot at a line's start, or a bare LF (returned as *bare).
 */
static const char *text_run(struct smtp_server *s, const char *p, const char *end,
                            const char **bare)
{
    for (;;) {
        const char *cr = memchr(p, '\r', (size_t)(end - p));
        const char *stop = cr ? cr : end;
        *bare = memchr(p, '\n', (size_t)(stop - p));
        if (*bare)
            return *bare + 1;
        if (!cr)
            return end;
        if (cr + 1 == end || cr[1] != '\n') {
            s->at = AT_CR;
            return cr + 1;
        }
        p = cr + 2;
        if (p == end || *p == '.') {
            s->at = AT_LINE_START;
            return p;
        }
    }
}

/* One step of the machine at p. Returns where to go on; *run is where the octets that are not given
 * on yet begin. *is_end: the dot and its CR LF were read. */
static const char *step(struct smtp_server *s, const char *p, const char *end, const char **run,
                        bool *is_end)
{
    const char *bare;

    switch (s->at) {
    case AT_LINE_START:
        if (*p != '.' || !s->is_dotted) {
            s->at = AT_TEXT;
            return p;
        }
        emit(s, *run, p);
        s->at = AT_DOT;
        *run = p + 1;
        return p + 1;
    case AT_DOT:
        if (*p != '\r') {
            s->at = AT_TEXT;
            return p;
        }
        s->at = AT_DOT_CR;
        *run = p + 1;
        return p + 1;
    case AT_DOT_CR:
        if (*p == '\n') {
            *is_end = true;
            return p + 1;
        }
        condemn_bare(s, p, p);
        s->at = AT_TEXT;
        return p;
    case AT_CR:
        s->at = *p == '\n' ? AT_LINE_START : AT_TEXT;
        if (*p == '\n')
            return p + 1;
        *run = condemn_bare(s, *run, p);
        return p;
    default:
        p = text_run(s, p, end, &bare);
        if (bare)
            *run = condemn_bare(s, *run, bare);
        return p;
    }
}

static bool read_content(struct smtp_server *s, struct str *in)
{
    const char *p = in->p, *end = in->p + in->n, *run = in->p;
    bool is_end = false;

    while (p < end && !is_end)
        p = step(s, p, end, &run, &is_end);
    if (!is_end)
        emit(s, run, p);
    *in = str_sub(*in, (size_t)(p - in->p), in->n);
    return is_end;
}

bool server_data_read(struct smtp_server *s, struct str *in)
{
    return read_content(s, in);
}

bool server_chunk_read(struct smtp_server *s, struct str *in)
{
    size_t n = in->n < s->chunk_left ? in->n : (size_t)s->chunk_left;
    struct str part = str_sub(*in, 0, n);

    if (s->held_reply.n == 0)
        read_content(s, &part);
    s->chunk_left -= n;
    *in = str_sub(*in, n, in->n);
    return s->chunk_left == 0;
}

static void refuse_content(struct smtp_server *s)
{
    struct smtp_answer a = {550, "5.5.2", "Bare CR, bare LF or NUL in the content"};

    if (s->verdict == CONTENT_TOO_BIG)
        a = (struct smtp_answer){552, "5.3.4", "Message size exceeds the limit"};
    s->state = SERVER_COMMAND;
    s->deadline_mono_ms = s->now_mono_ms + s->limits->idle_ms;
    server_reply(s, a.code, a.enhanced, a.text);
    server_rejected(s, "END-OF-MESSAGE", &a, "");
}

void server_data_finish(struct smtp_server *s)
{
    if (s->verdict == CONTENT_GOOD)
        server_end(s);
    else
        refuse_content(s);
}

/* A last chunk need not end a line; a stored message does, before anybody signs it. */
static void complete_last_line(struct smtp_server *s)
{
    static const char crlf[] = "\r\n";

    if (s->at == AT_CR)
        condemn(s, CONTENT_BARE);
    else if (s->content_bytes && s->at != AT_LINE_START)
        emit(s, crlf, crlf + 2);
}

void server_chunk_finish(struct smtp_server *s)
{
    s->state = SERVER_COMMAND;
    s->deadline_mono_ms = s->now_mono_ms + s->limits->idle_ms;
    if (s->held_reply.n) {
        wire_add(&s->out, buf_str(&s->held_reply));
        buf_clear(&s->held_reply);
        return;
    }
    if (s->chunk_is_last)
        complete_last_line(s);
    if (s->verdict != CONTENT_GOOD)
        refuse_content(s);
    else if (s->chunk_is_last)
        server_end(s);
    else
        server_reply(s, 250, "2.0.0", "Octets received");
}
