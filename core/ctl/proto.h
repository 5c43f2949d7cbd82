/* SPDX-License-Identifier: ISC */
/*
 * The control protocol, version 1: one JSON object a line, in both directions, over control.sock.
 * README.md in this folder specifies it. Typed here, so that nobody else needs a JSON library.
 * A line that does not parse costs that client its connection and nothing else.
 */
#ifndef CTL_PROTO_H
#define CTL_PROTO_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/mail/filter.h"
#include "core/mail/msg.h"

#define CTL_VERSION   1
#define CTL_LINE_MAX  (64u * 1024)
#define CTL_JOBS_MAX  50
#define CTL_ALARMS_MAX 8
#define CTL_ALARM_MAX  1200
#define CTL_TO_MAX     330
#define CTL_TEXT_MAX   500

enum ctl_verb {
    CTL_STATUS,
    /* start a job (dry_run: only count) */
    CTL_RETRY, CTL_HOLD, CTL_RELEASE, CTL_DELETE, CTL_CONFIRM, CTL_RESEND, CTL_REROUTE,
    CTL_BOUNCE, CTL_UNDO,
    CTL_JOB,      /* one job's progress */
    CTL_JOBS,     /* the latest jobs */
    CTL_STOP_JOB,
    CTL_PAUSE_JOB, /* between two chunks */
    CTL_RESUME_JOB,
    CTL_RELOAD,   /* as SIGHUP */
    CTL_SUPPRESS, /* "to" takes no mail from here */
    CTL_UNSUPPRESS,
    CTL_END_RULE, /* job: its id */
    CTL_VERB_COUNT
};
const char *ctl_verb_name(enum ctl_verb v); /* "status", "retry", "stop-job", ... */

struct ctl_request {
    enum ctl_verb verb;
    char filter[FILTER_BYTES_MAX + 1]; /* "" with an act = everything */
    char to[CTL_TO_MAX]; /* CTL_REROUTE: a relay, HOST[:PORT], direct, configured; CTL_SUPPRESS,
                            CTL_UNSUPPRESS: an address or a domain */
    char text[CTL_TEXT_MAX]; /* CTL_BOUNCE: for the senders */
    char reason[200];
    char origin[100]; /* where the operator sits: "ssh 192.0.2.1", "" = local; the uid is the socket's */
    bool is_dry_run;
    bool is_rule;   /* CTL_HOLD, CTL_REROUTE: for mail to come, too */
    int64_t for_ms; /* of a rule, CTL_SUPPRESS: 0 = for good */
    int64_t job; /* CTL_JOB, CTL_STOP_JOB ..., CTL_UNDO: 0 = the latest that can be undone */
};

enum engine_state { ENGINE_STARTING, ENGINE_RUNNING, ENGINE_STORE_SICK, ENGINE_DRAINING, ENGINE_STATE_COUNT };
const char *engine_state_name(enum engine_state s); /* "running", "store-sick", ... */

/* Events in the last 1, 5 and 15 minutes. */
struct ctl_rate {
    uint64_t m1, m5, m15, total;
};

struct ctl_status {
    enum engine_state state;
    char why[300]; /* of a state that is not running */
    char version[32];
    char hostname[256];
    int64_t pid, started_wall_ms, now_wall_ms;
    uint64_t by_state[RCPT_STATE_COUNT];
    uint64_t deferred, messages, bytes;
    int64_t oldest_wall_ms, next_due_wall_ms; /* 0 = none */
    struct ctl_rate accepted, rejected, delivered, deferrals, bounced; /* messages, commands, recipients... */
    unsigned sessions, connections, connections_max, sites, window, window_max;
    uint64_t store_waiting;
    int64_t commit_max_ms;
    char listen[300], dns[200], delivery[300], store[300]; /* one line each */
    bool lab_special_use, lab_loopback_targets, lab_ca_file;
    char alarms[CTL_ALARMS_MAX][CTL_ALARM_MAX]; /* one or two sentences each: what must be mended */
    size_t alarms_n;
};

enum ctl_job_state {
    CTL_JOB_RUNNING, CTL_JOB_DONE, CTL_JOB_STOPPED, CTL_JOB_FAILED, CTL_JOB_PAUSED
};
const char *ctl_job_state_name(enum ctl_job_state s);

struct ctl_job {
    int64_t id, started_wall_ms, ended_wall_ms;
    enum ctl_verb verb;
    enum ctl_job_state state;
    char filter[FILTER_BYTES_MAX + 1];
    char to[CTL_TO_MAX]; /* of the request */
    char text[CTL_TEXT_MAX]; /* the same */
    int64_t undoes; /* CTL_UNDO: that job */
    char who[160];
    char reason[200];
    bool is_dry_run;
    uint64_t seen, changed, skipped;
    int64_t oldest_wall_ms;
    char error[200];
};

enum ctl_reply_kind { CTL_REPLY_OK, CTL_REPLY_ERROR, CTL_REPLY_STATUS, CTL_REPLY_JOB, CTL_REPLY_JOBS };

struct ctl_reply {
    enum ctl_reply_kind kind;
    enum err_code code; /* CTL_REPLY_ERROR */
    char text[480];     /* error or note */
    struct ctl_status status;
    struct ctl_job job;
    struct ctl_job *jobs; /* own, newest first */
    size_t jobs_n;
};
void ctl_reply_done(struct ctl_reply *r);

/* One line with its newline, appended. */
void ctl_request_write(const struct ctl_request *r, struct buf *out);
void ctl_reply_write(const struct ctl_reply *r, struct buf *out);
/* One line without its newline. E_SYNTAX, E_LIMIT, E_STATE (another protocol version). */
int ctl_request_parse(struct str line, struct ctl_request *out, struct err *err);
int ctl_reply_parse(struct str line, struct ctl_reply *out, struct err *err);

#endif
