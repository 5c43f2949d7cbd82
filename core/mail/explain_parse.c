/* SPDX-License-Identifier: ISC */
/*
 * Reading the file of rules: the grammar of mail/ini.h, whose meaning is told at the head of
 * explain.rules. Strict: what is not known, or contradicts, is an error with file and line, because a
 * rule that silently never speaks helps nobody.
 */
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/explain_private.h"
#include "core/mail/ini.h"

#define PRIORITY_BUILTIN 500
#define PRIORITY_ADDED   950

struct reader {
    struct explainer *e;
    const char *name; /* of the file */
    unsigned line;
    bool is_added, keep_samples;
    struct rule *rule; /* the section that is being read: one of these three, or none yet */
    struct class_row *class;
    struct provider *provider;
    struct err *err;
};

static int PRINTF_LIKE(2, 3) fail(const struct reader *r, const char *fmt, ...)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    return err_set(r->err, E_CONFIG, "%s:%u: %s", r->name, r->line, buf_text(&b));
}

/* --- values --- */

static int set_text(struct reader *r, struct str value, char **out)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    if (text_printable(&b, value, false))
        return fail(r, "the text holds characters that a terminal must not get");
    if (value.n >= EXPLAIN_SENTENCE_MAX - 160)
        return fail(r, "the text is longer than %d octets", EXPLAIN_SENTENCE_MAX - 161);
    free(*out);
    *out = str_dup(value);
    return 0;
}

static struct rule_text *say_of(struct reader *r)
{
    return r->rule ? &r->rule->say : &r->class->say;
}

static int set_cause(struct reader *r, struct str v)
{
    return set_text(r, v, &say_of(r)->cause);
}

static int set_next(struct reader *r, struct str v)
{
    return set_text(r, v, &say_of(r)->next);
}

static int set_link(struct reader *r, struct str v)
{
    return set_text(r, v, &say_of(r)->link);
}

static int set_class(struct reader *r, struct str v)
{
    r->rule->class = explain_class_by_name(v);
    if (r->rule->class == EXPLAIN_CLASS_COUNT)
        return fail(r,
                    "there is no class «%.*s»; mxhelm explain prints them as NET.TIMEOUT, "
                    "RCPT.UNKNOWN ...",
                    STR_ARG(str_sub(v, 0, 40)));
    return 0;
}

static int set_owner(struct reader *r, struct str v)
{
    enum explain_owner o = explain_owner_by_name(v);
    if (o == EXPLAIN_OWNER_COUNT)
        return fail(r,
                    "there is no owner «%.*s»; allowed: US-NET US-DNS US-CONF US-REP US-MSG RCPT "
                    "REMOTE WAIT ?",
                    STR_ARG(str_sub(v, 0, 40)));
    *(r->rule ? &r->rule->owner : &r->class->owner) = o;
    return 0;
}

static int set_scope(struct reader *r, struct str v)
{
    for (int s = 0; s < SCOPE_COUNT; s++) {
        if (!str_eq_z(v, scope_name((enum scope)s)))
            continue;
        *(r->rule ? &r->rule->scope : &r->class->scope) = (enum scope)s;
        return 0;
    }
    return fail(r,
                "there is no scope «%.*s»; allowed: recipient message domain host site source "
                "everything",
                STR_ARG(str_sub(v, 0, 40)));
}

static int set_cure(struct reader *r, struct str v)
{
    static const struct {
        const char *name;
        enum explain_permanence value;
    } cures[] = {{"time", EXPLAIN_TEMP}, {"repair", EXPLAIN_FIXABLE}, {"none", EXPLAIN_PERM}};
    for (size_t i = 0; i < ARRAY_LEN(cures); i++) {
        if (!str_eq_z(v, cures[i].name))
            continue;
        if (r->rule)
            r->rule->cure = cures[i].value;
        else
            r->class->cure = cures[i].value;
        return 0;
    }
    return fail(r, "allowed: time, repair, none");
}

