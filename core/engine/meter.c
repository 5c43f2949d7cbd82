/* SPDX-License-Identifier: ISC */
#include "core/engine/meter.h"

#define SLOT_MS INT64_C(10000)

static void advance(struct meter *m, int64_t now_mono_ms)
{
    int64_t slot = now_mono_ms / SLOT_MS;
    if (slot - m->slot >= METER_SLOTS) {
        memset(m->count, 0, sizeof m->count);
        m->slot = slot;
    }
    while (m->slot < slot) {
        m->slot++;
        m->count[m->slot % METER_SLOTS] = 0;
    }
}

void meter_add(struct meter *m, int64_t now_mono_ms, unsigned n)
{
    advance(m, now_mono_ms);
    m->count[m->slot % METER_SLOTS] += n;
    m->total += n;
}

static uint64_t sum(const struct meter *m, int64_t slots)
{
    uint64_t n = 0;
    for (int64_t i = 0; i < slots && i <= m->slot; i++)
        n += m->count[(m->slot - i) % METER_SLOTS];
    return n;
}

void meter_read(struct meter *m, int64_t now_mono_ms, struct ctl_rate *out)
{
    advance(m, now_mono_ms);
    *out = (struct ctl_rate){sum(m, 6), sum(m, 30), sum(m, 90), m->total};
}
