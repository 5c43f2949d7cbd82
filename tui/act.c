/* SPDX-License-Identifier: ISC */
#include "tui/act.h"

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tui/say.h"

#define JOB_POLL_MS 500

static const struct {
    const char *key, *from, *to;
} ages[] = {
    {"5m", NULL, "5m"},        {"20m", "5m", "20m"},          {"80m", "20m", "80m"},
    {"5h20m", "80m", "5h20m"}, {"21h20m", "5h20m", "21h20m"}, {"older", "21h20m", NULL},
};

static enum filter_word word_of(enum view_group by)
{
    switch (by) {
    case VIEW_GROUP_CAUSE: return FILTER_CAUSE;
    case VIEW_GROUP_DOMAIN: return FILTER_DOMAIN;
    case VIEW_GROUP_SITE: return FILTER_SITE;
    case VIEW_GROUP_SENDER: return FILTER_FROM;
    default: return FILTER_AGE;
    }
}

static void add_age(struct buf *out, const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
        if (strcmp(ages[i].key, key) != 0)
            continue;
        if (ages[i].to)
            buf_printf(out, " age:<%s", ages[i].to);
        if (ages[i].from && ages[i].to)
            buf_printf(out, " -age:<%s", ages[i].from);
        else if (ages[i].from)
            buf_printf(out, " age:>=%s", ages[i].from);
    }
}

/* The filter without the words of one kind; excluding words stay. */
static bool drop_word(const char *filter, enum filter_word word, struct buf *out)
{
    struct filter f, kept = {.n = 0};

    if (filter_parse(str_of(filter), 0, &f, NULL) < 0)
        return false;
    for (size_t i = 0; i < f.n; i++) {
        if (f.terms[i].word != word || f.terms[i].is_excluded)
            kept.terms[kept.n++] = f.terms[i];
    }
    filter_text(&kept, out);
    filter_done(&f);
    return true;
}

bool act_narrow(const char *filter, enum view_group by, const char *key, char *out, size_t size)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    enum filter_word word = word_of(by);

    if (!drop_word(filter, key[0] ? word : FILTER_TRIES, &b))
        return false;
    if (word == FILTER_AGE)
        add_age(&b, key);
    else if (!key[0])
        buf_add_z(&b, word == FILTER_FROM ? " from:\"\"" : " tries:0");
    else if (strchr(key, '"'))
        return false;
    else
        buf_printf(&b, " %s:\"%s\"", filter_word_name(word), key);
    return str_copy(str_trim(buf_str(&b)), out, size);
}

struct target {
    char filter[FILTER_BYTES_MAX + 1];
    char which[200];
    bool is_many;
};

static const char *applied(const struct app *a)
{
    return a->queue.is_filter_off ? "" : a->queue.filter;
}

static void target_ids(const int64_t *ids, size_t n, struct target *t)
{
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    char id[ID_TEXT_MAX];

    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%sid:%s", i ? " " : "", id_text(ids[i], id));
    str_copy(buf_str(&b), t->filter, sizeof(t->filter));
}

static bool target_row(const struct app *a, struct target *t)
{
    const struct queue_pane *q = &a->queue;
    char to[100];
    int64_t id;

    if (a->detail.is_open) {
        if (!a->detail.data)
            return false;
        id = a->detail.rcpt_id ? a->detail.rcpt_id : a->detail.data->rcpt_id;
        snprintf(t->which, sizeof(t->which), "the recipient that is open");
    } else {
        if (q->sel >= q->n)
            return false;
        id = q->rows[q->sel].rcpt_id;
        text_printable_copy(str_of(q->rows[q->sel].to), to, sizeof(to));
        snprintf(t->which, sizeof(t->which), "to %s", to);
    }
    target_ids(&id, 1, t);
    return true;
}

static bool target_group(const struct app *a, struct target *t)
{
    const struct queue_pane *q = &a->queue;
    const struct view_group_row *g = &q->groups[q->group_sel];
    char key[120];

    t->is_many = true;
    text_printable_copy(str_of(g->key[0] ? g->key : "not tried yet"), key, sizeof(key));
    snprintf(t->which, sizeof(t->which), "%s: %s", view_group_name(q->group), key);
    return act_narrow(applied(a), q->group, g->key, t->filter, sizeof(t->filter));
}

static bool target_of(const struct app *a, bool is_all, struct target *t)
{
    const struct queue_pane *q = &a->queue;

    *t = (struct target){.is_many = false};
    if (is_all) {
        t->is_many = true;
        str_copy(str_of(applied(a)), t->filter, sizeof(t->filter));
        if (t->filter[0])
            snprintf(t->which, sizeof(t->which), "filter %.150s", t->filter);
        else
            snprintf(t->which, sizeof(t->which), "everything in the queue");
        return true;
    }
    if (a->detail.is_open)
        return target_row(a, t);
    if (q->marks_n > 0) {
        target_ids(q->marks, q->marks_n, t);
        t->is_many = q->marks_n > 1;
        snprintf(t->which, sizeof(t->which), "the %zu marked", q->marks_n);
        return true;
    }
    if (q->is_grouped)
        return q->group_sel < q->groups_n && target_group(a, t);
    return target_row(a, t);
}

