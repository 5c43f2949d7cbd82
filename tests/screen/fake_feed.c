/* SPDX-License-Identifier: ISC */
#include "tests/screen/fake_feed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tests/screen/fake_rows.h"

#define SLOW_MS 30000

/* One for all feeds of the process, as a store is. */
static struct fake {
    const char *name;
    pthread_mutex_t lock;
    struct view_row *rows;
    size_t n;
    struct fake_line *lines;
    size_t lines_n;
    int64_t version, job;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .version = 1};

struct lane {
    atomic_bool is_interrupted;
};

static bool is(const char *name)
{
    return strcmp(fake.name, name) == 0;
}

bool fake_feed_choose(const char *name)
{
    static const char *const names[] = {"busy", "many",     "empty",   "hostile", "down",
                                        "sick", "draining", "nostore", "slow"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0)
            fake.name = names[i];
    }
    if (!fake.name)
        return false;
    fake.rows = xcalloc(FAKE_ROWS_MAX, sizeof(*fake.rows));
    fake.lines = xcalloc(FAKE_LINES_MAX, sizeof(*fake.lines));
    if (is("many"))
        fake.n = fake_rows_many(fake.rows, FAKE_ROWS_MAX);
    else if (is("hostile"))
        fake.n = fake_rows_hostile(fake.rows);
    else if (!is("empty"))
        fake.n = fake_rows_busy(fake.rows);
    if (is("hostile"))
        fake.lines_n = fake_lines_hostile(fake.lines);
    else if (!is("empty"))
        fake.lines_n = fake_lines_busy(fake.lines, FAKE_LINES_MAX);
    return true;
}

/* The waiting of "slow", and the error of "nostore". */
static int enter(struct lane *lane, struct err *err)
{
    if (is("nostore"))
        return err_set(err, E_NOTFOUND,
                       "there is no store at /var/lib/mxhelm yet: the engine has "
                       "not run here");
    atomic_store(&lane->is_interrupted, false);
    for (int ms = 0; is("slow") && ms < SLOW_MS; ms += 5) {
        if (atomic_load(&lane->is_interrupted))
            return err_set(err, E_STATE, "interrupted");
        usleep(5000);
    }
    return 0;
}

/* --- filters, as far as the scenarios need them --- */

static bool has(const char *in, const char *what)
{
    return str_ifind(str_of(in), str_of(what)) != SIZE_MAX;
}

static bool state_matches(const struct view_row *r, int64_t number)
{
    if (number == FILTER_STATE_DEFERRED)
        return r->state == RCPT_QUEUED && r->tries > 0;
    if (number == FILTER_STATE_STUCK)
        return r->state == RCPT_HELD || r->state == RCPT_UNCONFIRMED;
    return (int64_t)r->state == number;
}

static bool term_matches(const struct filter_term *t, const struct view_row *r)
{
    switch (t->word) {
    case FILTER_ID: return r->rcpt_id == t->number || r->message_id == t->number;
    case FILTER_DOMAIN: return strcmp(t->text, r->domain) == 0;
    case FILTER_CAUSE: return strcmp(t->text, r->cause) == 0;
    case FILTER_FROM: return has(r->from, t->text);
    case FILTER_TO: return has(r->to, t->text);
    case FILTER_TRIES: return (int64_t)r->tries == t->number;
    case FILTER_STATE: return state_matches(r, t->number);
    default: return has(r->from, t->text) || has(r->to, t->text) || has(r->info, t->text);
    }
}

/* The same word repeated is OR, different words are AND. */
static bool matches(const struct filter *f, const struct view_row *r)
{
    bool asked[FILTER_WORD_COUNT] = {false}, found[FILTER_WORD_COUNT] = {false};
    bool wants_final = false;

    for (size_t i = 0; f && i < f->n; i++) {
        const struct filter_term *t = &f->terms[i];

        if (t->is_excluded) {
            if (term_matches(t, r))
                return false;
            continue;
        }
        wants_final |= t->word == FILTER_STATE;
        asked[t->word] = true;
        found[t->word] |= term_matches(t, r);
    }
    for (int w = 0; w < FILTER_WORD_COUNT; w++) {
        if (asked[w] && !found[w])
            return false;
    }
    return wants_final || !rcpt_state_is_final(r->state);
}

/* --- rows --- */

