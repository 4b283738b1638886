/* json/read, parsing: why a text is refused, what values come out, names given twice, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "json/read.h"

static struct arena arena;

static int arena_up(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int arena_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* Parsed from memory that ends with the text, so that reading on shows under the sanitizer. */
static const struct json_value *parse(const char *text, size_t size, const char **why)
{
    char *exact = malloc(size == 0 ? 1 : size);
    memcpy(exact, text, size);
    const struct json_value *value = json_parse(&arena, exact, size, why);
    memset(exact, 'x', size); /* the text is not needed any more */
    free(exact);
    return value;
}

static const struct json_value *parse_text(const char *text)
{
    const char *why = "";
    const struct json_value *value = parse(text, strlen(text), &why);
    if (value == NULL)
        fail_msg("%s: %s", text, why);
    return value;
}

static void the_reason_says_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"", "unexpected end at byte 0"},
        {"{\"account\":\"u1\",}", "unexpected character at byte 16"},
        {"{\"a\":1", "unexpected end at byte 6"},
        {"[1] 2", "unexpected bytes behind the value at byte 4"},
        {"[\"a\xff\"]", "invalid UTF-8 at byte 3"},
        {"[\"a\\ud800\"]", "lone surrogate at byte 3"},
        {"[\"a\\u0000\"]", "\\u0000 at byte 3"},
        {"[\"a\\q\"]", "invalid escape at byte 3"},
        {"[\"a\nb\"]", "control character at byte 3"},
        {"[-012]", "leading zero at byte 2"},
        {"[[[[[[[[[[[[[[[[[", "nested too deeply at byte 16"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "name given twice at byte 13"},
        {"{\"a/\":1,\"b\":2,\"\\u0061\\/\":3}", "name given twice at byte 14"},
        {"[0.12345678901234567890123456789012345678901234567890123456789012]", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = NULL;
        parse(rows[i].text, strlen(rows[i].text), &why);
        if (rows[i].why == NULL)
            assert_null(why);
        else
            assert_string_equal(why, rows[i].why);
    }
}

static void a_text_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const char text[] = "{\"account\":\"u12345678\",\"list\":[-1.5e+3,true,false,null,{"
                               "\"\\ud83d\\ude39\xe5\xb9\xb3\":{}}]}";
    const char *why;
    for (size_t size = 0; size < sizeof text - 1; size++)
        assert_null(parse(text, size, &why));
    assert_non_null(parse(text, sizeof text - 1, &why));
}

static void every_byte_in_every_place_of_a_text_is_judged_alike(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool is_plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
        for (size_t place = 0; place < 20; place++) {
            char text[] = "\"aaaaaaaaaaaaaaaaaaaa\"";
            const char *why;
            text[1 + place] = (char)byte;
            assert_int_equal(parse(text, 22, &why) != NULL, is_plain);
        }
    }
}

static void integers_keep_their_exact_value(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_int;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9007199254740991", true, INT64_C(9007199254740991)},
        {"9007199254740993", true, INT64_C(9007199254740993)},
        {"-9007199254740993", true, INT64_C(-9007199254740993)},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551617", false, 0},
        {"100000000000000000000000000000000000000000000000000000000000001", false, 0},
        {"-0", false, 0},
        {"1.0", false, 0},
        {"1e2", false, 0},
        {"\"1\"", false, 0},
        {"null", false, 0},
        {"[1]", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t value = 0;
        assert_int_equal(json_get_int(parse_text(rows[i].text), &value), rows[i].is_int);
        assert_int_equal(value, rows[i].value);
    }
}

static void each_number_stays_with_its_place_in_a_deep_tree(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text);
    buffer_append_literal(&text, "[[],{},");
    for (int i = 0; i < 1000; i++) { /* more than one block of numbers */
        buffer_append_format(&text, "{\"a\":[%d,\"x\",{\"b\":%d}],\"c\":%d.5},", 3 * i, 3 * i + 1,
                             i);
    }
    buffer_append_literal(&text, "7]");
    const char *why;
    const struct json_value *item = json_array_first(parse(text.data, text.size, &why));
    buffer_release(&text);
    item = json_next(json_next(item));
    for (int i = 0; i < 1000; i++, item = json_next(item)) {
        const struct json_value *list = json_object_first(item);
        const struct json_value *first = json_array_first(list);
        const struct json_value *inner = json_object_first(json_next(json_next(first)));
        int64_t a = -1, b = -1, c;
        assert_true(json_get_int(first, &a) && json_get_int(inner, &b));
        assert_int_equal(a, 3 * i);
        assert_int_equal(b, 3 * i + 1);
        assert_false(json_get_int(json_next(list), &c));
    }
    int64_t last = 0;
    assert_true(json_get_int(item, &last));
    assert_int_equal(last, 7);
}

