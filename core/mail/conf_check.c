/* SPDX-License-Identifier: ISC */
/*
 * What no single key can know: keys that are missing, keys that contradict each other, and the
 * files that hold passwords. Each refusal says why, because each of them protects somebody.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/mail/conf_private.h"

#define PASSWORD_MAX 1024 /* octets; an RFC 4616 password is shorter, an OAuth token is not one */

/* S6: noreply@mydomain.local is never valid. Also when it is a default that follows from a host
 * name which the file gave. */
static int check_sender(const struct conf_parse *p)
{
    struct conf *c = p->c;
    const struct conf_key *hostname = conf_key_find(SECTION_IDENTITY, STR("hostname"));
    const struct conf_key *sender = conf_key_find(SECTION_IDENTITY, STR("sender"));
    bool is_given = conf_line(p, sender, 0) > 0;
    bool is_named = conf_line(p, hostname, 0) > 0;

    if (!is_given)
        snprintf(c->sender, sizeof(c->sender), "mailer@%s", c->hostname);
    if (c->lab_special_use || (!is_given && !is_named))
        return 0;
    const char *why = domain_special_use(strrchr(c->sender, '@') + 1);
    if (!why)
        return 0;
    if (is_given)
        return conf_fail(p, conf_line(p, sender, 0),
                         "identity.sender: «%s» is not an address that can receive mail: %s; "
                         "allowed: %s",
                         c->sender, why, sender->allowed);
    return conf_fail(
        p, conf_line(p, hostname, 0),
        "identity.sender: not set, and mailer@ with the hostname («%s») cannot receive "
        "mail: %s; set it to %s",
        c->sender, why, sender->allowed);
}

/* As good as everybody: no organisation has a network as wide. Unique local (fc00::/7) and
 * link-local (fe80::/10) IPv6 networks are wide and private. */
static bool is_net_the_world(const struct ip_net *net)
{
    if (net->ip.family == 4)
        return net->bits < 8;
    return net->bits < 7 || (net->bits < 16 && (net->ip.bytes[0] & 0xfc) != 0xfc);
}

static int check_open_relay(const struct conf_parse *p)
{
    const struct conf *c = p->c;
    char where[300], who[48];

    for (size_t i = 0; i < c->listen_n; i++) {
        if (ip_is_loopback(&c->listen[i].ip))
            continue;
        for (size_t j = 0; j < c->allow_n; j++) {
            if (!is_net_the_world(&c->allow[j]))
                continue;
            return conf_fail(
                p, conf_line_near(p, SECTION_LISTEN, "allow", 0),
                "listen.allow: %s/%u together with the outside address %s in listen.smtp would let "
                "anybody on the Internet send mail through this server (an open relay); allowed: "
                "the networks of your own machines",
                ip_text(&c->allow[j].ip, who), c->allow[j].bits,
                endpoint_text(&c->listen[i], where));
        }
    }
    return 0;
}

static int check_listen_twice(const struct conf_parse *p)
{
    const struct conf *c = p->c;
    char text[300];

    for (size_t i = 0; i < c->listen_n; i++)
        for (size_t j = 0; j < i; j++)
            if (ip_eq(&c->listen[i].ip, &c->listen[j].ip) && c->listen[i].port == c->listen[j].port)
                return conf_fail(p, conf_line_near(p, SECTION_LISTEN, "smtp", 0),
                                 "listen.smtp: %s stands there twice; once is allowed",
                                 endpoint_text(&c->listen[i], text));
    return 0;
}

/* Read and check one password file: 0 or an error that never shows what is in it. */
static const char *read_password(int fd, char **out)
{
    char text[PASSWORD_MAX + 3]; /* with CR LF, and one more to see that it is too long */
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
    else if (s.n > PASSWORD_MAX)
        why = "is longer than 1024 octets";
    else if (str_find(s, '\n') < s.n || str_find(s, '\0') < s.n)
        why = "holds more than one line";
    else
        *out = str_dup(s);
    explicit_bzero(text, sizeof(text));
    return why;
}

