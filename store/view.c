/* SPDX-License-Identifier: ISC */
/*
 * Rows of the queue, by page. Pages are found by key, in steps: first the rows that are equal to
 * the cursor in the order's columns, then those behind it. One row-value range would walk all equal
 * keys (SQLite 3.40 does not use the rowid for its second half), which costs 50 ms where this costs
 * a tenth of one.
 */
#include "store/view_private.h"

#include "core/base/alloc.h"
#include "core/base/text.h"

/* --- opening --- */

int view_open(const char *dir, struct view **out, struct err *err)
{
    struct view *v = xnew(struct view);
    int rc = store_open(dir, STORE_READER, &v->s, err);

    /* finished rows make the file large; mapped pages need no copy in a cache */
    if (!rc)
        rc = sql_exec(v->s->db, "PRAGMA mmap_size=68719476736", err, "map the store");
    if (rc) {
        view_close(v);
        return rc;
    }
    *out = v;
    return 0;
}

void view_close(struct view *v)
{
    if (!v)
        return;
    view_days_close(v);
    sqlite3_finalize(v->version);
    store_close(v->s);
    free(v);
}

int64_t view_version(struct view *v)
{
    int64_t version = 0;

    if (!v->version)
        v->version = view_prepare(v, "PRAGMA data_version", NULL);
    if (!v->version)
        return 0;
    if (sqlite3_step(v->version) == SQLITE_ROW)
        version = sqlite3_column_int64(v->version, 0);
    sqlite3_reset(v->version);
    return version;
}

void view_interrupt(struct view *v)
{
    atomic_store(&v->is_interrupted, true);
    sqlite3_interrupt(v->s->db);
}

/* --- what the views share --- */

int view_begin(struct view *v, struct err *err)
{
    atomic_store(&v->is_interrupted, false);
    return sql_exec(v->s->db, "BEGIN", err, "read the store");
}

void view_end(struct view *v)
{
    if (!sqlite3_get_autocommit(v->s->db))
        sqlite3_exec(v->s->db, "COMMIT", NULL, NULL, NULL);
}

sqlite3_stmt *view_prepare(struct view *v, const char *sql, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(v->s->db, sql, -1, &st, NULL);

    if (rc != SQLITE_OK)
        store_sql_err(v->s, rc, err, "ask the store");
    return st;
}

bool view_with_final(const struct view_query *q, const struct where *w)
{
    return w->is_state_asked ? w->with_final : q->with_final;
}

void view_from(struct buf *sql, const struct view_query *q, const struct where *w,
               const char *index, bool with_message)
{
    bool with_final = view_with_final(q, w);

    buf_printf(sql, " FROM recipient r %s%s", with_final ? "NOT INDEXED" : "INDEXED BY ",
               with_final ? "" : index);
    if (with_message || w->needs_message)
        buf_add_z(sql, " CROSS JOIN message m ON m.id=r.message");
    if (w->needs_attempt)
        buf_add_z(sql, " LEFT JOIN attempt a ON a.id=r.attempt");
    buf_add_z(sql, " WHERE ");
    buf_add_z(sql, with_final ? "1" : "r.finished=0");
    if (w->first > 0 || w->last < INT64_MAX)
        buf_add_z(sql, " AND r.id BETWEEN ?18 AND ?19");
    buf_add_str(sql, buf_str(&w->sql));
}

void view_bind(const struct where *w, sqlite3_stmt *st)
{
    bind_i(st, 18, w->first);
    bind_i(st, 19, w->last);
    where_bind(w, st);
}

int view_info(struct view *v, int64_t attempt_id, char info[VIEW_INFO_MAX], struct err *err)
{
    struct buf b = BUF_INIT;
    struct attempt_row a;
    int rc;

    info[0] = '\0';
    if (!attempt_id)
        return 0;
    rc = attempt_get(v->s, attempt_id, &a, err);
    if (rc)
        return rc == -(int)E_NOTFOUND ? 0 : rc;
    outcome_sentence(&a.outcome, &b);
    str_copy(buf_str(&b), info, VIEW_INFO_MAX);
    buf_done(&b);
    return 0;
}

/* --- orders --- */

