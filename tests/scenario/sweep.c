/* SPDX-License-Identifier: ISC */
/*
 * Sweeps: the same short day is played again and again, and killed after 1, 2, 3 ... events; or its
 * 1st, 2nd, 3rd ... write fails. After each, the books must balance:
 *
 *   - every message that was answered with 250 reaches its server, or its sender gets a report;
 *   - nothing arrives twice, but what was in flight at the kill (RFC 1047);
 *   - the hosts saw no violation.
 *
 *   sweep crash|fail STRIDE
 *   sweep crash|fail =N       only round N, with all that the engine says
 */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/engine/engine.h"
#include "store/view.h"
#include "tests/world/sim.h"

#define CLIENTS       5
#define ROUNDS        20000
#define WALL_MS       INT64_C(1772438400000)
#define SETTLED       (6 * HOUR_MS)
#define IN_FLIGHT_MAX 2

static const char world_text[] =
    "dns portal.test mx 10 mx.portal.test\n"
    "dns mx.portal.test a 192.0.2.9\n"
    "dns a.test mx 10 mx.a.test\n"
    "dns mx.a.test a 192.0.2.1\n"
    "dns b.test mx 10 mx.b.test\n"
    "dns mx.b.test a 192.0.2.2\n"
    "dns c.test mx 10 mx.c.test\n"
    "dns mx.c.test a 192.0.2.3\n"
    "personality accept\n"
    "    offers PIPELINING \"SIZE 10485760\" ENHANCEDSTATUSCODES 8BITMIME DSN\n"
    "host mx.portal.test 192.0.2.9 is accept\n"
    "host mx.a.test 192.0.2.1 is accept\n"
    "    on eod delay=40ms reply 250 2.0.0 Ok\n"
    "host mx.b.test 192.0.2.2 is accept\n"
    "    on rcpt within=60s per=triplet reply 450 4.2.0 \"Greylisted\"\n"
    "host mx.c.test 192.0.2.3 is accept\n"
    "    on rcpt bad* reply 550 5.1.1 \"User unknown\"\n";

static const char conf_text[] = "[identity]\n"
                                "hostname = mail.portal.test\n"
                                "sender = mailer@portal.test\n"
                                "[listen]\n"
                                "smtp = 198.51.100.1:25\n"
                                "allow = 198.51.100.0/24\n"
                                "[store]\n"
                                "path = %s/store\n"
                                "[retry]\n"
                                "first = 1m\n"
                                "[lab]\n"
                                "special-use = yes\n";

/* What each client hands over; the sender is unique, so that a report shows whose it is. */
static const struct {
    const char *from, *to[2];
} letters[CLIENTS] = {
    {"s0@portal.test", {"x@a.test"}}, {"s1@portal.test", {"x@a.test", "y@b.test"}},
    {"s2@portal.test", {"x@b.test"}}, {"s3@portal.test", {"bad@c.test", "good@c.test"}},
    {"s4@portal.test", {"x@c.test"}},
};

struct client {
    struct sim_client *conn;
    unsigned step;
    bool is_accepted, is_over;
};

struct day {
    char *dir;
    struct world world;
    struct conf conf;
    struct sim *sim;
    struct engine *engine;
    struct log log;
    struct client clients[CLIENTS];
    bool is_fatal, is_loud;
};

/* --- clients, one reply at a time --- */

static void say_step(struct day *d, unsigned i)
{
    struct client *k = &d->clients[i];
    struct buf b = BUF_INIT;
    switch (k->step) {
    case 0: buf_add_z(&b, "EHLO client.portal.test\r\n"); break;
    case 1: buf_printf(&b, "MAIL FROM:<%s>\r\n", letters[i].from); break;
    case 2:
    case 3: buf_printf(&b, "RCPT TO:<%s>\r\n", letters[i].to[k->step - 2]); break;
    case 4: buf_add_z(&b, "DATA\r\n"); break;
    case 5: buf_printf(&b, "Subject: letter %u\r\n\r\nHello.\r\n.\r\n", i); break;
    default: k->is_over = true; break;
    }
    sim_client_send(k->conn, buf_str(&b));
    buf_done(&b);
    k->step++;
    if (k->step == 3 && !letters[i].to[1])
        k->step++;
}

