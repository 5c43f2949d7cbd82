/* SPDX-License-Identifier: ISC */
/* Mailboxes and paths: what RFC 5321 4.1.2 allows, and everything beside it. */
#include "tests/unit/unit.h"
#include "core/base/rng.h"
#include "core/mail/addr.h"

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define L63 A60 "aaa"

static const struct {
    const char *name;
    struct str in;
    enum addr_kind kind;
    bool is_utf8;
    const char *local, *domain, *ascii;
} good_rows[] = {
    {"plain", STR("bob@example.com"), ADDR_DOMAIN, false, "bob", "example.com", "example.com"},
    {"case of the local part is kept, of the domain folded", STR("Bob.O@Example.COM"), ADDR_DOMAIN,
     false, "Bob.O", "Example.COM", "example.com"},
    {"all of atext", STR("!#$%&'*+-/=?^_`{|}~@example.com"), ADDR_DOMAIN, false,
     "!#$%&'*+-/=?^_`{|}~", "example.com", "example.com"},
    {"one letter", STR("a@b"), ADDR_DOMAIN, false, "a", "b", "b"},
    {"quoted space", STR("\"a b\"@example.com"), ADDR_DOMAIN, false, "\"a b\"", "example.com",
     "example.com"},
    {"quoted at sign and bracket", STR("\"a@b>\"@example.com"), ADDR_DOMAIN, false, "\"a@b>\"",
     "example.com", "example.com"},
    {"quoted pair", STR("\"a\\\"b\\\\\"@example.com"), ADDR_DOMAIN, false, "\"a\\\"b\\\\\"",
     "example.com", "example.com"},
    {"empty quoted string", STR("\"\"@example.com"), ADDR_DOMAIN, false, "\"\"", "example.com",
     "example.com"},
    {"trailing dot is dropped", STR("a@example.com."), ADDR_DOMAIN, false, "a", "example.com",
     "example.com"},
    {"local part of 64", STR(A60 "aaaa@example.com"), ADDR_DOMAIN, false, A60 "aaaa", "example.com",
     "example.com"},
    {"label of 63", STR("a@" L63 ".com"), ADDR_DOMAIN, false, "a", L63 ".com", L63 ".com"},
    {"IPv4 literal", STR("a@[192.0.2.1]"), ADDR_IPV4, false, "a", "[192.0.2.1]", "[192.0.2.1]"},
    {"IPv6 literal is made canonical", STR("a@[IPv6:2001:DB8:0:0::1]"), ADDR_IPV6, false, "a",
     "[IPv6:2001:DB8:0:0::1]", "[ipv6:2001:db8::1]"},
    {"IPv6 tag in any case", STR("a@[ipv6:::1]"), ADDR_IPV6, false, "a", "[ipv6:::1]",
     "[ipv6:::1]"},
    {"UTF-8 local part", STR("b\xc3\xbc@example.com"), ADDR_DOMAIN, true, "b\xc3\xbc",
     "example.com", "example.com"},
    {"first character after C1", STR("b\xc2\xa0@example.com"), ADDR_DOMAIN, true, "b\xc2\xa0",
     "example.com", "example.com"},
    {"UTF-8 in quotes", STR("\"\xe4\xb8\xad \xe6\x96\x87\"@example.com"), ADDR_DOMAIN, true,
     "\"\xe4\xb8\xad \xe6\x96\x87\"", "example.com", "example.com"},
    {"IDN domain needs no SMTPUTF8",
     STR("a@B\xc3\xbc"
         "cher.example"),
     ADDR_DOMAIN, false, "a",
     "B\xc3\xbc"
     "cher.example",
     "xn--bcher-kva.example"},
    {"A-label given", STR("a@XN--BCHER-KVA.example"), ADDR_DOMAIN, false, "a",
     "XN--BCHER-KVA.example", "xn--bcher-kva.example"},
};

