/* SPDX-License-Identifier: ISC */
/* Delivery status reports: what people read, what programs read, and what strangers cannot do to it.
 * tests/unit/mail/dsn_reports.py reads the same reports with another MIME reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/mail/dsn.h"

#define NOW INT64_C(1795507334000) /* Tue, 24 Nov 2026 08:02:14 +0000 */

static const char original[] = "Received: by mail.example.com\r\nFrom: alice@ours.example\r\n"
                               "Subject: Hello\r\n\r\nthe body\r\n";

/* A message, one recipient and its outcome; tests change what they are about. */
struct sample {
    struct message m;
    struct outcome o;
    struct dsn_rcpt r;
    struct dsn_in in;
};

static void sample_init(struct sample *s)
{
    *s = (struct sample){0};
    s->m.arrival_wall_ms = NOW - 2 * HOUR_MS;
    str_copy(STR("alice@ours.example"), s->m.reverse_path, sizeof(s->m.reverse_path));
    str_copy(STR("Hello"), s->m.digest.subject, sizeof(s->m.digest.subject));
    str_copy(STR("<1@ours.example>"), s->m.digest.message_id, sizeof(s->m.digest.message_id));
    outcome_from_reply(&s->o, STAGE_RCPT, 550, STR("5.1.1"), STR("5.1.1 No such user here"));
    str_copy(STR("mx.b.example"), s->o.host, sizeof(s->o.host));
    str_copy(STR("192.0.2.1"), s->o.ip, sizeof(s->o.ip));
    s->r = (struct dsn_rcpt){.address = "bob@b.example",
                             .orcpt = "",
                             .action = DSN_ACT_FAILED,
                             .outcome = &s->o,
                             .last_try_wall_ms = NOW - MINUTE_MS,
                             .tries = 1};
    s->in = (struct dsn_in){.message = &s->m,
                            .rcpts = &s->r,
                            .rcpts_n = 1,
                            .hostname = "mail.example.com",
                            .now_wall_ms = NOW,
                            .random = 0xfeedface,
                            .original = STR(original),
                            .is_full = true};
}

static char *write_report(const struct dsn_in *in)
{
    struct buf out = BUF_INIT;

    dsn_write(in, &out);
    return buf_take(&out);
}

/* The report with the lines of each paragraph joined: wrapping must not hide a phrase from a test. */
static char *unwrapped(const char *report)
{
    struct buf flat = BUF_INIT;

    while (*report) {
        if (strncmp(report, "\r\n", 2) != 0) {
            buf_add_c(&flat, *report++);
            continue;
        }
        buf_add_c(&flat, ' ');
        report += 2;
        report += strspn(report, " ");
    }
    return buf_take(&flat);
}

/* Lines as they are, or words of a paragraph. */
static void expect(const char *report, const char *want)
{
    char *flat = unwrapped(report);

    if (!strstr(report, want) && !strstr(flat, want)) {
        printf("%s", report);
        fail_msg("«%s» is missing", want);
    }
    free(flat);
}

static void expect_not(const char *report, const char *unwanted)
{
    if (strstr(report, unwanted)) {
        printf("%s", report);
        fail_msg("«%s» is in it", unwanted);
    }
}

/* Every line ends in CRLF, none is too long, nothing but printable 7-bit text unless allowed. */
static void expect_sound_lines(const char *report, bool may_be_8bit)
{
    struct str rest = str_of(report);

    assert_true(str_ends(rest, STR("\r\n")));
    while (rest.n) {
        struct str line = str_split(&rest, '\n');
        assert_true(line.n > 0 && line.p[line.n - 1] == '\r');
        line.n--;
        if (line.n > 998)
            fail_msg("a line of %zu octets", line.n);
        for (size_t i = 0; i < line.n; i++) {
            unsigned char c = (unsigned char)line.p[i];
            if ((c < ' ' && c != '\t') || c == 0x7f || (c > 0x7f && !may_be_8bit))
                fail_msg("octet %02x in %.*s", c, STR_ARG(line));
        }
    }
}

