/* Texts with more in them than plain ASCII: UTF-8 is checked, escapes are decoded in place. An
 * escape is never shorter than what it stands for, so writing never overtakes reading. What is
 * hard: the offset of an error counts what was written by the client, which decoding does not
 * move. */
#include "base/utf8.h"
#include "json/reading.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX; -1 if they are not. */
static int32_t read_unit(const char *at)
{
    if (at[0] != '\\' || at[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int value = hex_value(at[i]);
        if (value < 0)
            return -1;
        unit = unit << 4 | value;
    }
    return unit;
}

/* \uXXXX or a pair of them, as a code point. */
static char *read_unicode_escape(struct json_reading *r, char *at, uint32_t *code)
{
    int32_t unit = read_unit(at);
    if (unit < 0)
        return json_refuse(r, at, "invalid escape");
    if (unit == 0)
        return json_refuse(r, at, "\\u0000");
    *code = (uint32_t)unit;
    if (unit < 0xd800 || unit > 0xdfff)
        return at + 6;
    int32_t low = unit < 0xdc00 ? read_unit(at + 6) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return json_refuse(r, at, "lone surrogate");
    *code = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    return at + 12;
}

/* At a backslash: the character it means goes to `*to`. */
static char *read_escape(struct json_reading *r, char *at, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t code;
    if (at[1] == 'u') {
        at = read_unicode_escape(r, at, &code);
        if (at != NULL)
            *to += utf8_put(*to, code);
        return at;
    }
    const char *found = at[1] == 0 ? NULL : strchr(letters, at[1]);
    if (found == NULL)
        return json_refuse(r, at, "invalid escape");
    *(*to)++ = meanings[found - letters];
    return at + 2;
}

/* The characters that are not ASCII, as far as they stand together. */
static char *read_beyond_ascii(struct json_reading *r, char *at, char **to)
{
    char *begin = at;
    while ((unsigned char)*at >= 0x80) {
        size_t length = utf8_length(at, r->end);
        if (length == 0)
            return json_refuse(r, at, "invalid UTF-8");
        at += length;
    }
    if (*to != begin)
        memmove(*to, begin, (size_t)(at - begin));
    *to += at - begin;
    return at;
}

static char *read_plain(char *at, char **to)
{
    char *end = json_skip_plain(at);
    if (*to != at)
        memmove(*to, at, (size_t)(end - at));
    *to += end - at;
    return end;
}

char *json_read_text_rest(struct json_reading *r, char *begin, char *at, uint32_t *size)
{
    char *to = at;
    while (at != NULL) {
        if (*at == '"') {
            *to = 0;
            *size = (uint32_t)(to - begin);
            return at + 1;
        }
        if (*at == '\\')
            at = read_escape(r, at, &to);
        else if ((unsigned char)*at >= 0x80)
            at = read_beyond_ascii(r, at, &to);
        else if ((unsigned char)*at >= 0x20)
            at = read_plain(at, &to);
        else if (at == r->end)
            return json_refuse_here(r, at);
        else
            return json_refuse(r, at, "control character");
    }
    return NULL;
}
