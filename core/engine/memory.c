/* SPDX-License-Identifier: ISC */
#include "core/engine/memory.h"

#include <errno.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

/* A host that was mended gets its TLS back after so long (Postfix and ZoneMTA keep a day or more; a
 * failed handshake is cheap, and so is finding out). */
#define TLS_FOR_MS      (6 * HOUR_MS)
#define NO_ROUTE_FOR_MS (5 * MINUTE_MS)

struct host_memory {
    enum tls_step step;
    int64_t until_mono_ms;
};

const char *tls_step_name(enum tls_step s)
{
    static const char *const names[] = {"full", "reduced", "clear"};
    return names[s];
}

void memory_init(struct memory *m, uint64_t seed)
{
    *m = (struct memory){0};
    map_init(&m->hosts, seed);
}

void memory_done(struct memory *m)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&m->hosts, &at, &key, &value))
        free(value);
    map_done(&m->hosts);
}

void memory_tls_worked(struct memory *m, const char *host, enum tls_step step, int64_t now_mono_ms)
{
    struct host_memory *h = map_get(&m->hosts, str_of(host));
    if (!h) {
        h = xnew(struct host_memory);
        map_put(&m->hosts, str_of(host), h);
    }
    *h = (struct host_memory){step, now_mono_ms + TLS_FOR_MS};
}

enum tls_step memory_tls_step(const struct memory *m, const char *host, int64_t now_mono_ms)
{
    const struct host_memory *h = map_get(&m->hosts, str_of(host));
    return h && h->until_mono_ms > now_mono_ms ? h->step : TLS_STEP_FULL;
}

static size_t family_of(const struct ip *ip)
{
    return ip->family == 6;
}

bool memory_connect_failed(struct memory *m, const struct ip *ip, int sys, int64_t now_mono_ms)
{
    /* EHOSTUNREACH is about one host; EACCES is a rule of ours, which may be about one address. */
    if (sys != ENETUNREACH && sys != EADDRNOTAVAIL && sys != EAFNOSUPPORT)
        return false;
    m->no_route_until_mono_ms[family_of(ip)] = now_mono_ms + NO_ROUTE_FOR_MS;
    return true;
}

void memory_connect_worked(struct memory *m, const struct ip *ip)
{
    m->no_route_until_mono_ms[family_of(ip)] = 0;
}

void memory_order(const struct memory *m, struct targets *t, int64_t now_mono_ms)
{
    struct targets last = {0};
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (m->no_route_until_mono_ms[family_of(&t->t[i].ip)] > now_mono_ms)
            last.t[last.n++] = t->t[i];
        else
            t->t[n++] = t->t[i];
    }
    for (size_t i = 0; i < last.n; i++)
        t->t[n++] = last.t[i];
}

void memory_sweep(struct memory *m, int64_t now_mono_ms)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&m->hosts, &at, &key, &value)) {
        struct host_memory *h = value;
        if (h->until_mono_ms > now_mono_ms)
            continue;
        map_remove(&m->hosts, key);
        free(h);
        at = 0; /* removal moves slots */
    }
}
