/* SPDX-License-Identifier: ISC */
/* show: one message, whole. Needs no engine. */
#include "tui/cli.h"

#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tui/json.h"
#include "tui/say.h"

#define PAGE 100u

struct showing {
    struct cli *c;
    int64_t id;
    bool is_json, is_timeline, is_transcript;
    json_t *recipients; /* with is_json */
    struct buf out;
};

static void field(struct buf *b, const char *name, const char *text)
{
    if (!text[0])
        return;
    buf_printf(b, "%-12s ", name);
    cli_put(b, str_of(text), SIZE_MAX, false);
    buf_add_c(b, '\n');
}

static void put_message(struct buf *b, const struct message *m, int64_t now)
{
    char id[ID_TEXT_MAX], when[32], age[16], size[16], line[120];
    field(b, "id", id_text(m->id, id));
    snprintf(line, sizeof line, "%s UTC, %s ago", say_full(m->arrival_wall_ms, when),
             text_duration(now - m->arrival_wall_ms, age));
    field(b, "arrived", line);
    field(b, "taken from", m->origin);
    field(b, "sender", m->reverse_path[0] ? m->reverse_path : "<>");
    field(b, "From", m->digest.from);
    field(b, "Subject", m->digest.subject);
    field(b, "Message-ID", m->digest.message_id);
    field(b, "Date", m->digest.date);
    snprintf(line, sizeof line, "%s, class %s%s%s", text_size(m->size_bytes, size),
             msg_class_name(m->class), m->flags & MSG_8BIT ? ", 8-bit" : "",
             m->flags & MSG_UTF8 ? ", UTF-8 header" : "");
    field(b, "size", line);
}

static void put_attempt(struct buf *b, const struct view_attempt *a, bool is_long)
{
    char when[32], took[32];
    struct buf info CLEANUP(buf_done) = BUF_INIT;
    outcome_sentence(&a->outcome, &info);
    snprintf(took, sizeof took, "%lld.%03lld s", (long long)a->duration_ms / 1000,
             (long long)a->duration_ms % 1000);
    buf_printf(b, "  %3u  %s  %-11s %9s  ", a->number, say_full(a->start_wall_ms, when),
               outcome_class_name(a->outcome.class), took);
    cli_put(b, buf_str(&info), SIZE_MAX, false);
    buf_add_c(b, '\n');
    if (!is_long)
        return;
    buf_printf(b,
               "       stage %s, tls %s%s%s, waited %lld ms, ready %lld ms, connect %lld ms, "
               "send %lld ms\n",
               stage_name(a->outcome.stage), tls_state_name(a->outcome.tls.state),
               a->outcome.tls.version[0] ? " " : "", a->outcome.tls.version,
               (long long)a->delays.a_ms, (long long)a->delays.b_ms, (long long)a->delays.c_ms,
               (long long)a->delays.d_ms);
}

/* Its lines, as they are kept: printable, milliseconds first. 0 also when none are kept. */
static int put_transcript(struct showing *s, const struct view_attempt *a, json_t *o,
                          struct err *err)
{
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    struct str rest;
    int rc = view_transcript(s->c->view, a->id, &text, err);

    if (rc < 0 && rc != -(int)E_NOTFOUND)
        return rc;
    if (o) {
        json_put_text(o, "transcript", buf_text(&text));
        return 0;
    }
    for (rest = buf_str(&text); rest.n;) {
        struct str line = str_split(&rest, '\n');
        struct str ms = str_split(&line, ' '), word = str_split(&line, ' ');

        buf_printf(&s->out, "       %8.*s  %-4.*s ", STR_ARG(ms), STR_ARG(word));
        cli_put(&s->out, line, SIZE_MAX, false);
        buf_add_c(&s->out, '\n');
    }
    return 0;
}

static int one_attempt(struct showing *s, const struct view_attempt *a, json_t *list,
                       struct err *err)
{
    json_t *o = list ? json_of_attempt(a) : NULL;

    if (o)
        json_array_append_new(list, o);
    else
        put_attempt(&s->out, a, s->is_timeline);
    return s->is_transcript ? put_transcript(s, a, o, err) : 0;
}

static int each_attempt(struct showing *s, int64_t rcpt_id, json_t *list, struct err *err)
{
    struct view_attempt *rows = xcalloc(PAGE, sizeof(*rows));
    int64_t after = 0;
    int n;
    while ((n = view_attempts(s->c->view, rcpt_id, after, rows, PAGE, err)) > 0) {
        int rc = 0;
        for (int i = 0; i < n && rc == 0; i++)
            rc = one_attempt(s, &rows[i], list, err);
        after = rows[n - 1].id;
        n = rc < 0 ? rc : n;
        if (n < (int)PAGE)
            break;
    }
    free(rows);
    return n < 0 ? n : 0;
}

