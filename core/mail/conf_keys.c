/* SPDX-License-Identifier: ISC */
/*
 * The table of keys: one row per key says everything about it, so that reading, checking, showing
 * and explaining cannot disagree. Defaults are in conf_init; the paragraphs name them.
 */
#include "core/base/clock.h"
#include "core/mail/conf_private.h"

const struct conf_section_row conf_sections[SECTION_COUNT] = {
    [SECTION_IDENTITY] = {"identity", NULL},
    [SECTION_LISTEN] = {"listen", NULL},
    [SECTION_STORE] = {"store", NULL},
    [SECTION_DNS] = {"dns", NULL},
    [SECTION_DELIVERY] = {"delivery", NULL},
    [SECTION_RELAY] = {"relay", "NAME"},
    [SECTION_ROUTE] = {"route", "DOMAIN or sender:ADDRESS"},
    [SECTION_RETRY] = {"retry", NULL},
    [SECTION_REPORT] = {"report", NULL},
    [SECTION_DESTINATION] = {"destination", "DOMAIN or SITE"},
    [SECTION_FROM] = {"from", "DOMAIN or *"},
    [SECTION_CHECK] = {"check", NULL},
    [SECTION_EXPLAIN] = {"explain", NULL},
    [SECTION_LAB] = {"lab", NULL},
    [SECTION_LOG] = {"log", NULL},
};

static const char *const from_policy_words[] = {"user", "always-sender", NULL};
static const char *const none_words[] = {"none", NULL};
static const char *const refused_words[] = {"defer", "bounce", NULL};
static const char *const trust_words[] = {"auto", "no", "yes", NULL};
const char *const conf_tls_words[] = {"none", "opportunistic", "required", "verified", NULL};
const char *const conf_auth_words[] = {"auto",          "none",
                                       "plain",         "login",
                                       "cram-md5",      "scram-sha-256",
                                       "scram-sha-256-plus", "xoauth2",
                                       "oauthbearer",   NULL};

#define TLS_ALLOWED "none, opportunistic, required, verified"
#define TLS_LEVELS                                                                                 \
    "The levels, weakest first. none: never encrypt. opportunistic: try to encrypt, with any "      \
    "certificate, and go on in clear text when the other server does not offer it or it fails; "    \
    "it keeps out those who only listen. required: always encrypt, with any certificate; without " \
    "encryption mail waits. verified: always encrypt, and only with a server whose certificate is " \
    "trusted, valid and made for the right name; otherwise mail waits. Only this one keeps out "    \
    "those who pretend to be that server. "

#define OF(field)             offsetof(struct conf, field)
#define RELAY_OF(field)       offsetof(struct relay_conf, field)
#define ROUTE_OF(field)       offsetof(struct route_conf, field)
#define DESTINATION_OF(field) offsetof(struct destination_conf, field)
#define FROM_OF(field)        offsetof(struct from_conf, field)

#define MS(n) ((uint64_t)(n))

