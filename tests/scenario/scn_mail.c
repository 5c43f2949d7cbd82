/* SPDX-License-Identifier: ISC */
/* Clients of the engine: handing mail over, raw SMTP, the control socket. */
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/ctl/proto.h"
#include "tests/scenario/scn.h"

#define REPLY_WAIT_MS (15 * MINUTE_MS)
#define FILLER        "The quick brown fox jumps over the lazy dog, and over the lazy dog again.\r\n"

/* --- one reply --- */

/* Octets up to the end of one reply in what has come, or 0. */
static size_t reply_length(struct str got)
{
    for (size_t at = 0; at < got.n;) {
        struct str line = str_sub(got, at, got.n);
        size_t lf = str_find(line, '\n');
        if (lf == line.n)
            return 0;
        at += lf + 1;
        if (line.n < 4 || line.p[3] != '-')
            return at;
    }
    return 0;
}

static bool has_reply(void *arg)
{
    const struct sim_client *k = arg;
    return reply_length(sim_client_got(k)) > 0 || sim_client_is_closed(k);
}

/* The reply's text, without the last CR LF, into out; its code is returned, 0 for none. */
static int take_reply(struct scn *s, struct sim_client *k, struct buf *out)
{
    uint64_t code;
    sim_run_until(s->sim, has_reply, k, REPLY_WAIT_MS);
    size_t n = reply_length(sim_client_got(k));
    struct str got = str_sub(sim_client_got(k), 0, n);
    buf_clear(out);
    buf_add_str(out, str_trim(got));
    sim_client_drop(k, n);
    return text_parse_u64(str_sub(buf_str(out), 0, 3), 999, &code) ? (int)code : 0;
}

static struct sim_client *open_client(struct scn *s)
{
    const char *via = words_value(&s->words, 1, "via"), *from = words_value(&s->words, 1, "client");
    struct ip ip;
    if (via && strcmp(via, "local") == 0) {
        char *path = conf_submit_socket(&s->conf);
        struct sim_client *k = sim_client_unix(s->sim, path, 1000);
        free(path);
        return k;
    }
    const struct endpoint *to = s->conf.listen_n ? &s->conf.listen[0] : NULL;
    if (via && strcmp(via, "system") == 0)
        to = s->conf.system_n ? &s->conf.system[0] : NULL;
    if (!ip_parse(str_of(from ? from : "198.51.100.9"), &ip) || !to)
        return NULL;
    return sim_client_tcp(s->sim, &ip, &to->ip, to->port);
}

/* --- send --- */

struct letter {
    const char *from, *to, *subject, *text;
    uint64_t size;
    bool is_8bit, is_utf8;
    struct buf reply;
    int code;
};

