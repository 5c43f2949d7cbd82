/* SPDX-License-Identifier: ISC */
/* Questions and their answers; see zone.h. */
#include "tests/world/zone.h"
#include "core/base/alloc.h"
#include "core/net/dnswire.h"

#define ANSWER_MAX DNS_RECORDS_MAX

struct result {
    unsigned rcode;
    bool is_silent, is_malformed, is_authentic;
    int64_t delay_ms;
    struct dns_record records[ANSWER_MAX]; /* borrowed texts */
    const char *owners[ANSWER_MAX];
    size_t n, n_cname;
    char final_name[DNS_NAME_MAX + 1];
};

static void lower(const char *in, char out[DNS_NAME_MAX + 1])
{
    size_t n = strlen(in), i = 0;
    if (n > 0 && in[n - 1] == '.')
        n--;
    for (; i < n && i < DNS_NAME_MAX; i++)
        out[i] = in[i] >= 'A' && in[i] <= 'Z' ? (char)(in[i] + 32) : in[i];
    out[i] = '\0';
}

/* Special treatment of (name, type), counted. The first that applies wins. */
static enum world_dns_special special_of(struct world *w, const char *name, unsigned type,
                                         struct result *res)
{
    list_for_each (l, &w->records) {
        struct world_record *r = list_entry(l, struct world_record, link);
        if (r->special == WORLD_DNS_RECORD || strcmp(r->owner, name) != 0 ||
            (r->type && r->type != type))
            continue;
        if (r->first > 0 && ++r->asked > r->first)
            continue;
        res->delay_ms += r->delay_ms;
        if (r->special != WORLD_DNS_SLOW)
            return r->special;
    }
    return WORLD_DNS_RECORD;
}

static bool is_below(const char *name, const char *owner)
{
    size_t n = strlen(name), o = strlen(owner);
    return o > n && owner[o - n - 1] == '.' && strcmp(owner + o - n, name) == 0;
}

static bool name_exists(const struct world *w, const char *name)
{
    list_for_each (l, &w->records) {
        const struct world_record *r = list_entry(l, struct world_record, link);
        if (strcmp(r->owner, name) == 0 || is_below(name, r->owner))
            return true;
    }
    return false;
}

/* Records of one name; returns the CNAME's target when there is one to follow. */
static const char *collect(const struct world *w, const char *name, unsigned type,
                           struct result *res)
{
    const char *cname = NULL;
    list_for_each (l, &w->records) {
        const struct world_record *r = list_entry(l, struct world_record, link);
        if (r->special != WORLD_DNS_RECORD || strcmp(r->owner, name) != 0)
            continue;
        bool is_alias = r->type == DNS_TYPE_CNAME && type != DNS_TYPE_CNAME;
        if ((r->type != type && !is_alias) || res->n == ANSWER_MAX)
            continue;
        res->delay_ms += r->delay_ms;
        res->is_authentic |= r->is_authentic;
        res->owners[res->n] = r->owner;
        res->records[res->n++] = r->rec;
        if (is_alias) {
            cname = r->rec.name;
            res->n_cname++;
            break;
        }
    }
    return cname;
}

static void look(struct world *w, const char *asked, unsigned type, struct result *res)
{
    const char *next = NULL;
    lower(asked, res->final_name);
    for (unsigned hops = 0; hops <= DNS_CNAME_HOPS_MAX; hops++) {
        switch (special_of(w, res->final_name, type, res)) {
        case WORLD_DNS_SERVFAIL: res->rcode = 2; return;
        case WORLD_DNS_REFUSED: res->rcode = 5; return;
        case WORLD_DNS_NXDOMAIN: res->rcode = 3; return;
        case WORLD_DNS_TIMEOUT: res->is_silent = true; return;
        case WORLD_DNS_MALFORMED: res->is_malformed = true; return;
        case WORLD_DNS_NODATA: return;
        default: break;
        }
        next = collect(w, res->final_name, type, res);
        if (!next)
            break;
        lower(next, res->final_name);
    }
    if (res->n == res->n_cname && !name_exists(w, res->final_name))
        res->rcode = 3;
}

static void copy_records(const struct result *res, struct dns_answer *out)
{
    out->records = xcalloc(res->n, sizeof(struct dns_record));
    out->ttl_s = UINT32_MAX;
    for (size_t i = 0; i < res->n; i++) {
        const struct dns_record *r = &res->records[i];
        out->ttl_s = r->ttl_s < out->ttl_s ? r->ttl_s : out->ttl_s;
        if (i < res->n_cname)
            continue;
        struct dns_record *to = &out->records[out->n++];
        *to = *r;
        to->text = NULL;
        if (r->text) {
            to->text = xmalloc(r->text_n + 1);
            memcpy(to->text, r->text, r->text_n);
            to->text[r->text_n] = '\0';
        }
    }
}

int64_t zone_ask(struct world *w, const char *name, unsigned type, struct dns_answer *out)
{
    struct result *res = xnew(struct result);
    *out = (struct dns_answer){0};
    look(w, name, type, res);
    str_copy(STR("192.0.2.53:53"), out->server, sizeof(out->server));
    str_copy(str_of(res->final_name), out->final_name, sizeof(out->final_name));
    out->rcode = res->rcode;
    out->is_authentic = res->is_authentic;
    int64_t delay = res->is_silent ? -1 : res->delay_ms;
    if (res->is_silent) {
        out->status = DNS_TEMP;
        out->is_timeout = true;
    } else if (res->is_malformed) {
        out->status = DNS_BAD;
    } else if (res->rcode == 3) {
        out->status = DNS_NXDOMAIN;
        out->ttl_s = ZONE_SOA_TTL_S;
    } else if (res->rcode != 0) {
        out->status = DNS_TEMP;
    } else if (res->n == res->n_cname) {
        out->status = DNS_NODATA;
        out->ttl_s = ZONE_SOA_TTL_S;
    } else {
        out->status = DNS_OK;
        copy_records(res, out);
    }
    free(res);
    return delay;
}

bool zone_ask_wire(struct world *w, struct str query, size_t max, struct buf *out,
                   int64_t *delay_ms)
{
    struct dns_question q;
    if (!dnswire_question(query, &q))
        return false;
    struct result *res = xnew(struct result);
    look(w, q.name, q.type, res);
    *delay_ms = res->delay_ms;
    bool is_negative = res->rcode == 3 || (res->rcode == 0 && res->n == res->n_cname);
    bool is_answered = !res->is_silent;
    if (is_answered) {
        size_t at = out->n;
        dnswire_write(out, &q, res->rcode, res->is_authentic, res->records, res->owners, res->n,
                      is_negative && !res->is_malformed ? ZONE_SOA_TTL_S : 0, max);
        /* One answer is announced that is not there: the counts promise more than the octets hold. */
        if (res->is_malformed && out->n >= at + 8)
            out->p[at + 7] = 1;
    }
    free(res);
    return is_answered;
}
