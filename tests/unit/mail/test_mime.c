/* SPDX-License-Identifier: ISC */
/* Content is made fit for a next hop, and nothing else of it changes. */
#include "core/mail/mime.h"
#include "core/mail/msg.h"
#include "tests/unit/unit.h"

#define UE    "\xc3\xbc"
#define SZ    "\xc3\x9f"
#define T50   "0123456789012345678901234567890123456789abcdefghij"
#define T500  T50 T50 T50 T50 T50 T50 T50 T50 T50 T50
#define T1000 T500 T500

static bool convert(enum mime_target to, struct str text, size_t step, struct buf *out)
{
    struct mime *m = mime_new(to);
    bool is_fine = true;

    for (size_t i = 0; i < text.n && is_fine; i += step)
        is_fine = mime_add(m, str_sub(text, i, i + step), out);
    is_fine = is_fine && mime_end(m, out);
    assert_true(is_fine == !mime_why(m));
    if (!is_fine) {
        buf_clear(out);
        buf_add_z(out, mime_why(m));
    }
    mime_free(m);
    return is_fine;
}

struct row {
    const char *name, *in, *want; /* want: what comes out, or "!" and a part of why it cannot be */
};

static void check_row(const struct row *row, enum mime_target to)
{
    static const size_t steps[] = {SIZE_MAX / 2, 1, 7};

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct buf out CLEANUP(buf_done) = BUF_INIT;
        bool is_fine = convert(to, str_of(row->in), steps[i], &out);
        row_int(row->name, is_fine, row->want[0] != '!');
        if (is_fine)
            row_text(row->name, buf_text(&out), row->want);
        else if (!strstr(buf_text(&out), row->want + 1))
            fail_msg("row \"%s\": the reason is \"%s\"", row->name, buf_text(&out));
    }
}

static void check_rows(const struct row *rows, size_t n, enum mime_target to)
{
    for (size_t i = 0; i < n; i++)
        check_row(&rows[i], to);
}

#define PLAIN  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
#define IS_QP  "Content-Transfer-Encoding: quoted-printable\r\n"
#define IS_B64 "Content-Transfer-Encoding: base64\r\n"
#define IS_8   "Content-Transfer-Encoding: 8bit\r\n"
#define IS_7   "Content-Transfer-Encoding: 7bit\r\n"

static void text_becomes_quoted_printable(void **state)
{
    static const struct row rows[] = {
        {"what is fit is not touched", PLAIN "\r\nplain = text\r\n", PLAIN "\r\nplain = text\r\n"},
        {"a field says so", PLAIN "\r\nGr" UE SZ "e\r\n", PLAIN IS_QP "\r\nGr=C3=BC=C3=9Fe\r\n"},
        {"the field is replaced", PLAIN IS_8 "X: y\r\n\r\n" UE "\r\n",
         PLAIN "X: y\r\n" IS_QP "\r\n=C3=BC\r\n"},
        {"all of them", PLAIN IS_8 IS_7 "\r\n" UE "\r\n", PLAIN IS_QP "\r\n=C3=BC\r\n"},
        {"8bit that is not", PLAIN IS_8 "\r\nx\r\n", PLAIN IS_7 "\r\nx\r\n"},
        {"no MIME at all, UTF-8", "Subject: x\r\n\r\n" UE "\r\n",
         "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" IS_QP
         "\r\n=C3=BC\r\n"},
        {"no MIME at all, not UTF-8", "Subject: x\r\n\r\n\xfc\r\n",
         "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
         "charset=unknown-8bit\r\n" IS_QP "\r\n=FC\r\n"},
        {"=, blanks at the end of a line", PLAIN "\r\n" UE "=\r\na b \t\r\n \r\nc ",
         PLAIN IS_QP "\r\n=C3=BC=3D\r\na b =09\r\n=20\r\nc=20"},
        {"no end of line", PLAIN "\r\n" UE, PLAIN IS_QP "\r\n=C3=BC"},
        {"lone CR, LF", PLAIN "\r\na\rb\nc \r d\r", PLAIN IS_QP "\r\na=0Db=0Ac =0D d=0D"},
        {"a line over 75", PLAIN "\r\n" UE T50 T50 "\r\n",
         PLAIN IS_QP "\r\n=C3=BC" T50 "0123456789012345678=\r\n"
                     "901234567890123456789abcdefghij\r\n"},
        {"text without a right type", "MIME-Version: 1.0\r\nContent-Type: text\r\n\r\n" UE "\r\n",
         "MIME-Version: 1.0\r\nContent-Type: text\r\n" IS_QP "\r\n=C3=BC\r\n"},
        {"a header alone", "Subject: x\r\n", "Subject: x\r\n"},
        {"no header", "\r\n" UE "\r\n",
         "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" IS_QP "\r\n=C3=BC\r\n"},
        {"a line that is no field ends the header", "X: y\r\nhello " UE "\r\n",
         "X: y\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" IS_QP
         "\r\nhello =C3=BC\r\n"},
        {"nothing", "", ""},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), MIME_TO_7BIT);
}

