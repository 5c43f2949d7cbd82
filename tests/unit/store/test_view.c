/* SPDX-License-Identifier: ISC */
/* What the console sees: pages in every order both ways, groups, filters; and what bulk acts touch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/rng.h"
#include "store/store_private.h"
#include "store/view.h"
#include "tests/unit/store/fixture.h"

#define RCPTS 250

struct w {
    struct fixture f;
    struct store *s;
    struct view *v;
    struct err err;
};

#define ok(w, call)                                                                                \
    do {                                                                                           \
        int ok_rc = (call);                                                                        \
        if (ok_rc < 0)                                                                             \
            fail_msg("%s: %d %s", #call, ok_rc, (w)->err.text);                                    \
    } while (0)

/* 250 recipients of some domains, in all states: few values of each, so that keys are often equal. */
static void fill(struct w *w)
{
    static const char *const domains[] = {"a.example", "b.example", "c.example", "d.example"};
    static const enum rcpt_state ends[] = {RCPT_QUEUED,    RCPT_HELD,    RCPT_UNCONFIRMED,
                                           RCPT_DELIVERED, RCPT_BOUNCED, RCPT_EXPIRED};
    struct rng rng;

    rng_init_seed(&rng, 7);
    ok(w, store_begin(w->s, &w->err));
    for (int i = 0; i < RCPTS; i++) {
        struct message m;
        struct recipient r;
        struct outcome o;
        unsigned epoch;
        bool done;

        w->f.now += (int64_t)rng_below(&rng, 3);
        fixture_mail(&w->f, domains[rng_below(&rng, 4)], 1, rng_below(&rng, 3) * 1000, &m, &r);
        r.next_wall_ms += (int64_t)rng_below(&rng, 4) * MINUTE_MS;
        ok(w, queue_accept(w->s, &m, &r, 1, &w->err));
        for (unsigned tries = (unsigned)rng_below(&rng, 4); tries > 0; tries--) {
            struct queue_settle q;

            fixture_outcome(&o,
                            tries == 2                 ? 451
                            : tries == 1 && i % 4 == 0 ? 452
                                                       : 550,
                            "the server's words");
            ok(w, queue_claim(w->s, r.id, "mx.example.net", &epoch, &w->err));
            q = fixture_settle(&w->f, &r, epoch, tries > 1 ? RCPT_QUEUED : ends[rng_below(&rng, 6)],
                               &o);
            q.next_wall_ms = w->f.now + (int64_t)rng_below(&rng, 3) * HOUR_MS;
            ok(w, queue_settle(w->s, &q, &done, &w->err));
        }
        if (i % 10 == 0)
            queue_claim(w->s, r.id, "mx.example.net", &epoch, NULL);
    }
    ok(w, store_commit(w->s, &w->err));
}

static int setup(void **state)
{
    struct w *w = xnew(struct w);

    fixture_init(&w->f);
    if (store_open(w->f.dir, STORE_WRITER, &w->s, &w->err) || view_open(w->f.dir, &w->v, &w->err)) {
        print_error("%s\n", w->err.text);
        return 1;
    }
    *state = w;
    fill(w);
    return 0;
}

static int teardown(void **state)
{
    struct w *w = *state;

    view_close(w->v);
    store_close(w->s);
    fixture_remove(w->f.dir);
    free(w);
    return 0;
}

/* --- orders --- */

static int compare(enum view_sort by, const struct view_row *a, const struct view_row *b)
{
    int64_t d = 0;

    switch (by) {
    case VIEW_BY_NEXT: d = a->next_wall_ms - b->next_wall_ms; break;
    case VIEW_BY_TRIES: d = (int64_t)a->tries - b->tries; break;
    case VIEW_BY_SIZE: d = (int64_t)a->size_bytes - (int64_t)b->size_bytes; break;
    case VIEW_BY_DOMAIN: d = strcmp(a->domain, b->domain); break;
    case VIEW_BY_STATE:
        d = (int64_t)a->state - b->state;
        if (!d)
            d = a->next_wall_ms - b->next_wall_ms;
        break;
    default: break;
    }
    if (!d)
        d = a->rcpt_id - b->rcpt_id;
    return d < 0 ? -1 : d > 0;
}

