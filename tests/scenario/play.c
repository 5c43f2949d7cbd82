/* SPDX-License-Identifier: ISC */
#include "tests/scenario/play.h"
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "store/view.h"

#define WALL_MS INT64_C(1772438400000)

static const char conf_text[] = "[identity]\n"
                                "hostname = mail.portal.test\n"
                                "sender = mailer@portal.test\n"
                                "[listen]\n"
                                "smtp = 198.51.100.1:25\n"
                                "allow = 198.51.100.0/24\n"
                                "[store]\n"
                                "path = %s\n"
                                "[retry]\n"
                                "first = 1m\n"
                                "[lab]\n"
                                "special-use = yes\n";

/* --- clients, one reply at a time --- */

enum { STEP_RCPT = 2, STEP_DATA = STEP_RCPT + PLAY_RCPTS_MAX, STEP_CONTENT, STEP_END };

static void add_content(struct buf *b, unsigned i, bool is_large)
{
    buf_printf(b, "Subject: letter %u\r\n\r\n", i);
    for (unsigned line = 0; line < (is_large ? 15000 : 1); line++)
        buf_add_z(b, "Hello, and once more: hello. This line has eighty octets with its end: hello.\r\n");
    buf_add_z(b, ".\r\n");
}

static void say_step(struct play *d, unsigned i)
{
    struct play_letter *k = &d->letters[i];
    struct buf b = BUF_INIT;
    if (k->step == 0)
        buf_add_z(&b, "EHLO client.portal.test\r\n");
    else if (k->step == 1)
        buf_printf(&b, "MAIL FROM:<%s>\r\n", k->from);
    else if (k->step < STEP_DATA)
        buf_printf(&b, "RCPT TO:<%s>\r\n", k->to[k->step - STEP_RCPT]);
    else if (k->step == STEP_DATA)
        buf_add_z(&b, "DATA\r\n");
    else if (k->step == STEP_CONTENT)
        add_content(&b, i, k->is_large);
    else
        k->is_over = true;
    sim_client_send(k->conn, buf_str(&b));
    buf_done(&b);
    k->step++;
    if (k->step == STEP_RCPT + k->to_n)
        k->step = STEP_DATA;
}

static bool take_reply(struct play_letter *k, char *first)
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

static void work(struct play *d, unsigned i)
{
    struct play_letter *k = &d->letters[i];
    char first;
    while (k->conn && !k->is_over && take_reply(k, &first)) {
        k->is_accepted |= k->step == STEP_END && first == '2';
        if (first == '4' || first == '5')
            k->is_over = true;
        else
            say_step(d, i);
    }
    k->is_over |= k->conn && sim_client_is_closed(k->conn);
}

bool play_is_handed_over(void *play)
{
    struct play *d = play;
    bool are_done = true;
    for (unsigned i = 0; i < d->letters_n; i++) {
        work(d, i);
        are_done &= d->letters[i].is_over || !d->letters[i].conn;
    }
    return are_done;
}

void play_hand_over(struct play *d, unsigned i)
{
    struct ip from;
    ip_parse(STR("198.51.100.9"), &from);
    d->letters[i].conn =
        sim_client_tcp(d->sim, &from, &d->conf.listen[0].ip, d->conf.listen[0].port);
}

void play_hang_up(struct play *d)
{
    for (unsigned i = 0; i < d->letters_n; i++) {
        sim_client_free(d->letters[i].conn);
        d->letters[i].conn = NULL;
    }
}

/* --- the engine --- */

static void on_line(void *arg, enum log_level level, const char *line)
{
    const struct play *d = arg;
    (void)level;
    if (d->is_loud)
        fprintf(stderr, "%10.3f %s\n", (double)sim_mono_ms(d->sim) / 1000, line);
}

static void on_fatal(void *arg, const struct err *err)
{
    struct play *d = arg;
    fprintf(stderr, "the engine gave up: %s\n", err->text);
    d->is_fatal = true;
}

bool play_start(struct play *d, uint64_t seed)
{
    struct err err = ERR_NONE;
    int rc = sim_store_open(d->sim, &err);
    if (!rc) {
        d->engine = engine_new(&d->conf, sim_io(d->sim), &d->log, seed);
        rc = engine_start(d->engine, on_fatal, d, &err);
    }
    if (rc)
        fprintf(stderr, "%s\n", err.text);
    /* Until it has recovered: a store that is sick then ends the program, and a supervisor starts it
     * again; that is not played here. */
    sim_run_for(d->sim, 200);
    return rc == 0;
}

void play_kill(struct play *d)
{
    engine_free(d->engine);
    d->engine = NULL;
    sim_store_close(d->sim, true);
}

/* --- beginning and end --- */

bool play_open(struct play *d, const char *world_text, uint64_t seed, bool split)
{
    struct err err = ERR_NONE;
    const char *base = getenv("TMPDIR");
    d->dir = xasprintf("%s/sweep.XXXXXX", base                            ? base
                                          : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                                                          : "/tmp");
    bool is_ok = mkdtemp(d->dir) != NULL;
    const struct conf_defaults defaults = {.state_dir = d->dir, .hostname = "mail.portal.test"};
    d->store = xasprintf("%s/store", d->dir);
    char *text = xasprintf(conf_text, d->store);
    d->log = (struct log){d->is_loud ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, on_line, d};
    world_init(&d->world);
    conf_init(&d->conf, &defaults);
    is_ok = is_ok && world_parse(&d->world, str_of(world_text), "world", ".", &err) == 0 &&
            conf_parse(&d->conf, str_of(text), "config", &err) == 0;
    if (!is_ok)
        fprintf(stderr, "%s: %s\n", d->dir, err.text);
    free(text);
    struct sim_opts o = {.world = &d->world,
                         .dir = d->store,
                         .log = &d->log,
                         .seed = seed,
                         .wall_ms = WALL_MS,
                         .split = split,
                         /* a slow disk now and then: more happens between asking and answering */
                         .commit_ms = seed % 3 == 0 ? 50 : 0};
    d->sim = sim_new(&o);
    return is_ok;
}

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void play_close(struct play *d)
{
    play_hang_up(d);
    if (d->engine)
        play_kill(d);
    sim_free(d->sim);
    world_done(&d->world);
    conf_done(&d->conf);
    nftw(d->dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    free(d->store);
    free(d->dir);
}

/* --- the books --- */

unsigned play_arrived(const struct play *d, const char *from, const char *to, bool is_report)
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

void play_show_log(const struct play *d)
{
    struct view *v = NULL;
    struct view_log_query q = {0};
    struct view_log_page page = {0};
    struct err err = ERR_NONE;
    if (view_open(d->conf.store_path, &v, &err) == 0 &&
        view_log_back(v, &q, INT64_MAX, 5000, 0, &page, &err) >= 0) {
        for (size_t i = 0; i < page.n; i++)
            fprintf(stderr, "%.*s\n", (int)page.lines[i].n, page.lines[i].text);
        view_log_done(&page);
    }
    view_close(v);
}
