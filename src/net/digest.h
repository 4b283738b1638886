/* Hashes and HMACs that peers ask for: what they sign with and want to be signed with. MD5 and
 * SHA-1 are here because providers prescribe them; nothing of smsd's own rests on them. */
#ifndef SMSD_NET_DIGEST_H
#define SMSD_NET_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum digest { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

enum { DIGEST_BYTES_MAX = 64 };

/* Both return how many bytes of `to` they have written. */
size_t digest_of(enum digest digest, const void *data, size_t size, uint8_t to[DIGEST_BYTES_MAX]);
size_t digest_hmac(enum digest digest, const void *key, size_t key_size, const void *data,
                   size_t size, uint8_t to[DIGEST_BYTES_MAX]);

#endif
