/* The clocks of the system (both by vDSO, without a system call) behind one object. What is hard:
 * the system's wall clock may step back, and smsd may have been started after a run that saw a
 * later time. */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

#include "base/log.h"
#include "base/metric.h"

enum {
    AHEAD_TOLD_MS = 1000, /* so much, and more, is worth a line in the log */
    GAP_MS = 180000,      /* jobs ask each minute: if nobody did for so long, it was stepped */
    SLOWER = 2,
};

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

static void begin_ahead(struct clock *clock, int64_t ahead_ms)
{
    clock->is_ahead = true;
    clock->ahead_wall_ms = clock->wall_ms;
    clock->ahead_ns = clock_monotonic_ns();
    metric_set(METRIC_CLOCK_AHEAD, ahead_ms / 1000);
    if (ahead_ms >= AHEAD_TOLD_MS)
        log_event(LOG_WARNING, "clock_ahead", LOG_NUMBER("seconds", ahead_ms / 1000));
}

/* The system's time is later than what was told last: that is the rule. */
static void follow(struct clock *clock, int64_t now_ms)
{
    int64_t gap_ms = now_ms - clock->wall_ms;

    if (clock->is_running && !clock->is_ahead && gap_ms >= GAP_MS)
        log_event(LOG_WARNING, "clock_stepped", LOG_NUMBER("seconds", gap_ms / 1000));
    if (clock->is_ahead)
        metric_set(METRIC_CLOCK_AHEAD, 0);
    clock->is_ahead = false;
    clock->wall_ms = now_ms;
}

int64_t clock_wall_ms(struct clock *clock)
{
    int64_t now_ms = system_wall_ms() + clock->offset_ms;

    if (now_ms >= clock->wall_ms) {
        follow(clock, now_ms);
    } else {
        if (!clock->is_ahead)
            begin_ahead(clock, clock->wall_ms - now_ms);
        clock->wall_ms = clock->ahead_wall_ms + (int64_t)((clock_monotonic_ns() - clock->ahead_ns) /
                                                          (SLOWER * UINT64_C(1000000)));
    }
    clock->is_running = true;
    return clock->wall_ms;
}

/* Measured from what was told last, so that a clock that is being held still moves as well. */
void clock_advance(struct clock *clock, int64_t ms)
{
    assert(ms >= 0);
    int64_t reached_ms = clock_wall_ms(clock) + ms;
    clock->offset_ms = reached_ms - system_wall_ms();
    clock->wall_ms = reached_ms;
    clock->is_ahead = false;
}

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
