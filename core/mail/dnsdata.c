/* SPDX-License-Identifier: ISC */
/* IP addresses as text, networks, reverse names; names of DNS types and results. */
#include "core/mail/dnsdata.h"

#include <arpa/inet.h>

static const char *const status_names[] = {
    [DNS_OK] = "ok",     [DNS_NODATA] = "NODATA", [DNS_NXDOMAIN] = "NXDOMAIN",
    [DNS_TEMP] = "TEMP", [DNS_BAD] = "malformed",
};
_Static_assert(ARRAY_LEN(status_names) == DNS_STATUS_COUNT, "a name per status");

const char *dns_status_name(enum dns_status s)
{
    return (unsigned)s < DNS_STATUS_COUNT ? status_names[s] : "?";
}

const char *dns_type_name(unsigned type)
{
    switch (type) {
    case DNS_TYPE_A: return "A";
    case DNS_TYPE_NS: return "NS";
    case DNS_TYPE_CNAME: return "CNAME";
    case DNS_TYPE_SOA: return "SOA";
    case DNS_TYPE_PTR: return "PTR";
    case DNS_TYPE_MX: return "MX";
    case DNS_TYPE_TXT: return "TXT";
    case DNS_TYPE_AAAA: return "AAAA";
    case DNS_TYPE_TLSA: return "TLSA";
    }
    return "?";
}

bool ip_parse(struct str s, struct ip *out)
{
    char z[INET6_ADDRSTRLEN];
    if (memchr(s.n ? s.p : "", '\0', s.n) || !str_copy(s, z, sizeof(z)))
        return false;
    struct ip ip = {0};
    if (inet_pton(AF_INET, z, ip.bytes) == 1)
        ip.family = 4;
    else if (inet_pton(AF_INET6, z, ip.bytes) == 1)
        ip.family = 6;
    else
        return false;
    *out = ip;
    return true;
}

const char *ip_text(const struct ip *a, char out[48])
{
    out[0] = '\0';
    if (a->family == 4 || a->family == 6)
        inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out, 48);
    return out;
}

/* ::ffff:a.b.c.d is how a dual-stack socket shows an IPv4 peer: the same address for every
 * comparison. */
static struct ip unmapped(const struct ip *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (a->family != 6 || memcmp(a->bytes, prefix, sizeof(prefix)) != 0)
        return *a;
    struct ip v4 = {.family = 4};
    memcpy(v4.bytes, a->bytes + 12, 4);
    return v4;
}

static size_t ip_size(const struct ip *a)
{
    return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
    struct ip x = unmapped(a), y = unmapped(b);
    return x.family == y.family && memcmp(x.bytes, y.bytes, ip_size(&x)) == 0;
}

bool ip_is_loopback(const struct ip *a)
{
    static const uint8_t one[16] = {[15] = 1};
    struct ip ip = unmapped(a);
    if (ip.family == 4)
        return ip.bytes[0] == 127;
    return ip.family == 6 && memcmp(ip.bytes, one, sizeof(one)) == 0;
}

static bool parse_bits(struct str s, unsigned max, unsigned *out)
{
    unsigned v = 0;
    if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(s.p[i] - '0');
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

bool ip_net_parse(struct str s, struct ip_net *out)
{
    struct ip_net net;
    size_t slash = str_find(s, '/');
    if (!ip_parse(str_sub(s, 0, slash), &net.ip))
        return false;
    unsigned max = net.ip.family == 4 ? 32 : 128;
    net.bits = max;
    if (slash < s.n && !parse_bits(str_sub(s, slash + 1, s.n), max, &net.bits))
        return false;
    *out = net;
    return true;
}

static bool has_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    if (bits % 8 == 0)
        return true;
    unsigned mask = 0xffu << (8 - bits % 8);
    return ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

bool ip_net_has(const struct ip_net *net, const struct ip *a)
{
    struct ip ip = net->ip.family == 4 ? unmapped(a) : *a;
    return ip.family != 0 && ip.family == net->ip.family &&
           has_prefix(net->ip.bytes, ip.bytes, net->bits);
}

void ip_reverse_name(const struct ip *a, char out[DNS_NAME_MAX + 1])
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *b = a->bytes;
    out[0] = '\0';
    if (a->family == 4) {
        snprintf(out, DNS_NAME_MAX + 1, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
        return;
    }
    if (a->family != 6)
        return;
    char *p = out;
    for (size_t i = 16; i > 0; i--) {
        *p++ = hex[b[i - 1] & 15];
        *p++ = '.';
        *p++ = hex[b[i - 1] >> 4];
        *p++ = '.';
    }
    snprintf(p, DNS_NAME_MAX + 1 - (size_t)(p - out), "ip6.arpa");
}

void dns_answer_done(struct dns_answer *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->records[i].text);
    free(a->records);
    a->records = NULL;
    a->n = 0;
}
