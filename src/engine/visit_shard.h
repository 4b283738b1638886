/* Inside the engine: what the table of visits and its image share (visit_table.c tells of lines,
 * visit_image.c writes and reads them). */
#ifndef SMSD_ENGINE_VISIT_SHARD_H
#define SMSD_ENGINE_VISIT_SHARD_H

#include "engine/visit_table.h"

enum {
    VISIT_LINE_BYTES = 64,
    VISIT_LINES_MIN = 32,
    VISIT_LINES_MAX = 1 << 14, /* so that no product overflows */
    VISIT_DEPTH_MAX = 24,
};

struct visit_shard {
    uint8_t *lines;
    uint32_t line_count;
    uint32_t entries;
    uint32_t full;     /* entries at which it grows */
    uint8_t depth;     /* bits of the permuted mobile that led here */
    uint8_t line_bits; /* of line_count, rounded down */
    uint8_t rest_bits; /* packed, of an entry */
    uint8_t slots;
};

/* An empty one. */
void visit_shard_init(struct visit_shard *shard, uint32_t depth, uint32_t line_count);
void visit_shard_release(struct visit_shard *shard);
/* Of all its lines, and one more: the last entry is read by eight bytes that begin in it. */
static inline size_t visit_shard_bytes(const struct visit_shard *shard)
{
    return (size_t)(shard->line_count + 1) * VISIT_LINE_BYTES;
}
/* Its lines hold as many entries as it says, none more than it can. */
bool visit_shard_is_sound(const struct visit_shard *shard);

static inline size_t visit_directory_bytes(uint32_t depth)
{
    return sizeof(struct visit_shard *) << depth;
}

#endif
