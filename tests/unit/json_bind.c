/* json/read, binding: what fills the struct, and every way in which a body is refused, with its
 * pointer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "json/read.h"

#define AMOUNT_MAX    INT64_C(9007199254740991)
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static struct arena arena;
static struct json_errors errors;

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    json_errors_init(&errors);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

struct order {
    struct json_text account;
    int64_t amount;
    struct json_text reference;
    bool is_urgent;
    struct json_texts tags;
    const struct json_value *extra;
    int64_t lat;
};

static bool is_lower(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] < 'a' || data[i] > 'z')
            return false;
    }
    return true;
}

enum { ACCOUNT, AMOUNT, REFERENCE, URGENT, TAGS, EXTRA, LAT };
static const struct json_field fields[] = {
    {.name = "account",
     .kind = JSON_TEXT,
     .offset = offsetof(struct order, account),
     .is_required = true,
     .min = 1,
     .max = 8,
     .check = is_lower,
     .rule = "must be 1 to 8 small letters"},
    {.name = "amount",
     .kind = JSON_INT,
     .offset = offsetof(struct order, amount),
     .is_required = true,
     .min = 1,
     .max = AMOUNT_MAX},
    {.name = "reference",
     .kind = JSON_TEXT,
     .offset = offsetof(struct order, reference),
     .is_nullable = true,
     .max = 5},
    {.name = "urgent", .kind = JSON_BOOL, .offset = offsetof(struct order, is_urgent)},
    {.name = "tags",
     .kind = JSON_TEXTS,
     .offset = offsetof(struct order, tags),
     .min = 1,
     .max = 3,
     .text_bytes_max = 4,
     .check = is_lower},
    {.name = "extra", .kind = JSON_ANY, .offset = offsetof(struct order, extra)},
    {.name = "lat",
     .kind = JSON_DECIMAL,
     .offset = offsetof(struct order, lat),
     .min = -90000000,
     .max = 90000000,
     .decimals = 6},
};

static bool bind_with(const char *text, const struct json_field *with, size_t count, void *target,
                      uint64_t *given)
{
    const char *why = "";
    const struct json_value *value = json_parse(&arena, text, strlen(text), &why);
    if (value == NULL)
        fail_msg("%s: %s", text, why);
    json_errors_init(&errors);
    return json_bind(&arena, value, with, count, target, given, "", &errors);
}

static bool bind(const char *text, struct order *order, uint64_t *given)
{
    return bind_with(text, fields, LENGTH(fields), order, given);
}

/* The errors as "pointer: detail; pointer: detail". */
static void assert_errors(const char *text, const char *expected)
{
    struct order order = {0};
    struct buffer all;
    uint64_t given;
    buffer_init(&all);
    assert_false(bind(text, &order, &given));
    for (size_t i = 0; i < errors.count; i++)
        buffer_append_format(&all, "%s%s: %s", i == 0 ? "" : "; ", errors.items[i].pointer,
                             errors.items[i].detail);
    buffer_append(&all, "", 1);
    if (strcmp(all.data, expected) != 0)
        fail_msg("%s\n gave %s\n  not %s", text, all.data, expected);
    buffer_release(&all);
}

static void a_whole_body_fills_the_struct(void **state)
{
    (void)state;
    struct order order = {0};
    uint64_t given;
    assert_true(bind("{\"account\":\"abc\",\"amount\":5,\"reference\":\"r-1\",\"urgent\":true,"
                     "\"tags\":[\"a\",\"bcde\"],\"extra\":{\"x\":1},\"lat\":31.2304}",
                     &order, &given));
    assert_string_equal(order.account.data, "abc");
    assert_int_equal(order.account.size, 3);
    assert_int_equal(order.amount, 5);
    assert_string_equal(order.reference.data, "r-1");
    assert_true(order.is_urgent);
    assert_int_equal(order.tags.count, 2);
    assert_string_equal(order.tags.items[1].data, "bcde");
    assert_int_equal(order.tags.items[1].size, 4);
    assert_true(json_is_object(order.extra));
    assert_int_equal(order.lat, 31230400);
    assert_int_equal(given, (1 << LENGTH(fields)) - 1);
    assert_int_equal(errors.count_all, 0);
}

