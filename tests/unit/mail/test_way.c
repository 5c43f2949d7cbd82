/* SPDX-License-Identifier: ISC */
/* Reroutes: what an operator types, what is kept, where it leads. */
#include "tests/unit/unit.h"
#include "core/mail/way.h"

static const char text[] = "[relay \"office\"]\nhost = relay.example.net:587\n"
                           "[relay \"mx.two\"]\nhost = relay2.example.net:587\n"
                           "[route \"partner.example\"]\nvia = relay office\n";

static void load(struct conf *c, const char *s)
{
    struct conf_defaults d = {"/tmp/state", "mail.example.com", false};
    struct err err = ERR_NONE;

    conf_init(c, &d);
    if (conf_parse(c, str_of(s), "test.conf", &err) < 0)
        fail_msg("%s", err.text);
}

static void what_is_typed_becomes_a_text_and_back(void **state)
{
    static const struct {
        const char *typed, *want; /* NULL = refused */
    } rows[] = {
        {"office", "relay office"},
        {" office ", "relay office"},
        {"mx.two", "relay mx.two"}, /* a relay goes before a host of that name */
        {"direct", "direct"},
        {"Configured", ""},
        {"mx.example.com", "host mx.example.com:25"},
        {"mx.example.com:2525", "host mx.example.com:2525"},
        {"192.0.2.7", "host 192.0.2.7:25"},
        {"[2001:db8::7]:587", "host [2001:db8::7]:587"},
        {"offce", NULL},
        {"", NULL},
        {"mx.example.com:99999", NULL},
        {"mx.example.com:25\nx", NULL},
        {"a b.example", NULL},
    };
    struct conf c;

    (void)state;
    load(&c, text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct way w, back;
        char got[WAY_TEXT_MAX], again[WAY_TEXT_MAX];
        struct err err = ERR_NONE;
        int rc = way_typed(&c, str_of(rows[i].typed), &w, &err);

        if (!rows[i].want) {
            if (rc != -(int)E_SYNTAX || !strstr(err.text, "allowed: a relay's name, HOST[:PORT]"))
                fail_msg("\"%s\": %d, %s", rows[i].typed, rc, err.text);
            continue;
        }
        if (rc < 0 || strcmp(way_text(&w, got), rows[i].want) != 0)
            fail_msg("\"%s\": %d, \"%s\"", rows[i].typed, rc, rc < 0 ? err.text : got);
        if (!way_parse(str_of(got), &back) || strcmp(way_text(&back, again), got) != 0)
            fail_msg("\"%s\" is read as \"%s\"", got, again);
    }
    conf_done(&c);
}

static void a_text_that_is_none_means_the_configuration(void **state)
{
    static const char *const rows[] = {"relay ",   "host ",  "host x",
                                       "host :25", "Direct", "nonsense"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct way w;

        if (way_parse(str_of(rows[i]), &w) || w.kind != WAY_CONFIGURED)
            fail_msg("\"%s\" was taken", rows[i]);
    }
}

static void a_reroute_goes_before_the_routes(void **state)
{
    static const struct {
        const char *via, *domain;
        int want;
    } rows[] = {
        {"", "partner.example", 0},           {"", "other.example", -1},
        {"direct", "partner.example", -1},    {"relay mx.two", "partner.example", 1},
        {"relay office", "other.example", 0}, {"host mx.example.com:25", "partner.example", -1},
        {"relay gone", "partner.example", 0}, /* as if nobody had named it */
        {"relay gone", "other.example", -1},
    };
    struct conf c;

    (void)state;
    load(&c, text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct way w;

        way_parse(str_of(rows[i].via), &w);
        if (way_relay(&w, &c, rows[i].domain, "a@b.example") != rows[i].want)
            fail_msg("\"%s\" for %s", rows[i].via, rows[i].domain);
    }
    conf_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_typed_becomes_a_text_and_back),
        cmocka_unit_test(a_text_that_is_none_means_the_configuration),
        cmocka_unit_test(a_reroute_goes_before_the_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
