/* SPDX-License-Identifier: ISC */
/*
 * One connection to one host of a site, and the deliveries that it carries one after the other.
 *
 *   RESOLVE ──addresses──► CONNECT ──up──► TALK ◄──► IDLE ──► QUIT ──► gone
 *      ▲ next host            │ next address  │
 *      └──────────────────────┴───────────────┘ site failure with mail still unsettled
 *
 * In RESOLVE and CONNECT exactly one delivery (first) is aboard; in TALK one or two (the second is
 * pipelined behind the first one's end of data); in IDLE and QUIT none. When every host failed, the
 * delivery is recorded with the last host's answer, and the site hears of it.
 */
#ifndef ENGINE_OUTBOUND_H
#define ENGINE_OUTBOUND_H

#include "core/engine/schedule.h"
#include "core/smtp/client.h"

enum outbound_phase { OUTBOUND_RESOLVE, OUTBOUND_CONNECT, OUTBOUND_TALK, OUTBOUND_IDLE, OUTBOUND_QUIT };

struct outbound {
    struct list link;      /* in schedule.outbounds */
    struct list idle_link; /* in site.idle while IDLE */
    struct site *site;     /* borrowed: pinned by site.outbounds */
    enum outbound_phase phase;
    enum tls_level tls;
    const struct conf *conf;      /* borrowed: as it was when this was opened; a reload may be later */
    const struct relay_conf *via; /* borrowed: of it, or of schedule.hosts; NULL = direct */
    char *secret;                 /* own: the password or token of the login, or NULL */
    enum tls_step step; /* how TLS is tried with the host in use */
    bool is_step_new;   /* taken in this try: remembered when it works */
    struct route route;
    struct targets targets;
    size_t host, target; /* the ones in use */
    unsigned sessions;   /* that got as far as a greeting */
    struct io_query *query_a, *query_aaaa;
    struct dns_answer *a, *aaaa; /* own; NULL until answered */
    struct io_conn *conn;
    struct smtp_client *client;
    char ip[48];
    struct delivery *first, *second;
    struct transcript setup; /* own: how the connection was made, for what it carries later */
    bool has_setup;
    struct body_read *reading; /* borrowed: a piece of the first one's content on its way, or NULL */
    struct outcome failure;    /* why the transaction aboard did not end: the host's fault */
    bool has_failure;
    bool is_lacking;  /* of it: the host does not offer what the mail needs, its addresses neither */
    bool is_refused;  /* the relay does not let us in: its other hosts would not either */
    bool is_aborting; /* what is aboard goes back to the queue, not to the next host */
    struct outcome last; /* the last host's failure */
    bool has_last;
    bool is_mixed; /* not all hosts have said that there is no mail service */
    int64_t connect_mono_ms;
    int64_t talk_mono_ms; /* since when it has been up */
    struct io_timer *timer;
};

/* Takes the delivery. */
void outbound_open(struct site *site, struct delivery *d);
/* Give an idle one its next delivery. Takes the delivery. */
void outbound_carry(struct outbound *o, struct delivery *d);
/* No more work: QUIT when idle. */
void outbound_retire(struct outbound *o);
/* Drop everything under way with a local outcome (store sick, grace over). */
void outbound_abort(struct outbound *o, const char *why);
/* Hang up on a host that talks, as if the connection were lost: nothing is waited for any more. */
void outbound_cut(struct outbound *o);
/* Memory only, as a crash would leave it: for engine_free. */
void outbound_drop(struct outbound *o);
const char *outbound_phase_name(enum outbound_phase p);

#endif
