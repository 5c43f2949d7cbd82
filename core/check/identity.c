/* SPDX-License-Identifier: ISC */
/*
 * ID-3 to ID-5, one result per source address: it has a reverse name (PTR), the name leads back to
 * the address (FCrDNS, RFC 8601 2.7.3), and it is the name with which we greet. When the PTR is to
 * be changed, the contact of the reverse zone is looked up, because nobody else can do it.
 *
 *   PTR ──► A/AAAA of each name ──► result
 *    └────── none, or none right ──► SOA of the zone above, upwards ──► result
 */
#include "core/base/alloc.h"
#include "core/check/part.h"

#define NAMES_MAX 10 /* RFC 8601 2.7.3 wants a limit */
#define ZONES_MAX 4

struct identity_check;

struct name {
    struct identity_check *check;
    struct dns_query *query; /* own */
    char name[DNS_NAME_MAX + 1];
    bool is_confirmed, is_unknown;
};

struct identity_check {
    struct check_part part;
    struct ip ip;
    const char *helo; /* borrowed: conf */
    char reverse[DNS_NAME_MAX + 1];
    struct dns_query *query; /* own: PTR, then SOA */
    enum dns_status ptr_status;
    char ptr_text[48];
    size_t n, left;
    struct name names[NAMES_MAX];
    const char *zones[ZONES_MAX]; /* into reverse: where an SOA may be, nearest first */
    size_t zones_n, zone;
    char contact[DNS_NAME_MAX + 1]; /* as an address, or "" */
    uint32_t ttl_s;
};

/* The result */

static bool is_helo(const char *name, const char *helo)
{
    return strcasecmp(name, helo) == 0;
}

struct finding {
    size_t confirmed, unknown;
    bool is_helo;     /* a confirmed one is the EHLO name */
    const char *best; /* a confirmed name, or any */
};

static struct finding find(const struct identity_check *c)
{
    struct finding f = {.best = c->n ? c->names[0].name : ""};

    for (size_t i = 0; i < c->n; i++) {
        const struct name *n = &c->names[i];

        f.unknown += n->is_unknown;
        if (!n->is_confirmed)
            continue;
        if (f.confirmed++ == 0)
            f.best = n->name;
        f.is_helo = f.is_helo || is_helo(n->name, c->helo);
    }
    return f;
}

/* "Only the owner of zone Z can set it (contact C); ask for: RECORD". */
static void add_ptr_fix(const struct identity_check *c, struct check_result *r)
{
    if (c->contact[0])
        check_add(r->fix, sizeof(r->fix), "Only the owner of zone %s can set it: %s. Ask for",
                  c->zones[c->zone], c->contact);
    else
        check_add(r->fix, sizeof(r->fix),
                  "Only the owner of the address (your provider) can set it. Ask for");
    check_add(r->fix, sizeof(r->fix), ": %s. PTR %s.", c->reverse, c->helo);
}

static void add_forward_fix(const struct identity_check *c, const char *name,
                            struct check_result *r)
{
    char ip[48];

    check_add(r->fix, sizeof(r->fix), "%s. %s %s", name, c->ip.family == 6 ? "AAAA" : "A",
              ip_text(&c->ip, ip));
}

static void describe_no_ptr(const struct identity_check *c, struct check_result *r)
{
    r->verdict = CHECK_FAIL;
    check_add(r->summary, sizeof(r->summary), "%s has no reverse name (PTR)", r->subject);
    check_add(r->meaning, sizeof(r->meaning),
              "Large providers refuse mail from an address without a reverse name (Gmail: 550 "
              "5.7.25).");
    add_ptr_fix(c, r);
}

static void describe_unconfirmed(const struct identity_check *c, const struct finding *f,
                                 struct check_result *r)
{
    r->verdict = CHECK_FAIL;
    check_add(r->summary, sizeof(r->summary), "%s does not lead back to %s", f->best, r->subject);
    check_add(r->meaning, sizeof(r->meaning),
              "Receivers ask for the name and then for the address of the name; without a matching "
              "pair they defer or refuse (4.7.25, 5.7.25).");
    check_add(r->fix, sizeof(r->fix), "Whoever runs the DNS of %s publishes: ", f->best);
    add_forward_fix(c, f->best, r);
    if (!is_helo(f->best, c->helo)) {
        check_add(r->fix, sizeof(r->fix), "\nOr change the reverse name. ");
        add_ptr_fix(c, r);
    }
}

static void describe_other_name(const struct identity_check *c, const struct finding *f,
                                struct check_result *r)
{
    r->verdict = CHECK_WARN;
    check_add(r->summary, sizeof(r->summary), "%s is %s, but we greet as %s", r->subject, f->best,
              c->helo);
    check_add(r->meaning, sizeof(r->meaning),
              "The pair is right; some receivers want the greeting to be the same name and score "
              "mail down when it is not.");
    check_add(r->fix, sizeof(r->fix),
              "Greet by that name (we can do that now): [identity] hostname = %s\n"
              "Or change the reverse name. ",
              f->best);
    add_ptr_fix(c, r);
}

