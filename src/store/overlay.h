/* A generation of the overlay: the rows changed since the one before was frozen, in memory, found
 * by key in a hash table and, for ordered tables, in key order through a skip list.
 *
 * All of it lies in one mapping reserved at birth and touched lazily: slots in front, rows behind,
 * handed out by moving a pointer. Nothing is rehashed or moved as it fills, so no put is ever slow,
 * and dropping a generation is one munmap, or clearing its slots to use the memory again. A row is
 * removed only by undoing the newest change (a transaction that is rolled back), so removal is the
 * exact reverse of adding and leaves no mark behind.
 *
 * Not locked: the loop's thread writes the live generation; a frozen one is only read, by any
 * thread. */
#ifndef SMSD_STORE_OVERLAY_H
#define SMSD_STORE_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/key_hash.h"
#include "store/table.h"

enum {
    ROW_ALIGNMENT = 8, /* a reference counts in these: 32 bits reach 32 GiB */
    ROW_LEVELS_MAX =
        12,        /* of the skip list; a quarter of each level is in the next: 16 million rows */
    ROW_COST = 64, /* what a row counts beside key and value where bytes are bounded */
    OVERLAY_BYTES_MIN = 1 << 20,
};

/* Where a row lies, in ROW_ALIGNMENT bytes from the start of the mapping; 0: none. */
typedef uint32_t row_ref;

/* Behind it: for ordered tables the tower (row before it, then the next one of each level), then
 * the key; the value is elsewhere once it has outgrown the room behind the key. */
struct row {
    row_ref next_changed; /* in the list of rows the open batch will hold */
    uint32_t batch;       /* the batch (lower half of its number) whose list it was put on last */
    row_ref value_at;
    row_ref older; /* the row added before it; 0: none */
    uint16_t value_size;
    uint16_t value_capacity;
    uint8_t table;
    uint8_t key_size;
    uint8_t key_at; /* from the start of the row */
    bool is_deleted;
};

struct row_order {
    row_ref first[ROW_LEVELS_MAX];
    row_ref finger[ROW_LEVELS_MAX]; /* the newest row or what lies before it, level by level */
    row_ref last;
};

struct overlay {
    char *memory;
    uint64_t *slots; /* at the start of memory: upper half of the hash, reference */
    size_t mapped_bytes;
    uint64_t slot_mask;
    uint64_t number; /* generations count up from 1 within one run */
    size_t used;     /* bytes of memory handed out, the slots included */
    size_t used_bound;
    row_ref newest; /* of the list through `older` */
    size_t rows;
    size_t rows_bound;
    bool is_prepared; /* its slots are memory already, in huge pages */
    uint64_t unwound; /* grows whenever a row is removed: references kept elsewhere may be void */
    size_t table_rows[TABLE_NUMBER_MAX + 1]; /* of `rows` */
    struct row_order orders[TABLE_NUMBER_MAX + 1];
};

/* `bytes_max` is the bound above which overlay_is_full; one transaction of `txn_bytes_max` more
 * always fits (address space is reserved for it). NULL if the system has no such room. */
struct overlay *overlay_new(size_t bytes_max, size_t txn_bytes_max);
void overlay_free(struct overlay *overlay);
/* Before it is used, off the loop: has the system find and clear all memory of the slots. Keys
 * spread over all of them at once, so otherwise the first thousands of rows would wait for it: a
 * second and a half for 256 MiB on a machine whose memory was never touched before. */
void overlay_prepare(struct overlay *overlay);
/* Empties a prepared generation, whose memory stays. */
void overlay_reset(struct overlay *overlay);
static inline bool overlay_is_full(const struct overlay *overlay)
{
    return overlay->used >= overlay->used_bound || overlay->rows >= overlay->rows_bound;
}
/* Used, in thousandths of the bound: by bytes or by rows, whichever is nearer. */
unsigned overlay_fullness(const struct overlay *overlay);
/* Rows and their share of the slots. */
size_t overlay_bytes(const struct overlay *overlay);

static inline struct row *overlay_row(const struct overlay *overlay, row_ref ref)
{
    return (struct row *)(void *)(overlay->memory + (size_t)ref * ROW_ALIGNMENT);
}

static inline row_ref overlay_ref(const struct overlay *overlay, const struct row *row)
{
    return (row_ref)((size_t)((const char *)row - overlay->memory) / ROW_ALIGNMENT);
}

static inline const void *row_key(const struct row *row)
{
    return (const char *)row + row->key_at;
}

static inline char *overlay_value(const struct overlay *overlay, const struct row *row)
{
    return overlay->memory + (size_t)row->value_at * ROW_ALIGNMENT;
}

/* The row of this key, deleted or not, or NULL. */
struct row *overlay_find(const struct overlay *overlay, uint64_t hash, enum table table,
                         const void *key, size_t key_size);
/* Has the slots of a hash on their way to the processor, or, if they are there, the row. */
static inline void overlay_fetch(const struct overlay *overlay, uint64_t hash, bool has_slots)
{
    const uint64_t *slot = &overlay->slots[hash & overlay->slot_mask];
    if (has_slots)
        __builtin_prefetch(overlay_row(overlay, (row_ref)*slot));
    else
        __builtin_prefetch(slot);
}
/* A new row, which must not be there yet, without a value but with room for one. */
struct row *overlay_add(struct overlay *overlay, uint64_t hash, enum table table, const void *key,
                        size_t key_size, size_t value_capacity);
/* Takes back the newest overlay_add; `used` is what overlay->used was before it. */
void overlay_remove(struct overlay *overlay, uint64_t hash, struct row *row, size_t used);
/* Room for a larger value, at a new place; the old place keeps its bytes. */
void overlay_grow_value(struct overlay *overlay, struct row *row, size_t value_size);
/* Adds or replaces without a way back: for replaying the journal. */
void overlay_put(struct overlay *overlay, uint64_t hash, enum table table, const void *key,
                 size_t key_size, const void *value, size_t value_size, bool is_deleted);

/* Key order, ordered tables only; deleted rows included. */
row_ref overlay_first(const struct overlay *overlay, enum table table);
row_ref overlay_last(const struct overlay *overlay, enum table table);
/* The first row >= key, or > key if not `or_equal`. */
row_ref overlay_seek_up(const struct overlay *overlay, enum table table, const void *key,
                        size_t key_size, bool or_equal);
row_ref overlay_seek_down(const struct overlay *overlay, enum table table, const void *key,
                          size_t key_size, bool or_equal);
row_ref overlay_next(const struct overlay *overlay, const struct row *row);
row_ref overlay_previous(const struct overlay *overlay, const struct row *row);

/* overlay_order.c: the tower of a row being added or removed. */
void overlay_link(struct overlay *overlay, struct row *row);
void overlay_unlink(struct overlay *overlay, struct row *row);

#endif
