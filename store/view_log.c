/* SPDX-License-Identifier: ISC */
/*
 * The log, read backwards or forwards. Days are walked in order; within a day the blocks, and the
 * rows that lie between them or came late into one. A block is searched as one text, and only lines with
 * a hit are looked at; so a scan costs what memory costs to read.
 *
 * A walk has a position (the id up to which everything was looked at), so that it can stop at any block
 * and go on there.
 */
#include "store/view_private.h"

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/mail/id.h"
#include "store/search.h"

#define ROWS_AT_ONCE 1000
/* A line's time is its attempt's end, its id may be older or newer than that by this much. */
#define TIME_SLACK_MS HOUR_MS

enum stop { STOP_NOT, STOP_FULL, STOP_BUDGET, STOP_INTERRUPTED };

struct walk {
    struct view *v;
    const struct view_log_query *q;
    struct needle needle;
    bool is_back;
    unsigned limit;           /* 0 = only count */
    int64_t deadline_mono_ms; /* 0 = none */
    int64_t low, high;        /* ids still to look at, both included */
    struct view_log_page *page;
    size_t cap;
    uint64_t found;
    int64_t last_found; /* its id */
    enum stop stop;
};

void view_log_done(struct view_log_page *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->lines[i].text);
    free(p->lines);
    *p = (struct view_log_page){0};
}

/* --- lines --- */

/* A hit. A page ends before a new id, so that the two lines of one entry are never torn apart. */
static void take(struct walk *w, int64_t id, int64_t wall_ms, struct str line)
{
    struct view_log_page *p = w->page;

    if (w->limit && w->found >= w->limit && id != w->last_found) {
        w->stop = STOP_FULL;
        return;
    }
    w->found++;
    w->last_found = id;
    if (!w->limit)
        return;
    if (p->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        p->lines = xreallocarray(p->lines, w->cap, sizeof(*p->lines));
    }
    p->lines[p->n++] = (struct view_log_line){id, wall_ms, xstrndup(line.p, line.n), line.n};
}

/* The needle is in the line already. */
static void try_line(struct walk *w, int64_t id, int64_t wall_ms, struct str line)
{
    if (id < w->low || id > w->high)
        return;
    if ((w->q->since_wall_ms && wall_ms < w->q->since_wall_ms) ||
        (w->q->until_wall_ms && wall_ms > w->q->until_wall_ms))
        return;
    if (w->q->filter && !filter_match_line(w->q->filter, line, wall_ms))
        return;
    if (!w->q->needle.n || needle_find(&w->needle, line.p, line.n) != SIZE_MAX)
        take(w, id, wall_ms, line);
}

/* An entry's text holds one line or two. */
static void try_entry(struct walk *w, int64_t id, int64_t wall_ms, struct str text)
{
    struct str rest = text, first = str_split(&rest, '\n');
    bool is_two = first.n < text.n;

    w->page->scanned_lines += 1u + is_two;
    if (is_two && w->is_back) {
        try_line(w, id, wall_ms, rest);
        try_line(w, id, wall_ms, first);
        return;
    }
    try_line(w, id, wall_ms, first);
    if (is_two)
        try_line(w, id, wall_ms, rest);
}

/* --- blocks --- */

static void try_block_line(struct walk *w, const struct dayfile_block *b, size_t i)
{
    struct dayfile_line l = dayfile_meta_get(b->meta, i);

    try_line(w, l.id, l.wall_ms, dayfile_block_line(b, i));
}

/* Lines [from, to) of a block, last first. */
static void scan_block_back(struct walk *w, const struct dayfile_block *b, size_t from, size_t to)
{
    while (to > from && !w->stop) {
        size_t at, end = dayfile_block_start(b, to);

        at = w->needle.n ? needle_rfind(&w->needle, b->data, end) : end - 1;
        if (at == SIZE_MAX)
            return;
        at = dayfile_block_line_at(b, at);
        if (at < from || at >= to) /* at >= to: a damaged block */
            return;
        to = at;
        try_block_line(w, b, to);
    }
}

static void scan_block_on(struct walk *w, const struct dayfile_block *b, size_t from, size_t to)
{
    while (from < to && !w->stop) {
        size_t start = dayfile_block_start(b, from), at;

        at = w->needle.n ? needle_find(&w->needle, b->data + start, b->data_n - start) : 0;
        if (at == SIZE_MAX)
            return;
        at = dayfile_block_line_at(b, start + at);
        if (at < from || at >= to) /* at < from: a damaged block */
            return;
        from = at + 1;
        try_block_line(w, b, at);
    }
}

/* --- rows --- */

/* Rows with first <= id <= last, in the walk's direction. Returns 0 or an error. */
static int scan_rows(struct walk *w, struct view_day *d, int64_t first, int64_t last,
                     struct err *err)
{
    sqlite3_stmt *st = w->is_back ? d->rows_back : d->rows_on;
    unsigned n = 0;
    int rc = SQLITE_DONE;