static int set_priority(struct reader *r, struct str v)
{
    uint64_t n;
    if (!text_parse_u64(v, 999, &n) || n < 1)
        return fail(r, "allowed: a number from 1 to 999");
    r->rule->priority = (int)n;
    return 0;
}

static int set_retry_after(struct reader *r, struct str v)
{
    if (!text_parse_duration(v, &r->rule->retry_after_ms) || r->rule->retry_after_ms <= 0)
        return fail(r, "allowed: a duration, as 15m");
    return 0;
}

/* --- conditions --- */

/* Cut the next of several values. */
static bool next_item(struct str *rest, struct str *item)
{
    *rest = str_trim(*rest);
    if (!rest->n)
        return false;
    *item = str_split(rest, ' ');
    return true;
}

static int set_code(struct reader *r, struct str v)
{
    struct rule *k = r->rule;
    struct str s;
    while (next_item(&v, &s)) {
        if (str_eq_z(s, "none")) {
            k->wants_no_code = true;
            continue;
        }
        uint64_t n;
        if (s.n > 3 || !text_parse_u64(s, 999, &n) || k->codes_n == CODES_MAX)
            return fail(r,
                        "allowed: none, or up to 8 reply codes or their first digits, as 4 55 550");
        str_copy(s, k->codes[k->codes_n++], sizeof(k->codes[0]));
    }
    k->conditions++;
    return 0;
}

static bool parse_part(struct str s, int *out)
{
    uint64_t n;
    *out = -1;
    if (str_eq_z(s, "*"))
        return true;
    if (!text_parse_u64(s, 999, &n))
        return false;
    *out = (int)n;
    return true;
}

static int set_enhanced(struct reader *r, struct str v)
{
    struct rule *k = r->rule;
    struct str s;
    while (next_item(&v, &s)) {
        struct str class = str_split(&s, '.'), subject = str_split(&s, '.');
        struct enhanced_code c;
        if (k->enhanced_n == ENHANCED_MAX || class.n != 1 || !memchr("245X", class.p[0], 4) ||
            !parse_part(subject, &c.subject) || !parse_part(s, &c.detail))
            return fail(r, "allowed: up to 12 enhanced codes, as 5.7.25 X.1.1 X.2.*");
        c.class = class.p[0];
        k->enhanced[k->enhanced_n++] = c;
    }
    k->conditions++;
    return 0;
}

static int set_stage(struct reader *r, struct str v)
{
    struct str s;
    while (next_item(&v, &s)) {
        int stage = 0;
        while (stage < STAGE_COUNT && !str_eq_z(s, stage_name((enum stage)stage)))
            stage++;
        if (stage == STAGE_COUNT)
            return fail(r, "there is no stage «%.*s»", STR_ARG(str_sub(s, 0, 40)));
        r->rule->stages |= 1u << stage;
    }
    r->rule->conditions++;
    return 0;
}

/* The number of a provider, also of one whose section comes later; PROVIDERS_MAX when there are too many. */
static size_t provider_of(struct explainer *e, struct str name)
{
    for (size_t i = 0; i < e->providers_n; i++)
        if (str_eq_z(name, e->providers[i].name))
            return i;
    if (e->providers_n == PROVIDERS_MAX)
        return PROVIDERS_MAX;
    e->providers[e->providers_n].name = str_dup(name);
    return e->providers_n++;
}

static int set_provider(struct reader *r, struct str v)
{
    struct str s;
    while (next_item(&v, &s)) {
        size_t n = provider_of(r->e, s);
        if (n == PROVIDERS_MAX)
            return fail(r, "more than %d providers", PROVIDERS_MAX);
        r->rule->providers |= UINT64_C(1) << n;
    }
    r->rule->conditions++;
    return 0;
}

