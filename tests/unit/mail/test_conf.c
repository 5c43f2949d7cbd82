/* SPDX-License-Identifier: ISC */
/* The configuration: what is read, what is refused and in which words, what is in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/mail/conf.h"

static const struct conf_defaults defaults = {"/var/lib/mxhelm", "host.example.net", false};

static int parse(struct conf *c, const char *text, struct err *err)
{
    *err = ERR_NONE;
    conf_init(c, &defaults);
    return conf_parse(c, str_of(text), "test.conf", err);
}

static void parse_well(struct conf *c, const char *text)
{
    struct err err;

    if (parse(c, text, &err) != 0)
        fail_msg("%s", err.text);
}

static const struct conf_value *value_of(const struct conf *c, const char *key)
{
    for (size_t i = 0; conf_value(c, i); i++)
        if (strcmp(conf_value(c, i)->key, key) == 0)
            return conf_value(c, i);
    fail_msg("%s: not in the values", key);
    return NULL;
}

/* A file with a password, in a folder of its own; the caller unlinks it. */
static char *password_file(const char *text, mode_t mode)
{
    char *path = xstrdup("/tmp/mxhelm-test-conf-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static void defaults_are_safe(void **state)
{
    struct conf c;

    (void)state;
    conf_init(&c, &defaults);
    assert_string_equal(c.hostname, "host.example.net");
    assert_string_equal(c.sender, "mailer@host.example.net");
    assert_int_equal(c.listen_n, 1);
    assert_string_equal(c.listen[0].host, "127.0.0.1");
    assert_int_equal(c.listen[0].port, 25);
    assert_int_equal(c.allow_n, 2);
    assert_int_equal(c.relay, -1);
    assert_int_equal(c.port, 25);
    assert_int_equal(c.tls, TLS_LEVEL_OPPORTUNISTIC);
    assert_int_equal(c.max_message_bytes, 50 * 1024 * 1024);
    assert_string_equal(c.retry.name, "normal");
    assert_string_equal(c.store_path, "/var/lib/mxhelm");
    assert_false(c.lab_special_use);
    assert_null(c.path);
    conf_done(&c);
}

static void foreground_listens_on_2525(void **state)
{
    const struct conf_defaults d = {"/home/op/.local/state/mxhelm", NULL, true};
    struct conf c;

    (void)state;
    conf_init(&c, &d);
    assert_int_equal(c.listen[0].port, 2525);
    assert_string_equal(c.hostname, "localhost.localdomain");
    char *submit = conf_submit_socket(&c), *control = conf_control_socket(&c);
    assert_string_equal(submit, "/home/op/.local/state/mxhelm/submit.sock");
    assert_string_equal(control, "/home/op/.local/state/mxhelm/control.sock");
    free(submit);
    free(control);
    conf_done(&c);
}

static void an_empty_file_changes_nothing(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "# nothing\n");
    assert_string_equal(c.sender, "mailer@host.example.net");
    assert_int_equal(value_of(&c, "identity.hostname")->line, 0);
    conf_done(&c);
}

static void every_key_is_read(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "[identity]\nhostname = Mail.Example.COM\nsender = Mailer@Example.com\n"
                   "from-policy = always-sender\npublic-ip = 203.0.113.5\n"
                   "[listen]\nsmtp = 127.0.0.1:2525 [::1]:2526 127.0.0.2\n"
                   "allow = 127.0.0.0/8 192.0.2.1\n"
                   "max-message = 20M\nmax-recipients = 500\nmax-sessions = 7\nidle = 90s\n"
                   "[store]\npath = /srv/mail\nkeep = 2d\nlog-keep = 30d\n"
                   "[dns]\nservers = 127.0.0.1 [::1]:5353\ntrust-ad = no\n"
                   "[delivery]\nport = 2500\ntls = required\nconnections = 9\n"
                   "site-connections = 3\nconnect-timeout = 10s\n"
                   "[report]\npostmaster = Boss@Example.com\n"
                   "[lab]\nspecial-use = yes\nloopback-targets = yes\n[log]\nstderr = yes\n");
    assert_string_equal(c.hostname, "mail.example.com");
    assert_string_equal(c.sender, "Mailer@example.com");
    assert_int_equal(c.from_policy, FROM_ALWAYS_SENDER);
    assert_int_equal(c.public_ip.family, 4);
    assert_int_equal(c.listen_n, 3);
    assert_int_equal(c.listen[1].port, 2526);
    assert_string_equal(c.listen[1].host, "::1");
    assert_int_equal(c.listen[2].port, 25);
    assert_int_equal(c.allow_n, 2);
    assert_int_equal(c.allow[1].bits, 32);
    assert_int_equal(c.max_message_bytes, 20 * 1024 * 1024);
    assert_int_equal(c.max_recipients, 500);
    assert_int_equal(c.max_sessions, 7);
    assert_int_equal(c.idle_ms, 90 * SECOND_MS);
    assert_string_equal(c.store_path, "/srv/mail");
    assert_int_equal(c.keep_ms, 2 * DAY_MS);
    assert_int_equal(c.log_keep_ms, 30 * DAY_MS);
    assert_int_equal(c.dns_n, 2);
    assert_int_equal(c.dns[0].port, 53);
    assert_int_equal(c.dns[1].port, 5353);
    assert_int_equal(c.dns_trust_ad, DNS_TRUST_NO);
    assert_int_equal(c.port, 2500);
    assert_int_equal(c.tls, TLS_LEVEL_REQUIRED);
    assert_int_equal(c.connections, 9);
    assert_int_equal(c.site_connections, 3);
    assert_int_equal(c.connect_timeout_ms, 10 * SECOND_MS);
    assert_string_equal(c.report_postmaster, "Boss@example.com");
    assert_true(c.lab_special_use && c.lab_loopback_targets && c.log_stderr);
    conf_done(&c);
}

