/* SPDX-License-Identifier: ISC */
#include "tui/opts.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/filter.h"
#include "core/mail/id.h"

/* The option that arg names; *value is what stands behind "=", or NULL. */
static const struct opt *find(const struct opt *table, const char *arg, const char **value)
{
    size_t n = strcspn(arg, "=");
    bool has_value = strncmp(arg, "--", 2) == 0 && arg[n];

    *value = has_value ? arg + n + 1 : NULL;
    for (; table->name; table++)
        if (has_value ? strlen(table->name) == n && strncmp(table->name, arg, n) == 0
                      : strcmp(table->name, arg) == 0)
            return table;
    return NULL;
}

static int set(const struct opt *o, const char *value, struct err *err)
{
    if (o->kind == OPT_TEXT) {
        *(const char **)o->to = value;
        return 0;
    }
    if (!text_parse_u64(str_of(value), UINT32_MAX, o->to) || *(uint64_t *)o->to == 0)
        return err_set(err, E_SYNTAX, "%s takes a number from 1 up, not \"%s\"", o->name, value);
    return 0;
}

/* One argument at argv[*at]; *at is moved on to the last that was used. */
static int take(const struct opt *table, int argc, char **argv, int *at, struct opt_rest *rest,
                struct err *err)
{
    const char *arg = argv[*at], *value;
    const struct opt *o = find(table, arg, &value);

    if (!o && strncmp(arg, "--", 2) == 0)
        return err_set(err, E_SYNTAX, "there is no option %s", arg);
    if (!o) {
        rest->args[rest->n++] = arg;
        return 0;
    }
    if (o->kind == OPT_FLAG) {
        if (value)
            return err_set(err, E_SYNTAX, "%s takes no value", o->name);
        *(bool *)o->to = true;
        return 0;
    }
    if (!value && *at + 1 >= argc)
        return err_set(err, E_SYNTAX, "%s needs a value", o->name);
    return set(o, value ? value : argv[++*at], err);
}

int opts_parse(const struct opt *table, int argc, char **argv, struct opt_rest *rest,
               struct err *err)
{
    bool is_over = false;
    int rc = 0;

    *rest = (struct opt_rest){.args = xcalloc((size_t)argc + 1, sizeof(*rest->args))};
    for (int i = 0; i < argc && rc == 0; i++) {
        if (is_over)
            rest->args[rest->n++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            is_over = true;
        else
            rc = take(table, argc, argv, &i, rest, err);
    }
    if (rc < 0)
        opt_rest_done(rest);
    return rc;
}

void opt_rest_done(struct opt_rest *rest)
{
    free(rest->args);
    *rest = (struct opt_rest){0};
}

/* --- filters --- */

static bool has_filter_word(const char *arg)
{
    for (int w = FILTER_TEXT + 1; w < FILTER_WORD_COUNT; w++) {
        const char *name = filter_word_name((enum filter_word)w);
        size_t n = strlen(name);
        for (const char *p = arg; (p = strcasestr(p, name)); p++)
            if (p[n] == ':' && (p == arg || strchr(" -", p[-1])))
                return true;
    }
    return false;
}

int opts_filter(const struct opt_rest *rest, int64_t now_wall_ms, struct buf *out, struct err *err)
{
    struct filter f;
    int64_t id;

    for (size_t i = 0; i < rest->n; i++) {
        const char *arg = rest->args[i];
        if (str_trim(str_of(arg)).n == 0)
            continue; /* an empty variable in a script is not a phrase of one blank */
        if (out->n > 0)
            buf_add_c(out, ' ');
        if (id_parse(str_of(arg), &id))
            buf_printf(out, "id:%s", arg);
        else if (strpbrk(arg, " \t") && !strchr(arg, '"') && !has_filter_word(arg))
            buf_printf(out, "\"%s\"", arg);
        else
            buf_add_z(out, arg);
    }
    if (out->n > FILTER_BYTES_MAX)
        return err_set(err, E_LIMIT, "the filter is longer than %d octets", FILTER_BYTES_MAX);
    int rc = filter_parse(buf_str(out), now_wall_ms, &f, err);
    if (rc == 0)
        filter_done(&f);
    return rc;
}
