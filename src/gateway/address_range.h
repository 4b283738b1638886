/* Ranges of addresses that callbacks may come from: "192.0.2.7", "192.0.2.0/24", "2001:db8::/32".
 */
#ifndef SMSD_GATEWAY_ADDRESS_RANGE_H
#define SMSD_GATEWAY_ADDRESS_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* An IPv4 address stands as ::ffff:a.b.c.d, so that one comparison serves both. */
struct address_range {
    uint8_t bytes[16];
    unsigned bits;
};

bool address_range_parse(struct text text, struct address_range *range);
/* `address` without a port. False also for what is none. */
bool address_range_has(const struct address_range *range, struct text address);

#endif
