/* base/hash: the authors' test vectors (key 00..0f, message 00..n-1), and the incremental form
 * against the one-shot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"

static const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static const unsigned char vectors64[][8] = {
    {0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72},
    {0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74},
    {0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d},
    {0x2d, 0x7e, 0xfb, 0xd7, 0x96, 0x66, 0x67, 0x85},
    {0xb7, 0x87, 0x71, 0x27, 0xe0, 0x94, 0x27, 0xcf},
    {0x8d, 0xa6, 0x99, 0xcd, 0x64, 0x55, 0x76, 0x18},
    {0xce, 0xe3, 0xfe, 0x58, 0x6e, 0x46, 0xc9, 0xcb},
    {0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab},
    {0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93},
    {0xb0, 0xe4, 0xa9, 0x0b, 0xdf, 0x82, 0x00, 0x9e},
    {0xf3, 0xb9, 0xdd, 0x94, 0xc5, 0xbb, 0x5d, 0x7a},
    {0xa7, 0xad, 0x6b, 0x22, 0x46, 0x2f, 0xb3, 0xf4},
    {0xfb, 0xe5, 0x0e, 0x86, 0xbc, 0x8f, 0x1e, 0x75},
};

static const unsigned char vectors128[][16] = {
    {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
     0x93},
    {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
     0x45},
    {0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7, 0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a, 0xff,
     0xe4},
    {0x9c, 0x70, 0xb6, 0x0c, 0x52, 0x67, 0xa9, 0x4e, 0x5f, 0x33, 0xb6, 0xb0, 0x29, 0x85, 0xed,
     0x51},
    {0xf8, 0x81, 0x64, 0xc1, 0x2d, 0x9c, 0x8f, 0xaf, 0x7d, 0x0f, 0x6e, 0x7c, 0x7b, 0xcd, 0x55,
     0x79},
    {0x13, 0x68, 0x87, 0x59, 0x80, 0x77, 0x6f, 0x88, 0x54, 0x52, 0x7a, 0x07, 0x69, 0x0e, 0x96,
     0x27},
};

static unsigned char message[1024];

static int fill_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (unsigned char)i;
    return 0;
}

static void the_vectors_of_64_bits_hold(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof vectors64 / sizeof *vectors64; size++) {
        uint64_t result = hash64(&key, message, size);
        assert_memory_equal(&result, vectors64[size], 8);
    }
    /* Appendix A of the paper. */
    assert_true(hash64(&key, message, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void the_vectors_of_128_bits_hold(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof vectors128 / sizeof *vectors128; size++) {
        struct hash128 result = hash128(&key, message, size);
        assert_memory_equal(&result.low, vectors128[size], 8);
        assert_memory_equal(&result.high, vectors128[size] + 8, 8);
    }
}

static void any_split_gives_what_one_shot_gives(void **state)
{
    (void)state;
    uint32_t random = 7;
    for (size_t size = 0; size <= 300; size++) {
        for (int round = 0; round < 20; round++) {
            struct hash short_one, long_one;
            hash_init(&short_one, &key, false);
            hash_init(&long_one, &key, true);
            for (size_t at = 0; at < size;) {
                random = random * 1664525 + 1013904223;
                size_t piece = (random >> 16) % (round < 10 ? 12 : 100);
                if (piece > size - at)
                    piece = size - at;
                hash_update(&short_one, message + at, piece);
                hash_update(&long_one, message + at, piece);
                at += piece;
            }
            assert_true(hash_finish64(&short_one) == hash64(&key, message, size));
            struct hash128 split = hash_finish128(&long_one);
            struct hash128 whole = hash128(&key, message, size);
            assert_true(split.low == whole.low && split.high == whole.high);
        }
    }
}

static void another_key_gives_another_hash(void **state)
{
    (void)state;
    for (int bit = 0; bit < 128; bit++) {
        struct hash_key other = key;
        if (bit < 64)
            other.k0 ^= UINT64_C(1) << bit;
        else
            other.k1 ^= UINT64_C(1) << (bit - 64);
        assert_false(hash64(&other, message, 20) == hash64(&key, message, 20));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_64_bits_hold),
        cmocka_unit_test(the_vectors_of_128_bits_hold),
        cmocka_unit_test(any_split_gives_what_one_shot_gives),
        cmocka_unit_test(another_key_gives_another_hash),
    };
    return cmocka_run_group_tests(tests, fill_message, NULL);
}