static void texts_are_decoded(void **state)
{
    (void)state;
    struct json_text text = {0};
    assert_true(json_get_text(
        parse_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u5e73\\ud83d\\ude39\xe5\xb9\xb3\""),
        &text));
    assert_string_equal(text.data,
                        "\"\\/\b\f\n\r\tA\xc3\xa9\xe5\xb9\xb3\xf0\x9f\x98\xb9\xe5\xb9\xb3");
    assert_int_equal(text.size, strlen(text.data));
    assert_true(json_get_text(parse_text("\"\""), &text));
    assert_int_equal(text.size, 0);
    assert_false(json_get_text(parse_text("1"), &text));
}

static void a_value_says_what_it_is(void **state)
{
    (void)state;
    bool is_true = false;
    assert_true(json_is_array(parse_text("[]")));
    assert_false(json_is_array(parse_text("{}")));
    assert_true(json_is_object(parse_text("{}")));
    assert_false(json_is_object(parse_text("[]")));
    assert_true(json_is_null(parse_text("null")));
    assert_false(json_is_null(parse_text("0")));
    assert_true(json_get_bool(parse_text("true"), &is_true) && is_true);
    assert_true(json_get_bool(parse_text("false"), &is_true) && !is_true);
    assert_false(json_get_bool(parse_text("1"), &is_true));
    assert_int_equal(json_array_size(parse_text("[1,[2,3],4]")), 3);
    assert_int_equal(json_array_size(parse_text("{\"a\":1}")), 0);
    assert_null(json_array_first(parse_text("{\"a\":1}")));
    assert_null(json_array_first(parse_text("[]")));
    assert_null(json_object_first(parse_text("[1]")));
}

static void members_that_nobody_declared_can_be_visited(void **state)
{
    (void)state;
    const struct json_value *member =
        json_object_first(parse_text("{\"code\":\"1234\",\"\\u5e73\":2}"));
    struct json_text name = json_name(member);
    assert_int_equal(name.size, 4);
    assert_string_equal(name.data, "code");
    member = json_next(member);
    assert_string_equal(json_name(member).data, "\xe5\xb9\xb3");
    assert_null(json_next(member));
    assert_null(json_name(parse_text("1")).data);
}

/* An object of `count` members "k0", "k1" …; name `again` once more at the end unless negative. */
static void append_object(struct buffer *text, int count, int again)
{
    buffer_append_literal(text, "{");
    for (int i = 0; i < count; i++)
        buffer_append_format(text, "%s\"k%d\":%d", i == 0 ? "" : ",", i, i);
    if (again >= 0)
        buffer_append_format(text, ",\"k%d\":0", again);
    buffer_append_literal(text, "}");
}

static void a_name_given_twice_is_found_among_any_number(void **state)
{
    (void)state;
    for (int count = 1; count < 70; count++) {
        for (int again = -1; again < count; again++) {
            struct buffer text;
            const char *why = NULL;
            char expected[64];
            buffer_init(&text);
            append_object(&text, count, again);
            assert_int_equal(parse(text.data, text.size, &why) == NULL, again >= 0);
            if (again >= 0) {
                size_t tail = (size_t)snprintf(expected, sizeof expected, "\"k%d\":0}", again);
                snprintf(expected, sizeof expected, "name given twice at byte %zu",
                         text.size - tail);
                assert_string_equal(why, expected);
            }
            buffer_release(&text);
            arena_reset(&arena);
        }
    }
}