static void mailbox_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
        struct addr a;
        const char *row = good_rows[i].name, *why = "";
        if (!addr_parse(good_rows[i].in, &a, &why))
            fail_msg("row \"%s\": refused: %s", row, why);
        row_int(row, a.kind, good_rows[i].kind);
        row_int(row, a.is_utf8, good_rows[i].is_utf8);
        row_text(row, a.local, good_rows[i].local);
        row_text(row, a.domain, good_rows[i].domain);
        row_text(row, a.ascii, good_rows[i].ascii);
    }
}

static const struct {
    const char *name;
    struct str in;
    const char *why;
} bad_rows[] = {
    {"nothing", STR(""), "the address is empty"},
    {"no domain", STR("bob"), "the address has no @domain"},
    {"empty domain", STR("bob@"), "the domain is empty"},
    {"only a dot", STR("bob@."), "the domain has an empty label (two dots, or a dot in front)"},
    {"empty local part", STR("@example.com"), "the local part is empty"},
    {"space", STR("a b@example.com"), "the local part has a character that must be quoted"},
    {"two at signs", STR("a@b@example.com"),
     "the domain has a character that host names do not allow"},
    {"leading dot", STR(".a@example.com"),
     "the local part begins or ends with a dot, or has two in a row"},
    {"trailing dot", STR("a.@example.com"),
     "the local part begins or ends with a dot, or has two in a row"},
    {"two dots", STR("a..b@example.com"),
     "the local part begins or ends with a dot, or has two in a row"},
    {"angle brackets", STR("<a@example.com>"),
     "the local part has a character that must be quoted"},
    {"CR LF injection", STR("a@example.com\r\nRCPT TO:<b@example.com>"),
     "control characters are not allowed in an address"},
    {"bare LF", STR("a\n@example.com"), "control characters are not allowed in an address"},
    {"bare CR in quotes", STR("\"a\rb\"@example.com"),
     "control characters are not allowed in an address"},
    {"NUL", STR("a\0b@example.com"), "control characters are not allowed in an address"},
    {"NUL at the end", STR("a@example.com\0"), "control characters are not allowed in an address"},
    {"tab", STR("\"a\tb\"@example.com"), "control characters are not allowed in an address"},
    {"DEL", STR("a\x7f@example.com"), "control characters are not allowed in an address"},
    {"open quotes", STR("\"ab@example.com"), "the quoted local part has no end"},
    {"backslash at the end", STR("\"ab\\"),
     "the quoted local part has a character that is not allowed"},
    {"backslash hides the closing quote", STR("\"ab\\\"@example.com"),
     "the quoted local part has no end"},
    {"quoted pair of a non-ASCII octet", STR("\"\\\xc3\xbc\"@example.com"),
     "the quoted local part has a character that is not allowed"},
    {"text behind the quotes", STR("\"a\"b@example.com"),
     "the local part has a character that must be quoted"},
    {"quotes in the middle", STR("a\"b\"@example.com"),
     "the local part has a character that must be quoted"},
    {"local part of 65", STR(A60 "aaaaa@example.com"), "the local part is longer than 64 octets"},
    {"quotes count", STR("\"" A60 "aaa\"@example.com"), "the local part is longer than 64 octets"},
    {"mailbox of 255", STR(A60 "@" A60 "." A60 "." A60 "." A10 "a"),
     "the address is longer than 254 octets"},
    {"label of 64", STR("a@" L63 "a.com"), "a label of the domain is longer than 63 octets"},
    {"two dots in the domain", STR("a@example..com"),
     "the domain has an empty label (two dots, or a dot in front)"},
    {"leading dot of the domain", STR("a@.example.com"),
     "the domain has an empty label (two dots, or a dot in front)"},
    {"two trailing dots", STR("a@example.com.."),
     "the domain has an empty label (two dots, or a dot in front)"},
    {"underscore", STR("a@my_host.example.com"),
     "the domain has an underscore, which host names do not allow"},
    {"leading hyphen", STR("a@-x.example"), "a label of the domain begins or ends with a hyphen"},
    {"trailing hyphen", STR("a@x-.example"), "a label of the domain begins or ends with a hyphen"},
    {"space in the domain", STR("a@exa mple.com"),
     "the domain has a character that host names do not allow"},
    {"comment", STR("a@example.com (Bob)"),
     "the domain has a character that host names do not allow"},
    {"address without brackets", STR("a@192.0.2.1"),
     "the domain ends in a number: an IP address stands in [brackets]"},
    {"literal without end", STR("a@[192.0.2.1"), "the address literal has no closing bracket"},
    {"empty literal", STR("a@[]"), "the address literal has no closing bracket"},
    {"literal with a leading zero", STR("a@[192.0.2.01]"),
     "the address literal is neither [IPv4] nor [IPv6:address]"},
    {"literal of three parts", STR("a@[192.0.2]"),
     "the address literal is neither [IPv4] nor [IPv6:address]"},
    {"IPv6 without tag", STR("a@[2001:db8::1]"),
     "the address literal is neither [IPv4] nor [IPv6:address]"},
    {"IPv4 with the IPv6 tag", STR("a@[IPv6:192.0.2.1]"),
     "the address literal is neither [IPv4] nor [IPv6:address]"},
    {"IPv6 zone", STR("a@[IPv6:fe80::1%eth0]"),
     "the address literal is neither [IPv4] nor [IPv6:address]"},
    {"text behind a literal", STR("a@[192.0.2.1].com"),
     "the address literal has no closing bracket"},
    {"general literal", STR("a@[x400:c=de]"),
     "the address literal is neither [IPv4] nor [IPv6:address]"},
    {"invalid UTF-8", STR("b\xfc@example.com"), "the local part is not valid UTF-8"},
    {"overlong UTF-8", STR("b\xc0\xaf@example.com"), "the local part is not valid UTF-8"},
    {"C1 control as UTF-8", STR("b\xc2\x9b@example.com"), "the local part is not valid UTF-8"},
    {"first of C1", STR("b\xc2\x80@example.com"), "the local part is not valid UTF-8"},
    {"last of C1", STR("b\xc2\x9f@example.com"), "the local part is not valid UTF-8"},
    {"invalid UTF-8 in the domain", STR("a@b\xfc.example"), "the domain is not valid UTF-8"},
    {"unassigned code point", STR("a@\xf0\xaf\xbf\xbf.example"),
     "the domain has characters that internationalised names do not allow"},
};

