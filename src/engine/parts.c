/* Counting goes over a text once, as GSM 7-bit until a character says that it is not. Up to there
 * no character took two UTF-16 units, so as many characters as there were is as many units, and the
 * rest is counted on. Only a text of several parts that has characters of two units is gone over
 * again, to see what stays unused at the ends of parts; of any other, dividing says it.
 *
 * One table says everything about a code: 0 not in the alphabet, 0x80 and the septet if it is in
 * the basic table, the septet alone if it is in the extension table. */
#include "engine/parts.h"

#include <assert.h>

#include "base/utf8.h"

enum { ESCAPE = 0x1b, BASIC_MARK = 0x80, CODE_MAX = 0x20ac, REPLACEMENT = 0xfffd };
enum { GSM7_ALONE = 160, GSM7_OF_SEVERAL = 153, UCS2_ALONE = 70, UCS2_OF_SEVERAL = 67 };

static const uint8_t septet_of[CODE_MAX + 1] = {
#define BASIC(code, septet)     [code] = BASIC_MARK | (septet),
#define EXTENSION(code, septet) [code] = (septet),
#include "engine/gsm7.def"
#undef BASIC
#undef EXTENSION
};

static const uint16_t basic_code[128] = {
#define BASIC(code, septet) [septet] = (code),
#define EXTENSION(code, septet)
#include "engine/gsm7.def"
#undef BASIC
#undef EXTENSION
};

static const uint16_t extension_code[128] = {
#define BASIC(code, septet)
#define EXTENSION(code, septet) [septet] = (code),
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

/* A character of two bytes or more. */
static uint32_t wide_code(const char **at, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)*at;
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

/* The character at `*at`, which moves behind it. */
static inline uint32_t next_code(const char **at, const char *end)
{
    unsigned char first = (unsigned char)**at;
    if (first >= 0x80)
        return wide_code(at, end);
    (*at)++;
    return first;
}

/* 0: it is not of the alphabet. */
static uint32_t gsm7_units(uint32_t code)
{
    uint8_t septet = code <= CODE_MAX ? septet_of[code] : 0;
    return septet == 0 ? 0 : 2 - septet / BASIC_MARK;
}

static uint32_t ucs2_units(uint32_t code)
{
    return code > 0xffff ? 2 : 1;
}

static uint32_t units_of(uint32_t code, enum parts_encoding encoding)
{
    return encoding == PARTS_GSM7 ? gsm7_units(code) : ucs2_units(code);
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

/* What a text has, in the encoding that it turned out to be in. */
struct tally {
    enum parts_encoding encoding;
    uint32_t characters;
    uint32_t units;
};

/* Up to the first character that is not of the alphabet; returns where that is. More than
 * `units_max` characters are too many in either encoding: no further. */
static const char *tally_gsm7(struct tally *tally, const char *at, const char *end,
                              uint32_t units_max)
{
    uint32_t characters = 0, sum = 0;
    while (at < end && characters <= units_max) {
        const char *next = at;
        uint32_t units = gsm7_units(next_code(&next, end));
        if (units == 0)
            break;
        sum += units;
        characters++;
        at = next;
    }
    *tally = (struct tally){PARTS_GSM7, characters, sum};
    return at;
}

/* From there on. */
static void tally_ucs2(struct tally *tally, const char *at, const char *end, uint32_t units_max)
{
    uint32_t characters = tally->characters, sum = characters;
    while (at < end && sum <= units_max) {
        sum += ucs2_units(next_code(&at, end));
        characters++;
    }
    *tally = (struct tally){PARTS_UCS2, characters, sum};
}

/* Of a text of several parts. */
static uint32_t count_filled(struct text text, const struct tally *tally, uint32_t part_length)
{
    if (tally->units == tally->characters)
        return (tally->units + part_length - 1) / part_length;
    struct filling filling = {.part_length = part_length};
    const char *at = text.data, *end = text.data + text.size;
    while (at < end)
        fill(&filling, units_of(next_code(&at, end), tally->encoding));
    return filling.count;
}

bool parts_count(struct text text, uint32_t part_length, uint32_t parts_max, struct parts *parts)
{
    assert(part_length == 0 ||
           (part_length >= PARTS_LENGTH_MIN && part_length <= PARTS_LENGTH_MAX));
    assert(parts_max >= 1 && parts_max <= PARTS_MAX);
    const char *end = text.data + text.size;
    struct tally tally;

    uint32_t units_max = parts_max * length_alone(PARTS_GSM7, part_length);
    const char *at = tally_gsm7(&tally, text.data, end, units_max);
    if (at < end && tally.characters <= units_max) {
        units_max = parts_max * length_alone(PARTS_UCS2, part_length);
        tally_ucs2(&tally, at, end, units_max);
    }
    if (tally.units > units_max)
        return false;

    uint32_t alone = length_alone(tally.encoding, part_length);
    uint32_t of_several = length_of_several(tally.encoding, part_length);
    bool is_alone = tally.units <= alone;
    parts->encoding = tally.encoding;
    parts->units = tally.units;
    parts->part_length = is_alone ? alone : of_several;
    parts->count = is_alone ? 1 : count_filled(text, &tally, of_several);
    return parts->count <= parts_max;
}

void parts_split(struct text text, const struct parts *parts, struct text *pieces)
{
    const char *at = text.data, *end = text.data + text.size;
    struct filling filling = {.part_length = parts->part_length};
    pieces[0] = (struct text){at, 0};
    while (at < end) {
        const char *character = at;
        uint32_t units = units_of(next_code(&at, end), parts->encoding);
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
