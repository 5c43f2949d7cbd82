/* SPDX-License-Identifier: ISC */
/* Choosing the rule that speaks, and letting it speak. */
#include "core/mail/explain.h"

#include "core/base/text.h"
#include "core/mail/explain_private.h"
#include "core/mail/retry_after.h"

/* --- choosing --- */

/* host is name, or a name below it. */
static bool is_below(struct str host, const char *name)
{
    struct str n = str_of(name);
    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    if (host.n < n.n || !str_ieq(str_sub(host, host.n - n.n, host.n), n))
        return false;
    return host.n == n.n || host.p[host.n - n.n - 1] == '.';
}

static uint64_t providers_of(const struct explainer *e, struct str host)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < e->providers_n && host.n; i++)
        for (size_t j = 0; j < e->providers[i].hosts_n; j++)
            if (is_below(host, e->providers[i].hosts[j]))
                bits |= UINT64_C(1) << i;
    return bits;
}

static void found(void *arg, const struct pattern *p, unsigned words, size_t end)
{
    struct explainer *e = arg;
    if (p->use == PATTERN_MARK) {
        e->marks |= UINT64_C(1) << p->target;
        return;
    }
    struct rule *k = &e->rules[p->target];
    if (p->use == PATTERN_NOT) {
        k->excluded_run = e->run;
    } else if (k->found_run != e->run) {
        k->found_run = e->run;
        k->found_words = words;
        k->found_end = end;
        e->hits[e->hits_n++] = p->target;
    } else if (words > k->found_words) {
        k->found_words = words;
        k->found_end = end;
    }
}

static bool code_holds(const struct rule *k, int code)
{
    char text[12];
    if (k->codes_n == 0)
        return !k->wants_no_code || code == 0;
    if (code == 0)
        return k->wants_no_code;
    snprintf(text, sizeof(text), "%d", code);
    for (size_t i = 0; i < k->codes_n; i++)
        if (strncmp(text, k->codes[i], strlen(k->codes[i])) == 0)
            return true;
    return false;
}

struct enhanced_is {
    char class;
    int subject, detail;
};

static struct enhanced_is enhanced_of(const struct facts *f)
{
    struct enhanced_is is = {0, -1, -1};
    struct str s = str_of(f->enhanced), class = str_split(&s, '.'), subject = str_split(&s, '.');
    uint64_t a, b;
    if (class.n != 1 || !text_parse_u64(subject, 999, &a) || !text_parse_u64(s, 999, &b))
        return is;
    return (struct enhanced_is){class.p[0], (int)a, (int)b};
}

/* The enhanced code's class counts as the basic code has it: RFC 3463 says that they agree, and where
 * they do not the basic one is what the server acts on. */
static bool enhanced_holds(const struct rule *k, const struct facts *f,
                           const struct enhanced_is *is)
{
    if (k->enhanced_n == 0)
        return true;
    for (size_t i = 0; i < k->enhanced_n && is->class; i++) {
        const struct enhanced_code *c = &k->enhanced[i];
        char class = f->code ? f->class_digit : is->class;
        if ((c->class == 'X' || c->class == class) &&
            (c->subject < 0 || c->subject == is->subject) &&
            (c->detail < 0 || c->detail == is->detail))
            return true;
    }
    return false;
}

static bool tag_holds(const struct rule *k, const char *tag)
{
    for (size_t i = 0; i < k->tags_n; i++)
        if (strcmp(k->tags[i], tag) == 0)
            return true;
    return k->tags_n == 0;
}

#define MANY_SITES 3

static bool holds(const struct rule *k, const struct facts *f, const struct enhanced_is *is,
                  uint64_t providers)
{
    if (k->wants_relay && !f->around.is_relay)
        return false;
    if (k->wants_direct && f->around.is_relay)
        return false;
    if (k->wants_many && f->around.sites_alike < MANY_SITES)
        return false;
    if (k->stages && !(k->stages & 1u << f->stage))
        return false;
    if (k->providers && !(k->providers & providers))
        return false;
    return code_holds(k, f->code) && tag_holds(k, f->tag) && enhanced_holds(k, f, is);
}