/* Columns in front of the id. A second one is a number, and goes into the cursor as text. */
static const struct order {
    const char *name, *index, *first, *second;
    bool is_text;
} orders[] = {
    [VIEW_BY_AGE] = {.name = "age", .index = "r_live"},
    [VIEW_BY_NEXT] = {.name = "next", .index = "r_state", .first = "r.next"},
    [VIEW_BY_TRIES] = {.name = "tries", .index = "r_tries", .first = "r.tries"},
    [VIEW_BY_DOMAIN] = {.name = "domain",
                        .index = "r_domain",
                        .first = "r.domain",
                        .is_text = true},
    [VIEW_BY_SIZE] = {.name = "size", .index = "r_size", .first = "r.size"},
    [VIEW_BY_STATE] = {.name = "state", .index = "r_state", .first = "r.state", .second = "r.next"},
};
_Static_assert(ARRAY_LEN(orders) == VIEW_SORT_COUNT, "one row per order");

const char *view_sort_name(enum view_sort s)
{
    return s < VIEW_SORT_COUNT ? orders[s].name : "";
}

bool view_sort_parse(struct str name, enum view_sort *out)
{
    for (size_t i = 0; i < VIEW_SORT_COUNT; i++) {
        if (str_ieq_z(name, orders[i].name)) {
            *out = (enum view_sort)i;
            return true;
        }
    }
    return false;
}

void view_cursor_of(const struct view_query *q, const struct view_row *row, struct view_cursor *out)
{
    *out = (struct view_cursor){.is_set = true, .rcpt_id = row->rcpt_id};
    switch (q->sort) {
    case VIEW_BY_NEXT: out->number = row->next_wall_ms; break;
    case VIEW_BY_TRIES: out->number = row->tries; break;
    case VIEW_BY_SIZE: out->number = (int64_t)row->size_bytes; break;
    case VIEW_BY_DOMAIN: snprintf(out->key, sizeof(out->key), "%s", row->domain); break;
    case VIEW_BY_STATE:
        out->number = row->state;
        snprintf(out->key, sizeof(out->key), "%lld", (long long)row->next_wall_ms);
        break;
    default: break;
    }
}

/* --- rows --- */

#define ROW_COLUMNS                                                                                \
    "SELECT r.id, r.message, r.state, m.class, r.tries, r.arrival, r.next, r.last, r.finished,"    \
    " r.size, r.code, r.enhanced, r.cause, m.sender, r.address, r.domain, r.site, m.h_subject,"    \
    " r.note, r.attempt, r.via, r.job"

static int read_row(struct view *v, sqlite3_stmt *st, struct view_row *row, struct err *err)
{
    *row = (struct view_row){
        .rcpt_id = sqlite3_column_int64(st, 0),
        .message_id = sqlite3_column_int64(st, 1),
        .state = (enum rcpt_state)column_enum(st, 2, RCPT_STATE_COUNT),
        .class = (enum msg_class)column_enum(st, 3, MSG_REPORT + 1),
        .tries = (unsigned)sqlite3_column_int(st, 4),
        .arrival_wall_ms = sqlite3_column_int64(st, 5),
        .next_wall_ms = sqlite3_column_int64(st, 6),
        .last_wall_ms = sqlite3_column_int64(st, 7),
        .finished_wall_ms = sqlite3_column_int64(st, 8),
        .size_bytes = (uint64_t)sqlite3_column_int64(st, 9),
        .code = sqlite3_column_int(st, 10),
    };
    column_copy(st, 11, row->enhanced, sizeof(row->enhanced));
    column_copy(st, 12, row->cause, sizeof(row->cause));
    column_copy(st, 13, row->from, sizeof(row->from));
    column_copy(st, 14, row->to, sizeof(row->to));
    column_copy(st, 15, row->domain, sizeof(row->domain));
    column_copy(st, 16, row->site, sizeof(row->site));
    column_copy(st, 17, row->subject, sizeof(row->subject));
    column_copy(st, 18, row->note, sizeof(row->note));
    column_copy(st, 20, row->via, sizeof(row->via));
    row->is_held_by_engine = row->state == RCPT_HELD && sqlite3_column_int64(st, 21) == 0;
    return view_info(v, sqlite3_column_int64(st, 19), row->info, err);
}

