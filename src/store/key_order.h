/* The order of keys: memcmp, the shorter first among equals; LMDB's own default. */
#ifndef SMSD_STORE_KEY_ORDER_H
#define SMSD_STORE_KEY_ORDER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

static inline int key_compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
    if (a_size >= 8 && b_size >= 8) {
        uint64_t a_head = bytes_get_u64_be(a), b_head = bytes_get_u64_be(b);
        if (a_head != b_head)
            return a_head < b_head ? -1 : 1;
    }
    size_t shorter = a_size < b_size ? a_size : b_size;
    int order = memcmp(a, b, shorter);
    if (order != 0)
        return order;
    return a_size < b_size ? -1 : a_size > b_size;
}

#endif
