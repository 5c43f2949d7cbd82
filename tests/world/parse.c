/* SPDX-License-Identifier: ISC */
/*
 * Reading .world files (README.md has the language). One statement a line; "on", "offers", "login"
 * and "certificate" belong to the personality or host above them.
 */
#include <errno.h>
#include <string.h>
#include "tests/world/parse_private.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

#define INCLUDE_DEPTH_MAX 4

static int parse_text(struct parser *p, struct str text, struct err *err);

int parse_fail(const struct parser *p, struct err *err, const char *what, const char *word)
{
    return err_set(err, E_SYNTAX, "%s:%u: %s%s%s", p->name, p->line, what, word ? ": " : "",
                   word ? word : "");
}

static const char *const stage_names[WORLD_STAGE_COUNT] = {
    [WORLD_CONNECT] = "connect", [WORLD_GREETING] = "greeting", [WORLD_EHLO] = "ehlo",
    [WORLD_HELO] = "helo",       [WORLD_STARTTLS] = "starttls", [WORLD_TLS] = "tls",
    [WORLD_AUTH] = "auth",       [WORLD_MAIL] = "mail",         [WORLD_RCPT] = "rcpt",
    [WORLD_DATA] = "data",       [WORLD_BODY] = "body",         [WORLD_EOD] = "eod",
    [WORLD_BDAT] = "bdat",       [WORLD_RSET] = "rset",         [WORLD_NOOP] = "noop",
    [WORLD_QUIT] = "quit",
};

static const struct {
    const char *name;
    enum world_act act;
} act_names[] = {
    {"normal", WORLD_NORMAL},   {"reply", WORLD_REPLY},       {"raw", WORLD_RAW},
    {"silence", WORLD_SILENCE}, {"close", WORLD_CLOSE},       {"reset", WORLD_RESET},
    {"fail", WORLD_FAIL},       {"refuse", WORLD_REFUSE},     {"timeout", WORLD_TIMEOUT},
    {"no-net", WORLD_NO_NET},   {"no-route", WORLD_NO_ROUTE}, {"eacces", WORLD_EACCES},
};

static bool act_of(const char *word, enum world_act *out)
{
    for (size_t i = 0; i < ARRAY_LEN(act_names); i++) {
        if (strcmp(word, act_names[i].name) == 0) {
            *out = act_names[i].act;
            return true;
        }
    }
    return false;
}

bool parse_number(const char *v, unsigned *out)
{
    uint64_t n;
    if (!text_parse_u64(str_of(v), 1000000000, &n))
        return false;
    *out = (unsigned)n;
    return true;
}

static bool take_yes_no(const char *v, int *out)
{
    *out = strcmp(v, "yes") == 0;
    return *out || strcmp(v, "no") == 0;
}

static bool take_per(const char *v, enum world_per *out)
{
    static const char *const names[] = {"host", "session", "transaction", "argument", "triplet"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(v, names[i]) == 0) {
            *out = (enum world_per)i;
            return true;
        }
    }
    return false;
}

/* One "key=value" of a rule. */
static bool rule_option(struct world_rule *r, const char *key, size_t n, const char *v)
{
    struct str k = {key, n};
    unsigned number;
    if (str_eq_z(k, "delay"))
        return text_parse_duration(str_of(v), &r->delay_ms);
    if (str_eq_z(k, "trickle"))
        return text_parse_duration(str_of(v), &r->trickle_ms);
    if (str_eq_z(k, "within"))
        return text_parse_duration(str_of(v), &r->within_ms);
    if (str_eq_z(k, "first"))
        return parse_number(v, &r->first);
    if (str_eq_z(k, "skip"))
        return parse_number(v, &r->skip);
    if (str_eq_z(k, "repeat"))
        return parse_number(v, &r->repeat);
    if (str_eq_z(k, "per"))
        return take_per(v, &r->per);
    if (str_eq_z(k, "tls"))
        return take_yes_no(v, &r->tls);
    if (str_eq_z(k, "auth"))
        return take_yes_no(v, &r->auth);
    if (str_eq_z(k, "bytes") && parse_number(v, &number)) {
        r->bytes = number;
        return true;
    }
    return false;
}

static bool is_enhanced(const char *w)
{
    return (w[0] == '2' || w[0] == '4' || w[0] == '5') && w[1] == '.' && strlen(w) < 12;
}

/* CODE [ENHANCED] [TEXT] behind "reply". */
static int rule_reply(struct parser *p, struct world_rule *r, size_t *i, struct err *err)
{
    const struct words *w = &p->words;
    unsigned code;
    if (++*i >= w->n || !parse_number(w->w[*i], &code) || code < 100 || code > 999)
        return parse_fail(p, err, "reply needs a code of three digits", NULL);
    r->code = (int)code;
    if (*i + 1 < w->n && is_enhanced(w->w[*i + 1]))
        str_copy(str_of(w->w[++*i]), r->enhanced, sizeof(r->enhanced));
    if (*i + 1 < w->n && strcmp(w->w[*i + 1], "then") != 0)
        buf_add_z(&r->text, w->w[++*i]);
    return 0;
}

