/* Time, told by one object, so that tests can move it. Wall time for what is written down: it never
 * goes back. Where the system's clock was stepped back, or was ahead in the last run, it goes on at
 * half the speed until the system has caught up: what waits for its time then waits up to twice as
 * long, and not until the step is made up for. Steps are logged. Monotonic time for intervals. With
 * --test-clock an offset is added to wall time. Loop thread only. */
#ifndef SMSD_BASE_CLOCK_H
#define SMSD_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
    int64_t wall_ms;   /* the last told */
    int64_t offset_ms; /* of the test clock; 0 otherwise */
    bool is_running;   /* it was told before */
    bool is_ahead;     /* of the system, since then: */
    int64_t ahead_wall_ms;
    uint64_t ahead_ns;
};

/* `floor_ms`: wall time never starts below it (what the last run reached). */
void clock_init(struct clock *clock, int64_t floor_ms, int64_t offset_ms);
/* Unix time in milliseconds, UTC. */
int64_t clock_wall_ms(struct clock *clock);
void clock_advance(struct clock *clock, int64_t ms);
uint64_t clock_monotonic_ns(void);

#endif
