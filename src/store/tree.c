/* LMDB, see tree.h.
 *
 * Flags: MDB_NOTLS, so that one thread may hold several readers and hand them on. MDB_NORDAHEAD,
 * because the look-ups are of random rows of a file that may be larger than memory: reading ahead
 * would push out 31 pages that are wanted for each one that is. Not MDB_NOMEMINIT: it saves one
 * memset per new page of a checkpoint, and writes what lay in the heap, keys of clients among it,
 * into the file's gaps. */
#include "store/tree_struct.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "store/journal.h"
#include "store/leaf_index.h"

enum {
    LOOK_UPS_MIN = 1000, /* for a table to be worth an index */
    NAME_BYTES = 16,
    REASON_MAX = 160,
};

/* Of a commit: where each table's rows are. */
struct tree_index {
    size_t commit;
    struct leaf_index *tables[TABLE_NUMBER_MAX + 1]; /* NULL: ask LMDB */
};

struct tree_reader {
    struct tree *tree;
    MDB_txn *txn;
    struct tree_index *index; /* of the same commit; or NULL */
    bool wants_index;         /* for a table that has none; asked for once a commit */
    atomic_uint_fast32_t look_ups[TABLE_NUMBER_MAX + 1]; /* since the last index was made */
};

struct tree_cursor {
    struct tree *tree;
    enum table table;
    MDB_cursor *cursor;
};

_Noreturn static void row_fatal(const struct tree *tree, enum table table, const void *key,
                                size_t key_size, const char *reason)
{
    char what[REASON_MAX + 2 * KEY_BYTES_MAX];
    int size = snprintf(what, sizeof what, "%s, table %s, key ", reason,
                        table_infos[table].name == NULL ? "?" : table_infos[table].name);
    for (size_t i = 0; i < key_size && (size_t)size + 3 < sizeof what; i++)
        size += snprintf(what + size, sizeof what - (size_t)size, "%02x",
                         ((const unsigned char *)key)[i]);
    log_fatal(what, tree->path, 0);
}

/* Opening */

static int open_tables(struct tree *tree, bool read_only, struct buffer *why)
{
    MDB_txn *txn = NULL;
    char name[NAME_BYTES];
    int error = mdb_txn_begin(tree->env, NULL, read_only ? MDB_RDONLY : 0, &txn);
    if (error != 0)
        return lmdb_fail(why, "begin a transaction in", tree->path, error);
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX && error == 0; table++) {
        if (table != STATE_TABLE && table_infos[table].name == NULL)
            continue;
        snprintf(name, sizeof name, "%u", table);
        error = mdb_dbi_open(txn, name, read_only ? 0 : MDB_CREATE, &tree->tables[table]);
        tree->has_table[table] = error == 0;
        if (error == MDB_NOTFOUND && read_only)
            error = 0; /* the store was written by a version without this table */
    }
    if (error != 0) {
        mdb_txn_abort(txn);
        return lmdb_fail(why, "open a table in", tree->path, error);
    }
    error = mdb_txn_commit(txn);
    return error != 0 ? lmdb_fail(why, "commit to", tree->path, error) : 0;
}

int tree_open(struct tree **opened, const char *directory, size_t map_bytes_max, bool read_only,
              struct buffer *why)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL)
        return ERR_NO_MEMORY;
    file_path(tree->path, directory, "data.mdb");
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (read_only ? MDB_RDONLY | MDB_NOLOCK : 0);
    int error = lmdb_open(&tree->env, directory, flags, map_bytes_max, TABLE_NUMBER_MAX + 1);
    error =
        error != 0 ? lmdb_fail(why, "open", tree->path, error) : open_tables(tree, read_only, why);
    if (error != 0) {
        tree_close(tree);
        return error;
    }
    *opened = tree;
    return 0;
}

void tree_close(struct tree *tree)
{
    if (tree == NULL)
        return;
    if (tree->env != NULL)
        mdb_env_close(tree->env);
    free(tree);
}

/* Reading */

int tree_reader_begin(struct tree *tree, struct tree_reader **begun)
{
    struct tree_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return ERR_NO_MEMORY;
    reader->tree = tree;
    int error = mdb_txn_begin(tree->env, NULL, MDB_RDONLY, &reader->txn);
    if (error != 0) {
        free(reader);
        return lmdb_error(error);
    }
    *begun = reader;
    return 0;
}

void tree_reader_renew(struct tree_reader *reader)
{
    assert(reader->index == NULL);
    mdb_txn_reset(reader->txn);
    int error = mdb_txn_renew(reader->txn);
    if (error != 0)
        log_fatal("cannot renew the view of the rows", reader->tree->path, error > 0 ? error : 0);
}

