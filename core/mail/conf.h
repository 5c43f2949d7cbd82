/* SPDX-License-Identifier: ISC */
/*
 * The configuration: one INI file (DESIGN section 9), read strictly. Unknown keys, bad units and
 * contradictions are errors with file and line and what is allowed. Every value knows its origin.
 */
#ifndef MAIL_CONF_H
#define MAIL_CONF_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/mail/addr.h"
#include "core/mail/dnsdata.h"
#include "core/mail/dsn.h"
#include "core/mail/rate.h"
#include "core/mail/retry.h"

#define CONF_ADDRS_MAX  16
#define CONF_RELAYS_MAX 32
#define CONF_RELAY_NAME_MAX 63
#define CONF_ROUTES_MAX 1000
#define CONF_RELAY_HOSTS_MAX 8

/* An address or name with a port: "127.0.0.1:25", "[::1]:25", "relay.example.net:587". */
struct endpoint {
    char host[ADDR_DOMAIN_MAX + 1];
    struct ip ip; /* family 0 when host is a name */
    uint16_t port;
};
/* default_port 0: a port must be given. On failure *why is static. */
bool endpoint_parse(struct str s, uint16_t default_port, struct endpoint *out, const char **why);
const char *endpoint_text(const struct endpoint *e, char out[300]);
/* Port 465: TLS from the first octet (RFC 8314 3.3). */
bool endpoint_is_implicit_tls(const struct endpoint *e);

enum from_policy { FROM_USER, FROM_ALWAYS_SENDER };
enum tls_level { TLS_LEVEL_NONE, TLS_LEVEL_OPPORTUNISTIC, TLS_LEVEL_REQUIRED, TLS_LEVEL_VERIFIED };
enum auth_mech {
    AUTH_AUTO,
    AUTH_NONE,
    AUTH_PLAIN,
    AUTH_LOGIN,
    AUTH_CRAM_MD5,
    AUTH_SCRAM_SHA_256,
    AUTH_SCRAM_SHA_256_PLUS,
    AUTH_XOAUTH2, /* this and the next: with a token */
    AUTH_OAUTHBEARER
};
/* Whose AD bit is believed: with AUTO that of resolvers on a loopback address only. */
enum dns_trust { DNS_TRUST_AUTO, DNS_TRUST_NO, DNS_TRUST_YES };
enum refused_greeting { REFUSED_GREETING_DEFERS, REFUSED_GREETING_BOUNCES };
const char *tls_level_name(enum tls_level l);
const char *auth_mech_name(enum auth_mech m);

struct relay_conf {
    char *name; /* own */
    struct endpoint hosts[CONF_RELAY_HOSTS_MAX]; /* tried in this order; no MX is looked up */
    size_t hosts_n;
    enum tls_level tls;
    enum auth_mech auth;
    char *user;          /* own, or NULL */
    char *password_file; /* own, or NULL */
    char *password;      /* own: read from the file at load; never shown */
    /* An access token instead of a password (RFC 6749): from a file that somebody keeps fresh, or
     * fetched by us with a refresh token. */
    char *token_file;         /* own, or NULL */
    char *token_url;          /* own, or NULL: https://... */
    char *client_id;          /* own, or NULL */
    char *client_secret_file; /* own, or NULL */
    char *client_secret;      /* own, or NULL: never shown */
    char *refresh_token_file; /* own, or NULL */
    char *refresh_token;      /* own, or NULL: never shown */
};
/* It logs in by a token. */
bool relay_conf_has_token(const struct relay_conf *r);

struct route_conf {
    char *match; /* own: "partner.example", "sender:a@b", "sender:b" */
    int relay;   /* index into relays; -1 = direct */
};

/* Who may use the addresses of a domain as From and as reverse-path. */
struct from_conf {
    char *match; /* own: a domain, or "*" for every domain without a section */
    uint32_t uids[CONF_ADDRS_MAX];
    size_t uids_n;
    struct ip_net nets[CONF_ADDRS_MAX];
    size_t nets_n;
};

struct destination_conf {
    char *match; /* own: domain or site */
    unsigned connections; /* 0 = default */
    struct rate rate;     /* messages */
    enum tls_level tls;
    bool has_tls;
};

