/* json/write: byte for byte what is written, and that our own reader takes it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "json/read.h"
#include "json/write.h"

static struct buffer out;
static struct json_writer w;
static struct arena arena;

static int start(void **state)
{
    (void)state;
    buffer_init(&out);
    arena_init(&arena, 0);
    w = json_writer(&out);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    buffer_release(&out);
    arena_release(&arena);
    return 0;
}

static void restart(void)
{
    out.size = 0;
    w = json_writer(&out);
}

static void assert_written(const char *expected)
{
    if (out.size != strlen(expected) || memcmp(out.data, expected, out.size) != 0)
        fail_msg("%.*s, not %s", (int)out.size, out.data, expected);
    restart();
}

static void members_stand_in_the_order_they_are_written(void **state)
{
    (void)state;
    json_object_begin(&w, NULL);
    json_int(&w, "amount", 100);
    json_string(&w, "a", "x");
    json_text(&w, "b", "yz", 1);
    json_bool(&w, "yes", true);
    json_bool(&w, "no", false);
    json_null(&w, "nothing");
    json_raw(&w, "raw", "[1, 2]", 6);
    json_object_end(&w);
    assert_written(
        "{\"amount\":100,\"a\":\"x\",\"b\":\"y\",\"yes\":true,\"no\":false,\"nothing\":null,"
        "\"raw\":[1, 2]}");
}

static void what_may_not_be_there_is_null_then(void **state)
{
    (void)state;
    json_array_begin(&w, NULL);
    json_hex(&w, NULL, NULL, 3);
    json_text_or_null(&w, NULL, "x", 0);
    json_int_or_null(&w, NULL, 0);
    json_time_or_null(&w, NULL, 0);
    json_id_or_null(&w, NULL, "ent_", 0);
    json_hex(&w, NULL, "\x00\x9f\xff", 3);
    json_text_or_null(&w, NULL, "x", 1);
    json_int_or_null(&w, NULL, -1);
    json_time_or_null(&w, NULL, 1);
    json_id_or_null(&w, NULL, "ent_", 1);
    json_array_end(&w);
    assert_written("[null,null,null,null,null,\"009fff\",\"x\",-1,\"1970-01-01T00:00:00.001Z\","
                   "\"ent_0000000000001\"]");
}

static void commas_stand_between_and_nowhere_else(void **state)
{
    (void)state;
    json_object_begin(&w, NULL);
    json_array_begin(&w, "empty");
    json_array_end(&w);
    json_object_begin(&w, "none");
    json_object_end(&w);
    json_array_begin(&w, "list");
    json_int(&w, NULL, 1);
    json_object_begin(&w, NULL);
    json_int(&w, "x", 1);
    json_object_end(&w);
    json_array_begin(&w, NULL);
    json_array_end(&w);
    json_string(&w, NULL, "z");
    json_array_end(&w);
    json_int(&w, "last", 2);
    json_object_end(&w);
    assert_written("{\"empty\":[],\"none\":{},\"list\":[1,{\"x\":1},[],\"z\"],\"last\":2}");
}

static void a_text_that_is_not_there_is_null(void **state)
{
    (void)state;
    json_array_begin(&w, NULL);
    json_string(&w, NULL, NULL);
    json_text(&w, NULL, NULL, 0);
    json_text(&w, NULL, "", 0);
    json_array_end(&w);
    assert_written("[null,null,\"\"]");
}

static void texts_are_escaped_as_rfc_8259_asks_and_no_more(void **state)
{
    (void)state;
    json_string(&w, NULL,
                "\"\\/\b\f\n\r\t\x01\x1f\x7f<>&'\xe5\xb9\xb3\xf0\x9f\x98\xb9\xe2\x80\xa8");
    assert_written("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f<>&'\xe5\xb9\xb3\xf0\x9f\x98\xb9"
                   "\xe2\x80\xa8\"");
    json_text(&w, NULL, "a\0b", 3);
    assert_written("\"a\\u0000b\"");
}

static void a_byte_is_written_alike_wherever_it_stands(void **state)
{
    (void)state;
    for (int byte = 1; byte < 0x80; byte++) {
        char alone[16];
        json_text(&w, NULL, &(char){(char)byte}, 1);
        size_t alone_size = out.size - 2;
        memcpy(alone, out.data + 1, alone_size);
        restart();
        for (size_t place = 0; place < 24; place++) {
            char text[] = "aaaaaaaaaaaaaaaaaaaaaaaa";
            text[place] = (char)byte;
            json_text(&w, NULL, text, 24);
            assert_int_equal(out.size, 25 + alone_size);
            assert_memory_equal(out.data + 1 + place, alone, alone_size);
            assert_int_equal(out.data[place], place == 0 ? '"' : 'a');
            assert_int_equal(out.data[out.size - 1], '"');
            restart();
        }
    }
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    uint32_t random = 5;
    for (int round = 0; round < 3000; round++) {
        char text[200];
        size_t size = 0;
        random = random * 1664525 + 1013904223;
        for (size_t count = random >> 26; count > 0; count--) {
            random = random * 1664525 + 1013904223;
            uint32_t code = (random >> 8) % (round % 2 ? 0x7f : 0xd7ff) + 1;
            size += utf8_put(text + size, code);
        }
        json_text(&w, NULL, text, size);
        const char *why = "";
        struct json_text read = {0};
        const struct json_value *value = json_parse(&arena, out.data, out.size, &why);
        assert_string_equal(why, "");
        assert_true(json_get_text(value, &read));
        assert_int_equal(read.size, size);
        assert_memory_equal(read.data, text, size);
        restart();
        arena_reset(&arena);
    }
}

static void integers_are_written_in_full(void **state)
{
    (void)state;
    static const int64_t values[] = {0,         1,         -1,
                                     99,        100,       INT64_C(9007199254740991),
                                     INT64_MAX, INT64_MIN, INT64_C(9007199254740993)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "%" PRId64, values[i]);
        json_int(&w, NULL, values[i]);
        assert_written(expected);
    }
}

static void decimals_are_written_digit_for_digit(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        int decimals;
        const char *text;
    } rows[] = {
        {31230400, 6, "31.2304"},
        {-31230416, 6, "-31.230416"},
        {90000000, 6, "90"},
        {-1, 6, "-0.000001"},
        {0, 6, "0"},
        {1, 4, "0.0001"},
        {15, 0, "15"},
        {-100000, 6, "-0.1"},
        {1000001, 6, "1.000001"},
        {INT64_MAX, 18, "9.223372036854775807"},
        {INT64_MIN, 18, "-9.223372036854775808"},
        {INT64_MIN, 1, "-922337203685477580.8"},
        {-1, 18, "-0.000000000000000001"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_decimal(&w, NULL, rows[i].value, rows[i].decimals);
        assert_written(rows[i].text);
    }
}

static void times_and_ids_are_spelt_as_base_spells_them(void **state)
{
    (void)state;
    json_object_begin(&w, NULL);
    json_time(&w, "at", INT64_C(1795290060123));
    json_id(&w, "id", "chg_", 33);
    json_id(&w, "other", "", UINT64_MAX);
    json_object_end(&w);
    assert_written("{\"at\":\"2026-11-21T19:41:00.123Z\",\"id\":\"chg_0000000000011\","
                   "\"other\":\"fzzzzzzzzzzzz\"}");
}

static void long_texts_grow_the_buffer(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof text);
    json_text(&w, NULL, text, sizeof text);
    assert_int_equal(out.size, sizeof text + 2);
    restart();
    memset(text, '\x01', sizeof text);
    json_text(&w, NULL, text, sizeof text);
    assert_int_equal(out.size, 6 * sizeof text + 2);
    assert_memory_equal(out.data + out.size - 7, "\\u0001\"", 7);
}

#define WRITE_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITE_TEST(members_stand_in_the_order_they_are_written),
        WRITE_TEST(what_may_not_be_there_is_null_then),
        WRITE_TEST(commas_stand_between_and_nowhere_else),
        WRITE_TEST(a_text_that_is_not_there_is_null),
        WRITE_TEST(texts_are_escaped_as_rfc_8259_asks_and_no_more),
        WRITE_TEST(a_byte_is_written_alike_wherever_it_stands),
        WRITE_TEST(what_is_written_reads_back),
        WRITE_TEST(integers_are_written_in_full),
        WRITE_TEST(decimals_are_written_digit_for_digit),
        WRITE_TEST(times_and_ids_are_spelt_as_base_spells_them),
        WRITE_TEST(long_texts_grow_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