static bool take_reply(struct client *k, char *first)
{
    struct str got = sim_client_got(k->conn);
    for (size_t at = 0; at < got.n;) {
        struct str line = str_sub(got, at, got.n);
        size_t lf = str_find(line, '\n');
        if (lf == line.n)
            return false;
        at += lf + 1;
        if (line.n > 3 && line.p[3] == '-')
            continue;
        *first = line.p[0];
        sim_client_drop(k->conn, at);
        return true;
    }
    return false;
}

static void work(struct day *d, unsigned i)
{
    struct client *k = &d->clients[i];
    char first;
    while (k->conn && !k->is_over && take_reply(k, &first)) {
        k->is_accepted |= k->step == 6 && first == '2';
        if (first == '4' || first == '5')
            k->is_over = true;
        else
            say_step(d, i);
    }
    if (k->conn && sim_client_is_closed(k->conn))
        k->is_over = true;
}

static bool clients_are_done(void *arg)
{
    struct day *d = arg;
    bool are_done = true;
    for (unsigned i = 0; i < CLIENTS; i++) {
        work(d, i);
        are_done &= d->clients[i].is_over;
    }
    return are_done;
}

/* --- a day --- */

static void on_line(void *arg, enum log_level level, const char *line)
{
    const struct day *d = arg;
    (void)level;
    if (d->is_loud)
        fprintf(stderr, "%10.3f %s\n", (double)sim_mono_ms(d->sim) / 1000, line);
}

static void on_fatal(void *arg, const struct err *err)
{
    struct day *d = arg;
    fprintf(stderr, "the engine gave up: %s\n", err->text);
    d->is_fatal = true;
}

static bool start_engine(struct day *d, uint64_t seed)
{
    struct err err = ERR_NONE;
    int rc = sim_store_open(d->sim, &err);
    if (!rc) {
        d->engine = engine_new(&d->conf, sim_io(d->sim), &d->log, seed);
        rc = engine_start(d->engine, on_fatal, d, &err);
    }
    if (rc)
        fprintf(stderr, "%s\n", err.text);
    return rc == 0;
}

static void stop_engine(struct day *d)
{
    engine_free(d->engine);
    d->engine = NULL;
    sim_store_close(d->sim, true);
}

static bool open_day(struct day *d)
{
    struct err err = ERR_NONE;
    const struct conf_defaults defaults = {.state_dir = d->dir, .hostname = "mail.portal.test"};
    char *text = xasprintf(conf_text, d->dir), *store = xasprintf("%s/store", d->dir);
    d->log = (struct log){d->is_loud ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, on_line, d};
    world_init(&d->world);
    conf_init(&d->conf, &defaults);
    bool is_ok = world_parse(&d->world, str_of(world_text), "world", ".", &err) == 0 &&
                 conf_parse(&d->conf, str_of(text), "config", &err) == 0;
    if (!is_ok)
        fprintf(stderr, "%s\n", err.text);
    free(store);
    free(text);
    return is_ok;
}

static void open_clients(struct day *d)
{
    struct ip from;
    ip_parse(STR("198.51.100.9"), &from);
    for (unsigned i = 0; i < CLIENTS; i++)
        d->clients[i].conn =
            sim_client_tcp(d->sim, &from, &d->conf.listen[0].ip, d->conf.listen[0].port);
}

static void close_clients(struct day *d)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_free(d->clients[i].conn);
        d->clients[i].conn = NULL;
    }
}

/* --- the books --- */

static unsigned arrived(const struct day *d, const char *from, const char *to, bool is_report)
{
    unsigned n = 0;
    list_for_each (l, &d->world.mails) {
        const struct world_mail *m = list_entry(l, struct world_mail, link);
        if (strcmp(m->from, is_report ? "" : from) != 0)
            continue;
        for (size_t i = 0; i < m->rcpts_n; i++) {
            struct str address = str_of(m->rcpts[i]);
            n += str_eq_z(str_sub(address, 0, str_find(address, ' ')), is_report ? from : to);
        }
    }
    return n;
}