static int rule_act(struct parser *p, struct world_rule *r, size_t *i, struct err *err)
{
    const struct words *w = &p->words;
    if (r->act == WORLD_REPLY)
        return rule_reply(p, r, i, err);
    if (r->act == WORLD_RAW) {
        if (++*i >= w->n)
            return parse_fail(p, err, "raw needs a text", NULL);
        buf_add(&r->text, w->w[*i], w->len[*i]);
    }
    return 0;
}

static int rule_words(struct parser *p, struct world_rule *r, struct err *err)
{
    const struct words *w = &p->words;
    bool has_act = false;
    for (size_t i = 2; i < w->n; i++) {
        const char *word = w->w[i], *eq = strchr(word, '=');
        if (has_act && strcmp(word, "then") == 0) {
            if (++i >= w->n || !act_of(w->w[i], &r->then) ||
                (r->then != WORLD_CLOSE && r->then != WORLD_RESET && r->then != WORLD_SILENCE))
                return parse_fail(p, err, "then needs close, reset or silence", NULL);
        } else if (!has_act && act_of(word, &r->act)) {
            has_act = true;
            int rc = rule_act(p, r, &i, err);
            if (rc)
                return rc;
        } else if (!has_act && eq && rule_option(r, word, (size_t)(eq - word), eq + 1)) {
            continue;
        } else if (i == 2 && !eq) {
            r->pattern = xstrdup(word);
        } else {
            return parse_fail(p, err, "not understood here", word);
        }
    }
    return has_act ? 0
                   : parse_fail(p, err, "a rule needs an action (reply, raw, reset, ...)", NULL);
}

static void rule_free(struct world_rule *r)
{
    free(r->pattern);
    buf_done(&r->text);
    free(r);
}

static int parse_on(struct parser *p, struct err *err)
{
    if (p->words.n < 3)
        return parse_fail(p, err, "on needs a stage and an action", NULL);
    struct world_rule *r = xnew(struct world_rule);
    r->tls = r->auth = -1;
    r->line = p->line;
    int rc = 0;
    r->stage = WORLD_STAGE_COUNT;
    for (unsigned s = 0; s < WORLD_STAGE_COUNT; s++) {
        if (strcmp(stage_names[s], p->words.w[1]) == 0)
            r->stage = s;
    }
    if (r->stage == WORLD_STAGE_COUNT)
        rc = parse_fail(p, err, "no such stage", p->words.w[1]);
    else
        rc = rule_words(p, r, err);
    if (rc) {
        rule_free(r);
        return rc;
    }
    *p->at->rules_end = r;
    p->at->rules_end = &r->next;
    return 0;
}

static int parse_offers(struct parser *p, struct err *err)
{
    struct world_personality *at = p->at;
    if (at->has_offers)
        return parse_fail(p, err, "offers stands twice", NULL);
    at->has_offers = true;
    at->offers = xcalloc(p->words.n, sizeof(char *));
    for (size_t i = 1; i < p->words.n; i++)
        at->offers[at->offers_n++] = xstrdup(p->words.w[i]);
    return 0;
}

static int parse_login(struct parser *p, struct err *err)
{
    if (p->words.n != 3 || p->at->user)
        return parse_fail(p, err, "login needs a user and a password, once", NULL);
    p->at->user = xstrdup(p->words.w[1]);
    p->at->password = xstrdup(p->words.w[2]);
    return 0;
}

static int parse_certificate(struct parser *p, struct err *err)
{
    const char *v = p->words.n == 2 ? p->words.w[1] : "";
    p->at->has_cert = true;
    p->at->is_cert_valid = strcmp(v, "valid") == 0;
    if (!p->at->is_cert_valid && strcmp(v, "self-signed") != 0)
        return parse_fail(p, err, "certificate is valid or self-signed", NULL);
    return 0;
}

static void personality_init(struct world_personality *p, const struct world_personality *like)
{
    p->like = like;
    p->rules_end = &p->rules;
}

static int parse_personality(struct parser *p, struct err *err)
{
    const struct words *w = &p->words;
    if (w->n != 2 && !(w->n == 4 && strcmp(w->w[2], "like") == 0))
        return parse_fail(p, err, "personality NAME [like OTHER]", NULL);
    if (world_personality_by_name(p->w, str_of(w->w[1])))
        return parse_fail(p, err, "this personality is there already", w->w[1]);
    const struct world_personality *like = NULL;
    if (w->n == 4) {
        like = world_personality_by_name(p->w, str_of(w->w[3]));
        if (!like)
            return parse_fail(p, err, "no such personality", w->w[3]);
    }
    struct world_personality *n = xnew(struct world_personality);
    personality_init(n, like);
    n->name = xstrdup(w->w[1]);
    list_push_back(&p->w->personalities, &n->link);
    p->at = n;
    return 0;
}

