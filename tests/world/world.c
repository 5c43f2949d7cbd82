/* SPDX-License-Identifier: ISC */
/* What is in a world and what happened there; see world.h. The reader is parse.c. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include "tests/world/world.h"
#include "core/base/alloc.h"

/* How often, and since when, a counted rule has been met under one key. */
struct world_seen {
    unsigned count;
    int64_t first_ms;
};

void world_init(struct world *w)
{
    *w = (struct world){0};
    list_init(&w->personalities);
    list_init(&w->hosts);
    list_init(&w->records);
    list_init(&w->mails);
    map_init(&w->seen, 1);
}

static void personality_done(struct world_personality *p)
{
    while (p->rules) {
        struct world_rule *r = p->rules;
        p->rules = r->next;
        free(r->pattern);
        buf_done(&r->text);
        free(r);
    }
    for (size_t i = 0; i < p->offers_n; i++)
        free(p->offers[i]);
    free(p->offers);
    free(p->user);
    free(p->password);
    free(p->name);
}

void world_mail_free(struct world_mail *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->rcpts_n; i++)
        free(m->rcpts[i]);
    free(m->rcpts);
    free(m->from);
    free(m->params);
    buf_done(&m->content);
    free(m);
}

void world_done(struct world *w)
{
    struct list *l;
    while ((l = list_pop_front(&w->hosts))) {
        struct world_host *h = list_entry(l, struct world_host, link);
        personality_done(&h->own);
        free(h);
    }
    while ((l = list_pop_front(&w->personalities))) {
        struct world_personality *p = list_entry(l, struct world_personality, link);
        personality_done(p);
        free(p);
    }
    while ((l = list_pop_front(&w->records))) {
        struct world_record *r = list_entry(l, struct world_record, link);
        free(r->rec.text);
        free(r);
    }
    while ((l = list_pop_front(&w->mails)))
        world_mail_free(list_entry(l, struct world_mail, link));
    size_t at = 0;
    struct str key;
    void *seen;
    while (map_next(&w->seen, &at, &key, &seen))
        free(seen);
    map_done(&w->seen);
    buf_done(&w->violations);
}

const struct world_host *world_host_by_name(const struct world *w, const char *name)
{
    list_for_each (l, &w->hosts) {
        const struct world_host *h = list_entry(l, struct world_host, link);
        if (strcasecmp(h->name, name) == 0)
            return h;
    }
    return NULL;
}

struct world_host *world_host_at(struct world *w, const struct ip *ip, uint16_t port)
{
    list_for_each (l, &w->hosts) {
        struct world_host *h = list_entry(l, struct world_host, link);
        for (size_t i = 0; i < h->ips_n; i++) {
            if (ip_eq(&h->ips[i], ip) && (h->port == 0 || h->port == port))
                return h;
        }
    }
    return NULL;
}

struct world_personality *world_personality_by_name(const struct world *w, struct str name)
{
    list_for_each (l, &w->personalities) {
        struct world_personality *p = list_entry(l, struct world_personality, link);
        if (str_eq_z(name, p->name))
            return p;
    }
    return NULL;
}

const struct world_personality *world_offers_of(const struct world_personality *p)
{
    while (p && !p->has_offers)
        p = p->like;
    return p;
}

const char *world_offer(const struct world_personality *p, const char *keyword)
{
    size_t n = strlen(keyword);
    p = world_offers_of(p);
    for (size_t i = 0; p && i < p->offers_n; i++) {
        const char *o = p->offers[i];
        if (strncasecmp(o, keyword, n) == 0 && (o[n] == '\0' || o[n] == ' '))
            return o[n] ? o + n + 1 : "";
    }
    return NULL;
}

bool world_cert_is_valid(const struct world_personality *p)
{
    while (p && !p->has_cert)
        p = p->like;
    return p && p->is_cert_valid;
}

const struct world_personality *world_login_of(const struct world_personality *p)
{
    while (p && !p->user)
        p = p->like;
    return p;
}

