/* engine/template: SMS-5, placeholders checked when a template is put and filled when a message is
 * sent; what is missing and what is not known is told in full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "engine/template.h"

enum { ROOM = 256 };

static struct buffer content;

static struct text text_of(const char *literal)
{
    return (struct text){literal, strlen(literal)};
}

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&content);
    return 0;
}

static void assert_names(const struct template_names *names, const char *expected)
{
    char joined[ROOM];
    size_t size = 0;
    for (size_t i = 0; i < names->count; i++)
        size += (size_t)snprintf(joined + size, sizeof joined - size, "%s%.*s", i > 0 ? " " : "",
                                 (int)names->names[i].size, names->names[i].data);
    joined[size] = '\0';
    assert_string_equal(joined, expected);
}

static void placeholders_are_listed_each_once_in_order(void **state)
{
    static const struct {
        const char *content;
        const char *names;
    } rows[] = {
        {"", ""},
        {"no placeholder", ""},
        {"Your code is {code}, for {minutes} minutes.", "code minutes"},
        {"{b}{a}{b}", "b a"},
        {"{{code}}", ""},
        {"{{{code}}}", "code"},
        {"您的验证码是{code}。", "code"},
        {"{A_z09}", "A_z09"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct template_names names;
        assert_int_equal(template_check(text_of(rows[i].content), &names, NULL), TEMPLATE_OK);
        assert_names(&names, rows[i].names);
    }
}

static void what_is_not_a_template_is_refused_at_its_byte(void **state)
{
    static const struct {
        const char *content;
        enum template_fault fault;
        size_t at;
    } rows[] = {
        {"code {code", TEMPLATE_UNCLOSED, 5}, {"{", TEMPLATE_UNCLOSED, 0},
        {"{code {x}", TEMPLATE_UNCLOSED, 0},  {"code}", TEMPLATE_UNOPENED, 4},
        {"}", TEMPLATE_UNOPENED, 0},          {"{{code}", TEMPLATE_UNOPENED, 6},
        {"{code}}", TEMPLATE_UNOPENED, 6},    {"{a}{}", TEMPLATE_BAD_NAME, 3},
        {"{a b}", TEMPLATE_BAD_NAME, 0},      {"{ a}", TEMPLATE_BAD_NAME, 0},
        {"{a-b}", TEMPLATE_BAD_NAME, 0},      {"{验证码}", TEMPLATE_BAD_NAME, 0},
        {"{{{code}", TEMPLATE_OK, 0},         {"{{{", TEMPLATE_UNCLOSED, 2},
        {"a{{b}}c}}{", TEMPLATE_UNCLOSED, 9},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t at = 0;
        assert_int_equal(template_check(text_of(rows[i].content), NULL, &at), rows[i].fault);
        if (rows[i].fault != TEMPLATE_OK)
            assert_int_equal(at, rows[i].at);
    }
}

static struct text content_of_names(int count, int digits)
{
    content.size = 0;
    for (int i = 0; i < count; i++)
        buffer_append_format(&content, "{%0*d}", digits, i);
    return (struct text){content.data, content.size};
}

static void names_and_content_have_bounds(void **state)
{
    struct template_names names;
    size_t at;
    (void)state;
    assert_int_equal(template_check(content_of_names(1, 64), NULL, NULL), TEMPLATE_OK);
    assert_int_equal(template_check(content_of_names(1, 65), NULL, NULL), TEMPLATE_BAD_NAME);
    assert_int_equal(template_check(content_of_names(32, 2), &names, NULL), TEMPLATE_OK);
    assert_int_equal(names.count, 32);
    assert_int_equal(template_check(content_of_names(33, 2), NULL, &at), TEMPLATE_TOO_MANY);
    assert_int_equal(at, 32 * 4);
    content.size = 0;
    while (content.size < TEMPLATE_BYTES_MAX)
        buffer_append_text(&content, "{a} ");
    assert_int_equal(template_check((struct text){content.data, content.size}, NULL, NULL),
                     TEMPLATE_OK);
    buffer_append_text(&content, "b");
    assert_int_equal(template_check((struct text){content.data, content.size}, NULL, NULL),
                     TEMPLATE_CONTENT_TOO_LONG);
}

static void each_fault_is_told_in_words(void **state)
{
    (void)state;
    for (int fault = TEMPLATE_UNCLOSED; fault <= TEMPLATE_CONTENT_TOO_LONG; fault++)
        assert_true(strlen(template_fault_text((enum template_fault)fault)) > 10);
    char expected[ROOM];
    snprintf(expected, sizeof expected, "has more than %d placeholders", TEMPLATE_NAMES_MAX);
    assert_string_equal(template_fault_text(TEMPLATE_TOO_MANY), expected);
    snprintf(expected, sizeof expected, "has more than %d bytes", TEMPLATE_BYTES_MAX);
    assert_string_equal(template_fault_text(TEMPLATE_CONTENT_TOO_LONG), expected);
}

/* `given`: names and values, "code=1234&minutes=5". */
static size_t params_of(const char *given, struct template_param *params)
{
    size_t count = 0;
    while (*given != '\0') {
        size_t name = strcspn(given, "="), value = strcspn(given + name + 1, "&");
        params[count++] = (struct template_param){{given, name}, {given + name + 1, value}};
        given += name + 1 + value;
        given += *given == '&';
    }
    return count;
}

