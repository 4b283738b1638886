/* base/hmac: the test cases of RFC 4231 §4, and pieces against the whole. base/base64: RFC 4648
 * §10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/base64.h"
#include "base/hmac.h"
#include "base/text.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define REPEAT_20(text)                                                                            \
    text text text text text text text text text text text text text text text text text text text \
        text
#define REPEAT_50(text)                                                                            \
    REPEAT_20(text) REPEAT_20(text) text text text text text text text text text text
#define REPEAT_131(text)                                                                           \
    REPEAT_50(text)                                                                                \
    REPEAT_50(text) REPEAT_20(text) text text text text text text text text text text text

static const struct {
    struct text key, data;
    const char *mac; /* hexadecimal; test case 5 has a prefix only */
} cases[] = {
    {BYTES(REPEAT_20("\x0b")), BYTES("Hi There"),
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {BYTES("Jefe"), BYTES("what do ya want for nothing?"),
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {BYTES(REPEAT_20("\xaa")), BYTES(REPEAT_50("\xdd")),
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {BYTES(
         "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16"
         "\x17\x18\x19"),
     BYTES(REPEAT_50("\xcd")), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {BYTES(REPEAT_20("\x0c")), BYTES("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b"},
    {BYTES(REPEAT_131("\xaa")), BYTES("Test Using Larger Than Block-Size Key - Hash Key First"),
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {BYTES(REPEAT_131("\xaa")),
     BYTES("This is a test using a larger than block-size key and a larger than block-size data. "
           "The key needs to be hashed before being used by the HMAC algorithm."),
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

enum { CASES = sizeof cases / sizeof *cases };

static void to_hex(char *to, const uint8_t *mac)
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < SHA256_SIZE; i++) {
        *to++ = digits[mac[i] >> 4];
        *to++ = digits[mac[i] & 15];
    }
    *to = '\0';
}

static void the_cases_of_rfc_4231(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        struct hmac hmac;
        uint8_t mac[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];
        hmac_init(&hmac, cases[i].key.data, cases[i].key.size);
        hmac_update(&hmac, cases[i].data.data, cases[i].data.size);
        hmac_finish(&hmac, mac);
        to_hex(hex, mac);
        assert_memory_equal(hex, cases[i].mac, strlen(cases[i].mac));
    }
}

static void pieces_are_the_whole(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= cases[6].data.size; cut++) {
        struct hmac hmac;
        uint8_t mac[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];
        hmac_init(&hmac, cases[6].key.data, cases[6].key.size);
        hmac_update(&hmac, cases[6].data.data, cut);
        hmac_update(&hmac, cases[6].data.data + cut, cases[6].data.size - cut);
        hmac_finish(&hmac, mac);
        to_hex(hex, mac);
        assert_string_equal(hex, cases[6].mac);
    }
}

static void base64_of_rfc_4648(void **state)
{
    static const struct {
        const char *data, *text;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"},
                {"\xff\xfe\xfd", "//79"},
                {"\xfb\xef\xbe", "++++"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[16];
        size_t size = base64_format(text, rows[i].data, strlen(rows[i].data));
        assert_int_equal(size, BASE64_SIZE(strlen(rows[i].data)));
        assert_int_equal(size, strlen(rows[i].text));
        assert_memory_equal(text, rows[i].text, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cases_of_rfc_4231),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(base64_of_rfc_4648),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