static void mailbox_with_a_fault_is_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
        struct addr a;
        const char *why = "(accepted)";
        bool ok = addr_parse(bad_rows[i].in, &a, &why);
        row_text(bad_rows[i].name, why, bad_rows[i].why);
        row_int(bad_rows[i].name, ok, false);
    }
}

static const struct {
    const char *name;
    struct str in;
    bool allow_null, allow_postmaster, want;
    const char *text;
    size_t used;
} path_rows[] = {
    {"plain", STR("<a@example.com>"), false, false, true, "a@example.com", 15},
    {"parameters follow", STR("<a@example.com> SIZE=10"), true, false, true, "a@example.com", 15},
    {"null path of MAIL", STR("<> BODY=8BITMIME"), true, false, true, "", 2},
    {"null path of RCPT", STR("<>"), false, true, false, "", 2},
    {"postmaster alone", STR("<Postmaster>"), false, true, true, "Postmaster", 12},
    {"postmaster alone as sender", STR("<postmaster>"), true, false, false, "", 12},
    {"one hop of a source route", STR("<@a.example:b@example.com>"), false, false, true,
     "b@example.com", 26},
    {"two hops and a literal", STR("<@a.example,@[IPv6:::1]:b@example.com>"), false, false, true,
     "b@example.com", 38},
    {"quoted bracket does not end it", STR("<\"a>b\"@example.com>"), false, false, true,
     "\"a>b\"@example.com", 19},
    {"escaped quote before the bracket", STR("<\"a\\\">\"@example.com>"), false, false, true,
     "\"a\\\">\"@example.com", 20},
    {"no brackets", STR("a@example.com"), false, false, false, "", 0},
    {"no end", STR("<a@example.com"), false, false, false, "", 0},
    {"space in front", STR(" <a@example.com>"), false, false, false, "", 0},
    {"space inside", STR("< a@example.com>"), false, false, false, "", 16},
    {"route without colon", STR("<@a.example>"), false, false, false, "", 12},
    {"route without mailbox", STR("<@a.example:>"), false, false, false, "", 13},
    {"route with a bad hop", STR("<@a..b:c@example.com>"), false, false, false, "", 21},
    {"route with a hop that lacks its at", STR("<@a.example,b.example:c@example.com>"), false,
     false, false, "", 36},
    {"line end inside", STR("<a@example.com\r\n>"), false, false, false, "", 17},
    {"NUL inside", STR("<a@exa\0mple.com>"), false, false, false, "", 16},
    {"nothing", STR(""), true, true, false, "", 0},
};

