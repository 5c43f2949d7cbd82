/* SPDX-License-Identifier: ISC */
/*
 * Theme files are read with core/mail/ini: it knows the line of every value, which inih does not.
 */
#include "tui/theme.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/ini.h"

#ifndef MXHELM_THEMEDIR
#define MXHELM_THEMEDIR "/usr/share/mxhelm/themes"
#endif

#define THEME_FILE_MAX (64u * 1024)

/* The same text as themes/default.ini gives; a test compares them. */
/* clang-format off */
static const char default_text[] =
    "[roles]\n"
    "text = default\n"
    "dim = bright-black/default\n"
    "header = bold\n"
    "tab = bold reverse\n"
    "title = cyan\n"
    "border = bright-black/default\n"
    "key = bold\n"
    "hint = default\n"
    "input = bold\n"
    "note = cyan\n"
    "selected = reverse\n"
    "marked = magenta bold\n"
    "hit = black on yellow\n"
    "alert = white on red bold\n"
    "danger = red bold\n"
    "[queue]\n"
    "waiting = default\n"
    "retrying = yellow\n"
    "active = cyan\n"
    "stuck = red bold\n"
    "done = green\n"
    "failed = red\n"
    "[log]\n"
    "sent = green\n"
    "deferred = yellow\n"
    "bounced = red\n"
    "rejected = magenta\n"
    "[check]\n"
    "ok = green\n"
    "warn = yellow bold\n"
    "fail = red bold\n"
    "unknown = blue/cyan\n";
/* clang-format on */

static const char *const colour_names[] = {
    "black",        "red",           "green",       "yellow",         "blue",
    "magenta",      "cyan",          "white",       "bright-black",   "bright-red",
    "bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan",
    "bright-white",
};

static const struct {
    const char *name;
    unsigned bit;
} attr_names[] = {
    {"bold", THEME_BOLD},       {"dim", THEME_DIM},       {"underline", THEME_UNDERLINE},
    {"reverse", THEME_REVERSE}, {"italic", THEME_ITALIC},
};

static bool parse_one_colour(struct str s, int16_t *out)
{
    uint64_t n;

    if (str_eq_z(s, "default")) {
        *out = THEME_DEFAULT;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(colour_names); i++) {
        if (str_eq_z(s, colour_names[i])) {
            *out = (int16_t)i;
            return true;
        }
    }
    if (!text_parse_u64(s, 255, &n))
        return false;
    *out = (int16_t)n;
    return true;
}

static bool parse_colour(struct str s, struct theme_colour *out)
{
    struct theme_colour c = {.n = 0};

    while (s.n > 0) {
        struct str one = str_split(&s, '/');

        if (c.n == THEME_CHOICES_MAX || !parse_one_colour(one, &c.choices[c.n]))
            return false;
        c.n++;
    }
    *out = c;
    return c.n > 0;
}

static bool parse_attr(struct str s, unsigned *attrs)
{
    for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
        if (str_eq_z(s, attr_names[i].name)) {
            *attrs |= attr_names[i].bit;
            return true;
        }
    }
    return false;
}

/* "[FG] [on BG] [attributes]"; on failure *bad is the word at fault. */
static bool parse_look(struct str s, struct theme_look *out, struct str *bad)
{
    struct theme_look look = {.attrs = 0};
    bool is_behind_on = false;

    for (s = str_trim(s); s.n > 0; s = str_trim(s)) {
        struct str word = str_split(&s, ' ');
        struct theme_colour *c = is_behind_on ? &look.bg : &look.fg;

        *bad = word;
        if (!is_behind_on && str_eq_z(word, "on")) {
            is_behind_on = true;
            continue;
        }
        if (parse_attr(word, &look.attrs))
            continue;
        if (c->n > 0 || !parse_colour(word, c))
            return false;
    }
    if (is_behind_on && look.bg.n == 0)
        return false;
    *out = look;
    return true;
}

