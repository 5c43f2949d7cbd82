/* SPDX-License-Identifier: ISC */
/* The sentences of the log and the causes of the queue, word for word. */
#include "tests/unit/unit.h"
#include <errno.h>
#include "core/base/text.h"
#include "core/mail/outcome.h"

static void set_peer(struct outcome *o, const char *host, const char *ip)
{
    str_copy(str_of(host), o->host, sizeof(o->host));
    str_copy(str_of(ip), o->ip, sizeof(o->ip));
    o->port = 25;
}

static void expect(const char *row, const struct outcome *o, const char *sentence,
                   const char *cause)
{
    struct buf out = BUF_INIT;
    char got[48];
    outcome_sentence(o, &out);
    row_text(row, buf_text(&out), sentence);
    outcome_cause(o, got);
    row_text(row, got, cause);
    buf_done(&out);
}

static const struct {
    enum stage stage;
    int code;
    const char *enhanced, *text, *sentence, *cause;
} reply_rows[] = {
    {STAGE_EOD, 250, "2.0.0", "Ok: queued as 4Q1", "250 2.0.0 Ok: queued as 4Q1", "eod 250 2.0.0"},
    {STAGE_GREETING, 554, "", "go away",
     "host mx.example.com[192.0.2.1] refused to talk to me: 554 go away", "greeting 554 5.0.0"},
    {STAGE_EHLO, 550, "5.7.1", "bad name",
     "host mx.example.com[192.0.2.1] refused to talk to me: 550 5.7.1 bad name",
     "ehlo 550 5.7.1"},
    {STAGE_STARTTLS, 454, "4.7.0", "TLS not available",
     "host mx.example.com[192.0.2.1] said: 454 4.7.0 TLS not available (in reply to STARTTLS "
     "command)",
     "starttls 454 4.7.0"},
    {STAGE_AUTH, 535, "5.7.8", "Error: authentication failed",
     "SASL authentication failed; server mx.example.com[192.0.2.1] said: 535 5.7.8 Error: "
     "authentication failed",
     "auth 535 4.7.8"},
    {STAGE_MAIL, 450, "4.1.8", "<a@b>: Sender address rejected: Domain not found",
     "host mx.example.com[192.0.2.1] said: 450 4.1.8 <a@b>: Sender address rejected: Domain not "
     "found (in reply to MAIL FROM command)",
     "mail 450 4.1.8"},
    {STAGE_RCPT, 550, "5.1.1", "User unknown",
     "host mx.example.com[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)",
     "rcpt 550 5.1.1"},
    {STAGE_RCPT, 552, "5.2.2", "full",
     "host mx.example.com[192.0.2.1] said: 552 5.2.2 full (in reply to RCPT TO command)",
     "rcpt 552 4.2.2"},
    {STAGE_DATA, 421, "4.7.0", "later",
     "host mx.example.com[192.0.2.1] said: 421 4.7.0 later (in reply to DATA command)",
     "data 421 4.7.0"},
    {STAGE_EOD, 554, "5.7.1", "spam",
     "host mx.example.com[192.0.2.1] said: 554 5.7.1 spam (in reply to end of DATA command)",
     "eod 554 5.7.1"},
    {STAGE_RCPT, 450, "4.2.0", "first line\r\nsecond line",
     "host mx.example.com[192.0.2.1] said: 450 4.2.0 first line second line (in reply to RCPT TO "
     "command)",
     "rcpt 450 4.2.0"},
    {STAGE_RCPT, 550, "", "\033[2Jgone\xe2\x80\xae",
     "host mx.example.com[192.0.2.1] said: 550 ^[[2Jgone<U+202E> (in reply to RCPT TO command)",
     "rcpt 550 5.0.0"},
};

static void reply_is_quoted_with_the_command_it_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(reply_rows); i++) {
        struct outcome o;
        outcome_from_reply(&o, reply_rows[i].stage, reply_rows[i].code,
                           str_of(reply_rows[i].enhanced), str_of(reply_rows[i].text));
        set_peer(&o, "mx.example.com", "192.0.2.1");
        expect(reply_rows[i].text, &o, reply_rows[i].sentence, reply_rows[i].cause);
    }
}

