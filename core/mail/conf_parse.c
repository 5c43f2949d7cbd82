/* SPDX-License-Identifier: ISC */
/*
 * From text to struct conf. First the whole file is read (sections opened, keys found in the
 * table), then the keys are set in three rounds, because some change what others mean: the retry profile
 * before its single values, and ways to deliver after all relays are known.
 */
#include <stdarg.h>
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/conf_private.h"
#include "core/mail/ini.h"

/* Of one file, all sections together: more is a mistake, not a configuration. */
#define SETTINGS_MAX 10000

int conf_fail(const struct conf_parse *p, unsigned line, const char *fmt, ...)
{
    struct buf text = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    int rc = line ? err_set(p->err, E_CONFIG, "%s:%u: %s", p->name, line, buf_text(&text))
                  : err_set(p->err, E_CONFIG, "%s: %s", p->name, buf_text(&text));
    buf_done(&text);
    return rc;
}

unsigned conf_line(const struct conf_parse *p, const struct conf_key *k, size_t instance)
{
    for (size_t i = 0; i < p->settings_n; i++)
        if (p->settings[i].key == k && p->settings[i].instance == instance)
            return p->settings[i].line;
    return 0;
}

static unsigned section_line(const struct conf_parse *p, enum conf_section section, size_t instance)
{
    for (size_t i = 0; i < p->opened_n; i++)
        if (p->opened[i].section == section && p->opened[i].instance == instance)
            return p->opened[i].line;
    return 0;
}

unsigned conf_line_near(const struct conf_parse *p, enum conf_section section, const char *name,
                        size_t instance)
{
    unsigned line = conf_line(p, conf_key_find(section, str_of(name)), instance);

    return line ? line : section_line(p, section, instance);
}

/* What the file says may be anything; a message shows at most this much of it. */
static const char *shown(struct str value, char out[80])
{
    text_printable_copy(str_sub(value, 0, 60), out, 76);
    if (value.n > 60)
        snprintf(out + strlen(out), 4, "...");
    return out;
}

static void list_sections(struct buf *out)
{
    for (int s = 0; s < SECTION_COUNT; s++) {
        buf_printf(out, "%s[%s", s ? " " : "", conf_sections[s].name);
        if (conf_sections[s].argument)
            buf_printf(out, " \"%s\"", conf_sections[s].argument);
        buf_add_c(out, ']');
    }
}

static void list_keys(struct buf *out, enum conf_section section)
{
    const char *comma = "";

    for (size_t i = 0; i < conf_keys_n; i++) {
        if (conf_keys[i].section != section)
            continue;
        buf_printf(out, "%s%s", comma, conf_keys[i].name);
        comma = ", ";
    }
}

static int fail_section(const struct conf_parse *p, unsigned line, struct str name)
{
    CLEANUP(buf_done) struct buf known = BUF_INIT;
    char text[80];

    list_sections(&known);
    return conf_fail(p, line, "[%s]: no such section; the sections are %s", shown(name, text),
                     buf_text(&known));
}

/* A key that the section does not have: name the one that was meant, here or elsewhere. */
static int fail_key(const struct conf_parse *p, unsigned line, enum conf_section section,
                    struct str name)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    CLEANUP(buf_done) struct buf known = BUF_INIT;
    const struct conf_key *near = conf_key_near(section, name);
    char key[80];

    buf_printf(&text, "%s.%s: no such key", conf_sections[section].name, shown(name, key));
    if (near)
        buf_printf(&text, "; did you mean %s?", near->name);
    for (int s = 0; !near && s < SECTION_COUNT; s++) {
        if (conf_key_find((enum conf_section)s, name)) {
            buf_printf(&text, "; %s belongs to [%s]", shown(name, key), conf_sections[s].name);
            break;
        }
    }
    list_keys(&known, section);
    return conf_fail(p, line, "%s; allowed: %s", buf_text(&text), buf_text(&known));
}

static bool is_relay_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.' || s.p[i] == '-' || s.p[i] == '_'))
            return false;
    return s.n > 0 && s.n <= CONF_RELAY_NAME_MAX;
}

