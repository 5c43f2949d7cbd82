/* SPDX-License-Identifier: ISC */
/* The filter language: reading, canonical text, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/mail/filter.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"
#include "core/mail/msg.h"

#define NOW INT64_C(1795507334000) /* 2026-11-24 08:02:14 UTC */

static void terms_are_read(void **state)
{
    static const struct {
        const char *text;
        enum filter_word word;
        enum filter_op op;
        bool is_excluded;
        const char *value;
        int64_t number;
    } rows[] = {
        {"to:bob", FILTER_TO, FILTER_EQ, false, "bob", 0},
        {"TO:Bob", FILTER_TO, FILTER_EQ, false, "Bob", 0},
        {"-to:bob", FILTER_TO, FILTER_EQ, true, "bob", 0},
        {"to:@b.example", FILTER_TO, FILTER_EQ, false, "@b.example", 0},
        {"to:a@b\xc3\xbc"
         "cher.example",
         FILTER_TO, FILTER_EQ, false, "a@xn--bcher-kva.example", 0},
        {"from:\"two words\"", FILTER_FROM, FILTER_EQ, false, "two words", 0},
        {"domain:b\xc3\xbc"
         "cher.example",
         FILTER_DOMAIN, FILTER_EQ, false, "xn--bcher-kva.example", 0},
        {"domain:*.example", FILTER_DOMAIN, FILTER_EQ, false, "*.example", 0},
        {"site:mx1.x+mx2.x", FILTER_SITE, FILTER_EQ, false, "mx1.x+mx2.x", 0},
        {"relay:mx.b.example", FILTER_RELAY, FILTER_EQ, false, "mx.b.example", 0},
        {"relay:>x", FILTER_RELAY, FILTER_EQ, false, ">x", 0},
        {"cause:\"connect ETIMEDOUT\"", FILTER_CAUSE, FILTER_EQ, false, "connect ETIMEDOUT", 0},
        {"owner:us", FILTER_OWNER, FILTER_EQ, false, "us", 0},
        {"state:held", FILTER_STATE, FILTER_EQ, false, "held", RCPT_HELD},
        {"state:Queued", FILTER_STATE, FILTER_EQ, false, "Queued", RCPT_QUEUED},
        {"state:deferred", FILTER_STATE, FILTER_EQ, false, "deferred", FILTER_STATE_DEFERRED},
        {"state:stuck", FILTER_STATE, FILTER_EQ, false, "stuck", FILTER_STATE_STUCK},
        {"status:sent", FILTER_STATUS, FILTER_EQ, false, "sent", LOG_SENT},
        {"status:rejected", FILTER_STATUS, FILTER_EQ, false, "rejected", LOG_REJECTED},
        {"code:550", FILTER_CODE, FILTER_EQ, false, "550", 0},
        {"code:4", FILTER_CODE, FILTER_EQ, false, "4", 0},
        {"dsn:5.7.1", FILTER_DSN, FILTER_EQ, false, "5.7.1", 0},
        {"dsn:4.7", FILTER_DSN, FILTER_EQ, false, "4.7", 0},
        {"age:>1h", FILTER_AGE, FILTER_GT, false, "1h", HOUR_MS},
        {"age:>=1h", FILTER_AGE, FILTER_GE, false, "1h", HOUR_MS},
        {"age:1h30m", FILTER_AGE, FILTER_GE, false, "1h30m", 90 * MINUTE_MS},
        {"age:<30", FILTER_AGE, FILTER_LT, false, "30", 30 * SECOND_MS},
        {"tries:>3", FILTER_TRIES, FILTER_GT, false, "3", 3},
        {"tries:0", FILTER_TRIES, FILTER_EQ, false, "0", 0},
        {"size:>10M", FILTER_SIZE, FILTER_GT, false, "10M", 10 * 1024 * 1024},
        {"size:>\"10 MiB\"", FILTER_SIZE, FILTER_GT, false, "10 MiB", 10 * 1024 * 1024},
        {"next:<5m", FILTER_NEXT, FILTER_LT, false, "5m", 5 * MINUTE_MS},
        {"next:5m", FILTER_NEXT, FILTER_LE, false, "5m", 5 * MINUTE_MS},
        {"since:2h", FILTER_SINCE, FILTER_GE, false, "2h", NOW - 2 * HOUR_MS},
        {"since:\"2026-11-24 07:00\"", FILTER_SINCE, FILTER_GE, false, "2026-11-24 07:00",
         INT64_C(1795503600000)},
        {"has:escapes", FILTER_HAS, FILTER_EQ, false, "escapes", 0},
        {"hello", FILTER_TEXT, FILTER_EQ, false, "hello", 0},
        {"-hello", FILTER_TEXT, FILTER_EQ, true, "hello", 0},
        {"-", FILTER_TEXT, FILTER_EQ, false, "-", 0},
        {"\"-hello\"", FILTER_TEXT, FILTER_EQ, false, "-hello", 0},
        {"\"to:bob\"", FILTER_TEXT, FILTER_EQ, false, "to:bob", 0},
        {"\"hello there\"", FILTER_TEXT, FILTER_EQ, false, "hello there", 0},
        {"http://x.example/", FILTER_TEXT, FILTER_EQ, false, "http://x.example/", 0},
        {"[192.0.2.1]:25", FILTER_TEXT, FILTER_EQ, false, "[192.0.2.1]:25", 0},
        {"mx1.example:25", FILTER_TEXT, FILTER_EQ, false, "mx1.example:25", 0},
        {"2001:db8::1", FILTER_TEXT, FILTER_EQ, false, "2001:db8::1", 0},
        {":x", FILTER_TEXT, FILTER_EQ, false, ":x", 0},
        {"error:", FILTER_TEXT, FILTER_EQ, false, "error:", 0},
        {"550", FILTER_TEXT, FILTER_EQ, false, "550", 0},
        {"a=b", FILTER_TEXT, FILTER_EQ, false, "a=b", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_NONE;
        struct filter f;
        if (filter_parse(str_of(rows[i].text), NOW, &f, &err) != 0)
            fail_msg("%s: %s", rows[i].text, err.text);
        const struct filter_term *t = &f.terms[0];
        if (f.n != 1 || t->word != rows[i].word || t->op != rows[i].op ||
            t->is_excluded != rows[i].is_excluded || strcmp(t->text, rows[i].value) != 0 ||
            t->number != rows[i].number)
            fail_msg("%s: %zu terms, word %d op %d «%s» %lld", rows[i].text, f.n, t->word, t->op,
                     t->text, (long long)t->number);
        filter_done(&f);
    }
}

static void ids_are_read_in_any_case(void **state)
{
    char text[ID_TEXT_MAX + 4], id[ID_TEXT_MAX];
    struct filter f;

    (void)state;
    snprintf(text, sizeof(text), "id:%s", id_text(123456789012345, id));
    assert_int_equal(filter_parse(str_of(text), NOW, &f, NULL), 0);
    assert_int_equal(f.terms[0].number, 123456789012345);
    filter_done(&f);
    for (char *c = text + 3; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    assert_int_equal(filter_parse(str_of(text), NOW, &f, NULL), 0);
    assert_int_equal(f.terms[0].number, 123456789012345);
    filter_done(&f);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"subject:hello", "subject: is no filter word; the words are to: from: domain:"},
        {"form:bob", "form: is no filter word"},
        {"to:", "to: «» is not one of its values; allowed: part of an address"},
        {"state:sent", "state: «sent» is not one of its values; allowed: queued, active"},
        {"status:queued", "allowed: sent, deferred"},
        {"code:6", "code: «6»"},
        {"code:5500", "code: «5500»"},
        {"code:x", "code: «x»"},
        {"dsn:3.1", "dsn: «3.1»"},
        {"dsn:5.", "dsn: «5.»"},
        {"dsn:5.1.1.1", "dsn: «5.1.1.1»"},
        {"age:>soon", "age: «soon» is not one of its values; allowed: a duration"},
        {"age:>>1h", "age: «>1h»"},
        {"tries:many", "tries: «many»"},
        {"tries:-1", "tries: «-1»"},
        {"size:big", "size: «big»"},
        {"since:never", "since: «never»"},
        {"has:legs", "has: «legs» is not one of its values; allowed: escapes"},
        {"id:x", "id: «x»"},
        {"\"open", "a quote has no end"},
        {"to:\"open", "a quote has no end"},
        {"a\"b\"", "a quote in the middle of a"},
        {"\"a\"b", "no blank behind the quote"},
        {"\"\"", "an empty text"},
        {"-\"\"", "an empty text"},
        {"a\x01", "control character"},
        {"\xff", "UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_NONE;
        struct filter f;
        int rc = filter_parse(str_of(rows[i].text), NOW, &f, &err);
        if (rc != -E_SYNTAX || f.n != 0 || !strstr(err.text, rows[i].want))
            fail_msg("%s: %d, %s", rows[i].text, rc, err.text);
    }
}

static void a_mistake_behind_good_words_leaves_nothing(void **state)
{
    struct err err = ERR_NONE;
    struct filter f;

    (void)state;
    assert_int_equal(filter_parse(STR("to:a from:b code:x"), NOW, &f, &err), -E_SYNTAX);
    assert_int_equal(f.n, 0);
}

static void limits_hold(void **state)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    struct err err = ERR_NONE;
    struct filter f;

    (void)state;
    for (int i = 0; i < FILTER_TERMS_MAX; i++)
        buf_add_z(&text, "a ");
    assert_int_equal(filter_parse(buf_str(&text), NOW, &f, &err), 0);
    assert_int_equal(f.n, FILTER_TERMS_MAX);
    filter_done(&f);
    buf_add_z(&text, "a");
    assert_int_equal(filter_parse(buf_str(&text), NOW, &f, &err), -E_LIMIT);
    buf_clear(&text);
    for (int i = 0; i < FILTER_BYTES_MAX; i++)
        buf_add_c(&text, 'a');
    assert_int_equal(filter_parse(buf_str(&text), NOW, &f, &err), 0);
    filter_done(&f);
    buf_add_c(&text, 'a');
    assert_int_equal(filter_parse(buf_str(&text), NOW, &f, &err), -E_LIMIT);
}

