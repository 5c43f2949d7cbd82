/* SPDX-License-Identifier: ISC */
/* What classes, owners and permanences are called. */
#include "core/mail/explain.h"

static const char *const class_names[] = {
    [EXPLAIN_UNKNOWN] = "UNKNOWN",
    [EXPLAIN_OK] = "OK",
    [EXPLAIN_NET_TIMEOUT] = "NET.TIMEOUT",
    [EXPLAIN_NET_REFUSED] = "NET.REFUSED",
    [EXPLAIN_NET_NOROUTE] = "NET.NOROUTE",
    [EXPLAIN_NET_UNREACH] = "NET.UNREACH",
    [EXPLAIN_NET_DENIED] = "NET.DENIED",
    [EXPLAIN_NET_SRCADDR] = "NET.SRCADDR",
    [EXPLAIN_NET_LOST] = "NET.LOST",
    [EXPLAIN_NET_MIDDLEBOX] = "NET.MIDDLEBOX",
    [EXPLAIN_DNS_NXDOMAIN] = "DNS.NXDOMAIN",
    [EXPLAIN_DNS_TEMP] = "DNS.TEMP",
    [EXPLAIN_DNS_NOMX] = "DNS.NOMX",
    [EXPLAIN_DNS_NULLMX] = "DNS.NULLMX",
    [EXPLAIN_DNS_BADMX] = "DNS.BADMX",
    [EXPLAIN_TLS_WE_REQUIRE] = "TLS.WE_REQUIRE",
    [EXPLAIN_TLS_THEY_REQUIRE] = "TLS.THEY_REQUIRE",
    [EXPLAIN_TLS_HANDSHAKE] = "TLS.HANDSHAKE",
    [EXPLAIN_TLS_POLICY] = "TLS.POLICY",
    [EXPLAIN_SASL_TLSOFF] = "SASL.TLSOFF",
    [EXPLAIN_SASL_MECH] = "SASL.MECH",
    [EXPLAIN_SASL_CRED] = "SASL.CRED",
    [EXPLAIN_ID_PTR] = "ID.PTR",
    [EXPLAIN_ID_HELO] = "ID.HELO",
    [EXPLAIN_ID_SENDERDOMAIN] = "ID.SENDERDOMAIN",
    [EXPLAIN_ID_SENDER] = "ID.SENDER",
    [EXPLAIN_AUTH_SPF] = "AUTH.SPF",
    [EXPLAIN_AUTH_DKIM] = "AUTH.DKIM",
    [EXPLAIN_AUTH_DMARC] = "AUTH.DMARC",
    [EXPLAIN_AUTH_NONE] = "AUTH.NONE",
    [EXPLAIN_REP_DNSBL] = "REP.DNSBL",
    [EXPLAIN_REP_PROVIDER] = "REP.PROVIDER",
    [EXPLAIN_REP_NEWIP] = "REP.NEWIP",
    [EXPLAIN_REP_DYNAMIC] = "REP.DYNAMIC",
    [EXPLAIN_SPAM_CONTENT] = "SPAM.CONTENT",
    [EXPLAIN_RATE_US] = "RATE.US",
    [EXPLAIN_RATE_RCPT] = "RATE.RCPT",
    [EXPLAIN_RATE_GREY] = "RATE.GREY",
    [EXPLAIN_RATE_CONN] = "RATE.CONN",
    [EXPLAIN_RCPT_UNKNOWN] = "RCPT.UNKNOWN",
    [EXPLAIN_RCPT_DISABLED] = "RCPT.DISABLED",
    [EXPLAIN_RCPT_FULL] = "RCPT.FULL",
    [EXPLAIN_RCPT_CLOSED] = "RCPT.CLOSED",
    [EXPLAIN_RELAY_DENIED] = "RELAY.DENIED",
    [EXPLAIN_MSG_SIZE] = "MSG.SIZE",
    [EXPLAIN_MSG_FORMAT] = "MSG.FORMAT",
    [EXPLAIN_MSG_BLOCKED] = "MSG.BLOCKED",
    [EXPLAIN_SRV_TEMP] = "SRV.TEMP",
    [EXPLAIN_SRV_CONF] = "SRV.CONF",
    [EXPLAIN_SRV_PROTO] = "SRV.PROTO",
    [EXPLAIN_SRV_LOOP] = "SRV.LOOP",
    [EXPLAIN_EXPIRED] = "EXPIRED",
    [EXPLAIN_POLICY] = "POLICY",
};
_Static_assert(ARRAY_LEN(class_names) == EXPLAIN_CLASS_COUNT, "a name per class");

