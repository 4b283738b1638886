/* Writing checkpoints to LMDB: rows come table by table in key order, through one cursor, and
 * behind a table's last key they are appended, which fills pages and needs no search.
 *
 * LMDB keeps the memory of the pages a transaction changed for the next one, for ever. PAGES_MAX
 * bounds that: a checkpoint is written as several transactions of about that many pages. */
#include "store/tree_struct.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "store/journal.h"
#include "store/key_order.h"

enum { PAGES_MAX = 6000, PAGE_BYTES = 4096, ROWS_PER_COMMIT_MAX = 1 << 20 };

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
    MDB_val data;

    open_table(writer, table, key);
    if (writer->error == 0)
        writer->error =
            lmdb_put(writer->cursor, table, key, value, value_size, writer->appends, &data);
    if (writer->error == 0)
        count_page(writer, data.mv_data, data.mv_size);
}

void tree_writer_put(struct tree_writer *writer, enum table table, const void *key, size_t key_size,
                     const void *value, size_t value_size)
{
    MDB_val name = lmdb_key(key, key_size);
    put(writer, table, &name, value, value_size);
}

void tree_writer_delete(struct tree_writer *writer, enum table table, const void *key,
                        size_t key_size)
{
    MDB_val name = lmdb_key(key, key_size);
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
        MDB_val key = lmdb_key(POSITION_KEY, sizeof POSITION_KEY - 1);
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
    return error != 0 ? lmdb_fail(why, "write to", writer->tree->path, error) : 0;
}

void tree_writer_abort(struct tree_writer *writer)
{
    close_table(writer);
    if (writer->txn != NULL)
        mdb_txn_abort(writer->txn);
    writer->txn = NULL;
}
