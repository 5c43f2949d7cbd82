/* SPDX-License-Identifier: ISC */
/* The delivery log: written, packed, lost and found again, read both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/rng.h"
#include "store/dayfile.h"
#include "store/daylog.h"
#include "store/store_private.h"
#include "store/view.h"
#include "tests/unit/store/fixture.h"

struct l {
    struct fixture f;
    struct store *s;
    struct daylog *d;
    struct view *v;
    struct err err;
    int64_t ids[20000];
    int n;
};

static int setup(void **state)
{
    struct l *l = xnew(struct l);

    fixture_init(&l->f);
    if (store_open(l->f.dir, STORE_WRITER, &l->s, &l->err) ||
        daylog_open(l->f.dir, &l->d, &l->err) || view_open(l->f.dir, &l->v, &l->err)) {
        print_error("%s\n", l->err.text);
        return 1;
    }
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    struct l *l = *state;

    view_close(l->v);
    daylog_close(l->d);
    store_close(l->s);
    fixture_remove(l->f.dir);
    free(l);
    return 0;
}

/* n lines a second apart; line i says "nI." and every tenth "Tenth". */
static void write_lines(struct l *l, int n, int64_t apart_ms)
{
    for (int i = 0; i < n; i++) {
        struct buf b = BUF_INIT;
        char id[ID_TEXT_MAX];

        l->f.now += apart_ms;
        l->ids[l->n] = fixture_id(&l->f);
        buf_printf(&b,
                   "%s: to=<user%d@example.net>, relay=mx[192.0.2.1]:25, dsn=2.0.0, "
                   "status=sent (250 n%d.%s)",
                   id_text(l->ids[l->n], id), l->n % 7, l->n, l->n % 10 ? "" : " Tenth");
        daylog_add(l->d, l->ids[l->n], l->f.now, buf_str(&b));
        l->n++;
        buf_done(&b);
        if (daylog_gathered(l->d) >= 100)
            assert_int_equal(daylog_flush(l->d, &l->err), 0);
    }
    assert_int_equal(daylog_flush(l->d, &l->err), 0);
}

static void pack_all(struct l *l)
{
    while (daylog_pack(l->d, &l->err))
        ;
}

static struct view_log_query find(const char *text)
{
    return (struct view_log_query){.needle = str_of(text)};
}

/* Walk all pages one way; the numbers seen, in order of time. */
static int walk(struct l *l, const struct view_log_query *q, bool is_back, unsigned page,
                int64_t *ids, int max)
{
    int64_t at = is_back ? INT64_MAX : 0;
    int n = 0;

    for (;;) {
        struct view_log_page p;
        int rc = is_back ? view_log_back(l->v, q, at, page, 0, &p, &l->err)
                         : view_log_forward(l->v, q, at, page, 0, &p, &l->err);

        if (rc)
            fail_msg("%s", l->err.text);
        assert_false(p.is_cut);
        for (size_t i = 0; i < p.n; i++) {
            size_t k = is_back ? p.n - 1 - i : i;

            assert_true(n < max);
            assert_true(is_back ? p.lines[k].id <= at : p.lines[k].id >= at);
            at = p.lines[k].id;
            ids[n++] = at;
        }
        bool is_end = p.n == 0;

        view_log_done(&p);
        if (is_end)
            return n;
    }
}

static void lines_come_back_in_order_both_ways(void **state)
{
    struct l *l = *state;
    static int64_t ids[20000];
    struct view_log_query all = find("");

    write_lines(l, 300, 1);
    assert_int_equal(walk(l, &all, true, 7, ids, 20000), 300);
    for (int i = 0; i < 300; i++)
        assert_int_equal(ids[i], l->ids[299 - i]);
    assert_int_equal(walk(l, &all, false, 7, ids, 20000), 300);
    for (int i = 0; i < 300; i++)
        assert_int_equal(ids[i], l->ids[i]);
}

