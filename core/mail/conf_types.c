/* SPDX-License-Identifier: ISC */
/*
 * What the types of keys are: text to field and back. conf_show writes what conf_set reads, so that
 * `config show` is itself a configuration.
 */
#include <limits.h>
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/mail/conf_private.h"

_Static_assert(sizeof(enum tls_level) == sizeof(unsigned), "TYPE_WORD writes enums as unsigned");
_Static_assert(sizeof(enum auth_mech) == sizeof(unsigned), "TYPE_WORD writes enums as unsigned");
_Static_assert(sizeof(enum from_policy) == sizeof(unsigned), "TYPE_WORD writes enums as unsigned");
_Static_assert(sizeof(enum refused_greeting) == sizeof(unsigned), "TYPE_WORD writes such");
_Static_assert(sizeof(enum dns_trust) == sizeof(unsigned), "TYPE_WORD writes enums as unsigned");

const char *conf_type_noun(enum conf_type t)
{
    switch (t) {
    case TYPE_HOSTNAME: return "a full host name";
    case TYPE_MAILBOX: return "a mail address that can be used";
    case TYPE_WORD: return "one of the words";
    case TYPE_BOOL: return "yes or no";
    case TYPE_IP: return "an IP address";
    case TYPE_HOSTS: return "a host with a port";
    case TYPE_ENDPOINTS: return "a list of addresses and ports";
    case TYPE_NETS: return "a list of networks";
    case TYPE_UIDS: return "a list of user ids";
    case TYPE_SIZE: return "a size in these bounds";
    case TYPE_RATE: return "a rate";
    case TYPE_COUNT:
    case TYPE_PERCENT: return "a number in these bounds";
    case TYPE_DURATION: return "a duration in these bounds";
    case TYPE_PORT: return "a port";
    case TYPE_PATH: return "a full path";
    case TYPE_TEXT: return "a text";
    case TYPE_VIA: return "a way to deliver";
    case TYPE_RELAY: return "a relay";
    case TYPE_URL: return "an address of the web";
    case TYPE_PROFILE: return "a profile";
    }
    return "";
}

static bool set_hostname(char *field, struct str value, const char **why)
{
    char name[ADDR_DOMAIN_MAX + 1];
    struct ip ip;

    if (ip_parse(value, &ip)) {
        *why = "it is an address";
        return false;
    }
    if (!domain_to_ascii(value, name, why))
        return false;
    if (!strchr(name, '.')) {
        *why = "it has no dot, so no other server can look it up";
        return false;
    }
    memcpy(field, name, sizeof(name));
    return true;
}

static bool set_mailbox(char *field, struct str value, const char **why)
{
    struct addr a;

    if (!addr_parse(value, &a, why))
        return false;
    if (a.kind != ADDR_DOMAIN) {
        *why = "it has no domain";
        return false;
    }
    addr_text_ascii(&a, field);
    return true;
}

static bool set_word(unsigned *field, const char *const *words, struct str value)
{
    for (unsigned i = 0; words[i]; i++) {
        if (str_eq_z(value, words[i])) {
            *field = i;
            return true;
        }
    }
    return false;
}

static bool set_bool(bool *field, struct str value)
{
    if (!str_eq_z(value, "yes") && !str_eq_z(value, "no"))
        return false;
    *field = str_eq_z(value, "yes");
    return true;
}

/* Cut the next word of a list out of *s; empty at the end. */
static struct str next_word(struct str *s)
{
    size_t n = 0;

    *s = str_trim(*s);
    while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t')
        n++;
    struct str word = str_sub(*s, 0, n);
    *s = str_sub(*s, n, s->n);
    return word;
}

static const char too_many[] = "there are more than 16";

static bool set_endpoints(struct endpoint *field, size_t *count, uint16_t default_port,
                          struct str value, const char **why)
{
    size_t n = 0;

    for (struct str w = next_word(&value); w.n; w = next_word(&value)) {
        if (n == CONF_ADDRS_MAX) {
            *why = too_many;
            return false;
        }
        if (!endpoint_parse(w, default_port, &field[n], why))
            return false;
        if (!field[n].ip.family) {
            *why = "it holds a name, and an address is needed";
            return false;
        }
        n++;
    }
    *count = n;
    return true;
}

static bool set_hosts(struct endpoint *field, size_t *count, struct str value, const char **why)
{
    size_t n = 0;

    for (struct str w = next_word(&value); w.n; w = next_word(&value)) {
        if (n == CONF_RELAY_HOSTS_MAX) {
            *why = "there are more than 8";
            return false;
        }
        if (!endpoint_parse(w, 0, &field[n], why))
            return false;
        n++;
    }
    *count = n;
    return n > 0;
}