static const struct {
    enum stage stage;
    int sys;
    const char *sentence, *cause;
} errno_rows[] = {
    {STAGE_CONNECT, ETIMEDOUT, "connect to mx.example.com[192.0.2.1]:25: Connection timed out",
     "connect ETIMEDOUT"},
    {STAGE_CONNECT, ECONNREFUSED, "connect to mx.example.com[192.0.2.1]:25: Connection refused",
     "connect ECONNREFUSED"},
    {STAGE_CONNECT, EHOSTUNREACH, "connect to mx.example.com[192.0.2.1]:25: No route to host",
     "connect EHOSTUNREACH"},
    {STAGE_CONNECT, EACCES, "connect to mx.example.com[192.0.2.1]:25: Permission denied",
     "connect EACCES"},
    {STAGE_GREETING, ETIMEDOUT,
     "conversation with mx.example.com[192.0.2.1] timed out while receiving the initial server "
     "greeting",
     "greeting ETIMEDOUT"},
    {STAGE_GREETING, 0,
     "lost connection with mx.example.com[192.0.2.1] while receiving the initial server greeting",
     "greeting ECONNRESET"},
    {STAGE_EHLO, ECONNRESET,
     "lost connection with mx.example.com[192.0.2.1] while performing the EHLO handshake",
     "ehlo ECONNRESET"},
    {STAGE_MAIL, EPIPE, "lost connection with mx.example.com[192.0.2.1] while sending MAIL FROM",
     "mail EPIPE"},
    {STAGE_RCPT, ECONNRESET, "lost connection with mx.example.com[192.0.2.1] while sending RCPT TO",
     "rcpt ECONNRESET"},
    {STAGE_DATA, ETIMEDOUT,
     "conversation with mx.example.com[192.0.2.1] timed out while sending DATA command",
     "data ETIMEDOUT"},
    {STAGE_BODY, ECONNRESET,
     "lost connection with mx.example.com[192.0.2.1] while sending message body",
     "body ECONNRESET"},
    {STAGE_EOD, ECONNRESET,
     "lost connection with mx.example.com[192.0.2.1] while sending end of data -- message may be "
     "sent more than once",
     "eod ECONNRESET"},
    {STAGE_EOD, ETIMEDOUT,
     "conversation with mx.example.com[192.0.2.1] timed out while sending end of data -- message "
     "may be sent more than once",
     "eod ETIMEDOUT"},
    {STAGE_QUIT, ECONNRESET, "lost connection with mx.example.com[192.0.2.1] while sending QUIT",
     "quit ECONNRESET"},
    {STAGE_LOCAL, ENOSPC, "No space left on device", "local ENOSPC"},
    {STAGE_CONNECT, 4711, "connect to mx.example.com[192.0.2.1]:25: Network error",
     "connect error"},
};

static void broken_connection_says_where_it_broke(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errno_rows); i++) {
        struct outcome o;
        outcome_from_errno(&o, errno_rows[i].stage, errno_rows[i].sys);
        set_peer(&o, "mx.example.com", "192.0.2.1");
        expect(errno_rows[i].cause, &o, errno_rows[i].sentence, errno_rows[i].cause);
    }
}

static void address_literal_is_not_named_twice(void **state)
{
    (void)state;
    struct outcome o;
    outcome_from_errno(&o, STAGE_CONNECT, ECONNREFUSED);
    set_peer(&o, "[192.0.2.1]", "192.0.2.1");
    expect("with address", &o, "connect to [192.0.2.1]:25: Connection refused",
           "connect ECONNREFUSED");
    set_peer(&o, "[192.0.2.1]", "");
    expect("without", &o, "connect to [192.0.2.1]:25: Connection refused", "connect ECONNREFUSED");
}