void tree_reader_end(struct tree_reader *reader)
{
    if (reader == NULL)
        return;
    mdb_txn_abort(reader->txn);
    tree_index_free(reader->index);
    free(reader);
}

/* LMDB's own description of a table (MDB_db), as it is stored under the table's name. */
struct table_root {
    uint32_t unused;
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, rows, root;
};

static struct leaf_index *index_table(struct tree *tree, MDB_txn *txn, unsigned table)
{
    char name[NAME_BYTES];
    MDB_dbi names;
    MDB_val key, data;
    MDB_envinfo info;
    MDB_stat stat;
    struct table_root found;
    uint64_t page_number;

    key.mv_size = (size_t)snprintf(name, sizeof name, "%u", table);
    key.mv_data = name;
    if (mdb_dbi_open(txn, NULL, 0, &names) != 0 || mdb_get(txn, names, &key, &data) != 0 ||
        data.mv_size != sizeof found || mdb_env_info(tree->env, &info) != 0 ||
        mdb_env_stat(tree->env, &stat) != 0 || stat.ms_psize == 0)
        return NULL;
    memcpy(&found, data.mv_data, sizeof found);
    /* A page begins with its number, and the map is aligned to pages: so this is page 0. */
    const char *page = (const char *)data.mv_data - (uintptr_t)data.mv_data % stat.ms_psize;
    memcpy(&page_number, page, sizeof page_number);
    const struct leaf_index_table of = {
        .map = page - page_number * stat.ms_psize,
        .page_bytes = stat.ms_psize,
        .pages = info.me_last_pgno + 1,
        .root = found.root,
        .depth = found.depth,
        .leaf_pages = found.leaf_pages,
    };
    return leaf_index_new(&of);
}

struct tree_index *tree_index_new(struct tree *tree, struct tree_reader *reader)
{
    MDB_txn *txn;
    struct tree_index *index = calloc(1, sizeof *index);
    if (index == NULL || mdb_txn_begin(tree->env, NULL, MDB_RDONLY, &txn) != 0) {
        free(index);
        return NULL;
    }
    index->commit = mdb_txn_id(txn);
    for (unsigned table = 1; table <= TABLE_NUMBER_MAX; table++)
        if (tree->has_table[table] &&
            atomic_exchange_explicit(&reader->look_ups[table], 0, memory_order_relaxed) >=
                LOOK_UPS_MIN)
            index->tables[table] = index_table(tree, txn, table);
    mdb_txn_abort(txn);
    return index;
}

void tree_index_free(struct tree_index *index)
{
    if (index == NULL)
        return;
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++)
        leaf_index_free(index->tables[table]);
    free(index);
}

struct tree_index *tree_reader_use(struct tree_reader *reader, struct tree_index *index)
{
    struct tree_index *before = reader->index;
    if (index != NULL && index->commit != mdb_txn_id(reader->txn))
        return index; /* of another commit; cannot be used */
    reader->index = index;
    reader->wants_index = false;
    return before;
}

static const void *checked_value(struct tree_reader *reader, enum table table, const MDB_val *key,
                                 const MDB_val *data, size_t *value_size)
{
    if (!lmdb_open_value(table, key, data, value_size))
        row_fatal(reader->tree, table, key->mv_data, key->mv_size,
                  "the checksum of a stored row is wrong");
    return data->mv_data;
}

static void count_look_up(struct tree_reader *reader, enum table table)
{
    atomic_uint_fast32_t *count = &reader->look_ups[table];
    /* One thread looks up, another reads and resets it now and then: no need of a locked addition.
     */
    uint_fast32_t look_ups = atomic_load_explicit(count, memory_order_relaxed) + 1;
    atomic_store_explicit(count, look_ups, memory_order_relaxed);
    if (look_ups == LOOK_UPS_MIN && reader->index == NULL)
        reader->wants_index = true;
}

bool tree_reader_wants_index(const struct tree_reader *reader)
{
    return reader->wants_index;
}

/* In builds for tests, LMDB must say the same. */
static void check_found(struct tree_reader *reader, enum table table, MDB_val *key, int result,
                        const void *found)
{
#ifdef SMSD_CRASH_POINTS
    MDB_val data;
    int error = mdb_get(reader->txn, reader->tree->tables[table], key, &data);
    assert(result >= 0);
    assert(result == 1 ? error == 0 && data.mv_data == found : error == MDB_NOTFOUND);
#else
    (void)reader, (void)table, (void)key, (void)result, (void)found;
#endif
}

