/* The wheel, on a loop whose clock the test moves by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/deadline.h"

enum { MANY = 500 };

static uv_loop_t loop;
static struct http_wheel wheel;
static struct http_deadline *told[MANY];
static int told_count;

static void on_due(struct http_deadline *deadline)
{
    told[told_count++] = deadline;
}

static int set_up(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    http_wheel_init(&wheel, &loop, on_due);
    told_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&wheel.timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* Moves the clock to `ms`, firing the timer each time it is due, and counts how often it was. */
static int move_to(uint64_t ms)
{
    int wakeups = 0;
    while (uv_is_active((uv_handle_t *)&wheel.timer) &&
           loop.time + uv_timer_get_due_in(&wheel.timer) <= ms) {
        loop.time += uv_timer_get_due_in(&wheel.timer);
        uv_timer_stop(&wheel.timer);
        wheel.timer.timer_cb(&wheel.timer);
        wakeups++;
    }
    loop.time = ms;
    return wakeups;
}

static void a_deadline_is_told_within_a_tick(void **state)
{
    (void)state;
    uint64_t start = loop.time;
    for (uint64_t due = 1; due <= 1000; due += 37) {
        struct http_deadline deadline = {0};
        uint64_t from = loop.time;
        told_count = 0;
        http_deadline_set(&wheel, &deadline, from + due);
        move_to(from + due - 1);
        assert_int_equal(told_count, 0);
        move_to(from + due + HTTP_TICK_MS);
        assert_int_equal(told_count, 1);
        move_to(from + due + 1000);
        assert_int_equal(told_count, 1);
    }
    assert_true(loop.time > start);
}

static void a_deadline_put_off_is_told_at_the_later_time(void **state)
{
    (void)state;
    struct http_deadline deadline = {0};
    uint64_t start = loop.time;
    http_deadline_set(&wheel, &deadline, start + 1000);
    for (uint64_t at = 100; at <= 5000; at += 100) {
        move_to(start + at);
        http_deadline_set(&wheel, &deadline, start + at + 1000);
    }
    move_to(start + 5999);
    assert_int_equal(told_count, 0);
    move_to(start + 6100);
    assert_int_equal(told_count, 1);
}

static void a_deadline_brought_forward_is_told_at_the_earlier_time(void **state)
{
    (void)state;
    struct http_deadline deadline = {0};
    uint64_t start = loop.time;
    http_deadline_set(&wheel, &deadline, start + 60000);
    http_deadline_set(&wheel, &deadline, start + 1000);
    move_to(start + 1100);
    assert_int_equal(told_count, 1);
}

static void a_deadline_taken_back_is_not_told(void **state)
{
    (void)state;
    struct http_deadline lifted = {0}, removed = {0};
    uint64_t start = loop.time;
    http_deadline_set(&wheel, &lifted, start + 1000);
    http_deadline_set(&wheel, &removed, start + 1000);
    http_deadline_set(&wheel, &lifted, 0);
    http_deadline_remove(&wheel, &removed);
    http_deadline_remove(&wheel, &removed);
    move_to(start + 200000);
    assert_int_equal(told_count, 0);
}

static void a_deadline_beyond_the_wheel_is_told_in_time(void **state)
{
    (void)state;
    struct http_deadline deadline = {0};
    uint64_t start = loop.time, far = 1000000;
    http_deadline_set(&wheel, &deadline, start + far);
    move_to(start + far - 1);
    assert_int_equal(told_count, 0);
    move_to(start + far + HTTP_TICK_MS);
    assert_int_equal(told_count, 1);
}

static void the_timer_runs_only_as_often_as_it_must(void **state)
{
    (void)state;
    struct http_deadline deadlines[MANY] = {0};
    uint64_t start = loop.time / HTTP_TICK_MS * HTTP_TICK_MS;
    loop.time = start;
    for (int i = 0; i < MANY; i++)
        http_deadline_set(&wheel, &deadlines[i], start + 75000 + (uint64_t)i % 100);
    assert_in_range(move_to(start + 80000), 1, 2);
    assert_int_equal(told_count, MANY);
    assert_false(uv_is_active((uv_handle_t *)&wheel.timer));
}

static void the_timer_stops_with_the_last_deadline(void **state)
{
    (void)state;
    struct http_deadline one = {0}, other = {0};
    http_deadline_set(&wheel, &one, loop.time + 500);
    http_deadline_set(&wheel, &other, loop.time + 5000);
    http_deadline_remove(&wheel, &one);
    assert_true(uv_is_active((uv_handle_t *)&wheel.timer));
    http_deadline_remove(&wheel, &other);
    assert_false(uv_is_active((uv_handle_t *)&wheel.timer));
}

/* Against a plain list: whatever is set and taken back, each is told in its tick and never twice.
 */
static void any_order_of_calls_ends_as_a_plain_list_would(void **state)
{
    (void)state;
    struct http_deadline deadlines[MANY] = {0};
    unsigned seed = 1;
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1103515245 + 12345;
        unsigned dice = seed >> 16;
        struct http_deadline *deadline = &deadlines[dice % MANY];
        uint64_t due = loop.time + 1 + (dice * 7919u) % 200000;
        if (dice % 7 == 0)
            http_deadline_remove(&wheel, deadline);
        else
            http_deadline_set(&wheel, deadline, dice % 5 == 0 ? 0 : due);
        told_count = 0;
        uint64_t before = loop.time;
        move_to(loop.time + dice % 700);
        for (int i = 0; i < told_count; i++) {
            assert_in_range(told[i]->due_ms + HTTP_TICK_MS, before, loop.time + HTTP_TICK_MS);
            told[i]->due_ms = 0; /* told: not expected again */
        }
        for (int i = 0; i < MANY; i++)
            assert_true(deadlines[i].due_ms == 0 || deadlines[i].due_ms + HTTP_TICK_MS > loop.time);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_deadline_is_told_within_a_tick, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deadline_put_off_is_told_at_the_later_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_deadline_brought_forward_is_told_at_the_earlier_time,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deadline_taken_back_is_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deadline_beyond_the_wheel_is_told_in_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_timer_runs_only_as_often_as_it_must, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_timer_stops_with_the_last_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_order_of_calls_ends_as_a_plain_list_would, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
