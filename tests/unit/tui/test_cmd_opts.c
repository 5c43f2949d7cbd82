/* SPDX-License-Identifier: ISC */
/* Arguments of the verbs: options, filters, acts. */
#include "tests/unit/unit.h"
#include "tui/cmd_act.h"

#define NOW INT64_C(1795507200000) /* 2026-11-24 */
#define MAX 12

/* A line as a shell would cut it, but by blanks only; "_" stands for a blank within an argument. */
static int cut(const char *line, char *store, size_t size, char **argv)
{
    int n = 0;
    assert_true(str_copy(str_of(line), store, size));
    for (char *p = store; *p && n < MAX;) {
        argv[n++] = p;
        p += strcspn(p, " ");
        if (*p)
            *p++ = '\0';
    }
    for (int i = 0; i < n; i++)
        for (char *p = argv[i]; *p; p++)
            *p = *p == '_' ? ' ' : *p;
    return n;
}

static void options_are_told_from_filters(void **state)
{
    (void)state;
    static const struct {
        const char *line, *rest, *text;
        uint64_t count;
        bool flag;
    } rows[] = {
        {"a b", "a b", "", 0, false},
        {"--flag a --text x b", "a b", "x", 0, true},
        {"--text=x -n 5", "", "x", 5, false},
        {"--text= a", "a", "", 0, false},
        {"-domain:x -n 7", "-domain:x", "", 7, false},
        {"a -- --flag -n", "a --flag -n", "", 0, false},
        {"--text --flag", "", "--flag", 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char store[200], *argv[MAX];
        bool flag = false;
        const char *text = "";
        uint64_t count = 0;
        const struct opt table[] = {{"--flag", OPT_FLAG, &flag},
                                    {"--text", OPT_TEXT, &text},
                                    {"-n", OPT_COUNT, &count},
                                    {0}};
        struct opt_rest rest;
        struct err err = ERR_NONE;
        struct buf got CLEANUP(buf_done) = BUF_INIT;
        int argc = cut(rows[i].line, store, sizeof store, argv);
        row_int(rows[i].line, opts_parse(table, argc, argv, &rest, &err), 0);
        for (size_t k = 0; k < rest.n; k++)
            buf_printf(&got, "%s%s", k ? " " : "", rest.args[k]);
        row_text(rows[i].line, buf_text(&got), rows[i].rest);
        row_text(rows[i].line, text, rows[i].text);
        row_int(rows[i].line, count, rows[i].count);
        row_int(rows[i].line, flag, rows[i].flag);
        opt_rest_done(&rest);
    }
}

static void bad_options_are_one_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"--other", "no option --other"},
        {"--flag=yes", "takes no value"},
        {"--text", "needs a value"},
        {"-n", "needs a value"},
        {"-n 0", "number from 1 up"},
        {"-n -3", "number from 1 up"},
        {"-n 5x", "number from 1 up"},
        {"-n 99999999999999999999", "number from 1 up"},
        {"--", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char store[200], *argv[MAX];
        bool flag = false;
        const char *text = "";
        uint64_t count = 0;
        const struct opt table[] = {{"--flag", OPT_FLAG, &flag},
                                    {"--text", OPT_TEXT, &text},
                                    {"-n", OPT_COUNT, &count},
                                    {0}};
        struct opt_rest rest = {0};
        struct err err = ERR_NONE;
        int argc = cut(rows[i].line, store, sizeof store, argv);
        int rc = opts_parse(table, argc, argv, &rest, &err);
        row_int(rows[i].line, rc, rows[i].says ? -(int)E_SYNTAX : 0);
        if (rows[i].says && !strstr(err.text, rows[i].says))
            fail_msg("row %s: \"%s\"", rows[i].line, err.text);
        opt_rest_done(&rest);
    }
}

static void filters_are_put_together_from_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want; /* want NULL: an error */
    } rows[] = {
        {"", ""},
        {"domain:x state:held", "domain:x state:held"},
        {"14XX960046XHP", "id:14XX960046XHP"},
        {"14xx960046xhp", "id:14xx960046xhp"},
        {"mailbox_full", "\"mailbox full\""},
        {"domain:x_state:held", "domain:x state:held"},
        {"-state:held_a", "-state:held a"},
        {"\"a_b\"_c", "\"a b\" c"},
        {"-domain:x", "-domain:x"},
        {"nonsense:x", NULL},
        {"age:>never", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char store[200], *argv[MAX];
        struct buf got CLEANUP(buf_done) = BUF_INIT;
        struct err err = ERR_NONE;
        int argc = cut(rows[i].line, store, sizeof store, argv);
        struct opt_rest rest = {(const char **)argv, (size_t)argc};
        row_int(rows[i].line, opts_filter(&rest, NOW, &got, &err) < 0, rows[i].want == NULL);
        if (rows[i].want)
            row_text(rows[i].line, buf_text(&got), rows[i].want);
        else
            row_int(rows[i].line, err.code, E_SYNTAX);
    }
}