const struct conf_key conf_keys[] = {
    {SECTION_IDENTITY, "hostname", TYPE_HOSTNAME, OF(hostname),
     .allowed = "a full host name, as mail.example.com",
     .rfc = "RFC 5321 4.1.1.1: EHLO names the client by a resolvable name",
     .explain =
         "The name by which this server introduces itself to others (EHLO). It must be a full host "
         "name that resolves to our public address, and the reverse DNS (PTR) of that address must "
         "give this name back: many servers refuse mail otherwise. Default: the system's full "
         "host name. RFC 5321 4.1.1.1."},
    {SECTION_IDENTITY, "sender", TYPE_MAILBOX, OF(sender),
     .allowed = "an address that receives mail, as mailer@example.com",
     .rfc = "RFC 5321 4.1.1.2: reports of errors go to the reverse-path",
     .explain =
         "The Email Sender Address: the sender of mail from the system itself, and with "
         "from-policy "
         "= always-sender of all mail. It must exist and receive mail, because receiving servers "
         "look its domain up and because reports about undelivered mail go there; an address under "
         ".local, .lan or another name that is not in the public DNS is refused here. Default: "
         "mailer@ and the hostname. RFC 5321 4.1.1.2."},
    {SECTION_IDENTITY, "from-policy", TYPE_WORD, OF(from_policy), .words = from_policy_words,
     .allowed = "user, always-sender", .rfc = "",
     .explain =
         "Who a message says it is from. user: the address that the user or application gave. "
         "always-sender: always the address of identity.sender, and the user's own address becomes "
         "the Reply-To, so that answers still reach the user. Choose always-sender when users have "
         "addresses in domains whose SPF or DMARC record does not name this server. Default: "
         "user."},
    {SECTION_IDENTITY, "public-ip", TYPE_IP, OF(public_ip),
     .allowed = "an IPv4 or IPv6 address, as 203.0.113.5", .rfc = "",
     .explain =
         "The address from which other servers see us, when a router or firewall translates "
         "addresses (NAT). The checks of reverse DNS, SPF and block lists use it. Default: empty, "
         "which means the address that this machine itself sends from."},

    {SECTION_LISTEN, "smtp", TYPE_ENDPOINTS, OF(listen), OF(listen_n), .min = 25,
     .allowed = "ADDRESS:PORT, several with spaces between them, as 127.0.0.1:25 [::1]:25",
     .rfc = "RFC 5321 4.5.4.2: port 25",
     .explain =
         "Where mail is taken in by SMTP: one or more addresses of this machine with a port. "
         "Who may use it is decided by listen.allow. Programs on this machine can also use the "
         "sendmail command, which needs no port; empty leaves it at that. Default: 127.0.0.1:25, "
         "or 127.0.0.1:2525 when the "
         "engine is started without a configuration. RFC 5321 4.5.4.2."},
    {SECTION_LISTEN, "allow", TYPE_NETS, OF(allow), OF(allow_n),
     .allowed = "networks with spaces between them, as 127.0.0.0/8 ::1/128 192.0.2.0/24",
     .rfc = "RFC 5321 7.9: a server may refuse to relay",
     .explain =
         "The networks whose machines may hand over mail. Everybody else is refused, because a "
         "server that relays for the whole Internet is found and abused within hours. For that "
         "reason a network as wide as 0.0.0.0/0 is not accepted together with an address that is "
         "reachable from outside. Default: 127.0.0.0/8 ::1/128, this machine only. RFC 5321 7.9."},
    {SECTION_LISTEN, "system", TYPE_ENDPOINTS, OF(system), OF(system_n), .min = 25,
     .allowed = "ADDRESS:PORT, several with spaces between them, as 127.0.0.1:2525", .rfc = "",
     .explain =
         "More addresses with a port where mail is taken in by SMTP, for mail that the system itself "
         "writes: alarms, reports, notices. It always goes out from identity.sender, whatever "
         "from-policy says; an address that it gave as From becomes the Reply-To. listen.allow "
         "holds here too. Default: empty."},
    {SECTION_LISTEN, "system-uids", TYPE_UIDS, OF(system_uids), OF(system_uids_n),
     .allowed = "numbers of users with spaces between them, as 0 999", .rfc = "",
     .explain =
         "Local users (by number) whose mail by the sendmail command is mail of the system itself: "
         "see listen.system. 0 is root, under whom scheduled jobs send their reports. Default: "
         "empty."},
    {SECTION_LISTEN, "max-message", TYPE_SIZE, OF(max_message_bytes), .min = 65536,
     .max = UINT64_C(1) << 32, .allowed = "a size from 64K to 4G, as 50M",
     .rfc = "RFC 5321 4.5.3.1.7: at least 64K",
     .explain =
         "The largest message that is taken in, in octets, with attachments as they are encoded "
         "(a third more than the file). Larger ones are refused at once, with the limit in the "
         "answer (SIZE, RFC 1870). k, M and G are 1024, 1024 x 1024 and so on. Default: 50M. "
         "RFC 5321 4.5.3.1.7."},
    {SECTION_LISTEN, "max-recipients", TYPE_COUNT, OF(max_recipients), .min = 100, .max = 100000,
     .allowed = "a number from 100 to 100000", .rfc = "RFC 5321 4.5.3.1.8: at least 100",
     .explain =
         "The most recipients of one message. What is over it is answered with 452, and a correct "
         "client then sends the message again for the others. Default: 1000. RFC 5321 4.5.3.1.8."},
    {SECTION_LISTEN, "max-sessions", TYPE_COUNT, OF(max_sessions), .min = 1, .max = 100000,
     .allowed = "a number from 1 to 100000", .rfc = "",
     .explain =
         "The most connections that are taken in at the same time. Further ones are answered with "
         "421 and should come again. Default: 1000."},
    {SECTION_LISTEN, "idle", TYPE_DURATION, OF(idle_ms), .min = MS(SECOND_MS), .max = MS(DAY_MS),
     .allowed = "a duration from 1s to 1d, as 5m", .rfc = "RFC 5321 4.5.3.2.7: at least 5 minutes",
     .explain =
         "How long a client may say nothing before its connection is closed with 421. Default: 5m. "
         "RFC 5321 4.5.3.2.7 asks for at least 5 minutes."},

    {SECTION_STORE, "path", TYPE_PATH, OF(store_path), .min = 1,
     .allowed = "a path that begins with /", .rfc = "",
     .explain =
         "The directory that holds the queue, the log and the two sockets. It must be on a local "
         "disk (not NFS), and belong to the engine's user. Who can read it can read the mail in "
         "it. Default: /var/lib/mxhelm, or the user's state directory when the engine is started "
         "by a user without a configuration."},
    {SECTION_STORE, "keep", TYPE_DURATION, OF(keep_ms), .min = 0, .max = MS(3650 * DAY_MS),
     .allowed = "a duration up to 3650d, as 7d", .rfc = "",
     .explain =
         "How long recipients that are delivered or failed stay in the queue's records, so that "
         "their story can be looked up. The log is kept apart: store.log-keep. Default: 7d."},
    {SECTION_STORE, "log-keep", TYPE_DURATION, OF(log_keep_ms), .min = MS(DAY_MS),
     .max = MS(3650 * DAY_MS), .allowed = "a duration from 1d to 3650d, as 90d", .rfc = "",
     .explain =
         "How long the delivery log is kept. Each day is a file; a day that is older is deleted as "
         "a whole. Default: 90d."},

    {SECTION_DNS, "servers", TYPE_ENDPOINTS, OF(dns), OF(dns_n), .min = 53,
     .allowed = "addresses with spaces between them, as 127.0.0.1 192.0.2.53:5353", .rfc = "",
     .explain =
         "The DNS servers to ask, by address; the port is 53 unless another is given. A resolver "
         "on this machine is best: it is quick, and block lists often refuse the large public "
         "resolvers. Default: empty, which means the system's (/etc/resolv.conf)."},
    {SECTION_DNS, "trust-ad", TYPE_WORD, OF(dns_trust_ad), .words = trust_words,
     .allowed = "auto, no, yes", .rfc = "RFC 7672 2.1.3: the path to the resolver must be secure",
     .explain =
         "Whether to believe a DNS server that says it has verified an answer (the AD bit of "
         "DNSSEC). DANE needs that. auto: believe resolvers on this machine only (a loopback "
         "address). yes: believe all of dns.servers, for when the network to them is yours. no: "
         "believe none. Default: auto. RFC 7672 2.1.3."},

    {SECTION_DELIVERY, "mode", TYPE_VIA, OF(relay), .allowed = "direct, relay NAME", .rfc = "",
     .explain =
         "How mail leaves. direct: straight to the mail servers of each recipient's domain (MX); "
         "it "
         "needs an open port 25, reverse DNS and a good address. relay NAME: everything goes to "
         "the "
         "server of the section [relay \"NAME\"], which delivers it further. Sections [route] make "
         "exceptions. Default: direct."},
    {SECTION_DELIVERY, "fallback-relay", TYPE_RELAY, OF(fallback_relay),
     .allowed = "the name of a [relay] section, or empty", .rfc = "",
     .explain =
         "A relay that takes over when direct delivery cannot reach any server of a domain: the "
         "connection is refused, times out or has no route, or no server greets. It is used at once, "
         "in the same try; the next message goes directly first. A server that answers and refuses "
         "has been reached, and its answer stands. Default: empty, which means that mail waits and "
         "is tried again."},
    {SECTION_DELIVERY, "port", TYPE_PORT, OF(port), .min = 1, .max = 65535,
     .allowed = "a number from 1 to 65535", .rfc = "RFC 5321 4.5.4.2: port 25",
     .explain =
         "The port of the recipients' mail servers in direct delivery. On the Internet it is "
         "always 25; another one makes sense in a test only. Relays have a port of their own. "
         "Default: 25. RFC 5321 4.5.4.2."},
    {SECTION_DELIVERY, "refused-greeting", TYPE_WORD, OF(refused_greeting),
     .words = refused_words, .allowed = "defer, bounce",
     .rfc = "RFC 5321 3.1: 554 in place of a greeting means that there is no mail service",
     .explain =
         "What to do when every mail server of a domain refuses us before we have said a word (its "
         "greeting is 5yz). That is about our address, not about the message. defer: try again later, "
         "in case the block is lifted. bounce: give the mail back to its sender at once. Default: "
         "defer. RFC 5321 3.1."},
    {SECTION_DELIVERY, "tls", TYPE_WORD, OF(tls), .words = conf_tls_words, .allowed = TLS_ALLOWED,
     .rfc = "RFC 3207 4: a public server must not require TLS",
     .explain =
         "How well direct deliveries are protected on their way (TLS). " TLS_LEVELS
         "Many servers on the Internet have certificates that do not verify, so more than "
         "opportunistic for everybody leaves mail undelivered; ask for more domain by domain in "
         "[destination] sections. Default: opportunistic. RFC 3207 4."},
    {SECTION_DELIVERY, "connections", TYPE_COUNT, OF(connections), .min = 1, .max = 10000,
     .allowed = "a number from 1 to 10000", .rfc = "",
     .explain = "The most connections for deliveries at the same time, to all servers together. "
                "Default: 100."},
    {SECTION_DELIVERY, "site-connections", TYPE_COUNT, OF(site_connections), .min = 1, .max = 1000,
     .allowed = "a number from 1 to 1000", .rfc = "",
     .explain =
         "The most connections at the same time to one site (the servers that a group of domains "
         "shares). The engine starts with few and goes up while deliveries succeed. Sections "
         "[destination] make exceptions. Default: 20."},
    {SECTION_DELIVERY, "connect-timeout", TYPE_DURATION, OF(connect_timeout_ms),
     .min = MS(SECOND_MS), .max = MS(10 * MINUTE_MS),
     .allowed = "a duration from 1s to 10m, as 30s", .rfc = "",
     .explain =
         "How long to wait until a server takes the connection; then the next of its addresses "
         "is tried. The waits for its answers are those of RFC 5321 4.5.3.2 and are not changed by "
         "this. Default: 30s."},

    {SECTION_RELAY, "host", TYPE_HOSTS, RELAY_OF(hosts), RELAY_OF(hosts_n),
     .allowed = "HOST:PORT, several with spaces between them, as relay.example.net:587",
     .rfc = "RFC 6409 3.1: submission is on port 587; RFC 8314 3.3: on port 465 with TLS at once",
     .explain =
         "The relay's name or address and its port; when there are several, they are tried in this "
         "order, and all take the same login. 587 is the usual port for handing over mail "
         "with a password, 465 the same with TLS from the first octet, 25 is usual for a server of "
         "one's own, such as Exchange. No MX is looked up. It has no default. RFC 6409 3.1, "
         "RFC 8314 3.3."},
    {SECTION_RELAY, "tls", TYPE_WORD, RELAY_OF(tls), .words = conf_tls_words,
     .allowed = TLS_ALLOWED, .rfc = "RFC 8314 3: TLS for submission, with a verified certificate",
     .explain =
         "How well the connection to this relay is protected (TLS). " TLS_LEVELS
         "With port 465 TLS starts at once, else by STARTTLS. A password is never sent in clear "
         "text: with none it cannot be used at all, and with opportunistic mail waits when the "
         "relay does not offer TLS. Default: verified. RFC 8314 3."},
    {SECTION_RELAY, "auth", TYPE_WORD, RELAY_OF(auth), .words = conf_auth_words,
     .allowed = "auto, none, plain, login, cram-md5, scram-sha-256, scram-sha-256-plus, xoauth2, "
                "oauthbearer",
     .rfc = "RFC 4954",
     .explain =
         "How to log in at the relay (SMTP AUTH). auto: the best way that the relay offers, when a "
         "user is set; without a user, no login. none: no login. Any other word: that way and no "
         "other. scram-sha-256 does not show the password even to the relay, and makes sure that "
         "the relay knows it; scram-sha-256-plus also binds the login to the TLS connection, so "
         "that nobody can stand between. plain and login send the password, under TLS only; login "
         "is an old form that some servers still ask for. cram-md5 is old and weak. xoauth2 and "
         "oauthbearer send an access token, under TLS only. auto prefers, with a password: "
         "scram-sha-256-plus, scram-sha-256, plain, login, cram-md5; with a token: oauthbearer, "
         "xoauth2. Default: auto. RFC 4954, 5802, 7677, 7628."},
    {SECTION_RELAY, "user", TYPE_TEXT, RELAY_OF(user), .allowed = "a user name", .rfc = "",
     .explain = "The user name for the login at the relay, often a full mail address. Default: "
                "empty, which means no login."},
    {SECTION_RELAY, "password-file", TYPE_PATH, RELAY_OF(password_file),
     .allowed = "a path that begins with /", .rfc = "",
     .explain =
         "A file that holds the password for the login and nothing else; a line end behind it is "
         "ignored. It must not be readable by all users of the machine: make it belong to the "
         "engine's user, mode 0600, or to its group, mode 0640. The password is read when the "
         "engine starts or reloads, and is never shown. Default: empty."},

    {SECTION_RELAY, "token-file", TYPE_PATH, RELAY_OF(token_file),
     .allowed = "a path that begins with /", .rfc = "RFC 6750: bearer tokens",
     .explain =
         "A file that holds an access token for the login (XOAUTH2, OAUTHBEARER), for when another "
         "program keeps it fresh. It is read for each connection, and protected as password-file is. "
         "Instead of password-file. Default: empty. RFC 6750."},
    {SECTION_RELAY, "token-url", TYPE_URL, RELAY_OF(token_url),
     .allowed = "an address that begins with https://", .rfc = "RFC 6749 6: refreshing a token",
     .explain =
         "Where a fresh access token for the login (XOAUTH2, OAUTHBEARER) is fetched with the "
         "refresh token, shortly before the old one ends. The provider's documents name it, as "
         "https://oauth2.googleapis.com/token. Needs client-id and refresh-token-file; instead of "
         "password-file. A new refresh token in the provider's answer is used until the engine ends, "
         "and not written to the file. Default: empty. RFC 6749 6."},
    {SECTION_RELAY, "client-id", TYPE_TEXT, RELAY_OF(client_id), .allowed = "a text",
     .rfc = "RFC 6749 2.2",
     .explain = "The name under which this program is registered with the provider of the tokens. "
                "Default: empty. RFC 6749 2.2."},
    {SECTION_RELAY, "client-secret-file", TYPE_PATH, RELAY_OF(client_secret_file),
     .allowed = "a path that begins with /", .rfc = "RFC 6749 2.3.1",
     .explain = "A file that holds the secret that belongs to client-id, where the provider gave one; "
                "protected as password-file is. Default: empty. RFC 6749 2.3.1."},
    {SECTION_RELAY, "refresh-token-file", TYPE_PATH, RELAY_OF(refresh_token_file),
     .allowed = "a path that begins with /", .rfc = "RFC 6749 1.5",
     .explain = "A file that holds the refresh token with which access tokens are fetched from "
                "token-url; protected as password-file is. Default: empty. RFC 6749 1.5."},

    {SECTION_ROUTE, "via", TYPE_VIA, ROUTE_OF(relay), .allowed = "direct, relay NAME", .rfc = "",
     .explain =
         "How mail leaves that this section is about: [route \"partner.example\"] is mail to that "
         "domain, [route \"sender:ADDRESS\"] mail from that address, [route \"sender:DOMAIN\"] "
         "mail "
         "from that domain. direct: to the domain's own mail servers; relay NAME: by that relay. "
         "The sender's address goes before the sender's domain, that before the recipient's "
         "domain, and all before delivery.mode. It has no default."},

    /* The profile is set before all others: see conf_parse. */
    {SECTION_RETRY, "profile", TYPE_PROFILE, OF(retry), .allowed = "normal, short",
     .rfc = "RFC 5321 4.5.4.1: give up after at least 4 to 5 days",
     .explain =
         "How long to try. normal: 5 days, as RFC 5321 4.5.4.1 asks, with a notice to the sender "
         "after 4 hours. short: 48 hours. Then the message is deleted from the queue and its "
         "sender gets a report. The other keys of this section change single values of the "
         "profile. Default: normal."},
    {SECTION_RETRY, "first", TYPE_DURATION, OF(retry.first_ms), .min = MS(SECOND_MS),
     .max = MS(DAY_MS), .allowed = "a duration from 1s to 1d, as 5m",
     .rfc = "RFC 5321 4.5.4.1: at least 30 minutes, more often at the start",
     .explain =
         "The wait before the second try. A few minutes are right, because servers that refuse "
         "unknown senders at first (greylisting) accept after 1 to 15 minutes. Default: the "
         "profile's. RFC 5321 4.5.4.1."},
    {SECTION_RETRY, "max", TYPE_DURATION, OF(retry.max_ms), .min = MS(SECOND_MS),
     .max = MS(7 * DAY_MS), .allowed = "a duration from 1s to 7d, as 3h",
     .rfc = "RFC 5321 4.5.4.1: two tries in the first hour, then every two or three hours",
     .explain = "The longest wait between two tries: waits grow up to this. Default: the "
                "profile's. RFC 5321 4.5.4.1."},
    {SECTION_RETRY, "growth", TYPE_PERCENT, OF(retry.growth_percent), .min = 100, .max = 1000,
     .allowed = "a number from 100 to 1000 (percent)", .rfc = "",
     .explain = "How each wait follows from the one before, in percent: 150 makes each one and a "
                "half times as long, 100 keeps them equal. Default: the profile's."},
    {SECTION_RETRY, "lifetime", TYPE_DURATION, OF(retry.lifetime_ms), .min = MS(SECOND_MS),
     .max = MS(60 * DAY_MS), .allowed = "a duration from 1s to 60d, as 5d",
     .rfc = "RFC 5321 4.5.4.1: at least 4 to 5 days",
     .explain =
         "How long a message is tried, from its arrival, before it is given up and its sender gets "
         "a report. Default: the profile's. RFC 5321 4.5.4.1 asks for at least 4 to 5 days."},
    {SECTION_RETRY, "report-lifetime", TYPE_DURATION, OF(retry.report_lifetime_ms),
     .min = MS(SECOND_MS), .max = MS(60 * DAY_MS), .allowed = "a duration from 1s to 60d, as 1d",
     .rfc = "",
     .explain =
         "The same as lifetime, for our own reports about undelivered mail. When one of these "
         "cannot be delivered there is nobody to tell, so it need not wait as long. Default: the "
         "profile's."},
    {SECTION_RETRY, "delay-notice", TYPE_DURATION, OF(retry.delay_notice_ms), .min = 0,
     .max = MS(60 * DAY_MS), .allowed = "a duration up to 60d, as 4h; 0 for no notice",
     .rfc = "RFC 3461 4.1: DELAY",
     .explain = "After how long the sender is told that a message is still waiting and is tried "
                "further. 0: never. Default: the profile's. RFC 3461 4.1."},
    {SECTION_RETRY, "unconfirmed", TYPE_DURATION, OF(retry.unconfirmed_ms), .min = MS(SECOND_MS),
     .max = MS(7 * DAY_MS), .allowed = "a duration from 1s to 7d, as 30m", .rfc = "RFC 1047",
     .explain =
         "The least wait when the connection broke after a whole message was sent and before the "
         "answer came. It may have been delivered, and another try may deliver it twice. Default: "
         "the profile's. RFC 1047."},

    {SECTION_REPORT, "postmaster", TYPE_MAILBOX, OF(report_postmaster), .words = none_words,
     .allowed = "an address that receives mail, as postmaster@example.com, or none",
     .rfc = "RFC 5321 6.1: no report about a report to its sender",
     .explain =
         "Who is told when one of our own reports about undelivered mail cannot be delivered itself, so "
         "that nobody would know. A report to this address that fails is the end: there is none about "
         "it. none: nobody; the log says it. Default: as identity.sender. RFC 5321 6.1."},
#define TEMPLATE_HELP                                                                              \
    "The text before the part for programs is this file, in UTF-8, instead of the built-in one. It may " \
    "begin with the fields Subject and From, in a line each; then an empty line, then the text. "   \
    "Lines are wrapped; one that begins with blanks stays indented. Of the whole report: {title} "  \
    "{subject} {from} {arrival} {queue-id} {count} {hostname}, and, on a line of its own, {summary}, "   \
    "which says in plain words who got what. Lines between {each} and {end} are said for each "     \
    "recipient: {recipient} {what} {why} {last-answer} {todo} {last-try} {tries} {next-try} {until} " \
    "{status} {server}. A line whose names all have nothing to say is left out; a brace is {{. The " \
    "file is read and checked when the engine starts or reloads, and by mxhelmd check. Default: empty, " \
    "the built-in text. "
    {SECTION_REPORT, "failed", TYPE_PATH, OF(report_paths[DSN_KIND_FAILED]),
     .allowed = "a path that begins with /", .rfc = "RFC 3464: the report's first part is for people",
     .explain =
         "The template of reports that tell of mail that could not be delivered. " TEMPLATE_HELP
         "RFC 3464."},
    {SECTION_REPORT, "delayed", TYPE_PATH, OF(report_paths[DSN_KIND_DELAYED]),
     .allowed = "a path that begins with /", .rfc = "RFC 3464: the report's first part is for people",
     .explain = "The template of notices about mail that is late and tried further "
                "(retry.delay-notice). " TEMPLATE_HELP "RFC 3464."},
    {SECTION_REPORT, "relayed", TYPE_PATH, OF(report_paths[DSN_KIND_DONE]),
     .allowed = "a path that begins with /", .rfc = "RFC 3461 5.2.2: relayed",
     .explain =
         "The template of reports that a sender asked for (NOTIFY=SUCCESS): the message was handed to "
         "another server, which cannot report itself. " TEMPLATE_HELP "RFC 3461 5.2.2."},

    {SECTION_DESTINATION, "connections", TYPE_COUNT, DESTINATION_OF(connections), .min = 1,
     .max = 1000, .allowed = "a number from 1 to 1000", .rfc = "",
     .explain = "The most connections at the same time to the domain or site of this section. "
                "Default: as delivery.site-connections."},
    {SECTION_DESTINATION, "rate", TYPE_RATE, DESTINATION_OF(rate),
     .allowed = "MESSAGES/TIME, as 60/1m or 1000/1h, or 0", .rfc = "",
     .explain = "The most messages in that time to the domain or site of this section; they are spread "
                "evenly over it. What is more waits in the queue. A section that names the site holds "
                "for all of its domains, beside their own. Default: 0, no limit."},
    {SECTION_DESTINATION, "tls", TYPE_WORD, DESTINATION_OF(tls), DESTINATION_OF(has_tls),
     .words = conf_tls_words, .allowed = TLS_ALLOWED, .rfc = "",
     .explain = "How well deliveries to the domain or site of this section are protected on their "
                "way (TLS). " TLS_LEVELS "Default: as delivery.tls."},

    {SECTION_FROM, "allow-uids", TYPE_UIDS, FROM_OF(uids), FROM_OF(uids_n),
     .allowed = "numbers of users with spaces between them, as 1000 1001", .rfc = "",
     .explain =
         "Which local users (by number) may send from addresses in the domain of this section: "
         "[from \"example.com\"], or [from \"*\"] for every domain without a section. It holds for "
         "the envelope sender and for the From field. A domain without a section, and with no "
         "section for *, may be used by everybody who may hand over mail. Default: empty, no user."},
    {SECTION_FROM, "allow-nets", TYPE_NETS, FROM_OF(nets), FROM_OF(nets_n),
     .allowed = "networks with spaces between them, as 192.0.2.0/24 127.0.0.0/8", .rfc = "",
     .explain = "From which networks mail by SMTP may come that uses addresses in the domain of this "
                "section; see from.allow-uids. Default: empty, no network."},

    {SECTION_CHECK, "receivers", TYPE_TEXT, OF(check_receivers),
     .allowed = "domains with spaces between them, as gmail.com outlook.com, or empty", .rfc = "",
     .explain =
         "Whose mail servers the diagnostics connect to, to see whether port 25 is open: their "
         "greeting is read, and nothing is sent. Domains for which mail waits are used instead when "
         "there are any. Nobody else outside is asked but name servers. Empty: port 25 is tested only "
         "when mail waits. Default: gmail.com outlook.com."},

    {SECTION_EXPLAIN, "rules", TYPE_PATH, OF(explain_rules),
     .allowed = "a file of rules, or empty", .rfc = "",
     .explain =
         "A file of your own rules that say what refusals and errors mean, beside those that are "
         "built in; those, with the manual of their language at the head, are in share/mxhelm/explain.rules. "
         "Yours win, "
         "unless they say otherwise. The file is checked when the configuration is, every sample in "
         "it included. Default: empty."},

    {SECTION_LAB, "special-use", TYPE_BOOL, OF(lab_special_use), .allowed = "no, yes",
     .rfc = "RFC 6761",
     .explain =
         "For tests only: yes accepts domains that can never receive mail on the Internet (.test, "
         ".local, .invalid and so on) as sender and as recipients, and does not look up in the DNS "
         "whether a sender's domain can receive mail. Default: no. RFC 6761."},
    {SECTION_LAB, "loopback-targets", TYPE_BOOL, OF(lab_loopback_targets), .allowed = "no, yes",
     .rfc = "",
     .explain = "For tests only: yes delivers to mail servers whose address is this machine itself "
                "(127.0.0.0/8, ::1). Otherwise such an address in a domain's DNS is never used, "
                "because it "
                "would lead mail back to us. Default: no."},

    {SECTION_LAB, "ca-file", TYPE_PATH, OF(lab_ca_file), .allowed = "a path that begins with /",
     .rfc = "",
     .explain = "For tests only: certificates of authorities (PEM) that are trusted instead of those "
                "of the system. Default: empty."},

    {SECTION_LOG, "stderr", TYPE_BOOL, OF(log_stderr), .allowed = "no, yes", .rfc = "",
     .explain = "yes writes each line of the delivery log to standard error too, where systemd's "
                "journal takes it up. Default: no."},
};
const size_t conf_keys_n = ARRAY_LEN(conf_keys);