static const struct {
    const char *name, *words;
} owners[] = {
    [EXPLAIN_OWNER_UNKNOWN] = {"?", "not known"},
    [EXPLAIN_US_NET] = {"US-NET", "us: our network, firewall or provider"},
    [EXPLAIN_US_DNS] = {"US-DNS", "us: our records in the DNS"},
    [EXPLAIN_US_CONF] = {"US-CONF", "us: our configuration, or that of our relay"},
    [EXPLAIN_US_REP] = {"US-REP", "us: the reputation of our address or domain"},
    [EXPLAIN_US_MSG] = {"US-MSG", "us: who or what wrote this message"},
    [EXPLAIN_RCPT] = {"RCPT", "the recipient, or who wrote the address"},
    [EXPLAIN_REMOTE] = {"REMOTE", "the people of the receiving server or domain"},
    [EXPLAIN_WAIT] = {"WAIT", "nobody: the next try does it"},
};
_Static_assert(ARRAY_LEN(owners) == EXPLAIN_OWNER_COUNT, "a name per owner");

const char *explain_class_name(enum explain_class c)
{
    return (unsigned)c < EXPLAIN_CLASS_COUNT ? class_names[c] : "?";
}

enum explain_class explain_class_by_name(struct str name)
{
    int c = 0;
    while (c < EXPLAIN_CLASS_COUNT && !str_eq_z(name, class_names[c]))
        c++;
    return (enum explain_class)c;
}

const char *explain_owner_name(enum explain_owner o)
{
    return (unsigned)o < EXPLAIN_OWNER_COUNT ? owners[o].name : "?";
}

const char *explain_owner_words(enum explain_owner o)
{
    return (unsigned)o < EXPLAIN_OWNER_COUNT ? owners[o].words : "?";
}

enum explain_owner explain_owner_by_name(struct str name)
{
    int o = 0;
    while (o < EXPLAIN_OWNER_COUNT && !str_eq_z(name, owners[o].name))
        o++;
    return (enum explain_owner)o;
}

const char *explain_permanence_name(enum explain_permanence p)
{
    static const char *const names[] = {[EXPLAIN_TEMP] = "temp",
                                        [EXPLAIN_PERM] = "perm",
                                        [EXPLAIN_FIXABLE] = "perm-but-fixable",
                                        [EXPLAIN_TRULY_TEMP] = "temporary-in-truth",
                                        [EXPLAIN_ACCEPTED] = "accepted"};
    _Static_assert(ARRAY_LEN(names) == EXPLAIN_PERMANENCE_COUNT, "a name per permanence");
    return (unsigned)p < EXPLAIN_PERMANENCE_COUNT ? names[p] : "?";
}

const char *explain_permanence_words(enum explain_permanence p)
{
    static const char *const words[] = {
        [EXPLAIN_TEMP] = "temporary",
        [EXPLAIN_PERM] = "for good",
        [EXPLAIN_FIXABLE] = "refused for good, and goes after the repair",
        [EXPLAIN_TRULY_TEMP] = "refused for good, but time cures it",
        [EXPLAIN_ACCEPTED] = "accepted"};
    _Static_assert(ARRAY_LEN(words) == EXPLAIN_PERMANENCE_COUNT, "words per permanence");
    return (unsigned)p < EXPLAIN_PERMANENCE_COUNT ? words[p] : "?";
}

const char *explain_scope_words(enum scope s)
{
    static const char *const words[] = {[SCOPE_RECIPIENT] = "this recipient",
                                        [SCOPE_MESSAGE] = "this message",
                                        [SCOPE_DOMAIN] = "everything to this domain",
                                        [SCOPE_HOST] = "this one server",
                                        [SCOPE_SITE] = "all servers of this destination",
                                        [SCOPE_SOURCE] = "everything from our address",
                                        [SCOPE_EVERYTHING] = "everything"};
    _Static_assert(ARRAY_LEN(words) == SCOPE_COUNT, "words per scope");
    return (unsigned)s < SCOPE_COUNT ? words[s] : "?";
}