static void a_filter_over_the_limit_is_refused(void **state)
{
    (void)state;
    char *arg = malloc(FILTER_BYTES_MAX + 2);
    memset(arg, 'a', FILTER_BYTES_MAX + 1);
    arg[FILTER_BYTES_MAX + 1] = '\0';
    const char *args[] = {arg};
    struct opt_rest rest = {args, 1};
    struct buf got CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    assert_int_equal(opts_filter(&rest, NOW, &got, &err), -(int)E_LIMIT);
    free(arg);
}

static void acts_say_exactly_what_they_touch(void **state)
{
    (void)state;
    static const struct {
        const char *verb, *line, *filter; /* filter NULL: refused */
        enum ctl_verb want;
        bool is_dry_run, is_sure;
    } rows[] = {
        {"retry", "domain:x", "domain:x", CTL_RETRY, false, false},
        {"hold", "14XX960046XHP --dry-run", "id:14XX960046XHP", CTL_HOLD, true, false},
        {"release", "--all --yes", "", CTL_RELEASE, false, true},
        {"delete", "a --yes --reason we_said_so", "a", CTL_DELETE, false, true},
        {"delete", "", NULL, CTL_DELETE, false, false},
        {"delete", "_", NULL, CTL_DELETE, false, false},
        {"delete", "--yes", NULL, CTL_DELETE, false, false},
        {"delete", "--all domain:x", NULL, CTL_DELETE, false, false},
        {"delete", "--al", NULL, CTL_DELETE, false, false},
        {"delete", "--", NULL, CTL_DELETE, false, false},
        {"retry", "nonsense:x", NULL, CTL_RETRY, false, false},
        {"reroute", "a --to office", "a", CTL_REROUTE, false, false},
        {"reroute", "a", NULL, CTL_REROUTE, false, false},
        {"retry", "a --to office", NULL, CTL_RETRY, false, false},
        {"hold", "a --rule --reason x --for 2h", "a", CTL_HOLD, false, false},
        {"hold", "a --rule", NULL, CTL_HOLD, false, false}, /* nobody would know why */
        {"hold", "a --for 2h", NULL, CTL_HOLD, false, false},
        {"hold", "a --rule --reason x --for soon", NULL, CTL_HOLD, false, false},
        {"delete", "a --rule --reason x", NULL, CTL_DELETE, false, false},
        {"bounce", "a --yes --text no_such_customer", "a", CTL_BOUNCE, false, true},
        {"bounce", "a", "a", CTL_BOUNCE, false, false},
        {"bounce", "--text x", NULL, CTL_BOUNCE, false, false},
        {"hold", "a --text x", NULL, CTL_HOLD, false, false},
        {"bounce", "a --text \xff", NULL, CTL_BOUNCE, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char store[200], *argv[MAX];
        struct act_args a;
        struct err err = ERR_NONE;
        int argc = cut(rows[i].line, store, sizeof store, argv);
        int rc = act_parse(rows[i].verb, argc, argv, NOW, &a, &err);
        row_int(rows[i].line, rc < 0, rows[i].filter == NULL);
        if (rc < 0)
            continue;
        row_text(rows[i].line, a.request.filter, rows[i].filter);
        row_int(rows[i].line, a.request.verb, rows[i].want);
        row_int(rows[i].line, a.request.is_dry_run, rows[i].is_dry_run);
        row_int(rows[i].line, a.is_sure, rows[i].is_sure);
    }
}

static void a_reason_is_kept_whole_or_refused(void **state)
{
    (void)state;
    char reason[300], *argv[] = {(char[]){"a"}, (char[]){"--reason"}, reason};
    struct act_args a;
    struct err err = ERR_NONE;
    memset(reason, 'r', sizeof reason);
    reason[199] = '\0';
    assert_int_equal(act_parse("hold", 3, argv, NOW, &a, &err), 0);
    assert_int_equal(strlen(a.request.reason), 199);
    reason[199] = 'r';
    reason[200] = '\0';
    assert_int_equal(act_parse("hold", 3, argv, NOW, &a, &err), -(int)E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_told_from_filters),
        cmocka_unit_test(bad_options_are_one_sentence),
        cmocka_unit_test(filters_are_put_together_from_arguments),
        cmocka_unit_test(a_filter_over_the_limit_is_refused),
        cmocka_unit_test(acts_say_exactly_what_they_touch),
        cmocka_unit_test(a_reason_is_kept_whole_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
