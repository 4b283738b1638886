/* The hash of (table, key) that finds a row in memory. Four to seven of them are made per charge,
 * so it is a multiply folded onto itself (the construction of wyhash) and not SipHash, which does
 * several times the work for so short a key. The seed is random per process, so an outsider cannot
 * prepare keys that meet in one slot; it protects a table in memory only, nothing that is written
 * down depends on it. */
#ifndef SMSD_STORE_KEY_HASH_H
#define SMSD_STORE_KEY_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct key_hash_seed {
    uint64_t a, b;
};

__extension__ typedef unsigned __int128 key_hash_wide;

static inline uint64_t key_hash_fold(uint64_t a, uint64_t b)
{
    key_hash_wide product = (key_hash_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t key_hash_load64(const unsigned char *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint64_t key_hash_load32(const unsigned char *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint64_t key_hash(const struct key_hash_seed *seed, unsigned table, const void *key,
                                size_t size)
{
    const unsigned char *at = key;
    uint64_t state = seed->a ^ ((uint64_t)table << 32 | size);
    uint64_t low, high;

    if (size > 16) {
        const unsigned char *end = at + size;
        for (; end - at > 16; at += 16)
            state = key_hash_fold(key_hash_load64(at) ^ seed->b, key_hash_load64(at + 8) ^ state);
        low = key_hash_load64(end - 16);
        high = key_hash_load64(end - 8);
    } else if (size >= 8) {
        low = key_hash_load64(at);
        high = key_hash_load64(at + size - 8);
    } else if (size >= 4) {
        low = key_hash_load32(at);
        high = key_hash_load32(at + size - 4);
    } else {
        low = size == 0 ? 0 : (uint64_t)at[0] << 16 | (uint64_t)at[size / 2] << 8 | at[size - 1];
        high = 0;
    }
    return key_hash_fold(seed->b ^ state, key_hash_fold(low ^ seed->b, high ^ state));
}

#endif