struct conf {
    bool is_public; /* set before conf_load: files that hold secrets are not read. What the operator's
                       side uses: who may look at the queue need not be able to read a password */
    char *path; /* own; NULL = built-in defaults only */
    /* [identity] */
    char hostname[ADDR_DOMAIN_MAX + 1];
    char sender[ADDR_TEXT_MAX];
    enum from_policy from_policy;
    struct ip public_ip; /* family 0 = not set */
    /* [listen] */
    struct endpoint listen[CONF_ADDRS_MAX];
    size_t listen_n;
    struct ip_net allow[CONF_ADDRS_MAX];
    size_t allow_n;
    struct endpoint system[CONF_ADDRS_MAX]; /* listened on too: class system */
    size_t system_n;
    uint32_t system_uids[CONF_ADDRS_MAX]; /* of local clients: class system */
    size_t system_uids_n;
    /* limits of the intake */
    uint64_t max_message_bytes; /* listen.max-message */
    unsigned max_recipients;    /* listen.max-recipients */
    unsigned max_sessions;      /* listen.max-sessions */
    int64_t idle_ms;            /* listen.idle */
    /* [store] */
    char *store_path; /* own */
    int64_t keep_ms;      /* store.keep: finished recipients */
    int64_t log_keep_ms;  /* store.log-keep */
    /* [dns] */
    struct endpoint dns[CONF_ADDRS_MAX];
    size_t dns_n; /* 0 = the system's */
    enum dns_trust dns_trust_ad;
    /* [delivery] */
    int relay; /* delivery.mode = relay NAME: index; -1 = direct */
    int fallback_relay; /* when no host can be reached directly: index; -1 = none */
    uint16_t port;
    enum refused_greeting refused_greeting; /* when every host greets with a 5yz */
    enum tls_level tls;
    unsigned connections;       /* delivery.connections: all, default 100 */
    unsigned site_connections;  /* delivery.site-connections: per site, default 20 */
    int64_t connect_timeout_ms; /* delivery.connect-timeout: default 30 s */
    /* [retry] */
    struct retry_policy retry; /* the profile with retry.first, .max, .lifetime, ... applied */
    /* [report] */
    char report_postmaster[ADDR_TEXT_MAX]; /* who hears of a report that failed; "" = nobody */
    char *report_paths[DSN_KIND_COUNT];     /* own, or NULL: the built-in template */
    char *report_templates[DSN_KIND_COUNT]; /* own, or NULL: read from the files at load, checked */
    /* sections with names */
    struct relay_conf relays[CONF_RELAYS_MAX];
    size_t relays_n;
    struct route_conf *routes; /* own */
    size_t routes_n;
    struct destination_conf *destinations; /* own */
    size_t destinations_n;
    struct from_conf *froms; /* own */
    size_t froms_n;
    /* [lab] */
    bool lab_special_use, lab_loopback_targets;
    char *lab_ca_file; /* own, or NULL: the system's authorities */
    /* [log] */
    char *explain_rules;   /* own, or NULL: explain.rules, a file that was checked at load */
    char *check_receivers; /* own; check.receivers: domains, spaces between them */
    bool log_stderr; /* log.stderr: delivery lines to stderr too */
    /* where each key came from, for `config show` */
    struct conf_value *values; /* own */
    size_t values_n;
};

struct conf_value {
    char *key;   /* own: "identity.hostname", "relay.office.host" */
    char *value; /* own: as effective; secrets are never here */
    unsigned line; /* 0 = default */
    const char *rfc; /* static: what the RFC says, or "" */
};

/* Where mxhelm's files are when nothing is configured. */
struct conf_defaults {
    const char *state_dir; /* user's state directory, for the store and sockets */
    const char *hostname;  /* the system's FQDN, or "localhost.localdomain" */
    bool is_foreground; /* no file: intake on 127.0.0.1:2525 */
};

/* Where the configuration is when nobody says otherwise. */
#define CONF_DEFAULT_PATH "/etc/mxhelm/mxhelm.conf"
/* $XDG_STATE_HOME/mxhelm, ~/.local/state/mxhelm, or /var/lib/mxhelm without a home. Returns new (free). */
char *conf_default_state_dir(void);
/* The system's name, with a domain put behind it when it has none. Returns new (free). */
char *conf_default_hostname(void);

/* Built-in defaults; never fails. conf_done afterwards. */
void conf_init(struct conf *c, const struct conf_defaults *d);
/* Read a file over the defaults. E_CONFIG / E_NOTFOUND / E_DENIED with one sentence
 * "FILE:LINE: section.key: what is wrong; allowed: ...". *c stays usable only on success. */
int conf_load(struct conf *c, const char *path, struct err *err);
/* The same from memory; name is used in messages. Password files are read relative to /. */
int conf_parse(struct conf *c, struct str text, const char *name, struct err *err);
void conf_done(struct conf *c);
/* Effective values, sorted by key; NULL at the end of idx. */
const struct conf_value *conf_value(const struct conf *c, size_t idx);
/* A paragraph about a key (units, default, meaning, RFC), static; NULL when there is no such key. */
const char *conf_explain(const char *key);
/* Relay for a message to that domain from that reverse-path, or -1 for direct. Most specific first:
 * sender address, sender domain, recipient domain, then delivery.mode. */
int conf_route(const struct conf *c, const char *domain, const char *reverse_path);
/* The [from] of a domain, or that of "*", or NULL: everybody may use it. */
const struct from_conf *conf_from(const struct conf *c, const char *domain);
/* The relay of that name, or -1. */
int conf_relay_by_name(const struct conf *c, const char *name);
/* A file that holds one secret and nothing else: *out is new (explicit_bzero, free). False and *why,
 * a phrase of strerror or static, which never shows what is in it. */
bool conf_read_secret(const char *path, char **out, const char **why);
/* The [destination] of a recipient domain, or of its site, or NULL: the domain's own goes first. */
const struct destination_conf *conf_destination(const struct conf *c, const char *domain,
                                                const char *site);

/* Paths below the store: returns new (free). */
char *conf_submit_socket(const struct conf *c);
char *conf_control_socket(const struct conf *c);

#endif
