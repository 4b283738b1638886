/* When a provider is tried, and how often: circuit breaker and rate (SMS-15, SMS-16). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/circuit.h"
#include "gateway/rate.h"

static const struct circuit_options options = {
    .failures = 3, .percent = 50, .of = 10, .open_ms = 1000};

static bool attempt(struct circuit *circuit, bool is_failure, int64_t now_ms)
{
    assert_true(circuit_allows(circuit, now_ms));
    return circuit_end(circuit, circuit_begin(circuit), is_failure, now_ms);
}

static void failures_in_a_row_open_it(void **state)
{
    struct circuit circuit;

    (void)state;
    circuit_init(&circuit, &options);
    assert_false(attempt(&circuit, true, 0));
    assert_false(attempt(&circuit, true, 0));
    assert_false(attempt(&circuit, false, 0));
    assert_false(attempt(&circuit, true, 0));
    assert_false(attempt(&circuit, true, 0));
    assert_true(attempt(&circuit, true, 5));
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
    assert_false(circuit_allows(&circuit, 1004));
    assert_int_equal(circuit_next_ms(&circuit), 1005);
}

static void a_share_of_failures_opens_it(void **state)
{
    struct circuit circuit;
    bool is_changed = false;

    (void)state;
    circuit_init(&circuit, &options);
    for (int i = 0; i < 10 && !is_changed; i++)
        is_changed = attempt(&circuit, i % 2 == 0, 0);
    assert_true(is_changed);
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
}

static void some_failures_among_many_do_not(void **state)
{
    struct circuit circuit;

    (void)state;
    circuit_init(&circuit, &options);
    for (int i = 0; i < 1000; i++)
        assert_false(attempt(&circuit, i % 3 == 0, 0));
}

static void one_probe_at_a_time_and_three_successes_close_it(void **state)
{
    struct circuit circuit;
    uint64_t probe;

    (void)state;
    circuit_init(&circuit, &options);
    for (int i = 0; i < 3; i++)
        attempt(&circuit, true, 0);
    assert_true(circuit_allows(&circuit, 1000));
    probe = circuit_begin(&circuit);
    assert_int_equal(circuit.state, CIRCUIT_HALF_OPEN);
    assert_false(circuit_allows(&circuit, 5000));
    assert_false(circuit_end(&circuit, probe, false, 5000));
    assert_false(attempt(&circuit, false, 5000));
    assert_true(attempt(&circuit, false, 5000));
    assert_int_equal(circuit.state, CIRCUIT_CLOSED);
}

static void a_probe_that_fails_opens_it_again(void **state)
{
    struct circuit circuit;

    (void)state;
    circuit_init(&circuit, &options);
    for (int i = 0; i < 3; i++)
        attempt(&circuit, true, 0);
    assert_true(attempt(&circuit, true, 1500));
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
    assert_false(circuit_allows(&circuit, 2499));
    assert_true(circuit_allows(&circuit, 2500));
}

static void what_began_before_it_opened_does_not_count(void **state)
{
    struct circuit circuit;
    uint64_t late;

    (void)state;
    circuit_init(&circuit, &options);
    late = circuit_begin(&circuit);
    for (int i = 0; i < 3; i++)
        attempt(&circuit, true, 0);
    (void)circuit_begin(&circuit); /* the probe */
    assert_false(circuit_end(&circuit, late, true, 1100));
    assert_int_equal(circuit.state, CIRCUIT_HALF_OPEN);
}

/* How many go in the time, if they come as fast as they may. */
static int count(struct rate *rate, bool is_urgent, int64_t from_ms, int64_t until_ms)
{
    int gone = 0;

    for (int64_t now_ms = from_ms; now_ms < until_ms; now_ms++) {
        while (rate_allows(rate, is_urgent, now_ms)) {
            rate_take(rate);
            gone++;
        }
    }
    return gone;
}

static void no_more_go_in_a_second_than_the_rate_and_a_tenth(void **state)
{
    static const int64_t rates[] = {1, 3, 10, 999, 30000};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct rate rate = {0};
        int first, second;
        rate_set(&rate, rates[i], 0);
        first = count(&rate, true, 0, 1000);
        second = count(&rate, true, 1000, 2000);
        assert_in_range(first, rates[i], rates[i] + rates[i] / 10 + 1);
        assert_in_range(second, rates[i] - 1, rates[i] + 1);
    }
}

static void a_part_of_the_burst_is_kept_for_what_is_urgent(void **state)
{
    struct rate rate = {0};

    (void)state;
    rate_set(&rate, 1000, 0);
    assert_int_equal(count(&rate, false, 0, 1), 75);
    assert_false(rate_allows(&rate, false, 0));
    assert_int_equal(rate_wait_ms(&rate, false), 1);
    assert_int_equal(count(&rate, true, 0, 1), 25);
    assert_int_equal(rate_wait_ms(&rate, false), 26);
    assert_int_equal(count(&rate, true, 1, 2), 1);
}

static void a_rate_that_is_set_to_the_same_gives_no_new_burst(void **state)
{
    struct rate rate = {0};

    (void)state;
    rate_set(&rate, 100, 0);
    assert_int_equal(count(&rate, true, 0, 1), 10);
    rate_set(&rate, 100, 0);
    assert_false(rate_allows(&rate, true, 0));
    rate_set(&rate, 0, 0);
    assert_true(rate_allows(&rate, true, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(a_share_of_failures_opens_it),
        cmocka_unit_test(some_failures_among_many_do_not),
        cmocka_unit_test(one_probe_at_a_time_and_three_successes_close_it),
        cmocka_unit_test(a_probe_that_fails_opens_it_again),
        cmocka_unit_test(what_began_before_it_opened_does_not_count),
        cmocka_unit_test(no_more_go_in_a_second_than_the_rate_and_a_tenth),
        cmocka_unit_test(a_part_of_the_burst_is_kept_for_what_is_urgent),
        cmocka_unit_test(a_rate_that_is_set_to_the_same_gives_no_new_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
