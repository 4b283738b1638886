/* Which bytes of a text stand for themselves in JSON, eight at a time. For this room only. */
#ifndef SMSD_JSON_PLAIN_H
#define SMSD_JSON_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_PLAIN_ONES UINT64_C(0x0101010101010101)

/* The top bit of each byte that is a quote, a backslash or a control character. A subtraction
 * borrows from the byte above only where its own byte is one of these, so the lowest bit set is
 * always right, and only that one may be used. */
static inline uint64_t json_marks(uint64_t word)
{
    const uint64_t ones = JSON_PLAIN_ONES;
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                     ((word - ones * 0x20) & ~word);
    return found & ones * 0x80;
}

/* The same, and every byte that is not ASCII. */
static inline uint64_t json_marks_ascii(uint64_t word)
{
    return json_marks(word) | (word & JSON_PLAIN_ONES * 0x80);
}

/* The place of the lowest mark; there must be one. */
static inline size_t json_first_mark(uint64_t marks)
{
    return (size_t)__builtin_ctzll(marks) >> 3;
}

static inline uint64_t json_load(const char *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
    return word;
}

/* Fewer than eight bytes, filled up with what is plain; without a detour through memory. */
static inline uint64_t json_load_short(const char *from, size_t size)
{
    const uint64_t spaces = JSON_PLAIN_ONES * ' ';
    const unsigned char *at = (const unsigned char *)from;
    if (size == 0)
        return spaces;
    uint64_t word;
    if (size >= 4) { /* two words that overlap */
        uint32_t low, high;
        memcpy(&low, at, 4);
        memcpy(&high, at + size - 4, 4);
        word = low | (uint64_t)high << (8 * (size - 4));
    } else {
        word = at[0] | (uint64_t)at[size >> 1] << (8 * (size >> 1)) |
               (uint64_t)at[size - 1] << (8 * (size - 1));
    }
    return word | spaces << (8 * size);
}

#endif
