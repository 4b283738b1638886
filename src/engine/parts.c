/* Counting goes over a text once, as GSM 7-bit until a character says that it is not. Up to there
 * no character took two UTF-16 units, so what has been counted turns into UCS-2 by dividing, and
 * the rest is counted on. Cutting knows the encoding and goes over the text once more.
 *
 * One table says everything about a code: 0 not in the alphabet, 0x80 and the septet if it is in
 * the basic table, the septet alone if it is in the extension table. */
#include "engine/parts.h"

#include <assert.h>

#include "base/utf8.h"

enum { ESCAPE = 0x1b, BASIC_MARK = 0x80, CODE_MAX = 0x20ac, REPLACEMENT = 0xfffd };
enum { GSM7_ALONE = 160, GSM7_OF_SEVERAL = 153, UCS2_ALONE = 70, UCS2_OF_SEVERAL = 67 };

static const uint8_t septet_of[CODE_MAX + 1] = {
#define BASIC(septet, code)     [code] = BASIC_MARK | (septet),
#define EXTENSION(septet, code) [code] = (septet),
#include "engine/gsm7.def"
#undef BASIC
#undef EXTENSION
};

static const uint16_t basic_code[128] = {
#define BASIC(septet, code) [septet] = (code),
#define EXTENSION(septet, code)
#include "engine/gsm7.def"
#undef BASIC
#undef EXTENSION
};

static const uint16_t extension_code[128] = {
#define BASIC(septet, code)
#define EXTENSION(septet, code) [septet] = (code),
#include "engine/gsm7.def"
#undef BASIC
#undef EXTENSION
};

/* How full the parts are when characters are put into them one by one. */
struct filling {
    uint32_t part_length;
    uint32_t part_units; /* in the last one */
    uint32_t count;      /* of parts begun */
    uint32_t units;      /* in all; parts_count's bounds keep it small */
};

/* A character of 1 or 2 units. True: it begins a part. */
static bool fill(struct filling *filling, uint32_t units)
{
    filling->units += units;
    filling->part_units += units;
    if (filling->count != 0 && filling->part_units <= filling->part_length)
        return false;
    filling->part_units = units;
    filling->count++;
    return true;
}

/* The character at `*at`, which moves behind it. */
static uint32_t next_code(const char **at, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    if (bytes[0] < 0x80)
        return (unsigned char)*(*at)++;
    size_t length = utf8_length(*at, end);
    assert(length != 0);
    *at += length;
    switch (length) {
    case 2:
        return (bytes[0] & 0x1fU) << 6 | (bytes[1] & 0x3fU);
    case 3:
        return (bytes[0] & 0x0fU) << 12 | (bytes[1] & 0x3fU) << 6 | (bytes[2] & 0x3fU);
    default:
        return (bytes[0] & 0x07U) << 18 | (bytes[1] & 0x3fU) << 12 | (bytes[2] & 0x3fU) << 6 |
               (bytes[3] & 0x3fU);
    }
}

/* 0: it is not of the alphabet. */
static uint32_t gsm7_units(uint32_t code)
{
    uint8_t septet = code <= CODE_MAX ? septet_of[code] : 0;
    if (septet == 0)
        return 0;
    return (septet & BASIC_MARK) != 0 ? 1 : 2;
}

static uint32_t ucs2_units(uint32_t code)
{
    return code > 0xffff ? 2 : 1;
}

static uint32_t length_of_several(enum parts_encoding encoding, uint32_t part_length)
{
    if (part_length != 0)
        return part_length;
    return encoding == PARTS_GSM7 ? GSM7_OF_SEVERAL : UCS2_OF_SEVERAL;
}

static uint32_t length_alone(enum parts_encoding encoding, uint32_t part_length)
{
    if (part_length != 0)
        return part_length;
    return encoding == PARTS_GSM7 ? GSM7_ALONE : UCS2_ALONE;
}

/* Fills parts with the characters from `*at` on, up to the first that is not of the alphabet, or
 * until there are more than `characters_max`. */
static uint32_t fill_gsm7(struct filling *filling, const char **at, const char *end,
                          uint32_t characters_max)
{
    uint32_t characters = 0;
    while (*at < end && characters <= characters_max) {
        const char *next = *at;
        uint32_t units = gsm7_units(next_code(&next, end));
        if (units == 0)
            break;
        fill(filling, units);
        characters++;
        *at = next;
    }
    return characters;
}

/* Goes on in UCS-2 behind `characters` of one unit each, until it is clear that there are more than
 * `parts_max` parts: with one more even an only part, which is longer, is exceeded. */
static void fill_ucs2(struct filling *filling, uint32_t characters, const char *at, const char *end,
                      uint32_t parts_max)
{
    uint32_t length = filling->part_length;
    filling->units = characters;
    filling->count = (characters + length - 1) / length;
    filling->part_units = characters - (filling->count == 0 ? 0 : filling->count - 1) * length;
    while (at < end && filling->count <= parts_max + 1)
        fill(filling, ucs2_units(next_code(&at, end)));
}

