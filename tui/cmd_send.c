/* SPDX-License-Identifier: ISC */
/* send: a message from standard input, handed to the engine. */
#include "tui/cli.h"

#include <unistd.h>

#include "core/base/text.h"
#include "tui/submit.h"

static int report(const struct submit *s)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char text[512];
    for (size_t i = 0; i < s->n; i++) {
        if (!s->rcpts[i].is_refused)
            continue;
        const struct outcome *o = s->rcpts[i].outcome;
        text_printable_copy(str_of(o->text), text, sizeof text);
        fprintf(stderr, "mxhelm: %s was refused: %d %s\n", s->rcpts[i].address, o->code, text);
    }
    if (s->refused == s->n)
        return EXIT_WRONG;
    if (s->outcome.class == OUTCOME_DELIVERED) {
        cli_put(&b, submit_queue_id(s), SIZE_MAX, false);
        buf_add_c(&b, '\n');
        cli_flush(&b);
        return s->refused ? EXIT_WRONG : EXIT_DONE;
    }
    submit_sentence(&s->outcome, &b);
    fprintf(stderr, "mxhelm: the engine did not take the message: %s\n", buf_text(&b));
    return s->outcome.class == OUTCOME_FAILED ? EXIT_WRONG : EXIT_TEMP;
}

static int send(struct cli *c, struct submit *s)
{
    struct buf raw CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    if (isatty(STDIN_FILENO))
        fputs("mxhelm: type the message, with its header; end with Ctrl-D\n", stderr);
    if (submit_read(stdin, c->conf.max_message_bytes, &raw, &err) < 0) {
        cli_fail(&err);
        return EXIT_WRONG;
    }
    submit_text(buf_str(&raw), false, &s->body);
    if (submit_send(s, c->submit, &err) < 0)
        return cli_fail(&err);
    return report(s);
}

int cmd_send(struct cli *c, int argc, char **argv)
{
    const char *from = c->conf.sender, *why;
    const struct opt table[] = {{"-f", OPT_TEXT, &from}, {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct submit s CLEANUP(submit_done) = {0};
    struct err err = ERR_NONE;
    const char *user = getenv("USER");

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    if (rest.n == 0)
        return cli_usage(c, "who shall get it?");
    if (from == c->conf.sender && !from[0])
        from = user && user[0] ? user : "root";
    if (!submit_from(&s, str_of(from), c->conf.hostname, &why))
        return cli_usage(c, "-f %s: %s", from, why);
    for (size_t i = 0; i < rest.n; i++)
        if (!submit_add(&s, str_of(rest.args[i]), c->conf.hostname, &why))
            return cli_usage(c, "%s: %s", rest.args[i], why);
    return send(c, &s);
}
