/* engine/webhook_delay: when a webhook is tried again (SMS-20). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/webhook.h"

enum { RETRIES = WEBHOOK_ATTEMPTS_MAX - 1, NUMBERS = 2000 };

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

static const int64_t table[RETRIES] = {5 * SECOND, 300 * SECOND, 1800 * SECOND, 2 * HOUR, 5 * HOUR,
                                       10 * HOUR,  14 * HOUR,    20 * HOUR,     24 * HOUR};

/* Numbers as they are given out: close together. */
static uint64_t number_at(unsigned i)
{
    return (UINT64_C(0x2f0123456789) << 16) + i;
}

static void each_delay_is_the_tables_and_up_to_a_tenth_more(void **state)
{
    (void)state;
    for (unsigned attempts = 1; attempts <= RETRIES; attempts++) {
        for (unsigned i = 0; i < NUMBERS; i++) {
            int64_t delay = webhook_delay_ms(number_at(i), attempts, 0);
            assert_in_range(delay, table[attempts - 1], table[attempts - 1] * 11 / 10);
        }
    }
}

/* Three days at the least, and less than a webhook's days, whatever its number. */
static void all_together_are_three_days_and_fit_into_four(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NUMBERS; i++) {
        int64_t sum = 0;
        for (unsigned attempts = 1; attempts <= RETRIES; attempts++)
            sum += webhook_delay_ms(number_at(i), attempts, 0);
        assert_in_range(sum, 3 * DAY, WEBHOOK_AGE_MAX_MS - HOUR);
    }
}

/* In ten slots of the tenth that is added, about as many each: between half and twice. */
static void many_are_spread_over_the_tenth(void **state)
{
    int slots[10] = {0};

    (void)state;
    for (unsigned i = 0; i < NUMBERS; i++) {
        int64_t added = webhook_delay_ms(number_at(i), 4, 0) - 2 * HOUR;
        slots[added * 10 / (2 * HOUR / 10 + 1)]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(slots[i], NUMBERS / 20, NUMBERS / 5);
}

static void the_same_webhook_always_waits_the_same(void **state)
{
    (void)state;
    for (unsigned attempts = 1; attempts <= RETRIES; attempts++)
        assert_int_equal(webhook_delay_ms(number_at(7), attempts, 0),
                         webhook_delay_ms(number_at(7), attempts, 0));
    assert_int_not_equal(webhook_delay_ms(number_at(7), 9, 0),
                         webhook_delay_ms(number_at(8), 9, 0));
}

static void what_the_receiver_asks_for_only_puts_off(void **state)
{
    int64_t by_table = webhook_delay_ms(number_at(1), 3, 0);

    (void)state;
    assert_int_equal(webhook_delay_ms(number_at(1), 3, 1 * SECOND), by_table);
    assert_int_equal(webhook_delay_ms(number_at(1), 3, 1800 * SECOND), by_table);
    assert_in_range(webhook_delay_ms(number_at(1), 3, 3 * HOUR), 3 * HOUR, 3 * HOUR * 11 / 10);
    assert_in_range(webhook_delay_ms(number_at(1), 3, 400 * DAY), DAY, DAY * 11 / 10);
    assert_in_range(webhook_delay_ms(number_at(1), 3, INT64_MAX), DAY, DAY * 11 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_delay_is_the_tables_and_up_to_a_tenth_more),
        cmocka_unit_test(all_together_are_three_days_and_fit_into_four),
        cmocka_unit_test(many_are_spread_over_the_tenth),
        cmocka_unit_test(the_same_webhook_always_waits_the_same),
        cmocka_unit_test(what_the_receiver_asks_for_only_puts_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
