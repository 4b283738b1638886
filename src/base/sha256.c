/* SHA-256 after FIPS 180-4 §6.2, with two ways to take a block: the definition, and the
 * instructions that x86 processors have for it (SHA256RNDS2 does two rounds, SHA256MSG1 and MSG2
 * extend the schedule). Both are tested against the standard's vectors and against each other. */
#include "base/sha256.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t K[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return (x >> n) | (x << (32 - n));
}

static uint32_t load_be(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap32(value);
}

static void blocks_by_definition(uint32_t state[8], const uint8_t *data, size_t count)
{
    for (; count > 0; count--, data += 64) {
        uint32_t w[64], s[8];
        for (int t = 0; t < 16; t++)
            w[t] = load_be(data + (ptrdiff_t)4 * t);
        for (int t = 16; t < 64; t++) {
            uint32_t a = w[t - 15], b = w[t - 2];
            w[t] = (rotate(b, 17) ^ rotate(b, 19) ^ (b >> 10)) + w[t - 7] +
                   (rotate(a, 7) ^ rotate(a, 18) ^ (a >> 3)) + w[t - 16];
        }
        memcpy(s, state, sizeof s);
        for (int t = 0; t < 64; t++) {
            uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
                          ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[t] + w[t];
            uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++)
            state[i] += s[i];
    }
}

#if defined(__x86_64__)

/* The instructions keep the state as ABEF and CDGH, high words first. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
blocks_by_instructions(uint32_t state[8], const uint8_t *data, size_t count)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const void *)state), 0xB1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const void *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(low, high, 8);
    __m128i cdgh = _mm_blend_epi16(high, low, 0xF0);

    for (; count > 0; count--, data += 64) {
        __m128i abef_before = abef, cdgh_before = cdgh, w[4];
        for (int i = 0; i < 4; i++)
            w[i] =
                _mm_shuffle_epi8(_mm_loadu_si128((const void *)(data + (ptrdiff_t)16 * i)), swap);
        for (int i = 0; i < 16; i++) {
            __m128i wk =
                _mm_add_epi32(w[i & 3], _mm_load_si128((const void *)(K + (ptrdiff_t)4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0E));
            if (i < 12) { /* w[i & 3] becomes the four words that are used four steps later */
                __m128i next = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
                w[i & 3] = _mm_sha256msg2_epu32(next, w[(i + 3) & 3]);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    low = _mm_shuffle_epi32(abef, 0x1B);
    high = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((void *)state, _mm_blend_epi16(low, high, 0xF0));
    _mm_storeu_si128((void *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

static int has_instructions(void)
{
    static atomic_int known; /* 0: not asked yet, 1: no, 2: yes */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);

    if (answer == 0) {
        unsigned a = 0, b = 0, c = 0, d = 0;
        answer = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 29)) &&
                         __builtin_cpu_supports("sse4.1")
                     ? 2
                     : 1;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 2;
}

static void blocks(uint32_t state[8], const uint8_t *data, size_t count)
{
    if (has_instructions())
        blocks_by_instructions(state, data, count);
    else
        blocks_by_definition(state, data, count);
}

#else

static void blocks(uint32_t state[8], const uint8_t *data, size_t count)
{
    blocks_by_definition(state, data, count);
}

#endif

void sha256_compress(uint32_t state[8], const void *data, size_t count)
{
    blocks(state, data, count);
}

void sha256_init(struct sha256 *sha)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sha->state, start, sizeof start);
    sha->size = 0;
}

void sha256_update(struct sha256 *sha, const void *data, size_t size)
{
    const uint8_t *next = data;
    size_t filled = sha->size % 64;

    sha->size += size;
    if (filled > 0) {
        size_t part = size < 64 - filled ? size : 64 - filled;
        memcpy(sha->block + filled, next, part);
        if (filled + part < 64)
            return;
        blocks(sha->state, sha->block, 1);
        next += part;
        size -= part;
    }
    blocks(sha->state, next, size / 64);
    memcpy(sha->block, next + size / 64 * 64, size % 64);
}

void sha256_finish(struct sha256 *sha, uint8_t digest[SHA256_SIZE])
{
    uint64_t bits = __builtin_bswap64(sha->size * 8);
    size_t filled = sha->size % 64;

    sha->block[filled++] = 0x80;
    if (filled > 56) {
        memset(sha->block + filled, 0, 64 - filled);
        blocks(sha->state, sha->block, 1);
        filled = 0;
    }
    memset(sha->block + filled, 0, 56 - filled);
    memcpy(sha->block + 56, &bits, sizeof bits);
    blocks(sha->state, sha->block, 1);
    for (int i = 0; i < 8; i++) {
        uint32_t word = __builtin_bswap32(sha->state[i]);
        memcpy(digest + (ptrdiff_t)4 * i, &word, sizeof word);
    }
}

void sha256(const void *data, size_t size, uint8_t digest[SHA256_SIZE])
{
    struct sha256 sha;

    sha256_init(&sha);
    sha256_update(&sha, data, size);
    sha256_finish(&sha, digest);
}
