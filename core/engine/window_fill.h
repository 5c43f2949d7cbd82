/* SPDX-License-Identifier: ISC */
/* Filling the window: from the store when there is room, and directly with mail just accepted. */
#ifndef ENGINE_WINDOW_FILL_H
#define ENGINE_WINDOW_FILL_H

#include "core/engine/schedule.h"

/* Fetch what is due when there is room and anything to expect; else set the timer for it. */
void window_fill(struct schedule *s);
/* Give a reference back; the last one frees the parcel. s is NULL when the schedule is gone. */
void parcel_unref(struct schedule *s, struct parcel *p);

#endif
