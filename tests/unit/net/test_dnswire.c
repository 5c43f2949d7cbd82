/* SPDX-License-Identifier: ISC */
/* The DNS wire form: what is written is read back, and packets made in bad faith end harmlessly. */
#include "tests/unit/unit.h"

#include "core/net/dnswire.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L62 "a" L61
#define L61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Header of an answer with one question: id 1, flags, counts. */
#define HEAD(flags, an, ns) "\0\1" flags "\0\1\0" an "\0" ns "\0\0"
#define ASK_A               "\1a\2ex\0\0\1\0\1"
#define ASK_MX              "\1a\2ex\0\0\x0f\0\1"
#define OK                  "\x81\x80"
/* Owner: the question's name; type; IN; TTL 60; length. */
#define RR(type, len) "\xc0\x0c\0" type "\0\1\0\0\0\x3c\0" len

static const struct {
    const char *name;
    struct str wire;
    unsigned type;
    enum dns_status want;
    size_t n;
    unsigned rcode;
} rows[] = {
    {"one address", STR(HEAD(OK, "\1", "\0") ASK_A RR("\1", "\4") "\x7f\0\0\1"), 1, DNS_OK, 1, 0},
    {"question in upper case",
     STR(HEAD(OK, "\1", "\0") "\1A\2eX\0\0\1\0\1" RR("\1", "\4") "\x7f\0\0\1"), 1, DNS_OK, 1, 0},
    {"no records", STR(HEAD(OK, "\0", "\0") ASK_A), 1, DNS_NODATA, 0, 0},
    {"no such name", STR(HEAD("\x81\x83", "\0", "\0") ASK_A), 1, DNS_NXDOMAIN, 0, 3},
    {"server failure", STR(HEAD("\x81\x82", "\0", "\0") ASK_A), 1, DNS_TEMP, 0, 2},
    {"refused without the question", STR("\0\1\x81\x85\0\0\0\0\0\0\0\0"), 1, DNS_TEMP, 0, 5},
    {"nothing", STR(""), 1, DNS_BAD, 0, 0},
    {"eleven octets", STR("\0\1\x81\x80\0\1\0\0\0\0\0"), 1, DNS_BAD, 0, 0},
    {"a query, not an answer", STR(HEAD("\1\0", "\0", "\0") ASK_A), 1, DNS_BAD, 0, 0},
    {"another opcode", STR(HEAD("\xa1\x80", "\0", "\0") ASK_A), 1, DNS_BAD, 0, 0},
    {"another name asked", STR(HEAD(OK, "\0", "\0") "\1b\2ex\0\0\1\0\1"), 1, DNS_BAD, 0, 0},
    {"another type asked", STR(HEAD(OK, "\0", "\0") ASK_MX), 1, DNS_BAD, 0, 0},
    {"another class asked", STR(HEAD(OK, "\0", "\0") "\1a\2ex\0\0\1\0\3"), 1, DNS_BAD, 0, 0},
    {"two questions", STR("\0\1\x81\x80\0\2\0\0\0\0\0\0" ASK_A ASK_A), 1, DNS_BAD, 0, 0},
    {"question cut in the label", STR(HEAD(OK, "\0", "\0") "\1"), 1, DNS_BAD, 0, 0},
    {"question without type", STR(HEAD(OK, "\0", "\0") "\1a\2ex\0"), 1, DNS_BAD, 0, 0},
    {"more records announced than there are",
     STR(HEAD(OK, "\2", "\0") ASK_A RR("\1", "\4") "\x7f\0\0\1"), 1, DNS_BAD, 0, 0},
    {"record cut in its header", STR(HEAD(OK, "\1", "\0") ASK_A "\xc0\x0c\0\1\0\1\0\0"), 1, DNS_BAD,
     0, 0},
    {"rdata longer than the packet", STR(HEAD(OK, "\1", "\0") ASK_A RR("\1", "\5") "\x7f\0\0\1"), 1,
     DNS_BAD, 0, 0},
    {"address of three octets", STR(HEAD(OK, "\1", "\0") ASK_A RR("\1", "\3") "\x7f\0\0"), 1,
     DNS_BAD, 0, 0},
    {"pointer to itself",
     STR(HEAD(OK, "\1", "\0") ASK_A "\xc0\x16\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"), 1, DNS_BAD, 0, 0},
    {"pointer forward", STR(HEAD(OK, "\1", "\0") ASK_A "\xc0\x20\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"),
     1, DNS_BAD, 0, 0},
    {"pointer cut in two", STR(HEAD(OK, "\1", "\0") ASK_A "\xc0"), 1, DNS_BAD, 0, 0},
    {"pointers that chase each other",
     STR(HEAD(OK, "\1", "\0") ASK_MX RR("\x0f", "\6") "\0\1\xc0\x26\xc0\x24"), 15, DNS_BAD, 0, 0},
    {"label type 0x80", STR(HEAD(OK, "\1", "\0") ASK_A "\x80\0\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"), 1,
     DNS_BAD, 0, 0},
    {"mail exchanger", STR(HEAD(OK, "\1", "\0") ASK_MX RR("\x0f", "\7") "\0\x0a\2MX\xc0\x0e"), 15,
     DNS_OK, 1, 0},
    {"null MX", STR(HEAD(OK, "\1", "\0") ASK_MX RR("\x0f", "\3") "\0\0\0"), 15, DNS_OK, 1, 0},
    {"MX without a name", STR(HEAD(OK, "\1", "\0") ASK_MX RR("\x0f", "\2") "\0\0"), 15, DNS_BAD, 0,
     0},
    {"MX name that ends early", STR(HEAD(OK, "\1", "\0") ASK_MX RR("\x0f", "\6") "\0\0\1x\0\0"), 15,
     DNS_BAD, 0, 0},
    {"MX name with NUL in a label", STR(HEAD(OK, "\1", "\0") ASK_MX RR("\x0f", "\6") "\0\0\2x\0\0"),
     15, DNS_BAD, 0, 0},
    {"MX name with a dot in a label",
     STR(HEAD(OK, "\1", "\0") ASK_MX RR("\x0f", "\7") "\0\0\3x.y\0"), 15, DNS_BAD, 0, 0},
    {"MX name with an escape sequence",
     STR(HEAD(OK, "\1", "\0") ASK_MX RR("\x0f", "\7") "\0\0\3\x1b[m\0"), 15, DNS_BAD, 0, 0},
    {"MX name of 256 octets",
     STR(HEAD(OK, "\1", "\0") ASK_MX "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\1\2\0\0\x3f" L63 "\x3f" L63
                                     "\x3f" L63 "\x3e" L62 "\0"),
     15, DNS_BAD, 0, 0},
    {"MX name of 255 octets",
     STR(HEAD(OK, "\1", "\0") ASK_MX "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\1\1\0\0\x3f" L63 "\x3f" L63
                                     "\x3f" L63 "\x3d" L61 "\0"),
     15, DNS_OK, 1, 0},
    {"record of another class is not ours",
     STR(HEAD(OK, "\1", "\0") ASK_A "\xc0\x0c\0\1\0\3\0\0\0\x3c\0\4\x7f\0\0\1"), 1, DNS_NODATA, 0,
     0},
    {"record of another owner is not ours",
     STR(HEAD(OK, "\1", "\0") ASK_A "\1b\0\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"), 1, DNS_NODATA, 0, 0},
    {"alias that points to itself", STR(HEAD(OK, "\1", "\0") ASK_A RR("\5", "\2") "\xc0\x0c"), 1,
     DNS_BAD, 0, 0},
    {"text string longer than its record",
     STR(HEAD(OK, "\1", "\0") "\1a\2ex\0\0\x10\0\1" RR("\x10", "\2") "\5x"), 16, DNS_BAD, 0, 0},
};