static void packed_lines_of_several_days_are_found_like_rows(void **state)
{
    struct l *l = *state;
    static int64_t ids[20000];
    struct view_log_query tenth = find("tENTH"), all = find("");
    struct view_log_page p;

    write_lines(l, 12000, 8000); /* a day and some */
    pack_all(l);
    write_lines(l, 500, 8000);
    assert_int_equal(walk(l, &all, true, 500, ids, 20000), 12500);
    for (int i = 0; i < 12500; i++)
        assert_int_equal(ids[i], l->ids[12499 - i]);
    assert_int_equal(walk(l, &tenth, true, 60, ids, 20000), 1250);
    for (int i = 0; i < 1250; i++)
        assert_int_equal(ids[i], l->ids[12490 - 10 * i]);
    assert_int_equal(walk(l, &tenth, false, 60, ids, 20000), 1250);
    for (int i = 0; i < 1250; i++)
        assert_int_equal(ids[i], l->ids[10 * i]);
    all = find("n4711.");
    assert_int_equal(view_log_back(l->v, &all, INT64_MAX, 60, 0, &p, &l->err), 0);
    assert_int_equal(p.n, 1);
    assert_true(p.is_start);
    assert_int_equal(p.scanned_lines, 12500);
    view_log_done(&p);
}

static void a_line_is_written_once_whatever_happened_to_it(void **state)
{
    struct l *l = *state;
    static int64_t ids[20000];
    struct view_log_query all = find("");

    write_lines(l, 9500, 1);
    pack_all(l);
    /* again: one that is packed, one that is a row */
    daylog_add(l->d, l->ids[5], l->f.now, STR("again"));
    daylog_add(l->d, l->ids[9499], l->f.now, STR("again"));
    assert_int_equal(daylog_flush(l->d, &l->err), 0);
    assert_int_equal(walk(l, &all, true, 1000, ids, 20000), 9500);
    assert_true(daylog_has(l->d, l->ids[5]));
    assert_true(daylog_has(l->d, l->ids[9499]));
    assert_false(daylog_has(l->d, l->ids[9499] + 1));
    assert_int_equal(daylog_last_id(l->d), l->ids[9499]);
}

static void late_lines_find_their_place_among_packed_ones(void **state)
{
    struct l *l = *state;
    static int64_t ids[20000];
    struct view_log_query all = find("");
    int n = 0;

    for (int i = 0; i < 9500; i++) { /* every 50th is held back */
        char text[64];

        l->f.now += 2;
        l->ids[i] = fixture_id(&l->f);
        snprintf(text, sizeof(text), "line %d status=sent (%0*d)", i, 30, 0);
        if (i % 50)
            daylog_add(l->d, l->ids[i], l->f.now, str_of(text));
    }
    assert_int_equal(daylog_flush(l->d, &l->err), 0);
    pack_all(l);
    for (int i = 0; i < 9500; i += 50)
        daylog_add(l->d, l->ids[i], l->f.now, STR("late"));
    assert_int_equal(daylog_flush(l->d, &l->err), 0);
    all.until_wall_ms = l->f.now;
    for (int round = 0; round < 2; round++) {
        n = walk(l, &all, true, 333, ids, 20000);
        assert_int_equal(n, 9500);
        for (int i = 0; i < n; i++)
            assert_int_equal(ids[i], l->ids[9499 - i]);
        assert_int_equal(walk(l, &all, false, 333, ids, 20000), 9500);
        for (int i = 0; i < n; i++)
            assert_int_equal(ids[i], l->ids[i]);
        /* newer lines come, so that the late ones are packed among the others: the same again */
        for (int i = 0; round == 0 && i < 8200; i++) {
            l->f.now += 2;
            daylog_add(l->d, fixture_id(&l->f), l->f.now, STR("tail"));
        }
        assert_int_equal(daylog_flush(l->d, &l->err), 0);
        pack_all(l);
    }
}

static void the_two_lines_of_an_entry_stay_together(void **state)
{
    struct l *l = *state;
    struct view_log_query all = find(""), removed = find("removed");
    struct view_log_page p;
    int64_t a, b;

    for (int round = 0; round < 2; round++) {
        a = fixture_id(&l->f);
        b = fixture_id(&l->f);
        daylog_add(l->d, a, l->f.now, STR("A: to=<x@y.example>\nA: removed"));
        daylog_add(l->d, b, l->f.now, STR("B: to=<x@y.example>\nB: removed"));
        assert_int_equal(daylog_flush(l->d, &l->err), 0);
        assert_int_equal(view_log_back(l->v, &all, INT64_MAX, 1, 0, &p, &l->err), 0);
        assert_int_equal(p.n, 2);
        assert_string_equal(p.lines[0].text, "B: to=<x@y.example>");
        assert_string_equal(p.lines[1].text, "B: removed");
        view_log_done(&p);
        assert_int_equal(view_log_back(l->v, &removed, b, 10, 0, &p, &l->err), 0);
        assert_int_equal(p.n, (size_t)(round + 1) + (size_t)round);
        view_log_done(&p);
        if (round == 0) { /* the same from a block */
            write_lines(l, 8500, 1);
            pack_all(l);
        }
    }
}