static int compare(const struct view_query *q, const struct view_row *a, const struct view_row *b)
{
    int64_t x = a->arrival_wall_ms, y = b->arrival_wall_ms;
    int c;

    switch (q->sort) {
    case VIEW_BY_NEXT:
        x = a->next_wall_ms;
        y = b->next_wall_ms;
        break;
    case VIEW_BY_TRIES:
        x = a->tries;
        y = b->tries;
        break;
    case VIEW_BY_SIZE:
        x = (int64_t)a->size_bytes;
        y = (int64_t)b->size_bytes;
        break;
    case VIEW_BY_STATE:
        x = a->state;
        y = b->state;
        break;
    default: break;
    }
    c = q->sort == VIEW_BY_DOMAIN ? strcmp(a->domain, b->domain) : (x > y) - (x < y);
    if (c == 0)
        c = (a->rcpt_id > b->rcpt_id) - (a->rcpt_id < b->rcpt_id);
    return q->is_descending ? -c : c;
}

static const struct view_query *sorting;

static int compare_at(const void *a, const void *b)
{
    return compare(sorting, *(const struct view_row *const *)a, *(const struct view_row *const *)b);
}

/* All that match, in order. Returns new (free). Under lock. */
static const struct view_row **select_rows(const struct view_query *q, size_t *n)
{
    const struct view_row **all = xcalloc(fake.n + 1, sizeof(struct view_row *));

    *n = 0;
    for (size_t i = 0; i < fake.n; i++) {
        if (matches(q->filter, &fake.rows[i]))
            all[(*n)++] = &fake.rows[i];
    }
    sorting = q;
    qsort(all, *n, sizeof(struct view_row *), compare_at);
    return all;
}

static int fake_view_rows(void *arg, const struct view_query *q, const struct view_cursor *at,
                          bool is_back, struct view_row *rows, unsigned limit, struct err *err)
{
    const struct view_row **all;
    size_t n, from = 0, to;
    int rc = enter(arg, err);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&fake.lock);
    all = select_rows(q, &n);
    if (at && at->is_set) {
        while (from < n && all[from]->rcpt_id != at->rcpt_id)
            from++;
        from += !is_back;
    }
    to = is_back ? from : n;
    if (is_back)
        from = to > limit ? to - limit : 0;
    if (to > from + limit)
        to = from + limit;
    for (size_t i = from; i < to; i++)
        rows[i - from] = *all[i];
    free(all);
    pthread_mutex_unlock(&fake.lock);
    return to > from ? (int)(to - from) : 0;
}

static int fake_count(void *arg, const struct view_query *q, uint64_t *out, struct err *err)
{
    int rc = enter(arg, err);

    if (rc < 0)
        return rc;
    *out = 0;
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < fake.n; i++)
        *out += matches(q->filter, &fake.rows[i]);
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

static const char *group_key(const struct view_row *r, enum view_group by)
{
    int64_t age = FAKE_NOW_MS - r->arrival_wall_ms;

    switch (by) {
    case VIEW_GROUP_CAUSE: return r->cause;
    case VIEW_GROUP_DOMAIN: return r->domain;
    case VIEW_GROUP_SITE: return r->site;
    case VIEW_GROUP_SENDER: return r->from;
    default: return age < 5 * MINUTE_MS ? "5m" : age < 20 * MINUTE_MS ? "20m" : "5h20m";
    }
}

static int larger(const void *a, const void *b)
{
    const struct view_group_row *x = a, *y = b;

    return x->count == y->count ? strcmp(x->key, y->key) : x->count < y->count ? 1 : -1;
}

static void add_to_group(struct view_group_row *g, const struct view_row *r, const char *key)
{
    if (g->count++ == 0) {
        str_copy(str_of(key), g->key, sizeof(g->key));
        str_copy(str_of(r->info), g->info, sizeof(g->info));
        str_copy(str_of(r->domain), g->domain, sizeof(g->domain));
        str_copy(str_of(r->enhanced), g->enhanced, sizeof(g->enhanced));
        g->code = r->code;
        g->domains = 1;
        g->oldest_wall_ms = r->arrival_wall_ms;
        g->next_wall_ms = r->next_wall_ms;
    }
    g->bytes += r->size_bytes;
    if (strcmp(g->domain, r->domain) != 0)
        g->domains = 2;
    if (r->arrival_wall_ms < g->oldest_wall_ms)
        g->oldest_wall_ms = r->arrival_wall_ms;
    if (r->next_wall_ms < g->next_wall_ms)
        g->next_wall_ms = r->next_wall_ms;
}

static int fake_groups(void *arg, const struct view_query *q, enum view_group by,
                       struct view_group_row *rows, unsigned limit, struct err *err)
{
    size_t n = 0;
    int rc = enter(arg, err);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < fake.n; i++) {
        const char *key = group_key(&fake.rows[i], by);
        size_t g = 0;

        if (!matches(q->filter, &fake.rows[i]))
            continue;
        while (g < n && strcmp(rows[g].key, key) != 0)
            g++;
        if (g == limit)
            continue;
        n += g == n;
        add_to_group(&rows[g], &fake.rows[i], key);
    }
    pthread_mutex_unlock(&fake.lock);
    qsort(rows, n, sizeof(*rows), larger);
    return (int)n;
}

