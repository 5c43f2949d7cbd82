/* SPDX-License-Identifier: ISC */
/* "127.0.0.1:25", "[::1]:25", "relay.example.net:587": addresses are kept as addresses. */
#include "core/base/text.h"
#include "core/mail/conf.h"

/* Takes the brackets off, and the port; true when there was one. */
static bool split_port(struct str s, struct str *host, struct str *port, const char **why)
{
    size_t at;

    *port = STR_NONE;
    if (s.n && s.p[0] == '[') {
        at = str_find(s, ']');
        *host = str_sub(s, 1, at);
        if (at == s.n || (at + 1 < s.n && s.p[at + 1] != ':')) {
            *why = "an IPv6 address with a port is written [ADDRESS]:PORT";
            return false;
        }
        at++;
    } else {
        at = str_find(s, ':');
        *host = str_sub(s, 0, at);
        /* Two colons without brackets: an IPv6 address, and no port. */
        if (at < s.n && str_find(str_sub(s, at + 1, s.n), ':') < s.n - at - 1) {
            *host = s;
            at = s.n;
        }
    }
    if (at < s.n) {
        *port = str_sub(s, at + 1, s.n);
        if (!port->n) {
            *why = "the port is missing";
            return false;
        }
    }
    return true;
}

bool endpoint_parse(struct str s, uint16_t default_port, struct endpoint *out, const char **why)
{
    struct endpoint e = {.port = default_port};
    struct str host, port;
    uint64_t number;

    if (!split_port(s, &host, &port, why))
        return false;
    if (port.n && (!text_parse_u64(port, UINT16_MAX, &number) || number == 0)) {
        *why = "the port is not a number from 1 to 65535";
        return false;
    }
    if (port.n)
        e.port = (uint16_t)number;
    if (!e.port) {
        *why = "the port is missing";
        return false;
    }
    if (!host.n) {
        *why = "the host is missing";
        return false;
    }
    if (ip_parse(host, &e.ip)) {
        ip_text(&e.ip, e.host);
    } else if (s.p[0] == '[') {
        *why = "what stands in the brackets is not an address";
        return false;
    } else if (!domain_to_ascii(host, e.host, why)) {
        return false;
    }
    *out = e;
    return true;
}

bool endpoint_is_implicit_tls(const struct endpoint *e)
{
    return e->port == 465;
}

const char *endpoint_text(const struct endpoint *e, char out[300])
{
    snprintf(out, 300, e->ip.family == 6 ? "[%s]:%u" : "%s:%u", e->host, (unsigned)e->port);
    return out;
}