static void a_failure_report_is_complete(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    str_copy(STR("QQ 314"), s.m.envid, sizeof(s.m.envid));
    s.r.orcpt = "rfc822;Bob@alias.example";
    char *report = write_report(&s.in);
    static const char *const wants[] = {
        "From: Mail Delivery System <MAILER-DAEMON@mail.example.com>\r\n",
        "To: <alice@ours.example>\r\n",
        "Subject: Undelivered mail: Hello\r\n",
        "Date: Tue, 24 Nov 2026 08:02:14 +0000\r\n",
        "Message-ID: <report.1795507334000.00000000feedface@mail.example.com>\r\n",
        "In-Reply-To: <1@ours.example>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"",
        "Your message could not be delivered to this recipient, and is not tried any more: "
        "bob@b.example",
        "What happened: the recipient's mail server refused the message.\r\n",
        "    Why: host mx.b.example[192.0.2.1] said: 550 5.1.1 No such user here (in\r\n"
        "      reply to RCPT TO command)\r\n",
        "What to do: Check the address for slips.",
        "Last tried: Tue, 24 Nov 2026 08:01:14 +0000, 1 try in all.",
        "Content-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: QQ 314\r\n"
        "Reporting-MTA: dns; mail.example.com\r\n"
        "Arrival-Date: Tue, 24 Nov 2026 06:02:14 +0000\r\n\r\n"
        "Original-Recipient: rfc822; Bob@alias.example\r\n"
        "Final-Recipient: rfc822; bob@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Remote-MTA: dns; mx.b.example\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n"
        "Last-Attempt-Date: Tue, 24 Nov 2026 08:01:14 +0000\r\n",
        "Content-Type: message/rfc822\r\n\r\nReceived: by mail.example.com\r\n",
        "\r\n\r\nthe body\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(wants); i++)
        expect(report, wants[i]);
    expect_not(report, "Will-Retry-Until");
    expect_not(report, "Content-Transfer-Encoding");
    expect_sound_lines(report, false);
    free(report);
}

static void the_header_alone_is_returned_when_asked(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    s.in.is_full = false; /* although the body was handed over: RFC 8689 5 */
    char *report = write_report(&s.in);
    expect(report, "Content-Type: text/rfc822-headers\r\n\r\nReceived: by");
    expect(report, "Subject: Hello\r\n\r\n--");
    expect_not(report, "the body");
    free(report);
    s.in.original = STR_NONE;
    report = write_report(&s.in);
    expect_not(report, "rfc822-headers");
    free(report);
}

static void an_expired_message_quotes_the_last_answer(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    outcome_from_errno(&s.o, STAGE_CONNECT, 110);
    str_copy(STR("mx.b.example"), s.o.host, sizeof(s.o.host));
    str_copy(STR("192.0.2.1"), s.o.ip, sizeof(s.o.ip));
    s.o.port = 25;
    s.r.is_expired = true;
    s.r.tries = 31;
    s.m.arrival_wall_ms = NOW - 5 * DAY_MS;
    char *report = write_report(&s.in);
    expect(report, "What happened: it could not be delivered for 5d00h, and is given up.");
    expect(report, "The last answer was: connect to mx.b.example[192.0.2.1]:25:");
    expect(report, "31 tries in all.");
    expect(report, "could not be reached all this time");
    expect(report, "Status: 5.4.7\r\n");
    expect(report, "Diagnostic-Code: X-mxhelm; connect to");
    expect_not(report, "Why:");
    free(report);
}

static void a_delay_notice_says_until_when_it_is_tried(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    outcome_from_reply(&s.o, STAGE_RCPT, 451, STR("4.7.1"), STR("4.7.1 Greylisted"));
    str_copy(STR("mx.b.example"), s.o.host, sizeof(s.o.host));
    s.r.action = DSN_ACT_DELAYED;
    s.r.retry_until_wall_ms = NOW + DAY_MS;
    char *report = write_report(&s.in);
    expect(report, "Subject: Delayed mail: Hello\r\n");
    expect(report, "has not reached this recipient yet");
    expect(report, "do not send it again");
    expect(report, "What to do: nothing. It is tried until Wed, 25 Nov 2026 08:02:14 +0000");
    expect(report, "Action: delayed\r\nStatus: 4.7.1\r\n");
    expect(report, "Will-Retry-Until: Wed, 25 Nov 2026 08:02:14 +0000\r\n");
    expect_not(report, "not tried any more");
    free(report);
}

static void a_success_report_promises_no_mailbox(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    outcome_from_reply(&s.o, STAGE_EOD, 250, STR("2.0.0"), STR("2.0.0 OK"));
    str_copy(STR("mx.b.example"), s.o.host, sizeof(s.o.host));
    s.r.action = DSN_ACT_DELIVERED;
    char *report = write_report(&s.in);
    expect(report, "Subject: Delivered mail: Hello\r\n");
    expect(report, "That is not yet the mailbox");
    expect(report, "Action: delivered\r\nStatus: 2.0.0\r\n");
    free(report);
    s.r.action = DSN_ACT_RELAYED;
    report = write_report(&s.in);
    expect(report, "Subject: Relayed mail: Hello\r\n");
    expect(report, "will not confirm its delivery");
    expect(report, "Action: relayed\r\n");
    free(report);
}

static void several_recipients_have_a_block_each(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    struct dsn_rcpt rcpts[3] = {s.r, s.r, s.r};
    rcpts[1].address = "carol@b.example";
    rcpts[2].address = "dave@b.example";
    rcpts[2].action = DSN_ACT_DELAYED;
    s.in.rcpts = rcpts;
    s.in.rcpts_n = 3;
    char *report = write_report(&s.in);
    expect(report, "Subject: Undelivered mail: Hello\r\n");
    expect(report, "to these 2 recipients, and is not tried any more: bob@b.example "
                   "carol@b.example");
    expect(report, "has not reached this recipient yet");
    expect(report, "\r\n\r\nFinal-Recipient: rfc822; bob@b.example\r\n");
    expect(report, "\r\n\r\nFinal-Recipient: rfc822; carol@b.example\r\n");
    expect(report, "\r\n\r\nFinal-Recipient: rfc822; dave@b.example\r\nAction: delayed\r\n"
                   "Status: 4.1.1\r\n");
    free(report);
}

static void the_class_of_the_status_is_that_of_the_action(void **state)
{
    static const struct {
        const char *enhanced;
        enum dsn_action action;
        const char *want;
    } rows[] = {
        {"5.1.1", DSN_ACT_FAILED, "Status: 5.1.1\r\n"},
        {"4.4.1", DSN_ACT_FAILED, "Status: 5.4.1\r\n"},
        {"", DSN_ACT_FAILED, "Status: 5.0.0\r\n"},
        {"5.7.1", DSN_ACT_DELAYED, "Status: 4.7.1\r\n"},
        {"", DSN_ACT_DELAYED, "Status: 4.0.0\r\n"},
        {"2.1.5", DSN_ACT_DELIVERED, "Status: 2.1.5\r\n"},
        {"", DSN_ACT_RELAYED, "Status: 2.0.0\r\n"},
        {"4.4.1", DSN_ACT_DELIVERED, "Status: 2.0.0\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sample s;
        sample_init(&s);
        str_copy(str_of(rows[i].enhanced), s.o.enhanced, sizeof(s.o.enhanced));
        s.r.action = rows[i].action;
        char *report = write_report(&s.in);
        expect(report, rows[i].want);
        free(report);
    }
}

static void advice_fits_the_trouble(void **state)
{
    static const struct {
        const char *enhanced, *want;
    } rows[] = {
        {"5.1.2", "that domain does not exist"},
        {"5.1.10", "says that it takes no mail"},
        {"5.1.3", "Check the address for slips"},
        {"5.2.2", "mailbox is full"},
        {"5.2.1", "does not take mail at present"},
        {"5.3.4", "too large"},
        {"5.4.6", "goes round in a loop"},
        {"5.7.26", "refuses mail of this kind"},
        {"5.0.0", "If you cannot tell"},
        {"", "If you cannot tell"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sample s;
        sample_init(&s);
        str_copy(str_of(rows[i].enhanced), s.o.enhanced, sizeof(s.o.enhanced));
        char *report = write_report(&s.in);
        expect(report, rows[i].want);
        free(report);
    }
}

static void hostile_replies_stay_text(void **state)
{
    static const char *const replies[] = {
        "no\r\n\r\n--=_mxhelm_00000000feedface_0\r\nContent-Type: text/html\r\n\r\n<b>pwned</b>",
        "no\r\nAction: delivered\r\nStatus: 2.0.0",
        "\x1b[2J\x1b]0;title\x07 bell",
        "\xe2\x80\xae"
        "desrever \xff\xfe",
        "gr\xc3\xbc\xc3\x9f"
        "e =?utf-8?q?x?=",
        "a\tb  c   d",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        struct sample s;
        sample_init(&s);
        outcome_from_reply(&s.o, STAGE_RCPT, 550, STR("5.1.1"), str_of(replies[i]));
        str_copy(STR("mx\r\nX: y"), s.o.host, sizeof(s.o.host));
        str_copy(str_of(replies[i]), s.m.digest.subject, sizeof(s.m.digest.subject));
        str_copy(str_of(replies[i]), s.m.digest.from, sizeof(s.m.digest.from));
        str_copy(str_of(replies[i]), s.m.envid, sizeof(s.m.envid));
        s.r.orcpt = "rfc822;a\r\nAction: delivered";
        char *report = write_report(&s.in);
        expect_sound_lines(report, false);
        expect_not(report, "\nAction: delivered");
        expect_not(report, "\nX: y");
        expect_not(report, "\nContent-Type: text/html");
        expect(report, "\nAction: failed\r\n");
        free(report);
    }
}

static void a_reply_without_blanks_is_cut_into_lines(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    memset(s.o.text, 'x', sizeof(s.o.text) - 1);
    char *report = write_report(&s.in);
    expect_sound_lines(report, false);
    free(report);
    for (size_t i = 0; i + 3 < sizeof(s.o.text); i += 3)
        memcpy(s.o.text + i, "\xe4\xb8\xad", 3);
    report = write_report(&s.in);
    expect_sound_lines(report, false);
    free(report);
}

static void words_over_ascii_are_quoted_printable(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    outcome_from_reply(&s.o, STAGE_RCPT, 550, STR("5.1.1"), STR("5.1.1 Empf\xc3\xa4nger = weg"));
    str_copy(STR("mx.b.example"), s.o.host, sizeof(s.o.host));
    str_copy(STR("Gr\xc3\xbc\xc3\x9f"
                 "e aus K\xc3\xb6ln an alle, die das hier lesen, und noch viele "
                 "W\xc3\xb6rter mehr"),
             s.m.digest.subject, sizeof(s.m.digest.subject));
    char *report = write_report(&s.in);
    expect(report, "charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n");
    expect(report, "Empf=C3=A4nger =3D weg");
    expect(report, "Diagnostic-Code: smtp; 550 5.1.1 Empf\\x{E4}nger = weg\r\n");
    expect(report,
           "Subject: =?UTF-8?Q?Undelivered_mail:_Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln_an_alle,_?=\r\n");
    expect_sound_lines(report, false);
    free(report);
}

static void an_original_with_8_bits_makes_an_8_bit_report(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    s.in.original = STR("Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9f"
                        "e\r\n");
    char *report = write_report(&s.in);
    const char *first = strstr(report, "Content-Transfer-Encoding: 8bit\r\n");
    assert_non_null(first);
    assert_true(first < strstr(report, "\r\n\r\n"));
    expect(report, "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n");
    expect_sound_lines(report, true);
    free(report);
}

static void an_address_over_ascii_is_written_as_rfc_6533_says(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    s.r.address = "j\xc3\xb6rg+x@b.example";
    char *report = write_report(&s.in);
    expect(report, "Final-Recipient: utf-8; j\\x{F6}rg\\x{2B}x@b.example\r\n");
    expect_sound_lines(report, false);
    free(report);
}

/* RFC 6533 3, 4: what came with SMTPUTF8 is reported with the global types, and as it is. */
static void a_report_about_utf8_mail_is_global(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    s.m.flags = MSG_UTF8;
    s.r.address = "j\xc3\xb6rg+x@b.example";
    s.r.orcpt = "utf-8;j\xc3\xb6rg@alias.example";
    outcome_from_reply(&s.o, STAGE_RCPT, 550, STR("5.1.1"), STR("5.1.1 J\xc3\xb6rg ist weg"));
    str_copy(STR("mx.b.example"), s.o.host, sizeof(s.o.host));
    char *report = write_report(&s.in);
    expect(report, "report-type=global-delivery-status;");
    expect(report, "Content-Type: message/global-delivery-status\r\n"
                   "Content-Transfer-Encoding: 8bit\r\n\r\n");
    expect(report, "Final-Recipient: utf-8; j\xc3\xb6rg+x@b.example\r\n");
    expect(report, "Original-Recipient: utf-8; j\xc3\xb6rg@alias.example\r\n");
    expect(report, "Diagnostic-Code: smtp; 550 5.1.1 J\xc3\xb6rg ist weg\r\n");
    expect(report, "Content-Type: message/global\r\n");
    expect_sound_lines(report, true);
    free(report);
    s.in.is_full = false;
    report = write_report(&s.in);
    expect(report, "Content-Type: message/global-headers\r\n");
    free(report);
    s.m.flags = 0; /* the same about mail that is not: nothing over ASCII */
    report = write_report(&s.in);
    expect(report, "Original-Recipient: utf-8; j\\x{F6}rg@alias.example\r\n");
    expect_sound_lines(report, false);
    free(report);
}

/* RFC 3461 4.3: only a failure brings all of it back; and only what a report may carry. */
static void all_of_it_comes_back_with_a_failure_only(void **state)
{
    CLEANUP(buf_done) struct buf lines = BUF_INIT;
    struct sample s;

    (void)state;
    for (int a = DSN_ACT_FAILED; a < DSN_ACT_COUNT; a++) {
        sample_init(&s);
        s.r.action = (enum dsn_action)a;
        char *report = write_report(&s.in);
        expect(report, a == DSN_ACT_FAILED ? "message/rfc822" : "text/rfc822-headers");
        free(report);
    }
    sample_init(&s);
    buf_add_z(&lines, "Subject: x\r\n\r\n");
    for (int i = 0; i < 998; i++)
        buf_add_c(&lines, 'x');
    buf_add_z(&lines, "\r\n");
    s.in.original = buf_str(&lines);
    char *report = write_report(&s.in);
    expect(report, "message/rfc822");
    free(report);
    buf_truncate(&lines, lines.n - 2);
    buf_add_z(&lines, "x\r\n");
    s.in.original = buf_str(&lines);
    report = write_report(&s.in);
    expect(report, "text/rfc822-headers");
    expect_sound_lines(report, false);
    free(report);
}

static void what_an_operator_returns_has_the_operators_words(void **state)
{
    struct sample s;
    struct outcome o;

    (void)state;
    sample_init(&s);
    outcome_init(&o, OUTCOME_FAILED, STAGE_LOCAL);
    str_copy(STR("5.3.0"), o.enhanced, sizeof(o.enhanced));
    str_copy(STR(DSN_RETURNED ": That system is gone.\r\nBcc: x"), o.text, sizeof(o.text));
    s.r.is_returned = true;
    s.r.outcome = &o;
    s.r.before = &s.o;
    char *report = write_report(&s.in);
    expect(report, "What happened: the operator of this mail server took it out of the queue");
    expect(report, "Why: That system is gone.");
    expect(report, "The last answer was: host mx.b.example[192.0.2.1] said: 550 5.1.1");
    expect(report, "What to do: If you do not know why, send this report to the administrator");
    expect(report, "Status: 5.3.0\r\nDiagnostic-Code: X-mxhelm; returned by the operator: That");
    expect_not(report, "\nBcc:");
    expect_not(report, "Remote-MTA");
    expect_sound_lines(report, false);
    free(report);
    str_copy(STR(DSN_RETURNED), o.text, sizeof(o.text));
    report = write_report(&s.in);
    expect_not(report, "Why:");
    free(report);
}

static void a_report_about_a_report_is_for_the_postmaster(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    s.m.class = MSG_REPORT;
    s.m.reverse_path[0] = '\0';
    s.in.to = "boss@ours.example";
    char *report = write_report(&s.in);
    expect(report, "To: <boss@ours.example>\r\n");
    expect(report, "Subject: Undelivered report: Hello\r\n");
    expect(report, "could not deliver a report of its own, and nobody else is told of that.");
    expect_not(report, "Your message");
    free(report);
}

/* --- templates --- */

static void a_template_gives_the_words(void **state)
{
    static const char text[] = "Subject: Zur\xc3\xbc"
                               "ck: {subject}\r\n"
                               "From: Post <post@{hostname}>\r\n"
                               "\r\n"
                               "{{{count}} {title}, {status\r\n";
    static const char good[] = "From: Post <post@{hostname}>\n\n"
                               "{{{count}} {title}\n"
                               "{each}\n"
                               "   {recipient}: {status} {server}, {until}\n"
                               "   only {next-try}\n"
                               "{end}\n"
                               "{from}\n"
                               "\tend\n";
    const char *templates[DSN_KIND_COUNT] = {[DSN_KIND_FAILED] = good};
    struct sample s;
    unsigned line;
    char why[200];

    (void)state;
    assert_false(dsn_template_check(STR(text), &line, why, sizeof(why)));
    assert_int_equal(line, 4);
    assert_true(dsn_template_check(STR(good), &line, why, sizeof(why)));
    sample_init(&s);
    struct dsn_rcpt rcpts[2] = {s.r, s.r};
    rcpts[1].address = "carol@b.example";
    s.in.rcpts = rcpts;
    s.in.rcpts_n = 2;
    s.in.templates = templates;
    char *report = write_report(&s.in);
    expect(report, "From: Post <post@mail.example.com>\r\n");
    expect(report, "Subject: Undelivered mail: Hello\r\n"); /* the built-in one */
    expect(report, "us-ascii\r\n\r\n{2} Undelivered mail\r\n"
                   "   bob@b.example: 5.1.1 mx.b.example,\r\n"
                   "   carol@b.example: 5.1.1 mx.b.example,\r\n"
                   " end\r\n\r\n--=_");
    free(report);
    rcpts[0].action = rcpts[1].action = DSN_ACT_DELAYED; /* has no template */
    report = write_report(&s.in);
    expect(report, "What happened: it has been waiting");
    free(report);
}

static void the_built_in_template_is_one(void **state)
{
    unsigned line;
    char why[200] = "";

    (void)state;
    if (!dsn_template_check(str_of(dsn_template_builtin), &line, why, sizeof(why)))
        fail_msg("%u: %s", line, why);
}

static void what_is_no_template_is_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *want; /* NULL: it is one */
    } rows[] = {
        {"\nx\n", 1, NULL},
        {"\n", 1, NULL},
        {"\nx", 1, NULL},
        {"Subject: x\r\n\r\nx\r\n", 1, NULL},
        {"\n{each}\n{end}\n", 1, NULL},
        {"\n  {each}  \n{recipient}{tries}\n\t{end}\n{summary}\n", 1, NULL},
        {"\n{{each}}\n", 1, NULL},
        {"", 1, "nothing behind the header"},
        {"Subject: x\n", 1, "nothing behind the header"},
        {"Hello\n", 1, "From and Subject only"},
        {"Bcc: x@y.example\n\nx\n", 1, "From and Subject only"},
        {"Subject: x\n folded\n\nx\n", 2, "From and Subject only"},
        {"Subject: x\nSubject: y\n\nx\n", 2, "Subject stands there twice"},
        {"Subject:\n\nx\n", 1, "Subject is empty"},
        {"Subject: {from}\n\nx\n", 1, "{from} cannot stand in a field"},
        {"Subject: {what}\n\nx\n", 1, "{what} cannot stand in a field"},
        {"From: nobody\n\nx\n", 1, "From is not one address"},
        {"From: a@b.example, c@d.example\n\nx\n", 1, "From is not one address"},
        {"From: <a@{subject}>\n\nx\n", 1, "From is not one address"},
        {"From: \xc3\xa4 <a@b.example>\n\nx\n", 1, "outside ASCII"},
        {"\n\n{nonsense}\n", 3, "{nonsense} is no name"},
        {"\n{Title}\n", 2, "{Title} is no name"},
        {"\n{}\n", 2, "{} is no name"},
        {"\n{title\n", 2, "without its closing brace"},
        {"\n{\n", 2, "without its closing brace"},
        {"\n{why}\n", 2, "{why} is about one recipient"},
        {"\n{each}\n{end}\n{why}\n", 4, "{why} is about one recipient"},
        {"\nx {summary}\n", 2, "on a line of its own"},
        {"\n{end}\n", 2, "{end} without {each}"},
        {"\n{each}\nx\n", 3, "{each} without {end}"},
        {"\n{each}\n{each}\n", 3, "{each} stands there twice"},
        {"\n{each}\n{end}\n{each}\n{end}\n", 4, "{each} stands there twice"},
        {"\nx {each}\n", 2, "{each} is no name"},
        {"\n\x1b[2J\n", 2, "a control character"},
        {"\nx\ry\n", 2, "a control character"},
        {"\n\xff\n", 2, "not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char why[400] = "";
        unsigned line = 0;
        bool is_one = dsn_template_check(str_of(rows[i].text), &line, why, sizeof(why));
        if (is_one != !rows[i].want ||
            (!is_one && (line != rows[i].line || !strstr(why, rows[i].want))))
            fail_msg("row %zu: %u: %s", i, line, why);
    }
}

static void large_templates_are_refused(void **state)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    char why[200];
    unsigned line;

    (void)state;
    buf_add_c(&text, '\n');
    for (int i = 0; i < 998; i++)
        buf_add_c(&text, 'x');
    assert_true(dsn_template_check(buf_str(&text), &line, why, sizeof(why)));
    buf_add_c(&text, 'x');
    assert_false(dsn_template_check(buf_str(&text), &line, why, sizeof(why)));
    buf_clear(&text);
    while (text.n < DSN_TEMPLATE_MAX)
        buf_add_c(&text, '\n');
    assert_true(dsn_template_check(buf_str(&text), &line, why, sizeof(why)));
    buf_add_c(&text, '\n');
    assert_false(dsn_template_check(buf_str(&text), &line, why, sizeof(why)));
}

/* Names in what a stranger wrote are not names. */
static void values_are_not_templates(void **state)
{
    static const char good[] = "\n{subject}\n{each}\n{recipient} {why}\n{end}\n";
    const char *templates[DSN_KIND_COUNT] = {[DSN_KIND_FAILED] = good};
    struct sample s;

    (void)state;
    sample_init(&s);
    str_copy(STR("{hostname} {each} {{"), s.m.digest.subject, sizeof(s.m.digest.subject));
    outcome_from_reply(&s.o, STAGE_RCPT, 550, STR("5.1.1"), STR("5.1.1 {title}\r\n{end}"));
    s.r.address = "{count}@b.example";
    s.in.templates = templates;
    char *report = write_report(&s.in);
    expect(report, "\r\n{hostname} {each} {{\r\n{count}@b.example ");
    expect(report, "b.example 5.1.1 {title} {end}\r\n");
    free(report);
}

static void the_boundary_occurs_in_nothing(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    s.in.original = STR("Subject: x\r\n\r\n--=_mxhelm_00000000feedface_0\r\n"
                        "--=_mxhelm_00000000feedface_1--\r\n");
    char *report = write_report(&s.in);
    expect(report, "boundary=\"=_mxhelm_00000000feedface_2\"");
    free(report);
}

static void an_original_without_a_last_line_end_gets_one(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    s.in.original = STR("Subject: x\r\n\r\nbody");
    char *report = write_report(&s.in);
    expect(report, "body\r\n\r\n--=_mxhelm");
    free(report);
}

static void a_message_without_a_subject_is_still_named(void **state)
{
    struct sample s;

    (void)state;
    sample_init(&s);
    s.m.digest.subject[0] = '\0';
    str_copy(STR("not an id"), s.m.digest.message_id, sizeof(s.m.digest.message_id));
    char *report = write_report(&s.in);
    expect(report, "Subject: Undelivered mail: (no subject)\r\n");
    expect_not(report, "In-Reply-To");
    free(report);
}

static void reports_are_wanted_as_notify_says(void **state)
{
    static const struct {
        const char *name, *reverse_path;
        enum msg_class class;
        unsigned notify;
        bool failed, delayed, delivered;
    } rows[] = {
        {"nothing said", "a@b.example", MSG_USER, 0, true, true, false},
        {"NEVER", "a@b.example", MSG_USER, DSN_NEVER, false, false, false},
        {"FAILURE", "a@b.example", MSG_USER, DSN_FAILURE, true, false, false},
        {"DELAY", "a@b.example", MSG_SYSTEM, DSN_DELAY, false, true, false},
        {"SUCCESS", "a@b.example", MSG_USER, DSN_SUCCESS, false, false, true},
        {"all", "a@b.example", MSG_USER, DSN_SUCCESS | DSN_FAILURE | DSN_DELAY, true, true, true},
        {"null reverse-path", "", MSG_USER, DSN_FAILURE, false, false, false},
        {"our own report", "a@b.example", MSG_REPORT, 0, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message m = {.class = rows[i].class};
        str_copy(str_of(rows[i].reverse_path), m.reverse_path, sizeof(m.reverse_path));
        if (dsn_wanted(&m, rows[i].notify, DSN_ACT_FAILED) != rows[i].failed ||
            dsn_wanted(&m, rows[i].notify, DSN_ACT_DELAYED) != rows[i].delayed ||
            dsn_wanted(&m, rows[i].notify, DSN_ACT_DELIVERED) != rows[i].delivered ||
            dsn_wanted(&m, rows[i].notify, DSN_ACT_RELAYED) != rows[i].delivered)
            fail_msg("%s", rows[i].name);
    }
}

static void xtext_is_decoded_strictly(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"abc", "abc"},     {"", ""},           {"a+2Bb", "a+b"},
        {"a+3Db", "a=b"},   {"a+20b", "a b"},   {"+41", "A"},
        {"a+b", NULL},      {"a+2bb", NULL},    {"a+2", NULL},
        {"a+", NULL},       {"a=b", NULL},      {"a b", NULL},
        {"a+0D+0Ab", NULL}, {"a+00b", NULL},    {"a+7F", NULL},
        {"a+FF", NULL},     {"\xc3\xa4", NULL}, {"12345678901234567890", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[16] = "before";
        bool is_fine = xtext_decode(str_of(rows[i].text), out, sizeof(out));
        if (is_fine != (rows[i].want != NULL) ||
            strcmp(out, rows[i].want ? rows[i].want : "before") != 0)
            fail_msg("%s: %s", rows[i].text, out);
    }
}

static void xtext_that_fills_its_room_fits(void **state)
{
    char out[4];

    (void)state;
    assert_true(xtext_decode(STR("abc"), out, sizeof(out)));
    assert_false(xtext_decode(STR("abcd"), out, sizeof(out)));
    assert_string_equal(out, "abc");
}

static void xtext_comes_back_as_it_was(void **state)
{
    CLEANUP(buf_done) struct buf out = BUF_INIT;
    char all[100], back[100];

    (void)state;
    for (int i = 0; i < 95; i++)
        all[i] = (char)(' ' + i);
    all[95] = '\0';
    xtext_encode(&out, str_of(all));
    assert_null(strpbrk(buf_text(&out), " ="));
    assert_true(xtext_decode(buf_str(&out), back, sizeof(back)));
    assert_string_equal(back, all);
    buf_clear(&out);
    xtext_encode(&out, STR("\r\n\xff"));
    assert_string_equal(buf_text(&out), "+0D+0A+FF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_report_is_complete),
        cmocka_unit_test(the_header_alone_is_returned_when_asked),
        cmocka_unit_test(an_expired_message_quotes_the_last_answer),
        cmocka_unit_test(a_delay_notice_says_until_when_it_is_tried),
        cmocka_unit_test(a_success_report_promises_no_mailbox),
        cmocka_unit_test(several_recipients_have_a_block_each),
        cmocka_unit_test(the_class_of_the_status_is_that_of_the_action),
        cmocka_unit_test(advice_fits_the_trouble),
        cmocka_unit_test(hostile_replies_stay_text),
        cmocka_unit_test(a_reply_without_blanks_is_cut_into_lines),
        cmocka_unit_test(words_over_ascii_are_quoted_printable),
        cmocka_unit_test(an_original_with_8_bits_makes_an_8_bit_report),
        cmocka_unit_test(an_address_over_ascii_is_written_as_rfc_6533_says),
        cmocka_unit_test(a_report_about_utf8_mail_is_global),
        cmocka_unit_test(all_of_it_comes_back_with_a_failure_only),
        cmocka_unit_test(what_an_operator_returns_has_the_operators_words),
        cmocka_unit_test(a_report_about_a_report_is_for_the_postmaster),
        cmocka_unit_test(a_template_gives_the_words),
        cmocka_unit_test(the_built_in_template_is_one),
        cmocka_unit_test(what_is_no_template_is_refused),
        cmocka_unit_test(large_templates_are_refused),
        cmocka_unit_test(values_are_not_templates),
        cmocka_unit_test(the_boundary_occurs_in_nothing),
        cmocka_unit_test(an_original_without_a_last_line_end_gets_one),
        cmocka_unit_test(a_message_without_a_subject_is_still_named),
        cmocka_unit_test(reports_are_wanted_as_notify_says),
        cmocka_unit_test(xtext_is_decoded_strictly),
        cmocka_unit_test(xtext_that_fills_its_room_fits),
        cmocka_unit_test(xtext_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
