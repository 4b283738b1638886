/* Ranges that are nearer to each other than a second are one: what lies deleted within a second is
 * passed over. When there are too many, the two that are nearest are joined. */
#include "pipeline/due_floor.h"

#include <assert.h>
#include <string.h>

#define NEAR_MS 1000

enum { DUE_LOOKS_PER_CHECK = 16 };

void due_floor_init(struct due_floor *floor)
{
    *floor = (struct due_floor){.ranges = {{.last_ms = INT64_MAX}}, .count = 1};
}

static void join_with_next(struct due_floor *floor, size_t i)
{
    floor->ranges[i].last_ms = floor->ranges[i + 1].last_ms;
    floor->count--;
    memmove(&floor->ranges[i + 1], &floor->ranges[i + 2],
            (floor->count - i - 1) * sizeof floor->ranges[0]);
}

static void join_nearest(struct due_floor *floor)
{
    size_t nearest = 0;

    for (size_t i = 1; i + 1 < floor->count; i++) {
        if (floor->ranges[i + 1].first.due_ms - floor->ranges[i].last_ms <
            floor->ranges[nearest + 1].first.due_ms - floor->ranges[nearest].last_ms)
            nearest = i;
    }
    join_with_next(floor, nearest);
}

void due_floor_put(struct due_floor *floor, int64_t due_ms)
{
    size_t i = 0;

    while (i < floor->count && floor->ranges[i].last_ms < due_ms)
        i++;
    if (i < floor->count && floor->ranges[i].first.due_ms < due_ms)
        return;
    if (i < floor->count && floor->ranges[i].first.due_ms - due_ms <= NEAR_MS) {
        floor->ranges[i].first = (struct due){.due_ms = due_ms};
        return;
    }
    if (i > 0 && due_ms - floor->ranges[i - 1].last_ms <= NEAR_MS) {
        floor->ranges[i - 1].last_ms = due_ms;
        return;
    }
    if (floor->count == DUE_RANGES_MAX) {
        join_nearest(floor);
        due_floor_put(floor, due_ms);
        return;
    }
    memmove(&floor->ranges[i + 1], &floor->ranges[i], (floor->count - i) * sizeof floor->ranges[0]);
    floor->ranges[i] = (struct due_range){{.due_ms = due_ms}, due_ms};
    floor->count++;
}

static bool find(struct due_floor *floor, struct txn *txn, struct due *due)
{
    while (floor->count > 0) {
        struct due_range *range = &floor->ranges[0];
        if (due_first(txn, &range->first, range->last_ms, due)) {
            range->first = *due;
            return true;
        }
        floor->count--;
        memmove(range, range + 1, floor->count * sizeof *range);
    }
    return false;
}

#ifdef SMSD_CRASH_POINTS /* builds for tests */
/* A walk from the beginning, over all that was deleted, so not each time: what is passed over once
 * is passed over until it is found. */
static void check_some(struct due_floor *floor, struct txn *txn, bool is_found,
                       const struct due *due)
{
    struct due right;

    if (floor->looks++ % DUE_LOOKS_PER_CHECK != 0)
        return;
    assert(is_found == due_first(txn, &(struct due){0}, INT64_MAX, &right));
    assert(!is_found ||
           (due->due_ms == right.due_ms && due->kind == right.kind && due->number == right.number));
}
#endif

bool due_floor_first(struct due_floor *floor, struct txn *txn, struct due *due)
{
    bool is_found = find(floor, txn, due);

#ifdef SMSD_CRASH_POINTS
    check_some(floor, txn, is_found, due);
#endif
    return is_found;
}
