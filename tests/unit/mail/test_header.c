/* SPDX-License-Identifier: ISC */
/* Walking, decoding, counting and repairing headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>
#include "core/mail/header.h"

static void fields_are_walked_until_the_header_ends(void **state)
{
    static const struct {
        const char *name, *text;
        const char *fields; /* "name=body|", as walked */
        const char *rest;
    } rows[] = {
        {"two fields", "A: 1\r\nB: 2\r\n\r\nbody", "A=1|B=2|", "\r\nbody"},
        {"no empty line", "A: 1\r\n", "A=1|", ""},
        {"no line end", "A: 1", "A=1|", ""},
        {"folded", "A: 1\r\n\t2\r\n 3\r\nB:\r\n\r\n", "A=1\r\n\t2\r\n 3|B=|", "\r\n"},
        {"blank before the colon", "A \t: 1\r\n", "A=1|", ""},
        {"colon in the body", "A: b: c\r\n", "A=b: c|", ""},
        {"no field", "hello\r\nA: 1\r\n", "", "hello\r\nA: 1\r\n"},
        {"a line that is no field", "A: 1\r\nhello there\r\nB: 2\r\n", "A=1|",
         "hello there\r\nB: 2\r\n"},
        {"blank first", " A: 1\r\n", "", " A: 1\r\n"},
        {"mailbox line", "From a@b Tue\r\nA: 1\r\n", "", "From a@b Tue\r\nA: 1\r\n"},
        {"empty name", ": 1\r\n", "", ": 1\r\n"},
        {"name only", "Subject\r\n", "", "Subject\r\n"},
        {"8-bit name", "S\xc3\xa4: 1\r\n", "", "S\xc3\xa4: 1\r\n"},
        {"bare LF is no line end", "A: 1\nB: 2\r\nC: 3\r\n", "A=1\nB: 2|C=3|", ""},
        {"nothing", "", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str rest = str_of(rows[i].text), name, body, whole;
        CLEANUP(buf_done) struct buf seen = BUF_INIT;

        while (header_next(&rest, &name, &body, &whole))
            buf_printf(&seen, "%.*s=%.*s|", STR_ARG(name), STR_ARG(body));
        if (strcmp(buf_text(&seen), rows[i].fields) != 0 || !str_eq_z(rest, rows[i].rest))
            fail_msg("%s: «%s», rest «%.*s»", rows[i].name, buf_text(&seen), STR_ARG(rest));
    }
}

static void whole_fields_join_to_the_header(void **state)
{
    const char *text = "A: 1\r\n  2\r\nB  : 3\r\nC:\r\n";
    struct str rest = str_of(text), name, body, whole;
    CLEANUP(buf_done) struct buf all = BUF_INIT;

    (void)state;
    while (header_next(&rest, &name, &body, &whole))
        buf_add_str(&all, whole);
    assert_string_equal(buf_text(&all), text);
}

static void the_first_field_of_a_name_is_found(void **state)
{
    struct str body;

    (void)state;
    assert_true(
        header_find(STR("A: 1\r\nsubject: x\r\nSubject: y\r\n\r\nTo: z"), "Subject", &body));
    assert_true(str_eq_z(body, "x"));
    assert_false(header_find(STR("A: 1\r\n\r\nTo: z"), "To", &body));
}

static void hops_are_counted_in_the_header_only(void **state)
{
    (void)state;
    assert_int_equal(
        header_hops(STR("Received: a\r\nRECEIVED: b\r\nX-Received: c\r\n\r\nReceived: d")), 2);
    assert_int_equal(header_hops(STR_NONE), 0);
}