static void canonical_text_is_short_and_quotes_only_where_needed(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"  to:bob\t-from:eve  \"two words\" ", "to:bob -from:eve \"two words\""},
        {"TO:\"bob\"", "to:bob"},
        {"age:>=1h", "age:1h"},
        {"age:>1h size:<5k next:<=5m", "age:>1h size:<5k next:5m"},
        {"\"to:bob\" \"-x\" \"x\"", "\"to:bob\" \"-x\" x"},
        {"http://x", "\"http://x\""},
        {"since:\"2026-11-24 07:00\"", "since:\"2026-11-24 07:00\""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = BUF_INIT;
        struct filter f;
        assert_int_equal(filter_parse(str_of(rows[i].text), NOW, &f, NULL), 0);
        filter_text(&f, &out);
        if (strcmp(buf_text(&out), rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].text, buf_text(&out));
        filter_done(&f);
    }
}

static bool same_filters(const struct filter *a, const struct filter *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct filter_term *x = &a->terms[i], *y = &b->terms[i];
        if (x->word != y->word || x->op != y->op || x->is_excluded != y->is_excluded ||
            x->number != y->number || strcmp(x->text, y->text) != 0)
            return false;
    }
    return true;
}

/* Property: whatever parses has a text that parses to the same, and that text is its own. */
static void canonical_text_parses_to_the_same_filter(void **state)
{
    static const char *const pieces[] = {
        "to:",     "from:", "age:", "size:",      "since:",  "state:held",  "code:55",
        "dsn:4.7", ">",     "<=",   "-",          "\"",      "\"",          " ",
        " ",       " ",     "a",    "@b.example", "1h",      "10M",         "x:y",
        "*",       ":",     "//",   "\xc3\xbc",   "tries:3", "status:sent", "has:escapes"};
    struct rng rng;
    unsigned parsed = 0;

    (void)state;
    rng_init_seed(&rng, 2026);
    for (int round = 0; round < 20000; round++) {
        CLEANUP(buf_done) struct buf text = BUF_INIT;
        CLEANUP(buf_done) struct buf canonical = BUF_INIT;
        CLEANUP(buf_done) struct buf twice = BUF_INIT;
        struct filter f, again;
        for (uint64_t n = rng_below(&rng, 9); n > 0; n--)
            buf_add_z(&text, pieces[rng_below(&rng, ARRAY_LEN(pieces))]);
        if (filter_parse(buf_str(&text), NOW, &f, NULL) != 0)
            continue;
        parsed++;
        filter_text(&f, &canonical);
        if (filter_parse(buf_str(&canonical), NOW, &again, NULL) != 0 || !same_filters(&f, &again))
            fail_msg("«%s» became «%s»", buf_text(&text), buf_text(&canonical));
        filter_text(&again, &twice);
        assert_string_equal(buf_text(&canonical), buf_text(&twice));
        filter_done(&f);
        filter_done(&again);
    }
    assert_true(parsed > 2000);
}

static void words_have_names(void **state)
{
    (void)state;
    assert_string_equal(filter_word_name(FILTER_TEXT), "");
    assert_string_equal(filter_word_name(FILTER_TO), "to");
    assert_string_equal(filter_word_name(FILTER_HAS), "has");
    assert_string_equal(filter_word_name(FILTER_WORD_COUNT), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_are_read),
        cmocka_unit_test(ids_are_read_in_any_case),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_mistake_behind_good_words_leaves_nothing),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(canonical_text_is_short_and_quotes_only_where_needed),
        cmocka_unit_test(canonical_text_parses_to_the_same_filter),
        cmocka_unit_test(words_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
