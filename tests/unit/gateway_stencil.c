/* Stencils (SMS-15): what stands in braces is put in, filtered, and escaped for where it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "gateway/params.h"
#include "gateway/stencil.h"
#include "json/read.h"

static const struct stencil_variable variables[] = {{{"sender", 6}, {"A&B", 3}}};
static const struct stencil_names names = {STENCIL_SEND, variables, 1};

static struct text text(const char *from)
{
    return (struct text){from, strlen(from)};
}

static void assert_written(const char *source, enum stencil_escape escape, const char *expected)
{
    struct stencil_values values = {0};
    struct json_errors errors;
    const struct stencil *stencil;
    struct buffer to;
    struct arena arena;

    values.texts[VALUE_TO] = text("+8613812345678");
    values.texts[VALUE_TEXT] = text("Grüß <\"Gott\"> & 1=1\n\xf0\x9f\x98\x80");
    values.texts[VALUE_REFERENCE] = text("aB\xff{to}");
    arena_init(&arena, 0);
    buffer_init(&to);
    json_errors_init(&errors);
    stencil = stencil_read(&arena, text(source), &names, "/x", &errors);
    assert_non_null(stencil);
    stencil_write(stencil, &values, escape, &to);
    buffer_append(&to, "", 1);
    assert_string_equal(to.data, expected);
    buffer_release(&to);
    arena_release(&arena);
}

static void assert_refused(const char *source, const char *detail)
{
    struct json_errors errors;
    struct arena arena;

    arena_init(&arena, 0);
    json_errors_init(&errors);
    assert_null(stencil_read(&arena, text(source), &names, "/x", &errors));
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.items[0].pointer, "/x");
    assert_non_null(strstr(errors.items[0].detail, detail));
    arena_release(&arena);
}

static void values_are_put_in_where_their_names_stand(void **state)
{
    (void)state;
    assert_written("", ESCAPE_NONE, "");
    assert_written("a {{b}} c", ESCAPE_NONE, "a {b} c");
    assert_written("tel:{to|digits}!", ESCAPE_NONE, "tel:8613812345678!");
    assert_written("{sender}{parts}{sender}", ESCAPE_NONE, "A&BA&B");
}

static void what_a_value_holds_is_never_read_as_a_stencil(void **state)
{
    (void)state;
    assert_written("{reference}", ESCAPE_NONE, "aB\xff{to}");
}

static void a_value_is_escaped_for_where_it_stands(void **state)
{
    (void)state;
    assert_written("/{text}?", ESCAPE_URL,
                   "/Gr%C3%BC%C3%9F%20%3C%22Gott%22%3E%20%26%201%3D1%0A%F0%9F%98%80?");
    assert_written("\"{text}\"", ESCAPE_JSON,
                   "\"Grüß <\\\"Gott\\\"> & 1=1\\u000a\xf0\x9f\x98\x80\"");
    assert_written("<t>{text}</t>", ESCAPE_XML,
                   "<t>Grüß &#60;&#34;Gott&#34;&#62; &#38; 1=1\n\xf0\x9f\x98\x80</t>");
    assert_written("{text}", ESCAPE_HEADER, "Grüß <\"Gott\"> & 1=1 \xf0\x9f\x98\x80");
    assert_written("{sender}", ESCAPE_URL, "A%26B");
    assert_written("{sender|raw}", ESCAPE_URL, "A&B");
}

static void bytes_that_are_no_utf8_do_not_get_through(void **state)
{
    (void)state;
    assert_written("{reference}", ESCAPE_JSON, "aB\xef\xbf\xbd{to}");
    assert_written("{reference|ucs2_hex}", ESCAPE_NONE, "00610042FFFD007B0074006F007D");
}

static void filters_are_applied_in_order(void **state)
{
    (void)state;
    assert_written("{text|ucs2_hex}", ESCAPE_NONE,
                   "0047007200FC00DF0020003C00220047006F007400740022003E002000260020003100"
                   "3D0031000AD83DDE00");
    assert_written("{sender|lower|hex|upper}", ESCAPE_NONE, "612662");
    assert_written("{sender|base64}", ESCAPE_URL, "QSZC");
    assert_written("{sender|md5}", ESCAPE_NONE, "568d44746216c88bca732585c31696b8");
    assert_written("{sender|underscore}", ESCAPE_NONE, "A_B");
    assert_written("{text|latin1|hex}", ESCAPE_NONE, "4772fcdf203c22476f7474223e202620313d310a3f");
}

static void what_is_no_stencil_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused("{nobody}", "nothing here is named {nobody}");
    assert_refused("{provider_id}", "nothing here is named");
    assert_refused("{to|loud}", "there is no filter {loud}");
    assert_refused("{to", "not closed");
    assert_refused("to}", "not opened");
    assert_refused("{}", "nothing here is named");
    assert_refused("{to|upper|upper|upper|upper|upper|upper|upper}", "too many filters");
}

static void assert_params(const char *content, const char *rendered, const char *expected)
{
    struct buffer to;

    buffer_init(&to);
    params_write(text(content), text(rendered), &to);
    buffer_append(&to, "", 1);
    assert_string_equal(to.data, expected);
    buffer_release(&to);
}

static void parameters_are_read_back_from_the_text(void **state)
{
    (void)state;
    assert_params("Your code is {code}.", "Your code is 1234.", "{\"code\":\"1234\"}");
    assert_params("Your code is {code}.", "【Acme】Your code is 12.34.", "{\"code\":\"12.34\"}");
    assert_params("{a}, {b} and {a}", "x, \"y\" and x", "{\"a\":\"x\",\"b\":\"\\\"y\\\"\"}");
    assert_params("{{{a}}}", "{1}", "{\"a\":\"1\"}");
    assert_params("no parameter", "no parameter", "{}");
    assert_params("Your code is {code}.", "Something else", "{}");
    assert_params("Your code is {code}.", "", "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_put_in_where_their_names_stand),
        cmocka_unit_test(what_a_value_holds_is_never_read_as_a_stencil),
        cmocka_unit_test(a_value_is_escaped_for_where_it_stands),
        cmocka_unit_test(bytes_that_are_no_utf8_do_not_get_through),
        cmocka_unit_test(filters_are_applied_in_order),
        cmocka_unit_test(what_is_no_stencil_is_refused_with_its_place),
        cmocka_unit_test(parameters_are_read_back_from_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
