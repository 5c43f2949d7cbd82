/* SPDX-License-Identifier: ISC */
/* The control protocol: round trips, hostile lines. */
#include "tests/unit/unit.h"
#include "core/base/text.h"
#include "core/ctl/proto.h"

static void copy(char *out, size_t size, const char *text)
{
    str_copy(str_of(text), out, size);
}

/* --- round trips --- */

static void request_back(const struct ctl_request *r, struct ctl_request *back)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    ctl_request_write(r, &line);
    assert_true(line.n > 0 && line.p[line.n - 1] == '\n');
    assert_int_equal(str_find(buf_str(&line), '\n'), line.n - 1);
    if (ctl_request_parse(str_sub(buf_str(&line), 0, line.n - 1), back, &err) < 0)
        fail_msg("%s: %s", ctl_verb_name(r->verb), err.text);
}

static void every_request_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int v = 0; v < CTL_VERB_COUNT; v++) {
        struct ctl_request r = {.verb = (enum ctl_verb)v, .is_dry_run = v % 2, .job = 1 + v, .for_ms = 1000 + v, .is_rule = v % 3};
        struct ctl_request back;
        copy(r.filter, sizeof r.filter, "domain:\"a b\" -to:x@y \\ \x01 \xC3\xA9");
        copy(r.reason, sizeof r.reason, "because \"we\" say so");
        copy(r.origin, sizeof r.origin, "ssh 192.0.2.1");
        copy(r.to, sizeof r.to, "mx.example.com:2525");
        copy(r.text, sizeof r.text, "Ask \"Bert\".\nHe knows.");
        request_back(&r, &back);
        assert_memory_equal(&r, &back, sizeof r);
    }
}

static void the_largest_filter_of_the_worst_octets_fits_a_line(void **state)
{
    (void)state;
    struct ctl_request r = {.verb = CTL_HOLD}, back;
    memset(r.filter, 1, FILTER_BYTES_MAX);
    request_back(&r, &back);
    assert_string_equal(r.filter, back.filter);
}

static void reply_back(const struct ctl_reply *r, struct ctl_reply *back)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT;
    struct err err = ERR_NONE;
    ctl_reply_write(r, &line);
    assert_true(line.n <= CTL_LINE_MAX);
    if (ctl_reply_parse(str_sub(buf_str(&line), 0, line.n - 1), back, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(r->kind, back->kind);
}

static void status_comes_back_as_it_was(void **state)
{
    (void)state;
    struct ctl_reply r = {.kind = CTL_REPLY_STATUS}, back;
    struct ctl_status *s = &r.status;
    *s = (struct ctl_status){.state = ENGINE_STORE_SICK,
                             .pid = 4711,
                             .started_wall_ms = 1,
                             .now_wall_ms = 2,
                             .deferred = 3,
                             .messages = 4,
                             .bytes = 5,
                             .oldest_wall_ms = 6,
                             .next_due_wall_ms = 7,
                             .accepted = {1, 2, 3, 4},
                             .rejected = {5, 6, 7, 8},
                             .delivered = {9, 10, 11, 12},
                             .deferrals = {13, 14, 15, 16},
                             .bounced = {17, 18, 19, 20},
                             .sessions = 21,
                             .connections = 22,
                             .connections_max = 23,
                             .sites = 24,
                             .window = 25,
                             .window_max = 26,
                             .store_waiting = 27,
                             .commit_max_ms = 28,
                             .lab_special_use = true};
    for (uint64_t i = 0; i < RCPT_STATE_COUNT; i++)
        s->by_state[i] = 100 + i;
    copy(s->why, sizeof s->why, "the disk is full");
    copy(s->version, sizeof s->version, "0.1.0");
    copy(s->hostname, sizeof s->hostname, "mail.example.com");
    copy(s->listen, sizeof s->listen, "127.0.0.1:25");
    copy(s->dns, sizeof s->dns, "127.0.0.53");
    copy(s->delivery, sizeof s->delivery, "direct");
    copy(s->store, sizeof s->store, "/var/lib/mxhelm");
    reply_back(&r, &back);
    assert_memory_equal(&r.status, &back.status, sizeof r.status);
}

static void job_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int i = 0; i <= CTL_JOB_PAUSED; i++) {
        struct ctl_reply r = {.kind = CTL_REPLY_JOB}, back;
        r.job = (struct ctl_job){.id = 9,
                                 .undoes = 8,
                                 .started_wall_ms = 1,
                                 .ended_wall_ms = 2,
                                 .verb = CTL_DELETE,
                                 .state = (enum ctl_job_state)i,
                                 .is_dry_run = true,
                                 .seen = 3,
                                 .changed = 4,
                                 .skipped = 5,
                                 .oldest_wall_ms = 6};
        copy(r.job.filter, sizeof r.job.filter, "state:held");
        copy(r.job.who, sizeof r.job.who, "uid 0 ssh 192.0.2.1");
        copy(r.job.reason, sizeof r.job.reason, "asked for");
        copy(r.job.error, sizeof r.job.error, "store: no space left");
        reply_back(&r, &back);
        assert_memory_equal(&r.job, &back.job, sizeof r.job);
    }
}

