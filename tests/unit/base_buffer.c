/* base/buffer and base/digits: growth, consumption, numbers over their whole range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/digits.h"

static void assert_holds(const struct buffer *buffer, const char *expected)
{
    assert_int_equal(buffer->size, strlen(expected));
    assert_memory_equal(buffer->data, expected, buffer->size);
}

static void appended_bytes_stand_in_order(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    for (int i = 0; i < 1000; i++)
        buffer_append(&buffer, "0123456789" + i % 10, 1);
    assert_int_equal(buffer.size, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(buffer.data[i], '0' + (int)(i % 10));
    buffer_append(&buffer, NULL, 0);
    assert_int_equal(buffer.size, 1000);
    buffer_release(&buffer);
    assert_int_equal(buffer.capacity, 0);
}

static void texts_literals_and_formats_are_appended(void **state)
{
    (void)state;
    struct buffer buffer;
    char long_text[1000];
    memset(long_text, 'x', 999);
    long_text[999] = 0;
    buffer_init(&buffer);
    buffer_append_text(&buffer, "a");
    buffer_append_literal(&buffer, "b\0c");
    assert_memory_equal(buffer.data, "ab\0c", 4);
    buffer.size = 0;
    buffer_append_format(&buffer, "%d-%s", 7, long_text);
    assert_int_equal(buffer.size, 1001);
    assert_memory_equal(buffer.data, "7-xxx", 5);
    assert_int_equal(buffer.data[1000], 'x');
    buffer_release(&buffer);
}

static void consuming_moves_the_rest_to_the_front(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    buffer_consume(&buffer, 0);
    buffer_append_text(&buffer, "abcdef");
    buffer_consume(&buffer, 2);
    assert_holds(&buffer, "cdef");
    buffer_consume(&buffer, 4);
    assert_holds(&buffer, "");
    buffer_release(&buffer);
}

static void reserving_does_not_move_the_size(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    buffer_append_text(&buffer, "ab");
    memset(buffer_reserve(&buffer, 10000), 'z', 10000);
    assert_holds(&buffer, "ab");
    buffer_release(&buffer);
}

static void check_int(int64_t value)
{
    char expected[32], digits[DIGITS_MAX];
    int size = snprintf(expected, sizeof expected, "%" PRId64, value);
    assert_int_equal(digits_put_int(digits, value), size);
    assert_memory_equal(digits, expected, (size_t)size);
    size = snprintf(expected, sizeof expected, "%" PRIu64, (uint64_t)value);
    assert_int_equal(digits_put_uint(digits, (uint64_t)value), size);
    assert_memory_equal(digits, expected, (size_t)size);
}

static void integers_are_exact_around_every_power_of_ten_and_two(void **state)
{
    (void)state;
    uint64_t ten = 1;
    for (int i = 0; i < 20; i++, ten *= 10) {
        for (int64_t d = -2; d <= 2; d++) {
            check_int((int64_t)ten + d);
            check_int((int64_t)(0 - ten) + d);
        }
    }
    for (int bit = 0; bit < 64; bit++) {
        for (uint64_t d = 0; d < 3; d++)
            check_int((int64_t)((UINT64_C(1) << bit) + d - 1));
    }
    check_int(INT64_MIN);
    check_int(INT64_MAX);
}

static void numbers_append_to_a_buffer(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    buffer_append_int(&buffer, INT64_MIN);
    buffer_append_literal(&buffer, " ");
    buffer_append_uint(&buffer, UINT64_MAX);
    assert_holds(&buffer, "-9223372036854775808 18446744073709551615");
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_stand_in_order),
        cmocka_unit_test(texts_literals_and_formats_are_appended),
        cmocka_unit_test(consuming_moves_the_rest_to_the_front),
        cmocka_unit_test(reserving_does_not_move_the_size),
        cmocka_unit_test(integers_are_exact_around_every_power_of_ten_and_two),
        cmocka_unit_test(numbers_append_to_a_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
