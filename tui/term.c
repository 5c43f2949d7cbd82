/* SPDX-License-Identifier: ISC */
/*
 * curses is used for what it is good at: terminfo, keys, and moving the cursor with few bytes. It
 * never gets data to interpret: cells are written one character at a time, and each is printable
 * (cells.h) and as wide as the C library thinks too, or it is replaced.
 */
#include "tui/term.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <ncursesw/ncurses.h>
#include <ncursesw/term.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "core/base/alloc.h"
#include "tui/keys.h"

#define ESC_DELAY_MS 25
#define PAIRS_MAX    250
#define PASTE_ON     "\033[?2004h"
#define PASTE_OFF    "\033[?2004l"

enum { KEYCODE_PASTE_BEGIN = KEY_MAX + 10, KEYCODE_PASTE_END };

static struct terminal {
    SCREEN *screen;
    bool is_open, is_ascii, has_paste;
    int colours;
    struct cells shown; /* what is on the screen; w = 0: nothing known */
    struct theme theme;
    struct {
        short fg, bg;
    } pairs[PAIRS_MAX];
    int pairs_n;
    int signal_pipe[2];
    volatile sig_atomic_t got;
    struct termios before;
} term = {.signal_pipe = {-1, -1}};

/* --- endings --- */

/* Only async-signal-safe calls: the modes back, the cursor seen, the main screen. */
static void restore_raw(void)
{
    static const char reset[] = PASTE_OFF "\033[?1l\033>\033[0m\033[?25h\033[?1049l\r\n";
    static const char plain[] = "\r\n";
    ssize_t ignored;

    if (!term.is_open)
        return;
    ignored = term.has_paste ? write(STDOUT_FILENO, reset, sizeof(reset) - 1)
                             : write(STDOUT_FILENO, plain, sizeof(plain) - 1);
    (void)ignored;
    tcsetattr(STDIN_FILENO, TCSANOW, &term.before);
}

static void on_crash(int signum)
{
    restore_raw();
    signal(signum, SIG_DFL);
    raise(signum);
}

static void on_signal(int signum)
{
    int saved = errno;
    ssize_t ignored;

    if (signum == SIGWINCH)
        term.got |= TERM_GOT_RESIZE;
    else if (signum == SIGCONT)
        term.got |= TERM_GOT_CONT;
    else
        term.got |= TERM_GOT_END;
    ignored = write(term.signal_pipe[1], "", 1);
    (void)ignored;
    errno = saved;
}

