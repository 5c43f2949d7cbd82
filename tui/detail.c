/* SPDX-License-Identifier: ISC */
/* The message's page is one text of lines with roles, made anew for each drawing and scrolled. */
#include "tui/detail.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tui/pane_log.h"
#include "tui/pane_queue.h"
#include "tui/say.h"

#define LINES_MAX 2000

struct page {
    struct buf text; /* all lines, printable */
    struct {
        size_t from, n;
        enum role role;
        bool is_part; /* a part begins here */
    } lines[LINES_MAX];
    int n, w;
};

static void ask(struct app *a)
{
    struct ask *ask = app_ask(a, ASK_DETAIL);

    ask->id = a->detail.message_id;
    ask->rcpt_id = a->detail.rcpt_id;
}

void detail_show(struct app *a, int64_t message_id, int64_t rcpt_id)
{
    struct detail *d = &a->detail;
    bool is_same = d->message_id == message_id && d->rcpt_id == rcpt_id;

    if (is_same && a->is_waiting[ASK_DETAIL])
        return;
    if (!is_same) {
        answer_free(d->data);
        d->data = NULL;
        d->top = 0;
        d->error[0] = '\0';
    }
    d->message_id = message_id;
    d->rcpt_id = rcpt_id;
    ask(a);
}

void detail_open(struct app *a, int64_t message_id, int64_t rcpt_id, bool from_log)
{
    a->detail.is_open = true;
    a->detail.from_log = from_log;
    a->detail.top = 0;
    a->detail.needle[0] = '\0';
    detail_show(a, message_id, rcpt_id);
}

void detail_close(struct app *a)
{
    a->detail.is_open = false;
    a->detail.needle[0] = '\0';
}

void detail_answer(struct app *a, struct answer *answer)
{
    struct detail *d = &a->detail;

    if (answer->rc < 0) {
        if (answer->rc != -(int)E_STATE)
            str_copy(str_of(answer->err.text), d->error, sizeof(d->error));
        answer_free(answer);
        return;
    }
    d->error[0] = '\0';
    answer_free(d->data);
    d->data = answer;
}

void detail_done(struct app *a)
{
    answer_free(a->detail.data);
}

/* --- the page --- */

static void add_line(struct page *p, enum role role, size_t from, size_t n)
{
    if (p->n == LINES_MAX)
        return;
    p->lines[p->n].from = from;
    p->lines[p->n].n = n;
    p->lines[p->n].role = role;
    p->lines[p->n].is_part = false;
    p->n++;
}

/* A label and a text from anywhere, wrapped behind the label. */
static void add_field(struct page *p, enum role role, const char *label, struct str raw)
{
    struct buf clean CLEANUP(buf_done) = BUF_INIT;
    int label_w = label[0] ? 10 : 2;
    struct str rest;
    bool is_first = true;

    text_printable(&clean, raw, true);
    for (rest = buf_str(&clean); is_first || rest.n > 0; is_first = false) {
        struct str line = cells_wrap(&rest, p->w > label_w + 10 ? p->w - label_w : 10);
        size_t from = p->text.n;

        buf_printf(&p->text, "%-*s", label_w, is_first ? label : "");
        buf_add_str(&p->text, line);
        add_line(p, role, from, p->text.n - from);
    }
}

static void add_part(struct page *p, const char *title)
{
    size_t from = p->text.n;

    buf_add_z(&p->text, title);
    add_line(p, ROLE_TITLE, from, p->text.n - from);
    p->lines[p->n - 1].is_part = true;
}

static void add_printf(struct page *p, enum role role, const char *label, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void add_printf(struct page *p, enum role role, const char *label, const char *fmt, ...)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    add_field(p, role, label, buf_str(&b));
}