static void texts_are_decoded_for_people(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"plain", "Hello there", "Hello there"},
        {"folded", "Hello\r\n there\r\n\tagain", "Hello there again"},
        {"blanks around", "  \t Hello \t ", "Hello"},
        {"blanks inside stay", "a  b", "a  b"},
        {"q", "=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=",
         "Gr\xc3\xbc\xc3\x9f"
         "e an alle"},
        {"b", "=?utf-8?B?R3LDvMOfZQ==?=",
         "Gr\xc3\xbc\xc3\x9f"
         "e"},
        {"b without padding", "=?utf-8?b?R3LDvMOfZQ?=",
         "Gr\xc3\xbc\xc3\x9f"
         "e"},
        {"latin 1", "=?iso-8859-1?q?=A1Ol=E9!?=", "\xc2\xa1Ol\xc3\xa9!"},
        {"latin 9 euro", "=?ISO-8859-15?q?=A4_5?=", "\xe2\x82\xac 5"},
        {"windows quotes", "=?windows-1252?Q?=93a=94?=",
         "\xe2\x80\x9c"
         "a\xe2\x80\x9d"},
        {"us-ascii", "=?us-ascii?q?a=20b?=", "a b"},
        {"language", "=?utf-8*de?q?H=C3=A4?=", "H\xc3\xa4"},
        {"blanks between words go", "=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
        {"folding between words goes", "=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"},
        {"blanks beside a word stay", "x =?utf-8?q?a?= y", "x a y"},
        {"a character split over words", "=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "\xc3\xa4"},
        {"empty words",
         "=?utf-8?q?"
         "?= =?utf-8?q?"
         "?= x",
         " x"},
        {"unknown charset", "=?koi8-r?B?8A==?=", "=?koi8-r?B?8A==?="},
        {"unknown coding", "=?utf-8?x?a?=", "=?utf-8?x?a?="},
        {"no end", "=?utf-8?q?abc", "=?utf-8?q?abc"},
        {"half a hex", "=?utf-8?q?a=4?=", "a=4"},
        {"raw UTF-8",
         "Gr\xc3\xbc\xc3\x9f"
         "e",
         "Gr\xc3\xbc\xc3\x9f"
         "e"},
        {"escape sequence", "=?utf-8?q?=1B[2J?=", "^[[2J"},
        {"CRLF in a word", "=?utf-8?q?a=0D=0Ab?=", "a b"},
        {"right-to-left override", "=?utf-8?q?=E2=80=AE?=", "<U+202E>"},
        {"NUL in a word", "=?utf-8?q?a=00b?=", "a^@b"},
        {"empty", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[100];
        header_decode(str_of(rows[i].text), out, sizeof(out));
        if (strcmp(out, rows[i].want) != 0)
            fail_msg("%s: «%s»", rows[i].name, out);
    }
}

static void long_texts_are_cut_at_a_character(void **state)
{
    char out[6];

    (void)state;
    header_decode(STR("abcd\xc3\xa4"), out, sizeof(out));
    assert_string_equal(out, "abcd");
    header_decode(STR("=?utf-8?q?abc=C3=A4=C3=A4?="), out, sizeof(out));
    assert_string_equal(out, "abc\xc3\xa4");
    header_decode(STR("abc"), out, 1);
    assert_string_equal(out, "");
}

static void a_digest_has_the_first_of_each(void **state)
{
    struct msg_digest d;

    (void)state;
    header_digest(STR("Date: Tue\r\nFROM: =?utf-8?q?J=C3=B6rg?= <j@a.example>\r\nSubject: one\r\n"
                      "Subject: two\r\nMessage-Id: <1@a>\r\n\r\nFrom: x\r\n"),
                  &d);
    assert_string_equal(d.from, "J\xc3\xb6rg <j@a.example>");
    assert_string_equal(d.subject, "one");
    assert_string_equal(d.message_id, "<1@a>");
    assert_string_equal(d.date, "Tue");
    header_digest(STR("\r\nFrom: x\r\n"), &d);
    assert_string_equal(d.from, "");
}

static const struct header_facts facts = {
    .hostname = "mail.example.com",
    .helo = "client.example",
    .client_ip = "192.0.2.1",
    .with = "ESMTP",
    .queue_id = "0123456789BCD",
    .for_address = "",
    .from_default = "\"uid 1000\" <op@mail.example.com>",
    .wall_ms = 1795507334000,
    .random = 0xabcdef,
};

static const char received[] =
    "Received: from client.example ([192.0.2.1]) by mail.example.com (mxhelm) with\r\n"
    " ESMTP id 0123456789BCD;\r\n"
    "\tTue, 24 Nov 2026 08:02:14 +0000\r\n";

static char *submit(const char *text, const struct header_facts *f, size_t *body_at)
{
    struct buf out = BUF_INIT;
    const char *why = NULL, *enhanced = NULL;

    if (!header_submit(str_of(text), f, 50, &out, body_at, &why, &enhanced))
        fail_msg("%s", why);
    return buf_take(&out);
}

#define ALL "Date: d\r\nMessage-ID: <m@x>\r\nFrom: a@b.example\r\n"

static void headers_are_repaired(void **state)
{
    static const struct {
        const char *name, *text;
        const char *want; /* behind Received */
        size_t body_at;
    } rows[] = {
        {"complete", ALL "\r\nbody", ALL "\r\n", sizeof(ALL) + 1},
        {"without an empty line", ALL, ALL "\r\n", sizeof(ALL) - 1},
        {"Date missing", "From: a@b\r\nMessage-ID: <m@x>\r\n\r\n",
         "From: a@b\r\nMessage-ID: <m@x>\r\nDate: Tue, 24 Nov 2026 08:02:14 +0000\r\n\r\n", 32},
        {"Message-ID missing", "Date: d\r\nFrom: a@b\r\n\r\n",
         "Date: d\r\nFrom: a@b\r\nMessage-ID: "
         "<0123456789BCD.0000000000abcdef@mail.example.com>\r\n\r\n",
         22},
        {"From missing", "Date: d\r\nMessage-ID: <m@x>\r\n\r\n",
         "Date: d\r\nMessage-ID: <m@x>\r\nFrom: \"uid 1000\" <op@mail.example.com>\r\n\r\n", 30},
        {"empty Message-ID", "Date: d\r\nFrom: a@b\r\nMessage-ID: \r\n\r\n",
         "Date: d\r\nFrom: a@b\r\nMessage-ID: "
         "<0123456789BCD.0000000000abcdef@mail.example.com>\r\n\r\n",
         36},
        {"Bcc goes, folded too", "Bcc: x@y,\r\n z@y\r\n" ALL "bcc: q@y\r\n\r\n", ALL "\r\n",
         sizeof(ALL) + 28},
        {"Resent-Bcc and Return-Path go", "Return-Path: <x@y>\r\nResent-Bcc: q\r\n" ALL "\r\n",
         ALL "\r\n", sizeof(ALL) + 36},
        {"To stays", ALL "To: x@y\r\n\r\n", ALL "To: x@y\r\n\r\n", sizeof(ALL) + 10},
        {"body without header", "just text\r\nDate: d\r\n",
         "Date: Tue, 24 Nov 2026 08:02:14 +0000\r\nMessage-ID: "
         "<0123456789BCD.0000000000abcdef@mail.example.com>\r\n"
         "From: \"uid 1000\" <op@mail.example.com>\r\n\r\n",
         0},
        {"a line that is no field starts the body", ALL "no field here\r\nmore\r\n", ALL "\r\n",
         sizeof(ALL) - 1},
        {"two From stay", ALL "From: other@b\r\n\r\n", ALL "From: other@b\r\n\r\n",
         sizeof(ALL) + 16},
        {"a bare LF makes no field", ALL "X: y\nBcc: z\r\n\r\n", ALL "X: y Bcc: z\r\n\r\n",
         sizeof(ALL) + 14},
        {"a bare CR makes no field", ALL "X: y\rz\r\n\r\n", ALL "X: y z\r\n\r\n", sizeof(ALL) + 9},
        {"a last line without its end", ALL "X: y", ALL "X: y\r\n\r\n", sizeof(ALL) + 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t body_at = 12345;
        char *out = submit(rows[i].text, &facts, &body_at);
        if (strncmp(out, received, strlen(received)) != 0 ||
            strcmp(out + strlen(received), rows[i].want) != 0)
            fail_msg("%s: «%s»", rows[i].name, out);
        if (body_at != rows[i].body_at)
            fail_msg("%s: body at %zu", rows[i].name, body_at);
        free(out);
    }
}

static void received_tells_who_and_how(void **state)
{
    static const struct {
        const char *name, *helo, *ip, *with, *for_address, *want;
    } rows[] = {
        {"for a single recipient", "c.example", "192.0.2.1", "ESMTPS", "a@b.example",
         "Received: from c.example ([192.0.2.1]) by mail.example.com (mxhelm) with\r\n"
         " ESMTPS id 0123456789BCD for <a@b.example>;\r\n"},
        {"IPv6", "c.example", "2001:db8::1", "ESMTP", "",
         "Received: from c.example ([IPv6:2001:db8::1]) by mail.example.com (mxhelm)\r\n"
         " with ESMTP id 0123456789BCD;\r\n"},
        {"local", "", "", "local", "",
         "Received: by mail.example.com (mxhelm) with local id 0123456789BCD;\r\n"},
        {"no EHLO name", "", "192.0.2.1", "SMTP", "",
         "Received: from unknown ([192.0.2.1]) by mail.example.com (mxhelm) with SMTP id\r\n"
         " 0123456789BCD;\r\n"},
        {"hostile EHLO name", "a) b;\tc(", "192.0.2.1", "SMTP", "",
         "Received: from a??b??c? ([192.0.2.1]) by mail.example.com (mxhelm) with SMTP\r\n"
         " id 0123456789BCD;\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct header_facts f = facts;
        size_t body_at;
        f.helo = rows[i].helo;
        f.client_ip = rows[i].ip;
        f.with = rows[i].with;
        f.for_address = rows[i].for_address;
        char *out = submit(ALL "\r\n", &f, &body_at);
        if (strncmp(out, rows[i].want, strlen(rows[i].want)) != 0)
            fail_msg("%s: «%s»", rows[i].name, out);
        free(out);
    }
}

static void from_is_not_invented_without_a_default(void **state)
{
    struct header_facts f = facts;
    size_t body_at;

    (void)state;
    f.from_default = "";
    char *out = submit("Date: d\r\n\r\n", &f, &body_at);
    assert_null(strstr(out, "From:"));
    free(out);
}

static void the_sender_address_replaces_from_and_keeps_the_user_as_reply_to(void **state)
{
    static const struct {
        const char *name, *text, *want; /* behind Received */
    } rows[] = {
        {"From becomes Reply-To",
         "Date: d\r\nMessage-ID: <m@x>\r\nFrom: A\r\n <a@b.example>\r\n\r\n",
         "Date: d\r\nMessage-ID: <m@x>\r\nFrom: mailer@ours.example\r\n"
         "Reply-To: A\r\n <a@b.example>\r\n\r\n"},
        {"a Reply-To stays", "Date: d\r\nMessage-ID: <m@x>\r\nFrom: a@b\r\nReply-To: r@b\r\n\r\n",
         "Date: d\r\nMessage-ID: <m@x>\r\nReply-To: r@b\r\nFrom: mailer@ours.example\r\n\r\n"},
        {"Sender goes", "Sender: s@b\r\nDate: d\r\nMessage-ID: <m@x>\r\n\r\n",
         "Date: d\r\nMessage-ID: <m@x>\r\nFrom: mailer@ours.example\r\n\r\n"},
        {"a bare LF makes no field", "Date: d\r\nMessage-ID: <m@x>\r\nFrom: a@b\nBcc: c@d\r\n\r\n",
         "Date: d\r\nMessage-ID: <m@x>\r\nFrom: mailer@ours.example\r\n"
         "Reply-To: a@b Bcc: c@d\r\n\r\n"},
    };
    struct header_facts f = facts;

    (void)state;
    f.from_always = "mailer@ours.example";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t body_at;
        char *out = submit(rows[i].text, &f, &body_at);
        if (strcmp(out + strlen(received), rows[i].want) != 0)
            fail_msg("%s: «%s»", rows[i].name, out);
        free(out);
    }
}

static size_t longest_line(const char *text)
{
    size_t longest = 0;

    for (struct str rest = str_of(text); rest.n;) {
        struct str line = str_split(&rest, '\n');
        if (line.n && line.n - 1 > longest)
            longest = line.n - 1;
    }
    return longest;
}

static void long_lines_are_folded_where_they_have_a_blank(void **state)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    size_t body_at;

    (void)state;
    buf_add_z(&text, ALL "References:");
    for (int i = 0; i < 200; i++)
        buf_printf(&text, " <%d.reference@b.example>", i);
    buf_add_z(&text, "\r\n\r\n");
    char *out = submit(buf_text(&text), &facts, &body_at);
    assert_true(longest_line(out) <= LINE_BYTES_MAX);
    /* Unfolded it is what it was. */
    CLEANUP(buf_done) struct buf unfolded = BUF_INIT;
    struct str refs;
    assert_true(header_find(str_of(out), "References", &refs));
    while (refs.n) {
        struct str line = str_split(&refs, '\r');
        buf_add_str(&unfolded, line);
        refs = str_sub(refs, 1, refs.n);
    }
    assert_non_null(strstr(buf_text(&text), buf_text(&unfolded)));
    assert_true(unfolded.n > 4000);
    free(out);
}

static void headers_that_may_not_be_sent_are_refused(void **state)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    CLEANUP(buf_done) struct buf out = BUF_INIT;
    const char *why, *enhanced;
    size_t body_at;

    (void)state;
    buf_add_z(&out, "before");
    for (int i = 0; i < 51; i++)
        buf_add_z(&text, "Received: x\r\n");
    assert_false(header_submit(buf_str(&text), &facts, 50, &out, &body_at, &why, &enhanced));
    assert_string_equal(enhanced, "5.4.6");
    assert_true(header_submit(buf_str(&text), &facts, 51, &out, &body_at, &why, &enhanced));
    buf_truncate(&out, strlen("before"));

    buf_clear(&text);
    for (size_t i = 0; i <= HEADER_BYTES_MAX / 100; i++)
        buf_printf(&text, "X: %095d\r\n", 0);
    assert_false(header_submit(buf_str(&text), &facts, 50, &out, &body_at, &why, &enhanced));
    assert_string_equal(enhanced, "5.3.4");

    buf_clear(&text);
    buf_printf(&text, "X:%0997d\r\n\r\n", 0);
    assert_false(header_submit(buf_str(&text), &facts, 50, &out, &body_at, &why, &enhanced));
    assert_string_equal(enhanced, "5.6.0");
    assert_string_equal(buf_text(&out), "before");

    buf_clear(&text);
    buf_printf(&text, "X:%0996d\r\n\r\n", 0);
    assert_true(header_submit(buf_str(&text), &facts, 50, &out, &body_at, &why, &enhanced));
}

