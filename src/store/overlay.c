/* The hash table and the rows of a generation. Slots are 8 bytes, eight to a cache line, probed
 * linearly; half of each is the upper half of the hash, so a row is only looked at when it is the
 * one (but once in four thousand million). The table's size follows from the bound, at one slot per
 * 128 bytes: rows of smsd are 100 to 400 bytes, so it ends half full. */
#include "store/overlay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"

enum {
    SLOT_BYTES = 8,
    BYTES_PER_SLOT = 128,
    SLOTS_MIN = 1 << 16,
    HUGE_PAGE_BYTES = 2 << 20,
    /* Room beyond the bound for one transaction, in its own bytes: rows are padded, towers and
     * values that outgrow their place come on top. */
    TXN_ROOM_FACTOR = 4,
};

static size_t round_up(size_t size, size_t to)
{
    return (size + to - 1) / to * to;
}

static uint64_t slots_for(size_t bytes_max, size_t txn_rows)
{
    uint64_t slots = SLOTS_MIN;
    while (slots < bytes_max / BYTES_PER_SLOT || slots * 3 / 4 < 2 * txn_rows)
        slots *= 2;
    return slots;
}

struct overlay *overlay_new(size_t bytes_max, size_t txn_bytes_max)
{
    size_t txn_rows = txn_bytes_max / ROW_COST + 1;
    uint64_t slots = slots_for(bytes_max, txn_rows);
    size_t slot_bytes = slots * SLOT_BYTES;
    struct overlay *overlay = calloc(1, sizeof *overlay);
    if (overlay == NULL)
        return NULL;
    /* The slots count towards the bound, but leave at least half of it to the rows: they would not
     * only for bounds of a few MiB, which are for tests. */
    overlay->used_bound = slot_bytes < bytes_max / 2 ? bytes_max : slot_bytes + bytes_max / 2;
    overlay->mapped_bytes =
        round_up(overlay->used_bound + TXN_ROOM_FACTOR * (txn_bytes_max + 4096), 1 << 12);
    assert(overlay->mapped_bytes / ROW_ALIGNMENT <= UINT32_MAX);
    overlay->memory = mmap(NULL, overlay->mapped_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (overlay->memory == MAP_FAILED) {
        free(overlay);
        return NULL;
    }
    /* Read and written at random all over: with small pages each look-up is a TLB miss or two. But
     * not the slots, unless they are prepared: a row that touches a new one would wait until 2 MiB
     * are cleared. */
    madvise(overlay->memory + round_up(slot_bytes, HUGE_PAGE_BYTES),
            overlay->mapped_bytes - round_up(slot_bytes, HUGE_PAGE_BYTES), MADV_HUGEPAGE);
    madvise(overlay->memory, slot_bytes, MADV_NOHUGEPAGE);
    overlay->slots = (uint64_t *)(void *)overlay->memory;
    overlay->slot_mask = slots - 1;
    overlay->rows_bound = slots * 3 / 4 - txn_rows;
    overlay->used = slot_bytes;
    return overlay;
}

void overlay_free(struct overlay *overlay)
{
    if (overlay == NULL)
        return;
    munmap(overlay->memory, overlay->mapped_bytes);
    free(overlay);
}

static size_t slot_bytes_of(const struct overlay *overlay)
{
    return (overlay->slot_mask + 1) * SLOT_BYTES;
}

void overlay_prepare(struct overlay *overlay)
{
    assert(overlay->rows == 0);
    madvise(overlay->memory, slot_bytes_of(overlay), MADV_HUGEPAGE);
    memset(overlay->memory, 0, slot_bytes_of(overlay));
    overlay->is_prepared = true;
}

void overlay_reset(struct overlay *overlay)
{
    assert(overlay->is_prepared);
    memset(overlay->memory, 0, slot_bytes_of(overlay));
    memset(overlay->orders, 0, sizeof overlay->orders);
    memset(overlay->table_rows, 0, sizeof overlay->table_rows);
    overlay->used = slot_bytes_of(overlay);
    overlay->newest = 0;
    overlay->rows = 0;
}

unsigned overlay_fullness(const struct overlay *overlay)
{
    size_t slot_bytes = slot_bytes_of(overlay);
    size_t by_bytes = (overlay->used - slot_bytes) * 1000 / (overlay->used_bound - slot_bytes);
    size_t by_rows = overlay->rows * 1000 / overlay->rows_bound;
    return (unsigned)(by_bytes > by_rows ? by_bytes : by_rows);
}

size_t overlay_bytes(const struct overlay *overlay)
{
    size_t slot_bytes = slot_bytes_of(overlay);
    size_t touched = overlay->rows * 4096; /* each row touches one page of the slots at the most */
    return overlay->used - slot_bytes + (touched < slot_bytes ? touched : slot_bytes);
}

static row_ref allocate(struct overlay *overlay, size_t size)
{
    size_t at = overlay->used;
    size = round_up(size, ROW_ALIGNMENT);
    if (overlay->mapped_bytes - at < size)
        log_fatal("a transaction is larger than the store's bound for one", NULL, 0);
    overlay->used = at + size;
    return (row_ref)(at / ROW_ALIGNMENT);
}

struct row *overlay_find(const struct overlay *overlay, uint64_t hash, enum table table,
                         const void *key, size_t key_size)
{
    for (uint64_t i = hash & overlay->slot_mask;; i = (i + 1) & overlay->slot_mask) {
        uint64_t slot = overlay->slots[i];
        if (slot == 0)
            return NULL;
        if ((slot ^ hash) >> 32 != 0)
            continue;
        struct row *row = overlay_row(overlay, (row_ref)slot);
        if (row->table == table && row->key_size == key_size &&
            memcmp(row_key(row), key, key_size) == 0)
            return row;
    }
}

/* 1 to ROW_LEVELS_MAX, a quarter as likely each; from bits of the hash that choose no slot. */
static unsigned levels_for(uint64_t hash)
{
    unsigned zeros = (unsigned)__builtin_ctzll(hash >> 40 | UINT64_C(1) << 22);
    return 1 + zeros / 2;
}

struct row *overlay_add(struct overlay *overlay, uint64_t hash, enum table table, const void *key,
                        size_t key_size, size_t value_capacity)
{
    bool is_ordered = table_infos[table].is_ordered;
    size_t tower = is_ordered ? (1 + levels_for(hash)) * sizeof(row_ref) : 0;
    size_t value_at = round_up(sizeof(struct row) + tower + key_size, ROW_ALIGNMENT);
    uint64_t i = hash & overlay->slot_mask;

    assert(overlay->rows < overlay->slot_mask);
    row_ref ref = allocate(overlay, value_at + value_capacity);
    struct row *row = overlay_row(overlay, ref);
    row->next_changed = 0;
    row->batch = 0;
    row->value_at = ref + (row_ref)(value_at / ROW_ALIGNMENT);
    row->value_size = 0;
    row->value_capacity = (uint16_t)round_up(value_capacity, ROW_ALIGNMENT);
    row->table = (uint8_t)table;
    row->key_size = (uint8_t)key_size;
    row->key_at = (uint8_t)(sizeof(struct row) + tower);
    row->is_deleted = false;
    memcpy((char *)row + row->key_at, key, key_size);
    while (overlay->slots[i] != 0)
        i = (i + 1) & overlay->slot_mask;
    overlay->slots[i] = (hash >> 32) << 32 | ref;
    row->older = overlay->newest;
    overlay->newest = ref;
    overlay->rows++;
    overlay->table_rows[table]++;
    if (is_ordered)
        overlay_link(overlay, row);
    return row;
}

void overlay_remove(struct overlay *overlay, uint64_t hash, struct row *row, size_t used)
{
    row_ref ref = overlay_ref(overlay, row);
    uint64_t i = hash & overlay->slot_mask;

    if (table_infos[row->table].is_ordered)
        overlay_unlink(overlay, row);
    while ((row_ref)overlay->slots[i] != ref) {
        assert(overlay->slots[i] != 0);
        i = (i + 1) & overlay->slot_mask;
    }
    /* Being the newest, it is the last of every chain of slots that runs through it. */
    overlay->slots[i] = 0;
    assert(used <= (size_t)ref * ROW_ALIGNMENT);
    assert(overlay->newest == ref);
    overlay->newest = row->older;
    overlay->used = used;
    overlay->rows--;
    overlay->table_rows[row->table]--;
    overlay->unwound++;
}

void overlay_grow_value(struct overlay *overlay, struct row *row, size_t value_size)
{
    size_t capacity = 2 * (size_t)row->value_capacity; /* all of a row's places: twice its last */
    if (capacity < value_size)
        capacity = value_size;
    capacity = round_up(capacity, ROW_ALIGNMENT);
    row->value_at = allocate(overlay, capacity);
    row->value_capacity = (uint16_t)capacity;
}

void overlay_put(struct overlay *overlay, uint64_t hash, enum table table, const void *key,
                 size_t key_size, const void *value, size_t value_size, bool is_deleted)
{
    struct row *row = overlay_find(overlay, hash, table, key, key_size);
    if (row == NULL)
        row = overlay_add(overlay, hash, table, key, key_size, value_size);
    else if (row->value_capacity < value_size)
        overlay_grow_value(overlay, row, value_size);
    if (value_size > 0)
        memcpy(overlay_value(overlay, row), value, value_size);
    row->value_size = (uint16_t)value_size;
    row->is_deleted = is_deleted;
}
