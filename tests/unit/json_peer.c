/* json/read beside cJSON, over a corpus and made-up changes of it: what we take, cJSON takes, too,
 * and reads the same out of it; what only cJSON takes is refused for one of the reasons below.
 * Where they differ:
 *
 * - only we take numbers of more than 63 characters;
 * - only cJSON takes bytes behind the value, any control character as space or in a text, what is
 *   not UTF-8, \u0000 and \u without digits (as an end of the text), names given twice, leading
 *   zeros, numbers that strtod takes ("1.", "-.5"), a byte order mark, deeper nesting, larger
 *   objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "json/read.h"

enum { CHANGED_TEXTS = 100000, CHANGES_MAX = 4, PEER_NUMBER_MAX = 63 };

static const char *const corpus[] = {
    "{\"account\":\"u12345678\",\"amount\":5,\"reference\":\"r-1\"}",
    "{ \"a\" : [ 1 , -2.5e+3 , true , false , null , { } , [ ] , \"x\" ] ,\r\n\t\"b\":{\"c\":0}}",
    "[0,-0,1,-1,9007199254740991,9007199254740993,-9223372036854775808,9223372036854775807]",
    "[9223372036854775808,18446744073709551617,123456789012345678901234567890,0.1,1e300,1E400]",
    "{\"lat\":31.230416,\"lon\":-121.473701e-1,\"x\":1e-6,\"y\":0.0000005,\"z\":-0.0}",
    "{\"n\":0.30000000000000000000000000000000000000000000000000000000004}",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u5e73\\ud83d\\ude39\", "
    "\"\\uFFFF\\uDBFF\\uDFFF\"]",
    "[\"sixteen plain by\",\"sixteen plain byt\\n\",\"h\xc3\xa9llo \xe5\xb9\xb3\xe5\xae\x89 "
    "\xf0\x9f\x98\xb9 and on \xe5\x92\x8c\"]",
    "{\"\":\"\",\"\\u5e73\":1,\"k/~\":2,\"K\":3,\"k\":4}",
    "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
    "{\"a\":{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]}}}}",
    "{\"k0\":0,\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9,"
    "\"ka\":10,\"kb\":11,\"kc\":12,\"kd\":13,\"ke\":14,\"kf\":15,\"kg\":16,\"kh\":17,\"ki\":18}",
    "\"alone\"",
    "-12.75",
    "true",
    "null",
};

static const char *const pieces[] = {
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "0",
    "-",
    "1",
    "9",
    ".",
    "e",
    "E+",
    "\n",
    " ",
    "\t",
    "\x01",
    "\x7f",
    "\x80",
    "\xc3\xa9",
    "\xed\xa0\x80",
    "\xff",
    "\xef\xbb\xbf",
    "\\u0000",
    "\\u",
    "\\ud83d",
    "\\ude39",
    "\\n",
    "true",
    "null",
    "\"a\":1,",
    "\"k1\":",
    "[[[[",
    "1234567890",
    "0.1",
};

static struct arena arena;
static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 11) % below;
}

static void assert_same(const struct json_value *ours, const cJSON *peers, const char *text);

static void assert_same_decimal(const struct json_value *object, const char *name, double expected,
                                const char *text)
{
    const struct json_field field = {.name = name, .kind = JSON_DECIMAL, .decimals = 6};
    struct json_errors errors;
    uint64_t given;
    int64_t units = INT64_MIN;
    json_errors_init(&errors);
    json_bind(&arena, object, &field, 1, &units, &given, "", &errors);
    assert_int_equal(given, 1);
    if (expected > -1e9 && expected < 1e9) { /* farther off, the doubles are the coarser ones */
        double off = (double)units - expected * 1e6;
        if (off > 0.51 || off < -0.51)
            fail_msg("%s: %s is %lld units", text, name, (long long)units);
    } else if (expected >= 9.3e12 || expected <= -9.3e12) {
        assert_int_equal(units, INT64_MIN);
    }
}

