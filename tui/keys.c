/* SPDX-License-Identifier: ISC */
#include "tui/keys.h"

/* clang-format off */
/* The order is the order of the hints and of the help. */
static const struct key_def table[] = {
    {CMD_OPEN, IN_QUEUE | IN_LOG, {K_ENTER}, "open", "open", "open the row: the message, or the group", false, false},
    {CMD_RETRY, IN_QUEUE | IN_DETAIL, {'r'}, "retry", "retry", "try now: marked messages, or the row under the cursor", true, false},
    {CMD_RETRY_ALL, IN_QUEUE, {'R'}, "retry all", "retry all", "try all shown now; asks first", true, true},
    {CMD_HOLD, IN_QUEUE | IN_DETAIL, {'h'}, "hold", "hold", "stop trying and keep the mail, until it is released", true, false},
    {CMD_RELEASE, IN_QUEUE | IN_DETAIL, {'u'}, "release", "release", "let held mail go on", true, false},
    {CMD_DELETE, IN_QUEUE | IN_DETAIL, {'d'}, "delete", "delete", "delete without telling the sender; asks first", true, true},
    {CMD_CONFIRM, IN_QUEUE | IN_DETAIL, {'c'}, "confirm delivered", NULL, "unconfirmed mail arrived after all: count it as delivered; asks first", true, true},
    {CMD_RESEND, IN_QUEUE | IN_DETAIL, {'s'}, "send again", NULL, "unconfirmed mail did not arrive: send it again; asks first", true, true},
    {CMD_MARK, IN_QUEUE, {' '}, "mark", "mark", "mark the row and go down; acts then take the marked ones", false, false},
    {CMD_MARK_ALL, IN_QUEUE, {'*'}, "mark all", NULL, "mark all rows that are loaded", false, false},
    {CMD_UNMARK_ALL, IN_QUEUE, {'U'}, "unmark all", NULL, "take all marks away", false, false},
    {CMD_GROUP, IN_QUEUE, {'o'}, "group", "group/sort", "group by cause, domain, site, sender or age; sort", false, false},
    {CMD_FOLLOW, IN_LOG, {'F'}, "follow", "follow", "stay at the newest line; any move up stops it", false, false},
    {CMD_CHECK, IN_DIAG, {K_CTRL('R')}, "run checks", "run again", "run the checks again", false, false},
    {CMD_SEARCH, IN_LOG | IN_DETAIL, {'/'}, "search", "search", "search as you type; Enter keeps, Esc goes back", false, false},
    {CMD_NEXT_HIT, IN_LOG, {'n'}, "next hit", "next hit", "next hit, towards newer lines", false, false},
    {CMD_NEXT_HIT, IN_DETAIL, {'n'}, "next hit", NULL, "next hit", false, false},
    {CMD_PREV_HIT, IN_LOG | IN_DETAIL, {'N'}, "previous hit", NULL, "previous hit, towards older lines", false, false},
    {CMD_NEXT_FAILURE, IN_LOG, {'e'}, "next failure", "next failure", "next failure", false, false},
    {CMD_PREV_FAILURE, IN_LOG, {'E'}, "previous failure", NULL, "previous failure", false, false},
    {CMD_NEXT_SAME, IN_LOG, {'o'}, "next of message", NULL, "next line of the same message", false, false},
    {CMD_PREV_SAME, IN_LOG, {'O'}, "previous of message", NULL, "previous line of the same message", false, false},
    {CMD_GO_TIME, IN_LOG, {'t'}, "time", "time", "go to a time: 10:42, -15m, yesterday", false, false},
    {CMD_FILTER, IN_QUEUE | IN_LOG, {'&', 'f'}, "filter", "filter", "show only what matches: domain:gmail.com state:stuck \"text\"", false, false},
    {CMD_FILTER_TOGGLE, IN_QUEUE | IN_LOG, {K_CTRL('T')}, "filter off/on", NULL, "the filter off or on again, the cursor stays", false, false},
    {CMD_RAW, IN_LOG, {'w'}, "whole lines", NULL, "columns, or the lines as they are", false, false},
    {CMD_LOG_OF, IN_QUEUE | IN_DETAIL, {'L'}, "log of", NULL, "log lines of this message or group", false, false},
    {CMD_PREV_MESSAGE, IN_DETAIL, {'['}, "previous message", "prev", "previous message of the list", false, false},
    {CMD_NEXT_MESSAGE, IN_DETAIL, {']'}, "next message", "next", "next message of the list", false, false},
    {CMD_NEXT_PART, IN_DETAIL, {K_TAB}, "next part", "part", "next part: recipients, attempts, header", false, false},
    {CMD_DOWN, IN_ALL, {'j', K_DOWN}, "down", NULL, "one line down", false, false},
    {CMD_UP, IN_ALL, {'k', K_UP}, "up", NULL, "one line up", false, false},
    {CMD_PAGE_DOWN, IN_QUEUE | IN_DIAG, {K_PAGE_DOWN, K_CTRL('F')}, "page down", NULL, "one page down", false, false},
    {CMD_PAGE_UP, IN_QUEUE | IN_DIAG, {K_PAGE_UP, K_CTRL('B')}, "page up", NULL, "one page up", false, false},
    {CMD_PAGE_DOWN, IN_LOG | IN_DETAIL, {K_PAGE_DOWN, K_CTRL('F'), ' '}, "page down", NULL, "one page down", false, false},
    {CMD_PAGE_UP, IN_LOG | IN_DETAIL, {K_PAGE_UP, K_CTRL('B'), 'b'}, "page up", NULL, "one page up", false, false},
    {CMD_HALF_DOWN, IN_ALL, {K_CTRL('D')}, "half page down", NULL, "half a page down", false, false},
    {CMD_HALF_UP, IN_ALL, {K_CTRL('U')}, "half page up", NULL, "half a page up", false, false},
    {CMD_TOP, IN_ALL, {'g', K_HOME}, "first", NULL, "the first row", false, false},
    {CMD_BOTTOM, IN_QUEUE | IN_DIAG | IN_DETAIL, {'G', K_END}, "last", NULL, "the last row", false, false},
    {CMD_BOTTOM, IN_LOG, {'G', K_END}, "newest", NULL, "the newest line, and follow", false, false},
    {CMD_PANE_QUEUE, IN_ALL, {'1'}, "queue", NULL, "the Queue pane", false, false},
    {CMD_PANE_LOG, IN_ALL, {'2'}, "log", NULL, "the Log pane", false, false},
    {CMD_PANE_DIAG, IN_ALL, {'3'}, "diagnostics", NULL, "the Diagnostics pane", false, false},
    {CMD_NEXT_PANE, IN_LISTS, {K_TAB}, "next pane", NULL, "next pane", false, false},
    {CMD_PREV_PANE, IN_LISTS, {K_BACKTAB}, "previous pane", NULL, "previous pane", false, false},
    {CMD_HELP, IN_ALL, {'?', K_F1}, "help", "help", "keys of this place; typing filters them", false, false},
    {CMD_PALETTE, IN_ALL, {':', K_CTRL('P')}, "commands", "commands", "type a command: filter, sort, group, theme, quit", false, false},
    {CMD_REDRAW, IN_ALL, {K_CTRL('L')}, "redraw", NULL, "draw the whole screen again", false, false},
    {CMD_SUSPEND, IN_ALL, {K_CTRL('Z')}, "suspend", NULL, "to the shell; fg comes back", false, false},
    {CMD_BACK, IN_DETAIL, {K_ESC, 'q', K_LEFT}, "back", "back", "back to the list", false, false},
    {CMD_BACK, IN_LISTS, {K_ESC}, "back", NULL, "out of the group, the search or the filter", false, false},
    {CMD_QUIT, IN_LISTS, {'q'}, "quit", "quit", "leave; the engine and its jobs go on", false, false},
};
/* clang-format on */