static void path_is_read_up_to_its_bracket(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(path_rows); i++) {
        struct addr a;
        char text[ADDR_TEXT_MAX];
        const char *row = path_rows[i].name, *why = NULL;
        size_t used = 0;
        bool ok = addr_parse_path(path_rows[i].in, path_rows[i].allow_null,
                                  path_rows[i].allow_postmaster, &a, &used, &why);
        row_int(row, ok, path_rows[i].want);
        if (!ok) {
            row_int(row, why != NULL, true);
            continue;
        }
        addr_text(&a, text);
        row_text(row, text, path_rows[i].text);
        row_int(row, used, path_rows[i].used);
    }
}

static void ascii_text_has_a_labels_and_the_local_part_as_given(void **state)
{
    (void)state;
    struct addr a;
    const char *why;
    char text[ADDR_TEXT_MAX];
    assert_true(addr_parse(STR("Bob@B\xc3\xbc"
                               "cher.Example"),
                           &a, &why));
    addr_text_ascii(&a, text);
    assert_string_equal(text, "Bob@xn--bcher-kva.example");
    addr_text(&a, text);
    assert_string_equal(text, "Bob@B\xc3\xbc"
                              "cher.Example");
}

/* What was accepted must be accepted again, unchanged: the queue reads back what it stored. */
static void noise_that_is_accepted_reads_back_as_itself(void **state)
{
    (void)state;
    static const char letters[] = "aaaabbbb@@@.\"\"\\<>[]: -_\r\n\x7f\xc3\xbc\x9b";
    struct rng r;
    size_t accepted = 0;

    rng_init_seed(&r, 2);
    for (int round = 0; round < 200000; round++) {
        char in[12], text[ADDR_TEXT_MAX], again[ADDR_TEXT_MAX];
        size_t n = rng_below(&r, sizeof(in));
        struct addr a, b;
        const char *why;

        for (size_t i = 0; i < n; i++)
            in[i] = letters[rng_below(&r, sizeof(letters))];
        if (!addr_parse((struct str){in, n}, &a, &why))
            continue;
        accepted++;
        addr_text_ascii(&a, text);
        assert_null(strpbrk(text, "\r\n\x7f"));
        assert_true(addr_parse(str_of(text), &b, &why));
        addr_text_ascii(&b, again);
        assert_string_equal(again, text);
    }
    assert_true(accepted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailbox_is_read),
        cmocka_unit_test(mailbox_with_a_fault_is_refused_with_the_reason),
        cmocka_unit_test(path_is_read_up_to_its_bracket),
        cmocka_unit_test(ascii_text_has_a_labels_and_the_local_part_as_given),
        cmocka_unit_test(noise_that_is_accepted_reads_back_as_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