static void sender_follows_the_hostname(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "[identity]\nhostname = mail.example.org\n");
    assert_string_equal(c.sender, "mailer@mail.example.org");
    conf_done(&c);
}

static void lab_special_use_lifts_the_refusal_of_the_sender(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "[identity]\nhostname = mx.lab.test\nsender = noreply@mydomain.local\n"
                   "[lab]\nspecial-use = yes\n");
    assert_string_equal(c.sender, "noreply@mydomain.local");
    conf_done(&c);
}

static void relays_and_routes_are_read_in_any_order(void **state)
{
    char *path = password_file("geheim\r\n", 0640), *text;
    struct conf c;

    (void)state;
    text = xasprintf("[route \"Partner.Example\"]\nvia = relay office\n"
                     "[delivery]\nmode = relay backup\n"
                     "[relay \"office\"]\nhost = relay.example.net:587\nauth = plain\n"
                     "user = mailer@example.com\npassword-file = %s\n"
                     "[relay backup]\nhost = [2001:db8::1]:465\ntls = required\n",
                     path);
    parse_well(&c, text);
    assert_int_equal(c.relays_n, 2);
    assert_string_equal(c.relays[0].name, "office");
    assert_string_equal(c.relays[0].hosts[0].host, "relay.example.net");
    assert_int_equal(c.relays[0].hosts[0].port, 587);
    assert_int_equal(c.relays[0].hosts[0].ip.family, 0);
    assert_int_equal(c.relays[0].tls, TLS_LEVEL_VERIFIED);
    assert_int_equal(c.relays[0].auth, AUTH_PLAIN);
    assert_string_equal(c.relays[0].password, "geheim");
    assert_false(endpoint_is_implicit_tls(&c.relays[0].hosts[0]));
    assert_int_equal(c.relays[1].hosts[0].ip.family, 6);
    assert_true(endpoint_is_implicit_tls(&c.relays[1].hosts[0]));
    assert_int_equal(c.relay, 1);
    assert_int_equal(c.routes[0].relay, 0);
    assert_string_equal(c.routes[0].match, "partner.example");
    for (size_t i = 0; conf_value(&c, i); i++)
        assert_null(strstr(conf_value(&c, i)->value, "geheim"));
    conf_done(&c);
    unlink(path);
    free(path);
    free(text);
}

static void routes_are_taken_most_specific_first(void **state)
{
    static const struct {
        const char *name, *domain, *reverse_path;
        int relay;
    } rows[] = {
        {"sender's address", "partner.example", "boss@ours.example", 0},
        {"sender's address in other case", "partner.example", "Boss@OURS.example", 0},
        {"sender's domain", "partner.example", "clerk@ours.example", 1},
        {"recipient's domain", "partner.example", "x@other.example", -1},
        {"recipient's domain in other case", "PARTNER.example", "", -1},
        {"nothing fits", "elsewhere.example", "x@other.example", 2},
        {"a subdomain is another domain", "sub.partner.example", "", 2},
        {"null reverse-path", "elsewhere.example", "", 2},
    };
    struct conf c;

    (void)state;
    parse_well(&c, "[relay a]\nhost = a.example:25\n[relay b]\nhost = b.example:25\n"
                   "[relay c]\nhost = c.example:25\n[delivery]\nmode = relay c\n"
                   "[route \"sender:boss@ours.example\"]\nvia = relay a\n"
                   "[route \"sender:ours.example\"]\nvia = relay b\n"
                   "[route \"partner.example\"]\nvia = direct\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (conf_route(&c, rows[i].domain, rows[i].reverse_path) != rows[i].relay)
            fail_msg("%s: %d", rows[i].name, conf_route(&c, rows[i].domain, rows[i].reverse_path));
    conf_done(&c);
}

static void destinations_fall_back_to_the_general_values(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "[delivery]\ntls = required\n[destination \"gmail.com\"]\nconnections = 10\n"
                   "rate = 1000/1h\n"
                   "[destination \"mx1.example+mx2.example\"]\ntls = verified\n");
    const struct destination_conf *d = conf_destination(&c, "GMAIL.com", "site");
    assert_non_null(d);
    assert_int_equal(d->connections, 10);
    assert_false(d->has_tls);
    assert_int_equal(d->tls, TLS_LEVEL_REQUIRED);
    d = conf_destination(&c, "other.example", "mx1.example+mx2.example");
    assert_non_null(d);
    assert_true(d->has_tls);
    assert_int_equal(d->tls, TLS_LEVEL_VERIFIED);
    assert_null(conf_destination(&c, "other.example", "other"));
    assert_string_equal(value_of(&c, "destination.gmail.com.rate")->value, "1000/1h");
    assert_string_equal(value_of(&c, "destination.mx1.example+mx2.example.rate")->value, "0");
    assert_string_equal(value_of(&c, "destination.gmail.com.tls")->value, "required");
    assert_string_equal(value_of(&c, "destination.mx1.example+mx2.example.connections")->value,
                        "20");
    conf_done(&c);
}

