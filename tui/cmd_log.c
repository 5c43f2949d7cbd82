/* SPDX-License-Identifier: ISC */
/* log: the newest lines that match, oldest first; -f goes on from there. Needs no engine. */
#include "tui/cli.h"

#include <poll.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"
#include "tui/json.h"
#include "tui/say.h"

#define PAGE      1000u
#define FOLLOW_MS 300

struct logging {
    struct cli *c;
    struct view_log_query query;
    bool is_json, is_postfix, is_following;
    uint64_t limit, shown;
    int64_t last_id; /* of the newest line that was looked at */
};

/* Who sent the message of this line, into out: its "from=" line has the message's own id. Returns false when that is
 * not kept any more. */
static bool find_sender(struct logging *l, struct str line, struct buf *out)
{
    struct view_log_query all = {0};
    struct view_log_page page = {0};
    struct str from;
    int64_t id;
    if (!id_parse(str_sub(line, 0, str_find(line, ':')), &id))
        return false;
    bool is_there = view_log_forward(l->c->view, &all, id - 1, 1, 0, &page, NULL) >= 0 &&
                    page.n > 0 && page.lines[0].id == id &&
                    logline_field((struct str){page.lines[0].text, page.lines[0].n}, "from", &from);
    if (is_there)
        buf_add_str(out, from);
    view_log_done(&page);
    return is_there;
}

static void put_postfix(struct logging *l, const struct view_log_line *line, struct buf *out)
{
    struct buf clean CLEANUP(buf_done) = BUF_INIT, sender CLEANUP(buf_done) = BUF_INIT;
    text_printable(&clean, (struct str){line->text, line->n}, true);
    bool has_sender =
        logline_status(buf_str(&clean)) == LOG_EXPIRED && find_sender(l, buf_str(&clean), &sender);
    logline_postfix(out, line->wall_ms, l->c->conf.hostname, buf_str(&clean),
                    has_sender ? buf_text(&sender) : NULL);
}

static void print_line(struct logging *l, const struct view_log_line *line)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char when[32];
    l->shown++;
    if (l->is_json) {
        json_print(json_of_log_line(line));
        return;
    }
    if (l->is_postfix) {
        put_postfix(l, line, &b);
    } else {
        buf_printf(&b, "%s ", say_full(line->wall_ms, when));
        /* Stored lines are printable; a line of another making is made so. */
        text_printable(&b, (struct str){line->text, line->n}, true);
        buf_add_c(&b, '\n');
    }
    cli_flush(&b);
}

/* The newest lines, by pages from the end; told oldest first once all are there. */
static int print_last(struct logging *l, struct err *err)
{
    struct view_log_page *pages = NULL;
    size_t n = 0;
    uint64_t got = 0;
    int64_t before = INT64_MAX;
    int rc = 0;

    while (got < l->limit) {
        uint64_t left = l->limit - got;
        pages = xreallocarray(pages, n + 1, sizeof(*pages));
        pages[n] = (struct view_log_page){0};
        rc = view_log_back(l->c->view, &l->query, before, left < PAGE ? (unsigned)left : PAGE, 0,
                           &pages[n], err);
        if (rc < 0)
            break;
        got += pages[n].n;
        if (pages[n].n == 0)
            break;
        before = pages[n].lines[0].id;
        bool is_start = pages[n].is_start;
        n++;
        if (is_start)
            break;
    }
    for (size_t p = n; p-- > 0;) {
        for (size_t i = 0; i < pages[p].n && rc >= 0; i++) {
            print_line(l, &pages[p].lines[i]);
            l->last_id = pages[p].lines[i].id;
        }
        view_log_done(&pages[p]);
    }
    free(pages);
    return rc;
}

/* Lines of another transaction may come late with an older id; so little that a person who follows
 * does not miss it. */
static int follow(struct logging *l, struct err *err)
{
    for (;;) {
        struct view_log_page p = {0};
        int rc = view_log_forward(l->c->view, &l->query, l->last_id, PAGE, 0, &p, err);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < p.n; i++) {
            print_line(l, &p.lines[i]);
            l->last_id = p.lines[i].id;
        }
        bool is_idle = p.n == 0;
        view_log_done(&p);
        if (fflush(stdout) == EOF)
            return 0;
        if (is_idle)
            poll(NULL, 0, FOLLOW_MS);
    }
}

