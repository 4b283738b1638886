/* json/flat: whatever it accepts, json_parse and json_bind accept with the same fields; and plain
 * lines it does accept. Lines are made up from what clients send, then bytes of them are changed:
 * tens of thousands, from numbered seeds, each in a piece of memory of its own size, so that a byte
 * looked at behind the end is seen by the sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "json/flat.h"

struct line {
    struct json_text mobile, city, at, label;
    int64_t lat, lon, count;
    bool flag;
};

static bool is_lower(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 'X')
            return false;
    }
    return true;
}

static const struct json_field fields[] = {
    {.name = "mobile",
     .kind = JSON_TEXT,
     .offset = offsetof(struct line, mobile),
     .is_required = true,
     .min = 1,
     .max = 16},
    {.name = "city", .kind = JSON_TEXT, .offset = offsetof(struct line, city), .check = is_lower},
    {.name = "lat",
     .kind = JSON_DECIMAL,
     .offset = offsetof(struct line, lat),
     .min = -90000000,
     .max = 90000000,
     .decimals = 6},
    {.name = "lon", .kind = JSON_DECIMAL, .offset = offsetof(struct line, lon), .decimals = 6},
    {.name = "at", .kind = JSON_TEXT, .offset = offsetof(struct line, at), .is_nullable = true},
    {.name = "label", .kind = JSON_TEXT, .offset = offsetof(struct line, label), .max = 8},
    {.name = "count",
     .kind = JSON_INT,
     .offset = offsetof(struct line, count),
     .min = -5,
     .max = 500},
    {.name = "flag", .kind = JSON_BOOL, .offset = offsetof(struct line, flag)},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static struct arena arena;
static struct json_flat flat;
static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % bound);
}

static bool read_slowly(const char *text, size_t size, struct line *line, uint64_t *given)
{
    struct json_errors errors;
    const char *why;
    const struct json_value *value = json_parse(&arena, text, size, &why);

    json_errors_init(&errors);
    return value != NULL && json_bind(&arena, value, fields, FIELDS, line, given, "", &errors);
}

static bool is_same_text(struct json_text a, struct json_text b)
{
    return a.size == b.size && (a.data == NULL) == (b.data == NULL) &&
           (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* True if it was accepted; then so it must be by the others. */
static bool compare(const char *text, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size);
    struct line fast = {.count = 7, .lon = 3}, slow = {.count = 7, .lon = 3};
    uint64_t fast_given = 0, slow_given = 0;

    memcpy(copy, text, size);
    arena_reset(&arena);
    bool is_plain = json_flat_read(&flat, copy, size, &fast, &fast_given);
    if (is_plain) {
        bool is_accepted = read_slowly(text, size, &slow, &slow_given);
        bool is_same = is_accepted && fast_given == slow_given && fast.lat == slow.lat &&
                       fast.lon == slow.lon && fast.count == slow.count &&
                       is_same_text(fast.mobile, slow.mobile) &&
                       is_same_text(fast.city, slow.city) && is_same_text(fast.at, slow.at) &&
                       is_same_text(fast.label, slow.label);
        if (!is_same)
            print_error("differs: %.*s\n", (int)size, text);
        assert_true(is_same);
    }
    free(copy);
    return is_plain;
}

static const char *const plain[] = {
    "{\"mobile\":\"+8613812345678\",\"city\":\"sha\"}",
    "{\"city\":\"sha\",\"mobile\":\"+8613812345678\"}",
    "{\"mobile\": \"+8613812345678\", \"city\": \"sha\"}",
    "{\"mobile\":\"+8613812345678\",\"lat\":31.2304,\"lon\":121.4737}",
    "{\"mobile\":\"1\",\"lat\":-31,\"lon\":0}",
    "{\"mobile\":\"1\",\"lat\":0.0000005,\"lon\":-0.00000049999}",
    "{\"mobile\":\"1\",\"lat\":89.9999994999999999999999,\"lon\":-179.999999500000}",
    "{\"mobile\":\"1\",\"lon\":-0.5,\"count\":500}",
    "{\"mobile\":\"1\",\"lon\":999999999999.5,\"count\":-5}",
    "{\"label\":\"vip\",\"at\":\"2026-11-21T19:41:00.123Z\",\"mobile\":\"+861390\"}",
    "{\"mobile\":\"1\"}",
    "{\t\"mobile\" :\r\"1\" }",
    "{\"mobile\":\"1\",\"city\":\"\"}",
    "{\"mobile\":\"a}b{c,d:e\",\"city\":\"}\"}",
};

