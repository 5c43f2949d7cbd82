/* SPDX-License-Identifier: ISC */
#include "tui/app.h"

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tui/act.h"
#include "tui/detail.h"
#include "tui/palette.h"
#include "tui/pane_log.h"
#include "tui/pane_queue.h"
#include "tui/prompt.h"
#include "tui/screen.h"

#define TOTALS_EVERY_MS 1000
#define STATUS_EVERY_MS 5000
#define FOLLOW_EVERY_MS 500
#define NOTE_MS         8000

static const struct screen *const screens[PANE_COUNT] = {&screen_queue, &screen_log, &screen_diag};

const struct screen *screen_of(enum pane_id pane)
{
    return screens[pane];
}

void app_init(struct app *a, const struct console_conf *conf, const struct theme *theme,
              int64_t wall_ms, int64_t mono_ms)
{
    *a = (struct app){
        .conf = conf, .now_wall_ms = wall_ms, .now_mono_ms = mono_ms, .w = 80, .h = 24};
    a->theme = *theme;
    a->queue.sort = VIEW_BY_AGE;
    a->log.is_following = true;
    a->next_totals_mono_ms = a->next_status_mono_ms = mono_ms;
    screens[a->pane]->enter(a);
}

void app_done(struct app *a)
{
    for (int p = 0; p < PANE_COUNT; p++)
        screens[p]->done(a);
    detail_done(a);
}

void app_resize(struct app *a, int w, int h)
{
    a->w = w;
    a->h = h;
    a->wants_redraw = true;
}

struct ask *app_ask(struct app *a, enum ask_kind kind)
{
    struct ask *ask = &a->asks[kind];

    *ask = (struct ask){.kind = kind, .serial = ++a->serials[kind], .now_wall_ms = a->now_wall_ms};
    a->is_asked[kind] = a->is_waiting[kind] = true;
    return ask;
}

bool app_next_ask(struct app *a, struct ask *out)
{
    for (int k = 0; k < ASK_KIND_COUNT; k++) {
        if (a->is_asked[k]) {
            a->is_asked[k] = false;
            *out = a->asks[k];
            return true;
        }
    }
    return false;
}

void app_note(struct app *a, bool is_bad, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(a->note, sizeof(a->note), fmt, ap);
    va_end(ap);
    a->is_note_bad = is_bad;
    a->note_until_mono_ms = a->now_mono_ms + NOTE_MS;
}

unsigned app_where(const struct app *a)
{
    return a->detail.is_open ? IN_DETAIL : screens[a->pane]->where;
}

bool app_is_wide(const struct app *a)
{
    return a->w >= 120 && a->h >= 16;
}

void app_show_pane(struct app *a, enum pane_id pane)
{
    detail_close(a);
    a->pane = pane;
    a->note[0] = '\0';
    screens[pane]->enter(a);
}

void app_load_theme(struct app *a, const char *name)
{
    struct err err;
    struct theme t;

    if (theme_load(name, &t, &err) < 0) {
        app_note(a, true, "%s", err.text);
        return;
    }
    a->theme = t;
    a->wants_theme = true;
    app_note(a, false, "Theme %s.", t.name);
}

void app_refresh(struct app *a)
{
    a->version = 0;
    a->next_totals_mono_ms = a->next_status_mono_ms = a->now_mono_ms;
    if (a->pane == PANE_QUEUE)
        queue_reload(a);
    if (a->detail.is_open)
        detail_show(a, a->detail.message_id, a->detail.rcpt_id);
}

/* --- time --- */

static void ask_totals(struct app *a)
{
    struct ask *ask = app_ask(a, ASK_TOTALS);

    ask->known_version = a->version;
    ask->with_count = a->pane == PANE_QUEUE;
    str_copy(str_of(queue_applied_filter(a)), ask->filter, sizeof(ask->filter));
    a->next_totals_mono_ms = a->now_mono_ms + TOTALS_EVERY_MS;
}

static void ask_job(struct app *a)
{
    struct ask *ask = app_ask(a, ASK_JOB);

    ask->request.verb = CTL_JOB;
    ask->request.job = a->job.id;
    a->next_job_mono_ms = a->now_mono_ms + FOLLOW_EVERY_MS;
}

