/* SPDX-License-Identifier: ISC */
/*
 * Templates: how the first part of a report is made of an administrator's text. A template is checked once, when the
 * configuration is read; what is written later follows the same steps and cannot fail.
 */
#include "core/base/text.h"
#include "core/mail/dsn_private.h"
#include "core/mail/header.h"

#define COLUMNS    76
#define INDENT_MAX 20   /* columns; more is taken as that */
#define HANG       "  " /* more for the later lines of an indented paragraph */

const char dsn_template_builtin[] =
    "Subject: {title}: {subject}\n"
    "From: Mail Delivery System <MAILER-DAEMON@{hostname}>\n"
    "\n"
    "{summary}\n"
    "The message:\n"
    "    Subject: {subject}\n"
    "    From: {from}\n"
    "    Taken in: {arrival}\n"
    "    Queue id: {queue-id}\n"
    "\n"
    "{each}\n"
    "{recipient}\n"
    "    What happened: {what}\n"
    "    Why: {why}\n"
    "    The last answer was: {last-answer}\n"
    "    What to do: {todo}\n"
    "    Last tried: {last-try}, {tries} in all.\n"
    "    Next try: {next-try}\n"
    "\n"
    "{end}\n"
    "This report was written by the mail server {hostname}. The next part is for programs.\n";

/* --- lines --- */