static const char *const other[] = {
    "",
    "{",
    "}",
    "{}",
    "[]",
    "{\"mobile\":\"\"}",
    "{\"city\":\"sha\"}",
    "{\"mobile\":\"1\",\"mobile\":\"1\"}",
    "{\"mobile\":\"1\",\"city\":\"X\"}",
    "{\"mobile\":\"1\",\"town\":\"x\"}",
    "{\"mobile\":\"1\",\"cit\":\"x\"}",
    "{\"mobile\":\"1\",\"cityy\":\"x\"}",
    "{\"mobile\":\"\\u0031\"}",
    "{\"mob\\u0069le\":\"1\"}",
    "{\"mobile\":\"\xc3\xa9\"}",
    "{\"mobile\":1}",
    "{\"mobile\":null}",
    "{\"mobile\":\"1\",\"at\":null}",
    "{\"mobile\":\"1\",\"flag\":true}",
    "{\"mobile\":\"1\",\"lat\":90.0000005}",
    "{\"mobile\":\"1\",\"lat\":01}",
    "{\"mobile\":\"1\",\"lat\":-0}",
    "{\"mobile\":\"1\",\"lat\":1.}",
    "{\"mobile\":\"1\",\"lat\":.5}",
    "{\"mobile\":\"1\",\"lat\":1e1}",
    "{\"mobile\":\"1\",\"lat\":1.0e1}",
    "{\"mobile\":\"1\",\"count\":1.0}",
    "{\"mobile\":\"1\",\"count\":501}",
    "{\"mobile\":\"1\",\"count\":99999999999999999999}",
    "{\"mobile\":\"1\",}",
    "{\"mobile\":\"1\"}}",
    "{\"mobile\":\"1\"} ",
    "{\"mobile\":\"1\" \"city\":\"a\"}",
    "{\"mobile\":\"1}",
    "{\"mobile\":\"1\",\"city\":\"abcdefghijklmnopqrstuvwxyz}",
    "{\"mobile\":[\"1\"]}",
    "{\"mobile\":\"12345678901234567\"}",
};

static void plain_lines_are_read_the_short_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (!compare(plain[i], strlen(plain[i])))
            fail_msg("not taken: %s", plain[i]);
    }
}

static void everything_else_is_left_to_the_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        if (compare(other[i], strlen(other[i])))
            fail_msg("taken: %s", other[i]);
    }
}

/* Bytes that mean something, mostly. */
static char random_byte(void)
{
    static const char telling[] = "\"\"\"\\{}[]:,,.-+0123456789eE mobilecitylatnr\t\n";
    uint32_t choice = random_below(20);

    return choice == 0 ? (char)random_below(256)
                       : telling[random_below((uint32_t)sizeof telling - 1)];
}

static size_t change(char *text, size_t size)
{
    size_t at = random_below((uint32_t)size);

    switch (random_below(4)) {
    case 0:
        memmove(text + at, text + at + 1, size - at - 1);
        return size - 1;
    case 1:
        memmove(text + at + 1, text + at, size - at);
        text[at] = random_byte();
        return size + 1;
    case 2: { /* a piece of it once more */
        size_t piece = 1 + random_below((uint32_t)(size - at < 24 ? size - at : 24));
        memmove(text + at + piece, text + at, size - at);
        return size + piece;
    }
    default:
        text[at] = random_byte();
        return size;
    }
}

static void changed_lines_are_never_taken_for_what_they_are_not(void **state)
{
    uint32_t taken = 0, tried = 60000;

    (void)state;
    random_state = 2026;
    for (uint32_t n = 0; n < tried; n++) {
        const char *line = plain[random_below(sizeof plain / sizeof *plain)];
        char text[512];
        size_t size = strlen(line);
        memcpy(text, line, size);
        for (uint32_t changes = 1 + random_below(3); changes > 0 && size > 1; changes--)
            size = change(text, size);
        taken += compare(text, size);
    }
    printf("# %u of %u changed lines were still plain\n", taken, tried);
    assert_true(taken > tried / 20 && taken < tried);
}

static void numbers_are_read_as_the_others_read_them(void **state)
{
    uint32_t taken = 0;

    (void)state;
    random_state = 7;
    for (uint32_t n = 0; n < 30000; n++) {
        char text[128];
        int size = snprintf(text, sizeof text, "{\"mobile\":\"1\",\"%s\":%s",
                            n % 2 == 0 ? "lat" : "lon", random_below(2) == 0 ? "-" : "");
        uint32_t whole = 1 + random_below(n % 2 == 0 ? 2 : 16), part = random_below(12);
        for (uint32_t i = 0; i < whole; i++)
            text[size++] = (char)('0' + random_below(10));
        if (part > 0)
            text[size++] = '.';
        for (uint32_t i = 0; i < part; i++)
            text[size++] = (char)('0' + random_below(10));
        text[size++] = '}';
        taken += compare(text, (size_t)size);
    }
    assert_true(taken > 15000);
}

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    json_flat_init(&flat, fields, FIELDS);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines_are_read_the_short_way),
        cmocka_unit_test(everything_else_is_left_to_the_others),
        cmocka_unit_test(changed_lines_are_never_taken_for_what_they_are_not),
        cmocka_unit_test(numbers_are_read_as_the_others_read_them),
    };
    return cmocka_run_group_tests_name("json_flat", tests, open_arena, close_arena);
}
