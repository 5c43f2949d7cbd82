/* SPDX-License-Identifier: ISC */
/* DNS messages. The first octet chooses the type asked for; the name is the message's own question. */
#include "core/net/dnswire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned types[] = {DNS_TYPE_A,   DNS_TYPE_NS,   DNS_TYPE_CNAME,
                                 DNS_TYPE_SOA, DNS_TYPE_PTR,  DNS_TYPE_MX,
                                 DNS_TYPE_TXT, DNS_TYPE_AAAA, DNS_TYPE_TLSA};

static void check_record(const struct dns_record *r, unsigned type)
{
    verify(r->type == type);
    verify(memchr(r->name, '\0', sizeof(r->name)) && strlen(r->name) <= 253);
    for (const char *p = r->name; *p; p++)
        verify(*p > 0x20 && *p < 0x7f && !(*p >= 'A' && *p <= 'Z'));
    verify(r->text_n == 0 || r->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned type = types[data[0] % ARRAY_LEN(types)];
    struct str wire = {(const char *)data + 1, size - 1};
    struct dns_question q = {.name = "example.com"};
    struct dns_answer a;
    bool is_truncated;

    /* The same octets as a query give the name, so that the inputs get past that check. */
    struct buf query = BUF_INIT;

    buf_add_str(&query, wire);
    if (query.n > 2)
        query.p[2] = 1;
    if (!dnswire_question(buf_str(&query), &q))
        str_copy(STR("example.com"), q.name, sizeof(q.name));
    buf_done(&query);
    dnswire_answer(wire, q.name, type, &a, &is_truncated);
    verify(a.n <= DNS_RECORDS_MAX && (a.n > 0) == (a.status == DNS_OK));
    for (size_t i = 0; i < a.n; i++)
        check_record(&a.records[i], type);
    dns_answer_done(&a);
    return 0;
}