static bool set_uids(uint32_t *field, size_t *count, struct str value, const char **why)
{
    size_t n = 0;
    uint64_t uid;

    for (struct str w = next_word(&value); w.n; w = next_word(&value)) {
        if (n == CONF_ADDRS_MAX) {
            *why = too_many;
            return false;
        }
        if (!text_parse_u64(w, UINT32_MAX - 1, &uid))
            return false;
        field[n++] = (uint32_t)uid;
    }
    *count = n;
    return true;
}

static bool set_nets(struct ip_net *field, size_t *count, struct str value, const char **why)
{
    size_t n = 0;

    for (struct str w = next_word(&value); w.n; w = next_word(&value)) {
        if (n == CONF_ADDRS_MAX) {
            *why = too_many;
            return false;
        }
        if (!ip_net_parse(w, &field[n]))
            return false;
        n++;
    }
    *count = n;
    return n > 0;
}

static bool set_ip(struct ip *field, struct str value)
{
    if (value.n)
        return ip_parse(value, field);
    *field = (struct ip){0};
    return true;
}

static bool in_bounds(const struct conf_key *k, uint64_t value)
{
    return value >= k->min && value <= k->max;
}

static bool set_number(const struct conf_key *k, void *field, struct str value)
{
    uint64_t u;
    int64_t ms;

    switch (k->type) {
    case TYPE_SIZE:
        if (!text_parse_size(value, &u) || !in_bounds(k, u))
            return false;
        *(uint64_t *)field = u;
        return true;
    case TYPE_DURATION:
        if (!text_parse_duration(value, &ms) || ms < 0 || !in_bounds(k, (uint64_t)ms))
            return false;
        *(int64_t *)field = ms;
        return true;
    default:
        if (!text_parse_u64(value, k->max, &u) || !in_bounds(k, u))
            return false;
        if (k->type == TYPE_PORT)
            *(uint16_t *)field = (uint16_t)u;
        else
            *(unsigned *)field = (unsigned)u;
        return true;
    }
}

static bool set_path(char **field, bool may_be_empty, struct str value, const char **why)
{
    if (value.n ? value.p[0] != '/' : !may_be_empty) {
        *why = "it does not begin with /";
        return false;
    }
    if (value.n >= PATH_MAX) {
        *why = "it is too long";
        return false;
    }
    free(*field);
    *field = value.n ? str_dup(value) : NULL;
    return true;
}

static bool set_text(char **field, struct str value, const char **why)
{
    if (value.n > 255) {
        *why = "it is longer than 255 octets";
        return false;
    }
    free(*field);
    *field = value.n ? str_dup(value) : NULL;
    return true;
}

static bool set_via(const struct conf *c, int *field, struct str value, const char **why)
{
    struct str word = next_word(&value);
    struct str name = str_trim(value);

    if (str_eq_z(word, "direct") && !name.n) {
        *field = -1;
        return true;
    }
    if (!str_eq_z(word, "relay") || !name.n)
        return false;
    if (name.n > 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
        name = str_sub(name, 1, name.n - 1);
    for (size_t i = 0; i < c->relays_n; i++) {
        if (str_eq_z(name, c->relays[i].name)) {
            *field = (int)i;
            return true;
        }
    }
    *why = "there is no section [relay \"NAME\"] of that name";
    return false;
}

static bool set_relay(const struct conf *c, int *field, struct str value, const char **why)
{
    if (!value.n) {
        *field = -1;
        return true;
    }
    for (size_t i = 0; i < c->relays_n; i++) {
        if (str_eq_z(value, c->relays[i].name)) {
            *field = (int)i;
            return true;
        }
    }
    *why = "there is no section [relay \"NAME\"] of that name";
    return false;
}

static bool set_url(char **field, struct str value, const char **why)
{
    if (value.n && !str_istarts(value, STR("https://"))) {
        *why = "it does not begin with https://";
        return false;
    }
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] <= ' ' || value.p[i] > '~') {
            *why = "it holds a character that must not be there";
            return false;
        }
    }
    return set_text(field, value, why);
}

static bool set_profile(struct retry_policy *field, struct str value)
{
    const struct retry_policy *p = retry_profile(value);

    if (!p)
        return false;
    *field = *p;
    return true;
}

static void *second_field(const struct conf *c, const struct conf_key *k, size_t instance)
{
    char *field = conf_field(c, k, instance);

    return k->offset2 ? field - k->offset + k->offset2 : NULL;
}

