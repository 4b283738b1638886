/* Who was in a city, exactly, and a small number beside each (the day it was seen last): a set of
 * mobiles in about six bytes each, one cache line a look-up (CITY-3). It holds in memory what the
 * rows of visits say, so that a repeat, which is nearly every signal, costs no look at a row.
 *
 * Exact in so little room because most of a mobile is not stored but is the place where it lies
 * (Knuth 6.4, exercise 13; Cleary 1984): a secret permutation of all numbers below 2^50 scatters
 * the mobiles, the upper bits choose a line, and only the lower ones, the remainder, are kept. What
 * is found is found for certain, and the mobiles can be read back.
 *
 * It grows by itself in steps that hold nobody up: it is made of shards of at most
 * VISIT_SHARD_ENTRIES_MAX, each of which grows by an eighth when it is full, and is split in two
 * when it is large (extendible hashing: Fagin and others 1979). Deleting gives no memory back; who
 * has deleted much makes another table of what visit_walk_next says. */
#ifndef SMSD_ENGINE_VISIT_TABLE_H
#define SMSD_ENGINE_VISIT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

enum {
    VISIT_MOBILE_BITS = 50, /* 15 digits */
    VISIT_VALUE_BITS = 10,
    VISIT_SHARD_ENTRIES_MAX = 8192,
    VISIT_ROUNDS = 4,
};
#define VISIT_MOBILE_MAX ((UINT64_C(1) << VISIT_MOBILE_BITS) - 1)
#define VISIT_VALUE_MAX  ((1U << VISIT_VALUE_BITS) - 1)

struct visit_shard;

struct visit_table {
    uint32_t rounds[VISIT_ROUNDS]; /* of the permutation */
    uint32_t depth;                /* the directory has 2^depth places */
    struct visit_shard **shards;   /* one stands in several places in a row until it is split */
    uint64_t count;
    uint64_t bytes; /* of memory, all in all */
};

/* `key`: secret, so that nobody can send mobiles that lie all in one place. */
void visit_table_init(struct visit_table *table, const struct hash_key *key);
void visit_table_release(struct visit_table *table);

/* Mobiles are at most VISIT_MOBILE_MAX, values at most VISIT_VALUE_MAX. */

/* What stands for a mobile in this table: the same as long as its key is. */
uint64_t visit_table_place(const struct visit_table *table, uint64_t mobile);
/* Fetches the line a look-up will need, and does not wait. */
void visit_table_prefetch_at(const struct visit_table *table, uint64_t place);
bool visit_table_find_at(const struct visit_table *table, uint64_t place, uint32_t *value);
void visit_table_prefetch(const struct visit_table *table, uint64_t mobile);
/* False: it is not there. */
bool visit_table_find(const struct visit_table *table, uint64_t mobile, uint32_t *value);
/* Adds it or replaces its value; true: it is new. */
bool visit_table_put(struct visit_table *table, uint64_t mobile, uint32_t value);
/* True if it was there. */
bool visit_table_delete(struct visit_table *table, uint64_t mobile);

/* All of them, each once, in an order in which another table may well be filled. Nothing may be put
 * or deleted meanwhile.
 *
 *     struct visit_walk walk = {0};
 *     while (visit_walk_next(table, &walk)) … walk.mobile … walk.value … */
struct visit_walk {
    uint64_t mobile;
    uint32_t value;
    uint32_t place, line, slot; /* of what comes next */
};
bool visit_walk_next(const struct visit_table *table, struct visit_walk *walk);

/* Appends the shard that lies at `*from` (0 at first) and moves it behind; false: there was none
 * left. Between two calls mobiles may be put and deleted: what is read later holds every change
 * from before the first call, and perhaps some newer. */
struct buffer;
bool visit_table_save_next(const struct visit_table *table, uint64_t *from, struct buffer *to);
/* The table of what was saved, under the same key; `*at` moves behind it. NULL; or what is wrong,
 * and the table is of no use but to be released. `table` must be new. */
const char *visit_table_load(struct visit_table *table, const char **at, const char *end);

#endif
