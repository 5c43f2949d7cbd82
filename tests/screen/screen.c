/* SPDX-License-Identifier: ISC */
/*
 * screen CONSOLE FILE.keys: play a scenario, compare what is on the screen. README.md in this folder
 * says how a scenario is written. ACCEPT=1 writes the expected screens instead of comparing.
 *
 * Whatever the scenario, the bytes on the pty are looked at, too: nothing that data could have
 * brought may be alive there.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "tests/screen/term_emulator.h"

#define WAIT_MS     8000
#define LATE_ROUNDS 12
#define QUIET_MS    80
#define STILL_MS    250 /* longer than a frame: what is compared has come to rest */
#define ENV_MAX     16

struct play {
    const char *console, *file;
    char dir[512];
    unsigned line;
    int w, h, failures, compared;
    char term[40], locale[40], feed[40];
    char *args[6];
    size_t args_n;
    char *env[ENV_MAX];
    size_t env_n;
    struct emulator *e;
};

static void fail(struct play *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void fail(struct play *p, const char *fmt, ...)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    printf("%s:%u: %s\n", p->file, p->line, buf_text(&b));
    p->failures++;
}

static void show(struct play *p)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    emulator_text(p->e, &b);
    printf("--- screen ---\n%s--------------\n", buf_text(&b));
}

static void start(struct play *p)
{
    char *argv[10], term[60], lang[60];
    char *env[ENV_MAX + 8];
    size_t n = 0, m = 0;

    if (p->e)
        return;
    argv[n++] = (char *)p->console;
    argv[n++] = p->feed;
    for (size_t i = 0; i < p->args_n; i++)
        argv[n++] = p->args[i];
    argv[n] = NULL;
    snprintf(term, sizeof(term), "TERM=%s", p->term);
    snprintf(lang, sizeof(lang), "LC_ALL=%s", p->locale);
    env[m++] = term;
    env[m++] = lang;
    env[m++] = (char *)"TZ=UTC";
    env[m++] = (char *)"PATH=/usr/bin:/bin";
    for (size_t i = 0; i < p->env_n; i++)
        env[m++] = p->env[i];
    env[m] = NULL;
    p->e = emulator_new(&(struct emulator_conf){p->w, p->h, argv, env});
}

/* --- the bytes --- */

/* ESC begins only what curses writes: CSI, charset, keypad and cursor modes. */
static bool is_our_escape(unsigned char c)
{
    return strchr("[()>=78DMEH#", c) != NULL;
}

