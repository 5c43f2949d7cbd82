/* SPDX-License-Identifier: ISC */
/* The console as a value: keys, answers and time in; questions and a grid out. No terminal. */
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tests/unit/unit.h"
#include "tui/act.h"
#include "tui/app.h"
#include "tui/pane_queue.h"
#include "tui/say.h"

#define NOW INT64_C(1795516927000)

struct desk {
    struct console_conf conf;
    struct app app;
    struct cells grid;
    struct ask asked[ASK_KIND_COUNT]; /* the last of each kind */
    unsigned count[ASK_KIND_COUNT];
};

static struct desk *d;

static void collect(void)
{
    struct ask ask;

    while (app_next_ask(&d->app, &ask)) {
        d->asked[ask.kind] = ask;
        d->count[ask.kind]++;
    }
}

static int begin(void **state)
{
    struct theme t;

    (void)state;
    d = xnew(struct desk);
    d->conf = (struct console_conf){.hostname = "mta1.example"};
    theme_init_default(&t);
    app_init(&d->app, &d->conf, &t, NOW, 1000);
    app_tick(&d->app, NOW, 1000);
    collect();
    return 0;
}

static int end(void **state)
{
    (void)state;
    app_done(&d->app);
    cells_done(&d->grid);
    free(d);
    return 0;
}

static void press(int32_t key)
{
    app_key(&d->app, key);
    collect();
}

static void type(const char *text)
{
    for (; *text; text++)
        press(*text);
}

static void later(int64_t ms)
{
    app_tick(&d->app, d->app.now_wall_ms + ms, d->app.now_mono_ms + ms);
    collect();
}

static bool sees(const char *text)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    app_draw(&d->app, &d->grid);
    cells_dump(&d->grid, &b);
    return strstr(buf_text(&b), text) != NULL;
}

static struct answer *reply_to(enum ask_kind kind)
{
    struct answer *a = xnew(struct answer);

    a->kind = kind;
    a->serial = d->asked[kind].serial;
    a->is_last = true;
    return a;
}

/* Rows with the recipients' ids from first on. */
static void give_rows(int64_t first, size_t n)
{
    struct answer *a = reply_to(ASK_LIST);

    a->rows = xcalloc(n + 1, sizeof(*a->rows));
    a->rows_n = n;
    a->is_start = a->is_end = true;
    for (size_t i = 0; i < n; i++) {
        a->rows[i].rcpt_id = first + (int64_t)i;
        a->rows[i].message_id = 1000 + first + (int64_t)i;
        a->rows[i].arrival_wall_ms = NOW - HOUR_MS;
        snprintf(a->rows[i].to, sizeof(a->rows[i].to), "u%d@x.example", (int)(first + (int64_t)i));
    }
    app_answer(&d->app, a);
    collect();
}

static void give_totals(int64_t version)
{
    struct answer *a = reply_to(ASK_TOTALS);

    a->version = version;
    a->totals.by_state[RCPT_QUEUED] = 5;
    a->has_count = true;
    a->count = 5;
    app_answer(&d->app, a);
    collect();
}

static void give_status(void)
{
    struct answer *a = reply_to(ASK_STATUS);

    a->reply.kind = CTL_REPLY_STATUS;
    a->reply.status.state = ENGINE_RUNNING;
    app_answer(&d->app, a);
}

static void give_count(uint64_t n)
{
    struct answer *a = reply_to(ASK_ACT);

    a->reply.kind = CTL_REPLY_JOB;
    a->reply.job.changed = a->reply.job.seen = n;
    a->reply.job.state = CTL_JOB_DONE;
    app_answer(&d->app, a);
}

static void open_list(size_t n)
{
    give_status();
    give_rows(10, n);
    give_totals(1);
    give_rows(10, n);
}

/* --- */

static void the_row_under_the_cursor_survives_a_refresh(void **state)
{
    (void)state;
    open_list(5);
    press('j');
    press('j');
    assert_int_equal(queue_row(&d->app)->rcpt_id, 12);
    later(2000);
    give_totals(2);
    give_rows(7, 9); /* three came before it */
    assert_int_equal(queue_row(&d->app)->rcpt_id, 12);
    assert_int_equal(d->app.queue.sel, 5);
    later(2000);
    give_totals(3);
    give_rows(13, 2); /* it left: another takes its place, nothing is out of range */
    assert_true(queue_row(&d->app)->rcpt_id >= 13);
}