static void what_is_no_text_becomes_base64(void **state)
{
    static const struct row rows[] = {
        {"base64", "Content-Type: application/x\r\nMIME-Version: 1.0\r\n\r\na" UE "\r\n",
         "Content-Type: application/x\r\nMIME-Version: 1.0\r\n" IS_B64 "\r\nYcO8DQo=\r\n"},
        {"message/global", "Content-Type: message/global\r\nMIME-Version: 1.0\r\n" IS_8 "\r\n" UE,
         "Content-Type: message/global\r\nMIME-Version: 1.0\r\n" IS_B64 "\r\nw7w=\r\n"},
        {"lines of 76", "Content-Type: application/x\r\nMIME-Version: 1.0\r\n\r\n" UE T50 "0123456",
         "Content-Type: application/x\r\nMIME-Version: 1.0\r\n" IS_B64
         "\r\nw7wwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5YWJjZGVmZ2hpajAxMjM0\r\n"
         "NTY=\r\n"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), MIME_TO_7BIT);
}

#define MIXED(more)                                                                                \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n" more "\r\n"

static void parts_are_encoded_one_by_one(void **state)
{
    static const struct row rows[] = {
        {"only what must be",
         MIXED(IS_8) "pre\r\n--b\r\n\r\n7\r\n--b\r\nContent-Type: text/x\r\n\r\n" UE
                     "\r\n--b\r\nContent-Type: image/x\r\n\r\n\xff\r\n--b--\r\npost\r\n",
         MIXED(IS_7) "pre\r\n--b\r\n\r\n7\r\n--b\r\nContent-Type: text/x\r\n" IS_QP
                     "\r\n=C3=BC\r\n--b\r\nContent-Type: image/x\r\n" IS_B64
                     "\r\n/w==\r\n--b--\r\npost\r\n"},
        {"the blank before a boundary is the part's", MIXED("") "--b\r\n\r\n" UE " \r\n--b--\r\n",
         MIXED("") "--b\r\nContent-Type: text/plain; charset=utf-8\r\n" IS_QP
                   "\r\n=C3=BC=20\r\n--b--\r\n"},
        {"blanks behind a boundary", MIXED("") "--b \t\r\n\r\n\xff\r\n--b-- \r\n",
         MIXED("") "--b \t\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" IS_QP
                   "\r\n=FF\r\n--b-- \r\n"},
        {"nearly a boundary",
         MIXED("") "--b\r\nContent-Type: text/x\r\n\r\n--bb\r\n--b-\r\n\xff\r\n--b--",
         MIXED("") "--b\r\nContent-Type: text/x\r\n" IS_QP "\r\n--bb\r\n--b-\r\n=FF\r\n--b--"},
        {"the outer one ends the inner one",
         MIXED("") "--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\nContent-Type: "
                   "text/x\r\n\r\n" UE "\r\n--b\r\n\r\n--c\r\n",
         MIXED("") "--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\nContent-Type: "
                   "text/x\r\n" IS_QP "\r\n=C3=BC\r\n--b\r\n\r\n--c\r\n"},
        {"a part that ends in its header", MIXED("") "--b\r\nX: " UE "\r\n--b\r\n--b--",
         MIXED("") "--b\r\nX: =?utf-8?Q?=C3=BC?=\r\n--b\r\n--b--"},
        {"a message within",
         MIXED("") "--b\r\nContent-Type: message/rfc822\r\n" IS_8 "\r\nSubject: " UE
                   "\r\nContent-Type: text/x\r\n\r\n" UE "\r\n--b--\r\n",
         MIXED("") "--b\r\nContent-Type: message/rfc822\r\n" IS_7
                   "\r\nSubject: =?utf-8?Q?=C3=BC?=\r\nContent-Type: text/x\r\nMIME-Version: "
                   "1.0\r\n" IS_QP "\r\n=C3=BC\r\n--b--\r\n"},
        {"a digest",
         "MIME-Version: 1.0\r\nContent-Type: Multipart/Digest (x); x=\";\"; "
         "boundary=\"\\b\"\r\n\r\n"
         "--b\r\n\r\nMIME-Version: 1\r\nContent-Type: text/x\r\n\r\n" UE,
         "MIME-Version: 1.0\r\nContent-Type: Multipart/Digest (x); x=\";\"; "
         "boundary=\"\\b\"\r\n\r\n"
         "--b\r\n\r\nMIME-Version: 1\r\nContent-Type: text/x\r\n" IS_QP "\r\n=C3=BC"},
        {"around the parts",
         MIXED("") "pr" UE "\r\n\r\n--b\r\n\r\nx\r\n--b--\r\np" UE "\r\n\r\n--b\r\n",
         MIXED("") "pr??\r\n\r\n--b\r\n\r\nx\r\n--b--\r\np??\r\n\r\n--b\r\n"},
        {"no part ever comes", MIXED("") "pr" UE "\r\n--b--\r\n", "!first part"},
        {"nor the boundary's name", "Content-Type: multipart/x\r\n\r\n" UE,
         "!told from each other"},
        {"an odd boundary", "Content-Type: multipart/x; boundary=" UE "\r\n\r\n\xff", "!"},
        {"a lone LF in a header", MIXED("") "--b\r\nX: y\nContent-Type: a/b\r\n\r\n", "!alone"},
        {"more than a boundary",
         "Content-Type: multipart/x; boundary=\"b\" x\r\n\r\n--b\r\n\r\n" UE, "!each other"},
        {"more than a coding", "Content-Transfer-Encoding: base64 x\r\n\r\n" UE, "!not known"},
        {"a boundary twice",
         "Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/x; "
         "boundary=b\r\n\r\n" UE,
         "!shares"},
        {"the last boundary behind the first", MIXED("") "--b\r\n--b--\r\n" UE, "!first part"},
        {"nor before what is encoded", IS_QP "\r=C3=BC: y\r\n", "!no end"},
        {"a header that begins with a blank", MIXED("") "--b\r\n x\r\n" UE, "!blank"},
        {"no end of a header", MIXED("") "--b\r\nContent-Type: multipart/x; boundary=c\r\n" UE,
         "!no end"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), MIME_TO_7BIT);
}

