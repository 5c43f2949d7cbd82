/* SPDX-License-Identifier: ISC */
/*
 * mxhelmd: the engine's program. Reads the configuration, wires the engine to the real world, runs
 * until a signal.
 *
 *   SIGTERM, SIGINT   drain: finish what is being sent (at most 30 s), then end
 *   SIGHUP            read the configuration again; a bad one is reported, and the old one stays
 *
 * Exit codes: 0 done, 1 it could not start or go on (one sentence on stderr), 2 usage,
 * 78 configuration.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/engine/engine.h"
#include "core/engine/io_real.h"
#include "core/engine/sender_check.h"
#include "core/mail/conf.h"

#define EXIT_USAGE  2
#define EXIT_CONFIG 78
#define GRACE_MS    (30 * SECOND_MS)
/* A reload keeps the configurations that connections still use; they are small. */
#define CONFS_MAX 1000u

struct daemon {
    struct loop *loop;
    struct io_real *io;
    struct engine *engine;
    struct log log;
    const char *path; /* of the configuration; NULL = built-in defaults */
    struct conf *confs[CONFS_MAX];
    size_t confs_n;
    struct loop_signal *signals[3];
    bool is_draining;
    int exit_code;
};

static int usage(void)
{
    fputs("usage: mxhelmd [-c FILE]         run in the foreground\n"
          "       mxhelmd check [--no-dns] [-c FILE]\n"
          "                                 read the configuration, say what is wrong\n"
          "       mxhelmd --version\n",
          stderr);
    return EXIT_USAGE;
}

/* --- configuration --- */

/* Returns new (free with conf_done and free), or NULL with *err. */
static struct conf *load(const char *path, struct err *err)
{
    struct conf *c = xnew(struct conf);
    char *state = conf_default_state_dir();
    char *host = conf_default_hostname();
    struct conf_defaults d = {.state_dir = state, .hostname = host, .is_foreground = !path};
    conf_init(c, &d);
    free(state);
    free(host);
    if (path && conf_load(c, path, err) < 0) {
        conf_done(c);
        free(c);
        return NULL;
    }
    return c;
}

struct asked {
    struct loop *loop;
    enum sender_verdict verdict;
};

static void told_sender(void *arg, enum sender_verdict v)
{
    struct asked *a = arg;
    a->verdict = v;
    loop_stop(a->loop);
}

/* S6: can the sender address receive mail? 0, or EXIT_CONFIG after one sentence. */
static int check_sender(const struct conf *c)
{
    struct asked a = {.loop = loop_new(), .verdict = SENDER_UNKNOWN};
    struct io_real *io = NULL;
    struct err err = ERR_NONE;
    if (io_real_new_without_store(a.loop, c, &io, &err) >= 0) {
        sender_check_begin(io_real_io(io), strrchr(c->sender, '@') + 1, told_sender, &a);
        loop_run(a.loop);
        io_real_free(io);
    }
    loop_free(a.loop);
    if (a.verdict == SENDER_UNKNOWN)
        printf("identity.sender: could not test whether «%s» can receive mail: the DNS did not "
               "answer\n", c->sender);
    if (!sender_verdict_text(a.verdict)[0])
        return 0;
    fprintf(stderr, "mxhelmd: identity.sender: «%s» cannot receive mail: %s\n", c->sender,
            sender_verdict_text(a.verdict));
    return EXIT_CONFIG;
}

static int check(const char *path, bool with_dns)
{
    struct err err = ERR_NONE;
    struct conf *c = load(path, &err);
    if (!c) {
        fprintf(stderr, "mxhelmd: %s\n", err.text);
        return EXIT_CONFIG;
    }
    /* The built-in defaults are for a first look, and [lab] for tests: both know no Internet. */
    int rc = with_dns && path && !c->lab_special_use ? check_sender(c) : 0;
    if (rc == 0)
        printf("%s: the configuration is valid\n", path ? path : "built-in defaults");
    conf_done(c);
    free(c);
    return rc;
}

/* --- signals --- */

static void drained(void *arg)
{
    struct daemon *d = arg;
    loop_stop(d->loop);
}

static void on_stop(void *arg, int signum)
{
    (void)signum;
    struct daemon *d = arg;
    if (d->is_draining)
        return;
    d->is_draining = true;
    engine_drain(d->engine, GRACE_MS, drained, d);
}

