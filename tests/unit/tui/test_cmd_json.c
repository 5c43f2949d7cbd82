/* SPDX-License-Identifier: ISC */
/* The shapes of --json: names that programs rely on. A change here is a change for them. */
#include "tests/unit/unit.h"
#include "core/base/alloc.h"
#include "tui/cli.h"
#include "tui/json.h"

/* What programs may rely on stands in tui/README.md. */
static void is_documented(const char *name)
{
    static char readme[20000];
    size_t n = strlen(name);

    if (!readme[0]) {
        const char *path = getenv("MXHELM_TUI_README");
        FILE *f = path ? fopen(path, "r") : NULL;
        if (!f)
            fail_msg("MXHELM_TUI_README does not name tui/README.md");
        readme[fread(readme, 1, sizeof readme - 1, f)] = '\0';
        fclose(f);
    }
    for (const char *p = readme; (p = strstr(p, name)); p += n)
        if (p > readme && (p[-1] == ' ' || p[-1] == '`') && (p[n] == ' ' || p[n] == '`'))
            return;
    fail_msg("%s is not in tui/README.md", name);
}

static void has(json_t *takes, const char *const *names)
{
    size_t n = 0;
    for (; names[n]; n++) {
        is_documented(names[n]);
        if (!json_object_get(takes, names[n]))
            fail_msg("there is no \"%s\"", names[n]);
    }
    const char *key;
    json_t *v;
    json_object_foreach(takes, key, v)
    {
        for (const char *p = key; *p; p++)
            if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
                fail_msg("\"%s\" is not snake_case", key);
    }
    assert_int_equal(json_object_size(takes), n);
    json_decref(takes);
}

static void names_are_stable(void **state)
{
    (void)state;
    static const char *const row[] = {
        "id",       "recipient_id", "state",      "class",          "from",    "to",
        "domain",   "site",         "subject",    "tries",          "arrival", "last_try",
        "next_try", "finished",     "size_bytes", "cause",          "code",    "enhanced",
        "info",     "note",         "via",        "held_by_engine", NULL};
    static const char *const group[] = {"by",         "key",      "recipients", "domains",
                                        "size_bytes", "oldest",   "next_try",   "domain",
                                        "code",       "enhanced", "info",       NULL};
    static const char *const message[] = {"id",         "arrival",     "class",       "from",
                                          "size_bytes", "origin",      "dsn_ret",     "dsn_envid",
                                          "is_8bit",    "is_utf8",     "header_from", "subject",
                                          "message_id", "header_date", NULL};
    static const char *const attempt[] = {"number",
                                          "start",
                                          "duration_ms",
                                          "delay_before_ready_ms",
                                          "delay_before_connect_ms",
                                          "delay_connect_ms",
                                          "delay_send_ms",
                                          "outcome",
                                          "stage",
                                          "scope",
                                          "cause",
                                          "code",
                                          "enhanced",
                                          "errno",
                                          "host",
                                          "ip",
                                          "port",
                                          "tls",
                                          "tls_version",
                                          "text",
                                          "info",
                                          NULL};
    static const char *const job[] = {
        "job",     "verb",    "state", "filter",  "to",      "text",    "undoes", "who",   "reason",
        "dry_run", "started", "ended", "matched", "changed", "skipped", "oldest", "error", NULL};
    static const char *const totals[] = {"engine",     "recipients", "deferred", "messages",
                                         "size_bytes", "oldest",     NULL};
    static const char *const status[] = {"engine",
                                         "why",
                                         "version",
                                         "hostname",
                                         "pid",
                                         "started",
                                         "now",
                                         "recipients",
                                         "deferred",
                                         "messages",
                                         "size_bytes",
                                         "oldest",
                                         "next_due",
                                         "accepted",
                                         "rejected",
                                         "delivered",
                                         "deferrals",
                                         "bounced",
                                         "sessions",
                                         "connections",
                                         "connections_max",
                                         "sites",
                                         "window",
                                         "window_max",
                                         "store_waiting",
                                         "commit_max_ms",
                                         "listen",
                                         "dns",
                                         "delivery",
                                         "store",
                                         "lab_special_use",
                                         "lab_loopback_targets",
                                         "lab_ca_file",
                                         "alarms",
                                         NULL};
    struct view_row *r = xnew(struct view_row);
    struct view_group_row *g = xnew(struct view_group_row);
    struct message *m = xnew(struct message);
    struct view_attempt *a = xnew(struct view_attempt);
    r->message_id = m->id = 1;
    has(json_of_row(r), row);
    has(json_of_group(g, VIEW_GROUP_SITE), group);
    has(json_of_message(m), message);
    has(json_of_attempt(a), attempt);
    has(json_of_job(&(struct ctl_job){.id = 1}), job);
    has(json_of_totals(&(struct queue_totals){0}), totals);
    has(json_of_status(&(struct ctl_status){0}), status);
    free(r);
    free(g);
    free(m);
    free(a);
}

