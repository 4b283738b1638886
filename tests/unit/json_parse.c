/* json/read, parsing: row by row what is JSON and what is not, and why. The y_ and n_ rows follow
 * the cases of JSONTestSuite (Seriot, "Parsing JSON is a minefield"). */
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

#define ROW(text)                                                                                  \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
struct row {
    const char *text;
    size_t size;
};

static void what_the_grammar_allows_is_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("[[]   ]"),
        ROW("[\"\"]"),
        ROW("[]"),
        ROW("[\"a\"]"),
        ROW("[false]"),
        ROW("[null, 1, \"1\", {}]"),
        ROW("[null]"),
        ROW("[1\n]"),
        ROW(" [1]"),
        ROW("[1,null,null,null,2]"),
        ROW("[2] "),
        ROW("[123e65]"),
        ROW("[0e+1]"),
        ROW("[0e1]"),
        ROW("[ 4]"),
        ROW("[-0]"),
        ROW("[-123]"),
        ROW("[-1]"),
        ROW("[1E22]"),
        ROW("[1E-2]"),
        ROW("[1E+2]"),
        ROW("[123e45]"),
        ROW("[123.456e78]"),
        ROW("[1e-2]"),
        ROW("[1e+2]"),
        ROW("[123]"),
        ROW("[123.456789]"),
        ROW("[0.4e00669999999999999999999999999999999999]"),
        ROW("[1.5e+9999]"),
        ROW("[-123123123123123123123123123123]"),
        ROW("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"),
        ROW("{\"asd\":\"sdf\"}"),
        ROW("{}"),
        ROW("{\"\":0}"),
        ROW("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"),
        ROW("{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxx\"}"),
        ROW("{\"a\":[]}"),
        ROW("{\"title\":\"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430\" }"),
        ROW("{\n\"a\": \"b\"\n}"),
        ROW("[\"\\u0060\\u012a\\u12AB\"]"),
        ROW("[\"\\uD801\\udc37\"]"),
        ROW("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
        ROW("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
        ROW("[\"\\\\u0000\"]"),
        ROW("[\"\\\"\"]"),
        ROW("[\"a/*b*/c/*d//e\"]"),
        ROW("[\"\\\\a\"]"),
        ROW("[\"\\\\n\"]"),
        ROW("[\"\\u0012\"]"),
        ROW("[\"\\uFFFF\"]"),
        ROW("[ \"asd\"]"),
        ROW("[\"\\uDBFF\\uDFFF\"]"),
        ROW("[\"new\\u00A0line\"]"),
        ROW("[\"\xf4\x8f\xbf\xbf\"]"),
        ROW("[\"\xef\xbf\xbf\"]"),
        ROW("[\"\\u002c\"]"),
        ROW("[\"\xcf\x80\"]"),
        ROW("[\"\xf0\x9b\xbf\xbf\"]"),
        ROW("[\"asd \"]"),
        ROW("\" \""),
        ROW("[\"\xe2\x80\xa8\xe2\x80\xa9\"]"),
        ROW("[\"\\u0061\\u30af\\u30EA\\u30b9\"]"),
        ROW("[\"new\\u000Aline\"]"),
        ROW("[\"\x7f\"]"),
        ROW("[\"\\uA66D\"]"),
        ROW("[\"\xe2\x8d\x82\xe3\x88\xb4\xe2\x8d\x82\"]"),
        ROW("false"),
        ROW("42"),
        ROW("-0.1"),
        ROW("null"),
        ROW("\"asd\""),
        ROW("true"),
        ROW("\"\""),
        ROW("[\"a\"]\n"),
        ROW("\t\r\n [\t\r\n true\t\r\n ]\t\r\n "),
        ROW("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), /* 16 deep */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = "";
        if (parse(rows[i].text, rows[i].size, &why) == NULL)
            fail_msg("%s: %s", rows[i].text, why);
    }
}

static void what_the_grammar_does_not_allow_is_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW(""),
        ROW(" "),
        ROW("[1 true]"),
        ROW("[a\xe5]"),
        ROW("[\"\": 1]"),
        ROW("[\"\"],"),
        ROW("[,1]"),
        ROW("[1,,2]"),
        ROW("[\"x\",,]"),
        ROW("[\"x\"]]"),
        ROW("[\"\",]"),
        ROW("[\"x\""),
        ROW("[x"),
        ROW("[3[4]]"),
        ROW("[\xff]"),
        ROW("[1:2]"),
        ROW("[,]"),
        ROW("[-]"),
        ROW("[   , \"\"]"),
        ROW("[\"a\",\n4\n,1,"),
        ROW("[1,]"),
        ROW("[1,,]"),
        ROW("[\"\va\"\\f]"),
        ROW("[*]"),
        ROW("[\"\""),
        ROW("[1,"),
        ROW("[1,\n1\n,1"),
        ROW("[{}"),
        ROW("[fals]"),
        ROW("[nul]"),
        ROW("[tru]"),
        ROW("[trueX]"),
        ROW("nul"),
        ROW("123\0"),
        ROW("[++1234]"),
        ROW("[+1]"),
        ROW("[+Inf]"),
        ROW("[-01]"),
        ROW("[-1.0.]"),
        ROW("[-2.]"),
        ROW("[-NaN]"),
        ROW("[.-1]"),
        ROW("[.2e-3]"),
        ROW("[0.1.2]"),
        ROW("[0.3e+]"),
        ROW("[0.3e]"),
        ROW("[0.e1]"),
        ROW("[0E+]"),
        ROW("[0E]"),
        ROW("[0e+]"),
        ROW("[0e]"),
        ROW("[1.0e+]"),
        ROW("[1.0e-]"),
        ROW("[1.0e]"),
        ROW("[1 000.0]"),
        ROW("[1eE2]"),
        ROW("[2.e+3]"),
        ROW("[2.e-3]"),
        ROW("[2.e3]"),
        ROW("[9.e+]"),
        ROW("[Inf]"),
        ROW("[NaN]"),
        ROW("[\xef\xbc\x91]"),
        ROW("[1+2]"),
        ROW("[0x1]"),
        ROW("[0x42]"),
        ROW("[Infinity]"),
        ROW("[0e+-1]"),
        ROW("[-123.123foo]"),
        ROW("[123\xe5]"),
        ROW("[1e1\xe5]"),
        ROW("[0\xe5]"),
        ROW("[-Infinity]"),
        ROW("[-foo]"),
        ROW("[- 1]"),
        ROW("[-012]"),
        ROW("[-.123]"),
        ROW("[-1x]"),
        ROW("[1ea]"),
        ROW("[1.]"),
        ROW("[.123]"),
        ROW("[1.2a-3]"),
        ROW("[1.8011670033376514H-308]"),
        ROW("[012]"),
        ROW("[00]"),
        ROW("[\"x\", truth]"),
        ROW("{[: \"x\"}\n"),
        ROW("{\"x\", null}"),
        ROW("{\"x\"::\"b\"}"),
        ROW("{\"a\":\"a\" 123}"),
        ROW("{key: 'value'}"),
        ROW("{\"a\" b}"),
        ROW("{:\"b\"}"),
        ROW("{\"a\" \"b\"}"),
        ROW("{\"a\":"),
        ROW("{\"a\""),
        ROW("{1:1}"),
        ROW("{9999E9999:1}"),
        ROW("{null:null,null:null}"),
        ROW("{\"id\":0,,,,,}"),
        ROW("{'a':0}"),
        ROW("{\"id\":0,}"),
        ROW("{\"a\":\"b\"}/**/"),
        ROW("{\"a\":\"b\"}//"),
        ROW("{\"a\":/*comment*/\"b\"}"),
        ROW("{\"a\":\"b\",,\"c\":\"d\"}"),
        ROW("{a: \"b\"}"),
        ROW("{\"a\":\"a"),
        ROW("{ \"foo\" : \"bar\", \"a\" }"),
        ROW("{\"a\":\"b\"}#"),
        ROW("[\"\\uD800\\\"]"),
        ROW("[\"\\uD800\\u\"]"),
        ROW("[\"\\uD800\\u1\"]"),
        ROW("[\"\\uD800\\u1x\"]"),
        ROW("[\xc3\xa9]"),
        ROW("[\"\\x00\"]"),
        ROW("[\"\\\\\\\"]"),
        ROW("[\"\\\t\"]"),
        ROW("[\"\\\xf0\x9f\x8c\x80\"]"),
        ROW("[\"\\\"]"),
        ROW("[\"\\u00A\"]"),
        ROW("[\"\\uD834\\uDd\"]"),
        ROW("[\"\\uD800\\uD800\\x\"]"),
        ROW("[\"\\u\xe5\"]"),
        ROW("[\"\\a\"]"),
        ROW("[\"\\uqqqq\"]"),
        ROW("[\"\\\xe5\"]"),
        ROW("[\\u0020\"asd\"]"),
        ROW("[\\n]"),
        ROW("\""),
        ROW("['single quote']"),
        ROW("abc"),
        ROW("[\"\\"),
        ROW("[\"a\0a\"]"),
        ROW("[\"new\nline\"]"),
        ROW("[\"\t\"]"),
        ROW("\"\\UA66D\""),
        ROW("\"\"x"),
        ROW("<.>"),
        ROW("[<null>]"),
        ROW("[1]x"),
        ROW("[1]]"),
        ROW("[\"asd]"),
        ROW("a\xc3\xa5"),
        ROW("[True]"),
        ROW("1]"),
        ROW("{\"x\": true,"),
        ROW("[][]"),
        ROW("]"),
        ROW("\xef\xbb\xbf{}"), /* a byte order mark */
        ROW("\xef\xbb\xbf"),
        ROW("[\0]"),
        ROW("[\x0c]"), /* form feed is no space */
        ROW("[\xe2\x81\xa0]"),
        ROW("[\xc2\xa0]"),
        ROW("{\"a\":1}\0"),
        ROW("{\"a\":1} {\"a\":1}"),
        ROW("2@"),
        ROW("{}}"),
        ROW("{\"\":"),
        ROW("{\"a\":/*comment*/\"b\"}"),
        ROW("{\"a\": true} \"x\""),
        ROW("['"),
        ROW("[,"),
        ROW("[{"),
        ROW("[\"a"),
        ROW("[\"a\""),
        ROW("{"),
        ROW("{]"),
        ROW("{,"),
        ROW("{["),
        ROW("{\"a"),
        ROW("{'a'"),
        ROW("*"),
        ROW("[\"\\{[\"\\{[\"\\{[\"\\{"),
        ROW("\xe9"),
        ROW("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), /* 17 deep */
        /* Not UTF-8: overlong, surrogates, too large, cut, alone. */
        ROW("[\"\xc0\xaf\"]"),
        ROW("[\"\xe0\x80\xaf\"]"),
        ROW("[\"\xf0\x80\x80\xaf\"]"),
        ROW("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"),
        ROW("[\"\xed\xa0\x80\"]"),
        ROW("[\"\xed\xbf\xbf\"]"),
        ROW("[\"\xf4\x90\x80\x80\"]"),
        ROW("[\"\x81\"]"),
        ROW("[\"\xe6\x97\"]"),
        ROW("[\"\xe5\"]"),
        ROW("[\"\xff\"]"),
        ROW("{\"\xb9\":\"0\"}"),
        /* Well-formed for some, refused here. */
        ROW("[\"\\u0000\"]"),
        ROW("{\"\\u0000\":1}"),
        ROW("[\"\\uDADA\"]"),
        ROW("[\"\\uD888\\u1234\"]"),
        ROW("[\"\\uD800\\n\"]"),
        ROW("[\"\\uDd1ea\"]"),
        ROW("[\"\\uD800\\uD800\\n\"]"),
        ROW("[\"\\ud800\"]"),
        ROW("[\"\\ud800abc\"]"),
        ROW("[\"\\uDd1e\\uD834\"]"),
        ROW("[\"\\uDFAA\"]"),
        ROW("{\"a\":1,\"a\":1}"),
        ROW("{\"a\":1,\"\\u0061\":2}"),
        ROW("{\"b\":{\"a\":1,\"a\":2}}"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = NULL;
        if (parse(rows[i].text, rows[i].size, &why) != NULL)
            fail_msg("row %zu was read: %s", i, rows[i].text);
        assert_non_null(why);
        assert_non_null(strstr(why, " at byte "));
    }
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
        {"[0.1234567890123456789012345678901234567890123456789012345678901]", NULL},
        {"[0.12345678901234567890123456789012345678901234567890123456789012]",
         "number of more than 63 characters at byte 1"},
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
        ARENA_TEST(what_the_grammar_allows_is_read),
        ARENA_TEST(what_the_grammar_does_not_allow_is_refused),
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
        ARENA_TEST(an_object_has_at_most_json_members_max_members),
        ARENA_TEST(no_text_takes_more_memory_than_the_bound_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