static void reload(void *arg)
{
    struct daemon *d = arg;
    struct err err = ERR_NONE;
    const char *note;
    if (!d->path) {
        log_warn(&d->log, "engine", "there is no configuration file to read again");
        return;
    }
    struct conf *c = d->confs_n < CONFS_MAX ? load(d->path, &err) : NULL;
    if (!c) {
        log_error(&d->log, "engine", "the old configuration stays in force: %s",
                  err.text[0] ? err.text : "too many reloads, restart instead");
        return;
    }
    d->confs[d->confs_n++] = c;
    engine_reload(d->engine, c, &note);
}

static void on_hup(void *arg, int signum)
{
    (void)signum;
    reload(arg);
}

static void on_fatal(void *arg, const struct err *err)
{
    struct daemon *d = arg;
    log_error(&d->log, "engine", "%s", err->text);
    d->exit_code = 1;
    loop_stop(d->loop);
}

/* --- running --- */

/* With no file at all everything is in the user's state directory, which may not be there yet. */
static void make_state_dir(const struct conf *c)
{
    for (char *p = c->store_path + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(c->store_path, 0700);
        *p = '/';
    }
}

static int start(struct daemon *d, struct conf *c)
{
    struct err err = ERR_NONE;
    if (!d->path)
        make_state_dir(c);
    int rc = io_real_new(d->loop, c, &d->log, &d->io, &err);
    if (rc >= 0) {
        d->engine = engine_new(c, io_real_io(d->io), &d->log, 0);
        if (d->path)
            engine_on_reload(d->engine, reload, d);
        rc = engine_start(d->engine, on_fatal, d, &err);
    }
    if (rc < 0)
        log_error(&d->log, "engine", "%s", err.text);
    return rc;
}

static void announce(const struct daemon *d, const struct conf *c)
{
    char text[300];
    for (size_t i = 0; i < c->listen_n; i++)
        log_notice(&d->log, "engine", "mxhelmd " MXHELM_VERSION " of %s takes mail on %s",
                   c->hostname, endpoint_text(&c->listen[i], text));
    log_notice(&d->log, "engine", "store %s, configuration %s", c->store_path,
               d->path ? d->path : "built-in defaults");
}

static void finish(struct daemon *d)
{
    if (d->io)
        io_real_close_store(d->io);
    engine_free(d->engine);
    io_real_free(d->io);
    for (size_t i = 0; i < ARRAY_LEN(d->signals); i++)
        loop_signal_free(d->signals[i]);
    loop_free(d->loop);
    for (size_t i = 0; i < d->confs_n; i++) {
        conf_done(d->confs[i]);
        free(d->confs[i]);
    }
}

static int run(const char *path)
{
    struct err err = ERR_NONE;
    struct conf *c = load(path, &err);
    if (!c) {
        fprintf(stderr, "mxhelmd: %s\n", err.text);
        return EXIT_CONFIG;
    }
    static struct daemon d; /* its list of configurations is too large for the stack */
    d.path = path;
    d.confs[d.confs_n++] = c;
    log_init_stderr(&d.log, LOG_LEVEL_NOTICE);
    if (c->log_stderr)
        d.log.level = LOG_LEVEL_INFO;
    d.loop = loop_new();
    signal(SIGPIPE, SIG_IGN);
    d.signals[0] = loop_signal_new(d.loop, SIGTERM, on_stop, &d);
    d.signals[1] = loop_signal_new(d.loop, SIGINT, on_stop, &d);
    d.signals[2] = loop_signal_new(d.loop, SIGHUP, on_hup, &d);
    if (start(&d, c) >= 0) {
        announce(&d, c);
        loop_run(d.loop);
        log_notice(&d.log, "engine", "stopped");
    } else {
        d.exit_code = 1;
    }
    finish(&d);
    return d.exit_code;
}

int main(int argc, char **argv)
{
    const char *path = getenv("MXHELM_CONFIG");
    bool is_check = false, with_dns = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
            path = argv[++i];
        else if (strcmp(argv[i], "check") == 0 && !is_check)
            is_check = true;
        else if (strcmp(argv[i], "--no-dns") == 0 && is_check)
            with_dns = false;
        else if (strcmp(argv[i], "--version") == 0)
            return puts("mxhelmd " MXHELM_VERSION) < 0;
        else
            return usage();
    }
    if (!path && access(CONF_DEFAULT_PATH, F_OK) == 0)
        path = CONF_DEFAULT_PATH;
    return is_check ? check(path, with_dns) : run(path);
}
