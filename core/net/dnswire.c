/* SPDX-License-Identifier: ISC */
/*
 * The DNS wire form (RFC 1035 4). Reading: every octet is bound-checked, names are at most 255
 * octets, and a compression pointer must point before the place where the name (or the last
 * jump) began, so that every walk ends. Nothing here is allocated by a length that a peer states:
 * texts are at most as long as the message. Labels with octets that no text form of ours can carry
 * (dots, spaces, controls, non-ASCII) make the answer DNS_BAD: a host of that name is nobody we
 * would connect to.
 */
#include "core/net/dnswire.h"

#include "core/base/alloc.h"

#define HEADER_N       12
#define CLASS_IN       1
#define TYPE_OPT       41
#define EDNS_OCTETS    1232 /* fits every path's MTU: DNS flag day 2020 */
#define RCODE_NXDOMAIN 3

struct wire {
    const uint8_t *p;
    size_t n;
};

/* A resource record as it lies in the message. */
struct rr {
    char owner[DNS_NAME_MAX + 1];
    unsigned type, class;
    uint32_t ttl_s;
    size_t at, n; /* rdata */
};

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static bool is_label_octet(uint8_t c)
{
    return c > 0x20 && c < 0x7f && c != '.' && c != '\\';
}

static char lower(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Reading */

/* A name at *pos in text form; *pos goes behind it. */
static bool read_name(struct wire w, size_t *pos, char out[DNS_NAME_MAX + 1])
{
    size_t at = *pos, used = 0, limit = at;
    bool has_jumped = false;

    for (;;) {
        if (at >= w.n)
            return false;
        uint8_t len = w.p[at];

        if (len >= 0xc0) {
            if (at + 1 >= w.n)
                return false;
            size_t to = get16(w.p + at) & 0x3fff;

            if (!has_jumped)
                *pos = at + 2;
            has_jumped = true;
            if (to >= limit)
                return false;
            limit = at = to;
            continue;
        }
        at++;
        if (len == 0)
            break;
        if (used)
            out[used++] = '.';
        /* The wire form has two octets more, the first length and the root: 255 (RFC 1035 2.3.4). */
        if (len > 63 || len > w.n - at || used + len + 2 > 255)
            return false;
        for (size_t i = 0; i < len; i++, at++) {
            if (!is_label_octet(w.p[at]))
                return false;
            out[used++] = lower(w.p[at]);
        }
    }
    out[used] = '\0';
    if (!has_jumped)
        *pos = at;
    return true;
}

static bool read_rr(struct wire w, size_t *pos, struct rr *rr)
{
    if (!read_name(w, pos, rr->owner) || w.n - *pos < 10)
        return false;
    const uint8_t *p = w.p + *pos;

    rr->type = get16(p);
    rr->class = get16(p + 2);
    rr->ttl_s = get32(p + 4);
    if (rr->ttl_s & 0x80000000) /* RFC 2181 8 */
        rr->ttl_s = 0;
    rr->n = get16(p + 8);
    *pos += 10;
    rr->at = *pos;
    if (rr->n > w.n - *pos)
        return false;
    *pos += rr->n;
    return true;
}

/* A name that fills the rdata from offset skip to its end. */
static bool read_target(struct wire w, const struct rr *rr, size_t skip, char out[DNS_NAME_MAX + 1])
{
    size_t pos = rr->at + skip;

    return skip < rr->n && read_name(w, &pos, out) && pos == rr->at + rr->n;
}

static bool read_txt(struct wire w, const struct rr *rr, struct dns_record *out)
{
    struct buf text = BUF_INIT;
    size_t at = rr->at, end = rr->at + rr->n;

    while (at < end) {
        size_t len = w.p[at++];

        if (len > end - at) {
            buf_done(&text);
            return false;
        }
        buf_add(&text, w.p + at, len);
        at += len;
    }
    out->text_n = text.n;
    out->text = buf_take(&text);
    return true;
}

/* MNAME as name, RNAME (whom to ask about the zone) as text. */
static bool read_soa(struct wire w, const struct rr *rr, struct dns_record *out)
{
    size_t pos = rr->at;
    char rname[DNS_NAME_MAX + 1];

    if (!read_name(w, &pos, out->name) || !read_name(w, &pos, rname) || pos + 20 != rr->at + rr->n)
        return false;
    out->text = xstrdup(rname);
    out->text_n = strlen(rname);
    return true;
}

static bool read_ip(struct wire w, const struct rr *rr, int family, struct dns_record *out)
{
    if (rr->n != (family == 6 ? 16 : 4))
        return false;
    out->ip.family = family;
    memcpy(out->ip.bytes, w.p + rr->at, rr->n);
    return true;
}

static bool read_rdata(struct wire w, const struct rr *rr, struct dns_record *out)
{
    memset(out, 0, sizeof(*out));
    out->type = rr->type;
    out->ttl_s = rr->ttl_s;
    switch (rr->type) {
    case DNS_TYPE_A: return read_ip(w, rr, 4, out);
    case DNS_TYPE_AAAA: return read_ip(w, rr, 6, out);
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR: return read_target(w, rr, 0, out->name);
    case DNS_TYPE_MX:
        if (rr->n < 3)
            return false;
        out->preference = (uint16_t)get16(w.p + rr->at);
        return read_target(w, rr, 2, out->name);
    case DNS_TYPE_TXT: return read_txt(w, rr, out);
    case DNS_TYPE_SOA: return read_soa(w, rr, out);
    default:
        out->text = str_dup((struct str){(const char *)w.p + rr->at, rr->n});
        out->text_n = rr->n;
        return true;
    }
}

/* Find the CNAME of name among the answer records. 1 found, 0 none, -1 malformed. */
static int find_cname(struct wire w, size_t pos, unsigned count, const char *name, struct rr *rr,
                      char target[DNS_NAME_MAX + 1])
{
    for (unsigned i = 0; i < count; i++) {
        if (!read_rr(w, &pos, rr))
            return -1;
        if (rr->type != DNS_TYPE_CNAME || rr->class != CLASS_IN || strcmp(rr->owner, name) != 0)
            continue;
        return read_target(w, rr, 0, target) ? 1 : -1;
    }
    return 0;
}

static void lower_ttl(struct dns_answer *out, bool *has_ttl, uint32_t ttl_s)
{
    if (!*has_ttl || ttl_s < out->ttl_s)
        out->ttl_s = ttl_s;
    *has_ttl = true;
}

/* Go from the name asked for to the name that has the records; out->final_name ends there. */
static bool follow_cnames(struct wire w, size_t pos, unsigned count, struct dns_answer *out,
                          bool *has_ttl)
{
    for (int hop = 0; hop <= DNS_CNAME_HOPS_MAX; hop++) {
        struct rr rr;
        char target[DNS_NAME_MAX + 1];
        int found = find_cname(w, pos, count, out->final_name, &rr, target);

        if (found <= 0)
            return found == 0;
        lower_ttl(out, has_ttl, rr.ttl_s);
        memcpy(out->final_name, target, sizeof(target));
    }
    return false;
}

static bool collect(struct wire w, size_t *pos, unsigned count, unsigned type,
                    struct dns_answer *out, bool *has_ttl)
{
    for (unsigned i = 0; i < count; i++) {
        struct rr rr;

        if (!read_rr(w, pos, &rr))
            return false;
        if (rr.type != type || rr.class != CLASS_IN || out->n == DNS_RECORDS_MAX ||
            strcmp(rr.owner, out->final_name) != 0)
            continue;
        out->records = xreallocarray(out->records, out->n + 1, sizeof(*out->records));
        struct dns_record *r = &out->records[out->n++];

        if (!read_rdata(w, &rr, r))
            return false;
        lower_ttl(out, has_ttl, rr.ttl_s);
    }
    return true;
}

/* How long "no" is true: the SOA's own TTL and its MINIMUM, the lesser (RFC 2308 5). */
static void read_negative_ttl(struct wire w, size_t pos, unsigned count, struct dns_answer *out,
                              bool *has_ttl)
{
    for (unsigned i = 0; i < count; i++) {
        struct rr rr;

        if (!read_rr(w, &pos, &rr))
            return;
        if (rr.type != DNS_TYPE_SOA || rr.class != CLASS_IN || rr.n < 22)
            continue;
        uint32_t minimum = get32(w.p + rr.at + rr.n - 4);

        lower_ttl(out, has_ttl, minimum < rr.ttl_s ? minimum : rr.ttl_s);
        return;
    }
}

/* Name without trailing dot, lower case; false when it cannot be one. */
static bool plain_name(const char *name, char out[DNS_NAME_MAX + 1])
{
    size_t n = strlen(name);

    if (n && name[n - 1] == '.')
        n--;
    if (n > 253)
        return false;
    for (size_t i = 0; i < n; i++)
        out[i] = lower((uint8_t)name[i]);
    out[n] = '\0';
    return true;
}

static void forget_records(struct dns_answer *out)
{
    for (size_t i = 0; i < out->n; i++)
        free(out->records[i].text);
    free(out->records);
    out->records = NULL;
    out->n = 0;
}

static enum dns_status read_sections(struct wire w, size_t pos, unsigned type,
                                     struct dns_answer *out)
{
    unsigned answers = get16(w.p + 6), authorities = get16(w.p + 8);
    bool has_ttl = false;

    if (type != DNS_TYPE_CNAME && !follow_cnames(w, pos, answers, out, &has_ttl))
        return DNS_BAD;
    if (!collect(w, &pos, answers, type, out, &has_ttl))
        return DNS_BAD;
    if (out->n && out->rcode == 0)
        return DNS_OK;
    read_negative_ttl(w, pos, authorities, out, &has_ttl);
    return out->rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
}

void dnswire_answer(struct str wire, const char *name, unsigned type, struct dns_answer *out,
                    bool *is_truncated)
{
    struct wire w = {(const uint8_t *)wire.p, wire.n};
    char asked[DNS_NAME_MAX + 1], question[DNS_NAME_MAX + 1];

    memset(out, 0, sizeof(*out));
    out->status = DNS_BAD;
    *is_truncated = false;
    if (!plain_name(name, asked))
        return;
    memcpy(out->final_name, asked, strlen(asked) + 1);
    if (w.n < HEADER_N || !(w.p[2] & 0x80) || (w.p[2] & 0x78))
        return;
    *is_truncated = w.p[2] & 0x02;
    out->is_authentic = w.p[3] & 0x20;
    out->rcode = w.p[3] & 0x0f;
    /* A refusal may come without the question. */
    if (out->rcode != 0 && out->rcode != RCODE_NXDOMAIN) {
        out->status = DNS_TEMP;
        return;
    }
    size_t pos = HEADER_N;

    if (get16(w.p + 4) != 1 || !read_name(w, &pos, question) || w.n - pos < 4 ||
        strcmp(question, asked) != 0 || get16(w.p + pos) != type ||
        get16(w.p + pos + 2) != CLASS_IN)
        return;
    out->status = read_sections(w, pos + 4, type, out);
    if (out->status != DNS_OK)
        forget_records(out);
}

/* Writing */

static void put16(struct buf *b, unsigned v)
{
    uint8_t p[2] = {(uint8_t)(v >> 8), (uint8_t)v};

    buf_add(b, p, 2);
}

static void put32(struct buf *b, uint32_t v)
{
    put16(b, v >> 16);
    put16(b, v & 0xffff);
}

/* Returns octets written, 0 when it is no name. */
static size_t name_to_wire(const char *name, uint8_t out[255])
{
    size_t n = 0;
    struct str rest = str_of(name);

    if (rest.n && rest.p[rest.n - 1] == '.')
        rest.n--;
    while (rest.n) {
        bool has_dot = str_find(rest, '.') < rest.n;
        struct str label = str_split(&rest, '.');

        if (label.n == 0 || label.n > 63 || n + label.n + 2 > 255 || (has_dot && rest.n == 0))
            return 0;
        out[n++] = (uint8_t)label.n;
        for (size_t i = 0; i < label.n; i++) {
            if (!is_label_octet((uint8_t)label.p[i]))
                return 0;
            out[n++] = (uint8_t)label.p[i];
        }
    }
    out[n++] = 0;
    return n;
}

size_t dnswire_query(uint8_t out[512], uint16_t id, const char *name, unsigned type)
{
    /* RD; AD asks for the bit in the answer (RFC 6840 5.7); one question, one additional. */
    const uint8_t header[HEADER_N] = {
        (uint8_t)(id >> 8), (uint8_t)id, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 1};
    const uint8_t opt[11] = {0, 0, TYPE_OPT, EDNS_OCTETS >> 8, EDNS_OCTETS & 0xff};
    uint8_t tail[4] = {(uint8_t)(type >> 8), (uint8_t)type, 0, CLASS_IN};

    memcpy(out, header, HEADER_N);
    size_t n = name_to_wire(name, out + HEADER_N);

    if (n == 0)
        return 0;
    n += HEADER_N;
    memcpy(out + n, tail, sizeof(tail));
    n += sizeof(tail);
    memcpy(out + n, opt, sizeof(opt));
    return n + sizeof(opt);
}

bool dnswire_question(struct str wire, struct dns_question *out)
{
    struct wire w = {(const uint8_t *)wire.p, wire.n};
    size_t pos = HEADER_N;

    memset(out, 0, sizeof(*out));
    if (w.n < HEADER_N || (w.p[2] & 0xf8) || get16(w.p + 4) != 1 ||
        !read_name(w, &pos, out->name) || w.n - pos < 4 || get16(w.p + pos + 2) != CLASS_IN)
        return false;
    out->id = (uint16_t)get16(w.p);
    out->type = get16(w.p + pos);
    out->is_recursive = w.p[2] & 0x01;
    return true;
}

static void put_name(struct buf *b, const char *name)
{
    uint8_t wire[255];
    size_t n = name_to_wire(name, wire);

    /* Names of servers come from their own files, and were checked there. */
    verify(n > 0);
    buf_add(b, wire, n);
}

static void put_txt(struct buf *b, struct str text)
{
    do {
        struct str part = str_sub(text, 0, 255);

        buf_add_c(b, (char)part.n);
        buf_add_str(b, part);
        text = str_sub(text, part.n, text.n);
    } while (text.n);
}

static void put_rdata(struct buf *b, const struct dns_record *r)
{
    switch (r->type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA: buf_add(b, r->ip.bytes, r->type == DNS_TYPE_A ? 4 : 16); break;
    case DNS_TYPE_MX:
        put16(b, r->preference);
        put_name(b, r->name);
        break;
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR: put_name(b, r->name); break;
    case DNS_TYPE_TXT: put_txt(b, (struct str){r->text, r->text_n}); break;
    case DNS_TYPE_SOA:
        put_name(b, r->name);
        put_name(b, r->text ? r->text : "hostmaster");
        for (int i = 0; i < 5; i++)
            put32(b, r->ttl_s);
        break;
    default: buf_add(b, r->text, r->text_n); break;
    }
}

static void put_record(struct buf *b, const char *question, const char *owner,
                       const struct dns_record *r)
{
    size_t at;

    if (!owner || strcmp(owner, question) == 0)
        put16(b, 0xc000 | HEADER_N);
    else
        put_name(b, owner);
    put16(b, r->type);
    put16(b, CLASS_IN);
    put32(b, r->ttl_s);
    at = b->n;
    put16(b, 0);
    put_rdata(b, r);
    size_t n = b->n - at - 2;

    b->p[at] = (char)(n >> 8);
    b->p[at + 1] = (char)n;
}

void dnswire_write(struct buf *out, const struct dns_question *q, unsigned rcode, bool is_authentic,
                   const struct dns_record *records, const char *const *owners, size_t n,
                   uint32_t soa_ttl_s, size_t max)
{
    const struct dns_record soa = {.type = DNS_TYPE_SOA, .ttl_s = soa_ttl_s, .name = "ns"};
    bool has_soa = soa_ttl_s > 0;

    for (bool is_cut = false;; is_cut = true) {
        buf_clear(out);
        put16(out, q->id);
        put16(out, 0x8080u | (is_cut ? 0x0200u : 0) | (q->is_recursive ? 0x0100u : 0) |
                       (is_authentic ? 0x20u : 0) | (rcode & 0x0f));
        put16(out, 1);
        put16(out, is_cut ? 0 : (unsigned)n);
        put16(out, !is_cut && has_soa);
        put16(out, 0);
        put_name(out, q->name);
        put16(out, q->type);
        put16(out, CLASS_IN);
        for (size_t i = 0; i < n && !is_cut; i++)
            put_record(out, q->name, owners ? owners[i] : NULL, &records[i]);
        if (has_soa && !is_cut)
            put_record(out, q->name, NULL, &soa);
        if (out->n <= max || is_cut)
            return;
    }
}
