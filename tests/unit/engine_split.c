/* engine/split: sums, bounds, the distribution of each rule, and that no place in the queue is
 * better than another (PKT-3). Seeds are numbered, so every figure printed is the same each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/split.h"

static uint32_t shares[SPLIT_SHARES_MAX];

static void seed_of(uint64_t number, uint8_t seed[SPLIT_SEED_SIZE])
{
    memset(seed, 0, SPLIT_SEED_SIZE);
    memcpy(seed, &number, sizeof number);
    sha256(seed, SPLIT_SEED_SIZE, seed);
}

static void split_number(enum split_rule rule, int64_t amount, uint32_t count, uint64_t number)
{
    struct split split = {rule, amount, count};
    uint8_t seed[SPLIT_SEED_SIZE];

    seed_of(number, seed);
    memset(shares, 0xff, count * sizeof *shares);
    split_shares(&split, seed, shares);
}

static void assert_whole(int64_t amount, uint32_t count)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        assert_true(shares[i] >= 1);
        sum += shares[i];
    }
    assert_true(sum == amount);
}

/* Deterministic and everywhere: edges first, then sizes in between. */
static void shares_sum_to_the_amount_and_none_is_below_one(void **state)
{
    static const struct {
        int64_t amount;
        uint32_t count;
    } sizes[] = {{1, 1},
                 {2, 1},
                 {2, 2},
                 {3, 2},
                 {10, 10},
                 {11, 10},
                 {100, 3},
                 {2000000, 1},
                 {10000, 10000},
                 {10001, 10000},
                 {2000000, 10000},
                 {2000000, 2},
                 {100000, 100000},
                 {SPLIT_AMOUNT_MAX, SPLIT_SHARES_MAX},
                 {SPLIT_AMOUNT_MAX, 1},
                 {SPLIT_AMOUNT_MAX, 2}};

    (void)state;
    for (enum split_rule rule = SPLIT_EQUAL; rule <= SPLIT_GAUSSIAN; rule++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (uint64_t number = 0; number < 5; number++) {
                split_number(rule, sizes[i].amount, sizes[i].count, number);
                assert_whole(sizes[i].amount, sizes[i].count);
            }
        }
        for (uint64_t number = 0; number < 5000; number++) {
            uint32_t count = 1 + (uint32_t)(number * 7919 % 50);
            int64_t amount = count + (int64_t)(number * 104729 % 1000);
            split_number(rule, amount, count, number);
            assert_whole(amount, count);
        }
    }
}

static void an_amount_of_one_a_share_gives_everybody_one(void **state)
{
    (void)state;
    for (enum split_rule rule = SPLIT_EQUAL; rule <= SPLIT_GAUSSIAN; rule++) {
        split_number(rule, 10000, 10000, rule);
        for (int i = 0; i < 10000; i++)
            assert_int_equal(shares[i], 1);
    }
}

static void the_same_seed_gives_the_same_shares_and_another_others(void **state)
{
    uint32_t first[100];

    (void)state;
    split_number(SPLIT_GAUSSIAN, 10000, 100, 1);
    memcpy(first, shares, sizeof first);
    split_number(SPLIT_GAUSSIAN, 10000, 100, 1);
    assert_memory_equal(first, shares, sizeof first);
    split_number(SPLIT_GAUSSIAN, 10000, 100, 2);
    assert_memory_not_equal(first, shares, sizeof first);
    split_number(SPLIT_DOUBLE_MEAN, 10000, 100, 1);
    assert_memory_not_equal(first, shares, sizeof first);
}

static void an_equal_split_differs_by_one_at_the_most(void **state)
{
    int larger = 0;

    (void)state;
    split_number(SPLIT_EQUAL, 107, 10, 3);
    assert_whole(107, 10);
    for (int i = 0; i < 10; i++) {
        assert_true(shares[i] == 10 || shares[i] == 11);
        larger += shares[i] == 11;
    }
    assert_int_equal(larger, 7);
}

/* What a third party with sha256sum would find; tests/e2e/split.py finds the same. */
static void the_commitment_is_the_digest_that_is_documented(void **state)
{
    static const char text[] = "smsd-packet-1 gaussian 2000000 10000 "
                               "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    struct split split = {SPLIT_GAUSSIAN, 2000000, 10000};
    uint8_t seed[SPLIT_SEED_SIZE], expected[SHA256_SIZE], found[SHA256_SIZE];

    (void)state;
    for (int i = 0; i < SPLIT_SEED_SIZE; i++)
        seed[i] = (uint8_t)i;
    sha256(text, strlen(text), expected);
    split_commitment(&split, seed, found);
    assert_memory_equal(expected, found, sizeof expected);
}

/* PKT-12: fixed for ever. A change of these is a change of what was promised at send. */
static void known_seeds_give_known_shares(void **state)
{
    static const uint32_t double_mean[] = {134, 99, 26, 71, 85, 12, 176, 148, 171, 78};
    static const uint32_t gaussian[] = {68, 72, 67, 152, 133, 102, 65, 61, 121, 159};
    struct split split = {SPLIT_DOUBLE_MEAN, 1000, 10};
    uint8_t seed[SPLIT_SEED_SIZE];

    (void)state;
    for (int i = 0; i < SPLIT_SEED_SIZE; i++)
        seed[i] = (uint8_t)i;
    split_shares(&split, seed, shares);
    assert_memory_equal(shares, double_mean, sizeof double_mean);
    split.rule = SPLIT_GAUSSIAN;
    split_shares(&split, seed, shares);
    assert_memory_equal(shares, gaussian, sizeof gaussian);
}

