/* SPDX-License-Identifier: ISC */
#include "core/engine/from_policy.h"

#include "core/base/text.h"
#include "core/mail/header.h"

enum msg_class from_policy_class(const struct conf *c, const struct submitter *who)
{
    bool is_system = who->is_system;
    for (size_t i = 0; who->is_local && i < c->system_uids_n; i++)
        is_system |= c->system_uids[i] == who->uid;
    return is_system ? MSG_SYSTEM : MSG_USER;
}

bool from_policy_replaces(const struct conf *c, enum msg_class class)
{
    return class == MSG_SYSTEM || (class == MSG_USER && c->from_policy == FROM_ALWAYS_SENDER);
}

void from_policy_envelope(const struct conf *c, struct message *m)
{
    if (!m->reverse_path[0] || !from_policy_replaces(c, m->class))
        return;
    /* Where no report can arrive, the sender address gets it. */
    const char *at = strrchr(m->reverse_path, '@');
    bool is_usable = at && (c->lab_special_use || !domain_special_use(at + 1));
    str_copy(str_of(is_usable ? m->reverse_path : ""), m->report_to, sizeof m->report_to);
    str_copy(str_of(c->sender), m->reverse_path, sizeof m->reverse_path);
}

static bool allows_domain(const struct conf *c, const struct submitter *who, const char *domain)
{
    const struct from_conf *f = conf_from(c, domain);
    if (!f)
        return true;
    for (size_t i = 0; who->is_local && i < f->uids_n; i++) {
        if (f->uids[i] == who->uid)
            return true;
    }
    for (size_t i = 0; !who->is_local && i < f->nets_n; i++) {
        if (ip_net_has(&f->nets[i], &who->ip))
            return true;
    }
    return false;
}

bool from_policy_allows(const struct conf *c, const struct submitter *who, const char *address)
{
    const char *at = strrchr(address, '@');
    return !at || allows_domain(c, who, at + 1);
}

/* --- the header --- */

struct look {
    const struct conf *conf;
    const struct submitter *who;
    char bad[ADDR_TEXT_MAX]; /* the first address that is not theirs */
    size_t n;
};

static void one_address(void *arg, struct str text)
{
    struct look *l = arg;
    struct addr a;
    const char *why;
    char ascii[ADDR_TEXT_MAX];
    l->n++;
    if (l->bad[0] || str_find(text, '@') == text.n)
        return; /* without a domain it is nobody's */
    if (addr_parse(text, &a, &why)) {
        addr_text_ascii(&a, ascii);
        if (from_policy_allows(l->conf, l->who, ascii))
            return;
    }
    text_printable_copy(text, l->bad, sizeof l->bad);
}

static bool allows_field(struct look *l, struct str name, struct str body, char why[200])
{
    const char *fault;
    if (!header_each_address(body, one_address, l, &fault)) {
        snprintf(why, 200, "the %.*s field cannot be read, so nobody can tell whose address it holds",
                 (int)name.n, name.p);
        return false;
    }
    if (!l->bad[0])
        return true;
    snprintf(why, 200, "you may not send as <%.120s> (%.*s field)", l->bad, (int)name.n, name.p);
    return false;
}

bool from_policy_allows_header(const struct conf *c, const struct submitter *who, struct str header,
                               char why[200])
{
    struct look l = {.conf = c, .who = who};
    struct str rest = header, name, body, whole;
    if (c->froms_n == 0)
        return true;
    while (header_next(&rest, &name, &body, &whole)) {
        bool is_ours = str_ieq_z(name, "From") || str_ieq_z(name, "Sender");
        if (is_ours && !allows_field(&l, name, body, why))
            return false;
    }
    return true;
}
