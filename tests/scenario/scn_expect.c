/* SPDX-License-Identifier: ISC */
/* Looking at what came out: recipients and log by store/view, mail and sessions in the world. */
#include <inttypes.h>
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "tests/scenario/scn.h"

#define ROWS_MAX  64
#define LINES_MAX 5000

void scn_view_close(struct scn *s)
{
    view_close(s->view);
    s->view = NULL;
}

static bool view_ready(struct scn *s)
{
    struct err err = ERR_NONE;
    if (!s->view && view_open(s->conf.store_path, &s->view, &err))
        return scn_fail(s, "%s", err.text);
    return true;
}

/* The newest recipient of that address; false when there is none. */
static bool find_recipient(struct scn *s, const char *address, struct view_row *out)
{
    struct view_row *rows = xcalloc(ROWS_MAX, sizeof(*rows));
    struct filter f;
    struct err err = ERR_NONE;
    char *text = xasprintf("to:%s", address);
    bool is_found = false;
    if (view_ready(s) && filter_parse(str_of(text), sim_wall_ms(s->sim), &f, &err) == 0) {
        struct view_query q = {
            .filter = &f, .with_final = true, .now_wall_ms = sim_wall_ms(s->sim)};
        int n = view_rows(s->view, &q, NULL, false, rows, ROWS_MAX, &err);
        for (int i = 0; i < n; i++) {
            if (strcmp(rows[i].to, address) == 0 && (!is_found || rows[i].rcpt_id > out->rcpt_id)) {
                *out = rows[i];
                is_found = true;
            }
        }
        filter_done(&f);
    }
    free(text);
    free(rows);
    return is_found;
}

/* --- until --- */

struct wait {
    struct scn *s;
    const char *address;
    enum rcpt_state state;
    int64_t version;
    struct view_row *row;
};

static bool state_is(void *arg)
{
    struct wait *w = arg;
    int64_t version = view_version(w->s->view);
    if (version == w->version)
        return false;
    w->version = version;
    return find_recipient(w->s, w->address, w->row) && w->row->state == w->state;
}

/* until ADDRESS STATE [within=1h] */
bool scn_until(struct scn *s)
{
    struct wait w = {.s = s, .version = -1};
    int64_t within = scn_duration(s, "within", HOUR_MS);
    if (s->words.n < 3 || !rcpt_state_parse(str_of(s->words.w[2]), &w.state))
        return scn_fail(s, "until ADDRESS STATE [within=1h]");
    w.address = s->words.w[1];
    w.row = xnew(struct view_row);
    bool is_ok = view_ready(s) && sim_run_until(s->sim, state_is, &w, within);
    if (!is_ok && !s->has_failed)
        scn_fail(s, "%s is %s (%s)", w.address,
                 w.row->rcpt_id ? rcpt_state_name(w.row->state) : "not there", w.row->info);
    free(w.row);
    return is_ok;
}

/* --- the log --- */

static bool line_has_all(struct scn *s, struct str line, size_t from)
{
    for (size_t i = from; i < s->words.n; i++) {
        if (strncmp(s->words.w[i], "count=", 6) != 0 &&
            str_ifind(line, str_of(s->words.w[i])) == SIZE_MAX)
            return false;
    }
    return true;
}

static bool log_lines(struct scn *s, struct view_log_page *page)
{
    struct err err = ERR_NONE;
    struct view_log_query q = {0};
    if (!view_ready(s))
        return false;
    if (view_log_back(s->view, &q, INT64_MAX, LINES_MAX, 0, page, &err) < 0)
        return scn_fail(s, "reading the log: %s", err.text);
    return true;
}

/* expect log "TEXT"... [count=N]: lines that hold all the texts. At least one, or exactly N. */
static bool expect_log(struct scn *s)
{
    const char *count = words_value(&s->words, 2, "count");
    struct view_log_page page = {0};
    uint64_t want = 0, n = 0;
    if (!log_lines(s, &page) || (count && !scn_number(s, count, &want)))
        return false;
    for (size_t i = 0; i < page.n; i++)
        n += line_has_all(s, (struct str){page.lines[i].text, page.lines[i].n}, 2);
    view_log_done(&page);
    if (count ? n == want : n > 0)
        return true;
    return scn_fail(s, "%" PRIu64 " lines of the log hold that", n);
}

/* --- recipients --- */