bool conf_set(const struct conf *c, const struct conf_key *k, size_t instance, struct str value,
              const char **why)
{
    void *field = conf_field(c, k, instance);
    void *second = second_field(c, k, instance);

    *why = NULL;
    switch (k->type) {
    case TYPE_HOSTNAME: return set_hostname(field, value, why);
    case TYPE_MAILBOX:
        if (k->words && str_eq_z(value, k->words[0])) {
            *(char *)field = '\0';
            return true;
        }
        return set_mailbox(field, value, why);
    case TYPE_WORD:
        if (!set_word(field, k->words, value))
            return false;
        if (second)
            *(bool *)second = true;
        return true;
    case TYPE_BOOL: return set_bool(field, value);
    case TYPE_IP: return set_ip(field, value);
    case TYPE_HOSTS: return set_hosts(field, second, value, why);
    case TYPE_ENDPOINTS: return set_endpoints(field, second, (uint16_t)k->min, value, why);
    case TYPE_NETS: return set_nets(field, second, value, why);
    case TYPE_UIDS: return set_uids(field, second, value, why);
    case TYPE_RATE: return rate_parse(value, field);
    case TYPE_SIZE:
    case TYPE_COUNT:
    case TYPE_PERCENT:
    case TYPE_DURATION:
    case TYPE_PORT: return set_number(k, field, value);
    case TYPE_PATH: return set_path(field, k->min == 0, value, why);
    case TYPE_TEXT: return set_text(field, value, why);
    case TYPE_VIA: return set_via(c, field, value, why);
    case TYPE_RELAY: return set_relay(c, field, value, why);
    case TYPE_URL: return set_url(field, value, why);
    case TYPE_PROFILE: return set_profile(field, value);
    }
    return false;
}

/* In the largest unit that loses nothing. */
static void show_duration(struct buf *out, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{DAY_MS, "d"}, {HOUR_MS, "h"}, {MINUTE_MS, "m"}, {SECOND_MS, "s"}, {1, "ms"}};
    size_t i = 0;

    while (ms % units[i].ms)
        i++;
    if (ms == 0)
        buf_add_c(out, '0');
    else
        buf_printf(out, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
}

static void show_size(struct buf *out, uint64_t bytes)
{
    static const char units[] = "\0kMG";
    size_t i = 0;

    while (bytes && bytes % 1024 == 0 && i < 3) {
        bytes /= 1024;
        i++;
    }
    buf_printf(out, "%llu", (unsigned long long)bytes);
    if (i)
        buf_add_c(out, units[i]);
}

static void show_endpoints(struct buf *out, const struct endpoint *e, size_t n)
{
    char text[300];

    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i ? " " : "", endpoint_text(&e[i], text));
}

static void show_nets(struct buf *out, const struct ip_net *net, size_t n)
{
    char text[48];

    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s/%u", i ? " " : "", ip_text(&net[i].ip, text), net[i].bits);
}

static void show_uids(struct buf *out, const uint32_t *uid, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%u", i ? " " : "", (unsigned)uid[i]);
}

static void show_via(const struct conf *c, struct buf *out, int relay)
{
    if (relay < 0)
        buf_add_z(out, "direct");
    else
        buf_printf(out, "relay %s", c->relays[relay].name);
}

void conf_show(const struct conf *c, const struct conf_key *k, size_t instance, struct buf *out)
{
    const void *field = conf_field(c, k, instance);
    const void *second = second_field(c, k, instance);
    char text[300];

    switch (k->type) {
    case TYPE_HOSTNAME:
    case TYPE_MAILBOX:
        buf_add_z(out, k->words && !*(const char *)field ? k->words[0] : field);
        break;
    case TYPE_WORD: buf_add_z(out, k->words[*(const unsigned *)field]); break;
    case TYPE_BOOL: buf_add_z(out, *(const bool *)field ? "yes" : "no"); break;
    case TYPE_IP:
        if (((const struct ip *)field)->family)
            buf_add_z(out, ip_text(field, text));
        break;
    case TYPE_HOSTS:
    case TYPE_ENDPOINTS: show_endpoints(out, field, *(const size_t *)second); break;
    case TYPE_NETS: show_nets(out, field, *(const size_t *)second); break;
    case TYPE_UIDS: show_uids(out, field, *(const size_t *)second); break;
    case TYPE_SIZE: show_size(out, *(const uint64_t *)field); break;
    case TYPE_RATE: buf_add_z(out, rate_text(field, text)); break;
    case TYPE_COUNT:
    case TYPE_PERCENT: buf_printf(out, "%u", *(const unsigned *)field); break;
    case TYPE_DURATION: show_duration(out, *(const int64_t *)field); break;
    case TYPE_PORT: buf_printf(out, "%u", (unsigned)*(const uint16_t *)field); break;
    case TYPE_PATH:
    case TYPE_URL:
    case TYPE_TEXT: buf_add_str(out, str_of(*(char *const *)field)); break;
    case TYPE_VIA: show_via(c, out, *(const int *)field); break;
    case TYPE_RELAY:
        if (*(const int *)field >= 0)
            buf_add_z(out, c->relays[*(const int *)field].name);
        break;
    case TYPE_PROFILE: buf_add_z(out, ((const struct retry_policy *)field)->name); break;
    }
}