const struct key_def *keys_table(size_t *n)
{
    *n = ARRAY_LEN(table);
    return table;
}

static bool has_key(const struct key_def *d, int32_t key)
{
    for (int i = 0; i < KEYS_PER_CMD && d->keys[i]; i++) {
        if (d->keys[i] == key)
            return true;
    }
    return false;
}

const struct key_def *keys_find(unsigned where, int32_t key)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if ((table[i].where & where) && has_key(&table[i], key))
            return &table[i];
    }
    return NULL;
}

static const struct {
    int32_t key;
    const char *label;
} labels[] = {
    {' ', "Space"},        {K_TAB, "Tab"},    {K_ENTER, "Enter"},    {K_ESC, "Esc"},
    {K_UP, "Up"},          {K_DOWN, "Down"},  {K_LEFT, "Left"},      {K_RIGHT, "Right"},
    {K_PAGE_UP, "PgUp"},   {K_HOME, "Home"},  {K_PAGE_DOWN, "PgDn"}, {K_END, "End"},
    {K_BACKSPACE, "Bksp"}, {K_DELETE, "Del"}, {K_BACKTAB, "S-Tab"},  {K_F1, "F1"},
};

const char *keys_label(int32_t key, char out[8])
{
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (labels[i].key == key) {
            str_copy(str_of(labels[i].label), out, 8);
            return out;
        }
    }
    if (key > 0 && key < 32)
        snprintf(out, 8, "^%c", (char)(key + 64));
    else
        snprintf(out, 8, "%c", key < 127 ? (char)key : '?');
    return out;
}

void keys_labels(const struct key_def *d, char *out, size_t size)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    for (int i = 0; i < KEYS_PER_CMD && d->keys[i]; i++) {
        char one[8];

        buf_printf(&b, "%s%s", i ? " " : "", keys_label(d->keys[i], one));
    }
    str_copy(buf_str(&b), out, size);
}

static bool clashes(const struct key_def *a, const struct key_def *b, char *why, size_t size)
{
    for (int i = 0; i < KEYS_PER_CMD && a->keys[i]; i++) {
        if ((a->where & b->where) && has_key(b, a->keys[i])) {
            char label[8];

            snprintf(why, size, "%s is both \"%s\" and \"%s\"", keys_label(a->keys[i], label),
                     a->name, b->name);
            return true;
        }
    }
    return false;
}

bool keys_check(char *why, size_t size)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        for (size_t j = i + 1; j < ARRAY_LEN(table); j++) {
            if (clashes(&table[i], &table[j], why, size))
                return false;
        }
    }
    return true;
}
