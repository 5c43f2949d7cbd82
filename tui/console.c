/* SPDX-License-Identifier: ISC */
/*
 * The loop: terminal, workers and timers in, frames out. At most one frame per FRAME_MS when data
 * drives it; a key is painted at once, and so are the first PROMPT_FRAMES answers that it brings.
 * Nothing changed: nothing is written.
 */
#include "tui/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tui/app.h"
#include "tui/console_run.h"
#include "tui/term.h"
#include "tui/worker.h"

#define FRAME_MS      100
#define PROMPT_FRAMES 2

struct console {
    struct app app;
    struct cells grid;
    const struct clock *clock;
    struct worker *workers[LANE_COUNT];
    int wake[2];
    int64_t painted_mono_ms;
    bool is_stale;     /* something changed since the last frame */
    int prompt_frames; /* that need not wait for FRAME_MS */
    bool is_over;
};

static void hand_out(struct console *c)
{
    struct ask ask;

    while (app_next_ask(&c->app, &ask))
        worker_ask(c->workers[ask_lane_of(ask.kind)], &ask);
}

static void paint(struct console *c)
{
    if (c->app.wants_theme)
        term_set_theme(&c->app.theme);
    if (c->app.wants_redraw)
        term_forget();
    c->app.wants_theme = c->app.wants_redraw = false;
    app_draw(&c->app, &c->grid);
    term_draw(&c->grid);
    c->painted_mono_ms = c->clock->mono_ms(c->clock);
    c->is_stale = false;
}

static void tick(struct console *c)
{
    app_tick(&c->app, c->clock->wall_ms(c->clock), c->clock->mono_ms(c->clock));
}

static void resize(struct console *c)
{
    int w, h;

    term_size(&w, &h);
    app_resize(&c->app, w, h);
}

static void read_keys(struct console *c)
{
    int32_t key;

    while ((key = term_key()) != K_NONE) {
        if (key == K_RESIZE)
            continue;
        app_key(&c->app, key);
        if (c->app.wants_suspend) {
            c->app.wants_suspend = false;
            term_suspend();
            resize(c);
        }
        c->is_over |= c->app.wants_quit;
    }
    hand_out(c);
    paint(c);
    c->prompt_frames = PROMPT_FRAMES;
}

static void read_answers(struct console *c)
{
    char bytes[64];
    struct answer *a;

    while (read(c->wake[0], bytes, sizeof(bytes)) > 0)
        continue;
    for (int i = 0; i < LANE_COUNT; i++) {
        while ((a = worker_answer(c->workers[i]))) {
            app_answer(&c->app, a);
            c->is_stale = true;
        }
    }
}

static void read_signals(struct console *c)
{
    unsigned got = term_signals();

    if (got & TERM_GOT_END)
        c->is_over = true;
    if (got & (TERM_GOT_RESIZE | TERM_GOT_CONT)) {
        resize(c);
        c->is_stale = true;
    }
}

static bool may_paint(const struct console *c)
{
    return c->prompt_frames > 0 || c->clock->mono_ms(c->clock) - c->painted_mono_ms >= FRAME_MS;
}

/* How long there is nothing to do: until the next question is due, or the next frame. */
static int64_t wait_ms(const struct console *c)
{
    int64_t ms = app_tick_in_ms(&c->app), since;

    if (!c->is_stale)
        return ms;
    if (may_paint(c))
        return 0;
    since = c->clock->mono_ms(c->clock) - c->painted_mono_ms;
    return since >= FRAME_MS ? 0 : FRAME_MS - since < ms ? FRAME_MS - since : ms;
}

static void turn(struct console *c)
{
    struct pollfd fds[3] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = c->wake[0], .events = POLLIN},
        {.fd = term_signal_fd(), .events = POLLIN},
    };
    int64_t minute = c->app.now_wall_ms / MINUTE_MS;
    bool had_note = c->app.note[0] != '\0';

    if (poll(fds, ARRAY_LEN(fds), (int)wait_ms(c)) < 0 && errno != EINTR)
        c->is_over = true;
    tick(c);
    if (fds[2].revents)
        read_signals(c);
    if (fds[1].revents)
        read_answers(c);
    if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        c->is_over = true; /* the terminal went away */
    else if (fds[0].revents & POLLIN)
        read_keys(c);
    hand_out(c);
    c->is_stale |= c->app.now_wall_ms / MINUTE_MS != minute || had_note != (c->app.note[0] != '\0');
    if (c->is_stale && may_paint(c)) {
        c->prompt_frames -= c->prompt_frames > 0;
        paint(c);
    }
}

static void start(struct console *c, const struct console_conf *conf,
                  const struct feed_source *source)
{
    const char *name = conf->theme && conf->theme[0] ? conf->theme : "default";
    struct err err = ERR_NONE;
    struct theme theme;
    int rc = theme_load(name, &theme, &err);

    if (rc < 0)
        theme_init_default(&theme);
    app_init(&c->app, conf, &theme, c->clock->wall_ms(c->clock), c->clock->mono_ms(c->clock));
    if (rc < 0)
        app_note(&c->app, true, "%s", err.text);
    c->app.is_ascii = term_is_ascii();
    resize(c);
    term_set_theme(&theme);
    for (int i = 0; i < LANE_COUNT; i++)
        c->workers[i] = worker_new(source, c->wake[1]);
    hand_out(c);
    paint(c);
}

int console_run_with(const struct console_conf *conf, const struct feed_source *source,
                     const struct clock *clock)
{
    struct console *c;
    struct err err;

    if (term_open(&err) < 0) {
        fprintf(stderr, "mxhelm: %s\n", err.text);
        return 1;
    }
    c = xnew(struct console);
    c->clock = clock;
    verify(pipe2(c->wake, O_NONBLOCK | O_CLOEXEC) == 0);
    start(c, conf, source);
    while (!c->is_over)
        turn(c);
    term_close();
    for (int i = 0; i < LANE_COUNT; i++)
        worker_free(c->workers[i]);
    app_done(&c->app);
    cells_done(&c->grid);
    close(c->wake[0]);
    close(c->wake[1]);
    free(c);
    return 0;
}

int console_run(const struct console_conf *conf)
{
    struct feed_source source = feed_source_store(conf);

    return console_run_with(conf, &source, clock_system());
}
