/* SPDX-License-Identifier: ISC */
/* The simulator, before an engine relies on it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include "tests/world/sim.h"

static const char world_text[] = "dns ok.test mx 10 mx.ok.test\n"
                                 "dns gone.test mx timeout\n"
                                 "dns slow.test * slow delay=4s\n"
                                 "personality accept\n"
                                 "    offers PIPELINING STARTTLS\n"
                                 "host mx.ok.test 192.0.2.1 is accept\n"
                                 "host no.test 192.0.2.2 is accept\n"
                                 "    on connect refuse\n"
                                 "host broken.test 192.0.2.3 is accept\n"
                                 "    on greeting raw \"22\" then reset\n"
                                 "host tls.test 192.0.2.4 is accept\n"
                                 "    on tls fail\n"
                                 "host slow.test 192.0.2.5 is accept\n"
                                 "    on greeting delay=10s reply 220 \"late\"\n";

/* An engine of twenty lines: notes what it is told. */
struct heard {
    struct sim *sim;
    struct io_conn *conn;
    struct buf text;
    int64_t at_ms;
    bool is_closed;
    int sys;
    enum tls_state tls;
};

static void on_connected(void *arg)
{
    struct heard *h = arg;
    buf_add_z(&h->text, "(connected)");
}

static void on_data(void *arg, struct str bytes)
{
    struct heard *h = arg;
    buf_add_str(&h->text, bytes);
    h->at_ms = sim_mono_ms(h->sim);
}

static void on_tls(void *arg, const struct tls_facts *f)
{
    struct heard *h = arg;
    h->tls = f->state;
}

static void on_closed(void *arg, int sys)
{
    struct heard *h = arg;
    h->is_closed = true;
    h->sys = sys;
    h->conn = NULL;
}

static const struct conn_handlers handlers = {
    .connected = on_connected, .data = on_data, .tls_done = on_tls, .closed = on_closed};

struct fix {
    struct world world;
    struct sim *sim;
    struct io *io;
    struct heard heard;
};

static void fix_start(struct fix *f, uint64_t seed, bool split)
{
    struct err err = ERR_NONE;
    *f = (struct fix){0};
    world_init(&f->world);
    assert_int_equal(world_parse(&f->world, str_of(world_text), "test", ".", &err), 0);
    struct sim_opts o = {
        .world = &f->world, .dir = "none", .seed = seed, .wall_ms = 1000000, .split = split};
    f->sim = sim_new(&o);
    f->io = sim_io(f->sim);
    f->heard.sim = f->sim;
}

static void fix_end(struct fix *f)
{
    if (f->heard.conn)
        f->io->ops->close(f->heard.conn, false);
    sim_free(f->sim);
    world_done(&f->world);
    buf_done(&f->heard.text);
}

static void fix_connect(struct fix *f, const char *address)
{
    struct ip ip;
    assert_true(ip_parse(str_of(address), &ip));
    f->heard.conn = f->io->ops->connect(f->io, &ip, 25, NULL, &handlers, &f->heard);
}

static void say(struct fix *f, const char *line)
{
    buf_clear(&f->heard.text);
    f->io->ops->write(f->heard.conn, str_of(line));
    sim_run_for(f->sim, 1000);
}

static void note_a(void *arg)
{
    buf_add_c(arg, 'a');
}

static void note_b(void *arg)
{
    buf_add_c(arg, 'b');
}

static void timers_fire_in_the_order_of_time_then_of_making(void **state)
{
    (void)state;
    struct fix f;
    struct buf order = BUF_INIT;
    fix_start(&f, 1, false);
    const struct io_ops *ops = f.io->ops;
    struct io_timer *a = ops->timer_new(f.io, note_a, &order),
                    *b = ops->timer_new(f.io, note_b, &order);
    ops->timer_start(b, 5000);
    ops->timer_start(a, 5000);
    sim_run_for(f.sim, 4999);
    assert_string_equal(buf_text(&order), "");
    sim_run_for(f.sim, 1);
    assert_string_equal(buf_text(&order), "ba");
    ops->timer_start(a, 10);
    ops->timer_stop(a);
    sim_run_for(f.sim, 100);
    assert_string_equal(buf_text(&order), "ba");
    sim_jump_wall(f.sim, DAY_MS);
    assert_int_equal(io_wall_ms(f.io) - io_mono_ms(f.io), 1000000 - 1000 + DAY_MS);
    ops->timer_free(a);
    ops->timer_free(b);
    buf_done(&order);
    fix_end(&f);
}