static void add_envelope(const struct app *a, struct page *p)
{
    const struct message *m = &a->detail.data->message;
    char id[ID_TEXT_MAX], size[16], when[32], ago[16];

    add_printf(p, ROLE_TEXT, "id", "%s   %s   class %s", id_text(m->id, id),
               text_size(m->size_bytes, size), msg_class_name(m->class));
    add_printf(p, ROLE_TEXT, "arrived", "%s UTC, %s ago", say_full(m->arrival_wall_ms, when),
               text_duration(a->now_wall_ms - m->arrival_wall_ms, ago));
    add_field(p, ROLE_TEXT, "via", str_of(m->origin));
    add_field(p, ROLE_TEXT, "sender",
              str_of(m->reverse_path[0] ? m->reverse_path : "<> (a report)"));
    add_field(p, ROLE_TEXT, "from", str_of(m->digest.from));
    add_field(p, ROLE_TEXT, "subject", str_of(m->digest.subject));
    add_field(p, ROLE_DIM, "msg-id", str_of(m->digest.message_id));
}

static const struct view_row *the_row(const struct answer *d)
{
    for (size_t i = 0; i < d->rows_n; i++) {
        if (d->rows[i].rcpt_id == d->rcpt_id)
            return &d->rows[i];
    }
    return NULL;
}

static void add_recipients(const struct app *a, struct page *p)
{
    const struct answer *d = a->detail.data;
    char title[80];

    snprintf(title, sizeof(title), "Recipients (%zu%s)", d->rows_n, d->is_end ? "" : " and more");
    add_part(p, title);
    for (size_t i = 0; i < d->rows_n; i++) {
        const struct view_row *r = &d->rows[i];
        char next[16], code[16];

        add_printf(p, say_state_role(r), "", "%s%-8s try %-3u next %-6s %-7s %s",
                   r->rcpt_id == d->rcpt_id ? "> " : "  ", say_state(r), r->tries,
                   say_next(r, a->now_wall_ms, next), say_code(r->code, r->enhanced, code), r->to);
    }
}

static void add_now(const struct app *a, struct page *p, const struct view_row *r)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;

    add_part(p, "Why it is where it is");
    if (r->note[0])
        add_field(p, ROLE_TITLE, "held", str_of(r->note));
    if (r->via[0])
        add_field(p, ROLE_TITLE, "rerouted", str_of(r->via));
    if (r->info[0])
        add_field(p, say_state_role(r), "said", str_of(r->info));
    say_row(r, a->now_wall_ms, &b);
    add_field(p, ROLE_TEXT, "now", buf_str(&b));
}

static enum role outcome_role(const struct outcome *o)
{
    switch (o->class) {
    case OUTCOME_DELIVERED: return ROLE_DONE;
    case OUTCOME_DEFERRED: return ROLE_RETRYING;
    case OUTCOME_FAILED: return ROLE_FAILED;
    default: return ROLE_STUCK;
    }
}

static bool is_same_answer(const struct outcome *a, const struct outcome *b)
{
    return a->code == b->code && strcmp(a->enhanced, b->enhanced) == 0 &&
           strcmp(a->text, b->text) == 0;
}

/* before: the attempt before it, or NULL; the same answer is not told twice. */
static void add_attempt(struct page *p, const struct view_attempt *t,
                        const struct view_attempt *before)
{
    const struct outcome *o = &t->outcome;
    const char *command = stage_command(o->stage);
    const char *at = command[0] ? command : stage_name(o->stage);
    char when[32];

    add_printf(p, outcome_role(o), "", "try %u  %s  %s at %s  %lld.%02llds  %s%s%s%s", t->number,
               say_full(t->start_wall_ms, when), outcome_class_name(o->class), at,
               (long long)(t->duration_ms / 1000), (long long)(t->duration_ms % 1000 / 10), o->host,
               o->ip[0] ? "[" : "", o->ip, o->ip[0] ? "]" : "");
    if (before && is_same_answer(o, &before->outcome)) {
        add_field(p, ROLE_DIM, "", STR("    the same answer"));
    } else if (o->text[0] || o->code > 0) {
        struct buf b CLEANUP(buf_done) = BUF_INIT;

        if (o->code > 0)
            buf_printf(&b, "    %d ", o->code);
        else
            buf_add_z(&b, "    ");
        if (o->enhanced[0] && !str_starts(str_of(o->text), str_of(o->enhanced)))
            buf_printf(&b, "%s ", o->enhanced);
        buf_add_z(&b, o->text);
        add_field(p, ROLE_TEXT, "", buf_str(&b));
    }
    if (o->tls.state != TLS_NOT_USED)
        add_printf(p, ROLE_DIM, "", "    TLS %s %s %s %s", tls_state_name(o->tls.state),
                   o->tls.version, o->tls.cipher, o->tls.why);
}