/* One step of a page: how many of the order's columns equal the cursor's; the next one is behind it. */
struct step {
    const struct order *o;
    const struct view_cursor *at;
    unsigned equal;
    bool is_down;
    int state; /* of these rows only; -1 = all */
};

static void put_step(struct buf *sql, const struct step *p)
{
    const char *columns[3];
    unsigned n = 0;

    if (p->o->first)
        columns[n++] = p->o->first;
    if (p->o->second)
        columns[n++] = p->o->second;
    columns[n++] = "r.id";
    if (p->state >= 0)
        buf_add_z(sql, " AND r.state=?16");
    for (unsigned i = 0; p->at->is_set && i < n && i <= p->equal; i++)
        buf_printf(sql, " AND %s%s?%u", columns[i],
                   i < p->equal ? "="
                   : p->is_down ? "<"
                                : ">",
                   1 + i);
    buf_add_z(sql, " ORDER BY ");
    for (unsigned i = p->at->is_set ? p->equal : 0; i < n; i++)
        buf_printf(sql, "%s%s%s", columns[i], p->is_down ? " DESC" : "", i + 1 < n ? ", " : "");
    buf_add_z(sql, " LIMIT ?17");
}

static void bind_step(sqlite3_stmt *st, const struct step *p)
{
    uint64_t second = 0;
    int i = 1;

    if (p->o->first && p->o->is_text)
        bind_z(st, i++, p->at->key);
    else if (p->o->first)
        bind_i(st, i++, p->at->number);
    if (p->o->second) {
        text_parse_u64(str_of(p->at->key), INT64_MAX, &second);
        bind_i(st, i++, (int64_t)second);
    }
    bind_i(st, i, p->at->rcpt_id);
    bind_i(st, 16, p->state);
}

/* Rows of one step into rows; returns how many. */
static int run_step(struct view *v, const struct view_query *q, const struct where *w,
                    const struct step *p, struct view_row *rows, unsigned limit, struct err *err)
{
    struct buf sql CLEANUP(buf_done) = BUF_INIT;
    sqlite3_stmt *st;
    unsigned n = 0;
    int rc = 0;

    buf_add_z(&sql, ROW_COLUMNS);
    view_from(&sql, q, w, p->o->index, true);
    put_step(&sql, p);
    st = view_prepare(v, buf_text(&sql), err);
    if (!st)
        return -(int)E_IO;
    bind_step(st, p);
    bind_i(st, 17, limit);
    view_bind(w, st);
    while (n < limit && (rc = store_next(v->s, st, err, "list the queue")) > 0) {
        rc = read_row(v, st, &rows[n++], err);
        if (rc)
            break;
    }
    sqlite3_finalize(st);
    return rc < 0 ? rc : (int)n;
}

static void reverse(struct view_row *rows, unsigned n)
{
    for (unsigned i = 0; i < n / 2; i++) {
        struct view_row tmp = rows[i];

        rows[i] = rows[n - 1 - i];
        rows[n - 1 - i] = tmp;
    }
}

/* The rows behind the cursor, step by step. */
static int run_steps(struct view *v, const struct view_query *q, const struct where *w,
                     struct step *p, struct view_row *rows, unsigned limit, struct err *err)
{
    int columns = 1 + (p->o->first != NULL) + (p->o->second != NULL);
    unsigned n = 0;

    for (int equal = p->at->is_set ? columns - 1 : 0; n < limit && equal >= 0; equal--) {
        int rc;

        p->equal = (unsigned)equal;
        rc = run_step(v, q, w, p, rows + n, limit - n, err);
        if (rc < 0)
            return rc;
        n += (unsigned)rc;
    }
    return (int)n;
}

static bool is_before(const struct view_row *a, const struct view_row *b, bool is_down)
{
    if (a->next_wall_ms != b->next_wall_ms)
        return (a->next_wall_ms < b->next_wall_ms) != is_down;
    return (a->rcpt_id < b->rcpt_id) != is_down;
}

/*
 * By next try: the index has it by state, so there are as many lists as live states, and they are
 * merged. An index of its own would cost a page for every recipient that a bulk act moves.
 */
static int run_next(struct view *v, const struct view_query *q, const struct where *w,
                    struct step *p, struct view_row *rows, unsigned limit, struct err *err)
{
    enum { STATES = RCPT_UNCONFIRMED + 1 };
    struct view_row *a = xreallocarray(NULL, (size_t)STATES * (limit ? limit : 1), sizeof(*a));
    unsigned got[STATES], at[STATES] = {0}, n = 0;
    int rc = 0;