static void describe_good(const struct identity_check *c, struct check_result *r)
{
    r->verdict = CHECK_OK;
    check_add(r->summary, sizeof(r->summary), "%s is %s, and back", r->subject, c->helo);
    check_add(r->meaning, sizeof(r->meaning),
              "Address, reverse name and greeting agree, as receivers want it.");
    if (c->n < 2)
        return;
    r->verdict = CHECK_WARN;
    check_add(r->summary, sizeof(r->summary), "; there are %zu reverse names", c->n);
    check_add(r->meaning, sizeof(r->meaning),
              " Some receivers look at the first reverse name only, and their order is random.");
    check_add(r->fix, sizeof(r->fix), "Keep one. ");
    add_ptr_fix(c, r);
}

static void describe_unknown(const char *why, struct check_result *r)
{
    r->verdict = CHECK_UNKNOWN;
    check_add(r->summary, sizeof(r->summary), "could not test: %s", why);
    check_add(r->meaning, sizeof(r->meaning),
              "No answer is not the same as no name: nothing is known about this.");
    check_add(r->fix, sizeof(r->fix),
              "Run it again. If other names resolve, the name servers of the zone are broken.");
}

static void describe(const struct identity_check *c, struct check_result *r)
{
    struct finding f = find(c);

    if (c->ptr_status == DNS_TEMP || c->ptr_status == DNS_BAD)
        describe_unknown(c->ptr_text, r);
    else if (c->n == 0)
        describe_no_ptr(c, r);
    else if (f.confirmed && f.is_helo)
        describe_good(c, r);
    else if (f.unknown)
        describe_unknown("the address of the reverse name got no answer", r);
    else if (f.confirmed)
        describe_other_name(c, &f, r);
    else
        describe_unconfirmed(c, &f, r);
}

static void result_init(const struct identity_check *c, struct check_result *r)
{
    char ip[48];

    memset(r, 0, sizeof(*r));
    r->id = "ID-3";
    r->recheck_after_s = c->ttl_s;
    check_add(r->title, sizeof(r->title), "reverse DNS");
    check_add(r->subject, sizeof(r->subject), "%s", ip_text(&c->ip, ip));
    check_add(r->what, sizeof(r->what),
              "The PTR of %s, the addresses of the name, and our EHLO name %s.", c->reverse,
              c->helo);
}

static void finish(struct identity_check *c)
{
    struct check_result r;

    if (c->part.is_done)
        return;
    result_init(c, &r);
    check_add(r.seen, sizeof(r.seen), "%s PTR: %s", c->reverse, c->n ? "" : c->ptr_text);
    for (size_t i = 0; i < c->n; i++)
        check_add(r.seen, sizeof(r.seen), "%s%s", i ? ", " : "", c->names[i].name);
    for (size_t i = 0; i < c->n; i++)
        check_add(r.seen, sizeof(r.seen), "\n%s %s: %s", c->names[i].name,
                  c->ip.family == 6 ? "AAAA" : "A",
                  c->names[i].is_confirmed ? "leads back"
                  : c->names[i].is_unknown ? "no answer"
                                           : "does not lead back");
    describe(c, &r);
    check_emit(&c->part, &r);
    check_part_done(&c->part);
}

/* Who can change it: the SOA's RNAME is a mailbox, its first dot an @ (RFC 1035 8). */

static void ask_contact(struct identity_check *c);

static void on_soa(void *arg, const struct dns_answer *a)
{
    struct identity_check *c = arg;

    c->query = NULL;
    if (a->n == 0) {
        c->zone++;
        ask_contact(c);
        return;
    }
    str_copy((struct str){a->records[0].text, a->records[0].text_n}, c->contact,
             sizeof(c->contact));
    char *dot = strchr(c->contact, '.');

    if (dot)
        *dot = '@';
    finish(c);
}

static void ask_contact(struct identity_check *c)
{
    if (c->zone == c->zones_n) {
        finish(c);
        return;
    }
    c->query = dns_ask(check_env_of(c->part.run)->dns, c->zones[c->zone], DNS_TYPE_SOA, on_soa, c);
}

static void names_are_known(struct identity_check *c)
{
    struct finding f = find(c);

    /* Only what is wrong needs somebody to mend it. */
    if (c->n == 1 && f.is_helo)
        finish(c);
    else
        ask_contact(c);
}

/* PTR, and back */

static void on_forward(void *arg, const struct dns_answer *a)
{
    struct name *n = arg;
    struct identity_check *c = n->check;

    n->query = NULL;
    n->is_unknown = a->status == DNS_TEMP || a->status == DNS_BAD;
    for (size_t i = 0; i < a->n; i++)
        if (ip_eq(&a->records[i].ip, &c->ip))
            n->is_confirmed = true;
    if (--c->left == 0)
        names_are_known(c);
}

