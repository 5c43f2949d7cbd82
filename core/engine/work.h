/* SPDX-License-Identifier: ISC */
/*
 * What is in memory of the mail that is due: the bounded window over the store.
 *
 *   parcel     one message: envelope, and its body while that is cheap to keep
 *   task       one due recipient
 *   delivery   the due recipients of one parcel in one domain: they share a transaction
 *
 * A transaction never mixes recipient domains (Gmail: 451 4.3.0), so the domain is the unit.
 */
#ifndef ENGINE_WORK_H
#define ENGINE_WORK_H

#include "core/base/buf.h"
#include "core/base/list.h"
#include "core/mail/msg.h"
#include "core/mail/outcome.h"
#include "core/mail/transcript.h"
#include "core/smtp/client.h"

/* Recipients in one transaction: RFC 5321 4.5.3.1.8 promises that 100 are taken. */
#define DELIVERY_RCPTS_MAX 100

struct domain;
struct mime;
struct outbound;

/* Whose mail it is, as far as turns go: the reverse-path without its "+detail". */
struct sender {
    int64_t id;       /* never used again */
    unsigned parcels; /* in the window: pinned while > 0 */
    char *key;        /* own */
};

struct parcel {
    int64_t message_id;
    int64_t arrival_wall_ms;
    uint64_t size_bytes;
    enum msg_class class;
    unsigned flags;
    enum dsn_ret ret;
    char *reverse_path; /* own */
    struct sender *sender; /* borrowed: pinned by sender.parcels */
    char *envid;        /* own */
    struct buf body;    /* whole content when has_body */
    bool has_body;
    unsigned refs; /* deliveries that hold it */
};

struct delivery;

struct task {
    struct list link; /* in delivery.tasks */
    struct delivery *delivery; /* borrowed: the one it is in */
    int64_t rcpt_id;
    unsigned tries;   /* before this one */
    unsigned notify;
    bool is_notified; /* a delay notice went out before */
    unsigned epoch;   /* of our claim: written by the store thread, read there */
    bool is_postponed; /* the server takes no more in this transaction: not sent with it */
    char *address;    /* own */
    char *orcpt;      /* own */
    struct outcome *outcome; /* own: its own end, when it differs from its delivery's; else NULL */
};

struct delivery {
    struct list link; /* in domain.waiting, a lane of site.ready or domain.gated, or none while aboard
                         an outbound */
    bool is_gated;    /* of the two lanes: the domain's */
    struct parcel *parcel; /* a reference */
    struct domain *domain; /* borrowed: pinned by domain.deliveries */
    char *via; /* own: of all its recipients, the reroute (mail/way.h); "" = none */
    struct list tasks;
    unsigned n;
    int64_t ready_mono_ms;  /* into the window */
    int64_t begin_mono_ms, begin_wall_ms; /* attempt began */
    int64_t setup_mono_ms;  /* the connection was ready for it */
    bool is_claimed;
    bool needs_own_connection; /* the host of one that others use lacks what it needs: the rest of
                                  the hosts are asked by a fresh one */
    unsigned marks;            /* asked for so far: only the newest one's answer counts */
    struct outbound *outbound; /* borrowed: aboard, and at its end of data; else NULL */
    unsigned next_chunk;       /* of the content, when it comes from the store */
    uint64_t sent_bytes;
    struct mime *mime; /* own: makes the content fit for the host; NULL = not, or not begun */
    struct smtp_txn txn;    /* while it is being carried; txn.rcpts is own */
    struct smtp_rcpt *rcpts;
    struct transcript log; /* own: what this try has done so far */
    bool has_setup;        /* and how the connection was made */
    struct buf told;       /* own: the whole of it, for the store; empty = it need not be kept */
};

void task_free(struct task *t);
/* With its tasks; the parcel is the caller's affair. */
void delivery_free(struct delivery *d);

#endif