bool parts_count(struct text text, uint32_t part_length, uint32_t parts_max, struct parts *parts)
{
    assert(part_length == 0 ||
           (part_length >= PARTS_LENGTH_MIN && part_length <= PARTS_LENGTH_MAX));
    assert(parts_max >= 1 && parts_max <= PARTS_MAX);
    const char *at = text.data, *end = text.data + text.size;
    struct filling filling = {.part_length = length_of_several(PARTS_GSM7, part_length)};
    uint32_t characters_max = parts_max * length_alone(PARTS_GSM7, part_length);
    enum parts_encoding encoding = PARTS_GSM7;

    uint32_t characters = fill_gsm7(&filling, &at, end, characters_max);
    if (characters > characters_max)
        return false;
    if (at < end) {
        encoding = PARTS_UCS2;
        filling.part_length = length_of_several(PARTS_UCS2, part_length);
        fill_ucs2(&filling, characters, at, end, parts_max);
    }
    uint32_t alone = length_alone(encoding, part_length);
    bool is_alone = filling.units <= alone;
    *parts = (struct parts){
        .encoding = encoding,
        .units = filling.units,
        .part_length = is_alone ? alone : filling.part_length,
        .count = is_alone ? 1 : filling.count,
    };
    return parts->count <= parts_max;
}

void parts_split(struct text text, const struct parts *parts, struct text *pieces)
{
    const char *at = text.data, *end = text.data + text.size;
    struct filling filling = {.part_length = parts->part_length};
    pieces[0] = (struct text){at, 0};
    while (at < end) {
        const char *character = at;
        uint32_t code = next_code(&at, end);
        uint32_t units = parts->encoding == PARTS_GSM7 ? gsm7_units(code) : ucs2_units(code);
        assert(units != 0);
        if (fill(&filling, units)) {
            assert(filling.count <= parts->count);
            pieces[filling.count - 1] = (struct text){character, 0};
        }
        pieces[filling.count - 1].size += (size_t)(at - character);
    }
    assert(filling.units == parts->units && (filling.count == parts->count || text.size == 0));
}

const char *parts_encoding_text(enum parts_encoding encoding)
{
    assert(encoding == PARTS_GSM7 || encoding == PARTS_UCS2);
    return encoding == PARTS_GSM7 ? "gsm7" : "ucs2";
}

size_t parts_put_gsm7(struct text text, uint8_t *to)
{
    const char *at = text.data, *end = text.data + text.size;
    size_t size = 0;
    while (at < end) {
        uint32_t code = next_code(&at, end);
        uint32_t units = gsm7_units(code);
        assert(units != 0);
        if (units == 2)
            to[size++] = ESCAPE;
        to[size++] = (uint8_t)(septet_of[code] & ~BASIC_MARK);
    }
    return size;
}

static size_t put_unit(uint8_t *to, uint32_t unit)
{
    to[0] = (uint8_t)(unit >> 8);
    to[1] = (uint8_t)unit;
    return 2;
}

size_t parts_put_utf16(struct text text, uint8_t *to)
{
    const char *at = text.data, *end = text.data + text.size;
    size_t size = 0;
    while (at < end) {
        uint32_t code = next_code(&at, end);
        if (ucs2_units(code) == 1) {
            size += put_unit(to + size, code);
        } else {
            size += put_unit(to + size, 0xd800 + ((code - 0x10000) >> 10));
            size += put_unit(to + size, 0xdc00 + (code & 0x3ff));
        }
    }
    return size;
}

size_t parts_pack(const uint8_t *septets, size_t count, uint8_t *to)
{
    uint32_t bits = 0;
    unsigned bits_count = 0;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        assert(septets[i] < 0x80);
        bits |= (uint32_t)septets[i] << bits_count;
        bits_count += 7;
        if (bits_count >= 8) {
            to[size++] = (uint8_t)bits;
            bits >>= 8;
            bits_count -= 8;
        }
    }
    if (bits_count != 0)
        to[size++] = (uint8_t)bits;
    return size;
}

/* `escaped`: it stands behind an escape. */
static uint32_t code_of(uint8_t septet, bool is_escaped)
{
    if (septet >= 0x80)
        return REPLACEMENT;
    if (is_escaped && extension_code[septet] != 0)
        return extension_code[septet];
    return septet == ESCAPE ? ' ' : basic_code[septet];
}

size_t parts_read_gsm7(const uint8_t *septets, size_t size, char *to)
{
    char *next = to;
    for (size_t i = 0; i < size; i++) {
        bool is_escaped = septets[i] == ESCAPE && i + 1 < size;
        i += is_escaped;
        next += utf8_put(next, code_of(septets[i], is_escaped));
    }
    return (size_t)(next - to);
}

static bool is_between(uint32_t unit, uint32_t first, uint32_t last)
{
    return unit >= first && unit <= last;
}

size_t parts_read_utf16(const uint8_t *bytes, size_t size, char *to)
{
    char *next = to;
    for (size_t i = 0; i < size; i += 2) {
        uint32_t code = size - i < 2 ? REPLACEMENT : (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
        if (is_between(code, 0xd800, 0xdbff) && size - i >= 4 &&
            is_between((uint32_t)(bytes[i + 2] << 8 | bytes[i + 3]), 0xdc00, 0xdfff)) {
            code = 0x10000 + ((code & 0x3ff) << 10) +
                   ((uint32_t)(bytes[i + 2] << 8 | bytes[i + 3]) & 0x3ff);
            i += 2;
        } else if (is_between(code, 0xd800, 0xdfff)) {
            code = REPLACEMENT;
        }
        next += utf8_put(next, code);
    }
    return (size_t)(next - to);
}
