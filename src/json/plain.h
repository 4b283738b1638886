/* Which bytes of a text stand for themselves in JSON, sixteen or eight at a time. For this room
 * only. */
#ifndef SMSD_JSON_PLAIN_H
#define SMSD_JSON_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* The first byte from `at` on that may not just stand in a text: quote, backslash, control, not
 * ASCII. There must be one, and 15 bytes behind it that may be looked at. */
static inline char *json_skip_plain(char *at)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    for (;; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* What is not ASCII is negative here, and so less than a space, too. */
        __m128i found = _mm_or_si128(
            _mm_cmplt_epi8(bytes, space),
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        unsigned marks = (unsigned)_mm_movemask_epi8(found);
        if (marks != 0)
            return at + __builtin_ctz(marks);
    }
#else
    for (;; at += 8) {
        uint64_t word = json_load(at);
        uint64_t marks = json_marks(word) | (word & JSON_PLAIN_ONES * 0x80);
        if (marks != 0)
            return at + json_first_mark(marks);
    }
#endif
}

#endif
