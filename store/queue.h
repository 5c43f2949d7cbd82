/* SPDX-License-Identifier: ISC */
/*
 * The verbs on the queue. Each is called inside a transaction of the writer, and is all or nothing
 * there: a verb that fails with E_STATE or E_NOTFOUND has changed nothing, so that it can share a
 * commit with others; after E_IO, E_FULL, E_CORRUPT the whole transaction must be rolled back.
 *
 * All statements bind; all that is read back is checked for length.
 */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "core/mail/dsn.h"
#include "core/mail/filter.h"
#include "core/mail/logline.h"
#include "core/mail/msg.h"
#include "core/mail/outcome.h"
#include "store/store.h"

#define QUEUE_CHUNK_BYTES (256u * 1024)
#define QUEUE_TEXT_MAX    500 /* what an operator says to a sender, with its end */

/* One piece of a body, at most QUEUE_CHUNK_BYTES; may come in earlier commits than its message
 * (then it is an orphan until queue_accept, and swept at start). */
int queue_put_chunk(struct store *s, int64_t message_id, unsigned seq, struct str bytes,
                    struct err *err);
/* The message and its recipients (state QUEUED, next_wall_ms as given). */
int queue_accept(struct store *s, const struct message *m, const struct recipient *r, size_t n,
                 struct err *err);
/* An upload that was broken off: its chunks go. */
int queue_drop_chunks(struct store *s, int64_t message_id, struct err *err);

/* A due recipient with what the engine needs of its message. */
struct queue_due {
    struct recipient rcpt;
    int64_t arrival_wall_ms;
    uint64_t size_bytes;
    enum msg_class class;
    unsigned flags;
    enum dsn_ret ret;
    bool is_notified; /* a delay notice went out */
    char reverse_path[ADDR_TEXT_MAX];
    char envid[MSG_ENVID_MAX + 1];
    char site[ADDR_DOMAIN_MAX + 1]; /* from the last try, or "" */
};

/*
 * Recipients that may be tried (QUEUED, UNCONFIRMED) with next_wall_ms <= now, in order of
 * (next_wall_ms, id), starting behind the pair (*after_next, *after_id) (0, 0 at first; moved on).
 * Calls each; returns how many (0..limit) or an error. The row is borrowed for the call.
 */
int queue_due(struct store *s, int64_t now_wall_ms, int64_t *after_next, int64_t *after_id,
              unsigned limit, void (*each)(void *arg, const struct queue_due *row), void *arg,
              struct err *err);
/* The next time after *wall_ms at which something becomes due, or INT64_MAX. */
int queue_next_due(struct store *s, int64_t *wall_ms, struct err *err);

/* QUEUED or UNCONFIRMED to ACTIVE; *epoch is the claim's number. E_STATE when somebody else changed
 * it (held, deleted, ...). site is remembered. */
int queue_claim(struct store *s, int64_t rcpt_id, const char *site, unsigned *epoch,
                struct err *err);
/* The end of data is about to be sent (promise 3). E_STATE when the claim is not ours any more. */
int queue_mark(struct store *s, int64_t rcpt_id, unsigned epoch, int64_t wall_ms, struct err *err);
/* Back to QUEUED without an attempt (draining, the site turned out to be busy). */
int queue_unclaim(struct store *s, int64_t rcpt_id, unsigned epoch, int64_t next_wall_ms,
                  struct err *err);

/* The outcome of an attempt: attempt row, recipient, counters and log line are one transaction. */
struct queue_settle {
    int64_t attempt_id; /* new, time-ordered; also the id of the log line */
    int64_t rcpt_id, message_id;
    unsigned epoch;
    enum rcpt_state state; /* where it goes */
    int64_t next_wall_ms;  /* with QUEUED, UNCONFIRMED, HELD */
    int64_t start_wall_ms, duration_ms;
    const struct delays *delays;
    const struct outcome *outcome;
    const char *site;
    struct str log_line;   /* without date; borrowed */
    struct str transcript; /* what this try did (mail/transcript.h), or empty; borrowed */
    const char *note;      /* with HELD: why, and what to do */
    int64_t told;          /* the attempt that has it, when it is not this one; 0 = none */
    /* What the sender is to be told; DSN_ACT_NONE = nothing. It stays owed until queue_report_done.
     * DSN_ACT_DELAYED is left out when that was told before. */
    enum dsn_action report;
};
/* E_STATE when the claim is not ours any more. *is_message_done: no recipient is left that is not
 * final; the body was deleted and "removed" logged. */