static int64_t fake_version(void *arg)
{
    int64_t v;

    (void)arg;
    pthread_mutex_lock(&fake.lock);
    v = is("nostore") ? 0 : fake.version;
    pthread_mutex_unlock(&fake.lock);
    return v;
}

static int fake_totals(void *arg, struct queue_totals *out, struct err *err)
{
    int rc = enter(arg, err);

    if (rc < 0)
        return rc;
    *out = (struct queue_totals){.messages = fake.n};
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < fake.n; i++) {
        out->by_state[fake.rows[i].state]++;
        out->deferred += fake.rows[i].state == RCPT_QUEUED && fake.rows[i].tries > 0;
    }
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

/* --- one message --- */

static int fake_recipients(void *arg, int64_t message_id, int64_t after_id, struct view_row *rows,
                           unsigned limit, struct err *err)
{
    int n = 0, rc = enter(arg, err);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < fake.n && n < (int)limit; i++) {
        if (fake.rows[i].message_id == message_id && fake.rows[i].rcpt_id > after_id)
            rows[n++] = fake.rows[i];
    }
    pthread_mutex_unlock(&fake.lock);
    return n;
}

static int fake_message(void *arg, int64_t message_id, struct message *out, struct err *err)
{
    struct view_row *r = xnew(struct view_row);
    int rc = fake_recipients(arg, message_id, 0, r, 1, err);

    if (rc == 0)
        rc = err_set(err, E_NOTFOUND, "there is no such message any more");
    if (rc > 0) {
        *out = (struct message){
            .id = message_id, .arrival_wall_ms = r->arrival_wall_ms, .size_bytes = r->size_bytes};
        str_copy(str_of(r->from), out->reverse_path, sizeof(out->reverse_path));
        str_copy(STR("smtp [10.0.0.5]:4711 app1"), out->origin, sizeof(out->origin));
        str_copy(str_of(r->from), out->digest.from, sizeof(out->digest.from));
        str_copy(str_of(r->subject), out->digest.subject, sizeof(out->digest.subject));
        str_copy(STR("<4711@app1.shop.example>"), out->digest.message_id,
                 sizeof(out->digest.message_id));
    }
    free(r);
    return rc < 0 ? rc : 0;
}

static int fake_attempts(void *arg, int64_t rcpt_id, int64_t after_id, struct view_attempt *rows,
                         unsigned limit, struct err *err)
{
    int n = 0, rc = enter(arg, err);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < fake.n; i++) {
        const struct view_row *r = &fake.rows[i];

        for (unsigned t = 1; r->rcpt_id == rcpt_id && t <= r->tries && n < (int)limit; t++) {
            struct view_attempt *a = &rows[n];

            if ((int64_t)t <= after_id)
                continue;
            *a = (struct view_attempt){.id = t, .number = t, .duration_ms = 580};
            a->start_wall_ms = r->arrival_wall_ms + (int64_t)t * 10 * MINUTE_MS;
            a->outcome.class = r->state == RCPT_DELIVERED ? OUTCOME_DELIVERED
                               : r->state == RCPT_BOUNCED ? OUTCOME_FAILED
                                                          : OUTCOME_DEFERRED;
            a->outcome.stage = r->code ? STAGE_EOD : STAGE_CONNECT;
            a->outcome.code = r->code;
            str_copy(str_of(r->enhanced), a->outcome.enhanced, sizeof(a->outcome.enhanced));
            snprintf(a->outcome.host, sizeof(a->outcome.host), "mx.%s", r->domain);
            str_copy(STR("192.0.2.77"), a->outcome.ip, sizeof(a->outcome.ip));
            str_copy(str_of(r->info), a->outcome.text, sizeof(a->outcome.text));
            n++;
        }
    }
    pthread_mutex_unlock(&fake.lock);
    return n;
}

static int fake_transcript(void *arg, int64_t attempt_id, struct buf *out, struct err *err)
{
    int rc = enter(arg, err);

    if (rc < 0)
        return rc;
    if (attempt_id % 2 == 0)
        return err_set(err, E_NOTFOUND, "no transcript of that try is kept");
    buf_add_z(out, "-4 dns MX y.example: 10 mx.y.example (TTL 300 s) by 127.0.0.1:53\n"
                   "-4 mx 1. mx.y.example, preference 10\n"
                   "0 dns A mx.y.example: 192.0.2.77 (TTL 300 s) by 127.0.0.1:53\n"
                   "0 try mx.y.example[192.0.2.77]:25\n"
                   "21 < 220 mx.y.example ESMTP\n"
                   "21 > EHLO mta1.example\n"
                   "... 7 lines left out ...\n"
                   "580 < 421 4.7.28 slow down\n");
    return 0;
}

