/* SPDX-License-Identifier: ISC */
/*
 * What no single key can know: keys that are missing, keys that contradict each other (those of
 * relays are in conf_relay.c). Each refusal says why, because each of them protects somebody.
 */
#include "core/mail/conf_private.h"

/* S6: noreply@mydomain.local is never valid. Also when it is a default that follows from a host
 * name which the file gave. */
static int check_sender(const struct conf_parse *p)
{
    struct conf *c = p->c;
    const struct conf_key *hostname = conf_key_find(SECTION_IDENTITY, STR("hostname"));
    const struct conf_key *sender = conf_key_find(SECTION_IDENTITY, STR("sender"));
    bool is_given = conf_line(p, sender, 0) > 0;
    bool is_named = conf_line(p, hostname, 0) > 0;

    if (!is_given)
        snprintf(c->sender, sizeof(c->sender), "mailer@%s", c->hostname);
    if (c->lab_special_use || (!is_given && !is_named))
        return 0;
    const char *why = domain_special_use(strrchr(c->sender, '@') + 1);
    if (!why)
        return 0;
    if (is_given)
        return conf_fail(p, conf_line(p, sender, 0),
                         "identity.sender: «%s» is not an address that can receive mail: %s; "
                         "allowed: %s",
                         c->sender, why, sender->allowed);
    return conf_fail(
        p, conf_line(p, hostname, 0),
        "identity.sender: not set, and mailer@ with the hostname («%s») cannot receive "
        "mail: %s; set it to %s",
        c->sender, why, sender->allowed);
}

/* As good as everybody: no organisation has a network as wide. Unique local (fc00::/7) and
 * link-local (fe80::/10) IPv6 networks are wide and private. */
static bool is_net_the_world(const struct ip_net *net)
{
    if (net->ip.family == 4)
        return net->bits < 8;
    return net->bits < 7 || (net->bits < 16 && (net->ip.bytes[0] & 0xfc) != 0xfc);
}

static int check_outside(const struct conf_parse *p, const char *key, const struct endpoint *listen,
                         size_t n)
{
    const struct conf *c = p->c;
    char where[300], who[48];

    for (size_t i = 0; i < n; i++) {
        if (ip_is_loopback(&listen[i].ip))
            continue;
        for (size_t j = 0; j < c->allow_n; j++) {
            if (!is_net_the_world(&c->allow[j]))
                continue;
            return conf_fail(
                p, conf_line_near(p, SECTION_LISTEN, "allow", 0),
                "listen.allow: %s/%u together with the outside address %s in listen.%s would let "
                "anybody on the Internet send mail through this server (an open relay); allowed: "
                "the networks of your own machines",
                ip_text(&c->allow[j].ip, who), c->allow[j].bits, endpoint_text(&listen[i], where),
                key);
        }
    }
    return 0;
}

static int check_open_relay(const struct conf_parse *p)
{
    int rc = check_outside(p, "smtp", p->c->listen, p->c->listen_n);

    return rc ? rc : check_outside(p, "system", p->c->system, p->c->system_n);
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return ip_eq(&a->ip, &b->ip) && a->port == b->port;
}

static int check_listen_twice(const struct conf_parse *p)
{
    const struct conf *c = p->c;
    char text[300];

    for (size_t i = 0; i < c->listen_n; i++)
        for (size_t j = 0; j < i; j++)
            if (same_endpoint(&c->listen[i], &c->listen[j]))
                return conf_fail(p, conf_line_near(p, SECTION_LISTEN, "smtp", 0),
                                 "listen.smtp: %s stands there twice; once is allowed",
                                 endpoint_text(&c->listen[i], text));
    for (size_t i = 0; i < c->system_n; i++) {
        bool is_twice = false;
        for (size_t j = 0; j < c->listen_n; j++)
            is_twice |= same_endpoint(&c->system[i], &c->listen[j]);
        for (size_t j = 0; j < i; j++)
            is_twice |= same_endpoint(&c->system[i], &c->system[j]);
        if (is_twice)
            return conf_fail(p, conf_line_near(p, SECTION_LISTEN, "system", 0),
                             "listen.system: %s stands in listen.smtp too, or twice; mail that comes "
                             "in there is of one class only",
                             endpoint_text(&c->system[i], text));
    }
    return 0;
}

