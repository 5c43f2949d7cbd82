/* SPDX-License-Identifier: ISC */
/*
 * NET-1: does outgoing port 25 lead to mail servers? The first MX of each receiver is connected to,
 * in both families, and must greet with 220; QUIT follows. One dead receiver proves nothing: the
 * verdict comes from how all of them fail. What failed because of DNS was not tested.
 */
#include <errno.h>
#include "core/base/alloc.h"
#include "core/check/part.h"
#include "core/net/conn.h"

#define BANNER_MAX 512

/* How a target ended, the ones that say most about the way first. */
enum ending {
    END_NONE,
    END_GREETED,     /* 220 */
    END_TURNED_AWAY, /* another greeting: the way is open, we are not welcome */
    END_SILENT,      /* connected, no greeting */
    END_TIMEOUT,
    END_REFUSED,
    END_NO_ROUTE,  /* EHOSTUNREACH */
    END_NO_NET,    /* ENETUNREACH */
    END_FORBIDDEN, /* EPERM */
    END_DENIED,    /* EACCES */
    END_NO_SOURCE, /* EADDRNOTAVAIL */
    END_BROKEN,    /* reset, closed before the greeting */
    END_UNTESTED,
    END_COUNT
};

struct receiver;

struct target {
    struct receiver *receiver;
    int family;
    struct ip ip;
    struct dns_query *query; /* own, while looking up */
    struct conn *conn;       /* own */
    int64_t started_ms, took_ms;
    enum ending ending;
    bool is_connected;
    int sys;
    struct buf banner; /* own */
    char text[160];    /* what is to be said about it */
};

struct receiver {
    struct port25_check *check;
    const char *domain;      /* borrowed: env */
    struct dns_query *query; /* own: MX */
    char host[DNS_NAME_MAX + 1];
    struct target targets[2]; /* IPv4, IPv6 */
};

struct port25_check {
    struct check_part part;
    uint16_t port;
    bool has_v6;
    size_t n;
    struct receiver receivers[CHECK_RECEIVERS_MAX];
    bool is_told[2]; /* per family */
};

/* The verdict of a family */

struct tally {
    unsigned count[END_COUNT];
    unsigned tested, all;
};

static struct tally tally(const struct port25_check *c, int family_index)
{
    struct tally t = {0};

    for (size_t i = 0; i < c->n; i++) {
        enum ending e = c->receivers[i].targets[family_index].ending;

        t.count[e]++;
        t.all++;
        t.tested += e != END_UNTESTED;
    }
    return t;
}

/* What all, or most, of the failures have in common, in plain words. */
static const struct {
    const char *summary, *meaning, *fix;
} causes[END_COUNT] = {
    [END_SILENT] =
        {"connected, but nobody greets",
         "A filter on the way accepts connections and says nothing, or the receivers make "
         "strangers wait. RFC 5321 allows five minutes; a healthy way takes a second.",
         "Turn off SMTP inspection or a transparent mail proxy in the firewall, then try "
         "again."},
    [END_TIMEOUT] =
        {"no answer at all",
         "Packets to this port vanish. That is your provider's or firewall's block, not "
         "the receivers': mail stays in the queue with \"Connection timed out\".",
         "Ask your provider, or whoever runs the firewall, to open outgoing TCP port 25 "
         "for this machine (incoming 25 is a different rule). Or send through a relay on "
         "port 587: [delivery] mode = relay NAME."},
    [END_REFUSED] =
        {"connection refused everywhere",
         "Not all receivers are down at once: a firewall on this machine or on your "
         "router answers in their place.",
         "Look for a rule that rejects outgoing port 25 with a reset (nft list ruleset; "
         "CSF: SMTP_BLOCK) and remove it, or send through a relay on port 587."},
    [END_NO_ROUTE] = {"no route to host",
                      "A router or firewall says that there is no way, or that it is not allowed.",
                      "Check the default gateway (ip route), and REJECT rules for outgoing port 25 "
                      "in the firewall (firewalld and ufw reject in this way)."},
    [END_NO_NET] = {"the network is unreachable",
                    "This machine has no route to the Internet in this address family.",
                    "Set a default gateway: ip route add default via GATEWAY."},
    [END_FORBIDDEN] =
        {"operation not permitted", "A policy of this machine forbids the connection.",
         "Look at IPAddressDeny= of the systemd unit, the container's network policy, "
         "and nft list ruleset (chain output)."},
    [END_DENIED] =
        {"permission denied by the operating system",
         "SELinux, AppArmor or a prohibit route of this machine forbids the connection. "
         "No mail server has refused us.",
         "ausearch -m avc -ts recent; ip route show type prohibit. Allow this program to "
         "connect to port 25."},
    [END_NO_SOURCE] =
        {"the source address is not on this machine",
         "The address to send from is not there, or all its ports are in use.",
         "Compare the addresses of this machine (ip address) with the configuration."},
    [END_BROKEN] =
        {"connections break before the greeting",
         "A device on the way cuts SMTP connections, or the receivers drop our address.",
         "Turn off SMTP inspection in the firewall; check the reputation of our address."},
};

