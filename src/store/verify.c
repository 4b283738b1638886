/* Offline verification: reads every stored row and every batch, and shows the rows as recovery
 * would leave them.
 *
 * The journal is read twice: once to check it and to learn how much room its rows need, once to
 * gather them. They are then merged with LMDB's in key order, table after table. LMDB's own pages
 * have no checksums: what can be seen of damage to them is seen in the rows' checksums, order and
 * number. */
#include <errno.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "store/batch.h"
#include "store/data_dir.h"
#include "store/journal.h"
#include "store/key_order.h"
#include "store/sorted_rows.h"
#include "store/store.h"
#include "store/tree.h"

enum { TXN_ROOM_BYTES = 1 << 20 };

struct verify {
    struct data_dir dir;
    struct tree *tree;
    struct tree_reader *reader;
    struct journal_position position;
    size_t replay_bytes; /* what the journal's rows cost */
    struct overlay *overlay;
    struct key_hash_seed seed;
    struct sorted_rows sorted;
    struct buffer *summary, *why;
    struct store_verify asked;
};

static int each_row(struct verify *verify, const struct journal_position *end, const void *payload,
                    size_t size, void (*take)(struct verify *, const struct batch_row *))
{
    const unsigned char *at = payload, *stop = at + size;
    struct batch_row row;
    int more;
    while ((more = batch_next(&at, stop, &row)) == 1)
        take(verify, &row);
    if (more != 0)
        buffer_append_format(verify->why,
                             "the journal's batch %llu holds rows this version does not know",
                             (unsigned long long)end->sequence);
    return more;
}

static void count_row(struct verify *verify, const struct batch_row *row)
{
    verify->replay_bytes += 2 * batch_row_cost(row->key_size, row->value_size);
}

static int count_batch(void *context, const struct journal_position *end, const void *payload,
                       size_t size)
{
    return each_row(context, end, payload, size, count_row);
}

static void gather_row(struct verify *verify, const struct batch_row *row)
{
    uint64_t hash = key_hash(&verify->seed, (unsigned)row->table, row->key, row->key_size);
    overlay_put(verify->overlay, hash, row->table, row->key, row->key_size, row->value,
                row->value_size, row->is_deleted);
}

static int gather_batch(void *context, const struct journal_position *end, const void *payload,
                        size_t size)
{
    return each_row(context, end, payload, size, gather_row);
}

static int read_journal(struct verify *verify, struct buffer *summary,
                        int (*on_batch)(void *, const struct journal_position *, const void *,
                                        size_t))
{
    const struct journal_options options = {
        .directory = verify->dir.journal, .read_only = true, .summary = summary};
    struct journal *journal;
    int error = journal_segment_open(&journal, &options, verify->why);
    if (error != 0)
        return error;
    error = journal->ops->recover(journal, &verify->position, on_batch, verify, verify->why);
    journal->ops->close(journal);
    return error;
}

static int fail_row(struct verify *verify, enum table table, const void *key, size_t key_size,
                    const char *what)
{
    buffer_append_format(verify->why, "table %s: %s, key ", table_infos[table].name, what);
    for (size_t i = 0; i < key_size && i < KEY_BYTES_MAX; i++)
        buffer_append_format(verify->why, "%02x", ((const unsigned char *)key)[i]);
    return ERR_DAMAGED;
}

/* The cursor of one table, checking as it goes. */
struct stored {
    struct verify *verify;
    enum table table;
    struct tree_cursor *cursor; /* NULL: no rows */
    struct tree_row row;
    bool has_row;
    uint64_t rows;
    unsigned char last[KEY_BYTES_MAX];
    size_t last_size;
};

static int check_stored(struct stored *stored, int result)
{
    struct verify *verify = stored->verify;
    stored->has_row = result == 1;
    if (result == ERR_IO)
        buffer_append_format(verify->why, "table %s: LMDB cannot read on",
                             table_infos[stored->table].name);
    if (result == ERR_DAMAGED)
        return fail_row(verify, stored->table, stored->row.key, stored->row.key_size,
                        "the checksum of a stored row is wrong");
    if (result != 1)
        return result;
    const struct tree_row *row = &stored->row;
    if (row->key_size == 0 || row->key_size > KEY_BYTES_MAX ||
        (stored->rows > 0 &&
         key_compare(row->key, row->key_size, stored->last, stored->last_size) <= 0))
        return fail_row(verify, stored->table, row->key, row->key_size,
                        "a stored row is out of order");
    memcpy(stored->last, row->key, row->key_size);
    stored->last_size = row->key_size;
    stored->rows++;
    return 0;
}

static int next_stored(struct stored *stored)
{
    return check_stored(stored, tree_cursor_move(stored->cursor, true, &stored->row));
}