void app_tick(struct app *a, int64_t wall_ms, int64_t mono_ms)
{
    a->now_wall_ms = wall_ms;
    a->now_mono_ms = mono_ms;
    if (a->note[0] && mono_ms >= a->note_until_mono_ms)
        a->note[0] = '\0';
    if (mono_ms >= a->next_totals_mono_ms && !a->is_waiting[ASK_TOTALS])
        ask_totals(a);
    if (mono_ms >= a->next_status_mono_ms && !a->is_waiting[ASK_STATUS]) {
        app_ask(a, ASK_STATUS)->request.verb = CTL_STATUS;
        a->next_status_mono_ms = mono_ms + STATUS_EVERY_MS;
    }
    if (a->has_job && mono_ms >= a->next_job_mono_ms && !a->is_waiting[ASK_JOB])
        ask_job(a);
    if (a->pane == PANE_LOG && mono_ms >= a->next_follow_mono_ms) {
        log_poll(a);
        a->next_follow_mono_ms = mono_ms + FOLLOW_EVERY_MS;
    }
}

static void sooner(int64_t *in_ms, int64_t now, int64_t at)
{
    int64_t d = at > now ? at - now : 0;

    if (d < *in_ms)
        *in_ms = d;
}

int64_t app_tick_in_ms(const struct app *a)
{
    int64_t now = a->now_mono_ms, in_ms = MINUTE_MS - a->now_wall_ms % MINUTE_MS;

    if (a->note[0])
        sooner(&in_ms, now, a->note_until_mono_ms);
    if (!a->is_waiting[ASK_TOTALS])
        sooner(&in_ms, now, a->next_totals_mono_ms);
    if (!a->is_waiting[ASK_STATUS])
        sooner(&in_ms, now, a->next_status_mono_ms);
    if (a->has_job && !a->is_waiting[ASK_JOB])
        sooner(&in_ms, now, a->next_job_mono_ms);
    if (a->pane == PANE_LOG)
        sooner(&in_ms, now, a->next_follow_mono_ms);
    return in_ms;
}

/* --- answers --- */

static void totals_came(struct app *a, const struct answer *answer)
{
    if (answer->rc < 0) {
        str_copy(str_of(answer->err.text), a->store_error, sizeof(a->store_error));
        a->version = 0;
        return;
    }
    a->store_error[0] = '\0';
    if (answer->is_unchanged)
        return;
    a->version = answer->version;
    a->totals = answer->totals;
    a->has_totals = true;
    if (answer->has_count) {
        a->queue.count = answer->count;
        a->queue.has_count = true;
    }
    queue_totals_known(a);
    /* A question that is under way is not thrown away for a newer one: with a queue that changes all the
     * time, it would never be answered. The next second asks again. */
    if (a->pane == PANE_QUEUE && a->is_waiting[a->queue.is_grouped ? ASK_GROUPS : ASK_LIST])
        a->version = 0;
    else if (a->pane == PANE_QUEUE)
        queue_reload(a);
    if (a->detail.is_open)
        detail_show(a, a->detail.message_id, a->detail.rcpt_id);
}

static void status_came(struct app *a, const struct answer *answer)
{
    a->is_engine_known = true;
    a->is_engine_up = answer->rc == 0 && answer->reply.kind == CTL_REPLY_STATUS;
    if (a->is_engine_up)
        a->status = answer->reply.status;
    else
        str_copy(str_of(answer->rc < 0 ? answer->err.text : answer->reply.text), a->engine_error,
                 sizeof(a->engine_error));
}

static void dispatch(struct app *a, struct answer *answer)
{
    switch (answer->kind) {
    case ASK_TOTALS: totals_came(a, answer); break;
    case ASK_STATUS: status_came(a, answer); break;
    case ASK_ACT:
    case ASK_JOB: act_answer(a, answer); break;
    case ASK_LIST:
    case ASK_GROUPS: screen_queue.answer(a, answer); break;
    case ASK_LOG:
    case ASK_LOG_JUMP:
    case ASK_LOG_COUNT: screen_log.answer(a, answer); break;
    case ASK_CHECK: screen_diag.answer(a, answer); break;
    default: break;
    }
}

void app_answer(struct app *a, struct answer *answer)
{
    if (answer->serial != a->serials[answer->kind]) {
        answer_free(answer);
        return;
    }
    if (answer->is_last)
        a->is_waiting[answer->kind] = false;
    if (answer->kind == ASK_DETAIL) {
        detail_answer(a, answer);
        return;
    }
    dispatch(a, answer);
    answer_free(answer);
}

/* --- keys --- */

