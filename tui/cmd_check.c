/* SPDX-License-Identifier: ISC */
/* check: core/check on a loop of our own. Needs no engine and no store. */
#include "tui/cli.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/check/check.h"
#include "core/mail/addr.h"
#include "tui/json.h"

#define GROUPS_ASKED 3

struct checking {
    struct cli *c;
    struct loop *loop;
    bool is_json, is_wrong;
};

static void put_lines(struct buf *b, const char *name, const char *text)
{
    struct str rest = str_of(text);
    while (rest.n > 0) {
        struct str line = str_split(&rest, '\n');
        buf_printf(b, "    %-8s ", name);
        cli_put(b, line, SIZE_MAX, false);
        buf_add_c(b, '\n');
        name = "";
    }
}

static void print_result(const struct check_result *r)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    buf_printf(&b, "%-8s%s: %s\n", check_verdict_name(r->verdict), r->title, r->summary);
    if (r->verdict != CHECK_OK) {
        put_lines(&b, "tested", r->what);
        put_lines(&b, "seen", r->seen);
        put_lines(&b, "meaning", r->meaning);
        put_lines(&b, "to do", r->fix);
    }
    cli_flush(&b);
}

/* The word of the command line that asks for it. */
static const char *group_of(const char *id)
{
    static const struct {
        const char *prefix, *name;
    } groups[] = {{"DNS-", "dns"}, {"NET-", "port25"}, {"ID-", "identity"}, {"SPF-", "spf"}};
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (str_starts(str_of(id), str_of(groups[i].prefix)))
            return groups[i].name;
    return id;
}

static json_t *json_of_check(const struct check_result *r)
{
    json_t *o = json_object();
    json_put_text(o, "check", group_of(r->id));
    json_put_text(o, "id", r->id);
    json_put_text(o, "title", r->title);
    json_put_text(o, "result", check_verdict_name(r->verdict));
    json_put_text(o, "subject", r->subject);
    json_put_text(o, "summary", r->summary);
    json_put_text(o, "tested", r->what);
    json_put_text(o, "seen", r->seen);
    json_put_text(o, "meaning", r->meaning);
    json_put_text(o, "fix", r->fix);
    json_put_int(o, "took_ms", r->took_ms);
    json_put_int(o, "recheck_after_ms", (int64_t)r->recheck_after_s * 1000);
    return o;
}

static void tell(void *arg, const struct check_result *r)
{
    struct checking *k = arg;
    if (r->verdict != CHECK_OK && r->verdict != CHECK_SKIP)
        k->is_wrong = true;
    if (k->is_json)
        json_print(json_of_check(r));
    else
        print_result(r);
    fflush(stdout);
}

static void over(void *arg)
{
    struct checking *k = arg;
    loop_stop(k->loop);
}

/* Domains that most mail waits for. A store that cannot be read does not stop a check. */
static size_t waiting_domains(struct cli *c, struct view_group_row *groups,
                              const char *names[GROUPS_ASKED])
{
    struct view_query q = {.now_wall_ms = c->now_wall_ms};
    int n = 0;
    if (view_open(c->conf.store_path, &c->view, NULL) == 0)
        n = view_groups(c->view, &q, VIEW_GROUP_DOMAIN, groups, GROUPS_ASKED, NULL);
    for (int i = 0; i < n; i++)
        names[i] = groups[i].key;
    return n > 0 ? (size_t)n : 0;
}

static int run_checks(struct checking *k, unsigned which, const char *domain, struct err *err)
{
    struct conf *conf = &k->c->conf;
    struct view_group_row *groups = xcalloc(GROUPS_ASKED, sizeof(*groups));
    const char *waiting[GROUPS_ASKED] = {domain};
    struct check_receivers receivers;
    struct ip sources[CHECK_SOURCES_MAX];
    struct dns_conf dc = {.servers = conf->dns, .servers_n = conf->dns_n, .no_cache = true};
    struct dns *dns;

    k->loop = loop_new();
    struct check_env env = {.loop = k->loop, .conf = conf, .sources = sources};
    env.sources_n = check_sources(conf, sources);
    size_t n = domain ? 1 : waiting_domains(k->c, groups, waiting);
    check_receivers_choose(&receivers, conf, waiting, n);
    env.receivers = receivers.names;
    env.receivers_n = receivers.n;
    int rc = dns_new(k->loop, &dc, &dns, err);
    if (rc == 0) {
        env.dns = dns;
        check_start(&env, which, tell, over, k);
        loop_run(k->loop);
        dns_free(dns);
    }
    loop_free(k->loop);
    free(groups);
    return rc;
}

/* What the options say instead of the configuration: 0, or an exit code after saying what is wrong. */
static int override(struct cli *c, const char *ip, const char *from, const char *helo,
                    const char *dns)
{
    const char *why;
    struct addr a;
    if (ip && !ip_parse(str_of(ip), &c->conf.public_ip))
        return cli_usage(c, "--ip: %s is no address", ip);
    if (helo && !domain_to_ascii(str_of(helo), c->conf.hostname, &why))
        return cli_usage(c, "--helo: %s: %s", helo, why);
    if (from && !addr_parse(str_of(from), &a, &why))
        return cli_usage(c, "--from: %s: %s", from, why);
    if (from)
        addr_text_ascii(&a, c->conf.sender);
    if (dns && !endpoint_parse(str_of(dns), 53, &c->conf.dns[0], &why))
        return cli_usage(c, "--dns: %s: %s", dns, why);
    if (dns && !c->conf.dns[0].ip.family)
        return cli_usage(c, "--dns: %s: an address is needed, as 127.0.0.1:53", dns);
    if (dns)
        c->conf.dns_n = 1;
    return 0;
}

int cmd_check(struct cli *c, int argc, char **argv)
{
    struct checking k = {.c = c};
    const char *domain = NULL, *ip = NULL, *from = NULL, *helo = NULL, *dns = NULL, *why;
    const struct opt table[] = {{"--domain", OPT_TEXT, &domain},
                                {"--ip", OPT_TEXT, &ip},
                                {"--from", OPT_TEXT, &from},
                                {"--helo", OPT_TEXT, &helo},
                                {"--dns", OPT_TEXT, &dns},
                                {"--json", OPT_FLAG, &k.is_json},
                                {0}};
    struct opt_rest rest CLEANUP(opt_rest_done) = {0};
    struct err err = ERR_NONE;
    char ascii[ADDR_DOMAIN_MAX + 1];
    unsigned which = 0;

    if (opts_parse(table, argc, argv, &rest, &err) < 0)
        return cli_usage(c, "%s", err.text);
    for (size_t i = 0; i < rest.n; i++) {
        unsigned bits = check_which_parse(rest.args[i]);
        if (!bits)
            return cli_usage(c, "there is no check %s; there are: all dns port25 identity spf",
                             rest.args[i]);
        which |= bits;
    }
    if (domain && !domain_to_ascii(str_of(domain), ascii, &why))
        return cli_usage(c, "--domain: %s: %s", domain, why);
    int code = override(c, ip, from, helo, dns);
    if (code)
        return code;
    if (run_checks(&k, which ? which : CHECK_ALL, domain ? ascii : NULL, &err) < 0)
        return cli_fail(&err);
    return k.is_wrong ? EXIT_WRONG : EXIT_DONE;
}
