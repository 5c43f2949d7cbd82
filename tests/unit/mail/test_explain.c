/* SPDX-License-Identifier: ISC */
/* What is explained, and as what. The rules' own samples are the larger part of this test. */
#include <errno.h>
#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/mail/explain_private.h"
#include "tests/unit/unit.h"

static struct str builtin_rules(void)
{
    return (struct str){explain_builtin, explain_builtin_n};
}

static struct explainer *read_rules(struct str text, bool is_added, struct err *err)
{
    struct explainer *e = explainer_empty();
    if (!explainer_read(e, builtin_rules(), "explain.rules", false, !is_added, err) &&
        (!is_added || !explainer_read(e, text, "site.rules", true, true, err)) &&
        !explainer_finish(e, err))
        return e;
    explainer_free(e);
    return NULL;
}

static struct explainer *builtin(void)
{
    struct err err;
    struct explainer *e;
    assert_int_equal(explainer_new(NULL, &e, &err), 0);
    return e;
}

static void samples_are_won_by_their_own_rule(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    struct explainer *e = read_rules(STR_NONE, false, &err);
    if (!e)
        fail_msg("%s", err.text);
    assert_true(e->samples_n > 200);
    for (size_t i = 0; i < e->samples_n; i++) {
        struct facts f;
        facts_from_text(&f, str_of(e->samples[i].text));
        const struct rule *k = explain_choose(e, &f);
        row_text(e->samples[i].text, k ? k->name : "none", e->samples[i].rule);
    }
    explainer_free(e);
}