static void members_may_come_in_any_order(void **state)
{
    (void)state;
    struct order order = {0};
    uint64_t given;
    assert_true(
        bind("{\"lat\":-1,\"amount\":7,\"tags\":[\"z\"],\"account\":\"b\"}", &order, &given));
    assert_string_equal(order.account.data, "b");
    assert_int_equal(order.amount, 7);
    assert_int_equal(order.lat, -1000000);
    assert_int_equal(given, 1 << ACCOUNT | 1 << AMOUNT | 1 << TAGS | 1 << LAT);
}

static void absent_and_null_fields_keep_what_the_struct_holds(void **state)
{
    (void)state;
    struct order order = {.reference = {"old", 3}, .is_urgent = true, .lat = 42};
    uint64_t given;
    assert_true(bind("{\"account\":\"a\",\"amount\":1}", &order, &given));
    assert_string_equal(order.reference.data, "old");
    assert_true(order.is_urgent);
    assert_int_equal(order.lat, 42);
    assert_int_equal(given, 1 << ACCOUNT | 1 << AMOUNT);
    assert_true(bind("{\"account\":\"a\",\"amount\":1,\"reference\":null}", &order, &given));
    assert_string_equal(order.reference.data, "old");
    assert_int_equal(given, 1 << ACCOUNT | 1 << AMOUNT | 1 << REFERENCE);
}

static void a_field_that_is_wrong_keeps_what_the_struct_holds(void **state)
{
    (void)state;
    struct order order = {.amount = 42, .lat = 43, .account = {"old", 3}};
    uint64_t given;
    assert_false(bind("{\"account\":\"A\",\"amount\":0,\"lat\":91}", &order, &given));
    assert_int_equal(order.amount, 42);
    assert_int_equal(order.lat, 43);
    assert_string_equal(order.account.data, "old");
}

static void all_errors_come_at_once_in_the_order_of_the_body_then_what_is_missing(void **state)
{
    (void)state;
    assert_errors("{\"nope\":1,\"reference\":\"123456\",\"amount\":0,\"urgent\":1}",
                  "/nope: unknown field; /reference: must be 0 to 5 bytes; "
                  "/amount: must be 1 to 9007199254740991; /urgent: must be true or false; "
                  "/account: is required");
    assert_true(errors.has_unknown_field);
    assert_errors("{}", "/account: is required; /amount: is required");
    assert_false(errors.has_unknown_field);
}

static void amounts_are_exact_to_the_last_unit(void **state)
{
    (void)state;
    struct order order = {0};
    uint64_t given;
    assert_true(bind("{\"account\":\"a\",\"amount\":9007199254740991}", &order, &given));
    assert_int_equal(order.amount, AMOUNT_MAX);
    assert_errors("{\"account\":\"a\",\"amount\":9007199254740992}",
                  "/amount: must be 1 to 9007199254740991");
    assert_errors("{\"account\":\"a\",\"amount\":9007199254740993}",
                  "/amount: must be 1 to 9007199254740991");
    assert_errors("{\"account\":\"a\",\"amount\":18446744073709551617}",
                  "/amount: must be 1 to 9007199254740991");
}

static void numbers_with_fraction_or_exponent_are_no_amounts(void **state)
{
    (void)state;
    static const char *const numbers[] = {"1.0", "1e2", "-0", "0.5", "1E400", "-0.0", "1e-2"};
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"account\":\"a\",\"amount\":%s}", numbers[i]);
        assert_errors(text, "/amount: must be a whole number without fraction or exponent");
    }
}

