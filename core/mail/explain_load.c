/* SPDX-License-Identifier: ISC */
/* An explainer from its begin to its end: the built-in rules, a file beside them, and their check. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/mail/explain_private.h"

#define FILE_BYTES_MAX (4u << 20)

struct explainer *explainer_empty(void)
{
    struct explainer *e = xnew(struct explainer);
    matcher_init(&e->matcher);
    return e;
}

static void say_done(struct rule_text *t)
{
    free(t->cause);
    free(t->next);
    free(t->link);
}

static void rule_done(struct rule *k)
{
    free(k->name);
    say_done(&k->say);
}

void explainer_free(struct explainer *e)
{
    if (!e)
        return;
    matcher_done(&e->matcher);
    for (size_t i = 0; i < e->rules_n; i++)
        rule_done(&e->rules[i]);
    for (size_t i = 0; i < EXPLAIN_CLASS_COUNT; i++)
        say_done(&e->classes[i].say);
    for (size_t i = 0; i < e->providers_n; i++) {
        free(e->providers[i].name);
        for (size_t j = 0; j < e->providers[i].hosts_n; j++)
            free(e->providers[i].hosts[j]);
    }
    for (size_t i = 0; i < e->samples_n; i++) {
        free(e->samples[i].rule);
        free(e->samples[i].text);
    }
    free(e->rules);
    free(e->samples);
    free(e->textless);
    free(e->hits);
    free(e);
}

static int by_priority(const void *a, const void *b, void *arg)
{
    const struct rule *rules = arg;
    const struct rule *x = &rules[*(const uint32_t *)a], *y = &rules[*(const uint32_t *)b];
    return x->priority != y->priority ? y->priority - x->priority : strcmp(x->name, y->name);
}

int explainer_finish(struct explainer *e, struct err *err)
{
    for (int c = 0; c < EXPLAIN_CLASS_COUNT; c++)
        if (!e->classes[c].say.cause || !e->classes[c].say.next)
            return err_set(err, E_CONFIG, "the class %s has no cause or no next step",
                           explain_class_name((enum explain_class)c));
    free(e->hits);
    free(e->textless);
    e->hits = xcalloc(e->rules_n + 1, sizeof(*e->hits));
    e->textless = xcalloc(e->rules_n + 1, sizeof(*e->textless));
    e->textless_n = 0;
    for (size_t i = 0; i < e->rules_n; i++)
        if (!e->rules[i].has_text)
            e->textless[e->textless_n++] = (uint32_t)i;
    qsort_r(e->textless, e->textless_n, sizeof(*e->textless), by_priority, e->rules);
    return 0;
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
    /* A FIFO must not make the start wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = 0;
    if (fd < 0) {
        enum err_code code = errno == ENOENT ? E_NOTFOUND : errno == EACCES ? E_DENIED : E_IO;
        return err_sys(err, code, errno, "open the rules of explanations %s", path);
    }
    for (;;) {
        char part[16384];
        ssize_t got = read(fd, part, sizeof(part));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = err_sys(err, E_IO, errno, "read the rules of explanations %s", path);
        if (got <= 0)
            break;
        buf_add(out, part, (size_t)got);
        if (out->n > FILE_BYTES_MAX) {
            rc = err_set(err, E_CONFIG, "%s: larger than 4 MiB", path);
            break;
        }
    }
    close(fd);
    return rc;
}

/* A rule of the administrator's that does not win its own samples would surprise later. */
static int check_samples(struct explainer *e, const char *name, struct err *err)
{
    for (size_t i = 0; i < e->samples_n; i++) {
        const struct sample *s = &e->samples[i];
        struct facts f;
        facts_from_text(&f, str_of(s->text));
        const struct rule *k = explain_choose(e, &f);
        if (!k || strcmp(k->name, s->rule) != 0)
            return err_set(err, E_CONFIG, "%s:%u: this sample of «%s» is explained by %s%s%s", name,
                           s->line, s->rule, k ? "«" : "no rule", k ? k->name : "", k ? "»" : "");
    }
    return 0;
}

static int add_file(struct explainer *e, const char *path, struct err *err)
{
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    int rc = read_file(path, &text, err);
    if (!rc)
        rc = explainer_read(e, buf_str(&text), path, true, true, err);
    if (!rc)
        rc = explainer_finish(e, err);
    return rc ? rc : check_samples(e, path, err);
}

int explainer_new(const char *rules_path, struct explainer **out, struct err *err)
{
    struct explainer *e = explainer_empty();
    struct str builtin = {explain_builtin, explain_builtin_n};
    int rc = explainer_read(e, builtin, "explain.rules", false, false, err);
    if (!rc)
        rc = explainer_finish(e, err);
    verify(rc == 0); /* built in, and read by the tests */
    if (rules_path && rules_path[0])
        rc = add_file(e, rules_path, err);
    if (rc) {
        explainer_free(e);
        e = NULL;
    }
    *out = e;
    return rc;
}