static enum ending worst(const struct tally *t)
{
    enum ending best = END_SILENT;

    for (enum ending e = END_SILENT; e < END_UNTESTED; e++)
        if (t->count[e] > t->count[best])
            best = e;
    return best;
}

static void describe_open(const struct tally *t, struct check_result *r)
{
    r->verdict = CHECK_OK;
    check_add(r->summary, sizeof(r->summary), "open: %u of %u receivers greeted us",
              t->count[END_GREETED], t->tested);
    check_add(r->meaning, sizeof(r->meaning), "Mail can be delivered directly.");
    if (t->count[END_GREETED] < t->tested)
        check_add(r->meaning, sizeof(r->meaning),
                  " A receiver that fails while others answer is its own trouble.");
}

static void describe_unwelcome(const struct tally *t, struct check_result *r)
{
    r->verdict = CHECK_WARN;
    check_add(r->summary, sizeof(r->summary), "open, but %u of %u receivers turn us away",
              t->count[END_TURNED_AWAY], t->tested);
    check_add(r->meaning, sizeof(r->meaning),
              "The way is open. The servers refuse our address: reputation, a block list, or a "
              "missing reverse name.");
    check_add(r->fix, sizeof(r->fix), "Read the greeting above, and look at the other checks.");
}

static void describe_closed(const struct tally *t, int family, struct check_result *r)
{
    enum ending e = worst(t);

    r->verdict = CHECK_FAIL;
    check_add(r->summary, sizeof(r->summary), "%s (%u of %u receivers)", causes[e].summary,
              t->count[e], t->tested);
    check_add(r->meaning, sizeof(r->meaning), "%s", causes[e].meaning);
    check_add(r->fix, sizeof(r->fix), "%s", causes[e].fix);
    if (family == 6 && e == END_NO_NET) {
        r->verdict = CHECK_WARN;
        check_add(r->meaning, sizeof(r->meaning), " Harmless as long as IPv4 works.");
    } else if (t->tested == 1 &&
               (e == END_TIMEOUT || e == END_REFUSED || e == END_BROKEN || e == END_SILENT)) {
        r->verdict = CHECK_WARN;
        check_add(r->summary, sizeof(r->summary), ", and one alone proves nothing");
        check_add(r->meaning, sizeof(r->meaning),
                  " If more than this one receiver: it may just be down.");
    }
}

static void describe_untested(struct check_result *r)
{
    r->verdict = CHECK_UNKNOWN;
    check_add(r->summary, sizeof(r->summary),
              "could not test: no receiver could be reached for it");
    check_add(r->meaning, sizeof(r->meaning), "Nothing is known about this.");
    check_add(r->fix, sizeof(r->fix), "Make the resolver answer first, or name other receivers.");
}

static void describe(const struct tally *t, int family, struct check_result *r)
{
    if (t->tested == 0)
        describe_untested(r);
    else if (t->count[END_GREETED])
        describe_open(t, r);
    else if (t->count[END_TURNED_AWAY])
        describe_unwelcome(t, r);
    else
        describe_closed(t, family, r);
}

static void add_target(const struct target *t, struct check_result *r)
{
    char ip[48];

    check_add(r->seen, sizeof(r->seen), "%s%s", r->seen[0] ? "\n" : "", t->receiver->domain);
    if (t->receiver->host[0] && strcmp(t->receiver->host, t->receiver->domain) != 0)
        check_add(r->seen, sizeof(r->seen), " by %s", t->receiver->host);
    if (t->ip.family)
        check_add(r->seen, sizeof(r->seen), "[%s]", ip_text(&t->ip, ip));
    check_add(r->seen, sizeof(r->seen), ": %s", t->text);
    if (t->ending != END_UNTESTED)
        check_add(r->seen, sizeof(r->seen), " (%lld ms)", (long long)t->took_ms);
}

