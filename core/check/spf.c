/* SPDX-License-Identifier: ISC */
/*
 * SPF-1: is there exactly one SPF record for the sender's domain (RFC 7208 4.5)? Whether it allows
 * our address is not evaluated here, and the result says so.
 */
#include "core/base/alloc.h"
#include "core/check/part.h"

struct spf_check {
    struct check_part part;
    struct dns_query *query; /* NULL = done */
    const char *domain;      /* borrowed: conf */
};

static bool is_spf(const struct dns_record *r)
{
    struct str text = {r->text, r->text_n};

    return str_ieq_z(text, "v=spf1") || str_istarts(text, STR("v=spf1 "));
}

/* The record to publish, in the form of a zone file. */
static void add_record(const struct spf_check *c, char *out, size_t size)
{
    const struct check_env *env = check_env_of(c->part.run);
    bool has_any = false;

    check_add(out, size, "%s. 3600 TXT \"v=spf1", c->domain);
    for (size_t i = 0; i < env->sources_n; i++) {
        char text[48];

        if (check_is_private(&env->sources[i]))
            continue;
        has_any = true;
        check_add(out, size, " ip%d:%s", env->sources[i].family, ip_text(&env->sources[i], text));
    }
    check_add(out, size, has_any ? " ~all\"" : " ip4:OUR-PUBLIC-ADDRESS ~all\"");
}

static void describe_none(const struct spf_check *c, const struct dns_answer *a,
                          struct check_result *r)
{
    r->verdict = a->status == DNS_NXDOMAIN ? CHECK_FAIL : CHECK_WARN;
    if (a->status == DNS_NXDOMAIN) {
        check_add(r->summary, sizeof(r->summary), "the sender's domain %s does not exist",
                  c->domain);
        check_add(r->meaning, sizeof(r->meaning),
                  "Receivers answer \"Sender address rejected: Domain not found\". No mail of this "
                  "sender is accepted anywhere.");
        check_add(r->fix, sizeof(r->fix),
                  "Set [identity] sender to an address in a domain that you own.");
        return;
    }
    check_add(r->summary, sizeof(r->summary), "%s has no SPF record", c->domain);
    check_add(r->meaning, sizeof(r->meaning),
              "Nobody can tell that our address may send for this domain: large providers refuse "
              "such mail or take it for spam.");
    check_add(r->fix, sizeof(r->fix), "Whoever runs the DNS of %s publishes: ", c->domain);
    add_record(c, r->fix, sizeof(r->fix));
}

static void describe_found(const struct spf_check *c, size_t n, struct check_result *r)
{
    if (n == 1) {
        r->verdict = CHECK_OK;
        check_add(r->summary, sizeof(r->summary), "%s has an SPF record", c->domain);
        check_add(r->meaning, sizeof(r->meaning),
                  "Receivers find out by this record who may send for the domain. Make sure that "
                  "our address is in it: that is not tested here.");
        return;
    }
    r->verdict = CHECK_FAIL;
    check_add(r->summary, sizeof(r->summary), "%s has %zu SPF records; there must be one",
              c->domain, n);
    check_add(r->meaning, sizeof(r->meaning),
              "More than one record is an error for every receiver (RFC 7208 4.5): SPF fails, for "
              "all senders of the domain.");
    check_add(r->fix, sizeof(r->fix),
              "Whoever runs the DNS of %s joins them into one record and deletes the others.",
              c->domain);
}

static void on_txt(void *arg, const struct dns_answer *a)
{
    struct spf_check *c = arg;
    struct check_result r = {.id = "SPF-1", .recheck_after_s = a->ttl_s};
    size_t n = 0;

    c->query = NULL;
    check_add(r.title, sizeof(r.title), "SPF record");
    check_add(r.subject, sizeof(r.subject), "%s", c->domain);
    check_add(r.what, sizeof(r.what), "The TXT records of %s, the domain of our sender address.",
              c->domain);
    for (size_t i = 0; i < a->n; i++) {
        if (!is_spf(&a->records[i]))
            continue;
        check_add(r.seen, sizeof(r.seen), n++ ? "\n" : "");
        check_add_remote(r.seen, sizeof(r.seen),
                         (struct str){a->records[i].text, a->records[i].text_n});
    }
    if (n == 0)
        check_add(r.seen, sizeof(r.seen), "%s TXT: %s", c->domain,
                  a->status == DNS_OK ? "records, but none begins with v=spf1"
                                      : check_answer_text(a));
    if (n) {
        describe_found(c, n, &r);
    } else if (a->status == DNS_TEMP || a->status == DNS_BAD) {
        r.verdict = CHECK_UNKNOWN;
        check_add(r.summary, sizeof(r.summary), "could not test: %s", check_answer_text(a));
        check_add(r.meaning, sizeof(r.meaning),
                  "Receivers that get no answer either defer our mail (4xx) until it comes.");
        check_add(r.fix, sizeof(r.fix),
                  "If other names resolve, the name servers of %s are broken: tell whoever runs "
                  "them.",
                  c->domain);
    } else {
        describe_none(c, a, &r);
    }
    check_emit(&c->part, &r);
    check_part_done(&c->part);
}

static void spf_deadline(struct check_part *p)
{
    struct spf_check *c = container_of(p, struct spf_check, part);

    dns_cancel(c->query);
    on_txt(c, &(struct dns_answer){.status = DNS_TEMP, .is_timeout = true});
}

static void spf_free(struct check_part *p)
{
    struct spf_check *c = container_of(p, struct spf_check, part);

    dns_cancel(c->query);
    free(c);
}

void spf_check_start(struct check_run *run)
{
    struct spf_check *c = xnew(struct spf_check);
    const struct check_env *env = check_env_of(run);
    const char *at = strrchr(env->conf->sender, '@');

    c->part.deadline = spf_deadline;
    c->part.free = spf_free;
    check_part_start(&c->part, run);
    if (at && at[1]) {
        c->domain = at + 1;
        c->query = dns_ask(env->dns, c->domain, DNS_TYPE_TXT, on_txt, c);
        return;
    }
    struct check_result r = {.id = "SPF-1", .verdict = CHECK_SKIP};

    check_add(r.title, sizeof(r.title), "SPF record");
    check_add(r.summary, sizeof(r.summary), "no sender address is configured");
    check_add(r.what, sizeof(r.what), "Nothing: the sender's domain is not known.");
    check_add(r.meaning, sizeof(r.meaning), "System mail and bounces need a valid sender address.");
    check_add(r.fix, sizeof(r.fix), "Set [identity] sender = mailer@your-domain.");
    check_emit(&c->part, &r);
    check_part_done(&c->part);
}