static void a_filter_and_times_bound_what_is_found(void **state)
{
    struct l *l = *state;
    static int64_t ids[20000];
    struct filter f;
    struct view_log_query q = {0};
    bool is_cut;
    uint64_t n;

    write_lines(l, 9000, 1000);
    pack_all(l);
    assert_int_equal(filter_parse(STR("to:user3@ Tenth"), l->f.now, &f, &l->err), 0);
    q.filter = &f;
    assert_int_equal(walk(l, &q, true, 60, ids, 20000), 9000 / 70 + 1);
    assert_int_equal(view_log_count(l->v, &q, 0, &n, &is_cut, &l->err), 0);
    assert_int_equal(n, 9000 / 70 + 1);
    assert_false(is_cut);
    filter_done(&f);
    q = find("");
    q.since_wall_ms = T0 + 1000 * 1000;
    q.until_wall_ms = T0 + 1999 * 1000;
    assert_int_equal(walk(l, &q, true, 60, ids, 20000), 1000);
    assert_int_equal(walk(l, &q, false, 60, ids, 20000), 1000);
    assert_int_equal(ids[0], l->ids[999]);
}

static void a_search_that_is_cut_short_goes_on_where_it_stopped(void **state)
{
    struct l *l = *state;
    struct view_log_query q = find("n0.");
    struct view_log_page p;
    int64_t at = INT64_MAX;
    unsigned calls = 0, found = 0;

    for (int i = 0; i < 8; i++) {
        write_lines(l, 2000, 1);
        pack_all(l);
    }
    do {
        assert_int_equal(view_log_back(l->v, &q, at, 10, 1, &p, &l->err), 0);
        found += (unsigned)p.n;
        assert_true(p.resume_id < at);
        at = p.resume_id;
        calls++;
        bool is_cut = p.is_cut;

        view_log_done(&p);
        if (!is_cut)
            break;
    } while (calls < 10000);
    assert_int_equal(found, 1);
}

static void old_days_go_and_the_rest_stays(void **state)
{
    struct l *l = *state;
    static int64_t ids[20000];
    struct view_log_query all = find("");

    write_lines(l, 40, DAY_MS / 10);
    assert_int_equal(daylog_purge(l->d, l->f.now - DAY_MS, &l->err), 0);
    int n = walk(l, &all, true, 60, ids, 20000);

    assert_in_range(n, 10, 20);
    assert_int_equal(ids[0], l->ids[39]);
    assert_int_equal(daylog_purge(l->d, l->f.now + 2 * DAY_MS, &l->err), 0);
    assert_int_equal(walk(l, &all, true, 60, ids, 20000), 0);
    write_lines(l, 1, 1);
    assert_int_equal(walk(l, &all, true, 60, ids, 20000), 1);
}