/* A text of each class, with who must act; not those of the rules. */
static const struct {
    const char *text;
    enum explain_class class;
    enum explain_owner owner;
    enum explain_permanence permanence;
} classes[] = {
    {"550 5.0.0 Rejected", EXPLAIN_UNKNOWN, EXPLAIN_OWNER_UNKNOWN, EXPLAIN_PERM},
    {"250 2.0.0 Ok: queued as 12345", EXPLAIN_OK, EXPLAIN_WAIT, EXPLAIN_ACCEPTED},
    {"connect to a.example[192.0.2.9]:25: Connection timed out", EXPLAIN_NET_TIMEOUT,
     EXPLAIN_REMOTE, EXPLAIN_TEMP},
    {"connect to a.example[192.0.2.9]:25: Connection refused", EXPLAIN_NET_REFUSED, EXPLAIN_REMOTE,
     EXPLAIN_TEMP},
    {"connect to a.example[192.0.2.9]:25: No route to host", EXPLAIN_NET_NOROUTE, EXPLAIN_US_NET,
     EXPLAIN_TEMP},
    {"connect to a.example[2001:db8::9]:25: Network is unreachable", EXPLAIN_NET_UNREACH,
     EXPLAIN_US_NET, EXPLAIN_TEMP},
    {"connect to a.example[192.0.2.9]:25: Permission denied", EXPLAIN_NET_DENIED, EXPLAIN_US_CONF,
     EXPLAIN_TEMP},
    {"connect to a.example[192.0.2.9]:25: Operation not permitted", EXPLAIN_NET_DENIED,
     EXPLAIN_US_NET, EXPLAIN_TEMP},
    {"connect to a.example[192.0.2.9]:25: Cannot assign requested address", EXPLAIN_NET_SRCADDR,
     EXPLAIN_US_CONF, EXPLAIN_TEMP},
    {"lost connection with a.example[192.0.2.9] while sending RCPT TO", EXPLAIN_NET_LOST,
     EXPLAIN_REMOTE, EXPLAIN_TEMP},
    {"502 5.5.2 Error: command not recognized: XXXXXXXA", EXPLAIN_NET_MIDDLEBOX, EXPLAIN_US_NET,
     EXPLAIN_FIXABLE},
    {"Host or domain name not found. Name service error for name=a.example type=MX: Host not found",
     EXPLAIN_DNS_NXDOMAIN, EXPLAIN_RCPT, EXPLAIN_PERM},
    {"Host or domain name not found. Name service error for name=a.example type=MX: Host not "
     "found, try "
     "again",
     EXPLAIN_DNS_TEMP, EXPLAIN_US_NET, EXPLAIN_TEMP},
    {"Name service error for name=a.example type=AAAA: Host found but no data record of requested "
     "type",
     EXPLAIN_DNS_NOMX, EXPLAIN_RCPT, EXPLAIN_PERM},
    {"556 5.1.10 Recipient address has null MX", EXPLAIN_DNS_NULLMX, EXPLAIN_RCPT, EXPLAIN_PERM},
    {"Name service error for name=a.example type=MX: Malformed or unexpected name server reply",
     EXPLAIN_DNS_BADMX, EXPLAIN_REMOTE, EXPLAIN_TEMP},
    {"TLS is required, but was not offered by host a.example[192.0.2.9]", EXPLAIN_TLS_WE_REQUIRE,
     EXPLAIN_US_CONF, EXPLAIN_TEMP},
    {"530 5.7.0 Must issue a STARTTLS command first.", EXPLAIN_TLS_THEY_REQUIRE, EXPLAIN_US_CONF,
     EXPLAIN_FIXABLE},
    {"454 4.3.3 TLS not available due to temporary reason", EXPLAIN_TLS_HANDSHAKE, EXPLAIN_REMOTE,
     EXPLAIN_TEMP},
    {"Server certificate not trusted", EXPLAIN_TLS_POLICY, EXPLAIN_REMOTE, EXPLAIN_TEMP},
    {"538 5.7.11 Encryption required for requested authentication mechanism", EXPLAIN_SASL_TLSOFF,
     EXPLAIN_US_CONF, EXPLAIN_FIXABLE},
    {"SASL authentication failed: server r.example[192.0.2.9] offered no compatible authentication "
     "mechanisms for this type of connection security",
     EXPLAIN_SASL_MECH, EXPLAIN_US_CONF, EXPLAIN_TEMP},
    {"535 5.7.8 Authentication credentials invalid", EXPLAIN_SASL_CRED, EXPLAIN_US_CONF,
     EXPLAIN_FIXABLE},
    {"550 5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record",
     EXPLAIN_ID_PTR, EXPLAIN_US_DNS, EXPLAIN_FIXABLE},
    {"450 4.7.1 <box>: Helo command rejected: Host not found", EXPLAIN_ID_HELO, EXPLAIN_US_CONF,
     EXPLAIN_TEMP},
    {"450 4.1.8 <noreply@mydomain.local>: Sender address rejected: Domain not found",
     EXPLAIN_ID_SENDERDOMAIN, EXPLAIN_US_CONF, EXPLAIN_TEMP},
    {"553 5.7.1 <a@b.example>: Sender address rejected: not owned by user mailer",
     EXPLAIN_ID_SENDER, EXPLAIN_US_CONF, EXPLAIN_FIXABLE},
    {"550 5.7.1 SPF unauthorized mail is prohibited.", EXPLAIN_AUTH_SPF, EXPLAIN_US_DNS,
     EXPLAIN_FIXABLE},
    {"550 5.7.20 No passing DKIM signature found", EXPLAIN_AUTH_DKIM, EXPLAIN_US_CONF,
     EXPLAIN_FIXABLE},
    {"554 5.7.9 Message not accepted: fails DMARC policy of b.example", EXPLAIN_AUTH_DMARC,
     EXPLAIN_US_DNS, EXPLAIN_FIXABLE},
    {"550-5.7.26 This mail is unauthenticated, which poses a security risk 550 5.7.26 to the "
     "sender",
     EXPLAIN_AUTH_NONE, EXPLAIN_US_DNS, EXPLAIN_FIXABLE},
    {"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net",
     EXPLAIN_REP_DNSBL, EXPLAIN_US_REP, EXPLAIN_FIXABLE},
    {"550 5.7.511 Access denied, banned sender[192.0.2.1]", EXPLAIN_REP_PROVIDER, EXPLAIN_US_REP,
     EXPLAIN_FIXABLE},
    {"451 4.7.651 The mail server [192.0.2.1] has been temporarily rate limited due to IP "
     "reputation.",
     EXPLAIN_REP_NEWIP, EXPLAIN_US_REP, EXPLAIN_TEMP},
    {"550 Mail from dynamic IP addresses is not accepted here", EXPLAIN_REP_DYNAMIC, EXPLAIN_US_REP,
     EXPLAIN_FIXABLE},
    {"554 5.7.1 Spam message rejected", EXPLAIN_SPAM_CONTENT, EXPLAIN_US_MSG, EXPLAIN_PERM},
    {"421 4.7.28 Our system has detected an unusual rate of mail", EXPLAIN_RATE_US, EXPLAIN_WAIT,
     EXPLAIN_TEMP},
    {"450 4.2.1 The user you are trying to contact is receiving mail too quickly",
     EXPLAIN_RATE_RCPT, EXPLAIN_WAIT, EXPLAIN_TEMP},
    {"450 4.2.0 <a@b.example>: Recipient address rejected: Greylisted for 300 seconds",
     EXPLAIN_RATE_GREY, EXPLAIN_WAIT, EXPLAIN_TEMP},
    {"421 Too many concurrent SMTP connections; please try again later.", EXPLAIN_RATE_CONN,
     EXPLAIN_US_CONF, EXPLAIN_TEMP},
    {"550 5.1.1 <a@b.example>: Recipient address rejected: User unknown in local recipient table",
     EXPLAIN_RCPT_UNKNOWN, EXPLAIN_RCPT, EXPLAIN_PERM},
    {"550 5.2.1 The mailbox is disabled", EXPLAIN_RCPT_DISABLED, EXPLAIN_RCPT, EXPLAIN_PERM},
    {"452 4.2.2 The recipient's inbox is out of storage space.", EXPLAIN_RCPT_FULL, EXPLAIN_RCPT,
     EXPLAIN_TEMP},
    {"552 5.2.2 Mailbox is over quota", EXPLAIN_RCPT_FULL, EXPLAIN_RCPT, EXPLAIN_TRULY_TEMP},
    {"550 5.7.134 Sender not authenticated for mailbox", EXPLAIN_RCPT_CLOSED, EXPLAIN_RCPT,
     EXPLAIN_PERM},
    {"554 5.7.1 <a@b.example>: Relay access denied", EXPLAIN_RELAY_DENIED, EXPLAIN_REMOTE,
     EXPLAIN_PERM},
    {"552 5.3.4 Message too big for system", EXPLAIN_MSG_SIZE, EXPLAIN_US_MSG, EXPLAIN_PERM},
    {"554 5.6.0 Message contains bare LF", EXPLAIN_MSG_FORMAT, EXPLAIN_US_MSG, EXPLAIN_PERM},
    {"552 5.7.0 virus found", EXPLAIN_MSG_BLOCKED, EXPLAIN_US_MSG, EXPLAIN_PERM},
    {"421 4.3.2 mx.b.example Service not available, closing transmission channel", EXPLAIN_SRV_TEMP,
     EXPLAIN_WAIT, EXPLAIN_TEMP},
    {"554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org; Error: open resolver",
     EXPLAIN_SRV_CONF, EXPLAIN_REMOTE, EXPLAIN_TRULY_TEMP},
    {"503 5.5.1 Error: need RCPT command", EXPLAIN_SRV_PROTO, EXPLAIN_US_CONF, EXPLAIN_PERM},
    {"554 5.4.0 Error: too many hops", EXPLAIN_SRV_LOOP, EXPLAIN_REMOTE, EXPLAIN_PERM},
    {"retry timeout exceeded", EXPLAIN_EXPIRED, EXPLAIN_WAIT, EXPLAIN_PERM},
    {"550 5.7.1 Administrative prohibition", EXPLAIN_POLICY, EXPLAIN_OWNER_UNKNOWN, EXPLAIN_PERM},
    /* "Permission denied" has two sentences; this one is the server's. */
    {"550 5.7.1 Permission denied", EXPLAIN_POLICY, EXPLAIN_OWNER_UNKNOWN, EXPLAIN_PERM},
    /* The disk is ours when no server has spoken, and the mailbox's when one has. */
    {"No space left on device", EXPLAIN_SRV_CONF, EXPLAIN_US_CONF, EXPLAIN_TEMP},
    {"mail for b.example loops back to myself", EXPLAIN_SRV_LOOP, EXPLAIN_US_CONF, EXPLAIN_PERM},
};

