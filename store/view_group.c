/* SPDX-License-Identifier: ISC */
/*
 * The queue by cause, domain, site, sender or age. One pass over the live rows' covering index, sums
 * kept in a map: GROUP BY would sort a million rows first. The index is in the order of domains, so
 * a group counts a domain when it sees it for the first time in the domain's run. What needs more
 * than the index has (finished rows, senders, free text) is a pass by id, and a map of what was seen.
 */
#include "store/view_private.h"

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/map.h"

static const struct {
    const char *name, *column;
    bool needs_message;
} groups[] = {
    [VIEW_GROUP_CAUSE] = {"cause", "r.cause", false},
    [VIEW_GROUP_DOMAIN] = {"domain", "r.domain", false},
    [VIEW_GROUP_SITE] = {"site", "r.site", false},
    [VIEW_GROUP_SENDER] = {"sender", "m.sender", true},
    [VIEW_GROUP_AGE] = {"age", "''", false},
};
_Static_assert(ARRAY_LEN(groups) == VIEW_GROUP_COUNT, "one row per grouping");

const char *view_group_name(enum view_group g)
{
    return g < VIEW_GROUP_COUNT ? groups[g].name : "";
}

bool view_group_parse(struct str name, enum view_group *out)
{
    for (size_t i = 0; i < VIEW_GROUP_COUNT; i++) {
        if (str_ieq_z(name, groups[i].name)) {
            *out = (enum view_group)i;
            return true;
        }
    }
    return false;
}

struct sum {
    char *key;           /* own */
    uint64_t domain_run; /* the last run of one domain that it counted */
    uint64_t count, domains, bytes;
    int64_t oldest, next, newest_id;
};

struct sums {
    enum view_group by;
    int64_t now;
    struct map by_key; /* -> struct sum */
    struct sum **a;    /* own */
    size_t n, cap;
    struct sum *last;    /* of the row before: runs are cheap */
    uint64_t domain_run; /* counts the domains gone through */
    bool is_by_domain;   /* rows come in runs of one domain; else: */
    struct map domains;  /* a sum's address and a domain -> the sum */
    char last_domain[ADDR_DOMAIN_MAX + 1];
};

static void sums_init(struct sums *t, enum view_group by, int64_t now)
{
    *t = (struct sums){.by = by, .now = now};
    map_init(&t->by_key, 1);
    map_init(&t->domains, 2);
}

static void sums_done(struct sums *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->a[i]->key);
        free(t->a[i]);
    }
    free(t->a);
    map_done(&t->by_key);
    map_done(&t->domains);
}

static struct str age_key(int64_t age_ms)
{
    static const struct {
        int64_t up_to_ms;
        const char *key;
    } ages[] = {{5 * MINUTE_MS, "5m"},      {20 * MINUTE_MS, "20m"},      {80 * MINUTE_MS, "80m"},
                {320 * MINUTE_MS, "5h20m"}, {1280 * MINUTE_MS, "21h20m"}, {INT64_MAX, "older"}};
    size_t i = 0;

    while (age_ms > ages[i].up_to_ms)
        i++;
    return str_of(ages[i].key);
}

static struct sum *sum_of(struct sums *t, struct str key)
{
    struct sum *s;

    if (t->last && str_eq_z(key, t->last->key))
        return t->last;
    s = map_get(&t->by_key, key);
    if (s)
        return s;
    s = xnew(struct sum);
    s->key = str_dup(key);
    s->oldest = s->next = INT64_MAX;
    map_put(&t->by_key, key, s);
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->a = xreallocarray(t->a, t->cap, sizeof(*t->a));
    }
    return t->a[t->n++] = s;
}

/* A domain counts once for a group. */
static void count_domain(struct sums *t, struct sum *s, struct str domain)
{
    char key[sizeof(s) + ADDR_DOMAIN_MAX + 1];
    size_t n = domain.n <= ADDR_DOMAIN_MAX ? domain.n : ADDR_DOMAIN_MAX;

    if (!str_eq_z(domain, t->last_domain) || !t->domain_run) {
        t->domain_run++;
        str_copy(domain, t->last_domain, sizeof(t->last_domain));
    }
    if (s->domain_run == t->domain_run)
        return;
    s->domain_run = t->domain_run;
    if (t->is_by_domain) {
        s->domains++;
        return;
    }
    memcpy(key, &s, sizeof(s));
    if (n)
        memcpy(key + sizeof(s), domain.p, n);
    if (!map_put(&t->domains, (struct str){key, sizeof(s) + n}, s))
        s->domains++;
}