    if (first > last)
        return 0;
    bind_i(st, 1, first);
    bind_i(st, 2, last);
    bind_i(st, 3, INT64_MAX);
    while (!w->stop && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        try_entry(w, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1), column_str(st, 2));
        if (++n % ROWS_AT_ONCE == 0 && atomic_load(&w->v->is_interrupted))
            w->stop = STOP_INTERRUPTED;
    }
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sql_err(d->db, rc, err, "read the log");
    sqlite3_reset(st);
    return rc;
}

static bool has_rows(struct view_day *d, int64_t first, int64_t last)
{
    bool has;

    bind_i(d->rows_on, 1, first);
    bind_i(d->rows_on, 2, last);
    bind_i(d->rows_on, 3, 1);
    has = sqlite3_step(d->rows_on) == SQLITE_ROW;
    sqlite3_reset(d->rows_on);
    return has;
}

/* A block with rows that came late into its range: piece by piece, so that the order is right. */
static int scan_mixed(struct walk *w, struct view_day *d, const struct dayfile_block *b,
                      struct err *err)
{
    size_t n = b->n;
    int rc = 0;

    for (size_t k = 0; k <= n && !rc && !w->stop; k++) {
        /* the gap before line i, or behind the last */
        size_t i = w->is_back ? n - k : k;
        int64_t after = i ? dayfile_meta_get(b->meta, i - 1).id + 1 : b->first;
        int64_t before = i < n ? dayfile_meta_get(b->meta, i).id - 1 : b->last;

        if (w->is_back) {
            rc = scan_rows(w, d, after, before, err);
            if (!rc && i > 0)
                scan_block_back(w, b, i - 1, i);
        } else {
            rc = scan_rows(w, d, after, before, err);
            if (!rc && i < n)
                scan_block_on(w, b, i, i + 1);
        }
    }
    return rc;
}

static int scan_block(struct walk *w, struct view_day *d, const struct dayfile_block *b,
                      struct err *err)
{
    size_t from = dayfile_block_seek(b, w->low);
    size_t to = w->high < INT64_MAX ? dayfile_block_seek(b, w->high + 1) : b->n;

    w->page->scanned_lines += to - from;
    if (has_rows(d, b->first, b->last))
        return scan_mixed(w, d, b, err);
    if (w->is_back)
        scan_block_back(w, b, from, to);
    else
        scan_block_on(w, b, from, to);
    return 0;
}

/* --- the walk --- */

static void look_at_clock(struct walk *w)
{
    const struct clock *c = clock_system();

    if (atomic_load(&w->v->is_interrupted))
        w->stop = STOP_INTERRUPTED;
    else if (w->deadline_mono_ms && c->mono_ms(c) >= w->deadline_mono_ms)
        w->stop = STOP_BUDGET;
}

/* The next block in the walk's direction, or one at its position. False when there is none. */
static bool next_block(struct walk *w, struct view_day *d, sqlite3_stmt **st,
                       struct dayfile_block *b)
{
    bool is_there;

    *st = d->block_back; /* the one that begins at or before the position may reach over it */
    bind_i(*st, 1, w->is_back ? (w->high < INT64_MAX ? w->high + 1 : w->high) : w->low);
    is_there = sqlite3_step(*st) == SQLITE_ROW;
    if (!w->is_back && (!is_there || sqlite3_column_int64(*st, 1) < w->low)) {
        sqlite3_reset(*st);
        *st = d->block_on;
        bind_i(*st, 1, w->low);
        is_there = sqlite3_step(*st) == SQLITE_ROW;
    }
    if (!is_there || sqlite3_column_int64(*st, 0) > w->high ||
        sqlite3_column_int64(*st, 1) < w->low) {
        sqlite3_reset(*st);
        return false;
    }
    if (!dayfile_block_read(*st, b)) /* damaged: its range is passed over */
        b->n = 0;
    return true;
}

/* One block and the rows on this side of it, or the rows that are left. */
static int scan_piece(struct walk *w, struct view_day *d, bool *is_end, struct err *err)
{
    struct dayfile_block b;
    sqlite3_stmt *st;
    int rc;

    *is_end = !next_block(w, d, &st, &b);
    if (*is_end)
        return scan_rows(w, d, w->low, w->high, err);
    rc = w->is_back ? scan_rows(w, d, b.last + 1, w->high, err)
                    : scan_rows(w, d, w->low, b.first - 1, err);
    if (!rc && !w->stop && b.n)
        rc = scan_block(w, d, &b, err);
    sqlite3_reset(st);
    if (rc || w->stop)
        return rc;
    if (w->is_back)
        w->high = b.first - 1;
    else
        w->low = b.last + 1;
    look_at_clock(w);
    return 0;
}

static int walk_day(struct walk *w, const char *name, struct err *err)
{
    struct view_day *d;
    bool is_end = false;
    int rc = view_day_get(w->v, name, &d, err);

    if (rc || !d)
        return rc;
    rc = sql_exec(d->db, "BEGIN", err, "read the log"); /* one snapshot: packing moves lines */
    while (!rc && !is_end && !w->stop && w->low <= w->high)
        rc = scan_piece(w, d, &is_end, err);
    if (!sqlite3_get_autocommit(d->db))
        sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL);
    return rc;
}

