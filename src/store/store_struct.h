/* What a store consists of; for the files of this room alone. The loop's thread owns all of it but
 * what journal, checkpoint, scans and history guard by themselves. */
#ifndef SMSD_STORE_STORE_STRUCT_H
#define SMSD_STORE_STORE_STRUCT_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "store/checkpoint.h"
#include "store/data_dir.h"
#include "store/filter.h"
#include "store/history.h"
#include "store/journal.h"
#include "store/overlay.h"
#include "store/scan.h"
#include "store/store.h"
#include "store/tree.h"

/* How to take one change back. */
struct undo {
    uint64_t hash; /* of the key, where the row was added */
    size_t used;   /* of the overlay, before */
    size_t batch_bytes;
    row_ref row;
    row_ref next_changed;
    uint32_t batch;
    row_ref value_at;
    uint16_t value_size;
    uint16_t value_capacity;
    bool was_added;
    bool was_deleted;
    bool is_saved; /* the value before lies at the end of txn.values */
};

struct walk {
    struct txn_walk shown; /* first: callers hold a pointer to it */
    struct txn *txn;
    bool is_open;
    enum table table;
    bool up;
    row_ref live, frozen; /* the next row of each; 0: none */
    struct tree_cursor *cursor;
    struct tree_row row;                   /* the next row of LMDB, */
    bool has_row;                          /* if there is one */
    bool took_live, took_frozen, took_row; /* shown last: to be left behind by the next step */
    uint64_t unwound;                      /* of the live generation, when `live` was found */
    unsigned char bound[KEY_BYTES_MAX];    /* the last key shown, or where the walk begins */
    size_t bound_size;                     /* 0: at the end the direction starts at */
    const void *last;                      /* NULL: to the end */
    size_t last_size;
    size_t prefix_size; /* of `bound`: what every key begins with */
    bool has_shown;
};

struct txn {
    struct store *store;
    bool is_open;
    size_t begun_bytes; /* of the open batch when it began */
    struct undo *undo;
    size_t undo_count, undo_capacity;
    struct buffer values;
    struct walk walks[WALKS_MAX];
};

/* The open batch: rows changed since the last submit, each once. */
struct open_batch {
    row_ref first;
    size_t rows;
    size_t bytes; /* the sum of their costs: a bound for what encoding them takes */
};

struct store {
    struct store_options options;
    struct data_dir dir;
    struct key_hash_seed seed;
    size_t batch_bytes_max;
    size_t txn_bytes_max;

    struct overlay *live;
    struct overlay *frozen; /* being checkpointed, or NULL */
    struct tree *tree;      /* NULL: rows in memory only */
    struct tree_reader *reader;
    struct journal *journal; /* NULL likewise */

    struct txn txn;
    struct open_batch open;
    uint64_t submitted; /* sequence of the last batch handed over */
    atomic_uint_fast64_t durable;
    struct buffer payloads[2]; /* one is under way, the other idle */
    unsigned payload;

    struct checkpoint checkpoint;
    bool freeze_wanted;          /* at the next submit */
    uint64_t live_journal_bytes; /* handed to the journal since the live generation began */
    uint64_t live_since_ns;      /* when a tick first saw a change in it; 0: none yet */
    bool spare_wanted;           /* for the generation to come: asked for */
    bool index_wanted;           /* asked for, not there yet */
    struct scans scans;
    struct filters filters;
    struct history *history; /* NULL: rows in memory only */
};

static inline uint64_t store_hash(const struct store *store, enum table table, const void *key,
                                  size_t key_size)
{
    return key_hash(&store->seed, (unsigned)table, key, key_size);
}

/* txn.c */
void txn_init(struct txn *txn, struct store *store);
void txn_release(struct txn *txn);
/* Takes back everything since `savepoint`. */
void txn_unwind(struct txn *txn, size_t savepoint);

/* store.c: the live generation becomes the frozen one, of which there must be none. */
void store_next_generation(struct store *store);
/* The same for a checkpoint; the open batch must be empty. */
void store_freeze(struct store *store);
/* Takes over a finished checkpoint, if there is one; true if it did, then `position` is covered. */
bool store_adopt(struct store *store, struct journal_position *position);
/* A sentence in `why` about what is wrong, and an enum error. */
int store_recover(struct store *store, struct buffer *why);

#endif
