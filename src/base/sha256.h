/* SHA-256 (FIPS 180-4): what stands for a secret that must not be kept, and what chains entries and
 * commits to splits, where an adversary who knows everything must not find another input. Uses the
 * processor's SHA instructions where it has them. It is here and not taken from mbedtls because the
 * engine may depend on nothing but base, and because mbedtls 2.28 does not use those instructions
 * (src/README.md has the figures). */
#ifndef SMSD_BASE_SHA256_H
#define SMSD_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

struct sha256 {
    uint32_t state[8];
    uint64_t size;
    uint8_t block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *data, size_t size);
void sha256_finish(struct sha256 *sha, uint8_t digest[SHA256_SIZE]);
/* The compression function alone, over whole blocks of 64 bytes: for constructions of one's own. */
void sha256_compress(uint32_t state[8], const void *blocks, size_t count);
void sha256(const void *data, size_t size, uint8_t digest[SHA256_SIZE]);

#endif