static bool balance(const struct day *d, unsigned n, bool is_crash)
{
    bool is_right = true;
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned j = 0; j < 2 && letters[i].to[j]; j++) {
            const char *from = letters[i].from, *to = letters[i].to[j];
            bool is_bad = strncmp(to, "bad", 3) == 0;
            unsigned got = arrived(d, from, to, is_bad);
            unsigned most = is_crash ? IN_FLIGHT_MAX : 1;
            if ((d->clients[i].is_accepted && got == 0) || got > most) {
                fprintf(stderr, "%u: %s to %s was %s, and arrived %u times\n", n, from, to,
                        d->clients[i].is_accepted ? "accepted" : "not accepted", got);
                is_right = false;
            }
        }
    }
    if (d->world.violations_n > 0) {
        fprintf(stderr, "%u: %s", n, buf_text(&d->world.violations));
        is_right = false;
    }
    return is_right && !d->is_fatal;
}

static void show_log(const struct day *d)
{
    struct view *v = NULL;
    struct view_log_query q = {0};
    struct view_log_page page = {0};
    struct err err = ERR_NONE;
    if (view_open(d->conf.store_path, &v, &err) == 0 &&
        view_log_back(v, &q, INT64_MAX, 1000, 0, &page, &err) >= 0) {
        for (size_t i = 0; i < page.n; i++)
            fprintf(stderr, "%.*s\n", (int)page.lines[i].n, page.lines[i].text);
        view_log_done(&page);
    }
    view_close(v);
}

/* --- one round --- */

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void play(struct day *d, unsigned n, bool is_crash, bool *is_end)
{
    if (is_crash)
        sim_stop_after(d->sim, n);
    else
        sim_store_fail_nth(d->sim, n);
    open_clients(d);
    sim_run_until(d->sim, clients_are_done, d, HOUR_MS);
    sim_run_for(d->sim, 10 * SECOND_MS);
    *is_end = is_crash ? !sim_is_stopped(d->sim) : !sim_store_has_failed(d->sim);
    if (is_crash) {
        sim_stop_after(d->sim, 0);
        stop_engine(d);
    }
    close_clients(d);
}

/* Day number n; *is_end when the day was over before its n-th event. */
static bool round_of(unsigned n, bool is_crash, bool is_loud, bool *is_end)
{
    struct day d = {.is_loud = is_loud};
    const char *base = getenv("TMPDIR");
    d.dir = xasprintf("%s/sweep.XXXXXX", base                            ? base
                                         : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                                                         : "/tmp");
    bool is_right = mkdtemp(d.dir) && open_day(&d);
    char *store = xasprintf("%s/store", d.dir);
    struct sim_opts o = {
        .world = &d.world, .dir = store, .log = &d.log, .seed = 7, .wall_ms = WALL_MS};
    d.sim = sim_new(&o);
    if (is_right && start_engine(&d, 1)) {
        sim_run_for(d.sim, 100);
        play(&d, n, is_crash, is_end);
        is_right = !is_crash || start_engine(&d, 2);
        sim_run_for(d.sim, SETTLED);
        is_right = is_right && balance(&d, n, is_crash);
        if (is_loud)
            show_log(&d);
    }
    if (d.engine)
        stop_engine(&d);
    sim_free(d.sim);
    world_done(&d.world);
    conf_done(&d.conf);
    nftw(d.dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    free(store);
    free(d.dir);
    return is_right;
}

static int usage(void)
{
    fputs("usage: sweep crash|fail STRIDE|=N\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t number;
    bool is_crash = argc == 3 && strcmp(argv[1], "crash") == 0, is_end = false;
    if (argc != 3 || (!is_crash && strcmp(argv[1], "fail") != 0))
        return usage();
    bool is_one = argv[2][0] == '=';
    if (!text_parse_u64(str_of(argv[2] + is_one), ROUNDS, &number) || number == 0)
        return usage();
    if (is_one)
        return round_of((unsigned)number, is_crash, true, &is_end) ? 0 : 1;
    unsigned n = 1, rounds = 0, wrong = 0;
    for (; !is_end && n < ROUNDS; n += (unsigned)number, rounds++)
        wrong += !round_of(n, is_crash, false, &is_end);
    printf("%u rounds, the day has fewer than %u %s, %u wrong\n", rounds, n,
           is_crash ? "events" : "writes", wrong);
    return wrong || !is_end ? 1 : 0;
}
