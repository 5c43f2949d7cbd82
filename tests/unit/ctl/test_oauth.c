/* SPDX-License-Identifier: ISC */
#include "core/ctl/oauth.h"
#include "tests/unit/unit.h"

static void answers_of_token_endpoints_are_read(void **state)
{
    static const struct {
        const char *name;
        struct str body;
        const char *access, *refresh;
        int64_t expires_s;
        const char *why;
    } rows[] = {
        {"whole",
         STR("{\"access_token\":\"ya29.x\",\"refresh_token\":\"1//r\",\"expires_in\":3599}"), "ya29.x",
         "1//r", 3599, ""},
        {"no life said", STR("{\"access_token\":\"t\",\"token_type\":\"Bearer\"}"), "t", "", 0, ""},
        {"life as a text", STR("{\"access_token\":\"t\",\"expires_in\":\"3600\"}"), "t", "", 3600, ""},
        {"negative life", STR("{\"access_token\":\"t\",\"expires_in\":-5}"), "t", "", 0, ""},
        {"endless life", STR("{\"access_token\":\"t\",\"expires_in\":9999999999999}"), "t", "",
         INT32_MAX, ""},
        {"refused", STR("{\"error\":\"invalid_grant\",\"error_description\":\"revoked\"}"), "", "", 0,
         "invalid_grant: revoked"},
        {"refused in one word", STR("{\"error\":\"invalid_client\"}"), "", "", 0, "invalid_client"},
        {"hostile words", STR("{\"error\":\"\\u001b[2Jx\"}"), "", "", 0, "[2Jx"},
        {"a token of two lines", STR("{\"access_token\":\"a\\r\\nQUIT\"}"), "", "", 0,
         "holds no access_token"},
        {"not a text", STR("{\"access_token\":7}"), "", "", 0, "holds no access_token"},
        {"a list", STR("[]"), "", "", 0, "not a JSON object"},
        {"a page", STR("<html>"), "", "", 0, "not a JSON object"},
        {"nothing", STR_NONE, "", "", 0, "not a JSON object"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct oauth_answer a;
        oauth_parse(rows[i].body, &a);
        row_text(rows[i].name, a.access_token ? a.access_token : "", rows[i].access);
        row_text(rows[i].name, a.refresh_token ? a.refresh_token : "", rows[i].refresh);
        row_int(rows[i].name, a.expires_s, rows[i].expires_s);
        if (!strstr(a.why, rows[i].why) || (!rows[i].why[0] && a.why[0]) || strchr(a.why, 27))
            fail_msg("%s: %s", rows[i].name, a.why);
        oauth_answer_done(&a);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(answers_of_token_endpoints_are_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