static void an_unchanged_queue_is_not_read_again(void **state)
{
    struct answer *a;
    unsigned before;

    (void)state;
    open_list(3);
    later(2000);
    assert_int_equal(d->asked[ASK_TOTALS].known_version, 1);
    before = d->count[ASK_LIST];
    a = reply_to(ASK_TOTALS);
    a->is_unchanged = true;
    app_answer(&d->app, a);
    collect();
    assert_int_equal(d->count[ASK_LIST], before);
}

/* A queue that changes all the time is still shown: a question under way is not thrown away. */
static void a_refresh_waits_for_the_one_before(void **state)
{
    unsigned before;

    (void)state;
    open_list(3);
    later(2000);
    give_totals(2);
    before = d->count[ASK_LIST];
    later(2000);
    give_totals(3);
    assert_int_equal(d->count[ASK_LIST], before);
    give_rows(10, 4);
    assert_int_equal(d->app.queue.n, 4);
    later(2000);
    assert_int_equal(d->asked[ASK_TOTALS].known_version, 0); /* and what was missed is asked for */
}

static void the_answer_to_an_older_question_is_dropped(void **state)
{
    struct answer *old;

    (void)state;
    open_list(3);
    old = reply_to(ASK_LIST);
    old->rc = -(int)E_IO;
    queue_set_filter(&d->app, "domain:x.example");
    collect();
    assert_true(old->serial != d->asked[ASK_LIST].serial);
    app_answer(&d->app, old);
    assert_string_equal(d->app.queue.error, "");
    assert_false(d->app.queue.is_loaded);
}

static void groups_are_shown_first_when_something_is_deferred(void **state)
{
    struct answer *a;

    (void)state;
    a = reply_to(ASK_TOTALS);
    a->version = 1;
    a->totals.deferred = 3;
    app_answer(&d->app, a);
    collect();
    assert_true(d->app.queue.is_grouped);
    assert_int_equal(d->asked[ASK_GROUPS].group, VIEW_GROUP_CAUSE);
}