bool world_glob(const char *pattern, const char *s)
{
    for (; *pattern; pattern++, s++) {
        if (*pattern == '*') {
            for (;; s++) {
                if (world_glob(pattern + 1, s))
                    return true;
                if (!*s)
                    return false;
            }
        }
        if (!*s ||
            (*pattern != '?' && tolower((unsigned char)*pattern) != tolower((unsigned char)*s)))
            return false;
    }
    return *s == '\0';
}

static bool is_counted(const struct world_rule *r)
{
    return r->first > 0 || r->skip > 0 || r->within_ms > 0;
}

static struct world_seen *seen_of(struct world *w, const struct world_rule *r,
                                  const struct world_look *l)
{
    struct buf key = BUF_INIT;
    buf_printf(&key, "%p %s ", (const void *)r, l->host->name);
    switch (r->per) {
    case WORLD_PER_HOST: break;
    case WORLD_PER_SESSION: buf_printf(&key, "%u", l->session); break;
    case WORLD_PER_TRANSACTION: buf_printf(&key, "%u %u", l->session, l->transaction); break;
    case WORLD_PER_ARGUMENT: buf_add_z(&key, l->arg); break;
    case WORLD_PER_TRIPLET: buf_printf(&key, "%s %s %s", l->client, l->from, l->arg); break;
    }
    struct world_seen *s = map_get(&w->seen, buf_str(&key));
    if (!s) {
        s = xnew(struct world_seen);
        s->first_ms = l->now_ms;
        map_put(&w->seen, buf_str(&key), s);
    }
    buf_done(&key);
    return s;
}

static bool rule_counts(struct world *w, const struct world_rule *r, const struct world_look *l)
{
    if (!is_counted(r))
        return true;
    struct world_seen *s = seen_of(w, r, l);
    s->count++;
    if (r->first > 0 && s->count > r->skip + r->first)
        return false;
    if (r->within_ms > 0 && l->now_ms - s->first_ms >= r->within_ms)
        return false;
    return s->count > r->skip;
}

static bool rule_fits(const struct world_rule *r, const struct world_look *l)
{
    return r->stage == l->stage && (!r->pattern || world_glob(r->pattern, l->arg)) &&
           (r->tls < 0 || r->tls == l->is_tls) && (r->auth < 0 || r->auth == l->is_auth) &&
           l->bytes >= r->bytes;
}

const struct world_rule *world_rule_for(struct world *w, const struct world_look *l)
{
    for (const struct world_personality *p = &l->host->own; p; p = p->like) {
        for (const struct world_rule *r = p->rules; r; r = r->next) {
            if (rule_fits(r, l) && rule_counts(w, r, l))
                return r->act == WORLD_NORMAL && !r->delay_ms ? NULL : r;
        }
    }
    return NULL;
}

void world_violation(struct world *w, const struct world_host *h, const char *fmt, ...)
{
    va_list ap;
    w->violations_n++;
    if (w->violations.n > 64 * 1024)
        return;
    buf_printf(&w->violations, "%s: ", h->name);
    va_start(ap, fmt);
    buf_vprintf(&w->violations, fmt, ap);
    va_end(ap);
    buf_add_c(&w->violations, '\n');
}

void world_record_mail(struct world *w, struct world_mail *m)
{
    w->mails_n++;
    list_push_back(&w->mails, &m->link);
}

int world_connect(struct world *w, const struct ip *ip, uint16_t port, const struct ip *client,
                  int64_t now_ms, struct world_host **host)
{
    char text[48] = "";
    struct world_host *h = world_host_at(w, ip, port);
    *host = h;
    if (!h)
        return ETIMEDOUT;
    if (client && client->family)
        ip_text(client, text);
    struct world_look look = {.stage = WORLD_CONNECT,
                              .host = h,
                              .arg = text,
                              .client = text,
                              .from = "",
                              .now_ms = now_ms};
    const struct world_rule *r = world_rule_for(w, &look);
    switch (r ? r->act : WORLD_NORMAL) {
    case WORLD_REFUSE: return ECONNREFUSED;
    case WORLD_SILENCE:
    case WORLD_TIMEOUT: return ETIMEDOUT;
    case WORLD_NO_ROUTE: return EHOSTUNREACH;
    case WORLD_NO_NET: return ENETUNREACH;
    case WORLD_EACCES: return EACCES;
    default: return 0;
    }
}