static bool is_bad_char(int32_t cp)
{
    return (cp >= 0x80 && cp < 0xa0) || (cp >= 0x200b && cp <= 0x200f) ||
           (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff;
}

static void check_bytes(struct play *p)
{
    struct str raw = emulator_raw(p->e);
    size_t len;

    for (size_t i = 0; i < raw.n; i += len) {
        int32_t cp = text_utf8_next(str_sub(raw, i, raw.n), &len);

        if (cp == 0x1b && i + 1 < raw.n && !is_our_escape((unsigned char)raw.p[i + 1]))
            fail(p, "ESC %c is alive at byte %zu", raw.p[i + 1], i);
        else if (cp == 0x1b && str_starts(str_sub(raw, i, raw.n), STR("\033[77;7H")))
            fail(p, "data moves the cursor at byte %zu", i);
        else if (cp < 0 && i + 4 < raw.n)
            fail(p, "byte %02x that is not UTF-8 at %zu", (unsigned char)raw.p[i], i);
        else if (cp >= 0 && is_bad_char(cp))
            fail(p, "U+%04X is alive at byte %zu", (unsigned)cp, i);
    }
}

/* SGR with a colour in it: ESC [ ... m with 30-49, 90-107 as a parameter. */
static bool has_colour(struct str raw)
{
    for (size_t i = 0; i + 2 < raw.n; i++) {
        struct str seq, all;
        size_t end = i + 2;

        if (raw.p[i] != 0x1b || raw.p[i + 1] != '[')
            continue;
        while (end < raw.n && ((raw.p[end] >= '0' && raw.p[end] <= '9') || raw.p[end] == ';'))
            end++;
        if (end >= raw.n || raw.p[end] != 'm')
            continue;
        for (all = str_sub(raw, i + 2, end); all.n > 0;) {
            uint64_t n = 0;

            seq = str_split(&all, ';');
            if (text_parse_u64(seq, 255, &n) && n >= 30 && n <= 107 && n != 39 && n != 49)
                return true;
        }
    }
    return false;
}

/* --- screens --- */

static bool read_all(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    char chunk[4096];
    size_t n;

    if (!f)
        return false;
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_add(out, chunk, n);
    fclose(f);
    return true;
}

static void accept(struct play *p, const char *path, const struct buf *is)
{
    FILE *f = fopen(path, "we");

    if (!f) {
        fail(p, "write %s: %s", path, strerror(errno));
        return;
    }
    fwrite(is->p, 1, is->n, f);
    fclose(f);
}

static void tell_difference(struct str want, struct str is)
{
    for (int row = 0; want.n > 0 || is.n > 0; row++) {
        struct str a = str_split(&want, '\n'), b = str_split(&is, '\n');

        if (!str_eq(a, b))
            printf("row %2d want |%.*s\n       is   |%.*s\n", row, STR_ARG(a), STR_ARG(b));
    }
}

/* On a busy machine the last frame may take its time: only what stays different is wrong. */
static bool becomes(struct play *p, struct str want, struct buf *is)
{
    for (int round = 0; round < LATE_ROUNDS; round++) {
        buf_clear(is);
        emulator_text(p->e, is);
        if (str_eq(buf_str(is), want))
            return true;
        emulator_settle(p->e, STILL_MS, STILL_MS);
    }
    return false;
}

static void compare(struct play *p, const char *name)
{
    struct buf want CLEANUP(buf_done) = BUF_INIT, is CLEANUP(buf_done) = BUF_INIT;
    const char *accepting = getenv("ACCEPT");
    char path[800];

    emulator_settle(p->e, STILL_MS, WAIT_MS);
    snprintf(path, sizeof(path), "%s/expected/%s.screen", p->dir, name);
    p->compared++;
    if (accepting && accepting[0]) {
        emulator_text(p->e, &is);
        accept(p, path, &is);
    } else if (!read_all(path, &want)) {
        fail(p, "there is no %s; look at the screen, then run with ACCEPT=1", path);
        show(p);
    } else if (!becomes(p, buf_str(&want), &is)) {
        fail(p, "the screen \"%s\" is not as expected:", name);
        tell_difference(buf_str(&want), buf_str(&is));
    }
}

/* --- steps --- */

static const struct {
    const char *name, *bytes;
} names[] = {
    {"Enter", "\r"},    {"Esc", "\033"},       {"Tab", "\t"},          {"S-Tab", "\033[Z"},
    {"Space", " "},     {"Up", "\033[A"},      {"Down", "\033[B"},     {"Right", "\033[C"},
    {"Left", "\033[D"}, {"PgUp", "\033[5~"},   {"PgDn", "\033[6~"},    {"Home", "\033[H"},
    {"End", "\033[F"},  {"Backspace", "\177"}, {"Paste", "\033[200~"}, {"PasteEnd", "\033[201~"},
};

/* Application cursor mode: curses asks for it (smkx) wherever the terminal has it. */
static void send_key(struct play *p, struct str word)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_eq_z(word, names[i].name))
            continue;
        if (strcmp(p->term, "linux") != 0 && strlen(names[i].bytes) == 3 &&
            names[i].bytes[1] == '[' && names[i].bytes[2] != 'Z') {
            char application[4] = {'\033', 'O', names[i].bytes[2], 0};

            emulator_send(p->e, str_of(application));
        } else {
            emulator_send(p->e, str_of(names[i].bytes));
        }
        return;
    }
    if (word.n == 2 && word.p[0] == '^') {
        char c = (char)(word.p[1] & 0x1f);

        emulator_send(p->e, (struct str){&c, 1});
        return;
    }
    emulator_send(p->e, word);
}

