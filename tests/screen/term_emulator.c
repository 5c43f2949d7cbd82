/* SPDX-License-Identifier: ISC */
#include "tests/screen/term_emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vterm.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

struct emulator {
    VTerm *vt;
    VTermScreen *screen;
    int fd, w, h;
    pid_t pid;
    int status; /* -1 while it runs */
    bool is_alt;
    struct buf raw;
};

static int64_t now(void)
{
    return clock_system()->mono_ms(clock_system());
}

static int on_property(VTermProp prop, VTermValue *val, void *user)
{
    struct emulator *e = user;

    if (prop == VTERM_PROP_ALTSCREEN)
        e->is_alt = val->boolean;
    return 1;
}

static const VTermScreenCallbacks callbacks = {.settermprop = on_property};

struct emulator *emulator_new(const struct emulator_conf *c)
{
    struct emulator *e = xnew(struct emulator);
    struct winsize ws = {.ws_row = (unsigned short)c->h, .ws_col = (unsigned short)c->w};

    e->w = c->w;
    e->h = c->h;
    e->status = -1;
    e->vt = vterm_new(c->h, c->w);
    vterm_set_utf8(e->vt, 1);
    e->screen = vterm_obtain_screen(e->vt);
    vterm_screen_set_callbacks(e->screen, &callbacks, e);
    vterm_screen_enable_altscreen(e->screen, 1);
    vterm_screen_reset(e->screen, 1);
    e->pid = forkpty(&e->fd, NULL, NULL, &ws);
    verify(e->pid >= 0);
    if (e->pid == 0) {
        execve(c->argv[0], c->argv, c->env);
        _exit(127);
    }
    fcntl(e->fd, F_SETFL, fcntl(e->fd, F_GETFL) | O_NONBLOCK);
    return e;
}

static void reap(struct emulator *e, int flags)
{
    int st;

    if (e->status < 0 && waitpid(e->pid, &st, flags) == e->pid)
        e->status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

void emulator_free(struct emulator *e)
{
    if (!e)
        return;
    reap(e, WNOHANG);
    if (e->status < 0) {
        kill(e->pid, SIGKILL);
        reap(e, 0);
    }
    close(e->fd);
    vterm_free(e->vt);
    buf_done(&e->raw);
    free(e);
}

void emulator_send(struct emulator *e, struct str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(e->fd, bytes.p, bytes.n);

        if (n < 0)
            return;
        bytes = str_sub(bytes, (size_t)n, bytes.n);
    }
}

void emulator_resize(struct emulator *e, int w, int h)
{
    struct winsize ws = {.ws_row = (unsigned short)h, .ws_col = (unsigned short)w};

    e->w = w;
    e->h = h;
    vterm_set_size(e->vt, h, w);
    ioctl(e->fd, TIOCSWINSZ, &ws);
}

/* Take what is there, or wait for it at most ms. 1 = bytes, 0 = none, -1 = the program is gone. */
static int take(struct emulator *e, int ms)
{
    struct pollfd p = {.fd = e->fd, .events = POLLIN};
    char bytes[65536];
    ssize_t n;

    if (poll(&p, 1, ms) <= 0)
        return 0;
    n = read(e->fd, bytes, sizeof(bytes));
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    buf_add(&e->raw, bytes, (size_t)n);
    vterm_input_write(e->vt, bytes, (size_t)n);
    return 1;
}

bool emulator_settle(struct emulator *e, int quiet_ms, int max_ms)
{
    int64_t end = now() + max_ms;
    int got = 1;

    while (got > 0 && now() < end)
        got = take(e, quiet_ms);
    return got >= 0;
}

bool emulator_until(struct emulator *e, const char *text, int max_ms)
{
    int64_t end = now() + max_ms;

    for (;;) {
        struct buf b CLEANUP(buf_done) = BUF_INIT;
        int got;

        emulator_text(e, &b);
        if (strstr(buf_text(&b), text))
            return true;
        if (now() >= end)
            return false;
        got = take(e, 20);
        if (got < 0)
            end = 0;
    }
}