static void every_class_has_its_text(void **state)
{
    (void)state;
    struct explainer *e = builtin();
    bool seen[EXPLAIN_CLASS_COUNT] = {false};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        struct explanation x;
        explain_text(e, str_of(classes[i].text), &x);
        row_text(classes[i].text, explain_class_name(x.class),
                 explain_class_name(classes[i].class));
        row_text(classes[i].text, explain_owner_name(x.owner),
                 explain_owner_name(classes[i].owner));
        row_text(classes[i].text, explain_permanence_name(x.permanence),
                 explain_permanence_name(classes[i].permanence));
        assert_true(x.cause[0] && x.next[0]);
        seen[x.class] = true;
    }
    for (int c = 0; c < EXPLAIN_CLASS_COUNT; c++)
        row_int(explain_class_name((enum explain_class)c), seen[c], true);
    explainer_free(e);
}

/* --- outcomes, as the engine makes them (tests/world/endings.world) --- */

static void explain_reply(struct explainer *e, enum stage stage, int code, const char *enhanced,
                          const char *text, struct explanation *x)
{
    struct outcome o;
    outcome_from_reply(&o, stage, code, str_of(enhanced), str_of(text));
    explain_outcome(e, &o, NULL, x);
}

static void endings_of_the_world_by_reply(void **state)
{
    static const struct {
        enum stage stage;
        int code;
        const char *enhanced, *text;
        enum explain_class class;
        enum explain_owner owner;
    } rows[] = {
        {STAGE_EOD, 250, "2.0.0", "Ok: queued as 4Xyz", EXPLAIN_OK, EXPLAIN_WAIT},
        {STAGE_RCPT, 450, "4.2.0",
         "<a@b>: Recipient address rejected: Greylisted, see "
         "http://postgrey.schweikert.ch/help/me.html",
         EXPLAIN_RATE_GREY, EXPLAIN_WAIT},
        {STAGE_RCPT, 452, "4.2.2", "<a@b>: Mailbox full", EXPLAIN_RCPT_FULL, EXPLAIN_RCPT},
        {STAGE_RCPT, 550, "5.1.1",
         "<a@b>: Recipient address rejected: User unknown in local recipient table",
         EXPLAIN_RCPT_UNKNOWN, EXPLAIN_RCPT},
        {STAGE_RCPT, 554, "5.7.1",
         "Service unavailable; Client host [198.51.100.1] blocked using zen.example; "
         "https://check.zen.example/query/ip/198.51.100.1",
         EXPLAIN_REP_DNSBL, EXPLAIN_US_REP},
        {STAGE_RCPT, 450, "4.1.8",
         "<no-reply@portal.test>: Sender address rejected: Domain not found",
         EXPLAIN_ID_SENDERDOMAIN, EXPLAIN_US_CONF},
        {STAGE_MAIL, 530, "5.7.0", "Must issue a STARTTLS command first", EXPLAIN_TLS_THEY_REQUIRE,
         EXPLAIN_US_CONF},
        {STAGE_RCPT, 554, "5.7.1", "<carl@denied.test>: Relay access denied", EXPLAIN_RELAY_DENIED,
         EXPLAIN_REMOTE},
        {STAGE_RCPT, 553, "5.7.1",
         "<no-reply@portal.test>: Sender address rejected: not owned by user mailer",
         EXPLAIN_ID_SENDER, EXPLAIN_US_CONF},
        {STAGE_GREETING, 554, "", "mx.b.example No SMTP service here for [198.51.100.1]",
         EXPLAIN_REP_PROVIDER, EXPLAIN_US_REP},
        {STAGE_MAIL, 530, "5.7.57", "Client not authenticated to send mail", EXPLAIN_SASL_CRED,
         EXPLAIN_US_CONF},
        {STAGE_AUTH, 535, "5.7.8", "Error: authentication failed", EXPLAIN_SASL_CRED,
         EXPLAIN_US_CONF},
        {STAGE_STARTTLS, 454, "4.7.0", "TLS not available due to local problem",
         EXPLAIN_TLS_HANDSHAKE, EXPLAIN_REMOTE},
        {STAGE_RCPT, 452, "4.5.3", "Error: too many recipients", EXPLAIN_RATE_CONN,
         EXPLAIN_US_CONF},
        {STAGE_GREETING, 421, "4.3.2", "mx.b Service not available, closing transmission channel",
         EXPLAIN_SRV_TEMP, EXPLAIN_WAIT},
        {STAGE_RCPT, 550, "", "Unrouteable address", EXPLAIN_RCPT_UNKNOWN, EXPLAIN_RCPT},
        {STAGE_BODY, 552, "5.3.4", "Message too big for system", EXPLAIN_MSG_SIZE, EXPLAIN_US_MSG},
    };
    (void)state;
    struct explainer *e = builtin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct explanation x;
        explain_reply(e, rows[i].stage, rows[i].code, rows[i].enhanced, rows[i].text, &x);
        row_text(rows[i].text, explain_class_name(x.class), explain_class_name(rows[i].class));
        row_text(rows[i].text, explain_owner_name(x.owner), explain_owner_name(rows[i].owner));
    }
    explainer_free(e);
}

