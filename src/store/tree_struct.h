/* What the tree consists of; for tree.c and tree_writer.c, the only ones that know LMDB. */
#ifndef SMSD_STORE_TREE_STRUCT_H
#define SMSD_STORE_TREE_STRUCT_H

#include <lmdb.h>
#include <string.h>

#include "base/crc32c.h"
#include "store/file.h"
#include "store/tree.h"

enum { TREE_CRC_BYTES = 4 };

/* Beside the tables of table.def: what the store keeps for itself. */
#define STATE_TABLE  ((enum table)0)
#define POSITION_KEY "position"

struct position_row {
    uint64_t sequence, segment, offset;
    uint32_t crc, zero;
};

struct tree {
    MDB_env *env;
    MDB_dbi tables[TABLE_NUMBER_MAX + 1];
    bool has_table[TABLE_NUMBER_MAX + 1];
    char path[FILE_PATH_MAX];
};

/* What follows each value. */
static inline uint32_t row_crc(enum table table, const void *key, size_t key_size,
                               const void *value, size_t value_size)
{
    return crc32c(crc32c((uint32_t)table, key, key_size), value, value_size);
}

/* LMDB takes keys as MDB_val, which has no const; it does not write to them. */
static inline MDB_val tree_key(const void *key, size_t key_size)
{
    MDB_val value = {.mv_size = key_size};
    memcpy(&value.mv_data, &key, sizeof key);
    return value;
}

/* An error of LMDB as an enum error; the second says it. */
int tree_error(int error);
int tree_fail(struct buffer *why, const char *verb, const struct tree *tree, int error);

#endif
