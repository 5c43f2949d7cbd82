/* SPDX-License-Identifier: ISC */
/*
 * The two clocks. Wall: milliseconds since the epoch, may jump; for due times and what people read.
 * Mono: milliseconds since anywhere, never jumps; for time-outs and durations. Real or simulated.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "core/base/base.h"

struct clock {
    int64_t (*wall_ms)(const struct clock *c);
    int64_t (*mono_ms)(const struct clock *c);
};

/* The system's clocks; static, never freed. */
const struct clock *clock_system(void);

/* Times in ms, for readable constants. */
#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

#endif