/* All pages from one end to the other; returns how many rows. */
static int walk(struct w *w, const struct view_query *q, bool is_back, struct view_row *all)
{
    struct view_cursor at = {0};
    struct view_row page[17];
    int n = 0, got;

    while ((got = view_rows(w->v, q, &at, is_back, page, 17, &w->err)) > 0) {
        for (int i = 0; i < got; i++)
            all[n + i] = page[is_back ? got - 1 - i : i];
        n += got;
        assert_true(n <= RCPTS);
        view_cursor_of(q, &page[is_back ? 0 : got - 1], &at);
    }
    ok(w, got);
    return n;
}

static void pages_go_through_every_order_both_ways(void **state)
{
    struct w *w = *state;
    struct view_row *all = xcalloc(RCPTS, sizeof(*all));

    for (int sort = 0; sort < VIEW_SORT_COUNT; sort++) {
        for (int k = 0; k < 8; k++) {
            struct view_query q = {.sort = (enum view_sort)sort,
                                   .is_descending = k & 1,
                                   .with_final = k & 2,
                                   .now_wall_ms = w->f.now};
            bool is_back = k & 4;
            uint64_t count;
            int n = walk(w, &q, is_back, all);
            int wanted = (q.is_descending != is_back) ? 1 : -1;

            ok(w, view_count(w->v, &q, &count, &w->err));
            assert_int_equal(n, count);
            assert_true(q.with_final ? n == RCPTS : n > 60 && n < RCPTS);
            for (int i = 1; i < n; i++) {
                if (compare(q.sort, &all[i - 1], &all[i]) != wanted)
                    fail_msg("%s, way %d: row %d is out of order", view_sort_name(q.sort), k, i);
            }
        }
    }
    free(all);
}

static void a_row_says_what_happened(void **state)
{
    struct w *w = *state;
    struct filter f;
    struct view_query q = {.filter = &f, .now_wall_ms = w->f.now};
    struct view_row row;

    ok(w, filter_parse(STR("state:bounced tries:>1 code:550"), w->f.now, &f, &w->err));
    assert_int_equal(view_rows(w->v, &q, NULL, false, &row, 1, &w->err), 1);
    assert_int_equal(row.state, RCPT_BOUNCED);
    assert_int_equal(row.code, 550);
    assert_string_equal(row.site, "mx1.example.net");
    assert_string_equal(row.from, "sender@example.com");
    assert_string_equal(row.subject, "Invoice 4711 is ready");
    assert_non_null(strstr(row.info, "the server's words"));
    assert_non_null(strstr(row.info, "550"));
    assert_true(row.finished_wall_ms > 0);
    assert_true(row.last_wall_ms > 0);
    filter_done(&f);
}

/* --- filters --- */

static bool is_live(const struct view_row *r)
{
    return !rcpt_state_is_final(r->state);
}

/* The same by hand, over all rows. */
static bool by_hand(int i, const struct view_row *r, int64_t now)
{
    switch (i) {
    case 0: return is_live(r);
    case 1: return is_live(r) && strcmp(r->domain, "a.example") == 0;
    case 2:
        return is_live(r) &&
               (strcmp(r->domain, "a.example") == 0 || strcmp(r->domain, "b.example") == 0);
    case 3: return is_live(r) && strcmp(r->domain, "a.example") != 0;
    case 4: return r->state == RCPT_HELD || r->state == RCPT_BOUNCED;
    case 5: return r->state == RCPT_QUEUED && r->tries > 0;
    case 6: return r->state == RCPT_HELD;
    case 7: return is_live(r) && r->tries > 1 && r->size_bytes >= 1000;
    case 8: return is_live(r) && r->code == 452;
    case 9: return is_live(r) && r->code >= 500 && r->code < 600;
    case 10: return is_live(r) && now - r->arrival_wall_ms < 100;
    case 11:
        return (r->state == RCPT_QUEUED || r->state == RCPT_UNCONFIRMED) &&
               r->next_wall_ms - now <= 2 * MINUTE_MS;
    case 12: return is_live(r) && strstr(r->info, "server");
    case 13: return is_live(r) && !strstr(r->info, "server");
    case 14: return is_live(r) && strcmp(r->site, "mx1.example.net") == 0;
    case 15: return false;
    case 16: return is_live(r) && strncmp(r->cause, "rcpt 5", 6) == 0;
    case 17: return r->state == RCPT_DELIVERED;
    case 18: return is_live(r) && r->tries > 0;
    default: return false;
    }
}