/* Direct delivery that falls back on itself, and mail that never goes directly. */
static int check_fallback(const struct conf_parse *p)
{
    if (p->c->fallback_relay < 0 || p->c->relay < 0)
        return 0;
    return conf_fail(p, conf_line_near(p, SECTION_DELIVERY, "fallback-relay", 0),
                     "delivery.fallback-relay: contradicts delivery.mode = relay, with which no mail "
                     "is delivered directly; allowed: with delivery.mode = direct, or another host "
                     "in the relay's own host list");
}

static int check_routes(const struct conf_parse *p)
{
    const struct conf_key *via = conf_key_find(SECTION_ROUTE, STR("via"));

    for (size_t i = 0; i < p->c->routes_n; i++)
        if (!conf_line(p, via, i))
            return conf_fail(p, conf_line_near(p, SECTION_ROUTE, "via", i),
                             "route.%s.via: missing; allowed: %s", p->c->routes[i].match,
                             via->allowed);
    return 0;
}

static bool is_retry_given(const struct conf_parse *p, const char *name)
{
    return conf_line(p, conf_key_find(SECTION_RETRY, str_of(name)), 0) > 0;
}

/* What only the profile says gives way to what the file says; two of the file's must agree. */
static int check_retry(const struct conf_parse *p)
{
    struct retry_policy *r = &p->c->retry;

    if (r->max_ms > r->lifetime_ms && !is_retry_given(p, "max"))
        r->max_ms = r->lifetime_ms;
    if (r->first_ms > r->max_ms && !is_retry_given(p, "first"))
        r->first_ms = r->max_ms;
    if (r->first_ms > r->max_ms && !is_retry_given(p, "max"))
        r->max_ms = r->first_ms;
    if (r->delay_notice_ms >= r->lifetime_ms && !is_retry_given(p, "delay-notice"))
        r->delay_notice_ms = 0;
    if (r->max_ms > r->lifetime_ms)
        return conf_fail(p, conf_line_near(p, SECTION_RETRY, "max", 0),
                         "retry.max: longer than retry.lifetime; allowed: at most retry.lifetime");
    if (r->first_ms > r->max_ms)
        return conf_fail(p, conf_line_near(p, SECTION_RETRY, "first", 0),
                         "retry.first: longer than retry.max; allowed: at most retry.max");
    if (r->delay_notice_ms >= r->lifetime_ms)
        return conf_fail(p, conf_line_near(p, SECTION_RETRY, "delay-notice", 0),
                         "retry.delay-notice: not before retry.lifetime is over; allowed: less "
                         "than retry.lifetime, or 0 for no notice");
    return 0;
}

/* A report that nobody gets goes to the sender address, unless the file says otherwise. Called when that is
 * known. */
static void fill_postmaster(const struct conf_parse *p)
{
    const struct conf_key *k = conf_key_find(SECTION_REPORT, STR("postmaster"));

    if (!conf_line(p, k, 0))
        memcpy(p->c->report_postmaster, p->c->sender, sizeof(p->c->report_postmaster));
}

/* Destinations that leave a key out have the general value. */
static void fill_destinations(struct conf *c)
{
    for (size_t i = 0; i < c->destinations_n; i++)
        if (!c->destinations[i].has_tls)
            c->destinations[i].tls = c->tls;
}

int conf_check(const struct conf_parse *p)
{
    int rc = check_sender(p);

    if (!rc)
        rc = check_open_relay(p);
    if (!rc)
        rc = check_listen_twice(p);
    for (size_t i = 0; !rc && i < p->c->relays_n; i++)
        rc = conf_check_relay(p, i);
    if (!rc)
        rc = check_fallback(p);
    if (!rc)
        rc = check_routes(p);
    if (!rc)
        rc = check_retry(p);
    if (!rc)
        rc = conf_check_reports(p);
    if (!rc)
        rc = conf_check_explain(p);
    fill_postmaster(p);
    fill_destinations(p->c);
    return rc;
}