static void retry_keys_change_the_profile_wherever_they_stand(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "[retry]\nfirst = 1m\nprofile = short\n");
    assert_string_equal(c.retry.name, "short");
    assert_int_equal(c.retry.first_ms, MINUTE_MS);
    assert_int_equal(c.retry.lifetime_ms, 48 * HOUR_MS);
    conf_done(&c);
}

static void a_short_lifetime_shortens_what_only_the_profile_says(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "[retry]\nlifetime = 2m\n");
    assert_int_equal(c.retry.lifetime_ms, 2 * MINUTE_MS);
    assert_true(c.retry.max_ms <= c.retry.lifetime_ms);
    assert_true(c.retry.first_ms <= c.retry.max_ms);
    assert_int_equal(c.retry.delay_notice_ms, 0);
    conf_done(&c);
}

/* Each row: a text and what the error must say, line and all. */
static const struct {
    const char *name, *text, *want;
} refusals[] = {
    {"key without section", "hostname = a.example\n",
     "test.conf:1: hostname: a key before the first"},
    {"unknown section", "[dkim \"example.com\"]\n",
     "test.conf:1: [dkim]: no such section; the sections are [identity] [listen]"},
    {"misspelt key", "[identity]\n\nhostnme = a.example\n",
     "test.conf:3: identity.hostnme: no such key; did you mean hostname?; allowed: hostname, "
     "sender"},
    {"key in capitals", "[identity]\nHostname = a.example\n", "did you mean hostname?"},
    {"key of another section", "[delivery]\nhostname = a.example\n",
     "hostname belongs to [identity]"},
    {"key from nowhere", "[log]\nverbosity = 3\n", "log.verbosity: no such key; allowed: stderr"},
    {"key twice", "[log]\nstderr = no\nstderr = yes\n",
     "test.conf:3: log.stderr: set already in line 2"},
    {"section twice", "[log]\nstderr = no\n[log]\n",
     "test.conf:3: [log]: that section stands in the file twice"},
    {"relay twice", "[relay a]\nhost = a.example:25\n[relay \"a\"]\n",
     "test.conf:3: [relay \"a\"]: that relay has a section already"},
    {"route twice", "[route A.example]\nvia = direct\n[route a.example]\n",
     "has a section already"},
    {"relay without a name", "[relay]\n", "test.conf:1: [relay]: the name is missing"},
    {"section with a name too many", "[log \"x\"]\n", "this section takes no name"},
    {"relay with a bad name", "[relay \"a b\"]\n", "letters, digits"},
    {"route of no domain", "[route \"a_b.example\"]\n", "underscore"},
    {"line that does not parse", "[log]\nstderr yes\n", "test.conf:2: no \"=\""},

    {"hostname without a dot", "[identity]\nhostname = mail\n",
     "test.conf:2: identity.hostname: «mail» is not a full host name: it has no dot"},
    {"hostname is an address", "[identity]\nhostname = 192.0.2.1\n", "it is an address"},
    {"hostname with an underscore", "[identity]\nhostname = my_mail.example.com\n", "underscore"},
    {"sender without a domain", "[identity]\nsender = mailer\n",
     "identity.sender: «mailer» is not a mail address"},
    {"sender with a literal", "[identity]\nsender = a@[192.0.2.1]\n", "it has no domain"},
    {"sender that never receives mail (S6)", "[identity]\nsender = noreply@mydomain.local\n",
     "test.conf:2: identity.sender: «noreply@mydomain.local» is not an address that can receive "
     "mail"},
    {"default sender that never receives mail", "[identity]\nhostname = mail.corp.local\n",
     "test.conf:2: identity.sender: not set, and mailer@ with the hostname"},
    {"bad word", "[identity]\nfrom-policy = users\n",
     "«users» is not one of the words; allowed: user, always-sender"},
    {"bad address", "[identity]\npublic-ip = 203.0.113\n", "«203.0.113» is not an IP address"},

    {"listen on a name", "[listen]\nsmtp = localhost:25\n", "it holds a name"},
    {"port 0", "[listen]\nsmtp = 127.0.0.1:0\n", "the port is not a number from 1 to 65535"},
    {"port 65536", "[listen]\nsmtp = 127.0.0.1:65536\n", "the port is not a number"},
    {"bad network", "[listen]\nallow = 127.0.0.0/33\n", "«127.0.0.0/33» is not a list of networks"},
    {"no network", "[listen]\nallow =\n", "is not a list of networks"},
    {"listen twice", "[listen]\nsmtp = 127.0.0.1:25 127.0.0.1:25\n", "stands there twice"},
    {"open relay", "[listen]\nsmtp = 0.0.0.0:25\nallow = 0.0.0.0/0\n",
     "test.conf:3: listen.allow: 0.0.0.0/0 together with the outside address 0.0.0.0:25"},
    {"open relay in halves", "[listen]\nsmtp = 192.0.2.1:25\nallow = 0.0.0.0/1 128.0.0.0/1\n",
     "(an open relay)"},
    {"open relay in IPv6", "[listen]\nsmtp = [2001:db8::1]:25\nallow = ::/0\n", "(an open relay)"},
    {"message limit too small", "[listen]\nmax-message = 10k\n",
     "is not a size in these bounds; allowed: a size from 64K"},
    {"message limit of no size", "[listen]\nmax-message = big\n", "«big» is not a size"},
    {"too few recipients", "[listen]\nmax-recipients = 99\n", "is not a number in these bounds"},
    {"duration without end", "[listen]\nidle = 2 fortnights\n",
     "is not a duration in these bounds; allowed: a duration from 1s to 1d"},
    {"negative duration", "[listen]\nidle = -5m\n", "is not a duration"},
    {"relative path", "[store]\npath = queue\n", "it does not begin with /"},
    {"empty path", "[store]\npath =\n", "it does not begin with /"},
    {"server by name", "[dns]\nservers = dns.example\n", "it holds a name"},
    {"delivery port 0", "[delivery]\nport = 0\n", "«0» is not a port"},
    {"delivery port too large", "[delivery]\nport = 70000\n", "«70000» is not a port"},

    {"mode of an unknown relay", "[delivery]\nmode = relay office\n",
     "test.conf:2: delivery.mode: «relay office» is not a way to deliver: there is no section "
     "[relay \"NAME\"]"},
    {"mode of no kind", "[delivery]\nmode = office\n", "allowed: direct, relay NAME"},
    {"relay without a host", "[relay a]\ntls = none\n", "test.conf:1: relay.a.host: missing"},
    {"relay without a port", "[relay a]\nhost = a.example\n",
     "relay.a.host: «a.example» is not a host with a port: the port is missing"},
    {"relay with a bare IPv6 address", "[relay a]\nhost = 2001:db8::1\n", "the port is missing"},
    {"relay with half a bracket", "[relay a]\nhost = [::1:25\n", "[ADDRESS]:PORT"},
    {"login without a user", "[relay a]\nhost = a.example:587\nauth = plain\n",
     "relay.a.user: missing"},
    {"login without a password", "[relay a]\nhost = a.example:587\nuser = u\n",
     "relay.a.password-file: missing"},
    {"user without a login", "[relay a]\nhost = a.example:587\nauth = none\nuser = u\n",
     "relay.a.auth: none contradicts user"},
    {"password in the clear",
     "[relay a]\nhost = a.example:25\ntls = none\nauth = login\nuser = u\npassword-file = "
     "/nonexistent\n",
     "test.conf:3: relay.a.tls: none contradicts the login"},
    {"mechanism from another world", "[relay a]\nhost = a.example:25\nauth = ntlm\n",
     "allowed: auto, none, plain, login"},
    {"implicit TLS without TLS", "[relay a]\nhost = a.example:465\ntls = none\n",
     "contradicts port 465"},
    {"password file that is not there",
     "[relay a]\nhost = a.example:587\nuser = u\npassword-file = /nonexistent/secret\n",
     "relay.a.password-file: /nonexistent/secret: No such file"},
    {"password file that is a folder",
     "[relay a]\nhost = a.example:587\nuser = u\npassword-file = /tmp\n", "is not a regular file"},
    {"route without via", "[route a.example]\n", "test.conf:1: route.a.example.via: missing"},
    {"no template there", "[report]\nfailed = /nonexistent/template\n",
     "test.conf:2: report.failed: cannot read /nonexistent/template: No such file"},
    {"no rules there", "[explain]\nrules = /nonexistent/rules\n",
     "test.conf:2: explain.rules: open the rules of explanations /nonexistent/rules: No such file"},
    {"a folder as template", "[report]\nrelayed = /tmp\n", "cannot read /tmp: not a regular file"},
    {"no postmaster", "[report]\npostmaster = nobody\n",
     "test.conf:2: report.postmaster: «nobody» is not a mail address"},
    {"token and password", "[relay a]\nhost = a.example:587\nuser = u\npassword-file = /x\n"
                           "token-file = /y\n",
     "test.conf:4: relay.a.password-file: contradicts token-file"},
    {"two kinds of token", "[relay a]\nhost = a.example:587\nuser = u\ntoken-url = https://t.example\n"
                           "token-file = /y\n",
     "test.conf:5: relay.a.token-file: contradicts token-url"},
    {"token-url without a client",
     "[relay a]\nhost = a.example:587\nuser = u\ntoken-url = https://t.example/\n",
     "relay.a.client-id: missing"},
    {"token-url in clear text", "[relay a]\nhost = a.example:587\ntoken-url = http://t.example/\n",
     "relay.a.token-url: «http://t.example/» is not an address of the web: it does not begin with "
     "https://"},
    {"client without a token-url", "[relay a]\nhost = a.example:587\nclient-id = me\n",
     "relay.a.token-url: missing"},
    {"token without a user", "[relay a]\nhost = a.example:587\ntoken-file = /y\n",
     "relay.a.user: missing"},
    {"more hosts than are tried",
     "[relay a]\nhost = a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8 a:9\n", "there are more than 8"},
    {"implicit TLS in a list", "[relay a]\nhost = a.example:25 a.example:465\ntls = none\n",
     "relay.a.tls: none contradicts port 465"},
    {"fallback to nobody", "[delivery]\nfallback-relay = office\n",
     "delivery.fallback-relay: «office» is not a relay: there is no section"},
    {"fallback from a relay", "[relay a]\nhost = a.example:25\n[delivery]\nmode = relay a\n"
                              "fallback-relay = a\n",
     "test.conf:5: delivery.fallback-relay: contradicts delivery.mode"},
    {"a listener of both classes", "[listen]\nsmtp = 127.0.0.1:25\nsystem = 127.0.0.1\n",
     "test.conf:3: listen.system: 127.0.0.1:25 stands in listen.smtp too"},
    {"open relay of class system", "[listen]\nsystem = 0.0.0.0:2525\nallow = 0.0.0.0/0\n",
     "in listen.system would let"},
    {"a user by name", "[listen]\nsystem-uids = root\n",
     "listen.system-uids: «root» is not a list of user ids"},
    {"from twice", "[from \"a.example\"]\n[from \"A.example\"]\n",
     "test.conf:2: [from \"A.example\"]: that domain has a section already"},
    {"route by an unknown relay", "[route a.example]\nvia = relay b\n",
     "route.a.example.via: «relay b»"},

    {"unknown profile", "[retry]\nprofile = long\n",
     "«long» is not a profile; allowed: normal, short"},
    {"first longer than max", "[retry]\nfirst = 2h\nmax = 1h\n",
     "test.conf:2: retry.first: longer than retry.max"},
    {"max longer than lifetime", "[retry]\nmax = 2h\nlifetime = 1h\n",
     "retry.max: longer than retry.lifetime"},
    {"notice after the end", "[retry]\ndelay-notice = 6d\n", "retry.delay-notice: not before"},
    {"yes in another language", "[lab]\nspecial-use = ja\n", "«ja» is not yes or no"},
    {"hostile value",
     "[identity]\nhostname = \xe2\x80\xae"
     "evil\n",
     "«<U+202E>evil»"},
};

