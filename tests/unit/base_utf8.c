/* base/utf8: every code point there is, and what is not one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"

static void every_scalar_value_goes_both_ways(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        char text[4];
        size_t size = utf8_put(text, code);
        assert_int_equal(size, code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);
        assert_int_equal(utf8_length(text, text + size), size);
        for (size_t cut = 1; cut < size; cut++)
            assert_int_equal(utf8_length(text, text + cut), 0);
    }
}

static void exactly_the_scalar_values_are_accepted(void **state)
{
    (void)state;
    size_t accepted = 0;
    for (uint32_t first = 0; first < 256; first++) {
        for (uint32_t second = 0; second < 256; second++) {
            char text[4] = {(char)first, (char)second, (char)0x80, (char)0xbf};
            size_t size = utf8_length(text, text + 4);
            if (size == 2)
                accepted += 1;
            if (size == 3)
                accepted += 64;
            if (size == 4)
                accepted += 4096;
        }
    }
    assert_int_equal(accepted, 0x110000 - 0x800 - 0x80);
}

static void the_third_and_fourth_byte_must_continue(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char three[3] = {(char)0xe4, (char)0xb8, (char)byte};
        char four[4] = {(char)0xf0, (char)0x9f, (char)0x98, (char)byte};
        size_t is_right = byte >= 0x80 && byte <= 0xbf;
        assert_int_equal(utf8_length(three, three + 3), is_right * 3);
        assert_int_equal(utf8_length(four, four + 4), is_right * 4);
    }
}

static void a_text_is_cut_at_a_character(void **state)
{
    enum { SIZE_MAX_KEPT = 128 };
    char text[300];

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + SIZE_MAX_KEPT - 1, "\xc3\xa9", 2);
    struct text whole = {text, sizeof text};
    assert_int_equal(utf8_cut(whole, SIZE_MAX_KEPT).size, SIZE_MAX_KEPT - 1);
    assert_int_equal(utf8_cut(whole, SIZE_MAX_KEPT + 1).size, SIZE_MAX_KEPT + 1);
    assert_int_equal(utf8_cut(whole, sizeof text).size, sizeof text);
    text[10] = (char)0xff;
    assert_int_equal(utf8_cut(whole, SIZE_MAX_KEPT).size, 10);
    assert_int_equal(utf8_cut((struct text){NULL, 0}, SIZE_MAX_KEPT).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scalar_value_goes_both_ways),
        cmocka_unit_test(exactly_the_scalar_values_are_accepted),
        cmocka_unit_test(the_third_and_fourth_byte_must_continue),
        cmocka_unit_test(a_text_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
