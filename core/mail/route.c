/* SPDX-License-Identifier: ISC */
/*
 * From an MX answer to hosts, from hosts to addresses. The order is made in three steps: sort by
 * preference and name, cut what is not for us to use, shuffle equals. Sorting by name first makes
 * the set that survives the caps, and so the site, independent of the order of the answer.
 */
#include "core/mail/route.h"

#include "core/base/map.h"

static struct str host_name(const struct route_host *h)
{
    return str_of(h->name);
}

static int by_preference_and_name(const void *a, const void *b)
{
    const struct route_host *x = a, *y = b;
    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Names that an MX record may hold by mistake, and that no resolver needs to be asked for. */
static const char *unusable_name(const char *name)
{
    struct ip ip;
    if (!name[0])
        return "\".\" beside other MX records means nothing (RFC 7505 3)";
    if (ip_parse(str_of(name), &ip))
        return "the MX record holds an IP address instead of a name";
    if (str_ieq_z(STR("localhost"), name))
        return "the MX record names localhost";
    return NULL;
}

static size_t collect(const struct dns_answer *mx, struct route_host *hosts, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < mx->n && n < cap; i++) {
        const struct dns_record *r = &mx->records[i];
        if (r->type != DNS_TYPE_MX)
            continue;
        struct route_host *h = &hosts[n++];
        *h = (struct route_host){.preference = r->preference, .skipped = unusable_name(r->name)};
        str_copy(str_of(r->name[0] ? r->name : "."), h->name, sizeof(h->name));
    }
    return n;
}

/* Of a name that stands twice, the better preference stays (hosts are sorted). */
static size_t drop_duplicates(struct route_host *hosts, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_known = false;
        for (size_t k = 0; k < kept && !is_known; k++)
            is_known = str_ieq(host_name(&hosts[k]), host_name(&hosts[i]));
        if (!is_known)
            hosts[kept++] = hosts[i];
    }
    return kept;
}

/* RFC 5321 5.1: when we are in the list, nothing of our own preference or worse may be used. */
static bool cut_self(struct route_host *hosts, size_t n, const struct route_self *self)
{
    if (!self || !self->hostname || !self->hostname[0])
        return false;
    size_t me = 0;
    while (me < n && !str_ieq_z(host_name(&hosts[me]), self->hostname))
        me++;
    if (me == n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (i == me)
            hosts[i].skipped = "this is our own name";
        else if (hosts[i].preference >= hosts[me].preference && !hosts[i].skipped)
            hosts[i].skipped = "not better than our own preference (RFC 5321 5.1)";
    }
    return true;
}

static void shuffle_range(struct route_host *hosts, size_t n, struct rng *rng)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)rng_below(rng, i);
        struct route_host tmp = hosts[i - 1];
        hosts[i - 1] = hosts[k];
        hosts[k] = tmp;
    }
}

void route_shuffle(struct route *r, struct rng *rng)
{
    for (size_t from = 0, to; from < r->n; from = to) {
        to = from + 1;
        while (to < r->n && r->hosts[to].preference == r->hosts[from].preference)
            to++;
        shuffle_range(r->hosts + from, to - from, rng);
    }
}

static bool has_usable(const struct route *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (!r->hosts[i].skipped)
            return true;
    return false;
}

static enum route_verdict fail(struct outcome *why, enum stage stage, const char *enhanced,
                               const char *tag)
{
    outcome_init(why, OUTCOME_FAILED, stage);
    str_copy(str_of(enhanced), why->enhanced, sizeof(why->enhanced));
    str_copy(str_of(tag), why->tag, sizeof(why->tag));
    return ROUTE_FAIL;
}

static enum route_verdict fail_null_mx(const char *domain, struct outcome *why)
{
    fail(why, STAGE_DNS, "5.1.10", "null-mx");
    why->code = 556; /* RFC 7505 4.2 */
    outcome_say(why, "Domain %s does not accept mail (nullMX)", domain);
    return ROUTE_FAIL;
}

static enum route_verdict fail_loop(const char *domain, struct outcome *why)
{
    fail(why, STAGE_ROUTE, "5.4.6", "loop");
    outcome_say(why, "mail for %s loops back to myself", domain);
    return ROUTE_FAIL;
}

static enum route_verdict fail_unusable(const char *domain, struct outcome *why)
{
    fail(why, STAGE_DNS, "5.4.4", "unusable-mx");
    outcome_say(why, "no MX record of %s names a host that can be used", domain);
    return ROUTE_FAIL;
}

/* A lone "." of any preference: peers disagree on 0, the sense is clear (RFC 7505 3). */
static bool is_null_mx(const struct dns_answer *mx)
{
    return mx->n == 1 && mx->records[0].type == DNS_TYPE_MX && !mx->records[0].name[0];
}

static void take_implicit(const char *domain, struct route *out)
{
    out->n = 1;
    out->hosts[0] = (struct route_host){.is_implicit = true};
    str_copy(str_of(domain), out->hosts[0].name, sizeof(out->hosts[0].name));
}

static void take_records(const struct dns_answer *mx, const struct route_self *self,
                         struct route *out, bool *is_self_in)
{
    struct route_host all[DNS_RECORDS_MAX];
    size_t n = collect(mx, all, ARRAY_LEN(all));
    qsort(all, n, sizeof(all[0]), by_preference_and_name);
    n = drop_duplicates(all, n);
    *is_self_in = cut_self(all, n, self);
    out->n = n < ROUTE_HOSTS_MAX ? n : ROUTE_HOSTS_MAX;
    memcpy(out->hosts, all, out->n * sizeof(all[0]));
}

