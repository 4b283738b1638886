/* The clocks of the system (both by vDSO, without a system call) behind one object. What is hard:
 * the system's wall clock may step back, and smsd may have been started after a run that saw a
 * later time. */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

static int64_t system_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void clock_init(struct clock *clock, int64_t floor_ms, int64_t offset_ms)
{
    *clock = (struct clock){.wall_ms = floor_ms, .offset_ms = offset_ms};
}

int64_t clock_wall_ms(struct clock *clock)
{
    int64_t now_ms = system_wall_ms() + clock->offset_ms;
    if (now_ms > clock->wall_ms)
        clock->wall_ms = now_ms;
    return clock->wall_ms;
}

/* Measured from what was told last, so that a clock that is being held still moves as well. */
void clock_advance(struct clock *clock, int64_t ms)
{
    assert(ms >= 0);
    int64_t reached_ms = clock_wall_ms(clock) + ms;
    clock->offset_ms = reached_ms - system_wall_ms();
    clock->wall_ms = reached_ms;
}

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
