/* base/id: numbers only grow, texts sort as numbers do, one number has one text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/id.h"

#define NOW INT64_C(1795290060123)

static void a_number_holds_its_millisecond(void **state)
{
    (void)state;
    uint64_t number = id_next(0, NOW);
    assert_int_equal(id_time_ms(number), NOW);
    assert_true(number == id_at(NOW));
}

static void numbers_grow_while_the_clock_stands_or_steps_back(void **state)
{
    (void)state;
    uint64_t number = id_next(0, NOW);
    for (int i = 0; i < 1000; i++) {
        uint64_t next = id_next(number, i % 3 == 0 ? NOW : NOW - (int64_t)i * 1000);
        assert_true(next == number + 1);
        number = next;
    }
    assert_true(id_next(number, NOW + 1) == id_at(NOW + 1));
}

static void a_full_millisecond_runs_over_into_the_next(void **state)
{
    (void)state;
    uint64_t last = id_at(NOW) | ((1 << ID_COUNTER_BITS) - 1);
    assert_true(id_next(last, NOW) == id_at(NOW + 1));
}

static void the_smallest_number_of_a_time_is_clamped_at_both_ends(void **state)
{
    (void)state;
    assert_true(id_at(INT64_MIN) == 0);
    assert_true(id_at(ID_EPOCH_MS) == 0);
    assert_true(id_at(ID_EPOCH_MS + 1) == 1 << ID_COUNTER_BITS);
    assert_true(id_at(INT64_MAX) == UINT64_MAX - ((1 << ID_COUNTER_BITS) - 1));
}

static void check_round_trip(uint64_t number)
{
    char text[ID_TEXT_MAX];
    uint64_t read = ~number;
    assert_int_equal(id_format(text, "chg_", number), ID_TEXT_MAX);
    assert_true(id_parse(text, sizeof text, "chg_", &read));
    assert_true(read == number);
}

static void a_number_says_its_day(void **state)
{
    (void)state;
    int64_t midnight_ms = INT64_C(20779) * 86400000; /* 2026-11-22 */
    assert_int_equal(id_day(id_at(midnight_ms)), 20779);
    assert_int_equal(id_day(id_at(midnight_ms) - 1), 20778);
    assert_true(id_of_day(20779) == id_at(midnight_ms));
    assert_true(id_of_day(0) == 0);
}

static void texts_read_back_as_the_same_number(void **state)
{
    (void)state;
    char text[ID_TEXT_MAX];
    for (int bit = 0; bit < 64; bit++) {
        check_round_trip(UINT64_C(1) << bit);
        check_round_trip((UINT64_C(1) << bit) - 1);
    }
    check_round_trip(UINT64_MAX);
    id_format(text, "pkt_", UINT64_MAX);
    assert_memory_equal(text, "pkt_fzzzzzzzzzzzz", ID_TEXT_MAX);
    assert_int_equal(id_format(text, "", 33), ID_DIGITS);
    assert_memory_equal(text, "0000000000011", ID_DIGITS);
}

static void texts_sort_as_their_numbers(void **state)
{
    (void)state;
    char before[ID_TEXT_MAX], after[ID_TEXT_MAX];
    uint64_t number = 1;
    for (int i = 0; i < 10000; i++) {
        uint64_t next = number + (UINT64_C(1) << i % 50) + (uint64_t)i;
        id_format(before, "msg_", number);
        id_format(after, "msg_", next);
        assert_true(memcmp(before, after, ID_TEXT_MAX) < 0);
        number = next;
    }
}

static void anything_but_the_exact_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "chg_",
        "chg_000000000001",   /* too short */
        "chg_00000000000001", /* too long */
        "pkt_0000000000001",  /* another prefix */
        "CHG_0000000000001",
        "chg_000000000000A",
        "chg_000000000000i",
        "chg_000000000000l",
        "chg_000000000000o",
        "chg_000000000000u",
        "chg_000000000000-",
        "chg_000000000000 ",
        "chg_000000000000\xff",
        "chg_g000000000000", /* 2^64 */
        "chg_z000000000000",
    };
    uint64_t number = 42;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(id_parse(texts[i], strlen(texts[i]), "chg_", &number));
    assert_int_equal(number, 42);
    assert_true(id_parse("chg_f000000000000", 17, "chg_", &number));
    assert_true(number == UINT64_C(15) << 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_holds_its_millisecond),
        cmocka_unit_test(numbers_grow_while_the_clock_stands_or_steps_back),
        cmocka_unit_test(a_full_millisecond_runs_over_into_the_next),
        cmocka_unit_test(the_smallest_number_of_a_time_is_clamped_at_both_ends),
        cmocka_unit_test(a_number_says_its_day),
        cmocka_unit_test(texts_read_back_as_the_same_number),
        cmocka_unit_test(texts_sort_as_their_numbers),
        cmocka_unit_test(anything_but_the_exact_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
