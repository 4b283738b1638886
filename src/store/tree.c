/* LMDB, see tree.h.
 *
 * Flags: MDB_NOTLS, so that one thread may hold several readers and hand them on. MDB_NORDAHEAD,
 * because the look-ups are of random rows of a file that may be larger than memory: reading ahead
 * would push out 31 pages that are wanted for each one that is. Not MDB_NOMEMINIT: it saves one
 * memset per new page of a checkpoint, and writes what lay in the heap, keys of clients among it,
 * into the file's gaps.
 *
 * LMDB keeps the memory of the pages a transaction changed for the next one, for ever. PAGES_MAX
 * bounds that: a checkpoint is written as several transactions of about that many pages. */
#include "store/tree.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/log.h"
#include "store/file.h"
#include "store/journal.h"
#include "store/key_order.h"

enum {
    PAGES_MAX = 6000,
    PAGE_BYTES = 4096,
    ROWS_PER_COMMIT_MAX = 1 << 20,
    CRC_BYTES = 4,
    READERS_MAX = 64,
    REASON_MAX = 160,
};

/* Beside the tables of table.def: what the store keeps for itself. */
#define STATE_TABLE ((enum table)0)

static const char position_key[] = "position";

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

struct tree_reader {
    struct tree *tree;
    MDB_txn *txn;
};

struct tree_cursor {
    struct tree *tree;
    enum table table;
    MDB_cursor *cursor;
};

struct tree_writer {
    struct tree *tree;
    MDB_txn *txn;
    MDB_cursor *cursor; /* of `table` */
    enum table table;
    unsigned char last[KEY_BYTES_MAX]; /* the table's last key when it was opened */
    size_t last_size;                  /* 0: it had no rows */
    bool appends;                      /* the rest of the table's rows go behind its last one */
    int error;                         /* of LMDB; sticky */
    size_t pages_max;
    size_t pages; /* changed, an estimate */
    size_t rows;
    const char *page_low, *page_high; /* where rows of the current page lay */
};

static uint32_t row_crc(enum table table, const void *key, size_t key_size, const void *value,
                        size_t value_size)
{
    return crc32c(crc32c((uint32_t)table, key, key_size), value, value_size);
}

static int tree_error(int error)
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

static int tree_fail(struct buffer *why, const char *verb, const struct tree *tree, int error)
{
    buffer_append_format(why, "LMDB cannot %s %s: %s", verb, tree->path, mdb_strerror(error));
    return tree_error(error);
}

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
    char name[16];
    int error = mdb_txn_begin(tree->env, NULL, read_only ? MDB_RDONLY : 0, &txn);
    if (error != 0)
        return tree_fail(why, "begin a transaction in", tree, error);
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
        return tree_fail(why, "open a table in", tree, error);
    }
    error = mdb_txn_commit(txn);
    return error != 0 ? tree_fail(why, "commit to", tree, error) : 0;
}

int tree_open(struct tree **opened, const char *directory, size_t map_bytes_max, bool read_only,
              struct buffer *why)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL)
        return ERR_NO_MEMORY;
    file_path(tree->path, directory, "data.mdb");
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (read_only ? MDB_RDONLY | MDB_NOLOCK : 0);
    int error = mdb_env_create(&tree->env);
    if (error == 0 && map_bytes_max > 0)
        error = mdb_env_set_mapsize(tree->env, map_bytes_max);
    if (error == 0)
        error = mdb_env_set_maxdbs(tree->env, TABLE_NUMBER_MAX + 1);
    if (error == 0)
        error = mdb_env_set_maxreaders(tree->env, READERS_MAX);
    if (error == 0)
        error = mdb_env_open(tree->env, directory, flags, 0600);
    error = error != 0 ? tree_fail(why, "open", tree, error) : open_tables(tree, read_only, why);
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
        return tree_error(error);
    }
    *begun = reader;
    return 0;
}

void tree_reader_renew(struct tree_reader *reader)
{
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
    free(reader);
}

/* Takes the checksum off; false if it is wrong. */
static bool open_value(enum table table, const MDB_val *key, const MDB_val *data,
                       size_t *value_size)
{
    uint32_t crc;
    if (data->mv_size < CRC_BYTES)
        return false;
    *value_size = data->mv_size - CRC_BYTES;
    memcpy(&crc, (const char *)data->mv_data + *value_size, sizeof crc);
    return crc == row_crc(table, key->mv_data, key->mv_size, data->mv_data, *value_size);
}

