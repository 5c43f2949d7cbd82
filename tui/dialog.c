/* SPDX-License-Identifier: ISC */
/*
 * The question before harm. Says where, how many, which, how old and what will happen. The focus is
 * on Cancel, Enter alone cancels; "y" goes on up to ASK_Y_MAX, beyond it the number is typed. Keys
 * of the first moment are thrown away: they were meant for what was there before.
 */
#include "core/base/text.h"
#include "tui/act.h"

#define ASK_Y_MAX 20
#define DEAF_MS   250
#define BOX_W     66
#define BOX_H     13

static bool is_many(const struct dialog *d)
{
    return d->count > ASK_Y_MAX;
}

static bool is_unlocked(const struct dialog *d)
{
    char text[LINE_TEXT_MAX];
    uint64_t n;

    if (d->state != DIALOG_READY)
        return false;
    if (!is_many(d))
        return true;
    line_text(&d->line, text, sizeof(text));
    return text_parse_u64(str_of(text), UINT64_MAX, &n) && n == d->count;
}

static void cancel(struct app *a)
{
    a->modal = MODAL_NONE;
    app_note(a, false, "Nothing was changed.");
}

static void go_on(struct app *a)
{
    a->modal = MODAL_NONE;
    act_send(a, a->dialog.verb, a->dialog.filter);
}

void dialog_key(struct app *a, int32_t key)
{
    struct dialog *d = &a->dialog;

    if (a->now_mono_ms - d->opened_mono_ms < DEAF_MS)
        return;
    switch (key) {
    case K_ESC:
    case K_CTRL('C'):
    case 'n':
    case 'q': cancel(a); return;
    case K_TAB:
    case K_BACKTAB:
    case K_LEFT:
    case K_RIGHT: d->is_on_action = !d->is_on_action && d->state == DIALOG_READY; return;
    case K_ENTER:
        /* A typed number is a decision, as moving the focus is. */
        if (is_unlocked(d) && (d->is_on_action || is_many(d)))
            go_on(a);
        else if (!d->is_on_action && d->line.n == 0)
            cancel(a);
        return;
    case 'y':
        if (d->state == DIALOG_READY && !is_many(d))
            go_on(a);
        return;
    default: break;
    }
    if (d->state == DIALOG_READY && is_many(d) &&
        (key < ' ' || key >= K_FIRST || (key >= '0' && key <= '9')))
        line_key(&d->line, NULL, key);
}

static const char *verb_title(enum ctl_verb v)
{
    switch (v) {
    case CTL_DELETE: return "DELETE";
    case CTL_HOLD: return "HOLD";
    case CTL_RELEASE: return "RELEASE";
    case CTL_CONFIRM: return "CONFIRM DELIVERED";
    case CTL_RESEND: return "SEND AGAIN";
    default: return "RETRY NOW";
    }
}

static const char *verb_effect(enum ctl_verb v)
{
    switch (v) {
    case CTL_DELETE: return "Not delivered, and the senders are not told.";
    case CTL_HOLD: return "Not tried until they are released (u).";
    case CTL_RELEASE: return "Tried as soon as their turn comes.";
    case CTL_CONFIRM: return "Unconfirmed mail counts as delivered.";
    case CTL_RESEND: return "Unconfirmed mail goes again, maybe twice.";
    default: return "Tried now, within the limits of each destination.";
    }
}

static const char *host_of(const struct app *a)
{
    if (a->status.hostname[0])
        return a->status.hostname;
    return a->conf->hostname ? a->conf->hostname : "this host";
}

static void draw_facts(struct app *a, struct cells *g, int y, int x, int w)
{
    struct dialog *d = &a->dialog;
    char n[32], age[16];

    cells_z(g, y, x, 9, ROLE_TITLE, "Which");
    cells_remote(g, y, x + 9, w - 9, ROLE_TEXT, str_of(d->which), NULL);
    if (d->state == DIALOG_COUNTING) {
        cells_z(g, y + 2, x, w, ROLE_DIM, "Counting ...");
        return;
    }
    if (d->state == DIALOG_FAILED) {
        struct str text = str_of(d->error);

        for (int i = 0; i < 4 && text.n > 0; i++)
            cells_remote(g, y + 2 + i, x, w, ROLE_ALERT, cells_wrap(&text, w), NULL);
        return;
    }
    cells_z(g, y + 1, x, 9, ROLE_TITLE, "How many");
    cells_printf(g, y + 1, x + 9, w - 9, ROLE_TEXT, "%s recipients%s", text_count(d->count, n),
                 d->count == 1 ? " (one)" : "");
    if (d->skipped > 0)
        cells_printf(g, y + 1, x + 34, w - 34, ROLE_DIM, "%s other%s left alone",
                     text_count(d->skipped, n), d->skipped == 1 ? " is" : "s are");
    cells_z(g, y + 2, x, 9, ROLE_TITLE, "Oldest");
    if (d->oldest_wall_ms > 0)
        cells_z(g, y + 2, x + 9, w - 9, ROLE_TEXT,
                text_duration(a->now_wall_ms - d->oldest_wall_ms, age));
    cells_z(g, y + 3, x, 9, ROLE_TITLE, "Effect");
    cells_z(g, y + 3, x + 9, w - 9, ROLE_TEXT, verb_effect(d->verb));
}

static void draw_buttons(struct app *a, struct cells *g, int y, int x, int w)
{
    struct dialog *d = &a->dialog;
    bool is_open = is_unlocked(d);

    cells_z(g, y, x + 2, 10, ROLE_TEXT, "[ Cancel ]");
    cells_printf(g, y, x + 16, w - 16, is_open ? ROLE_DANGER : ROLE_DIM, "[ %s ]",
                 verb_title(d->verb));
    if (d->is_on_action)
        cells_select(g, y, x + 16, (int)strlen(verb_title(d->verb)) + 4);
    else
        cells_select(g, y, x + 2, 10);
}

void dialog_draw(struct app *a, struct cells *g)
{
    struct dialog *d = &a->dialog;
    int w = g->w - 2 < BOX_W ? g->w - 2 : BOX_W, h = g->h < BOX_H + 2 ? g->h - 1 : BOX_H;
    int y = (g->h - h) / 2, x = (g->w - w) / 2, in = w - 4;
    char title[300], n[32], typed[LINE_TEXT_MAX];

    if (d->state == DIALOG_READY)
        snprintf(title, sizeof(title), "%s %s recipient%s on %s", verb_title(d->verb),
                 text_count(d->count, n), d->count == 1 ? "" : "s", host_of(a));
    else
        snprintf(title, sizeof(title), "%s on %s", verb_title(d->verb), host_of(a));
    cells_box(g, y, x, h, w, d->verb == CTL_DELETE ? ROLE_DANGER : ROLE_BORDER, title);
    draw_facts(a, g, y + (h > 9 ? 2 : 1), x + 2, in);
    if (d->state == DIALOG_READY && is_many(d)) {
        int used = cells_printf(g, y + h - 4, x + 2, in, ROLE_TITLE, "Type the number to go on: ");

        line_text(&d->line, typed, sizeof(typed));
        cells_printf(g, y + h - 4, x + 2 + used, in - used, ROLE_INPUT, "%s_", typed);
    } else if (d->state == DIALOG_READY) {
        cells_z(g, y + h - 4, x + 2, in, ROLE_TITLE, "y goes on, n or Esc cancels");
    } else {
        cells_z(g, y + h - 4, x + 2, in, ROLE_TITLE, "Esc closes");
    }
    draw_buttons(a, g, y + h - 2, x + 2, in);
}
