/* SPDX-License-Identifier: ISC */
#include "tui/retry_table.h"

#include <inttypes.h>

#include "core/base/clock.h"

/* The line "..." stands for the tries behind. */
#define ROWS_MAX 16

static bool is_same_policy(const struct retry_policy *a, const struct retry_policy *b)
{
    return a->first_ms == b->first_ms && a->max_ms == b->max_ms &&
           a->growth_percent == b->growth_percent && a->lifetime_ms == b->lifetime_ms &&
           a->report_lifetime_ms == b->report_lifetime_ms &&
           a->delay_notice_ms == b->delay_notice_ms && a->unconfirmed_ms == b->unconfirmed_ms;
}

static void fill(struct retry_column *c, const struct retry_policy *p)
{
    *c = (struct retry_column){.policy = p};
    retry_schedule(p, false, &c->mail);
    retry_schedule(p, true, &c->report);
}

size_t retry_columns(const struct retry_policy *in_force,
                     struct retry_column out[RETRY_COLUMNS_MAX])
{
    const struct retry_policy *profiles[] = {retry_profile(STR("normal")),
                                             retry_profile(STR("short"))};
    size_t n = 0, found = ARRAY_LEN(profiles);
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (is_same_policy(in_force, profiles[i]))
            found = i;
    if (found == ARRAY_LEN(profiles)) {
        fill(&out[n], in_force);
        out[n].is_in_force = out[n].is_changed = true;
        n++;
    }
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        fill(&out[n], profiles[i]);
        out[n++].is_in_force = i == found;
    }
    return n;
}

/* --- what the RFC says of it --- */

static int64_t lifetime(const struct retry_column *c)
{
    return c->policy->lifetime_ms;
}

static int64_t longest(const struct retry_column *c)
{
    return c->mail.longest_ms;
}

static int64_t in_first_hour(const struct retry_column *c)
{
    return c->mail.in_first_hour;
}

static int64_t shortest(const struct retry_column *c)
{
    return c->mail.shortest_ms;
}

static int64_t tries(const struct retry_column *c)
{
    return (int64_t)c->mail.tries;
}

static int64_t report_lifetime(const struct retry_column *c)
{
    return c->policy->report_lifetime_ms;
}

static int64_t report_tries(const struct retry_column *c)
{
    return (int64_t)c->report.tries;
}

static int64_t delay_notice(const struct retry_column *c)
{
    return c->policy->delay_notice_ms;
}

/* RFC 5321 4.5.4.1; min and max are what keeps it, 0 = no bound. */
static const struct rule {
    const char *label, *name;
    int64_t (*value)(const struct retry_column *c);
    bool is_count;
    const char *rfc;
    int64_t min, max;
} rules[] = {
    {"given up after", "lifetime_ms", lifetime, false, "at least 4 to 5 days", 4 * DAY_MS, 0},
    {"tries in the first hour", "tries_in_first_hour", in_first_hour, true, "two", 2, 0},
    {"shortest wait", "shortest_wait_ms", shortest, false, "30 minutes, in general",
     RETRY_RFC_INTERVAL_MS, 0},
    {"longest wait", "longest_wait_ms", longest, false, "two or three hours", 2 * HOUR_MS,
     3 * HOUR_MS},
    {"tries in all", "tries", tries, true, "", 0, 0},
    {"reports given up after", "report_lifetime_ms", report_lifetime, false,
     "may be sooner than mail", 0, 0},
    {"tries of a report", "report_tries", report_tries, true, "", 0, 0},
    {"sender told of a delay", "delay_notice_ms", delay_notice, false, "", 0, 0},
};

static bool is_kept(const struct rule *r, int64_t value)
{
    return value >= r->min && (r->max == 0 || value <= r->max);
}

/* --- for people --- */

/* The two largest units: "7m30s", "2d04h", "5d". */
static const char *span(int64_t ms, char out[24])
{
    static const struct {
        int64_t ms;
        char name;
    } units[] = {{DAY_MS, 'd'}, {HOUR_MS, 'h'}, {MINUTE_MS, 'm'}, {SECOND_MS, 's'}};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && ms < units[i].ms)
        i++;
    int64_t rest = ms % units[i].ms;
    int64_t small = i + 1 < ARRAY_LEN(units) ? rest / units[i + 1].ms : 0;
    if (small > 0)
        snprintf(out, 24, "%" PRId64 "%c%02" PRId64 "%c", ms / units[i].ms, units[i].name, small,
                 units[i + 1].name);
    else
        snprintf(out, 24, "%" PRId64 "%c", ms / units[i].ms, units[i].name);
    return out;
}

static const char *title(const struct retry_column *c)
{
    return c->is_changed ? "in force" : c->policy->name;
}

static void put_row(struct buf *out, const struct retry_column *columns, size_t n, size_t row)
{
    char wait[24], since[24];
    buf_printf(out, "  %3zu", row + 1);
    for (size_t i = 0; i < n; i++) {
        const struct retry_schedule *s = &columns[i].mail;
        bool is_there = row < s->rows_n;
        buf_printf(out, "  %8s %13s",
                   !is_there  ? ""
                   : row == 0 ? "-"
                              : span(s->rows[row].wait_ms, wait),
                   is_there ? span(s->rows[row].since_arrival_ms, since) : "");
    }
    buf_add_c(out, '\n');
}