static const char *const filters[] = {
    "",
    "domain:a.example",
    "domain:A.example domain:b.*",
    "-domain:a.example",
    "state:held state:bounced",
    "state:deferred",
    "state:stuck",
    "tries:>1 size:>=1000",
    "code:452",
    "code:5",
    "age:<100ms",
    "next:<=2m",
    "SERVER's",
    "-server's",
    "site:mx1*",
    "100%_",
    "cause:\"rcpt 5*\"",
    "status:sent",
    "relay:mx1.example.net",
};

static void filters_find_what_they_say_and_no_more(void **state)
{
    struct w *w = *state;
    struct view_row *all = xcalloc(RCPTS, sizeof(*all));
    struct view_row *some = xcalloc(RCPTS, sizeof(*some));
    struct view_query q = {.with_final = true, .now_wall_ms = w->f.now};
    int n = walk(w, &q, false, all);

    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        struct filter f;
        int wanted = 0, got;

        ok(w, filter_parse(str_of(filters[i]), w->f.now, &f, &w->err));
        q = (struct view_query){.filter = &f, .now_wall_ms = w->f.now};
        got = walk(w, &q, false, some);
        for (int k = 0; k < n; k++) {
            if (!by_hand((int)i, &all[k], w->f.now))
                continue;
            if (wanted >= got || some[wanted].rcpt_id != all[k].rcpt_id)
                fail_msg("\"%s\": row %d is not what it should be", filters[i], wanted);
            wanted++;
        }
        if (wanted != got)
            fail_msg("\"%s\": %d rows, should be %d", filters[i], got, wanted);
        if (i != 15 && got == 0)
            fail_msg("\"%s\" finds nothing: the test cannot fail", filters[i]);
        filter_done(&f);
    }
    free(all);
    free(some);
}

static void an_id_finds_its_message_or_recipient(void **state)
{
    struct w *w = *state;
    struct view_query q = {.now_wall_ms = w->f.now};
    struct view_row row, found[3];
    struct filter f;
    char text[80], id[ID_TEXT_MAX];

    assert_int_equal(view_rows(w->v, &q, NULL, true, &row, 1, &w->err), 1);
    q.filter = &f;
    for (int i = 0; i < 3; i++) {
        const int64_t ids[] = {row.message_id, row.rcpt_id, 4711};

        snprintf(text, sizeof(text), "id:%s", id_text(ids[i], id));
        ok(w, filter_parse(str_of(text), w->f.now, &f, &w->err));
        assert_int_equal(view_rows(w->v, &q, NULL, false, found, 3, &w->err), i < 2);
        if (i < 2)
            assert_int_equal(found[0].rcpt_id, row.rcpt_id);
        filter_done(&f);
    }
}

static void a_word_that_the_queue_does_not_know_is_refused(void **state)
{
    struct w *w = *state;
    struct view_query q = {.now_wall_ms = w->f.now};
    struct view_row row;
    struct filter f;

    ok(w, filter_parse(STR("owner:us"), w->f.now, &f, &w->err));
    q.filter = &f;
    assert_int_equal(view_rows(w->v, &q, NULL, false, &row, 1, &w->err), -E_SYNTAX);
    filter_done(&f);
}

static void escapes_of_a_peer_are_found(void **state)
{
    struct w *w = *state;
    struct view_query q = {.now_wall_ms = w->f.now};
    struct queue_settle qs;
    struct view_row rows[4];
    struct message m;
    struct recipient r;
    struct outcome o;
    struct filter f;
    unsigned epoch;
    bool done;

    ok(w, store_begin(w->s, &w->err));
    fixture_mail(&w->f, "evil.example", 1, 10, &m, &r);
    ok(w, queue_accept(w->s, &m, &r, 1, &w->err));
    ok(w, queue_claim(w->s, r.id, "x", &epoch, &w->err));
    fixture_outcome(&o, 450, "hello \x1b[2Jworld");
    qs = fixture_settle(&w->f, &r, epoch, RCPT_QUEUED, &o);
    ok(w, queue_settle(w->s, &qs, &done, &w->err));
    ok(w, store_commit(w->s, &w->err));
    ok(w, filter_parse(STR("has:escapes"), w->f.now, &f, &w->err));
    q.filter = &f;
    assert_int_equal(view_rows(w->v, &q, NULL, false, rows, 4, &w->err), 1);
    assert_int_equal(rows[0].rcpt_id, r.id);
    filter_done(&f);
}