static void what_is_encoded_stays_so(void **state)
{
    static const struct row rows[] = {
        {"quoted-printable", IS_QP "\r\n=C3=BC   \r\n=\r\n" T50 T50 "\r\n",
         IS_QP "\r\n=C3=BC   \r\n=\r\n" T50 T50 "\r\n"},
        {"not quite", IS_QP "\r\na=3D" UE "=\r\nb\r\n", IS_QP "\r\na=3D=C3=BC=\r\nb\r\n"},
        {"base64 in one line", IS_B64 "\r\n" T1000 "\r\nabcd\r\n",
         IS_B64 "\r\n" T50 "01234567890123456789012345\r\n67890123456789abcdefghij" T50 "01\r\n"
                "23456789012345678901234567890123456789abcdefghij0123456789012345678901234567\r\n"
                "890123456789abcdefghij" T50 "0123\r\n"
                "456789012345678901234567890123456789abcdefghij012345678901234567890123456789\r\n"
                "0123456789abcdefghij" T50 "012345\r\n"
                "6789012345678901234567890123456789abcdefghij01234567890123456789012345678901\r\n"
                "23456789abcdefghij" T50 "01234567\r\n"
                "89012345678901234567890123456789abcdefghij0123456789012345678901234567890123\r\n"
                "456789abcdefghij" T50 "0123456789\r\n"
                "012345678901234567890123456789abcdefghij012345678901234567890123456789012345\r\n"
                "6789abcdefghij" T50 "012345678901\r\n"
                "2345678901234567890123456789abcdefghij01234567890123456789012345678901234567\r\n"
                "89abcdefghij\r\nabcd\r\n"},
        {"base64 that is none", IS_B64 "\r\nab" UE "cd\r\n", "!base64"},
        {"not in a long line either", IS_B64 "\r\n" T1000 "-\r\n", "!base64"},
        {"an unknown coding, fit", "Content-Transfer-Encoding: x-uu\r\n\r\nx\r\n",
         "Content-Transfer-Encoding: x-uu\r\n\r\nx\r\n"},
        {"a second coding, not fit", IS_7 "Content-Transfer-Encoding: 7b\xdft\r\n\r\n" UE,
         "!not known"},
        {"an unknown coding, not fit", "Content-Transfer-Encoding: x-uu\r\n\r\n" UE, "!not known"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), MIME_TO_7BIT);
}

