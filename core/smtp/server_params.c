/* SPDX-License-Identifier: ISC */
/*
 * Parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (6152), SMTPUTF8 (6531), RET, ENVID, NOTIFY and
 * ORCPT (3461). Each may stand once; what we did not offer is refused with 555 (RFC 5321 4.1.1.11).
 */
#include "core/smtp/server_private.h"

#include "core/base/text.h"
#include "core/mail/dsn.h"

static int refuse_value(const char **text, const char *what)
{
    *text = what;
    return 501;
}

static int refuse_unknown(const char **text)
{
    *text = "Parameter not recognized";
    return 555;
}

enum mail_param { PARAM_SIZE = 1, PARAM_BODY = 2, PARAM_UTF8 = 4, PARAM_RET = 8, PARAM_ENVID = 16 };

static unsigned mail_param(struct str key)
{
    static const struct {
        const char *name;
        enum mail_param param;
    } names[] = {{"SIZE", PARAM_SIZE},
                 {"BODY", PARAM_BODY},
                 {"SMTPUTF8", PARAM_UTF8},
                 {"RET", PARAM_RET},
                 {"ENVID", PARAM_ENVID}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq_z(key, names[i].name))
            return names[i].param;
    return 0;
}

static bool take_body(struct smtp_envelope *e, struct str value)
{
    e->is_8bit = str_ieq_z(value, "8BITMIME");
    return e->is_8bit || str_ieq_z(value, "7BIT");
}

static bool take_ret(struct smtp_envelope *e, struct str value)
{
    e->ret = str_ieq_z(value, "FULL")   ? DSN_RET_FULL
             : str_ieq_z(value, "HDRS") ? DSN_RET_HDRS
                                        : DSN_RET_NONE;
    return e->ret != DSN_RET_NONE;
}

static int take_mail_param(struct smtp_envelope *e, unsigned param, struct str value,
                           bool has_value, const char **text)
{
    switch (param) {
    case PARAM_SIZE:
        if (!text_parse_u64(value, UINT64_MAX / 2, &e->declared_bytes))
            return refuse_value(text, "SIZE is not a number");
        return 0;
    case PARAM_BODY: return take_body(e, value) ? 0 : refuse_value(text, "BODY is unknown");
    case PARAM_RET: return take_ret(e, value) ? 0 : refuse_value(text, "RET is FULL or HDRS");
    case PARAM_ENVID:
        if (value.n == 0 || !xtext_decode(value, e->envid, sizeof(e->envid)))
            return refuse_value(text, "ENVID is not xtext of at most 100 octets");
        return 0;
    default:
        e->is_smtputf8 = true;
        return has_value ? refuse_value(text, "SMTPUTF8 takes no value") : 0;
    }
}

/* Cut "key" or "key=value" and the blanks behind it out of *s. */
static struct str next_param(struct str *s, struct str *value, bool *has_value)
{
    struct str word = str_split(s, ' ');
    size_t key_n = str_find(word, '=');

    *s = str_trim(*s);
    *has_value = key_n < word.n;
    *value = *has_value ? str_sub(word, key_n + 1, word.n) : STR_NONE;
    return str_sub(word, 0, key_n);
}

int server_mail_params(struct smtp_envelope *e, struct str s, const char **text)
{
    unsigned seen = 0;

    while (s.n) {
        struct str value;
        bool has_value;
        struct str key = next_param(&s, &value, &has_value);
        unsigned param = mail_param(key);
        if (!param || !e->is_esmtp)
            return refuse_unknown(text);
        if (seen & param)
            return refuse_value(text, "A parameter stands twice");
        seen |= param;
        int code = take_mail_param(e, param, value, has_value, text);
        if (code)
            return code;
    }
    return 0;
}

/* RFC 3461 4.1: NEVER alone, or a list of the others. */
static bool take_notify(unsigned *out, struct str value)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"SUCCESS", DSN_SUCCESS}, {"FAILURE", DSN_FAILURE}, {"DELAY", DSN_DELAY}};

    *out = 0;
    if (str_ieq_z(value, "NEVER")) {
        *out = DSN_NEVER;
        return true;
    }
    if (str_ends(value, STR(",")))
        return false;
    while (value.n) {
        struct str word = str_split(&value, ',');
        unsigned bit = 0;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (str_ieq_z(word, names[i].name))
                bit = names[i].bit;
        if (!bit)
            return false;
        *out |= bit;
    }
    return *out != 0;
}

/* "type;xtext" to "type;text" (RFC 3461 4.2). Of type utf-8 the text may be UTF-8 as it is
 * (RFC 6533 3). */
static bool take_orcpt(const struct smtp_envelope *e, char out[MSG_ORCPT_MAX + 1], struct str value)
{
    struct str type = str_split(&value, ';');
    size_t n = type.n + 1;

    if (type.n == 0 || type.n > 32 || value.n == 0)
        return false;
    for (size_t i = 0; i < type.n; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", type.p[i],
                    63))
            return false;
    memcpy(out, type.p, type.n);
    out[type.n] = ';';
    if (e->is_smtputf8 && str_ieq_z(type, "utf-8") && !text_is_ascii(value)) {
        for (size_t i = 0; i < value.n; i++)
            if ((unsigned char)value.p[i] <= ' ' || value.p[i] == 0x7f)
                return false;
        return text_is_utf8(value) && str_copy(value, out + n, MSG_ORCPT_MAX + 1 - n);
    }
    return xtext_decode(value, out + n, MSG_ORCPT_MAX + 1 - n);
}

int server_rcpt_params(const struct smtp_envelope *e, struct smtp_server_rcpt *r, struct str s,
                       const char **text)
{
    bool has_notify = false, has_orcpt = false;

    while (s.n) {
        struct str value;
        bool has_value;
        struct str key = next_param(&s, &value, &has_value);
        bool is_notify = str_ieq_z(key, "NOTIFY"), is_orcpt = str_ieq_z(key, "ORCPT");
        if ((!is_notify && !is_orcpt) || !e->is_esmtp)
            return refuse_unknown(text);
        if ((is_notify && has_notify) || (is_orcpt && has_orcpt))
            return refuse_value(text, "A parameter stands twice");
        has_notify |= is_notify;
        has_orcpt |= is_orcpt;
        if (is_notify && !take_notify(&r->notify, value))
            return refuse_value(text, "NOTIFY is NEVER, or of SUCCESS,FAILURE,DELAY");
        if (is_orcpt && !take_orcpt(e, r->orcpt, value))
            return refuse_value(text, "ORCPT is not type;xtext");
    }
    return 0;
}
