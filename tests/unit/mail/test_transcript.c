/* SPDX-License-Identifier: ISC */
/* What a try did, line by line: bounded, printable, first and last kept. */
#include "tests/unit/unit.h"
#include "core/base/text.h"
#include "core/mail/transcript.h"

static void text_is(const struct transcript *t, const char *want)
{
    struct buf b = BUF_INIT;

    transcript_text(t, &b);
    assert_string_equal(buf_text(&b), want);
    buf_done(&b);
}

static void lines_have_their_time_and_word(void **state)
{
    struct transcript t = {0};

    (void)state;
    transcript_begin(&t, 1000);
    assert_true(transcript_is_empty(&t));
    transcript_add(&t, 1000, "try", STR("192.0.2.1:25"));
    transcript_printf(&t, 1041, "<", "%d %s", 220, "mx");
    text_is(&t, "0 try 192.0.2.1:25\n41 < 220 mx\n");
    transcript_begin(&t, 5000); /* a new try */
    text_is(&t, "");
    transcript_done(&t);
}

static void what_a_peer_says_stays_one_printable_line(void **state)
{
    struct transcript t = {0};

    (void)state;
    transcript_begin(&t, 0);
    transcript_add(&t, 0, "<", STR("250-a\x1b[2J\r\n250 b\r\n"));
    transcript_add(&t, 7, "<", STR("550 n\xc3\xb6\n0 > QUIT\x9b"));
    text_is(&t, "0 < 250-a^[[2J 250 b\n7 < 550 n\xc3\xb6^J0 > QUIT<9B>\n");
    transcript_done(&t);
}

static void the_first_and_the_last_lines_are_kept(void **state)
{
    struct transcript t = {0};
    struct buf b = BUF_INIT;
    char long_line[5000];

    (void)state;
    memset(long_line, 'x', sizeof(long_line));
    transcript_begin(&t, 0);
    for (int i = 0; i < 5000; i++)
        transcript_printf(&t, i, "<", "250-line %d", i);
    for (int i = 0; i < 3; i++)
        transcript_add(&t, 6000, ">", (struct str){long_line, sizeof(long_line)});
    transcript_text(&t, &b);
    assert_true(b.n <= TRANSCRIPT_MAX);
    assert_true(str_starts(buf_str(&b), STR("0 < 250-line 0\n1 < 250-line 1\n")));
    assert_true(str_ends(buf_str(&b), STR("xxx\n")));
    assert_non_null(strstr(buf_text(&b), "\n... "));
    assert_non_null(strstr(buf_text(&b), " lines left out ...\n"));
    assert_non_null(strstr(buf_text(&b), "\n4999 < 250-line 4999\n6000 > x"));
    buf_done(&b);
    transcript_done(&t);
}

/* No line is cut within a character. */
static void a_cut_line_is_still_utf8(void **state)
{
    struct transcript t = {0};
    struct buf b = BUF_INIT, in = BUF_INIT;

    (void)state;
    for (int shift = 0; shift < 4; shift++) {
        buf_clear(&in);
        buf_clear(&b);
        for (int i = 0; i < shift; i++)
            buf_add_c(&in, 'a');
        while (in.n < 3 * TRANSCRIPT_LINE_MAX)
            buf_add_z(&in, "\xf0\x9f\x93\xa7");
        transcript_begin(&t, 0);
        transcript_add(&t, 0, "<", buf_str(&in));
        transcript_text(&t, &b);
        for (struct str rest = buf_str(&b); rest.n;) {
            size_t len;
            if (text_utf8_next(rest, &len) < 0)
                fail_msg("shift %d: cut within a character", shift);
            rest = str_sub(rest, len, rest.n);
        }
    }
    buf_done(&b);
    buf_done(&in);
    transcript_done(&t);
}

