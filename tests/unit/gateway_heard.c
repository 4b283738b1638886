/* Looking into what providers say (SMS-12, SMS-15): places, conditions, parameters, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "gateway/address_range.h"
#include "gateway/heard.h"
#include "json/read.h"

static struct arena arena;

static struct text text(const char *from)
{
    return (struct text){from, strlen(from)};
}

static struct text no_header(const void *source, struct text name)
{
    (void)source, (void)name;
    return (struct text){NULL, 0};
}

static const struct json_value *parse(const char *json)
{
    const char *why;
    const struct json_value *value = json_parse(&arena, json, strlen(json), &why);

    assert_non_null(value);
    return value;
}

/* What stands at the place, each followed by a bar. */
static void assert_found(const char *body, const char *place_json, const char *expected)
{
    struct heard heard = {.body = text(body), .header = no_header};
    struct json_errors errors;
    struct text found[8];
    struct place place;
    struct buffer seen;
    size_t count;

    if (*body == '{' || *body == '[')
        heard.json = parse(body);
    json_errors_init(&errors);
    place = place_read(&arena, parse(place_json), "/p", &errors);
    assert_int_equal(errors.count, 0);
    count = place_find_all(&arena, &place, &heard, found, 8);
    buffer_init(&seen);
    for (size_t i = 0; i < count; i++) {
        buffer_append(&seen, found[i].data, found[i].size);
        buffer_append_literal(&seen, "|");
    }
    buffer_append(&seen, "", 1);
    assert_string_equal(seen.data, expected);
    buffer_release(&seen);
}

static void json_pointers_lead_to_texts_and_numbers(void **state)
{
    static const char body[] = "{\"a\":{\"b\":[\"x\",7,true,null,{\"c/d\":\"y\",\"e~f\":\"z\"}]},"
                               "\"\":\"empty\",\"l\":[{\"i\":\"1\"},{\"i\":2},{\"j\":3}]}";

    (void)state;
    assert_found(body, "{\"json\":\"/a/b/0\"}", "x|");
    assert_found(body, "{\"json\":\"/a/b/1\"}", "7|");
    assert_found(body, "{\"json\":\"/a/b/2\"}", "true|");
    assert_found(body, "{\"json\":\"/a/b/3\"}", "");
    assert_found(body, "{\"json\":\"/a/b/4/c~1d\"}", "y|");
    assert_found(body, "{\"json\":\"/a/b/4/e~0f\"}", "z|");
    assert_found(body, "{\"json\":\"/a/b/9\"}", "");
    assert_found(body, "{\"json\":\"/a\"}", "");
    assert_found(body, "{\"json\":\"/\"}", "empty|");
    assert_found(body, "{\"json\":\"/l/*/i\"}", "1|2|");
    assert_found("no JSON", "{\"json\":\"/a\"}", "");
}

static void texts_stand_between_others(void **state)
{
    (void)state;
    assert_found("ID: 17 ok", "{\"after\":\"ID: \"}", "17|");
    assert_found("ID: 17", "{\"after\":\"ID: \"}", "17|");
    assert_found("<id>a b</id>", "{\"after\":\"<id>\",\"until\":\"</id>\"}", "a b|");
    assert_found("<id>a b", "{\"after\":\"<id>\",\"until\":\"</id>\"}", "");
    assert_found("", "{\"after\":\"<id>\"}", "");
}

static void assert_parameters(const char *encoded, const char *expected)
{
    struct parameter parameters[HEARD_PARAMETERS_MAX];
    size_t count = heard_parameters(&arena, text(encoded), parameters, 0);
    struct buffer seen;

    buffer_init(&seen);
    for (size_t i = 0; i < count; i++) {
        buffer_append(&seen, parameters[i].name.data, parameters[i].name.size);
        buffer_append_literal(&seen, "=");
        buffer_append(&seen, parameters[i].value.data, parameters[i].value.size);
        buffer_append_literal(&seen, "|");
    }
    buffer_append(&seen, "", 1);
    assert_string_equal(seen.data, expected);
    buffer_release(&seen);
}

static void parameters_are_decoded_and_bounded(void **state)
{
    struct parameter parameters[HEARD_PARAMETERS_MAX];
    char many[4 * HEARD_PARAMETERS_MAX * 2];

    (void)state;
    assert_parameters("a=1&b=%41+%2B&&c&=d&e=%", "a=1|b=A +|c=|=d|e=%|");
    assert_parameters("", "");
    assert_parameters("&&&", "");
    for (size_t i = 0; i < sizeof many; i += 4)
        memcpy(many + i, "a=1&", 4);
    assert_int_equal(heard_parameters(&arena, (struct text){many, sizeof many}, parameters, 0),
                     HEARD_PARAMETERS_MAX);
}

static bool holds(const char *condition_json, int status, const char *body)
{
    struct heard heard = {.status = status, .body = text(body), .header = no_header};
    struct condition condition;
    struct json_errors errors;

    if (*body == '{')
        heard.json = parse(body);
    json_errors_init(&errors);
    condition_read(&arena, parse(condition_json), "/c", &errors, &condition);
    assert_int_equal(errors.count, 0);
    return condition_holds(&arena, &condition, &heard);
}

static void all_of_a_condition_must_hold(void **state)
{
    static const char both[] = "{\"status\":[201,\"4xx\"],\"json\":\"/c\",\"is\":[\"7\",8]}";

    (void)state;
    assert_true(holds(both, 201, "{\"c\":7}"));
    assert_true(holds(both, 404, "{\"c\":\"8\"}"));
    assert_false(holds(both, 200, "{\"c\":7}"));
    assert_false(holds(both, 201, "{\"c\":9}"));
    assert_false(holds(both, 201, "{}"));
    assert_true(holds("{\"json\":\"/c\"}", 500, "{\"c\":\"\"}"));
    assert_false(holds("{\"json\":\"/c\"}", 500, "{\"c\":null}"));
    assert_true(holds("{\"status\":200}", 200, ""));
}

static bool is_in(const char *range_text, const char *address)
{
    struct address_range range;

    assert_true(address_range_parse(text(range_text), &range));
    return address_range_has(&range, text(address));
}

static void addresses_lie_in_their_ranges(void **state)
{
    static const char *const none[] = {
        "",          "192.0.2", "192.0.2.0/33", "192.0.2.0/", "2001:db8::/129", "192.0.2.0/-1",
        "localhost", "/8"};
    struct address_range range;

    (void)state;
    assert_true(is_in("192.0.2.7", "192.0.2.7"));
    assert_true(is_in("192.0.2.7", "::ffff:192.0.2.7"));
    assert_false(is_in("192.0.2.7", "192.0.2.8"));
    assert_true(is_in("192.0.2.0/25", "192.0.2.127"));
    assert_false(is_in("192.0.2.0/25", "192.0.2.128"));
    assert_true(is_in("0.0.0.0/0", "8.8.8.8"));
    assert_false(is_in("0.0.0.0/0", "2001:db8::1"));
    assert_true(is_in("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(is_in("2001:db8::/33", "2001:db8:8000::1"));
    assert_false(is_in("::/0", "no address"));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(address_range_parse(text(none[i]), &range));
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_pointers_lead_to_texts_and_numbers),
        cmocka_unit_test(texts_stand_between_others),
        cmocka_unit_test(parameters_are_decoded_and_bounded),
        cmocka_unit_test(all_of_a_condition_must_hold),
        cmocka_unit_test(addresses_lie_in_their_ranges),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