static void step_key(struct play *p, struct str rest)
{
    while (rest.n > 0) {
        send_key(p, str_split(&rest, ' '));
        emulator_settle(p->e, QUIET_MS, WAIT_MS);
    }
}

static void step_style(struct play *p, struct str rest)
{
    struct buf is CLEANUP(buf_done) = BUF_INIT;
    struct str text = str_split(&rest, '|');
    char *z = str_dup(text);

    emulator_settle(p->e, QUIET_MS, WAIT_MS);
    if (!emulator_style(p->e, z, &is))
        fail(p, "\"%s\" is not on the screen", z);
    else if (!str_eq(buf_str(&is), str_trim(rest)))
        fail(p, "\"%s\" is %s", z, buf_text(&is));
    free(z);
}

static void step_until(struct play *p, struct str rest, int ms)
{
    char *text = str_dup(rest);

    if (!emulator_until(p->e, text, ms)) {
        fail(p, "\"%s\" did not come within %d ms", text, ms);
        show(p);
    }
    free(text);
}

static void step_absent(struct play *p, struct str rest)
{
    char *text = str_dup(rest);

    emulator_settle(p->e, QUIET_MS, WAIT_MS);
    if (emulator_until(p->e, text, 0))
        fail(p, "\"%s\" is on the screen", text);
    free(text);
}

static void step_exit(struct play *p, struct str rest)
{
    uint64_t want = 0;
    int status = emulator_wait(p->e, WAIT_MS);

    text_parse_u64(rest, 255, &want);
    if (status != (int)want)
        fail(p, "the console ended with %d", status);
    if (emulator_is_alt_screen(p->e))
        fail(p, "the terminal was not restored");
}

static void step_signal(struct play *p, struct str rest)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", SIGHUP}, {"TERM", SIGTERM}, {"ABRT", SIGABRT}, {"SEGV", SIGSEGV}};

    emulator_settle(p->e, QUIET_MS, WAIT_MS);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (str_eq_z(rest, signals[i].name))
            emulator_signal(p->e, signals[i].number);
    }
}

/* idle MS BYTES: nothing happens for so long, and no more than so many bytes are written. */
static void step_idle(struct play *p, struct str rest)
{
    uint64_t ms = 0, most = 0;
    size_t wrote;

    emulator_settle(p->e, 300, WAIT_MS);
    text_parse_u64(str_split(&rest, ' '), 60000, &ms);
    text_parse_u64(rest, 100000, &most);
    check_bytes(p);
    emulator_raw_clear(p->e);
    emulator_settle(p->e, (int)ms, (int)ms);
    wrote = emulator_raw(p->e).n;
    if (wrote > most)
        fail(p, "%zu bytes were written in %u idle ms", wrote, (unsigned)ms);
}

/* cost BYTES KEY */
static void step_cost(struct play *p, struct str rest)
{
    uint64_t most = 0;
    size_t wrote;

    emulator_settle(p->e, STILL_MS, WAIT_MS);
    text_parse_u64(str_split(&rest, ' '), 1000000, &most);
    check_bytes(p);
    emulator_raw_clear(p->e);
    send_key(p, rest);
    emulator_settle(p->e, STILL_MS, WAIT_MS);
    wrote = emulator_raw(p->e).n;
    if (wrote > most || wrote == 0)
        fail(p, "%.*s cost %zu bytes", STR_ARG(rest), wrote);
}

static void step_size(struct play *p, struct str rest)
{
    uint64_t w = 0, h = 0;

    if (!text_parse_u64(str_split(&rest, 'x'), 500, &w) || !text_parse_u64(rest, 300, &h))
        fail(p, "a size is written 80x24");
    if (p->e)
        emulator_resize(p->e, (int)w, (int)h);
    p->w = (int)w;
    p->h = (int)h;
}

static void step_until_default(struct play *p, struct str rest)
{
    step_until(p, rest, WAIT_MS);
}

