/* SPDX-License-Identifier: ISC */
#include "core/mail/transcript.h"

#include "core/base/text.h"

#define ANSWERS_SHOWN 20

void transcript_begin(struct transcript *t, int64_t now_mono_ms)
{
    buf_clear(&t->head);
    buf_clear(&t->tail);
    t->is_head_full = false;
    t->left_out = 0;
    t->begin_mono_ms = now_mono_ms;
}

void transcript_done(struct transcript *t)
{
    buf_done(&t->head);
    buf_done(&t->tail);
}

bool transcript_is_empty(const struct transcript *t)
{
    return t->head.n == 0;
}

static void drop_oldest(struct transcript *t)
{
    while (t->tail.n > TRANSCRIPT_TAIL_MAX) {
        buf_drop(&t->tail, str_find(buf_str(&t->tail), '\n') + 1);
        t->left_out++;
    }
}

/* Cut where a character ends. */
static struct str cut(struct str line)
{
    if (line.n <= TRANSCRIPT_LINE_MAX)
        return line;
    size_t n = TRANSCRIPT_LINE_MAX;
    while (n > 0 && ((unsigned char)line.p[n] & 0xc0) == 0x80)
        n--;
    return str_sub(line, 0, n);
}

static void put_line(struct transcript *t, struct str line)
{
    t->is_head_full = t->is_head_full || t->head.n + line.n + 1 > TRANSCRIPT_HEAD_MAX;
    struct buf *to = t->is_head_full ? &t->tail : &t->head;
    buf_add_str(to, line);
    buf_add_c(to, '\n');
    drop_oldest(t);
}

void transcript_add(struct transcript *t, int64_t now_mono_ms, const char *word, struct str text)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;

    buf_printf(&line, "%lld %s ", (long long)(now_mono_ms - t->begin_mono_ms), word);
    text_printable(&line, str_sub(text, 0, TRANSCRIPT_LINE_MAX), true);
    put_line(t, cut(buf_str(&line)));
}

void transcript_printf(struct transcript *t, int64_t now_mono_ms, const char *word, const char *fmt,
                       ...)
{
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    transcript_add(t, now_mono_ms, word, buf_str(&text));
}

static void join_lines(struct transcript *t, struct str lines, int64_t shift_ms)
{
    struct buf shifted CLEANUP(buf_done) = BUF_INIT;

    while (lines.n) {
        struct str line = str_split(&lines, '\n');
        long long ms = strtoll(str_split(&line, ' ').p, NULL, 10); /* a blank ends it */
        buf_clear(&shifted);
        buf_printf(&shifted, "%lld ", ms + (long long)shift_ms);
        buf_add_str(&shifted, line);
        put_line(t, buf_str(&shifted));
    }
}

void transcript_join(struct transcript *t, const struct transcript *from)
{
    int64_t shift_ms = from->begin_mono_ms - t->begin_mono_ms;

    join_lines(t, buf_str(&from->head), shift_ms);
    t->left_out += from->left_out;
    join_lines(t, buf_str(&from->tail), shift_ms);
}

void transcript_text(const struct transcript *t, struct buf *out)
{
    buf_add_str(out, buf_str(&t->head));
    if (t->left_out)
        buf_printf(out, "... %u lines left out ...\n", t->left_out);
    buf_add_str(out, buf_str(&t->tail));
}

/* --- what was asked, and what there is to try --- */

static void put_record(struct buf *out, const struct dns_record *r)
{
    char ip[48];

    if (r->type == DNS_TYPE_A || r->type == DNS_TYPE_AAAA)
        buf_add_z(out, ip_text(&r->ip, ip));
    else if (r->type == DNS_TYPE_MX)
        buf_printf(out, "%u %s", r->preference, r->name[0] ? r->name : ".");
    else
        buf_add_z(out, r->name);
}

static void put_records(struct buf *out, const struct dns_answer *a, unsigned type)
{
    size_t shown = 0;

    for (size_t i = 0; i < a->n && shown < ANSWERS_SHOWN; i++) {
        if (a->records[i].type != type)
            continue;
        if (shown++)
            buf_add_z(out, ", ");
        put_record(out, &a->records[i]);
    }
    if (a->n > shown && shown == ANSWERS_SHOWN)
        buf_printf(out, ", and %zu more", a->n - shown);
}

static void put_failure(struct buf *out, const struct dns_answer *a)
{
    buf_add_z(out, dns_status_name(a->status));
    if (a->is_timeout)
        buf_add_z(out, ", no answer in time");
    else if (a->status == DNS_TEMP && a->rcode)
        buf_printf(out, ", rcode %u", a->rcode);
}

void transcript_answer(struct transcript *t, int64_t now_mono_ms, const char *name, unsigned type,
                       const struct dns_answer *a)
{
    struct buf text CLEANUP(buf_done) = BUF_INIT;

    buf_printf(&text, "%s %s: ", dns_type_name(type), name);
    if (a->status == DNS_OK)
        put_records(&text, a, type);
    else
        put_failure(&text, a);
    if (a->final_name[0] && strcasecmp(a->final_name, name) != 0)
        buf_printf(&text, ", an alias of %s", a->final_name);
    if (a->status == DNS_OK || a->status == DNS_NODATA || a->status == DNS_NXDOMAIN)
        buf_printf(&text, " (TTL %u s%s)", a->ttl_s, a->is_authentic ? ", authenticated" : "");
    if (a->server[0])
        buf_printf(&text, " by %s", a->server);
    transcript_add(t, now_mono_ms, "dns", buf_str(&text));
}

void transcript_route(struct transcript *t, int64_t now_mono_ms, const struct route *r)
{
    unsigned place = 0;

    for (size_t i = 0; i < r->n; i++) {
        const struct route_host *h = &r->hosts[i];
        const char *how = h->is_implicit ? "the domain's own address, since it has no MX" : NULL;
        char number[16] = "-";

        if (!h->skipped)
            snprintf(number, sizeof(number), "%u", ++place);
        if (how)
            transcript_printf(t, now_mono_ms, "mx", "%s. %s, %s%s%s", number, h->name, how,
                              h->skipped ? ": " : "", h->skipped ? h->skipped : "");
        else
            transcript_printf(t, now_mono_ms, "mx", "%s. %s, preference %u%s%s", number, h->name,
                              h->preference, h->skipped ? ": " : "", h->skipped ? h->skipped : "");
    }
}