static void endings_of_the_world_by_errno(void **state)
{
    static const struct {
        enum stage stage;
        int sys;
        enum explain_class class;
        enum explain_owner owner;
    } rows[] = {
        {STAGE_CONNECT, ETIMEDOUT, EXPLAIN_NET_TIMEOUT, EXPLAIN_REMOTE},
        {STAGE_CONNECT, ECONNREFUSED, EXPLAIN_NET_REFUSED, EXPLAIN_REMOTE},
        {STAGE_CONNECT, EHOSTUNREACH, EXPLAIN_NET_NOROUTE, EXPLAIN_US_NET},
        {STAGE_CONNECT, ENETUNREACH, EXPLAIN_NET_UNREACH, EXPLAIN_US_NET},
        {STAGE_CONNECT, EACCES, EXPLAIN_NET_DENIED, EXPLAIN_US_CONF},
        {STAGE_CONNECT, EPERM, EXPLAIN_NET_DENIED, EXPLAIN_US_NET},
        {STAGE_CONNECT, EADDRNOTAVAIL, EXPLAIN_NET_SRCADDR, EXPLAIN_US_CONF},
        {STAGE_CONNECT, EHOSTDOWN, EXPLAIN_NET_NOROUTE, EXPLAIN_US_NET},
        {STAGE_CONNECT, ENETDOWN, EXPLAIN_NET_UNREACH, EXPLAIN_US_NET},
        {STAGE_GREETING, ETIMEDOUT, EXPLAIN_NET_TIMEOUT, EXPLAIN_REMOTE},
        {STAGE_RCPT, ECONNRESET, EXPLAIN_NET_LOST, EXPLAIN_REMOTE},
        {STAGE_BODY, EPIPE, EXPLAIN_NET_LOST, EXPLAIN_REMOTE},
        {STAGE_EOD, ETIMEDOUT, EXPLAIN_NET_LOST, EXPLAIN_REMOTE},
        {STAGE_TLS, ECONNRESET, EXPLAIN_TLS_HANDSHAKE, EXPLAIN_REMOTE},
        {STAGE_LOCAL, ENOSPC, EXPLAIN_SRV_CONF, EXPLAIN_US_CONF},
        {STAGE_LOCAL, EDQUOT, EXPLAIN_SRV_CONF, EXPLAIN_US_CONF},
        {STAGE_LOCAL, EMFILE, EXPLAIN_SRV_CONF, EXPLAIN_US_CONF},
        {STAGE_LOCAL, EIO, EXPLAIN_SRV_CONF, EXPLAIN_US_CONF},
    };
    (void)state;
    struct explainer *e = builtin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct explanation x;
        struct outcome o;
        outcome_from_errno(&o, rows[i].stage, rows[i].sys);
        if (rows[i].stage != STAGE_LOCAL)
            str_copy(STR("mx.b.example"), o.host, sizeof(o.host));
        explain_outcome(e, &o, NULL, &x);
        row_text(outcome_errno_name(rows[i].sys), explain_class_name(x.class),
                 explain_class_name(rows[i].class));
        row_text(outcome_errno_name(rows[i].sys), explain_owner_name(x.owner),
                 explain_owner_name(rows[i].owner));
    }
    explainer_free(e);
}

static void endings_of_the_world_by_our_own_words(void **state)
{
    static const struct {
        enum stage stage;
        int code;
        const char *tag, *text;
        enum explain_class class;
        enum explain_owner owner;
    } rows[] = {
        {STAGE_DNS, 0, "", "Name service error for name=b type=MX: Host not found",
         EXPLAIN_DNS_NXDOMAIN, EXPLAIN_RCPT},
        {STAGE_DNS, 0, "SERVFAIL",
         "Name service error for name=b type=MX: Host not found, try again", EXPLAIN_DNS_TEMP,
         EXPLAIN_REMOTE},
        {STAGE_DNS, 0, "timeout",
         "Name service error for name=b type=MX: Host not found, try again", EXPLAIN_DNS_TEMP,
         EXPLAIN_US_NET},
        {STAGE_DNS, 0, "REFUSED",
         "Name service error for name=b type=MX: Host not found, try again", EXPLAIN_DNS_TEMP,
         EXPLAIN_US_CONF},
        {STAGE_DNS, 556, "null-mx", "Domain b.example does not accept mail (nullMX)",
         EXPLAIN_DNS_NULLMX, EXPLAIN_RCPT},
        {STAGE_DNS, 0, "unusable-mx", "no MX record of b.example names a host that can be used",
         EXPLAIN_DNS_BADMX, EXPLAIN_REMOTE},
        {STAGE_ROUTE, 0, "loop", "mail for b.example loops back to myself", EXPLAIN_SRV_LOOP,
         EXPLAIN_US_CONF},
        {STAGE_STARTTLS, 0, "not-offered",
         "TLS is required, but was not offered by host mx.b.example[192.0.2.1]",
         EXPLAIN_TLS_WE_REQUIRE, EXPLAIN_US_CONF},
        {STAGE_AUTH, 0, "no-mechanism",
         "SASL authentication failed; server sasl.relay.test[192.0.2.52] offered no compatible "
         "authentication mechanisms for this type of connection security",
         EXPLAIN_SASL_MECH, EXPLAIN_US_CONF},
        {STAGE_AUTH, 0, "no-token", "the token file cannot be read", EXPLAIN_SASL_CRED,
         EXPLAIN_US_CONF},
        {STAGE_LOCAL, 0, "expired",
         "the lifetime of the message was over before another try could be made", EXPLAIN_EXPIRED,
         EXPLAIN_WAIT},
        {STAGE_RCPT, 0, "protocol-error",
         "protocol error while talking to mx[192.0.2.1]: two codes", EXPLAIN_SRV_PROTO,
         EXPLAIN_REMOTE},
    };
    (void)state;
    struct explainer *e = builtin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct explanation x;
        struct outcome o;
        outcome_init(&o, OUTCOME_DEFERRED, rows[i].stage);
        o.code = rows[i].code;
        str_copy(str_of(rows[i].tag), o.tag, sizeof(o.tag));
        str_copy(str_of(rows[i].text), o.text, sizeof(o.text));
        explain_outcome(e, &o, NULL, &x);
        row_text(rows[i].text, explain_class_name(x.class), explain_class_name(rows[i].class));
        row_text(rows[i].text, explain_owner_name(x.owner), explain_owner_name(rows[i].owner));
    }
    explainer_free(e);
}