static const char *add_relay(struct conf *c, struct str name)
{
    if (!is_relay_name(name))
        return "a relay's name is made of letters, digits, \".\", \"-\" and \"_\", at most 63";
    if (c->relays_n == CONF_RELAYS_MAX)
        return "there are more than 32 relays";
    for (size_t i = 0; i < c->relays_n; i++)
        if (str_eq_z(name, c->relays[i].name))
            return "that relay has a section already";
    c->relays[c->relays_n++] =
        (struct relay_conf){.name = str_dup(name), .tls = TLS_LEVEL_VERIFIED};
    return NULL;
}

/* "partner.example", "sender:a@b", "sender:b" in the form that conf_route compares with. */
static const char *route_match(struct str name, char **out)
{
    const char *why = NULL;
    bool is_sender = str_istarts(name, STR("sender:"));
    struct str what = is_sender ? str_trim(str_sub(name, 7, name.n)) : name;
    char text[ADDR_TEXT_MAX];
    struct addr a;

    if (is_sender && str_find(what, '@') < what.n) {
        if (!addr_parse(what, &a, &why))
            return why;
        addr_text_ascii(&a, text);
    } else if (!domain_to_ascii(what, text, &why)) {
        return why;
    }
    *out = xasprintf("%s%s", is_sender ? "sender:" : "", text);
    return NULL;
}

static const char *add_route(struct conf *c, struct str name)
{
    char *match;
    const char *why = route_match(name, &match);

    if (why)
        return why;
    for (size_t i = 0; i < c->routes_n && !why; i++)
        if (strcasecmp(c->routes[i].match, match) == 0)
            why = "that route has a section already";
    if (!why && c->routes_n == CONF_ROUTES_MAX)
        why = "there are more than 1000 routes";
    if (why) {
        free(match);
        return why;
    }
    c->routes = xreallocarray(c->routes, c->routes_n + 1, sizeof(*c->routes));
    c->routes[c->routes_n++] = (struct route_conf){.match = match, .relay = -1};
    return NULL;
}

/* A site's name is made by route_site: several hosts joined by "+". It is taken as it stands. */
static const char *add_destination(struct conf *c, struct str name)
{
    char text[ADDR_DOMAIN_MAX + 1];
    const char *why = NULL;

    if (str_find(name, '+') < name.n) {
        if (!text_is_ascii(name) || str_find(name, ' ') < name.n ||
            !str_copy(name, text, sizeof(text)))
            return "a site's name has no spaces and at most 255 characters";
    } else if (!domain_to_ascii(name, text, &why)) {
        return why;
    }
    for (size_t i = 0; i < c->destinations_n; i++)
        if (strcasecmp(c->destinations[i].match, text) == 0)
            return "that destination has a section already";
    if (c->destinations_n == CONF_ROUTES_MAX)
        return "there are more than 1000 destinations";
    c->destinations =
        xreallocarray(c->destinations, c->destinations_n + 1, sizeof(*c->destinations));
    c->destinations[c->destinations_n++] = (struct destination_conf){.match = xstrdup(text)};
    return NULL;
}

static const char *add_from(struct conf *c, struct str name)
{
    char text[ADDR_DOMAIN_MAX + 1] = "*";
    const char *why = NULL;

    if (!str_eq_z(name, "*") && !domain_to_ascii(name, text, &why))
        return why;
    for (size_t i = 0; i < c->froms_n; i++)
        if (strcasecmp(c->froms[i].match, text) == 0)
            return "that domain has a section already";
    if (c->froms_n == CONF_ROUTES_MAX)
        return "there are more than 1000 domains";
    c->froms = xreallocarray(c->froms, c->froms_n + 1, sizeof(*c->froms));
    c->froms[c->froms_n++] = (struct from_conf){.match = xstrdup(text)};
    return NULL;
}

static const char *add_instance(struct conf_parse *p, enum conf_section section, struct str name)
{
    for (size_t i = 0; !conf_sections[section].argument && i < p->opened_n; i++)
        if (p->opened[i].section == section)
            return "that section stands in the file twice; put its keys together";
    switch (section) {
    case SECTION_RELAY: return add_relay(p->c, name);
    case SECTION_ROUTE: return add_route(p->c, name);
    case SECTION_DESTINATION: return add_destination(p->c, name);
    case SECTION_FROM: return add_from(p->c, name);
    default: return NULL;
    }
}

