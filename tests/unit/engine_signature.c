/* engine/signature: SMS-6, whose signature a message bears, how it is written, and that it counts
 * into the parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/parts.h"
#include "engine/signature.h"

enum { ROOM = 512 };

static const struct text absent = {NULL, 0};

static struct text text_of(const char *literal)
{
    return (struct text){literal, strlen(literal)};
}

static void assert_chosen(struct text own, struct text company, bool is_required, bool is_supported,
                          const char *expected)
{
    struct text signature = text_of("none was set");
    assert_int_equal(signature_choose(own, company, is_required, is_supported, &signature),
                     SIGNATURE_CHOSEN);
    assert_int_equal(signature.size, strlen(expected));
    assert_memory_equal(signature.data, expected, signature.size);
}

static void a_messages_own_signature_goes_before_the_companys(void **state)
{
    (void)state;
    assert_chosen(text_of("Own"), text_of("Company"), false, true, "Own");
    assert_chosen(absent, text_of("Company"), false, true, "Company");
    assert_chosen(text_of(""), text_of("Company"), false, true, "");
    assert_chosen(absent, absent, false, true, "");
    assert_chosen(text_of("Own"), absent, true, true, "Own");
}

static void a_country_may_require_a_signature(void **state)
{
    struct text signature;
    (void)state;
    assert_int_equal(signature_choose(absent, absent, true, true, &signature), SIGNATURE_REQUIRED);
    assert_int_equal(signature_choose(text_of(""), text_of("Company"), true, true, &signature),
                     SIGNATURE_REQUIRED);
    assert_int_equal(signature_choose(absent, text_of(""), true, false, &signature),
                     SIGNATURE_REQUIRED);
    assert_chosen(absent, text_of("Company"), true, true, "Company");
}

static void a_channel_without_signatures_leaves_the_text_without(void **state)
{
    (void)state;
    assert_chosen(text_of("Own"), text_of("Company"), false, false, "");
    assert_chosen(absent, text_of("Company"), true, false, "");
}

static void assert_written(const char *signature, const char *country, const char *content,
                           const char *expected)
{
    char to[ROOM];
    size_t size;
    assert_true(signature_write(text_of(signature), text_of(content), text_of(country), to,
                                sizeof to, &size));
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(to, expected, size);
}

static void to_china_a_signature_is_written_in_brackets_before_the_text(void **state)
{
    (void)state;
    assert_written("滴滴", "CN", "您的验证码是1234", "【滴滴】您的验证码是1234");
    assert_written("Acme", "CN", "您的验证码是1234", "【Acme】您的验证码是1234");
    assert_written("Acme", "CN", "", "【Acme】");
}

static void a_chinese_or_japanese_one_is_written_so_to_anywhere(void **state)
{
    (void)state;
    assert_written("滴滴", "HK", "Your code is 1234", "【滴滴】Your code is 1234");
    assert_written("A滴", "US", "hi", "【A滴】hi");
    assert_written("メルカリ", "JP", "1234", "【メルカリ】1234");
    assert_written("々", "JP", "1234", "【々】1234");
    assert_written("𠮷野家", "JP", "1234", "【𠮷野家】1234");
}

static void any_other_is_written_with_a_colon(void **state)
{
    (void)state;
    assert_written("Acme", "US", "Your code is 1234", "Acme: Your code is 1234");
    assert_written("쿠팡", "KR", "1234", "쿠팡: 1234");
    assert_written("Ёлка", "RU", "1234", "Ёлка: 1234");
    assert_written("🍎", "US", "1234", "🍎: 1234");
}

static void none_leaves_the_text_as_it_is(void **state)
{
    (void)state;
    assert_written("", "CN", "您的验证码是1234", "您的验证码是1234");
    assert_written("", "US", "", "");
}

static void a_text_that_begins_with_its_signature_gets_no_second_one(void **state)
{
    (void)state;
    assert_written("滴滴", "CN", "【滴滴】您好", "【滴滴】您好");
    assert_written("Acme", "US", "Acme: hello", "Acme: hello");
    assert_written("滴滴", "CN", "【滴】您好", "【滴滴】【滴】您好");
    assert_written("滴滴", "CN", "您好【滴滴】", "【滴滴】您好【滴滴】");
    assert_written("Acme", "US", "Acme hello", "Acme: Acme hello");
}

static void what_does_not_fit_is_refused(void **state)
{
    char to[16];
    size_t size;
    (void)state;
    memset(to, '#', sizeof to);
    assert_true(signature_write(text_of("Acme"), text_of("hi"), text_of("US"), to, 8, &size));
    assert_memory_equal(to, "Acme: hi########", 16);
    assert_false(signature_write(text_of("Acme"), text_of("hi"), text_of("US"), to, 7, &size));
    assert_false(signature_write(text_of("Acme"), text_of("hi"), text_of("US"), to, 3, &size));
    assert_false(signature_write(text_of(""), text_of("hi"), text_of("US"), to, 1, &size));
    assert_memory_equal(to + 8, "########", 8);
}

static void the_longest_signature_adds_what_is_promised(void **state)
{
    char signature[SIGNATURE_BYTES_MAX], to[SIGNATURE_ADDED_MAX + 2];
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof signature; i += 4)
        memcpy(signature + i, "𠮷", 4);
    struct text longest = {signature, sizeof signature};
    assert_true(signature_check(longest));
    assert_true(signature_write(longest, text_of("hi"), text_of("JP"), to, sizeof to, &size));
    assert_int_equal(size, sizeof to);
}

/* SMS-6, SMS-7: what is counted is what is sent. */
static void a_signature_counts_into_the_parts(void **state)
{
    char text[ROOM], to[ROOM];
    size_t size;
    struct parts parts;
    (void)state;
    memset(text, 'a', sizeof text);
    struct text content = {text, 154};
    assert_true(signature_write(text_of("Acme"), content, text_of("US"), to, sizeof to, &size));
    assert_true(parts_count((struct text){to, size}, 0, PARTS_MAX, &parts));
    assert_int_equal(parts.count, 1);
    assert_int_equal(parts.units, 160);
    content.size = 155;
    assert_true(signature_write(text_of("Acme"), content, text_of("US"), to, sizeof to, &size));
    assert_true(parts_count((struct text){to, size}, 0, PARTS_MAX, &parts));
    assert_int_equal(parts.count, 2);
    assert_true(signature_write(text_of("Acme"), content, text_of("CN"), to, sizeof to, &size));
    assert_true(parts_count((struct text){to, size}, 0, PARTS_MAX, &parts));
    assert_int_equal(parts.encoding, PARTS_UCS2);
    assert_int_equal(parts.units, 161);
    assert_int_equal(parts.count, 3);
}