static void what_is_around_changes_who_must_act(void **state)
{
    (void)state;
    struct explainer *e = builtin();
    struct explanation x;
    struct outcome o;
    struct explain_around around = {.sites_alike = 3};
    outcome_from_errno(&o, STAGE_CONNECT, ETIMEDOUT);
    explain_outcome(e, &o, &around, &x);
    assert_int_equal(x.owner, EXPLAIN_US_NET);
    assert_int_equal(x.scope, SCOPE_EVERYTHING);
    around.sites_alike = 2;
    explain_outcome(e, &o, &around, &x);
    assert_int_equal(x.owner, EXPLAIN_REMOTE);
    around = (struct explain_around){.is_relay = true};
    outcome_from_reply(&o, STAGE_RCPT, 554, STR("5.7.1"), STR("<a@b>: Relay access denied"));
    explain_outcome(e, &o, &around, &x);
    assert_int_equal(x.owner, EXPLAIN_US_CONF);
    assert_int_equal(x.permanence, EXPLAIN_FIXABLE);
    explainer_free(e);
}

static void provider_is_known_by_its_host(void **state)
{
    (void)state;
    struct explainer *e = builtin();
    struct explanation x;
    struct outcome o;
    outcome_from_reply(&o, STAGE_RCPT, 550, STR("5.4.1"),
                       STR("Recipient address rejected: Access denied"));
    str_copy(STR("b-example.mail.protection.outlook.com"), o.host, sizeof(o.host));
    explain_outcome(e, &o, NULL, &x);
    assert_string_equal(x.rule, "microsoft-directory");
    outcome_from_reply(&o, STAGE_EOD, 421, STR("4.7.23"), STR("see the guidelines"));
    str_copy(STR("alt1.gmail-smtp-in.l.google.com."), o.host, sizeof(o.host));
    explain_outcome(e, &o, NULL, &x);
    assert_int_equal(x.class, EXPLAIN_ID_PTR);
    str_copy(STR("notgoogle.com"), o.host, sizeof(o.host));
    explain_outcome(e, &o, NULL, &x);
    assert_int_not_equal(x.class, EXPLAIN_ID_PTR);
    explainer_free(e);
}

static void basic_code_beats_the_enhanced_one(void **state)
{
    (void)state;
    struct explainer *e = builtin();
    struct explanation x;
    explain_text(e, STR("421 5.7.32 Please see the guidelines of gmail"), &x);
    assert_int_equal(x.permanence, EXPLAIN_TEMP);
    assert_int_equal(x.class, EXPLAIN_AUTH_DMARC);
    explain_text(e, STR("552 4.2.2 Hm"), &x);
    assert_int_equal(x.permanence, EXPLAIN_TRULY_TEMP);
    explain_text(e, STR("450 5.1.1 Hm"), &x);
    assert_int_not_equal(x.class, EXPLAIN_RCPT_UNKNOWN);
    assert_int_equal(x.permanence, EXPLAIN_TEMP);
    explainer_free(e);
}

static void forms_of_a_text(void **state)
{
    static const struct {
        const char *text;
        const char *rule;
    } rows[] = {
        {"host mx.b.example[192.0.2.1] said: 550 5.1.1 <a@b.example>: User unknown (in reply to "
         "RCPT TO "
         "command)",
         "unknown-user"},
        {"Nov 24 10:42:00 mail postfix/smtp[1]: 4X: to=<a@b.example>, "
         "relay=mx.b.example[192.0.2.1]:25, "
         "delay=1, dsn=5.1.1, status=bounced (host mx.b.example[192.0.2.1] said: 550 5.1.1 User "
         "unknown)",
         "unknown-user"},
        {"SMTP error from remote mail server after RCPT TO:<a@b.example>: 550 User unknown",
         "unknown-user"},
        {"smtp; 550 5.1.1 User unknown", "unknown-user"},
        {"550-5.1.1 User\r\n550 5.1.1 unknown", "unknown-user"},
        {"550-5.1.1 User 550-5.1.1 unknown 550 5.1.1 in this domain", "unknown-user"},
        {"550 5.1.1 USER  UNKNOWN!!!", "unknown-user"},
        {"delivery temporarily suspended: connect to mx.b.example[192.0.2.1]:25: Connection "
         "refused",
         "connection-refused"},
        {"550 This user doesn\xe2\x80\x99t have a yahoo.com account", "unknown-user"},
    };
    (void)state;
    struct explainer *e = builtin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct explanation x;
        explain_text(e, str_of(rows[i].text), &x);
        row_text(rows[i].text, x.rule, rows[i].rule);
    }
    explainer_free(e);
}

