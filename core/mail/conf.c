/* SPDX-License-Identifier: ISC */
/*
 * The configuration as a value: defaults, loading, what is in force and where it came from, and the
 * questions that the engine asks it. The keys are in conf_keys.c, reading in conf_parse.c,
 * contradictions in conf_check.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/mail/conf_private.h"

#define FILE_BYTES_MAX (1024 * 1024)

const char *tls_level_name(enum tls_level l)
{
    return conf_tls_words[l];
}

const char *auth_mech_name(enum auth_mech m)
{
    return conf_auth_words[m];
}

static struct ip_net net_of(const char *text)
{
    struct ip_net net = {0};

    verify(ip_net_parse(str_of(text), &net));
    return net;
}

void conf_init(struct conf *c, const struct conf_defaults *d)
{
    const char *why;

    *c = (struct conf){
        .max_message_bytes = 50u * 1024 * 1024,
        .max_recipients = 1000,
        .max_sessions = 1000,
        .idle_ms = 5 * MINUTE_MS,
        .keep_ms = 7 * DAY_MS,
        .log_keep_ms = 90 * DAY_MS,
        .relay = -1,
        .fallback_relay = -1,
        .port = 25,
        .tls = TLS_LEVEL_OPPORTUNISTIC,
        .connections = 100,
        .site_connections = 20,
        .connect_timeout_ms = 30 * SECOND_MS,
        .retry = *retry_profile(STR("normal")),
    };
    str_copy(str_of(d->hostname ? d->hostname : "localhost.localdomain"), c->hostname,
             sizeof(c->hostname));
    snprintf(c->sender, sizeof(c->sender), "mailer@%s", c->hostname);
    str_copy(str_of(c->sender), c->report_postmaster, sizeof(c->report_postmaster));
    verify(endpoint_parse(STR("127.0.0.1"), d->is_foreground ? 2525 : 25, &c->listen[0], &why));
    c->listen_n = 1;
    c->allow[0] = net_of("127.0.0.0/8");
    c->allow[1] = net_of("::1/128");
    c->allow_n = 2;
    c->check_receivers = xstrdup("gmail.com outlook.com");
    c->store_path = xstrdup(d->state_dir ? d->state_dir : "/var/lib/mxhelm");
    conf_list_values(c, NULL);
}

/* Read a whole file of at most FILE_BYTES_MAX. */
static int read_file(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = 0;

    if (fd < 0) {
        enum err_code code = errno == ENOENT ? E_NOTFOUND : errno == EACCES ? E_DENIED : E_IO;
        return err_sys(err, code, errno, "open the configuration %s", path);
    }
    for (;;) {
        char part[8192];
        ssize_t got = read(fd, part, sizeof(part));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = err_sys(err, E_IO, errno, "read the configuration %s", path);
        if (got <= 0)
            break;
        buf_add(out, part, (size_t)got);
        if (out->n > FILE_BYTES_MAX) {
            rc = err_set(err, E_CONFIG, "%s: larger than 1 MiB, so it is no configuration", path);
            break;
        }
    }
    close(fd);
    return rc;
}

int conf_load(struct conf *c, const char *path, struct err *err)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    int rc = read_file(path, &text, err);

    if (rc)
        return rc;
    free(c->path);
    c->path = xstrdup(path);
    return conf_parse(c, buf_str(&text), path, err);
}

static void values_done(struct conf *c)
{
    for (size_t i = 0; i < c->values_n; i++) {
        free(c->values[i].key);
        free(c->values[i].value);
    }
    free(c->values);
    c->values = NULL;
    c->values_n = 0;
}