static int set_tag(struct reader *r, struct str v)
{
    struct rule *k = r->rule;
    struct str s;
    while (next_item(&v, &s)) {
        if (k->tags_n == TAGS_MAX || !str_copy(s, k->tags[k->tags_n], sizeof(k->tags[0])))
            return fail(r, "allowed: up to 4 tags of outcomes, as null-mx");
        k->tags_n++;
    }
    k->conditions++;
    return 0;
}

static int set_via(struct reader *r, struct str v)
{
    r->rule->wants_relay = str_eq_z(v, "relay");
    r->rule->wants_direct = str_eq_z(v, "direct");
    r->rule->conditions++;
    return r->rule->wants_relay || r->rule->wants_direct ? 0 : fail(r, "allowed: relay, direct");
}

static int set_many(struct reader *r, struct str v)
{
    r->rule->wants_many = true;
    r->rule->conditions++;
    return str_eq_z(v, "yes") ? 0 : fail(r, "allowed: yes");
}

static int add_pattern(struct reader *r, struct str v, enum pattern_use use, size_t target)
{
    const char *why = matcher_add(&r->e->matcher, v, use, (uint32_t)target);
    return why ? fail(r, "%s", why) : 0;
}

static int add_text(struct reader *r, struct str v)
{
    r->rule->has_text = true;
    return add_pattern(r, v, PATTERN_TEXT, (size_t)(r->rule - r->e->rules));
}

static int add_not(struct reader *r, struct str v)
{
    return add_pattern(r, v, PATTERN_NOT, (size_t)(r->rule - r->e->rules));
}

static int add_mark(struct reader *r, struct str v)
{
    return add_pattern(r, v, PATTERN_MARK, (size_t)(r->provider - r->e->providers));
}

static int add_host(struct reader *r, struct str v)
{
    struct provider *p = r->provider;
    struct str s;
    while (next_item(&v, &s)) {
        if (p->hosts_n == HOSTS_MAX)
            return fail(r, "more than %d hosts", HOSTS_MAX);
        p->hosts[p->hosts_n++] = str_dup(s);
    }
    return 0;
}

static int add_sample(struct reader *r, struct str v)
{
    struct explainer *e = r->e;
    if (!r->keep_samples)
        return 0;
    e->samples = explain_grow(e->samples, e->samples_n, sizeof(*e->samples));
    e->samples[e->samples_n++] = (struct sample){xstrdup(r->rule->name), str_dup(v), r->line};
    return 0;
}

/* --- sections --- */

#define IN_RULE     1
#define IN_CLASS    2
#define IN_PROVIDER 4

static const struct {
    const char *name;
    int where;
    int (*set)(struct reader *r, struct str value);
} keys[] = {
    {"class", IN_RULE, set_class},
    {"priority", IN_RULE, set_priority},
    {"text", IN_RULE, add_text},
    {"not", IN_RULE, add_not},
    {"sample", IN_RULE, add_sample},
    {"code", IN_RULE, set_code},
    {"enhanced", IN_RULE, set_enhanced},
    {"stage", IN_RULE, set_stage},
    {"provider", IN_RULE, set_provider},
    {"tag", IN_RULE, set_tag},
    {"via", IN_RULE, set_via},
    {"many", IN_RULE, set_many},
    {"retry-after", IN_RULE, set_retry_after},
    {"owner", IN_RULE | IN_CLASS, set_owner},
    {"scope", IN_RULE | IN_CLASS, set_scope},
    {"cure", IN_RULE | IN_CLASS, set_cure},
    {"cause", IN_RULE | IN_CLASS, set_cause},
    {"next", IN_RULE | IN_CLASS, set_next},
    {"link", IN_RULE | IN_CLASS, set_link},
    {"host", IN_PROVIDER, add_host},
    {"mark", IN_PROVIDER, add_mark},
};

static int read_setting(struct reader *r, const struct ini_item *item)
{
    int where = r->rule ? IN_RULE : r->class ? IN_CLASS : r->provider ? IN_PROVIDER : 0;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!str_eq_z(item->name, keys[i].name))
            continue;
        if (!(keys[i].where & where))
            return fail(r, "%s cannot stand in this section", keys[i].name);
        if (!item->value.n)
            return fail(r, "%s: a value is missing", keys[i].name);
        return keys[i].set(r, item->value);
    }
    return fail(r, "there is no key «%.*s»", STR_ARG(str_sub(item->name, 0, 40)));
}

