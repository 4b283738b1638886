/* Transactions write straight into the live generation and note how to take each change back; a
 * commit forgets the notes, an abort plays them backwards. Nothing is copied on the way to the
 * journal: the rows changed since the last submit form a list through the rows themselves, and each
 * is encoded once, as it is then.
 *
 * The hard part is that taking back must be exact: newest change first, each row, list link and
 * byte of the overlay returns to what it was, so what was never committed leaves nothing to be
 * found later. */
#include "store/txn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/batch.h"
#include "store/store_struct.h"

enum { UNDO_KEPT = 4096, VALUES_KEPT = 1 << 20 }; /* more than this is given back after use */

static void check_key(const struct txn *txn, enum table table, size_t key_size)
{
    assert(txn->is_open);
    assert((unsigned)table <= TABLE_NUMBER_MAX && table_infos[table].name != NULL);
    assert(key_size > 0 && key_size <= KEY_BYTES_MAX);
}

static uint32_t open_batch_mark(const struct store *store)
{
    return (uint32_t)(store->submitted + 1);
}

/* Below the live generation. */
static const void *get_below(const struct store *store, uint64_t hash, enum table table,
                             const void *key, size_t key_size, size_t *value_size)
{
    if (store->frozen != NULL) {
        const struct row *row = overlay_find(store->frozen, hash, table, key, key_size);
        if (row != NULL && row->is_deleted)
            return NULL;
        if (row != NULL) {
            *value_size = row->value_size;
            return overlay_value(store->frozen, row);
        }
    }
    if (store->reader == NULL || !filter_may_have(&store->filters, table, hash))
        return NULL;
    return tree_get(store->reader, table, key, key_size, value_size);
}

const void *txn_get(struct txn *txn, enum table table, const void *key, size_t key_size,
                    size_t *value_size)
{
    const struct store *store = txn->store;
    check_key(txn, table, key_size);
    uint64_t hash = store_hash(store, table, key, key_size);
    const struct row *row = overlay_find(store->live, hash, table, key, key_size);
    if (row == NULL)
        return get_below(store, hash, table, key, key_size, value_size);
    if (row->is_deleted)
        return NULL;
    *value_size = row->value_size;
    return overlay_value(store->live, row);
}

void txn_expect(const struct txn *txn, enum table table, const void *key, size_t key_size,
                enum txn_distance distance)
{
    const struct store *store = txn->store;
    check_key(txn, table, key_size);
    uint64_t hash = store_hash(store, table, key, key_size);
    overlay_fetch(store->live, hash, distance == TXN_NEAR);
    if (store->frozen != NULL)
        overlay_fetch(store->frozen, hash, distance == TXN_NEAR);
}

static struct undo *add_undo(struct txn *txn)
{
    if (txn->undo_count == txn->undo_capacity) {
        size_t capacity = txn->undo_capacity == 0 ? 64 : 2 * txn->undo_capacity;
        struct undo *undo = realloc(txn->undo, capacity * sizeof *undo);
        if (undo == NULL)
            log_fatal("out of memory", NULL, ENOMEM);
        txn->undo = undo;
        txn->undo_capacity = capacity;
    }
    struct undo *undo = &txn->undo[txn->undo_count++];
    undo->used = txn->store->live->used;
    undo->batch_bytes = txn->store->open.bytes;
    return undo;
}

static void put_on_list(struct store *store, struct row *row)
{
    row->next_changed = store->open.first;
    row->batch = open_batch_mark(store);
    store->open.first = overlay_ref(store->live, row);
    store->open.rows++;
}

static struct row *add_row(struct txn *txn, uint64_t hash, enum table table, const void *key,
                           size_t key_size, size_t value_size)
{
    struct store *store = txn->store;
    struct undo *undo = add_undo(txn);
    struct row *row = overlay_add(store->live, hash, table, key, key_size, value_size);
    undo->hash = hash;
    undo->row = overlay_ref(store->live, row);
    undo->was_added = true;
    put_on_list(store, row);
    store->open.bytes += batch_row_cost(key_size, value_size);
    return row;
}

/* Notes the row as it is, and makes it one that the open batch holds with a value of `value_size`.
 */
static void change_row(struct txn *txn, struct row *row, size_t value_size)
{
    struct store *store = txn->store;
    struct undo *undo = add_undo(txn);
    undo->row = overlay_ref(store->live, row);
    undo->next_changed = row->next_changed;
    undo->batch = row->batch;
    undo->value_at = row->value_at;
    undo->value_size = row->value_size;
    undo->value_capacity = row->value_capacity;
    undo->was_added = false;
    undo->was_deleted = row->is_deleted;
    undo->is_saved =
        row->value_capacity >= value_size; /* otherwise it moves, and the old bytes stay */
    if (undo->is_saved)
        buffer_append(&txn->values, overlay_value(store->live, row), row->value_size);
    if (row->batch != open_batch_mark(store)) {
        put_on_list(store, row);
        store->open.bytes += batch_row_cost(row->key_size, value_size);
    } else {
        store->open.bytes += value_size;
        store->open.bytes -= row->value_size;
    }
}