/* Following without any line that matches starts at the newest of all. */
static int start_at_end(struct logging *l, struct err *err)
{
    struct view_log_page p = {0};
    struct view_log_query all = {0};
    int rc = view_log_back(l->c->view, &all, INT64_MAX, 1, 0, &p, err);
    if (rc >= 0 && p.n > 0 && p.lines[p.n - 1].id > l->last_id)
        l->last_id = p.lines[p.n - 1].id;
    view_log_done(&p);
    return rc;
}

static int run(struct logging *l, struct err *err)
{
    /* The end is taken first: what comes while the old lines are printed is then followed. */
    int64_t end = 0;
    int rc = 0;
    if (l->is_following) {
        rc = start_at_end(l, err);
        end = l->last_id;
    }
    if (rc >= 0)
        rc = print_last(l, err);
    if (rc >= 0 && l->is_following) {
        l->last_id = l->last_id > end ? l->last_id : end;
        rc = follow(l, err);
    }
    return rc;
}

static int parse_times(struct logging *l, const char *since, const char *until)
{
    const char *bad = NULL;
    int64_t now = l->c->now_wall_ms;
    if (since && !text_parse_time(str_of(since), now, &l->query.since_wall_ms))
        bad = since;
    if (until && !text_parse_time(str_of(until), now, &l->query.until_wall_ms))
        bad = until;
    if (!bad)
        return 0;
    return cli_usage(l->c,
                     "%s is no time; allowed: 10:42, 2026-11-24, \"2026-11-24 10:42\", -15m, "
                     "yesterday",
                     bad);
}

/* A line has no such field: to ignore the word would show every line, and look like an answer. */
static const char *unknown_word(const struct filter *f)
{
    static const enum filter_word words[] = {FILTER_SITE, FILTER_STATE, FILTER_CAUSE, FILTER_OWNER,
                                             FILTER_AGE,  FILTER_TRIES, FILTER_SIZE,  FILTER_NEXT};
    for (size_t i = 0; i < f->n; i++)
        for (size_t w = 0; w < ARRAY_LEN(words); w++)
            if (f->terms[i].word == words[w])
                return filter_word_name(words[w]);
    return NULL;
}

int cmd_log(struct cli *c, int argc, char **argv)
{
    struct logging l = {.c = c, .limit = 1000};
    const char *since = NULL, *until = NULL;
    const struct opt table[] = {{"--since", OPT_TEXT, &since},
                                {"--until", OPT_TEXT, &until},
                                {"-n", OPT_COUNT, &l.limit},
                                {"-f", OPT_FLAG, &l.is_following},
                                {"--postfix", OPT_FLAG, &l.is_postfix},
                                {"--json", OPT_FLAG, &l.is_json},
                                {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    struct filter f = {0};

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    int code = parse_times(&l, since, until);
    if (code)
        return code;
    if (opts_filter(&rest, c->now_wall_ms, &text, &err) < 0)
        return cli_fail(&err);
    code = cli_view(c);
    if (code)
        return code;
    filter_parse(buf_str(&text), c->now_wall_ms, &f, &err);
    const char *unknown = unknown_word(&f);
    if (unknown) {
        filter_done(&f);
        return cli_usage(c,
                         "%s: is not known of a log line; to: from: domain: status: code: dsn: id: "
                         "relay: since: has: and free text are",
                         unknown);
    }
    l.query.filter = f.n ? &f : NULL;
    int rc = run(&l, &err);
    filter_done(&f);
    if (rc < 0)
        return cli_fail(&err);
    if (l.shown == 0 && !l.is_json)
        fputs(text.n || since || until ? "nothing in the log matches\n" : "the log is empty\n",
              stderr);
    return l.shown == 0 && (text.n || since || until) ? EXIT_WRONG : EXIT_DONE;
}