static void repairing_takes_time_in_line_with_the_size(void **state)
{
    CLEANUP(buf_done) struct buf out = BUF_INIT;
    static char text[HEADER_BYTES_MAX];
    const char *why, *enhanced;
    size_t body_at;

    (void)state;
    /* Anything quadratic over 256 KiB would need minutes under the sanitizers. */
    static const char *const patterns[] = {"X:\r\n ", "a", " ", "(", "\r\n", "X: \r\n", "=?", "\""};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        struct str header = {text, sizeof(text)};
        struct msg_digest digest;
        size_t n = strlen(patterns[i]);
        memcpy(text, "Subject: ", 9);
        for (size_t at = 9; at < sizeof(text); at++)
            text[at] = patterns[i][(at - 9) % n];
        clock_t before = clock();
        buf_clear(&out);
        header_submit(header, &facts, 50, &out, &body_at, &why, &enhanced);
        header_digest(header, &digest);
        header_hops(header);
        assert_true(clock() - before < 2 * CLOCKS_PER_SEC);
    }
}

static void own_fields_fold_at_78_columns(void **state)
{
    CLEANUP(buf_done) struct buf out = BUF_INIT;
    size_t column = 2;

    (void)state;
    buf_add_z(&out, "X:");
    for (int i = 0; i < 60; i++)
        header_fold_word(&out, &column, STR("words"));
    buf_add_z(&out, "\r\n");
    assert_true(longest_line(buf_text(&out)) <= 78);
    assert_true(longest_line(buf_text(&out)) > 70);
    assert_null(strstr(buf_text(&out), "\r\n\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_walked_until_the_header_ends),
        cmocka_unit_test(whole_fields_join_to_the_header),
        cmocka_unit_test(the_first_field_of_a_name_is_found),
        cmocka_unit_test(hops_are_counted_in_the_header_only),
        cmocka_unit_test(texts_are_decoded_for_people),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
        cmocka_unit_test(a_digest_has_the_first_of_each),
        cmocka_unit_test(headers_are_repaired),
        cmocka_unit_test(received_tells_who_and_how),
        cmocka_unit_test(from_is_not_invented_without_a_default),
        cmocka_unit_test(the_sender_address_replaces_from_and_keeps_the_user_as_reply_to),
        cmocka_unit_test(long_lines_are_folded_where_they_have_a_blank),
        cmocka_unit_test(headers_that_may_not_be_sent_are_refused),
        cmocka_unit_test(repairing_takes_time_in_line_with_the_size),
        cmocka_unit_test(own_fields_fold_at_78_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
