/* SPDX-License-Identifier: ISC */
/*
 * The real feed: the store read-only, the engine over its control socket, the checks on a loop of
 * their own. Nothing is opened before it is asked for, and a store that is not there yet is looked
 * for again with each question.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/check/check.h"
#include "core/ctl/client.h"
#include "tui/console.h"
#include "tui/feed.h"

#define CALL_TIMEOUT_MS 3000
#define JOB_TIMEOUT_MS  20000
#define GROUPS_ASKED    3

struct lane {
    const struct console_conf *conf; /* borrowed */
    pthread_mutex_t lock;            /* for what interrupt touches */
    struct view *view;               /* own */
    struct loop_wake *wake;          /* while checks run */
    char origin[100];
};

static int open_view(struct lane *l, struct err *err)
{
    struct view *v;
    int rc;

    if (l->view)
        return 0;
    rc = view_open(l->conf->store_dir, &v, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&l->lock);
    l->view = v;
    pthread_mutex_unlock(&l->lock);
    return 0;
}

static int64_t store_version(void *arg)
{
    struct lane *l = arg;

    return open_view(l, NULL) < 0 ? 0 : view_version(l->view);
}

static int store_rows(void *arg, const struct view_query *q, const struct view_cursor *at,
                      bool is_back, struct view_row *rows, unsigned limit, struct err *err)
{
    static const struct view_cursor start = {.is_set = false};
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_rows(l->view, q, at ? at : &start, is_back, rows, limit, err);
}

static int store_count(void *arg, const struct view_query *q, uint64_t *out, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_count(l->view, q, out, err);
}

static int store_groups(void *arg, const struct view_query *q, enum view_group by,
                        struct view_group_row *rows, unsigned limit, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_groups(l->view, q, by, rows, limit, err);
}

static int store_totals(void *arg, struct queue_totals *out, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_totals(l->view, out, err);
}

static int store_message(void *arg, int64_t message_id, struct message *out, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_message(l->view, message_id, out, err);
}

static int store_recipients(void *arg, int64_t message_id, int64_t after_id, struct view_row *rows,
                            unsigned limit, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_recipients(l->view, message_id, after_id, rows, limit, err);
}

static int store_attempts(void *arg, int64_t rcpt_id, int64_t after_id, struct view_attempt *rows,
                          unsigned limit, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_attempts(l->view, rcpt_id, after_id, rows, limit, err);
}

static int store_transcript(void *arg, int64_t attempt_id, struct buf *out, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_transcript(l->view, attempt_id, out, err);
}

static int store_header(void *arg, int64_t message_id, struct buf *out, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_header(l->view, message_id, out, err);
}

static int store_log_back(void *arg, const struct view_log_query *q, int64_t before_id,
                          unsigned limit, int64_t budget_ms, struct view_log_page *out,
                          struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_log_back(l->view, q, before_id, limit, budget_ms, out, err);
}

static int store_log_forward(void *arg, const struct view_log_query *q, int64_t after_id,
                             unsigned limit, int64_t budget_ms, struct view_log_page *out,
                             struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_log_forward(l->view, q, after_id, limit, budget_ms, out, err);
}

static int store_log_count(void *arg, const struct view_log_query *q, int64_t budget_ms,
                           uint64_t *out, bool *is_cut, struct err *err)
{
    struct lane *l = arg;
    int rc = open_view(l, err);

    return rc < 0 ? rc : view_log_count(l->view, q, budget_ms, out, is_cut, err);
}

/* --- the engine --- */

static int engine_call(void *arg, const struct ctl_request *req, bool is_waiting,
                       struct ctl_reply *out, struct err *err)
{
    struct lane *l = arg;
    struct ctl_request r = *req;

    str_copy(str_of(l->origin), r.origin, sizeof(r.origin));
    if (is_waiting)
        return ctl_run_job(l->conf->control_socket, &r, JOB_TIMEOUT_MS, NULL, NULL, out, err);
    return ctl_call(l->conf->control_socket, &r, CALL_TIMEOUT_MS, out, err);
}

/* --- the checks --- */

struct checking {
    struct loop *loop;
    struct check_run *run;
    void (*result)(void *to, const struct feed_check *c);
    void *to;
};

static int status_of(enum check_verdict v)
{
    switch (v) {
    case CHECK_OK: return FEED_CHECK_OK;
    case CHECK_WARN: return FEED_CHECK_WARN;
    case CHECK_FAIL: return FEED_CHECK_FAIL;
    default: return FEED_CHECK_UNKNOWN;
    }
}

