/* SPDX-License-Identifier: ISC */
/* Events in the last 1, 5 and 15 minutes, in buckets of ten seconds. */
#ifndef ENGINE_METER_H
#define ENGINE_METER_H

#include "core/ctl/proto.h"

#define METER_SLOTS 90

struct meter {
    uint64_t total;
    int64_t slot; /* number of the newest bucket */
    uint32_t count[METER_SLOTS];
};

void meter_add(struct meter *m, int64_t now_mono_ms, unsigned n);
void meter_read(struct meter *m, int64_t now_mono_ms, struct ctl_rate *out);

#endif