/* Whether a speaks rather than b, which may be NULL. Depends on nothing but the rules themselves. */
static bool is_better(const struct rule *a, const struct rule *b)
{
    if (!b)
        return true;
    if (a->priority != b->priority)
        return a->priority > b->priority;
    uint32_t a_words = a->has_text ? a->found_words : 0, b_words = b->has_text ? b->found_words : 0;
    if (a_words != b_words)
        return a_words > b_words;
    if (a->conditions != b->conditions)
        return a->conditions > b->conditions;
    return strcmp(a->name, b->name) < 0;
}

const struct rule *explain_choose(struct explainer *e, const struct facts *f)
{
    const struct rule *best = NULL;
    struct enhanced_is is = enhanced_of(f);
    e->run++;
    e->hits_n = 0;
    e->marks = 0;
    matcher_find(&e->matcher, f->text, found, e);
    uint64_t providers = e->marks | providers_of(e, f->host);
    for (size_t i = 0; i < e->hits_n; i++) {
        const struct rule *k = &e->rules[e->hits[i]];
        if (k->excluded_run != e->run && is_better(k, best) && holds(k, f, &is, providers))
            best = k;
    }
    for (size_t i = 0; i < e->textless_n; i++) {
        const struct rule *k = &e->rules[e->textless[i]];
        if (best && k->priority < best->priority)
            break;
        if (k->excluded_run != e->run && is_better(k, best) && holds(k, f, &is, providers))
            best = k;
    }
    return best;
}

/* --- speaking --- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           memchr("-._:[]", c, 6) != NULL;
}

#define NAME_REACH 80 /* octets behind the pattern in which the name that it speaks of stands */

/* The first thing behind the pattern that looks like a host: letters with a dot inside. */
static struct str name_behind(const struct rule *k, struct str text)
{
    struct str s = str_sub(text, k->found_end, k->found_end + NAME_REACH);
    size_t at = 0;
    while (at < s.n) {
        size_t n = 0, dots = 0, letters = 0;
        while (at + n < s.n && is_name_char(s.p[at + n])) {
            dots += n > 0 && s.p[at + n] == '.';
            letters += (s.p[at + n] | 0x20) >= 'a' && (s.p[at + n] | 0x20) <= 'z';
            n++;
        }
        struct str name = str_sub(s, at, at + n);
        while (name.n && memchr(".:-[]_", name.p[name.n - 1], 6)) {
            dots -= name.p[name.n - 1] == '.';
            name.n--;
        }
        bool is_cut = at + n == s.n && k->found_end + s.n < text.n;
        if (dots > 0 && letters > 1 && !is_cut)
            return name;
        at += n ? n : 1;
    }
    return STR_NONE;
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_char(s.p[i]))
            return false;
    return s.n > 0;
}

struct said {
    char *out; /* of EXPLAIN_SENTENCE_MAX */
    size_t n;
};

static void add(struct said *o, struct str s)
{
    size_t room = EXPLAIN_SENTENCE_MAX - 1 - o->n;
    size_t n = s.n < room ? s.n : room;
    memcpy(o->out + o->n, s.n ? s.p : "", n);
    o->n += n;
    o->out[o->n] = '\0';
}

/* A template of the rules: "{name|a block list}" is the name that the reply gives, or the words behind the
 * bar; "{host|...}" our peer. Rules are printable, and nothing else gets in than letters of names. */
static void say(char out[EXPLAIN_SENTENCE_MAX], const char *template, struct str name,
                struct str host)
{
    struct said o = {out, 0};
    struct str rest = str_of(template);
    out[0] = '\0';
    while (rest.n) {
        size_t open = str_find(rest, '{');
        add(&o, str_sub(rest, 0, open));
        rest = str_sub(rest, open, rest.n);
        if (!rest.n)
            break;
        struct str field = str_split(&rest, '}');
        field = str_sub(field, 1, field.n);
        struct str key = str_split(&field, '|');
        struct str value = str_eq_z(key, "host") ? host : name;
        add(&o, is_name(value) && value.n < 128 ? value : field);
    }
}

