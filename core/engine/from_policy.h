/* SPDX-License-Identifier: ISC */
/*
 * Who a message says it is from: its class, whether the sender address stands in for the user's
 * (identity.from-policy, class system), and who may use which domain ([from] sections). Values in,
 * values out; the intake asks.
 */
#ifndef ENGINE_FROM_POLICY_H
#define ENGINE_FROM_POLICY_H

#include "core/mail/conf.h"
#include "core/mail/msg.h"

/* Who hands the mail over. */
struct submitter {
    bool is_local; /* over the Unix socket: uid; else ip */
    bool is_system; /* came to an address of listen.system */
    uint32_t uid;
    struct ip ip;
};

/* By the listener or the uid, never by what the client says. */
enum msg_class from_policy_class(const struct conf *c, const struct submitter *who);
/* The sender address stands in for what the user gave as From and as reverse-path. */
bool from_policy_replaces(const struct conf *c, enum msg_class class);
/* m has class and the given reverse_path: put in what is sent, and keep the given one in report_to,
 * so that reports still reach the user. A null reverse-path stays null. */
void from_policy_envelope(const struct conf *c, struct message *m);
/* May they use an address as reverse-path? The null one is everybody's. */
bool from_policy_allows(const struct conf *c, const struct submitter *who, const char *address);
/* The same for every address of From and Sender in a header. False and *why, one sentence. */
bool from_policy_allows_header(const struct conf *c, const struct submitter *who, struct str header,
                               char why[200]);

#endif