/* The wait that stays, and the end. */
static void put_end(struct buf *out, const struct retry_column *c)
{
    const struct retry_schedule *s = &c->mail;
    char wait[24], end[24];
    bool is_steady = s->growing_n < s->rows_n;
    buf_printf(out, "  %8s %13s", is_steady ? span(s->rows[s->growing_n].wait_ms, wait) : "",
               span(c->policy->lifetime_ms, end));
}

static void put_schedule(struct buf *out, const struct retry_column *columns, size_t n)
{
    size_t rows = 0;
    for (size_t i = 0; i < n; i++)
        rows = columns[i].mail.growing_n > rows ? columns[i].mail.growing_n : rows;
    rows = rows < ROWS_MAX ? rows : ROWS_MAX;
    buf_printf(
        out,
        "\nWhen mail that nobody takes is tried (each wait is up to %d %% longer or shorter):\n\n",
        RETRY_JITTER_PERCENT);
    buf_add_z(out, "     ");
    for (size_t i = 0; i < n; i++) {
        char text[48];
        bool is_marked = columns[i].is_in_force && !columns[i].is_changed;
        snprintf(text, sizeof text, "%s%s", title(&columns[i]), is_marked ? " (in force)" : "");
        buf_printf(out, "  %22s", text);
    }
    buf_add_z(out, "\n  try");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "  %8s %13s", "wait", "since arrival");
    buf_add_c(out, '\n');
    for (size_t row = 0; row < rows; row++)
        put_row(out, columns, n, row);
    buf_add_z(out, "  ...");
    for (size_t i = 0; i < n; i++)
        put_end(out, &columns[i]);
    buf_add_c(out, '\n');
}

static void put_rule(struct buf *out, const struct rule *r, const struct retry_column *columns,
                     size_t n)
{
    buf_printf(out, "  %-23s", r->label);
    for (size_t i = 0; i < n; i++) {
        int64_t value = r->value(&columns[i]);
        char text[24] = "-";
        if (r->is_count)
            snprintf(text, sizeof text, "%" PRId64, value);
        else if (value > 0)
            span(value, text);
        buf_printf(out, "  %8s%s", text,
                   !is_kept(r, value)       ? "*"
                   : i + 1 < n || r->rfc[0] ? " "
                                            : "");
    }
    buf_printf(out, "%s%s\n", r->rfc[0] ? "  " : "", r->rfc);
}

static void put_notes(struct buf *out, const struct retry_column *columns, size_t n)
{
    char often[24], min[24];
    const struct retry_column *c = columns;
    while (c < columns + n - 1 && !c->is_in_force)
        c++;
    buf_add_z(out, "\n* not what the RFC says.");
    if (c->mail.often_until_ms > 0)
        buf_printf(
            out,
            " Short waits (in force: under 30 minutes until %s\n"
            "after arrival) are for servers that greylist: they refuse whom they do not know,\n"
            "and take the same message minutes later (RFC 6647).",
            span(c->mail.often_until_ms, often));
    buf_printf(out,
               "\nWhen a server says when to come back, we come no earlier (at least %s, at most\n"
               "the longest wait); after each of the first %d tries no later either.\n",
               span(RETRY_HINT_MIN_MS, min), RETRY_HINT_SHORTENS);
}

void retry_table_put(struct buf *out, const struct retry_column *columns, size_t n)
{
    put_schedule(out, columns, n);
    buf_printf(out, "\n  %-23s", "");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "  %8s ", title(&columns[i]));
    buf_add_z(out, "  RFC 5321 4.5.4.1\n");
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        put_rule(out, &rules[i], columns, n);
    put_notes(out, columns, n);
}

/* --- for programs --- */

static json_t *json_of_tries(const struct retry_schedule *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->growing_n; i++) {
        json_t *o = json_object();
        json_put_count(o, "number", i + 1);
        json_put_int(o, "wait_ms", s->rows[i].wait_ms);
        json_put_int(o, "since_arrival_ms", s->rows[i].since_arrival_ms);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *json_of_rules(const struct retry_column *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (!rules[i].rfc[0])
            continue;
        json_t *o = json_object();
        json_put_text(o, "name", rules[i].name);
        json_put_text(o, "rfc", rules[i].rfc);
        json_put_bool(o, "is_kept", is_kept(&rules[i], rules[i].value(c)));
        json_array_append_new(list, o);
    }
    return list;
}

json_t *json_of_retry(const struct retry_column *c)
{
    json_t *o = json_object();
    json_put_text(o, "profile", c->policy->name);
    json_put_bool(o, "is_in_force", c->is_in_force);
    json_put_bool(o, "is_changed", c->is_changed);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        json_put_int(o, rules[i].name, rules[i].value(c));
    json_put_int(o, "often_until_ms", c->mail.often_until_ms);
    json_put(o, "schedule", json_of_tries(&c->mail));
    json_put(o, "rfc_5321_4_5_4_1", json_of_rules(c));
    return o;
}
