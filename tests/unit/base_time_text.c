/* base/time_text: against libc's calendar for every day, and row by row what is read and refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/time_text.h"

#define LAST_MS INT64_C(253402300799999)

static void check_against_libc(int64_t ms)
{
    char text[TIME_TEXT_SIZE], expected[64];
    time_t second = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&second, &tm);
    snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
    time_format(text, ms);
    assert_memory_equal(text, expected, TIME_TEXT_SIZE);
    int64_t read = -1;
    assert_true(time_parse(text, TIME_TEXT_SIZE, &read));
    assert_int_equal(read, ms);
}

static void every_day_from_1970_to_9999_goes_both_ways(void **state)
{
    (void)state;
    for (int64_t day = 0; day * 86400000 <= LAST_MS; day++)
        check_against_libc(day * 86400000 + day * 7919 % 86400000);
    check_against_libc(0);
    check_against_libc(LAST_MS);
}

static void every_millisecond_of_a_second_and_its_neighbours_is_right(void **state)
{
    (void)state;
    for (int64_t ms = 951782399000; ms < 951782402000; ms++) /* into 2000-02-29 */
        check_against_libc(ms);
    check_against_libc(951782399000); /* back to a second that was left */
}

static void what_lies_outside_is_written_as_the_nearest_end(void **state)
{
    (void)state;
    char text[TIME_TEXT_SIZE];
    time_format(text, -1);
    assert_memory_equal(text, "1970-01-01T00:00:00.000Z", TIME_TEXT_SIZE);
    time_format(text, LAST_MS + 1);
    assert_memory_equal(text, "9999-12-31T23:59:59.999Z", TIME_TEXT_SIZE);
    time_format(text, INT64_MAX);
    assert_memory_equal(text, "9999-12-31T23:59:59.999Z", TIME_TEXT_SIZE);
}

static void what_rfc_3339_allows_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T00:00:00.1Z", 100},
        {"1970-01-01T00:00:00.12Z", 120},
        {"1970-01-01T00:00:00.1239Z", 123},
        {"1970-01-01T00:00:00.123999999Z", 123},
        {"1970-01-01T08:00:00+08:00", 0},
        {"1969-12-31T23:00:00-01:00", 0},
        {"1970-01-01T00:00:01-00:00", 1000},
        {"1970-01-01T23:59:01+23:59", 1000},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
        {"2026-11-21T19:41:00.123Z", INT64_C(1795290060123)},
        {"2026-11-22T03:41:00.123+08:00", INT64_C(1795290060123)},
        {"9999-12-31T23:59:59.999999999Z", LAST_MS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = -1;
        assert_true(time_parse(rows[i].text, strlen(rows[i].text), &ms));
        assert_int_equal(ms, rows[i].ms);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "Z",
        "2026",
        "2026-11-21",
        "2026-11-21T19:41:00",
        "2026-11-21T19:41Z",
        "2026-11-21 19:41:00Z",
        "2026-11-21T19:41:00.Z",
        "2026-11-21T19:41:00.1234567890Z",
        "2026-11-21T19:41:00,5Z",
        "2026-11-21T19:41:00Z ",
        " 2026-11-21T19:41:00Z",
        "2026-11-21T19:41:00+08",
        "2026-11-21T19:41:00+0800",
        "2026-11-21T19:41:00+24:00",
        "2026-11-21T19:41:00+08:60",
        "2026-11-21T19:41:00ZZ",
        "2026-11-21T24:00:00Z",
        "2026-11-21T19:60:00Z",
        "2026-11-21T19:41:60Z",
        "2016-12-31T23:59:60Z", /* was a leap second */
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-13-10T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-11-32T00:00:00Z",
        "26-11-21T19:41:00Z",
        "02026-11-21T19:41:00Z",
        "+2026-11-21T19:41:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-1x-21T19:41:00Z",
        "2026-11-21T19:41:00\xef\xbc\x8b",
    };
    int64_t ms = 42;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (time_parse(texts[i], strlen(texts[i]), &ms))
            fail_msg("read: %s", texts[i]);
    }
    assert_false(time_parse("2026-11-21T19:41:00\0Z", 21, &ms));
    assert_int_equal(ms, 42);
}

static void a_text_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const char text[] = "2026-11-21T19:41:00.123+08:00";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char exact[sizeof text]; /* so that reading on shows under the sanitizer */
        int64_t ms;
        memcpy(exact + sizeof text - size, text, size);
        assert_false(time_parse(exact + sizeof text - size, size, &ms));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_from_1970_to_9999_goes_both_ways),
        cmocka_unit_test(every_millisecond_of_a_second_and_its_neighbours_is_right),
        cmocka_unit_test(what_lies_outside_is_written_as_the_nearest_end),
        cmocka_unit_test(what_rfc_3339_allows_is_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_text_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