static void assert_same_items(const struct json_value *ours, const cJSON *peers, const char *text)
{
    size_t count = 0;
    const struct json_value *item =
        json_is_array(ours) ? json_array_first(ours) : json_object_first(ours);
    const cJSON *other = peers->child;
    for (; item != NULL && other != NULL; item = json_next(item), other = other->next, count++) {
        assert_same(item, other, text);
        if (json_is_array(ours)) {
            assert_null(json_name(item).data);
            continue;
        }
        struct json_text name = json_name(item);
        assert_string_equal(name.data, other->string);
        assert_int_equal(name.size, strlen(other->string));
        if (cJSON_IsNumber(other))
            assert_same_decimal(ours, name.data, other->valuedouble, text);
    }
    assert_true(item == NULL && other == NULL);
    if (json_is_array(ours))
        assert_int_equal(json_array_size(ours), count);
}

static void assert_same(const struct json_value *ours, const cJSON *peers, const char *text)
{
    struct json_text own_text;
    int64_t number;
    bool is_true;
    assert_int_equal(json_is_array(ours), cJSON_IsArray(peers));
    assert_int_equal(json_is_object(ours), cJSON_IsObject(peers));
    assert_int_equal(json_is_null(ours), cJSON_IsNull(peers));
    assert_int_equal(json_get_bool(ours, &is_true), cJSON_IsBool(peers));
    if (cJSON_IsBool(peers))
        assert_int_equal(is_true, cJSON_IsTrue(peers));
    assert_int_equal(json_get_text(ours, &own_text), cJSON_IsString(peers));
    if (cJSON_IsString(peers)) {
        assert_string_equal(own_text.data, peers->valuestring);
        assert_int_equal(own_text.size, strlen(peers->valuestring));
    }
    if (json_get_int(ours, &number)) {
        assert_true(cJSON_IsNumber(peers));
        assert_true((double)number == peers->valuedouble);
    }
    if (json_is_array(ours) || json_is_object(ours))
        assert_same_items(ours, peers, text);
}

static bool is_of_number(char c)
{
    return c != 0 && strchr("+-.0123456789Ee", c) != NULL;
}

static bool has_long_number(const char *text, size_t size)
{
    size_t run = 0;
    for (size_t i = 0; i < size; i++) {
        run = is_of_number(text[i]) ? run + 1 : 0;
        if (run > PEER_NUMBER_MAX)
            return true;
    }
    return false;
}

/* Whether cJSON is known to take what we refuse so. */
static bool is_known(const char *why, const char *text)
{
    static const char *const always[] = {"unexpected bytes behind the value",
                                         "name given twice",
                                         "leading zero",
                                         "control character",
                                         "invalid UTF-8",
                                         "\\u0000",
                                         "nested too deeply",
                                         "too many members"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        if (strncmp(why, always[i], strlen(always[i])) == 0)
            return true;
    }
    size_t at = strtoul(strstr(why, " at byte ") + 9, NULL, 10);
    bool is_behind_number = at > 0 && is_of_number(text[at - 1]);
    if (strncmp(why, "invalid escape", 14) == 0 || strncmp(why, "lone surrogate", 14) == 0)
        return strncmp(text + at, "\\u", 2) == 0;
    if (strncmp(why, "unexpected end", 14) == 0)
        return is_behind_number;
    return is_behind_number || iscntrl((unsigned char)text[at]) || (at == 0 && text[0] == '\xef');
}

struct counts {
    size_t both, ours, peers, neither;
};

/* `text` is followed by a NUL, for messages. */
static void compare(const char *text, size_t size, struct counts *counts)
{
    const char *why = NULL;
    char *exact = malloc(size + (size == 0)); /* reading on shows under the sanitizer */
    memcpy(exact, text, size);
    const struct json_value *ours = json_parse(&arena, exact, size, &why);
    cJSON *peers = cJSON_ParseWithLength(exact, size);
    free(exact);
    if (ours != NULL && peers != NULL && !has_long_number(text, size)) {
        counts->both++;
        assert_same(ours, peers, text);
    } else if (ours != NULL) {
        counts->ours++;
        if (!has_long_number(text, size))
            fail_msg("only we take %s", text);
    } else if (peers != NULL) {
        counts->peers++;
        if (!is_known(why, text))
            fail_msg("only cJSON takes %s: %s", text, why);
    } else {
        counts->neither++;
    }
    cJSON_Delete(peers);
    arena_reset(&arena);
}