static int merge(struct verify *verify, struct stored *stored, uint64_t *shown)
{
    enum table table = stored->table;
    size_t i = verify->sorted.begins[table], end = verify->sorted.begins[table + 1];
    int result = 0;
    while (result == 0 && (stored->has_row || i < end)) {
        const struct row *row = i < end ? sorted_rows_at(&verify->sorted, i) : NULL;
        int order = row == NULL        ? 1
                    : !stored->has_row ? -1
                                       : key_compare(row_key(row), row->key_size, stored->row.key,
                                                     stored->row.key_size);
        if (order > 0) {
            result = verify->asked.on_row(verify->asked.context, table, stored->row.key,
                                          stored->row.key_size, stored->row.value,
                                          stored->row.value_size);
            ++*shown;
        } else if (!row->is_deleted) {
            result = verify->asked.on_row(verify->asked.context, table, row_key(row), row->key_size,
                                          overlay_value(verify->overlay, row), row->value_size);
            ++*shown;
        }
        if (order <= 0)
            i++;
        if (order >= 0 && result == 0)
            result = next_stored(stored);
    }
    return result;
}

static int verify_table(struct verify *verify, enum table table)
{
    struct stored stored = {.verify = verify, .table = table};
    uint64_t counted = 0, shown = 0;
    int result = tree_count(verify->reader, table, &counted);
    if (result != 0)
        return fail_row(verify, table, "", 0, "LMDB cannot open it");
    stored.cursor = tree_cursor_open(verify->reader, table);
    if (stored.cursor != NULL)
        result = check_stored(&stored, tree_cursor_seek(stored.cursor, true, NULL, 0, &stored.row));
    if (result == 0)
        result = merge(verify, &stored, &shown);
    tree_cursor_close(stored.cursor);
    if (result == 0 && stored.rows != counted)
        return fail_row(verify, table, "", 0, "LMDB holds another number of rows than it says");
    if (result == 0 && verify->summary != NULL)
        buffer_append_format(verify->summary, "table %s: %llu rows\n", table_infos[table].name,
                             (unsigned long long)shown);
    return result;
}

static int read_parts(struct verify *verify)
{
    int error = tree_open(&verify->tree, verify->dir.rows, 0, true, verify->why);
    if (error == 0 && (error = tree_reader_begin(verify->tree, &verify->reader)) != 0)
        buffer_append_text(verify->why, "cannot read the stored rows");
    if (error == 0 && (error = tree_position(verify->reader, &verify->position)) != 0)
        buffer_append_text(verify->why, "cannot read the last checkpoint's position");
    if (error == 0)
        error = read_journal(verify, verify->summary, count_batch);
    if (error != 0)
        return error;
    verify->overlay = overlay_new(verify->replay_bytes + OVERLAY_BYTES_MIN, TXN_ROOM_BYTES);
    if (verify->overlay == NULL)
        return ERR_NO_MEMORY;
    return read_journal(verify, NULL, gather_batch);
}

static int ignore_row(void *context, enum table table, const void *key, size_t key_size,
                      const void *value, size_t value_size)
{
    (void)context, (void)table, (void)key, (void)key_size, (void)value, (void)value_size;
    return 0;
}

/* As recovery would leave it. */
static bool is_row(struct verify *verify, enum table table, const void *key, size_t key_size)
{
    uint64_t hash = key_hash(&verify->seed, (unsigned)table, key, key_size);
    const struct row *row = overlay_find(verify->overlay, hash, table, key, key_size);
    size_t size;

    if (row != NULL)
        return !row->is_deleted;
    return tree_get(verify->reader, table, key, key_size, &size) != NULL;
}

static int on_record(void *context, uint64_t number, const void *value, size_t value_size,
                     uint64_t *to, uint64_t *company)
{
    struct verify *verify = context;
    char key[8];

    bytes_put_u64_be(key, number);
    return verify->asked.on_record(verify->asked.context, number, value, value_size,
                                   is_row(verify, verify->asked.live, key, sizeof key), to,
                                   company);
}

static int verify_rows(struct verify *verify)
{
    int error = 0;

    sorted_rows_init(&verify->sorted, verify->overlay);
    for (unsigned table = 1; table <= TABLE_NUMBER_MAX && error == 0; table++)
        if (table_infos[table].name != NULL)
            error = verify_table(verify, table);
    sorted_rows_release(&verify->sorted);
    return error;
}

int store_verify_all(const char *data_dir, struct buffer *summary, struct buffer *why,
                     const struct store_verify *asked)
{
    struct verify verify = {.summary = summary,
                            .why = why,
                            .asked = *asked,
                            .seed = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xd6e8feb86659fd93)}};
    int error = data_dir_open(&verify.dir, data_dir, true, why);

    if (error != 0)
        return error;
    if (verify.asked.on_row == NULL)
        verify.asked.on_row = ignore_row;
    error = read_parts(&verify);
    if (error == 0)
        error = verify_rows(&verify);
    if (error == 0 && asked->on_record != NULL)
        error = history_verify(verify.dir.history, summary, why, on_record, &verify);
    overlay_free(verify.overlay);
    tree_reader_end(verify.reader);
    tree_close(verify.tree);
    data_dir_close(&verify.dir);
    return error;
}

int store_verify(const char *data_dir, struct buffer *summary, struct buffer *why,
                 int (*on_row)(void *context, enum table table, const void *key, size_t key_size,
                               const void *value, size_t value_size),
                 void *context)
{
    return store_verify_all(data_dir, summary, why,
                            &(struct store_verify){.on_row = on_row, .context = context});
}