int queue_settle(struct store *s, const struct queue_settle *q, bool *is_message_done,
                 struct err *err);
/* Expiry without an attempt, and other ends that no attempt made: from QUEUED or UNCONFIRMED. Same
 * effects as queue_settle; epoch is not looked at. */
int queue_finish(struct store *s, const struct queue_settle *q, bool *is_message_done,
                 struct err *err);

/* --- reports: what senders are still to be told --- */

/* Is anything owed about this message? One look into a small index. */
int queue_report_any(struct store *s, int64_t message_id, bool *is_owed, struct err *err);
/* Will more be known soon: is another recipient being tried, or about to be? */
int queue_report_soon(struct store *s, int64_t message_id, int64_t now_wall_ms, bool *is_soon,
                      struct err *err);
/* Messages about which something is owed since before_wall_ms, at most limit: their ids, sorted.
 * Returns how many, or an error. */
int queue_report_late(struct store *s, int64_t before_wall_ms, int64_t *ids, unsigned limit,
                      struct err *err);

/* One recipient in a report. */
struct queue_told {
    enum dsn_action action;
    enum rcpt_state state;
    unsigned tries;
    int64_t last_wall_ms; /* end of the last try that was made; 0 = none */
    int64_t next_wall_ms; /* of the next one */
    char address[ADDR_TEXT_MAX];
    char orcpt[MSG_ORCPT_MAX + 1];
    struct outcome outcome; /* how it ended, or its last try */
    struct outcome before;  /* when nothing was tried at its end: the last answer before that */
    bool has_before;
    bool is_returned; /* an operator did it; outcome.text has the words, or is "" */
};
/* Each recipient about which something is owed, in order of id; borrowed for the call. When one is
 * reported as delayed, so are all others of the message that wait and may be. */
int queue_report_read(struct store *s, int64_t message_id, unsigned limit,
                      void (*each)(void *arg, const struct queue_told *row), void *arg,
                      struct err *err);
/* Owe a notice about what waits since its arrival before before_wall_ms, was tried, and is not told of
 * yet; as many rows as may be looked at in one go, from *after_id on, which is moved on. Ids of their messages
 * come out, at most limit. Returns how many, or an error; *is_more: there may be others. */
int queue_report_delayed(struct store *s, int64_t before_wall_ms, int64_t *after_id, int64_t *ids,
                         unsigned limit, bool *is_more, struct err *err);
/* They were told. */
int queue_report_done(struct store *s, int64_t message_id, struct err *err);

/* --- what an operator returns to its sender, once it cannot be undone any more --- */

/* How long it is held back. */
#define QUEUE_UNDO_MS (30 * INT64_C(1000))
/* The cause (outcome_cause) of one that is returned: stage LOCAL, this tag. */
#define QUEUE_RETURNED_TAG   "operator"
#define QUEUE_RETURNED_CAUSE "local " QUEUE_RETURNED_TAG

struct queue_returned {
    int64_t rcpt_id, message_id, arrival_wall_ms;
    unsigned notify;
    char address[ADDR_TEXT_MAX];
    char orcpt[MSG_ORCPT_MAX + 1];
    char site[ADDR_DOMAIN_MAX + 1];
    char text[QUEUE_TEXT_MAX]; /* of the operator, "" = none */
};
/* Recipients whose time has come, in order of (act, id), at most limit. A message's are together. */
int queue_returned(struct store *s, int64_t now_wall_ms, unsigned limit,
                   void (*each)(void *arg, const struct queue_returned *row), void *arg,
                   struct err *err);
/* HELD to BOUNCED, as queue_finish. E_STATE when it is not held for that any more. */
int queue_return(struct store *s, const struct queue_settle *q, bool *is_message_done,
                 struct err *err);
/* Forget acts of which nothing is left; *wall_ms: when the next one is due, or INT64_MAX. */
int queue_returned_next(struct store *s, int64_t now_wall_ms, int64_t *wall_ms, struct err *err);

/* What the engine holds (settled as HELD, not by an operator) goes back to QUEUED once its next time has
 * come: at most limit of them; returns how many. */