static void mistakes_are_refused_with_line_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct conf c;
        struct err err;
        int rc = parse(&c, refusals[i].text, &err);

        if (rc != -E_CONFIG || !strstr(err.text, refusals[i].want))
            fail_msg("%s: %d, %s", refusals[i].name, rc, err.text);
        conf_done(&c);
    }
}

static void bad_password_files_are_refused(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *want;
    } rows[] = {
        {"secret\n", 0644, "open to all users"},
        {"secret\n", 0602, "open to all users"},
        {"", 0600, "is empty"},
        {"\n", 0600, "is empty"},
        {"one\ntwo\n", 0600, "more than one line"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *path = password_file(rows[i].text, rows[i].mode);
        char *text =
            xasprintf("[relay a]\nhost = a.example:587\nuser = u\npassword-file = %s\n", path);
        struct conf c;
        struct err err;

        assert_int_equal(parse(&c, text, &err), -E_CONFIG);
        if (!strstr(err.text, rows[i].want) || strstr(err.text, "secret"))
            fail_msg("%s", err.text);
        conf_done(&c);
        unlink(path);
        free(path);
        free(text);
    }
}

static void who_only_looks_needs_no_secrets(void **state)
{
    struct conf c;
    struct err err;
    struct conf_defaults d = {.state_dir = "/var/lib/mxhelm", .hostname = "mail.example.com"};

    (void)state;
    conf_init(&c, &d);
    c.is_public = true;
    assert_int_equal(conf_parse(&c,
                                STR("[relay a]\nhost = a.example:587\nuser = u\n"
                                    "password-file = /nonexistent/secret\n"),
                                "test.conf", &err),
                     0);
    assert_null(c.relays[0].password);
    conf_done(&c);
}

