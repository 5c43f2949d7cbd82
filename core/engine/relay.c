/* SPDX-License-Identifier: ISC */
#include "core/engine/relay.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/schedule.h"
#include "core/engine/token.h"

#define CLOSED_FIRST_MS (5 * MINUTE_MS)
#define CLOSED_NEXT_MS  HOUR_MS

struct relay {
    char name[64];
    bool is_proven;                /* a login has worked, and none was refused since */
    unsigned closings;             /* since it last worked */
    int64_t closed_until_mono_ms;  /* 0 = open */
    struct token *token;           /* own; NULL until it is wanted */
    struct engine *engine;         /* borrowed */
    struct outcome why;            /* while closings > 0 */
    char alarm[CTL_ALARM_MAX];     /* while closings > 0 */
};

struct relays {
    struct engine *engine; /* borrowed */
    struct relay all[CONF_RELAYS_MAX];
    size_t n;
};

struct relays *relays_new(struct engine *e)
{
    struct relays *rs = xnew(struct relays);
    rs->engine = e;
    return rs;
}

void relays_free(struct relays *rs)
{
    relays_reload(rs);
    free(rs);
}

void relays_reload(struct relays *rs)
{
    for (size_t i = 0; i < rs->n; i++)
        token_free(rs->all[i].token);
    memset(rs->all, 0, sizeof rs->all);
    rs->n = 0;
}

/* By name, since a reload may change the order. A connection made under an older configuration may
 * name a relay that is no more: NULL when there is no room for it. */
static struct relay *find(struct relays *rs, const char *name)
{
    for (size_t i = 0; i < rs->n; i++) {
        if (strcmp(rs->all[i].name, name) == 0)
            return &rs->all[i];
    }
    if (rs->n == ARRAY_LEN(rs->all))
        return NULL;
    struct relay *r = &rs->all[rs->n++];
    memset(r, 0, sizeof *r);
    r->engine = rs->engine;
    str_copy(str_of(name), r->name, sizeof r->name);
    return r;
}

static struct relay *at(struct engine *e, int relay)
{
    return relay < 0 ? NULL : find(e->relays, e->conf->relays[relay].name);
}

const struct outcome *relay_trouble(struct engine *e, int relay)
{
    struct relay *r = at(e, relay);
    int64_t now = io_mono_ms(e->io);
    if (!r || r->closed_until_mono_ms <= now)
        return NULL;
    /* The mail comes back when the relay may be tried again, not before. */
    r->why.retry_after_ms = r->closed_until_mono_ms - now;
    r->why.is_suspended = true;
    return &r->why;
}

unsigned relay_connections(struct engine *e, int relay, unsigned limit)
{
    struct relay *r = at(e, relay);
    if (!r || limit <= 1)
        return limit;
    bool is_probing = r->closings > 0 || (!r->is_proven && e->conf->relays[relay].user);
    return is_probing ? 1 : limit;
}

char *relay_secret(struct engine *e, const struct relay_conf *rc)
{
    if (!relay_conf_has_token(rc))
        return rc->password ? xstrdup(rc->password) : NULL;
    struct relay *r = find(e->relays, rc->name);
    const char *text = r && r->token ? token_text(r->token) : NULL;
    return text ? xstrdup(text) : NULL;
}

/* --- closing and opening --- */

/* The three ways out that the client's document names, when no mechanism is common. */
static const char fixes_mechanism[] =
    "Turn TLS on for this relay (tls = verified), because many relays offer a login only then; or, "
    "where the relay cannot do TLS, turn the login off (auth = none); or let the relay's "
    "administrator admit our address without a login";
static const char fixes_login[] =
    "Check user and password of this relay in the configuration, then reload it";
static const char fixes_wanted[] =
    "The relay wants a login: set user and password-file, or let its administrator admit our "
    "address without one";
static const char fixes_token[] = "Check the token's keys of this relay in the configuration, or "
                                  "renew the token at the provider, then reload";

static const char *fixes_for(const struct relay *r, const struct outcome *o)
{
    if (strcmp(o->tag, "no-mechanism") == 0)
        return fixes_mechanism;
    if (o->stage == STAGE_MAIL)
        return fixes_wanted;
    return r->token ? fixes_token : fixes_login;
}

static void close_relay(struct engine *e, struct relay *r, const struct outcome *o)
{
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    struct buf sentence CLEANUP(buf_done) = BUF_INIT;
    int64_t wait = r->closings++ == 0 ? CLOSED_FIRST_MS : CLOSED_NEXT_MS;
    r->is_proven = false;
    r->closed_until_mono_ms = io_mono_ms(e->io) + wait;
    r->why = *o;
    outcome_sentence(o, &sentence);
    buf_printf(&text, "relay %s: all its mail waits: %.600s. %s.", r->name, buf_text(&sentence),
               fixes_for(r, o));
    text_printable_copy(buf_str(&text), r->alarm, sizeof r->alarm);
    if (r->closings == 1)
        log_error(e->log, "relay", "%s", r->alarm);
    log_notice(e->log, "relay", "relay %s is not tried for %lld min", r->name,
               (long long)(wait / MINUTE_MS));
}

