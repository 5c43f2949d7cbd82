/* SPDX-License-Identifier: ISC */
/*
 * scn_run: plays scenarios. Each file is played twice, with bytes arriving whole and in random
 * pieces; the seeds are fixed, so a failure comes again.
 *
 *   scn_run [-v] [--world FOLDER] FILE.scn...
 */
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "tests/scenario/scn.h"

/* 2026-03-02T08:00:00Z: a Monday, far from any change of clocks. */
#define START_WALL_MS INT64_C(1772438400000)

static bool is_verbose;

bool scn_fail(struct scn *s, const char *fmt, ...)
{
    va_list ap;
    if (s->has_failed)
        return false;
    s->has_failed = true;
    fprintf(stderr, "%s:%u: ", s->file, s->line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s\n", s->split ? " (bytes in pieces)" : "");
    return false;
}

bool scn_next_line(struct scn *s, struct str *line)
{
    if (s->rest.n == 0)
        return false;
    *line = str_split(&s->rest, '\n');
    s->line++;
    return true;
}

int64_t scn_duration(struct scn *s, const char *key, int64_t otherwise_ms)
{
    const char *v = words_value(&s->words, 1, key);
    int64_t ms = otherwise_ms;
    if (v && !text_parse_duration(str_of(v), &ms))
        scn_fail(s, "not a duration: %s", v);
    return ms;
}

bool scn_number(struct scn *s, const char *text, uint64_t *out)
{
    return text_parse_u64(str_of(text), INT64_MAX, out) || scn_fail(s, "not a number: %s", text);
}

/* --- the engine's life --- */

static void on_line(void *arg, enum log_level level, const char *line)
{
    struct scn *s = arg;
    (void)level;
    if (is_verbose)
        fprintf(stderr, "%10.3f %s\n", (double)sim_mono_ms(s->sim) / 1000, line);
    buf_printf(&s->daemon, "    %s\n", line);
}

static void on_fatal(void *arg, const struct err *err)
{
    struct scn *s = arg;
    s->is_fatal = true;
    scn_fail(s, "the engine gave up: %s", err->text);
}

static void on_drained(void *arg)
{
    struct scn *s = arg;
    s->is_drained = true;
}

static bool is_drained(void *arg)
{
    const struct scn *s = arg;
    return s->is_drained;
}

static bool do_start(struct scn *s)
{
    struct err err = ERR_NONE;
    if (s->engine)
        return scn_fail(s, "it runs already");
    if (!s->has_conf && !scn_conf_make(s, &s->conf))
        return false;
    s->has_conf = true;
    if (sim_store_open(s->sim, &err))
        return scn_fail(s, "%s", err.text);
    s->engine = engine_new(&s->conf, sim_io(s->sim), &s->log, ++s->seed);
    if (engine_start(s->engine, on_fatal, s, &err))
        return scn_fail(s, "%s", err.text);
    sim_run_for(s->sim, 100);
    return !s->has_failed;
}

/* As kill -9: what was not committed is lost. */
static bool do_crash(struct scn *s)
{
    scn_view_close(s);
    engine_free(s->engine);
    s->engine = NULL;
    sim_store_close(s->sim, true);
    return true;
}

/* As SIGTERM. */
static bool do_stop(struct scn *s)
{
    int64_t grace = scn_duration(s, "grace", 30 * SECOND_MS);
    if (!s->engine)
        return scn_fail(s, "it does not run");
    s->is_drained = false;
    engine_drain(s->engine, grace, on_drained, s);
    if (!sim_run_until(s->sim, is_drained, s, grace + MINUTE_MS))
        return scn_fail(s, "it did not drain");
    scn_view_close(s);
    sim_store_close(s->sim, false);
    engine_free(s->engine);
    s->engine = NULL;
    return true;
}

static bool do_reload(struct scn *s)
{
    const char *note = NULL;
    struct conf next;
    if (!scn_conf_make(s, &next))
        return false;
    if (s->has_old_conf)
        conf_done(&s->old_conf);
    s->old_conf = s->conf;
    s->has_old_conf = true;
    s->conf = next;
    engine_reload(s->engine, &s->conf, &note);
    return true;
}

/* --- small statements --- */

/* world FILE, or world { ... } */
static bool do_world(struct scn *s)
{
    struct err err = ERR_NONE;
    if (s->words.n != 2)
        return scn_fail(s, "world FILE, or world {");
    if (strcmp(s->words.w[1], "{") != 0) {
        char *path = xasprintf("%s/%s", s->world_folder, s->words.w[1]);
        int rc = world_load(&s->world, path, &err);
        free(path);
        return rc == 0 || scn_fail(s, "%s", err.text);
    }
    struct buf text = BUF_INIT;
    struct str line;
    unsigned first = s->line;
    while (scn_next_line(s, &line) && !str_eq_z(str_trim(line), "}")) {
        buf_add_str(&text, line);
        buf_add_c(&text, '\n');
    }
    int rc = world_parse(&s->world, buf_str(&text), "world", s->world_folder, &err);
    buf_done(&text);
    return rc == 0 || scn_fail(s, "%s (counted from line %u)", err.text, first);
}

static bool do_config(struct scn *s)
{
    return scn_conf_block(s);
}

static bool do_wait(struct scn *s)
{
    int64_t ms;
    if (s->words.n != 2 || !text_parse_duration(str_of(s->words.w[1]), &ms))
        return scn_fail(s, "wait DURATION");
    sim_run_for(s->sim, ms);
    return !s->has_failed;
}

/* jump forward|back DURATION: the wall clock only */
static bool do_jump(struct scn *s)
{
    int64_t ms;
    if (s->words.n != 3 || !text_parse_duration(str_of(s->words.w[2]), &ms))
        return scn_fail(s, "jump forward|back DURATION");
    sim_jump_wall(s->sim, strcmp(s->words.w[1], "back") == 0 ? -ms : ms);
    return true;
}

/* latency DURATION: one way, from now on */
static bool do_latency(struct scn *s)
{
    int64_t ms;
    if (s->words.n != 2 || !text_parse_duration(str_of(s->words.w[1]), &ms))
        return scn_fail(s, "latency DURATION");
    sim_set_latency(s->sim, ms);
    return true;
}

/* web STATUS BODY */
static bool do_web(struct scn *s)
{
    uint64_t status;
    if (s->words.n != 3 || !scn_number(s, s->words.w[1], &status))
        return scn_fail(s, "web STATUS BODY");
    sim_web(s->sim, (int)status, s->words.w[2]);
    return true;
}

/* store full|io|well|fails N */
static bool do_store(struct scn *s)
{
    const char *how = s->words.n == 2 ? s->words.w[1] : "";
    uint64_t nth;
    if (s->words.n == 3 && strcmp(s->words.w[1], "fails") == 0 &&
        scn_number(s, s->words.w[2], &nth)) {
        sim_store_fail_nth(s->sim, (unsigned)nth);
        return true;
    }
    if (strcmp(how, "full") == 0)
        sim_store_sick(s->sim, E_FULL);
    else if (strcmp(how, "io") == 0)
        sim_store_sick(s->sim, E_IO);
    else if (strcmp(how, "well") == 0)
        sim_store_sick(s->sim, E_OK);
    else
        return scn_fail(s, "store full|io|well|fails N");
    return true;
}

/* file NAME TEXT: in $DIR, for password-file */
static bool do_file(struct scn *s)
{
    if (s->words.n != 3)
        return scn_fail(s, "file NAME TEXT");
    char *path = xasprintf("%s/%s", s->dir, s->words.w[1]);
    FILE *f = fopen(path, "we");
    bool is_ok = f && fputs(s->words.w[2], f) >= 0;
    is_ok = f && fclose(f) == 0 && chmod(path, 0600) == 0 && is_ok;
    free(path);
    return is_ok || scn_fail(s, "writing it: %s", strerror(errno));
}

static bool do_allow(struct scn *s)
{
    s->may_violate = true;
    return true;
}

static const struct {
    const char *word;
    bool (*play)(struct scn *s);
    bool needs_engine;
} verbs[] = {
    {"world", do_world, false},     {"config", do_config, false},
    {"file", do_file, false},       {"start", do_start, false},
    {"restart", do_start, false},   {"crash", do_crash, true},
    {"stop", do_stop, true},        {"reload", do_reload, true},
    {"send", scn_send, true},       {"smtp", scn_smtp_block, true},
    {"control", scn_control, true}, {"wait", do_wait, false},
    {"until", scn_until, true},     {"expect", scn_expect, false},
    {"latency", do_latency, false}, {"web", do_web, false},
    {"jump", do_jump, false},
    {"store", do_store, false},     {"allow-violations", do_allow, false},
};

static bool play_line(struct scn *s)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].word, s->words.w[0]) != 0)
            continue;
        if (verbs[i].needs_engine && !s->engine)
            return scn_fail(s, "the engine does not run");
        return verbs[i].play(s);
    }
    return scn_fail(s, "not a statement: %s", s->words.w[0]);
}

