/* CRC-32C. The instruction takes one word a cycle but answers after three, so long runs are cut
 * into three streams that are computed side by side and joined.
 *
 * Joining: seen as polynomials over GF(2) modulo P, crc(A then B) = crc(A) * x^(8 * |B|) + crc(B),
 * with B begun at zero. Bits lie reflected (bit 31 is x^0), so the carry-less product of two 32-bit
 * values, read as a 64-bit word, is their product times x; the crc32 instruction on that word from
 * zero multiplies by x^32 and reduces. Together x^33: the factor for n bytes is therefore x^(8n -
 * 33) mod P, a constant for each block size. Two products may be added before the one reduction.
 * Tables of shifts would need 16 look-ups for the same.
 *
 * Without the instruction: slicing by 8 (Kounavis and Berry, 2005), its tables made at first use.
 */
#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][byte] = crc;
    }
    for (int i = 1; i < 8; i++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t before = tables[i - 1][byte];
            tables[i][byte] = before >> 8 ^ tables[0][before & 255];
        }
    }
}

uint32_t crc32c_by_tables(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *at = data;
    pthread_once(&tables_once, make_tables);
    crc = ~crc;
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= crc;
        crc = 0;
        for (int i = 0; i < 8; i++)
            crc ^= tables[7 - i][word >> (8 * i) & 255];
    }
    for (; size > 0; size--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 255];
    return ~crc;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define WITH_INSTRUCTIONS __attribute__((target("sse4.2,pclmul")))

/* Bytes a stream, and x^(8n - 33) mod P for that and for twice that. */
struct block {
    size_t bytes;
    uint32_t shift_by_one;
    uint32_t shift_by_two;
};
static const struct block long_block = {1024, 0x170076fa, 0xa51b6135};
static const struct block short_block = {128, 0x0d3b6092, 0xb9e02b86};

WITH_INSTRUCTIONS static inline uint64_t multiply(uint64_t a, uint64_t b)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)a), _mm_cvtsi64_si128((int64_t)b), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

WITH_INSTRUCTIONS static inline uint64_t add_word(uint64_t crc, const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
    return _mm_crc32_u64(crc, word);
}

/* Takes as many threes of blocks as there are; moves `at` and `size`. */
WITH_INSTRUCTIONS static inline uint64_t add_blocks(uint64_t crc, const struct block *block,
                                                    const unsigned char **at, size_t *size)
{
    const unsigned char *from = *at;
    for (; *size >= 3 * block->bytes; *size -= 3 * block->bytes) {
        uint64_t second = 0, third = 0;
        for (size_t i = 0; i < block->bytes; i += 8) {
            crc = add_word(crc, from + i);
            second = add_word(second, from + block->bytes + i);
            third = add_word(third, from + 2 * block->bytes + i);
        }
        uint64_t shifted =
            multiply(crc, block->shift_by_two) ^ multiply(second, block->shift_by_one);
        crc = _mm_crc32_u64(0, shifted) ^ third;
        from += 3 * block->bytes;
    }
    *at = from;
    return crc;
}

WITH_INSTRUCTIONS static uint32_t by_instruction(uint32_t start, const void *data, size_t size)
{
    const unsigned char *at = data;
    uint64_t crc = (uint32_t)~start;
    if (size >= 3 * short_block.bytes) {
        crc = add_blocks(crc, &long_block, &at, &size);
        crc = add_blocks(crc, &short_block, &at, &size);
    }
    for (; size >= 8; at += 8, size -= 8)
        crc = add_word(crc, at);
    for (; size > 0; size--)
        crc = _mm_crc32_u8((uint32_t)crc, *at++);
    return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        return by_instruction(crc, data, size);
    return crc32c_by_tables(crc, data, size);
}

#else

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return crc32c_by_tables(crc, data, size);
}

#endif