int emulator_wait(struct emulator *e, int max_ms)
{
    int64_t end = now() + max_ms;

    while (e->status < 0 && now() < end) {
        if (take(e, 10) < 0)
            usleep(5000);
        reap(e, WNOHANG);
    }
    while (take(e, 0) > 0)
        continue;
    return e->status;
}

void emulator_signal(struct emulator *e, int signum)
{
    kill(e->pid, signum);
}

static void add_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_add_c(out, (char)c);
        return;
    }
    if (c >= 0x10000) {
        buf_add_c(out, (char)(0xf0 | c >> 18));
        buf_add_c(out, (char)(0x80 | (c >> 12 & 0x3f)));
    } else if (c >= 0x800) {
        buf_add_c(out, (char)(0xe0 | c >> 12));
    }
    if (c >= 0x800)
        buf_add_c(out, (char)(0x80 | (c >> 6 & 0x3f)));
    else
        buf_add_c(out, (char)(0xc0 | c >> 6));
    buf_add_c(out, (char)(0x80 | (c & 0x3f)));
}

static void cell_text(struct emulator *e, int y, int x, struct buf *out)
{
    VTermScreenCell cell;

    vterm_screen_get_cell(e->screen, (VTermPos){y, x}, &cell);
    if (cell.chars[0] == 0)
        buf_add_c(out, ' ');
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i]; i++) {
        if (cell.chars[i] != (uint32_t)-1)
            add_utf8(out, cell.chars[i]);
    }
}

static void row_text(struct emulator *e, int y, struct buf *out)
{
    size_t from = out->n;

    for (int x = 0; x < e->w; x++)
        cell_text(e, y, x, out);
    while (out->n > from && out->p[out->n - 1] == ' ')
        buf_truncate(out, out->n - 1);
}

void emulator_text(struct emulator *e, struct buf *out)
{
    for (int y = 0; y < e->h; y++) {
        row_text(e, y, out);
        buf_add_c(out, '\n');
    }
}

static bool find(struct emulator *e, const char *text, VTermPos *at)
{
    for (int y = 0; y < e->h; y++) {
        for (int x = 0; x < e->w; x++) {
            struct buf b CLEANUP(buf_done) = BUF_INIT;

            for (int i = x; i < e->w && b.n < strlen(text); i++)
                cell_text(e, y, i, &b);
            if (str_starts(buf_str(&b), str_of(text))) {
                *at = (VTermPos){y, x};
                return true;
            }
        }
    }
    return false;
}

bool emulator_style(struct emulator *e, const char *text, struct buf *out)
{
    VTermScreenCell cell;
    VTermPos at;

    if (!find(e, text, &at))
        return false;
    vterm_screen_get_cell(e->screen, at, &cell);
    if (VTERM_COLOR_IS_INDEXED(&cell.fg) && !VTERM_COLOR_IS_DEFAULT_FG(&cell.fg))
        buf_printf(out, "fg=%u ", cell.fg.indexed.idx);
    if (VTERM_COLOR_IS_INDEXED(&cell.bg) && !VTERM_COLOR_IS_DEFAULT_BG(&cell.bg))
        buf_printf(out, "bg=%u ", cell.bg.indexed.idx);
    buf_add_z(out, cell.attrs.bold ? "bold " : "");
    buf_add_z(out, cell.attrs.underline ? "underline " : "");
    buf_add_z(out, cell.attrs.reverse ? "reverse " : "");
    if (out->n == 0)
        buf_add_z(out, "plain ");
    buf_truncate(out, out->n - 1);
    return true;
}

struct str emulator_raw(const struct emulator *e)
{
    return buf_str(&e->raw);
}

void emulator_raw_clear(struct emulator *e)
{
    buf_clear(&e->raw);
}

bool emulator_is_alt_screen(const struct emulator *e)
{
    return e->is_alt;
}