/* The link that they gave: the first URL, of octets that are harmless everywhere. */
static void find_link(struct str text, char *out, size_t size)
{
    size_t at = str_ifind(text, STR("http"));
    out[0] = '\0';
    while (at < text.n) {
        struct str s = str_sub(text, at, text.n);
        if (str_istarts(s, STR("http://")) || str_istarts(s, STR("https://"))) {
            size_t n = 0;
            while (n < s.n && (unsigned char)s.p[n] > ' ' && (unsigned char)s.p[n] < 0x7f &&
                   !memchr("<>\"'`|\\^{}", s.p[n], 10))
                n++;
            while (n > 0 && memchr(".,;:!?)]", s.p[n - 1], 8))
                n--;
            if (n > 10)
                str_copy(str_sub(s, 0, n), out, size);
            return;
        }
        size_t next = str_ifind(str_sub(text, at + 4, text.n), STR("http"));
        at = next == SIZE_MAX ? text.n : at + 4 + next;
    }
}

static enum explain_permanence permanence_of(enum explain_permanence cure, const struct facts *f)
{
    if (f->class_digit == '2')
        return EXPLAIN_ACCEPTED;
    if (f->class_digit == '4')
        return EXPLAIN_TEMP;
    if (f->class_digit == '5' && cure == EXPLAIN_TEMP)
        return EXPLAIN_TRULY_TEMP;
    if (f->class_digit == 0 && cure == EXPLAIN_FIXABLE)
        return EXPLAIN_TEMP; /* our own error: it is tried further, and goes when it is mended */
    return cure;
}

static void tell(const struct explainer *e, const struct facts *f, const struct rule *k,
                 struct explanation *out)
{
    static const struct rule nothing = {
        .name = (char *)"", .owner = EXPLAIN_OWNER_COUNT, .scope = SCOPE_COUNT, .cure = -1};
    struct str name = k && k->has_text ? name_behind(k, f->text) : STR_NONE;
    if (!k)
        k = &nothing;
    const struct class_row *c = &e->classes[k->class];
    enum explain_permanence cure = k->cure < 0 ? c->cure : (enum explain_permanence)k->cure;
    *out = (struct explanation){
        .class = k->class,
        .owner = k->owner == EXPLAIN_OWNER_COUNT ? c->owner : k->owner,
        .scope = k->scope == SCOPE_COUNT ? c->scope : k->scope,
        .permanence = permanence_of(cure, f),
        .rule = k->name,
    };
    say(out->cause, k->say.cause ? k->say.cause : c->say.cause, name, f->host);
    say(out->next, k->say.next ? k->say.next : c->say.next, name, f->host);
    find_link(f->text, out->link, sizeof(out->link));
    const char *link = k->say.link ? k->say.link : c->say.link;
    if (!out->link[0] && link)
        str_copy(str_of(link), out->link, sizeof(out->link));
    if (out->permanence == EXPLAIN_TEMP || out->permanence == EXPLAIN_TRULY_TEMP) {
        out->retry_after_ms = retry_after_parse(f->text);
        if (!out->retry_after_ms)
            out->retry_after_ms = k->retry_after_ms;
    }
}

void explain_text(struct explainer *e, struct str text, struct explanation *out)
{
    struct facts f;
    facts_from_text(&f, text);
    tell(e, &f, explain_choose(e, &f), out);
}

static char digit_of(const struct outcome *o)
{
    switch (o->class) {
    case OUTCOME_DELIVERED: return '2';
    case OUTCOME_FAILED: return '5';
    default: return '4';
    }
}

/* With a tag, or where no server has spoken, the code is ours. */
static bool is_reply(const struct outcome *o)
{
    return o->code && !o->tag[0] && o->stage != STAGE_DNS && o->stage != STAGE_ROUTE;
}

void explain_outcome(struct explainer *e, const struct outcome *o,
                     const struct explain_around *around, struct explanation *out)
{
    struct buf sentence CLEANUP(buf_done) = BUF_INIT;
    struct facts f = {.stage = o->stage, .tag = o->tag, .host = str_of(o->host)};

    f.class_digit = digit_of(o);
    str_copy(str_of(o->enhanced), f.enhanced, sizeof(f.enhanced));
    if (is_reply(o)) {
        f.code = o->code;
        f.text = str_of(o->text);
        f.class_digit = (char)('0' + o->code / 100); /* as sent: o->class is what we made of it */
        if (!f.enhanced[0] || strcmp(f.enhanced + 1, ".0.0") == 0)
            facts_find_enhanced(f.text, 0, f.enhanced);
    } else {
        outcome_sentence(o, &sentence); /* the words by which the log and the operator know it */
        f.text = buf_str(&sentence);
    }
    if (around)
        f.around = *around;
    tell(e, &f, explain_choose(e, &f), out);
}