static void unknown_peer_leaves_only_the_text(void **state)
{
    (void)state;
    struct outcome o;
    outcome_from_errno(&o, STAGE_CONNECT, EMFILE);
    expect("errno", &o, "Too many open files", "connect EMFILE");
    outcome_init(&o, OUTCOME_DEFERRED, STAGE_NONE);
    expect("nothing known", &o, "", "none");
    outcome_init(&o, OUTCOME_FAILED, STAGE_LOCAL);
    str_copy(STR("5.0.0"), o.enhanced, sizeof(o.enhanced));
    outcome_say(&o, "bounced by %s", "bob");
    expect("operator", &o, "bounced by bob", "local 5.0.0");
}

static void host_name_of_a_hostile_zone_is_made_printable(void **state)
{
    (void)state;
    struct outcome o;
    outcome_from_errno(&o, STAGE_CONNECT, ECONNREFUSED);
    set_peer(&o, "mx\n.example\033[31m", "192.0.2.1");
    expect("hostile", &o, "connect to mx^J.example^[[31m[192.0.2.1]:25: Connection refused",
           "connect ECONNREFUSED");
}

static void dns_failures_group_by_what_the_resolver_said(void **state)
{
    (void)state;
    struct outcome o;
    struct dns_answer a = {.status = DNS_TEMP, .rcode = 2};
    char cause[48];
    static const struct {
        enum dns_status status;
        unsigned rcode;
        bool is_timeout;
        const char *cause;
    } rows[] = {
        {DNS_TEMP, 2, false, "dns SERVFAIL"},     {DNS_TEMP, 5, false, "dns REFUSED"},
        {DNS_TEMP, 0, true, "dns timeout"},       {DNS_TEMP, 0, false, "dns TEMP"},
        {DNS_NXDOMAIN, 3, false, "dns NXDOMAIN"}, {DNS_NODATA, 0, false, "dns NODATA"},
        {DNS_BAD, 0, false, "dns malformed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        a.status = rows[i].status;
        a.rcode = rows[i].rcode;
        a.is_timeout = rows[i].is_timeout;
        outcome_from_answer(&o, &a, "MX", "x.example");
        outcome_cause(&o, cause);
        row_text(rows[i].cause, cause, rows[i].cause);
    }
}

static void tag_takes_the_place_of_code_and_errno(void **state)
{
    (void)state;
    static const struct {
        enum stage stage;
        const char *tag, *cause;
    } rows[] = {
        {STAGE_DNS, "null-mx", "dns null-mx"},
        {STAGE_ROUTE, "loop", "route loop"},
        {STAGE_STARTTLS, "not-offered", "starttls not-offered"},
        {STAGE_AUTH, "no-mechanism", "auth no-mechanism"},
        {STAGE_LOCAL, "expired", "local expired"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome o;
        outcome_init(&o, OUTCOME_DEFERRED, rows[i].stage);
        str_copy(str_of(rows[i].tag), o.tag, sizeof(o.tag));
        set_peer(&o, "relay.example.net", "192.0.2.9");
        outcome_say(&o, "our own sentence");
        expect(rows[i].tag, &o, "our own sentence", rows[i].cause);
    }
}

static void longest_cause_fits(void **state)
{
    (void)state;
    struct outcome o;
    char cause[48];
    outcome_from_reply(&o, STAGE_GREETING, 554, STR("5.999.999"), STR("x"));
    outcome_cause(&o, cause);
    assert_string_equal(cause, "greeting 554 5.999.999");
    memset(o.tag, 'x', sizeof(o.tag) - 1);
    outcome_cause(&o, cause);
    assert_true(strlen(cause) < sizeof(cause));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_is_quoted_with_the_command_it_answers),
        cmocka_unit_test(broken_connection_says_where_it_broke),
        cmocka_unit_test(address_literal_is_not_named_twice),
        cmocka_unit_test(unknown_peer_leaves_only_the_text),
        cmocka_unit_test(host_name_of_a_hostile_zone_is_made_printable),
        cmocka_unit_test(dns_failures_group_by_what_the_resolver_said),
        cmocka_unit_test(tag_takes_the_place_of_code_and_errno),
        cmocka_unit_test(longest_cause_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