/* One place of the text: bytes go, others come. */
static void change(struct buffer *text)
{
    const char *other = corpus[draw(sizeof corpus / sizeof *corpus)];
    size_t at = draw(text->size + 1), left = text->size - at;
    size_t gone = draw(3) == 0 ? draw(left + 1) : draw(2);
    const char *come = pieces[draw(sizeof pieces / sizeof *pieces)];
    size_t come_size = strlen(come);
    if (draw(8) == 0) {
        size_t from = draw(strlen(other));
        come = other + from;
        come_size = draw(strlen(come) + 1);
    } else if (draw(3) == 0) {
        come_size = 0;
    }
    if (gone > left)
        gone = left;
    struct buffer rest;
    buffer_init(&rest);
    buffer_append(&rest, text->data + at + gone, left - gone);
    text->size = at;
    buffer_append(text, come, come_size);
    buffer_append(text, rest.data, rest.size);
    buffer_release(&rest);
}

static void the_corpus_is_read_as_cjson_reads_it(void **state)
{
    (void)state;
    struct counts counts = {0};
    const size_t count = sizeof corpus / sizeof *corpus;
    for (size_t i = 0; i < count; i++)
        compare(corpus[i], strlen(corpus[i]), &counts);
    assert_int_equal(counts.both, count);
}

static void changed_texts_are_read_as_cjson_reads_them_or_refused_with_reason(void **state)
{
    (void)state;
    struct counts counts = {0};
    struct buffer text;
    seed = UINT64_C(0x9e3779b97f4a7c15);
    buffer_init(&text);
    for (int i = 0; i < CHANGED_TEXTS; i++) {
        const char *from = corpus[draw(sizeof corpus / sizeof *corpus)];
        text.size = 0;
        buffer_append_text(&text, from);
        for (uint64_t changes = 1 + draw(CHANGES_MAX); changes > 0; changes--)
            change(&text);
        buffer_append(&text, "", 1);
        compare(text.data, text.size - 1, &counts);
    }
    buffer_release(&text);
    /* Else the changes are not what they should be. */
    assert_true(counts.both > CHANGED_TEXTS / 20);
    assert_true(counts.peers > CHANGED_TEXTS / 100);
    assert_true(counts.neither > CHANGED_TEXTS / 10);
    assert_true(counts.ours > 0);
}

static void numbers_too_long_for_cjson_are_exact(void **state)
{
    (void)state;
    char zeros[2000], text[sizeof zeros * 2 + 64];
    memset(zeros, '0', sizeof zeros);
    zeros[sizeof zeros - 1] = 0;
    static const struct {
        const char *before, *behind;
        int64_t units;
    } rows[] = {
        {"1.5", "", 1500000},       {"0.", "1", 0},           {"-12.3456785", "", -12345679},
        {"0.", "15e2000", 1500000}, {"3", "e-1999", 3000000}, {"-0.", "4e2000", -4000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct json_field field = {.name = "n", .kind = JSON_DECIMAL, .decimals = 6};
        struct json_errors errors;
        const char *why;
        uint64_t given;
        int64_t units = -1;
        int size =
            snprintf(text, sizeof text, "{\"n\":%s%s%s}", rows[i].before, zeros, rows[i].behind);
        json_errors_init(&errors);
        assert_true(json_bind(&arena, json_parse(&arena, text, (size_t)size, &why), &field, 1,
                              &units, &given, "", &errors));
        assert_int_equal(units, rows[i].units);
    }
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_corpus_is_read_as_cjson_reads_it),
        cmocka_unit_test(changed_texts_are_read_as_cjson_reads_them_or_refused_with_reason),
        cmocka_unit_test(numbers_too_long_for_cjson_are_exact),
    };
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
