/* Fuzzes engine/parts (SMS-7): any text is counted, cut, put on the wire and read back; its parts
 * are the text, none is longer than it may be, and one fewer would not do. Any bytes of a provider
 * are read as UTF-8 without fault. The first byte chooses the provider's part length. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/parts.h"

enum { TEXT_MAX = 1 << 16 };

static uint8_t wire[2 * TEXT_MAX];
static char back[6 * TEXT_MAX];

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool is_utf8(const char *text, size_t size)
{
    const char *end = text + size;
    for (size_t length; text < end; text += length) {
        length = utf8_length(text, end);
        if (length == 0)
            return false;
    }
    return true;
}

static size_t units_of(struct text piece, enum parts_encoding encoding)
{
    return encoding == PARTS_GSM7 ? parts_put_gsm7(piece, wire) : parts_put_utf16(piece, wire) / 2;
}

static void check_piece(struct text piece, const struct parts *parts)
{
    size_t units = units_of(piece, parts->encoding), size;
    require(units <= parts->part_length);
    if (parts->encoding == PARTS_GSM7)
        size = parts_read_gsm7(wire, units, back);
    else
        size = parts_read_utf16(wire, 2 * units, back);
    require(size == piece.size && (size == 0 || memcmp(back, piece.data, size) == 0));
}

/* Every part but the last has no room for the character that begins the next. */
static void check_text(struct text text, uint32_t part_length)
{
    struct text pieces[PARTS_MAX];
    struct parts parts;
    if (!parts_count(text, part_length, PARTS_MAX, &parts))
        return;
    parts_split(text, &parts, pieces);
    size_t units = 0;
    const char *at = text.data;
    for (uint32_t i = 0; i < parts.count; i++) {
        require(pieces[i].data == at);
        check_piece(pieces[i], &parts);
        units += units_of(pieces[i], parts.encoding);
        at += pieces[i].size;
        if (i + 1 < parts.count) {
            struct text next = pieces[i + 1];
            next.size = utf8_length(next.data, text.data + text.size);
            require(units_of(pieces[i], parts.encoding) + units_of(next, parts.encoding) >
                    parts.part_length);
        }
    }
    require(at == text.data + text.size && units == parts.units);
    require(parts.count == 1 || !parts_count(text, part_length, parts.count - 1, &parts));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > TEXT_MAX)
        return 0;
    uint32_t part_length = data[0] < PARTS_LENGTH_MIN ? 0 : data[0];
    struct text text = {(const char *)data + 1, size - 1};
    require(is_utf8(back, parts_read_gsm7(data, size, back)));
    require(is_utf8(back, parts_read_utf16(data, size, back)));
    if (is_utf8(text.data, text.size))
        check_text(text, part_length);
    return 0;
}