/* --- distributions -------------------------------------------------------------------------------
 */

enum { PACKETS = 20000, QUEUE = 10, BINS = 20 };

/* Values that chi-square passes once in a thousand. */
#define CHI_SQUARE_9  27.877
#define CHI_SQUARE_19 43.820

static double chi_square(const double *found, const double *expected, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += (found[i] - expected[i]) * (found[i] - expected[i]) / expected[i];
    return sum;
}

static double normal_below(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

/* Of two shares each has the rule's own distribution, whichever was drawn. */
static void count_halves(enum split_rule rule, int64_t amount, double found[BINS])
{
    memset(found, 0, BINS * sizeof *found);
    for (uint64_t number = 0; number < PACKETS; number++) {
        split_number(rule, amount, 2, number);
        found[(int64_t)(shares[0] - 1) * BINS / (amount - 1)]++;
    }
}

static void double_mean_is_uniform_up_to_twice_the_mean(void **state)
{
    double found[BINS], expected[BINS], figure;

    (void)state;
    for (int i = 0; i < BINS; i++)
        expected[i] = (double)PACKETS / BINS;
    count_halves(SPLIT_DOUBLE_MEAN, 20001, found);
    figure = chi_square(found, expected, BINS);
    print_message("double_mean, 2 shares of 20001, %d packets, %d bins, against uniform: "
                  "chi-square %.2f (19 degrees; 0.001: %.2f)\n",
                  PACKETS, BINS, figure, CHI_SQUARE_19);
    assert_true(figure < CHI_SQUARE_19);
}

/* A third of the mean wide, cut at 1 and at twice the mean: three deviations. */
static void gaussian_is_normal_around_the_mean(void **state)
{
    double found[BINS], expected[BINS], figure;

    (void)state;
    for (int i = 0; i < BINS; i++) {
        double from = i == 0 ? -1e9 : 6.0 * i / BINS - 3, to = 6.0 * (i + 1) / BINS - 3;
        expected[i] = PACKETS * (normal_below(i == BINS - 1 ? 1e9 : to) - normal_below(from));
    }
    count_halves(SPLIT_GAUSSIAN, 20001, found);
    figure = chi_square(found, expected, BINS);
    print_message("gaussian, 2 shares of 20001, %d packets, %d bins, against normal: "
                  "chi-square %.2f (19 degrees; 0.001: %.2f)\n",
                  PACKETS, BINS, figure, CHI_SQUARE_19);
    assert_true(figure < CHI_SQUARE_19);
}

struct queue {
    double sums[QUEUE], squares, best[QUEUE];
    double packets_with_one_best;
};

static void watch_queue(enum split_rule rule, int64_t amount, struct queue *queue)
{
    *queue = (struct queue){.squares = 0};
    for (uint64_t number = 0; number < PACKETS; number++) {
        int best = 0, times = 0;
        split_number(rule, amount, QUEUE, number);
        for (int i = 0; i < QUEUE; i++) {
            queue->sums[i] += shares[i];
            queue->squares += (double)shares[i] * shares[i];
            if (shares[i] > shares[best])
                best = i;
        }
        for (int i = 0; i < QUEUE; i++)
            times += shares[i] == shares[best];
        if (times == 1) {
            queue->best[best]++;
            queue->packets_with_one_best++;
        }
    }
}

/* Shares of a packet sum to the amount: so the means of the places have a degree of freedom less,
 * and their covariances are -variance/(QUEUE-1) each. */
static double chi_square_of_means(const struct queue *queue, double mean)
{
    double variance = queue->squares / PACKETS / QUEUE - mean * mean, sum = 0;

    for (int i = 0; i < QUEUE; i++) {
        double off = queue->sums[i] / PACKETS - mean;
        sum += off * off * PACKETS / variance;
    }
    return sum * (QUEUE - 1) / QUEUE;
}

static void nobody_gains_by_his_place_in_the_queue(void **state)
{
    (void)state;
    for (enum split_rule rule = SPLIT_DOUBLE_MEAN; rule <= SPLIT_GAUSSIAN; rule++) {
        struct queue queue;
        double expected[QUEUE], means, best, deviation;
        watch_queue(rule, 10000, &queue);
        for (int i = 0; i < QUEUE; i++)
            expected[i] = queue.packets_with_one_best / QUEUE;
        means = chi_square_of_means(&queue, 1000);
        best = chi_square(queue.best, expected, QUEUE);
        deviation = sqrt(queue.squares / PACKETS / QUEUE - 1e6);
        print_message(
            "%s, %d shares of 10000, %d packets: deviation of a share %.1f; by place: mean "
            "chi-square %.2f, best luck chi-square %.2f (9 degrees; 0.001: %.2f)\n",
            split_rule_text(rule), QUEUE, PACKETS, deviation, means, best, CHI_SQUARE_9);
        assert_true(means < CHI_SQUARE_9);
        assert_true(best < CHI_SQUARE_9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_sum_to_the_amount_and_none_is_below_one),
        cmocka_unit_test(an_amount_of_one_a_share_gives_everybody_one),
        cmocka_unit_test(the_same_seed_gives_the_same_shares_and_another_others),
        cmocka_unit_test(an_equal_split_differs_by_one_at_the_most),
        cmocka_unit_test(the_commitment_is_the_digest_that_is_documented),
        cmocka_unit_test(known_seeds_give_known_shares),
        cmocka_unit_test(double_mean_is_uniform_up_to_twice_the_mean),
        cmocka_unit_test(gaussian_is_normal_around_the_mean),
        cmocka_unit_test(nobody_gains_by_his_place_in_the_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