int queue_release_held(struct store *s, int64_t now_wall_ms, unsigned limit, struct err *err);

/* At start: ACTIVE becomes QUEUED (no mark) or UNCONFIRMED (marked; next try not before
 * unconfirmed_next_wall_ms); orphan chunks are swept; log lines that a crash left unwritten are written. */
struct queue_recovered {
    unsigned requeued, unconfirmed, orphans, log_lines;
};
int queue_recover(struct store *s, int64_t now_wall_ms, int64_t unconfirmed_next_wall_ms,
                  struct queue_recovered *out, struct err *err);

/* One message, without recipients. E_NOTFOUND. */
int queue_message(struct store *s, int64_t message_id, struct message *out, struct err *err);
/* Ids only grow: the largest that is stored, for the generator. */
int queue_last_id(struct store *s, int64_t *out, struct err *err);

struct queue_totals {
    uint64_t by_state[RCPT_STATE_COUNT]; /* recipients */
    uint64_t deferred;                   /* QUEUED with tries > 0 */
    uint64_t messages;                   /* not done */
    uint64_t bytes;                      /* of their bodies */
    int64_t oldest_wall_ms;              /* arrival of the oldest not final; 0 = none */
};
int queue_totals(struct store *s, struct queue_totals *out, struct err *err);

/* Verbs of the operator, in chunks. */
enum queue_verb {
    QUEUE_RETRY,
    QUEUE_HOLD,
    QUEUE_RELEASE,
    QUEUE_DELETE,
    QUEUE_CONFIRM, /* UNCONFIRMED: it was delivered, somebody found out */
    QUEUE_RESEND,  /* UNCONFIRMED: it was not, or twice is better than never */
    QUEUE_REROUTE, /* another way (via); what is QUEUED goes at once */
    QUEUE_BOUNCE,  /* HELD until due_wall_ms, then it goes back to its sender (queue_returned) */
    QUEUE_UNDO,    /* of another act (undo_id), for a while: what it changed is as it was */
    QUEUE_VERB_COUNT
};
const char *queue_verb_name(enum queue_verb v);

struct queue_bulk {
    enum queue_verb verb;
    const struct filter *filter; /* borrowed */
    int64_t now_wall_ms;
    int64_t job_id;     /* written to what is changed, so that undo can find it */
    const char *reason; /* "" = none */
    const char *who;    /* "uid 1000 from 192.0.2.1" */
    const char *via;    /* QUEUE_REROUTE: as mail/way.h writes it; borrowed */
    const char *text;   /* QUEUE_BOUNCE: for the sender, "" = none; borrowed */
    int64_t due_wall_ms; /* QUEUE_BOUNCE: from now on, for each chunk anew */
    int64_t until_wall_ms; /* how long it can be undone, for each chunk anew */
    int64_t undo_id;     /* QUEUE_UNDO: the job */
    int64_t rule_id;     /* QUEUE_HOLD: the rule that holds; QUEUE_RELEASE: only what that holds; 0 = none.
                            What a rule does is not kept for an undo. */
    int64_t last_id;     /* look no further than this recipient; 0 = to the end */
    bool is_dry_run;
    /* moved on by each call: */
    int64_t cursor;  /* recipient id: 0 at first */
    bool is_done;
    uint64_t seen, changed, skipped; /* skipped: matched, but not in a state for this verb */
    int64_t oldest_wall_ms;
};
/* One chunk of at most limit rows that match. Changed recipients' ids are told, so that the engine
 * can put them into its window or out of it; the new state and next try come with them. */
int queue_bulk_step(struct store *s, struct queue_bulk *b, unsigned limit,
                    void (*changed)(void *arg, int64_t rcpt_id, enum rcpt_state now,
                                    int64_t next_wall_ms),
                    void *arg, struct err *err);

/* How long an act can be undone: a deleted message's body is kept that long. A bounce can until it is due. */
#define QUEUE_KEPT_MS (15 * 60 * INT64_C(1000))
/* Forget what cannot be undone any more, at most limit rows. Returns how many, or an error. */
int queue_undo_purge(struct store *s, int64_t now_wall_ms, unsigned limit, struct err *err);