/* Who hears of a report that failed: the sender address, another, or nobody. */
static void a_failed_report_has_a_reader(void **state)
{
    static const struct {
        const char *text, *want, *shown;
    } rows[] = {
        {"", "mailer@host.example.net", "mailer@host.example.net"},
        {"[identity]\nhostname = a.example.com\n", "mailer@a.example.com", "mailer@a.example.com"},
        {"[identity]\nsender = x@example.com\n", "x@example.com", "x@example.com"},
        {"[report]\npostmaster = y@example.com\n", "y@example.com", "y@example.com"},
        {"[report]\npostmaster = none\n", "", "none"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf c;

        parse_well(&c, rows[i].text);
        assert_string_equal(c.report_postmaster, rows[i].want);
        assert_string_equal(value_of(&c, "report.postmaster")->value, rows[i].shown);
        conf_done(&c);
    }
}

static void templates_are_read_and_checked(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: it is one */
    } rows[] = {
        {"\nHello\n", NULL},
        {"", ":1: report.delayed: nothing behind the header"},
        {"Subject: x\n\nHello {nobody}\n", ":3: report.delayed: {nobody} is no name; the names are {title}"},
        {"To: x\n\nHello\n", ":1: report.delayed: before the first empty line stand the fields"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *path = password_file(rows[i].text, 0644);
        char *text = xasprintf("[report]\ndelayed = %s\n", path);
        struct conf c;
        struct err err = ERR_NONE;

        int rc = parse(&c, text, &err);
        if (rc != (rows[i].want ? -(int)E_CONFIG : 0) ||
            (rows[i].want && (!strstr(err.text, rows[i].want) ||
                              strncmp(err.text, path, strlen(path)) != 0)))
            fail_msg("%s", err.text);
        if (!rc)
            assert_string_equal(c.report_templates[DSN_KIND_DELAYED], rows[i].text);
        conf_done(&c);
        unlink(path);
        free(path);
        free(text);
    }
}

static void rules_of_explanations_are_checked(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: they are good */
    } rows[] = {
        {"[rule \"ours\"]\nclass = POLICY\ntext = ask the third floor\n", NULL},
        {"[rule \"ours\"]\nclass = POLICY\ntext = (ask\n", ":3: a \"(\" without"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *path = password_file(rows[i].text, 0644);
        char *text = xasprintf("[explain]\nrules = %s\n", path);
        struct conf c;
        struct err err = ERR_NONE;

        int rc = parse(&c, text, &err);
        if (rc != (rows[i].want ? -(int)E_CONFIG : 0) ||
            (rows[i].want && (!strstr(err.text, rows[i].want) ||
                              strncmp(err.text, path, strlen(path)) != 0)))
            fail_msg("%s", err.text);
        conf_done(&c);
        unlink(path);
        free(path);
        free(text);
    }
}

static void domains_of_senders_and_lists_of_hosts_are_read(void **state)
{
    struct conf c;
    char text[300];

    (void)state;
    parse_well(&c, "[relay a]\nhost = one.example:587 [2001:db8::1]:465\n"
                   "[delivery]\nfallback-relay = a\n"
                   "[listen]\nsystem = 127.0.0.1:2526\nsystem-uids = 0 999\n"
                   "[from \"ours.example\"]\nallow-uids = 1000\nallow-nets = 192.0.2.0/24\n"
                   "[from \"*\"]\nallow-uids = 0\n");
    assert_int_equal(c.relays[0].hosts_n, 2);
    assert_string_equal(endpoint_text(&c.relays[0].hosts[1], text), "[2001:db8::1]:465");
    assert_int_equal(c.fallback_relay, 0);
    assert_int_equal(c.system_uids[1], 999);
    assert_int_equal(c.system[0].port, 2526);
    assert_int_equal(conf_from(&c, "OURS.example")->uids[0], 1000);
    assert_int_equal(conf_from(&c, "else.example")->uids[0], 0);
    assert_int_equal(conf_relay_by_name(&c, "a"), 0);
    assert_int_equal(conf_relay_by_name(&c, "b"), -1);
    conf_done(&c);
}

static void private_networks_are_no_open_relay(void **state)
{
    struct conf c;

    (void)state;
    parse_well(
        &c, "[listen]\nsmtp = 192.0.2.1:25\nallow = 10.0.0.0/8 fc00::/7 fe80::/10 2001:db8::/32\n");
    conf_done(&c);
    parse_well(&c, "[listen]\nsmtp = 127.0.0.1:25 [::1]:25\nallow = 0.0.0.0/0\n");
    conf_done(&c);
}

static void values_know_their_origin(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "[relay \"office\"]\nhost = relay.example.net:587\n\n[listen]\nidle = 300\n");
    assert_int_equal(value_of(&c, "relay.office.host")->line, 2);
    assert_int_equal(value_of(&c, "relay.office.tls")->line, 0);
    assert_string_equal(value_of(&c, "relay.office.tls")->value, "verified");
    assert_int_equal(value_of(&c, "listen.idle")->line, 5);
    assert_string_equal(value_of(&c, "listen.idle")->value, "5m");
    assert_string_equal(value_of(&c, "listen.max-message")->value, "50M");
    assert_string_equal(value_of(&c, "listen.allow")->value, "127.0.0.0/8 ::1/128");
    assert_string_equal(value_of(&c, "delivery.mode")->value, "direct");
    assert_string_equal(value_of(&c, "retry.lifetime")->value, "5d");
    assert_non_null(strstr(value_of(&c, "retry.lifetime")->rfc, "RFC 5321 4.5.4.1"));
    for (size_t i = 1; conf_value(&c, i); i++)
        assert_true(strcmp(conf_value(&c, i - 1)->key, conf_value(&c, i)->key) < 0);
    conf_done(&c);
}

