/* SPDX-License-Identifier: ISC */
/* Asking the engine: a blocking client with a deadline, for commands and the console's worker thread. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "core/ctl/proto.h"

/* One request, one reply, one connection. E_DOWN "the engine is not running (SOCKET)", E_DENIED,
 * E_TIMEOUT, E_SYNTAX. An engine's refusal is a reply of kind CTL_REPLY_ERROR, and returns 0.
 * ctl_reply_done afterwards. */
int ctl_call(const char *socket_path, const struct ctl_request *req, int64_t timeout_ms,
             struct ctl_reply *out, struct err *err);
/* Start a job and wait for its end, at most timeout_ms; progress (may be NULL) is told about it. */
int ctl_run_job(const char *socket_path, const struct ctl_request *req, int64_t timeout_ms,
                void (*progress)(void *arg, const struct ctl_job *job), void *arg,
                struct ctl_reply *out, struct err *err);

#endif
