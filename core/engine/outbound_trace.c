/* SPDX-License-Identifier: ISC */
/*
 * What is asked, reached and said on an outbound, into the transcripts of the deliveries that it
 * carries: each has its own, which begins with its try. A line of ours is of the newest aboard (what
 * stands in front has had its say), a line of the host of the one in front.
 *
 * Written all the time, since nobody knows beforehand what will fail; told to the store only when it
 * did, and now and then of what went well.
 */
#include "core/engine/outbound_private.h"

/* One of so many tries that went well is kept as an example of how it should be. */
#define KEEP_ONE_IN 100u

static int64_t now_of(const struct outbound *o)
{
    return io_mono_ms(outbound_engine(o)->io);
}

void trace_note(struct outbound *o, const char *word, const char *fmt, ...)
{
    struct delivery *d = o->second ? o->second : o->first;
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    va_list ap;

    if (!d)
        return;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    transcript_add(&d->log, now_of(o), word, buf_str(&text));
}

void trace_begin(struct delivery *d)
{
    /* What was done directly, when a relay has taken over. */
    struct transcript before = d->log;
    d->log = (struct transcript){0};
    transcript_begin(&d->log, d->begin_mono_ms);
    transcript_join(&d->log, &before);
    transcript_done(&before);
    transcript_join(&d->log, &d->domain->mx);
    d->has_setup = false;
}

void trace_answer(struct outbound *o, unsigned type, const struct dns_answer *a)
{
    if (o->first)
        transcript_answer(&o->first->log, now_of(o), o->route.hosts[o->host].name, type, a);
}

void trace_tls(struct outbound *o, const struct tls_facts *f)
{
    const char *name = o->route.hosts[o->host].name;

    trace_note(o, "tls", "%s: %s%s%s%s%s%s%s", name, tls_state_name(f->state),
               f->version[0] ? ", " : "", f->version, f->cipher[0] ? ", " : "", f->cipher,
               f->why[0] ? ": " : "", f->why);
}

void trace_wire(void *arg, char direction, struct str line)
{
    struct outbound *o = arg;
    struct delivery *d = direction == '>' && o->second ? o->second : o->first;
    char word[2] = {direction, '\0'};

    if (d)
        transcript_add(&d->log, now_of(o), word, line);
}

void trace_ready(struct outbound *o)
{
    if (o->has_setup || !o->first)
        return;
    o->has_setup = true;
    o->first->has_setup = true;
    transcript_begin(&o->setup, o->first->log.begin_mono_ms);
    transcript_join(&o->setup, &o->first->log);
}

void trace_tell(struct outbound *o, struct delivery *d, const struct outcome *outcome)
{
    struct engine *e = outbound_engine(o);
    struct transcript whole = {0};
    bool is_well = outcome->class == OUTCOME_DELIVERED;

    list_for_each(l, &d->tasks)
        is_well = is_well && !list_entry(l, struct task, link)->outcome;
    if (is_well && e->well_n++ % KEEP_ONE_IN != 0)
        return;
    buf_clear(&d->told);
    transcript_begin(&whole, d->begin_mono_ms);
    if (!d->has_setup && o->has_setup) {
        transcript_join(&whole, &o->setup);
        transcript_printf(&whole, d->begin_mono_ms, "note",
                          "by the connection above, as its transaction %u", outcome->conn_use);
    }
    transcript_join(&whole, &d->log);
    transcript_text(&whole, &d->told);
    transcript_done(&whole);
}