static bool whole_command(struct app *a, enum cmd cmd)
{
    switch (cmd) {
    case CMD_PANE_QUEUE: app_show_pane(a, PANE_QUEUE); return true;
    case CMD_PANE_LOG: app_show_pane(a, PANE_LOG); return true;
    case CMD_PANE_DIAG: app_show_pane(a, PANE_DIAG); return true;
    case CMD_NEXT_PANE: app_show_pane(a, (a->pane + 1) % PANE_COUNT); return true;
    case CMD_PREV_PANE: app_show_pane(a, (a->pane + PANE_COUNT - 1) % PANE_COUNT); return true;
    case CMD_HELP: palette_open(a, MODAL_HELP, false); return true;
    case CMD_PALETTE: palette_open(a, MODAL_PALETTE, false); return true;
    case CMD_REDRAW: a->wants_redraw = true; return true;
    case CMD_SUSPEND: a->wants_suspend = true; return true;
    case CMD_QUIT: a->wants_quit = true; return true;
    case CMD_SEARCH: prompt_open(a, PROMPT_SEARCH, ""); return true;
    default: return false;
    }
}

static bool act_command(struct app *a, enum cmd cmd)
{
    switch (cmd) {
    case CMD_RETRY: act_begin(a, CTL_RETRY, false); return true;
    case CMD_RETRY_ALL: act_begin(a, CTL_RETRY, true); return true;
    case CMD_HOLD: act_begin(a, CTL_HOLD, false); return true;
    case CMD_RELEASE: act_begin(a, CTL_RELEASE, false); return true;
    case CMD_DELETE: act_begin(a, CTL_DELETE, false); return true;
    case CMD_CONFIRM: act_begin(a, CTL_CONFIRM, false); return true;
    case CMD_RESEND: act_begin(a, CTL_RESEND, false); return true;
    default: return false;
    }
}

void app_command(struct app *a, enum cmd cmd)
{
    if (a->detail.is_open && detail_command(a, cmd))
        return;
    if (!a->detail.is_open && screens[a->pane]->command(a, cmd))
        return;
    if (!act_command(a, cmd))
        whole_command(a, cmd);
}

static void plain_key(struct app *a, int32_t key)
{
    const struct key_def *d = keys_find(app_where(a), key);

    if (d)
        app_command(a, d->cmd);
    else if (key >= ' ' && key < K_FIRST)
        app_note(a, false, "That key does nothing here; ? lists the keys.");
}

/* What is pasted is text: outside a prompt it would be a hundred commands. */
static bool paste_key(struct app *a, int32_t key)
{
    if (key == K_PASTE_BEGIN) {
        a->is_pasting = true;
        return true;
    }
    if (key == K_PASTE_END) {
        a->is_pasting = false;
        return true;
    }
    if (!a->is_pasting)
        return false;
    if (a->modal == MODAL_NONE || a->modal == MODAL_DIALOG) {
        app_note(a, true, "Pasted text was thrown away: it would have been taken for keys.");
        return true;
    }
    return key < ' ' || key >= K_FIRST;
}

void app_key(struct app *a, int32_t key)
{
    if (paste_key(a, key))
        return;
    if (key == K_CTRL('L')) {
        a->wants_redraw = true;
        return;
    }
    switch (a->modal) {
    case MODAL_PROMPT: prompt_key(a, key); break;
    case MODAL_HELP:
    case MODAL_PALETTE: palette_key(a, key); break;
    case MODAL_DIALOG: dialog_key(a, key); break;
    default: plain_key(a, key); break;
    }
}

/* --- lists --- */

void scroll_to(size_t n, size_t h, size_t *sel, size_t *top)
{
    if (h == 0)
        h = 1;
    if (n == 0)
        *sel = *top = 0;
    else if (*sel >= n)
        *sel = n - 1;
    if (*top > *sel)
        *top = *sel;
    if (*sel >= *top + h)
        *top = *sel - h + 1;
    if (*top + h > n)
        *top = n > h ? n - h : 0;
}

bool scroll_command(enum cmd cmd, size_t n, size_t h, size_t *sel)
{
    size_t step = 1;

    if (n == 0)
        return false;
    if (cmd == CMD_PAGE_DOWN || cmd == CMD_PAGE_UP)
        step = h > 1 ? h - 1 : 1;
    if (cmd == CMD_HALF_DOWN || cmd == CMD_HALF_UP)
        step = h > 3 ? h / 2 : 1;
    switch (cmd) {
    case CMD_DOWN:
    case CMD_PAGE_DOWN:
    case CMD_HALF_DOWN: *sel = *sel + step < n ? *sel + step : n - 1; return true;
    case CMD_UP:
    case CMD_PAGE_UP:
    case CMD_HALF_UP: *sel = *sel > step ? *sel - step : 0; return true;
    case CMD_TOP: *sel = 0; return true;
    case CMD_BOTTOM: *sel = n - 1; return true;
    default: return false;
    }
}
