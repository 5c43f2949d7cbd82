/* SPDX-License-Identifier: ISC */
/*
 * DNS-1: each name server is asked by itself for the root's and com's NS records, which every
 * resolver can tell. DNS-3: a random name below com must not exist; a resolver that invents an
 * address for it makes sender and block list checks worthless.
 */
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/check/part.h"

#define SERVERS_MAX      8
#define PROBE_TIMEOUT_MS 1500

struct resolver_check;

struct probe {
    struct resolver_check *check;
    struct dns *dns; /* own: knows only this server */
    char server[64];
    bool is_second; /* com was asked too */
    bool is_done, is_answering, is_silent;
    char text[48]; /* what it said */
    int64_t took_ms;
};

struct resolver_check {
    struct check_part part;
    struct probe probes[SERVERS_MAX];
    size_t n, left;
    struct dns_query *honest; /* NULL = done */
    char random_name[48];
};

static void is_complete(struct resolver_check *c)
{
    if (c->left == 0 && !c->honest)
        check_part_done(&c->part);
}

/* DNS-1 */

static void list_servers(const struct resolver_check *c, char *out, size_t size)
{
    for (size_t i = 0; i < c->n; i++)
        check_add(out, size, "%s%s", i ? ", " : "", c->probes[i].server);
}

static void describe_none(const struct resolver_check *c, size_t silent, struct check_result *r)
{
    r->verdict = CHECK_FAIL;
    if (silent == c->n) {
        check_add(r->summary, sizeof(r->summary), "none of the name servers answers (");
        check_add(
            r->fix, sizeof(r->fix),
            "Allow UDP and TCP port 53 out to these servers in the firewall, or run a resolver "
            "on this machine (package unbound) and set: [dns] servers = 127.0.0.1");
    } else {
        check_add(r->summary, sizeof(r->summary), "no name server resolves for us (");
        check_add(r->fix, sizeof(r->fix),
                  "The servers are reached, but refuse or fail: whoever runs them must allow "
                  "recursion for this machine; or run a resolver here (package unbound) and set: "
                  "[dns] servers = 127.0.0.1");
    }
    list_servers(c, r->summary, sizeof(r->summary) - 2);
    check_add(r->summary, sizeof(r->summary), ")");
    check_add(r->meaning, sizeof(r->meaning),
              "No mail can leave: the engine cannot find any mail server.");
}

static void describe_some(const struct resolver_check *c, size_t good, struct check_result *r)
{
    r->verdict = good == c->n ? CHECK_OK : CHECK_WARN;
    check_add(r->summary, sizeof(r->summary), "%zu of %zu name server%s answer%s", good, c->n,
              c->n == 1 ? "" : "s", good == 1 ? "s" : "");
    if (good == c->n) {
        check_add(r->meaning, sizeof(r->meaning), "Mail servers can be looked up.");
        return;
    }
    check_add(r->meaning, sizeof(r->meaning),
              "Mail goes out, but look-ups that meet the dead server first wait for its time-out.");
    check_add(r->fix, sizeof(r->fix), "Repair or remove from the configuration:");
    for (size_t i = 0; i < c->n; i++)
        if (!c->probes[i].is_answering)
            check_add(r->fix, sizeof(r->fix), " %s", c->probes[i].server);
}

static void emit_servers(struct resolver_check *c)
{
    struct check_result r = {.id = "DNS-1"};
    size_t good = 0, silent = 0;

    check_add(r.title, sizeof(r.title), "resolver");
    list_servers(c, r.subject, sizeof(r.subject));
    check_add(r.what, sizeof(r.what),
              "Each name server was asked by itself for the NS records of the root and of com.");
    for (size_t i = 0; i < c->n; i++) {
        const struct probe *p = &c->probes[i];

        good += p->is_answering;
        silent += p->is_silent;
        check_add(r.seen, sizeof(r.seen), "%s%s: %s (%lld ms)", i ? "\n" : "", p->server, p->text,
                  (long long)p->took_ms);
    }
    if (good == 0)
        describe_none(c, silent, &r);
    else
        describe_some(c, good, &r);
    check_emit(&c->part, &r);
}

static void probe_done(struct probe *p)
{
    struct resolver_check *c = p->check;

    p->is_done = true;
    p->took_ms = check_elapsed_ms(&c->part);
    if (--c->left == 0)
        emit_servers(c);
    is_complete(c);
}

static void on_probe(void *arg, const struct dns_answer *a)
{
    struct probe *p = arg;

    p->is_silent = a->status == DNS_TEMP && a->rcode == 0;
    p->is_answering = a->status != DNS_TEMP && a->status != DNS_BAD;
    snprintf(p->text, sizeof(p->text), "%s", p->is_answering ? "answers" : check_answer_text(a));
    /* A server may know one and not the other: a forwarder with odd rules, a cut-off network. */
    if (!p->is_answering && !p->is_silent && !p->is_second) {
        p->is_second = true;
        dns_ask(p->dns, "com", DNS_TYPE_NS, on_probe, p);
        return;
    }
    probe_done(p);
}

