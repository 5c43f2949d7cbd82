/* SPDX-License-Identifier: ISC */
/*
 * How many explanations a second one core gives: texts, and outcomes of the same, over and over, in
 * seconds of processor time; best of five. The texts are the samples of the built-in rules, or the lines of a file.
 * explain_bench [ROUNDS [FILE]]
 */
#include <time.h>
#include "core/base/alloc.h"
#include "core/mail/explain_private.h"

struct texts {
    char **at; /* own */
    size_t n, octets;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add(struct texts *t, struct str s)
{
    t->at = xreallocarray(t->at, t->n + 1, sizeof(*t->at));
    t->at[t->n++] = str_dup(s);
    t->octets += s.n;
}

static void read_lines(struct texts *t, const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;

    if (!f) {
        perror(path);
        exit(1);
    }
    while (getline(&line, &cap, f) > 0)
        add(t, str_trim(str_of(line)));
    free(line);
    fclose(f);
}

static void read_samples(struct texts *t)
{
    struct explainer *e = explainer_empty();
    struct err err;

    if (explainer_read(e, (struct str){explain_builtin, explain_builtin_n}, "", false, true, &err))
        exit(1);
    for (size_t i = 0; i < e->samples_n; i++)
        add(t, str_of(e->samples[i].text));
    explainer_free(e);
}

static void explain_all(struct explainer *e, const struct texts *t, bool is_outcome)
{
    struct explanation x;
    struct outcome o;

    for (size_t j = 0; j < t->n; j++) {
        struct str text = str_of(t->at[j]);
        if (is_outcome) {
            outcome_from_reply(&o, STAGE_RCPT, 550, STR_NONE, text);
            explain_outcome(e, &o, NULL, &x);
        } else {
            explain_text(e, text, &x);
        }
    }
}

static void run(const char *name, struct explainer *e, const struct texts *t, bool is_outcome,
                size_t rounds)
{
    double best = 1e9;

    for (unsigned k = 0; k < 5; k++) {
        double start = now_s();
        for (size_t i = 0; i < rounds; i++)
            explain_all(e, t, is_outcome);
        double took = now_s() - start;
        best = took < best ? took : best;
    }
    printf("%-24s %10.0f a second, of %zu octets each\n", name, (double)(rounds * t->n) / best,
           t->octets / t->n);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
    struct explainer *e;
    struct texts t = {0};
    struct err err;
    double start = now_s();

    if (explainer_new(NULL, &e, &err))
        return 1;
    printf("%-24s %10.1f ms\n", "rules read", (now_s() - start) * 1000);
    if (argc > 2)
        read_lines(&t, argv[2]);
    else
        read_samples(&t);
    if (t.n == 0)
        return 1;
    run("texts", e, &t, false, rounds);
    run("outcomes", e, &t, true, rounds);
    for (size_t i = 0; i < t.n; i++)
        free(t.at[i]);
    free(t.at);
    explainer_free(e);
    return 0;
}
