/* A filter in memory for each table whose look-ups mostly find nothing (MISSED in table.def):
 * idempotency keys are new, a user has not grabbed yet. It answers "certainly not in LMDB" from one
 * cache line, where LMDB would walk a path of cold pages to say the same; "perhaps" still asks
 * LMDB, once in a hundred in vain.
 *
 * A blocked Bloom filter (Putze, Sanders, Singler 2007): a key's bits lie in one block of 512; 12
 * bits a key, 6 set. It is never written down. At the start, and when more keys were added than it
 * was made for, a thread of its own makes one from the rows; until it is there every look-up goes
 * to LMDB. Keys deleted stay in it until then. */
#ifndef SMSD_STORE_FILTER_H
#define SMSD_STORE_FILTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/table.h"

struct buffer;
struct overlay;
struct store;

struct filter_bits {
    atomic_uint_fast64_t *words;
    uint64_t blocks;
    uint64_t capacity; /* keys it was made for */
    uint64_t keys;     /* added, by the checkpoint thread or the builder alone */
};

struct filter {
    struct filter_bits *shown;    /* loop's thread only: what look-ups ask; NULL: LMDB */
    struct filter_bits *current;  /* what they are to ask from the next tick on */
    struct filter_bits *building; /* gets what checkpoints add meanwhile */
    struct filter_bits *retired;  /* freed once the loop shows another */
};

struct filters {
    struct store *store;
    pthread_t thread;
    bool runs;
    pthread_mutex_t mutex; /* guards all below but `shown` */
    pthread_cond_t wakes;
    atomic_bool stops;
    atomic_bool has_new; /* a filter that the loop does not show yet */
    struct filter tables[TABLE_NUMBER_MAX + 1];
};

int filters_start(struct filters *filters, struct store *store, struct buffer *why);
void filters_stop(struct filters *filters);

static inline bool filter_bits_may_have(const struct filter_bits *bits, uint64_t hash)
{
    const uint64_t pick = hash * UINT64_C(0x9e3779b97f4a7c15);
    const atomic_uint_fast64_t *block =
        bits->words + (size_t)((hash >> 32) * bits->blocks >> 32) * 8;

    for (unsigned i = 0; i < 6; i++) {
        unsigned bit = (unsigned)(pick >> (10 + 9 * i)) & 511;
        uint64_t word = atomic_load_explicit(&block[bit / 64], memory_order_relaxed);
        if (!(word >> (bit % 64) & 1))
            return false;
    }
    return true;
}

/* Loop's thread: false if LMDB certainly has no such row. */
static inline bool filter_may_have(const struct filters *filters, enum table table, uint64_t hash)
{
    const struct filter_bits *bits = filters->tables[table].shown;

    return bits == NULL || filter_bits_may_have(bits, hash);
}

/* Checkpoint thread: the generation is in LMDB, and still in memory. */
void filters_add(struct filters *filters, const struct overlay *overlay);
/* Loop's thread: when has_new says so, and always before a checkpoint is adopted. */
void filters_show(struct filters *filters);

#endif
