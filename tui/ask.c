/* SPDX-License-Identifier: ISC */
/* How each question is answered from a feed. Runs in a worker's thread, and touches nothing else. */
#include "tui/ask.h"

#include "core/base/alloc.h"

#define GROUPS_MAX       500
#define RECIPIENTS_MAX   100
#define ATTEMPTS_PAGE    50
#define ATTEMPTS_PAGES   40
#define LOG_BUDGET_MS    5000 /* a filter may match nothing in millions of lines */
#define SEARCH_BUDGET_MS 5000
#define COUNT_BUDGET_MS  5000

enum ask_lane ask_lane_of(enum ask_kind k)
{
    switch (k) {
    case ASK_STATUS:
    case ASK_ACT:
    case ASK_JOB: return LANE_ENGINE;
    case ASK_CHECK: return LANE_CHECK;
    default: return LANE_STORE;
    }
}

void answer_free(struct answer *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->lines_n; i++)
        free(a->lines[i].text);
    free(a->lines);
    free(a->rows);
    free(a->groups);
    free(a->attempts);
    buf_done(&a->header);
    buf_done(&a->transcript);
    ctl_reply_done(&a->reply);
    free(a);
}

struct run {
    const struct feed *feed;
    const struct ask *ask;
    struct answer *out;
    void (*emit)(void *arg, struct answer *early);
    void *arg;
    struct filter filter;
    struct view_query query;
};

static struct answer *answer_new(const struct ask *a)
{
    struct answer *out = xnew(struct answer);

    out->kind = a->kind;
    out->serial = a->serial;
    out->is_last = true;
    return out;
}

static int run_totals(struct run *r)
{
    const struct feed_ops *ops = r->feed->ops;
    struct answer *out = r->out;
    int rc;

    out->version = ops->version(r->feed->arg);
    if (out->version != 0 && out->version == r->ask->known_version) {
        out->is_unchanged = true;
        return 0;
    }
    rc = ops->totals(r->feed->arg, &out->totals, &out->err);
    if (rc < 0 || !r->ask->with_count)
        return rc;
    out->has_count = true;
    return ops->count(r->feed->arg, &r->query, &out->count, &out->err);
}

static void reverse(struct view_row *rows, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct view_row t = rows[i];

        rows[i] = rows[n - 1 - i];
        rows[n - 1 - i] = t;
    }
}

/* The end of the list is the start of the list in the other order. */
static int rows_last(struct run *r, unsigned limit)
{
    struct view_query q = r->query;
    int n;

    q.is_descending = !q.is_descending;
    n = r->feed->ops->rows(r->feed->arg, &q, NULL, false, r->out->rows, limit, &r->out->err);
    if (n < 0)
        return n;
    reverse(r->out->rows, (size_t)n);
    r->out->is_end = true;
    r->out->is_start = (unsigned)n < limit;
    return n;
}

/* Both sides of a row, and the row itself: first the one where the page begins, then on from it. */
static int rows_around(struct run *r)
{
    const struct ask *a = r->ask;
    struct answer *out = r->out;
    const struct feed_ops *ops = r->feed->ops;
    struct view_cursor from = {.is_set = false};
    int back = 0, n, kept = 0;

    if (a->place == PLACE_AROUND && a->before > 0) {
        back = ops->rows(r->feed->arg, &r->query, &a->at, true, out->rows, a->before, &out->err);
        if (back < 0)
            return back;
    }
    out->is_start = a->place == PLACE_FIRST || (unsigned)back < a->before;
    if (!out->is_start) {
        view_cursor_of(&r->query, &out->rows[0], &from);
        kept = 1;
    }
    n = ops->rows(r->feed->arg, &r->query, from.is_set ? &from : NULL, false, out->rows + kept,
                  a->before + a->after, &out->err);
    if (n < 0)
        return n;
    out->is_end = (unsigned)n < a->before + a->after;
    return n + kept;
}

static int run_list(struct run *r)
{
    unsigned limit = r->ask->before + r->ask->after;
    int n;

    r->out->rows = xcalloc(limit + 1, sizeof(*r->out->rows));
    n = r->ask->place == PLACE_LAST ? rows_last(r, limit) : rows_around(r);
    if (n < 0)
        return n;
    r->out->rows_n = (size_t)n;
    return 0;
}

