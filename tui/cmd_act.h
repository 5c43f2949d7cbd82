/* SPDX-License-Identifier: ISC */
/* The arguments of an act, apart from doing it: so that a test can ask what a line would do. */
#ifndef TUI_CMD_ACT_H
#define TUI_CMD_ACT_H

#include "core/ctl/client.h"
#include "tui/cli.h"

struct act_args {
    struct ctl_request request;
    bool is_sure, is_json;
};

/* verb: "retry" ...; E_SYNTAX, E_LIMIT with one sentence. No filter and no --all is an error. */
int act_parse(const char *verb, int argc, char **argv, int64_t now_wall_ms, struct act_args *out,
              struct err *err);

#endif