static void joined_lines_keep_their_own_time(void **state)
{
    struct transcript setup = {0}, t = {0};

    (void)state;
    transcript_begin(&setup, 1000);
    transcript_add(&setup, 1000, "try", STR("192.0.2.1:25"));
    transcript_add(&setup, 1040, "<", STR("220 mx"));
    transcript_begin(&t, 3000);
    transcript_add(&t, 3000, "note", STR("hello"));
    transcript_join(&t, &setup);
    transcript_add(&t, 3001, ">", STR("MAIL FROM:<>"));
    text_is(&t, "0 note hello\n-2000 try 192.0.2.1:25\n-1960 < 220 mx\n1 > MAIL FROM:<>\n");
    transcript_done(&setup);
    transcript_done(&t);
}

static void answers_say_what_was_there(void **state)
{
    static struct dns_record mx[3] = {
        {.type = DNS_TYPE_MX, .preference = 10, .name = "mx1.example.com"},
        {.type = DNS_TYPE_MX, .preference = 20, .name = "mx2.example.com"},
        {.type = DNS_TYPE_MX, .preference = 0, .name = ""},
    };
    static struct dns_record a[2] = {
        {.type = DNS_TYPE_A, .ip = {.family = 4, .bytes = {192, 0, 2, 1}}},
        {.type = DNS_TYPE_A, .ip = {.family = 4, .bytes = {192, 0, 2, 2}}},
    };
    static const struct {
        struct dns_answer answer;
        unsigned type;
        const char *want;
    } rows[] = {
        {{.status = DNS_OK, .ttl_s = 300, .n = 2, .records = mx},
         DNS_TYPE_MX,
         "0 dns MX example.com: 10 mx1.example.com, 20 mx2.example.com (TTL 300 s)\n"},
        {{.status = DNS_OK, .ttl_s = 5, .n = 1, .records = mx + 2, .is_authentic = true},
         DNS_TYPE_MX,
         "0 dns MX example.com: 0 . (TTL 5 s, authenticated)\n"},
        {{.status = DNS_OK, .ttl_s = 60, .n = 2, .records = a, .final_name = "www.example.com"},
         DNS_TYPE_A,
         "0 dns A example.com: 192.0.2.1, 192.0.2.2, an alias of www.example.com (TTL 60 s)\n"},
        {{.status = DNS_NODATA, .ttl_s = 60, .final_name = "example.com", .server = "127.0.0.1:53"},
         DNS_TYPE_AAAA,
         "0 dns AAAA example.com: NODATA (TTL 60 s) by 127.0.0.1:53\n"},
        {{.status = DNS_TEMP, .rcode = 2}, DNS_TYPE_MX, "0 dns MX example.com: TEMP, rcode 2\n"},
        {{.status = DNS_TEMP, .is_timeout = true},
         DNS_TYPE_MX,
         "0 dns MX example.com: TEMP, no answer in time\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct transcript t = {0};

        transcript_begin(&t, 0);
        transcript_answer(&t, 0, "example.com", rows[i].type, &rows[i].answer);
        text_is(&t, rows[i].want);
        transcript_done(&t);
    }
}

static void candidates_say_why_they_stand_there(void **state)
{
    struct transcript t = {0};
    struct route r = {
        .n = 3,
        .hosts = {{.name = "mx1.example.com", .preference = 10},
                  {.name = "mail.example.org", .preference = 20, .skipped = "this is our own name"},
                  {.name = "mx3.example.com", .preference = 30}}};
    struct route implicit = {.n = 1, .hosts = {{.name = "example.com", .is_implicit = true}}};

    (void)state;
    transcript_begin(&t, 0);
    transcript_route(&t, 0, &r);
    transcript_route(&t, 3, &implicit);
    text_is(&t, "0 mx 1. mx1.example.com, preference 10\n"
                "0 mx -. mail.example.org, preference 20: this is our own name\n"
                "0 mx 2. mx3.example.com, preference 30\n"
                "3 mx 1. example.com, the domain's own address, since it has no MX\n");
    transcript_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_their_time_and_word),
        cmocka_unit_test(what_a_peer_says_stays_one_printable_line),
        cmocka_unit_test(the_first_and_the_last_lines_are_kept),
        cmocka_unit_test(a_cut_line_is_still_utf8),
        cmocka_unit_test(joined_lines_keep_their_own_time),
        cmocka_unit_test(answers_say_what_was_there),
        cmocka_unit_test(candidates_say_why_they_stand_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