/* The newest try's transcript holds the texts, in that order. */
static bool expect_transcript(struct scn *s, const struct view_row *row)
{
    struct view_attempt *tries = xcalloc(ROWS_MAX, sizeof(*tries));
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    int n = view_attempts(s->view, row->rcpt_id, 0, tries, ROWS_MAX, &err);
    if (n > 0)
        n = view_transcript(s->view, tries[n - 1].id, &text, &err);
    else if (n == 0)
        n = err_set(&err, E_NOTFOUND, "it was not tried");
    free(tries);
    const char *at = buf_text(&text);
    for (size_t i = 3; n >= 0 && i < s->words.n; i++) {
        const char *found = strstr(at, s->words.w[i]);
        if (!found)
            return scn_fail(s, "\"%s\" is not there (any more) in:\n%s", s->words.w[i],
                            buf_text(&text));
        at = found + strlen(s->words.w[i]);
    }
    return n >= 0 || scn_fail(s, "%s", err.text);
}

static bool expect_row(struct scn *s, const char *what, const struct view_row *row)
{
    const char *want = s->words.n > 3 ? s->words.w[3] : "";
    enum rcpt_state state;
    uint64_t n;
    int64_t low, high, next = row->next_wall_ms - sim_wall_ms(s->sim);
    if (strcmp(what, "state") == 0)
        return (rcpt_state_parse(str_of(want), &state) && row->state == state) ||
               scn_fail(s, "it is %s (%s)", rcpt_state_name(row->state), row->info);
    if (strcmp(what, "info") == 0)
        return strstr(row->info, want) || scn_fail(s, "its info is: %s", row->info);
    if (strcmp(what, "cause") == 0)
        return strcmp(row->cause, want) == 0 || scn_fail(s, "its cause is: %s", row->cause);
    if (strcmp(what, "transcript") == 0)
        return expect_transcript(s, row);
    if (strcmp(what, "tries") == 0)
        return (scn_number(s, want, &n) && row->tries == n) ||
               scn_fail(s, "it has %u tries", row->tries);
    if (s->words.n < 5 || !text_parse_duration(str_of(want), &low) ||
        !text_parse_duration(str_of(s->words.w[4]), &high))
        return scn_fail(s, "expect next ADDRESS LOW HIGH");
    return (next >= low && next <= high) || scn_fail(s, "next try in %" PRId64 " s", next / 1000);
}

/* --- the world --- */

/* The address alone, or with its parameters. */
static bool rcpt_fits(const char *glob, const char *rcpt)
{
    char *address = str_dup(str_sub(str_of(rcpt), 0, str_find(str_of(rcpt), ' ')));
    bool is_fit = world_glob(glob, address) || world_glob(glob, rcpt);
    free(address);
    return is_fit;
}

static bool mail_fits(struct scn *s, const struct world_mail *m)
{
    const struct words *w = &s->words;
    for (size_t i = 4; i < w->n; i++) {
        const char *arg = w->w[i], *eq = strchr(arg, '=');
        if (strncmp(arg, "from=", 5) == 0) {
            if (strcmp(m->from, eq + 1) != 0)
                return false;
        } else if (strncmp(arg, "to=", 3) == 0) {
            bool is_there = false;
            for (size_t j = 0; j < m->rcpts_n; j++)
                is_there |= rcpt_fits(eq + 1, m->rcpts[j]);
            if (!is_there)
                return false;
        } else if (strncmp(arg, "rcpts=", 6) == 0) {
            uint64_t n;
            if (!text_parse_u64(str_of(eq + 1), 10000, &n) || m->rcpts_n != n)
                return false;
        } else if (strncmp(arg, "params=", 7) == 0) {
            if (!strstr(m->params, eq + 1))
                return false;
        } else if (strcmp(arg, "tls=yes") == 0) {
            if (!m->is_tls)
                return false;
        } else if (strncmp(arg, "not=", 4) == 0) {
            if (strstr(buf_text(&m->content), eq + 1))
                return false;
        } else if (!strstr(buf_text(&m->content), arg)) {
            return false;
        }
    }
    return true;
}

/* expect received HOST N [from=A] [to=GLOB] [rcpts=N] [params=T] [tls=yes] [not=TEXT] [TEXT]... */
static bool expect_received(struct scn *s)
{
    uint64_t want, n = 0, at_host = 0;
    if (s->words.n < 4 || !scn_number(s, s->words.w[3], &want))
        return scn_fail(s, "expect received HOST N ...");
    list_for_each(l, &s->world.mails) {
        const struct world_mail *m = list_entry(l, struct world_mail, link);
        if (!world_glob(s->words.w[2], m->host->name))
            continue;
        at_host++;
        n += mail_fits(s, m);
    }
    return n == want ||
           scn_fail(s, "it received %" PRIu64 " such mails (%" PRIu64 " in all)", n, at_host);
}

