/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's own instruction where it has one
 * (three streams interleaved), by tables elsewhere. Chain pieces by passing the previous result:
 * crc32c(crc32c(0, a), b) is the CRC of a followed by b. */
#ifndef SMSD_BASE_CRC32C_H
#define SMSD_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The same by tables alone, on any processor; here for the test that holds the two against each
 * other. */
uint32_t crc32c_by_tables(uint32_t crc, const void *data, size_t size);

#endif
