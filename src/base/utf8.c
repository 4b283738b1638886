/* UTF-8, one character at a time. What is hard: the second byte's range depends on the first
 * (Unicode 15, table 3-7), and that is all that keeps overlong forms and surrogates out. */
#include "base/utf8.h"

#include <assert.h>
#include <stdbool.h>

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

static bool is_second(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_continuation(second);
    }
}

size_t utf8_length(const char *text, const char *end)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned char first = at[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if ((size_t)(end - text) < length || !is_second(first, at[1]))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (!is_continuation(at[i]))
            return 0;
    }
    return length;
}

struct text utf8_cut(struct text text, size_t size_max)
{
    size_t size = 0;

    while (size < text.size) {
        size_t length = utf8_length(text.data + size, text.data + text.size);
        if (length == 0 || size + length > size_max)
            break;
        size += length;
    }
    return (struct text){text.data, size};
}

size_t utf8_put(char *to, uint32_t code)
{
    assert(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(marks[length] | code);
    return length;
}
