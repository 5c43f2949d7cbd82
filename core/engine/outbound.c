/* SPDX-License-Identifier: ISC */
/* Reaching a host: addresses, connects, the next one. */
#include <errno.h>

#include "core/base/alloc.h"
#include "core/engine/outbound_private.h"
#include "core/engine/record.h"
#include "core/engine/relay.h"
#include "core/engine/watch.h"

/* Connections that got a greeting, in one try: a large MX set must not be many times five minutes. */
#define SESSIONS_MAX 3u
#define QUIT_WAIT_MS (10 * SECOND_MS)

static void resolve_host(struct outbound *o);

const char *outbound_phase_name(enum outbound_phase p)
{
    static const char *const names[] = {"resolving", "connecting", "talking", "idle", "quitting"};
    return names[p];
}

struct engine *outbound_engine(const struct outbound *o)
{
    return o->site->schedule->engine;
}

void outbound_timer(struct outbound *o, int64_t delay_ms)
{
    outbound_engine(o)->io->ops->timer_start(o->timer, delay_ms < 0 ? 0 : delay_ms);
}

/* --- endings --- */

static void answers_free(struct outbound *o)
{
    struct dns_answer **both[] = {&o->a, &o->aaaa};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        if (*both[i])
            dns_answer_done(*both[i]);
        free(*both[i]);
        *both[i] = NULL;
    }
}

void outbound_hang_up(struct outbound *o, bool flush)
{
    const struct io_ops *io = outbound_engine(o)->io->ops;
    outbound_reading_lost(o);
    if (o->query_a)
        io->cancel(o->query_a);
    if (o->query_aaaa)
        io->cancel(o->query_aaaa);
    o->query_a = o->query_aaaa = NULL;
    if (o->conn)
        io->close(o->conn, flush);
    o->conn = NULL;
    smtp_client_free(o->client);
    o->client = NULL;
    io->timer_stop(o->timer);
}

static void outbound_free(struct outbound *o)
{
    if (o->secret)
        explicit_bzero(o->secret, strlen(o->secret));
    free(o->secret);
    transcript_done(&o->setup);
    free(o);
}

void outbound_gone(struct outbound *o)
{
    struct site *site = o->site;
    struct schedule *s = site->schedule;
    outbound_hang_up(o, true);
    answers_free(o);
    s->engine->io->ops->timer_free(o->timer);
    list_remove(&o->idle_link);
    list_remove(&o->link);
    s->outbounds_n--;
    site->outbounds--;
    outbound_free(o);
    schedule_pump(s);
    engine_check_drained(s->engine);
}

void outbound_drop(struct outbound *o)
{
    struct schedule *s = o->site->schedule;
    outbound_hang_up(o, false);
    struct delivery *aboard[] = {o->first, o->second};
    for (size_t i = 0; i < ARRAY_LEN(aboard); i++) {
        if (aboard[i])
            schedule_forget(s, aboard[i]);
    }
    answers_free(o);
    s->engine->io->ops->timer_free(o->timer);
    list_remove(&o->idle_link);
    list_remove(&o->link);
    s->outbounds_n--;
    o->site->outbounds--;
    outbound_free(o);
}

/* "No mail service here" in place of a greeting (RFC 5321 3.1). */
static bool is_no_service(const struct outcome *o)
{
    return o->class == OUTCOME_DEFERRED && o->stage == STAGE_GREETING && o->code >= 500;
}

/* No host took it: the last answer is the delivery's, and the site hears of it. */
static void give_up(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    struct delivery *d = o->first;
    if (!o->has_last) {
        outcome_init(&o->last, OUTCOME_DEFERRED, STAGE_DNS);
        str_copy(STR("4.4.4"), o->last.enhanced, sizeof o->last.enhanced);
        str_copy(STR("no address of any mail host may be used"), o->last.text, sizeof o->last.text);
    }
    struct site *site = o->site;
    struct outcome last = o->last;
    if (is_no_service(&last) && !o->is_mixed && !o->via &&
        o->conf->refused_greeting == REFUSED_GREETING_BOUNCES) {
        last.class = OUTCOME_FAILED;
        if (last.enhanced[0])
            last.enhanced[0] = '5';
    }
    o->first = NULL;
    bool is_ours = watch_is_ours(e->watch, &last);
    if (!relay_takes_over(e, d, &last)) {
        trace_tell(o, d, &last);
        if (is_ours)
            record_unclaim(e, d); /* a probe: it was no try */
        else
            record_outcome(e, d, &last);
    }
    outbound_hang_up(o, true);
    if (last.class == OUTCOME_DEFERRED && !is_ours)
        schedule_site_failed(site, &last);
    outbound_gone(o);
}

/* --- addresses --- */

/* This machine has no way into that address's family: remembered, so that it goes last next time. */
static bool has_no_route(struct outbound *o, const struct outcome *why)
{
    struct memory *m = &o->site->schedule->memory;
    const struct ip *ip = &o->targets.t[o->target].ip;
    return memory_connect_failed(m, ip, why->sys, io_mono_ms(outbound_engine(o)->io));
}

