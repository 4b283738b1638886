/* Both sides are brought into one form, character by character, and compared whole. The form knows
 * the scripts in which case matters and the forms of double width that Chinese and Japanese
 * keyboards make of Latin letters; it is no Unicode folding, and need not be for words that an
 * operator writes down. */
#include "engine/stop_word.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/catalog.h"

enum { WORD_CHARACTERS_MAX = 32, WORD_BYTES_MAX = 4 * WORD_CHARACTERS_MAX };

struct folded {
    char bytes[WORD_BYTES_MAX];
    size_t size, characters;
};

struct range {
    uint32_t from, to;
};

static bool is_within(const struct range *ranges, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++) {
        if (code >= ranges[i].from && code <= ranges[i].to)
            return true;
    }
    return false;
}

/* Spaces, controls, joiners, punctuation, symbols. */
static bool is_nothing(uint32_t code)
{
    static const struct range ranges[] = {
        {0, '/'},         {':', '@'},         {'[', '`'},       {'{', 0xbf},      {0xd7, 0xd7},
        {0xf7, 0xf7},     {0x1680, 0x1680},   {0x2000, 0x206f}, {0x20a0, 0x20cf}, {0x2100, 0x2bff},
        {0x3000, 0x3004}, {0x3008, 0x3020},   {0x30fb, 0x30fb}, {0xfe00, 0xfe6f}, {0xfeff, 0xfeff},
        {0xffe0, 0xffff}, {0x1f000, 0x1faff},
    };

    return is_within(ranges, sizeof ranges / sizeof *ranges, code);
}

/* Where a capital stands right before its small letter. */
static bool is_capital_of_pair(uint32_t code)
{
    static const struct range even[] = {{0x100, 0x136},   {0x14a, 0x176},  {0x1a0, 0x1a4},
                                        {0x460, 0x481},   {0x48a, 0x4bf},  {0x4d0, 0x52f},
                                        {0x1e00, 0x1e94}, {0x1ea0, 0x1efe}};
    static const struct range odd[] = {
        {0x139, 0x147}, {0x179, 0x17d}, {0x1af, 0x1af}, {0x4c1, 0x4cd}};

    return code % 2 == 0 ? is_within(even, sizeof even / sizeof *even, code)
                         : is_within(odd, sizeof odd / sizeof *odd, code);
}

static uint32_t fold(uint32_t code)
{
    if (code >= 0xff01 && code <= 0xff5e) /* of double width */
        code -= 0xff01 - '!';
    if ((code >= 'A' && code <= 'Z') || (code >= 0xc0 && code <= 0xde && code != 0xd7) ||
        (code >= 0x391 && code <= 0x3a9) || (code >= 0x410 && code <= 0x42f))
        return code + 0x20;
    if (code >= 0x400 && code <= 0x40f)
        return code + 0x50;
    return is_capital_of_pair(code) ? code + 1 : code;
}

static uint32_t decode(const char *at, size_t length)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint8_t)at[0] & first_bits[length];

    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((uint8_t)at[i] & 0x3f);
    return code;
}

/* False: it is too long for a word, or not UTF-8. */
static bool fold_text(struct text text, struct folded *folded)
{
    const char *at = text.data, *end = text.data + text.size;
    size_t length;

    folded->size = folded->characters = 0;
    for (; at < end; at += length) {
        uint32_t code;
        length = utf8_length(at, end);
        if (length == 0)
            return false;
        code = fold(decode(at, length));
        if (is_nothing(code))
            continue;
        if (folded->characters++ == WORD_CHARACTERS_MAX)
            return false;
        folded->size += utf8_put(folded->bytes + folded->size, code);
    }
    return true;
}

static bool words_next(struct text words, size_t *at, struct text *word)
{
    const char *comma;

    if (*at > words.size)
        return false;
    *word = (struct text){words.data + *at, words.size - *at};
    comma = word->size == 0 ? NULL : memchr(word->data, ',', word->size);
    if (comma != NULL)
        word->size = (size_t)(comma - word->data);
    *at += word->size + 1;
    return true;
}

bool stop_words_are_valid(struct text words)
{
    struct folded folded;
    struct text word;
    size_t at = 0;

    while (words_next(words, &at, &word)) {
        if (!fold_text(word, &folded) || folded.size == 0)
            return false;
    }
    return true;
}

bool stop_words_have(struct text words, struct text content)
{
    struct folded said, folded;
    struct text word;
    size_t at = 0;

    if (content.size == 0 || !fold_text(content, &said) || said.size == 0)
        return false;
    while (words_next(words, &at, &word)) {
        if (fold_text(word, &folded) && folded.size == said.size &&
            memcmp(folded.bytes, said.bytes, said.size) == 0)
            return true;
    }
    return false;
}

enum received_action stop_word_action(struct txn *txn, struct text content)
{
    struct text stop = setting_text(txn, SETTING_STOP_WORDS);
    struct text start = setting_text(txn, SETTING_START_WORDS);

    if (stop_words_have(stop.data == NULL ? STOP_WORDS_DEFAULT : stop, content))
        return RECEIVED_STOP;
    if (stop_words_have(start.data == NULL ? START_WORDS_DEFAULT : start, content))
        return RECEIVED_START;
    return RECEIVED_PLAIN;
}
