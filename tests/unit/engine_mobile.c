/* engine/mobile: E.164 numbers, masked for logs (OPS-4), and the country that they are of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/mobile.h"

enum { COUNT_OF_RULES = 10 };

static struct text text_of(const char *literal)
{
    return (struct text){literal, strlen(literal)};
}

static uint64_t number_of(const char *text)
{
    uint64_t mobile = 0;
    assert_true(mobile_parse(text_of(text), &mobile));
    return mobile;
}

static void no_byte_but_a_digit_is_taken_anywhere(void **state)
{
    (void)state;
    for (size_t size = 1 + MOBILE_DIGITS_MIN; size <= MOBILE_TEXT_MAX; size++) {
        for (size_t place = 0; place < size; place++) {
            for (int byte = 0; byte < 256; byte++) {
                char text[] = "+918273645546372";
                uint64_t mobile = 0, number = 0;
                bool is_digit = byte >= '0' && byte <= '9';
                bool is_good = place == 0   ? byte == '+'
                               : place == 1 ? is_digit && byte != '0'
                                            : is_digit;
                text[place] = (char)byte;
                assert_true(mobile_parse((struct text){text, size}, &mobile) == is_good);
                for (size_t i = 1; i < size; i++)
                    number = number * 10 + (uint64_t)(text[i] - '0');
                assert_true(!is_good || mobile == number);
            }
        }
    }
}

static void plus_and_seven_to_fifteen_digits_are_a_number(void **state)
{
    static const char *const texts[] = {"+1234567", "+8613812345678", "+999999999999999",
                                        "+290123456"};
    (void)state;
    assert_true(number_of("+8613812345678") == UINT64_C(8613812345678));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char spelt[MOBILE_TEXT_MAX];
        size_t size = mobile_put(spelt, number_of(texts[i]));
        assert_int_equal(size, strlen(texts[i]));
        assert_memory_equal(spelt, texts[i], size);
    }
}

static void anything_else_is_not(void **state)
{
    static const char *const texts[] = {"",
                                        "+",
                                        "+123456",
                                        "+1234567890123456",
                                        "8613812345678",
                                        "+01234567",
                                        "008613812345678",
                                        "+86 13812345678",
                                        "+86-13812345678",
                                        "+8613812345678 ",
                                        " +8613812345678",
                                        "+8613812345a78",
                                        "++8613812345678",
                                        "+８６13812345678",
                                        "+1234567\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t mobile = 42;
        assert_false(mobile_parse(text_of(texts[i]), &mobile));
        assert_true(mobile == 42);
    }
    uint64_t mobile;
    assert_false(mobile_parse((struct text){"+12345\0"
                                            "678",
                                            10},
                              &mobile));
    assert_false(mobile_parse((struct text){NULL, 0}, &mobile));
}

/* OPS-4: no log has a full number. */
static void a_masked_number_hides_five_digits_at_the_least(void **state)
{
    static const struct {
        const char *text;
        const char *masked;
    } rows[] = {
        {"+8613812345678", "+8613******678"}, {"+999999999999999", "+9999********999"},
        {"+447700900123", "+4477*****123"},   {"+15550123456", "+155*****456"},
        {"+6591234567", "+65*****567"},       {"+372512345", "+3*****345"},
        {"+29012345", "+*****345"},           {"+2901234", "+*****34"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char masked[MOBILE_TEXT_MAX];
        size_t size = mobile_put_masked(masked, number_of(rows[i].text));
        assert_int_equal(size, strlen(rows[i].masked));
        assert_memory_equal(masked, rows[i].masked, size);
    }
}

/* Rules in the order of countries' names, as the catalogue has them. */
static const struct text ca[] = {{"416", 3}, {"604", 3}, {"514", 3}};
static const struct text cn[] = {{"13", 2}, {"14", 2}, {"15", 2}, {"19", 2}};
static const struct text it[] = {{"3", 1}};
static const struct text je[] = {{"7797", 4}, {"7829", 4}};
static const struct text gb[] = {{"71", 2}, {"77", 2}, {"78", 2}};
static const struct text kz[] = {{"70", 2}, {"77", 2}};
static const struct text ru[] = {{"9", 1}};
static const struct text va[] = {{"06698", 5}};

enum { CA, CN, GB, IT, JE, KZ, RU, SM, US, VA };

static const struct mobile_rule rules[COUNT_OF_RULES] = {
    [CA] = {1, 1U << 10, ca, 3},   [CN] = {86, 1U << 11, cn, 4},
    [GB] = {44, 1U << 10, gb, 3},  [IT] = {39, 1U << 9 | 1U << 10, it, 1},
    [JE] = {44, 1U << 10, je, 2},  [KZ] = {7, 1U << 10, kz, 2},
    [RU] = {7, 1U << 10, ru, 1},   [SM] = {378, 0, NULL, 0},
    [US] = {1, 1U << 10, NULL, 0}, [VA] = {39, 1U << 10, va, 1},
};

static void assert_matched(const char *text, enum mobile_match match, size_t country)
{
    size_t found = COUNT_OF_RULES;
    assert_int_equal(mobile_match(number_of(text), rules, COUNT_OF_RULES, &found), match);
    assert_int_equal(found, country);
}

static void a_number_is_of_the_country_of_its_calling_code(void **state)
{
    (void)state;
    assert_matched("+8613812345678", MOBILE_MATCHED, CN);
    assert_matched("+393331234567", MOBILE_MATCHED, IT);
    assert_matched("+39333123456", MOBILE_MATCHED, IT);
    assert_matched("+37866661212", MOBILE_MATCHED, SM);
    assert_matched("+819012345678", MOBILE_NO_COUNTRY, COUNT_OF_RULES);
    assert_matched("+3791234567", MOBILE_NO_COUNTRY, COUNT_OF_RULES);
}

static void of_countries_that_share_a_calling_code_the_prefix_decides(void **state)
{
    (void)state;
    assert_matched("+14165550123", MOBILE_MATCHED, CA);
    assert_matched("+12125550123", MOBILE_MATCHED, US);
    assert_matched("+77011234567", MOBILE_MATCHED, KZ);
    assert_matched("+79161234567", MOBILE_MATCHED, RU);
    assert_matched("+447797123456", MOBILE_MATCHED, JE);
    assert_matched("+447700900123", MOBILE_MATCHED, GB);
    assert_matched("+390669812345", MOBILE_MATCHED, VA);
}

static void a_number_that_is_no_mobile_there_is_refused(void **state)
{
    (void)state;
    assert_matched("+8602112345678", MOBILE_BAD_PREFIX, CN);
    assert_matched("+442071234567", MOBILE_BAD_PREFIX, GB);
    assert_matched("+74951234567", MOBILE_BAD_PREFIX, KZ);
    assert_matched("+861381234567", MOBILE_BAD_LENGTH, CN);
    assert_matched("+86138123456789", MOBILE_BAD_LENGTH, CN);
    assert_matched("+1416555012", MOBILE_BAD_LENGTH, CA);
    assert_matched("+141655501234", MOBILE_BAD_LENGTH, CA);
    assert_matched("+39333123456789", MOBILE_BAD_LENGTH, IT);
}

static void a_number_that_ends_with_its_calling_code_has_no_country(void **state)
{
    static const struct mobile_rule whole = {1234567, 0, NULL, 0};
    size_t found;
    (void)state;
    assert_int_equal(mobile_match(1234567, &whole, 1, &found), MOBILE_NO_COUNTRY);
    assert_int_equal(mobile_match(12345678, &whole, 1, &found), MOBILE_MATCHED);
    assert_int_equal(mobile_match(12345678, NULL, 0, &found), MOBILE_NO_COUNTRY);
}

static void of_equals_the_length_decides_then_the_order(void **state)
{
    static const struct text same[] = {{"9", 1}, {"91", 2}};
    static const struct mobile_rule equals[] = {
        {7, 1U << 9, same, 2}, {7, 1U << 10, same, 2}, {7, 1U << 10, same, 2}};
    size_t found;
    (void)state;
    assert_int_equal(mobile_match(79112345678, equals, 3, &found), MOBILE_MATCHED);
    assert_int_equal(found, 1);
    assert_int_equal(mobile_match(7911234567, equals, 3, &found), MOBILE_MATCHED);
    assert_int_equal(found, 0);
    assert_int_equal(mobile_match(791123456, equals, 3, &found), MOBILE_BAD_LENGTH);
    assert_int_equal(found, 0);
}

static void a_longer_calling_code_goes_before_a_shorter_one(void **state)
{
    static const struct mobile_rule zone[] = {{1, 1U << 10, NULL, 0}, {1242, 1U << 7, NULL, 0}};
    size_t found;
    (void)state;
    assert_int_equal(mobile_match(12425551234, zone, 2, &found), MOBILE_MATCHED);
    assert_int_equal(found, 1);
    assert_int_equal(mobile_match(12125551234, zone, 2, &found), MOBILE_MATCHED);
    assert_int_equal(found, 0);
}

static void of_a_countrys_prefixes_the_longest_counts_wherever_it_stands(void **state)
{
    static const struct text one[] = {{"9", 1}}, two[] = {{"91", 2}, {"9", 1}};
    static const struct mobile_rule both[] = {{7, 0, one, 1}, {7, 0, two, 2}};
    size_t found;
    (void)state;
    assert_int_equal(mobile_match(79112345678, both, 2, &found), MOBILE_MATCHED);
    assert_int_equal(found, 1);
    assert_int_equal(mobile_match(79212345678, both, 2, &found), MOBILE_MATCHED);
    assert_int_equal(found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_but_a_digit_is_taken_anywhere),
        cmocka_unit_test(plus_and_seven_to_fifteen_digits_are_a_number),
        cmocka_unit_test(anything_else_is_not),
        cmocka_unit_test(a_masked_number_hides_five_digits_at_the_least),
        cmocka_unit_test(a_number_is_of_the_country_of_its_calling_code),
        cmocka_unit_test(of_countries_that_share_a_calling_code_the_prefix_decides),
        cmocka_unit_test(a_number_that_is_no_mobile_there_is_refused),
        cmocka_unit_test(a_number_that_ends_with_its_calling_code_has_no_country),
        cmocka_unit_test(of_equals_the_length_decides_then_the_order),
        cmocka_unit_test(of_a_countrys_prefixes_the_longest_counts_wherever_it_stands),
        cmocka_unit_test(a_longer_calling_code_goes_before_a_shorter_one),
    };
    return cmocka_run_group_tests_name("engine_mobile", tests, NULL, NULL);
}