static void check_bound(const struct store *store)
{
    /* store_admits leaves room for a whole transaction; one that is larger is a defect above. */
    if (store->open.bytes > store->batch_bytes_max)
        log_fatal("a transaction is larger than the store's bound for one", NULL, 0);
}

void txn_put(struct txn *txn, enum table table, const void *key, size_t key_size, const void *value,
             size_t value_size)
{
    struct overlay *live = txn->store->live;
    check_key(txn, table, key_size);
    assert(value_size <= table_infos[table].value_bytes_max);
    uint64_t hash = store_hash(txn->store, table, key, key_size);
    struct row *row = overlay_find(live, hash, table, key, key_size);
    if (row == NULL) {
        row = add_row(txn, hash, table, key, key_size, value_size);
    } else {
        change_row(txn, row, value_size);
        if (row->value_capacity < value_size)
            overlay_grow_value(live, row, value_size);
    }
    if (value_size > 0)
        memcpy(overlay_value(live, row), value, value_size);
    row->value_size = (uint16_t)value_size;
    row->is_deleted = false;
    check_bound(txn->store);
}

bool txn_delete(struct txn *txn, enum table table, const void *key, size_t key_size)
{
    struct store *store = txn->store;
    size_t value_size;
    check_key(txn, table, key_size);
    uint64_t hash = store_hash(store, table, key, key_size);
    struct row *row = overlay_find(store->live, hash, table, key, key_size);
    if (row != NULL && row->is_deleted)
        return false;
    if (row == NULL) {
        if (get_below(store, hash, table, key, key_size, &value_size) == NULL)
            return false;
        row = add_row(txn, hash, table, key, key_size, 0);
    } else {
        change_row(txn, row, 0);
    }
    row->value_size = 0;
    row->is_deleted = true;
    check_bound(store);
    return true;
}

/* Taking back */

static void take_back(struct txn *txn, const struct undo *undo)
{
    struct store *store = txn->store;
    struct row *row = overlay_row(store->live, undo->row);
    bool was_listed = !undo->was_added && undo->batch == open_batch_mark(store);

    if (!was_listed) {
        assert(store->open.first == undo->row);
        store->open.first = row->next_changed;
        store->open.rows--;
    }
    store->open.bytes = undo->batch_bytes;
    if (undo->was_added) {
        overlay_remove(store->live, undo->hash, row, undo->used);
        return;
    }
    row->next_changed = undo->next_changed;
    row->batch = undo->batch;
    row->value_at = undo->value_at;
    row->value_size = undo->value_size;
    row->value_capacity = undo->value_capacity;
    row->is_deleted = undo->was_deleted;
    if (undo->is_saved) {
        txn->values.size -= undo->value_size;
        if (undo->value_size > 0)
            memcpy(overlay_value(store->live, row), txn->values.data + txn->values.size,
                   undo->value_size);
    }
    store->live->used = undo->used;
}

void txn_unwind(struct txn *txn, size_t savepoint)
{
    assert(savepoint <= txn->undo_count);
    while (txn->undo_count > savepoint)
        take_back(txn, &txn->undo[--txn->undo_count]);
}

size_t txn_savepoint(struct txn *txn)
{
    assert(txn->is_open);
    return txn->undo_count;
}

void txn_rollback(struct txn *txn, size_t savepoint)
{
    assert(txn->is_open);
    txn_unwind(txn, savepoint);
}

/* Beginning and ending */

void txn_init(struct txn *txn, struct store *store)
{
    memset(txn, 0, sizeof *txn);
    txn->store = store;
    buffer_init(&txn->values);
}

void txn_release(struct txn *txn)
{
    assert(!txn->is_open);
    free(txn->undo);
    buffer_release(&txn->values);
}

struct txn *store_begin(struct store *store)
{
    assert(!store->txn.is_open);
    assert(store->txn.undo_count == 0);
    store->txn.is_open = true;
    store->txn.begun_bytes = store->open.bytes;
    return &store->txn;
}

bool store_txn_has_room(const struct txn *txn)
{
    const struct store *store = txn->store;

    return store->open.bytes + STORE_STEP_BYTES_MAX <= txn->begun_bytes + store->txn_bytes_max;
}

static void end_txn(struct txn *txn)
{
    for (int i = 0; i < WALKS_MAX; i++)
        assert(!txn->walks[i].is_open);
    txn->is_open = false;
    txn->undo_count = 0;
    txn->values.size = 0;
    if (txn->undo_capacity > UNDO_KEPT) {
        free(txn->undo);
        txn->undo = NULL;
        txn->undo_capacity = 0;
    }
    if (txn->values.capacity > VALUES_KEPT)
        buffer_release(&txn->values);
}

void store_commit(struct txn *txn)
{
    assert(txn->is_open);
    end_txn(txn);
}

void store_abort(struct txn *txn)
{
    assert(txn->is_open);
    txn_unwind(txn, 0);
    end_txn(txn);
}