/* DNS-3 */

static void describe_honest(const struct dns_answer *a, struct check_result *r)
{
    char text[48];

    switch (a->status) {
    case DNS_NXDOMAIN:
    case DNS_NODATA:
        r->verdict = CHECK_OK;
        check_add(r->summary, sizeof(r->summary), "names that do not exist are said not to exist");
        check_add(r->meaning, sizeof(r->meaning), "Typing errors in addresses bounce at once.");
        break;
    case DNS_OK:
        r->verdict = CHECK_FAIL;
        check_add(r->summary, sizeof(r->summary), "the resolver invents addresses (%s)",
                  ip_text(&a->records[0].ip, text));
        check_add(r->meaning, sizeof(r->meaning),
                  "Mail to misspelt domains goes to a stranger or waits for days; block list and "
                  "sender checks through this resolver are worthless.");
        check_add(r->fix, sizeof(r->fix),
                  "Use another resolver: run one on this machine (package unbound, without a "
                  "forward-zone) and set: [dns] servers = 127.0.0.1");
        break;
    default:
        r->verdict = CHECK_UNKNOWN;
        check_add(r->summary, sizeof(r->summary), "could not test: %s", check_answer_text(a));
        check_add(r->meaning, sizeof(r->meaning), "Nothing is known about this.");
        check_add(r->fix, sizeof(r->fix), "Make the resolver answer first.");
        break;
    }
}

static void on_honest(void *arg, const struct dns_answer *a)
{
    struct resolver_check *c = arg;
    struct check_result r = {.id = "DNS-3"};

    c->honest = NULL;
    check_add(r.title, sizeof(r.title), "honest answers");
    check_add(r.subject, sizeof(r.subject), "%s",
              a->server[0] ? a->server : dns_servers(check_env_of(c->part.run)->dns));
    check_add(r.what, sizeof(r.what), "The address of %s, a random name that does not exist.",
              c->random_name);
    check_add(r.seen, sizeof(r.seen), "%s A: %s", c->random_name, check_answer_text(a));
    describe_honest(a, &r);
    check_emit(&c->part, &r);
    is_complete(c);
}

/* The part */

static void resolver_deadline(struct check_part *p)
{
    struct resolver_check *c = container_of(p, struct resolver_check, part);
    const struct dns_answer late = {.status = DNS_TEMP, .is_timeout = true};

    for (size_t i = 0; i < c->n; i++)
        if (!c->probes[i].is_done)
            on_probe(&c->probes[i], &late);
    if (c->honest) {
        dns_cancel(c->honest);
        on_honest(c, &late);
    }
    is_complete(c);
}

static void resolver_free(struct check_part *p)
{
    struct resolver_check *c = container_of(p, struct resolver_check, part);

    for (size_t i = 0; i < c->n; i++)
        dns_free(c->probes[i].dns);
    dns_cancel(c->honest);
    free(c);
}

static void add_probe(struct resolver_check *c, struct str server)
{
    struct endpoint e;
    struct err err;
    const char *why;

    if (c->n == SERVERS_MAX || !endpoint_parse(server, 53, &e, &why))
        return;
    struct dns_conf dc = {.servers = &e,
                          .servers_n = 1,
                          .timeout_ms = PROBE_TIMEOUT_MS,
                          .tries = 2,
                          .no_cache = true};
    struct probe *p = &c->probes[c->n];

    p->check = c;
    str_copy(server, p->server, sizeof(p->server));
    if (dns_new(check_env_of(c->part.run)->loop, &dc, &p->dns, &err) == 0)
        c->n++;
}

void resolver_check_start(struct check_run *run)
{
    struct resolver_check *c = xnew(struct resolver_check);
    struct str servers = str_of(dns_servers(check_env_of(run)->dns));
    uint64_t random;

    c->part.deadline = resolver_deadline;
    c->part.free = resolver_free;
    check_part_start(&c->part, run);
    while (servers.n)
        add_probe(c, str_split(&servers, ' '));
    c->left = c->n;
    if (c->n == 0)
        emit_servers(c);
    for (size_t i = 0; i < c->n; i++)
        dns_ask(c->probes[i].dns, "", DNS_TYPE_NS, on_probe, &c->probes[i]);
    rng_bytes(&random, sizeof(random));
    snprintf(c->random_name, sizeof(c->random_name), "mxhelm-%016llx.com",
             (unsigned long long)random);
    c->honest = dns_ask(check_env_of(run)->dns, c->random_name, DNS_TYPE_A, on_honest, c);
}