    for (p->state = 0; rc >= 0 && p->state < STATES; p->state++) {
        rc = run_steps(v, q, w, p, a + (size_t)p->state * limit, limit, err);
        got[p->state] = rc > 0 ? (unsigned)rc : 0;
    }
    for (; rc >= 0 && n < limit; n++) {
        const struct view_row *best = NULL;
        unsigned from = 0;

        for (unsigned i = 0; i < STATES; i++) {
            const struct view_row *row = &a[(size_t)i * limit + at[i]];

            if (at[i] < got[i] && (!best || is_before(row, best, p->is_down))) {
                best = row;
                from = i;
            }
        }
        if (!best)
            break;
        rows[n] = *best;
        at[from]++;
    }
    free(a);
    return rc < 0 ? rc : (int)n;
}

int view_rows(struct view *v, const struct view_query *q, const struct view_cursor *at,
              bool is_back, struct view_row *rows, unsigned limit, struct err *err)
{
    static const struct view_cursor start;
    struct step step = {.o = &orders[q->sort < VIEW_SORT_COUNT ? q->sort : VIEW_BY_AGE],
                        .at = at ? at : &start,
                        .is_down = q->is_descending != is_back,
                        .state = -1};
    struct where w CLEANUP(where_done) = {0};
    int rc = view_begin(v, err);

    if (!rc)
        rc = where_build(&w, v->s, q->filter, q->now_wall_ms, err);
    if (!rc && q->sort == VIEW_BY_NEXT && !view_with_final(q, &w))
        rc = run_next(v, q, &w, &step, rows, limit, err);
    else if (!rc)
        rc = run_steps(v, q, &w, &step, rows, limit, err);
    view_end(v);
    if (rc > 0 && is_back)
        reverse(rows, (unsigned)rc);
    return rc;
}

int view_count(struct view *v, const struct view_query *q, uint64_t *out, struct err *err)
{
    struct buf sql CLEANUP(buf_done) = BUF_INIT;
    struct where w CLEANUP(where_done) = {0};
    sqlite3_stmt *st = NULL;
    int rc = view_begin(v, err);

    if (!rc)
        rc = where_build(&w, v->s, q->filter, q->now_wall_ms, err);
    if (!rc) {
        buf_add_z(&sql, "SELECT count(*)");
        view_from(&sql, q, &w, w.is_covered ? "r_domain" : "r_live", false);
        st = view_prepare(v, buf_text(&sql), err);
        rc = st ? 0 : -(int)E_IO;
    }
    if (!rc) {
        view_bind(&w, st);
        rc = store_next(v->s, st, err, "count the queue");
        if (rc > 0)
            *out = (uint64_t)sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    view_end(v);
    return rc < 0 ? rc : 0;
}

int view_totals(struct view *v, struct queue_totals *out, struct err *err)
{
    int rc = view_begin(v, err);

    if (!rc)
        rc = queue_totals(v->s, out, err);
    view_end(v);
    return rc;
}

int view_recipients(struct view *v, int64_t message_id, int64_t after_id, struct view_row *rows,
                    unsigned limit, struct err *err)
{
    sqlite3_stmt *st = NULL;
    unsigned n = 0;
    int rc = view_begin(v, err);

    if (!rc) {
        st = view_prepare(v,
                          ROW_COLUMNS " FROM message m CROSS JOIN recipient r NOT INDEXED"
                                      " WHERE m.id=?1 AND r.id>=m.rcpt_first AND r.id<=m.rcpt_last"
                                      " AND r.id>?2 AND r.message=m.id ORDER BY r.id LIMIT ?3",
                          err);
        rc = st ? 0 : -(int)E_IO;
    }
    if (st) {
        bind_i(st, 1, message_id);
        bind_i(st, 2, after_id);
        bind_i(st, 3, limit);
        while (n < limit && (rc = store_next(v->s, st, err, "list recipients")) > 0) {
            rc = read_row(v, st, &rows[n++], err);
            if (rc)
                break;
        }
    }
    sqlite3_finalize(st);
    view_end(v);
    return rc < 0 ? rc : (int)n;
}