static void signed_content_is_not_touched(void **state)
{
    static const struct row rows[] = {
        {"fit", "DKIM-Signature: x\r\n" IS_8 "\r\nx\r\n", "DKIM-Signature: x\r\n" IS_8 "\r\nx\r\n"},
        {"DKIM, the body", "DKIM-Signature: x\r\n" PLAIN "\r\n" UE, "!signed"},
        {"DKIM, the header", "DKIM-Signature: x\r\nSubject: " UE "\r\n\r\n", "!signed"},
        {"DKIM, a header without an end", "DKIM-Signature: x\r\nSubject: " UE "\r\n", "!signed"},
        {"of a message within, nobody looks at it",
         "Content-Type: message/rfc822\r\n\r\nDKIM-Signature: x\r\n" PLAIN "\r\n" UE,
         "Content-Type: message/rfc822\r\n\r\nDKIM-Signature: x\r\n" PLAIN IS_QP "\r\n=C3=BC"},
        {"multipart/signed, fit beside what is not",
         MIXED("") "--b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n" IS_8
                   "\r\nx\r\n--c--\r\n--b\r\nContent-Type: text/x\r\n\r\n" UE "\r\n--b--",
         MIXED("") "--b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n" IS_8
                   "\r\nx\r\n--c--\r\n--b\r\nContent-Type: text/x\r\n" IS_QP "\r\n=C3=BC\r\n--b--"},
        {"multipart/signed", "Content-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n\r\n" UE,
         "!signed"},
        {"message/partial", "Content-Type: message/partial\r\n\r\n" UE, "!message/"},
        {"an encoded message", "Content-Type: message/rfc822\r\n" IS_QP "\r\n" UE, "!message/"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), MIME_TO_7BIT);
}

