/* SPDX-License-Identifier: ISC */
/*
 * What makes a relay whole: its hosts, a level of TLS that they allow, a login with all that belongs
 * to it and nothing that contradicts it, and the files that hold its secrets.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/mail/conf_private.h"

/* Octets. An RFC 4616 password is shorter; access tokens of large providers have up to 4096. */
#define SECRET_MAX 8192

bool relay_conf_has_token(const struct relay_conf *r)
{
    return r->token_file || r->token_url;
}

/* The words of a secret's file: NULL, or why not. */
static const char *read_secret(int fd, char **out)
{
    char text[SECRET_MAX + 3]; /* with CR LF, and one more to see that it is too long */
    struct stat st;
    size_t n = 0;
    ssize_t got = 0;

    if (fstat(fd, &st) != 0)
        return "cannot be examined";
    if (!S_ISREG(st.st_mode))
        return "is not a regular file";
    if (st.st_mode & S_IRWXO)
        return "is open to all users of this machine; make it chmod 0600, or 0640 with the "
               "engine's group";
    while (n < sizeof(text) && (got = read(fd, text + n, sizeof(text) - n)) > 0)
        n += (size_t)got;
    if (got < 0)
        return "cannot be read";

    struct str s = {text, n};
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    const char *why = NULL;
    if (s.n == 0)
        why = "is empty";
    else if (s.n > SECRET_MAX)
        why = "is longer than 8192 octets";
    else if (str_find(s, '\n') < s.n || str_find(s, '\0') < s.n)
        why = "holds more than one line";
    else
        *out = str_dup(s);
    explicit_bzero(text, sizeof(text));
    return why;
}

bool conf_read_secret(const char *path, char **out, const char **why)
{
    /* A FIFO must not make the start wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        *why = strerror(errno);
        return false;
    }
    *why = read_secret(fd, out);
    close(fd);
    return !*why;
}

static int load(const struct conf_parse *p, size_t i, const char *key, const char *path, char **out)
{
    const char *why;

    if (!path || conf_read_secret(path, out, &why))
        return 0;
    /* strerror says a sentence of its own, the rest goes on behind the name. */
    const char *between = why[0] >= 'A' && why[0] <= 'Z' ? ":" : "";
    return conf_fail(p, conf_line_near(p, SECTION_RELAY, key, i), "relay.%s.%s: %s%s %s",
                     p->c->relays[i].name, key, path, between, why);
}

static int missing(const struct conf_parse *p, size_t i, const char *key, const char *why)
{
    return conf_fail(p, conf_line_near(p, SECTION_RELAY, key, i), "relay.%s.%s: missing; %s",
                     p->c->relays[i].name, key, why);
}

/* The keys of a token: one source, whole. */
static int check_token(const struct conf_parse *p, size_t i)
{
    const struct relay_conf *r = &p->c->relays[i];
    static const char needs[] = "a token is fetched with token-url, client-id and refresh-token-file";

    if (r->token_file && r->token_url)
        return conf_fail(p, conf_line_near(p, SECTION_RELAY, "token-file", i),
                         "relay.%s.token-file: contradicts token-url; allowed: one of them", r->name);
    if (relay_conf_has_token(r) && r->password_file)
        return conf_fail(p, conf_line_near(p, SECTION_RELAY, "password-file", i),
                         "relay.%s.password-file: contradicts %s; allowed: a password or a token",
                         r->name, r->token_url ? "token-url" : "token-file");
    if (r->token_url && !r->client_id)
        return missing(p, i, "client-id", needs);
    if (r->token_url && !r->refresh_token_file)
        return missing(p, i, "refresh-token-file", needs);
    if (!r->token_url && (r->client_id || r->client_secret_file || r->refresh_token_file))
        return missing(p, i, "token-url", needs);
    return 0;
}

static int load_secrets(const struct conf_parse *p, size_t i)
{
    struct relay_conf *r = &p->c->relays[i];
    int rc = load(p, i, "password-file", r->password_file, &r->password);

    if (!rc)
        rc = load(p, i, "client-secret-file", r->client_secret_file, &r->client_secret);
    if (!rc)
        rc = load(p, i, "refresh-token-file", r->refresh_token_file, &r->refresh_token);
    return rc;
}

static int check_login(const struct conf_parse *p, size_t i)
{
    const struct relay_conf *r = &p->c->relays[i];
    bool has_secret = r->password_file || relay_conf_has_token(r);
    bool wants = r->auth != AUTH_AUTO && r->auth != AUTH_NONE;

    if (r->auth == AUTH_NONE && (r->user || has_secret))
        return conf_fail(p, conf_line_near(p, SECTION_RELAY, "auth", i),
                         "relay.%s.auth: none contradicts user or password-file; allowed: auto "
                         "with both of them, or none without them",
                         r->name);
    bool wants_token = r->auth == AUTH_XOAUTH2 || r->auth == AUTH_OAUTHBEARER;
    if (wants && has_secret && wants_token != relay_conf_has_token(r))
        return conf_fail(p, conf_line_near(p, SECTION_RELAY, "auth", i),
                         "relay.%s.auth: %s contradicts %s; allowed: xoauth2 and oauthbearer with a "
                         "token, the others with a password, or auto",
                         r->name, auth_mech_name(r->auth),
                         wants_token ? "password-file" : "a token");
    if ((wants || has_secret) && !r->user)
        return missing(p, i, "user", "a login needs user and password-file (or a token)");
    if ((wants || r->user) && !has_secret)
        return missing(p, i, "password-file", "a login needs user and password-file (or a token)");
    if (r->user && r->tls == TLS_LEVEL_NONE)
        return conf_fail(
            p, conf_line_near(p, SECTION_RELAY, "tls", i),
            "relay.%s.tls: none contradicts the login, whose password would be sent in "
            "clear text for anybody on the way to read; allowed: verified, required, "
            "opportunistic, or auth = none",
            r->name);
    return 0;
}

static int check_hosts(const struct conf_parse *p, size_t i)
{
    const struct relay_conf *r = &p->c->relays[i];

    if (!r->hosts_n)
        return conf_fail(p, conf_line_near(p, SECTION_RELAY, "host", i),
                         "relay.%s.host: missing; allowed: %s", r->name,
                         conf_key_find(SECTION_RELAY, STR("host"))->allowed);
    for (size_t h = 0; h < r->hosts_n; h++)
        if (endpoint_is_implicit_tls(&r->hosts[h]) && r->tls == TLS_LEVEL_NONE)
            return conf_fail(p, conf_line_near(p, SECTION_RELAY, "tls", i),
                             "relay.%s.tls: none contradicts port 465, where TLS starts at once; "
                             "allowed: opportunistic, required, verified, or another port",
                             r->name);
    return 0;
}

int conf_check_relay(const struct conf_parse *p, size_t i)
{
    int rc = check_hosts(p, i);

    if (!rc)
        rc = check_token(p, i);
    if (!rc)
        rc = check_login(p, i);
    return rc || p->c->is_public ? rc : load_secrets(p, i);
}