static void *drop_const(const void *pointer)
{
    void *plain;
    memcpy(&plain, &pointer, sizeof plain);
    return plain;
}

const void *tree_get(struct tree_reader *reader, enum table table, const void *key, size_t key_size,
                     size_t *value_size)
{
    MDB_val name = {key_size, drop_const(key)};
    MDB_val data;
    if (!reader->tree->has_table[table])
        return NULL;
    int error = mdb_get(reader->txn, reader->tree->tables[table], &name, &data);
    if (error == MDB_NOTFOUND)
        return NULL;
    if (error != 0)
        row_fatal(reader->tree, table, key, key_size, mdb_strerror(error));
    if (!open_value(table, &name, &data, value_size))
        row_fatal(reader->tree, table, key, key_size, "the checksum of a stored row is wrong");
    return data.mv_data;
}

int tree_position(struct tree_reader *reader, struct journal_position *position)
{
    struct position_row row = {0};
    size_t size = 0;
    MDB_val name = {sizeof position_key - 1, drop_const(position_key)};
    MDB_val data;

    memset(position, 0, sizeof *position);
    if (!reader->tree->has_table[STATE_TABLE])
        return 0;
    int error = mdb_get(reader->txn, reader->tree->tables[STATE_TABLE], &name, &data);
    if (error == MDB_NOTFOUND)
        return 0;
    if (error != 0)
        return tree_error(error);
    if (!open_value(STATE_TABLE, &name, &data, &size) || size != sizeof row)
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
    return tree_error(error);
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
        return tree_error(error) == ERR_DAMAGED ? ERR_DAMAGED : ERR_IO;
    row->key = key->mv_data;
    row->key_size = key->mv_size;
    row->value = data->mv_data;
    return open_value(cursor->table, key, data, &row->value_size) ? 1 : ERR_DAMAGED;
}

int tree_cursor_seek(struct tree_cursor *cursor, bool up, const void *key, size_t key_size,
                     struct tree_row *row)
{
    MDB_val wanted = {key_size, drop_const(key)};
    MDB_val found = wanted;
    MDB_val data;
    int error = key == NULL
                    ? mdb_cursor_get(cursor->cursor, &found, &data, up ? MDB_FIRST : MDB_LAST)
                    : mdb_cursor_get(cursor->cursor, &found, &data, MDB_SET_RANGE);
    if (key != NULL && !up) {
        if (error == MDB_NOTFOUND)
            error = mdb_cursor_get(cursor->cursor, &found, &data, MDB_LAST);
        else if (error == 0 && (found.mv_size != wanted.mv_size ||
                                memcmp(found.mv_data, wanted.mv_data, wanted.mv_size) != 0))
            error = mdb_cursor_get(cursor->cursor, &found, &data, MDB_PREV);
    }
    return cursor_row(cursor, error, &found, &data, row);
}

int tree_cursor_move(struct tree_cursor *cursor, bool up, struct tree_row *row)
{
    MDB_val key, data;
    int error = mdb_cursor_get(cursor->cursor, &key, &data, up ? MDB_NEXT : MDB_PREV);
    return cursor_row(cursor, error, &key, &data, row);
}

/* Writing */

struct tree_writer *tree_writer_new(struct tree *tree, size_t pages_max)
{
    struct tree_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        log_fatal("out of memory", NULL, ENOMEM);
    writer->tree = tree;
    writer->pages_max = pages_max != 0 ? pages_max : PAGES_MAX;
    return writer;
}

void tree_writer_free(struct tree_writer *writer)
{
    tree_writer_abort(writer);
    free(writer);
}

void tree_writer_begin(struct tree_writer *writer)
{
    assert(writer->txn == NULL);
    writer->error = mdb_txn_begin(writer->tree->env, NULL, 0, &writer->txn);
    writer->cursor = NULL;
    writer->pages = 0;
    writer->rows = 0;
    writer->page_low = writer->page_high = NULL;
}

static void close_table(struct tree_writer *writer)
{
    if (writer->cursor != NULL)
        mdb_cursor_close(writer->cursor);
    writer->cursor = NULL;
}

static void remember_last(struct tree_writer *writer)
{
    MDB_val last, data;
    int error = mdb_cursor_get(writer->cursor, &last, &data, MDB_LAST);
    writer->last_size = 0;
    if (error == 0 && last.mv_size <= sizeof writer->last) {
        memcpy(writer->last, last.mv_data, last.mv_size);
        writer->last_size = last.mv_size;
    } else if (error != MDB_NOTFOUND) {
        writer->error = error != 0 ? error : MDB_CORRUPTED;
    }
}