/* --- tokens --- */

static void token_changed(void *arg)
{
    struct relay *r = arg;
    schedule_pump(r->engine->schedule);
}

static void close_without_token(struct engine *e, struct relay *r, const struct relay_conf *rc)
{
    struct outcome o;
    outcome_init(&o, OUTCOME_DEFERRED, STAGE_AUTH);
    str_copy(STR("4.7.0"), o.enhanced, sizeof o.enhanced);
    str_copy(STR("no-token"), o.tag, sizeof o.tag);
    str_copy(str_of(rc->hosts[0].host), o.host, sizeof o.host);
    outcome_say(&o, "%s", token_why(r->token));
    close_relay(e, r, &o);
}

bool relay_prepare(struct engine *e, int relay)
{
    struct relay *r = at(e, relay);
    if (!r || !relay_conf_has_token(&e->conf->relays[relay]))
        return true;
    const struct relay_conf *rc = &e->conf->relays[relay];
    if (!r->token)
        r->token = token_new(e->io, rc, token_changed, r);
    enum token_state state = token_want(r->token);
    if (state == TOKEN_FAILED) {
        close_without_token(e, r, rc);
        schedule_pump(e->schedule); /* which now defers what waits there */
    }
    return state == TOKEN_READY;
}

/* 530, 534, 535, 538 and the other refusals of AUTH (RFC 4954 6) are about us and our configuration,
 * never about the mail; a 4yz is the relay's own passing trouble. */
static bool refuses_us(const struct outcome *o)
{
    if (o->stage == STAGE_AUTH)
        return o->code >= 500 || strcmp(o->tag, "no-mechanism") == 0;
    return o->stage == STAGE_MAIL && o->code == 530;
}

bool relay_judge(struct engine *e, const struct relay_conf *rc, struct outcome *o)
{
    if (!refuses_us(o))
        return false;
    o->class = OUTCOME_DEFERRED;
    struct relay *r = find(e->relays, rc->name);
    if (!r)
        return true;
    if (r->token)
        token_drop(r->token);
    /* Others that were under way when the first was refused tell nothing new. */
    if (r->closed_until_mono_ms <= io_mono_ms(e->io))
        close_relay(e, r, o);
    o->retry_after_ms = r->closed_until_mono_ms - io_mono_ms(e->io);
    return true;
}

void relay_works(struct engine *e, const struct relay_conf *rc)
{
    struct relay *r = find(e->relays, rc->name);
    if (!r || (r->is_proven && r->closings == 0))
        return;
    if (r->closings > 0)
        log_notice(e->log, "relay", "relay %s lets us in again", r->name);
    r->is_proven = true;
    r->closings = 0;
    r->closed_until_mono_ms = 0;
    r->alarm[0] = '\0';
    schedule_pump(e->schedule); /* more than one connection now */
}

/* --- falling back --- */

/* Nobody was reached: an answer, and what came after a greeting, is another matter. */
static bool is_unreachable(const struct outcome *o)
{
    return o->class == OUTCOME_DEFERRED && o->code == 0 &&
           (o->stage == STAGE_DNS || o->stage == STAGE_CONNECT || o->stage == STAGE_GREETING);
}

bool relay_takes_over(struct engine *e, struct delivery *d, const struct outcome *o)
{
    int relay = e->conf->fallback_relay;
    if (relay < 0 || d->domain->relay >= 0 || d->via[0] || !is_unreachable(o) || !engine_delivers(e) ||
        relay_trouble(e, relay))
        return false;
    log_info(e->log, "relay", "%s cannot be reached directly: by relay %s", d->domain->name,
             e->conf->relays[relay].name);
    struct domain *to = domain_by_relay(e->schedule, d->domain->name, relay);
    d->domain->deliveries--;
    d->domain = to;
    to->deliveries++;
    schedule_place(e->schedule, d);
    return true;
}

void relay_alarms(const struct engine *e, struct ctl_status *st)
{
    const struct relays *rs = e->relays;
    for (size_t i = 0; i < rs->n && st->alarms_n < CTL_ALARMS_MAX; i++) {
        if (rs->all[i].closings > 0)
            memcpy(st->alarms[st->alarms_n++], rs->all[i].alarm, CTL_ALARM_MAX);
    }
}