static void header_fields_are_encoded_where_that_is_allowed(void **state)
{
    static const struct row rows[] = {
        {"text", "Subject: Gr" UE SZ "e an alle\r\n",
         "Subject: =?utf-8?B?R3LDvMOfZQ==?= an alle\r\n"},
        {"between encoded words the blank goes in", "Subject: " UE "a " UE "b c\r\n",
         "Subject: =?utf-8?Q?=C3=BCa?= =?utf-8?Q?_=C3=BCb?= c\r\n"},
        {"also beside theirs", "Subject: =?x?q?a?= " UE "  =?x?q?b?=\r\n",
         "Subject: =?x?q?a?= =?utf-8?Q?_=C3=BC__?=  =?x?q?b?=\r\n"},
        {"not UTF-8", "Comments: \xfc\r\n", "Comments: =?unknown-8bit?Q?=FC?=\r\n"},
        {"folded", "Subject: a\r\n\t" UE "\r\n", "Subject: a\t=?utf-8?Q?=C3=BC?=\r\n"},
        {"a name", "From: J" UE "rgen von M" UE "ller <j@a.example>\r\n",
         "From: =?utf-8?Q?J=C3=BCrgen?= von =?utf-8?Q?M=C3=BCller?= <j@a.example>\r\n"},
        {"a quoted name", "To: x@b.example, \"M" UE "ller, \\\"J\\\"\"<j@a.example>\r\n",
         "To: x@b.example, =?utf-8?B?TcO8bGxlciwgIkoi?= <j@a.example>\r\n"},
        {"a group", "To: Fr" UE "h: a@b.example;\r\n",
         "To: =?utf-8?Q?Fr=C3=BCh?= : a@b.example;\r\n"},
        {"a comment",
         "Date: Tue, 24 Nov 2026 10:00:00 +0100 (Mitteleurop\xe4ische Zeit (\\\xfc))\r\n",
         "Date: Tue, 24 Nov 2026 10:00:00 +0100 (\r\n "
         "=?unknown-8bit?Q?Mitteleurop=E4ische?= Zeit ( =?unknown-8bit?Q?=FC?=))\r\n"},
        {"an address", "From: J <j" UE "@a.example>\r\n", "!header"},
        {"an address without a name", "From: j" UE "@a.example\r\n", "!header"},
        {"a Message-ID", "Message-ID: <" UE "@x>\r\n", "!header"},
        {"a parameter", "Content-Disposition: attachment; filename=\"" UE ".txt\"; size=3\r\n",
         "Content-Disposition: attachment;\r\n\tfilename*=utf-8''%C3%BC.txt; size=3\r\n"},
        {"a parameter without quotes", "Content-Type: a/b; name=Gro\xdf x.txt\r\n",
         "Content-Type: a/b;\r\n\tname*=unknown-8bit''Gro%DF%20x.txt\r\n"},
        {"a long parameter",
         "Content-Type: a/b; name=\"" UE UE UE UE UE UE UE UE UE UE UE UE UE "\"\r\n",
         "Content-Type: "
         "a/b;\r\n\tname*0*=utf-8''%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC;"
         "\r\n\tname*1*=%C3%BC%C3%BC%C3%BC%C3%BC\r\n"},
        {"a type", "Content-Type: " UE "/b\r\n", "!header"},
        {"a parameter's name", "Content-Type: a/b; " UE "=x\r\n", "!header"},
        {"a parameter encoded half", "Content-Type: a/b; name*=utf-8''" UE "\r\n", "!header"},
        {"a line too long", "X: " T500 " " T500 "\r\n", "X: " T500 "\r\n " T500 "\r\n"},
        {"one without a blank", "X: " T1000 "\r\n", "!no blank"},
        {"what is fit beside it", "X:y\r\nSubject:  z  \r\nComments: " UE "\r\nTo : a\r\n",
         "X:y\r\nSubject:  z  \r\nComments: =?utf-8?Q?=C3=BC?=\r\nTo : a\r\n"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), MIME_TO_7BIT);
}

static void long_text_in_a_header_becomes_words_of_75(void **state)
{
    struct buf in CLEANUP(buf_done) = BUF_INIT, out CLEANUP(buf_done) = BUF_INIT;

    (void)state;
    buf_add_z(&in, "Subject: ");
    for (unsigned i = 0; i < 600; i++)
        buf_add_z(&in, i % 2 ? UE : "\xe2\x82\xac");
    buf_add_z(&in, "\r\n");
    assert_true(mime_header_encode(buf_str(&in), &out));
    struct str rest = buf_str(&out);
    assert_true(str_starts(rest, STR("Subject: =?utf-8?B?")));
    while (rest.n)
        assert_in_range(str_split(&rest, '\n').n, 1, 79);
}

static void only_lines_matter_where_8bit_is_taken(void **state)
{
    static const struct row rows[] = {
        {"8-bit", "Subject: " UE "\r\n" PLAIN IS_8 "\r\n" UE "\r\n",
         "Subject: " UE "\r\n" PLAIN IS_8 "\r\n" UE "\r\n"},
        {"signed 8-bit", "DKIM-Signature: x\r\n\r\n" UE, "DKIM-Signature: x\r\n\r\n" UE},
        {"998 octets",
         PLAIN "\r\n" T500 T50 T50 T50 T50 T50 T50 T50 T50 T50 "012345678901234567890123456789"
               "012345678901234567\r\n",
         PLAIN "\r\n" T500 T50 T50 T50 T50 T50 T50 T50 T50 T50 "012345678901234567890123456789"
               "012345678901234567\r\n"},
        {"a lone LF", PLAIN IS_8 "\r\n" UE "\n\r\n", PLAIN IS_QP "\r\n=C3=BC=0A\r\n"},
        {"signed", "DKIM-Signature: x\r\n\r\n" T1000, "!signed"},
        {"8-bit parts stay beside it",
         MIXED(IS_8) "--b\r\n" IS_8 "\r\n" UE "\r\n--b\r\nContent-Type: a/b\r\n\r\n\n\r\n--b--\r\n",
         MIXED(IS_8) "--b\r\n" IS_8 "\r\n" UE "\r\n--b\r\nContent-Type: a/b\r\n" IS_B64
                     "\r\nCg==\r\n--b--\r\n"},
        {"a field that can only be encoded", "X: " UE T1000 "\r\n", NULL},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows) - 1, MIME_TO_8BIT);
    struct buf out CLEANUP(buf_done) = BUF_INIT;
    assert_true(convert(MIME_TO_8BIT, str_of(rows[ARRAY_LEN(rows) - 1].in), 99, &out));
    assert_true(str_starts(buf_str(&out), STR("X: =?utf-8?Q?=C3=BC0123")));
}