/* Delivery was frozen from then until then: written anew while it lasts. */
int queue_frost(struct store *s, int64_t from_wall_ms, int64_t until_wall_ms, struct err *err);
/* Those that ended later than since, oldest first, the newest limit of them; the others are forgotten. */
int queue_frosts(struct store *s, int64_t since_wall_ms, unsigned limit,
                 void (*each)(void *arg, int64_t from_wall_ms, int64_t until_wall_ms), void *arg,
                 struct err *err);

/* A site in trouble: dead or slow until then, and the answer by which it became so. */
struct queue_site {
    char name[ADDR_DOMAIN_MAX + 1];
    int64_t until_wall_ms;
    unsigned failed; /* cohorts in a row */
    unsigned slow;   /* how often it has asked us to slow down, less what it has forgiven */
    struct outcome why;
};
int queue_site_save(struct store *s, const struct queue_site *q, struct err *err);
int queue_site_forget(struct store *s, const char *name, struct err *err);
/* Those whose trouble ends later than since, at most limit; the others are forgotten. */
int queue_sites(struct store *s, int64_t since_wall_ms, unsigned limit,
                void (*each)(void *arg, const struct queue_site *q), void *arg, struct err *err);

/* A hold or a reroute that also catches mail to come; its id is the act's. */
struct queue_rule {
    int64_t id;
    enum queue_verb verb;
    int64_t until_wall_ms; /* 0 = for good */
    uint64_t hits;         /* recipients that came later */
    char filter[FILTER_BYTES_MAX + 1];
    char via[MSG_VIA_MAX + 1]; /* QUEUE_REROUTE: as mail/way.h writes it */
    char to[330];              /* the same as it was typed */
    char who[160], reason[200];
};
int queue_rule_add(struct store *s, const struct queue_rule *q, struct err *err);
/* Its time is over: but what it holds is not released yet. */
int queue_rule_over(struct store *s, int64_t id, int64_t now_wall_ms, struct err *err);
int queue_rule_drop(struct store *s, int64_t id, struct err *err);
int queue_rules(struct store *s, unsigned limit,
                void (*each)(void *arg, const struct queue_rule *q), void *arg, struct err *err);
/* What it does to a message that was accepted in this transaction: recipients in order of id. */
int queue_rule_apply(struct store *s, const struct queue_rule *q, const struct filter *filter,
                     int64_t now_wall_ms, const struct recipient *r, size_t n, struct err *err);

/* An address or a domain that takes no mail from here: as it is compared, in lower case. */
struct queue_suppression {
    char key[ADDR_TEXT_MAX];
    char reason[200];
    char source[160]; /* who said so */
    int64_t made_wall_ms;
    int64_t until_wall_ms; /* 0 = for good */
    uint64_t hits;         /* mail that it stopped */
    int64_t last_wall_ms;  /* the last of it; 0 = none */
};
/* Add, or replace but for the hits. */
int queue_suppress(struct store *s, const struct queue_suppression *q, struct err *err);
int queue_unsuppress(struct store *s, const char *key, struct err *err);
int queue_suppress_hit(struct store *s, const char *key, uint64_t n, int64_t wall_ms,
                       struct err *err);
int queue_suppress_expire(struct store *s, int64_t now_wall_ms, struct err *err);
/* Those in force, in order of key, at most limit. */
int queue_suppressions(struct store *s, int64_t now_wall_ms, unsigned limit,
                       void (*each)(void *arg, const struct queue_suppression *q), void *arg,
                       struct err *err);

/* Who did what to how many (audit). */
int queue_audit(struct store *s, int64_t id, int64_t wall_ms, const char *who, const char *verb,
                const char *filter, const char *reason, uint64_t changed, struct err *err);

/* Retention: finished recipients whose end is older than before_wall_ms, at most limit; messages go
 * with their last recipient. Returns how many, or an error. */
int queue_purge(struct store *s, int64_t before_wall_ms, unsigned limit, struct err *err);

/* The same for whole days of the delivery log. */
int queue_purge_log(struct store *s, int64_t before_wall_ms, struct err *err);
/* A write that changes nothing: does the store take one (again)? */
int queue_probe(struct store *s, struct err *err);

/* A log line that is no attempt: accepted, reject, removed. */
int queue_log(struct store *s, int64_t id, int64_t wall_ms, struct str line, struct err *err);

#endif
