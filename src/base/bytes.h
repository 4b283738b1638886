/* Big-endian integers in keys, so that memcmp orders them. */
#ifndef SMSD_BASE_BYTES_H
#define SMSD_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline void bytes_put_u32_be(void *to, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(to, &value, sizeof value);
}

static inline void bytes_put_u64_be(void *to, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(to, &value, sizeof value);
}

static inline uint64_t bytes_get_u64_be(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap64(value);
}

#endif
