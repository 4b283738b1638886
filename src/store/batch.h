/* How the rows of a batch are written in the journal, one behind the other:
 *
 *     1 byte    table number; 0x80 added: the row is deleted
 *     varint    size of the key (LEB128)
 *     varint    size of the value; not for a deleted row
 *     key, value
 *
 * Stable for ever: a new version replays an old journal. Integrity is the journal's affair; still
 * nothing read here is trusted beyond the payload's end. */
#ifndef SMSD_STORE_BATCH_H
#define SMSD_STORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/overlay.h"
#include "store/table.h"

struct buffer;

struct batch_row {
    enum table table;
    bool is_deleted;
    const void *key;
    size_t key_size;
    const void *value;
    size_t value_size;
};

/* What one row takes at the most: `cost`s of rows bound the batch that holds them. */
static inline size_t batch_row_cost(size_t key_size, size_t value_size)
{
    return ROW_COST + key_size + value_size;
}

/* Appends the rows of the list that begins with `first`; returns how many. */
size_t batch_encode(struct buffer *to, const struct overlay *overlay, row_ref first);
/* 1 and the next row at `*at`, which moves; 0 at the end; ERR_DAMAGED. */
int batch_next(const unsigned char **at, const unsigned char *end, struct batch_row *row);

#endif