const void *tree_get(struct tree_reader *reader, enum table table, const void *key, size_t key_size,
                     size_t *value_size)
{
    MDB_val name = lmdb_key(key, key_size);
    MDB_val data;
    if (!reader->tree->has_table[table])
        return NULL;
    count_look_up(reader, table);
    if (reader->index != NULL && reader->index->tables[table] != NULL) {
        const void *found = NULL;
        int result =
            leaf_index_find(reader->index->tables[table], key, key_size, &found, &data.mv_size);
        check_found(reader, table, &name, result, found);
        if (result == 0)
            return NULL;
        data = lmdb_key(found, data.mv_size);
        if (result == 1)
            return checked_value(reader, table, &name, &data, value_size);
    }
    int error = mdb_get(reader->txn, reader->tree->tables[table], &name, &data);
    if (error == MDB_NOTFOUND)
        return NULL;
    if (error != 0)
        row_fatal(reader->tree, table, key, key_size, mdb_strerror(error));
    return checked_value(reader, table, &name, &data, value_size);
}

int tree_position(struct tree_reader *reader, struct journal_position *position)
{
    struct position_row row = {0};
    size_t size = 0;
    MDB_val name = lmdb_key(POSITION_KEY, sizeof POSITION_KEY - 1);
    MDB_val data;

    memset(position, 0, sizeof *position);
    if (!reader->tree->has_table[STATE_TABLE])
        return 0;
    int error = mdb_get(reader->txn, reader->tree->tables[STATE_TABLE], &name, &data);
    if (error == MDB_NOTFOUND)
        return 0;
    if (error != 0)
        return lmdb_error(error);
    if (!lmdb_open_value(STATE_TABLE, &name, &data, &size) || size != sizeof row)
        return ERR_DAMAGED;
    memcpy(&row, data.mv_data, sizeof row);
    position->sequence = row.sequence;
    position->segment = row.segment;
    position->offset = row.offset;
    position->crc = row.crc;
    return 0;
}

int tree_count(struct tree_reader *reader, enum table table, uint64_t *rows)
{
    MDB_stat stat;
    *rows = 0;
    if (!reader->tree->has_table[table])
        return 0;
    int error = mdb_stat(reader->txn, reader->tree->tables[table], &stat);
    *rows = error == 0 ? stat.ms_entries : 0;
    return lmdb_error(error);
}

struct tree_cursor *tree_cursor_open(struct tree_reader *reader, enum table table)
{
    uint64_t rows;
    if (tree_count(reader, table, &rows) == 0 && rows == 0)
        return NULL;
    struct tree_cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor == NULL)
        log_fatal("out of memory", NULL, ENOMEM);
    cursor->tree = reader->tree;
    cursor->table = table;
    int error = mdb_cursor_open(reader->txn, reader->tree->tables[table], &cursor->cursor);
    if (error != 0)
        log_fatal("cannot open a cursor", reader->tree->path, error > 0 ? error : 0);
    return cursor;
}

void tree_cursor_close(struct tree_cursor *cursor)
{
    if (cursor == NULL)
        return;
    mdb_cursor_close(cursor->cursor);
    free(cursor);
}

static int cursor_row(const struct tree_cursor *cursor, int error, const MDB_val *key,
                      const MDB_val *data, struct tree_row *row)
{
    if (error == MDB_NOTFOUND)
        return 0;
    if (error != 0)
        return lmdb_error(error) == ERR_DAMAGED ? ERR_DAMAGED : ERR_IO;
    row->key = key->mv_data;
    row->key_size = key->mv_size;
    row->value = data->mv_data;
    return lmdb_open_value(cursor->table, key, data, &row->value_size) ? 1 : ERR_DAMAGED;
}

int tree_cursor_seek(struct tree_cursor *cursor, bool up, const void *key, size_t key_size,
                     struct tree_row *row)
{
    MDB_val found = lmdb_key(key, key_size);
    MDB_val data;
    int error = key == NULL
                    ? mdb_cursor_get(cursor->cursor, &found, &data, up ? MDB_FIRST : MDB_LAST)
                    : lmdb_seek(cursor->cursor, up, &found, &data);
    return cursor_row(cursor, error, &found, &data, row);
}

int tree_cursor_move(struct tree_cursor *cursor, bool up, struct tree_row *row)
{
    MDB_val key, data;
    int error = mdb_cursor_get(cursor->cursor, &key, &data, up ? MDB_NEXT : MDB_PREV);
    return cursor_row(cursor, error, &key, &data, row);
}
