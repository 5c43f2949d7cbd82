/* SPDX-License-Identifier: ISC */
/* The templates of reports: read and checked when the configuration is, so that a bad one never meets mail. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/mail/conf_private.h"

static const char *const keys[DSN_KIND_COUNT] = {
    [DSN_KIND_FAILED] = "failed",
    [DSN_KIND_DELAYED] = "delayed",
    [DSN_KIND_DONE] = "relayed",
};

/* NULL, or why not: static, or of strerror. A FIFO must not make the start wait. */
static const char *read_template(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *why = NULL;
    struct stat st;
    ssize_t got = 0;
    char part[8192];

    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        why = "not a regular file";
    while (!why && out->n <= DSN_TEMPLATE_MAX && (got = read(fd, part, sizeof(part))) > 0)
        buf_add(out, part, (size_t)got);
    if (got < 0)
        why = strerror(errno);
    close(fd);
    return why;
}

static int load_template(const struct conf_parse *p, enum dsn_kind kind)
{
    struct conf *c = p->c;
    const char *path = c->report_paths[kind];
    CLEANUP(buf_done) struct buf text = BUF_INIT;
    char why[400];
    unsigned line;

    const char *trouble = read_template(path, &text);
    /* Who only looks at the queue need not be able to read it. */
    if (trouble && c->is_public)
        return 0;
    if (trouble)
        return conf_fail(
            p, conf_line_near(p, SECTION_REPORT, keys[kind], 0),
            "report.%s: cannot read %s: %s; allowed: a file that the engine's user may "
            "read",
            keys[kind], path, trouble);
    if (!dsn_template_check(buf_str(&text), &line, why, sizeof(why)))
        return err_set(p->err, E_CONFIG, "%s:%u: report.%s: %s", path, line, keys[kind], why);
    c->report_templates[kind] = buf_take(&text);
    return 0;
}

int conf_check_reports(const struct conf_parse *p)
{
    int rc = 0;

    for (int kind = 0; !rc && kind < DSN_KIND_COUNT; kind++)
        if (p->c->report_paths[kind])
            rc = load_template(p, (enum dsn_kind)kind);
    return rc;
}