static void catch_signals(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    static const int ends[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGWINCH, SIGCONT};
    struct sigaction crash = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    struct sigaction end = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
        sigaction(crashes[i], &crash, NULL);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        sigaction(ends[i], &end, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int term_signal_fd(void)
{
    return term.signal_pipe[0];
}

unsigned term_signals(void)
{
    char bytes[16];
    unsigned got;

    while (read(term.signal_pipe[0], bytes, sizeof(bytes)) > 0)
        continue;
    got = (unsigned)term.got;
    term.got = 0;
    return got;
}

/* --- opening --- */

static bool can_place_cursor(void)
{
    return cursor_address != NULL && strcmp(cursor_address, "") != 0 && clear_screen != NULL;
}

static int colours_of_terminal(void)
{
    const char *no = getenv("NO_COLOR");

    if ((no && no[0]) || !has_colors())
        return 0;
    return COLORS >= 256 ? 256 : COLORS >= 16 ? 16 : COLORS >= 8 ? 8 : 0;
}

static int refuse(struct err *err)
{
    const char *name = getenv("TERM");

    return err_set(err, E_STATE,
                   "the console needs a terminal that can place its cursor; TERM=%s cannot. The "
                   "commands work everywhere: mxhelm queue, mxhelm log",
                   name && name[0] ? name : "(not set)");
}

static void start_modes(void)
{
    raw();
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    set_escdelay(ESC_DELAY_MS);
    curs_set(0);
    leaveok(stdscr, TRUE);
    scrollok(stdscr, FALSE);
    idlok(stdscr, FALSE);
    if (term.has_paste) {
        define_key("\033[200~", KEYCODE_PASTE_BEGIN);
        define_key("\033[201~", KEYCODE_PASTE_END);
        putp(PASTE_ON);
        fflush(stdout);
    }
}

/* Terminals that were made after ANSI: they ignore modes that they do not know. */
static bool ignores_unknown_modes(void)
{
    const char *name = getenv("TERM");

    return enter_ca_mode && name && strncmp(name, "vt", 2) != 0 && strcmp(name, "linux") != 0;
}

int term_open(struct err *err)
{
    const char *charset;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return err_set(err, E_STATE,
                       "the console needs a terminal on standard input and output; "
                       "the commands do not: mxhelm queue, mxhelm log");
    setlocale(LC_ALL, "");
    charset = nl_langinfo(CODESET);
    term.is_ascii = strcmp(charset, "UTF-8") != 0;
    tcgetattr(STDIN_FILENO, &term.before);
    /* initscr() would end the process on an unknown terminal. */
    term.screen = newterm(NULL, stdout, stdin);
    if (!term.screen)
        return refuse(err);
    if (!can_place_cursor()) {
        endwin();
        delscreen(term.screen);
        term.screen = NULL;
        return refuse(err);
    }
    verify(pipe2(term.signal_pipe, O_NONBLOCK | O_CLOEXEC) == 0);
    term.has_paste = ignores_unknown_modes();
    start_modes();
    term.is_open = true;
    catch_signals();
    if (has_colors()) {
        start_color();
        use_default_colors();
    }
    term.colours = colours_of_terminal();
    return 0;
}

void term_close(void)
{
    if (!term.is_open)
        return;
    if (term.has_paste)
        putp(PASTE_OFF);
    endwin();
    term.is_open = false;
    delscreen(term.screen);
    term.screen = NULL;
    cells_done(&term.shown);
    close(term.signal_pipe[0]);
    close(term.signal_pipe[1]);
}

void term_size(int *w, int *h)
{
    struct winsize ws;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 && ws.ws_row > 0) {
        *w = ws.ws_col < 500 ? ws.ws_col : 500;
        *h = ws.ws_row < 300 ? ws.ws_row : 300;
        if (*w != COLS || *h != LINES)
            resizeterm(*h, *w);
        return;
    }
    *w = COLS;
    *h = LINES;
}

bool term_is_ascii(void)
{
    return term.is_ascii;
}

int term_colours(void)
{
    return term.colours;
}

void term_set_theme(const struct theme *t)
{
    term.theme = *t;
    term.pairs_n = 0;
    term_forget();
}

void term_forget(void)
{
    cells_done(&term.shown);
    clear(); /* erases, and makes the next refresh a whole one */
}

/* --- drawing --- */

/* Pairs are made when a combination is first seen; when there are too many, the terminal's own. */
static short pair_of(short fg, short bg)
{
    if (term.colours == 0 || (fg < 0 && bg < 0))
        return 0;
    for (int i = 0; i < term.pairs_n; i++) {
        if (term.pairs[i].fg == fg && term.pairs[i].bg == bg)
            return (short)(i + 1);
    }
    if (term.pairs_n + 1 >= COLOR_PAIRS || term.pairs_n == PAIRS_MAX)
        return 0;
    term.pairs[term.pairs_n].fg = fg;
    term.pairs[term.pairs_n].bg = bg;
    term.pairs_n++;
    init_pair((short)term.pairs_n, fg, bg);
    return (short)term.pairs_n;
}

static attr_t attrs_of(unsigned attrs)
{
    attr_t out = A_NORMAL;

    if (attrs & THEME_BOLD)
        out |= A_BOLD;
    if (attrs & THEME_DIM)
        out |= A_DIM;
    if (attrs & THEME_UNDERLINE)
        out |= A_UNDERLINE;
    if (attrs & THEME_REVERSE)
        out |= A_REVERSE;
    if (attrs & THEME_ITALIC)
        out |= A_ITALIC;
    return out;
}

static void put_cell(int y, int x, const struct cell *c, bool is_wide)
{
    struct theme_cell look =
        theme_cell(&term.theme, (enum role)c->role, c->is_selected, term.colours);
    wchar_t text[2 + CELLS_MARKS_MAX] = {c->cp};
    int n = 1, w = wcwidth((wchar_t)c->cp);
    cchar_t out;

    /* The C library places the cursor by its own table: where it disagrees, nothing is risked. */
    if (w != (is_wide ? 2 : 1)) {
        text[0] = L'?';
    } else {
        for (int i = 0; i < CELLS_MARKS_MAX && c->marks[i]; i++) {
            if (wcwidth((wchar_t)c->marks[i]) == 0)
                text[n++] = (wchar_t)c->marks[i];
        }
    }
    if (setcchar(&out, text, attrs_of(look.attrs), pair_of((short)look.fg, (short)look.bg), NULL) ==
        OK)
        mvadd_wchnstr(y, x, &out, 1);
    if (is_wide && text[0] == L'?' && setcchar(&out, L"?", attrs_of(look.attrs), 0, NULL) == OK)
        mvadd_wchnstr(y, x + 1, &out, 1);
}

static bool row_differs(const struct cells *g, int y)
{
    size_t from = (size_t)y * (size_t)g->w;

    for (int x = 0; x < g->w; x++) {
        if (!cells_equal(&g->c[from + (size_t)x], &term.shown.c[from + (size_t)x]))
            return true;
    }
    return false;
}

void term_draw(const struct cells *g)
{
    bool is_known = term.shown.w == g->w && term.shown.h == g->h;

    for (int y = 0; y < g->h && y < LINES; y++) {
        const struct cell *row = &g->c[(size_t)y * (size_t)g->w];

        /* curses finds the differences within a row; a wide character would suffer from parts. */
        if (is_known && !row_differs(g, y))
            continue;
        for (int x = 0; x < g->w && x < COLS; x++) {
            if (row[x].cp != 0)
                put_cell(y, x, &row[x], x + 1 < g->w && row[x + 1].cp == 0);
        }
    }
    if (!is_known)
        cells_reset(&term.shown, g->w, g->h);
    memcpy(term.shown.c, g->c, (size_t)g->w * (size_t)g->h * sizeof(*g->c));
    refresh();
}

/* --- keys --- */

static const struct {
    int curses;
    int32_t key;
} keys[] = {
    {KEY_UP, K_UP},
    {KEY_DOWN, K_DOWN},
    {KEY_LEFT, K_LEFT},
    {KEY_RIGHT, K_RIGHT},
    {KEY_PPAGE, K_PAGE_UP},
    {KEY_NPAGE, K_PAGE_DOWN},
    {KEY_HOME, K_HOME},
    {KEY_END, K_END},
    {KEY_BACKSPACE, K_BACKSPACE},
    {KEY_DC, K_DELETE},
    {KEY_BTAB, K_BACKTAB},
    {KEY_F(1), K_F1},
    {KEY_ENTER, K_ENTER},
    {KEY_RESIZE, K_RESIZE},
    {KEYCODE_PASTE_BEGIN, K_PASTE_BEGIN},
    {KEYCODE_PASTE_END, K_PASTE_END},
};

int32_t term_key(void)
{
    wint_t c;
    int rc = wget_wch(stdscr, &c);

    if (rc == ERR)
        return K_NONE;
    if (rc == KEY_CODE_YES) {
        for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
            if (keys[i].curses == (int)c)
                return keys[i].key;
        }
        return K_RESIZE; /* a key that nothing is bound to */
    }
    if (c == 127)
        return K_BACKSPACE;
    return c == '\n' ? K_ENTER : (int32_t)c;
}

void term_suspend(void)
{
    if (term.has_paste) {
        putp(PASTE_OFF);
        fflush(stdout);
    }
    endwin();
    raise(SIGSTOP);
    start_modes();
    term_forget();
    refresh();
}
