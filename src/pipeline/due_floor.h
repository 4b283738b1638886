/* Where the first row of TABLE_DUE may be. Rows that were deleted lie in memory until a checkpoint,
 * and a walk passes over each; a million messages leave a million of them, a day ahead, and each
 * look for what is first would go through them again. So what is known of empty stretches is kept:
 * every row of the table is within one of a few ranges of time, which grow by what is put and
 * shrink by what is found. */
#ifndef SMSD_PIPELINE_DUE_FLOOR_H
#define SMSD_PIPELINE_DUE_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/due.h"

enum { DUE_RANGES_MAX = 8 };

struct due_floor {
    struct due_range {
        struct due first;     /* no row of the range is before it */
        int64_t last_ms;      /* included */
    } ranges[DUE_RANGES_MAX]; /* ascending, apart from each other */
    size_t count;
    uint32_t looks; /* counted in builds for tests */
};

/* Nothing is known. */
void due_floor_init(struct due_floor *floor);
/* A row was put, or may have been. */
void due_floor_put(struct due_floor *floor, int64_t due_ms);
/* As due_first, of all rows. */
bool due_floor_first(struct due_floor *floor, struct txn *txn, struct due *due);

#endif
