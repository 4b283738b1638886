/* Walks: the live generation, the frozen one and LMDB, each in key order, merged as one. Where
 * several hold a key the upper one counts; a deleted row hides what lies below it.
 *
 * A walk may outlive changes, also ones taken back: references into the live generation are found
 * again by key when a row was removed from it. */
#include <assert.h>

#include "base/log.h"
#include "store/key_order.h"
#include "store/store_struct.h"

struct source_key {
    const void *key; /* NULL: the source is at its end */
    size_t size;
};

static row_ref seek(const struct walk *walk, const struct overlay *overlay)
{
    if (walk->bound_size == 0)
        return walk->up ? overlay_first(overlay, walk->table) : overlay_last(overlay, walk->table);
    return walk->up ? overlay_seek_up(overlay, walk->table, walk->bound, walk->bound_size,
                                      !walk->has_shown)
                    : overlay_seek_down(overlay, walk->table, walk->bound, walk->bound_size,
                                        !walk->has_shown);
}

static row_ref step(const struct walk *walk, const struct overlay *overlay, row_ref ref)
{
    const struct row *row = overlay_row(overlay, ref);
    return walk->up ? overlay_next(overlay, row) : overlay_previous(overlay, row);
}

static void took_row_of_tree(struct walk *walk, int result)
{
    if (result < 0)
        log_fatal("cannot walk over stored rows (a row cannot be read, or its checksum is wrong)",
                  table_infos[walk->table].name, 0);
    walk->has_row = result == 1;
}

struct txn_walk *txn_walk(struct txn *txn, enum table table, enum walk_direction direction,
                          const void *from, size_t from_size)
{
    const struct store *store = txn->store;
    struct walk *walk = txn->walks;

    assert(txn->is_open);
    assert(table_infos[table].name != NULL && table_infos[table].is_ordered);
    assert(from == NULL || from_size <= KEY_BYTES_MAX);
    for (; walk->is_open; walk++)
        assert(walk < txn->walks + WALKS_MAX - 1);
    memset(walk, 0, sizeof *walk);
    walk->txn = txn;
    walk->is_open = true;
    walk->table = table;
    walk->up = direction == WALK_UP;
    if (from != NULL && from_size > 0) {
        memcpy(walk->bound, from, from_size);
        walk->bound_size = from_size;
    } else if (from != NULL && !walk->up) {
        return &walk->shown; /* no key is empty: nothing lies before the empty one */
    }
    walk->live = seek(walk, store->live);
    walk->unwound = store->live->unwound;
    if (store->frozen != NULL)
        walk->frozen = seek(walk, store->frozen);
    if (store->reader != NULL)
        walk->cursor = tree_cursor_open(store->reader, table);
    if (walk->cursor != NULL)
        took_row_of_tree(walk, tree_cursor_seek(walk->cursor, walk->up,
                                                walk->bound_size > 0 ? walk->bound : NULL,
                                                walk->bound_size, &walk->row));
    return &walk->shown;
}

/* Leaves behind what was shown last. */
static void advance(struct walk *walk)
{
    const struct store *store = walk->txn->store;
    if (walk->unwound != store->live->unwound) {
        walk->live = seek(walk, store->live);
        walk->unwound = store->live->unwound;
    } else if (walk->took_live) {
        walk->live = step(walk, store->live, walk->live);
    }
    if (walk->took_frozen)
        walk->frozen = step(walk, store->frozen, walk->frozen);
    if (walk->took_row)
        took_row_of_tree(walk, tree_cursor_move(walk->cursor, walk->up, &walk->row));
    walk->took_live = walk->took_frozen = walk->took_row = false;
}

static struct source_key key_of(const struct overlay *overlay, row_ref ref)
{
    if (ref == 0)
        return (struct source_key){NULL, 0};
    const struct row *row = overlay_row(overlay, ref);
    return (struct source_key){row_key(row), row->key_size};
}

/* <0: a comes before b in the walk's direction; one at its end comes last. */
static int compare(const struct walk *walk, struct source_key a, struct source_key b)
{
    if (a.key == NULL || b.key == NULL)
        return (a.key == NULL) - (b.key == NULL);
    int order = key_compare(a.key, a.size, b.key, b.size);
    return walk->up ? order : -order;
}

static bool show(struct walk *walk, struct source_key key, const void *value, size_t value_size)
{
    assert(key.key != NULL);
    memcpy(walk->bound, key.key, key.size);
    walk->bound_size = key.size;
    walk->has_shown = true;
    walk->shown.key = key.key;
    walk->shown.key_size = key.size;
    walk->shown.value = value;
    walk->shown.value_size = value_size;
    return true;
}

void txn_walk_until(struct txn_walk *shown, const void *last, size_t last_size)
{
    struct walk *walk = (struct walk *)(void *)shown;

    assert(walk->is_open && !walk->has_shown);
    walk->last = last;
    walk->last_size = last_size;
}

void txn_walk_within(struct txn_walk *shown, size_t prefix_size)
{
    struct walk *walk = (struct walk *)(void *)shown;

    assert(walk->is_open && !walk->has_shown && prefix_size <= walk->bound_size);
    walk->prefix_size = prefix_size;
}

static bool is_beyond(const struct walk *walk, struct source_key key)
{
    if (walk->prefix_size > 0 &&
        (key.size < walk->prefix_size || memcmp(key.key, walk->bound, walk->prefix_size) != 0))
        return true;
    return walk->last != NULL &&
           compare(walk, (struct source_key){walk->last, walk->last_size}, key) < 0;
}

bool txn_walk_next(struct txn_walk *shown)
{
    struct walk *walk = (struct walk *)(void *)shown;
    const struct store *store = walk->txn->store;

    assert(walk->is_open);
    for (;;) {
        advance(walk);
        struct source_key live = key_of(store->live, walk->live);
        struct source_key frozen = key_of(store->frozen, walk->frozen);
        struct source_key row = {walk->has_row ? walk->row.key : NULL, walk->row.key_size};
        struct source_key nearest = live;
        if (compare(walk, frozen, nearest) < 0)
            nearest = frozen;
        if (compare(walk, row, nearest) < 0)
            nearest = row;
        if (nearest.key == NULL || is_beyond(walk, nearest))
            return false;
        walk->took_live = live.key != NULL && compare(walk, live, nearest) == 0;
        walk->took_frozen = frozen.key != NULL && compare(walk, frozen, nearest) == 0;
        walk->took_row = row.key != NULL && compare(walk, row, nearest) == 0;
        if (!walk->took_live && !walk->took_frozen)
            return show(walk, row, walk->row.value, walk->row.value_size);
        const struct overlay *overlay = walk->took_live ? store->live : store->frozen;
        const struct row *top = overlay_row(overlay, walk->took_live ? walk->live : walk->frozen);
        if (!top->is_deleted)
            return show(walk, nearest, overlay_value(overlay, top), top->value_size);
    }
}

void txn_walk_end(struct txn_walk *shown)
{
    struct walk *walk = (struct walk *)(void *)shown;
    assert(walk->is_open);
    tree_cursor_close(walk->cursor);
    walk->is_open = false;
}