static void emit_family(struct port25_check *c, int k)
{
    struct check_result r = {.id = "NET-1"};
    int family = k ? 6 : 4;
    struct tally t = tally(c, k);

    c->is_told[k] = true;
    check_add(r.title, sizeof(r.title), "port %u (IPv%d)", c->port, family);
    check_add(r.subject, sizeof(r.subject), "outgoing TCP port %u over IPv%d", c->port, family);
    check_add(r.what, sizeof(r.what),
              "A connection to the first mail server of each receiver, up to its greeting.");
    for (size_t i = 0; i < c->n; i++)
        add_target(&c->receivers[i].targets[k], &r);
    describe(&t, family, &r);
    check_emit(&c->part, &r);
}

static void tell_when_complete(struct port25_check *c)
{
    for (int k = 0; k < 2; k++) {
        bool is_complete = !c->is_told[k];

        for (size_t i = 0; i < c->n && is_complete; i++)
            is_complete = c->receivers[i].targets[k].ending != END_NONE;
        if (is_complete)
            emit_family(c, k);
    }
    if (c->is_told[0] && c->is_told[1])
        check_part_done(&c->part);
}

/* One target */

static void target_end(struct target *t, enum ending ending)
{
    struct port25_check *c = t->receiver->check;

    if (t->ending != END_NONE)
        return;
    t->ending = ending;
    t->took_ms = check_elapsed_ms(&c->part) - t->started_ms;
    if (t->conn) {
        if (ending == END_GREETED || ending == END_TURNED_AWAY)
            conn_write(t->conn, STR("QUIT\r\n"));
        conn_close(t->conn, true);
        t->conn = NULL;
    }
    tell_when_complete(c);
}

static void on_connected(void *arg)
{
    struct target *t = arg;

    t->is_connected = true;
}

static void on_data(void *arg, struct str bytes)
{
    struct target *t = arg;

    buf_add_str(&t->banner, str_sub(bytes, 0, BANNER_MAX - t->banner.n));
    struct str all = buf_str(&t->banner);
    size_t end = str_find(all, '\n');

    if (end == all.n && all.n < BANNER_MAX)
        return;
    check_add_remote(t->text, sizeof(t->text), str_trim(str_sub(all, 0, end)));
    target_end(t, str_starts(all, STR("220")) ? END_GREETED : END_TURNED_AWAY);
}

static enum ending ending_of(int sys)
{
    switch (sys) {
    case ETIMEDOUT: return END_TIMEOUT;
    case ECONNREFUSED: return END_REFUSED;
    case EHOSTUNREACH: return END_NO_ROUTE;
    case ENETUNREACH: return END_NO_NET;
    case EPERM: return END_FORBIDDEN;
    case EACCES: return END_DENIED;
    case EADDRNOTAVAIL: return END_NO_SOURCE;
    default: return END_BROKEN;
    }
}

static void on_closed(void *arg, int sys)
{
    struct target *t = arg;

    t->conn = NULL;
    t->sys = sys;
    check_add(t->text, sizeof(t->text), "%s", sys ? strerror(sys) : "closed before the greeting");
    target_end(t, ending_of(sys));
}

static const struct conn_handlers handlers = {
    .connected = on_connected,
    .data = on_data,
    .closed = on_closed,
};

static void untested(struct target *t, const char *why)
{
    check_add(t->text, sizeof(t->text), "%s", why);
    target_end(t, END_UNTESTED);
}

static void on_address(void *arg, const struct dns_answer *a)
{
    struct target *t = arg;
    struct port25_check *c = t->receiver->check;

    t->query = NULL;
    if (a->n == 0) {
        char why[100];

        snprintf(why, sizeof(why), "not tested: its IPv%d address: %s", t->family,
                 check_answer_text(a));
        untested(t, why);
        return;
    }
    t->ip = a->records[0].ip;
    t->started_ms = check_elapsed_ms(&c->part);
    t->conn = conn_connect(check_env_of(c->part.run)->loop, &t->ip, c->port, NULL, &handlers, t);
}

static void look_up(struct receiver *rc)
{
    struct dns *dns = check_env_of(rc->check->part.run)->dns;

    for (int k = 0; k < 2; k++) {
        struct target *t = &rc->targets[k];

        if (t->ending == END_NONE)
            t->query = dns_ask(dns, rc->host, k ? DNS_TYPE_AAAA : DNS_TYPE_A, on_address, t);
    }
}

static void no_targets(struct receiver *rc, const char *why)
{
    untested(&rc->targets[0], why);
    untested(&rc->targets[1], why);
}

static void on_mx(void *arg, const struct dns_answer *a)
{
    struct receiver *rc = arg;
    const struct dns_record *first = NULL;

    rc->query = NULL;
    for (size_t i = 0; i < a->n; i++)
        if (!first || a->records[i].preference < first->preference)
            first = &a->records[i];
    if (first && !first->name[0]) {
        no_targets(rc, "not tested: it takes no mail (null MX)");
    } else if (first || a->status == DNS_NODATA) {
        str_copy(str_of(first ? first->name : rc->domain), rc->host, sizeof(rc->host));
        look_up(rc);
    } else {
        char why[100];

        snprintf(why, sizeof(why), "not tested: its MX: %s", check_answer_text(a));
        no_targets(rc, why);
    }
}