static void on_answer(void *arg, const struct dns_answer *a)
{
    struct heard *h = arg;
    buf_printf(&h->text, "%s %zu%s", dns_status_name(a->status), a->n,
               a->is_timeout ? " late" : "");
    h->at_ms = sim_mono_ms(h->sim);
}

static void answers_come_after_their_delay(void **state)
{
    static const struct {
        const char *name, *asked, *want;
        int64_t ms;
    } rows[] = {{"at once", "ok.test", "ok 1", 10},
                {"slow", "slow.test", "NODATA 0", 4010},
                {"never", "gone.test", " late", 10010}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fix f;
        fix_start(&f, 1, false);
        f.io->ops->ask(f.io, rows[i].asked, DNS_TYPE_MX, on_answer, &f.heard);
        assert_string_equal(buf_text(&f.heard.text), "");
        sim_run_for(f.sim, 60000);
        row_int(rows[i].name, f.heard.at_ms, 1000 + rows[i].ms);
        if (!strstr(buf_text(&f.heard.text), rows[i].want))
            fail_msg("row \"%s\": %s", rows[i].name, buf_text(&f.heard.text));
        /* One that is given up is not heard of. */
        buf_clear(&f.heard.text);
        f.io->ops->cancel(f.io->ops->ask(f.io, rows[i].asked, DNS_TYPE_MX, on_answer, &f.heard));
        sim_run_for(f.sim, 60000);
        row_text(rows[i].name, buf_text(&f.heard.text), "");
        fix_end(&f);
    }
}

static void a_session_runs_whatever_the_pieces_are(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fix f;
        fix_start(&f, seed, seed > 0);
        fix_connect(&f, "192.0.2.1");
        sim_run_for(f.sim, 1000);
        assert_string_equal(buf_text(&f.heard.text), "(connected)220 mx.ok.test ESMTP\r\n");
        say(&f, "EHLO me\r\n");
        assert_string_equal(buf_text(&f.heard.text),
                            "250-mx.ok.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n");
        say(&f, "QUIT\r\n");
        assert_string_equal(buf_text(&f.heard.text), "221 Bye\r\n");
        assert_true(f.heard.is_closed);
        assert_int_equal(f.heard.sys, 0);
        assert_int_equal(f.world.violations_n, 0);
        fix_end(&f);
    }
}

static void ends_are_told_with_their_errno(void **state)
{
    static const struct {
        const char *name, *ip, *heard;
        int sys;
        int64_t within_ms;
    } rows[] = {{"refused", "192.0.2.2", "", ECONNREFUSED, 100},
                {"nobody", "192.0.2.99", "", ETIMEDOUT, 127000},
                {"reset after two octets", "192.0.2.3", "(connected)22", ECONNRESET, 100}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fix f;
        fix_start(&f, 1, false);
        fix_connect(&f, rows[i].ip);
        sim_run_for(f.sim, rows[i].within_ms - 1);
        sim_run_for(f.sim, 1);
        assert_true(f.heard.is_closed);
        row_int(rows[i].name, f.heard.sys, rows[i].sys);
        row_text(rows[i].name, buf_text(&f.heard.text), rows[i].heard);
        fix_end(&f);
    }
}

static void tls_is_a_fact(void **state)
{
    static const struct {
        const char *name, *ip;
        bool is_verified;
        enum tls_state want;
    } rows[] = {{"up", "192.0.2.1", false, TLS_ENCRYPTED},
                {"self-signed does not verify", "192.0.2.1", true, TLS_FAILED},
                {"broken off", "192.0.2.4", false, TLS_FAILED}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fix f;
        struct tls_want want = {.name = "mx.ok.test", .is_verified = rows[i].is_verified};
        fix_start(&f, 1, false);
        fix_connect(&f, rows[i].ip);
        sim_run_for(f.sim, 1000);
        say(&f, "EHLO me\r\n");
        say(&f, "STARTTLS\r\n");
        assert_string_equal(buf_text(&f.heard.text), "220 Ready to start TLS\r\n");
        f.io->ops->start_tls(f.io, f.heard.conn, &want);
        sim_run_for(f.sim, 1000);
        row_int(rows[i].name, f.heard.tls, rows[i].want);
        row_int(rows[i].name, f.heard.is_closed, rows[i].want == TLS_FAILED);
        fix_end(&f);
    }
}

