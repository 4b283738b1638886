/* Rows in LMDB, in whichever file: data.mdb (tree) or a day of history (history_day). LMDB has no
 * checksums of its own, so each value is followed by 4 bytes of CRC-32C over the database's number,
 * key and value, checked whenever it is read. Errors are LMDB's: 0, one of its own (negative), or
 * an errno value. */
#ifndef SMSD_STORE_LMDB_ROW_H
#define SMSD_STORE_LMDB_ROW_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/crc32c.h"

struct buffer;

enum { LMDB_CRC_BYTES = 4 };

/* As an enum error. */
int lmdb_error(int error);
/* Says "LMDB cannot VERB PATH: why" and returns lmdb_error. */
int lmdb_fail(struct buffer *why, const char *verb, const char *path, int error);

/* `map_bytes_max` 0: as large as LMDB will have it. After an error `*env` may be there: it is for
 * mdb_env_close, like any. */
int lmdb_open(MDB_env **env, const char *path, unsigned flags, size_t map_bytes_max,
              unsigned databases);

/* LMDB takes keys as MDB_val, which has no const; it does not write to them. */
static inline MDB_val lmdb_key(const void *key, size_t key_size)
{
    MDB_val value = {.mv_size = key_size};
    memcpy(&value.mv_data, &key, sizeof key);
    return value;
}

static inline uint32_t lmdb_crc(uint32_t database, const MDB_val *key, const void *value,
                                size_t value_size)
{
    return crc32c(crc32c(database, key->mv_data, key->mv_size), value, value_size);
}

/* Takes the checksum off; false: it is wrong. */
static inline bool lmdb_open_value(uint32_t database, const MDB_val *key, const MDB_val *data,
                                   size_t *value_size)
{
    uint32_t crc;
    if (data->mv_size < LMDB_CRC_BYTES)
        return false;
    *value_size = data->mv_size - LMDB_CRC_BYTES;
    memcpy(&crc, (const char *)data->mv_data + *value_size, sizeof crc);
    return crc == lmdb_crc(database, key, data->mv_data, *value_size);
}

/* Puts the row, with its checksum. `appends`: its key lies behind all others. `data` is then where
 * it lies. */
int lmdb_put(MDB_cursor *cursor, uint32_t database, MDB_val *key, const void *value,
             size_t value_size, bool appends, MDB_val *data);
/* To the first key >= `key` (`up`), or the last <= `key`, which is then there instead. */
int lmdb_seek(MDB_cursor *cursor, bool up, MDB_val *key, MDB_val *data);

#endif