/* The needle that blocks are searched for: what the query wants, or what its filter cannot do
 * without. */
static struct str pick_needle(const struct view_log_query *q)
{
    struct str best = q->needle;
    unsigned tos = 0;

    if (best.n || !q->filter)
        return best;
    for (size_t i = 0; i < q->filter->n; i++)
        tos += q->filter->terms[i].word == FILTER_TO && !q->filter->terms[i].is_excluded;
    for (size_t i = 0; i < q->filter->n; i++) {
        const struct filter_term *t = &q->filter->terms[i];
        struct str text = str_of(t->text);

        /* several to: are alternatives: no single one must be there */
        if (!t->is_excluded && text.n > best.n &&
            (t->word == FILTER_TEXT || (t->word == FILTER_TO && tos == 1)))
            best = text;
    }
    return best;
}

static int walk(struct walk *w, int64_t budget_ms, struct err *err)
{
    const struct clock *c = clock_system();
    char(*names)[DAYFILE_NAME_MAX] = NULL, first[DAYFILE_NAME_MAX], last[DAYFILE_NAME_MAX];
    int64_t since = w->q->since_wall_ms, until = w->q->until_wall_ms;
    size_t n = 0;
    int rc = dayfile_list(store_dir(w->v->s), &names, &n, err);

    atomic_store(&w->v->is_interrupted, false);
    needle_init(&w->needle, pick_needle(w->q));
    w->deadline_mono_ms = budget_ms ? c->mono_ms(c) + budget_ms : 0;
    if (since && id_floor(since - TIME_SLACK_MS) > w->low)
        w->low = id_floor(since - TIME_SLACK_MS);
    if (until && id_floor(until + TIME_SLACK_MS) < w->high)
        w->high = id_floor(until + TIME_SLACK_MS);
    for (size_t k = 0; !rc && !w->stop && w->low <= w->high && k < n; k++) {
        const char *name = names[w->is_back ? n - 1 - k : k];

        dayfile_name(w->low, first);
        dayfile_name(w->high, last);
        if (strcmp(name, first) >= 0 && strcmp(name, last) <= 0)
            rc = walk_day(w, name, err);
    }
    free(names);
    if (!rc && w->stop == STOP_INTERRUPTED)
        rc = err_set(err, E_STATE, "read the log: interrupted");
    return rc;
}

static int64_t oldest_or(const struct view_log_page *p, int64_t none)
{
    return p->n ? p->lines[0].id : none;
}

static void reverse(struct view_log_page *p)
{
    for (size_t i = 0; i < p->n / 2; i++) {
        struct view_log_line tmp = p->lines[i];

        p->lines[i] = p->lines[p->n - 1 - i];
        p->lines[p->n - 1 - i] = tmp;
    }
}

int view_log_back(struct view *v, const struct view_log_query *q, int64_t before_id, unsigned limit,
                  int64_t budget_ms, struct view_log_page *out, struct err *err)
{
    struct walk w = {.v = v,
                     .q = q,
                     .is_back = true,
                     .limit = limit ? limit : 1,
                     .low = 0,
                     .high = before_id == INT64_MAX ? INT64_MAX : before_id - 1,
                     .page = out};
    int rc;

    *out = (struct view_log_page){0};
    rc = walk(&w, budget_ms, err);
    if (rc) {
        view_log_done(out);
        return rc;
    }
    reverse(out);
    out->is_cut = w.stop == STOP_BUDGET;
    out->is_start = w.stop == STOP_NOT;
    out->resume_id = out->is_cut ? w.high + 1 : oldest_or(out, out->is_start ? 0 : before_id);
    return 0;
}

int view_log_forward(struct view *v, const struct view_log_query *q, int64_t after_id,
                     unsigned limit, int64_t budget_ms, struct view_log_page *out, struct err *err)
{
    struct walk w = {.v = v,
                     .q = q,
                     .limit = limit ? limit : 1,
                     .low = after_id < INT64_MAX ? after_id + 1 : after_id,
                     .high = INT64_MAX,
                     .page = out};
    int rc;

    *out = (struct view_log_page){0};
    rc = walk(&w, budget_ms, err);
    if (rc) {
        view_log_done(out);
        return rc;
    }
    out->is_cut = w.stop == STOP_BUDGET;
    out->resume_id = out->is_cut ? w.low - 1 : out->n ? out->lines[out->n - 1].id : after_id;
    return 0;
}

int view_log_count(struct view *v, const struct view_log_query *q, int64_t budget_ms, uint64_t *out,
                   bool *is_cut, struct err *err)
{
    struct view_log_page page = {0};
    struct walk w = {.v = v, .q = q, .is_back = true, .high = INT64_MAX, .page = &page};
    int rc = walk(&w, budget_ms, err);

    if (rc)
        return rc;
    *out = w.found;
    *is_cut = w.stop == STOP_BUDGET;
    return 0;
}