/* The part */

static void target_is_late(struct target *t)
{
    const struct check_part *part = &t->receiver->check->part;
    int64_t waited_ms = check_elapsed_ms(part) - t->started_ms;
    int64_t patience_ms = check_env_of(part->run)->patience_ms;

    if (t->ending != END_NONE)
        return;
    if (t->query) {
        dns_cancel(t->query);
        t->query = NULL;
    }
    if (!t->conn || waited_ms < (patience_ms ? patience_ms : CHECK_PATIENCE_MS)) {
        untested(t, "not tested: the time for this run was over");
        return;
    }
    check_add(t->text, sizeof(t->text),
              t->is_connected ? "connected, but no greeting" : "no answer to the connection");
    target_end(t, t->is_connected ? END_SILENT : END_TIMEOUT);
}

static void port25_deadline(struct check_part *p)
{
    struct port25_check *c = container_of(p, struct port25_check, part);

    for (size_t i = 0; i < c->n; i++) {
        dns_cancel(c->receivers[i].query);
        c->receivers[i].query = NULL;
        target_is_late(&c->receivers[i].targets[0]);
        target_is_late(&c->receivers[i].targets[1]);
    }
}

static void port25_free(struct check_part *p)
{
    struct port25_check *c = container_of(p, struct port25_check, part);

    for (size_t i = 0; i < c->n; i++) {
        struct receiver *rc = &c->receivers[i];

        dns_cancel(rc->query);
        for (int k = 0; k < 2; k++) {
            dns_cancel(rc->targets[k].query);
            if (rc->targets[k].conn)
                conn_close(rc->targets[k].conn, false);
            buf_done(&rc->targets[k].banner);
        }
    }
    free(c);
}

static void emit_skip(struct port25_check *c, int k, const char *why, const char *fix)
{
    struct check_result r = {.id = "NET-1", .verdict = CHECK_SKIP};

    c->is_told[k] = true;
    check_add(r.title, sizeof(r.title), "port %u (IPv%d)", c->port, k ? 6 : 4);
    check_add(r.subject, sizeof(r.subject), "outgoing TCP port %u over IPv%d", c->port, k ? 6 : 4);
    check_add(r.summary, sizeof(r.summary), "%s", why);
    check_add(r.what, sizeof(r.what), "Nothing.");
    check_add(r.meaning, sizeof(r.meaning), "Nothing is known about this.");
    check_add(r.fix, sizeof(r.fix), "%s", fix);
    check_emit(&c->part, &r);
}

static bool has_v6_source(const struct check_env *env)
{
    for (size_t i = 0; i < env->sources_n; i++)
        if (env->sources[i].family == 6)
            return true;
    return false;
}

static void skip_v6(struct port25_check *c)
{
    emit_skip(c, 1, "not used: this machine has no IPv6 address", "");
    for (size_t i = 0; i < c->n; i++)
        c->receivers[i].targets[1].ending = END_UNTESTED;
}

static void receiver_init(struct receiver *rc, struct port25_check *c, const char *domain)
{
    rc->check = c;
    rc->domain = domain;
    for (int k = 0; k < 2; k++) {
        rc->targets[k].receiver = rc;
        rc->targets[k].family = k ? 6 : 4;
    }
}

void port25_check_start(struct check_run *run)
{
    struct port25_check *c = xnew(struct port25_check);
    const struct check_env *env = check_env_of(run);

    c->part.deadline = port25_deadline;
    c->part.free = port25_free;
    c->port = env->conf->port ? env->conf->port : 25;
    check_part_start(&c->part, run);
    if (env->receivers_n == 0) {
        for (int k = 0; k < 2; k++)
            emit_skip(c, k, "not tested: no receivers are named",
                      "Name a few domains to test with.");
        check_part_done(&c->part);
        return;
    }
    for (size_t i = 0; i < env->receivers_n && i < CHECK_RECEIVERS_MAX; i++)
        receiver_init(&c->receivers[c->n++], c, env->receivers[i]);
    if (!has_v6_source(env))
        skip_v6(c);
    for (size_t i = 0; i < c->n; i++)
        c->receivers[i].query =
            dns_ask(env->dns, c->receivers[i].domain, DNS_TYPE_MX, on_mx, &c->receivers[i]);
}
