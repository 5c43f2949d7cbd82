/* SPDX-License-Identifier: ISC */
/*
 * Whether we ourselves are the problem (mail/health.h): no way out, or no name service. While delivery
 * is frozen, what is due waits where it is, one probe goes each half minute, the time does not count
 * for anybody's lifetime, and status says why. The first thing that works thaws it.
 */
#ifndef ENGINE_WATCH_H
#define ENGINE_WATCH_H

#include "core/engine/engine_private.h"

struct watch;

struct watch *watch_new(struct engine *e);
void watch_free(struct watch *w);
/* The store is open: frosts of earlier runs, which still excuse. */
void watch_start(struct watch *w);

/* No address of a site could be reached. */
void watch_site_failed(struct watch *w, const char *site, const struct outcome *o);
/* A connection came up. */
void watch_connected(struct watch *w);
/* A site took mail, or answered about it. */
void watch_site_worked(struct watch *w, const char *site);
/* An answer of the name service, or none. */
void watch_answer(struct watch *w, const char *name, const struct dns_answer *a);

/* Delivery is frozen, and this is the failure that all have in common: it tells nothing of the mail. */
bool watch_is_ours(const struct watch *w, const struct outcome *o);
bool watch_is_frozen(const struct watch *w);
/* That site took mail lately. */
bool watch_has_worked(const struct watch *w, const char *site);
/* May a new connection be opened? While frozen it is a probe then. */
bool watch_may_connect(struct watch *w);
/* May a name be looked up for a delivery? The same. */
bool watch_may_ask(struct watch *w);
bool watch_is_asking_frozen(const struct watch *w);

/* How much of the time since then does not count, ms. */
int64_t watch_excused_ms(const struct watch *w, int64_t since_wall_ms);
/* The alarm, for status. */
void watch_alarms(const struct watch *w, struct ctl_status *st);

#endif