static int open_section(struct conf_parse *p, const struct ini_item *item)
{
    int s = 0;
    char text[80];

    while (s < SECTION_COUNT && !str_eq_z(item->name, conf_sections[s].name))
        s++;
    if (s == SECTION_COUNT)
        return fail_section(p, item->line, item->name);

    enum conf_section section = (enum conf_section)s;
    const char *argument = conf_sections[section].argument;
    if (argument && (!item->has_value || !item->value.n))
        return conf_fail(p, item->line, "[%s]: the name is missing; allowed: [%s \"%s\"]",
                         conf_sections[section].name, conf_sections[section].name, argument);
    if (!argument && item->has_value)
        return conf_fail(p, item->line, "[%s \"%s\"]: this section takes no name; allowed: [%s]",
                         conf_sections[section].name, shown(item->value, text),
                         conf_sections[section].name);

    const char *why = add_instance(p, section, item->value);
    if (why && argument)
        return conf_fail(p, item->line, "[%s \"%s\"]: %s", conf_sections[section].name,
                         shown(item->value, text), why);
    if (why)
        return conf_fail(p, item->line, "[%s]: %s", conf_sections[section].name, why);

    p->opened = xreallocarray(p->opened, p->opened_n + 1, sizeof(*p->opened));
    p->opened[p->opened_n++] =
        (struct conf_opened){section, conf_instances(p->c, section) - 1, item->line};
    return 0;
}

static int add_setting(struct conf_parse *p, const struct ini_item *item)
{
    char text[80];

    if (!p->opened_n)
        return conf_fail(p, item->line, "%s: a key before the first section; which [section]?",
                         shown(item->name, text));

    const struct conf_opened *in = &p->opened[p->opened_n - 1];
    const struct conf_key *k = conf_key_find(in->section, item->name);
    if (!k)
        return fail_key(p, item->line, in->section, item->name);

    unsigned before = conf_line(p, k, in->instance);
    if (before)
        return conf_fail(p, item->line, "%s.%s: set already in line %u; once is allowed",
                         conf_sections[in->section].name, k->name, before);
    if (p->settings_n == SETTINGS_MAX)
        return conf_fail(p, item->line, "more than %d keys in one file", SETTINGS_MAX);
    p->settings = xreallocarray(p->settings, p->settings_n + 1, sizeof(*p->settings));
    p->settings[p->settings_n++] = (struct conf_setting){k, in->instance, item->value, item->line};
    return 0;
}

static int read_items(struct conf_parse *p, struct str text)
{
    struct ini ini;
    struct ini_item item;
    int rc = 0;

    ini_init(&ini, text);
    for (;;) {
        ini_next(&ini, &item);
        switch (item.kind) {
        case INI_SECTION: rc = open_section(p, &item); break;
        case INI_SETTING: rc = add_setting(p, &item); break;
        case INI_ERROR: return conf_fail(p, item.line, "%s", item.why);
        case INI_END: return 0;
        }
        if (rc)
            return rc;
    }
}

static int set_one(struct conf_parse *p, const struct conf_setting *s)
{
    const char *why;
    char text[80];

    if (conf_set(p->c, s->key, s->instance, s->value, &why))
        return 0;
    char *key = conf_key_text(p->c, s->key, s->instance);
    int rc =
        conf_fail(p, s->line, "%s: «%s» is not %s%s%s; allowed: %s", key, shown(s->value, text),
                  conf_type_noun(s->key->type), why ? ": " : "", why ? why : "", s->key->allowed);
    free(key);
    return rc;
}

static unsigned round_of(enum conf_type t)
{
    return t == TYPE_PROFILE ? 0 : t == TYPE_VIA || t == TYPE_RELAY ? 2 : 1;
}

static int set_all(struct conf_parse *p)
{
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < p->settings_n; i++) {
            int rc = round_of(p->settings[i].key->type) == round ? set_one(p, &p->settings[i]) : 0;
            if (rc)
                return rc;
        }
    }
    return 0;
}

int conf_parse(struct conf *c, struct str text, const char *name, struct err *err)
{
    struct conf_parse p = {.c = c, .name = name, .err = err};
    int rc = read_items(&p, text);

    if (!rc)
        rc = set_all(&p);
    if (!rc)
        rc = conf_check(&p);
    if (!rc)
        conf_list_values(c, &p);
    free(p.settings);
    free(p.opened);
    return rc;
}
