/* json/read, the grammar: row by row what is JSON and what is not. The rows follow the y_ and n_
 * cases of JSONTestSuite (Seriot, "Parsing JSON is a minefield"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
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

#define ROW(text)                                                                                  \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
struct row {
    const char *text;
    size_t size;
};

static const struct row allowed[] = {
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

static void what_the_grammar_allows_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        const char *why = "";
        if (parse(allowed[i].text, allowed[i].size, &why) == NULL)
            fail_msg("%s: %s", allowed[i].text, why);
    }
}

static const struct row refused[] = {
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
    ROW("[\"\\udfff\"]"),
    ROW("{\"a\":1,\"a\":1}"),
    ROW("{\"a\":1,\"\\u0061\":2}"),
    ROW("{\"b\":{\"a\":1,\"a\":2}}"),
};

static void what_the_grammar_does_not_allow_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *why = NULL;
        if (parse(refused[i].text, refused[i].size, &why) != NULL)
            fail_msg("row %zu was read: %s", i, refused[i].text);
        assert_non_null(why);
        assert_non_null(strstr(why, " at byte "));
    }
}

#define ARENA_TEST(test) cmocka_unit_test_setup_teardown(test, arena_up, arena_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(what_the_grammar_allows_is_read),
        ARENA_TEST(what_the_grammar_does_not_allow_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