static void answers_are_read_and_bad_ones_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *row = rows[i].name;
        struct dns_answer a;
        bool is_truncated;
        /* Exactly as long as it is, so that the sanitizer sees a step over the end. */
        char *wire = malloc(rows[i].wire.n ? rows[i].wire.n : 1);

        memcpy(wire, rows[i].wire.p, rows[i].wire.n);
        dnswire_answer((struct str){wire, rows[i].wire.n}, "a.ex", rows[i].type, &a, &is_truncated);
        row_text(row, dns_status_name(a.status), dns_status_name(rows[i].want));
        row_int(row, a.n, rows[i].n);
        row_int(row, a.rcode, rows[i].rcode);
        row_int(row, is_truncated, 0);
        dns_answer_done(&a);
        free(wire);
    }
}

static void every_prefix_of_an_answer_is_harmless(void **state)
{
    (void)state;
    struct dns_question q = {.id = 1, .type = DNS_TYPE_MX, .name = "a.ex"};
    struct dns_record records[3] = {
        {.type = DNS_TYPE_CNAME, .ttl_s = 60, .name = "b.ex"},
        {.type = DNS_TYPE_MX, .ttl_s = 60, .preference = 5, .name = "mx.ex"},
        {.type = DNS_TYPE_MX, .ttl_s = 60, .preference = 5, .name = "mx2.ex"},
    };
    const char *owners[3] = {NULL, "b.ex", "b.ex"};
    struct buf wire = BUF_INIT;

    dnswire_write(&wire, &q, 0, false, records, owners, 3, 0, 512);
    for (size_t n = 0; n <= wire.n; n++) {
        char *copy = malloc(n ? n : 1);
        struct dns_answer a;
        bool is_truncated;

        memcpy(copy, wire.p, n);
        dnswire_answer((struct str){copy, n}, "a.ex", DNS_TYPE_MX, &a, &is_truncated);
        assert_int_equal(a.status, n == wire.n ? DNS_OK : DNS_BAD);
        dns_answer_done(&a);
        free(copy);
    }
    buf_done(&wire);
}

