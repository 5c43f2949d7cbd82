/* SPDX-License-Identifier: ISC */
/*
 * Requests are read strictly (a misspelt "dry_run" must not delete mail), replies leniently (a newer
 * engine may say more). The tables below are the protocol.
 */
#include "core/ctl/proto.h"

#include "core/base/alloc.h"
#include "core/ctl/fields.h"

/* --- names --- */

static const char *const verb_names[] = {
    [CTL_STATUS] = "status",     [CTL_RETRY] = "retry",   [CTL_HOLD] = "hold",
    [CTL_RELEASE] = "release",   [CTL_DELETE] = "delete", [CTL_CONFIRM] = "confirm",
    [CTL_RESEND] = "resend",     [CTL_JOB] = "job",       [CTL_JOBS] = "jobs",
    [CTL_STOP_JOB] = "stop-job", [CTL_RELOAD] = "reload", [CTL_REROUTE] = "reroute",
    [CTL_BOUNCE] = "bounce",     [CTL_UNDO] = "undo",
    [CTL_SUPPRESS] = "suppress", [CTL_UNSUPPRESS] = "unsuppress",
    [CTL_END_RULE] = "end-rule",
    [CTL_PAUSE_JOB] = "pause-job",
    [CTL_RESUME_JOB] = "resume-job",
};
static const char *const engine_names[] = {
    [ENGINE_STARTING] = "starting",
    [ENGINE_RUNNING] = "running",
    [ENGINE_STORE_SICK] = "store-sick",
    [ENGINE_DRAINING] = "draining",
};
static const char *const job_names[] = {
    [CTL_JOB_RUNNING] = "running",
    [CTL_JOB_DONE] = "done",
    [CTL_JOB_STOPPED] = "stopped",
    [CTL_JOB_FAILED] = "failed",
    [CTL_JOB_PAUSED] = "paused",
};
static const char *const reply_names[] = {
    [CTL_REPLY_OK] = "ok",   [CTL_REPLY_ERROR] = "error", [CTL_REPLY_STATUS] = "status",
    [CTL_REPLY_JOB] = "job", [CTL_REPLY_JOBS] = "jobs",
};

_Static_assert(ARRAY_LEN(verb_names) == CTL_VERB_COUNT, "a verb has no name");
_Static_assert(ARRAY_LEN(engine_names) == ENGINE_STATE_COUNT, "a state has no name");

#define NAME_OF(table, i) ((size_t)(i) < ARRAY_LEN(table) ? (table)[i] : NULL)

static const char *verb_name(int i)
{
    return NAME_OF(verb_names, i);
}

static const char *engine_name(int i)
{
    return NAME_OF(engine_names, i);
}

static const char *job_name(int i)
{
    return NAME_OF(job_names, i);
}

static const char *reply_name(int i)
{
    return NAME_OF(reply_names, i);
}

static const char *code_name(int i)
{
    return i < E_CODE_COUNT ? err_code_name((enum err_code)i) : NULL;
}

const char *ctl_verb_name(enum ctl_verb v)
{
    return verb_names[v];
}

const char *engine_state_name(enum engine_state s)
{
    return engine_names[s];
}

const char *ctl_job_state_name(enum ctl_job_state s)
{
    return job_names[s];
}

/* --- tables --- */

#define SIZE_OF(type, member) sizeof(((type *)NULL)->member)
#define F(type, member, name, kind)                                                                \
    {                                                                                              \
        name, kind, offsetof(type, member), SIZE_OF(type, member), 0, 0                            \
    }
#define F_ENUM(type, member, name, names)                                                          \
    {                                                                                              \
        name, FIELD_ENUM, offsetof(type, member), SIZE_OF(type, member), names, 0                  \
    }
#define F_OBJECT(type, member, name, table)                                                        \
    {                                                                                              \
        name, FIELD_OBJECT, offsetof(type, member), SIZE_OF(type, member), 0, table                \
    }
#define F_END                                                                                      \
    {                                                                                              \
        0                                                                                          \
    }

