/* SPDX-License-Identifier: ISC */
/* One line at a time, no state but the position: a line means the same wherever it stands. */
#include "core/base/text.h"
#include "core/mail/ini.h"

void ini_init(struct ini *r, struct str text)
{
    /* Some editors put a byte order mark before UTF-8 text. */
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_sub(text, 3, text.n);
    *r = (struct ini){text, 0};
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_word_char(s.p[i]))
            return false;
    return s.n > 0;
}

/* What no line may hold: NULL when there is nothing of it. */
static const char *line_fault(struct str line)
{
    if (line.n > INI_LINE_MAX)
        return "the line is longer than 4096 octets";
    for (size_t i = 0; i < line.n; i++)
        if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
            return "the line holds a control character";
    if (!text_is_utf8(line))
        return "the line is not UTF-8";
    return NULL;
}

static bool unquote(struct str *s)
{
    if (s->n < 2 || s->p[0] != '"' || s->p[s->n - 1] != '"')
        return false;
    *s = str_sub(*s, 1, s->n - 1);
    return true;
}

/* line starts with "[". */
static const char *read_section(struct str line, struct ini_item *out)
{
    if (line.p[line.n - 1] != ']')
        return str_find(line, ']') < line.n
                   ? "something stands behind the \"]\"; comments stand on lines of their own"
                   : "the \"]\" is missing";

    struct str inner = str_trim(str_sub(line, 1, line.n - 1));
    size_t word = 0;

    while (word < inner.n && is_word_char(inner.p[word]))
        word++;
    out->kind = INI_SECTION;
    out->name = str_sub(inner, 0, word);
    out->value = str_trim(str_sub(inner, word, inner.n));
    out->has_value = out->value.n > 0;
    if (!word)
        return "a section is written [word] or [word \"name\"]";
    if (!out->has_value)
        return NULL;
    if (!unquote(&out->value) && inner.p[word] != ' ' && inner.p[word] != '\t')
        return "a section is written [word] or [word \"name\"]";
    if (str_find(out->value, '"') < out->value.n)
        return "a quote is missing, or there is one too many; a section is written [word \"name\"]";
    return NULL;
}

static const char *read_setting(struct str line, struct ini_item *out)
{
    size_t eq = str_find(line, '=');

    if (eq == line.n)
        return "no \"=\"; a setting is written key = value";
    out->kind = INI_SETTING;
    out->name = str_trim(str_sub(line, 0, eq));
    out->value = str_trim(str_sub(line, eq + 1, line.n));
    if (!is_word(out->name))
        return "what stands before the \"=\" is not a key; a setting is written key = value";
    for (size_t i = 0; i + 1 < out->value.n; i++)
        if ((out->value.p[i] == ' ' || out->value.p[i] == '\t') &&
            (out->value.p[i + 1] == '#' || out->value.p[i + 1] == ';'))
            return "a comment behind a value; comments stand on lines of their own";
    return NULL;
}

void ini_next(struct ini *r, struct ini_item *out)
{
    *out = (struct ini_item){.kind = INI_END};
    while (r->rest.n) {
        struct str line = str_split(&r->rest, '\n');

        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        out->line = ++r->line;
        out->why = line_fault(line);
        line = str_trim(line);
        if (!out->why && (!line.n || line.p[0] == '#' || line.p[0] == ';'))
            continue;
        if (!out->why)
            out->why = line.p[0] == '[' ? read_section(line, out) : read_setting(line, out);
        if (out->why)
            out->kind = INI_ERROR;
        return;
    }
}