/* The cursor for rows of `table` from `key` on. */
static void open_table(struct tree_writer *writer, enum table table, const MDB_val *key)
{
    if (writer->error != 0)
        return;
    if (writer->cursor == NULL || writer->table != table) {
        close_table(writer);
        writer->table = table;
        writer->appends = false;
        writer->error = mdb_cursor_open(writer->txn, writer->tree->tables[table], &writer->cursor);
        if (writer->error != 0)
            return;
        remember_last(writer);
    }
    if (!writer->appends)
        writer->appends =
            key_compare(key->mv_data, key->mv_size, writer->last, writer->last_size) > 0;
}

/* Counts pages by where their rows lie in memory: what is further than a page from the others is on
 * another. Two pages next to each other may be taken for one, so the count may be half of the
 * truth. */
static void count_page(struct tree_writer *writer, const char *at, size_t size)
{
    const char *low = at < writer->page_low ? at : writer->page_low;
    const char *high = at > writer->page_high ? at : writer->page_high;
    writer->rows++;
    writer->pages += size / PAGE_BYTES;
    if (writer->page_low != NULL && high - low < PAGE_BYTES) {
        writer->page_low = low;
        writer->page_high = high;
        return;
    }
    writer->page_low = writer->page_high = at;
    writer->pages++;
}

static void put(struct tree_writer *writer, enum table table, MDB_val *key, const void *value,
                size_t value_size)
{
    uint32_t crc = row_crc(table, key->mv_data, key->mv_size, value, value_size);
    MDB_val data = {value_size + CRC_BYTES, NULL};

    open_table(writer, table, key);
    if (writer->error == 0)
        writer->error = mdb_cursor_put(writer->cursor, key, &data,
                                       MDB_RESERVE | (writer->appends ? MDB_APPEND : 0));
    if (writer->error != 0)
        return;
    memcpy(data.mv_data, value, value_size);
    memcpy((char *)data.mv_data + value_size, &crc, sizeof crc);
    count_page(writer, data.mv_data, data.mv_size);
}

void tree_writer_put(struct tree_writer *writer, enum table table, const void *key, size_t key_size,
                     const void *value, size_t value_size)
{
    MDB_val name = {key_size, drop_const(key)};
    put(writer, table, &name, value, value_size);
}

void tree_writer_delete(struct tree_writer *writer, enum table table, const void *key,
                        size_t key_size)
{
    MDB_val name = {key_size, drop_const(key)};
    MDB_val data;

    open_table(writer, table, &name);
    if (writer->error != 0 || writer->appends)
        return; /* behind the last row there is nothing to delete */
    int error = mdb_cursor_get(writer->cursor, &name, &data, MDB_SET);
    if (error == 0)
        error = mdb_cursor_del(writer->cursor, 0);
    if (error == 0) {
        writer->rows++;
        writer->pages++; /* not worth more care */
    } else if (error != MDB_NOTFOUND) {
        writer->error = error;
    }
}

bool tree_writer_is_full(const struct tree_writer *writer)
{
    return writer->pages >= writer->pages_max || writer->rows >= ROWS_PER_COMMIT_MAX ||
           writer->error != 0;
}

int tree_writer_commit(struct tree_writer *writer, const struct journal_position *position,
                       struct buffer *why)
{
    if (position != NULL && writer->error == 0) {
        struct position_row row = {position->sequence, position->segment, position->offset,
                                   position->crc, 0};
        MDB_val key = {sizeof position_key - 1, drop_const(position_key)};
        put(writer, STATE_TABLE, &key, &row, sizeof row);
    }
    close_table(writer);
    int error = writer->error;
    if (error == 0) {
        error = mdb_txn_commit(writer->txn); /* which frees it, whatever comes of it */
        writer->txn = NULL;
    } else {
        tree_writer_abort(writer);
    }
    if (error == MDB_PANIC)
        log_fatal("LMDB failed to write its meta page", writer->tree->path, 0);
    return error != 0 ? tree_fail(why, "write to", writer->tree, error) : 0;
}

void tree_writer_abort(struct tree_writer *writer)
{
    close_table(writer);
    if (writer->txn != NULL)
        mdb_txn_abort(writer->txn);
    writer->txn = NULL;
}