/* The same word repeated is OR: a group inside a filter must not widen it. */
static void a_group_narrows_a_filter(void **state)
{
    static const struct {
        const char *name, *filter;
        enum view_group by;
        const char *key, *want;
    } rows[] = {
        {"alone", "", VIEW_GROUP_DOMAIN, "a.example", "domain:\"a.example\""},
        {"other words stay", "tries:>3", VIEW_GROUP_DOMAIN, "a.example",
         "tries:>3 domain:\"a.example\""},
        {"its own words go", "domain:a.example domain:b.example", VIEW_GROUP_DOMAIN, "a.example",
         "domain:\"a.example\""},
        {"excluding words stay", "-domain:c.example", VIEW_GROUP_DOMAIN, "a.example",
         "-domain:c.example domain:\"a.example\""},
        {"a cause with blanks", "", VIEW_GROUP_CAUSE, "rcpt 550 5.1.1", "cause:\"rcpt 550 5.1.1\""},
        {"never tried", "", VIEW_GROUP_CAUSE, "", "tries:0"},
        {"age from both sides", "", VIEW_GROUP_AGE, "20m", "age:<20m -age:<5m"},
        {"the oldest", "", VIEW_GROUP_AGE, "older", "age:>=21h20m"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[FILTER_BYTES_MAX + 1] = "";
        struct filter f;
        struct err err;

        if (!act_narrow(rows[i].filter, rows[i].by, rows[i].key, out, sizeof(out)))
            fail_msg("%s: cannot be written", rows[i].name);
        if (strcmp(out, rows[i].want) != 0)
            fail_msg("%s: is %s", rows[i].name, out);
        if (filter_parse(str_of(out), NOW, &f, &err) < 0)
            fail_msg("%s: %s", rows[i].name, err.text);
        filter_done(&f);
    }
    assert_false(act_narrow("", VIEW_GROUP_CAUSE, "a\"b", (char[100]){0}, 100));
}

static void delete_counts_before_it_asks_and_needs_a_second_key(void **state)
{
    (void)state;
    open_list(3);
    press('d');
    assert_int_equal(d->app.modal, MODAL_DIALOG);
    assert_true(d->asked[ASK_ACT].request.is_dry_run);
    press('y'); /* not counted, and too soon */
    assert_int_equal(d->count[ASK_ACT], 1);
    give_count(1);
    assert_true(sees("DELETE 1 recipient on mta1.example"));
    press('y'); /* still too soon */
    assert_int_equal(d->count[ASK_ACT], 1);
    later(300);
    press('d'); /* the key that opened it */
    press(' ');
    assert_int_equal(d->app.modal, MODAL_DIALOG);
    assert_int_equal(d->count[ASK_ACT], 1);
    press('y');
    assert_int_equal(d->count[ASK_ACT], 2);
    assert_false(d->asked[ASK_ACT].request.is_dry_run);
    assert_int_equal(d->asked[ASK_ACT].request.verb, CTL_DELETE);
}

static void enter_alone_never_harms(void **state)
{
    (void)state;
    open_list(3);
    press('d');
    give_count(1);
    later(300);
    press(K_ENTER);
    assert_int_equal(d->app.modal, MODAL_NONE);
    assert_int_equal(d->count[ASK_ACT], 1);
    press('d');
    give_count(1);
    later(300);
    press(K_TAB); /* the focus was moved: that is a decision */
    press(K_ENTER);
    assert_int_equal(d->count[ASK_ACT], 3);
}

static void many_need_their_number(void **state)
{
    (void)state;
    open_list(3);
    press('R');
    give_count(21);
    later(300);
    press('y');
    type("20");
    press(K_ENTER);
    press(K_TAB);
    press(K_ENTER);
    assert_int_equal(d->app.modal, MODAL_DIALOG);
    assert_int_equal(d->count[ASK_ACT], 1);
    press(K_BACKSPACE);
    type("1");
    press(K_ENTER);
    assert_int_equal(d->count[ASK_ACT], 2);
}

static void twenty_need_a_y(void **state)
{
    (void)state;
    open_list(3);
    press('R');
    give_count(20);
    later(300);
    press('y');
    assert_int_equal(d->count[ASK_ACT], 2);
}

static void read_only_refuses_acts(void **state)
{
    static const int32_t acts[] = {'r', 'R', 'h', 'u', 'd'};

    (void)state;
    d->conf.read_only = true;
    open_list(3);
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        press(acts[i]);
    assert_int_equal(d->count[ASK_ACT], 0);
    assert_false(sees("r retry"));
}

static void without_the_engine_acts_say_so(void **state)
{
    struct answer *a;

    (void)state;
    open_list(3);
    later(10000);
    a = reply_to(ASK_STATUS);
    a->rc = -(int)E_DOWN;
    app_answer(&d->app, a);
    press('r');
    assert_int_equal(d->count[ASK_ACT], 0);
    assert_true(sees("The engine is not running"));
    assert_true(sees("ENGINE NOT RUNNING"));
}

static void marks_go_as_ids_and_only_they(void **state)
{
    (void)state;
    open_list(5);
    press(' ');
    press(' ');
    assert_int_equal(d->app.queue.marks_n, 2);
    press('h');
    assert_int_equal(d->app.modal, MODAL_DIALOG); /* more than one: it asks */
    assert_non_null(strstr(d->asked[ASK_ACT].request.filter, "id:"));
    assert_non_null(strchr(d->asked[ASK_ACT].request.filter, ' '));
    press(K_ESC);
}

static void pasted_text_is_no_key(void **state)
{
    (void)state;
    open_list(3);
    press(K_PASTE_BEGIN);
    type("dyq:R\r");
    press(K_PASTE_END);
    assert_int_equal(d->count[ASK_ACT], 0);
    assert_false(d->app.wants_quit);
    assert_int_equal(d->app.modal, MODAL_NONE);
    press('&');
    press(K_PASTE_BEGIN);
    type("to:x\ry");
    press(K_PASTE_END);
    assert_int_equal(d->app.modal, MODAL_PROMPT); /* the line end in it was not Enter */
    assert_true(sees("to:xy"));
}

static void a_queue_of_every_size_can_be_drawn_and_moved_in(void **state)
{
    static const int sizes[][2] = {{80, 24}, {40, 10}, {39, 9}, {1, 1}, {120, 16}, {300, 100}};
    static const int32_t keys[] = {K_PAGE_DOWN, 'G',   'g',     K_UP,  'j',   K_CTRL('D'), '2',
                                   '3',         '1',   K_ENTER, K_TAB, K_ESC, '?',         K_ESC,
                                   ':',         K_ESC, 'o',     K_ESC, 'd'};

    (void)state;
    for (size_t n = 0; n < 40; n += 13) {
        open_list(n);
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
            app_resize(&d->app, sizes[s][0], sizes[s][1]);
            for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
                press(keys[k]);
                app_draw(&d->app, &d->grid);
            }
            later(300);
            press(K_ESC);
        }
        queue_set_group(&d->app, false, VIEW_GROUP_CAUSE);
        collect();
    }
}