/* Characters, not octets. */
static size_t width_of(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* At most COLUMNS - 8 characters from the front of a word. */
static struct str word_part(struct str word)
{
    size_t n = 0, chars = 0;

    while (n < word.n) {
        bool is_start = ((unsigned char)word.p[n] & 0xc0) != 0x80;
        if (is_start && ++chars > COLUMNS - 8)
            break;
        n++;
    }
    return str_sub(word, 0, n);
}

/* One paragraph, wrapped; later lines are indented too. */
void dsn_wrap(struct buf *out, const char *indent, struct str text)
{
    const char *hang = indent[0] ? HANG : "";
    size_t column = strlen(indent);
    bool is_first = true;

    buf_add_z(out, indent);
    while (text.n) {
        struct str word = str_split(&text, ' ');
        while (word.n) {
            struct str part = word_part(word);
            word = str_sub(word, part.n, word.n);
            if (!is_first && column + 1 + width_of(part) > COLUMNS) {
                buf_printf(out, "\r\n%s%s", indent, hang);
                column = strlen(indent) + strlen(hang);
                is_first = true;
            }
            if (!is_first)
                buf_add_c(out, ' ');
            column += width_of(part) + !is_first;
            buf_add_str(out, part);
            is_first = false;
        }
    }
    buf_add_z(out, "\r\n");
}

/* --- reading a template --- */

static struct str next_line(struct str *text)
{
    struct str line = str_split(text, '\n');

    if (str_ends(line, STR("\r")))
        line.n--;
    return line;
}

/* The name of a field that stands first in a line: what is before the colon. */
static struct str field_name(struct str line)
{
    size_t n = 0;

    while (n < line.n && ((line.p[n] >= 'a' && line.p[n] <= 'z') ||
                          (line.p[n] >= 'A' && line.p[n] <= 'Z') || line.p[n] == '-'))
        n++;
    return n < line.n && line.p[n] == ':' ? str_sub(line, 0, n) : STR_NONE;
}

/* The text behind the next empty line, or behind the first one if that is the beginning. */
static struct str body_of(struct str text)
{
    while (text.n) {
        if (str_trim(next_line(&text)).n == 0)
            break;
    }
    return text;
}

static struct str field_of(struct str text, const char *field)
{
    while (text.n) {
        struct str line = next_line(&text);
        struct str name = field_name(line);
        if (str_trim(line).n == 0)
            break;
        if (name.n && str_ieq_z(name, field))
            return str_trim(str_sub(line, name.n + 1, line.n));
    }
    return STR_NONE;
}

/* --- writing --- */

/* Append a line with its names replaced. False when it has names and none of them has anything to say. */
static bool expand(const struct dsn_in *in, const struct dsn_rcpt *r, struct str line,
                   struct buf *out)
{
    bool has_names = false, is_said = false;

    while (line.n) {
        if (line.p[0] != '{' || (line.n > 1 && line.p[1] == '{')) {
            buf_add_c(out, line.p[0]);
            line = str_sub(line, line.p[0] == '{' ? 2 : 1, line.n);
            continue;
        }
        size_t end = str_find(line, '}');
        size_t before = out->n;
        const struct dsn_name *name = dsn_name_find(str_sub(line, 1, end));
        if (name && (r || !name->is_of_recipient))
            name->say(in, r, out);
        has_names = true;
        is_said |= out->n > before;
        line = str_sub(line, end + 1, line.n);
    }
    return is_said || !has_names;
}

static void write_line(const struct dsn_in *in, const struct dsn_rcpt *r, struct str line,
                       struct buf *out)
{
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    char indent[INDENT_MAX + 1];
    size_t n = 0;

    if (str_trim(line).n == 0) {
        buf_add_z(out, "\r\n");
        return;
    }
    if (str_eq_z(str_trim(line), "{summary}")) {
        dsn_say_summary(in, out);
        return;
    }
    while (n < line.n && n < INDENT_MAX && (line.p[n] == ' ' || line.p[n] == '\t'))
        indent[n++] = ' ';
    indent[n] = '\0';
    if (expand(in, r, str_trim(line), &text))
        dsn_wrap(out, indent, buf_str(&text));
}

static void write_lines(const struct dsn_in *in, const struct dsn_rcpt *r, struct str text,
                        struct buf *out)
{
    while (text.n)
        write_line(in, r, next_line(&text), out);
}

/* Cut the lines up to the one that is mark out of *text; what is left stands behind it. */
static struct str lines_before(struct str *text, const char *mark)
{
    struct str all = *text;

    while (text->n) {
        size_t at = (size_t)(text->p - all.p);
        if (str_eq_z(str_trim(next_line(text)), mark))
            return str_sub(all, 0, at);
    }
    return all;
}

static struct str template_of(const struct dsn_in *in)
{
    enum dsn_kind kind = dsn_count(in, DSN_ACT_FAILED)    ? DSN_KIND_FAILED
                         : dsn_count(in, DSN_ACT_DELAYED) ? DSN_KIND_DELAYED
                                                          : DSN_KIND_DONE;
    const char *text = in->templates ? in->templates[kind] : NULL;

    return str_of(text ? text : dsn_template_builtin);
}

void dsn_write_words(const struct dsn_in *in, struct buf *out)
{
    struct str rest = body_of(template_of(in));

    while (rest.n) {
        write_lines(in, NULL, lines_before(&rest, "{each}"), out);
        struct str block = lines_before(&rest, "{end}");
        for (size_t i = 0; i < in->rcpts_n; i++)
            write_lines(in, &in->rcpts[i], block, out);
    }
}

void dsn_write_field(const struct dsn_in *in, const char *field, struct buf *out)
{
    struct str text = field_of(template_of(in), field);

    expand(in, NULL, text.n ? text : field_of(str_of(dsn_template_builtin), field), out);
}

/* --- checking --- */

struct check {
    bool in_header, in_block;
    bool has_from, has_subject, has_block;
    char *why; /* borrowed */
    size_t size;
};

static bool refuse(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool refuse(struct check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(c->why, c->size, fmt, ap);
    va_end(ap);
    return false;
}

void dsn_template_names(bool of_recipient, struct buf *out)
{
    const struct dsn_name *name;

    for (size_t i = 0; (name = dsn_name_at(i)); i++)
        if (name->is_of_recipient == of_recipient)
            buf_printf(out, "%s{%s}", out->n ? " " : "", name->name);
}

static bool check_name(struct check *c, struct str text)
{
    const struct dsn_name *name = dsn_name_find(text);
    CLEANUP(buf_done) struct buf known = BUF_INIT;
    char shown[40];

    text_printable_copy(str_sub(text, 0, 30), shown, sizeof(shown));
    if (!name) {
        dsn_template_names(false, &known);
        dsn_template_names(true, &known);
        return refuse(c,
                      "{%s} is no name; the names are %s, a line of its own are {each} and {end}, "
                      "and a brace is {{",
                      shown, buf_text(&known));
    }
    if (c->in_header && !name->is_for_header)
        return refuse(c, "{%s} cannot stand in a field of the header", shown);
    if (name->is_of_recipient && !c->in_block)
        return refuse(c, "{%s} is about one recipient: it stands between {each} and {end}", shown);
    return true;
}

static bool check_names(struct check *c, struct str line)
{
    while (line.n) {
        if (line.p[0] != '{' || (line.n > 1 && line.p[1] == '{')) {
            line = str_sub(line, line.p[0] == '{' ? 2 : 1, line.n);
            continue;
        }
        size_t end = str_find(line, '}');
        if (end == line.n)
            return refuse(c, "a name without its closing brace; a brace is {{");
        if (!check_name(c, str_sub(line, 1, end)))
            return false;
        line = str_sub(line, end + 1, line.n);
    }
    return true;
}

static void count_address(void *arg, struct str address)
{
    unsigned *n = arg;

    *n += str_find(address, '@') < address.n ? 1u : 2u;
}

/* A From of one mailbox, once its names are replaced. */
static bool check_from(struct check *c, struct str value)
{
    static const struct message m;
    const struct dsn_in in = {.message = &m, .hostname = "mail.example.com"};
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    const char *why = NULL;
    unsigned n = 0;

    expand(&in, NULL, value, &text);
    if (!text_is_ascii(buf_str(&text)))
        return refuse(c, "From has characters outside ASCII");
    if (!header_each_address(buf_str(&text), count_address, &n, &why) || n != 1)
        return refuse(c,
                      "From is not one address%s%s; as: Mail Delivery System "
                      "<MAILER-DAEMON@{hostname}>",
                      why ? ": " : "", why ? why : "");
    return true;
}

static bool check_field(struct check *c, struct str line)
{
    struct str name = field_name(line);
    struct str value = str_trim(str_sub(line, name.n + 1, line.n));
    bool is_from = str_ieq_z(name, "From"), is_subject = str_ieq_z(name, "Subject");
    bool *is_given = is_from ? &c->has_from : &c->has_subject;

    if (!is_from && !is_subject)
        return refuse(c,
                      "before the first empty line stand the fields From and Subject only, in one "
                      "line each; begin with an empty line when you want neither");
    if (*is_given)
        return refuse(c, "%s stands there twice", is_from ? "From" : "Subject");
    *is_given = true;
    if (!value.n)
        return refuse(c, "%s is empty", is_from ? "From" : "Subject");
    return check_names(c, value) && (is_subject || check_from(c, value));
}

static bool check_mark(struct check *c, bool is_each)
{
    if (is_each && (c->in_block || c->has_block))
        return refuse(c, "{each} stands there twice");
    if (!is_each && !c->in_block)
        return refuse(c, "{end} without {each}");
    c->in_block = is_each;
    c->has_block = true;
    return true;
}

/* Text as a program may print it: no control characters but tabs, valid UTF-8, lines that can be sent. */
static bool check_text(struct check *c, struct str line)
{
    if (line.n > LINE_BYTES_MAX)
        return refuse(c, "a line of more than %d octets", LINE_BYTES_MAX);
    if (!text_is_utf8(line))
        return refuse(c, "this is not UTF-8");
    for (size_t i = 0; i < line.n; i++)
        if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
            return refuse(c, "a control character");
    return true;
}

static bool check_line(struct check *c, struct str line)
{
    struct str text = str_trim(line);

    if (!check_text(c, line))
        return false;
    if (c->in_header) {
        if (text.n)
            return check_field(c, line);
        c->in_header = false;
        return true;
    }
    if (str_eq_z(text, "{each}") || str_eq_z(text, "{end}"))
        return check_mark(c, str_eq_z(text, "{each}"));
    if (!str_eq_z(text, "{summary}") && str_ifind(text, STR("{summary}")) != SIZE_MAX)
        return refuse(c, "{summary} is several paragraphs: it stands on a line of its own");
    return check_names(c, text);
}

bool dsn_template_check(struct str text, unsigned *line, char *why, size_t size)
{
    struct check c = {.in_header = true, .why = why, .size = size};

    *line = 1;
    if (text.n > DSN_TEMPLATE_MAX)
        return refuse(&c, "larger than %u octets", DSN_TEMPLATE_MAX);
    for (*line = text.n ? 0 : 1; text.n;) {
        (*line)++;
        if (!check_line(&c, next_line(&text)))
            return false;
    }
    if (c.in_block)
        return refuse(&c, "{each} without {end}");
    if (c.in_header)
        return refuse(&c, "nothing behind the header: an empty line, then the text");
    return true;
}
