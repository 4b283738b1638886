/* Big-endian integers in keys, so that memcmp orders them; and sixteen bytes compared at once. */
#ifndef SMSD_BASE_BYTES_H
#define SMSD_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline void bytes_put_u32_be(void *to, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(to, &value, sizeof value);
}

static inline void bytes_put_u64_be(void *to, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(to, &value, sizeof value);
}

static inline uint64_t bytes_get_u64_be(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap64(value);
}

/* Bit i of the answer: byte i of the sixteen at `from` is `byte`. */
static inline uint32_t bytes_equal_16(const void *from, uint8_t byte)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)byte)));
#else
    const uint8_t *bytes = from;
    uint32_t equal = 0;
    for (uint32_t i = 0; i < 16; i++)
        equal |= (uint32_t)(bytes[i] == byte) << i;
    return equal;
#endif
}

#endif