static void open_dialog(struct app *a, enum ctl_verb verb, const struct target *t)
{
    struct dialog *d = &a->dialog;
    struct ask *ask;

    *d = (struct dialog){.state = DIALOG_COUNTING, .verb = verb, .opened_mono_ms = a->now_mono_ms};
    str_copy(str_of(t->filter), d->filter, sizeof(d->filter));
    str_copy(str_of(t->which), d->which, sizeof(d->which));
    a->modal = MODAL_DIALOG;
    ask = app_ask(a, ASK_ACT);
    ask->request.verb = verb;
    ask->request.is_dry_run = true;
    ask->is_waiting = true;
    str_copy(str_of(t->filter), ask->request.filter, sizeof(ask->request.filter));
}

/* What cannot be taken back, or may reach somebody twice. */
static bool asks_always(enum ctl_verb verb)
{
    return verb == CTL_DELETE || verb == CTL_CONFIRM || verb == CTL_RESEND;
}

void act_begin(struct app *a, enum ctl_verb verb, bool is_all)
{
    struct target t;

    if (a->conf->read_only) {
        app_note(a, true, "Read-only: %s is not possible here.", ctl_verb_name(verb));
    } else if (a->is_engine_known && !a->is_engine_up) {
        app_note(a, true, "The engine is not running: mail can be read, not changed.");
    } else if (a->is_waiting[ASK_ACT]) {
        app_note(a, true, "The last act is still under way.");
    } else if (!target_of(a, is_all, &t)) {
        app_note(a, true, "There is no row to %s.", ctl_verb_name(verb));
    } else if (t.is_many || asks_always(verb)) {
        open_dialog(a, verb, &t);
    } else {
        act_send(a, verb, t.filter);
    }
}

void act_send(struct app *a, enum ctl_verb verb, const char *filter)
{
    struct ask *ask = app_ask(a, ASK_ACT);

    ask->request.verb = verb;
    str_copy(str_of(filter), ask->request.filter, sizeof(ask->request.filter));
    if (verb == CTL_HOLD)
        str_copy(STR("from the console"), ask->request.reason, sizeof(ask->request.reason));
    app_note(a, false, "%s ...", ctl_verb_name(verb));
}

static const char *done_word(enum ctl_verb v)
{
    switch (v) {
    case CTL_RETRY: return "set to be tried now";
    case CTL_HOLD: return "held";
    case CTL_RELEASE: return "released";
    case CTL_DELETE: return "deleted";
    case CTL_CONFIRM: return "counted as delivered";
    case CTL_RESEND: return "to be sent again";
    default: return "changed";
    }
}

static void job_told(struct app *a, const struct ctl_job *job)
{
    char n[32], m[32], id[ID_TEXT_MAX];

    a->has_job = job->state == CTL_JOB_RUNNING;
    a->job = *job;
    a->next_job_mono_ms = a->now_mono_ms + JOB_POLL_MS;
    if (a->has_job) {
        app_note(a, false, "Job %s: %s %s so far ...", id_text(job->id, id),
                 text_count(job->changed, n), done_word(job->verb));
        return;
    }
    if (job->state == CTL_JOB_FAILED)
        app_note(a, true, "%s failed: %s", ctl_verb_name(job->verb), job->error);
    else if (job->changed == 0)
        app_note(a, true, "Nothing %s: no recipient was in a state for it.", done_word(job->verb));
    else if (job->skipped > 0)
        app_note(a, false, "%s %s, %s left alone (not in a state for it).",
                 text_count(job->changed, n), done_word(job->verb), text_count(job->skipped, m));
    else
        app_note(a, false, "%s %s.", text_count(job->changed, n), done_word(job->verb));
    a->queue.marks_n = 0;
    app_refresh(a);
}

static void counted(struct app *a, const struct answer *answer, const char *error)
{
    struct dialog *d = &a->dialog;
    const struct ctl_job *job = &answer->reply.job;

    d->state = error ? DIALOG_FAILED : DIALOG_READY;
    if (error) {
        str_copy(str_of(error), d->error, sizeof(d->error));
        return;
    }
    d->count = job->changed;
    d->skipped = job->skipped;
    d->oldest_wall_ms = job->oldest_wall_ms;
    if (d->count == 0) {
        d->state = DIALOG_FAILED;
        str_copy(STR("No recipient is in a state for this."), d->error, sizeof(d->error));
    }
}

void act_answer(struct app *a, const struct answer *answer)
{
    const char *error = NULL;

    if (answer->rc < 0)
        error = answer->err.text;
    else if (answer->reply.kind == CTL_REPLY_ERROR)
        error = answer->reply.text;
    if (answer->kind == ASK_ACT && a->modal == MODAL_DIALOG && a->dialog.state == DIALOG_COUNTING) {
        counted(a, answer, error);
        return;
    }
    if (answer->kind == ASK_ACT && a->asks[ASK_ACT].request.is_dry_run)
        return; /* its dialog was closed */
    if (error) {
        a->has_job = false;
        app_note(a, true, "%s", error);
    } else if (answer->reply.kind == CTL_REPLY_JOB) {
        job_told(a, &answer->reply.job);
    }
}
