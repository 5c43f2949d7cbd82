/* SPDX-License-Identifier: ISC */
/*
 * The control socket: one JSON object a line (core/ctl/README.md). A line that does not parse costs
 * that client its connection and nothing else.
 */
#ifndef ENGINE_CONTROL_H
#define ENGINE_CONTROL_H

#include "core/engine/engine_private.h"

struct control *control_new(struct engine *e);
int control_listen(struct control *c, struct err *err);
void control_free(struct control *c);

#endif
