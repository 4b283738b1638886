/* engine/mobile and man/examples/countries.ndjson beside libphonenumber: made-up mobile numbers of
 * each country in the file, from its metadata (tests/peer/countries.js), are found to be that
 * country's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "engine/mobile.h"
#include "json/read.h"

enum { COUNTRIES_MAX = 300, LINE_MAX_BYTES = 4096, NUMBERS_MIN = 50000, COUNTRIES_MIN = 60 };

static const char peer[] = "node tests/peer/countries.js build/npm/node_modules";
static const char file[] = "man/examples/countries.ndjson";

struct country {
    struct json_text alpha2, name, region;
    int64_t calling_code;
    const struct json_value *lengths;
    struct json_texts prefixes, timezones;
    bool signature_required;
};

static const struct json_field fields[] = {
    {"alpha2", JSON_TEXT, offsetof(struct country, alpha2), true, .min = 2, .max = 2},
    {"name", JSON_TEXT, offsetof(struct country, name), true, .min = 1, .max = 128},
    {"calling_code", JSON_INT, offsetof(struct country, calling_code), true, .min = 1, .max = 999},
    {"region", JSON_TEXT, offsetof(struct country, region), true, .min = 1, .max = 64},
    {"number_lengths", JSON_ANY, offsetof(struct country, lengths), .is_required = true},
    {"number_prefixes", JSON_TEXTS, offsetof(struct country, prefixes), .min = 1, .max = 300,
     .text_bytes_max = 14},
    {"timezones", JSON_TEXTS, offsetof(struct country, timezones), .is_required = true, .min = 1,
     .max = 50, .text_bytes_max = 64},
    {"signature_required", JSON_BOOL, offsetof(struct country, signature_required),
     .is_required = false},
};

static struct arena arena;
static struct country countries[COUNTRIES_MAX];
static struct mobile_rule rules[COUNTRIES_MAX];
static size_t count;

static void read_rule(struct mobile_rule *rule, const struct country *country)
{
    struct text *prefixes = arena_alloc(&arena, (country->prefixes.count + 1) * sizeof *prefixes);
    const struct json_value *length = json_array_first(country->lengths);
    int64_t digits;
    *rule = (struct mobile_rule){.calling_code = (uint32_t)country->calling_code,
                                 .prefixes = prefixes,
                                 .prefixes_count = country->prefixes.count};
    for (; length != NULL; length = json_next(length)) {
        assert_true(json_get_int(length, &digits));
        assert_in_range(digits, 1, 14);
        rule->lengths |= 1U << digits;
    }
    for (size_t i = 0; i < country->prefixes.count; i++)
        prefixes[i] =
            (struct text){country->prefixes.items[i].data, country->prefixes.items[i].size};
}

static int read_countries(void **state)
{
    char line[LINE_MAX_BYTES];
    struct json_errors errors;
    const char *why;
    uint64_t given;
    (void)state;
    arena_init(&arena, 0);
    json_errors_init(&errors);
    FILE *rows = fopen(file, "r");
    assert_non_null(rows);
    for (; fgets(line, sizeof line, rows) != NULL; count++) {
        assert_true(count < COUNTRIES_MAX);
        const struct json_value *row = json_parse(&arena, line, strlen(line), &why);
        assert_non_null(row);
        assert_true(json_bind(&arena, row, fields, sizeof fields / sizeof *fields,
                              &countries[count], &given, "", &errors));
        read_rule(&rules[count], &countries[count]);
    }
    fclose(rows);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void countries_stand_once_each_in_order(void **state)
{
    (void)state;
    assert_true(count >= COUNTRIES_MIN);
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(countries[i - 1].alpha2.data, countries[i].alpha2.data) < 0);
}

static void assert_of(const char *alpha2, struct text number)
{
    uint64_t mobile;
    size_t found = count;
    assert_true(mobile_parse(number, &mobile));
    enum mobile_match match = mobile_match(mobile, rules, count, &found);
    if (match != MOBILE_MATCHED || strcmp(countries[found].alpha2.data, alpha2) != 0)
        fail_msg("%.*s of %s: %d, %s", (int)number.size, number.data, alpha2, (int)match,
                 found < count ? countries[found].alpha2.data : "none");
}

static void numbers_of_each_country_are_found_to_be_its(void **state)
{
    char line[64];
    size_t numbers = 0;
    (void)state;
    /* NOLINTNEXTLINE(cert-env33-c) : a constant, and only in a test */
    FILE *made_up = popen(peer, "r");
    assert_non_null(made_up);
    for (; fgets(line, sizeof line, made_up) != NULL; numbers++) {
        line[2] = '\0';
        assert_of(line, (struct text){line + 3, strcspn(line + 3, "\n")});
    }
    assert_int_equal(pclose(made_up), 0);
    assert_true(numbers >= NUMBERS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(countries_stand_once_each_in_order),
        cmocka_unit_test(numbers_of_each_country_are_found_to_be_its),
    };
    return cmocka_run_group_tests_name("engine_mobile_peer", tests, read_countries, tear_down);
}