static void put_recipient(struct showing *s, const struct view_row *r)
{
    struct buf *b = &s->out, says CLEANUP(buf_done) = BUF_INIT;
    buf_add_c(b, '\n');
    field(b, "to", r->to);
    if (s->is_timeline)
        return;
    buf_printf(b, "%-12s %s, %u %s\n", "state", rcpt_state_name(r->state), r->tries,
               r->tries == 1 ? "try" : "tries");
    field(b, "why", r->info);
    field(b, "note", r->note);
    field(b, "rerouted", r->via);
    field(b, "cause", r->cause);
    say_row(r, s->c->now_wall_ms, &says);
    field(b, "next", buf_text(&says));
}

static int one_recipient(struct showing *s, const struct view_row *r, struct err *err)
{
    if (!s->is_json) {
        put_recipient(s, r);
        return each_attempt(s, r->rcpt_id, NULL, err);
    }
    json_t *o = json_of_row(r), *attempts = json_array();
    int rc = each_attempt(s, r->rcpt_id, attempts, err);
    json_put(o, "attempts", attempts);
    json_array_append_new(s->recipients, o);
    return rc;
}

static int each_recipient(struct showing *s, struct err *err)
{
    struct view_row *rows = xcalloc(PAGE, sizeof(*rows));
    int64_t after = 0;
    int n, rc = 0;
    while (rc == 0 && (n = view_recipients(s->c->view, s->id, after, rows, PAGE, err)) != 0) {
        for (int i = 0; i < n && rc == 0; i++)
            rc = one_recipient(s, &rows[i], err);
        if (n < 0)
            rc = n;
        else
            after = rows[n - 1].rcpt_id;
        cli_flush(&s->out);
    }
    free(rows);
    return rc;
}

static int show(struct showing *s, struct err *err)
{
    struct message *m = xnew(struct message);
    json_t *o = NULL;
    int rc = view_message(s->c->view, s->id, m, err);
    if (rc == 0 && s->is_json) {
        o = json_of_message(m);
        s->recipients = json_array();
        json_put(o, "recipients", s->recipients);
    } else if (rc == 0) {
        put_message(&s->out, m, s->c->now_wall_ms);
    }
    if (rc == 0)
        rc = each_recipient(s, err);
    if (rc == 0 && o)
        json_print(o);
    else
        json_decref(o);
    buf_done(&s->out);
    free(m);
    return rc;
}

/* --- the message itself --- */

static void to_pipe(void *arg, struct str bytes)
{
    (void)arg;
    fwrite(bytes.p, 1, bytes.n, stdout);
}

/* A terminal gets no octet that a peer could steer it with. */
static void to_terminal(void *arg, struct str bytes)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    (void)arg;
    while (bytes.n > 0) {
        size_t n = str_find(bytes, '\n');
        struct str line = str_sub(bytes, 0, n);
        bytes = str_sub(bytes, n + 1, bytes.n);
        if (str_ends(line, STR("\r")))
            line.n--;
        text_printable(&b, line, false);
        buf_add_c(&b, '\n');
    }
    cli_flush(&b);
}

int cmd_show(struct cli *c, int argc, char **argv)
{
    bool is_raw = false;
    struct showing s = {.c = c};
    const struct opt table[] = {{"--raw", OPT_FLAG, &is_raw},
                                {"--timeline", OPT_FLAG, &s.is_timeline},
                                {"--transcript", OPT_FLAG, &s.is_transcript},
                                {"--json", OPT_FLAG, &s.is_json},
                                {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct err err = ERR_NONE;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    if (rest.n != 1)
        return cli_usage(c, "one queue id is needed");
    if (!id_parse(str_of(rest.args[0]), &s.id))
        return cli_usage(c, "%s is no queue id", rest.args[0]);
    if (is_raw && (s.is_json || s.is_timeline || s.is_transcript))
        return cli_usage(c, "--raw goes with nothing else");
    int code = cli_view(c);
    if (code)
        return code;
    int rc =
        is_raw ? cli_each_chunk(c, s.id, isatty(STDOUT_FILENO) ? to_terminal : to_pipe, NULL, &err)
               : show(&s, &err);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
