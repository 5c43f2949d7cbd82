/* SPDX-License-Identifier: ISC */
#include "core/mail/way.h"

#define RELAY_WORD "relay "
#define HOST_WORD  "host "
#define SMTP_PORT  25 /* RFC 5321 4.5.4.2 */

const char *way_text(const struct way *w, char out[WAY_TEXT_MAX])
{
    char host[300];

    switch (w->kind) {
    case WAY_CONFIGURED: out[0] = '\0'; break;
    case WAY_DIRECT: str_copy(STR("direct"), out, WAY_TEXT_MAX); break;
    case WAY_RELAY: snprintf(out, WAY_TEXT_MAX, RELAY_WORD "%s", w->relay); break;
    case WAY_HOST:
        snprintf(out, WAY_TEXT_MAX, HOST_WORD "%.*s", WAY_TEXT_MAX - (int)sizeof(HOST_WORD),
                 endpoint_text(&w->host, host));
        break;
    }
    return out;
}

bool way_parse(struct str text, struct way *out)
{
    const char *why;

    *out = (struct way){.kind = WAY_CONFIGURED};
    if (text.n == 0)
        return true;
    if (str_eq_z(text, "direct")) {
        out->kind = WAY_DIRECT;
    } else if (str_starts(text, STR(RELAY_WORD))) {
        if (str_copy(str_sub(text, strlen(RELAY_WORD), text.n), out->relay, sizeof(out->relay)) &&
            out->relay[0])
            out->kind = WAY_RELAY;
    } else if (str_starts(text, STR(HOST_WORD)) &&
               endpoint_parse(str_sub(text, strlen(HOST_WORD), text.n), 0, &out->host, &why)) {
        out->kind = WAY_HOST;
    }
    return out->kind != WAY_CONFIGURED;
}

int way_typed(const struct conf *c, struct str typed, struct way *out, struct err *err)
{
    const char *why = NULL;

    *out = (struct way){.kind = WAY_CONFIGURED};
    typed = str_trim(typed);
    if (str_copy(typed, out->relay, sizeof(out->relay)) && conf_relay_by_name(c, out->relay) >= 0) {
        out->kind = WAY_RELAY;
        return 0;
    }
    out->relay[0] = '\0';
    if (str_ieq_z(typed, "configured"))
        return 0;
    if (str_ieq_z(typed, "direct")) {
        out->kind = WAY_DIRECT;
        return 0;
    }
    /* A lone word is a relay that is misspelt, sooner than a host. */
    bool is_host = str_find(typed, '.') < typed.n || str_find(typed, ':') < typed.n;
    if (!is_host || !endpoint_parse(typed, SMTP_PORT, &out->host, &why))
        return err_set(err, E_SYNTAX,
                       "\"%.*s\" is no [relay] of the configuration%s%s; allowed: a relay's name, "
                       "HOST[:PORT], direct (by MX), configured (as its routes say)",
                       typed.n < 100 ? (int)typed.n : 100, typed.p, why ? ", and as a host: " : "",
                       why ? why : "");
    out->kind = WAY_HOST;
    return 0;
}

int way_relay(const struct way *w, const struct conf *c, const char *domain,
              const char *reverse_path)
{
    int relay;

    switch (w->kind) {
    case WAY_DIRECT:
    case WAY_HOST: return -1;
    case WAY_RELAY:
        relay = conf_relay_by_name(c, w->relay);
        if (relay >= 0)
            return relay;
        break;
    case WAY_CONFIGURED: break;
    }
    return conf_route(c, domain, reverse_path);
}