static void set_last(struct outbound *o, const struct outcome *why)
{
    /* For good only when every host says so; a host that answered says more than one that could not
     * be reached or looked up, and any of them more than that we have no route in some family. */
    bool is_ours = why->stage == STAGE_CONNECT && has_no_route(o, why);
    bool is_weaker =
        o->has_last && (why->class == o->last.class ? (o->last.code && !why->code) || is_ours
                                                    : why->class == OUTCOME_FAILED);
    if (!is_weaker)
        o->last = *why;
    o->is_mixed = o->is_mixed || !is_no_service(why);
    o->has_last = true;
}

static void open_target(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    const struct target *t = &o->targets.t[o->target];
    ip_text(&t->ip, o->ip);
    o->phase = OUTBOUND_CONNECT;
    trace_note(o, "try", "%s[%s]:%u", o->route.hosts[o->host].name, o->ip, outbound_port(o));
    o->connect_mono_ms = io_mono_ms(e->io);
    o->conn = e->io->ops->connect(e->io, &t->ip, outbound_port(o), NULL, &outbound_handlers, o);
    outbound_timer(o, e->conf->connect_timeout_ms);
}

static void connect_target(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    o->is_step_new = false;
    o->step = memory_tls_step(&o->site->schedule->memory, o->route.hosts[o->host].name,
                              io_mono_ms(e->io));
    if (o->step == TLS_STEP_CLEAR && o->tls != TLS_LEVEL_OPPORTUNISTIC)
        o->step = TLS_STEP_REDUCED;
    open_target(o);
}

bool outbound_step_down(struct outbound *o, bool to_foot)
{
    enum tls_step lowest = o->tls == TLS_LEVEL_OPPORTUNISTIC ? TLS_STEP_CLEAR : TLS_STEP_REDUCED;
    if (o->tls == TLS_LEVEL_NONE || o->step >= lowest)
        return false;
    if (to_foot && lowest != TLS_STEP_CLEAR)
        return false;
    o->step = to_foot ? lowest : o->step + 1;
    o->is_step_new = true;
    o->sessions--; /* the same host, not one more */
    outbound_hang_up(o, false);
    open_target(o);
    return true;
}

static void next_host(struct outbound *o)
{
    o->host++;
    if (o->host < o->route.n && o->sessions < SESSIONS_MAX)
        resolve_host(o);
    else
        give_up(o);
}

/* Other addresses of a host offer no more than it does. Behind a host that is this machine only those
 * stand that would give it the mail again (RFC 5321 5.1). */
static void skip_targets(struct outbound *o, const struct outcome *why)
{
    bool is_loop = strcmp(why->tag, "loop") == 0;
    if (o->is_lacking || is_loop)
        o->target = o->targets.n;
    if (is_loop)
        o->host = o->route.n;
    else if (o->is_lacking)
        o->sessions--; /* it costs little, and only when all lack it the mail has failed */
    o->is_lacking = false;
}

void outbound_next_target(struct outbound *o, const struct outcome *why)
{
    struct outcome last = *why;
    o->is_refused = o->via && relay_judge(outbound_engine(o), o->via, &last);
    set_last(o, &last);
    trace_note(o, "note", "%s", last.text);
    outbound_hang_up(o, false);
    list_remove(&o->idle_link);
    if (o->is_refused) {
        give_up(o);
        return;
    }
    skip_targets(o, &last);
    o->target++;
    if (o->target < o->targets.n && o->sessions < SESSIONS_MAX)
        connect_target(o);
    else
        next_host(o);
}

/* Both answers are there (or not wanted): make targets of them. */
static void have_addresses(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    const char *name = o->route.hosts[o->host].name;
    struct route_self self = engine_self(e);
    const char *left_out = NULL;
    o->targets.n = 0;
    o->target = 0;
    route_add_targets(&o->targets, o->host, o->a, o->aaaa, false, e->conf->lab_loopback_targets,
                      &self, &left_out);
    if (o->targets.n > 0) {
        answers_free(o);
        memory_order(&o->site->schedule->memory, &o->targets, io_mono_ms(e->io));
        connect_target(o);
        return;
    }
    struct outcome why;
    if (left_out) {
        outcome_init(&why, OUTCOME_FAILED, STAGE_ROUTE);
        str_copy(STR("5.4.6"), why.enhanced, sizeof why.enhanced);
        str_copy(STR("loop"), why.tag, sizeof why.tag);
        snprintf(why.text, sizeof why.text, "mail host %.200s cannot be used: %s", name, left_out);
    } else {
        const struct dns_answer *bad =
            o->a->status == DNS_TEMP || o->a->status == DNS_BAD ? o->a : o->aaaa;
        outcome_from_answer(&why, bad, bad == o->a ? "A" : "AAAA", name);
        /* The relay is our own configuration: its name may be mended, the mail is not to blame. */
        if (why.class == OUTCOME_FAILED && o->via)
            why.class = OUTCOME_DEFERRED;
    }
    str_copy(str_of(name), why.host, sizeof why.host);
    answers_free(o);
    set_last(o, &why);
    next_host(o);
}

