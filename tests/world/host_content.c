/* SPDX-License-Identifier: ISC */
/* Content after DATA and BDAT: unstuffed, counted, hashed, judged; see host.h. */
#include "tests/world/host_private.h"
#include "core/base/alloc.h"

#define LINE_STORE_MAX (1024u * 1024)
/* FNV-1a, 64 bit. */
#define HASH_START 14695981039346656037u
#define HASH_PRIME 1099511628211u

void host_content_start(struct host_session *s)
{
    s->has_early_reply = false;
    s->is_in_header = true;
    s->saw_8bit = s->saw_bare = s->saw_long = false;
    if (s->mail) {
        s->mail->size_bytes = 0;
        s->mail->hash = HASH_START;
        buf_clear(&s->mail->content);
    }
}

static void store(struct world_mail *m, struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        m->hash = (m->hash ^ (uint8_t)bytes.p[i]) * HASH_PRIME;
    m->size_bytes += bytes.n;
    if (m->content.n < WORLD_CONTENT_MAX)
        buf_add_str(&m->content, str_sub(bytes, 0, WORLD_CONTENT_MAX - m->content.n));
}

/* Octets that the standards forbid are noted once a message. */
static void judge_line(struct host_session *s, struct str line)
{
    size_t n = line.n;
    bool is_crlf = n >= 2 && line.p[n - 2] == '\r';
    struct str text = str_sub(line, 0, is_crlf ? n - 2 : n - 1);
    s->is_in_header &= text.n > 0;
    /* RFC 6531 3.5: UTF-8 in a header needs no BODY=8BITMIME. */
    bool may_8bit = s->is_8bit_declared || (s->is_utf8_declared && s->is_in_header);
    for (size_t i = 0; i < text.n; i++) {
        s->saw_8bit |= (uint8_t)text.p[i] > 127 && !may_8bit;
        s->saw_bare |= text.p[i] == '\r' || text.p[i] == '\0';
    }
    s->saw_bare |= !is_crlf;
    s->saw_long |= text.n > 998;
}

static void judge_end(struct host_session *s)
{
    if (s->saw_bare)
        world_violation(s->w, s->h, "content with a bare CR, a bare LF or a NUL (RFC 5321 2.3.8)");
    if (s->saw_long)
        world_violation(s->w, s->h, "a line of more than 998 octets (RFC 5322 2.1.1)");
    if (s->saw_8bit)
        world_violation(s->w, s->h, "8-bit content without BODY=8BITMIME (RFC 6152)");
}

/*
 * The content is complete: the final answer. A session that ends here in silence or with a reset has
 * taken the mail: that is the case that makes duplicates (RFC 1047).
 */
static void content_end(struct host_session *s)
{
    char text[64];
    struct world_mail *m = s->mail;
    bool is_empty = !m || m->rcpts_n == 0;
    judge_end(s);
    s->mode = HOST_COMMANDS;
    s->may_pipeline = s->is_esmtp && host_offers(s, "PIPELINING");
    s->mail = NULL;
    if (s->has_early_reply) {
        world_mail_free(m);
        return;
    }
    snprintf(text, sizeof(text), "Ok: queued as %08llX", (unsigned long long)++s->w->serial);
    int code = is_empty ? host_answer(s, WORLD_EOD, "", 554, "5.5.1", "Error: no valid recipients")
                        : host_answer(s, WORLD_EOD, m->from, 250, "2.0.0", text);
    if (is_empty || (code != 0 && code / 100 != 2))
        world_mail_free(m);
    else
        world_record_mail(s->w, m);
}

/* A rule for "so many octets have come"; true when it stops the reading. */
static bool body_rule(struct host_session *s)
{
    if (s->has_early_reply || !s->mail)
        return false;
    const struct world_rule *r = host_rule(s, WORLD_BODY, s->mail->from, s->mail->size_bytes);
    if (!r)
        return false;
    s->has_early_reply = true;
    s->may_pipeline = true; /* the client is in the middle of its content: nothing to wait for */
    host_obey(s, r, s->mail->from);
    return s->wish != HOST_GO_ON || s->mode == HOST_DEAF;
}

/* One line of content; false when the reading stops here. */
static bool take_content(struct host_session *s, struct str line)
{
    if (line.p[0] == '.')
        line = str_sub(line, 1, line.n);
    judge_line(s, line);
    if (s->mail)
        store(s->mail, line);
    return !body_rule(s);
}

bool host_content(struct host_session *s)
{
    struct str in = buf_str(&s->in), rest = in;
    const char *lf;
    bool is_end = false, goes_on = true;
    while (goes_on && !is_end && rest.n > 0 && (lf = memchr(rest.p, '\n', rest.n))) {
        struct str line = str_sub(rest, 0, (size_t)(lf - rest.p) + 1);
        rest = str_sub(rest, line.n, rest.n);
        is_end = str_eq(line, STR(".\r\n"));
        if (!is_end)
            goes_on = take_content(s, line);
    }
    buf_drop(&s->in, in.n - rest.n);
    if (is_end) {
        content_end(s);
    } else if (goes_on && s->in.n > LINE_STORE_MAX) {
        world_violation(s->w, s->h, "a line that does not end");
        s->wish = HOST_RESET;
    }
    return is_end;
}

/* Postfix, smtpd.c: skip_bdat. */
static void discard_chunk(struct host_session *s)
{
    char text[80];
    snprintf(text, sizeof(text), "Discarded %llu bytes after earlier error",
             (unsigned long long)s->chunk_bytes);
    host_say(s, 551, "5.0.0", text);
    if (s->is_last_chunk)
        host_transaction_drop(s);
}

static void chunk_end(struct host_session *s)
{
    int code = s->mail ? host_answer(s, WORLD_BDAT, s->mail->from, 250, "2.0.0", "Ok")
                       : host_answer(s, WORLD_BDAT, "", 503, "5.5.1", "Error: need RCPT command");
    s->is_chunk_refused = code / 100 != 2;
}

bool host_chunk(struct host_session *s)
{
    struct str in = str_sub(buf_str(&s->in), 0, (size_t)s->chunk_left);
    if (s->mail && in.n > 0) {
        for (size_t i = 0; i < in.n; i++)
            s->saw_8bit |= (uint8_t)in.p[i] > 127 && !s->is_8bit_declared && !s->is_utf8_declared;
        store(s->mail, in);
    }
    s->chunk_left -= in.n;
    s->chunk_bytes += in.n;
    buf_drop(&s->in, in.n);
    if (s->chunk_left > 0)
        return false;
    s->mode = HOST_COMMANDS;
    if (s->is_chunk_refused)
        discard_chunk(s);
    else if (s->is_last_chunk)
        content_end(s);
    else
        chunk_end(s);
    return true;
}