static void give_lines(int64_t first, size_t n)
{
    struct answer *a = reply_to(ASK_LOG);

    a->lines = xcalloc(n + 1, sizeof(*a->lines));
    a->lines_n = n;
    a->is_end = true;
    for (size_t i = 0; i < n; i++) {
        a->lines[i].id = first + (int64_t)i;
        a->lines[i].text = xasprintf("line %d", (int)(first + (int64_t)i));
        a->lines[i].n = strlen(a->lines[i].text);
    }
    app_answer(&d->app, a);
    collect();
}

/* A filter that matches nothing must not make the log be read from the start twice a second. */
static void following_asks_only_for_what_is_new(void **state)
{
    (void)state;
    press('2');
    assert_int_equal(d->asked[ASK_LOG].place, PLACE_LAST);
    give_lines(1, 150);
    later(600);
    assert_int_equal(d->asked[ASK_LOG].place, PLACE_AFTER);
    assert_int_equal(d->asked[ASK_LOG].id, 150);
    give_lines(151, 100);
    assert_int_equal(d->app.log.n, 200); /* a window; the oldest went */
    assert_int_equal(d->app.log.lines[199].id, 250);
    assert_true(sees("line 250"));
    later(600);
    give_lines(251, 0);
    assert_int_equal(d->app.log.n, 200);
    later(600);
    assert_int_equal(d->asked[ASK_LOG].id, 250);
    give_lines(251, 200); /* more than a window came: the end is read instead */
    assert_int_equal(d->asked[ASK_LOG].place, PLACE_LAST);
    give_lines(900, 3);
    press('k'); /* moving up stops it */
    later(600);
    assert_int_not_equal(d->asked[ASK_LOG].place, PLACE_AFTER);
    assert_false(d->app.log.is_following);
}

static void log_lines_are_cut_up(void **state)
{
    static const struct {
        const char *line, *id, *to, *reply, *status;
    } rows[] = {
        {"14XY: to=<a@b>, relay=mx[1.2.3.4]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, "
         "status=sent (250 Ok)",
         "14XY", "a@b", "250 Ok", "SENT"},
        {"14XY: to=<a@b>, relay=none, delay=1, dsn=4.4.1, status=deferred (connect to mx)", "14XY",
         "a@b", "connect to mx", "DEFER"},
        {"14XY: to=<a@b>, relay=mx, dsn=5.1.1, status=bounced (host mx[1.2.3.4] said: 550 no)",
         "14XY", "a@b", "550 no", "BOUNCE"},
        {"14XY: from=<a@b>, size=1, nrcpt=1 (queue active)", "14XY", "",
         "from=<a@b>, size=1, nrcpt=1 (queue active)", "queued"},
        {"NOQUEUE: reject: RCPT from h[1.2.3.4]: 554 no; from=<a@b> to=<c@d> proto=ESMTP",
         "NOQUEUE", "c@d", "RCPT from h[1.2.3.4]: 554 no; from=<a@b> to=<c@d> proto=ESMTP",
         "REJECT"},
        {"", "", "", "", "-"},
        {":", "", "", "", "-"},
        {"14XY: to=<unclosed", "14XY", "unclosed", "to=<unclosed", "-"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct say_line l;

        say_line(str_of(rows[i].line), &l);
        row_str(rows[i].line, l.id, str_of(rows[i].id));
        row_str(rows[i].line, l.to, str_of(rows[i].to));
        row_str(rows[i].line, l.reply, str_of(rows[i].reply));
        row_text(rows[i].line, say_status(&l), rows[i].status);
    }
}

/* Words tell the states apart: no two look alike without colours. */
static void every_state_has_its_own_word(void **state)
{
    const char *seen[RCPT_STATE_COUNT + 1];
    size_t n = 0;

    (void)state;
    for (int s = 0; s < RCPT_STATE_COUNT; s++) {
        struct view_row *r = xnew(struct view_row);

        r->state = (enum rcpt_state)s;
        seen[n++] = say_state(r);
        free(r);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++)
            assert_string_not_equal(seen[i], seen[j]);
    }
}