static void got_address(struct outbound *o, struct dns_answer **slot, const struct dns_answer *a)
{
    *slot = xnew(struct dns_answer);
    **slot = *a;
    trace_answer(o, slot == &o->a ? DNS_TYPE_A : DNS_TYPE_AAAA, a);
    (*slot)->records = xcalloc(a->n ? a->n : 1, sizeof *a->records);
    for (size_t i = 0; i < a->n; i++) {
        (*slot)->records[i] = a->records[i];
        (*slot)->records[i].text = NULL;
        (*slot)->records[i].text_n = 0;
    }
    if (o->a && o->aaaa)
        have_addresses(o);
}

static void got_a(void *arg, const struct dns_answer *a)
{
    struct outbound *o = arg;
    o->query_a = NULL;
    got_address(o, &o->a, a);
}

static void got_aaaa(void *arg, const struct dns_answer *a)
{
    struct outbound *o = arg;
    o->query_aaaa = NULL;
    got_address(o, &o->aaaa, a);
}

/* An address literal, or a relay that is an address: nothing to look up. */
static bool literal_target(struct outbound *o)
{
    struct ip ip = {0};
    struct route unused;
    if (o->via)
        ip = o->via->hosts[o->host].ip;
    else if (!route_from_literal(o->route.hosts[o->host].name, &unused, &ip))
        return false;
    if (ip.family == 0)
        return false;
    o->targets.n = 1;
    o->targets.t[0] = (struct target){o->host, ip};
    o->target = 0;
    return true;
}

static void resolve_host(struct outbound *o)
{
    struct engine *e = outbound_engine(o);
    o->phase = OUTBOUND_RESOLVE;
    if (literal_target(o)) {
        connect_target(o);
        return;
    }
    const char *name = o->route.hosts[o->host].name;
    o->query_a = e->io->ops->ask(e->io, name, DNS_TYPE_A, got_a, o);
    o->query_aaaa = e->io->ops->ask(e->io, name, DNS_TYPE_AAAA, got_aaaa, o);
}

/* --- timer and opening --- */

static void timer_fired(void *arg)
{
    struct outbound *o = arg;
    switch (o->phase) {
    case OUTBOUND_RESOLVE: break;
    case OUTBOUND_CONNECT: {
        struct outcome why;
        outcome_from_errno(&why, STAGE_CONNECT, ETIMEDOUT);
        outbound_note_host(o, &why);
        outbound_next_target(o, &why);
        break;
    }
    case OUTBOUND_IDLE: outbound_retire(o); break;
    case OUTBOUND_TALK:
    case OUTBOUND_QUIT: outbound_timer_fired_talking(o); break;
    }
}

uint16_t outbound_port(const struct outbound *o)
{
    return o->via ? o->via->hosts[o->host].port : o->conf->port;
}

void outbound_note_host(const struct outbound *o, struct outcome *why)
{
    str_copy(str_of(o->route.hosts[o->host].name), why->host, sizeof why->host);
    str_copy(str_of(o->ip), why->ip, sizeof why->ip);
    why->port = outbound_port(o);
}

void outbound_open(struct site *site, struct delivery *d)
{
    struct schedule *s = site->schedule;
    struct engine *e = s->engine;
    struct outbound *o = xnew(struct outbound);
    o->site = site;
    o->first = d;
    o->conf = e->conf;
    o->via = domain_relay(d->domain);
    o->secret = o->via ? relay_secret(e, o->via) : NULL;
    o->tls = schedule_tls_level(s, d);
    o->route = d->domain->route;
    route_shuffle(&o->route, &e->rng);
    list_init(&o->idle_link);
    list_push_back(&s->outbounds, &o->link);
    s->outbounds_n++;
    site->outbounds++;
    o->timer = e->io->ops->timer_new(e->io, timer_fired, o);
    d->begin_mono_ms = io_mono_ms(e->io);
    d->begin_wall_ms = io_wall_ms(e->io);
    trace_begin(d);
    record_claim(e, d);
    resolve_host(o);
}

void outbound_retire(struct outbound *o)
{
    if (o->phase != OUTBOUND_IDLE)
        return;
    list_remove(&o->idle_link);
    o->phase = OUTBOUND_QUIT;
    outbound_timer(o, QUIT_WAIT_MS);
    outbound_quit(o);
}

void outbound_abort(struct outbound *o, const char *why)
{
    struct outcome local;
    outcome_init(&local, OUTCOME_DEFERRED, STAGE_LOCAL);
    str_copy(STR("4.3.0"), local.enhanced, sizeof local.enhanced);
    str_copy(str_of(why), local.text, sizeof local.text);
    if (o->client && o->phase == OUTBOUND_TALK) {
        outbound_abort_talk(o, &local);
        return;
    }
    struct delivery *d = o->first;
    o->first = NULL;
    struct site *site = o->site;
    if (d) {
        d->begin_mono_ms = 0;
        schedule_place(site->schedule, d);
    }
    outbound_gone(o);
}
