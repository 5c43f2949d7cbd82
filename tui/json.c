/* SPDX-License-Identifier: ISC */
#include "tui/json.h"

#include "core/base/text.h"
#include "core/ctl/fields.h"
#include "core/mail/id.h"

void json_put(json_t *o, const char *key, json_t *takes_value)
{
    json_object_set_new_nocheck(o, key, takes_value);
}

static void put_str(json_t *o, const char *key, struct str s)
{
    json_put(o, key, fields_text(s));
}

void json_put_text(json_t *o, const char *key, const char *text)
{
    put_str(o, key, str_of(text));
}

void json_put_int(json_t *o, const char *key, int64_t n)
{
    json_put(o, key, json_integer(n));
}

void json_put_count(json_t *o, const char *key, uint64_t n)
{
    json_put_int(o, key, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

void json_put_bool(json_t *o, const char *key, bool b)
{
    json_put(o, key, json_boolean(b));
}

void json_put_time(json_t *o, const char *key, int64_t wall_ms)
{
    char text[32];
    json_put(o, key, wall_ms ? json_string(text_time_utc(wall_ms, text)) : json_null());
}

void json_print(json_t *o)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    fields_line(o, &line);
    json_decref(o);
    fwrite(line.p, 1, line.n, stdout);
}

/* --- shapes --- */

/* Ids are texts: as numbers they are beyond 2^53, where jq and JavaScript round. */
static void put_id(json_t *o, const char *key, int64_t id)
{
    char text[ID_TEXT_MAX];
    json_put_text(o, key, id_text(id, text));
}

json_t *json_of_row(const struct view_row *r)
{
    json_t *o = json_object();
    put_id(o, "id", r->message_id);
    put_id(o, "recipient_id", r->rcpt_id);
    json_put_text(o, "state", rcpt_state_name(r->state));
    json_put_text(o, "class", msg_class_name(r->class));
    json_put_text(o, "from", r->from);
    json_put_text(o, "to", r->to);
    json_put_text(o, "domain", r->domain);
    json_put_text(o, "site", r->site);
    json_put_text(o, "subject", r->subject);
    json_put_int(o, "tries", r->tries);
    json_put_time(o, "arrival", r->arrival_wall_ms);
    json_put_time(o, "last_try", r->last_wall_ms);
    json_put_time(o, "next_try", r->next_wall_ms);
    json_put_time(o, "finished", r->finished_wall_ms);
    json_put_count(o, "size_bytes", r->size_bytes);
    json_put_text(o, "cause", r->cause);
    json_put_int(o, "code", r->code);
    json_put_text(o, "enhanced", r->enhanced);
    json_put_text(o, "info", r->info);
    json_put_text(o, "note", r->note);
    json_put_bool(o, "held_by_engine", r->is_held_by_engine);
    json_put_text(o, "via", r->via);
    return o;
}

json_t *json_of_group(const struct view_group_row *g, enum view_group by)
{
    json_t *o = json_object();
    json_put_text(o, "by", view_group_name(by));
    json_put_text(o, "key", g->key);
    json_put_count(o, "recipients", g->count);
    json_put_count(o, "domains", g->domains);
    json_put_count(o, "size_bytes", g->bytes);
    json_put_time(o, "oldest", g->oldest_wall_ms);
    json_put_time(o, "next_try", g->next_wall_ms);
    json_put_text(o, "domain", g->domain);
    json_put_int(o, "code", g->code);
    json_put_text(o, "enhanced", g->enhanced);
    json_put_text(o, "info", g->info);
    return o;
}

static const char *ret_name(enum dsn_ret r)
{
    return r == DSN_RET_FULL ? "full" : r == DSN_RET_HDRS ? "hdrs" : "";
}

json_t *json_of_message(const struct message *m)
{
    json_t *o = json_object();
    put_id(o, "id", m->id);
    json_put_time(o, "arrival", m->arrival_wall_ms);
    json_put_text(o, "class", msg_class_name(m->class));
    json_put_text(o, "from", m->reverse_path);
    json_put_count(o, "size_bytes", m->size_bytes);
    json_put_text(o, "origin", m->origin);
    json_put_text(o, "dsn_ret", ret_name(m->ret));
    json_put_text(o, "dsn_envid", m->envid);
    json_put_bool(o, "is_8bit", m->flags & MSG_8BIT);
    json_put_bool(o, "is_utf8", m->flags & MSG_UTF8);
    json_put_text(o, "header_from", m->digest.from);
    json_put_text(o, "subject", m->digest.subject);
    json_put_text(o, "message_id", m->digest.message_id);
    json_put_text(o, "header_date", m->digest.date);
    return o;
}

json_t *json_of_attempt(const struct view_attempt *a)
{
    json_t *o = json_object();
    const struct outcome *c = &a->outcome;
    char cause[48];
    outcome_cause(c, cause);
    struct buf info CLEANUP(buf_done) = BUF_INIT;
    outcome_sentence(c, &info);
    json_put_int(o, "number", a->number);
    json_put_time(o, "start", a->start_wall_ms);
    json_put_int(o, "duration_ms", a->duration_ms);
    json_put_int(o, "delay_before_ready_ms", a->delays.a_ms);
    json_put_int(o, "delay_before_connect_ms", a->delays.b_ms);
    json_put_int(o, "delay_connect_ms", a->delays.c_ms);
    json_put_int(o, "delay_send_ms", a->delays.d_ms);
    json_put_text(o, "outcome", outcome_class_name(c->class));
    json_put_text(o, "stage", stage_name(c->stage));
    json_put_text(o, "scope", scope_name(c->scope));
    json_put_text(o, "cause", cause);
    json_put_int(o, "code", c->code);
    json_put_text(o, "enhanced", c->enhanced);
    json_put_text(o, "errno", c->sys ? outcome_errno_name(c->sys) : "");
    json_put_text(o, "host", c->host);
    json_put_text(o, "ip", c->ip);
    json_put_int(o, "port", c->port);
    json_put_text(o, "tls", tls_state_name(c->tls.state));
    json_put_text(o, "tls_version", c->tls.version);
    json_put_text(o, "text", c->text);
    put_str(o, "info", buf_str(&info));
    return o;
}

/* "0.17", seconds: -1 when it is none. */
static int64_t delay_ms(struct str s)
{
    int64_t ms = 0, digit = -1;
    for (size_t i = 0; i < s.n && i < 12; i++) {
        if (s.p[i] == '.' && digit < 0) {
            digit = 1000;
        } else if (s.p[i] < '0' || s.p[i] > '9') {
            return -1;
        } else if (digit < 0) {
            ms = ms * 10 + (s.p[i] - '0') * 1000;
        } else {
            digit /= 10;
            ms += (s.p[i] - '0') * digit;
        }
    }
    return s.n ? ms : -1;
}

/* The fields of a NOQUEUE line stand behind the text of the reply. */
static void put_rejected(json_t *o, struct str line)
{
    struct str rest = str_sub(line, str_find(line, ';'), line.n), value;
    static const char *const names[] = {" to=<", " from=<"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t at = str_ifind(rest, str_of(names[i]));
        if (at == SIZE_MAX)
            continue;
        value = str_sub(rest, at + strlen(names[i]), rest.n);
        put_str(o, i == 0 ? "to" : "from", str_sub(value, 0, str_find(value, '>')));
    }
}

json_t *json_of_log_line(const struct view_log_line *l)
{
    static const char *const names[] = {"to", "from", "relay", "dsn"};
    json_t *o = json_object();
    struct str line = {l->text, l->n}, value;
    json_put_time(o, "time", l->wall_ms);
    size_t colon = str_find(line, ':');
    int64_t id;
    bool has_id = id_parse(str_sub(line, 0, colon), &id);
    put_str(o, "id", has_id ? str_sub(line, 0, colon) : STR(""));
    enum log_status s = logline_status(line);
    json_put_text(o, "status", s == LOG_OTHER ? "" : log_status_name(s));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (has_id && logline_field(line, names[i], &value))
            put_str(o, names[i], value);
    if (s == LOG_REJECTED)
        put_rejected(o, line);
    if (has_id && logline_field(line, "delay", &value) && delay_ms(value) >= 0)
        json_put_int(o, "delay_ms", delay_ms(value));
    put_str(o, "line", line);
    return o;
}

static json_t *rate(const struct ctl_rate *r)
{
    json_t *o = json_object();
    json_put_count(o, "last_1m", r->m1);
    json_put_count(o, "last_5m", r->m5);
    json_put_count(o, "last_15m", r->m15);
    json_put_count(o, "total", r->total);
    return o;
}

static void put_states(json_t *o, const uint64_t by_state[RCPT_STATE_COUNT])
{
    json_t *states = json_object();
    for (int i = 0; i < RCPT_STATE_COUNT; i++)
        json_put_count(states, rcpt_state_name((enum rcpt_state)i), by_state[i]);
    json_put(o, "recipients", states);
}

json_t *json_of_totals(const struct queue_totals *t)
{
    json_t *o = json_object();
    json_put_text(o, "engine", "down");
    put_states(o, t->by_state);
    json_put_count(o, "deferred", t->deferred);
    json_put_count(o, "messages", t->messages);
    json_put_count(o, "size_bytes", t->bytes);
    json_put_time(o, "oldest", t->oldest_wall_ms);
    return o;
}

json_t *json_of_status(const struct ctl_status *s)
{
    json_t *o = json_object();
    json_put_text(o, "engine", engine_state_name(s->state));
    json_put_text(o, "why", s->why);
    json_put_text(o, "version", s->version);
    json_put_text(o, "hostname", s->hostname);
    json_put_int(o, "pid", s->pid);
    json_put_time(o, "started", s->started_wall_ms);
    json_put_time(o, "now", s->now_wall_ms);
    put_states(o, s->by_state);
    json_put_count(o, "deferred", s->deferred);
    json_put_count(o, "messages", s->messages);
    json_put_count(o, "size_bytes", s->bytes);
    json_put_time(o, "oldest", s->oldest_wall_ms);
    json_put_time(o, "next_due", s->next_due_wall_ms);
    json_put(o, "accepted", rate(&s->accepted));
    json_put(o, "rejected", rate(&s->rejected));
    json_put(o, "delivered", rate(&s->delivered));
    json_put(o, "deferrals", rate(&s->deferrals));
    json_put(o, "bounced", rate(&s->bounced));
    json_put_int(o, "sessions", s->sessions);
    json_put_int(o, "connections", s->connections);
    json_put_int(o, "connections_max", s->connections_max);
    json_put_int(o, "sites", s->sites);
    json_put_int(o, "window", s->window);
    json_put_int(o, "window_max", s->window_max);
    json_put_count(o, "store_waiting", s->store_waiting);
    json_put_int(o, "commit_max_ms", s->commit_max_ms);
    json_put_text(o, "listen", s->listen);
    json_put_text(o, "dns", s->dns);
    json_put_text(o, "delivery", s->delivery);
    json_put_text(o, "store", s->store);
    json_put_bool(o, "lab_special_use", s->lab_special_use);
    json_put_bool(o, "lab_loopback_targets", s->lab_loopback_targets);
    json_put_bool(o, "lab_ca_file", s->lab_ca_file);
    json_t *alarms = json_array();
    for (size_t i = 0; i < s->alarms_n; i++)
        json_array_append_new(alarms, json_string(s->alarms[i]));
    json_put(o, "alarms", alarms);
    return o;
}

json_t *json_of_job(const struct ctl_job *j)
{
    json_t *o = json_object();
    put_id(o, "job", j->id);
    json_put_text(o, "verb", ctl_verb_name(j->verb));
    json_put_text(o, "state", ctl_job_state_name(j->state));
    json_put_text(o, "filter", j->filter);
    json_put_text(o, "to", j->to);
    json_put_text(o, "text", j->text);
    if (j->undoes)
        put_id(o, "undoes", j->undoes);
    else
        json_put_text(o, "undoes", "");
    json_put_text(o, "who", j->who);
    json_put_text(o, "reason", j->reason);
    json_put_bool(o, "dry_run", j->is_dry_run);
    json_put_time(o, "started", j->started_wall_ms);
    json_put_time(o, "ended", j->ended_wall_ms);
    json_put_count(o, "matched", j->seen);
    json_put_count(o, "changed", j->changed);
    json_put_count(o, "skipped", j->skipped);
    json_put_time(o, "oldest", j->oldest_wall_ms);
    json_put_text(o, "error", j->error);
    return o;
}