static const char *text_of(json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void log_lines_are_cut_into_fields(void **state)
{
    (void)state;
    char text[] = "14XX960046XHP: to=<a@b.example>, relay=mx.b.example[192.0.2.1]:25, delay=1.2, "
                  "delays=0.1/0/0.5/0.6, dsn=4.2.2, status=deferred (452 status=sent to=<x@y>)";
    struct view_log_line line = {.wall_ms = 1795507200123, .text = text, .n = strlen(text)};
    json_t *o = json_of_log_line(&line);
    assert_string_equal(text_of(o, "time"), "2026-11-24T08:00:00.123Z");
    assert_string_equal(text_of(o, "id"), "14XX960046XHP");
    assert_string_equal(text_of(o, "status"), "deferred");
    assert_string_equal(text_of(o, "to"), "a@b.example");
    assert_string_equal(text_of(o, "relay"), "mx.b.example[192.0.2.1]:25");
    assert_string_equal(text_of(o, "dsn"), "4.2.2");
    assert_int_equal(json_integer_value(json_object_get(o, "delay_ms")), 1200);
    assert_string_equal(text_of(o, "line"), text);
    json_decref(o);

    char reject[] = "NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 5.7.1 no; from=<a@b> to=<c@d>";
    line = (struct view_log_line){.wall_ms = 1, .text = reject, .n = strlen(reject)};
    o = json_of_log_line(&line);
    assert_string_equal(text_of(o, "id"), "");
    assert_string_equal(text_of(o, "status"), "rejected");
    assert_string_equal(text_of(o, "to"), "c@d");
    assert_string_equal(text_of(o, "from"), "a@b");
    json_decref(o);
}

static void octets_of_peers_become_valid_text_and_no_time_is_null(void **state)
{
    (void)state;
    struct view_row *r = xnew(struct view_row);
    r->message_id = 1;
    str_copy(STR("550 \x1B[2J \xFF no"), r->info, sizeof r->info);
    json_t *o = json_of_row(r);
    assert_string_equal(text_of(o, "info"), "550 \x1B[2J \xEF\xBF\xBD no");
    assert_true(json_is_null(json_object_get(o, "next_try")));
    char *line = json_dumps(o, JSON_COMPACT);
    assert_non_null(strstr(line, "\\u001B[2J"));
    free(line);
    json_decref(o);
    free(r);
}

static void columns_are_cut_and_filled_by_what_is_seen(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in;
        size_t columns;
        bool is_padded;
        const char *want;
    } rows[] = {
        {"fits", "abc", 5, false, "abc"},
        {"filled", "abc", 5, true, "abc  "},
        {"cut", "abcdefgh", 6, false, "abc..."},
        {"exactly", "abcdef", 6, false, "abcdef"},
        {"wide characters", "\xE6\x97\xA5\xE6\x9C\xAC\xE6\x97\xA5", 5, true, "\xE6\x97\xA5..."},
        {"an escape is a token", "a\x1B[2Jb", 20, false, "a^[[2Jb"},
        {"lines are joined", "a\r\nb", 20, false, "a b"},
        {"no limit", "abcdefgh", SIZE_MAX, false, "abcdefgh"},
        {"very narrow", "abcdef", 2, false, "ab"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b CLEANUP(buf_done) = BUF_INIT;
        cli_put(&b, str_of(rows[i].in), rows[i].columns, rows[i].is_padded);
        row_text(rows[i].name, buf_text(&b), rows[i].want);
    }
}

static void every_verb_has_its_words_and_none_is_there_twice(void **state)
{
    (void)state;
    for (const struct verb *v = cli_verbs; v->name; v++) {
        assert_non_null(v->run);
        assert_true(v->usage && v->help[0] && v->more);
        assert_ptr_equal(cli_verb_find(v->name), v);
    }
    assert_null(cli_verb_find("nonsense"));
    assert_null(cli_verb_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_stable),
        cmocka_unit_test(log_lines_are_cut_into_fields),
        cmocka_unit_test(octets_of_peers_become_valid_text_and_no_time_is_null),
        cmocka_unit_test(columns_are_cut_and_filled_by_what_is_seen),
        cmocka_unit_test(every_verb_has_its_words_and_none_is_there_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
