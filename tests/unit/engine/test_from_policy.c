/* SPDX-License-Identifier: ISC */
#include "core/engine/from_policy.h"
#include "tests/unit/unit.h"

static void make(struct conf *c, const char *text)
{
    const struct conf_defaults d = {.state_dir = "/nowhere", .hostname = "mail.example.com"};
    struct err err;

    conf_init(c, &d);
    if (conf_parse(c, str_of(text), "test.conf", &err))
        fail_msg("%s", err.text);
}

static const struct submitter root = {.is_local = true};
static const struct submitter anna = {.is_local = true, .uid = 1000};
static const struct submitter near = {.ip = {4, {192, 0, 2, 7}}};
static const struct submitter far = {.ip = {4, {198, 51, 100, 7}}};
static const struct submitter alarms = {.is_system = true, .ip = {4, {127, 0, 0, 1}}};

static void the_class_is_given_by_the_listener_or_the_uid(void **state)
{
    struct conf c;

    (void)state;
    make(&c, "[identity]\nhostname = mail.ours.org\n[listen]\nsystem-uids = 0\n");
    assert_int_equal(from_policy_class(&c, &root), MSG_SYSTEM);
    assert_int_equal(from_policy_class(&c, &anna), MSG_USER);
    assert_int_equal(from_policy_class(&c, &near), MSG_USER); /* its uid is nobody's, not 0 */
    assert_int_equal(from_policy_class(&c, &alarms), MSG_SYSTEM);
    conf_done(&c);
}

static void the_sender_address_stands_in_and_the_user_is_remembered(void **state)
{
    static const struct {
        const char *name, *policy;
        enum msg_class class;
        const char *given, *sent, *report_to;
    } rows[] = {
        {"user", "user", MSG_USER, "anna@ours.org", "anna@ours.org", ""},
        {"always", "always-sender", MSG_USER, "anna@ours.org", "mailer@ours.org", "anna@ours.org"},
        {"null", "always-sender", MSG_USER, "", "", ""},
        {"system", "user", MSG_SYSTEM, "root@ours.org", "mailer@ours.org", "root@ours.org"},
        {"unusable", "user", MSG_SYSTEM, "root@box.local", "mailer@ours.org", ""},
        {"our report", "always-sender", MSG_REPORT, "", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf c;
        struct message m = {.class = rows[i].class};
        char text[200];

        snprintf(text, sizeof text, "[identity]\nsender = mailer@ours.org\nfrom-policy = %s\n",
                 rows[i].policy);
        make(&c, text);
        str_copy(str_of(rows[i].given), m.reverse_path, sizeof m.reverse_path);
        from_policy_envelope(&c, &m);
        row_text(rows[i].name, m.reverse_path, rows[i].sent);
        row_text(rows[i].name, m.report_to, rows[i].report_to);
        conf_done(&c);
    }
}

static const char permissions[] = "[identity]\nhostname = mail.ours.org\n"
                                  "[from \"ours.org\"]\nallow-uids = 1000\nallow-nets = 192.0.2.0/24\n"
                                  "[from \"open.org\"]\nallow-uids = 0 1000\n"
                                  "[from \"*\"]\nallow-uids = 0\n";

static void a_domain_belongs_to_those_who_are_named(void **state)
{
    static const struct {
        const char *name;
        const struct submitter *who;
        const char *address;
        bool may;
    } rows[] = {
        {"by uid", &anna, "anna@ours.org", true},
        {"another uid", &root, "anna@ours.org", false},
        {"by network", &near, "x@OURS.org", true},
        {"another network", &far, "x@ours.org", false},
        {"uid 0 is no network", &near, "x@open.org", false},
        {"all others", &root, "x@else.org", true},
        {"all others, another uid", &anna, "x@else.org", false},
        {"a domain below is another", &anna, "x@sub.ours.org", false},
        {"null", &far, "", true},
    };
    struct conf c;

    (void)state;
    make(&c, permissions);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        row_int(rows[i].name, from_policy_allows(&c, rows[i].who, rows[i].address), rows[i].may);
    conf_done(&c);
}

static void from_and_sender_are_looked_at(void **state)
{
    static const struct {
        const char *name;
        struct str header;
        const char *why; /* NULL: it may */
    } rows[] = {
        {"own", STR("From: Anna <anna@ours.org>\r\n\r\n"), NULL},
        {"no From", STR("Subject: x\r\n\r\n"), NULL},
        {"another's", STR("From: Boss <boss@else.org>\r\n\r\n"),
         "you may not send as <boss@else.org> (From field)"},
        {"second of two", STR("From: anna@ours.org, boss@else.org\r\n\r\n"), "boss@else.org"},
        {"second field", STR("From: anna@ours.org\r\nFrom: boss@else.org\r\n\r\n"), "boss@else.org"},
        {"Sender", STR("From: anna@ours.org\r\nSender: boss@else.org\r\n\r\n"), "(Sender field)"},
        {"the name is not the address", STR("From: \"boss@else.org\" <anna@ours.org>\r\n\r\n"), NULL},
        {"unreadable", STR("From: <anna@ours.org\r\n\r\n"), "the From field cannot be read"},
        {"Reply-To is free", STR("From: anna@ours.org\r\nReply-To: x@else.org\r\n\r\n"), NULL},
    };
    struct conf c;

    (void)state;
    make(&c, permissions);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char why[200] = "";
        row_int(rows[i].name, from_policy_allows_header(&c, &anna, rows[i].header, why),
                rows[i].why == NULL);
        if (rows[i].why && !strstr(why, rows[i].why))
            fail_msg("%s: %s", rows[i].name, why);
    }
    conf_done(&c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_class_is_given_by_the_listener_or_the_uid),
        cmocka_unit_test(the_sender_address_stands_in_and_the_user_is_remembered),
        cmocka_unit_test(a_domain_belongs_to_those_who_are_named),
        cmocka_unit_test(from_and_sender_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