static void tell(void *arg, const struct check_result *r)
{
    struct checking *c = arg;
    struct feed_check f = {.status = status_of(r->verdict), .took_ms = r->took_ms};

    str_copy(str_of(r->title), f.name, sizeof(f.name));
    str_copy(str_of(r->summary), f.summary, sizeof(f.summary));
    str_copy(str_of(r->what), f.what, sizeof(f.what));
    str_copy(str_of(r->meaning), f.why, sizeof(f.why));
    str_copy(str_of(r->seen), f.seen, sizeof(f.seen));
    str_copy(str_of(r->fix), f.fix, sizeof(f.fix));
    c->result(c->to, &f);
}

static void checks_over(void *arg)
{
    struct checking *c = arg;

    c->run = NULL;
    loop_stop(c->loop);
}

static void checks_interrupted(void *arg)
{
    struct checking *c = arg;

    check_cancel(c->run);
    c->run = NULL;
    loop_stop(c->loop);
}

/* Domains that most mail waits for. */
static size_t waiting_domains(struct lane *l, struct view_group_row *groups,
                              const char *names[GROUPS_ASKED])
{
    struct view_query q = {.filter = NULL};
    int n = store_groups(l, &q, VIEW_GROUP_DOMAIN, groups, GROUPS_ASKED, NULL);

    for (int i = 0; i < n; i++)
        names[i] = groups[i].key;
    return n > 0 ? (size_t)n : 0;
}

static void set_wake(struct lane *l, struct loop_wake *wake)
{
    pthread_mutex_lock(&l->lock);
    l->wake = wake;
    pthread_mutex_unlock(&l->lock);
}

static void run_checks(struct lane *l, struct checking *c, struct dns *dns)
{
    struct view_group_row *groups = xcalloc(GROUPS_ASKED, sizeof(*groups));
    struct loop_wake *wake = loop_wake_new(c->loop, checks_interrupted, c);
    const char *waiting[GROUPS_ASKED];
    struct check_receivers receivers;
    struct ip sources[CHECK_SOURCES_MAX];
    struct check_env env = {.loop = c->loop, .dns = dns, .conf = l->conf->conf};

    env.sources = sources;
    env.sources_n = check_sources(l->conf->conf, sources);
    check_receivers_choose(&receivers, env.conf, waiting, waiting_domains(l, groups, waiting));
    env.receivers = receivers.names;
    env.receivers_n = receivers.n;
    set_wake(l, wake);
    c->run = check_start(&env, CHECK_ALL, tell, checks_over, c);
    loop_run(c->loop);
    set_wake(l, NULL);
    loop_wake_free(wake);
    free(groups);
}

static int check_all(void *arg, void (*result)(void *to, const struct feed_check *c), void *to,
                     struct err *err)
{
    struct lane *l = arg;
    struct checking c = {.loop = loop_new(), .result = result, .to = to};
    struct dns_conf dc = {.no_cache = true};
    struct dns *dns;
    int rc;

    dc.servers = l->conf->conf->dns;
    dc.servers_n = l->conf->conf->dns_n;
    rc = dns_new(c.loop, &dc, &dns, err);
    if (rc == 0) {
        run_checks(l, &c, dns);
        dns_free(dns);
    }
    loop_free(c.loop);
    return rc;
}

static void interrupt_lane(void *arg)
{
    struct lane *l = arg;

    pthread_mutex_lock(&l->lock);
    if (l->wake)
        loop_wake_send(l->wake);
    if (l->view)
        view_interrupt(l->view);
    pthread_mutex_unlock(&l->lock);
}

static void close_lane(void *arg)
{
    struct lane *l = arg;

    view_close(l->view);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static const struct feed_ops ops = {
    .version = store_version,
    .rows = store_rows,
    .count = store_count,
    .groups = store_groups,
    .totals = store_totals,
    .message = store_message,
    .recipients = store_recipients,
    .attempts = store_attempts,
    .transcript = store_transcript,
    .header = store_header,
    .log_back = store_log_back,
    .log_forward = store_log_forward,
    .log_count = store_log_count,
    .call = engine_call,
    .check = check_all,
    .interrupt = interrupt_lane,
    .close = close_lane,
};

/* "ssh 192.0.2.1": SSH_CONNECTION is "CLIENT PORT SERVER PORT" (sshd(8)); what it says is only a note
 * for the journal. */
static void find_origin(char *out, size_t size)
{
    struct str ssh = str_of(getenv("SSH_CONNECTION"));

    out[0] = '\0';
    if (ssh.n > 0)
        snprintf(out, size, "ssh %.80s", ssh.p);
    out[strcspn(out + (ssh.n > 0 ? 4 : 0), " ") + (ssh.n > 0 ? 4 : 0)] = '\0';
}

static struct feed open_lane(const void *arg)
{
    struct lane *l = xnew(struct lane);

    l->conf = arg;
    pthread_mutex_init(&l->lock, NULL);
    find_origin(l->origin, sizeof(l->origin));
    return (struct feed){&ops, l};
}

struct feed_source feed_source_store(const struct console_conf *c)
{
    return (struct feed_source){open_lane, c};
}