/* --- groups --- */

static void groups_add_up(void **state)
{
    struct w *w = *state;
    struct view_row *all = xcalloc(RCPTS, sizeof(*all));
    struct view_query q = {.now_wall_ms = w->f.now};
    struct view_group_row rows[50];
    int n = walk(w, &q, false, all);

    for (int by = 0; by < VIEW_GROUP_COUNT; by++) {
        int got = view_groups(w->v, &q, (enum view_group)by, rows, 50, &w->err);
        uint64_t sum = 0, bytes = 0;

        assert_true(got > 0);
        for (int i = 0; i < got; i++) {
            sum += rows[i].count;
            bytes += rows[i].bytes;
            assert_true(i == 0 || rows[i].count <= rows[i - 1].count);
            assert_in_range(rows[i].domains, 1, 4);
            assert_true(rows[i].oldest_wall_ms >= T0);
        }
        assert_int_equal(sum, n);
        for (int i = 0; i < n; i++)
            bytes -= all[i].size_bytes;
        assert_int_equal(bytes, 0);
    }
    int got = view_groups(w->v, &q, VIEW_GROUP_DOMAIN, rows, 50, &w->err);

    assert_int_equal(got, 4);
    for (int i = 0; i < got; i++) {
        uint64_t count = 0;

        for (int k = 0; k < n; k++)
            count += strcmp(all[k].domain, rows[i].key) == 0;
        assert_int_equal(rows[i].count, count);
        assert_int_equal(rows[i].domains, 1);
    }
    free(all);
}

static void totals_of_the_view_are_those_of_the_rows(void **state)
{
    struct w *w = *state;
    struct view_row *all = xcalloc(RCPTS, sizeof(*all));
    struct view_query q = {.with_final = true, .now_wall_ms = w->f.now};
    struct queue_totals t;
    uint64_t by_state[RCPT_STATE_COUNT] = {0}, deferred = 0, open = 0, bytes = 0;
    int n = walk(w, &q, false, all);

    ok(w, view_totals(w->v, &t, &w->err));
    for (int i = 0; i < n; i++) {
        by_state[all[i].state]++;
        deferred += all[i].state == RCPT_QUEUED && all[i].tries;
        open += is_live(&all[i]);
        bytes += is_live(&all[i]) ? all[i].size_bytes : 0;
    }
    assert_memory_equal(by_state, t.by_state, sizeof(by_state));
    assert_int_equal(t.deferred, deferred);
    assert_int_equal(t.messages, open); /* one recipient each */
    assert_int_equal(t.bytes, bytes);
    free(all);
}

static void attempts_are_a_timeline(void **state)
{
    struct w *w = *state;
    struct view_query q = {.sort = VIEW_BY_TRIES, .is_descending = true, .now_wall_ms = w->f.now};
    struct view_attempt a[5];
    struct view_row row;

    assert_int_equal(view_rows(w->v, &q, NULL, false, &row, 1, &w->err), 1);
    assert_int_equal(row.tries, 3);
    assert_int_equal(view_attempts(w->v, row.rcpt_id, 0, a, 5, &w->err), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(a[i].number, i + 1);
        assert_string_equal(a[i].outcome.host, "mx1.example.net");
        assert_int_equal(a[i].delays.d_ms, 40);
    }
    assert_int_equal(a[0].outcome.code, 550);
    assert_int_equal(a[1].outcome.code, 451);
    assert_int_equal(view_attempts(w->v, row.rcpt_id, a[0].id, a, 5, &w->err), 2);
    assert_int_equal(a[0].number, 2);
    assert_int_equal(view_attempts(w->v, 4711, 0, a, 5, &w->err), -E_NOTFOUND);
}

