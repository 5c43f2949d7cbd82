/* SPDX-License-Identifier: ISC */
/* "dns OWNER TYPE VALUE" of a .world file. */
#include "tests/world/parse_private.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

static bool dns_name(const char *s, char out[DNS_NAME_MAX + 1])
{
    size_t n = strlen(s);
    if (n > 0 && s[n - 1] == '.')
        n--;
    if (n > DNS_NAME_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        out[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 32) : s[i];
    out[n] = '\0';
    return true;
}

static bool dns_owner(const char *s, char out[DNS_NAME_MAX + 1])
{
    struct ip ip;
    if (ip_parse(str_of(s), &ip)) {
        ip_reverse_name(&ip, out);
        return true;
    }
    return dns_name(s, out);
}

static bool dns_special(const char *word, enum world_dns_special *out)
{
    static const struct {
        const char *name;
        enum world_dns_special special;
    } names[] = {
        {"servfail", WORLD_DNS_SERVFAIL}, {"refused", WORLD_DNS_REFUSED},
        {"timeout", WORLD_DNS_TIMEOUT},   {"nxdomain", WORLD_DNS_NXDOMAIN},
        {"nodata", WORLD_DNS_NODATA},     {"malformed", WORLD_DNS_MALFORMED},
        {"slow", WORLD_DNS_SLOW},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i].name, word) == 0) {
            *out = names[i].special;
            return true;
        }
    }
    return false;
}

static bool dns_type(const char *word, unsigned *out)
{
    static const struct {
        const char *name;
        unsigned type;
    } names[] = {
        {"*", 0},
        {"a", DNS_TYPE_A},
        {"aaaa", DNS_TYPE_AAAA},
        {"mx", DNS_TYPE_MX},
        {"txt", DNS_TYPE_TXT},
        {"ptr", DNS_TYPE_PTR},
        {"cname", DNS_TYPE_CNAME},
        {"ns", DNS_TYPE_NS},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(names[i].name, word) == 0) {
            *out = names[i].type;
            return true;
        }
    }
    return false;
}

/* The value of a record of that type; *i moves over it. */
static bool dns_value(const struct words *w, size_t *i, struct world_record *r)
{
    unsigned preference;
    const char *v = w->w[*i];
    switch (r->type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA:
        return ip_parse(str_of(v), &r->rec.ip) &&
               r->rec.ip.family == (r->type == DNS_TYPE_A ? 4 : 6);
    case DNS_TYPE_MX:
        if (!parse_number(v, &preference) || preference > 65535 || ++*i >= w->n)
            return false;
        r->rec.preference = (uint16_t)preference;
        return dns_name(w->w[*i], r->rec.name);
    case DNS_TYPE_TXT:
        r->rec.text_n = w->len[*i];
        r->rec.text = xmalloc(r->rec.text_n + 1);
        memcpy(r->rec.text, v, r->rec.text_n + 1);
        return true;
    case DNS_TYPE_PTR:
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME: return dns_name(v, r->rec.name);
    default: return false;
    }
}

static bool dns_options(const struct words *w, size_t i, struct world_record *r)
{
    unsigned n;
    for (; i < w->n; i++) {
        const char *o = w->w[i];
        if (strncmp(o, "ttl=", 4) == 0 && parse_number(o + 4, &n))
            r->rec.ttl_s = n;
        else if (strncmp(o, "delay=", 6) == 0 && text_parse_duration(str_of(o + 6), &r->delay_ms))
            continue;
        else if (strncmp(o, "first=", 6) == 0 && parse_number(o + 6, &r->first))
            continue;
        else if (strcmp(o, "authentic") == 0)
            r->is_authentic = true;
        else
            return false;
    }
    return true;
}

int parse_dns(struct parser *p, struct err *err)
{
    const struct words *w = &p->words;
    if (w->n < 4)
        return parse_fail(p, err, "dns OWNER TYPE VALUE", NULL);
    struct world_record *r = xnew(struct world_record);
    r->rec.ttl_s = 300;
    size_t i = 3;
    bool is_ok = dns_owner(w->w[1], r->owner) && dns_type(w->w[2], &r->type) &&
                 (dns_special(w->w[3], &r->special) || dns_value(w, &i, r)) &&
                 dns_options(w, i + 1, r);
    if (!is_ok) {
        free(r->rec.text);
        free(r);
        return parse_fail(p, err, "a record that does not parse", w->w[3]);
    }
    r->rec.type = r->type;
    list_push_back(&p->w->records, &r->link);
    return 0;
}