#define REQUEST struct ctl_request
static const struct field request_fields[] = {
    F_ENUM(REQUEST, verb, "verb", verb_name),
    F(REQUEST, filter, "filter", FIELD_TEXT),
    F(REQUEST, to, "to", FIELD_TEXT),
    F(REQUEST, text, "text", FIELD_TEXT),
    F(REQUEST, reason, "reason", FIELD_TEXT),
    F(REQUEST, origin, "origin", FIELD_TEXT),
    F(REQUEST, is_dry_run, "dry_run", FIELD_BOOL),
    F(REQUEST, is_rule, "rule", FIELD_BOOL),
    F(REQUEST, for_ms, "for_ms", FIELD_I64),
    F(REQUEST, job, "job", FIELD_I64),
    F_END,
};

#define RATE struct ctl_rate
static const struct field rate_fields[] = {
    F(RATE, m1, "m1", FIELD_U64),
    F(RATE, m5, "m5", FIELD_U64),
    F(RATE, m15, "m15", FIELD_U64),
    F(RATE, total, "total", FIELD_U64),
    F_END,
};

#define STATUS struct ctl_status
#define F_STATE(state, name)                                                                       \
    {                                                                                              \
        name, FIELD_U64, (state) * sizeof(uint64_t), sizeof(uint64_t), 0, 0                        \
    }
static const struct field by_state_fields[] = {
    F_STATE(RCPT_QUEUED, "queued"),
    F_STATE(RCPT_ACTIVE, "active"),
    F_STATE(RCPT_HELD, "held"),
    F_STATE(RCPT_UNCONFIRMED, "unconfirmed"),
    F_STATE(RCPT_DELIVERED, "delivered"),
    F_STATE(RCPT_BOUNCED, "bounced"),
    F_STATE(RCPT_EXPIRED, "expired"),
    F_STATE(RCPT_DELETED, "deleted"),
    F_END,
};
_Static_assert(ARRAY_LEN(by_state_fields) == RCPT_STATE_COUNT + 1, "a state is not written");

static const struct field status_fields[] = {
    F_ENUM(STATUS, state, "state", engine_name),
    F(STATUS, why, "why", FIELD_TEXT),
    F(STATUS, version, "version", FIELD_TEXT),
    F(STATUS, hostname, "hostname", FIELD_TEXT),
    F(STATUS, pid, "pid", FIELD_I64),
    F(STATUS, started_wall_ms, "started_wall_ms", FIELD_I64),
    F(STATUS, now_wall_ms, "now_wall_ms", FIELD_I64),
    F_OBJECT(STATUS, by_state, "by_state", by_state_fields),
    F(STATUS, deferred, "deferred", FIELD_U64),
    F(STATUS, messages, "messages", FIELD_U64),
    F(STATUS, bytes, "bytes", FIELD_U64),
    F(STATUS, oldest_wall_ms, "oldest_wall_ms", FIELD_I64),
    F(STATUS, next_due_wall_ms, "next_due_wall_ms", FIELD_I64),
    F_OBJECT(STATUS, accepted, "accepted", rate_fields),
    F_OBJECT(STATUS, rejected, "rejected", rate_fields),
    F_OBJECT(STATUS, delivered, "delivered", rate_fields),
    F_OBJECT(STATUS, deferrals, "deferrals", rate_fields),
    F_OBJECT(STATUS, bounced, "bounced", rate_fields),
    F(STATUS, sessions, "sessions", FIELD_UNSIGNED),
    F(STATUS, connections, "connections", FIELD_UNSIGNED),
    F(STATUS, connections_max, "connections_max", FIELD_UNSIGNED),
    F(STATUS, sites, "sites", FIELD_UNSIGNED),
    F(STATUS, window, "window", FIELD_UNSIGNED),
    F(STATUS, window_max, "window_max", FIELD_UNSIGNED),
    F(STATUS, store_waiting, "store_waiting", FIELD_U64),
    F(STATUS, commit_max_ms, "commit_max_ms", FIELD_I64),
    F(STATUS, listen, "listen", FIELD_TEXT),
    F(STATUS, dns, "dns", FIELD_TEXT),
    F(STATUS, delivery, "delivery", FIELD_TEXT),
    F(STATUS, store, "store", FIELD_TEXT),
    F(STATUS, lab_special_use, "lab_special_use", FIELD_BOOL),
    F(STATUS, lab_loopback_targets, "lab_loopback_targets", FIELD_BOOL),
    F(STATUS, lab_ca_file, "lab_ca_file", FIELD_BOOL),
    F_END,
};