static void recipients_of_a_message_come_by_id(void **state)
{
    struct w *w = *state;
    struct recipient r[5];
    struct view_row rows[5];
    struct message m, back;

    ok(w, store_begin(w->s, &w->err));
    fixture_mail(&w->f, "z.example", 5, 10, &m, r);
    ok(w, queue_accept(w->s, &m, r, 5, &w->err));
    ok(w, store_commit(w->s, &w->err));
    assert_int_equal(view_recipients(w->v, m.id, 0, rows, 3, &w->err), 3);
    assert_int_equal(view_recipients(w->v, m.id, rows[2].rcpt_id, rows, 5, &w->err), 2);
    assert_string_equal(rows[1].to, "u4@z.example");
    ok(w, view_message(w->v, m.id, &back, &w->err));
    assert_string_equal(back.reverse_path, "sender@example.com");
    assert_int_equal(view_message(w->v, 4711, &back, &w->err), -E_NOTFOUND);
}

static void the_version_changes_with_a_commit(void **state)
{
    struct w *w = *state;
    int64_t before = view_version(w->v);
    struct recipient r[1];
    struct message m;

    assert_int_equal(view_version(w->v), before);
    ok(w, store_begin(w->s, &w->err));
    fixture_mail(&w->f, "z.example", 1, 10, &m, r);
    ok(w, queue_accept(w->s, &m, r, 1, &w->err));
    ok(w, store_commit(w->s, &w->err));
    assert_int_not_equal(view_version(w->v), before);
}

/* --- bulk --- */

struct told {
    unsigned n;
    enum rcpt_state state;
    int64_t next;
};

static void tell(void *arg, int64_t rcpt_id, enum rcpt_state now, int64_t next)
{
    struct told *t = arg;

    assert_true(rcpt_id > 0);
    t->n++;
    t->state = now;
    t->next = next;
}

static struct told act(struct w *w, enum queue_verb verb, const char *filter, bool is_dry_run,
                       struct queue_bulk *b)
{
    struct told told = {0};
    struct filter f;

    ok(w, filter_parse(str_of(filter), w->f.now, &f, &w->err));
    *b = (struct queue_bulk){.verb = verb,
                             .filter = &f,
                             .now_wall_ms = w->f.now,
                             .job_id = 9,
                             .reason = "too many",
                             .who = "uid 1000",
                             .via = "relay office",
                             .is_dry_run = is_dry_run};
    for (int steps = 0; !b->is_done; steps++) {
        assert_true(steps < 1000);
        ok(w, store_begin(w->s, &w->err));
        ok(w, queue_bulk_step(w->s, b, 7, tell, &told, &w->err));
        ok(w, store_commit(w->s, &w->err));
    }
    filter_done(&f);
    return told;
}

static uint64_t count(struct w *w, const char *filter)
{
    struct filter f;
    struct view_query q = {.filter = &f, .now_wall_ms = w->f.now};
    uint64_t n;

    ok(w, filter_parse(str_of(filter), w->f.now, &f, &w->err));
    ok(w, view_count(w->v, &q, &n, &w->err));
    filter_done(&f);
    return n;
}

static void a_dry_run_counts_and_changes_nothing(void **state)
{
    struct w *w = *state;
    int64_t before = view_version(w->v);
    struct queue_bulk b;
    struct told t = act(w, QUEUE_DELETE, "domain:a.example", true, &b);

    assert_int_equal(t.n, 0);
    assert_int_equal(b.seen, count(w, "domain:a.example"));
    assert_int_equal(b.changed + b.skipped, b.seen);
    assert_int_equal(b.skipped, count(w, "domain:a.example state:active"));
    assert_true(b.oldest_wall_ms >= T0);
    assert_int_equal(view_version(w->v), before);
}

