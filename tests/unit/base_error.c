/* base/error: every declared error has its own number and its own text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"

static void every_error_has_its_own_text(void **state)
{
    (void)state;
    static const int numbers[] = {
#define ERROR(name, number, text) ERR_##name,
#include "base/error.def"
#undef ERROR
    };
    const size_t count = sizeof numbers / sizeof *numbers;
    for (size_t i = 0; i < count; i++) {
        assert_true(numbers[i] < 0);
        assert_string_not_equal(error_text(numbers[i]), error_text(INT32_MIN));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(error_text(numbers[i]), error_text(numbers[k]));
    }
}

static void a_number_nobody_declared_has_a_text_too(void **state)
{
    (void)state;
    assert_string_equal(error_text(-123456), "unknown error");
    assert_string_equal(error_text(0), "no error");
    assert_string_equal(error_text(ERR_DAMAGED), "stored data is damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_own_text),
        cmocka_unit_test(a_number_nobody_declared_has_a_text_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