enum route_verdict route_from_mx(const char *domain, const struct dns_answer *mx,
                                 const struct route_self *self, struct rng *rng, struct route *out,
                                 struct outcome *why)
{
    bool is_self_in = false;
    out->n = 0;
    switch (mx->status) {
    case DNS_OK:
        if (is_null_mx(mx))
            return fail_null_mx(domain, why);
        take_records(mx, self, out, &is_self_in);
        break;
    case DNS_NODATA:
        take_implicit(domain, out);
        is_self_in = cut_self(out->hosts, out->n, self);
        break;
    default: break;
    }
    if (out->n == 0) { /* no answer, or one that holds no MX although it says so */
        outcome_from_answer(why, mx, "MX", domain);
        return ROUTE_FAIL;
    }
    if (!has_usable(out))
        return is_self_in ? fail_loop(domain, why) : fail_unusable(domain, why);
    route_shuffle(out, rng);
    return ROUTE_OK;
}

bool route_from_literal(const char *ascii, struct route *out, struct ip *ip)
{
    struct str s = str_of(ascii);
    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    struct str inside = str_sub(s, 1, s.n - 1);
    if (str_istarts(inside, STR("ipv6:")))
        inside = str_sub(inside, 5, inside.n);
    if (!ip_parse(inside, ip))
        return false;
    take_implicit(ascii, out);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Too long to be whole: what fits, and a hash of all that tells such sites apart. */
static void shorten(struct str whole, char out[DNS_NAME_MAX + 1])
{
    char hash[20];
    snprintf(hash, sizeof(hash), "+%016llx", (unsigned long long)map_hash(whole, 0));
    size_t keep = DNS_NAME_MAX - strlen(hash);
    snprintf(out, DNS_NAME_MAX + 1, "%.*s%s", (int)keep, whole.p, hash);
}

void route_site(const struct route *r, char out[DNS_NAME_MAX + 1])
{
    const char *names[ROUTE_HOSTS_MAX];
    size_t n = 0;
    uint16_t best = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct route_host *h = &r->hosts[i];
        if (h->skipped || (n > 0 && h->preference != best))
            continue; /* hosts stand in order: the first in use has the best preference */
        best = h->preference;
        names[n++] = h->name;
    }
    qsort(names, n, sizeof(names[0]), by_name);
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%s", i ? "+" : "", names[i]);
    if (!str_copy(buf_str(&text), out, DNS_NAME_MAX + 1))
        shorten(buf_str(&text), out);
}

static bool is_any(const struct ip *a)
{
    static const struct ip any4 = {.family = 4}, any6 = {.family = 6};
    return ip_eq(a, &any4) || ip_eq(a, &any6);
}

static bool is_multicast(const struct ip *a)
{
    if (a->family == 6)
        return a->bytes[0] == 0xff;
    return a->bytes[0] >= 224; /* 224/4, and 240/4 with the broadcast address behind it */
}

static bool is_ours(const struct ip *a, const struct route_self *self)
{
    for (size_t i = 0; self && i < self->ips_n; i++)
        if (ip_eq(a, &self->ips[i]))
            return true;
    return false;
}

/* Why an address may not be connected to, or NULL. */
static const char *refused(const struct ip *a, bool allow_loopback, const struct route_self *self)
{
    if (is_any(a))
        return "the address is 0.0.0.0, which is no destination";
    if (is_multicast(a))
        return "the address is multicast or reserved";
    if (ip_is_loopback(a))
        return allow_loopback ? NULL : "the address is loopback, which would be this machine";
    return is_ours(a, self) ? "the address is our own" : NULL;
}

static bool is_known(const struct targets *t, const struct ip *a)
{
    for (size_t i = 0; i < t->n; i++)
        if (ip_eq(&t->t[i].ip, a))
            return true;
    return false;
}

/* Next address record of the family at or behind *at, or NULL. */
static const struct ip *next_ip(const struct dns_answer *a, size_t *at, int family)
{
    while (a && a->status == DNS_OK && *at < a->n) {
        const struct dns_record *r = &a->records[(*at)++];
        if (r->ip.family == family)
            return &r->ip;
    }
    return NULL;
}

size_t route_add_targets(struct targets *out, size_t host, const struct dns_answer *a,
                         const struct dns_answer *aaaa, bool prefer_v6, bool allow_loopback,
                         const struct route_self *self, const char **why)
{
    size_t left_out = 0, at4 = 0, at6 = 0;
    bool is_v6_turn = prefer_v6;
    while (out->n < ROUTE_TARGETS_MAX) {
        const struct ip *ip = is_v6_turn ? next_ip(aaaa, &at6, 6) : next_ip(a, &at4, 4);
        is_v6_turn = !is_v6_turn;
        if (!ip) /* this family is used up: the other one, or the end */
            ip = is_v6_turn ? next_ip(aaaa, &at6, 6) : next_ip(a, &at4, 4);
        if (!ip)
            break;
        const char *reason = refused(ip, allow_loopback, self);
        if (reason) {
            left_out++;
            *why = reason;
        } else if (!is_known(out, ip)) {
            out->t[out->n++] = (struct target){.host = host, .ip = *ip};
        }
    }
    return left_out;
}
