/* Transactions: how the engine reads and changes rows. The only door from engine to store.
 *
 * One transaction is open at a time, on the loop's thread. It sees its own writes, then those of
 * all committed transactions, durable or not, then what LMDB holds. Committing costs nothing and
 * waits for nothing: its changes become part of the open batch, which the journal makes durable
 * later. Aborting undoes every change.
 *
 * Nothing here fails: keys and values within the bounds of table.def always fit (the store refuses
 * work by store_admits before a transaction begins), and a row that cannot be read, or whose
 * checksum is wrong, stops the process. */
#ifndef SMSD_STORE_TXN_H
#define SMSD_STORE_TXN_H

#include <stdbool.h>
#include <stddef.h>

#include "store/table.h"

struct txn;

/* The value, or NULL if there is no such row. Not aligned (memcpy it into a struct), and valid
 * until the next put or delete, commit or abort. */
const void *txn_get(struct txn *txn, enum table table, const void *key, size_t key_size,
                    size_t *value_size);
/* The row will be looked up soon: has what of it is in memory on its way to the processor. First
 * while other work is left to do before (NEAR), and some work before that (FAR). */
enum txn_distance { TXN_FAR, TXN_NEAR };
void txn_expect(const struct txn *txn, enum table table, const void *key, size_t key_size,
                enum txn_distance distance);
/* Inserts or replaces. `value` may not point into a row that txn_get or a walk returned. */
void txn_put(struct txn *txn, enum table table, const void *key, size_t key_size, const void *value,
             size_t value_size);
/* True if there was such a row. */
bool txn_delete(struct txn *txn, enum table table, const void *key, size_t key_size);

/* A savepoint: txn_rollback undoes what was changed since, the transaction goes on. They nest. */
size_t txn_savepoint(struct txn *txn);
void txn_rollback(struct txn *txn, size_t savepoint);

/* A walk over an ordered table, in either direction, from a bound that may or may not exist.
 *
 *     struct txn_walk *walk = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_DOWN, key, size);
 *     while (txn_walk_next(walk)) … walk->key … walk->value …
 *     txn_walk_end(walk);
 *
 * Rows put or deleted while a walk is open may or may not be met by it; the row it stands on may be
 * deleted. Key and value are valid until the next call on the walk or change to a row. Few walks
 * are open at once (WALKS_MAX); they end before the transaction does. */
enum walk_direction { WALK_UP, WALK_DOWN };
enum { WALKS_MAX = 8 };

struct txn_walk {
    const void *key;
    size_t key_size;
    const void *value;
    size_t value_size;
};

/* UP: from the first key >= `from`; DOWN: from the last key <= `from`. `from` NULL: from the end
 * that the direction starts at. */
struct txn_walk *txn_walk(struct txn *txn, enum table table, enum walk_direction direction,
                          const void *from, size_t from_size);
bool txn_walk_next(struct txn_walk *walk);
/* Before the first row, where the walk ends: behind `last`, which must stay as long as it does; or
 * with the keys that begin as `from` does, with so many bytes of it. Rows that were deleted lie in
 * memory until a checkpoint, and a walk passes over each: it is asked for less when it need not
 * look for a row beyond those that are wanted. */
void txn_walk_until(struct txn_walk *walk, const void *last, size_t last_size);
void txn_walk_within(struct txn_walk *walk, size_t prefix_size);
void txn_walk_end(struct txn_walk *walk);

#endif