static void every_error_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int c = 0; c < E_CODE_COUNT; c++) {
        struct ctl_reply r = {.kind = c ? CTL_REPLY_ERROR : CTL_REPLY_OK, .code = (enum err_code)c},
                         back;
        copy(r.text, sizeof r.text, "no");
        reply_back(&r, &back);
        assert_int_equal(r.code, back.code);
        assert_string_equal(r.text, back.text);
    }
}

static void jobs_come_back_and_the_oldest_give_way_when_the_line_is_full(void **state)
{
    (void)state;
    static struct ctl_job jobs[CTL_JOBS_MAX];
    struct ctl_reply r = {.kind = CTL_REPLY_JOBS, .jobs = jobs, .jobs_n = CTL_JOBS_MAX}, back;
    for (size_t i = 0; i < CTL_JOBS_MAX; i++)
        jobs[i].id = (int64_t)(100 - i);
    reply_back(&r, &back);
    assert_int_equal(back.jobs_n, CTL_JOBS_MAX);
    assert_int_equal(back.jobs[CTL_JOBS_MAX - 1].id, 51);
    ctl_reply_done(&back);

    for (size_t i = 0; i < CTL_JOBS_MAX; i++)
        memset(jobs[i].filter, 1, FILTER_BYTES_MAX);
    reply_back(&r, &back);
    assert_in_range(back.jobs_n, 3, CTL_JOBS_MAX - 1);
    assert_int_equal(back.jobs[0].id, 100);
    ctl_reply_done(&back);
}

static void octets_that_are_no_utf8_are_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"a lone octet",
         "a\xFF"
         "b",
         "a\xEF\xBF\xBD"
         "b"},
        {"a cut character", "a\xC3", "a\xEF\xBF\xBD"},
        {"an overlong form", "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"a surrogate", "\xED\xA0\x80", NULL},
        {"good text", "\xE2\x82\xAC", "\xE2\x82\xAC"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ctl_reply r = {.kind = CTL_REPLY_ERROR, .code = E_IO}, back;
        copy(r.text, sizeof r.text, rows[i].in);
        reply_back(&r, &back);
        assert_true(text_is_utf8(str_of(back.text)));
        if (rows[i].want)
            row_text(rows[i].name, back.text, rows[i].want);
    }
}

static void numbers_over_the_largest_are_cut(void **state)
{
    (void)state;
    struct ctl_reply r = {.kind = CTL_REPLY_STATUS}, back;
    r.status.bytes = UINT64_MAX;
    reply_back(&r, &back);
    assert_true(back.status.bytes == INT64_MAX);
}

/* --- hostile lines --- */

