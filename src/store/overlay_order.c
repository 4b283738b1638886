/* Key order within a generation: a skip list whose towers lie in the rows. A skip list and not a B+
 * tree because a row must be removable as if it had never been (txn_rollback), without splits to
 * undo; because rows stay where they are; and because smsd's ordered keys begin with numbers that
 * mostly grow, for which the finger (where the last row went) makes adding cost a few compares,
 * while random keys cost about as many cache misses as the list has levels. */
#include "store/overlay.h"

#include <assert.h>

#include "store/key_order.h"

static row_ref *tower_of(struct row *row)
{
    return (row_ref *)(void *)(row + 1);
}

static unsigned levels_of(const struct row *row)
{
    return (unsigned)((row->key_at - sizeof(struct row)) / sizeof(row_ref)) - 1;
}

/* Behind `ref` (0: the list's head) on a level. */
static row_ref *next_of(const struct overlay *overlay, struct row_order *order, row_ref ref,
                        unsigned level)
{
    return ref == 0 ? &order->first[level] : &tower_of(overlay_row(overlay, ref))[1 + level];
}

static bool is_before(const struct overlay *overlay, row_ref ref, const void *key, size_t key_size)
{
    const struct row *row = overlay_row(overlay, ref);
    return key_compare(row_key(row), row->key_size, key, key_size) < 0;
}

/* Fills `before` with the last row below the key on each level from `level` down, starting behind
 * `at`. */
static void descend(const struct overlay *overlay, struct row_order *order, row_ref at, int level,
                    const void *key, size_t key_size, row_ref before[])
{
    row_ref stop = 0; /* known not to be below the key: seen on the level above */
    for (; level >= 0; level--) {
        for (;;) {
            row_ref next = *next_of(overlay, order, at, (unsigned)level);
            if (next == 0 || next == stop)
                break;
            if (!is_before(overlay, next, key, key_size)) {
                stop = next;
                break;
            }
            at = next;
        }
        before[level] = at;
    }
}

static void find_from_finger(const struct overlay *overlay, struct row_order *order,
                             const void *key, size_t key_size, row_ref before[])
{
    unsigned level = 0;
    if (order->finger[0] == 0 || !is_before(overlay, order->finger[0], key, key_size)) {
        descend(overlay, order, 0, ROW_LEVELS_MAX - 1, key, key_size, before);
        return;
    }
    /* Up while rows between the finger and the key remain on this level; above, there are none
     * either. */
    while (level + 1 < ROW_LEVELS_MAX) {
        row_ref next = *next_of(overlay, order, order->finger[level], level);
        if (next == 0 || !is_before(overlay, next, key, key_size))
            break;
        level++;
    }
    for (unsigned above = level + 1; above < ROW_LEVELS_MAX; above++)
        before[above] = order->finger[above];
    descend(overlay, order, order->finger[level], (int)level, key, key_size, before);
}

void overlay_link(struct overlay *overlay, struct row *row)
{
    struct row_order *order = &overlay->orders[row->table];
    row_ref ref = overlay_ref(overlay, row);
    row_ref *tower = tower_of(row);
    unsigned levels = levels_of(row);
    row_ref before[ROW_LEVELS_MAX];

    find_from_finger(overlay, order, row_key(row), row->key_size, before);
    for (unsigned level = 0; level < ROW_LEVELS_MAX; level++) {
        if (level < levels) {
            row_ref *next = next_of(overlay, order, before[level], level);
            tower[1 + level] = *next;
            *next = ref;
        }
        order->finger[level] = level < levels ? ref : before[level];
    }
    tower[0] = before[0];
    if (tower[1] == 0)
        order->last = ref;
    else
        tower_of(overlay_row(overlay, tower[1]))[0] = ref;
}

void overlay_unlink(struct overlay *overlay, struct row *row)
{
    struct row_order *order = &overlay->orders[row->table];
    row_ref ref = overlay_ref(overlay, row);
    row_ref *tower = tower_of(row);
    row_ref before[ROW_LEVELS_MAX];

    descend(overlay, order, 0, ROW_LEVELS_MAX - 1, row_key(row), row->key_size, before);
    for (unsigned level = 0; level < levels_of(row); level++) {
        row_ref *next = next_of(overlay, order, before[level], level);
        assert(*next == ref);
        *next = tower[1 + level];
    }
    if (tower[1] == 0)
        order->last = tower[0];
    else
        tower_of(overlay_row(overlay, tower[1]))[0] = tower[0];
    memset(order->finger, 0, sizeof order->finger);
}

/* The reading half: the same rows without the right to change them. */

static row_ref last_before(const struct overlay *overlay, enum table table, const void *key,
                           size_t key_size, bool or_equal)
{
    const struct row_order *order = &overlay->orders[table];
    row_ref at = 0;
    for (int level = ROW_LEVELS_MAX - 1; level >= 0; level--) {
        for (;;) {
            row_ref next =
                at == 0 ? order->first[level] : tower_of(overlay_row(overlay, at))[1 + level];
            if (next == 0)
                break;
            const struct row *row = overlay_row(overlay, next);
            int compared = key_compare(row_key(row), row->key_size, key, key_size);
            if (compared > 0 || (compared == 0 && !or_equal))
                break;
            at = next;
        }
    }
    return at;
}

row_ref overlay_first(const struct overlay *overlay, enum table table)
{
    return overlay->orders[table].first[0];
}

row_ref overlay_last(const struct overlay *overlay, enum table table)
{
    return overlay->orders[table].last;
}

row_ref overlay_next(const struct overlay *overlay, const struct row *row)
{
    return tower_of(overlay_row(overlay, overlay_ref(overlay, row)))[1];
}

row_ref overlay_previous(const struct overlay *overlay, const struct row *row)
{
    return tower_of(overlay_row(overlay, overlay_ref(overlay, row)))[0];
}

row_ref overlay_seek_up(const struct overlay *overlay, enum table table, const void *key,
                        size_t key_size, bool or_equal)
{
    row_ref before = last_before(overlay, table, key, key_size, !or_equal);
    return before == 0 ? overlay_first(overlay, table)
                       : overlay_next(overlay, overlay_row(overlay, before));
}

row_ref overlay_seek_down(const struct overlay *overlay, enum table table, const void *key,
                          size_t key_size, bool or_equal)
{
    return last_before(overlay, table, key, key_size, or_equal);
}
