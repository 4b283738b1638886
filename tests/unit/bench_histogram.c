/* The load generator's histogram: what is read back is never better than what was put in, and at
 * most one percent worse, over the whole range it promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../bench/load/histogram.h"

static struct histogram histogram;

static int clear(void **state)
{
    (void)state;
    histogram_clear(&histogram);
    return 0;
}

/* A value among larger ones, so that the exact maximum does not answer for it. */
static uint64_t read_back(uint64_t ns)
{
    histogram_clear(&histogram);
    histogram_add(&histogram, ns);
    histogram_add(&histogram, 2 * HISTOGRAM_NS_MAX);
    return histogram_quantile_ns(&histogram, 0.5);
}

static void a_value_from_a_microsecond_to_a_minute_is_read_back_within_a_percent(void **state)
{
    (void)state;
    for (uint64_t ns = 1000; ns <= HISTOGRAM_NS_MAX; ns += ns / 2700 + 1) {
        uint64_t got = read_back(ns);
        assert_true(got >= ns);
        assert_true((double)(got - ns) <= 0.01 * (double)ns);
    }
}

static void values_around_a_power_of_two_keep_their_order(void **state)
{
    (void)state;
    unsigned before = histogram_bucket(0);
    for (int bit = 1; bit < 36; bit++) {
        for (int64_t near = -1; near <= 1; near++) {
            unsigned bucket = histogram_bucket((UINT64_C(1) << bit) + (uint64_t)near);
            assert_true(bucket >= before);
            assert_true(bucket < HISTOGRAM_BUCKETS);
            before = bucket;
        }
    }
}

static void below_256_nanoseconds_every_value_has_its_own_bucket(void **state)
{
    (void)state;
    for (uint64_t ns = 0; ns < 256; ns++)
        assert_int_equal(read_back(ns), ns);
}

static void longer_than_a_minute_is_in_the_last_bucket_and_exact_as_maximum(void **state)
{
    (void)state;
    assert_true(histogram_bucket(UINT64_MAX) < HISTOGRAM_BUCKETS);
    assert_true(histogram_bucket(UINT64_MAX) > histogram_bucket(HISTOGRAM_NS_MAX));
    histogram_add(&histogram, 90 * UINT64_C(1000000000));
    assert_int_equal(histogram.max_ns, 90 * UINT64_C(1000000000));
    assert_int_equal(histogram_quantile_ns(&histogram, 1), 90 * UINT64_C(1000000000));
}

static void quantiles_of_a_known_distribution_are_the_known_ones(void **state)
{
    (void)state;
    static const double fractions[] = {0.001, 0.5, 0.9, 0.99, 0.999};
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&histogram, i * 1000);
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        double exact = fractions[i] * 100000 * 1000;
        double got = (double)histogram_quantile_ns(&histogram, fractions[i]);
        assert_true(got >= exact - 1 && got <= exact * 1.01);
    }
    assert_int_equal(histogram_quantile_ns(&histogram, 1), 100000000);
    assert_int_equal(histogram_mean_ns(&histogram), 50000500);
}

static void a_thousandth_of_slow_replies_shows_in_p999_and_not_before(void **state)
{
    (void)state;
    for (int i = 0; i < 9985; i++)
        histogram_add(&histogram, 1000000);
    for (int i = 0; i < 15; i++)
        histogram_add(&histogram, 500000000);
    assert_true(histogram_quantile_ns(&histogram, 0.99) < 1010000);
    assert_int_equal(histogram_quantile_ns(&histogram, 0.999), 500000000);
}

static void an_empty_histogram_answers_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile_ns(&histogram, 0.5), 0);
    assert_int_equal(histogram_mean_ns(&histogram), 0);
}

static void the_written_form_ends_at_the_maximum_and_the_whole(void **state)
{
    (void)state;
    char text[4096] = "";
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    histogram_add(&histogram, 1000);
    histogram_add(&histogram, 1000);
    histogram_add(&histogram, 2000123);
    histogram_write(&histogram, file);
    fclose(file);
    assert_string_equal(text, "# up_to_us count fraction\n"
                              "1.003 2 0.666666667\n"
                              "2000.123 1 1.000000000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_value_from_a_microsecond_to_a_minute_is_read_back_within_a_percent,
                               clear),
        cmocka_unit_test_setup(values_around_a_power_of_two_keep_their_order, clear),
        cmocka_unit_test_setup(below_256_nanoseconds_every_value_has_its_own_bucket, clear),
        cmocka_unit_test_setup(longer_than_a_minute_is_in_the_last_bucket_and_exact_as_maximum,
                               clear),
        cmocka_unit_test_setup(quantiles_of_a_known_distribution_are_the_known_ones, clear),
        cmocka_unit_test_setup(a_thousandth_of_slow_replies_shows_in_p999_and_not_before, clear),
        cmocka_unit_test_setup(an_empty_histogram_answers_zero, clear),
        cmocka_unit_test_setup(the_written_form_ends_at_the_maximum_and_the_whole, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