static int say(struct scn *s, struct sim_client *k, struct letter *l, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static int say(struct scn *s, struct sim_client *k, struct letter *l, const char *fmt, ...)
{
    struct buf b = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    sim_client_send(k, buf_str(&b));
    buf_done(&b);
    l->code = take_reply(s, k, &l->reply);
    return l->code / 100;
}

static void content(const struct scn *s, const struct letter *l, struct buf *out)
{
    buf_printf(out, "From: <%s>\r\nTo: someone\r\nSubject: %s\r\nMessage-ID: <%u@scn.test>\r\n\r\n",
               l->from[0] ? l->from : "MAILER-DAEMON@portal.test", l->subject, s->serial);
    if (l->is_8bit)
        buf_add_z(out, "Gr\xc3\xbc\xc3\x9f"
                       "e\r\n");
    buf_printf(out, "%s\r\n", l->text);
    while (out->n + sizeof(FILLER) - 1 <= l->size)
        buf_add_z(out, FILLER);
}

static bool say_recipients(struct scn *s, struct sim_client *k, struct letter *l)
{
    const char *notify = words_value(&s->words, 1, "notify");
    struct str rest = str_of(l->to);
    bool is_one = false;
    while (rest.n > 0) {
        struct str to = str_split(&rest, ',');
        is_one |= say(s, k, l, "RCPT TO:<%.*s>%s%s\r\n", STR_ARG(to), notify ? " NOTIFY=" : "",
                      notify ? notify : "") == 2;
    }
    return is_one;
}

/* Dots at the start of lines are doubled (RFC 5321 4.5.2). */
static void stuff(struct str text, struct buf *out)
{
    while (text.n > 0) {
        size_t n = str_find(text, '\n');
        struct str line = str_sub(text, 0, n + 1);
        if (line.p[0] == '.')
            buf_add_c(out, '.');
        buf_add_str(out, line);
        text = str_sub(text, line.n, text.n);
    }
}

/* Stops at the first refusal; l->code is the last reply's. */
static void converse(struct scn *s, struct sim_client *k, struct letter *l)
{
    const char *params = words_value(&s->words, 1, "params");
    struct buf b = BUF_INIT, stuffed = BUF_INIT;
    l->code = take_reply(s, k, &l->reply);
    if (l->code / 100 != 2 || say(s, k, l, "EHLO client.portal.test\r\n") != 2 ||
        say(s, k, l, "MAIL FROM:<%s>%s%s%s%s\r\n", l->from, l->is_8bit ? " BODY=8BITMIME" : "",
            l->is_utf8 ? " SMTPUTF8" : "", params ? " " : "", params ? params : "") != 2 ||
        !say_recipients(s, k, l) || say(s, k, l, "DATA\r\n") != 3)
        return;
    content(s, l, &b);
    stuff(buf_str(&b), &stuffed);
    say(s, k, l, "%s.\r\n", buf_text(&stuffed));
    buf_done(&b);
    buf_done(&stuffed);
}

/* send from=A to=B[,C] [size=N] [subject=T] [text=T] [8bit] [utf8] [params=T] [notify=N] [via=local]
 * [client=IP] [reply=CODE] */
static bool send_one(struct scn *s)
{
    const struct words *w = &s->words;
    const char *size = words_value(w, 1, "size"), *want = words_value(w, 1, "reply");
    struct letter l = {.from = words_value(w, 1, "from"),
                       .to = words_value(w, 1, "to"),
                       .subject = words_value(w, 1, "subject"),
                       .text = words_value(w, 1, "text")};
    uint64_t code = 250;
    l.from = l.from ? l.from : "anna@portal.test";
    l.subject = l.subject ? l.subject : "A letter";
    l.text = l.text ? l.text : "Hello.";
    if (!l.to || (size && !scn_number(s, size, &l.size)) || (want && !scn_number(s, want, &code)))
        return scn_fail(s, "send from=A to=B[,C] [size=N] ... [reply=CODE]");
    for (size_t i = 1; i < w->n; i++) {
        l.is_8bit |= strcmp(w->w[i], "8bit") == 0;
        l.is_utf8 |= strcmp(w->w[i], "utf8") == 0;
    }
    struct sim_client *k = open_client(s);
    if (!k)
        return scn_fail(s, "nobody listens");
    s->serial++;
    converse(s, k, &l);
    bool is_right = l.code == (int)code ||
                    scn_fail(s, "the last reply is \"%s\", not %d", buf_text(&l.reply), (int)code);
    sim_client_send(k, STR("QUIT\r\n"));
    sim_client_free(k);
    buf_done(&l.reply);
    return is_right;
}

bool scn_send(struct scn *s)
{
    const char *times = words_value(&s->words, 1, "times");
    uint64_t n = 1;
    if (times && !scn_number(s, times, &n))
        return false;
    while (n > 0 && send_one(s))
        n--;
    return n == 0;
}

/* --- smtp { > line, < prefix } --- */

static void send_escaped(struct sim_client *k, struct str text)
{
    struct words w;
    const char *why;
    char *quoted = xasprintf("\"%.*s\"", STR_ARG(text));
    if (words_split(str_of(quoted), &w, &why))
        sim_client_send(k, (struct str){w.w[0], w.len[0]});
    words_done(&w);
    free(quoted);
}

static bool smtp_line(struct scn *s, struct sim_client *k, struct str line)
{
    struct str text = str_sub(line, 2, line.n);
    struct buf reply = BUF_INIT;
    bool is_ok = true;
    switch (line.n ? line.p[0] : '#') {
    case '#': break;
    case '>': /* a line; CR LF is added */
        send_escaped(k, text);
        sim_client_send(k, STR("\r\n"));
        break;
    case '+': /* bytes as they stand, with \r \n \xHH */ send_escaped(k, text); break;
    case '<':
        take_reply(s, k, &reply);
        if (!str_starts(buf_str(&reply), text))
            is_ok = scn_fail(s, "the reply is \"%s\"", buf_text(&reply));
        break;
    default: is_ok = scn_fail(s, "lines of smtp begin with '> ', '+ ' or '< '"); break;
    }
    buf_done(&reply);
    return is_ok;
}

bool scn_smtp_block(struct scn *s)
{
    struct sim_client *k = open_client(s);
    struct str line;
    bool is_ok = k || scn_fail(s, "nobody listens");
    while (is_ok && scn_next_line(s, &line) && !str_eq_z(line = str_trim(line), "}")) {
        if (str_eq_z(line, "closed"))
            is_ok = (sim_run_for(s->sim, SECOND_MS), sim_client_is_closed(k)) ||
                    scn_fail(s, "the engine did not close");
        else
            is_ok = smtp_line(s, k, line);
    }
    sim_client_free(k);
    return is_ok;
}

/* --- control VERB [filter="..."] [dry] [changed=N] [error="..."] --- */

static bool has_line(void *arg)
{
    const struct sim_client *k = arg;
    struct str got = sim_client_got(k);
    return str_find(got, '\n') < got.n || sim_client_is_closed(k);
}

static bool ask(struct scn *s, const struct ctl_request *req, struct ctl_reply *out)
{
    char *path = conf_control_socket(&s->conf);
    struct sim_client *k = sim_client_unix(s->sim, path, 0);
    struct buf line = BUF_INIT;
    struct err err = ERR_NONE;
    free(path);
    if (!k)
        return scn_fail(s, "nobody listens on the control socket");
    ctl_request_write(req, &line);
    sim_client_send(k, buf_str(&line));
    sim_run_until(s->sim, has_line, k, MINUTE_MS);
    struct str got = sim_client_got(k);
    buf_clear(&s->control);
    buf_add_str(&s->control, got);
    int rc = ctl_reply_parse(str_sub(got, 0, str_find(got, '\n')), out, &err);
    sim_client_free(k);
    buf_done(&line);
    return rc == 0 || scn_fail(s, "the control reply: %s", err.text);
}

/* Wait until a job is over. */
static bool follow_job(struct scn *s, struct ctl_reply *r)
{
    for (int i = 0; i < 1000 && r->kind == CTL_REPLY_JOB && r->job.state == CTL_JOB_RUNNING; i++) {
        struct ctl_request *again = xnew(struct ctl_request);
        again->verb = CTL_JOB;
        again->job = r->job.id;
        sim_run_for(s->sim, 50);
        ctl_reply_done(r);
        bool is_ok = ask(s, again, r);
        free(again);
        if (!is_ok)
            return false;
    }
    return true;
}

static bool verb_of(const char *name, enum ctl_verb *out)
{
    for (unsigned v = 0; v < CTL_VERB_COUNT; v++) {
        if (strcmp(ctl_verb_name(v), name) == 0) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool judge_reply(struct scn *s, const struct ctl_reply *r)
{
    const char *changed = words_value(&s->words, 2, "changed");
    const char *error = words_value(&s->words, 2, "error");
    const char *state = words_value(&s->words, 2, "state");
    const char *alarms = words_value(&s->words, 2, "alarms");
    uint64_t n;
    if (error)
        return (r->kind == CTL_REPLY_ERROR && strstr(r->text, error)) ||
               scn_fail(s, "no such error: %s", buf_text(&s->control));
    if (r->kind == CTL_REPLY_ERROR)
        return scn_fail(s, "%s", r->text);
    if (state && r->kind == CTL_REPLY_JOB)
        return strcmp(ctl_job_state_name(r->job.state), state) == 0 ||
               scn_fail(s, "the job: %s", buf_text(&s->control));
    if (state &&
        (r->kind != CTL_REPLY_STATUS || strcmp(engine_state_name(r->status.state), state) != 0))
        return scn_fail(s, "the engine's state: %s", buf_text(&s->control));
    if (alarms && scn_number(s, alarms, &n) && r->status.alarms_n != n)
        return scn_fail(s, "%zu alarms, not %s: %s", r->status.alarms_n, alarms,
                        buf_text(&s->control));
    if (changed && scn_number(s, changed, &n) && r->job.changed != n)
        return scn_fail(s, "changed %llu, not %s", (unsigned long long)r->job.changed, changed);
    return !s->has_failed;
}

bool scn_control(struct scn *s)
{
    struct ctl_request *req = xnew(struct ctl_request);
    struct ctl_reply *reply = xnew(struct ctl_reply);
    const char *filter = words_value(&s->words, 2, "filter"), *to = words_value(&s->words, 2, "to");
    bool is_ok = s->words.n >= 2 && verb_of(s->words.w[1], &req->verb);
    if (!is_ok)
        scn_fail(s, "control VERB [filter=F] [to=WAY] [text=T] [job=last|last-N] [dry] [changed=N] [error=T] "
                    "[state=S]");
    str_copy(str_of(filter ? filter : ""), req->filter, sizeof(req->filter));
    str_copy(str_of(to ? to : ""), req->to, sizeof(req->to));
    str_copy(str_of(words_value(&s->words, 2, "text")), req->text, sizeof(req->text));
    str_copy(str_of(words_value(&s->words, 2, "reason")), req->reason, sizeof(req->reason));
    if (words_value(&s->words, 2, "for") &&
        !text_parse_duration(str_of(words_value(&s->words, 2, "for")), &req->for_ms))
        is_ok = scn_fail(s, "for= is no time");
    const char *job = words_value(&s->words, 2, "job"); /* "last", "last-2" */
    if (job)
        req->job = s->last_jobs[job[4] == '-' ? (unsigned)(job[5] - '0') % SCN_JOBS : 0];
    for (size_t i = 2; i < s->words.n; i++) {
        req->is_dry_run |= strcmp(s->words.w[i], "dry") == 0;
        req->is_rule |= strcmp(s->words.w[i], "rule") == 0;
    }
    bool is_followed = true; /* until it is over, or paused */
    for (size_t i = 2; i < s->words.n; i++)
        is_followed &= strcmp(s->words.w[i], "nowait") != 0;
    is_ok = is_ok && ask(s, req, reply) && (!is_followed || follow_job(s, reply)) && judge_reply(s, reply);
    if (reply->kind == CTL_REPLY_JOB) {
        memmove(s->last_jobs + 1, s->last_jobs, sizeof(s->last_jobs) - sizeof(s->last_jobs[0]));
        s->last_jobs[0] = reply->job.id;
    }
    ctl_reply_done(reply);
    free(reply);
    free(req);
    return is_ok;
}
