/* SPDX-License-Identifier: ISC */
#include "tui/cli.h"

#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "tui/width.h"

int cli_init(struct cli *c, const char *conf_path)
{
    struct err err = ERR_NONE;
    char *state = conf_default_state_dir(), *host = conf_default_hostname();
    struct conf_defaults d = {.state_dir = state, .hostname = host, .is_foreground = !conf_path};
    const struct clock *clock = clock_system();

    *c = (struct cli){.conf_path = conf_path, .now_wall_ms = clock->wall_ms(clock)};
    conf_init(&c->conf, &d);
    free(state);
    free(host);
    c->conf.is_public = true;
    if (conf_path && conf_load(&c->conf, conf_path, &err) < 0) {
        fprintf(stderr, "mxhelm: %s\n", err.text);
        return EXIT_CONFIG;
    }
    c->control = conf_control_socket(&c->conf);
    c->submit = conf_submit_socket(&c->conf);
    return 0;
}

void cli_done(struct cli *c)
{
    view_close(c->view);
    free(c->control);
    free(c->submit);
    conf_done(&c->conf);
}

int cli_fail(const struct err *err)
{
    char text[sizeof err->text * 4];
    text_printable_copy(str_of(err->text), text, sizeof text);
    fprintf(stderr, "mxhelm: %s\n", text);
    switch (err->code) {
    case E_DOWN:
    case E_TIMEOUT:
    case E_BUSY:
    case E_NET: return EXIT_TEMP;
    case E_SYNTAX:
    case E_LIMIT: return EXIT_USAGE;
    case E_CONFIG: return EXIT_CONFIG;
    default: return EXIT_WRONG;
    }
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT, p CLEANUP(buf_done) = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    text_printable(&p, buf_str(&b), true);
    fprintf(stderr, "mxhelm %s: %s\nusage: mxhelm %s %s\n", c->verb->name, buf_text(&p),
            c->verb->name, c->verb->usage);
    return EXIT_USAGE;
}

int cli_view(struct cli *c)
{
    struct err err = ERR_NONE;
    if (c->view || view_open(c->conf.store_path, &c->view, &err) == 0)
        return 0;
    return cli_fail(&err);
}

void cli_origin(char *out, size_t size)
{
    /* sshd(8): "CLIENT PORT SERVER PORT". Only a note: who acts is known from the socket. */
    struct str ssh = str_of(getenv("SSH_CONNECTION"));
    struct str client = str_split(&ssh, ' ');
    char text[60];
    text_printable_copy(client, text, sizeof text);
    snprintf(out, size, "%s%s", text[0] ? "ssh " : "", text);
}

int cli_each_chunk(struct cli *c, int64_t message_id, void (*each)(void *arg, struct str bytes),
                   void *arg, struct err *err)
{
    struct buf chunk CLEANUP(buf_done) = BUF_INIT;
    for (unsigned seq = 0;; seq++) {
        buf_clear(&chunk);
        int rc = view_body(c->view, message_id, seq, &chunk, err);
        if (rc == -(int)E_NOTFOUND && seq > 0)
            return 0;
        if (rc < 0)
            return rc;
        if (chunk.n == 0)
            return 0;
        each(arg, buf_str(&chunk));
    }
}

/* --- text --- */

size_t cli_columns(void)
{
    struct winsize w;
    if (!isatty(STDOUT_FILENO))
        return SIZE_MAX;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

/* Octets of s that fit into so many columns, and the columns they take. */
static size_t fitting(struct str s, size_t columns, size_t *used)
{
    size_t at = 0, len;
    *used = 0;
    while (at < s.n) {
        int32_t cp = text_utf8_next(str_sub(s, at, s.n), &len);
        int w = width_char(cp);
        if (*used + (size_t)(w < 0 ? 1 : w) > columns)
            break;
        *used += (size_t)(w < 0 ? 1 : w);
        at += len;
    }
    return at;
}

void cli_put(struct buf *out, struct str s, size_t columns, bool is_padded)
{
    struct buf p CLEANUP(buf_done) = BUF_INIT;
    size_t used;
    text_printable(&p, s, true);
    size_t n = fitting(buf_str(&p), columns, &used);
    if (n < p.n && columns > 3) {
        n = fitting(buf_str(&p), columns - 3, &used);
        buf_add(out, p.p, n);
        buf_add_z(out, "...");
        used += 3;
    } else {
        buf_add(out, p.p ? p.p : "", n);
    }
    for (; is_padded && used < columns; used++)
        buf_add_c(out, ' ');
}

void cli_flush(struct buf *out)
{
    if (out->n)
        fwrite(out->p, 1, out->n, stdout);
    buf_clear(out);
}