static void each_kind_refuses_the_others(void **state)
{
    (void)state;
    static const char *const values[] = {"null", "1",       "1.5", "\"a\"", "true",
                                         "[]",   "[\"a\"]", "{}",  "[1]"};
    /* One row a field: 'y' where the value is taken. */
    static const char *const taken[] = {
        [ACCOUNT] = "nnnynnnnn", [AMOUNT] = "nynnnnnnn", [REFERENCE] = "ynnynnnnn",
        [URGENT] = "nnnnynnnn",  [TAGS] = "nnnnnnynn",   [EXTRA] = "nyyyyyyyy",
        [LAT] = "nyynnnnnn",
    };
    for (size_t f = 0; f < LENGTH(taken); f++) {
        for (size_t v = 0; v < LENGTH(values); v++) {
            struct order order = {0};
            uint64_t given;
            char text[64];
            snprintf(text, sizeof text, "{\"%s\":%s}", fields[f].name, values[v]);
            (void)bind(text, &order, &given);
            char pointer[32];
            snprintf(pointer, sizeof pointer, "/%s", fields[f].name);
            bool is_wrong = errors.count > 0 &&
                            strncmp(errors.items[0].pointer, pointer, strlen(pointer)) == 0 &&
                            strcmp(errors.items[0].detail, "is required") != 0;
            if (is_wrong != (taken[f][v] == 'n'))
                fail_msg("%s", text);
            assert_int_equal(given, 1 << f);
        }
    }
}

static void a_rule_replaces_the_details_of_ours(void **state)
{
    (void)state;
    static const char *const values[] = {"\"\"", "\"abcdefghi\"", "\"A\"", "1", "null"};
    for (size_t i = 0; i < LENGTH(values); i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"account\":%s,\"amount\":1}", values[i]);
        assert_errors(text, "/account: must be 1 to 8 small letters");
    }
}

static void the_details_of_ours_say_what_is_wanted(void **state)
{
    (void)state;
    assert_errors(
        "{\"account\":\"a\",\"amount\":\"1\",\"reference\":1,\"urgent\":null,\"tags\":\"a\","
        "\"extra\":null,\"lat\":\"1\"}",
        "/amount: must be a whole number; /reference: must be a text; "
        "/urgent: must be true or false; /tags: must be an array of texts; "
        "/extra: must not be null; /lat: must be a number");
    assert_errors("{\"account\":\"a\",\"amount\":1,\"tags\":[],\"lat\":90.000001}",
                  "/tags: must be 1 to 3 items; /lat: must be -90 to 90");
}

static void each_wrong_item_has_its_own_pointer(void **state)
{
    (void)state;
    assert_errors("{\"account\":\"a\",\"amount\":1,\"tags\":[\"ok\",\"toolong\",\"\"]}",
                  "/tags/1: must be 1 to 4 bytes; /tags/2: must be 1 to 4 bytes");
    assert_errors("{\"account\":\"a\",\"amount\":1,\"tags\":[1,\"A\",\"b\"]}",
                  "/tags/0: must be a text; /tags/1: is not valid");
    assert_errors("{\"account\":\"a\",\"amount\":1,\"tags\":[\"a\",\"b\",\"c\",\"d\"]}",
                  "/tags: must be 1 to 3 items");
}

static void pointers_escape_what_rfc_6901_asks(void **state)
{
    (void)state;
    assert_errors("{\"account\":\"a\",\"amount\":1,\"a/b\":1,\"m~n\":1,\"~1\":1,\"\":1}",
                  "/a~1b: unknown field; /m~0n: unknown field; /~01: unknown field; "
                  "/: unknown field");
    assert_string_equal(json_pointer_name(&arena, "/areas", "a/~b"), "/areas/a~1~0b");
    assert_string_equal(json_pointer_index(&arena, "/areas", 10000), "/areas/10000");
    assert_string_equal(json_pointer_index(&arena, "", 0), "/0");
}

static void names_compare_exactly(void **state)
{
    (void)state;
    assert_errors("{\"Account\":\"a\",\"amoun\":1,\"amountx\":1}",
                  "/Account: unknown field; /amoun: unknown field; /amountx: unknown field; "
                  "/account: is required; /amount: is required");
}