#define JOB struct ctl_job
static const struct field job_fields[] = {
    F(JOB, id, "id", FIELD_I64),
    F_ENUM(JOB, verb, "verb", verb_name),
    F_ENUM(JOB, state, "state", job_name),
    F(JOB, filter, "filter", FIELD_TEXT),
    F(JOB, to, "to", FIELD_TEXT),
    F(JOB, text, "text", FIELD_TEXT),
    F(JOB, undoes, "undoes", FIELD_I64),
    F(JOB, who, "who", FIELD_TEXT),
    F(JOB, reason, "reason", FIELD_TEXT),
    F(JOB, is_dry_run, "dry_run", FIELD_BOOL),
    F(JOB, started_wall_ms, "started_wall_ms", FIELD_I64),
    F(JOB, ended_wall_ms, "ended_wall_ms", FIELD_I64),
    F(JOB, seen, "seen", FIELD_U64),
    F(JOB, changed, "changed", FIELD_U64),
    F(JOB, skipped, "skipped", FIELD_U64),
    F(JOB, oldest_wall_ms, "oldest_wall_ms", FIELD_I64),
    F(JOB, error, "error", FIELD_TEXT),
    F_END,
};

#define REPLY struct ctl_reply
static const struct field reply_fields[] = {
    F_ENUM(REPLY, kind, "reply", reply_name),
    F_ENUM(REPLY, code, "code", code_name),
    F(REPLY, text, "text", FIELD_TEXT),
    F_END,
};

/* --- writing --- */

static json_t *versioned(json_t *fields)
{
    json_t *o = json_object();
    json_object_set_new_nocheck(o, "v", json_integer(CTL_VERSION));
    json_object_update(o, fields);
    json_decref(fields);
    return o;
}

static void write_line(json_t *o, struct buf *out)
{
    fields_line(o, out);
    json_decref(o);
}

void ctl_request_write(const struct ctl_request *r, struct buf *out)
{
    write_line(versioned(fields_write(request_fields, r)), out);
}

/* As many of them as fit into a line, the newest first. */
static json_t *write_jobs(const struct ctl_reply *r)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    json_t *jobs = json_array();
    for (size_t i = 0; i < r->jobs_n && i < CTL_JOBS_MAX; i++) {
        json_t *job = fields_write(job_fields, &r->jobs[i]);
        fields_line(job, &line); /* to know its length: all of them, and the frame around */
        if (line.n + sizeof r->text * 6 + 200 > CTL_LINE_MAX) {
            json_decref(job);
            break;
        }
        json_array_append_new(jobs, job);
    }
    return jobs;
}

static json_t *write_status(const struct ctl_status *st)
{
    json_t *o = fields_write(status_fields, st);
    json_t *alarms = json_array();
    for (size_t i = 0; i < st->alarms_n; i++)
        json_array_append_new(alarms, json_string(st->alarms[i]));
    json_object_set_new_nocheck(o, "alarms", alarms);
    return o;
}

void ctl_reply_write(const struct ctl_reply *r, struct buf *out)
{
    json_t *o = versioned(fields_write(reply_fields, r));
    if (r->kind == CTL_REPLY_STATUS)
        json_object_set_new_nocheck(o, "status", write_status(&r->status));
    else if (r->kind == CTL_REPLY_JOB)
        json_object_set_new_nocheck(o, "job", fields_write(job_fields, &r->job));
    else if (r->kind == CTL_REPLY_JOBS)
        json_object_set_new_nocheck(o, "jobs", write_jobs(r));
    write_line(o, out);
}

/* --- reading --- */

/* The version is looked at before anything else: another one may mean other things by every key. */
static int check_version(json_t *o, struct err *err)
{
    json_t *v = json_object_get(o, "v");
    if (!json_is_integer(v))
        return err_set(err, E_SYNTAX, "\"v\", the protocol's version, is missing");
    if (json_integer_value(v) != CTL_VERSION)
        return err_set(err, E_STATE,
                       "version %lld of the control protocol is not spoken here, only %d",
                       (long long)json_integer_value(v), CTL_VERSION);
    return 0;
}

static int need(json_t *o, const char *key, struct err *err)
{
    return json_object_get(o, key) ? 0 : err_set(err, E_SYNTAX, "\"%s\" is missing", key);
}