static void add_attempts(const struct answer *d, struct page *p, const struct view_row *r)
{
    add_part(p, r ? "Attempts for this recipient" : "Attempts");
    if (d->attempts_n == 0)
        add_field(p, ROLE_DIM, "", STR("none yet"));
    for (size_t i = 0; i < d->attempts_n; i++)
        add_attempt(p, &d->attempts[i], i > 0 ? &d->attempts[i - 1] : NULL);
}

/* What we said and they said, with its milliseconds. */
static void add_transcript(const struct answer *d, struct page *p)
{
    struct str rest = buf_str(&d->transcript);
    char title[40];

    if (rest.n == 0)
        return;
    snprintf(title, sizeof(title), "What try %u did", d->transcript_of);
    add_part(p, title);
    while (rest.n > 0) {
        struct str line = str_split(&rest, '\n'), whole = line;
        struct str ms = str_split(&line, ' '), word = str_split(&line, ' ');
        struct buf b CLEANUP(buf_done) = BUF_INIT;
        enum role role = str_eq_z(word, ">")   ? ROLE_TEXT
                         : str_eq_z(word, "<") ? ROLE_TITLE
                                               : ROLE_DIM;

        if (str_starts(whole, STR("...")))
            buf_add_str(&b, whole);
        else
            buf_printf(&b, "%6.*s %-4.*s %.*s", STR_ARG(ms), STR_ARG(word), STR_ARG(line));
        add_field(p, role, "", buf_str(&b));
    }
}

static void add_header(const struct answer *d, struct page *p)
{
    struct str rest = buf_str(&d->header);

    add_part(p, "Header");
    if (rest.n == 0)
        add_field(p, ROLE_DIM, "", STR("The body is gone: everything is delivered or ended."));
    while (rest.n > 0) {
        struct str line = str_split(&rest, '\n');

        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        /* A folded line (RFC 5322 2.2.3) begins with a tab or blanks. */
        if (line.n > 0 && (line.p[0] == '\t' || line.p[0] == ' ')) {
            struct buf b CLEANUP(buf_done) = BUF_INIT;

            buf_add_z(&b, "    ");
            buf_add_str(&b, str_trim(line));
            add_field(p, ROLE_TEXT, "", buf_str(&b));
        } else if (line.n > 0) {
            add_field(p, ROLE_TEXT, "", line);
        }
    }
}

static struct page *page_new(const struct app *a, int w)
{
    struct page *p = xnew(struct page);
    const struct view_row *r = the_row(a->detail.data);

    p->w = w;
    add_envelope(a, p);
    if (r)
        add_now(a, p, r);
    add_recipients(a, p);
    add_attempts(a->detail.data, p, r);
    add_transcript(a->detail.data, p);
    add_header(a->detail.data, p);
    return p;
}

static void page_free(struct page *p)
{
    buf_done(&p->text);
    free(p);
}

static struct str page_line(const struct page *p, int i)
{
    return str_sub(buf_str(&p->text), p->lines[i].from, p->lines[i].from + p->lines[i].n);
}

static void draw_line(struct app *a, struct cells *g, int y, struct rect r, const struct page *p,
                      int i)
{
    struct str s = page_line(p, i), needle = str_of(a->detail.needle);
    size_t hit;

    if (p->lines[i].is_part) {
        char title[100];

        str_copy(s, title, sizeof(title));
        cells_rule(g, y, r.x, r.w, ROLE_BORDER, title);
        return;
    }
    cells_text(g, y, r.x + 1, r.w - 2, p->lines[i].role, s);
    if (needle.n == 0 || (hit = str_ifind(s, needle)) == SIZE_MAX)
        return;
    cells_role(g, y, r.x + 1 + (int)hit, (int)needle.n, ROLE_HIT);
}