static void a_body_that_is_no_object_is_refused(void **state)
{
    (void)state;
    assert_errors("[]", ": must be an object");
    assert_errors("5", ": must be an object");
    assert_errors("null", ": must be an object");
}

static void errors_beyond_the_bound_are_counted_only(void **state)
{
    (void)state;
    struct order order = {0};
    struct buffer text;
    uint64_t given;
    buffer_init(&text);
    buffer_append_literal(&text, "{");
    for (int i = 0; i < 50; i++)
        buffer_append_format(&text, "\"x%d\":1,", i);
    buffer_append_literal(&text, "\"tags\":[1,2,3],\"account\":\"toolongtext\",\"amount\":0}");
    buffer_append(&text, "", 1);
    assert_false(bind(text.data, &order, &given));
    assert_int_equal(errors.count, JSON_ERRORS_MAX);
    assert_int_equal(errors.count_all, 50 + 3 + 2);
    assert_string_equal(errors.items[JSON_ERRORS_MAX - 1].pointer, "/x31");
    json_errors_add(&arena, &errors, "/y", "no");
    assert_int_equal(errors.count_all, 56);
    buffer_release(&text);
}

static void added_errors_are_copied(void **state)
{
    (void)state;
    char pointer[] = "/a", detail[] = "no";
    json_errors_add(&arena, &errors, pointer, detail);
    pointer[1] = detail[0] = 'x';
    assert_string_equal(errors.items[0].pointer, "/a");
    assert_string_equal(errors.items[0].detail, "no");
}

static void decimals_are_scaled_and_rounded_to_the_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"-0.0", 0},
        {"90", 90000000},
        {"-90", -90000000},
        {"31.230416", 31230416},
        {"-121.473701e-1", -12147370},
        {"31.2304164999", 31230416},
        {"31.2304165001", 31230417},
        {"-31.2304164999", -31230416},
        {"-31.2304165001", -31230417},
        {"1e-6", 1},
        {"1e-7", 0},
        {"9e-8", 0},
        {"0.0000005", 1},
        {"-0.0000005", -1},
        {"0.000000499999999999999", 0},
        {"31.2304165", 31230417},
        {"9e1", 90000000},
        {"0.1", 100000},
        {"89.999999", 89999999},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct order order = {0};
        uint64_t given;
        char text[64];
        snprintf(text, sizeof text, "{\"account\":\"a\",\"amount\":1,\"lat\":%s}", rows[i].text);
        assert_true(bind(text, &order, &given));
        assert_int_equal(order.lat, rows[i].value);
    }
}

static void decimals_out_of_range_are_refused_however_large(void **state)
{
    (void)state;
    static const char *const numbers[] = {
        "91",    "-91",    "90.0000006",           "9223372036854775807", "1e300",
        "1e400", "-1e400", "99999999999999999999", "-9223372036854775808"};
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"account\":\"a\",\"amount\":1,\"lat\":%s}", numbers[i]);
        assert_errors(text, "/lat: must be -90 to 90");
    }
}

static void without_bounds_anything_of_the_kind_is_taken(void **state)
{
    (void)state;
    static const struct json_field free_fields[] = {
        {.name = "text", .kind = JSON_TEXT, .offset = offsetof(struct order, account)},
        {.name = "int", .kind = JSON_INT, .offset = offsetof(struct order, amount)},
        {.name = "texts", .kind = JSON_TEXTS, .offset = offsetof(struct order, tags)},
    };
    struct order order = {0};
    uint64_t given;
    assert_true(bind_with("{\"text\":\"\",\"int\":-9223372036854775808,\"texts\":[]}", free_fields,
                          3, &order, &given));
    assert_int_equal(order.amount, INT64_MIN);
    assert_non_null(order.account.data);
    assert_int_equal(order.account.size, 0);
    assert_int_equal(order.tags.count, 0);
    assert_false(bind_with("{\"int\":9223372036854775808}", free_fields, 3, &order, &given));
    assert_string_equal(errors.items[0].detail,
                        "must be -9223372036854775808 to 9223372036854775807");
    assert_false(bind_with("{\"texts\":[\"\"]}", free_fields, 3, &order, &given));
    assert_string_equal(errors.items[0].detail, "must not be empty");
}