/* Write, read back. */
static void round_trip(const struct dns_question *q, unsigned rcode, const struct dns_record *r,
                       const char *const *owners, size_t n, uint32_t soa_ttl_s,
                       struct dns_answer *a)
{
    struct buf wire = BUF_INIT;
    bool is_truncated;

    dnswire_write(&wire, q, rcode, true, r, owners, n, soa_ttl_s, 65535);
    dnswire_answer(buf_str(&wire), q->name, q->type, a, &is_truncated);
    assert_false(is_truncated);
    assert_true(a->is_authentic);
    buf_done(&wire);
}

static void mail_exchangers_come_with_preference_and_lower_case(void **state)
{
    (void)state;
    struct dns_question q = {.type = DNS_TYPE_MX, .name = "example.com"};
    const struct dns_record r[] = {
        {.type = DNS_TYPE_MX, .ttl_s = 300, .preference = 10, .name = "MX1.Example.com"},
        {.type = DNS_TYPE_MX, .ttl_s = 60, .preference = 20, .name = "mx2.example.com"},
    };
    struct dns_answer a;

    round_trip(&q, 0, r, NULL, 2, 0, &a);
    assert_int_equal(a.status, DNS_OK);
    assert_int_equal(a.n, 2);
    assert_string_equal(a.records[0].name, "mx1.example.com");
    assert_int_equal(a.records[0].preference, 10);
    assert_int_equal(a.records[1].ttl_s, 60);
    assert_int_equal(a.ttl_s, 60);
    assert_string_equal(a.final_name, "example.com");
    dns_answer_done(&a);
}

static void texts_are_joined_within_a_record(void **state)
{
    (void)state;
    struct dns_question q = {.type = DNS_TYPE_TXT, .name = "example.com"};
    char text[600];
    const struct dns_record r[] = {
        {.type = DNS_TYPE_TXT, .ttl_s = 1, .text = text, .text_n = sizeof(text)},
        {.type = DNS_TYPE_TXT, .ttl_s = 1, .text = text, .text_n = 0},
    };
    struct dns_answer a;

    memset(text, 'x', sizeof(text));
    text[300] = '\0';
    round_trip(&q, 0, r, NULL, 2, 0, &a);
    assert_int_equal(a.n, 2);
    assert_int_equal(a.records[0].text_n, sizeof(text));
    assert_memory_equal(a.records[0].text, text, sizeof(text));
    assert_int_equal(a.records[1].text_n, 0);
    dns_answer_done(&a);
}

