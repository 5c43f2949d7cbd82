/* SPDX-License-Identifier: ISC */
#include "tui/role.h"

static const char *const names[] = {
    [ROLE_TEXT] = "text",
    [ROLE_DIM] = "dim",
    [ROLE_HEADER] = "header",
    [ROLE_TAB] = "tab",
    [ROLE_TITLE] = "title",
    [ROLE_BORDER] = "border",
    [ROLE_KEY] = "key",
    [ROLE_HINT] = "hint",
    [ROLE_INPUT] = "input",
    [ROLE_NOTE] = "note",
    [ROLE_SELECTED] = "selected",
    [ROLE_MARKED] = "marked",
    [ROLE_HIT] = "hit",
    [ROLE_ALERT] = "alert",
    [ROLE_DANGER] = "danger",
    [ROLE_WAITING] = "queue.waiting",
    [ROLE_RETRYING] = "queue.retrying",
    [ROLE_ACTIVE] = "queue.active",
    [ROLE_STUCK] = "queue.stuck",
    [ROLE_DONE] = "queue.done",
    [ROLE_FAILED] = "queue.failed",
    [ROLE_LOG_SENT] = "log.sent",
    [ROLE_LOG_DEFERRED] = "log.deferred",
    [ROLE_LOG_BOUNCED] = "log.bounced",
    [ROLE_LOG_REJECTED] = "log.rejected",
    [ROLE_CHECK_OK] = "check.ok",
    [ROLE_CHECK_WARN] = "check.warn",
    [ROLE_CHECK_FAIL] = "check.fail",
    [ROLE_CHECK_UNKNOWN] = "check.unknown",
};
_Static_assert(ARRAY_LEN(names) == ROLE_COUNT, "every role has a name");

const char *role_name(enum role r)
{
    return names[r];
}