static void names_links_and_waits_are_told(void **state)
{
    (void)state;
    struct explainer *e = builtin();
    struct explanation x;
    explain_text(e,
                 STR("554 5.7.1 Client host [192.0.2.1] blocked using bl.spamcop.net; see "
                     "https://www.spamcop.net/bl.shtml?192.0.2.1."),
                 &x);
    assert_non_null(strstr(x.cause, "bl.spamcop.net"));
    assert_string_equal(x.link, "https://www.spamcop.net/bl.shtml?192.0.2.1");
    explain_text(e, STR("554 5.7.1 Client host blocked using \x1b[2Jevil"), &x);
    assert_non_null(strstr(x.cause, "that the reply names"));
    explain_text(e, STR("450 4.2.0 Greylisted, try again in 5 minutes"), &x);
    assert_int_equal(x.retry_after_ms, 300000);
    explainer_free(e);
}

/* --- the language of patterns --- */

static void is_found(void *arg, const struct pattern *p, unsigned words, size_t end)
{
    (void)p;
    (void)end;
    unsigned *most = arg;
    *most = words > *most ? words : *most;
}

static void patterns_find_words(void **state)
{
    static const struct {
        const char *pattern, *text;
        unsigned words; /* of the longest that is found */
    } rows[] = {
        {"user unknown", "User UNKNOWN.", 2},
        {"user unknown", "<a@b>: user: unknown", 2},
        {"user unknown", "user is unknown", 0},
        {"user unknown", "superuser unknown", 0},
        {"user unknown", "user", 0},
        {"don't know", "I don\xe2\x80\x99t know", 2},
        {"re-direct", "re direct", 2},
        {"user (is|was) unknown", "the user was unknown", 3},
        {"user (is|was) unknown", "the user unknown", 0},
        {"user (is|) unknown", "user unknown", 2},
        {"user (is (still|now)|) unknown", "user is now unknown", 4},
        {"user (is (still|now)|) unknown", "user is unknown", 0},
        {"(a b|a) c", "a b c", 3},
        {"(a b|a) c", "a c", 2},
        {"a .. c", "a c", 2},
        {"a .. c", "a b b b b b b b b b b c", 2},
        {"a .. c", "a b b b b b b b b b b b c", 0},
        {"a ... c", "a b b b b b b b b b b b c", 2},
        {"a .. c", "c a", 0},
        {"a .. a", "a", 0},
        {"blocked <ip>", "blocked [192.0.2.1]:25", 2},
        {"blocked <ip>", "blocked 2001:db8::1", 2},
        {"blocked <ip>", "blocked 192.0.2", 0},
        {"from <addr>", "from <a@b.example>", 2},
        {"see <url>", "see https://a.example/b?c=d", 2},
        {"see a example", "see a.example", 3},
        {"a example", "https://a.example/b/c", 2},
        {"b c", "https://a.example/b/c", 0},
        {"after <num> days", "after 5 days", 3},
        {"after 5 days", "after 5 days", 3},
        {"at <time>", "at 10:42:00", 2},
        {"user unknown", "550-5.1.1 user\r\n550 5.1.1 unknown", 2},
        {"user unknown", "user\r\n550-unknown", 2},
        {"\xc3\xa9l\xc3\xa8ve", "\xc3\x89L\xc3\x88VE", 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct matcher m;
        unsigned words = 0;
        matcher_init(&m);
        if (matcher_add(&m, str_of(rows[i].pattern), PATTERN_TEXT, 0))
            fail_msg("pattern \"%s\" is not taken", rows[i].pattern);
        matcher_find(&m, str_of(rows[i].text), is_found, &words);
        row_int(rows[i].pattern, words, rows[i].words);
        matcher_done(&m);
    }
}

/* --- the order of rules --- */

static size_t cut_sections(struct str text, struct str *out, size_t max)
{
    size_t n = 0, from = 0;
    for (size_t at = 1; at <= text.n; at++) {
        if (at < text.n && !(text.p[at] == '[' && text.p[at - 1] == '\n'))
            continue;
        assert_true(n < max);
        out[n++] = str_sub(text, from, at);
        from = at;
    }
    return n;
}

static struct explainer *read_shuffled(const struct str *sections, size_t n, struct rng *rng)
{
    struct str order[1000];
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    memcpy(order, sections, n * sizeof(*order));
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)rng_below(rng, i);
        struct str tmp = order[i - 1];
        order[i - 1] = order[k];
        order[k] = tmp;
    }
    for (size_t i = 0; i < n; i++) {
        buf_add_str(&text, order[i]);
        buf_add_c(&text, '\n');
    }
    struct explainer *e = explainer_empty();
    if (explainer_read(e, buf_str(&text), "shuffled", false, true, &err) ||
        explainer_finish(e, &err))
        fail_msg("%s", err.text);
    return e;
}

static void order_of_rules_means_nothing(void **state)
{
    (void)state;
    static struct str sections[1000];
    struct explainer *e = builtin();
    struct rng rng;
    rng_init_seed(&rng, 1);
    size_t n = cut_sections(builtin_rules(), sections, ARRAY_LEN(sections));
    for (unsigned round = 0; round < 30; round++) {
        struct explainer *other = read_shuffled(sections, n, &rng);
        for (size_t i = 0; i < other->samples_n + ARRAY_LEN(classes); i++) {
            const char *text =
                i < other->samples_n ? other->samples[i].text : classes[i - other->samples_n].text;
            struct explanation a, b;
            explain_text(e, str_of(text), &a);
            explain_text(other, str_of(text), &b);
            row_text(text, b.rule, a.rule);
            row_text(text, b.cause, a.cause);
        }
        explainer_free(other);
    }
    explainer_free(e);
}