static void aliases_are_followed_in_any_order(void **state)
{
    (void)state;
    struct dns_question q = {.type = DNS_TYPE_A, .name = "a.example"};
    const struct dns_record r[] = {
        {.type = DNS_TYPE_A, .ttl_s = 60, .ip = {.family = 4, .bytes = {192, 0, 2, 1}}},
        {.type = DNS_TYPE_CNAME, .ttl_s = 7, .name = "c.example"},
        {.type = DNS_TYPE_CNAME, .ttl_s = 60, .name = "b.example"},
    };
    const char *owners[] = {"c.example", "b.example", NULL};
    struct dns_answer a;

    round_trip(&q, 0, r, owners, 3, 0, &a);
    assert_int_equal(a.status, DNS_OK);
    assert_int_equal(a.n, 1);
    assert_string_equal(a.final_name, "c.example");
    assert_int_equal(a.ttl_s, 7);
    dns_answer_done(&a);
}

static void an_alias_that_is_asked_for_is_not_followed(void **state)
{
    (void)state;
    struct dns_question q = {.type = DNS_TYPE_CNAME, .name = "a.example"};
    const struct dns_record r[] = {{.type = DNS_TYPE_CNAME, .ttl_s = 60, .name = "b.example"}};
    struct dns_answer a;

    round_trip(&q, 0, r, NULL, 1, 0, &a);
    assert_int_equal(a.status, DNS_OK);
    assert_string_equal(a.records[0].name, "b.example");
    assert_string_equal(a.final_name, "a.example");
    dns_answer_done(&a);
}

static void too_many_aliases_are_malformed(void **state)
{
    (void)state;
    struct dns_question q = {.type = DNS_TYPE_A, .name = "n0.ex"};
    struct dns_record r[10];
    char names[11][8];
    const char *owners[10];
    struct dns_answer a;

    memset(r, 0, sizeof(r));
    for (int i = 0; i < 11; i++)
        snprintf(names[i], sizeof(names[i]), "n%d.ex", i);
    for (int i = 0; i < 10; i++) {
        owners[i] = names[i];
        r[i].type = DNS_TYPE_CNAME;
        str_copy(str_of(names[i + 1]), r[i].name, sizeof(r[i].name));
    }
    round_trip(&q, 0, r, owners, DNS_CNAME_HOPS_MAX, 0, &a);
    assert_int_equal(a.status, DNS_NODATA);
    assert_string_equal(a.final_name, "n8.ex");
    dns_answer_done(&a);
    round_trip(&q, 0, r, owners, DNS_CNAME_HOPS_MAX + 1, 0, &a);
    assert_int_equal(a.status, DNS_BAD);
    dns_answer_done(&a);
}

static void negative_answers_live_as_long_as_the_soa_says(void **state)
{
    (void)state;
    struct dns_question q = {.type = DNS_TYPE_A, .name = "a.example"};
    struct dns_answer a;

    round_trip(&q, 3, NULL, NULL, 0, 77, &a);
    assert_int_equal(a.status, DNS_NXDOMAIN);
    assert_int_equal(a.ttl_s, 77);
    dns_answer_done(&a);
}

static void the_contact_of_a_zone_is_read(void **state)
{
    (void)state;
    struct dns_question q = {.type = DNS_TYPE_SOA, .name = "example"};
    char contact[] = "hostmaster.isp.example";
    const struct dns_record r[] = {
        {.type = DNS_TYPE_SOA, .ttl_s = 60, .name = "ns.example", .text = contact, .text_n = 22}};
    struct dns_answer a;

    round_trip(&q, 0, r, NULL, 1, 0, &a);
    assert_int_equal(a.n, 1);
    assert_string_equal(a.records[0].name, "ns.example");
    assert_string_equal(a.records[0].text, "hostmaster.isp.example");
    dns_answer_done(&a);
}