void detail_draw(struct app *a, struct cells *g, struct rect r)
{
    struct detail *d = &a->detail;
    struct page *p;

    if (!d->data) {
        if (d->error[0])
            cells_remote(g, r.y, r.x + 1, r.w - 2, ROLE_ALERT, str_of(d->error), NULL);
        else
            cells_z(g, r.y, r.x + 1, r.w - 2, ROLE_DIM, "Reading ...");
        return;
    }
    p = page_new(a, r.w - 2);
    if (d->top > p->n - r.h)
        d->top = p->n - r.h;
    if (d->top < 0)
        d->top = 0;
    for (int i = 0; i < r.h && d->top + i < p->n; i++)
        draw_line(a, g, r.y + i, r, p, d->top + i);
    if (d->top + r.h < p->n && r.h > 2)
        cells_z(g, r.y + r.h - 1, r.x + r.w - 7, 6, ROLE_DIM, " more ");
    page_free(p);
}

/* --- commands --- */

static int page_height(const struct app *a)
{
    struct rect body = frame_body(a);

    return body.h > 1 ? body.h : 1;
}

/* The next line from top that fits; is_part: where a part begins, else where the needle is. */
static void go_line(struct app *a, bool is_part, int by)
{
    struct detail *d = &a->detail;
    struct str needle = str_of(d->needle);
    struct page *p;

    if (!d->data || (!is_part && needle.n == 0))
        return;
    p = page_new(a, a->w - 2);
    for (int i = d->top + by; i >= 0 && i < p->n; i += by) {
        if (is_part ? p->lines[i].is_part : str_ifind(page_line(p, i), needle) != SIZE_MAX) {
            d->top = i;
            break;
        }
    }
    page_free(p);
}

void detail_search(struct app *a, const char *needle)
{
    str_copy(str_of(needle), a->detail.needle, sizeof(a->detail.needle));
    if (needle[0]) {
        a->detail.top -= 1;
        go_line(a, false, 1);
    }
}

static void step(struct app *a, int by)
{
    int64_t id;

    if (a->detail.from_log) {
        id = log_step_message(a, by);
        if (id)
            detail_open(a, id, 0, true);
        return;
    }
    if (queue_step(a, by)) {
        const struct view_row *r = queue_row(a);

        detail_open(a, r->message_id, r->rcpt_id, false);
    } else {
        app_note(a, false, by > 0 ? "This is the last message." : "This is the first message.");
    }
}

static bool scroll(struct app *a, enum cmd cmd)
{
    int h = page_height(a), *top = &a->detail.top;

    switch (cmd) {
    case CMD_DOWN: *top += 1; return true;
    case CMD_UP: *top -= 1; break;
    case CMD_PAGE_DOWN: *top += h - 1; return true;
    case CMD_PAGE_UP: *top -= h - 1; break;
    case CMD_HALF_DOWN: *top += h / 2; return true;
    case CMD_HALF_UP: *top -= h / 2; break;
    case CMD_TOP: *top = 0; return true;
    case CMD_BOTTOM: *top = LINES_MAX; return true;
    default: return false;
    }
    if (*top < 0)
        *top = 0;
    return true;
}

static void log_of(struct app *a)
{
    char text[40], id[ID_TEXT_MAX];

    snprintf(text, sizeof(text), "id:%s", id_text(a->detail.message_id, id));
    app_show_pane(a, PANE_LOG);
    log_set_filter(a, text);
}

bool detail_command(struct app *a, enum cmd cmd)
{
    switch (cmd) {
    case CMD_BACK:
        if (a->detail.needle[0])
            a->detail.needle[0] = '\0';
        else
            detail_close(a);
        return true;
    case CMD_NEXT_MESSAGE: step(a, 1); return true;
    case CMD_PREV_MESSAGE: step(a, -1); return true;
    case CMD_NEXT_PART: go_line(a, true, 1); return true;
    case CMD_NEXT_HIT: go_line(a, false, 1); return true;
    case CMD_PREV_HIT: go_line(a, false, -1); return true;
    case CMD_LOG_OF: log_of(a); return true;
    default: return scroll(a, cmd);
    }
}