static int fake_header(void *arg, int64_t message_id, struct buf *out, struct err *err)
{
    struct message *m = xnew(struct message);
    int rc = fake_message(arg, message_id, m, err);

    if (rc == 0)
        buf_printf(out,
                   "Received: from app1 (app1 [10.0.0.5]) by mta1.example\r\n\tfor <%s>\r\n"
                   "From: Shop <%s>\r\nSubject: %s\r\nMessage-ID: %s\r\n",
                   "x@y.example", m->digest.from, m->digest.subject, m->digest.message_id);
    free(m);
    return rc;
}

/* --- the log --- */

static bool line_matches(const struct view_log_query *q, const struct fake_line *l)
{
    struct str text = str_of(l->text);

    if (q->needle.n > 0 && str_ifind(text, q->needle) == SIZE_MAX)
        return false;
    return !q->filter || filter_match_line(q->filter, text, l->wall_ms);
}

static void add_line(struct view_log_page *out, const struct fake_line *l)
{
    out->lines = xreallocarray(out->lines, out->n + 1, sizeof(*out->lines));
    out->lines[out->n++] = (struct view_log_line){
        .id = l->id, .wall_ms = l->wall_ms, .text = xstrdup(l->text), .n = strlen(l->text)};
}

static int fake_log_back(void *arg, const struct view_log_query *q, int64_t before_id,
                         unsigned limit, int64_t budget_ms, struct view_log_page *out,
                         struct err *err)
{
    size_t first = fake.lines_n;
    unsigned found = 0;
    int rc = enter(arg, err);

    (void)budget_ms;
    if (rc < 0)
        return rc;
    *out = (struct view_log_page){.is_start = true};
    while (first > 0 && found < limit) {
        first--;
        found += fake.lines[first].id < before_id && line_matches(q, &fake.lines[first]);
    }
    out->is_start = first == 0;
    for (size_t i = first; i < fake.lines_n; i++) {
        if (fake.lines[i].id < before_id && line_matches(q, &fake.lines[i]))
            add_line(out, &fake.lines[i]);
    }
    return 0;
}

static int fake_log_forward(void *arg, const struct view_log_query *q, int64_t after_id,
                            unsigned limit, int64_t budget_ms, struct view_log_page *out,
                            struct err *err)
{
    int rc = enter(arg, err);

    (void)budget_ms;
    if (rc < 0)
        return rc;
    *out = (struct view_log_page){.is_start = false};
    for (size_t i = 0; i < fake.lines_n && out->n < limit; i++) {
        if (fake.lines[i].id > after_id && line_matches(q, &fake.lines[i]))
            add_line(out, &fake.lines[i]);
    }
    return 0;
}

static int fake_log_count(void *arg, const struct view_log_query *q, int64_t budget_ms,
                          uint64_t *out, bool *is_cut, struct err *err)
{
    int rc = enter(arg, err);

    (void)budget_ms;
    if (rc < 0)
        return rc;
    *out = 0;
    *is_cut = false;
    for (size_t i = 0; i < fake.lines_n; i++)
        *out += line_matches(q, &fake.lines[i]);
    return 0;
}

/* --- the engine --- */

static void fill_status(struct ctl_status *s)
{
    *s = (struct ctl_status){.state = ENGINE_RUNNING, .delivered.m1 = 1214};
    str_copy(STR("mta1.example"), s->hostname, sizeof(s->hostname));
    if (is("sick")) {
        s->state = ENGINE_STORE_SICK;
        str_copy(STR("write the queue: no space left on device; neither accepting nor delivering"),
                 s->why, sizeof(s->why));
    }
    if (is("draining"))
        s->state = ENGINE_DRAINING;
}

static bool may(enum ctl_verb verb, struct view_row *r, bool is_dry_run)
{
    enum rcpt_state to = verb == CTL_HOLD     ? RCPT_HELD
                         : verb == CTL_DELETE ? RCPT_DELETED
                                              : RCPT_QUEUED;

    if (verb == CTL_RETRY && r->state != RCPT_QUEUED)
        return false;
    if (verb == CTL_RELEASE && r->state != RCPT_HELD)
        return false;
    if (verb != CTL_RETRY && !rcpt_state_may_go(r->state, to))
        return false;
    if (!is_dry_run) {
        r->state = to;
        r->next_wall_ms = FAKE_NOW_MS;
    }
    return true;
}

