/* SPDX-License-Identifier: ISC */
/*
 * Sites in trouble are remembered in the store: a restart is no reason to knock at all the dead doors
 * again, or to fall upon a provider that has just asked us to slow down.
 */
#ifndef ENGINE_SITE_MEMORY_H
#define ENGINE_SITE_MEMORY_H

#include "core/engine/schedule.h"

/* At start: read what is known. */
void sites_recall(struct schedule *s);
/* A site that was just made: in the trouble that it was in before. */
void site_restore(struct site *site);
/* It is in trouble for so long, because of dead_why. */
void site_remember(struct site *site, int64_t for_ms);
/* It is well. */
void site_forget(struct site *site);
/* Of what was read and not asked for. */
void sites_drop(struct schedule *s);

#endif
