/* base/crc32c: the vectors of RFC 3720 B.4, and the instruction against the tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/crc32c.h"

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

static void check_both(const void *data, size_t size, uint32_t expected)
{
    assert_int_equal(crc32c(0, data, size), expected);
    assert_int_equal(crc32c_by_tables(0, data, size), expected);
}

static void the_vectors_of_rfc_3720_hold(void **state)
{
    (void)state;
    static const unsigned char read_pdu[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
        0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    unsigned char data[32];
    memset(data, 0, 32);
    check_both(data, 32, 0x8a9136aa);
    memset(data, 0xff, 32);
    check_both(data, 32, 0x62a8ab43);
    for (size_t i = 0; i < 32; i++)
        data[i] = (unsigned char)i;
    check_both(data, 32, 0x46dd794e);
    for (size_t i = 0; i < 32; i++)
        data[i] = (unsigned char)(31 - i);
    check_both(data, 32, 0x113fdb5c);
    check_both(read_pdu, sizeof read_pdu, 0xd9963a56);
    check_both("123456789", 9, 0xe3069283);
    check_both("", 0, 0);
}

static void instruction_and_tables_agree_at_every_length_and_alignment(void **state)
{
    (void)state;
    static unsigned char data[10000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)next_random();
    for (size_t size = 0; size < sizeof data - 8; size += size < 4200 ? 1 : 61) {
        const unsigned char *at = data + size % 8;
        uint32_t start = next_random();
        assert_int_equal(crc32c(start, at, size), crc32c_by_tables(start, at, size));
    }
}

static void pieces_chain_to_the_crc_of_the_whole(void **state)
{
    (void)state;
    static unsigned char data[9000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)next_random();
    uint32_t whole = crc32c(0, data, sizeof data);
    for (int round = 0; round < 200; round++) {
        uint32_t crc = 0;
        for (size_t at = 0; at < sizeof data;) {
            size_t size = next_random() % 5000;
            if (size > sizeof data - at)
                size = sizeof data - at;
            crc = crc32c(crc, data + at, size);
            at += size;
        }
        assert_int_equal(crc, whole);
    }
}

static void any_single_flipped_bit_shows(void **state)
{
    (void)state;
    unsigned char data[512];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)next_random();
    uint32_t whole = crc32c(0, data, sizeof data);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_not_equal(crc32c(0, data, sizeof data), whole);
        data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_3720_hold),
        cmocka_unit_test(instruction_and_tables_agree_at_every_length_and_alignment),
        cmocka_unit_test(pieces_chain_to_the_crc_of_the_whole),
        cmocka_unit_test(any_single_flipped_bit_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
