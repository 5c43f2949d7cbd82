/* SPDX-License-Identifier: ISC */
/* The names and the legal transitions of a recipient's states. */
#include "core/mail/msg.h"

static const char *const state_names[] = {
    [RCPT_QUEUED] = "queued",           [RCPT_ACTIVE] = "active",       [RCPT_HELD] = "held",
    [RCPT_UNCONFIRMED] = "unconfirmed", [RCPT_DELIVERED] = "delivered", [RCPT_BOUNCED] = "bounced",
    [RCPT_EXPIRED] = "expired",         [RCPT_DELETED] = "deleted",
};
_Static_assert(ARRAY_LEN(state_names) == RCPT_STATE_COUNT, "a name per state");

const char *rcpt_state_name(enum rcpt_state s)
{
    return (unsigned)s < RCPT_STATE_COUNT ? state_names[s] : "?";
}

bool rcpt_state_parse(struct str name, enum rcpt_state *out)
{
    for (unsigned i = 0; i < RCPT_STATE_COUNT; i++) {
        if (str_ieq_z(name, state_names[i])) {
            *out = (enum rcpt_state)i;
            return true;
        }
    }
    return false;
}

#define TO(state) (1u << (state))

/*
 * From a state to the set of those it may become. An unconfirmed recipient may be claimed as it is:
 * it is retried late. A held one still grows old. The way back from BOUNCED and DELETED, and from
 * HELD to UNCONFIRMED, is the operator's undo, which restores what the recipient was.
 */
static const unsigned transitions[] = {
    [RCPT_QUEUED] =
        TO(RCPT_ACTIVE) | TO(RCPT_HELD) | TO(RCPT_EXPIRED) | TO(RCPT_BOUNCED) | TO(RCPT_DELETED),
    [RCPT_ACTIVE] = TO(RCPT_QUEUED) | TO(RCPT_HELD) | TO(RCPT_UNCONFIRMED) | TO(RCPT_DELIVERED) |
                    TO(RCPT_BOUNCED) | TO(RCPT_EXPIRED) | TO(RCPT_DELETED),
    [RCPT_HELD] = TO(RCPT_QUEUED) | TO(RCPT_UNCONFIRMED) | TO(RCPT_EXPIRED) | TO(RCPT_BOUNCED) | TO(RCPT_DELETED),
    [RCPT_UNCONFIRMED] = TO(RCPT_QUEUED) | TO(RCPT_ACTIVE) | TO(RCPT_HELD) | TO(RCPT_DELIVERED) |
                         TO(RCPT_EXPIRED) | TO(RCPT_BOUNCED) | TO(RCPT_DELETED),
    [RCPT_DELIVERED] = 0,
    [RCPT_BOUNCED] = TO(RCPT_QUEUED) | TO(RCPT_HELD) | TO(RCPT_UNCONFIRMED),
    [RCPT_EXPIRED] = 0,
    [RCPT_DELETED] = TO(RCPT_QUEUED) | TO(RCPT_HELD) | TO(RCPT_UNCONFIRMED),
};
_Static_assert(ARRAY_LEN(transitions) == RCPT_STATE_COUNT, "a row per state");

bool rcpt_state_may_go(enum rcpt_state from, enum rcpt_state to)
{
    if ((unsigned)from >= RCPT_STATE_COUNT || (unsigned)to >= RCPT_STATE_COUNT)
        return false;
    return transitions[from] & TO(to);
}

bool rcpt_state_is_final(enum rcpt_state s)
{
    return s == RCPT_DELIVERED || s == RCPT_BOUNCED || s == RCPT_EXPIRED || s == RCPT_DELETED;
}

const char *msg_class_name(enum msg_class c)
{
    switch (c) {
    case MSG_USER: return "user";
    case MSG_SYSTEM: return "system";
    case MSG_REPORT: return "report";
    }
    return "?";
}