static void what_arrives_while_paused_is_kept_in_order(void **state)
{
    (void)state;
    struct fix f;
    fix_start(&f, 1, false);
    fix_connect(&f, "192.0.2.3");
    f.io->ops->pause(f.heard.conn, true);
    sim_run_for(f.sim, 1000);
    assert_string_equal(buf_text(&f.heard.text), "(connected)");
    assert_false(f.heard.is_closed);
    f.io->ops->pause(f.heard.conn, false);
    sim_run_for(f.sim, 1000);
    assert_string_equal(buf_text(&f.heard.text), "(connected)22");
    assert_int_equal(f.heard.sys, ECONNRESET);
    fix_end(&f);
}

static void on_accept(void *arg, struct io_conn *c, const struct peer *p)
{
    struct fix *f = arg;
    f->heard.conn = c;
    buf_printf(&f->heard.text, "uid %u ", p->uid);
    f->io->ops->set_handlers(c, &handlers, &f->heard);
    f->io->ops->write(c, STR("220 hello\r\n"));
}

static void a_client_meets_the_listener(void **state)
{
    (void)state;
    struct fix f;
    struct err err = ERR_NONE;
    struct io_listener *l;
    fix_start(&f, 1, false);
    assert_null(sim_client_unix(f.sim, "/submit.sock", 1000));
    assert_int_equal(f.io->ops->listen_unix(f.io, "/submit.sock", 0666, on_accept, &f, &l, &err),
                     0);
    struct sim_client *k = sim_client_unix(f.sim, "/submit.sock", 1000);
    sim_client_send(k, STR("EHLO x\r\n"));
    sim_run_for(f.sim, 100);
    assert_string_equal(buf_text(&f.heard.text), "uid 1000 EHLO x\r\n");
    assert_true(str_eq_z(sim_client_got(k), "220 hello\r\n"));
    f.io->ops->close(f.heard.conn, true);
    f.heard.conn = NULL;
    sim_run_for(f.sim, 100);
    assert_true(sim_client_is_closed(k));
    sim_client_free(k);
    k = sim_client_unix(f.sim, "/submit.sock", 1000);
    f.io->ops->unlisten(l);
    sim_run_for(f.sim, 100);
    assert_true(sim_client_is_closed(k));
    sim_client_free(k);
    fix_end(&f);
}

struct told {
    struct store_job job;
    int rc;
    bool is_done;
};

static int run_nothing(struct store_job *job, struct store *s, struct err *err)
{
    (void)job, (void)s, (void)err;
    return 0;
}

static void job_done(struct store_job *job, int rc, const struct err *err)
{
    struct told *t = container_of(job, struct told, job);
    (void)err;
    t->rc = rc;
    t->is_done = true;
}

static void a_job_without_a_store_fails_later_not_at_once(void **state)
{
    (void)state;
    struct fix f;
    struct told t = {.job = {.kind = STORE_JOB_WRITE, .run = run_nothing, .done = job_done}};
    fix_start(&f, 1, false);
    f.io->ops->submit(f.io, &t.job);
    assert_false(t.is_done);
    assert_int_equal(sim_store_waiting(f.sim), 1);
    sim_run_for(f.sim, 10);
    assert_true(t.is_done);
    assert_int_equal(t.rc, -E_STATE);
    fix_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_the_order_of_time_then_of_making),
        cmocka_unit_test(answers_come_after_their_delay),
        cmocka_unit_test(a_session_runs_whatever_the_pieces_are),
        cmocka_unit_test(ends_are_told_with_their_errno),
        cmocka_unit_test(tls_is_a_fact),
        cmocka_unit_test(what_arrives_while_paused_is_kept_in_order),
        cmocka_unit_test(a_client_meets_the_listener),
        cmocka_unit_test(a_job_without_a_store_fails_later_not_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