/* host NAME ADDRESS... [port=N] is PERSONALITY */
static int parse_host(struct parser *p, struct err *err)
{
    const struct words *w = &p->words;
    struct world_host *h = xnew(struct world_host);
    size_t i = 2;
    int rc = 0;
    const struct world_personality *like = NULL;
    unsigned port;
    if (w->n < 5)
        rc = parse_fail(p, err, "host NAME ADDRESS... [port=N] is PERSONALITY", NULL);
    for (; !rc && i < w->n && strcmp(w->w[i], "is") != 0; i++) {
        if (strncmp(w->w[i], "port=", 5) == 0 && parse_number(w->w[i] + 5, &port) && port < 65536)
            h->port = (uint16_t)port;
        else if (h->ips_n == WORLD_HOST_IPS_MAX || !ip_parse(str_of(w->w[i]), &h->ips[h->ips_n++]))
            rc = parse_fail(p, err, "not an address, or too many", w->w[i]);
    }
    if (!rc && (i + 2 != w->n || h->ips_n == 0))
        rc = parse_fail(p, err, "host NAME ADDRESS... [port=N] is PERSONALITY", NULL);
    if (!rc) {
        like = world_personality_by_name(p->w, str_of(w->w[i + 1]));
        if (!like)
            rc = parse_fail(p, err, "no such personality", w->w[i + 1]);
    }
    if (rc) {
        free(h);
        return rc;
    }
    str_copy(str_of(w->w[1]), h->name, sizeof(h->name));
    personality_init(&h->own, like);
    list_push_back(&p->w->hosts, &h->link);
    p->at = &h->own;
    return 0;
}

/* --- the file --- */

static int load_at(struct world *w, const char *path, unsigned depth, struct err *err);

static int parse_include(struct parser *p, struct err *err)
{
    if (p->words.n != 2)
        return parse_fail(p, err, "include FILE", NULL);
    if (p->depth >= INCLUDE_DEPTH_MAX)
        return parse_fail(p, err, "too many files that include each other", NULL);
    char *path = xasprintf("%s/%s", p->dir, p->words.w[1]);
    int rc = load_at(p->w, path, p->depth + 1, err);
    free(path);
    return rc;
}

static int parse_line(struct parser *p, struct err *err)
{
    static const struct {
        const char *word;
        int (*parse)(struct parser *p, struct err *err);
        bool is_inner;
    } verbs[] = {
        {"on", parse_on, true},
        {"offers", parse_offers, true},
        {"login", parse_login, true},
        {"certificate", parse_certificate, true},
        {"personality", parse_personality, false},
        {"host", parse_host, false},
        {"dns", parse_dns, false},
        {"include", parse_include, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].word, p->words.w[0]) != 0)
            continue;
        if (verbs[i].is_inner && !p->at)
            return parse_fail(p, err, "stands before any personality or host", p->words.w[0]);
        return verbs[i].parse(p, err);
    }
    return parse_fail(p, err, "not a statement", p->words.w[0]);
}

static int parse_text(struct parser *p, struct str text, struct err *err)
{
    int rc = 0;
    while (!rc && text.n > 0) {
        struct str line = str_split(&text, '\n');
        const char *why = NULL;
        p->line++;
        if (!words_split(line, &p->words, &why))
            rc = parse_fail(p, err, why, NULL);
        else if (p->words.n > 0)
            rc = parse_line(p, err);
        words_done(&p->words);
    }
    return rc;
}

static int parse_at(struct world *w, struct str text, const char *name, const char *dir,
                    unsigned depth, struct err *err)
{
    struct parser p = {.w = w, .name = name, .dir = dir, .depth = depth};
    return parse_text(&p, text, err);
}

int world_parse(struct world *w, struct str text, const char *name, const char *dir,
                struct err *err)
{
    return parse_at(w, text, name, dir, 0, err);
}

static int load_at(struct world *w, const char *path, unsigned depth, struct err *err)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_sys(err, E_NOTFOUND, errno, "reading %s", path);
    struct buf text = BUF_INIT;
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(&text, piece, n);
    fclose(f);
    const char *slash = strrchr(path, '/');
    char *dir = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
    int rc = parse_at(w, buf_str(&text), path, dir, depth, err);
    free(dir);
    buf_done(&text);
    return rc;
}

int world_load(struct world *w, const char *path, struct err *err)
{
    return load_at(w, path, 0, err);
}