static void bad_requests_get_one_clear_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum err_code code;
        const char *says;
    } rows[] = {
        {"", E_SYNTAX, "not JSON"},
        {"hello", E_SYNTAX, "not JSON"},
        {"\xFF\xFE", E_SYNTAX, "not JSON"},
        {"GET / HTTP/1.0", E_SYNTAX, "not JSON"},
        {"{", E_SYNTAX, "not JSON"},
        {"[]", E_SYNTAX, "not an object"},
        {"null", E_SYNTAX, "not JSON"},
        {"{\"v\":1,\"verb\":\"status\"} x", E_SYNTAX, "not JSON"},
        {"{\"v\":1,\"verb\":\"status\",\"verb\":\"delete\"}", E_SYNTAX, "duplicate"},
        {"{\"verb\":\"status\"}", E_SYNTAX, "\"v\""},
        {"{\"v\":\"1\",\"verb\":\"status\"}", E_SYNTAX, "\"v\""},
        {"{\"v\":2,\"verb\":\"status\"}", E_STATE, "version 2"},
        {"{\"v\":2,\"nonsense\":[]}", E_STATE, "version 2"},
        {"{\"v\":-1}", E_STATE, "version -1"},
        {"{\"v\":1e0,\"verb\":\"status\"}", E_SYNTAX, "\"v\""},
        {"{\"v\":1}", E_SYNTAX, "\"verb\" is missing"},
        {"{\"v\":1,\"verb\":7}", E_SYNTAX, "\"verb\" must be a string"},
        {"{\"v\":1,\"verb\":\"explode\"}", E_SYNTAX,
         "no verb \"explode\"; there are: status retry"},
        {"{\"v\":1,\"verb\":\"STATUS\"}", E_SYNTAX, "no verb"},
        {"{\"v\":1,\"verb\":\"\\u001b[2J\"}", E_SYNTAX, "no verb \"^[[2J\""},
        {"{\"v\":1,\"verb\":\"delete\",\"dryrun\":true}", E_SYNTAX, "no key \"dryrun\""},
        {"{\"v\":1,\"verb\":\"delete\",\"dry_run\":1}", E_SYNTAX,
         "\"dry_run\" must be true or false"},
        {"{\"v\":1,\"verb\":\"hold\",\"filter\":null}", E_SYNTAX, "\"filter\" must be a string"},
        {"{\"v\":1,\"verb\":\"hold\",\"filter\":{\"a\":1}}", E_SYNTAX,
         "\"filter\" must be a string"},
        {"{\"v\":1,\"verb\":\"hold\",\"filter\":\"a\\u0000b\"}", E_SYNTAX, "not JSON"},
        {"{\"v\":1,\"verb\":\"job\"}", E_SYNTAX, "\"job\" is missing"},
        {"{\"v\":1,\"verb\":\"job\",\"job\":\"3\"}", E_SYNTAX, "\"job\" must be a whole number"},
        {"{\"v\":1,\"verb\":\"job\",\"job\":1.5}", E_SYNTAX, "\"job\" must be a whole number"},
        {"{\"v\":1,\"verb\":\"job\",\"job\":-3}", E_SYNTAX, "\"job\" must be 0 or more"},
        {"{\"v\":1,\"verb\":\"job\",\"job\":99999999999999999999}", E_SYNTAX, "not JSON"},
        {"{\"v\":1,\"verb\":\"job\",\"job\":1e999}", E_SYNTAX, "not JSON"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ctl_request r;
        struct err err = ERR_NONE;
        row_int(rows[i].line, ctl_request_parse(str_of(rows[i].line), &r, &err),
                -(int)rows[i].code);
        row_int(rows[i].line, err.code, rows[i].code);
        if (!strstr(err.text, rows[i].says) || strpbrk(err.text, "\n\033"))
            fail_msg("row %s: \"%s\" does not say \"%s\"", rows[i].line, err.text, rows[i].says);
    }
}

static void refuses(struct str line, enum err_code code, const char *says)
{
    struct ctl_request r;
    struct err err = ERR_NONE;
    assert_int_equal(ctl_request_parse(line, &r, &err), -(int)code);
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
}