static void play_all(struct scn *s)
{
    struct str line;
    while (!s->has_failed && scn_next_line(s, &line)) {
        const char *why = "";
        if (!words_split(line, &s->words, &why))
            scn_fail(s, "%s", why);
        else if (s->words.n > 0)
            play_line(s);
        words_done(&s->words);
    }
    if (!s->has_failed && !s->may_violate && s->world.violations_n > 0)
        scn_fail(s, "the engine broke the standards:\n%s", buf_text(&s->world.violations));
}

/* --- one play --- */

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static char *make_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *dir = xasprintf("%s/scn.XXXXXX", base                            ? base
                                           : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                                                           : "/tmp");
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(1);
    }
    return dir;
}

static void tear_down(struct scn *s)
{
    scn_view_close(s);
    if (s->engine)
        do_crash(s);
    sim_free(s->sim);
    world_done(&s->world);
    scn_conf_done(s);
    if (s->has_conf)
        conf_done(&s->conf);
    if (s->has_old_conf)
        conf_done(&s->old_conf);
    buf_done(&s->daemon);
    buf_done(&s->control);
    nftw(s->dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    free(s->dir);
}

static bool play(const char *file, struct str text, char *world_folder, uint64_t seed, bool split)
{
    struct scn s = {.file = file,
                    .rest = text,
                    .seed = seed,
                    .split = split,
                    .world_folder = world_folder,
                    .dir = make_dir()};
    s.log = (struct log){is_verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, on_line, &s};
    world_init(&s.world);
    struct sim_opts o = {
        .world = &s.world, .log = &s.log, .seed = seed, .split = split, .wall_ms = START_WALL_MS};
    char *store = xasprintf("%s/store", s.dir);
    o.dir = store;
    s.sim = sim_new(&o);
    scn_conf_default(&s);
    play_all(&s);
    if (s.has_failed)
        scn_show(&s);
    bool is_ok = !s.has_failed;
    tear_down(&s);
    free(store);
    return is_ok;
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    char piece[4096];
    size_t n;
    if (!f) {
        perror(path);
        return false;
    }
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(out, piece, n);
    fclose(f);
    return true;
}

int main(int argc, char **argv)
{
    unsigned played = 0, failed = 0;
    char *world_folder = xstrdup("tests/world");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0) {
            is_verbose = true;
        } else if (strcmp(argv[i], "--world") == 0 && i + 1 < argc) {
            free(world_folder);
            world_folder = xstrdup(argv[++i]);
        } else {
            struct buf text = BUF_INIT;
            bool is_ok = read_file(argv[i], &text) &&
                         play(argv[i], buf_str(&text), world_folder, 1, false) &&
                         play(argv[i], buf_str(&text), world_folder, 1000, true);
            played++;
            failed += !is_ok;
            buf_done(&text);
        }
    }
    free(world_folder);
    if (played != 1)
        printf("%u scenarios, %u failed\n", played, failed);
    return failed || !played ? 1 : 0;
}
