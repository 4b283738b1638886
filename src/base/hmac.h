/* HMAC-SHA256 (RFC 2104, FIPS 198-1): what shows that a text comes from who knows a key. */
#ifndef SMSD_BASE_HMAC_H
#define SMSD_BASE_HMAC_H

#include "base/sha256.h"

/* Over several pieces, as if they lay behind one another: hmac_init, hmac_update any number of
 * times, hmac_finish. Keys may have any size. */
struct hmac {
    struct sha256 inner;
    uint8_t outer_key[64];
};

void hmac_init(struct hmac *hmac, const void *key, size_t key_size);
void hmac_update(struct hmac *hmac, const void *data, size_t size);
void hmac_finish(struct hmac *hmac, uint8_t mac[SHA256_SIZE]);

#endif