static int load_password(const struct conf_parse *p, size_t i)
{
    struct relay_conf *r = &p->c->relays[i];
    unsigned line = conf_line_near(p, SECTION_RELAY, "password-file", i);
    /* A FIFO must not make the start wait. */
    int fd = open(r->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return conf_fail(p, line, "relay.%s.password-file: %s: %s", r->name, r->password_file,
                         strerror(errno));
    const char *why = read_password(fd, &r->password);
    close(fd);
    if (why)
        return conf_fail(p, line, "relay.%s.password-file: %s %s", r->name, r->password_file, why);
    return 0;
}

static int check_relay_auth(const struct conf_parse *p, size_t i)
{
    struct relay_conf *r = &p->c->relays[i];
    bool wants = r->auth == AUTH_PLAIN || r->auth == AUTH_LOGIN;
    unsigned line = conf_line_near(p, SECTION_RELAY, "auth", i);

    if (r->auth == AUTH_NONE && (r->user || r->password_file))
        return conf_fail(p, line,
                         "relay.%s.auth: none contradicts user or password-file; allowed: auto "
                         "with both of them, or none without them",
                         r->name);
    if ((wants || r->password_file) && !r->user)
        return conf_fail(p, line, "relay.%s.user: missing; a login needs user and password-file",
                         r->name);
    if ((wants || r->user) && !r->password_file)
        return conf_fail(p, line,
                         "relay.%s.password-file: missing; a login needs user and password-file",
                         r->name);
    if (r->user && r->tls == TLS_LEVEL_NONE)
        return conf_fail(
            p, conf_line_near(p, SECTION_RELAY, "tls", i),
            "relay.%s.tls: none contradicts the login, whose password would be sent in "
            "clear text for anybody on the way to read; allowed: verified, required, "
            "opportunistic, or auth = none",
            r->name);
    return r->password_file ? load_password(p, i) : 0;
}

static int check_relay(const struct conf_parse *p, size_t i)
{
    struct relay_conf *r = &p->c->relays[i];

    if (!r->host.host[0])
        return conf_fail(p, conf_line_near(p, SECTION_RELAY, "host", i),
                         "relay.%s.host: missing; allowed: %s", r->name,
                         conf_key_find(SECTION_RELAY, STR("host"))->allowed);
    r->is_implicit_tls = r->host.port == 465;
    if (r->is_implicit_tls && r->tls == TLS_LEVEL_NONE)
        return conf_fail(p, conf_line_near(p, SECTION_RELAY, "tls", i),
                         "relay.%s.tls: none contradicts port 465, where TLS starts at once; "
                         "allowed: opportunistic, required, verified, or another port",
                         r->name);
    return check_relay_auth(p, i);
}

static int check_routes(const struct conf_parse *p)
{
    const struct conf_key *via = conf_key_find(SECTION_ROUTE, STR("via"));

    for (size_t i = 0; i < p->c->routes_n; i++)
        if (!conf_line(p, via, i))
            return conf_fail(p, conf_line_near(p, SECTION_ROUTE, "via", i),
                             "route.%s.via: missing; allowed: %s", p->c->routes[i].match,
                             via->allowed);
    return 0;
}

static bool is_retry_given(const struct conf_parse *p, const char *name)
{
    return conf_line(p, conf_key_find(SECTION_RETRY, str_of(name)), 0) > 0;
}

/* What only the profile says gives way to what the file says; two of the file's must agree. */
static int check_retry(const struct conf_parse *p)
{
    struct retry_policy *r = &p->c->retry;

    if (r->max_ms > r->lifetime_ms && !is_retry_given(p, "max"))
        r->max_ms = r->lifetime_ms;
    if (r->first_ms > r->max_ms && !is_retry_given(p, "first"))
        r->first_ms = r->max_ms;
    if (r->first_ms > r->max_ms && !is_retry_given(p, "max"))
        r->max_ms = r->first_ms;
    if (r->delay_notice_ms >= r->lifetime_ms && !is_retry_given(p, "delay-notice"))
        r->delay_notice_ms = 0;
    if (r->max_ms > r->lifetime_ms)
        return conf_fail(p, conf_line_near(p, SECTION_RETRY, "max", 0),
                         "retry.max: longer than retry.lifetime; allowed: at most retry.lifetime");
    if (r->first_ms > r->max_ms)
        return conf_fail(p, conf_line_near(p, SECTION_RETRY, "first", 0),
                         "retry.first: longer than retry.max; allowed: at most retry.max");
    if (r->delay_notice_ms >= r->lifetime_ms)
        return conf_fail(p, conf_line_near(p, SECTION_RETRY, "delay-notice", 0),
                         "retry.delay-notice: not before retry.lifetime is over; allowed: less "
                         "than retry.lifetime, or 0 for no notice");
    return 0;
}

/* Destinations that leave a key out have the general value. */
static void fill_destinations(struct conf *c)
{
    for (size_t i = 0; i < c->destinations_n; i++)
        if (!c->destinations[i].has_tls)
            c->destinations[i].tls = c->tls;
}

int conf_check(const struct conf_parse *p)
{
    int rc = check_sender(p);

    if (!rc)
        rc = check_open_relay(p);
    if (!rc)
        rc = check_listen_twice(p);
    for (size_t i = 0; !rc && i < p->c->relays_n; i++)
        rc = check_relay(p, i);
    if (!rc)
        rc = check_routes(p);
    if (!rc)
        rc = check_retry(p);
    fill_destinations(p->c);
    return rc;
}