/* `config show` is a configuration: what it shows for plain sections reads back to the same. */
static void values_read_back_as_they_are_shown(void **state)
{
    struct buf text = BUF_INIT;
    char section[64] = "";
    struct conf c, again;

    (void)state;
    parse_well(&c, "[listen]\nidle = 1h30m\nmax-message = 1536k\nsmtp = [::1]:99\n"
                   "[dns]\nservers = ::1\n[retry]\nprofile = short\ndelay-notice = 0\n"
                   "[identity]\npublic-ip = 2001:db8::7\n");
    for (size_t i = 0; conf_value(&c, i); i++) {
        struct str key = str_of(conf_value(&c, i)->key);
        struct str name = str_split(&key, '.');
        if (!str_eq_z(name, section)) {
            str_copy(name, section, sizeof(section));
            buf_printf(&text, "[%s]\n", section);
        }
        buf_printf(&text, "%.*s = %s\n", STR_ARG(key), conf_value(&c, i)->value);
    }
    parse_well(&again, buf_text(&text));
    for (size_t i = 0; conf_value(&c, i); i++) {
        assert_string_equal(conf_value(&c, i)->key, conf_value(&again, i)->key);
        assert_string_equal(conf_value(&c, i)->value, conf_value(&again, i)->value);
    }
    conf_done(&c);
    conf_done(&again);
    buf_done(&text);
}