static void what_may_be_a_signature(void **state)
{
    static const char *const good[] = {
        "",
        "滴滴出行",
        "Acme Ltd.",
        "A",
        "쿠팡",
        "O'Neil & Co: [x]",
        "一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二"};
    static const char *const bad[] = {
        " Acme",    "Acme ",
        "Ac\nme",   "Ac\tme",
        "【滴滴】", "滴】",
        "　滴",     "Acme\xc2\xa0",
        "\xc2\x85", "a\xe2\x80\xa8z",
        "\xff",     "a\xe6\xbb",
        "\x7f",     "一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(signature_check(text_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(signature_check(text_of(bad[i])));
    assert_false(signature_check((struct text){"a\0b", 3}));
    assert_true(signature_check(absent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_messages_own_signature_goes_before_the_companys),
        cmocka_unit_test(a_country_may_require_a_signature),
        cmocka_unit_test(a_channel_without_signatures_leaves_the_text_without),
        cmocka_unit_test(to_china_a_signature_is_written_in_brackets_before_the_text),
        cmocka_unit_test(a_chinese_or_japanese_one_is_written_so_to_anywhere),
        cmocka_unit_test(any_other_is_written_with_a_colon),
        cmocka_unit_test(none_leaves_the_text_as_it_is),
        cmocka_unit_test(a_text_that_begins_with_its_signature_gets_no_second_one),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(the_longest_signature_adds_what_is_promised),
        cmocka_unit_test(a_signature_counts_into_the_parts),
        cmocka_unit_test(what_may_be_a_signature),
    };
    return cmocka_run_group_tests_name("engine_signature", tests, NULL, NULL);
}