static int read_request(json_t *o, struct ctl_request *r, struct err *err)
{
    static const char *const also[] = {"v", NULL};
    int rc = check_version(o, err);
    if (rc >= 0)
        rc = need(o, "verb", err);
    if (rc >= 0)
        rc = fields_read(request_fields, o, true, also, r, err);
    bool is_about_one = r->verb == CTL_JOB || r->verb == CTL_STOP_JOB ||
                        r->verb == CTL_PAUSE_JOB || r->verb == CTL_RESUME_JOB ||
                        r->verb == CTL_END_RULE;
    if (rc >= 0 && is_about_one)
        rc = need(o, "job", err);
    return rc;
}

int ctl_request_parse(struct str line, struct ctl_request *out, struct err *err)
{
    *out = (struct ctl_request){0};
    json_t *o = fields_parse_line(line, CTL_LINE_MAX, err);
    if (!o)
        return err ? -(int)err->code : -(int)E_SYNTAX;
    int rc = read_request(o, out, err);
    json_decref(o);
    return rc < 0 ? rc : 0;
}

static int read_jobs(json_t *a, struct ctl_reply *r, struct err *err)
{
    if (!json_is_array(a))
        return err_set(err, E_SYNTAX, "\"jobs\" must be a list");
    size_t n = json_array_size(a);
    if (n > CTL_JOBS_MAX)
        return err_set(err, E_LIMIT, "there are more than %d jobs in a reply", CTL_JOBS_MAX);
    r->jobs = xcalloc(n ? n : 1, sizeof r->jobs[0]);
    r->jobs_n = n;
    int rc = 0;
    for (size_t i = 0; i < n && rc >= 0; i++)
        rc = fields_read(job_fields, json_array_get(a, i), false, NULL, &r->jobs[i], err);
    return rc;
}

/* An engine that is older says nothing of alarms. */
static int read_status(json_t *o, struct ctl_status *st, struct err *err)
{
    int rc = fields_read(status_fields, o, false, NULL, st, err);
    json_t *alarms = json_object_get(o, "alarms");
    if (rc < 0 || !alarms)
        return rc;
    if (!json_is_array(alarms) || json_array_size(alarms) > CTL_ALARMS_MAX)
        return err_set(err, E_LIMIT, "\"alarms\" must be a list of at most %d", CTL_ALARMS_MAX);
    for (size_t i = 0; i < json_array_size(alarms); i++) {
        const char *text = json_string_value(json_array_get(alarms, i));
        if (!text)
            return err_set(err, E_SYNTAX, "\"alarms\" must hold texts");
        str_copy(str_of(text), st->alarms[st->alarms_n++], CTL_ALARM_MAX);
    }
    return rc;
}

static int read_content(json_t *o, struct ctl_reply *r, struct err *err)
{
    const char *key = r->kind == CTL_REPLY_STATUS ? "status"
                      : r->kind == CTL_REPLY_JOB  ? "job"
                                                  : "jobs";
    if (r->kind == CTL_REPLY_OK || r->kind == CTL_REPLY_ERROR)
        return 0;
    int rc = need(o, key, err);
    if (rc < 0)
        return rc;
    json_t *v = json_object_get(o, key);
    if (r->kind == CTL_REPLY_STATUS)
        return read_status(v, &r->status, err);
    if (r->kind == CTL_REPLY_JOB)
        return fields_read(job_fields, v, false, NULL, &r->job, err);
    return read_jobs(v, r, err);
}

int ctl_reply_parse(struct str line, struct ctl_reply *out, struct err *err)
{
    *out = (struct ctl_reply){0};
    json_t *o = fields_parse_line(line, CTL_LINE_MAX, err);
    if (!o)
        return err ? -(int)err->code : -(int)E_SYNTAX;
    int rc = check_version(o, err);
    if (rc >= 0)
        rc = need(o, "reply", err);
    if (rc >= 0)
        rc = fields_read(reply_fields, o, false, NULL, out, err);
    if (rc >= 0)
        rc = read_content(o, out, err);
    json_decref(o);
    if (rc < 0)
        ctl_reply_done(out);
    return rc < 0 ? rc : 0;
}

void ctl_reply_done(struct ctl_reply *r)
{
    free(r->jobs);
    r->jobs = NULL;
    r->jobs_n = 0;
}
