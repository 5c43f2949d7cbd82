/* SPDX-License-Identifier: ISC */
/* queue: rows that match, or counts by what they have in common. Needs no engine. */
#include "tui/cli.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tui/json.h"
#include "tui/say.h"

#define PAGE       200u
#define GROUPS_MAX 1000u

struct listing {
    struct cli *c;
    struct view_query query;
    bool is_json;
    uint64_t limit, shown;
    size_t columns;
};

static void put_row(const struct listing *l, const struct view_row *r, struct buf *b)
{
    char id[ID_TEXT_MAX], age[16], next[16], code[16];
    buf_printf(b, "%-13s %6s %-8s %3u %6s %-6s ", id_text(r->message_id, id),
               text_duration(l->query.now_wall_ms - r->arrival_wall_ms, age), say_state(r),
               r->tries, say_next(r, l->query.now_wall_ms, next),
               say_code(r->code, r->enhanced, code));
    cli_put(b, str_of(r->to), l->columns == SIZE_MAX ? SIZE_MAX : l->columns - 48, false);
    buf_add_c(b, '\n');
    const char *why = r->state == RCPT_HELD && r->note[0] ? r->note : r->info;
    if (why[0]) {
        buf_add_z(b, "              ");
        cli_put(b, str_of(why), l->columns == SIZE_MAX ? SIZE_MAX : l->columns - 14, false);
        buf_add_c(b, '\n');
    }
}

static void print_row(struct listing *l, const struct view_row *r)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    if (l->is_json) {
        json_print(json_of_row(r));
        return;
    }
    if (l->shown == 0)
        buf_printf(&b, "%-13s %6s %-8s %3s %6s %-6s %s\n", "ID", "AGE", "STATE", "TRY", "NEXT",
                   "CODE", "TO / WHY");
    put_row(l, r, &b);
    cli_flush(&b);
}

static int list_rows(struct listing *l, struct err *err)
{
    struct view_row *rows = xcalloc(PAGE, sizeof(*rows));
    struct view_cursor at = {.is_set = false};
    int n = 0;

    while (l->shown < l->limit) {
        uint64_t left = l->limit - l->shown;
        n = view_rows(l->c->view, &l->query, &at, false, rows, left < PAGE ? (unsigned)left : PAGE,
                      err);
        for (int i = 0; i < n; i++) {
            print_row(l, &rows[i]);
            l->shown++;
        }
        if (n <= 0)
            break;
        view_cursor_of(&l->query, &rows[n - 1], &at);
    }
    free(rows);
    return n;
}

static void print_group(const struct listing *l, const struct view_group_row *g, enum view_group by,
                        struct buf *b)
{
    char n[32], domains[32], age[16], code[16];
    if (l->is_json) {
        json_print(json_of_group(g, by));
        return;
    }
    buf_printf(b, "%9s %8s %7s %-6s ", text_count(g->count, n), text_count(g->domains, domains),
               text_duration(l->query.now_wall_ms - g->oldest_wall_ms, age),
               say_code(g->code, g->enhanced, code));
    cli_put(b, str_of(g->key[0] ? g->key : "(not tried yet)"),
            l->columns == SIZE_MAX ? SIZE_MAX : l->columns - 34, false);
    buf_add_c(b, '\n');
    if (g->info[0] && by != VIEW_GROUP_AGE) {
        buf_printf(b, "%34s", "");
        cli_put(b, str_of(g->info), l->columns == SIZE_MAX ? SIZE_MAX : l->columns - 34, false);
        buf_add_c(b, '\n');
    }
}

static int list_groups(struct listing *l, enum view_group by, struct err *err)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    struct view_group_row *rows = xcalloc(GROUPS_MAX, sizeof(*rows));
    unsigned limit = l->limit < GROUPS_MAX ? (unsigned)l->limit : GROUPS_MAX;
    int n = view_groups(l->c->view, &l->query, by, rows, limit, err);

    if (n > 0 && !l->is_json)
        buf_printf(&b, "%9s %8s %7s %-6s %s\n", "COUNT", "DOMAINS", "OLDEST", "CODE",
                   view_group_name(by));
    for (int i = 0; i < n; i++)
        print_group(l, &rows[i], by, &b);
    cli_flush(&b);
    l->shown = n > 0 ? (uint64_t)n : 0;
    free(rows);
    return n;
}

static int list(struct listing *l, const char *by, struct err *err)
{
    enum view_group group = VIEW_GROUP_CAUSE;
    if (!by)
        return list_rows(l, err);
    view_group_parse(str_of(by), &group);
    return list_groups(l, group, err);
}

static int bad_choice(struct cli *c, const char *option, const char *given,
                      const char *(*name)(int), int n)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    for (int i = 0; i < n; i++)
        buf_printf(&b, " %s", name(i));
    return cli_usage(c, "%s %s is none of:%s", option, given, buf_text(&b));
}

static const char *group_name(int i)
{
    return view_group_name((enum view_group)i);
}

static const char *sort_name(int i)
{
    return view_sort_name((enum view_sort)i);
}

int cmd_queue(struct cli *c, int argc, char **argv)
{
    struct listing l = {.c = c, .limit = 1000, .columns = cli_columns()};
    const char *by = NULL, *sort = NULL;
    const struct opt table[] = {{"--by", OPT_TEXT, &by},
                                {"--sort", OPT_TEXT, &sort},
                                {"--limit", OPT_COUNT, &l.limit},
                                {"--json", OPT_FLAG, &l.is_json},
                                {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    struct filter f = {0};
    enum view_group group;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    if (by && !view_group_parse(str_of(by), &group))
        return bad_choice(c, "--by", by, group_name, VIEW_GROUP_COUNT);
    l.query.is_descending = sort && sort[0] == '-';
    if (sort && !view_sort_parse(str_of(sort + l.query.is_descending), &l.query.sort))
        return bad_choice(c, "--sort", sort, sort_name, VIEW_SORT_COUNT);
    if (opts_filter(&rest, c->now_wall_ms, &text, &err) < 0)
        return cli_fail(&err);
    int code = cli_view(c);
    if (code)
        return code;
    filter_parse(buf_str(&text), c->now_wall_ms, &f, &err);
    if (l.columns < 60)
        l.columns = 60;
    l.query.filter = f.n ? &f : NULL;
    l.query.now_wall_ms = c->now_wall_ms;
    int rc = list(&l, by, &err);
    filter_done(&f);
    if (rc < 0)
        return cli_fail(&err);
    if (l.shown == 0 && !l.is_json)
        fputs(f.n || text.n ? "nothing in the queue matches\n" : "the queue is empty\n", stderr);
    return l.shown == 0 && text.n ? EXIT_WRONG : EXIT_DONE;
}
