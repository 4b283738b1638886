/* SipHash (Aumasson and Bernstein, 2012): a keyed hash that an outsider who does not know the key
 * cannot make collide. 64 bits for hash tables fed from outside, 128 bits (the reference
 * implementation's long variant) where the hash stands for the thing itself. Rounds 2-4; 1-3 is not
 * offered. */
#ifndef SMSD_BASE_HASH_H
#define SMSD_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0, k1;
};

struct hash128 {
    uint64_t low, high;
};

uint64_t hash64(const struct hash_key *key, const void *data, size_t size);
struct hash128 hash128(const struct hash_key *key, const void *data, size_t size);

/* The same over several pieces, as if they lay behind one another:
 * hash_init, hash_update any number of times, then one of the finishes. */
struct hash {
    uint64_t v0, v1, v2, v3;
    uint64_t tail; /* bytes not yet mixed in, little-endian */
    uint64_t size; /* bytes given so far */
    bool is_128;
};
void hash_init(struct hash *hash, const struct hash_key *key, bool is_128);
void hash_update(struct hash *hash, const void *data, size_t size);
uint64_t hash_finish64(struct hash *hash);
struct hash128 hash_finish128(struct hash *hash);

#endif