static void a_damaged_block_is_passed_over(void **state)
{
    struct l *l = *state;
    static int64_t ids[20000];
    struct view_log_query all = find("");
    char name[DAYFILE_NAME_MAX], *path;
    sqlite3 *db;
    int before;

    write_lines(l, 9000, 1);
    pack_all(l);
    before = walk(l, &all, true, 500, ids, 20000);
    dayfile_name(l->ids[0], name);
    path = xasprintf("%s/%s", l->f.dir, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    /* a wrong count, offsets that point anywhere, a text without end */
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE seg SET n=1000000 WHERE rowid=(SELECT min(id) FROM seg);"
                                  "UPDATE seg SET meta=randomblob(length(meta))"
                                  " WHERE rowid=(SELECT max(id) FROM seg);"
                                  "UPDATE seg SET data=x'4141' WHERE rowid="
                                  "(SELECT id FROM seg ORDER BY id LIMIT 1 OFFSET 2)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    free(path);
    for (int i = 0; i < 2; i++) {
        struct view_log_page p;

        all = find(i ? "tenth" : "");
        assert_int_equal(view_log_back(l->v, &all, INT64_MAX, 20000, 0, &p, &l->err), 0);
        assert_true(p.n > 0 && (int)p.n < before);
        view_log_done(&p);
        assert_int_equal(view_log_forward(l->v, &all, 0, 20000, 0, &p, &l->err), 0);
        view_log_done(&p);
    }
}

static void settle_one(struct l *l, const struct recipient *r, int code)
{
    struct outcome o;
    struct queue_settle qs;
    unsigned epoch;
    bool done;

    fixture_outcome(&o, code, "the server's words");
    assert_int_equal(queue_claim(l->s, r->id, "mx", &epoch, &l->err), 0);
    qs = fixture_settle(&l->f, r, epoch, code < 400 ? RCPT_DELIVERED : RCPT_QUEUED, &o);
    qs.log_line = STR("a line");
    assert_int_equal(queue_settle(l->s, &qs, &done, &l->err), 0);
}

static void lines_that_a_crash_left_out_are_written_at_the_start(void **state)
{
    struct l *l = *state;
    struct queue_recovered out;
    struct view_log_query all = find("");
    struct view_log_page p;
    struct message m;
    struct recipient r[3];

    l->s->log = l->d;
    fixture_mail(&l->f, "example.net", 3, 100, &m, r);
    assert_int_equal(store_begin(l->s, &l->err), 0);
    assert_int_equal(queue_accept(l->s, &m, r, 3, &l->err), 0);
    settle_one(l, &r[0], 250);
    assert_int_equal(store_commit(l->s, &l->err), 0);
    assert_int_equal(daylog_flush(l->d, &l->err), 0);
    assert_int_equal(store_begin(l->s, &l->err), 0);
    settle_one(l, &r[1], 250);
    settle_one(l, &r[2], 450);
    assert_int_equal(store_commit(l->s, &l->err), 0);
    daylog_forget(l->d, 0); /* the crash */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_begin(l->s, &l->err), 0);
        assert_int_equal(queue_recover(l->s, l->f.now, l->f.now, &out, &l->err), 0);
        assert_int_equal(store_commit(l->s, &l->err), 0);
        assert_int_equal(out.log_lines, i ? 0 : 2); /* the second start finds nothing to do */
    }
    assert_int_equal(view_log_back(l->v, &all, INT64_MAX, 10, 0, &p, &l->err), 0);
    assert_int_equal(p.n, 3);
    assert_string_equal(p.lines[0].text, "a line");
    assert_non_null(strstr(p.lines[1].text, "to=<u1@example.net>"));
    assert_non_null(strstr(p.lines[1].text, "status=sent"));
    assert_non_null(strstr(p.lines[2].text, "status=deferred"));
    view_log_done(&p);
    l->s->log = NULL;
}

static void a_rollback_takes_its_lines_back(void **state)
{
    struct l *l = *state;

    l->s->log = l->d;
    assert_int_equal(queue_log(l->s, fixture_id(&l->f), l->f.now, STR("before"), &l->err), 0);
    assert_int_equal(store_begin(l->s, &l->err), 0);
    assert_int_equal(queue_log(l->s, fixture_id(&l->f), l->f.now, STR("within"), &l->err), 0);
    store_rollback(l->s);
    assert_int_equal(daylog_gathered(l->d), 1);
    l->s->log = NULL;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(lines_come_back_in_order_both_ways),
        T(packed_lines_of_several_days_are_found_like_rows),
        T(a_line_is_written_once_whatever_happened_to_it),
        T(late_lines_find_their_place_among_packed_ones),
        T(the_two_lines_of_an_entry_stay_together),
        T(a_filter_and_times_bound_what_is_found),
        T(a_search_that_is_cut_short_goes_on_where_it_stopped),
        T(old_days_go_and_the_rest_stays),
        T(a_damaged_block_is_passed_over),
        T(lines_that_a_crash_left_out_are_written_at_the_start),
        T(a_rollback_takes_its_lines_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