const struct conf_key *conf_key_find(enum conf_section section, struct str name)
{
    for (size_t i = 0; i < conf_keys_n; i++)
        if (conf_keys[i].section == section && str_eq_z(name, conf_keys[i].name))
            return &conf_keys[i];
    return NULL;
}

#define NEAR_MAX 24 /* longer than any key */

/* Levenshtein distance, case folded. a and b are at most NEAR_MAX long. */
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[NEAR_MAX + 1];

    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            bool is_same = str_ieq(str_sub(a, i - 1, i), str_sub(b, j - 1, j));
            size_t best = diagonal + (is_same ? 0 : 1);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.n];
}

const struct conf_key *conf_key_near(enum conf_section section, struct str name)
{
    const struct conf_key *near = NULL;
    size_t best = name.n < 6 ? 2 : 3;

    if (name.n > NEAR_MAX)
        return NULL;
    for (size_t i = 0; i < conf_keys_n; i++) {
        if (conf_keys[i].section != section)
            continue;
        size_t d = edit_distance(name, str_of(conf_keys[i].name));
        if (d < best) {
            best = d;
            near = &conf_keys[i];
        }
    }
    return near;
}

/* "relay.office.host": the section is before the first dot, the key behind the last. */
const char *conf_explain(const char *key)
{
    struct str rest = str_of(key);
    struct str section = str_split(&rest, '.');
    struct str name = rest;

    while (str_find(name, '.') < name.n)
        str_split(&name, '.');
    for (int s = 0; s < SECTION_COUNT; s++) {
        if (!str_eq_z(section, conf_sections[s].name) ||
            (!conf_sections[s].argument && name.n != rest.n))
            continue;
        const struct conf_key *k = conf_key_find((enum conf_section)s, name);
        if (k)
            return k->explain;
    }
    return NULL;
}