static void every_key_is_explained_with_its_default_and_rfc(void **state)
{
    struct conf c;

    (void)state;
    parse_well(&c, "[relay a.b]\nhost = a.example:25\n[route a.example]\nvia = direct\n"
                   "[destination a.example]\n");
    for (size_t i = 0; conf_value(&c, i); i++) {
        const struct conf_value *v = conf_value(&c, i);
        const char *text = conf_explain(v->key);
        if (!text || strlen(text) < 60)
            fail_msg("%s is not explained", v->key);
        if (!strstr(text, "Default") && !strstr(text, "no default"))
            fail_msg("%s: no word about the default", v->key);
        /* "RFC 5321 4.5.4.1: ..." in the table is named in the paragraph too. */
        char rfc[9] = "";
        snprintf(rfc, sizeof(rfc), "%s", v->rfc);
        if (rfc[0] && !strstr(text, rfc))
            fail_msg("%s: %s is not named", v->key, v->rfc);
    }
    assert_non_null(strstr(conf_explain("relay.tls"), "opportunistic: try to encrypt"));
    assert_ptr_equal(conf_explain("relay.tls"), conf_explain("relay.a.b.tls"));
    assert_null(conf_explain("identity.nothing"));
    assert_null(conf_explain("identity.x.hostname"));
    assert_null(conf_explain("hostname"));
    assert_null(conf_explain(""));
    conf_done(&c);
}

