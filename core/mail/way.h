/* SPDX-License-Identifier: ISC */
/*
 * Which way mail goes: by the MX of its domain, by a relay of the configuration, or to one host that
 * an operator named. A reroute is kept with the recipient as a text, and goes before the
 * configuration's routes until another one takes its place.
 */
#ifndef MAIL_WAY_H
#define MAIL_WAY_H

#include "core/mail/conf.h"
#include "core/mail/msg.h"

enum way_kind {
    WAY_CONFIGURED, /* as the configuration's routes say: the text is "" */
    WAY_DIRECT,     /* by MX, whatever they say: "direct" */
    WAY_RELAY,      /* "relay NAME" */
    WAY_HOST        /* "host NAME:PORT": no MX is looked up, nobody logs in */
};

struct way {
    enum way_kind kind;
    char relay[CONF_RELAY_NAME_MAX + 1];
    struct endpoint host;
};

#define WAY_TEXT_MAX (MSG_VIA_MAX + 1)

/* The text that is kept. */
const char *way_text(const struct way *w, char out[WAY_TEXT_MAX]);
/* Of a kept text; what is not one (a store that was edited) is WAY_CONFIGURED, and false. */
bool way_parse(struct str text, struct way *out);
/* What an operator typed: a relay's name, HOST[:PORT], direct, configured. E_SYNTAX with a sentence. */
int way_typed(const struct conf *c, struct str typed, struct way *out, struct err *err);

/* Where it leads now: an index into conf.relays; -1 = by MX, or to way.host with WAY_HOST. A relay
 * that is not in the configuration any more is as if nobody had named it: what it says goes. */
int way_relay(const struct way *w, const struct conf *c, const char *domain,
              const char *reverse_path);

#endif
