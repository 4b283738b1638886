/* engine/stop_word: which received messages are a word for no more marketing (SMS-18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/stop_word.h"

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static void expect(struct text words, const char *const *contents, size_t count, bool is_one)
{
    for (size_t i = 0; i < count; i++) {
        if (stop_words_have(words, text_of(contents[i])) != is_one)
            fail_msg("\"%s\" is %s", contents[i], is_one ? "none of them" : "one of them");
    }
}

static void case_width_spaces_and_punctuation_do_not_matter(void **state)
{
    static const char *const contents[] = {
        "STOP",        "stop",      " Stop. ",      "S T O P",
        "\"stop\"!\n", "ＳＴＯＰ",  "ｓｔｏｐ！",   "stop all",
        "Opt-Out",     "t",         "TD",           "ｔｄ",
        "Ｔ　Ｄ。",    "退订",      "退 订！",      "【退订】",
        "取消订阅",    "arrêt",     "ARRÊT",        "Arret",
        "СТОП",        "стоп",      "hủy",          "HỦY",
        "수신거부",    "配信 停止", "un-subscribe", "\xe2\x80\x8bSTOP\xf0\x9f\x9b\x91"};

    (void)state;
    expect(STOP_WORDS_DEFAULT, contents, sizeof contents / sizeof *contents, true);
}

static void a_word_among_others_is_none(void **state)
{
    static const char *const contents[] = {
        "",
        "   ",
        "!",
        "please stop",
        "stopp it",
        "don't stop",
        "STO",
        "STOPS",
        "TDD",
        "我要退订",
        "\xff\xfe",
        "stop\xff",
        "start",
        "a very long message that goes on and on beyond what a word may ever have: stop"};

    (void)state;
    expect(STOP_WORDS_DEFAULT, contents, sizeof contents / sizeof *contents, false);
}

static void the_words_are_an_operators(void **state)
{
    static const char *const ours[] = {"basta", "GENUG ", "Ä"};
    static const char *const others[] = {"stop", "bastagenug", "basta,genug"};

    (void)state;
    expect(TEXT("basta, Genug ,ä"), ours, 3, true);
    expect(TEXT("basta, Genug ,ä"), others, 3, false);
}

static void a_list_of_words_has_no_empty_one(void **state)
{
    static const char *const lists[] = {
        "", ",", "a,", ",a", "a,,b", "a, ,b", "a,!", "abcdefghijklmnopqrstuvwxyzabcdefg", "a,\xff"};

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (stop_words_are_valid(text_of(lists[i])))
            fail_msg("taken for words: \"%s\"", lists[i]);
    }
    assert_true(stop_words_are_valid(TEXT("a,b , 退订,abcdefghijklmnopqrstuvwxyzabcdef")));
    assert_true(stop_words_are_valid(STOP_WORDS_DEFAULT));
    assert_true(stop_words_are_valid(START_WORDS_DEFAULT));
}

/* Nobody is put on and taken off by the same word. */
static void no_word_is_in_both_lists(void **state)
{
    struct text rest = START_WORDS_DEFAULT;

    (void)state;
    while (rest.size > 0) {
        const char *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma == NULL ? rest.size : (size_t)(comma - rest.data);
        assert_false(stop_words_have(STOP_WORDS_DEFAULT, (struct text){rest.data, size}));
        rest =
            (struct text){rest.data + size + (comma != NULL), rest.size - size - (comma != NULL)};
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_width_spaces_and_punctuation_do_not_matter),
        cmocka_unit_test(a_word_among_others_is_none),
        cmocka_unit_test(the_words_are_an_operators),
        cmocka_unit_test(a_list_of_words_has_no_empty_one),
        cmocka_unit_test(no_word_is_in_both_lists),
    };
    return cmocka_run_group_tests_name("engine_stop_word", tests, NULL, NULL);
}
