/* SPDX-License-Identifier: ISC */
/* The system's clocks behind struct clock: the only place that asks the kernel for the time. */
#include <time.h>
#include "core/base/clock.h"

static int64_t read_ms(clockid_t id)
{
    struct timespec ts;

    verify(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * SECOND_MS + ts.tv_nsec / 1000000;
}

static int64_t system_wall_ms(UNUSED const struct clock *c)
{
    return read_ms(CLOCK_REALTIME);
}

static int64_t system_mono_ms(UNUSED const struct clock *c)
{
    return read_ms(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
    static const struct clock system_clock = {
        .wall_ms = system_wall_ms,
        .mono_ms = system_mono_ms,
    };

    return &system_clock;
}