static struct rule *rule_by_name(struct explainer *e, struct str name)
{
    for (size_t i = 0; i < e->rules_n; i++)
        if (str_eq_z(name, e->rules[i].name))
            return &e->rules[i];
    return NULL;
}

static int open_rule(struct reader *r, struct str name)
{
    struct explainer *e = r->e;
    const struct rule *other = rule_by_name(e, name);
    if (other)
        return fail(r, "there is a %srule «%s» already (line %u)",
                    other->is_added ? "" : "built-in ", other->name, other->line);
    e->rules = explain_grow(e->rules, e->rules_n, sizeof(*e->rules));
    r->rule = &e->rules[e->rules_n++];
    *r->rule = (struct rule){.name = str_dup(name),
                             .is_added = r->is_added,
                             .line = r->line,
                             .priority = r->is_added ? PRIORITY_ADDED : PRIORITY_BUILTIN,
                             .class = EXPLAIN_CLASS_COUNT,
                             .owner = EXPLAIN_OWNER_COUNT,
                             .scope = SCOPE_COUNT,
                             .cure = -1};
    return 0;
}

static int open_class(struct reader *r, struct str name)
{
    enum explain_class c = explain_class_by_name(name);
    if (c == EXPLAIN_CLASS_COUNT)
        return fail(r, "there is no class «%.*s»", STR_ARG(str_sub(name, 0, 40)));
    r->class = &r->e->classes[c];
    r->class->is_given = true;
    return 0;
}

static int open_provider(struct reader *r, struct str name)
{
    size_t n = provider_of(r->e, name);
    if (n == PROVIDERS_MAX)
        return fail(r, "more than %d providers", PROVIDERS_MAX);
    r->provider = &r->e->providers[n];
    return 0;
}

/* What a rule must have is known at its end. */
static int close_section(struct reader *r)
{
    const struct rule *k = r->rule;
    if (!k)
        return 0;
    r->line = k->line;
    if (k->class == EXPLAIN_CLASS_COUNT)
        return fail(r, "the rule «%s» has no class", k->name);
    if (!k->has_text && !k->conditions)
        return fail(r, "the rule «%s» has no condition, so it would explain everything", k->name);
    return 0;
}

static int open_section(struct reader *r, const struct ini_item *item)
{
    int rc = close_section(r);
    if (rc)
        return rc;
    r->line = item->line;
    r->rule = NULL;
    r->class = NULL;
    r->provider = NULL;
    if (item->has_value && str_eq_z(item->name, "rule"))
        return open_rule(r, item->value);
    if (item->has_value && str_eq_z(item->name, "class"))
        return open_class(r, item->value);
    if (item->has_value && str_eq_z(item->name, "provider"))
        return open_provider(r, item->value);
    return fail(r, "a section is [rule \"NAME\"], [class \"CLASS\"] or [provider \"NAME\"]");
}

int explainer_read(struct explainer *e, struct str text, const char *name, bool is_added,
                   bool keep_samples, struct err *err)
{
    struct reader r = {
        .e = e, .name = name, .is_added = is_added, .keep_samples = keep_samples, .err = err};
    struct ini ini;
    struct ini_item item;
    int rc = 0;
    ini_init(&ini, text);
    do {
        ini_next(&ini, &item);
        r.line = item.line;
        if (item.kind == INI_ERROR)
            rc = fail(&r, "%s", item.why);
        else if (item.kind == INI_SECTION)
            rc = open_section(&r, &item);
        else if (item.kind == INI_SETTING)
            rc = read_setting(&r, &item);
    } while (!rc && item.kind != INI_END);
    return rc ? rc : close_section(&r);
}
