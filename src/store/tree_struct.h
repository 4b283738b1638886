/* What the tree consists of; for tree.c and tree_writer.c, the only ones that know its LMDB. */
#ifndef SMSD_STORE_TREE_STRUCT_H
#define SMSD_STORE_TREE_STRUCT_H

#include "store/file.h"
#include "store/lmdb_row.h"
#include "store/tree.h"

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

#endif
