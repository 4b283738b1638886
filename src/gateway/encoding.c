/* The encodings of encoding.h. Input comes from outside in all of them, so none trusts it to be
 * UTF-8 or well-formed: what is not is replaced, never passed on. */
#include "gateway/encoding.h"

#include <stdint.h>

#include "base/utf8.h"

static const char upper_digits[] = "0123456789ABCDEF";
static const char lower_digits[] = "0123456789abcdef";
static const uint32_t REPLACEMENT = 0xfffd;

static bool is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void encode_url(struct buffer *to, struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char escaped[3] = {'%', upper_digits[c >> 4], upper_digits[c & 15]};
        buffer_append(to, is_unreserved(c) ? &text.data[i] : escaped, is_unreserved(c) ? 1 : 3);
    }
}

/* The next character and how many bytes it has; what is not UTF-8 counts as one byte of U+FFFD. */
static uint32_t next_character(const char *at, const char *end, size_t *size)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t length = utf8_length(at, end);
    uint32_t code;

    *size = length == 0 ? 1 : length;
    if (length == 0)
        return REPLACEMENT;
    code = (unsigned char)*at & masks[length];
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)at[i] & 0x3f);
    return code;
}

static void append_character(struct buffer *to, uint32_t code)
{
    char bytes[4];

    buffer_append(to, bytes, utf8_put(bytes, code));
}

void encode_json(struct buffer *to, struct text text)
{
    const char *at = text.data, *end = text.data + text.size;

    while (at < end) {
        size_t size;
        uint32_t code = next_character(at, end, &size);
        if (code == '"' || code == '\\')
            buffer_append_literal(to, "\\");
        if (code < 0x20)
            buffer_append_format(to, "\\u%04x", code);
        else
            append_character(to, code);
        at += size;
    }
}

void encode_xml(struct buffer *to, struct text text)
{
    const char *at = text.data, *end = text.data + text.size;

    while (at < end) {
        size_t size;
        uint32_t code = next_character(at, end, &size);
        at += size;
        if (code == '<' || code == '>' || code == '&' || code == '"' || code == '\'')
            buffer_append_format(to, "&#%u;", code);
        else if (code < 0x20 && code != '\n' && code != '\r' && code != '\t')
            append_character(to, REPLACEMENT);
        else
            append_character(to, code);
    }
}

void encode_hex(struct buffer *to, struct text text, bool is_upper)
{
    const char *digits = is_upper ? upper_digits : lower_digits;

    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char pair[2] = {digits[c >> 4], digits[c & 15]};
        buffer_append(to, pair, 2);
    }
}

void encode_base64(struct buffer *to, struct text text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < text.size; i += 3) {
        size_t left = text.size - i;
        uint32_t three = (uint32_t)(unsigned char)text.data[i] << 16;
        if (left > 1)
            three |= (uint32_t)(unsigned char)text.data[i + 1] << 8;
        if (left > 2)
            three |= (uint32_t)(unsigned char)text.data[i + 2];
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                        left > 1 ? digits[three >> 6 & 63] : '=',
                        left > 2 ? digits[three & 63] : '='};
        buffer_append(to, four, 4);
    }
}

static void append_unit(struct buffer *to, uint32_t unit)
{
    char bytes[2] = {(char)(unit >> 8), (char)(unit & 255)};

    encode_hex(to, (struct text){bytes, 2}, true);
}

void encode_ucs2_hex(struct buffer *to, struct text text)
{
    const char *at = text.data, *end = text.data + text.size;

    while (at < end) {
        size_t size;
        uint32_t code = next_character(at, end, &size);
        if (code >= 0x10000) {
            append_unit(to, 0xd800 + ((code - 0x10000) >> 10));
            append_unit(to, 0xdc00 + ((code - 0x10000) & 0x3ff));
        } else {
            append_unit(to, code);
        }
        at += size;
    }
}

void encode_latin1(struct buffer *to, struct text text)
{
    const char *at = text.data, *end = text.data + text.size;

    while (at < end) {
        size_t size;
        uint32_t code = next_character(at, end, &size);
        char byte = code < 256 ? (char)code : '?';
        buffer_append(to, &byte, 1);
        at += size;
    }
}

void encode_header(struct buffer *to, struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        buffer_append(to, c < 0x20 || c == 0x7f ? " " : &text.data[i], 1);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void decode_url(struct buffer *to, struct text text, bool is_form)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%' && text.size - i > 2 && hex_value(text.data[i + 1]) >= 0 &&
            hex_value(text.data[i + 2]) >= 0) {
            c = (char)(hex_value(text.data[i + 1]) << 4 | hex_value(text.data[i + 2]));
            i += 2;
        } else if (c == '+' && is_form) {
            c = ' ';
        }
        buffer_append(to, &c, 1);
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool decode_base64(struct buffer *to, struct text text)
{
    uint32_t bits = 0;
    int count = 0;

    while (text.size > 0 && text.data[text.size - 1] == '=')
        text.size--;
    for (size_t i = 0; i < text.size; i++) {
        int value = base64_value(text.data[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            char byte = (char)(bits >> (count - 8) & 255);
            count -= 8;
            buffer_append(to, &byte, 1);
        }
    }
    return text.size % 4 != 1;
}

bool encoding_is_same(struct text a, struct text b)
{
    unsigned char difference = 0;

    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        difference |= (unsigned char)(a.data[i] ^ b.data[i]);
    return difference == 0;
}
