/* SPDX-License-Identifier: ISC */
/* config: what is in force and where it comes from. A broken file never gets here: cli_init says why. */
#include "tui/cli.h"

#include "core/base/text.h"
#include "tui/json.h"
#include "tui/retry_table.h"

static bool is_in_section(const char *key, const char *section)
{
    size_t n = strlen(section);
    return strncmp(key, section, n) == 0 && (key[n] == '.' || key[n] == '\0');
}

static json_t *json_of_value(const struct cli *c, const struct conf_value *v)
{
    json_t *o = json_object();
    json_put_text(o, "key", v->key);
    json_put_text(o, "value", v->value);
    json_put_text(o, "origin", v->line ? "file" : "default");
    json_put_text(o, "file", v->line && c->conf_path ? c->conf_path : "");
    json_put_int(o, "line", v->line);
    json_put_text(o, "rfc", v->rfc);
    return o;
}

static void put_value(const struct cli *c, const struct conf_value *v, struct buf *b)
{
    (void)c;
    buf_printf(b, "%-28s = ", v->key);
    cli_put(b, str_of(v->value), SIZE_MAX, false);
    if (v->line)
        buf_printf(b, "   (line %u)", v->line);
    if (v->rfc[0])
        buf_printf(b, "   [RFC: %s]", v->rfc);
    buf_add_c(b, '\n');
}

static void show_schedule(const struct cli *c, struct buf *b, bool is_json)
{
    struct retry_column columns[RETRY_COLUMNS_MAX];
    size_t n = retry_columns(&c->conf.retry, columns);
    if (!is_json)
        retry_table_put(b, columns, n);
    for (size_t i = 0; is_json && i < n; i++)
        json_print(json_of_retry(&columns[i]));
}

static int show(struct cli *c, const char *section, bool is_json)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    const struct conf_value *v;
    size_t shown = 0;
    if (!is_json)
        buf_printf(&b, "# %s; without a line: the default\n",
                   c->conf_path ? c->conf_path : "no configuration file: built-in defaults");
    for (size_t i = 0; (v = conf_value(&c->conf, i)); i++) {
        if (section && !is_in_section(v->key, section))
            continue;
        shown++;
        if (is_json)
            json_print(json_of_value(c, v));
        else
            put_value(c, v, &b);
    }
    if (section && !shown)
        return cli_usage(c, "there is no section or key %s", section);
    if (section && strcmp(section, "retry") == 0)
        show_schedule(c, &b, is_json);
    cli_flush(&b);
    return EXIT_DONE;
}

static int explain(struct cli *c, const char *key, bool is_json)
{
    const char *text = conf_explain(key);
    if (!text)
        return cli_usage(c, "there is no key %s; mxhelm config show lists them", key);
    if (is_json) {
        json_t *o = json_object();
        json_put_text(o, "key", key);
        json_put_text(o, "text", text);
        json_print(o);
    } else {
        printf("%s\n%s\n", key, text);
    }
    return EXIT_DONE;
}

static int check(const struct cli *c, bool is_json)
{
    const char *name = c->conf_path ? c->conf_path : "built-in defaults";
    if (is_json) {
        json_t *o = json_object();
        json_put_text(o, "file", name);
        json_put_bool(o, "is_valid", true);
        json_print(o);
    } else {
        printf("%s: the configuration is valid\n", name);
    }
    return EXIT_DONE;
}

int cmd_config(struct cli *c, int argc, char **argv)
{
    bool is_json = false;
    const struct opt table[] = {{"--json", OPT_FLAG, &is_json}, {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct err err = ERR_NONE;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    const char *what = rest.n > 0 ? rest.args[0] : "show";
    if (strcmp(what, "show") == 0 && rest.n <= 2)
        return show(c, rest.n > 1 ? rest.args[1] : NULL, is_json);
    if (strcmp(what, "check") == 0 && rest.n == 1)
        return check(c, is_json);
    if (strcmp(what, "explain") == 0 && rest.n == 2)
        return explain(c, rest.args[1], is_json);
    return cli_usage(c, "show, check or explain KEY is needed");
}
