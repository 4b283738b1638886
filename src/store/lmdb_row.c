/* Rows in LMDB, see lmdb_row.h. */
#include "store/lmdb_row.h"

#include "base/buffer.h"
#include "base/error.h"
#include "store/file.h"

enum { READERS_MAX = 64 };

int lmdb_error(int error)
{
    if (error > 0)
        return file_error(error);
    switch (error) {
    case 0:
        return 0;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return ERR_NO_SPACE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
        return ERR_DAMAGED;
    case MDB_VERSION_MISMATCH:
        return ERR_FORMAT_VERSION;
    default:
        return ERR_IO;
    }
}

int lmdb_fail(struct buffer *why, const char *verb, const char *path, int error)
{
    buffer_append_format(why, "LMDB cannot %s %s: %s", verb, path, mdb_strerror(error));
    return lmdb_error(error);
}

int lmdb_open(MDB_env **env, const char *path, unsigned flags, size_t map_bytes_max,
              unsigned databases)
{
    int error = mdb_env_create(env);

    if (error == 0 && map_bytes_max > 0)
        error = mdb_env_set_mapsize(*env, map_bytes_max);
    if (error == 0)
        error = mdb_env_set_maxdbs(*env, databases);
    if (error == 0)
        error = mdb_env_set_maxreaders(*env, READERS_MAX);
    return error == 0 ? mdb_env_open(*env, path, flags, 0600) : error;
}

int lmdb_put(MDB_cursor *cursor, uint32_t database, MDB_val *key, const void *value,
             size_t value_size, bool appends, MDB_val *data)
{
    uint32_t crc = lmdb_crc(database, key, value, value_size);
    int error;

    *data = (MDB_val){value_size + LMDB_CRC_BYTES, NULL};
    error = mdb_cursor_put(cursor, key, data, MDB_RESERVE | (appends ? MDB_APPEND : 0));
    if (error != 0)
        return error;
    if (value_size > 0)
        memcpy(data->mv_data, value, value_size);
    memcpy((char *)data->mv_data + value_size, &crc, sizeof crc);
    return 0;
}

int lmdb_seek(MDB_cursor *cursor, bool up, MDB_val *key, MDB_val *data)
{
    MDB_val wanted = *key;
    int error = mdb_cursor_get(cursor, key, data, MDB_SET_RANGE);

    if (up)
        return error;
    if (error == MDB_NOTFOUND)
        return mdb_cursor_get(cursor, key, data, MDB_LAST);
    if (error != 0 || (key->mv_size == wanted.mv_size &&
                       memcmp(key->mv_data, wanted.mv_data, wanted.mv_size) == 0))
        return error;
    return mdb_cursor_get(cursor, key, data, MDB_PREV);
}