static int run_groups(struct run *r)
{
    int n;

    r->out->groups = xcalloc(GROUPS_MAX, sizeof(*r->out->groups));
    n = r->feed->ops->groups(r->feed->arg, &r->query, r->ask->group, r->out->groups, GROUPS_MAX,
                             &r->out->err);
    if (n < 0)
        return n;
    r->out->groups_n = (size_t)n;
    return 0;
}

/* The latest ATTEMPTS_PAGE of however many there are. */
static int read_attempts(struct run *r)
{
    struct view_attempt *page = xcalloc(2 * ATTEMPTS_PAGE, sizeof(*page));
    int64_t after = 0;
    size_t n = 0;

    for (int i = 0; i < ATTEMPTS_PAGES; i++) {
        int got = r->feed->ops->attempts(r->feed->arg, r->out->rcpt_id, after, page + n,
                                         ATTEMPTS_PAGE, &r->out->err);
        if (got < 0) {
            free(page);
            return got;
        }
        n += (size_t)got;
        if (got < ATTEMPTS_PAGE)
            break;
        after = page[n - 1].id;
        memmove(page, page + n - ATTEMPTS_PAGE, ATTEMPTS_PAGE * sizeof(*page));
        n = ATTEMPTS_PAGE;
    }
    r->out->attempts = page;
    r->out->attempts_n = n;
    return 0;
}

/* Of the newest that has one: of what went well, only some do. */
static int read_transcript(struct run *r)
{
    struct answer *out = r->out;
    int rc = -(int)E_NOTFOUND;

    for (size_t i = out->attempts_n; i > 0 && rc == -(int)E_NOTFOUND; i--) {
        struct err none;
        rc = r->feed->ops->transcript(r->feed->arg, out->attempts[i - 1].id, &out->transcript,
                                      &none);
        out->transcript_of = out->attempts[i - 1].number;
        if (rc < 0 && rc != -(int)E_NOTFOUND)
            out->err = none;
    }
    return rc == -(int)E_NOTFOUND ? 0 : rc;
}

static int run_detail(struct run *r)
{
    const struct feed_ops *ops = r->feed->ops;
    struct answer *out = r->out;
    struct err gone;
    int rc = ops->message(r->feed->arg, r->ask->id, &out->message, &out->err);

    if (rc < 0)
        return rc;
    out->rows = xcalloc(RECIPIENTS_MAX, sizeof(*out->rows));
    rc = ops->recipients(r->feed->arg, r->ask->id, 0, out->rows, RECIPIENTS_MAX, &out->err);
    if (rc < 0)
        return rc;
    out->rows_n = (size_t)rc;
    out->is_end = rc < RECIPIENTS_MAX;
    out->rcpt_id = r->ask->rcpt_id;
    if (out->rcpt_id == 0 && out->rows_n > 0)
        out->rcpt_id = out->rows[0].rcpt_id;
    rc = read_attempts(r);
    if (rc >= 0)
        rc = read_transcript(r);
    if (rc < 0)
        return rc;
    /* Once everything is done the body goes: the rest is still worth showing. */
    rc = ops->header(r->feed->arg, r->ask->id, &out->header, &gone);
    if (rc == -(int)E_NOTFOUND)
        return 0;
    if (rc < 0)
        out->err = gone;
    return rc;
}

static void add_lines(struct answer *out, struct view_log_page *p)
{
    out->lines = xreallocarray(out->lines, out->lines_n + p->n + 1, sizeof(*out->lines));
    for (size_t i = 0; i < p->n; i++) {
        out->lines[out->lines_n++] = p->lines[i];
        p->lines[i].text = NULL;
    }
    view_log_done(p);
}