static void the_same_name_in_other_objects_is_no_duplicate(void **state)
{
    (void)state;
    struct buffer text;
    const char *why;
    buffer_init(&text);
    buffer_append_literal(&text, "{\"k0\":");
    append_object(&text, 100, -1);
    buffer_append_literal(&text, ",\"k1\":[");
    append_object(&text, 20, -1);
    buffer_append_literal(&text, ",");
    append_object(&text, 20, -1);
    buffer_append_literal(&text, "],\"K0\":1,\"k2\":2}");
    assert_non_null(parse(text.data, text.size, &why));
    text.size -= 3;
    buffer_append_literal(&text, "1,\"k0\":2}");
    assert_null(parse(text.data, text.size, &why));
    buffer_release(&text);
}

/* An object of two members, whose names have `size` bytes and differ in the last one or not. */
static void append_two_names(struct buffer *text, size_t size, bool is_twice)
{
    buffer_append_literal(text, "{");
    for (int i = 0; i < 2; i++) {
        buffer_append_text(text, i == 0 ? "\"" : ",\"");
        for (size_t at = 1; at < size; at++)
            buffer_append_literal(text, "n");
        buffer_append_text(text, i == 0 || is_twice ? "a\":0" : "b\":0");
    }
    buffer_append_literal(text, "}");
}

static void names_may_be_of_any_length(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 15, 16, 17, 65534, 65535, 65536, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer text;
        const char *why;
        buffer_init(&text);
        append_two_names(&text, sizes[i], false);
        const struct json_value *value = parse(text.data, text.size, &why);
        assert_non_null(value);
        assert_int_equal(json_name(json_object_first(value)).size, sizes[i]);
        text.size = 0;
        append_two_names(&text, sizes[i], true);
        assert_null(parse(text.data, text.size, &why));
        assert_int_equal(strncmp(why, "name given twice at byte ", 25), 0);
        buffer_release(&text);
    }
}

static void an_object_has_at_most_json_members_max_members(void **state)
{
    (void)state;
    struct buffer text;
    const char *why;
    buffer_init(&text);
    append_object(&text, JSON_MEMBERS_MAX, -1);
    assert_non_null(parse(text.data, text.size, &why));
    text.size = 0;
    append_object(&text, JSON_MEMBERS_MAX + 1, -1);
    assert_null(parse(text.data, text.size, &why));
    assert_int_equal(strncmp(why, "too many members at byte ", 25), 0);
    buffer_release(&text);
}

/* OPS-8: a body's bytes bound the memory that reading it takes. */
static void no_text_takes_more_memory_than_the_bound_says(void **state)
{
    (void)state;
    static const char *const pieces[] = {"0,",
                                         "[],",
                                         "{},",
                                         "\"\",",
                                         "1.5,",
                                         "{\"\":0},",
                                         "\"abcdefgh\",",
                                         "{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0},",
                                         "[[[[[[[[[[[0]]]]]]]]]]],"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        for (size_t wanted = 1; wanted <= 1 << 20; wanted *= 32) {
            struct buffer text;
            const char *why;
            buffer_init(&text);
            buffer_append_literal(&text, "[");
            while (text.size < wanted)
                buffer_append_text(&text, pieces[i]);
            text.data[text.size - 1] = ']';
            arena_release(&arena);
            if (wanted > 1)
                assert_non_null(parse(text.data, text.size, &why));
            else
                parse(text.data, text.size, &why);
            if (arena.bytes > JSON_ARENA_BYTES_MAX(text.size))
                fail_msg("%s: %zu of %zu", pieces[i], arena.bytes, text.size);
            buffer_release(&text);
        }
    }
}

#define ARENA_TEST(test) cmocka_unit_test_setup_teardown(test, arena_up, arena_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(the_reason_says_what_and_where),
        ARENA_TEST(a_text_cut_anywhere_is_refused),
        ARENA_TEST(every_byte_in_every_place_of_a_text_is_judged_alike),
        ARENA_TEST(integers_keep_their_exact_value),
        ARENA_TEST(each_number_stays_with_its_place_in_a_deep_tree),
        ARENA_TEST(texts_are_decoded),
        ARENA_TEST(a_value_says_what_it_is),
        ARENA_TEST(members_that_nobody_declared_can_be_visited),
        ARENA_TEST(a_name_given_twice_is_found_among_any_number),
        ARENA_TEST(the_same_name_in_other_objects_is_no_duplicate),
        ARENA_TEST(names_may_be_of_any_length),
        ARENA_TEST(an_object_has_at_most_json_members_max_members),
        ARENA_TEST(no_text_takes_more_memory_than_the_bound_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