static void secret_done(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void relay_done(struct relay_conf *r)
{
    free(r->name);
    free(r->user);
    free(r->password_file);
    secret_done(r->password);
    free(r->token_file);
    free(r->token_url);
    free(r->client_id);
    free(r->client_secret_file);
    secret_done(r->client_secret);
    free(r->refresh_token_file);
    secret_done(r->refresh_token);
}

void conf_done(struct conf *c)
{
    values_done(c);
    for (size_t i = 0; i < c->relays_n; i++)
        relay_done(&c->relays[i]);
    for (size_t i = 0; i < c->routes_n; i++)
        free(c->routes[i].match);
    for (size_t i = 0; i < c->destinations_n; i++)
        free(c->destinations[i].match);
    for (size_t i = 0; i < c->froms_n; i++)
        free(c->froms[i].match);
    free(c->routes);
    free(c->destinations);
    free(c->froms);
    for (size_t i = 0; i < DSN_KIND_COUNT; i++) {
        free(c->report_paths[i]);
        free(c->report_templates[i]);
    }
    free(c->check_receivers);
    free(c->explain_rules);
    free(c->lab_ca_file);
    free(c->store_path);
    free(c->path);
    *c = (struct conf){0};
}

size_t conf_instances(const struct conf *c, enum conf_section section)
{
    switch (section) {
    case SECTION_RELAY: return c->relays_n;
    case SECTION_ROUTE: return c->routes_n;
    case SECTION_DESTINATION: return c->destinations_n;
    case SECTION_FROM: return c->froms_n;
    default: return 1;
    }
}

const char *conf_instance_name(const struct conf *c, enum conf_section section, size_t instance)
{
    switch (section) {
    case SECTION_RELAY: return c->relays[instance].name;
    case SECTION_ROUTE: return c->routes[instance].match;
    case SECTION_DESTINATION: return c->destinations[instance].match;
    case SECTION_FROM: return c->froms[instance].match;
    default: return NULL;
    }
}

void *conf_field(const struct conf *c, const struct conf_key *k, size_t instance)
{
    const void *base = c;

    switch (k->section) {
    case SECTION_RELAY: base = &c->relays[instance]; break;
    case SECTION_ROUTE: base = &c->routes[instance]; break;
    case SECTION_DESTINATION: base = &c->destinations[instance]; break;
    case SECTION_FROM: base = &c->froms[instance]; break;
    default: break;
    }
    return (char *)(uintptr_t)base + k->offset;
}

char *conf_key_text(const struct conf *c, const struct conf_key *k, size_t instance)
{
    const char *section = conf_sections[k->section].name;
    const char *name = conf_instance_name(c, k->section, instance);

    return name ? xasprintf("%s.%s.%s", section, name, k->name)
                : xasprintf("%s.%s", section, k->name);
}

/* What is in force: a destination that leaves its connections out has the general number. */
static char *effective_value(const struct conf *c, const struct conf_key *k, size_t instance)
{
    struct buf out = BUF_INIT;

    if (k->section == SECTION_DESTINATION && k->type == TYPE_COUNT &&
        !c->destinations[instance].connections)
        buf_printf(&out, "%u", c->site_connections);
    else
        conf_show(c, k, instance, &out);
    return buf_take(&out);
}

static int compare_values(const void *a, const void *b)
{
    return strcmp(((const struct conf_value *)a)->key, ((const struct conf_value *)b)->key);
}

void conf_list_values(struct conf *c, const struct conf_parse *p)
{
    size_t n = 0;

    values_done(c);
    for (size_t i = 0; i < conf_keys_n; i++)
        n += conf_instances(c, conf_keys[i].section);
    c->values = xcalloc(n, sizeof(*c->values));
    for (size_t i = 0; i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        for (size_t j = 0; j < conf_instances(c, k->section); j++)
            c->values[c->values_n++] = (struct conf_value){
                .key = conf_key_text(c, k, j),
                .value = effective_value(c, k, j),
                .line = p ? conf_line(p, k, j) : 0,
                .rfc = k->rfc,
            };
    }
    qsort(c->values, c->values_n, sizeof(*c->values), compare_values);
}

const struct conf_value *conf_value(const struct conf *c, size_t idx)
{
    return idx < c->values_n ? &c->values[idx] : NULL;
}

/* The route of that match, or NULL. */
static const struct route_conf *find_route(const struct conf *c, const char *kind, const char *what)
{
    size_t n = strlen(kind);

    for (size_t i = 0; i < c->routes_n; i++) {
        const char *match = c->routes[i].match;
        if (strncmp(match, kind, n) == 0 && strcasecmp(match + n, what) == 0)
            return &c->routes[i];
    }
    return NULL;
}

int conf_route(const struct conf *c, const char *domain, const char *reverse_path)
{
    const char *at = strrchr(reverse_path, '@');
    const struct route_conf *r = NULL;

    if (at)
        r = find_route(c, "sender:", reverse_path);
    if (!r && at)
        r = find_route(c, "sender:", at + 1);
    if (!r)
        r = find_route(c, "", domain);
    return r ? r->relay : c->relay;
}

const struct from_conf *conf_from(const struct conf *c, const char *domain)
{
    const struct from_conf *any = NULL;

    for (size_t i = 0; i < c->froms_n; i++) {
        if (strcasecmp(c->froms[i].match, domain) == 0)
            return &c->froms[i];
        if (strcmp(c->froms[i].match, "*") == 0)
            any = &c->froms[i];
    }
    return any;
}

int conf_relay_by_name(const struct conf *c, const char *name)
{
    for (size_t i = 0; i < c->relays_n; i++)
        if (strcmp(c->relays[i].name, name) == 0)
            return (int)i;
    return -1;
}

const struct destination_conf *conf_destination(const struct conf *c, const char *domain,
                                                const char *site)
{
    const struct destination_conf *of_site = NULL;

    for (size_t i = 0; i < c->destinations_n; i++) {
        if (strcasecmp(c->destinations[i].match, domain) == 0)
            return &c->destinations[i];
        if (strcasecmp(c->destinations[i].match, site) == 0)
            of_site = &c->destinations[i];
    }
    return of_site;
}

char *conf_submit_socket(const struct conf *c)
{
    return xasprintf("%s/submit.sock", c->store_path);
}

char *conf_control_socket(const struct conf *c)
{
    return xasprintf("%s/control.sock", c->store_path);
}
