/* Two hashes, one around the other, each begun with the key in a block of its own. */
#include "base/hmac.h"

#include <string.h>

enum { INNER_PAD = 0x36, OUTER_PAD = 0x5c };

void hmac_init(struct hmac *hmac, const void *key, size_t key_size)
{
    uint8_t block[64] = {0};

    if (key_size > sizeof block)
        sha256(key, key_size, block);
    else if (key_size > 0)
        memcpy(block, key, key_size);
    for (size_t i = 0; i < sizeof block; i++) {
        hmac->outer_key[i] = block[i] ^ OUTER_PAD;
        block[i] ^= INNER_PAD;
    }
    sha256_init(&hmac->inner);
    sha256_update(&hmac->inner, block, sizeof block);
}

void hmac_update(struct hmac *hmac, const void *data, size_t size)
{
    sha256_update(&hmac->inner, data, size);
}

void hmac_finish(struct hmac *hmac, uint8_t mac[SHA256_SIZE])
{
    struct sha256 outer;

    sha256_finish(&hmac->inner, mac);
    sha256_init(&outer);
    sha256_update(&outer, hmac->outer_key, sizeof hmac->outer_key);
    sha256_update(&outer, mac, SHA256_SIZE);
    sha256_finish(&outer, mac);
}
