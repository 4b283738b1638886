/* Time, told by one object, so that tests can move it. Wall time for what is written down: it never
 * goes back (a step back of the system clock holds it still until caught up). Monotonic time for
 * intervals. With --test-clock an offset is added to wall time. Loop thread only. */
#ifndef SMSD_BASE_CLOCK_H
#define SMSD_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t wall_ms;   /* the last told */
    int64_t offset_ms; /* of the test clock; 0 otherwise */
};

/* `floor_ms`: wall time never starts below it (what the last run reached). */
void clock_init(struct clock *clock, int64_t floor_ms, int64_t offset_ms);
/* Unix time in milliseconds, UTC. */
int64_t clock_wall_ms(struct clock *clock);
void clock_advance(struct clock *clock, int64_t ms);
uint64_t clock_monotonic_ns(void);

#endif
