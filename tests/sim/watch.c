/* What stands between the engine and the store's writes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static struct world *watched;

void __real_txn_put(struct txn *txn, enum table table, const void *key, size_t key_size,
                    const void *value, size_t value_size);
bool __real_txn_delete(struct txn *txn, enum table table, const void *key, size_t key_size);
void __wrap_txn_put(struct txn *txn, enum table table, const void *key, size_t key_size,
                    const void *value, size_t value_size);
bool __wrap_txn_delete(struct txn *txn, enum table table, const void *key, size_t key_size);

void watch(struct world *world)
{
    watched = world;
}

static bool is_noted(const struct changes *changes, enum table table, const void *key,
                     size_t key_size)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->items[i];
        if (change->table == table && change->key_size == key_size &&
            memcmp(change->key, key, key_size) == 0)
            return true;
    }
    return false;
}

static void note(struct changes *changes, struct txn *txn, enum table table, const void *key,
                 size_t key_size)
{
    struct change *change;
    const void *value;
    size_t value_size = 0;

    if (is_noted(changes, table, key, key_size))
        return;
    if (changes->count == changes->capacity) {
        changes->capacity = 2 * changes->capacity + 16;
        changes->items = realloc(changes->items, changes->capacity * sizeof *changes->items);
        assert(changes->items != NULL);
    }
    change = &changes->items[changes->count++];
    value = txn_get(txn, table, key, key_size, &value_size);
    *change = (struct change){.table = table,
                              .key_size = (uint8_t)key_size,
                              .was_there = value != NULL,
                              .value_size = (uint16_t)value_size,
                              .value_at = changes->values.size};
    memcpy(change->key, key, key_size);
    if (value != NULL)
        buffer_append(&changes->values, value, value_size);
}

static void note_in_all(struct txn *txn, enum table table, const void *key, size_t key_size)
{
    if (watched == NULL || watched->txn != txn)
        return;
    note(&watched->changes, txn, table, key, key_size);
    if (watched->is_in_group)
        note(&watched->group_changes, txn, table, key, key_size);
}

void __wrap_txn_put(struct txn *txn, enum table table, const void *key, size_t key_size,
                    const void *value, size_t value_size)
{
    note_in_all(txn, table, key, key_size);
    __real_txn_put(txn, table, key, key_size, value, value_size);
}

bool __wrap_txn_delete(struct txn *txn, enum table table, const void *key, size_t key_size)
{
    note_in_all(txn, table, key, key_size);
    return __real_txn_delete(txn, table, key, key_size);
}