static int run_act(const struct ctl_request *req, struct ctl_reply *out, struct err *err)
{
    struct filter f;
    struct ctl_job *job = &out->job;
    int rc = filter_parse(str_of(req->filter), FAKE_NOW_MS, &f, err);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&fake.lock);
    out->kind = CTL_REPLY_JOB;
    *job = (struct ctl_job){.id = ++fake.job, .verb = req->verb, .state = CTL_JOB_DONE};
    for (size_t i = 0; i < fake.n; i++) {
        if (!matches(&f, &fake.rows[i]))
            continue;
        job->seen++;
        if (!may(req->verb, &fake.rows[i], req->is_dry_run)) {
            job->skipped++;
            continue;
        }
        job->changed++;
        if (job->oldest_wall_ms == 0 || fake.rows[i].arrival_wall_ms < job->oldest_wall_ms)
            job->oldest_wall_ms = fake.rows[i].arrival_wall_ms;
    }
    fake.version += !req->is_dry_run;
    pthread_mutex_unlock(&fake.lock);
    filter_done(&f);
    return 0;
}

static int fake_call(void *arg, const struct ctl_request *req, bool is_waiting,
                     struct ctl_reply *out, struct err *err)
{
    (void)arg;
    (void)is_waiting;
    if (is("down") || is("nostore"))
        return err_set(err, E_DOWN, "the engine is not running (/run/mxhelm/control.sock)");
    if (req->verb != CTL_STATUS)
        return run_act(req, out, err);
    out->kind = CTL_REPLY_STATUS;
    fill_status(&out->status);
    return 0;
}

static int fake_check(void *arg, void (*result)(void *to, const struct feed_check *c), void *to,
                      struct err *err)
{
    static const struct feed_check checks[] = {
        {"resolver", FEED_CHECK_OK, "127.0.0.1 answers, and does not invent names",
         "The resolver answers and tells the truth about names that do not exist.", "", "", "", 4},
        {"port 25", FEED_CHECK_OK, "gmail.example greets us: 220 mx.gmail.example ESMTP",
         "Port 25 leads out.", "", "", "", 61},
        {"reverse DNS", FEED_CHECK_FAIL, "192.0.2.10 -> mta1.example -> 192.0.2.11",
         "The name that this IP points to does not point back to it.",
         "Receivers trust such mail less, or defer it (4.7.25, 5.7.25).",
         "PTR 10.2.0.192.in-addr.arpa = mta1.example\nA   mta1.example = 192.0.2.11",
         "Publish: mta1.example. 300 IN A 192.0.2.10", 14},
        {"SPF", FEED_CHECK_WARN, "shop.example has a record that does not name 192.0.2.10",
         "The sender's domain says who may send for it; we are not among them.",
         "Mail is deferred, or put into junk.", "TXT shop.example = v=spf1 mx -all",
         "Publish: shop.example. TXT \"v=spf1 mx ip4:192.0.2.10 -all\"", 41},
        {"port 25 IPv6", FEED_CHECK_UNKNOWN, "there is no IPv6 route here",
         "It could not be tested.", "", "", "", 1},
    };

    (void)arg;
    (void)err;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        result(to, &checks[i]);
    return 0;
}

static void fake_interrupt(void *arg)
{
    struct lane *lane = arg;

    atomic_store(&lane->is_interrupted, true);
}

static const struct feed_ops ops = {
    .version = fake_version,
    .rows = fake_view_rows,
    .count = fake_count,
    .groups = fake_groups,
    .totals = fake_totals,
    .message = fake_message,
    .recipients = fake_recipients,
    .attempts = fake_attempts,
    .transcript = fake_transcript,
    .header = fake_header,
    .log_back = fake_log_back,
    .log_forward = fake_log_forward,
    .log_count = fake_log_count,
    .call = fake_call,
    .check = fake_check,
    .interrupt = fake_interrupt,
    .close = free,
};

static struct feed open_feed(const void *arg)
{
    (void)arg;
    return (struct feed){&ops, xnew(struct lane)};
}

struct feed_source fake_feed_source(void)
{
    return (struct feed_source){open_feed, NULL};
}

static int64_t stands_still(const struct clock *c)
{
    (void)c;
    return FAKE_NOW_MS;
}

static int64_t goes_on(const struct clock *c)
{
    (void)c;
    return clock_system()->mono_ms(clock_system());
}

const struct clock *fake_clock(void)
{
    static const struct clock clock = {stands_still, goes_on};

    return &clock;
}