static void nul_octets_are_refused_wherever_they_are(void **state)
{
    (void)state;
    refuses(STR("{\"v\":1,\"verb\":\"sta\0tus\"}"), E_SYNTAX, "not JSON");
    refuses(STR("{\"v\":1,\0\"verb\":\"status\"}"), E_SYNTAX, "not JSON");
    refuses(STR("{\"v\":1,\"verb\":\"status\"}\0"), E_SYNTAX, "not JSON");
}

static void deep_nesting_and_long_lines_are_refused(void **state)
{
    (void)state;
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    for (int i = 0; i < 60000; i++)
        buf_add_c(&b, '[');
    refuses(buf_str(&b), E_SYNTAX, "depth");
    for (int i = 0; i < 10000; i++)
        buf_add_z(&b, "{\"a\":");
    refuses(buf_str(&b), E_LIMIT, "64 KiB");

    buf_clear(&b);
    buf_add_z(&b, "{\"v\":1,\"verb\":\"hold\",\"filter\":\"");
    for (int i = 0; i <= FILTER_BYTES_MAX; i++)
        buf_add_c(&b, 'a');
    buf_add_z(&b, "\"}");
    refuses(buf_str(&b), E_LIMIT, "\"filter\" is longer than 2000 octets");
}

static void bad_replies_are_refused_and_leave_nothing_behind(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"{\"v\":1}", "\"reply\" is missing"},
        {"{\"v\":1,\"reply\":\"other\"}", "no reply \"other\""},
        {"{\"v\":1,\"reply\":\"status\"}", "\"status\" is missing"},
        {"{\"v\":1,\"reply\":\"status\",\"status\":3}", "object"},
        {"{\"v\":1,\"reply\":\"status\",\"status\":{\"sessions\":4294967296}}", "larger than"},
        {"{\"v\":1,\"reply\":\"status\",\"status\":{\"accepted\":[1]}}", "object"},
        {"{\"v\":1,\"reply\":\"jobs\",\"jobs\":{}}", "list"},
        {"{\"v\":1,\"reply\":\"jobs\",\"jobs\":[{\"id\":1},{\"id\":\"x\"}]}", "whole number"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ctl_reply r;
        struct err err = ERR_NONE;
        row_int(rows[i].line, ctl_reply_parse(str_of(rows[i].line), &r, &err) < 0, 1);
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %s: \"%s\" does not say \"%s\"", rows[i].line, err.text, rows[i].says);
        assert_null(r.jobs);
    }
}

static void keys_of_a_newer_engine_are_ignored(void **state)
{
    (void)state;
    struct ctl_reply r;
    struct err err = ERR_NONE;
    assert_int_equal(ctl_reply_parse(STR("{\"v\":1,\"reply\":\"status\",\"moon\":true,"
                                         "\"status\":{\"pid\":7,\"tide\":{\"m\":1}}}"),
                                     &r, &err),
                     0);
    assert_int_equal(r.status.pid, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_comes_back_as_it_was),
        cmocka_unit_test(the_largest_filter_of_the_worst_octets_fits_a_line),
        cmocka_unit_test(status_comes_back_as_it_was),
        cmocka_unit_test(job_comes_back_as_it_was),
        cmocka_unit_test(every_error_comes_back_as_it_was),
        cmocka_unit_test(jobs_come_back_and_the_oldest_give_way_when_the_line_is_full),
        cmocka_unit_test(octets_that_are_no_utf8_are_replaced),
        cmocka_unit_test(numbers_over_the_largest_are_cut),
        cmocka_unit_test(bad_requests_get_one_clear_sentence),
        cmocka_unit_test(nul_octets_are_refused_wherever_they_are),
        cmocka_unit_test(deep_nesting_and_long_lines_are_refused),
        cmocka_unit_test(bad_replies_are_refused_and_leave_nothing_behind),
        cmocka_unit_test(keys_of_a_newer_engine_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