static void equals_go_by_name(void **state)
{
    static const char *const orders[] = {"[rule \"a\"]\nclass = POLICY\ntext = green cheese\n[rule "
                                         "\"b\"]\nclass = OK\ntext = green cheese\n",
                                         "[rule \"b\"]\nclass = OK\ntext = green cheese\n[rule "
                                         "\"a\"]\nclass = POLICY\ntext = green cheese\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct err err = ERR_NONE;
        struct explainer *e = read_rules(str_of(orders[i]), true, &err);
        struct explanation x;
        assert_non_null(e);
        explain_text(e, STR("550 green cheese"), &x);
        assert_string_equal(x.rule, "a");
        explainer_free(e);
    }
}

/* --- files of rules --- */

static void bad_rules_name_file_and_line(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"[rule \"a\"]\ntext = x\n", "site.rules:1: the rule «a» has no class"},
        {"\n[rule \"a\"]\nclass = POLICY\n",
         "site.rules:2: the rule «a» has no condition, so it would explain everything"},
        {"[rule \"a\"]\nclass = NOPE\n", "site.rules:2: there is no class «NOPE»"},
        {"[rule \"a\"]\nclass = POLICY\ntext = (a b\n", "site.rules:3: a \"(\" without its \")\""},
        {"[rule \"a\"]\nclass = POLICY\ntext = a b) c\n",
         "site.rules:3: a \")\" or a \"|\" outside brackets"},
        {"[rule \"a\"]\nclass = POLICY\ntext = .. a\n",
         "site.rules:3: a gap stands at the begin, at the end, or beside another gap"},
        {"[rule \"a\"]\nclass = POLICY\ntext = a .. ... b\n",
         "site.rules:3: a gap stands at the begin, at the end, or beside another gap"},
        {"[rule \"a\"]\nclass = POLICY\ntext = (a|) b\n",
         "site.rules:3: brackets that may be empty stand at the begin or behind a gap"},
        {"[rule \"a\"]\nclass = POLICY\ntext = a (b .. c)\n",
         "site.rules:3: a gap inside brackets"},
        {"[rule \"a\"]\nclass = POLICY\ntext = a <what>\n",
         "site.rules:3: in angle brackets stands one of"},
        {"[rule \"a\"]\nclass = POLICY\ntext = mail from a@b.example\n",
         "site.rules:3: an address, a time, a URL or an enhanced code"},
        {"[rule \"a\"]\nclass = POLICY\ntext = --\n", "site.rules:3: punctuation alone"},
        {"[rule \"a\"]\nclass = POLICY\ntext = a b c d e f g h i j k l m n o p q\n",
         "site.rules:3: more than 16 words without a gap"},
        {"[rule \"a\"]\nclass = POLICY\ncode = 12345\n", "site.rules:3: allowed: none, or up to 8"},
        {"[rule \"a\"]\nclass = POLICY\nenhanced = 9.1.1\n", "site.rules:3: allowed: up to 12"},
        {"[rule \"a\"]\nclass = POLICY\nowner = them\n", "site.rules:3: there is no owner «them»"},
        {"[rule \"a\"]\nclass = POLICY\nscope = world\n",
         "site.rules:3: there is no scope «world»"},
        {"[rule \"a\"]\nclass = POLICY\ncure = hope\n",
         "site.rules:3: allowed: time, repair, none"},
        {"[rule \"a\"]\nclass = POLICY\nstage = moon\n", "site.rules:3: there is no stage «moon»"},
        {"[rule \"a\"]\nclass = POLICY\npriority = 0\n",
         "site.rules:3: allowed: a number from 1 to 999"},
        {"[rule \"a\"]\nclass = POLICY\nretry-after = soon\n", "site.rules:3: allowed: a duration"},
        {"[rule \"a\"]\nclass = POLICY\nvia = pigeon\n", "site.rules:3: allowed: relay, direct"},
        {"[rule \"a\"]\nclass = POLICY\nhost = x\n",
         "site.rules:3: host cannot stand in this section"},
        {"[rule \"a\"]\nclass = POLICY\ncolour = red\n", "site.rules:3: there is no key «colour»"},
        {"[rule \"a\"]\nclass = POLICY\ntext =\n", "site.rules:3: text: a value is missing"},
        {"[rule \"unknown-user\"]\nclass = POLICY\n",
         "site.rules:1: there is a built-in rule «unknown-user» already"},
        {"[table]\n", "site.rules:1: a section is [rule"},
        {"text = a\n", "site.rules:1: text cannot stand in this section"},
        {"[class \"NOPE\"]\n", "site.rules:1: there is no class «NOPE»"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_NONE;
        struct explainer *e = read_rules(str_of(rows[i].text), true, &err);
        if (e)
            fail_msg("taken: %s", rows[i].text);
        if (strncmp(err.text, rows[i].error, strlen(rows[i].error)) != 0)
            fail_msg("row \"%s\": %s", rows[i].text, err.text);
        assert_int_equal(err.code, E_CONFIG);
    }
}

