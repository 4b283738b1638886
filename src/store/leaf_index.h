/* Finding a row of an LMDB table without descending its tree: the keys that divide its leaf pages,
 * eight bytes of each, in a compact search structure in memory. What LMDB does costs four levels of
 * about seven compares each, most of them a cache miss and many a TLB miss; this costs two or three
 * misses and one page. Measured with 10 million rows, see src/README.md.
 *
 * It reads LMDB's pages itself (data format 1, the one of LMDB 0.9), and only of one snapshot,
 * which a reader keeps from being overwritten. Debug builds hold each answer against LMDB's own. */
#ifndef SMSD_STORE_LEAF_INDEX_H
#define SMSD_STORE_LEAF_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/table.h"

enum { LEAF_INDEX_LEVELS_MAX = 8 };

/* Where LMDB keeps a table, in a snapshot. */
struct leaf_index_table {
    const char *map; /* page 0 */
    size_t page_bytes;
    uint64_t pages; /* in the file */
    uint64_t root;
    unsigned depth;
    uint64_t leaf_pages;
};

struct leaf_index {
    struct leaf_index_table of;
    size_t count;                        /* leaves */
    unsigned char shared[KEY_BYTES_MAX]; /* what all dividing keys begin with */
    size_t shared_size;
    unsigned level_count;
    size_t level_sizes[LEAF_INDEX_LEVELS_MAX];
    uint64_t *levels[LEAF_INDEX_LEVELS_MAX]; /* [0]: a head per leaf; each next: every 16th of it */
    uint32_t *leaves;                        /* their pages */
    uint32_t *divider_pages;                 /* where the whole dividing keys are: branch page, */
    uint16_t *divider_places;                /* and node in it */
    size_t mapped_bytes;
};

/* NULL if there is nothing to gain, no memory, or something unexpected in a page. */
struct leaf_index *leaf_index_new(const struct leaf_index_table *of);
void leaf_index_free(struct leaf_index *index);
/* 1 and the value, 0: no such row, -1: something unexpected in a page, ask LMDB. */
int leaf_index_find(const struct leaf_index *index, const void *key, size_t key_size,
                    const void **value, size_t *value_size);

#endif
