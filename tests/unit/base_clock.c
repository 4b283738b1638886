/* base/clock: never back, never below the floor, moved by the test clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static int64_t system_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wall_time_is_the_systems(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, 0, 0);
    int64_t before = system_ms(), now = clock_wall_ms(&clock), after = system_ms();
    assert_in_range(now, before, after);
}

/* OPS-7: a clock that steps back: never back, and never still, or what waits for its time would
 * wait until the step is made up for. */
static void wall_time_goes_on_at_half_the_speed_until_the_system_has_caught_up(void **state)
{
    (void)state;
    const struct timespec pause = {0, 50000000};
    struct clock clock;
    int64_t floor_ms = system_ms() + 3600000;
    clock_init(&clock, floor_ms, 0);
    uint64_t begun_ns = clock_monotonic_ns();
    assert_true(clock_wall_ms(&clock) >= floor_ms);
    nanosleep(&pause, NULL);
    int64_t gone_ms = clock_wall_ms(&clock) - floor_ms;
    assert_in_range(gone_ms, 24, (clock_monotonic_ns() - begun_ns) / 2000000);

    clock.offset_ms = 3600000 + 5000; /* as if the system's clock had jumped */
    int64_t moved = clock_wall_ms(&clock);
    assert_true(moved >= floor_ms + 5000);
    clock.offset_ms = 0;
    assert_true(clock_wall_ms(&clock) >= moved);
    nanosleep(&pause, NULL);
    assert_true(clock_wall_ms(&clock) >= moved + 24);
}

static void the_test_clock_moves_by_what_it_is_told(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, 0, 7200000);
    int64_t before = clock_wall_ms(&clock);
    assert_true(before >= system_ms() + 7200000 - 1000);
    clock_advance(&clock, 86400000);
    assert_in_range(clock_wall_ms(&clock) - before, 86400000, 86400000 + 60000);
    clock_advance(&clock, 0);
    assert_in_range(clock_wall_ms(&clock) - before, 86400000, 86400000 + 60000);
}

static void the_test_clock_goes_on_from_where_it_was_moved_to(void **state)
{
    (void)state;
    const struct timespec pause = {0, 20000000};
    struct clock clock;
    clock_init(&clock, system_ms() + 1000, 7200000);
    clock_advance(&clock, 5000);
    int64_t reached = clock_wall_ms(&clock);
    nanosleep(&pause, NULL);
    assert_true(clock_wall_ms(&clock) >= reached + 10);
}

static void a_clock_that_is_held_still_moves_when_advanced(void **state)
{
    (void)state;
    struct clock clock;
    int64_t floor_ms = system_ms() + 3600000;
    clock_init(&clock, floor_ms, 0);
    clock_advance(&clock, 1000);
    assert_in_range(clock_wall_ms(&clock), floor_ms + 1000, floor_ms + 61000);
}

static void monotonic_time_never_goes_back(void **state)
{
    (void)state;
    uint64_t last = clock_monotonic_ns();
    for (int i = 0; i < 100000; i++) {
        uint64_t now = clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_is_the_systems),
        cmocka_unit_test(wall_time_goes_on_at_half_the_speed_until_the_system_has_caught_up),
        cmocka_unit_test(the_test_clock_moves_by_what_it_is_told),
        cmocka_unit_test(the_test_clock_goes_on_from_where_it_was_moved_to),
        cmocka_unit_test(a_clock_that_is_held_still_moves_when_advanced),
        cmocka_unit_test(monotonic_time_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