static void hold_and_release_go_there_and_back(void **state)
{
    struct w *w = *state;
    uint64_t waiting = count(w, "domain:a.example state:queued state:unconfirmed");
    uint64_t held = count(w, "domain:a.example state:held");
    struct view_query q = {.now_wall_ms = w->f.now};
    struct view_row row;
    struct queue_bulk b;
    struct filter f;
    struct told t = act(w, QUEUE_HOLD, "domain:a.example", false, &b);

    assert_int_equal(t.n, waiting + held); /* what the engine held is the operator's from now on */
    assert_int_equal(t.state, RCPT_HELD);
    assert_int_equal(count(w, "domain:a.example state:held"), held + waiting);
    ok(w, filter_parse(STR("domain:a.example state:held \"too many\""), w->f.now, &f, &w->err));
    q.filter = &f;
    assert_int_equal(view_rows(w->v, &q, NULL, false, &row, 1, &w->err), 1);
    assert_string_equal(row.note, "too many (uid 1000)");
    filter_done(&f);
    t = act(w, QUEUE_RELEASE, "domain:a.example", false, &b);
    assert_int_equal(t.n, held + waiting);
    assert_int_equal(count(w, "domain:a.example state:held"), 0);
    assert_int_equal(b.skipped, count(w, "domain:a.example state:active"));
}

static void retry_makes_due_what_waits(void **state)
{
    struct w *w = *state;
    struct queue_bulk b;
    struct told t = act(w, QUEUE_RETRY, "next:>1s", false, &b);

    assert_true(t.n > 10);
    assert_int_equal(t.state, RCPT_QUEUED);
    assert_int_equal(count(w, "state:queued next:>0s"), 0);
}

/* What waits goes at once, and so does what the engine held until it is mended; what an operator holds, or
 * may have arrived, only knows its way. */
static void a_reroute_changes_the_way_and_no_other_state(void **state)
{
    struct w *w = *state;
    struct queue_bulk b;

    act(w, QUEUE_HOLD, "domain:a.example", false, &b);
    uint64_t held = count(w, "domain:a.example state:held"),
             late = count(w, "state:unconfirmed next:>1s");
    uint64_t waiting = count(w, "state:queued state:held state:unconfirmed");
    struct view_query q = {.now_wall_ms = w->f.now};
    struct view_row row;
    struct filter f;
    assert_true(held > 0 && late > 0 && count(w, "state:held") > held);
    struct told t = act(w, QUEUE_REROUTE, "", false, &b);

    assert_int_equal(t.n, waiting);
    assert_int_equal(count(w, "state:held"), held);
    assert_int_equal(count(w, "state:unconfirmed next:>1s"), late);
    assert_int_equal(count(w, "state:queued next:>0s"), 0);
    ok(w, filter_parse(STR("state:held"), w->f.now, &f, &w->err));
    q.filter = &f;
    assert_int_equal(view_rows(w->v, &q, NULL, false, &row, 1, &w->err), 1);
    assert_string_equal(row.via, "relay office");
    filter_done(&f);
    totals_of_the_view_are_those_of_the_rows(state);
}

static void a_retry_is_also_for_what_the_engine_holds(void **state)
{
    struct w *w = *state;
    struct queue_bulk b;
    uint64_t held = count(w, "state:held");

    assert_true(held > 0);
    act(w, QUEUE_RETRY, "state:held", false, &b);
    assert_int_equal(b.changed, held);
    assert_int_equal(count(w, "state:held"), 0);
    totals_of_the_view_are_those_of_the_rows(state);
}

/* Two recipients of one transaction have one transcript; a third one has none. */
static void a_transcript_is_found_by_every_attempt_that_shares_it(void **state)
{
    struct w *w = *state;
    struct recipient r[3];
    struct message m;
    struct outcome o;
    struct queue_settle q[3];
    struct buf text = BUF_INIT;
    bool done;

    fixture_outcome(&o, 451, "later");
    fixture_mail(&w->f, "z.example", 3, 10, &m, r);
    ok(w, store_begin(w->s, &w->err));
    ok(w, queue_accept(w->s, &m, r, 3, &w->err));
    for (int i = 0; i < 3; i++) {
        unsigned epoch;
        ok(w, queue_claim(w->s, r[i].id, "mx.example.net", &epoch, &w->err));
        q[i] = fixture_settle(&w->f, &r[i], epoch, RCPT_QUEUED, &o);
        if (i == 0)
            q[i].transcript = STR("0 < 220 mx\n3 < 451 later\n");
        if (i == 1)
            q[i].told = q[0].attempt_id;
        ok(w, queue_settle(w->s, &q[i], &done, &w->err));
    }
    ok(w, store_commit(w->s, &w->err));
    for (int i = 0; i < 2; i++) {
        buf_clear(&text);
        ok(w, view_transcript(w->v, q[i].attempt_id, &text, &w->err));
        assert_string_equal(buf_text(&text), "0 < 220 mx\n3 < 451 later\n");
    }
    assert_int_equal(view_transcript(w->v, q[2].attempt_id, &text, &w->err), -(int)E_NOTFOUND);
    assert_int_equal(view_transcript(w->v, 12345, &text, &w->err), -(int)E_NOTFOUND);
    buf_done(&text);
}

