/* SPDX-License-Identifier: ISC */
/*
 * A run of checks: starts the parts, collects their results, ends them at the deadline. Results
 * wait in a queue for a timer of zero, so that no callback comes from within a check's own code and
 * a callback may cancel the run.
 */
#include "core/check/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/check/part.h"

struct queued {
    struct list link;
    struct check_result result;
};

struct check_run {
    struct check_env env;
    void (*result)(void *arg, const struct check_result *r);
    void (*done)(void *arg);
    void *arg;
    struct list parts;
    struct list results; /* queued.link */
    unsigned left;       /* parts that are not done */
    bool is_telling, is_cancelled;
    struct loop_timer *tell;     /* own */
    struct loop_timer *deadline; /* own */
};

const char *check_verdict_name(enum check_verdict v)
{
    static const char *const names[CHECK_VERDICT_COUNT] = {
        [CHECK_OK] = "ok",           [CHECK_WARN] = "warn", [CHECK_FAIL] = "fail",
        [CHECK_UNKNOWN] = "unknown", [CHECK_SKIP] = "skip",
    };

    return (unsigned)v < CHECK_VERDICT_COUNT ? names[v] : "?";
}

static const struct {
    const char *name;
    unsigned which;
    void (*start)(struct check_run *run);
} groups[] = {
    {"dns", CHECK_DNS, resolver_check_start},
    {"port25", CHECK_PORT25, port25_check_start},
    {"identity", CHECK_IDENTITY, identity_check_start},
    {"spf", CHECK_SPF, spf_check_start},
};

unsigned check_which_parse(const char *name)
{
    if (strcmp(name, "all") == 0)
        return CHECK_ALL;
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (strcmp(name, groups[i].name) == 0)
            return groups[i].which;
    return 0;
}

/* The run */

static void stop_parts(struct check_run *run)
{
    struct list *it;

    while ((it = list_pop_front(&run->parts))) {
        struct check_part *p = list_entry(it, struct check_part, link);

        p->free(p);
    }
}

static void run_free(struct check_run *run)
{
    struct list *it;

    stop_parts(run);
    while ((it = list_pop_front(&run->results)))
        free(list_entry(it, struct queued, link));
    loop_timer_free(run->tell);
    loop_timer_free(run->deadline);
    free(run);
}

static void tell(void *arg)
{
    struct check_run *run = arg;
    struct list *it;

    run->is_telling = true;
    while (!run->is_cancelled && (it = list_pop_front(&run->results))) {
        struct queued *q = list_entry(it, struct queued, link);

        run->result(run->arg, &q->result);
        free(q);
    }
    bool is_over = run->left == 0;

    if (is_over && !run->is_cancelled)
        run->done(run->arg);
    run->is_telling = false;
    if (is_over || run->is_cancelled)
        run_free(run);
}

static void time_is_up(void *arg)
{
    struct check_run *run = arg;

    list_for_each_safe (it, &run->parts) {
        struct check_part *p = list_entry(it, struct check_part, link);

        if (!p->is_done)
            p->deadline(p);
    }
}

struct check_run *check_start(const struct check_env *env, unsigned which,
                              void (*result)(void *arg, const struct check_result *r),
                              void (*done)(void *arg), void *arg)
{
    struct check_run *run = xnew(struct check_run);

    run->env = *env;
    run->result = result;
    run->done = done;
    run->arg = arg;
    list_init(&run->parts);
    list_init(&run->results);
    run->tell = loop_timer_new(env->loop, tell, run);
    run->deadline = loop_timer_new(env->loop, time_is_up, run);
    loop_timer_start(run->deadline, env->deadline_ms ? env->deadline_ms : CHECK_DEADLINE_MS);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (which & groups[i].which)
            groups[i].start(run);
    loop_timer_start(run->tell, 0);
    return run;
}

void check_cancel(struct check_run *run)
{
    if (!run || run->is_cancelled)
        return;
    run->is_cancelled = true;
    stop_parts(run);
    if (!run->is_telling)
        run_free(run);
}

/* For the parts */

void check_part_start(struct check_part *p, struct check_run *run)
{
    p->run = run;
    p->started_mono_ms = loop_now_ms(run->env.loop);
    list_push_back(&run->parts, &p->link);
    run->left++;
}

int64_t check_elapsed_ms(const struct check_part *p)
{
    return loop_now_ms(p->run->env.loop) - p->started_mono_ms;
}

void check_emit(struct check_part *p, struct check_result *r)
{
    struct queued *q = xnew(struct queued);

    r->took_ms = check_elapsed_ms(p);
    q->result = *r;
    list_push_back(&p->run->results, &q->link);
    loop_timer_start(p->run->tell, 0);
}

void check_part_done(struct check_part *p)
{
    if (p->is_done)
        return;
    p->is_done = true;
    p->run->left--;
    loop_timer_start(p->run->tell, 0);
}

const struct check_env *check_env_of(const struct check_run *run)
{
    return &run->env;
}

void check_add(char *out, size_t size, const char *fmt, ...)
{
    size_t n = strlen(out);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(out + n, size - n, fmt, ap);
    va_end(ap);
}

void check_add_remote(char *out, size_t size, struct str bytes)
{
    size_t n = strlen(out);

    if (size - n > 1)
        text_printable_copy(bytes, out + n, size - n);
}

const char *check_answer_text(const struct dns_answer *a)
{
    if (a->status != DNS_TEMP)
        return dns_status_name(a->status);
    switch (a->rcode) {
    case 0: return a->is_timeout ? "no answer in time" : "the name server cannot be reached";
    case 1: return "FORMERR";
    case 2: return "SERVFAIL";
    case 4: return "NOTIMP";
    case 5: return "REFUSED";
    default: return "another error code";
    }
}

/* Addresses */

bool check_is_private(const struct ip *ip)
{
    static const char *const nets[] = {
        "0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10",  "127.0.0.0/8",
        "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::/128",
        "::1/128",        "fc00::/7",      "fe80::/10",
    };

    for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
        struct ip_net net;

        verify(ip_net_parse(str_of(nets[i]), &net));
        if (ip_net_has(&net, ip))
            return true;
    }
    return false;
}

/* The local address towards a.root-servers.net. Nothing is sent: connect on UDP only asks the
 * routing table. */
static bool local_source(int family, struct ip *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } a;
    socklen_t n = family == 6 ? sizeof(a.in6) : sizeof(a.in);
    int fd = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    memset(&a, 0, sizeof(a));
    if (family == 6) {
        a.in6.sin6_family = AF_INET6;
        a.in6.sin6_port = htons(53);
        inet_pton(AF_INET6, "2001:503:ba3e::2:30", &a.in6.sin6_addr);
    } else {
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons(53);
        inet_pton(AF_INET, "198.41.0.4", &a.in.sin_addr);
    }
    bool ok = connect(fd, &a.any, n) == 0 && getsockname(fd, &a.any, &n) == 0;

    close(fd);
    memset(out, 0, sizeof(*out));
    out->family = family;
    if (family == 6)
        memcpy(out->bytes, &a.in6.sin6_addr, 16);
    else
        memcpy(out->bytes, &a.in.sin_addr, 4);
    return ok;
}

size_t check_sources(const struct conf *conf, struct ip out[CHECK_SOURCES_MAX])
{
    size_t n = 0;

    if (conf->public_ip.family)
        out[n++] = conf->public_ip;
    for (int family = 4; family <= 6; family += 2)
        if (family != conf->public_ip.family && local_source(family, &out[n]))
            n++;
    return n;
}