/* soon TEXT: at once, whatever the worker is busy with. */
static void step_soon(struct play *p, struct str rest)
{
    step_until(p, rest, 1000);
}

static void step_type(struct play *p, struct str rest)
{
    emulator_send(p->e, rest);
    emulator_settle(p->e, QUIET_MS, WAIT_MS);
}

static void step_screen(struct play *p, struct str rest)
{
    char *name = str_dup(rest);

    compare(p, name);
    free(name);
}

static void step_wait(struct play *p, struct str rest)
{
    uint64_t ms = 0;

    text_parse_u64(rest, 60000, &ms);
    emulator_settle(p->e, (int)ms, (int)ms);
}

static void step_mono(struct play *p, struct str rest)
{
    (void)rest;
    emulator_settle(p->e, QUIET_MS, WAIT_MS);
    if (has_colour(emulator_raw(p->e)))
        fail(p, "a colour was sent");
}

static const struct {
    const char *name;
    void (*run)(struct play *p, struct str rest);
} steps[] = {
    {"key", step_key},     {"type", step_type},     {"until", step_until_default},
    {"soon", step_soon},   {"absent", step_absent}, {"screen", step_screen},
    {"style", step_style}, {"exit", step_exit},     {"signal", step_signal},
    {"idle", step_idle},   {"resize", step_size},   {"wait", step_wait},
    {"mono", step_mono},   {"cost", step_cost},
};

/* Settings come before the first step. */
static bool set(struct play *p, struct str word, struct str rest)
{
    if (str_eq_z(word, "size"))
        step_size(p, rest);
    else if (str_eq_z(word, "term"))
        str_copy(rest, p->term, sizeof(p->term));
    else if (str_eq_z(word, "locale"))
        str_copy(rest, p->locale, sizeof(p->locale));
    else if (str_eq_z(word, "feed"))
        str_copy(rest, p->feed, sizeof(p->feed));
    else if (str_eq_z(word, "env") && p->env_n < ENV_MAX)
        p->env[p->env_n++] = str_dup(rest);
    else if (str_eq_z(word, "args") && p->args_n < ARRAY_LEN(p->args))
        while (rest.n > 0 && p->args_n < ARRAY_LEN(p->args))
            p->args[p->args_n++] = str_dup(str_split(&rest, ' '));
    else
        return false;
    return true;
}

static void step(struct play *p, struct str line)
{
    struct str word = str_split(&line, ' ');

    if (!p->e && set(p, word, line))
        return;
    start(p);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (str_eq_z(word, steps[i].name)) {
            steps[i].run(p, line);
            return;
        }
    }
    fail(p, "there is no step \"%.*s\"", STR_ARG(word));
}

static void play_done(struct play *p)
{
    emulator_free(p->e);
    for (size_t i = 0; i < p->env_n; i++)
        free(p->env[i]);
    for (size_t i = 0; i < p->args_n; i++)
        free(p->args[i]);
}

int main(int argc, char **argv)
{
    struct play p = {
        .w = 80, .h = 24, .term = "xterm-256color", .locale = "C.UTF-8", .feed = "busy"};
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    const char *themes = getenv("MXHELM_THEMES");
    struct str rest;
    const char *slash;

    if (argc != 3 || !read_all(argv[2], &text)) {
        fprintf(stderr, "usage: screen CONSOLE FILE.keys\n");
        return 2;
    }
    p.console = argv[1];
    p.file = argv[2];
    slash = strrchr(argv[2], '/');
    str_copy(slash ? str_sub(str_of(argv[2]), 0, (size_t)(slash - argv[2])) : STR("."), p.dir,
             sizeof(p.dir));
    if (themes)
        p.env[p.env_n++] = xasprintf("MXHELM_THEMES=%s", themes);
    for (rest = buf_str(&text); rest.n > 0;) {
        struct str line = str_split(&rest, '\n');

        p.line++;
        if (line.n > 0 && line.p[0] != '#')
            step(&p, line);
    }
    if (p.e)
        check_bytes(&p);
    play_done(&p);
    return p.failures > 0;
}