static void a_damaged_transcript_is_an_error_and_no_more(void **state)
{
    static const char text[] = "0 < 220 mx.example.com ESMTP ready when you are\n";
    struct buf blob = BUF_INIT, out = BUF_INIT;

    (void)state;
    transcript_pack(STR(text), &blob);
    for (size_t i = 0; i < blob.n; i++) {
        buf_clear(&out);
        assert_false(transcript_unpack(str_sub(buf_str(&blob), 0, i), &out));
        buf_clear(&out);
        blob.p[i] ^= 0x40; /* any octet, but bits that fill up the last one mean nothing */
        if (transcript_unpack(buf_str(&blob), &out))
            assert_string_equal(buf_text(&out), text);
        blob.p[i] ^= 0x40;
    }
    buf_clear(&out);
    assert_true(transcript_unpack(buf_str(&blob), &out));
    assert_string_equal(buf_text(&out), text);
    buf_done(&blob);
    buf_done(&out);
}

static void delete_ends_messages_and_the_totals_agree(void **state)
{
    struct w *w = *state;
    struct queue_totals t;
    struct queue_bulk b;
    struct told told = act(w, QUEUE_DELETE, "", false, &b);

    ok(w, view_totals(w->v, &t, &w->err));
    assert_int_equal(t.by_state[RCPT_DELETED], told.n);
    assert_int_equal(t.by_state[RCPT_QUEUED] + t.by_state[RCPT_HELD] + t.by_state[RCPT_UNCONFIRMED],
                     0);
    assert_int_equal(t.messages, t.by_state[RCPT_ACTIVE]);
    assert_int_equal(t.messages, b.skipped);
    totals_of_the_view_are_those_of_the_rows(state);
}

static void an_act_on_an_id_looks_at_that_message_only(void **state)
{
    struct w *w = *state;
    struct queue_bulk b;
    struct recipient r[3];
    struct message m;
    char text[80], id[ID_TEXT_MAX];
    struct told t;

    ok(w, store_begin(w->s, &w->err));
    fixture_mail(&w->f, "z.example", 3, 10, &m, r);
    ok(w, queue_accept(w->s, &m, r, 3, &w->err));
    ok(w, store_commit(w->s, &w->err));
    snprintf(text, sizeof(text), "id:%s", id_text(m.id, id));
    t = act(w, QUEUE_HOLD, text, false, &b);
    assert_int_equal(t.n, 3);
    assert_int_equal(b.seen, 3);
    t = act(w, QUEUE_HOLD, "id:0000000001111", false, &b);
    assert_int_equal(b.seen, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(pages_go_through_every_order_both_ways),
        T(a_row_says_what_happened),
        T(filters_find_what_they_say_and_no_more),
        T(an_id_finds_its_message_or_recipient),
        T(a_word_that_the_queue_does_not_know_is_refused),
        T(escapes_of_a_peer_are_found),
        T(groups_add_up),
        T(totals_of_the_view_are_those_of_the_rows),
        T(attempts_are_a_timeline),
        T(recipients_of_a_message_come_by_id),
        T(the_version_changes_with_a_commit),
        T(a_dry_run_counts_and_changes_nothing),
        T(hold_and_release_go_there_and_back),
        T(retry_makes_due_what_waits),
        T(a_reroute_changes_the_way_and_no_other_state),
        T(a_retry_is_also_for_what_the_engine_holds),
        T(a_transcript_is_found_by_every_attempt_that_shares_it),
        cmocka_unit_test(a_damaged_transcript_is_an_error_and_no_more),
        T(delete_ends_messages_and_the_totals_agree),
        T(an_act_on_an_id_looks_at_that_message_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