/* What the paragraph calls the default is what conf_init sets. */
static void explained_defaults_are_the_real_ones(void **state)
{
    static const char *const keys[] = {"identity.from-policy",
                                       "listen.max-message",
                                       "listen.max-recipients",
                                       "listen.max-sessions",
                                       "listen.idle",
                                       "listen.allow",
                                       "store.path",
                                       "store.keep",
                                       "store.log-keep",
                                       "dns.trust-ad",
                                       "delivery.mode",
                                       "delivery.port",
                                       "delivery.tls",
                                       "delivery.connections",
                                       "delivery.site-connections",
                                       "delivery.connect-timeout",
                                       "retry.profile",
                                       "lab.special-use",
                                       "lab.loopback-targets",
                                       "log.stderr"};
    struct conf c;

    (void)state;
    conf_init(&c, &defaults);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *said = strstr(conf_explain(keys[i]), "Default: ");
        const char *real = value_of(&c, keys[i])->value;
        if (!said || strncmp(said + 9, real, strlen(real)) != 0)
            fail_msg("%s: «%s» and the default is %s", keys[i], said, real);
    }
    conf_done(&c);
}

static void files_are_loaded_and_missing_ones_named(void **state)
{
    char *path = password_file("[log]\nstderr = yes\n", 0600);
    struct conf c;
    struct err err = ERR_NONE;

    (void)state;
    conf_init(&c, &defaults);
    assert_int_equal(conf_load(&c, path, &err), 0);
    assert_string_equal(c.path, path);
    assert_true(c.log_stderr);
    conf_done(&c);
    unlink(path);
    conf_init(&c, &defaults);
    assert_int_equal(conf_load(&c, path, &err), -E_NOTFOUND);
    assert_non_null(strstr(err.text, path));
    conf_done(&c);
    free(path);
}

static void endpoints_are_read_and_written(void **state)
{
    static const struct {
        const char *text;
        uint16_t port;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"127.0.0.1:25", 0, "127.0.0.1:25"},
        {"[::1]:25", 0, "[::1]:25"},
        {"::1", 53, "[::1]:53"},
        {"[::1]", 53, "[::1]:53"},
        {"Relay.Example.net:587", 0, "relay.example.net:587"},
        {"relay", 25, "relay:25"},
        {"b\xc3\xbc"
         "cher.example:25",
         0, "xn--bcher-kva.example:25"},
        {"", 25, NULL},
        {":25", 0, NULL},
        {"a.example:", 25, NULL},
        {"a.example", 0, NULL},
        {"a.example:x", 0, NULL},
        {"a.example:-1", 0, NULL},
        {"[a.example]:25", 0, NULL},
        {"[::1]25", 0, NULL},
        {"[::1", 25, NULL},
        {"a b:25", 0, NULL},
        {"256.0.0.1:25", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct endpoint e;
        const char *why = NULL;
        char text[300];
        bool is_fine = endpoint_parse(str_of(rows[i].text), rows[i].port, &e, &why);

        if (is_fine != (rows[i].want != NULL) || (!is_fine && !why))
            fail_msg("%s: %s", rows[i].text, why ? why : "no reason");
        if (is_fine)
            assert_string_equal(endpoint_text(&e, text), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_safe),
        cmocka_unit_test(foreground_listens_on_2525),
        cmocka_unit_test(an_empty_file_changes_nothing),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(sender_follows_the_hostname),
        cmocka_unit_test(lab_special_use_lifts_the_refusal_of_the_sender),
        cmocka_unit_test(relays_and_routes_are_read_in_any_order),
        cmocka_unit_test(routes_are_taken_most_specific_first),
        cmocka_unit_test(destinations_fall_back_to_the_general_values),
        cmocka_unit_test(retry_keys_change_the_profile_wherever_they_stand),
        cmocka_unit_test(a_short_lifetime_shortens_what_only_the_profile_says),
        cmocka_unit_test(mistakes_are_refused_with_line_and_reason),
        cmocka_unit_test(bad_password_files_are_refused),
        cmocka_unit_test(who_only_looks_needs_no_secrets),
        cmocka_unit_test(a_failed_report_has_a_reader),
        cmocka_unit_test(templates_are_read_and_checked),
        cmocka_unit_test(rules_of_explanations_are_checked),
        cmocka_unit_test(domains_of_senders_and_lists_of_hosts_are_read),
        cmocka_unit_test(private_networks_are_no_open_relay),
        cmocka_unit_test(values_know_their_origin),
        cmocka_unit_test(values_read_back_as_they_are_shown),
        cmocka_unit_test(every_key_is_explained_with_its_default_and_rfc),
        cmocka_unit_test(explained_defaults_are_the_real_ones),
        cmocka_unit_test(files_are_loaded_and_missing_ones_named),
        cmocka_unit_test(endpoints_are_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
