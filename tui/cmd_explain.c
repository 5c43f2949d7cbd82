/* SPDX-License-Identifier: ISC */
/* explain: what a reply or an error means. Needs no engine and no store. */
#include <errno.h>
#include "tui/cli.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/explain.h"
#include "tui/json.h"

struct explaining {
    struct explainer *explainer;
    bool is_json, is_unknown;
    size_t n;
};

static json_t *json_of_explanation(const char *text, const struct explanation *x)
{
    json_t *o = json_object();
    json_put_text(o, "text", text);
    json_put_text(o, "class", explain_class_name(x->class));
    json_put_text(o, "owner", explain_owner_name(x->owner));
    json_put_text(o, "scope", scope_name(x->scope));
    json_put_text(o, "permanence", explain_permanence_name(x->permanence));
    json_put_text(o, "cause", x->cause);
    json_put_text(o, "next", x->next);
    json_put_int(o, "retry_after_ms", x->retry_after_ms);
    json_put_text(o, "link", x->link);
    json_put_text(o, "rule", x->rule);
    return o;
}

static void put_row(struct buf *b, const char *name, const char *text)
{
    if (text[0])
        buf_printf(b, "  %-10s%s\n", name, text);
}

static void print_explanation(struct explaining *g, const char *text, const struct explanation *x)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char wait[16];
    if (g->n > 1)
        buf_add_c(&b, '\n');
    cli_put(&b, str_of(text), SIZE_MAX, false);
    buf_add_c(&b, '\n');
    put_row(&b, "cause", x->cause);
    buf_printf(&b, "  %-10s%s (%s)\n", "who acts", explain_owner_words(x->owner),
               explain_owner_name(x->owner));
    put_row(&b, "what now", x->next);
    put_row(&b, "see", x->link);
    if (x->retry_after_ms)
        put_row(&b, "again in", text_duration(x->retry_after_ms, wait));
    buf_printf(&b, "  %-10s%s, %s, for %s\n", "class", explain_class_name(x->class),
               explain_permanence_words(x->permanence), explain_scope_words(x->scope));
    cli_flush(&b);
}

static void explain_one(struct explaining *g, struct str text)
{
    struct explanation x;
    char *copy =
        str_dup(text); /* printable text ends at a NUL; what stands behind it is no reply */
    explain_text(g->explainer, text, &x);
    g->n++;
    g->is_unknown = g->is_unknown || x.class == EXPLAIN_UNKNOWN;
    if (g->is_json)
        json_print(json_of_explanation(copy, &x));
    else
        print_explanation(g, copy, &x);
    free(copy);
}

/* One text a line. */
static int explain_lines(struct explaining *g)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) >= 0) {
        struct str s = {line, (size_t)n};
        s = str_trim(s);
        if (s.n)
            explain_one(g, s);
    }
    free(line);
    if (ferror(stdin)) {
        fprintf(stderr, "mxhelm: standard input cannot be read: %s\n", strerror(errno));
        return EXIT_WRONG;
    }
    return EXIT_DONE;
}

static void explain_words(struct explaining *g, const struct opt_rest *rest)
{
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    for (size_t i = 0; i < rest->n; i++)
        buf_printf(&text, "%s%s", i ? " " : "", rest->args[i]);
    explain_one(g, buf_str(&text));
}

int cmd_explain(struct cli *c, int argc, char **argv)
{
    struct explaining g = {0};
    struct opt_rest rest;
    struct err err = ERR_NONE;
    const struct opt table[] = {{"--json", OPT_FLAG, &g.is_json}, {NULL}};
    int code = EXIT_DONE;

    if (opts_parse(table, argc, argv, &rest, &err))
        return cli_usage(c, "%s", err.text);
    bool is_stdin = rest.n == 0 || (rest.n == 1 && strcmp(rest.args[0], "-") == 0);
    if (explainer_new(c->conf.explain_rules, &g.explainer, &err))
        code = cli_fail(&err);
    else if (is_stdin)
        code = explain_lines(&g);
    else
        explain_words(&g, &rest);
    explainer_free(g.explainer);
    opt_rest_done(&rest);
    if (code)
        return code;
    return g.is_unknown || g.n == 0 ? EXIT_WRONG : EXIT_DONE;
}