static struct template_refusal refusal;

static enum template_render render(const char *template, const char *given, char *to,
                                   size_t to_size, size_t *size)
{
    struct template_param params[64];
    size_t count = params_of(given, params);
    return template_render(text_of(template), params, count, to, to_size, size, &refusal);
}

static void assert_rendered(const char *template, const char *given, const char *expected)
{
    char to[ROOM];
    size_t size;
    assert_int_equal(render(template, given, to, sizeof to, &size), TEMPLATE_RENDERED);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(to, expected, size);
}

static void placeholders_are_filled(void **state)
{
    (void)state;
    assert_rendered("", "", "");
    assert_rendered("plain", "", "plain");
    assert_rendered("您的验证码是{code}。", "code=123456", "您的验证码是123456。");
    assert_rendered("{a}{b}{a}", "b=2&a=1", "121");
    assert_rendered("{a}", "a=", "");
    assert_rendered("{{a}} {{{a}}}", "a=1", "{a} {1}");
    assert_rendered("{{}}", "", "{}");
}

static void a_value_is_put_in_as_it_is(void **state)
{
    (void)state;
    assert_rendered("{a} {b}", "a={b}&b={{", "{b} {{");
    assert_rendered("{a}", "a=}", "}");
}

static void every_missing_and_every_unknown_parameter_is_named(void **state)
{
    char to[ROOM];
    size_t size;
    (void)state;
    assert_int_equal(render("{a}{b}{c}{a}", "b=1", to, sizeof to, &size), TEMPLATE_MISSING);
    assert_names(&refusal.missing, "a c");
    assert_names(&refusal.unknown, "");
    assert_int_equal(render("{a}", "x=1&a=1&y=1", to, sizeof to, &size), TEMPLATE_UNKNOWN);
    assert_names(&refusal.missing, "");
    assert_names(&refusal.unknown, "x y");
    assert_int_equal(render("{a}", "A=1", to, sizeof to, &size), TEMPLATE_MISSING);
    assert_names(&refusal.missing, "a");
    assert_names(&refusal.unknown, "A");
    assert_int_equal(render("{{a}}", "a=1", to, sizeof to, &size), TEMPLATE_UNKNOWN);
    assert_names(&refusal.unknown, "a");
}

static void of_very_many_unknown_parameters_the_first_are_named(void **state)
{
    char names[64][16], to[ROOM];
    struct template_param params[64];
    size_t size;
    (void)state;
    for (int i = 0; i < 64; i++) {
        snprintf(names[i], sizeof names[i], "p%d", i);
        params[i] = (struct template_param){text_of(names[i]), text_of("1")};
    }
    assert_int_equal(template_render(text_of("x"), params, 64, to, sizeof to, &size, &refusal),
                     TEMPLATE_UNKNOWN);
    assert_int_equal(refusal.unknown.count, TEMPLATE_NAMES_MAX);
    assert_true(text_equals(refusal.unknown.names[31], text_of("p31")));
}

static void what_does_not_fit_is_refused_and_nothing_written_behind_the_end(void **state)
{
    char to[8];
    size_t size;
    (void)state;
    memset(to, '#', sizeof to);
    assert_int_equal(render("ab{x}", "x=cdef", to, 6, &size), TEMPLATE_RENDERED);
    assert_memory_equal(to, "abcdef##", 8);
    assert_int_equal(render("ab{x}", "x=cdef", to, 5, &size), TEMPLATE_TOO_LONG);
    assert_int_equal(render("ab{x}", "x=cdef", to, 1, &size), TEMPLATE_TOO_LONG);
    assert_int_equal(render("{x}{x}", "x=cdef", to, 6, &size), TEMPLATE_TOO_LONG);
    assert_int_equal(render("{{", "", to, 0, &size), TEMPLATE_TOO_LONG);
    assert_int_equal(render("", "", to, 0, &size), TEMPLATE_RENDERED);
    assert_memory_equal(to + 6, "##", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placeholders_are_listed_each_once_in_order),
        cmocka_unit_test(what_is_not_a_template_is_refused_at_its_byte),
        cmocka_unit_test(names_and_content_have_bounds),
        cmocka_unit_test(each_fault_is_told_in_words),
        cmocka_unit_test(placeholders_are_filled),
        cmocka_unit_test(a_value_is_put_in_as_it_is),
        cmocka_unit_test(every_missing_and_every_unknown_parameter_is_named),
        cmocka_unit_test(of_very_many_unknown_parameters_the_first_are_named),
        cmocka_unit_test(what_does_not_fit_is_refused_and_nothing_written_behind_the_end),
    };
    return cmocka_run_group_tests_name("engine_template", tests, NULL, tear_down);
}