static void on_ptr(void *arg, const struct dns_answer *a)
{
    struct identity_check *c = arg;
    unsigned type = c->ip.family == 6 ? DNS_TYPE_AAAA : DNS_TYPE_A;

    c->query = NULL;
    c->ptr_status = a->status;
    c->ttl_s = a->ttl_s;
    str_copy(str_of(check_answer_text(a)), c->ptr_text, sizeof(c->ptr_text));
    for (size_t i = 0; i < a->n && c->n < NAMES_MAX; i++) {
        struct name *n = &c->names[c->n++];

        n->check = c;
        str_copy(str_of(a->records[i].name), n->name, sizeof(n->name));
    }
    c->left = c->n;
    for (size_t i = 0; i < c->n; i++)
        c->names[i].query = dns_ask(check_env_of(c->part.run)->dns, c->names[i].name, type,
                                    on_forward, &c->names[i]);
    if (a->status == DNS_TEMP || a->status == DNS_BAD)
        finish(c);
    else if (c->n == 0)
        ask_contact(c);
}

/* The part */

static void stop_queries(struct identity_check *c)
{
    dns_cancel(c->query);
    c->query = NULL;
    for (size_t i = 0; i < c->n; i++) {
        dns_cancel(c->names[i].query);
        c->names[i].query = NULL;
    }
}

static void identity_deadline(struct check_part *p)
{
    struct identity_check *c = container_of(p, struct identity_check, part);

    for (size_t i = 0; i < c->n; i++)
        c->names[i].is_unknown = c->names[i].is_unknown || c->names[i].query;
    stop_queries(c);
    finish(c);
}

static void identity_free(struct check_part *p)
{
    struct identity_check *c = container_of(p, struct identity_check, part);

    stop_queries(c);
    free(c);
}

/* Zones end at octets in IPv4; in IPv6 providers hold /64, /56, /48 and /32. */
static void find_zones(struct identity_check *c)
{
    static const unsigned labels4[ZONES_MAX] = {1, 2, 3}, labels6[ZONES_MAX] = {16, 18, 20, 24};
    const unsigned *labels = c->ip.family == 6 ? labels6 : labels4;
    const char *p = c->reverse;
    unsigned done = 0;

    for (size_t i = 0; i < ZONES_MAX && labels[i]; i++) {
        for (; done < labels[i]; done++)
            p = strchr(p, '.') + 1;
        c->zones[c->zones_n++] = p;
    }
}

static void emit_private(struct identity_check *c)
{
    struct check_result r;

    result_init(c, &r);
    r.verdict = CHECK_UNKNOWN;
    check_add(r.summary, sizeof(r.summary), "could not test: %s is private, the world sees another",
              r.subject);
    check_add(r.seen, sizeof(r.seen), "Mail leaves this machine from %s, behind a NAT.", r.subject);
    check_add(r.meaning, sizeof(r.meaning),
              "Receivers see the public address of your router; that one needs the reverse name.");
    check_add(r.fix, sizeof(r.fix), "Say which it is: [identity] public-ip = ADDRESS");
    check_emit(&c->part, &r);
    check_part_done(&c->part);
}

static void start_one(struct check_run *run, const struct ip *ip)
{
    struct identity_check *c = xnew(struct identity_check);
    const struct check_env *env = check_env_of(run);
    bool is_configured = ip_eq(ip, &env->conf->public_ip);

    c->part.deadline = identity_deadline;
    c->part.free = identity_free;
    c->ip = *ip;
    c->helo = env->conf->hostname;
    c->ptr_status = DNS_TEMP;
    str_copy(STR("no answer in time"), c->ptr_text, sizeof(c->ptr_text));
    ip_reverse_name(ip, c->reverse);
    find_zones(c);
    check_part_start(&c->part, run);
    /* In a lab, and when it was said so, private addresses are the world. */
    if (check_is_private(ip) && !is_configured && !env->conf->lab_special_use)
        emit_private(c);
    else
        c->query = dns_ask(env->dns, c->reverse, DNS_TYPE_PTR, on_ptr, c);
}

static void start_none(struct check_run *run)
{
    struct identity_check *c = xnew(struct identity_check);
    struct check_result r = {.id = "ID-3", .verdict = CHECK_UNKNOWN};

    c->part.deadline = identity_deadline;
    c->part.free = identity_free;
    check_part_start(&c->part, run);
    check_add(r.title, sizeof(r.title), "reverse DNS");
    check_add(r.summary, sizeof(r.summary), "could not test: this machine has no way out");
    check_add(r.what, sizeof(r.what), "Which local address leads to the Internet.");
    check_add(r.seen, sizeof(r.seen), "None, in IPv4 or IPv6: there is no default route.");
    check_add(r.meaning, sizeof(r.meaning), "No mail can leave.");
    check_add(r.fix, sizeof(r.fix),
              "Set a default gateway (ip route), or [identity] public-ip = ADDRESS.");
    check_emit(&c->part, &r);
    check_part_done(&c->part);
}

void identity_check_start(struct check_run *run)
{
    const struct check_env *env = check_env_of(run);

    for (size_t i = 0; i < env->sources_n && i < CHECK_SOURCES_MAX; i++)
        start_one(run, &env->sources[i]);
    if (env->sources_n == 0)
        start_none(run);
}