static void records_over_the_limit_are_dropped(void **state)
{
    (void)state;
    enum { N = DNS_RECORDS_MAX + 50 };
    struct dns_question q = {.type = DNS_TYPE_A, .name = "a.example"};
    struct dns_record *r = calloc(N, sizeof(*r));
    struct dns_answer a;

    for (int i = 0; i < N; i++)
        r[i] = (struct dns_record){.type = DNS_TYPE_A, .ip = {.family = 4, .bytes = {10}}};
    round_trip(&q, 0, r, NULL, N, 0, &a);
    assert_int_equal(a.n, DNS_RECORDS_MAX);
    dns_answer_done(&a);
    free(r);
}

static void what_is_too_long_is_cut_and_says_so(void **state)
{
    (void)state;
    struct dns_question q = {.type = DNS_TYPE_TXT, .name = "a.example"};
    char text[1000];
    const struct dns_record r[] = {
        {.type = DNS_TYPE_TXT, .ttl_s = 1, .text = text, .text_n = sizeof(text)}};
    struct buf wire = BUF_INIT;
    struct dns_answer a;
    bool is_truncated;

    memset(text, 'x', sizeof(text));
    dnswire_write(&wire, &q, 0, false, r, NULL, 1, 0, 512);
    assert_true(wire.n <= 512);
    dnswire_answer(buf_str(&wire), q.name, q.type, &a, &is_truncated);
    assert_true(is_truncated);
    dns_answer_done(&a);
    buf_done(&wire);
}

static const struct {
    const char *name;
    const char *in;
    bool fits;
} names[] = {
    {"plain", "example.com", true},
    {"trailing dot", "example.com.", true},
    {"the root", "", true},
    {"the root as a dot", ".", true},
    {"underscore", "_dmarc.example.com", true},
    {"slash, as in RFC 2317", "1.0/25.2.0.192.in-addr.arpa", true},
    {"label of 63", L63 ".example", true},
    {"label of 64", "a" L63 ".example", false},
    {"253 octets", L63 "." L63 "." L63 "." L61, true},
    {"254 octets", L63 "." L63 "." L63 "." L61 "a", false},
    {"empty label", "a..b", false},
    {"leading dot", ".a", false},
    {"two trailing dots", "a..", false},
    {"space", "a b.example", false},
    {"not ASCII", "m\xc3\xbcnchen.de", false},
};

static void a_query_is_read_back_as_the_question(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *row = names[i].name;
        uint8_t wire[512];
        struct dns_question q;
        size_t n = dnswire_query(wire, 0x1234, names[i].in, DNS_TYPE_MX);
        char want[300];

        row_int(row, n > 0, names[i].fits);
        if (!names[i].fits)
            continue;
        row_int(row, dnswire_question((struct str){(char *)wire, n}, &q), 1);
        row_int(row, q.id, 0x1234);
        row_int(row, q.type, DNS_TYPE_MX);
        row_int(row, q.is_recursive, 1);
        str_copy(str_of(names[i].in), want, sizeof(want));
        if (*want && want[strlen(want) - 1] == '.')
            want[strlen(want) - 1] = '\0';
        row_text(row, q.name, want);
        /* AD wanted, an OPT of 1232 octets without DO at the end. */
        row_int(row, wire[3] & 0x20, 0x20);
        row_int(row, memcmp(wire + n - 11, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_and_bad_ones_refused),
        cmocka_unit_test(every_prefix_of_an_answer_is_harmless),
        cmocka_unit_test(mail_exchangers_come_with_preference_and_lower_case),
        cmocka_unit_test(texts_are_joined_within_a_record),
        cmocka_unit_test(aliases_are_followed_in_any_order),
        cmocka_unit_test(an_alias_that_is_asked_for_is_not_followed),
        cmocka_unit_test(too_many_aliases_are_malformed),
        cmocka_unit_test(negative_answers_live_as_long_as_the_soa_says),
        cmocka_unit_test(the_contact_of_a_zone_is_read),
        cmocka_unit_test(records_over_the_limit_are_dropped),
        cmocka_unit_test(what_is_too_long_is_cut_and_says_so),
        cmocka_unit_test(a_query_is_read_back_as_the_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