static const char *write_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof(path), "/tmp/test_explain.XXXXXX");
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void file_of_the_administrator_wins(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    struct explainer *e;
    struct explanation x;
    const char *path = write_file("[rule \"our filter\"]\nclass = POLICY\nowner = US-CONF\n"
                                  "text = user unknown\ncause = Our own filter says that.\n"
                                  "next = Ask the third floor.\nlink = https://intranet.example/\n"
                                  "sample = 550 5.1.1 User unknown\n");
    assert_int_equal(explainer_new(path, &e, &err), 0);
    explain_text(e, STR("550 5.1.1 <a@b.example>: User unknown"), &x);
    assert_string_equal(x.rule, "our filter");
    assert_string_equal(x.cause, "Our own filter says that.");
    assert_string_equal(x.link, "https://intranet.example/");
    assert_int_equal(x.owner, EXPLAIN_US_CONF);
    explainer_free(e);
    remove(path);
    assert_int_equal(explainer_new(path, &e, &err), -(int)E_NOTFOUND);
    assert_null(e);
}

static void sample_of_the_administrator_must_be_won(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    struct explainer *e;
    const char *path = write_file("[rule \"weak\"]\nclass = POLICY\npriority = 1\ntext = unknown\n"
                                  "sample = 550 5.1.1 User unknown\n");
    assert_int_equal(explainer_new(path, &e, &err), -(int)E_CONFIG);
    assert_non_null(strstr(err.text, ":5: this sample of «weak» is explained by «unknown-user»"));
    remove(path);
}

/* --- any bytes --- */

static void is_harmless(const char *text)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    assert_int_equal(text_printable(&b, str_of(text), false), 0);
}

static void check_bytes(struct explainer *e, struct str bytes)
{
    struct explanation x;
    char signature[200];
    explain_text(e, bytes, &x);
    is_harmless(x.cause);
    is_harmless(x.next);
    is_harmless(x.link);
    explain_signature(bytes, signature, sizeof(signature));
    is_harmless(signature);
}

static void no_bytes_are_harmful(void **state)
{
    static const char *const pieces[] = {
        "550 ",         "5.7.1 ", "blocked using ",  "user ",    "unknown ",    "\x1b[2J",
        "\xe2\x80\xae", "\x9b",   "https://x",       "<a@b>",    "[192.0.2.1]", "\r\n",
        "550-",         ":",      "said: ",          "status=(", "12:34:56",    "\xc3",
        "host ",        "a.b.c ", "try again in 5 ", "minutes ", "0000 ",       "(",
        "'s",           "\xff"};
    (void)state;
    struct explainer *e = builtin();
    struct rng rng;
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    rng_init_seed(&rng, 7);
    for (unsigned round = 0; round < 2000; round++) {
        buf_clear(&text);
        for (size_t n = (size_t)rng_below(&rng, 40); n; n--) {
            if (rng_below(&rng, 4) == 0)
                buf_add_c(&text, (char)rng_below(&rng, 256));
            else
                buf_add_z(&text, pieces[rng_below(&rng, ARRAY_LEN(pieces))]);
        }
        check_bytes(e, buf_str(&text));
    }
    explainer_free(e);
}

/* Steps, not seconds: a text that is all of the words that begin most patterns costs no more for each word
 * when it is longer. */
static void long_texts_cost_in_proportion(void **state)
{
    static const char *const words[] = {"not ", "user ", "mail ",     "1 ",  "550-5.1.1 ", "a@",
                                        "(",    "x",     "http://a ", "is ", "address ",   "the "};
    (void)state;
    struct explainer *e = builtin();
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct buf text CLEANUP(buf_done) = BUF_INIT;
        struct explanation x;
        uint64_t steps[2];
        for (size_t k = 0; k < 2; k++) {
            while (text.n < (k ? EXPLAIN_TEXT_MAX : EXPLAIN_TEXT_MAX / 8))
                buf_add_z(&text, words[i]);
            e->matcher.steps = 0;
            explain_text(e, buf_str(&text), &x);
            steps[k] = e->matcher.steps;
        }
        if (steps[1] > 8 * steps[0] + 1000)
            fail_msg("\"%s\": %llu steps, and %llu of eight times the text", words[i],
                     (unsigned long long)steps[0], (unsigned long long)steps[1]);
    }
    explainer_free(e);
}

static void signatures_group(void **state)
{
    static const struct {
        const char *text, *signature;
    } rows[] = {
        {"<a@b.example>: User unknown", "<addr> user unknown"},
        {"<c@d.example>: User UNKNOWN!", "<addr> user unknown"},
        {"5.7.1 Client host [192.0.2.1] blocked using zen.example; "
         "https://x.example/query/ip/192.0.2.1",
         "client host <ip> blocked using zen example <url>"},
        {"queued as 4XyzAB12cd34", "queued as <id>"},
        {"deferred (S3150) at 2026-11-24T10:42:00Z", "deferred s3150 at <time>"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char signature[128];
        explain_signature(str_of(rows[i].text), signature, sizeof(signature));
        row_text(rows[i].text, signature, rows[i].signature);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_won_by_their_own_rule),
        cmocka_unit_test(every_class_has_its_text),
        cmocka_unit_test(endings_of_the_world_by_reply),
        cmocka_unit_test(endings_of_the_world_by_errno),
        cmocka_unit_test(endings_of_the_world_by_our_own_words),
        cmocka_unit_test(what_is_around_changes_who_must_act),
        cmocka_unit_test(provider_is_known_by_its_host),
        cmocka_unit_test(basic_code_beats_the_enhanced_one),
        cmocka_unit_test(forms_of_a_text),
        cmocka_unit_test(names_links_and_waits_are_told),
        cmocka_unit_test(patterns_find_words),
        cmocka_unit_test(order_of_rules_means_nothing),
        cmocka_unit_test(equals_go_by_name),
        cmocka_unit_test(bad_rules_name_file_and_line),
        cmocka_unit_test(file_of_the_administrator_wins),
        cmocka_unit_test(sample_of_the_administrator_must_be_won),
        cmocka_unit_test(no_bytes_are_harmful),
        cmocka_unit_test(long_texts_cost_in_proportion),
        cmocka_unit_test(signatures_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