static void sent_means_accepted_by_the_next_server(void **state)
{
    struct view_row *r = xnew(struct view_row);
    struct buf b = BUF_INIT;

    (void)state;
    r->state = RCPT_DELIVERED;
    r->finished_wall_ms = NOW;
    say_row(r, NOW, &b);
    assert_non_null(strstr(buf_text(&b), "Accepted by the next server"));
    buf_done(&b);
    free(r);
}

static void held_says_who_ends_it(void **state)
{
    struct view_row *r = xnew(struct view_row);
    struct buf b = BUF_INIT;

    (void)state;
    r->state = RCPT_HELD;
    r->next_wall_ms = NOW + HOUR_MS;
    say_row(r, NOW, &b);
    assert_string_equal(buf_text(&b), "Held: it stays until it is released (u).");
    buf_clear(&b);
    r->is_held_by_engine = true;
    say_row(r, NOW, &b);
    assert_non_null(strstr(buf_text(&b), "about us and not about the mail"));
    assert_non_null(strstr(buf_text(&b), "Next try in 1h"));
    buf_done(&b);
    free(r);
}

static void waiting_says_what_the_last_try_met(void **state)
{
    static const struct {
        const char *cause;
        int code;
        const char *enhanced, *want;
    } rows[] = {
        {"rcpt 450 4.2.0", 450, "4.2.0", "come back later"},
        {"rcpt 450 4.1.8", 450, "4.1.8", "domain of the sender"},
        {"rcpt 554 5.7.1", 554, "5.7.1", "refused"},
        {"dns SERVFAIL", 0, "4.4.3", "name server"},
        {"connect ETIMEDOUT", 0, "4.4.1", "No server of that domain could be reached"},
        {"auth no-mechanism", 0, "4.7.0", "could not log in"},
        {"auth 535 5.7.8", 535, "5.7.8", "could not log in"},
        {"tls ECONNRESET", 0, "4.4.2", "No encrypted connection"},
        {"greeting ETIMEDOUT", 0, "4.4.2", "broke off"},
        {"", 0, "", "tried again by itself"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view_row *r = xnew(struct view_row);
        struct buf b = BUF_INIT;

        r->state = RCPT_QUEUED;
        r->tries = 1;
        r->code = rows[i].code;
        str_copy(str_of(rows[i].cause), r->cause, sizeof(r->cause));
        str_copy(str_of(rows[i].enhanced), r->enhanced, sizeof(r->enhanced));
        say_row(r, NOW, &b);
        if (!strstr(buf_text(&b), rows[i].want))
            fail_msg("%s: %s", rows[i].cause, buf_text(&b));
        buf_done(&b);
        free(r);
    }
}

#define with_desk(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(the_row_under_the_cursor_survives_a_refresh),
        with_desk(an_unchanged_queue_is_not_read_again),
        with_desk(a_refresh_waits_for_the_one_before),
        with_desk(the_answer_to_an_older_question_is_dropped),
        with_desk(groups_are_shown_first_when_something_is_deferred),
        cmocka_unit_test(a_group_narrows_a_filter),
        with_desk(delete_counts_before_it_asks_and_needs_a_second_key),
        with_desk(enter_alone_never_harms),
        with_desk(many_need_their_number),
        with_desk(twenty_need_a_y),
        with_desk(read_only_refuses_acts),
        with_desk(without_the_engine_acts_say_so),
        with_desk(marks_go_as_ids_and_only_they),
        with_desk(pasted_text_is_no_key),
        with_desk(a_queue_of_every_size_can_be_drawn_and_moved_in),
        with_desk(following_asks_only_for_what_is_new),
        cmocka_unit_test(log_lines_are_cut_up),
        cmocka_unit_test(every_state_has_its_own_word),
        cmocka_unit_test(sent_means_accepted_by_the_next_server),
        cmocka_unit_test(held_says_who_ends_it),
        cmocka_unit_test(waiting_says_what_the_last_try_met),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
