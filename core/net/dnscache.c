/* SPDX-License-Identifier: ISC */
/*
 * DNS answers in memory: a map for finding, a list in order of use for making room. TTLs are taken
 * between 5 s (a burst of mail to one domain is one question) and 1 h (a mistake in DNS that was
 * mended is soon seen).
 */
#include "core/net/dnscache.h"

#include "core/base/alloc.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/rng.h"

struct entry {
    struct list link; /* in dnscache.lru */
    char key[DNS_KEY_MAX];
    int64_t until_mono_ms;
    size_t bytes;
    struct dns_answer answer;
};

struct dnscache {
    struct map map;  /* key to entry */
    struct list lru; /* longest unused first */
    size_t bytes;
};

void dnscache_copy(struct dns_answer *out, const struct dns_answer *a)
{
    *out = *a;
    out->records = a->n ? xcalloc(a->n, sizeof(*a->records)) : NULL;
    for (size_t i = 0; i < a->n; i++) {
        out->records[i] = a->records[i];
        if (a->records[i].text)
            out->records[i].text = str_dup((struct str){a->records[i].text, a->records[i].text_n});
    }
}

static size_t answer_bytes(const struct dns_answer *a)
{
    size_t n = sizeof(struct entry) + a->n * sizeof(*a->records);

    for (size_t i = 0; i < a->n; i++)
        n += a->records[i].text_n;
    return n;
}

struct dnscache *dnscache_new(void)
{
    struct dnscache *c = xnew(struct dnscache);
    uint64_t seed;

    rng_bytes(&seed, sizeof(seed));
    map_init(&c->map, seed);
    list_init(&c->lru);
    return c;
}

static void entry_free(struct dnscache *c, struct entry *e)
{
    list_remove(&e->link);
    map_remove(&c->map, str_of(e->key));
    c->bytes -= e->bytes;
    dns_answer_done(&e->answer);
    free(e);
}

void dnscache_flush(struct dnscache *c)
{
    list_for_each_safe (it, &c->lru)
        entry_free(c, list_entry(it, struct entry, link));
}

void dnscache_free(struct dnscache *c)
{
    if (!c)
        return;
    dnscache_flush(c);
    map_done(&c->map);
    free(c);
}

size_t dnscache_count(const struct dnscache *c)
{
    return c->map.n;
}

static uint32_t kept_s(const struct dns_answer *a)
{
    if (a->ttl_s < DNSCACHE_TTL_FLOOR_S)
        return DNSCACHE_TTL_FLOOR_S;
    return a->ttl_s < DNSCACHE_TTL_CEILING_S ? a->ttl_s : DNSCACHE_TTL_CEILING_S;
}

void dnscache_put(struct dnscache *c, const char *key, const struct dns_answer *a,
                  int64_t now_mono_ms)
{
    /* Nor what ends mail for good: a fresh message never fails out of a cache of ours. The resolver
     * has one too, and minds the owner's TTL. */
    if (a->status == DNS_TEMP || a->status == DNS_BAD || a->status == DNS_NXDOMAIN)
        return;
    struct entry *e = map_get(&c->map, str_of(key));

    if (e)
        entry_free(c, e);
    e = xnew(struct entry);
    str_copy(str_of(key), e->key, sizeof(e->key));
    e->until_mono_ms = now_mono_ms + (int64_t)kept_s(a) * 1000;
    e->bytes = answer_bytes(a);
    dnscache_copy(&e->answer, a);
    c->bytes += e->bytes;
    list_push_back(&c->lru, &e->link);
    map_put(&c->map, str_of(e->key), e);
    while (c->map.n > DNSCACHE_ENTRIES_MAX || c->bytes > DNSCACHE_BYTES_MAX)
        entry_free(c, list_entry(c->lru.next, struct entry, link));
}

bool dnscache_get(struct dnscache *c, const char *key, int64_t now_mono_ms, struct dns_answer *out)
{
    struct entry *e = map_get(&c->map, str_of(key));

    if (!e)
        return false;
    if (e->until_mono_ms <= now_mono_ms) {
        entry_free(c, e);
        return false;
    }
    list_remove(&e->link);
    list_push_back(&c->lru, &e->link);
    dnscache_copy(out, &e->answer);
    out->ttl_s = (uint32_t)((e->until_mono_ms - now_mono_ms + 999) / 1000);
    return true;
}