static void the_items_of_a_batch_are_bound_each_for_itself(void **state)
{
    (void)state;
    static const char text[] = "[{\"account\":\"a\",\"amount\":1},{\"amount\":2},5,"
                               "{\"account\":\"d\",\"amount\":4}]";
    static const bool is_right[] = {true, false, false, true};
    const char *why;
    const struct json_value *batch = json_parse(&arena, text, sizeof text - 1, &why);
    assert_int_equal(json_array_size(batch), 4);
    size_t i = 0;
    const struct json_value *item = json_array_first(batch);
    for (; item != NULL; item = json_next(item), i++) {
        struct order order = {0};
        uint64_t given;
        json_errors_init(&errors);
        assert_int_equal(
            json_bind(&arena, item, fields, LENGTH(fields), &order, &given, "", &errors),
            is_right[i]);
        if (is_right[i])
            assert_int_equal(order.amount, i + 1);
    }
    assert_int_equal(i, 4);
}

static void a_nested_object_is_bound_under_its_pointer(void **state)
{
    (void)state;
    struct order order = {0}, inner = {0};
    uint64_t given;
    assert_true(bind("{\"account\":\"a\",\"amount\":1,\"extra\":{\"amount\":0,\"tags\":[7]}}",
                     &order, &given));
    assert_false(json_bind(&arena, order.extra, fields, LENGTH(fields), &inner, &given,
                           json_pointer_name(&arena, "", "extra"), &errors));
    assert_int_equal(errors.count, 3);
    assert_string_equal(errors.items[0].pointer, "/extra/amount");
    assert_string_equal(errors.items[1].pointer, "/extra/tags/0");
    assert_string_equal(errors.items[2].pointer, "/extra/account");
    /* What was wrong before is not held against the next object. */
    const char *why;
    const struct json_value *right =
        json_parse(&arena, "{\"account\":\"a\",\"amount\":1}", 26, &why);
    assert_true(json_bind(&arena, right, fields, LENGTH(fields), &inner, &given, "", &errors));
    assert_int_equal(errors.count, 3);
}

#define BIND_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BIND_TEST(a_whole_body_fills_the_struct),
        BIND_TEST(members_may_come_in_any_order),
        BIND_TEST(absent_and_null_fields_keep_what_the_struct_holds),
        BIND_TEST(a_field_that_is_wrong_keeps_what_the_struct_holds),
        BIND_TEST(all_errors_come_at_once_in_the_order_of_the_body_then_what_is_missing),
        BIND_TEST(amounts_are_exact_to_the_last_unit),
        BIND_TEST(numbers_with_fraction_or_exponent_are_no_amounts),
        BIND_TEST(each_kind_refuses_the_others),
        BIND_TEST(a_rule_replaces_the_details_of_ours),
        BIND_TEST(the_details_of_ours_say_what_is_wanted),
        BIND_TEST(each_wrong_item_has_its_own_pointer),
        BIND_TEST(pointers_escape_what_rfc_6901_asks),
        BIND_TEST(names_compare_exactly),
        BIND_TEST(a_body_that_is_no_object_is_refused),
        BIND_TEST(errors_beyond_the_bound_are_counted_only),
        BIND_TEST(added_errors_are_copied),
        BIND_TEST(decimals_are_scaled_and_rounded_to_the_nearest),
        BIND_TEST(decimals_out_of_range_are_refused_however_large),
        BIND_TEST(without_bounds_anything_of_the_kind_is_taken),
        BIND_TEST(the_items_of_a_batch_are_bound_each_for_itself),
        BIND_TEST(a_nested_object_is_bound_under_its_pointer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