static void add_row(struct sums *t, sqlite3_stmt *st)
{
    int64_t arrival = sqlite3_column_int64(st, 3);
    int64_t next = sqlite3_column_int64(st, 4), id = sqlite3_column_int64(st, 5);
    int state = sqlite3_column_int(st, 6);
    struct str key = t->by == VIEW_GROUP_AGE ? age_key(t->now - arrival) : column_str(st, 0);
    struct str domain = column_str(st, 1);
    struct sum *s = sum_of(t, key);

    count_domain(t, s, domain);
    s->count++;
    s->bytes += (uint64_t)sqlite3_column_int64(st, 2);
    if (arrival < s->oldest)
        s->oldest = arrival;
    if ((state == RCPT_QUEUED || state == RCPT_UNCONFIRMED) && next < s->next)
        s->next = next;
    if (id > s->newest_id)
        s->newest_id = id;
    t->last = s;
}

static int by_count(const void *a, const void *b)
{
    const struct sum *x = *(struct sum *const *)a, *y = *(struct sum *const *)b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->key, y->key);
}

static int sum_up(struct view *v, const struct view_query *q, struct sums *t, struct err *err)
{
    struct buf sql CLEANUP(buf_done) = BUF_INIT;
    struct where w CLEANUP(where_done) = {0};
    sqlite3_stmt *st;
    int rc = where_build(&w, v->s, q->filter, q->now_wall_ms, err);

    if (rc)
        return rc;
    buf_printf(&sql, "SELECT %s, r.domain, r.size, r.arrival, r.next, r.id, r.state",
               groups[t->by].column);
    /* what is not in that index is looked up in the table: then by id, so that neighbours are near */
    t->is_by_domain = w.is_covered && !groups[t->by].needs_message && !view_with_final(q, &w);
    view_from(&sql, q, &w, t->is_by_domain ? "r_domain" : "r_live", groups[t->by].needs_message);
    if (t->is_by_domain)
        buf_add_z(&sql, " ORDER BY r.domain");
    st = view_prepare(v, buf_text(&sql), err);
    if (!st)
        return -(int)E_IO;
    view_bind(&w, st);
    while ((rc = store_next(v->s, st, err, "group the queue")) > 0)
        add_row(t, st);
    sqlite3_finalize(st);
    return rc;
}

/* What the newest recipient of a group says. */
static int add_sample(struct view *v, const struct sum *s, struct view_group_row *row,
                      struct err *err)
{
    sqlite3_stmt *st =
        view_prepare(v, "SELECT attempt, domain, code, enhanced FROM recipient WHERE id=?1", err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, s->newest_id);
    rc = store_next(v->s, st, err, "read a sample");
    if (rc > 0) {
        column_copy(st, 1, row->domain, sizeof(row->domain));
        row->code = sqlite3_column_int(st, 2);
        column_copy(st, 3, row->enhanced, sizeof(row->enhanced));
        rc = view_info(v, sqlite3_column_int64(st, 0), row->info, err);
    }
    sqlite3_finalize(st);
    return rc < 0 ? rc : 0;
}

int view_groups(struct view *v, const struct view_query *q, enum view_group by,
                struct view_group_row *rows, unsigned limit, struct err *err)
{
    struct sums t CLEANUP(sums_done);
    unsigned n = 0;
    int rc = view_begin(v, err);

    sums_init(&t, by < VIEW_GROUP_COUNT ? by : VIEW_GROUP_CAUSE, q->now_wall_ms);
    if (!rc)
        rc = sum_up(v, q, &t, err);
    if (t.n)
        qsort(t.a, t.n, sizeof(struct sum *), by_count);
    for (; !rc && n < limit && n < t.n; n++) {
        const struct sum *s = t.a[n];

        rows[n] = (struct view_group_row){.count = s->count,
                                          .domains = s->domains,
                                          .bytes = s->bytes,
                                          .oldest_wall_ms = s->oldest,
                                          .next_wall_ms = s->next == INT64_MAX ? 0 : s->next};
        snprintf(rows[n].key, sizeof(rows[n].key), "%s", s->key);
        rc = add_sample(v, s, &rows[n], err);
    }
    view_end(v);
    return rc ? rc : (int)n;
}