static void a_soft_line_break_makes_no_boundary(void **state)
{
    struct buf in CLEANUP(buf_done) = BUF_INIT, out CLEANUP(buf_done) = BUF_INIT;

    (void)state;
    buf_add_z(&in, MIXED("") "--b\r\n\r\n" UE T50 "0123456789012345678--b--\r\n--b--\r\n");
    assert_true(convert(MIME_TO_7BIT, buf_str(&in), 1000, &out));
    assert_non_null(strstr(buf_text(&out), "=\r\n=2D-b--\r\n--b--\r\n"));
}

static void a_scan_tells_what_content_asks_for(void **state)
{
    static const struct {
        const char *name, *in;
        unsigned flags;
        bool is_8bit_refused;
    } rows[] = {
        {"nothing", PLAIN "\r\nx\r\n", 0, false},
        {"8-bit", PLAIN "\r\n" UE, MSG_8BIT, false},
        {"8-bit in a header", "X: " UE "\r\n\r\n", MSG_8BIT, false},
        {"8-bit in an address", "To: <" UE "@x>\r\n\r\n", MSG_8BIT | MSG_FIXED, false},
        {"a long line", PLAIN "\r\n" T1000, MSG_LINES, false},
        {"a long line without its end", "X: " T1000, MSG_LINES | MSG_FIXED, true},
        {"long base64", IS_B64 "\r\n" T1000, MSG_LINES, false},
        {"no base64", IS_B64 "\r\n" UE, MSG_8BIT | MSG_FIXED, false},
        {"a lone CR", PLAIN "\r\n\r \r\n", MSG_LINES, false},
        {"signed and fit", "DKIM-Signature: x\r\n\r\nx\r\n", 0, false},
        {"signed, 8-bit", "DKIM-Signature: x\r\n\r\n" UE, MSG_8BIT | MSG_FIXED, false},
        {"signed, long", "DKIM-Signature: x\r\n\r\n" T1000, MSG_LINES | MSG_FIXED, true},
        {"signed, both", "DKIM-Signature: x\r\n\r\n" T1000 "\r\n" UE,
         MSG_8BIT | MSG_LINES | MSG_FIXED, true},
        {"no part", MIXED("") "--b--\r\n" UE, MSG_8BIT | MSG_FIXED, false},
        {"a preamble alone", MIXED("") UE, MSG_8BIT | MSG_FIXED, false},
        {"around the parts", MIXED("") UE "\r\n--b\r\n\r\n--b--\r\n" UE, MSG_8BIT, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mime *m = mime_new_scan();
        row_int(rows[i].name, mime_add(m, str_of(rows[i].in), NULL), true);
        row_int(rows[i].name, mime_end(m, NULL), true);
        row_int(rows[i].name, mime_facts_flags(mime_scan_facts(m)), rows[i].flags);
        row_int(rows[i].name, mime_scan_facts(m)->no_8bit_why != NULL, rows[i].is_8bit_refused);
        row_int(rows[i].name, mime_flags(str_of(rows[i].in)), rows[i].flags);
        mime_free(m);
    }
}

/* --- sizes --- */

static void add_times(struct buf *b, const char *text, size_t times)
{
    while (times--)
        buf_add_z(b, text);
}

static void a_long_part_is_encoded_without_waiting(void **state)
{
    struct buf in CLEANUP(buf_done) = BUF_INIT, out CLEANUP(buf_done) = BUF_INIT;

    (void)state;
    buf_add_z(&in, "Subject: x\r\n\r\n");
    add_times(&in, "a line\r\n", MIME_LOOK_MAX / 8 + 1);
    buf_add_z(&in, UE "\r\n");
    assert_true(convert(MIME_TO_7BIT, buf_str(&in), 1 << 18, &out));
    assert_non_null(strstr(buf_text(&out), "charset=utf-8\r\n" IS_QP "\r\na line\r\na line\r\n"));
    assert_true(str_ends(buf_str(&out), STR("a line\r\n=C3=BC\r\n")));
}

static void hostile_shapes_are_walked_in_bounded_memory(void **state)
{
    static const struct {
        const char *name, *first, *again, *last;
        size_t times;
        bool is_fine;
    } rows[] = {
        {"nested messages", "", "Content-Type: message/rfc822\r\n\r\n", UE, 100000, true},
        {"multiparts that share a boundary", "",
         "Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n", "\r\n\xff\r\n", 10000, true},
        {"10,000 parts", MIXED(""), "--b\r\n\r\n\xff\r\n", "--b--", 10000, true},
        {"boundaries only", MIXED(""), "--b\r\n", UE, 200000, true},
        {"a line of 10 MiB in a body", PLAIN "\r\n", T1000 UE, "\r\n", 10000, true},
        {"a line of 10 MiB in a header", "X: ", T1000, UE "\r\n\r\n", 10000, false},
        {"a part's header of 10 MiB, fit", MIXED("") "--b\r\n", "X: y\r\n", "\r\nx\r\n", 1700000,
         true},
        {"a part's header of 10 MiB", MIXED("") "--b\r\n", "X: y\r\n", "\r\n" UE "\r\n", 1700000,
         false},
        {"a preamble of 10 MiB", MIXED(""), "x\r\n", UE "\r\n--b\r\n", 3000000, false},
        {"an epilogue of 10 MiB", MIXED("") "--b\r\n\r\n--b--\r\n", UE, "\r\n", 5000000, true},
        {"names of 250 KiB", "From: ", UE " ", "<a@b>\r\n\r\n", 80000, true},
        {"words of 250 KiB", "From: ", UE " ", "\r\n\r\n", 80000, false},
        {"blanks", PLAIN "\r\n" UE, " ", "\r\n", 5000000, true},
        {"lone CRs", PLAIN "\r\n" UE, "\r", "", 5000000, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf in CLEANUP(buf_done) = BUF_INIT, out CLEANUP(buf_done) = BUF_INIT;
        buf_add_z(&in, rows[i].first);
        add_times(&in, rows[i].again, rows[i].times);
        buf_add_z(&in, rows[i].last);
        row_int(rows[i].name, convert(MIME_TO_7BIT, buf_str(&in), 1 << 18, &out), rows[i].is_fine);
        row_int(rows[i].name, !(mime_flags(buf_str(&in)) & MSG_FIXED), rows[i].is_fine);
    }
}

static void parts_nested_too_deeply_are_not_touched(void **state)
{
    (void)state;
    for (unsigned depth = 1; depth < 10000; depth = depth < 40 ? depth + 1 : depth * 10) {
        struct buf in CLEANUP(buf_done) = BUF_INIT, out CLEANUP(buf_done) = BUF_INIT;
        for (unsigned i = 0; i < depth; i++)
            buf_printf(&in, "Content-Type: multipart/x; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
        buf_add_z(&in, "\r\nx\r\n");
        assert_true(convert(MIME_TO_7BIT, buf_str(&in), 1000, &out));
        assert_true(str_eq(buf_str(&in), buf_str(&out)));
        buf_add_z(&in, UE);
        buf_clear(&out);
        assert_int_equal(convert(MIME_TO_7BIT, buf_str(&in), 1000, &out), depth <= MIME_DEPTH_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_quoted_printable),
        cmocka_unit_test(what_is_no_text_becomes_base64),
        cmocka_unit_test(parts_are_encoded_one_by_one),
        cmocka_unit_test(what_is_encoded_stays_so),
        cmocka_unit_test(signed_content_is_not_touched),
        cmocka_unit_test(header_fields_are_encoded_where_that_is_allowed),
        cmocka_unit_test(long_text_in_a_header_becomes_words_of_75),
        cmocka_unit_test(only_lines_matter_where_8bit_is_taken),
        cmocka_unit_test(a_soft_line_break_makes_no_boundary),
        cmocka_unit_test(a_scan_tells_what_content_asks_for),
        cmocka_unit_test(a_long_part_is_encoded_without_waiting),
        cmocka_unit_test(parts_nested_too_deeply_are_not_touched),
        cmocka_unit_test(hostile_shapes_are_walked_in_bounded_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
