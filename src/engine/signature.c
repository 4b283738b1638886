/* Where a signature stands, and in which brackets: signature.h has the rules and why. Which
 * characters are Chinese or Japanese is asked of blocks, not of each character: that is all that
 * the form depends on. */
#include "engine/signature.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

static const struct text opening = {"\xe3\x80\x90", 3}; /* U+3010 */
static const struct text closing = {"\xe3\x80\x91", 3}; /* U+3011 */
static const struct text nothing = {"", 0};

/* First and last code of blocks whose characters are written in brackets. */
static const struct {
    uint32_t first;
    uint32_t last;
} bracketed[] = {
    {0x3005, 0x3007},   /* iteration mark, closing mark, zero */
    {0x3040, 0x30ff},   /* hiragana, katakana */
    {0x3100, 0x312f},   /* bopomofo */
    {0x3400, 0x4dbf},   /* Chinese characters, extension A */
    {0x4e00, 0x9fff},   /* Chinese characters */
    {0xf900, 0xfaff},   /* compatibility forms */
    {0x20000, 0x3ffff}, /* further extensions */
};

/* Of the whole character at `at`. */
static uint32_t code_at(const char *at, size_t length)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)at[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)at[i] & 0x3fU);
    return code;
}

static bool is_allowed(uint32_t code)
{
    bool is_control = code < 0x20 || (code >= 0x7f && code <= 0x9f);
    bool is_line_end = code == 0x2028 || code == 0x2029;
    bool is_bracket = code == 0x3010 || code == 0x3011;
    return !is_control && !is_line_end && !is_bracket;
}

static bool is_space(uint32_t code)
{
    return code == ' ' || code == 0xa0 || code == 0x3000;
}

bool signature_check(struct text signature)
{
    const char *end = signature.data + signature.size;
    size_t characters = 0, length;
    for (const char *at = signature.data; at < end; at += length) {
        length = utf8_length(at, end);
        if (length == 0 || ++characters > SIGNATURE_CHARACTERS_MAX)
            return false;
        uint32_t code = code_at(at, length);
        bool is_at_end = at == signature.data || at + length == end;
        if (!is_allowed(code) || (is_at_end && is_space(code)))
            return false;
    }
    return true;
}

enum signature_choice signature_choose(struct text own, struct text company,
                                       bool is_required_by_country, bool is_supported_by_channel,
                                       struct text *signature)
{
    struct text chosen = own.data != NULL ? own : company;
    if (chosen.size == 0 && is_required_by_country)
        return SIGNATURE_REQUIRED;
    *signature = chosen.size != 0 && is_supported_by_channel ? chosen : nothing;
    return SIGNATURE_CHOSEN;
}

static bool has_bracketed(struct text signature)
{
    const char *end = signature.data + signature.size;
    size_t length;
    for (const char *at = signature.data; at < end; at += length) {
        length = utf8_length(at, end);
        assert(length != 0);
        uint32_t code = code_at(at, length);
        for (size_t i = 0; i < sizeof bracketed / sizeof *bracketed; i++) {
            if (code >= bracketed[i].first && code <= bracketed[i].last)
                return true;
        }
    }
    return false;
}

static size_t append(char *to, size_t size, struct text text)
{
    if (text.size != 0)
        memcpy(to + size, text.data, text.size);
    return size + text.size;
}

/* Into `to`, which has SIGNATURE_ADDED_MAX bytes. */
static struct text write_form(struct text signature, struct text country, char *to)
{
    size_t size = 0;
    if (text_equals(country, TEXT("CN")) || has_bracketed(signature)) {
        size = append(to, size, opening);
        size = append(to, size, signature);
        size = append(to, size, closing);
    } else {
        size = append(to, size, signature);
        size = append(to, size, TEXT(": "));
    }
    return (struct text){to, size};
}

static bool begins_with(struct text text, struct text beginning)
{
    return text.size >= beginning.size && memcmp(text.data, beginning.data, beginning.size) == 0;
}

bool signature_write(struct text signature, struct text content, struct text country, char *to,
                     size_t to_size, size_t *size)
{
    char form[SIGNATURE_ADDED_MAX];
    struct text before = nothing;
    assert(signature.size <= SIGNATURE_BYTES_MAX);
    if (signature.size != 0)
        before = write_form(signature, country, form);
    if (content.size != 0 && begins_with(content, before))
        before = nothing;
    if (to_size < before.size || to_size - before.size < content.size)
        return false;
    *size = append(to, append(to, 0, before), content);
    return true;
}