/* [queue] stuck is the role queue.stuck; those of [roles] have no part before. */
static bool find_role(const char *section, struct str name, enum role *out)
{
    char full[64];

    if (strcmp(section, "roles") == 0)
        snprintf(full, sizeof(full), "%.*s", STR_ARG(name));
    else
        snprintf(full, sizeof(full), "%s.%.*s", section, STR_ARG(name));
    for (int r = 0; r < ROLE_COUNT; r++) {
        if (strcmp(full, role_name((enum role)r)) == 0) {
            *out = (enum role)r;
            return true;
        }
    }
    return false;
}

static const char *const sections[] = {"theme", "roles", "queue", "log", "check"};

static bool is_section(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (str_eq_z(name, sections[i]))
            return true;
    }
    return false;
}

static int parse_setting(const struct ini_item *item, const char *section, const char *file,
                         struct theme *t, struct err *err)
{
    struct str bad = STR_NONE;
    enum role role;

    if (strcmp(section, "theme") == 0) {
        if (!str_eq_z(item->name, "name"))
            return err_set(err, E_SYNTAX, "%s:%u: [theme] has no \"%.*s\"; it has \"name\"", file,
                           item->line, STR_ARG(item->name));
        text_printable_copy(item->value, t->name, sizeof(t->name));
        return 0;
    }
    if (!find_role(section, item->name, &role))
        return err_set(err, E_SYNTAX, "%s:%u: [%s] has no role \"%.*s\"; see themes/README.md",
                       file, item->line, section, STR_ARG(item->name));
    if (!parse_look(item->value, &t->looks[role], &bad))
        return err_set(err, E_SYNTAX,
                       "%s:%u: \"%.*s\" is not a look: a colour (red, bright-red, 0 to 255, "
                       "default; 208/red takes red when 208 is not there), \"on\" and a colour, "
                       "bold, dim, underline, reverse, italic",
                       file, item->line, STR_ARG(bad));
    return 0;
}

int theme_parse(struct str text, const char *file, struct theme *t, struct err *err)
{
    char section[16] = "roles";
    struct theme made = *t;
    struct ini_item item;
    struct ini r;

    for (ini_init(&r, text);;) {
        ini_next(&r, &item);
        if (item.kind == INI_END)
            break;
        if (item.kind == INI_ERROR)
            return err_set(err, E_SYNTAX, "%s:%u: %s", file, item.line, item.why);
        if (item.kind == INI_SECTION) {
            if (!is_section(item.name))
                return err_set(err, E_SYNTAX,
                               "%s:%u: there is no section [%.*s]; there are [theme], [roles], "
                               "[queue], [log] and [check]",
                               file, item.line, STR_ARG(item.name));
            str_copy(item.name, section, sizeof(section));
        } else if (parse_setting(&item, section, file, &made, err) < 0) {
            return -(int)E_SYNTAX;
        }
    }
    *t = made;
    return 0;
}

void theme_init_default(struct theme *t)
{
    *t = (struct theme){.name = "default"};
    verify(theme_parse(str_of(default_text), "built in", t, NULL) == 0);
}

/* The folders, first hit wins; false at the end. */
static bool folder(size_t i, char *out, size_t size)
{
    const char *env = getenv("MXHELM_THEMES"), *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    switch (i) {
    case 0: snprintf(out, size, "%s", env ? env : ""); return true;
    case 1:
        if (config && config[0])
            snprintf(out, size, "%s/mxhelm/themes", config);
        else
            snprintf(out, size, "%s%s", home ? home : "", home ? "/.config/mxhelm/themes" : "");
        return true;
    case 2: snprintf(out, size, "/etc/mxhelm/themes"); return true;
    case 3: snprintf(out, size, "%s", MXHELM_THEMEDIR); return true;
    default: return false;
    }
}

/* A name is a name, not a path. */
static bool is_name(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n < THEME_NAME_MAX && s[0] != '.' && !strchr(s, '/');
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
    FILE *f = fopen(path, "re");
    char chunk[4096];
    size_t n;

    if (!f)
        return err_sys(err, errno == ENOENT ? E_NOTFOUND : E_IO, errno, "read the theme %s", path);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && out->n <= THEME_FILE_MAX)
        buf_add(out, chunk, n);
    fclose(f);
    if (out->n > THEME_FILE_MAX)
        return err_set(err, E_LIMIT, "read the theme %s: over %u bytes", path, THEME_FILE_MAX);
    return 0;
}