/* expect sessions|quits HOST N */
static bool expect_sessions(struct scn *s)
{
    uint64_t want;
    const struct world_host *h =
        s->words.n == 4 ? world_host_by_name(&s->world, s->words.w[2]) : NULL;
    if (!h || !scn_number(s, s->words.w[3], &want))
        return scn_fail(s, "expect sessions|quits HOST N");
    unsigned got = strcmp(s->words.w[1], "quits") == 0 ? h->quits : h->connections;
    return got == want || scn_fail(s, "it had %u %s", got, s->words.w[1]);
}

/* expect connects N: at most so many connections were asked for in all */
static bool expect_connects(struct scn *s)
{
    uint64_t most;
    if (s->words.n != 3 || !scn_number(s, s->words.w[2], &most))
        return scn_fail(s, "expect connects AT-MOST");
    return sim_connects(s->sim) <= most ||
           scn_fail(s, "it connected %u times", sim_connects(s->sim));
}

/* expect total STATE N */
static bool expect_total(struct scn *s)
{
    struct queue_totals t;
    struct err err = ERR_NONE;
    enum rcpt_state state;
    uint64_t want;
    if (s->words.n != 4 || !rcpt_state_parse(str_of(s->words.w[2]), &state) ||
        !scn_number(s, s->words.w[3], &want))
        return scn_fail(s, "expect total STATE N");
    if (!view_ready(s) || view_totals(s->view, &t, &err))
        return scn_fail(s, "%s", err.text);
    return t.by_state[state] == want ||
           scn_fail(s, "%" PRIu64 " are %s", t.by_state[state], s->words.w[2]);
}

static bool expect_daemon(struct scn *s)
{
    for (size_t i = 2; i < s->words.n; i++) {
        if (!strstr(buf_text(&s->daemon), s->words.w[i]))
            return scn_fail(s, "the engine did not say: %s", s->words.w[i]);
    }
    return true;
}

static bool expect_idle(struct scn *s)
{
    return engine_is_idle(s->engine) || scn_fail(s, "the engine is not idle");
}

bool scn_expect(struct scn *s)
{
    const char *what = s->words.n > 1 ? s->words.w[1] : "";
    static const char *const of_rows[] = {"state", "info", "cause", "tries", "next", "transcript"};
    for (size_t i = 0; i < ARRAY_LEN(of_rows); i++) {
        if (strcmp(what, of_rows[i]) != 0)
            continue;
        struct view_row *row = xnew(struct view_row);
        bool is_ok = s->words.n > 3 && find_recipient(s, s->words.w[2], row);
        is_ok = is_ok ? expect_row(s, what, row) : scn_fail(s, "no such recipient");
        free(row);
        return is_ok;
    }
    if (strcmp(what, "log") == 0)
        return expect_log(s);
    if (strcmp(what, "received") == 0)
        return expect_received(s);
    if (strcmp(what, "sessions") == 0 || strcmp(what, "quits") == 0)
        return expect_sessions(s);
    if (strcmp(what, "web") == 0) {
        uint64_t n;
        return s->words.n == 3 && scn_number(s, s->words.w[2], &n) &&
               (sim_web_asked(s->sim) == n ||
                scn_fail(s, "the web was asked %u times", sim_web_asked(s->sim)));
    }
    if (strcmp(what, "connects") == 0)
        return expect_connects(s);
    if (strcmp(what, "total") == 0)
        return expect_total(s);
    if (strcmp(what, "daemon") == 0)
        return expect_daemon(s);
    if (strcmp(what, "idle") == 0)
        return expect_idle(s);
    return scn_fail(s, "expect what?");
}

void scn_show(struct scn *s)
{
    struct view_log_page page = {0};
    if (s->view && log_lines(s, &page)) {
        fputs("  the delivery log's end:\n", stderr);
        for (size_t i = page.n > 12 ? page.n - 12 : 0; i < page.n; i++)
            fprintf(stderr, "    %.*s\n", (int)page.lines[i].n, page.lines[i].text);
        view_log_done(&page);
    }
    if (!list_empty(&s->world.mails)) {
        const struct world_mail *m = list_entry(s->world.mails.prev, struct world_mail, link);
        struct str text = str_sub(buf_str(&m->content), 0, 3000);
        fprintf(stderr, "  the last mail received, at %s:\n%.*s\n", m->host->name, STR_ARG(text));
    }
    struct str said = buf_str(&s->daemon);
    if (said.n > 3000)
        said = str_sub(said, said.n - 3000, said.n);
    fprintf(stderr, "  what the engine said:\n%.*s", STR_ARG(said));
    fprintf(stderr, "  mail received: %zu; virtual time: %" PRId64 " ms\n", s->world.mails_n,
            sim_mono_ms(s->sim));
}
