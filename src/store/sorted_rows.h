/* The rows of one generation, table after table, in key order: what a checkpoint writes and verify
 * merges. The generation must not change while they are in use. */
#ifndef SMSD_STORE_SORTED_ROWS_H
#define SMSD_STORE_SORTED_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "store/overlay.h"

struct sorted_row {
    uint64_t head; /* of the key, behind what all keys of the table have in common */
    row_ref row;
};

struct sorted_rows {
    const struct overlay *overlay;
    struct sorted_row *rows;
    size_t
        begins[TABLE_NUMBER_MAX + 2]; /* of each table's run, and its end: the next one's begin */
    size_t mapped_bytes;
};

void sorted_rows_init(struct sorted_rows *sorted, const struct overlay *overlay);
void sorted_rows_release(struct sorted_rows *sorted);

static inline const struct row *sorted_rows_at(const struct sorted_rows *sorted, size_t i)
{
    return overlay_row(sorted->overlay, sorted->rows[i].row);
}

/* The row is wanted soon: rows in key order lie anywhere. */
static inline void sorted_rows_fetch(const struct sorted_rows *sorted, size_t i)
{
    const char *row = (const char *)sorted_rows_at(sorted, i);
    __builtin_prefetch(row);
    __builtin_prefetch(row + 64);
}

#endif
