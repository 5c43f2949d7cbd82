/* SPDX-License-Identifier: ISC */
#include "core/ctl/oauth.h"

#include <jansson.h>
#include "core/base/alloc.h"
#include "core/base/text.h"

/* A token goes into one line of SMTP: printable ASCII without blanks (RFC 6750 2.1). */
static char *take_token(json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    if (!text || !text[0] || strlen(text) > OAUTH_TOKEN_MAX)
        return NULL;
    for (const char *p = text; *p; p++) {
        if (*p <= ' ' || *p > '~')
            return NULL;
    }
    return xstrdup(text);
}

static void say_why(json_t *o, struct oauth_answer *out)
{
    const char *error = json_string_value(json_object_get(o, "error"));
    const char *more = json_string_value(json_object_get(o, "error_description"));
    struct buf text CLEANUP(buf_done) = BUF_INIT;
    if (error)
        buf_printf(&text, "%.60s%s%.200s", error, more ? ": " : "", more ? more : "");
    else
        buf_add_z(&text, "the answer holds no access_token");
    text_printable_copy(buf_str(&text), out->why, sizeof out->why);
}

void oauth_parse(struct str body, struct oauth_answer *out)
{
    memset(out, 0, sizeof *out);
    json_t *o = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(o)) {
        str_copy(STR("the answer is not a JSON object"), out->why, sizeof out->why);
        json_decref(o);
        return;
    }
    out->access_token = take_token(o, "access_token");
    out->refresh_token = take_token(o, "refresh_token");
    /* RFC 6749 says a number; some servers send it as a text. */
    json_t *e = json_object_get(o, "expires_in");
    uint64_t n = 0;
    if (json_is_integer(e) && json_integer_value(e) > 0)
        n = (uint64_t)json_integer_value(e);
    else if (json_is_string(e) && !text_parse_u64(str_of(json_string_value(e)), INT32_MAX, &n))
        n = 0;
    out->expires_s = n > INT32_MAX ? INT32_MAX : (int64_t)n;
    if (!out->access_token)
        say_why(o, out);
    json_decref(o);
}

static void wipe(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

void oauth_answer_done(struct oauth_answer *a)
{
    wipe(a->access_token);
    wipe(a->refresh_token);
    memset(a, 0, sizeof *a);
}
