/* SPDX-License-Identifier: ISC */
/* Domain names to A-labels, and the names that never take mail. */
#include "tests/unit/unit.h"
#include "core/mail/addr.h"

#define A10 "aaaaaaaaaa"
#define L60 A10 A10 A10 A10 A10 A10

static const struct {
    const char *name;
    struct str in;
    const char *want; /* NULL: refused */
} rows[] = {
    {"plain", STR("example.com"), "example.com"},
    {"upper case", STR("MX.Example.COM"), "mx.example.com"},
    {"trailing dot", STR("example.com."), "example.com"},
    {"digits in labels", STR("3com.1and1.de"), "3com.1and1.de"},
    {"hyphens in third and fourth place", STR("ab--cd.example"), "ab--cd.example"},
    {"German", STR("m\xc3\xbcnchen.de"), "xn--mnchen-3ya.de"},
    {"sharp s is not ss (non-transitional)",
     STR("stra\xc3\x9f"
         "e.de"),
     "xn--strae-oqa.de"},
    {"capital umlaut", STR("M\xc3\x9cNCHEN.de"), "xn--mnchen-3ya.de"},
    {"decomposed umlaut is composed", STR("mu\xcc\x88nchen.de"), "xn--mnchen-3ya.de"},
    {"Chinese", STR("\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95"),
     "xn--fsqu00a.xn--0zwm56d"},
    {"ideographic full stop",
     STR("\xe4\xbe\x8b\xe5\xad\x90\xe3\x80\x82"
         "com"),
     "xn--fsqu00a.com"},
    {"full-width letters", STR("\xef\xbd\x81\xef\xbd\x82.com"), "ab.com"},
    {"A-label of a pictograph (exists, takes mail)", STR("xn--i-7iq.ws"), "xn--i-7iq.ws"},
    {"253 octets",
     STR(L60 "." L60 "." L60 "." L60 "."
             "aaaaaaaaa"),
     L60 "." L60 "." L60 "." L60 "."
         "aaaaaaaaa"},
    {"254 octets", STR(L60 "." L60 "." L60 "." L60 "." A10), NULL},
    {"300 octets", STR(L60 "." L60 "." L60 "." L60 "." L60), NULL},
    {"nothing", STR(""), NULL},
    {"a dot", STR("."), NULL},
    {"two dots", STR(".."), NULL},
    {"slash", STR("exa/mple.com"), NULL},
    {"NUL", STR("example\0.com"), NULL},
    {"line feed", STR("example.com\n"), NULL},
    {"full-width dot that makes an empty label",
     STR("a\xef\xbc\x8e\xef\xbc\x8e"
         "b.com"),
     NULL},
    {"full-width at sign",
     STR("a\xef\xbc\xa0"
         "b.com"),
     NULL},
    {"bidi override",
     STR("a\xe2\x80\xae"
         "b.com"),
     NULL},
    {"invalid UTF-8", STR("m\xfcnchen.de"), NULL},
    {"underscore", STR("_dmarc.example.com"), NULL},
    {"top level of digits", STR("192.0.2.1"), NULL},
    {"only the top level is of digits", STR("example.1"), NULL},
    {"a label of digits in front", STR("1.example.com"), "1.example.com"},
    {"U-labels whose A-labels are too long", STR("\xc3\xbc" L60 "\xc3\xbc.example"), NULL},
};

static void domain_becomes_lower_case_a_labels(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[ADDR_DOMAIN_MAX + 1] = "";
        const char *why = NULL;
        bool ok = domain_to_ascii(rows[i].in, out, &why);
        row_int(rows[i].name, ok, rows[i].want != NULL);
        if (ok)
            row_text(rows[i].name, out, rows[i].want);
        else
            row_int(rows[i].name, why != NULL, true);
    }
}

static const struct {
    const char *domain, *word; /* a word of the reason; NULL: may take mail */
} special_rows[] = {
    {"mydomain.local", ".local"},
    {"local", ".local"},
    {"a.b.local", ".local"},
    {"localhost", "this machine"},
    {"a.localhost", "this machine"},
    {"localhost.localdomain", ".localdomain"},
    {"x.invalid", ".invalid"},
    {"x.test", ".test"},
    {"x.example", ".example"},
    {"abc.onion", ".onion"},
    {"x.alt", ".alt"},
    {"router.home.arpa", "home.arpa"},
    {"home.arpa", "home.arpa"},
    {"mail.internal", ".internal"},
    {"pc.lan", ".lan"},
    {"pc.home", ".home"},
    {"exchange.corp", ".corp"},
    {"web.intranet", ".intranet"},
    {"x.private", ".private"},
    {"server1", "without a dot"},
    {"com", "without a dot"},
    {"", "without a dot"},
    {"example.com", NULL},
    {"mail.example.net", NULL},
    {"example.org", NULL},
    {"notlocal.com", NULL},
    {"mylocal.example.com", NULL},
    {"local.de", NULL},
    {"xlocal.de", NULL},
    {"notlocal.xlocal", NULL},
    {"arpa.com", NULL},
    {"[192.0.2.1]", NULL},
};

static void special_use_names_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(special_rows); i++) {
        const char *why = domain_special_use(special_rows[i].domain);
        row_int(special_rows[i].domain, why != NULL, special_rows[i].word != NULL);
        if (why && !strstr(why, special_rows[i].word))
            fail_msg("row \"%s\": the reason is \"%s\"", special_rows[i].domain, why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domain_becomes_lower_case_a_labels),
        cmocka_unit_test(special_use_names_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