static int run_log(struct run *r)
{
    const struct ask *a = r->ask;
    const struct feed_ops *ops = r->feed->ops;
    struct view_log_query q = {.needle = str_of(a->needle), .filter = r->query.filter};
    int64_t before = a->place == PLACE_LAST ? INT64_MAX : a->id + 1;
    int64_t after = a->place == PLACE_FIRST ? 0 : a->id;
    struct view_log_page page = {0};
    int rc;

    r->out->is_start = a->place == PLACE_FIRST;
    r->out->is_end = a->place == PLACE_LAST;
    if (a->place != PLACE_FIRST && a->place != PLACE_AFTER) {
        rc = ops->log_back(r->feed->arg, &q, before, a->before, LOG_BUDGET_MS, &page, &r->out->err);
        if (rc < 0)
            return rc;
        r->out->is_start = page.is_start;
        r->out->is_cut = page.is_cut;
        add_lines(r->out, &page);
    }
    if (a->place == PLACE_LAST)
        return 0;
    rc = ops->log_forward(r->feed->arg, &q, after, a->after, LOG_BUDGET_MS, &page, &r->out->err);
    if (rc < 0)
        return rc;
    r->out->is_end = page.n < a->after && !page.is_cut;
    add_lines(r->out, &page);
    return 0;
}

static int run_log_jump(struct run *r)
{
    const struct ask *a = r->ask;
    struct view_log_query q = {.needle = str_of(a->needle), .filter = r->query.filter};
    struct view_log_page page = {0};
    int rc;

    if (a->is_back)
        rc = r->feed->ops->log_back(r->feed->arg, &q, a->id, 1, SEARCH_BUDGET_MS, &page,
                                    &r->out->err);
    else
        rc = r->feed->ops->log_forward(r->feed->arg, &q, a->id, 1, SEARCH_BUDGET_MS, &page,
                                       &r->out->err);
    if (rc < 0)
        return rc;
    r->out->id = page.n > 0 ? page.lines[0].id : 0;
    r->out->is_cut = page.is_cut;
    view_log_done(&page);
    return 0;
}

static int run_log_count(struct run *r)
{
    struct view_log_query q = {.needle = str_of(r->ask->needle), .filter = r->query.filter};

    return r->feed->ops->log_count(r->feed->arg, &q, COUNT_BUDGET_MS, &r->out->count,
                                   &r->out->is_cut, &r->out->err);
}

static int run_call(struct run *r)
{
    return r->feed->ops->call(r->feed->arg, &r->ask->request, r->ask->is_waiting, &r->out->reply,
                              &r->out->err);
}

static void tell_check(void *arg, const struct feed_check *c)
{
    struct run *r = arg;
    struct answer *early = answer_new(r->ask);

    early->check = *c;
    early->is_last = false;
    if (r->emit)
        r->emit(r->arg, early);
    else
        answer_free(early);
}

static int run_check(struct run *r)
{
    return r->feed->ops->check(r->feed->arg, tell_check, r, &r->out->err);
}

static int (*const runners[ASK_KIND_COUNT])(struct run *) = {
    [ASK_TOTALS] = run_totals,
    [ASK_LIST] = run_list,
    [ASK_GROUPS] = run_groups,
    [ASK_DETAIL] = run_detail,
    [ASK_LOG] = run_log,
    [ASK_LOG_JUMP] = run_log_jump,
    [ASK_LOG_COUNT] = run_log_count,
    [ASK_STATUS] = run_call,
    [ASK_ACT] = run_call,
    [ASK_JOB] = run_call,
    [ASK_CHECK] = run_check,
};

struct answer *ask_run(const struct feed *feed, const struct ask *a,
                       void (*emit)(void *arg, struct answer *early), void *arg)
{
    struct run r = {.feed = feed, .ask = a, .out = answer_new(a), .emit = emit, .arg = arg};
    bool has_filter = a->filter[0] != '\0';

    if (has_filter) {
        r.out->rc = filter_parse(str_of(a->filter), a->now_wall_ms, &r.filter, &r.out->err);
        if (r.out->rc < 0)
            return r.out;
    }
    r.query = (struct view_query){.filter = has_filter ? &r.filter : NULL,
                                  .sort = a->sort,
                                  .is_descending = a->is_descending,
                                  .now_wall_ms = a->now_wall_ms};
    r.out->rc = runners[a->kind](&r);
    if (has_filter)
        filter_done(&r.filter);
    return r.out;
}
