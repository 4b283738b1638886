/* A filter as bytes, for a file (CITY-7): a head, then each part's words in pieces of 1 MiB, each
 * with a CRC-32C chained to all before it. One that is cut, changed in any byte, of another secret
 * or of another layout is not read: it is to be rebuilt.
 *
 * It is written in steps while keys go on being added. That is safe since bits are only ever set:
 * what is read later holds every key from before city_filter_save_begin, and perhaps some newer.
 * `covers` says up to where: who reads it adds what came behind that. */
#ifndef SMSD_ENGINE_CITY_FILTER_IMAGE_H
#define SMSD_ENGINE_CITY_FILTER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "engine/city_filter.h"

enum { CITY_FILTER_HEAD_BYTES = 64 + 40 * CITY_FILTER_PARTS_MAX };

/* Parts are those of the beginning: a part that comes later has no older keys. */
struct city_filter_writing {
    const struct city_filter *filter;
    uint32_t part, part_count;
    uint64_t offset; /* in the part, in bytes */
    uint32_t crc;
};

/* Of the image, if it is begun now. */
uint64_t city_filter_save_bytes(const struct city_filter *filter);
/* Appends the head. */
void city_filter_save_begin(struct city_filter_writing *writing, const struct city_filter *filter,
                            uint64_t city, uint64_t covers, struct buffer *to);
/* Appends one more piece, at most 1 MiB and 4 bytes; false: there was none left. The filter must be
 * there until then. */
bool city_filter_save_next(struct city_filter_writing *writing, struct buffer *to);

struct city_filter_saved {
    uint64_t city, covers;
};
/* NULL, and `filter` is initialised; or what is wrong with the image. */
const char *city_filter_load(struct city_filter *filter, const struct hash_key *key,
                             const void *image, size_t size, struct city_filter_saved *saved);

#endif