int theme_load(const char *name, struct theme *t, struct err *err)
{
    char dir[PATH_MAX - 64];

    theme_init_default(t);
    if (!is_name(name))
        return err_set(err, E_NOTFOUND, "\"%s\" is not the name of a theme", name);
    str_copy(str_of(name), t->name, sizeof(t->name));
    for (size_t i = 0; folder(i, dir, sizeof(dir)); i++) {
        struct buf text CLEANUP(buf_done) = BUF_INIT;
        char path[PATH_MAX];
        int rc;

        if (dir[0] == '\0')
            continue;
        snprintf(path, sizeof(path), "%s/%s.ini", dir, name);
        rc = read_file(path, &text, err);
        if (rc == -(int)E_NOTFOUND)
            continue;
        return rc < 0 ? rc : theme_parse(buf_str(&text), path, t, err);
    }
    if (strcmp(name, "default") == 0)
        return 0;
    return err_set(err, E_NOTFOUND, "there is no theme \"%s\"", name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static size_t add_name(char (*names)[THEME_NAME_MAX], size_t n, size_t max, struct str name)
{
    char one[THEME_NAME_MAX];

    if (n == max || !str_copy(name, one, sizeof(one)) || !is_name(one))
        return n;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], one) == 0)
            return n;
    }
    str_copy(str_of(one), names[n], THEME_NAME_MAX);
    return n + 1;
}

size_t theme_list(char (*names)[THEME_NAME_MAX], size_t max)
{
    size_t n = add_name(names, 0, max, STR("default"));
    char dir[PATH_MAX - 64];

    for (size_t i = 0; folder(i, dir, sizeof(dir)); i++) {
        DIR *d = dir[0] ? opendir(dir) : NULL;

        for (struct dirent *e; d && (e = readdir(d));) {
            struct str file = str_of(e->d_name);

            if (str_ends(file, STR(".ini")))
                n = add_name(names, n, max, str_sub(file, 0, file.n - 4));
        }
        if (d)
            closedir(d);
    }
    qsort(names, n, sizeof(*names), by_name);
    return n;
}

/* The first choice that the terminal has; a bright colour on eight is its dark one, in bold. */
static int pick(const struct theme_colour *c, int colours, unsigned *attrs)
{
    for (int i = 0; i < c->n; i++) {
        if (c->choices[i] < colours)
            return c->choices[i];
    }
    if (c->n > 0 && c->choices[0] >= 8 && c->choices[0] < 16 && colours >= 8) {
        *attrs |= THEME_BOLD;
        return c->choices[0] - 8;
    }
    return THEME_DEFAULT;
}

/* Without colours, what must stand out stands out by an attribute. */
static unsigned mono_attrs(enum role role, unsigned attrs)
{
    switch (role) {
    case ROLE_ALERT:
    case ROLE_HIT: return attrs | THEME_REVERSE;
    case ROLE_STUCK:
    case ROLE_CHECK_FAIL:
    case ROLE_MARKED: return attrs | THEME_BOLD;
    default: return attrs;
    }
}

struct theme_cell theme_cell(const struct theme *t, enum role role, bool is_selected, int colours)
{
    const struct theme_look *look = &t->looks[role], *over = &t->looks[ROLE_SELECTED];
    struct theme_cell c = {.attrs = look->attrs};

    c.fg = pick(&look->fg, colours, &c.attrs);
    c.bg = pick(&look->bg, colours, &c.attrs);
    if (colours < 8)
        c.attrs = mono_attrs(role, c.attrs);
    if (!is_selected)
        return c;
    c.attrs |= over->attrs;
    if (over->fg.n > 0)
        c.fg = pick(&over->fg, colours, &c.attrs);
    if (over->bg.n > 0)
        c.bg = pick(&over->bg, colours, &c.attrs);
    if (colours < 8 && !(over->attrs & THEME_UNDERLINE))
        c.attrs |= THEME_REVERSE;
    return c;
}
